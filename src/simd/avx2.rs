//! AVX2 and FMA: the vector is two 256-bit registers, the mask two vectors of all-ones or all-zeros lanes.

use super::isa::token;
use super::{Kernel, Simd};
use crate::element::Element;
use core::arch::x86_64::*;

token! {
    /// Proof of AVX2 and FMA.
    Avx2: "avx2", "fma"
}

/// A window of [`Simd::first`]: 64 bytes of ones, then 64 bytes of zeros.
static ONES_THEN_ZEROS: [u64; 16] =
    [u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX, 0, 0, 0, 0, 0, 0, 0, 0];

impl Avx2 {
    /// Whether any lane of a mask is true.
    #[inline(always)]
    fn any(self, mask: [__m256i; 2]) -> bool {
        // SAFETY: token.
        unsafe { _mm256_movemask_epi8(_mm256_or_si256(mask[0], mask[1])) != 0 }
    }

    /// Within ±15/32 of ⌊n⌋, for multiples n of 1/16.
    #[inline(always)]
    fn near_floor<T: Element>(self, n: <Self as Simd<T>>::V) -> <Self as Simd<T>>::V
    where
        Self: Simd<T>,
    {
        self.sub(n, self.splat(T::FLOOR_SHIFT))
    }

    /// v · 2^⌊n⌉. Seldom is 2ⁿ itself outside the normal range: then times its square root, which is exact, and times the rest.
    #[inline(always)]
    fn scale_by_rounded<T: Element>(self, v: <Self as Simd<T>>::V, n: <Self as Simd<T>>::V) -> <Self as Simd<T>>::V
    where
        Self: Simd<T, M = [__m256i; 2]>,
    {
        let most = self.splat(T::EXPONENT_BIAS - T::ONE);
        if !self.any(self.lt(most, self.abs(n))) {
            return self.mul(v, self.power(n));
        }
        let (half, round) = (self.splat(T::HALF), self.splat(T::ROUND));
        let n = self.sub(self.add(n, round), round);
        let upper = self.sub(self.fma(n, half, round), round);
        self.mul(self.mul(v, self.power(upper)), self.power(self.sub(n, upper)))
    }

    /// A mask of 8 lanes of `f64` from flags of 32 bits.
    #[inline(always)]
    fn widened(self, flags: __m256i) -> [__m256i; 2] {
        // SAFETY: token.
        unsafe {
            let high = _mm256_extracti128_si256::<1>(flags);
            [_mm256_cvtepi32_epi64(_mm256_castsi256_si128(flags)), _mm256_cvtepi32_epi64(high)]
        }
    }
}

/// `table[i]`, i the low four bits of a lane: one of eight, and again one of eight, of which the fourth bit chooses.
///
/// # Safety
/// The caller has a token.
#[inline(always)]
unsafe fn lookup_f32(table: &[f32; 16], index: __m256i) -> __m256 {
    // SAFETY: the caller's debt; the table has 16 elements.
    unsafe {
        let low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.as_ptr()), index);
        let high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.as_ptr().add(8)), index);
        _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(index)))
    }
}

/// `table[i]`, i the low four bits of a lane.
///
/// # Safety
/// The caller has a token.
#[inline(always)]
unsafe fn lookup_f64(table: &[f64; 16], index: __m256i) -> __m256d {
    // SAFETY: the caller's debt; four bits stay within the table.
    unsafe { _mm256_i64gather_pd::<8>(table.as_ptr(), _mm256_and_si256(index, _mm256_set1_epi64x(15))) }
}

/// `table[i]`, i the low three bits of a lane.
///
/// # Safety
/// The caller has a token.
#[inline(always)]
unsafe fn lookup_of_8_f32(table: &[f32; 8], index: __m256i) -> __m256 {
    // SAFETY: the caller's debt; the table is one register.
    unsafe { _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.as_ptr()), index) }
}

/// `table[i]`, i the low three bits of a lane: one of four, as two words, and again one of four, of which the third bit chooses.
///
/// # Safety
/// The caller has a token.
#[inline(always)]
unsafe fn lookup_of_8_f64(table: &[f64; 8], index: __m256i) -> __m256d {
    // SAFETY: the caller's debt; the table is two registers.
    unsafe {
        // 2i and 2i + 1, of which three bits count.
        let twice = _mm256_shuffle_epi32::<0xa0>(_mm256_slli_epi64::<1>(index));
        let words = _mm256_or_si256(twice, _mm256_set1_epi64x(1 << 32));
        let low = _mm256_permutevar8x32_ps(_mm256_castpd_ps(_mm256_loadu_pd(table.as_ptr())), words);
        let high = _mm256_permutevar8x32_ps(_mm256_castpd_ps(_mm256_loadu_pd(table.as_ptr().add(4))), words);
        let choice = _mm256_castsi256_pd(_mm256_slli_epi64::<61>(index));
        _mm256_blendv_pd(_mm256_castps_pd(low), _mm256_castps_pd(high), choice)
    }
}

