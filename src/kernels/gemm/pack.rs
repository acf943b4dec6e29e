//! Packing: a block of B copied into the order in which the tiles read it.
//!
//! ```text
//! one panel per `width` columns, `kc` rows of `width` each:
//!   b[0][0 … width−1]  b[1][0 … width−1]  …  b[kc−1][0 … width−1] │ b[0][width … 2·width−1] …
//! ```
//!
//! A is packed only where it is transposed, and then rarely ([`Product::copies_a`](super::Product::copies_a), [`Strips`]). The tile broadcasts single
//! elements of it, so no order of A is better than another, and its rows in use (6 × 2 KiB) live in L1 wherever else they come
//! from: copies of A, whole or panel by panel, with rows or columns kept, lost 3 to 15 % at every size from 64³ to 2048³ against a
//! prefetch of the rows that come next; on AVX2, copies of a transposed A, a strip at a time, 15 to 25 % at 784×512×256.

use super::Operand;
use super::blocking::{kc, strip_len};
use super::steps::bytes;
use crate::element::Element;
use crate::simd::{Kernel, Simd};

/// Copies `m` rows, k long, of an A that is transposed to strips of `high` rows, one every [`strip_len`]: for each step of k its
/// elements of those rows.
///
/// # Safety
/// The rows are readable over k steps; `to` has room for the strips.
pub(super) unsafe fn strips<T: Element, S: Simd<T>>(
    simd: S,
    a: Operand<T>,
    (m, k): (usize, usize),
    high: usize,
    to: *mut T,
) {
    simd.call(Strips { a, m, k, high, to });
}

/// What [`strips`] does; who makes one owes what it asks for.
struct Strips<T> {
    a: Operand<T>,
    m: usize,
    k: usize,
    high: usize,
    to: *mut T,
}

/// Steps of k that all strips take before the next ones: few, for their lines share sets of L1.
const STEPS_AT_A_TIME: usize = 8;

impl<T: Element> Kernel<T> for Strips<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { a, m, k, high, to } = self;
        for first in (0..k).step_by(STEPS_AT_A_TIME) {
            let steps = first..k.min(first + STEPS_AT_A_TIME);
            for p in steps.clone() {
                (0..m).step_by(T::LANES).for_each(|r| simd.prefetch(a.at(r, p + 2 * STEPS_AT_A_TIME)));
            }
            for (strip, r) in (0..m).step_by(high).enumerate() {
                let rows = high.min(m - r);
                let mask = simd.first(rows);
                let to = to.wrapping_add(strip * strip_len::<T>(high, k));
                for p in steps.clone() {
                    // SAFETY: whoever made the kernel owes it. What is stored beyond the rows is overwritten by the next step, or lies in the
                    // vector that ends the strip.
                    unsafe { simd.store(to.add(p * rows), simd.load_masked(mask, a.at(r, p))) };
                }
            }
        }
    }
}

/// Rows of B between the one that is copied and the one that is fetched.
const PREFETCH_ROWS: isize = 4;

/// Packs a whole B ahead of its use: for each block of k one after the other, all panels. Whoever makes one owes that B is
/// readable and that `to` has k · n.next_multiple_of(width) elements.
pub(crate) struct Ahead<T> {
    pub(crate) b: Operand<T>,
    pub(crate) k: usize,
    pub(crate) n: usize,
    pub(crate) width: usize,
    pub(crate) to: *mut T,
}

impl<T: Element> Kernel<T> for Ahead<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { b, k, n, width, to } = self;
        for p in (0..k).step_by(kc::<T>()) {
            let (block, depth) = (Operand { ptr: b.at(p, 0), ..b }, kc::<T>().min(k - p));
            let to = to.wrapping_add(p * n.next_multiple_of(width));
            // SAFETY: whoever made the kernel owes it.
            unsafe { select::<T, S>(block)(simd, block, (depth, n), width, to) };
        }
    }
}

