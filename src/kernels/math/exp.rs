//! eˣ and eˣ − 1.

use super::pieces::from_bits;
use super::{fast_two_sum, polynomial, polynomial_of_two, wide_polynomial};
use crate::element::Element;
use crate::simd::Simd;

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// q(r) = (eʳ − 1 − r)/r² on ±0.3466 ≥ ln 2 / 2, from the constant term up.
    const EXP_Q: &'static [Self];
    /// log₂ e.
    const LOG2_E: Self;
    /// Below this eˣ rounds to 0, by far.
    const EXP_LOW: Self;
    /// From this on eˣ rounds to ∞.
    const EXP_HIGH: Self;
    /// What eˣ itself is made of.
    const EXP: Eighths<Self>;
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
    const EXP_LOW: f32 = -114.0;
    const EXP_HIGH: f32 = 89.0;
    const EXP: Eighths<f32> = Eighths {
        round: 1_572_864.0,
        ln2: [f32::from_bits(0x3f31_7000), f32::from_bits(0x3805_fdf4)],
        // Relative error of eʳ: 1.7e-10.
        q: &[f32::from_bits(0x3f00_0000), f32::from_bits(0x3e2a_ae39), f32::from_bits(0x3d2a_abea)],
        roots: &from_bits([[
            0x3f80_0000,
            0x3f8b_95c2,
            0x3f98_37f0,
            0x3fa5_fed7,
            0x3fb5_04f3,
            0x3fc5_672a,
            0x3fd7_44fd,
            0x3fea_c0c7,
        ]])[0],
        rests: &from_bits([[
            0x0000_0000,
            0xb24e_0611,
            0x3309_2801,
            0xb305_1aa8,
            0x3293_02ae,
            0x31b3_d0e5,
            0xb27c_e182,
            0xb1d2_90be,
        ]])[0],
    };
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
    const EXP_LOW: f64 = -756.0;
    const EXP_HIGH: f64 = 710.0;
    const EXP: Eighths<f64> = Eighths {
        round: 844_424_930_131_968.0,
        ln2: [f64::from_bits(0x3fe6_2e42_fefa_0000), f64::from_bits(0x3d7c_f79a_bc9e_3b3a)],
        // Relative error of eʳ: 2.9e-18.
        q: &[
            f64::from_bits(0x3fe0_0000_0000_010c),
            f64::from_bits(0x3fc5_5555_5555_5247),
            f64::from_bits(0x3fa5_5555_5480_8612),
            f64::from_bits(0x3f81_1111_11fe_fed4),
            f64::from_bits(0x3f56_c1cb_e7af_c21c),
            f64::from_bits(0x3f2a_0182_7da5_88b3),
        ],
        roots: &[
            f64::from_bits(0x3ff0_0000_0000_0000),
            f64::from_bits(0x3ff1_72b8_3c7d_517b),
            f64::from_bits(0x3ff3_06fe_0a31_b715),
            f64::from_bits(0x3ff4_bfda_d536_2a27),
            f64::from_bits(0x3ff6_a09e_667f_3bcd),
            f64::from_bits(0x3ff8_ace5_422a_a0db),
            f64::from_bits(0x3ffa_e89f_995a_d3ad),
            f64::from_bits(0x3ffd_5818_dcfb_a487),
        ],
        rests: &[
            f64::from_bits(0x0000_0000_0000_0000),
            f64::from_bits(0xbc80_1b15_eaa5_9348),
            f64::from_bits(0x3c83_4d75_4db0_abb6),
            f64::from_bits(0x3c76_90ce_bb7a_afb0),
            f64::from_bits(0xbc93_b3ef_bf5e_2228),
            f64::from_bits(0x3c8d_b72f_c1f0_eab4),
            f64::from_bits(0x3c8c_1a77_92cb_3387),
            f64::from_bits(0x3c74_a385_a63d_07a7),
        ],
    };
    const EXP_M1_LOW: f64 = -38.2;
    const EXP_M1_TINY: f64 = 5.5e-17;
}

/// eˣ = 2ⁿ·(1 + v) with n in eighths of which 2^(j/8) is looked up, r = x − n·ln 2 within ±ln 2 / 16, v = eʳ − 1.
pub struct Eighths<T: 'static> {
    /// 1.5/ε/8: adding it and taking it away rounds a float to eighths.
    round: T,
    /// The first bits of ln 2 and the rest: so few that n·ln2[0] is exact, and with it x − n·ln2[0], without FMA too.
    ln2: [T; 2],
    /// (eʳ − 1 − r)/r².
    q: &'static [T],
    /// 2^(j/8).
    roots: &'static [T; 8],
    /// How much of them rounding has lost, relatively.
    rests: &'static [T; 8],
}

impl<T: Element> Eighths<T> {
    /// eˣ, rounded once but for what v was rounded by, which counts by 1/20.
    #[inline(always)]
    fn value<S: Simd<T>>(&self, simd: S, x: S::V) -> S::V {
        let round = simd.splat(self.round);
        // The low bits hold j.
        let index = simd.fma(x, simd.splat(T::LOG2_E), round);
        let n = simd.sub(index, round);
        let r = simd.fma(n, simd.splat(-self.ln2[0]), x);
        let r = simd.fma(n, simd.splat(-self.ln2[1]), r);
        let (square, rest) = (simd.mul(r, r), simd.lookup_of_8(self.rests, index));
        let q = if self.q.len() > 3 { polynomial_of_two(simd, r, self.q) } else { polynomial(simd, r, self.q) };
        let v = simd.fma(square, q, simd.add(r, rest));
        let root = simd.lookup_of_8(self.roots, index);
        simd.scale_floor(simd.fma(root, v, root), n)
    }
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
    T::EXP.value(simd, x)
}

/// [`exp`] of what is not above 0; NaN for ∞.
#[inline(always)]
pub(crate) fn exp_below<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    T::EXP.value(simd, simd.max(simd.splat(T::EXP_LOW), x))
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
