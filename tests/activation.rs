//! Activations and their gradients: greatest error in ULP, special values.

mod common;

use common::ulp::{Pair, all_f32, ulp};
use common::{Rng, sequential_execs};
use roofline::{Activation, Exec};

/// Measured over all 2³² inputs of f32 on AVX-512: 2.40, 2.42; gradients below 2.9.
const MAX_SIGMOID_ULP: f64 = 3.0;
const MAX_TANH_ULP: f64 = 3.0;
const MAX_GRADIENT_ULP: f64 = 3.5;
/// What std may add to that in the oracle for f64.
const STD_ULP: f64 = 2.0;

fn sigmoid(x: f64) -> Pair {
    (if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }, 0.0)
}

/// e/(1 + e)² with e = e^−|x|, which is σ′(x).
fn bell(x: f64) -> Pair {
    let e = (-x.abs()).exp();
    (e / ((1.0 + e) * (1.0 + e)), 0.0)
}

type Function<T> = fn(&Exec, &[T], &mut [T]) -> Result<(), roofline::Error>;
type Case<T> = (&'static str, Function<T>, fn(f64) -> Pair, f64);

macro_rules! cases {
    () => {
        [
            ("sigmoid", |exec, x, y| exec.sigmoid(x, y), sigmoid, MAX_SIGMOID_ULP),
            ("tanh", |exec, x, y| exec.tanh(x, y), |x| (x.tanh(), 0.0), MAX_TANH_ULP),
            ("sigmoid_grad", |exec, x, y| exec.sigmoid_grad(x, &vec![1.0; x.len()], y), bell, MAX_GRADIENT_ULP),
            (
                "tanh_grad",
                |exec, x, y| exec.tanh_grad(x, &vec![1.0; x.len()], y),
                |x| (4.0 * bell(2.0 * x).0, 0.0),
                MAX_GRADIENT_ULP,
            ),
        ]
    };
}

#[test]
fn f32_errors_stay_below_their_limits() {
    let x = all_f32(5003);
    let cases: [Case<f32>; 4] = cases!();
    for exec in sequential_execs() {
        for (name, function, oracle, limit) in cases {
            let mut y = vec![0.0; x.len()];
            function(&exec, &x, &mut y).unwrap();
            for (&x, &y) in x.iter().zip(&y) {
                let error = ulp(y, oracle(f64::from(x)));
                assert!(error <= limit, "{exec:?} {name}({x:e}) = {y:e} is {error} ULP off");
            }
        }
    }
}

#[test]
#[ignore = "all 2³² inputs of four functions: five minutes in release"]
fn f32_errors_stay_below_their_limits_everywhere() {
    let (exec, cases): (Exec, [Case<f32>; 4]) = (Exec::sequential(), cases!());
    let mut y = vec![0.0; 1 << 20];
    for first in (0..=u32::MAX).step_by(1 << 20) {
        let x: Vec<f32> = (first..=first | 0xf_ffff).map(f32::from_bits).collect();
        for (name, function, oracle, limit) in cases {
            function(&exec, &x, &mut y).unwrap();
            for (&x, &y) in x.iter().zip(&y) {
                let error = ulp(y, oracle(f64::from(x)));
                assert!(error <= limit, "{name}({x:e}) = {y:e} is {error} ULP off");
            }
        }
    }
}

#[test]
fn f64_errors_stay_below_their_limits() {
    let mut values = Rng::new(31);
    let mut x: Vec<f64> = [700.0, 20.0, 1.0, 1e-3, 1e-7]
        .iter()
        .flat_map(|scale| values.values::<f64>(20_000).into_iter().map(move |x| x * scale))
        .collect();
    x.extend([0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324, -1e-310, 19.06, -36.8]);
    let cases: [Case<f64>; 4] = cases!();
    for exec in sequential_execs() {
        for (name, function, oracle, limit) in cases {
            let mut y = vec![0.0; x.len()];
            function(&exec, &x, &mut y).unwrap();
            for (&x, &y) in x.iter().zip(&y) {
                let error = ulp(y, oracle(x));
                assert!(error <= limit + STD_ULP, "{exec:?} {name}({x:e}) = {y:e} is {error} ULP off");
            }
        }
    }
}

#[test]
fn relu_and_its_gradient_are_exact() {
    let x = [-1.0_f32, -0.0, 0.0, 1e-45, 2.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    for exec in sequential_execs() {
        let (mut y, mut dx) = ([0.0; 8], [0.0; 8]);
        exec.relu(&x, &mut y).unwrap();
        assert_eq!(y[..7], [0.0, 0.0, 0.0, 1e-45, 2.0, f32::INFINITY, 0.0]);
        assert!(y[7].is_nan());
        exec.relu_grad(&x, &[3.0; 8], &mut dx).unwrap();
        assert_eq!(dx, [0.0, 0.0, 0.0, 3.0, 3.0, 3.0, 0.0, 3.0]);
    }
}

#[test]
fn in_place_and_from_output_agree_with_the_plain_forms() {
    let (z, dy) = (Rng::new(32).values::<f64>(77), Rng::new(33).values::<f64>(77));
    for exec in sequential_execs() {
        let (mut y, mut dz) = (vec![0.0; 77], vec![0.0; 77]);
        exec.tanh(&z, &mut y).unwrap();
        exec.tanh_grad(&z, &dy, &mut dz).unwrap();
        let (mut in_place, mut by_enum, mut from_output) = (z.clone(), z.clone(), dy.clone());
        exec.tanh_inplace(&mut in_place).unwrap();
        exec.activation_inplace(Activation::Tanh, &mut by_enum).unwrap();
        exec.activation_grad_from_output_inplace(Activation::Tanh, &y, &mut from_output).unwrap();
        assert_eq!((&in_place, &by_enum), (&y, &y));
        for (a, b) in from_output.iter().zip(&dz) {
            // Cancellation in 1 − y² at |y| < tanh 1.
            assert!((a - b).abs() <= 8.0 * f64::EPSILON * b.abs(), "{a} against {b}");
        }
        let mut identity = dy.clone();
        exec.activation_grad_from_output_inplace(Activation::Identity, &y, &mut identity).unwrap();
        assert_eq!(identity, dy);
    }
}

#[test]
fn lengths_must_agree() {
    let exec = Exec::sequential();
    let mut y = [7.0_f32; 2];
    let message = |result: Result<(), roofline::Error>| result.unwrap_err().to_string();
    assert_eq!(message(exec.sigmoid(&[0.0; 3], &mut y)), "sigmoid: expected 3 elements, found 2");
    assert_eq!(message(exec.relu_grad(&[0.0; 2], &[0.0; 5], &mut y)), "relu_grad: expected 2 elements, found 5");
    assert_eq!(message(exec.relu_grad(&[0.0; 3], &[0.0; 3], &mut y)), "relu_grad: expected 3 elements, found 2");
    assert_eq!(y, [7.0; 2], "nothing is written");
}
