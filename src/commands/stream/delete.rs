//! XDEL, XDELEX and XACKDEL.

use super::{all_ids, ids, note_change, options};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::structures::stream::{Id, References, Stream};

/// XDELEX and XACKDEL: there is no such entry.
const MISSING: i64 = -1;
/// It has been deleted.
const DELETED: i64 = 1;
/// It stays, because a group has still to read or to acknowledge it.
const REFERENCED: i64 = 2;

/// XDEL.
pub(super) fn xdel(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    if call.db.change_as::<Stream>(key)?.is_none() {
        call.reply.integer(0);
        return Ok(());
    }
    let ids = all_ids(call, 2)?;
    let Some(stream) = call.db.change_as::<Stream>(key)? else {
        return Ok(());
    };
    let log = stream.log_mut();
    let deleted = ids.iter().filter(|id| log.delete(**id)).count();
    if deleted > 0 {
        call.elements_changed(key, event::stream("xdel"), deleted);
    }
    call.reply.count(deleted);
    Ok(())
}

/// What XDELEX and XACKDEL are told: what happens to references, and the ids.
fn targets(call: &Call, first: usize) -> Result<(References, Vec<Id>), CommandError> {
    let (args, mut at) = (call.args, first);
    let (mut references, mut words) = (None, None);
    while at < args.len() {
        if let Some(found) = options::references(call, at)
            && references.is_none()
        {
            references = Some(found);
            at += 1;
        } else if args.is(at, "IDS") && at + 1 < args.len() {
            let count = call.integer(at + 1).ok().filter(|&count| count > 0);
            let count = count.ok_or_else(|| {
                CommandError::text("ERR Number of IDs must be a positive integer")
            })?;
            at += 2;
            let count = usize::try_from(count)
                .ok()
                .filter(|&count| count <= args.len() - at)
                .ok_or_else(|| {
                    CommandError::text(
                        "ERR The `numids` parameter must match the number of arguments",
                    )
                })?;
            words = Some((at, count));
            at += count;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let (from, count) = words.ok_or_else(|| CommandError::text("ERR IDS option is required"))?;
    let ids = args.from(from).take(count);
    let ids = ids
        .map(|word| ids::strict(word, 0))
        .collect::<Result<_, _>>()?;
    Ok((references.unwrap_or_default(), ids))
}

/// Deletes an entry as far as references allow; also says whether anything has changed.
fn delete(stream: &mut Stream, id: Id, references: References) -> (i64, bool) {
    if stream.log().get(id).is_none() {
        let is_forgotten = references == References::Delete && stream.forget(id);
        return (MISSING, is_forgotten);
    }
    match references {
        References::Keep => {}
        References::Delete => {
            stream.forget(id);
        }
        References::Acknowledged if stream.is_referenced(id) => return (REFERENCED, false),
        References::Acknowledged => {}
    }
    stream.log_mut().delete(id);
    (DELETED, true)
}

fn reply_missing(call: &mut Call, count: usize) -> CommandResult {
    call.reply.array(count);
    (0..count).for_each(|_| call.reply.integer(MISSING));
    Ok(())
}

/// XDELEX.
pub(super) fn xdelex(call: &mut Call) -> CommandResult {
    let (references, ids) = targets(call, 2)?;
    let key = call.key(0);
    let Some(stream) = call.db.change_as::<Stream>(key)? else {
        return reply_missing(call, ids.len());
    };
    let (mut is_changed, mut is_deleted) = (false, false);
    call.reply.array(ids.len());
    for id in ids {
        let (result, changes) = delete(stream, id, references);
        call.reply.integer(result);
        is_changed |= changes;
        is_deleted |= result == DELETED;
    }
    if is_deleted {
        call.changed(key, event::stream("xdel"));
    } else if is_changed {
        note_change(call, key, None);
    }
    Ok(())
}

/// XACKDEL.
pub(super) fn xackdel(call: &mut Call) -> CommandResult {
    let (references, ids) = targets(call, 3)?;
    let (key, name) = (call.key(0), call.args.at(2));
    let stream = call.db.change_as::<Stream>(key)?;
    let Some(stream) = stream.filter(|stream| stream.group(name).is_some()) else {
        return reply_missing(call, ids.len());
    };
    let (mut is_changed, mut is_deleted) = (false, false);
    call.reply.array(ids.len());
    for id in ids {
        let group = stream.group_mut(name);
        let is_pending = group.is_some_and(|(_, group)| group.acknowledge(id).is_some());
        if !is_pending {
            call.reply.integer(MISSING);
            continue;
        }
        is_changed = true;
        let (result, _) = delete(stream, id, references);
        is_deleted |= result == DELETED;
        // An entry that was deleted before is as good as deleted.
        call.reply
            .integer(if result == MISSING { DELETED } else { result });
    }
    if is_deleted {
        call.changed(key, event::stream("xdel"));
    } else if is_changed {
        note_change(call, key, None);
    }
    Ok(())
}
