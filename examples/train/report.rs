//! What a run says: lines for people, or JSON for machines.

use crate::options::RunOptions;
use crate::support::data::Data;
use crate::support::machine::{Machine, Rate};
use crate::support::training::{Part, Score, Training, evaluate};
use roofline::nn::{Diagnosis, GradientReport};
use serde_json::{Value, json};
use std::error::Error;
use std::path::Path;

/// One epoch, as it is reported.
pub(crate) struct Epoch {
    pub(crate) number: u64,
    pub(crate) part: Part,
    pub(crate) train: Score,
    pub(crate) dev: Score,
}

/// Where the report goes and what it is about.
pub(crate) struct Report<'a> {
    pub(crate) machine: &'a Machine,
    run: &'a RunOptions,
    dev_name: &'static str,
    gradients: Option<Value>,
    last: Option<(Score, Score)>,
    /// Whether the heading of the epochs is there, and whether it was said that examples are left out.
    heading: bool,
    skipping: bool,
}

impl<'a> Report<'a> {
    /// Says what runs.
    pub(crate) fn begin(run: &'a RunOptions, machine: &'a Machine, data: &Data<'_>, training: &Training) -> Self {
        let report = Self {
            machine,
            run,
            dev_name: data.dev_name,
            gradients: None,
            last: None,
            heading: false,
            skipping: false,
        };
        if !run.json {
            machine.print();
            let (train, dev, inputs) = (data.train.len(), data.dev.len(), data.train.inputs());
            let normalized = if data.normalization.is_some() { ", normalised" } else { "" };
            println!(
                "data     {train} examples to train on, {dev} {} examples, {inputs} inputs{normalized}",
                data.dev_name
            );
            println!("network  {}", training.net);
            let (rule, schedule) = (training.optimizer.rule(), training.schedule);
            let (rate, size) = (training.learning_rate, training.plan.batch_size);
            println!("updates  {rule}, learning rate {rate} {schedule}, {size} examples each");
        }
        report
    }

    /// The verdict on a narrow network, and the seconds that it took.
    pub(crate) fn gradients(&mut self, (check, seconds): &(GradientReport, f64)) {
        let verdict = check.verdict().to_string();
        self.gradients = Some(json!({ "verdict": verdict, "relative_error": check.total.relative_error }));
        if !self.run.json {
            println!(
                "\ngradient check (f64, two-sided, ε = 1e-7, {} examples, layers of at most {} units, {seconds:.1} s)",
                crate::CHECK_EXAMPLES,
                crate::CHECK_UNITS
            );
            println!("{check}");
        }
    }

    /// One line, or one object.
    pub(crate) fn epoch(&mut self, epoch: &Epoch, training: &Training) -> Result<(), roofline::Error> {
        let Epoch { number, part, train, dev } = epoch;
        let rate = Rate::new(part.examples, training.net.step_flops(), part.time);
        let diagnosis = self.diagnosis(train, dev)?;
        let finding = diagnosis.map(|diagnosis| diagnosis.finding().to_string());
        let cost = training.cost.value().unwrap_or(f64::NAN);
        self.last = Some((*train, *dev));
        if self.run.json {
            println!(
                "{}",
                json!({
                    "epoch": number,
                    "cost": cost,
                    "learning_rate": training.optimizer.learning_rate,
                    "train_loss": train.loss,
                    "train_error": train.error,
                    (format!("{}_loss", self.dev_name)): dev.loss,
                    (format!("{}_error", self.dev_name)): dev.error,
                    "finding": finding,
                    "skipped_examples": part.skipped,
                    "seconds": part.time.as_secs_f64(),
                    "samples_per_second": rate.samples,
                    "share_of_fma_peak": rate.gflops / self.machine.whole_peak(),
                })
            );
            return Ok(());
        }
        if part.skipped > 0 && !self.skipping {
            println!("The last mini-batch has one example, and batch norm needs two: it is left out of each epoch.");
            self.skipping = true;
        }
        if !self.heading {
            let kind = if train.error.is_some() { "error" } else { " loss" };
            let dev = self.dev_name;
            println!(
                "epoch  cost            train {kind}  {dev:>4} {kind}  finding                   samples/s  GFLOP/s  of peak"
            );
            self.heading = true;
        }
        let (train, dev) = (show(train), show(dev));
        let finding = finding.unwrap_or_default();
        println!("{number:5}  {cost:.12}  {train:>11}  {dev:>10}  {finding:22}  {}", rate.show(self.machine));
        Ok(())
    }

