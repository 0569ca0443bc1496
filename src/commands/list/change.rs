//! LSET, LINSERT, LREM: in the middle.

use super::range::index;
use super::{limit, remove_empty};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::structures::list::{End, List};
use crate::structures::listpack::Item;

pub(super) fn lset(call: &mut Call) -> CommandResult {
    let (key, limit, element) = (call.key(0), limit(call), call.args.at(3));
    let wanted = call.integer(2);
    let list = call.db.change_as::<List>(key)?;
    let list = list.ok_or(CommandError::NoSuchKey)?;
    let wanted = wanted?;
    list.grow(limit, element.len(), 1);
    let at = index(wanted, list.len());
    let at = at.ok_or_else(|| CommandError::text("ERR index out of range"))?;
    list.set(at, element, limit);
    list.shrink(limit);
    call.changed(key, event::list("lset"));
    call.reply.ok();
    Ok(())
}

pub(super) fn linsert(call: &mut Call) -> CommandResult {
    let (key, limit) = (call.key(0), limit(call));
    let (pivot, element) = (call.args.at(3), call.args.at(4));
    let behind = if call.args.is(2, "AFTER") {
        1
    } else if call.args.is(2, "BEFORE") {
        0
    } else {
        return Err(CommandError::Syntax);
    };
    let Some(list) = call.db.change_as::<List>(key)? else {
        call.reply.integer(0);
        return Ok(());
    };
    list.grow(limit, element.len(), 1);
    let wanted = Item::of(pivot);
    let Some(at) = list.iter().position(|item| item == wanted) else {
        call.reply.integer(-1);
        return Ok(());
    };
    list.insert(at + behind, element, limit);
    call.reply.count(list.len());
    call.changed(key, event::list("linsert"));
    Ok(())
}

pub(super) fn lrem(call: &mut Call) -> CommandResult {
    let (key, limit, count) = (call.key(0), limit(call), call.integer(2)?);
    let element = call.args.at(3);
    let (from, most) = match count {
        0 => (End::Head, usize::MAX),
        1.. => (End::Head, count as usize),
        _ => (End::Tail, count.unsigned_abs() as usize),
    };
    let Some(list) = call.db.change_as::<List>(key)? else {
        call.reply.integer(0);
        return Ok(());
    };
    let removed = list.remove_matching(element, most, from);
    let is_empty = list.is_empty();
    if removed > 0 {
        list.shrink(limit);
        call.elements_changed(key, event::list("lrem"), removed);
    }
    if is_empty {
        remove_empty(call, key);
    }
    call.reply.count(removed);
    Ok(())
}
