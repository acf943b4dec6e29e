//! Checkpoints: a training run or a model in a [safetensors](https://huggingface.co/docs/safetensors) file, from which the run goes on
//! with the same bits. Needs the feature `checkpoint`.
//!
//! # Format, version 2
//!
//! All tensors have the element type of the network, `F32` or `F64`, and are row-major. l counts layers from 0 on.
//!
//! | tensor | shape | |
//! |---|---|---|
//! | `layers.{l}.weight` | n⁽ˡ⁺¹⁾ × n⁽ˡ⁾: units × inputs | Wᵀ, as `torch.nn.Linear` keeps it (version 1 had inputs × units) |
//! | `layers.{l}.bias` | units | b, of layers without batch norm |
//! | `layers.{l}.gamma`, `layers.{l}.beta` | units | of batch norm: `weight` and `bias` of `torch.nn.BatchNorm1d`; its `Linear` has no bias |
//! | `layers.{l}.running_mean`, `layers.{l}.running_variance` | units | v of [`RunningStatistics`], without bias correction |
//! | `optimizer.v.` or `optimizer.s.` and the name of a parameter | as the parameter | first and second moments, where the rule keeps them |
//! | `normalization.mean`, `normalization.variance` | n⁽⁰⁾ | μ and σ² of the inputs, 1 for a σ² of 0: x ← (x − μ)/√σ² |
//!
//! `BatchNorm1d` wants `running_mean / (1 − beta**steps)`, the variance likewise, with `eps = 1e-5`.
//!
//! The metadata of the file have one key, `roofline`, with JSON text; all keys are always there, what a run does not have is `null`.
//!
//! | key | |
//! |---|---|
//! | `version` | 2 |
//! | `element` | `"f32"` or `"f64"` |
//! | `network` | `inputs`, `hidden`, `outputs`, `output` (`softmax`, `sigmoid`, `linear`), `penalty` (`kind`: `none`, `l1`, `l2`; `lambda`), `seed`, `steps` |
//! | `network.hidden` | a list of `units`, `activation`, `batch_norm` (`null`, or `beta` and `steps` of the running statistics), `keep_prob` |
//! | `optimizer` | `rule` as text ([`Rule`](super::Rule)), `learning_rate`, `decay` (`l1`, `l2`, `decoupled`), `clip_norm`, `steps`, `moments`: the names of those in the file |
//! | `plan` | `schedule` as text ([`Schedule`]), `learning_rate` = α₀, `total_steps` |
//! | `position` | `seed`, `epoch`, `batch`, `batch_size` |
//! | `normalization` | whether its tensors are there |
//! | `classes` | a list of names |
//! | `average` | `beta`, `v` as text, `count` |
//! | `configuration` | texts by name |
//!
//! A file with other keys, other tensors, or other shapes is refused, as is one with a number that is not finite. The same checkpoint has
//! the same bytes.

mod description;
mod error;
mod file;
mod tensors;

pub use error::CheckpointError;

use super::average::ExponentialAverage;
use super::batches::MiniBatches;
use super::mlp::{Architecture, Mlp, Output, Tensor};
use super::normalization::Normalization;
use super::optimizer::Optimizer;
use super::schedule::Schedule;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::norm::RunningStatistics;
use description::Description;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use tensors::{Part, Tensors};

