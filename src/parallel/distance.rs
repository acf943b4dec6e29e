//! How far the core of a helper is: what it takes to move memory there.
//!
//! Cores that share a cache hand each other a line in 2 ns, others (of another complex or socket, or of a virtual machine whose
//! cores lie apart) in 10 and more. A sequence of calls in which each reads what the one before wrote moves all of it again and again: with
//! far helpers a training step on a mini-batch of 1 took 8 times as long as alone.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Lines that a measurement moves.
const LINES: usize = 64;
/// Nanoseconds that this takes between cores that share a cache: 230 to 280 on Zen 4. Between others 830 to 1050 were measured.
const NEAR: u128 = 250;
/// The most that a measurement says.
const MOST: u128 = 64;
/// Multiply–adds of a training step for which cores may be farther apart by one unit. Of 784-256-128-10 at 16 units, steps on 128 examples
/// (64 million) are 1.1 times as fast on two threads as on one, on 64 examples 0.82 to 0.88.
const CHAIN: usize = 3_000_000;

/// A cache line of its own.
#[repr(align(64))]
struct Line(AtomicU64);

pub(super) struct Distance {
    /// 0 before it was measured.
    factor: AtomicUsize,
    lines: [Line; LINES],
}

impl Distance {
    pub(super) const fn new() -> Self {
        Self { factor: AtomicUsize::new(0), lines: [const { Line(AtomicU64::new(0)) }; LINES] }
    }

    /// Brings all lines to the core that this runs on.
    pub(super) fn fetch(&self) {
        let sum = self.lines.iter().map(|line| line.0.load(Ordering::Relaxed)).fold(0, u64::wrapping_add);
        self.lines.iter().for_each(|line| line.0.store(sum, Ordering::Relaxed));
    }

    pub(super) fn forget(&self) {
        self.factor.store(0, Ordering::Relaxed);
    }

    /// Remembers what it took to move the lines.
    pub(super) fn set(&self, time: Duration) {
        let factor = (time.as_nanos().pow(2) / NEAR.pow(2)).clamp(1, MOST);
        self.factor.store(factor as usize, Ordering::Relaxed);
    }

    /// Whether calls of so many multiply–adds together gain from a fork although their operands move; also where that is not known.
    pub(super) fn pays(&self, chain: usize) -> bool {
        chain / CHAIN >= self.factor().saturating_sub(1)
    }

    /// What it took to move the lines, squared, as cores that share a cache take 1; 0 before it was measured. The square fits training steps.
    pub(super) fn factor(&self) -> usize {
        self.factor.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_is_the_square_of_the_distance() {
        let distance = Distance::new();
        assert_eq!((distance.factor(), distance.pays(0)), (0, true));
        for (nanoseconds, factor) in [(0, 1), (280, 1), (500, 4), (1000, 16), (1_000_000_000, 64)] {
            distance.set(Duration::from_nanos(nanoseconds));
            assert_eq!(distance.factor(), factor, "{nanoseconds} ns");
        }
        distance.forget();
        assert_eq!(distance.factor(), 0);
    }

    #[test]
    fn the_farther_the_cores_the_longer_a_chain_that_pays() {
        let (distance, of_a_step) = (Distance::new(), |batch: usize| batch * 503_552);
        let least = [200, 500, 1000].map(|nanoseconds| {
            distance.set(Duration::from_nanos(nanoseconds));
            (1..1000).find(|&batch| distance.pays(of_a_step(batch)))
        });
        assert_eq!(least, [Some(1), Some(18), Some(90)]);
    }
}
