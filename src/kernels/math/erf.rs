//! erf and erfc.

use super::pieces::{Pieces, from_bits};
use super::{exponential, exponential_of_sum, negate, odd_up_to_one, polynomial, wide_polynomial};
use crate::element::Element;
use crate::simd::Simd;

/// Two ways to erf.
pub enum Erf<T: 'static> {
    /// erf x = x·f(|x|).
    Pieces(Pieces<T>),
    /// erf x = x + x·P(x²) up to 1, from there on 1 − e^−R(|x| − 1): there errors of R count little, for erfc x < 0.16.
    Polynomials {
        /// P(z) = erf(√z)/√z − 1 on (0, 1].
        p: &'static [T],
        /// R(u) = −ln erfc(1 + u) on [0, `ERF_HIGH` − 1].
        r: &'static [T],
    },
}

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// How erf is computed.
    const ERF: Erf<Self>;
    /// From here on erf x rounds to 1.
    const ERF_HIGH: Self;
    /// From here on erfc x rounds to 0, by far.
    const ERFC_HIGH: Self;
    /// k of [`Moebius`]: few bits.
    const ERFCX_K: Self;
    /// G(v) = (k + x)·e^x²·erfc(x), v = (x − k)/(x + k), for x in [0, `ERFC_HIGH`].
    const ERFCX_G: &'static [Self];
}

impl Constants for f32 {
    // Degree 5, relative error 5.0e-8.
    const ERF: Erf<f32> = Erf::Pieces(Pieces {
        width: 65.0 / 256.0,
        inverse_width: 256.0 / 65.0,
        coefficients: &from_bits([
            [
                0x3f90_6ebb,
                0x3f8d_634c,
                0x3f84_ebf8,
                0x3f71_843e,
                0x3f56_059d,
                0x3f3b_02da,
                0x3f22_cc2b,
                0x3f0e_5047,
                0x3efb_0913,
                0x3edf_c76c,
                0x3ec9_952f,
                0x3eb7_4d9b,
                0x3ea8_09cc,
                0x3e9b_1d44,
                0x3e90_08fc,
                0x3e86_6ecd,
            ],
            [
                0xb71d_61d4,
                0xbe3c_310c,
                0xbea7_ef24,
                0xbed1_91ac,
                0xbeda_ae64,
                0xbecb_ce68,
                0xbeb0_7cea,
                0xbe92_5639,
                0xbe6d_fce5,
                0xbe41_2027,
                0xbe1e_104b,
                0xbe03_174e,
                0xbddc_8899,
                0xbdbb_f5ba,
                0xbda2_13b2,
                0xbd8d_304a,
            ],
            [
                0xbec0_5ceb,
                0xbeab_11e8,
                0xbe67_6d05,
                0xbdc1_1d3a,
                0x3c95_f736,
                0x3db5_0288,
                0x3dec_7d7a,
                0x3de7_323b,
                0x3dc5_01d2,
                0x3d9c_8cd3,
                0x3d71_aedf,
                0x3d39_da9b,
                0x3d10_54b0,
                0x3ce3_9d20,
                0x3cb6_57b0,
                0x3c94_42c4,
            ],
            [
                0xbbf8_7363,
                0x3dd9_4f2d,
                0x3e2b_fd22,
                0x3e2c_299c,
                0x3dfa_7950,
                0x3d7d_3f63,
                0x3c4c_8c84,
                0xbc80_c546,
                0xbcd2_4de5,
                0xbccd_492e,
                0xbca7_7ea3,
                0xbc7d_0118,
                0xbc3a_2efb,
                0xbc09_3257,
                0xbbcc_eac6,
                0xbb9b_a3ad,
            ],
            [
                0x3e31_85fb,
                0x3db4_ca72,
                0x3cfe_8a66,
                0xbcd7_f494,
                0xbd6b_7b4d,
                0xbd69_0b67,
                0xbd1d_fae6,
                0xbc91_d5ad,
                0xbb58_29d1,
                0x3b63_ad1c,
                0x3ba6_8934,
                0x3b94_6c65,
                0x3b62_c097,
                0x3b1e_8a29,
                0x3aeb_cc08,
                0x3ab2_4fe0,
            ],
            [
                0xbe37_e2a3,
                0xbd14_6a80,
                0xbd5f_22d0,
                0xbd17_0763,
                0xbc2c_1c26,
                0x3c1f_69b0,
                0x3c8d_64d8,
                0x3c6c_56fd,
                0x3c02_8d0b,
                0x3b33_e55d,
                0x3951_560a,
                0xba3b_b3ae,
                0xba5e_1b4c,
                0xba2b_15e8,
                0xb9fd_5c2f,
                0xb9ce_61f8,
            ],
        ]),
    });
    const ERF_HIGH: f32 = 3.93;
    const ERFC_HIGH: f32 = 10.7;
    // At t = 0 the polynomial is k, just below a power of two: that rounds least where erfc x is just below 1.
    const ERFCX_K: f32 = 2.0;
    // Degree 10, relative error 1.8e-8.
    const ERFCX_G: &'static [f32] = &[
        f32::from_bits(0x3f82_c339), // 0x1.058672p0
        f32::from_bits(0xbf2f_e9c4), // -0x1.5fd388p-1
        f32::from_bits(0x3e8f_16ec), // 0x1.1e2dd8p-2
        f32::from_bits(0xbd15_4371), // -0x1.2a86e2p-5
        f32::from_bits(0xbcb0_2c90), // -0x1.60592p-6
        f32::from_bits(0x3bd4_16ed), // 0x1.a82ddap-8
        f32::from_bits(0x3b48_a1dd), // 0x1.9143bap-9
        f32::from_bits(0xba57_d973), // -0x1.afb2e6p-11
        f32::from_bits(0xba1a_1e25), // -0x1.343c4ap-11
        f32::from_bits(0x3825_5c98), // 0x1.4ab93p-15
        f32::from_bits(0x3886_8b1f), // 0x1.0d163ep-14
    ];
}