/// A training run at one moment, or a model: a copy of the network, and whatever belongs to it.
///
/// ```
/// use roofline::nn::checkpoint::{Checkpoint, Position};
/// use roofline::nn::{Dataset, MiniBatches, Mlp, Optimizer};
/// use roofline::{Activation, Exec, Mat};
/// let data = Dataset::new(Mat::from_fn(64, 2, |i, j| ((i + j) % 7) as f32), (0..64).map(|i| i % 2).collect(), 2)?;
/// let mut batches = MiniBatches::new(&data, 16)?;
/// let mut net = Mlp::<f32>::builder(2).dense(8, Activation::Relu).batch_norm().dropout(0.9).softmax(2).build()?;
/// let mut optimizer = Optimizer::adam(0.01);
/// let step = |net: &mut Mlp<f32>, optimizer: &mut Optimizer<f32>, batches: &mut MiniBatches<'_, f32>| {
///     let batch = batches.next_batch().expect("4 batches");
///     net.forward(batch.x)?;
///     let cost = net.backward(batch.x, batch.y)?;
///     net.update(optimizer)?;
///     Ok::<f64, roofline::Error>(cost)
/// };
/// batches.shuffle(1, 0);
/// step(&mut net, &mut optimizer, &mut batches)?;
///
/// // Stop in the middle of an epoch …
/// let path = std::env::temp_dir().join(format!("roofline-{}.safetensors", std::process::id()));
/// let mut checkpoint = Checkpoint::of(&net, Some(&optimizer))?;
/// checkpoint.position = Some(Position::of(&batches, 1, 0));
/// checkpoint.configuration.insert("data".into(), "counted".into());
/// checkpoint.save(&path)?;
///
/// // … and go on, with the same bits.
/// let saved = Checkpoint::<f32>::load(&path)?;
/// let mut again = MiniBatches::new(&data, 16)?;
/// saved.position.expect("was saved").seek(&mut again)?;
/// let (mut net2, mut optimizer2) = (saved.network(Exec::sequential())?, saved.optimizer().expect("was saved"));
/// for _ in 0..3 {
///     let costs = (step(&mut net, &mut optimizer, &mut batches)?, step(&mut net2, &mut optimizer2, &mut again)?);
///     assert_eq!(costs.0.to_bits(), costs.1.to_bits());
/// }
/// assert_eq!(net.parameters(), net2.parameters());
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Checkpoint<T> {
    /// How the learning rate goes on.
    pub plan: Option<Plan>,
    /// Which batch comes next.
    pub position: Option<Position>,
    /// What was done to the inputs, and is to be done to those of a prediction.
    pub normalization: Option<Normalization<T>>,
    /// Names of the classes: one for each output, or two for one sigmoid output; empty without names.
    pub classes: Vec<String>,
    /// Of the cost that is displayed.
    pub average: Option<ExponentialAverage>,
    /// Anything else that the run should find again, such as the options that it was started with.
    pub configuration: BTreeMap<String, String>,
    architecture: Architecture,
    steps: u64,
    tensors: Vec<Tensor>,
    parameters: Vec<T>,
    /// Of each hidden layer.
    running: Vec<Option<RunningStatistics<T>>>,
    optimizer: Option<Optimizer<T>>,
}

/// How the learning rate goes on: [`Schedule::learning_rate`] of these numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// How α follows from α₀.
    pub schedule: Schedule,
    /// α₀.
    pub learning_rate: f64,
    /// Updates that are planned in all: [`Progress::total_steps`](super::Progress::total_steps). 0 where the schedule does not ask.
    pub total_steps: u64,
}

/// Where in the mini-batches a run is: what [`MiniBatches::shuffle`] was given, and how many batches of that epoch are done. It is all
/// that the generator of the order remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Seed of the order.
    pub seed: u64,
    /// Epoch of the order.
    pub epoch: u64,
    /// Mini-batches of the epoch that are done.
    pub batch: usize,
    /// Examples of a mini-batch, [`MiniBatches::size`].
    pub batch_size: usize,
}

impl Position {
    /// Where `batches` are, in the order that [`MiniBatches::shuffle`] made of `seed` and `epoch`.
    pub fn of<T: Element>(batches: &MiniBatches<'_, T>, seed: u64, epoch: u64) -> Self {
        Self { seed, epoch, batch: batches.position(), batch_size: batches.size() }
    }

    /// Brings mini-batches of the same data there.
    ///
    /// # Errors
    /// [`CheckpointError::Mismatch`] for batches of another size; [`Error::OutOfRange`] for data with too few of them. Then they are as
    /// they were.
    pub fn seek<T: Element>(&self, batches: &mut MiniBatches<'_, T>) -> Result<(), CheckpointError> {
        if batches.size() != self.batch_size {
            let (expected, found) = (batches.size().to_string(), self.batch_size.to_string());
            return Err(CheckpointError::Mismatch { what: "mini-batch size", expected, found });
        }
        batches.seek(self.batch)?;
        batches.shuffle(self.seed, self.epoch);
        Ok(batches.seek(self.batch)?)
    }
}

impl<T: Element> Checkpoint<T> {
    /// A copy of the network and of what the optimizer remembers. Without an optimizer it is a model: enough for predictions.
    ///
    /// # Errors
    /// [`Error::Length`] where the optimizer has moments of another network.
    pub fn of(net: &Mlp<T>, optimizer: Option<&Optimizer<T>>) -> Result<Self, CheckpointError> {
        let (architecture, parameters) = (net.architecture(), net.parameters().to_vec());
        for (_, moment) in optimizer.into_iter().flat_map(Optimizer::moments) {
            crate::elementwise::same_length("checkpoint: moments", parameters.len(), moment.len())?;
        }
        Ok(Self {
            plan: None,
            position: None,
            normalization: None,
            classes: Vec::new(),
            average: None,
            configuration: BTreeMap::new(),
            running: (0..architecture.hidden.len()).map(|l| net.running_statistics(l).cloned()).collect(),
            architecture,
            steps: net.steps(),
            tensors: net.tensors(),
            parameters,
            optimizer: optimizer.cloned(),
        })
    }

