//! Plans for the fuzz targets: what the bytes of the fuzzer mean. The oracles are those of the tests.

#[path = "../../tests/common/mod.rs"]
pub mod common;
pub mod gemm;
