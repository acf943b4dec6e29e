//! Means and variances: of a data set, of a batch, and running.

use crate::columns::{self, Columns};
use crate::element::Element;
use crate::elementwise::{same_length, same_shape};
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::norm::Standardize;
use crate::kernels::rows::{Lines, Rows};
use crate::matrix::{MatMut, MatRef};
use crate::optim::power;
use crate::rows::with_rows;

/// Means μ and variances σ² = Σ (x − μ)²/n of each column of a matrix, or of each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics<T> {
    /// μ.
    pub mean: Vec<T>,
    /// σ², of n, not n − 1.
    pub variance: Vec<T>,
}

impl<T: Element> Statistics<T> {
    /// Of so many columns or rows: means 0 and variances 1.
    ///
    /// ```
    /// assert_eq!(roofline::Statistics::<f32>::new(2).variance, [1.0, 1.0]);
    /// ```
    pub fn new(len: usize) -> Self {
        Self { mean: vec![T::ZERO; len], variance: vec![T::ONE; len] }
    }

    pub(super) fn check(&self, what: &'static str, len: usize) -> Result<(), Error> {
        same_length(what, len, self.mean.len())?;
        same_length(what, len, self.variance.len())
    }
}

/// Statistics of the batches of training, for use after it: exponentially weighted averages with bias correction,
/// v ← βv + (1 − β)θ and v/(1 − βᵗ) after t batches. θ is the mean of a batch, and its variance of n − 1 (Ioffe and Szegedy 2015,
/// arXiv:1502.03167, algorithm 2): what estimates that of the whole set.
///
/// ```
/// use roofline::{RunningStatistics, Statistics};
/// let mut running = RunningStatistics::<f64>::new(1, 0.9)?;
/// running.update(&Statistics { mean: vec![3.0], variance: vec![1.0] }, 2)?;
/// let statistics = running.statistics()?;
/// assert!((statistics.mean[0] - 3.0).abs() < 1e-15 && (statistics.variance[0] - 2.0).abs() < 1e-15);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RunningStatistics<T> {
    /// v of the means, before the correction.
    pub mean: Vec<T>,
    /// v of the variances, before the correction.
    pub variance: Vec<T>,
    /// β: about the last 1/(1 − β) batches count. PyTorch's `momentum` is 1 − β.
    pub beta: f64,
    /// t, the batches so far.
    pub steps: u64,
}

impl<T: Element> RunningStatistics<T> {
    /// For so many columns, of no batch yet.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless 0 ≤ `beta` < 1.
    pub fn new(len: usize, beta: f64) -> Result<Self, Error> {
        let running = Self { mean: vec![T::ZERO; len], variance: vec![T::ZERO; len], beta, steps: 0 };
        running.check()?;
        Ok(running)
    }

    /// Takes in the statistics of a batch of `n` rows.
    ///
    /// # Errors
    /// [`Error::Length`] where the columns are not as many; [`Error::TooShort`] for a batch of one row, which has no variance;
    /// [`Error::OutOfRange`] unless 0 ≤ `beta` < 1.
    pub fn update(&mut self, batch: &Statistics<T>, n: usize) -> Result<(), Error> {
        self.check()?;
        batch.check("running statistics: batch (one a column)", self.mean.len())?;
        if n < 2 {
            return Err(Error::TooShort { what: "running statistics: batch", needed: 2, found: n });
        }
        let correction = n as f64 / (n - 1) as f64;
        let beta = self.beta;
        let average = |v: &mut T, x: f64| *v = T::from_f64(beta * v.to_f64() + (1.0 - beta) * x);
        for (v, x) in self.mean.iter_mut().zip(&batch.mean) {
            average(v, x.to_f64());
        }
        for (v, x) in self.variance.iter_mut().zip(&batch.variance) {
            average(v, x.to_f64() * correction);
        }
        self.steps = self.steps.saturating_add(1);
        Ok(())
    }

    /// The averages, bias-corrected.
    ///
    /// # Errors
    /// [`Error::TooShort`] before the first batch; [`Error::Length`] where there are not as many variances as means;
    /// [`Error::OutOfRange`] unless 0 ≤ `beta` < 1.
    pub fn statistics(&self) -> Result<Statistics<T>, Error> {
        let mut statistics = Statistics::new(self.mean.len());
        self.statistics_to(&mut statistics)?;
        Ok(statistics)
    }