    /// What the network is.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Training passes of the network, [`Mlp::steps`].
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The network, which runs with `exec`.
    ///
    /// # Errors
    /// Those of [`MlpBuilder::build`](super::MlpBuilder::build).
    pub fn network(&self, exec: Exec) -> Result<Mlp<T>, Error> {
        let mut net = self.architecture.builder().exec(exec).build()?;
        self.put(&mut net)?;
        Ok(net)
    }

    /// The optimizer, if there was one.
    pub fn optimizer(&self) -> Option<Optimizer<T>> {
        self.optimizer.clone()
    }

    /// Puts parameters, running statistics and steps into a network of the same architecture, seed and penalty included.
    ///
    /// # Errors
    /// [`CheckpointError::Mismatch`] for a network that is another. It is as it was then.
    pub fn restore(&self, net: &mut Mlp<T>) -> Result<(), CheckpointError> {
        let (expected, found) = (net.architecture(), &self.architecture);
        let mismatch = |what, expected: String, found: String| CheckpointError::Mismatch { what, expected, found };
        if expected.to_string() != found.to_string() {
            return Err(mismatch("network", expected.to_string(), found.to_string()));
        }
        if expected.penalty != found.penalty {
            let [expected, found] = [expected.penalty, found.penalty].map(|penalty| format!("{penalty:?}"));
            return Err(mismatch("penalty", expected, found));
        }
        if expected.seed != found.seed {
            return Err(mismatch("seed", expected.seed.to_string(), found.seed.to_string()));
        }
        Ok(self.put(net)?)
    }

    /// Puts what the network has learnt into one of the same architecture.
    fn put(&self, net: &mut Mlp<T>) -> Result<(), Error> {
        net.parameters_mut().copy_from_slice(&self.parameters);
        for (l, running) in self.running.iter().enumerate() {
            if let Some(running) = running {
                net.set_running_statistics(l, running.clone())?;
            }
        }
        net.set_steps(self.steps);
        Ok(())
    }

