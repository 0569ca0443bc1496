//! Values to bytes.

use std::mem;

use super::cursor::{INT_8, INT_16, INT_32, LENGTH_32, LENGTH_64, PACKED, SPECIAL};
use super::{kind, stream};
use crate::base::lzf::Packer;
use crate::base::numbers::parse_i64;
use crate::keyspace::ValueRef;
use crate::structures::ObjectRef;
use crate::structures::hash::{self, Seen};
use crate::structures::list::List;
use crate::structures::listpack::Item;
use crate::structures::listpack::codec::decode;
use crate::structures::set;
use crate::structures::sorted_set::{Direction, SortedSet};

/// Strings that may be integers are no longer than this.
const LONGEST_INTEGER: usize = 11;
/// Shorter strings are not worth packing.
const PACKED_FROM: usize = 21;
/// A node of a list that is one element.
pub(super) const PLAIN_NODE: u64 = 1;
/// Nobody reads a listpack of more bytes.
const LISTPACK_BYTES: usize = (1 << 30) - 64;
/// A node of a list that is one listpack.
pub(super) const LISTPACK_NODE: u64 = 2;
/// What a listpack has besides its entries.
pub(super) const LISTPACK_HEADER: usize = 6;
pub(super) const LISTPACK_END: u8 = 0xff;

/// What becomes of long strings.
#[derive(Debug, Default)]
enum Packing {
    /// They stand as they are.
    #[default]
    Never,
    AtOnce(Packer),
    /// They are to be packed by [`Writer::rough`].
    Later(Vec<Long>),
}

/// A long string that stands without its length.
#[derive(Debug, Clone, Copy)]
struct Long {
    start: usize,
    len: usize,
}

/// Bytes in which long strings are still to be packed.
#[derive(Debug, Default)]
pub struct Rough {
    bytes: Vec<u8>,
    long: Vec<Long>,
}

impl From<Vec<u8>> for Rough {
    fn from(bytes: Vec<u8>) -> Self {
        let long = Vec::new();
        Self { bytes, long }
    }
}

impl Rough {
    /// The bytes, where nothing is still to be done.
    pub fn finished(&self) -> Option<&[u8]> {
        self.long.is_empty().then_some(&*self.bytes)
    }

    /// The bytes as they are.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, taken.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The same memory without what was in it.
    pub fn cleared(mut self) -> Self {
        self.bytes.clear();
        self.long.clear();
        self
    }

    /// How many bytes there are by now.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes there is memory for.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Writes the parts that values are made of.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    packing: Packing,
}

impl Writer {
    /// Nothing written yet; long strings are packed if wanted.
    pub fn new(packs: bool) -> Self {
        Self {
            bytes: Vec::new(),
            packing: match packs {
                true => Packing::AtOnce(Packer::default()),
                false => Packing::Never,
            },
        }
    }

