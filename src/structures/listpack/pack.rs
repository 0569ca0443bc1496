//! Pack: few elements one after the other, as small as they go. Their encoding is listpack's, less what only serves to walk
//! backwards; hashes and sets never do.
//!
//! | bytes | what |
//! |---|---|
//! | 2 | elements, little endian; 65,535: more than fits, count them |
//! | … | entries without their backlen |
//!
//! A pack without elements may be no bytes at all.

use super::codec::{Encoded, decode_body};
use super::{Cursor, Item, Listpack, MOST_BYTES, UNKNOWN};
use crate::base::alloc::size_class;
use crate::structures::table::same_key;

const HEADER: usize = 2;
/// Room that is not worth giving back.
const KEPT: usize = 1024;

/// Elements in bytes that lie elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Pack<'a> {
    bytes: &'a [u8],
}

impl<'a> Pack<'a> {
    /// Bytes that a pack has given.
    #[inline]
    pub fn of_bytes(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// All its bytes.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Elements. Counts them when there are more than the header can say.
    #[inline]
    pub fn len(self) -> usize {
        match self.bytes.first_chunk() {
            None => 0,
            Some(&count) => match u16::from_le_bytes(count) {
                UNKNOWN => self.iter().count(),
                count => usize::from(count),
            },
        }
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.bytes.len() <= HEADER
    }

    /// Whether elements of so many bytes in all may still be added.
    #[inline]
    pub fn has_room_for(self, bytes: usize) -> bool {
        self.bytes.len().saturating_add(bytes) <= MOST_BYTES
    }

    /// The element at a byte, with the bytes that it takes.
    #[inline]
    fn decode(self, at: usize) -> Option<(Item<'a>, usize)> {
        decode_body(self.bytes.get(at..)?)
    }

    /// Bytes of the entry at an offset; the rest when there is none, so that walking always ends.
    #[inline]
    fn size_at(self, at: usize) -> usize {
        let rest = self.bytes.len().saturating_sub(at);
        self.decode(at).map_or(rest, |(_, size)| size)
    }

    /// The first element.
    #[inline]
    pub fn first(self) -> Option<Cursor> {
        (!self.is_empty()).then_some(Cursor(HEADER))
    }

    /// The element after this one.
    #[inline]
    pub fn next(self, at: Cursor) -> Option<Cursor> {
        let next = at.0 + self.size_at(at.0);
        (next < self.bytes.len()).then_some(Cursor(next))
    }

    /// The element at a cursor.
    #[inline]
    pub fn at(self, at: Cursor) -> Option<Item<'a>> {
        self.decode(at.0).map(|(item, _)| item)
    }

    /// Where the `index`th element stands.
    pub fn seek(self, index: usize) -> Option<Cursor> {
        (0..index).try_fold(self.first()?, |at, _| self.next(at))
    }

    /// The `index`th element.
    pub fn get(self, index: usize) -> Option<Item<'a>> {
        self.at(self.seek(index)?)
    }

    /// The first element that is these bytes.
    #[inline]
    pub fn find(self, bytes: &[u8]) -> Option<Cursor> {
        self.find_skipping(bytes, 0)
    }

    /// The first element that is these bytes, looking at one element, then passing over `skip`: 1 finds a key among pairs.
    #[inline]
    pub fn find_skipping(self, bytes: &[u8], skip: usize) -> Option<Cursor> {
        let wanted = Item::of(bytes);
        let mut at = HEADER;
        while let Some((item, size)) = self.decode(at) {
            let is_found = match (item, wanted) {
                (Item::Str(own), Item::Str(wanted)) => same_key(own, wanted),
                (Item::Int(own), Item::Int(wanted)) => own == wanted,
                _ => false,
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

    /// All elements in order.
    #[inline]
    pub fn iter(self) -> Elements<'a> {
        Elements {
            entries: self.bytes.get(HEADER..).unwrap_or_default(),
        }
    }

    /// The same elements in Redis's byte layout.
    pub fn to_listpack(self) -> Listpack {
        let mut listpack = Listpack::with_capacity(self.bytes.len() + self.len());
        for item in self.iter() {
            listpack.put(listpack.end(), 0, item);
        }
        listpack
    }
}

/// The elements of a pack in order.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    entries: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let (item, size) = decode_body(self.entries)?;
        self.entries = &self.entries[size..];
        Some(item)
    }
}

