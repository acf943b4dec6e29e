//! Activations g(z): forward and, beside it, backward.

use super::math;
use crate::element::Element;
use crate::simd::Simd;
use crate::simd::slice::Lanewise;
use core::fmt;

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
    /// g(z) = z for z > 0, else z/100.
    LeakyRelu,
    /// g(z) = z for z > 0, else eᶻ − 1.
    Elu,
    /// g(z) = σ(z) = 1/(1 + e⁻ᶻ).
    Sigmoid,
    /// g(z) = tanh z.
    Tanh,
    /// g(z) = z·Φ(z), Φ the normal distribution function.
    Gelu,
    /// g(z) = z·(1 + tanh(√(2/π)·(z + 0.044715·z³)))/2.
    GeluTanh,
    /// g(z) = z·σ(z), also called swish.
    Silu,
    /// g(z) = ln(1 + eᶻ).
    Softplus,
}

impl Activation {
    /// All of them.
    pub const ALL: [Activation; 10] = [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Elu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Softplus,
    ];

    /// Whether the output y = g(z) determines g′(z), as where g is monotone. GELU, its tanh form and SiLU fall before they
    /// rise: one y belongs to two z, and only z tells the gradient.
    ///
    /// ```
    /// use roofline::Activation;
    /// assert!(Activation::Tanh.output_determines_gradient());
    /// assert!(!Activation::Gelu.output_determines_gradient());
    /// ```
    pub const fn output_determines_gradient(self) -> bool {
        !matches!(self, Activation::Gelu | Activation::GeluTanh | Activation::Silu)
    }

