//! GELU: x·Φ(x), its tanh form, and their derivatives.

use super::logistic::weighted_slope;
use super::{Exponential, exponential_of_sum, fast_two_sum, negate, polynomial, two_product};
use crate::element::Element;
use crate::simd::Simd;

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// From here on Φ(−t)·t and Φ′(t)·t round to 0.
    const GELU_HIGH: Self;
    /// Numerator of Φ(−t)·e^(t²/2) on [0, `GELU_HIGH`].
    const GELU_P: &'static [Self];
    /// Its denominator.
    const GELU_Q: &'static [Self];
    /// The zero t₀ of (−t·Φ(−t))′.
    const SLOPE_ZERO: Self;
    /// t₀ − `SLOPE_ZERO`.
    const SLOPE_ZERO_LOW: Self;
    /// Numerator of (Φ(−t) − t·Φ′(t))·e^(t²/2)/(t₀ − t) on [0, `GELU_HIGH`].
    const SLOPE_P: &'static [Self];
    /// Its denominator.
    const SLOPE_Q: &'static [Self];
    /// From here on t·σ(−2u) of the tanh form rounds to 0.
    const GELU_TANH_HIGH: Self;
    /// 2·√(2/π), so short that its difference from `GELU_TANH_A` + b·t² is exact.
    const GELU_TANH_A: Self;
    /// 2·√(2/π) − `GELU_TANH_A`.
    const GELU_TANH_A_LOW: Self;
    /// b = 0.044715·2·√(2/π).
    const GELU_TANH_B: Self;
    /// b − `GELU_TANH_B`.
    const GELU_TANH_B_LOW: Self;
    /// 3·b.
    const GELU_TANH_3B: Self;
}

impl Constants for f32 {
    const GELU_HIGH: f32 = 14.7;
    // Degrees 4 and 5, relative error 4.1e-8.
    const GELU_P: &'static [f32] = &[
        f32::from_bits(0x3f00_0000), // 0x1p-1
        f32::from_bits(0x3ee0_6705), // 0x1.c0ce0ap-2
        f32::from_bits(0x3e3b_a031), // 0x1.774062p-3
        f32::from_bits(0x3d26_6c89), // 0x1.4cd912p-5
        f32::from_bits(0x3b86_df00), // 0x1.0dbep-8
    ];
    const GELU_Q: &'static [f32] = &[
        f32::from_bits(0x3f80_0000), // 0x1p0
        f32::from_bits(0x3fd6_549b), // 0x1.aca936p0
        f32::from_bits(0x3f99_eab4), // 0x1.33d568p0
        f32::from_bits(0x3ef0_5c13), // 0x1.e0b826p-2
        f32::from_bits(0x3dd0_9840), // 0x1.a1308p-4
        f32::from_bits(0x3c29_08ad), // 0x1.52115ap-7
    ];
    const SLOPE_ZERO: f32 = f32::from_bits(0x3f40_7569); // 0x1.80ead2p-1
    const SLOPE_ZERO_LOW: f32 = f32::from_bits(0xb250_1fea); // -0x1.a03fd4p-27
    // Degrees 4 and 4, relative error 3.5e-8.
    const SLOPE_P: &'static [f32] = &[
        f32::from_bits(0x3f2a_428d), // 0x1.54851ap-1
        f32::from_bits(0x3f40_f627), // 0x1.81ec4ep-1
        f32::from_bits(0x3ec1_9352), // 0x1.8326a4p-2
        f32::from_bits(0x3dc4_04b3), // 0x1.880966p-4
        f32::from_bits(0x3c2b_1cdf), // 0x1.5639bep-7
    ];
    const SLOPE_Q: &'static [f32] = &[
        f32::from_bits(0x3f80_0000), // 0x1p0
        f32::from_bits(0x3fb3_10b5), // 0x1.66216ap0
        f32::from_bits(0x3f4b_19b3), // 0x1.963366p-1
        f32::from_bits(0x3e61_86cc), // 0x1.c30d98p-3
        f32::from_bits(0x3cd6_74f3), // 0x1.ace9e6p-6
    ];
    const GELU_TANH_HIGH: f32 = 10.9;
    const GELU_TANH_A: f32 = f32::from_bits(0x3fcc_4228); // 0x1.98845p0
    const GELU_TANH_A_LOW: f32 = f32::from_bits(0x344f_50d9); // 0x1.9ea1b2p-23
    const GELU_TANH_B: f32 = f32::from_bits(0x3d92_2279); // 0x1.2444f2p-4
    const GELU_TANH_B_LOW: f32 = f32::from_bits(0x3124_d8b5); // 0x1.49b16ap-29
    const GELU_TANH_3B: f32 = f32::from_bits(0x3e5b_33b6); // 0x1.b6676cp-3
}

