//! Elementary functions on one vector: lanes in, lanes out, full range.
//!
//! One file per family, the coefficients and bounds of each type beside the function that they serve. Polynomials are by
//! Sollya 8.0 `fpminimax(f, degree, [|24…|] or [|53…|], interval, relative, floating)`; those in v on a half-line (`erf::Moebius`)
//! interpolate f at the Chebyshev nodes, in 50 digits, and are rounded afterwards; `pieces::Octaves` and `LOGISTIC_S` are weighted
//! least squares by Lawson's iteration, in 40 digits, each coefficient rounded before the next ones are fitted. f, interval and
//! error stand beside the coefficients. Only operations that IEEE 754 rounds correctly are used, so results are the same on
//! every instruction set with FMA. `docs/accuracy.md` has the errors that were measured.
//!
//! What keeps a result within its bound is said where it is done. Three means recur:
//!
//! - eˣ stays a sum 2ⁿ·(1 + high + low) ([`Exponential`]) until it has met what it is added to;
//! - an argument that is itself rounded, as x² is, comes as high + low: in the tails an error of half a unit in the last
//!   place of x² would be a hundred in the result;
//! - a result that may be subnormal is scaled by 2ⁿ last, so that it is rounded to the coarse grid once.
//!
//! Intel's CPUs take 100 to 160 cycles for an operation that gives a subnormal number, or gives 0 and comes near: the exponents of
//! a product add up to −159 or more (`f64`: −1087). So bounds beyond which a result rounds to 0 do so by far.

mod erf;
mod exp;
mod gelu;
mod log;
mod logistic;
mod pieces;

pub(crate) use erf::{erf, erfc};
pub(crate) use exp::{elu, exp, exp_below, exp_m1};
pub(crate) use gelu::{gelu, gelu_derivative, gelu_tanh, gelu_tanh_derivative};
pub(crate) use log::{ln_1p, log};
pub(crate) use logistic::{sigmoid, sigmoid_derivative, silu, silu_derivative, softplus, tanh, tanh_derivative};

use crate::element::Element;
use crate::simd::Simd;
use exp::{Exponential, exponential, exponential_of_sum};
use pieces::Pieces;

/// Coefficients and bounds of one element type.
pub trait Constants: exp::Constants + log::Constants + logistic::Constants + erf::Constants + gelu::Constants {
    /// 1.5/ε: adding it and taking it away rounds a float to an integer.
    const ROUND: Self;
    /// What the exponent field of 1 holds.
    const EXPONENT_BIAS: Self;
    /// The first bits of ln 2: few enough that its product with any exponent is exact.
    const LN2_HIGH: Self;
    /// ln 2 − `LN2_HIGH`.
    const LN2_LOW: Self;
    /// 15/32.
    const FLOOR_SHIFT: Self;
    /// ⅞.
    const SEVEN_EIGHTHS: Self;
    /// ½.
    const HALF: Self;
    /// 2.
    const TWO: Self;
    /// Slope of leaky ReLU below 0.
    const LEAKY_SLOPE: Self;
    /// Smallest normal number.
    const MIN_NORMAL: Self;
    /// Its exponent.
    const MIN_EXPONENT: Self;
    /// Smallest positive number.
    const MIN_POSITIVE: Self;
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
        const EXPONENT_BIAS: Self = ($t::MAX_EXP - 1) as $t;
        const FLOOR_SHIFT: Self = 15.0 / 32.0;
        const SEVEN_EIGHTHS: Self = 0.875;
        const HALF: Self = 0.5;
        const TWO: Self = 2.0;
        const LEAKY_SLOPE: Self = 0.01;
        const MIN_NORMAL: Self = $t::MIN_POSITIVE;
        const MIN_EXPONENT: Self = ($t::MIN_EXP - 1) as $t;
        const MIN_POSITIVE: Self = $t::from_bits(1);
        const MAX: Self = $t::MAX;
        const INFINITY: Self = $t::INFINITY;
        const NAN: Self = $t::NAN;
    };
}

impl Constants for f32 {
    common!(f32);
    const LN2_HIGH: f32 = f32::from_bits(0x3f31_7200); // 0x1.62e4p-1
    const LN2_LOW: f32 = f32::from_bits(0x35bf_be8e); // 0x1.7f7d1cp-20
}

impl Constants for f64 {
    common!(f64);
    const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fefa_3800); // 0x1.62e42fefa38p-1
    const LN2_LOW: f64 = f64::from_bits(0x3d2e_f357_93c7_6730); // 0x1.ef35793c7673p-45
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

/// [`polynomial`], of a long one even and odd terms side by side: sooner done, and as precise where the first term is the greatest by
/// far.
#[inline(always)]
fn wide_polynomial<T: Element, S: Simd<T>>(simd: S, x: S::V, c: &'static [T]) -> S::V {
    if c.len() <= 6 { polynomial(simd, x, c) } else { polynomial_of_two(simd, x, c) }
}

/// [`polynomial`] as a sum of two side by side.
#[inline(always)]
fn polynomial_of_two<T: Element, S: Simd<T>>(simd: S, x: S::V, c: &'static [T]) -> S::V {
    let (square, last) = (simd.mul(x, x), c.len() - 1);
    let (mut sum, mut next) = (simd.splat(c[last]), simd.splat(c[last - 1]));
    for i in (0..last - 1).rev() {
        (sum, next) = (next, simd.fma(sum, square, simd.splat(c[i])));
    }
    simd.fma(sum, x, next)
}

/// x·f(t) within ±1 for x ≠ 0, t = |x| up to where it is 1.
#[inline(always)]
fn odd_up_to_one<T: Element, S: Simd<T>>(simd: S, x: S::V, t: S::V, f: &Pieces<T>) -> S::V {
    let (zero, one) = (simd.splat(T::ZERO), simd.splat(T::ONE));
    let signed = simd.select(simd.lt(x, zero), negate(simd, t), simd.min(t, x));
    let y = f.times(simd, signed, t);
    simd.max(negate(simd, one), simd.min(one, y))
}

/// −x, of 0 too: compilers make it part of the operation that takes it.
#[inline(always)]
fn negate<T: Element, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    simd.sub(simd.splat(-T::ZERO), x)
}

/// (high, low) with high + low = a + b exactly, for |a| ≥ |b| or a = 0 (Dekker's Fast2Sum).
#[inline(always)]
fn fast_two_sum<T: Element, S: Simd<T>>(simd: S, a: S::V, b: S::V) -> (S::V, S::V) {
    let high = simd.add(a, b);
    (high, simd.sub(b, simd.sub(high, a)))
}

/// (high, low) with high + low = a · b exactly.
#[inline(always)]
fn two_product<T: Element, S: Simd<T>>(simd: S, a: S::V, b: S::V) -> (S::V, S::V) {
    let high = simd.mul(a, b);
    (high, simd.fma(a, b, negate(simd, high)))
}

/// (numerator + low)/(divisor + divisor_low), the lows below an ULP of what they belong to: the one rounding that counts is
/// the last.
#[inline(always)]
fn divide_sums<T: Element, S: Simd<T>>(
    simd: S,
    (numerator, low): (S::V, S::V),
    (divisor, divisor_low): (S::V, S::V),
) -> S::V {
    let reciprocal = simd.div(simd.splat(T::ONE), divisor);
    let quotient = simd.mul(numerator, reciprocal);
    let minus = negate(simd, quotient);
    let rest = simd.fma(minus, divisor, numerator);
    let rest = simd.fma(minus, divisor_low, simd.add(rest, low));
    simd.fma(rest, reciprocal, quotient)
}
