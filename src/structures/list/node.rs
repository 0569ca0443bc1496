//! A run of a list's elements in one allocation, with room to grow at both ends: listpack entries, or, where all are texts of
//! one length, only their bytes, which takes less memory and finds an index at once.
//!
//! Header and end mark of a listpack are left out: they would have to be written with each push, and the header stands
//! where room for the next element must be.
//!
//! A node may be sealed: its entries lie elsewhere until it changes, which opens it. They are compressed, and unpacked beside
//! that when one of them is wanted, or they are shared with a copy of the node.

use std::borrow::Cow;
use std::mem;
use std::sync::{Arc, OnceLock};

use super::iter::Items;
use crate::base::lzf;
use crate::structures::listpack::Item;
use crate::structures::listpack::codec::{Encoded, entry_size, entry_size_before, text_size};

/// Bytes that the same elements need besides in a listpack; limits count them.
pub const LISTPACK_FRAME: usize = 7;
/// Fewer bytes are not worth compressing.
const COMPRESS_FROM: usize = 48;
/// What compression must save.
const COMPRESSION_SAVES: usize = 8;
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
    /// Each element is a text of this length, and its bytes alone are its entry; 0: entries are those of a listpack.
    width: u32,
    /// The entries, while they lie elsewhere; then there are no others.
    sealed: Option<Arc<Sealed>>,
}

/// The entries of a sealed node.
#[derive(Debug)]
enum Sealed {
    Compressed {
        packed: Box<[u8]>,
        /// Bytes of the entries.
        len: usize,
        /// The entries, once they have been read.
        read: OnceLock<Box<[u8]>>,
    },
    /// As they lay in the node.
    Plain { bytes: Vec<u8>, start: u32 },
}

impl Sealed {
    fn len(&self) -> usize {
        match self {
            Self::Compressed { len, .. } => *len,
            Self::Plain { bytes, start } => bytes.len() - *start as usize,
        }
    }

    fn entries(&self) -> &[u8] {
        match self {
            Self::Compressed { packed, len, read } => {
                read.get_or_init(|| unpacked(packed, *len).into_boxed_slice())
            }
            Self::Plain { bytes, start } => &bytes[*start as usize..],
        }
    }

    /// Bytes of its allocations.
    fn allocated(&self) -> usize {
        let own = match self {
            Self::Compressed { packed, read, .. } => {
                packed.len() + read.get().map_or(0, |read| read.len())
            }
            Self::Plain { bytes, .. } => bytes.capacity(),
        };
        // Two counts stand before what is shared.
        2 * size_of::<usize>() + size_of::<Self>() + own
    }
}

fn unpacked(packed: &[u8], len: usize) -> Vec<u8> {
    // What was packed here unpacks.
    lzf::unpack(packed, len).unwrap_or_default()
}

impl Clone for Node {
    fn clone(&self) -> Self {
        Self {
            bytes: match self.sealed {
                Some(_) => Vec::new(),
                None => self.raw().to_vec(),
            },
            start: 0,
            count: self.count,
            width: self.width,
            sealed: self.sealed.clone(),
        }
    }
}

impl Node {
    /// A node that gets its first element at this end, and is expected to fill up.
    pub fn with_capacity(capacity: usize, end: End, width: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        if end == End::Head {
            bytes.resize(capacity, 0);
        }
        Self {
            start: bytes.len() as u32,
            bytes,
            count: 0,
            width: width as u32,
            sealed: None,
        }
    }

    /// Entries in listpack's encoding, known to be valid.
    pub fn of_entries(entries: &[u8], count: usize) -> Self {
        Self {
            bytes: entries.to_vec(),
            count: count as u32,
            ..Self::default()
        }
    }

    /// The entries as they are.
    #[inline]
    fn raw(&self) -> &[u8] {
        match &self.sealed {
            None => &self.bytes[self.start as usize..],
            Some(sealed) => sealed.entries(),
        }
    }

