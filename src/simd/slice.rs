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
    /// The accumulator of what went into `a` and `b`.
    fn merge<S: Simd<T>>(self, simd: S, a: S::V, b: S::V) -> S::V;
}

/// Accumulators of [`Arrays::fold`]: as many as the latency of an addition is longer than the time between two.
const ACCUMULATORS: usize = 4;

/// Vectors that an accumulator of [`Arrays::fold`] takes before it is merged: what bounds the error of a long sum.
const CHAIN: usize = 16;

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
        // SAFETY: whole vectors and the masked rest lie within `len` elements.
        unsafe {
            for at in (0..whole).step_by(T::LANES) {
                self.store::<S, false>(simd, at, f.apply(simd, self.load::<S, false>(simd, at)));
            }
            if whole < self.len {
                self.apply_last(simd, whole, f);
            }
        }
    }

    /// [`Arrays::apply`] to the last `len − at` elements, a vector at most.
    ///
    /// # Safety
    /// `len − at` ≤ LANES.
    #[inline(always)]
    pub(crate) unsafe fn apply_last<S: Simd<T>>(&self, simd: S, at: usize, f: impl Lanewise<T, IN, OUT>) {
        // SAFETY: the caller's debt.
        unsafe { self.store::<S, true>(simd, at, f.apply(simd, self.load::<S, true>(simd, at))) }
    }

    /// The inputs at `at`: a vector, or what there is of it if `MASKED`.
    ///
    /// # Safety
    /// `at` ≤ `len`, and `at + LANES` elements are within the arrays unless `MASKED`.
    #[inline(always)]
    pub(crate) unsafe fn load<S: Simd<T>, const MASKED: bool>(&self, simd: S, at: usize) -> [S::V; IN] {
        let (rest, mut x) = (simd.first(self.len - at), [simd.splat(T::ZERO); IN]);
        for i in 0..IN {
            // SAFETY: within the `len` elements that `new` asks for: the caller's debt.
            x[i] = unsafe {
                let p = self.inputs[i].add(at);
                if MASKED { simd.load_masked(rest, p) } else { simd.load(p) }
            };
        }
        x
    }

    /// The outputs at `at`.
    ///
    /// # Safety
    /// As [`Arrays::load`].
    #[inline(always)]
    pub(crate) unsafe fn store<S: Simd<T>, const MASKED: bool>(&self, simd: S, at: usize, y: [S::V; OUT]) {
        let rest = simd.first(self.len - at);
        for o in 0..OUT {
            // SAFETY: as above.
            unsafe {
                let p = self.outputs[o].add(at);
                if MASKED { simd.store_masked(rest, p, y[o]) } else { simd.store(p, y[o]) }
            }
        }
    }

    /// Folds every element into one vector of `T::LANES` partial results, from `start`, which changes no result: lane l takes the
    /// elements l, l + LANES, …, from [`ACCUMULATORS`] vectors on in as many chains, of [`CHAIN`] vectors each, that are merged.
    #[inline(always)]
    pub(crate) fn fold<S: Simd<T>>(self, simd: S, start: S::V, f: impl Fold<T, IN, OUT>) -> S::V {
        // SAFETY: outputs are written under the mask of the rest.
        unsafe { self.fold_to::<S, false>(simd, start, f) }
    }

    /// [`Arrays::fold`] to outputs that are `PADDED`: a masked store keeps a load that follows waiting until it is in the cache.
    ///
    /// # Safety
    /// `PADDED` outputs are writable up to a multiple of LANES.
    #[inline(always)]
    pub(crate) unsafe fn fold_to<S: Simd<T>, const PADDED: bool>(
        self,
        simd: S,
        start: S::V,
        f: impl Fold<T, IN, OUT>,
    ) -> S::V {
        let group = ACCUMULATORS * T::LANES;
        let (groups, whole) = (self.len / group * group, self.len / T::LANES * T::LANES);
        let mut first = start;
        // SAFETY: as for `apply`.
        unsafe {
            for from in (0..groups).step_by(CHAIN * group) {
                let to = groups.min(from + CHAIN * group);
                let mut acc = [start; ACCUMULATORS];
                for at in (from..to).step_by(group) {
                    for a in 0..ACCUMULATORS {
                        acc[a] = self.step(simd, acc[a], at + a * T::LANES, f);
                    }
                }
                let halves = (f.merge(simd, acc[0], acc[2]), f.merge(simd, acc[1], acc[3]));
                first = f.merge(simd, first, f.merge(simd, halves.0, halves.1));
            }
            for at in (groups..whole).step_by(T::LANES) {
                first = self.step(simd, first, at, f);
            }
            if whole < self.len { self.last_step::<S, PADDED>(simd, first, whole, f) } else { first }
        }
    }

    /// The step of [`Arrays::fold`] with the last `len − at` elements, a vector at most. From 0 it is the whole fold of a short array.
    ///
    /// # Safety
    /// As [`Arrays::fold_to`], and `len − at` ≤ LANES.
    #[inline(always)]
    pub(crate) unsafe fn last_step<S: Simd<T>, const PADDED: bool>(
        &self,
        simd: S,
        acc: S::V,
        at: usize,
        f: impl Fold<T, IN, OUT>,
    ) -> S::V {
        // SAFETY: the caller's debt.
        unsafe {
            let (all, y) = f.step(simd, acc, self.load::<S, true>(simd, at));
            if PADDED {
                self.store::<S, false>(simd, at, y)
            } else {
                self.store::<S, true>(simd, at, y)
            }
            simd.select(simd.first(self.len - at), all, acc)
        }
    }

    /// A step of [`Arrays::fold`] with the vector at `at`.
    ///
    /// # Safety
    /// `at + LANES` ≤ `len`.
    #[inline(always)]
    unsafe fn step<S: Simd<T>>(&self, simd: S, acc: S::V, at: usize, f: impl Fold<T, IN, OUT>) -> S::V {
        // SAFETY: the caller's debt.
        unsafe {
            let (acc, y) = f.step(simd, acc, self.load::<S, false>(simd, at));
            self.store::<S, false>(simd, at, y);
            acc
        }
    }
}

impl<T: Element> Arrays<T, 1, 1> {
    /// One array that is read and written in place.
    pub(crate) fn in_place(x: &mut [T]) -> Self {
        let p = x.as_mut_ptr();
        Self { len: x.len(), inputs: [p], outputs: [p] }
    }
}
