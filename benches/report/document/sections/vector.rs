//! Everything that works on slices and rows: time an element, bandwidth, share of a plain pass over as much memory.

use super::{Figure, Picture, Section, Table, describe, median};
use crate::document::names::{LENGTH, SWEPT};
use crate::document::plot::bars::{Bar, Bars};
use crate::document::plot::chart::{Axis, Chart, Point, Series};
use crate::document::plot::scale::Kind;
use crate::document::plot::text::{bytes, number, percent, seconds};
use crate::document::schema::{Kernel, Report};

/// Families whose functions compute each element by itself.
const ELEMENTWISE: [&str; 3] = ["elementwise", "activation", "dropout"];
/// Elements of a matrix that is still in L3 on most machines.
const MOST: f64 = 1e6;
const ROWS: [&str; 4] = ["softmax", "loss", "norm", "reduce"];

pub(super) fn section(report: &Report) -> Section {
    let figures = [bars(report, "f32"), bars(report, "f64"), sweep(report), matrices(report), table(report, "f32")];
    Section {
        id: "vector",
        title: "Vector kernels".into(),
        introduction: "Functions, losses, norms and updates. Their limit is a plain pass over as much memory, or their operations at the FMA \
            peak, whichever takes longer, both from the same rounds. The peak counts two operations for each instruction: what is made of \
            additions, comparisons or integers stays below it."
            .into(),
        figures: figures.into_iter().flatten().collect(),
    }
}

/// Seconds an element.
fn each(kernel: &Kernel) -> f64 {
    kernel.seconds.median / kernel.elements()
}

/// On the best instruction set and one thread.
fn is_plain(report: &Report, kernel: &Kernel, element: &str) -> bool {
    kernel.element == element && kernel.threads == 1 && kernel.isa == report.isa()
}

/// Colours of functions.
pub(super) fn legend() -> Vec<(String, usize)> {
    vec![("functions".into(), 0), ("gradients".into(), 1)]
}

fn bars(report: &Report, element: &str) -> Option<Figure> {
    let mut kernels: Vec<&Kernel> = ELEMENTWISE
        .into_iter()
        .flat_map(|family| {
            report.select(family, |kernel| kernel.shape == [LENGTH] && is_plain(report, kernel, element))
        })
        .collect();
    kernels.sort_by(|a, b| each(a).total_cmp(&each(b)));
    let (fastest, slowest) = (kernels.first()?, kernels.last()?);
    let bar = |kernel: &&Kernel| Bar {
        name: kernel.kernel.clone(),
        value: 1e9 * each(kernel),
        label: format!("{} · {}", number(1e9 * each(kernel)), percent(kernel.share())),
        title: describe(kernel),
        colour: usize::from(kernel.kernel.ends_with("_grad")),
    };
    let reading = format!(
        "From {} ns an element ({}, {} GB/s) to {} ns ({}).",
        number(1e9 * each(fastest)),
        fastest.kernel,
        number(fastest.gb_per_s()),
        number(1e9 * each(slowest)),
        slowest.kernel
    );
    let bars = Bars {
        title: format!("Nanoseconds an element in {element}"),
        unit: format!("ns an element · % of the limit, {LENGTH} elements"),
        legend: legend(),
        whole: None,
        rows: kernels.iter().map(bar).collect(),
    };
    Some(Figure::new(format!("Elementwise functions, {element}, one thread"), reading, Picture::Bars(bars)))
}

/// Bandwidth against the length, under that of plain passes.
fn sweep(report: &Report) -> Option<Figure> {
    let mut chart = Chart::new(
        "Bandwidth of vector kernels against their working set",
        Axis::of_bytes("working set"),
        Axis::new("GB/s, f32, one thread", Kind::Log),
    );
    for (colour, name) in SWEPT.into_iter().enumerate() {
        let kernels = swept(report, name);
        let point = |kernel: &&Kernel| Point::new(kernel.bytes, kernel.gb_per_s(), describe(kernel));
        if kernels.len() > 1 {
            chart.series.push(Series::line(name, colour, kernels.iter().map(point).collect()));
        }
    }
    let mut pass: Vec<(f64, f64)> = report
        .limits
        .bandwidth
        .iter()
        .filter(|b| b.threads == 1 && b.operation == "update")
        .map(|b| (b.bytes as f64, b.gb_per_s.median))
        .collect();
    pass.sort_by(|a, b| a.0.total_cmp(&b.0));
    chart.roofs.push((pass, "read, modify, write".into()));
    let (cheap, dear) = (swept(report, SWEPT[0]), swept(report, SWEPT[1]));
    let ratio = |cheap: &Kernel, dear: &Kernel| number(dear.seconds.median / cheap.seconds.median);
    let (last, [in_caches, beyond]) =
        (*cheap.last()?, [ratio(cheap.first()?, dear.first()?), ratio(cheap.last()?, dear.last()?)]);
    let reading = format!(
        "{} takes {in_caches} times as long as {} in the first cache, and {beyond} times at {}.",
        SWEPT[1],
        SWEPT[0],
        bytes(last.bytes as usize)
    );
    Some(Figure::new("From L1 to memory", reading, Picture::Chart(chart)))
}

