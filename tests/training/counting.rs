//! The allocator of these tests counts for each thread alone, so that tests beside it do not matter.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    /// Allocations of this thread so far.
    pub static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// Bytes that this thread has, and the most that it had.
    pub static HELD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        let (held, most) = HELD.get();
        let held = held.saturating_add(layout.size());
        HELD.set((held, most.max(held)));
        // SAFETY: the caller's debt.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let (held, most) = HELD.get();
        // What another thread allocated may go here.
        HELD.set((held.saturating_sub(layout.size()), most));
        // SAFETY: the caller's debt.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
