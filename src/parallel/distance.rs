//! How far the core of a helper is: what it takes to move memory there.
//!
//! Cores that share a cache hand each other a line in 2 ns, others (of another complex or socket, or of a virtual machine whose
//! cores lie apart) in 10 and more. A sequence of calls in which each reads what the one before wrote moves all of it again and again: far
//! helpers pay only where it computes for longer than that.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Lines that a measurement moves.
const LINES: usize = 64;
/// Nanoseconds that this takes between cores that share a cache, at most: 230 to 280 on Zen 4. Between others 830 to 1050 were measured there,
/// and 1000 to 1500 on Emerald Rapids.
const NEAR: usize = 280;
/// Work of a training step for which cores may be farther apart by a nanosecond. On two cores of Granite Rapids, 1600 to 1900 ns apart, steps of
/// 784-256-128-10 (15 million and half a million more an example) are 1.6 to 1.9 times as fast as on one; of small networks, steps of 5 million
/// are 0.8 to 1.2 times as fast and those of 3 million 0.6 times.
const CHAIN: usize = 7_000;

/// A cache line of its own.
#[repr(align(64))]
struct Line(AtomicU64);

pub(super) struct Distance {
    /// 0 before it was measured.
    nanoseconds: AtomicUsize,
    lines: [Line; LINES],
}

impl Distance {
    pub(super) const fn new() -> Self {
        Self { nanoseconds: AtomicUsize::new(0), lines: [const { Line(AtomicU64::new(0)) }; LINES] }
    }

    /// Brings all lines to the core that this runs on.
    pub(super) fn fetch(&self) {
        let sum = self.lines.iter().map(|line| line.0.load(Ordering::Relaxed)).fold(0, u64::wrapping_add);
        self.lines.iter().for_each(|line| line.0.store(sum, Ordering::Relaxed));
    }

    pub(super) fn forget(&self) {
        self.nanoseconds.store(0, Ordering::Relaxed);
    }

    /// Remembers what it took to move the lines.
    pub(super) fn set(&self, time: Duration) {
        self.nanoseconds.store((time.as_nanos() as usize).max(1), Ordering::Relaxed);
    }

    pub(super) fn is_known(&self) -> bool {
        self.nanoseconds.load(Ordering::Relaxed) > 0
    }

    /// Whether calls of so many multiply–adds together gain from a fork although their operands move; also where that is not known.
    pub(super) fn pays(&self, chain: usize) -> bool {
        chain / CHAIN >= self.nanoseconds.load(Ordering::Relaxed).saturating_sub(NEAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farther_the_cores_the_longer_a_chain_that_pays() {
        let (distance, of_a_step) = (Distance::new(), |batch: usize| batch * 503_552 + 15_050_000);
        assert!(!distance.is_known() && distance.pays(0));
        let least = [0, 280, 2000, 2500, 3000, 4000].map(|nanoseconds| {
            distance.set(Duration::from_nanos(nanoseconds));
            assert!(distance.is_known());
            (0..1000).find(|&batch| distance.pays(of_a_step(batch)))
        });
        assert_eq!(least, [Some(0), Some(0), Some(0), Some(1), Some(8), Some(22)]);
        distance.forget();
        assert!(!distance.is_known());
    }
}
