//! Softmax and cross-entropy by rows.
//!
//! Rows hold logits, one a class. What all functions do with numbers that are none: NaN makes its row NaN and no other; so do
//! +∞, and −∞ alone, whose probabilities are undefined ([`Exec::logsumexp`] has a value there). −∞ beside numbers is a class of
//! probability 0.

mod rows;

use crate::element::Element;
use crate::elementwise::{same_length, same_shape};
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::softmax::{Normalize, Weights};
use crate::matrix::{MatMut, MatRef};
use crate::rows::with_rows;
use rows::scratch;

/// What the classes of [`Exec::softmax_cross_entropy_with`] should be.
///
/// ```
/// use roofline::{Exec, Mat, Targets};
/// let (z, mut dz) = (Mat::<f64>::zeros(1, 4), Mat::zeros(1, 4));
/// let exec = Exec::default();
/// let half = Mat::from_fn(1, 4, |_, j| [0.5, 0.5, 0.0, 0.0][j]);
/// exec.softmax_cross_entropy_with(z.as_ref(), Targets::Probabilities(half.as_ref()), dz.as_mut())?;
/// assert_eq!(dz.as_slice(), [-0.25, -0.25, 0.25, 0.25]);
/// exec.softmax_cross_entropy_with(z.as_ref(), Targets::Smoothed { labels: &[3], smoothing: 1.0 }, dz.as_mut())?;
/// assert_eq!(dz.as_slice(), [0.0; 4]);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy)]
pub enum Targets<'a, T> {
    /// One class index a row.
    Labels(&'a [usize]),
    /// One class index a row, of which the share `smoothing`, within [0, 1], is spread evenly over all classes (Szegedy et al. 2016,
    /// arXiv:1512.00567, §7; PyTorch's `label_smoothing`).
    Smoothed {
        /// One class index a row.
        labels: &'a [usize],
        /// ε.
        smoothing: f64,
    },
    /// One row of probabilities a row: one-hot, or soft. Rows that do not sum to 1 count as weights. A class of weight 0 does not
    /// count, even where its probability is 0.
    Probabilities(MatRef<'a, T>),
}

impl Exec {
    /// Each row of `y` = e^(zⱼ − max z) / Σ e^(z − max z) of the same row of `z`. Each is within (4 + |zⱼ − max z|)·ε of its exact
    /// value, relatively, and a row sums to 1 within 8·ε, in all tests up to 100,000 columns (ε is twice the unit roundoff). A row with NaN, with +∞, or of −∞ alone gives NaN.
    ///
    /// # Errors
    /// [`Error::Shape`] unless both are of one shape with at least one column.
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let z = Mat::from_fn(1, 4, |_, j| [5.0, 2.0, -1.0, 3.0][j]);
    /// let mut y = Mat::zeros(1, 4);
    /// Exec::default().softmax(z.as_ref(), y.as_mut())?;
    /// assert!((y.as_slice()[0] - 0.842_f64).abs() < 5e-4);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn softmax<T: Element>(&self, z: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Error> {
        self.normalize("softmax", z, y, Normalize::Softmax)
    }

    /// [`Exec::softmax`] in place.
    ///
    /// # Errors
    /// [`Error::Shape`] without columns.
    pub fn softmax_inplace<T: Element>(&self, z: MatMut<'_, T>) -> Result<(), Error> {
        self.normalize_inplace("softmax_inplace", z, Normalize::Softmax)
    }

    /// Gradient of [`Exec::softmax`] from its output y: each row of `dz` = y ⊙ (dy − Σ y·dy).
    ///
    /// # Errors
    /// [`Error::Shape`] unless the three are of one shape with at least one column.
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let y = Mat::from_fn(1, 2, |_, j| [0.25, 0.75][j]);
    /// let dy = Mat::from_fn(1, 2, |_, j| [1.0, 0.0][j]);
    /// let mut dz = Mat::zeros(1, 2);
    /// Exec::default().softmax_grad(y.as_ref(), dy.as_ref(), dz.as_mut())?;
    /// assert_eq!(dz.as_slice(), [0.1875_f64, -0.1875]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn softmax_grad<T: Element>(
        &self,
        y: MatRef<'_, T>,
        dy: MatRef<'_, T>,
        dz: MatMut<'_, T>,
    ) -> Result<(), Error> {
        self.row_gradient(["softmax_grad: dy", "softmax_grad: dz"], (y, dy, dz), Normalize::Softmax)
    }

    /// Each row of `y` = (zⱼ − max z) − ln Σ e^(z − max z): exact where softmax underflows.
    ///
    /// # Errors
    /// [`Error::Shape`] unless both are of one shape with at least one column.
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let z = Mat::from_fn(1, 2, |_, j| [0.0, 1e4][j]);
    /// let mut y = Mat::zeros(1, 2);
    /// Exec::default().log_softmax(z.as_ref(), y.as_mut())?;
    /// assert_eq!(y.as_slice(), [-1e4_f64, 0.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn log_softmax<T: Element>(&self, z: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Error> {
        self.normalize("log_softmax", z, y, Normalize::LogSoftmax)
    }

    /// [`Exec::log_softmax`] in place.
    ///
    /// # Errors
    /// [`Error::Shape`] without columns.
    pub fn log_softmax_inplace<T: Element>(&self, z: MatMut<'_, T>) -> Result<(), Error> {
        self.normalize_inplace("log_softmax_inplace", z, Normalize::LogSoftmax)
    }

    /// Gradient of [`Exec::log_softmax`] from its output y: each row of `dz` = dy − e^y·Σ dy.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the three are of one shape with at least one column.
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let y = Mat::from_fn(1, 2, |_, _| 0.5_f64.ln());
    /// let dy = Mat::from_fn(1, 2, |_, j| [-1.0, 0.0][j]); // of the negative log-likelihood of class 0
    /// let mut dz = Mat::zeros(1, 2);
    /// Exec::default().log_softmax_grad(y.as_ref(), dy.as_ref(), dz.as_mut())?;
    /// assert_eq!(dz.as_slice(), [-0.5, 0.5]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn log_softmax_grad<T: Element>(
        &self,
        y: MatRef<'_, T>,
        dy: MatRef<'_, T>,
        dz: MatMut<'_, T>,
    ) -> Result<(), Error> {
        self.row_gradient(["log_softmax_grad: dy", "log_softmax_grad: dz"], (y, dy, dz), Normalize::LogSoftmax)
    }

    /// yᵢ = ln Σⱼ e^zᵢⱼ of each row, as max z + ln Σ e^(z − max z). −∞ for a row of −∞ alone, +∞ for one with +∞, NaN for one with NaN.
    ///
    /// # Errors
    /// [`Error::Shape`] without columns; [`Error::Length`] unless `y` has one element a row.
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let z = Mat::from_fn(2, 2, |i, _| [1000.0, f64::NEG_INFINITY][i]);
    /// let mut y = [0.0; 2];
    /// Exec::default().logsumexp(z.as_ref(), &mut y)?;
    /// assert_eq!(y, [1000.0 + 2.0_f64.ln(), f64::NEG_INFINITY]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn logsumexp<T: Element>(&self, z: MatRef<'_, T>, y: &mut [T]) -> Result<(), Error> {
        has_columns("logsumexp", z.rows(), z.cols())?;
        same_length("logsumexp: y (one a row)", z.rows(), y.len())?;
        with_rows(Some(z), None, None, scratch::<T>(z.rows(), z.cols()), |rows, scratch| {
            rows::log_sum_exp(self, rows, scratch, y);
        })
    }

    /// Mean cross-entropy of softmax(z) against one class index a row, and its gradient in one pass:
    /// (1/m)·Σᵢ −ln softmax(zᵢ, labelᵢ), dz = (softmax(z) − onehot)/m for m rows.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `z` and `dz` are of one shape with at least one row and column; [`Error::Length`] of the
    /// labels; [`Error::Label`] for a label that is no column. Nothing is written then.
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let z = Mat::<f64>::zeros(2, 4);
    /// let mut dz = Mat::zeros(2, 4);
    /// let loss = Exec::default().softmax_cross_entropy(z.as_ref(), &[0, 3], dz.as_mut())?;
    /// assert!((loss - 4.0_f64.ln()).abs() < 1e-15);
    /// assert_eq!(dz.as_slice()[..2], [(0.25 - 1.0) / 2.0, 0.25 / 2.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn softmax_cross_entropy<T: Element>(
        &self,
        z: MatRef<'_, T>,
        labels: &[usize],
        dz: MatMut<'_, T>,
    ) -> Result<f64, Error> {
        self.softmax_cross_entropy_with(z, Targets::Labels(labels), dz)
    }

    /// [`Exec::softmax_cross_entropy`] against targets t of every kind: (1/m)·Σᵢⱼ −tᵢⱼ·ln softmax(zᵢ)ⱼ and
    /// dz = (softmax(z)·Σⱼ t − t)/m.
    ///
    /// # Errors
    /// As there; [`Error::Shape`] unless the probabilities have the shape of `z`; [`Error::OutOfRange`] of the smoothing.
    pub fn softmax_cross_entropy_with<T: Element>(
        &self,
        z: MatRef<'_, T>,
        targets: Targets<'_, T>,
        dz: MatMut<'_, T>,
    ) -> Result<f64, Error> {
        same_shape("softmax_cross_entropy: dz", z, (dz.rows(), dz.cols()))?;
        let weights = targets.check(z.rows(), z.cols())?;
        self.cross_entropy(Some(z), targets, dz, weights)
    }

    /// [`Exec::softmax_cross_entropy_with`], the gradient in place of the logits.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use roofline::{Exec, Mat, Targets};
    /// let mut z = Mat::<f32>::zeros(1, 2);
    /// let loss = Exec::default().softmax_cross_entropy_inplace(z.as_mut(), Targets::Labels(&[1]))?;
    /// assert!((loss - 2.0_f64.ln()).abs() < 1e-7);
    /// assert_eq!(z.as_slice(), [0.5, -0.5]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn softmax_cross_entropy_inplace<T: Element>(
        &self,
        z: MatMut<'_, T>,
        targets: Targets<'_, T>,
    ) -> Result<f64, Error> {
        let weights = targets.check(z.rows(), z.cols())?;
        self.cross_entropy(None, targets, z, weights)
    }

    /// Without z, of the logits in `dz`.
    fn cross_entropy<T: Element>(
        &self,
        z: Option<MatRef<'_, T>>,
        targets: Targets<'_, T>,
        dz: MatMut<'_, T>,
        weights: Weights<'_>,
    ) -> Result<f64, Error> {
        let m = dz.rows() as f64;
        let probabilities = match targets {
            Targets::Probabilities(t) => Some(t),
            Targets::Labels(_) | Targets::Smoothed { .. } => None,
        };
        let run = |rows, scratch: &mut [T]| rows::cross_entropy(self, rows, scratch, (weights, 1.0 / m));
        let size = scratch::<T>(dz.rows(), dz.cols());
        Ok(with_rows(z, probabilities, Some(dz), size, run)? / m)
    }

    fn normalize<T: Element>(
        &self,
        what: &'static str,
        z: MatRef<'_, T>,
        y: MatMut<'_, T>,
        normalize: Normalize,
    ) -> Result<(), Error> {
        same_shape(what, z, (y.rows(), y.cols()))?;
        has_columns(what, z.rows(), z.cols())?;
        with_rows(Some(z), None, Some(y), scratch::<T>(z.rows(), z.cols()), |rows, scratch| {
            rows::normalize(self, rows, scratch, normalize);
        })
    }

    fn normalize_inplace<T: Element>(
        &self,
        what: &'static str,
        z: MatMut<'_, T>,
        normalize: Normalize,
    ) -> Result<(), Error> {
        has_columns(what, z.rows(), z.cols())?;
        let size = scratch::<T>(z.rows(), z.cols());
        with_rows(None, None, Some(z), size, |rows, scratch| rows::normalize(self, rows, scratch, normalize))
    }

    fn row_gradient<T: Element>(
        &self,
        what: [&'static str; 2],
        (y, dy, dz): (MatRef<'_, T>, MatRef<'_, T>, MatMut<'_, T>),
        normalize: Normalize,
    ) -> Result<(), Error> {
        same_shape(what[0], y, (dy.rows(), dy.cols()))?;
        same_shape(what[1], y, (dz.rows(), dz.cols()))?;
        has_columns(what[1], y.rows(), y.cols())?;
        with_rows(Some(dy), Some(y), Some(dz), 0, |rows, _| rows::gradient(self, rows, normalize))
    }
}

impl<'a, T: Element> Targets<'a, T> {
    /// The weights of m rows of so many classes, where they fit.
    fn check(&self, m: usize, classes: usize) -> Result<Weights<'a>, Error> {
        if m == 0 || classes == 0 {
            return Err(Error::Shape {
                what: "softmax_cross_entropy: z may not be empty",
                expected: (1, 1),
                found: (m, classes),
            });
        }
        let (labels, smoothing) = match *self {
            Targets::Labels(labels) => (labels, 0.0),
            Targets::Smoothed { labels, smoothing } => (labels, smoothing),
            Targets::Probabilities(t) => {
                let found = (t.rows(), t.cols());
                let expected = (m, classes);
                let what = "softmax_cross_entropy: probabilities";
                return if found == expected {
                    Ok(Weights::Given)
                } else {
                    Err(Error::Shape { what, expected, found })
                };
            }
        };
        same_length("softmax_cross_entropy: labels (one a row)", m, labels.len())?;
        if let Some(index) = labels.iter().position(|&label| label >= classes) {
            return Err(Error::Label { index, label: labels[index], classes });
        }
        if !(0.0..=1.0).contains(&smoothing) {
            return Err(Error::OutOfRange {
                what: "softmax_cross_entropy: smoothing",
                value: smoothing,
                allowed: "in [0, 1]",
            });
        }
        Ok(Weights::Classes { labels, smoothing })
    }
}

/// An empty row has neither a maximum nor a sum to divide by.
fn has_columns(what: &'static str, rows: usize, cols: usize) -> Result<(), Error> {
    if cols > 0 || rows == 0 { Ok(()) } else { Err(Error::Shape { what, expected: (rows, 1), found: (rows, 0) }) }
}
