//! [`Backend`]: whose product a call runs, ours or that of another library behind a feature.
//!
//! ```text
//!                 ┌ Native, or nothing to multiply ──→ our kernels, epilogue in registers
//! Exec::product ──┼ MatrixMultiply ──→ each part of C on a thread: its product, then the epilogue of the part
//!                 └ Blas ──→ check strides and sizes; one call, threads of the library; then the epilogue
//! ```
//!
//! The epilogue of a foreign product is our product with k = 0 and β = 1: C ← g(C + bias), any strides. What a backend cannot
//! do is an `Err` before anything is computed, never a product of ours in its name.

use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::gemm::Product;
#[cfg(any(feature = "matrixmultiply", feature = "blas"))]
use crate::{
    kernels::activation::Activation,
    kernels::gemm::{Bias, Finish},
    parallel,
};
use core::fmt;
use core::str::FromStr;

/// Whose matrix product [`Exec::gemm`], [`Exec::gemm_with`] and [`Exec::gemm_raw`] run, and so the trainer
/// ([`MlpBuilder::exec`](crate::nn::MlpBuilder::exec)). All other functions are always ours.
///
/// Every backend has the same contract: `beta` = 0 does not read C; `alpha` = 0 or k = 0 does not read A or B (nothing is
/// multiplied then, and C is scaled by our kernels); bias and activation follow, for the foreign ones in a pass of their own.
/// The promise of the same bits on any number of threads and instruction set is that of [`Native`](Backend::Native) alone,
/// and the foreign ones take the instruction set that they choose.
///
/// ```
/// use roofline::{Backend, Exec};
/// assert_eq!(Exec::default().backend(), Backend::Native);
/// assert_eq!("blas".parse::<Backend>()?, Backend::Blas);
/// for backend in Backend::available() {
///     let (a, mut c) = ([2.0_f64], roofline::Mat::zeros(1, 1));
///     let a = roofline::MatRef::from_slice(&a, 1, 1)?;
///     Exec::sequential().with_backend(backend)?.gemm(1.0, a, a, 0.0, c.as_mut())?;
///     assert_eq!(c.as_slice(), [4.0]);
/// }
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// The kernels of this crate.
    #[default]
    Native,
    /// The crate `matrixmultiply` (feature `matrixmultiply`): any strides, on the threads of the [`Exec`]. It allocates its
    /// packing buffers in every call.
    MatrixMultiply,
    /// The CBLAS of the system (feature `blas`), linked at build time: OpenBLAS, or the library that `ROOFLINE_BLAS` names
    /// then (`build.rs` has the details).
    ///
    /// It uses **its own threads**, whatever the [`Exec`] says, [`Exec::sequential`] included: set their number as the library
    /// has it, such as `OPENBLAS_NUM_THREADS=1`. Each operand needs a stride of 1 in one direction and in the other at least
    /// the number of elements that are contiguous (any, where there is one row or column only), else the call is
    /// [`Error::UnsupportedStrides`]; so no negative strides, and no broadcast ones. Sizes and strides are at most `i32::MAX`.
    Blas,
}

impl Backend {
    /// All of them.
    pub const ALL: [Backend; 3] = [Backend::Native, Backend::MatrixMultiply, Backend::Blas];

    /// Those that this build has. `Native` is always the first.
    pub fn available() -> impl Iterator<Item = Backend> {
        Self::ALL.into_iter().filter(|backend| backend.is_available())
    }

    /// Lower-case name, for a foreign one also that of its feature: `native`, `matrixmultiply` or `blas`.
    pub const fn name(self) -> &'static str {
        match self {
            Backend::Native => "native",
            Backend::MatrixMultiply => "matrixmultiply",
            Backend::Blas => "blas",
        }
    }

    pub(crate) const fn is_available(self) -> bool {
        match self {
            Backend::Native => true,
            Backend::MatrixMultiply => cfg!(feature = "matrixmultiply"),
            Backend::Blas => cfg!(feature = "blas"),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Backend::ALL
            .into_iter()
            .find(|backend| backend.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| Error::UnknownBackend { name: name.into() })
    }
}

