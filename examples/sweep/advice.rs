//! The table, and what it says.

use crate::model::Model;
use crate::options::Options;
use crate::support::machine::Machine;
use crate::support::values::name;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

/// One mini-batch size.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) size: usize,
    /// Measured, a second.
    pub(crate) samples: f64,
    /// Of the model, a second.
    pub(crate) limit: f64,
    pub(crate) model: Model,
    pub(crate) learning_rate: f64,
    pub(crate) reached: Reached,
}

/// How training went.
#[derive(Clone, Copy)]
pub(crate) struct Reached {
    /// Of training alone.
    pub(crate) seconds: f64,
    pub(crate) epochs: u64,
    /// The lowest dev error after an epoch.
    pub(crate) best_error: f64,
    /// Whether the target was reached.
    pub(crate) target: bool,
}

impl Line {
    fn json(&self) -> Value {
        json!({
            "batch_size": self.size,
            "samples_per_second": self.samples,
            "model_samples_per_second": self.limit,
            "share_of_model": self.samples / self.limit,
            "flops_per_step": self.model.flops,
            "bytes_per_step": self.model.bytes,
            "read_bandwidth_gb_per_second": self.model.bandwidth,
            "learning_rate": self.learning_rate,
            "reached_target": self.reached.target,
            "seconds": self.reached.seconds,
            "epochs": self.reached.epochs,
            "best_dev_error": self.reached.best_error,
        })
    }

    fn time(&self) -> String {
        let sign = if self.reached.target { ' ' } else { '>' };
        format!("{sign}{:.3} s", self.reached.seconds)
    }
}

/// The line that came last, with the heading before the first.
pub(crate) fn print_line(options: &Options, line: Option<&Line>, first: bool) {
    let Some(line) = line else { return };
    if options.sweep.json {
        println!("{}", line.json());
        return;
    }
    if first {
        let (target, budget) = (100.0 * options.sweep.target_error, options.sweep.budget);
        let scale = name(options.sweep.scale_learning_rate);
        println!("\nmini-batch   samples/s  of model  learning rate  time to {target} %  epochs  best dev error");
        println!("             median              {scale:13}  within {budget} s");
    }
    let share = 100.0 * line.samples / line.limit;
    println!(
        "{:10}  {:10.0}  {share:6.1} %  {:13.6}  {:>13}  {:6}  {:12.2} %",
        line.size,
        line.samples,
        line.learning_rate,
        line.time(),
        line.reached.epochs,
        100.0 * line.reached.best_error
    );
}

/// What the lines say.
struct Advice<'a> {
    /// Of those that reached the target, the one that was there first.
    best: Option<&'a Line>,
    /// The one of the lowest error, the first of equals.
    closest: &'a Line,
    /// The one of the most samples/s.
    fastest: &'a Line,
}

impl<'a> Advice<'a> {
    fn of(lines: &'a [Line]) -> Option<Self> {
        let by_time = |a: &&Line, b: &&Line| a.reached.seconds.total_cmp(&b.reached.seconds);
        let by_error = |a: &&Line, b: &&Line| a.reached.best_error.total_cmp(&b.reached.best_error).then(by_time(a, b));
        Some(Self {
            best: lines.iter().filter(|line| line.reached.target).min_by(by_time),
            closest: lines.iter().min_by(by_error)?,
            fastest: lines.iter().max_by(|a, b| a.samples.total_cmp(&b.samples))?,
        })
    }

    fn line(&self) -> &'a Line {
        self.best.unwrap_or(self.closest)
    }

    /// Which size to take, and why.
    fn text(&self, target: f64) -> String {
        let Some(best) = self.best else {
            let (size, error) = (self.closest.size, 100.0 * self.closest.reached.best_error);
            return format!(
                "No size reached {target} %: the closest is {size} with {error:.2} %. A longer --budget or another network may."
            );
        };
        let Line { size, reached: Reached { seconds, epochs, .. }, .. } = best;
        let why = if self.fastest.size == *size {
            "No other size has more samples/s either.".into()
        } else {
            let (fast, ratio) = (self.fastest.size, self.fastest.samples / best.samples);
            format!("{fast} is {ratio:.1} times as many samples/s, but did not get there sooner.")
        };
        format!("Take mini-batches of {size}: {target} % dev error after {seconds:.3} s, {epochs} epochs. {why}")
    }
}

/// Which size to take, and why; `advised` is the notes' rule.
pub(crate) fn print(options: &Options, machine: &Machine, lines: &[Line], advised: usize) {
    let advice = Advice::of(lines);
    if options.sweep.json {
        let summary = json!({
            "summary": true,
            "advice": advice.as_ref().map(|advice| advice.line().size),
            "reached_target": advice.as_ref().is_some_and(|advice| advice.best.is_some()),
            "fastest": advice.as_ref().map(|advice| advice.fastest.size),
            "rule_of_the_notes": advised,
            "target_error": options.sweep.target_error,
            "machine": machine.json(),
        });
        println!("{summary}");
        return;
    }
    println!("\n{MODEL}");
    let Some(advice) = advice else { return };
    println!("{}", advice.text(100.0 * options.sweep.target_error));
    let here = advice.line();
    match lines.iter().find(|line| line.size == advised) {
        None => println!("The notes' rule says {advised}, which was not measured."),
        Some(rule) if rule.size == here.size => println!("The notes' rule says {advised} too."),
        Some(rule) => {
            let [there, here] = [rule, here].map(|line| line.time().trim_start().to_owned());
            println!("The notes' rule says {advised}: {there} there, {here} here.");
        }
    }
}

const MODEL: &str =
    "of model: the time of a step is at least flops/peak + bytes/bandwidth (see --help), all measured in this run.";

/// The table as CSV.
pub(crate) fn write_csv(path: &Path, lines: &[Line]) -> io::Result<()> {
    let mut text = String::from(
        "batch_size,samples_per_second,model_samples_per_second,learning_rate,reached_target,seconds,epochs,best_dev_error\n",
    );
    for Line { size, samples, limit, learning_rate, reached, .. } in lines {
        let Reached { seconds, epochs, best_error, target } = reached;
        // Writing into text does not fail.
        let _ = writeln!(text, "{size},{samples},{limit},{learning_rate},{target},{seconds},{epochs},{best_error}");
    }
    fs::write(path, text)
}
