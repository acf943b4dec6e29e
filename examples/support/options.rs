//! The options that the command lines share. Each takes the groups that it needs.

use super::values::{Layers, PenaltyName, RuleName, activation, at_least, not_negative, positive, probability};
use clap::{Args, ValueEnum};
use roofline::nn::{Init, Mlp, Optimizer, Penalty, Regime, Rule, Schedule};
use roofline::{Activation, Backend, Decay, Element, Exec, Isa};
use std::path::PathBuf;

/// λ of `--penalty l1` and `--penalty l2` alone.
pub(crate) const LAMBDA: f64 = 0.1;
/// Decoupled decay of `--optimizer adamw`, PyTorch's.
const ADAMW_DECAY: f64 = 0.01;

/// What to learn from.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Data (without options: the 1,797 optical digits that come with the examples)")]
pub(crate) struct DataOptions {
    /// Folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, plain or .gz
    ///
    /// The layout of MNIST and Fashion-MNIST. Plain files of images are mapped, not read: they may be larger than memory. The t10k
    /// files are the test set that the report shows, unless --dev-examples keeps examples of the training set for that.
    #[arg(long, value_name = "DIR", conflicts_with = "csv")]
    pub(crate) data: Option<PathBuf>,

    /// CSV file: one example a row, one column the label, all others numbers
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,

    /// Column of the label, a name of the header or a number from 1 on [default: the last]
    #[arg(long, value_name = "COLUMN", requires = "csv")]
    pub(crate) label: Option<String>,

    /// What the label is: names of classes, class indices from 0, or values to predict (regression)
    #[arg(long, value_enum, value_name = "KIND", default_value_t = LabelKindName::Names)]
    pub(crate) label_kind: LabelKindName,

