//! A few outer products, C = a₀·b₀ᵀ + a₁·b₁ᵀ + …: dW of a batch of 1 to 4. C is written row by row, as fast as stores go.

use super::Product;
use super::blocking::{FEW_COLUMNS_WORK, NARROW_REGISTERS, SMALL_COLUMNS};
use crate::element::Element;
use crate::simd::{Kernel, Simd};

/// Steps of k up to which stores take longer than sums: tiles take 1.5 times as long with 1 or 2, 1.1 to 1.5 with 4.
pub(super) const STEPS: usize = 4;

/// Whether it is the path for a product without other work. Where registers are many, small products are done sooner by tiles (64×64 with 1 to 4 steps
/// 1.14 to 1.4 times as fast on Granite Rapids, `f64` 1.0 to 1.25; AVX2 0.6 to 1.0, 4096×64 0.86 to 1.0).
pub(super) fn fits<T: Element>(p: &Product<T>, registers: usize) -> bool {
    let is_small = registers > NARROW_REGISTERS && p.n <= SMALL_COLUMNS && p.work() <= FEW_COLUMNS_WORK;
    let is_wide = p.n >= ROW_VECTORS * T::LANES && !is_small;
    (1..=STEPS).contains(&p.k) && is_wide && p.b.col == 1 && p.c.col == 1 && p.is_sum()
}

/// Vectors of a row from which it pays.
const ROW_VECTORS: usize = 4;

/// Computes a product that [`fits`].
///
/// # Safety
/// What whoever makes a `Nest` owes.
pub(super) unsafe fn multiply<T: Element, S: Simd<T>>(simd: S, p: &Product<T>) {
    match p.k {
        1 => simd.call(Outer::<T, 1>(p)),
        2 => simd.call(Outer::<T, 2>(p)),
        3 => simd.call(Outer::<T, 3>(p)),
        4 => simd.call(Outer::<T, 4>(p)),
        k => unreachable!("no code for {k} outer products"),
    }
}

/// K outer products; only [`multiply`] makes one.
struct Outer<'a, T, const K: usize>(&'a Product<T>);

impl<T: Element, const K: usize> Kernel<T> for Outer<'_, T, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let &Product { m, n, a, b, c, .. } = self.0;
        let rows: [*const T; K] = core::array::from_fn(|p| b.at(p, 0));
        // The last vector ends with the row, and computes some of the one before once more. A part of a product may have less
        // than a vector.
        let (whole, last) = (n / T::LANES * T::LANES, n.checked_sub(T::LANES));
        let some = simd.first(n);
        for i in 0..m {
            // SAFETY: whoever made the product owes that its elements are readable, and those of C writable.
            unsafe {
                let mut x = [simd.splat(T::ZERO); K];
                for p in 0..K {
                    x[p] = simd.splat(*a.at(i, p));
                }
                let to = c.at(i, 0);
                for j in (0..whole).step_by(T::LANES) {
                    simd.store(to.add(j), sum(simd, &x, &rows, j));
                }
                match last {
                    Some(last) if whole < n => simd.store(to.add(last), sum(simd, &x, &rows, last)),
                    Some(_) => {}
                    None => {
                        let mut sum = simd.splat(T::ZERO);
                        for p in 0..K {
                            sum = simd.fma(x[p], simd.load_masked(some, rows[p]), sum);
                        }
                        simd.store_masked(some, to, sum);
                    }
                }
            }
        }
    }
}

/// Σ x[p]·b[p] of a vector from column j on.
///
/// # Safety
/// These elements are readable.
#[inline(always)]
unsafe fn sum<T: Element, S: Simd<T>, const K: usize>(simd: S, x: &[S::V; K], rows: &[*const T; K], j: usize) -> S::V {
    // From 0, as any chain: −0 becomes 0.
    let mut sum = simd.splat(T::ZERO);
    for p in 0..K {
        // SAFETY: the caller's debt.
        sum = unsafe { simd.fma(x[p], simd.load(rows[p].add(j)), sum) };
    }
    sum
}
