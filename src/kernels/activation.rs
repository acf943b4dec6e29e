//! Activations g(z): forward and, beside it, backward.

use super::math;
use crate::element::Element;
use crate::simd::Simd;
use crate::simd::slice::Lanewise;

/// An activation function g.
///
/// ```
/// use roofline::{Activation, Exec};
/// assert_eq!("tanh".parse::<Activation>()?, Activation::Tanh);
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

impl<T: Element> Lanewise<T, 1, 1> for Activation {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [z]: [S::V; 1]) -> [S::V; 1] {
        [match self {
            Activation::Identity => z,
            Activation::Relu => relu(simd, z),
            Activation::Sigmoid => math::sigmoid(simd, z),
            Activation::Tanh => math::tanh(simd, z),
        }]
    }
}

/// max(0, z); NaN stays NaN, for `max` gives its second operand then.
#[inline(always)]
pub(crate) fn relu<T: Element, S: Simd<T>>(simd: S, z: S::V) -> S::V {
    simd.max(simd.splat(T::ZERO), z)
}

/// dz = dy ⊙ g′(z), from z.
#[derive(Clone, Copy)]
pub(crate) struct Gradient(pub(crate) Activation);

impl<T: Element> Lanewise<T, 2, 1> for Gradient {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [z, dy]: [S::V; 2]) -> [S::V; 1] {
        [match self.0 {
            Activation::Identity => dy,
            Activation::Relu => relu_gradient(simd, z, dy),
            Activation::Sigmoid => simd.mul(dy, math::sigmoid_derivative(simd, z)),
            // tanh′(z) = 1 − tanh² z = 4·σ′(2z)
            Activation::Tanh => {
                let quarter = math::sigmoid_derivative(simd, simd.add(z, z));
                simd.mul(dy, simd.mul(simd.splat(T::FOUR), quarter))
            }
        }]
    }
}

/// dz = dy ⊙ g′(z), from y = g(z): what a trainer has at hand.
#[derive(Clone, Copy)]
pub(crate) struct GradientFromOutput(pub(crate) Activation);

impl<T: Element> Lanewise<T, 2, 1> for GradientFromOutput {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [y, dy]: [S::V; 2]) -> [S::V; 1] {
        let one = simd.splat(T::ONE);
        [match self.0 {
            Activation::Identity => dy,
            Activation::Relu => relu_gradient(simd, y, dy),
            // σ′ = σ·(1 − σ)
            Activation::Sigmoid => simd.mul(dy, simd.mul(y, simd.sub(one, y))),
            // tanh′ = 1 − tanh²
            Activation::Tanh => simd.mul(dy, simd.fma(simd.sub(simd.splat(T::ZERO), y), y, one)),
        }]
    }
}

/// dy where z > 0, else 0; dy where z is NaN, so that it is not hidden. max(0, z) > 0 exactly where z > 0, so that the
/// output serves as well as the input.
#[inline(always)]
fn relu_gradient<T: Element, S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V {
    let off = simd.lt(z, simd.splat(T::MIN_POSITIVE));
    simd.select(off, simd.splat(T::ZERO), dy)
}

/// A function of one variable that is no activation.
#[derive(Clone, Copy)]
pub(crate) enum Elementary {
    Exp,
    Log,
}

impl<T: Element> Lanewise<T, 1, 1> for Elementary {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x]: [S::V; 1]) -> [S::V; 1] {
        [match self {
            Elementary::Exp => math::exp(simd, x),
            Elementary::Log => math::log(simd, x),
        }]
    }
}
