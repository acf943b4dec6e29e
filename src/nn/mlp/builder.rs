//! [`MlpBuilder`]: the make of a network, layer by layer.

use super::super::init::Init;
use super::layer::{Layer, Trace};
#[cfg(feature = "checkpoint")]
use super::state::{Tensor, tensors};
use super::{Mlp, Output, Penalty};
use crate::activation::Activation;
use crate::dropout::Dropout;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::matrix::Mat;
use core::marker::PhantomData;

/// The make of a network, in the order of its layers; [`Mlp::builder`] begins one. What does not go together is an `Err` of
/// [`MlpBuilder::build`].
///
/// ```
/// use roofline::Activation;
/// use roofline::nn::{Mlp, Penalty};
/// let net = Mlp::<f32>::builder(784)
///     .dense(256, Activation::Relu)
///     .batch_norm()
///     .dropout(0.8)
///     .dense(128, Activation::Gelu)
///     .softmax(10)
///     .penalty(Penalty::L2(0.1))
///     .build()?;
/// assert_eq!(net.to_string(), "784 → 256 batch_norm relu dropout(0.8) → 128 gelu → 10 softmax");
/// // Without a hidden layer it is a regression: softmax, logistic or linear.
/// Mlp::<f64>::builder(30).sigmoid(1).build()?;
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MlpBuilder<T> {
    inputs: usize,
    layers: Vec<Dense>,
    output: Option<Output>,
    penalty: Penalty,
    init: Option<Init>,
    seed: u64,
    exec: Exec,
    /// The first mistake.
    error: Option<Error>,
    element: PhantomData<T>,
}

#[derive(Clone, Debug)]
struct Dense {
    units: usize,
    activation: Activation,
    batch_norm: bool,
    keep_prob: Option<f64>,
}

impl<T: Element> MlpBuilder<T> {
    pub(super) fn new(inputs: usize) -> Self {
        Self {
            inputs,
            layers: Vec::new(),
            output: None,
            penalty: Penalty::None,
            init: None,
            seed: 0,
            exec: Exec::default(),
            error: None,
            element: PhantomData,
        }
    }

    /// A hidden layer of `units` units: A = g(A·W + b).
    #[must_use]
    pub fn dense(self, units: usize, activation: Activation) -> Self {
        let after_output = self.output.is_some();
        let mut builder = self.expect(!after_output, "nothing comes after the output layer");
        builder.layers.push(Dense { units, activation, batch_norm: false, keep_prob: None });
        builder
    }

    /// Batch norm ([`Exec::batch_norm`]) between product and activation of the hidden layer before it: A = g(γ ⊙ Ẑ + β), with γ = 1 and
    /// β = 0 at first. The layer has no bias then: the mean that is subtracted would take it along. It comes directly after the layer.
    #[must_use]
    pub fn batch_norm(self) -> Self {
        let fits = self.hidden().is_some_and(|layer| !layer.batch_norm && layer.keep_prob.is_none());
        let mut builder = self.expect(fits, "batch_norm comes once, directly after a hidden layer");
        if let Some(layer) = builder.layers.last_mut() {
            layer.batch_norm = true;
        }
        builder
    }

    /// Inverted dropout ([`Dropout`]) of the activations of the hidden layer before it, in training only: each stays with probability
    /// `keep_prob`, divided by it. The masks of layer l, counted from 1, are those of the seed `seed ^ l·0x9e37_79b9_7f4a_7c15` (wrapping)
    /// and of the step that [`Mlp::steps`] counts.
    #[must_use]
    pub fn dropout(self, keep_prob: f64) -> Self {
        let fits = self.hidden().is_some_and(|layer| layer.keep_prob.is_none());
        let mut builder = self.expect(fits, "dropout comes once, after a hidden layer");
        if let Some(layer) = builder.layers.last_mut() {
            layer.keep_prob = Some(keep_prob);
        }
        builder
    }

    /// The output layer: a probability for each of `classes` classes, of which one is right. See [`Output::Softmax`].
    #[must_use]
    pub fn softmax(self, classes: usize) -> Self {
        self.output(classes, Output::Softmax)
    }

    /// The output layer: a probability for each of `units` classes on its own. See [`Output::Sigmoid`].
    #[must_use]
    pub fn sigmoid(self, units: usize) -> Self {
        self.output(units, Output::Sigmoid)
    }

    /// The output layer: `units` values. See [`Output::Linear`].
    #[must_use]
    pub fn linear(self, units: usize) -> Self {
        self.output(units, Output::Linear)
    }

    /// What large weights cost; nothing unless set.
    #[must_use]
    pub fn penalty(self, penalty: Penalty) -> Self {
        Self { penalty, ..self }
    }

