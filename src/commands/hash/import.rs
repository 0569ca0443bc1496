//! HIMPORT: hashes whose fields a connection names once, for many of them.

use std::collections::HashSet;

use super::{limits, table};
use crate::engine::{
    Call, Command, CommandError, CommandResult, Group, KeySpec, event, flags::*, one_key,
};
use crate::structures::hash::{Hash, Lifetime};

/// HIMPORT PREPARE.
fn prepare(call: &mut Call) -> CommandResult {
    let (name, fields) = (call.args.at(2), call.args.from(3));
    let mut seen = HashSet::new();
    if !fields.clone().all(|field| seen.insert(field)) {
        return Err(CommandError::text("ERR duplicate field name in fieldset"));
    }
    call.session.fieldsets.prepare(name, fields);
    call.session.note_fieldsets();
    call.reply.ok();
    Ok(())
}

/// HIMPORT SET.
fn set(call: &mut Call) -> CommandResult {
    let (key, limits) = (call.key(0), limits(call.config));
    let Some(fields) = call.session.fieldsets.get(call.args.at(3)) else {
        return Err(CommandError::text("ERR no such fieldset"));
    };
    let values = call.args.from(4);
    if values.len() != fields.len() {
        let line = "ERR value count does not match the number of fields in the fieldset";
        return Err(CommandError::text(line));
    }
    let existed = call.db.peek_as::<Hash>(key)?.is_some();
    let mut hash = Hash::default();
    for (field, value) in fields.iter().zip(values.clone()) {
        hash.set(field, value, Lifetime::Endless, &limits);
    }
    // Who reads the journal knows no fieldsets.
    if call.engine.journal.is_open() {
        let pairs = fields.iter().map(|field| &**field).zip(values);
        let pairs = pairs.flat_map(|(field, value)| [field, value]);
        let replayed: Vec<&[u8]> = [&b"HSET"[..], key.bytes].into_iter().chain(pairs).collect();
        if existed {
            call.effects.replay_as(&[b"DEL", key.bytes]);
        }
        call.effects.replay_as(&replayed);
    }
    call.db.store(key, hash);
    if !existed {
        call.created(key);
    }
    call.changed(key, event::hash("hset"));
    call.reply.ok();
    Ok(())
}

/// HIMPORT DISCARD.
fn discard(call: &mut Call) -> CommandResult {
    let was_there = call.session.fieldsets.discard(call.args.at(2));
    call.session.note_fieldsets();
    call.reply.integer(i64::from(was_there));
    Ok(())
}

/// HIMPORT DISCARDALL.
fn discard_all(call: &mut Call) -> CommandResult {
    let count = call.session.fieldsets.discard_all();
    call.session.note_fieldsets();
    call.reply.count(count);
    Ok(())
}

const OVERWRITTEN: &[KeySpec] = &[one_key(2, &["OW", "update"])];
const EVERYWHERE: &[&str] = &["request_policy:all_shards"];

/// HIMPORT's commands.
pub(super) const SUBCOMMANDS: &[Command] = &[
    Command::new(
        "PREPARE",
        Group::Hash,
        "fieldset-name field [field ...]",
        prepare,
    )
    .flags(DENYOOM)
    .tips(EVERYWHERE)
    .docs(
        "8.10.0",
        "O(N*log(N)) in the number of fields",
        "Names the fields of hashes that this connection will make.",
    ),
    Command::new(
        "SET",
        Group::Hash,
        "key fieldset-name value [value ...]",
        set,
    )
    .keys(OVERWRITTEN)
    .flags(WRITE | DENYOOM)
    .docs(
        "8.10.0",
        table::EACH,
        "Makes a hash of the fields that were named, with these values.",
    ),
    Command::new("DISCARD", Group::Hash, "fieldset-name", discard)
        .tips(EVERYWHERE)
        .docs(
            "8.10.0",
            "O(N) in the number of fields",
            "Forgets the fields that were named so.",
        ),
    Command::new("DISCARDALL", Group::Hash, "", discard_all)
        .tips(EVERYWHERE)
        .docs(
            "8.10.0",
            "O(N) in the number of sets of fields",
            "Forgets all fields that this connection has named.",
        ),
];
