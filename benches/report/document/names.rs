//! Names and sizes by which figures find what was measured for them.

/// Kernels of the family `gemm`: A and B as they are or transposed, in the letters of BLAS.
pub(crate) const LAYOUTS: [&str; 4] = ["square NN", "square NT", "square TN", "square TT"];
/// The three products of a dense layer.
pub(crate) const LAYER: [&str; 3] = ["forward", "dX", "dW"];
/// The cells of the map of m and n.
pub(crate) const GRID: &str = "grid";
/// Elements of the slices whose times an element are compared: in L2 on most machines.
pub(crate) const LENGTH: usize = 65_536;
/// Kernels that are measured from L1 to memory.
pub(crate) const SWEPT: [&str; 5] = ["relu", "exp", "tanh", "gelu", "sum"];
