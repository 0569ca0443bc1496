//! LLEN, LRANGE, LINDEX, LTRIM: by position.

use super::{limit, looked_into, remove_empty, reply_item};
use crate::engine::{Call, CommandResult, event};
use crate::structures::list::List;

pub(super) fn llen(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let len = call.db.read_as::<List>(key)?.map_or(0, List::len);
    call.reply.count(len);
    Ok(())
}

/// The part of a list of `len` elements that is meant: its first element and how many.
fn part(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let len = len as i64;
    let from_end = |index: i64| {
        if index < 0 {
            index.saturating_add(len)
        } else {
            index
        }
    };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
    match start > stop {
        true => (0, 0),
        false => (start as usize, (stop - start + 1) as usize),
    }
}

pub(super) fn lrange(call: &mut Call) -> CommandResult {
    let (key, start, stop) = (call.key(0), call.integer(2)?, call.integer(3)?);
    call.note_miss(key);
    let Some(list) = call.db.read_as::<List>(key)? else {
        call.reply.array(0);
        return Ok(());
    };
    let (first, count) = part(start, stop, list.len());
    call.reply.array(count);
    list.show(first, count, |item| reply_item(call.reply, item));
    looked_into(call, key);
    Ok(())
}

/// The place of an element in a list of `len`, counted from the end when negative.
pub(super) fn index(index: i64, len: usize) -> Option<usize> {
    let index = match index {
        0.. => usize::try_from(index).ok()?,
        _ => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
    };
    (index < len).then_some(index)
}

pub(super) fn lindex(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let wanted = call.integer(2);
    let Some(list) = call.db.read_as::<List>(key)? else {
        call.reply.null();
        return Ok(());
    };
    let item = index(wanted?, list.len()).and_then(|at| list.get(at));
    match item {
        Some(item) => reply_item(call.reply, item),
        None => call.reply.null(),
    }
    looked_into(call, key);
    Ok(())
}

pub(super) fn ltrim(call: &mut Call) -> CommandResult {
    let (key, start, stop) = (call.key(0), call.integer(2)?, call.integer(3)?);
    let limit = limit(call);
    call.reply.ok();
    let Some(list) = call.db.change_as::<List>(key)? else {
        return Ok(());
    };
    let len = list.len();
    let (first, count) = part(start, stop, len);
    list.remove_range(first + count, len);
    list.remove_range(0, first);
    if count == 0 {
        list.remove_range(0, len);
    }
    list.shrink(limit);
    if count < len {
        call.elements_changed(key, event::list("ltrim"), len - count);
    } else {
        // Told, though nothing was cut off, and not worth a line in the journal.
        call.touched(key);
        call.tell_listeners(key, event::list("ltrim"));
    }
    if count == 0 {
        remove_empty(call, key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_places_count_from_either_end() {
        for (start, stop, expected) in [
            (0, -1, (0, 5)),
            (1, 2, (1, 2)),
            (-2, 100, (3, 2)),
            (i64::MIN, i64::MAX, (0, 5)),
            (3, 1, (0, 0)),
            (5, 9, (0, 0)),
            (0, i64::MIN, (0, 0)),
        ] {
            assert_eq!(part(start, stop, 5), expected, "{start} {stop}");
        }
        for (at, expected) in [
            (0, Some(0)),
            (4, Some(4)),
            (5, None),
            (-1, Some(4)),
            (-6, None),
        ] {
            assert_eq!(index(at, 5), expected, "{at}");
        }
        assert_eq!(index(i64::MIN, 5), None);
    }
}
