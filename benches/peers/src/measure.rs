//! Rounds in which each contestant has its turn, and the FMA peak too; what counts is the median over rounds.
//!
//! Machines are noisy and drift, so rates of different rounds are not compared. With threads, a turn begins when
//! the process is quiet: workers of the pool that ran before spin for a while, and would take a core from the next one. Then the contestant wakes
//! its own workers with calls that are not counted.

use crate::problem::{Problem, Rival};
use roofline::{Element, Exec, Mat};
use rustix::time::{ClockId, clock_gettime};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time that a contestant's counted calls fill in a round.
const SLICE: Duration = Duration::from_millis(2);
/// Calls that wake a contestant's own threads: on a guest, a core that sleeps can take milliseconds to come.
const WAKE: Duration = Duration::from_millis(10);
/// Between two looks at whether the process is quiet.
const LOOK: Duration = Duration::from_millis(5);
/// The most looks.
const LOOKS: usize = 200;
/// Runs of the peak in a round, about a millisecond each, of which the best counts.
const PEAK_RUNS: usize = 3;

/// Medians over rounds.
pub struct Timing {
    /// Seconds of one call of each contestant.
    pub seconds: Vec<f64>,
    /// GFLOP/s of independent FMA chains on all threads of the pool.
    pub peak: f64,
}

/// Times the contestants on the current rayon pool.
pub fn time<T: Element>(contestants: &[&dyn Rival<T>], problem: &Problem<T>, rounds: usize) -> Timing {
    let mut c = Mat::zeros(problem.shape.m, problem.shape.n);
    let has_threads = rayon::current_num_threads() > 1;
    let mut turn = |contestant: &dyn Rival<T>, calls: Option<u32>| {
        let mut run = || contestant.gemm(problem, &mut c);
        if has_threads {
            wait_for_quiet();
        }
        run_for(if has_threads { WAKE } else { Duration::ZERO }, &mut run);
        match calls {
            Some(calls) => run_times(calls, &mut run),
            None => run_for(SLICE, &mut run),
        }
    };
    let calls: Vec<u32> =
        contestants.iter().map(|contestant| (SLICE.as_secs_f64() / turn(*contestant, None)).max(1.0) as u32).collect();
    let mut seconds = vec![Vec::new(); contestants.len()];
    let mut peaks = Vec::new();
    for round in 0..rounds {
        if has_threads {
            wait_for_quiet();
        }
        peaks.push(peak::<T>());
        for place in 0..contestants.len() {
            let index = (round + place) % contestants.len();
            seconds[index].push(turn(contestants[index], Some(calls[index])));
        }
    }
    Timing { seconds: seconds.into_iter().map(median).collect(), peak: median(peaks) }
}

/// Until no thread of this process runs any more: workers of OpenBLAS spin for 0.1 s, those of MKL for 0.2 s.
fn wait_for_quiet() {
    let cpu_time = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default();
    for _ in 0..LOOKS {
        let before = cpu_time();
        sleep(LOOK);
        if cpu_time() - before < LOOK / 10 {
            break;
        }
    }
}

/// Calls until the time is over, at least once; the seconds of one.
fn run_for(time: Duration, run: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    let mut calls = 0;
    while calls == 0 || start.elapsed() < time {
        run();
        calls += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(calls)
}

/// So many calls back to back; the seconds of one.
fn run_times(calls: u32, run: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        run();
    }
    start.elapsed().as_secs_f64() / f64::from(calls)
}

/// GFLOP/s that the threads of the current pool reach together.
fn peak<T: Element>() -> f64 {
    rayon::broadcast(|_| Exec::sequential().fma_peak::<T>(PEAK_RUNS)).into_iter().sum()
}

/// The middle value, the upper one of two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
