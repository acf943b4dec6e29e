//! The training loop: forward, backward, update; stopped and resumed between any two updates.

use super::data::Examples;
use super::stop::Stop;
use roofline::nn::checkpoint::{self, Checkpoint, CheckpointError, Position};
use roofline::nn::{ExponentialAverage, Labels, MiniBatches, Mlp, Optimizer, Progress, Schedule};
use roofline::{Error, Exec};
use std::time::{Duration, Instant};

/// β of the displayed cost: about the last 1/(1 − β) = 50 mini-batches count.
pub(crate) const COST_BETA: f64 = 0.98;
/// Examples that an evaluation takes at once.
pub(crate) const EVALUATION_BATCH: usize = 256;
/// Names in the configuration of a checkpoint: epochs that are planned, and examples of the training set.
const EPOCHS: &str = "epochs";
const EXAMPLES: &str = "examples";

/// A network in training: all that decides how it goes on.
pub(crate) struct Training {
    pub(crate) net: Mlp<f32>,
    pub(crate) optimizer: Optimizer<f32>,
    pub(crate) schedule: Schedule,
    /// α₀.
    pub(crate) learning_rate: f64,
    pub(crate) plan: Plan,
    /// The epoch that runs, from 1 on.
    pub(crate) epoch: u64,
    /// Mini-batches of it that are done.
    pub(crate) position: u64,
    /// The cost of the mini-batches.
    pub(crate) cost: ExponentialAverage,
}

/// Which mini-batches there are, in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) batch_size: usize,
    pub(crate) epochs: u64,
    pub(crate) seed: u64,
}

/// What a part of an epoch did.
#[derive(Clone, Copy, Default)]
pub(crate) struct Part {
    pub(crate) examples: usize,
    pub(crate) time: Duration,
    /// Examples left out: a mini-batch of one, where there is batch norm.
    pub(crate) skipped: usize,
    /// Whether it ended before the epoch.
    pub(crate) interrupted: bool,
}

/// How good a network is on a set.
#[derive(Clone, Copy)]
pub(crate) struct Score {
    /// Mean cost without the penalty.
    pub(crate) loss: f64,
    /// Share of wrong classes; none where the outputs are values.
    pub(crate) error: Option<f64>,
}

impl Training {
    /// At the beginning.
    pub(crate) fn new(net: Mlp<f32>, optimizer: Optimizer<f32>, schedule: Schedule, plan: Plan) -> Result<Self, Error> {
        let (learning_rate, cost) = (optimizer.learning_rate, ExponentialAverage::new(COST_BETA)?);
        Ok(Self { net, optimizer, schedule, learning_rate, plan, epoch: 1, position: 0, cost })
    }

    /// Goes on from a checkpoint, with `m` examples, to the end that was planned or to the end of epoch `epochs`.
    pub(crate) fn resume(
        saved: &Checkpoint<f32>,
        epochs: Option<u64>,
        m: usize,
        exec: Exec,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let parts = (saved.position, saved.plan, saved.average, saved.optimizer());
        let (Some(position), Some(plan), Some(cost), Some(optimizer)) = parts else {
            return Err("the checkpoint is a model without its training: predict takes it, resume cannot".into());
        };
        let number = |name: &str| saved.configuration.get(name).and_then(|text| text.parse::<u64>().ok());
        let (Some(planned), Some(examples)) = (number(EPOCHS), number(EXAMPLES)) else {
            return Err(
                "the checkpoint does not say how many epochs and examples there are: train has not written it".into()
            );
        };
        if examples != m as u64 {
            let what = "training set";
            let (expected, found) = (format!("{m} examples"), format!("{examples} examples"));
            return Err(CheckpointError::Mismatch { what, expected, found }.into());
        }
        Ok(Self {
            net: saved.network(exec)?,
            optimizer,
            schedule: plan.schedule,
            learning_rate: plan.learning_rate,
            plan: Plan { batch_size: position.batch_size, epochs: epochs.unwrap_or(planned), seed: position.seed },
            epoch: position.epoch,
            position: position.batch as u64,
            cost,
        })
    }

