//! Entries that are added once however often they are sent: XADD's IDMP and IDMPAUTO, XCFGSET, XIDMPRECORD.

use std::borrow::Cow;

use xxhash_rust::xxh3::Xxh3;

use super::{ids, note_change};
use crate::engine::{Call, CommandError, CommandResult};
use crate::resp::args::Args;
use crate::structures::stream::{Id, Producers, Stream};

const SECONDS: std::ops::RangeInclusive<i64> = 1..=86_400;
const NAMES: std::ops::RangeInclusive<i64> = 1..=10_000;

/// Where XADD names the producer, and the entry unless its content is its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// The producer's argument.
    pub producer_at: usize,
    /// Whether the entry's name stands behind it.
    pub is_named: bool,
}

impl Identity {
    /// The arguments that say it.
    pub fn span(self) -> std::ops::Range<usize> {
        self.producer_at - 1..self.producer_at + 1 + usize::from(self.is_named)
    }

    /// The producer and the name of the entry whose fields begin at an argument.
    pub fn of<'r>(self, args: Args<'r>, first: usize) -> (&'r [u8], Cow<'r, [u8]>) {
        let name = match self.is_named {
            true => Cow::Borrowed(args.at(self.producer_at + 1)),
            false => Cow::Owned(name_by_content(args, first)),
        };
        (args.at(self.producer_at), name)
    }
}

fn name_by_content(args: Args<'_>, first: usize) -> Vec<u8> {
    let mut hash = Xxh3::new();
    for word in args.from(first) {
        // Lengths keep words apart.
        hash.update(&(word.len() as u64).to_le_bytes());
        hash.update(word);
    }
    hash.digest128().to_be_bytes().to_vec()
}

/// An entry's id, if a producer has added one of this name.
pub(super) fn find(
    call: &mut Call,
    (producer, name): (&[u8], &[u8]),
) -> Result<Option<Id>, CommandError> {
    let (key, now) = (call.key(0), call.db.now());
    let Some(stream) = call.db.change_as::<Stream>(key)? else {
        return Ok(None);
    };
    let Some(producers) = stream.producers_mut() else {
        return Ok(None);
    };
    producers.forget_old(now);
    let found = producers.find(producer, name);
    producers.duplicates += u64::from(found.is_some());
    Ok(found)
}

/// Remembers that a producer has added an entry.
pub(super) fn remember(stream: &mut Stream, (producer, name): (&[u8], &[u8]), id: Id) {
    let producers = stream.make_producers();
    producers.remember(producer, name, id);
    producers.added += 1;
}

/// XCFGSET.
pub(super) fn xcfgset(call: &mut Call) -> CommandResult {
    let (args, key) = (call.args, call.key(0));
    let (mut seconds, mut most) = (None, None);
    for at in (2..args.len()).step_by(2) {
        let has_value = at + 1 < args.len();
        if has_value && args.is(at, "IDMP-DURATION") {
            let value = call.integer(at + 1)?;
            let value = Some(value).filter(|value| SECONDS.contains(value));
            seconds = Some(value.ok_or_else(|| CommandError::text("ERR invalid duration"))?);
        } else if has_value && args.is(at, "IDMP-MAXSIZE") {
            let value = call.integer(at + 1)?;
            let value = Some(value).filter(|value| NAMES.contains(value));
            most = Some(value.ok_or_else(|| CommandError::text("ERR invalid maxsize"))?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if seconds.or(most).is_none() {
        return Err(CommandError::Syntax);
    }
    let stream = call.db.change_as::<Stream>(key)?;
    let producers = stream.ok_or(CommandError::NoSuchKey)?.make_producers();
    let old = (producers.seconds, producers.most);
    if let Some(seconds) = seconds {
        producers.seconds = seconds.unsigned_abs();
    }
    if let Some(most) = most {
        producers.most = most.unsigned_abs() as usize;
    }
    let is_changed = old != (producers.seconds, producers.most);
    if is_changed {
        producers.clear();
    }
    call.reply.ok();
    if is_changed {
        note_change(call, key, None);
    }
    Ok(())
}

/// XIDMPRECORD: what a journal says beside the XADD of an entry with a name.
pub(super) fn xidmprecord(call: &mut Call) -> CommandResult {
    let (args, key) = (call.args, call.key(0));
    let (producer, name) = (args.at(2), args.at(3));
    let id = ids::strict(args.at(4), 0)?;
    if producer.is_empty() || name.is_empty() {
        return Err(nameless());
    }
    let stream = call.db.change_as::<Stream>(key)?;
    let stream = stream.ok_or(CommandError::NoSuchKey)?;
    if stream.log().get(id).is_none() {
        return Err(CommandError::text("ERR no such entry in the stream"));
    }
    match stream
        .producers()
        .and_then(|producers| producers.find(producer, name))
    {
        Some(known) if known == id => call.reply.ok(),
        Some(_) => {
            return Err(CommandError::text(
                "ERR the producer and idempotent ID belong to another entry",
            ));
        }
        None => {
            remember(stream, (producer, name), id);
            call.reply.ok();
            note_change(call, key, None);
        }
    }
    Ok(())
}

/// The error for a producer or an entry without a name.
pub(super) fn nameless() -> CommandError {
    CommandError::text("ERR the producer ID and the idempotent ID must not be empty")
}

/// What XINFO STREAM tells of producers.
pub(super) fn describe(producers: &Producers) -> [(&'static str, u64); 6] {
    [
        ("idmp-duration", producers.seconds),
        ("idmp-maxsize", producers.most as u64),
        ("pids-tracked", producers.len() as u64),
        ("iids-tracked", producers.names() as u64),
        ("iids-added", producers.added),
        ("iids-duplicates", producers.duplicates),
    ]
}