/// The first `n` < 8 lanes.
///
/// # Safety
/// The caller has a token, and `p[0..n]` is writable.
#[inline(always)]
unsafe fn store_first_f32(p: *mut f32, v: __m256, n: usize) {
    // SAFETY: the caller's debt.
    unsafe {
        let (mut p, mut v, high) = (p, _mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        if n & 4 != 0 {
            _mm_storeu_ps(p, v);
            (p, v) = (p.add(4), high);
        }
        if n & 2 != 0 {
            _mm_storel_pd(p.cast(), _mm_castps_pd(v));
            (p, v) = (p.add(2), _mm_movehl_ps(v, v));
        }
        if n & 1 != 0 {
            _mm_store_ss(p, v);
        }
    }
}

/// The first `n` < 4 lanes.
///
/// # Safety
/// The caller has a token, and `p[0..n]` is writable.
#[inline(always)]
unsafe fn store_first_f64(p: *mut f64, v: __m256d, n: usize) {
    // SAFETY: the caller's debt.
    unsafe {
        let (mut p, mut v, high) = (p, _mm256_castpd256_pd128(v), _mm256_extractf128_pd::<1>(v));
        if n & 2 != 0 {
            _mm_storeu_pd(p, v);
            (p, v) = (p.add(2), high);
        }
        if n & 1 != 0 {
            _mm_store_sd(p, v);
        }
    }
}

/// Applies an intrinsic to both halves.
macro_rules! halves {
    ($f:ident $(<$immediate:literal>)? ($($x:ident),+)) => {
        // SAFETY: the token proves the features; the intrinsic touches no memory.
        unsafe { [$f $(::<$immediate>)? ($($x[0]),+), $f $(::<$immediate>)? ($($x[1]),+)] }
    };
}

/// The trait from a table of intrinsics: the two element types differ in their names only.
macro_rules! simd {
    ($t:ident, $bits:ident, $v:ident, $splat:ident, $load:ident, $store:ident, $stream:ident, $loadm:ident, $movemask:ident, $store_first:ident,
     $add:ident, $sub:ident, $mul:ident, $div:ident, $fma:ident, $sqrt:ident, $and:ident, $or:ident, $max:ident, $min:ident,
     $cmp:ident, $blend:ident, $cast:ident, $cast_int:ident, $add_int:ident, $shl:ident, $shr:ident,
     $unpacklo:ident, $unpackhi:ident, $permute:ident, $lookup:ident, $lookup_of_8:ident,
     $load_quarter:ident, $widen_quarter:ident, $insert:ident, $pick:ident, $shuffle:ident, $swap:ident,
     $stay3:literal, $cross3:literal, $stay4:literal, $cross4:literal, $adjacent:literal) => {
        impl Simd<$t> for Avx2 {
            type V = [$v; 2];
            type M = [__m256i; 2];
            const REGISTERS: usize = 8;
            const PINS: bool = true;

            #[inline(always)]
            fn call<K: Kernel<$t>>(self, kernel: K) -> K::Output {
                // SAFETY: the token proves the features that `enter` enables.
                unsafe { self.enter::<$t, K>(kernel) }
            }
            #[inline(always)]
            fn splat(self, x: $t) -> Self::V {
                // SAFETY: token.
                let v = unsafe { $splat(x) };
                [v, v]
            }
            #[inline(always)]
            unsafe fn load(self, p: *const $t) -> Self::V {
                // SAFETY: token; the caller's debt covers both halves.
                unsafe { [$load(p), $load(p.add($t::LANES / 2))] }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $t, v: Self::V) {
                // SAFETY: token; the caller's debt covers both halves.
                unsafe {
                    $store(p, v[0]);
                    $store(p.add($t::LANES / 2), v[1]);
                }
            }
            #[inline(always)]
            fn first(self, n: usize) -> Self::M {
                let n = if n < $t::LANES { n } else { $t::LANES };
                // SAFETY: token; the window of 64 bytes starts at most 64 bytes into 128.
                unsafe {
                    let window = ONES_THEN_ZEROS.as_ptr().cast::<$bits>().add($t::LANES - n);
                    [_mm256_loadu_si256(window.cast()), _mm256_loadu_si256(window.add($t::LANES / 2).cast())]
                }
            }
            #[inline(always)]
            unsafe fn load_masked(self, m: Self::M, p: *const $t) -> Self::V {
                // SAFETY: token; the caller's debt. `wrapping_add`, for the second half may lie past the slice: its lanes
                // are then all false and the instruction does not touch it.
                unsafe { [$loadm(p, m[0]), $loadm(p.wrapping_add($t::LANES / 2), m[1])] }
            }
            #[inline(always)]
            unsafe fn store_masked(self, m: Self::M, p: *mut $t, v: Self::V) {
                // Not by masked stores, which take AMD's cores before Zen 4 over 40 micro-operations: the whole half, then
                // half of what is left, and again.
                // SAFETY: token; the caller's debt covers the first `n` lanes.
                unsafe {
                    let flags = [$movemask($cast(m[0])), $movemask($cast(m[1]))];
                    let (n, half) = ((flags[0] | flags[1] << ($t::LANES / 2)).trailing_ones() as usize, $t::LANES / 2);
                    if n >= half {
                        $store(p, v[0]);
                        if n == 2 * half { $store(p.add(half), v[1]) } else { $store_first(p.add(half), v[1], n - half) }
                    } else {
                        $store_first(p, v[0], n);
                    }
                }
            }
            #[inline(always)]
            unsafe fn store_past_caches(self, p: *mut $t, v: Self::V) {
                // SAFETY: the caller's debt.
                unsafe {
                    $stream(p, v[0]);
                    $stream(p.add(<$t>::LANES / 2), v[1]);
                }
            }
            #[inline(always)]
            fn fence(self) {
                // SAFETY: SSE is part of x86-64.
                unsafe { _mm_sfence() }
            }
            #[inline(always)]
            fn pin(self, v: Self::V) -> Self::V {
                #[target_feature(enable = "avx2")]
                #[inline]
                fn pin([mut low, mut high]: [$v; 2]) -> [$v; 2] {
                    // SAFETY: no instruction.
                    unsafe { core::arch::asm!("/* {0} {1} */", inout(ymm_reg) low, inout(ymm_reg) high, options(nomem, nostack, preserves_flags)) };
                    [low, high]
                }
                // SAFETY: token.
                unsafe { pin(v) }
            }
            #[inline(always)]
            fn pin_address(self, mut p: *const $t) -> *const $t {
                // SAFETY: no instruction.
                unsafe { core::arch::asm!("/* {0} */", inout(reg) p, options(pure, readonly, nostack, preserves_flags)) };
                p
            }
            #[inline(always)]
            fn prefetch(self, p: *const $t) {
                // SAFETY: a prefetch of any address is harmless.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
            }
            #[inline(always)]
            fn add(self, a: Self::V, b: Self::V) -> Self::V {
                halves!($add(a, b))
            }
            #[inline(always)]
            fn sub(self, a: Self::V, b: Self::V) -> Self::V {
                halves!($sub(a, b))
            }
            #[inline(always)]
            fn mul(self, a: Self::V, b: Self::V) -> Self::V {
                halves!($mul(a, b))
            }
            #[inline(always)]
            fn div(self, a: Self::V, b: Self::V) -> Self::V {
                halves!($div(a, b))
            }
            #[inline(always)]
            fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                halves!($fma(a, b, c))
            }
            #[inline(always)]
            fn fma_low(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                // SAFETY: token.
                [unsafe { $fma(a[0], b[0], c[0]) }, c[1]]
            }
            #[inline(always)]
            fn sqrt(self, a: Self::V) -> Self::V {
                halves!($sqrt(a))
            }
            #[inline(always)]
            fn abs(self, a: Self::V) -> Self::V {
                let magnitude = Simd::<$t>::splat(self, $t::from_bits($bits::MAX >> 1));
                halves!($and(a, magnitude))
            }
            #[inline(always)]
            fn max(self, a: Self::V, b: Self::V) -> Self::V {
                halves!($max(a, b))
            }
            #[inline(always)]
            fn min(self, a: Self::V, b: Self::V) -> Self::V {
                halves!($min(a, b))
            }
            #[inline(always)]
            fn lt(self, a: Self::V, b: Self::V) -> Self::M {
                // SAFETY: token.
                unsafe { [$cast_int($cmp::<_CMP_LT_OQ>(a[0], b[0])), $cast_int($cmp::<_CMP_LT_OQ>(a[1], b[1]))] }
            }
            #[inline(always)]
            fn is_nan(self, a: Self::V) -> Self::M {
                // SAFETY: token.
                unsafe { [$cast_int($cmp::<_CMP_UNORD_Q>(a[0], a[0])), $cast_int($cmp::<_CMP_UNORD_Q>(a[1], a[1]))] }
            }
            #[inline(always)]
            fn select(self, m: Self::M, t: Self::V, f: Self::V) -> Self::V {
                // SAFETY: token.
                unsafe { [$blend(f[0], t[0], $cast(m[0])), $blend(f[1], t[1], $cast(m[1]))] }
            }
            #[inline(always)]
            fn scale(self, v: Self::V, n: Self::V) -> Self::V {
                self.scale_by_rounded::<$t>(v, n)
            }
            #[inline(always)]
            fn scale_floor(self, v: Self::V, n: Self::V) -> Self::V {
                self.scale_by_rounded::<$t>(v, self.near_floor::<$t>(n))
            }
            #[inline(always)]
            fn power(self, n: Self::V) -> Self::V {
                // n + bias in the low bits of a float whose unit in the last place is 1, shifted up into the exponent field.
                let magic = Simd::<$t>::splat(self, 1.5 / $t::EPSILON + ($t::MAX_EXP - 1) as $t);
                Simd::<$t>::with_exponent(self, Simd::<$t>::add(self, n, magic))
            }
            #[inline(always)]
            fn with_exponent(self, v: Self::V) -> Self::V {
                const DIGITS: i32 = $t::MANTISSA_DIGITS as i32 - 1;
                // SAFETY: token.
                unsafe { [$cast($shl::<DIGITS>($cast_int(v[0]))), $cast($shl::<DIGITS>($cast_int(v[1])))] }
            }
            #[inline(always)]
            fn split(self, v: Self::V) -> (Self::V, Self::V) {
                const DIGITS: i32 = $t::MANTISSA_DIGITS as i32 - 1;
                const BIAS: $t = ($t::MAX_EXP - 1) as $t;
                // An exponent put into the low bits of 2^DIGITS is that number plus the exponent.
                const FIELD: $t = (1_u64 << DIGITS) as $t;
                const LIFT: $t = 2.0 / $t::EPSILON;
                let subnormal = Simd::<$t>::lt(self, v, Simd::<$t>::splat(self, $t::MIN_POSITIVE));
                let lifted = Simd::<$t>::mul(self, v, Simd::<$t>::splat(self, LIFT));
                let v = Simd::<$t>::select(self, subnormal, lifted, v);
                // With ¾ moved to 1 the exponent is the one that is wanted.
                let shift = Simd::<$t>::splat(self, $t::from_bits($t::to_bits(1.0) - $t::to_bits(0.75)));
                let below_one = Simd::<$t>::splat(self, $t::from_bits((1 << DIGITS) - 1));
                let (least, field) = (Simd::<$t>::splat(self, 0.75), Simd::<$t>::splat(self, FIELD));
                let (mut mantissa, mut exponent) = (v, v);
                for half in 0..2 {
                    // SAFETY: token.
                    unsafe {
                        let moved = $add_int($cast_int(v[half]), $cast_int(shift[half]));
                        let digits = $and($cast(moved), below_one[half]);
                        mantissa[half] = $cast($add_int($cast_int(digits), $cast_int(least[half])));
                        exponent[half] = $or($cast($shr::<DIGITS>(moved)), field[half]);
                    }
                }
                let bias = Simd::<$t>::splat(self, FIELD + BIAS);
                let lifted_bias = Simd::<$t>::splat(self, FIELD + BIAS + $t::MANTISSA_DIGITS as $t);
                let bias = Simd::<$t>::select(self, subnormal, lifted_bias, bias);
                (mantissa, Simd::<$t>::sub(self, exponent, bias))
            }
            #[inline(always)]
            fn halves<const STAGE: u32>(self, a: Self::V, b: Self::V) -> (Self::V, Self::V) {
                // Which lanes stay, and which cross to the other half of their group.
                match STAGE {
                    1 => ([a[0], b[0]], [a[1], b[1]]),
                    2 => (halves!($permute<0x30>(a, b)), halves!($permute<0x21>(a, b))),
                    3 => (halves!($pick<$stay3>(a, b)), halves!($shuffle<$cross3>(a, b))),
                    // Of `f32` only: zeros stand for the immediates of `f64`.
                    _ => {
                        let cross = halves!($pick<$cross4>(a, b));
                        (halves!($pick<$stay4>(a, b)), halves!($swap<$adjacent>(cross)))
                    }
                }
            }
            #[inline(always)]
            fn quarter_octave(self, v: Self::V) -> Self::V {
                const SHIFT: i32 = $t::MANTISSA_DIGITS as i32 - 3;
                // SAFETY: token.
                unsafe { [$cast($shr::<SHIFT>($cast_int(v[0]))), $cast($shr::<SHIFT>($cast_int(v[1])))] }
            }
            #[inline(always)]
            fn lookup(self, table: &[$t; 16], index: Self::V) -> Self::V {
                // SAFETY: token; the table has 16 elements.
                unsafe { [$lookup(table, $cast_int(index[0])), $lookup(table, $cast_int(index[1]))] }
            }
            #[inline(always)]
            fn lookup_of_8(self, table: &[$t; 8], index: Self::V) -> Self::V {
                // SAFETY: token; the table has 8 elements.
                unsafe { [$lookup_of_8(table, $cast_int(index[0])), $lookup_of_8(table, $cast_int(index[1]))] }
            }
            #[inline(always)]
            fn words_below(self, words: [__m256i; 2], limit: i32) -> [Self::M; 2] {
                // SAFETY: token.
                let below = unsafe {
                    let limit = _mm256_set1_epi32(limit);
                    [_mm256_cmpgt_epi32(limit, words[0]), _mm256_cmpgt_epi32(limit, words[1])]
                };
                if $t::LANES == 16 { [below, below] } else { [self.widened(below[0]), self.widened(below[1])] }
            }
            #[inline(always)]
            unsafe fn load_quarters(self, from: [*const $t; 4]) -> Self::V {
                // SAFETY: token; the caller's debt.
                unsafe {
                    [
                        $insert::<1>($widen_quarter($load_quarter(from[0])), $load_quarter(from[1])),
                        $insert::<1>($widen_quarter($load_quarter(from[2])), $load_quarter(from[3])),
                    ]
                }
            }
            #[inline(always)]
            fn zip(self, a: Self::V, b: Self::V) -> (Self::V, Self::V) {
                (halves!($unpacklo(a, b)), halves!($unpackhi(a, b)))
            }
        }
    };
}

