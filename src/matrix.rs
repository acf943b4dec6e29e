//! Strided views, checked once at construction, and the owned matrix.
//!
//! ```text
//! MatRef { 2×3, row_stride 4, col_stride 1 }        t(): 3×2, row_stride 1, col_stride 4
//!
//!   data: [ a b c · d e f · ]                         a d
//!           └───┘   └───┘                             b e
//!           row 0   row 1                             c f
//! ```
//!
//! Element (i, j) lies at `i·row_stride + j·col_stride`, counted from element (0, 0). A negative stride walks backward:
//! the view then begins at the other end, so that its lowest address is always `data[0]`.

use crate::buffer::AlignedVec;
use crate::element::Element;
use crate::error::Error;
use core::any::type_name;
use core::fmt;
use core::marker::PhantomData;

/// Shape and strides of a view whose every address has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row_stride: isize,
    pub(crate) col_stride: isize,
}

/// Where a view lies in its slice: elements that it needs, and the offset of element (0, 0).
pub(crate) struct Extent {
    pub(crate) needed: usize,
    pub(crate) origin: usize,
}

/// Views with lengths and strides below this fit: two products of them are fewer than isize::MAX / 16 elements apart.
const LARGE: usize = 1 << (usize::BITS / 2 - 3);

impl Layout {
    /// The elements that the view spans, `Err` where an address overflows `isize` bytes.
    #[inline]
    pub(crate) fn extent<T>(self) -> Result<Extent, Error> {
        let Self { rows, cols, row_stride, col_stride } = self;
        if rows == 0 || cols == 0 {
            return Ok(Extent { needed: 0, origin: 0 });
        }
        if Self::is_large(self.bits()) {
            return self.large_extent::<T>();
        }
        let (last_row, last_col) = ((rows - 1) as isize * row_stride, (cols - 1) as isize * col_stride);
        let (low, high) = (last_row.min(0) + last_col.min(0), last_row.max(0) + last_col.max(0));
        Ok(Extent { needed: (high - low) as usize + 1, origin: low.unsigned_abs() })
    }

    /// The bits of lengths and strides.
    #[inline]
    pub(crate) fn bits(self) -> usize {
        self.rows | self.cols | self.row_stride.unsigned_abs() | self.col_stride.unsigned_abs()
    }

    /// Whether a length or stride of these [`Layout::bits`] is so large that addresses may overflow.
    #[inline]
    pub(crate) fn is_large(bits: usize) -> bool {
        bits >= LARGE
    }

    /// [`Layout::extent`] of lengths and strides that 64 bits may be too few for; in 128 it takes 5 ns.
    #[cold]
    fn large_extent<T>(self) -> Result<Extent, Error> {
        let Self { rows, cols, row_stride, col_stride } = self;
        let last_row = (rows - 1) as i128 * row_stride as i128;
        let last_col = (cols - 1) as i128 * col_stride as i128;
        // Each product is below 2¹²⁷ in magnitude; their sums may not be.
        let low = last_row.min(0).checked_add(last_col.min(0));
        let high = last_row.max(0).checked_add(last_col.max(0));
        let span = low.zip(high).and_then(|(low, high)| high.checked_sub(low)?.checked_add(1).zip(low.checked_neg()));
        match span {
            Some((needed, origin)) if needed <= isize::MAX as i128 / size_of::<T>() as i128 => {
                Ok(Extent { needed: needed as usize, origin: origin as usize })
            }
            _ => Err(Error::Overflow { rows, cols, row_stride, col_stride }),
        }
    }

    /// Whether two different elements share an address: i·rs + j·cs = 0 for some |i| < rows, |j| < cols. The least such
    /// pair is (cs, rs) / gcd(rs, cs).
    #[inline]
    pub(crate) fn overlaps_itself(self) -> bool {
        let (rs, cs) = (self.row_stride.unsigned_abs(), self.col_stride.unsigned_abs());
        let are_apart = cs == 1 && rs >= self.cols || rs == 1 && cs >= self.rows;
        !are_apart && self.shares_addresses()
    }

