//! eˣ and eˣ − 1.

use super::{fast_two_sum, wide_polynomial};
use crate::element::Element;
use crate::simd::Simd;

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// q(r) = (eʳ − 1 − r)/r² on ±0.3466 ≥ ln 2 / 2, from the constant term up.
    const EXP_Q: &'static [Self];
    /// log₂ e.
    const LOG2_E: Self;
    /// Below this eˣ rounds to 0: ln(2^(MIN_EXP − DIGITS − 1)), rounded down.
    const EXP_LOW: Self;
    /// From this on eˣ rounds to ∞.
    const EXP_HIGH: Self;
    /// Below this eˣ − 1 rounds to −1: ln(2^(−DIGITS − 2)), rounded down.
    const EXP_M1_LOW: Self;
    /// Below this eˣ − 1 rounds to x: x²/2 < u·x/4.
    const EXP_M1_TINY: Self;
}

impl Constants for f32 {
    // Degree 5, relative error of eʳ: 2.8e-10.
    const EXP_Q: &'static [f32] = &[
        f32::from_bits(0x3f00_0000), // 0x1p-1
        f32::from_bits(0x3e2a_aaab), // 0x1.555556p-3
        f32::from_bits(0x3d2a_aa81), // 0x1.555502p-5
        f32::from_bits(0x3c08_87f9), // 0x1.110ff2p-7
        f32::from_bits(0x3ab6_9700), // 0x1.6d2ep-10
        f32::from_bits(0x3951_33ae), // 0x1.a2675cp-13
    ];
    const LOG2_E: f32 = core::f32::consts::LOG2_E;
    const EXP_LOW: f32 = -104.0;
    const EXP_HIGH: f32 = 89.0;
    const EXP_M1_LOW: f32 = -18.1;
    const EXP_M1_TINY: f32 = 2.9e-8;
}

impl Constants for f64 {
    // Degree 10, relative error of eʳ: 2.0e-19.
    const EXP_Q: &'static [f64] = &[
        f64::from_bits(0x3fe0_0000_0000_0000), // 0x1p-1
        f64::from_bits(0x3fc5_5555_5555_5557), // 0x1.5555555555557p-3
        f64::from_bits(0x3fa5_5555_5555_5552), // 0x1.5555555555552p-5
        f64::from_bits(0x3f81_1111_1111_0056), // 0x1.1111111110056p-7
        f64::from_bits(0x3f56_c16c_16c1_8932), // 0x1.6c16c16c18932p-10
        f64::from_bits(0x3f2a_01a0_1ac1_a7cd), // 0x1.a01a01ac1a7cdp-13
        f64::from_bits(0x3efa_01a0_197b_c744), // 0x1.a01a0197bc744p-16
        f64::from_bits(0x3ec7_1de0_1b84_95c9), // 0x1.71de01b8495c9p-19
        f64::from_bits(0x3e92_7e50_0e21_0136), // 0x1.27e500e210136p-22
        f64::from_bits(0x3e5a_f4eb_35b7_3852), // 0x1.af4eb35b73852p-26
        f64::from_bits(0x3e21_f32e_868c_993e), // 0x1.1f32e868c993ep-29
    ];
    const LOG2_E: f64 = core::f64::consts::LOG2_E;
    const EXP_LOW: f64 = -746.0;
    const EXP_HIGH: f64 = 710.0;
    const EXP_M1_LOW: f64 = -38.2;
    const EXP_M1_TINY: f64 = 5.5e-17;
}

/// eˣ = 2ⁿ·(1 + high + low): high is exact, and |low| < 0.08 carries all of the error.
#[derive(Clone, Copy)]
pub(super) struct Exponential<V> {
    pub(super) n: V,
    pub(super) high: V,
    pub(super) low: V,
}

/// e^x. Cody and Waite's reduction r = x − n·ln 2 in two steps, |r| ≤ ln 2 / 2, of which the first is exact.
#[inline(always)]
pub(super) fn exponential<T: Element, S: Simd<T>>(simd: S, x: S::V) -> Exponential<S::V> {
    let n = exponent(simd, x);
    let high = simd.fma(n, simd.splat(-T::LN2_HIGH), x);
    remainder(simd, n, high, simd.mul(n, simd.splat(-T::LN2_LOW)))
}

/// e^(x + tail), |tail| a few units in the last place of x.
#[inline(always)]
pub(super) fn exponential_of_sum<T: Element, S: Simd<T>>(simd: S, x: S::V, tail: S::V) -> Exponential<S::V> {
    let n = exponent(simd, x);
    let high = simd.fma(n, simd.splat(-T::LN2_HIGH), x);
    remainder(simd, n, high, simd.fma(n, simd.splat(-T::LN2_LOW), tail))
}

