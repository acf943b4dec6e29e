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

/// Reads every value once and gives back a sum that depends on all of them.
pub(crate) struct Read<'a, T>(pub(crate) &'a [T]);

impl<T: Element> Kernel<T> for Read<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> T {
        // Chains enough for the latency of an addition, few enough for the registers.
        match S::REGISTERS {
            8.. => read::<T, S, 8>(simd, self.0),
            _ => read::<T, S, 2>(simd, self.0),
        }
    }
}

#[inline(always)]
fn read<T: Element, S: Simd<T>, const N: usize>(simd: S, values: &[T]) -> T {
    let mut sums = [simd.splat(T::ZERO); N];
    let mut chunks = values.chunks_exact(N * T::LANES);
    for chunk in &mut chunks {
        for i in 0..N {
            // SAFETY: the chunk has N vectors.
            let vector = unsafe { simd.load(chunk.as_ptr().add(i * T::LANES)) };
            sums[i] = simd.add(sums[i], vector);
        }
    }
    for &value in chunks.remainder() {
        sums[0] = simd.add(sums[0], simd.splat(value));
    }
    let mut sum = simd.splat(T::ZERO);
    for vector in sums {
        sum = simd.add(sum, vector);
    }
    simd.sum(sum)
}
