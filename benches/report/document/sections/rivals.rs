//! Products of this crate beside those of its rivals, from the JSON of `benches/peers`.

use super::{Figure, Picture, Section, Table, geometric_mean};
use crate::document::peers::{OURS, Peers, PeersSection, PeersShape};
use crate::document::plot::chart::{Axis, Chart, Point, Series};
use crate::document::plot::scale::Kind;
use crate::document::plot::text::{number, percent, threads};
use crate::document::schema::Report;

pub(super) fn section(report: &Report) -> Section {
    let sections: Vec<&PeersSection> = report.peers.iter().flat_map(|peers| &peers.sections).collect();
    let figures =
        sections.iter().map(|section| squares(section)).chain(sections.iter().map(|section| winners(section)));
    Section {
        id: "rivals",
        title: "Rivals".into(),
        introduction: report.peers.as_ref().map_or(String::new(), |peers| introduction(report, peers)),
        figures: figures.flatten().collect(),
    }
}

fn introduction(report: &Report, peers: &Peers) -> String {
    let names: Vec<String> = peers.rivals.iter().map(|rival| format!("{} {}", rival.name, rival.version)).collect();
    let mut text = format!(
        "From `benches/peers`, a run of its own in which everyone took turns on the same operands, ours on {}. {}.",
        peers.isa,
        names.join(", ")
    );
    if peers.host.cpu != report.host.cpu {
        text += &format!(" It ran on another machine: {}.", peers.host.cpu);
    }
    text
}

/// Shares of the peak of the squares: rates of another run are not put beside those of this one.
fn squares(section: &PeersSection) -> Option<Figure> {
    let squares: Vec<&PeersShape> = section.shapes.iter().filter(|shape| shape.kind() == "square").collect();
    let title = format!("Squares, {}, {}", section.element, threads(section.threads));
    let mut chart = Chart::new(
        &title,
        Axis::new("m = n = k", Kind::Log2),
        Axis::new("% of the FMA peak", Kind::Linear).up_to(100.0),
    );
    for (colour, name) in section.names().into_iter().enumerate() {
        let point = |shape: &&PeersShape| {
            let found = shape.find(name)?;
            let share = found.gflops / shape.peak_gflops;
            let title = format!("{name} {}³: {} GFLOP/s, {}", shape.m, number(found.gflops), percent(share));
            Some(Point::new(shape.m as f64, 100.0 * share, title))
        };
        let points: Vec<Point> = squares.iter().filter_map(point).collect();
        if !points.is_empty() {
            chart.series.push(Series::line(name, colour, points));
        }
    }
    chart.limits.push((100.0, "FMA peak".into()));
    let won = squares.iter().filter(|shape| shape.winner() == Some(OURS)).count();
    let reading = format!("{OURS} is the fastest on {won} of {} squares.", squares.len());
    (!squares.is_empty()).then(|| Figure::new(title, reading, Picture::Chart(chart)))
}

/// Who wins where: by kind of shape, wins of each and how ours compares with the best of the others.
fn winners(section: &PeersSection) -> Option<Figure> {
    let names = section.names();
    let mut table = Table::default();
    table.head.push("fastest on".into());
    table.head.extend(names.iter().map(|name| (*name).to_owned()));
    table.head.push("ours / best rival".into());
    let mut kinds: Vec<&str> = Vec::new();
    for shape in &section.shapes {
        if !kinds.contains(&shape.kind()) {
            kinds.push(shape.kind());
        }
    }
    for kind in &kinds {
        table.rows.push(row(kind, &names, section.shapes.iter().filter(|shape| shape.kind() == *kind)));
    }
    table.rows.push(row("all", &names, section.shapes.iter()));
    let won = section.shapes.iter().filter(|shape| shape.winner() == Some(OURS)).count();
    let mean = geometric_mean(section.shapes.iter().filter_map(ratio))?;
    let reading = format!(
        "{OURS} wins {won} of {} shapes; against the best rival of each its speed is {} (geometric mean).",
        section.shapes.len(),
        number(mean)
    );
    let title = format!("Who wins where, {}, {}", section.element, threads(section.threads));
    Some(Figure::new(title, reading, Picture::Table(table)).wide())
}

fn row<'a>(kind: &str, names: &[&str], shapes: impl Iterator<Item = &'a PeersShape>) -> Vec<String> {
    let shapes: Vec<&PeersShape> = shapes.collect();
    let mut row = vec![format!("{kind} ({})", shapes.len())];
    for name in names {
        row.push(shapes.iter().filter(|shape| shape.winner() == Some(name)).count().to_string());
    }
    let mean = geometric_mean(shapes.iter().filter_map(|shape| ratio(shape)));
    row.push(mean.map_or("–".into(), |mean| format!("{mean:.2}")));
    row
}

/// Seconds of the best rival over ours: more than 1 is faster.
fn ratio(shape: &PeersShape) -> Option<f64> {
    let rivals = shape.contestants.iter().filter(|contestant| contestant.name != OURS);
    let best = rivals.map(|contestant| contestant.seconds).min_by(f64::total_cmp)?;
    Some(best / shape.find(OURS)?.seconds)
}
