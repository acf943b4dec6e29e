//! Activations: forward, in place, and gradient.

use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;
use crate::exec::Exec;
pub use crate::kernels::activation::Activation;
use crate::kernels::activation::{
    Elu, Gelu, GeluTanh, LeakyRelu, Relu, Sigmoid, Silu, Softplus, Tanh, with_function, with_function_from_output,
};
use crate::kernels::activation::{Gradient, GradientFromOutput, Value};
use crate::simd::slice::{Arrays, Lanewise};

/// The three functions of one activation.
macro_rules! activations {
    ($($(#[$doc:meta])* $f:ident: $forward:ident, $inplace:ident, $grad:ident, $formula:literal;)*) => {
        impl Exec {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`Error::Length`] unless both slices have the same length.
            pub fn $forward<T: Element>(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
                self.map(stringify!($forward), x, y, Value($f))
            }

            #[doc = concat!("[`Exec::", stringify!($forward), "`] in place.")]
            ///
            /// # Errors
            /// None: the result keeps the form of its siblings.
            pub fn $inplace<T: Element>(&self, x: &mut [T]) -> Result<(), Error> {
                self.sweep(Arrays::in_place(x), Value($f));
                Ok(())
            }

            #[doc = concat!("Gradient of [`Exec::", stringify!($forward), "`]: dx = dy ⊙ g′(z), ", $formula, ".")]
            ///
            /// # Errors
            /// [`Error::Length`] unless the three slices have the same length.
            pub fn $grad<T: Element>(&self, z: &[T], dy: &[T], dx: &mut [T]) -> Result<(), Error> {
                self.map2(stringify!($grad), z, dy, dx, Gradient($f))
            }
        )*}
    };
}

activations! {
    /// yᵢ = max(0, xᵢ); NaN stays NaN.
    ///
    /// ```
    /// let mut y = [0.0_f32; 3];
    /// roofline::Exec::default().relu(&[-2.0, 0.0, 2.0], &mut y)?;
    /// assert_eq!(y, [0.0, 0.0, 2.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    Relu: relu, relu_inplace, relu_grad, "g′(z) = 1 for z > 0, else 0";
    /// yᵢ = xᵢ for xᵢ > 0, else xᵢ/100, correctly rounded but for the constant.
    ///
    /// ```
    /// let mut y = [0.0_f64; 2];
    /// roofline::Exec::default().leaky_relu(&[-2.0, 2.0], &mut y)?;
    /// assert_eq!(y, [-0.02, 2.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    LeakyRelu: leaky_relu, leaky_relu_inplace, leaky_relu_grad, "g′(z) = 1 for z > 0, else 0.01";
    /// yᵢ = xᵢ for xᵢ > 0, else e^xᵢ − 1 without cancellation: as precise as [`Exec::exp_m1`].
    ///
    /// ```
    /// let mut y = [0.0_f32; 3];
    /// roofline::Exec::default().elu(&[-1e-10, f32::NEG_INFINITY, 2.0], &mut y)?;
    /// assert_eq!(y, [-1e-10, -1.0, 2.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    Elu: elu, elu_inplace, elu_grad, "g′(z) = 1 for z > 0, else eᶻ";
    /// yᵢ = σ(xᵢ) = 1/(1 + e^−xᵢ), at most 2 ULP off (3 in `f64`) in both tails.
    ///
    /// ```
    /// let mut y = [0.0_f64; 1];
    /// roofline::Exec::default().sigmoid(&[0.0], &mut y)?;
    /// assert_eq!(y, [0.5]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    Sigmoid: sigmoid, sigmoid_inplace, sigmoid_grad, "g′(z) = e/(1 + e)² with e = e^−|z|";
    /// yᵢ = tanh xᵢ, at most 2 ULP off (3 in `f64`).
    ///
    /// ```
    /// let mut y = [0.0_f64; 2];
    /// roofline::Exec::default().tanh(&[-0.0, 40.0], &mut y)?;
    /// assert_eq!(y, [0.0, 1.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    Tanh: tanh, tanh_inplace, tanh_grad, "g′(z) = 4e/(1 + e)² with e = e^−2|z|";
    /// yᵢ = xᵢ·Φ(xᵢ) = xᵢ·(1 + erf(xᵢ/√2))/2, at most 4 ULP off, in the tail down to subnormal results too; −0 at −∞.
    ///
    /// ```
    /// let mut y = [0.0_f64; 2];
    /// roofline::Exec::default().gelu(&[-10.0, 10.0], &mut y)?;
    /// // x·(1 + erf(x/√2))/2, as it stands, is −0 from x = −8.3 on.
    /// assert!((y[0] / -7.619853024160525e-23 - 1.0).abs() < 1e-15);
    /// assert_eq!(y[1], 10.0);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    Gelu: gelu, gelu_inplace, gelu_grad, "g′(z) = Φ(z) + z·Φ′(z), Φ′(z) = e^(−z²/2)/√2π";
    /// yᵢ = xᵢ·(1 + tanh u)/2, u = √(2/π)·(xᵢ + 0.044715·xᵢ³): at most 4 ULP off of this formula, which is itself up to
    /// 4.8·10⁻⁴ off of [`Exec::gelu`]; −0 at −∞.
    ///
    /// ```
    /// let mut y = [0.0_f32; 3];
    /// roofline::Exec::default().gelu_tanh(&[-0.0, 1.0, 20.0], &mut y)?;
    /// assert_eq!(y, [0.0, 0.841192, 20.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    GeluTanh: gelu_tanh, gelu_tanh_inplace, gelu_tanh_grad, "g′(z) = σ(2u) + 2u′·z·σ′(2u)";
    /// yᵢ = xᵢ·σ(xᵢ), at most 2 ULP off (3 in `f64`) in both tails; −0 at −∞. Also called swish.
    ///
    /// ```
    /// let mut y = [0.0_f64; 2];
    /// roofline::Exec::default().silu(&[0.0, 40.0], &mut y)?;
    /// assert_eq!(y, [0.0, 40.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    Silu: silu, silu_inplace, silu_grad, "g′(z) = σ(z)·(1 + z·σ(−z))";
    /// yᵢ = ln(1 + e^xᵢ), at most 2 ULP off (3 in `f64`) in both tails.
    ///
    /// ```
    /// let mut y = [0.0_f64; 2];
    /// roofline::Exec::default().softplus(&[-1000.0, 1000.0], &mut y)?;
    /// assert_eq!(y, [0.0, 1000.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    Softplus: softplus, softplus_inplace, softplus_grad, "g′(z) = σ(z)";
}

