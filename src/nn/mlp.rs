//! [`Mlp`]: dense layers with softmax on top, trained by forward, backward, update.

use super::dataset::Dataset;
use super::gradient_check::Differentiable;
use super::init::Init;
use super::optimizer::Optimizer;
use crate::activation::Activation;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::gemm::Epilogue;
use crate::matrix::{Mat, MatMut, MatRef};
use core::marker::PhantomData;
use core::ops::Range;

/// Examples that [`Mlp::accuracy`] takes through the network at once.
const EVALUATION_BATCH: usize = 256;

/// The make of a network; [`Mlp::builder`] begins one.
#[derive(Clone, Debug)]
pub struct MlpBuilder<T> {
    inputs: usize,
    layers: Vec<(usize, Activation)>,
    init: Option<Init>,
    seed: u64,
    exec: Exec,
    element: PhantomData<T>,
}

impl<T: Element> MlpBuilder<T> {
    /// A hidden layer of `units` units.
    #[must_use]
    pub fn dense(mut self, units: usize, activation: Activation) -> Self {
        self.layers.push((units, activation));
        self
    }

    /// The output layer: a probability for each of `classes` classes. It comes last.
    #[must_use]
    pub fn softmax(self, classes: usize) -> Self {
        // The layer gives logits: softmax is taken together with the loss.
        self.dense(classes, Activation::Identity)
    }

    /// One initialiser for all layers, instead of [`Init::for_activation`] for each.
    #[must_use]
    pub fn init(self, init: Init) -> Self {
        Self { init: Some(init), ..self }
    }

    /// Seed of the initial weights; 0 unless set.
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
    /// [`Error::OutOfRange`] without layers, or for a layer or input without units; [`Error::NoGradientFromOutput`] for an
    /// activation whose input the backward pass would need: it keeps outputs only.
    pub fn build(self) -> Result<Mlp<T>, Error> {
        if self.layers.is_empty() {
            return Err(Error::OutOfRange { what: "number of layers", value: 0.0, allowed: "at least 1" });
        }
        let mut layers = Vec::with_capacity(self.layers.len());
        let (mut inputs, mut end) = (self.inputs, 0);
        for &(outputs, activation) in &self.layers {
            if !activation.output_determines_gradient() {
                return Err(Error::NoGradientFromOutput { activation });
            }
            if inputs == 0 || outputs == 0 {
                return Err(Error::OutOfRange { what: "units of a layer", value: 0.0, allowed: "at least 1" });
            }
            let layer = Layer::new::<T>(inputs, outputs, activation, end)?;
            (inputs, end) = (outputs, layer.bias.end.next_multiple_of(T::LANES));
            layers.push(layer);
        }
        let mut parameters = Mat::zeros(1, end);
        for (l, layer) in layers.iter().enumerate() {
            let init = self.init.unwrap_or(Init::for_activation(layer.activation));
            init.fill(&mut parameters.as_mut_slice()[layer.weights.clone()], layer.inputs, self.seed, l);
        }
        let buffers = layers.iter().map(|_| Mat::zeros(0, 0));
        let (a, dz) = (buffers.clone().collect(), buffers.collect());
        Ok(Mlp { gradients: Mat::zeros(1, end), parameters, a, dz, rows: 0, layers, exec: self.exec })
    }
}

/// Where the parameters of a layer lie, each on a cache line of its own.
#[derive(Clone, Debug)]
struct Layer {
    inputs: usize,
    outputs: usize,
    activation: Activation,
    weights: Range<usize>,
    bias: Range<usize>,
}

impl Layer {
    fn new<T: Element>(inputs: usize, outputs: usize, activation: Activation, start: usize) -> Result<Self, Error> {
        let overflow = Error::Overflow { rows: inputs, cols: outputs, row_stride: isize::MAX, col_stride: 1 };
        let count = inputs.checked_mul(outputs).filter(|&count| count < isize::MAX as usize / 64).ok_or(overflow)?;
        let bias = (start + count).next_multiple_of(T::LANES);
        Ok(Self { inputs, outputs, activation, weights: start..start + count, bias: bias..bias + outputs })
    }

    fn w<'a, T: Element>(&self, parameters: &'a [T]) -> Result<MatRef<'a, T>, Error> {
        MatRef::from_slice(&parameters[self.weights.clone()], self.inputs, self.outputs)
    }
}

