//! `cargo run --release --example predict`: what a network that `train` has left in a checkpoint says of examples.

#[path = "../support/mod.rs"]
mod support;

use clap::Parser;
use roofline::nn::checkpoint::Checkpoint;
use roofline::nn::csv::LabelKind;
use roofline::nn::{Dataset, Labels, MiniBatches, Mlp, Output};
use roofline::{Mat, MatRef};
use serde_json::json;
use std::error::Error;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use support::data::Examples;
use support::options::{DataOptions, MachineOptions};
use support::training::EVALUATION_BATCH;
use support::{Outcome, exit};

/// Predict with a network that train has left in a checkpoint: the most probable class of each example and its probability (or the
/// values that a regression gives), and where the examples have labels the accuracy.
///
/// Of --data the test files are taken, of --csv all rows: with a label column, or without one where there are as many columns as
/// inputs. Inputs are normalised as those of the training were. Inference has no dropout, and batch norm takes its running statistics.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Checkpoint of train
    #[arg(long, value_name = "FILE")]
    model: PathBuf,

    #[command(flatten)]
    data: DataOptions,

    #[command(flatten)]
    machine: MachineOptions,

    /// Print JSON: one object for each example and one at the end, nothing else
    #[arg(long)]
    json: bool,

    /// Print the accuracy only
    #[arg(long)]
    summary: bool,
}

/// What is predicted for.
struct Question<'a> {
    examples: Examples<'a>,
    labelled: bool,
}

/// Counts over all examples.
#[derive(Default)]
struct Tally {
    rows: usize,
    right: usize,
}

fn main() -> ExitCode {
    exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<Outcome, Box<dyn Error>> {
    let path = options.model.display();
    let model = Checkpoint::<f32>::load(&options.model).map_err(|error| format!("{path}: {error}"))?;
    let mut net = model.network(options.machine.exec()?)?;
    let raw = if options.data.csv.is_none() { Some(options.data.read()?) } else { None };
    let mut question = match (&raw, &options.data.csv) {
        (Some(raw), _) => Question { examples: raw.all()?, labelled: true },
        (None, Some(file)) => question_of_table(&options.data, file, &model)?,
        (None, None) => unreachable!("one of both was read"),
    };
    if question.examples.inputs() != net.inputs() {
        let (expected, found) = (net.inputs(), question.examples.inputs());
        return Err(format!("the network has {expected} inputs, the examples have {found}").into());
    }
    if let Some(normalization) = &model.normalization {
        question.examples.normalize(normalization)?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match predict(options, &mut net, &model.classes, &question, &mut out).and_then(|()| Ok(out.flush()?)) {
        // Who reads has seen enough.
        Err(error) if is_closed(&*error) => Ok(Outcome::Good),
        other => other.map(|()| Outcome::Good),
    }
}

fn is_closed(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The rows of a file, with labels if it has them.
fn question_of_table(
    options: &DataOptions,
    path: &Path,
    model: &Checkpoint<f32>,
) -> Result<Question<'static>, Box<dyn Error>> {
    let network = model.architecture();
    let kind = match network.output {
        Output::Softmax if !model.classes.is_empty() => LabelKind::KnownNames(model.classes.clone()),
        Output::Softmax => LabelKind::Integers,
        _ => LabelKind::Values,
    };
    // A file of inputs alone must be one of numbers alone.
    if options.label.is_none() && options.inputs(path).is_ok_and(|x| x.cols() == network.inputs) {
        let x = options.inputs(path)?;
        let none = Mat::zeros(x.rows(), network.outputs);
        return Ok(Question { examples: Examples::Memory(Dataset::with_values(x, none)?), labelled: false });
    }
    Ok(Question { examples: Examples::Memory(options.table(path, kind)?.data), labelled: true })
}

/// One line an example, and a last one.
fn predict(
    options: &Options,
    net: &mut Mlp<f32>,
    names: &[String],
    question: &Question<'_>,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let quiet = options.summary;
    if !options.json && !quiet {
        let of_classes = net.output() != Output::Linear;
        writeln!(out, "{}", if of_classes { "row     class  probability  label" } else { "row     values" })?;
    }
    let mut batches = MiniBatches::new(question.examples.source(), EVALUATION_BATCH)?;
    let mut tally = Tally::default();
    while let Some(batch) = batches.next_batch() {
        let output = net.output();
        let answers = net.predict(batch.x)?;
        for i in 0..batch.len() {
            tally.rows += 1;
            let label = match batch.y {
                Labels::Classes(labels) if question.labelled => Some(labels[i]),
                _ => None,
            };
            if output == Output::Linear {
                if !quiet {
                    write_values(options.json, &row(answers, i), tally.rows, out)?;
                }
                continue;
            }
            let (class, probability) = choice(&row(answers, i));
            tally.right += usize::from(label == Some(class));
            if !quiet {
                let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
                write_class(options.json, (name(class), probability, label.map(name)), tally.rows, out)?;
            }
        }
    }
    let accuracy =
        (question.labelled && net.output() != Output::Linear).then(|| tally.right as f64 / tally.rows as f64);
    if options.json {
        writeln!(out, "{}", json!({ "summary": true, "rows": tally.rows, "accuracy": accuracy }))?;
    } else if let Some(accuracy) = accuracy {
        writeln!(out, "accuracy {:.1} % of {} examples", 100.0 * accuracy, tally.rows)?;
    }
    Ok(())
}

fn row(answers: MatRef<'_, f32>, i: usize) -> Vec<f32> {
    (0..answers.cols()).filter_map(|j| answers.get(i, j)).collect()
}

/// The most probable class and its probability; the first of equals. One output says how probable class 1 is.
fn choice(probabilities: &[f32]) -> (usize, f32) {
    match probabilities {
        [one] if *one > 0.5 => (1, *one),
        [one] => (0, 1.0 - one),
        many => {
            many.iter().enumerate().fold((0, f32::MIN), |best, (class, &p)| if p > best.1 { (class, p) } else { best })
        }
    }
}

fn write_class(
    json: bool,
    (class, probability, label): (String, f32, Option<String>),
    row: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    if json {
        return writeln!(out, "{}", json!({ "row": row, "class": class, "probability": probability, "label": label }));
    }
    let label = label.unwrap_or_default();
    writeln!(out, "{}", format!("{row:<6}  {class:5}  {probability:11.6}  {label}").trim_end())
}

fn write_values(json: bool, values: &[f32], row: usize, out: &mut impl Write) -> io::Result<()> {
    if json {
        return writeln!(out, "{}", json!({ "row": row, "values": values }));
    }
    let values: Vec<String> = values.iter().map(f32::to_string).collect();
    writeln!(out, "{row:<6}  {}", values.join("  "))
}
