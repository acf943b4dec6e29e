//! What is copied, what is read by whole rows and what is written past the caches, and how many steps of k make a block: by the sizes of the
//! operands and by how their rows lie.

use super::blocking::{Tile, kc};
use super::{Operand, Product};
use crate::element::Element;

/// Bytes that the L2 of no core holds.
pub(super) const BEYOND_L2: usize = 2 << 20;
/// More than the share of L3 that a core can hope for.
pub(super) const BEYOND_L3: usize = 16 << 20;

impl<T: Element> Product<T> {
    pub(super) fn bytes_of_a(&self) -> usize {
        bytes::<T>(self.m, self.k)
    }

    pub(super) fn bytes_of_b(&self) -> usize {
        bytes::<T>(self.k, self.n)
    }

    pub(super) fn bytes_of_c(&self) -> usize {
        bytes::<T>(self.m, self.n)
    }

    /// Whether a copy of a row-major B pays. It is for a B whose rows a tile reads in short pieces (64 or 128 bytes), for one
    /// whose vectors lie on two cache lines each (511³ `f32` 1.3 times as fast on Emerald Rapids, 96×511×511 1.1 times), for one
    /// whose rows lie a multiple of 4 KiB apart and so share a few sets of the caches, and for one that no L2 holds; and for as
    /// many rows of A as read it often enough (256×784×1024 `f32` 1.03 times as fast on Granite Rapids, 384×768×768 1.06; 784×512 `f64` at 256
    /// rows equal there, 3 % slower on Zen 4).
    pub(super) fn copies_b(&self, tile: Tile) -> bool {
        let bytes = self.bytes_of_b();
        match tile.vectors {
            1 | 2 if bytes >= 64 << 10 => self.m >= 32,
            _ if is_split(self.b) && bytes >= 128 << 10 => self.m >= 96,
            _ if is_aliased(self.b) => self.m >= if bytes > BEYOND_L2 { 32 } else { 256 },
            _ => self.m >= 256 && bytes >= BEYOND_L2,
        }
    }

    /// Whether copies of the rows of A pay: of a transposed A whose steps along k lie a multiple of 4 KiB apart and share so few sets of the
    /// caches that neither L1 nor L2 holds a strip of them; the hints that fetch the next strip are lost too. (1024³ `f32` 1.7 times as
    /// fast on Emerald Rapids, 4096×4096×1024 twice.) And of any, where so many columns read them that a page for each step costs more
    /// (256×784×256 and ×1024 1.03 and 1.05 times as fast on Granite Rapids, 600×600×600 1.03, `f64` 1.03, 1.00 and 1.035, 784×512×512 `f64` 1.02; with
    /// 512 columns of `f32` 0.95 to 1.02, fewer 0.75 to 0.99).
    pub(super) fn copies_a(&self) -> bool {
        let is_wide = self.n >= WIDE_BYTES / size_of::<T>() && self.m.saturating_mul(self.n) >= WIDE_C;
        let is_shared = !self.has_few_columns() && self.n.saturating_mul(self.k) >= 1 << 16;
        self.a.row == 1 && self.k >= 128 && (is_wide || is_shared && is_aliased(self.a.t()))
    }

    /// Whether B has too few columns for a copy of A to pay.
    fn has_few_columns(&self) -> bool {
        self.n <= NARROW_BYTES / size_of::<T>()
    }

    /// Whether B is read from memory, not from a cache, and too few rows of A hide that: then whole rows of it are read, few at a
    /// time, and C is updated more often. A single row does not hide L3 either (1×1024×1024, ×4096×784 and ×784×4096 `f32` 1.27, 1.36 and 1.39
    /// times as fast on Granite Rapids, `f64` 1.3, 1.0 and 1.0; two rows 1.0 to 1.06, on two threads 0.87).
    pub(super) fn streams_b(&self) -> bool {
        let least = if self.m == 1 { BEYOND_L2 } else { BEYOND_L3 };
        self.m <= STREAM_ROWS && self.b.col == 1 && self.bytes_of_b() >= least
    }

    /// Whether C goes past the caches, which do not hold it.
    pub(super) fn streams_c(&self) -> bool {
        let least = if self.k == 1 { 2 * BEYOND_L3 } else { BEYOND_L3 };
        self.c.col == 1 && self.k <= STREAM_C_STEPS && self.bytes_of_c() >= least
    }

