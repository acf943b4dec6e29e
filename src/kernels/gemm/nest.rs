//! The four loops around the tile.

use super::blocking::strip_len;
use super::epilogue::Rest;
use super::memory::BEYOND_L2;
use super::pack::{self, transpose};
use super::tile::{self, Fetch, Kind, Panels, Run, Strip, Update};
use super::{Bias, GemmPath, GemmPlan, Operand, Output, Packing, Product, Tile, dot, outer};
use crate::element::Element;
use crate::simd::{Kernel, Simd};
use core::cmp::{max, min};
use core::ptr;

/// A product, its plan, and scratch memory of `plan.workspace()` elements. Whoever makes one owes that every element of
/// the operands is readable, that C is writable and of no other use meanwhile.
pub(crate) struct Nest<'a, T> {
    pub(crate) product: &'a Product<T>,
    pub(crate) plan: &'a GemmPlan,
    pub(crate) workspace: &'a mut [T],
}

impl<T: Element> Kernel<T> for Nest<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        // Reached by address, so that each is a function of its own: in one, their variables crowd out the registers.
        let run: Body<T, S> = match self.plan.path {
            GemmPath::Dots => dots,
            GemmPath::Outer => outer_products,
            GemmPath::Tiles if self.plan.is_one_block(self.product) => one_block,
            GemmPath::Tiles => loops,
        };
        // SAFETY: whoever made the `Nest` owes it.
        unsafe { run(simd, self.product, self.plan, self.workspace) }
    }
}

/// # Safety
/// To call it: what whoever makes a [`Nest`] owes.
type Body<T, S> = unsafe fn(S, &Product<T>, &GemmPlan, &mut [T]);

/// # Safety
/// As [`Body`].
unsafe fn dots<T: Element, S: Simd<T>>(simd: S, product: &Product<T>, plan: &GemmPlan, workspace: &mut [T]) {
    let &Product { finish, c, m: rows, n: cols, k, .. } = product;
    // SAFETY: the caller's debt; `packed_b` made room for the columns of B as rows that are contiguous along k.
    unsafe {
        if plan.packing == Packing::InPlace {
            dot::multiply(simd, product);
        } else {
            let (width, columns) = (k.next_multiple_of(T::LANES), product.b.t());
            let b = Operand { ptr: workspace.as_ptr(), row: 1, col: width as isize };
            pack::select::<T, S>(columns)(simd, columns, (cols, k), width, workspace.as_mut_ptr());
            dot::multiply(simd, &Product { b, ..*product });
        }
    }
    if Rest::is_needed(&finish) {
        simd.call(Rest { finish, c, rows, cols });
    }
}

/// # Safety
/// As [`Body`].
unsafe fn outer_products<T: Element, S: Simd<T>>(simd: S, product: &Product<T>, _: &GemmPlan, _: &mut [T]) {
    let &Product { finish, c, m: rows, n: cols, .. } = product;
    // SAFETY: the caller's debt.
    unsafe { outer::multiply(simd, product) };
    if Rest::is_needed(&finish) {
        simd.call(Rest { finish, c, rows, cols });
    }
}

