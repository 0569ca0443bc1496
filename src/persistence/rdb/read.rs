//! Values from bytes of any origin. Whatever they say, nothing is believed before it is seen: counts allocate nothing, and
//! small encodings are walked through before they are taken over.

use std::borrow::Cow;
use std::collections::HashSet;

use super::cursor::{Malformed, Reader, parse_score};
use super::module::ModuleName;
use super::{Dialect, kind, old, stream};
use crate::config::Config;
use crate::structures::hash::{self, Hash, Lifetime};
use crate::structures::list::{self, End, List};
use crate::structures::listpack::{Item, Listpack};
use crate::structures::set::intset::IntSet;
use crate::structures::set::{self, Set};
use crate::structures::sorted_set::{self, Gathering, SortedSet};
use crate::structures::{Object, Structure};

/// A node of a list that is one element.
const PLAIN: u64 = 1;
/// A node of a list that is a listpack.
const PACKED: u64 = 2;
/// The latest moment at which a field can expire.
const LATEST: u64 = (1 << 46) - 1;

/// Up to which size the small encodings are used.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    hash: hash::Limits,
    list: list::Limit,
    set: set::Limits,
    sorted_set: sorted_set::Limits,
}

impl Limits {
    /// What the configuration says.
    pub fn of(config: &Config) -> Self {
        Self {
            hash: hash::Limits {
                entries: config.hash_max_listpack_entries,
                value: config.hash_max_listpack_value,
            },
            list: list::Limit::of(i64::from(config.list_max_listpack_size))
                .compressing(config.list_compress_depth),
            set: set::Limits {
                intset_entries: config.set_max_intset_entries,
                listpack_entries: config.set_max_listpack_entries,
                listpack_value: config.set_max_listpack_value,
            },
            sorted_set: sorted_set::Limits {
                entries: config.zset_max_listpack_entries,
                value: config.zset_max_listpack_value,
            },
        }
    }
}

/// A value that was read.
#[derive(Debug)]
pub enum Restored<'a> {
    /// A string, which is still to be stored as an integer if it is one.
    Text(Cow<'a, [u8]>),
    /// Any other value.
    Object(Object),
}

/// Reads a value, its type first.
pub fn read<'a>(
    reader: &mut Reader<'a>,
    dialect: Dialect,
    limits: &Limits,
) -> Result<Restored<'a>, Malformed> {
    let kind = dialect.kind(reader.byte()?);
    read_kind(reader, kind, limits)
}

/// Reads a value whose type is known.
pub(super) fn read_kind<'a>(
    reader: &mut Reader<'a>,
    kind: u8,
    limits: &Limits,
) -> Result<Restored<'a>, Malformed> {
    let object = match kind {
        kind::STRING => return Ok(Restored::Text(reader.any_string()?)),
        kind @ (kind::LIST | kind::LIST_ZIPLIST | kind::QUICKLIST | kind::QUICKLIST_2) => {
            full(read_list(reader, kind, limits.list)?)?
        }
        kind::SET => full(read_set(reader, &limits.set)?)?,
        kind::SET_INTSET => full(read_intset(reader, &limits.set)?)?,
        kind::SET_LISTPACK => full(read_packed_set(reader, &limits.set)?)?,
        kind @ (kind::SORTED_SET | kind::SORTED_SET_2) => {
            full(read_sorted_set(reader, kind, limits.sorted_set)?)?
        }
        kind::SORTED_SET_ZIPLIST => full(read_old_sorted_set(reader, limits.sorted_set)?)?,
        kind::SORTED_SET_LISTPACK => full(read_packed_sorted_set(reader, limits.sorted_set)?)?,
        kind if kind::is_stream(kind) => stream::read(reader, kind)?.into_object(),
        kind::MODULE_2 => {
            let name = ModuleName::of(reader.length()?);
            return Err(Malformed::UnknownModule(name));
        }
        kind => full(read_hash(reader, kind, &limits.hash)?)?,
    };
    Ok(Restored::Object(object))
}

/// A value that has elements.
fn full(value: impl Structure) -> Result<Object, Malformed> {
    match value.is_empty() {
        true => Err(Malformed::Empty),
        false => Ok(value.into_object()),
    }
}

pub(super) fn listpack(reader: &mut Reader<'_>) -> Result<Listpack, Malformed> {
    let bytes = reader.string()?.into_owned();
    Listpack::from_bytes(bytes).ok_or(Malformed::Listpack)
}

// ---- Lists

