//! Distances in units in the last place, and inputs that cover a type.

use super::twofold::{Wide, exponent, times_power};
use roofline::Element;

/// |found − exact| in units in the last place of the exact value in T, or of 2^`floor` where that is more. Where the exact
/// value is NaN or rounds to ∞, only the same will do; a found 0 must have the sign of the exact value.
pub fn ulp<T: Element>(found: T, exact: Wide, floor: i32) -> f64 {
    let nearest = T::from_f64(exact.to_f64()).to_f64();
    let found = found.to_f64();
    if nearest.is_nan() || nearest.is_infinite() {
        let same = found == nearest || found.is_nan() && nearest.is_nan();
        return if same { 0.0 } else { f64::INFINITY };
    }
    let Wide { value, power } = exact;
    if !found.is_finite() || found == 0.0 && found.is_sign_negative() != value.high.is_sign_negative() {
        return f64::INFINITY;
    }
    let (digits, least) = if T::NAME == "f32" { (23, -126) } else { (52, -1022) };
    let unit = if value.high == 0.0 { least } else { exponent(value.high) + power }.max(least).max(floor) - digits;
    // Scaling by powers of two is exact, and so are differences of neighbours.
    let scaled = |x: f64| times_power(x, power - unit);
    ((times_power(found, -unit) - scaled(value.high)) - scaled(value.low)).abs()
}

/// Every `step`-th f32 by bit pattern, and the special values.
pub fn all_f32(step: usize) -> Vec<f32> {
    let mut values: Vec<f32> = (0..=u32::MAX).step_by(step).map(f32::from_bits).collect();
    values.extend([0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN, f32::MIN_POSITIVE]);
    for exponent in 0..=255_u32 {
        for offset in -3..=3_i32 {
            let bits = (exponent << 23).wrapping_add_signed(offset);
            values.extend([f32::from_bits(bits), -f32::from_bits(bits)]);
        }
    }
    values
}
