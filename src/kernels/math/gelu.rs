//! GELU: x·Φ(x), its tanh form, and their derivatives.

use super::erf::Moebius;
use super::logistic::{Logistic, weighted_slope};
use super::pieces::{Octaves, from_bits};
use super::{Exponential, exponential_of_sum, fast_two_sum, negate, polynomial, two_product};
use crate::element::Element;
use crate::simd::Simd;

/// Two ways to t·Φ(−t).
pub enum Tail<T: 'static> {
    /// e^(−t²/2)·h(t), with e^(−t²/2) = 2ⁿ·(1 + r·s(r)), n in sixteenths, |r| ≤ ln 2 / 16: this needs short polynomials only.
    Octaves {
        /// h(t) = t·e^(t²/2)·Φ(−t).
        h: Octaves<T>,
        /// 1.5/ε/16: adding it and taking it away rounds a float to sixteenths.
        round: T,
        /// 2^(j/16).
        roots: &'static [T; 16],
        /// s(r) = (e^(−r/2) − 1)/r.
        s: &'static [T],
    },
    /// e^(−t²/2)·t·y·G(v) with y and v of [`Moebius`].
    Moebius {
        /// Few bits.
        k: T,
        /// G(v) = e^(t²/2)·Φ(−t)/y.
        g: &'static [T],
    },
}

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// From here on t·Φ(−t) rounds to 0, by far.
    const GELU_HIGH: Self;
    /// t·Φ(−t) for t in [0, `GELU_HIGH`].
    const GELU: Tail<Self>;
    /// From here on t·Φ′(t) rounds to 0, by far.
    const SLOPE_HIGH: Self;
    /// The zero t₀ of (−t·Φ(−t))′.
    const SLOPE_ZERO: Self;
    /// t₀ − `SLOPE_ZERO`.
    const SLOPE_ZERO_LOW: Self;
    /// k of [`Moebius`] for the derivative.
    const SLOPE_K: Self;
    /// G(v) = e^(t²/2)·(t·Φ′(t) − Φ(−t))/(t − t₀), v = (t − k)/(t + k), for t in [0, `SLOPE_HIGH`].
    const SLOPE_G: &'static [Self];
    /// From here on t·σ(−2u) of the tanh form rounds to 0, by far.
    const GELU_TANH_HIGH: Self;
    /// From here on e^−2u does not count beside 1: 2u is just below `LOGISTIC_ONE`.
    const GELU_TANH_ONE: Self;
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
    const GELU_HIGH: f32 = 15.1;
    const GELU: Tail<f32> = Tail::Octaves {
        // Degree 5, relative error 3.8e-8. Of the floats near the middle of its piece the center is the one whose h is nearest to
        // a float.
        h: Octaves {
            slope: 0.914_062_5,
            high: 14.357,
            centers: &from_bits([[
                0x3fc0_91d4,
                0x4003_45c4,
                0x4026_42c7,
                0x4049_4ec7,
                0x407d_ccee,
                0x40a1_e86e,
                0x40c4_ea85,
                0x40e7_e93d,
                0x410e_3e06,
                0x4131_3fe1,
                0x4154_36f3,
                0x0000_0000,
                0x3e8c_0157,
                0x3f0c_0de9,
                0x3f52_0c23,
                0x3f8c_080c,
            ]])[0],
            coefficients: &from_bits([
                [
                    0x3e9e_3314,
                    0x3ead_39db,
                    0x3eb6_3785,
                    0x3ebb_eff4,
                    0x3ec1_306c,
                    0x3ec5_11c5,
                    0x3ec7_3e68,
                    0x3ec8_92a7,
                    0x3ec9_c434,
                    0x3eca_a219,
                    0x3ecb_1dda,
                    0x0000_0000,
                    0x3de4_09fc,
                    0x3e3e_1831,
                    0x3e72_4dcd,
                    0x3e8b_94a8,
                ],
                [
                    0x3d8f_71af,
                    0x3d26_6abe,
                    0x3cce_1c43,
                    0x3c86_9887,
                    0x3c1a_35ce,
                    0x3ba4_d6fe,
                    0x3b42_89c6,
                    0x3af7_2f40,
                    0x3a8a_80d8,
                    0x3a12_c069,
                    0x39ad_6af8,
                    0x3f00_0000,
                    0x3ea8_3860,
                    0x3e63_f86d,
                    0x3e1e_ef9c,
                    0x3de3_52be,
                ],
                [
                    0xbd18_a8f1,
                    0xbc9b_2bd6,
                    0xbc29_e35f,
                    0xbbc5_d355,
                    0xbb41_c3cf,
                    0xbaac_53e4,
                    0xba2d_4687,
                    0xb9bf_3bfe,
                    0xb932_6522,
                    0xb89a_1dcb,
                    0xb819_7ee1,
                    0xbecc_4216,
                    0xbe78_7eff,
                    0xbe1c_0fc4,
                    0xbdca_04bb,
                    0xbd86_5d80,
                ],
                [
                    0x3c85_c079,
                    0x3bf1_4580,
                    0x3b6b_f761,
                    0x3af7_157e,
                    0x3a50_f650,
                    0x399c_11a3,
                    0x3906_8beb,
                    0x3881_8a77,
                    0x37ca_0e70,
                    0x370e_d147,
                    0x3670_445f,
                    0x3e7f_f526,
                    0x3e11_8e89,
                    0x3dab_0b49,
                    0x3d4f_5c27,
                    0x3d01_52c5,
                ],
                [
                    0xbbd0_4b79,
                    0xbb27_f482,
                    0xba93_b299,
                    0xba0b_dacd,
                    0xb950_eb4d,
                    0xb883_5847,
                    0xb7c2_8425,
                    0xb723_9b56,
                    0xb659_db91,
                    0xb57a_b078,
                    0xb4b1_92d4,
                    0xbe07_3b1e,
                    0xbd92_6f71,
                    0xbd21_f805,
                    0xbcb8_f5a9,
                    0xbc59_8e73,
                ],
                [
                    0x3b12_31cd,
                    0x3a54_36a9,
                    0x39a9_2bc1,
                    0x3911_f55c,
                    0x383f_b91b,
                    0x374d_3e91,
                    0x3683_7e99,
                    0x35c2_4dac,
                    0x34db_6368,
                    0x33cf_62a3,
                    0x32f8_4bfa,
                    0x3d5e_7be8,
                    0x3d04_3fad,
                    0x3c89_39ec,
                    0x3c14_6695,
                    0x3ba5_0995,
                ],
            ]),
        },
        round: 1.5 / f32::EPSILON / 16.0,
        roots: &from_bits([[
            0x3f80_0000,
            0x3f85_aac3,
            0x3f8b_95c2,
            0x3f91_c3d3,
            0x3f98_37f0,
            0x3f9e_f532,
            0x3fa5_fed7,
            0x3fad_583f,
            0x3fb5_04f3,
            0x3fbd_08a4,
            0x3fc5_672a,
            0x3fce_248c,
            0x3fd7_44fd,
            0x3fe0_ccdf,
            0x3fea_c0c7,
            0x3ff5_257d,
        ]])[0],
        // Degree 2, error of e^(−r/2): 1.6e-9.
        s: &[
            f32::from_bits(0xbf00_0000), // -0x1p-1
            f32::from_bits(0x3e00_010f), // 0x1.00021ep-3
            f32::from_bits(0xbcaa_abaa), // -0x1.555754p-6
        ],
    };
    const SLOPE_HIGH: f32 = 15.4;
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
    const GELU_TANH_HIGH: f32 = 11.2;
    const GELU_TANH_ONE: f32 = 7.3;
    const GELU_TANH_A: f32 = f32::from_bits(0x3fcc_4228); // 0x1.98845p0
    const GELU_TANH_A_LOW: f32 = f32::from_bits(0x344f_50d9); // 0x1.9ea1b2p-23
    const GELU_TANH_B: f32 = f32::from_bits(0x3d92_2279); // 0x1.2444f2p-4
    const GELU_TANH_B_LOW: f32 = f32::from_bits(0x3124_d8b5); // 0x1.49b16ap-29
    const GELU_TANH_3B: f32 = f32::from_bits(0x3e5b_33b6); // 0x1.b6676cp-3
}

