//! The steps of a tile along k: the innermost loop of GEMM.
//!
//! Besides its FMAs a step takes loads, hints, pointers and branches. Where two threads share a core, either may issue about three
//! instructions a cycle, and those of a 6×4 tile are 24 FMAs, 10 loads and 4 hints in 12 cycles: no room for more. So
//! [a few](TOGETHER) steps share a branch, without one between them, and each address is a pointer and a stride, which x86 adds up within
//! the load. (Six instructions a step fewer than the compiler's own addresses: on Emerald Rapids beside a neighbour 1.04 to 1.1 times as
//! fast, alone 1.00 to 1.02, small products, transposed A and `f64` up to 1.1.)

use super::tile::{LOW, Last, PACKING, PLAIN, STREAMING, load};
use crate::element::Element;
use crate::simd::Simd;
use core::hint::black_box;

/// Steps that are done together, where sums can be pinned. Against one at a time, interleaved on Emerald Rapids while a neighbour shared the
/// core: AVX2 1.0 to 1.2 times as fast, AVX-512 1.0 to 1.1. Sums that are not pinned fall behind, and spill.
pub(super) const TOGETHER: usize = 4;

/// Rows of B between the one in use and the one that is fetched.
const FETCH_ROWS: isize = 8;

/// Rows or columns that share a pointer: x86 multiplies a stride by 1, 2, 4 or 8.
pub(super) const LINES_OF_A_POINTER: usize = 3;
/// Of the highest tile.
pub(super) const MOST_ROWS: usize = 8;

/// How rows of A lie, as a const generic, for steps that are done together: their elements follow each other along k, or across
/// it, or neither, and one step at a time.
const ALONG: u8 = 0;
const ACROSS: u8 = 1;
const ANYHOW: u8 = 2;

/// What is asked for ahead, as a const generic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    Nothing,
    /// The next rows of B, and a row of A.
    Lines,
    /// A row of A.
    RowOfA,
    /// The next rows of A, all of them: B is little and A is read once.
    Rows,
}

const NOTHING: u8 = Ahead::Nothing as u8;
const LINES: u8 = Ahead::Lines as u8;
const ROW_OF_A: u8 = Ahead::RowOfA as u8;
const ROWS: u8 = Ahead::Rows as u8;

/// Elements from one row and one step of k to the next, and what is asked for ahead.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) a_row: isize,
    pub(super) a_k: isize,
    pub(super) b_k: isize,
    pub(super) fetches: Ahead,
    /// Elements to the row of A that is asked for, or from each row to one.
    pub(super) ahead: isize,
}

/// Where a step finds its operands.
#[derive(Clone, Copy)]
pub(super) struct At<T> {
    pub(super) a: *const T,
    pub(super) b: *const T,
    /// Where B is packed to.
    pub(super) packed: *mut T,
}

/// A tile on its way: acc[i][j] = Σ a[i]·b[j], one FMA chain per element, in the order of k.
pub(super) struct Steps<T: Element, S: Simd<T>, const R: usize, const V: usize, const KIND: u8> {
    pub(super) simd: S,
    pub(super) last: Last<S::M>,
    pub(super) way: Way,
    pub(super) at: At<T>,
    pub(super) acc: [[S::V; V]; R],
}

impl<T: Element, S: Simd<T>, const R: usize, const V: usize, const KIND: u8> Steps<T, S, R, V, KIND> {
    #[inline(always)]
    pub(super) fn new(simd: S, last: Last<S::M>, way: Way, at: At<T>) -> Self {
        Self { simd, last, way, at, acc: [[simd.splat(T::ZERO); V]; R] }
    }

    /// The next `count` steps.
    ///
    /// # Safety
    /// A, B and what packs it are as [`Run`](super::tile::Run) says, for these steps.
    #[inline(always)]
    pub(super) unsafe fn add(&mut self, count: usize) {
        // SAFETY: the caller's debt.
        unsafe {
            // Edges are few, what goes past the caches is short, and tall products have high tiles: less code.
            let rows = const { KIND != PACKING && KIND != STREAMING && R >= 6 } && self.way.fetches == Ahead::Rows;
            let row = const { KIND == PLAIN } && self.way.fetches == Ahead::RowOfA;
            let lines = const { KIND == PLAIN || KIND == PACKING }
                && !rows
                && matches!(self.way.fetches, Ahead::Lines | Ahead::Rows);
            let rest = match (self.way.a_k == 1, self.way.a_row == 1) {
                _ if !S::PINS => count,
                (true, _) if lines => self.together::<ALONG, LINES>(count),
                (true, _) if row => self.together::<ALONG, ROW_OF_A>(count),
                (true, _) if rows && count >= MOST_ROWS => self.together::<ALONG, ROWS>(count),
                (true, _) => self.together::<ALONG, NOTHING>(count),
                (false, true) if lines => self.together::<ACROSS, LINES>(count),
                (false, true) if row => self.together::<ACROSS, ROW_OF_A>(count),
                (false, true) => self.together::<ACROSS, NOTHING>(count),
                (false, false) => count,
            };
            let mut a = [self.at.a];
            for _ in 0..rest {
                self.step::<ANYHOW, NOTHING, 1>(&mut a, 0);
            }
            self.at.a = a[0];
        }
    }

