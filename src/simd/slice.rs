//! Loops over memory, tails included, written once: a kernel says only what happens to a vector.
//!
//! The tail goes through the same vector code under a mask, so a value never depends on its position or on the length.

use super::Simd;
use crate::element::Element;
use core::ops::Range;

/// What happens to a vector: `IN` of them to `OUT` of them, lane by lane.
pub(crate) trait Lanewise<T: Element, const IN: usize, const OUT: usize>: Copy {
    fn apply<S: Simd<T>>(self, simd: S, x: [S::V; IN]) -> [S::V; OUT];
}

/// What happens to a vector on the way to a reduction: lane by lane, with one accumulator.
pub(crate) trait Fold<T: Element, const IN: usize, const OUT: usize>: Copy {
    /// The new accumulator, and the vectors to write.
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, x: [S::V; IN]) -> (S::V, [S::V; OUT]);
}

/// Arrays of one length: `IN` to read, `OUT` to write. An output may also be an input (in place).
#[derive(Clone, Copy)]
pub(crate) struct Arrays<T, const IN: usize, const OUT: usize> {
    len: usize,
    inputs: [*const T; IN],
    outputs: [*mut T; OUT],
}

// SAFETY: plain addresses; `Arrays::new` is where their validity is owed.
unsafe impl<T: Sync, const IN: usize, const OUT: usize> Sync for Arrays<T, IN, OUT> {}

impl<T: Element, const IN: usize, const OUT: usize> Arrays<T, IN, OUT> {
    /// # Safety
    /// While the value is in use, inputs are readable and outputs writable for `len` elements. An output may be the same
    /// array as an input; otherwise no two overlap if one is an output.
    pub(crate) unsafe fn new(len: usize, inputs: [*const T; IN], outputs: [*mut T; OUT]) -> Self {
        Self { len, inputs, outputs }
    }

    /// Elements of each array.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The part of every array that `range` names.
    pub(crate) fn range(self, range: Range<usize>) -> Self {
        debug_assert!(range.start <= range.end && range.end <= self.len);
        Self {
            len: range.len(),
            inputs: self.inputs.map(|p| p.wrapping_add(range.start)),
            outputs: self.outputs.map(|p| p.wrapping_add(range.start)),
        }
    }

    /// The arrays that lie so many elements further on.
    ///
    /// # Safety
    /// As [`Arrays::new`], for those.
    pub(crate) unsafe fn shifted(self, inputs: [isize; IN], outputs: [isize; OUT]) -> Self {
        let (mut from, mut to) = (self.inputs, self.outputs);
        (0..IN).for_each(|i| from[i] = from[i].wrapping_offset(inputs[i]));
        (0..OUT).for_each(|o| to[o] = to[o].wrapping_offset(outputs[o]));
        Self { len: self.len, inputs: from, outputs: to }
    }

    /// outputs[i] = f(inputs[i]) for every element.
    #[inline(always)]
    pub(crate) fn apply<S: Simd<T>>(self, simd: S, f: impl Lanewise<T, IN, OUT>) {
        let whole = self.len / T::LANES * T::LANES;
        // SAFETY: whole vectors and the masked rest lie within `len` elements, which `new` asks for.
        unsafe {
            for at in (0..whole).step_by(T::LANES) {
                let mut x = [simd.splat(T::ZERO); IN];
                for i in 0..IN {
                    x[i] = simd.load(self.inputs[i].add(at));
                }
                let y = f.apply(simd, x);
                for o in 0..OUT {
                    simd.store(self.outputs[o].add(at), y[o]);
                }
            }
            if whole < self.len {
                let rest = simd.first(self.len - whole);
                let mut x = [simd.splat(T::ZERO); IN];
                for i in 0..IN {
                    x[i] = simd.load_masked(rest, self.inputs[i].add(whole));
                }
                let y = f.apply(simd, x);
                for o in 0..OUT {
                    simd.store_masked(rest, self.outputs[o].add(whole), y[o]);
                }
            }
        }
    }

    /// Folds every element into one vector of `T::LANES` partial results: lane l takes the elements l, l + LANES, …
    #[inline(always)]
    pub(crate) fn fold<S: Simd<T>>(self, simd: S, mut acc: S::V, f: impl Fold<T, IN, OUT>) -> S::V {
        let whole = self.len / T::LANES * T::LANES;
        // SAFETY: as for `apply`.
        unsafe {
            for at in (0..whole).step_by(T::LANES) {
                let mut x = [simd.splat(T::ZERO); IN];
                for i in 0..IN {
                    x[i] = simd.load(self.inputs[i].add(at));
                }
                let (sum, y) = f.step(simd, acc, x);
                acc = sum;
                for o in 0..OUT {
                    simd.store(self.outputs[o].add(at), y[o]);
                }
            }
            if whole < self.len {
                let rest = simd.first(self.len - whole);
                let mut x = [simd.splat(T::ZERO); IN];
                for i in 0..IN {
                    x[i] = simd.load_masked(rest, self.inputs[i].add(whole));
                }
                let (sum, y) = f.step(simd, acc, x);
                acc = simd.select(rest, sum, acc);
                for o in 0..OUT {
                    simd.store_masked(rest, self.outputs[o].add(whole), y[o]);
                }
            }
        }
        acc
    }
}

impl<T: Element> Arrays<T, 1, 1> {
    /// Only the input.
    #[inline(always)]
    pub(crate) fn input(self) -> Arrays<T, 1, 0> {
        Arrays { len: self.len, inputs: self.inputs, outputs: [] }
    }

    /// The output, in place.
    #[inline(always)]
    pub(crate) fn output(self) -> Self {
        Self { inputs: [self.outputs[0].cast_const()], ..self }
    }

    /// One array that is read and written in place.
    pub(crate) fn in_place(x: &mut [T]) -> Self {
        let p = x.as_mut_ptr();
        Self { len: x.len(), inputs: [p], outputs: [p] }
    }
}
