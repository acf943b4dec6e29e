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
use super::memory::BEYOND_L2;
use super::steps::{LINES_OF_A_POINTER, bytes, nth_line};
use super::tile::{Last, MASKED, Update, write};
use super::{Product, offset};
use crate::element::Element;
use crate::simd::{Kernel, Simd};
use core::mem::MaybeUninit;
use core::ops::Range;
use core::ptr;

/// Results that are gathered before they go to C.
const RESULTS: usize = 384;
/// Columns that are computed for all of those rows, while they are in cache; of few rows four times as many.
const COLUMNS: usize = 24;
/// Vectors of a row or column that a block of k goes through: four columns of them fill half of L1.
const DEPTH: usize = 64;

/// Computes the product. A is contiguous along k, B too, C along its rows.
///
/// # Safety
/// What whoever makes a `Nest` owes.
pub(super) unsafe fn multiply<T: Element, S: Simd<T>>(simd: S, p: &Product<T>) {
    // Reached by address: this would else begin with the room that the other needs on the stack.
    let run: unsafe fn(S, &Product<T>) = if is_straight(p) { straight } else { gathered };
    // SAFETY: the caller's debt.
    unsafe { run(simd, p) }
}

/// Whether sums over all of k go to C as they are.
fn is_straight<T: Element>(p: &Product<T>) -> bool {
    p.is_sum() && (p.m == 1 || p.k <= DEPTH * T::LANES)
}

/// Whether a product is so plain a case of [`lie_along_k`](Product::lie_along_k) that [`Dots::all`] is all that it needs.
pub(crate) fn is_few_dots<T: Element>(p: &Product<T>) -> bool {
    let is_plain = || p.panels_from.is_none() && p.column_sums.is_none() && !Rest::is_needed(&p.finish);
    p.lie_along_k() && (p.b.col != 1 || p.n == 1) && is_straight(p) && is_plain()
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

/// A product whose sums over all of k go to C as they are.
///
/// # Safety
/// As [`multiply`].
unsafe fn straight<T: Element, S: Simd<T>>(simd: S, p: &Product<T>) {
    simd.call(Dots::all(p));
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
            let high = (RESULTS / cols).min(p.m - i);
            // Whole blocks of rows, whatever their size.
            let high = if high > 8 { high / 8 * 8 } else { high };
            let (rows, stride) = (i..i + high, cols as isize);
            for k in (0..p.k).step_by(step) {
                let (rows, cols, depth) = (rows.clone(), j..j + cols, k..p.k.min(k + step));
                simd.call(Dots { p, rows, high, cols, depth, sums, results, stride });
            }
            simd.call(Results { p, at: (i, j), shape: (high, cols), results });
            i += high;
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
                let last = Last::new(simd, 1, cols - q);
                let bias = p.finish.bias.at(at.0, at.1);
                let update = Update { alpha: p.alpha, beta: p.beta, bias, relu };
                // SAFETY: whoever made the kernel owes it.
                unsafe {
                    let result = simd.load_masked(some, results.add(r * cols + q));
                    write::<T, S, 1, 1, MASKED>(simd, last, (p.c.at(at.0, at.1), 0), update, [[result]]);
                }
                q += T::LANES;
            }
        }
    }
}

/// Rows of A against columns of B over `depth`: from `sums` unless it begins at 0, to `results` if it ends at k. Whoever makes one owes that
/// the rows and columns are readable over `depth`, and that there is room for a vector of each sum and for the results.
pub(crate) struct Dots<'a, T> {
    p: &'a Product<T>,
    rows: Range<usize>,
    /// Rows that all columns go over before they go on.
    high: usize,
    cols: Range<usize>,
    depth: Range<usize>,
    /// Vectors of sums, between one block of k and the next.
    sums: *mut T,
    /// Of the first row and column; rows lie `stride` apart.
    results: *mut T,
    stride: isize,
}

impl<'a, T: Element> Dots<'a, T> {
    /// Those of a whole product, straight to C. Whoever runs them owes what [`multiply`] asks for.
    pub(crate) fn all(p: &'a Product<T>) -> Self {
        let (rows, cols, high) = (0..p.m, 0..p.n, rows_at_hand(p));
        Self { p, rows, high, cols, depth: 0..p.k, sums: ptr::null_mut(), results: p.c.ptr, stride: p.c.row }
    }
}

