//! A snapshot's entries as the commands that make them, for a log that begins with these. No value is built: what an entry
//! consists of is shown as it is read. Known here are the forms that `write` writes, with nothing packed.

mod streams;

use std::borrow::Cow;
use std::cmp::Ordering;

use super::cursor::{Malformed, Reader};
use super::encode::Shared;
use super::opcode as code;
use super::write::{LISTPACK_END, LISTPACK_HEADER, LISTPACK_NODE, PLAIN_NODE};
use super::{kind, read, stream};
use crate::base::numbers::format_f64;
use crate::structures::listpack::Item;
use crate::structures::listpack::codec::decode;
use crate::structures::set::intset::IntSet;
use crate::structures::sorted_set::SortedSet;

/// Elements in one command.
const BATCH: usize = 64;

/// A part of a command.
type Word<'a> = Cow<'a, [u8]>;

/// Where commands go.
pub type Show<'s> = dyn FnMut(&[&[u8]]) + 's;

/// Shows the commands that make entries whose use is not told; `last` is the value of the last one where the bytes end
/// before it.
pub fn show_entries(
    show: &mut Show<'_>,
    bytes: &[u8],
    last: Option<&Shared>,
) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    while reader.left() > 0 {
        let (mut kind, mut expires_at) = (reader.byte()?, None);
        if kind == code::EXPIRES_MS {
            expires_at = Some(reader.moment()?);
            kind = reader.byte()?;
        }
        let key = &*reader.any_string()?;
        match last.filter(|_| reader.left() == 0) {
            Some(Shared::Text(text)) => show(&[b"SET", key, text]),
            Some(Shared::Stream(own)) => streams::show_stream(show, key, own),
            None => show_value(show, key, kind, &mut reader)?,
        }
        if let Some(at) = expires_at {
            show(&[b"PEXPIREAT", key, itoa::Buffer::new().format(at).as_bytes()]);
        }
    }
    Ok(())
}

fn show_value(
    show: &mut Show<'_>,
    key: &[u8],
    kind: u8,
    reader: &mut Reader<'_>,
) -> Result<(), Malformed> {
    match kind {
        kind::STRING => show(&[b"SET", key, &reader.any_string()?]),
        kind::QUICKLIST_2 => {
            let (nodes, entries) = (reader.length()?, &[][..]);
            let elements = Elements {
                reader,
                nodes,
                entries,
            };
            show_batches(show, [b"RPUSH", key], elements)?;
        }
        kind::SET => {
            let members = (0..reader.length()?).map(|_| Ok([reader.string()?]));
            show_batches(show, [b"SADD", key], members)?;
        }
        kind::SET_INTSET => {
            let ints = IntSet::from_bytes(bytes(reader)?.to_vec()).ok_or(Malformed::Intset)?;
            let members = ints.iter().map(|number| Ok([text(Item::Int(number))]));
            show_batches(show, [b"SADD", key], members)?;
        }
        kind::SORTED_SET_2 => {
            let pairs = in_order(reader)?.into_iter();
            let pairs = pairs.map(|(member, score)| Ok(scored(member, score)));
            show_batches(show, [b"ZADD", key], pairs)?;
        }
        kind::SORTED_SET_LISTPACK => {
            let set = SortedSet::from_listpack(read::listpack(reader)?);
            let set = set.ok_or(Malformed::Listpack)?;
            let pairs = set
                .iter()
                .map(|(member, score)| Ok(scored(text(member), score)));
            show_batches(show, [b"ZADD", key], pairs)?;
        }
        kind::STREAM_2 => streams::show_stream(show, key, &stream::read(reader, kind)?),
        _ => show_hash(show, key, kind, reader)?,
    }
    Ok(())
}

/// An element's bytes.
fn text(item: Item<'_>) -> Word<'_> {
    match item {
        Item::Int(value) => Cow::Owned(value.to_string().into_bytes()),
        Item::Str(text) => Cow::Borrowed(text),
    }
}

/// The members of a sorted set in their order. They are written from the greatest on, but for those that were changed
/// meanwhile.
fn in_order<'a>(reader: &mut Reader<'a>) -> Result<Vec<(Word<'a>, f64)>, Malformed> {
    let pairs = (0..reader.length()?).map(|_| Ok((reader.string()?, reader.score()?)));
    let mut pairs: Vec<_> = pairs.collect::<Result<_, Malformed>>()?;
    pairs.sort_by(|(member, score), (other, than)| {
        let by_score = score.partial_cmp(than).unwrap_or(Ordering::Equal);
        by_score.then_with(|| member.cmp(other))
    });
    Ok(pairs)
}

/// What ZADD takes for a member.
fn scored(member: Word<'_>, score: f64) -> [Word<'_>; 2] {
    [Cow::Owned(format_f64(score).to_vec()), member]
}

/// Shows commands that add elements, each of some words.
fn show_batches<'e, const N: usize>(
    show: &mut Show<'_>,
    head: [&[u8]; 2],
    mut elements: impl Iterator<Item = Result<[Word<'e>; N], Malformed>>,
) -> Result<(), Malformed> {
    loop {
        let batch: Result<Vec<_>, Malformed> = elements.by_ref().take(BATCH).collect();
        let batch = batch?;
        if batch.is_empty() {
            return Ok(());
        }
        let words = batch.iter().flatten().map(AsRef::as_ref);
        let command: Vec<&[u8]> = head.into_iter().chain(words).collect();
        show(&command);
    }
}

