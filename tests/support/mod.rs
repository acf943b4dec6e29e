//! What the test files share: every way to run a call, deterministic values, the GEMM oracle.

#![allow(dead_code, reason = "each test file uses a part of it")]

use roofline::{Element, Exec, Isa, MatMut, MatRef};

/// Every instruction set of this machine on one thread.
pub fn sequential() -> Vec<Exec> {
    Isa::available().map(|isa| Exec::sequential().with_isa(isa).expect("it is available")).collect()
}

/// Instruction sets that promise the same bits: those with FMA.
pub fn same_bits() -> Vec<Exec> {
    let has_fma = |exec: &Exec| exec.isa() != Isa::Portable || cfg!(target_arch = "aarch64");
    sequential().into_iter().filter(has_fma).collect()
}

/// Numbers of threads that results must not depend on.
pub const THREADS: [usize; 4] = [1, 2, 3, 7];

/// Deterministic values in [−1, 1).
pub struct Values(u64);

impl Values {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15))
    }

    /// One of 0..n.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    pub fn next<T: Element>(&mut self) -> T {
        T::from_f64(self.below(1 << 30) as f64 / f64::from(1 << 29) - 1.0)
    }

    pub fn vec<T: Element>(&mut self, len: usize) -> Vec<T> {
        (0..len).map(|_| self.next()).collect()
    }
}

/// γ(n) = n·u/(1 − n·u) (Higham 2002, lemma 3.1).
pub fn gamma<T: Element>(n: usize) -> f64 {
    let nu = n as f64 * T::UNIT_ROUNDOFF;
    nu / (1.0 - nu)
}

/// Σ a·b with twice the digits of f64 (Ogita, Rump and Oishi 2005, Dot2), and Σ |a·b|.
pub fn dot(pairs: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (mut sum, mut rest, mut magnitude) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (a, b) in pairs {
        let product = a * b;
        let product_error = a.mul_add(b, -product);
        let next = sum + product;
        let virtual_part = next - sum;
        rest += (sum - (next - virtual_part)) + (product - virtual_part) + product_error;
        sum = next;
        magnitude += product.abs();
    }
    (sum + rest, magnitude)
}

/// A product to be checked: C ← alpha·A·B + beta·C + bias.
pub struct Product<'a, T> {
    pub alpha: T,
    pub a: MatRef<'a, T>,
    pub b: MatRef<'a, T>,
    pub beta: T,
    pub before: MatRef<'a, T>,
    pub bias: Option<&'a [T]>,
}

impl<T: Element> Product<'_, T> {
    /// Every element within γ(k+2)·(|α||A||B| + |β||C|), one rounding more with a bias.
    pub fn assert(&self, c: MatRef<'_, T>, what: &str) {
        let (alpha, beta, k) = (self.alpha.to_f64(), self.beta.to_f64(), self.a.cols());
        for i in 0..c.rows() {
            for j in 0..c.cols() {
                let row = (0..k).map(|p| (get(self.a, i, p), get(self.b, p, j)));
                let (sum, magnitude) = dot(row);
                let (mut expected, mut bound) = (alpha * sum, alpha.abs() * magnitude);
                if beta != 0.0 {
                    expected += beta * get(self.before, i, j);
                    bound += (beta * get(self.before, i, j)).abs();
                }
                if let Some(bias) = self.bias {
                    expected += bias[j].to_f64();
                    bound += bias[j].to_f64().abs();
                }
                let extra = usize::from(self.bias.is_some());
                // The oracle itself rounds its last few steps in f64.
                let bound = (gamma::<T>(k + 2 + extra) + 4.0 * f64::EPSILON) * bound;
                let found = get(c, i, j);
                assert!((found - expected).abs() <= bound, "{what}: C({i}, {j}) = {found}, not {expected} ± {bound:e}");
            }
        }
    }
}

pub fn get<T: Element>(mat: MatRef<'_, T>, i: usize, j: usize) -> f64 {
    mat.get(i, j).expect("inside the matrix").to_f64()
}

/// How a matrix lies in memory.
#[derive(Clone, Copy, Debug)]
pub struct Strides {
    pub row: isize,
    pub col: isize,
    pub len: usize,
}

impl Strides {
    /// Row-major or column-major with `gap` elements between lines, `step` elements from one to the next, and the signs of
    /// the strides.
    pub fn new(
        (rows, cols): (usize, usize),
        transposed: bool,
        gap: usize,
        step: usize,
        negative: (bool, bool),
    ) -> Self {
        let (lines, line) = if transposed { (cols, rows) } else { (rows, cols) };
        let leading = line * step + gap;
        let (row, col) = if transposed { (step, leading) } else { (leading, step) };
        let sign = |stride: usize, negative: bool| if negative { -(stride as isize) } else { stride as isize };
        Self { row: sign(row, negative.0), col: sign(col, negative.1), len: lines * leading }
    }

    pub fn view<'a, T: Element>(&self, data: &'a [T], rows: usize, cols: usize) -> MatRef<'a, T> {
        MatRef::from_slice_with_strides(data, rows, cols, self.row, self.col).expect("the strides fit")
    }

    pub fn view_mut<'a, T: Element>(&self, data: &'a mut [T], rows: usize, cols: usize) -> MatMut<'a, T> {
        MatMut::from_slice_with_strides(data, rows, cols, self.row, self.col).expect("the strides fit")
    }
}
