//! [`GemmPlan`]: which tile, which blocks, what is packed. Plain data: tests assert it, benches print it.

use super::cost::{SMALL_DEPTH, TINY_WORK};
use super::memory::BEYOND_L2;
use super::small::{CHAINS, is_latent};
use super::steps::MOST_ROWS;
use super::{Product, memory, outer, tile};
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
    /// Rows of A that are copied at once, before tiles read them: so many that a step of a transposed A is a run of several lines (against 48 rows
    /// 1024×1024×1024 `f32` 1.03 times as fast on Granite Rapids, 784×784×1024 1.01, `f64` 1.01).
    pub(super) fn rows_of_a_copy(self) -> usize {
        384 / self.rows * self.rows
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
        if !is_small(p, registers) {
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
        let is_outer = !is_dot && outer::fits(p, registers) && !p.streams_c();
        let plain = Self::plain(p, if is_outer { GemmPath::Outer } else { path }, tile);
        // The rest is for products that take longer than the choice.
        if is_outer || !is_dot && p.b.col == 1 && p.work() <= SMALL_WORK {
            return plain;
        }
        let packing = if is_dot {
            if p.b.row == 1 { Packing::InPlace } else { Packing::Before }
        } else if p.b.col != 1 && p.n > 1 {
            Packing::Before
        } else if p.streams_b() || !p.copies_b(tile) {
            Packing::InPlace
        } else if p.b.col == 1 && tile.rows >= tile::PACKING_ROWS {
            Packing::OnTheWay
        } else {
            Packing::Before
        };
        let plan = Self { packing, streams_c: p.streams_c(), ..plain };
        if is_dot {
            return plan;
        }
        let plan = Self { kc: p.steps_of_a_block(), packs_a: p.copies_a(), ..plan };
        match packing {
            _ if p.streams_b() => Self { nc: p.n.next_multiple_of(tile.vectors * T::LANES), ..plan },
            Packing::InPlace => plan,
            Packing::Before if p.k <= SHALLOW_STEPS && p.bytes_of_c() <= BEYOND_L2 / 2 => {
                let width = tile.vectors * T::LANES;
                let panel = width * p.k * size_of::<T>();
                Self { nc: width * (SHALLOW_BYTES / panel.max(1)).max(1), ..plan }
            }
            _ => Self { nc: plan.nc * (kc::<T>() / p.k.clamp(FEWEST_STEPS, plan.kc)), ..plan },
        }
    }

    /// The plan for a product whose B was packed ahead in panels of `vectors`.
    pub(crate) fn packed_ahead<T: Element>(p: &Product<T>, vectors: usize, registers: usize) -> Self {
        let tile = Tile { rows: balanced(p.m, most_rows(registers, vectors)), vectors };
        Self { packing: Packing::Ahead, streams_c: p.streams_c(), ..Self::plain(p, GemmPath::Tiles, tile) }
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
        self.kc <= 2 * memory::STREAM_STEPS
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
        let rows = p.m.min(rows / self.tile.rows * self.tile.rows);
        if self.packs_a { rows.min(self.kept_rows(p)) } else { rows }
    }

    /// Whether the tiles read all operands where they lie, so few of them that their order does not matter.
    pub(super) fn is_one_block<T: Element>(&self, p: &Product<T>) -> bool {
        self.packing == Packing::InPlace && !self.scatter && p.k <= self.kc && p.work() <= SMALL_WORK
    }

    /// Rows of A whose copies are kept while all columns of B go by: all of A, or as many strips as some memory holds.
    pub(super) fn kept_rows<T: Element>(&self, p: &Product<T>) -> usize {
        let (high, row) = (self.tile.rows, self.kc * size_of::<T>());
        p.m.min(COPIED_BYTES / row / high * high)
    }

    /// Elements of the copied rows of A.
    pub(super) fn packed_a<T: Element>(&self, p: &Product<T>) -> usize {
        let strips = self.kept_rows(p).div_ceil(self.tile.rows);
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
/// or few steps, and little work. No turn, dot product, copy or block would gain more than it takes to choose. One or two rows of a vector of columns
/// may have more steps, for they wait for their sums (1×10×1024 `f32` 2.6 times as fast by four chains, 2×10×1024 1.8, AVX2 2.2 and 1.1; one row
/// of two vectors 1.1 to 1.3, AVX2 0.7 to 0.9).
pub(crate) fn is_small<T: Element>(p: &Product<T>, registers: usize) -> bool {
    if p.n > SMALL_COLUMNS || p.b.col != 1 || p.c.col != 1 || p.panels_from.is_some() || p.column_sums.is_some() {
        return false;
    }
    if p.n == 1 && p.lie_along_k() {
        return false;
    }
    let width = p.n.next_multiple_of(T::LANES);
    let work = p.m.saturating_mul(width).saturating_mul(p.k);
    let is_dense = width - p.n <= p.n / 8 && p.k <= SMALL_DEPTH;
    let is_flat = p.n >= T::LANES / 2 && (p.m <= 8 || p.k <= FLAT_DEPTH);
    // No chain is longer than those of tiles.
    let is_latent = || p.n <= T::LANES && is_latent(p) && p.k <= CHAINS * kc::<T>();
    let is_little = work <= FEW_COLUMNS_WORK && p.k <= kc::<T>() || is_latent();
    is_little && (is_dense || is_flat || work <= TINY_WORK) && !outer::fits(p, registers)
}

/// Steps of k of a small product that may leave lanes idle.
const FLAT_DEPTH: usize = 16;
/// The most columns of small products.
pub(super) const SMALL_COLUMNS: usize = 64;
/// Multiply–adds of a small product, those of idle lanes too: with more, other plans were up to 1.1 times as fast (AVX2).
pub(super) const FEW_COLUMNS_WORK: usize = 1 << 15;
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
/// The block of B that is copied before, of so few steps: half of an L1, from which it is read at once (32×784×32 with Wᵀ 1.17 times as fast on Granite
/// Rapids, `f64` 1.24, 8×1024×10 1.18 and 1.5, 64×1024×64 1.05 and 1.08, AVX2 1.0 to 1.2; 256 steps 0.97 to 1.03), as long as half of an L2 holds C, whose
/// rows each block crosses (256×1024×32 `f64` 0.98, on two cores 0.86, 1024×512×20 0.77).
const SHALLOW_BYTES: usize = 16 << 10;
const SHALLOW_STEPS: usize = 128;
/// Fewer steps do not make the block of B wider.
const FEWEST_STEPS: usize = 64;
/// The block of B: 768 KiB of an L2 of 1 MiB. From 512 to 1536 KiB nothing changes by 2 %.
const BLOCK_BYTES: usize = 768 << 10;
/// Narrow tiles are those of AVX2, where it may be the best that there is, and L2 as small as the 512 KiB of Zen 2 and 3.
const NARROW_BLOCK_BYTES: usize = 384 << 10;
/// Memory for rows of A that are copied.
const COPIED_BYTES: usize = 8 << 20;

/// Elements that a strip of packed A takes: its rows, and a vector more, which the last store may touch.
pub(super) const fn strip_len<T: Element>(rows: usize, k: usize) -> usize {
    rows * k + T::LANES
}

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
