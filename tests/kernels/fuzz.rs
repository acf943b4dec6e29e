//! The fuzz targets of the kernels, on their seeds.

use arbitrary::{Arbitrary, Unstructured};

#[path = "../../fuzz/src/activation.rs"]
mod activation;
#[path = "../../fuzz/src/dropout.rs"]
mod dropout;
#[path = "../../fuzz/src/gemm.rs"]
mod gemm;
#[path = "../../fuzz/src/loss.rs"]
mod loss;
#[path = "../../fuzz/src/matrix.rs"]
mod matrix;
#[path = "../../fuzz/src/norm.rs"]
mod norm;
#[path = "../../fuzz/src/operands.rs"]
mod operands;
#[path = "../../fuzz/src/optim.rs"]
mod optim;
#[path = "../../fuzz/src/reduce.rs"]
mod reduce;
#[macro_use]
#[path = "../common/seeds.rs"]
mod seeds;
#[path = "../../fuzz/src/softmax.rs"]
mod softmax;

replay!(activation, dropout, gemm, loss, matrix, norm, optim, reduce, softmax);
