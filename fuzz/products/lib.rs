//! The plans that multiply matrices, and what all plans share. A crate of its own: what it compiles is about half of everything, so that two
//! cores are at work.

#[path = "../src/checkpoint.rs"]
pub mod checkpoint;
#[path = "../../tests/common/mod.rs"]
pub mod common;
#[path = "../../tests/training/counting.rs"]
mod counting;
#[path = "../src/gemm.rs"]
pub mod gemm;
#[path = "../src/memory.rs"]
pub mod memory;
#[path = "../src/operands.rs"]
pub mod operands;
