//! roofline
#![allow(missing_docs)]
mod activation;
mod buffer;
mod element;
mod elementwise;
mod error;
mod exec;
mod gemm;
mod kernels;
mod matrix;
pub mod nn;
mod optim;
mod parallel;
mod peak;
mod simd;
mod softmax;

pub use element::Element;
pub use error::Error;
pub use exec::Exec;
pub use gemm::{Epilogue, gemm};
pub use activation::Activation;
pub use optim::{AdamState, MomentumState};
pub use matrix::{Mat, MatMut, MatRef};
pub use simd::Isa;

#[doc(hidden)]
pub static KNOBS: [std::sync::atomic::AtomicUsize; 8] = [const { std::sync::atomic::AtomicUsize::new(0) }; 8];
