//! Arrays of `ndarray` as operands: pointer, shape and strides pass as they are, and no element moves.
//!
//! An array and a view mean the same matrix here: element (0, 0) is where both count from, and strides have both signs, so that
//! slices with steps, reversed axes, transposes and broadcast views need no case of their own.

use crate::element::Element;
use crate::error::Error;
use crate::matrix::{Layout, MatMut, MatRef};
use ndarray::{ArrayBase, ArrayRef2, ArrayView2, ArrayViewMut2, Data, DataMut, Ix2};

fn layout<T>(array: &ArrayRef2<T>) -> Layout {
    let ((rows, cols), strides) = (array.dim(), array.strides());
    Layout { rows, cols, row_stride: strides[0], col_stride: strides[1] }
}

/// Any view, broadcast ones (stride 0) included; feature `ndarray`.
///
/// The error is [`Error::Overflow`], which no view that `ndarray` makes itself should meet.
///
/// ```
/// use ndarray::{array, s};
/// use roofline::{MatMut, MatRef, gemm};
///
/// let x = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
/// let mirrored = x.slice(s![.., ..;-1]);
/// let mut c = ndarray::Array2::zeros((2, 2));
/// gemm(1.0, MatRef::try_from(mirrored)?, MatRef::try_from(x.t())?, 0.0, MatMut::try_from(&mut c)?)?;
/// assert_eq!(c, array![[10.0, 28.0], [28.0, 73.0]]);
/// # Ok::<(), roofline::Error>(())
/// ```
impl<'a, T: Element> TryFrom<ArrayView2<'a, T>> for MatRef<'a, T> {
    type Error = Error;

    fn try_from(view: ArrayView2<'a, T>) -> Result<Self, Error> {
        // SAFETY: the view is a borrow of its elements for 'a.
        unsafe { MatRef::from_raw(view.as_ptr(), layout(&view)) }
    }
}

/// A borrow of any two-dimensional array or view (`Array2`, `ArcArray2`, `CowArray`, …), to read; feature `ndarray`.
impl<'a, T: Element, S: Data<Elem = T>> TryFrom<&'a ArrayBase<S, Ix2>> for MatRef<'a, T> {
    type Error = Error;

    fn try_from(array: &'a ArrayBase<S, Ix2>) -> Result<Self, Error> {
        array.view().try_into()
    }
}

/// Any view to write that gives each element an address of its own; feature `ndarray`.
///
/// The errors are [`Error::SelfOverlap`] and [`Error::Overflow`]; only views that were made by unsafe code can meet them.
///
/// ```
/// use ndarray::{Array2, s};
/// use roofline::{MatMut, MatRef, gemm};
///
/// let (a, mut c) = (Array2::<f32>::ones((2, 5)), Array2::<f32>::zeros((4, 4)));
/// let a = MatRef::try_from(&a)?;
/// let every_second = c.slice_mut(s![..;2, ..;2]);
/// gemm(1.0, a, a.t(), 0.0, MatMut::try_from(every_second)?)?;
/// assert_eq!((c[[2, 2]], c.sum()), (5.0, 20.0));
/// # Ok::<(), roofline::Error>(())
/// ```
impl<'a, T: Element> TryFrom<ArrayViewMut2<'a, T>> for MatMut<'a, T> {
    type Error = Error;

    fn try_from(mut view: ArrayViewMut2<'a, T>) -> Result<Self, Error> {
        let layout = layout(&view);
        // SAFETY: the view is a unique borrow of its elements for 'a, and it was moved here.
        unsafe { MatMut::from_raw(view.as_mut_ptr(), layout) }
    }
}

/// A unique borrow of any two-dimensional array or view, to write; feature `ndarray`.
impl<'a, T: Element, S: DataMut<Elem = T>> TryFrom<&'a mut ArrayBase<S, Ix2>> for MatMut<'a, T> {
    type Error = Error;

    fn try_from(array: &'a mut ArrayBase<S, Ix2>) -> Result<Self, Error> {
        array.view_mut().try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_others_is_checked_for_overlap_and_overflow() {
        let mut data = [0.0_f32; 9];
        let p = data.as_mut_ptr();
        for (row_stride, col_stride) in [(0, 1), (1, 0), (1, 1), (-2, 2)] {
            let layout = Layout { rows: 3, cols: 3, row_stride, col_stride };
            // SAFETY: refused.
            let error = unsafe { MatMut::from_raw(p, layout) }.unwrap_err();
            assert_eq!(error, Error::SelfOverlap { rows: 3, cols: 3, row_stride, col_stride });
        }
        let layout = Layout { rows: 3, cols: 3, row_stride: isize::MIN, col_stride: 1 };
        // SAFETY: refused.
        let (read, write) =
            unsafe { (MatRef::from_raw(p.cast_const(), layout).err(), MatMut::from_raw(p, layout).err()) };
        let overflow = Error::Overflow { rows: 3, cols: 3, row_stride: isize::MIN, col_stride: 1 };
        assert_eq!((read, write), (Some(overflow.clone()), Some(overflow)));
    }
}
