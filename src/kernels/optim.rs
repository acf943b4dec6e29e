//! Optimizer updates: one pass over parameters, gradient and state.

use crate::element::Element;
use crate::simd::Simd;
use crate::simd::slice::Lanewise;

/// w ← w − α·dw.
#[derive(Clone, Copy)]
pub(crate) struct Sgd<T> {
    pub(crate) learning_rate: T,
}

impl<T: Element> Lanewise<T, 2, 1> for Sgd<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [dw, w]: [S::V; 2]) -> [S::V; 1] {
        [simd.fma(simd.splat(-self.learning_rate), dw, w)]
    }
}

/// v ← β·v + (1 − β)·dw, w ← w − α·v.
#[derive(Clone, Copy)]
pub(crate) struct Momentum<T> {
    pub(crate) learning_rate: T,
    pub(crate) beta: T,
    pub(crate) one_minus_beta: T,
}

impl<T: Element> Lanewise<T, 3, 2> for Momentum<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [dw, w, v]: [S::V; 3]) -> [S::V; 2] {
        let v = average(simd, self.beta, self.one_minus_beta, v, dw);
        [simd.fma(simd.splat(-self.learning_rate), v, w), v]
    }
}

/// v ← β₁·v + (1 − β₁)·dw, s ← β₂·s + (1 − β₂)·dw², w ← w − α/(1 − β₁ᵗ) · v / (√s/√(1 − β₂ᵗ) + ε).
#[derive(Clone, Copy)]
pub(crate) struct Adam<T> {
    /// α/(1 − β₁ᵗ).
    pub(crate) step: T,
    pub(crate) beta1: T,
    pub(crate) one_minus_beta1: T,
    pub(crate) beta2: T,
    pub(crate) one_minus_beta2: T,
    /// 1/√(1 − β₂ᵗ).
    pub(crate) root_correction: T,
    pub(crate) epsilon: T,
}

impl<T: Element> Lanewise<T, 4, 3> for Adam<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [dw, w, v, s]: [S::V; 4]) -> [S::V; 3] {
        let v = average(simd, self.beta1, self.one_minus_beta1, v, dw);
        let s = average(simd, self.beta2, self.one_minus_beta2, s, simd.mul(dw, dw));
        let root = simd.fma(simd.sqrt(s), simd.splat(self.root_correction), simd.splat(self.epsilon));
        let step = simd.div(simd.mul(simd.splat(self.step), v), root);
        [simd.sub(w, step), v, s]
    }
}

/// β·v + (1 − β)·x: an exponentially weighted average.
#[inline(always)]
fn average<T: Element, S: Simd<T>>(simd: S, beta: T, one_minus_beta: T, v: S::V, x: S::V) -> S::V {
    simd.fma(simd.splat(beta), v, simd.mul(simd.splat(one_minus_beta), x))
}