    /// [`RunningStatistics::statistics`] without an allocation.
    ///
    /// # Errors
    /// As there, and [`Error::Length`] where `to` is for other columns.
    pub fn statistics_to(&self, to: &mut Statistics<T>) -> Result<(), Error> {
        self.check()?;
        to.check("running statistics (one a column)", self.mean.len())?;
        if self.steps == 0 {
            return Err(Error::TooShort { what: "running statistics: batches", needed: 1, found: 0 });
        }
        let weight = 1.0 - power(self.beta, self.steps);
        for (to, v) in [(&mut to.mean, &self.mean), (&mut to.variance, &self.variance)] {
            to.iter_mut().zip(v).for_each(|(to, v)| *to = T::from_f64(v.to_f64() / weight));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        same_length("running statistics: variance", self.mean.len(), self.variance.len())?;
        if (0.0..1.0).contains(&self.beta) {
            return Ok(());
        }
        Err(Error::OutOfRange { what: "running statistics: beta", value: self.beta, allowed: "in [0, 1)" })
    }
}

impl Exec {
    /// The statistics of each column of x: those of the training set, to be applied to all sets ([`Exec::standardize`]).
    ///
    /// # Errors
    /// [`Error::TooShort`] for no rows; [`Error::WorkingMemory`].
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let train = Mat::from_fn(2, 1, |i, _| [1.0, 3.0][i]);
    /// let (exec, mut test) = (Exec::default(), Mat::from_fn(1, 1, |_, _| 5.0));
    /// let statistics = exec.statistics(train.as_ref())?;
    /// exec.standardize_inplace(&statistics, test.as_mut())?;
    /// assert_eq!(test.as_slice(), [3.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn statistics<T: Element>(&self, x: MatRef<'_, T>) -> Result<Statistics<T>, Error> {
        let mut statistics = Statistics::new(x.cols());
        self.moments_columns(x, &mut statistics.mean, &mut statistics.variance)?;
        Ok(statistics)
    }

    /// y = (x − μ)/σ with the statistics of each column; 0 where σ is 0, a column that told nothing.
    ///
    /// # Errors
    /// [`Error::Shape`] unless x and y agree, [`Error::Length`] unless the statistics are of as many columns.
    pub fn standardize<T: Element>(
        &self,
        statistics: &Statistics<T>,
        x: MatRef<'_, T>,
        y: MatMut<'_, T>,
    ) -> Result<(), Error> {
        same_shape("standardize: y", x, (y.rows(), y.cols()))?;
        self.standardize_rows(statistics, Some(x), y)
    }

    /// [`Exec::standardize`] in place.
    ///
    /// # Errors
    /// [`Error::Length`] unless the statistics are of as many columns.
    pub fn standardize_inplace<T: Element>(&self, statistics: &Statistics<T>, x: MatMut<'_, T>) -> Result<(), Error> {
        self.standardize_rows(statistics, None, x)
    }

    fn standardize_rows<T: Element>(
        &self,
        statistics: &Statistics<T>,
        x: Option<MatRef<'_, T>>,
        y: MatMut<'_, T>,
    ) -> Result<(), Error> {
        let cols = y.cols();
        statistics.check("standardize: statistics (one a column)", cols)?;
        with_rows(x, None, Some(y), cols, |rows, deviation| {
            for (to, variance) in deviation.iter_mut().zip(&statistics.variance) {
                let deviation = variance.to_f64().sqrt();
                *to = T::from_f64(if deviation == 0.0 { f64::INFINITY } else { deviation });
            }
            let params = [statistics.mean.as_ptr(), deviation.as_ptr()];
            self.map_columns(of_columns(rows, [rows.x], params), Standardize, rows.y);
        })
    }
}

/// Columns of some matrices of the rows.
pub(super) fn of_columns<T: Element, const IN: usize, const P: usize>(
    rows: Rows<T>,
    inputs: [Lines<T>; IN],
    params: [*const T; P],
) -> Columns<T, IN, P> {
    Columns { rows: rows.count, cols: rows.cols, inputs, params }
}

/// Memory for a fold of columns to `outputs` results, and the arrays of a number a column that come with it.
pub(super) fn scratch(rows: usize, cols: usize, outputs: usize, arrays: usize) -> usize {
    columns::scratch(rows, cols, outputs).saturating_add(arrays.saturating_mul(cols))
}
