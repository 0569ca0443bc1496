//! EXISTS, TYPE, TOUCH, RANDOMKEY, DBSIZE: what is there.

use crate::engine::{Call, CommandResult};

pub(super) fn exists(call: &mut Call) -> CommandResult {
    let found = call.all_keys().filter(|&key| call.look(key).is_some());
    let found = found.count();
    call.reply.count(found);
    Ok(())
}

pub(super) fn type_of(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let name = call.look(key).map_or("none", |entry| entry.type_name());
    call.reply.simple(name);
    Ok(())
}

/// Marks keys as used even for a client that otherwise leaves no trace (CLIENT NO-TOUCH).
pub(super) fn touch(call: &mut Call) -> CommandResult {
    let mut found = 0;
    for key in call.all_keys() {
        if call.look(key).is_some() {
            call.db.meet(key);
            found += 1;
        }
    }
    call.reply.count(found);
    Ok(())
}

pub(super) fn random_key(call: &mut Call) -> CommandResult {
    let (database, now) = (call.db.index(), call.db.now());
    match call.db.scope().random_key(database, now) {
        Some(key) => call.reply.bulk(&key),
        None => call.reply.null(),
    }
    Ok(())
}

/// Counts keys past their time, too, until they are removed.
pub(super) fn size(call: &mut Call) -> CommandResult {
    call.reply.count(call.engine.keyspace.len(call.db.index()));
    Ok(())
}
