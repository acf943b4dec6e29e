//! [`Objective`]: a network on one batch, for a gradient check.

use super::super::gradient_check::Differentiable;
use super::super::labels::Labels;
use super::Mlp;
use crate::error::Error;
use crate::matrix::MatRef;
use core::ops::Range;

/// The cost of a network on one batch as a function of its parameters: what a gradient check perturbs. See [`Mlp::objective`].
pub struct Objective<'a, T> {
    pub(super) net: &'a mut Mlp<T>,
    pub(super) x: MatRef<'a, T>,
    pub(super) labels: Labels<'a, T>,
}

// Inline, so that a trainer for f64 is compiled where one is checked, and not with this crate.
impl Objective<'_, f64> {
    /// A training pass that leaves no trace: statistics of the batch, the masks of the last step, running statistics as they were.
    #[inline]
    fn forward(&mut self) -> Result<(), Error> {
        self.net.check_inputs(self.x, true)?;
        self.net.pass(self.x, Some(self.net.steps))
    }
}

impl Differentiable for Objective<'_, f64> {
    fn layers(&self) -> Vec<(String, Range<usize>)> {
        let layers = &self.net.layers;
        let name = |l: usize| format!("{}: {} → {}", l + 1, layers[l].inputs, self.net.describe(l));
        (0..layers.len()).map(|l| (name(l), layers[l].weights.start..layers[l].bias.end)).collect()
    }

    fn parameters_mut(&mut self) -> &mut [f64] {
        self.net.parameters_mut()
    }

    #[inline]
    fn cost(&mut self) -> Result<f64, Error> {
        self.forward()?;
        self.net.cost(self.labels)
    }

    #[inline]
    fn gradient(&mut self) -> Result<Vec<f64>, Error> {
        self.forward()?;
        self.net.backward(self.x, self.labels)?;
        Ok(self.net.gradients().to_vec())
    }
}
