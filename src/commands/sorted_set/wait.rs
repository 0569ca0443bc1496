//! BZPOPMIN, BZPOPMAX, BZMPOP: what their plain siblings do, once there is something to do it with.

use super::pop::{End, Request, Shape, pop_first};
use crate::engine::{Call, CommandResult, Wait, Wants};

pub(super) fn bzpopmin(call: &mut Call) -> CommandResult {
    pop_or_wait(call, End::Lowest)
}

pub(super) fn bzpopmax(call: &mut Call) -> CommandResult {
    pop_or_wait(call, End::Highest)
}

fn pop_or_wait(call: &mut Call, end: End) -> CommandResult {
    let deadline = call.seconds_from_now(call.args.len() - 1)?;
    let request = Request { end, count: 1 };
    if !pop_first(call, &request, Shape::KeyFlat)? {
        call.block(Wait::on(Wants::SortedSet, deadline));
    }
    Ok(())
}

pub(super) fn bzmpop(call: &mut Call) -> CommandResult {
    let request = Request::parse(call, 2)?;
    let deadline = call.seconds_from_now(1)?;
    if !pop_first(call, &request, Shape::KeyPairs)? {
        call.block(Wait::on(Wants::SortedSet, deadline));
    }
    Ok(())
}
