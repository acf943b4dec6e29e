//! `cargo run --release --example sweep`: the mini-batch advisor. Measures speed and time to an error for each size, and says which to take.

mod advice;
mod model;
mod options;
#[path = "../support/mod.rs"]
mod support;

use advice::{Line, Reached};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use model::Model;
use options::Options;
use roofline::Exec;
use roofline::nn::{MiniBatches, Regime};
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::data::{Data, Measure, Scaling};
use support::machine::Machine;
use support::stop::Stop;
use support::training::{Plan, Training, evaluate};
use support::{Outcome, exit};

/// No training of a sweep is longer.
const MOST_EPOCHS: u64 = 1000;

fn main() -> ExitCode {
    exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<Outcome, Box<dyn Error>> {
    let (exec, stop) = (options.machine.exec()?, Stop::on_signals()?);
    let raw = options.data.read()?;
    let data = raw.prepare(&options.data, Measure::Dev, (options.sweep.seed, &exec), Scaling::Fit)?;
    if data.train.outputs().1 == 0 {
        return Err("a sweep trains to a share of wrong classes: values have none".into());
    }
    let (machine, m) = (Machine::measure(exec), data.train.len());
    let sizes = sizes(
        m,
        options.sweep.largest.unwrap_or(m),
        options.network.batch_norm && !options.network.layers.0.is_empty(),
    );
    if !options.sweep.json {
        machine.print();
        println!("data     {m} examples to train on, {} dev examples, {} inputs", data.dev.len(), data.train.inputs());
    }
    let speeds = speeds(options, &data, &sizes, &stop)?;
    let mut lines = Vec::new();
    for (&size, samples) in sizes.iter().zip(speeds) {
        if stop.is_asked() {
            break;
        }
        lines.push(line(options, &data, &machine, (size, samples), &stop)?);
        advice::print_line(options, lines.last(), lines.len() == 1);
    }
    if let Some(path) = &options.sweep.csv_out {
        advice::write_csv(path, &lines).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    advice::print(options, &machine, &lines, Regime::advised(m).size(m)?);
    if stop.is_asked() {
        eprintln!("stopped: {} of {} sizes are complete", lines.len(), sizes.len());
        return Ok(Outcome::Interrupted);
    }
    Ok(Outcome::Good)
}

/// Powers of two, and the largest; with batch norm from two on.
fn sizes(m: usize, largest: usize, batch_norm: bool) -> Vec<usize> {
    let largest = largest.min(m);
    let mut sizes: Vec<usize> = (0..usize::BITS).map(|power| 1 << power).take_while(|&size| size < largest).collect();
    sizes.push(largest);
    sizes.retain(|&size| size > 1 || !batch_norm);
    sizes
}

/// A network at the start of its training with mini-batches of `size`.
fn begin(options: &Options, data: &Data<'_>, size: usize) -> Result<Training, roofline::Error> {
    let (seed, exec) = (options.sweep.seed, options.machine.exec()?);
    let net = options.network.build(data.train.inputs(), data.train.outputs(), seed, exec)?;
    let mut optimizer = options.optimizer.optimizer();
    optimizer.learning_rate = options.learning_rate(size);
    Training::new(net, optimizer, options.optimizer.schedule, Plan { batch_size: size, epochs: MOST_EPOCHS, seed })
}

/// Samples/s of each size: medians of rounds in which all take turns, so that what the machine does besides meets all alike.
fn speeds(options: &Options, data: &Data<'_>, sizes: &[usize], stop: &Stop) -> Result<Vec<f64>, Box<dyn Error>> {
    let (rounds, exec) = (options.sweep.rounds, options.machine.exec()?);
    let style = ProgressStyle::with_template("speed [{bar:30}] {pos}/{len}")?.progress_chars("=> ");
    let bar = ProgressBar::new((rounds * sizes.len()) as u64).with_style(style);
    let mut runs = Vec::new();
    for &size in sizes {
        runs.push((begin(options, data, size)?, MiniBatches::new(data.train.source(), size)?, Vec::new()));
    }
    for round in 0..=rounds {
        for (training, batches, found) in &mut runs {
            if stop.is_asked() {
                break;
            }
            // The first round makes the buffers and warms up.
            let least = if round == 0 { 0 } else { options.sweep.round_time };
            let samples = samples_per_second(&exec, training, batches, Duration::from_millis(least as u64))?;
            if round > 0 {
                found.push(samples);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(runs.into_iter().map(|(.., found)| median(found)).collect())
}

/// Steps of at least `least`; whole ones only.
fn samples_per_second(
    exec: &Exec,
    training: &mut Training,
    batches: &mut MiniBatches<'_, f32>,
    least: Duration,
) -> Result<f64, roofline::Error> {
    let (mut examples, mut time) = (0, Duration::ZERO);
    exec.region(|| -> Result<(), roofline::Error> {
        loop {
            let start = Instant::now();
            let Some(batch) = batches.next_batch() else {
                training.epoch += 1;
                batches.shuffle(training.plan.seed, training.epoch);
                continue;
            };
            // A last mini-batch that is smaller is of another size: not of this line.
            if batch.len() < training.plan.batch_size {
                continue;
            }
            training.net.forward(batch.x)?;
            training.net.backward(batch.x, batch.y)?;
            training.net.update(&mut training.optimizer)?;
            time += start.elapsed();
            examples += batch.len();
            if time >= least {
                return Ok(());
            }
        }
    })?;
    Ok(examples as f64 / time.as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// All about one size.
fn line(
    options: &Options,
    data: &Data<'_>,
    machine: &Machine,
    (size, samples): (usize, f64),
    stop: &Stop,
) -> Result<Line, Box<dyn Error>> {
    let training = begin(options, data, size)?;
    let model = Model::of(&training.net, training.optimizer.rule(), size, &machine.exec);
    let limit = size as f64 / model.seconds(machine.peak, machine.exec.threads());
    let learning_rate = options.learning_rate(size);
    let reached = reach(options, data, training, stop)?;
    Ok(Line { size, samples, limit, model, learning_rate, reached })
}

/// Trains until the dev error is there or the seconds are over. Evaluations are not counted.
fn reach(options: &Options, data: &Data<'_>, mut training: Training, stop: &Stop) -> Result<Reached, Box<dyn Error>> {
    let exec = options.machine.exec()?;
    let mut batches = MiniBatches::new(data.train.source(), training.plan.batch_size)?;
    let mut reached = Reached { seconds: 0.0, epochs: 0, best_error: 1.0, target: false };
    let budget = options.sweep.budget;
    while reached.seconds < budget && reached.epochs < MOST_EPOCHS && !reached.target && !stop.is_asked() {
        let part = training.run_epoch(&exec, &mut batches, stop, || ())?;
        reached.seconds += part.time.as_secs_f64();
        reached.epochs += u64::from(!part.interrupted);
        let error = evaluate(&mut training.net, &exec, &data.dev)?.error.unwrap_or(1.0);
        reached.best_error = reached.best_error.min(error);
        reached.target = error <= options.sweep.target_error;
    }
    Ok(reached)
}
