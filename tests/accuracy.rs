//! Greatest errors of the elementary functions and activations in ULP. The exhaustive run writes `docs/accuracy.md`.

mod common;

use common::functions::{Function, functions};
use common::twofold::Wide;
use common::ulp::{all_f32, ulp};
use common::{Float, Rng, fma_execs, has_fma, sequential_execs};
use core::fmt::Write;
use roofline::Exec;
use std::sync::atomic::{AtomicU64, Ordering};

/// Greatest error and where it is.
type Worst<T> = (f64, T);

fn worse<T>(a: Worst<T>, b: Worst<T>) -> Worst<T> {
    if b.0 > a.0 { b } else { a }
}

/// The greatest error over `x` on one instruction set, given the exact values.
fn worst<T: Float>(exec: &Exec, function: &Function<T>, x: &[T], exact: &[Wide]) -> Worst<T> {
    let mut y = vec![T::ZERO; x.len()];
    (function.run)(exec, x, &mut y).unwrap();
    let errors = (0..x.len()).map(|i| (ulp(y[i], exact[i], function.floor), x[i]));
    errors.fold((0.0, T::ZERO), worse)
}

fn check<T: Float>(x: &[T], limit: impl Fn(&Function<T>) -> f64) {
    let mut failures = String::new();
    for function in functions::<T>() {
        let exact: Vec<Wide> = x.iter().map(|x| (function.oracle)(x.to_f64())).collect();
        for exec in sequential_execs() {
            let limit = if has_fma(exec.isa()) { limit(&function) } else { function.limits.unfused };
            let (error, at) = worst(&exec, &function, x, &exact);
            if error > limit {
                writeln!(failures, "{exec:?} {}({at:e}) is {error} ULP off", function.name).unwrap();
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn f32_errors_stay_below_their_limits() {
    check(&all_f32(100_003), |function: &Function<f32>| function.limits.f32);
}

#[test]
fn f64_errors_stay_below_their_limits() {
    check(&stratified_f64(20_000), |function: &Function<f64>| function.limits.f64);
}

/// Arguments of every scale that matters to a function here, uniform and by exponent, and cases known to be hard.
fn stratified_f64(count: usize) -> Vec<f64> {
    const SCALES: [f64; 12] = [1e-9, 1e-3, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 20.0, 40.0, 200.0, 750.0];
    let mut rng = Rng::new(71);
    let mut x: Vec<f64> = Vec::with_capacity(count + 100);
    while x.len() < count {
        x.push(f64::from_bits(rng.bits()));
        // Exponents −60 to 10.
        let bits = rng.bits();
        x.push(f64::from_bits(bits & !(0x7ff << 52) | (963 + (bits >> 52 & 0x7ff) % 71) << 52));
        x.extend(SCALES.map(|scale| scale * rng.value::<f64>()));
        // Beside 1, −1 and the zeros of the derivatives.
        for centre in [1.0, -1.0, -0.751_791_524_693_564_5, -0.752_4, -1.278_464_542_761_074] {
            x.push(centre * (1.0 + 1e-2 * rng.value::<f64>() * rng.value::<f64>().abs().powi(8)));
        }
    }
    // Lefèvre and Muller: hardest cases of exp and log.
    x.extend([7.541_752_774_995_959e-10, f64::from_bits(0x6a56_2a88_6136_29b6)]);
    x.extend([0.0, f64::INFINITY, f64::NAN, f64::from_bits(1), 1e-310, f64::MIN_POSITIVE, f64::MAX]);
    x.extend([709.78, 709.79, 745.13, 745.14, 708.4, 708.3, 19.06, 36.8, 26.54, 26.55, 27.22, 27.23, 37.5, 38.5, 38.6]);
    let mirrored: Vec<f64> = x.iter().rev().take(30).map(|x| -x).collect();
    x.extend(mirrored);
    x
}

/// The greatest error over all f32, and that every instruction set with FMA gives the same bits. The oracle is the same
/// function in f64, whose error the other half of the test bounds: 4 ULP of f64 are 10⁻⁸ of f32.
fn worst_everywhere(single: &Function<f32>, double: &Function<f64>, threads: usize) -> f64 {
    // What a block reads and writes fits the second level of cache.
    const STEP: usize = 1 << 13;
    let (next, execs) = (AtomicU64::new(0), fma_execs());
    let work = || {
        let mut worst = 0.0_f64;
        let (mut x, mut wide, mut exact) = (vec![0.0_f32; STEP], vec![0.0; STEP], vec![0.0; STEP]);
        let (mut expected, mut y) = (vec![0.0; STEP], vec![0.0; STEP]);
        loop {
            let first = next.fetch_add(STEP as u64, Ordering::Relaxed);
            if first > u64::from(u32::MAX) {
                return worst;
            }
            x.iter_mut().zip(0..).for_each(|(x, i)| *x = f32::from_bits(first as u32 + i));
            (single.run)(&execs[0], &x, &mut expected).unwrap();
            for exec in &execs[1..] {
                (single.run)(exec, &x, &mut y).unwrap();
                let differs = |a: f32, b: f32| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
                assert_eq!(count(&y, &expected, differs), 0, "{} from {:e} on {exec:?}", single.name, x[0]);
            }
            let settled = settled(double, &execs[0], [x[0], x[STEP - 1]]);
            match settled {
                Some(value) => exact.fill(value),
                None => {
                    wide.iter_mut().zip(&x).for_each(|(wide, &x)| *wide = f64::from(x));
                    (double.run)(&execs[0], &wide, &mut exact).unwrap();
                }
            }
            // Where everything is one value, the first stands for all.
            let is_one =
                settled.is_some() && expected.iter().fold(0, |or, y| or | (y.to_bits() ^ expected[0].to_bits())) == 0;
            let len = if is_one { 1 } else { STEP };
            let (found, exact) = (&expected[..len], &exact[..len]);
            // In most blocks there is nothing else to do.
            if count(found, exact, |y, exact| !is_within(worst, y, exact, single.floor)) > 0 {
                for (&y, &exact) in found.iter().zip(exact) {
                    if !is_within(worst, y, exact, single.floor) {
                        worst = worst.max(ulp(y, exact.into(), single.floor));
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).fold(0.0, f64::max)
    })
}

/// The value of the function over a block of neighbours, if that is one. Beyond 2048, and from 0 to 2⁻³⁰, every function here is monotone on
/// either side, or undefined: there its ends decide, which is half of the work of the oracle.
fn settled(function: &Function<f64>, exec: &Exec, ends: [f32; 2]) -> Option<f64> {
    let ends = ends.map(f64::from);
    let is_monotone = ends.iter().all(|x| x.abs() >= 2048.0) || ends.iter().all(|x| x.abs() <= 2.0_f64.powi(-30));
    if !is_monotone {
        return None;
    }
    let mut y = [0.0; 2];
    (function.run)(exec, &ends, &mut y).unwrap();
    (y[0].to_bits() == y[1].to_bits()).then_some(y[0])
}

/// Pairs that `is_bad`, by vectors: comparing takes as long as computing otherwise.
fn count<A: Copy, B: Copy>(a: &[A], b: &[B], is_bad: impl Fn(A, B) -> bool) -> usize {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2.
        return unsafe { count_avx2(a, b, is_bad) };
    }
    count_inline(a, b, is_bad)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn count_avx2<A: Copy, B: Copy>(a: &[A], b: &[B], is_bad: impl Fn(A, B) -> bool) -> usize {
    count_inline(a, b, is_bad)
}

#[inline(always)]
fn count_inline<A: Copy, B: Copy>(a: &[A], b: &[B], is_bad: impl Fn(A, B) -> bool) -> usize {
    a.iter().zip(b).map(|(&a, &b)| usize::from(is_bad(a, b))).sum()
}

/// Whether [`ulp`] is `worst` at most where an f64 is exact enough, by vectors. The few results of ∞ that f64 can hold are left
/// to [`ulp`].
#[inline]
fn is_within(worst: f64, found: f32, exact: f64, floor: i32) -> bool {
    let found = f64::from(found);
    // The power of two at or below |exact|; `least` is greater than that of a subnormal number.
    let power = f64::from_bits(exact.to_bits() & 0x7ff << 52);
    let least = f64::from_bits(((floor.max(-126) + 1023) as u64) << 52);
    let unit = if power > least { power } else { least } * f64::from(f32::EPSILON);
    let error = (found - exact).abs();
    // The unit of ∞ is ∞.
    let is_near = (error <= worst * unit) & (error < f64::INFINITY) | (found == exact);
    let has_sign = 1.0_f64.copysign(found) == 1.0_f64.copysign(exact);
    is_near & has_sign | found.is_nan() & exact.is_nan()
}

/// Of 10⁶ arguments and more.
fn worst_f64(function: &Function<f64>, x: &[f64], threads: usize) -> f64 {
    let work = |x: &[f64]| {
        let exact: Vec<Wide> = x.iter().map(|&x| (function.oracle)(x)).collect();
        fma_execs().iter().map(|exec| worst(exec, function, x, &exact).0).fold(0.0, f64::max)
    };
    std::thread::scope(|scope| {
        let parts = x.chunks(x.len().div_ceil(threads)).map(|part| scope.spawn(move || work(part)));
        parts.collect::<Vec<_>>().into_iter().map(|worker| worker.join().unwrap()).fold(0.0, f64::max)
    })
}

#[test]
#[ignore = "all 2³² inputs of 20 functions, and 10⁶ of f64: some minutes in release"]
fn errors_stay_below_their_limits_everywhere_and_are_written_down() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let x = stratified_f64(1_000_000);
    let mut failures = String::new();
    let mut table = String::from("| function | f32 | bound | f64 | bound |\n|---|---|---|---|---|\n");
    for (single, double) in functions::<f32>().iter().zip(&functions::<f64>()) {
        let worst = (worst_everywhere(single, double, threads), worst_f64(double, &x, threads));
        println!("{:16} {:.3} {:.3}", single.name, worst.0, worst.1);
        let (name, limits) = (single.name, single.limits);
        writeln!(table, "| `{name}` | {:.2} | {} | {:.2} | {} |", worst.0, limits.f32, worst.1, limits.f64).unwrap();
        if worst.0 > limits.f32 || worst.1 > limits.f64 {
            writeln!(failures, "{name}: {worst:?} ULP").unwrap();
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/accuracy.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, after) = (text.find("| function").unwrap(), text.rfind("|\n").unwrap() + 2);
    let now = format!("{}{table}{}", &text[..before], &text[after..]);
    // The documentation of the library includes it: a file that is written is a library that is built again.
    if now != text {
        std::fs::write(path, now).unwrap();
    }
}
