//! Against an earlier report.

use super::{Figure, Picture, Section, Table};
use crate::document::compare::{Change, Comparison, Verdict};
use crate::document::plot::text::{number, percent, seconds};
use crate::document::schema::Report;

pub(super) fn section(report: &Report) -> Section {
    Section {
        id: "change",
        title: "Change".into(),
        introduction: report.comparison.as_ref().map_or(String::new(), introduction),
        figures: report
            .comparison
            .iter()
            .flat_map(|comparison| [changed(comparison), everything(comparison)])
            .collect(),
    }
}

fn introduction(comparison: &Comparison) -> String {
    let mut text = format!(
        "Against the report of {} ({}). A change counts where it exceeds {} and the noise of both runs (three standard deviations of a \
         round); times are put into proportion to the FMA peak of their own rounds.",
        comparison.baseline_date,
        if comparison.baseline_commit.is_empty() { "no commit" } else { &comparison.baseline_commit },
        percent(comparison.threshold)
    );
    if !comparison.same_cpu {
        text += &format!(
            " That report is of another machine, {}: its times are no measure for this one.",
            comparison.baseline_cpu
        );
    }
    if comparison.unmatched > 0 {
        text += &format!(" {} cases are in one of the reports alone.", comparison.unmatched);
    }
    text
}

/// What got better or worse.
fn changed(comparison: &Comparison) -> Figure {
    let is_changed = |change: &&Change| change.verdict != Verdict::Same;
    let [better, same, worse] = comparison.counts();
    let mean = 100.0 * (comparison.mean() - 1.0);
    let reading = format!(
        "{better} better, {same} the same, {worse} worse; in the geometric mean a call takes {} % {}.",
        number(mean.abs()),
        if mean > 0.0 { "longer" } else { "less" }
    );
    let table = table(comparison.changes.iter().filter(is_changed));
    Figure::new("Verdict", reading, Picture::Table(table)).wide()
}

fn everything(comparison: &Comparison) -> Figure {
    let reading = format!("{} cases are in both reports, the slowest change first.", comparison.changes.len());
    Figure::new("All cases", reading, Picture::Folded(table(comparison.changes.iter()))).wide()
}

fn table<'a>(changes: impl Iterator<Item = &'a Change>) -> Table {
    let mut table = Table::new(&["case", "before", "now", "change", "noise", "verdict"]);
    table.rows.extend(changes.map(|change| {
        vec![
            change.id.clone(),
            seconds(change.seconds_before),
            seconds(change.seconds),
            format!("{:+.1} %", 100.0 * (change.ratio - 1.0)),
            format!("{:.1} %", 100.0 * change.noise),
            change.verdict.to_string(),
        ]
    }));
    table
}
