//! How a function of rows runs: many rows split over the threads, long ones each split by chunks.

use crate::element::Element;
use crate::exec::Exec;
use crate::kernels::rows::{Lines, Rows};
use crate::kernels::softmax::long::{
    CHUNK, Chunks, GradientChunk, Merge, Partials, Rescale, Total, Weighting, is_long,
};
use crate::kernels::softmax::{
    CrossEntropyRows, GradientRows, LogSumExpRows, Normalize, OfLogSoftmax, OfSoftmax, SoftmaxRows, SubtractTwice,
    Weights,
};
use crate::parallel;
use crate::simd::Token;
use crate::simd::slice::Arrays;
use core::ops::Range;

/// Elements that take about 5 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 13;

/// Rows whose losses are summed one after the other; the sums of groups are added in a tree. A constant, so that neither
/// threads nor instruction sets change the bits.
const GROUP: usize = 64;

/// Elements that so many rows and columns need besides.
pub(super) fn scratch<T>(rows: usize, cols: usize) -> usize {
    if rows > 0 && is_long::<T>(cols) { Partials::<T>::SIZE.saturating_mul(cols.div_ceil(CHUNK)) } else { 0 }
}

/// Runs a kernel of rows, or that of short ones if they are.
macro_rules! dispatch {
    ($T:ident, $token:expr, $kernel:ident { $rows:expr $(, $field:ident: $value:expr)* }) => {
        match $rows.short() {
            Some(rows) => $T::dispatch($token, $kernel { rows $(, $field: $value)* }),
            None => $T::dispatch($token, $kernel { rows: $rows $(, $field: $value)* }),
        }
    };
}

/// Softmax or log-softmax of every row.
pub(super) fn normalize<T: Element>(exec: &Exec, rows: Rows<T>, scratch: &mut [T], normalize: Normalize) {
    if !is_long::<T>(rows.cols) {
        return split(exec, rows, |token, rows| dispatch!(T, token, SoftmaxRows { rows, normalize: normalize }));
    }
    for i in 0..rows.count {
        let row = rows.range(i, 1);
        let store = normalize == Normalize::Softmax;
        let total = total(exec, row, (Weighting::None, store), scratch);
        if store {
            rescale(exec, row, &total, (T::ONE, None), scratch);
        } else {
            exec.sweep(x_to_y(row), SubtractTwice(total.shift, total.finite_log()));
        }
    }
}

/// ln Σ eˣ of every row, to `to[row]`.
pub(super) fn log_sum_exp<T: Element>(exec: &Exec, rows: Rows<T>, scratch: &mut [T], to: &mut [T]) {
    debug_assert_eq!(to.len(), rows.count);
    if is_long::<T>(rows.cols) {
        for (i, to) in to.iter_mut().enumerate() {
            let total = total(exec, rows.range(i, 1), (Weighting::None, false), scratch);
            *to = total.shift + total.log;
        }
        return;
    }
    let to = Lines { ptr: to.as_mut_ptr(), step: 1 };
    split(exec, Rows { y: to, ..rows }, |token, rows| {
        dispatch!(T, token, LogSumExpRows { rows, to: rows.y.ptr });
    });
}

/// dx to y from the gradient dy, the rows of x, of an output, those of w.
pub(super) fn gradient<T: Element>(exec: &Exec, rows: Rows<T>, normalize: Normalize) {
    if !is_long::<T>(rows.cols) {
        return split(exec, rows, |token, rows| dispatch!(T, token, GradientRows { rows, normalize: normalize }));
    }
    let (token, chunks, parts) = (exec.token(), rows.cols.div_ceil(CHUNK), exec.parts(rows.cols, QUANTUM));
    for i in 0..rows.count {
        let row = rows.range(i, 1);
        let term = |index| T::dispatch(token, GradientChunk { row, normalize, index }).to_f64();
        let sum = T::from_f64(exec.tree_sum(parts, 0..chunks, &term));
        match normalize {
            Normalize::Softmax => exec.sweep(xw_to_y(row), OfSoftmax { sum }),
            Normalize::LogSoftmax => exec.sweep(xw_to_y(row), OfLogSoftmax { sum }),
        }
    }
}

