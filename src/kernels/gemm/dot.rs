//! Dot products: rows of A against columns of B that are both contiguous along k (X·Wᵀ, A·x), or few columns of B, copied so.
//!
//! ```text
//! for each COLUMNS columns of B, and as many rows as RESULTS or half of L1 holds:
//!   for each block of k:                   only where it is long, so that a few columns of B stay in L1
//!     for each G columns:
//!       for each R rows:                   R × G sums, all in registers
//!         sum[r][g], lane l = Σ a[r][p]·b[p][g] over p ≡ l (mod LANES)    one FMA chain a lane
//!         after the last block: add the lanes of LANES sums at a time, in the tree of Simd::sum
//!   write the results to C
//! ```
//!
//! Nothing is transposed and each load brings a whole vector, where a tile would have to transpose B, or to leave most lanes
//! of ten columns empty. The order of summation is not that of the tile; it too is the same on every instruction set.

use super::blocking::balanced;
use super::epilogue::Rest;
use super::tile::{MASKED, Update, write};
use super::{Product, offset};
use crate::element::Element;
use crate::simd::{Kernel, Simd};
use core::mem::MaybeUninit;
use core::ops::Range;
use core::ptr;

/// Results that are gathered before they go to C.
const RESULTS: usize = 256;
/// Columns that are computed for all of those rows, while they are in cache; of few rows four times as many.
const COLUMNS: usize = 16;
/// Vectors of a row or column that a block of k goes through: four columns of them fill half of L1.
const DEPTH: usize = 64;

/// Computes the product. A is contiguous along k, B too, C along its rows.
///
/// # Safety
/// What whoever makes a `Nest` owes.
pub(super) unsafe fn multiply<T: Element, S: Simd<T>>(simd: S, p: &Product<T>) {
    if is_straight(p) {
        return simd.call(Straight(p));
    }
    // Reached by address: this would else begin with the room that the other needs on the stack.
    let run: unsafe fn(S, &Product<T>) = gathered;
    // SAFETY: the caller's debt.
    unsafe { run(simd, p) }
}

/// Whether sums over all of k go to C as they are.
fn is_straight<T: Element>(p: &Product<T>) -> bool {
    p.is_sum() && (p.m == 1 || p.k <= DEPTH * T::LANES)
}

/// Whether a product is so plain a case of [`lie_along_k`](Product::lie_along_k) that [`Straight`] is all that it needs.
pub(crate) fn is_few_dots<T: Element>(p: &Product<T>) -> bool {
    let is_plain = || p.panels_from.is_none() && p.column_sums.is_none() && !Rest::is_needed(&p.finish);
    p.lie_along_k() && p.b.col != 1 && is_straight(p) && is_plain()
}

/// Columns that are computed for a block of rows.
fn columns<T>(p: &Product<T>, j: usize) -> usize {
    if p.m <= 4 { 4 * COLUMNS } else { COLUMNS }.min(p.n - j)
}

/// Rows that stay in L1 while all columns of a block go over them: all, if they do or there is one column, else half of it.
fn rows_at_hand<T>(p: &Product<T>) -> usize {
    const L1_BYTES: usize = 32 << 10;
    let row = p.k * size_of::<T>();
    let is_all = p.n == 1 || p.m.saturating_mul(row) <= L1_BYTES;
    if is_all { p.m.max(1) } else { (L1_BYTES / 2 / row / 8).max(1) * 8 }
}

/// Bytes of A from which the rows of the next block are asked for ahead, while the columns go over those of this one: more than L2 holds.
const FAR_BYTES: usize = 2 << 20;

/// A product whose sums over all of k go to C as they are. Whoever makes one owes what [`multiply`] asks for.
pub(crate) struct Straight<'a, T>(pub(crate) &'a Product<T>);

impl<T: Element> Kernel<T> for Straight<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let (p, mut j) = (self.0, 0);
        let high = rows_at_hand(p);
        while j < p.n {
            let cols = columns(p, j);
            for i in (0..p.m).step_by(high) {
                let (rows, to) = (high.min(p.m - i), (p.c.at(i, j), p.c.row));
                // SAFETY: whoever made the kernel owes it; without a second block of k, no sums are kept.
                unsafe { block(simd, p, (i, rows), (j, cols), 0..p.k, ptr::null_mut(), to) };
            }
            j += cols;
        }
    }
}

