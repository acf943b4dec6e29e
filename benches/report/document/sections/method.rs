//! How it was measured, how steady the machine was, and every number.

use super::{Figure, Picture, Section, Table};
use crate::document::plot::chart::{Axis, Chart, Point, Series};
use crate::document::plot::scale::Kind;
use crate::document::plot::text::{number, percent, seconds};
use crate::document::schema::{Kernel, Report};

pub(super) fn section(report: &Report) -> Section {
    Section {
        id: "method",
        title: "How it was measured".into(),
        introduction: "Cases that are compared form a group. In each round every case of the group has one turn of calls back to back, after one that is \
            not counted, and so have its limits; what counts is the median over the rounds. The FMA peak is measured in each round of each group: \
            where it falls, a neighbour or the clock took the time, and shares stay right where rates do not."
            .into(),
        figures: [guard(report), Some(everything(report))].into_iter().flatten().collect(),
    }
}

/// The peak over the run.
fn guard(report: &Report) -> Option<Figure> {
    let noise = &report.noise;
    let peak = noise.guard.iter().map(|guard| guard.gflops).fold(0.0, f64::max);
    let mut chart = Chart::new(
        "FMA peak over the run",
        Axis::new("seconds since the start", Kind::Linear),
        Axis::new("GFLOP/s, f32, one thread", Kind::Linear).up_to(1.05 * peak),
    );
    chart.aspect = 0.3;
    let point = |guard: &crate::document::schema::Guard| {
        Point::new(guard.seconds, guard.gflops, format!("{}: {} GFLOP/s", guard.group, number(guard.gflops)))
    };
    chart.series.push(Series::line("peak in each group", 0, noise.guard.iter().map(point).collect()));
    let reading = format!(
        "The quartiles of the peak lie {} apart over {} groups; {} of the cases spread by more than {}.",
        percent(noise.drift),
        noise.guard.len(),
        percent(noise.noisy_cases),
        percent(Kernel::NOISY)
    );
    (!noise.guard.is_empty()).then(|| Figure::new("How steady the machine was", reading, Picture::Chart(chart)).wide())
}

fn everything(report: &Report) -> Figure {
    let mut table = Table::new(&["case", "median", "quartiles", "GFLOP/s", "GB/s", "limit", "of the limit"]);
    for kernel in &report.kernels {
        table.rows.push(vec![
            kernel.id(),
            seconds(kernel.seconds.median),
            format!("{} – {}", seconds(kernel.seconds.q1), seconds(kernel.seconds.q3)),
            number(kernel.gflops()),
            number(kernel.gb_per_s()),
            seconds(kernel.limit_seconds),
            percent(kernel.share()),
        ]);
    }
    let reading =
        format!("{} cases in {} seconds; `report.json` has them too.", report.kernels.len(), number(report.seconds));
    Figure::new("Every case", reading, Picture::Folded(table)).wide()
}
