//! GEMM: C ← f(α·A·B + β·C + bias), the loops around a register tile.
//!
//! ```text
//! LOOP 4   jc: columns of B and C    by NC
//! LOOP 3     pc: depth k             by KC      ┐ pack B[pc, jc] → KC×NC, stays in L2          (nest.rs, pack.rs)
//! LOOP 2       ir: rows of A and C   by tile.rows      rows of A, R×KC, stay in L1; hardly ever packed
//! LOOP 1         jr: columns         by tile.vectors   panels of B stream from L2
//!                  the register tile: R×V vectors of C, K loop inside                          (tile.rs, steps.rs)
//! ```
//!
//! The fifth loop of Goto and van de Geijn (2008), over blocks of packed A, is not there: pack.rs says why. Where rows of A are packed all the same,
//! LOOP 3 goes around LOOP 4, so that they are once.
//!
//! Vectors lie along the rows of C. Where C is column-major the operands swap roles, Cᵀ = Bᵀ·Aᵀ, so that they lie along
//! its columns. Packing is left out where it costs more than it saves (memory.rs says when): the tile reads any strides.
//!
//! Small products go through the same tiles without these loops (small.rs).
//!
//! Two shapes have no use for the tile: few rows against columns that are contiguous along k are dot products (dot.rs), and
//! one to four steps of k are outer products (outer.rs).
//!
//! **Same bits.** In the tile, each element of C is one FMA chain per block of KC steps, in the order of k, starting from 0; then
//! c ← fma(α, chain, β·c), with β = 1 from the second block on. Nothing else (tile, packing, threads, instruction set)
//! touches that order, and KC depends on the element type, shape and strides alone. So all of it gives the same bits. One or two
//! vectors of C, of a small product, are the sum of four chains each (small.rs).

mod blocking;
mod cost;
mod dot;
mod epilogue;
mod memory;
mod nest;
mod outer;
mod pack;
mod small;
mod steps;
mod tile;

pub use blocking::{GemmPath, GemmPlan, Packing, Tile};
pub(crate) use blocking::{is_small, panel_vectors};
pub(crate) use dot::{Dots, is_few_dots};
pub(crate) use nest::Nest;
pub(crate) use pack::Ahead;
pub(crate) use small::multiply_small;

use super::activation::Activation;
use crate::element::Element;
use core::ops::Range;
use core::ptr;

/// A strided operand that is read; element (i, j) at `i·row + j·col`. The pointer parts the strides, so that what copies them
/// from a view does so one by one: a load of both at once would wait until the two stores just before it are done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand<T> {
    pub(crate) row: isize,
    pub(crate) ptr: *const T,
    pub(crate) col: isize,
}

impl<T: Copy> Operand<T> {
    fn at(self, i: usize, j: usize) -> *const T {
        self.ptr.wrapping_offset(offset(i, self.row, j, self.col))
    }

    fn t(self) -> Self {
        Self { row: self.col, col: self.row, ..self }
    }
}

/// Wraps: some addresses are only prefetched, and may lie anywhere.
fn offset(i: usize, row: isize, j: usize, col: isize) -> isize {
    (i as isize).wrapping_mul(row).wrapping_add((j as isize).wrapping_mul(col))
}

/// A strided operand that is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output<T> {
    pub(crate) row: isize,
    pub(crate) ptr: *mut T,
    pub(crate) col: isize,
}

impl<T: Copy> Output<T> {
    fn at(self, i: usize, j: usize) -> *mut T {
        self.ptr.wrapping_offset(offset(i, self.row, j, self.col))
    }
}

/// What follows the last block of k, while the tile is at hand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finish<T> {
    pub(crate) bias: Bias<T>,
    pub(crate) activation: Activation,
    /// C is multiplied by f′(z), where the operand holds f(z).
    pub(crate) gradient: Option<(Activation, Operand<T>)>,
}

impl<T: Copy> Finish<T> {
    pub(crate) const NONE: Self = Self { bias: Bias::None, activation: Activation::Identity, gradient: None };

    /// The epilogue of Cᵀ.
    fn t(self) -> Self {
        let gradient = self.gradient.map(|(activation, output)| (activation, output.t()));
        Self { bias: self.bias.t(), gradient, ..self }
    }

    /// The epilogue of the part of C that starts at (i, j).
    fn at(self, i: usize, j: usize) -> Self {
        let part = |output: Operand<T>| Operand { ptr: output.at(i, j), ..output };
        let gradient = self.gradient.map(|(activation, output)| (activation, part(output)));
        Self { bias: self.bias.at(i, j), gradient, ..self }
    }

    /// ReLU is done in registers; other activations on the rows that were just written.
    fn is_relu(&self) -> bool {
        self.activation == Activation::Relu
    }
}

/// A bias per column of C, or per row, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bias<T> {
    None,
    PerColumn(*const T),
    PerRow(*const T),
}