impl Constants for f64 {
    const ERF: Erf<f64> = Erf::Polynomials {
        // Degree 13, absolute error 1.2e-17.
        p: &[
            f64::from_bits(0x3fc0_6eba_8214_db69), // 0x1.06eba8214db69p-3
            f64::from_bits(0xbfd8_1274_6b03_7a02), // -0x1.812746b037a02p-2
            f64::from_bits(0x3fbc_e2f2_1a04_3b39), // 0x1.ce2f21a043b39p-4
            f64::from_bits(0xbf9b_82ce_312c_9046), // -0x1.b82ce312c9046p-6
            f64::from_bits(0x3f75_65bc_d17e_7aff), // 0x1.565bcd17e7affp-8
            f64::from_bits(0xbf4c_02db_5bf4_fdf2), // -0x1.c02db5bf4fdf2p-11
            f64::from_bits(0x3f1f_9a35_d636_6c6d), // 0x1.f9a35d6366c6dp-14
            f64::from_bits(0xbeef_4d6e_3d73_8020), // -0x1.f4d6e3d73802p-17
            f64::from_bits(0x3ebb_a29d_49a8_d102), // 0x1.ba29d49a8d102p-20
            f64::from_bits(0xbe86_2249_7fd1_3024), // -0x1.622497fd13024p-23
            f64::from_bits(0x3e51_12a3_09b7_5740), // 0x1.112a309b7574p-26
            f64::from_bits(0xbe1f_bbb1_6915_fba8), // -0x1.fbbb16915fba8p-30
            f64::from_bits(0x3df4_6ec3_4a25_6823), // 0x1.46ec34a256823p-32
            f64::from_bits(0xbdc3_737f_2ec7_e13b), // -0x1.3737f2ec7e13bp-35
        ],
        // Degree 17, error of erf: 8.2e-18.
        r: &[
            f64::from_bits(0x3ffd_97fb_f27a_a2a1), // 0x1.d97fbf27aa2a1p0
            f64::from_bits(0x4005_1c9b_0006_c226), // 0x1.51c9b0006c226p1
            f64::from_bits(0x3fea_fabc_11a2_aa69), // 0x1.afabc11a2aa69p-1
            f64::from_bits(0x3fa5_477f_09a0_0cee), // 0x1.5477f09a00ceep-5
            f64::from_bits(0xbf84_8c9d_388a_13f8), // -0x1.48c9d388a13f8p-7
            f64::from_bits(0x3f60_33f5_abdb_8637), // 0x1.033f5abdb8637p-9
            f64::from_bits(0xbf2f_1b06_cf4c_3515), // -0x1.f1b06cf4c3515p-13
            f64::from_bits(0xbefb_92b6_d180_3d9d), // -0x1.b92b6d1803d9dp-16
            f64::from_bits(0x3efc_84eb_baad_2975), // 0x1.c84ebbaad2975p-16
            f64::from_bits(0xbee4_47b0_c3b0_aba6), // -0x1.447b0c3b0aba6p-17
            f64::from_bits(0x3ec1_e039_78c7_f4e3), // 0x1.1e03978c7f4e3p-19
            f64::from_bits(0xbe8b_6787_b0cf_ad7e), // -0x1.b6787b0cfad7ep-23
            f64::from_bits(0xbe6f_4ef1_b9c8_f8d7), // -0x1.f4ef1b9c8f8d7p-25
            f64::from_bits(0x3e61_fbe3_d869_21cd), // 0x1.1fbe3d86921cdp-25
            f64::from_bits(0xbe42_59a1_3527_7c47), // -0x1.259a135277c47p-27
            f64::from_bits(0x3e16_bc4f_eab6_eb39), // 0x1.6bc4feab6eb39p-30
            f64::from_bits(0xbde0_751e_c677_7e66), // -0x1.0751ec6777e66p-33
            f64::from_bits(0x3d95_7a3d_64ef_2dba), // 0x1.57a3d64ef2dbap-38
        ],
    };
    const ERF_HIGH: f64 = 5.95;
    const ERFC_HIGH: f64 = 27.5;
    const ERFCX_K: f64 = 2.0;
    // Degree 24, relative error 5.6e-17.
    const ERFCX_G: &'static [f64] = &[
        f64::from_bits(0x3ff0_5867_1b52_c776), // 0x1.058671b52c776p0
        f64::from_bits(0xbfe5_fd38_6754_effa), // -0x1.5fd386754effap-1
        f64::from_bits(0x3fd1_e2de_ea6b_10f0), // 0x1.1e2deea6b10fp-2
        f64::from_bits(0xbfa2_a88e_6107_ca5d), // -0x1.2a88e6107ca5dp-5
        f64::from_bits(0xbf96_06e4_1550_af20), // -0x1.606e41550af2p-6
        f64::from_bits(0x3f7a_89ea_ff7a_16fb), // 0x1.a89eaff7a16fbp-8
        f64::from_bits(0x3f69_517b_b59d_404e), // 0x1.9517bb59d404ep-9
        f64::from_bits(0xbf4b_6fbf_92fa_9f80), // -0x1.b6fbf92fa9f8p-11
        f64::from_bits(0xbf45_ba43_3f34_509b), // -0x1.5ba433f34509bp-11
        f64::from_bits(0x3f02_053d_424b_0efe), // 0x1.2053d424b0efep-15
        f64::from_bits(0x3f22_ef9a_a40c_78b9), // 0x1.2ef9aa40c78b9p-13
        f64::from_bits(0x3f01_e77b_a3bc_aca8), // 0x1.1e77ba3bcaca8p-15
        f64::from_bits(0xbef6_bee9_0937_c0cd), // -0x1.6bee90937c0cdp-16
        f64::from_bits(0xbef0_e81d_9c80_944b), // -0x1.0e81d9c80944bp-16
        f64::from_bits(0xbeb3_1c04_ae4d_ea06), // -0x1.31c04ae4dea06p-20
        f64::from_bits(0x3ece_9d92_dead_39c7), // 0x1.e9d92dead39c7p-19
        f64::from_bits(0x3ec1_0bce_766b_634b), // 0x1.10bce766b634bp-19
        f64::from_bits(0xbe39_9d00_54ba_9d84), // -0x1.99d0054ba9d84p-28
        f64::from_bits(0xbea4_bea0_4227_1d7e), // -0x1.4bea042271d7ep-21
        f64::from_bits(0xbe95_6c92_62a5_6773), // -0x1.56c9262a56773p-22
        f64::from_bits(0x3e68_f4d7_a8cb_8eea), // 0x1.8f4d7a8cb8eeap-25
        f64::from_bits(0x3e7d_f992_8477_a528), // 0x1.df9928477a528p-24
        f64::from_bits(0x3e59_b0c9_8014_ff18), // 0x1.9b0c98014ff18p-26
        f64::from_bits(0xbe4f_edf4_1cfa_dd09), // -0x1.fedf41cfadd09p-27
        f64::from_bits(0xbe39_1bdf_ad8e_6690), // -0x1.91bdfad8e669p-28
    ];
}

