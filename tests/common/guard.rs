//! Memory between two pages that nobody may touch: any access beyond either end is a fault.

use core::ops::{Deref, DerefMut};
use core::ptr::{copy_nonoverlapping, null_mut};
use core::slice;

/// Which end of the memory lies at the end of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    Start,
    End,
}

impl Flush {
    pub const BOTH: [Flush; 2] = [Flush::Start, Flush::End];
}

/// Elements flush against an unmapped page.
pub struct Guarded<T> {
    map: *mut libc::c_void,
    bytes: usize,
    data: *mut T,
    len: usize,
}

impl<T: Copy> Guarded<T> {
    pub fn new(values: &[T], flush: Flush) -> Self {
        // SAFETY: an ordinary call.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a page size");
        let room = size_of_val(values).next_multiple_of(page).max(page);
        let bytes = room + 2 * page;
        let (private, anonymous) = (libc::MAP_PRIVATE, libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping; the pages between the first and the last are opened, and `data` lies within them.
        unsafe {
            let map = libc::mmap(null_mut(), bytes, libc::PROT_NONE, private | anonymous, -1, 0);
            assert_ne!(map, libc::MAP_FAILED, "mmap of {bytes} bytes");
            let first = map.byte_add(page);
            assert_eq!(libc::mprotect(first, room, libc::PROT_READ | libc::PROT_WRITE), 0, "mprotect");
            let data = match flush {
                Flush::Start => first,
                Flush::End => first.byte_add(room - size_of_val(values)),
            };
            let data = data.cast::<T>();
            copy_nonoverlapping(values.as_ptr(), data, values.len());
            Self { map, bytes, data, len: values.len() }
        }
    }
}

impl<T> Deref for Guarded<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `new` wrote `len` elements there.
        unsafe { slice::from_raw_parts(self.data, self.len) }
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`; the borrow is unique.
        unsafe { slice::from_raw_parts_mut(self.data, self.len) }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, which nobody uses any more.
        unsafe { libc::munmap(self.map, self.bytes) };
    }
}
