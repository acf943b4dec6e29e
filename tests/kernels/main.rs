//! The kernels and their operations, one module per family. One program, because each instantiates every kernel that it calls.

#[macro_use]
#[path = "../common/mod.rs"]
mod common;

mod activation;
mod cross_entropy;
mod dropout;
mod elementwise;
mod epilogue;
mod fuzz;
mod gemm;
mod gemm_edges;
mod guard;
mod loss;
mod matrix;
mod norm;
mod optim;
mod oracle;
mod packed;
mod parallel;
mod parity;
mod plan;
mod properties;
mod reduce;
mod softmax;
mod streaming;
