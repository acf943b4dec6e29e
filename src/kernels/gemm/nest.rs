//! The four loops around the tile.

use super::blocking::Blocking;
use super::dot;
use super::pack::{pack, transpose};
use super::tile::{self, Run, TileJob, Update};
use super::{Bias, Finish, Operand, Output, Plan, Product, Tile};
use crate::element::Element;
use crate::kernels::activation::{Activation, Sigmoid, Tanh, Value};
use crate::kernels::elementwise::Sweep;
use crate::simd::slice::Arrays;
use crate::simd::{Kernel, Simd};
use core::cmp::min;

/// A product, its plan, and scratch memory of `plan.workspace()` elements. Whoever makes one owes that every element of
/// the operands is readable, that C is writable and of no other use meanwhile.
pub(crate) struct Nest<'a, T> {
    pub(crate) product: Product<T>,
    pub(crate) plan: Plan,
    pub(crate) workspace: &'a mut [T],
}

/// The operands of one pass through LOOP 2 and LOOP 1.
struct Block<T> {
    product: Product<T>,
    tile: Tile,
    /// B, packed or where it lies.
    b: *const T,
    /// Elements from one panel of B to the next.
    b_panel: isize,
    /// Elements from one step of k to the next.
    b_k: isize,
    beta: T,
    /// Only after the last block of k.
    finish: Option<Finish<T>>,
    scatter: Option<*mut T>,
}

impl<T: Element> Kernel<T> for Nest<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { product: whole, plan, workspace } = self;
        if plan.dot {
            // SAFETY: whoever made the `Nest` owes it.
            unsafe {
                dot::multiply(simd, &whole);
                activate(simd, whole.finish, whole.c, whole.m, whole.n);
            }
            return;
        }
        let (space_b, space_c) = workspace.split_at_mut(plan.packed_b(&whole));
        let space_b = space_b.as_mut_ptr();
        let scatter = plan.scatter.then_some(space_c.as_mut_ptr());
        let (tile, width) = (plan.tile, plan.tile.vectors * T::LANES);
        let Blocking { kc, nc } = plan.blocking;

        // LOOP 4: columns of B and C
        for jc in (0..whole.n).step_by(nc) {
            let n = min(nc, whole.n - jc);
            // LOOP 3: depth; one empty pass where k = 0, for C is scaled all the same
            for pc in (0..whole.k.max(1)).step_by(kc) {
                let k = min(kc, whole.k - pc);
                let a = Operand { ptr: whole.a.at(0, pc), ..whole.a };
                let b = Operand { ptr: whole.b.at(pc, jc), ..whole.b };
                if plan.pack_b {
                    // SAFETY: the block lies within B; `packed_b` made room for it.
                    unsafe { pack(simd, b, k, n, width, space_b) };
                }
                let product = Product { k, a, ..whole.block(0..whole.m, jc..jc + n) };
                let block = Block {
                    product,
                    tile,
                    b: if plan.pack_b { space_b } else { b.ptr },
                    b_panel: if plan.pack_b { (width * k) as isize } else { width as isize },
                    b_k: if plan.pack_b { width as isize } else { b.row },
                    beta: if pc == 0 { whole.beta } else { T::ONE },
                    finish: (pc + k == whole.k).then_some(product.finish),
                    scatter,
                };
                block.multiply(simd);
            }
        }
    }
}

