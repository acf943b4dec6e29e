//! The command line.

use crate::support::options::{DataOptions, MachineOptions, NetworkOptions, OptimizerOptions};
use crate::support::values::at_least;
use clap::{Parser, ValueEnum};
use roofline::nn::tuner::Parallelism;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Search hyperparameters: train a network for every trial, and compare the errors on a development (dev) set.
///
/// Hyperparameters are drawn on the scales of the course notes: the learning rate as 10^r, so that 0.001 to 0.01 is tried as often as
/// 0.01 to 0.1; β of momentum and β₁ of Adam as 1 − 10^r, since 0.999 and 0.9995 differ much more than 0.9 and 0.9005. Random points try
/// another value of every hyperparameter each time, where a grid repeats a few; coarse to fine looks closer where the best ones lie.
///
/// All other options are those of train, and so is the last line: the best trial as a command. With --data a part of the training
/// set is the dev set: what is chosen by the test set can not be judged by it.
///
/// Ctrl-C stops after the trials that run, and exits with 130; a second Ctrl-C ends at once.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) data: DataOptions,

    #[command(flatten)]
    pub(crate) network: NetworkOptions,

    #[command(flatten)]
    pub(crate) optimizer: OptimizerOptions,

    #[command(flatten)]
    pub(crate) machine: MachineOptions,

    #[command(flatten)]
    pub(crate) search: SearchOptions,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Search")]
pub(crate) struct SearchOptions {
    /// What is searched, with bounds where the usual ones do not fit: learning_rate=1e-4:0.1,units=16:256
    ///
    /// learning_rate (10^r, 1e-4:0.1; 0.01:5 for sgd, momentum and nesterov), beta (1 − 10^r, 0.9:0.999, β₁ of adam), units (of every hidden layer, 16:256),
    /// batch_size (powers of two, 16:512), keep_prob (linear, 0.5:1), penalty (λ of --penalty l1, else of l2, 10^r, 0.001:10).
    #[arg(
        long,
        value_name = "NAME[=FROM:TO],…",
        value_delimiter = ',',
        default_value = "learning_rate,beta,units,batch_size"
    )]
    pub(crate) search: Vec<Range>,

    /// Which points are tried
    #[arg(long, value_enum, default_value_t = StrategyName::CoarseToFine)]
    pub(crate) strategy: StrategyName,

    /// Trials in all; a grid takes as many values of each hyperparameter as stay within it
    #[arg(long, value_name = "N", default_value = "24", value_parser = at_least::<1>)]
    pub(crate) trials: usize,

    /// Rounds of coarse-to-fine, each in half the box around the best quarter so far
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least::<1>)]
    pub(crate) rounds: usize,

    /// Trials side by side, one a thread (small networks), or one after another, each on all threads
    #[arg(long, value_enum, default_value_t = ParallelismName::SideBySide)]
    pub(crate) parallelism: ParallelismName,

    /// Keep finished trials in this CSV file, and run only those that it lacks
    #[arg(long, value_name = "FILE")]
    pub(crate) results: Option<PathBuf>,

    /// Passes over the training set in each trial
    #[arg(long, value_name = "N", default_value = "10", value_parser = at_least::<1>)]
    pub(crate) epochs: usize,

    /// Seed of the points, and of weights, split, order and masks of every trial
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Print JSON: one object for each trial and one at the end, nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyName {
    Grid,
    Random,
    CoarseToFine,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ParallelismName {
    SideBySide,
    OneAfterAnother,
}

impl From<ParallelismName> for Parallelism {
    fn from(name: ParallelismName) -> Self {
        match name {
            ParallelismName::SideBySide => Parallelism::SideBySide,
            ParallelismName::OneAfterAnother => Parallelism::OneAfterAnother,
        }
    }
}

/// A hyperparameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    LearningRate,
    Beta,
    Units,
    BatchSize,
    KeepProb,
    Penalty,
}

impl Name {
    const ALL: [Name; 6] =
        [Name::LearningRate, Name::Beta, Name::Units, Name::BatchSize, Name::KeepProb, Name::Penalty];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Name::LearningRate => "learning_rate",
            Name::Beta => "beta",
            Name::Units => "units",
            Name::BatchSize => "batch_size",
            Name::KeepProb => "keep_prob",
            Name::Penalty => "penalty",
        }
    }
}

/// A hyperparameter, and its bounds where they were given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) name: Name,
    pub(crate) bounds: Option<(f64, f64)>,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, bounds) = text.split_once('=').map_or((text, None), |(name, bounds)| (name, Some(bounds)));
        let found = Name::ALL.into_iter().find(|known| known.text() == name);
        let names = || Name::ALL.map(Name::text).join(", ");
        let name = found.ok_or_else(|| format!("there are {}", names()))?;
        let bounds = match bounds {
            None => None,
            Some(bounds) => {
                let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
                let ends = bounds.split_once(':').and_then(|(from, to)| Some((number(from)?, number(to)?)));
                let ends = ends.filter(|(from, to)| from < to);
                Some(ends.ok_or_else(|| format!("the bounds are `{bounds}`, they must be FROM:TO with FROM < TO"))?)
            }
        };
        Ok(Self { name, bounds })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}
