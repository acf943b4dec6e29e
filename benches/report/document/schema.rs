//! `report.json`. `docs/report.md` documents each field for readers of the file; [`SCHEMA`] counts the changes that break them.

use super::accuracy::Accuracy;
use super::compare::Comparison;
use super::peers::Peers;
use super::plot::text::percent;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::Path;

/// Grows when a field changes its meaning or goes; a new field does not count.
pub(crate) const SCHEMA: u32 = 1;

/// The whole file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    pub(crate) version: String,
    pub(crate) mode: Mode,
    pub(crate) seconds: f64,
    pub(crate) host: Host,
    pub(crate) noise: Noise,
    pub(crate) limits: Limits,
    pub(crate) kernels: Vec<Kernel>,
    /// Nothing where it was not asked for.
    pub(crate) convergence: Option<Convergence>,
    pub(crate) accuracy: Vec<Accuracy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peers: Option<Peers>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comparison: Option<Comparison>,
}

/// How much was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Each case once, for its result alone.
    Test,
    Quick,
    Default,
    Full,
}

/// The machine and the build.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// Of the rayon pool.
    pub(crate) threads: usize,
    pub(crate) caches: Vec<Cache>,
    /// Best first.
    pub(crate) instruction_sets: Vec<String>,
    pub(crate) system: String,
    pub(crate) compiler: String,
    /// Empty outside of a repository; ends in `+` with uncommitted changes.
    pub(crate) commit: String,
    /// Of the start, UTC, ISO 8601.
    pub(crate) date: String,
}

/// One level, as one core sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cache {
    /// `L1`, `L2`, `L3`.
    pub(crate) level: String,
    pub(crate) bytes: usize,
    /// Cores that have it together.
    pub(crate) cores: usize,
}

/// Values of the rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// The quartiles.
    pub(crate) q1: f64,
    pub(crate) q3: f64,
    pub(crate) min: f64,
    pub(crate) rounds: usize,
}

/// How steady the machine was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Noise {
    /// The f32 FMA peak of one thread, measured in the rounds of each group: what clock and neighbours left.
    pub(crate) guard: Vec<Guard>,
    /// Share of the cases whose quartiles lie more than [`Kernel::NOISY`] of the median apart.
    pub(crate) noisy_cases: f64,
    /// Quartiles of the guard over the median.
    pub(crate) drift: f64,
    /// What a reader must know; empty on a quiet machine.
    pub(crate) warnings: Vec<String>,
}

/// The peak in one group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Guard {
    pub(crate) group: String,
    /// Since the start.
    pub(crate) seconds: f64,
    pub(crate) gflops: f64,
}

/// What this machine can do at best.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Limits {
    pub(crate) fma: Vec<Peak>,
    pub(crate) bandwidth: Vec<Bandwidth>,
    pub(crate) overhead: Vec<Overhead>,
}

/// GFLOP/s of independent FMA chains.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Peak {
    pub(crate) element: String,
    pub(crate) isa: String,
    pub(crate) threads: usize,
    pub(crate) gflops: Spread,
}

/// GB/s of passes over memory that one level holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bandwidth {
    /// `L1`, `L2`, `L3`, `memory`; empty where two levels have a part each.
    pub(crate) level: String,
    /// The working set of each thread.
    pub(crate) bytes: usize,
    /// `read`, `write`, `update` (read, modify, write: both ways count).
    pub(crate) operation: String,
    pub(crate) threads: usize,
    pub(crate) gb_per_s: Spread,
}

/// What a call or a fork costs before it computes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Overhead {
    pub(crate) name: String,
    pub(crate) seconds: Spread,
}

/// One kernel on one size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kernel {
    /// With which it took turns.
    pub(crate) group: String,
    /// Of the modules of the library: `gemm`, `activation`, …
    pub(crate) family: String,
    pub(crate) kernel: String,
    pub(crate) element: String,
    pub(crate) isa: String,
    pub(crate) threads: usize,
    /// m, n, k of products, rows and columns of matrices, the length of slices.
    pub(crate) shape: Vec<usize>,
    /// Of one call.
    pub(crate) seconds: Spread,
    /// Of one call, an FMA counting as two.
    pub(crate) flops: f64,
    /// That a call reads and writes at least.
    pub(crate) bytes: f64,
    /// That the limits, measured in the same rounds, allow at best.
    pub(crate) limit_seconds: f64,
    /// Which limit that is.
    pub(crate) bound: Bound,
    /// The f32 FMA peak of one thread in the same rounds, in GFLOP/s.
    pub(crate) guard_gflops: f64,
}

/// What a kernel can at best be as fast as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Bound {
    Compute,
    Memory,
}

/// Training real images to an error, at each size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Convergence {
    pub(crate) data: String,
    pub(crate) network: String,
    pub(crate) optimizer: String,
    pub(crate) target_error: f64,
    /// That a run may take.
    pub(crate) budget_seconds: f64,
    pub(crate) threads: usize,
    pub(crate) runs: Vec<Run>,
    /// The size that is there first; none if no size is.
    pub(crate) advised: Option<usize>,
}

/// One size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) batch: usize,
    pub(crate) learning_rate: f64,
    /// Of each seed; nothing where the budget was too short.
    pub(crate) seconds: Vec<Option<f64>>,
    /// Seconds and dev error after each epoch, of the first seed.
    pub(crate) curve: Vec<(f64, f64)>,
}