    /// Whether the first record names the columns
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = HeaderName::Auto)]
    pub(crate) header: HeaderName,

    /// Examples kept from training, the development (dev) set [default: 360 digits, a fifth of a CSV file]
    ///
    /// A seeded split with each class in proportion: what the network has not seen tells how well it generalises.
    #[arg(long, value_name = "N", value_parser = at_least::<1>)]
    pub(crate) dev_examples: Option<usize>,

    /// Normalise each input to mean 0 and variance 1 [default: yes for CSV, no for images]
    ///
    /// x ← (x − μ)/σ with μ and σ of the training set only, applied to every set and kept in the checkpoint: all features get the
    /// same range, so that one learning rate suits them all.
    #[arg(long, value_enum, value_name = "WHETHER", num_args = 0..=1, default_missing_value = "yes")]
    pub(crate) normalize: Option<YesNo>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LabelKindName {
    Names,
    Integers,
    Values,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HeaderName {
    Auto,
    Present,
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum YesNo {
    Yes,
    No,
}

/// The make of the network.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkOptions {
    /// Units of the hidden layers, n⁽¹⁾,n⁽²⁾,…; none for a softmax regression
    #[arg(long, value_name = "N,N,…", default_value = "256,128")]
    pub(crate) layers: Layers,

    /// Activation g of the hidden layers: identity, relu, leaky_relu, elu, tanh, sigmoid, softplus, gelu, gelu_tanh or silu
    #[arg(long, value_name = "NAME", default_value = "relu", value_parser = activation)]
    pub(crate) activation: Activation,

    /// Batch norm in every hidden layer, between product and activation
    ///
    /// Z is normalised over the mini-batch, then scaled by γ and shifted by β, which are learned. Inference takes running averages of
    /// the statistics. A mini-batch needs two examples: one has no variance.
    #[arg(long)]
    pub(crate) batch_norm: bool,

    /// Dropout of the hidden layers: the probability of a unit to stay, 1 for none
    ///
    /// Inverted dropout: what stays is divided by keep_prob, and nothing is dropped in inference. Against high variance.
    #[arg(long, value_name = "P", default_value = "1", allow_negative_numbers = true, value_parser = probability)]
    pub(crate) keep_prob: f64,

    /// Penalty on large weights: none, l1:λ or l2:λ (λ/2m·Σ|w| or λ/2m·Σ‖W‖²_F, m examples of the mini-batch)
    ///
    /// Part of the cost and of the gradient; biases, γ and β are free of it. Against high variance. λ is 0.1 unless given.
    #[arg(long, value_name = "PENALTY", default_value = "none", allow_hyphen_values = true)]
    pub(crate) penalty: PenaltyName,

    /// Initial weights: normal of variance 2/n⁽ˡ⁻¹⁾ (he), 1/n⁽ˡ⁻¹⁾ (xavier), 2/(n⁽ˡ⁻¹⁾+n⁽ˡ⁾) (glorot) [default: as the activation asks]
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) init: Option<InitName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InitName {
    He,
    Xavier,
    Glorot,
}

impl NetworkOptions {
    pub(crate) fn penalty(&self) -> Penalty {
        self.penalty.with(LAMBDA)
    }

    /// A new network; with `classes` it is softmax regression on top, else linear regression.
    pub(crate) fn build<T: Element>(
        &self,
        inputs: usize,
        (outputs, classes): (usize, usize),
        seed: u64,
        exec: Exec,
    ) -> Result<Mlp<T>, roofline::Error> {
        let mut builder = Mlp::<T>::builder(inputs);
        for &units in &self.layers.0 {
            builder = builder.dense(units, self.activation);
            if self.batch_norm {
                builder = builder.batch_norm();
            }
            if self.keep_prob < 1.0 {
                builder = builder.dropout(self.keep_prob);
            }
        }
        builder = if classes > 0 { builder.softmax(classes) } else { builder.linear(outputs) };
        builder = match self.init {
            None => builder,
            Some(InitName::He) => builder.init(Init::He),
            Some(InitName::Xavier) => builder.init(Init::Xavier),
            Some(InitName::Glorot) => builder.init(Init::Glorot),
        };
        builder.penalty(self.penalty()).seed(seed).exec(exec).build()
    }
}

/// How the cost goes down.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Optimizer")]
pub(crate) struct OptimizerOptions {
    /// Update rule with its constants: sgd, momentum, nesterov, rmsprop, adam or adamw, as in adam:beta1=0.9:beta2=0.99
    ///
    /// momentum[:beta=0.9][:form=average|classic|nesterov] averages the gradients: v ← β·v + (1 − β)·dW, W ← W − α·v.
    /// rmsprop[:beta=0.9][:epsilon=1e-8][:place=outside|inside] divides by the root of the averaged squares.
    /// adam[:beta1=0.9][:beta2=0.999][:epsilon=1e-8][:place=…] does both, with bias correction. adamw is adam with --weight-decay.
    #[arg(long, value_name = "RULE", default_value = "adam")]
    pub(crate) optimizer: RuleName,

    /// α₀ [default: 0.001 for adam, adamw and rmsprop, 0.5 for sgd, momentum and nesterov]
    #[arg(long, value_name = "α", allow_negative_numbers = true, value_parser = positive)]
    pub(crate) learning_rate: Option<f64>,

    /// How α decays: constant, inverse:1, exponential:0.95, sqrt-epoch:k, sqrt-step:k, staircase:0.5:10 or cosine:warmup=100
    ///
    /// inverse is α₀/(1 + decay_rate·epoch), exponential 0.95^epoch·α₀, sqrt-epoch k/√epoch·α₀, sqrt-step k/√t·α₀; staircase multiplies
    /// by a factor every so many epochs; cosine grows over the warm-up and falls along half a cosine to the last update.
    #[arg(long, value_name = "SCHEDULE", default_value = "constant")]
    pub(crate) schedule: Schedule,

    /// Scale gradients of a larger norm ‖dθ‖₂ down to this one
    #[arg(long, value_name = "NORM", allow_negative_numbers = true, value_parser = positive)]
    pub(crate) clip_norm: Option<f64>,

    /// Decoupled decay of all parameters, W ← W − α·λ·W at every update [default: 0.01 for adamw, else 0]
    #[arg(long, value_name = "λ", allow_negative_numbers = true, value_parser = not_negative)]
    pub(crate) weight_decay: Option<f64>,

    /// Examples of an update, as a regime: batch (all), mini-batch:M or stochastic (one)
    ///
    /// Batch gradient descent follows the true gradient, one update an epoch; stochastic gradient descent loses what vectors gain. The
    /// notes: up to 2500 examples take the whole batch, else 64 to 1024. The example sweep measures which size is best here.
    #[arg(long, value_name = "REGIME", conflicts_with = "batch_size")]
    pub(crate) regime: Option<Regime>,

    /// Examples in a mini-batch
    #[arg(long, value_name = "M", default_value = "64", value_parser = at_least::<1>)]
    pub(crate) batch_size: usize,
}

impl OptimizerOptions {
    pub(crate) fn regime(&self) -> Regime {
        self.regime.unwrap_or(Regime::MiniBatch(self.batch_size))
    }

    pub(crate) fn learning_rate(&self) -> f64 {
        self.learning_rate.unwrap_or(match self.optimizer.rule {
            Rule::Sgd | Rule::Momentum { .. } => 0.5,
            Rule::RmsProp { .. } | Rule::Adam { .. } => 0.001,
        })
    }

    pub(crate) fn weight_decay(&self) -> f64 {
        self.weight_decay.unwrap_or(if self.optimizer.decoupled { ADAMW_DECAY } else { 0.0 })
    }

    /// A new optimizer.
    pub(crate) fn optimizer<T: Element>(&self) -> Optimizer<T> {
        let decay = Decay { decoupled: self.weight_decay(), ..Decay::default() };
        let optimizer = Optimizer::new(self.optimizer.rule, self.learning_rate()).decay(decay);
        match self.clip_norm {
            Some(norm) => optimizer.clip_norm(norm),
            None => optimizer,
        }
    }
}

/// Where and how it runs.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Machine")]
pub(crate) struct MachineOptions {
    /// Most threads that a call may use [default: all]
    #[arg(long, value_name = "N", value_parser = at_least::<1>)]
    pub(crate) threads: Option<usize>,

    /// Instruction set: avx512, avx2 or portable [default: the best that there is]
    #[arg(long, value_name = "NAME")]
    pub(crate) isa: Option<Isa>,

    /// Whose matrix products: native, or in a build with the feature of that name matrixmultiply or blas
    #[arg(long, value_name = "NAME", default_value_t = Backend::Native)]
    pub(crate) backend: Backend,
}

impl MachineOptions {
    /// How the kernels run.
    pub(crate) fn exec(&self) -> Result<Exec, roofline::Error> {
        let mut exec = Exec::default().with_backend(self.backend)?;
        if let Some(isa) = self.isa {
            exec = exec.with_isa(isa)?;
        }
        match self.threads {
            Some(threads) => exec.with_threads(threads),
            None => Ok(exec),
        }
    }
}
