//! Distances in units in the last place, and inputs that cover a type.

use roofline::Element;

/// A value in twice the digits of `f64`: high + low.
pub type Pair = (f64, f64);

/// |found − exact| in units in the last place of the exact value in T. Where the exact value is NaN or rounds to ∞, only the
/// same will do.
pub fn ulp<T: Element>(found: T, (high, low): Pair) -> f64 {
    let nearest = T::from_f64(high).to_f64();
    let found = found.to_f64();
    if nearest.is_nan() || nearest.is_infinite() {
        let same = found == nearest || found.is_nan() && nearest.is_nan();
        return if same { 0.0 } else { f64::INFINITY };
    }
    if !found.is_finite() {
        return f64::INFINITY;
    }
    let (digits, min_exponent) = if T::NAME == "f32" { (23, -126) } else { (52, -1022) };
    let exponent = if nearest == 0.0 { min_exponent } else { exponent(nearest).max(min_exponent) };
    // Differences of neighbours are exact; scaling by a power of two in two steps is too.
    let distance = ((found - high) - low).abs();
    distance * 2.0_f64.powi(-exponent / 2) * 2.0_f64.powi(digits - (exponent - exponent / 2))
}

fn exponent(x: f64) -> i32 {
    let scaled = if x.abs() < f64::MIN_POSITIVE { x * 2.0_f64.powi(64) } else { x };
    let field = (scaled.to_bits() >> 52 & 0x7ff) as i32 - 1023;
    if x.abs() < f64::MIN_POSITIVE { field - 64 } else { field }
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
