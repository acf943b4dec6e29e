//! Normalisation: of inputs, of batches, of layers.

mod batch;
mod layer;
mod statistics;

pub use statistics::{RunningStatistics, Statistics};

use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;

/// What follows a normalisation, y = γ ⊙ x̂ + β, and the ε in it, x̂ = (x − μ)/√(σ² + ε). PyTorch's ε is 1e-5.
///
/// ```
/// use roofline::{Affine, Exec, Mat, Statistics};
/// let x = Mat::from_fn(2, 1, |i, _| [1.0, 3.0][i]);
/// let (mut y, mut statistics) = (Mat::zeros(2, 1), Statistics::new(1));
/// let affine = Affine { gamma: &[10.0], beta: &[5.0], epsilon: 0.0 };
/// Exec::default().batch_norm(x.as_ref(), affine, &mut statistics, y.as_mut())?;
/// assert_eq!(y.as_slice(), [-5.0, 15.0]);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a, T> {
    /// γ, one a column.
    pub gamma: &'a [T],
    /// β, one a column.
    pub beta: &'a [T],
    /// ε, at least 0.
    pub epsilon: f64,
}

/// Where the gradients of γ and β go.
#[derive(Debug)]
pub struct AffineGradient<'a, T> {
    /// dγ, one a column.
    pub gamma: &'a mut [T],
    /// dβ, one a column.
    pub beta: &'a mut [T],
}

impl<T: Element> Affine<'_, T> {
    fn check(&self, cols: usize) -> Result<(), Error> {
        same_length("normalisation: gamma (one a column)", cols, self.gamma.len())?;
        same_length("normalisation: beta (one a column)", cols, self.beta.len())?;
        if !(0.0..f64::INFINITY).contains(&self.epsilon) {
            let (what, value) = ("normalisation: epsilon", self.epsilon);
            return Err(Error::OutOfRange { what, value, allowed: "in [0, inf)" });
        }
        Ok(())
    }

    /// 1/√(variance + ε).
    fn inverse(&self, variance: T) -> f64 {
        1.0 / (variance.to_f64() + self.epsilon).sqrt()
    }
}

impl<T: Element> AffineGradient<'_, T> {
    fn check(&self, cols: usize) -> Result<(), Error> {
        same_length("normalisation: dgamma (one a column)", cols, self.gamma.len())?;
        same_length("normalisation: dbeta (one a column)", cols, self.beta.len())
    }
}
