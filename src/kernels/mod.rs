//! L1: arithmetic. Each kernel is written once over the [`Simd`](crate::simd::Simd) token and both element types; it
//! knows nothing of instruction sets, threads or errors, and allocates nothing.

pub(crate) mod activation;
pub(crate) mod columns;
pub(crate) mod dropout;
pub(crate) mod elementwise;
pub(crate) mod gemm;
pub(crate) mod loss;
pub(crate) mod math;
pub(crate) mod norm;
pub(crate) mod optim;
pub(crate) mod peak;
pub(crate) mod reduce;
pub(crate) mod rows;
pub(crate) mod softmax;
