//! Fields given or set together with when they go: HGETEX, HSETEX, HGETDEL.

use super::expiry::{fields_from, moment, tell_deleted, tell_expiring};
use super::{limits, prepare, reply_found};
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::Key;
use crate::structures::hash::{Hash, Lifetime, Seen};

const NOT_POSITIVE: &str = "ERR Number of fields must be a positive integer";

/// What is said about when the fields go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timing {
    Unsaid,
    /// PERSIST or KEEPTTL, as the command has it.
    Plain,
    At(i64),
}

/// The option at `at`, where `plain` is the one without a number; gives how many arguments it takes.
fn parse_timing(
    call: &Call,
    at: usize,
    plain: &str,
) -> Result<Option<(Timing, usize)>, CommandError> {
    let (args, now) = (call.args, call.db.now());
    if args.is(at, plain) {
        return Ok(Some((Timing::Plain, 1)));
    }
    let units = [
        ("EX", now, 1000),
        ("PX", now, 1),
        ("EXAT", 0, 1000),
        ("PXAT", 0, 1),
    ];
    let Some((_, base_ms, unit_ms)) = units.iter().find(|(word, _, _)| args.is(at, word)) else {
        return Ok(None);
    };
    let number = args.get(at + 1).ok_or(CommandError::NotInteger)?;
    let time = moment(call, number, *base_ms, *unit_ms)?;
    Ok(Some((Timing::At(time), 2)))
}

/// Replies with the values of fields, or nulls.
fn reply_values<'a>(
    call: &mut Call,
    key: Key<'_>,
    names: impl ExactSizeIterator<Item = &'a [u8]>,
) -> CommandResult {
    let hash = call.db.peek_as::<Hash>(key)?;
    call.reply.array(names.len());
    for name in names {
        reply_found(call.reply, hash.and_then(|hash| hash.get(name, Seen::ALL)));
    }
    Ok(())
}

pub(super) fn hgetdel(call: &mut Call) -> CommandResult {
    let (key, args) = (call.key(0), call.args);
    let first = fields_from(args, 2, NOT_POSITIVE)?;
    prepare(call, key);
    let mut deleted: Vec<&[u8]> = Vec::new();
    call.db.peek_as::<Hash>(key)?;
    call.reply.array(args.len() - first);
    if let Some(mut hash) = call.db.change_as::<Hash>(key)? {
        for name in args.from(first) {
            reply_found(call.reply, hash.get(name, Seen::ALL));
            if hash.remove(name) {
                deleted.push(name);
            }
        }
    } else {
        args.from(first).for_each(|_| call.reply.null());
    }
    tell_deleted(call, key, &deleted);
    Ok(())
}

pub(super) fn hgetex(call: &mut Call) -> CommandResult {
    let (key, args) = (call.key(0), call.args);
    let (timing, taken) = parse_timing(call, 2, "PERSIST")?.unwrap_or((Timing::Unsaid, 0));
    let first = fields_from(args, 2 + taken, NOT_POSITIVE)?;
    prepare(call, key);
    reply_values(call, key, args.from(first))?;
    let Some(mut hash) = call.db.change_as::<Hash>(key)? else {
        return Ok(());
    };
    let names = args.from(first);
    match timing {
        Timing::Unsaid => {}
        Timing::Plain => {
            let expires = |name: &&[u8]| hash.expiry(name, Seen::ALL).flatten().is_some();
            let kept: Vec<&[u8]> = names.filter(expires).collect();
            kept.iter().for_each(|name| hash.set_expiry(name, None));
            drop(hash);
            tell_persisting(call, key, &kept);
        }
        Timing::At(at) => {
            let exists = |name: &&[u8]| hash.get(name, Seen::ALL).is_some();
            let found: Vec<&[u8]> = names.filter(exists).collect();
            drop(hash);
            expire_all(call, key, at, &found)?;
        }
    }
    Ok(())
}

fn tell_persisting(call: &mut Call, key: Key<'_>, names: &[&[u8]]) {
    if names.is_empty() {
        return;
    }
    call.changed(key, event::hash("hpersist"));
    let count = names.len().to_string();
    let head: [&[u8]; 4] = [b"HPERSIST", key.bytes, b"FIELDS", count.as_bytes()];
    call.replay_as(&[&head, names].concat());
}

/// Has fields go at a moment, or at once when it has passed.
fn expire_all(call: &mut Call, key: Key<'_>, at: i64, names: &[&[u8]]) -> CommandResult {
    let has_passed = call.db.has_passed(at);
    let Some(mut hash) = call.db.change_as::<Hash>(key)? else {
        return Ok(());
    };
    if has_passed {
        let deleted: Vec<&[u8]> = (names.iter().copied())
            .filter(|name| hash.remove(name))
            .collect();
        drop(hash);
        tell_deleted(call, key, &deleted);
    } else {
        (names.iter()).for_each(|name| hash.set_expiry(name, Some(at)));
        drop(hash);
        tell_expiring(call, key, at, names);
    }
    Ok(())
}

/// HSETEX's options.
struct Setting {
    /// NX: false, XX: true: whether the hash must be there or must not (Valkey).
    hash_must_exist: Option<bool>,
    /// FNX: false, FXX: true: whether all fields must be there or all must not.
    must_exist: Option<bool>,
    timing: Timing,
    /// Where the first field is.
    first: usize,
}

