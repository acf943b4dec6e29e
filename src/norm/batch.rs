//! Batch norm.

use super::statistics::{of_columns, scratch};
use super::{Affine, AffineGradient, Statistics};
use crate::columns;
use crate::element::Element;
use crate::elementwise::same_shape;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::norm::{Affine as AffineMap, BatchGradient, BatchSums};
use crate::kernels::rows::Rows;
use crate::matrix::{MatMut, MatRef};
use crate::rows::with_rows;

impl Exec {
    /// Batch norm in training (Ioffe and Szegedy 2015, arXiv:1502.03167): y = γ ⊙ (x − μ)/√(σ² + ε) + β, with the statistics of the
    /// columns of x, which [`Exec::batch_norm_grad`] and [`RunningStatistics::update`](crate::RunningStatistics::update) take then. Of
    /// a single row y is β.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Length`] where shapes disagree, [`Error::TooShort`] for no rows, [`Error::OutOfRange`] for a
    /// negative ε.
    pub fn batch_norm<T: Element>(
        &self,
        x: MatRef<'_, T>,
        affine: Affine<'_, T>,
        statistics: &mut Statistics<T>,
        y: MatMut<'_, T>,
    ) -> Result<(), Error> {
        self.check_batch(x, &affine, statistics, (y.rows(), y.cols()))?;
        if x.rows() == 0 {
            return Err(Error::TooShort { what: "batch_norm: x", needed: 1, found: 0 });
        }
        with_rows(Some(x), None, Some(y), scratch(x.rows(), x.cols(), 1, 1), |rows, space| {
            let (fold, scale) = space.split_at_mut(columns::scratch(rows.count, rows.cols, 1));
            self.column_moments(rows, fold, &mut statistics.mean, &mut statistics.variance);
            self.apply_affine(rows, affine, statistics, scale);
        })
    }

    /// Batch norm after training, with the statistics of [`RunningStatistics`](crate::RunningStatistics): rows do not depend on each
    /// other.
    ///
    /// # Errors
    /// As [`Exec::batch_norm`]; no rows are none.
    pub fn batch_norm_inference<T: Element>(
        &self,
        x: MatRef<'_, T>,
        affine: Affine<'_, T>,
        statistics: &Statistics<T>,
        y: MatMut<'_, T>,
    ) -> Result<(), Error> {
        self.check_batch(x, &affine, statistics, (y.rows(), y.cols()))?;
        with_rows(Some(x), None, Some(y), x.cols(), |rows, scale| self.apply_affine(rows, affine, statistics, scale))
    }

    /// Gradients of [`Exec::batch_norm`], from its x and the statistics that it gave: dβ = Σ dy, dγ = Σ dy ⊙ x̂ and
    /// dx = γ/√(σ² + ε) ⊙ (dy − dβ/m − x̂ ⊙ dγ/m), over the m rows.
    ///
    /// # Errors
    /// As [`Exec::batch_norm`].
    ///
    /// ```
    /// use roofline::{Affine, AffineGradient, Exec, Mat, Statistics};
    /// let (exec, x) = (Exec::default(), Mat::from_fn(3, 1, |i, _| [1.0, 3.0, 8.0][i]));
    /// let (mut y, mut statistics) = (Mat::zeros(3, 1), Statistics::new(1));
    /// let affine = Affine { gamma: &[2.0], beta: &[0.0], epsilon: 1e-5 };
    /// exec.batch_norm(x.as_ref(), affine, &mut statistics, y.as_mut())?;
    /// // Moving all of x changes nothing: the gradient sums to 0.
    /// let dy = Mat::from_fn(3, 1, |i, _| [1.0, 0.0, 0.5][i]);
    /// let (mut dx, mut dgamma, mut dbeta) = (Mat::zeros(3, 1), [0.0], [0.0]);
    /// let gradient = AffineGradient { gamma: &mut dgamma, beta: &mut dbeta };
    /// exec.batch_norm_grad((x.as_ref(), dy.as_ref()), affine, &statistics, dx.as_mut(), gradient)?;
    /// assert!(dx.as_slice().iter().sum::<f64>().abs() < 1e-15);
    /// assert_eq!(dbeta, [1.5]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn batch_norm_grad<T: Element>(
        &self,
        (x, dy): (MatRef<'_, T>, MatRef<'_, T>),
        affine: Affine<'_, T>,
        statistics: &Statistics<T>,
        dx: MatMut<'_, T>,
        gradient: AffineGradient<'_, T>,
    ) -> Result<(), Error> {
        self.check_batch(x, &affine, statistics, (dx.rows(), dx.cols()))?;
        same_shape("normalisation: dy", x, (dy.rows(), dy.cols()))?;
        gradient.check(x.cols())?;
        let (m, cols) = (x.rows(), x.cols());
        with_rows(Some(x), Some(dy), Some(dx), scratch(m, cols, 2, 3), |rows, space| {
            let (fold, arrays) = space.split_at_mut(columns::scratch(m, cols, 2));
            let mean = statistics.mean.as_ptr();
            self.fold_columns(of_columns(rows, [rows.x, rows.w], [mean]), BatchSums, fold);
            let (p, rest) = arrays.split_at_mut(cols);
            let (q, scale) = rest.split_at_mut(cols);
            for j in 0..cols {
                let (sum, product, inverse) =
                    (fold[j].to_f64(), fold[cols + j].to_f64(), affine.inverse(statistics.variance[j]));
                (gradient.beta[j], gradient.gamma[j]) = (fold[j], T::from_f64(product * inverse));
                p[j] = T::from_f64(sum / m as f64);
                q[j] = T::from_f64(product * inverse * inverse / m as f64);
                scale[j] = T::from_f64(affine.gamma[j].to_f64() * inverse);
            }
            let params = [mean, p.as_ptr(), q.as_ptr(), scale.as_ptr()];
            self.map_columns(of_columns(rows, [rows.x, rows.w], params), BatchGradient, rows.y);
        })
    }

    /// y = (x − μ)·γ/√(σ² + ε) + β, with memory for a number a column.
    fn apply_affine<T: Element>(
        &self,
        rows: Rows<T>,
        affine: Affine<'_, T>,
        statistics: &Statistics<T>,
        scale: &mut [T],
    ) {
        for (j, scale) in scale.iter_mut().enumerate() {
            *scale = T::from_f64(affine.gamma[j].to_f64() * affine.inverse(statistics.variance[j]));
        }
        let params = [statistics.mean.as_ptr(), scale.as_ptr(), affine.beta.as_ptr()];
        self.map_columns(of_columns(rows, [rows.x], params), AffineMap, rows.y);
    }

    fn check_batch<T: Element>(
        &self,
        x: MatRef<'_, T>,
        affine: &Affine<'_, T>,
        statistics: &Statistics<T>,
        y: (usize, usize),
    ) -> Result<(), Error> {
        same_shape("normalisation: y", x, y)?;
        affine.check(x.cols())?;
        statistics.check("batch_norm: statistics (one a column)", x.cols())
    }
}
