//! Elementary functions on one vector: lanes in, lanes out, full range.
//!
//! Polynomials by Sollya 8.0 `fpminimax(f, degree, [|24…|] or [|53…|], interval, relative, floating)`; f and interval
//! stand beside the coefficients. Only operations that IEEE 754 rounds correctly are used, so results are the same on
//! every instruction set with FMA.

use crate::element::Element;
use crate::simd::Simd;

/// Coefficients and bounds of one element type.
pub trait Constants: Sized + 'static {
    /// q(r) = (eʳ − 1 − r)/r² on ±0.3466 ≥ ln 2 / 2, from the constant term up.
    const EXP_Q: &'static [Self];
    /// L(z) = (2·atanh(√z)/√z − 2)/z on (0, 0.02944], where √z = (√2 − 1)/(√2 + 1) at most.
    const LOG_L: &'static [Self];
    /// log₂ e.
    const LOG2_E: Self;
    /// The first bits of ln 2: few enough that its product with any exponent is exact.
    const LN2_HIGH: Self;
    /// ln 2 − `LN2_HIGH`.
    const LN2_LOW: Self;
    /// Below this eˣ rounds to 0: ln(2^(MIN_EXP − DIGITS − 1)), rounded down.
    const EXP_LOW: Self;
    /// From this on eˣ rounds to ∞.
    const EXP_HIGH: Self;
    /// 1.5/ε: adding it and taking it away rounds a float to an integer.
    const ROUND: Self;
    /// From here on tanh x rounds to 1: (DIGITS + 1)·ln 2 / 2, rounded up.
    const TANH_HIGH: Self;
    /// Below this tanh x rounds to x: x²/3 < u/2.
    const TANH_LOW: Self;
    /// √2.
    const SQRT_2: Self;
    /// ½.
    const HALF: Self;
    /// 2.
    const TWO: Self;
    /// 4.
    const FOUR: Self;
    /// Smallest normal number.
    const MIN_NORMAL: Self;
    /// Smallest positive number.
    const MIN_POSITIVE: Self;
    /// 2^DIGITS: lifts a subnormal number into the normal range.
    const LIFT: Self;
    /// log₂ of `LIFT`.
    const LIFT_EXPONENT: Self;
    /// Greatest finite number.
    const MAX: Self;
    /// ∞.
    const INFINITY: Self;
    /// Quiet NaN.
    const NAN: Self;
}

/// What both types write the same way.
macro_rules! common {
    ($t:ident) => {
        const ROUND: Self = 1.5 / $t::EPSILON;
        const LOG2_E: Self = core::$t::consts::LOG2_E;
        const SQRT_2: Self = core::$t::consts::SQRT_2;
        const HALF: Self = 0.5;
        const TWO: Self = 2.0;
        const FOUR: Self = 4.0;
        const MIN_NORMAL: Self = $t::MIN_POSITIVE;
        const MIN_POSITIVE: Self = $t::from_bits(1);
        const LIFT: Self = 2.0 / $t::EPSILON;
        const LIFT_EXPONENT: Self = $t::MANTISSA_DIGITS as $t;
        const MAX: Self = $t::MAX;
        const INFINITY: Self = $t::INFINITY;
        const NAN: Self = $t::NAN;
    };
}

