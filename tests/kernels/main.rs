//! The kernels and their operations, one module per family. One program, because each instantiates every kernel that it calls.

#[macro_use]
#[path = "../common/mod.rs"]
mod common;

use roofline_instances as _;

mod activation;
mod callers;
mod cross_entropy;
mod digest;
mod dropout;
mod elementwise;
mod environment;
mod epilogue;
mod fuzz;
mod gemm;
mod gemm_edges;
mod guard;
mod loss;
mod matrix;
mod norm;
mod operations;
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
