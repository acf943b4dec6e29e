//! The report of `cargo bench --bench report`: its data, comparison, plots and page, from a report in a file. Nothing is measured here;
//! `cargo bench --bench report -- --test` runs the rest.

mod browser;
mod compare;
#[allow(dead_code, reason = "the bench uses all of it")]
#[path = "../../benches/report/document/mod.rs"]
mod document;
mod page;
mod plot;
mod schema;

use document::compare::Comparison;
use document::peers::Peers;
use document::schema::Report;
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report").join(name)
}

/// Some cases of a report of two threads and three instruction sets, with rivals, compared with itself made faster and slower.
fn fixture() -> Report {
    let mut report = Report::read(&file("report.json")).expect("a report");
    report.peers = Some(Peers::read(&file("peers.json")).expect("the JSON of the rivals"));
    let mut before = report.clone();
    for (at, kernel) in before.kernels.iter_mut().enumerate() {
        kernel.seconds.median *= [1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 2.0][at % 7];
    }
    report.comparison = Some(Comparison::new(&report, &before, 0.1));
    report
}