/// y = 1/(t + k) and v = (t − k)/(t + k) = 1 − 2k·y, which takes [0, ∞) to [−1, 1): on a half-line a polynomial in v does what
/// a quotient of two polynomials in t would, with fewer roundings (Shepherd and Laframboise 1981, "Chebyshev approximation
/// of (1 + 2x)exp(x²)erfc x in 0 ≤ x < ∞").
#[derive(Clone, Copy)]
pub(super) struct Moebius<V> {
    pub(super) v: V,
    pub(super) y: V,
    pub(super) y_low: V,
}

impl<V: Copy> Moebius<V> {
    /// v and y as sums with what their roundings lost: y changes the result by up to four times its own error.
    #[inline(always)]
    pub(super) fn new<T: Element, S: Simd<T, V = V>>(simd: S, t: V, k: T) -> Self {
        let (plus, minus_two_k) = (simd.splat(k), simd.splat(-(k + k)));
        let sum = simd.add(t, plus);
        // Exact, for k has few bits.
        let sum_low = simd.sub(t, simd.sub(sum, plus));
        let y = simd.div(simd.splat(T::ONE), sum);
        let minus_y = negate(simd, y);
        let rest = simd.fma(minus_y, sum_low, simd.fma(minus_y, sum, simd.splat(T::ONE)));
        let y_low = simd.mul(rest, y);
        let v = simd.fma(minus_two_k, y_low, simd.fma(minus_two_k, y, simd.splat(T::ONE)));
        Self { v, y, y_low }
    }

