//! The command line.

use crate::support::options::{DataOptions, MachineOptions, NetworkOptions, OptimizerOptions};
use crate::support::values::{at_least, share};
use clap::Parser;
use std::path::PathBuf;

/// Train a multi-layer perceptron, after a check of its gradients.
///
/// Without --data or --csv it learns the 1,797 optical digits that come with the examples and reports on a development (dev) set of
/// 360 of them. With --data it learns the training files of a folder in the MNIST layout and reports on the test files.
///
/// Each epoch shows the cost (an exponentially weighted average of the mini-batches, β = 0.98, with bias correction), the errors on
/// training and dev set, what they say (high bias: the training set is not learned well enough; high variance: it does not carry over),
/// and the speed as samples/s and as a share of the FMA peak that was measured at the start.
///
/// Ctrl-C finishes the step, writes the checkpoint and exits with 130; a second Ctrl-C ends at once.
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
    pub(crate) run: RunOptions,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Training")]
pub(crate) struct RunOptions {
    /// Passes over the training set [default: 30, or as many as the run had that --resume continues]
    #[arg(long, value_name = "N", value_parser = at_least::<1>)]
    pub(crate) epochs: Option<usize>,

    /// Seed of weights, split, order and masks; the same seed gives the same costs on any number of threads
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// The error that is aimed at, as a share: that of people, or the least possible (Bayes')
    ///
    /// Train error − target is the avoidable bias, dev error − train error the variance. Which of them is large says what helps.
    #[arg(long, value_name = "SHARE", default_value = "0", allow_negative_numbers = true, value_parser = share)]
    pub(crate) target_error: f64,

    /// Write a checkpoint to this file after every epoch and after Ctrl-C [default: the file of --resume]
    ///
    /// A safetensors file with everything that the run needs to go on: parameters, moments, schedule, place in the mini-batches,
    /// normalisation, names of the classes. It is replaced as a whole or not at all. predict takes it as a model.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,

    /// Go on from this checkpoint, with the bits that an uninterrupted run would have
    ///
    /// Network, optimizer, schedule, mini-batches, seed and normalisation are those of the checkpoint, whatever other options say;
    /// --epochs counts from the very beginning. The data must be the same.
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,

    /// Print JSON: one object for each epoch and one at the end, nothing else
    #[arg(long)]
    pub(crate) json: bool,
}
