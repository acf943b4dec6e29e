//! Initial weights: normal, scaled so that activations keep their variance from layer to layer. Biases start at 0.

use super::random::{Purpose, Stream};
use crate::activation::Activation;
use crate::element::Element;

/// Standard deviation of the initial weights of a layer with n⁽ˡ⁻¹⁾ inputs.
///
/// ```
/// use roofline::nn::Init;
/// assert_eq!(Init::He.deviation(8), 0.5);
/// assert_eq!(Init::Xavier.deviation(4), 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Init {
    /// √(2/n⁽ˡ⁻¹⁾), for ReLU (He et al. 2015).
    He,
    /// √(1/n⁽ˡ⁻¹⁾), for tanh and sigmoid (LeCun et al. 1998; "Xavier" in the course notes).
    Xavier,
}

impl Init {
    /// The notes' choice for an activation: He for ReLU, Xavier for the others.
    pub fn for_activation(activation: Activation) -> Self {
        match activation {
            Activation::Relu => Init::He,
            _ => Init::Xavier,
        }
    }

    /// The standard deviation for `inputs` = n⁽ˡ⁻¹⁾.
    pub fn deviation(self, inputs: usize) -> f64 {
        let numerator = match self {
            Init::He => 2.0_f64,
            Init::Xavier => 1.0,
        };
        (numerator / inputs as f64).sqrt()
    }

    /// Fills the weights of layer `layer`.
    pub(super) fn fill<T: Element>(self, weights: &mut [T], inputs: usize, seed: u64, layer: usize) {
        let mut normal = vec![0.0; weights.len()];
        Stream::new(seed, Purpose::Weights, layer as u64).normal(&mut normal);
        let deviation = self.deviation(inputs);
        for (weight, normal) in weights.iter_mut().zip(normal) {
            *weight = T::from_f64(deviation * normal);
        }
    }
}
