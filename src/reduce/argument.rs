//! Where the greatest and the least are.

use super::{Reduction, is_nan};
use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;
use crate::exec::Exec;
use crate::matrix::MatRef;
use crate::rows::with_rows;

impl Exec {
    /// The index of the greatest x: of the first, where several are; of the first NaN, where there is one.
    ///
    /// # Errors
    /// [`Error::TooShort`] for nothing.
    ///
    /// ```
    /// let exec = roofline::Exec::default();
    /// assert_eq!(exec.argmax(&[1.0, 3.0, 3.0])?, 1);
    /// assert_eq!(exec.argmax(&[1.0, f32::NAN, 3.0])?, 1);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn argmax<T: Element>(&self, x: &[T]) -> Result<usize, Error> {
        Reduction::Max.check("argmax: x", x.len())?;
        Ok(position(x, self.reduce(Reduction::Max, x)?))
    }

    /// [`Exec::argmax`] of the least.
    ///
    /// # Errors
    /// [`Error::TooShort`] for nothing.
    ///
    /// ```
    /// assert_eq!(roofline::Exec::default().argmin(&[1.0, -3.0, 3.0])?, 1);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn argmin<T: Element>(&self, x: &[T]) -> Result<usize, Error> {
        Reduction::Min.check("argmin: x", x.len())?;
        Ok(position(x, self.reduce(Reduction::Min, x)?))
    }

    /// [`Exec::argmax`] of each row, to y: the predicted class, where rows are logits.
    ///
    /// # Errors
    /// [`Error::Length`] unless `y` has one element a row; [`Error::TooShort`] for rows without elements; [`Error::WorkingMemory`].
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let x = Mat::from_fn(2, 3, |i, j| if i == j { 1.0_f32 } else { 0.0 });
    /// let mut y = [9; 2];
    /// Exec::default().argmax_rows(x.as_ref(), &mut y)?;
    /// assert_eq!(y, [0, 1]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn argmax_rows<T: Element>(&self, x: MatRef<'_, T>, y: &mut [usize]) -> Result<(), Error> {
        same_length("argmax_rows: y (one a row)", x.rows(), y.len())?;
        if x.rows() == 0 {
            return Ok(());
        }
        Reduction::Max.check("argmax_rows: x", x.cols())?;
        with_rows(Some(x), None, None, 0, |rows, _| {
            for (i, y) in y.iter_mut().enumerate() {
                // SAFETY: the row is readable.
                let row = unsafe { core::slice::from_raw_parts(rows.x.at(i).cast_const(), rows.cols) };
                *y = first_greatest(row);
            }
        })
    }
}

/// Where the value that is there is first.
fn position<T: Element>(x: &[T], value: T) -> usize {
    x.iter().position(|&x| x == value || (is_nan(x) && is_nan(value))).unwrap_or(0)
}

fn first_greatest<T: Element>(row: &[T]) -> usize {
    let mut best = 0;
    for (j, &x) in row.iter().enumerate() {
        if is_nan(x) {
            return j;
        }
        if x > row[best] {
            best = j;
        }
    }
    best
}
