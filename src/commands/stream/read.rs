//! XREAD and XREADGROUP.

use smallvec::SmallVec;

use super::quota::{Asked, Quota, limit};
use super::replay::{Journal, Target};
use super::{ids, no_key_or_group, reply_entry, reply_entry_parts, reply_id};
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, Wait, Wants, event};
use crate::keyspace::Key;
use crate::resp::args::OwnedArgs;
use crate::resp::reply::OpenHead;
use crate::structures::stream::{ConsumerId, Entry, Id, Pending, Stream};

/// What is asked for.
#[derive(Debug, Clone, Copy, Default)]
struct Request<'r> {
    /// Group and consumer.
    reader: Option<(&'r [u8], &'r [u8])>,
    /// How many entries, at most.
    most: Asked,
    /// Until when to wait, if at all, in Unix milliseconds; `None` within for ever.
    block: Option<Option<i64>>,
    /// Whether what is read does not become pending.
    is_acknowledged: bool,
    /// For how long entries must have been pending to be read again, in milliseconds.
    claim: Option<i64>,
    /// The first key.
    keys_at: usize,
    /// Keys.
    streams: usize,
}

/// Where to read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Entries behind an id.
    After(Id),
    /// What the group has not read yet.
    New,
}

/// XREAD.
pub(super) fn xread(call: &mut Call) -> CommandResult {
    read(call, false)
}

/// XREADGROUP.
pub(super) fn xreadgroup(call: &mut Call) -> CommandResult {
    read(call, true)
}

fn read(call: &mut Call, is_group: bool) -> CommandResult {
    let request = parse(call, is_group)?;
    let starts = starts(call, &request)?;
    let mut served = Served {
        head: None,
        streams: 0,
        quota: Quota::new(request.most),
    };
    for (n, &start) in starts.iter().enumerate() {
        if served.quota.is_used_up() {
            break;
        }
        match request.reader {
            None => read_stream(call, n, start, &mut served)?,
            Some(_) => read_group(call, &request, n, start, &mut served)?,
        }
    }
    if let Some(head) = served.head {
        call.reply.close_map_of_pairs(head, served.streams);
        return Ok(());
    }
    match request.block {
        Some(deadline) => wait(call, &request, &starts, deadline),
        None => call.reply.null_array(),
    }
    Ok(())
}

/// Waits for entries. What is the end of a stream now is where it will be read from then.
fn wait(call: &mut Call, request: &Request<'_>, starts: &[Start], deadline: Option<i64>) {
    let first_id = request.keys_at + request.streams;
    let has_open_end = call.args.from(first_id).any(|word| word == b"$");
    let args = has_open_end.then(|| {
        let mut args = OwnedArgs::copy(call.args.iter().take(first_id));
        for (word, start) in call.args.from(first_id).zip(starts) {
            match start {
                Start::After(id) if word == b"$" => args.push(&id.text()),
                _ => args.push(word),
            }
        }
        args
    });
    let wants = match request.reader {
        Some(_) => Wants::StreamOrLoss,
        None => Wants::Stream,
    };
    let look_again_at = look_again_at(call, request);
    call.block(Wait {
        args,
        look_again_at,
        ..Wait::on(wants, deadline)
    });
}

/// When the first pending entry will have been left alone for as long as CLAIM asks for. One that is given to somebody from
/// now on cannot be that before the whole of this time has passed.
fn look_again_at(call: &mut Call, request: &Request<'_>) -> Option<i64> {
    let (min_idle, now) = (request.claim?, call.db.now());
    let (name, _) = request.reader?;
    let mut first = now.saturating_add(min_idle);
    for n in 0..request.streams {
        let Ok(Some(stream)) = call.db.peek_as::<Stream>(call.key(n)) else {
            continue;
        };
        let pending = stream.group(name).map(|group| group.pending().iter());
        let idle_at = pending.into_iter().flatten().filter_map(|(id, pending)| {
            stream.log().get(id)?;
            Some(pending.delivered_at.saturating_add(min_idle))
        });
        first = first.min(idle_at.min().unwrap_or(first));
    }
    Some(first.max(now + 1))
}

// ---- Arguments

