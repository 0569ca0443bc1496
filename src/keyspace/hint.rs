//! What may be read of a shard's table without its lock: where to prefetch, how many entries there are, when one is due.
//!
//! A hint may be stale by the time that it is used. Bucket memory that was published stays readable until every reader
//! has unpinned its epoch (`crossbeam-epoch`); the entries that buckets point to are only prefetched, never read.

use std::marker::PhantomData;
use std::sync::atomic::{
    AtomicPtr, AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};

use super::entry::{Entry, EntryRef};
use super::lock::hash_bits;
use crate::structures::table::{Bucket, Owner, locate, prefetch};

/// One shard and database's hint.
pub struct Hint {
    /// With one segment its packed place, else 0: see [`pack`].
    single: AtomicU64,
    directory: AtomicPtr<Directory>,
    len: AtomicU32,
    deadline: AtomicU32,
}

struct Directory {
    depth: u32,
    split: usize,
    segments: Box<[AtomicU64]>,
}

impl Default for Hint {
    fn default() -> Self {
        Self {
            single: AtomicU64::new(0),
            directory: AtomicPtr::default(),
            len: AtomicU32::new(0),
            deadline: AtomicU32::new(u32::MAX),
        }
    }
}

/// A bucket slice in one word, so that address and length are read together: 16 bits of length, 48 of address.
fn pack(buckets: &[Bucket]) -> u64 {
    debug_assert!(buckets.len() < 1 << 16);
    (buckets.len() as u64) << 48 | buckets.as_ptr().expose_provenance() as u64
}

/// Keeps replaced buckets readable until nobody can be looking at them.
fn retire<T: Send + 'static>(old: T) {
    crossbeam_epoch::pin().defer(move || drop(old));
}

/// Proof that retired memory stays; hold one while guessing.
pub struct Pin(#[allow(dead_code)] crossbeam_epoch::Guard);

/// Starts a round of guesses.
#[inline]
pub fn pin() -> Pin {
    Pin(crossbeam_epoch::pin())
}

impl Hint {
    /// Entries in the table.
    #[inline]
    pub fn len(&self) -> usize {
        self.len.load(Relaxed) as usize
    }

    /// Whether the table has no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The earliest deadline of an entry, or an earlier time.
    #[inline]
    pub fn deadline(&self) -> u32 {
        self.deadline.load(Relaxed)
    }

    /// The bucket of some hash bits, to be brought into the cache.
    #[inline]
    pub(super) fn bucket<'p>(&self, bits: u64, _pin: &'p Pin) -> Option<Expected<'p>> {
        let mut packed = self.single.load(Acquire);
        let mut position = (bits >> 48) as u16;
        if packed == 0 {
            // SAFETY: published directories stay readable while pinned.
            let directory = unsafe { self.directory.load(Acquire).as_ref()? };
            let segment;
            (segment, position) = locate(directory.depth, directory.split, bits);
            packed = directory.segments.get(segment)?.load(Acquire);
        }
        let (address, count) = ((packed & ((1 << 48) - 1)) as usize, (packed >> 48) as usize);
        let index = (usize::from(position) * count) >> 16;
        let bucket = std::ptr::with_exposed_provenance::<Bucket>(address).wrapping_add(index);
        Some(Expected {
            bucket,
            position,
            pin: PhantomData,
        })
    }
}

/// Where a key is expected.
#[derive(Clone, Copy)]
pub(super) struct Expected<'p> {
    bucket: *const Bucket,
    position: u16,
    pin: PhantomData<&'p Pin>,
}

impl Expected<'_> {
    /// First step: brings the bucket into the cache.
    #[inline]
    pub fn prefetch_bucket(self) {
        prefetch(self.bucket.cast());
    }

    /// Second step, when the bucket has come: brings the entry that it probably is.
    #[inline]
    pub fn prefetch_entry(self) {
        if let Some(entry) = self.guess() {
            prefetch(entry);
            prefetch(entry.wrapping_add(40));
        }
    }

    #[inline]
    pub(super) fn guess(self) -> Option<*const u8> {
        // SAFETY: published buckets stay readable while pinned, and their words are atomic.
        unsafe { self.bucket.as_ref()?.guess(self.position) }
    }
}

impl Owner<Entry> for Hint {
    #[inline]
    fn bits(&self, entry: EntryRef<'_>) -> u64 {
        hash_bits(entry.key())
    }

    fn retire(&self, buckets: Box<[Bucket]>) {
        retire(buckets);
    }

    fn set_len(&self, len: usize) {
        self.len.store(len as u32, Relaxed);
    }

    fn set_deadline(&self, deadline: u32) {
        self.deadline.store(deadline, Relaxed);
    }

    fn lower_deadline(&self, deadline: u32) {
        // Only the shard's lock holder writes, so load and store are enough.
        if deadline < self.deadline() {
            self.set_deadline(deadline);
        }
    }

    fn set_segment(&self, segment: usize, buckets: &[Bucket]) {
        if self.single.load(Relaxed) != 0 {
            return self.single.store(pack(buckets), Release);
        }
        // SAFETY: the shard's lock holder alone replaces the directory, and it is calling.
        if let Some(directory) = unsafe { self.directory.load(Relaxed).as_ref() } {
            directory.segments[segment].store(pack(buckets), Release);
        }
    }

    fn set_all<'a>(
        &self,
        depth: u32,
        split: usize,
        segments: impl ExactSizeIterator<Item = &'a [Bucket]>,
    ) {
        let packed: Box<[AtomicU64]> = segments
            .map(|buckets| AtomicU64::new(pack(buckets)))
            .collect();
        let (single, directory) = match &*packed {
            [] => (0, std::ptr::null_mut()),
            [only] => (only.load(Relaxed), std::ptr::null_mut()),
            _ => (
                0,
                Box::into_raw(Box::new(Directory {
                    depth,
                    split,
                    segments: packed,
                })),
            ),
        };
        let old = self.directory.swap(directory, Release);
        self.single.store(single, Release);
        if !old.is_null() {
            // SAFETY: the directory was made by Box::into_raw above and is unreachable from here on.
            retire(unsafe { Box::from_raw(old) });
        }
    }
}

impl Drop for Hint {
    fn drop(&mut self) {
        let directory = *self.directory.get_mut();
        if !directory.is_null() {
            // SAFETY: made by Box::into_raw, and nobody else has the hint any more.
            drop(unsafe { Box::from_raw(directory) });
        }
    }
}
