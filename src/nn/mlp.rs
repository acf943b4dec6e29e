//! [`Mlp`]: dense layers, trained by forward, backward, update.

mod architecture;
mod builder;
mod layer;
mod objective;
mod output;
mod penalty;
mod state;

pub use architecture::{Architecture, Hidden};
pub use builder::MlpBuilder;
pub use objective::Objective;
pub use output::Output;
pub use penalty::Penalty;
pub use state::Tensor;

use super::batches::{MiniBatches, Source};
use super::labels::Labels;
use super::optimizer::Optimizer;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::matrix::{Mat, MatRef};
use layer::{Layer, Pass, Trace, rows, rows_mut};

/// Multiply–adds that take as long as a parameter's gradient is written and its update.
const UPDATE: usize = 64;
/// Examples that inference takes through the network at once.
const EVALUATION_BATCH: usize = 256;

/// A multi-layer perceptron: dense layers with batch norm, an activation and dropout each, as they were asked for, and an output that
/// belongs to its cost ([`Output`]).
///
/// All parameters are one slice (W⁽¹⁾ᵀ, b⁽¹⁾ or γ⁽¹⁾ and β⁽¹⁾, W⁽²⁾ᵀ, … each from a cache line on, zeros between; [`Mlp::tensors`] has
/// the places), and so are all gradients: an optimizer passes over them once, and a gradient check sees the vector θ of the notes.
/// Weights are stored by units, as in PyTorch: the core that updates half of the units has their weights at hand in the next step, where it
/// computes these units.
///
/// Training and inference differ: [`Mlp::forward`] normalises by the statistics of the batch and drops out, [`Mlp::predict`],
/// [`Mlp::loss`] and [`Mlp::accuracy`] take the running statistics and every unit.
///
/// ```
/// use roofline::nn::{Mlp, Optimizer};
/// use roofline::{Activation, Mat};
/// // The sine, from 64 points.
/// let x = Mat::<f64>::from_fn(64, 1, |i, _| i as f64 / 10.0 - 3.2);
/// let y = Mat::from_fn(64, 1, |i, _| x.as_slice()[i].sin());
/// let mut net = Mlp::builder(1).dense(32, Activation::Silu).batch_norm().linear(1).seed(1).build()?;
/// let mut optimizer = Optimizer::adam(0.02);
/// for _ in 0..500 {
///     net.forward(x.as_ref())?;
///     net.backward(x.as_ref(), y.as_ref())?;
///     net.update(&mut optimizer)?;
/// }
/// let half_pi = Mat::from_fn(1, 1, |_, _| std::f64::consts::FRAC_PI_2);
/// let sine = net.predict(half_pi.as_ref())?.get(0, 0).unwrap();
/// assert!((sine - 1.0).abs() < 0.1, "{sine}");
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mlp<T> {
    layers: Vec<Layer>,
    output: Output,
    penalty: Penalty,
    /// Of weights and masks.
    seed: u64,
    parameters: Mat<T>,
    /// Where the weights of a layer begin and end.
    cuts: Vec<usize>,
    gradients: Mat<T>,
    /// What the last pass kept of each layer.
    traces: Vec<Trace<T>>,
    /// dU before the batch norm of a layer: one after the other uses it.
    du: Mat<T>,
    /// Classes as values.
    space: Mat<T>,
    /// Ŷ of the last [`Mlp::predict`], and most probable classes of an evaluation.
    predictions: Mat<T>,
    classes: Vec<usize>,
    /// Examples in the last training pass; 0 after inference, which leaves nothing to go back through.
    rows: usize,
    /// Training passes so far.
    steps: u64,
    exec: Exec,
}

impl<T: Element> Mlp<T> {
    /// Begins a network with `inputs` = n⁽⁰⁾ inputs.
    pub fn builder(inputs: usize) -> MlpBuilder<T> {
        MlpBuilder::new(inputs)
    }

