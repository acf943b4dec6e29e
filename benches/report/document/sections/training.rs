//! The mini-batch size: samples/s, time to an error, learning curves, and which size to take.

use super::{Figure, KeyFigure, Picture, Section, describe, thread_counts};
use crate::document::plot::chart::{Axis, Chart, Point, Series};
use crate::document::plot::scale::Kind;
use crate::document::plot::text::{number, percent, seconds, threads};
use crate::document::schema::{Convergence, Kernel, Report, Run};

/// Sizes whose curves are drawn, at most.
const CURVES: usize = 6;

pub(super) fn section(report: &Report) -> Section {
    Section {
        id: "training",
        title: "Which mini-batch size".into(),
        introduction: "Large mini-batches give more samples a second, small ones more updates. The size to take is the one that is at the error \
            first, in seconds."
            .into(),
        figures: [speed(report), time(report), curves(report)].into_iter().flatten().collect(),
    }
}

fn steps(report: &Report, count: usize) -> Vec<&Kernel> {
    let mut steps: Vec<&Kernel> = report.select("train_step", move |kernel| kernel.threads == count).collect();
    steps.sort_by_key(|kernel| kernel.shape[0]);
    steps
}

fn samples(kernel: &Kernel) -> f64 {
    kernel.shape[0] as f64 / kernel.seconds.median
}

fn speed(report: &Report) -> Option<Figure> {
    let mut chart = Chart::new(
        "Samples a second against the mini-batch",
        Axis::new("mini-batch", Kind::Log2),
        Axis::new("thousand samples/s", Kind::Linear),
    );
    for (colour, count) in thread_counts(report).into_iter().enumerate() {
        let steps = steps(report, count);
        let Some(flops) = steps.first().map(|kernel| kernel.flops / kernel.shape[0] as f64) else { continue };
        let point = |kernel: &&Kernel| {
            let spread = Some((kernel.seconds.q3, kernel.seconds.q1));
            let spread =
                spread.map(|(slow, fast)| (kernel.shape[0] as f64 / slow / 1e3, kernel.shape[0] as f64 / fast / 1e3));
            let title = format!("{}\n{} samples/s", describe(kernel), number(samples(kernel)));
            Point { x: kernel.shape[0] as f64, y: samples(kernel) / 1e3, spread, title }
        };
        chart.series.push(Series::line(threads(count), colour, steps.iter().map(point).collect()));
        if let Some(peak) = report.peak("f32", report.isa(), count) {
            chart.limits.push((peak * 1e6 / flops, format!("FMA peak of {}", threads(count))));
        }
    }
    let most = *thread_counts(report).last()?;
    let (best, reading) = plateau(&steps(report, most), most)?;
    let name = &best.kernel;
    Some(Figure::new(format!("Training step of {name}, ReLU, Adam, f32"), reading, Picture::Chart(chart)))
}

/// The size with the most samples/s, and the smallest one that is nearly there.
fn plateau<'a>(steps: &[&'a Kernel], count: usize) -> Option<(&'a Kernel, String)> {
    let best = *steps.iter().max_by(|a, b| samples(a).total_cmp(&samples(b)))?;
    let near = *steps.iter().find(|kernel| samples(kernel) >= 0.8 * samples(best))?;
    let mut reading = format!(
        "On {}, batch {} already gives {} of the most samples/s",
        threads(count),
        near.shape[0],
        percent(samples(near) / samples(best))
    );
    reading += &format!(", {} thousand at batch {}.", number(samples(best) / 1e3), best.shape[0]);
    Some((best, reading))
}

fn reached(convergence: &Convergence) -> Vec<(&Run, f64)> {
    convergence.runs.iter().filter_map(|run| Some((run, run.seconds()?))).collect()
}

