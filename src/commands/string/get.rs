//! Reading whole values: GET, and what it can do to the key besides.

use super::lifetime::Lifetime;
use super::{delete, replay, reply_read};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::Key;

pub(super) fn get(call: &mut Call) -> CommandResult {
    reply_read(call, call.key(0)).map(drop)
}

pub(super) fn getdel(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    if reply_read(call, key)? {
        delete(call, key);
    }
    Ok(())
}

pub(super) fn getex(call: &mut Call) -> CommandResult {
    let (mut lifetime, mut at) = (Lifetime::Unsaid, 2);
    while at < call.args.len() {
        let taken = lifetime.take(call.args, at, "PERSIST");
        at += taken.ok_or(CommandError::Syntax)?;
    }
    let key = call.key(0);
    if !reply_read(call, key)? {
        return Ok(());
    }
    match lifetime.resolve(call)? {
        Some(at) if call.db.has_passed(at) => {
            delete(call, key);
        }
        Some(at) => expire(call, key, at),
        None if lifetime == Lifetime::Plain => persist(call, key),
        None => {}
    }
    Ok(())
}

fn expire(call: &mut Call, key: Key<'_>, at: i64) {
    call.db.set_expiry(key, Some(at));
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(at).as_bytes();
    replay(call, &[b"PEXPIREAT", key.bytes, text]);
    call.changed(key, event::generic("expire"));
}

fn persist(call: &mut Call, key: Key<'_>) {
    let expires = call
        .db
        .peek(key)
        .is_some_and(|entry| entry.expires_at().is_some());
    if expires {
        call.db.set_expiry(key, None);
        replay(call, &[b"PERSIST", key.bytes]);
        call.changed(key, event::generic("persist"));
    }
}