/// Sums that are gathered, over one block of k after the other, before they go to C.
///
/// # Safety
/// As [`multiply`].
unsafe fn gathered<T: Element, S: Simd<T>>(simd: S, p: &Product<T>) {
    // To fill them with zeros would take longer than a small product.
    let mut sums = [const { MaybeUninit::<T>::uninit() }; RESULTS * 16];
    // The results of a block, row by row without gaps, and room for a whole vector at the end.
    let mut results = [const { MaybeUninit::<T>::uninit() }; RESULTS + 16];
    let (sums, results) = (sums.as_mut_ptr().cast::<T>(), results.as_mut_ptr().cast::<T>());
    // A single row goes through memory once, in runs as long as they come.
    let depth = if p.m == 1 { p.k.div_ceil(T::LANES) } else { DEPTH };
    let step = balanced(p.k.div_ceil(T::LANES), depth) * T::LANES;
    let mut j = 0;
    while j < p.n {
        let cols = columns(p, j);
        let mut i = 0;
        while i < p.m {
            let rows = (RESULTS / cols).min(p.m - i);
            // Whole blocks of rows, whatever their size.
            let rows = if rows > 8 { rows / 8 * 8 } else { rows };
            // SAFETY: the caller's debt: rows i … i + rows of A and columns j … j + cols of B have k elements, C has as many.
            unsafe {
                for k in (0..p.k).step_by(step) {
                    let depth = k..p.k.min(k + step);
                    block(simd, p, (i, rows), (j, cols), depth, sums, (results, cols as isize));
                }
                simd.call(Results { p, at: (i, j), shape: (rows, cols), results });
            }
            i += rows;
        }
        j += cols;
    }
}

/// Writes a block of results to C. Whoever makes one owes that it lies within C and the results.
struct Results<'a, T> {
    p: &'a Product<T>,
    at: (usize, usize),
    shape: (usize, usize),
    results: *const T,
}

impl<T: Element> Kernel<T> for Results<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { p, at: (i, j), shape: (rows, cols), results } = self;
        let relu = p.finish.is_relu();
        for r in 0..rows {
            let mut q = 0;
            while q < cols {
                let (some, at) = (simd.first(cols - q), (i + r, j + q));
                let bias = p.finish.bias.at(at.0, at.1);
                let update = Update { alpha: p.alpha, beta: p.beta, bias, relu };
                // SAFETY: whoever made the kernel owes it.
                unsafe {
                    let result = simd.load_masked(some, results.add(r * cols + q));
                    write::<T, S, 1, 1, MASKED>(simd, some, (p.c.at(at.0, at.1), 0), update, [[result]]);
                }
                q += T::LANES;
            }
        }
    }
}

/// Sums a block of rows and columns over `depth`: from `sums` unless it begins at 0, to `results` if it ends at k, whose rows
/// lie a stride apart.
///
/// # Safety
/// The rows of A and the columns of B are readable over k; the buffers have room for rows · cols vectors and elements.
unsafe fn block<T: Element, S: Simd<T>>(
    simd: S,
    p: &Product<T>,
    (i, rows): (usize, usize),
    (j, cols): (usize, usize),
    depth: Range<usize>,
    mut sums: *mut T,
    (results, stride): (*mut T, isize),
) {
    // More sums share loads, as far as the registers go.
    let most = sums_at_once(S::REGISTERS);
    let is_far = p.m.saturating_mul(p.k).saturating_mul(size_of::<T>()) >= FAR_BYTES;
    let ahead = offset(rows, p.a.row, 0, 1);
    let mut q = 0;
    while q < cols {
        // Few rows share the loads of more columns: 4×4, 2×8, 1×8, and the ten of many a classifier at once.
        let widest = (most / (1 << rows.min(most.isqrt()).ilog2())).min(8);
        let is_ten = rows == 1 && cols - q == 10 && most >= 10;
        let wide = if is_ten { 10 } else { 1 << (cols - q).min(widest).ilog2() };
        let across = (cols - q) / wide;
        let fetches = is_far && q == 0 && depth.len() == p.k;
        let mut r = 0;
        while r < rows {
            let high = 1 << (rows - r).min(most / wide).ilog2();
            let down = (rows - r) / high;
            let (depth, results) = (&depth, results.wrapping_offset(offset(r, stride, q, 1)));
            let dots = Dots { p, at: (i + r, j + q), blocks: (down, across), depth, sums, results, stride, ahead };
            // SAFETY: the caller's debt.
            unsafe { select::<T, S>(high, wide, fetches)(simd, &dots) };
            r += down * high;
            sums = sums.wrapping_add(down * high * across * wide * T::LANES);
        }
        q += across * wide;
    }
}

