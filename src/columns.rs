//! How a map of columns runs, and a fold: strips of rows split over the threads, their results merged in a tree.

use crate::element::Element;
use crate::exec::Exec;
use crate::kernels::columns::{ColumnFold, ColumnMap, FoldColumns, MapColumns, MergeStrips, STRIP};
use crate::kernels::elementwise::Sweep;
use crate::kernels::rows::Lines;
use crate::parallel;
use crate::simd::slice::Arrays;

/// Elements that take about 5 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 15;

/// What [`Exec::fold_columns`] reads: matrices of one shape, and arrays of a number a column. Whoever makes one owes that they are
/// readable.
#[derive(Clone, Copy)]
pub(crate) struct Columns<T, const IN: usize, const P: usize> {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) inputs: [Lines<T>; IN],
    pub(crate) params: [*const T; P],
}

// SAFETY: plain addresses; whoever makes the value owes their validity.
unsafe impl<T: Sync, const IN: usize, const P: usize> Sync for Columns<T, IN, P> {}

/// Elements of the scratch memory of [`Exec::fold_columns`].
pub(crate) fn scratch(rows: usize, cols: usize, outputs: usize) -> usize {
    rows.div_ceil(STRIP).max(1).saturating_mul(cols).saturating_mul(outputs)
}

impl Exec {
    /// Folds each column to `OUT` results, which are the first `OUT` · `cols` elements of `scratch`, one result after the other.
    pub(crate) fn fold_columns<T: Element, F, const IN: usize, const P: usize, const OUT: usize>(
        &self,
        columns: Columns<T, IN, P>,
        f: F,
        scratch: &mut [T],
    ) where
        F: ColumnFold<T, IN, P, OUT>,
    {
        let Columns { rows, cols, inputs, .. } = columns;
        debug_assert_eq!(scratch.len(), self::scratch(rows, cols, OUT));
        let (strips, size) = (rows.div_ceil(STRIP), OUT * cols);
        if cols == 0 {
            // There may be any number of rows.
            return;
        }
        if strips == 0 {
            return scratch.fill(F::start());
        }
        let (token, parts) = (self.token(), self.parts(rows * cols * IN, QUANTUM).min(strips));
        let to = Lines { ptr: scratch.as_mut_ptr(), step: size as isize };
        let columns = &columns;
        self.for_each(parts, |index| {
            for strip in parallel::part(strips, 1, parts, index) {
                let rows = strip * STRIP..rows.min((strip + 1) * STRIP);
                let mut to_results = [core::ptr::null_mut(); OUT];
                (0..OUT).for_each(|o| to_results[o] = to.at(strip).wrapping_add(o * cols));
                let params = columns.params;
                T::dispatch(token, FoldColumns { rows, cols, inputs, params, f, to: to_results });
            }
        });
        let mut gap = 1;
        while gap < strips {
            for strip in (0..strips - gap).step_by(2 * gap) {
                let (a, b) = (to.at(strip), to.at(strip + gap));
                // SAFETY: both are within the scratch memory, and apart.
                let arrays = unsafe { Arrays::new(size, [a.cast_const(), b], [a]) };
                T::dispatch(token, Sweep { arrays, f: MergeStrips::<F, IN, P, OUT>(f) });
            }
            gap *= 2;
        }
    }

    /// Maps every element, with the numbers of its column, to `to`, which may be an input.
    pub(crate) fn map_columns<T: Element, F, const IN: usize, const P: usize>(
        &self,
        columns: Columns<T, IN, P>,
        f: F,
        to: Lines<T>,
    ) where
        F: ColumnMap<T, IN, P>,
    {
        let Columns { rows, cols, inputs, .. } = columns;
        if cols == 0 {
            return;
        }
        let (token, parts) = (self.token().for_stores(), self.parts(rows * cols * IN, QUANTUM).min(rows.max(1)));
        let columns = &columns;
        self.for_each(parts, |index| {
            let rows = parallel::part(rows, 1, parts, index);
            T::dispatch(token, MapColumns { rows, cols, inputs, params: columns.params, f, to });
        });
    }
}
