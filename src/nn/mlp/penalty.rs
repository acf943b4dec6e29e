//! [`Penalty`]: what large weights cost.

use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::reduce::Reduction;

/// What large weights cost, with λ (`lambda` of the course notes) and m, the examples of the batch. It is part of the cost and of the
/// gradient, so that a gradient check sees it. Biases, γ and β are free of it.
///
/// ```
/// use roofline::nn::{Mlp, Penalty};
/// use roofline::Mat;
/// let x = Mat::<f64>::zeros(2, 3);
/// let cost = |penalty| -> Result<f64, roofline::Error> {
///     let mut net = Mlp::<f64>::builder(3).linear(1).penalty(penalty).build()?;
///     net.parameters_mut()[..3].copy_from_slice(&[1.0, -2.0, 3.0]);
///     net.forward(x.as_ref())?;
///     net.cost(Mat::zeros(2, 1).as_ref())
/// };
/// assert_eq!(cost(Penalty::L2(0.5))?, 0.5 / 4.0 * 14.0);
/// assert_eq!(cost(Penalty::L1(0.5))?, 0.5 / 4.0 * 6.0);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Penalty {
    /// None.
    #[default]
    None,
    /// λ/2m·Σ|w|, with the gradient λ/2m·sign(W), 0 at 0.
    L1(f64),
    /// λ/2m·Σ‖W‖²_F, with the gradient λ/m·W.
    L2(f64),
}

impl Penalty {
    /// Itself where λ is a good one; none for λ = 0, which would take the passes of another.
    pub(super) fn checked(self) -> Result<Self, Error> {
        match self {
            Penalty::L1(lambda) | Penalty::L2(lambda) if !(0.0..f64::INFINITY).contains(&lambda) => {
                Err(Error::OutOfRange { what: "penalty: lambda", value: lambda, allowed: "in [0, inf)" })
            }
            Penalty::L1(0.0) | Penalty::L2(0.0) => Ok(Penalty::None),
            _ => Ok(self),
        }
    }

    /// What the weights of one layer cost.
    pub(super) fn cost<T: Element>(self, exec: &Exec, w: &[T], m: usize) -> Result<f64, Error> {
        let (lambda, reduction) = match self {
            Penalty::None => return Ok(0.0),
            Penalty::L1(lambda) => (lambda, Reduction::Norm1),
            Penalty::L2(lambda) => (lambda, Reduction::SumOfSquares),
        };
        Ok(lambda / (2.0 * m as f64) * exec.reduce(reduction, w)?.to_f64())
    }

    /// Adds the gradient of [`Penalty::cost`] to dW.
    pub(super) fn add_gradient<T: Element>(self, exec: &Exec, w: &[T], m: usize, dw: &mut [T]) -> Result<(), Error> {
        match self {
            Penalty::None => Ok(()),
            Penalty::L1(lambda) => exec.axpy_sign(T::from_f64(lambda / (2.0 * m as f64)), w, dw),
            Penalty::L2(lambda) => exec.axpy(T::from_f64(lambda / m as f64), w, dw),
        }
    }
}
