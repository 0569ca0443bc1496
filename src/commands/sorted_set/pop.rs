//! Taking the lowest or the highest members: ZPOPMIN, ZPOPMAX, ZMPOP.

use super::{Scores, reply_member, reply_pair, told_removed};
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::Key;
use crate::structures::sorted_set::{Direction, SortedSet};

/// Which end members are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Lowest,
    Highest,
}

/// What the reply looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Members and scores, one after the other.
    Flat,
    /// Pairs where the protocol has them, else one after the other.
    Pairs,
    /// The key, then members and scores, one after the other.
    KeyFlat,
    /// The key and an array of pairs.
    KeyPairs,
}

pub(super) fn zpopmin(call: &mut Call) -> CommandResult {
    pop_one_key(call, End::Lowest)
}

pub(super) fn zpopmax(call: &mut Call) -> CommandResult {
    pop_one_key(call, End::Highest)
}

fn pop_one_key(call: &mut Call, end: End) -> CommandResult {
    let (count, shape) = match call.args.len() {
        2 => (1, Shape::Flat),
        3 => (parse_i64(call.args.at(2)).unwrap_or(-1), Shape::Pairs),
        _ => return Err(CommandError::Syntax),
    };
    let count = usize::try_from(count).map_err(|_| CommandError::NotPositive)?;
    let key = call.key(0);
    let is_there = call.db.peek_as::<SortedSet>(key)?.is_some();
    if is_there && count > 0 {
        pop(call, key, end, count, shape)?;
    } else {
        call.reply.array(0);
    }
    Ok(())
}

/// Takes members out and replies with them; gives their number. The set is there.
pub(super) fn pop(
    call: &mut Call,
    key: Key<'_>,
    end: End,
    count: usize,
    shape: Shape,
) -> Result<usize, CommandError> {
    let Some(set) = call.db.change_as::<SortedSet>(key)? else {
        return Ok(0);
    };
    let (len, count) = (set.len(), count.min(set.len()));
    let (ranks, direction, name) = match end {
        End::Lowest => (0..count, Direction::Up, "zpopmin"),
        End::Highest => (len - count..len, Direction::Down, "zpopmax"),
    };
    let reply = &mut *call.reply;
    match shape {
        Shape::Flat => reply.array(2 * count),
        Shape::Pairs => super::reply_members_head(reply, count, Scores::With),
        Shape::KeyFlat => {
            reply.array(1 + 2 * count);
            reply.bulk(key.bytes);
        }
        Shape::KeyPairs => {
            reply.array(2);
            reply.bulk(key.bytes);
            reply.array(count);
        }
    }
    for (member, score) in set.entries(ranks.clone(), direction) {
        if shape == Shape::Pairs {
            reply_pair(reply, (member, score), Scores::With);
            continue;
        }
        if shape == Shape::KeyPairs {
            reply.array(2);
        }
        reply_member(reply, member);
        reply.double(score);
    }
    if count < len {
        set.remove_ranks(ranks);
    }
    told_removed(call, key, (count, count == len), event::zset(name));
    Ok(count)
}

/// What ZMPOP is asked for.
pub(super) struct Request {
    pub end: End,
    pub count: usize,
}

impl Request {
    /// Reads the number of keys and what stands behind them.
    pub fn parse(call: &Call, at: usize) -> Result<Self, CommandError> {
        let args = call.args;
        let keys = parse_i64(args.at(at)).and_then(|keys| usize::try_from(keys).ok());
        let keys = keys
            .filter(|&keys| keys > 0)
            .ok_or_else(|| CommandError::text("ERR numkeys should be greater than 0"))?;
        let mut at = keys.saturating_add(at + 1);
        let end = match () {
            () if args.is(at, "MIN") => End::Lowest,
            () if args.is(at, "MAX") => End::Highest,
            () => return Err(CommandError::Syntax),
        };
        let mut count = None;
        at += 1;
        while at < args.len() {
            if count.is_some() || !args.is(at, "COUNT") || at + 1 == args.len() {
                return Err(CommandError::Syntax);
            }
            let number = parse_i64(args.at(at + 1)).and_then(|count| usize::try_from(count).ok());
            count = Some(
                number
                    .filter(|&count| count > 0)
                    .ok_or_else(|| CommandError::text("ERR count should be greater than 0"))?,
            );
            at += 2;
        }
        Ok(Self {
            end,
            count: count.unwrap_or(1),
        })
    }
}

/// Pops from the first key that has a sorted set; false when none has.
pub(super) fn pop_first(
    call: &mut Call,
    request: &Request,
    shape: Shape,
) -> Result<bool, CommandError> {
    for key in call.all_keys() {
        if call.db.peek_as::<SortedSet>(key)?.is_none() {
            continue;
        }
        let popped = pop(call, key, request.end, request.count, shape)?;
        let name: &[u8] = match request.end {
            End::Lowest => b"ZPOPMIN",
            End::Highest => b"ZPOPMAX",
        };
        match shape {
            Shape::KeyPairs => {
                let popped = popped.to_string();
                call.replay_as(&[name, key.bytes, popped.as_bytes()]);
            }
            _ => call.replay_as(&[name, key.bytes]),
        }
        return Ok(true);
    }
    Ok(false)
}

pub(super) fn zmpop(call: &mut Call) -> CommandResult {
    let request = Request::parse(call, 1)?;
    if !pop_first(call, &request, Shape::KeyPairs)? {
        call.reply.null_array();
    }
    Ok(())
}
