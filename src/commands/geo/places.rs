//! Single places: GEOADD, GEOPOS, GEOHASH, GEODIST.

use super::super::sorted_set::add::{Rule, add_pairs};
use super::{parse_point, parse_unit, reply_distance, reply_point};
use crate::base::numbers::format_f64;
use crate::engine::{Call, CommandError, CommandResult};
use crate::resp::reply::Reply;
use crate::structures::geo::{Point, standard_hash};
use crate::structures::sorted_set::SortedSet;

pub(super) fn geoadd(call: &mut Call) -> CommandResult {
    let (args, mut rule, mut at) = (call.args, Rule::default(), 2);
    loop {
        let option = match () {
            () if args.is(at, "NX") => &mut rule.only_new,
            () if args.is(at, "XX") => &mut rule.only_known,
            () if args.is(at, "CH") => &mut rule.counts_updates,
            () => break,
        };
        *option = true;
        at += 1;
    }
    let is_void = at >= args.len() || (args.len() - at) % 3 != 0;
    if is_void || (rule.only_new && rule.only_known) {
        return Err(CommandError::Syntax);
    }
    let mut pairs = Vec::with_capacity((args.len() - at) / 3);
    for at in (at..args.len()).step_by(3) {
        let point = parse_point(args.at(at), args.at(at + 1))?;
        pairs.push((point.score(), args.at(at + 2)));
    }
    add_pairs(call, rule, &pairs)?;
    replay(call, at, &pairs);
    Ok(())
}

/// What follows from a place is written, not the place: whoever reads the journal needs no map.
fn replay(call: &mut Call, first: usize, pairs: &[(f64, &[u8])]) {
    if !call.engine.journal.is_open() {
        return;
    }
    let scores: Vec<_> = pairs.iter().map(|(score, _)| format_f64(*score)).collect();
    let mut args: Vec<&[u8]> = vec![b"ZADD"];
    args.extend(call.args.from(1).take(first - 1));
    for (score, (_, member)) in scores.iter().zip(pairs) {
        args.extend([&score[..], member]);
    }
    call.effects.replay_as(&args);
}

/// Replies with what is made of each member's place; without one with what stands for that.
fn reply_each(
    call: &mut Call,
    reply_place: impl Fn(&mut Reply, Point),
    reply_none: impl Fn(&mut Reply),
) -> CommandResult {
    let (key, members) = (call.key(0), call.args.from(2));
    call.note_miss(key);
    let set = call.db.read_as::<SortedSet>(key)?;
    call.reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => reply_place(call.reply, Point::of_score(score)),
            None => reply_none(call.reply),
        }
    }
    Ok(())
}

pub(super) fn geopos(call: &mut Call) -> CommandResult {
    reply_each(call, reply_point, Reply::null_array)
}

pub(super) fn geohash(call: &mut Call) -> CommandResult {
    reply_each(
        call,
        |reply, point| reply.bulk(&standard_hash(point)),
        Reply::null,
    )
}

pub(super) fn geodist(call: &mut Call) -> CommandResult {
    let (key, args) = (call.key(0), call.args);
    let unit = match args.len() {
        4 => 1.0,
        5 => parse_unit(args.at(4))?,
        _ => return Err(CommandError::Syntax),
    };
    call.note_miss(key);
    let set = call.db.read_as::<SortedSet>(key)?;
    let place = |member| Some(Point::of_score(set?.score(member)?));
    match (place(args.at(2)), place(args.at(3))) {
        (Some(from), Some(to)) => reply_distance(call.reply, from.distance(to) / unit),
        _ => call.reply.null(),
    }
    Ok(())
}
