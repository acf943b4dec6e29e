//! Optimizer updates: one pass over parameters, gradient and state.
//!
//! ```text
//! g ← c·dw + λ₂·w + λ₁·sign w,  w ← (1 − α·λ)·w      (Update: clipping, L2, L1, decoupled decay)
//! moments ← rule(g),  w ← w − rule's step            (Sgd, Momentum, Nesterov, RmsProp, Adam)
//! ```
//!
//! On many machines arithmetic with subnormal numbers takes a hundred times as long, and moments of parameters without gradient would decay
//! into them and stay. So an s below the smallest normal number becomes 0, and a v long before, at 2⁻¹⁰² (`f32`; its steps are lost in
//! a w above 2⁻⁶⁰). To do so in one step of sixteen is enough: they pass through some hundred. For the same reason no square of a gradient and no
//! multiple of a v stands alone: it is rounded with the sum that it is a term of.
//!
//! What most steps do without (that, and L1) is left out of code for `PLAIN` ones: it takes Adam in L1 1.1 (AVX-512) to 1.5 (AVX2) times as
//! long. What is the same for all elements (L2 or none, Nesterov's form, the place of ε) the compiler decides before the loop.

use crate::element::Element;
use crate::simd::Simd;
use crate::simd::slice::Lanewise;

/// What happens to a vector of the gradient g, of w, and of the moments: the new w and moments.
pub(crate) trait Rule<T: Element, const IN: usize, const OUT: usize>: Copy {
    fn step<S: Simd<T>, const PLAIN: bool>(self, simd: S, x: [S::V; IN]) -> [S::V; OUT];
}

/// w ← w − α·g.
#[derive(Clone, Copy)]
pub struct Sgd<T> {
    pub(crate) learning_rate: T,
}

impl<T: Element> Rule<T, 2, 1> for Sgd<T> {
    #[inline(always)]
    fn step<S: Simd<T>, const PLAIN: bool>(self, simd: S, [g, w]: [S::V; 2]) -> [S::V; 1] {
        [simd.fma(simd.splat(-self.learning_rate), g, w)]
    }
}

/// v ← β·v + d·g, w ← w − α·v.
#[derive(Clone, Copy)]
pub struct Momentum<T> {
    pub(crate) learning_rate: T,
    pub(crate) beta: T,
    /// d: 1 − β or 1.
    pub(crate) share: T,
    /// w ← w − α·(d·g + β·v), with the v that was just computed, instead.
    pub(crate) nesterov: bool,
}

impl<T: Element> Rule<T, 3, 2> for Momentum<T> {
    #[inline(always)]
    fn step<S: Simd<T>, const PLAIN: bool>(self, simd: S, [g, w, v]: [S::V; 3]) -> [S::V; 2] {
        let (rate, beta) = (simd.splat(-self.learning_rate), simd.splat(self.beta));
        let g = simd.mul(simd.splat(self.share), g);
        let v = at_least::<T, S, PLAIN>(simd, negligible(), simd.fma(beta, v, g));
        let step = if self.nesterov { simd.fma(beta, v, g) } else { v };
        [simd.fma(rate, step, w), v]
    }
}

/// What a second moment s is divided by: √s·correction + ε, or where ε is `inside` the root, √(s·correction + ε).
#[derive(Clone, Copy)]
pub(crate) struct Root<T> {
    pub(crate) correction: T,
    pub(crate) epsilon: T,
    pub(crate) inside: bool,
}

impl<T: Element> Root<T> {
    #[inline(always)]
    fn of<S: Simd<T>>(self, simd: S, s: S::V) -> S::V {
        let (correction, epsilon) = (simd.splat(self.correction), simd.splat(self.epsilon));
        if self.inside {
            simd.sqrt(simd.fma(s, correction, epsilon))
        } else {
            simd.fma(simd.sqrt(s), correction, epsilon)
        }
    }
}

/// s ← β·s + (1 − β)·g², w ← w − α·g/root(s).
#[derive(Clone, Copy)]
pub struct RmsProp<T> {
    pub(crate) learning_rate: T,
    pub(crate) average: Average<T>,
    pub(crate) root: Root<T>,
}

impl<T: Element> Rule<T, 3, 2> for RmsProp<T> {
    #[inline(always)]
    fn step<S: Simd<T>, const PLAIN: bool>(self, simd: S, [g, w, s]: [S::V; 3]) -> [S::V; 2] {
        let s = self.average.next_of_square::<S, PLAIN>(simd, s, g);
        let step = simd.div(g, self.root.of(simd, s));
        [simd.fma(simd.splat(-self.learning_rate), step, w), s]
    }
}

