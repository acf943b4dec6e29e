//! Matrices in memory of exactly their extent, with canaries wherever no element lies.

use super::Float;
use roofline::{MatMut, MatRef};

/// How a matrix lies in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Columns are contiguous, not rows.
    pub by_columns: bool,
    /// Unused elements after each element of a row (a column if `by_columns`).
    pub gap: usize,
    /// Unused elements after each row (column).
    pub pad: usize,
    /// Rows in descending order of addresses.
    pub flip_rows: bool,
    /// Columns in descending order of addresses.
    pub flip_cols: bool,
}

impl Layout {
    pub const ROWS: Layout = Layout { by_columns: false, gap: 0, pad: 0, flip_rows: false, flip_cols: false };
    pub const COLS: Layout = Layout { by_columns: true, ..Layout::ROWS };

    /// Each kind once: contiguous, padded, one or both strides negative, no unit stride.
    pub const ALL: [Layout; 10] = [
        Layout::ROWS,
        Layout::COLS,
        Layout { pad: 3, ..Layout::ROWS },
        Layout { pad: 5, ..Layout::COLS },
        Layout { flip_rows: true, ..Layout::ROWS },
        Layout { flip_cols: true, pad: 1, ..Layout::ROWS },
        Layout { flip_rows: true, flip_cols: true, ..Layout::COLS },
        Layout { flip_cols: true, ..Layout::COLS },
        Layout { gap: 1, pad: 2, ..Layout::ROWS },
        Layout { gap: 2, flip_rows: true, flip_cols: true, ..Layout::COLS },
    ];

    /// Row and column stride of a matrix of this shape.
    pub fn strides(self, rows: usize, cols: usize) -> (isize, isize) {
        let inner = 1 + self.gap as isize;
        let outer = if self.by_columns { rows } else { cols } as isize * inner + self.pad as isize;
        let (row, col) = if self.by_columns { (inner, outer) } else { (outer, inner) };
        (if self.flip_rows { -row } else { row }, if self.flip_cols { -col } else { col })
    }
}

/// A matrix that ends where its allocation ends.
#[derive(Clone, Debug)]
pub struct Strided<T> {
    data: Box<[T]>,
    /// Elements of `data` before the extent of the matrix.
    offset: usize,
    pub rows: usize,
    pub cols: usize,
    pub row_stride: isize,
    pub col_stride: isize,
}

impl<T: Float> Strided<T> {
    /// Element (i, j) is `f(i, j)`.
    pub fn new(layout: Layout, rows: usize, cols: usize, f: impl FnMut(usize, usize) -> T) -> Self {
        Self::with_strides(layout.strides(rows, cols), 0, rows, cols, f)
    }

    /// As [`Strided::new`], `offset` elements into the allocation.
    pub fn with_strides(
        (row_stride, col_stride): (isize, isize),
        offset: usize,
        rows: usize,
        cols: usize,
        mut f: impl FnMut(usize, usize) -> T,
    ) -> Self {
        let span = |len: usize, stride: isize| (len - 1) * stride.unsigned_abs();
        let extent = if rows == 0 || cols == 0 { 0 } else { span(rows, row_stride) + span(cols, col_stride) + 1 };
        let data = vec![T::CANARY; offset + extent].into_boxed_slice();
        let mut matrix = Self { data, offset, rows, cols, row_stride, col_stride };
        for i in 0..rows {
            for j in 0..cols {
                matrix.data[matrix.index(i, j)] = f(i, j);
            }
        }
        matrix
    }

    /// Where element (i, j) lies. A negative stride starts at the far end.
    pub fn index(&self, i: usize, j: usize) -> usize {
        let step = |at: usize, len: usize, stride: isize| {
            if stride < 0 { (len - 1 - at) * stride.unsigned_abs() } else { at * stride as usize }
        };
        self.offset + step(i, self.rows, self.row_stride) + step(j, self.cols, self.col_stride)
    }

    /// All of its memory, gaps included.
    pub fn memory(&self) -> &[T] {
        &self.data[self.offset..]
    }

    pub fn get(&self, i: usize, j: usize) -> T {
        self.data[self.index(i, j)]
    }

    pub fn set(&mut self, i: usize, j: usize, value: T) {
        self.data[self.index(i, j)] = value;
    }

    pub fn view(&self) -> MatRef<'_, T> {
        let Self { rows, cols, row_stride, col_stride, .. } = *self;
        MatRef::from_slice_with_strides(&self.data[self.offset..], rows, cols, row_stride, col_stride)
            .expect("the data have the extent of the matrix")
    }

    pub fn view_mut(&mut self) -> MatMut<'_, T> {
        let Self { rows, cols, row_stride, col_stride, .. } = *self;
        MatMut::from_slice_with_strides(&mut self.data[self.offset..], rows, cols, row_stride, col_stride)
            .expect("the data have the extent of the matrix, and layouts do not overlap")
    }

    /// The address of element (0, 0), for calls on raw pointers.
    pub fn origin_mut(&mut self) -> *mut T {
        let index = if self.rows == 0 || self.cols == 0 { 0 } else { self.index(0, 0) };
        self.data.as_mut_ptr().wrapping_add(index)
    }

    /// The elements, row after row.
    pub fn to_vec(&self) -> Vec<T> {
        (0..self.rows).flat_map(|i| (0..self.cols).map(move |j| self.get(i, j))).collect()
    }

    /// Whether every place without an element still holds its canary.
    pub fn gaps_untouched(&self) -> bool {
        let mut is_gap = vec![true; self.data.len()];
        for i in 0..self.rows {
            for j in 0..self.cols {
                is_gap[self.index(i, j)] = false;
            }
        }
        self.data.iter().zip(is_gap).all(|(x, is_gap)| !is_gap || x.bits() == T::CANARY.bits())
    }
}
