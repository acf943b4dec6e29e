//! Training real images to an error, at each mini-batch size: what `--example sweep` does, with several seeds and in little time.

use super::Effort;
use crate::document::schema::{Convergence, Run};
use crate::support::data::Examples;
use crate::support::files;
use crate::support::stop::Stop;
use crate::support::training::{Plan, Training, evaluate};
use roofline::nn::{Dataset, MiniBatches, Mlp, Optimizer, Schedule};
use roofline::{Activation, Exec};
use std::error::Error;

/// The digits: classes, white, and how many are kept from training.
const CLASSES: usize = 10;
const WHITE: u8 = 16;
const DEV: usize = 360;
const LAYERS: [usize; 2] = [256, 128];
/// As the examples have it: Adam with this rate at mini-batches of 64, √-scaled to others.
const LEARNING_RATE: f64 = 0.001;
const BASE: f64 = 64.0;
const TARGET: f64 = 0.04;
/// Epochs of which a curve has a point, at most.
const POINTS: usize = 48;

/// All sizes; `progress` is told what comes next.
pub(crate) fn measure(effort: Effort, mut progress: impl FnMut(&str)) -> Result<Convergence, Box<dyn Error>> {
    let budget = effort.choose(0.0, 0.4, 1.5, 10.0);
    let seeds: u64 = effort.choose(1, 1, 3, 7);
    let sizes: &[usize] = effort.choose(
        &[64],
        &[8, 32, 128, 512],
        &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1437],
        &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1437],
    );
    let (images, labels) = files::digits()?;
    let (dev, train) = Dataset::from_images(&images, &labels, CLASSES, WHITE)?.split(DEV, 1)?;
    let exec = Exec::default();
    let race = Race { exec, train: Examples::Memory(train), dev: Examples::Memory(dev) };
    // Wakes the threads, and reads everything once.
    race.run(64, 1, 0.0)?;
    let mut runs = Vec::new();
    for &batch in sizes {
        progress(&format!("training with mini-batches of {batch}"));
        let (mut seconds, mut curve) = (Vec::new(), Vec::new());
        for seed in 1..=seeds {
            let points = race.run(batch, seed, budget)?;
            seconds.push(points.last().filter(|(_, error)| *error <= TARGET).map(|(seconds, _)| *seconds));
            if seed == 1 {
                curve = thinned(&points);
            }
        }
        runs.push(Run { batch, learning_rate: learning_rate(batch), seconds, curve });
    }
    let advised = runs.iter().filter_map(|run| Some((run.batch, run.seconds()?))).min_by(|a, b| a.1.total_cmp(&b.1));
    Ok(Convergence {
        data: format!("{} digits of 8×8 pixels, {DEV} of them dev", race.train.len() + race.dev.len()),
        network: format!("64-{}-{}-{CLASSES}", LAYERS[0], LAYERS[1]),
        optimizer: format!("Adam, {LEARNING_RATE}·√(batch/{BASE})"),
        target_error: TARGET,
        budget_seconds: budget,
        threads: exec.threads(),
        runs,
        advised: advised.map(|(batch, _)| batch),
    })
}

fn learning_rate(batch: usize) -> f64 {
    LEARNING_RATE * (batch as f64 / BASE).sqrt()
}

/// What all runs share.
struct Race<'a> {
    exec: Exec,
    train: Examples<'a>,
    dev: Examples<'a>,
}

impl Race<'_> {
    /// Seconds of training and dev error after each epoch, until the target or the budget is reached. Evaluations are not counted.
    fn run(&self, batch_size: usize, seed: u64, budget: f64) -> Result<Vec<(f64, f64)>, roofline::Error> {
        let builder = Mlp::<f32>::builder(self.train.inputs());
        let builder = LAYERS.into_iter().fold(builder, |builder, units| builder.dense(units, Activation::Relu));
        let net = builder.softmax(CLASSES).seed(seed).exec(self.exec).build()?;
        let plan = Plan { batch_size, epochs: u64::MAX, seed };
        let mut training = Training::new(net, Optimizer::adam(learning_rate(batch_size)), Schedule::Constant, plan)?;
        let mut batches = MiniBatches::new(self.train.source(), batch_size)?;
        let (mut points, mut seconds) = (Vec::new(), 0.0);
        loop {
            let part = training.run_epoch(&self.exec, &mut batches, &Stop::default(), || ())?;
            seconds += part.time.as_secs_f64();
            let error = evaluate(&mut training.net, &self.exec, &self.dev)?.error.unwrap_or(1.0);
            points.push((seconds, error));
            if error <= TARGET || seconds >= budget {
                return Ok(points);
            }
        }
    }
}

/// At most about [`POINTS`] of them, with the first and the last.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points.iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last).map(|(_, point)| *point).collect()
}