/// Elements in an allocation of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackBuf {
    bytes: Vec<u8>,
}

impl PackBuf {
    /// A copy of a pack, in a buffer that was in use before.
    #[inline]
    pub fn copied(pack: Pack<'_>, mut room: Vec<u8>) -> Self {
        room.clear();
        room.extend_from_slice(pack.bytes);
        Self { bytes: room }
    }

    /// Takes its buffer, to be used again; nothing may be done with it any more.
    #[inline]
    pub fn take_room(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// The elements.
    #[inline]
    pub fn view(&self) -> Pack<'_> {
        Pack { bytes: &self.bytes }
    }

    /// Bytes allocated.
    pub fn allocated(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes room for entries of so many bytes at once.
    #[inline]
    pub fn reserve(&mut self, entries: usize) {
        let needed = self.bytes.len().max(HEADER) + entries;
        if needed > self.bytes.capacity() {
            // Up to what the allocator hands out anyway.
            let more = size_class(needed) - self.bytes.len();
            self.bytes.reserve_exact(more);
        }
    }

    /// Adds an element at the end.
    #[inline]
    pub fn push_back(&mut self, bytes: &[u8]) {
        self.push_item(Item::of(bytes));
    }

    /// Adds an element at the end, without a way through an integer's decimal form.
    #[inline]
    pub fn push_item(&mut self, item: Item<'_>) {
        let entry = Encoded::new(item);
        self.reserve(entry.body());
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&[0; HEADER]);
        }
        let at = self.bytes.len();
        self.bytes.resize(at + entry.body(), 0);
        entry.write_body(&mut self.bytes[at..]);
        self.count_more(1);
    }

    /// Adds an element before another, whose place it takes: the cursor now stands at the new one.
    pub fn insert(&mut self, at: Cursor, bytes: &[u8]) -> Cursor {
        self.splice(at.0, 0, Item::of(bytes));
        self.count_more(1);
        at
    }

    /// Adds an element after another. The cursor that is given back stands at the new one.
    pub fn insert_after(&mut self, at: Cursor, bytes: &[u8]) -> Cursor {
        let next = Cursor(at.0 + self.view().size_at(at.0));
        self.insert(next, bytes)
    }

    /// Puts another element in the place of one. The cursor stays valid.
    #[inline]
    pub fn replace(&mut self, at: Cursor, bytes: &[u8]) {
        let old = self.view().size_at(at.0);
        self.splice(at.0, old, Item::of(bytes));
    }

    /// Writes an entry over `old` bytes at `at`.
    fn splice(&mut self, at: usize, old: usize, item: Item<'_>) {
        let entry = Encoded::new(item);
        let (size, len) = (entry.body(), self.bytes.len());
        if size > old {
            self.reserve(size - old);
            self.bytes.resize(len + size - old, 0);
        }
        if size != old {
            self.bytes.copy_within(at + old..len, at + size);
            self.bytes.truncate(len + size - old);
            self.give_back();
        }
        entry.write_body(&mut self.bytes[at..at + size]);
    }

    /// Removes up to `count` elements from this one on.
    pub fn remove_from(&mut self, at: Cursor, count: usize) {
        let (mut to, mut removed) = (at.0, 0);
        while removed < count && to < self.bytes.len() {
            to += self.view().size_at(to);
            removed += 1;
        }
        self.bytes.drain(at.0..to);
        self.give_back();
        match self.counted() {
            UNKNOWN if self.view().is_empty() => self.set_count(0),
            UNKNOWN => {}
            count => self.set_count(count.saturating_sub(removed as u16)),
        }
    }

    /// Gives room back when most of it is free.
    #[inline]
    fn give_back(&mut self) {
        if self.bytes.capacity() > KEPT && self.bytes.len() <= self.bytes.capacity() / 4 {
            self.bytes.shrink_to(size_class(self.bytes.len()));
        }
    }

    #[inline]
    fn counted(&self) -> u16 {
        let count = self.bytes.first_chunk().copied();
        count.map_or(0, u16::from_le_bytes)
    }

    #[inline]
    fn set_count(&mut self, count: u16) {
        if let Some(known) = self.bytes.first_chunk_mut() {
            *known = count.to_le_bytes();
        }
    }

    #[inline]
    fn count_more(&mut self, more: u16) {
        self.set_count(self.counted().saturating_add(more));
    }
}