    /// [`Layout::overlaps_itself`] of any strides.
    #[cold]
    fn shares_addresses(self) -> bool {
        if self.rows == 0 || self.cols == 0 {
            return false;
        }
        let (rs, cs) = (self.row_stride.unsigned_abs(), self.col_stride.unsigned_abs());
        match gcd(rs, cs) {
            0 => self.rows > 1 || self.cols > 1,
            g => (cs / g) < self.rows && (rs / g) < self.cols,
        }
    }

    pub(crate) fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride }
    }

    #[inline]
    pub(crate) fn reject_overlap(self) -> Result<(), Error> {
        let Self { rows, cols, row_stride, col_stride } = self;
        if self.overlaps_itself() {
            return Err(Error::SelfOverlap { rows, cols, row_stride, col_stride });
        }
        Ok(())
    }

    /// Wraps: an empty view may have any strides.
    fn offset(self, i: usize, j: usize) -> isize {
        (i as isize).wrapping_mul(self.row_stride).wrapping_add((j as isize).wrapping_mul(self.col_stride))
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A matrix that is read, any strides.
///
/// ```
/// use roofline::MatRef;
/// let data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let a = MatRef::from_slice(&data, 2, 3)?;
/// assert_eq!(a.get(1, 0), Some(4.0));
/// assert_eq!(a.t().get(0, 1), Some(4.0));
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct MatRef<'a, T> {
    ptr: *const T,
    layout: Layout,
    data: PhantomData<&'a [T]>,
}

/// A matrix that is written, any strides that give each element an address of its own.
///
/// ```
/// use roofline::MatMut;
/// let mut data = [0.0_f32; 8];
/// let mut c = MatMut::from_slice_with_strides(&mut data, 2, 3, 4, 1)?;
/// c.set(1, 2, 7.0)?;
/// assert_eq!(data[6], 7.0);
/// # Ok::<(), roofline::Error>(())
/// ```
pub struct MatMut<'a, T> {
    ptr: *mut T,
    layout: Layout,
    data: PhantomData<&'a mut [T]>,
}

// SAFETY: a view is a borrow of a slice of T, which is Send and Sync.
unsafe impl<T: Sync> Send for MatRef<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for MatRef<'_, T> {}
// SAFETY: a view is a unique borrow of its elements.
unsafe impl<T: Send> Send for MatMut<'_, T> {}
// SAFETY: a shared `MatMut` gives reads only.
unsafe impl<T: Sync> Sync for MatMut<'_, T> {}

/// Checks a view of `len` elements and gives the offset of its element (0, 0).
fn check<T>(what: &'static str, len: usize, layout: Layout) -> Result<usize, Error> {
    let Extent { needed, origin } = layout.extent::<T>()?;
    if needed > len {
        return Err(Error::TooShort { what, needed, found: len });
    }
    Ok(origin)
}

impl<'a, T: Element> MatRef<'a, T> {
    /// Row-major `rows`×`cols` at the start of `data`.
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::Overflow`].
    pub fn from_slice(data: &'a [T], rows: usize, cols: usize) -> Result<Self, Error> {
        Self::from_slice_with_strides(data, rows, cols, row_stride(rows, cols)?, 1)
    }

    /// Any strides, in elements; see the module for negative ones.
    ///
    /// # Errors
    /// [`Error::TooShort`] where an element would lie outside `data`, [`Error::Overflow`].
    ///
    /// ```
    /// use roofline::MatRef;
    /// let upside_down = MatRef::from_slice_with_strides(&[1.0, 2.0, 3.0, 4.0], 2, 2, -2, 1)?;
    /// assert_eq!(upside_down.get(0, 0), Some(3.0));
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn from_slice_with_strides(
        data: &'a [T],
        rows: usize,
        cols: usize,
        row_stride: isize,
        col_stride: isize,
    ) -> Result<Self, Error> {
        let layout = Layout { rows, cols, row_stride, col_stride };
        let origin = check::<T>("matrix", data.len(), layout)?;
        Ok(Self { ptr: data.as_ptr().wrapping_add(origin), layout, data: PhantomData })
    }