/// The code that packs `kc` steps and `n` columns of an operand in panels of `width`.
///
/// # Safety
/// To call it with (token, B, (kc, n), width, to): the block is readable; `to` has n.next_multiple_of(width) · kc elements.
pub(super) type Pack<T, S> = unsafe fn(S, Operand<T>, (usize, usize), usize, *mut T);

/// The code for the strides of `b`.
pub(super) fn select<T: Element, S: Simd<T>>(b: Operand<T>) -> Pack<T, S> {
    match b {
        Operand { col: 1, .. } => rows,
        Operand { row: 1, .. } => columns,
        _ => elements,
    }
}

/// Whole rows, so that memory is read in long runs; the prefetch bridges the gap to the rows that follow.
///
/// # Safety
/// As [`Pack`].
pub(super) unsafe fn rows<T: Element, S: Simd<T>>(
    simd: S,
    b: Operand<T>,
    (kc, n): (usize, usize),
    width: usize,
    to: *mut T,
) {
    simd.call(Rows { b, kc, n, width, to });
}

/// Columns, transposed in registers.
///
/// # Safety
/// As [`Pack`].
unsafe fn columns<T: Element, S: Simd<T>>(simd: S, b: Operand<T>, (kc, n): (usize, usize), width: usize, to: *mut T) {
    simd.call(Columns { b, kc, n, width, to });
}

/// Any strides, element by element.
///
/// # Safety
/// As [`Pack`].
unsafe fn elements<T: Element, S: Simd<T>>(_: S, b: Operand<T>, (kc, n): (usize, usize), width: usize, to: *mut T) {
    for j in 0..n {
        let first = j / width * width * kc + j % width;
        for p in 0..kc {
            // SAFETY: the caller's debt: every element of the block is in bounds of both.
            unsafe { *to.add(first + p * width) = *b.at(p, j) };
        }
    }
}

/// What [`rows`] does; only it makes one.
struct Rows<T> {
    b: Operand<T>,
    kc: usize,
    n: usize,
    width: usize,
    to: *mut T,
}

impl<T: Element> Kernel<T> for Rows<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { b, kc, n, width, to } = self;
        for p in 0..kc {
            for first in (0..n).step_by(width) {
                let from = b.at(p, first);
                for line in (0..width).step_by(T::LANES) {
                    simd.prefetch(from.wrapping_offset(PREFETCH_ROWS.wrapping_mul(b.row)).wrapping_add(line));
                }
                // SAFETY: the debt of `rows`: every element of the block is in bounds of both.
                unsafe { copy(simd, from, to.add(first * kc + p * width), width.min(n - first)) };
            }
        }
    }
}

/// What [`columns`] does; only it makes one.
struct Columns<T> {
    b: Operand<T>,
    kc: usize,
    n: usize,
    width: usize,
    to: *mut T,
}

impl<T: Element> Kernel<T> for Columns<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { b, kc, n, width, to } = self;
        for j in (0..n).step_by(T::LANES) {
            // Where k is 0, no memory was asked for, and no address lies within it.
            let to = to.wrapping_add(j / width * width * kc + j % width);
            let block = Operand { ptr: b.at(0, j), ..b };
            // SAFETY: the debt of `columns`: every element of the block is in bounds of both.
            unsafe { transpose(simd, block, (kc, (n - j).min(T::LANES)), to, width as isize) };
        }
    }
}

/// Vectors of a column between the one that is transposed and the one that is asked for: so many streams the hardware does not follow
/// (128×256×784 with Wᵀ 1.02 times as fast on Granite Rapids, with 2, 4 or 8 alike).
const COLUMN_AHEAD: usize = 4;

/// Copies `depth` elements of each of `cols` ≤ LANES contiguous columns to `depth` rows that lie `stride` apart.
///
/// # Safety
/// The columns of `from` are readable; `to` is writable for `depth` rows of `cols` elements.
#[inline(always)]
pub(super) unsafe fn transpose<T: Element, S: Simd<T>>(
    simd: S,
    from: Operand<T>,
    (depth, cols): (usize, usize),
    to: *mut T,
    stride: isize,
) {
    // SAFETY: the caller's debt.
    unsafe {
        if cols == T::LANES {
            transpose_as::<T, S, true>(simd, from, (depth, cols), to, stride);
        } else {
            transpose_as::<T, S, false>(simd, from, (depth, cols), to, stride);
        }
    }
}