impl<'a> FromIterator<Item<'a>> for PackBuf {
    fn from_iter<T: IntoIterator<Item = Item<'a>>>(items: T) -> Self {
        let mut pack = Self::default();
        for item in items {
            // A foreign file may hold a number as a string.
            match item {
                Item::Str(text) => pack.push_back(text),
                Item::Int(_) => pack.push_item(item),
            }
        }
        pack
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => (-20i64..20).prop_map(|n| n.to_string().into_bytes()),
            2 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
            4 => "[a-d]{0,3}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..5000),
        ]
    }

    fn texts(pack: Pack<'_>) -> Vec<Vec<u8>> {
        let text = |item: Item<'_>| item.as_bytes(&mut itoa::Buffer::new()).to_vec();
        pack.iter().map(text).collect()
    }

    proptest! {
        #[test]
        fn behaves_as_a_vector(steps in prop::collection::vec((0u8..6, any::<prop::sample::Index>(), text()), 0..100)) {
            let (mut pack, mut model) = (PackBuf::default(), Vec::<Vec<u8>>::new());
            for (action, index, text) in steps {
                let index = index.index(model.len().max(1));
                let place = pack.view().seek(index).filter(|_| !model.is_empty());
                match (action, place) {
                    (0, Some(at)) => {
                        pack.remove_from(at, 2);
                        model.drain(index..model.len().min(index + 2));
                    }
                    (1, Some(at)) => {
                        pack.replace(at, &text);
                        model[index] = text.clone();
                    }
                    (2, Some(at)) => {
                        pack.insert(at, &text);
                        model.insert(index, text.clone());
                    }
                    (3, Some(at)) => {
                        pack.insert_after(at, &text);
                        model.insert(index + 1, text.clone());
                    }
                    _ => {
                        pack.push_back(&text);
                        model.push(text.clone());
                    }
                }
                prop_assert_eq!(texts(pack.view()), model.clone());
                prop_assert_eq!((pack.view().len(), pack.view().is_empty()), (model.len(), model.is_empty()));
                let found = pack.view().find(&text);
                let expected = model.iter().position(|known| *known == text);
                prop_assert_eq!(found, expected.and_then(|at| pack.view().seek(at)));
                prop_assert!(pack.bytes.capacity() <= (size_class(pack.bytes.len()) * 4).max(KEPT));
            }
            let listpack = pack.view().to_listpack();
            prop_assert!(Listpack::from_bytes(listpack.bytes().to_vec()).is_some());
            prop_assert_eq!(texts(listpack.iter().collect::<PackBuf>().view()), model.clone());
            let copy = PackBuf::copied(pack.view(), vec![7; 9]);
            prop_assert_eq!(texts(Pack::of_bytes(copy.view().bytes())), model);
        }
    }

    #[test]
    fn counts_beyond_what_the_header_holds() {
        let mut pack = PackBuf::default();
        for _ in 0..70_000 {
            pack.push_item(Item::Int(1));
        }
        assert_eq!(pack.view().len(), 70_000);
        let first = pack.view().first().expect("there are elements");
        pack.remove_from(first, 69_999);
        assert_eq!(pack.view().len(), 1);
        pack.remove_from(first, 1);
        assert_eq!((pack.view().len(), pack.view().first()), (0, None));
        pack.push_back(b"a");
        assert_eq!(pack.view().len(), 1);
    }
}
