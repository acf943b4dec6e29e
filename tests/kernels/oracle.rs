//! The oracles of twice the digits, held to naive formulas in arbitrary precision (dashu): cancellation is met with digits.

use crate::common::functions::functions;
use crate::common::twofold::Wide;
use dashu_float::FBig;
use dashu_float::round::mode::HalfEven;

type Big = FBig<HalfEven, 2>;

/// Digits that an oracle must have right: 19 more than `f64`, so that errors in ULP are known to a millionth.
const DIGITS: i32 = 72;
/// Enough for 1 − erf where erf is 1 − 2⁻⁸⁰⁰, and for the square of that.
const PRECISION: usize = 2200;

fn big(x: f64) -> Big {
    Big::try_from(x).expect("finite").with_precision(PRECISION).value()
}

fn exp(x: &Big) -> Big {
    x.exp()
}

/// 2/√π·Σ (−1)ⁿ·x²ⁿ⁺¹/(n!·(2n + 1)), π by Machin's formula.
fn erf(x: &Big) -> Big {
    let square = x * x;
    let (mut power, mut sum, mut n) = (x.clone(), big(0.0), 0.0);
    loop {
        let term = &power / big(2.0 * n + 1.0);
        sum += &term;
        n += 1.0;
        power = -(power * &square) / big(n);
        if n > 20.0 && term.to_f64().value() == 0.0 && exponent(&term) < -2100 {
            return sum * big(2.0) / pi().sqrt();
        }
    }
}

fn exponent(x: &Big) -> isize {
    let repr = x.repr();
    repr.exponent() + repr.digits() as isize
}

fn pi() -> Big {
    let arctan_of_inverse = |k: f64| {
        let (mut power, mut sum, mut n) = (big(1.0) / big(k), big(0.0), 0.0);
        while exponent(&power) > -(PRECISION as isize) {
            let term = &power / big(2.0 * n + 1.0);
            sum = if n % 2.0 == 0.0 { sum + term } else { sum - term };
            power /= big(k * k);
            n += 1.0;
        }
        sum
    };
    big(16.0) * arctan_of_inverse(5.0) - big(4.0) * arctan_of_inverse(239.0)
}

fn sigmoid(x: &Big) -> Big {
    big(1.0) / (big(1.0) + exp(&-x.clone()))
}

/// The textbook formula of each function.
fn naive(name: &str, x: &Big) -> Big {
    let (one, two, half) = (big(1.0), big(2.0), big(0.5));
    let positive = *x > big(0.0);
    let normal = |x: &Big| &half * (&one + erf(&(x / two.sqrt())));
    let root = (&two / pi()).sqrt();
    let cubic = |x: &Big| &root * (x + big(44715.0) / big(1e6) * x * x * x);
    let tanh = |x: &Big| &one - &two / (exp(&(x * &two)) + &one);
    match name {
        "exp" => exp(x),
        "log" => x.ln(),
        "exp_m1" => exp(x) - one,
        "ln_1p" => (one + x).ln(),
        "erf" => erf(x),
        "erfc" => one - erf(x),
        "sigmoid" | "softplus_grad" => sigmoid(x),
        "tanh" => tanh(x),
        "silu" => x * sigmoid(x),
        "softplus" => (one + exp(x)).ln(),
        "elu" if positive => x.clone(),
        "elu" => exp(x) - one,
        "elu_grad" if positive => one,
        "elu_grad" => exp(x),
        "gelu" => x * normal(x),
        "gelu_tanh" => half * x * (&one + tanh(&cubic(x))),
        "sigmoid_grad" => sigmoid(x) * (&one - sigmoid(x)),
        "tanh_grad" => &one - tanh(x) * tanh(x),
        "silu_grad" => sigmoid(x) * (&one + x * (&one - sigmoid(x))),
        "gelu_grad" => normal(x) + x * exp(&(-half * x * x)) / (two * pi()).sqrt(),
        "gelu_tanh_grad" => {
            let t = tanh(&cubic(x));
            let slope = &root * (&one + big(3.0 * 44715.0) / big(1e6) * x * x);
            &half * (&one + &t) + &half * x * (&one - &t * &t) * slope
        }
        _ => panic!("no formula for {name}"),
    }
}

fn widened(exact: Wide) -> Big {
    let power = |n: i32| Big::from_parts(1.into(), n as isize).with_precision(PRECISION).value();
    (big(exact.value.high) + big(exact.value.low)) * power(exact.power)
}

#[test]
fn oracles_agree_with_naive_formulas_in_many_digits() {
    let magnitudes = [1e-9, 0.004, 0.3, 0.52, 0.98, 1.02, 2.3, 3.97, 4.1, 7.7, 14.2, 21.3];
    for function in functions::<f64>() {
        for x in magnitudes.into_iter().flat_map(|x| [x, -x]) {
            if function.name == "log" && x < 0.0 || function.name == "ln_1p" && x <= -1.0 {
                continue;
            }
            let exact = naive(function.name, &big(x));
            let error = widened((function.oracle)(x)) - &exact;
            let lost = if error == big(0.0) { -9999 } else { exponent(&error) - exponent(&exact) };
            assert!(lost <= -DIGITS as isize, "{}({x}) has {} digits", function.name, -lost);
        }
    }
}
