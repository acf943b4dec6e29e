//! The command line.

use clap::{Parser, ValueEnum};
use roofline::nn::Optimizer;
use roofline::{Activation, Backend, Element, Exec, Isa};
use std::path::PathBuf;

/// Train a multi-layer perceptron on images, after a check of its gradients.
///
/// Without --data it learns the 1,797 optical digits that come with the example and reports on a development set of 360 of
/// them. With --data it learns the training files of a folder in the MNIST layout and reports on the test files.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Options {
    /// Folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, plain or .gz
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// Units of the hidden layers
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', default_value = "256,128", value_parser = at_least_one)]
    pub(crate) layers: Vec<usize>,

    /// Activation of the hidden layers
    #[arg(long, value_enum, default_value_t = ActivationName::Relu)]
    pub(crate) activation: ActivationName,

    /// Update rule
    #[arg(long, value_enum, default_value_t = OptimizerName::Adam)]
    pub(crate) optimizer: OptimizerName,

    /// α [default: 0.001 for adam, 0.5 for momentum and sgd]
    #[arg(long, value_name = "α", allow_negative_numbers = true, value_parser = positive)]
    pub(crate) learning_rate: Option<f64>,

    /// Examples in a mini-batch
    #[arg(long, value_name = "M", default_value = "64", value_parser = at_least_one)]
    pub(crate) batch_size: usize,

    /// Passes over the training set
    #[arg(long, value_name = "N", default_value = "30", value_parser = at_least_one)]
    pub(crate) epochs: usize,

    /// Seed of weights, split and order; the same seed gives the same costs on any number of threads
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Most threads that a product may use [default: all]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) threads: Option<usize>,

    /// Instruction set: avx512, avx2 or portable [default: the best that there is]
    #[arg(long, value_name = "NAME")]
    pub(crate) isa: Option<Isa>,

    /// Whose matrix products: native, or in a build with the feature of that name matrixmultiply or blas
    #[arg(long, value_name = "NAME", default_value_t = Backend::Native)]
    pub(crate) backend: Backend,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ActivationName {
    Relu,
    Sigmoid,
    Tanh,
}

impl From<ActivationName> for Activation {
    fn from(name: ActivationName) -> Self {
        match name {
            ActivationName::Relu => Activation::Relu,
            ActivationName::Sigmoid => Activation::Sigmoid,
            ActivationName::Tanh => Activation::Tanh,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum OptimizerName {
    Sgd,
    Momentum,
    Adam,
}

impl Options {
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

    /// A new optimizer of the kind that was asked for.
    pub(crate) fn optimizer<T: Element>(&self) -> Optimizer<T> {
        match self.optimizer {
            OptimizerName::Sgd => Optimizer::sgd(self.learning_rate.unwrap_or(0.5)),
            OptimizerName::Momentum => Optimizer::momentum(self.learning_rate.unwrap_or(0.5)),
            OptimizerName::Adam => Optimizer::adam(self.learning_rate.unwrap_or(0.001)),
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        Ok(_) => Err("it must be positive and finite".into()),
        Err(error) => Err(error.to_string()),
    }
}
