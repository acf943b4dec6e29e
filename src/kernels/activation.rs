//! Activations g(z): forward and, beside it, backward.

use super::math;
use crate::element::Element;
use crate::simd::Simd;
use crate::simd::slice::Lanewise;

/// An activation function g.
///
/// ```
/// use roofline::{Activation, Exec};
/// let mut x = [-1.0_f64, 3.0];
/// Exec::sequential().activation_inplace(Activation::Relu, &mut x)?;
/// assert_eq!(x, [0.0, 3.0]);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activation {
    /// g(z) = z.
    #[default]
    Identity,
    /// g(z) = max(0, z), NaN stays NaN.
    Relu,
    /// g(z) = σ(z) = 1/(1 + e⁻ᶻ).
    Sigmoid,
    /// g(z) = tanh z.
    Tanh,
}

/// What an activation does to a vector.
pub(crate) trait Function<T: Element>: Copy + Sync {
    /// g(z).
    fn value<S: Simd<T>>(simd: S, z: S::V) -> S::V;
    /// dz = dy ⊙ g′(z), from z.
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V;
    /// dz = dy ⊙ g′(z), from y = g(z): what a trainer has at hand.
    fn gradient_from_output<S: Simd<T>>(simd: S, y: S::V, dy: S::V) -> S::V;
}

#[derive(Clone, Copy)]
pub(crate) struct Identity;

impl<T: Element> Function<T> for Identity {
    #[inline(always)]
    fn value<S: Simd<T>>(_: S, z: S::V) -> S::V {
        z
    }
    #[inline(always)]
    fn gradient<S: Simd<T>>(_: S, _: S::V, dy: S::V) -> S::V {
        dy
    }
    #[inline(always)]
    fn gradient_from_output<S: Simd<T>>(_: S, _: S::V, dy: S::V) -> S::V {
        dy
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Relu;

impl<T: Element> Function<T> for Relu {
    /// max(0, z); NaN stays NaN, for `max` gives its second operand then.
    #[inline(always)]
    fn value<S: Simd<T>>(simd: S, z: S::V) -> S::V {
        simd.max(simd.splat(T::ZERO), z)
    }
    /// dy where z > 0, else 0; dy where z is NaN, so that it is not hidden.
    #[inline(always)]
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V {
        simd.select(simd.lt(z, simd.splat(T::MIN_POSITIVE)), simd.splat(T::ZERO), dy)
    }
    /// The output is positive exactly where the input is.
    #[inline(always)]
    fn gradient_from_output<S: Simd<T>>(simd: S, y: S::V, dy: S::V) -> S::V {
        Self::gradient(simd, y, dy)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Sigmoid;

impl<T: Element> Function<T> for Sigmoid {
    #[inline(always)]
    fn value<S: Simd<T>>(simd: S, z: S::V) -> S::V {
        math::sigmoid(simd, z)
    }
    #[inline(always)]
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V {
        simd.mul(dy, math::sigmoid_derivative(simd, z))
    }
    /// σ′ = σ·(1 − σ).
    #[inline(always)]
    fn gradient_from_output<S: Simd<T>>(simd: S, y: S::V, dy: S::V) -> S::V {
        simd.mul(dy, simd.mul(y, simd.sub(simd.splat(T::ONE), y)))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Tanh;

impl<T: Element> Function<T> for Tanh {
    #[inline(always)]
    fn value<S: Simd<T>>(simd: S, z: S::V) -> S::V {
        math::tanh(simd, z)
    }
    /// tanh′(z) = 1 − tanh² z = 4·σ′(2z): no cancellation.
    #[inline(always)]
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V {
        let quarter = math::sigmoid_derivative(simd, simd.add(z, z));
        simd.mul(dy, simd.mul(simd.splat(T::FOUR), quarter))
    }
    /// tanh′ = 1 − tanh².
    #[inline(always)]
    fn gradient_from_output<S: Simd<T>>(simd: S, y: S::V, dy: S::V) -> S::V {
        let negative = simd.sub(simd.splat(T::ZERO), y);
        simd.mul(dy, simd.fma(negative, y, simd.splat(T::ONE)))
    }
}

/// [`Function::value`] over arrays.
#[derive(Clone, Copy)]
pub(crate) struct Value<F>(pub(crate) F);

impl<T: Element, F: Function<T>> Lanewise<T, 1, 1> for Value<F> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [z]: [S::V; 1]) -> [S::V; 1] {
        [F::value(simd, z)]
    }
}

/// [`Function::gradient`] over arrays z, dy.
#[derive(Clone, Copy)]
pub(crate) struct Gradient<F>(pub(crate) F);

impl<T: Element, F: Function<T>> Lanewise<T, 2, 1> for Gradient<F> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [z, dy]: [S::V; 2]) -> [S::V; 1] {
        [F::gradient(simd, z, dy)]
    }
}

/// [`Function::gradient_from_output`] over arrays y, dy.
#[derive(Clone, Copy)]
pub(crate) struct GradientFromOutput<F>(pub(crate) F);

impl<T: Element, F: Function<T>> Lanewise<T, 2, 1> for GradientFromOutput<F> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [y, dy]: [S::V; 2]) -> [S::V; 1] {
        [F::gradient_from_output(simd, y, dy)]
    }
}
