//! What all targets share: an allocator that remembers the largest allocation, and the limit on it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use stemedb_fuzz::Target;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// Feeds a target, and fails where it allocated more at once than its input justifies.
pub fn feed(target: Target, bytes: &[u8]) {
    LARGEST.set(0);
    (target.run)(bytes);
    let largest = LARGEST.get();
    let limit = (target.allocation_bytes_max)(bytes.len());
    assert!(
        largest <= limit,
        "{largest} bytes were allocated at once for an input of {}",
        bytes.len()
    );
}

/// The allocator of the system, which remembers how much was asked for at once.
#[derive(Debug)]
pub struct Watching;

impl Watching {
    fn note(bytes: usize) {
        // A thread that ends has no such memory any more, and allocates nothing that matters.
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
    }
}

// SAFETY: every call is handed to the allocator of the system as it came.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::note(layout.size());
        // SAFETY: the caller keeps the contract of this very call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::note(layout.size());
        // SAFETY: the caller keeps the contract of this very call.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        Self::note(bytes);
        // SAFETY: the caller keeps the contract of this very call.
        unsafe { System.realloc(memory, layout, bytes) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of this very call.
        unsafe { System.dealloc(memory, layout) }
    }
}
