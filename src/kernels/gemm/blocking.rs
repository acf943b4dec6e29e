//! [`GemmPlan`]: which tile, which blocks, what is packed. Plain data: tests assert it, benches print it.

use super::cost::{SMALL_DEPTH, TINY_WORK};
use super::steps::MOST_ROWS;
use super::{Operand, Product, outer, tile};
use crate::element::Element;
use core::fmt;

/// Rows of A and vectors of B that one register tile multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Rows of C.
    pub rows: usize,
    /// 64-byte vectors along the columns of C.
    pub vectors: usize,
}

impl Tile {
    /// Rows of A that are copied before tiles read them, so that each cache line of a transposed A is read once.
    pub(super) fn rows_of_lines(self) -> usize {
        48 / self.rows * self.rows
    }
}

/// What computes the elements of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GemmPath {
    /// Register tiles: one FMA chain per element and block of k, or four where one or two vectors are all of C and k is short.
    Tiles,
    /// Dot products of rows of A and columns of B that are contiguous along k.
    Dots,
    /// Sums of one to four outer products, written row by row; the bits are those of tiles.
    Outer,
}

/// What becomes of B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// It is read where it lies.
    InPlace,
    /// It is copied, block by block, before the block is used.
    Before,
    /// It is copied by the tiles of the first strip of C, while they multiply: 1 to 2 % less time at 1024³ than `Before`.
    OnTheWay,
    /// It was copied before the call, to a [`PackedB`](crate::PackedB).
    Ahead,
}

/// How a product is computed: what [`Exec::plan`](crate::Exec::plan) says. It depends on the shape, the strides, the element
/// type and the registers of the instruction set, and never on values, caches or the load of the machine; whether B is copied
/// depends also on whether it begins on a cache line, as [`Exec::plan`](crate::Exec::plan) assumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GemmPlan {
    /// Cᵀ = Bᵀ·Aᵀ is computed: what follows is about that product.
    pub swapped: bool,
    /// Tiles or dot products.
    pub path: GemmPath,
    /// The register tile.
    pub tile: Tile,
    /// What becomes of B.
    pub packing: Packing,
    /// Rows of A are copied before they are used, for all columns of B.
    pub packs_a: bool,
    /// C has no unit stride: strips of it are computed in scratch memory and transposed or scattered.
    pub scatter: bool,
    /// C is large and little is done for each element: where it lies on cache lines and is not read, it is written past the
    /// caches, without fetching it first.
    pub streams_c: bool,
    /// Steps of k in one FMA chain of a tile. It decides the bits, and so depends on the element type, shape and strides only.
    pub kc: usize,
    /// Columns of the block of B.
    pub nc: usize,
    /// The most parts, (along the rows, along the columns) of C, that the threads share out. Fewer where helpers sleep.
    pub parts: (usize, usize),
}

/// `turned tiles 6x4, packed on the way`: the choices, without the sizes of blocks.
impl fmt::Display for GemmPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turned = if self.swapped { "turned " } else { "" };
        let path = match self.path {
            GemmPath::Tiles => format_args!("tiles {}x{}", self.tile.rows, self.tile.vectors),
            GemmPath::Dots => format_args!("dots"),
            GemmPath::Outer => format_args!("outer products"),
        };
        let packing = match self.packing {
            Packing::InPlace => "in place",
            Packing::Before => "packed before",
            Packing::OnTheWay => "packed on the way",
            Packing::Ahead => "packed ahead",
        };
        let scatter = if self.scatter { ", scattered" } else { "" };
        let streams = if self.streams_c { ", past the caches" } else { "" };
        let a = if self.packs_a { ", A packed" } else { "" };
        write!(f, "{turned}{path}, {packing}{a}{scatter}{streams}")
    }
}

/// Steps of k in one FMA chain: 512 `f32` or 384 `f64`. The 6 rows of A in use then take 12 or 18 KiB of L1. More steps
/// write C less often: against 256, 384 `f64` gained 2 to 4 % at 1024³.
pub(super) const fn kc<T: Element>() -> usize {
    if size_of::<T>() == 4 { 512 } else { 384 }
}

