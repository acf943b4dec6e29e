//! `cargo bench --bench overhead`: what a call costs before it computes, and what a fork costs beyond the even share of the
//! work: cold (all asleep for 60 ms), in the first calls after that, and hot (later calls of the same sequence).
//! `-- --test` runs everything once.

mod common;

use common::{alternate, is_test};
use roofline::{Exec, Mat};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// A product that takes about 0.3 ms on one core: a small one among those that are worth a fork.
const SIDE: usize = 256;
/// Sequences of calls, each after a pause in which all helpers fall asleep.
const ROUNDS: usize = 15;
const CALLS: usize = 120;
const PAUSE: Duration = Duration::from_millis(60);

fn square(n: usize) -> impl FnMut(&Exec) {
    let (a, b, mut c) = (Mat::<f32>::zeros(n, n), Mat::<f32>::zeros(n, n), Mat::<f32>::zeros(n, n));
    move |exec| exec.gemm(1.0, black_box(a.as_ref()), b.as_ref(), 0.0, c.as_mut()).expect("shapes agree")
}

fn calls(exec: &Exec) {
    let (mut one, mut four, mut eight, mut sixteen) = (square(1), square(4), square(8), square(16));
    let mut x = [0.5_f32; 16];
    let [one, four, eight, sixteen, relu] = alternate(&mut [
        &mut || one(exec),
        &mut || four(exec),
        &mut || eight(exec),
        &mut || sixteen(exec),
        &mut || {
            exec.relu_inplace(black_box(&mut x)).expect("any slice");
        },
    ]);
    let peak = exec.fma_peak::<f32>(1);
    for (side, seconds) in [(1, one), (4, four), (8, eight), (16, sixteen)] {
        let share = 100.0 * 2e-9 * f64::from(side).powi(3) / seconds / peak;
        println!("gemm {side:2} cubed          {:7.1} ns   {share:5.1} % of {peak:.1} GFLOP/s", 1e9 * seconds);
    }
    println!("relu of 16 elements   {:7.1} ns", 1e9 * relu);
}

/// Median seconds of the first call of a sequence, of the next ten, and of the second half.
fn sequences(exec: &Exec, in_region: bool) -> [f64; 3] {
    let (rounds, count, pause) = if is_test() { (1, 24, Duration::ZERO) } else { (ROUNDS, CALLS, PAUSE) };
    let (mut run, mut times) = (square(SIDE), [const { Vec::new() }; 3]);
    for _ in 0..rounds {
        std::thread::sleep(pause);
        let mut sequence = || {
            for call in 0..count {
                let start = Instant::now();
                run(exec);
                let kind = if call == 0 { 0 } else { 1 + usize::from(call >= count / 2) };
                if call <= 10 || kind == 2 {
                    times[kind].push(start.elapsed().as_secs_f64());
                }
            }
        };
        if in_region { exec.region(sequence) } else { sequence() }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn forks(sequential: &Exec, threads: usize) {
    let exec = sequential.with_threads(threads).expect("a build with threads");
    let alone = sequences(sequential, false);
    for (place, times) in [("", sequences(&exec, false)), (", in a region", sequences(&exec, true))] {
        for ((what, alone), time) in ["cold", "first ten", "hot"].into_iter().zip(alone).zip(times) {
            let (what, extra) = (format!("{what}{place}"), 1e6 * (time - alone / threads as f64));
            let speedup = alone / time;
            println!("{threads} threads, {what:24} {extra:7.1} us beyond an even share   {speedup:4.2} x one thread");
        }
    }
}

fn main() {
    let sequential = Exec::sequential();
    println!("{}, products of f32", sequential.isa());
    calls(&sequential);
    for threads in 2..=Exec::default().threads() {
        forks(&sequential, threads);
    }
}
