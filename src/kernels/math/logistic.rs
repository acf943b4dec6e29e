//! tanh, σ and what is made of them: SiLU, softplus, and their derivatives.

use super::{Exponential, divide_sums, exponential, fast_two_sum, negate, wide_polynomial};
use crate::element::Element;
use crate::simd::Simd;

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// From here on tanh x rounds to 1: (DIGITS + 1)·ln 2 / 2, rounded up.
    const TANH_HIGH: Self;
    /// Below this tanh x rounds to x: x²/3 < u/2.
    const TANH_LOW: Self;
    /// From here on the derivative of SiLU rounds to 1 or, mirrored, to 0: x·e⁻ˣ is below half of the least number.
    const LOGISTIC_HIGH: Self;
    /// L(z) as for logarithms, on (0, 1/9].
    const SOFTPLUS_L: &'static [Self];
}

impl Constants for f32 {
    const TANH_HIGH: f32 = 9.02;
    const TANH_LOW: f32 = 2.0e-4;
    const LOGISTIC_HIGH: f32 = 110.0;
    // Degree 4, relative error of L: 3.0e-8.
    const SOFTPLUS_L: &'static [f32] = &[
        f32::from_bits(0x3f2a_aaab), // 0x1.555556p-1
        f32::from_bits(0x3ecc_cc33), // 0x1.999866p-2
        f32::from_bits(0x3e92_6bb2), // 0x1.24d764p-2
        f32::from_bits(0x3e5d_997e), // 0x1.bb32fcp-3
        f32::from_bits(0x3e70_8b7e), // 0x1.e116fcp-3
    ];
}

impl Constants for f64 {
    const TANH_HIGH: f64 = 19.1;
    const TANH_LOW: f64 = 1.2e-8;
    const LOGISTIC_HIGH: f64 = 753.0;
    // Degree 10, relative error of L: 5.6e-17.
    const SOFTPLUS_L: &'static [f64] = &[
        f64::from_bits(0x3fe5_5555_5555_5555), // 0x1.5555555555555p-1
        f64::from_bits(0x3fd9_9999_9999_9b17), // 0x1.9999999999b17p-2
        f64::from_bits(0x3fd2_4924_9248_3965), // 0x1.2492492483965p-2
        f64::from_bits(0x3fcc_71c7_1ce6_53ab), // 0x1.c71c71ce653abp-3
        f64::from_bits(0x3fc7_45d1_6993_9426), // 0x1.745d169939426p-3
        f64::from_bits(0x3fc3_b13a_939b_0693), // 0x1.3b13a939b0693p-3
        f64::from_bits(0x3fc1_1146_57c2_12f1), // 0x1.1114657c212f1p-3
        f64::from_bits(0x3fbe_136f_3f25_7e2c), // 0x1.e136f3f257e2cp-4
        f64::from_bits(0x3fbb_8141_e8e8_0000), // 0x1.b8141e8e8p-4
        f64::from_bits(0x3fb4_3745_8486_9c42), // 0x1.4374584869c42p-4
        f64::from_bits(0x3fc3_1e4b_668b_24f2), // 0x1.31e4b668b24f2p-3
    ];
}

/// e^−|x|, NaN for NaN.
#[inline(always)]
fn decay<T: Element, S: Simd<T>>(simd: S, x: S::V) -> Exponential<S::V> {
    let t = simd.min(simd.splat(T::LOGISTIC_HIGH), simd.abs(x));
    exponential(simd, negate(simd, t))
}

/// tanh x = t/(t + 2) with t = e²ˣ − 1.
#[inline(always)]
pub(crate) fn tanh<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let (zero, one) = (simd.splat(T::ZERO), simd.splat(T::ONE));
    let magnitude = simd.min(simd.splat(T::TANH_HIGH), simd.abs(x));
    let e = exponential(simd, simd.add(magnitude, magnitude));
    let power = simd.power(e.n);
    let t = e.less_one(simd, one, power);
    let two = simd.splat(T::TWO);
    let divisor = simd.add(t, two);
    // Exact, t above 2 or below.
    let divisor_low = simd.sub(t, simd.sub(divisor, two));
    let y = divide_sums(simd, (t, zero), (divisor, divisor_low));
    let y = simd.select(simd.lt(x, zero), simd.sub(zero, y), y);
    simd.select(simd.lt(simd.abs(x), simd.splat(T::TANH_LOW)), x, y)
}

/// σ(x) = 1/(1 + e⁻ˣ).
#[inline(always)]
pub(crate) fn sigmoid<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    times_sigmoid(simd, simd.splat(T::ONE), exponential_of_minus(simd, x))
}

/// x·σ(x); −0 at −∞, where it is the limit.
#[inline(always)]
pub(crate) fn silu<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    times_sigmoid(simd, simd.max(simd.splat(-T::LOGISTIC_HIGH), x), exponential_of_minus(simd, x))
}

