//! Plans for the fuzz targets: what the bytes of the fuzzer mean. The oracles are those of the tests.

pub mod activation;
pub mod checkpoint;
#[path = "../../tests/common/mod.rs"]
pub mod common;
#[path = "../../tests/training/counting.rs"]
mod counting;
pub mod csv;
pub mod dropout;
pub mod gemm;
pub mod idx;
pub mod loss;
pub mod matrix;
mod memory;
pub mod norm;
mod operands;
pub mod optim;
pub mod options;
pub mod reduce;
pub mod softmax;
pub mod tuner;
