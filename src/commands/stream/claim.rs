//! XCLAIM and XAUTOCLAIM: pending entries change hands.

use super::replay::{Journal, Target};
use super::{ids, no_key_or_group, reply_entry, reply_id};
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::structures::stream::{ConsumerId, Group, Id, Log, Pending, Stream};

/// XCLAIM's options.
#[derive(Debug, Clone, Copy, Default)]
struct Options {
    min_idle: i64,
    /// When the entries count as given.
    delivered_at: Option<i64>,
    deliveries: Option<i64>,
    makes_pending: bool,
    is_just_id: bool,
    last_id: Id,
}

/// XCLAIM.
pub(super) fn xclaim(call: &mut Call) -> CommandResult {
    let (key, name, consumer_name) = (call.key(0), call.args.at(2), call.args.at(3));
    call.note_miss(key);
    let stream = call.db.read_as::<Stream>(key)?;
    if stream.is_none_or(|stream| stream.group(name).is_none()) {
        return Err(no_key_or_group(key.bytes, name, ""));
    }
    let (ids, options) = arguments(call)?;
    let now = call.db.now();
    let given_at = options.delivered_at.filter(|at| (0..=now).contains(at));
    let options = Options {
        delivered_at: Some(given_at.unwrap_or(now)),
        ..options
    };
    let (consumer, is_new) = consumer(call, key, (name, consumer_name))?;
    let stream = call.db.change_as::<Stream>(key)?;
    let Some((log, group)) = stream.and_then(|stream| stream.group_mut(name)) else {
        return Ok(());
    };
    let is_ahead = options.last_id > group.last_id;
    if is_ahead {
        group.last_id = options.last_id;
    }
    let target = Target {
        key: key.bytes,
        group: name,
    };
    let mut claims = Claims {
        log,
        group,
        consumer,
        now,
        options,
        journal: Journal::new(call.engine, call.effects, target),
        told: 0,
    };
    let head = call.reply.open();
    let claimed = ids
        .into_iter()
        .filter(|id| claims.one(*id, call.reply) == Outcome::Claimed)
        .count();
    call.reply.close_array(head, claimed);
    claims.tell_rest(is_ahead, is_new.then_some(consumer_name));
    Ok(())
}

/// Finds the consumer, or makes it.
fn consumer(
    call: &mut Call,
    key: Key<'_>,
    (group, consumer): (&[u8], &[u8]),
) -> Result<(ConsumerId, bool), CommandError> {
    let now = call.db.now();
    let stream = call.db.change_as::<Stream>(key)?;
    let group = stream.and_then(|stream| stream.group_mut(group));
    let (_, group) = group.ok_or(CommandError::NoSuchKey)?;
    let (id, is_new) = group.find_or_make(consumer, now);
    group.consumer_mut(id).seen_at = now;
    if is_new {
        super::note_change(call, key, Some(event::stream("xgroup-createconsumer")));
    }
    Ok((id, is_new))
}

fn number(call: &Call, at: usize, error: &'static str) -> Result<i64, CommandError> {
    call.args
        .get(at)
        .and_then(parse_i64)
        .ok_or_else(|| CommandError::text(error))
}

fn arguments(call: &Call) -> Result<(Vec<Id>, Options), CommandError> {
    let args = call.args;
    let min_idle = number(call, 4, "ERR Invalid min-idle-time argument for XCLAIM")?;
    let mut options = Options {
        min_idle: min_idle.max(0),
        ..Options::default()
    };
    let ids: Vec<Id> = args
        .from(5)
        .map_while(|word| ids::strict(word, 0).ok())
        .collect();
    let mut at = 5 + ids.len();
    while at < args.len() {
        let has_more = at + 1 < args.len();
        if args.is(at, "FORCE") {
            options.makes_pending = true;
        } else if args.is(at, "JUSTID") {
            options.is_just_id = true;
        } else if !has_more || !valued(call, at, &mut options)? {
            return Err(CommandError::quoting(
                "ERR Unrecognized XCLAIM option '",
                args.at(at),
                "'",
            ));
        } else {
            at += 1;
        }
        at += 1;
    }
    Ok((ids, options))
}

/// An option with a value. False if it is none.
fn valued(call: &Call, at: usize, options: &mut Options) -> Result<bool, CommandError> {
    let args = call.args;
    // Redis takes this for the absence of the option.
    let given = |time: i64| Some(time).filter(|time| *time != -1);
    if args.is(at, "IDLE") {
        let idle = number(call, at + 1, "ERR Invalid IDLE option argument for XCLAIM")?;
        options.delivered_at = given(call.db.now().wrapping_sub(idle));
    } else if args.is(at, "TIME") {
        let time = number(call, at + 1, "ERR Invalid TIME option argument for XCLAIM")?;
        options.delivered_at = given(time);
    } else if args.is(at, "RETRYCOUNT") {
        let error = "ERR Invalid RETRYCOUNT option argument for XCLAIM";
        options.deliveries = Some(number(call, at + 1, error)?).filter(|count| *count >= 0);
    } else if args.is(at, "LASTID") {
        options.last_id = ids::strict(args.at(at + 1), 0)?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// What has become of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It has been given to the consumer.
    Claimed,
    /// It is not there any more, and no longer pending.
    Deleted,
    /// It was left alone.
    Left,
}

/// Entries change hands.
struct Claims<'a> {
    log: &'a Log,
    group: &'a mut Group,
    consumer: ConsumerId,
    now: i64,
    options: Options,
    journal: Journal<'a>,
    /// Changes told to the journal.
    told: usize,
}