    /// Forward, in training: A⁽ˡ⁾ = dropout(g(batch_norm(A⁽ˡ⁻¹⁾·W⁽ˡ⁾ + b⁽ˡ⁾))) for every layer, of which what the layer does not have
    /// falls away. Gives the logits Z⁽ᴸ⁾, m × n⁽ᴸ⁾. It counts as a step: dropout takes new masks, the running statistics take in the
    /// batch.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` is m × n⁽⁰⁾; [`Error::OutOfRange`] for less than two examples where there is batch norm: one has no
    /// variance.
    pub fn forward(&mut self, x: MatRef<'_, T>) -> Result<MatRef<'_, T>, Error> {
        self.check_inputs(x, true)?;
        self.steps = self.steps.saturating_add(1);
        self.pass(x, Some(self.steps))?;
        for (layer, trace) in self.layers.iter().zip(&mut self.traces) {
            layer.update_running(trace, x.rows())?;
        }
        rows(&self.traces[self.layers.len() - 1].a, x.rows())
    }

    /// Backward: the cost of the last forward pass, and its gradients. With dZ⁽ᴸ⁾ = (Ŷ − Y)/m, for l = L … 1:
    /// dW⁽ˡ⁾ = A⁽ˡ⁻¹⁾ᵀ·dZ⁽ˡ⁾ and the gradient of the penalty, db⁽ˡ⁾ = column sums of dZ⁽ˡ⁾, dA⁽ˡ⁻¹⁾ = dZ⁽ˡ⁾·W⁽ˡ⁾ᵀ, and dZ⁽ˡ⁻¹⁾ by the
    /// gradients of dropout, activation and batch norm.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` has the shape that [`Mlp::forward`] was given, after it or where inference came between; those of
    /// [`Mlp::cost`].
    pub fn backward<'y>(&mut self, x: MatRef<'_, T>, labels: impl Into<Labels<'y, T>>) -> Result<f64, Error>
    where
        T: 'y,
    {
        let m = self.rows;
        if x.rows() != m {
            let (expected, found) = ((m, self.inputs()), (x.rows(), x.cols()));
            return Err(Error::Shape { what: "backward: x (as in the forward pass)", expected, found });
        }
        self.check_inputs(x, true)?;
        let cost = self.cost(labels)?;
        let Self { exec, parameters, gradients, .. } = self;
        let (exec, parameters, gradients) = (&*exec, parameters.as_slice(), gradients.as_mut_slice());
        let pass = Pass { exec, parameters, step: Some(self.steps) };
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let (below, here) = self.traces.split_at_mut(l);
            let dz = &here[0].dz;
            let input = if l == 0 { x } else { rows(&below[l - 1].a, m)? };
            layer.weight_gradients(exec, input, dz, gradients)?;
            let weights = layer.weights.clone();
            self.penalty.add_gradient(exec, &parameters[weights.clone()], m, &mut gradients[weights])?;
            if l > 0 {
                let above = (rows(dz, m)?, layer.w(parameters)?);
                self.layers[l - 1].backward(pass, above, &mut below[l - 1], &mut self.du, gradients)?;
            }
        }
        Ok(cost)
    }

