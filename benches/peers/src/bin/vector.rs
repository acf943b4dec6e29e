//! `cargo run --release --manifest-path benches/peers/Cargo.toml --bin vector [-- --test | FILTER …]`: the vector kernels of roofline
//! against those of `rten-vecmath`, f32, one thread, from one array to another in cache. All arrays begin on cache lines: elsewhere each
//! vector is two lines, and whose output lies better wins.

use roofline::{Error, Exec, Mat, MatMut, MatRef, Reduction};
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_vecmath::{
    ApproxGelu, Elu, Erf, Exp, Gelu, LeakyRelu, LogSoftmax, MaxNum, MinNum, Sigmoid, Silu, Softmax, Sum, SumAbs,
    SumSquare, Tanh,
};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

/// Time of a contestant's turn.
const SLICE: Duration = Duration::from_millis(2);
/// Turns of which the median counts.
const ROUNDS: usize = 15;

/// What the command line asks for.
struct Args {
    /// Compare results, time nothing.
    test: bool,
    /// Parts of the names of cases; none is all.
    filters: Vec<String>,
}

/// A kernel of ours, from x to y.
type Ours = fn(&Exec, &[f32], &mut [f32]) -> Result<(), Error>;
/// Theirs.
type Theirs = for<'a> fn(&[f32], &'a mut [MaybeUninit<f32>]) -> &'a mut [f32];
/// A reduction of theirs.
type Reducing = fn(&[f32]) -> f32;

