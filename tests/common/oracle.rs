//! The elementary functions and activations in twice the digits of `f64`: formulas that hold over the whole range.
//! `tests/kernels/oracle.rs` holds them to naive ones in as many digits as these need.

use super::twofold::{LN_2, Twofold, Wide, twofold};
use core::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

const TWO_BY_ROOT_PI: Twofold = twofold(FRAC_2_SQRT_PI, 1.533545961316588e-17);
const ONE_BY_ROOT_PI: Twofold = twofold(0.5641895835477563, 7.66772980658294e-18);
const ONE_BY_ROOT_2: Twofold = twofold(FRAC_1_SQRT_2, -4.833646656726457e-17);
const ONE_BY_ROOT_2_PI: Twofold = twofold(0.3989422804014327, -2.49232720227773e-17);
/// 2·√(2/π), and 0.044715 times that.
const TANH_A: Twofold = twofold(1.5957691216057308, -9.96930880911092e-17);
const TANH_B: Twofold = twofold(0.07135481627260025, -6.175149918155315e-19);
const ONE: Twofold = twofold(1.0, 0.0);
const TWO: Twofold = twofold(2.0, 0.0);
const HALF: Twofold = twofold(0.5, 0.0);
/// Below 2^TINY every function here is its first Taylor term, to 100 digits and more.
const TINY: f64 = 1e-70;

fn tf(x: f64) -> Twofold {
    x.into()
}

/// (eʳ − 1, n) with eˣ = eʳ·2ⁿ, |r| ≤ ln 2 / 2.
fn reduced(x: Twofold) -> (Twofold, i32) {
    let n = (x.high / LN_2.high).round();
    let r = x - LN_2 * tf(n);
    // 1 + r/2·(1 + r/3·(1 + …))
    let series = (2..=26).rev().fold(ONE, |sum, k| ONE + sum * r / tf(f64::from(k)));
    (r * series, n as i32)
}

/// eˣ.
fn exponential(x: Twofold) -> Wide {
    if x.high.is_nan() || x.high.abs() > 1e4 {
        return Wide::from(x.high.exp());
    }
    let (p, n) = reduced(x);
    Wide { value: ONE + p, power: n }
}

pub fn exp(x: f64) -> Wide {
    exponential(tf(x))
}

pub fn exp_m1(x: f64) -> Wide {
    if x.abs() < TINY || x.is_nan() || x > 300.0 {
        return if x > 300.0 { exp(x) } else { Wide::from(x) };
    }
    if x < -300.0 {
        return Wide::from(-1.0);
    }
    let (p, n) = reduced(tf(x));
    if n == 0 { p.into() } else { (Wide { value: ONE + p, power: n }.twofold() - ONE).into() }
}

/// ln x of a positive number: Newton's step from std, to third order.
fn logarithm(x: Twofold) -> Twofold {
    let f = x - ONE;
    if f.high.abs() < 0.01 {
        return log1p_series(f);
    }
    let guess = x.high.ln();
    let error = (exponential(tf(-guess)) * Wide::from(x)).twofold() - ONE;
    tf(guess) + (error - error * error * HALF)
}

/// 2·artanh(f/(2 + f)), |f| < 0.01.
fn log1p_series(f: Twofold) -> Twofold {
    let s = f / (TWO + f);
    let z = s * s;
    let series = (0..12).rev().fold(tf(0.0), |sum, k| sum * z + ONE / tf(f64::from(2 * k + 1)));
    TWO * s * series
}

pub fn log(x: f64) -> Wide {
    if x.is_nan() || x <= 0.0 || x.is_infinite() {
        return Wide::from(x.ln());
    }
    let Wide { value, power } = Wide::from(x);
    // Halved above √2, so that near 1 nothing cancels.
    let (value, power) = if value.high > 1.4 { (value * HALF, power + 1) } else { (value, power) };
    (logarithm(value) + LN_2 * tf(f64::from(power))).into()
}

pub fn ln_1p(x: f64) -> Wide {
    if x.is_nan() || x <= -1.0 || x.is_infinite() {
        return Wide::from(x.ln_1p());
    }
    match x.abs() {
        tiny if tiny < TINY => Wide::from(x),
        small if small < 0.01 => log1p_series(tf(x)).into(),
        _ if x > 1e40 => log(x),
        _ => logarithm(ONE + tf(x)).into(),
    }
}

/// e^−|v| and the sum 1 + e^−|v|.
fn decay(v: Twofold) -> (Wide, Twofold) {
    let e = exponential(if v.high < 0.0 { v } else { -v });
    (e, ONE + e.twofold())
}

/// σ(v).
fn logistic(v: Twofold) -> Wide {
    let (e, sum) = decay(v);
    if v.high < 0.0 { Wide { value: e.value / sum, ..e } } else { (ONE / sum).into() }
}

pub fn sigmoid(x: f64) -> Wide {
    logistic(tf(x))
}

pub fn tanh(x: f64) -> Wide {
    if x.abs() < TINY || x.is_nan() {
        return Wide::from(x);
    }
    let t = exp_m1(2.0 * x.abs().min(100.0)).twofold();
    let y = t / (t + TWO);
    (if x < 0.0 { -y } else { y }).into()
}

pub fn silu(x: f64) -> Wide {
    if x < -1e4 { Wide::from(-0.0) } else { Wide::from(x) * sigmoid(x) }
}