    /// A view of memory that another library keeps, `ptr` the address of element (0, 0), any strides.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    ///
    /// # Safety
    /// For `'a`, every element of the view can be read and none is written.
    #[cfg(feature = "ndarray")]
    pub(crate) unsafe fn from_raw(ptr: *const T, layout: Layout) -> Result<Self, Error> {
        layout.extent::<T>()?;
        Ok(Self { ptr, layout, data: PhantomData })
    }

    /// Element (i, j), `None` outside the matrix.
    pub fn get(self, i: usize, j: usize) -> Option<T> {
        // SAFETY: within the shape every address was checked at construction.
        (i < self.rows() && j < self.cols()).then(|| unsafe { *self.ptr.offset(self.layout.offset(i, j)) })
    }

    /// Transposed view: no element moves.
    #[must_use]
    pub fn t(self) -> Self {
        Self { layout: self.layout.transposed(), ..self }
    }

    /// Rows `start..end`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `start <= end <= rows`.
    pub fn row_range(self, start: usize, end: usize) -> Result<Self, Error> {
        let layout = row_range(self.layout, start, end)?;
        Ok(Self { ptr: self.ptr.wrapping_offset(self.layout.offset(start, 0)), layout, ..self })
    }

    pub(crate) fn as_ptr(self) -> *const T {
        self.ptr
    }
}

impl<'a, T: Element> MatMut<'a, T> {
    /// Row-major `rows`×`cols` at the start of `data`.
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::Overflow`].
    pub fn from_slice(data: &'a mut [T], rows: usize, cols: usize) -> Result<Self, Error> {
        Self::from_slice_with_strides(data, rows, cols, row_stride(rows, cols)?, 1)
    }

    /// Any strides, in elements, that give each element an address of its own.
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::Overflow`], [`Error::SelfOverlap`].
    pub fn from_slice_with_strides(
        data: &'a mut [T],
        rows: usize,
        cols: usize,
        row_stride: isize,
        col_stride: isize,
    ) -> Result<Self, Error> {
        let layout = Layout { rows, cols, row_stride, col_stride };
        let origin = check::<T>("output matrix", data.len(), layout)?;
        layout.reject_overlap()?;
        Ok(Self { ptr: data.as_mut_ptr().wrapping_add(origin), layout, data: PhantomData })
    }

    /// As [`MatRef::from_raw`], to write.
    ///
    /// # Errors
    /// [`Error::Overflow`], [`Error::SelfOverlap`].
    ///
    /// # Safety
    /// For `'a`, every element of the view can be read and written, and nothing else uses it.
    #[cfg(feature = "ndarray")]
    pub(crate) unsafe fn from_raw(ptr: *mut T, layout: Layout) -> Result<Self, Error> {
        layout.extent::<T>()?;
        layout.reject_overlap()?;
        Ok(Self { ptr, layout, data: PhantomData })
    }

    /// Element (i, j), `None` outside the matrix.
    pub fn get(&self, i: usize, j: usize) -> Option<T> {
        self.as_ref().get(i, j)
    }

    /// Writes element (i, j).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] outside the matrix.
    pub fn set(&mut self, i: usize, j: usize, value: T) -> Result<(), Error> {
        for (what, index, count) in [("row", i, self.rows()), ("column", j, self.cols())] {
            if index >= count {
                return Err(Error::OutOfRange { what, value: index as f64, allowed: "below the size of the matrix" });
            }
        }
        // SAFETY: within the shape every address was checked at construction.
        unsafe { *self.ptr.offset(self.layout.offset(i, j)) = value };
        Ok(())
    }

    /// The same matrix, to read.
    pub fn as_ref(&self) -> MatRef<'_, T> {
        MatRef { ptr: self.ptr, layout: self.layout, data: PhantomData }
    }

    /// A shorter borrow of the same matrix.
    pub fn reborrow(&mut self) -> MatMut<'_, T> {
        MatMut { ptr: self.ptr, layout: self.layout, data: PhantomData }
    }

    /// Transposed view: no element moves.
    #[must_use]
    pub fn t(self) -> Self {
        Self { layout: self.layout.transposed(), ..self }
    }

    /// Rows `start..end`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `start <= end <= rows`.
    pub fn row_range(self, start: usize, end: usize) -> Result<Self, Error> {
        let layout = row_range(self.layout, start, end)?;
        Ok(Self { ptr: self.ptr.wrapping_offset(self.layout.offset(start, 0)), layout, ..self })
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut T {
        self.ptr
    }
}