impl Constants for f32 {
    common!(f32);
    // Degree 5, relative error of eʳ: 2.8e-10.
    const EXP_Q: &'static [f32] = &[
        f32::from_bits(0x3f00_0000), // 0x1p-1
        f32::from_bits(0x3e2a_aaab), // 0x1.555556p-3
        f32::from_bits(0x3d2a_aa81), // 0x1.555502p-5
        f32::from_bits(0x3c08_87f9), // 0x1.110ff2p-7
        f32::from_bits(0x3ab6_9700), // 0x1.6d2ep-10
        f32::from_bits(0x3951_33ae), // 0x1.a2675cp-13
    ];
    // Degree 3, relative error of L: 3.0e-8.
    const LOG_L: &'static [f32] = &[
        f32::from_bits(0x3f2a_aaab), // 0x1.555556p-1
        f32::from_bits(0x3ecc_cc36), // 0x1.99986cp-2
        f32::from_bits(0x3e92_610f), // 0x1.24c21ep-2
        f32::from_bits(0x3e67_2cbd), // 0x1.ce597ap-3
    ];
    const LN2_HIGH: f32 = f32::from_bits(0x3f31_7200); // 0x1.62e4p-1
    const LN2_LOW: f32 = f32::from_bits(0x35bf_be8e); // 0x1.7f7d1cp-20
    const EXP_LOW: f32 = -104.0;
    const EXP_HIGH: f32 = 89.0;
    const TANH_HIGH: f32 = 9.02;
    const TANH_LOW: f32 = 2.0e-4;
}

impl Constants for f64 {
    common!(f64);
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
    // Degree 6, relative error of L: 4.6e-16.
    const LOG_L: &'static [f64] = &[
        f64::from_bits(0x3fe5_5555_5555_5558), // 0x1.5555555555558p-1
        f64::from_bits(0x3fd9_9999_9999_5321), // 0x1.9999999995321p-2
        f64::from_bits(0x3fd2_4924_92de_f064), // 0x1.2492492def064p-2
        f64::from_bits(0x3fcc_71c6_2e62_a529), // 0x1.c71c62e62a529p-3
        f64::from_bits(0x3fc7_462b_4c5f_6f18), // 0x1.7462b4c5f6f18p-3
        f64::from_bits(0x3fc3_9fe5_7d25_13a1), // 0x1.39fe57d2513a1p-3
        f64::from_bits(0x3fc2_b58d_77a4_4819), // 0x1.2b58d77a44819p-3
    ];
    const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fefa_3800); // 0x1.62e42fefa38p-1
    const LN2_LOW: f64 = f64::from_bits(0x3d2e_f357_93c7_6730); // 0x1.ef35793c7673p-45
    const EXP_LOW: f64 = -746.0;
    const EXP_HIGH: f64 = 710.0;
    const TANH_HIGH: f64 = 19.1;
    const TANH_LOW: f64 = 1.2e-8;
}

/// c[0] + c[1]·x + … by Horner's rule.
#[inline(always)]
fn polynomial<T: Element, S: Simd<T>>(simd: S, x: S::V, c: &'static [T]) -> S::V {
    let mut sum = simd.splat(c[c.len() - 1]);
    for i in (0..c.len() - 1).rev() {
        sum = simd.fma(sum, x, simd.splat(c[i]));
    }
    sum
}

/// (p, n) with eˣ = (1 + p)·2ⁿ, p = eʳ − 1, r = x − n·ln 2, |r| ≤ ln 2 / 2. Cody and Waite's two-step reduction.
#[inline(always)]
fn exp_parts<T: Element, S: Simd<T>>(simd: S, x: S::V) -> (S::V, S::V) {
    let round = simd.splat(T::ROUND);
    let n = simd.sub(simd.fma(x, simd.splat(T::LOG2_E), round), round);
    let r = simd.fma(n, simd.splat(-T::LN2_HIGH), x);
    let r = simd.fma(n, simd.splat(-T::LN2_LOW), r);
    let q = polynomial(simd, r, T::EXP_Q);
    (simd.fma(simd.mul(r, r), q, r), n)
}

/// eˣ; subnormal results are rounded like others, NaN stays NaN.
#[inline(always)]
pub(crate) fn exp<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    // The constant comes first: min and max give their second operand, here NaN.
    let x = simd.max(simd.splat(T::EXP_LOW), simd.min(simd.splat(T::EXP_HIGH), x));
    let (p, n) = exp_parts(simd, x);
    simd.scale(simd.add(simd.splat(T::ONE), p), n)
}

