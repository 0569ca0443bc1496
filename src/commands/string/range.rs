//! Parts of strings: APPEND, STRLEN, GETRANGE, SETRANGE.

use super::{check_length, length_to_change, text_of};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::{Before, Expiry, Key, Value, ValueRef};
use crate::resp::reply::SHARE_FROM;

pub(super) fn append(call: &mut Call) -> CommandResult {
    let (key, more) = (call.key(0), call.args.at(2));
    let len = match length_to_change(call, key)? {
        None => {
            call.db.add(key, Value::of_string(more), Expiry::Clear);
            call.created(key);
            more.len()
        }
        Some(len) => {
            check_length(call, len, more.len())?;
            write(call, key, len, more);
            len + more.len()
        }
    };
    call.changed(key, event::string("append"));
    call.reply.count(len);
    Ok(())
}

/// Writes over a string from `start` on; zero bytes fill the gap that there may be.
fn write(call: &mut Call, key: Key<'_>, start: usize, text: &[u8]) {
    let end = start + text.len();
    let before = call
        .db
        .edit_string(key, end, |bytes| bytes[start..end].copy_from_slice(text));
    if before == Before::Missing {
        call.created(key);
    }
}

pub(super) fn setrange(call: &mut Call) -> CommandResult {
    let (key, text) = (call.key(0), call.args.at(3));
    let start = usize::try_from(call.integer(2)?).map_err(|_| CommandError::OffsetOutOfRange)?;
    let len = length_to_change(call, key)?.unwrap_or(0);
    if text.is_empty() {
        call.reply.count(len);
        return Ok(());
    }
    check_length(call, start, text.len())?;
    write(call, key, start, text);
    call.changed(key, event::string("setrange"));
    call.reply.count(len.max(start + text.len()));
    Ok(())
}

pub(super) fn strlen(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let len = match call.db.read(key) {
        Some(entry) => text_of(entry.value(), &mut itoa::Buffer::new())?.len(),
        None => 0,
    };
    call.reply.count(len);
    Ok(())
}

pub(super) fn getrange(call: &mut Call) -> CommandResult {
    let (start, end) = (call.integer(2)?, call.integer(3)?);
    let key = call.key(0);
    call.note_miss(key);
    let Some(entry) = call.db.read(key) else {
        call.reply.bulk(b"");
        return Ok(());
    };
    let mut buffer = itoa::Buffer::new();
    let text = text_of(entry.value(), &mut buffer)?;
    let range = range_within(start, end, text.len());
    match entry.value() {
        ValueRef::Object(object) if range.len() >= SHARE_FROM => {
            let text = object.as_string().ok_or(CommandError::WrongType)?;
            call.reply.bulk_shared(&text.slice(range));
        }
        _ => call.reply.bulk(&text[range]),
    }
    Ok(())
}

/// The part of a string from the byte at `start` to the one at `end`; negative positions count from the end.
fn range_within(start: i64, end: i64, len: usize) -> std::ops::Range<usize> {
    let from_end =
        |at: i64| usize::try_from(at).unwrap_or(len.saturating_sub(at.unsigned_abs() as usize));
    // Both may lie before the first byte; then it makes a difference which comes first.
    let is_backward = start < 0 && end < 0 && start > end;
    let (start, end) = (from_end(start), from_end(end));
    if is_backward || start > end || start >= len {
        return 0..0;
    }
    start..end.saturating_add(1).min(len)
}

#[cfg(test)]
mod tests {
    use super::range_within;

    #[test]
    fn positions_are_clamped() {
        for (start, end, expected) in [
            (0, -1, 0..5),
            (0, 0, 0..1),
            (-3, -2, 2..4),
            (-100, -99, 0..1),
            (-100, -101, 0..0),
            (1, -100, 0..0),
            (0, -100, 0..1),
            (4, i64::MAX, 4..5),
            (5, 10, 0..0),
            (3, 2, 0..0),
            (i64::MIN, i64::MAX, 0..5),
            (i64::MAX, i64::MAX, 0..0),
            (i64::MIN, i64::MIN, 0..1),
        ] {
            assert_eq!(range_within(start, end, 5), expected, "{start} {end}");
        }
        assert_eq!(range_within(0, -1, 0), 0..0);
        assert_eq!(range_within(i64::MIN, i64::MAX, 0), 0..0);
    }
}
