//! Lists. The commands stand in `table`; start with `ends`.

mod change;
mod ends;
mod moving;
mod moving_many;
mod position;
mod range;
mod table;
mod wait;

pub use table::COMMANDS;

use crate::engine::{Call, CommandError, event};
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::structures::list::{End, Limit, List};
use crate::structures::listpack::Item;

/// How much one node of a list may hold.
#[inline]
fn limit(call: &Call) -> Limit {
    Limit::of(i64::from(call.config.list_max_listpack_size))
        .compressing(call.config.list_compress_depth)
}

/// After a look into a list: what was unpacked for it is given back.
#[inline]
fn looked_into(call: &mut Call, key: Key<'_>) {
    if call.config.list_compress_depth > 0
        && let Ok(Some(list)) = call.db.amend_as::<List>(key)
    {
        list.forget_read();
    }
}

/// Writes an element.
#[inline]
fn reply_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Int(number) => reply.bulk_integer(number),
        Item::Str(bytes) => reply.bulk(bytes),
    }
}

/// An argument that names an end of a list.
fn end_at(call: &Call, at: usize) -> Result<End, CommandError> {
    if call.args.is(at, "LEFT") {
        Ok(End::Head)
    } else if call.args.is(at, "RIGHT") {
        Ok(End::Tail)
    } else {
        Err(CommandError::Syntax)
    }
}

/// Adds to a key's list, which is made if there is none. True when it was.
fn add_to(
    call: &mut Call,
    key: Key<'_>,
    add: impl FnOnce(&mut List),
) -> Result<bool, CommandError> {
    if let Some(list) = call.db.change_as::<List>(key)? {
        add(list);
        return Ok(false);
    }
    let mut list = List::default();
    add(&mut list);
    Ok(call.db.store(key, list))
}

/// Says that so many elements have gone from an end.
#[inline]
fn popped(call: &mut Call, key: Key<'_>, end: End, count: usize, is_empty: bool) {
    let name = match end {
        End::Head => "lpop",
        End::Tail => "rpop",
    };
    call.elements_changed(key, event::list(name), count);
    if is_empty {
        remove_empty(call, key);
    }
}

/// Says that so many elements have come to an end; none where they are counted as popped from another.
#[inline]
fn pushed(call: &mut Call, key: Key<'_>, end: End, count: usize, is_new: bool) {
    if is_new {
        call.created(key);
    }
    let name = match end {
        End::Head => "lpush",
        End::Tail => "rpush",
    };
    call.elements_changed(key, event::list(name), count);
}

/// Removes a key whose list has become empty. The change that emptied it has been told.
fn remove_empty(call: &mut Call, key: Key<'_>) {
    if let Some(entry) = call.db.remove(key) {
        call.engine.reclaimer.free(entry);
    }
    call.tell_listeners(key, event::generic("del"));
}