/// A multi-layer perceptron: dense layers with an activation each, softmax with cross-entropy on top.
///
/// All parameters are one slice (W⁽¹⁾, b⁽¹⁾, W⁽²⁾, … each from a cache line on, zeros between), and so are all gradients:
/// an optimizer passes over them once, and a gradient check sees the vector θ of the notes.
#[derive(Clone, Debug)]
pub struct Mlp<T> {
    layers: Vec<Layer>,
    parameters: Mat<T>,
    gradients: Mat<T>,
    /// A⁽ˡ⁾ of each layer; logits in the last.
    a: Vec<Mat<T>>,
    /// dZ⁽ˡ⁾ of each layer.
    dz: Vec<Mat<T>>,
    /// Examples in the last forward pass.
    rows: usize,
    exec: Exec,
}

impl<T: Element> Mlp<T> {
    /// Begins a network with `inputs` = n⁽⁰⁾ inputs.
    pub fn builder(inputs: usize) -> MlpBuilder<T> {
        MlpBuilder { inputs, layers: Vec::new(), init: None, seed: 0, exec: Exec::default(), element: PhantomData }
    }

    /// Forward: A⁽ˡ⁾ = g(A⁽ˡ⁻¹⁾·W⁽ˡ⁾ + b⁽ˡ⁾) for every layer, bias and activation in the epilogue of the product. Gives the
    /// logits Z⁽ᴸ⁾, m × classes.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` is m × n⁽⁰⁾.
    pub fn forward(&mut self, x: MatRef<'_, T>) -> Result<MatRef<'_, T>, Error> {
        let m = x.rows();
        self.check_inputs(x)?;
        self.reserve(m);
        for (l, layer) in self.layers.iter().enumerate() {
            let (below, here) = self.a.split_at_mut(l);
            let input = if l == 0 { x } else { rows(&below[l - 1], m)? };
            let parameters = self.parameters.as_slice();
            let (bias, activation) = (Some(&parameters[layer.bias.clone()]), layer.activation);
            let epilogue = Epilogue { bias, activation, ..Epilogue::default() };
            let output = rows_mut(&mut here[0], m)?;
            self.exec.gemm_with(T::ONE, input, layer.w(parameters)?, T::ZERO, output, epilogue)?;
        }
        self.rows = m;
        rows(&self.a[self.layers.len() - 1], m)
    }

    /// Backward: the mean cross-entropy of the last forward pass, and its gradients. With dZ⁽ᴸ⁾ = (Ŷ − Y)/m, for l = L … 1:
    /// dW⁽ˡ⁾ = A⁽ˡ⁻¹⁾ᵀ·dZ⁽ˡ⁾, db⁽ˡ⁾ = column sums of dZ⁽ˡ⁾, dZ⁽ˡ⁻¹⁾ = dZ⁽ˡ⁾·W⁽ˡ⁾ᵀ ⊙ g′.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` has the shape that [`Mlp::forward`] was given; [`Error::Length`], [`Error::Label`] of the
    /// labels.
    pub fn backward(&mut self, x: MatRef<'_, T>, labels: &[usize]) -> Result<f64, Error> {
        let m = self.rows;
        if x.rows() != m {
            let (expected, found) = ((m, self.inputs()), (x.rows(), x.cols()));
            return Err(Error::Shape { what: "backward: x (as in the forward pass)", expected, found });
        }
        self.check_inputs(x)?;
        let cost = self.cost(labels)?;
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let (below, here) = self.dz.split_at_mut(l);
            let dz = rows(&here[0], m)?;
            let input = if l == 0 { x } else { rows(&self.a[l - 1], m)? };
            let gradients = self.gradients.as_mut_slice();
            let (dw, db) = gradients[..layer.bias.end].split_at_mut(layer.bias.start);
            let dw = MatMut::from_slice(&mut dw[layer.weights.clone()], layer.inputs, layer.outputs)?;
            self.exec.gemm_column_sums(T::ONE, input.t(), dz, T::ZERO, dw, db)?;
            if l > 0 {
                let gradient = Some((self.layers[l - 1].activation, rows(&self.a[l - 1], m)?));
                let epilogue = Epilogue { gradient, ..Epilogue::default() };
                let (w, da) = (layer.w(self.parameters.as_slice())?, rows_mut(&mut below[l - 1], m)?);
                self.exec.gemm_with(T::ONE, dz, w.t(), T::ZERO, da, epilogue)?;
            }
        }
        Ok(cost)
    }

    /// J = (1/m)·Σ −ln ŷ(label), the mean cross-entropy of the last forward pass.
    ///
    /// # Errors
    /// [`Error::Shape`] before the first forward pass; [`Error::Length`], [`Error::Label`] of the labels.
    pub fn cost(&mut self, labels: &[usize]) -> Result<f64, Error> {
        let last = self.layers.len() - 1;
        self.exec.softmax_cross_entropy(
            rows(&self.a[last], self.rows)?,
            labels,
            rows_mut(&mut self.dz[last], self.rows)?,
        )
    }

