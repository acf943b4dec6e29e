//! Plans for the fuzz targets: what the bytes of the fuzzer mean. The oracles are those of the tests.

pub mod checkpoint;
#[path = "../../tests/training/counting.rs"]
mod counting;
pub mod csv;
pub mod dropout;
pub mod idx;
pub mod loss;
pub mod matrix;
mod memory;
pub mod norm;
pub mod optim;
pub mod options;
pub mod reduce;
pub mod softmax;
pub mod tuner;

pub use roofline_fuzz_kernels::{activation, gemm};
use roofline_fuzz_kernels::{common, operands};
