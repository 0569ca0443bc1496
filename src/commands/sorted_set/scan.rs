//! ZSCAN: a walk over the members of a sorted set, a little at a time.

use super::super::element_scan::{Bare, ElementScan, reply_head};
use super::super::keys::scan::parse_cursor;
use crate::base::numbers::format_f64;
use crate::engine::{Call, CommandResult};
use crate::resp::reply::Reply;
use crate::structures::sorted_set::SortedSet;

pub(super) fn zscan(call: &mut Call) -> CommandResult {
    let (key, cursor) = (call.key(0), parse_cursor(call.args.at(2))?);
    call.note_miss(key);
    let Some(set) = call.db.read_as::<SortedSet>(key)? else {
        reply_head(call.reply, 0, 0);
        return Ok(());
    };
    let options = ElementScan::parse(call.args, Some(Bare::Scores))?;
    let (mut shown, mut found) = (Reply::new(), 0);
    let next = set.scan(cursor, options.count(), |member, score| {
        let mut buffer = itoa::Buffer::new();
        let member = member.as_bytes(&mut buffer);
        if options.wants(member) {
            found += 1;
            shown.bulk(member);
            if !options.is_bare {
                found += 1;
                shown.bulk(&format_f64(score));
            }
        }
    });
    reply_head(call.reply, next, found);
    call.reply.raw(shown.plain().unwrap_or_default());
    Ok(())
}
