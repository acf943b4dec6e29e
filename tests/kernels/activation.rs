//! Activations and their gradients: special values, and that every way to call them agrees. Errors in ULP: `tests/accuracy.rs`.

use crate::common::functions::functions;
use crate::common::twofold::exponent;
use crate::common::{Float, Rng, fma_execs, sequential_execs};
use roofline::{Activation, Error, Exec};
use std::time::Instant;

both_types!(limits_are_as_fast_as_other_values);

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
fn leaky_relu_and_its_gradient_are_exact() {
    let x = [-1.0_f64, -0.0, 0.0, 5e-324, 2.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    for exec in sequential_execs() {
        let (mut y, mut dx) = ([0.0; 8], [0.0; 8]);
        exec.leaky_relu(&x, &mut y).unwrap();
        assert_eq!(y[..7], [-0.01, 0.0, 0.0, 5e-324, 2.0, f64::INFINITY, f64::NEG_INFINITY]);
        assert!(y[1].is_sign_negative() && y[7].is_nan());
        exec.leaky_relu_grad(&x, &[3.0; 8], &mut dx).unwrap();
        assert_eq!(dx, [0.03, 0.03, 0.03, 3.0, 3.0, 3.0, 0.03, 3.0]);
    }
}

/// At ±0, ±∞ and NaN: values, and gradients of dy = 1.
#[test]
fn special_values() {
    use Activation::{Elu, Gelu, GeluTanh, Sigmoid, Silu, Softplus, Tanh};
    let z = [-0.0_f32, 0.0, f32::NEG_INFINITY, f32::INFINITY, f32::NAN];
    let ln_2 = core::f32::consts::LN_2;
    let cases = [
        (Elu, [-0.0, 0.0, -1.0, f32::INFINITY], [1.0, 1.0, 0.0, 1.0]),
        (Sigmoid, [0.5, 0.5, 0.0, 1.0], [0.25, 0.25, 0.0, 0.0]),
        (Tanh, [-0.0, 0.0, -1.0, 1.0], [1.0, 1.0, 0.0, 0.0]),
        (Gelu, [-0.0, 0.0, -0.0, f32::INFINITY], [0.5, 0.5, -0.0, 1.0]),
        (GeluTanh, [-0.0, 0.0, -0.0, f32::INFINITY], [0.5, 0.5, -0.0, 1.0]),
        (Silu, [-0.0, 0.0, -0.0, f32::INFINITY], [0.5, 0.5, -0.0, 1.0]),
        (Softplus, [ln_2, ln_2, 0.0, f32::INFINITY], [0.5, 0.5, 0.0, 1.0]),
    ];
    for exec in fma_execs() {
        for (activation, values, gradients) in cases {
            let (mut y, mut d) = (z, [1.0; 5]);
            exec.activation_inplace(activation, &mut y).unwrap();
            exec.activation_grad_inplace(activation, &z, &mut d).unwrap();
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&y[..4]), bits(&values), "{activation} on {exec:?}: {y:?}");
            assert_eq!(bits(&d[..4]), bits(&gradients), "gradient of {activation} on {exec:?}: {d:?}");
            assert!(y[4].is_nan() && d[4].is_nan(), "{activation} of NaN on {exec:?}");
        }
    }
}

/// What [`Exec`] offers for one activation.
type Plain = fn(&Exec, &[f64], &mut [f64]) -> Result<(), Error>;
type InPlace = fn(&Exec, &mut [f64]) -> Result<(), Error>;
type Gradient = fn(&Exec, &[f64], &[f64], &mut [f64]) -> Result<(), Error>;