/// [`loops`] where each of them has one turn and nothing is packed: the rows that fill tiles as one grid, and those that are
/// left as another. A small product takes as long as what comes before it.
///
/// # Safety
/// As [`Body`].
unsafe fn one_block<T: Element, S: Simd<T>>(simd: S, whole: &Product<T>, plan: &GemmPlan, _: &mut [T]) {
    let &Product { m, n, k, alpha, a, b, beta, c, finish, .. } = whole;
    // A part of a product may have fewer rows than the tile.
    let (high, width) = (min(plan.tile.rows, m), plan.tile.vectors * T::LANES);
    let b = Panels { ptr: b.ptr, k: b.row, panel: width as isize };
    let update = Update { alpha, beta, bias: finish.bias, relu: finish.is_relu() };
    // Little is read: what hints cost in load ports was up to a fifth of the time (32×10×128 `f32` on Emerald Rapids).
    let fetch = Fetch::NONE;
    let mut strip =
        Strip { k, a, rows: 0, b, packed: ptr::null_mut(), panels: 0, cols: 0, c: c.ptr, c_row: c.row, update, fetch };
    let filled = if m == high { m } else { m / high * high };
    for (i, rows, high) in [(0, filled, high), (filled, m - filled, m - filled)] {
        if rows == 0 {
            break;
        }
        strip.rows = rows;
        strip.a.ptr = a.at(i, 0);
        let mut j = 0;
        while j < n {
            let left = n - j;
            let panels = tile::whole_panels::<T>(plan.tile.vectors, left);
            let next = || tile::next_width(plan.tile.vectors, left.div_ceil(T::LANES));
            let vectors = if panels > 0 { plan.tile.vectors } else { next() };
            strip.panels = panels.max(1);
            strip.cols = min(vectors * T::LANES, left);
            strip.b.ptr = b.ptr.wrapping_add(j);
            strip.c = c.at(i, j);
            strip.update.bias = finish.bias.at(i, j);
            let kind = tile::edge::<T>(vectors, vectors * T::LANES - strip.cols, simd.halves_are_cheap());
            let run: Run<T, S> = tile::select(Tile { rows: high, vectors }, kind);
            // SAFETY: the caller's debt.
            unsafe { run(simd, &strip) };
            j += (strip.panels - 1) * width + strip.cols;
        }
    }
    if let Some(to) = whole.column_sums {
        let (one, tile) = (T::ONE, Tile { rows: 1, ..plan.tile });
        // SAFETY: the caller's debt.
        unsafe { one_block(simd, &whole.sums(&one, T::ZERO, to), &GemmPlan { tile, ..*plan }, &mut []) };
    }
    if Rest::is_needed(&finish) {
        simd.call(Rest { finish, c, rows: m, cols: n });
    }
}

/// Rows that go through all of k before others do, where B is not copied and L2 does not hold C: it then holds a part of C beside a block of
/// B (4096×256×784: 1.02 times as fast, `f64` 1.04).
const ROWS_AT_A_TIME: usize = 240;

/// # Safety
/// As [`Body`].
unsafe fn loops<T: Element, S: Simd<T>>(simd: S, whole: &Product<T>, plan: &GemmPlan, workspace: &mut [T]) {
    let keeps_b = matches!(plan.packing, Packing::InPlace | Packing::Ahead);
    let is_large = whole.bytes_of_c() >= BEYOND_L2;
    let rows = match plan.scatter {
        true => plan.scattered_rows(whole),
        false if plan.packs_a => plan.kept_rows(whole),
        false if keeps_b && is_large && whole.k > plan.kc => ROWS_AT_A_TIME,
        false => whole.m,
    };
    let mut i = 0;
    while i < whole.m {
        let part = whole.block(i..min(i + rows, whole.m), 0..whole.n);
        let run: Body<T, S> = if plan.scatter { scattered } else { loops_of_rows };
        // SAFETY: the caller's debt.
        unsafe { run(simd, &part, plan, workspace) };
        i += rows;
    }
}

/// Rows of C, all of k, in scratch memory: from C and back to it.
///
/// # Safety
/// As [`Body`].
unsafe fn scattered<T: Element, S: Simd<T>>(simd: S, part: &Product<T>, plan: &GemmPlan, workspace: &mut [T]) {
    let &Product { m, n, c, beta, .. } = part;
    let row = n.next_multiple_of(T::LANES);
    let (scratch, workspace) = workspace.split_at_mut(m * row);
    let to = Output { ptr: scratch.as_mut_ptr(), row: row as isize, col: 1 };
    let elements = || (0..m).flat_map(|r| (0..n).map(move |q| (r, q)));
    // SAFETY: the caller's debt; `scattered_rows` made room for these rows.
    unsafe {
        if beta != T::ZERO && c.row == 1 {
            let (from, to) = (Output { ptr: c.ptr, row: c.col, col: 1 }, Output { ptr: to.ptr, row: 1, col: to.row });
            simd.call(Transpose { from, rows: n, cols: m, to });
        } else if beta != T::ZERO {
            elements().for_each(|(r, q)| *to.at(r, q) = *c.at(r, q));
        }
        loops_of_rows(simd, &Product { c: to, ..*part }, plan, workspace);
        if c.row == 1 {
            simd.call(Transpose { from: to, rows: m, cols: n, to: c });
        } else {
            elements().for_each(|(r, q)| *c.at(r, q) = *to.at(r, q));
        }
    }
}

