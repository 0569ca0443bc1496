//! Strings.

use crate::engine::{
    Call, Command, CommandError, CommandResult, Group, event, flags::*, key_pairs, one_key,
};
use crate::keyspace::{Expiry, Value, ValueRef};
use crate::structures::Object;

fn get(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let Some(entry) = call.db.read(key) else {
        call.reply.null();
        return Ok(());
    };
    match entry.value() {
        ValueRef::Inline(text) => call.reply.bulk(text),
        ValueRef::Int(number) => call.reply.bulk_integer(number),
        ValueRef::Object(Object::Bytes(bytes)) => call.reply.bulk_shared(bytes),
    }
    Ok(())
}

fn set(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.db
        .set(key, Value::of_string(call.args.at(2)), Expiry::Clear);
    call.changed(key, event::string("set"));
    call.reply.ok();
    Ok(())
}

fn mset(call: &mut Call) -> CommandResult {
    for (n, key) in call.all_keys().enumerate() {
        call.db.set(
            key,
            Value::of_string(call.args.at(2 + 2 * n)),
            Expiry::Clear,
        );
        call.changed(key, event::string("set"));
    }
    call.reply.ok();
    Ok(())
}

fn incr(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    use crate::keyspace::ValueMut;
    let value = match call.db.change(key).map(|entry| entry.value()) {
        Some(ValueMut::Int(number)) => {
            *number = number.checked_add(1).ok_or(CommandError::Overflow)?;
            *number
        }
        Some(_) => return Err(CommandError::NotInteger),
        None => {
            call.db.set(key, Value::Int(1), Expiry::Clear);
            1
        }
    };
    call.changed(key, event::string("incrby"));
    call.reply.integer(value);
    Ok(())
}

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new("GET", Group::String, "key", get)
        .keys(&[one_key(1, &["RO", "access"])])
        .flags(READONLY | FAST),
    Command::new("SET", Group::String, "key value [NX]", set)
        .keys(&[one_key(1, &["RW", "access", "update"])])
        .flags(WRITE | DENYOOM),
    Command::new("INCR", Group::String, "key", incr)
        .keys(&[one_key(1, &["RW", "access", "update"])])
        .flags(WRITE | DENYOOM | FAST),
    Command::new("MSET", Group::String, "key value [key value ...]", mset)
        .keys(&[key_pairs(1, &["OW", "update"])])
        .flags(WRITE | DENYOOM),
];
