//! [`PackedB`]: an operand that is packed once for many products.

use super::{Epilogue, checked};
use crate::backend::Backend;
use crate::buffer::AlignedVec;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::gemm::{Ahead, Operand, panel_vectors};
use crate::matrix::{MatMut, MatRef};
use crate::simd::Isa;
use core::fmt;

/// A right operand B (k×n) in the order in which the register tiles of one instruction set read it.
///
/// Worth it where the same B meets many small batches, above all one that lies the other way: Wᵀ in dX = dZ·Wᵀ is transposed
/// once, not in every call. For both directions through a layer pack `w` and `w.t()`. Every product is done in tiles, with
/// the same bits whatever the strides of B were.
///
/// ```
/// use roofline::{Epilogue, Exec, Mat, PackedB};
/// let exec = Exec::default();
/// let w = Mat::<f32>::from_fn(784, 512, |i, j| (i + j) as f32);
/// let packed = PackedB::new(&exec, w.as_ref());
/// let (x, mut y) = (Mat::<f32>::zeros(8, 784), Mat::zeros(8, 512));
/// exec.gemm_packed(1.0, x.as_ref(), &packed, 0.0, y.as_mut(), Epilogue::default())?;
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone)]
pub struct PackedB<T> {
    panels: AlignedVec<T>,
    rows: usize,
    cols: usize,
    /// Vectors of a panel.
    vectors: usize,
    isa: Isa,
}

impl<T: Element> PackedB<T> {
    /// Packs `b` for the instruction set of `exec`.
    ///
    /// # Panics
    /// Where the copy does not fit in memory, as `Vec` does: `b` may repeat elements (strides of 0) and be larger than it.
    pub fn new(exec: &Exec, b: MatRef<'_, T>) -> Self {
        let (rows, cols, isa) = (b.rows(), b.cols(), exec.isa());
        let vectors = panel_vectors::<T>(cols, T::registers(exec.token()));
        // Without rows there may be any number of columns.
        let columns = if rows == 0 { Some(0) } else { cols.checked_next_multiple_of(vectors * T::LANES) };
        let len = columns.and_then(|columns| columns.checked_mul(rows)).expect("rows · columns overflows usize");
        let mut packed = Self { panels: AlignedVec::zeros(len), rows, cols, vectors, isa };
        packed.fill(exec, b);
        packed
    }

    /// Packs `b`, of the same shape as before, without allocating: after an update of the weights.
    ///
    /// # Errors
    /// [`Error::Shape`] for another shape, [`Error::PackedFor`] on another instruction set.
    pub fn repack(&mut self, exec: &Exec, b: MatRef<'_, T>) -> Result<(), Error> {
        if (b.rows(), b.cols()) != (self.rows, self.cols) {
            let (expected, found) = ((self.rows, self.cols), (b.rows(), b.cols()));
            return Err(Error::Shape { what: "repack: B (as when it was packed first)", expected, found });
        }
        self.check_isa(exec)?;
        self.fill(exec, b);
        Ok(())
    }

    fn fill(&mut self, exec: &Exec, b: MatRef<'_, T>) {
        if self.panels.is_empty() {
            return;
        }
        let operand = Operand { ptr: b.as_ptr(), row: b.row_stride(), col: b.col_stride() };
        let (k, n, width, to) = (self.rows, self.cols, self.vectors * T::LANES, self.panels.as_mut_ptr());
        // SAFETY for the kernel: the view was checked at construction, and the panels have room for whole ones.
        T::dispatch(exec.token(), Ahead { b: operand, k, n, width, to });
    }

    fn check_isa(&self, exec: &Exec) -> Result<(), Error> {
        if exec.isa() == self.isa {
            return Ok(());
        }
        Err(Error::PackedFor { packed: self.isa, used: exec.isa() })
    }

    /// Rows of B.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of B.
    pub fn cols(&self) -> usize {
        self.cols
    }
}

impl<T: Element> fmt::Debug for PackedB<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackedB({}×{} {}, {})", self.rows, self.cols, T::NAME, self.isa)
    }
}

impl Exec {
    /// C ← g(alpha·A·B + beta·C + bias) as [`Exec::gemm_with`], with a B that was packed ahead.
    ///
    /// # Errors
    /// As [`Exec::gemm_with`]; [`Error::PackedFor`] where B was packed for another instruction set, [`Error::NativeOnly`] on
    /// another [`Backend`].
    pub fn gemm_packed<T: Element>(
        &self,
        alpha: T,
        a: MatRef<'_, T>,
        b: &PackedB<T>,
        beta: T,
        mut c: MatMut<'_, T>,
        epilogue: Epilogue<'_, T>,
    ) -> Result<(), Error> {
        b.check_isa(self)?;
        if self.backend() != Backend::Native {
            return Err(Error::NativeOnly { what: "gemm_packed", backend: self.backend() });
        }
        let columns = b.panels.len().checked_div(b.rows).unwrap_or(0);
        let operand = Operand { ptr: b.panels.as_ptr(), row: columns as isize, col: 1 };
        let mut product = checked(alpha, a, (b.rows, b.cols, operand), beta, &mut c, epilogue)?;
        product.panels_from = Some(0);
        // SAFETY: the views' addresses were checked at construction, the borrow of C is unique, and the panels are those
        // that the plan's tile reads.
        unsafe { T::multiply(self, &mut product, Some(b.vectors)) }
    }
}