/// The code for R rows and G columns.
///
/// # Safety
/// To call it: what whoever makes a [`Dots`] owes.
type RunDots<T, S> = unsafe fn(S, &Dots<'_, T>);

fn select<T: Element, S: Simd<T>>(rows: usize, cols: usize, fetches: bool) -> RunDots<T, S> {
    macro_rules! sizes {
        ($(($r:literal, $g:literal)),*) => {
            match (rows, cols) {
                // What most rows of a tall product are computed by.
                (4, 4) if fetches && const { sums_at_once(S::REGISTERS) >= 16 } => call::<T, S, 4, 4, true>,
                $(($r, $g) if const { $r * $g <= sums_at_once(S::REGISTERS) } => call::<T, S, $r, $g, false>,)*
                _ => unreachable!("no code for {rows} rows and {cols} columns"),
            }
        };
    }
    sizes!(
        (1, 1),
        (2, 1),
        (4, 1),
        (8, 1),
        (16, 1),
        (1, 2),
        (2, 2),
        (4, 2),
        (8, 2),
        (1, 4),
        (2, 4),
        (4, 4),
        (1, 8),
        (2, 8),
        (1, 10)
    )
}

/// Sums that a register file holds beside the vectors that they need.
const fn sums_at_once(registers: usize) -> usize {
    if registers >= 32 { 16 } else { 4 }
}

/// # Safety
/// As [`RunDots`].
unsafe fn call<T: Element, S: Simd<T>, const R: usize, const G: usize, const FETCHES: bool>(
    simd: S,
    dots: &Dots<'_, T>,
) {
    simd.call(DotsOf::<T, R, G, FETCHES>(dots));
}

/// A grid of blocks, each of R rows of A against G columns of B. Whoever makes one owes that they are readable over `depth` and that the
/// buffers have room for them.
struct Dots<'a, T> {
    p: &'a Product<T>,
    /// The first row of A and column of B.
    at: (usize, usize),
    /// One below the other, and side by side.
    blocks: (usize, usize),
    depth: &'a Range<usize>,
    /// Vectors of sums, between one block of k and the next.
    sums: *mut T,
    /// Of the first row and column; rows lie `stride` apart.
    results: *mut T,
    stride: isize,
    /// Elements from rows of A to those that are asked for meanwhile.
    ahead: isize,
}

/// [`Dots`] of one size.
struct DotsOf<'a, T, const R: usize, const G: usize, const FETCHES: bool>(&'a Dots<'a, T>);

impl<T: Element, const R: usize, const G: usize, const FETCHES: bool> Kernel<T> for DotsOf<'_, T, R, G, FETCHES> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Dots { p, at: (i, j), blocks: (down, across), depth, mut sums, results, stride, ahead } = *self.0;
        let &Product { k, a, b, .. } = p;
        let whole = depth.len() / T::LANES * T::LANES;
        let rest = simd.first(depth.len() - whole);
        let (is_first, is_last, has_rest) = (depth.start == 0, depth.end == k, whole < depth.len());
        let first_rows: [*const T; R] = core::array::from_fn(|r| a.at(i + r, depth.start));
        let mut cols: [*const T; G] = core::array::from_fn(|g| b.at(depth.start, j + g));
        let (next_row, next_col) = (a.row.wrapping_mul(R as isize), b.col.wrapping_mul(G as isize));
        for q in 0..across {
            let mut rows = first_rows;
            let mut to = results.wrapping_add(q * G);
            for _ in 0..down {
                let mut acc = [[simd.splat(T::ZERO); G]; R];
                // SAFETY: whoever made the kernel owes it.
                unsafe {
                    if !is_first {
                        for s in 0..R * G {
                            acc[s / G][s % G] = simd.load(sums.add(s * T::LANES));
                        }
                    }
                    for k in (0..whole).step_by(T::LANES) {
                        if FETCHES && q == 0 {
                            rows.iter().for_each(|row| simd.prefetch(row.wrapping_offset(ahead).wrapping_add(k)));
                        }
                        acc = add_products(simd, None, (&rows, &cols), k, acc);
                    }
                    if has_rest {
                        acc = add_products(simd, Some(rest), (&rows, &cols), whole, acc);
                    }
                    if is_last {
                        add_lanes(simd, acc, to, stride);
                    } else {
                        for s in 0..R * G {
                            simd.store(sums.add(s * T::LANES), acc[s / G][s % G]);
                        }
                    }
                }
                sums = sums.wrapping_add(R * G * T::LANES);
                to = to.wrapping_offset(stride.wrapping_mul(R as isize));
                for r in 0..R {
                    rows[r] = rows[r].wrapping_offset(next_row);
                }
            }
            for g in 0..G {
                cols[g] = cols[g].wrapping_offset(next_col);
            }
        }
    }
}

