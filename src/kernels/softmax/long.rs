//! Rows that no cache holds, a chunk at a time:
//!
//! ```text
//! each chunk c:   μ_c, s_c, D_c, W_c, y ← e^(x − μ_c)            (Chunks: x is read from memory once, y written)
//! the row:        μ = max μ_c, s = Σ s_c·e^(μ_c − μ), D = Σ D_c + W_c·(μ_c − μ), W = Σ W_c      (Merge)
//! each chunk:     y ← y·e^(μ_c − μ)/s                            (Rescale: y is read and written)
//! ```
//!
//! Log-softmax writes y only in the last step, from x. To compute the exponentials there again, instead of storing them, saves memory
//! traffic (Dukhan and Ablavatski 2020, arXiv:2001.04438), but took 1.1 to 1.6 times as long at 0.3 to 30 million elements.
//!
//! Chunks are cut at fixed places, so that threads, which share them, do not change the bits.

use super::{GradientRows, Max, Multiply, Normalize, Sum, WeightedSum, Weights, shift};
use crate::element::Element;
use crate::kernels::math;
use crate::kernels::reduce::ShiftedSum;
use crate::kernels::rows::{Lines, Rows, merged_by_addition};
use crate::simd::slice::{Arrays, Fold};
use crate::simd::{Kernel, Simd};
use core::ops::Range;

/// Elements of a chunk: it stays in L1 from its maximum to its sum.
pub(crate) const CHUNK: usize = 4096;

/// Rows from this many bytes on are long.
const LONG: usize = 64 << 10;

/// Whether rows of so many elements are cut into chunks.
pub(crate) fn is_long<T>(cols: usize) -> bool {
    cols >= LONG / size_of::<T>()
}

/// What D and W sum beside the exponentials.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Weighting {
    /// Nothing.
    None,
    /// All x − μ alike.
    Alike,
    /// The x − μ by the weights w.
    Weighted,
}

/// Results of chunks: `count` elements each of μ, s, D and W.
#[derive(Clone, Copy)]
pub(crate) struct Partials<T> {
    /// Valid for [`Partials::SIZE`] · `count` elements, μ first.
    pub(crate) ptr: *mut T,
    pub(crate) count: usize,
}

// SAFETY: a plain address; whoever makes the value owes its validity.
unsafe impl<T: Sync> Sync for Partials<T> {}

impl<T> Partials<T> {
    /// Numbers a chunk.
    pub(crate) const SIZE: usize = 4;
}

/// The chunks `range` of one row to their places in `to`.
pub(crate) struct Chunks<T> {
    pub(crate) row: Rows<T>,
    pub(crate) range: Range<usize>,
    pub(crate) weighting: Weighting,
    /// Whether the exponentials go to y.
    pub(crate) store: bool,
    pub(crate) to: Partials<T>,
}

/// Chunk `index` of a row.
fn chunk<T: Element>(row: &Rows<T>, index: usize) -> Rows<T> {
    let start = index * CHUNK;
    let from = |lines: Lines<T>| Lines { ptr: lines.ptr.wrapping_add(start), step: 0 };
    Rows { count: 1, cols: CHUNK.min(row.cols - start), x: from(row.x), w: from(row.w), y: from(row.y) }
}

impl<T: Element> Kernel<T> for Chunks<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        for index in self.range {
            let x = chunk(&self.row, index);
            let max = x.maxima(simd);
            let zero = simd.splat(T::ZERO);
            let shift = simd.lanes(shift(simd, max));
            let alike = |_| ShiftedSum { shift: shift[0] };
            let (dot, weight) = match self.weighting {
                Weighting::None => (zero, zero),
                Weighting::Alike => (x.fold(simd, ([x.x], []), T::ZERO, alike), simd.splat(T::from_f64(x.cols as f64))),
                Weighting::Weighted => {
                    let dot = x.fold(simd, ([x.x, x.w], []), T::ZERO, |_| WeightedSum { shift: shift[0] });
                    (dot, x.fold(simd, ([x.w], []), T::ZERO, |_| Sum))
                }
            };
            let sum = if self.store { x.exponentials(simd, &shift) } else { x.sums(simd, &shift) };
            for (k, value) in [max, sum, dot, weight].into_iter().enumerate() {
                // SAFETY: whoever made the kernel owes an element a chunk of each.
                unsafe { *self.to.ptr.add(k * self.to.count + index) = simd.lanes(value)[0] };
            }
        }
    }
}

