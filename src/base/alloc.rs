//! The process's allocator: mimalloc, with the bytes in use counted per thread so that INFO can tell them.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

use crossbeam_utils::CachePadded;
use mimalloc::MiMalloc;

/// Threads beyond this share the last lane, which is then updated with an atomic addition.
const LANES: usize = 256;

static USED: [CachePadded<AtomicIsize>; LANES] =
    [const { CachePadded::new(AtomicIsize::new(0)) }; LANES];
static NEXT_LANE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LANE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Counts what it hands out. A lane belongs to one thread, so a plain load and store replaces a locked addition.
pub struct CountingAllocator;

#[inline]
fn count(bytes: isize) {
    let lane = LANE.try_with(|lane| match lane.get() {
        usize::MAX => {
            let next = NEXT_LANE.fetch_add(1, Relaxed).min(LANES - 1);
            lane.set(next);
            next
        }
        known => known,
    });
    match lane {
        Ok(lane) if lane < LANES - 1 => USED[lane].store(USED[lane].load(Relaxed) + bytes, Relaxed),
        _ => {
            USED[LANES - 1].fetch_add(bytes, Relaxed);
        }
    }
}

/// Bytes that the program has asked for and not given back.
pub fn used() -> usize {
    USED.iter()
        .map(|lane| lane.load(Relaxed))
        .sum::<isize>()
        .max(0) as usize
}

// SAFETY: every call is passed to mimalloc unchanged; counting touches no allocation (the thread-local is const-made).
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's contract is the same.
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's contract is the same.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's contract is the same.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's contract is the same.
        unsafe { MiMalloc.realloc(pointer, layout, size) }
    }
}
