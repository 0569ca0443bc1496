//! LMOVE and RPOPLPUSH: an element from one list's end to another's.

use smallvec::SmallVec;

use super::{add_to, end_at, limit, popped, pushed};
use crate::engine::{Call, CommandError, CommandResult};
use crate::structures::list::{End, List};

pub(super) fn lmove(call: &mut Call) -> CommandResult {
    let (from, to) = (end_at(call, 3)?, end_at(call, 4)?);
    if !transfer(call, from, to)? {
        call.reply.null();
    }
    Ok(())
}

pub(super) fn rpoplpush(call: &mut Call) -> CommandResult {
    if !transfer(call, End::Tail, End::Head)? {
        call.reply.null();
    }
    Ok(())
}

/// Moves an element from the first key's list to the second's and replies with it. False, and no reply, when there is none.
pub(super) fn transfer(call: &mut Call, from: End, to: End) -> Result<bool, CommandError> {
    let (source, target) = (call.key(0), call.key(1));
    let limit = limit(call);
    if call.db.peek_as::<List>(source)?.is_none() {
        return Ok(false);
    }
    call.db.peek_as::<List>(target)?;
    let Some(list) = call.db.change_as::<List>(source)? else {
        return Ok(false);
    };
    let mut buffer = itoa::Buffer::new();
    let element = list.end(from).map(|item| item.as_bytes(&mut buffer));
    let element: SmallVec<[u8; 64]> = SmallVec::from_slice(element.unwrap_or_default());
    list.pop(from);
    let is_empty = list.is_empty();
    let add = |list: &mut List| {
        list.grow(limit, element.len(), 1);
        list.push(to, &element, limit);
    };
    if source.bytes == target.bytes {
        add(list);
        list.shrink(limit);
        pushed(call, target, to, 0, false);
        popped(call, source, from, 1, false);
    } else {
        list.shrink(limit);
        let is_new = add_to(call, target, add)?;
        pushed(call, target, to, 0, is_new);
        popped(call, source, from, 1, is_empty);
    }
    call.reply.bulk(&element);
    Ok(true)
}
