//! Elementwise functions over slices.

use crate::activation::onto;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::elementwise::{Axpy, AxpySign, Erf, Erfc, Exp, ExpM1, Ln1p, Log, Sweep};
use crate::matrix::MatRef;
use crate::parallel;
use crate::simd::slice::{Arrays, Lanewise};

/// Elements that take about 5 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 14;

impl Exec {
    /// yᵢ = e^xᵢ. At most 1 ULP off in `f32` and `f64`; subnormal results included, NaN stays NaN.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
    ///
    /// ```
    /// let mut y = [0.0_f64; 2];
    /// roofline::Exec::default().exp(&[0.0, f64::NEG_INFINITY], &mut y)?;
    /// assert_eq!(y, [1.0, 0.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn exp<T: Element>(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map("exp", x, y, Exp)
    }

    /// yᵢ = ln xᵢ. At most 1 ULP off in `f32` and `f64`; −∞ at ±0, NaN below 0, subnormal arguments included.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
    ///
    /// ```
    /// let mut y = [0.0_f32; 2];
    /// roofline::Exec::default().log(&[1.0, 0.0], &mut y)?;
    /// assert_eq!(y, [0.0, f32::NEG_INFINITY]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn log<T: Element>(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map("log", x, y, Log)
    }

    /// yᵢ = e^xᵢ − 1 without cancellation, at most 1 ULP off in `f32` (3 in `f64`). −1 at −∞, ±0 at ±0, NaN stays NaN.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
    ///
    /// ```
    /// let mut y = [0.0_f32; 2];
    /// roofline::Exec::default().exp_m1(&[1e-10, f32::NEG_INFINITY], &mut y)?;
    /// assert_eq!(y, [1e-10, -1.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn exp_m1<T: Element>(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map("exp_m1", x, y, ExpM1)
    }

    /// yᵢ = ln(1 + xᵢ) without cancellation, at most 1 ULP off in `f32` (3 in `f64`). −∞ at −1, NaN below, ±0 at ±0, ∞ at ∞.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
    ///
    /// ```
    /// let mut y = [0.0_f64; 2];
    /// roofline::Exec::default().ln_1p(&[1e-300, -1.0], &mut y)?;
    /// assert_eq!(y, [1e-300, f64::NEG_INFINITY]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn ln_1p<T: Element>(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map("ln_1p", x, y, Ln1p)
    }

    /// yᵢ = erf xᵢ = 2/√π·∫₀ˣ e^−t² dt, at most 2 ULP off (3 in `f64`). ±1 at ±∞, ±0 at ±0, NaN stays NaN.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
    ///
    /// ```
    /// let mut y = [0.0_f64; 2];
    /// roofline::Exec::default().erf(&[-0.0, 6.0], &mut y)?;
    /// assert_eq!(y, [0.0, 1.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn erf<T: Element>(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map("erf", x, y, Erf)
    }

    /// yᵢ = 1 − erf xᵢ, at most 3 ULP off, in the tail down to subnormal results too. 2 at −∞, 0 at ∞, NaN stays NaN.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
    ///
    /// ```
    /// let mut y = [0.0_f32; 2];
    /// roofline::Exec::default().erfc(&[0.0, 10.0], &mut y)?;
    /// assert_eq!(y, [1.0, 2.088488e-45_f64 as f32]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn erfc<T: Element>(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map("erfc", x, y, Erfc)
    }

    /// y ← y + alpha·x (BLAS `axpy`), one rounding an element.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
    ///
    /// ```
    /// let mut y = [1.0, 2.0];
    /// roofline::Exec::default().axpy(2.0, &[10.0, 20.0], &mut y)?;
    /// assert_eq!(y, [21.0, 42.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn axpy<T: Element>(&self, alpha: T, x: &[T], y: &mut [T]) -> Result<(), Error> {
        let arrays = onto("axpy: y", x, y)?;
        self.sweep(arrays, Axpy { alpha });
        Ok(())
    }

    /// y ← y + alpha·sign(x), the sign of 0 being 0: what alpha·Σ|x| adds to a gradient. Where x is NaN, y is as it was.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
    ///
    /// ```
    /// let mut y = [1.0, 1.0, 1.0];
    /// roofline::Exec::default().axpy_sign(0.5, &[-3.0, 0.0, 9.0], &mut y)?;
    /// assert_eq!(y, [0.5, 1.0, 1.5]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn axpy_sign<T: Element>(&self, alpha: T, x: &[T], y: &mut [T]) -> Result<(), Error> {
        let arrays = onto("axpy_sign: y", x, y)?;
        self.sweep(arrays, AxpySign { alpha });
        Ok(())
    }

    /// y = f(x).
    pub(crate) fn map<T: Element>(
        &self,
        what: &'static str,
        x: &[T],
        y: &mut [T],
        f: impl Lanewise<T, 1, 1> + Sync,
    ) -> Result<(), Error> {
        same_length(what, x.len(), y.len())?;
        // SAFETY: both are borrowed, y alone is written, and the lengths agree.
        let arrays = unsafe { Arrays::new(x.len(), [x.as_ptr()], [y.as_mut_ptr()]) };
        self.sweep(arrays, f);
        Ok(())
    }

    /// Applies f to whole arrays, split over the threads.
    pub(crate) fn sweep<T: Element, F: Lanewise<T, IN, OUT> + Sync, const IN: usize, const OUT: usize>(
        &self,
        arrays: Arrays<T, IN, OUT>,
        f: F,
    ) {
        let (token, parts) = (self.token(), self.parts(arrays.len(), QUANTUM));
        self.for_each(parts, |index| {
            let arrays = arrays.range(parallel::part(arrays.len(), T::LANES, parts, index));
            T::dispatch(token, Sweep { arrays, f });
        });
    }
}

/// `Err` unless `found` is `expected`.
pub(crate) fn same_length(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Length { what, expected, found }) }
}

/// `Err` unless a matrix has the shape of x.
pub(crate) fn same_shape<T: Element>(what: &'static str, x: MatRef<'_, T>, found: (usize, usize)) -> Result<(), Error> {
    let expected = (x.rows(), x.cols());
    if expected == found { Ok(()) } else { Err(Error::Shape { what, expected, found }) }
}
