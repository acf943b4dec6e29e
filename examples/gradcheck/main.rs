//! `cargo run --release --example gradcheck`: checks the gradients of networks against difference quotients, every combination of
//! activation, norm, penalty and output, at initialisation and after some training. Fails unless all are great.

#[path = "../support/mod.rs"]
mod support;

use clap::{Parser, ValueEnum};
use roofline::nn::{GradientReport, Init, Labels, Mlp, Optimizer, Verdict, gradient_check};
use roofline::{Activation, Exec, Mat};
use serde_json::json;
use std::error::Error;
use std::process::ExitCode;
use support::options::MachineOptions;
use support::values::{Layers, PenaltyName, activation, at_least, name, penalty_text, probability};
use support::{Outcome, exit};

/// Inputs and outputs of the networks: small ones, for a check costs two forward passes a parameter.
const INPUTS: usize = 6;
const OUTPUTS: usize = 2;

/// Check the gradients of networks in f64: (J(θ + ε) − J(θ − ε))/2ε with ε = 1e-7 against backward, parameter by parameter.
///
/// A relative error up to 1e-7 is great, up to 1e-5 acceptable, up to 1e-3 suspect, else the gradient is wrong. The cost includes the
/// penalty, batch norm takes the statistics of the batch, and the masks of dropout are held fixed. Without options all combinations are
/// checked. With other layers and seeds, a unit of ReLU within ε of its kink, or gradients so small that the rounding of the cost shows
/// (1e-16/ε), may cost the verdict great without a mistake.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Activations of the hidden layers [default: all]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = activation)]
    activation: Vec<Activation>,

    /// Norms of the hidden layers [default: all]
    #[arg(long, value_enum, value_name = "NAME,…", value_delimiter = ',')]
    norm: Vec<NormName>,

    /// Batch norm only: --norm batch
    #[arg(long, conflicts_with = "norm")]
    batch_norm: bool,

    /// Penalties of the weights: none, l1, l2, with λ of their own as in l2:0.1 [default: all]
    #[arg(long, value_name = "PENALTY,…", value_delimiter = ',')]
    penalty: Vec<PenaltyName>,

    /// Outputs, each with its cost [default: all]
    #[arg(long, value_enum, value_name = "NAME,…", value_delimiter = ',')]
    output: Vec<OutputName>,

    /// λ of the penalties that have none of their own
    #[arg(long, value_name = "λ", default_value = "0.05", allow_negative_numbers = true)]
    lambda: f64,

    /// Dropout of the hidden layers: the probability of a unit to stay, 1 for none
    #[arg(long, value_name = "P", default_value = "1", allow_negative_numbers = true, value_parser = probability)]
    keep_prob: f64,

    /// Units of the hidden layers, or none
    #[arg(long, value_name = "N,N,…", default_value = "7,5")]
    layers: Layers,

    /// Examples in the batch
    #[arg(long, value_name = "M", default_value = "12", value_parser = at_least::<2>)]
    batch_size: usize,

    /// Training steps between the two checks
    #[arg(long, value_name = "N", default_value_t = 10)]
    steps: usize,

    /// Seed of weights and masks
    #[arg(long, default_value_t = 4)]
    seed: u64,

    /// Print every layer of every network
    #[arg(long)]
    verbose: bool,

    /// Print JSON: one object for each network and one at the end, nothing else
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    machine: MachineOptions,
}

#[derive(Clone, Copy, ValueEnum)]
enum NormName {
    None,
    Batch,
}

#[derive(Clone, Copy, ValueEnum)]
enum OutputName {
    Softmax,
    Sigmoid,
    Linear,
}

/// One network to check.
#[derive(Clone, Copy)]
struct Make {
    activation: Activation,
    norm: NormName,
    penalty: PenaltyName,
    output: OutputName,
}

/// Examples, the class of each, and the same one-hot.
struct Batch {
    x: Mat<f64>,
    classes: Vec<usize>,
    values: Mat<f64>,
}

fn main() -> ExitCode {
    exit(run(&Options::parse()))
}

/// Good where all gradients are great.
fn run(options: &Options) -> Result<Outcome, Box<dyn Error>> {
    let exec = options.machine.exec()?;
    let (makes, batch) = (combinations(options), batch(options.batch_size));
    if !options.json {
        println!("activation  norm   penalty  output   at initialisation  after {} steps  verdict", options.steps);
    }
    let mut great = 0;
    for &make in &makes {
        let mut net = network(options, make, exec)?;
        let first = check(&mut net, make, &batch)?;
        train(&mut net, make, &batch, options.steps)?;
        let second = check(&mut net, make, &batch)?;
        great += usize::from(first.verdict().max(second.verdict()) == Verdict::Great);
        report(options, make, [&first, &second]);
    }
    if options.json {
        println!("{}", json!({ "summary": true, "networks": makes.len(), "great": great }));
    } else {
        println!("{great} of {} networks are great: at most 1e-7 in every layer", makes.len());
    }
    Ok(if great == makes.len() { Outcome::Good } else { Outcome::Bad })
}

