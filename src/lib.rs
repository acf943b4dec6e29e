//! Dense CPU kernels that run at the roofline, and a small trainer that proves them.
//!
//! GEMM, activations, softmax with cross-entropy, reductions, normalisation, dropout and optimizer updates in `f32` and `f64`, on
//! the best instruction set that the machine has (chosen at run time), over the threads of the current rayon pool. On the kernels
//! stands a multi-layer perceptron ([`nn`]) whose gradients are checked and whose mini-batches are measured.
//!
//! ```
//! use roofline::{Exec, Mat, MatRef, gemm};
//!
//! let a = MatRef::from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3)?;
//! let mut c = Mat::zeros(2, 2);
//! gemm(1.0, a, a.t(), 0.0, c.as_mut())?; // C ← A·Aᵀ
//! assert_eq!(c.as_slice(), [14.0, 32.0, 32.0, 77.0]);
//!
//! // How a call runs is a value: this one stays on this thread.
//! Exec::sequential().relu_inplace(c.as_mut_slice())?;
//! # Ok::<(), roofline::Error>(())
//! ```
//!
//! # Five promises
//!
//! 1. **Speed is stated as a fraction of a measured limit.** Benchmarks print GFLOP/s beside the FMA peak that the same run
//!    measured ([`Exec::fma_peak`]), and beside a rival.
//! 2. **Same bits.** One call gives the same bits on any number of threads and on every instruction set with FMA, run after
//!    run. The baseline without FMA (SSE2) keeps the error bounds, not the bits. NaN results are quiet NaN; their payload is
//!    not promised.
//! 3. **Bounded error.** GEMM obeys |Ĉ − C| ≤ γ(k+2)·(|α||A||B| + |β||C|) in every element, γ(n) = n·u/(1 − n·u).
//!    Elementwise functions state their greatest error in ULP, measured over all 2³² values of `f32`: see below.
//! 4. **Safe.** The checked functions cannot be made to read or write out of bounds; bad input gets an [`Error`] with the
//!    numbers in it, never a panic and never a silent fallback. The floating-point environment is left untouched.
//! 5. **No hidden cost.** Kernels allocate nothing once a thread has its workspace, start no pool of their own, read no
//!    environment variable and take no lock.
//!
//! # Accuracy of elementwise functions
//!
#![doc = include_str!("../docs/accuracy.md")]
//!
//! # Layers
//!
//! Dependencies point one way, `simd → kernels → operations → nn`. *An instruction belongs in `simd`; arithmetic in
//! `kernels`; shapes, threads and errors in the operations; learning in `nn`.*
//!
//! | layer | where | knows |
//! |---|---|---|
//! | L0 | `simd/` | one 64-byte vector on every instruction set |
//! | L1 | `kernels/` | the arithmetic, once for all instruction sets and both types |
//! | L2 | `gemm`, `activation`, `elementwise`, `softmax`, `loss`, `reduce`, `norm`, `dropout`, `optim` | check, choose, split, run: the methods of [`Exec`] |
//! | L3 | [`nn`] | layers, gradients, data |
//!
//! # Features
//!
//! - `parallel` (default): threads by rayon. Without it every call runs on the calling thread.
//! - `matrixmultiply`, `blas`: other libraries for the matrix product, for the trainer too; see [`Backend`].
//! - `ndarray`: two-dimensional arrays and views of `ndarray` 0.17 as [`MatRef`] and [`MatMut`], without a copy, by `try_from`.
//! - `csv`: data sets from CSV files, [`nn`]`::csv`.
//! - `checkpoint`: training runs and models as safetensors files, [`nn`]`::checkpoint`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod activation;
mod backend;
mod buffer;
mod columns;
mod dropout;
mod element;
mod elementwise;
mod error;
mod exec;
mod gemm;
mod kernels;
mod loss;
mod matrix;
#[cfg(feature = "ndarray")]
mod ndarray;
pub mod nn;
mod norm;
mod optim;
mod parallel;
mod peak;
mod reduce;
mod rows;
mod simd;
mod softmax;

pub use activation::Activation;
pub use backend::Backend;
pub use dropout::Dropout;
pub use element::Element;
pub use error::Error;
pub use exec::Exec;
pub use gemm::{Epilogue, GemmStrides, PackedB, gemm};
pub use kernels::gemm::{GemmPath, GemmPlan, Packing, Tile};
pub use matrix::{Mat, MatMut, MatRef};
pub use norm::{Affine, AffineGradient, RunningStatistics, Statistics};
pub use optim::{
    AdamState, Decay, EpsilonPlace, MomentumForm, MomentumState, OptimizerState, RmsPropState, SgdState, Step,
};
pub use reduce::Reduction;
pub use simd::Isa;
pub use softmax::Targets;

/// The examples of the README compile and run; one of them takes arrays of `ndarray`.
#[cfg(all(doctest, feature = "ndarray"))]
#[doc = include_str!("../README.md")]
struct Readme;
