//! [`Normalization`]: inputs of mean 0 and variance 1, by numbers of the training set.

use super::dataset::Dataset;
use super::image_set::ImageSet;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::matrix::{MatMut, MatRef};
use crate::norm::Statistics;

/// x ← (x − μ)/σ in each column, with the μ and σ of the training set for every set: a development set that had numbers of its
/// own would be another problem than the one that was learnt. A column without variance in the training set becomes x − μ:
/// σ = 1 stands in for 0, and nothing is divided by it.
///
/// ```
/// use roofline::nn::{Dataset, Normalization};
/// use roofline::{Exec, Mat};
/// // The second column is the same everywhere.
/// let x = |first: f64, step: f64| Mat::from_fn(2, 2, |i, j| if j == 0 { first + step * i as f64 } else { 9.0 });
/// let (mut train, mut dev) = (Dataset::new(x(1.0, 2.0), vec![0, 1], 2)?, Dataset::new(x(2.0, 4.0), vec![0, 1], 2)?);
///
/// let normalization = Normalization::fit(&Exec::default(), &train)?;
/// for set in [&mut train, &mut dev] {
///     normalization.apply(set)?;
/// }
/// assert_eq!(train.x().get(1, 0), Some(1.0));
/// assert_eq!(dev.x().get(1, 0), Some(4.0)); // (6 − 2)/1
/// assert_eq!(dev.x().get(1, 1), Some(0.0));
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Normalization<T> {
    /// Variances of 0 as 1.
    statistics: Statistics<T>,
    exec: Exec,
}

impl<T: Element> Normalization<T> {
    /// μ and σ² = Σ (x − μ)²/m of each column of the training set ([`Exec::statistics`]).
    ///
    /// # Errors
    /// [`Error::NotFinite`], [`Error::OutOfRange`] where a mean or a variance is beyond the range of `T`.
    pub fn fit(exec: &Exec, train: &Dataset<T>) -> Result<Self, Error> {
        let Statistics { mean, variance } = exec.statistics(train.x())?;
        Ok(Self::new(mean, variance)?.with_exec(*exec))
    }

    /// As [`Normalization::fit`], of images that are not in memory: they pass by once, in the order in which they lie. Sums of pixels
    /// and of their squares are exact, so that μ and σ² are the true ones, rounded once; those of the same images in a
    /// [`Dataset`] may differ from them by rounding.
    ///
    /// # Errors
    /// As [`Normalization::new`].
    pub fn fit_images(exec: &Exec, train: &ImageSet<'_, T>) -> Result<Self, Error> {
        let Statistics { mean, variance } = train.statistics();
        Ok(Self::new(mean, variance)?.with_exec(*exec))
    }

    /// Of means μ and variances σ², one a column, such as a file kept them. Variances of 0 become 1.
    ///
    /// # Errors
    /// [`Error::Length`] unless both are as many; [`Error::NotFinite`] for a mean, [`Error::OutOfRange`] for a variance that is
    /// negative or not finite.
    pub fn new(mean: Vec<T>, mut variance: Vec<T>) -> Result<Self, Error> {
        crate::elementwise::same_length("normalisation: variances (one a mean)", mean.len(), variance.len())?;
        for (col, mean) in mean.iter().enumerate() {
            finite("means of the columns", (0, col), *mean)?;
        }
        for variance in &mut variance {
            let value = variance.to_f64();
            if !(0.0..f64::INFINITY).contains(&value) {
                let what = "normalisation: variance of a column";
                return Err(Error::OutOfRange { what, value, allowed: "in [0, inf)" });
            }
            if value == 0.0 {
                *variance = T::ONE;
            }
        }
        Ok(Self { statistics: Statistics { mean, variance }, exec: Exec::default() })
    }

    /// How [`Normalization::apply`] runs; the bits do not depend on it.
    #[must_use]
    pub fn with_exec(self, exec: Exec) -> Self {
        Self { exec, ..self }
    }

    /// μ, one a column.
    pub fn mean(&self) -> &[T] {
        &self.statistics.mean
    }

    /// σ², one a column; 1 where the training set had 0.
    pub fn variance(&self) -> &[T] {
        &self.statistics.variance
    }

    /// Number of columns, n⁽⁰⁾.
    pub fn inputs(&self) -> usize {
        self.statistics.mean.len()
    }

    /// Normalises the inputs of a set.
    ///
    /// # Errors
    /// As [`Normalization::apply_to`].
    pub fn apply(&self, data: &mut Dataset<T>) -> Result<(), Error> {
        self.apply_to(data.x_mut())
    }

    /// Normalises a matrix, one example a row, such as those to be predicted.
    ///
    /// # Errors
    /// [`Error::Length`] unless `x` has as many columns; [`Error::NotFinite`] where an element is not finite, or would not be
    /// afterwards. Then `x` is as it was.
    pub fn apply_to(&self, x: MatMut<'_, T>) -> Result<(), Error> {
        self.check(x.as_ref())?;
        self.exec.standardize_inplace(&self.statistics, x)
    }

    /// Normalises what [`Normalization::check`] has accepted.
    pub(super) fn apply_checked(&self, x: MatMut<'_, T>) -> Result<(), Error> {
        self.exec.standardize_inplace(&self.statistics, x)
    }

    /// Whether every element of x is finite, and will be.
    pub(super) fn check(&self, x: MatRef<'_, T>) -> Result<(), Error> {
        let Statistics { mean, variance } = &self.statistics;
        crate::elementwise::same_length("normalisation: columns", self.inputs(), x.cols())?;
        let deviation: Vec<T> = variance.iter().map(|variance| T::from_f64(variance.to_f64().sqrt())).collect();
        for i in 0..x.rows() {
            for (j, (&mean, &deviation)) in mean.iter().zip(&deviation).enumerate() {
                let x = x.get(i, j).unwrap_or(T::ZERO);
                finite("inputs", (i, j), x)?;
                finite("normalised inputs", (i, j), (x - mean) / deviation)?;
            }
        }
        Ok(())
    }
}

fn finite<T: Element>(what: &'static str, (row, col): (usize, usize), x: T) -> Result<(), Error> {
    let value = x.to_f64();
    if value.is_finite() { Ok(()) } else { Err(Error::NotFinite { what, row, col, value }) }
}