/// A line, with all layers where they are asked for, or an object.
fn report(options: &Options, make: Make, [first, second]: [&GradientReport; 2]) {
    let verdict = first.verdict().max(second.verdict());
    let [activation, norm, output] = [make.activation.name().to_owned(), name(make.norm), name(make.output)];
    if options.json {
        let object = json!({
            "activation": activation,
            "norm": norm,
            "penalty": penalty_text(make.penalty.with(options.lambda)),
            "output": output,
            "relative_error_at_initialisation": worst(first),
            "relative_error_after_training": worst(second),
            "steps": options.steps,
            "verdict": verdict.to_string(),
        });
        println!("{object}");
        return;
    }
    let penalty = match make.penalty {
        PenaltyName::None => "none",
        PenaltyName::L1(_) => "l1",
        PenaltyName::L2(_) => "l2",
    };
    println!(
        "{activation:10}  {norm:5}  {penalty:7}  {output:7}  {:17.1e}  {:width$.1e}  {verdict}",
        worst(first),
        worst(second),
        width = 12 + options.steps.to_string().len()
    );
    if options.verbose {
        println!("\n{first}\n{second}");
    }
}

/// The greatest error of a layer.
fn worst(report: &GradientReport) -> f64 {
    let errors = report.layers.iter().map(|layer| layer.relative_error);
    // NaN is worse than any number.
    errors.fold(report.total.relative_error, |a, b| if a > b || a.is_nan() { a } else { b })
}

fn combinations(options: &Options) -> Vec<Make> {
    let activations = if options.activation.is_empty() { &Activation::ALL[..] } else { &options.activation };
    let penalties = match &options.penalty[..] {
        [] => &[PenaltyName::None, PenaltyName::L1(None), PenaltyName::L2(None)],
        penalties => penalties,
    };
    let norms = if options.batch_norm { vec![NormName::Batch] } else { chosen(&options.norm) };
    let mut all = Vec::new();
    for &activation in activations {
        for &norm in &norms {
            for &penalty in penalties {
                for output in chosen(&options.output) {
                    all.push(Make { activation, norm, penalty, output });
                }
            }
        }
    }
    all
}

/// What was asked for, or everything.
fn chosen<E: ValueEnum>(options: &[E]) -> Vec<E> {
    if options.is_empty() { E::value_variants().to_vec() } else { options.to_vec() }
}

fn network(options: &Options, make: Make, exec: Exec) -> Result<Mlp<f64>, roofline::Error> {
    let mut builder = Mlp::<f64>::builder(INPUTS);
    for &units in &options.layers.0 {
        builder = builder.dense(units, make.activation);
        builder = match make.norm {
            NormName::None => builder,
            NormName::Batch => builder.batch_norm(),
        };
        builder = builder.dropout(options.keep_prob);
    }
    let builder = match make.output {
        OutputName::Softmax => builder.softmax(OUTPUTS),
        OutputName::Sigmoid => builder.sigmoid(OUTPUTS),
        OutputName::Linear => builder.linear(OUTPUTS),
    };
    let builder = builder.penalty(make.penalty.with(options.lambda));
    let mut net = builder.init(Init::He).seed(options.seed).exec(exec).build()?;
    // Biases of 0 are the kink of ReLU where dropout takes all units that an example has.
    for tensor in net.tensors().into_iter().filter(|tensor| tensor.shape.len() == 1) {
        let values = net.parameters_mut()[tensor.range].iter_mut();
        values.enumerate().for_each(|(i, value)| *value += 0.1 * wave(i + 1));
    }
    Ok(net)
}

/// Numbers in [−1, 1] without a pattern that a network would see.
fn wave(i: usize) -> f64 {
    (37.0 * i as f64 * i as f64).sin()
}

/// The larger of the first two inputs is the class: something to learn, so that gradients are well above the rounding of the cost.
fn batch(m: usize) -> Batch {
    let x = Mat::from_fn(m, INPUTS, |i, j| 3.0 * wave(i * INPUTS + j + 1));
    let classes: Vec<usize> = x.as_slice().chunks(INPUTS).map(|row| usize::from(row[1] > row[0])).collect();
    let values = Mat::from_fn(m, OUTPUTS, |i, j| f64::from(u8::from(classes[i] == j)));
    Batch { x, classes, values }
}

impl Batch {
    fn labels(&self, make: Make) -> Labels<'_, f64> {
        match make.output {
            OutputName::Softmax => Labels::from(&self.classes),
            OutputName::Sigmoid | OutputName::Linear => Labels::from(self.values.as_ref()),
        }
    }
}

fn check(net: &mut Mlp<f64>, make: Make, batch: &Batch) -> Result<GradientReport, roofline::Error> {
    gradient_check(&mut net.objective(batch.x.as_ref(), batch.labels(make)))
}

fn train(net: &mut Mlp<f64>, make: Make, batch: &Batch, steps: usize) -> Result<(), roofline::Error> {
    let mut optimizer = Optimizer::adam(0.01);
    for _ in 0..steps {
        net.forward(batch.x.as_ref())?;
        net.backward(batch.x.as_ref(), batch.labels(make))?;
        net.update(&mut optimizer)?;
    }
    Ok(())
}
