//! Functions of the rows of matrices: several rows at a time.
//!
//! What is one number a row, a sum or a maximum, is computed for as many rows at once as a vector has lanes, row i in lane i: of ten
//! elements the sum of one row alone would take longer than to read them ([`across`]).

use crate::element::Element;
use crate::simd::Simd;
use crate::simd::slice::{Arrays, Fold, Lanewise};

/// Widest rows that go through [`across`] together, and whose intermediate results fit in memory of a kernel.
pub(super) const NARROW: usize = 128;

/// Rows up to this width, so many at a time, hide behind each other what the sums of one wait for.
const MEDIUM: usize = 4096;

/// Rows of one matrix, each contiguous.
#[derive(Clone, Copy)]
pub(crate) struct Lines<T> {
    /// The first row.
    pub(crate) ptr: *mut T,
    /// Elements from row to row.
    pub(crate) step: isize,
}

// SAFETY: a plain address; whoever makes the value owes its validity.
unsafe impl<T: Sync> Sync for Lines<T> {}

impl<T> Lines<T> {
    /// Row i.
    pub(crate) fn at(self, i: usize) -> *mut T {
        self.ptr.wrapping_offset(i as isize * self.step)
    }
}

/// Rows of x and w to read and of y to write, which may be x. Whoever makes one owes that x is readable, y writable, and w
/// readable where the function takes it. `SHORT` rows are a vector at most: code of their own, which has no loop over a row.
#[derive(Clone, Copy)]
pub(crate) struct Rows<T, const SHORT: bool = false> {
    pub(crate) count: usize,
    pub(crate) cols: usize,
    pub(crate) x: Lines<T>,
    pub(crate) w: Lines<T>,
    pub(crate) y: Lines<T>,
}

// SAFETY: plain addresses; whoever makes the value owes their validity.
unsafe impl<T: Sync, const SHORT: bool> Sync for Rows<T, SHORT> {}

impl<T: Element> Rows<T> {
    /// The same rows, if they are short.
    pub(crate) fn short(self) -> Option<Rows<T, true>> {
        let Self { count, cols, x, w, y } = self;
        (cols <= T::LANES).then_some(Rows { count, cols, x, w, y })
    }
}

impl<T: Element, const SHORT: bool> Rows<T, SHORT> {
    /// The rows from `start` on, `count` of them.
    pub(crate) fn range(self, start: usize, count: usize) -> Self {
        let from = |lines: Lines<T>| Lines { ptr: lines.at(start), ..lines };
        Self { count, x: from(self.x), w: from(self.w), y: from(self.y), ..self }
    }

    /// How many rows are worked on together.
    #[inline(always)]
    pub(super) fn together(&self) -> usize {
        match self.cols {
            cols if SHORT || cols <= NARROW => T::LANES,
            cols if cols <= MEDIUM => 4,
            _ => 1,
        }
    }

    /// Block `index` of those that are worked on together.
    #[inline(always)]
    pub(super) fn block(self, index: usize) -> Self {
        let start = index * self.together();
        self.range(start, self.together().min(self.count - start))
    }

    #[inline(always)]
    pub(super) fn blocks(&self) -> usize {
        self.count.div_ceil(self.together())
    }

    /// Row i of some of the matrices.
    #[inline(always)]
    pub(super) fn row<const IN: usize, const OUT: usize>(
        &self,
        i: usize,
        inputs: [Lines<T>; IN],
        outputs: [Lines<T>; OUT],
    ) -> Arrays<T, IN, OUT> {
        let (mut from, mut to) = ([core::ptr::null(); IN], [core::ptr::null_mut(); OUT]);
        (0..IN).for_each(|k| from[k] = inputs[k].at(i).cast_const());
        (0..OUT).for_each(|k| to[k] = outputs[k].at(i));
        // SAFETY: whoever made the rows owes that they are valid for `cols` elements.
        unsafe { Arrays::new(self.cols, from, to) }
    }

    /// Folds each row of a block with its `f(i)`: the result of row i in lane i, or in every lane if it is the only one.
    #[inline(always)]
    pub(super) fn fold<S: Simd<T>, F: Fold<T, IN, OUT>, const IN: usize, const OUT: usize>(
        &self,
        simd: S,
        (inputs, outputs): ([Lines<T>; IN], [Lines<T>; OUT]),
        start: T,
        f: impl Fn(usize) -> F,
    ) -> S::V {
        debug_assert!(self.count <= T::LANES);
        let start = simd.splat(start);
        let mut v = [start; 16];
        for i in 0..self.count {
            let row = self.row(i, inputs, outputs);
            v[i] = if SHORT {
                // SAFETY: short rows are a vector at most.
                unsafe { row.last_step::<S, false>(simd, start, 0, f(i)) }
            } else {
                row.fold(simd, start, f(i))
            };
        }
        across(simd, v, self.count, f(0))
    }

    /// Applies f to row i of some of the matrices.
    #[inline(always)]
    pub(super) fn apply<S: Simd<T>, const IN: usize, const OUT: usize>(
        &self,
        simd: S,
        i: usize,
        (inputs, outputs): ([Lines<T>; IN], [Lines<T>; OUT]),
        f: impl Lanewise<T, IN, OUT>,
    ) {
        let row = self.row(i, inputs, outputs);
        // SAFETY: short rows are a vector at most.
        if SHORT { unsafe { row.apply_last(simd, 0, f) } } else { row.apply(simd, f) }
    }
}

/// The lanes of each of `count` vectors merged to one: that of vector i in lane i. A single one comes out in every lane.
///
/// Pairs of vectors become one, whose groups of lanes hold the halves of theirs in turn, log₂ LANES times: fifteen exchanges of
/// lanes for sixteen vectors, where one vector alone takes four.
#[inline(always)]
pub(super) fn across<T: Element, S: Simd<T>, F: Fold<T, IN, OUT>, const IN: usize, const OUT: usize>(
    simd: S,
    mut v: [S::V; 16],
    count: usize,
    f: F,
) -> S::V {
    macro_rules! stage {
        ($stage:literal, $left:expr) => {
            for i in 0..$left.max(1) {
                let (a, b) = simd.halves::<$stage>(v[i], v[i + $left]);
                v[i] = f.merge(simd, a, b);
            }
        };
    }
    if count == 1 {
        stage!(1, 0_usize);
        stage!(2, 0_usize);
        stage!(3, 0_usize);
        if T::LANES > 8 {
            stage!(4, 0_usize);
        }
    } else {
        stage!(1, T::LANES / 2);
        stage!(2, T::LANES / 4);
        stage!(3, T::LANES / 8);
        if T::LANES > 8 {
            stage!(4, T::LANES / 16);
        }
    }
    v[0]
}

/// A fold whose partial results are added.
macro_rules! merged_by_addition {
    () => {
        #[inline(always)]
        fn merge<S: Simd<T>>(self, simd: S, a: S::V, b: S::V) -> S::V {
            simd.add(a, b)
        }
    };
}
pub(super) use merged_by_addition;