/// One function on all lengths, the shortest first.
fn swept<'a>(report: &'a Report, name: &str) -> Vec<&'a Kernel> {
    let is_it = |kernel: &&Kernel| kernel.kernel == name && kernel.shape.len() == 1 && is_plain(report, kernel, "f32");
    let mut kernels: Vec<&Kernel> = report.kernels.iter().filter(is_it).collect();
    kernels.sort_by(|a, b| a.bytes.total_cmp(&b.bytes));
    kernels
}

/// Kernels on matrices and updates, of the largest size that is in the caches of most machines, as shares of their limits.
fn matrices(report: &Report) -> Option<Figure> {
    let mut kernels: Vec<&Kernel> = Vec::new();
    for family in ROWS.into_iter().chain(["optim"]) {
        let is_it =
            move |kernel: &Kernel| is_plain(report, kernel, "f32") && (kernel.shape.len() > 1 || family == "optim");
        let largest =
            report.select(family, is_it).map(Kernel::elements).filter(|&count| count <= MOST).fold(0.0, f64::max);
        kernels.extend(report.select(family, is_it).filter(|kernel| kernel.elements() == largest));
    }
    let colour = |kernel: &Kernel| match kernel.family.as_str() {
        "softmax" | "loss" => 0,
        "optim" => 2,
        _ => 1,
    };
    let bar = |kernel: &&Kernel| Bar {
        name: kernel.kernel.clone(),
        value: 100.0 * kernel.share(),
        label: format!("{} · {} ns", percent(kernel.share()), number(1e9 * each(kernel))),
        title: describe(kernel),
        colour: colour(kernel),
    };
    let best = kernels.iter().max_by(|a, b| a.share().total_cmp(&b.share()))?;
    let reading = format!(
        "Half of them are at {} of their limit or more; {} of {} is at {}.",
        percent(median(kernels.iter().map(|kernel| kernel.share()).collect())?),
        best.kernel,
        best.size(),
        percent(best.share())
    );
    let names = ["softmax, losses", "reductions, norms", "optimizers"];
    let bars = Bars {
        title: "Kernels on matrices and updates as shares of their limits".into(),
        unit: "% of the limit · ns an element".into(),
        legend: names.iter().enumerate().map(|(colour, name)| ((*name).into(), colour)).collect(),
        whole: Some(100.0),
        rows: kernels.iter().map(bar).collect(),
    };
    Some(Figure::new("Rows, columns, updates, f32, one thread", reading, Picture::Bars(bars)))
}

/// Kernels on rows and columns, and everything on several threads.
fn table(report: &Report, element: &str) -> Option<Figure> {
    let mut table = Table::new(&["kernel", "size", "threads", "a call", "ns an element", "GB/s", "of the limit"]);
    let is_shown = |kernel: &&Kernel| {
        let is_row = ROWS.contains(&kernel.family.as_str());
        kernel.element == element
            && kernel.isa == report.isa()
            && (is_row && kernel.shape.len() > 1 || kernel.threads > 1)
            && !matches!(kernel.family.as_str(), "gemm" | "train_step")
    };
    let kernels: Vec<&Kernel> = report.kernels.iter().filter(is_shown).collect();
    for kernel in &kernels {
        table.rows.push(vec![
            kernel.kernel.clone(),
            kernel.size(),
            kernel.threads.to_string(),
            seconds(kernel.seconds.median),
            number(1e9 * each(kernel)),
            number(kernel.gb_per_s()),
            percent(kernel.share()),
        ]);
    }
    let [one, several] =
        [true, false].map(|is_one| kernels.iter().filter(|kernel| (kernel.threads == 1) == is_one).count());
    let reading = format!("{one} cases on one thread and {several} on several.");
    let is_empty = table.rows.is_empty();
    let title = format!("Rows, columns and threads, {element}");
    (!is_empty).then(|| Figure::new(title, reading, Picture::Folded(table)).wide())
}