impl GemmPlan {
    /// Turns the product as it is less work, and plans it in one part.
    pub(crate) fn new<T: Element>(p: &mut Product<T>, registers: usize) -> Self {
        if p.is_column_major() {
            *p = p.swapped();
            let plan = Self::new(p, registers);
            return Self { swapped: !plan.swapped, ..plan };
        }
        if !is_small(p) {
            return Self::not_small(p, registers);
        }
        let vectors = small_vectors(p, registers);
        let tile = Tile { rows: p.m.min(most_rows(registers, vectors)), vectors };
        Self::plain(p, GemmPath::Tiles, tile)
    }

    /// [`GemmPlan::new`] where it is known that the product is not small.
    pub(crate) fn not_small<T: Element>(p: &mut Product<T>, registers: usize) -> Self {
        let (swapped, path) = p.least_work();
        if swapped {
            *p = p.swapped();
        }
        Self { swapped, ..Self::oriented(p, path, registers) }
    }

    /// The plan for a product that is turned already.
    fn oriented<T: Element>(p: &Product<T>, path: GemmPath, registers: usize) -> Self {
        let vectors = p.n.div_ceil(T::LANES);
        let is_short = p.k <= SHORT_CHAIN && registers > NARROW_REGISTERS;
        let wide = if p.a.row == 1 && !vectors.is_multiple_of(4) { TRANSPOSED_TILE_ROWS } else { WIDE_TILE_ROWS };
        let tile = if is_short { short_tile(p.m, vectors, registers) } else { tile_for(p.m, wide, vectors, registers) };
        let is_dot = path == GemmPath::Dots;
        let is_outer = !is_dot && outer::fits(p) && !streams_c(p);
        let plain = Self::plain(p, if is_outer { GemmPath::Outer } else { path }, tile);
        // The rest is for products that take longer than the choice.
        if is_outer || !is_dot && p.b.col == 1 && p.work() <= SMALL_WORK {
            return plain;
        }
        let packing = if is_dot {
            if p.b.row == 1 { Packing::InPlace } else { Packing::Before }
        } else if p.b.col != 1 && p.n > 1 {
            Packing::Before
        } else if streams(p) || !worth_packing(p, tile) {
            Packing::InPlace
        } else if p.b.col == 1 && tile.rows >= tile::PACKING_ROWS {
            Packing::OnTheWay
        } else {
            Packing::Before
        };
        let plan = Self { packing, streams_c: streams_c(p), ..plain };
        if is_dot {
            return plan;
        }
        let plan = Self { kc: steps_of_a_block(p), packs_a: worth_packing_a(p), ..plan };
        match packing {
            _ if streams(p) => Self { nc: p.n.next_multiple_of(tile.vectors * T::LANES), ..plan },
            Packing::InPlace => plan,
            _ => Self { nc: plan.nc * (kc::<T>() / p.k.clamp(FEWEST_STEPS, plan.kc)), ..plan },
        }
    }

    /// The plan for a product whose B was packed ahead in panels of `vectors`.
    pub(crate) fn packed_ahead<T: Element>(p: &Product<T>, vectors: usize, registers: usize) -> Self {
        let tile = Tile { rows: balanced(p.m, most_rows(registers, vectors)), vectors };
        Self { packing: Packing::Ahead, streams_c: streams_c(p), ..Self::plain(p, GemmPath::Tiles, tile) }
    }

    /// Nothing is packed, and blocks are of the usual size, as those of a B that was packed ahead are.
    fn plain<T: Element>(p: &Product<T>, path: GemmPath, tile: Tile) -> Self {
        Self {
            swapped: false,
            path,
            tile,
            packing: Packing::InPlace,
            packs_a: false,
            scatter: p.c.col != 1 && p.n > 1,
            streams_c: false,
            kc: kc::<T>(),
            nc: columns_of_a_block::<T>(tile),
            parts: (1, 1),
        }
    }

    /// Whether B goes from memory through the tiles, whole rows, few at a time.
    pub(crate) fn streams_b(&self) -> bool {
        self.kc <= 2 * STREAM_STEPS
    }