    /// The name of the method of [`Exec`](crate::Exec): `relu`, `gelu_tanh`, …
    pub const fn name(self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::LeakyRelu => "leaky_relu",
            Activation::Elu => "elu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_tanh",
            Activation::Silu => "silu",
            Activation::Softplus => "softplus",
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Runs an expression with `$f` as the function of an [`Activation`].
macro_rules! with_function {
    ($activation:expr, $f:ident => $body:expr) => {{
        use $crate::kernels::activation as functions;
        macro_rules! with {
            ($function:ident) => {{
                let $f = functions::$function;
                $body
            }};
        }
        match $activation {
            Activation::Identity => with!(Identity),
            Activation::Relu => with!(Relu),
            Activation::LeakyRelu => with!(LeakyRelu),
            Activation::Elu => with!(Elu),
            Activation::Sigmoid => with!(Sigmoid),
            Activation::Tanh => with!(Tanh),
            Activation::Gelu => with!(Gelu),
            Activation::GeluTanh => with!(GeluTanh),
            Activation::Silu => with!(Silu),
            Activation::Softplus => with!(Softplus),
        }
    }};
}

/// [`with_function!`] for those whose output determines the gradient ([`FromOutput`]), `$otherwise` for the rest.
macro_rules! with_function_from_output {
    ($activation:expr, $f:ident => $body:expr, $otherwise:expr) => {{
        use $crate::kernels::activation as functions;
        macro_rules! with {
            ($function:ident) => {{
                let $f = functions::$function;
                $body
            }};
        }
        match $activation {
            Activation::Identity => with!(Identity),
            Activation::Relu => with!(Relu),
            Activation::LeakyRelu => with!(LeakyRelu),
            Activation::Elu => with!(Elu),
            Activation::Sigmoid => with!(Sigmoid),
            Activation::Tanh => with!(Tanh),
            Activation::Softplus => with!(Softplus),
            Activation::Gelu | Activation::GeluTanh | Activation::Silu => $otherwise,
        }
    }};
}

pub(crate) use {with_function, with_function_from_output};

/// What an activation does to a vector.
pub(crate) trait Function<T: Element>: Copy + Sync {
    /// g(z).
    fn value<S: Simd<T>>(simd: S, z: S::V) -> S::V;
    /// dz = dy ⊙ g′(z), from z.
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V;
}

/// What an activation whose output determines the gradient does to a vector.
pub(crate) trait FromOutput<T: Element>: Function<T> {
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
}

impl<T: Element> FromOutput<T> for Identity {
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
}

impl<T: Element> FromOutput<T> for Relu {
    /// The output is positive exactly where the input is.
    #[inline(always)]
    fn gradient_from_output<S: Simd<T>>(simd: S, y: S::V, dy: S::V) -> S::V {
        Self::gradient(simd, y, dy)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct LeakyRelu;

impl<T: Element> Function<T> for LeakyRelu {
    /// max(z/100, z).
    #[inline(always)]
    fn value<S: Simd<T>>(simd: S, z: S::V) -> S::V {
        simd.max(simd.mul(z, simd.splat(T::LEAKY_SLOPE)), z)
    }
    /// dy where z > 0, else dy/100; dy where z is NaN.
    #[inline(always)]
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V {
        let less = simd.mul(dy, simd.splat(T::LEAKY_SLOPE));
        simd.select(simd.lt(z, simd.splat(T::MIN_POSITIVE)), less, dy)
    }
}

impl<T: Element> FromOutput<T> for LeakyRelu {
    /// The output is positive exactly where the input is.
    #[inline(always)]
    fn gradient_from_output<S: Simd<T>>(simd: S, y: S::V, dy: S::V) -> S::V {
        Self::gradient(simd, y, dy)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Elu;

impl<T: Element> Function<T> for Elu {
    #[inline(always)]
    fn value<S: Simd<T>>(simd: S, z: S::V) -> S::V {
        math::elu(simd, z)
    }
    /// dy where z > 0, else dy·eᶻ.
    #[inline(always)]
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V {
        simd.mul(dy, math::exp(simd, simd.min(simd.splat(T::ZERO), z)))
    }
}

impl<T: Element> FromOutput<T> for Elu {
    /// dy where y > 0, else dy·(y + 1), with one rounding.
    #[inline(always)]
    fn gradient_from_output<S: Simd<T>>(simd: S, y: S::V, dy: S::V) -> S::V {
        simd.fma(dy, simd.min(simd.splat(T::ZERO), y), dy)
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
}

impl<T: Element> FromOutput<T> for Sigmoid {
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
    #[inline(always)]
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V {
        simd.mul(dy, math::tanh_derivative(simd, z))
    }
}

impl<T: Element> FromOutput<T> for Tanh {
    /// tanh′ = 1 − tanh².
    #[inline(always)]
    fn gradient_from_output<S: Simd<T>>(simd: S, y: S::V, dy: S::V) -> S::V {
        let negative = simd.sub(simd.splat(T::ZERO), y);
        simd.mul(dy, simd.fma(negative, y, simd.splat(T::ONE)))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Gelu;

impl<T: Element> Function<T> for Gelu {
    #[inline(always)]
    fn value<S: Simd<T>>(simd: S, z: S::V) -> S::V {
        math::gelu(simd, z)
    }
    #[inline(always)]
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V {
        simd.mul(dy, math::gelu_derivative(simd, z))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct GeluTanh;

impl<T: Element> Function<T> for GeluTanh {
    #[inline(always)]
    fn value<S: Simd<T>>(simd: S, z: S::V) -> S::V {
        math::gelu_tanh(simd, z)
    }
    #[inline(always)]
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V {
        simd.mul(dy, math::gelu_tanh_derivative(simd, z))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Silu;

impl<T: Element> Function<T> for Silu {
    #[inline(always)]
    fn value<S: Simd<T>>(simd: S, z: S::V) -> S::V {
        math::silu(simd, z)
    }
    #[inline(always)]
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V {
        simd.mul(dy, math::silu_derivative(simd, z))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Softplus;

impl<T: Element> Function<T> for Softplus {
    #[inline(always)]
    fn value<S: Simd<T>>(simd: S, z: S::V) -> S::V {
        math::softplus(simd, z)
    }
    #[inline(always)]
    fn gradient<S: Simd<T>>(simd: S, z: S::V, dy: S::V) -> S::V {
        simd.mul(dy, math::sigmoid(simd, z))
    }
}

impl<T: Element> FromOutput<T> for Softplus {
    /// σ(z) = 1 − 1/(1 + eᶻ) = 1 − e⁻ʸ.
    #[inline(always)]
    fn gradient_from_output<S: Simd<T>>(simd: S, y: S::V, dy: S::V) -> S::V {
        let zero = simd.splat(T::ZERO);
        simd.mul(dy, simd.sub(zero, math::exp_m1(simd, simd.sub(zero, y))))
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

/// [`FromOutput::gradient_from_output`] over arrays y, dy.
#[derive(Clone, Copy)]
pub(crate) struct GradientFromOutput<F>(pub(crate) F);

impl<T: Element, F: FromOutput<T>> Lanewise<T, 2, 1> for GradientFromOutput<F> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [y, dy]: [S::V; 2]) -> [S::V; 1] {
        [F::gradient_from_output(simd, y, dy)]
    }
}