/// # Safety
/// As [`Body`].
unsafe fn loops_of_rows<T: Element, S: Simd<T>>(simd: S, whole: &Product<T>, plan: &GemmPlan, workspace: &mut [T]) {
    let (space_b, space_a) = workspace.split_at_mut(plan.packed_b(whole));
    let space_b = space_b.as_mut_ptr();
    let width = plan.tile.vectors * T::LANES;
    let GemmPlan { kc, nc, .. } = *plan;
    // A part of a product may have fewer rows than the tile.
    let packs_on_the_way = plan.packing == Packing::OnTheWay && whole.m >= tile::PACKING_ROWS;
    let packs_before = matches!(plan.packing, Packing::Before | Packing::OnTheWay) && !packs_on_the_way;
    let is_ahead = plan.packing == Packing::Ahead;

    // LOOPS 4 and 3, columns of B and C and depth: all of k for some columns, or, where rows of A are copied, all columns for some of k. One
    // empty pass where k = 0, for C is scaled all the same.
    let (mut jc, mut pc) = (0, 0);
    while jc < whole.n {
        let (n, k) = (min(nc, whole.n - jc), min(kc, whole.k - pc));
        let b = Operand { ptr: whole.b.at(pc, jc), ..whole.b };
        let raw = Panels { ptr: b.ptr, k: b.row, panel: width as isize };
        let packed = match whole.panels_from {
            Some(first) => whole.b.ptr.wrapping_offset(pc as isize * whole.b.row).wrapping_add((first + jc) * k),
            None => space_b,
        };
        let packed = Panels { ptr: packed, k: width as isize, panel: (width * k) as isize };
        if packs_before {
            // SAFETY: the block lies within B; `packed_b` made room for it.
            unsafe { pack::select::<T, S>(b)(simd, b, (k, n), width, space_b) };
        }
        let block = Block {
            whole,
            tile: plan.tile,
            jc,
            n,
            pc,
            k,
            first: if packs_before || is_ahead { packed } else { raw },
            rest: if packs_before || packs_on_the_way || is_ahead { packed } else { raw },
            space_b: packs_on_the_way.then_some(space_b),
            space_a: plan.packs_a.then_some(space_a.as_mut_ptr()),
            streams_c: plan.streams_c,
        };
        // SAFETY: the caller's debt.
        unsafe {
            block.multiply(simd);
            block.sum_columns(simd);
        }
        (jc, pc) = match plan.packs_a {
            true if jc + n < whole.n => (jc + n, pc),
            true if pc + k < whole.k => (0, pc + k),
            false if pc + k < whole.k => (jc, pc + k),
            _ => (jc + n, 0),
        };
    }
}

/// Bytes of B that are in L2 before the first row of A, for they were there when the product before ended.
const NEAR_BYTES: usize = 768 << 10;
/// Rows of A after which a block of a larger B is there. (With 6 instead, 16×1024×1024 took 1.17 times as long: the hardware fetches what
/// lies beside the block too, and L2 loses some of it.)
const FAR_ROWS: usize = 24;

/// Most of L1.
const ROWS_AT_HAND_BYTES: usize = 24 << 10;

/// One pass through LOOP 2 and LOOP 1: C[.., jc .. jc + n] gets A[.., pc .. pc + k] · B[pc .. pc + k, jc .. jc + n].
struct Block<'a, T> {
    whole: &'a Product<T>,
    tile: Tile,
    jc: usize,
    n: usize,
    pc: usize,
    k: usize,
    /// B for the first strip of C, packed or where it lies.
    first: Panels<T>,
    /// B for the strips after it.
    rest: Panels<T>,
    /// Where the first strip packs B on its way.
    space_b: Option<*mut T>,
    /// Where rows of A are copied to.
    space_a: Option<*mut T>,
    /// Whether C goes past the caches, where it may.
    streams_c: bool,
}

