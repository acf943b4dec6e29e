//! ln x and ln(1 + x).

use super::{fast_two_sum, polynomial};
use crate::element::Element;
use crate::simd::Simd;

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// L(z) = (2·atanh(√z)/√z − 2)/z on (0, 0.0401], where √z = 0.5/2.5 at most.
    const LOG_L: &'static [Self];
    /// The mantissas of logarithms lie in (¾, 1½].
    const LOG_SPLIT: Self;
    /// 2^DIGITS: lifts a subnormal number into the normal range.
    const LIFT: Self;
    /// log₂ of `LIFT`.
    const LIFT_EXPONENT: Self;
}

impl Constants for f32 {
    // Degree 3, relative error of L: 3.0e-8.
    const LOG_L: &'static [f32] = &[
        f32::from_bits(0x3f2a_aaab), // 0x1.555556p-1
        f32::from_bits(0x3ecc_cc96), // 0x1.99992cp-2
        f32::from_bits(0x3e92_356f), // 0x1.246adep-2
        f32::from_bits(0x3e6f_ba84), // 0x1.df7508p-3
    ];
    const LOG_SPLIT: f32 = 1.5;
    const LIFT: f32 = 2.0 / f32::EPSILON;
    const LIFT_EXPONENT: f32 = f32::MANTISSA_DIGITS as f32;
}

impl Constants for f64 {
    // Degree 7, relative error of L: 5.6e-17.
    const LOG_L: &'static [f64] = &[
        f64::from_bits(0x3fe5_5555_5555_5555), // 0x1.5555555555555p-1
        f64::from_bits(0x3fd9_9999_9999_a000), // 0x1.999999999ap-2
        f64::from_bits(0x3fd2_4924_923c_dbe1), // 0x1.24924923cdbe1p-2
        f64::from_bits(0x3fcc_71c7_2f00_d137), // 0x1.c71c72f00d137p-3
        f64::from_bits(0x3fc7_45ca_8007_b58d), // 0x1.745ca8007b58dp-3
        f64::from_bits(0x3fc3_b2a6_4928_ed99), // 0x1.3b2a64928ed99p-3
        f64::from_bits(0x3fc0_e821_e3e4_7633), // 0x1.0e821e3e47633p-3
        f64::from_bits(0x3fc1_6e40_4dbf_ea69), // 0x1.16e404dbfea69p-3
    ];
    const LOG_SPLIT: f64 = 1.5;
    const LIFT: f64 = 2.0 / f64::EPSILON;
    const LIFT_EXPONENT: f64 = f64::MANTISSA_DIGITS as f64;
}

/// e·ln 2 + ln(1 + f), −¼ ≤ f ≤ ½: ln(1 + f) = f − (f²/2 − s·(f²/2 + z·L(z))) with s = f/(2 + f), z = s², the arrangement of
/// fdlibm's `e_log.c`. e·`LN2_HIGH` is exact, and so is its sum with f, in two parts.
#[inline(always)]
fn sum_of_logs<T: Element, S: Simd<T>>(simd: S, e: S::V, f: S::V) -> S::V {
    let s = simd.div(f, simd.add(f, simd.splat(T::TWO)));
    let z = simd.mul(s, s);
    let l = simd.mul(z, polynomial(simd, z, T::LOG_L));
    let half_square = simd.mul(simd.mul(f, f), simd.splat(T::HALF));
    let low = simd.fma(e, simd.splat(T::LN2_LOW), simd.mul(s, simd.add(half_square, l)));
    let (high, error) = fast_two_sum(simd, simd.mul(e, simd.splat(T::LN2_HIGH)), f);
    simd.add(high, simd.sub(error, simd.sub(half_square, low)))
}

/// (m, e) with x = 2ᵉ·m and ¾ < m ≤ 1½, for positive normal x.
#[inline(always)]
fn split<T: Element, S: Simd<T>>(simd: S, x: S::V) -> (S::V, S::V) {
    let (m, e) = simd.split(x);
    let large = simd.lt(simd.splat(T::LOG_SPLIT), m);
    let half = simd.mul(m, simd.splat(T::HALF));
    (simd.select(large, half, m), simd.select(large, simd.add(e, simd.splat(T::ONE)), e))
}

/// `log` where x > 0, −∞ at `pole` and NaN below; ∞ stays ∞ and NaN stays NaN. `x` is positive from `pole` on.
#[inline(always)]
fn with_special_values<T: Element, S: Simd<T>>(simd: S, x: S::V, from_pole: S::V, log: S::V) -> S::V {
    let zero = simd.splat(T::ZERO);
    let log = simd.select(simd.lt(from_pole, simd.splat(T::MIN_POSITIVE)), simd.splat(-T::INFINITY), log);
    let log = simd.select(simd.lt(from_pole, zero), simd.splat(T::NAN), log);
    // ∞, and NaN, which is not below.
    simd.select(simd.lt(x, simd.splat(T::INFINITY)), log, x)
}

/// ln x, −∞ at ±0, NaN below 0.
#[inline(always)]
pub(crate) fn log<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let subnormal = simd.lt(x, simd.splat(T::MIN_NORMAL));
    let lifted = simd.select(subnormal, simd.mul(x, simd.splat(T::LIFT)), x);
    let (m, e) = split(simd, lifted);
    let e = simd.select(subnormal, simd.sub(e, simd.splat(T::LIFT_EXPONENT)), e);
    with_special_values(simd, x, x, sum_of_logs(simd, e, simd.sub(m, simd.splat(T::ONE))))
}

/// ln(1 + x), −∞ at −1, NaN below, ±0 at ±0.
///
/// The exponent e is that of 1 + x, rounded; f = (1 + x)·2⁻ᵉ − 1 = x·2⁻ᵉ + (2⁻ᵉ − 1) is not: one FMA of two exact terms,
/// exact for e = 0, and elsewhere, by the choice of the mantissas, while 2⁻ᵉ − 1 is.
#[inline(always)]
pub(crate) fn ln_1p<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let one = simd.splat(T::ONE);
    let u = simd.add(one, x);
    let (_, e) = split(simd, u);
    let power = simd.scale(one, simd.sub(simd.splat(T::ZERO), e));
    let f = simd.fma(x, power, simd.sub(power, one));
    let log = with_special_values(simd, x, u, sum_of_logs(simd, e, f));
    // Where f² vanishes beside f, and −0 stays −0.
    simd.select(simd.lt(simd.abs(x), simd.splat(T::EXP_M1_TINY)), x, log)
}
