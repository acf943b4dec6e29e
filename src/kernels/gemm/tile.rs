//! The register tile: with its steps along k (steps.rs) the only place where GEMM multiplies.
//!
//! ```text
//!              B: one row of V vectors a step, loaded once
//!             ┌────────┬────────┬────────┐
//!             │  b[0]  │  b[1]  │  b[2]  │
//!             └────────┴────────┴────────┘
//!   A: R      ┌────────┬────────┬────────┐
//!   broadcasts│ acc += a[i] · b[j]       │  R × V accumulators, all in registers for the whole K loop
//!    a step   └────────┴────────┴────────┘
//! ```
//!
//! One source for every instruction set, both element types and every size of tile: `R` and `V` are const generics, so
//! that a tile of 3 rows by 2 vectors is code for just that. At a column edge the last vector ends with the columns and computes some of
//! the one before once more, or if it is the only one, is masked.

use super::steps::{Ahead, At, Steps, TOGETHER, Way};
use super::{Bias, Operand, Product, Tile};
use crate::element::Element;
use crate::kernels::activation::{Function, Relu};
use crate::simd::{Kernel, Simd};

/// A grid of tiles of one size: where they read and what they do to C. Tiles go along the rows of C first, so that the
/// rows of A in use stay in L1.
pub(super) struct Strip<T> {
    /// Steps along K.
    pub(super) k: usize,
    /// A at the first row.
    pub(super) a: Operand<T>,
    /// Rows of C, a multiple of the tile's.
    pub(super) rows: usize,
    pub(super) b: Panels<T>,
    /// Where B is packed to on the way, by a tile that does so.
    pub(super) packed: *mut T,
    /// Tiles side by side.
    pub(super) panels: usize,
    /// Columns of C in the last of them, at most the tile's; those before it are whole.
    pub(super) cols: usize,
    pub(super) c: *mut T,
    pub(super) c_row: isize,
    pub(super) update: Update<T>,
    pub(super) fetch: Fetch,
}

/// What the tiles ask for ahead of its use.
#[derive(Clone, Copy)]
pub(super) struct Fetch {
    pub(super) operands: Ahead,
    /// The next tile of C, which is read.
    pub(super) c: bool,
}

/// Steps of k from which hints pay: at 16 they cost 784×512 `f32` 30 %, at 64 up to 6 %, at 128 nothing.
const FETCH_STEPS: usize = 128;
/// Likewise for the lines of C where it is read: those that are only written nothing waits for (64³ 1.03 times as fast without on Emerald
/// Rapids, 2048×2048×64 1.02).
const FETCH_C_STEPS: usize = 48;
/// Likewise for all rows of A, where one panel is all of B, and bytes of A, of which L2 then holds little: rows as short as that end before
/// the hardware has seen that they go on (10000×16×128 1.23 to 1.32 times as fast on Emerald Rapids, `f32` and `f64`).
const TALL_STEPS: usize = 32;
const TALL_BYTES: usize = 512 << 10;

impl Fetch {
    pub(super) const NONE: Self = Self { operands: Ahead::Nothing, c: false };

    /// For tiles of a block of `n` columns and `k` steps. A short chain ends before a line arrives, and rows that go through B once leave it
    /// to the hardware, which fetches ahead better than any hint (20 to 50 % more GB/s). So do those that find B in L2, but not as a copy: its
    /// rows then lie far apart, and hints for them, from whatever distance, cost 6 % (256³ `f32` on Granite Rapids: 99.7 % of the peak in the
    /// loop without, 93.7 with them; `f64` 4 %; AVX2 nothing). The hint for A stays: from memory it gains up to 4 %, in L2 it costs nothing.
    pub(super) fn of<T: Element>(p: &Product<T>, tile: Tile, (n, k): (usize, usize), b_is_near: bool) -> Self {
        let a_bytes = p.m.saturating_mul(k).saturating_mul(size_of::<T>());
        let is_tall = n <= tile.vectors * T::LANES && p.a.row != 1 && k >= TALL_STEPS && a_bytes >= TALL_BYTES;
        let operands = match p.m > tile.rows {
            true if is_tall => Ahead::Rows,
            true if k >= FETCH_STEPS && b_is_near => Ahead::RowOfA,
            true if k >= FETCH_STEPS => Ahead::Lines,
            _ => Ahead::Nothing,
        };
        Self { operands, c: k >= FETCH_C_STEPS }
    }
}

/// B as the tiles read it, a panel as wide as the tile after the other.
#[derive(Clone, Copy)]
pub(super) struct Panels<T> {
    pub(super) ptr: *const T,
    /// Elements from one step of k to the next.
    pub(super) k: isize,
    /// Elements from one panel to the next.
    pub(super) panel: isize,
}

