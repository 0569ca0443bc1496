//! Sets. `members` has what concerns one set, `random` what chance decides, `algebra` what compares several. The commands
//! stand in `table`.

mod algebra;
mod members;
mod random;
mod table;

pub use table::COMMANDS;

use crate::config::Config;
use crate::engine::{Call, event};
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::structures::listpack::Item;
use crate::structures::set::Limits;

/// Up to which size the small encodings are used.
#[inline]
fn limits(config: &Config) -> Limits {
    Limits {
        intset_entries: config.set_max_intset_entries,
        listpack_entries: config.set_max_listpack_entries,
        listpack_value: config.set_max_listpack_value,
    }
}

#[inline]
fn reply_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Int(value) => reply.bulk_integer(value),
        Item::Str(text) => reply.bulk(text),
    }
}

/// Removes a set that has become empty, and says so. The change that emptied it has been told.
fn delete_emptied(call: &mut Call, key: Key<'_>) {
    if let Some(entry) = call.db.remove(key) {
        call.engine.reclaimer.free(entry);
    }
    call.tell_listeners(key, event::generic("del"));
}