fn read_list(reader: &mut Reader<'_>, kind: u8, limit: list::Limit) -> Result<List, Malformed> {
    let mut list = List::default();
    let push = |list: &mut List, element: &[u8]| {
        list.grow(limit, element.len(), 1);
        list.push(End::Tail, element, limit);
        Ok(())
    };
    if kind == kind::LIST_ZIPLIST {
        old::ziplist(&reader.string()?, |element| push(&mut list, &element))?;
        return Ok(list);
    }
    for _ in 0..reader.count()? {
        match kind {
            kind::LIST => push(&mut list, &reader.string()?)?,
            kind::QUICKLIST => {
                old::ziplist(&reader.string()?, |element| push(&mut list, &element))?;
            }
            _ => match reader.length()? {
                PLAIN => match &*reader.string()? {
                    [] => return Err(Malformed::Node(PLAIN)),
                    element => push(&mut list, element)?,
                },
                PACKED => add_node(&mut list, &listpack(reader)?, limit)?,
                other => return Err(Malformed::Node(other)),
            },
        }
    }
    Ok(list)
}

/// A listpack's bytes without header and end are a run of entries.
fn add_node(list: &mut List, node: &Listpack, limit: list::Limit) -> Result<(), Malformed> {
    const HEADER: usize = 6;
    let bytes = node.bytes();
    let entries = bytes.get(HEADER..bytes.len() - 1).unwrap_or_default();
    match list.add_run(entries, limit) {
        true => Ok(()),
        false => Err(Malformed::Listpack),
    }
}

// ---- Sets

fn read_set(reader: &mut Reader<'_>, limits: &set::Limits) -> Result<Set, Malformed> {
    let count = reader.count()?;
    let mut set = Set::default();
    for n in 0..count {
        let member = reader.string()?;
        if n == 0 {
            set = Set::for_members(
                &member,
                usize::try_from(count).unwrap_or(usize::MAX),
                limits,
            );
        }
        if !set.add(&member, limits) {
            return Err(Malformed::Twice);
        }
    }
    Ok(set)
}

fn read_intset(reader: &mut Reader<'_>, limits: &set::Limits) -> Result<Set, Malformed> {
    let bytes = reader.string()?.into_owned();
    let ints = IntSet::from_bytes(bytes).ok_or(Malformed::Intset)?;
    let set = Set::Ints(ints);
    match set.len() > limits.intset_entries {
        true => rebuilt(&set, limits),
        false => Ok(set),
    }
}

fn read_packed_set(reader: &mut Reader<'_>, limits: &set::Limits) -> Result<Set, Malformed> {
    let pack = listpack(reader)?;
    let mut seen = HashSet::new();
    for item in pack.iter() {
        if !seen.insert(item.as_bytes(&mut itoa::Buffer::new()).to_vec()) {
            return Err(Malformed::Twice);
        }
    }
    let set = Set::Packed(pack.iter().collect());
    match set.len() > limits.listpack_entries {
        true => rebuilt(&set, limits),
        false => Ok(set),
    }
}

/// The same set in the encoding that suits its size.
fn rebuilt(set: &Set, limits: &set::Limits) -> Result<Set, Malformed> {
    let first = set.iter().next().ok_or(Malformed::Empty)?;
    let mut buffer = itoa::Buffer::new();
    let mut new = Set::for_members(first.as_bytes(&mut buffer), set.len(), limits);
    for member in set.iter() {
        new.add_item(member, limits);
    }
    Ok(new)
}

// ---- Sorted sets

/// Adds a member that must not be there.
fn gather(gathered: &mut Gathering, member: &[u8], score: f64) -> Result<(), Malformed> {
    let before = gathered.len();
    gathered.add(member, score, |known, _| known);
    match gathered.len() > before {
        true => Ok(()),
        false => Err(Malformed::Twice),
    }
}

fn read_sorted_set(
    reader: &mut Reader<'_>,
    kind: u8,
    limits: sorted_set::Limits,
) -> Result<SortedSet, Malformed> {
    let mut gathered = Gathering::default();
    for _ in 0..reader.count()? {
        let member = reader.string()?;
        let score = match kind {
            kind::SORTED_SET => reader.old_score()?,
            _ => reader.score()?,
        };
        gather(&mut gathered, &member, score)?;
    }
    Ok(SortedSet::of_gathered(gathered, limits))
}

fn read_old_sorted_set(
    reader: &mut Reader<'_>,
    limits: sorted_set::Limits,
) -> Result<SortedSet, Malformed> {
    let (mut gathered, mut member) = (Gathering::default(), None);
    let bytes = reader.string()?;
    old::ziplist(&bytes, |element| match member.take() {
        None => {
            member = Some(element);
            Ok(())
        }
        Some(member) => gather(&mut gathered, &member, parse_score(&element)?),
    })
    .map_err(|error| match error {
        Malformed::Ziplist => Malformed::SortedSetZiplist,
        other => other,
    })?;
    match member {
        Some(_) => Err(Malformed::Odd),
        None => Ok(SortedSet::of_gathered(gathered, limits)),
    }
}

