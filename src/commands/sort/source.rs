//! Where SORT's elements come from.

use super::options::Options;
use super::order::Rows;
use crate::engine::{Call, CommandError};
use crate::keyspace::{Key, ValueRef};
use crate::structures::ObjectRef;
use crate::structures::list::{End, List};
use crate::structures::set;
use crate::structures::sorted_set::{Direction, SortedSet};

/// Copies the elements under a key. Those that keep their order come in it, reversed when it is to be descending.
pub(super) fn collect(
    call: &mut Call,
    key: Key<'_>,
    options: &mut Options<'_>,
    rows: &mut Rows,
) -> Result<(), CommandError> {
    // What is stored, and what a script goes on with, must not depend on chance.
    let is_ordered = options.store.is_some() || call.session.is_script;
    let Some(entry) = call.db.read(key) else {
        return Ok(());
    };
    match entry.value() {
        ValueRef::Object(ObjectRef::List(list)) => add_list(list, options, rows),
        ValueRef::Object(ObjectRef::Set(set)) => add_set(set, options, rows, is_ordered),
        ValueRef::Object(ObjectRef::SortedSet(set)) => add_sorted_set(set, options, rows),
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

fn add_set(set: set::View<'_>, options: &mut Options<'_>, rows: &mut Rows, is_ordered: bool) {
    // A set has no order to keep.
    if options.keeps_order && is_ordered {
        options.keeps_order = false;
        options.is_alpha = true;
        options.by = None;
    }
    rows.reserve(set.len());
    set.iter().for_each(|item| rows.add(item));
}

fn add_sorted_set(set: &SortedSet, options: &Options<'_>, rows: &mut Rows) {
    let direction = match options.keeps_order && options.is_descending {
        true => Direction::Down,
        false => Direction::Up,
    };
    rows.reserve(set.len());
    set.entries(0..set.len(), direction)
        .for_each(|(item, _)| rows.add(item));
}
