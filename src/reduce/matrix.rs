//! Reductions of the rows and columns of matrices.

use super::Reduction;
use crate::columns::{self, Columns};
use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::reduce::{
    ByColumn, Deviations, Differences, FoldRows, Max, MaxAbs, Min, OfRow, Reduce, Squares, Sum, SumAbs,
};
use crate::kernels::rows::{Lines, Rows};
use crate::matrix::MatRef;
use crate::parallel;
use crate::rows::with_rows;

/// Elements that take about 5 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 15;

impl Exec {
    /// [`Exec::reduce`] of each row of x, to y. A sum has the error of chains of 16 vectors, merged one after the other.
    ///
    /// # Errors
    /// [`Error::Length`] unless `y` has one element a row; [`Error::TooShort`] for the mean, the greatest or the least of rows without
    /// elements; [`Error::WorkingMemory`].
    ///
    /// ```
    /// use roofline::{Exec, Mat, Reduction};
    /// let x = Mat::from_fn(2, 3, |i, j| (10 * i + j) as f64);
    /// let mut y = [0.0; 2];
    /// Exec::default().reduce_rows(Reduction::Mean, x.as_ref(), &mut y)?;
    /// assert_eq!(y, [1.0, 11.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn reduce_rows<T: Element>(&self, reduction: Reduction, x: MatRef<'_, T>, y: &mut [T]) -> Result<(), Error> {
        same_length("reduce_rows: y (one a row)", x.rows(), y.len())?;
        if x.rows() == 0 {
            return Ok(());
        }
        reduction.check("reduce_rows: x", x.cols())?;
        if x.cols() == 0 {
            y.fill(T::ZERO);
            return Ok(());
        }
        with_rows(Some(x), None, None, 0, |rows, _| match reduction {
            Reduction::Sum => self.fold_rows(rows, y, Sum),
            Reduction::Mean => self.row_means(rows, y),
            Reduction::SumOfSquares => self.fold_rows(rows, y, Squares),
            Reduction::Norm1 => self.fold_rows(rows, y, SumAbs),
            Reduction::NormMax => self.fold_rows(rows, y, MaxAbs),
            Reduction::Max => self.fold_rows(rows, y, Max),
            Reduction::Min => self.fold_rows(rows, y, Min),
            Reduction::Norm2 => {
                self.fold_rows(rows, y, Squares);
                roots(y, rows.cols, |i| norm((0..rows.cols).map(|j| element(rows.x.at(i), j))));
            }
        })
    }

    /// [`Exec::reduce`] of each column of x, to y. A sum has the error of chains of at most 64 additions, merged in a tree.
    ///
    /// # Errors
    /// [`Error::Length`] unless `y` has one element a column; [`Error::TooShort`] for the mean, the greatest or the least of columns
    /// without elements; [`Error::WorkingMemory`].
    ///
    /// ```
    /// use roofline::{Exec, Mat, Reduction};
    /// let x = Mat::from_fn(2, 3, |i, j| (10 * i + j) as f64);
    /// let mut y = [0.0; 3];
    /// Exec::default().reduce_columns(Reduction::Sum, x.as_ref(), &mut y)?;
    /// assert_eq!(y, [10.0, 12.0, 14.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn reduce_columns<T: Element>(&self, reduction: Reduction, x: MatRef<'_, T>, y: &mut [T]) -> Result<(), Error> {
        same_length("reduce_columns: y (one a column)", x.cols(), y.len())?;
        if x.cols() == 0 {
            return Ok(());
        }
        reduction.check("reduce_columns: x", x.rows())?;
        if x.rows() == 0 {
            y.fill(T::ZERO);
            return Ok(());
        }
        let size = columns::scratch(x.rows(), x.cols(), 1);
        with_rows(Some(x), None, None, size, |rows, scratch| match reduction {
            Reduction::Sum => self.fold_each_column(rows, scratch, y, Sum),
            Reduction::Mean => self.column_means(rows, scratch, y),
            Reduction::SumOfSquares => {
                self.fold_each_column(rows, scratch, y, Squares);
            }
            Reduction::Norm1 => self.fold_each_column(rows, scratch, y, SumAbs),
            Reduction::NormMax => self.fold_each_column(rows, scratch, y, MaxAbs),
            Reduction::Max => self.fold_each_column(rows, scratch, y, Max),
            Reduction::Min => self.fold_each_column(rows, scratch, y, Min),
            Reduction::Norm2 => {
                self.fold_each_column(rows, scratch, y, Squares);
                roots(y, rows.count, |j| norm((0..rows.count).map(|i| element(rows.x.at(i), j))));
            }
        })
    }

    /// Mean and variance Σ (x − mean)²/n of all of x: the mean first, then the squares of the differences, so that digits that the
    /// numbers have in common are not lost (as in Σ x²/n − mean²). For n − 1, multiply by n/(n − 1).
    ///
    /// # Errors
    /// [`Error::TooShort`] for nothing.
    ///
    /// ```
    /// let (mean, variance) = roofline::Exec::default().moments(&[1e6_f32 + 1.0, 1e6 - 1.0])?;
    /// assert_eq!((mean, variance), (1e6, 1.0));
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn moments<T: Element>(&self, x: &[T]) -> Result<(T, T), Error> {
        let mean = self.reduce(Reduction::Mean, x)?;
        let squares = self.sum_of(x, Deviations { shift: mean });
        Ok((mean, T::from_f64(squares / x.len() as f64)))
    }

    /// [`Exec::moments`] of each row.
    ///
    /// # Errors
    /// [`Error::Length`] unless `mean` and `variance` have one element a row; [`Error::TooShort`] for rows without elements;
    /// [`Error::WorkingMemory`].
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let (mut mean, mut variance) = ([0.0; 2], [0.0; 2]);
    /// let x = Mat::from_fn(2, 2, |i, j| (10 * i + 2 * j) as f64);
    /// Exec::default().moments_rows(x.as_ref(), &mut mean, &mut variance)?;
    /// assert_eq!((mean, variance), ([1.0, 11.0], [1.0, 1.0]));
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn moments_rows<T: Element>(&self, x: MatRef<'_, T>, mean: &mut [T], variance: &mut [T]) -> Result<(), Error> {
        same_length("moments_rows: mean (one a row)", x.rows(), mean.len())?;
        same_length("moments_rows: variance (one a row)", x.rows(), variance.len())?;
        if x.rows() == 0 {
            return Ok(());
        }
        Reduction::Mean.check("moments_rows: x", x.cols())?;
        with_rows(Some(x), None, None, 0, |rows, _| self.row_moments(rows, mean, variance))
    }

    /// [`Exec::moments`] of each column.
    ///
    /// # Errors
    /// [`Error::Length`] unless `mean` and `variance` have one element a column; [`Error::TooShort`] for columns without elements;
    /// [`Error::WorkingMemory`].
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let (mut mean, mut variance) = ([0.0; 2], [0.0; 2]);
    /// let x = Mat::from_fn(2, 2, |i, j| (10 * j + 2 * i) as f64);
    /// Exec::default().moments_columns(x.as_ref(), &mut mean, &mut variance)?;
    /// assert_eq!((mean, variance), ([1.0, 11.0], [1.0, 1.0]));
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn moments_columns<T: Element>(
        &self,
        x: MatRef<'_, T>,
        mean: &mut [T],
        variance: &mut [T],
    ) -> Result<(), Error> {
        same_length("moments_columns: mean (one a column)", x.cols(), mean.len())?;
        same_length("moments_columns: variance (one a column)", x.cols(), variance.len())?;
        if x.cols() == 0 {
            return Ok(());
        }
        Reduction::Mean.check("moments_columns: x", x.rows())?;
        let size = columns::scratch(x.rows(), x.cols(), 1);
        with_rows(Some(x), None, None, size, |rows, scratch| self.column_moments(rows, scratch, mean, variance))
    }

    /// Mean and variance of rows that are contiguous.
    pub(crate) fn row_moments<T: Element>(&self, rows: Rows<T>, mean: &mut [T], variance: &mut [T]) {
        self.row_means(rows, mean);
        self.fold_rows(rows, variance, OfRow::<T, true> { shift: Lines { ptr: mean.as_mut_ptr(), step: 1 } });
        divide(variance, rows.cols);
    }

    /// Mean and variance of columns, with the scratch memory of a fold of columns to one result.
    pub(crate) fn column_moments<T: Element>(
        &self,
        rows: Rows<T>,
        scratch: &mut [T],
        mean: &mut [T],
        variance: &mut [T],
    ) {
        self.column_means(rows, scratch, mean);
        self.fold_columns(of_columns(rows, [mean.as_ptr()]), Differences::<true>, scratch);
        variance.copy_from_slice(&scratch[..rows.cols]);
        divide(variance, rows.count);
    }

    fn row_means<T: Element>(&self, rows: Rows<T>, mean: &mut [T]) {
        self.fold_rows(rows, mean, OfRow::<T, false> { shift: rows.x });
        for (i, mean) in mean.iter_mut().enumerate() {
            *mean = T::from_f64(element(rows.x.at(i), 0) + mean.to_f64() / rows.cols as f64);
        }
    }

    fn column_means<T: Element>(&self, rows: Rows<T>, scratch: &mut [T], mean: &mut [T]) {
        let first = rows.x.ptr;
        self.fold_columns(of_columns(rows, [first.cast_const()]), Differences::<false>, scratch);
        for (j, mean) in mean.iter_mut().enumerate() {
            *mean = T::from_f64(element(first, j) + scratch[j].to_f64() / rows.count as f64);
        }
    }

    /// A fold of each row, to y.
    fn fold_rows<T: Element, R: Reduce<T, 1>>(&self, rows: Rows<T>, y: &mut [T], reduce: R) {
        debug_assert_eq!(y.len(), rows.count);
        let rows = Rows { y: Lines { ptr: y.as_mut_ptr(), step: 1 }, ..rows };
        let (token, parts) = (self.token(), self.parts(rows.count * rows.cols, QUANTUM));
        self.for_each(parts, |index| {
            let part = parallel::part(rows.count, 1, parts, index);
            let (rows, first) = (rows.range(part.start, part.len()), part.start);
            match rows.short() {
                Some(rows) => T::dispatch(token, FoldRows { rows, first, reduce }),
                None => T::dispatch(token, FoldRows { rows, first, reduce }),
            }
        });
    }

    /// A fold of each column, to y.
    fn fold_each_column<T: Element, R: Reduce<T, 1>>(&self, rows: Rows<T>, scratch: &mut [T], y: &mut [T], reduce: R) {
        self.fold_columns(of_columns(rows, []), ByColumn(reduce), scratch);
        y.copy_from_slice(&scratch[..rows.cols]);
    }
}

