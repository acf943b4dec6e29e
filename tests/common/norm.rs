//! Batch norm and layer norm with their oracle.

use super::{Float, Rng, exact_sum};
use roofline::{Affine, AffineGradient, Exec, Mat, MatMut, MatRef, Statistics};

/// ε of most tests: PyTorch's.
pub const EPSILON: f64 = 1e-5;

/// Rounding errors are below this many units roundoff of the terms of a result.
const MAX_ROUNDOFFS: f64 = 12.0;

/// Batch norm normalises columns, layer norm rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Norm {
    Batch,
    Layer,
}

/// Everything that a normalisation takes, and makes of it.
pub struct Case<T> {
    pub norm: Norm,
    pub x: Mat<T>,
    pub dy: Mat<T>,
    pub gamma: Vec<T>,
    pub beta: Vec<T>,
}

pub struct Results<T> {
    pub statistics: Statistics<T>,
    pub y: Vec<T>,
    pub dx: Vec<T>,
    pub dgamma: Vec<T>,
    pub dbeta: Vec<T>,
}

impl<T: Float> Case<T> {
    /// Values around `centre`.
    pub fn new(norm: Norm, (m, n): (usize, usize), centre: f64, rng: &mut Rng) -> Self {
        let x = Mat::from_fn(m, n, |_, _| T::from_f64(centre + rng.value::<f64>()));
        let dy = Mat::from_fn(m, n, |_, _| rng.value());
        Self { norm, x, dy, gamma: rng.values(n), beta: rng.values(n) }
    }

    pub fn affine(&self) -> Affine<'_, T> {
        Affine { gamma: &self.gamma, beta: &self.beta, epsilon: EPSILON }
    }

    /// Forward and backward.
    pub fn run(&self, exec: &Exec) -> Results<T> {
        let (m, n) = (self.x.rows(), self.x.cols());
        let (mut y, mut dx) = (Mat::zeros(m, n), Mat::zeros(m, n));
        let mut results = self.run_on(exec, (self.x.as_ref(), self.dy.as_ref()), y.as_mut(), dx.as_mut());
        (results.y, results.dx) = (y.as_slice().to_vec(), dx.as_slice().to_vec());
        results
    }

    /// The same with matrices of other strides, which hold y and dx then.
    pub fn run_on(
        &self,
        exec: &Exec,
        (x, dy): (MatRef<'_, T>, MatRef<'_, T>),
        y: MatMut<'_, T>,
        dx: MatMut<'_, T>,
    ) -> Results<T> {
        let (m, n) = (x.rows(), x.cols());
        let (mut dgamma, mut dbeta) = (vec![T::CANARY; n], vec![T::CANARY; n]);
        let gradient = AffineGradient { gamma: &mut dgamma, beta: &mut dbeta };
        let mut statistics = Statistics::new(if self.norm == Norm::Batch { n } else { m });
        match self.norm {
            Norm::Batch => {
                exec.batch_norm(x, self.affine(), &mut statistics, y).unwrap();
                exec.batch_norm_grad((x, dy), self.affine(), &statistics, dx, gradient).unwrap();
            }
            Norm::Layer => {
                exec.layer_norm(x, self.affine(), &mut statistics, y).unwrap();
                exec.layer_norm_grad((x, dy), self.affine(), &statistics, dx, gradient).unwrap();
            }
        }
        Results { statistics, y: Vec::new(), dx: Vec::new(), dgamma, dbeta }
    }

    /// The indices of each set of elements that is normalised together.
    fn groups(&self) -> Vec<Vec<usize>> {
        let (m, n) = (self.x.rows(), self.x.cols());
        match self.norm {
            Norm::Batch => (0..n).map(|j| (0..m).map(|i| i * n + j).collect()).collect(),
            Norm::Layer => (0..m).map(|i| (0..n).map(|j| i * n + j).collect()).collect(),
        }
    }

    /// Compares with the definitions in f64, within the roundoff of their terms.
    #[track_caller]
    pub fn check(&self, exec: &Exec, found: &Results<T>) {
        let n = self.x.cols();
        let wide = |x: &[T]| x.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
        let (x, dy) = (wide(self.x.as_slice()), wide(self.dy.as_slice()));
        let (gamma, beta) = (wide(&self.gamma), wide(&self.beta));
        let roundoff = MAX_ROUNDOFFS * T::UNIT_ROUNDOFF;
        let near = |what: &str, at: usize, found: T, exact: f64, terms: f64| {
            let (error, bound) = ((found.to_f64() - exact).abs(), roundoff * terms);
            assert!(
                error <= bound,
                "{exec:?} {:?} {}x{n}: {what} {at} is {found}, not {exact}: {error:e} > {bound:e}",
                self.norm,
                self.x.rows()
            );
        };
        let mut sums = vec![[Vec::new(), Vec::new()]; n];
        let mut sizes = vec![0.0; n];
        for (group, indices) in self.groups().into_iter().enumerate() {
            let count = indices.len() as f64;
            let over = |f: &dyn Fn(usize) -> f64| exact_sum(&indices.iter().map(|&i| f(i)).collect::<Vec<_>>());
            let mean = over(&|i| x[i]) / count;
            let variance = over(&|i| (x[i] - mean).powi(2)) / count;
            let inverse = 1.0 / (variance + EPSILON).sqrt();
            let normal = |i: usize| (x[i] - mean) * inverse;
            // An error of the mean by a rounding moves all of them by this.
            let largest = indices.iter().map(|&i| x[i].abs()).fold(0.0, f64::max);
            let spread = largest * inverse + 1.0;
            near("mean", group, found.statistics.mean[group], mean, largest);
            let rounding = T::UNIT_ROUNDOFF * largest;
            near("variance", group, found.statistics.variance[group], variance, variance + 9.0 * rounding * largest);
            let g = |i: usize| dy[i] * gamma[i % n];
            let (p, q) = (over(&g) / count, over(&|i| g(i) * normal(i)) / count);
            let (abs_p, abs_q) = (over(&|i| g(i).abs()) / count, over(&|i| g(i).abs() * spread) / count);
            for &i in &indices {
                let j = i % n;
                let y = gamma[j] * normal(i) + beta[j];
                near("y", i, found.y[i], y, gamma[j].abs() * spread + beta[j].abs());
                let dx = inverse * (g(i) - p - normal(i) * q);
                near("dx", i, found.dx[i], dx, inverse * (g(i).abs() + abs_p + 2.0 * spread * abs_q));
                sums[j][0].push(dy[i]);
                sums[j][1].push(dy[i] * normal(i));
                sizes[j] += dy[i].abs() * spread;
            }
        }
        for j in 0..n {
            near("dbeta", j, found.dbeta[j], exact_sum(&sums[j][0]), sizes[j]);
            near("dgamma", j, found.dgamma[j], exact_sum(&sums[j][1]), sizes[j]);
        }
    }
}