/// What the chunks of a row come to.
#[derive(Clone, Copy)]
pub(crate) struct Total<T> {
    pub(crate) shift: T,
    pub(crate) sum: T,
    pub(crate) dot: T,
    pub(crate) weight: T,
    /// ln s.
    pub(crate) log: T,
}

impl<T: Element> Total<T> {
    /// s, but NaN for ∞: see [`super::finite`].
    pub(crate) fn finite_sum(&self) -> T {
        if self.sum < T::INFINITY { self.sum } else { T::NAN }
    }

    /// ln s, but NaN for ∞.
    pub(crate) fn finite_log(&self) -> T {
        if self.log < T::INFINITY { self.log } else { T::NAN }
    }
}

/// Merges all chunks of a row.
pub(crate) struct Merge<T>(pub(crate) Partials<T>);

impl<T: Element> Kernel<T> for Merge<T> {
    type Output = Total<T>;

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> Total<T> {
        let Self(Partials { ptr, count }) = self;
        let at = |k: usize| ptr.wrapping_add(k * count).cast_const();
        let [max, sum, dot, weight] = [at(0), at(1), at(2), at(3)];
        let zero = simd.splat(T::ZERO);
        // SAFETY: whoever made the partials owes `count` elements of each.
        unsafe {
            let greatest = simd.max_lane(Arrays::new(count, [max], []).fold(simd, simd.splat(-T::INFINITY), Max));
            let shift = simd.lanes(shift(simd, simd.splat(greatest)))[0];
            let sum = simd.sum(Arrays::new(count, [max, sum], []).fold(simd, zero, Rescaled { shift }));
            let dot = simd.sum(Arrays::new(count, [max, dot, weight], []).fold(simd, zero, Shifted { shift }));
            let weight = simd.sum(Arrays::new(count, [weight], []).fold(simd, zero, Sum));
            Total { shift, sum, dot, weight, log: simd.lanes(math::log(simd, simd.splat(sum)))[0] }
        }
    }
}

/// Σ s_c·e^(μ_c − μ): μ_c as it is, for one of −∞ adds nothing.
#[derive(Clone, Copy)]
struct Rescaled<T> {
    shift: T,
}

impl<T: Element> Fold<T, 2, 0> for Rescaled<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [max, sum]: [S::V; 2]) -> (S::V, [S::V; 0]) {
        (simd.fma(sum, math::exp(simd, simd.sub(max, simd.splat(self.shift))), acc), [])
    }
    merged_by_addition!();
}

/// Σ D_c + W_c·(μ_c − μ), with μ_c as the chunk subtracted it.
#[derive(Clone, Copy)]
struct Shifted<T> {
    shift: T,
}

impl<T: Element> Fold<T, 3, 0> for Shifted<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [max, dot, weight]: [S::V; 3]) -> (S::V, [S::V; 0]) {
        let less = simd.sub(shift(simd, max), simd.splat(self.shift));
        (simd.add(acc, simd.fma(weight, less, dot)), [])
    }
    merged_by_addition!();
}

/// The results of the chunks `range` of one row in y, from the exponentials there and the `total` of the row.
pub(crate) struct Rescale<'a, T> {
    pub(crate) row: Rows<T>,
    pub(crate) range: Range<usize>,
    pub(crate) partials: Partials<T>,
    pub(crate) shift: T,
    /// What the e^(x − μ) are multiplied by.
    pub(crate) factor: T,
    /// t and scale, of which scale·t is taken away.
    pub(crate) less: Option<(Weights<'a>, f64)>,
}

impl<T: Element> Kernel<T> for Rescale<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        for index in self.range {
            let y = chunk(&self.row, index);
            // SAFETY: whoever made the partials owes an element a chunk.
            let max = simd.splat(unsafe { *self.partials.ptr.add(index) });
            let power = math::exp(simd, simd.sub(max, simd.splat(self.shift)));
            let factor = simd.lanes(simd.mul(power, simd.splat(self.factor)))[0];
            match self.less {
                None => y.row(0, [y.y], [y.y]).apply(simd, Multiply(factor)),
                Some((weights, scale)) => weights.subtract(simd, &y, y.y, (factor, scale), self.row.cols),
            }
        }
    }
}

/// The sum of [`GradientRows`] over chunk `index` of one row.
pub(crate) struct GradientChunk<T> {
    pub(crate) row: Rows<T>,
    pub(crate) normalize: Normalize,
    pub(crate) index: usize,
}

impl<T: Element> Kernel<T> for GradientChunk<T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> T {
        let rows = chunk(&self.row, self.index);
        simd.lanes(GradientRows { rows, normalize: self.normalize }.sums(simd, &rows))[0]
    }
}
