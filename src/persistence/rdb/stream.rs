//! Streams: nodes of entries, what has been counted, groups with their consumers and what is pending.

use std::collections::BTreeMap;

use super::cursor::{Malformed, Reader};
use super::kind;
use super::skip::skip_producers;
use super::write::Writer;
use crate::structures::stream::{ConsumerId, Counters, Group, Id, Node, Pending, Stream};

/// A group of which nobody knows how many entries it has read.
const UNKNOWN: u64 = u64::MAX;
const WRONG_IDS: Malformed = Malformed::Stream("ids");

/// An id in 16 bytes, so that their order is its order.
fn id_bytes(id: Id) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

fn id_of(bytes: [u8; 16]) -> Id {
    let id = u128::from_be_bytes(bytes);
    Id::new((id >> 64) as u64, id as u64)
}

// ---- Writing

/// Entries, groups, consumers and what is pending: how much there is to write.
pub(super) fn elements(stream: &Stream) -> usize {
    let groups = stream.groups().values();
    // What is pending is written with its group and with its consumer.
    let groups = groups.map(|group| 1 + 2 * group.pending().len() + group.consumers().len());
    stream.log().len() as usize + groups.sum::<usize>()
}

/// Whether what is written is all of a stream. The format has no producers, and no entries that nobody has.
pub(super) fn is_told(stream: &Stream) -> bool {
    let mut groups = stream.groups().values();
    stream.producers().is_none() && !groups.any(|group| group.released().next().is_some())
}

pub(super) fn write(writer: &mut Writer, stream: &Stream) {
    begin(writer, stream);
    write_next(writer, stream, &mut 0, usize::MAX);
}

/// What stands before the first node.
pub(super) fn begin(writer: &mut Writer, stream: &Stream) {
    writer.length(stream.log().nodes().len() as u64);
}

/// Writes nodes of about so many entries behind the first `done`, and with the last one all the rest; true then.
pub(super) fn write_next(
    writer: &mut Writer,
    stream: &Stream,
    done: &mut usize,
    count: usize,
) -> bool {
    let mut left = count as u64;
    for (id, node) in stream.log().nodes().iter_from(*done) {
        if left == 0 {
            return false;
        }
        writer.string(&id_bytes(id));
        writer.string(node.bytes());
        *done += 1;
        left = left.saturating_sub(node.entries());
    }
    write_rest(writer, stream);
    true
}

/// What stands behind the last node.
fn write_rest(writer: &mut Writer, stream: &Stream) {
    let counters = stream.log().counters();
    writer.length(counters.len);
    for id in [counters.last_id, counters.first_id, counters.max_deleted_id] {
        write_id(writer, id);
    }
    writer.length(counters.entries_added);
    writer.length(stream.groups().len() as u64);
    for (name, group) in stream.groups() {
        writer.string(name);
        write_group(writer, group);
    }
}

fn write_id(writer: &mut Writer, id: Id) {
    writer.length(id.ms);
    writer.length(id.seq);
}

fn write_group(writer: &mut Writer, group: &Group) {
    write_id(writer, group.last_id);
    writer.length(group.entries_read.unwrap_or(UNKNOWN));
    writer.length(group.pending().len() as u64);
    for (id, pending) in group.pending().iter() {
        writer.raw(&id_bytes(id));
        writer.raw(&pending.delivered_at.to_le_bytes());
        writer.length(pending.deliveries.cast_unsigned());
    }
    // The format has no entries that nobody has: they are of a consumer without a name.
    let released: Vec<Id> = group.released().map(|(id, _)| id).collect();
    let is_nameless = |name: &[u8]| name.is_empty() && !released.is_empty();
    let has_nameless = group.find(b"").is_some() || released.is_empty();
    writer.length(group.consumers().len() as u64 + u64::from(!has_nameless));
    if !has_nameless {
        write_consumer(writer, b"", 0, released.len());
        released.iter().for_each(|id| writer.raw(&id_bytes(*id)));
    }
    for (_, consumer) in group.consumers() {
        let (name, own) = (consumer.name(), consumer.pending());
        let more = if is_nameless(name) {
            &released[..]
        } else {
            &[]
        };
        write_consumer(writer, name, consumer.seen_at, own.len() + more.len());
        for id in own.iter().map(|(id, ())| id).chain(more.iter().copied()) {
            writer.raw(&id_bytes(id));
        }
    }
}

fn write_consumer(writer: &mut Writer, name: &[u8], seen_at: i64, pending: usize) {
    writer.string(name);
    writer.raw(&seen_at.to_le_bytes());
    writer.length(pending as u64);
}

// ---- Reading

