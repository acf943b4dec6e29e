//! Reductions: what happens to a vector on the way to a sum or a maximum, and the loops over a slice, rows and columns.
//!
//! ```text
//! slice     chunks of 4096 elements, each folded to one number; those in a tree
//! rows      a lane for each: see `rows`
//! columns   see `columns`
//! ```
//!
//! Chunks are cut at fixed places, so that neither threads nor instruction sets change the bits.

use super::columns::ColumnFold;
use super::rows::{Lines, Rows, across, merged_by_addition};
use crate::element::Element;
use crate::simd::slice::{Arrays, Fold, Lanewise, Watched};
use crate::simd::{Kernel, Simd};
use core::ops::Range;

/// Elements of a chunk of a slice.
pub(crate) const CHUNK: usize = 4096;

/// A fold to be made for each row or column, whose number it may know.
pub(crate) trait Reduce<T: Element, const IN: usize>: Copy + Sync {
    type Fold: Fold<T, IN, 0>;
    /// The result of nothing.
    fn start() -> T;
    fn fold(self, index: usize) -> Self::Fold;
}

/// Σ x.
#[derive(Clone, Copy)]
pub(crate) struct Sum;

impl<T: Element> Fold<T, 1, 0> for Sum {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x]: [S::V; 1]) -> (S::V, [S::V; 0]) {
        (simd.add(acc, x), [])
    }
    merged_by_addition!();
}

/// Σ (x − shift).
#[derive(Clone, Copy)]
pub(crate) struct ShiftedSum<T> {
    pub(crate) shift: T,
}

impl<T: Element> Fold<T, 1, 0> for ShiftedSum<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x]: [S::V; 1]) -> (S::V, [S::V; 0]) {
        (simd.add(acc, simd.sub(x, simd.splat(self.shift))), [])
    }
    merged_by_addition!();
}

/// Σ x².
#[derive(Clone, Copy)]
pub(crate) struct Squares;

impl<T: Element> Fold<T, 1, 0> for Squares {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x]: [S::V; 1]) -> (S::V, [S::V; 0]) {
        (simd.fma(x, x, acc), [])
    }
    merged_by_addition!();
}

/// Σ (x − shift)².
#[derive(Clone, Copy)]
pub(crate) struct Deviations<T> {
    pub(crate) shift: T,
}

impl<T: Element> Fold<T, 1, 0> for Deviations<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x]: [S::V; 1]) -> (S::V, [S::V; 0]) {
        let x = simd.sub(x, simd.splat(self.shift));
        (simd.fma(x, x, acc), [])
    }
    merged_by_addition!();
}

/// Σ (x·scale)².
#[derive(Clone, Copy)]
pub(crate) struct Scaled<T> {
    pub(crate) scale: T,
}

impl<T: Element> Fold<T, 1, 0> for Scaled<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x]: [S::V; 1]) -> (S::V, [S::V; 0]) {
        let x = simd.mul(x, simd.splat(self.scale));
        (simd.fma(x, x, acc), [])
    }
    merged_by_addition!();
}

/// Σ x·y.
#[derive(Clone, Copy)]
pub(crate) struct Dot;

impl<T: Element> Fold<T, 2, 0> for Dot {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x, y]: [S::V; 2]) -> (S::V, [S::V; 0]) {
        (simd.fma(x, y, acc), [])
    }
    merged_by_addition!();
}

/// Σ |x|.
#[derive(Clone, Copy)]
pub(crate) struct SumAbs;

impl<T: Element> Fold<T, 1, 0> for SumAbs {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x]: [S::V; 1]) -> (S::V, [S::V; 0]) {
        (simd.add(acc, simd.abs(x)), [])
    }
    merged_by_addition!();
}