    /// One initialiser for all layers, instead of [`Init::for_activation`] for each.
    #[must_use]
    pub fn init(self, init: Init) -> Self {
        Self { init: Some(init), ..self }
    }

    /// Seed of the initial weights and of the masks of dropout; 0 unless set.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// How the network runs.
    #[must_use]
    pub fn exec(self, exec: Exec) -> Self {
        Self { exec, ..self }
    }

    /// The network, with its initial weights.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] without layers, for a layer or input without units, for λ below 0 or `keep_prob` outside [2⁻¹⁶, 1];
    /// [`Error::Network`] where layers do not go together, with the number of the layer, or where the output layer is missing.
    pub fn build(self) -> Result<Mlp<T>, Error> {
        let (output, penalty) = self.check()?;
        let Self { seed, exec, .. } = self;
        let (layers, end) = lay_out::<T>(self.inputs, &self.layers, (seed, &exec))?;
        let outputs = layers[layers.len() - 1].outputs;
        let mut parameters = Mat::zeros(1, end);
        let theta = parameters.as_mut_slice();
        for (l, layer) in layers.iter().enumerate() {
            let init = self.init.unwrap_or(Init::for_activation(layer.activation));
            init.fill(&mut theta[layer.weights.clone()], (layer.inputs, layer.outputs), seed, l);
            if let Some(gamma) = layer.gamma.clone() {
                theta[gamma].fill(T::ONE);
            }
        }
        Ok(Mlp {
            traces: layers.iter().map(Trace::new).collect::<Result<_, _>>()?,
            cuts: layers.iter().flat_map(|layer| [layer.weights.start, layer.weights.end]).skip(1).collect(),
            layers,
            output,
            penalty,
            seed,
            gradients: Mat::zeros(1, end),
            parameters,
            du: Mat::zeros(0, 0),
            space: Mat::zeros(0, 1),
            predictions: Mat::zeros(0, outputs),
            classes: Vec::new(),
            rows: 0,
            steps: 0,
            exec,
        })
    }

    /// The tensors that the network will have, and how many parameters with the zeros between them: without making them.
    #[cfg(feature = "checkpoint")]
    pub(in crate::nn) fn layout(&self) -> Result<(Vec<Tensor>, usize), Error> {
        self.check()?;
        let (layers, end) = lay_out::<T>(self.inputs, &self.layers, (self.seed, &self.exec))?;
        Ok((tensors(&layers), end))
    }

    /// Whether the layers go together.
    fn check(&self) -> Result<(Output, Penalty), Error> {
        let layer = self.layers.len();
        if layer == 0 {
            return Err(Error::OutOfRange { what: "number of layers", value: 0.0, allowed: "at least 1" });
        }
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let output = self.output.ok_or(Error::Network { layer, what: "the last is softmax, sigmoid or linear" })?;
        Ok((output, self.penalty.checked()?))
    }

    /// The layer gives logits: the function of the output is taken together with the cost.
    fn output(self, units: usize, output: Output) -> Self {
        Self { output: Some(output), ..self.dense(units, Activation::Identity) }
    }

    /// The hidden layer that comes last so far.
    fn hidden(&self) -> Option<&Dense> {
        self.layers.last().filter(|_| self.output.is_none())
    }

    /// Notes the first mistake.
    fn expect(mut self, fits: bool, what: &'static str) -> Self {
        if !fits && self.error.is_none() {
            self.error = Some(Error::Network { layer: self.layers.len(), what });
        }
        self
    }
}

/// Where the layers have their parameters, and how many there are.
fn lay_out<T: Element>(
    inputs: usize,
    dense: &[Dense],
    (seed, exec): (u64, &Exec),
) -> Result<(Vec<Layer>, usize), Error> {
    let mut layers = Vec::with_capacity(dense.len());
    let (mut inputs, mut end) = (inputs, 0);
    for (l, &Dense { units, activation, batch_norm, keep_prob }) in dense.iter().enumerate() {
        if inputs == 0 || units == 0 {
            return Err(Error::OutOfRange { what: "units of a layer", value: 0.0, allowed: "at least 1" });
        }
        let mut layer = Layer::new::<T>((inputs, units), activation, batch_norm, end)?;
        if let Some(keep_prob) = keep_prob {
            // An odd constant spreads the numbers of layers: each has masks of its own.
            let seed = seed ^ (l as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let dropout = Dropout { keep_prob, seed, step: 0 };
            exec.dropout_inplace::<T>(dropout, &mut [])?; // refuses a bad `keep_prob`
            layer.dropout = (keep_prob < 1.0).then_some(dropout);
        }
        (inputs, end) = (units, layer.bias.end.next_multiple_of(T::LANES));
        layers.push(layer);
    }
    Ok((layers, end))
}