fn parse<'r>(call: &Call<'r, '_>, is_group: bool) -> Result<Request<'r>, CommandError> {
    let (args, mut request, mut at) = (call.args, Request::default(), 1);
    while at < args.len() && request.keys_at == 0 {
        let more = args.len() - at - 1;
        if more > 0 && args.is(at, "BLOCK") {
            if call.session.is_script {
                let rest = " command is not allowed with BLOCK option from scripts";
                return Err(CommandError::quoting("ERR ", args.at(0), rest));
            }
            request.block = Some(call.milliseconds_from_now(at + 1)?);
            at += 1;
        } else if more > 0 && args.is(at, "COUNT") {
            request.most.count = call.integer(at + 1)?.max(0).unsigned_abs();
            at += 1;
        } else if more > 0 && args.is(at, "MAXCOUNT") {
            request.most.max_count = limit(args.at(at + 1), "MAXCOUNT")?;
            at += 1;
        } else if more > 0 && args.is(at, "MAXSIZE") {
            let bytes = limit(args.at(at + 1), "MAXSIZE")?;
            request.most.max_size = usize::try_from(bytes).unwrap_or(usize::MAX);
            at += 1;
        } else if more > 0 && args.is(at, "STREAMS") {
            if more % 2 == 1 {
                return Err(unbalanced(is_group));
            }
            (request.keys_at, request.streams) = (at + 1, more / 2);
        } else if more > 1 && args.is(at, "GROUP") {
            only_for_groups(is_group, "GROUP")?;
            request.reader = Some((args.at(at + 1), args.at(at + 2)));
            at += 2;
        } else if args.is(at, "NOACK") {
            only_for_groups(is_group, "NOACK")?;
            request.is_acknowledged = true;
        } else if more > 0 && args.is(at, "CLAIM") {
            only_for_groups(is_group, "CLAIM")?;
            request.claim = Some(min_idle_time(args.at(at + 1))?);
            at += 1;
        } else {
            return Err(CommandError::Syntax);
        }
        at += 1;
    }
    // A group or consumer called `STREAMS` may stand where the keys are looked for.
    let are_locked = call.keys.len() == request.streams
        && call
            .keys
            .first()
            .is_some_and(|key| key.arg as usize == request.keys_at);
    if request.keys_at == 0 || !are_locked {
        return Err(CommandError::Syntax);
    }
    request.most.check()?;
    if is_group && request.reader.is_none() {
        return Err(CommandError::text(
            "ERR Missing GROUP option for XREADGROUP",
        ));
    }
    Ok(request)
}

fn min_idle_time(word: &[u8]) -> Result<i64, CommandError> {
    match parse_i64(word) {
        None => Err(CommandError::text("ERR min-idle-time is not an integer")),
        Some(..0) => Err(CommandError::text(
            "ERR min-idle-time must be a positive integer",
        )),
        Some(time) => Ok(time),
    }
}

fn unbalanced(is_group: bool) -> CommandError {
    let (name, ids) = match is_group {
        true => ("xreadgroup", "ID or '>'"),
        false => ("xread", "ID, '+', or '$'"),
    };
    CommandError::message(format!(
        "ERR Unbalanced '{name}' list of streams: for each stream key an {ids} must be specified."
    ))
}

fn only_for_groups(is_group: bool, option: &str) -> Result<(), CommandError> {
    if is_group {
        return Ok(());
    }
    Err(CommandError::message(format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    )))
}

/// Where to read each stream from.
fn starts(call: &mut Call, request: &Request<'_>) -> Result<SmallVec<[Start; 8]>, CommandError> {
    let mut starts = SmallVec::new();
    for n in 0..request.streams {
        let key = call.key(n);
        let word = call.args.at(request.keys_at + request.streams + n);
        call.note_miss(key);
        let stream = call.db.read_as::<Stream>(key)?;
        if let Some((group, _)) = request.reader
            && stream.is_none_or(|stream| stream.group(group).is_none())
        {
            let how = " in XREADGROUP with GROUP option";
            return Err(no_key_or_group(key.bytes, group, how));
        }
        starts.push(start(word, stream, request.reader.is_some())?);
    }
    Ok(starts)
}

fn start(word: &[u8], stream: Option<&Stream>, is_group: bool) -> Result<Start, CommandError> {
    let last_id = || stream.map_or(Id::MIN, |stream| stream.log().counters().last_id);
    match word {
        b"$" | b"+" if is_group => Err(meaningless(word[0] as char)),
        b"$" => Ok(Start::After(last_id())),
        b"+" => {
            let last = stream.and_then(|stream| stream.log().last_entry_id()?.previous());
            Ok(Start::After(last.unwrap_or_else(last_id)))
        }
        b">" if is_group => Ok(Start::New),
        b">" => Err(CommandError::text(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
        )),
        _ => match ids::strict(word, 0)? {
            // Redis tells the two not apart.
            Id::MAX if is_group => Ok(Start::New),
            id => Ok(Start::After(id)),
        },
    }
}

fn meaningless(sign: char) -> CommandError {
    CommandError::message(format!(
        "ERR The {sign} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
         specifying a proper ID, or use the > ID to get new messages. The {sign} ID would just return an empty result set."
    ))
}

// ---- The reply