impl Spread {
    /// Of values in any order.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values.get((share * (values.len() as f64 - 1.0)).round() as usize).copied();
        let [min, q1, median, q3] = [0.0, 0.25, 0.5, 0.75].map(|share| at(share).unwrap_or(f64::NAN));
        Self { median, q1, q3, min, rounds: values.len() }
    }

    /// Distance of the quartiles over the median.
    pub(crate) fn relative(&self) -> f64 {
        if self.median > 0.0 { (self.q3 - self.q1) / self.median } else { 0.0 }
    }
}

impl Kernel {
    /// A spread above this is noisy.
    pub(crate) const NOISY: f64 = 0.1;

    /// The same in every report of this kernel, size and way to run.
    pub(crate) fn id(&self) -> String {
        let Self { family, kernel, element, isa, threads, .. } = self;
        format!("{family} {kernel} {} {element} {isa} {threads}t", self.size())
    }

    /// `512x256x784`.
    pub(crate) fn size(&self) -> String {
        self.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
    }

    /// Elements that an elementwise kernel computes.
    pub(crate) fn elements(&self) -> f64 {
        self.shape.iter().map(|&n| n as f64).product()
    }

    pub(crate) fn gflops(&self) -> f64 {
        self.flops / self.seconds.median / 1e9
    }

    pub(crate) fn gb_per_s(&self) -> f64 {
        self.bytes / self.seconds.median / 1e9
    }

    /// Time in proportion to the peak of the same rounds: a clock that changed does not change it.
    pub(crate) fn cycles(&self) -> f64 {
        self.seconds.median * self.guard_gflops
    }

    /// Of the measured limit.
    pub(crate) fn share(&self) -> f64 {
        self.limit_seconds / self.seconds.median
    }
}

impl Noise {
    /// Quartiles of the guard further apart than this are worth a warning, and so are as many noisy cases.
    const DRIFT: f64 = 0.05;
    const CASES: f64 = 0.15;

    /// `busy` is how many other tasks ran when it began.
    pub(crate) fn of(kernels: &[Kernel], guard: Vec<Guard>, busy: usize) -> Self {
        let noisy = kernels.iter().filter(|kernel| kernel.seconds.relative() > Kernel::NOISY).count();
        let noisy_cases = noisy as f64 / kernels.len().max(1) as f64;
        let drift = Spread::of(guard.iter().map(|guard| guard.gflops).collect()).relative();
        let mut warnings = Vec::new();
        if drift > Self::DRIFT {
            warnings.push(format!(
                "The FMA peak was not steady: its quartiles lie {} apart. Rates of different groups are not comparable; shares of limits are.",
                percent(drift)
            ));
        }
        if noisy_cases > Self::CASES {
            warnings.push(format!(
                "{} of the cases vary by more than {} from round to round. Run it again when nothing else runs.",
                percent(noisy_cases),
                percent(Kernel::NOISY)
            ));
        }
        if busy > 0 {
            warnings.push(format!("Other programs ran when it began: {busy} tasks besides this one."));
        }
        Self { guard, noisy_cases, drift, warnings }
    }
}

impl Run {
    /// The median over the seeds, where each of them reached the target.
    pub(crate) fn seconds(&self) -> Option<f64> {
        let reached: Option<Vec<f64>> = self.seconds.iter().copied().collect();
        reached.filter(|seconds| !seconds.is_empty()).map(|seconds| Spread::of(seconds).median)
    }
}

impl Report {
    /// # Errors
    /// A file that cannot be read, is no report, or is one of another schema.
    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let named = |error: &dyn Error| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| named(&error))?;
        match value["schema"].as_u64() {
            Some(schema) if schema == u64::from(SCHEMA) => {}
            Some(schema) => return Err(format!("{}: schema {schema}, not {SCHEMA}", path.display()).into()),
            None => return Err(format!("{}: no field `schema`: not a report", path.display()).into()),
        }
        Ok(serde_json::from_value(value).map_err(|error| named(&error))?)
    }

    /// # Errors
    /// Numbers that JSON lacks.
    pub(crate) fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// The best instruction set.
    pub(crate) fn isa(&self) -> &str {
        self.host.instruction_sets.first().map_or("", String::as_str)
    }

    /// GFLOP/s of an element type and so many threads, on an instruction set.
    pub(crate) fn peak(&self, element: &str, isa: &str, threads: usize) -> Option<f64> {
        let is_it = |peak: &&Peak| peak.element == element && peak.isa == isa && peak.threads == threads;
        self.limits.fma.iter().find(is_it).map(|peak| peak.gflops.median)
    }

    /// GB/s of a level, of the working set that is best there.
    pub(crate) fn bandwidth(&self, level: &str, operation: &str, threads: usize) -> Option<f64> {
        let is_it = |b: &&Bandwidth| b.level == level && b.operation == operation && b.threads == threads;
        let all = self.limits.bandwidth.iter().filter(is_it).map(|bandwidth| bandwidth.gb_per_s.median);
        all.max_by(f64::total_cmp)
    }

    /// Names of the levels, from the first cache to memory.
    pub(crate) fn levels(&self) -> Vec<&str> {
        let mut levels: Vec<&str> = Vec::new();
        for bandwidth in &self.limits.bandwidth {
            if !bandwidth.level.is_empty() && !levels.contains(&bandwidth.level.as_str()) {
                levels.push(&bandwidth.level);
            }
        }
        levels
    }

    /// Kernels of a family that pass a test.
    pub(crate) fn select<'a>(
        &'a self,
        family: &'a str,
        is_wanted: impl Fn(&Kernel) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Kernel> {
        self.kernels.iter().filter(move |kernel| kernel.family == family && is_wanted(kernel))
    }
}
