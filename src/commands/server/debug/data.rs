//! DEBUG POPULATE and LOADAOF: data made, and read anew.

use super::super::snapshot::wait_for;
use crate::engine::{Call, CommandError, CommandResult};
use crate::keyspace::{Expiry, Key, Value};

/// A count that must not be negative.
fn count(call: &Call, at: usize) -> Result<usize, CommandError> {
    let number = call.integer(at).ok();
    number
        .and_then(|number| usize::try_from(number).ok())
        .ok_or(CommandError::NotPositive)
}

/// POPULATE. Keys that exist stay as they are. Nothing is journaled.
pub(super) fn populate(call: &mut Call) -> CommandResult {
    let keys = count(call, 2)?;
    let prefix = call.args.get(3).unwrap_or(b"key");
    let size = match call.args.len() {
        5 => count(call, 4)?,
        _ => 0,
    };
    if size > call.config.proto_max_bulk_len {
        return Err(CommandError::TooLong);
    }
    for number in 0..keys {
        let key = [prefix, format!(":{number}").as_bytes()].concat();
        let key = Key::new(&key);
        if call.db.peek(key).is_some() {
            continue;
        }
        let mut text = format!("value:{number}").into_bytes();
        if size > 0 {
            text.resize(size, 0);
        }
        call.db.set(key, Value::Str(&text), Expiry::Clear);
        call.touched(key);
    }
    call.reply.ok();
    Ok(())
}

/// LOADAOF.
pub(super) fn load_aof(call: &mut Call) -> CommandResult {
    const FAILED: &str = "ERR Error trying to load the AOF files, check server logs.";
    wait_for(call, "DEBUG LOADAOF", FAILED, |hooks, engine| {
        hooks.reload_aof(engine)
    })
}
