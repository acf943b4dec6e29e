//! Seeded randomness: xoshiro256++ (Blackman and Vigna 2021), one stream for each purpose.
//!
//! A stream is named by (seed, purpose, index), so that what one part of a run draws never depends on how much another
//! part drew: an epoch's order or a layer's weights can be made again from the seed alone.

use crate::exec::Exec;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// What a stream is for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// Weights of layer `index`.
    Weights = 1,
    /// Order of the examples in epoch `index`.
    Order = 2,
    /// Which examples go to the development set.
    Split = 3,
    /// Hyperparameters of a trial, `index` = round · 2³² + number of the trial in its round.
    Trial = 9,
}

pub(super) struct Stream(Xoshiro256PlusPlus);

impl Stream {
    pub(super) fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        // Odd constants spread the three numbers; `seed_from_u64` mixes them (SplitMix64).
        let mixed =
            seed ^ (purpose as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index.wrapping_mul(0xd1b5_4a32_d192_ed03);
        Self(Xoshiro256PlusPlus::seed_from_u64(mixed))
    }

    /// Uniform on [−1, 1), in steps of 2⁻⁵².
    fn symmetric(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * f64::EPSILON - 1.0
    }

    /// Uniform on [0, 1), in steps of 2⁻⁵³.
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (f64::EPSILON / 2.0)
    }

    /// Uniform on 0..n (Lemire 2019: multiply and shift, reject the bias).
    pub(super) fn below(&mut self, n: u64) -> u64 {
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(n);
            if product as u64 >= n.wrapping_neg() % n {
                return (product >> 64) as u64;
            }
        }
    }

    /// Shuffles by Fisher and Yates.
    pub(super) fn shuffle<E>(&mut self, items: &mut [E]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// Fills with normal numbers of mean 0 and variance 1 by Marsaglia's polar method: for (u, v) uniform in the unit disc
    /// and s = u² + v², both u·√(−2·ln s / s) and v·√(−2·ln s / s). The logarithm is this crate's, so that every machine
    /// draws the same.
    pub(super) fn normal(&mut self, out: &mut [f64]) {
        const CHUNK: usize = 256;
        let (mut s, mut log) = ([0.0; CHUNK], [0.0; CHUNK]);
        for pairs in out.chunks_mut(2 * CHUNK) {
            let count = pairs.len().div_ceil(2);
            let mut points = [(0.0, 0.0); CHUNK];
            for i in 0..count {
                (points[i], s[i]) = self.in_disc();
            }
            Exec::sequential().log(&s[..count], &mut log[..count]).expect("equal lengths");
            for (i, pair) in pairs.chunks_mut(2).enumerate() {
                let factor = (-2.0 * log[i] / s[i]).sqrt();
                pair[0] = points[i].0 * factor;
                if let Some(second) = pair.get_mut(1) {
                    *second = points[i].1 * factor;
                }
            }
        }
    }

    /// A uniform point of the unit disc without its centre, and its squared radius.
    fn in_disc(&mut self) -> ((f64, f64), f64) {
        loop {
            let (u, v) = (self.symmetric(), self.symmetric());
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return ((u, v), s);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut x = vec![0.0; 100_001];
        Stream::new(7, Purpose::Weights, 0).normal(&mut x);
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|x| x * x).sum::<f64>() / n;
        let fourth = x.iter().map(|x| x.powi(4)).sum::<f64>() / n;
        // Standard errors: 0.0032, 0.0045, 0.031.
        assert!(
            mean.abs() < 0.013 && (variance - 1.0).abs() < 0.018 && (fourth - 3.0).abs() < 0.13,
            "{mean} {variance} {fourth}"
        );
    }

    #[test]
    fn streams_differ_and_repeat() {
        let order = |seed, index| {
            let mut order: Vec<usize> = (0..100).collect();
            Stream::new(seed, Purpose::Order, index).shuffle(&mut order);
            order
        };
        assert_eq!(order(1, 1), order(1, 1));
        assert_ne!(order(1, 1), order(1, 2));
        assert_ne!(order(1, 1), order(2, 1));
        let mut sorted = order(1, 1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }
}