    /// As many as are done together at a time; gives back how many are left.
    ///
    /// # Safety
    /// As [`Steps::add`]; A lies as `LIES` says.
    #[inline(always)]
    unsafe fn together<const LIES: u8, const FETCHES: u8>(&mut self, count: usize) -> usize {
        const POINTERS: usize = MOST_ROWS.div_ceil(LINES_OF_A_POINTER);
        let (simd, rows) = (self.simd, self.way.a_row.wrapping_mul(LINES_OF_A_POINTER as isize));
        let mut a = [self.at.a; POINTERS];
        for g in 1..POINTERS {
            if LIES == ALONG {
                a[g] = simd.pin_address(a[g - 1].wrapping_offset(rows));
            }
        }
        // Each row of A is asked for in a step of its own.
        let together = const { if FETCHES == ROWS { MOST_ROWS } else { TOGETHER } };
        for _ in 0..count / together {
            macro_rules! steps {
                ($($u:expr),*) => {
                    // SAFETY: the caller's debt.
                    $(unsafe { self.step::<LIES, FETCHES, POINTERS>(&mut a, $u) };)*
                };
            }
            if cfg!(debug_assertions) {
                // Slow in any case, and a quarter of the code, for the compiler does not know how many they are.
                for u in 0..black_box(together) {
                    steps!(u);
                }
            } else {
                // Not a loop, which the compiler would leave one.
                steps!(0, 1, 2, 3);
                if FETCHES == ROWS {
                    steps!(4, 5, 6, 7);
                }
            }
            if LIES == ALONG {
                for g in 0..POINTERS {
                    a[g] = simd.pin_address(a[g].wrapping_add(together));
                }
            }
        }
        self.at.a = a[0];
        count % together
    }

    /// One step, `u` after that of the pointers to A if its elements follow each other along k.
    ///
    /// # Safety
    /// As [`Steps::together`].
    #[inline(always)]
    unsafe fn step<const LIES: u8, const FETCHES: u8, const POINTERS: usize>(
        &mut self,
        a: &mut [*const T; POINTERS],
        u: usize,
    ) {
        // Loops, not closures given to others, and no operation that debug builds check: what is not inlined here is not code of the
        // instruction set, and all that is here is compiled for every tile.
        let (simd, Way { a_row, a_k, b_k, ahead, .. }) = (self.simd, self.way);
        if FETCHES == LINES {
            let line = self.at.b.wrapping_offset(FETCH_ROWS.wrapping_mul(b_k));
            for j in 0..V {
                simd.prefetch(line.wrapping_add(j * T::LANES));
            }
        }
        // Bytes from one row of A to the next.
        let row = bytes::<T>(a_row);
        if LIES == ALONG && FETCHES == ROWS && u < R {
            simd.prefetch(nth_line(a, u, row).wrapping_add(u).wrapping_offset(ahead));
        }
        if (FETCHES == ROW_OF_A || FETCHES == LINES) && (LIES == ACROSS || u == 0) {
            simd.prefetch(a[0].wrapping_offset(ahead));
        }
        // SAFETY: the caller's debt. The pointers step past the end only by wrapping.
        unsafe {
            let mut b = [simd.splat(T::ZERO); V];
            for j in 0..V {
                b[j] = load::<T, S, V, KIND>(simd, self.at.b, j, self.last);
            }
            if KIND == PACKING {
                for j in 0..V {
                    simd.store(self.at.packed.wrapping_add(j * T::LANES), b[j]);
                }
                self.at.packed = self.at.packed.wrapping_add(V * T::LANES);
            }
            for i in 0..R {
                let x = simd.splat(*match LIES {
                    ALONG => nth_line(a, i, row).wrapping_add(u),
                    ACROSS => a[0].wrapping_add(i),
                    _ => a[0].wrapping_offset((i as isize).wrapping_mul(a_row)),
                });
                for j in 0..V {
                    let (low, sum) = (KIND == LOW && j == V - 1, &mut self.acc[i][j]);
                    *sum = if low { simd.fma_low(x, b[j], *sum) } else { simd.fma(x, b[j], *sum) };
                }
            }
        }
        if LIES != ANYHOW {
            for sum in self.acc.as_flattened_mut() {
                *sum = simd.pin(*sum);
            }
        }
        self.at.b = simd.pin_address(self.at.b.wrapping_offset(b_k));
        if LIES != ALONG {
            a[0] = simd.pin_address(a[0].wrapping_offset(a_k));
        }
    }
}

/// Row (or column) i of those that lie `stride` bytes apart, by the pointer that it shares.
#[inline(always)]
pub(super) fn nth_line<T, const POINTERS: usize>(at: &[*const T; POINTERS], i: usize, stride: isize) -> *const T {
    at[i / LINES_OF_A_POINTER].wrapping_byte_offset(stride.wrapping_mul((i % LINES_OF_A_POINTER) as isize))
}

/// A stride in bytes.
#[inline(always)]
pub(super) fn bytes<T>(stride: isize) -> isize {
    stride.wrapping_mul(const { size_of::<T>() as isize })
}
