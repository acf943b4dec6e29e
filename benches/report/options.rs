//! The command line. `cargo bench` passes the same words to all benches: `--bench`, `--test` and a filter must not be errors here.

use crate::document::schema::Mode;
use clap::Parser;
use std::path::PathBuf;

/// Measures this machine and every kernel on it, and writes target/report/index.html, report.json, report.md and gemm.svg: what the
/// machine can do, how close each kernel comes, and which mini-batch size to use. Takes up to 3 minutes.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench report --", version)]
pub(crate) struct Options {
    /// A sample of the cases in at most 20 seconds
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,

    /// More sizes, types and rounds; about twelve minutes
    #[arg(long)]
    pub(crate) full: bool,

    /// Compare with an earlier report.json; exit code 1 where a case has become slower
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Percent by which a case may be slower than the baseline, beyond which it must exceed the noise of both runs too
    #[arg(long, value_name = "PERCENT", default_value = "10", value_parser = percent)]
    pub(crate) threshold: f64,

    /// JSON of benches/peers to show [default: peers.json in the output folder, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) peers: Option<PathBuf>,

    /// Where the files go [default: report in the target folder]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) output: Option<PathBuf>,

    /// Measure nothing: draw this report.json again
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "full"])]
    pub(crate) from: Option<PathBuf>,

    /// Run every case once, check the pages, leave no file
    #[arg(long)]
    pub(crate) test: bool,

    /// Set by `cargo bench`; a run without it is a test
    #[arg(long, hide = true)]
    bench: bool,

    /// Words of which one must be in `report`: so that `cargo bench -- WORD` of another bench is not a report too
    #[arg(value_name = "WORD", hide = true)]
    words: Vec<String>,
}

impl Options {
    /// Whether the words ask for this bench.
    pub(crate) fn is_wanted(&self) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| "report".contains(word.as_str()))
    }

    /// How much to measure.
    pub(crate) fn mode(&self) -> Mode {
        match () {
            () if self.test || !self.bench => Mode::Test,
            () if self.quick => Mode::Quick,
            () if self.full => Mode::Full,
            () => Mode::Default,
        }
    }
}

/// A percentage as a share.
fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(percent) if percent.is_finite() && percent >= 0.0 => Ok(percent / 100.0),
        _ => Err(format!("{text} is no percentage from 0 on")),
    }
}
