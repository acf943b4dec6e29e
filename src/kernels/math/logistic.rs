//! tanh, σ and what is made of them: SiLU, softplus, and their derivatives.

use super::pieces::{Pieces, from_bits};
use super::{Exponential, divide_sums, exp_below, exponential, fast_two_sum, negate, odd_up_to_one, wide_polynomial};
use crate::element::Element;
use crate::simd::Simd;

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// From here on tanh x rounds to 1: (DIGITS + 1)·ln 2 / 2, rounded up.
    const TANH_HIGH: Self;
    /// tanh t/t, where that is how tanh is computed.
    const TANH: Option<Pieces<Self>>;
    /// Below this tanh x rounds to x: x²/3 < u/2.
    const TANH_LOW: Self;
    /// From here on x·e⁻ˣ rounds to 0, by far.
    const LOGISTIC_HIGH: Self;
    /// From here on e⁻ˣ does not count beside 1, by far.
    const LOGISTIC_ONE: Self;
    /// A power of two such that its products with e^−`LOGISTIC_HIGH` and e^`LOGISTIC_ONE` are normal.
    const UNIT: Self;
    /// Its exponent.
    const UNIT_EXPONENT: Self;
    /// `UNIT`·(e⁻ʳ − 1)/r on ±0.3466 ≥ ln 2 / 2, from the constant term up.
    const LOGISTIC_S: &'static [Self];
    /// L(z) as for logarithms, on (0, 1/9].
    const SOFTPLUS_L: &'static [Self];
}

