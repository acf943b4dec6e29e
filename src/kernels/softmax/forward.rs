//! Softmax, log-softmax and the logarithm of the sum of exponentials.

use super::{Multiply, Terms, finite, shift, shift_of_block};
use crate::element::Element;
use crate::kernels::math;
use crate::kernels::rows::{NARROW, Rows};
use crate::simd::slice::Lanewise;
use crate::simd::{Kernel, Simd};

/// Which function of the rows.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Normalize {
    Softmax,
    LogSoftmax,
}

/// y = softmax(x) or log softmax(x) of every row.
pub(crate) struct SoftmaxRows<T, const SHORT: bool> {
    pub(crate) rows: Rows<T, SHORT>,
    pub(crate) normalize: Normalize,
}

impl<T: Element, const SHORT: bool> Kernel<T> for SoftmaxRows<T, SHORT> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let mut terms = Terms::new();
        let mut next = shift_of_block(simd, &self.rows, 0);
        for index in 0..self.rows.blocks() {
            let (rows, shift) = (self.rows.block(index), next);
            match self.normalize {
                Normalize::Softmax => {
                    let (sum, e) = terms.exponentials(simd, &rows, &shift);
                    next = shift_of_block(simd, &self.rows, index + 1);
                    let factor = simd.lanes(simd.div(simd.splat(T::ONE), finite(simd, sum)));
                    for i in 0..rows.count {
                        rows.apply(simd, i, ([e], [rows.y]), Multiply(factor[i]));
                    }
                }
                Normalize::LogSoftmax => {
                    let (sum, is_narrow) = (rows.sums(simd, &shift), SHORT || rows.cols <= NARROW);
                    if is_narrow {
                        next = shift_of_block(simd, &self.rows, index + 1);
                    }
                    let log = simd.lanes(math::log(simd, finite(simd, sum)));
                    for i in 0..rows.count {
                        rows.apply(simd, i, ([rows.x], [rows.y]), SubtractTwice(shift[i], log[i]));
                    }
                    // Two blocks of wide rows would take all of L1, and x is read once more.
                    if !is_narrow {
                        next = shift_of_block(simd, &self.rows, index + 1);
                    }
                }
            }
        }
    }
}

/// ln Σ eˣ of every row, to `to[row]`.
pub(crate) struct LogSumExpRows<T, const SHORT: bool> {
    pub(crate) rows: Rows<T, SHORT>,
    /// Writable for as many elements as there are rows.
    pub(crate) to: *mut T,
}

impl<T: Element, const SHORT: bool> Kernel<T> for LogSumExpRows<T, SHORT> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        for index in 0..self.rows.blocks() {
            let rows = self.rows.block(index);
            let shift = shift(simd, rows.maxima(simd));
            let sum = rows.sums(simd, &simd.lanes(shift));
            let to = self.to.wrapping_add(index * rows.together());
            // SAFETY: whoever made the kernel owes an element a row.
            unsafe { simd.store_masked(simd.first(rows.count), to, simd.add(shift, math::log(simd, sum))) };
        }
    }
}

/// (x − μ) − ln s.
#[derive(Clone, Copy)]
pub(crate) struct SubtractTwice<T>(pub(crate) T, pub(crate) T);

impl<T: Element> Lanewise<T, 1, 1> for SubtractTwice<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x]: [S::V; 1]) -> [S::V; 1] {
        [simd.sub(simd.sub(x, simd.splat(self.0)), simd.splat(self.1))]
    }
}