impl Constants for f64 {
    const GELU_HIGH: f64 = 38.8;
    // Degrees 9 and 10, relative error 9.7e-17.
    const GELU_P: &'static [f64] = &[
        f64::from_bits(0x3fe0_0000_0000_0000), // 0x1p-1
        f64::from_bits(0x3fe8_ca5f_e349_ae9c), // 0x1.8ca5fe349ae9cp-1
        f64::from_bits(0x3fe3_0068_85e8_dc79), // 0x1.3006885e8dc79p-1
        f64::from_bits(0x3fd2_818a_734b_1c47), // 0x1.2818a734b1c47p-2
        f64::from_bits(0x3fb8_fda4_7edc_01fd), // 0x1.8fda47edc01fdp-4
        f64::from_bits(0x3f98_2a24_06ac_06ac), // 0x1.82a2406ac06acp-6
        f64::from_bits(0x3f70_ba91_9c6b_7afe), // 0x1.0ba919c6b7afep-8
        f64::from_bits(0x3f40_0bae_306e_9bdd), // 0x1.00bae306e9bddp-11
        f64::from_bits(0x3f03_7f17_4599_4959), // 0x1.37f1745994959p-15
        f64::from_bits(0x3eb7_3294_ecc6_46d5), // 0x1.73294ecc646d5p-20
    ];
    const GELU_Q: &'static [f64] = &[
        f64::from_bits(0x3ff0_0000_0000_0000), // 0x1p0
        f64::from_bits(0x4002_c741_3e99_e4cc), // 0x1.2c7413e99e4ccp1
        f64::from_bits(0x4004_7bd6_ad35_80ba), // 0x1.47bd6ad3580bap1
        f64::from_bits(0x3ffb_6ad9_80d0_2ce5), // 0x1.b6ad980d02ce5p0
        f64::from_bits(0x3fe9_0260_4ff7_61f8), // 0x1.902604ff761f8p-1
        f64::from_bits(0x3fd0_4dce_01ff_24ff), // 0x1.04dce01ff24ffp-2
        f64::from_bits(0x3fae_e926_9ba7_0b0e), // 0x1.ee9269ba70b0ep-5
        f64::from_bits(0x3f85_2846_3c37_3849), // 0x1.528463c373849p-7
        f64::from_bits(0x3f54_2ac0_39c5_bea4), // 0x1.42ac039c5bea4p-10
        f64::from_bits(0x3f18_6f67_a07d_b25d), // 0x1.86f67a07db25dp-14
        f64::from_bits(0x3ecd_12e8_9007_bd31), // 0x1.d12e89007bd31p-19
    ];
    const SLOPE_ZERO: f64 = f64::from_bits(0x3fe8_0ead_197f_00b4); // 0x1.80ead197f00b4p-1
    const SLOPE_ZERO_LOW: f64 = f64::from_bits(0xbc71_3e74_c58c_ada8); // -0x1.13e74c58cada8p-56
    // Degrees 9 and 9, relative error 5.8e-17.
    const SLOPE_P: &'static [f64] = &[
        f64::from_bits(0x3fe5_4851_a5cc_1ec8), // 0x1.54851a5cc1ec8p-1
        f64::from_bits(0x3ff4_0d99_c539_043a), // 0x1.40d99c539043ap0
        f64::from_bits(0x3ff2_179f_8bb1_ae8a), // 0x1.2179f8bb1ae8ap0
        f64::from_bits(0x3fe4_38cb_d2e0_e5ba), // 0x1.438cbd2e0e5bap-1
        f64::from_bits(0x3fce_b0f3_4304_a9d3), // 0x1.eb0f34304a9d3p-3
        f64::from_bits(0x3fb0_619a_552b_9cd1), // 0x1.0619a552b9cd1p-4
        f64::from_bits(0x3f88_a4d1_30bd_28e0), // 0x1.8a4d130bd28ep-7
        f64::from_bits(0x3f59_4cfe_2895_bb76), // 0x1.94cfe2895bb76p-10
        f64::from_bits(0x3f20_33e1_790a_863d), // 0x1.033e1790a863dp-13
        f64::from_bits(0x3ed3_f556_bff8_80f9), // 0x1.3f556bff880f9p-18
    ];
    const SLOPE_Q: &'static [f64] = &[
        f64::from_bits(0x3ff0_0000_0000_0000), // 0x1p0
        f64::from_bits(0x4001_335f_87b6_a0ba), // 0x1.1335f87b6a0bap1
        f64::from_bits(0x4000_ff2e_6ccc_f0e9), // 0x1.0ff2e6cccf0e9p1
        f64::from_bits(0x3ff4_5197_89a6_7cf7), // 0x1.4519789a67cf7p0
        f64::from_bits(0x3fe0_3f07_b6bc_e4e9), // 0x1.03f07b6bce4e9p-1
        f64::from_bits(0x3fc2_180f_f090_5125), // 0x1.2180ff0905125p-3
        f64::from_bits(0x3f9c_36f4_49f0_a1d1), // 0x1.c36f449f0a1d1p-6
        f64::from_bits(0x3f6d_e630_2363_c3a4), // 0x1.de6302363c3a4p-9
        f64::from_bits(0x3f33_b827_909e_ff4a), // 0x1.3b827909eff4ap-12
        f64::from_bits(0x3ee9_039b_4c5e_1f01), // 0x1.9039b4c5e1f01p-17
    ];
    const GELU_TANH_HIGH: f64 = 21.8;
    const GELU_TANH_A: f64 = f64::from_bits(0x3ff9_8845_33d4_3660); // 0x1.9884533d4366p0
    const GELU_TANH_A_LOW: f64 = f64::from_bits(0xbcee_e5e0_6987_5fe9); // -0x1.ee5e069875fe9p-49
    const GELU_TANH_B: f64 = f64::from_bits(0x3fb2_444f_2a4d_8b4b); // 0x1.2444f2a4d8b4bp-4
    const GELU_TANH_B_LOW: f64 = f64::from_bits(0xbc26_c843_a29d_1c70); // -0x1.6c843a29d1c7p-61
    const GELU_TANH_3B: f64 = f64::from_bits(0x3fcb_6676_bf74_50f0); // 0x1.b6676bf7450fp-3
}

