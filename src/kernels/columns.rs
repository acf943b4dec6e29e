//! Folds of the columns of matrices, and maps with numbers of each column.
//!
//! ```text
//! narrow   down the rows of a strip, some vectors of columns at a time
//! wide     along eight rows at a time, whose results are merged with those of the rows before: walked down, rows that lie pages
//!          apart would come from memory at a third of its bandwidth
//! ```
//!
//! Either way four accumulators take the rows in turn. The results of strips of 64 rows are merged in a tree. Strips are cut at fixed
//! rows, so that threads, which share them, do not change the bits.

use super::rows::Lines;
use crate::element::Element;
use crate::simd::slice::Lanewise;
use crate::simd::{Kernel, Simd};
use core::ops::Range;

/// Rows of a strip.
pub(crate) const STRIP: usize = 64;

/// Rows that are folded side by side.
const CHAINS: usize = 4;

/// What a row adds to the results of a column: `IN` matrices, `P` numbers a column, `OUT` results a column.
pub(crate) trait ColumnFold<T: Element, const IN: usize, const P: usize, const OUT: usize>: Copy + Sync {
    /// The results of no rows.
    fn start() -> T {
        T::ZERO
    }
    /// The results with a row more. Its number allows for numbers a row.
    fn step<S: Simd<T>>(self, simd: S, acc: [S::V; OUT], x: [S::V; IN], p: [S::V; P], row: usize) -> [S::V; OUT];
    /// The results of two sets of rows.
    #[inline(always)]
    fn merge<S: Simd<T>>(self, simd: S, a: S::V, b: S::V) -> S::V {
        simd.add(a, b)
    }
}

/// Rows of wide matrices that are walked along side by side: few enough streams that the machine fetches them ahead.
const BESIDE: usize = 8;

/// Rows up to this width, in bytes, are walked down instead.
const NARROW: usize = 1 << 10;

/// Folds the rows of a strip. Whoever makes one owes that the matrices are readable, and `params` and `to` valid, over the columns.
pub(crate) struct FoldColumns<T, F, const IN: usize, const P: usize, const OUT: usize> {
    pub(crate) rows: Range<usize>,
    pub(crate) cols: usize,
    pub(crate) inputs: [Lines<T>; IN],
    pub(crate) params: [*const T; P],
    pub(crate) f: F,
    pub(crate) to: [*mut T; OUT],
}

impl<T, F, const IN: usize, const P: usize, const OUT: usize> Kernel<T> for FoldColumns<T, F, IN, P, OUT>
where
    T: Element,
    F: ColumnFold<T, IN, P, OUT>,
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Range { start, end } = self.rows;
        let (mut row, whole) = (start, self.cols / T::LANES * T::LANES);
        while row + BESIDE <= end && self.cols * size_of::<T>() > NARROW {
            for j in (0..whole).step_by(T::LANES) {
                self.beside::<S, false>(simd, row, j);
            }
            if whole < self.cols {
                self.beside::<S, true>(simd, row, whole);
            }
            row += BESIDE;
        }
        // No rows at all have results too.
        if row < end || row == start {
            self.down(simd, row..end);
        }
    }
}

impl<T, F, const IN: usize, const P: usize, const OUT: usize> FoldColumns<T, F, IN, P, OUT>
where
    T: Element,
    F: ColumnFold<T, IN, P, OUT>,
{
    /// Down some rows, as many columns at a time as there are registers for.
    #[inline(always)]
    fn down<S: Simd<T>>(&self, simd: S, rows: Range<usize>) {
        let mut j = 0;
        if S::REGISTERS >= 32 && OUT == 1 {
            while j + 4 * T::LANES <= self.cols {
                self.vectors::<S, 4, false>(simd, rows.clone(), j);
                j += 4 * T::LANES;
            }
        }
        while j + T::LANES <= self.cols {
            self.vectors::<S, 1, false>(simd, rows.clone(), j);
            j += T::LANES;
        }
        if j < self.cols {
            self.vectors::<S, 1, true>(simd, rows, j);
        }
    }

    /// Some rows, in W vectors of columns from j on; a `MASKED` one has fewer.
    #[inline(always)]
    fn vectors<S: Simd<T>, const W: usize, const MASKED: bool>(&self, simd: S, rows: Range<usize>, j: usize) {
        let mut acc = [[[simd.splat(F::start()); OUT]; CHAINS]; W];
        let mut params = [[simd.splat(T::ZERO); P]; W];
        (0..W).for_each(|w| params[w] = self.params::<S, MASKED>(simd, j + w * T::LANES));
        let mut row = rows.start;
        while row < rows.end {
            let chains = if row + CHAINS <= rows.end { CHAINS } else { rows.end - row };
            for c in 0..CHAINS {
                if c < chains {
                    for w in 0..W {
                        acc[w][c] = self.step::<S, MASKED>(simd, acc[w][c], row + c, j + w * T::LANES, params[w]);
                    }
                }
            }
            row += CHAINS;
        }
        for w in 0..W {
            self.store::<S, MASKED>(simd, acc[w], rows.start, j + w * T::LANES);
        }
    }

    /// [`BESIDE`] rows in a vector of columns.
    #[inline(always)]
    fn beside<S: Simd<T>, const MASKED: bool>(&self, simd: S, row: usize, j: usize) {
        let params = self.params::<S, MASKED>(simd, j);
        let mut acc = [[simd.splat(F::start()); OUT]; CHAINS];
        for r in 0..BESIDE {
            acc[r % CHAINS] = self.step::<S, MASKED>(simd, acc[r % CHAINS], row + r, j, params);
        }
        self.store::<S, MASKED>(simd, acc, row, j);
    }

    #[inline(always)]
    fn params<S: Simd<T>, const MASKED: bool>(&self, simd: S, j: usize) -> [S::V; P] {
        let mut params = [simd.splat(T::ZERO); P];
        for p in 0..P {
            // SAFETY: whoever made the kernel owes it.
            params[p] =
                unsafe { load::<T, S, MASKED>(simd, simd.first(self.cols - j), self.params[p].wrapping_add(j)) };
        }
        params
    }

    #[inline(always)]
    fn step<S: Simd<T>, const MASKED: bool>(
        &self,
        simd: S,
        acc: [S::V; OUT],
        row: usize,
        j: usize,
        params: [S::V; P],
    ) -> [S::V; OUT] {
        let mut x = [simd.splat(T::ZERO); IN];
        for i in 0..IN {
            let from = self.inputs[i].at(row).wrapping_add(j);
            // SAFETY: as above.
            x[i] = unsafe { load::<T, S, MASKED>(simd, simd.first(self.cols - j), from) };
        }
        self.f.step(simd, acc, x, params, row)
    }

    /// The results of rows from `row` on, merged with those of the rows before.
    #[inline(always)]
    fn store<S: Simd<T>, const MASKED: bool>(&self, simd: S, acc: [[S::V; OUT]; CHAINS], row: usize, j: usize) {
        let mask = simd.first(self.cols - j);
        for o in 0..OUT {
            let [a, b, c, d] = [acc[0][o], acc[1][o], acc[2][o], acc[3][o]];
            let mut v = self.f.merge(simd, self.f.merge(simd, a, c), self.f.merge(simd, b, d));
            let to = self.to[o].wrapping_add(j);
            // SAFETY: as above.
            unsafe {
                if row > self.rows.start {
                    v = self.f.merge(simd, load::<T, S, MASKED>(simd, mask, to), v);
                }
                if MASKED { simd.store_masked(mask, to, v) } else { simd.store(to, v) }
            }
        }
    }
}

