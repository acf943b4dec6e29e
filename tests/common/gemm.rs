//! One GEMM call with its oracle: C ← g(α·A·B + β·C + bias), in twice the precision of `f64`.

use super::strided::{Layout, Strided};
use super::{Float, Rng, assert_same_bits};
use core::fmt::{self, Debug};
use roofline::{Activation, Epilogue, Exec};

/// Greatest error of the activations, in ULP of the result, as their documentation states it.
pub const MAX_SIGMOID_ULP: f64 = 3.0;
pub const MAX_TANH_ULP: f64 = 4.0;
/// What `std` may add to that in the oracle for `f64`.
const STD_ULP: f64 = 2.0;

/// The operands of one call.
#[derive(Clone)]
pub struct Case<T> {
    pub alpha: T,
    pub a: Strided<T>,
    pub b: Strided<T>,
    pub beta: T,
    pub c: Strided<T>,
    pub bias: Option<Vec<T>>,
    pub activation: Activation,
}

/// What an element of the result must be: `high + low`, give or take `bound`.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub high: f64,
    pub low: f64,
    pub bound: f64,
}

impl<T: Float> Case<T> {
    /// C ← A·B on random operands; C is full of canaries, for β = 0 must not read it.
    pub fn new((m, n, k): (usize, usize, usize), [a, b, c]: [Layout; 3], rng: &mut Rng) -> Self {
        Self {
            alpha: T::ONE,
            a: Strided::new(a, m, k, |_, _| rng.value()),
            b: Strided::new(b, k, n, |_, _| rng.value()),
            beta: T::ZERO,
            c: Strided::new(c, m, n, |_, _| T::CANARY),
            bias: None,
            activation: Activation::Identity,
        }
    }

    /// With these factors, and a random C unless `beta` is 0.
    #[must_use]
    pub fn scaled(mut self, alpha: f64, beta: f64, rng: &mut Rng) -> Self {
        (self.alpha, self.beta) = (T::from_f64(alpha), T::from_f64(beta));
        if beta != 0.0 {
            let strides = (self.c.row_stride, self.c.col_stride);
            self.c = Strided::with_strides(strides, 0, self.c.rows, self.c.cols, |_, _| rng.value());
        }
        self
    }

    /// With a random bias and an activation.
    #[must_use]
    pub fn finished(self, activation: Activation, rng: &mut Rng) -> Self {
        Self { bias: Some(rng.values(self.c.cols)), activation, ..self }
    }

    /// C after the call.
    pub fn run(&self, exec: Exec) -> Strided<T> {
        let mut c = self.c.clone();
        let epilogue = Epilogue { bias: self.bias.as_deref(), activation: self.activation, gradient: None };
        exec.gemm_with(self.alpha, self.a.view(), self.b.view(), self.beta, c.view_mut(), epilogue)
            .unwrap_or_else(|error| panic!("{self:?} on {exec:?}: {error}"));
        c
    }

    /// As [`Case::run`] by `gemm_raw`, which has no epilogue.
    pub fn run_raw(&self, exec: Exec) -> Strided<T> {
        let (mut a, mut b, mut c) = (self.a.clone(), self.b.clone(), self.c.clone());
        let (m, n, k) = (c.rows, c.cols, a.cols);
        let (rsa, csa, rsb, csb) = (a.row_stride, a.col_stride, b.row_stride, b.col_stride);
        let (rsc, csc, pa, pb, pc) = (c.row_stride, c.col_stride, a.origin_mut(), b.origin_mut(), c.origin_mut());
        // SAFETY: pointers, shapes and strides describe three matrices that exist.
        unsafe { exec.gemm_raw(m, n, k, self.alpha, pa, rsa, csa, pb, rsb, csb, self.beta, pc, rsc, csc).unwrap() };
        c
    }

    /// What element (i, j) must become. The bound is |Ĉ − C| ≤ γ(k+2)·(|α||A||B| + |β||C|), γ(n) = n·u/(1 − n·u), with one
    /// rounding more for a bias.
    pub fn expected(&self, i: usize, j: usize) -> Expected {
        let (mut dot, mut sum) = (Sum::default(), Sum::default());
        if self.alpha != T::ZERO {
            for p in 0..self.a.cols {
                dot.add_product(self.a.get(i, p).to_f64(), self.b.get(p, j).to_f64());
            }
            if self.a.cols > 0 {
                sum.add_scaled(self.alpha.to_f64(), dot);
            }
        }
        if self.beta != T::ZERO {
            sum.add_product(self.beta.to_f64(), self.c.get(i, j).to_f64());
        }
        if let Some(bias) = &self.bias {
            sum.add_product(1.0, bias[j].to_f64());
        }
        let roundings = (self.a.cols + if self.bias.is_some() { 3 } else { 2 }) as f64 * T::UNIT_ROUNDOFF;
        let bound = roundings / (1.0 - roundings) * sum.magnitude;
        if sum.naive.is_finite() {
            self.activated(Expected { high: sum.high, low: sum.low, bound })
        } else {
            self.activated(Expected { high: sum.naive, low: 0.0, bound: 0.0 })
        }
    }

