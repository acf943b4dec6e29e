//! Activations: forward, in place, and gradient.

use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;
use crate::exec::Exec;
pub use crate::kernels::activation::Activation;
use crate::kernels::activation::{Gradient, GradientFromOutput, Identity, Relu, Sigmoid, Tanh, Value};
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
    /// yᵢ = σ(xᵢ) = 1/(1 + e^−xᵢ), at most 3 ULP off in both tails.
    ///
    /// ```
    /// let mut y = [0.0_f64; 1];
    /// roofline::Exec::default().sigmoid(&[0.0], &mut y)?;
    /// assert_eq!(y, [0.5]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    Sigmoid: sigmoid, sigmoid_inplace, sigmoid_grad, "g′(z) = e/(1 + e)² with e = e^−|z|";
    /// yᵢ = tanh xᵢ, at most 3 ULP off.
    ///
    /// ```
    /// let mut y = [0.0_f64; 2];
    /// roofline::Exec::default().tanh(&[-0.0, 40.0], &mut y)?;
    /// assert_eq!(y, [0.0, 1.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    Tanh: tanh, tanh_inplace, tanh_grad, "g′(z) = 4e/(1 + e)² with e = e^−2|z|";
}

/// Runs an expression with `$f` as the function of an [`Activation`].
macro_rules! with_function {
    ($activation:expr, $f:ident => $body:expr) => {
        match $activation {
            Activation::Identity => {
                let $f = Identity;
                $body
            }
            Activation::Relu => {
                let $f = Relu;
                $body
            }
            Activation::Sigmoid => {
                let $f = Sigmoid;
                $body
            }
            Activation::Tanh => {
                let $f = Tanh;
                $body
            }
        }
    };
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

    /// dz = dy ⊙ g′(z) in place of dy, where only the output y = g(z) is at hand, as in a trainer that keeps A and not Z:
    /// σ′ = y·(1 − y), tanh′ = 1 − y².
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length.
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
        same_length("activation_grad_from_output_inplace: dy", y.len(), dy.len())?;
        let p = dy.as_mut_ptr();
        // SAFETY: both are borrowed, dy alone is written, and the lengths agree.
        let arrays = unsafe { Arrays::new(y.len(), [y.as_ptr(), p], [p]) };
        with_function!(activation, f => self.sweep(arrays, GradientFromOutput(f)));
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
