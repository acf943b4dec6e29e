//! Layer norm.

use super::statistics::{of_columns, scratch};
use super::{Affine, AffineGradient, Statistics};
use crate::columns;
use crate::element::Element;
use crate::elementwise::same_shape;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::norm::{LayerGradient, LayerNorm, LayerSums};
use crate::kernels::rows::{Lines, Rows};
use crate::matrix::{MatMut, MatRef};
use crate::parallel;
use crate::rows::with_rows;

/// Elements that take about 5 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 14;

impl Exec {
    /// Layer norm (Ba, Kiros and Hinton 2016, arXiv:1607.06450): y = γ ⊙ (x − μ)/√(σ² + ε) + β, with the statistics of each row,
    /// which [`Exec::layer_norm_grad`] takes then.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Length`] where shapes disagree, [`Error::TooShort`] for rows without elements,
    /// [`Error::OutOfRange`] for a negative ε.
    ///
    /// ```
    /// use roofline::{Affine, Exec, Mat, Statistics};
    /// let x = Mat::from_fn(2, 2, |i, j| (10 * i + 2 * j) as f32);
    /// let (mut y, mut statistics) = (Mat::zeros(2, 2), Statistics::new(2));
    /// let affine = Affine { gamma: &[1.0, 2.0], beta: &[0.0, 0.5], epsilon: 0.0 };
    /// Exec::default().layer_norm(x.as_ref(), affine, &mut statistics, y.as_mut())?;
    /// assert_eq!(y.as_slice(), [-1.0, 2.5, -1.0, 2.5]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn layer_norm<T: Element>(
        &self,
        x: MatRef<'_, T>,
        affine: Affine<'_, T>,
        statistics: &mut Statistics<T>,
        y: MatMut<'_, T>,
    ) -> Result<(), Error> {
        check(x, &affine, statistics, (y.rows(), y.cols()))?;
        with_rows(Some(x), None, Some(y), 0, |rows, _| {
            let (gamma, beta) = (one_row(affine.gamma), one_row(affine.beta));
            let (mean, variance) = (per_row(&mut statistics.mean), per_row(&mut statistics.variance));
            let epsilon = T::from_f64(affine.epsilon);
            self.split_rows(rows, |rows, first| {
                let (gamma, beta) = (gamma.at(0).cast_const(), beta.at(0).cast_const());
                let (mean, variance) = (mean.at(first), variance.at(first));
                match rows.short() {
                    Some(rows) => {
                        T::dispatch(self.token(), LayerNorm { rows, gamma, beta, epsilon, mean, variance });
                    }
                    None => T::dispatch(self.token(), LayerNorm { rows, gamma, beta, epsilon, mean, variance }),
                }
            });
        })
    }

    /// Gradients of [`Exec::layer_norm`], from its x and the statistics that it gave: with g = dy ⊙ γ,
    /// dx = (g − mean g − x̂ ⊙ mean (g ⊙ x̂))/√(σ² + ε) in each row; dβ = Σ dy and dγ = Σ dy ⊙ x̂ over the rows.
    ///
    /// # Errors
    /// As [`Exec::layer_norm`].
    pub fn layer_norm_grad<T: Element>(
        &self,
        (x, dy): (MatRef<'_, T>, MatRef<'_, T>),
        affine: Affine<'_, T>,
        statistics: &Statistics<T>,
        dx: MatMut<'_, T>,
        gradient: AffineGradient<'_, T>,
    ) -> Result<(), Error> {
        check(x, &affine, statistics, (dx.rows(), dx.cols()))?;
        same_shape("normalisation: dy", x, (dy.rows(), dy.cols()))?;
        gradient.check(x.cols())?;
        let (count, cols) = (x.rows(), x.cols());
        with_rows(Some(x), Some(dy), Some(dx), scratch(count, cols, 2, 0).saturating_add(count), |rows, space| {
            let (inverse, fold) = space.split_at_mut(count);
            for (inverse, &variance) in inverse.iter_mut().zip(&statistics.variance) {
                *inverse = T::from_f64(affine.inverse(variance));
            }
            let (gamma, inverse) = (one_row(affine.gamma), per_row(inverse));
            let mean = Lines { ptr: statistics.mean.as_ptr().cast_mut(), step: 1 };
            // First, since dx may take the place of a copy of x.
            debug_assert_eq!(fold.len(), columns::scratch(count, cols, 2));
            self.fold_columns(of_columns(rows, [rows.x, rows.w], []), LayerSums { mean, inverse }, fold);
            gradient.beta.copy_from_slice(&fold[..cols]);
            gradient.gamma.copy_from_slice(&fold[cols..2 * cols]);
            self.split_rows(rows, |rows, first| {
                let (mean, inverse) = (mean.at(first).cast_const(), inverse.at(first).cast_const());
                let gamma = gamma.at(0).cast_const();
                match rows.short() {
                    Some(rows) => T::dispatch(self.token(), LayerGradient { rows, gamma, mean, inverse }),
                    None => T::dispatch(self.token(), LayerGradient { rows, gamma, mean, inverse }),
                }
            });
        })
    }

    /// Runs `f` with the rows of each part, and the number of the first.
    fn split_rows<T: Element>(&self, rows: Rows<T>, f: impl Fn(Rows<T>, usize) + Sync) {
        let parts = self.parts(rows.count * rows.cols, QUANTUM);
        self.for_each(parts, |index| {
            let part = parallel::part(rows.count, 1, parts, index);
            f(rows.range(part.start, part.len()), part.start);
        });
    }
}

fn check<T: Element>(
    x: MatRef<'_, T>,
    affine: &Affine<'_, T>,
    statistics: &Statistics<T>,
    y: (usize, usize),
) -> Result<(), Error> {
    same_shape("normalisation: y", x, y)?;
    affine.check(x.cols())?;
    statistics.check("layer_norm: statistics (one a row)", x.rows())?;
    if x.cols() == 0 && x.rows() > 0 {
        return Err(Error::TooShort { what: "layer_norm: x", needed: 1, found: 0 });
    }
    Ok(())
}

/// One row that is only read.
fn one_row<T>(row: &[T]) -> Lines<T> {
    Lines { ptr: row.as_ptr().cast_mut(), step: 0 }
}

/// An element a row.
fn per_row<T>(values: &mut [T]) -> Lines<T> {
    Lines { ptr: values.as_mut_ptr(), step: 1 }
}