impl<T: Copy> Bias<T> {
    fn t(self) -> Self {
        match self {
            Bias::None => Bias::None,
            Bias::PerColumn(bias) => Bias::PerRow(bias),
            Bias::PerRow(bias) => Bias::PerColumn(bias),
        }
    }

    /// The bias of the part of C that starts at (i, j).
    fn at(self, i: usize, j: usize) -> Self {
        match self {
            Bias::None => Bias::None,
            Bias::PerColumn(bias) => Bias::PerColumn(bias.wrapping_add(j)),
            Bias::PerRow(bias) => Bias::PerRow(bias.wrapping_add(i)),
        }
    }
}

/// One call: C (m×n) ← f(alpha·A (m×k)·B (k×n) + beta·C + bias).
#[derive(Clone, Copy, Debug)]
pub struct Product<T> {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) alpha: T,
    pub(crate) a: Operand<T>,
    pub(crate) b: Operand<T>,
    pub(crate) beta: T,
    pub(crate) c: Output<T>,
    pub(crate) finish: Finish<T>,
    /// B was packed ahead (`Packing::Ahead`): it begins at `b.ptr`, has `b.row` columns with those that fill the last panel,
    /// and this product uses those from here on.
    pub(crate) panels_from: Option<usize>,
    /// Where the column sums of B go, 1ᵀ·B; only of a product that is not turned, on the path of tiles.
    pub(crate) column_sums: Option<*mut T>,
}

// SAFETY: plain addresses; whoever runs a product owes that its memory may be used from the thread that does.
unsafe impl<T: Send> Send for Product<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Product<T> {}

impl<T: Element> Product<T> {
    /// A product to plan, not to run, of operands with these strides.
    pub(crate) fn to_plan((m, n, k): (usize, usize, usize), [a, b, c]: [(isize, isize); 3]) -> Self {
        let operand = |(row, col)| Operand { ptr: ptr::null(), row, col };
        Self {
            m,
            n,
            k,
            alpha: T::ONE,
            a: operand(a),
            b: operand(b),
            beta: T::ZERO,
            c: Output { ptr: ptr::null_mut(), row: c.0, col: c.1 },
            finish: Finish::NONE,
            panels_from: None,
            column_sums: None,
        }
    }
}

impl<T: Copy> Product<T> {
    /// Multiply–adds.
    pub(crate) fn work(&self) -> usize {
        self.m.saturating_mul(self.n).saturating_mul(self.k)
    }

    /// Whether the sums over k are the result: nothing is read, and registers have nothing to do after them.
    fn is_sum(&self) -> bool
    where
        T: Element,
    {
        let is_plain = self.alpha == T::ONE && self.beta == T::ZERO;
        is_plain && matches!(self.finish.bias, Bias::None) && !self.finish.is_relu()
    }

    /// Multiply–adds that take about as long as this product: where one size is small, it is memory that takes the time.
    pub(crate) fn effort(&self) -> usize {
        let [m, n, k] = [self.m, self.n, self.k].map(|len| len.max(4));
        m.saturating_mul(n).saturating_mul(k)
    }

    /// Whether C lies by columns, or is one: [`swapped`](Self::swapped), it lies by rows, or is one, and is planned as such.
    pub(crate) fn is_column_major(&self) -> bool {
        self.c.row == 1 && (self.c.col != 1 || self.n == 1 && self.m > 1)
    }

    /// The same product with the operands in each other's role: Cᵀ = Bᵀ·Aᵀ.
    pub(crate) fn swapped(self) -> Self {
        let c = Output { ptr: self.c.ptr, row: self.c.col, col: self.c.row };
        Self { m: self.n, n: self.m, a: self.b.t(), b: self.a.t(), c, finish: self.finish.t(), ..self }
    }

    /// The part of the product that computes these rows and columns of C.
    pub(crate) fn block(self, rows: Range<usize>, cols: Range<usize>) -> Self {
        Self {
            m: rows.len(),
            n: cols.len(),
            a: Operand { ptr: self.a.at(rows.start, 0), ..self.a },
            b: Operand {
                ptr: if self.panels_from.is_some() { self.b.ptr } else { self.b.at(0, cols.start) },
                ..self.b
            },
            panels_from: self.panels_from.map(|first| first + cols.start),
            c: Output { ptr: self.c.at(rows.start, cols.start), ..self.c },
            finish: self.finish.at(rows.start, cols.start),
            // One part for each range of columns does it.
            column_sums: self.column_sums.filter(|_| rows.start == 0).map(|sums| sums.wrapping_add(cols.start)),
            ..self
        }
    }

    /// The sums of the columns of B as a product: 1ᵀ·B, with a stride of 0 in place of ones. `one` holds 1.
    pub(crate) fn sums(&self, one: &T, zero: T, to: *mut T) -> Self {
        Self {
            m: 1,
            alpha: *one,
            a: Operand { ptr: one, row: 0, col: 0 },
            beta: zero,
            c: Output { ptr: to, row: 0, col: 1 },
            finish: Finish::NONE,
            column_sums: None,
            ..*self
        }
    }
}