    /// Writes the file: into a temporary file of the same folder, `.checkpoint-….tmp`, which is synced and renamed over `path`. Then the
    /// folder is synced (Unix). Whatever happens on the way, full disk and power cut included, there is the old file or the new one,
    /// whole. An old file keeps its mode, a symbolic link is followed. A process that is killed may leave its temporary file.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]; those of [`Checkpoint::to_bytes`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        file::replace(path.as_ref(), &self.to_bytes()?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]; those of [`Checkpoint::from_bytes`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        Self::from_bytes(&file::read(path.as_ref(), tensors::check_start)?)
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// What could not be read back: [`CheckpointError::Number`] for a number that is not finite, and for a variance or second moment
    /// below 0, so that a run that came to nothing does not replace its last good checkpoint; [`CheckpointError::Refused`] for constants
    /// and counters outside their ranges (counters go to 2⁵³), a normalisation of other inputs or names of other classes;
    /// [`CheckpointError::NotSafetensors`] for a header above 16 MiB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        self.check()?;
        let parts = self.parts();
        for part in &parts {
            check_numbers(part)?;
        }
        tensors::to_bytes(&parts, Description::of(self).to_text()?)
    }

    /// Reads the bytes of a file. They may be anything: what is not a checkpoint is an `Err`, and the memory that is taken is a small
    /// multiple of their number.
    ///
    /// # Errors
    /// All of [`CheckpointError`] but [`CheckpointError::Io`] and [`CheckpointError::Mismatch`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (file, text) = Tensors::<T>::of(bytes)?;
        let description = Description::from_text::<T>(&text)?;
        drop(text);
        let (architecture, mut running) = (description.architecture()?, description.running()?);
        let (tensors, len) = architecture.builder::<T>().layout()?;
        file.check(&expected(&tensors, &architecture, &description))?;

        // Everything is there and as large as it should be.
        for (l, (running, layer)) in running.iter_mut().zip(&architecture.hidden).enumerate() {
            if let Some(running) = running {
                running.mean = file.read(&format!("layers.{l}.running_mean"), layer.units);
                running.variance = file.read(&format!("layers.{l}.running_variance"), layer.units);
            }
        }
        let moments = description.moments().iter();
        let moments: Vec<_> = moments.map(|m| file.read_all(&format!("optimizer.{m}."), &tensors, len)).collect();
        let statistic = |name: &str| file.read(&format!("normalization.{name}"), architecture.inputs);
        let normalization =
            description.has_normalization().then(|| Normalization::new(statistic("mean"), statistic("variance")));
        let mut checkpoint = Self {
            plan: None,
            position: None,
            normalization: normalization.transpose()?,
            classes: Vec::new(),
            average: None,
            configuration: BTreeMap::new(),
            steps: description.steps(),
            parameters: file.read_all("", &tensors, len),
            optimizer: description.optimizer(&moments)?,
            running,
            tensors,
            architecture,
        };
        description.fill(&mut checkpoint)?;
        checkpoint.check()?;
        checkpoint.parts().iter().try_for_each(check_numbers)?;
        Ok(checkpoint)
    }

    /// The tensors of the file.
    fn parts(&self) -> Vec<Part<'_, T>> {
        let mut parts = Vec::new();
        let mut add = |name: String, shape: &[usize], values| parts.push(Part { name, shape: shape.to_vec(), values });
        for Tensor { name, shape, range } in &self.tensors {
            add(name.clone(), shape, &self.parameters[range.clone()]);
            for (moment, values) in self.optimizer.iter().flat_map(Optimizer::moments) {
                add(format!("optimizer.{moment}.{name}"), shape, &values[range.clone()]);
            }
        }
        for (l, running) in self.running.iter().enumerate() {
            if let Some(RunningStatistics { mean, variance, .. }) = running {
                add(format!("layers.{l}.running_mean"), &[mean.len()], mean);
                add(format!("layers.{l}.running_variance"), &[variance.len()], variance);
            }
        }
        if let Some(normalization) = &self.normalization {
            let inputs = [normalization.inputs()];
            add("normalization.mean".into(), &inputs, normalization.mean());
            add("normalization.variance".into(), &inputs, normalization.variance());
        }
        parts
    }

    /// Whether the parts go together.
    fn check(&self) -> Result<(), CheckpointError> {
        let Architecture { inputs, outputs, output, .. } = self.architecture;
        if let Some(normalization) = &self.normalization {
            crate::elementwise::same_length("normalisation: inputs", inputs, normalization.inputs())?;
        }
        let names = self.classes.len();
        if !(names == 0 || names == outputs || (names, outputs, output) == (2, 1, Output::Sigmoid)) {
            return Err(Error::Length { what: "names of classes", expected: outputs, found: names }.into());
        }
        if let Some(optimizer) = &self.optimizer {
            optimizer.check()?;
        }
        self.plan.map_or(Ok(()), |plan| Ok(plan.schedule.check()?))
    }
}

/// Without the numbers.
impl<T> fmt::Debug for Checkpoint<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { architecture, steps, plan, position, .. } = self;
        let network = format_args!("{architecture}");
        let mut fields = f.debug_struct("Checkpoint");
        fields.field("network", &network).field("steps", steps).field("plan", plan).field("position", position);
        fields.finish_non_exhaustive()
    }
}

/// Names and shapes of all tensors of a file.
fn expected(tensors: &[Tensor], architecture: &Architecture, description: &Description) -> Vec<(String, Vec<usize>)> {
    let mut expected = Vec::new();
    for Tensor { name, shape, .. } in tensors {
        expected.push((name.clone(), shape.clone()));
        for moment in description.moments() {
            expected.push((format!("optimizer.{moment}.{name}"), shape.clone()));
        }
    }
    for (l, layer) in architecture.hidden.iter().enumerate().filter(|(_, layer)| layer.batch_norm) {
        for name in ["running_mean", "running_variance"] {
            expected.push((format!("layers.{l}.{name}"), vec![layer.units]));
        }
    }
    if description.has_normalization() {
        for name in ["mean", "variance"] {
            expected.push((format!("normalization.{name}"), vec![architecture.inputs]));
        }
    }
    expected
}

/// Whether a run can go on from these numbers.
fn check_numbers<T: Element>(part: &Part<'_, T>) -> Result<(), CheckpointError> {
    let is_square = part.name.starts_with("optimizer.s.") || part.name.ends_with("variance");
    let is_bad = |x: &T| !x.to_f64().is_finite() || (is_square && *x < T::ZERO);
    match part.values.iter().position(is_bad) {
        Some(index) => {
            let (name, value) = (part.name.clone(), part.values[index].to_f64());
            Err(CheckpointError::Number { name, index, value })
        }
        None => Ok(()),
    }
}