/// The integer next to x/ln 2.
#[inline(always)]
fn exponent<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let round = simd.splat(T::ROUND);
    simd.sub(simd.fma(x, simd.splat(T::LOG2_E), round), round)
}

/// e^(n·ln 2 + high + rest).
#[inline(always)]
fn remainder<T: Element, S: Simd<T>>(simd: S, n: S::V, high: S::V, rest: S::V) -> Exponential<S::V> {
    let r = simd.add(high, rest);
    let q = wide_polynomial(simd, r, T::EXP_Q);
    Exponential { n, high, low: simd.fma(simd.mul(r, r), q, rest) }
}

impl<V: Copy> Exponential<V> {
    /// e^x·2⁻ⁿ: two roundings, of which the first counts by a third at most.
    #[inline(always)]
    pub(super) fn mantissa<T: Element, S: Simd<T, V = V>>(self, simd: S) -> V {
        simd.add(simd.splat(T::ONE), simd.add(self.high, self.low))
    }

    /// factor·e^x·2⁻ⁿ, without a rounding of 1 + high + low.
    #[inline(always)]
    pub(super) fn mantissa_times<T: Element, S: Simd<T, V = V>>(self, simd: S, factor: V) -> V {
        simd.fma(factor, simd.add(self.high, self.low), factor)
    }

    /// factor·e^x·2⁻ⁿ as a sum.
    #[inline(always)]
    pub(super) fn mantissa_times_exactly<T: Element, S: Simd<T, V = V>>(self, simd: S, factor: V) -> (V, V) {
        let (p, p_low) = fast_two_sum(simd, self.high, self.low);
        let product = simd.fma(factor, p, factor);
        // The difference is exact, for 0.7 < 1 + p < 1.5.
        let low = simd.fma(factor, p, simd.sub(factor, product));
        (product, simd.fma(factor, p_low, low))
    }

    /// e^x.
    #[inline(always)]
    pub(super) fn value<T: Element, S: Simd<T, V = V>>(self, simd: S) -> V {
        simd.scale(self.mantissa(simd), self.n)
    }

    /// one·(e^x − 1), for power = one·2ⁿ: (power − one) + power·high + power·low.
    #[inline(always)]
    pub(super) fn less_one<T: Element, S: Simd<T, V = V>>(self, simd: S, one: V, power: V) -> V {
        let less = simd.sub(power, one);
        // Exact for n ≤ DIGITS; above, `one` is partly lost.
        let lost = simd.sub(simd.sub(power, less), one);
        // |less| ≥ |power·high|, or it is 0.
        let (sum, error) = fast_two_sum(simd, less, simd.mul(power, self.high));
        simd.add(sum, simd.fma(self.low, power, simd.add(error, lost)))
    }
}

/// eˣ; subnormal results are rounded like others, NaN stays NaN.
#[inline(always)]
pub(crate) fn exp<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    // The constant comes first: min and max give their second operand, here NaN.
    let x = simd.max(simd.splat(T::EXP_LOW), simd.min(simd.splat(T::EXP_HIGH), x));
    exponential(simd, x).value(simd)
}

/// [`exp`] of what is not above 0; NaN for ∞.
#[inline(always)]
pub(crate) fn exp_below<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    exponential(simd, simd.max(simd.splat(T::EXP_LOW), x)).value(simd)
}

/// eˣ − 1 = (2ⁿ − 1) + 2ⁿ·(eʳ − 1). At half of that size, since 2ⁿ overflows before the result does.
#[inline(always)]
pub(crate) fn exp_m1<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let inside = simd.max(simd.splat(T::EXP_M1_LOW), simd.min(simd.splat(T::EXP_HIGH), x));
    let e = exponential(simd, inside);
    let half = simd.splat(T::HALF);
    let power = simd.power(simd.sub(e.n, simd.splat(T::ONE)));
    let y = e.less_one(simd, half, power);
    simd.select(simd.lt(simd.abs(x), simd.splat(T::EXP_M1_TINY)), x, simd.add(y, y))
}

/// x where that is not below 0, else eˣ − 1 = (2ⁿ − 1) + 2ⁿ·(eʳ − 1), the first term exact or next to −1. Where n = 0, r is x.
#[inline(always)]
pub(crate) fn elu<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let e = exponential(simd, simd.max(simd.splat(T::EXP_M1_LOW), x));
    let power = simd.power(e.n);
    let below = simd.fma(power, simd.add(e.high, e.low), simd.sub(power, simd.splat(T::ONE)));
    // −0 and NaN stay what they are.
    simd.select(simd.lt(x, simd.splat(-T::EXP_M1_TINY)), below, x)
}
