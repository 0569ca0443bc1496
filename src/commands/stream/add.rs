//! XADD, XTRIM and XSETID.

use super::idempotent;
use super::ids::{self, Wanted};
use super::options::{self, Options};
use super::reply_id;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::resp::args::Args;
use crate::structures::stream::{Id, MOST_BYTES, NodeLimits, Stream, TrimTo};

/// XADD.
pub(super) fn xadd(call: &mut Call) -> CommandResult {
    let options = options::parse(call, true)?;
    let first = options.id_at + 1;
    let words = call.args.len().saturating_sub(first);
    if words < 2 || words % 2 == 1 {
        return Err(CommandError::arity(&call.spec.name));
    }
    if options.id == Wanted::Exactly(Id::MIN) {
        return Err(CommandError::text(
            "ERR The ID specified in XADD must be greater than 0-0",
        ));
    }
    let (key, now) = (call.key(0), call.db.now());
    let entry = NewEntry {
        args: call.args,
        first,
        limits: NodeLimits {
            bytes: call.config.stream_node_max_bytes,
            entries: call.config.stream_node_max_entries,
        },
        now,
    };
    let identity = options
        .identity
        .map(|identity| identity.of(call.args, first));
    let identity = identity
        .as_ref()
        .map(|(producer, name)| (*producer, &**name));
    if let Some(identity) = identity
        && let Some(known) = idempotent::find(call, identity)?
    {
        reply_id(call.reply, known);
        return Ok(());
    }
    let (added, is_new) = match call.db.change_as::<Stream>(key)? {
        Some(stream) => (entry.append(stream, &options)?, false),
        None if options.is_only_existing => {
            call.reply.null();
            return Ok(());
        }
        None => {
            let mut stream = Stream::default();
            let added = entry.append(&mut stream, &options)?;
            (added, call.db.store(key, stream))
        }
    };
    reply_id(call.reply, added.id);
    if is_new {
        call.created(key);
    }
    call.changed(key, event::stream("xadd"));
    if added.trimmed > 0 {
        call.tell_listeners(key, event::stream("xtrim"));
    }
    replay(call, &options, Some(added.id), added.left);
    if let Some(identity) = identity {
        name_entry(call, identity, added.id)?;
    }
    Ok(())
}

/// Remembers the name of an entry that has been added, unless it has been trimmed at once.
fn name_entry(call: &mut Call, (producer, name): (&[u8], &[u8]), id: Id) -> CommandResult {
    let key = call.key(0);
    let stream = call.db.change_as::<Stream>(key)?;
    let Some(stream) = stream.filter(|stream| stream.log().get(id).is_some()) else {
        return Ok(());
    };
    idempotent::remember(stream, (producer, name), id);
    call.replay_as(&[b"XIDMPRECORD", key.bytes, producer, name, &id.text()]);
    Ok(())
}

/// An entry about to be added.
struct NewEntry<'r> {
    args: Args<'r>,
    /// The first field.
    first: usize,
    limits: NodeLimits,
    now: i64,
}

/// What XADD has done.
struct Added {
    id: Id,
    trimmed: u64,
    left: Option<Left>,
}

impl NewEntry<'_> {
    fn append(&self, stream: &mut Stream, options: &Options) -> Result<Added, CommandError> {
        let &Self { args, first, .. } = self;
        let last = stream.log().counters().last_id;
        let id = options::resolve(options.id, last, self.now)?;
        if args.from(first).map(<[u8]>::len).sum::<usize>() > MOST_BYTES {
            return Err(CommandError::text(
                "ERR Elements are too large to be stored",
            ));
        }
        let pairs = (first..args.len()).step_by(2);
        let pairs = pairs.map(|at| (args.at(at), args.at(at + 1)));
        stream.log_mut().append(id, pairs, self.limits);
        let trim = options.trim;
        Ok(Added {
            id,
            trimmed: trim.map_or(0, |trim| stream.trim(trim, options.references)),
            left: trim.map(|_| left_by_trim(stream, options)),
        })
    }
}