/// A fold to the greater of two vectors by a rule; NaN wins, as in NumPy.
macro_rules! extreme {
    ($(#[$doc:meta])* $name:ident, $start:expr, |$simd:ident, $x:ident| $map:expr, $compare:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl<T: Element> Fold<T, 1, 0> for $name {
            #[inline(always)]
            fn step<S: Simd<T>>(self, $simd: S, acc: S::V, [$x]: [S::V; 1]) -> (S::V, [S::V; 0]) {
                (Fold::<T, 1, 0>::merge(self, $simd, acc, $map), [])
            }
            #[inline(always)]
            fn merge<S: Simd<T>>(self, simd: S, a: S::V, b: S::V) -> S::V {
                // `max` and `min` give b where either is NaN.
                simd.select(simd.is_nan(a), a, simd.$compare(a, b))
            }
            /// The comparison may lose NaN, which the sum of squares keeps: it takes other units than those that compare, which bound
            /// the loop (1.4 times as fast in L1), and registers that AVX2 does not have.
            #[inline(always)]
            fn step_watched<S: Simd<T>>(self, $simd: S, (acc, watch): Watched<S::V>, [$x]: [S::V; 1]) -> (Watched<S::V>, [S::V; 0]) {
                let x = $map;
                if const { S::REGISTERS < 16 } {
                    ((Fold::<T, 1, 0>::merge(self, $simd, acc, x), watch), [])
                } else {
                    (($simd.$compare(acc, x), $simd.fma(x, x, watch)), [])
                }
            }
            #[inline(always)]
            fn settle<S: Simd<T>>(self, simd: S, (acc, watch): Watched<S::V>) -> S::V {
                let is_nan = simd.is_nan(if const { S::REGISTERS < 16 } { acc } else { watch });
                simd.select(is_nan, simd.splat(T::from_f64(f64::NAN)), acc)
            }
        }

        impl<T: Element> Reduce<T, 1> for $name {
            type Fold = Self;
            fn start() -> T {
                $start
            }
            #[inline(always)]
            fn fold(self, _: usize) -> Self {
                self
            }
        }
    };
}

extreme! {
    /// max x.
    Max, -T::INFINITY, |simd, x| x, max
}
extreme! {
    /// min x.
    Min, T::INFINITY, |simd, x| x, min
}
extreme! {
    /// max |x|.
    MaxAbs, T::ZERO, |simd, x| simd.abs(x), max
}

/// A fold without parameters, or with the same for every row.
macro_rules! same_for_all {
    ($($name:ty, $inputs:literal);*) => {$(
        impl<T: Element> Reduce<T, $inputs> for $name {
            type Fold = Self;
            fn start() -> T {
                T::ZERO
            }
            #[inline(always)]
            fn fold(self, _: usize) -> Self {
                self
            }
        }
    )*};
}

pub(super) use same_for_all;

same_for_all!(Sum, 1; ShiftedSum<T>, 1; Squares, 1; Deviations<T>, 1; Scaled<T>, 1; SumAbs, 1; Dot, 2);

/// Arrays to one number.
pub(crate) struct FoldChunk<T, R, const IN: usize> {
    pub(crate) arrays: Arrays<T, IN, 0>,
    pub(crate) reduce: R,
}

impl<T: Element, R: Reduce<T, IN>, const IN: usize> Kernel<T> for FoldChunk<T, R, IN> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> T {
        let (f, start) = (self.reduce.fold(0), simd.splat(R::start()));
        let mut v = [start; 16];
        v[0] = self.arrays.fold(simd, start, f);
        simd.lanes(across(simd, v, 1, f))[0]
    }
}

/// Some chunks of arrays to one number each, at their places in `to`.
pub(crate) struct FoldChunks<T, R, const IN: usize> {
    pub(crate) arrays: Arrays<T, IN, 0>,
    pub(crate) chunks: Range<usize>,
    pub(crate) reduce: R,
    /// Writable for an element a chunk.
    pub(crate) to: *mut T,
}

