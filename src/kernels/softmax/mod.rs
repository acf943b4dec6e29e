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
use crate::element::Element;
use crate::simd::Simd;
use crate::simd::slice::{Arrays, Fold, Lanewise};
use core::mem::MaybeUninit;

/// Widest rows that go through [`across`] together, and whose exponentials stay in memory of the kernel ([`Terms`]).
const NARROW: usize = 128;

/// Rows up to this width, so many at a time, hide behind each other what the sums of one wait for.
const MEDIUM: usize = 4096;

/// Rows of one matrix, each contiguous.
#[derive(Clone, Copy)]
pub(crate) struct Lines<T> {
    /// The first row.
    pub(crate) ptr: *mut T,
    /// Elements from row to row.
    pub(crate) step: isize,
}

impl<T> Lines<T> {
    /// Row i.
    pub(crate) fn at(self, i: usize) -> *mut T {
        self.ptr.wrapping_offset(i as isize * self.step)
    }
}

/// Rows of x and w to read and of y to write, which may be x. Whoever makes one owes that x is readable, y writable, and w
/// readable where the function takes it. `SHORT` rows are a vector at most: code of their own, which has no loop over a row.
#[derive(Clone, Copy)]
pub(crate) struct Rows<T, const SHORT: bool = false> {
    pub(crate) count: usize,
    pub(crate) cols: usize,
    pub(crate) x: Lines<T>,
    pub(crate) w: Lines<T>,
    pub(crate) y: Lines<T>,
}

// SAFETY: plain addresses; whoever makes the value owes their validity.
unsafe impl<T: Sync, const SHORT: bool> Sync for Rows<T, SHORT> {}

impl<T: Element> Rows<T> {
    /// The same rows, if they are short.
    pub(crate) fn short(self) -> Option<Rows<T, true>> {
        let Self { count, cols, x, w, y } = self;
        (cols <= T::LANES).then_some(Rows { count, cols, x, w, y })
    }
}

impl<T: Element, const SHORT: bool> Rows<T, SHORT> {
    /// The rows from `start` on, `count` of them.
    pub(crate) fn range(self, start: usize, count: usize) -> Self {
        let from = |lines: Lines<T>| Lines { ptr: lines.at(start), ..lines };
        Self { count, x: from(self.x), w: from(self.w), y: from(self.y), ..self }
    }

    /// How many rows are worked on together.
    #[inline(always)]
    fn together(&self) -> usize {
        match self.cols {
            cols if SHORT || cols <= NARROW => T::LANES,
            cols if cols <= MEDIUM => 4,
            _ => 1,
        }
    }

    /// Block `index` of those that are worked on together.
    #[inline(always)]
    fn block(self, index: usize) -> Self {
        let start = index * self.together();
        self.range(start, self.together().min(self.count - start))
    }

    #[inline(always)]
    fn blocks(&self) -> usize {
        self.count.div_ceil(self.together())
    }

    /// Row i of some of the matrices.
    #[inline(always)]
    fn row<const IN: usize, const OUT: usize>(
        &self,
        i: usize,
        inputs: [Lines<T>; IN],
        outputs: [Lines<T>; OUT],
    ) -> Arrays<T, IN, OUT> {
        let (mut from, mut to) = ([core::ptr::null(); IN], [core::ptr::null_mut(); OUT]);
        (0..IN).for_each(|k| from[k] = inputs[k].at(i).cast_const());
        (0..OUT).for_each(|k| to[k] = outputs[k].at(i));
        // SAFETY: whoever made the rows owes that they are valid for `cols` elements.
        unsafe { Arrays::new(self.cols, from, to) }
    }

