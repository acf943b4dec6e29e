//! Figures, and what each of them says, from a report. A reading is computed from the data that its figure shows.

mod accuracy;
mod change;
mod gemm;
mod limits;
mod method;
mod rivals;
mod roofline;
mod training;
mod vector;

use super::plot::bars::Bars;
use super::plot::canvas::Canvas;
use super::plot::chart::{Chart, Point};
use super::plot::heat::Heat;
use super::plot::text::{number, percent, seconds};
use super::schema::{Kernel, Report};

pub(crate) use gemm::squares;

/// A part of the page.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// Of the HTML element; the same in each report.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    pub(crate) introduction: String,
    pub(crate) figures: Vec<Figure>,
}

/// Something to look at, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) reading: String,
    pub(crate) picture: Picture,
    /// Whether it takes the whole width.
    pub(crate) is_wide: bool,
}

/// What there is to look at.
#[derive(Clone, Debug)]
pub(crate) enum Picture {
    Chart(Chart),
    Heat(Heat),
    Bars(Bars),
    Table(Table),
    /// A table that opens on demand.
    Folded(Table),
}

/// Text in the first column, then numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Picture {
    /// Nothing for tables, which are text.
    pub(crate) fn draw(&self, width: f64) -> Option<Canvas> {
        match self {
            Picture::Chart(chart) => Some(chart.draw(width)),
            Picture::Heat(heat) => Some(heat.draw(width)),
            Picture::Bars(bars) => Some(bars.draw(width)),
            Picture::Table(_) | Picture::Folded(_) => None,
        }
    }
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&name| name.into()).collect(), rows: Vec::new() }
    }
}

impl Figure {
    fn new(title: impl Into<String>, reading: String, picture: Picture) -> Self {
        Self { title: title.into(), reading, picture, is_wide: false }
    }

    fn wide(self) -> Self {
        Self { is_wide: true, ..self }
    }
}

/// All sections that the report has data for.
pub(crate) fn all(report: &Report) -> Vec<Section> {
    let sections = [
        limits::section(report),
        roofline::section(report),
        gemm::section(report),
        vector::section(report),
        accuracy::section(report),
        training::section(report),
        rivals::section(report),
        change::section(report),
        method::section(report),
    ];
    sections.into_iter().filter(|section| !section.figures.is_empty()).collect()
}

/// One number of the head of the page.
#[derive(Clone, Debug)]
pub(crate) struct KeyFigure {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) unit: String,
    pub(crate) note: String,
}

/// The report in five numbers.
pub(crate) fn key_figures(report: &Report) -> Vec<KeyFigure> {
    [
        limits::key_peak(report),
        gemm::key(report),
        limits::key_memory(report),
        training::key_speed(report),
        training::key_batch(report),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the pointer shows of a kernel.
fn describe(kernel: &Kernel) -> String {
    let rates = format!("{} GFLOP/s, {} GB/s", number(kernel.gflops()), number(kernel.gb_per_s()));
    let (share, time) = (percent(kernel.share()), seconds(kernel.seconds.median));
    format!("{}\n{time} ({rates}), {share} of the limit", kernel.id())
}

/// A point in GFLOP/s with its quartiles.
fn gflops_point(x: f64, kernel: &Kernel) -> Point {
    let rate = |seconds: f64| kernel.flops / seconds / 1e9;
    let spread = Some((rate(kernel.seconds.q3), rate(kernel.seconds.q1)));
    Point { x, y: kernel.gflops(), spread, title: describe(kernel) }
}

/// How many threads there were, each number once, from one on.
fn thread_counts(report: &Report) -> Vec<usize> {
    let mut counts: Vec<usize> = report.kernels.iter().map(|kernel| kernel.threads).collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// Geometric mean; nothing of nothing.
fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let logs: Vec<f64> = values.map(f64::ln).collect();
    (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
}

/// The middle one; nothing of nothing.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
