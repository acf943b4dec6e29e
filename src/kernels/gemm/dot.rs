//! Dot products: rows of A against columns of B that are both contiguous along k (X·Wᵀ, A·x), or few columns of B, copied so.
//!
//! ```text
//! for each LANES columns of B:           they stay in cache for all rows
//!   for each block of rows, at most 64 sums:
//!     sum[i][j], lane l = Σ a[i][p]·b[p][j] over p ≡ l (mod LANES)    one FMA chain a lane, R rows × G columns at a time
//!     add the lanes of LANES sums at a time, in the tree of Simd::sum: one vector of results
//! ```
//!
//! Nothing is transposed and each load brings a whole vector, where a tile would have to transpose B, or to leave most lanes
//! of ten columns empty. The order of summation is not that of the tile; it too is the same on every instruction set.

use super::Product;
use super::blocking::balanced;
use super::tile::{MASKED, Update, write};
use crate::element::Element;
use crate::simd::Simd;
use core::mem::MaybeUninit;
use core::ops::Range;

/// Sums that are gathered before their lanes are added.
const SUMS: usize = 160;
/// Vectors of a row or column that a block goes through before it begins again with the next ones: those of its columns stay in L1.
const DEPTH: usize = 32;

/// Computes the product. A is contiguous along k, B too, C along its rows.
///
/// # Safety
/// What whoever makes a `Nest` owes.
#[inline(always)]
pub(super) unsafe fn multiply<T: Element, S: Simd<T>>(simd: S, p: &Product<T>) {
    let relu = p.finish.is_relu();
    // To fill them with zeros would take longer than a small product.
    let mut sums = [const { MaybeUninit::uninit() }; SUMS];
    // The results of a block, row by row without gaps.
    let mut results = [const { MaybeUninit::<T>::uninit() }; SUMS + 16];
    let results = results.as_mut_ptr().cast::<T>();
    // A single row goes through memory once, in runs as long as they come.
    let depth = if p.m == 1 { p.k.div_ceil(T::LANES) } else { DEPTH };
    let step = balanced(p.k.div_ceil(T::LANES), depth) * T::LANES;
    let mut j = 0;
    while j < p.n {
        let cols = T::LANES.min(p.n - j);
        let mut i = 0;
        while i < p.m {
            let rows = (SUMS / cols / 4 * 4).max(SUMS / cols % 4).min(p.m - i);
            // SAFETY: the caller's debt: rows i … i + rows of A and columns j … j + cols of B have k elements, C has as many.
            // `block` writes rows · cols sums, and the results are as many, in whole vectors.
            unsafe {
                for k in (0..p.k).step_by(step) {
                    let depth = k..p.k.min(k + step);
                    block(simd, p, (i, rows), (j, cols), depth, &mut sums);
                }
                for first in (0..rows * cols).step_by(T::LANES) {
                    let group =
                        core::array::from_fn(|l| sums[(first + l % T::LANES).min(rows * cols - 1)].assume_init());
                    simd.store(results.add(first), sum_lanes(simd, group));
                }
                for r in 0..rows {
                    let result = simd.load_masked(simd.first(cols), results.add(r * cols));
                    let update = Update { alpha: p.alpha, beta: p.beta, bias: p.finish.bias.at(i + r, j), relu };
                    write::<T, S, 1, 1, MASKED>(simd, simd.first(cols), (p.c.at(i + r, j), 0), update, [[result]]);
                }
            }
            i += rows;
        }
        j += cols;
    }
}

