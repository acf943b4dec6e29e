//! A rough model of what a product costs, by which it is turned or not and takes its path.

use super::blocking::{kc, rows_in_scratch};
use super::memory::{BEYOND_L2, BEYOND_L3, is_aliased};
use super::{GemmPath, Product};
use crate::element::Element;

impl<T: Element> Product<T> {
    /// Whether the [`swapped`](Product::swapped) form is less work, and the path that is. Both forms give the same bits.
    pub(super) fn least_work(&self) -> (bool, GemmPath) {
        if self.is_deep() {
            return (true, GemmPath::Tiles);
        }
        // Whole vectors where they lie: nothing is less work, and in a small product nothing is by much where few lanes idle.
        let idle = self.n.wrapping_neg() % T::LANES;
        let is_small = idle <= self.n / 8 && self.k <= SMALL_DEPTH;
        let is_tiny = || self.m.saturating_mul(self.n + idle).saturating_mul(self.k) <= TINY_WORK;
        if self.n > 1 && self.c.col == 1 && self.b.col == 1 && (idle == 0 || is_small || is_tiny()) {
            return (false, GemmPath::Tiles);
        }
        // Few long rows and columns that both lie along k: no tile gains from transposing B for them.
        if self.lie_along_k() {
            return (false, GemmPath::Dots);
        }
        let (here, there) = (self.cycles(), self.swapped().cycles());
        if there.0 < here.0 { (true, there.1) } else { (false, here.1) }
    }

    /// A deep product of which both operands are stored by steps, dW = dZᵀ·X of a large batch, and B, the larger one, is in no L2: turned, X is read
    /// once and dZ from L2 (128×784×2048 `f32` 1.09 times as fast on Granite Rapids, on two cores 1.12, 192×600×4096 `f64` 1.04 and 1.14).
    /// Not where its rows lie a multiple of 4 KiB apart and so share sets of the caches as a transposed A (512×2048×2048 1.8 to 2.3 times as fast
    /// unturned), nor where a copy of dZ does better (512×784×2048 1.11).
    fn is_deep(&self) -> bool {
        let lies = self.a.row == 1 && self.b.col == 1 && self.c.col == 1;
        let is_far = self.bytes_of_b() >= BEYOND_L2 && !is_aliased(self.b);
        lies && is_far && !self.copies_a() && (4 * T::LANES..self.n).contains(&self.m) && self.k > 2 * kc::<T>()
    }

    /// Few long rows, and columns, that both lie along k.
    pub(super) fn lie_along_k(&self) -> bool {
        self.k >= DOT_DEPTH && self.m <= 4 && self.c.col == 1 && self.a.col == 1 && self.b.row == 1
    }

    /// A rough count of cycles, on the path that takes fewer.
    fn cycles(&self) -> (f64, GemmPath) {
        let tiles = self.tile_cycles();
        match self.dot_cycles() {
            Some(dots) if dots < tiles => (dots, GemmPath::Dots),
            _ => (tiles, GemmPath::Tiles),
        }
    }

    /// Cycles of tiles: an FMA per vector of C and step of k, half of one for half a vector beside whole ones, half a
    /// cycle per element of B that packing transposes, and one each time that an element of C is transposed through scratch memory. (Where
    /// B was packed once by this count, not for all rows of C that go through scratch memory together, 1024×4096×4096 with Wᵀ was turned: 0.91 times
    /// as fast; 512 rows 0.95.)
    fn tile_cycles(&self) -> f64 {
        let [m, n, k] = [self.m, self.n, self.k].map(real);
        let (whole, rest) = (self.n / T::LANES, self.n % T::LANES);
        let rest = match rest {
            0 => 0.0,
            _ if whole > 0 && rest <= T::LANES / 2 => 0.75,
            _ => 1.0,
        };
        let vectors = real(whole) + rest;
        let scatters = self.c.col != 1 && self.n > 1;
        let scattered = if scatters { m * n + SCATTER_CYCLES } else { 0.0 };
        let passes = if scatters { real(self.m.div_ceil(rows_in_scratch::<T>(self.n))) } else { 1.0 };
        let packed = if self.b.col != 1 && self.n > 1 { passes * k * n / 2.0 } else { 0.0 };
        let is_far = self.bytes_of_a() >= BEYOND_L3;
        let share = if self.n <= T::LANES && !is_far { ONE_VECTOR_SHARE } else { 0.95 };
        m * vectors * k / share + packed + scattered
    }

    /// Likewise for dot products, where the strides allow them: an FMA per vector of B at 0.9 of the peak, the sum over lanes, and a cycle per
    /// element of a B that is copied first.
    fn dot_cycles(&self) -> Option<f64> {
        let contiguous = |stride: isize, len: usize| stride == 1 || len == 1;
        // Few columns are worth a copy with k contiguous.
        let copied = self.b.row != 1 && self.n < T::LANES * 2;
        let fits = self.k > 1
            && contiguous(self.a.col, self.k)
            && (copied || contiguous(self.b.row, self.k))
            && contiguous(self.c.col, self.n);
        let [m, n, k] = [self.m, self.n, self.k].map(real);
        let vectors = real(self.k.div_ceil(T::LANES));
        fits.then_some(m * n * (vectors * (1.0 / 0.9) + lane_sum::<T>()) + if copied { k * n * 1.05 } else { 0.0 })
    }
}

/// Share of the FMA peak of tiles of one vector, which need a load for each FMA, as long as A does not come from memory. (At 0.95, dot products
/// were not taken where they are 1.05 to 1.4 times as fast: few rows that fill a vector, against Wᵀ.)
const ONE_VECTOR_SHARE: f64 = 0.8;

/// What it takes to begin with scratch memory. (32×10×24 with X transposed turned took 1.5 times as long as not, 128×10×24 takes 0.85.)
const SCATTER_CYCLES: f64 = 400.0;

/// A length as a float. From a signed integer, for which x86-64 has an instruction.
fn real(len: usize) -> f64 {
    len as isize as f64
}

/// Steps of k up to which the choice of path is not worth its time (20 ns).
pub(super) const SMALL_DEPTH: usize = 64;
/// Steps of k from which few rows are dot products whatever else they are: no model that counts cycles says otherwise.
const DOT_DEPTH: usize = 32;

/// Multiply–adds, those of idle lanes too, up to which no other choice gains as much as choosing takes.
pub(super) const TINY_WORK: usize = 4096;
/// Cycles for the sum over the lanes of one dot product.
const fn lane_sum<T: Element>() -> f64 {
    if size_of::<T>() == 4 { 3.0 } else { 2.0 }
}