    /// Elements of scratch memory that the plan needs: rows of C that are scattered, then packed B and copied rows of A.
    pub(crate) fn workspace<T: Element>(&self, p: &Product<T>) -> usize {
        let scattered = if self.scatter { self.scattered_rows(p) * p.n.next_multiple_of(T::LANES) } else { 0 };
        scattered + self.packed_b(p) + self.packed_a(p)
    }

    /// Rows of C that are computed in scratch memory at a time: as many as a cache holds, and if those are few, so many that B is rarely copied
    /// again.
    pub(super) fn scattered_rows<T: Element>(&self, p: &Product<T>) -> usize {
        let rows = rows_in_scratch::<T>(p.n).max(self.tile.rows);
        p.m.min(rows / self.tile.rows * self.tile.rows)
    }

    /// Whether the tiles read all operands where they lie, so few of them that their order does not matter.
    pub(super) fn is_one_block<T: Element>(&self, p: &Product<T>) -> bool {
        self.packing == Packing::InPlace && !self.scatter && p.k <= self.kc && p.work() <= SMALL_WORK
    }

    /// Rows of A whose copies are kept while all columns of B go by: all of A, or as many strips as some memory holds.
    pub(super) fn copied_rows<T: Element>(&self, p: &Product<T>) -> usize {
        let (high, row) = (self.tile.rows, self.kc * size_of::<T>());
        p.m.min(COPIED_BYTES / row / high * high)
    }

    /// Elements of the copied rows of A.
    pub(super) fn packed_a<T: Element>(&self, p: &Product<T>) -> usize {
        let strips = self.copied_rows(p).div_ceil(self.tile.rows);
        if self.packs_a { strips * strip_len::<T>(self.tile.rows, self.kc.min(p.k)) } else { 0 }
    }

    /// Elements of the packed block of B.
    pub(super) fn packed_b<T: Element>(&self, p: &Product<T>) -> usize {
        match (self.packing, self.path) {
            (Packing::InPlace | Packing::Ahead, _) => 0,
            (_, GemmPath::Dots) => p.k.next_multiple_of(T::LANES) * p.n,
            (_, GemmPath::Tiles | GemmPath::Outer) => {
                self.kc.min(p.k) * self.nc.min(p.n.next_multiple_of(self.tile.vectors * T::LANES))
            }
        }
    }
}

/// Vectors of a panel that is packed ahead: the widest tile of six rows.
pub(crate) fn panel_vectors<T: Element>(n: usize, registers: usize) -> usize {
    tile_for(WIDE_TILE_ROWS, WIDE_TILE_ROWS, n.div_ceil(T::LANES).max(1), registers).vectors
}

/// Whether nothing but the tile is chosen for a product, and that by its rows and columns alone: few columns, most lanes of use
/// or few steps, and little work. No turn, dot product, copy or block would gain more than it takes to choose.
pub(crate) fn is_small<T: Element>(p: &Product<T>) -> bool {
    if p.n > SMALL_COLUMNS || p.b.col != 1 || p.c.col != 1 || p.panels_from.is_some() || p.column_sums.is_some() {
        return false;
    }
    let width = p.n.next_multiple_of(T::LANES);
    let work = p.m.saturating_mul(width).saturating_mul(p.k);
    let is_dense = width - p.n <= p.n / 8 && p.k <= SMALL_DEPTH;
    let is_flat = p.n >= T::LANES / 2 && (p.m <= 8 || p.k <= FLAT_DEPTH);
    work <= FEW_COLUMNS_WORK && p.k <= kc::<T>() && (is_dense || is_flat || work <= TINY_WORK) && !outer::fits(p)
}

/// Steps of k of a small product that may leave lanes idle.
const FLAT_DEPTH: usize = 16;
/// The most columns of small products.
const SMALL_COLUMNS: usize = 64;
/// Multiply–adds of a small product, those of idle lanes too: with more, other plans were up to 1.1 times as fast (AVX2).
const FEW_COLUMNS_WORK: usize = 1 << 15;
/// Vectors of columns that small products have code for.
const SMALL_VECTORS: usize = 4;