impl Constants for f64 {
    const GELU_HIGH: f64 = 39.2;
    const GELU: Tail<f64> = Tail::Moebius {
        k: 3.9375,
        // Degree 23, relative error 2.0e-17.
        g: &[
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
        ],
    };
    const SLOPE_HIGH: f64 = 39.3;
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
    const GELU_TANH_HIGH: f64 = 22.0;
    const GELU_TANH_ONE: f64 = 15.5;
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
    let tail = match T::GELU {
        Tail::Octaves { h, round, roots, s } => {
            let (square, low) = two_product(simd, t, t);
            let round = simd.splat(round);
            // −t²/2 in units of ln 2, to the next sixteenth; the low bits hold which root that is.
            let index = simd.fma(square, simd.splat(-T::HALF * T::LOG2_E), round);
            let n = simd.sub(index, round);
            // t² + 2·n·ln 2, the first step exact.
            let high = simd.fma(n, simd.splat(T::TWO * T::LN2_HIGH), square);
            let r = simd.add(high, simd.fma(n, simd.splat(T::TWO * T::LN2_LOW), low));
            let root = simd.lookup(roots, index);
            let e = simd.fma(root, simd.mul(r, polynomial(simd, r, s)), root);
            simd.scale_floor(simd.mul(h.value(simd, simd.min(simd.splat(h.high), t)), e), n)
        }
        Tail::Moebius { k, g } => {
            let (e, moebius) = (gauss(simd, t), Moebius::new(simd, t, k));
            let tail = e.mantissa_times(simd, simd.mul(t, polynomial(simd, moebius.v, g)));
            simd.scale(moebius.times(simd, tail), e.n)
        }
    };
    // −0, so that a tail of 0 leaves −0 for x < 0.
    simd.sub(simd.max(simd.splat(-T::ZERO), x), tail)
}

