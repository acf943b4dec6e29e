//! What the machine can do: the limit that every speed is stated against.

use crate::element::Element;
use crate::simd::{Kernel, Simd};

/// Runs `steps` rounds of independent FMA chains in registers; gives back the flops done, and a sum that depends on all
/// of them.
pub(crate) struct Fma {
    pub(crate) steps: usize,
}

impl<T: Element> Kernel<T> for Fma {
    type Output = (usize, T);

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> (usize, T) {
        // Chains enough for the latency of an FMA (4 to 5 cycles) on two units, few enough for the registers.
        match S::REGISTERS {
            32.. => chains::<T, S, 16>(simd, self.steps),
            8.. => chains::<T, S, 6>(simd, self.steps),
            _ => chains::<T, S, 3>(simd, self.steps),
        }
    }
}

#[inline(always)]
fn chains<T: Element, S: Simd<T>, const N: usize>(simd: S, steps: usize) -> (usize, T) {
    let mut acc = [simd.splat(T::ZERO); N];
    let (x, y) = (simd.splat(T::HALF), simd.splat(T::ONE));
    for _ in 0..steps {
        for chain in &mut acc {
            *chain = simd.fma(*chain, x, y);
        }
    }
    let mut sum = simd.splat(T::ZERO);
    for chain in acc {
        sum = simd.add(sum, chain);
    }
    (2 * N * T::LANES * steps, simd.sum(sum))
}