impl Claims<'_> {
    /// Gives one entry to the consumer, if it may have it, and replies with it.
    fn one(&mut self, id: Id, reply: &mut Reply) -> Outcome {
        let options = self.options;
        let old = self.group.pending().get(id).copied();
        let Some(entry) = self.log.get(id) else {
            return match old {
                Some(old) => {
                    self.tell(id, &old);
                    self.group.acknowledge(id);
                    Outcome::Deleted
                }
                None => Outcome::Left,
            };
        };
        let is_long = |old: &Pending| {
            options.min_idle == 0 || self.now.saturating_sub(old.delivered_at) >= options.min_idle
        };
        let may_be_claimed = old.as_ref().map_or(options.makes_pending, is_long);
        if !may_be_claimed {
            return Outcome::Left;
        }
        let more = i64::from(!options.is_just_id);
        let deliveries = old.map_or(1, |old| old.deliveries).saturating_add(more);
        let pending = Pending {
            delivered_at: options.delivered_at.unwrap_or(self.now),
            deliveries: options.deliveries.unwrap_or(deliveries),
            consumer: self.consumer,
        };
        self.group.assign(id, pending);
        self.group.consumer_mut(self.consumer).active_at = Some(self.now);
        self.tell(id, &pending);
        match options.is_just_id {
            true => reply_id(reply, id),
            false => reply_entry(reply, &entry),
        }
        Outcome::Claimed
    }

    fn tell(&mut self, id: Id, pending: &Pending) {
        self.journal.count();
        self.journal.claimed(self.group, id, pending);
        self.told += 1;
    }

    /// What the entries that changed hands have not told along with them.
    fn tell_rest(&mut self, is_ahead: bool, new_consumer: Option<&[u8]>) {
        if let Some(name) = new_consumer.filter(|_| self.told == 0) {
            self.journal.created(name);
        }
        if is_ahead && self.told == 0 {
            self.journal.count();
            self.journal.advanced(self.group);
        }
    }
}

// ---- XAUTOCLAIM

/// Entries looked at for each that may be claimed.
const ATTEMPTS: u64 = 10;
const MOST: i64 = i64::MAX / 16;
const DEFAULT_COUNT: i64 = 100;

/// XAUTOCLAIM's arguments.
struct Search {
    options: Options,
    start: Id,
    count: u64,
}

fn search(call: &Call) -> Result<Search, CommandError> {
    let args = call.args;
    let min_idle = number(call, 4, "ERR Invalid min-idle-time argument for XAUTOCLAIM")?;
    let start = ids::start(args.at(5))?;
    let (mut at, mut count, mut is_just_id) = (6, DEFAULT_COUNT, false);
    while at < args.len() {
        if args.is(at, "COUNT") && at + 1 < args.len() {
            let error = "ERR COUNT must be > 0";
            count = number(call, at + 1, error)?;
            if !(1..=MOST).contains(&count) {
                return Err(CommandError::text(error));
            }
            at += 1;
        } else if args.is(at, "JUSTID") {
            is_just_id = true;
        } else {
            return Err(CommandError::Syntax);
        }
        at += 1;
    }
    Ok(Search {
        options: Options {
            min_idle: min_idle.max(0),
            is_just_id,
            ..Options::default()
        },
        start,
        count: count.unsigned_abs(),
    })
}

/// XAUTOCLAIM.
pub(super) fn xautoclaim(call: &mut Call) -> CommandResult {
    let (key, name, consumer_name) = (call.key(0), call.args.at(2), call.args.at(3));
    let search = search(call)?;
    call.note_miss(key);
    let stream = call.db.read_as::<Stream>(key)?;
    if stream.is_none_or(|stream| stream.group(name).is_none()) {
        return Err(no_key_or_group(key.bytes, name, ""));
    }
    let now = call.db.now();
    let (consumer, is_new) = consumer(call, key, (name, consumer_name))?;
    let stream = call.db.change_as::<Stream>(key)?;
    let Some((log, group)) = stream.and_then(|stream| stream.group_mut(name)) else {
        return Ok(());
    };
    let target = Target {
        key: key.bytes,
        group: name,
    };
    let claims = Claims {
        log,
        group,
        consumer,
        now,
        options: search.options,
        journal: Journal::new(call.engine, call.effects, target),
        told: 0,
    };
    run(claims, &search, call.reply, is_new.then_some(consumer_name));
    Ok(())
}

fn run(mut claims: Claims<'_>, search: &Search, reply: &mut Reply, new_consumer: Option<&[u8]>) {
    // The cursor stands before the entries but is known only behind them.
    let mut found = Reply::new();
    found.set_resp3(reply.is_resp3());
    let head = found.open();
    let (mut claimed, mut deleted) = (0, Vec::new());
    let (mut count, mut attempts) = (search.count, search.count.saturating_mul(ATTEMPTS));
    let mut next = Some(search.start);
    let following = |claims: &Claims<'_>, next: Option<Id>| {
        let (id, _) = claims.group.pending().range(next?, Id::MAX).next()?;
        Some(id)
    };
    while count > 0
        && attempts > 0
        && let Some(id) = following(&claims, next)
    {
        attempts -= 1;
        next = id.next();
        match claims.one(id, &mut found) {
            Outcome::Claimed => claimed += 1,
            Outcome::Deleted => deleted.push(id),
            Outcome::Left => continue,
        }
        count -= 1;
    }
    found.close_array(head, claimed);
    reply.array(3);
    reply_id(reply, following(&claims, next).unwrap_or_default());
    reply.raw(found.plain().unwrap_or_default());
    reply.array(deleted.len());
    deleted.into_iter().for_each(|id| reply_id(reply, id));
    claims.tell_rest(false, new_consumer);
}