/// Streams that had something.
struct Served {
    head: Option<OpenHead>,
    streams: usize,
    quota: Quota,
}

impl Served {
    /// Begins the part of one stream.
    fn begin(&mut self, call: &mut Call, key: Key<'_>) {
        if self.head.is_none() {
            self.head = Some(call.reply.open());
        }
        self.streams += 1;
        if !call.reply.is_resp3() {
            call.reply.array(2);
        }
        call.reply.bulk(key.bytes);
    }

    /// Likewise for a group, where it counts as a change.
    fn begin_for_group(&mut self, call: &mut Call, key: Key<'_>) {
        call.effects.dirty += 1;
        self.begin(call, key);
    }
}

fn read_stream(call: &mut Call, n: usize, start: Start, served: &mut Served) -> CommandResult {
    let key = call.key(n);
    let Start::After(id) = start else {
        return Ok(());
    };
    let Some((stream, start)) = call.db.peek_as::<Stream>(key)?.zip(id.next()) else {
        return Ok(());
    };
    let is_there = stream.log().last_entry_id() > Some(id);
    let first = || stream.log().range(start, Id::MAX).next();
    if !is_there || !served.quota.allows_first(first) {
        return Ok(());
    }
    served.begin(call, key);
    if let Some(stream) = call.db.peek_as::<Stream>(key)? {
        let entries = stream.log().range(start, Id::MAX);
        super::reply_quota(call.reply, entries, &mut served.quota);
    }
    Ok(())
}

fn read_group(
    call: &mut Call,
    request: &Request<'_>,
    n: usize,
    start: Start,
    served: &mut Served,
) -> CommandResult {
    let (key, now) = (call.key(n), call.db.now());
    let Some((name, consumer_name)) = request.reader else {
        return Ok(());
    };
    let stream = call.db.change_as::<Stream>(key)?;
    let Some((log, group)) = stream.and_then(|stream| stream.group_mut(name)) else {
        return Ok(());
    };
    let (consumer, is_new) = group.find_or_make(consumer_name, now);
    group.consumer_mut(consumer).seen_at = now;
    let mut has_new = log.last_entry_id() > Some(group.last_id);
    if has_new && let Some(start) = group.last_id.next() {
        has_new = served
            .quota
            .allows_first(|| log.range(start, Id::MAX).next());
    }
    let is_claiming = start == Start::New && request.claim.is_some();
    let may_claim = is_claiming && !group.pending().is_empty();
    if is_new {
        super::note_change(call, key, Some(event::stream("xgroup-createconsumer")));
    }
    let target = Target {
        key: key.bytes,
        group: name,
    };
    // Whatever becomes of it, the command itself is not for the journal.
    let mut journal = Journal::new(call.engine, call.effects, target);
    if is_new && (request.is_acknowledged || (start != Start::New) || !has_new) {
        journal.created(consumer_name);
    }
    match start {
        Start::After(id) => {
            served.begin_for_group(call, key);
            history(call, key, name, (consumer, id, &mut served.quota))
        }
        Start::New if is_claiming => {
            let claimable = match may_claim {
                true => claimable(call, key, name, (request, &served.quota))?,
                false => Vec::new(),
            };
            if has_new || !claimable.is_empty() {
                served.begin_for_group(call, key);
                claim(
                    call,
                    request,
                    target,
                    (key, consumer, claimable),
                    &mut served.quota,
                )?;
            }
            Ok(())
        }
        Start::New if has_new => {
            served.begin_for_group(call, key);
            deliver(call, request, target, (key, consumer), &mut served.quota)
        }
        Start::New => Ok(()),
    }
}

/// What a consumer was given before and has not acknowledged, from behind an id on.
fn history(
    call: &mut Call,
    key: Key<'_>,
    name: &[u8],
    (consumer, behind, quota): (ConsumerId, Id, &mut Quota),
) -> CommandResult {
    let now = call.db.now();
    let stream = call.db.change_as::<Stream>(key)?;
    let Some((log, group)) = stream.and_then(|stream| stream.group_mut(name)) else {
        return Ok(());
    };
    let most = match quota.of_stream() {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(usize::MAX),
    };
    let ids: Vec<Id> = match behind.next() {
        Some(start) => group
            .consumer(consumer)
            .pending()
            .range(start, Id::MAX)
            .take(most)
            .map(|(id, ())| id)
            .collect(),
        None => Vec::new(),
    };
    let (head, mut given) = (call.reply.open(), 0);
    for id in ids {
        match log.get(id) {
            Some(entry) if !quota.takes(&entry) => break,
            Some(entry) => {
                reply_entry(call.reply, &entry);
                if let Some(pending) = group.pending_mut(id) {
                    pending.delivered_at = now;
                    pending.deliveries = pending.deliveries.saturating_add(1);
                }
            }
            None => {
                call.reply.array(2);
                reply_id(call.reply, id);
                call.reply.null_array();
            }
        }
        given += 1;
    }
    call.reply.close_array(head, given);
    Ok(())
}