/// C ← α·acc + β·C + bias, and max(0, …) of that where `relu`; β = 0 does not read C.
#[derive(Clone, Copy)]
pub(super) struct Update<T> {
    pub(super) alpha: T,
    pub(super) beta: T,
    pub(super) bias: Bias<T>,
    pub(super) relu: bool,
}

/// The widths that tiles come in, in vectors. Tiles of fewer rows may be wider.
pub(super) const VECTORS: [usize; 7] = [1, 2, 3, 4, 6, 8, WIDEST];
/// The last of them.
pub(super) const WIDEST: usize = 12;

/// The widest tile of at most `vectors` vectors, at least 1.
pub(super) fn widest(vectors: usize) -> usize {
    const WIDEST_OF: [u8; WIDEST + 1] = [1, 1, 2, 3, 4, 4, 6, 6, 8, 8, 8, 8, 12];
    WIDEST_OF[vectors.min(WIDEST)].into()
}

/// Panels of `vectors` vectors that `n` columns have; one less where a single vector would remain, for [`next_width`] to share out.
pub(super) fn whole_panels<T: Element>(vectors: usize, n: usize) -> usize {
    let width = vectors * T::LANES;
    if n < width {
        return 0;
    }
    let (panels, left) = (n / width, n % width);
    if vectors > 2 && left > 0 && left <= T::LANES { panels - 1 } else { panels }
}

/// Vectors of the next tile, at most `most`, where `left` are left: not so many that a single one remains, whose few chains would wait for
/// themselves.
pub(super) fn next_width(most: usize, left: usize) -> usize {
    let wide = widest(most.min(left));
    if wide > 2 && left - wide == 1 { widest(wide - 1) } else { wide }
}

/// Whether a tile fits a register file of `registers` vectors: its accumulators, one row of B (which a tile of one row
/// uses once, straight from memory) and a broadcast.
pub(super) const fn fits(registers: usize, rows: usize, vectors: usize) -> bool {
    let row = if rows == 1 { 0 } else { vectors };
    rows * vectors + row < registers
}

/// The code of one size of tile.
///
/// # Safety
/// To call it: for the strip's rows and columns, A and B over `k` steps and the bias are readable, C is writable (and
/// readable unless β is 0). Unless masked, the columns are as many as the tile has.
pub(super) type Run<T, S> = unsafe fn(S, &Strip<T>);

/// What a tile does besides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// The only vector is partial.
    Masked,
    /// The last vector begins before the one before it ends: no mask, which would take an instruction a step (an FMA's on Emerald Rapids).
    Shifted,
    /// The last vector is half or less, and half of the work.
    Low,
    /// Each row of B is stored to the packed panel when it has been loaded.
    Packing,
    /// C goes past the caches. It begins on a 64-byte boundary, and so do its rows.
    Streaming,
}

/// [`Kind`] as a const generic.
pub(super) const PLAIN: u8 = Kind::Plain as u8;
pub(super) const MASKED: u8 = Kind::Masked as u8;
pub(super) const SHIFTED: u8 = Kind::Shifted as u8;
pub(super) const LOW: u8 = Kind::Low as u8;
pub(super) const PACKING: u8 = Kind::Packing as u8;
pub(super) const STREAMING: u8 = Kind::Streaming as u8;

const fn is_partial(kind: u8) -> bool {
    kind == MASKED || kind == LOW
}

/// Rows from which tiles can pack. Where a copy of B pays tiles are that high, unless the steps are few.
pub(super) const PACKING_ROWS: usize = 6;

/// Whether a tile can write past the caches: those that large products of few steps use.
pub(super) const fn streams(tile: Tile) -> bool {
    matches!((tile.rows, tile.vectors), (_, 4) | (2, 2) | (6, 1))
}

/// The kind of a tile of `vectors` vectors, the last of them `short` lanes short.
pub(super) fn edge<T: Element>(vectors: usize, short: usize, halves_are_cheap: bool) -> Kind {
    match short {
        0 => Kind::Plain,
        _ if short >= T::LANES / 2 && vectors <= LOW_VECTORS && halves_are_cheap => Kind::Low,
        _ if vectors == 1 => Kind::Masked,
        _ => Kind::Shifted,
    }
}

/// Vectors up to which half of one matters.
const LOW_VECTORS: usize = 3;

