//! Pushing and popping at the ends, which is what most lists are for; LMPOP, LLEN.

use super::{end_at, limit, popped, pushed, reply_item};
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult};
use crate::keyspace::Key;
use crate::structures::list::{End, List};

pub(super) fn lpush(call: &mut Call) -> CommandResult {
    push(call, End::Head, Missing::Create)
}

pub(super) fn rpush(call: &mut Call) -> CommandResult {
    push(call, End::Tail, Missing::Create)
}

pub(super) fn lpushx(call: &mut Call) -> CommandResult {
    push(call, End::Head, Missing::Leave)
}

pub(super) fn rpushx(call: &mut Call) -> CommandResult {
    push(call, End::Tail, Missing::Leave)
}

/// What becomes of a key that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Create,
    Leave,
}

#[inline]
fn push(call: &mut Call, end: End, missing: Missing) -> CommandResult {
    let (key, args) = (call.key(0), call.args);
    let limit = limit(call);
    let fill = |list: &mut List| {
        let elements = args.from(2);
        list.grow_for(limit, elements.clone());
        for element in elements {
            list.push(end, element, limit);
        }
        list.len()
    };
    let (len, is_new) = match call.db.change_as::<List>(key)? {
        Some(list) => (fill(list), false),
        None if missing == Missing::Leave => {
            call.reply.integer(0);
            return Ok(());
        }
        None => {
            let mut list = List::default();
            let len = fill(&mut list);
            call.db.store(key, list);
            (len, true)
        }
    };
    pushed(call, key, end, args.len() - 2, is_new);
    call.reply.count(len);
    Ok(())
}

pub(super) fn lpop(call: &mut Call) -> CommandResult {
    pop(call, End::Head)
}

pub(super) fn rpop(call: &mut Call) -> CommandResult {
    pop(call, End::Tail)
}

fn pop(call: &mut Call, end: End) -> CommandResult {
    let key = call.key(0);
    if call.args.len() == 2 {
        if take(call, key, end, None)? == 0 {
            call.reply.null();
        }
        return Ok(());
    }
    if call.args.len() > 3 {
        return Err(CommandError::arity(&call.spec.name));
    }
    let count = parse_i64(call.args.at(2)).and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(CommandError::NotPositive)?;
    let is_there = call.db.peek_as::<List>(key)?.is_some();
    match (is_there, count) {
        (false, _) => call.reply.null_array(),
        (true, 0) => call.reply.array(0),
        (true, _) => drop(take(call, key, end, Some(count))?),
    }
    Ok(())
}

/// Takes elements from an end and replies with them: one by itself, or as many as asked for in an array. Gives how many; with
/// none there is no reply.
#[inline]
pub(super) fn take(
    call: &mut Call,
    key: Key<'_>,
    end: End,
    count: Option<usize>,
) -> Result<usize, CommandError> {
    let limit = limit(call);
    let Some(list) = call.db.change_as::<List>(key)? else {
        return Ok(0);
    };
    let taken = count.unwrap_or(1).min(list.len());
    if count.is_some() {
        call.reply.array(taken);
    }
    for _ in 0..taken {
        if let Some(item) = list.end(end) {
            reply_item(call.reply, item);
        }
        list.pop(end);
    }
    list.shrink(limit);
    let is_empty = list.is_empty();
    popped(call, key, end, taken, is_empty);
    Ok(taken)
}

/// What LMPOP and BLMPOP are told behind their keys.
pub(super) struct Several {
    end: End,
    count: usize,
}

impl Several {
    /// Reads the arguments from the number of keys on.
    pub fn parse(call: &Call, at: usize) -> Result<Self, CommandError> {
        let number = parse_i64(call.args.at(at)).and_then(|keys| usize::try_from(keys).ok());
        let keys = number
            .filter(|&keys| keys > 0)
            .ok_or_else(|| CommandError::text("ERR numkeys should be greater than 0"))?;
        let end_of_keys = at.saturating_add(keys).saturating_add(1);
        if end_of_keys >= call.args.len() {
            return Err(CommandError::Syntax);
        }
        let end = end_at(call, end_of_keys)?;
        let (mut count, mut at) = (None, end_of_keys + 1);
        while at < call.args.len() {
            if count.is_some() || !call.args.is(at, "COUNT") || at + 1 >= call.args.len() {
                return Err(CommandError::Syntax);
            }
            let number = parse_i64(call.args.at(at + 1)).and_then(|n| usize::try_from(n).ok());
            count = Some(
                number
                    .filter(|&number| number > 0)
                    .ok_or_else(|| CommandError::text("ERR count should be greater than 0"))?,
            );
            at += 2;
        }
        Ok(Self {
            end,
            count: count.unwrap_or(1),
        })
    }

    /// Pops from the first key that holds a list. False, and no reply, when none does.
    pub fn take(&self, call: &mut Call) -> Result<bool, CommandError> {
        for key in call.all_keys() {
            if call.db.peek_as::<List>(key)?.is_none() {
                continue;
            }
            call.reply.array(2);
            call.reply.bulk(key.bytes);
            let taken = take(call, key, self.end, Some(self.count))?;
            let taken = itoa::Buffer::new().format(taken).to_owned();
            call.replay_as(&[pop_name(self.end), key.bytes, taken.as_bytes()]);
            return Ok(true);
        }
        Ok(false)
    }
}

/// The command that pops at an end.
pub(super) fn pop_name(end: End) -> &'static [u8] {
    match end {
        End::Head => b"LPOP",
        End::Tail => b"RPOP",
    }
}

pub(super) fn lmpop(call: &mut Call) -> CommandResult {
    let several = Several::parse(call, 1)?;
    if !several.take(call)? {
        call.reply.null_array();
    }
    Ok(())
}
