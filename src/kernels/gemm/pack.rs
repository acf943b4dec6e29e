//! Packing: a block of B copied into the order in which the tiles read it.
//!
//! ```text
//! one panel per `width` columns, `kc` rows of `width` each:
//!   b[0][0 … width−1]  b[1][0 … width−1]  …  b[kc−1][0 … width−1] │ b[0][width … 2·width−1] …
//! ```
//!
//! A is never packed. The tile broadcasts single elements of it, so no order of A is better than another, and its rows in
//! use (6 × 2 KiB) live in L1 wherever they come from: copies of A, whole or panel by panel, with rows or columns kept,
//! lost 3 to 15 % at every size from 64³ to 2048³ against a prefetch of the rows that come next.

use super::Operand;
use crate::element::Element;
use crate::simd::Simd;

/// Rows of B between the one that is copied and the one that is fetched.
const PREFETCH_ROWS: isize = 4;

/// Packs `kc` steps and `n` columns of B in panels of `width`.
///
/// # Safety
/// The block is readable; `to` has n.next_multiple_of(width) · kc elements.
#[inline(always)]
pub(super) unsafe fn pack<T: Element, S: Simd<T>>(
    simd: S,
    b: Operand<T>,
    kc: usize,
    n: usize,
    width: usize,
    to: *mut T,
) {
    if kc == 0 {
        // No memory was asked for, so no address lies within it.
        return;
    }
    // SAFETY: the caller's debt: every element of the block is in bounds of both.
    unsafe {
        if b.col == 1 {
            // Whole rows, so that memory is read in long runs; the prefetch bridges the gap to the rows that follow.
            for p in 0..kc {
                for first in (0..n).step_by(width) {
                    let from = b.at(p, first);
                    for line in (0..width).step_by(T::LANES) {
                        simd.prefetch(from.wrapping_offset(PREFETCH_ROWS.wrapping_mul(b.row)).wrapping_add(line));
                    }
                    copy(simd, from, to.add(first * kc + p * width), width.min(n - first));
                }
            }
        } else if b.row == 1 {
            for j in (0..n).step_by(T::LANES) {
                let to = to.add(j / width * width * kc + j % width);
                for p in (0..kc).step_by(T::LANES) {
                    let block = Operand { ptr: b.at(p, j), ..b };
                    let shape = ((kc - p).min(T::LANES), (n - j).min(T::LANES));
                    transpose(simd, block, shape, to.add(p * width), width as isize);
                }
            }
        } else {
            for j in 0..n {
                let to = to.add(j / width * width * kc + j % width);
                for p in 0..kc {
                    *to.add(p * width) = *b.at(p, j);
                }
            }
        }
    }
}

/// Copies a block of `depth`×`cols`, at most LANES×LANES, from contiguous columns to contiguous rows `stride` apart.
///
/// # Safety
/// The block of `from` is readable; `to` is writable for `depth` rows of `cols` elements.
#[inline(always)]
pub(super) unsafe fn transpose<T: Element, S: Simd<T>>(
    simd: S,
    from: Operand<T>,
    (depth, cols): (usize, usize),
    to: *mut T,
    stride: isize,
) {
    let mut block = [simd.splat(T::ZERO); 16];
    // SAFETY: the caller's debt.
    unsafe {
        if depth == T::LANES && cols == T::LANES {
            for j in 0..T::LANES {
                block[j] = simd.load(from.at(0, j));
            }
            transpose_lanes(simd, &mut block);
            for p in 0..T::LANES {
                simd.store(to.wrapping_offset(p as isize * stride), block[p]);
            }
        } else {
            // Masks without lanes, not shorter loops: the block stays in registers.
            let (some, none, row) = (simd.first(depth), simd.first(0), simd.first(cols));
            for j in 0..T::LANES {
                block[j] = simd.load_masked(if j < cols { some } else { none }, from.at(0, j));
            }
            transpose_lanes(simd, &mut block);
            for p in 0..T::LANES {
                if p < depth {
                    simd.store_masked(row, to.wrapping_offset(p as isize * stride), block[p]);
                }
            }
        }
    }
}

/// Lane i of vector j becomes lane j of vector i, for the first LANES vectors: interleaving vectors i and i + LANES/2 for
/// every i, log₂ LANES times.
#[inline(always)]
pub(super) fn transpose_lanes<T: Element, S: Simd<T>>(simd: S, v: &mut [S::V; 16]) {
    for _ in 0..T::LANES.ilog2() {
        let old = *v;
        for i in 0..T::LANES / 2 {
            (v[2 * i], v[2 * i + 1]) = simd.zip(old[i], old[i + T::LANES / 2]);
        }
    }
}

/// Copies `len` elements by vectors.
///
/// # Safety
/// Both are valid for `len` elements and do not overlap.
#[inline(always)]
unsafe fn copy<T: Element, S: Simd<T>>(simd: S, from: *const T, to: *mut T, len: usize) {
    let whole = len / T::LANES * T::LANES;
    // SAFETY: the caller's debt.
    unsafe {
        for i in (0..whole).step_by(T::LANES) {
            simd.store(to.add(i), simd.load(from.add(i)));
        }
        if whole < len {
            let rest = simd.first(len - whole);
            simd.store_masked(rest, to.add(whole), simd.load_masked(rest, from.add(whole)));
        }
    }
}
