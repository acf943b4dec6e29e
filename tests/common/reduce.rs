//! Reductions in `f64`, and how far they may be off.

use super::{Float, exact_sum};
use roofline::{Exec, Reduction};

/// A sum's error is below this many units roundoff of Σ|x|, for every size here: see `Exec::reduce`.
pub const MAX_SUM_ROUNDOFFS: f64 = 40.0;

/// The exact value and the sum of the magnitudes in which its error counts.
pub fn oracle<T: Float>(reduction: Reduction, x: &[T]) -> (f64, f64) {
    let x: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
    let abs: Vec<f64> = x.iter().map(|x| x.abs()).collect();
    let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
    let n = x.len() as f64;
    match reduction {
        Reduction::Sum => (exact_sum(&x), exact_sum(&abs)),
        Reduction::Mean => (exact_sum(&x) / n, exact_sum(&abs) / n),
        Reduction::SumOfSquares => (exact_sum(&squares), exact_sum(&squares)),
        Reduction::Norm1 => (exact_sum(&abs), exact_sum(&abs)),
        Reduction::Norm2 => (exact_sum(&squares).sqrt(), exact_sum(&squares).sqrt()),
        Reduction::NormMax => (abs.iter().copied().fold(0.0, f64::max), 0.0),
        Reduction::Max => (x.iter().copied().fold(f64::NEG_INFINITY, f64::max), 0.0),
        Reduction::Min => (x.iter().copied().fold(f64::INFINITY, f64::min), 0.0),
    }
}

/// Fails unless `found` is what the reduction makes of x.
#[track_caller]
pub fn check<T: Float>(exec: &Exec, reduction: Reduction, x: &[T], found: T) {
    let (exact, size) = oracle(reduction, x);
    let bound = MAX_SUM_ROUNDOFFS * T::UNIT_ROUNDOFF * size;
    assert!((found.to_f64() - exact).abs() <= bound, "{exec:?} {reduction:?} of {}: {found} not {exact}", x.len());
}
