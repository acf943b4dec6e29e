//! Greatest errors in ULP.

use super::{Figure, Picture, Section, Table};
use crate::document::plot::bars::{Bar, Bars};
use crate::document::plot::text::number;
use crate::document::schema::Report;

pub(super) fn section(report: &Report) -> Section {
    Section {
        id: "accuracy",
        title: "Accuracy".into(),
        introduction: "Speed is worth nothing without it: the greatest errors in units in the last place (ULP), over all 2³² values of f32 and 10⁶ \
            of f64, on instruction sets with FMA, which all give the same bits. Not measured in this run: `cargo test --release --test \
            accuracy -- --ignored` does it."
            .into(),
        figures: [bars(report), table(report)].into_iter().flatten().collect(),
    }
}

fn bars(report: &Report) -> Option<Figure> {
    let mut lines: Vec<_> = report.accuracy.iter().collect();
    lines.sort_by(|a, b| a.f32.total_cmp(&b.f32));
    let (best, worst) = (lines.first()?, lines.last()?);
    let within = lines.iter().filter(|line| line.f32 <= 1.0).count();
    let reading = format!(
        "{within} of {} functions err by at most 1 ULP in f32 ({} by {}); the most is {}, of {}.",
        lines.len(),
        best.function,
        number(best.f32),
        number(worst.f32),
        worst.function
    );
    let rows = lines.iter().map(|line| Bar {
        name: line.function.clone(),
        value: line.f32,
        label: number(line.f32),
        title: format!("{}: {} ULP found, {} allowed", line.function, number(line.f32), number(line.f32_bound)),
        colour: usize::from(line.function.ends_with("_grad")),
    });
    let bars = Bars {
        title: "Greatest errors of functions in f32".into(),
        unit: "ULP, f32, all inputs".into(),
        legend: super::vector::legend(),
        whole: None,
        rows: rows.collect(),
    };
    Some(Figure::new("Errors in f32", reading, Picture::Bars(bars)))
}

fn table(report: &Report) -> Option<Figure> {
    let mut table = Table::new(&["function", "f32", "bound", "f64", "bound"]);
    for line in &report.accuracy {
        let mut row = vec![line.function.clone()];
        row.extend(
            [(line.f32, line.f32_bound), (line.f64, line.f64_bound)]
                .iter()
                .flat_map(|(found, bound)| [format!("{found:.2}"), format!("{bound:.0}")]),
        );
        table.rows.push(row);
    }
    let most = report.accuracy.iter().max_by(|a, b| a.f64.total_cmp(&b.f64))?;
    let reading = format!("In f64 the most is {} ULP, of {}.", number(most.f64), most.function);
    Some(Figure::new("Errors and the bounds that tests hold", reading, Picture::Table(table)))
}
