//! Strings: bytes, counters and what can be compared with them. The commands stand in `table`; start with `set` and `get`.

mod bounded;
mod compare;
mod get;
mod increment;
mod lcs;
mod lifetime;
mod multi;
mod range;
mod set;
mod table;
#[cfg(test)]
mod tests;

pub use table::COMMANDS;

use crate::engine::{Call, CommandError, event};
use crate::keyspace::{Expiry, Key, Value, ValueRef};
use crate::resp::reply::Reply;

/// A stored value as text; integers are written into `buffer`.
pub(super) fn text_of<'a>(
    value: ValueRef<'a>,
    buffer: &'a mut itoa::Buffer,
) -> Result<&'a [u8], CommandError> {
    match value {
        ValueRef::Inline(text) => Ok(text),
        ValueRef::Int(number) => Ok(buffer.format(number).as_bytes()),
        ValueRef::Object(object) => match object.as_string() {
            Some(text) => Ok(text),
            None => Err(CommandError::WrongType),
        },
    }
}

/// Writes a stored value as a bulk string; a long one is not copied.
#[inline]
fn reply_text(reply: &mut Reply, value: ValueRef<'_>) -> Result<(), CommandError> {
    match value {
        ValueRef::Inline(text) => reply.bulk(text),
        ValueRef::Int(number) => reply.bulk_integer(number),
        ValueRef::Object(object) => {
            reply.bulk_shared(object.as_string().ok_or(CommandError::WrongType)?)
        }
    }
    Ok(())
}

/// Reads a key as GET does, reply included; false when it is missing.
#[inline]
fn reply_read(call: &mut Call, key: Key<'_>) -> Result<bool, CommandError> {
    call.note_miss(key);
    match call.db.read(key) {
        Some(entry) => reply_text(call.reply, entry.value()).map(|()| true),
        None => {
            call.reply.null();
            Ok(false)
        }
    }
}

/// The length of the string under a key that is about to be changed.
pub(super) fn length_to_change(
    call: &mut Call,
    key: Key<'_>,
) -> Result<Option<usize>, CommandError> {
    let Some(entry) = call.db.change(key) else {
        return Ok(None);
    };
    let mut buffer = itoa::Buffer::new();
    text_of(entry.view().value(), &mut buffer).map(|text| Some(text.len()))
}

/// Stores a text as SET does and says so.
#[inline]
fn store(call: &mut Call, key: Key<'_>, text: &[u8], expiry: Expiry) {
    if call.db.set(key, Value::of_string(text), expiry) {
        call.created(key);
    }
    call.changed(key, event::string("set"));
}

/// Removes a key, which is replayed as DEL; false when it is missing.
fn delete(call: &mut Call, key: Key<'_>) -> bool {
    let Some(entry) = call.db.remove(key) else {
        return false;
    };
    call.engine.reclaimer.free(entry);
    replay(call, &[b"DEL", key.bytes]);
    call.changed(key, event::generic("del"));
    true
}

/// Has another command written to the journal than the one sent.
fn replay(call: &mut Call, args: &[&[u8]]) {
    if call.engine.journal.is_open() {
        call.effects.replay_as(args);
    }
}

/// An error if a string would become longer than `proto-max-bulk-len` allows. What was written once is always read again.
fn check_length(call: &Call, start: usize, more: usize) -> Result<(), CommandError> {
    let is_allowed = start
        .checked_add(more)
        .is_some_and(|len| len <= call.config.proto_max_bulk_len);
    if is_allowed || call.engine.is_loading() {
        Ok(())
    } else {
        Err(CommandError::TooLong)
    }
}
