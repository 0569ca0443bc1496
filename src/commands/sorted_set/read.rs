//! Scores, ranks and counts: ZSCORE, ZMSCORE, ZCARD, ZRANK, ZREVRANK, ZCOUNT, ZLEXCOUNT.

use super::{parse_lex_range, parse_score_range};
use crate::engine::{Call, CommandError, CommandResult};
use crate::structures::sorted_set::{Direction, SortedSet};

pub(super) fn zscore(call: &mut Call) -> CommandResult {
    let (key, member) = (call.key(0), call.args.at(2));
    call.note_miss(key);
    let set = call.db.read_as::<SortedSet>(key)?;
    match set.and_then(|set| set.score(member)) {
        Some(score) => call.reply.double(score),
        None => call.reply.null(),
    }
    Ok(())
}

pub(super) fn zmscore(call: &mut Call) -> CommandResult {
    let (key, members) = (call.key(0), call.args.from(2));
    call.note_miss(key);
    let set = call.db.read_as::<SortedSet>(key)?;
    call.reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => call.reply.double(score),
            None => call.reply.null(),
        }
    }
    Ok(())
}

pub(super) fn zcard(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let len = call.db.read_as::<SortedSet>(key)?.map_or(0, SortedSet::len);
    call.reply.count(len);
    Ok(())
}

pub(super) fn zrank(call: &mut Call) -> CommandResult {
    rank(call, Direction::Up)
}

pub(super) fn zrevrank(call: &mut Call) -> CommandResult {
    rank(call, Direction::Down)
}

fn rank(call: &mut Call, direction: Direction) -> CommandResult {
    let (key, member) = (call.key(0), call.args.at(2));
    let with_score = match call.args.len() {
        3 => false,
        4 if call.args.is(3, "WITHSCORE") => true,
        4 => return Err(CommandError::Syntax),
        _ => return Err(CommandError::arity(&call.spec.name)),
    };
    call.note_miss(key);
    let set = call.db.read_as::<SortedSet>(key)?;
    let found = set.and_then(|set| Some((set.len(), set.rank(member)?)));
    let Some((len, (rank, score))) = found else {
        match with_score {
            true => call.reply.null_array(),
            false => call.reply.null(),
        }
        return Ok(());
    };
    let rank = match direction {
        Direction::Up => rank,
        Direction::Down => len - 1 - rank,
    };
    if with_score {
        call.reply.array(2);
        call.reply.count(rank);
        call.reply.double(score);
    } else {
        call.reply.count(rank);
    }
    Ok(())
}

pub(super) fn zcount(call: &mut Call) -> CommandResult {
    let range = parse_score_range(call.args.at(2), call.args.at(3))?;
    count(call, |set| set.ranks_by_score(&range).len())
}

pub(super) fn zlexcount(call: &mut Call) -> CommandResult {
    let range = parse_lex_range(call.args.at(2), call.args.at(3))?;
    count(call, |set| set.ranks_by_lex(&range, Direction::Up).len())
}

fn count(call: &mut Call, of: impl FnOnce(&SortedSet) -> usize) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let count = call.db.read_as::<SortedSet>(key)?.map_or(0, of);
    call.reply.count(count);
    Ok(())
}
