//! Plans for the fuzz targets: what the bytes of the fuzzer mean. The oracles are those of the tests.

pub mod activation;
pub mod csv;
pub mod dropout;
pub mod idx;
pub mod loss;
pub mod matrix;
pub mod norm;
pub mod optim;
pub mod options;
pub mod reduce;
pub mod softmax;
pub mod tuner;

pub use roofline_fuzz_products::{checkpoint, gemm};
use roofline_fuzz_products::{common, memory, operands};
