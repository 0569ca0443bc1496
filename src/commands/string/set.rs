//! SET, with everything that it can be told, and its older variants.

use super::compare::Condition;
use super::lifetime::{Lifetime, Unit, expiry};
use super::{delete, replay, reply_read, store};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::Expiry;
use crate::resp::args::Args;

/// What SET was told beside key and value.
struct Options<'r> {
    condition: Condition<'r>,
    lifetime: Lifetime<'r>,
    /// Whether the reply is the value before.
    returns_old: bool,
}

/// What a SET does with its key: it reads only where it is to give the value before.
pub(super) fn key_flags(args: Args<'_>) -> &'static [&'static str] {
    match (3..args.len()).any(|at| args.is(at, "GET")) {
        true => &["RW", "access", "update"],
        false => &["OW", "update"],
    }
}

impl<'r> Options<'r> {
    const NONE: Self = Self {
        condition: Condition::Always,
        lifetime: Lifetime::Unsaid,
        returns_old: false,
    };

    fn parse(args: Args<'r>) -> Result<Self, CommandError> {
        let (mut options, mut at) = (Self::NONE, 3);
        while at < args.len() {
            at += if args.is(at, "GET") {
                options.returns_old = true;
                1
            } else if let Some(taken) = options.condition.take(args, at) {
                taken
            } else {
                let taken = options.lifetime.take(args, at, "KEEPTTL");
                taken.ok_or(CommandError::Syntax)?
            };
        }
        Ok(options)
    }
}

/// SET without options is most of what servers do, and goes no detour.
pub(super) fn set(call: &mut Call) -> CommandResult {
    if call.args.len() > 3 {
        return set_with_options(call);
    }
    store(call, call.key(0), call.args.at(2), Expiry::Clear);
    call.reply.ok();
    Ok(())
}

fn set_with_options(call: &mut Call) -> CommandResult {
    let options = Options::parse(call.args)?;
    let is_set = apply(call, call.args.at(2), &options)?;
    match is_set {
        _ if options.returns_old => {}
        true => call.reply.ok(),
        false => call.reply.null(),
    }
    Ok(())
}

/// Sets the value if the condition holds; the value before is the reply where that was asked for.
fn apply(call: &mut Call, text: &[u8], options: &Options<'_>) -> Result<bool, CommandError> {
    let key = call.key(0);
    let expires_at = options.lifetime.resolve(call)?;
    if options.returns_old {
        reply_read(call, key)?;
    }
    if !options.condition.holds(call, key)? {
        return Ok(false);
    }
    if expires_at.is_some_and(|at| call.db.has_passed(at)) {
        delete(call, key);
        return Ok(true);
    }
    store(call, key, text, expiry(options.lifetime, expires_at));
    if expires_at.is_some() {
        call.tell_listeners(key, event::generic("expire"));
    }
    replay_set(call, text, options, expires_at);
    Ok(true)
}

/// A span of time is replayed as the time at which it ends, and nobody needs the value before.
fn replay_set(call: &mut Call, text: &[u8], options: &Options<'_>, expires_at: Option<i64>) {
    let key = call.key(0).bytes;
    match expires_at {
        Some(at) => {
            let at = itoa::Buffer::new().format(at).to_owned();
            replay(call, &[b"SET", key, text, b"PXAT", at.as_bytes()]);
        }
        None if !options.returns_old => {}
        None if options.lifetime == Lifetime::Plain => {
            replay(call, &[b"SET", key, text, b"KEEPTTL"])
        }
        None => replay(call, &[b"SET", key, text]),
    }
}

pub(super) fn setnx(call: &mut Call) -> CommandResult {
    let options = Options {
        condition: Condition::Missing,
        ..Options::NONE
    };
    let is_set = apply(call, call.args.at(2), &options)?;
    call.reply.integer(i64::from(is_set));
    Ok(())
}

pub(super) fn setex(call: &mut Call) -> CommandResult {
    set_for(call, Unit::Seconds)
}

pub(super) fn psetex(call: &mut Call) -> CommandResult {
    set_for(call, Unit::Milliseconds)
}

fn set_for(call: &mut Call, unit: Unit) -> CommandResult {
    let options = Options {
        lifetime: Lifetime::Until(unit, call.args.at(2)),
        ..Options::NONE
    };
    apply(call, call.args.at(3), &options)?;
    call.reply.ok();
    Ok(())
}

pub(super) fn getset(call: &mut Call) -> CommandResult {
    let options = Options {
        returns_old: true,
        ..Options::NONE
    };
    apply(call, call.args.at(2), &options)?;
    Ok(())
}
