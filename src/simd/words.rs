//! Vectors of 32-bit words: what a counter-based generator of random numbers is made of.

use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;
use core::array::from_fn;

/// Operations on 64 bytes of words: 16 of 32 bits, or 8 lanes of 64 bits, each of a low and a high word.
pub trait Words: Copy + Send + Sync + 'static {
    /// 64 bytes.
    type W: Copy;

    /// `x` in every lane.
    fn splat_words(self, x: u64) -> Self::W;
    /// `first` + i in lane i; `first` is a multiple of 8.
    fn count_from(self, first: u64) -> Self::W;
    /// a ^ b.
    fn xor(self, a: Self::W, b: Self::W) -> Self::W;
    /// The products of low words, in lanes.
    fn mul_low_words(self, a: Self::W, b: Self::W) -> Self::W;
    /// The high words, in place of the low ones; zeros above.
    fn high_words(self, a: Self::W) -> Self::W;
    /// The low words of a as low words, those of b as high words.
    fn pair_low_words(self, a: Self::W, b: Self::W) -> Self::W;
    /// Every word shifted up by 16 bits.
    fn low_halves(self, a: Self::W) -> Self::W;
}

#[cfg(target_arch = "x86_64")]
impl Words for Avx512 {
    type W = __m512i;

    #[inline(always)]
    fn splat_words(self, x: u64) -> __m512i {
        // SAFETY: token, as in everything below.
        unsafe { _mm512_set1_epi64(x as i64) }
    }
    #[inline(always)]
    fn count_from(self, first: u64) -> __m512i {
        // SAFETY: token.
        unsafe { _mm512_add_epi64(_mm512_set1_epi64(first as i64), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7)) }
    }
    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: token.
        unsafe { _mm512_xor_si512(a, b) }
    }
    #[inline(always)]
    fn mul_low_words(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: token.
        unsafe { _mm512_mul_epu32(a, b) }
    }
    #[inline(always)]
    fn high_words(self, a: __m512i) -> __m512i {
        // SAFETY: token.
        unsafe { _mm512_srli_epi64::<32>(a) }
    }
    #[inline(always)]
    fn pair_low_words(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: token.
        unsafe { _mm512_mask_shuffle_epi32::<0xa0>(a, 0xaaaa, b) }
    }
    #[inline(always)]
    fn low_halves(self, a: __m512i) -> __m512i {
        // SAFETY: token.
        unsafe { _mm512_slli_epi32::<16>(a) }
    }
}

#[cfg(target_arch = "x86_64")]
impl Words for Avx2 {
    type W = [__m256i; 2];

    #[inline(always)]
    fn splat_words(self, x: u64) -> Self::W {
        // SAFETY: token, as in everything below.
        [unsafe { _mm256_set1_epi64x(x as i64) }; 2]
    }
    #[inline(always)]
    fn count_from(self, first: u64) -> Self::W {
        // SAFETY: token.
        unsafe {
            let first = _mm256_set1_epi64x(first as i64);
            [
                _mm256_add_epi64(first, _mm256_setr_epi64x(0, 1, 2, 3)),
                _mm256_add_epi64(first, _mm256_setr_epi64x(4, 5, 6, 7)),
            ]
        }
    }
    #[inline(always)]
    fn xor(self, a: Self::W, b: Self::W) -> Self::W {
        // SAFETY: token.
        unsafe { [_mm256_xor_si256(a[0], b[0]), _mm256_xor_si256(a[1], b[1])] }
    }
    #[inline(always)]
    fn mul_low_words(self, a: Self::W, b: Self::W) -> Self::W {
        // SAFETY: token.
        unsafe { [_mm256_mul_epu32(a[0], b[0]), _mm256_mul_epu32(a[1], b[1])] }
    }
    #[inline(always)]
    fn high_words(self, a: Self::W) -> Self::W {
        // SAFETY: token.
        unsafe { [_mm256_srli_epi64::<32>(a[0]), _mm256_srli_epi64::<32>(a[1])] }
    }
    #[inline(always)]
    fn pair_low_words(self, a: Self::W, b: Self::W) -> Self::W {
        // SAFETY: token.
        unsafe {
            [
                _mm256_blend_epi32::<0xaa>(a[0], _mm256_slli_epi64::<32>(b[0])),
                _mm256_blend_epi32::<0xaa>(a[1], _mm256_slli_epi64::<32>(b[1])),
            ]
        }
    }
    #[inline(always)]
    fn low_halves(self, a: Self::W) -> Self::W {
        // SAFETY: token.
        unsafe { [_mm256_slli_epi32::<16>(a[0]), _mm256_slli_epi32::<16>(a[1])] }
    }
}

impl Words for Portable {
    type W = [u64; 8];

    #[inline(always)]
    fn splat_words(self, x: u64) -> [u64; 8] {
        [x; 8]
    }
    #[inline(always)]
    fn count_from(self, first: u64) -> [u64; 8] {
        from_fn(|i| first + i as u64)
    }
    #[inline(always)]
    fn xor(self, a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        from_fn(|i| a[i] ^ b[i])
    }
    #[inline(always)]
    fn mul_low_words(self, a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        from_fn(|i| (a[i] & LOW) * (b[i] & LOW))
    }
    #[inline(always)]
    fn high_words(self, a: [u64; 8]) -> [u64; 8] {
        from_fn(|i| a[i] >> 32)
    }
    #[inline(always)]
    fn pair_low_words(self, a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        from_fn(|i| a[i] & LOW | b[i] << 32)
    }
    #[inline(always)]
    fn low_halves(self, a: [u64; 8]) -> [u64; 8] {
        from_fn(|i| a[i] << 16 & 0xffff_0000_ffff_0000)
    }
}

const LOW: u64 = u32::MAX as u64;
