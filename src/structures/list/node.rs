//! A run of a list's elements: listpack entries in one allocation, with room to grow at both ends.
//!
//! Header and end mark of a listpack are left out: they would have to be written with each push, and the header stands
//! where room for the next element must be.
//!
//! A node may be sealed: its entries are compressed until one of them is wanted. Reading unpacks them beside the compressed
//! ones, changing opens the node.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::base::lzf;
use crate::structures::listpack::Item;
use crate::structures::listpack::codec::{Encoded, decode, entry_size, entry_size_before};

/// Bytes that the same elements need besides in a listpack; limits count them.
pub const LISTPACK_FRAME: usize = 7;
/// Fewer bytes are not worth compressing.
const SEAL_FROM: usize = 48;
/// What compression must save.
const SEAL_SAVES: usize = 8;
/// Smaller allocations are not worth giving room back.
const SHRINK_FROM: usize = 256;

/// One of a list's two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Where element 0 is.
    Head,
    /// Where element -1 is.
    Tail,
}

/// A run of elements.
#[derive(Debug, Default)]
pub struct Node {
    /// Free room, then the entries.
    bytes: Vec<u8>,
    /// Where the entries begin.
    start: u32,
    count: u32,
    /// The entries, while they are compressed; then there are no others.
    sealed: Option<Box<Sealed>>,
}

/// Compressed entries.
#[derive(Debug, Clone)]
struct Sealed {
    packed: Box<[u8]>,
    /// Bytes of the entries.
    len: usize,
    /// The entries, once they have been read.
    read: OnceLock<Box<[u8]>>,
}

impl Sealed {
    fn unpacked(&self) -> Vec<u8> {
        // What was packed here unpacks.
        lzf::unpack(&self.packed, self.len).unwrap_or_default()
    }
}

impl Clone for Node {
    fn clone(&self) -> Self {
        Self {
            bytes: match self.sealed {
                Some(_) => Vec::new(),
                None => self.entries().to_vec(),
            },
            start: 0,
            count: self.count,
            sealed: self.sealed.clone(),
        }
    }
}

