//! `cargo run --release --example tune`: searches hyperparameters, on the scales of the course notes, and says how to train with the best.

mod options;
mod plan;
mod results;
#[path = "../support/mod.rs"]
mod support;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use options::Options;
use plan::Plan;
use results::Journal;
use roofline::nn::MiniBatches;
use roofline::nn::tuner::{Results, Row, Search, Trial};
use serde_json::{Map, Value, json};
use std::error::Error;
use std::ops::ControlFlow;
use std::process::ExitCode;
use support::data::{Data, Measure, Scaling};
use support::stop::Stop;
use support::training::{self, Training, evaluate};
use support::{Outcome, exit};

fn main() -> ExitCode {
    exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<Outcome, Box<dyn Error>> {
    let (exec, stop) = (options.machine.exec()?, Stop::on_signals()?);
    let raw = options.data.read()?;
    let data = raw.prepare(&options.data, Measure::Dev, (options.search.seed, &exec), Scaling::Fit)?;
    let score = if data.train.outputs().1 > 0 { "dev error [%]" } else { "dev loss" };
    let plan = Plan::new(options, data.train.len())?;
    let search = plan.search()?.with_score(score)?;
    let (mut results, mut journal) = Journal::open(options.search.results.as_deref(), &search)?;
    let done = results.rows().len();
    if !options.search.json {
        let (trials, m, dev) = (search.trials(), data.train.len(), data.dev.len());
        println!(
            "{trials} trials of {} epochs on {m} examples, errors on {dev}; {done} done before",
            options.search.epochs
        );
    }
    run_trials(options, &plan, &data, &mut results, (&mut journal, &stop))?;
    journal.finish()?;
    report(options, &plan, &results)?;
    if stop.is_asked() && !results.is_complete() {
        eprintln!("stopped after {} of {} trials{}", results.rows().len(), search.trials(), journal.hint());
        return Ok(Outcome::Interrupted);
    }
    Ok(Outcome::Good)
}

/// Runs what is missing.
fn run_trials(
    options: &Options,
    plan: &Plan<'_>,
    data: &Data<'_>,
    results: &mut Results<'_>,
    (journal, stop): (&mut Journal, &Stop),
) -> Result<(), Box<dyn Error>> {
    let search = results.search();
    let exec = options.machine.exec()?;
    let style = ProgressStyle::with_template("trials [{bar:30}] {pos}/{len} {msg}")?.progress_chars("=> ");
    let bar = ProgressBar::new(search.trials() as u64).with_style(style);
    bar.set_position(results.rows().len() as u64);
    let mut best = results.best().and_then(|row| row.score()).unwrap_or(f64::INFINITY);
    let on_result = |row: &Row<'_>| {
        bar.inc(1);
        best = best.min(row.score().unwrap_or(f64::INFINITY));
        bar.set_message(format!("best {best:.2}"));
        if options.search.json {
            println!("{}", json_row(search, row));
        }
        if journal.add(row) && !stop.is_asked() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    if stop.is_asked() {
        return Ok(());
    }
    results.run(exec, options.search.parallelism.into(), |trial| train(plan, data, trial), on_result);
    bar.finish_and_clear();
    Ok(())
}

/// Trains at a point: the dev error in percent, or the loss where outputs are values.
fn train(plan: &Plan<'_>, data: &Data<'_>, trial: &Trial<'_>) -> Result<f64, roofline::Error> {
    let options = plan.options;
    let (network, optimizer) = plan.point(trial)?;
    let (seed, exec) = (options.search.seed, trial.exec());
    let net = network.build(data.train.inputs(), data.train.outputs(), seed, exec)?;
    let batch_size = optimizer.regime().size(data.train.len())?;
    let epochs = options.search.epochs as u64;
    let mut training =
        Training::new(net, optimizer.optimizer(), optimizer.schedule, training::Plan { batch_size, epochs, seed })?;
    let mut batches = MiniBatches::new(data.train.source(), batch_size)?;
    // A trial that runs is finished: its row is worth more than the moment.
    let never = Stop::default();
    while !training.is_over() {
        training.run_epoch(&exec, &mut batches, &never, || ())?;
    }
    let score = evaluate(&mut training.net, &exec, &data.dev)?;
    Ok(score.error.map_or(score.loss, |error| 100.0 * error))
}

/// The table and the best as a command.
fn report(options: &Options, plan: &Plan<'_>, results: &Results<'_>) -> Result<(), Box<dyn Error>> {
    let best = results.best();
    let command = best.map(|row| plan.command(row.trial())).transpose()?;
    if options.search.json {
        let summary = json!({
            "summary": true,
            "trials": results.rows().len(),
            "of": results.search().trials(),
            "best": best.map(|row| json_row(results.search(), row)),
            "command": command,
        });
        println!("{summary}");
        return Ok(());
    }
    println!("\n{results}");
    match command {
        Some(command) => println!("the best: {command}"),
        None => println!("no trial has succeeded"),
    }
    Ok(())
}

/// A trial as an object.
fn json_row(search: &Search, row: &Row<'_>) -> Value {
    let trial = row.trial();
    let mut values = Map::new();
    for name in search.space().names() {
        let value = match (trial.usize(name), trial.f64(name), trial.choice(name)) {
            (Ok(number), ..) => json!(number),
            (_, Ok(number), _) => json!(number),
            (.., choice) => json!(choice.ok().map(|text| text.parse::<usize>().map_or(json!(text), |n| json!(n)))),
        };
        values.insert(name.into(), value);
    }
    let (round, index) = (trial.round(), trial.index());
    json!({ "round": round, "trial": index, "values": values, "score": row.score(), "error": row.error() })
}
