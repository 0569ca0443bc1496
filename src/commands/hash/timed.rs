//! Fields given or set together with when they go: HGETEX, HSETEX, HGETDEL.

use std::ops::Range;

use super::expiry::{
    FIELDS_AGAIN, NO_FIELDS, block, fields_from, moment, tell_deleted, tell_expiring,
};
use super::{limits, prepare, reply_found};
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

/// The timing at `at`, when none was `known` before; gives how many arguments it takes.
fn parse_timing(
    call: &Call,
    at: usize,
    form: &Form,
    known: Timing,
) -> Result<Option<(Timing, usize)>, CommandError> {
    let (args, now) = (call.args, call.db.now());
    let units = [
        ("EX", now, 1000),
        ("PX", now, 1),
        ("EXAT", 0, 1000),
        ("PXAT", 0, 1),
    ];
    let unit = units.iter().find(|(word, _, _)| args.is(at, word));
    let is_plain = args.is(at, form.plain);
    if (is_plain || unit.is_some()) && known != Timing::Unsaid {
        return Err(CommandError::text(form.two_timings));
    }
    let Some((_, base_ms, unit_ms)) = unit else {
        return Ok(is_plain.then_some((Timing::Plain, 1)));
    };
    let number = args.get(at + 1);
    let number = number.ok_or(CommandError::text("ERR missing expire time"))?;
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
    let Setting { timing, fields, .. } = Setting::parse(call, &GETTING)?;
    prepare(call, key);
    reply_values(call, key, args.range(fields.clone()))?;
    let Some(mut hash) = call.db.change_as::<Hash>(key)? else {
        return Ok(());
    };
    let names = args.range(fields);
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

/// What tells HGETEX's options from HSETEX's.
struct Form {
    /// The timing without a number.
    plain: &'static str,
    two_timings: &'static str,
    /// Arguments of one field.
    width: usize,
    has_conditions: bool,
}

const GETTING: Form = Form {
    plain: "PERSIST",
    two_timings: "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified",
    width: 1,
    has_conditions: false,
};

const SETTING: Form = Form {
    plain: "KEEPTTL",
    two_timings: "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
    width: 2,
    has_conditions: true,
};

/// HGETEX's and HSETEX's options.
struct Setting {
    /// NX: false, XX: true: whether the hash must be there or must not (Valkey).
    hash_must_exist: Option<bool>,
    /// FNX: false, FXX: true: whether all fields must be there or all must not.
    must_exist: Option<bool>,
    timing: Timing,
    /// Where the fields are.
    fields: Range<usize>,
}

impl Setting {
    fn parse(call: &Call, form: &Form) -> Result<Self, CommandError> {
        let args = call.args;
        let (mut timing, mut fields, mut at) = (Timing::Unsaid, None, 2);
        let (mut hash_must_exist, mut must_exist) = (None, None);
        while at < args.len() {
            if args.is(at, "FIELDS") {
                if fields.is_some() {
                    return Err(CommandError::text(FIELDS_AGAIN));
                }
                let found = fields_of(call, at, form.width)?;
                at = found.end;
                fields = Some(found);
            } else if form.has_conditions
                && parse_condition(call, at, &mut hash_must_exist, &mut must_exist)?
            {
                at += 1;
            } else if let Some((said, taken)) = parse_timing(call, at, form, timing)? {
                timing = said;
                at += taken;
            } else {
                let word = args.at(at);
                return Err(CommandError::quoting("ERR unknown argument: ", word, ""));
            }
        }
        Ok(Self {
            hash_must_exist,
            must_exist,
            timing,
            fields: fields.ok_or(CommandError::text(NO_FIELDS))?,
        })
    }
}

/// Takes the condition at `at`, if there is one.
fn parse_condition(
    call: &Call,
    at: usize,
    hash_must_exist: &mut Option<bool>,
    must_exist: &mut Option<bool>,
) -> Result<bool, CommandError> {
    let has = |word| call.args.is(at, word);
    if has("NX") || has("XX") {
        match hash_must_exist.replace(has("XX")) {
            Some(_) => Err(CommandError::Syntax),
            None => Ok(true),
        }
    } else if has("FNX") || has("FXX") {
        match must_exist.replace(has("FXX")) {
            Some(_) => Err(CommandError::text(
                "ERR Only one of FXX or FNX arguments can be specified",
            )),
            None => Ok(true),
        }
    } else {
        Ok(false)
    }
}

/// Where the fields behind FIELDS at `at` are.
fn fields_of(call: &Call, at: usize, width: usize) -> Result<Range<usize>, CommandError> {
    let wrong = || CommandError::arity(&call.spec.name);
    if at + 1 + width >= call.args.len() {
        return Err(wrong());
    }
    let found = block(call.args, at, width, "ERR invalid number of fields")?;
    found.ok_or_else(wrong)
}

pub(super) fn hsetex(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let setting = Setting::parse(call, &SETTING)?;
    prepare(call, key);
    let hash = call.db.peek_as::<Hash>(key)?;
    let mut names = call.args.range(setting.fields.clone()).step_by(2);
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
    let (args, fields, limits) = (call.args, &setting.fields, limits(call.config));
    let names: Vec<&[u8]> = args.range(fields.clone()).step_by(2).collect();
    let lifetime = match setting.timing {
        Timing::Unsaid => Lifetime::Endless,
        Timing::Plain => Lifetime::Keep,
        Timing::At(at) if call.db.has_passed(at) => return expire_all(call, key, at, &names),
        Timing::At(at) => Lifetime::Until(at),
    };
    let set_all = |hash: &mut Hash| {
        hash.expect(args.range(fields.clone()), &limits);
        for at in fields.clone().step_by(2) {
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
        replay_at(call, key, at, fields);
    } else if setting.hash_must_exist.is_some() {
        replay_met(call, key, lifetime, fields);
    }
    Ok(())
}

/// In the journal there is no condition that was met: whoever reads it may still see fields that were gone.
fn replay_met(call: &mut Call, key: Key<'_>, lifetime: Lifetime, fields: &Range<usize>) {
    let args = call.args;
    let mut count = itoa::Buffer::new();
    let mut command: Vec<&[u8]> = vec![b"HSETEX", key.bytes];
    if lifetime == Lifetime::Keep {
        command.push(b"KEEPTTL");
    }
    command.push(b"FIELDS");
    command.push(count.format(fields.len() / 2).as_bytes());
    command.extend(args.range(fields.clone()));
    call.replay_as(&command);
}

/// In the journal the fields go at a moment; the conditions were met.
fn replay_at(call: &mut Call, key: Key<'_>, at: i64, fields: &Range<usize>) {
    let args = call.args;
    let (mut moment, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mut command: Vec<&[u8]> = vec![
        b"HSETEX",
        key.bytes,
        b"PXAT",
        moment.format(at).as_bytes(),
        b"FIELDS",
        count.format(fields.len() / 2).as_bytes(),
    ];
    command.extend(args.range(fields.clone()));
    call.replay_as(&command);
}
