//! One entry as it stands in its node, and how a node's listpack is read.

use super::id::Id;
use super::node::{DELETED, Master, SAME_FIELDS};
use crate::structures::listpack::Item;
use crate::structures::listpack::codec::{decode, entry_size, entry_size_before};

/// Bytes before a listpack's first element.
const HEADER: usize = 6;

/// Reads a listpack element by element, in either direction. Never beyond its ends, whatever it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    /// Everything but the end mark.
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Before the first element of a whole listpack.
    #[inline]
    pub fn new(pack: &'a [u8]) -> Self {
        Self {
            bytes: &pack[..pack.len() - 1],
            at: HEADER,
        }
    }

    /// Where the next element begins.
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes to where an element begins.
    #[inline]
    pub fn seek(&mut self, at: usize) {
        self.at = at;
    }

    /// Goes behind the last element.
    pub fn seek_end(&mut self) {
        self.at = self.bytes.len();
    }

    #[inline]
    pub fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// What has not been read.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub fn item(&mut self) -> Option<Item<'a>> {
        let (item, size) = decode(self.rest())?;
        self.at += size;
        Some(item)
    }

    #[inline]
    pub fn int(&mut self) -> Option<i64> {
        match self.item()? {
            Item::Int(value) => Some(value),
            Item::Str(_) => None,
        }
    }

    #[inline]
    pub fn skip(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            let size = entry_size(self.rest())?;
            self.at = self.at.checked_add(size)?;
        }
        (self.at <= self.bytes.len()).then_some(())
    }

    /// Goes back over some elements.
    #[inline]
    fn skip_back(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            let size = entry_size_before(self.bytes.get(HEADER..self.at)?)?;
            self.at = self.at.checked_sub(size)?;
        }
        Some(())
    }

    /// Goes back to the beginning of the entry that ends here. `None` at the master entry.
    #[inline]
    pub fn entry_back(&mut self) -> Option<()> {
        let end = self.at;
        self.skip_back(1)?;
        let count = self.int()?;
        self.at = end;
        let count = usize::try_from(count).ok().filter(|&count| count > 0)?;
        self.skip_back(count.checked_add(1)?)
    }

    /// The id of the entry that begins here, and whether it is deleted, without going on.
    #[inline]
    pub fn peek_id(&self, base: Id) -> Option<(Id, bool)> {
        let mut reader = *self;
        let flags = reader.int()?;
        Some((reader.id(base)?, flags & DELETED != 0))
    }

    #[inline]
    fn id(&mut self, base: Id) -> Option<Id> {
        let ms = base.ms.wrapping_add(self.int()?.cast_unsigned());
        let seq = base.seq.wrapping_add(self.int()?.cast_unsigned());
        Some(Id { ms, seq })
    }

    /// The entry that begins here.
    #[inline]
    pub fn entry(&mut self, base: Id, master: &Master<'a>) -> Option<Entry<'a>> {
        let place = self.at;
        let flags = self.int()?;
        let id = self.id(base)?;
        let (names, fields) = match flags & SAME_FIELDS != 0 {
            true => (Some(master.names), master.fields),
            false => (None, usize::try_from(self.int()?).ok()?),
        };
        let values = self.rest();
        let elements = match names {
            Some(_) => fields,
            None => fields.checked_mul(2)?,
        };
        self.skip(elements)?;
        let count = self.int()?;
        Some(Entry {
            id,
            flags,
            place: self.bytes.len() + 1 - place,
            count,
            fields,
            names,
            values,
        })
    }
}

/// An entry.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its id.
    pub id: Id,
    flags: i64,
    /// Where its flags stand, told from the end of the node's bytes.
    pub(super) place: usize,
    /// How many elements it says it is.
    count: i64,
    fields: usize,
    /// The master's fields, if they are its own.
    names: Option<&'a [u8]>,
    values: &'a [u8],
}

impl<'a> Entry<'a> {
    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.fields
    }

    /// Whether it has no fields.
    pub fn is_empty(&self) -> bool {
        self.fields == 0
    }

    #[inline]
    pub(super) fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }

    /// Whether its own count of its elements is right.
    pub(super) fn is_consistent(&self) -> bool {
        let elements = match self.names {
            Some(_) => self.fields.saturating_add(3),
            None => self.fields.saturating_mul(2).saturating_add(4),
        };
        usize::try_from(self.count) == Ok(elements)
    }

    /// Its fields with their values.
    #[inline]
    pub fn pairs(&self) -> Pairs<'a> {
        Pairs {
            left: self.fields,
            names: self.names,
            values: self.values,
        }
    }
}

/// The fields of an entry with their values.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    left: usize,
    names: Option<&'a [u8]>,
    values: &'a [u8],
}

#[inline]
fn take<'a>(bytes: &mut &'a [u8]) -> Option<Item<'a>> {
    let (item, size) = decode(bytes)?;
    *bytes = &bytes[size..];
    Some(item)
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => take(names)?,
            None => take(&mut self.values)?,
        };
        Some((name, take(&mut self.values)?))
    }
}
