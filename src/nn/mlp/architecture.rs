//! [`Architecture`]: what a network is, as plain data.

use super::{Mlp, MlpBuilder, Output, Penalty};
use crate::activation::Activation;
use crate::element::Element;
use core::fmt;

/// What a network is apart from its numbers: plain data, which [`Mlp::architecture`] gives and [`Architecture::builder`] builds again.
///
/// ```
/// use roofline::Activation;
/// use roofline::nn::Mlp;
/// let net = Mlp::<f32>::builder(4).dense(8, Activation::Relu).dropout(0.5).softmax(3).build()?;
/// let mut architecture = net.architecture();
/// assert_eq!(architecture.to_string(), "4 → 8 relu dropout(0.5) → 3 softmax");
///
/// architecture.hidden[0].units = 16;
/// let wider = architecture.builder::<f64>().build()?;
/// assert_eq!(wider.to_string(), "4 → 16 relu dropout(0.5) → 3 softmax");
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// n⁽⁰⁾.
    pub inputs: usize,
    /// Hidden layers, from the inputs on.
    pub hidden: Vec<Hidden>,
    /// n⁽ᴸ⁾.
    pub outputs: usize,
    /// What the last layer gives and learns.
    pub output: Output,
    /// What large weights cost.
    pub penalty: Penalty,
    /// Of the initial weights and of the masks of dropout.
    pub seed: u64,
}

/// A hidden layer of an [`Architecture`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hidden {
    /// Units.
    pub units: usize,
    /// g.
    pub activation: Activation,
    /// Whether batch norm comes before g.
    pub batch_norm: bool,
    /// Share of the activations that dropout leaves; 1 for no dropout.
    pub keep_prob: f64,
}

impl Architecture {
    /// Begins a network like this, of any element type, with the initialisers that belong to its activations.
    pub fn builder<T: Element>(&self) -> MlpBuilder<T> {
        let mut builder = Mlp::builder(self.inputs).seed(self.seed).penalty(self.penalty);
        for layer in &self.hidden {
            builder = builder.dense(layer.units, layer.activation);
            if layer.batch_norm {
                builder = builder.batch_norm();
            }
            if layer.keep_prob != 1.0 {
                builder = builder.dropout(layer.keep_prob);
            }
        }
        match self.output {
            Output::Softmax => builder.softmax(self.outputs),
            Output::Sigmoid => builder.sigmoid(self.outputs),
            Output::Linear => builder.linear(self.outputs),
        }
    }
}

/// The layers, as the network itself is written.
impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inputs)?;
        self.hidden.iter().try_for_each(|layer| write!(f, " → {layer}"))?;
        write!(f, " → {} {}", self.outputs, self.output)
    }
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let batch_norm = if self.batch_norm { " batch_norm" } else { "" };
        write!(f, "{}{batch_norm} {}", self.units, self.activation)?;
        if self.keep_prob == 1.0 { Ok(()) } else { write!(f, " dropout({})", self.keep_prob) }
    }
}

impl<T> Mlp<T> {
    /// What the network is, as data.
    pub fn architecture(&self) -> Architecture {
        let last = self.layers.len() - 1;
        Architecture {
            inputs: self.layers[0].inputs,
            hidden: (0..last).map(|l| self.hidden(l)).collect(),
            outputs: self.layers[last].outputs,
            output: self.output,
            penalty: self.penalty,
            seed: self.seed,
        }
    }

    fn hidden(&self, l: usize) -> Hidden {
        let layer = &self.layers[l];
        Hidden {
            units: layer.outputs,
            activation: layer.activation,
            batch_norm: layer.gamma.is_some(),
            keep_prob: layer.dropout.map_or(1.0, |dropout| dropout.keep_prob),
        }
    }

    /// Layer l as text: units and what follows its product.
    pub(super) fn describe(&self, l: usize) -> String {
        match l + 1 == self.layers.len() {
            true => format!("{} {}", self.layers[l].outputs, self.output),
            false => self.hidden(l).to_string(),
        }
    }
}

/// The layers: `784 → 256 batch_norm relu dropout(0.8) → 10 softmax`.
impl<T> fmt::Display for Mlp<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.architecture().fmt(f)
    }
}
