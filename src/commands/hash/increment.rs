//! HINCRBY on integers, HINCRBYFLOAT on the long floats of Redis.

use super::{limits, prepare};
use crate::base::extended::Extended;
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::structures::hash::{Hash, Lifetime, Seen};
use crate::structures::listpack::Item;

pub(super) fn hincrby(call: &mut Call) -> CommandResult {
    let increment = call.integer(3)?;
    let key = call.key(0);
    prepare(call, key);
    let known = call.db.peek_as::<Hash>(key)?;
    let value = match known.and_then(|hash| hash.get(call.args.at(2), Seen::ALL)) {
        None => Some(0),
        Some(Item::Int(value)) => Some(value),
        Some(Item::Str(text)) => parse_i64(text),
    };
    let value = value.ok_or_else(|| CommandError::text("ERR hash value is not an integer"))?;
    let sum = value.checked_add(increment).ok_or(CommandError::Overflow)?;
    put(call, itoa::Buffer::new().format(sum).as_bytes())?;
    call.changed(key, event::hash("hincrby"));
    call.reply.integer(sum);
    Ok(())
}

/// Stores a sum; the field goes when it went before.
fn put(call: &mut Call, value: &[u8]) -> CommandResult {
    let (key, name, limits) = (call.key(0), call.args.at(2), limits(call.config));
    if let Some(mut hash) = call.db.change_as::<Hash>(key)? {
        hash.set(name, value, Lifetime::Keep, &limits);
    } else {
        let mut hash = Hash::default();
        hash.set(name, value, Lifetime::Keep, &limits);
        call.db.store(key, hash);
        call.created(key);
    }
    Ok(())
}

/// The result is replayed, not the sum: its digits may not depend on who calculates.
pub(super) fn hincrbyfloat(call: &mut Call) -> CommandResult {
    let increment = Extended::parse(call.args.at(3)).ok_or(CommandError::NotFloat)?;
    if increment.is_infinite() {
        return Err(CommandError::text("ERR value is NaN or Infinity"));
    }
    let (key, name) = (call.key(0), call.args.at(2));
    prepare(call, key);
    let known = call.db.peek_as::<Hash>(key)?;
    let value = match known.and_then(|hash| hash.get(name, Seen::ALL)) {
        None => Some(Extended::ZERO),
        Some(Item::Int(value)) => Some(Extended::from_integer(value)),
        Some(Item::Str(text)) => Extended::parse(text),
    };
    let keeps = known.is_some_and(|hash| hash.expiry(name, Seen::ALL).flatten().is_some());
    let value = value.ok_or_else(|| CommandError::text("ERR hash value is not a float"))?;
    let sum = value.plus(increment).ok_or(CommandError::NotFinite)?;
    let mut text = Vec::with_capacity(40);
    sum.print(&mut text);
    put(call, &text)?;
    call.changed(key, event::hash("hincrbyfloat"));
    if keeps {
        call.replay_as(&[
            b"HSETEX", key.bytes, b"KEEPTTL", b"FIELDS", b"1", name, &text,
        ]);
    } else {
        call.replay_as(&[b"HSET", key.bytes, name, &text]);
    }
    call.reply.bulk(&text);
    Ok(())
}
