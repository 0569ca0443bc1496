//! Streams. The commands stand in `table`; start with `add` and `read`.

mod add;
mod claim;
mod delete;
mod group;
mod idempotent;
mod ids;
mod info;
mod options;
mod pending;
mod quota;
mod range;
mod read;
mod release;
mod replay;
mod table;

pub use table::COMMANDS;

use crate::engine::{Call, CommandError, CommandResult, Event};
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::structures::listpack::Item;
use crate::structures::stream::{Entry, Id};

/// Writes an entry: its id, then its fields and values.
#[inline]
fn reply_entry(reply: &mut Reply, entry: &Entry<'_>) {
    reply.array(2);
    reply_entry_parts(reply, entry);
}

/// Writes an entry's id, then its fields and values, into an array that has been begun.
#[inline]
fn reply_entry_parts(reply: &mut Reply, entry: &Entry<'_>) {
    reply_id(reply, entry.id);
    reply.array(2 * entry.len());
    for (field, value) in entry.pairs() {
        reply_item(reply, field);
        reply_item(reply, value);
    }
}

#[inline]
fn reply_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Int(number) => reply.bulk_integer(number),
        Item::Str(bytes) => reply.bulk(bytes),
    }
}

#[inline]
fn reply_id(reply: &mut Reply, id: Id) {
    reply.bulk(&id.text());
}

/// Writes entries for as long as they may be given, and the first `count` of them (0 for all), as an array.
fn reply_quota<'a>(
    reply: &mut Reply,
    entries: impl Iterator<Item = Entry<'a>>,
    quota: &mut quota::Quota,
) {
    let count = quota.of_stream();
    reply_entries(reply, entries.take_while(|entry| quota.takes(entry)), count);
}

/// Writes the first `count` entries (0 for all) as an array.
fn reply_entries<'a>(reply: &mut Reply, entries: impl Iterator<Item = Entry<'a>>, count: u64) {
    let head = reply.open();
    let most = match count {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(usize::MAX),
    };
    let mut len = 0;
    for entry in entries.take(most) {
        reply_entry(reply, &entry);
        len += 1;
    }
    reply.close_array(head, len);
}

/// A change of groups and what is pending, which Redis does not count as one of the key: its watchers do not hear of it.
fn note_change(call: &mut Call, key: Key<'_>, event: Option<Event>) {
    call.effects.dirty += 1;
    if let Some(event) = event {
        call.tell_listeners(key, event);
    }
}

/// The error for a key or group that is not there.
fn no_key_or_group(key: &[u8], group: &[u8], where_from: &str) -> CommandError {
    let parts: [&[u8]; 6] = [
        b"NOGROUP No such key '",
        quoted(key),
        b"' or consumer group '",
        quoted(group),
        b"'",
        where_from.as_bytes(),
    ];
    CommandError::Quoting(Box::new(parts.concat()))
}

/// The error for a group that is not there.
fn no_group(key: &[u8], group: &[u8]) -> CommandError {
    let parts: [&[u8]; 5] = [
        b"NOGROUP No such consumer group '",
        quoted(group),
        b"' for key name '",
        quoted(key),
        b"'",
    ];
    CommandError::Quoting(Box::new(parts.concat()))
}

/// What Redis quotes of a word: what stands before its first zero byte.
fn quoted(word: &[u8]) -> &[u8] {
    word.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The arguments from `first` on as ids.
fn all_ids(call: &Call, first: usize) -> Result<Vec<Id>, CommandError> {
    let ids = call.args.from(first);
    ids.map(|word| ids::strict(word, 0)).collect()
}

/// XLEN.
fn length(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let stream = call.db.read_as::<crate::structures::stream::Stream>(key)?;
    let len = stream.map_or(0, |stream| stream.log().len());
    call.reply.integer(len.cast_signed());
    Ok(())
}
