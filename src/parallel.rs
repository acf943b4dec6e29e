//! The only file that names rayon: work is split into parts before it enters an instruction set.

use core::ops::Range;

/// Threads of the current rayon pool; 1 without the feature `parallel`.
pub(crate) fn pool_threads() -> usize {
    #[cfg(feature = "parallel")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "parallel"))]
    1
}

/// Runs `part(0)` … `part(parts − 1)`, at the same time where threads are free. One part runs here, without rayon.
pub(crate) fn for_each(parts: usize, part: impl Fn(usize) + Sync) {
    halve(0..parts, &part);
}

/// A tree of joins: it allocates nothing, and the thread that forks works on the first half.
fn halve(parts: Range<usize>, part: &(impl Fn(usize) + Sync)) {
    match parts.len() {
        0 => {}
        1 => part(parts.start),
        len => {
            let middle = parts.start + len / 2;
            let (low, high) = (parts.start..middle, middle..parts.end);
            join(|| halve(low, part), || halve(high, part));
        }
    }
}

/// Σ term(i) over `range` in a tree of halves whose shape depends on the range alone, so that threads do not change the
/// bits. Forks until there are `forks` branches.
pub(crate) fn sum(range: Range<usize>, forks: usize, term: &(impl Fn(usize) -> f64 + Sync)) -> f64 {
    match range.len() {
        0 => 0.0,
        1 => term(range.start),
        len => {
            let middle = range.start + len / 2;
            let low = |forks| sum(range.start..middle, forks, term);
            let high = |forks| sum(middle..range.end, forks, term);
            let (low, high) =
                if forks > 1 { join(|| low(forks / 2), || high(forks - forks / 2)) } else { (low(1), high(1)) };
            low + high
        }
    }
}

/// Both, at the same time where a thread is free; one after the other without the feature `parallel`.
fn join<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    #[cfg(feature = "parallel")]
    return rayon::join(a, b);
    #[cfg(not(feature = "parallel"))]
    (a(), b())
}

/// Part `index` of `parts` of `0..len`, cut at multiples of `unit`: as even as that allows, in order, nothing left out.
pub(crate) fn part(len: usize, unit: usize, parts: usize, index: usize) -> Range<usize> {
    let units = len.div_ceil(unit);
    let bound = |i: usize| (units * i / parts * unit).min(len);
    bound(index)..bound(index + 1)
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
                next = range.end;
            }
            assert_eq!(next, len);
        }
    }
}