    /// Steps of k until C is updated. They decide the bits, and so depend on nothing but shape and strides.
    pub(super) fn steps_of_a_block(&self) -> usize {
        let is_far = self.b.col == 1 && self.bytes_of_b() >= BEYOND_L2;
        let is_crowded = self.a.row == 1 && is_aliased(self.a.t()) && self.has_few_columns() && self.k > FITTING_STEPS;
        match self.m {
            ..=FEW_STREAM_ROWS if self.streams_b() => STREAM_STEPS,
            _ if self.streams_b() => 2 * STREAM_STEPS,
            _ if is_crowded => kc::<T>() / 4,
            MANY_STREAM_ROWS..=SOME_ROWS if is_far => kc::<T>() / 2,
            _ => kc::<T>(),
        }
    }
}

fn bytes<T>(rows: usize, cols: usize) -> usize {
    rows.saturating_mul(cols).saturating_mul(size_of::<T>())
}

/// Whether rows begin within cache lines.
fn is_split<T>(operand: Operand<T>) -> bool {
    let row = operand.row.unsigned_abs().wrapping_mul(size_of::<T>());
    !(operand.ptr.addr() | row).is_multiple_of(64)
}

/// Whether rows lie a multiple of 4 KiB apart.
pub(super) fn is_aliased<T>(operand: Operand<T>) -> bool {
    operand.row.unsigned_abs().wrapping_mul(size_of::<T>()).is_multiple_of(4096)
}

/// Bytes of a row of B, and elements of C, from which a transposed A is copied whatever its stride.
const WIDE_BYTES: usize = 2304;
const WIDE_C: usize = 3 << 16;
/// Bytes of a row of B up to which a transposed A whose steps lie a multiple of 4 KiB apart is not copied, which takes longer than they do, but read
/// by so few steps at a time that a few sets of L2 hold its lines (1024×128×512 `f32` 1.36 times as fast on Granite Rapids as with copies, `f64` 1.14,
/// 4096×64×1024 1.86 and 1.3, 1024×256×1024 `f32` 1.15; `f64` 0.98 to 1.03, on two cores 0.88 to 0.98).
const NARROW_BYTES: usize = 1024;
/// Steps up to which all of them are one chain all the same (1024×128×256 in two chains 0.95 times as fast, `f64` 0.92).
const FITTING_STEPS: usize = 256;

/// Rows of B that are read side by side: of 8, 16, 32 and 64 the best, 1.5 to 1.8 times as fast as panels over all of k
/// (1 to 16 × 4096 × 4096 `f32`). Twice as many for more rows of A, which update C as often (8 to 16 rows: 1.05 to 1.1 times as fast on Granite
/// Rapids, 24 and 31 rows 1.06 to 1.18 on Emerald Rapids); from 32 on tiles hide the reading (1.16 to 1.2).
pub(super) const STREAM_STEPS: usize = 8;
const FEW_STREAM_ROWS: usize = 4;
const STREAM_ROWS: usize = MANY_STREAM_ROWS - 1;
const MANY_STREAM_ROWS: usize = 32;
/// Rows up to which a block of a B that no L2 holds has half of the steps and twice the columns, for runs twice as long (on Granite Rapids 32
/// rows ×1024×1024 and ×4096×4096 1.11 and 1.15 times as fast, `f64` 1.14 and 1.11, 64 rows 1.06, 1.04 and 1.08, 1.04, 128 rows 1.02, 1.02 and 1.04,
/// 1.00, with columns that are no power of two 0.98 to 1.03, 256 rows 1.00; a quarter of the steps 0.8 to 1.04).
const SOME_ROWS: usize = 128;
/// Steps of k up to which C is better written past the caches: 2 to 4 times as fast with 1 to 8 steps, 1.7 with 16, 1.1 to
/// 1.3 with 32; with 64 no gain on AVX-512 and a loss on AVX2 (4096×4096). A single outer product is done sooner in the caches as long as
/// an L3 holds it: 1.2 to 1.8 times with 16 to 31 MiB, where two already lose.
const STREAM_C_STEPS: usize = 32;
