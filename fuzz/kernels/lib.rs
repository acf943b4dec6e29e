//! The plans of products and of elementary functions, and what all plans share. A crate of its own: what it compiles is about half of
//! everything, so that two cores are at work.

#[path = "../src/activation.rs"]
pub mod activation;
#[path = "../../tests/common/mod.rs"]
pub mod common;
#[path = "../src/gemm.rs"]
pub mod gemm;
#[path = "../src/operands.rs"]
pub mod operands;