impl Setting {
    fn parse(call: &Call) -> Result<Self, CommandError> {
        let args = call.args;
        let (mut must_exist, mut timing, mut at) = (None, Timing::Unsaid, 2);
        let mut hash_must_exist = None;
        while at < args.len() && !args.is(at, "FIELDS") {
            let is_condition = [("NX", false), ("XX", true)];
            if let Some((_, exists)) = is_condition.iter().find(|(word, _)| args.is(at, word)) {
                if hash_must_exist.replace(*exists).is_some() {
                    return Err(CommandError::Syntax);
                }
                at += 1;
                continue;
            }
            let is_condition = [("FNX", false), ("FXX", true)];
            if let Some((_, exists)) = is_condition.iter().find(|(word, _)| args.is(at, word)) {
                if must_exist.replace(*exists).is_some() {
                    return Err(CommandError::text(
                        "ERR Only one of FXX or FNX arguments can be specified",
                    ));
                }
                at += 1;
            } else if let Some((said, taken)) = parse_timing(call, at, "KEEPTTL")? {
                if timing != Timing::Unsaid {
                    return Err(CommandError::text(
                        "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
                    ));
                }
                timing = said;
                at += taken;
            } else {
                return Err(CommandError::quoting(
                    "ERR unknown argument: ",
                    args.at(at),
                    "",
                ));
            }
        }
        Ok(Self {
            hash_must_exist,
            must_exist,
            timing,
            first: pairs_from(call, at)?,
        })
    }
}

/// Where the first of the fields and values behind FIELDS at `at` is.
fn pairs_from(call: &Call, at: usize) -> Result<usize, CommandError> {
    let args = call.args;
    if at >= args.len() {
        return Err(CommandError::text("ERR missing FIELDS argument"));
    }
    let count = args.get(at + 1).and_then(parse_i64);
    let count = count.filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let count = count.ok_or_else(|| CommandError::text("ERR invalid number of fields"))? as usize;
    let given = args.len() - at - 2;
    match given.is_multiple_of(2) && given / 2 == count {
        true => Ok(at + 2),
        false => Err(CommandError::arity(&call.spec.name)),
    }
}

pub(super) fn hsetex(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let setting = Setting::parse(call)?;
    prepare(call, key);
    let hash = call.db.peek_as::<Hash>(key)?;
    let mut names = call.args.from(setting.first).step_by(2);
    let exists = |name: &[u8]| hash.is_some_and(|hash| hash.get(name, Seen::ALL).is_some());
    let is_met = (setting.hash_must_exist).is_none_or(|wanted| hash.is_some() == wanted)
        && (setting.must_exist).is_none_or(|wanted| names.all(|name| exists(name) == wanted));
    if is_met {
        set_pairs(call, key, &setting)?;
    }
    call.reply.integer(i64::from(is_met));
    Ok(())
}

fn set_pairs(call: &mut Call, key: Key<'_>, setting: &Setting) -> CommandResult {
    let (args, first, limits) = (call.args, setting.first, limits(call.config));
    let names: Vec<&[u8]> = args.from(first).step_by(2).collect();
    let lifetime = match setting.timing {
        Timing::Unsaid => Lifetime::Endless,
        Timing::Plain => Lifetime::Keep,
        Timing::At(at) if call.db.has_passed(at) => return expire_all(call, key, at, &names),
        Timing::At(at) => Lifetime::Until(at),
    };
    let set_all = |hash: &mut Hash| {
        hash.expect(args.from(first), &limits);
        for at in (first..args.len()).step_by(2) {
            hash.set(args.at(at), args.at(at + 1), lifetime, &limits);
        }
    };
    if let Some(mut hash) = call.db.change_as::<Hash>(key)? {
        set_all(&mut hash);
    } else {
        let mut hash = Hash::default();
        set_all(&mut hash);
        call.db.store(key, hash);
        call.created(key);
    }
    call.changed(key, event::hash("hset"));
    if let Lifetime::Until(at) = lifetime {
        call.db.arm_parts(key);
        call.tell_listeners(key, event::hash("hexpire"));
        replay_at(call, key, at, first);
    } else if setting.hash_must_exist.is_some() {
        replay_met(call, key, lifetime, first);
    }
    Ok(())
}

/// In the journal there is no condition that was met: whoever reads it may still see fields that were gone.
fn replay_met(call: &mut Call, key: Key<'_>, lifetime: Lifetime, first: usize) {
    let args = call.args;
    let mut count = itoa::Buffer::new();
    let mut command: Vec<&[u8]> = vec![b"HSETEX", key.bytes];
    if lifetime == Lifetime::Keep {
        command.push(b"KEEPTTL");
    }
    command.push(b"FIELDS");
    command.push(count.format((args.len() - first) / 2).as_bytes());
    command.extend(args.from(first));
    call.replay_as(&command);
}

/// In the journal the fields go at a moment; the conditions were met.
fn replay_at(call: &mut Call, key: Key<'_>, at: i64, first: usize) {
    let args = call.args;
    let (mut moment, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mut command: Vec<&[u8]> = vec![
        b"HSETEX",
        key.bytes,
        b"PXAT",
        moment.format(at).as_bytes(),
        b"FIELDS",
        count.format((args.len() - first) / 2).as_bytes(),
    ];
    command.extend(args.from(first));
    call.replay_as(&command);
}
