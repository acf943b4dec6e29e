//! Dropout: which elements stay is a function of seed, step and index alone, by a generator that counts.
//!
//! ```text
//! element e      tile e / 64, vector v = (e % 64) / 16 of it, lane l = e % 16
//! random number  Philox4x32-7 of counter (8·tile + l/2, step) under the key `seed`: word l % 2 + 2·(v / 2),
//!                its upper 16 bits for even v, the lower ones for odd v
//! ```

use crate::element::Element;
use crate::simd::slice::{Arrays, Lanewise};
use crate::simd::{Kernel, Simd, Words};

/// Elements that share the work of the generator.
pub(crate) const TILE: usize = 64;

/// Tiles whose rounds go side by side where registers allow: those of one tile wait for each other.
const BESIDE: usize = 2;

/// Which elements stay: those whose 16 random bits, taken as a signed number, are below `kept` − 2¹⁵.
#[derive(Clone, Copy)]
pub(crate) struct Mask {
    pub(crate) seed: u64,
    pub(crate) step: u64,
    /// The probability to stay, times 2¹⁶; less than that.
    pub(crate) kept: u32,
}

impl Mask {
    /// The words of `N` tiles: 16 of the first vectors, 16 of the others.
    ///
    /// Philox4x32 of Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", whose 7 rounds pass BigCrush. Its
    /// four words are the low words of lanes; what is in the high words is nobody's.
    #[inline(always)]
    fn words<W: Words, const N: usize>(self, simd: W, tile: u64) -> [[W::W; 2]; N] {
        const ROUNDS: u32 = 7;
        let (m0, m1) = (simd.splat_words(0xd251_1f53), simd.splat_words(0xcd9e_8d57));
        let (mut k0, mut k1) = (self.seed as u32, (self.seed >> 32) as u32);
        let step = simd.splat_words(self.step);
        let mut state = [[step, step, step, simd.high_words(step)]; N];
        for n in 0..N {
            let counter = simd.count_from((tile + n as u64) << 3);
            (state[n][0], state[n][1]) = (counter, simd.high_words(counter));
        }
        for _ in 0..ROUNDS {
            let (key0, key1) = (simd.splat_words(k0.into()), simd.splat_words(k1.into()));
            for n in 0..N {
                let [a, b, c, d] = state[n];
                let (p, q) = (simd.mul_low_words(a, m0), simd.mul_low_words(c, m1));
                let a = simd.xor(simd.xor(simd.high_words(q), b), key0);
                let c = simd.xor(simd.xor(simd.high_words(p), d), key1);
                state[n] = [a, q, c, p];
            }
            (k0, k1) = (k0.wrapping_add(0x9e37_79b9), k1.wrapping_add(0xbb67_ae85));
        }
        let mut words = [[step; 2]; N];
        for n in 0..N {
            let [a, b, c, d] = state[n];
            words[n] = [simd.pair_low_words(a, b), simd.pair_low_words(c, d)];
        }
        words
    }
}

/// f(inputs)·scale where the mask lets elements stay, else 0. The arrays begin with a tile.
pub(crate) struct Dropout<T, F, const IN: usize> {
    pub(crate) arrays: Arrays<T, IN, 1>,
    pub(crate) tile: u64,
    pub(crate) mask: Mask,
    pub(crate) scale: T,
    pub(crate) f: F,
}

impl<T: Element, F: Lanewise<T, IN, 1>, const IN: usize> Kernel<T> for Dropout<T, F, IN> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let len = self.arrays.len();
        let beside = if S::REGISTERS < 32 { 1 } else { BESIDE };
        let whole = len / (beside * TILE) * (beside * TILE);
        // SAFETY: whole tiles lie within the arrays, and the rest is masked.
        unsafe {
            for at in (0..whole).step_by(beside * TILE) {
                if S::REGISTERS < 32 {
                    self.tiles::<S, 1, false>(simd, at);
                } else {
                    self.tiles::<S, BESIDE, false>(simd, at);
                }
            }
            for at in (whole..len).step_by(TILE) {
                self.tiles::<S, 1, true>(simd, at);
            }
        }
    }
}

impl<T: Element, F: Lanewise<T, IN, 1>, const IN: usize> Dropout<T, F, IN> {
    /// The `N` tiles at `at`, or what there is of them if `MASKED`.
    ///
    /// # Safety
    /// `N`·[`TILE`] elements from `at` on are within the arrays unless `MASKED`.
    #[inline(always)]
    unsafe fn tiles<S: Simd<T>, const N: usize, const MASKED: bool>(&self, simd: S, at: usize) {
        let words = self.mask.words::<S, N>(simd, self.tile + (at / TILE) as u64);
        let limit = (self.mask.kept << 16) as i32 ^ i32::MIN;
        let (scale, zero) = (simd.splat(self.scale), simd.splat(T::ZERO));
        for v in 0..4 * N {
            let words = words[v / 4][v / 2 % 2];
            let stays = simd.words_below(if v % 2 == 0 { words } else { simd.low_halves(words) }, limit);
            for half in 0..16 / T::LANES {
                let at = at + 16 * v + half * T::LANES;
                if MASKED && at >= self.arrays.len() {
                    return;
                }
                // SAFETY: the caller's debt.
                unsafe {
                    let [y] = self.f.apply(simd, self.arrays.load::<S, MASKED>(simd, at));
                    let y = simd.select(stays[half], simd.mul(y, scale), zero);
                    self.arrays.store::<S, MASKED>(simd, at, [y]);
                }
            }
        }
    }
}

/// x.
#[derive(Clone, Copy)]
pub(crate) struct Kept;

impl<T: Element> Lanewise<T, 1, 1> for Kept {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, _: S, x: [S::V; 1]) -> [S::V; 1] {
        x
    }
}

/// A gradient from the output before it was dropped and scaled: f(x·keep, dy).
#[derive(Clone, Copy)]
pub(crate) struct Unscaled<T, F> {
    pub(crate) keep: T,
    pub(crate) f: F,
}

impl<T: Element, F: Lanewise<T, 2, 1>> Lanewise<T, 2, 1> for Unscaled<T, F> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [y, dy]: [S::V; 2]) -> [S::V; 1] {
        self.f.apply(simd, [simd.mul(y, simd.splat(self.keep)), dy])
    }
}
