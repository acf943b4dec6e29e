//! The table of `docs/accuracy.md`, which `tests/accuracy.rs` writes: errors in ULP over all inputs.

use serde::{Deserialize, Serialize};

const TABLE: &str = include_str!("../../../docs/accuracy.md");

/// Greatest errors of one function and the bounds that tests hold, in ULP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Accuracy {
    pub(crate) function: String,
    pub(crate) f32: f64,
    pub(crate) f32_bound: f64,
    pub(crate) f64: f64,
    pub(crate) f64_bound: f64,
}

/// As it was when this was built.
pub(crate) fn table() -> Vec<Accuracy> {
    TABLE.lines().filter_map(line).collect()
}

/// `` | `exp` | 0.84 | 1 | 0.85 | 1 | ``; nothing for other lines.
fn line(line: &str) -> Option<Accuracy> {
    let mut cells = line.strip_prefix("| `")?.split('|').map(|cell| cell.trim().trim_end_matches('`'));
    let function = cells.next()?.to_owned();
    let mut number = || cells.next()?.parse().ok();
    Some(Accuracy { function, f32: number()?, f32_bound: number()?, f64: number()?, f64_bound: number()? })
}
