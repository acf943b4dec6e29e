//! Few rows of A against columns of B that are contiguous along k (a row of X times Wᵀ, or A·x): dot products.
//!
//! ```text
//! for each LANES columns of B:      the column block stays in cache for all rows
//!   for each row of A:
//!     lane l of sum[j] = Σ a[p]·b[p][j] over p ≡ l (mod LANES)     one FMA chain a lane, GROUP columns at a time
//!     transpose, then add the lanes in the tree of Simd::sum: one vector of LANES dot products
//! ```
//!
//! Nothing is packed and each element of B is loaded as part of a whole vector, where a tile would have to transpose it or
//! to leave most lanes empty. The order of summation is not that of the tile; it too is the same on every instruction set.

use super::Product;
use super::pack::transpose_lanes;
use super::tile::{Update, write};
use crate::element::Element;
use crate::simd::Simd;

/// Columns that share the loads of A: with two registers a vector (AVX2) their sums take half of the registers.
const GROUP: usize = 4;

/// Computes the product. A is contiguous along k, B too, C along its rows.
///
/// # Safety
/// What whoever makes a `Nest` owes.
#[inline(always)]
pub(super) unsafe fn multiply<T: Element, S: Simd<T>>(simd: S, p: &Product<T>) {
    for j in (0..p.n).step_by(T::LANES) {
        let cols = T::LANES.min(p.n - j);
        for i in 0..p.m {
            let bias = p.finish.bias.at(i, j);
            let relu = p.finish.is_relu();
            let update = Update { alpha: p.alpha, beta: p.beta, bias, relu };
            let (a, c) = (p.a.at(i, 0), p.c.at(i, j));
            // SAFETY: the caller's debt: row i of A and columns j … j + cols of B have k elements, C has `cols`.
            unsafe {
                let mut sums = [simd.splat(T::ZERO); 16];
                for first in (0..cols).step_by(GROUP) {
                    let column = |g: usize| p.b.at(0, (j + first + g).min(p.n - 1));
                    let group = dots(simd, p.k, a, core::array::from_fn(column));
                    sums[first..first + GROUP].copy_from_slice(&group);
                }
                let sum = sum_lanes(simd, sums);
                write::<T, S, 1, 1, true>(simd, simd.first(cols), (c, 0), update, [[sum]]);
            }
        }
    }
}

/// Lane sums of a·b for each column b, all contiguous.
///
/// # Safety
/// `k` elements of each are readable.
#[inline(always)]
unsafe fn dots<T: Element, S: Simd<T>>(simd: S, k: usize, a: *const T, b: [*const T; GROUP]) -> [S::V; GROUP] {
    let mut sums = [simd.splat(T::ZERO); GROUP];
    let whole = k / T::LANES * T::LANES;
    // SAFETY: the caller's debt.
    unsafe {
        for p in (0..whole).step_by(T::LANES) {
            let x = simd.load(a.add(p));
            for g in 0..GROUP {
                sums[g] = simd.fma(x, simd.load(b[g].add(p)), sums[g]);
            }
        }
        if whole < k {
            let rest = simd.first(k - whole);
            let x = simd.load_masked(rest, a.add(whole));
            for g in 0..GROUP {
                sums[g] = simd.fma(x, simd.load_masked(rest, b[g].add(whole)), sums[g]);
            }
        }
    }
    sums
}

/// Lane j of the result is `Simd::sum(v[j])`.
#[inline(always)]
fn sum_lanes<T: Element, S: Simd<T>>(simd: S, mut v: [S::V; 16]) -> S::V {
    transpose_lanes(simd, &mut v);
    let mut half = T::LANES / 2;
    while half > 0 {
        for l in 0..half {
            v[l] = simd.add(v[l], v[l + half]);
        }
        half /= 2;
    }
    v[0]
}
