//! XACK and XPENDING.

use super::{all_ids, ids, no_key_or_group, note_change, reply_id};
use crate::engine::{Call, CommandError, CommandResult};
use crate::structures::stream::{Group, Id, Pending, Stream};

/// XACK.
pub(super) fn xack(call: &mut Call) -> CommandResult {
    let (key, name) = (call.key(0), call.args.at(2));
    call.note_miss(key);
    let stream = call.db.read_as::<Stream>(key)?;
    if stream.is_none_or(|stream| stream.group(name).is_none()) {
        call.reply.integer(0);
        return Ok(());
    }
    let ids = all_ids(call, 3)?;
    let stream = call.db.change_as::<Stream>(key)?;
    let acknowledged = match stream.and_then(|stream| stream.group_mut(name)) {
        Some((_, group)) => ids
            .into_iter()
            .filter(|id| group.acknowledge(*id).is_some())
            .count(),
        None => 0,
    };
    if acknowledged > 0 {
        note_change(call, key, None);
    }
    call.reply.count(acknowledged);
    Ok(())
}

/// Which pending entries are asked for.
struct Filter<'r> {
    min_idle: i64,
    start: Id,
    end: Id,
    count: usize,
    consumer: Option<&'r [u8]>,
}

/// XPENDING.
pub(super) fn xpending(call: &mut Call) -> CommandResult {
    let filter = filter(call)?;
    let (key, name) = (call.key(0), call.args.at(2));
    let now = call.db.now();
    call.note_miss(key);
    let stream = call.db.read_as::<Stream>(key)?;
    let Some(group) = stream.and_then(|stream| stream.group(name)) else {
        return Err(no_key_or_group(key.bytes, name, ""));
    };
    let Some(filter) = filter else {
        summary(call.reply, group);
        return Ok(());
    };
    let consumer = match filter.consumer {
        None => None,
        Some(name) => match group.find(name) {
            None => {
                call.reply.array(0);
                return Ok(());
            }
            found => found,
        },
    };
    let is_idle = |pending: &Pending| {
        filter.min_idle == 0 || now.saturating_sub(pending.delivered_at) >= filter.min_idle
    };
    let head = call.reply.open();
    let mut len = 0;
    let mut show = |(id, pending): (Id, &Pending)| {
        call.reply.array(4);
        reply_id(call.reply, id);
        call.reply.bulk(group.owner_name(pending));
        call.reply.integer(match group.owner(pending) {
            Some(_) => now.saturating_sub(pending.delivered_at).max(0),
            // Nobody has it, so nobody has left it alone.
            None => -1,
        });
        call.reply.integer(pending.deliveries);
        len += 1;
    };
    let (all, start, end) = (group.pending(), filter.start, filter.end);
    match consumer {
        Some(consumer) => group
            .consumer(consumer)
            .pending()
            .range(start, end)
            .filter_map(|(id, ())| all.get(id).map(|pending| (id, pending)))
            .filter(|(_, pending)| is_idle(pending))
            .take(filter.count)
            .for_each(&mut show),
        None => all
            .range(start, end)
            .filter(|(_, pending)| is_idle(pending))
            .take(filter.count)
            .for_each(&mut show),
    }
    call.reply.close_array(head, len);
    Ok(())
}

/// `[IDLE min-idle-time] start end count [consumer]`.
fn filter<'r>(call: &Call<'r, '_>) -> Result<Option<Filter<'r>>, CommandError> {
    let args = call.args;
    if args.len() == 3 {
        return Ok(None);
    }
    if !(6..=9).contains(&args.len()) {
        return Err(CommandError::Syntax);
    }
    let (mut at, mut min_idle) = (3, 0);
    if args.is(3, "IDLE") {
        min_idle = call.integer(4)?;
        if args.len() < 8 {
            return Err(CommandError::Syntax);
        }
        at = 5;
    }
    let count = call.integer(at + 2)?.max(0);
    Ok(Some(Filter {
        min_idle,
        start: ids::start(args.at(at))?,
        end: ids::end(args.at(at + 1))?,
        count: usize::try_from(count).unwrap_or(usize::MAX),
        consumer: args.get(at + 3),
    }))
}

fn summary(reply: &mut crate::resp::reply::Reply, group: &Group) {
    let pending = group.pending();
    reply.array(4);
    reply.count(pending.len());
    let ends = pending.first_id().zip(pending.last_id());
    let Some((first, last)) = ends else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply_id(reply, first);
    reply_id(reply, last);
    let busy = || {
        let consumers = group.consumers().map(|(_, consumer)| consumer);
        consumers.filter(|consumer| !consumer.pending().is_empty())
    };
    reply.array(busy().count());
    for consumer in busy() {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_integer(consumer.pending().len() as i64);
    }
}
