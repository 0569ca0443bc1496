//! Counters: INCR and its kin on integers, INCRBYFLOAT on the long floats of Redis.

use super::replay;
use crate::base::extended::Extended;
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::{Expiry, Key, Value, ValueMut, ValueRef};

pub(super) fn incr(call: &mut Call) -> CommandResult {
    add(call, 1)
}

pub(super) fn decr(call: &mut Call) -> CommandResult {
    add(call, -1)
}

pub(super) fn incrby(call: &mut Call) -> CommandResult {
    let increment = call.integer(2)?;
    add(call, increment)
}

pub(super) fn decrby(call: &mut Call) -> CommandResult {
    let increment = call.integer(2)?.checked_neg();
    add(
        call,
        increment.ok_or_else(|| CommandError::text("ERR decrement would overflow"))?,
    )
}

/// Adds to the integer under a key, in place where it is stored as one.
#[inline]
fn add(call: &mut Call, increment: i64) -> CommandResult {
    let key = call.key(0);
    let value = match call.db.change(key).map(|entry| entry.value()) {
        Some(ValueMut::Int(number)) => {
            *number = sum(*number, increment)?;
            *number
        }
        Some(other) => {
            let value = sum(integer_of(&other)?, increment)?;
            call.db.set(key, Value::Int(value), Expiry::Keep);
            value
        }
        None => {
            call.db.add(key, Value::Int(increment), Expiry::Clear);
            call.created(key);
            increment
        }
    };
    call.changed(key, event::string("incrby"));
    call.reply.integer(value);
    Ok(())
}

fn sum(value: i64, increment: i64) -> Result<i64, CommandError> {
    value.checked_add(increment).ok_or(CommandError::Overflow)
}

/// The integer that a string spells though it is not stored as one.
fn integer_of(value: &ValueMut<'_>) -> Result<i64, CommandError> {
    match value {
        ValueMut::Int(number) => Ok(**number),
        ValueMut::Inline(text) => parse_i64(text).ok_or(CommandError::NotInteger),
        ValueMut::Object(object) if object.view().as_string().is_some() => {
            Err(CommandError::NotInteger)
        }
        ValueMut::Object(_) | ValueMut::Small => Err(CommandError::WrongType),
    }
}

/// The result is replayed, not the sum: its digits may not depend on who calculates.
pub(super) fn incrbyfloat(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let value = float_under(call, key)?.unwrap_or(Extended::ZERO);
    let increment = Extended::parse(call.args.at(2)).ok_or(CommandError::NotFloat)?;
    let sum = value.plus(increment).ok_or(CommandError::NotFinite)?;
    let mut text = Vec::with_capacity(40);
    sum.print(&mut text);
    // Not stored as an integer even if it is one: Redis does not either, and tells so by its encoding.
    if call.db.set(key, Value::Str(&text), Expiry::Keep) {
        call.created(key);
    }
    call.changed(key, event::string("incrbyfloat"));
    replay(call, &[b"SET", key.bytes, &text, b"KEEPTTL"]);
    call.reply.bulk(&text);
    Ok(())
}

/// The integer under a key, if there is one; the key counts as used.
pub(super) fn integer_under(call: &mut Call, key: Key<'_>) -> Result<Option<i64>, CommandError> {
    let value = call.db.change(key).map(|entry| entry.value());
    value.as_ref().map(integer_of).transpose()
}

/// The float under a key, if there is one; the key counts as used.
pub(super) fn float_under(call: &mut Call, key: Key<'_>) -> Result<Option<Extended>, CommandError> {
    let Some(entry) = call.db.change(key) else {
        return Ok(None);
    };
    let value = match entry.view().value() {
        ValueRef::Int(number) => Some(Extended::from_integer(number)),
        ValueRef::Inline(text) => Extended::parse(text),
        // A number with so many digits is none for Redis.
        ValueRef::Object(object) if object.as_string().is_some() => None,
        ValueRef::Object(_) => return Err(CommandError::WrongType),
    };
    value.map(Some).ok_or(CommandError::NotFloat)
}
