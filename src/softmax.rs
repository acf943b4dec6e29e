//! Softmax and cross-entropy by rows.

use crate::buffer::with_workspace;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::softmax::{CrossEntropyRows, Normalize, Rows, SoftmaxRows};
use crate::matrix::{MatMut, MatRef};
use crate::parallel;

/// Elements that take about 10 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 13;

/// Rows whose losses are summed one after the other; the sums of chunks are added in a tree. A constant, so that neither
/// threads nor instruction sets change the bits.
const CHUNK: usize = 64;

impl Exec {
    /// Each row of `y` = e^(zⱼ − max z) / Σ e^(z − max z) of the same row of `z`. Rows sum to 1 within a few u.
    /// A row with NaN, with +∞, or of −∞ alone gives NaN.
    ///
    /// # Errors
    /// [`Error::Shape`] unless both are of one shape.
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

    /// Each row of `y` = (zⱼ − max z) − ln Σ e^(z − max z): exact where softmax underflows.
    ///
    /// # Errors
    /// [`Error::Shape`] unless both are of one shape.
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
        let (m, classes) = (z.rows(), z.cols());
        same_shape("softmax_cross_entropy: dz", z, &dz)?;
        if m == 0 || classes == 0 {
            return Err(Error::Shape {
                what: "softmax_cross_entropy: z may not be empty",
                expected: (1, 1),
                found: (m, classes),
            });
        }
        crate::elementwise::same_length("softmax_cross_entropy: labels (one a row)", m, labels.len())?;
        if let Some(index) = labels.iter().position(|&label| label >= classes) {
            return Err(Error::Label { index, label: labels[index], classes });
        }
        let token = self.token();
        let scale = T::from_f64(1.0 / m as f64);
        let chunks = m.div_ceil(CHUNK);
        let parts = self.parts(m * classes, QUANTUM);
        let sum = with_rows(z, dz, |rows| {
            self.sum(parts, 0..chunks, &|chunk| {
                let first = chunk * CHUNK;
                let count = CHUNK.min(m - first);
                let labels = &labels[first..first + count];
                T::dispatch(token, CrossEntropyRows { rows: rows.range(first, count), labels, scale })
            })
        });
        Ok(sum / m as f64)
    }

    fn normalize<T: Element>(
        &self,
        what: &'static str,
        z: MatRef<'_, T>,
        y: MatMut<'_, T>,
        normalize: Normalize,
    ) -> Result<(), Error> {
        same_shape(what, z, &y)?;
        let (token, m) = (self.token(), z.rows());
        let parts = self.parts(m * z.cols(), QUANTUM);
        with_rows(z, y, |rows| {
            self.for_each(parts, |index| {
                let part = parallel::part(m, 1, parts, index);
                T::dispatch(token, SoftmaxRows { rows: rows.range(part.start, part.len()), normalize });
            });
        });
        Ok(())
    }
}

fn same_shape<T: Element>(what: &'static str, z: MatRef<'_, T>, y: &MatMut<'_, T>) -> Result<(), Error> {
    if (z.rows(), z.cols()) == (y.rows(), y.cols()) {
        return Ok(());
    }
    Err(Error::Shape { what, expected: (z.rows(), z.cols()), found: (y.rows(), y.cols()) })
}

/// Calls `f` with rows that are contiguous: those of the matrices, or copies in the workspace that are written back.
fn with_rows<T: Element, R>(z: MatRef<'_, T>, mut y: MatMut<'_, T>, f: impl FnOnce(Rows<T>) -> R) -> R {
    let (m, n) = (z.rows(), z.cols());
    let contiguous = |stride: isize| stride == 1 || n <= 1;
    if contiguous(z.col_stride()) && contiguous(y.col_stride()) {
        let (z_row, y_row) = (z.row_stride(), y.row_stride());
        return f(Rows { count: m, cols: n, z: z.as_ptr(), z_row, y: y.as_mut_ptr(), y_row });
    }
    with_workspace(m * n, |copy| {
        for (at, value) in copy.iter_mut().enumerate() {
            *value = z.get(at / n, at % n).unwrap_or_default();
        }
        let p = copy.as_mut_ptr();
        let result = f(Rows { count: m, cols: n, z: p, z_row: n as isize, y: p, y_row: n as isize });
        for (at, &value) in copy.iter().enumerate() {
            y.set(at / n, at % n, value).expect("the index is below the shape");
        }
        result
    })
}
