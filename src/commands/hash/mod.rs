//! Hashes. `write` sets and removes fields, `read` gives them, `random` by chance, `increment` counts; `expiry` and `timed`
//! are about fields that go at some time. The commands stand in `table`.

mod expiry;
mod import;
mod increment;
mod random;
mod read;
mod table;
mod timed;
mod write;

pub use table::COMMANDS;

use crate::config::Config;
use crate::engine::{Call, event};
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::structures::hash::{Limits, Seen};
use crate::structures::listpack::Item;

/// Up to which size the small encodings are used.
#[inline]
fn limits(config: &Config) -> Limits {
    Limits {
        entries: config.hash_max_listpack_entries,
        value: config.hash_max_listpack_value,
    }
}

/// Which fields a reader sees.
#[inline]
fn seen(call: &Call, key: Key<'_>) -> Seen {
    match call.db.may_have_due_parts(key) {
        true => Seen::at(call.db.now()),
        false => Seen::ALL,
    }
}

/// Before a hash changes: takes fields that have passed out of it.
#[inline]
fn prepare(call: &mut Call, key: Key<'_>) {
    if call.db.may_have_due_parts(key) {
        (call.engine).expire_fields(call.lane, &mut call.db, call.effects, key, usize::MAX);
    }
}

/// Removes a hash that has become empty, and says so. The change that emptied it has been told.
fn delete_emptied(call: &mut Call, key: Key<'_>) {
    if let Some(entry) = call.db.remove(key) {
        call.engine.reclaimer.free(entry);
    }
    call.tell_listeners(key, event::generic("del"));
}

#[inline]
fn reply_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Int(value) => reply.bulk_integer(value),
        Item::Str(text) => reply.bulk(text),
    }
}

fn reply_found(reply: &mut Reply, item: Option<Item<'_>>) {
    match item {
        Some(item) => reply_item(reply, item),
        None => reply.null(),
    }
}
