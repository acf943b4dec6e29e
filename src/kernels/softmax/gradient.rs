//! Gradients of softmax and log-softmax, from their outputs y and the gradients dy of these, by rows:
//!
//! ```text
//! softmax:      dx = y ⊙ (dy − Σ y·dy)          log-softmax:   dx = dy − eʸ·Σ dy
//! ```

use super::{Normalize, Sum};
use crate::element::Element;
use crate::kernels::math;
use crate::kernels::reduce::Dot;
use crate::kernels::rows::Rows;
use crate::simd::slice::Lanewise;
use crate::simd::{Kernel, Simd};

/// Rows of dy are x, those of y are w, those of dx are y.
pub(crate) struct GradientRows<T, const SHORT: bool> {
    pub(crate) rows: Rows<T, SHORT>,
    pub(crate) normalize: Normalize,
}

impl<T: Element, const SHORT: bool> Kernel<T> for GradientRows<T, SHORT> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        for index in 0..self.rows.blocks() {
            let rows = self.rows.block(index);
            let sum = simd.lanes(self.sums(simd, &rows));
            for i in 0..rows.count {
                let row = ([rows.x, rows.w], [rows.y]);
                match self.normalize {
                    Normalize::Softmax => rows.apply(simd, i, row, OfSoftmax { sum: sum[i] }),
                    Normalize::LogSoftmax => rows.apply(simd, i, row, OfLogSoftmax { sum: sum[i] }),
                }
            }
        }
    }
}

impl<T: Element, const SHORT: bool> GradientRows<T, SHORT> {
    /// Σ y·dy, or Σ dy, of each row of a block.
    #[inline(always)]
    pub(super) fn sums<S: Simd<T>>(&self, simd: S, rows: &Rows<T, SHORT>) -> S::V {
        match self.normalize {
            Normalize::Softmax => rows.fold(simd, ([rows.x, rows.w], []), T::ZERO, |_| Dot),
            Normalize::LogSoftmax => rows.fold(simd, ([rows.x], []), T::ZERO, |_| Sum),
        }
    }
}

/// y·(dy − Σ).
#[derive(Clone, Copy)]
pub(crate) struct OfSoftmax<T> {
    pub(crate) sum: T,
}

impl<T: Element> Lanewise<T, 2, 1> for OfSoftmax<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [dy, y]: [S::V; 2]) -> [S::V; 1] {
        [simd.mul(y, simd.sub(dy, simd.splat(self.sum)))]
    }
}

/// dy − eʸ·Σ.
#[derive(Clone, Copy)]
pub(crate) struct OfLogSoftmax<T> {
    pub(crate) sum: T,
}

impl<T: Element> Lanewise<T, 2, 1> for OfLogSoftmax<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [dy, y]: [S::V; 2]) -> [S::V; 1] {
        [simd.fma(math::exp(simd, y), simd.splat(-self.sum), dy)]
    }
}