    /// J of the last forward pass: the mean of what [`Output`] says, and the [`Penalty`].
    ///
    /// # Errors
    /// [`Error::Shape`] before the first forward pass and after inference; [`Error::Labels`] for labels that the output does not learn;
    /// [`Error::Length`], [`Error::Label`], [`Error::Shape`], [`Error::OutOfRange`] of the labels.
    pub fn cost<'y>(&mut self, labels: impl Into<Labels<'y, T>>) -> Result<f64, Error>
    where
        T: 'y,
    {
        let m = self.rows;
        if m == 0 {
            let (expected, found) = ((1, self.outputs()), (0, self.outputs()));
            return Err(Error::Shape { what: "cost: outputs of a forward pass", expected, found });
        }
        let mut cost = self.cost_of_rows(m, labels.into())?;
        for layer in &self.layers {
            let w = &self.parameters.as_slice()[layer.weights.clone()];
            cost += self.penalty.cost(&self.exec, w, m)?;
        }
        Ok(cost)
    }

    /// Update: one pass of the optimizer over all parameters.
    ///
    /// # Errors
    /// Those of [`Optimizer::step`].
    pub fn update(&mut self, optimizer: &mut Optimizer<T>) -> Result<(), Error> {
        optimizer.step_cut(&self.exec, self.parameters.as_mut_slice(), self.gradients.as_slice(), &self.cuts)
    }

    /// Ŷ, m × n⁽ᴸ⁾: probabilities or values, in inference: with the running statistics (means 0 and variances 1 before the first
    /// training pass), and without dropout.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` is m × n⁽⁰⁾.
    pub fn predict(&mut self, x: MatRef<'_, T>) -> Result<MatRef<'_, T>, Error> {
        self.check_inputs(x, false)?;
        let (m, n) = (x.rows(), self.outputs());
        if self.predictions.rows() < m {
            self.predictions = Mat::zeros(m, n);
        }
        for first in (0..m).step_by(EVALUATION_BATCH) {
            let end = m.min(first + EVALUATION_BATCH);
            self.infer(x.row_range(first, end)?)?;
            let z = &self.traces[self.layers.len() - 1].a.as_slice()[..(end - first) * n];
            self.output.values(&self.exec, z, &mut self.predictions.as_mut_slice()[first * n..end * n], n)?;
        }
        rows(&self.predictions, m)
    }

    /// (1/m)·Σ L(ŷ, y) in inference, without the penalty: the cost on a development set.
    ///
    /// # Errors
    /// Those of [`Mlp::predict`] and, of the labels, of [`Mlp::cost`]; [`Error::OutOfRange`] without examples.
    pub fn loss<'y>(&mut self, x: MatRef<'_, T>, labels: impl Into<Labels<'y, T>>) -> Result<f64, Error>
    where
        T: 'y,
    {
        let (labels, m) = (labels.into(), x.rows());
        if labels.len() != m {
            return Err(Error::Length { what: "labels (one an example)", expected: m, found: labels.len() });
        }
        if m == 0 {
            return Err(Error::OutOfRange { what: "number of examples", value: 0.0, allowed: "at least 1" });
        }
        let mut sum = 0.0;
        for first in (0..m).step_by(EVALUATION_BATCH) {
            let end = m.min(first + EVALUATION_BATCH);
            self.infer(x.row_range(first, end)?)?;
            let part = match labels {
                Labels::Classes(classes) => Labels::Classes(&classes[first..end]),
                Labels::Values(values) => Labels::Values(values.row_range(first, end)?),
            };
            sum += self.cost_of_rows(end - first, part)? * (end - first) as f64;
        }
        Ok(sum / m as f64)
    }

    /// Share of the examples whose most probable class is their label, in inference. Of equal logits the first counts; one sigmoid
    /// output says class 1 above ½. Of an [`ImageSet`](super::ImageSet) some images at a time are in memory.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the data have n⁽⁰⁾ inputs; [`Error::Labels`] for an output that does not choose a class, or data with
    /// values instead of classes.
    pub fn accuracy<'d>(&mut self, data: impl Into<Source<'d, T>>) -> Result<f64, Error>
    where
        T: 'd,
    {
        let output = self.output.name();
        if !(self.output == Output::Softmax || self.output == Output::Sigmoid && self.outputs() == 1) {
            return Err(Error::Labels { output, learns: "no choice of one class: see loss" });
        }
        let mut batches = MiniBatches::new(data, EVALUATION_BATCH)?;
        let (mut correct, mut count) = (0, 0);
        while let Some(batch) = batches.next_batch() {
            let Labels::Classes(labels) = batch.y else {
                return Err(Error::Labels { output, learns: "classes; values have no accuracy" });
            };
            self.infer(batch.x)?;
            self.classes.resize(labels.len(), 0);
            let logits = rows(&self.traces[self.layers.len() - 1].a, labels.len())?;
            if self.output == Output::Softmax {
                self.exec.argmax_rows(logits, &mut self.classes)?;
            } else {
                let one = |i| logits.get(i, 0).is_some_and(|z| z > T::ZERO);
                self.classes.iter_mut().enumerate().for_each(|(i, class)| *class = usize::from(one(i)));
            }
            correct += self.classes.iter().zip(labels).filter(|(a, b)| a == b).count();
            count += labels.len();
        }
        Ok(correct as f64 / count as f64)
    }

    /// The cost on one batch as a function of the parameters, for [`gradient_check`](super::gradient_check): with the penalty, with
    /// batch norm by the statistics of the batch, and with the masks of dropout held as they were in the last step. Running statistics
    /// and steps stay as they are.
    pub fn objective<'a>(&'a mut self, x: MatRef<'a, T>, labels: impl Into<Labels<'a, T>>) -> Objective<'a, T> {
        Objective { net: self, x, labels: labels.into() }
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

    fn check_inputs(&self, x: MatRef<'_, T>, is_training: bool) -> Result<(), Error> {
        if x.cols() != self.inputs() {
            let (expected, found) = ((x.rows(), self.inputs()), (x.rows(), x.cols()));
            return Err(Error::Shape { what: "network input (examples × inputs)", expected, found });
        }
        if is_training && x.rows() < 2 && self.layers.iter().any(|layer| layer.gamma.is_some()) {
            let what = "number of examples of a mini-batch with batch norm";
            return Err(Error::OutOfRange { what, value: x.rows() as f64, allowed: "at least 2" });
        }
        Ok(())
    }

    /// Takes `x` through all layers: in step `step` of training, or in inference.
    fn pass(&mut self, x: MatRef<'_, T>, step: Option<u64>) -> Result<(), Error> {
        let m = x.rows();
        self.reserve(m);
        self.rows = 0;
        // Weights that inference alone reads stay in the caches of all cores.
        let update = UPDATE * self.parameters.as_slice().len();
        self.exec = self.exec.chained(step.map(|_| m.saturating_mul(self.step_flops() / 2).saturating_add(update)));
        let pass = Pass { exec: &self.exec, parameters: self.parameters.as_slice(), step };
        for (l, layer) in self.layers.iter().enumerate() {
            let (below, here) = self.traces.split_at_mut(l);
            let input = if l == 0 { x } else { rows(&below[l - 1].a, m)? };
            layer.forward(pass, input, &mut here[0])?;
        }
        self.rows = if step.is_some() { m } else { 0 };
        Ok(())
    }

    fn infer(&mut self, x: MatRef<'_, T>) -> Result<(), Error> {
        self.check_inputs(x, false)?;
        self.traces.iter_mut().filter_map(|trace| trace.norm.as_mut()).try_for_each(layer::Norm::fix)?;
        self.pass(x, None)
    }

    /// J without a penalty, of the logits of a pass of `m` examples.
    fn cost_of_rows(&mut self, m: usize, labels: Labels<'_, T>) -> Result<f64, Error> {
        let Trace { a, dz, .. } = &mut self.traces[self.layers.len() - 1];
        self.output.cost(&self.exec, rows(a, m)?, labels, rows_mut(dz, m)?, &mut self.space)
    }

    /// Makes room for `m` examples; allocates only where no batch was as large.
    fn reserve(&mut self, m: usize) {
        for (layer, trace) in self.layers.iter().zip(&mut self.traces) {
            trace.reserve(layer, m);
            if layer.gamma.is_some() && self.du.as_slice().len() < m * layer.outputs {
                self.du = Mat::zeros(1, m * layer.outputs);
            }
        }
    }
}
