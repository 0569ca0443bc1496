//! When fields go: HEXPIRE and its kin, HTTL and its kin, HPERSIST.

use std::ops::Range;

use super::{delete_emptied, prepare, seen};
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::Key;
use crate::resp::args::Args;
use crate::structures::hash::{Hash, Seen};

/// The latest moment at which a field may go, in Unix milliseconds.
pub(super) const LATEST: i64 = (1 << 46) - 1;
const SECONDS: i64 = 1000;
const MILLISECONDS: i64 = 1;

// What is said of each field.
const NO_FIELD: i64 = -2;
const NO_EXPIRY: i64 = -1;
const NOT_PERMITTED: i64 = 0;
const DONE: i64 = 1;
const DELETED: i64 = 2;

pub(super) fn hexpire(call: &mut Call) -> CommandResult {
    let now = call.db.now();
    expire(call, now, SECONDS)
}

pub(super) fn hpexpire(call: &mut Call) -> CommandResult {
    let now = call.db.now();
    expire(call, now, MILLISECONDS)
}

pub(super) fn hexpireat(call: &mut Call) -> CommandResult {
    expire(call, 0, SECONDS)
}

pub(super) fn hpexpireat(call: &mut Call) -> CommandResult {
    expire(call, 0, MILLISECONDS)
}

/// The moment that a number says, in units of `unit_ms` after `base_ms`.
pub(super) fn moment(
    call: &Call,
    text: &[u8],
    base_ms: i64,
    unit_ms: i64,
) -> Result<i64, CommandError> {
    let number = parse_i64(text).ok_or(CommandError::NotInteger)?;
    if number < 0 {
        return Err(CommandError::text("ERR invalid expire time, must be >= 0"));
    }
    let at = number
        .checked_mul(unit_ms)
        .and_then(|at| at.checked_add(base_ms));
    at.filter(|&at| at <= LATEST)
        .ok_or_else(|| call.invalid_expire())
}

/// The fields that an argument list names behind FIELDS at `at` and their number: where the first one is. `message` refuses
/// numbers that make no sense.
pub(super) fn fields_from(
    args: Args<'_>,
    at: usize,
    message: &'static str,
) -> Result<usize, CommandError> {
    if !args.is(at, "FIELDS") {
        return Err(CommandError::text(
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ));
    }
    let count = args.get(at + 1).and_then(parse_i64);
    let count = count.filter(|&count| count > 0);
    let count = count.ok_or_else(|| CommandError::text(message))? as u64;
    let given = args.len().saturating_sub(at + 2) as u64;
    if count != given {
        return Err(CommandError::text(
            "ERR The `numfields` parameter must match the number of arguments",
        ));
    }
    Ok(at + 2)
}

/// NX, XX, GT, LT.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    NoneBefore,
    SomeBefore,
    Later,
    Earlier,
}

impl Condition {
    fn parse(args: Args<'_>, at: usize) -> Option<Self> {
        let words = [
            ("NX", Self::NoneBefore),
            ("XX", Self::SomeBefore),
            ("GT", Self::Later),
            ("LT", Self::Earlier),
        ];
        let found = words.iter().find(|(word, _)| args.is(at, word));
        found.map(|(_, condition)| *condition)
    }

    /// Whether a field may go at `at`; one that never went counts as living for ever.
    fn permits(self, known: Option<i64>, at: i64) -> bool {
        match self {
            Self::Always => true,
            Self::NoneBefore => known.is_none(),
            Self::SomeBefore => known.is_some(),
            Self::Later => known.is_some_and(|known| at > known),
            Self::Earlier => known.is_none_or(|known| at < known),
        }
    }
}

/// Where the fields are that FIELDS at `at` announces, `width` arguments each. `refusal` is of numbers that make no sense.
pub(super) fn block(
    args: Args<'_>,
    at: usize,
    width: usize,
    refusal: &'static str,
) -> Result<Option<Range<usize>>, CommandError> {
    let count = args.get(at + 1).and_then(parse_i64);
    let count = count.filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let count = count.ok_or_else(|| CommandError::text(refusal))? as usize;
    let past_end = at + 2 + count * width;
    Ok((past_end <= args.len()).then_some(at + 2..past_end))
}

/// FIELDS a second time.
pub(super) const FIELDS_AGAIN: &str = "ERR FIELDS keyword specified multiple times";
/// FIELDS not once.
pub(super) const NO_FIELDS: &str = "ERR missing FIELDS argument";

/// Of what stands behind the moment, in any order: the condition, and where the fields are.
fn parse_options(args: Args<'_>) -> Result<(Condition, Range<usize>), CommandError> {
    let (mut fields, mut conditions, mut at) = (None, Vec::new(), 3);
    while at < args.len() {
        if let Some(condition) = Condition::parse(args, at) {
            if !conditions.contains(&condition) {
                conditions.push(condition);
            }
            at += 1;
        } else if !args.is(at, "FIELDS") {
            return Err(CommandError::quoting(
                "ERR unknown argument: ",
                args.at(at),
                "",
            ));
        } else if fields.is_some() {
            return Err(CommandError::text(FIELDS_AGAIN));
        } else if at + 2 >= args.len() {
            return Err(CommandError::text(
                "ERR FIELDS requires at least numfields and one field argument",
            ));
        } else {
            let refusal = "ERR Parameter `numFields` should be greater than 0";
            let found = block(args, at, 1, refusal)?;
            let found = found.ok_or(CommandError::text("ERR wrong number of arguments"))?;
            at = found.end;
            fields = Some(found);
        }
    }
    let fields = fields.ok_or(CommandError::text(NO_FIELDS))?;
    match conditions[..] {
        [] => Ok((Condition::Always, fields)),
        [condition] => Ok((condition, fields)),
        _ => Err(CommandError::text("ERR Multiple condition flags specified")),
    }
}

