//! Softmax with cross-entropy, loss and gradient together. Against weights t of the classes, with W = Σ t:
//!
//! ```text
//! loss = −Σ t·ln softmax(z) = W·ln s − D, D = Σ t·(z − μ)          dz = scale·(W·softmax(z) − t)
//! ```
//!
//! A class index is t = 1 there and 0 elsewhere. Smoothed by ε over K classes it is t = (1 − ε) + ε/K there and ε/K elsewhere
//! (Szegedy et al. 2016, arXiv:1512.00567, §7).

use super::{Multiply, Sum, Terms, WeightedSum, finite, shift_of_block};
use crate::element::Element;
use crate::kernels::math;
use crate::kernels::reduce::ShiftedSum;
use crate::kernels::rows::{Lines, Rows};
use crate::simd::slice::Lanewise;
use crate::simd::{Kernel, Simd};

/// What stands for t.
#[derive(Clone, Copy)]
pub(crate) enum Weights<'a> {
    /// A class index a row, below the number of columns, and ε.
    Classes { labels: &'a [usize], smoothing: f64 },
    /// The rows of w.
    Given,
}

/// The gradient of every row to y, and the sum of the losses in the order of the rows.
pub(crate) struct CrossEntropyRows<'a, T, const SHORT: bool> {
    pub(crate) rows: Rows<T, SHORT>,
    pub(crate) weights: Weights<'a>,
    pub(crate) scale: f64,
}

impl<T: Element, const SHORT: bool> Kernel<T> for CrossEntropyRows<'_, T, SHORT> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> f64 {
        let scale = T::from_f64(self.scale);
        let (mut loss, mut terms) = (0.0, Terms::new());
        let mut next = shift_of_block(simd, &self.rows, 0);
        for index in 0..self.rows.blocks() {
            let (rows, shift) = (self.rows.block(index), next);
            // Before y is written: it may be x.
            let weights = self.weights.of_rows(index * self.rows.together());
            let (dot, weight) = weights.sums(simd, &rows, &shift);
            let (sum, e) = terms.exponentials(simd, &rows, &shift);
            next = shift_of_block(simd, &self.rows, index + 1);
            let sum = finite(simd, sum);
            let log = simd.lanes(math::log(simd, sum));
            let factor = simd.lanes(simd.div(simd.splat(scale), sum));
            for i in 0..rows.count {
                loss += weight[i].to_f64() * log[i].to_f64() - dot[i].to_f64();
                let e = Lines { ptr: e.at(i), ..e };
                weights.subtract(simd, &rows.range(i, 1), e, (weight[i] * factor[i], self.scale), rows.cols);
            }
            // Not at once: a load that follows a masked store waits until that is in the cache.
            for i in 0..rows.count {
                weights.of_rows(i).subtract_label(&rows.range(i, 1), self.scale);
            }
        }
        loss
    }
}