/// Time to the target, with the advised size.
fn time(report: &Report) -> Option<Figure> {
    let convergence = report.convergence.as_ref()?;
    let target = percent(convergence.target_error);
    let mut chart = Chart::new(
        "Time to the target error against the mini-batch",
        Axis::new("mini-batch", Kind::Log2),
        Axis::new(&format!("ms of training to {target} dev error"), Kind::Log),
    );
    let point = |(run, time): &(&Run, f64)| {
        let all: Vec<f64> = run.seconds.iter().flatten().map(|seconds| 1e3 * seconds).collect();
        let (low, high) = all.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &x| (low.min(x), high.max(x)));
        let title = format!("batch {}, learning rate {}: {}", run.batch, number(run.learning_rate), seconds(*time));
        Point { x: run.batch as f64, y: 1e3 * time, spread: Some((low, high)), title }
    };
    let reached = reached(convergence);
    chart.series.push(Series::line("median of the seeds, and their range", 0, reached.iter().map(point).collect()));
    let missed = convergence.runs.len() - reached.len();
    let reading = match convergence.advised {
        None => format!("No size reached {target} within {}.", seconds(convergence.budget_seconds)),
        Some(advised) => {
            chart.marks.push((advised as f64, format!("take {advised}")));
            let time = reached.iter().find(|(run, _)| run.batch == advised)?.1;
            let (slowest, most) = reached.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
            let rest = if missed > 0 {
                format!(" {missed} other sizes are not there after {}.", seconds(convergence.budget_seconds))
            } else {
                String::new()
            };
            format!(
                "Take mini-batches of {advised}: {target} dev error after {}; batch {} takes {} times as long.{rest}",
                seconds(time),
                slowest.batch,
                number(most / time)
            )
        }
    };
    let title = format!("Time to {target}: {}, {}", convergence.data, convergence.network);
    Some(Figure::new(title, reading, Picture::Chart(chart)))
}

/// Dev error against time, of some sizes.
fn curves(report: &Report) -> Option<Figure> {
    let convergence = report.convergence.as_ref()?;
    let runs: Vec<&Run> = convergence.runs.iter().filter(|run| run.curve.len() > 1).collect();
    let step = runs.len().div_ceil(CURVES).max(1);
    let mut chart =
        Chart::new("Learning curves", Axis::new("ms of training", Kind::Log), Axis::new("dev error, %", Kind::Log));
    for (colour, run) in runs.iter().step_by(step).enumerate() {
        let point = |&(time, error): &(f64, f64)| {
            let title = format!("batch {}: {} % after {}", run.batch, number(100.0 * error), seconds(time));
            Point::new(1e3 * time, 100.0 * error, title)
        };
        chart.series.push(Series::line(format!("batch {}", run.batch), colour, run.curve.iter().map(point).collect()));
    }
    chart.limits.push((100.0 * convergence.target_error, format!("target {}", percent(convergence.target_error))));
    let first = |run: &&&Run| run.curve.first().map_or(f64::INFINITY, |point| point.0);
    let (small, large) = (runs.iter().max_by(|a, b| first(a).total_cmp(&first(b)))?, runs.last()?);
    let reading = format!(
        "A first epoch takes {} at batch {} and {} at batch {}, but makes one update for each mini-batch.",
        seconds(first(&small)),
        small.batch,
        seconds(first(&large)),
        large.batch
    );
    let title = format!("Learning curves, {}", convergence.optimizer);
    Some(Figure::new(title, reading, Picture::Chart(chart)).wide())
}

pub(super) fn key_speed(report: &Report) -> Option<KeyFigure> {
    let all = report.select("train_step", |_| true);
    let best = all.max_by(|a, b| samples(a).total_cmp(&samples(b)))?;
    Some(KeyFigure {
        name: "Training".into(),
        value: number(samples(best) / 1e3),
        unit: "k samples/s".into(),
        note: format!("batch {}, {}", best.shape[0], threads(best.threads)),
    })
}

pub(super) fn key_batch(report: &Report) -> Option<KeyFigure> {
    let convergence = report.convergence.as_ref()?;
    let advised = convergence.advised?;
    let (_, time) = reached(convergence).into_iter().find(|(run, _)| run.batch == advised)?;
    Some(KeyFigure {
        name: "Mini-batch to take".into(),
        value: advised.to_string(),
        unit: String::new(),
        note: format!("{} to {} dev error", seconds(time), percent(convergence.target_error)),
    })
}
