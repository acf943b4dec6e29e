//! The roofline plot: every kernel as a point under the roofs of this machine.

use super::{Figure, Picture, Section, describe, median};
use crate::document::plot::chart::{Axis, Chart, Point, Series};
use crate::document::plot::scale::Kind;
use crate::document::plot::text::{number, percent};
use crate::document::schema::{Kernel, Report};

/// Families that share a colour, and its name.
const GROUPS: [(&str, &[&str]); 6] = [
    ("products", &["gemm"]),
    ("elementwise, activations", &["elementwise", "activation", "dropout"]),
    ("softmax, losses", &["softmax", "loss"]),
    ("reductions, norms", &["reduce", "norm"]),
    ("optimizers", &["optim"]),
    ("training step", &["train_step"]),
];

pub(super) fn section(report: &Report) -> Section {
    Section {
        id: "roofline",
        title: "The roofline".into(),
        introduction: "A kernel that does little arithmetic for each byte is held by the slopes, the bandwidth of the level that its data come \
            from; one that does much by the flat roof, the FMA peak. Distance to the roof is what is left to gain. Operations are \
            those that the kernels do, an FMA counting as two."
            .into(),
        figures: figure(report).into_iter().collect(),
    }
}

fn figure(report: &Report) -> Option<Figure> {
    let peak = report.peak("f32", report.isa(), 1)?;
    let is_shown = |kernel: &&Kernel| {
        kernel.element == "f32" && kernel.threads == 1 && kernel.isa == report.isa() && kernel.flops > 0.0
    };
    let shown: Vec<&Kernel> = report.kernels.iter().filter(is_shown).collect();
    let intensity = |kernel: &Kernel| kernel.flops / kernel.bytes;
    let least = shown.iter().map(|kernel| intensity(kernel)).fold(f64::INFINITY, f64::min);
    let most = shown.iter().map(|kernel| intensity(kernel)).fold(0.0, f64::max);
    let mut chart = Chart::new(
        "Roofline of one thread in f32",
        Axis::new("operations for each byte read or written", Kind::Log),
        Axis::new("GFLOP/s, one thread, f32", Kind::Log).up_to(1.5 * peak),
    );
    chart.aspect = 0.55;
    for (colour, (name, families)) in GROUPS.iter().enumerate() {
        let members = shown.iter().filter(|kernel| families.contains(&kernel.family.as_str()));
        let points: Vec<Point> =
            members.map(|kernel| Point::new(intensity(kernel), kernel.gflops(), describe(kernel))).collect();
        if !points.is_empty() {
            chart.series.push(Series::scatter(*name, colour, points));
        }
    }
    // Room for the names of the slopes at the left.
    let (left, right) = (0.35 * least, 1.4 * most);
    for level in report.levels() {
        let best = ["read", "write", "update"].iter().filter_map(|operation| report.bandwidth(level, operation, 1));
        let bandwidth = best.fold(0.0, f64::max);
        if bandwidth > 0.0 && bandwidth * left < peak {
            let name = format!("{level} {} GB/s", number(bandwidth));
            chart.roofs.push((vec![(left, bandwidth * left), (peak / bandwidth, peak), (right, peak)], name));
        }
    }
    chart.limits.push((peak, format!("FMA peak {} GFLOP/s", number(peak))));
    let shares: Vec<f64> = shown.iter().map(|kernel| kernel.share()).collect();
    let good = shares.iter().filter(|&&share| share >= 0.8).count();
    let reading = format!(
        "{good} of {} kernels and sizes reach 80 % of their own limit; the median is {}.",
        shares.len(),
        percent(median(shares)?)
    );
    Some(Figure::new("Every kernel under its roof", reading, Picture::Chart(chart)).wide())
}
