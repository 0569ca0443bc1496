//! XRANGE and XREVRANGE.

use super::{ids, reply_entries};
use crate::engine::{Call, CommandError, CommandResult};
use crate::structures::stream::Stream;

/// XRANGE.
pub(super) fn xrange(call: &mut Call) -> CommandResult {
    range(call, 2, 3)
}

/// XREVRANGE.
pub(super) fn xrevrange(call: &mut Call) -> CommandResult {
    range(call, 3, 2)
}

fn range(call: &mut Call, start_at: usize, end_at: usize) -> CommandResult {
    let start = ids::start(call.args.at(start_at))?;
    let end = ids::end(call.args.at(end_at))?;
    let count = count(call)?;
    let key = call.key(0);
    call.note_miss(key);
    let Some(stream) = call.db.read_as::<Stream>(key)? else {
        call.reply.array(0);
        return Ok(());
    };
    let log = stream.log();
    match count {
        Some(0) => call.reply.null_array(),
        _ if start > end => call.reply.array(0),
        count => {
            let entries = match start_at < end_at {
                true => log.range(start, end),
                false => log.range_back(start, end),
            };
            reply_entries(call.reply, entries, count.unwrap_or(0));
        }
    }
    Ok(())
}

/// COUNT, as often as it is given.
fn count(call: &Call) -> Result<Option<u64>, CommandError> {
    let mut count = None;
    for at in (4..call.args.len()).step_by(2) {
        if !call.args.is(at, "COUNT") || at + 1 == call.args.len() {
            return Err(CommandError::Syntax);
        }
        count = Some(call.integer(at + 1)?.max(0).unsigned_abs());
    }
    Ok(count)
}