/// A vector of columns, under the mask if there is one.
///
/// # Safety
/// It is readable.
#[inline(always)]
unsafe fn load<T: Element, S: Simd<T>, const MASKED: bool>(simd: S, mask: S::M, p: *const T) -> S::V {
    // SAFETY: the caller's debt.
    unsafe { if MASKED { simd.load_masked(mask, p) } else { simd.load(p) } }
}

/// [`ColumnFold::merge`] of the results of two strips.
#[derive(Clone, Copy)]
pub(crate) struct MergeStrips<F, const IN: usize, const P: usize, const OUT: usize>(pub(crate) F);

impl<T, F, const IN: usize, const P: usize, const OUT: usize> Lanewise<T, 2, 1> for MergeStrips<F, IN, P, OUT>
where
    T: Element,
    F: ColumnFold<T, IN, P, OUT>,
{
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [a, b]: [S::V; 2]) -> [S::V; 1] {
        [self.0.merge(simd, a, b)]
    }
}

/// What happens to the elements of columns that have `P` numbers each: `IN` matrices to one.
pub(crate) trait ColumnMap<T: Element, const IN: usize, const P: usize>: Copy + Sync {
    fn apply<S: Simd<T>>(self, simd: S, x: [S::V; IN], p: [S::V; P]) -> S::V;
}

/// Rows that take the numbers of their columns from registers.
const ROWS: usize = 4;

/// Maps rows. Whoever makes one owes that the matrices and `params` are readable and `to` writable, over the columns.
pub(crate) struct MapColumns<T, F, const IN: usize, const P: usize> {
    pub(crate) rows: Range<usize>,
    pub(crate) cols: usize,
    pub(crate) inputs: [Lines<T>; IN],
    pub(crate) params: [*const T; P],
    pub(crate) f: F,
    pub(crate) to: Lines<T>,
}

impl<T, F, const IN: usize, const P: usize> Kernel<T> for MapColumns<T, F, IN, P>
where
    T: Element,
    F: ColumnMap<T, IN, P>,
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let whole = self.cols / T::LANES * T::LANES;
        for row in self.rows.clone().step_by(ROWS) {
            let count = ROWS.min(self.rows.end - row);
            for j in (0..whole).step_by(T::LANES) {
                self.vector::<S, false>(simd, row, count, j);
            }
            if whole < self.cols {
                self.vector::<S, true>(simd, row, count, whole);
            }
        }
    }
}

impl<T, F, const IN: usize, const P: usize> MapColumns<T, F, IN, P>
where
    T: Element,
    F: ColumnMap<T, IN, P>,
{
    #[inline(always)]
    fn vector<S: Simd<T>, const MASKED: bool>(&self, simd: S, row: usize, count: usize, j: usize) {
        let (mask, zero) = (simd.first(self.cols - j), simd.splat(T::ZERO));
        let mut params = [zero; P];
        for p in 0..P {
            // SAFETY: whoever made the kernel owes it.
            params[p] = unsafe { load::<T, S, MASKED>(simd, mask, self.params[p].wrapping_add(j)) };
        }
        for r in 0..ROWS {
            if r < count {
                let mut x = [zero; IN];
                for i in 0..IN {
                    // SAFETY: as above.
                    x[i] = unsafe { load::<T, S, MASKED>(simd, mask, self.inputs[i].at(row + r).wrapping_add(j)) };
                }
                let (y, to) = (self.f.apply(simd, x, params), self.to.at(row + r).wrapping_add(j));
                // SAFETY: as above.
                unsafe { if MASKED { simd.store_masked(mask, to, y) } else { simd.store(to, y) } }
            }
        }
    }
}