impl<T: Element> Kernel<T> for Dots<'_, T> {
    type Output = ();

    /// All sizes in one function: few products are worth more calls than one.
    #[inline(always)]
    fn run<S: Simd<T>>(mut self, simd: S) {
        let p = self.p;
        // More sums share loads, as far as the registers go.
        let most = sums_at_once(S::REGISTERS);
        // Then the rows of the next block are asked for ahead, while the columns go over those of this one.
        let is_far = p.bytes_of_a() >= BEYOND_L2;
        let mut j = self.cols.start;
        while j < self.cols.end {
            let end = j + columns(p, j).min(self.cols.end - j);
            let mut i = self.rows.start;
            while i < self.rows.end {
                let rows = self.high.min(self.rows.end - i);
                let mut q = j;
                while q < end {
                    // Few rows share the loads of more columns: 4×6, 2×8, 1×8, and the ten of many a classifier at once.
                    let left = end - q;
                    let widest = (most / (1 << rows.min(most.isqrt()).ilog2())).min(8);
                    let is_ten = rows == 1 && left == 10 && most >= 10;
                    let wide = match left {
                        10 if is_ten => 10,
                        _ if left >= widest => widest,
                        _ => 1 << left.ilog2(),
                    };
                    let across = left / wide;
                    let fetches = is_far && q == j && self.depth.len() == p.k;
                    let mut r = 0;
                    while r < rows {
                        let high = 1 << (rows - r).min(most / wide).min(8).ilog2();
                        let down = (rows - r) / high;
                        let grid = Grid { at: (i + r, q), blocks: (down, across), ahead: offset(rows, p.a.row, 0, 1) };
                        macro_rules! sizes {
                            ($(($r:literal, $g:literal)),*) => {
                                match (high, wide) {
                                    // What most rows of a tall product are computed by.
                                    (4, 6) if fetches && const { sums_at_once(S::REGISTERS) >= 24 } => {
                                        self.blocks::<S, 4, 6, true>(simd, grid);
                                    }
                                    $(($r, $g) if const { $r * $g <= sums_at_once(S::REGISTERS) } => {
                                        self.blocks::<S, $r, $g, false>(simd, grid);
                                    })*
                                    _ => unreachable!("no code for {high} rows and {wide} columns"),
                                }
                            };
                        }
                        sizes!(
                            (1, 1),
                            (2, 1),
                            (4, 1),
                            (8, 1),
                            (1, 2),
                            (2, 2),
                            (4, 2),
                            (8, 2),
                            (1, 4),
                            (2, 4),
                            (4, 4),
                            (1, 6),
                            (2, 6),
                            (4, 6),
                            (1, 8),
                            (2, 8),
                            (1, 10)
                        );
                        r += down * high;
                    }
                    q += across * wide;
                }
                i += rows;
            }
            j = end;
        }
    }
}

/// Sums that a register file holds beside the vectors that they need.
const fn sums_at_once(registers: usize) -> usize {
    if registers >= 32 { 24 } else { 4 }
}

/// Blocks of rows of A against columns of B.
#[derive(Clone, Copy)]
struct Grid {
    /// The first row of A and column of B.
    at: (usize, usize),
    /// One below the other, and side by side.
    blocks: (usize, usize),
    /// Elements from rows of A to those that are asked for meanwhile.
    ahead: isize,
}

impl<T: Element> Dots<'_, T> {
    /// A grid of blocks of R rows and G columns.
    #[inline(always)]
    fn blocks<S: Simd<T>, const R: usize, const G: usize, const FETCHES: bool>(&mut self, simd: S, grid: Grid) {
        let Grid { at: (i, j), blocks: (down, across), ahead } = grid;
        let (stride, depth, &Product { k, a, b, .. }) = (self.stride, &self.depth, self.p);
        let results = self.results.wrapping_offset(offset(i - self.rows.start, stride, j - self.cols.start, 1));
        let (whole, rest) = (depth.len() / T::LANES, depth.len() % T::LANES);
        let (is_first, is_last, has_rest, rest) = (depth.start == 0, depth.end == k, rest > 0, simd.first(rest));
        let (row_bytes, col_bytes) = (bytes::<T>(a.row), bytes::<T>(b.col));
        for q in 0..across {
            let mut to = results.wrapping_add(q * G);
            for d in 0..down {
                let mut rows = lines(simd, a.at(i + d * R, depth.start), a.row);
                let mut cols = lines(simd, b.at(depth.start, j + q * G), b.col);
                let mut acc = [[simd.splat(T::ZERO); G]; R];
                // SAFETY: whoever made the kernel owes it.
                unsafe {
                    if !is_first {
                        for r in 0..R {
                            for g in 0..G {
                                acc[r][g] = simd.load(self.sums.add((r * G + g) * T::LANES));
                            }
                        }
                    }
                    macro_rules! steps {
                        ($some:expr; $($u:expr),*) => {
                            $(
                                if FETCHES && q == 0 {
                                    for r in 0..R {
                                        let row = nth_line(&rows, r, row_bytes).wrapping_add($u * T::LANES);
                                        simd.prefetch(row.wrapping_offset(ahead));
                                    }
                                }
                                acc = add_products(simd, $some, (&rows, row_bytes), (&cols, col_bytes), $u, acc);
                            )*
                            for g in 0..POINTERS {
                                rows[g] = pin(simd, rows[g].wrapping_add([$($u),*].len() * T::LANES));
                                cols[g] = pin(simd, cols[g].wrapping_add([$($u),*].len() * T::LANES));
                            }
                        };
                    }
                    // Two at a time where registers hold the loads of both.
                    let together = const { if S::REGISTERS >= 16 { 2 } else { 1 } };
                    for _ in 0..whole / together {
                        if together == 2 {
                            steps!(None; 0, 1);
                        } else {
                            steps!(None; 0);
                        }
                    }
                    if whole % together == 1 {
                        steps!(None; 0);
                    }
                    if has_rest {
                        steps!(Some(rest); 0);
                    }
                    if is_last {
                        add_lanes(simd, acc, to, stride);
                    } else {
                        for r in 0..R {
                            for g in 0..G {
                                simd.store(self.sums.add((r * G + g) * T::LANES), acc[r][g]);
                            }
                        }
                    }
                }
                self.sums = self.sums.wrapping_add(R * G * T::LANES);
                to = to.wrapping_offset(stride.wrapping_mul(R as isize));
            }
        }
    }
}

