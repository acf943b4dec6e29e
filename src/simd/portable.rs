//! What the build target guarantees, through the `wide` crate: NEON with fused FMA on aarch64, SSE2 on x86-64 (where
//! [`Simd::fma`] rounds twice), simd128 on wasm.

use super::{Kernel, Simd};
use crate::element::Element;
use core::array::from_fn;
use wide::{f32x16, f64x8};

/// Needs no proof: the build target has it.
#[derive(Clone, Copy)]
pub struct Portable;

macro_rules! simd {
    ($t:ident, $v:ident, $bits:ident) => {
        impl Simd<$t> for Portable {
            type V = $v;
            type M = $v;
            const REGISTERS: usize = if cfg!(target_arch = "aarch64") { 8 } else { 4 };

            #[inline(never)]
            fn call<K: Kernel<$t>>(self, kernel: K) -> K::Output {
                kernel.run(self)
            }
            #[inline(always)]
            fn splat(self, x: $t) -> $v {
                $v::splat(x)
            }
            #[inline(always)]
            unsafe fn load(self, p: *const $t) -> $v {
                // SAFETY: the caller's debt; an array asks for no more than the alignment of its elements.
                $v::new(unsafe { p.cast::<[$t; $t::LANES]>().read() })
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $t, v: $v) {
                // SAFETY: as for `load`.
                unsafe { p.cast::<[$t; $t::LANES]>().write(v.to_array()) }
            }
            #[inline(always)]
            fn first(self, n: usize) -> $v {
                const LANE: [$t; $t::LANES] = {
                    let mut lane = [0.0; $t::LANES];
                    let mut i = 0;
                    while i < $t::LANES {
                        lane[i] = i as $t;
                        i += 1;
                    }
                    lane
                };
                $v::new(LANE).simd_lt($v::splat(if n < $t::LANES { n } else { $t::LANES } as $t))
            }
            #[inline(always)]
            unsafe fn load_masked(self, m: $v, p: *const $t) -> $v {
                let m = m.to_array();
                // SAFETY: only true lanes, which are all ones, are read: the caller's debt.
                $v::new(from_fn(|i| if m[i].to_bits() == 0 { 0.0 } else { unsafe { p.add(i).read() } }))
            }
            #[inline(always)]
            unsafe fn store_masked(self, m: $v, p: *mut $t, v: $v) {
                let (m, v) = (m.to_array(), v.to_array());
                for i in 0..$t::LANES {
                    if m[i].to_bits() != 0 {
                        // SAFETY: only true lanes are written: the caller's debt.
                        unsafe { p.add(i).write(v[i]) }
                    }
                }
            }
            #[inline(always)]
            fn prefetch(self, _: *const $t) {}
            #[inline(always)]
            fn add(self, a: $v, b: $v) -> $v {
                a + b
            }
            #[inline(always)]
            fn sub(self, a: $v, b: $v) -> $v {
                a - b
            }
            #[inline(always)]
            fn mul(self, a: $v, b: $v) -> $v {
                a * b
            }
            #[inline(always)]
            fn div(self, a: $v, b: $v) -> $v {
                a / b
            }
            #[inline(always)]
            fn fma(self, a: $v, b: $v, c: $v) -> $v {
                a.mul_add(b, c)
            }
            #[inline(always)]
            fn fma_low(self, a: $v, b: $v, c: $v) -> $v {
                a.mul_add(b, c)
            }
            #[inline(always)]
            fn sqrt(self, a: $v) -> $v {
                a.sqrt()
            }
            #[inline(always)]
            fn abs(self, a: $v) -> $v {
                a.abs()
            }
            #[inline(always)]
            fn max(self, a: $v, b: $v) -> $v {
                b.simd_lt(a).bitselect(a, b)
            }
            #[inline(always)]
            fn min(self, a: $v, b: $v) -> $v {
                a.simd_lt(b).bitselect(a, b)
            }
            #[inline(always)]
            fn lt(self, a: $v, b: $v) -> $v {
                a.simd_lt(b)
            }
            #[inline(always)]
            fn is_nan(self, a: $v) -> $v {
                a.simd_ne(a)
            }
            #[inline(always)]
            fn select(self, m: $v, t: $v, f: $v) -> $v {
                m.bitselect(t, f)
            }
            #[inline(always)]
            fn scale(self, v: $v, n: $v) -> $v {
                // 2ⁿ itself may lie outside the normal range: multiply by 2^⌊n/2⌉, which is exact, then by the rest.
                const MAGIC: $t = 1.5 / $t::EPSILON;
                let upper = (n * $v::splat(0.5) + $v::splat(MAGIC)) - $v::splat(MAGIC);
                v * Simd::<$t>::power(self, upper) * Simd::<$t>::power(self, n - upper)
            }
            #[inline(always)]
            fn power(self, n: $v) -> $v {
                // n + bias in the low bits of a float whose unit in the last place is 1, shifted up into the exponent field.
                const MAGIC: $t = 1.5 / $t::EPSILON + ($t::MAX_EXP - 1) as $t;
                Simd::<$t>::with_exponent(self, n + $v::splat(MAGIC))
            }
            #[inline(always)]
            fn with_exponent(self, v: $v) -> $v {
                $v::new(v.to_array().map(|v| $t::from_bits(v.to_bits() << ($t::MANTISSA_DIGITS - 1))))
            }
            #[inline(always)]
            fn split(self, v: $v) -> ($v, $v) {
                const DIGITS: u32 = $t::MANTISSA_DIGITS - 1;
                const LIFT: $t = 2.0 / $t::EPSILON;
                let lane = |v: $t| {
                    let (v, lift) = if v < $t::MIN_POSITIVE { (v * LIFT, $t::MANTISSA_DIGITS as i32) } else { (v, 0) };
                    // With ¾ moved to 1 the exponent is the one that is wanted.
                    let moved = v.to_bits().wrapping_add($t::to_bits(1.0) - $t::to_bits(0.75));
                    let mantissa = $t::from_bits((moved & ((1 << DIGITS) - 1)) + $t::to_bits(0.75));
                    (mantissa, ((moved >> DIGITS) as i32 - ($t::MAX_EXP - 1) - lift) as $t)
                };
                let lanes = v.to_array().map(lane);
                ($v::new(from_fn(|i| lanes[i].0)), $v::new(from_fn(|i| lanes[i].1)))
            }
            #[inline(always)]
            fn halves<const STAGE: u32>(self, a: $v, b: $v) -> ($v, $v) {
                let (half, a, b) = ($t::LANES >> STAGE, a.to_array(), b.to_array());
                let first = from_fn(|i| if i & half == 0 { a[i] } else { b[i - half] });
                let second = from_fn(|i| if i & half == 0 { a[i + half] } else { b[i] });
                ($v::new(first), $v::new(second))
            }
            #[inline(always)]
            fn quarter_octave(self, v: $v) -> $v {
                $v::new(v.to_array().map(|v| $t::from_bits(v.to_bits() >> ($t::MANTISSA_DIGITS - 3))))
            }
            #[inline(always)]
            fn lookup(self, table: &[$t; 16], index: $v) -> $v {
                $v::new(index.to_array().map(|i| table[(i.to_bits() & 15) as usize]))
            }
            #[inline(always)]
            fn lookup_of_8(self, table: &[$t; 8], index: $v) -> $v {
                $v::new(index.to_array().map(|i| table[(i.to_bits() & 7) as usize]))
            }
            #[inline(always)]
            fn words_below(self, words: [u64; 8], limit: i32) -> [$v; 2] {
                let word = |k: usize| (words[k / 2] >> (k % 2 * 32)) as i32;
                let flag = |k: usize| $t::from_bits(if word(k) < limit { $bits::MAX } else { 0 });
                [$v::new(from_fn(flag)), $v::new(from_fn(|i| flag(i + 16 - $t::LANES)))]
            }
            #[inline(always)]
            unsafe fn load_quarters(self, from: [*const $t; 4]) -> $v {
                const QUARTER: usize = $t::LANES / 4;
                // SAFETY: the caller's debt.
                let quarters = from.map(|p| unsafe { p.cast::<[$t; QUARTER]>().read() });
                $v::new(from_fn(|i| quarters[i / QUARTER][i % QUARTER]))
            }
            #[inline(always)]
            fn zip(self, a: $v, b: $v) -> ($v, $v) {
                const QUARTER: usize = $t::LANES / 4;
                let pair = [a.to_array(), b.to_array()];
                let first = |i: usize| pair[i % 2][i / QUARTER * QUARTER + i % QUARTER / 2];
                let second = |i: usize| pair[i % 2][i / QUARTER * QUARTER + (QUARTER + i % QUARTER) / 2];
                ($v::new(from_fn(first)), $v::new(from_fn(second)))
            }
        }
    };
}

simd!(f32, f32x16, u32);
simd!(f64, f64x8, u64);