/// (x·Φ(x))′ = Φ(x) + x·Φ′(x): −w for x < 0, 1 + w for x > 0, with w = t·Φ′(t) − Φ(−t). The factor t − t₀ is split off, so that w
/// is precise beside its zero too; in the tail, where `scale` asks for that, w is not negative.
#[inline(always)]
pub(crate) fn gelu_derivative<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let t = simd.min(simd.splat(T::SLOPE_HIGH), simd.abs(x));
    let e = gauss(simd, t);
    let factor = simd.sub(simd.sub(t, simd.splat(T::SLOPE_ZERO)), simd.splat(T::SLOPE_ZERO_LOW));
    let v = Moebius::new(simd, t, T::SLOPE_K).v;
    let w = e.mantissa_times(simd, simd.mul(factor, polynomial(simd, v, T::SLOPE_G)));
    let w = simd.scale(w, e.n);
    simd.select(simd.lt(x, simd.splat(T::ZERO)), negate(simd, w), simd.add(simd.splat(T::ONE), w))
}

/// 2u = t·(a + b·t²), as a sum.
#[inline(always)]
fn tanh_form<T: Element, S: Simd<T>>(simd: S, t: S::V) -> (S::V, S::V) {
    let (a, b) = (simd.splat(T::GELU_TANH_A), simd.splat(T::GELU_TANH_B));
    let (square, square_low) = two_product(simd, t, t);
    let w = simd.fma(b, square, a);
    // a − w is exact; so is what the FMA above has rounded off.
    let low = simd.fma(b, square, simd.sub(a, w));
    let low = simd.fma(b, square_low, simd.add(low, simd.splat(T::GELU_TANH_A_LOW)));
    let low = simd.fma(simd.splat(T::GELU_TANH_B_LOW), square, low);
    let (v, v_low) = two_product(simd, t, w);
    (v, simd.fma(t, low, v_low))
}

/// x·σ(2u) = x·(1 + tanh u)/2 with u = √(2/π)·(x + 0.044715·x³); −0 at −∞, where it is the limit.
#[inline(always)]
pub(crate) fn gelu_tanh<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let below = simd.max(simd.splat(-T::GELU_TANH_HIGH), x);
    let (v, tail) = tanh_form(simd, simd.min(simd.splat(T::GELU_TANH_ONE), below));
    Logistic::new(simd, v, tail).times(simd, below, T::GELU_TANH_ONE)
}

/// (x·σ(2u))′ = σ(2u) + x·σ′(2u)·(a + 3b·x²).
#[inline(always)]
pub(crate) fn gelu_tanh_derivative<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let t = simd.min(simd.splat(T::GELU_TANH_HIGH), simd.abs(x));
    let (v, tail) = tanh_form(simd, negate(simd, t));
    let e = exponential_of_sum(simd, v, tail);
    let (a, square) = (simd.splat(T::GELU_TANH_A), simd.mul(t, t));
    // a, the greater term where precision matters, first; what it lacks goes with the rest.
    let (slope, rest) = fast_two_sum(simd, a, simd.mul(simd.splat(T::GELU_TANH_3B), square));
    let rest = simd.add(rest, simd.splat(T::GELU_TANH_A_LOW));
    let (high, low) = two_product(simd, t, slope);
    weighted_slope(simd, x, e, high, simd.fma(t, rest, low))
}