/// The code of a tile that fits.
pub(super) fn select<T: Element, S: Simd<T>>(tile: Tile, kind: Kind) -> Run<T, S> {
    macro_rules! sizes {
        ($(($r:literal, $v:literal)),*) => {
            match (tile.rows, tile.vectors, kind) {
                $(
                    ($r, $v, Kind::Plain) if const { fits(S::REGISTERS, $r, $v) } => call::<T, S, $r, $v, PLAIN>,
                    ($r, $v, Kind::Masked) if const { fits(S::REGISTERS, $r, $v) && $v == 1 } => call::<T, S, $r, $v, MASKED>,
                    ($r, $v, Kind::Shifted) if const { fits(S::REGISTERS, $r, $v) && $v > 1 } => call::<T, S, $r, $v, SHIFTED>,
                    ($r, $v, Kind::Low) if const { fits(S::REGISTERS, $r, $v) && $v <= LOW_VECTORS } => {
                        call::<T, S, $r, $v, LOW>
                    }
                    ($r, $v, Kind::Packing) if const { fits(S::REGISTERS, $r, $v) && $r >= PACKING_ROWS } => {
                        call::<T, S, $r, $v, PACKING>
                    }
                    ($r, $v, Kind::Streaming) if const { fits(S::REGISTERS, $r, $v) && streams(Tile { rows: $r, vectors: $v }) } => {
                        call::<T, S, $r, $v, STREAMING>
                    }
                )*
                _ => unreachable!("no code for {tile:?}"),
            }
        };
    }
    sizes!(
        (1, 1),
        (1, 2),
        (1, 3),
        (1, 4),
        (1, 6),
        (1, 8),
        (1, 12),
        (2, 1),
        (2, 2),
        (2, 3),
        (2, 4),
        (2, 6),
        (2, 8),
        (3, 1),
        (3, 2),
        (3, 3),
        (3, 4),
        (3, 6),
        (4, 1),
        (4, 2),
        (4, 3),
        (4, 4),
        (4, 6),
        (5, 1),
        (5, 2),
        (5, 3),
        (5, 4),
        (6, 1),
        (6, 2),
        (6, 3),
        (6, 4),
        (7, 1),
        (7, 2),
        (7, 3),
        (8, 1),
        (8, 2),
        (8, 3)
    )
}

/// # Safety
/// As [`Run`].
unsafe fn call<T: Element, S: Simd<T>, const R: usize, const V: usize, const KIND: u8>(simd: S, strip: &Strip<T>) {
    simd.call(TilesOf::<T, R, V, KIND>(strip));
}

/// Tiles of `R` rows and `V` vectors of one [`Kind`]. Whoever makes one owes what [`Run`] asks for.
struct TilesOf<'a, T, const R: usize, const V: usize, const KIND: u8>(&'a Strip<T>);

impl<T: Element, const R: usize, const V: usize, const KIND: u8> Kernel<T> for TilesOf<'_, T, R, V, KIND> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let strip = self.0;
        let width = V * T::LANES;
        let last = Last::new(simd, V, strip.cols);
        let mut i = 0;
        while i < strip.rows {
            let (mut b, mut c) = (strip.b.ptr, strip.c.wrapping_offset(i as isize * strip.c_row));
            for j in 0..strip.panels {
                // Each tile fetches one row of the A that the next rows will need, and the C of the next tile. Rows that lie side by side
                // share lines: all of them have the first or the last.
                let row = match strip.fetch.operands {
                    Ahead::Rows => 0,
                    _ if strip.a.row == 1 => j % 2 * (R - 1),
                    _ => j % R,
                };
                let ahead = super::offset(R + row, strip.a.row, 0, 1);
                let (a_row, a_k, b_k) = (strip.a.row, strip.a.col, strip.b.k);
                let way = Way { a_row, a_k, b_k, fetches: strip.fetch.operands, ahead };
                let (next_i, next_j) = if j + 1 < strip.panels { (0, width) } else { (R, 0) };
                let next_c = c.wrapping_offset(super::offset(next_i, strip.c_row, next_j, 1)).cast_const();
                // SAFETY: whoever made the kernel owes what `Run` asks for.
                unsafe {
                    let packed = strip.packed.wrapping_offset(j as isize * (strip.k * width) as isize);
                    let mut steps =
                        Steps::<T, S, R, V, KIND>::new(simd, last, way, At { a: strip.a.at(i, 0), b, packed });
                    accumulate(&mut steps, strip, next_c);
                    let update = Update { bias: strip.update.bias.at(i, j * width), ..strip.update };
                    write::<T, S, R, V, KIND>(simd, last, (c, strip.c_row), update, steps.acc);
                }
                b = b.wrapping_offset(strip.b.panel);
                c = c.wrapping_add(width);
            }
            i += R;
        }
        if KIND == STREAMING {
            simd.fence();
        }
    }
}

