//! Functions in pieces: a polynomial for each of 16 intervals, whose coefficients are looked up.
//!
//! In `f32`, where six to eight coefficients do, this is sooner done than one formula for all.

use crate::element::Element;
use crate::simd::Simd;

/// f(t) for t in [0, 15½·width): around k·width, k = 0 … 15, a polynomial in t − k·width.
pub struct Pieces<T: 'static> {
    pub(super) width: T,
    pub(super) inverse_width: T,
    /// Each coefficient of all intervals, from the constant term up.
    pub(super) coefficients: &'static [[T; 16]],
}

impl<T: Element> Pieces<T> {
    /// factor·f(t), of which the part with the constant term is rounded once, with the rest.
    #[inline(always)]
    pub(super) fn times<S: Simd<T>>(&self, simd: S, factor: S::V, t: S::V) -> S::V {
        let round = simd.splat(T::ROUND);
        // The low bits hold k.
        let index = simd.fma(t, simd.splat(self.inverse_width), round);
        let u = simd.fma(simd.sub(index, round), simd.splat(-self.width), t);
        let last = self.coefficients.len() - 1;
        let mut sum = simd.lookup(&self.coefficients[last], index);
        for i in (1..last).rev() {
            sum = simd.fma(sum, u, simd.lookup(&self.coefficients[i], index));
        }
        let rest = simd.mul(simd.mul(factor, u), sum);
        simd.fma(factor, simd.lookup(&self.coefficients[0], index), rest)
    }
}

/// f(t) for t ≥ 0: a piece for each quarter of an octave of z = ⅞ + slope·t < 14, for what changes the slower the greater t is. The order is
/// that of [`Simd::quarter_octave`]: z from 2 on, from 4 on, from 8 to 14, z below 1, z from 1 on.
pub struct Octaves<T: 'static> {
    pub(super) slope: T,
    /// The end of the last piece.
    pub(super) high: T,
    pub(super) centers: &'static [T; 16],
    /// Of polynomials in t − center, from the constant term up.
    pub(super) coefficients: &'static [[T; 16]],
}

impl<T: Element> Octaves<T> {
    /// f(t).
    #[inline(always)]
    pub(super) fn value<S: Simd<T>>(&self, simd: S, t: S::V) -> S::V {
        let index = simd.quarter_octave(simd.fma(t, simd.splat(self.slope), simd.splat(T::SEVEN_EIGHTHS)));
        let u = simd.sub(t, simd.lookup(self.centers, index));
        let last = self.coefficients.len() - 1;
        let mut sum = simd.lookup(&self.coefficients[last], index);
        for i in (0..last).rev() {
            sum = simd.fma(sum, u, simd.lookup(&self.coefficients[i], index));
        }
        sum
    }
}

/// Tables of `f32` from their bits.
pub(super) const fn from_bits<const N: usize, const LEN: usize>(bits: [[u32; LEN]; N]) -> [[f32; LEN]; N] {
    let mut table = [[0.0; LEN]; N];
    let (mut i, mut k) = (0, 0);
    while i < N {
        table[i][k] = f32::from_bits(bits[i][k]);
        k += 1;
        if k == LEN {
            (i, k) = (i + 1, 0);
        }
    }
    table
}