    /// Writes the checkpoint where one is asked for, and says where.
    pub(crate) fn save(&self, training: &Training, data: &Data<'_>) -> Result<Option<&'a Path>, Box<dyn Error>> {
        let Some(path) = self.run.checkpoint.as_deref().or(self.run.resume.as_deref()) else { return Ok(None) };
        let mut saved = training.checkpoint(data.train.len())?;
        saved.normalization = data.normalization.clone();
        saved.classes = data.names.clone();
        saved.save(path).map_err(|error| crate::named(path, &error))?;
        Ok(Some(path))
    }

    /// Diagnosis and accuracy.
    pub(crate) fn end(&mut self, training: &mut Training, data: &Data<'_>) -> Result<(), Box<dyn Error>> {
        let (epochs, exec) = (training.epoch - 1, self.machine.exec);
        let (train, dev) = match self.last {
            Some(scores) => scores,
            // A run that was over when it was resumed.
            None => {
                let train = evaluate(&mut training.net, &exec, &data.train)?;
                (train, evaluate(&mut training.net, &exec, &data.dev)?)
            }
        };
        let diagnosis = self.diagnosis(&train, &dev)?;
        if self.run.json {
            let findings = diagnosis.map(|diagnosis| {
                json!({
                    "finding": diagnosis.finding().to_string(),
                    "avoidable_bias": diagnosis.avoidable_bias(),
                    "variance": diagnosis.variance(),
                    "remedies": diagnosis.finding().remedies(),
                })
            });
            println!(
                "{}",
                json!({
                    "summary": true,
                    "epochs": epochs,
                    "network": training.net.to_string(),
                    "gradient_check": self.gradients,
                    "diagnosis": findings,
                    (format!("{}_accuracy", self.dev_name)): dev.error.map(|error| 1.0 - error),
                    (format!("{}_loss", self.dev_name)): dev.loss,
                    "machine": self.machine.json(),
                })
            );
            return Ok(());
        }
        if let Some(diagnosis) = diagnosis {
            println!("\n{diagnosis}\n");
        }
        match dev.error {
            Some(error) => println!("{} accuracy {:.1} %", self.dev_name, 100.0 * (1.0 - error)),
            None => println!("{} loss {:.6}", self.dev_name, dev.loss),
        }
        Ok(())
    }

    /// What is said after Ctrl-C.
    pub(crate) fn interrupted(&self, training: &Training, written: Option<&Path>) {
        let (epoch, position) = (training.epoch, training.position);
        eprint!("stopped in epoch {epoch} after {position} mini-batches; ");
        match written {
            Some(path) => eprintln!("the checkpoint is written: go on with --resume {}", path.display()),
            None => eprintln!("without --checkpoint nothing is kept"),
        }
    }

    fn diagnosis(&self, train: &Score, dev: &Score) -> Result<Option<Diagnosis>, roofline::Error> {
        let (Some(train), Some(dev)) = (train.error, dev.error) else { return Ok(None) };
        Diagnosis::new(train, dev, self.run.target_error).map(Some)
    }
}

/// An error in percent, or a loss.
fn show(score: &Score) -> String {
    match score.error {
        Some(error) => format!("{:.2} %", 100.0 * error),
        None => format!("{:.6}", score.loss),
    }
}
