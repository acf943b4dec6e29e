//! GELU: x·Φ(x), its tanh form, and their derivatives.

use super::erf::Moebius;
use super::logistic::{times_sigmoid, weighted_slope};
use super::{Exponential, exponential_of_sum, fast_two_sum, negate, polynomial, two_product};
use crate::element::Element;
use crate::simd::Simd;

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// From here on Φ(−t)·t and Φ′(t)·t round to 0.
    const GELU_HIGH: Self;
    /// k of [`Moebius`] for GELU: few bits.
    const GELU_K: Self;
    /// G(v) = (k + t)·e^(t²/2)·Φ(−t), v = (t − k)/(t + k), for t in [0, `GELU_HIGH`].
    const GELU_G: &'static [Self];
    /// The zero t₀ of (−t·Φ(−t))′.
    const SLOPE_ZERO: Self;
    /// t₀ − `SLOPE_ZERO`.
    const SLOPE_ZERO_LOW: Self;
    /// k of [`Moebius`] for the derivative.
    const SLOPE_K: Self;
    /// G(v) = e^(t²/2)·(Φ(−t) − t·Φ′(t))/(t₀ − t), v = (t − k)/(t + k), for t in [0, `GELU_HIGH`].
    const SLOPE_G: &'static [Self];
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
    const GELU_K: f32 = 1.9375;
    // Degree 11, relative error 2.0e-8.
    const GELU_G: &'static [f32] = &[
        f32::from_bits(0x3f2a_bb30), // 0x1.55766p-1
        f32::from_bits(0xbea1_f860), // -0x1.43f0cp-2
        f32::from_bits(0x3c86_4e7c), // 0x1.0c9cf8p-6
        f32::from_bits(0x3d18_2588), // 0x1.304b1p-5
        f32::from_bits(0x3b1c_44be), // 0x1.38897cp-9
        f32::from_bits(0xbbcf_cd79), // -0x1.9f9af2p-8
        f32::from_bits(0xbb2b_2884), // -0x1.565108p-9
        f32::from_bits(0x39f6_476b), // 0x1.ec8ed6p-12
        f32::from_bits(0x3a67_7dba), // 0x1.cefb74p-11
        f32::from_bits(0x397d_2282), // 0x1.fa4504p-13
        f32::from_bits(0xb8fd_71ac), // -0x1.fae358p-14
        f32::from_bits(0xb88e_9ad4), // -0x1.1d35a8p-14
    ];
    const SLOPE_ZERO: f32 = f32::from_bits(0x3f40_7569); // 0x1.80ead2p-1
    const SLOPE_ZERO_LOW: f32 = f32::from_bits(0xb250_1fea); // -0x1.a03fd4p-27
    const SLOPE_K: f32 = 3.5625;
    // Degree 8, relative error 7.8e-9.
    const SLOPE_G: &'static [f32] = &[
        f32::from_bits(0x3eef_d1fe), // 0x1.dfa3fcp-2
        f32::from_bits(0xbde1_dada), // -0x1.c3b5b4p-4
        f32::from_bits(0x3d70_7d85), // 0x1.e0fb0ap-5
        f32::from_bits(0xbcbb_6712), // -0x1.76ce24p-6
        f32::from_bits(0x3bad_9fa6), // 0x1.5b3f4cp-8
        f32::from_bits(0x382e_e509), // 0x1.5dca12p-15
        f32::from_bits(0xb9e6_5bd8), // -0x1.ccb7bp-12
        f32::from_bits(0x3850_de8f), // 0x1.a1bd1ep-15
        f32::from_bits(0x382b_5601), // 0x1.56ac02p-15
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
    const GELU_K: f64 = 3.9375;
    // Degree 23, relative error 2.0e-17.
    const GELU_G: &'static [f64] = &[
        f64::from_bits(0x3fe8_21ac_fbf5_28d2), // 0x1.821acfbf528d2p-1
        f64::from_bits(0xbfe3_4d8e_f87d_379c), // -0x1.34d8ef87d379cp-1
        f64::from_bits(0x3fd8_3fb4_cdad_f564), // 0x1.83fb4cdadf564p-2
        f64::from_bits(0xbfc6_c3b5_dd50_c48f), // -0x1.6c3b5dd50c48fp-3
        f64::from_bits(0x3fab_e15c_26e4_cc2b), // 0x1.be15c26e4cc2bp-5
        f64::from_bits(0xbf74_b709_d9f0_67e3), // -0x1.4b709d9f067e3p-8
        f64::from_bits(0xbf6f_62b5_c627_c5ae), // -0x1.f62b5c627c5aep-9
        f64::from_bits(0x3f57_042a_dd71_7ecc), // 0x1.7042add717eccp-10
        f64::from_bits(0x3f2f_e8d1_ab99_5681), // 0x1.fe8d1ab995681p-13
        f64::from_bits(0xbf2c_2b6d_9701_0a27), // -0x1.c2b6d97010a27p-13
        f64::from_bits(0xbef7_831f_64b1_381b), // -0x1.7831f64b1381bp-16
        f64::from_bits(0x3f01_97ff_684d_65a1), // 0x1.197ff684d65a1p-15
        f64::from_bits(0x3ed3_11a6_1463_cd13), // 0x1.311a61463cd13p-18
        f64::from_bits(0xbed7_0a7e_9f0b_6e9e), // -0x1.70a7e9f0b6e9ep-18
        f64::from_bits(0xbeb6_ed42_7584_22fe), // -0x1.6ed42758422fep-20
        f64::from_bits(0x3eac_a58c_d0ae_1af2), // 0x1.ca58cd0ae1af2p-21
        f64::from_bits(0x3e9b_2abc_be4a_1687), // 0x1.b2abcbe4a1687p-22
        f64::from_bits(0xbe79_fd95_07bc_9459), // -0x1.9fd9507bc9459p-24
        f64::from_bits(0xbe7b_b9da_5e69_4f73), // -0x1.bb9da5e694f73p-24
        f64::from_bits(0xbe21_d1ce_ca77_de0e), // -0x1.1d1ceca77de0ep-29
        f64::from_bits(0x3e55_87f0_b402_f405), // 0x1.587f0b402f405p-26
        f64::from_bits(0x3e32_b421_246f_6b53), // 0x1.2b421246f6b53p-28
        f64::from_bits(0xbe22_c1bf_cf36_2bb0), // -0x1.2c1bfcf362bbp-29
        f64::from_bits(0xbe0c_164e_8d97_b0a2), // -0x1.c164e8d97b0a2p-31
    ];
    const SLOPE_ZERO: f64 = f64::from_bits(0x3fe8_0ead_197f_00b4); // 0x1.80ead197f00b4p-1
    const SLOPE_ZERO_LOW: f64 = f64::from_bits(0xbc71_3e74_c58c_ada8); // -0x1.13e74c58cada8p-56
    const SLOPE_K: f64 = 6.4375;
    // Degree 20, relative error 1.4e-17.
    const SLOPE_G: &'static [f64] = &[
        f64::from_bits(0x3fdc_39fa_8c9e_16fb), // 0x1.c39fa8c9e16fbp-2
        f64::from_bits(0xbfb3_2f4c_d25a_3fa7), // -0x1.32f4cd25a3fa7p-4
        f64::from_bits(0x3fac_f208_25a7_26fa), // 0x1.cf20825a726fap-5
        f64::from_bits(0xbfa4_2b02_8c13_f05d), // -0x1.42b028c13f05dp-5
        f64::from_bits(0x3f99_cb3b_edde_0e3e), // 0x1.9cb3bedde0e3ep-6
        f64::from_bits(0xbf8e_0904_7968_4113), // -0x1.e090479684113p-7
        f64::from_bits(0x3f7f_8056_9fb2_7a66), // 0x1.f80569fb27a66p-8
        f64::from_bits(0xbf6d_4d43_5488_78a7), // -0x1.d4d43548878a7p-9
        f64::from_bits(0x3f57_9835_8b08_e4ae), // 0x1.798358b08e4aep-10
        f64::from_bits(0xbf3f_811a_ca74_0324), // -0x1.f811aca740324p-12
        f64::from_bits(0x3f1f_ab84_8a7c_9713), // 0x1.fab848a7c9713p-14
        f64::from_bits(0xbef0_9df0_46bd_c486), // -0x1.09df046bdc486p-16
        f64::from_bits(0xbeca_f9ba_87f4_4e2f), // -0x1.af9ba87f44e2fp-19
        f64::from_bits(0x3ec4_7c5e_eefe_5640), // 0x1.47c5eeefe564p-19
        f64::from_bits(0xbea1_1bb4_a9ef_02a9), // -0x1.11bb4a9ef02a9p-21
        f64::from_bits(0xbe74_a27a_6310_642a), // -0x1.4a27a6310642ap-24
        f64::from_bits(0x3e73_7b31_057b_da74), // 0x1.37b31057bda74p-24
        f64::from_bits(0xbe45_0765_6313_7ec8), // -0x1.5076563137ec8p-27
        f64::from_bits(0xbe3c_8464_11e1_34cf), // -0x1.c846411e134cfp-28
        f64::from_bits(0x3e20_1881_63cd_6a53), // 0x1.0188163cd6a53p-29
        f64::from_bits(0x3e08_1cdc_de81_2aa8), // 0x1.81cdcde812aa8p-31
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
    let moebius = Moebius::new(simd, t, T::GELU_K);
    let scaled = e.mantissa_times(simd, simd.mul(t, polynomial(simd, moebius.v, T::GELU_G)));
    let tail = simd.scale(moebius.times(simd, scaled), e.n);
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
    let v = Moebius::new(simd, t, T::SLOPE_K).v;
    let w = e.mantissa_times(simd, simd.mul(factor, polynomial(simd, v, T::SLOPE_G)));
    let w = simd.scale(w, e.n);
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

/// x·σ(2u) = x·(1 + tanh u)/2 with u = √(2/π)·(x + 0.044715·x³); −0 at −∞, where it is the limit.
#[inline(always)]
pub(crate) fn gelu_tanh<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let high = simd.splat(T::GELU_TANH_HIGH);
    let below = simd.max(negate(simd, high), x);
    times_sigmoid(simd, below, tanh_form(simd, simd.min(high, below)))
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
