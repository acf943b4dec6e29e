//! Normalisation: with numbers of each column (batch norm, inputs), and of each row (layer norm).
//!
//! Differences to the mean come first, everywhere: products with 1/σ, γ and β that are gathered into one linear function of x lose
//! the digits that x and the mean share.

use super::columns::{ColumnFold, ColumnMap};
use super::reduce::{Deviations, Dot, ShiftedSum};
use super::rows::{Lines, Rows, merged_by_addition};
use crate::element::Element;
use crate::simd::slice::{Fold, Lanewise};
use crate::simd::{Kernel, Simd};

/// (x − μ)·s + β, of columns with μ, s and β.
#[derive(Clone, Copy)]
pub(crate) struct Affine;

impl<T: Element> ColumnMap<T, 1, 3> for Affine {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x]: [S::V; 1], [mean, scale, beta]: [S::V; 3]) -> S::V {
        simd.fma(simd.sub(x, mean), scale, beta)
    }
}

/// (x − μ)/σ, of columns with μ and σ.
#[derive(Clone, Copy)]
pub(crate) struct Standardize;

impl<T: Element> ColumnMap<T, 1, 2> for Standardize {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x]: [S::V; 1], [mean, deviation]: [S::V; 2]) -> S::V {
        simd.div(simd.sub(x, mean), deviation)
    }
}

/// Σ dy and Σ dy·(x − μ), of columns of x and dy with μ.
#[derive(Clone, Copy)]
pub(crate) struct BatchSums;

impl<T: Element> ColumnFold<T, 2, 1, 2> for BatchSums {
    #[inline(always)]
    fn step<S: Simd<T>>(
        self,
        simd: S,
        [sum, product]: [S::V; 2],
        [x, dy]: [S::V; 2],
        [mean]: [S::V; 1],
        _: usize,
    ) -> [S::V; 2] {
        [simd.add(sum, dy), simd.fma(dy, simd.sub(x, mean), product)]
    }
}

/// ((dy − p) − (x − μ)·q)·s, of columns of x and dy with μ, p, q and s.
#[derive(Clone, Copy)]
pub(crate) struct BatchGradient;

impl<T: Element> ColumnMap<T, 2, 4> for BatchGradient {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x, dy]: [S::V; 2], [mean, p, q, scale]: [S::V; 4]) -> S::V {
        let difference = simd.sub(mean, x);
        simd.mul(simd.fma(difference, q, simd.sub(dy, p)), scale)
    }
}

/// Layer norm of each row. Whoever makes one owes γ and β for the columns, and places for the moments of the rows.
pub(crate) struct LayerNorm<T, const SHORT: bool> {
    pub(crate) rows: Rows<T, SHORT>,
    pub(crate) gamma: *const T,
    pub(crate) beta: *const T,
    pub(crate) epsilon: T,
    pub(crate) mean: *mut T,
    pub(crate) variance: *mut T,
}

/// The same row, for every row.
fn repeated<T>(row: *const T) -> Lines<T> {
    Lines { ptr: row.cast_mut(), step: 0 }
}

/// 1/√(variance + ε).
#[inline(always)]
pub(crate) fn inverse_deviation<T: Element, S: Simd<T>>(simd: S, variance: S::V, epsilon: T) -> S::V {
    simd.div(simd.splat(T::ONE), simd.sqrt(simd.add(variance, simd.splat(epsilon))))
}

impl<T: Element, const SHORT: bool> Kernel<T> for LayerNorm<T, SHORT> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let (gamma, beta) = (repeated(self.gamma), repeated(self.beta));
        let n = simd.splat(T::from_f64(self.rows.cols as f64));
        for index in 0..self.rows.blocks() {
            let rows = self.rows.block(index);
            let (first, mask) = (index * self.rows.together(), simd.first(rows.count));
            let mut firsts = [T::ZERO; 16];
            for i in 0..rows.count {
                // SAFETY: whoever made the rows owes that they are readable, and asks for none without columns.
                firsts[i] = unsafe { *rows.x.at(i) };
            }
            let sums = rows.fold(simd, ([rows.x], []), T::ZERO, |i| ShiftedSum { shift: firsts[i] });
            // SAFETY: the array has 16 elements.
            let mean = simd.add(unsafe { simd.load(firsts.as_ptr()) }, simd.div(sums, n));
            let means = simd.lanes(mean);
            let squares = |i: usize| Deviations { shift: means[i] };
            let variance = simd.div(rows.fold(simd, ([rows.x], []), T::ZERO, squares), n);
            // SAFETY: whoever made the kernel owes an element a row.
            unsafe {
                simd.store_masked(mask, self.mean.add(first), mean);
                simd.store_masked(mask, self.variance.add(first), variance);
            }
            let inverse = simd.lanes(inverse_deviation(simd, variance, self.epsilon));
            for i in 0..rows.count {
                rows.apply(simd, i, ([rows.x, gamma, beta], [rows.y]), OfRow { mean: means[i], inverse: inverse[i] });
            }
        }
    }
}