/// What a trim has left, as an exact trim would be told to leave it.
fn left_by_trim(stream: &Stream, options: &Options) -> Left {
    match options.trim.map(|trim| trim.to) {
        Some(TrimTo::Id(_)) => Left::From(stream.log().first_id_even_deleted().unwrap_or(Id::MAX)),
        _ => Left::Length(stream.log().len()),
    }
}

/// What a trim has left.
#[derive(Clone, Copy)]
enum Left {
    Length(u64),
    From(Id),
}

/// Has the command replayed with the id that was given, and with an exact trim in place of an approximate one.
fn replay(call: &mut Call, options: &Options, id: Option<Id>, left: Option<Left>) {
    let is_exact = options.trim.is_none_or(|trim| !trim.is_approximate);
    let has_id = id.is_none() || matches!(options.id, Wanted::Exactly(_));
    if (is_exact && has_id) || !call.engine.journal.is_open() {
        return;
    }
    let mut words: Vec<&[u8]> = call.args.iter().collect();
    let id = id.map(Id::text);
    if let Some(id) = &id {
        words[options.id_at] = id;
    }
    let left = left.map(|left| match left {
        Left::Length(length) => length.to_string(),
        Left::From(id) => id.to_string(),
    });
    if let Some(left) = left.as_ref().filter(|_| !is_exact) {
        words[options.trim_at - 1] = b"=";
        words[options.trim_at] = left.as_bytes();
    }
    if let Some(identity) = options.identity {
        words.drain(identity.span());
    }
    call.effects.replay_as(&words);
}

/// XTRIM.
pub(super) fn xtrim(call: &mut Call) -> CommandResult {
    let options = options::parse(call, false)?;
    let key = call.key(0);
    let Some((stream, trim)) = call.db.change_as::<Stream>(key)?.zip(options.trim) else {
        call.reply.integer(0);
        return Ok(());
    };
    let trimmed = stream.trim(trim, options.references);
    let left = left_by_trim(stream, &options);
    if trimmed > 0 {
        call.elements_changed(key, event::stream("xtrim"), trimmed as usize);
        replay(call, &options, None, Some(left));
    }
    call.reply.integer(trimmed.cast_signed());
    Ok(())
}

/// XSETID.
pub(super) fn xsetid(call: &mut Call) -> CommandResult {
    let last = ids::strict(call.args.at(2), 0)?;
    let (added, max_deleted) = set_options(call, last)?;
    let key = call.key(0);
    let stream = call.db.change_as::<Stream>(key)?;
    let stream = stream.ok_or(CommandError::NoSuchKey)?;
    let counters = stream.log().counters();
    if last < counters.max_deleted_id {
        return Err(CommandError::text(
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        ));
    }
    if stream.log().last_entry_id().is_some_and(|top| last < top) {
        return Err(CommandError::text(
            "ERR The ID specified in XSETID is smaller than the target stream top item",
        ));
    }
    if counters.len > 0 && added.is_some_and(|added| added < counters.len) {
        return Err(CommandError::text(
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        ));
    }
    stream.set_last_id(last, added, max_deleted.filter(|id| !id.is_zero()));
    call.reply.ok();
    super::note_change(call, key, Some(event::stream("xsetid")));
    Ok(())
}

/// ENTRIESADDED and MAXDELETEDID.
fn set_options(call: &Call, last: Id) -> Result<(Option<u64>, Option<Id>), CommandError> {
    let (args, mut added, mut max_deleted) = (call.args, None, None);
    for at in (3..args.len()).step_by(2) {
        let value = args.get(at + 1).ok_or(CommandError::Syntax)?;
        if args.is(at, "ENTRIESADDED") {
            let count = u64::try_from(call.integer(at + 1)?);
            added =
                Some(count.map_err(|_| CommandError::text("ERR entries_added must be positive"))?);
        } else if args.is(at, "MAXDELETEDID") {
            let id = ids::strict(value, 0)?;
            if last < id {
                return Err(CommandError::text(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            max_deleted = Some(id);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok((added, max_deleted))
}
