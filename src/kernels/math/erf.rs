//! erf and erfc.

use super::{exponential, exponential_of_sum, negate, polynomial};
use crate::element::Element;
use crate::simd::Simd;

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// P(z) = erf(√z)/√z − 1 on (0, 0.5626].
    const ERF_P: &'static [Self];
    /// Up to here erf is a polynomial, from here on 1 − erfc.
    const ERF_SPLIT: Self;
    /// From here on erfc x rounds to 0.
    const ERFC_HIGH: Self;
    /// Numerator of erfcx(x) = e^x²·erfc(x) on [0, `ERFC_HIGH`].
    const ERFCX_P: &'static [Self];
    /// Its denominator.
    const ERFCX_Q: &'static [Self];
}

impl Constants for f32 {
    // Degree 5, absolute error 1.6e-9.
    const ERF_P: &'static [f32] = &[
        f32::from_bits(0x3e03_75d4), // 0x1.06eba8p-3
        f32::from_bits(0xbec0_939e), // -0x1.81273cp-2
        f32::from_bits(0x3de7_15aa), // 0x1.ce2b54p-4
        f32::from_bits(0xbcdb_d951), // -0x1.b7b2a2p-6
        f32::from_bits(0x3ba7_bcd5), // 0x1.4f79aap-8
        f32::from_bits(0xba31_c1b0), // -0x1.63836p-11
    ];
    const ERF_SPLIT: f32 = 0.75;
    const ERFC_HIGH: f32 = 10.2;
    // Degrees 4 and 5, relative error 2.0e-8.
    const ERFCX_P: &'static [f32] = &[
        f32::from_bits(0x3f80_0000), // 0x1p0
        f32::from_bits(0x3f9e_ad2d), // 0x1.3d5a5ap0
        f32::from_bits(0x3f3b_a031), // 0x1.774062p-1
        f32::from_bits(0x3e6b_5bea), // 0x1.d6b7d4p-3
        f32::from_bits(0x3d06_df00), // 0x1.0dbep-5
    ];
    const ERFCX_Q: &'static [f32] = &[
        f32::from_bits(0x3f80_0000), // 0x1p0
        f32::from_bits(0x4017_8df6), // 0x1.2f1becp1
        f32::from_bits(0x4019_eab4), // 0x1.33d568p1
        f32::from_bits(0x3fa9_f5bf), // 0x1.53eb7ep0
        f32::from_bits(0x3ed0_9840), // 0x1.a1308p-2
        f32::from_bits(0x3d6f_0cce), // 0x1.de199cp-5
    ];
}