/// The gradient of the cross-entropy of every row to y, and the sum of the losses.
pub(super) fn cross_entropy<T: Element>(
    exec: &Exec,
    rows: Rows<T>,
    scratch: &mut [T],
    (weights, scale): (Weights<'_>, f64),
) -> f64 {
    if is_long::<T>(rows.cols) {
        let loss = |i| long_cross_entropy(exec, rows.range(i, 1), scratch, (weights.of_rows(i), scale));
        return (0..rows.count).map(loss).sum();
    }
    let (token, groups) = (exec.token(), rows.count.div_ceil(GROUP));
    let parts = exec.parts(rows.count * rows.cols, QUANTUM);
    exec.tree_sum(parts, 0..groups, &|group| {
        let first = group * GROUP;
        let rows = rows.range(first, GROUP.min(rows.count - first));
        dispatch!(T, token, CrossEntropyRows { rows, weights: weights.of_rows(first), scale: scale })
    })
}

fn long_cross_entropy<T: Element>(
    exec: &Exec,
    row: Rows<T>,
    scratch: &mut [T],
    (weights, scale): (Weights<'_>, f64),
) -> f64 {
    let weighting = match weights {
        Weights::Classes { smoothing: 0.0, .. } => Weighting::None,
        Weights::Classes { .. } => Weighting::Alike,
        Weights::Given => Weighting::Weighted,
    };
    // Before y is written: it may be x.
    let label = match weights {
        // SAFETY: the label is below `cols`.
        Weights::Classes { labels, .. } => unsafe { *row.x.ptr.add(labels[0]) },
        Weights::Given => T::ZERO,
    };
    let total = total(exec, row, (weighting, true), scratch);
    let (dot, weight) = match weights {
        Weights::Classes { smoothing, .. } => {
            let (share, rest) = weights.mix::<T>(row.cols, 1.0);
            (Weights::mixed(smoothing, (share, total.dot), (rest, label - total.shift)), T::ONE)
        }
        Weights::Given => (total.dot, total.weight),
    };
    rescale(exec, row, &total, (weight * T::from_f64(scale), Some((weights, scale))), scratch);
    weights.subtract_label(&row, scale);
    weight.to_f64() * total.finite_log().to_f64() - dot.to_f64()
}

/// Runs `f` on parts of the rows.
fn split<T: Element>(exec: &Exec, rows: Rows<T>, f: impl Fn(Token, Rows<T>) + Sync) {
    let (token, parts) = (exec.token(), exec.parts(rows.count * rows.cols, QUANTUM));
    exec.for_each(parts, |index| {
        let part = parallel::part(rows.count, 1, parts, index);
        f(token, rows.range(part.start, part.len()));
    });
}

/// μ, s and what else of one long row, and where they are to be stored its exponentials to y.
fn total<T: Element>(exec: &Exec, row: Rows<T>, (weighting, store): (Weighting, bool), scratch: &mut [T]) -> Total<T> {
    let to = partials(&row, scratch);
    over_chunks(exec, &row, |range| T::dispatch(exec.token(), Chunks { row, range, weighting, store, to }));
    T::dispatch(exec.token(), Merge(to))
}

/// y ← scale·e^(x − μ)/s − less, from what [`total`] stored.
fn rescale<T: Element>(
    exec: &Exec,
    row: Rows<T>,
    total: &Total<T>,
    (scale, less): (T, Option<(Weights<'_>, f64)>),
    scratch: &mut [T],
) {
    let (partials, shift, factor) = (partials(&row, scratch), total.shift, scale / total.finite_sum());
    over_chunks(exec, &row, |range| {
        T::dispatch(exec.token(), Rescale { row, range, partials, shift, factor, less });
    });
}

fn partials<T: Element>(row: &Rows<T>, scratch: &mut [T]) -> Partials<T> {
    let count = row.cols.div_ceil(CHUNK);
    debug_assert_eq!(scratch.len(), Partials::<T>::SIZE * count);
    Partials { ptr: scratch.as_mut_ptr(), count }
}

/// Runs `f` on ranges of the chunks of a long row.
fn over_chunks<T: Element>(exec: &Exec, row: &Rows<T>, f: impl Fn(Range<usize>) + Sync) {
    let parts = exec.parts(row.cols, QUANTUM);
    exec.for_each(parts, |index| f(parallel::part(row.cols.div_ceil(CHUNK), 1, parts, index)));
}

fn x_to_y<T: Element>(row: Rows<T>) -> Arrays<T, 1, 1> {
    // SAFETY: whoever made the rows owes that they are valid for `cols` elements.
    unsafe { Arrays::new(row.cols, [row.x.ptr.cast_const()], [row.y.ptr]) }
}

fn xw_to_y<T: Element>(row: Rows<T>) -> Arrays<T, 2, 1> {
    // SAFETY: as above.
    unsafe { Arrays::new(row.cols, [row.x.ptr.cast_const(), row.w.ptr.cast_const()], [row.y.ptr]) }
}
