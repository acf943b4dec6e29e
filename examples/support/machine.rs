//! The machine: what it is, and the limits that speeds are shares of.

use roofline::{Backend, Exec};
use serde_json::{Value, json};
use std::time::Duration;

/// Who computes, and how fast it could at best.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) exec: Exec,
    /// FMA peak of one thread in GFLOP/s.
    pub(crate) peak: f64,
}

impl Machine {
    /// Measures the FMA peak.
    pub(crate) fn measure(exec: Exec) -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let name = name.map_or(std::env::consts::ARCH, |(_, name)| name).to_owned();
        Self { name, exec, peak: exec.fma_peak::<f32>(20) }
    }

    /// FMA peak of all threads together, in GFLOP/s.
    pub(crate) fn whole_peak(&self) -> f64 {
        self.peak * self.exec.threads() as f64
    }

    pub(crate) fn print(&self) {
        let (isa, threads, peak) = (self.exec.isa(), self.exec.threads(), self.peak);
        println!("machine  {}", self.name);
        println!("kernels  {isa}, {threads} thread(s), FMA peak {peak:.1} GFLOP/s a thread (f32, measured)");
        if self.exec.backend() != Backend::Native {
            println!("products {}", self.exec.backend());
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "machine": self.name,
            "isa": self.exec.isa().to_string(),
            "threads": self.exec.threads(),
            "backend": self.exec.backend().to_string(),
            "fma_peak_gflops_per_thread": self.peak,
        })
    }
}

/// How fast training went.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    /// Examples a second.
    pub(crate) samples: f64,
    pub(crate) gflops: f64,
}

impl Rate {
    /// Of `examples` that take `flops` operations each.
    pub(crate) fn new(examples: usize, flops: usize, time: Duration) -> Self {
        let samples = examples as f64 / time.as_secs_f64().max(1e-9);
        Self { samples, gflops: samples * flops as f64 / 1e9 }
    }

    pub(crate) fn show(&self, machine: &Machine) -> String {
        let share = 100.0 * self.gflops / machine.whole_peak();
        format!("{:10.0}  {:7.1}  {share:5.1} %", self.samples, self.gflops)
    }
}