impl Constants for f32 {
    const TANH_HIGH: f32 = 9.02;
    const TANH_LOW: f32 = 2.0e-4;
    // Degree 7, relative error 4.9e-8.
    const TANH: Option<Pieces<f32>> = Some(Pieces {
        width: 150.0 / 256.0,
        inverse_width: 256.0 / 150.0,
        coefficients: &from_bits([
            [
                0x3f80_0000,
                0x3f66_3c52,
                0x3f34_3234,
                0x3f09_39ee,
                0x3ed6_775e,
                0x3ead_c4af,
                0x3e91_60dc,
                0x3e79_8637,
                0x3e5a_6a91,
                0x3e42_2ba8,
                0x3e2e_c284,
                0x3e1e_dfd5,
                0x3e11_a2a5,
                0x3e06_6ec9,
                0x3df9_a932,
                0x3de9_0452,
            ],
            [
                0x31f4_c21b,
                0xbe9a_b604,
                0xbea7_e7d4,
                0xbe76_ef28,
                0xbe27_3564,
                0xbde5_51c0,
                0xbda3_5a3a,
                0xbd72_40a2,
                0xbd3a_15e2,
                0xbd13_3348,
                0xbcee_8f56,
                0xbcc5_2f16,
                0xbca5_b26f,
                0xbc8d_3015,
                0xbc73_7a6e,
                0xbc54_18d3,
            ],
            [
                0xbeaa_aac0,
                0xbe09_1f7b,
                0x3d60_d496,
                0x3d9d_d7a4,
                0x3d5f_5097,
                0x3d0c_c6de,
                0x3cb1_a3ab,
                0x3c67_e26c,
                0x3c1d_9cf9,
                0x3bde_ab21,
                0x3ba2_a8ea,
                0x3b74_aece,
                0x3b3c_7bfa,
                0x3b14_47d9,
                0x3aed_6b4e,
                0x3ac1_10a4,
            ],
            [
                0x37a1_7107,
                0x3e23_c976,
                0x3d43_d7ef,
                0xbc0a_bb91,
                0xbc5d_b486,
                0xbc16_9ef0,
                0xbbb4_48cf,
                0xbb56_8239,
                0xbb03_55bd,
                0xbaa7_26c3,
                0xba5d_1663,
                0xba17_9c96,
                0xb9d6_4669,
                0xb99b_b16f,
                0xb967_817f,
                0xb92f_b5b7,
            ],
            [
                0x3e08_3fc7,
                0xbca5_737f,
                0xbd33_f382,
                0xbc0b_e563,
                0x3aa4_cd13,
                0x3af6_e510,
                0x3aa5_d030,
                0x3a39_b948,
                0x39cf_45d9,
                0x396c_cac1,
                0x3920_3282,
                0x389e_7656,
                0x3883_4646,
                0x381b_06da,
                0x3803_b8be,
                0x378f_7a8f,
            ],
            [
                0x3b0d_820a,
                0xbd45_bab2,
                0x3c6e_5806,
                0x3be6_7fb2,
                0x3a80_a80f,
                0xb932_9f80,
                0xb97c_b120,
                0xb90d_f008,
                0xb89d_145e,
                0xb82a_e717,
                0xb7e7_9f68,
                0xb711_3153,
                0xb724_928b,
                0xb69a_da51,
                0xb688_918d,
                0xb613_56a8,
            ],
            [
                0xbd81_bb0b,
                0x3cd0_15c4,
                0x3b4b_90d0,
                0xbb23_f419,
                0xba2d_825b,
                0x3718_4ed5,
                0xb93e_92bc,
                0x37e9_d4f0,
                0x388c_5bf3,
                0x3891_9277,
                0xb88c_f5a4,
                0x38c2_74ce,
                0xb7f7_d3b6,
                0x3768_3943,
                0xb7f7_f331,
                0x375e_f511,
            ],
            [
                0x3cb2_2ad7,
                0x3bc9_fe74,
                0xbbb6_3692,
                0x3949_995b,
                0x3995_3396,
                0x37ee_4f0c,
                0x390f_f647,
                0xb787_df8d,
                0xb762_273f,
                0xb731_683d,
                0x37de_04c1,
                0xb80a_51fa,
                0x372f_5a7d,
                0xb65e_01b7,
                0x36b6_4a50,
                0xb40f_c722,
            ],
        ]),
    });
    const LOGISTIC_HIGH: f32 = 120.0;
    const LOGISTIC_ONE: f32 = 40.0;
    const UNIT: f32 = (1_u64 << 60) as f32;
    const UNIT_EXPONENT: f32 = 60.0;
    // Degree 5, error of e⁻ʳ: 3.1e-9.
    const LOGISTIC_S: &'static [f32] = &[
        f32::from_bits(0xdd80_0000), // -0x1p60
        f32::from_bits(0x5cff_fffe), // 0x1.fffffcp58
        f32::from_bits(0xdc2a_aa49), // -0x1.555492p57
        f32::from_bits(0x5b2a_ac57), // 0x1.5558aep55
        f32::from_bits(0xda09_1cbb), // -0x1.123976p53
        f32::from_bits(0x58b5_27ad), // 0x1.6a4f5ap50
    ];
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
    const TANH: Option<Pieces<f64>> = None;
    const LOGISTIC_HIGH: f64 = 800.0;
    const LOGISTIC_ONE: f64 = 300.0;
    const UNIT: f64 = f64::from_bits((1023 + 200) << 52);
    const UNIT_EXPONENT: f64 = 200.0;
    // Degree 10, error of e⁻ʳ: 3.8e-18.
    const LOGISTIC_S: &'static [f64] = &[
        f64::from_bits(0xcc70_0000_0000_0000), // -0x1p200
        f64::from_bits(0x4c60_0000_0000_000a), // 0x1.000000000000ap199
        f64::from_bits(0xcc45_5555_5555_550f), // -0x1.555555555550fp197
        f64::from_bits(0x4c25_5555_5555_0729), // 0x1.5555555550729p195
        f64::from_bits(0xcc01_1111_1112_33c9), // -0x1.11111111233c9p193
        f64::from_bits(0x4bd6_c16c_1845_974f), // 0x1.6c16c1845974fp190
        f64::from_bits(0xcbaa_01a0_1401_388c), // -0x1.a01a01401388cp187
        f64::from_bits(0x4b7a_0199_9b15_6556), // 0x1.a01999b156556p184
        f64::from_bits(0xcb47_1def_8ca3_dd6f), // -0x1.71def8ca3dd6fp181
        f64::from_bits(0x4b12_8adb_2a75_359c), // 0x1.28adb2a75359cp178
        f64::from_bits(0xcada_dc15_dd7c_47de), // -0x1.adc15dd7c47dep174
    ];
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

/// tanh x = x·f(|x|), or t/(t + 2) with t = e²ˣ − 1.
#[inline(always)]
pub(crate) fn tanh<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let (zero, one) = (simd.splat(T::ZERO), simd.splat(T::ONE));
    let magnitude = simd.min(simd.splat(T::TANH_HIGH), simd.abs(x));
    let y = match T::TANH {
        Some(f) => odd_up_to_one(simd, x, magnitude, &f),
        None => {
            let e = exponential(simd, simd.add(magnitude, magnitude));
            let t = e.less_one(simd, one, simd.power(e.n));
            let two = simd.splat(T::TWO);
            let divisor = simd.add(t, two);
            // Exact, t above 2 or below.
            let divisor_low = simd.sub(t, simd.sub(divisor, two));
            let y = divide_sums(simd, (t, zero), (divisor, divisor_low));
            simd.select(simd.lt(x, zero), simd.sub(zero, y), y)
        }
    };
    simd.select(simd.lt(simd.abs(x), simd.splat(T::TANH_LOW)), x, y)
}

/// σ(x) = 1/(1 + e⁻ˣ).
#[inline(always)]
pub(crate) fn sigmoid<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let v = simd.max(simd.splat(-T::LOGISTIC_HIGH), simd.min(simd.splat(T::LOGISTIC_ONE), x));
    let (power, divisor) = Logistic::new(simd, v, simd.splat(T::ZERO)).sigmoid(simd);
    simd.div(power, divisor)
}

