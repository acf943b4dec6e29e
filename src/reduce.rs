//! Reductions: sums, norms, extremes.

mod argument;
mod matrix;

use crate::buffer::with_workspace;
use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::reduce::{
    CHUNK, Dot, FoldChunk, FoldChunks, Max, MaxAbs, Min, Multiply, Reduce, Scaled, ShiftedSum, Squares, Sum, SumAbs,
};
use crate::parallel;
use crate::simd::slice::Arrays;

/// Elements that take about 5 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 16;

/// What [`Exec::reduce`] makes of many numbers. NaN among them gives NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Σ x; 0 of nothing.
    Sum,
    /// Σ x/n, from differences to the first x: sums of numbers near the greatest do not overflow, and near each other lose nothing.
    Mean,
    /// Σ x²; 0 of nothing.
    SumOfSquares,
    /// Σ |x|; 0 of nothing.
    Norm1,
    /// √Σ x², without overflow or underflow on the way; 0 of nothing.
    Norm2,
    /// max |x|; 0 of nothing.
    NormMax,
    /// max x.
    Max,
    /// min x.
    Min,
}

impl Reduction {
    /// All of them.
    pub const ALL: [Reduction; 8] = [
        Reduction::Sum,
        Reduction::Mean,
        Reduction::SumOfSquares,
        Reduction::Norm1,
        Reduction::Norm2,
        Reduction::NormMax,
        Reduction::Max,
        Reduction::Min,
    ];

    /// `Err` for what has no value of nothing.
    fn check(self, what: &'static str, len: usize) -> Result<(), Error> {
        match self {
            Reduction::Mean | Reduction::Max | Reduction::Min if len == 0 => {
                Err(Error::TooShort { what, needed: 1, found: 0 })
            }
            _ => Ok(()),
        }
    }
}