/// ln x, −∞ at ±0, NaN below 0.
///
/// x = 2ᵉ·m with √½ < m ≤ √2; ln m = f − (f²/2 − s·(f²/2 + z·L(z))) with f = m − 1, s = f/(2 + f), z = s²: the
/// arrangement of fdlibm's `e_log.c`, which keeps f exact.
#[inline(always)]
pub(crate) fn log<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let (zero, one) = (simd.splat(T::ZERO), simd.splat(T::ONE));
    let subnormal = simd.lt(x, simd.splat(T::MIN_NORMAL));
    let lifted = simd.select(subnormal, simd.mul(x, simd.splat(T::LIFT)), x);
    let (m, e) = simd.split(lifted);
    let e = simd.sub(e, simd.select(subnormal, simd.splat(T::LIFT_EXPONENT), zero));
    let large = simd.lt(simd.splat(T::SQRT_2), m);
    let m = simd.select(large, simd.mul(m, simd.splat(T::HALF)), m);
    let e = simd.add(e, simd.select(large, one, zero));

    let f = simd.sub(m, one);
    let s = simd.div(f, simd.add(f, simd.splat(T::TWO)));
    let z = simd.mul(s, s);
    let l = simd.mul(z, polynomial(simd, z, T::LOG_L));
    let half_square = simd.mul(simd.mul(f, f), simd.splat(T::HALF));
    let low = simd.fma(e, simd.splat(T::LN2_LOW), simd.mul(s, simd.add(half_square, l)));
    let log = simd.fma(e, simd.splat(T::LN2_HIGH), simd.sub(f, simd.sub(half_square, low)));

    let log = simd.select(simd.lt(zero, x), log, simd.splat(T::NAN));
    let log = simd.select(
        simd.lt(x, simd.splat(T::MIN_POSITIVE)),
        simd.select(simd.lt(x, zero), log, simd.splat(-T::INFINITY)),
        log,
    );
    simd.select(simd.lt(simd.splat(T::MAX), x), x, log)
}

/// tanh x = t/(t + 2) with t = e²ˣ − 1 for x ≥ 0, mirrored for x < 0.
#[inline(always)]
pub(crate) fn tanh<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let (zero, one) = (simd.splat(T::ZERO), simd.splat(T::ONE));
    let magnitude = simd.min(simd.splat(T::TANH_HIGH), simd.abs(x));
    let (p, n) = exp_parts(simd, simd.add(magnitude, magnitude));
    // e²ˣ − 1 = p·2ⁿ + (2ⁿ − 1): no cancellation, for n ≥ 0.
    let power = simd.scale(one, n);
    let t = simd.fma(p, power, simd.sub(power, one));
    let y = simd.div(t, simd.add(t, simd.splat(T::TWO)));
    let y = simd.select(simd.lt(x, zero), simd.sub(zero, y), y);
    simd.select(simd.lt(simd.abs(x), simd.splat(T::TANH_LOW)), x, y)
}

/// σ(x) = 1/(1 + e⁻ˣ), as e^−|x|/(1 + e^−|x|) for x < 0: the tail keeps its relative precision.
#[inline(always)]
pub(crate) fn sigmoid<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let (zero, one) = (simd.splat(T::ZERO), simd.splat(T::ONE));
    let e = exp(simd, simd.sub(zero, simd.abs(x)));
    simd.div(simd.select(simd.lt(x, zero), e, one), simd.add(one, e))
}

/// e/(1 + e)² with e = e^−|x|: σ′(x), and ¼·tanh′(x/2). No cancellation in either tail; 1 + e·(2 + e) is the square with
/// one rounding that counts.
#[inline(always)]
pub(crate) fn sigmoid_derivative<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let e = exp(simd, simd.sub(simd.splat(T::ZERO), simd.abs(x)));
    let square = simd.fma(e, simd.add(e, simd.splat(T::TWO)), simd.splat(T::ONE));
    simd.div(e, square)
}
