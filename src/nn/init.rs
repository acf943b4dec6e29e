//! Initial weights: normal, scaled so that activations keep their variance from layer to layer. Biases start at 0.

use super::random::{Purpose, Stream};
use crate::activation::Activation;
use crate::element::Element;

/// Standard deviation of the initial weights of a layer with n⁽ˡ⁻¹⁾ inputs and n⁽ˡ⁾ units.
///
/// ```
/// use roofline::nn::Init;
/// assert_eq!(Init::He.deviation(8, 5), 0.5);
/// assert_eq!(Init::Xavier.deviation(4, 5), 0.5);
/// assert_eq!(Init::Glorot.deviation(3, 5), 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Init {
    /// √(2/n⁽ˡ⁻¹⁾), for ReLU and its relatives (He et al. 2015).
    He,
    /// √(1/n⁽ˡ⁻¹⁾), for tanh and sigmoid (LeCun et al. 1998; "Xavier" in the course notes).
    Xavier,
    /// √(2/(n⁽ˡ⁻¹⁾+n⁽ˡ⁾)): between what keeps the variance of activations and what keeps that of gradients (Glorot and Bengio 2010,
    /// "Xavier" in most libraries).
    Glorot,
}

impl Init {
    /// The notes' choice for an activation: He for ReLU and what is like it (leaky ReLU, ELU, GELU, SiLU), Xavier for the others.
    pub fn for_activation(activation: Activation) -> Self {
        match activation {
            Activation::Relu
            | Activation::LeakyRelu
            | Activation::Elu
            | Activation::Gelu
            | Activation::GeluTanh
            | Activation::Silu => Init::He,
            _ => Init::Xavier,
        }
    }

    /// The standard deviation for `inputs` = n⁽ˡ⁻¹⁾ and `outputs` = n⁽ˡ⁾.
    pub fn deviation(self, inputs: usize, outputs: usize) -> f64 {
        let variance = match self {
            Init::He => 2.0 / inputs as f64,
            Init::Xavier => 1.0 / inputs as f64,
            Init::Glorot => 2.0 / (inputs as f64 + outputs as f64),
        };
        variance.sqrt()
    }

    /// Fills the weights of layer `layer`, Wᵀ, with numbers that are drawn in the order of W, row by row.
    pub(super) fn fill<T: Element>(
        self,
        weights: &mut [T],
        (inputs, outputs): (usize, usize),
        seed: u64,
        layer: usize,
    ) {
        let mut normal = vec![0.0; weights.len()];
        Stream::new(seed, Purpose::Weights, layer as u64).normal(&mut normal);
        let deviation = self.deviation(inputs, outputs);
        for (i, row) in normal.chunks_exact(outputs).enumerate() {
            for (unit, normal) in row.iter().enumerate() {
                weights[unit * inputs + i] = T::from_f64(deviation * normal);
            }
        }
    }
}
