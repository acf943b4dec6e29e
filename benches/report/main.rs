//! `cargo bench --bench report`: what this machine can do, how close each kernel comes, which mini-batch size to use: a page, a JSON file and
//! a summary. `docs/report.md` says how to read and use them.
//!
//! ```text
//! measure/   cases in rounds, limits, training     → Report
//! document/  Report → page, JSON, Markdown, terminal; compares two of them
//! ```

#[path = "../common/mod.rs"]
mod common;
mod document;
mod host;
mod measure;
mod options;
mod output;
#[path = "../../examples/support/mod.rs"]
mod support;

use clap::Parser;
use document::accuracy;
use document::compare::{Comparison, Verdict};
use document::peers::Peers;
use document::schema::{Kernel, Limits, Mode, Noise, Report, SCHEMA};
use document::terminal;
use indicatif::{ProgressBar, ProgressStyle};
use measure::{Effort, Group};
use options::Options;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.is_wanted() {
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let folder = output::Folder::new(options)?;
    // Before anything is measured: a wrong name should not cost minutes.
    let baseline = options.baseline.as_deref().map(Report::read).transpose()?;
    let peers = peers(options, folder.path())?;
    let mut report = match &options.from {
        Some(path) => Report::read(path)?,
        None => {
            let run = Measurement::new(options.mode());
            let mut report = run.report()?;
            if let Some(baseline) = baseline.as_ref().filter(|baseline| baseline.host.cpu == report.host.cpu) {
                run.confirm(&mut report, baseline, options.threshold);
            }
            run.bar.finish_and_clear();
            report
        }
    };
    report.peers = peers.or(report.peers);
    let compare = |baseline: &Report| Comparison::new(&report, baseline, options.threshold);
    report.comparison = baseline.as_ref().map(compare).or(report.comparison.clone());
    folder.write(&report)?;
    folder.finish(&terminal::summary(&report))?;
    let is_worse = report.comparison.iter().any(Comparison::is_worse);
    Ok(if baseline.is_some() && is_worse { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The file that the options name, or the one that lies in the output folder.
fn peers(options: &Options, folder: &Path) -> Result<Option<Peers>, Box<dyn Error>> {
    let default = folder.join("peers.json");
    let path = options.peers.clone().or_else(|| default.exists().then_some(default));
    path.as_deref().map(Peers::read).transpose()
}

/// A run in progress.
struct Measurement {
    effort: Effort,
    groups: Vec<Group>,
    start: Instant,
    bar: ProgressBar,
}

impl Measurement {
    fn new(mode: Mode) -> Self {
        let effort = Effort::new(mode);
        let groups = measure::groups(effort);
        let style =
            ProgressStyle::with_template("{elapsed:>4} [{bar:30}] {pos}/{len}  {msg}").expect("a good template");
        let bar = ProgressBar::new(groups.len() as u64).with_style(style.progress_chars("━╸ "));
        Self { effort, groups, start: Instant::now(), bar }
    }

    /// Measures everything.
    fn report(&self) -> Result<Report, Box<dyn Error>> {
        let (host, busy) = (host::host(), host::busy().unwrap_or(0));
        let limits = self.limits(&host);
        let (mut kernels, mut guard) = (Vec::new(), Vec::new());
        for group in &self.groups {
            self.bar.set_message(group.name.clone());
            let (found, peak) = group.measure(self.effort, self.start);
            kernels.extend(found);
            guard.push(peak);
            self.bar.inc(1);
        }
        let convergence = measure::convergence::measure(self.effort, |what| self.bar.set_message(what.to_owned()))?;
        Ok(Report {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            mode: self.effort.mode,
            seconds: self.start.elapsed().as_secs_f64(),
            host,
            noise: Noise::of(&kernels, guard, busy),
            limits,
            kernels,
            convergence: Some(convergence),
            accuracy: accuracy::table(),
            peers: None,
            comparison: None,
        })
    }

    fn limits(&self, host: &document::schema::Host) -> Limits {
        measure::limits::measure(self.effort, host, |what| self.bar.set_message(what.to_owned()))
    }

    /// Measures the groups again in which something seems to have become slower: of both times the better one counts. A neighbour that took
    /// the core for a second is no regression.
    fn confirm(&self, report: &mut Report, baseline: &Report, threshold: f64) {
        let comparison = Comparison::new(report, baseline, threshold);
        let suspects: Vec<String> = comparison.of(Verdict::Worse).map(|change| change.id.clone()).collect();
        for group in &self.groups {
            if !report.kernels.iter().any(|kernel| kernel.group == group.name && suspects.contains(&kernel.id())) {
                continue;
            }
            self.bar.set_message(format!("again: {}", group.name));
            let (again, _) = group.measure(self.effort, self.start);
            for kernel in &mut report.kernels {
                let better = |other: &&Kernel| other.id() == kernel.id() && other.cycles() < kernel.cycles();
                if let Some(other) = again.iter().find(better) {
                    *kernel = other.clone();
                }
            }
        }
    }
}
