//! Several strings at once: MGET, MSET, MSETNX, MSETEX.

use super::compare::Condition;
use super::lifetime::{Lifetime, expiry};
use super::{replay, reply_text, store};
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::Expiry;

pub(super) fn mget(call: &mut Call) -> CommandResult {
    let keys = call.all_keys();
    call.reply.array(keys.len());
    for key in keys {
        call.note_miss(key);
        let found = call.db.read(key).map(|entry| entry.value());
        // Whatever is not a string counts as missing here.
        if found.is_none_or(|value| reply_text(call.reply, value).is_err()) {
            call.reply.null();
        }
    }
    Ok(())
}

pub(super) fn mset(call: &mut Call) -> CommandResult {
    check_pairs(call)?;
    store_pairs(call, 2, Expiry::Clear);
    call.reply.ok();
    Ok(())
}

pub(super) fn msetnx(call: &mut Call) -> CommandResult {
    check_pairs(call)?;
    let is_free = all_keys_are(call, Condition::Missing)?;
    if is_free {
        store_pairs(call, 2, Expiry::Clear);
    }
    call.reply.integer(i64::from(is_free));
    Ok(())
}

fn check_pairs(call: &Call) -> CommandResult {
    if call.args.len().is_multiple_of(2) {
        return Err(CommandError::arity(&call.spec.name));
    }
    Ok(())
}

/// Stores every key's value, which stands behind it, the first one at `first`.
fn store_pairs(call: &mut Call, first: usize, expiry: Expiry) {
    for (n, key) in call.all_keys().enumerate() {
        store(call, key, call.args.at(first + 2 * n), expiry);
        if matches!(expiry, Expiry::At(_)) {
            call.tell_listeners(key, event::generic("expire"));
        }
    }
}

fn all_keys_are(call: &mut Call, condition: Condition<'_>) -> Result<bool, CommandError> {
    for key in call.all_keys() {
        if !condition.holds(call, key)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn msetex(call: &mut Call) -> CommandResult {
    let mut at = check_count(call)?;
    let (mut condition, mut lifetime) = (Condition::Always, Lifetime::Unsaid);
    while at < call.args.len() {
        let taken = condition
            .take(call.args, at)
            .or_else(|| lifetime.take(call.args, at, "KEEPTTL"));
        at += taken.ok_or(CommandError::Syntax)?;
    }
    if !matches!(
        condition,
        Condition::Always | Condition::Missing | Condition::Present
    ) {
        return Err(CommandError::Syntax);
    }
    let expires_at = lifetime.resolve(call)?;
    if !all_keys_are(call, condition)? {
        call.reply.integer(0);
        return Ok(());
    }
    match expires_at {
        Some(at) if call.db.has_passed(at) => delete_all(call),
        _ => store_pairs(call, 3, expiry(lifetime, expires_at)),
    }
    if let Some(at) = expires_at.filter(|at| !call.db.has_passed(*at)) {
        replay_msetex(call, at);
    }
    call.reply.integer(1);
    Ok(())
}

/// Where the options begin, if there are as many pairs as the command says.
fn check_count(call: &Call) -> Result<usize, CommandError> {
    let pairs =
        parse_i64(call.args.at(1)).filter(|pairs| (1..=i64::from(i32::MAX)).contains(pairs));
    let pairs = pairs.ok_or_else(|| CommandError::text("ERR invalid numkeys value"))? as usize;
    match 2 + pairs * 2 {
        end if end <= call.args.len() => Ok(end),
        _ => Err(CommandError::text("ERR wrong number of key-value pairs")),
    }
}

/// Values that would be past their time at once take their keys with them.
fn delete_all(call: &mut Call) {
    for key in call.all_keys() {
        super::delete(call, key);
    }
}

fn replay_msetex(call: &mut Call, expires_at: i64) {
    let args = call.args;
    let pairs = args.from(1).take(1 + 2 * call.keys.len());
    let expires_at = expires_at.to_string();
    let mut replayed: Vec<&[u8]> = vec![b"MSETEX"];
    replayed.extend(pairs);
    replayed.extend([&b"PXAT"[..], expires_at.as_bytes()]);
    replay(call, &replayed);
}
