//! Matrices as rows that lie contiguous in memory.

use crate::buffer::{reserve_workspace, with_workspace};
use crate::element::Element;
use crate::error::Error;
use crate::kernels::rows::{Lines, Rows};
use crate::matrix::{MatMut, MatRef};

/// Calls `f` with rows of x and w to read and y to write, and with `scratch` elements of memory. Without x, y is read too; without
/// w or y they are x. Where columns lie apart, `f` gets copies in the workspace, y in place of x, which is written back.
///
/// # Errors
/// [`Error::WorkingMemory`]: a view may repeat elements, and its copy be larger than any memory. Nothing was done then.
pub(crate) fn with_rows<T: Element, R>(
    x: Option<MatRef<'_, T>>,
    w: Option<MatRef<'_, T>>,
    mut y: Option<MatMut<'_, T>>,
    scratch: usize,
    f: impl FnOnce(Rows<T>, &mut [T]) -> R,
) -> Result<R, Error> {
    let y_lines = y.as_mut().map(|y| Lines { ptr: y.as_mut_ptr(), step: y.row_stride() });
    let shape = |x: MatRef<'_, T>| (x.rows(), x.cols());
    let (count, cols) = x.map(shape).or(y.as_ref().map(|y| shape(y.as_ref()))).expect("x or y is given");
    let col_strides = [x.map(|x| x.col_stride()), w.map(|w| w.col_stride()), y.as_ref().map(|y| y.col_stride())];
    if cols <= 1 || col_strides.into_iter().flatten().all(|stride| stride == 1) {
        let lines = |matrix: MatRef<'_, T>| Lines { ptr: matrix.as_ptr().cast_mut(), step: matrix.row_stride() };
        let first = x.map(lines).or(y_lines).expect("x or y is given");
        let rows = Rows { count, cols, x: first, w: w.map_or(first, lines), y: y_lines.unwrap_or(first) };
        reserve_workspace::<T>(scratch)?;
        return Ok(with_workspace(scratch, |scratch| f(rows, scratch)));
    }
    let size = count.saturating_mul(cols);
    let needed = size.saturating_mul(1 + usize::from(w.is_some())).saturating_add(scratch);
    reserve_workspace::<T>(needed)?;
    Ok(with_workspace(needed, |space| {
        let (copy, rest) = space.split_at_mut(size);
        let first = filled(copy, x.or(y.as_ref().map(MatMut::as_ref)).expect("x or y is given"));
        let (copy_of_w, scratch) = rest.split_at_mut(w.map_or(0, |_| size));
        let w = w.map_or(first, |w| filled(copy_of_w, w));
        let result = f(Rows { count, cols, x: first, w, y: first }, scratch);
        if let Some(y) = &mut y {
            for at in 0..size {
                // SAFETY: the copy has that many elements.
                let value = unsafe { *first.ptr.add(at) };
                y.set(at / cols, at % cols, value).expect("the index is below the shape");
            }
        }
        result
    }))
}

/// The rows of a copy of x.
fn filled<T: Element>(copy: &mut [T], x: MatRef<'_, T>) -> Lines<T> {
    let cols = x.cols();
    for (at, value) in copy.iter_mut().enumerate() {
        *value = x.get(at / cols, at % cols).unwrap_or_default();
    }
    Lines { ptr: copy.as_mut_ptr(), step: cols as isize }
}
