//! Softmax and cross-entropy of one row at a time, in three passes that stay in L1:
//!
//! ```text
//! μ = max z        y = e^(z − μ), s = Σ y        y ← y/s      (softmax)
//!                                                y ← z − μ − ln s      (log-softmax)
//!                                                dz ← (y/s − onehot)·scale, loss = ln s − (z[label] − μ)
//! ```
//!
//! μ is subtracted before anything else, so that large logits neither overflow nor lose digits in μ + ln s.

use super::math;
use crate::element::Element;
use crate::simd::slice::{Arrays, Fold, Lanewise};
use crate::simd::{Kernel, Simd};

/// Rows of logits and of the result, contiguous within a row. Whoever makes one owes that they are readable and writable.
#[derive(Clone, Copy)]
pub(crate) struct Rows<T> {
    pub(crate) count: usize,
    pub(crate) cols: usize,
    pub(crate) z: *const T,
    pub(crate) z_row: isize,
    pub(crate) y: *mut T,
    pub(crate) y_row: isize,
}

// SAFETY: plain addresses; whoever makes the value owes their validity.
unsafe impl<T: Sync> Sync for Rows<T> {}

impl<T: Element> Rows<T> {
    /// The rows from `start` on, `count` of them.
    pub(crate) fn range(self, start: usize, count: usize) -> Self {
        let z = self.z.wrapping_offset(start as isize * self.z_row);
        let y = self.y.wrapping_offset(start as isize * self.y_row);
        Self { count, z, y, ..self }
    }

    #[inline(always)]
    fn row(&self, i: usize) -> Arrays<T, 1, 1> {
        let z = self.z.wrapping_offset(i as isize * self.z_row);
        let y = self.y.wrapping_offset(i as isize * self.y_row);
        // SAFETY: whoever made the rows owes that both are valid for `cols` elements.
        unsafe { Arrays::new(self.cols, [z], [y]) }
    }
}

/// Which function of the rows.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Normalize {
    Softmax,
    LogSoftmax,
}

/// y = softmax(z) or log softmax(z) of every row.
pub(crate) struct SoftmaxRows<T> {
    pub(crate) rows: Rows<T>,
    pub(crate) normalize: Normalize,
}

impl<T: Element> Kernel<T> for SoftmaxRows<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        for i in 0..self.rows.count {
            let row = self.rows.row(i);
            let (max, sum) = exponentials(simd, row);
            match self.normalize {
                Normalize::Softmax => row.output().apply(simd, Multiply(T::ONE / sum)),
                Normalize::LogSoftmax => row.apply(simd, SubtractTwice(max, log(simd, sum))),
            }
        }
    }
}

/// Softmax with cross-entropy against class indices: the gradient `scale`·(softmax(z) − onehot) to y, and the sum of the
/// losses −ln softmax(z)[label], in the order of the rows. Every label is below `cols`.
pub(crate) struct CrossEntropyRows<'a, T> {
    pub(crate) rows: Rows<T>,
    pub(crate) labels: &'a [usize],
    pub(crate) scale: T,
}

impl<T: Element> Kernel<T> for CrossEntropyRows<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> f64 {
        let mut loss = 0.0;
        for (i, &label) in self.labels.iter().enumerate() {
            debug_assert!(label < self.rows.cols);
            let row = self.rows.row(i);
            // SAFETY: the label is below `cols`; read before y is written, for y may be z.
            let z_label = unsafe { *self.rows.z.wrapping_offset(i as isize * self.rows.z_row).add(label) };
            let (max, sum) = exponentials(simd, row);
            row.output().apply(simd, Multiply(self.scale / sum));
            // SAFETY: as above.
            unsafe {
                let y = self.rows.y.wrapping_offset(i as isize * self.rows.y_row).add(label);
                *y = *y - self.scale;
            }
            loss += log(simd, sum).to_f64() - (z_label - max).to_f64();
        }
        loss
    }
}

/// Writes e^(z − μ) and gives back μ = max z and the sum.
#[inline(always)]
fn exponentials<T: Element, S: Simd<T>>(simd: S, row: Arrays<T, 1, 1>) -> (T, T) {
    let max = simd.max_lane(row.input().fold(simd, simd.splat(-T::INFINITY), Max));
    let sum = simd.sum(row.fold(simd, simd.splat(T::ZERO), ExpSum { max }));
    (max, sum)
}

#[inline(always)]
fn log<T: Element, S: Simd<T>>(simd: S, x: T) -> T {
    simd.lanes(math::log(simd, simd.splat(x)))[0]
}

#[derive(Clone, Copy)]
struct Max;

impl<T: Element> Fold<T, 1, 0> for Max {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [z]: [S::V; 1]) -> (S::V, [S::V; 0]) {
        (simd.max(acc, z), [])
    }
}

#[derive(Clone, Copy)]
struct ExpSum<T> {
    max: T,
}

impl<T: Element> Fold<T, 1, 1> for ExpSum<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [z]: [S::V; 1]) -> (S::V, [S::V; 1]) {
        let y = math::exp(simd, simd.sub(z, simd.splat(self.max)));
        (simd.add(acc, y), [y])
    }
}

#[derive(Clone, Copy)]
struct Multiply<T>(T);

impl<T: Element> Lanewise<T, 1, 1> for Multiply<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [y]: [S::V; 1]) -> [S::V; 1] {
        [simd.mul(y, simd.splat(self.0))]
    }
}

#[derive(Clone, Copy)]
struct SubtractTwice<T>(T, T);

impl<T: Element> Lanewise<T, 1, 1> for SubtractTwice<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [z]: [S::V; 1]) -> [S::V; 1] {
        [simd.sub(simd.sub(z, simd.splat(self.0)), simd.splat(self.1))]
    }
}