/// e^(−t²/2), t²/2 as a sum.
#[inline(always)]
fn gauss<T: Element, S: Simd<T>>(simd: S, t: S::V) -> Exponential<S::V> {
    let minus_half = simd.mul(t, simd.splat(-T::HALF));
    let (square, tail) = two_product(simd, t, minus_half);
    exponential_of_sum(simd, square, tail)
}

/// x·Φ(x) = max(x, 0) − t·Φ(−t) with t = |x|: the tail keeps its relative precision. −0 at −∞, where it is the limit.
#[inline(always)]
pub(crate) fn gelu<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let t = simd.min(simd.splat(T::GELU_HIGH), simd.abs(x));
    let e = gauss(simd, t);
    let numerator = simd.mul(simd.mul(e.mantissa(simd), t), polynomial(simd, t, T::GELU_P));
    let tail = simd.scale(simd.div(numerator, polynomial(simd, t, T::GELU_Q)), e.n);
    // −0, so that a tail of 0 leaves −0 for x < 0.
    simd.sub(simd.max(simd.splat(-T::ZERO), x), tail)
}

/// (x·Φ(x))′ = Φ(x) + x·Φ′(x): w = Φ(−t) − t·Φ′(t) for x < 0, 1 − w for x > 0. The factor t₀ − t is split off, so that w is
/// precise beside its zero too.
#[inline(always)]
pub(crate) fn gelu_derivative<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let t = simd.min(simd.splat(T::GELU_HIGH), simd.abs(x));
    let e = gauss(simd, t);
    let factor = simd.add(simd.sub(simd.splat(T::SLOPE_ZERO), t), simd.splat(T::SLOPE_ZERO_LOW));
    let numerator = simd.mul(simd.mul(e.mantissa(simd), factor), polynomial(simd, t, T::SLOPE_P));
    let w = simd.scale(simd.div(numerator, polynomial(simd, t, T::SLOPE_Q)), e.n);
    simd.select(simd.lt(x, simd.splat(T::ZERO)), w, simd.sub(simd.splat(T::ONE), w))
}

