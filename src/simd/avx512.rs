//! AVX-512 F, VL, BW and DQ: the vector is one register, the mask is a mask register.

use super::isa::token;
use super::{Kernel, Simd};
use crate::element::Element;
use core::arch::x86_64::*;

token! {
    /// Proof of AVX-512 F+VL+BW+DQ, AVX2 and FMA.
    Avx512: "avx512f", "avx512vl", "avx512bw", "avx512dq", "avx2", "fma"
}

/// Whether the CPU computes a vector as two halves, one after the other, as Zen 4 does: then half a vector is half of the work. Of the CPUs with AVX-512, those of AMD have SSE4a, and from Zen 5 on, with whole units,
/// VP2INTERSECT.
#[inline]
pub(super) fn has_narrow_units() -> bool {
    is_x86_feature_detected!("sse4a") && !is_x86_feature_detected!("avx512vp2intersect")
}

/// `table[i]`, i the low four bits of a lane.
///
/// # Safety
/// The caller has a token.
#[inline(always)]
unsafe fn lookup_f32(table: &[f32; 16], index: __m512i) -> __m512 {
    // SAFETY: the caller's debt; the table is one register.
    unsafe { _mm512_permutexvar_ps(index, _mm512_loadu_ps(table.as_ptr())) }
}

/// `table[i]`, i the low four bits of a lane.
///
/// # Safety
/// The caller has a token.
#[inline(always)]
unsafe fn lookup_f64(table: &[f64; 16], index: __m512i) -> __m512d {
    // SAFETY: the caller's debt; the table is two registers.
    unsafe { _mm512_permutex2var_pd(_mm512_loadu_pd(table.as_ptr()), index, _mm512_loadu_pd(table.as_ptr().add(8))) }
}

/// `table[i]`, i the low three bits of a lane: the table twice over.
///
/// # Safety
/// The caller has a token.
#[inline(always)]
unsafe fn lookup_of_8_f32(table: &[f32; 8], index: __m512i) -> __m512 {
    // SAFETY: the caller's debt; the table is half a register.
    unsafe { _mm512_permutexvar_ps(index, _mm512_broadcast_f32x8(_mm256_loadu_ps(table.as_ptr()))) }
}

/// `table[i]`, i the low three bits of a lane.
///
/// # Safety
/// The caller has a token.
#[inline(always)]
unsafe fn lookup_of_8_f64(table: &[f64; 8], index: __m512i) -> __m512d {
    // SAFETY: the caller's debt; the table is one register.
    unsafe { _mm512_permutexvar_pd(index, _mm512_loadu_pd(table.as_ptr())) }
}

