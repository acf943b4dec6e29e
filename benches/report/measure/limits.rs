//! What the machine can do: peaks, bandwidths, overheads. In rounds, like everything else.

use super::passes::{Operation, Pass, fma};
use super::{Effort, on};
use crate::document::schema::{Bandwidth, Host, Limits, Overhead, Peak, Spread};
use roofline::{Exec, Isa, Mat};
use std::hint::black_box;
use std::time::Instant;

/// Caches of a machine that does not tell, in bytes.
const ASSUMED: [(&str, usize); 3] = [("L1", 32 << 10), ("L2", 1 << 20), ("L3", 32 << 20)];
/// Memory is what is so many times the last cache, but no more than a quarter of a gibibyte a thread.
const BEYOND: usize = 4;
const MOST: usize = 256 << 20;

/// Measures all of them; `progress` is told what comes next.
pub(crate) fn measure(effort: Effort, host: &Host, mut progress: impl FnMut(&str)) -> Limits {
    progress("FMA peaks");
    let fma = peaks(effort, host.threads);
    progress("bandwidths");
    let bandwidth = bandwidths(effort, host);
    progress("calls and forks");
    Limits { fma, bandwidth, overhead: overheads(effort, host.threads) }
}

/// 1 and all.
fn thread_counts(threads: usize) -> Vec<usize> {
    if threads > 1 { vec![1, threads] } else { vec![1] }
}

fn peaks(effort: Effort, threads: usize) -> Vec<Peak> {
    let mut measured: Vec<(Peak, Vec<f64>)> = Vec::new();
    for threads in thread_counts(threads) {
        for isa in Isa::available() {
            for element in ["f32", "f64"] {
                let gflops = Spread::default();
                measured.push((Peak { element: element.into(), isa: isa.to_string(), threads, gflops }, Vec::new()));
            }
        }
    }
    for _ in 0..effort.rounds {
        for (peak, rates) in &mut measured {
            let exec = on(peak.isa.parse().expect("its own name"), 1);
            rates.push(if peak.element == "f32" {
                fma::<f32>(exec, peak.threads)
            } else {
                fma::<f64>(exec, peak.threads)
            });
        }
    }
    measured.into_iter().map(|(peak, rates)| Peak { gflops: Spread::of(rates), ..peak }).collect()
}

/// The level whose working sets have so many bytes, with room for other things in a cache; empty between two of them.
fn level(bytes: usize, caches: &[(String, usize)]) -> String {
    let mut below = 0;
    for (name, size) in caches {
        if bytes > below && 4 * bytes <= 3 * size {
            return name.clone();
        }
        below = *size;
    }
    if bytes >= 2 * below { "memory".into() } else { String::new() }
}

/// Working sets of a thread: powers of two from 8 KiB until well beyond the caches for one thread, one of each level for all.
fn bandwidths(effort: Effort, host: &Host) -> Vec<Bandwidth> {
    let step = effort.choose(8, 4, 2, 2);
    let mut found = Vec::new();
    for threads in thread_counts(host.threads) {
        let caches = caches(host, threads);
        let last = caches.last().map_or(1 << 25, |cache| cache.1);
        let most = (BEYOND * last).min(MOST).next_power_of_two();
        let all = std::iter::successors(Some(8 << 10), |bytes| Some(bytes * step)).take_while(|&bytes| bytes <= most);
        let mut sizes: Vec<(usize, String)> = all.map(|bytes| (bytes, level(bytes, &caches))).collect();
        if sizes.last().is_none_or(|(bytes, _)| *bytes < most) {
            sizes.push((most, level(most, &caches)));
        }
        if threads > 1 {
            // The largest of each level.
            sizes.retain(|(_, level)| !level.is_empty());
            sizes.reverse();
            sizes.dedup_by(|a, b| a.1 == b.1);
            sizes.reverse();
        }
        for (bytes, level) in sizes {
            found.extend(working_set(effort, bytes, &level, threads));
        }
    }
    found
}

/// Names and bytes of the caches as one of so many threads has them.
fn caches(host: &Host, threads: usize) -> Vec<(String, usize)> {
    if host.caches.is_empty() {
        return ASSUMED.map(|(name, bytes)| (name.into(), bytes)).into();
    }
    host.caches.iter().map(|cache| (cache.level.clone(), cache.bytes / cache.cores.min(threads).max(1))).collect()
}

fn working_set(effort: Effort, bytes: usize, level: &str, threads: usize) -> impl Iterator<Item = Bandwidth> {
    let operations = [Operation::Read, Operation::Write, Operation::Update];
    let mut passes = operations.map(|operation| (Pass::new(operation, bytes * threads, threads), Vec::new()));
    for _ in 0..effort.rounds.min(9) {
        passes.iter_mut().for_each(|(pass, rates)| rates.push(pass.gb_per_s()));
    }
    let level = level.to_owned();
    operations.into_iter().zip(passes).map(move |(operation, (_, rates))| Bandwidth {
        level: level.clone(),
        bytes,
        operation: operation.name().into(),
        threads,
        gb_per_s: Spread::of(rates),
    })
}

/// Small calls, and what a fork costs beyond the even share of its work.
fn overheads(effort: Effort, threads: usize) -> Vec<Overhead> {
    let sequential = Exec::sequential();
    let (mut one, mut sixteen, mut x) = (square(1), square(16), [0.5_f32; 16]);
    let mut found = vec![
        overhead(effort, "gemm 1×1×1", || one(&sequential)),
        overhead(effort, "gemm 16×16×16", || sixteen(&sequential)),
        overhead(effort, "relu of 16 elements", || sequential.relu_inplace(black_box(&mut x)).expect("any slice")),
    ];
    if threads > 1 {
        found.push(fork(effort, threads));
    }
    found
}

fn square(n: usize) -> impl FnMut(&Exec) {
    let (a, b, mut c) = (Mat::<f32>::zeros(n, n), Mat::<f32>::zeros(n, n), Mat::<f32>::zeros(n, n));
    move |exec| exec.gemm(1.0, black_box(a.as_ref()), b.as_ref(), 0.0, c.as_mut()).expect("shapes agree")
}

fn overhead(effort: Effort, name: &str, mut run: impl FnMut()) -> Overhead {
    let calls = effort.choose(1, 2_000, 5_000, 10_000);
    let mut round = || {
        run();
        let start = Instant::now();
        (0..calls).for_each(|_| run());
        start.elapsed().as_secs_f64() / f64::from(calls)
    };
    Overhead { name: name.into(), seconds: Spread::of((0..effort.rounds).map(|_| round()).collect()) }
}

/// A product of 256³ on all threads, whose helpers are awake, less the even share of its time on one.
fn fork(effort: Effort, threads: usize) -> Overhead {
    let (alone, all) = (Exec::sequential(), Exec::default());
    let mut run = square(256);
    let calls = effort.choose(1, 10, 20, 40);
    let mut time = |exec: &Exec| {
        exec.region(|| {
            run(exec);
            let start = Instant::now();
            (0..calls).for_each(|_| run(exec));
            start.elapsed().as_secs_f64() / f64::from(calls)
        })
    };
    let rounds = (0..effort.rounds).map(|_| time(&all) - time(&alone) / threads as f64);
    let name = format!("a fork to {threads} threads, beyond an even share");
    Overhead { name, seconds: Spread::of(rounds.collect()) }
}