/// Pointers for the lines (rows of A or columns of B) of a block.
const POINTERS: usize = 16_usize.div_ceil(LINES_OF_A_POINTER);

/// An address that the compiler does not derive, where blocks are large; those of few registers it steps through better (1.1 times on AVX2).
#[inline(always)]
fn pin<T: Element, S: Simd<T>>(simd: S, address: *const T) -> *const T {
    if S::REGISTERS >= 16 { simd.pin_address(address) } else { address }
}

/// Pointers to every third line from `first` on.
#[inline(always)]
fn lines<T: Element, S: Simd<T>>(simd: S, first: *const T, stride: isize) -> [*const T; POINTERS] {
    let mut at = [first; POINTERS];
    for g in 1..POINTERS {
        at[g] = pin(simd, at[g - 1].wrapping_offset(stride.wrapping_mul(LINES_OF_A_POINTER as isize)));
    }
    at
}

/// acc[r][g] + a[r]·b[g], vector `u` of them from the pointers on, or what `some` names of it.
///
/// # Safety
/// These elements are readable.
#[inline(always)]
unsafe fn add_products<T: Element, S: Simd<T>, const R: usize, const G: usize>(
    simd: S,
    some: Option<S::M>,
    (rows, row_bytes): (&[*const T; POINTERS], isize),
    (cols, col_bytes): (&[*const T; POINTERS], isize),
    u: usize,
    mut acc: [[S::V; G]; R],
) -> [[S::V; G]; R] {
    // Loops, not closures given to others: code that is not inlined here is not code of the instruction set.
    let mut y = [simd.splat(T::ZERO); G];
    // SAFETY: the caller's debt.
    unsafe {
        for g in 0..G {
            y[g] = load(simd, some, nth_line(cols, g, col_bytes).wrapping_add(u * T::LANES));
        }
        for r in 0..R {
            let x = load(simd, some, nth_line(rows, r, row_bytes).wrapping_add(u * T::LANES));
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

/// `Simd::sum(acc[r][g])` to element (r, g) of `to`.
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
    // Not a loop: one that stays one keeps the sums in memory (half of the speed).
    // SAFETY: the caller's debt.
    unsafe {
        add_lanes_of::<T, S, R, G, 0>(simd, &acc, to, stride);
        add_lanes_of::<T, S, R, G, 1>(simd, &acc, to, stride);
        add_lanes_of::<T, S, R, G, 2>(simd, &acc, to, stride);
    }
}

/// [`add_lanes`] of the sums from `PART`·LANES on, at most LANES of them: pairs of vectors are folded to one, log₂ LANES times.
///
/// # Safety
/// As [`add_lanes`].
#[inline(always)]
unsafe fn add_lanes_of<T: Element, S: Simd<T>, const R: usize, const G: usize, const PART: usize>(
    simd: S,
    acc: &[[S::V; G]; R],
    to: *mut T,
    stride: isize,
) {
    let first = PART * T::LANES;
    if first >= R * G {
        return;
    }
    let together = T::LANES.min(R * G - first);
    let padded = together.next_power_of_two();
    // Folding reverses the bits of the order. Rows come out in one piece if that is undone before; for a single row, which need not be padded
    // to a power of two, it is undone after.
    let is_row = const { R == 1 };
    let mut v: [S::V; 16] = core::array::from_fn(|q| {
        let sum = first + if is_row { q } else { reversed(q, padded) }.min(together - 1);
        acc[sum / G][sum % G]
    });
    let mut count = if is_row { together } else { padded };
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
        let lane = if is_row { reversed(q, T::LANES) } else { q * (T::LANES / padded) };
        // SAFETY: the caller's debt.
        unsafe { *to.offset(offset(r, stride, g, 1)) = lanes[lane] };
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