/// The columns of x.
fn of_columns<T: Element, const P: usize>(rows: Rows<T>, params: [*const T; P]) -> Columns<T, 1, P> {
    Columns { rows: rows.count, cols: rows.cols, inputs: [rows.x], params }
}

fn divide<T: Element>(x: &mut [T], by: usize) {
    x.iter_mut().for_each(|x| *x = T::from_f64(x.to_f64() / by as f64));
}

/// Element j of a row, of those that there are.
fn element<T: Element>(row: *const T, j: usize) -> f64 {
    // SAFETY: whoever made the rows owes that they are readable.
    unsafe { *row.add(j) }.to_f64()
}

/// The roots of sums of squares, but the norm itself where the sum may have overflown or lost digits to underflow.
fn roots<T: Element>(sums: &mut [T], count: usize, norm: impl Fn(usize) -> T) {
    let least = count as f64 * T::MIN_NORMAL.to_f64() / T::UNIT_ROUNDOFF;
    for (i, sum) in sums.iter_mut().enumerate() {
        let exact = sum.to_f64();
        *sum = if exact > least && exact < f64::INFINITY { T::from_f64(exact.sqrt()) } else { norm(i) };
    }
}

/// √Σ x² of numbers of any size, one after the other.
fn norm<T: Element>(x: impl Iterator<Item = f64> + Clone) -> T {
    let greatest = x.clone().fold(0.0, |a: f64, x| if a.is_nan() || a >= x.abs() { a } else { x.abs() });
    if greatest == 0.0 || !greatest.is_finite() {
        return T::from_f64(greatest);
    }
    let sum: f64 = x.map(|x| (x / greatest) * (x / greatest)).sum();
    T::from_f64(greatest * sum.sqrt())
}
