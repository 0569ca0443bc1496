//! ZRANDMEMBER: members by chance.

use std::collections::HashSet;

use super::{Scores, reply_member, reply_members, reply_members_head, reply_pair};
use crate::base::random;
use crate::commands::chance::{self, MOST_REPEATS, PICK_BELOW};
use crate::engine::{Call, CommandError, CommandResult};
use crate::resp::reply::Reply;
use crate::structures::sorted_set::{Direction, SortedSet};

pub(super) fn zrandmember(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let count = match call.args.len() {
        2 => None,
        _ => Some(chance::count(call.args.at(2))?),
    };
    let Some(count) = count else {
        call.note_miss(key);
        match call.db.read_as::<SortedSet>(key)? {
            Some(set) => set
                .entries(chosen(set), Direction::Up)
                .for_each(|(member, _)| reply_member(call.reply, member)),
            None => call.reply.null(),
        }
        return Ok(());
    };
    let scores = match call.args.len() {
        3 => Scores::Without,
        4 if call.args.is(3, "WITHSCORES") => Scores::With,
        _ => return Err(CommandError::Syntax),
    };
    if scores == Scores::With && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(CommandError::OutOfRange);
    }
    call.note_miss(key);
    let Some(set) = call.db.read_as::<SortedSet>(key)? else {
        call.reply.array(0);
        return Ok(());
    };
    match usize::try_from(count) {
        Ok(count) => reply_different(call.reply, set, count, scores),
        Err(_) if count.unsigned_abs() > MOST_REPEATS => return Err(CommandError::OutOfRange),
        Err(_) => reply_any(call.reply, set, count.unsigned_abs() as usize, scores),
    }
    Ok(())
}

/// The rank of one member.
fn chosen(set: &SortedSet) -> std::ops::Range<usize> {
    let rank = random::below(set.len() as u64) as usize;
    rank..rank + 1
}

/// Members each chosen from all.
fn reply_any(reply: &mut Reply, set: &SortedSet, count: usize, scores: Scores) {
    reply_members_head(reply, count, scores);
    for _ in 0..count {
        set.entries(chosen(set), Direction::Up)
            .for_each(|entry| reply_pair(reply, entry, scores));
    }
}

/// Members of which none comes twice.
fn reply_different(reply: &mut Reply, set: &SortedSet, count: usize, scores: Scores) {
    if count >= set.len() {
        return reply_members(reply, set.iter(), scores);
    }
    reply_members_head(reply, count, scores);
    if count * PICK_BELOW > set.len() || set.encoding() == "listpack" {
        return chance::some_of(set.iter(), set.len(), count)
            .for_each(|entry| reply_pair(reply, entry, scores));
    }
    let mut seen = HashSet::new();
    while seen.len() < count {
        let ranks = chosen(set);
        if seen.insert(ranks.start) {
            set.entries(ranks, Direction::Up)
                .for_each(|entry| reply_pair(reply, entry, scores));
        }
    }
}
