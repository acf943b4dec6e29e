//! What a network is made of and remembers: names and places of its tensors, running statistics, the step. What a checkpoint keeps.

use super::layer::Layer;
use super::{Mlp, Output};
use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;
use crate::norm::RunningStatistics;
use core::ops::Range;

/// One tensor of the parameters: its name, shape, and place in the slice that [`Mlp::parameters`] gives.
///
/// ```
/// use roofline::Activation;
/// use roofline::nn::Mlp;
/// let net = Mlp::<f64>::builder(3).dense(5, Activation::Relu).batch_norm().softmax(2).build()?;
/// let names: Vec<String> = net.tensors().into_iter().map(|tensor| format!("{} {:?}", tensor.name, tensor.shape)).collect();
/// assert_eq!(
///     names,
///     ["layers.0.weight [5, 3]", "layers.0.gamma [5]", "layers.0.beta [5]", "layers.1.weight [2, 5]", "layers.1.bias [2]"]
/// );
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// `layers.` the number of the layer from 0 on, `.weight`, `.bias`, `.gamma` or `.beta`.
    pub name: String,
    /// n⁽ˡ⁾ × n⁽ˡ⁻¹⁾ row-major for weights, which is W⁽ˡ⁾ᵀ and what PyTorch keeps; n⁽ˡ⁾ for the others.
    pub shape: Vec<usize>,
    /// Where it lies.
    pub range: Range<usize>,
}

impl<T: Element> Mlp<T> {
    /// The tensors of the parameters, in their order. Between them lie zeros, up to the next cache line.
    pub fn tensors(&self) -> Vec<Tensor> {
        tensors(&self.layers)
    }

    /// The running statistics of layer `layer`, counted from 0; `None` where there is no such layer or it has no batch norm.
    pub fn running_statistics(&self, layer: usize) -> Option<&RunningStatistics<T>> {
        self.traces.get(layer)?.norm.as_ref().map(|norm| &norm.running)
    }

    /// Sets what [`Mlp::running_statistics`] gives.
    ///
    /// # Errors
    /// [`Error::Network`] where the layer has no batch norm or does not exist; [`Error::Length`] unless there is one number a unit;
    /// [`Error::OutOfRange`] unless 0 ≤ β < 1.
    pub fn set_running_statistics(&mut self, layer: usize, running: RunningStatistics<T>) -> Result<(), Error> {
        let norm = self.traces.get_mut(layer).and_then(|trace| trace.norm.as_mut());
        let norm =
            norm.ok_or(Error::Network { layer: layer + 1, what: "there is no batch norm to set statistics of" })?;
        let units = self.layers[layer].outputs;
        same_length("running statistics: mean (one a unit)", units, running.mean.len())?;
        same_length("running statistics: variance (one a unit)", units, running.variance.len())?;
        RunningStatistics::<T>::new(0, running.beta)?; // refuses a bad β
        norm.running = running;
        Ok(())
    }

    /// Training passes so far, [`Mlp::forward`]: they number the masks of dropout.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Sets what [`Mlp::steps`] gives: a network with the same make, parameters, running statistics and steps as another goes on as it
    /// would have. The next pass is a forward one.
    pub fn set_steps(&mut self, steps: u64) {
        (self.steps, self.rows) = (steps, 0);
    }

    /// What the network gives and learns.
    pub fn output(&self) -> Output {
        self.output
    }

    /// Number of inputs, n⁽⁰⁾.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    /// Number of outputs, n⁽ᴸ⁾.
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs
    }

    /// Floating-point operations of the matrix products of one training step, for each example: 2·n⁽ˡ⁻¹⁾·n⁽ˡ⁾ forward, as
    /// much for dW, and as much for dX but in the first layer.
    pub fn step_flops(&self) -> usize {
        let products: usize = self.layers.iter().map(|layer| layer.weights.len()).sum();
        6 * products - 2 * self.layers[0].weights.len()
    }
}

/// The tensors of these layers.
pub(super) fn tensors(layers: &[Layer]) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for (l, layer) in layers.iter().enumerate() {
        let mut add = |name: &str, shape: &[usize], range: &Range<usize>| {
            tensors.push(Tensor { name: format!("layers.{l}.{name}"), shape: shape.to_vec(), range: range.clone() });
        };
        add("weight", &[layer.outputs, layer.inputs], &layer.weights);
        match &layer.gamma {
            None => add("bias", &[layer.outputs], &layer.bias),
            Some(gamma) => {
                add("gamma", &[layer.outputs], gamma);
                add("beta", &[layer.outputs], &layer.bias);
            }
        }
    }
    tensors
}
