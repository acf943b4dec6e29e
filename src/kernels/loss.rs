//! Costs of single outputs: what happens to a vector of logits z and of wanted values y.

use super::math;
use super::reduce::{Reduce, same_for_all};
use super::rows::merged_by_addition;
use crate::element::Element;
use crate::simd::Simd;
use crate::simd::slice::{Fold, Lanewise};

/// Σ −y·ln σ(z) − (1 − y)·ln(1 − σ(z)) as Σ (max(z, 0) − z·y) + ln(1 + e^−|z|): nothing overflows, and where y is 0 or 1 the first term
/// is exact.
#[derive(Clone, Copy)]
pub(crate) struct BinaryCrossEntropy;

impl<T: Element> Fold<T, 2, 0> for BinaryCrossEntropy {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [z, y]: [S::V; 2]) -> (S::V, [S::V; 0]) {
        let zero = simd.splat(T::ZERO);
        let linear = simd.fma(simd.sub(zero, z), y, simd.max(zero, z));
        let rest = math::softplus(simd, simd.sub(zero, simd.abs(z)));
        (simd.add(acc, simd.add(linear, rest)), [])
    }
    merged_by_addition!();
}

/// (σ(z) − y)·scale.
#[derive(Clone, Copy)]
pub(crate) struct SigmoidDifference<T> {
    pub(crate) scale: T,
}

impl<T: Element> Lanewise<T, 2, 1> for SigmoidDifference<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [z, y]: [S::V; 2]) -> [S::V; 1] {
        [simd.mul(simd.sub(math::sigmoid(simd, z), y), simd.splat(self.scale))]
    }
}

/// Σ (z − y)².
#[derive(Clone, Copy)]
pub(crate) struct SquaredDifferences;

impl<T: Element> Fold<T, 2, 0> for SquaredDifferences {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [z, y]: [S::V; 2]) -> (S::V, [S::V; 0]) {
        let difference = simd.sub(z, y);
        (simd.fma(difference, difference, acc), [])
    }
    merged_by_addition!();
}

/// (z − y)·scale.
#[derive(Clone, Copy)]
pub(crate) struct Difference<T> {
    pub(crate) scale: T,
}

impl<T: Element> Lanewise<T, 2, 1> for Difference<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [z, y]: [S::V; 2]) -> [S::V; 1] {
        [simd.mul(simd.sub(z, y), simd.splat(self.scale))]
    }
}

same_for_all!(BinaryCrossEntropy, 2; SquaredDifferences, 2);