    /// g of a value that is known up to a bound: the bound grows by the slope of g, and by the error of g itself.
    fn activated(&self, x: Expected) -> Expected {
        let z = x.high + x.low;
        let curve = |y: f64, slope: f64, ulp: f64| {
            let error = (ulp + STD_ULP) * 2.0 * T::UNIT_ROUNDOFF * y.abs();
            Expected { high: y, low: 0.0, bound: slope * x.bound + error }
        };
        match self.activation {
            Activation::Relu if z <= 0.0 => Expected { high: 0.0, low: 0.0, ..x },
            Activation::Sigmoid => curve(1.0 / (1.0 + (-z).exp()), 0.25, MAX_SIGMOID_ULP),
            Activation::Tanh => curve(z.tanh(), 1.0, MAX_TANH_ULP),
            Activation::Identity | Activation::Relu => x,
            other => unreachable!("no oracle for {other}"),
        }
    }

    /// Fails unless every element of `result` is as expected and nothing else was written.
    pub fn check(&self, exec: Exec, result: &Strided<T>) {
        for i in 0..result.rows {
            for j in 0..result.cols {
                self.check_element(exec, result, (i, j), self.expected(i, j));
            }
        }
        assert!(result.gaps_untouched(), "{self:?} on {exec:?} wrote between the elements of C");
    }

    /// Fails unless element (i, j) of `result` is as expected.
    pub fn check_element(&self, exec: Exec, result: &Strided<T>, (i, j): (usize, usize), expected: Expected) {
        let found = result.get(i, j).to_f64();
        let Expected { high, low, bound } = expected;
        let agrees = if high.is_finite() {
            (found - high - low).abs() <= bound
        } else {
            found == high || found.is_nan() && high.is_nan()
        };
        assert!(agrees, "{self:?} on {exec:?}, element ({i}, {j}): found {found:e}, expected {high:e} ± {bound:e}");
    }

    /// Runs the case on `execs`, checks each result, and that their bits are the same where that is promised.
    pub fn verify(&self, execs: &[Exec]) {
        let (m, n) = (self.c.rows, self.c.cols);
        let expected: Vec<_> = (0..m * n).map(|at| self.expected(at / n, at % n)).collect();
        self.verify_elements(execs, (0..m * n).map(|at| (at / n, at % n, expected[at])));
    }

    /// As [`Case::verify`], for a product that is too large to check more than `count` elements.
    pub fn verify_sample(&self, execs: &[Exec], count: usize, rng: &mut Rng) {
        let (m, n) = (self.c.rows, self.c.cols);
        let places = (0..count).map(|_| (rng.below(m), rng.below(n)));
        let expected: Vec<_> = places.map(|(i, j)| (i, j, self.expected(i, j))).collect();
        self.verify_elements(execs, expected.into_iter());
    }

    fn verify_elements(&self, execs: &[Exec], expected: impl Iterator<Item = (usize, usize, Expected)> + Clone) {
        let mut results = Vec::new();
        for &exec in execs {
            let result = self.run(exec);
            expected.clone().for_each(|(i, j, expected)| self.check_element(exec, &result, (i, j), expected));
            assert!(result.gaps_untouched(), "{self:?} on {exec:?} wrote between the elements of C");
            results.push((exec, result.to_vec()));
        }
        assert_same_bits(&format!("{self:?}"), &results);
    }
}

impl<T: Float> Debug for Case<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alpha, a, b, beta, c, bias, activation } = self;
        let bias = if bias.is_some() { " + bias" } else { "" };
        write!(f, "{activation:?}({alpha}·{:?}·{:?} + {beta}·{:?}{bias})", a.view(), b.view(), c.view())
    }
}

/// Σ of products, exact up to an error of order u² (Ogita, Rump and Oishi 2005, algorithm Dot2).
#[derive(Clone, Copy, Default)]
struct Sum {
    high: f64,
    low: f64,
    /// Σ of magnitudes.
    magnitude: f64,
    /// The sum without compensation, which would make NaN of infinity.
    naive: f64,
}

impl Sum {
    fn add_product(&mut self, x: f64, y: f64) {
        let product = x * y;
        let product_error = x.mul_add(y, -product);
        let sum = self.high + product;
        let part = sum - self.high;
        let sum_error = (self.high - (sum - part)) + (product - part);
        self.high = sum;
        self.low += product_error + sum_error;
        self.magnitude += product.abs();
        self.naive += product;
    }

    fn add_scaled(&mut self, factor: f64, other: Sum) {
        let (magnitude, naive) = (self.magnitude, self.naive);
        self.add_product(factor, other.high);
        self.add_product(factor, other.low);
        self.magnitude = magnitude + factor.abs() * other.magnitude;
        self.naive = naive + factor * other.naive;
    }
}
