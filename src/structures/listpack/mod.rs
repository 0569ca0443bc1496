//! Listpack: elements one after the other in one allocation, in Redis's byte layout, so that a dump holds it as it is.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | bytes of the whole, little endian |
//! | 2 | elements, little endian; 65,535: more than fits, count them |
//! | … | entries, see [`codec`] |
//! | 1 | 0xFF |

pub mod codec;
mod pack;
#[cfg(test)]
mod tests;

use super::table::same_key;
pub use codec::Item;
use codec::{Encoded, decode, entry_size, entry_size_before};
pub use pack::{Elements, Pack, PackBuf};

const HEADER: usize = 6;
const END: u8 = 0xFF;
/// The count that says nothing.
const UNKNOWN: u16 = u16::MAX;
/// A listpack never grows beyond this: lengths are 32 bits wide. Callers look before they add much.
const MOST_BYTES: usize = 1 << 30;

/// Where an element stands. Valid until the listpack changes, but as the changing method says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(usize);

impl Cursor {
    /// The element that begins at this byte of the whole.
    pub(in crate::structures) fn at(byte: usize) -> Self {
        Self(byte)
    }
}

/// Elements one after the other in one allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listpack {
    bytes: Vec<u8>,
}

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl Listpack {
    /// No element.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// No element, and room for entries of so many bytes.
    pub fn with_capacity(entries: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + entries + 1);
        bytes.extend_from_slice(&[HEADER as u8 + 1, 0, 0, 0, 0, 0, END]);
        Self { bytes }
    }

    /// Takes bytes from outside; `None` unless they are a listpack down to the last byte.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let total = u32::from_le_bytes(*header.first_chunk()?) as usize;
        let count = u16::from_le_bytes([header[4], header[5]]);
        let (&end, entries) = rest.split_last()?;
        if total != bytes.len() || total > MOST_BYTES || end != END {
            return None;
        }
        let counted = codec::validate(entries)?;
        (count == UNKNOWN || usize::from(count) == counted).then_some(Self { bytes })
    }

    /// Takes bytes that a listpack has given.
    pub(in crate::structures) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// All its bytes, in Redis's layout.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All its bytes, in Redis's layout.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes allocated.
    pub fn allocated(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether elements of so many bytes in all may still be added.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.bytes.len().saturating_add(bytes) <= MOST_BYTES
    }

    /// Elements. Counts them when there are more than the header can say.
    #[inline]
    pub fn len(&self) -> usize {
        match self.counted() {
            UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER + 1
    }

    #[inline]
    fn counted(&self) -> u16 {
        u16::from_le_bytes([self.bytes[4], self.bytes[5]])
    }

    /// Where the entries end and the end mark stands.
    #[inline]
    fn end(&self) -> usize {
        self.bytes.len() - 1
    }

    #[inline]
    fn set_header(&mut self, count: u16) {
        let total = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
    }

    // ---- Changing

    /// Makes room for entries of so many bytes, and for some more, so that adding time and again does not copy each time.
    pub fn reserve(&mut self, entries: usize) {
        self.bytes.reserve(entries);
    }

    /// Adds an element at the end.
    #[inline]
    pub fn push_back(&mut self, bytes: &[u8]) {
        self.put(self.end(), 0, Item::of(bytes));
    }

    /// Adds an integer at the end, without a way through its decimal form.
    pub fn push_back_int(&mut self, value: i64) {
        self.put(self.end(), 0, Item::Int(value));
    }

    /// Adds elements at the end: header and end mark are written once for all of them. Room for them is asked for before.
    #[inline]
    pub fn append(&mut self, fill: impl FnOnce(&mut Tail<'_>)) {
        self.bytes.pop();
        let mut tail = Tail {
            bytes: &mut self.bytes,
            count: 0,
        };
        fill(&mut tail);
        let count = tail.count;
        self.bytes.push(END);
        self.set_header(match self.counted() {
            UNKNOWN => UNKNOWN,
            known => known.saturating_add(count),
        });
    }

    /// Adds an element at the beginning.
    #[inline]
    pub fn push_front(&mut self, bytes: &[u8]) {
        self.put(HEADER, 0, Item::of(bytes));
    }

    /// Adds an element before another, whose place it takes: the cursor now stands at the new one.
    pub fn insert(&mut self, at: Cursor, bytes: &[u8]) -> Cursor {
        self.put(at.0, 0, Item::of(bytes));
        at
    }

    /// Adds an element after another. The cursor that is given back stands at the new one.
    pub fn insert_after(&mut self, at: Cursor, bytes: &[u8]) -> Cursor {
        let next = at.0 + self.size_at(at.0);
        self.put(next, 0, Item::of(bytes));
        Cursor(next)
    }

    /// Puts another element in the place of one. The cursor stays valid.
    pub fn replace(&mut self, at: Cursor, bytes: &[u8]) {
        self.put(at.0, self.size_at(at.0), Item::of(bytes));
    }

    /// [`Listpack::replace`] by an integer.
    pub fn replace_int(&mut self, at: Cursor, value: i64) {
        self.put(at.0, self.size_at(at.0), Item::Int(value));
    }

    /// Removes an element. The cursor then stands at the element after it, which is given back, if there is one.
    pub fn remove(&mut self, at: Cursor) -> Option<Cursor> {
        self.remove_from(at, 1)
    }

    /// Removes up to `count` elements from this one on. The cursor then stands at the element after them, if there is one.
    pub fn remove_from(&mut self, at: Cursor, count: usize) -> Option<Cursor> {
        let (mut to, mut removed) = (at.0, 0);
        while removed < count && to < self.end() {
            to += self.size_at(to);
            removed += 1;
        }
        self.cut(at.0, to, removed);
        (at.0 < self.end()).then_some(at)
    }

    /// Removes up to `count` elements from the `first`th on.
    pub fn remove_range(&mut self, first: usize, count: usize) {
        if let Some(at) = i64::try_from(first).ok().and_then(|at| self.seek(at)) {
            self.remove_from(at, count);
        }
    }

    /// Writes an entry over `old` bytes at `at`; none of them: adds it.
    #[inline]
    fn put(&mut self, at: usize, old: usize, item: Item<'_>) {
        let entry = Encoded::new(item);
        let (size, len) = (entry.size(), self.bytes.len());
        if size == old {
            return entry.write(&mut self.bytes[at..at + size]);
        }
        if size > old {
            self.bytes.reserve_exact(size - old);
            self.bytes.resize(len + size - old, END);
        }
        if at + old < len {
            self.bytes.copy_within(at + old..len, at + size);
        }
        self.bytes.truncate(len + size - old);
        entry.write(&mut self.bytes[at..at + size]);
        let count = match self.counted() {
            UNKNOWN => UNKNOWN,
            count => count + u16::from(old == 0),
        };
        self.set_header(count);
    }

    fn cut(&mut self, from: usize, to: usize, removed: usize) {
        self.bytes.drain(from..to);
        if self.bytes.len() <= self.bytes.capacity() / 2 {
            self.bytes.shrink_to_fit();
        }
        let count = match self.counted() {
            UNKNOWN if self.is_empty() => 0,
            UNKNOWN => UNKNOWN,
            count => count.saturating_sub(removed as u16),
        };
        self.set_header(count);
    }

    // ---- Looking

    /// Bytes of the entry at an offset; the rest when there is none, so that walking always ends.
    #[inline]
    fn size_at(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..self.end()).unwrap_or_default();
        entry_size(rest).map_or(rest.len(), |size| size.min(rest.len()))
    }

    /// The first element.
    #[inline]
    pub fn first(&self) -> Option<Cursor> {
        (!self.is_empty()).then_some(Cursor(HEADER))
    }

    /// The last element.
    #[inline]
    pub fn last(&self) -> Option<Cursor> {
        self.before(self.end())
    }

    /// The element after this one.
    #[inline]
    pub fn next(&self, at: Cursor) -> Option<Cursor> {
        let next = at.0 + self.size_at(at.0);
        (next < self.end()).then_some(Cursor(next))
    }

    /// The element before this one.
    #[inline]
    pub fn prev(&self, at: Cursor) -> Option<Cursor> {
        self.before(at.0)
    }

    #[inline]
    fn before(&self, at: usize) -> Option<Cursor> {
        let size = entry_size_before(self.bytes.get(HEADER..at)?)?;
        at.checked_sub(size).filter(|&at| at >= HEADER).map(Cursor)
    }

    /// The element at a cursor.
    #[inline]
    pub fn at(&self, at: Cursor) -> Option<Item<'_>> {
        decode(self.bytes.get(at.0..self.end())?).map(|(item, _)| item)
    }

    /// The `index`th element, from the end when negative (-1 is the last).
    pub fn get(&self, index: i64) -> Option<Item<'_>> {
        self.at(self.seek(index)?)
    }

    /// Where the `index`th element stands, from the end when negative. Walks from the nearer end.
    pub fn seek(&self, index: i64) -> Option<Cursor> {
        let count = self.len();
        let index = match index {
            0.. => usize::try_from(index).ok()?,
            _ => count.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
        };
        if index >= count {
            None
        } else if index <= count / 2 {
            (0..index).try_fold(self.first()?, |at, _| self.next(at))
        } else {
            (index + 1..count).try_fold(self.last()?, |at, _| self.prev(at))
        }
    }

    /// The first element that is these bytes.
    pub fn find(&self, bytes: &[u8]) -> Option<Cursor> {
        self.find_skipping(bytes, 0)
    }

    /// The first element that is these bytes, looking at one element, then passing over `skip`: 1 finds a key among pairs.
    pub fn find_skipping(&self, bytes: &[u8], skip: usize) -> Option<Cursor> {
        let wanted = Item::of(bytes);
        let mut at = HEADER;
        while at < self.end() {
            let (item, size) = decode(&self.bytes[at..self.end()])?;
            let is_found = match (item, wanted) {
                // A foreign file may hold a number as a string.
                (Item::Str(own), _) => same_key(own, bytes),
                (Item::Int(own), Item::Int(wanted)) => own == wanted,
                (Item::Int(_), Item::Str(_)) => false,
            };
            if is_found {
                return Some(Cursor(at));
            }
            at += size;
            for _ in 0..skip {
                at += self.size_at(at);
            }
        }
        None
    }

    /// All elements in order, from either end.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            entries: &self.bytes[HEADER..self.end()],
        }
    }
}