impl Exec {
    /// All of x to one number. Sums are those of a tree, of chunks of 4096 elements: within about (32 + log₂ n)·u·Σ|x| of the exact
    /// ones, and the same for any threads.
    ///
    /// # Errors
    /// [`Error::TooShort`] for the mean, the greatest or the least of nothing.
    ///
    /// ```
    /// use roofline::{Exec, Reduction};
    /// let exec = Exec::default();
    /// assert_eq!(exec.reduce(Reduction::Norm2, &[3e30_f32, 4e30])?, 5e30);
    /// assert_eq!(exec.reduce(Reduction::Max, &[1.0, -2.0])?, 1.0);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn reduce<T: Element>(&self, reduction: Reduction, x: &[T]) -> Result<T, Error> {
        reduction.check("reduce: x", x.len())?;
        Ok(match reduction {
            Reduction::Sum => T::from_f64(self.sum_of(x, Sum)),
            Reduction::Mean => T::from_f64(x[0].to_f64() + self.sum_of(x, ShiftedSum { shift: x[0] }) / x.len() as f64),
            Reduction::SumOfSquares => T::from_f64(self.sum_of(x, Squares)),
            Reduction::Norm1 => T::from_f64(self.sum_of(x, SumAbs)),
            Reduction::Norm2 => T::from_f64(self.norm_of_all(core::iter::once(x))),
            Reduction::NormMax => self.extreme_of(x, MaxAbs, |a, b| a > b),
            Reduction::Max => self.extreme_of(x, Max, |a, b| a > b),
            Reduction::Min => self.extreme_of(x, Min, |a, b| a < b),
        })
    }

    /// Σ xᵢ·yᵢ, as [`Exec::reduce`] sums.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
    ///
    /// ```
    /// assert_eq!(roofline::Exec::default().dot(&[1.0, 2.0], &[3.0, -4.0])?, -5.0);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn dot<T: Element>(&self, x: &[T], y: &[T]) -> Result<T, Error> {
        same_length("dot: y", x.len(), y.len())?;
        // SAFETY: both are borrowed, and the lengths agree.
        let arrays = unsafe { Arrays::new(x.len(), [x.as_ptr(), y.as_ptr()], []) };
        Ok(T::from_f64(self.fold_sum(arrays, Dot)))
    }

    /// The sum of a fold over several arrays, as [`Exec::reduce`] sums.
    pub(crate) fn fold_sum<T: Element, const IN: usize>(&self, arrays: Arrays<T, IN, 0>, f: impl Reduce<T, IN>) -> f64 {
        self.fold_slice(arrays, f, tree)
    }

    /// √Σ x² over all of several slices: plainly where that neither overflows nor loses digits to underflow, else of x·2ᵏ.
    pub(crate) fn norm_of_all<'a, T: Element>(&self, slices: impl Iterator<Item = &'a [T]> + Clone) -> f64 {
        let count = slices.clone().map(<[T]>::len).sum::<usize>();
        let plain: f64 = slices.clone().map(|x| self.sum_of(x, Squares)).sum();
        // As long as most squares are this far above subnormal numbers, what the others lose is below u.
        if plain < T::MAX.to_f64() && plain > count as f64 * T::MIN_NORMAL.to_f64() / T::UNIT_ROUNDOFF {
            return plain.sqrt();
        }
        let greatest = slices.clone().map(|x| self.extreme_of(x, MaxAbs, |a, b| a > b));
        let greatest = greatest.fold(T::ZERO, |a, b| if is_nan(a) || a > b { a } else { b }).to_f64();
        if greatest == 0.0 || !greatest.is_finite() {
            return greatest;
        }
        // A power of two that brings the greatest near 1, as far as the element type has it.
        let exponent = (greatest.to_bits() >> 52 & 0x7ff) as i64 - 1023;
        let scale = power_of_two((-exponent).clamp(-1000, if T::LANES == 16 { 126 } else { 1000 }));
        let scaled = Scaled { scale: T::from_f64(scale) };
        slices.map(|x| self.sum_of(x, scaled)).sum::<f64>().sqrt() / scale
    }

    /// x ← factor·x.
    pub(crate) fn scale_in_place<T: Element>(&self, x: &mut [T], factor: T) {
        self.sweep(Arrays::in_place(x), Multiply(factor));
    }

    /// The sum of a fold over x.
    fn sum_of<T: Element>(&self, x: &[T], reduce: impl Reduce<T, 1>) -> f64 {
        self.fold_sum(whole(x), reduce)
    }

    /// The greatest by a rule, of x or of what the fold makes of it; NaN wins.
    fn extreme_of<T: Element>(&self, x: &[T], reduce: impl Reduce<T, 1>, wins: impl Fn(T, T) -> bool) -> T {
        self.fold_slice(whole(x), reduce, |partials: &[T]| {
            let better = |a: T, b: T| if is_nan(a) || wins(a, b) { a } else { b };
            partials.iter().copied().reduce(better).unwrap_or_default()
        })
    }

    /// Folds chunks to partial results, and these by `merge`. Inlined: arrays that are handed on in memory would be read back before
    /// their stores are through, which takes as long as a short sum.
    #[inline(always)]
    fn fold_slice<T: Element, R: Reduce<T, IN>, O, const IN: usize>(
        &self,
        arrays: Arrays<T, IN, 0>,
        reduce: R,
        merge: impl FnOnce(&[T]) -> O,
    ) -> O {
        if (1..=CHUNK).contains(&arrays.len()) {
            return merge(&[T::dispatch(self.token(), FoldChunk { arrays, reduce })]);
        }
        self.fold_chunks(arrays, reduce, merge)
    }

    /// [`Exec::fold_slice`] of any number of chunks.
    fn fold_chunks<T: Element, R: Reduce<T, IN>, O, const IN: usize>(
        &self,
        arrays: Arrays<T, IN, 0>,
        reduce: R,
        merge: impl FnOnce(&[T]) -> O,
    ) -> O {
        /// Chunks whose results need no workspace.
        const FEW: usize = 16;
        let (parts, chunks) = (self.parts(arrays.len(), QUANTUM), arrays.len().div_ceil(CHUNK));
        let fold = |partials: &mut [T]| {
            let to = Pointer(partials.as_mut_ptr());
            self.for_each(parts, |index| {
                let chunks = parallel::part(chunks, 1, parts, index);
                T::dispatch(self.token(), FoldChunks { arrays, chunks, reduce, to: to.get() });
            });
            merge(partials)
        };
        if chunks <= FEW { fold(&mut [T::ZERO; FEW][..chunks]) } else { with_workspace(chunks, fold) }
    }
}

/// An address that threads share; each writes elements of its own.
#[derive(Clone, Copy)]
struct Pointer<T>(*mut T);

// SAFETY: a plain address; whoever uses it owes that the parts are disjoint.
unsafe impl<T: Sync> Sync for Pointer<T> {}

impl<T> Pointer<T> {
    fn get(self) -> *mut T {
        self.0
    }
}

fn whole<T: Element>(x: &[T]) -> Arrays<T, 1, 0> {
    // SAFETY: x is borrowed for as long as the caller holds it.
    unsafe { Arrays::new(x.len(), [x.as_ptr()], []) }
}

fn is_nan<T: Element>(x: T) -> bool {
    x.to_f64().is_nan()
}

/// 2ⁿ for n within the normal exponents.
fn power_of_two(n: i64) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}

/// Σ x in `f64`, in a tree of halves.
fn tree<T: Element>(x: &[T]) -> f64 {
    match x.len() {
        0 => 0.0,
        1 => x[0].to_f64(),
        len => tree(&x[..len / 2]) + tree(&x[len / 2..]),
    }
}
