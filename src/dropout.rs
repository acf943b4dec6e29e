//! Inverted dropout, alone and in one pass with an activation.

use crate::activation::{Activation, onto};
use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::activation::{Gradient, GradientFromOutput, Value, with_function, with_function_from_output};
use crate::kernels::dropout::{self as kernel, Kept, Mask, TILE, Unscaled};
use crate::parallel;
use crate::simd::slice::{Arrays, Lanewise};

/// Elements that take about 5 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 14;

/// Inverted dropout (Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting"; Ng's notes): each
/// element stays with a probability, divided by it, or else becomes 0.
///
/// Whether element i of a slice stays depends on `seed`, `step` and i alone, by the counter-based generator Philox4x32-7 (Salmon et al.
/// 2011), so not on threads, instruction set, or element type. Layers take different seeds, steps of the training different steps. Nothing
/// is stored for the gradient: the same value gives the same mask again.
///
/// ```
/// use roofline::{Dropout, Exec};
/// let (exec, dropout) = (Exec::default(), Dropout { keep_prob: 0.8, seed: 7, step: 0 });
/// let mut a = vec![1.0_f32; 10_000];
/// exec.dropout_inplace(dropout, &mut a)?;
/// let stay = a.iter().filter(|&&a| a > 0.0).count();
/// assert!((7_800..8_200).contains(&stay));
/// assert!(a.iter().all(|&a| a == 0.0 || (a - 1.25).abs() < 1e-5));
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The probability to stay, within [2⁻¹⁶, 1]; it counts in multiples of 2⁻¹⁶. With 1, everything stays as it is, bit for bit. The notes
    /// call it `keep_prob`; it is 1 − p of most libraries.
    pub keep_prob: f64,
    /// Which sequence of masks: one a layer.
    pub seed: u64,
    /// Which mask of the sequence: one a step.
    pub step: u64,
}

impl Dropout {
    /// The probability to stay times 2¹⁶, rounded.
    fn kept(self) -> Result<u32, Error> {
        const WHOLE: f64 = (1 << 16) as f64;
        if !(1.0 / WHOLE..=1.0).contains(&self.keep_prob) {
            let (what, value) = ("dropout: keep_prob", self.keep_prob);
            return Err(Error::OutOfRange { what, value, allowed: "in [2^-16, 1]" });
        }
        Ok((self.keep_prob * WHOLE).round() as u32)
    }
}

impl Exec {
    /// yᵢ = xᵢ/keep_prob or 0: see [`Dropout`]. An element that does not stay is 0 whatever it was. The gradient is the same function of
    /// the gradient: dx = `dropout(dy)`.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length, [`Error::OutOfRange`] for a `keep_prob` outside [2⁻¹⁶, 1].
    pub fn dropout<T: Element>(&self, dropout: Dropout, x: &[T], y: &mut [T]) -> Result<(), Error> {
        same_length("dropout: y", x.len(), y.len())?;
        // SAFETY: both are borrowed, y alone is written, and the lengths agree.
        let arrays = unsafe { Arrays::new(x.len(), [x.as_ptr()], [y.as_mut_ptr()]) };
        self.drop_out(dropout, arrays, Kept)
    }

    /// [`Exec::dropout`] in place.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a `keep_prob` outside [2⁻¹⁶, 1].
    pub fn dropout_inplace<T: Element>(&self, dropout: Dropout, x: &mut [T]) -> Result<(), Error> {
        if dropout.keep_prob == 1.0 {
            return Ok(());
        }
        self.drop_out(dropout, Arrays::in_place(x), Kept)
    }

