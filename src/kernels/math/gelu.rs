//! GELU: x·Φ(x), its tanh form, and their derivatives.

use super::erf::Moebius;
use super::logistic::{times_sigmoid, weighted_slope};
use super::pieces::{Pieces, from_bits};
use super::{Exponential, exponential_of_sum, fast_two_sum, negate, polynomial, two_product};
use crate::element::Element;
use crate::simd::Simd;

/// Two ways to f(t) = e^(t²/2)·Φ(−t).
pub enum Tail<T: 'static> {
    /// As it is.
    Pieces(Pieces<T>),
    /// f(t) = y·G(v) with y and v of [`Moebius`].
    Moebius {
        /// Few bits.
        k: T,
        /// G.
        g: &'static [T],
    },
}

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// From here on Φ(−t)·t and Φ′(t)·t round to 0.
    const GELU_HIGH: Self;
    /// e^(t²/2)·Φ(−t) for t in [0, `GELU_HIGH`].
    const GELU: Tail<Self>;
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
    const GELU_HIGH: f32 = 14.7;
    // Degree 7, relative error 3.9e-8.
    const GELU: Tail<f32> = Tail::Pieces(Pieces {
        width: 244.0 / 256.0,
        inverse_width: 256.0 / 244.0,
        coefficients: &from_bits([
            [
                0x3f00_0000,
                0x3e89_4bc9,
                0x3e32_5b61,
                0x3e01_9380,
                0x3dc9_e08d,
                0x3da4_b8a1,
                0x3d8a_d9c1,
                0x3d6f_c059,
                0x3d52_cb25,
                0x3d3c_00ab,
                0x3d29_9d76,
                0x3d1a_7a00,
                0x3d0d_cd22,
                0x3d03_0960,
                0x3cf3_90da,
                0x3ce3_7d12,
            ],
            [
                0xbecc_4229,
                0xbe12_cbdc,
                0xbd89_0c42,
                0xbd18_0a46,
                0xbcbd_822d,
                0xbc80_231e,
                0xbc37_daef,
                0xbc09_e7e6,
                0xbbd6_2295,
                0xbbaa_dc8e,
                0xbb8b_6416,
                0xbb67_a32b,
                0xbb43_71a3,
                0xbb27_125c,
                0xbb10_6def,
                0xbafc_27f3,
            ],
            [
                0x3e7f_ffc8,
                0x3d86_ad76,
                0x3cbe_ef53,
                0x3c27_2124,
                0x3baa_04a1,
                0x3b40_ec4b,
                0x3aed_8969,
                0x3a9b_a9d2,
                0x3a56_461c,
                0x3a19_65cf,
                0x39e2_c9ac,
                0x39ac_38c0,
                0x3985_b667,
                0x3953_ae05,
                0x392a_5dbb,
                0x390b_14e5,
            ],
            [
                0xbe08_2888,
                0xbcdc_4e0f,
                0xbbf5_a484,
                0xbb2d_b1f7,
                0xba92_7a4c,
                0xba0c_ed28,
                0xb995_f25c,
                0xb92c_902a,
                0xb8d3_553a,
                0xb888_1d5f,
                0xb836_ace3,
                0xb7fe_0173,
                0xb7b5_afcf,
                0xb785_43e2,
                0xb747_f037,
                0xb718_b159,
            ],
            [
                0x3d7f_8c58,
                0x3c24_3f32,
                0x3b13_9081,
                0x3a2b_e628,
                0x3972_5b8d,
                0x38c8_917e,
                0x3837_bda3,
                0x37b9_b0fe,
                0x374d_095f,
                0x36ed_7f7b,
                0x369b_8acb,
                0x3629_5f56,
                0x3608_c9e4,
                0x35c2_f0b9,
                0x3574_2d9e,
                0x3542_c3e1,
            ],
            [
                0xbcd5_d581,
                0xbb63_1865,
                0xba27_24e2,
                0xb923_1052,
                0xb841_42a0,
                0xb789_f884,
                0xb6de_f225,
                0xb644_978e,
                0xb5c4_aa2a,
                0xb540_6fbf,
                0xb50a_8860,
                0xb44b_36ea,
                0xb43f_8d92,
                0xb421_3397,
                0xb362_80e3,
                0xb390_b522,
            ],
            [
                0x3c15_fc08,
                0x3a99_3a00,
                0x393f_8cc5,
                0x3814_379d,
                0x373f_148d,
                0x3620_5f37,
                0x35ff_b238,
                0x3593_5d49,
                0x3487_7f2e,
                0x343f_2375,
                0xb538_b597,
                0x352a_d003,
                0xb50b_5846,
                0xb50b_0ac7,
                0xb3cf_e230,
                0xb48a_5637,
            ],
            [
                0xbb03_02fe,
                0xb9b9_3018,
                0xb853_b86f,
                0xb6ed_05a3,
                0xb648_75c4,
                0xb525_1058,
                0xb48c_3e8a,
                0xb480_5585,
                0xb30c_608b,
                0xb411_d558,
                0x345e_fdd0,
                0xb425_2765,
                0x338c_4d62,
                0x340a_9cbd,
                0xb2c2_164d,
                0x3381_bd38,
            ],
        ]),
    });
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
    const GELU_TANH_ONE: f32 = 7.3;
    const GELU_TANH_A: f32 = f32::from_bits(0x3fcc_4228); // 0x1.98845p0
    const GELU_TANH_A_LOW: f32 = f32::from_bits(0x344f_50d9); // 0x1.9ea1b2p-23
    const GELU_TANH_B: f32 = f32::from_bits(0x3d92_2279); // 0x1.2444f2p-4
    const GELU_TANH_B_LOW: f32 = f32::from_bits(0x3124_d8b5); // 0x1.49b16ap-29
    const GELU_TANH_3B: f32 = f32::from_bits(0x3e5b_33b6); // 0x1.b6676cp-3
}

impl Constants for f64 {
    const GELU_HIGH: f64 = 38.8;
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
    let e = gauss(simd, t);
    let tail = match T::GELU {
        Tail::Pieces(f) => e.mantissa_times(simd, f.times(simd, t, t)),
        Tail::Moebius { k, g } => {
            let moebius = Moebius::new(simd, t, k);
            moebius.times(simd, e.mantissa_times(simd, simd.mul(t, polynomial(simd, moebius.v, g))))
        }
    };
    let tail = simd.scale(tail, e.n);
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
    let below = simd.max(simd.splat(-T::GELU_TANH_HIGH), x);
    times_sigmoid(simd, below, tanh_form(simd, simd.min(simd.splat(T::GELU_TANH_ONE), below)))
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
