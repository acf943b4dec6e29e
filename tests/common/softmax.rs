//! Softmax and cross-entropy in `f64`, and how far they may be off.

use super::{Float, exact_sum};
use roofline::{Exec, Mat, MatRef, Targets};

/// e^(z − max) inherits the rounding of z − max: (4 + |z − max|)·ε, as `Exec::softmax` says; the oracle of `f64` as much again.
const SOFTMAX_EPSILONS: f64 = 4.0;
const MAX_ROW_SUM_EPSILONS: f64 = 8.0;

const EPSILON_F64: f64 = f64::EPSILON;

/// The distance from 1 to the next number.
pub fn epsilon<T: Float>() -> f64 {
    2.0 * T::UNIT_ROUNDOFF
}

/// Probabilities, and ln Σ eᶻ.
fn oracle<T: Float>(z: &[T]) -> (Vec<f64>, f64) {
    let max = z.iter().map(|z| z.to_f64()).fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = z.iter().map(|z| (z.to_f64() - max).exp()).collect();
    let sum = exact_sum(&exps);
    (exps.iter().map(|e| e / sum).collect(), max + sum.ln())
}

/// Fails unless softmax, log-softmax and logsumexp of the rows of z are right.
pub fn check<T: Float>(exec: &Exec, z: &[T], cols: usize) {
    let m = z.len() / cols;
    let view = MatRef::from_slice(z, m, cols).unwrap();
    let (mut y, mut log, mut lse) = (Mat::zeros(m, cols), Mat::zeros(m, cols), vec![T::ZERO; m]);
    exec.softmax(view, y.as_mut()).unwrap();
    exec.log_softmax(view, log.as_mut()).unwrap();
    exec.logsumexp(view, &mut lse).unwrap();
    for (i, row) in z.chunks(cols).enumerate() {
        let max = row.iter().map(|z| z.to_f64()).fold(f64::NEG_INFINITY, f64::max);
        let (expected, log_sum) = oracle(row);
        let error = (lse[i].to_f64() - log_sum).abs();
        assert!(error <= 4.0 * epsilon::<T>() * log_sum.abs().max(1.0), "{exec:?}: {} not {log_sum}", lse[i]);
        for j in 0..cols {
            let (p, l) = (y.as_slice()[i * cols + j].to_f64(), log.as_slice()[i * cols + j].to_f64());
            let distance = max - row[j].to_f64();
            let bound = (SOFTMAX_EPSILONS + distance) * (epsilon::<T>() + EPSILON_F64);
            let exact = expected[j];
            assert!((p / exact - 1.0).abs() <= bound, "{exec:?} {m}×{cols}: {p} not {exact}");
            // ln Σ e^(z − max) has an error of an ULP of its own, and the result is rounded.
            let (exact, bound) = (row[j].to_f64() - log_sum, bound + 1.5 * epsilon::<T>() * (log_sum - max));
            assert!((l - exact).abs() <= bound * (1.0 + max.abs()), "{exec:?} {m}×{cols}: log {l} not {exact}");
        }
        let sum = exact_sum(&y.as_slice()[i * cols..][..cols].iter().map(|p| p.to_f64()).collect::<Vec<_>>());
        assert!((sum - 1.0).abs() <= MAX_ROW_SUM_EPSILONS * epsilon::<T>(), "{exec:?} {m}×{cols}: sum {sum}");
    }
}

/// Weights of the classes that a target stands for.
pub fn weights<T: Float>(targets: Targets<'_, T>, m: usize, n: usize) -> Vec<f64> {
    let at = |i: usize, j: usize| match targets {
        Targets::Labels(labels) => f64::from(u8::from(labels[i] == j)),
        Targets::Smoothed { labels, smoothing } => {
            smoothing / n as f64 + if labels[i] == j { 1.0 - smoothing } else { 0.0 }
        }
        Targets::Probabilities(t) => t.get(i, j).unwrap().to_f64(),
    };
    (0..m * n).map(|k| at(k / n, k % n)).collect()
}

/// Mean loss −Σ t·ln softmax(z), and (softmax(z)·Σ t − t)/m.
pub fn cross_entropy<T: Float>(z: &[T], t: &[f64], n: usize) -> (f64, Vec<f64>) {
    let (m, mut losses, mut dz) = (z.len() / n, Vec::new(), Vec::new());
    for (z, t) in z.chunks(n).zip(t.chunks(n)) {
        let max = z.iter().map(|z| z.to_f64()).fold(f64::NEG_INFINITY, f64::max);
        let sum = exact_sum(&z.iter().map(|z| (z.to_f64() - max).exp()).collect::<Vec<_>>());
        let total = exact_sum(t);
        for (z, t) in z.iter().zip(t) {
            let log = z.to_f64() - max - sum.ln();
            losses.push(-t * log);
            dz.push((log.exp() * total - t) / m as f64);
        }
    }
    (exact_sum(&losses) / m as f64, dz)
}
