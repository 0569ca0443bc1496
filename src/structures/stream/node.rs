//! A node: some hundred entries in one listpack, each told by what differs from the node's first.
//!
//! The listpack begins with the master entry: entries alive, entries deleted, number of fields, the fields, 0. An entry is
//! its flags, its id less the node's (milliseconds, number), its number of fields, each field with its value, and how many
//! elements that were, so that it can be walked over backwards. With the master's fields ([`SAME_FIELDS`]) number and
//! fields are left out. A deleted entry stays, with a flag, until its node has no other.

use super::entry::{Entry, Reader};
use super::id::Id;
use crate::structures::listpack::{Cursor, Item, Listpack};

/// The entry has been deleted.
pub const DELETED: i64 = 1;
/// The entry has the fields of the master entry.
pub const SAME_FIELDS: i64 = 2;

/// Bytes that a field's or value's entry in the listpack takes besides its own.
const OVERHEAD: usize = 10;

/// Some entries in one allocation.
#[derive(Debug, Clone)]
pub struct Node {
    pack: Listpack,
}

/// The bytes of a node, wherever they stand.
#[derive(Debug, Clone, Copy)]
pub struct NodeView<'a> {
    bytes: &'a [u8],
}

/// What the master entry says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Master<'a> {
    /// Entries that are not deleted.
    pub alive: i64,
    /// Entries that are.
    pub deleted: i64,
    /// How many fields.
    pub fields: usize,
    /// The fields and what comes behind them.
    pub names: &'a [u8],
    /// Where the first entry begins.
    pub first: usize,
}

impl Node {
    /// A node without entries, whose master has the fields of `pairs`.
    pub(super) fn new<'a>(pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut pack = Listpack::new();
        pack.push_back_int(0);
        pack.push_back_int(0);
        pack.push_back_int(pairs.len() as i64);
        for (field, _) in pairs {
            pack.reserve(field.len() + OVERHEAD);
            pack.push_back(field);
        }
        pack.push_back_int(0);
        Self { pack }
    }

    /// A node of bytes from outside; `None` if they are not one.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let node = Self {
            pack: Listpack::from_bytes(bytes)?,
        };
        node.view().is_sound().then_some(node)
    }

    /// The listpack's bytes, in Redis's layout.
    pub fn bytes(&self) -> &[u8] {
        self.pack.bytes()
    }

    /// What can be read of it.
    #[inline]
    pub fn view(&self) -> NodeView<'_> {
        NodeView::of_bytes(self.pack.bytes())
    }

    /// Bytes allocated.
    pub(super) fn allocated(&self) -> usize {
        self.pack.allocated()
    }

    /// Adds an entry. `base` is the node's id.
    pub(super) fn push<'a>(
        &mut self,
        base: Id,
        id: Id,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) {
        let has_same_fields = self.count_one_more(pairs.clone());
        let bytes: usize = pairs
            .clone()
            .map(|(field, value)| field.len() + value.len() + 2 * OVERHEAD)
            .sum();
        self.pack.reserve(bytes + 5 * OVERHEAD);
        let fields = pairs.len() as i64;
        self.pack.append(|pack| {
            pack.push_int(if has_same_fields { SAME_FIELDS } else { 0 });
            pack.push_int(id.ms.wrapping_sub(base.ms).cast_signed());
            pack.push_int(id.seq.wrapping_sub(base.seq).cast_signed());
            if has_same_fields {
                pairs.for_each(|(_, value)| pack.push(value));
                return pack.push_int(fields + 3);
            }
            pack.push_int(fields);
            for (field, value) in pairs {
                pack.push(field);
                pack.push(value);
            }
            pack.push_int(2 * fields + 4);
        });
    }

    /// Counts an entry that is about to be added. True when its fields are the master's.
    fn count_one_more<'a>(
        &mut self,
        mut pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> bool {
        let mut reader = self.view().reader();
        let alive = reader.int().unwrap_or_default();
        reader.int();
        let is_same = reader.int() == Some(pairs.len() as i64)
            && pairs.all(|(field, _)| reader.item().is_some_and(|item| item.is(field)));
        if let Some(first) = self.pack.first() {
            self.pack.replace_int(first, alive + 1);
        }
        is_same
    }

    /// Marks the entries deleted whose flags stand at these places, in rising order, `places` being told from the end of the
    /// listpack's bytes.
    pub(super) fn delete(&mut self, places: &[usize]) {
        for &place in places {
            let at = self.pack.bytes().len().saturating_sub(place);
            let at = Cursor::at(at);
            if let Some(Item::Int(flags)) = self.pack.at(at) {
                self.pack.replace_int(at, flags | DELETED);
            }
        }
        let Some(master) = self.view().master() else {
            return;
        };
        let (alive, deleted) = (master.alive, master.deleted);
        let count = places.len() as i64;
        if let Some(first) = self.pack.first() {
            self.pack.replace_int(first, alive - count);
            if let Some(second) = self.pack.next(first) {
                self.pack.replace_int(second, deleted + count);
            }
        }
    }
}

impl<'a> NodeView<'a> {
    /// Bytes that a node has given.
    #[inline]
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The listpack's bytes, in Redis's layout.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// A node of its own.
    pub(super) fn to_node(self) -> Node {
        Node {
            pack: Listpack::of_bytes(self.bytes.to_vec()),
        }
    }

    #[inline]
    pub(super) fn reader(self) -> Reader<'a> {
        Reader::new(self.bytes)
    }

    /// What the master entry says.
    #[inline]
    pub(super) fn master(self) -> Option<Master<'a>> {
        let mut reader = self.reader();
        let (alive, deleted) = (reader.int()?, reader.int()?);
        let fields = usize::try_from(reader.int()?).ok()?;
        let names = reader.rest();
        reader.skip(fields.checked_add(1)?)?;
        Some(Master {
            alive,
            deleted,
            fields,
            names,
            first: reader.at(),
        })
    }

    /// Entries that are not deleted.
    pub(super) fn alive(self) -> u64 {
        let alive = self.reader().int().unwrap_or_default();
        u64::try_from(alive).unwrap_or_default()
    }

    /// Entries, deleted ones included.
    pub fn entries(self) -> u64 {
        let mut reader = self.reader();
        let mut next = || u64::try_from(reader.int().unwrap_or_default()).unwrap_or_default();
        next().saturating_add(next())
    }

    /// Whether every entry can be walked over in both directions and the counts agree.
    fn is_sound(self) -> bool {
        let Some(master) = self.master() else {
            return false;
        };
        let mut reader = self.reader();
        if reader.skip(3 + master.fields).is_none() || reader.int() != Some(0) {
            return false;
        }
        let mut counts = [0, 0];
        while !reader.is_at_end() {
            match reader.entry(Id::MIN, &master).filter(Entry::is_consistent) {
                Some(entry) => counts[usize::from(entry.is_deleted())] += 1,
                None => return false,
            }
        }
        counts == [master.alive, master.deleted]
    }
}