fn read_packed_sorted_set(
    reader: &mut Reader<'_>,
    limits: sorted_set::Limits,
) -> Result<SortedSet, Malformed> {
    let set = SortedSet::from_listpack(listpack(reader)?).ok_or(Malformed::Listpack)?;
    if set.len() <= limits.entries {
        return Ok(set);
    }
    let mut gathered = Gathering::default();
    for (member, score) in set.iter() {
        gather(
            &mut gathered,
            member.as_bytes(&mut itoa::Buffer::new()),
            score,
        )?;
    }
    Ok(SortedSet::of_gathered(gathered, limits))
}

// ---- Hashes

/// A hash in the making.
struct Fields<'a> {
    hash: Hash,
    limits: &'a hash::Limits,
}

impl Fields<'_> {
    fn add(&mut self, name: &[u8], value: &[u8], expires_at: u64) -> Result<(), Malformed> {
        let lifetime = match expires_at {
            0 => Lifetime::Endless,
            1..=LATEST => Lifetime::Until(expires_at.cast_signed()),
            _ => return Err(Malformed::Expiry),
        };
        match self.hash.set(name, value, lifetime, self.limits) {
            true => Ok(()),
            false => Err(Malformed::Twice),
        }
    }
}

fn read_hash(reader: &mut Reader<'_>, kind: u8, limits: &hash::Limits) -> Result<Hash, Malformed> {
    let hash = Hash::default();
    let mut fields = Fields { hash, limits };
    match kind {
        kind::HASH => {
            for _ in 0..reader.count()? {
                fields.add(&reader.string()?, &reader.string()?, 0)?;
            }
        }
        kind::HASH_ZIPMAP => {
            old::zipmap(&reader.string()?, |name, value| fields.add(name, value, 0))?;
        }
        kind::HASH_ZIPLIST => read_old_hash(&reader.string()?, &mut fields)?,
        kind::HASH_LISTPACK => read_packed_hash(reader, 2, &mut fields)?,
        kind::HASH_LISTPACK_EXPIRING_EARLY => read_packed_hash(reader, 3, &mut fields)?,
        kind::HASH_LISTPACK_EXPIRING => {
            reader.moment()?;
            read_packed_hash(reader, 3, &mut fields)?;
        }
        kind::HASH_OF_VALKEY => {
            for _ in 0..reader.count()? {
                let (name, value) = (reader.string()?, reader.string()?);
                // -1 is none.
                let expires_at = reader.moment()?.max(0).cast_unsigned();
                fields.add(&name, &value, expires_at)?;
            }
        }
        kind::HASH_EXPIRING_EARLY => read_expiring_hash(reader, None, &mut fields)?,
        kind::HASH_EXPIRING => {
            let earliest = reader.moment()?.cast_unsigned();
            read_expiring_hash(reader, Some(earliest), &mut fields)?;
        }
        other => return Err(Malformed::Type(other)),
    }
    Ok(fields.hash)
}

fn read_old_hash(bytes: &[u8], fields: &mut Fields<'_>) -> Result<(), Malformed> {
    let mut name = None;
    old::ziplist(bytes, |element| match name.take() {
        None => {
            name = Some(element);
            Ok(())
        }
        Some(name) => fields.add(&name, &element, 0),
    })?;
    name.map_or(Ok(()), |_| Err(Malformed::Odd))
}

/// Fields in a listpack, `width` elements each: name, value, and perhaps when it goes.
fn read_packed_hash(
    reader: &mut Reader<'_>,
    width: usize,
    fields: &mut Fields<'_>,
) -> Result<(), Malformed> {
    let pack = listpack(reader)?;
    let mut items = pack.iter();
    while let Some(name) = items.next() {
        let value = items.next().ok_or(Malformed::Odd)?;
        let expires_at = match width {
            2 => 0,
            _ => match items.next() {
                Some(Item::Int(at)) => at.cast_unsigned(),
                _ => return Err(Malformed::Expiry),
            },
        };
        let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
        fields.add(
            name.as_bytes(&mut one),
            value.as_bytes(&mut other),
            expires_at,
        )?;
    }
    Ok(())
}

fn read_expiring_hash(
    reader: &mut Reader<'_>,
    earliest: Option<u64>,
    fields: &mut Fields<'_>,
) -> Result<(), Malformed> {
    for _ in 0..reader.count()? {
        let expires_at = match (reader.length()?, earliest) {
            (0, _) => 0,
            (at, None) => at,
            // Counted from one, so that zero is none.
            (after, Some(earliest)) => earliest.checked_add(after - 1).ok_or(Malformed::Expiry)?,
        };
        fields.add(&reader.string()?, &reader.string()?, expires_at)?;
    }
    Ok(())
}