    /// Nothing written yet; long strings are packed, if wanted, when what was written is finished. For whoever holds a lock.
    pub fn rough(packs: bool) -> Self {
        Self {
            bytes: Vec::new(),
            packing: match packs {
                true => Packing::Later(Vec::new()),
                false => Packing::Never,
            },
        }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Takes what was written.
    pub fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.bytes)
    }

    /// Takes what was written roughly; what follows goes into `spare`, which is empty.
    pub fn exchange(&mut self, spare: Rough) -> Rough {
        let bytes = mem::replace(&mut self.bytes, spare.bytes);
        let long = match &mut self.packing {
            Packing::Later(long) => mem::replace(long, spare.long),
            _ => Vec::new(),
        };
        Rough { bytes, long }
    }

    /// Writes what was written roughly.
    pub fn finish(&mut self, rough: &Rough) {
        let mut done = 0;
        for &Long { start, len } in &rough.long {
            self.raw(&rough.bytes[done..start]);
            done = start + len;
            self.long_string(&rough.bytes[start..done]);
        }
        self.raw(&rough.bytes[done..]);
    }

    /// How many bytes were written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A length or a count.
    pub fn length(&mut self, length: u64) {
        match length {
            0..0x40 => self.bytes.push(length as u8),
            0x40..0x4000 => self.raw(&(0x4000 | length as u16).to_be_bytes()),
            0x4000..=0xffff_ffff => {
                self.bytes.push(LENGTH_32);
                self.raw(&(length as u32).to_be_bytes());
            }
            _ => {
                self.bytes.push(LENGTH_64);
                self.raw(&length.to_be_bytes());
            }
        }
    }

    /// A string, as an integer or packed where that is shorter.
    pub fn string(&mut self, text: &[u8]) {
        if text.len() <= LONGEST_INTEGER
            && let Some(number) = parse_i64(text)
        {
            return self.integer(number);
        }
        if text.len() >= PACKED_FROM {
            return self.long_string(text);
        }
        self.length(text.len() as u64);
        self.raw(text);
    }

    /// A string that is worth packing.
    fn long_string(&mut self, text: &[u8]) {
        if let Packing::Later(long) = &mut self.packing {
            let (start, len) = (self.bytes.len(), text.len());
            long.push(Long { start, len });
            return self.raw(text);
        }
        if !self.packed(text) {
            self.length(text.len() as u64);
            self.raw(text);
        }
    }

    /// A string that is packed; false if that does not make it shorter.
    fn packed(&mut self, text: &[u8]) -> bool {
        let mut packing = mem::take(&mut self.packing);
        let packed = match &mut packing {
            Packing::AtOnce(packer) => packer.pack(text),
            _ => None,
        };
        if let Some(packed) = packed {
            self.bytes.push(SPECIAL | PACKED);
            self.length(packed.len() as u64);
            self.length(text.len() as u64);
            self.raw(packed);
        }
        let is_packed = packed.is_some();
        self.packing = packing;
        is_packed
    }

    /// A string that is an integer.
    pub fn integer(&mut self, number: i64) {
        let bytes = number.to_le_bytes();
        let (kind, len) = if i8::try_from(number).is_ok() {
            (INT_8, 1)
        } else if i16::try_from(number).is_ok() {
            (INT_16, 2)
        } else if i32::try_from(number).is_ok() {
            (INT_32, 4)
        } else {
            let mut buffer = itoa::Buffer::new();
            let text = buffer.format(number).as_bytes();
            self.length(text.len() as u64);
            return self.raw(text);
        };
        self.bytes.push(SPECIAL | kind);
        self.raw(&bytes[..len]);
    }

    /// An element, as a string.
    pub(super) fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Int(number) => self.integer(number),
            Item::Str(text) => self.string(text),
        }
    }
}

/// Writes a value, behind its type and, in a file, its key; gives the type.
pub fn write(writer: &mut Writer, key: Option<&[u8]>, value: ValueRef<'_>) -> u8 {
    let kind = match value {
        ValueRef::Object(object) => kind_of(object),
        ValueRef::Int(_) | ValueRef::Inline(_) => kind::STRING,
    };
    writer.bytes.push(kind);
    if let Some(key) = key {
        writer.string(key);
    }
    match value {
        ValueRef::Int(number) => writer.integer(number),
        ValueRef::Inline(text) => writer.string(text),
        ValueRef::Object(object) => write_object(writer, object),
    }
    kind
}

fn write_object(writer: &mut Writer, object: ObjectRef<'_>) {
    match object {
        ObjectRef::Bytes(text) => writer.string(text),
        ObjectRef::Hash(hash) => write_hash(writer, hash),
        ObjectRef::List(list) => write_list(writer, list),
        ObjectRef::Set(set) => write_set(writer, set),
        ObjectRef::SortedSet(set) => write_sorted_set(writer, set),
        ObjectRef::Stream(own) => stream::write(writer, own),
    }
}