/// Shape and strides, for both views.
macro_rules! shape {
    ($($view:ident),*) => {$(
        impl<T> $view<'_, T> {
            /// Number of rows.
            pub fn rows(&self) -> usize {
                self.layout.rows
            }
            /// Number of columns.
            pub fn cols(&self) -> usize {
                self.layout.cols
            }
            /// Elements from one row to the next.
            pub fn row_stride(&self) -> isize {
                self.layout.row_stride
            }
            /// Elements from one column to the next.
            pub fn col_stride(&self) -> isize {
                self.layout.col_stride
            }
        }

        impl<T> fmt::Debug for $view<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Layout { rows, cols, row_stride, col_stride } = self.layout;
                write!(f, "{}<{}>({rows}×{cols}, strides ({row_stride}, {col_stride}))", stringify!($view), type_name::<T>())
            }
        }
    )*};
}

shape!(MatRef, MatMut);

fn row_stride(rows: usize, cols: usize) -> Result<isize, Error> {
    isize::try_from(cols).map_err(|_| Error::Overflow { rows, cols, row_stride: isize::MAX, col_stride: 1 })
}

fn row_range(layout: Layout, start: usize, end: usize) -> Result<Layout, Error> {
    if end > layout.rows {
        return Err(Error::OutOfRange {
            what: "end of a row range",
            value: end as f64,
            allowed: "at most the number of rows",
        });
    }
    if start > end {
        return Err(Error::OutOfRange {
            what: "start of a row range",
            value: start as f64,
            allowed: "at most its end",
        });
    }
    Ok(Layout { rows: end - start, ..layout })
}

/// An owned row-major matrix whose memory starts on a cache line.
///
/// ```
/// use roofline::Mat;
/// let identity = Mat::from_fn(3, 3, |i, j| if i == j { 1.0_f32 } else { 0.0 });
/// assert_eq!(identity.as_ref().get(2, 2), Some(1.0));
/// ```
#[derive(Clone)]
pub struct Mat<T> {
    data: AlignedVec<T>,
    rows: usize,
    cols: usize,
}

impl<T: Element> Mat<T> {
    /// All zeros.
    ///
    /// # Panics
    /// Where `rows · cols` elements do not fit in memory, as `Vec` does.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        let len = rows.checked_mul(cols).expect("rows · cols overflows usize");
        Self { data: AlignedVec::zeros(len), rows, cols }
    }

    /// Element (i, j) is `f(i, j)`.
    ///
    /// # Panics
    /// As [`Mat::zeros`].
    pub fn from_fn(rows: usize, cols: usize, mut f: impl FnMut(usize, usize) -> T) -> Self {
        let mut mat = Self::zeros(rows, cols);
        for (i, row) in mat.data.chunks_exact_mut(cols.max(1)).enumerate() {
            row.iter_mut().enumerate().for_each(|(j, x)| *x = f(i, j));
        }
        mat
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The elements, row after row.
    pub fn as_slice(&self) -> &[T] {
        &self.data
    }

    /// The elements, row after row.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// View to read.
    pub fn as_ref(&self) -> MatRef<'_, T> {
        MatRef { ptr: self.data.as_ptr(), layout: self.layout(), data: PhantomData }
    }

    /// View to write.
    pub fn as_mut(&mut self) -> MatMut<'_, T> {
        MatMut { ptr: self.data.as_mut_ptr(), layout: self.layout(), data: PhantomData }
    }

    fn layout(&self) -> Layout {
        // The elements exist, so cols ≤ isize::MAX unless there are no rows.
        Layout { rows: self.rows, cols: self.cols, row_stride: self.cols as isize, col_stride: 1 }
    }
}

impl<T> fmt::Debug for Mat<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mat<{}>({}×{})", type_name::<T>(), self.rows, self.cols)
    }
}
