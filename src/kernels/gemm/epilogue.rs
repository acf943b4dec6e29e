//! What follows a product and is not done in registers: on rows of C that were just written and lie in L1.

use super::{Finish, Operand, Output};
use crate::element::Element;
use crate::kernels::activation::{Activation, GradientFromOutput, Value, with_function, with_function_from_output};
use crate::kernels::elementwise::Sweep;
use crate::simd::slice::{Arrays, Lanewise};
use crate::simd::{Kernel, Simd};

/// Elements of an output without unit stride that are gathered at a time.
const GATHERED: usize = 64;

/// The rest of the epilogue of `rows` × `cols` elements. Whoever makes one owes that those of `c` are readable and writable,
/// contiguous by rows, and that the outputs of a gradient are readable.
pub(super) struct Rest<T> {
    pub(super) finish: Finish<T>,
    pub(super) c: Output<T>,
    pub(super) rows: usize,
    pub(super) cols: usize,
}

impl<T: Element> Rest<T> {
    /// Whether registers do not do all of it.
    pub(super) fn is_needed(finish: &Finish<T>) -> bool {
        finish.gradient.is_some() || !matches!(finish.activation, Activation::Identity | Activation::Relu)
    }
}

impl<T: Element> Kernel<T> for Rest<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { finish, c, rows, cols: len } = self;
        let strides = [c.row];
        match finish.activation {
            Activation::Identity | Activation::Relu => {}
            activation => {
                // SAFETY: whoever made the kernel owes it.
                let first = unsafe { Arrays::new(len, [c.ptr.cast_const()], [c.ptr]) };
                with_function!(activation, f => simd.call(Rows { first, rows, from: strides, to: strides, f: Value(f) }));
            }
        }
        match finish.gradient {
            Some((activation, output)) if output.col == 1 => {
                // SAFETY: whoever made the kernel owes it.
                let first = unsafe { Arrays::new(len, [output.ptr, c.ptr], [c.ptr]) };
                let from = [output.row, c.row];
                with_function_from_output!(
                    activation,
                    f => simd.call(Rows { first, rows, from, to: strides, f: GradientFromOutput(f) }),
                    unreachable!("a gradient that the output does not determine was refused")
                );
            }
            Some((activation, output)) => {
                for i in 0..rows {
                    let output = Operand { ptr: output.at(i, 0), ..output };
                    // SAFETY: whoever made the kernel owes it.
                    unsafe { multiply_by_gathered(simd, activation, output, c.at(i, 0), len) };
                }
            }
            None => {}
        }
    }
}

/// f over rows: one function for all of them, for a call costs as much as a short row. Whoever makes one owes that they are
/// what [`Arrays::new`] asks for.
struct Rows<T, F, const IN: usize, const OUT: usize> {
    first: Arrays<T, IN, OUT>,
    rows: usize,
    /// From a row to the next.
    from: [isize; IN],
    to: [isize; OUT],
    f: F,
}

impl<T: Element, F: Lanewise<T, IN, OUT>, const IN: usize, const OUT: usize> Kernel<T> for Rows<T, F, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let mut row = self.first;
        for _ in 0..self.rows {
            row.apply(simd, self.f);
            // SAFETY: whoever made the kernel owes it; after the last row it is not used.
            row = unsafe { row.shifted(self.from, self.to) };
        }
    }
}

/// c ← c·f′, a row, where the outputs have no unit stride.
///
/// # Safety
/// `cols` elements of `output` and of `c` are readable, the latter writable and contiguous.
#[inline(always)]
unsafe fn multiply_by_gathered<T: Element, S: Simd<T>>(
    simd: S,
    activation: Activation,
    output: Operand<T>,
    c: *mut T,
    cols: usize,
) {
    let mut gathered = [T::ZERO; GATHERED];
    for j in (0..cols).step_by(GATHERED) {
        let (len, c) = (GATHERED.min(cols - j), c.wrapping_add(j));
        // SAFETY: the caller's debt.
        let arrays = unsafe {
            (0..len).for_each(|q| gathered[q] = *output.at(0, j + q));
            Arrays::new(len, [gathered.as_ptr(), c.cast_const()], [c])
        };
        with_function_from_output!(
            activation,
            f => simd.call(Sweep { arrays, f: GradientFromOutput(f) }),
            unreachable!("a gradient that the output does not determine was refused")
        );
    }
}