impl<T: Element> Block<T> {
    #[inline(always)]
    fn multiply<S: Simd<T>>(&self, simd: S) {
        let Product { m, n, a, c, alpha, .. } = self.product;
        let width = self.tile.vectors * T::LANES;
        let bias = self.finish.map_or(Bias::None, |finish| finish.bias);
        let c_row = if self.scatter.is_some() { width as isize } else { c.row };
        let update = Update { alpha, beta: self.beta, bias, relu: self.finish.is_some_and(|finish| finish.is_relu()) };
        let mut job = TileJob {
            k: self.product.k,
            a,
            next: a.ptr,
            b: self.b,
            b_k: self.b_k,
            cols: width,
            c: c.ptr,
            c_row,
            next_c: c.ptr,
            update,
        };

        // LOOP 2: rows of A and C
        for i in (0..m).step_by(self.tile.rows) {
            let rows = min(self.tile.rows, m - i);
            let whole = tile::select(Tile { rows, ..self.tile }, false);
            job.a.ptr = a.at(i, 0);
            // Each tile fetches one row of the A that the next rows will need.
            let mut ahead = rows;
            // LOOP 1: panels of B
            let (mut b, mut j) = (self.b, 0);
            while j < n {
                job.next = a.at(i + ahead, 0);
                ahead = if ahead + 1 < 2 * rows { ahead + 1 } else { rows };
                let (next_i, next_j) = if n - j > width { (i, j + width) } else { (i + rows, 0) };
                job.next_c = self.scatter.unwrap_or(c.at(next_i, next_j));
                if n - j >= width {
                    (job.b, job.cols) = (b, width);
                    self.tile(simd, whole, &mut job, (rows, i, j));
                } else {
                    // The last panel, in the widest tiles that it fills.
                    let (mut rest, mut at) = (n - j, j);
                    job.b = b;
                    while rest > 0 {
                        let vectors = tile::widest(min(self.tile.vectors, rest.div_ceil(T::LANES)));
                        job.cols = min(vectors * T::LANES, rest);
                        let part = tile::select(Tile { rows, vectors }, job.cols < vectors * T::LANES);
                        self.tile(simd, part, &mut job, (rows, i, at));
                        job.b = job.b.wrapping_add(job.cols);
                        (rest, at) = (rest - job.cols, at + job.cols);
                    }
                }
                b = b.wrapping_offset(self.b_panel);
                j += width;
            }
        }
    }

    /// Runs a tile of `rows` rows on the part of C that starts at (i, j).
    #[inline(always)]
    fn tile<S: Simd<T>>(&self, simd: S, run: Run<T, S>, job: &mut TileJob<T>, (rows, i, j): (usize, usize, usize)) {
        let c = self.product.c;
        let (finish, cols) = (self.finish, job.cols);
        job.update.bias = finish.map_or(Bias::None, |finish| finish.bias.at(i, j));
        job.c = self.scatter.unwrap_or(c.at(i, j));
        let scratch = |r: usize, q: usize| job.c.wrapping_offset(r as isize * job.c_row).wrapping_add(q);
        let elements = || (0..rows).flat_map(|r| (0..cols).map(move |q| (r, q)));
        // SAFETY: the block is within the operands or the packed copy of B, which whoever made the `Nest` owes; the scratch
        // tile is as large as the plan's.
        unsafe {
            if self.scatter.is_some() && self.beta != T::ZERO {
                elements().for_each(|(r, q)| *scratch(r, q) = *c.at(i + r, j + q));
            }
            run(simd, job);
            if let Some(finish) = finish {
                activate(simd, finish, Output { ptr: job.c, row: job.c_row, col: 1 }, rows, cols);
            }
            if self.scatter.is_some() && c.row == 1 {
                for q in (0..cols).step_by(T::LANES) {
                    let block = Operand { ptr: scratch(0, q).cast_const(), row: 1, col: job.c_row };
                    transpose(simd, block, (min(T::LANES, cols - q), rows), c.at(i, j + q), c.col);
                }
            } else if self.scatter.is_some() {
                elements().for_each(|(r, q)| *c.at(i + r, j + q) = *scratch(r, q));
            }
        }
    }
}

/// Applies an activation that was not applied in registers to rows that were just written.
///
/// # Safety
/// `rows` rows of `cols` contiguous elements are readable and writable.
#[inline(always)]
unsafe fn activate<T: Element, S: Simd<T>>(simd: S, finish: Finish<T>, c: Output<T>, rows: usize, cols: usize) {
    for i in 0..rows {
        // SAFETY: the caller's debt.
        let arrays = Arrays::in_place(unsafe { core::slice::from_raw_parts_mut(c.at(i, 0), cols) });
        match finish.activation {
            Activation::Identity | Activation::Relu => return,
            Activation::Sigmoid => simd.call(Sweep { arrays, f: Value(Sigmoid) }),
            Activation::Tanh => simd.call(Sweep { arrays, f: Value(Tanh) }),
        }
    }
}