    /// Folds each row of a block with its `f(i)`: the result of row i in lane i, or in every lane if it is the only one.
    #[inline(always)]
    fn fold<S: Simd<T>, F: Fold<T, IN, OUT>, const IN: usize, const OUT: usize>(
        &self,
        simd: S,
        (inputs, outputs): ([Lines<T>; IN], [Lines<T>; OUT]),
        start: T,
        f: impl Fn(usize) -> F,
    ) -> S::V {
        debug_assert!(self.count <= T::LANES);
        let start = simd.splat(start);
        let mut v = [start; 16];
        for i in 0..self.count {
            let row = self.row(i, inputs, outputs);
            v[i] = if SHORT {
                // SAFETY: short rows are a vector at most.
                unsafe { row.last_step::<S, false>(simd, start, 0, f(i)) }
            } else {
                row.fold(simd, start, f(i))
            };
        }
        across(simd, v, self.count, f(0))
    }

    /// Applies f to row i of some of the matrices.
    #[inline(always)]
    fn apply<S: Simd<T>, const IN: usize, const OUT: usize>(
        &self,
        simd: S,
        i: usize,
        (inputs, outputs): ([Lines<T>; IN], [Lines<T>; OUT]),
        f: impl Lanewise<T, IN, OUT>,
    ) {
        let row = self.row(i, inputs, outputs);
        // SAFETY: short rows are a vector at most.
        if SHORT { unsafe { row.apply_last(simd, 0, f) } } else { row.apply(simd, f) }
    }

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

/// The lanes of each of `count` vectors merged to one: that of vector i in lane i. A single one comes out in every lane.
///
/// Pairs of vectors become one, whose groups of lanes hold the halves of theirs in turn, log₂ LANES times: fifteen exchanges of
/// lanes for sixteen vectors, where one vector alone takes four.
#[inline(always)]
fn across<T: Element, S: Simd<T>, F: Fold<T, IN, OUT>, const IN: usize, const OUT: usize>(
    simd: S,
    mut v: [S::V; 16],
    count: usize,
    f: F,
) -> S::V {
    macro_rules! stage {
        ($stage:literal, $left:expr) => {
            for i in 0..$left.max(1) {
                let (a, b) = simd.halves::<$stage>(v[i], v[i + $left]);
                v[i] = f.merge(simd, a, b);
            }
        };
    }
    if count == 1 {
        stage!(1, 0_usize);
        stage!(2, 0_usize);
        stage!(3, 0_usize);
        if T::LANES > 8 {
            stage!(4, 0_usize);
        }
    } else {
        stage!(1, T::LANES / 2);
        stage!(2, T::LANES / 4);
        stage!(3, T::LANES / 8);
        if T::LANES > 8 {
            stage!(4, T::LANES / 16);
        }
    }
    v[0]
}

/// μ: the maximum, but 0 where it is infinite, so that −∞ alone has the sum 0, and +∞ the sum ∞, instead of ∞ − ∞.
#[inline(always)]
fn shift<T: Element, S: Simd<T>>(simd: S, max: S::V) -> S::V {
    simd.select(simd.lt(simd.abs(max), simd.splat(T::INFINITY)), max, simd.splat(T::ZERO))
}

/// NaN for ∞, the sum of a row with +∞: no element of its softmax is a number.
#[inline(always)]
fn finite<T: Element, S: Simd<T>>(simd: S, sum: S::V) -> S::V {
    simd.select(simd.lt(sum, simd.splat(T::INFINITY)), sum, simd.splat(T::NAN))
}

/// A fold whose partial results are added.
macro_rules! merged_by_addition {
    () => {
        #[inline(always)]
        fn merge<S: Simd<T>>(self, simd: S, a: S::V, b: S::V) -> S::V {
            simd.add(a, b)
        }
    };
}
use merged_by_addition;

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

/// Σ (x − μ).
#[derive(Clone, Copy)]
struct Sum<T> {
    shift: T,
}

impl<T: Element> Fold<T, 1, 0> for Sum<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x]: [S::V; 1]) -> (S::V, [S::V; 0]) {
        (simd.add(acc, simd.sub(x, simd.splat(self.shift))), [])
    }
    merged_by_addition!();
}

/// factor·x.
#[derive(Clone, Copy)]
struct Multiply<T>(T);

impl<T: Element> Lanewise<T, 1, 1> for Multiply<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x]: [S::V; 1]) -> [S::V; 1] {
        [simd.mul(x, simd.splat(self.0))]
    }
}