    /// Update: one pass of the optimizer over all parameters.
    ///
    /// # Errors
    /// Those of [`Optimizer::step`].
    pub fn update(&mut self, optimizer: &mut Optimizer<T>) -> Result<(), Error> {
        optimizer.step(&self.exec, self.parameters.as_mut_slice(), self.gradients.as_slice())
    }

    /// Share of the examples whose most probable class is their label. Of equal logits the first counts.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the data have n⁽⁰⁾ inputs.
    pub fn accuracy(&mut self, data: &Dataset<T>) -> Result<f64, Error> {
        let mut correct = 0;
        for first in (0..data.len()).step_by(EVALUATION_BATCH) {
            let end = (first + EVALUATION_BATCH).min(data.len());
            let logits = self.forward(data.x().row_range(first, end)?)?;
            correct += (first..end).filter(|&i| argmax(logits, i - first) == data.labels()[i]).count();
        }
        Ok(correct as f64 / data.len() as f64)
    }

    /// The cost on one batch as a function of the parameters, for [`gradient_check`](super::gradient_check).
    pub fn objective<'a>(&'a mut self, x: MatRef<'a, T>, labels: &'a [usize]) -> Objective<'a, T> {
        Objective { net: self, x, labels }
    }

    /// All parameters θ.
    pub fn parameters(&self) -> &[T] {
        self.parameters.as_slice()
    }

    /// All parameters θ, to change.
    pub fn parameters_mut(&mut self) -> &mut [T] {
        self.parameters.as_mut_slice()
    }

    /// The gradient dθ of the last backward pass, in the order of the parameters.
    pub fn gradients(&self) -> &[T] {
        self.gradients.as_slice()
    }

    /// Number of inputs, n⁽⁰⁾.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    /// Floating-point operations of the matrix products of one training step, for each example: 2·n⁽ˡ⁻¹⁾·n⁽ˡ⁾ forward, as
    /// much for dW, and as much for dX but in the first layer.
    pub fn step_flops(&self) -> usize {
        let products: usize = self.layers.iter().map(|layer| layer.weights.len()).sum();
        6 * products - 2 * self.layers[0].weights.len()
    }

    fn check_inputs(&self, x: MatRef<'_, T>) -> Result<(), Error> {
        if x.cols() == self.inputs() {
            return Ok(());
        }
        let (expected, found) = ((x.rows(), self.inputs()), (x.rows(), x.cols()));
        Err(Error::Shape { what: "network input (examples × inputs)", expected, found })
    }

    /// Makes room for `m` examples; allocates only where no batch was as large.
    fn reserve(&mut self, m: usize) {
        for (l, layer) in self.layers.iter().enumerate() {
            if self.a[l].rows() < m {
                self.a[l] = Mat::zeros(m, layer.outputs);
                self.dz[l] = Mat::zeros(m, layer.outputs);
            }
        }
    }
}

fn rows<T: Element>(mat: &Mat<T>, m: usize) -> Result<MatRef<'_, T>, Error> {
    mat.as_ref().row_range(0, m)
}

fn rows_mut<T: Element>(mat: &mut Mat<T>, m: usize) -> Result<MatMut<'_, T>, Error> {
    mat.as_mut().row_range(0, m)
}

fn argmax<T: Element>(logits: MatRef<'_, T>, i: usize) -> usize {
    (1..logits.cols()).fold(0, |best, j| if logits.get(i, j) > logits.get(i, best) { j } else { best })
}

/// The cost of a network on one batch: what a gradient check perturbs. See [`Mlp::objective`].
pub struct Objective<'a, T> {
    net: &'a mut Mlp<T>,
    x: MatRef<'a, T>,
    labels: &'a [usize],
}

impl Differentiable for Objective<'_, f64> {
    fn layers(&self) -> Vec<(String, Range<usize>)> {
        let name = |l: usize, layer: &Layer| {
            format!("{}: dense {}→{} {:?}", l + 1, layer.inputs, layer.outputs, layer.activation).to_lowercase()
        };
        let range = |layer: &Layer| layer.weights.start..layer.bias.end;
        self.net.layers.iter().enumerate().map(|(l, layer)| (name(l, layer), range(layer))).collect()
    }

    fn parameters_mut(&mut self) -> &mut [f64] {
        self.net.parameters_mut()
    }

    fn cost(&mut self) -> Result<f64, Error> {
        self.net.forward(self.x)?;
        self.net.cost(self.labels)
    }

    fn gradient(&mut self) -> Result<Vec<f64>, Error> {
        self.net.forward(self.x)?;
        self.net.backward(self.x, self.labels)?;
        Ok(self.net.gradients().to_vec())
    }
}
