//! The process's allocator: mimalloc, with the bytes in use counted per thread so that INFO can tell them.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_long, c_void};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::Relaxed};

use crossbeam_utils::CachePadded;
use mimalloc::MiMalloc;

/// Threads beyond this share the last lane, which is then updated with an atomic addition.
const LANES: usize = 256;

/// The allocator aligns to this unasked. To ask costs more than to allocate.
const ALIGNED: usize = 8;

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
    // Lanes that no thread has had yet are not looked at: this is called often while memory is short.
    let threads = NEXT_LANE.load(Relaxed).min(LANES - 1);
    let lanes = USED[..threads].iter().chain(USED.last());
    lanes.map(|lane| lane.load(Relaxed)).sum::<isize>().max(0) as usize
}

/// Bytes that this thread has asked for, less those that it has given back, whoever had asked for them.
#[inline]
pub fn own() -> isize {
    let lane = LANE.try_with(Cell::get).unwrap_or(LANES - 1);
    USED.get(lane).map_or(0, |lane| lane.load(Relaxed))
}

/// The allocator's name and version.
pub fn name() -> String {
    // SAFETY: a pure function.
    let version = unsafe { libmimalloc_sys::mi_version() };
    // Three digits and more: 223 is 2.2.3, 30201 is 3.2.1.
    let (major, minor, patch) = if version >= 10_000 {
        (version / 10_000, version / 100 % 100, version % 100)
    } else {
        (version / 100, version / 10 % 10, version % 10)
    };
    format!("mimalloc-{major}.{minor}.{patch}")
}

/// Gives what this thread has freed, and what ended threads have left, back to the system.
pub fn purge() {
    // SAFETY: collecting is allowed at any time; it only frees what nobody uses.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

/// Chooses whether freed runs of pages go back to the system at once. That costs system calls and, when memory is taken
/// again, page faults; but what is kept for reuse fits what comes next only in part.
pub fn return_at_once(on: bool) {
    /// `mi_option_purge_delay`, which the bindings do not name.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    /// Milliseconds for which the allocator keeps freed pages by itself.
    const USUAL_DELAY: c_long = 10;
    let delay = if on { 0 } else { USUAL_DELAY };
    // SAFETY: an option may be set at any time; it is read anew each time that pages are freed.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, delay) }
}

/// Whether a block lies in one of this thread's pages of which a good part is free, and which is not the one that its next
/// blocks of this size come from: then a copy of it fills another page, and this one comes closer to being given back.
pub fn is_sparse(block: *const u8) -> bool {
    /// Percent of a page that are in use at most.
    const SPARSE: usize = 85;
    // SAFETY: the block is alive, so its page is. Counts of other threads' pages are read and then not used.
    unsafe {
        let heap = libmimalloc_sys::mi_heap_get_default();
        libmimalloc_sys::mi_unsafe_heap_page_is_under_utilized(
            heap,
            block.cast_mut().cast(),
            SPARSE,
        )
    }
}

/// Blocks from this size on hold whole pages of the system, wherever they lie.
const PART_FROM: usize = 2 * SYSTEM_PAGE;
const SYSTEM_PAGE: usize = 4096;

static RETURNS_PARTS: AtomicBool = AtomicBool::new(false);

/// Chooses whether the memory of a freed block goes back to the system though its neighbours are in use, as far as it consists
/// of whole pages. That costs a system call and, when the block is taken again, page faults.
pub fn return_parts(on: bool) {
    RETURNS_PARTS.store(on, Relaxed);
}

/// # Safety
/// The block is about to be freed, and was that large.
#[cold]
unsafe fn return_part(pointer: *mut u8, size: usize) {
    // The allocator keeps a word at the beginning of what is free.
    let from = (pointer.addr() + size_of::<usize>()).next_multiple_of(SYSTEM_PAGE);
    let to = (pointer.addr() + size) / SYSTEM_PAGE * SYSTEM_PAGE;
    if from < to {
        // SAFETY: nobody reads what is in a block that is free, and the range lies within it. Should it fail, the memory stays.
        unsafe {
            libc::madvise(
                pointer.with_addr(from).cast(),
                to - from,
                libc::MADV_DONTNEED,
            );
        }
    }
}

/// The allocator's own report, for people.
pub fn report() -> String {
    unsafe extern "C" fn add(text: *const c_char, out: *mut c_void) {
        // SAFETY: mimalloc passes a C string, and the pointer that it was given with the function.
        let (text, out) = unsafe { (CStr::from_ptr(text), &mut *out.cast::<Vec<u8>>()) };
        out.extend_from_slice(text.to_bytes());
    }
    let mut out: Vec<u8> = Vec::new();
    // SAFETY: the function is called with this pointer before the call returns, and not after.
    unsafe { libmimalloc_sys::mi_stats_print_out(Some(add), (&raw mut out).cast()) };
    String::from_utf8_lossy(&out).into_owned()
}

// SAFETY: every call is passed to mimalloc unchanged; counting touches no allocation (the thread-local is const-made).
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        if layout.align() <= ALIGNED {
            // SAFETY: whatever the size, what comes is aligned to words.
            return unsafe { libmimalloc_sys::mi_malloc(layout.size()).cast() };
        }
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
        if layout.size() >= PART_FROM && RETURNS_PARTS.load(Relaxed) {
            // SAFETY: the caller gives the block up.
            unsafe { return_part(pointer, layout.size()) }
        }
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

/// What is handed out for a size: steps of 8 bytes up to 64, of 16 up to 128, then quarters of a power of two.
#[inline]
pub fn size_class(size: usize) -> usize {
    if size <= 64 {
        return (size + 7) & !7;
    }
    if size <= 128 {
        return (size + 15) & !15;
    }
    let step = 1usize << (usize::BITS - 1 - (size - 1).leading_zeros() - 2);
    (size + step - 1) & !(step - 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_allocator_tells_of_itself() {
        assert!(super::name().starts_with("mimalloc-"));
        assert!(super::report().contains("heap"));
        let kept = vec![1u8; 1 << 20];
        assert!(super::used() >= kept.len());
        super::purge();
    }

    #[test]
    fn a_thread_knows_its_own_share() {
        let before = super::own();
        let kept = vec![1u8; 1 << 20];
        assert!(super::own() >= before + (1 << 20));
        drop(kept);
        assert!(super::own() < before + (1 << 20));
    }
}
