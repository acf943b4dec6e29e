//! Products: against the size, the layout, the mini-batch, and as a map over m and n.

use super::{Figure, KeyFigure, Picture, Section, describe, geometric_mean, gflops_point, thread_counts};
use crate::document::names::{GRID, LAYER, LAYOUTS};
use crate::document::plot::chart::{Axis, Chart, Point, Series};
use crate::document::plot::heat::Heat;
use crate::document::plot::scale::Kind;
use crate::document::plot::text::{number, percent, threads};
use crate::document::schema::{Kernel, Report};

pub(super) fn section(report: &Report) -> Section {
    let most = thread_counts(report).last().copied().unwrap_or(1);
    let mut figures = vec![by_isa(report, "f32"), by_isa(report, "f64")];
    figures.push(if most > 1 { on_threads(report, most) } else { None });
    figures.push(transposed(report));
    figures.push(layer(report, 1));
    figures.push(if most > 1 { layer(report, most) } else { None });
    figures.push(map(report));
    Section {
        id: "gemm",
        title: "Matrix products".into(),
        introduction: "C ← A·B, an FMA counting as two operations. The dashed line at the top is the FMA peak of the same threads and instruction \
            set, from the same rounds; bars at the points are the quartiles of the rounds."
            .into(),
        figures: figures.into_iter().flatten().collect(),
    }
}

fn size(kernel: &Kernel) -> f64 {
    kernel.shape.first().copied().unwrap_or(0) as f64
}

/// Points of GFLOP/s in the order of the size.
fn series<'a>(name: String, colour: usize, kernels: impl Iterator<Item = &'a Kernel>) -> Series {
    let mut points: Vec<Point> = kernels.map(|kernel| gflops_point(size(kernel), kernel)).collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    Series::line(name, colour, points)
}

fn axes(what: &str, peak: f64, name: &str) -> Chart {
    let mut chart =
        Chart::new(what, Axis::new("m = n = k", Kind::Log2), Axis::new("GFLOP/s", Kind::Linear).up_to(peak));
    chart.limits.push((peak, name.into()));
    chart.whole = Some((peak, "of the peak".into()));
    chart
}

/// Squares of one element type on each instruction set.
pub(crate) fn squares(report: &Report, element: &str) -> Option<Chart> {
    let peak = report.peak(element, report.isa(), 1)?;
    let title = format!("Square products in {element} on one thread");
    let mut chart = axes(&title, peak, &format!("FMA peak {}", number(peak)));
    for (colour, isa) in report.host.instruction_sets.iter().enumerate() {
        let is_it = |kernel: &Kernel| {
            kernel.kernel == LAYOUTS[0] && kernel.element == element && kernel.threads == 1 && kernel.isa == *isa
        };
        let series = series(isa.clone(), colour, report.select("gemm", is_it));
        if !series.points.is_empty() {
            chart.series.push(series);
        }
    }
    (!chart.series.is_empty()).then_some(chart)
}

fn by_isa(report: &Report, element: &str) -> Option<Figure> {
    let chart = squares(report, element)?;
    let is_it = |kernel: &Kernel| {
        kernel.kernel == LAYOUTS[0] && kernel.element == element && kernel.threads == 1 && kernel.isa == report.isa()
    };
    let best = report.select("gemm", is_it).max_by(|a, b| a.share().total_cmp(&b.share()))?;
    let first =
        report.select("gemm", is_it).filter(|kernel| kernel.share() >= 0.8).map(size).fold(f64::INFINITY, f64::min);
    let mut reading = format!("{} of the peak at {}³", percent(best.share()), size(best));
    if first.is_finite() {
        reading += &format!("; 80 % from {first}³ on");
    }
    Some(Figure::new(format!("Squares, {element}, one thread"), reading + ".", Picture::Chart(chart)))
}

