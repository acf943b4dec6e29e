//! What follows a product and is not done in registers: on rows of C that were just written and lie in L1.

use super::{Finish, Operand, Output};
use crate::element::Element;
use crate::kernels::activation::{Activation, GradientFromOutput, Value, with_function, with_function_from_output};
use crate::kernels::elementwise::Sweep;
use crate::simd::slice::Arrays;
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
        let Self { finish, c, rows, cols } = self;
        for i in 0..rows {
            // SAFETY: whoever made the kernel owes it.
            let arrays = Arrays::in_place(unsafe { core::slice::from_raw_parts_mut(c.at(i, 0), cols) });
            match finish.activation {
                Activation::Identity | Activation::Relu => {}
                activation => with_function!(activation, f => simd.call(Sweep { arrays, f: Value(f) })),
            }
            if let Some((activation, output)) = finish.gradient {
                let output = Operand { ptr: output.at(i, 0), ..output };
                // SAFETY: whoever made the kernel owes it.
                unsafe { multiply_by_gradient(simd, activation, output, c.at(i, 0), cols) };
            }
        }
    }
}

/// c ← c·f′, a row.
///
/// # Safety
/// `cols` elements of `output` and of `c` are readable, the latter writable and contiguous.
#[inline(always)]
unsafe fn multiply_by_gradient<T: Element, S: Simd<T>>(
    simd: S,
    activation: Activation,
    output: Operand<T>,
    c: *mut T,
    cols: usize,
) {
    let mut gathered = [T::ZERO; GATHERED];
    let step = if output.col == 1 { cols } else { GATHERED };
    for j in (0..cols).step_by(step) {
        let (len, c) = (step.min(cols - j), c.wrapping_add(j));
        // SAFETY: the caller's debt.
        let arrays = unsafe {
            if output.col == 1 {
                Arrays::new(len, [output.ptr, c], [c])
            } else {
                (0..len).for_each(|q| gathered[q] = *output.at(0, j + q));
                Arrays::new(len, [gathered.as_ptr(), c.cast_const()], [c])
            }
        };
        with_function_from_output!(
            activation,
            f => simd.call(Sweep { arrays, f: GradientFromOutput(f) }),
            unreachable!("a gradient that the output does not determine was refused")
        );
    }
}
