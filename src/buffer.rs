//! [`AlignedVec`]: memory that starts on a cache line, for matrices, parameters and packing; and the thread's workspace.

use crate::element::Element;
use crate::error::Error;
use core::cell::Cell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

/// One cache line, which is also one vector.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A vector of elements that starts on a 64-byte boundary and holds zeros at first.
pub(crate) struct AlignedVec<T> {
    lines: Vec<Line>,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Element> AlignedVec<T> {
    pub(crate) fn zeros(len: usize) -> Self {
        Self { lines: vec![Line([0; 64]); len.div_ceil(T::LANES)], len, element: PhantomData }
    }
}

impl<T: Element> Deref for AlignedVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines are `len` elements or more, initialised, and aligned for T; every bit pattern is a float.
        unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Element> DerefMut for AlignedVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`; the borrow is unique.
        unsafe { core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl<T> Clone for AlignedVec<T> {
    fn clone(&self) -> Self {
        Self { lines: self.lines.clone(), ..*self }
    }
}

thread_local! {
    static WORKSPACE: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Calls `f` with `len` elements of scratch memory of this thread, of any content. Allocates only when the thread has
/// never needed as much. A call from within `f` gets memory of its own: a worker that waits may run other work.
#[inline]
pub(crate) fn with_workspace<T: Element, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    if len == 0 { f(&mut []) } else { with_lines(len, f) }
}

/// Makes sure that [`with_workspace`] has memory for `len` elements: for sizes that are not those of memory which is there already.
///
/// # Errors
/// [`Error::WorkingMemory`].
pub(crate) fn reserve_workspace<T: Element>(len: usize) -> Result<(), Error> {
    if len == 0 {
        return Ok(());
    }
    let mut space = WORKSPACE.take();
    let missing = len.div_ceil(T::LANES).saturating_sub(space.len());
    let result = space.try_reserve(missing);
    WORKSPACE.set(space);
    result.map_err(|_| Error::WorkingMemory { elements: len })
}

/// [`with_workspace`] of at least one element.
fn with_lines<T: Element, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let lines = len.div_ceil(T::LANES);
    let mut space = WORKSPACE.take();
    if space.len() < lines {
        space.resize(lines, Line([0; 64]));
    }
    // SAFETY: as for `AlignedVec`: `lines` initialised lines hold `len` elements.
    let result = f(unsafe { core::slice::from_raw_parts_mut(space.as_mut_ptr().cast(), len) });
    WORKSPACE.set(space);
    result
}