pub fn softplus(x: f64) -> Wide {
    let (e, sum) = decay(tf(x));
    if x.is_nan() || x > 1e4 || e.power < -200 && x < 0.0 {
        return if x < 0.0 { e } else { Wide::from(x) };
    }
    let small = e.twofold();
    let log = if small.high < 0.01 { log1p_series(small) } else { logarithm(sum) };
    (if x > 0.0 { tf(x) + log } else { log }).into()
}

pub fn elu(x: f64) -> Wide {
    if x > 0.0 { Wide::from(x) } else { exp_m1(x) }
}

pub fn elu_grad(x: f64) -> Wide {
    if x > 0.0 { ONE.into() } else { exp(x) }
}

/// erf x for 0 ≤ x ≤ 4: 2/√π·x·e^−x²·Σ (2x²)ⁿ/(2n + 1)!!, all terms positive.
fn erf_series(x: Twofold) -> Twofold {
    let z = x * x;
    let (mut term, mut total, mut n) = (ONE, ONE, 1.0);
    while term.high > 1e-34 * total.high {
        term = term * (z + z) / tf(2.0 * n + 1.0);
        total = total + term;
        n += 1.0;
    }
    TWO_BY_ROOT_PI * x * exponential(-z).twofold() * total
}

/// erfc x for x ≥ 0: 1 − erf up to 4, then Laplace's continued fraction e^−x²/√π/(x + ½/(x + 1/(x + 1½/(x + …)))).
fn erfc_of_positive(x: Twofold) -> Wide {
    if x.high < 4.0 {
        return (ONE - erf_series(x)).into();
    }
    if x.high > 100.0 {
        return Wide::from(0.0);
    }
    let terms = 60 + (1000.0 / (x.high * x.high)) as u32;
    let fraction = (1..=terms).rev().fold(x, |below, k| x + tf(0.5 * f64::from(k)) / below);
    exponential(-(x * x)) * Wide::from(ONE_BY_ROOT_PI / fraction)
}

pub fn erf(x: f64) -> Wide {
    if x.abs() < TINY || x.is_nan() {
        return Wide::from(x) * Wide::from(TWO_BY_ROOT_PI);
    }
    let t = tf(x.abs());
    let y = if t.high < 4.0 { erf_series(t) } else { ONE - erfc_of_positive(t).twofold() };
    (if x < 0.0 { -y } else { y }).into()
}

pub fn erfc(x: f64) -> Wide {
    if x.is_nan() {
        return Wide::from(x);
    }
    let upper = erfc_of_positive(tf(x.abs()));
    if x < 0.0 { (TWO - upper.twofold()).into() } else { upper }
}

/// Φ(x).
fn normal(x: f64) -> Wide {
    let upper = erfc_of_positive(tf(x.abs().min(150.0)) * ONE_BY_ROOT_2);
    let tail = Wide { power: upper.power - 1, ..upper };
    if x > 0.0 { (ONE - tail.twofold()).into() } else { tail }
}

pub fn gelu(x: f64) -> Wide {
    if x < -100.0 { Wide::from(-0.0) } else { Wide::from(x) * normal(x) }
}

pub fn gelu_grad(x: f64) -> Wide {
    if x < -100.0 {
        return Wide::from(-0.0);
    }
    if x > 0.0 {
        return (ONE - gelu_grad(-x).twofold()).into();
    }
    let (cdf, density) = (normal(x), exponential(-(tf(x) * tf(x) * HALF)));
    // Both share the power of the density, which loses nothing.
    let cdf = Wide { power: cdf.power - density.power, ..cdf }.twofold();
    Wide { value: cdf + tf(x) * density.value * ONE_BY_ROOT_2_PI, ..density }
}

/// 2u = x·(a + b·x²); far out, where σ has its limit, of a smaller x.
fn tanh_argument(x: f64) -> Twofold {
    let x = tf(if x > 1e3 { 1e3 } else { x });
    x * (TANH_A + TANH_B * x * x)
}

pub fn gelu_tanh(x: f64) -> Wide {
    if x < -1e3 {
        return Wide::from(-0.0);
    }
    Wide::from(x) * logistic(tanh_argument(x))
}

pub fn gelu_tanh_grad(x: f64) -> Wide {
    let near = tf(x.abs().min(1e3));
    let slope = TANH_A + TANH_B * tf(3.0) * near * near;
    if x.abs() > 1e3 {
        return Wide::from(if x < 0.0 { -0.0 } else { 1.0 });
    }
    weighted_slope(x, tanh_argument(x), slope)
}

pub fn silu_grad(x: f64) -> Wide {
    if x.abs() > 1e4 {
        return Wide::from(if x < 0.0 { -0.0 } else { 1.0 });
    }
    weighted_slope(x, tf(x), ONE)
}

/// (x·σ(v))′ = σ(v)·(1 + x·v′·σ(−v)).
fn weighted_slope(x: f64, v: Twofold, slope: Twofold) -> Wide {
    logistic(v) * Wide::from(ONE + tf(x) * slope * logistic(-v).twofold())
}

/// e/(1 + e)² with e = e^−|x|.
pub fn sigmoid_grad(x: f64) -> Wide {
    let (e, sum) = decay(tf(x));
    Wide { value: e.value / (sum * sum), ..e }
}

pub fn tanh_grad(x: f64) -> Wide {
    let quarter = sigmoid_grad(2.0 * x);
    Wide { power: quarter.power + 2, ..quarter }
}
