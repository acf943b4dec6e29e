//! Costs whose outputs do not depend on each other: sigmoid with binary cross-entropy, and the squared error. (Softmax, whose do, is a
//! function of rows: [`Exec::softmax_cross_entropy`].)

use crate::buffer::{reserve_workspace, with_workspace};
use crate::element::Element;
use crate::elementwise::same_shape;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::loss::{BinaryCrossEntropy, Difference, SigmoidDifference, SquaredDifferences};
use crate::kernels::reduce::Reduce;
use crate::matrix::{MatMut, MatRef};
use crate::reduce::Reduction;
use crate::simd::slice::{Arrays, Lanewise};

impl Exec {
    /// Mean binary cross-entropy of σ(z) against y, each within [0, 1], and its gradient, from the logits:
    /// (1/m)·Σᵢⱼ −y·ln σ(z) − (1 − y)·ln(1 − σ(z)), dz = (σ(z) − y)/m for m rows. Logits of any size have a finite cost.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the three are of one shape with at least one row and column; [`Error::OutOfRange`] for y outside [0, 1].
    /// Nothing is written then.
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let z = Mat::from_fn(2, 1, |i, _| [0.0, 800.0][i]);
    /// let (y, mut dz) = (Mat::from_fn(2, 1, |_, _| 1.0), Mat::zeros(2, 1));
    /// let loss = Exec::default().sigmoid_cross_entropy(z.as_ref(), y.as_ref(), dz.as_mut())?;
    /// assert!((loss - 2.0_f64.ln() / 2.0).abs() < 1e-15);
    /// assert_eq!(dz.as_slice(), [-0.25, 0.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn sigmoid_cross_entropy<T: Element>(
        &self,
        z: MatRef<'_, T>,
        y: MatRef<'_, T>,
        dz: MatMut<'_, T>,
    ) -> Result<f64, Error> {
        let what =
            ["sigmoid_cross_entropy: z may not be empty", "sigmoid_cross_entropy: y", "sigmoid_cross_entropy: dz"];
        check(what, z, y, &dz)?;
        let gradient = SigmoidDifference { scale: T::from_f64(1.0 / z.rows() as f64) };
        let within = |y: &[T]| {
            for reduction in [Reduction::Min, Reduction::Max] {
                let value = self.reduce(reduction, y)?.to_f64();
                if !(0.0..=1.0).contains(&value) {
                    return Err(Error::OutOfRange { what: what[1], value, allowed: "in [0, 1]" });
                }
            }
            Ok(())
        };
        Ok(self.of_differences((z, y, dz), within, BinaryCrossEntropy, gradient)? / z.rows() as f64)
    }

    /// Half the mean squared distance of z and y, and its gradient: (1/m)·Σᵢⱼ ½(z − y)², dz = (z − y)/m for m rows.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the three are of one shape with at least one row and column. Nothing is written then.
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let (z, y, mut dz) = (Mat::from_fn(2, 1, |_, _| 3.0_f32), Mat::zeros(2, 1), Mat::zeros(2, 1));
    /// assert_eq!(Exec::default().squared_error(z.as_ref(), y.as_ref(), dz.as_mut())?, 4.5);
    /// assert_eq!(dz.as_slice(), [1.5, 1.5]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn squared_error<T: Element>(
        &self,
        z: MatRef<'_, T>,
        y: MatRef<'_, T>,
        dz: MatMut<'_, T>,
    ) -> Result<f64, Error> {
        check(["squared_error: z may not be empty", "squared_error: y", "squared_error: dz"], z, y, &dz)?;
        let gradient = Difference { scale: T::from_f64(1.0 / z.rows() as f64) };
        let sum = self.of_differences((z, y, dz), |_| Ok(()), SquaredDifferences, gradient)?;
        Ok(sum / (2.0 * z.rows() as f64))
    }

    /// Σ cost(z, y), and dz = gradient(z, y), where y is as `allowed`.
    fn of_differences<T: Element>(
        &self,
        (z, y, mut dz): (MatRef<'_, T>, MatRef<'_, T>, MatMut<'_, T>),
        allowed: impl FnOnce(&[T]) -> Result<(), Error>,
        cost: impl Reduce<T, 2>,
        gradient: impl Lanewise<T, 2, 1> + Sync,
    ) -> Result<f64, Error> {
        let (cols, len) = (z.cols(), z.rows() * z.cols());
        let apart = [!is_contiguous(z), !is_contiguous(y), !is_contiguous(dz.as_ref())];
        let copies = apart.map(|apart| if apart { len } else { 0 });
        let needed = copies.iter().sum();
        reserve_workspace::<T>(needed)?;
        with_workspace(needed, |space| {
            let (copy_of_z, rest) = space.split_at_mut(copies[0]);
            let (copy_of_y, copy_of_dz) = rest.split_at_mut(copies[1]);
            let (from_z, from_y) = (flat(z, copy_of_z), flat(y, copy_of_y));
            allowed(from_y)?;
            let to = if apart[2] { copy_of_dz.as_mut_ptr() } else { dz.as_mut_ptr() };
            let inputs = [from_z.as_ptr(), from_y.as_ptr()];
            // SAFETY: z and y are borrowed; dz is too, of this shape without gaps, or it is a copy of this length.
            let (read, write) = unsafe { (Arrays::new(len, inputs, []), Arrays::new(len, inputs, [to])) };
            let sum = self.fold_sum(read, cost);
            self.sweep(write, gradient);
            for (at, &value) in copy_of_dz.iter().enumerate() {
                dz.set(at / cols, at % cols, value)?;
            }
            Ok(sum)
        })
    }
}

/// `Err` unless the three have one shape that is not empty.
fn check<T: Element>(
    what: [&'static str; 3],
    z: MatRef<'_, T>,
    y: MatRef<'_, T>,
    dz: &MatMut<'_, T>,
) -> Result<(), Error> {
    if z.rows() == 0 || z.cols() == 0 {
        return Err(Error::Shape { what: what[0], expected: (1, 1), found: (z.rows(), z.cols()) });
    }
    same_shape(what[1], z, (y.rows(), y.cols()))?;
    same_shape(what[2], z, (dz.rows(), dz.cols()))
}

/// Whether the elements lie row after row without gaps.
fn is_contiguous<T: Element>(x: MatRef<'_, T>) -> bool {
    (x.cols() == 1 || x.col_stride() == 1) && (x.rows() == 1 || x.row_stride() == x.cols() as isize)
}

/// The elements row after row: as they lie, or in `copy`.
fn flat<'a, T: Element>(x: MatRef<'a, T>, copy: &'a mut [T]) -> &'a [T] {
    if is_contiguous(x) {
        // SAFETY: the view is readable for as long, and its elements lie like those of a slice.
        return unsafe { core::slice::from_raw_parts(x.as_ptr(), x.rows() * x.cols()) };
    }
    for (at, value) in copy.iter_mut().enumerate() {
        *value = x.get(at / x.cols(), at % x.cols()).unwrap_or_default();
    }
    copy
}