impl<T: Element, R: Reduce<T, IN>, const IN: usize> Kernel<T> for FoldChunks<T, R, IN> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        for index in self.chunks {
            let chunk = index * CHUNK..self.arrays.len().min((index + 1) * CHUNK);
            let chunk = FoldChunk { arrays: self.arrays.range(chunk), reduce: self.reduce };
            // SAFETY: whoever made the kernel owes it.
            unsafe { *self.to.add(index) = chunk.run(simd) };
        }
    }
}

/// Each row to one number, at its place in `y`, of which the step counts from row to row.
pub(crate) struct FoldRows<T, R, const SHORT: bool> {
    pub(crate) rows: Rows<T, SHORT>,
    /// The number of the first row.
    pub(crate) first: usize,
    pub(crate) reduce: R,
}

impl<T: Element, R: Reduce<T, 1>, const SHORT: bool> Kernel<T> for FoldRows<T, R, SHORT> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        for index in 0..self.rows.blocks() {
            let (rows, first) = (self.rows.block(index), self.first + index * self.rows.together());
            let results = rows.fold(simd, ([rows.x], []), R::start(), |i| self.reduce.fold(first + i));
            // SAFETY: whoever made the rows owes an element a row.
            unsafe { simd.store_masked(simd.first(rows.count), rows.y.ptr, results) };
        }
    }
}

/// Σ (x − shift) or its squares, with a shift of each row.
#[derive(Clone, Copy)]
pub(crate) struct OfRow<T, const SQUARED: bool> {
    /// A shift a row.
    pub(crate) shift: Lines<T>,
}

impl<T: Element> Reduce<T, 1> for OfRow<T, false> {
    type Fold = ShiftedSum<T>;
    fn start() -> T {
        T::ZERO
    }
    #[inline(always)]
    fn fold(self, row: usize) -> ShiftedSum<T> {
        // SAFETY: whoever made the value owes a shift a row.
        ShiftedSum { shift: unsafe { *self.shift.at(row) } }
    }
}

impl<T: Element> Reduce<T, 1> for OfRow<T, true> {
    type Fold = Deviations<T>;
    fn start() -> T {
        T::ZERO
    }
    #[inline(always)]
    fn fold(self, row: usize) -> Deviations<T> {
        // SAFETY: as above.
        Deviations { shift: unsafe { *self.shift.at(row) } }
    }
}

/// A fold of a slice as one of columns.
#[derive(Clone, Copy)]
pub(crate) struct ByColumn<R>(pub(crate) R);

impl<T: Element, R: Reduce<T, 1>> ColumnFold<T, 1, 0, 1> for ByColumn<R> {
    fn start() -> T {
        R::start()
    }
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, [acc]: [S::V; 1], x: [S::V; 1], _: [S::V; 0], _: usize) -> [S::V; 1] {
        [self.0.fold(0).step(simd, acc, x).0]
    }
    #[inline(always)]
    fn merge<S: Simd<T>>(self, simd: S, a: S::V, b: S::V) -> S::V {
        self.0.fold(0).merge(simd, a, b)
    }
}

/// Σ (x − p) of each column, or its squares.
#[derive(Clone, Copy)]
pub(crate) struct Differences<const SQUARED: bool>;

impl<T: Element, const SQUARED: bool> ColumnFold<T, 1, 1, 1> for Differences<SQUARED> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, [acc]: [S::V; 1], [x]: [S::V; 1], [p]: [S::V; 1], _: usize) -> [S::V; 1] {
        let x = simd.sub(x, p);
        [if SQUARED { simd.fma(x, x, acc) } else { simd.add(acc, x) }]
    }
}

/// factor·x.
#[derive(Clone, Copy)]
pub(crate) struct Multiply<T>(pub(crate) T);

impl<T: Element> Lanewise<T, 1, 1> for Multiply<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x]: [S::V; 1]) -> [S::V; 1] {
        [simd.mul(x, simd.splat(self.0))]
    }
}
