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

    /// [`Fold::step`] in a run of steps that [`Fold::settle`] ends: what it would have to ask of each vector, `watch`, which begins
    /// as 0, may remember.
    #[inline(always)]
    fn step_watched<S: Simd<T>>(
        self,
        simd: S,
        (acc, watch): Watched<S::V>,
        x: [S::V; IN],
    ) -> (Watched<S::V>, [S::V; OUT]) {
        let (acc, y) = self.step(simd, acc, x);
        ((acc, watch), y)
    }

    /// The accumulator after watched steps; watches are added where accumulators are merged.
    #[inline(always)]
    fn settle<S: Simd<T>>(self, _: S, (acc, _): Watched<S::V>) -> S::V {
        acc
    }
}

/// An accumulator, and what watched steps remember.
pub(crate) type Watched<V> = (V, V);

/// Accumulators of [`Arrays::fold`]: as many as the latency of an addition is longer than the time between two.
const ACCUMULATORS: usize = 4;

/// Vectors that an accumulator of [`Arrays::fold`] takes before it is merged: what bounds the error of a long sum.
const CHAIN: usize = 16;

/// Vectors that are loaded before one is stored: a load whose address ends in the same 12 bits as that of a store on its way waits for it,
/// and arrays of a round size that were allocated one after the other lie just so, a line or two apart from a multiple of 4096 bytes.
/// Without, sigmoid took 1.1 to 2.2 times and ReLU up to 4 times as long there. Where registers are few, one must do, or none.
const fn vectors_ahead(inputs: usize, outputs: usize, registers: usize) -> usize {
    match (outputs, inputs) {
        (1, _) if registers >= 16 => 2,
        (1, 1) => 1,
        _ => 0,
    }
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
        match const { vectors_ahead(IN, OUT, S::REGISTERS) } {
            0 => self.apply_ahead::<S, 0>(simd, f),
            1 => self.apply_ahead::<S, 1>(simd, f),
            _ => self.apply_ahead::<S, 2>(simd, f),
        }
    }

    /// [`Arrays::apply`] with so many vectors loaded [ahead](vectors_ahead).
    #[inline(always)]
    fn apply_ahead<S: Simd<T>, const AHEAD: usize>(self, simd: S, f: impl Lanewise<T, IN, OUT>) {
        let whole = self.len / T::LANES * T::LANES;
        // SAFETY: whole vectors and the masked rest lie within `len` elements.
        unsafe {
            if whole > 0 {
                let last = whole - T::LANES;
                let mut next = [[simd.splat(T::ZERO); IN]; AHEAD];
                for a in 0..AHEAD {
                    next[a] = self.load::<S, false>(simd, last.min(a * T::LANES));
                }
                for at in (0..whole).step_by(T::LANES) {
                    let mut x = self.load::<S, false>(simd, last.min(at + AHEAD * T::LANES));
                    for a in (0..AHEAD).rev() {
                        core::mem::swap(&mut x, &mut next[a]);
                    }
                    self.store::<S, false>(simd, at, f.apply(simd, x));
                }
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
        let group = const { ACCUMULATORS * T::LANES };
        let (groups, whole) = (self.len / group, self.len / T::LANES * T::LANES);
        let (mut first, mut at) = (start, 0);
        // SAFETY: as for `apply`.
        unsafe {
            for _ in 0..groups / CHAIN {
                first = f.merge(simd, first, self.chains(simd, start, at, CHAIN, f));
                at += CHAIN * group;
            }
            if groups % CHAIN > 0 {
                first = f.merge(simd, first, self.chains(simd, start, at, groups % CHAIN, f));
            }
            for at in (groups * group..whole).step_by(T::LANES) {
                let (acc, y) = f.step(simd, first, self.load::<S, false>(simd, at));
                self.store::<S, false>(simd, at, y);
                first = acc;
            }
            if whole < self.len { self.last_step::<S, PADDED>(simd, first, whole, f) } else { first }
        }
    }

    /// [`ACCUMULATORS`] chains of so many vectors, side by side from `at` on, merged.
    ///
    /// # Safety
    /// As many vectors lie within `len`.
    #[inline(always)]
    unsafe fn chains<S: Simd<T>>(
        &self,
        simd: S,
        start: S::V,
        at: usize,
        steps: usize,
        f: impl Fold<T, IN, OUT>,
    ) -> S::V {
        let is_ahead = const { vectors_ahead(IN, OUT, S::REGISTERS) == 2 };
        let last = at + (steps * ACCUMULATORS - 1) * T::LANES;
        let mut acc = [(start, simd.splat(T::ZERO)); ACCUMULATORS];
        // SAFETY: the caller's debt.
        unsafe {
            let mut next = if is_ahead {
                [self.load::<S, false>(simd, at), self.load::<S, false>(simd, at + T::LANES)]
            } else {
                [[start; IN]; 2]
            };
            for step in 0..steps {
                for a in 0..ACCUMULATORS {
                    let at = at + (step * ACCUMULATORS + a) * T::LANES;
                    let mut x = next[0];
                    if is_ahead {
                        next = [next[1], self.load::<S, false>(simd, last.min(at + 2 * T::LANES))];
                    } else {
                        x = self.load::<S, false>(simd, at);
                    }
                    let (new, y) = f.step_watched(simd, acc[a], x);
                    self.store::<S, false>(simd, at, y);
                    acc[a] = new;
                }
            }
        }
        for half in [ACCUMULATORS / 2, ACCUMULATORS / 4] {
            for a in 0..half {
                let ((x, watch), (y, other)) = (acc[a], acc[a + half]);
                acc[a] = (f.merge(simd, x, y), simd.add(watch, other));
            }
        }
        f.settle(simd, acc[0])
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
}

impl<T: Element> Arrays<T, 1, 1> {
    /// One array that is read and written in place.
    pub(crate) fn in_place(x: &mut [T]) -> Self {
        let p = x.as_mut_ptr();
        Self { len: x.len(), inputs: [p], outputs: [p] }
    }
}
