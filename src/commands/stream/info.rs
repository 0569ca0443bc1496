//! XINFO.

use super::super::help;
use super::replay::entries_read;
use super::{idempotent, no_group, reply_entries, reply_entry, reply_id};
use crate::engine::{
    Call, Command, CommandError, CommandResult, Group as Family, KeySpec, flags::*, one_key,
};
use crate::resp::reply::Reply;
use crate::structures::stream::{Consumer, Group, Id, Log, Stream};

/// Entries of each kind that FULL shows.
const DEFAULT_COUNT: u64 = 10;

/// The stream that is asked about. Both are given apart: the reply is written while the stream is looked at.
fn stream<'c>(call: &'c mut Call) -> Result<(&'c Stream, &'c mut Reply), CommandError> {
    let key = call.key(0);
    call.note_miss(key);
    let stream = call.db.read_as::<Stream>(key)?;
    Ok((stream.ok_or(CommandError::NoSuchKey)?, call.reply))
}

fn consumers(call: &mut Call) -> CommandResult {
    let (key, name, now) = (call.key(0), call.args.at(3), call.db.now());
    let (stream, reply) = stream(call)?;
    let group = stream.group(name);
    let group = group.ok_or_else(|| no_group(key.bytes, name))?;
    reply.array(group.consumers().len());
    for (_, consumer) in group.consumers() {
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        reply.bulk(b"pending");
        reply.count(consumer.pending().len());
        reply.bulk(b"idle");
        reply.integer(now.saturating_sub(consumer.seen_at).max(0));
        reply.bulk(b"inactive");
        let inactive = consumer.active_at.map(|at| now.saturating_sub(at));
        reply.integer(inactive.unwrap_or(-1));
    }
    Ok(())
}

fn groups(call: &mut Call) -> CommandResult {
    let (stream, reply) = stream(call)?;
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"consumers");
        reply.count(group.consumers().len());
        reply.bulk(b"pending");
        reply.count(group.pending().len());
        reply_progress(reply, group, stream.log());
    }
    Ok(())
}

/// How far a group has read.
fn reply_progress(reply: &mut Reply, group: &Group, log: &Log) {
    reply.bulk(b"last-delivered-id");
    reply_id(reply, group.last_id);
    reply.bulk(b"entries-read");
    match entries_read(group) {
        -1 => reply.null(),
        read => reply.integer(read),
    }
    reply.bulk(b"lag");
    match group.lag(log.counters()) {
        Some(lag) => reply.integer(lag),
        None => reply.null(),
    }
}

fn describe(call: &mut Call) -> CommandResult {
    let full = full(call);
    let (stream, reply) = stream(call)?;
    let full = full?;
    let (log, counters) = (stream.log(), stream.log().counters());
    let producers = stream.producers().map(idempotent::describe);
    let more = producers.map_or(0, |lines| lines.len());
    reply.map(more + if full.is_some() { 9 } else { 10 });
    reply.bulk(b"length");
    reply.integer(counters.len.cast_signed());
    reply.bulk(b"radix-tree-keys");
    reply.count(log.nodes().len());
    reply.bulk(b"radix-tree-nodes");
    reply.count(log.radix_nodes());
    reply.bulk(b"last-generated-id");
    reply_id(reply, counters.last_id);
    reply.bulk(b"max-deleted-entry-id");
    reply_id(reply, counters.max_deleted_id);
    reply.bulk(b"entries-added");
    reply.integer(counters.entries_added.cast_signed());
    reply.bulk(b"recorded-first-entry-id");
    reply_id(reply, counters.first_id);
    for (name, number) in producers.into_iter().flatten() {
        reply.bulk(name.as_bytes());
        reply.integer(number.cast_signed());
    }
    if let Some(count) = full {
        reply.bulk(b"entries");
        reply_entries(reply, log.range(Id::MIN, Id::MAX), count);
        reply.bulk(b"groups");
        reply.array(stream.groups().len());
        for (name, group) in stream.groups() {
            reply_group(reply, name, group, (log, count));
        }
        return Ok(());
    }
    reply.bulk(b"groups");
    reply.count(stream.groups().len());
    let ends = [
        ("first-entry", log.range(Id::MIN, Id::MAX).next()),
        ("last-entry", log.range_back(Id::MIN, Id::MAX).next()),
    ];
    for (name, entry) in ends {
        reply.bulk(name.as_bytes());
        match entry {
            Some(entry) => reply_entry(reply, &entry),
            None => reply.null(),
        }
    }
    Ok(())
}

