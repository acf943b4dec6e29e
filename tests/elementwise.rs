//! exp, log and axpy: greatest error in ULP, special values, and independence of position and threads.

mod common;

use common::ulp::{Pair, all_f32, ulp};
use common::{Rng, THREADS, fma_execs, sequential_execs};
use roofline::{Element, Exec, Isa};

/// Measured over all 2³² inputs of f32 on AVX-512: 0.981 and 0.840.
const MAX_EXP_ULP: f64 = 1.0;
const MAX_LOG_ULP: f64 = 1.0;
/// `Portable` without FMA rounds twice.
const MAX_UNFUSED_ULP: f64 = 4.0;

fn limit(exec: &Exec, fused: f64) -> f64 {
    if exec.isa() == Isa::Portable { MAX_UNFUSED_ULP } else { fused }
}

type Function<T> = fn(&Exec, &[T], &mut [T]) -> Result<(), roofline::Error>;

fn worst<T: Element>(exec: &Exec, x: &[T], f: Function<T>, oracle: impl Fn(f64) -> Pair) -> (f64, T) {
    let mut y = vec![T::ZERO; x.len()];
    f(exec, x, &mut y).unwrap();
    let errors = x.iter().zip(&y).map(|(&x, &y)| (ulp(y, oracle(x.to_f64())), x));
    errors.fold((0.0, T::ZERO), |worst, error| if error.0 > worst.0 { error } else { worst })
}

#[test]
fn f32_errors_stay_below_their_limits() {
    let x = all_f32(3989);
    for exec in sequential_execs() {
        let (error, at) = worst(&exec, &x, |exec, x, y| exec.exp(x, y), |x| (x.exp(), 0.0));
        assert!(error <= limit(&exec, MAX_EXP_ULP), "{exec:?} exp({at:e}) is {error} ULP off");
        let (error, at) = worst(&exec, &x, |exec, x, y| exec.log(x, y), |x| (x.ln(), 0.0));
        assert!(error <= limit(&exec, MAX_LOG_ULP), "{exec:?} log({at:e}) is {error} ULP off");
    }
}

#[test]
#[ignore = "all 2³² inputs of two functions: two minutes in release"]
fn f32_errors_stay_below_their_limits_everywhere() {
    let exec = Exec::sequential();
    for first in (0..=u32::MAX).step_by(1 << 20) {
        let x: Vec<f32> = (first..=first | 0xf_ffff).map(f32::from_bits).collect();
        let (error, at) = worst(&exec, &x, |exec, x, y| exec.exp(x, y), |x| (x.exp(), 0.0));
        assert!(error <= MAX_EXP_ULP, "exp({at:e}) is {error} ULP off");
        let (error, at) = worst(&exec, &x, |exec, x, y| exec.log(x, y), |x| (x.ln(), 0.0));
        assert!(error <= MAX_LOG_ULP, "log({at:e}) is {error} ULP off");
    }
}

/// f64 against std, which is itself up to an ULP off: a loose bound, and the identity ln eˣ = x within it.
#[test]
fn f64_errors_stay_below_their_limits() {
    let mut values = Rng::new(21);
    let mut x: Vec<f64> = (0..100_000).map(|_| 745.0 * values.value::<f64>()).collect();
    x.extend((0..100_000).map(|_| values.value::<f64>()));
    x.extend([
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        709.78,
        709.79,
        -745.13,
        -745.14,
        -708.5,
        5e-324,
        1e-300,
    ]);
    for exec in sequential_execs() {
        let bound = 1.0 + limit(&exec, MAX_EXP_ULP);
        let (error, at) = worst(&exec, &x, |exec, x, y| exec.exp(x, y), |x| (x.exp(), 0.0));
        assert!(error <= bound, "{exec:?} exp({at:e}) is {error} ULP off");
        let positive: Vec<f64> = x.iter().map(|x| x.exp()).chain(x.iter().map(|x| x.abs())).collect();
        let (error, at) = worst(&exec, &positive, |exec, x, y| exec.log(x, y), |x| (x.ln(), 0.0));
        assert!(error <= bound, "{exec:?} log({at:e}) is {error} ULP off");
    }
}

#[test]
fn special_values() {
    for exec in sequential_execs() {
        let mut y = [0.0_f32; 5];
        exec.exp(&[0.0, f32::NEG_INFINITY, f32::INFINITY, 89.0, -104.0], &mut y).unwrap();
        assert_eq!(y, [1.0, 0.0, f32::INFINITY, f32::INFINITY, 0.0]);
        exec.log(&[1.0, 0.0, -0.0, f32::INFINITY, 1.0], &mut y).unwrap();
        assert_eq!(y, [0.0, f32::NEG_INFINITY, f32::NEG_INFINITY, f32::INFINITY, 0.0]);
        let mut nan = [0.0_f64; 3];
        exec.log(&[-1.0, f64::NEG_INFINITY, f64::NAN], &mut nan).unwrap();
        assert!(nan.iter().all(|x| x.is_nan()));
        exec.exp(&[f64::NAN; 3], &mut nan).unwrap();
        assert!(nan.iter().all(|x| x.is_nan()));
    }
}

/// The value at an index depends on the input there alone: not on the length, the position or the neighbours.
#[test]
fn position_and_length_do_not_matter() {
    let x: Vec<f32> = Rng::new(22).values(100);
    for exec in sequential_execs() {
        let mut whole = vec![0.0; 100];
        exec.exp(&x, &mut whole).unwrap();
        for start in 0..17 {
            for len in 0..50 {
                let mut y = vec![f32::NAN; len + 2];
                exec.exp(&x[start..start + len], &mut y[1..=len]).unwrap();
                assert_eq!(y[1..=len], whole[start..start + len]);
                assert!(y[0].is_nan() && y[len + 1].is_nan(), "nothing is written beside the slice");
            }
        }
    }
}

/// Long enough for three threads (2¹⁹ elements each).
#[test]
fn same_bits_on_any_threads_and_instruction_set() {
    let x: Vec<f32> = Rng::new(23).values((3 << 19) + 5);
    let mut first: Option<Vec<f32>> = None;
    for exec in fma_execs() {
        for threads in THREADS {
            let mut y = vec![0.0; x.len()];
            exec.with_threads(threads).unwrap().exp(&x, &mut y).unwrap();
            assert!(first.get_or_insert_with(|| y.clone()) == &y, "{exec:?} on {threads} threads");
        }
    }
}

#[test]
fn axpy_rounds_once_and_lengths_must_agree() {
    for exec in fma_execs() {
        let mut y = [-1.0 - f32::EPSILON];
        exec.axpy(1.0 + f32::EPSILON, &[1.0 + f32::EPSILON], &mut y).unwrap();
        // (1 + ε)² − (1 + ε) = ε + ε², which two roundings would lose.
        assert_eq!(y, [f32::EPSILON + f32::EPSILON * f32::EPSILON]);
        let error = exec.axpy(1.0, &[1.0, 2.0], &mut y).unwrap_err();
        assert_eq!(error.to_string(), "axpy: y: expected 2 elements, found 1");
        let error = exec.exp(&[1.0_f32; 3], &mut y).unwrap_err();
        assert_eq!(error.to_string(), "exp: expected 3 elements, found 1");
    }
}
