//! `cargo run --release --example train`: checks the gradients of a multi-layer perceptron, and trains it on real data.

mod options;
mod report;
#[path = "../support/mod.rs"]
mod support;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use options::Options;
use report::{Epoch, Report};
use roofline::Exec;
use roofline::nn::checkpoint::Checkpoint;
use roofline::nn::{GradientReport, MiniBatches, gradient_check};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use support::data::{Data, Measure, Scaling};
use support::machine::Machine;
use support::options::NetworkOptions;
use support::stop::Stop;
use support::training::{Plan, Training, evaluate};
use support::values::Layers;
use support::{Outcome, exit};

/// The gradient check costs two forward passes a parameter, and its rounding noise grows with their number: it takes a
/// network of the same make, but with layers this narrow, and this many examples.
const CHECK_UNITS: usize = 16;
const CHECK_EXAMPLES: usize = 16;

/// Epochs unless asked for others.
const EPOCHS: usize = 30;

fn main() -> ExitCode {
    exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<Outcome, Box<dyn Error>> {
    let (exec, stop) = (options.machine.exec()?, Stop::on_signals()?);
    let resume = options.run.resume.as_deref();
    let saved = resume.map(|path| Checkpoint::load(path).map_err(|error| named(path, &error))).transpose()?;
    let raw = options.data.read()?;
    let seed = saved.as_ref().and_then(|saved| saved.position).map_or(options.run.seed, |position| position.seed);
    let scaling = saved.as_ref().map_or(Scaling::Fit, |saved| Scaling::Saved(saved.normalization.as_ref()));
    let data = raw.prepare(&options.data, Measure::Test, (seed, &exec), scaling)?;
    let mut training = match &saved {
        Some(saved) => go_on(options, saved, &data, exec)?,
        None => begin(options, &data, exec)?,
    };
    let machine = Machine::measure(exec);
    let mut report = Report::begin(&options.run, &machine, &data, &training);
    if saved.is_none() {
        report.gradients(&check_gradients(options, &data)?);
    }
    let ended = train(&mut training, &data, &mut report, &stop)?;
    if ended == Outcome::Good {
        report.end(&mut training, &data)?;
    }
    Ok(ended)
}

/// Where the run of a checkpoint was.
fn go_on(options: &Options, saved: &Checkpoint<f32>, data: &Data<'_>, exec: Exec) -> Result<Training, Box<dyn Error>> {
    let network = saved.architecture();
    let (expected, found) = ((network.inputs, network.outputs), (data.train.inputs(), data.train.outputs().0));
    if expected != found {
        let what = "the checkpoint is of data with inputs and outputs";
        return Err(roofline::Error::Shape { what, expected, found }.into());
    }
    Training::resume(saved, options.run.epochs.map(|epochs| epochs as u64), data.train.len(), exec)
}

fn named(path: &Path, error: &dyn Error) -> Box<dyn Error> {
    format!("{}: {error}", path.display()).into()
}

/// A network at the start of its training.
fn begin(options: &Options, data: &Data<'_>, exec: Exec) -> Result<Training, roofline::Error> {
    let (outputs, seed) = (data.train.outputs(), options.run.seed);
    let net = options.network.build(data.train.inputs(), outputs, seed, exec)?;
    let batch_size = options.optimizer.regime().size(data.train.len())?;
    let plan = Plan { batch_size, epochs: options.run.epochs.unwrap_or(EPOCHS) as u64, seed };
    Training::new(net, options.optimizer.optimizer(), options.optimizer.schedule, plan)
}

/// Checks a narrow network of the same make on the first examples, in f64.
fn check_gradients(options: &Options, data: &Data<'_>) -> Result<(GradientReport, f64), Box<dyn Error>> {
    let narrow = options.network.layers.0.iter().map(|&units| units.min(CHECK_UNITS)).collect();
    let network = NetworkOptions { layers: Layers(narrow), ..options.network.clone() };
    let sample = data.train.head(CHECK_EXAMPLES).cast::<f64>()?;
    let exec = options.machine.exec()?;
    let exec = Exec::sequential().with_isa(exec.isa())?.with_backend(exec.backend())?;
    let mut net = network.build::<f64>(sample.inputs(), data.train.outputs(), options.run.seed, exec)?;
    let start = Instant::now();
    if network.keep_prob < 1.0 {
        // The masks that are held are those of a step.
        net.forward(sample.x())?;
    }
    let report = gradient_check(&mut net.objective(sample.x(), sample.y()))?;
    Ok((report, start.elapsed().as_secs_f64()))
}

/// All epochs that are left.
fn train(
    training: &mut Training,
    data: &Data<'_>,
    report: &mut Report<'_>,
    stop: &Stop,
) -> Result<Outcome, Box<dyn Error>> {
    let exec = report.machine.exec;
    let mut batches = MiniBatches::new(data.train.source(), training.plan.batch_size)?;
    let style = ProgressStyle::with_template("epoch {msg} [{bar:30}] {pos}/{len}")?.progress_chars("=> ");
    while !training.is_over() {
        let epoch = training.epoch;
        let bar = ProgressBar::new(batches.count() as u64).with_style(style.clone()).with_message(epoch.to_string());
        bar.set_position(training.position);
        let part = training.run_epoch(&exec, &mut batches, stop, || bar.inc(1))?;
        bar.finish_and_clear();
        if part.interrupted {
            let written = report.save(training, data)?;
            report.interrupted(training, written);
            return Ok(Outcome::Interrupted);
        }
        let train = evaluate(&mut training.net, &exec, &data.train)?;
        let dev = evaluate(&mut training.net, &exec, &data.dev)?;
        report.epoch(&Epoch { number: epoch, part, train, dev }, training)?;
        report.save(training, data)?;
    }
    Ok(Outcome::Good)
}
