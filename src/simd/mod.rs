//! L0: one vector type per instruction set, behind one trait.
//!
//! The vector is **64 bytes wide everywhere**: 16 `f32` or 8 `f64`, whatever the registers of the machine. On AVX-512
//! it is one register, on AVX2 two, on NEON and SSE2 four. A kernel written once over [`Simd`] therefore does the same
//! arithmetic, lane for lane and in the same order, on each of them: this is what makes promise 2 (same bits) hold by
//! construction, and on the narrower machines it unrolls every loop as far as the latency of an FMA asks for.
//!
//! ```text
//! Exec ──► Token ──► dispatch (the one match) ──► Simd::call, a #[target_feature] function ──► Kernel::run, all inlined
//! ```
//!
//! A token ([`Avx512`], [`Avx2`], [`Portable`]) proves that the CPU has the features: only `detect` makes one. That is
//! why the operations that touch no memory are safe to call.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod isa;
mod portable;
pub(crate) mod slice;
#[cfg(test)]
mod tests;
mod words;

pub use isa::{Dispatch, Isa, Kernel, Token};
pub use words::Words;

use crate::element::Element;

/// Operations on vectors of [`Element::LANES`] elements. Every lane follows IEEE 754 with round to nearest, ties to even,
/// and gives the same bits on every token; the one exception is [`Simd::fma`] on a CPU without FMA.
pub trait Simd<T: Element>: Words {
    /// [`Element::LANES`] elements: 64 bytes.
    type V: Copy;
    /// One flag per lane.
    type M: Copy;

    /// How many `V` the register file holds.
    const REGISTERS: usize;
    /// Whether [`Simd::pin`] does anything.
    const PINS: bool = false;

    /// Runs `kernel` in a function of its own, compiled for the features of this token. A kernel that is called so is not
    /// inlined into its caller, but the inner loops of both are code of the instruction set.
    fn call<K: Kernel<T>>(self, kernel: K) -> K::Output;

    /// `x` in every lane.
    fn splat(self, x: T) -> Self::V;
    /// Lanes from `p[0..LANES]`; no alignment asked for.
    ///
    /// # Safety
    /// `p[0..LANES]` is readable.
    unsafe fn load(self, p: *const T) -> Self::V;
    /// Lanes to `p[0..LANES]`; no alignment asked for.
    ///
    /// # Safety
    /// `p[0..LANES]` is writable.
    unsafe fn store(self, p: *mut T, v: Self::V);
    /// True in lanes `0..n`, false in the others; `n` ≥ `LANES` gives all true.
    fn first(self, n: usize) -> Self::M;
    /// `p[i]` where lane `i` of `m` is true, 0 elsewhere. Memory of false lanes is not touched.
    ///
    /// # Safety
    /// `p[i]` is readable for each true lane `i`.
    unsafe fn load_masked(self, m: Self::M, p: *const T) -> Self::V;
    /// Stores the true lanes, which come before all others, as in [`Simd::first`]. Memory of false lanes is not touched.
    ///
    /// # Safety
    /// `p[i]` is writable for each true lane `i`.
    unsafe fn store_masked(self, m: Self::M, p: *mut T, v: Self::V);
    /// [`Simd::store`] to a line of its own that is not fetched and kept in the caches, where the machine can; the memory is
    /// only to be read again after [`Simd::fence`].
    ///
    /// # Safety
    /// `p[0..LANES]` is writable, and `p` a multiple of 64.
    #[inline(always)]
    unsafe fn store_past_caches(self, p: *mut T, v: Self::V) {
        // SAFETY: the caller's debt.
        unsafe { self.store(p, v) }
    }
    /// Orders what [`Simd::store_past_caches`] wrote before everything that follows.
    #[inline(always)]
    fn fence(self) {}
    /// v, there before anything is loaded that follows. Without it a compiler may load for several steps of a loop at once, and run out of
    /// registers.
    #[inline(always)]
    fn pin(self, v: Self::V) -> Self::V {
        v
    }
    /// p, of which nothing is known: a compiler adds to it what is added here, instead of what takes more instructions.
    #[inline(always)]
    fn pin_address(self, p: *const T) -> *const T {
        p
    }
    /// Hint that the cache line of `p` will be used; any address will do.
    fn prefetch(self, p: *const T);

