//! Where SORT's elements come from.

use super::options::Options;
use super::order::Rows;
use crate::engine::{Call, CommandError};
use crate::keyspace::{Key, ValueRef};
use crate::structures::Object;
use crate::structures::list::{End, List};

/// Copies the elements under a key. Those that keep their order come in it, reversed when it is to be descending.
pub(super) fn collect(
    call: &mut Call,
    key: Key<'_>,
    options: &mut Options<'_>,
    rows: &mut Rows,
) -> Result<(), CommandError> {
    let Some(entry) = call.db.read(key) else {
        return Ok(());
    };
    match entry.value() {
        ValueRef::Object(Object::List(list)) => add_list(list, options, rows),
        _ => return Err(CommandError::WrongType),
    }
    Ok(())
}

fn add_list(list: &List, options: &Options<'_>, rows: &mut Rows) {
    let is_reversed = options.keeps_order && options.is_descending;
    let items = match list.len().checked_sub(1) {
        Some(last) if is_reversed => list.iter_from(last, End::Tail),
        _ => list.iter(),
    };
    rows.reserve(list.len());
    items.for_each(|item| rows.add(item));
}
