//! What the benches share: rounds that alternate between contestants, medians, and the limits of this machine.
//!
//! Machines are noisy and drift. So every round times each contestant once, and the peak too, one after the other; what is
//! printed is the ratio of medians within one run.

#![allow(dead_code, reason = "each bench uses a part of it")]

use roofline_instances as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Time that one contestant gets in a round.
const SLICE: Duration = Duration::from_millis(2);
const ROUNDS: usize = 15;

/// `cargo bench -- --test`: run everything once, measure nothing.
pub fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// Whether the command line asks for this case: its filter, if there is one, is part of the name.
pub fn is_wanted(name: &str) -> bool {
    let mut filters = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    filters.peek().is_none() || filters.any(|filter| name.contains(&filter))
}

/// Median seconds of one call of each contestant, called back to back, over rounds that alternate between them. The first
/// call of a round, which finds the caches full of the other's data, is not counted.
pub fn alternate<const N: usize>(contestants: &mut [&mut dyn FnMut(); N]) -> [f64; N] {
    alternate_after(Duration::ZERO, contestants)
}

/// [`alternate`] where the calls of the first `while_waking` of each turn are not counted: threads fell asleep in the other's.
pub fn alternate_after<const N: usize>(while_waking: Duration, contestants: &mut [&mut dyn FnMut(); N]) -> [f64; N] {
    let (rounds, slice) = if is_test() { (1, Duration::ZERO) } else { (ROUNDS, SLICE) };
    let calls = contestants.each_mut().map(|run| calls_in(slice, run));
    let mut times = [const { Vec::new() }; N];
    for _ in 0..rounds {
        for ((run, &calls), times) in contestants.iter_mut().zip(&calls).zip(&mut times) {
            let turn = Instant::now();
            run();
            while turn.elapsed() < while_waking {
                run();
            }
            let start = Instant::now();
            for _ in 0..calls {
                run();
            }
            times.push(start.elapsed().as_secs_f64() / calls as f64);
        }
    }
    times.map(median)
}

/// How many calls fill the time, at least one.
fn calls_in(slice: Duration, run: &mut dyn FnMut()) -> u32 {
    run();
    let start = Instant::now();
    run();
    let once = start.elapsed().as_secs_f64().max(1e-9);
    (slice.as_secs_f64() / once).clamp(1.0, 1e6) as u32
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds for a pass that reads and writes `bytes` / 2 of memory in place: the bandwidth that a kernel which reads and
/// writes can hope for. Plain code, which the compiler turns into vectors of the build target.
pub fn read_modify_write(memory: &mut [f32]) {
    for x in black_box(&mut *memory) {
        *x = -*x;
    }
}

/// Deterministic values in [−1, 1).
pub fn values(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    };
    (0..count).map(|_| next()).collect()
}