    /// a + b.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// a − b.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// a · b.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// a / b, correctly rounded.
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// a · b + c with one rounding (two on `Portable` without FMA).
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// [`Simd::fma`] in the first half of the lanes, anything in the others: half of the work where registers allow.
    fn fma_low(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Whether [`Simd::fma_low`] takes less time than [`Simd::fma`]. Where units are as wide as vectors it takes more: Intel's second unit
    /// multiplies nothing but whole vectors (96×36×96 `f32` 0.75 of the time without).
    #[inline(always)]
    fn halves_are_cheap(self) -> bool {
        true
    }
    /// √a, correctly rounded.
    fn sqrt(self, a: Self::V) -> Self::V;
    /// |a|: clears the sign, of NaN too.
    fn abs(self, a: Self::V) -> Self::V;
    /// a where a > b, else b: so `b` where either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// a where a < b, else b: so `b` where either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// a < b; false where either is NaN.
    fn lt(self, a: Self::V, b: Self::V) -> Self::M;
    /// Whether a is NaN.
    fn is_nan(self, a: Self::V) -> Self::M;
    /// `t` where `m`, else `f`.
    fn select(self, m: Self::M, t: Self::V, f: Self::V) -> Self::V;
    /// v · 2ⁿ, rounded once. `n` holds integers of magnitude ≤ 192 (`f32`) or 1536 (`f64`), and v is 0, or n is 0, or
    /// v · 2^(n/2) is a normal number, as where |v| is within [¼, 128]; from n = −163 (−1088) down 0 ≤ v < 2¹², and the result is 0.
    fn scale(self, v: Self::V, n: Self::V) -> Self::V;
    /// v · 2^⌊n⌋ for multiples n of 1/16, otherwise as [`Simd::scale`].
    #[inline(always)]
    fn scale_floor(self, v: Self::V, n: Self::V) -> Self::V {
        // Within ±15/32 of ⌊n⌋.
        let near = self.sub(n, self.splat(T::FLOOR_SHIFT));
        let round = self.splat(T::ROUND);
        self.scale(v, self.sub(self.add(near, round), round))
    }
    /// 2ⁿ, a normal number, for integers n.
    fn power(self, n: Self::V) -> Self::V;
    /// The power of two whose exponent field holds the low bits of a lane: 2ⁿ of 1.5/ε + bias + n.
    fn with_exponent(self, v: Self::V) -> Self::V;
    /// (m, e) with v = m · 2ᵉ and ¾ ≤ m < 1½, for positive finite v, subnormal ones too; e as a float.
    fn split(self, v: Self::V) -> (Self::V, Self::V);

    /// Lanes whose word is below `limit`; words are signed and count from the first. Of `f32`, the first mask tells all; of `f64`, the
    /// second one is for the words from 8 on.
    fn words_below(self, words: Self::W, limit: i32) -> [Self::M; 2];

    /// Which quarter of its octave v is in, and which octave modulo four, for positive v: the low four bits of a lane are the first two of
    /// the mantissa and, above them, the last two of the exponent.
    fn quarter_octave(self, v: Self::V) -> Self::V;
    /// `table[i]`, i the low four bits of the bits of a lane.
    fn lookup(self, table: &[T; 16], index: Self::V) -> Self::V;
    /// `table[i]`, i the low three bits of the bits of a lane.
    fn lookup_of_8(self, table: &[T; 8], index: Self::V) -> Self::V;

    /// Each quarter of the lanes, 16 bytes, from an address of its own; no alignment asked for.
    ///
    /// # Safety
    /// The elements of a quarter are readable at each.
    unsafe fn load_quarters(self, from: [*const T; 4]) -> Self::V;
    /// In each quarter, the lanes of a and b in turn: those of its first half in the first vector, a₀ b₀ …, of its second half in the
    /// second.
    fn zip(self, a: Self::V, b: Self::V) -> (Self::V, Self::V);

    /// The halves of the lanes of two vectors, in groups of 64 / 2^(STAGE − 1) bytes: what the vectors hold in the first half of a
    /// group are the two halves of a's, in the second those of b's, in either order. STAGE counts from 1 while a half is a lane or more.
    fn halves<const STAGE: u32>(self, a: Self::V, b: Self::V) -> (Self::V, Self::V);

    /// A step of [`Simd::sum`] for two vectors at once: the sum of their [`Simd::halves`].
    #[inline(always)]
    fn fold<const STAGE: u32>(self, a: Self::V, b: Self::V) -> Self::V {
        let (x, y) = self.halves::<STAGE>(a, b);
        self.add(x, y)
    }

    /// The lanes as an array; elements beyond `LANES` are 0.
    #[inline(always)]
    fn lanes(self, v: Self::V) -> [T; 16] {
        let mut out = [T::ZERO; 16];
        // SAFETY: `out` has 16 ≥ LANES elements.
        unsafe { self.store(out.as_mut_ptr(), v) };
        out
    }

    /// Sum of the lanes in a fixed tree: lane i + lane (i + LANES/2), then halves again down to one.
    #[inline(always)]
    fn sum(self, v: Self::V) -> T {
        fold_lanes::<T>(self.lanes(v), |a, b| a + b)
    }

    /// Greatest lane, by the rule of [`Simd::max`] in the tree of [`Simd::sum`].
    #[inline(always)]
    fn max_lane(self, v: Self::V) -> T {
        fold_lanes::<T>(self.lanes(v), |a, b| if a > b { a } else { b })
    }
}

#[inline(always)]
fn fold_lanes<T: Element>(mut lanes: [T; 16], combine: impl Fn(T, T) -> T) -> T {
    let mut half = T::LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = combine(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}