/// acc[r][g] + a[r]·b[g], a vector of them from step `at` on, or what `some` names of it.
///
/// # Safety
/// These elements are readable.
#[inline(always)]
unsafe fn add_products<T: Element, S: Simd<T>, const R: usize, const G: usize>(
    simd: S,
    some: Option<S::M>,
    (a, b): (&[*const T; R], &[*const T; G]),
    at: usize,
    mut acc: [[S::V; G]; R],
) -> [[S::V; G]; R] {
    // Loops, not closures given to others: code that is not inlined here is not code of the instruction set.
    let mut y = [simd.splat(T::ZERO); G];
    // SAFETY: the caller's debt.
    unsafe {
        for g in 0..G {
            y[g] = load(simd, some, b[g].add(at));
        }
        for r in 0..R {
            let x = load(simd, some, a[r].add(at));
            for g in 0..G {
                acc[r][g] = simd.fma(x, y[g], acc[r][g]);
            }
        }
    }
    acc
}

/// A vector, or what `some` names of it.
///
/// # Safety
/// These elements are readable.
#[inline(always)]
unsafe fn load<T: Element, S: Simd<T>>(simd: S, some: Option<S::M>, p: *const T) -> S::V {
    // SAFETY: the caller's debt.
    unsafe {
        match some {
            Some(some) => simd.load_masked(some, p),
            None => simd.load(p),
        }
    }
}

/// `Simd::sum(acc[r][g])` to element (r, g) of `to`: pairs of vectors are folded to one, log₂ LANES times.
///
/// # Safety
/// These elements are writable.
#[inline(always)]
unsafe fn add_lanes<T: Element, S: Simd<T>, const R: usize, const G: usize>(
    simd: S,
    acc: [[S::V; G]; R],
    to: *mut T,
    stride: isize,
) {
    for first in (0..R * G).step_by(T::LANES) {
        let together = T::LANES.min(R * G - first);
        // Folding reverses the bits of the order. Rows and columns are powers of two, so that each row comes out in one piece if
        // that is undone before; of a single row, whose columns may be any number, it is undone after.
        let is_row = const { R == 1 };
        let mut v: [S::V; 16] = core::array::from_fn(|q| {
            let sum = first + if is_row { q.min(together - 1) } else { reversed(q, together) };
            acc[sum / G][sum % G]
        });
        let mut count = together;
        count = halve::<T, S, 1>(simd, &mut v, count);
        count = halve::<T, S, 2>(simd, &mut v, count);
        count = halve::<T, S, 3>(simd, &mut v, count);
        if T::LANES > 8 {
            halve::<T, S, 4>(simd, &mut v, count);
        }
        let lanes = simd.lanes(v[0]);
        for q in 0..together {
            let (r, g) = ((first + q) / G, (first + q) % G);
            // Each sum comes out as often as fewer than LANES leave room for.
            let lane = if is_row { reversed(q, T::LANES) } else { q * (T::LANES / together) };
            // SAFETY: the caller's debt.
            unsafe { *to.offset(offset(r, stride, g, 1)) = lanes[lane] };
        }
    }
}

/// `q` modulo `count`, a power of two, with its bits in reverse order.
#[inline(always)]
fn reversed(q: usize, count: usize) -> usize {
    (2 * q % (2 * count)).reverse_bits() >> (usize::BITS - 1 - count.ilog2())
}

/// Folds pairs of the first `count` vectors; one that is alone with itself. Gives back how many are left.
#[inline(always)]
fn halve<T: Element, S: Simd<T>, const STAGE: u32>(simd: S, v: &mut [S::V; 16], count: usize) -> usize {
    let (left, next) = (count.div_ceil(2), usize::from(count > 1));
    for i in 0..left {
        v[i] = simd.fold::<STAGE>(v[2 * i], v[2 * i + next]);
    }
    left
}
