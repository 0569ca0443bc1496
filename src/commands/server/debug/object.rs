//! DEBUG OBJECT, HTSTATS and HTSTATS-KEY: what is known of one value or table.

use crate::engine::{Call, CommandError, CommandResult};
use crate::keyspace::{Key, ValueRef};
use crate::persistence::rdb;
use crate::structures::Object;
use crate::structures::hash::Hash;
use crate::structures::set::Set;

/// OBJECT.
pub(super) fn describe(call: &mut Call) -> CommandResult {
    let (clock, packs) = (call.db.access_clock(), call.config.rdbcompression);
    // A key that is past its time is there until somebody meets it.
    let mut db = call.db.with_expired();
    let entry = db
        .peek(Key::new(call.args.at(2)))
        .ok_or(CommandError::NoSuchKey)?;
    let line = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
        entry.key().as_ptr(),
        entry.encoding(),
        rdb::length(entry.value(), packs),
        entry.access(),
        clock.idle_seconds(entry.access())
    );
    call.reply.simple(&line);
    Ok(())
}

/// HTSTATS.
pub(super) fn database_table(call: &mut Call) -> CommandResult {
    let number = call.integer(2)?;
    let databases = call.engine.keyspace.databases();
    let database = usize::try_from(number).ok().filter(|&n| n < databases);
    let Some(database) = database else {
        return Err(CommandError::text("ERR Out of range database"));
    };
    let now = call.db.now();
    let scope = call.db.scope();
    let slots = scope.table_bytes(database) / size_of::<u64>();
    let (expiring, _) = scope.expiring(database, now);
    let keys = scope.keyspace().len(database);
    let text = format!(
        "[Dictionary HT]\n{}[Expires HT]\n{}",
        figures(slots, keys),
        // Expiries are in the same table.
        figures(slots.min(expiring), expiring)
    );
    call.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn figures(slots: usize, elements: usize) -> String {
    if elements == 0 {
        return "No stats available for empty dictionaries\n".into();
    }
    format!(
        "Hash table 0 stats (main hash table):\n table size: {slots}\n number of elements: {elements}\n"
    )
}

/// HTSTATS-KEY.
pub(super) fn value_table(call: &mut Call) -> CommandResult {
    // A key that is past its time is there until somebody meets it.
    let mut db = call.db.with_expired();
    let entry = db
        .peek(Key::new(call.args.at(2)))
        .ok_or(CommandError::NoSuchKey)?;
    let table = match entry.value() {
        ValueRef::Object(Object::Set(Set::Table(table))) => Some((table.buckets(), table.len())),
        ValueRef::Object(Object::Hash(Hash::Table(table))) => Some((table.buckets(), table.len())),
        _ => None,
    };
    let Some((buckets, elements)) = table else {
        return Err(CommandError::text(
            "ERR The value stored at the specified key is not represented using an hash table",
        ));
    };
    let slots = buckets / size_of::<u64>();
    call.reply
        .verbatim("txt", figures(slots, elements).as_bytes());
    Ok(())
}