/// v ← β₁·v + (1 − β₁)·g, s ← β₂·s + (1 − β₂)·g², w ← w − α/(1 − β₁ᵗ) · v/root(s).
#[derive(Clone, Copy)]
pub struct Adam<T> {
    /// α/(1 − β₁ᵗ).
    pub(crate) step: T,
    pub(crate) first: Average<T>,
    pub(crate) second: Average<T>,
    pub(crate) root: Root<T>,
}

impl<T: Element> Rule<T, 4, 3> for Adam<T> {
    #[inline(always)]
    fn step<S: Simd<T>, const PLAIN: bool>(self, simd: S, [g, w, v, s]: [S::V; 4]) -> [S::V; 3] {
        let v = self.first.next::<S, PLAIN>(simd, v, g);
        let s = self.second.next_of_square::<S, PLAIN>(simd, s, g);
        let step = simd.div(v, self.root.of(simd, s));
        [simd.fma(simd.splat(-self.step), step, w), v, s]
    }
}

/// β·v + (1 − β)·x: an exponentially weighted average.
#[derive(Clone, Copy)]
pub(crate) struct Average<T> {
    pub(crate) beta: T,
    pub(crate) one_minus_beta: T,
}

impl<T: Element> Average<T> {
    pub(crate) fn new(beta: f64) -> Self {
        Self { beta: T::from_f64(beta), one_minus_beta: T::from_f64(1.0 - beta) }
    }

    #[inline(always)]
    fn next<S: Simd<T>, const PLAIN: bool>(self, simd: S, v: S::V, x: S::V) -> S::V {
        let v = simd.fma(simd.splat(self.beta), v, simd.mul(simd.splat(self.one_minus_beta), x));
        at_least::<T, S, PLAIN>(simd, negligible(), v)
    }

    /// β·s + (1 − β)·g².
    #[inline(always)]
    fn next_of_square<S: Simd<T>, const PLAIN: bool>(self, simd: S, s: S::V, g: S::V) -> S::V {
        let share = simd.mul(simd.splat(self.one_minus_beta), g);
        at_least::<T, S, PLAIN>(simd, T::MIN_NORMAL, simd.fma(share, g, simd.mul(simd.splat(self.beta), s)))
    }
}

/// What a first moment is below when it becomes 0: far enough above the subnormal numbers for sixteen steps.
fn negligible<T: Element>() -> T {
    T::MIN_NORMAL / T::from_f64(T::UNIT_ROUNDOFF)
}

/// 0 for a number below `least`, but in a plain step.
#[inline(always)]
fn at_least<T: Element, S: Simd<T>, const PLAIN: bool>(simd: S, least: T, v: S::V) -> S::V {
    if PLAIN {
        return v;
    }
    simd.select(simd.lt(simd.abs(v), simd.splat(least)), simd.splat(T::ZERO), v)
}

/// A rule on what clipping and decay make of gradient and parameters, which are the first two inputs.
#[derive(Clone, Copy)]
pub(crate) struct Update<T, R, const PLAIN: bool> {
    pub(crate) rule: R,
    pub(crate) terms: Terms<T>,
}

/// Numbers of an [`Update`].
#[derive(Clone, Copy)]
pub(crate) struct Terms<T> {
    /// c.
    pub(crate) clip: T,
    /// λ₁.
    pub(crate) l1: T,
    /// λ₂.
    pub(crate) l2: T,
    /// 1 − α·λ.
    pub(crate) keep: T,
}

impl<T: Element, R: Rule<T, IN, OUT>, const IN: usize, const OUT: usize, const PLAIN: bool> Lanewise<T, IN, OUT>
    for Update<T, R, PLAIN>
{
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, mut x: [S::V; IN]) -> [S::V; OUT] {
        let Terms { clip, l1, l2, keep } = self.terms;
        let (w, zero) = (x[1], simd.splat(T::ZERO));
        x[0] = simd.mul(simd.splat(clip), x[0]);
        // Not 0·∞ where there is no decay.
        if l2 > T::ZERO {
            x[0] = simd.fma(simd.splat(l2), w, x[0]);
        }
        if !PLAIN {
            let below = simd.select(simd.lt(w, zero), simd.splat(-l1), zero);
            let sign = simd.select(simd.lt(zero, w), simd.splat(l1), below);
            x[0] = simd.add(x[0], sign);
        }
        x[1] = simd.mul(simd.splat(keep), x[1]);
        self.rule.step::<S, PLAIN>(simd, x)
    }
}