    /// The elements.
    #[inline]
    pub fn items(&self) -> Items<'_> {
        Items::of(self.raw(), self.width as usize)
    }

    /// The elements from the `index`th on, or those before it.
    pub fn items_from(&self, index: usize) -> Items<'_> {
        Items::of(&self.raw()[self.offset(index)..], self.width as usize)
    }

    /// The elements before the `index`th.
    pub fn items_before(&self, index: usize) -> Items<'_> {
        Items::of(&self.raw()[..self.offset(index)], self.width as usize)
    }

    /// The entries in listpack's encoding, made or unpacked for this once where they are not there.
    pub fn entries_once(&self) -> Cow<'_, [u8]> {
        if self.width > 0 {
            return Cow::Owned(self.encoded());
        }
        match self.sealed.as_deref() {
            Some(Sealed::Compressed { packed, len, read }) if read.get().is_none() => {
                Cow::Owned(unpacked(packed, *len))
            }
            _ => Cow::Borrowed(self.raw()),
        }
    }

    /// Elements of one length as a listpack's entries.
    #[cold]
    fn encoded(&self) -> Vec<u8> {
        let mut entries = vec![0; self.size_as_entries()];
        let mut at = 0;
        for item in self.items() {
            let entry = Encoded::new(item);
            entry.write(&mut entries[at..at + entry.size()]);
            at += entry.size();
        }
        entries
    }

    /// Turns elements of one length into a listpack's entries. The room that there is at the growing end stays.
    #[inline]
    pub fn encode(&mut self) {
        if self.width > 0 {
            self.encode_in_place();
        }
    }

    #[cold]
    fn encode_in_place(&mut self) {
        let entries = self.encoded();
        self.open();
        let room = self.bytes.capacity().saturating_sub(entries.len());
        let start = if self.start > 0 { room } else { 0 };
        self.bytes.clear();
        self.bytes.resize(start, 0);
        self.bytes.extend_from_slice(&entries);
        (self.start, self.width) = (start as u32, 0);
    }

    /// The length that all elements have, where only their bytes are kept.
    #[inline]
    pub fn width(&self) -> Option<usize> {
        (self.width > 0).then_some(self.width as usize)
    }

    /// Whether elements of one length are kept, and this is another of them.
    #[inline]
    pub fn is_of_width(&self, entry: &Encoded<'_>) -> bool {
        self.width > 0 && entry.text().len() == self.width as usize
    }

    /// Bytes of the entries.
    #[inline]
    pub fn used(&self) -> usize {
        match &self.sealed {
            None => self.bytes.len() - self.start as usize,
            Some(sealed) => sealed.len(),
        }
    }

    /// Bytes that the entries would be, or are, in listpack's encoding.
    #[inline]
    pub fn size_as_entries(&self) -> usize {
        match self.width {
            0 => self.used(),
            width => self.count() * text_size(width as usize),
        }
    }

    /// Bytes allocated.
    pub fn allocated(&self) -> usize {
        let sealed = self.sealed.as_ref().map_or(0, |sealed| sealed.allocated());
        self.bytes.capacity() + sealed
    }

    // ---- Compression and sharing

    /// Bytes of the compressed entries, where they are.
    pub fn compressed(&self) -> Option<usize> {
        match self.sealed.as_deref() {
            Some(Sealed::Compressed { packed, .. }) => Some(packed.len()),
            _ => None,
        }
    }

    /// Gives back the entries of a compressed node that have been read; not while a copy may read them.
    pub fn forget_read(&mut self) {
        if let Some(Sealed::Compressed { read, .. }) = self.sealed.as_mut().and_then(Arc::get_mut) {
            read.take();
        }
    }

    /// Compresses the entries, if that saves something.
    pub fn compress(&mut self) {
        if self.compressed().is_some() {
            return;
        }
        self.open();
        self.encode();
        let entries = &self.bytes[self.start as usize..];
        if entries.len() < COMPRESS_FROM {
            return;
        }
        let packed =
            lzf::pack(entries).filter(|packed| packed.len() + COMPRESSION_SAVES <= entries.len());
        if let Some(packed) = packed {
            self.sealed = Some(Arc::new(Sealed::Compressed {
                packed: packed.into_boxed_slice(),
                len: entries.len(),
                read: OnceLock::new(),
            }));
            (self.bytes, self.start) = (Vec::new(), 0);
        }
    }

    /// A copy, which takes next to nothing until one of both changes.
    pub fn share(&mut self) -> Self {
        if self.sealed.is_none() {
            self.sealed = Some(Arc::new(Sealed::Plain {
                bytes: mem::take(&mut self.bytes),
                start: mem::take(&mut self.start),
            }));
        }
        self.clone()
    }

    /// Has the entries of a sealed node lie in the node again.
    #[inline]
    pub fn open(&mut self) {
        if let Some(sealed) = self.sealed.take() {
            self.open_sealed(sealed);
        }
    }

    #[cold]
    fn open_sealed(&mut self, sealed: Arc<Sealed>) {
        let copied = |sealed: &Sealed| match sealed {
            Sealed::Compressed { packed, len, .. } => unpacked(packed, *len),
            Sealed::Plain { .. } => sealed.entries().to_vec(),
        };
        (self.bytes, self.start) = match Arc::try_unwrap(sealed) {
            Ok(Sealed::Plain { bytes, start }) => (bytes, start),
            Ok(own) => (copied(&own), 0),
            Err(shared) => (copied(&shared), 0),
        };
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
        let size = self.fit(entry);
        match end {
            End::Head => {
                if (self.start as usize) < size {
                    self.make_room(size, End::Head);
                }
                let at = self.start as usize - size;
                self.write(entry, at, size);
                self.start = at as u32;
            }
            End::Tail => {
                let at = self.bytes.len();
                if self.bytes.capacity() - at < size {
                    self.make_room(size, End::Tail);
                }
                let at = self.bytes.len();
                match self.width {
                    0 => {
                        self.bytes.resize(at + size, 0);
                        self.write(entry, at, size);
                    }
                    _ => self.bytes.extend_from_slice(entry.text()),
                }
            }
        }
        self.count += 1;
    }

    /// Bytes that an element will take here, once the others have been encoded where they have another length.
    #[inline]
    fn fit(&mut self, entry: &Encoded<'_>) -> usize {
        if self.is_of_width(entry) {
            return self.width as usize;
        }
        self.encode();
        entry.size()
    }

    /// Writes an element that [fits](Node::fit).
    #[inline]
    fn write(&mut self, entry: &Encoded<'_>, at: usize, size: usize) {
        let place = &mut self.bytes[at..at + size];
        match self.width {
            0 => entry.write(place),
            _ => place.copy_from_slice(entry.text()),
        }
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
            bytes.extend_from_slice(self.raw());
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
        match end {
            End::Head => self.items().next(),
            End::Tail => self.items().next_back(),
        }
    }

    /// Removes the element at an end.
    #[inline]
    pub fn pop(&mut self, end: End) {
        self.open();
        let size = match (self.width, end) {
            (0, End::Head) => entry_size(self.raw()),
            (0, End::Tail) => entry_size_before(self.raw()),
            (width, _) => Some(width as usize),
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
        bytes.extend_from_slice(self.raw());
        (self.bytes, self.start) = (bytes, 0);
    }

    // ---- The middle

    /// Where the `index`th element begins, counted from the start of the entries; their end for the one behind the last.
    pub fn offset(&self, index: usize) -> usize {
        if self.width > 0 {
            return index * self.width as usize;
        }
        let entries = self.raw();
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
        self.items_from(index).next()
    }

    /// Adds an element before the `index`th.
    pub fn insert(&mut self, index: usize, entry: &Encoded<'_>) {
        self.open();
        let size = self.fit(entry);
        let at = self.start as usize + self.offset(index);
        self.splice(at, 0, entry, size);
        self.count += 1;
    }

    /// Puts an element in the place of the `index`th.
    pub fn replace(&mut self, index: usize, entry: &Encoded<'_>) {
        self.open();
        let size = self.fit(entry);
        let at = self.start as usize + self.offset(index);
        let old = match self.width {
            0 => entry_size(&self.bytes[at..]).unwrap_or(0),
            width => width as usize,
        };
        self.splice(at, old, entry, size);
    }

    fn splice(&mut self, at: usize, old: usize, entry: &Encoded<'_>, size: usize) {
        let len = self.bytes.len();
        if size > old {
            self.bytes.reserve_exact(size - old);
            self.bytes.resize(len + size - old, 0);
        }
        self.bytes.copy_within(at + old..len, at + size);
        self.bytes.truncate(len + size - old);
        self.write(entry, at, size);
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
        let entries = self.raw();
        let mut items = self.items();
        // From the tail on, the first matches are passed over.
        let mut passed_over = match from {
            End::Head => 0,
            End::Tail => items.filter(matching).count().saturating_sub(most),
        };
        while let Some(item) = items.next() {
            let end = entries.len() - items.bytes();
            let mut goes = removed < most && matching(&item);
            if goes && passed_over > 0 {
                passed_over -= 1;
                goes = false;
            }
            if goes && removed == 0 {
                kept.reserve(entries.len() - (end - at));
                kept.extend_from_slice(&entries[..at]);
            }
            if goes {
                removed += 1;
            } else if removed > 0 {
                kept.extend_from_slice(&entries[at..end]);
            }
            at = end;
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
        let mut tail = Self::of_entries(&self.raw()[at..], self.count() - index);
        tail.width = self.width;
        self.bytes.truncate(self.start as usize + at);
        self.count = index as u32;
        self.tighten(0);
        tail
    }

    /// Adds another node's elements behind this one's.
    pub fn append(&mut self, other: &Self) {
        self.open();
        if self.width > 0 && self.width == other.width {
            self.bytes.extend_from_slice(other.raw());
        } else {
            self.encode();
            self.bytes.extend_from_slice(&other.entries_once());
        }
        self.count += other.count;
    }
}
