//! The description of a run as JSON text: what is not a tensor.

use super::{Checkpoint, CheckpointError, Plan, Position};
use crate::activation::Activation;
use crate::element::Element;
use crate::error::Error;
use crate::nn::average::ExponentialAverage;
use crate::nn::mlp::{Architecture, Hidden, Output, Penalty};
use crate::nn::optimizer::Optimizer;
use crate::nn::rule::Rule;
use crate::norm::RunningStatistics;
use crate::optim::Decay;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this code writes and reads.
const VERSION: u64 = 2;
/// Counters go no further, so that every reader of JSON has them exactly and one more is never too much.
const MAX_COUNT: u64 = 1 << 53;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    version: u64,
    element: String,
    network: NetworkText,
    optimizer: Option<OptimizerText>,
    plan: Option<PlanText>,
    position: Option<PositionText>,
    normalization: bool,
    classes: Vec<String>,
    average: Option<AverageText>,
    configuration: BTreeMap<String, String>,
}

/// What every version has.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkText {
    inputs: usize,
    hidden: Vec<HiddenText>,
    outputs: usize,
    output: String,
    penalty: PenaltyText,
    seed: u64,
    steps: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HiddenText {
    units: usize,
    activation: String,
    batch_norm: Option<BatchNormText>,
    keep_prob: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchNormText {
    beta: f64,
    steps: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PenaltyText {
    kind: String,
    lambda: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OptimizerText {
    rule: String,
    learning_rate: f64,
    decay: DecayText,
    clip_norm: Option<f64>,
    steps: u64,
    /// Names of the moments: none before the first update.
    moments: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecayText {
    l1: f64,
    l2: f64,
    decoupled: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanText {
    schedule: String,
    learning_rate: f64,
    total_steps: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PositionText {
    seed: u64,
    epoch: u64,
    batch: u64,
    batch_size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AverageText {
    beta: f64,
    /// Text, for it may be NaN.
    v: String,
    count: u64,
}

fn unreadable(problem: impl ToString) -> CheckpointError {
    CheckpointError::Description { problem: problem.to_string() }
}

/// Whether the counters are in their range.
fn counts(counts: &[(&'static str, u64)]) -> Result<(), CheckpointError> {
    match counts.iter().find(|(_, count)| *count > MAX_COUNT) {
        Some(&(what, count)) => Err(Error::OutOfRange { what, value: count as f64, allowed: "at most 2^53" }.into()),
        None => Ok(()),
    }
}

/// Whether the constants can be ones of a run.
fn not_negative(constants: &[(&'static str, f64)]) -> Result<(), CheckpointError> {
    match constants.iter().find(|(_, x)| !(0.0..f64::INFINITY).contains(x)) {
        Some(&(what, value)) => Err(Error::OutOfRange { what, value, allowed: "in [0, inf)" }.into()),
        None => Ok(()),
    }
}

impl Description {
    /// What is not a tensor of a checkpoint.
    pub(super) fn of<T: Element>(checkpoint: &Checkpoint<T>) -> Self {
        let Checkpoint { plan, position, normalization, classes, average, configuration, .. } = checkpoint;
        Self {
            version: VERSION,
            element: T::NAME.into(),
            network: NetworkText::of(checkpoint),
            optimizer: checkpoint.optimizer.as_ref().map(OptimizerText::of),
            plan: plan.map(|Plan { schedule, learning_rate, total_steps }| PlanText {
                schedule: schedule.to_string(),
                learning_rate,
                total_steps,
            }),
            position: position.map(|Position { seed, epoch, batch, batch_size }| PositionText {
                seed,
                epoch,
                batch: batch as u64,
                batch_size: batch_size as u64,
            }),
            normalization: normalization.is_some(),
            classes: classes.clone(),
            average: average.map(|average| AverageText {
                beta: average.beta(),
                v: average.v().to_string(),
                count: average.count(),
            }),
            configuration: configuration.clone(),
        }
    }

    pub(super) fn to_text(&self) -> Result<String, CheckpointError> {
        self.check()?;
        serde_json::to_string(self).map_err(unreadable)
    }

    /// # Errors
    /// Those of a text that is not a description of this version with numbers of the type `T`.
    pub(super) fn from_text<T: Element>(text: &str) -> Result<Self, CheckpointError> {
        let Versioned { version: found } = serde_json::from_str(text).map_err(unreadable)?;
        if found != VERSION {
            return Err(CheckpointError::Version { expected: VERSION, found });
        }
        let description: Self = serde_json::from_str(text).map_err(unreadable)?;
        if description.element != T::NAME {
            return Err(CheckpointError::Element { expected: T::NAME, found: description.element });
        }
        description.check()?;
        Ok(description)
    }

    /// Whether all constants and counters are in ranges that a run has; those that other types check on their own excepted.
    fn check(&self) -> Result<(), CheckpointError> {
        self.optimizer.as_ref().map_or(Ok(()), OptimizerText::check)?;
        counts(&[("steps of the network", self.network.steps)])?;
        for norm in self.network.hidden.iter().filter_map(|layer| layer.batch_norm.as_ref()) {
            counts(&[("steps of running statistics", norm.steps)])?;
        }
        if let Some(plan) = &self.plan {
            counts(&[("plan: total_steps", plan.total_steps)])?;
            not_negative(&[("plan: learning rate", plan.learning_rate)])?;
        }
        if let Some(&PositionText { epoch, batch, batch_size, .. }) = self.position.as_ref() {
            counts(&[("position: epoch", epoch), ("position: batch", batch), ("position: batch_size", batch_size)])?;
        }
        counts(&[("average: count", self.average.as_ref().map_or(0, |average| average.count))])
    }

    /// Which moments the file has.
    pub(super) fn moments(&self) -> &[String] {
        self.optimizer.as_ref().map_or(&[], |optimizer| &optimizer.moments)
    }

    pub(super) fn has_normalization(&self) -> bool {
        self.normalization
    }

    pub(super) fn architecture(&self) -> Result<Architecture, CheckpointError> {
        self.network.architecture()
    }

    pub(super) fn steps(&self) -> u64 {
        self.network.steps
    }

    /// Running statistics of each layer, without their numbers.
    pub(super) fn running<T: Element>(&self) -> Result<Vec<Option<RunningStatistics<T>>>, CheckpointError> {
        let empty = |norm: &BatchNormText| {
            let running = RunningStatistics::new(0, norm.beta)?;
            Ok(RunningStatistics { steps: norm.steps, ..running })
        };
        self.network.hidden.iter().map(|layer| layer.batch_norm.as_ref().map(empty).transpose()).collect()
    }

    /// The optimizer with these moments, in the order of [`Description::moments`].
    pub(super) fn optimizer<T: Element>(&self, moments: &[Vec<T>]) -> Result<Option<Optimizer<T>>, CheckpointError> {
        let Some(text) = &self.optimizer else { return Ok(None) };
        let DecayText { l1, l2, decoupled } = text.decay;
        let mut optimizer = Optimizer::new(text.rule.parse()?, text.learning_rate).decay(Decay { l1, l2, decoupled });
        optimizer.clip_norm = text.clip_norm;
        let named: Vec<_> = text.moments.iter().zip(moments).map(|(name, m)| (name.as_str(), &m[..])).collect();
        optimizer.restore(text.steps, &named)?;
        Ok(Some(optimizer))
    }

    /// Puts what is neither network nor optimizer nor tensor into the checkpoint.
    pub(super) fn fill<T: Element>(self, checkpoint: &mut Checkpoint<T>) -> Result<(), CheckpointError> {
        if let Some(PlanText { schedule, learning_rate, total_steps }) = self.plan {
            checkpoint.plan = Some(Plan { schedule: schedule.parse()?, learning_rate, total_steps });
        }
        if let Some(PositionText { seed, epoch, batch, batch_size }) = self.position {
            let [batch, batch_size] = [batch, batch_size].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
            checkpoint.position = Some(Position { seed, epoch, batch, batch_size });
        }
        if let Some(AverageText { beta, v, count }) = self.average {
            let v = v.parse().map_err(|_| unreadable(format_args!("average: v is {v:?}, no number")))?;
            checkpoint.average = Some(ExponentialAverage::from_state(beta, v, count)?);
        }
        (checkpoint.classes, checkpoint.configuration) = (self.classes, self.configuration);
        Ok(())
    }
}

impl NetworkText {
    fn of<T: Element>(checkpoint: &Checkpoint<T>) -> Self {
        let Checkpoint { architecture, running, .. } = checkpoint;
        let (kind, lambda) = match architecture.penalty {
            Penalty::None => ("none", 0.0),
            Penalty::L1(lambda) => ("l1", lambda),
            Penalty::L2(lambda) => ("l2", lambda),
        };
        let hidden = architecture.hidden.iter().zip(running).map(|(layer, running)| HiddenText {
            units: layer.units,
            activation: layer.activation.name().into(),
            batch_norm: running.as_ref().map(|running| BatchNormText { beta: running.beta, steps: running.steps }),
            keep_prob: layer.keep_prob,
        });
        Self {
            inputs: architecture.inputs,
            hidden: hidden.collect(),
            outputs: architecture.outputs,
            output: architecture.output.name().into(),
            penalty: PenaltyText { kind: kind.into(), lambda },
            seed: architecture.seed,
            steps: checkpoint.steps,
        }
    }

    fn architecture(&self) -> Result<Architecture, CheckpointError> {
        let lambda = self.penalty.lambda;
        let penalty = match self.penalty.kind.as_str() {
            "none" => Penalty::None,
            "l1" => Penalty::L1(lambda),
            "l2" => Penalty::L2(lambda),
            kind => return Err(unreadable(format_args!("no penalty is called {kind:?}; there are none, l1, l2"))),
        };
        let outputs = [Output::Softmax, Output::Sigmoid, Output::Linear];
        let output = outputs.into_iter().find(|output| output.name() == self.output).ok_or_else(|| {
            unreadable(format_args!("no output is called {:?}; there are softmax, sigmoid, linear", self.output))
        })?;
        let hidden = self.hidden.iter().map(HiddenText::hidden).collect::<Result<_, _>>()?;
        let &Self { inputs, outputs, seed, .. } = self;
        Ok(Architecture { inputs, hidden, outputs, output, penalty, seed })
    }
}

impl HiddenText {
    fn hidden(&self) -> Result<Hidden, CheckpointError> {
        let activation = Activation::ALL.into_iter().find(|activation| activation.name() == self.activation);
        Ok(Hidden {
            units: self.units,
            activation: activation
                .ok_or_else(|| unreadable(format_args!("no activation is called {:?}", self.activation)))?,
            batch_norm: self.batch_norm.is_some(),
            keep_prob: self.keep_prob,
        })
    }
}

impl OptimizerText {
    fn check(&self) -> Result<(), CheckpointError> {
        counts(&[("steps of the optimizer", self.steps)])?;
        let DecayText { l1, l2, decoupled } = self.decay;
        not_negative(&[("decay: l1", l1), ("decay: l2", l2), ("decay: decoupled", decoupled)])?;
        not_negative(&[("learning rate", self.learning_rate), ("clip_norm", self.clip_norm.unwrap_or(0.0))])?;
        // Before the first update there are none.
        let expected = self.rule.parse::<Rule>()?.moments();
        if self.moments.is_empty() || self.moments == expected {
            return Ok(());
        }
        Err(unreadable(format_args!("{} keeps the moments {expected:?}, others are listed", self.rule)))
    }

    fn of<T: Element>(optimizer: &Optimizer<T>) -> Self {
        let Decay { l1, l2, decoupled } = optimizer.decay;
        Self {
            rule: optimizer.rule().to_string(),
            learning_rate: optimizer.learning_rate,
            decay: DecayText { l1, l2, decoupled },
            clip_norm: optimizer.clip_norm,
            steps: optimizer.steps(),
            moments: optimizer.moments().into_iter().map(|(name, _)| name.into()).collect(),
        }
    }
}
