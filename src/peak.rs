//! The limits of this machine, measured: every speed is stated as a share of them.

use crate::element::Element;
use crate::exec::Exec;
use crate::kernels::peak::{Fma, Read};
use core::hint::black_box;
use std::time::Instant;

impl Exec {
    /// FMA peak of one thread in GFLOP/s: the best of `rounds` runs of about a millisecond of independent FMA chains in
    /// registers. An FMA counts as two operations.
    ///
    /// ```
    /// let exec = roofline::Exec::sequential();
    /// assert!(exec.fma_peak::<f32>(3) > 0.0);
    /// ```
    pub fn fma_peak<T: Element>(&self, rounds: usize) -> f64 {
        let mut best = 0.0_f64;
        for _ in 0..rounds.max(1) {
            let start = Instant::now();
            let (flops, sum) = T::dispatch(self.token(), Fma { steps: black_box(200_000) });
            black_box(sum);
            best = best.max(flops as f64 / start.elapsed().as_secs_f64() / 1e9);
        }
        best
    }

    /// Bandwidth in GB/s at which one thread reads `values` from start to end: the best of `rounds` passes, of as many
    /// repetitions as take about a millisecond. What is small enough for a cache is there from the second on, so this is the
    /// bandwidth of the level that holds it. 0 for no values.
    ///
    /// ```
    /// let exec = roofline::Exec::sequential();
    /// let in_l1 = vec![0.0_f32; 4096];
    /// assert!(exec.read_bandwidth(&in_l1, 3) > 0.0);
    /// ```
    pub fn read_bandwidth<T: Element>(&self, values: &[T], rounds: usize) -> f64 {
        if values.is_empty() {
            return 0.0;
        }
        let bytes = size_of_val(values);
        // A millisecond of 64 GB/s.
        let repetitions = (64_000_000 / bytes).max(1);
        let mut best = 0.0_f64;
        for _ in 0..rounds.max(1) {
            let start = Instant::now();
            for _ in 0..repetitions {
                black_box(T::dispatch(self.token(), Read(black_box(values))));
            }
            best = best.max((bytes * repetitions) as f64 / start.elapsed().as_secs_f64() / 1e9);
        }
        best
    }
}