impl Constants for f64 {
    // Degree 11, absolute error 1.2e-17.
    const ERF_P: &'static [f64] = &[
        f64::from_bits(0x3fc0_6eba_8214_db69), // 0x1.06eba8214db69p-3
        f64::from_bits(0xbfd8_1274_6b03_7a0a), // -0x1.812746b037a0ap-2
        f64::from_bits(0x3fbc_e2f2_1a04_4560), // 0x1.ce2f21a04456p-4
        f64::from_bits(0xbf9b_82ce_3131_09ce), // -0x1.b82ce313109cep-6
        f64::from_bits(0x3f75_65bc_d278_9c74), // 0x1.565bcd2789c74p-8
        f64::from_bits(0xbf4c_02db_9aaf_d191), // -0x1.c02db9aafd191p-11
        f64::from_bits(0x3f1f_9a3f_8c91_187d), // 0x1.f9a3f8c91187dp-14
        f64::from_bits(0xbeef_4e63_3c97_adeb), // -0x1.f4e633c97adebp-17
        f64::from_bits(0x3ebb_b1eb_3b42_54fe), // 0x1.bb1eb3b4254fep-20
        f64::from_bits(0xbe86_b614_803b_b6d4), // -0x1.6b614803bb6d4p-23
        f64::from_bits(0x3e53_f781_9903_4383), // 0x1.3f78199034383p-26
        f64::from_bits(0xbe23_4504_f43e_1704), // -0x1.34504f43e1704p-29
    ];
    const ERF_SPLIT: f64 = 0.75;
    const ERFC_HIGH: f64 = 27.3;
    // Degrees 9 and 10, relative error 1.1e-16.
    const ERFCX_P: &'static [f64] = &[
        f64::from_bits(0x3ff0_0000_0000_0000), // 0x1p0
        f64::from_bits(0x4001_8790_8254_2dd5), // 0x1.1879082542dd5p1
        f64::from_bits(0x4003_0068_85e8_dc79), // 0x1.3006885e8dc79p1
        f64::from_bits(0x3ffa_2be4_fccc_6486), // 0x1.a2be4fccc6486p0
        f64::from_bits(0x3fe8_fda4_7edc_01fd), // 0x1.8fda47edc01fdp-1
        f64::from_bits(0x3fd1_1643_162f_e8e5), // 0x1.11643162fe8e5p-2
        f64::from_bits(0x3fb0_ba91_9c6b_7afe), // 0x1.0ba919c6b7afep-4
        f64::from_bits(0x3f86_b123_2a9e_95ce), // 0x1.6b1232a9e95cep-7
        f64::from_bits(0x3f53_7f17_4599_4959), // 0x1.37f1745994959p-10
        f64::from_bits(0x3f10_6736_1f74_f7f3), // 0x1.067361f74f7f3p-14
    ];
    const ERFCX_Q: &'static [f64] = &[
        f64::from_bits(0x3ff0_0000_0000_0000), // 0x1p0
        f64::from_bits(0x400a_8e7c_2a75_7b6c), // 0x1.a8e7c2a757b6cp1
        f64::from_bits(0x4014_7bd6_ad35_80ba), // 0x1.47bd6ad3580bap2
        f64::from_bits(0x4013_6313_7f76_b458), // 0x1.363137f76b458p2
        f64::from_bits(0x4009_0260_4ff7_61f8), // 0x1.902604ff761f8p1
        f64::from_bits(0x3ff7_0ea6_b796_c5d8), // 0x1.70ea6b796c5d8p0
        f64::from_bits(0x3fde_e926_9ba7_0b0e), // 0x1.ee9269ba70b0ep-2
        f64::from_bits(0x3fbd_ebc4_c664_a6b9), // 0x1.debc4c664a6b9p-4
        f64::from_bits(0x3f94_2ac0_39c5_bea4), // 0x1.42ac039c5bea4p-6
        f64::from_bits(0x3f61_473d_38cc_c9a5), // 0x1.1473d38ccc9a5p-9
        f64::from_bits(0x3f1d_12e8_9007_bd31), // 0x1.d12e89007bd31p-14
    ];
}

/// erf x = x + x·P(x²) up to ¾, from there on 1 − erfc x. There an error of x² counts little, for erfc x < 0.29.
#[inline(always)]
pub(crate) fn erf<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let one = simd.splat(T::ONE);
    let t = simd.min(simd.splat(T::ERFC_HIGH), simd.abs(x));
    let z = simd.mul(t, t);
    let inner = simd.fma(x, polynomial(simd, z, T::ERF_P), x);
    let e = exponential(simd, negate(simd, z)).value(simd);
    let numerator = simd.mul(e, polynomial(simd, t, T::ERFCX_P));
    let outer = simd.sub(one, simd.div(numerator, polynomial(simd, t, T::ERFCX_Q)));
    let outer = simd.select(simd.lt(x, simd.splat(T::ZERO)), negate(simd, outer), outer);
    simd.select(simd.lt(t, simd.splat(T::ERF_SPLIT)), inner, outer)
}

/// erfc x = e^−x²·P(x)/Q(x) for x ≥ 0, 2 − erfc(−x) below; x² as a sum.
#[inline(always)]
pub(crate) fn erfc<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let t = simd.min(simd.splat(T::ERFC_HIGH), simd.abs(x));
    let square = negate(simd, simd.mul(t, t));
    let tail = negate(simd, simd.fma(t, t, square));
    let e = exponential_of_sum(simd, square, tail);
    let numerator = simd.mul(e.mantissa(simd), polynomial(simd, t, T::ERFCX_P));
    let upper = simd.scale(simd.div(numerator, polynomial(simd, t, T::ERFCX_Q)), e.n);
    simd.select(simd.lt(x, simd.splat(T::ZERO)), simd.sub(simd.splat(T::TWO), upper), upper)
}
