//! The only file that names rayon: a call is cut into parts before it enters an instruction set, and a crew works them off.
//!
//! ```text
//! caller ──► publishes a job of n parts ──► claims parts until none is left ──► waits for those that others claimed
//! helpers (on the caller's rayon pool) ──► claim parts of job after job ──► linger a little ──► leave
//! ```
//!
//! To wake a sleeping worker takes about 0.1 ms, more than most products of an MLP. So helpers stay for a short while after a
//! job (a longer one within a region), and a job that finds them awake costs about a microsecond. A job never waits for a
//! helper that has not come: the caller claims parts itself, from the first to the last. How far away helpers are is measured
//! (distance.rs): calls that hand data to each other are cut only if they gain more than moving it takes.

use core::ops::Range;

/// Threads of the current rayon pool; 1 without the feature `parallel`.
pub(crate) fn pool_threads() -> usize {
    #[cfg(feature = "parallel")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "parallel"))]
    1
}

/// Into how many parts work goes that is worth `quanta` forks: 1 where that is not faster. Calls of a chain (see [`Exec::chained`]) are cut
/// if it is long enough for helpers as far away as they are.
///
/// [`Exec::chained`]: crate::Exec::chained
pub(crate) fn parts(threads: usize, quanta: usize, chain: Option<usize>) -> usize {
    crew::parts(threads, quanta, chain)
}

/// [`parts`] where every helper is awake.
pub(crate) fn most_parts(threads: usize, quanta: usize) -> usize {
    crew::most_parts(threads, quanta)
}

/// Runs `part(0)` … `part(parts − 1)` on at most `threads` threads. One part runs here and touches nothing else.
pub(crate) fn for_each(threads: usize, parts: usize, part: impl Fn(usize) + Sync) {
    if parts > 1 { crew::run(threads, parts, &part) } else { (0..parts).for_each(part) }
}

/// Runs `body` while helpers stay.
pub(crate) fn region<R>(threads: usize, body: impl FnOnce() -> R) -> R {
    let _open = crew::Region::open(threads);
    body()
}

/// Σ term(i) over `range` in a tree of halves whose shape depends on the range alone, so that threads do not change the
/// bits: `parts` of its branches are summed at the same time.
pub(crate) fn sum(threads: usize, parts: usize, range: Range<usize>, term: &(impl Fn(usize) -> f64 + Sync)) -> f64 {
    const DEPTH: u32 = 6;
    let depth = parts.next_power_of_two().ilog2().min(DEPTH);
    let sums = [const { core::sync::atomic::AtomicU64::new(0) }; 1 << DEPTH];
    for_each(threads, 1 << depth, |index| {
        let mut branch = range.clone();
        for level in (0..depth).rev() {
            let (low, high) = halves(&branch);
            branch = if index >> level & 1 == 0 { low } else { high };
        }
        sums[index].store(tree(branch, term).to_bits(), core::sync::atomic::Ordering::Relaxed);
    });
    // The tree above the branches. An empty branch holds −0, which changes no sum.
    let mut sums = sums.map(|sum| f64::from_bits(sum.into_inner()));
    for level in (0..depth).rev() {
        for i in 0..1 << level {
            sums[i] = sums[2 * i] + sums[2 * i + 1];
        }
    }
    sums[0]
}

fn tree(range: Range<usize>, term: &impl Fn(usize) -> f64) -> f64 {
    match range.len() {
        0 => -0.0,
        1 => term(range.start),
        _ => {
            let (low, high) = halves(&range);
            tree(low, term) + tree(high, term)
        }
    }
}

fn halves(range: &Range<usize>) -> (Range<usize>, Range<usize>) {
    let middle = range.start + range.len() / 2;
    (range.start..middle, middle..range.end)
}

/// Part `index` of `parts` of `0..len`, cut at multiples of `unit`: as even as that allows, in order, nothing left out.
pub(crate) fn part(len: usize, unit: usize, parts: usize, index: usize) -> Range<usize> {
    // The divisions cost as much as a short call.
    if parts == 1 {
        return 0..len;
    }
    let units = len.div_ceil(unit);
    let bound = |i: usize| (units * i / parts * unit).min(len);
    bound(index)..bound(index + 1)
}

#[cfg(feature = "parallel")]
mod cores;
#[cfg(feature = "parallel")]
mod crew;
#[cfg(feature = "parallel")]
mod distance;
/// Without the feature everything runs on the calling thread.
#[cfg(not(feature = "parallel"))]
mod crew {
    pub(super) fn parts(_threads: usize, _quanta: usize, _chain: Option<usize>) -> usize {
        1
    }

    pub(super) fn most_parts(_threads: usize, _quanta: usize) -> usize {
        1
    }

    pub(super) fn run(_threads: usize, parts: usize, part: &impl Fn(usize)) {
        (0..parts).for_each(part);
    }

    pub(super) struct Region;

    impl Region {
        pub(super) fn open(_threads: usize) -> Option<Self> {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_range_in_order() {
        for (len, unit, parts) in [(0, 1, 3), (1, 8, 2), (100, 8, 3), (7, 1, 7), (64, 16, 5), (1000, 48, 2)] {
            let mut next = 0;
            for index in 0..parts {
                let range = part(len, unit, parts, index);
                assert_eq!(range.start, next);
                assert!(range.start.is_multiple_of(unit) || range.is_empty());
                assert!(range.len() <= len.div_ceil(unit).div_ceil(parts) * unit, "{range:?} is more than its share");
                next = range.end;
            }
            assert_eq!(next, len);
        }
    }

    #[test]
    fn the_number_of_parts_does_not_change_a_sum() {
        for len in [0, 1, 2, 3, 5, 64, 65, 100, 1000] {
            let term = |i: usize| 1.0 / (i as f64 + 0.3);
            let sums = [1, 2, 3, 4, 16, 64, 500].map(|parts| sum(2, parts, 0..len, &term));
            assert!(sums.iter().all(|sum| sum.to_bits() == sums[0].to_bits()), "{len}: {sums:?}");
            let expected: f64 = (0..len).map(term).sum();
            assert!((sums[0] - expected).abs() <= 1e-13 * expected);
        }
        // Branches without terms change nothing, not even the sign of 0.
        assert!([1, 2, 64].iter().all(|&parts| sum(2, parts, 0..1, &|_| -0.0).is_sign_negative()));
    }

    /// The helper of a region leaves after a while without a job, here before the first one: it is called again.
    #[cfg(feature = "parallel")]
    #[test]
    fn a_job_of_a_region_has_helpers_however_late_it_comes() {
        use core::sync::atomic::{AtomicUsize, Ordering};
        use std::time::{Duration, Instant};
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let (here, met) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let meet = |_| {
            here.fetch_add(1, Ordering::SeqCst);
            let start = Instant::now();
            while here.load(Ordering::SeqCst) < 2 && start.elapsed() < Duration::from_secs(20) {
                std::thread::yield_now();
            }
            met.fetch_add(here.load(Ordering::SeqCst), Ordering::SeqCst);
        };
        pool.install(|| {
            region(2, || {
                std::thread::sleep(Duration::from_millis(100));
                for_each(2, 2, meet);
            });
        });
        assert_eq!(met.into_inner(), 4, "each of two parts found the other one");
    }
}