/// Both types on all threads, as shares: their peaks differ.
fn on_threads(report: &Report, count: usize) -> Option<Figure> {
    let mut chart = Chart::new(
        &format!("Square products on {}", threads(count)),
        Axis::new("m = n = k", Kind::Log2),
        Axis::new("% of the FMA peak of all threads", Kind::Linear).up_to(100.0),
    );
    for (colour, element) in ["f32", "f64"].into_iter().enumerate() {
        let is_it = |kernel: &Kernel| {
            kernel.kernel == LAYOUTS[0]
                && kernel.element == element
                && kernel.threads == count
                && kernel.isa == report.isa()
        };
        let point = |kernel: &Kernel| Point::new(size(kernel), 100.0 * kernel.share(), describe(kernel));
        let points: Vec<Point> = report.select("gemm", is_it).map(point).collect();
        let peak = report.peak(element, report.isa(), count)?;
        if !points.is_empty() {
            chart.series.push(Series::line(format!("{element}, of {} GFLOP/s", number(peak)), colour, points));
        }
    }
    chart.limits.push((100.0, "FMA peak".into()));
    let of = |count: usize, kernel: &Kernel| {
        let is_it = |other: &Kernel| {
            other.kernel == kernel.kernel
                && other.shape == kernel.shape
                && other.threads == count
                && other.isa == kernel.isa
                && other.element == kernel.element
        };
        report.select("gemm", is_it).next().map(|other| other.seconds.median)
    };
    let is_it = |kernel: &Kernel| {
        kernel.kernel == LAYOUTS[0] && kernel.element == "f32" && kernel.threads == count && kernel.isa == report.isa()
    };
    let gains =
        report.select("gemm", is_it).filter_map(|kernel| Some((kernel, of(1, kernel)? / kernel.seconds.median)));
    let (kernel, gain) = gains.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let reading =
        format!("{} are up to {} times as fast as one, at {}³ in f32.", threads(count), number(gain), size(kernel));
    Some(Figure::new(format!("Squares, {}", threads(count)), reading, Picture::Chart(chart)))
}

fn transposed(report: &Report) -> Option<Figure> {
    let peak = report.peak("f32", report.isa(), 1)?;
    let mut chart = axes("Square products of transposed operands", peak, &format!("FMA peak {}", number(peak)));
    let is_it = move |kernel: &Kernel, layout: &str| {
        kernel.kernel == layout && kernel.element == "f32" && kernel.threads == 1 && kernel.isa == report.isa()
    };
    for (colour, layout) in LAYOUTS.into_iter().enumerate() {
        let series =
            series(layout.replace("square ", ""), colour, report.select("gemm", |kernel| is_it(kernel, layout)));
        if !series.points.is_empty() {
            chart.series.push(series);
        }
    }
    let mean =
        |layout: &'static str| geometric_mean(report.select("gemm", |kernel| is_it(kernel, layout)).map(Kernel::share));
    // Only sizes that all layouts have.
    let sizes: Vec<&Vec<usize>> =
        report.select("gemm", |kernel| is_it(kernel, LAYOUTS[3])).map(|kernel| &kernel.shape).collect();
    let plain =
        report.select("gemm", |kernel| is_it(kernel, LAYOUTS[0]) && sizes.contains(&&kernel.shape)).map(Kernel::share);
    let (plain, twice) = (geometric_mean(plain)?, mean(LAYOUTS[3])?);
    let reading = format!(
        "N is an operand as it is stored, T one transposed. With both transposed a product runs at {} of the speed of the plain one.",
        percent(twice / plain)
    );
    Some(Figure::new("Transposed operands, f32, one thread", reading, Picture::Chart(chart)))
}