// ---- Listpacks

/// A string that stands as it is.
fn bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    match reader.any_string()? {
        Cow::Borrowed(bytes) => Ok(bytes),
        Cow::Owned(_) => Err(Malformed::Listpack),
    }
}

/// The entries of a listpack.
fn entries<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let entries = bytes(reader)?.get(LISTPACK_HEADER..);
    let entries = entries.and_then(|entries| entries.strip_suffix(&[LISTPACK_END]));
    entries.ok_or(Malformed::Listpack)
}

/// Takes the first one.
fn next<'a>(entries: &mut &'a [u8]) -> Result<Option<Item<'a>>, Malformed> {
    if entries.is_empty() {
        return Ok(None);
    }
    let (item, size) = decode(entries).ok_or(Malformed::Listpack)?;
    *entries = entries.get(size..).ok_or(Malformed::Listpack)?;
    Ok(Some(item))
}

/// Takes one that must be there.
fn some<'a>(entries: &mut &'a [u8]) -> Result<Item<'a>, Malformed> {
    next(entries)?.ok_or(Malformed::Odd)
}

/// The elements of a list.
struct Elements<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// Nodes that are left.
    nodes: u64,
    /// What is left of the present one.
    entries: &'a [u8],
}

impl<'a> Elements<'_, 'a> {
    fn advance(&mut self) -> Result<Option<Word<'a>>, Malformed> {
        loop {
            if let Some(item) = next(&mut self.entries)? {
                return Ok(Some(text(item)));
            }
            if self.nodes == 0 {
                return Ok(None);
            }
            self.nodes -= 1;
            match self.reader.length()? {
                PLAIN_NODE => return self.reader.any_string().map(Some),
                LISTPACK_NODE => self.entries = entries(self.reader)?,
                other => return Err(Malformed::Node(other)),
            }
        }
    }
}

impl<'a> Iterator for Elements<'_, 'a> {
    type Item = Result<[Word<'a>; 1], Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let element = self.advance().transpose()?;
        Some(element.map(|element| [element]))
    }
}

// ---- Hashes

/// A field.
struct Field<'a> {
    name: Word<'a>,
    value: Word<'a>,
    /// When it goes; 0 for never.
    expires_at: i64,
}

/// The fields of a hash.
struct Fields<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// Fields that are left, where they are not in a listpack.
    left: u64,
    /// What is left of a listpack.
    entries: &'a [u8],
    /// The first moment, where fields expire.
    first: Option<i64>,
}

impl<'r, 'a> Fields<'r, 'a> {
    fn of(reader: &'r mut Reader<'a>, kind: u8) -> Result<Self, Malformed> {
        let first = match kind {
            kind::HASH_EXPIRING | kind::HASH_LISTPACK_EXPIRING => Some(reader.moment()?),
            _ => None,
        };
        let (left, entries) = match kind {
            kind::HASH | kind::HASH_EXPIRING => (reader.length()?, &[][..]),
            kind::HASH_LISTPACK | kind::HASH_LISTPACK_EXPIRING => (0, entries(reader)?),
            other => return Err(Malformed::Type(other)),
        };
        Ok(Self {
            reader,
            left,
            entries,
            first,
        })
    }

    fn read(&mut self) -> Result<Field<'a>, Malformed> {
        self.left -= 1;
        let expires_at = match self.first {
            None => 0,
            Some(first) => match self.reader.length()?.cast_signed() {
                0 => 0,
                // Counted from one.
                after => first.saturating_add(after - 1),
            },
        };
        Ok(Field {
            name: self.reader.string()?,
            value: self.reader.string()?,
            expires_at,
        })
    }

    fn unpack(&mut self) -> Result<Field<'a>, Malformed> {
        let (name, value) = (some(&mut self.entries)?, some(&mut self.entries)?);
        let expires_at = match self.first {
            None => 0,
            Some(_) => match some(&mut self.entries)? {
                Item::Int(at) => at,
                Item::Str(_) => return Err(Malformed::Expiry),
            },
        };
        Ok(Field {
            name: text(name),
            value: text(value),
            expires_at,
        })
    }
}

impl<'a> Iterator for Fields<'_, 'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        match (self.left, self.entries) {
            (0, []) => None,
            (0, _) => Some(self.unpack()),
            _ => Some(self.read()),
        }
    }
}

fn show_hash(
    show: &mut Show<'_>,
    key: &[u8],
    kind: u8,
    reader: &mut Reader<'_>,
) -> Result<(), Malformed> {
    let mut again = *reader;
    let pairs = Fields::of(reader, kind)?.map(|field| field.map(|field| [field.name, field.value]));
    show_batches(show, [b"HSET", key], pairs)?;
    if !matches!(kind, kind::HASH_EXPIRING | kind::HASH_LISTPACK_EXPIRING) {
        return Ok(());
    }
    for field in Fields::of(&mut again, kind)? {
        let Field {
            name, expires_at, ..
        } = field?;
        if expires_at != 0 {
            let at = expires_at.to_string();
            show(&[b"HPEXPIREAT", key, at.as_bytes(), b"FIELDS", b"1", &name]);
        }
    }
    Ok(())
}
