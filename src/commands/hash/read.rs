//! HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HSTRLEN, HEXISTS, HSCAN.

use super::{reply_found, reply_item, seen};
use crate::commands::element_scan::{self, Bare, ElementScan};
use crate::engine::{Call, CommandResult};
use crate::structures::hash::Hash;

pub(super) fn hget(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let seen = seen(call, key);
    let hash = call.db.read_as::<Hash>(key)?;
    reply_found(
        call.reply,
        hash.and_then(|hash| hash.get(call.args.at(2), seen)),
    );
    Ok(())
}

pub(super) fn hmget(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let seen = seen(call, key);
    let hash = call.db.read_as::<Hash>(key)?;
    let names = call.args.from(2);
    call.reply.array(names.len());
    for name in names {
        reply_found(call.reply, hash.and_then(|hash| hash.get(name, seen)));
    }
    Ok(())
}

/// What of each field is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Name,
    Value,
    Both,
}

pub(super) fn hgetall(call: &mut Call) -> CommandResult {
    give_all(call, Part::Both)
}

pub(super) fn hkeys(call: &mut Call) -> CommandResult {
    give_all(call, Part::Name)
}

pub(super) fn hvals(call: &mut Call) -> CommandResult {
    give_all(call, Part::Value)
}

fn give_all(call: &mut Call, part: Part) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let seen = seen(call, key);
    let hash = call.db.read_as::<Hash>(key)?;
    let len = hash.map_or(0, |hash| hash.len(seen));
    match part {
        Part::Both => call.reply.map(len),
        Part::Name | Part::Value => call.reply.array(len),
    }
    let Some(hash) = hash else { return Ok(()) };
    hash.iter(seen).for_each(|field| {
        if part != Part::Value {
            reply_item(call.reply, field.name);
        }
        if part != Part::Name {
            reply_item(call.reply, field.value);
        }
    });
    Ok(())
}

pub(super) fn hlen(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let seen = seen(call, key);
    let len = call
        .db
        .read_as::<Hash>(key)?
        .map_or(0, |hash| hash.len(seen));
    call.reply.count(len);
    Ok(())
}

pub(super) fn hstrlen(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let seen = seen(call, key);
    let hash = call.db.read_as::<Hash>(key)?;
    let value = hash.and_then(|hash| hash.get(call.args.at(2), seen));
    call.reply.count(value.map_or(0, |value| value.len()));
    Ok(())
}

pub(super) fn hexists(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let seen = seen(call, key);
    let hash = call.db.read_as::<Hash>(key)?;
    let exists = hash.is_some_and(|hash| hash.get(call.args.at(2), seen).is_some());
    call.reply.integer(i64::from(exists));
    Ok(())
}

pub(super) fn hscan(call: &mut Call) -> CommandResult {
    let position = element_scan::position(call.args)?;
    let key = call.key(0);
    call.note_miss(key);
    let seen = seen(call, key);
    let Some(hash) = call.db.read_as::<Hash>(key)? else {
        element_scan::reply_head(call.reply, 0, 0);
        return Ok(());
    };
    let scan = ElementScan::parse(call.args, Some(Bare::Values))?;
    let mut found = Vec::new();
    let cursor = scan.walk(position, |at| {
        let mut looked_at = 0;
        let next = hash.scan(at, seen, |field| {
            looked_at += 1;
            if scan.wants(field.name.as_bytes(&mut itoa::Buffer::new())) {
                found.push(field);
            }
        });
        (next, looked_at)
    });
    let width = if scan.is_bare { 1 } else { 2 };
    element_scan::reply_head(call.reply, cursor, found.len() * width);
    for field in found {
        reply_item(call.reply, field.name);
        if !scan.is_bare {
            reply_item(call.reply, field.value);
        }
    }
    Ok(())
}