impl Exec {
    /// y = g(x), in place, for an activation chosen at run time.
    ///
    /// # Errors
    /// None: the result keeps the form of its siblings.
    pub fn activation_inplace<T: Element>(&self, activation: Activation, x: &mut [T]) -> Result<(), Error> {
        with_function!(activation, f => self.sweep(Arrays::in_place(x), Value(f)));
        Ok(())
    }

    /// y = g(x), for an activation chosen at run time.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
    ///
    /// ```
    /// use roofline::{Activation, Exec};
    /// let mut y = [0.0_f32; 2];
    /// Exec::default().activation(Activation::Silu, &[0.0, 40.0], &mut y)?;
    /// assert_eq!(y, [0.0, 40.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn activation<T: Element>(&self, activation: Activation, x: &[T], y: &mut [T]) -> Result<(), Error> {
        with_function!(activation, f => self.map("activation: y", x, y, Value(f)))
    }

    /// dz = dy ⊙ g′(z) in place of dy.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
    ///
    /// ```
    /// use roofline::{Activation, Exec};
    /// let mut d = [2.0_f64, 2.0];
    /// Exec::default().activation_grad_inplace(Activation::Gelu, &[0.0, 50.0], &mut d)?;
    /// assert_eq!(d, [1.0, 2.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn activation_grad_inplace<T: Element>(
        &self,
        activation: Activation,
        z: &[T],
        dy: &mut [T],
    ) -> Result<(), Error> {
        let arrays = onto("activation_grad_inplace: dy", z, dy)?;
        with_function!(activation, f => self.sweep(arrays, Gradient(f)));
        Ok(())
    }

    /// dz = dy ⊙ g′(z) in place of dy, where only the output y = g(z) is at hand, as in a trainer that keeps A and not Z:
    /// σ′ = y·(1 − y), tanh′ = 1 − y², ELU′ = y + 1 for y ≤ 0, softplus′ = 1 − e⁻ʸ.
    ///
    /// # Errors
    /// [`Error::NoGradientFromOutput`] unless [`Activation::output_determines_gradient`]; [`Error::Length`] unless both
    /// slices have the same length.
    ///
    /// ```
    /// use roofline::{Activation, Exec};
    /// let mut d = [1.0_f64, 1.0];
    /// Exec::default().activation_grad_from_output_inplace(Activation::Tanh, &[0.0, 0.5], &mut d)?;
    /// assert_eq!(d, [1.0, 0.75]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn activation_grad_from_output_inplace<T: Element>(
        &self,
        activation: Activation,
        y: &[T],
        dy: &mut [T],
    ) -> Result<(), Error> {
        let arrays = onto("activation_grad_from_output_inplace: dy", y, dy)?;
        with_function_from_output!(
            activation,
            f => self.sweep(arrays, GradientFromOutput(f)),
            return Err(Error::NoGradientFromOutput { activation })
        );
        Ok(())
    }

    /// out = f(x, y).
    fn map2<T: Element>(
        &self,
        what: &'static str,
        x: &[T],
        y: &[T],
        out: &mut [T],
        f: impl Lanewise<T, 2, 1> + Sync,
    ) -> Result<(), Error> {
        same_length(what, x.len(), y.len())?;
        same_length(what, x.len(), out.len())?;
        // SAFETY: all are borrowed, `out` alone is written, and the lengths agree.
        let arrays = unsafe { Arrays::new(x.len(), [x.as_ptr(), y.as_ptr()], [out.as_mut_ptr()]) };
        self.sweep(arrays, f);
        Ok(())
    }
}

/// The arrays x and y, of which y is also the result.
pub(crate) fn onto<T: Element>(what: &'static str, x: &[T], y: &mut [T]) -> Result<Arrays<T, 2, 1>, Error> {
    same_length(what, x.len(), y.len())?;
    let p = y.as_mut_ptr();
    // SAFETY: both are borrowed while the caller uses the arrays, y alone is written, and the lengths agree.
    Ok(unsafe { Arrays::new(x.len(), [x.as_ptr(), p], [p]) })
}