/// The end of a listpack that gets elements; see [`Listpack::append`].
pub struct Tail<'a> {
    bytes: &'a mut Vec<u8>,
    count: u16,
}

impl Tail<'_> {
    /// Adds an element.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.push_item(Item::of(bytes));
    }

    /// Adds an integer.
    #[inline]
    pub fn push_int(&mut self, value: i64) {
        self.push_item(Item::Int(value));
    }

    #[inline]
    fn push_item(&mut self, item: Item<'_>) {
        Encoded::new(item).append(self.bytes);
        self.count = self.count.saturating_add(1);
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> FromIterator<&'a [u8]> for Listpack {
    fn from_iter<T: IntoIterator<Item = &'a [u8]>>(items: T) -> Self {
        let mut listpack = Self::new();
        for item in items {
            listpack.push_back(item);
        }
        listpack
    }
}

/// Elements in order, from either end.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    entries: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let (item, size) = decode(self.entries)?;
        self.entries = &self.entries[size..];
        Some(item)
    }
}

impl<'a> DoubleEndedIterator for Iter<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<Item<'a>> {
        let at = self
            .entries
            .len()
            .checked_sub(entry_size_before(self.entries)?)?;
        let (rest, last) = self.entries.split_at(at);
        let (item, _) = decode(last)?;
        self.entries = rest;
        Some(item)
    }
}