/// Sums a block of rows and columns over `depth`, row by row without gaps; from 0 where that begins at 0.
///
/// # Safety
/// The rows of A and the columns of B are readable over k.
#[inline(always)]
unsafe fn block<T: Element, S: Simd<T>>(
    simd: S,
    p: &Product<T>,
    (i, rows): (usize, usize),
    (j, cols): (usize, usize),
    depth: Range<usize>,
    sums: &mut [MaybeUninit<S::V>; SUMS],
) {
    // R × G sums, R rows and G columns: more of them share loads, as far as the registers go.
    let most = if S::REGISTERS >= 32 { 4 } else { 2 };
    let mut r = 0;
    while r < rows {
        let high = if rows - r >= 4 && most == 4 { 4 } else { (rows - r).min(2) };
        let mut q = 0;
        while q < cols {
            let wide = match cols - q {
                1 => 1,
                2 | 3 => 2,
                4..8 => 4,
                _ => 8,
            };
            let wide = wide.min(if high == 1 { 2 * most } else { most });
            let (at, to) = ((i + r, j + q), r * cols + q);
            // SAFETY: the caller's debt.
            unsafe {
                match (high, wide) {
                    (4, 4) => dots::<T, S, 4, 4>(simd, p, at, depth.clone(), &mut sums[to..], cols),
                    (4, 2) => dots::<T, S, 4, 2>(simd, p, at, depth.clone(), &mut sums[to..], cols),
                    (4, _) => dots::<T, S, 4, 1>(simd, p, at, depth.clone(), &mut sums[to..], cols),
                    (2, 4) => dots::<T, S, 2, 4>(simd, p, at, depth.clone(), &mut sums[to..], cols),
                    (2, 2) => dots::<T, S, 2, 2>(simd, p, at, depth.clone(), &mut sums[to..], cols),
                    (2, _) => dots::<T, S, 2, 1>(simd, p, at, depth.clone(), &mut sums[to..], cols),
                    (_, 8) => dots::<T, S, 1, 8>(simd, p, at, depth.clone(), &mut sums[to..], cols),
                    (_, 4) => dots::<T, S, 1, 4>(simd, p, at, depth.clone(), &mut sums[to..], cols),
                    (_, 2) => dots::<T, S, 1, 2>(simd, p, at, depth.clone(), &mut sums[to..], cols),
                    _ => dots::<T, S, 1, 1>(simd, p, at, depth.clone(), &mut sums[to..], cols),
                }
            }
            q += wide;
        }
        r += high;
    }
}

/// Sums R rows from i and G columns from j over `depth`, in rows of `sums` that lie `stride` apart.
///
/// # Safety
/// They are readable over k.
#[inline(always)]
unsafe fn dots<T: Element, S: Simd<T>, const R: usize, const G: usize>(
    simd: S,
    p: &Product<T>,
    (i, j): (usize, usize),
    depth: Range<usize>,
    sums: &mut [MaybeUninit<S::V>],
    stride: usize,
) {
    let a: [*const T; R] = core::array::from_fn(|r| p.a.at(i + r, depth.start));
    let b: [*const T; G] = core::array::from_fn(|g| p.b.at(depth.start, j + g));
    let len = depth.len();
    let mut acc = [[simd.splat(T::ZERO); G]; R];
    if depth.start > 0 {
        for r in 0..R {
            for g in 0..G {
                // SAFETY: the steps from 0 wrote it.
                acc[r][g] = unsafe { sums[r * stride + g].assume_init() };
            }
        }
    }
    let whole = len / T::LANES * T::LANES;
    // SAFETY: the caller's debt.
    unsafe {
        let mut at = 0;
        while at < whole {
            let x: [S::V; R] = core::array::from_fn(|r| simd.load(a[r].add(at)));
            for g in 0..G {
                let y = simd.load(b[g].add(at));
                for r in 0..R {
                    acc[r][g] = simd.fma(x[r], y, acc[r][g]);
                }
            }
            at += T::LANES;
        }
        if whole < len {
            let rest = simd.first(len - whole);
            let x: [S::V; R] = core::array::from_fn(|r| simd.load_masked(rest, a[r].add(whole)));
            for g in 0..G {
                let y = simd.load_masked(rest, b[g].add(whole));
                for r in 0..R {
                    acc[r][g] = simd.fma(x[r], y, acc[r][g]);
                }
            }
        }
    }
    for r in 0..R {
        for g in 0..G {
            sums[r * stride + g].write(acc[r][g]);
        }
    }
}

/// Lane j of the result is `Simd::sum(v[j])`: pairs of vectors are interleaved and added, log₂ LANES times.
#[inline(always)]
fn sum_lanes<T: Element, S: Simd<T>>(simd: S, v: [S::V; 16]) -> S::V {
    // Interleaving reverses the bits of the order.
    let bits = T::LANES.ilog2();
    let mut v: [S::V; 16] = core::array::from_fn(|j| v[j.reverse_bits() >> (usize::BITS - bits) & (T::LANES - 1)]);
    let mut count = T::LANES;
    while count > 1 {
        count /= 2;
        for i in 0..count {
            let (low, high) = simd.zip(v[2 * i], v[2 * i + 1]);
            v[i] = simd.add(low, high);
        }
    }
    v[0]
}