impl Exec {
    /// Runs a product with terms (m, n, k and alpha are not 0) whose shapes agree, on a backend that is not ours.
    ///
    /// # Errors
    /// Where the backend cannot take the operands: nothing was computed.
    ///
    /// # Safety
    /// As [`Exec::product`].
    #[cold]
    #[cfg_attr(
        not(any(feature = "matrixmultiply", feature = "blas")),
        expect(unused_variables, reason = "nobody takes it")
    )]
    pub(crate) unsafe fn foreign_product<T: Element>(&self, product: &Product<T>) -> Result<(), Error> {
        match self.backend() {
            #[cfg(feature = "matrixmultiply")]
            // SAFETY: the caller's debt.
            Backend::MatrixMultiply => unsafe { self.matrixmultiply(*product) },
            #[cfg(feature = "blas")]
            // SAFETY: the caller's debt.
            Backend::Blas => unsafe { self.cblas(*product) },
            backend => Err(Error::UnavailableBackend { backend }),
        }
    }
}

#[cfg(any(feature = "matrixmultiply", feature = "blas"))]
impl Exec {
    /// Cuts C in parts for the threads, by rows or columns, whichever are more. `work` is counted in multiply–adds.
    fn for_each_part<T: Element>(&self, product: Product<T>, work: usize, run: impl Fn(Product<T>) + Sync) {
        /// Multiply–adds that take about 2.5 µs: see [`Exec::parts`].
        const QUANTUM: usize = 1 << 17;
        /// A multiple of the sides of every tile of `matrixmultiply`.
        const UNIT: usize = 64;
        let (m, n) = (product.m, product.n);
        let parts = self.parts(work, QUANTUM).min(m.max(n).div_ceil(UNIT));
        self.for_each(parts, |index| {
            let part = |len| parallel::part(len, UNIT, parts, index);
            run(if m >= n { product.block(part(m), 0..n) } else { product.block(0..m, part(n)) });
        });
    }

    /// C ← g(C + bias).
    ///
    /// # Safety
    /// As [`Exec::product`].
    unsafe fn finish<T: Element>(&self, product: Product<T>) {
        if !matches!(product.finish, Finish { bias: Bias::None, activation: Activation::Identity, gradient: None }) {
            // SAFETY: the caller's debt; without k neither A nor B is read.
            let done = unsafe { self.product(&mut Product { k: 0, beta: T::ONE, ..product }) };
            debug_assert!(done.is_ok(), "without k no backend is asked");
        }
    }
}

/// The foreign routines of an element type.
pub trait Foreign: Sized {
    #[cfg(feature = "matrixmultiply")]
    const MATRIXMULTIPLY: matrix_multiply::Gemm<Self>;
    #[cfg(feature = "blas")]
    const CBLAS: cblas::Gemm<Self>;
}

impl Foreign for f32 {
    #[cfg(feature = "matrixmultiply")]
    const MATRIXMULTIPLY: matrix_multiply::Gemm<f32> = matrixmultiply::sgemm;
    #[cfg(feature = "blas")]
    const CBLAS: cblas::Gemm<f32> = cblas_sys::cblas_sgemm;
}

impl Foreign for f64 {
    #[cfg(feature = "matrixmultiply")]
    const MATRIXMULTIPLY: matrix_multiply::Gemm<f64> = matrixmultiply::dgemm;
    #[cfg(feature = "blas")]
    const CBLAS: cblas::Gemm<f64> = cblas_sys::cblas_dgemm;
}

#[cfg(feature = "matrixmultiply")]
mod matrix_multiply {
    use super::{Element, Error, Exec, Product};

    /// m, k, n; α; A, B with two strides each; β; C with two strides.
    #[rustfmt::skip]
    pub type Gemm<T> = unsafe fn(
        usize, usize, usize,
        T, *const T, isize, isize, *const T, isize, isize,
        T, *mut T, isize, isize,
    );