#[rustfmt::skip]
simd!(
    f32, u32, __m256, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_stream_ps, _mm256_maskload_ps, _mm256_movemask_ps, store_first_f32,
    _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps, _mm256_div_ps, _mm256_fmadd_ps, _mm256_sqrt_ps, _mm256_and_ps,
    _mm256_or_ps, _mm256_max_ps, _mm256_min_ps, _mm256_cmp_ps, _mm256_blendv_ps, _mm256_castsi256_ps,
    _mm256_castps_si256, _mm256_add_epi32, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_unpacklo_ps, _mm256_unpackhi_ps,
    _mm256_permute2f128_ps, lookup_f32, lookup_of_8_f32, _mm_loadu_ps, _mm256_castps128_ps256, _mm256_insertf128_ps,
    _mm256_blend_ps, _mm256_shuffle_ps, _mm256_permute_ps, 0xcc, 0x4e, 0xaa, 0x55, 0xb1
);
#[rustfmt::skip]
simd!(
    f64, u64, __m256d, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_stream_pd, _mm256_maskload_pd, _mm256_movemask_pd, store_first_f64,
    _mm256_add_pd, _mm256_sub_pd, _mm256_mul_pd, _mm256_div_pd, _mm256_fmadd_pd, _mm256_sqrt_pd, _mm256_and_pd,
    _mm256_or_pd, _mm256_max_pd, _mm256_min_pd, _mm256_cmp_pd, _mm256_blendv_pd, _mm256_castsi256_pd,
    _mm256_castpd_si256, _mm256_add_epi64, _mm256_slli_epi64, _mm256_srli_epi64, _mm256_unpacklo_pd, _mm256_unpackhi_pd,
    _mm256_permute2f128_pd, lookup_f64, lookup_of_8_f64, _mm_loadu_pd, _mm256_castpd128_pd256, _mm256_insertf128_pd,
    _mm256_blend_pd, _mm256_shuffle_pd, _mm256_permute_pd, 0b1010, 0b0101, 0, 0, 0
);