/// Vectors of a small product that are computed together: all or half, or where registers are few, as many as leave room for the
/// rows.
pub(super) fn small_vectors<T: Element>(p: &Product<T>, registers: usize) -> usize {
    let vectors = p.n.div_ceil(T::LANES);
    let most = if vectors > SMALL_VECTORS { vectors.div_ceil(2) } else { vectors };
    if registers > NARROW_REGISTERS {
        return most;
    }
    (1..=most).rev().find(|&vectors| tile::fits(registers, p.m.min(3), vectors)).unwrap_or(1)
}

/// Rows of the highest tile of so many vectors.
pub(super) const fn most_rows(registers: usize, vectors: usize) -> usize {
    let mut rows = MOST_ROWS;
    while rows > 1 && !tile::fits(registers, rows, vectors) {
        rows -= 1;
    }
    rows
}

/// Whole panels that make a block.
fn columns_of_a_block<T: Element>(tile: Tile) -> usize {
    const fn columns<T: Element>(vectors: usize) -> usize {
        let bytes = if vectors <= 2 { NARROW_BLOCK_BYTES } else { BLOCK_BYTES };
        let (width, fitting) = (vectors * T::LANES, bytes / size_of::<T>() / kc::<T>());
        if fitting > width { fitting / width * width } else { width }
    }
    // A table: to divide takes as long as the smallest products.
    let table = const {
        let mut table = [0; tile::WIDEST + 1];
        let mut vectors = 1;
        while vectors <= tile::WIDEST {
            table[vectors] = columns::<T>(vectors);
            vectors += 1;
        }
        table
    };
    table[tile.vectors]
}

/// Rows of `n` columns that are computed in scratch memory at a time, of however many rows tiles have.
pub(super) fn rows_in_scratch<T: Element>(n: usize) -> usize {
    let row = n.next_multiple_of(T::LANES).saturating_mul(size_of::<T>()).max(1);
    FEW_SCATTERED_ROWS.clamp(SCATTERED_BYTES / row, (16 * SCATTERED_BYTES / row).max(1))
}

/// Memory for rows of C that are scattered: what half of an L2 holds, or 16 times as much for so many rows.
const SCATTERED_BYTES: usize = 512 << 10;
const FEW_SCATTERED_ROWS: usize = 240;
/// Fewer steps do not make the block of B wider.
const FEWEST_STEPS: usize = 64;
/// The block of B: 768 KiB of an L2 of 1 MiB. From 512 to 1536 KiB nothing changes by 2 %.
const BLOCK_BYTES: usize = 768 << 10;
/// Narrow tiles are those of AVX2, where it may be the best that there is, and L2 as small as the 512 KiB of Zen 2 and 3.
const NARROW_BLOCK_BYTES: usize = 384 << 10;
/// Whether a copy of a row-major B pays. It is for a B whose rows a tile reads in short pieces (64 or 128 bytes), for one
/// whose vectors lie on two cache lines each (511³ `f32` 1.3 times as fast on Emerald Rapids, 96×511×511 1.1 times), for one
/// whose rows lie a multiple of 4 KiB apart and so share a few sets of the caches, and for one that no L2 holds; and for as
/// many rows of A as read it often enough (256×784×1024 `f32` 1.03 times as fast on Granite Rapids, 384×768×768 1.06; 784×512 `f64` at 256
/// rows equal there, 3 % slower on Zen 4).
fn worth_packing<T: Element>(p: &Product<T>, tile: Tile) -> bool {
    let bytes = p.k.saturating_mul(p.n).saturating_mul(size_of::<T>());
    match tile.vectors {
        1 | 2 if bytes >= 64 << 10 => p.m >= 32,
        _ if is_split(p.b) && bytes >= 128 << 10 => p.m >= 96,
        _ if is_aliased(p.b) => p.m >= if bytes > NO_L2_BYTES { 32 } else { 256 },
        _ => p.m >= 256 && bytes >= NO_L2_BYTES,
    }
}

/// Whether rows begin within cache lines.
fn is_split<T>(operand: Operand<T>) -> bool {
    let row = operand.row.unsigned_abs().wrapping_mul(size_of::<T>());
    !(operand.ptr.addr() | row).is_multiple_of(64)
}