/// The products of 784→512 against the mini-batch.
fn layer(report: &Report, count: usize) -> Option<Figure> {
    let peak = report.peak("f32", report.isa(), count)?;
    let mut chart = axes("Products of a dense layer", peak, &format!("FMA peak {}", number(peak)));
    chart.x.title = "mini-batch".into();
    let is_it = move |kernel: &Kernel| kernel.element == "f32" && kernel.threads == count && kernel.isa == report.isa();
    for (colour, name) in LAYER.into_iter().enumerate() {
        let kernels = report.select("gemm", move |kernel| is_it(kernel) && kernel.kernel == name);
        let point = |kernel: &Kernel| gflops_point(batch(kernel), kernel);
        let points: Vec<Point> = kernels.map(point).collect();
        if !points.is_empty() {
            let what = ["forward X·W", "dX = dZ·Wᵀ", "dW = Xᵀ·dZ"][colour];
            chart.series.push(Series::line(what, colour, points));
        }
    }
    let forward = || report.select("gemm", move |kernel| is_it(kernel) && kernel.kernel == LAYER[0]);
    let best = forward().max_by(|a, b| a.gflops().total_cmp(&b.gflops()))?;
    let first = forward().filter(|kernel| kernel.gflops() >= 0.8 * peak).map(batch).fold(f64::INFINITY, f64::min);
    let one = forward().find(|kernel| batch(kernel) == 1.0)?;
    let memory = format!(
        "Batch 1 moves W at {} GB/s, {} of what its level of the caches reads",
        number(one.gb_per_s()),
        percent(one.share())
    );
    let reading = if first.is_finite() {
        format!("{memory}; from batch {first} on the forward product has 80 % of the peak.")
    } else {
        format!("{memory}; the forward product has at most {} of the peak.", percent(best.gflops() / peak))
    };
    Some(Figure::new(format!("Layer 784→512, f32, {}", threads(count)), reading, Picture::Chart(chart)))
}

/// The examples of a product of a layer: m of the first two, k of dW.
pub(crate) fn batch(kernel: &Kernel) -> f64 {
    let side = if kernel.kernel == LAYER[2] { 2 } else { 0 };
    kernel.shape.get(side).copied().unwrap_or(0) as f64
}

fn map(report: &Report) -> Option<Figure> {
    let cells: Vec<&Kernel> = report.select("gemm", |kernel| kernel.kernel == GRID).collect();
    let sides = |side: usize| {
        let mut all: Vec<usize> = cells.iter().filter_map(|kernel| kernel.shape.get(side).copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let (rows, columns) = (sides(0), sides(1));
    let k = *sides(2).first()?;
    let peak = report.peak("f32", report.isa(), 1)?;
    let share = |kernel: &Kernel| kernel.gflops() / peak;
    let cell =
        |m: usize, n: usize| cells.iter().find(|kernel| kernel.shape[..2] == [m, n]).map(|k| (share(k), describe(k)));
    let names = |sides: &[usize]| sides.iter().map(usize::to_string).collect();
    let heat = Heat {
        title: format!("Share of the FMA peak of m×n products over {k} steps"),
        x_title: "n, columns of C".into(),
        y_title: "m, rows of C".into(),
        columns: names(&columns),
        rows: names(&rows),
        cells: rows.iter().map(|&m| columns.iter().map(|&n| cell(m, n)).collect()).collect(),
        legend: "% of the FMA peak".into(),
    };
    let good = cells.iter().filter(|kernel| share(kernel) >= 0.8).count();
    let worst = cells
        .iter()
        .filter(|kernel| kernel.shape[..2].iter().all(|&side| side >= 16))
        .min_by(|a, b| share(a).total_cmp(&share(b)))?;
    let reading = format!(
        "{good} of {} shapes reach 80 % of the peak; with both sides at 16 or more the least is {}, at {}×{}.",
        cells.len(),
        percent(share(worst)),
        worst.shape[0],
        worst.shape[1]
    );
    Some(Figure::new(format!("m × n over k = {k}, f32, one thread"), reading, Picture::Heat(heat)).wide())
}

pub(super) fn key(report: &Report) -> Option<KeyFigure> {
    let is_it = |kernel: &Kernel| kernel.kernel == LAYOUTS[0] && kernel.element == "f32" && kernel.isa == report.isa();
    let best = report.select("gemm", is_it).max_by(|a, b| a.gflops().total_cmp(&b.gflops()))?;
    Some(KeyFigure {
        name: "Best product, f32".into(),
        value: number(best.gflops()),
        unit: "GFLOP/s".into(),
        note: format!("{} of the peak, {}³", percent(best.share()), best.shape[0]),
    })
}
