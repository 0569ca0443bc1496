//! DUMP and RESTORE: a value as bytes that any server of the kind takes.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::{Expiry, Key, Value};
use crate::persistence::rdb::{self, Limits, Reader, Restored};

pub(super) fn dump(call: &mut Call) -> CommandResult {
    let (key, packs) = (call.key(0), call.config.rdbcompression);
    call.note_miss(key);
    match call.db.read(key) {
        Some(entry) => call.reply.bulk(&rdb::dump(entry.value(), packs)),
        None => call.reply.null(),
    }
    Ok(())
}

/// RESTORE's options.
#[derive(Default)]
struct Options {
    replaces: bool,
    is_absolute: bool,
    idle_seconds: Option<u32>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(call: &Call) -> Result<Self, CommandError> {
        let (mut options, mut at) = (Self::default(), 4);
        while at < call.args.len() {
            let has_value = at + 1 < call.args.len();
            if call.args.is(at, "REPLACE") {
                options.replaces = true;
            } else if call.args.is(at, "ABSTTL") {
                options.is_absolute = true;
            } else if call.args.is(at, "IDLETIME") && has_value && options.frequency.is_none() {
                options.idle_seconds = Some(idle_seconds(call.integer(at + 1)?)?);
                at += 1;
            } else if call.args.is(at, "FREQ") && has_value && options.idle_seconds.is_none() {
                options.frequency = Some(frequency(call.integer(at + 1)?)?);
                at += 1;
            } else {
                return Err(CommandError::Syntax);
            }
            at += 1;
        }
        Ok(options)
    }
}

fn idle_seconds(seconds: i64) -> Result<u32, CommandError> {
    let invalid = CommandError::text("ERR Invalid IDLETIME value, must be >= 0");
    let seconds = u64::try_from(seconds).map_err(|_| invalid)?;
    Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn frequency(frequency: i64) -> Result<u8, CommandError> {
    u8::try_from(frequency)
        .map_err(|_| CommandError::text("ERR Invalid FREQ value, must be >= 0 and <= 255"))
}

pub(super) fn restore(call: &mut Call) -> CommandResult {
    let options = Options::parse(call)?;
    let key = call.key(0);
    if !options.replaces && call.db.meet(key).is_some() {
        return Err(CommandError::text(
            "BUSYKEY Target key name already exists.",
        ));
    }
    let ttl = parse_i64(call.args.at(2)).ok_or(CommandError::NotInteger)?;
    if ttl < 0 {
        return Err(CommandError::text("ERR Invalid TTL value, must be >= 0"));
    }
    let value = read(call, call.args.at(3))?;
    let expires_at = match (ttl, options.is_absolute) {
        (0, _) => None,
        (at, true) => Some(at),
        (span, false) => Some(call.db.now().saturating_add(span)),
    };
    let old = call.db.remove(key);
    let had_value = old.is_some();
    if let Some(old) = old {
        call.engine.reclaimer.free(old);
    }
    call.reply.ok();
    match expires_at {
        Some(at) if call.db.has_passed(at) => {
            if had_value {
                call.replay_as(&[b"DEL", key.bytes]);
                call.changed(key, event::generic("del"));
            }
        }
        _ => {
            store(call, key, value, expires_at, &options);
            if let Some(at) = expires_at.filter(|_| !options.is_absolute) {
                replay_with_end(call, at);
            }
        }
    }
    Ok(())
}

fn read<'p>(call: &Call, payload: &'p [u8]) -> Result<Restored<'p>, CommandError> {
    let sums = !call.engine.skips_checksums.load(Relaxed);
    let (dialect, bytes) = rdb::checked(payload, sums)
        .ok_or_else(|| CommandError::text("ERR DUMP payload version or checksum are wrong"))?;
    let value = rdb::read(&mut Reader::new(bytes), dialect, &Limits::of(call.config));
    value.map_err(|error| {
        let key = call.args.at(1).escape_ascii();
        tracing::warn!("Bad data format in RESTORE of '{key}': {error}");
        CommandError::text("ERR Bad data format")
    })
}

fn store(
    call: &mut Call,
    key: Key<'_>,
    value: Restored<'_>,
    expires_at: Option<i64>,
    options: &Options,
) {
    let expiry = expires_at.map_or(Expiry::Clear, Expiry::At);
    match value {
        Restored::Text(text) => call.db.set(key, Value::of_string(&text), expiry),
        Restored::Object(object) => call.db.set(key, Value::Object(Box::new(object)), expiry),
    };
    let clock = call.db.access_clock();
    let access = match (clock.is_lfu(), options.frequency, options.idle_seconds) {
        (true, Some(frequency), _) => Some(clock.used_often(frequency)),
        (false, _, Some(seconds)) => Some(clock.idle_for(seconds)),
        _ => None,
    };
    if let Some(access) = access
        && let Some(mut entry) = call.db.change(key)
    {
        entry.set_access(access);
    }
    call.created(key);
    call.changed(key, event::generic("restore"));
}

/// A span of time is journaled as its end.
fn replay_with_end(call: &mut Call, expires_at: i64) {
    let mut buffer = itoa::Buffer::new();
    let end = buffer.format(expires_at).as_bytes();
    let args = call.args;
    let mut replayed: Vec<&[u8]> = args.iter().collect();
    if let Some(ttl) = replayed.get_mut(2) {
        *ttl = end;
    }
    replayed.push(b"ABSTTL");
    call.replay_as(&replayed);
}
