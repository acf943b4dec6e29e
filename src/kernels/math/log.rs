//! ln x and ln(1 + x).

use super::{fast_two_sum, wide_polynomial};
use crate::element::Element;
use crate::simd::Simd;

/// How ln(1 + f) follows f and f²/2, for −¼ ≤ f ≤ ½.
pub enum Cube<T: 'static> {
    /// f³·P(f) with P(f) = (ln(1 + f) − f + f²/2)/f³.
    Polynomial(&'static [T]),
    /// s·(f²/2 + z·L(z)) with s = f/(2 + f), z = s² ≤ 0.0401 and L(z) = (2·atanh(s)/s − 2)/z: the arrangement of fdlibm's `e_log.c`.
    Quotient(&'static [T]),
}

/// Coefficients of one element type.
pub trait Constants: Sized + 'static {
    /// What is faster: a division costs as much as a polynomial of degree 8.
    const LOG: Cube<Self>;
}

impl Constants for f32 {
    // Degree 8, relative error of ln(1 + f): 4.8e-9.
    const LOG: Cube<f32> = Cube::Polynomial(&[
        f32::from_bits(0x3eaa_aaab), // 0x1.555556p-2
        f32::from_bits(0xbe80_0013), // -0x1.000026p-2
        f32::from_bits(0x3e4c_cce3), // 0x1.9999c6p-3
        f32::from_bits(0xbe2a_9b04), // -0x1.553608p-3
        f32::from_bits(0x3e12_224d), // 0x1.24449ap-3
        f32::from_bits(0xbe01_7c42), // -0x1.02f884p-3
        f32::from_bits(0x3dee_e43d), // 0x1.ddc87ap-4
        f32::from_bits(0xbdc2_9570), // -0x1.852aep-4
        f32::from_bits(0x3d2d_997a), // 0x1.5b32f4p-5
    ]);
}

impl Constants for f64 {
    // Degree 7, relative error of L: 5.6e-17.
    const LOG: Cube<f64> = Cube::Quotient(&[
        f64::from_bits(0x3fe5_5555_5555_5555), // 0x1.5555555555555p-1
        f64::from_bits(0x3fd9_9999_9999_a000), // 0x1.999999999ap-2
        f64::from_bits(0x3fd2_4924_923c_dbe1), // 0x1.24924923cdbe1p-2
        f64::from_bits(0x3fcc_71c7_2f00_d137), // 0x1.c71c72f00d137p-3
        f64::from_bits(0x3fc7_45ca_8007_b58d), // 0x1.745ca8007b58dp-3
        f64::from_bits(0x3fc3_b2a6_4928_ed99), // 0x1.3b2a64928ed99p-3
        f64::from_bits(0x3fc0_e821_e3e4_7633), // 0x1.0e821e3e47633p-3
        f64::from_bits(0x3fc1_6e40_4dbf_ea69), // 0x1.16e404dbfea69p-3
    ]);
}

/// e·ln 2 + ln(1 + f), −¼ ≤ f ≤ ½: ln(1 + f) = f + ([`Cube`] − f²/2). e·`LN2_HIGH` is exact, and so is its sum with f, in two parts.
#[inline(always)]
fn sum_of_logs<T: Element, S: Simd<T>>(simd: S, e: S::V, f: S::V) -> S::V {
    let square = simd.mul(f, f);
    let cube = match T::LOG {
        Cube::Polynomial(p) => simd.mul(simd.mul(square, f), wide_polynomial(simd, f, p)),
        Cube::Quotient(l) => {
            let s = simd.div(f, simd.add(f, simd.splat(T::TWO)));
            let z = simd.mul(s, s);
            let l = simd.mul(z, wide_polynomial(simd, z, l));
            simd.mul(s, simd.fma(square, simd.splat(T::HALF), l))
        }
    };
    let low = simd.fma(e, simd.splat(T::LN2_LOW), cube);
    let (high, error) = fast_two_sum(simd, simd.mul(e, simd.splat(T::LN2_HIGH)), f);
    simd.add(high, simd.add(error, simd.fma(square, simd.splat(-T::HALF), low)))
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
    let (m, e) = simd.split(x);
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
    let (_, e) = simd.split(u);
    let power = simd.scale(one, simd.sub(simd.splat(T::ZERO), e));
    let f = simd.fma(x, power, simd.sub(power, one));
    let log = with_special_values(simd, x, u, sum_of_logs(simd, e, f));
    // Where f² vanishes beside f, and −0 stays −0.
    simd.select(simd.lt(simd.abs(x), simd.splat(T::EXP_M1_TINY)), x, log)
}
