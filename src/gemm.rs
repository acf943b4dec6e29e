//! GEMM: C ← α·A·B + β·C over strided views.

use crate::buffer::with_workspace;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::activation::Activation;
use crate::kernels::gemm::{Bias, Finish, Nest, Operand, Output, Plan, Product};
use crate::matrix::{Layout, MatMut, MatRef};
use crate::parallel;

/// Multiply–adds that take about 5 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 18;

/// C ← alpha·A·B + beta·C on the default [`Exec`]. See [`Exec::gemm`].
///
/// # Errors
/// As [`Exec::gemm`].
pub fn gemm<T: Element>(alpha: T, a: MatRef<'_, T>, b: MatRef<'_, T>, beta: T, c: MatMut<'_, T>) -> Result<(), Error> {
    Exec::default().gemm(alpha, a, b, beta, c)
}

/// What follows a product while its result is still in registers: C ← g(α·A·B + β·C + bias).
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, T> {
    /// Added to every row of C: one value per column.
    pub bias: Option<&'a [T]>,
    /// Applied to every element last.
    pub activation: Activation,
}

impl<T> Default for Epilogue<'_, T> {
    fn default() -> Self {
        Self { bias: None, activation: Activation::Identity }
    }
}

impl Exec {
    /// C ← alpha·A·B + beta·C with A m×k, B k×n, C m×n, any strides. As in BLAS, `beta` = 0 does not read C (it may hold
    /// NaN), and `alpha` = 0 or k = 0 does not read A or B.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn gemm<T: Element>(
        &self,
        alpha: T,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        beta: T,
        c: MatMut<'_, T>,
    ) -> Result<(), Error> {
        self.gemm_with(alpha, a, b, beta, c, Epilogue::default())
    }

    /// C ← g(alpha·A·B + beta·C + bias): [`Exec::gemm`] with an epilogue.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Length`] of the bias.
    pub fn gemm_with<T: Element>(
        &self,
        alpha: T,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        beta: T,
        mut c: MatMut<'_, T>,
        epilogue: Epilogue<'_, T>,
    ) -> Result<(), Error> {
        let (m, n, k) = (c.rows(), c.cols(), a.cols());
        if a.rows() != m {
            return Err(Error::Shape {
                what: "gemm: A (rows of C × rows of B)",
                expected: (m, b.rows()),
                found: (a.rows(), k),
            });
        }
        if b.rows() != k || b.cols() != n {
            return Err(Error::Shape {
                what: "gemm: B (columns of A × columns of C)",
                expected: (k, n),
                found: (b.rows(), b.cols()),
            });
        }
        let bias = match epilogue.bias {
            Some(bias) if bias.len() != n => {
                return Err(Error::Length {
                    what: "gemm: bias (one value per column of C)",
                    expected: n,
                    found: bias.len(),
                });
            }
            Some(bias) => Bias::PerColumn(bias.as_ptr()),
            None => Bias::None,
        };
        let product = Product {
            m,
            n,
            k,
            alpha,
            a: Operand { ptr: a.as_ptr(), row: a.row_stride(), col: a.col_stride() },
            b: Operand { ptr: b.as_ptr(), row: b.row_stride(), col: b.col_stride() },
            beta,
            c: Output { ptr: c.as_mut_ptr(), row: c.row_stride(), col: c.col_stride() },
            finish: Finish { bias, activation: epilogue.activation },
        };
        // SAFETY: the views' addresses were checked at construction, and the borrow of C is unique.
        unsafe { self.product(product) };
        Ok(())
    }

    /// Runs a product whose shapes agree.
    ///
    /// # Safety
    /// Every element of A, B and the bias is readable, C is writable and of no other use meanwhile.
    unsafe fn product<T: Element>(&self, mut product: Product<T>) {
        if product.m == 0 || product.n == 0 {
            return;
        }
        if product.alpha == T::ZERO {
            product.k = 0;
        }
        if product.k == 0 {
            // An empty sum is 0, also ∞ times.
            product.alpha = T::ONE;
        }
        let (token, product) = (self.token(), product.oriented());
        let plan = Plan::new(&product, T::registers(token));
        let (m, n) = (product.m, product.n);
        let run = |product: &Product<T>| {
            with_workspace(plan.workspace(product), |workspace| {
                T::dispatch(token, Nest { product, plan: &plan, workspace })
            });
        };
        let parts = self.parts(m.saturating_mul(n).saturating_mul(product.k), QUANTUM);
        if parts == 1 {
            return run(&product);
        }
        let width = plan.tile.vectors * T::LANES;
        let (high, wide) = (m.div_ceil(plan.tile.rows), n.div_ceil(width));
        // By columns, so that no part of B is packed twice; by rows where there are too few columns, or where nothing is
        // packed and they come out more even.
        let excess = |units: usize| (units.div_ceil(parts) * parts) as f64 / units as f64;
        let by_columns = if plan.pack_b { wide >= parts || wide >= high } else { excess(wide) <= excess(high) };
        let parts = parts.min(if by_columns { wide } else { high });
        self.for_each(parts, |index| {
            let (rows, cols) = if by_columns {
                (0..m, parallel::part(n, width, parts, index))
            } else {
                (parallel::part(m, plan.tile.rows, parts, index), 0..n)
            };
            run(&product.block(rows, cols));
        });
    }
}

impl Exec {
    /// [`Exec::gemm`] on raw pointers: C (m×n) ← alpha·A (m×k)·B (k×n) + beta·C, element (i, j) of X at `x + i·rsx + j·csx`.
    ///
    /// # Errors
    /// [`Error::Overflow`] where an operand's addresses do not fit in memory, [`Error::SelfOverlap`] for C.
    ///
    /// # Safety
    /// Every element of A and B is readable and every element of C writable (readable too unless `beta` is 0) at its
    /// address, and C overlaps neither A nor B. An operand without elements, and A and B where `alpha` is 0, may be dangling.
    #[expect(clippy::too_many_arguments, reason = "the signature that callers of BLAS-like functions expect")]
    pub unsafe fn gemm_raw<T: Element>(
        &self,
        m: usize,
        n: usize,
        k: usize,
        alpha: T,
        a: *const T,
        rsa: isize,
        csa: isize,
        b: *const T,
        rsb: isize,
        csb: isize,
        beta: T,
        c: *mut T,
        rsc: isize,
        csc: isize,
    ) -> Result<(), Error> {
        Layout { rows: m, cols: k, row_stride: rsa, col_stride: csa }.extent::<T>()?;
        Layout { rows: k, cols: n, row_stride: rsb, col_stride: csb }.extent::<T>()?;
        let layout = Layout { rows: m, cols: n, row_stride: rsc, col_stride: csc };
        layout.extent::<T>()?;
        layout.reject_overlap()?;
        let product = Product {
            m,
            n,
            k,
            alpha,
            a: Operand { ptr: a, row: rsa, col: csa },
            b: Operand { ptr: b, row: rsb, col: csb },
            beta,
            c: Output { ptr: c, row: rsc, col: csc },
            finish: Finish { bias: Bias::None, activation: Activation::Identity },
        };
        // SAFETY: the caller's debt.
        unsafe { self.product(product) };
        Ok(())
    }
}