#[test]
fn every_way_to_call_an_activation_agrees() {
    macro_rules! ways {
        ($($activation:ident: $plain:ident $inplace:ident $gradient:ident;)*) => {
            [$((
                Activation::$activation,
                (|exec, x, y| exec.$plain(x, y)) as Plain,
                (|exec, x| exec.$inplace(x)) as InPlace,
                (|exec, z, dy, dz| exec.$gradient(z, dy, dz)) as Gradient,
            )),*]
        };
    }
    let ways = ways! {
        Relu: relu relu_inplace relu_grad;
        LeakyRelu: leaky_relu leaky_relu_inplace leaky_relu_grad;
        Elu: elu elu_inplace elu_grad;
        Sigmoid: sigmoid sigmoid_inplace sigmoid_grad;
        Tanh: tanh tanh_inplace tanh_grad;
        Gelu: gelu gelu_inplace gelu_grad;
        GeluTanh: gelu_tanh gelu_tanh_inplace gelu_tanh_grad;
        Silu: silu silu_inplace silu_grad;
        Softplus: softplus softplus_inplace softplus_grad;
    };
    assert_eq!(ways.len() + 1, Activation::ALL.len(), "all but the identity");
    let z: Vec<f64> = Rng::new(32).values::<f64>(77).iter().map(|z| 3.0 * z).collect();
    let dy = Rng::new(33).values::<f64>(77);
    for exec in sequential_execs() {
        for (activation, plain, in_place, gradient) in ways {
            let (mut y, mut dz) = (vec![0.0; 77], vec![0.0; 77]);
            plain(&exec, &z, &mut y).unwrap();
            gradient(&exec, &z, &dy, &mut dz).unwrap();
            let (mut a, mut b, mut c, mut d) = (z.clone(), z.clone(), dy.clone(), dy.clone());
            let mut chosen = vec![0.0; 77];
            exec.activation(activation, &z, &mut chosen).unwrap();
            assert_eq!(chosen, y, "{activation} on {exec:?}");
            in_place(&exec, &mut a).unwrap();
            exec.activation_inplace(activation, &mut b).unwrap();
            exec.activation_grad_inplace(activation, &z, &mut c).unwrap();
            assert_eq!((&a, &b, &c), (&y, &y, &dz), "{activation} on {exec:?}");
            let from_output = exec.activation_grad_from_output_inplace(activation, &y, &mut d);
            if !activation.output_determines_gradient() {
                assert_eq!(from_output, Err(Error::NoGradientFromOutput { activation }));
                assert!(from_output.unwrap_err().to_string().contains(activation.name()));
                assert_eq!(d, dy, "nothing is written");
                continue;
            }
            for (a, b) in d.iter().zip(&dz) {
                // Cancellation in 1 − y² and y + 1, at |z| < 3: below a factor of 100.
                assert!((a - b).abs() <= 200.0 * f64::EPSILON * b.abs(), "{activation}: {a} against {b}");
            }
        }
    }
}

#[test]
fn lengths_must_agree() {
    let exec = Exec::sequential();
    let mut y = [7.0_f32; 2];
    let message = |result: Result<(), roofline::Error>| result.unwrap_err().to_string();
    assert_eq!(message(exec.sigmoid(&[0.0; 3], &mut y)), "sigmoid: expected 3 elements, found 2");
    assert_eq!(
        message(exec.activation(Activation::Gelu, &[0.0; 3], &mut y)),
        "activation: y: expected 3 elements, found 2"
    );
    assert_eq!(message(exec.relu_grad(&[0.0; 2], &[0.0; 5], &mut y)), "relu_grad: expected 2 elements, found 5");
    assert_eq!(message(exec.relu_grad(&[0.0; 3], &[0.0; 3], &mut y)), "relu_grad: expected 3 elements, found 2");
    assert_eq!(y, [7.0; 2], "nothing is written");
}

/// Where a result rounds to its limit no term of it is subnormal, or nearly: that would cost Intel's CPUs 100 to 160 cycles an operation,
/// and the call 4 to 60 times as much. Left out are results that are subnormal themselves, and sets without FMA, where a product is
/// rounded before it vanishes beside what it is added to.
fn limits_are_as_fast_as_other_values<T: Float>() {
    const LEN: usize = 1024;
    // Exponents of the subnormal numbers, and of what comes near.
    let slow = if T::NAME == "f32" { -170..-116 } else { -1095..-1012 };
    for function in functions::<T>() {
        for exec in fma_execs() {
            let mut y = vec![T::ZERO; LEN];
            let mut seconds = |x: f64| {
                let x = vec![T::from_f64(x); LEN];
                let start = Instant::now();
                (function.run)(&exec, &x, &mut y).unwrap();
                start.elapsed().as_secs_f64()
            };
            for x in [-2000.0, -300.0, -50.0, -35.0, 16.0, 35.0, 50.0, 300.0, 2000.0] {
                let exact = (function.oracle)(x);
                if exact.value.high != 0.0 && slow.contains(&(exact.power + exponent(exact.value.high))) {
                    continue;
                }
                let (mut ordinary, mut limit) = (f64::INFINITY, f64::INFINITY);
                for _ in 0..15 {
                    (ordinary, limit) = (ordinary.min(seconds(0.75)), limit.min(seconds(x)));
                }
                let what = format!("{} of {} at {x} on {exec:?}", function.name, T::NAME);
                assert!(limit < 3.0 * ordinary, "{what}: {limit:e} s, at 0.75 {ordinary:e} s");
            }
        }
    }
}
