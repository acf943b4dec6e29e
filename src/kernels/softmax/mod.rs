//! Softmax and cross-entropy by rows, which stay in L1 or L2 between three passes:
//!
//! ```text
//! μ = max z        y = e^(z − μ), s = Σ y        y ← y/s      (softmax)
//!                                                y ← z − μ − ln s      (log-softmax, which writes no y before)
//!                                                dz ← (y/s − t)·scale, loss = ln s − Σ t·(z − μ)      (cross-entropy)
//! ```
//!
//! μ is subtracted before anything else, so that large logits neither overflow nor lose digits in μ + ln s.
//!
//! What is one number a row (μ, s, 1/s, ln s) is computed for as many rows at once as a vector has lanes, row i in lane i: with
//! ten classes a maximum, a sum or a logarithm of one row alone would take longer than its exponentials ([`across`]).
//!
//! A row that L1 does not hold is cut into chunks, which then count as rows: each has its μ and s, and they are merged ([`long`]).

mod cross_entropy;
mod forward;
mod gradient;
pub(crate) mod long;

pub(crate) use cross_entropy::{CrossEntropyRows, Weights};
pub(crate) use forward::{LogSumExpRows, Normalize, SoftmaxRows, SubtractTwice};
pub(crate) use gradient::{GradientRows, OfLogSoftmax, OfSoftmax};

use super::math;
use super::reduce::{Multiply, Sum};
use super::rows::{Lines, NARROW, Rows, across, merged_by_addition};
use crate::element::Element;
use crate::simd::Simd;
use crate::simd::slice::Fold;
use core::mem::MaybeUninit;

impl<T: Element, const SHORT: bool> Rows<T, SHORT> {
    /// The greatest element of each row of a block, −∞ where a NaN hides it.
    #[inline(always)]
    fn maxima<S: Simd<T>>(&self, simd: S) -> S::V {
        self.fold(simd, ([self.x], []), -T::INFINITY, |_| Max)
    }

    /// Σ e^(x − μ) of each row of a block, and the terms to y.
    #[inline(always)]
    fn exponentials<S: Simd<T>>(&self, simd: S, shift: &[T; 16]) -> S::V {
        self.fold(simd, ([self.x], [self.y]), T::ZERO, |i| Exponentials { shift: shift[i] })
    }

    /// Σ e^(x − μ) of each row of a block.
    #[inline(always)]
    fn sums<S: Simd<T>>(&self, simd: S, shift: &[T; 16]) -> S::V {
        self.fold(simd, ([self.x], []), T::ZERO, |i| ExpSum { shift: shift[i] })
    }
}

/// Where the e^(x − μ) of a block of rows stay until their sums are known.
struct Terms<T>([MaybeUninit<T>; 16 * NARROW]);

impl<T: Element> Terms<T> {
    #[inline(always)]
    fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; 16 * NARROW])
    }

    /// Σ e^(x − μ) of each row of a block, and where the terms are: here if the rows are narrow, else in y.
    #[inline(always)]
    fn exponentials<S: Simd<T>, const SHORT: bool>(
        &mut self,
        simd: S,
        rows: &Rows<T, SHORT>,
        shift: &[T; 16],
    ) -> (S::V, Lines<T>) {
        if !SHORT && rows.cols > NARROW {
            return (rows.exponentials(simd, shift), rows.y);
        }
        let here = Lines { ptr: self.0.as_mut_ptr().cast(), step: rows.cols.next_multiple_of(T::LANES) as isize };
        let start = simd.splat(T::ZERO);
        let mut v = [start; 16];
        for i in 0..rows.count {
            let row = rows.row(i, [rows.x], [here]);
            let f = Exponentials { shift: shift[i] };
            // SAFETY: a row is padded to whole vectors; a short one is a vector at most.
            v[i] = unsafe {
                if SHORT { row.last_step::<S, true>(simd, start, 0, f) } else { row.fold_to::<S, true>(simd, start, f) }
            };
        }
        (across(simd, v, rows.count, Exponentials { shift: T::ZERO }), here)
    }
}

/// μ: the maximum, but 0 where it is infinite, so that −∞ alone has the sum 0, and +∞ the sum ∞, instead of ∞ − ∞.
#[inline(always)]
fn shift<T: Element, S: Simd<T>>(simd: S, max: S::V) -> S::V {
    simd.select(simd.lt(simd.abs(max), simd.splat(T::INFINITY)), max, simd.splat(T::ZERO))
}

/// [`shift`] of each row of block `index`, if there is one. To ask for it before the last pass over the block in hand lets the one hide
/// what the other waits for.
#[inline(always)]
fn shift_of_block<T: Element, S: Simd<T>, const SHORT: bool>(simd: S, rows: &Rows<T, SHORT>, index: usize) -> [T; 16] {
    if index < rows.blocks() { simd.lanes(shift(simd, rows.block(index).maxima(simd))) } else { [T::ZERO; 16] }
}

/// NaN for ∞, the sum of a row with +∞: no element of its softmax is a number.
#[inline(always)]
fn finite<T: Element, S: Simd<T>>(simd: S, sum: S::V) -> S::V {
    simd.select(simd.lt(sum, simd.splat(T::INFINITY)), sum, simd.splat(T::NAN))
}

#[derive(Clone, Copy)]
struct Max;

impl<T: Element> Fold<T, 1, 0> for Max {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x]: [S::V; 1]) -> (S::V, [S::V; 0]) {
        (simd.max(acc, x), [])
    }
    #[inline(always)]
    fn merge<S: Simd<T>>(self, simd: S, a: S::V, b: S::V) -> S::V {
        simd.max(a, b)
    }
}

/// Σ e^(x − μ), with the terms as output. NaN where x is +∞.
#[derive(Clone, Copy)]
struct Exponentials<T> {
    shift: T,
}

impl<T: Element> Fold<T, 1, 1> for Exponentials<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x]: [S::V; 1]) -> (S::V, [S::V; 1]) {
        let y = math::exp_below(simd, simd.sub(x, simd.splat(self.shift)));
        (simd.add(acc, y), [y])
    }
    merged_by_addition!();
}

/// Σ e^(x − μ).
#[derive(Clone, Copy)]
struct ExpSum<T> {
    shift: T,
}

impl<T: Element> Fold<T, 1, 0> for ExpSum<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x]: [S::V; 1]) -> (S::V, [S::V; 0]) {
        (simd.add(acc, math::exp(simd, simd.sub(x, simd.splat(self.shift)))), [])
    }
    merged_by_addition!();
}

/// Σ w·x; where w is 0 x does not count, not even ∞.
#[derive(Clone, Copy)]
struct WeightedSum<T> {
    shift: T,
}

impl<T: Element> Fold<T, 2, 0> for WeightedSum<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x, w]: [S::V; 2]) -> (S::V, [S::V; 0]) {
        let counts = simd.lt(simd.splat(T::ZERO), simd.abs(w));
        let x = simd.sub(x, simd.splat(self.shift));
        (simd.select(counts, simd.fma(w, x, acc), acc), [])
    }
    merged_by_addition!();
}
