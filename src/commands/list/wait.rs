//! BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP: what their plain siblings do, once there is something to do it with.

use super::end_at;
use super::ends::{Several, pop_name, take};
use super::moving::transfer;
use crate::engine::{Call, CommandResult, Nothing, Wait, Wants};
use crate::structures::list::{End, List};

pub(super) fn blpop(call: &mut Call) -> CommandResult {
    pop(call, End::Head)
}

pub(super) fn brpop(call: &mut Call) -> CommandResult {
    pop(call, End::Tail)
}

fn pop(call: &mut Call, end: End) -> CommandResult {
    let deadline = call.seconds_from_now(call.args.len() - 1)?;
    for key in call.all_keys() {
        if call.db.peek_as::<List>(key)?.is_some() {
            call.reply.array(2);
            call.reply.bulk(key.bytes);
            take(call, key, end, None)?;
            call.replay_as(&[pop_name(end), key.bytes]);
            return Ok(());
        }
    }
    call.block(Wait::on(Wants::List, deadline));
    Ok(())
}

pub(super) fn blmpop(call: &mut Call) -> CommandResult {
    let several = Several::parse(call, 2)?;
    let deadline = call.seconds_from_now(1)?;
    if !several.take(call)? {
        call.block(Wait::on(Wants::List, deadline));
    }
    Ok(())
}

pub(super) fn blmove(call: &mut Call) -> CommandResult {
    let (from, to) = (end_at(call, 3)?, end_at(call, 4)?);
    let deadline = call.seconds_from_now(5)?;
    let (source, target) = (call.key(0).bytes, call.key(1).bytes);
    if transfer(call, from, to)? {
        let (from, to) = (call.args.at(3), call.args.at(4));
        call.replay_as(&[b"LMOVE", source, target, from, to]);
        return Ok(());
    }
    wait_for_source(call, deadline);
    Ok(())
}

pub(super) fn brpoplpush(call: &mut Call) -> CommandResult {
    let deadline = call.seconds_from_now(3)?;
    let (source, target) = (call.key(0).bytes, call.key(1).bytes);
    if transfer(call, End::Tail, End::Head)? {
        call.replay_as(&[b"RPOPLPUSH", source, target]);
        return Ok(());
    }
    wait_for_source(call, deadline);
    Ok(())
}

fn wait_for_source(call: &mut Call, deadline: Option<i64>) {
    call.block(Wait {
        keys: 1,
        nested: Nothing::Plain,
        ..Wait::on(Wants::List, deadline)
    });
}
