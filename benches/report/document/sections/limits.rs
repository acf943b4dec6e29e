//! What the machine can do at best: arithmetic, memory, calls.

use super::{Figure, KeyFigure, Picture, Section, Table};
use crate::document::plot::bars::{Bar, Bars};
use crate::document::plot::chart::{Axis, Chart, Point, Series};
use crate::document::plot::scale::Kind;
use crate::document::plot::text::{bytes, number, seconds, threads};
use crate::document::schema::{Bandwidth, Peak, Report};

/// Names and colours of the passes over memory.
const OPERATIONS: [(&str, &str); 3] = [("read", "read"), ("write", "write"), ("update", "read, modify, write")];

pub(super) fn section(report: &Report) -> Section {
    Section {
        id: "limits",
        title: "What this machine can do".into(),
        introduction: "Each speed on this page is a share of one of these limits, all measured in this run: fused multiply–adds in registers, and \
            plain passes over memory that one level of the caches holds."
            .into(),
        figures: [peaks(report), mountain(report), levels(report), overhead(report)].into_iter().flatten().collect(),
    }
}

fn peaks(report: &Report) -> Option<Figure> {
    let fma = &report.limits.fma;
    let bar = |peak: &Peak| Bar {
        name: format!("{} {}", peak.element, peak.isa),
        value: peak.gflops.median,
        label: number(peak.gflops.median),
        title: format!(
            "{} to {} GFLOP/s between the quartiles of {} rounds",
            number(peak.gflops.q1),
            number(peak.gflops.q3),
            peak.gflops.rounds
        ),
        colour: usize::from(peak.threads > 1),
    };
    let most = fma.iter().max_by(|a, b| a.gflops.median.total_cmp(&b.gflops.median))?;
    let one = report.peak("f32", report.isa(), 1)?;
    let gain = report.peak("f32", report.isa(), report.host.threads).filter(|_| report.host.threads > 1);
    let others: Vec<String> = report.host.instruction_sets[1..]
        .iter()
        .filter_map(|isa| Some(format!("{:.1} times that of {isa}", one / report.peak("f32", isa, 1)?)))
        .collect();
    let mut reading = format!("One thread reaches {} GFLOP/s in f32", number(one));
    if !others.is_empty() {
        reading += &format!(" on {}, {}", report.isa(), others.join(" and "));
    }
    if let Some(all) = gain {
        reading += &format!("; {} reach {:.2} times as much", threads(report.host.threads), all / one);
    }
    let bars = Bars {
        title: format!("FMA peaks, up to {} GFLOP/s", number(most.gflops.median)),
        unit: "GFLOP/s of independent FMA chains".into(),
        legend: legend(fma),
        whole: None,
        rows: fma.iter().map(bar).collect(),
    };
    Some(Figure::new("FMA peak", reading + ".", Picture::Bars(bars)))
}

/// Colours are numbers of threads.
fn legend(fma: &[Peak]) -> Vec<(String, usize)> {
    let mut legend: Vec<(String, usize)> =
        fma.iter().map(|p| (threads(p.threads), usize::from(p.threads > 1))).collect();
    legend.dedup();
    legend
}

/// Bandwidth of one thread against the working set: each cache is a plateau.
fn mountain(report: &Report) -> Option<Figure> {
    let of = |operation: &str| {
        let is_it = move |b: &&Bandwidth| b.threads == 1 && b.operation == operation;
        report.limits.bandwidth.iter().filter(is_it).map(point).collect::<Vec<_>>()
    };
    let mut chart =
        Chart::new("Bandwidth against the working set", Axis::of_bytes("working set"), Axis::new("GB/s", Kind::Log));
    chart.series = OPERATIONS
        .iter()
        .enumerate()
        .map(|(colour, (operation, name))| Series::line(*name, colour, of(operation)))
        .filter(|series| !series.points.is_empty())
        .collect();
    let levels = report.levels();
    let read = |level: &str| report.bandwidth(level, "read", 1);
    let (first, last) = (*levels.first()?, *levels.last()?);
    let reading = format!(
        "One thread reads {} GB/s from {first} and {} GB/s from {last}: {} times less.",
        number(read(first)?),
        number(read(last)?),
        number(read(first)? / read(last)?)
    );
    Some(Figure::new("Bandwidth", reading, Picture::Chart(chart)))
}

fn point(bandwidth: &Bandwidth) -> Point {
    let rate = bandwidth.gb_per_s.median;
    let size = bytes(bandwidth.bytes);
    let title = format!("{}: {} GB/s to {} ({size})", bandwidth.operation, number(rate), bandwidth.level);
    Point { x: bandwidth.bytes as f64, y: rate, spread: None, title }
}

/// All operations and threads.
fn levels(report: &Report) -> Option<Figure> {
    let mut counts: Vec<usize> = report.limits.bandwidth.iter().map(|bandwidth| bandwidth.threads).collect();
    counts.sort_unstable();
    counts.dedup();
    let mut table = Table::default();
    table.head.push("GB/s".into());
    for &count in &counts {
        table.head.extend(OPERATIONS.iter().map(|(operation, _)| format!("{operation}, {}", threads(count))));
    }
    for level in report.levels() {
        let mut row = vec![level.to_owned()];
        for &count in &counts {
            let rate = |(operation, _): &(&str, &str)| report.bandwidth(level, operation, count);
            row.extend(OPERATIONS.iter().map(|operation| rate(operation).map_or("–".into(), number)));
        }
        table.rows.push(row);
    }
    let last = *report.levels().last()?;
    let all = *counts.last()?;
    let gain = report.bandwidth(last, "read", all)? / report.bandwidth(last, "read", 1)?;
    let reading = match all {
        1 => {
            format!("Passes over {last}, the slowest level, set the limit of everything that does not fit the caches.")
        }
        _ => format!("{} read {} times as much from {last} as one.", threads(all), number(gain)),
    };
    Some(Figure::new("Bandwidth of each level", reading, Picture::Table(table)))
}

fn overhead(report: &Report) -> Option<Figure> {
    let mut table = Table::new(&["before a call computes", "median", "quartiles"]);
    for overhead in &report.limits.overhead {
        let spread = overhead.seconds;
        let quartiles = format!("{} – {}", seconds(spread.q1), seconds(spread.q3));
        table.rows.push(vec![overhead.name.clone(), seconds(spread.median), quartiles]);
    }
    let first = report.limits.overhead.first()?;
    let reading = format!("The smallest product of all, 1×1×1, takes {}.", seconds(first.seconds.median));
    Some(Figure::new("Calls and forks", reading, Picture::Table(table)))
}

pub(super) fn key_peak(report: &Report) -> Option<KeyFigure> {
    let count = report.host.threads;
    let value = report.peak("f32", report.isa(), count)?;
    Some(KeyFigure {
        name: "FMA peak, f32".into(),
        value: number(value),
        unit: "GFLOP/s".into(),
        note: format!("{}, {}", report.isa(), threads(count)),
    })
}

pub(super) fn key_memory(report: &Report) -> Option<KeyFigure> {
    let level = *report.levels().last()?;
    let count = report.limits.bandwidth.iter().map(|bandwidth| bandwidth.threads).max()?;
    Some(KeyFigure {
        name: "Memory, read".into(),
        value: number(report.bandwidth(level, "read", count)?),
        unit: "GB/s".into(),
        note: threads(count),
    })
}