pub(super) fn read(reader: &mut Reader<'_>, kind: u8) -> Result<Stream, Malformed> {
    let mut nodes = BTreeMap::new();
    for _ in 0..reader.length()? {
        let id = reader.string()?;
        let id = id_of((*id).try_into().map_err(|_| WRONG_IDS)?);
        let node =
            Node::from_bytes(reader.string()?.into_owned()).ok_or(Malformed::StreamListpack)?;
        if nodes.insert(id, node).is_some() {
            return Err(WRONG_IDS);
        }
    }
    let mut counters = Counters {
        len: reader.length()?,
        last_id: read_id(reader)?,
        ..Counters::default()
    };
    if kind == kind::STREAM {
        counters.entries_added = counters.len;
    } else {
        counters.first_id = read_id(reader)?;
        counters.max_deleted_id = read_id(reader)?;
        counters.entries_added = reader.length()?;
    }
    let wrong = Malformed::Stream("counts");
    let mut stream = Stream::of(nodes, counters, BTreeMap::new()).ok_or(wrong)?;
    let mut groups = BTreeMap::new();
    for _ in 0..reader.length()? {
        let name = reader.string()?;
        let group = read_group(reader, kind, stream.log().counters())?;
        if groups.insert(name.into(), group).is_some() {
            return Err(Malformed::Stream("groups"));
        }
    }
    *stream.groups_mut() = groups;
    if kind::stream_version(kind) >= 4 {
        skip_producers(reader)?;
    }
    Ok(stream)
}

fn read_id(reader: &mut Reader<'_>) -> Result<Id, Malformed> {
    Ok(Id::new(reader.length()?, reader.length()?))
}

fn read_group(reader: &mut Reader<'_>, kind: u8, counters: &Counters) -> Result<Group, Malformed> {
    let last_id = read_id(reader)?;
    let entries_read = match kind {
        kind::STREAM => counters.entries_up_to(last_id),
        _ => Some(reader.length()?).filter(|read| *read != UNKNOWN),
    };
    let mut group = Group::new(last_id, entries_read);
    let mut given = BTreeMap::new();
    for _ in 0..reader.length()? {
        let id = id_of(reader.array()?);
        let what = (reader.moment()?, reader.length()?.cast_signed());
        if given.insert(id, what).is_some() {
            return Err(Malformed::Stream("pending entries"));
        }
    }
    for _ in 0..reader.length()? {
        read_consumer(reader, kind, &mut group, &mut given)?;
    }
    if kind::stream_version(kind) >= 5 {
        read_given_back(reader, &mut group, &mut given)?;
    }
    match given.is_empty() {
        true => Ok(group),
        false => Err(Malformed::Stream("pending entries")),
    }
}

/// Reads a consumer, which takes what is pending for it.
fn read_consumer(
    reader: &mut Reader<'_>,
    kind: u8,
    group: &mut Group,
    given: &mut BTreeMap<Id, (i64, i64)>,
) -> Result<(), Malformed> {
    let name = reader.string()?;
    let seen_at = reader.moment()?;
    let (consumer, true) = group.find_or_make(&name, seen_at) else {
        return Err(Malformed::Consumer);
    };
    let active_at = match kind {
        kind if kind::stream_version(kind) >= 3 => Some(reader.moment()?).filter(|at| *at != -1),
        _ => Some(seen_at),
    };
    group.consumer_mut(consumer).active_at = active_at;
    for _ in 0..reader.length()? {
        let id = id_of(reader.array()?);
        take_over(group, consumer, id, given)?;
    }
    Ok(())
}

/// Makes a pending entry a consumer's.
fn take_over(
    group: &mut Group,
    consumer: ConsumerId,
    id: Id,
    given: &mut BTreeMap<Id, (i64, i64)>,
) -> Result<(), Malformed> {
    let unknown = Malformed::Stream("pending entries");
    let (delivered_at, deliveries) = given.remove(&id).ok_or(unknown)?;
    let pending = Pending {
        delivered_at,
        deliveries,
        consumer,
    };
    group.assign(id, pending);
    Ok(())
}

/// Reads which pending entries belong to nobody, having been given back. Here a consumer without a name has them, so that
/// they can be claimed.
fn read_given_back(
    reader: &mut Reader<'_>,
    group: &mut Group,
    given: &mut BTreeMap<Id, (i64, i64)>,
) -> Result<(), Malformed> {
    for _ in 0..reader.length()? {
        let id = id_of(reader.array()?);
        let (nobody, _) = group.find_or_make(b"", 0);
        take_over(group, nobody, id, given)?;
    }
    Ok(())
}