/// `[FULL [COUNT count]]`: how many entries FULL shows, if it is asked for.
fn full(call: &Call) -> Result<Option<u64>, CommandError> {
    match call.args.len() {
        3 => Ok(None),
        4 if call.args.is(3, "FULL") => Ok(Some(DEFAULT_COUNT)),
        6 if call.args.is(3, "FULL") && call.args.is(4, "COUNT") => {
            let count = u64::try_from(call.integer(5)?);
            Ok(Some(count.unwrap_or(DEFAULT_COUNT)))
        }
        _ => Err(call.subcommand_syntax()),
    }
}

/// A group as FULL shows it.
fn reply_group(reply: &mut Reply, name: &[u8], group: &Group, (log, count): (&Log, u64)) {
    reply.map(7);
    reply.bulk(b"name");
    reply.bulk(name);
    reply_progress(reply, group, log);
    let pending = group.pending();
    reply.bulk(b"pel-count");
    reply.count(pending.len());
    reply.bulk(b"pending");
    let shown = shown(pending.len(), count);
    reply.array(shown);
    for (id, pending) in pending.iter().take(shown) {
        reply.array(4);
        reply_id(reply, id);
        reply.bulk(group.owner_name(pending));
        reply.integer(pending.delivered_at);
        reply.integer(pending.deliveries);
    }
    reply.bulk(b"consumers");
    reply.array(group.consumers().len());
    for (_, consumer) in group.consumers() {
        reply_consumer(reply, group, consumer, count);
    }
}

fn shown(len: usize, count: u64) -> usize {
    match count {
        0 => len,
        count => len.min(usize::try_from(count).unwrap_or(usize::MAX)),
    }
}

/// A consumer as FULL shows it.
fn reply_consumer(reply: &mut Reply, group: &Group, consumer: &Consumer, count: u64) {
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    reply.bulk(b"seen-time");
    reply.integer(consumer.seen_at);
    reply.bulk(b"active-time");
    reply.integer(consumer.active_at.unwrap_or(-1));
    reply.bulk(b"pel-count");
    reply.count(consumer.pending().len());
    reply.bulk(b"pending");
    let shown = shown(consumer.pending().len(), count);
    reply.array(shown);
    for (id, ()) in consumer.pending().iter().take(shown) {
        let pending = group.pending().get(id);
        reply.array(3);
        reply_id(reply, id);
        reply.integer(pending.map_or(0, |pending| pending.delivered_at));
        reply.integer(pending.map_or(0, |pending| pending.deliveries));
    }
}

const READ: &[KeySpec] = &[one_key(2, &["RO", "access"])];

/// XINFO's subcommands.
pub(super) const SUBCOMMANDS: &[Command] = &[
    Command::new("CONSUMERS", Family::Stream, "key group", consumers)
        .keys(READ)
        .flags(READONLY)
        .tips(&["nondeterministic_output"])
        .docs("5.0.0", "O(1)", "Lists the consumers of a group."),
    Command::new("GROUPS", Family::Stream, "key", groups)
        .keys(READ)
        .flags(READONLY)
        .docs("5.0.0", "O(1)", "Lists the consumer groups of a stream."),
    Command::new("HELP", Family::Stream, "", help::help)
        .flags(LOADING | STALE)
        .docs("5.0.0", "O(1)", "Prints this help."),
    Command::new(
        "STREAM",
        Family::Stream,
        "key [FULL [COUNT count]]",
        describe,
    )
    .keys(READ)
    .flags(READONLY)
    .docs("5.0.0", "O(1)", "Tells about a stream."),
];