impl Weights<'_> {
    /// Those of the rows from `first` on.
    #[inline(always)]
    pub(crate) fn of_rows(self, first: usize) -> Self {
        match self {
            Weights::Classes { labels, smoothing } => Weights::Classes { labels: &labels[first..], smoothing },
            Weights::Given => Weights::Given,
        }
    }

    /// scale·ε/K, which each class has, and scale·(1 − ε), which the label has above it.
    #[inline(always)]
    pub(crate) fn mix<T: Element>(self, classes: usize, scale: f64) -> (T, T) {
        match self {
            Weights::Classes { smoothing, .. } => {
                (T::from_f64(scale * smoothing / classes as f64), T::from_f64(scale * (1.0 - smoothing)))
            }
            Weights::Given => (T::ZERO, T::ZERO),
        }
    }

    /// D from Σ (z − μ) of all classes and z − μ of the label. What has no weight does not count, not even −∞.
    #[inline(always)]
    pub(crate) fn mixed<T: Element>(smoothing: f64, (share, all): (T, T), (rest, label): (T, T)) -> T {
        if smoothing == 0.0 {
            label
        } else if smoothing == 1.0 {
            share * all
        } else {
            share * all + rest * label
        }
    }

    /// D and W of each row of a block.
    #[inline(always)]
    fn sums<T: Element, S: Simd<T>, const SHORT: bool>(
        self,
        simd: S,
        rows: &Rows<T, SHORT>,
        shift: &[T; 16],
    ) -> ([T; 16], [T; 16]) {
        match self {
            Weights::Classes { labels, smoothing } => {
                let mut dot = [T::ZERO; 16];
                for i in 0..rows.count {
                    debug_assert!(labels[i] < rows.cols);
                    // SAFETY: the label is below `cols`.
                    dot[i] = unsafe { *rows.x.at(i).add(labels[i]) } - shift[i];
                }
                if smoothing > 0.0 {
                    let all = simd.lanes(rows.fold(simd, ([rows.x], []), T::ZERO, |i| ShiftedSum { shift: shift[i] }));
                    let (share, rest) = self.mix::<T>(rows.cols, 1.0);
                    for i in 0..rows.count {
                        dot[i] = Self::mixed(smoothing, (share, all[i]), (rest, dot[i]));
                    }
                }
                (dot, [T::ONE; 16])
            }
            Weights::Given => {
                let dot = rows.fold(simd, ([rows.x, rows.w], []), T::ZERO, |i| WeightedSum { shift: shift[i] });
                let weight = rows.fold(simd, ([rows.w], []), T::ZERO, |_| Sum);
                (simd.lanes(dot), simd.lanes(weight))
            }
        }
    }

    /// y ← factor·e − scale·t for one row, or a part of it, of so many classes. That the label has more than others is left out.
    #[inline(always)]
    pub(super) fn subtract<T: Element, S: Simd<T>, const SHORT: bool>(
        self,
        simd: S,
        row: &Rows<T, SHORT>,
        e: Lines<T>,
        (factor, scale): (T, f64),
        classes: usize,
    ) {
        match self {
            Weights::Classes { smoothing, .. } => {
                let to_y = ([e], [row.y]);
                if smoothing == 0.0 {
                    row.apply(simd, 0, to_y, Multiply(factor));
                } else {
                    let (share, _) = self.mix::<T>(classes, scale);
                    row.apply(simd, 0, to_y, MultiplySubtract { factor, share });
                }
            }
            Weights::Given => {
                let scale = T::from_f64(scale);
                row.apply(simd, 0, ([e, row.w], [row.y]), SubtractWeight { factor, scale });
            }
        }
    }

    /// What is left out there, for the first row.
    #[inline(always)]
    pub(crate) fn subtract_label<T: Element, const SHORT: bool>(self, row: &Rows<T, SHORT>, scale: f64) {
        if let Weights::Classes { labels, .. } = self {
            // SAFETY: the label is below `cols`.
            let y = unsafe { &mut *row.y.ptr.add(labels[0]) };
            *y = *y - self.mix::<T>(row.cols, scale).1;
        }
    }
}

/// factor·e − share, rounded twice, as where nothing is smoothed.
#[derive(Clone, Copy)]
struct MultiplySubtract<T> {
    factor: T,
    share: T,
}

impl<T: Element> Lanewise<T, 1, 1> for MultiplySubtract<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [y]: [S::V; 1]) -> [S::V; 1] {
        [simd.sub(simd.mul(y, simd.splat(self.factor)), simd.splat(self.share))]
    }
}

/// factor·e − scale·t.
#[derive(Clone, Copy)]
struct SubtractWeight<T> {
    factor: T,
    scale: T,
}

impl<T: Element> Lanewise<T, 2, 1> for SubtractWeight<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [y, t]: [S::V; 2]) -> [S::V; 1] {
        [simd.sub(simd.mul(y, simd.splat(self.factor)), simd.mul(t, simd.splat(self.scale)))]
    }
}