/// Whether rows lie a multiple of 4 KiB apart.
fn is_aliased<T>(operand: Operand<T>) -> bool {
    operand.row.unsigned_abs().wrapping_mul(size_of::<T>()).is_multiple_of(4096)
}

/// Whether copies of the rows of A pay: of a transposed A, whose steps along k lie a multiple of 4 KiB apart and share so few sets of the
/// caches that neither L1 nor L2 holds a strip of them; the hints that fetch the next strip are lost too. (1024³ `f32` 1.7 times as
/// fast on Emerald Rapids, 4096×4096×1024 twice.) And of any, where so many columns read them that a page for each step costs more: 256×784×256 and
/// ×1024 1.03 and 1.05 times as fast on Granite Rapids, `f64` 1.03 and 1.00; with 512 columns 0.98 to 1.03, or with 64 rows 1.00.
fn worth_packing_a<T: Element>(p: &Product<T>) -> bool {
    let is_wide = p.n >= 768 && p.m >= 192;
    p.a.row == 1
        && (is_aliased(p.a.t()) || is_wide)
        && p.c.col == 1
        && p.k >= 128
        && p.n >= 128
        && p.n.saturating_mul(p.k) >= 1 << 16
}

/// Memory for rows of A that are copied.
const COPIED_BYTES: usize = 8 << 20;

/// Elements that a strip of packed A takes: its rows, and a vector more, which the last store may touch.
pub(super) const fn strip_len<T: Element>(rows: usize, k: usize) -> usize {
    rows * k + T::LANES
}

/// Whether B is read from memory, not from a cache, and too few rows of A hide that: then whole rows of it are read, few at a
/// time, and C is updated more often. A single row does not hide L3 either (1×1024×1024, ×4096×784 and ×784×4096 `f32` 1.27, 1.36 and 1.39 times as
/// fast on Granite Rapids, `f64` 1.3, 1.0 and 1.0; two rows 1.0 to 1.06, on two threads 0.87).
fn streams<T: Element>(p: &Product<T>) -> bool {
    p.m <= STREAM_ROWS && has_rows_of_b(p, if p.m == 1 { NO_L2_BYTES } else { STREAM_BYTES })
}

/// Whether B lies by rows and takes so many bytes.
fn has_rows_of_b<T: Element>(p: &Product<T>, least: usize) -> bool {
    p.b.col == 1 && p.k.saturating_mul(p.n).saturating_mul(size_of::<T>()) >= least
}

/// Steps of k until C is updated. They decide the bits, and so depend on nothing but shape and strides.
fn steps_of_a_block<T: Element>(p: &Product<T>) -> usize {
    match p.m {
        ..=FEW_STREAM_ROWS if streams(p) => STREAM_STEPS,
        ..=STREAM_ROWS if streams(p) => 2 * STREAM_STEPS,
        ..=STREAM_ROWS => kc::<T>(),
        ..=SOME_ROWS if has_rows_of_b(p, NO_L2_BYTES) => kc::<T>() / 2,
        _ => kc::<T>(),
    }
}

/// Whether C goes past the caches, which do not hold it.
fn streams_c<T: Element>(p: &Product<T>) -> bool {
    let bytes = p.m.saturating_mul(p.n).saturating_mul(size_of::<T>());
    let least = if p.k == 1 { 2 * STREAM_BYTES } else { STREAM_BYTES };
    p.c.col == 1 && p.k <= STREAM_C_STEPS && bytes >= least
}

