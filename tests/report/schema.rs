//! `report.json`: reads back as it was written, and refuses what is something else.

use crate::document::accuracy;
use crate::document::peers::Peers;
use crate::document::schema::{Bound, Guard, Kernel, Noise, Report, Run, SCHEMA, Spread};
use crate::{file, fixture};
use std::path::PathBuf;

/// A file of this process with some text.
fn written(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, text).expect("a folder for tests");
    path
}

/// A kernel whose quartiles are 8 % apart.
pub(crate) fn kernel(seconds: f64) -> Kernel {
    Kernel {
        group: "gemm 8³".into(),
        family: "gemm".into(),
        kernel: "square NN".into(),
        element: "f32".into(),
        isa: "avx2".into(),
        threads: 1,
        shape: vec![8, 8, 8],
        seconds: Spread { median: seconds, q1: 0.96 * seconds, q3: 1.04 * seconds, min: 0.9 * seconds, rounds: 9 },
        flops: 1024.0,
        bytes: 768.0,
        limit_seconds: 1e-7,
        bound: Bound::Compute,
        guard_gflops: 100.0,
    }
}

#[test]
fn a_report_reads_back_as_it_was_written() {
    let text = fixture().json().unwrap();
    let path = written("report.json", &text);
    assert_eq!(Report::read(&path).unwrap().json().unwrap(), text);
    assert!(!text.contains("null,\n      \"q1\""), "no spread without a number");
}

#[test]
fn what_is_no_report_is_refused_by_name() {
    let cases = [
        ("no.json", "", "EOF"),
        ("other.json", r#"{"a": 1}"#, "no field `schema`: not a report"),
        ("newer.json", r#"{"schema": 99}"#, "schema 99, not 1"),
        ("cut.json", &format!(r#"{{"schema": {SCHEMA}}}"#), "missing field"),
    ];
    for (name, text, message) in cases {
        let error = Report::read(&written(name, text)).unwrap_err().to_string();
        assert!(error.contains(message) && error.contains(name), "{error}");
    }
    let error = Report::read(&file("missing.json")).unwrap_err().to_string();
    assert!(error.contains("missing.json"), "{error}");
    let error = Peers::read(&file("report.json")).unwrap_err().to_string();
    assert!(error.contains("report.json: missing field"), "{error}");
}

#[test]
fn every_field_is_documented() {
    let documentation = std::fs::read_to_string(file("../../docs/report.md")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&Report::json(&fixture()).unwrap()).unwrap();
    let mut values = vec![&value];
    while let Some(value) = values.pop() {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    assert!(
                        documentation.contains(&format!("`{name}`")),
                        "docs/report.md does not say what `{name}` is"
                    );
                    // The rivals' file has its own documentation.
                    if name != "peers" {
                        values.push(value);
                    }
                }
            }
            serde_json::Value::Array(elements) => values.extend(elements),
            _ => {}
        }
    }
}

#[test]
fn spreads_are_quartiles() {
    let spread = Spread::of(vec![5.0, 1.0, 3.0, 4.0, 2.0]);
    assert_eq!(spread, Spread { median: 3.0, q1: 2.0, q3: 4.0, min: 1.0, rounds: 5 });
    assert!((spread.relative() - 2.0 / 3.0).abs() < 1e-15);
    assert_eq!(Spread::of(vec![7.0]), Spread { median: 7.0, q1: 7.0, q3: 7.0, min: 7.0, rounds: 1 });
}

#[test]
fn rates_and_shares_follow_from_the_median() {
    let kernel = kernel(2e-7);
    assert_eq!(kernel.id(), "gemm square NN 8x8x8 f32 avx2 1t");
    let close = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-12, "{found}, not {expected}");
    close(kernel.gflops(), 5.12);
    close(kernel.gb_per_s(), 3.84);
    close(kernel.share(), 0.5);
}

#[test]
fn a_size_is_there_only_when_every_seed_is() {
    let run = |seconds: Vec<Option<f64>>| Run { batch: 8, learning_rate: 0.1, seconds, curve: Vec::new() };
    assert_eq!(run(vec![Some(3.0), Some(1.0), Some(2.0)]).seconds(), Some(2.0));
    assert_eq!(run(vec![Some(3.0), None]).seconds(), None);
    assert_eq!(run(Vec::new()).seconds(), None);
}

#[test]
fn a_noisy_machine_is_said_to_be_one() {
    let guard = |peaks: &[f64]| -> Vec<Guard> {
        peaks.iter().map(|&gflops| Guard { group: String::new(), seconds: 0.0, gflops }).collect()
    };
    let quiet = Noise::of(&[kernel(1.0)], guard(&[100.0, 101.0, 100.0, 99.0]), 0);
    assert!(quiet.warnings.is_empty(), "{:?}", quiet.warnings);
    let unsteady = Noise::of(&[kernel(1.0)], guard(&[100.0, 60.0, 100.0, 62.0]), 0);
    assert!(unsteady.warnings[0].contains("not steady"), "{:?}", unsteady.warnings);
    let mut wild = kernel(1.0);
    wild.seconds.q3 = 1.5;
    let noisy = Noise::of(&[wild, kernel(1.0)], guard(&[100.0]), 3);
    assert!(noisy.warnings[0].starts_with("50"), "{:?}", noisy.warnings);
    assert!(noisy.warnings[1].contains("3 tasks"), "{:?}", noisy.warnings);
}

#[test]
fn the_table_of_errors_is_that_of_the_documentation() {
    let table = accuracy::table();
    let text = std::fs::read_to_string(file("../../docs/accuracy.md")).unwrap();
    assert_eq!(table.len(), text.lines().filter(|line| line.starts_with("| `")).count());
    assert!(table.len() >= 20);
    for line in &table {
        assert!(
            0.0 < line.f32 && line.f32 <= line.f32_bound && 0.0 < line.f64 && line.f64 <= line.f64_bound,
            "{line:?}"
        );
    }
}