/// (x − μ)/σ·γ + β, of x, γ and β.
#[derive(Clone, Copy)]
struct OfRow<T> {
    mean: T,
    inverse: T,
}

impl<T: Element> Lanewise<T, 3, 1> for OfRow<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x, gamma, beta]: [S::V; 3]) -> [S::V; 1] {
        let x = simd.mul(simd.sub(x, simd.splat(self.mean)), simd.splat(self.inverse));
        [simd.fma(x, gamma, beta)]
    }
}

/// The gradient of layer norm in x, with dy in place of w and dx in place of y: (g − Σg/n − (x − μ)/σ²·Σg·(x − μ)/n)/σ, g = dy·γ.
/// Whoever makes one owes γ for the columns, and the means and 1/σ of the rows.
pub(crate) struct LayerGradient<T, const SHORT: bool> {
    pub(crate) rows: Rows<T, SHORT>,
    pub(crate) gamma: *const T,
    pub(crate) mean: *const T,
    pub(crate) inverse: *const T,
}

impl<T: Element, const SHORT: bool> Kernel<T> for LayerGradient<T, SHORT> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let (gamma, n) = (repeated(self.gamma), simd.splat(T::from_f64(self.rows.cols as f64)));
        for index in 0..self.rows.blocks() {
            let rows = self.rows.block(index);
            let mut means = [T::ZERO; 16];
            let mut inverses = [T::ZERO; 16];
            for i in 0..rows.count {
                let row = index * self.rows.together() + i;
                // SAFETY: whoever made the kernel owes an element a row.
                (means[i], inverses[i]) = unsafe { (*self.mean.add(row), *self.inverse.add(row)) };
            }
            let sums = rows.fold(simd, ([rows.w, gamma], []), T::ZERO, |_| Dot);
            let products = |i: usize| Product { mean: means[i] };
            let products = rows.fold(simd, ([rows.x, rows.w, gamma], []), T::ZERO, products);
            // SAFETY: the array has 16 elements.
            let inverse = unsafe { simd.load(inverses.as_ptr()) };
            let p = simd.lanes(simd.div(sums, n));
            let q = simd.lanes(simd.mul(simd.mul(inverse, inverse), simd.div(products, n)));
            for i in 0..rows.count {
                let f = RowGradient { mean: means[i], p: p[i], q: q[i], inverse: inverses[i] };
                rows.apply(simd, i, ([rows.x, rows.w, gamma], [rows.y]), f);
            }
        }
    }
}

/// Σ (x − μ)·dy·γ.
#[derive(Clone, Copy)]
struct Product<T> {
    mean: T,
}

impl<T: Element> Fold<T, 3, 0> for Product<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x, dy, gamma]: [S::V; 3]) -> (S::V, [S::V; 0]) {
        (simd.fma(simd.sub(x, simd.splat(self.mean)), simd.mul(dy, gamma), acc), [])
    }
    merged_by_addition!();
}

/// ((dy·γ − p) − (x − μ)·q)/σ.
#[derive(Clone, Copy)]
struct RowGradient<T> {
    mean: T,
    p: T,
    q: T,
    inverse: T,
}

impl<T: Element> Lanewise<T, 3, 1> for RowGradient<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x, dy, gamma]: [S::V; 3]) -> [S::V; 1] {
        let difference = simd.sub(simd.splat(self.mean), x);
        let g = simd.sub(simd.mul(dy, gamma), simd.splat(self.p));
        [simd.mul(simd.fma(difference, simd.splat(self.q), g), simd.splat(self.inverse))]
    }
}

/// Σ dy and Σ dy·(x − μ)/σ of columns of x and dy, with μ and 1/σ of each row.
#[derive(Clone, Copy)]
pub(crate) struct LayerSums<T> {
    pub(crate) mean: Lines<T>,
    pub(crate) inverse: Lines<T>,
}

impl<T: Element> ColumnFold<T, 2, 0, 2> for LayerSums<T> {
    #[inline(always)]
    fn step<S: Simd<T>>(
        self,
        simd: S,
        [sum, product]: [S::V; 2],
        [x, dy]: [S::V; 2],
        []: [S::V; 0],
        row: usize,
    ) -> [S::V; 2] {
        // SAFETY: whoever made the value owes an element a row.
        let (mean, inverse) = unsafe { (*self.mean.at(row), *self.inverse.at(row)) };
        let x = simd.mul(simd.sub(x, simd.splat(mean)), simd.splat(inverse));
        [simd.add(sum, dy), simd.fma(dy, x, product)]
    }
}
