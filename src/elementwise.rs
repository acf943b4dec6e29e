//! Elementwise functions over slices.

use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::elementwise::{Axpy, Exp, Log, Sweep};
use crate::parallel;
use crate::simd::slice::{Arrays, Lanewise};

/// Elements that take about 10 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 15;

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
        same_length("axpy: y", x.len(), y.len())?;
        let p = y.as_mut_ptr();
        // SAFETY: both are borrowed, y alone is written, and the lengths agree.
        let arrays = unsafe { Arrays::new(x.len(), [x.as_ptr(), p], [p]) };
        self.sweep(arrays, Axpy { alpha });
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
