//! [`Words`] against scalar code.

use super::{Kernel, Simd, Token, number};
use crate::element::Element;
use core::array::from_fn;

/// The lanes of words.
fn lanes<W: Copy>(words: W) -> [u64; 8] {
    assert_eq!(size_of::<W>(), 64);
    // SAFETY: words are 64 bytes of any value.
    unsafe { core::mem::transmute_copy(&words) }
}

struct Check;

impl<T: Element> Kernel<T> for Check {
    type Output = ();

    fn run<S: Simd<T>>(self, simd: S) {
        for first in [0, 8, (1 << 32) - 8, u64::MAX - 7] {
            let a = simd.count_from(first);
            let x = lanes(a);
            assert_eq!(x, from_fn(|i| first + i as u64));
            let b = simd.splat_words(0x8765_4321_f00d_cafe);
            let y = lanes(b);
            assert_eq!(y, [0x8765_4321_f00d_cafe; 8]);
            let low = |x: u64| x & 0xffff_ffff;
            assert_eq!(lanes(simd.xor(a, b)), from_fn(|i| x[i] ^ y[i]));
            assert_eq!(lanes(simd.mul_low_words(a, b)), from_fn(|i| low(x[i]) * low(y[i])));
            assert_eq!(lanes(simd.high_words(a)), from_fn(|i| x[i] >> 32));
            assert_eq!(lanes(simd.pair_low_words(a, b)), from_fn(|i| low(x[i]) | low(y[i]) << 32));
            assert_eq!(lanes(simd.low_halves(b)), from_fn(|i| low(y[i] << 16) | (y[i] >> 32 << 48)));

            let words = simd.mul_low_words(a, b);
            let word = |k: usize| (lanes(words)[k / 2] >> (32 * (k % 2))) as i32;
            for limit in [i32::MIN, -5, 0, word(3), word(12), i32::MAX] {
                let (one, zero) = (simd.splat(T::ONE), simd.splat(T::ZERO));
                let below = simd.words_below(words, limit).map(|mask| simd.lanes(simd.select(mask, one, zero)));
                for k in 0..16 {
                    let expected = f64::from(u8::from(word(k) < limit));
                    assert_eq!(below[k / T::LANES][k % T::LANES], number(expected), "word {k} below {limit}");
                }
            }
        }
    }
}

pub(super) fn words_are_those_of_scalar_code<T: Element>(token: Token) {
    T::dispatch(token, Check);
}
