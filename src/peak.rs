//! The limits of this machine, measured: every speed is stated as a share of them.

use crate::element::Element;
use crate::exec::Exec;
use crate::kernels::peak::Fma;
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
}
