//! Numbers in twice the digits of `f64`, and with an exponent of their own: what the oracles compute in. Their errors are
//! about 2⁻¹⁰⁰ (Dekker 1971; Joldes, Muller and Popescu 2017).

use core::ops::{Add, Div, Mul, Neg, Sub};

/// high + low, |low| at most half a unit in the last place of high.
#[derive(Clone, Copy, Debug)]
pub struct Twofold {
    pub high: f64,
    pub low: f64,
}

pub const fn twofold(high: f64, low: f64) -> Twofold {
    Twofold { high, low }
}

pub const LN_2: Twofold = twofold(core::f64::consts::LN_2, 2.3190468138462996e-17);

/// high + low for |a| ≥ |b|.
fn normalised(a: f64, b: f64) -> Twofold {
    let high = a + b;
    twofold(high, b - (high - a))
}

fn sum(a: f64, b: f64) -> Twofold {
    let high = a + b;
    let b_part = high - a;
    twofold(high, (a - (high - b_part)) + (b - b_part))
}

impl From<f64> for Twofold {
    fn from(x: f64) -> Self {
        twofold(x, 0.0)
    }
}

impl Add for Twofold {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        let (high, low) = (sum(self.high, b.high), sum(self.low, b.low));
        let first = normalised(high.high, high.low + low.high);
        normalised(first.high, first.low + low.low)
    }
}

impl Neg for Twofold {
    type Output = Self;
    fn neg(self) -> Self {
        twofold(-self.high, -self.low)
    }
}

impl Sub for Twofold {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        self + -b
    }
}

impl Mul for Twofold {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        let high = self.high * b.high;
        let low = self.high.mul_add(b.high, -high) + (self.high * b.low + self.low * b.high);
        normalised(high, low)
    }
}

impl Div for Twofold {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        let first = self.high / b.high;
        let rest = self - b * Twofold::from(first);
        let second = rest.high / b.high;
        let rest = rest - b * Twofold::from(second);
        normalised(first, second) + Twofold::from(rest.high / b.high)
    }
}

/// value·2^power, so that tails have all their digits.
#[derive(Clone, Copy, Debug)]
pub struct Wide {
    pub value: Twofold,
    pub power: i32,
}

impl From<Twofold> for Wide {
    fn from(value: Twofold) -> Self {
        Wide { value, power: 0 }
    }
}

impl From<f64> for Wide {
    /// The value in [1, 2), but for 0, ∞ and NaN.
    fn from(x: f64) -> Self {
        if x == 0.0 || !x.is_finite() {
            return Wide { value: x.into(), power: 0 };
        }
        let power = exponent(x);
        Wide { value: times_power(x, -power).into(), power }
    }
}

impl Mul for Wide {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        let high = self.value.high * b.value.high;
        if high == 0.0 || !high.is_finite() {
            // The low part would lose the sign, or be NaN.
            return Wide::from(high);
        }
        Wide { value: self.value * b.value, power: self.power + b.power }
    }
}

impl Wide {
    /// As a sum without a power; what is below 2⁻³⁰⁰ of an addend of 1 may be lost.
    pub fn twofold(self) -> Twofold {
        let power = self.power.max(-600);
        twofold(times_power(self.value.high, power), times_power(self.value.low, power))
    }

    /// The nearest `f64`, but for double rounding.
    pub fn to_f64(self) -> f64 {
        times_power(self.value.high + self.value.low, self.power)
    }
}

/// x·2ⁿ, exact but for a last rounding among subnormal numbers.
pub fn times_power(x: f64, n: i32) -> f64 {
    let (mut x, mut n) = (x, n);
    while n != 0 {
        let step = n.clamp(-900, 900);
        // Going down, the last step alone may round.
        let step = if n < -900 { step.max(n + 900).min(-1) } else { step };
        x *= f64::from_bits(((step + 1023) as u64) << 52);
        n -= step;
    }
    x
}

/// ⌊log₂ |x|⌋ of a finite number that is not 0.
pub fn exponent(x: f64) -> i32 {
    let (x, lift) = if x.abs() < f64::MIN_POSITIVE { (x * 2.0_f64.powi(64), 64) } else { (x, 0) };
    (x.to_bits() >> 52 & 0x7ff) as i32 - 1023 - lift
}