fn expire(call: &mut Call, base_ms: i64, unit_ms: i64) -> CommandResult {
    let (key, args) = (call.key(0), call.args);
    call.db.peek_as::<Hash>(key)?;
    let at = moment(call, args.at(2), base_ms, unit_ms)?;
    let (condition, fields) = parse_options(args)?;
    prepare(call, key);
    let has_passed = call.db.has_passed(at);
    let (mut outcomes, mut updated, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
    let mut hash = call.db.change_as::<Hash>(key)?;
    for name in args.range(fields) {
        let known = hash.as_ref().and_then(|hash| hash.expiry(name, Seen::ALL));
        outcomes.push(match (known, hash.as_mut()) {
            (Some(known), Some(_)) if !condition.permits(known, at) => NOT_PERMITTED,
            (Some(_), Some(hash)) if has_passed => {
                hash.remove(name);
                deleted.push(name);
                DELETED
            }
            (Some(_), Some(hash)) => {
                hash.set_expiry(name, Some(at));
                updated.push(name);
                DONE
            }
            _ => NO_FIELD,
        });
    }
    drop(hash);
    tell_deleted(call, key, &deleted);
    tell_expiring(call, key, at, &updated);
    call.reply.array(outcomes.len());
    outcomes.iter().for_each(|&code| call.reply.integer(code));
    Ok(())
}

/// After fields got a moment: arms it, and tells.
pub(super) fn tell_expiring(call: &mut Call, key: Key<'_>, at: i64, names: &[&[u8]]) {
    if names.is_empty() {
        return;
    }
    call.db.arm_parts(key);
    call.changed(key, event::hash("hexpire"));
    let (mut moment, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
    let head: [&[u8]; 5] = [
        b"HPEXPIREAT",
        key.bytes,
        moment.format(at).as_bytes(),
        b"FIELDS",
        count.format(names.len()).as_bytes(),
    ];
    call.replay_as(&[&head, names].concat());
}

/// After fields were removed: tells, and removes the key with its last field.
pub(super) fn tell_deleted(call: &mut Call, key: Key<'_>, names: &[&[u8]]) {
    if names.is_empty() {
        return;
    }
    call.changed(key, event::hash("hdel"));
    call.replay_as(&[&[&b"HDEL"[..], key.bytes], names].concat());
    let hash = call.db.peek_as::<Hash>(key).ok().flatten();
    if hash.is_some_and(|hash| hash.is_empty()) {
        delete_emptied(call, key);
    }
}

pub(super) fn httl(call: &mut Call) -> CommandResult {
    let now = call.db.now();
    report(call, now, SECONDS)
}

pub(super) fn hpttl(call: &mut Call) -> CommandResult {
    let now = call.db.now();
    report(call, now, MILLISECONDS)
}

pub(super) fn hexpiretime(call: &mut Call) -> CommandResult {
    report(call, 0, SECONDS)
}

pub(super) fn hpexpiretime(call: &mut Call) -> CommandResult {
    report(call, 0, MILLISECONDS)
}

/// Says of each field when it goes, in units of `unit_ms` after `base_ms`, rounded up.
fn report(call: &mut Call, base_ms: i64, unit_ms: i64) -> CommandResult {
    let (key, args) = (call.key(0), call.args);
    call.note_miss(key);
    let seen = seen(call, key);
    let hash = call.db.read_as::<Hash>(key)?;
    let first = fields_from(args, 2, "ERR Number of fields must be a positive integer")?;
    let names = args.from(first);
    call.reply.array(names.len());
    for name in names {
        let known = hash.and_then(|hash| hash.expiry(name, seen));
        call.reply.integer(match known {
            None => NO_FIELD,
            Some(None) => NO_EXPIRY,
            Some(Some(at)) => (at - base_ms + unit_ms - 1) / unit_ms,
        });
    }
    Ok(())
}

pub(super) fn hpersist(call: &mut Call) -> CommandResult {
    let (key, args) = (call.key(0), call.args);
    call.db.peek_as::<Hash>(key)?;
    let first = fields_from(args, 2, "ERR Number of fields must be a positive integer")?;
    prepare(call, key);
    let mut hash = call.db.change_as::<Hash>(key)?;
    let (mut outcomes, mut is_changed) = (Vec::new(), false);
    for name in args.from(first) {
        let known = hash.as_ref().and_then(|hash| hash.expiry(name, Seen::ALL));
        outcomes.push(match (known, hash.as_mut()) {
            (Some(Some(_)), Some(hash)) => {
                hash.set_expiry(name, None);
                is_changed = true;
                DONE
            }
            (Some(None), _) => NO_EXPIRY,
            _ => NO_FIELD,
        });
    }
    drop(hash);
    if is_changed {
        call.changed(key, event::hash("hpersist"));
    }
    call.reply.array(outcomes.len());
    outcomes.iter().for_each(|&code| call.reply.integer(code));
    Ok(())
}