fn main() {
    let (tests, filters): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument == "--test");
    let args = Args { test: !tests.is_empty(), filters };
    let exec = Exec::sequential();
    let mut ratios = Vec::new();
    let functions: [(&str, Ours, Theirs); 9] = [
        ("exp", |e, x, y| e.exp(x, y), |x, y| Exp {}.map(x, y)),
        ("sigmoid", |e, x, y| e.sigmoid(x, y), |x, y| Sigmoid {}.map(x, y)),
        ("tanh", |e, x, y| e.tanh(x, y), |x, y| Tanh {}.map(x, y)),
        ("erf", |e, x, y| e.erf(x, y), |x, y| Erf {}.map(x, y)),
        ("gelu", |e, x, y| e.gelu(x, y), |x, y| Gelu {}.map(x, y)),
        ("gelu_tanh", |e, x, y| e.gelu_tanh(x, y), |x, y| ApproxGelu {}.map(x, y)),
        ("silu", |e, x, y| e.silu(x, y), |x, y| Silu {}.map(x, y)),
        ("elu", |e, x, y| e.elu(x, y), |x, y| Elu { alpha: 1.0 }.map(x, y)),
        ("leaky_relu", |e, x, y| e.leaky_relu(x, y), |x, y| LeakyRelu { alpha: 0.01 }.map(x, y)),
    ];
    for len in [4096, 65_536] {
        for (name, ours, theirs) in functions {
            let x = values(len);
            let [mut a, mut b] = [zeros(len), zeros(len)];
            let mut ours = || ours(&exec, black_box(x.as_slice()), a.as_mut_slice()).expect("one length");
            let mut theirs = || {
                theirs(black_box(x.as_slice()), uninit(b.as_mut_slice()));
            };
            ratios.extend(compare(&args, &format!("{name} {len}"), len, &mut ours, &mut theirs));
            check(&args, name, a.as_slice(), b.as_slice(), 1e-4);
        }
        let reductions: [(&str, Reduction, Reducing); 5] = [
            ("sum", Reduction::Sum, |x| Sum::new(x).dispatch()),
            ("sum of squares", Reduction::SumOfSquares, |x| SumSquare::new(x).dispatch()),
            ("sum of magnitudes", Reduction::Norm1, |x| SumAbs::new(x).dispatch()),
            ("max", Reduction::Max, |x| MaxNum::new(x).dispatch()),
            ("min", Reduction::Min, |x| MinNum::new(x).dispatch()),
        ];
        for (name, reduction, theirs) in reductions {
            let x = values(len);
            let [mut a, mut b] = [0.0, 0.0];
            let mut ours = || a = exec.reduce(reduction, black_box(x.as_slice())).expect("not empty");
            let mut theirs = || b = theirs(black_box(x.as_slice()));
            ratios.extend(compare(&args, &format!("{name} {len}"), len, &mut ours, &mut theirs));
            check(&args, name, &[a], &[b], 1e-3 * len as f32);
        }
    }
    for (rows, cols) in [(1024, 10), (1024, 128), (256, 1000)] {
        let x = values(rows * cols);
        let z = MatRef::from_slice(x.as_slice(), rows, cols).expect("the length fits");
        for log in [false, true] {
            let name = if log { "log_softmax" } else { "softmax" };
            let (mut a, mut b) = (Mat::zeros(rows, cols), zeros(rows * cols));
            let mut ours = || {
                let y: MatMut<'_, f32> = a.as_mut();
                let result = if log { exec.log_softmax(black_box(z), y) } else { exec.softmax(black_box(z), y) };
                result.expect("one shape");
            };
            let mut theirs = || {
                for (x, y) in black_box(x.as_slice()).chunks(cols).zip(b.as_mut_slice().chunks_mut(cols)) {
                    let y = uninit(y);
                    if log {
                        LogSoftmax::new(x, y).dispatch()
                    } else {
                        Softmax::new(x, y).dispatch()
                    };
                }
            };
            ratios.extend(compare(&args, &format!("{name} {rows}x{cols}"), rows * cols, &mut ours, &mut theirs));
            check(&args, name, a.as_slice(), b.as_slice(), 1e-4);
        }
    }
    if !ratios.is_empty() {
        let mean = (ratios.iter().map(|ratio: &f64| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        println!("{} cases: geometric mean {mean:.2}, least {least:.2}", ratios.len());
    }
}

/// Times both, in turns, and prints nanoseconds an element; how many times as fast ours is.
fn compare(args: &Args, name: &str, len: usize, ours: &mut dyn FnMut(), theirs: &mut dyn FnMut()) -> Option<f64> {
    ours();
    theirs();
    if args.test || !(args.filters.is_empty() || args.filters.iter().any(|filter| name.contains(filter.as_str()))) {
        return None;
    }
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        times[0].push(turn(ours));
        times[1].push(turn(theirs));
    }
    let [a, b] = times.map(median);
    let per_element = 1e9 / len as f64;
    println!("{name:26} ours {:7.3} theirs {:7.3} ns/element  {:5.2}", a * per_element, b * per_element, b / a);
    Some(b / a)
}

/// Seconds of a call.
fn turn(run: &mut dyn FnMut()) -> f64 {
    run();
    let (start, mut calls) = (Instant::now(), 0);
    while start.elapsed() < SLICE {
        for _ in 0..8 {
            run();
        }
        calls += 8;
    }
    start.elapsed().as_secs_f64() / f64::from(calls)
}

/// Both computed the same, or one of the two is wrong.
fn check(args: &Args, name: &str, a: &[f32], b: &[f32], tolerance: f32) {
    for (a, b) in a.iter().zip(b) {
        assert!(!args.test || (a - b).abs() <= tolerance * (1.0 + a.abs()), "{name}: ours {a}, theirs {b}");
    }
}

/// The same memory, to be written.
fn uninit(y: &mut [f32]) -> &mut [MaybeUninit<f32>] {
    // SAFETY: one layout; only numbers are written, which rten-vecmath promises to do everywhere.
    unsafe { &mut *(y as *mut [f32] as *mut [MaybeUninit<f32>]) }
}

/// Numbers in [−8, 8), in no order.
fn values(len: usize) -> Mat<f32> {
    Mat::from_fn(1, len, |_, i| (i * 7919 % len) as f32 / len as f32 * 16.0 - 8.0)
}

/// Room for results.
fn zeros(len: usize) -> Mat<f32> {
    Mat::zeros(1, len)
}

/// The middle value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
