//! One product with its operands, and what makes a result right.

use crate::grid::Shape;
use roofline::{Element, Mat, MatRef};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Someone who multiplies: C ← A·B.
pub trait Rival<T> {
    /// Name in tables.
    fn name(&self) -> &str;
    /// Writes every element of `c` and reads none.
    fn gemm(&self, problem: &Problem<T>, c: &mut Mat<T>);
}

/// A shape and its operands.
pub struct Problem<'a, T> {
    /// Sizes and storage.
    pub shape: &'a Shape,
    /// m×k.
    pub a: Operand<T>,
    /// k×n.
    pub b: Operand<T>,
}

/// A row-major matrix that is multiplied as it is, or transposed.
pub struct Operand<T> {
    /// What is stored.
    mat: Mat<T>,
    /// Whether the product is with its transpose.
    transposed: bool,
}

/// Rounding errors that a sum of k products in [−1, 1) may differ by, in u·k: two results, each within γ(k+2)·Σ|a||b| of
/// the exact one, with Σ|a||b| ≈ k/4, stay well within it.
const TOLERANCE: f64 = 4.0;

/// Elements of C that are compared with an f64 sum; more would take longer than the measurement.
const SAMPLES: usize = 4096;

impl<T: Element> Operand<T> {
    /// rows×cols reproducible values in [−1, 1).
    fn new(rows: usize, cols: usize, transposed: bool, seed: u64) -> Self {
        let (rows, cols) = if transposed { (cols, rows) } else { (rows, cols) };
        let mut state = seed;
        // Knuth's MMIX generator; the upper bits are the good ones.
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            T::from_f64((state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0)
        };
        Self { mat: Mat::from_fn(rows, cols, |_, _| next()), transposed }
    }

    /// As it is multiplied.
    pub fn view(&self) -> MatRef<'_, T> {
        if self.transposed { self.mat.as_ref().t() } else { self.mat.as_ref() }
    }

    /// As it is stored.
    pub fn stored(&self) -> &Mat<T> {
        &self.mat
    }

    /// Whether the product is with the transpose of what is stored.
    pub fn is_transposed(&self) -> bool {
        self.transposed
    }

    /// First element.
    pub fn ptr(&self) -> *const T {
        self.mat.as_slice().as_ptr()
    }

    /// Row and column stride, as it is multiplied.
    pub fn strides(&self) -> [isize; 2] {
        let view = self.view();
        [view.row_stride(), view.col_stride()]
    }

    /// Element (i, j), as it is multiplied, in f64.
    fn at(&self, i: usize, j: usize) -> f64 {
        let (i, j) = if self.transposed { (j, i) } else { (i, j) };
        self.mat.as_slice()[i * self.mat.cols() + j].to_f64()
    }
}

impl<'a, T: Element> Problem<'a, T> {
    /// Operands for a shape.
    pub fn new(shape: &'a Shape) -> Self {
        let a = Operand::new(shape.m, shape.k, shape.ta, 1);
        let b = Operand::new(shape.k, shape.n, shape.tb, 2);
        Self { shape, a, b }
    }

    /// The product by one contestant, into a C of NaN: an element that it does not write, or that it reads, is found.
    ///
    /// # Errors
    /// Its panic.
    pub fn solve(&self, rival: &dyn Rival<T>) -> Result<Mat<T>, String> {
        let mut c = Mat::from_fn(self.shape.m, self.shape.n, |_, _| T::from_f64(f64::NAN));
        match catch_unwind(AssertUnwindSafe(|| rival.gemm(self, &mut c))) {
            Ok(()) => Ok(c),
            Err(_) => Err("panicked".into()),
        }
    }

    /// Compares with sums in f64: all elements of a small C, a sample spread over a large one.
    ///
    /// # Errors
    /// The first element that is wrong.
    pub fn check(&self, c: &Mat<T>) -> Result<(), String> {
        let count = self.shape.m * self.shape.n;
        // An odd stride visits all columns even where their number is a power of two.
        let stride = (count / SAMPLES) | 1;
        for index in (0..count).step_by(stride) {
            let (i, j) = (index / self.shape.n, index % self.shape.n);
            let exact = (0..self.shape.k).map(|p| self.a.at(i, p) * self.b.at(p, j)).sum();
            self.compare(index, c.as_slice()[index].to_f64(), exact)?;
        }
        Ok(())
    }

    /// Compares every element with a result that was checked.
    ///
    /// # Errors
    /// The first element that is wrong.
    pub fn check_against(&self, c: &Mat<T>, checked: &Mat<T>) -> Result<(), String> {
        let pairs = c.as_slice().iter().zip(checked.as_slice());
        pairs.enumerate().try_for_each(|(index, (x, y))| self.compare(index, x.to_f64(), y.to_f64()))
    }

    /// One element against another.
    fn compare(&self, index: usize, found: f64, expected: f64) -> Result<(), String> {
        let tolerance = TOLERANCE * T::UNIT_ROUNDOFF * self.shape.k as f64;
        // NaN is within nothing.
        if (found - expected).abs() <= tolerance {
            return Ok(());
        }
        let (i, j) = (index / self.shape.n, index % self.shape.n);
        Err(format!("element ({i}, {j}) is {found:e}, not {expected:e} ± {tolerance:.1e}"))
    }
}
