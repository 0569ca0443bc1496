//! ZSCAN: a walk over the members of a sorted set, a little at a time.

use super::super::keys::scan::parse_cursor;
use crate::base::glob;
use crate::base::numbers::format_f64;
use crate::engine::{Call, CommandError, CommandResult};
use crate::resp::reply::Reply;
use crate::structures::sorted_set::SortedSet;

/// Members shown when nothing is said.
const DEFAULT_COUNT: usize = 10;

pub(super) fn zscan(call: &mut Call) -> CommandResult {
    let cursor = parse_cursor(call.args.at(2))?;
    let key = call.key(0);
    if call.db.peek_as::<SortedSet>(key)?.is_none() {
        call.note_miss(key);
        call.db.read_as::<SortedSet>(key)?;
        reply_head(call.reply, 0, 0);
        return Ok(());
    }
    let (mut count, mut pattern) = (DEFAULT_COUNT, None);
    for at in (3..call.args.len()).step_by(2) {
        let value = call.args.get(at + 1).ok_or(CommandError::Syntax)?;
        if call.args.is(at, "COUNT") {
            let number = usize::try_from(call.integer(at + 1)?).ok();
            count = number.filter(|&n| n > 0).ok_or(CommandError::Syntax)?;
        } else if call.args.is(at, "MATCH") {
            // Unlike the glob, a lone `*` describes the empty member, too.
            pattern = Some(value).filter(|&pattern| pattern != b"*");
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let (mut shown, mut found, mut next) = (Reply::new(), 0, 0);
    if let Some(set) = call.db.read_as::<SortedSet>(key)? {
        next = set.scan(cursor, count, |member, score| {
            let mut buffer = itoa::Buffer::new();
            let member = member.as_bytes(&mut buffer);
            if pattern.is_none_or(|pattern| glob::matches(pattern, member)) {
                found += 2;
                shown.bulk(member);
                shown.bulk(&format_f64(score));
            }
        });
    }
    reply_head(call.reply, next, found);
    call.reply.raw(shown.plain().unwrap_or_default());
    Ok(())
}

fn reply_head(reply: &mut Reply, cursor: u64, len: usize) {
    reply.array(2);
    reply.bulk_integer(cursor as i64);
    reply.array(len);
}