/// e^−2u with 2u = t·(a + b·t²), as a sum.
#[inline(always)]
fn tanh_form<T: Element, S: Simd<T>>(simd: S, t: S::V) -> Exponential<S::V> {
    let (a, b) = (simd.splat(T::GELU_TANH_A), simd.splat(T::GELU_TANH_B));
    let (square, square_low) = two_product(simd, t, t);
    let w = simd.fma(b, square, a);
    // a − w is exact; so is what the FMA above has rounded off.
    let low = simd.fma(b, square, simd.sub(a, w));
    let low = simd.fma(b, square_low, simd.add(low, simd.splat(T::GELU_TANH_A_LOW)));
    let low = simd.fma(simd.splat(T::GELU_TANH_B_LOW), square, low);
    let minus_t = negate(simd, t);
    let (v, v_low) = two_product(simd, minus_t, w);
    exponential_of_sum(simd, v, simd.fma(minus_t, low, v_low))
}

/// x·σ(2u) = x·(1 + tanh u)/2 with u = √(2/π)·(x + 0.044715·x³), as max(x, 0) − t·σ(−2u(t)), t = |x|.
#[inline(always)]
pub(crate) fn gelu_tanh<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let t = simd.min(simd.splat(T::GELU_TANH_HIGH), simd.abs(x));
    let e = tanh_form(simd, t);
    let mantissa = e.mantissa(simd);
    let divisor = simd.add(simd.splat(T::ONE), simd.scale(mantissa, e.n));
    let tail = simd.scale(simd.div(simd.mul(t, mantissa), divisor), e.n);
    // −0, so that a tail of 0 leaves −0 for x < 0.
    simd.sub(simd.max(simd.splat(-T::ZERO), x), tail)
}

/// (x·σ(2u))′ = σ(2u) + x·σ′(2u)·(a + 3b·x²).
#[inline(always)]
pub(crate) fn gelu_tanh_derivative<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let t = simd.min(simd.splat(T::GELU_TANH_HIGH), simd.abs(x));
    let e = tanh_form(simd, t);
    let (a, square) = (simd.splat(T::GELU_TANH_A), simd.mul(t, t));
    // a, the greater term where precision matters, first; what it lacks goes with the rest.
    let (slope, rest) = fast_two_sum(simd, a, simd.mul(simd.splat(T::GELU_TANH_3B), square));
    let rest = simd.add(rest, simd.splat(T::GELU_TANH_A_LOW));
    let (high, low) = two_product(simd, t, slope);
    weighted_slope(simd, x, e, high, simd.fma(t, rest, low))
}