/// [`transpose`] of a whole vector of columns or of fewer.
///
/// # Safety
/// As [`transpose`].
#[inline(always)]
unsafe fn transpose_as<T: Element, S: Simd<T>, const WHOLE: bool>(
    simd: S,
    from: Operand<T>,
    (depth, cols): (usize, usize),
    to: *mut T,
    stride: isize,
) {
    let quarter = T::LANES / 4;
    let mut p = 0;
    // SAFETY: the caller's debt, for the steps of k from p on.
    unsafe {
        // Where registers hold LANES vectors.
        while const { S::REGISTERS >= 32 } && p + T::LANES <= depth {
            if p + COLUMN_AHEAD * T::LANES < depth {
                (0..cols).for_each(|j| simd.prefetch(from.at(p + COLUMN_AHEAD * T::LANES, j)));
            }
            transpose_quarters::<T, S, WHOLE, 4>(simd, from, (p, cols), to, stride);
            p += T::LANES;
        }
        while p + quarter <= depth {
            transpose_quarters::<T, S, WHOLE, 1>(simd, from, (p, cols), to, stride);
            p += quarter;
        }
        if p < depth && depth >= quarter {
            // The last quarter, some of it once more.
            transpose_quarters::<T, S, WHOLE, 1>(simd, from, (depth - quarter, cols), to, stride);
        } else if p < depth {
            for p in 0..depth {
                (0..cols).for_each(|j| *to.offset(p as isize * stride).add(j) = *from.at(p, j));
            }
        }
    }
}

/// [`transpose`] of G quarters of a vector from step `p` on: quarter l of a vector comes from column l·LANES/4 + q, and within quarters
/// vectors are interleaved log₂(LANES/4) times.
///
/// # Safety
/// As [`transpose`], for these steps.
#[inline(always)]
unsafe fn transpose_quarters<T: Element, S: Simd<T>, const WHOLE: bool, const G: usize>(
    simd: S,
    from: Operand<T>,
    (p, cols): (usize, usize),
    to: *mut T,
    stride: isize,
) {
    let quarter = T::LANES / 4;
    let mut v = [[simd.splat(T::ZERO); 4]; G];
    let row = simd.first(cols);
    let column = bytes::<T>(from.col);
    // The first column of each quarter. The others lie as many strides further as x86 adds to a pointer by itself.
    let mut first = [from.at(p, 0); 4];
    for l in 1..4 {
        first[l] = simd.pin_address(first[l - 1].wrapping_byte_offset(column.wrapping_mul(quarter as isize)));
    }
    // SAFETY: the caller's debt. Beyond the last column, that one is read again.
    unsafe {
        for q in 0..quarter {
            // All that is needed of a line at once, for where columns lie a multiple of 4 KiB apart L1 holds few of them.
            let mut columns = [from.ptr; 4];
            for l in 0..4 {
                columns[l] = match WHOLE {
                    true => first[l].wrapping_byte_offset(column.wrapping_mul(q as isize)),
                    false => from.at(p, (l * quarter + q).min(cols - 1)),
                };
            }
            for g in 0..G {
                v[g][q] = simd.load_quarters(columns.map(|column| column.add(g * quarter)));
            }
        }
        for g in 0..G {
            for _ in 0..quarter.ilog2() {
                let old = v[g];
                for i in 0..quarter / 2 {
                    (v[g][2 * i], v[g][2 * i + 1]) = simd.zip(old[i], old[i + quarter / 2]);
                }
            }
            for q in 0..quarter {
                let to = to.offset((p + g * quarter + q) as isize * stride);
                if WHOLE {
                    simd.store(to, v[g][q]);
                } else {
                    simd.store_masked(row, to, v[g][q]);
                }
            }
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