    /// Dropout of g(z) in place of z, in one pass.
    ///
    /// # Errors
    /// As [`Exec::dropout_inplace`].
    ///
    /// ```
    /// use roofline::{Activation, Dropout, Exec};
    /// let (exec, dropout) = (Exec::default(), Dropout { keep_prob: 0.5, seed: 1, step: 3 });
    /// let (mut a, mut da) = ([1.0, -1.0, 2.0], [1.0, 1.0, 1.0]);
    /// exec.activation_dropout_inplace(Activation::Relu, dropout, &mut a)?;
    /// exec.activation_dropout_grad_from_output_inplace(Activation::Relu, dropout, &a, &mut da)?;
    /// assert!(a[1] == 0.0 && (a[2] == 0.0 || a[2] == 4.0));
    /// assert_eq!(da[2], a[2] / 2.0); // 1/keep_prob where it stayed.
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn activation_dropout_inplace<T: Element>(
        &self,
        activation: Activation,
        dropout: Dropout,
        z: &mut [T],
    ) -> Result<(), Error> {
        with_function!(activation, f => self.drop_out(dropout, Arrays::in_place(z), Value(f)))
    }

    /// Dropout of g(z), beside z.
    ///
    /// # Errors
    /// As [`Exec::dropout`].
    pub fn activation_dropout<T: Element>(
        &self,
        activation: Activation,
        dropout: Dropout,
        z: &[T],
        y: &mut [T],
    ) -> Result<(), Error> {
        same_length("activation_dropout: y", z.len(), y.len())?;
        // SAFETY: both are borrowed, y alone is written, and the lengths agree.
        let arrays = unsafe { Arrays::new(z.len(), [z.as_ptr()], [y.as_mut_ptr()]) };
        with_function!(activation, f => self.drop_out(dropout, arrays, Value(f)))
    }

    /// Gradient of [`Exec::activation_dropout_inplace`], from z: dz = `dropout(dy)` ⊙ g′(z), in place of dy.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length, and as [`Exec::dropout_inplace`].
    pub fn activation_dropout_grad_inplace<T: Element>(
        &self,
        activation: Activation,
        dropout: Dropout,
        z: &[T],
        dy: &mut [T],
    ) -> Result<(), Error> {
        let arrays = onto("activation_dropout_grad_inplace: dy", z, dy)?;
        with_function!(activation, f => self.drop_out(dropout, arrays, Gradient(f)))
    }

    /// The same from the output y of [`Exec::activation_dropout_inplace`], which a trainer keeps: dz = `dropout(dy)` ⊙ g′, with g′ from
    /// g(z) = y·keep_prob as in [`Exec::activation_grad_from_output_inplace`].
    ///
    /// # Errors
    /// As [`Exec::activation_dropout_grad_inplace`], and [`Error::NoGradientFromOutput`] unless
    /// [`Activation::output_determines_gradient`].
    pub fn activation_dropout_grad_from_output_inplace<T: Element>(
        &self,
        activation: Activation,
        dropout: Dropout,
        y: &[T],
        dy: &mut [T],
    ) -> Result<(), Error> {
        let arrays = onto("activation_dropout_grad_from_output_inplace: dy", y, dy)?;
        let keep = T::from_f64(f64::from(dropout.kept()?) / 65536.0);
        with_function_from_output!(
            activation,
            f => self.drop_out(dropout, arrays, Unscaled { keep, f: GradientFromOutput(f) }),
            Err(Error::NoGradientFromOutput { activation })
        )
    }

    /// Dropout of f(inputs).
    fn drop_out<T: Element, F: Lanewise<T, IN, 1> + Sync, const IN: usize>(
        &self,
        dropout: Dropout,
        arrays: Arrays<T, IN, 1>,
        f: F,
    ) -> Result<(), Error> {
        let Dropout { seed, step, .. } = dropout;
        let kept = dropout.kept()?;
        if kept == 1 << 16 {
            self.sweep(arrays, f);
            return Ok(());
        }
        let (mask, scale) = (Mask { seed, step, kept }, T::from_f64(65536.0 / f64::from(kept)));
        let (token, parts) = (self.token(), self.parts(arrays.len(), QUANTUM));
        self.for_each(parts, |index| {
            let range = parallel::part(arrays.len(), TILE, parts, index);
            let (tile, arrays) = ((range.start / TILE) as u64, arrays.range(range));
            T::dispatch(token, kernel::Dropout { arrays, tile, mask, scale, f });
        });
        Ok(())
    }
}