/// x·σ(x); −0 at −∞, where it is the limit.
#[inline(always)]
pub(crate) fn silu<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let below = simd.max(simd.splat(-T::LOGISTIC_HIGH), x);
    let v = simd.min(simd.splat(T::LOGISTIC_ONE), below);
    Logistic::new(simd, v, simd.splat(T::ZERO)).times(simd, below, T::LOGISTIC_ONE)
}

/// unit·2ⁿ and r of e^v = 2ⁿ·eʳ.
pub(super) struct Logistic<V> {
    power: V,
    r: V,
}

impl<V: Copy> Logistic<V> {
    /// Of v + tail within ±`LOGISTIC_HIGH` and up to `LOGISTIC_ONE`, |tail| a few units in the last place of v.
    #[inline(always)]
    pub(super) fn new<T: Element, S: Simd<T, V = V>>(simd: S, v: V, tail: V) -> Self {
        // The integer next to v/ln 2, lifted so that the low bits are the exponent field of unit·2ⁿ.
        let lifted = simd.splat(T::ROUND + T::EXPONENT_BIAS + T::UNIT_EXPONENT);
        let index = simd.fma(v, simd.splat(T::LOG2_E), lifted);
        let n = simd.sub(index, lifted);
        let high = simd.fma(n, simd.splat(-T::LN2_HIGH), v);
        let r = simd.add(high, simd.fma(n, simd.splat(-T::LN2_LOW), tail));
        Self { power: simd.with_exponent(index), r }
    }

    /// σ(v) = 2ⁿ/(2ⁿ + e⁻ʳ) as numerator and divisor, each times the unit: where 2ⁿ is small, the result is, and the quotient alone is
    /// rounded to the coarse grid of subnormal numbers. The divisor (1 + 2ⁿ) + (e⁻ʳ − 1) is rounded once: the first sum is exact, or
    /// what it has lost of a small 2ⁿ goes with the second; beside a great one the quotient is next to 1, where little counts.
    #[inline(always)]
    fn sigmoid<T: Element, S: Simd<T, V = V>>(&self, simd: S) -> (V, V) {
        let (sum, lost) = fast_two_sum(simd, simd.splat(T::UNIT), self.power);
        let rest = simd.fma(self.r, wide_polynomial(simd, self.r, T::LOGISTIC_S), lost);
        (self.power, simd.add(sum, rest))
    }

    /// y·σ(v), or y itself above `one`, where σ(v) rounds to 1 and y·unit might overflow.
    #[inline(always)]
    pub(super) fn times<T: Element, S: Simd<T, V = V>>(&self, simd: S, y: V, one: T) -> V {
        let (power, divisor) = self.sigmoid(simd);
        let product = simd.div(simd.mul(y, power), divisor);
        simd.select(simd.lt(simd.splat(one), y), y, product)
    }
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e), e = e^−|x| ≤ 1: the logarithm as in `log`, without an exponent to split off.
#[inline(always)]
pub(crate) fn softplus<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let e = exp_below(simd, negate(simd, simd.abs(x)));
    // e where its square counts.
    let f = simd.select(simd.lt(e, simd.splat(T::EXP_M1_TINY)), simd.splat(T::ZERO), e);
    let s = simd.div(f, simd.add(e, simd.splat(T::TWO)));
    let z = simd.mul(s, s);
    let l = simd.mul(z, wide_polynomial(simd, z, T::SOFTPLUS_L));
    let half_square = simd.mul(simd.mul(f, f), simd.splat(T::HALF));
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

/// −w for x < 0, 1 + w elsewhere, with w = e·(slope + rest − (1 + e))/(1 + e)²: (x·σ(v))′ for odd v(x), where e = e^−|v|,
/// slope + rest = |x|·v′. In the tail, where `scale` asks for that, w is not negative.
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
    // slope − (1 + e): what 1 + e loses is what counts beside the zero.
    let (sum, error) = fast_two_sum(simd, one, value);
    let sum = simd.add(simd.sub(slope, sum), simd.sub(rest, error));
    // (1 + e)² = 1 + e·(2 + e), as a sum; 1 − square is exact.
    let two = simd.splat(T::TWO);
    let (factor, factor_low) = fast_two_sum(simd, two, value);
    let square = simd.fma(value, factor, one);
    let square_low = simd.fma(value, factor_low, simd.fma(value, factor, simd.sub(one, square)));
    let w = divide_sums(simd, e.mantissa_times_exactly(simd, sum), (square, square_low));
    let negative = simd.lt(x, zero);
    let w = simd.scale(w, e.n);
    simd.select(negative, negate(simd, w), simd.add(one, w))
}
