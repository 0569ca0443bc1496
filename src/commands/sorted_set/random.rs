//! ZRANDMEMBER: members by chance.

use std::collections::HashSet;

use super::{Scores, reply_member, reply_members, reply_members_head, reply_pair};
use crate::base::random;
use crate::engine::{Call, CommandError, CommandResult};
use crate::resp::reply::Reply;
use crate::structures::sorted_set::{Direction, SortedSet};

/// Most members in one reply: beyond this a client asks for more than it could ever be sent.
const MOST: u64 = 1 << 26;
/// Choosing this share of all members and more, it is quicker to look at each.
const DENSE: usize = 3;

pub(super) fn zrandmember(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let count = match call.args.len() {
        2 => None,
        _ => Some(call.integer(2)?),
    };
    if count == Some(i64::MIN) {
        let (least, most) = (-i64::MAX, i64::MAX);
        return Err(CommandError::message(format!(
            "ERR value is out of range, value must between {least} and {most}"
        )));
    }
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
        Err(_) if count.unsigned_abs() > MOST => return Err(CommandError::OutOfRange),
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
    if count * DENSE > set.len() || set.encoding() == "listpack" {
        let (mut wanted, mut left) = (count, set.len());
        for entry in set.iter() {
            // Each of those left is as likely to be among the wanted as any other.
            if random::below(left as u64) < wanted as u64 {
                wanted -= 1;
                reply_pair(reply, entry, scores);
            }
            left -= 1;
        }
        return;
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