/// All steps of a tile. The lines of `next_c`, the next tile of C, are on their way meanwhile where it is read: a row at a time, for all at
/// once would keep those of B waiting.
///
/// # Safety
/// As [`Run`].
#[inline(always)]
unsafe fn accumulate<T: Element, S: Simd<T>, const R: usize, const V: usize, const KIND: u8>(
    steps: &mut Steps<T, S, R, V, KIND>,
    strip: &Strip<T>,
    mut next_c: *const T,
) {
    let mut rows = if strip.fetch.c { R } else { 0 };
    let mut left = strip.k;
    while left > 0 {
        let count = if rows > 0 { TOGETHER.min(left) } else { left };
        left -= count;
        if rows > 0 {
            rows -= 1;
            (0..V).for_each(|j| steps.simd.prefetch(next_c.wrapping_add(j * T::LANES)));
            next_c = next_c.wrapping_offset(strip.c_row);
        }
        // SAFETY: the caller's debt.
        unsafe { steps.add(count) };
    }
}

/// Updates the tile of C.
///
/// # Safety
/// As [`Run`].
#[inline(always)]
pub(super) unsafe fn write<T: Element, S: Simd<T>, const R: usize, const V: usize, const KIND: u8>(
    simd: S,
    last: Last<S::M>,
    (c, c_row): (*mut T, isize),
    update: Update<T>,
    mut acc: [[S::V; V]; R],
) {
    let Update { alpha, beta, bias, relu } = update;
    let (va, vb) = (simd.splat(alpha), simd.splat(beta));
    // SAFETY: the caller's debt.
    unsafe {
        // Without old values and factor, as most products are, the sums are the result.
        if beta != T::ZERO || alpha != T::ONE {
            for i in 0..R {
                let c = c.offset(i as isize * c_row);
                for j in 0..V {
                    acc[i][j] = if beta == T::ZERO {
                        simd.mul(va, acc[i][j])
                    } else {
                        let old = load::<T, S, V, KIND>(simd, c, j, last);
                        simd.fma(va, acc[i][j], simd.mul(vb, old))
                    };
                }
            }
        }
        match bias {
            Bias::None => {}
            Bias::PerColumn(bias) => {
                for j in 0..V {
                    let shift = load::<T, S, V, KIND>(simd, bias, j, last);
                    for i in 0..R {
                        acc[i][j] = simd.add(acc[i][j], shift);
                    }
                }
            }
            Bias::PerRow(bias) => {
                for i in 0..R {
                    let shift = simd.splat(*bias.add(i));
                    for j in 0..V {
                        acc[i][j] = simd.add(acc[i][j], shift);
                    }
                }
            }
        }
        for i in 0..R {
            let c = c.offset(i as isize * c_row);
            for j in 0..V {
                let value = if relu { Relu::value(simd, acc[i][j]) } else { acc[i][j] };
                if KIND == STREAMING {
                    simd.store_past_caches(c.add(j * T::LANES), value);
                } else if is_partial(KIND) && j == V - 1 {
                    simd.store_masked(last.lanes, c.add(j * T::LANES), value);
                } else {
                    simd.store(c.add(last.first_lane::<T, V, KIND>(j)), value);
                }
            }
        }
    }
}

/// Where the last vector of a tile lies at a column edge.
#[derive(Clone, Copy)]
pub(super) struct Last<M> {
    /// The lanes that exist, of one that is partial.
    lanes: M,
    /// The first column of one that is shifted.
    shifted: usize,
}

impl<M> Last<M> {
    /// Of `vectors` with `cols` columns.
    #[inline(always)]
    pub(super) fn new<T: Element, S: Simd<T, M = M>>(simd: S, vectors: usize, cols: usize) -> Self {
        Self { lanes: simd.first(cols - (vectors - 1) * T::LANES), shifted: cols.wrapping_sub(T::LANES) }
    }

    /// The first column of vector `j`.
    #[inline(always)]
    fn first_lane<T: Element, const V: usize, const KIND: u8>(&self, j: usize) -> usize {
        if KIND == SHIFTED && j == V - 1 { self.shifted } else { j * T::LANES }
    }
}

/// Vector `j` of a row of a tile, or the part of it that exists.
///
/// # Safety
/// The elements that are asked for are readable.
#[inline(always)]
pub(super) unsafe fn load<T: Element, S: Simd<T>, const V: usize, const KIND: u8>(
    simd: S,
    row: *const T,
    j: usize,
    last: Last<S::M>,
) -> S::V {
    let p = row.wrapping_add(last.first_lane::<T, V, KIND>(j));
    // SAFETY: the caller's debt.
    unsafe { if is_partial(KIND) && j == V - 1 { simd.load_masked(last.lanes, p) } else { simd.load(p) } }
}