    /// x·(y + `y_low`).
    #[inline(always)]
    pub(super) fn times<T: Element, S: Simd<T, V = V>>(self, simd: S, x: V) -> V {
        simd.fma(x, self.y, simd.mul(x, self.y_low))
    }
}

/// erf x: see [`Erf`].
#[inline(always)]
pub(crate) fn erf<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let (one, t) = (simd.splat(T::ONE), simd.min(simd.splat(T::ERF_HIGH), simd.abs(x)));
    match T::ERF {
        Erf::Pieces(f) => {
            let y = odd_up_to_one(simd, x, t, &f);
            // −0 stays −0.
            simd.select(simd.lt(t, simd.splat(T::MIN_POSITIVE)), x, y)
        }
        Erf::Polynomials { p, r } => {
            let inner = simd.fma(x, wide_polynomial(simd, simd.mul(t, t), p), x);
            // Exact for t ≥ 1.
            let r = wide_polynomial(simd, simd.sub(t, one), r);
            let e = exponential(simd, negate(simd, r));
            let outer = simd.fma(negate(simd, e.mantissa(simd)), simd.power(e.n), one);
            let outer = simd.select(simd.lt(x, simd.splat(T::ZERO)), negate(simd, outer), outer);
            simd.select(simd.lt(t, one), inner, outer)
        }
    }
}

/// erfc x = e^−x²·G(v)·y for x ≥ 0, 2 − erfc(−x) below; x² as a sum.
#[inline(always)]
pub(crate) fn erfc<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let t = simd.min(simd.splat(T::ERFC_HIGH), simd.abs(x));
    let square = negate(simd, simd.mul(t, t));
    let tail = negate(simd, simd.fma(t, t, square));
    let e = exponential_of_sum(simd, square, tail);
    let moebius = Moebius::new(simd, t, T::ERFCX_K);
    // Three factors, of which the polynomial alone is rounded before the last product.
    let (scaled, low) = e.mantissa_times_exactly(simd, polynomial(simd, moebius.v, T::ERFCX_G));
    let upper = simd.fma(scaled, moebius.y, simd.fma(scaled, moebius.y_low, simd.mul(low, moebius.y)));
    let upper = simd.scale(upper, e.n);
    simd.select(simd.lt(x, simd.splat(T::ZERO)), simd.sub(simd.splat(T::TWO), upper), upper)
}