fn kind_of(object: ObjectRef<'_>) -> u8 {
    match object {
        ObjectRef::Bytes(_) => kind::STRING,
        ObjectRef::Hash(hash::View::Packed(_)) => kind::HASH_LISTPACK,
        ObjectRef::Hash(hash::View::PackedExpiring(_)) => kind::HASH_LISTPACK_EXPIRING,
        ObjectRef::Hash(hash) if earliest(hash).is_some() => kind::HASH_EXPIRING,
        ObjectRef::Hash(_) => kind::HASH,
        ObjectRef::List(_) => kind::QUICKLIST_2,
        ObjectRef::Set(set::View::Ints(_)) => kind::SET_INTSET,
        // 7.0 does not know sets as listpacks, and later versions make them of the members.
        ObjectRef::Set(_) => kind::SET,
        ObjectRef::SortedSet(set) if set.as_listpack().is_some() => kind::SORTED_SET_LISTPACK,
        ObjectRef::SortedSet(_) => kind::SORTED_SET_2,
        ObjectRef::Stream(_) => kind::STREAM_2,
    }
}

fn write_list(writer: &mut Writer, list: &List) {
    writer.length(list.runs().len() as u64);
    for (count, entries) in list.runs() {
        write_run(writer, count, &entries);
    }
}

/// Writes a run of a list's elements: a node.
pub(super) fn write_run(writer: &mut Writer, count: usize, entries: &[u8]) {
    // An element that no listpack may hold stands by itself.
    if entries.len() > LISTPACK_BYTES
        && let Some((Item::Str(element), _)) = decode(entries)
    {
        writer.length(PLAIN_NODE);
        return writer.string(element);
    }
    let total = LISTPACK_HEADER + entries.len() + 1;
    let mut pack = Vec::with_capacity(total);
    pack.extend_from_slice(&(total as u32).to_le_bytes());
    pack.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    pack.extend_from_slice(entries);
    pack.push(LISTPACK_END);
    writer.length(LISTPACK_NODE);
    writer.string(&pack);
}

fn write_set(writer: &mut Writer, set: set::View<'_>) {
    if let set::View::Ints(ints) = set {
        return writer.string(ints.bytes());
    }
    writer.length(set.len() as u64);
    set.iter().for_each(|member| writer.item(member));
}

fn write_sorted_set(writer: &mut Writer, set: &SortedSet) {
    if let Some(pairs) = set.as_listpack() {
        return writer.string(pairs.bytes());
    }
    writer.length(set.len() as u64);
    // From the greatest on, as Redis has it: that is quicker for it to read.
    for (member, score) in set.entries(0..set.len(), Direction::Down) {
        write_scored(writer, member, score);
    }
}

/// Writes a member of a sorted set.
pub(super) fn write_scored(writer: &mut Writer, member: Item<'_>, score: f64) {
    writer.item(member);
    writer.raw(&score.to_le_bytes());
}

/// When the first field goes.
fn earliest(hash: hash::View<'_>) -> Option<i64> {
    if !hash.has_expiring() {
        return None;
    }
    let moments = hash.iter(Seen::ALL).filter_map(|field| field.expires_at);
    moments.min()
}

fn write_hash(writer: &mut Writer, hash: hash::View<'_>) {
    let first = match hash {
        hash::View::Packed(pack) => return writer.string(pack.to_listpack().bytes()),
        hash::View::PackedExpiring(fields) => {
            let first = fields.earliest().unwrap_or(0);
            writer.raw(&first.to_le_bytes());
            return writer.string(fields.pack().to_listpack().bytes());
        }
        hash::View::Table(_) => earliest(hash),
    };
    if let Some(first) = first {
        writer.raw(&first.to_le_bytes());
    }
    writer.length(hash.len(Seen::ALL) as u64);
    for field in hash.iter(Seen::ALL) {
        write_field(writer, first, field);
    }
}

/// Writes a field; `first` is when the first of the hash goes, where any does.
pub(super) fn write_field(writer: &mut Writer, first: Option<i64>, field: hash::Field<'_>) {
    if let Some(first) = first {
        // Counted from one, so that zero is none.
        let after = field.expires_at.map_or(0, |at| at - first + 1);
        writer.length(after.cast_unsigned());
    }
    writer.item(field.name);
    writer.item(field.value);
}