impl<T: Element> Block<'_, T> {
    /// β of this block of k.
    fn beta(&self) -> T {
        if self.pc == 0 { self.whole.beta } else { T::ONE }
    }

    fn is_last(&self) -> bool {
        self.pc + self.k == self.whole.k
    }

    /// Rows of C that are still in L1 when the last of them was computed: whole tiles.
    fn rows_at_hand(&self) -> usize {
        let (high, row) = (self.tile.rows, self.n * size_of::<T>());
        (ROWS_AT_HAND_BYTES / row / high).max(1) * high
    }

    /// Whether nothing reads C, before or after, and its rows begin on cache lines.
    fn may_stream(&self, to: Output<T>) -> bool {
        let starts = |address: usize| address.is_multiple_of(64);
        let only_written = self.is_last() && self.beta() == T::ZERO && !Rest::is_needed(&self.whole.finish);
        only_written && starts(to.ptr.addr()) && starts(to.row.unsigned_abs() * size_of::<T>())
    }

    /// Whether the block of B is in L2 when rows from `i` on are multiplied by it.
    fn has_b_in_l2(&self, i: usize) -> bool {
        i >= FAR_ROWS || self.whole.bytes_of_b() <= NEAR_BYTES
    }

    /// LOOP 2 and LOOP 1.
    ///
    /// # Safety
    /// What whoever makes a `Nest` owes.
    unsafe fn multiply<S: Simd<T>>(&self, simd: S) {
        let (&Product { m, c, .. }, n, high) = (self.whole, self.n, self.tile.rows);
        let width = self.tile.vectors * T::LANES;
        let has_rest = self.is_last() && Rest::is_needed(&self.whole.finish);
        // Where all tiles of a strip are alike, all strips are one.
        let is_even =
            if n < width { tile::widest(n.div_ceil(T::LANES)) * T::LANES >= n } else { n.is_multiple_of(width) };
        let is_tall = !has_rest && is_even;
        // LOOP 2: rows of A and C
        let mut i = 0;
        while i < m {
            let packs = i == 0 && self.space_b.is_some();
            let most = if self.has_b_in_l2(i) { m } else { max(FAR_ROWS, high) };
            let rows = match m - i {
                left if left <= high => left,
                _ if packs => high,
                left if self.space_a.is_some() => min(self.tile.rows_of_a_copy(), left / high * high),
                left if is_tall => min(left, most) / high * high,
                left if has_rest => min(self.rows_at_hand(), left / high * high),
                _ => high,
            };
            let to = Output { ptr: c.at(i, self.jc), ..c };
            // SAFETY: the caller's debt.
            unsafe {
                self.strip(simd, i, rows, to);
                if has_rest {
                    simd.call(Rest { finish: self.whole.finish.at(i, self.jc), c: to, rows, cols: n });
                }
            }
            i += rows;
        }
    }

    /// The column sums of this block of B, as a product with a row of ones: one more row, over panels that are at hand.
    ///
    /// # Safety
    /// As [`Block::multiply`], after it.
    unsafe fn sum_columns<S: Simd<T>>(&self, simd: S) {
        if let Some(to) = self.whole.column_sums {
            let (one, tile) = (T::ONE, Tile { rows: 1, ..self.tile });
            let whole = &self.whole.sums(&one, T::ZERO, to);
            let sums = Block { whole, tile, first: self.rest, space_b: None, space_a: None, streams_c: false, ..*self };
            // SAFETY: the caller's debt.
            unsafe { sums.multiply(simd) };
        }
    }

    /// Rows i … i + rows of the product, to `to`, from A or from a copy of these rows of it.
    ///
    /// # Safety
    /// What whoever makes a `Nest` owes, for these rows and `to` in the place of C.
    unsafe fn strip<S: Simd<T>>(&self, simd: S, i: usize, rows: usize, to: Output<T>) {
        let (k, high, a) = (self.k, self.tile.rows, self.whole.a);
        let a = Operand { ptr: a.at(i, self.pc), ..a };
        // SAFETY: the caller's debt; `packed_a` made room for the rows that `multiply` takes at a time.
        unsafe {
            let Some(space) = self.space_a else { return self.tiles(simd, (i, rows), a, to) };
            let space = space.add(i / high * strip_len::<T>(high, k));
            if self.jc == 0 {
                pack::strips(simd, a, (rows, k), high, space);
            }
            for (strip, r) in (0..rows).step_by(high).enumerate() {
                let rows = min(high, rows - r);
                let ptr = space.wrapping_add(strip * strip_len::<T>(high, k)).cast_const();
                let a = Operand { ptr, row: 1, col: rows as isize };
                self.tiles(simd, (i + r, rows), a, Output { ptr: to.at(r, 0), ..to });
            }
        }
    }

    /// LOOP 1 over panels of B, the last one in the widest tiles that it fills, for `rows` rows of A from row i of the product on.
    ///
    /// # Safety
    /// As [`Block::strip`], of which `a` holds the rows.
    unsafe fn tiles<S: Simd<T>>(&self, simd: S, (i, rows): (usize, usize), a: Operand<T>, to: Output<T>) {
        let (&Product { alpha, finish, .. }, n, k) = (self.whole, self.n, self.k);
        let width = self.tile.vectors * T::LANES;
        let tile = Tile { rows: min(self.tile.rows, rows), ..self.tile };
        let bias = |j| if self.is_last() { finish.bias.at(i, self.jc + j) } else { Bias::None };
        let space_b = self.space_b.filter(|_| i == 0);
        let b = if i == 0 { self.first } else { self.rest };
        // Columns are cut anywhere where they lie in B, and between panels where those are copies.
        let is_copy = space_b.is_some() || b.panel != width as isize;
        let panels = if is_copy { n / width } else { tile::whole_panels::<T>(tile.vectors, n) };
        let fetch = Fetch::of(self.whole, self.tile, (n, k), !is_copy && self.has_b_in_l2(i));
        let mut strip = Strip {
            k,
            a,
            rows,
            b,
            packed: space_b.unwrap_or(core::ptr::null_mut()),
            panels,
            cols: width,
            c: to.ptr,
            c_row: to.row,
            update: Update { alpha, beta: self.beta(), bias: bias(0), relu: self.is_last() && finish.is_relu() },
            fetch: Fetch { c: fetch.c && self.beta() != T::ZERO, ..fetch },
        };
        let mut j = panels * width;
        if panels > 0 {
            let kind = match space_b {
                Some(_) => Kind::Packing,
                None if self.streams_c && self.may_stream(to) && tile::streams(tile) => Kind::Streaming,
                None => Kind::Plain,
            };
            let run: Run<T, S> = tile::select(tile, kind);
            // SAFETY: the caller's debt.
            unsafe { run(simd, &strip) };
        }
        strip.b.ptr = strip.b.ptr.wrapping_offset(strip.b.panel.wrapping_mul(panels as isize));
        if let Some(space) = space_b.filter(|_| j < n) {
            let last = Operand { ptr: strip.b.ptr, row: strip.b.k, col: 1 };
            // SAFETY: the caller's debt: a row-major block within B, and room for all panels.
            unsafe { pack::rows(simd, last, (k, n - j), width, space.add(j * k)) };
        }
        strip.panels = 1;
        while j < n {
            let vectors = tile::next_width(tile.vectors, (n - j).div_ceil(T::LANES));
            strip.cols = min(vectors * T::LANES, n - j);
            strip.c = to.ptr.wrapping_add(j);
            strip.update.bias = bias(j);
            let kind = tile::edge::<T>(vectors, vectors * T::LANES - strip.cols, simd.halves_are_cheap());
            let run: Run<T, S> = tile::select(Tile { vectors, ..tile }, kind);
            // SAFETY: the caller's debt.
            unsafe { run(simd, &strip) };
            strip.b.ptr = strip.b.ptr.wrapping_add(strip.cols);
            j += strip.cols;
        }
    }
}

/// Element (r, q) of `from`, whose rows are contiguous, to element (r, q) of `to`, whose columns are. Whoever makes one owes
/// that the former are readable and the latter writable.
struct Transpose<T> {
    from: Output<T>,
    rows: usize,
    cols: usize,
    to: Output<T>,
}

impl<T: Element> Kernel<T> for Transpose<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        for r in (0..self.rows).step_by(T::LANES) {
            let block = Operand { ptr: self.from.at(r, 0).cast_const(), row: 1, col: self.from.row };
            let shape = (self.cols, min(T::LANES, self.rows - r));
            // SAFETY: whoever made the kernel owes it.
            unsafe { transpose(simd, block, shape, self.to.at(r, 0), self.to.col) };
        }
    }
}
