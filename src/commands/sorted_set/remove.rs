//! Taking members out: ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.

use super::range::Wanted;
use super::{parse_lex_range, parse_score_range, told_removed};
use crate::engine::{Call, CommandResult, event};
use crate::structures::sorted_set::{Direction, SortedSet};

pub(super) fn zrem(call: &mut Call) -> CommandResult {
    let (key, members) = (call.key(0), call.args.from(2));
    let Some(set) = call.db.change_as::<SortedSet>(key)? else {
        call.reply.integer(0);
        return Ok(());
    };
    let removed = members
        .filter(|member| set.remove(member).is_some())
        .count();
    let is_empty = set.is_empty();
    if removed > 0 {
        told_removed(call, key, (removed, is_empty), event::zset("zrem"));
    }
    call.reply.count(removed);
    Ok(())
}

pub(super) fn zremrangebyrank(call: &mut Call) -> CommandResult {
    let wanted = Wanted::Ranks(call.integer(2)?, call.integer(3)?);
    remove_range(call, wanted, "zremrangebyrank")
}

pub(super) fn zremrangebyscore(call: &mut Call) -> CommandResult {
    let range = parse_score_range(call.args.at(2), call.args.at(3))?;
    remove_range(call, Wanted::Scores(range), "zremrangebyscore")
}

pub(super) fn zremrangebylex(call: &mut Call) -> CommandResult {
    let range = parse_lex_range(call.args.at(2), call.args.at(3))?;
    remove_range(call, Wanted::Members(range), "zremrangebylex")
}

fn remove_range(call: &mut Call, wanted: Wanted<'_>, name: &'static str) -> CommandResult {
    let key = call.key(0);
    let Some(set) = call.db.change_as::<SortedSet>(key)? else {
        call.reply.integer(0);
        return Ok(());
    };
    let ranks = wanted.ranks(set, Direction::Up);
    let (removed, is_empty) = (ranks.len(), ranks.len() == set.len());
    // Everything at once is freed with the key, in the background where it is much.
    if removed > 0 && !is_empty {
        set.remove_ranks(ranks);
    }
    if removed > 0 {
        told_removed(call, key, (removed, is_empty), event::zset(name));
    }
    call.reply.count(removed);
    Ok(())
}