/// The trait from a table of intrinsics: the two element types differ in their names only.
macro_rules! simd {
    ($t:ident, $bits:ident, $v:ident, $m:ident, $splat:ident, $load:ident, $store:ident, $stream:ident, $loadm:ident, $storem:ident,
     $add:ident, $sub:ident, $mul:ident, $div:ident, $fma:ident, $sqrt:ident, $abs:ident, $max:ident, $min:ident,
     $cmp:ident, $blend:ident, $scalef:ident, $move_masked:ident, $getmant:ident, $getexp:ident, $add_masked:ident,
     $cast_int:ident, $cast:ident, $shl:ident, $shr:ident, $narrow:ident, $fma_low:ident, $widen:ident,
     $lookup:ident, $lookup_of_8:ident, $permute:ident, $unpacklo:ident, $unpackhi:ident,
     $load_quarter:ident, $widen_quarter:ident, $insert:ident, $insert_half:ident) => {
        impl Simd<$t> for Avx512 {
            type V = $v;
            type M = $m;
            const REGISTERS: usize = 32;
            const PINS: bool = true;

            #[inline(always)]
            fn call<K: Kernel<$t>>(self, kernel: K) -> K::Output {
                // SAFETY: the token proves the features that `enter` enables.
                unsafe { self.enter::<$t, K>(kernel) }
            }
            #[inline(always)]
            fn splat(self, x: $t) -> $v {
                // SAFETY: token.
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(self, p: *const $t) -> $v {
                // SAFETY: token; the caller's debt.
                unsafe { $load(p) }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $t, v: $v) {
                // SAFETY: token; the caller's debt.
                unsafe { $store(p, v) }
            }
            #[inline(always)]
            fn first(self, n: usize) -> $m {
                // Past the width the shift would wrap: clamp it.
                let n = if n < $t::LANES { n as u32 } else { $t::LANES as u32 };
                ((1_u32 << n) - 1) as $m
            }
            #[inline(always)]
            unsafe fn load_masked(self, m: $m, p: *const $t) -> $v {
                // SAFETY: token; the caller's debt. Masked-out lanes do not fault and are not read.
                unsafe { $loadm(m, p) }
            }
            #[inline(always)]
            unsafe fn store_masked(self, m: $m, p: *mut $t, v: $v) {
                // SAFETY: token; the caller's debt.
                unsafe { $storem(p, m, v) }
            }
            #[inline(always)]
            unsafe fn store_past_caches(self, p: *mut $t, v: $v) {
                // SAFETY: the caller's debt.
                unsafe { $stream(p.cast(), v) }
            }
            #[inline(always)]
            fn fence(self) {
                // SAFETY: SSE is part of x86-64.
                unsafe { _mm_sfence() }
            }
            #[inline(always)]
            fn pin(self, v: $v) -> $v {
                #[target_feature(enable = "avx512f")]
                #[inline]
                fn pin(mut v: $v) -> $v {
                    // SAFETY: no instruction.
                    unsafe { core::arch::asm!("/* {0} */", inout(zmm_reg) v, options(nomem, nostack, preserves_flags)) };
                    v
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
            fn add(self, a: $v, b: $v) -> $v {
                // SAFETY: token.
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            fn sub(self, a: $v, b: $v) -> $v {
                // SAFETY: token.
                unsafe { $sub(a, b) }
            }
            #[inline(always)]
            fn mul(self, a: $v, b: $v) -> $v {
                // SAFETY: token.
                unsafe { $mul(a, b) }
            }
            #[inline(always)]
            fn div(self, a: $v, b: $v) -> $v {
                // SAFETY: token.
                unsafe { $div(a, b) }
            }
            #[inline(always)]
            fn fma(self, a: $v, b: $v, c: $v) -> $v {
                // SAFETY: token.
                unsafe { $fma(a, b, c) }
            }
            #[inline(always)]
            fn fma_low(self, a: $v, b: $v, c: $v) -> $v {
                // SAFETY: token.
                unsafe { $widen($fma_low($narrow(a), $narrow(b), $narrow(c))) }
            }
            #[inline(always)]
            fn halves_are_cheap(self) -> bool {
                has_narrow_units()
            }
            #[inline(always)]
            fn sqrt(self, a: $v) -> $v {
                // SAFETY: token.
                unsafe { $sqrt(a) }
            }
            #[inline(always)]
            fn abs(self, a: $v) -> $v {
                // SAFETY: token.
                unsafe { $abs(a) }
            }
            #[inline(always)]
            fn max(self, a: $v, b: $v) -> $v {
                // SAFETY: token.
                unsafe { $max(a, b) }
            }
            #[inline(always)]
            fn min(self, a: $v, b: $v) -> $v {
                // SAFETY: token.
                unsafe { $min(a, b) }
            }
            #[inline(always)]
            fn lt(self, a: $v, b: $v) -> $m {
                // SAFETY: token.
                unsafe { $cmp::<_CMP_LT_OQ>(a, b) }
            }
            #[inline(always)]
            fn is_nan(self, a: $v) -> $m {
                // SAFETY: token.
                unsafe { $cmp::<_CMP_UNORD_Q>(a, a) }
            }
            #[inline(always)]
            fn select(self, m: $m, t: $v, f: $v) -> $v {
                // SAFETY: token.
                unsafe { $blend(m, f, t) }
            }
            #[inline(always)]
            fn scale(self, v: $v, n: $v) -> $v {
                Simd::<$t>::scale_floor(self, v, n)
            }
            #[inline(always)]
            fn scale_floor(self, v: $v, n: $v) -> $v {
                // From here down v·2ⁿ rounds to 0, for which Intel's CPUs would take 160 cycles, as for a subnormal number. A mask of the
                // result would not do: the compiler may move it to a later operation.
                const LOW: $t = ($t::MIN_EXP - $t::MANTISSA_DIGITS as i32 - 14) as $t;
                // SAFETY: token; the instruction rounds n down. Lanes of NaN are computed.
                unsafe { $scalef($move_masked($cmp::<_CMP_NLE_UQ>(n, $splat(LOW)), v), n) }
            }
            #[inline(always)]
            fn power(self, n: $v) -> $v {
                // SAFETY: token.
                unsafe { $scalef($splat(1.0), n) }
            }
            #[inline(always)]
            fn with_exponent(self, v: $v) -> $v {
                // SAFETY: token.
                unsafe { $cast($shl::<{ $t::MANTISSA_DIGITS - 1 }>($cast_int(v))) }
            }
            #[inline(always)]
            fn split(self, v: $v) -> ($v, $v) {
                // SAFETY: token.
                unsafe {
                    let (mantissa, exponent) = ($getmant::<_MM_MANT_NORM_P75_1P5, _MM_MANT_SIGN_SRC>(v), $getexp(v));
                    let one = $splat(1.0);
                    (mantissa, $add_masked(exponent, $cmp::<_CMP_LT_OQ>(mantissa, one), exponent, one))
                }
            }
            #[inline(always)]
            fn halves<const STAGE: u32>(self, a: $v, b: $v) -> ($v, $v) {
                /// Lane i + half of a, or lane i − half of b: what meets lane i of a, or of b.
                const fn across(half: usize) -> [$bits; $t::LANES] {
                    let (mut index, mut i) = ([0; $t::LANES], 0);
                    while i < $t::LANES {
                        index[i] = if i & half == 0 { i + half } else { $t::LANES + i - half } as $bits;
                        i += 1;
                    }
                    index
                }
                /// The second half of each group.
                const fn second(half: usize) -> $m {
                    let (mut mask, mut i) = (0, 0);
                    while i < $t::LANES {
                        mask |= ((i & half != 0) as $m) << i;
                        i += 1;
                    }
                    mask
                }
                let index = &const { across($t::LANES >> STAGE) };
                // SAFETY: token; the table is 64 bytes.
                unsafe {
                    let index = _mm512_loadu_si512(index.as_ptr().cast());
                    ($blend(const { second($t::LANES >> STAGE) }, a, b), $permute(a, index, b))
                }
            }
            #[inline(always)]
            fn quarter_octave(self, v: $v) -> $v {
                // SAFETY: token.
                unsafe { $cast($shr::<{ $t::MANTISSA_DIGITS - 3 }>($cast_int(v))) }
            }
            #[inline(always)]
            fn lookup(self, table: &[$t; 16], index: $v) -> $v {
                // SAFETY: token; the table has 16 elements.
                unsafe { $lookup(table, $cast_int(index)) }
            }
            #[inline(always)]
            fn lookup_of_8(self, table: &[$t; 8], index: $v) -> $v {
                // SAFETY: token; the table has 8 elements.
                unsafe { $lookup_of_8(table, $cast_int(index)) }
            }
            #[inline(always)]
            fn words_below(self, words: __m512i, limit: i32) -> [$m; 2] {
                // SAFETY: token.
                let below = unsafe { _mm512_cmplt_epi32_mask(words, _mm512_set1_epi32(limit)) };
                [below as $m, (below >> 8) as $m]
            }
            #[inline(always)]
            unsafe fn load_quarters(self, from: [*const $t; 4]) -> $v {
                // SAFETY: token; the caller's debt.
                unsafe {
                    let low = $insert::<1>($widen_quarter($load_quarter(from[0])), $load_quarter(from[1]));
                    let high = $insert::<1>($widen_quarter($load_quarter(from[2])), $load_quarter(from[3]));
                    $insert_half::<1>($widen(low), high)
                }
            }
            #[inline(always)]
            fn zip(self, a: $v, b: $v) -> ($v, $v) {
                // SAFETY: token.
                unsafe { ($unpacklo(a, b), $unpackhi(a, b)) }
            }
        }
    };
}

#[rustfmt::skip]
simd!(
    f32, u32, __m512, __mmask16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_stream_ps, _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps, _mm512_div_ps, _mm512_fmadd_ps, _mm512_sqrt_ps,
    _mm512_abs_ps, _mm512_max_ps, _mm512_min_ps, _mm512_cmp_ps_mask, _mm512_mask_blend_ps, _mm512_scalef_ps, _mm512_maskz_mov_ps,
    _mm512_getmant_ps, _mm512_getexp_ps, _mm512_mask_add_ps, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_slli_epi32, _mm512_srli_epi32, _mm512_castps512_ps256, _mm256_fmadd_ps, _mm512_castps256_ps512,
    lookup_f32, lookup_of_8_f32, _mm512_permutex2var_ps, _mm512_unpacklo_ps, _mm512_unpackhi_ps,
    _mm_loadu_ps, _mm256_castps128_ps256, _mm256_insertf128_ps, _mm512_insertf32x8
);
#[rustfmt::skip]
simd!(
    f64, u64, __m512d, __mmask8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_stream_pd, _mm512_maskz_loadu_pd,
    _mm512_mask_storeu_pd, _mm512_add_pd, _mm512_sub_pd, _mm512_mul_pd, _mm512_div_pd, _mm512_fmadd_pd, _mm512_sqrt_pd,
    _mm512_abs_pd, _mm512_max_pd, _mm512_min_pd, _mm512_cmp_pd_mask, _mm512_mask_blend_pd, _mm512_scalef_pd, _mm512_maskz_mov_pd,
    _mm512_getmant_pd, _mm512_getexp_pd, _mm512_mask_add_pd, _mm512_castpd_si512, _mm512_castsi512_pd, _mm512_slli_epi64, _mm512_srli_epi64, _mm512_castpd512_pd256, _mm256_fmadd_pd, _mm512_castpd256_pd512,
    lookup_f64, lookup_of_8_f64, _mm512_permutex2var_pd, _mm512_unpacklo_pd, _mm512_unpackhi_pd,
    _mm_loadu_pd, _mm256_castpd128_pd256, _mm256_insertf128_pd, _mm512_insertf64x4
);