    impl Exec {
        /// # Errors
        /// None: it takes what [`Exec::product`] takes.
        ///
        /// # Safety
        /// As [`Exec::product`].
        pub(super) unsafe fn matrixmultiply<T: Element>(&self, product: Product<T>) -> Result<(), Error> {
            self.for_each_part(product, product.work(), |part| {
                let Product { m, n, k, alpha, a, b, beta, c, .. } = part;
                // The stride of a single row or column may be anything; offsets are computed from it all the same.
                let stride = |len: usize, stride: isize| if len == 1 { 1 } else { stride };
                let (rsa, csa) = (stride(m, a.row), stride(k, a.col));
                let (rsb, csb) = (stride(k, b.row), stride(n, b.col));
                let (rsc, csc) = (stride(m, c.row), stride(n, c.col));
                // SAFETY: the caller's debt; parts of C are disjoint.
                unsafe {
                    T::MATRIXMULTIPLY(m, k, n, alpha, a.ptr, rsa, csa, b.ptr, rsb, csb, beta, c.ptr, rsc, csc);
                    self.finish(part);
                }
            });
            Ok(())
        }
    }
}

#[cfg(feature = "blas")]
mod cblas {
    use super::{Backend, Element, Error, Exec, Product};
    use crate::matrix::Layout;
    use cblas_sys::{CBLAS_LAYOUT, CBLAS_TRANSPOSE, CblasColMajor, CblasNoTrans, CblasRowMajor, CblasTrans};
    use core::ffi::c_int;

    /// Layout of C; transpositions of A and B; m, n, k; α; A, B with a leading dimension each; β; C with its own.
    #[rustfmt::skip]
    pub type Gemm<T> = unsafe extern "C" fn(
        CBLAS_LAYOUT, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, c_int, c_int, c_int,
        T, *const T, c_int, *const T, c_int,
        T, *mut T, c_int,
    );

    impl Exec {
        /// # Errors
        /// Where strides or sizes are not those of CBLAS.
        ///
        /// # Safety
        /// As [`Exec::product`].
        pub(super) unsafe fn cblas<T: Element>(&self, product: Product<T>) -> Result<(), Error> {
            let Product { m, n, k, alpha, a, b, beta, c, .. } = product;
            let layout = |rows, cols, row_stride, col_stride| Layout { rows, cols, row_stride, col_stride };
            let (a_by_columns, lda) = leading("A", layout(m, k, a.row, a.col))?;
            let (b_by_columns, ldb) = leading("B", layout(k, n, b.row, b.col))?;
            let (by_columns, ldc) = leading("C", layout(m, n, c.row, c.col))?;
            let [rows, cols, depth] = [("gemm: m", m), ("gemm: n", n), ("gemm: k", k)].map(|(what, value)| {
                let error = Error::OutOfRange { what, value: value as f64, allowed: "at most 2147483647 for CBLAS" };
                c_int::try_from(value).map_err(|_| error)
            });
            let order = if by_columns { CblasColMajor } else { CblasRowMajor };
            let transposition = |other| if other == by_columns { CblasNoTrans } else { CblasTrans };
            let (ta, tb) = (transposition(a_by_columns), transposition(b_by_columns));
            let (rows, cols, depth) = (rows?, cols?, depth?);
            // SAFETY: the caller's debt: the leading dimensions give the addresses that the strides give.
            unsafe { T::CBLAS(order, ta, tb, rows, cols, depth, alpha, a.ptr, lda, b.ptr, ldb, beta, c.ptr, ldc) };
            // An element of the epilogue takes as long as about 8 multiply–adds.
            let work = m.saturating_mul(n).saturating_mul(8);
            // SAFETY: the caller's debt; parts of C are disjoint.
            self.for_each_part(product, work, |part| unsafe { self.finish(part) });
            Ok(())
        }
    }

    /// Whether columns are contiguous instead of rows, and the elements from one of them to the next.
    fn leading(operand: &'static str, layout: Layout) -> Result<(bool, c_int), Error> {
        let Layout { rows, cols, row_stride, col_stride } = layout;
        let by_rows = leading_dimension(layout).map(|leading| (false, leading));
        by_rows
            .or_else(|| leading_dimension(layout.transposed()).map(|leading| (true, leading)))
            .ok_or(Error::UnsupportedStrides { backend: Backend::Blas, operand, rows, cols, row_stride, col_stride })
    }

    /// Elements from row to row, where rows are contiguous and none reaches into the next.
    fn leading_dimension(Layout { rows, cols, row_stride, col_stride }: Layout) -> Option<c_int> {
        let stride = if rows == 1 { cols } else { usize::try_from(row_stride).ok()? };
        let contiguous = (cols == 1 || col_stride == 1) && stride >= cols;
        contiguous.then_some(c_int::try_from(stride).ok()?)
    }
}
