//! Two reports of one machine: what became faster or slower, beyond what the noise of both explains.
//!
//! ```text
//! cycles  = (seconds now · peak now) / (seconds then · peak then)     a clock that changed is no change
//! share   = (seconds now / limit now) / (seconds then / limit then)   nor is a memory that a neighbour shares
//! ratio   = of both the one nearer to 1, and 1 where they do not agree
//! noise   = 3·√(s² now + s² then),  s = (q3 − q1)/(1.35·median)       1.35 standard deviations lie between the quartiles
//! worse     where ratio     > 1 + max(threshold, noise)
//! better    where 1 / ratio > 1 + max(threshold, noise)
//! ```
//!
//! The peak is that of f32 FMA on one thread, measured in the same rounds as the kernel.

use super::schema::{Kernel, Report};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// What a comparison found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) baseline_commit: String,
    pub(crate) baseline_date: String,
    pub(crate) baseline_cpu: String,
    pub(crate) same_cpu: bool,
    pub(crate) threshold: f64,
    /// The greatest ratio first.
    pub(crate) changes: Vec<Change>,
    /// Cases that one of both has alone.
    pub(crate) unmatched: usize,
}

/// One kernel on one size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) id: String,
    pub(crate) family: String,
    pub(crate) seconds_before: f64,
    pub(crate) seconds: f64,
    /// More than 1 is slower.
    pub(crate) ratio: f64,
    pub(crate) noise: f64,
    pub(crate) verdict: Verdict,
}

/// What became of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Better,
    Same,
    Worse,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Better => "better",
            Verdict::Same => "same",
            Verdict::Worse => "worse",
        })
    }
}

impl Verdict {
    fn of(ratio: f64, tolerance: f64) -> Self {
        match () {
            () if ratio > 1.0 + tolerance => Self::Worse,
            () if 1.0 / ratio > 1.0 + tolerance => Self::Better,
            () => Self::Same,
        }
    }
}

impl Comparison {
    /// `now` against `before`. A `threshold` of 0.1 lets 10 % pass.
    pub(crate) fn new(now: &Report, before: &Report, threshold: f64) -> Self {
        let known: HashMap<String, &Kernel> = before.kernels.iter().map(|kernel| (kernel.id(), kernel)).collect();
        let change = |kernel: &Kernel| known.get(&kernel.id()).map(|then| Change::new(kernel, then, threshold));
        let mut changes: Vec<Change> = now.kernels.iter().filter_map(change).collect();
        changes.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
        Self {
            baseline_commit: before.host.commit.clone(),
            baseline_date: before.host.date.clone(),
            baseline_cpu: before.host.cpu.clone(),
            same_cpu: now.host.cpu == before.host.cpu,
            threshold,
            unmatched: now.kernels.len() + before.kernels.len() - 2 * changes.len(),
            changes,
        }
    }

    pub(crate) fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.verdict == verdict)
    }

    /// Whether something became slower on the machine of the baseline; times of another one are no measure.
    pub(crate) fn is_worse(&self) -> bool {
        self.same_cpu && self.of(Verdict::Worse).next().is_some()
    }

    /// Cases of each verdict: better, same, worse.
    pub(crate) fn counts(&self) -> [usize; 3] {
        [Verdict::Better, Verdict::Same, Verdict::Worse].map(|verdict| self.of(verdict).count())
    }

    /// Geometric mean of all ratios; 1 for none.
    pub(crate) fn mean(&self) -> f64 {
        let sum: f64 = self.changes.iter().map(|change| change.ratio.ln()).sum();
        (sum / self.changes.len().max(1) as f64).exp()
    }
}

/// Of two ratios the one nearer to 1, and 1 where one says faster and the other slower.
fn agreed(a: f64, b: f64) -> f64 {
    match (a.min(b), a.max(b)) {
        (least, _) if least > 1.0 => least,
        (_, most) if most < 1.0 => most,
        _ => 1.0,
    }
}

impl Change {
    fn new(now: &Kernel, before: &Kernel, threshold: f64) -> Self {
        let ratio = agreed(now.cycles() / before.cycles(), before.share() / now.share());
        let [here, there] = [now, before].map(|kernel| kernel.seconds.relative() / 1.35);
        let noise = 3.0 * here.hypot(there);
        Self {
            id: now.id(),
            family: now.family.clone(),
            seconds_before: before.seconds.median,
            seconds: now.seconds.median,
            ratio,
            noise,
            verdict: Verdict::of(ratio, threshold.max(noise)),
        }
    }
}