impl Node {
    /// A node that gets its first element at this end, and is expected to fill up.
    pub fn with_capacity(capacity: usize, end: End) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        if end == End::Head {
            bytes.resize(capacity, 0);
        }
        Self {
            start: bytes.len() as u32,
            bytes,
            count: 0,
            sealed: None,
        }
    }

    /// Entries known to be valid.
    pub fn of_entries(entries: &[u8], count: usize) -> Self {
        Self {
            bytes: entries.to_vec(),
            start: 0,
            count: count as u32,
            sealed: None,
        }
    }

    /// The entries, in listpack's encoding.
    #[inline]
    pub fn entries(&self) -> &[u8] {
        match &self.sealed {
            None => &self.bytes[self.start as usize..],
            Some(sealed) => (sealed.read).get_or_init(|| sealed.unpacked().into_boxed_slice()),
        }
    }

    /// The entries; those of a sealed node are unpacked for this once.
    pub fn entries_once(&self) -> Cow<'_, [u8]> {
        match &self.sealed {
            Some(sealed) if sealed.read.get().is_none() => Cow::Owned(sealed.unpacked()),
            _ => Cow::Borrowed(self.entries()),
        }
    }

    /// Bytes of the entries.
    #[inline]
    pub fn used(&self) -> usize {
        match &self.sealed {
            None => self.bytes.len() - self.start as usize,
            Some(sealed) => sealed.len,
        }
    }

    /// Bytes allocated.
    pub fn allocated(&self) -> usize {
        let sealed = self.sealed.as_ref().map_or(0, |sealed| {
            let read = sealed.read.get().map_or(0, |read| read.len());
            size_of::<Sealed>() + sealed.packed.len() + read
        });
        self.bytes.capacity() + sealed
    }

    // ---- Compression

    /// Bytes of the compressed entries, where they are.
    pub fn sealed(&self) -> Option<usize> {
        self.sealed.as_ref().map(|sealed| sealed.packed.len())
    }

    /// Gives back the entries of a sealed node that have been read.
    pub fn forget_read(&mut self) {
        if let Some(sealed) = &mut self.sealed {
            sealed.read.take();
        }
    }

    /// Compresses the entries, if that saves something.
    pub fn seal(&mut self) {
        let entries = &self.bytes[self.start as usize..];
        if self.sealed.is_some() || entries.len() < SEAL_FROM {
            return;
        }
        let packed = lzf::pack(entries).filter(|packed| packed.len() + SEAL_SAVES <= entries.len());
        if let Some(packed) = packed {
            self.sealed = Some(Box::new(Sealed {
                packed: packed.into_boxed_slice(),
                len: entries.len(),
                read: OnceLock::new(),
            }));
            (self.bytes, self.start) = (Vec::new(), 0);
        }
    }

    /// Undoes [`Node::seal`].
    #[inline]
    pub fn open(&mut self) {
        if let Some(sealed) = self.sealed.take() {
            (self.bytes, self.start) = (sealed.unpacked(), 0);
        }
    }

    /// Elements.
    #[inline]
    pub fn count(&self) -> usize {
        self.count as usize
    }

    // ---- The ends

    /// Adds an element at an end.
    #[inline]
    pub fn push(&mut self, end: End, entry: &Encoded<'_>) {
        self.open();
        let size = entry.size();
        match end {
            End::Head => {
                if (self.start as usize) < size {
                    self.make_room(size, End::Head);
                }
                let at = self.start as usize - size;
                entry.write(&mut self.bytes[at..at + size]);
                self.start = at as u32;
            }
            End::Tail => {
                let at = self.bytes.len();
                if self.bytes.capacity() - at < size {
                    self.make_room(size, End::Tail);
                }
                let at = self.bytes.len();
                self.bytes.resize(at + size, 0);
                entry.write(&mut self.bytes[at..]);
            }
        }
        self.count += 1;
    }

    /// Moves the entries away from an end where `size` bytes are wanted: within the allocation if enough of it is free that
    /// this will not happen again soon, else into a bigger one.
    #[cold]
    fn make_room(&mut self, size: usize, end: End) {
        let used = self.used();
        let spare = size + used / 4;
        let capacity = self.bytes.capacity();
        if capacity < used + spare {
            let wanted = (used + spare).next_multiple_of(8);
            let mut bytes = Vec::with_capacity(wanted);
            if end == End::Head {
                bytes.resize(wanted - used, 0);
            }
            bytes.extend_from_slice(self.entries());
            self.start = (bytes.len() - used) as u32;
            self.bytes = bytes;
            return;
        }
        let from = self.start as usize;
        let to = match end {
            End::Head => capacity - used,
            End::Tail => 0,
        };
        self.bytes.resize(self.bytes.len().max(to + used), 0);
        self.bytes.copy_within(from..from + used, to);
        self.bytes.truncate(to + used);
        self.start = to as u32;
    }

    /// The element at an end.
    #[inline]
    pub fn end(&self, end: End) -> Option<Item<'_>> {
        let entries = self.entries();
        let at = match end {
            End::Head => 0,
            End::Tail => entries.len().checked_sub(entry_size_before(entries)?)?,
        };
        decode(&entries[at..]).map(|(item, _)| item)
    }

    /// Removes the element at an end.
    #[inline]
    pub fn pop(&mut self, end: End) {
        self.open();
        let size = match end {
            End::Head => entry_size(self.entries()),
            End::Tail => entry_size_before(self.entries()),
        };
        let Some(size) = size.filter(|&size| size <= self.used()) else {
            return;
        };
        match end {
            End::Head => self.start += size as u32,
            End::Tail => self.bytes.truncate(self.bytes.len() - size),
        }
        self.count -= 1;
        self.give_back();
    }

    /// Gives room back when most of it is free.
    #[inline]
    fn give_back(&mut self) {
        let capacity = self.bytes.capacity();
        if capacity >= SHRINK_FROM && self.used() < capacity / 4 {
            self.tighten(self.used() * 2);
        }
    }

    /// Moves the entries into an allocation of their own size, or a little more.
    #[cold]
    pub fn tighten(&mut self, capacity: usize) {
        let mut bytes = Vec::with_capacity(capacity.max(self.used()));
        bytes.extend_from_slice(self.entries());
        (self.bytes, self.start) = (bytes, 0);
    }

    // ---- The middle

    /// Where the `index`th element begins, counted from the start of the entries; their end for the one behind the last.
    pub fn offset(&self, index: usize) -> usize {
        let entries = self.entries();
        let count = self.count();
        if index <= count / 2 {
            let step = |at| at + entry_size(&entries[at..]).unwrap_or(0);
            return (0..index).fold(0, |at, _| step(at));
        }
        let step = |at: usize| at - entry_size_before(&entries[..at]).unwrap_or(0).min(at);
        (index..count).fold(entries.len(), |at, _| step(at))
    }

    /// The `index`th element.
    pub fn get(&self, index: usize) -> Option<Item<'_>> {
        decode(&self.entries()[self.offset(index)..]).map(|(item, _)| item)
    }

    /// Adds an element before the `index`th.
    pub fn insert(&mut self, index: usize, entry: &Encoded<'_>) {
        self.open();
        let at = self.start as usize + self.offset(index);
        self.splice(at, 0, entry);
        self.count += 1;
    }

    /// Puts an element in the place of the `index`th.
    pub fn replace(&mut self, index: usize, entry: &Encoded<'_>) {
        self.open();
        let at = self.start as usize + self.offset(index);
        let old = entry_size(&self.bytes[at..]).unwrap_or(0);
        self.splice(at, old, entry);
    }

    fn splice(&mut self, at: usize, old: usize, entry: &Encoded<'_>) {
        let (size, len) = (entry.size(), self.bytes.len());
        if size > old {
            self.bytes.reserve_exact(size - old);
            self.bytes.resize(len + size - old, 0);
        }
        self.bytes.copy_within(at + old..len, at + size);
        self.bytes.truncate(len + size - old);
        entry.write(&mut self.bytes[at..at + size]);
    }

    /// Removes `count` elements from the `first`th on; so many are there.
    pub fn remove(&mut self, first: usize, count: usize) {
        self.open();
        let (from, to) = (self.offset(first), self.offset(first + count));
        let start = self.start as usize;
        self.count -= count as u32;
        if from == 0 {
            self.start = (start + to) as u32;
        } else {
            self.bytes.drain(start + from..start + to);
        }
        self.give_back();
    }

    /// Removes up to `most` elements that are these bytes, from an end on; gives how many.
    pub fn remove_matching(&mut self, wanted: Item<'_>, most: usize, from: End) -> usize {
        let matching = |item: &Item<'_>| *item == wanted;
        let (mut removed, mut at, mut kept) = (0, 0, Vec::new());
        let entries = self.entries();
        // From the tail on, the first matches are passed over.
        let mut passed_over = match from {
            End::Head => 0,
            End::Tail => {
                let all = super::iter::items(entries).filter(matching).count();
                all.saturating_sub(most)
            }
        };
        while let Some((item, size)) = decode(&entries[at..]) {
            let mut goes = removed < most && matching(&item);
            if goes && passed_over > 0 {
                passed_over -= 1;
                goes = false;
            }
            if goes && removed == 0 {
                kept.reserve(entries.len() - size);
                kept.extend_from_slice(&entries[..at]);
            }
            if goes {
                removed += 1;
            } else if removed > 0 {
                kept.extend_from_slice(&entries[at..at + size]);
            }
            at += size;
        }
        if removed > 0 {
            (self.bytes, self.start, self.sealed) = (kept, 0, None);
            self.count -= removed as u32;
        }
        removed
    }

    /// Takes the elements from the `index`th on away into a node of their own.
    pub fn split_off(&mut self, index: usize) -> Self {
        self.open();
        let at = self.offset(index);
        let tail = Self::of_entries(&self.entries()[at..], self.count() - index);
        self.bytes.truncate(self.start as usize + at);
        self.count = index as u32;
        self.tighten(0);
        tail
    }

    /// Adds another node's elements behind this one's.
    pub fn append(&mut self, other: &Self) {
        self.open();
        self.bytes.extend_from_slice(&other.entries_once());
        self.count += other.count;
    }
}