    /// All that [`Training::resume`] needs, but for what belongs to the `m` examples.
    pub(crate) fn checkpoint(&self, m: usize) -> Result<Checkpoint<f32>, CheckpointError> {
        let Plan { batch_size, epochs, seed } = self.plan;
        let mut saved = Checkpoint::of(&self.net, Some(&self.optimizer))?;
        let total_steps = epochs * m.div_ceil(batch_size) as u64;
        saved.plan = Some(checkpoint::Plan { schedule: self.schedule, learning_rate: self.learning_rate, total_steps });
        saved.position = Some(Position { seed, epoch: self.epoch, batch: self.position as usize, batch_size });
        saved.average = Some(self.cost);
        saved.configuration.insert(EPOCHS.into(), epochs.to_string());
        saved.configuration.insert(EXAMPLES.into(), m.to_string());
        Ok(saved)
    }

    /// Whether all epochs are over.
    pub(crate) fn is_over(&self) -> bool {
        self.epoch > self.plan.epochs
    }

    /// Goes on to the end of the epoch, or until `stop`; `each` is called after every mini-batch.
    pub(crate) fn run_epoch(
        &mut self,
        exec: &Exec,
        batches: &mut MiniBatches<'_, f32>,
        stop: &Stop,
        mut each: impl FnMut(),
    ) -> Result<Part, Error> {
        batches.shuffle(self.plan.seed, self.epoch);
        batches.seek(self.position as usize)?;
        let (count, start) = (batches.count() as u64, Instant::now());
        let mut part = Part::default();
        // One region: the threads that a step forks to stay awake for the next one.
        exec.region(|| -> Result<(), Error> {
            while !stop.is_asked() {
                let Some(batch) = batches.next_batch() else { return Ok(()) };
                if batch.len() == 1 && count > 1 && self.plan.batch_size > 1 && self.has_batch_norm() {
                    part.skipped += 1;
                } else {
                    let step = (self.epoch - 1) * count + self.position + 1;
                    let progress = Progress::at(step, count, self.plan.epochs);
                    self.optimizer.learning_rate = self.schedule.learning_rate(self.learning_rate, progress)?;
                    self.net.forward(batch.x)?;
                    self.cost.add(self.net.backward(batch.x, batch.y)?);
                    self.net.update(&mut self.optimizer)?;
                    part.examples += batch.len();
                }
                self.position += 1;
                each();
            }
            Ok(())
        })?;
        part.time = start.elapsed();
        part.interrupted = self.position < count;
        if !part.interrupted {
            (self.epoch, self.position) = (self.epoch + 1, 0);
        }
        Ok(part)
    }

    fn has_batch_norm(&self) -> bool {
        self.net.running_statistics(0).is_some()
    }
}

/// Loss and error on a set, in inference.
pub(crate) fn evaluate(net: &mut Mlp<f32>, exec: &Exec, examples: &Examples<'_>) -> Result<Score, Error> {
    let mut batches = MiniBatches::new(examples.source(), EVALUATION_BATCH)?;
    let (mut loss, mut wrong, mut found) = (0.0, 0, vec![0; EVALUATION_BATCH]);
    exec.region(|| -> Result<(), Error> {
        while let Some(batch) = batches.next_batch() {
            let Labels::Classes(labels) = batch.y else {
                loss += net.loss(batch.x, batch.y)? * batch.len() as f64;
                continue;
            };
            let found = &mut found[..batch.len()];
            let probabilities = net.predict(batch.x)?;
            exec.argmax_rows(probabilities, found)?;
            for (i, (found, label)) in found.iter().zip(labels).enumerate() {
                // A probability that f32 holds as 0 is below its least number.
                let probability = probabilities.get(i, *label).unwrap_or(0.0).max(f32::MIN_POSITIVE);
                loss -= f64::from(probability).ln();
                wrong += usize::from(found != label);
            }
        }
        Ok(())
    })?;
    let m = examples.len() as f64;
    Ok(Score { loss: loss / m, error: (examples.outputs().1 > 0).then(|| wrong as f64 / m) })
}
