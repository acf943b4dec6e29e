//! Views of any shape and strides: accepted exactly where every element lies in the slice, and an output where no two share
//! an address.

use arbitrary::Arbitrary;
use roofline::{Error, MatMut, MatRef};
use std::collections::HashSet;

#[derive(Arbitrary, Clone, Debug)]
pub struct Plan {
    len: u8,
    rows: Extent,
    cols: Extent,
    row_stride: Stride,
    col_stride: Stride,
    range: (Extent, Extent),
}

/// A number of rows or columns.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Extent {
    Small(u8),
    Any(usize),
    /// So far from the end of the type.
    Huge(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Stride {
    Small(i8),
    Any(isize),
    Least(u8),
    Most(u8),
}

impl Extent {
    fn get(self) -> usize {
        match self {
            Extent::Small(n) => n as usize % 20,
            Extent::Any(n) => n,
            Extent::Huge(n) => usize::MAX - n as usize,
        }
    }
}

impl Stride {
    fn get(self) -> isize {
        match self {
            Stride::Small(n) => n as isize % 32,
            Stride::Any(n) => n,
            Stride::Least(n) => isize::MIN + n as isize,
            Stride::Most(n) => isize::MAX - n as isize,
        }
    }
}

impl Plan {
    /// Panics unless views are accepted where they should be, and hold what they should.
    pub fn run(&self) {
        let data: Box<[f32]> = (0..self.len).map(f32::from).collect();
        let (rows, cols) = (self.rows.get(), self.cols.get());
        let (row, col) = (self.row_stride.get(), self.col_stride.get());
        let view = MatRef::from_slice_with_strides(&data, rows, cols, row, col);
        let extent = extent(rows, cols, row, col);
        let fits = extent.is_some_and(|needed| needed <= data.len() as u128);
        assert_eq!(view.is_ok(), fits, "{self:?}: {view:?}");
        match view {
            Ok(view) => self.check_view(view, &data),
            Err(Error::TooShort { needed, found, .. }) => {
                assert_eq!((Some(needed as u128), found), (extent, data.len()), "{self:?}");
            }
            Err(error) => assert_eq!(error, Error::Overflow { rows, cols, row_stride: row, col_stride: col }),
        }
        let contiguous = MatRef::from_slice(&data, rows, cols);
        let fits = rows.checked_mul(cols).is_some_and(|len| len <= data.len()) && isize::try_from(cols).is_ok();
        assert_eq!(contiguous.is_ok(), fits, "{self:?}: {contiguous:?}");
        self.check_output(data, (rows, cols), (row, col));
    }

    /// Every element is where it should be, in the view, its transpose and a range of its rows.
    fn check_view(&self, view: MatRef<'_, f32>, data: &[f32]) {
        let (rows, cols) = (view.rows(), view.cols());
        let (start, end) = (self.range.0.get(), self.range.1.get());
        let part = view.row_range(start, end);
        assert_eq!(part.is_ok(), start <= end && end <= rows, "{self:?}");
        for i in sample(rows) {
            for j in sample(cols) {
                let at = place(i, rows, view.row_stride()) + place(j, cols, view.col_stride());
                assert_eq!(view.get(i, j), Some(data[at]), "{self:?} ({i}, {j})");
                assert_eq!(view.t().get(j, i), Some(data[at]), "{self:?} ({i}, {j})");
                if let Some(part) = part.as_ref().ok().filter(|_| (start..end).contains(&i)) {
                    assert_eq!(part.get(i - start, j), Some(data[at]), "{self:?} ({i}, {j})");
                }
            }
        }
        assert_eq!((view.get(rows, 0), view.get(0, cols), view.get(usize::MAX, usize::MAX)), (None, None, None));
    }

    /// Writes touch one element each; views that overlap themselves are refused.
    fn check_output(&self, mut data: Box<[f32]>, (rows, cols): (usize, usize), (row, col): (isize, isize)) {
        let fits = extent(rows, cols, row, col).is_some_and(|needed| needed <= data.len() as u128);
        let is_small = rows <= 64 && cols <= 64;
        let mut view = match MatMut::from_slice_with_strides(&mut data, rows, cols, row, col) {
            Ok(view) => view,
            Err(Error::SelfOverlap { .. }) => {
                assert!(!is_small || overlaps(rows, cols, row, col), "{self:?}");
                return;
            }
            Err(_) => return assert!(!fits, "{self:?}"),
        };
        assert!(fits && !(is_small && overlaps(rows, cols, row, col)), "{self:?}");
        for i in sample(rows) {
            for j in sample(cols) {
                view.set(i, j, 1000.0).expect("it is below the shape");
                assert_eq!(view.reborrow().t().get(j, i), Some(1000.0));
                view.set(i, j, -1.0).expect("it is below the shape");
            }
        }
        assert!(view.set(rows, 0, 0.0).is_err() && view.set(0, cols, 0.0).is_err());
        if is_small {
            assert_eq!(data.iter().filter(|&&x| x == -1.0).count(), rows * cols, "{self:?}");
        }
    }
}

/// Elements from the lowest address to the highest; `None` where they are more than any slice has.
fn extent(rows: usize, cols: usize, row: isize, col: isize) -> Option<u128> {
    if rows == 0 || cols == 0 {
        return Some(0);
    }
    let span = |len: usize, stride: isize| (len as u128 - 1) * stride.unsigned_abs() as u128;
    span(rows, row).checked_add(span(cols, col))?.checked_add(1)
}

/// Where an index lies along its stride, counted from the lowest address.
fn place(at: usize, len: usize, stride: isize) -> usize {
    (if stride < 0 { len - 1 - at } else { at }) * stride.unsigned_abs()
}

/// All small indices, and the last.
fn sample(len: usize) -> impl Iterator<Item = usize> + Clone {
    (0..len.min(64)).chain(len.checked_sub(1).filter(|&last| last >= 64))
}

/// Whether two elements share an address, by trying them all.
fn overlaps(rows: usize, cols: usize, row: isize, col: isize) -> bool {
    let mut seen = HashSet::new();
    let address = |i: usize, j: usize| i as i128 * row as i128 + j as i128 * col as i128;
    (0..rows).any(|i| (0..cols).any(|j| !seen.insert(address(i, j))))
}
