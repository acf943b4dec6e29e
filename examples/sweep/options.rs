//! The command line.

use crate::support::options::{DataOptions, MachineOptions, NetworkOptions, OptimizerOptions};
use crate::support::values::{at_least, positive, share};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Which mini-batch size? Measures 1, 2, 4 … up to all m examples (batch gradient descent), and advises.
///
/// Large mini-batches make each example cheaper, for products of large matrices run near the peak; small ones make more updates of an
/// epoch. Which wins is the time to a dev error, --target-error: from the same weights each size trains until its dev error is there
/// or its seconds are over.
///
/// The roofline model of a step is flops/peak + bytes/bandwidth: the operations of its matrix products at the FMA peak, and each number
/// that it has to touch once per use at the bandwidth at which one thread reads a working set of that size. For P parameters of which
/// P₁ are those of the first layer's weights, k moments, b examples, n⁽⁰⁾ inputs and N units in all layers these are
/// 4·(P·(6 + 2·k) − P₁ + b·(4·n⁽⁰⁾ + 6·N)) bytes: parameters read forward and backward, gradients written and read, parameters and
/// moments read and written by the update; inputs gathered (read, written), read forward and for dW⁽¹⁾; activations written, read by the
/// next layer, by the activation's gradient and for dW, their gradients written and read.
///
/// The course notes' rule is one of the lines compared: up to 2500 examples all at once, else a typical size between 64 and 1024.
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
    pub(crate) sweep: SweepOptions,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Sweep")]
pub(crate) struct SweepOptions {
    /// The dev error to train to, as a share
    #[arg(long, value_name = "SHARE", default_value = "0.04", allow_negative_numbers = true, value_parser = share)]
    pub(crate) target_error: f64,

    /// Seconds of training that each size has to get there
    #[arg(long, value_name = "SECONDS", default_value = "5", allow_negative_numbers = true, value_parser = positive)]
    pub(crate) budget: f64,

    /// How the learning rate depends on the size: α₀, or α₀·√(size/M) or α₀·size/M, where α₀ is that of --batch-size M
    #[arg(long, value_enum, default_value_t = Scale::Sqrt)]
    pub(crate) scale_learning_rate: Scale,

    /// Largest size [default: all m examples]
    #[arg(long, value_name = "M", value_parser = at_least::<1>)]
    pub(crate) largest: Option<usize>,

    /// Rounds of the speed: all sizes take turns, the median of the rounds counts
    #[arg(long, value_name = "N", default_value = "5", value_parser = at_least::<1>)]
    pub(crate) rounds: usize,

    /// Milliseconds of one size in a round, at least one step
    #[arg(long, value_name = "MS", default_value = "100", value_parser = at_least::<1>)]
    pub(crate) round_time: usize,

    /// Seed of weights, split, order and masks
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Print JSON: one object for each size and one at the end, nothing else
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the table to this file as CSV too
    #[arg(long, value_name = "FILE")]
    pub(crate) csv_out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    Fixed,
    Sqrt,
    Linear,
}

impl Options {
    /// α₀ of mini-batches of `size`.
    pub(crate) fn learning_rate(&self, size: usize) -> f64 {
        let ratio = size as f64 / self.optimizer.batch_size as f64;
        self.optimizer.learning_rate()
            * match self.sweep.scale_learning_rate {
                Scale::Fixed => 1.0,
                Scale::Sqrt => ratio.sqrt(),
                Scale::Linear => ratio,
            }
    }
}