/// e⁻ˣ.
#[inline(always)]
fn exponential_of_minus<T: Element, S: Simd<T>>(simd: S, x: S::V) -> Exponential<S::V> {
    let high = simd.splat(T::LOGISTIC_HIGH);
    let inside = simd.max(negate(simd, high), simd.min(high, x));
    exponential(simd, negate(simd, inside))
}

/// y·σ(v) = y·a/(a + b·(1 + p)) with e⁻ᵛ = 2ⁿ·(1 + p), a = 2⁻ⁿ and b = 1 for n > 0, a = 1 and b = 2ⁿ else: nothing overflows, y·a is
/// exact where it is normal, and the divisor is rounded once.
#[inline(always)]
pub(super) fn times_sigmoid<T: Element, S: Simd<T>>(simd: S, y: S::V, e: Exponential<S::V>) -> S::V {
    let (zero, one) = (simd.splat(T::ZERO), simd.splat(T::ONE));
    let minus_n = negate(simd, e.n);
    // Beside 1 what is below counts for nothing.
    let small = simd.power(simd.max(simd.splat(T::MIN_EXPONENT), simd.min(e.n, minus_n)));
    let b = simd.select(simd.lt(zero, e.n), one, small);
    // What the sum loses counts where b is 1.
    let (sum, lost) = fast_two_sum(simd, one, small);
    let divisor = simd.fma(b, simd.add(e.high, simd.add(e.low, lost)), sum);
    simd.div(simd.scale(y, simd.min(zero, minus_n)), divisor)
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e), e = e^−|x| ≤ 1: the logarithm as in `log`, without an exponent to split off.
#[inline(always)]
pub(crate) fn softplus<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let e = decay(simd, x).value(simd);
    let s = simd.div(e, simd.add(e, simd.splat(T::TWO)));
    let z = simd.mul(s, s);
    let l = simd.mul(z, wide_polynomial(simd, z, T::SOFTPLUS_L));
    let half_square = simd.mul(simd.mul(e, e), simd.splat(T::HALF));
    let log = simd.sub(e, simd.sub(half_square, simd.mul(s, simd.add(half_square, l))));
    simd.add(simd.max(simd.splat(T::ZERO), x), log)
}

/// σ′(x) = e/(1 + e)² with e = e^−|x|. No cancellation in either tail; 1 + e·(2 + e) is the square with one rounding that
/// counts.
#[inline(always)]
pub(crate) fn sigmoid_derivative<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let e = decay(simd, x);
    simd.scale(bell(simd, e), e.n)
}

/// tanh′(x) = 1 − tanh² x = 4·σ′(2x).
#[inline(always)]
pub(crate) fn tanh_derivative<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let e = decay(simd, simd.add(x, x));
    simd.scale(bell(simd, e), simd.add(e.n, simd.splat(T::TWO)))
}

/// e/(1 + e)²·2⁻ⁿ.
#[inline(always)]
fn bell<T: Element, S: Simd<T>>(simd: S, e: Exponential<S::V>) -> S::V {
    let mantissa = e.mantissa(simd);
    let value = simd.scale(mantissa, e.n);
    simd.div(mantissa, simd.fma(value, simd.add(value, simd.splat(T::TWO)), simd.splat(T::ONE)))
}

/// (x·σ(x))′ = σ(x)·(1 + x·σ(−x)): w = e·(1 + e − |x|)/(1 + e)² for x < 0, e = e^−|x|, and 1 − w for x > 0.
#[inline(always)]
pub(crate) fn silu_derivative<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let t = simd.min(simd.splat(T::LOGISTIC_HIGH), simd.abs(x));
    weighted_slope(simd, x, exponential(simd, negate(simd, t)), t, simd.splat(T::ZERO))
}

/// w = e·(1 + e − (slope + rest))/(1 + e)² for x < 0, 1 − w elsewhere: (x·σ(v))′ for odd v(x), where e = e^−|v|,
/// slope + rest = |x|·v′.
#[inline(always)]
pub(super) fn weighted_slope<T: Element, S: Simd<T>>(
    simd: S,
    x: S::V,
    e: Exponential<S::V>,
    slope: S::V,
    rest: S::V,
) -> S::V {
    let (zero, one) = (simd.splat(T::ZERO), simd.splat(T::ONE));
    let mantissa = e.mantissa(simd);
    let value = simd.scale(mantissa, e.n);
    // 1 + e − slope: what 1 + e loses is what counts beside the zero.
    let (sum, error) = fast_two_sum(simd, one, value);
    let sum = simd.add(simd.sub(sum, slope), simd.sub(error, rest));
    // (1 + e)² = 1 + e·(2 + e), as a sum; 1 − square is exact.
    let two = simd.splat(T::TWO);
    let (factor, factor_low) = fast_two_sum(simd, two, value);
    let square = simd.fma(value, factor, one);
    let square_low = simd.fma(value, factor_low, simd.fma(value, factor, simd.sub(one, square)));
    let w = divide_sums(simd, e.mantissa_times_exactly(simd, sum), (square, square_low));
    let negative = simd.lt(x, zero);
    let w = simd.scale(w, e.n);
    simd.select(negative, w, simd.sub(one, w))
}