/// Rows of B that are read side by side: of 8, 16, 32 and 64 the best, 1.5 to 1.8 times as fast as panels over all of k
/// (1 to 16 × 4096 × 4096 `f32`). Twice as many for more rows of A, which update C as often (8 to 16 rows: 1.05 to 1.1 times as fast on Granite
/// Rapids, 24 and 31 rows 1.06 to 1.18 on Emerald Rapids); from 32 on tiles hide the reading (1.16 to 1.2).
const STREAM_STEPS: usize = 8;
const FEW_STREAM_ROWS: usize = 4;
const STREAM_ROWS: usize = 31;
/// Rows up to which a block of a B that no L2 holds has half of the steps and twice the columns, for runs twice as long (on Granite Rapids 32
/// rows ×1024×1024 and ×4096×4096 1.11 and 1.15 times as fast, `f64` 1.14 and 1.11, 64 rows 1.06, 1.04 and 1.08, 1.04, 128 rows 1.02, 1.02 and 1.04,
/// 1.00, with columns that are no power of two 0.98 to 1.03, 256 rows 1.00; a quarter of the steps 0.8 to 1.04).
const SOME_ROWS: usize = 128;
/// More than the L2 of a core.
const NO_L2_BYTES: usize = 2 << 20;
/// Steps of k up to which C is better written past the caches: 2 to 4 times as fast with 1 to 8 steps, 1.7 with 16, 1.1 to
/// 1.3 with 32; with 64 no gain on AVX-512 and a loss on AVX2 (4096×4096). A single outer product is done sooner in the caches as long as
/// an L3 holds it: 1.2 to 1.8 times with 16 to 31 MiB, where two already lose.
const STREAM_C_STEPS: usize = 32;
/// More than the share of L3 that a core can hope for.
pub(super) const STREAM_BYTES: usize = 16 << 20;

/// Steps of k up to which a tile does little but write C: then half of the accumulators is better on Zen 4, for the next tile can
/// begin while this one ends, and 4×4 the best shape of eleven (against 6×4: 1.1 to 1.5 times, against 8×2: 1.0 to 1.1); on Granite Rapids it
/// is 0.95 to 0.97 of 6×4, and with 9 to 16 steps, too (`f64` 0.94).
const SHORT_CHAIN: usize = 8;
/// Registers up to which half of the accumulators is too few all the same: 2×2 on AVX2.
pub(super) const NARROW_REGISTERS: usize = 8;
/// Rows of the widest tiles: with 8, rows that lie a multiple of 4 KiB apart would fill all ways of their set in L1.
const WIDE_TILE_ROWS: usize = 6;
/// Likewise where A is transposed, whose rows lie side by side: 8×3, unless four vectors fill the columns (against 6×4, 80 to 784 columns, 1.02
/// to 1.03 times as fast in the mean, 7 vectors 0.97; where four do 0.99).
const TRANSPOSED_TILE_ROWS: usize = 8;

/// Multiply–adds up to which nothing but the tile is chosen: no copy, no block matters.
const SMALL_WORK: usize = 1 << 16;

/// The tile for `m` rows and `vectors` vectors of columns: as many rows as fit (at most `wide` if it does not reach over all columns) and leave
/// no small rest, then as wide as fits, likewise.
fn tile_for(m: usize, wide: usize, vectors: usize, registers: usize) -> Tile {
    let fitting = |rows: usize| tile::VECTORS.into_iter().rev().find(|&v| tile::fits(registers, rows, v));
    let is_wide = |rows: usize| fitting(rows).is_some_and(|widest| widest < vectors);
    let most = (1..=8).rev().find(|&rows| fitting(rows).is_some() && (rows <= wide || !is_wide(rows)));
    let rows = balanced(m, most.unwrap_or(1));
    let widest = fitting(rows).unwrap_or(1);
    let even = balanced(vectors, widest);
    Tile { rows, vectors: tile::VECTORS.into_iter().find(|&v| v >= even).unwrap_or(widest) }
}

/// The tile for chains of at most [`SHORT_CHAIN`] steps: 4×4, or less wide and higher, as far as it fits.
fn short_tile(m: usize, vectors: usize, registers: usize) -> Tile {
    let vectors = [4, 3, 2, 1].into_iter().find(|&v| v <= vectors && tile::fits(registers, v, v)).unwrap_or(1);
    let fitting = |&rows: &usize| rows * vectors <= 16 && tile::fits(registers, rows, vectors);
    let most = (1..=8).rev().find(fitting);
    Tile { rows: balanced(m, most.unwrap_or(1)), vectors }
}

/// The size, at most `max`, that cuts `len` into equal parts with the fewest cuts: 9 rows by tiles of at most 8 are 5 + 4.
pub(super) fn balanced(len: usize, max: usize) -> usize {
    if len <= max { len } else { len.div_ceil(len.div_ceil(max)) }
}

#[cfg(test)]
mod tests;