/// Gives a consumer what the group has not read yet.
fn deliver(
    call: &mut Call,
    request: &Request<'_>,
    target: Target<'_>,
    (key, consumer): (Key<'_>, ConsumerId),
    quota: &mut Quota,
) -> CommandResult {
    let now = call.db.now();
    let Some(stream) = call.db.change_as::<Stream>(key)? else {
        return Ok(());
    };
    let reply = &mut *call.reply;
    let head = reply.open();
    let mut journal = Journal::new(call.engine, call.effects, target);
    let how = (quota.of_stream(), now, !request.is_acknowledged);
    let is_wanted = |entry: &Entry<'_>| quota.takes(entry);
    let len = stream.deliver(target.group, consumer, how, is_wanted, |entry, group| {
        reply_entry(reply, entry);
        if let Some(pending) = group.pending().get(entry.id).filter(|_| how.2) {
            journal.claimed(group, entry.id, pending);
        }
    });
    if let Some(group) = stream.group(target.group) {
        journal.advanced(group);
    }
    reply.close_array(head, len);
    Ok(())
}

/// The entries that have been pending for as long as is asked for, the longest first.
fn claimable(
    call: &mut Call,
    key: Key<'_>,
    name: &[u8],
    (request, quota): (&Request<'_>, &Quota),
) -> Result<Vec<(i64, Id)>, CommandError> {
    let now = call.db.now();
    let stream = call.db.peek_as::<Stream>(key)?;
    let Some(group) = stream.and_then(|stream| stream.group(name)) else {
        return Ok(Vec::new());
    };
    let min_idle = request.claim.unwrap_or_default();
    let mut found: Vec<(i64, Id)> = group
        .pending()
        .iter()
        .map(|(id, pending)| (pending.delivered_at, id))
        .filter(|(at, id)| {
            now.saturating_sub(*at) >= min_idle
                && stream.is_some_and(|stream| stream.log().get(*id).is_some())
        })
        .collect();
    found.sort_unstable();
    let most = quota.of_stream();
    if most > 0 {
        found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    }
    let first = || found.first().and_then(|(_, id)| stream?.log().get(*id));
    if !quota.allows_first(first) {
        found.clear();
    }
    Ok(found)
}

/// Gives a consumer what has been pending for long, then what the group has not read yet, each entry with its idle time and
/// how often it was given before.
fn claim(
    call: &mut Call,
    request: &Request<'_>,
    target: Target<'_>,
    (key, consumer, claimable): (Key<'_>, ConsumerId, Vec<(i64, Id)>),
    quota: &mut Quota,
) -> CommandResult {
    let (now, most) = (call.db.now(), quota.of_stream());
    let Some(stream) = call.db.change_as::<Stream>(key)? else {
        return Ok(());
    };
    let reply = &mut *call.reply;
    let head = reply.open();
    let mut len = 0;
    let mut journal = Journal::new(call.engine, call.effects, target);
    let Some((log, group)) = stream.group_mut(target.group) else {
        return Ok(());
    };
    for (_, id) in claimable {
        let Some((entry, old)) = log.get(id).zip(group.pending().get(id).copied()) else {
            continue;
        };
        if !quota.takes(&entry) {
            break;
        }
        let pending = Pending {
            delivered_at: now,
            deliveries: old.deliveries.saturating_add(1),
            consumer,
        };
        group.assign(id, pending);
        group.consumer_mut(consumer).active_at = Some(now);
        journal.claimed(group, id, &pending);
        reply.array(4);
        reply_entry_parts(reply, &entry);
        reply.integer(now.saturating_sub(old.delivered_at).max(0));
        reply.integer(old.deliveries);
        len += 1;
    }
    let left = most.saturating_sub(len as u64);
    if most == 0 || left > 0 {
        let how = (left, now, !request.is_acknowledged);
        let is_wanted = |entry: &Entry<'_>| quota.takes(entry);
        let delivered = stream.deliver(target.group, consumer, how, is_wanted, |entry, group| {
            reply.array(4);
            reply_entry_parts(reply, entry);
            reply.integer(0);
            reply.integer(0);
            if let Some(pending) = group.pending().get(entry.id).filter(|_| how.2) {
                journal.claimed(group, entry.id, pending);
            }
        });
        if let Some(group) = stream.group(target.group).filter(|_| delivered > 0) {
            journal.advanced(group);
        }
        len += delivered;
    }
    reply.close_array(head, len);
    Ok(())
}
