//! Sorted sets. The commands stand in `table`; start with `add` and `range`.

pub(super) mod add;
mod combine;
mod pop;
mod random;
mod range;
mod read;
mod remove;
mod scan;
mod table;
mod wait;

pub use table::COMMANDS;

use crate::base::numbers::parse_f64;
use crate::config::Config;
use crate::engine::{Call, CommandError, Event, event};
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::structures::listpack::Item;
use crate::structures::sorted_set::{Entries, LexBound, LexRange, Limits, ScoreRange, SortedSet};

/// What would not fit a sorted set: some millions of long members, or more than a hundred gigabytes of short ones.
const TOO_BIG: &str = "ERR sorted set would become too big";

/// Up to what size sorted sets stay packed.
pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        entries: config.zset_max_listpack_entries,
        value: config.zset_max_listpack_value,
    }
}

/// A score as a command gives it.
pub(super) fn parse_score(text: &[u8]) -> Result<f64, CommandError> {
    parse_f64(text).ok_or(CommandError::NotFloat)
}

/// A number as C's `strtod` reads it, which is kinder than Redis is elsewhere: nothing is 0, what is too big is infinite.
fn parse_bound(text: &[u8]) -> Option<f64> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_space(byte))?;
    let text = &text[start..];
    let beyond = || {
        let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        (!number.is_nan()).then_some(number)
    };
    parse_f64(text).or_else(beyond)
}

fn parse_score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange, CommandError> {
    let bound = |text: &[u8]| match text {
        [b'(', number @ ..] => Some((parse_bound(number)?, true)),
        number => Some((parse_bound(number)?, false)),
    };
    match (bound(min), bound(max)) {
        (Some((min, without_min)), Some((max, without_max))) => Ok(ScoreRange {
            min,
            max,
            without_min,
            without_max,
        }),
        _ => Err(CommandError::text("ERR min or max is not a float")),
    }
}

fn parse_lex_range<'r>(min: &'r [u8], max: &'r [u8]) -> Result<LexRange<'r>, CommandError> {
    let bound = |text: &'r [u8]| match text {
        // As C sees it, a text ends with its first zero byte.
        [b'-'] | [b'-', 0, ..] => Some(LexBound::Lowest),
        [b'+'] | [b'+', 0, ..] => Some(LexBound::Highest),
        [b'[', member @ ..] => Some(LexBound::With(member)),
        [b'(', member @ ..] => Some(LexBound::Without(member)),
        _ => None,
    };
    match (bound(min), bound(max)) {
        (Some(min), Some(max)) => Ok(LexRange { min, max }),
        _ => Err(CommandError::text(
            "ERR min or max not valid string range item",
        )),
    }
}

/// Writes a member.
#[inline]
pub(super) fn reply_member(reply: &mut Reply, member: Item<'_>) {
    match member {
        Item::Int(number) => reply.bulk_integer(number),
        Item::Str(bytes) => reply.bulk(bytes),
    }
}

/// Whether a reply has scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scores {
    With,
    Without,
}

/// Writes the head of an array of members.
fn reply_members_head(reply: &mut Reply, count: usize, scores: Scores) {
    match scores {
        Scores::With if !reply.is_resp3() => reply.array(count.saturating_mul(2)),
        _ => reply.array(count),
    }
}

/// Writes a member, and its score where that is wanted: as a pair, or flat where there are no nested arrays.
#[inline]
fn reply_pair(reply: &mut Reply, (member, score): (Item<'_>, f64), scores: Scores) {
    if scores == Scores::Without {
        return reply_member(reply, member);
    }
    if reply.is_resp3() {
        reply.array(2);
    }
    reply_member(reply, member);
    reply.double(score);
}

/// Writes members as an array.
fn reply_members(reply: &mut Reply, entries: Entries<'_>, scores: Scores) {
    reply_members_head(reply, entries.len(), scores);
    match scores {
        Scores::With => entries.for_each(|entry| reply_pair(reply, entry, scores)),
        Scores::Without => entries.for_each(|(member, _)| reply_member(reply, member)),
    }
}

/// Says that so many members have been taken out, and removes a set that has none left.
fn told_removed(call: &mut Call, key: Key<'_>, (count, is_empty): (usize, bool), event: Event) {
    call.elements_changed(key, event, count);
    if is_empty && let Some(entry) = call.db.remove(key) {
        call.engine.reclaimer.free(entry);
        call.tell_listeners(key, event::generic("del"));
    }
}

/// Stores the result of a command under a key, in place of whatever is there; an empty one removes the key. Replies with
/// the number of members. It is one change.
pub(super) fn store_result(call: &mut Call, key: Key<'_>, set: SortedSet, event: Event) {
    let len = set.len();
    let old = call.db.remove(key);
    let was_there = old.is_some();
    if let Some(old) = old {
        call.engine.reclaimer.free(old);
    }
    if len > 0 {
        call.db.store(key, set);
        if !was_there {
            call.created(key);
        }
        call.changed(key, event);
    } else if was_there {
        call.changed(key, event::generic("del"));
    }
    call.reply.count(len);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_as_c_reads_them() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("", Some(0.0)),
            (" 1.5", Some(1.5)),
            ("\t-inf", Some(f64::NEG_INFINITY)),
            ("1e400", Some(f64::INFINITY)),
            ("1\0junk", Some(1.0)),
            ("1 ", None),
            (" ", None),
            ("nan", None),
            ("(1", None),
        ] {
            assert_eq!(parse_bound(text.as_bytes()), expected, "{text:?}");
        }
    }
}
