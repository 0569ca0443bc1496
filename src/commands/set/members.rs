//! One set: SADD, SREM, SISMEMBER, SMISMEMBER, SCARD, SMOVE, SSCAN.

use super::{delete_emptied, limits, reply_item};
use crate::commands::element_scan::{self, ElementScan};
use crate::engine::{Call, CommandResult, event};
use crate::structures::set::Set;

pub(super) fn sadd(call: &mut Call) -> CommandResult {
    let (key, limits) = (call.key(0), limits(call.config));
    let mut members = call.args.from(2);
    let count = members.len();
    let added = if let Some(mut set) = call.db.change_as::<Set>(key)? {
        set.expect(count, &limits);
        members.filter(|member| set.add(member, &limits)).count()
    } else {
        let mut set = Set::for_members(call.args.at(2), count, &limits);
        let added = (members.by_ref())
            .filter(|member| set.add(member, &limits))
            .count();
        call.db.store(key, set);
        call.created(key);
        added
    };
    if added > 0 {
        call.elements_changed(key, event::set("sadd"), added);
    }
    call.reply.count(added);
    Ok(())
}

pub(super) fn srem(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let (mut removed, mut is_empty) = (0, false);
    if let Some(mut set) = call.db.change_as::<Set>(key)? {
        for member in call.args.from(2) {
            removed += usize::from(set.remove(member));
            if set.is_empty() {
                is_empty = true;
                break;
            }
        }
    }
    if removed > 0 {
        call.elements_changed(key, event::set("srem"), removed);
    }
    if is_empty {
        delete_emptied(call, key);
    }
    call.reply.count(removed);
    Ok(())
}

pub(super) fn smove(call: &mut Call) -> CommandResult {
    let (source, destination, member) = (call.key(0), call.key(1), call.args.at(3));
    if call.db.peek(source).is_none() {
        call.reply.integer(0);
        return Ok(());
    }
    call.db.peek_as::<Set>(source)?;
    call.db.peek_as::<Set>(destination)?;
    let is_same = source == destination;
    let is_member = match call.db.change_as::<Set>(source)? {
        Some(set) if is_same => set.contains(member),
        Some(mut set) => set.remove(member),
        None => false,
    };
    if is_member && !is_same {
        call.changed(source, event::set("srem"));
        if call
            .db
            .peek_as::<Set>(source)?
            .is_some_and(|set| set.is_empty())
        {
            delete_emptied(call, source);
        }
        add_moved(call)?;
    }
    call.reply.integer(i64::from(is_member));
    Ok(())
}

/// SMOVE's second half.
fn add_moved(call: &mut Call) -> CommandResult {
    let (destination, member, limits) = (call.key(1), call.args.at(3), limits(call.config));
    let is_new = if let Some(mut set) = call.db.change_as::<Set>(destination)? {
        set.add(member, &limits)
    } else {
        let mut set = Set::for_members(member, 1, &limits);
        set.add(member, &limits);
        call.db.store(destination, set);
        call.created(destination);
        true
    };
    if is_new {
        call.changed(destination, event::set("sadd"));
    }
    Ok(())
}

pub(super) fn sismember(call: &mut Call) -> CommandResult {
    let (key, member) = (call.key(0), call.args.at(2));
    call.note_miss(key);
    let set = call.db.read_as::<Set>(key)?;
    let is_member = set.is_some_and(|set| set.contains(member));
    call.reply.integer(i64::from(is_member));
    Ok(())
}

pub(super) fn smismember(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let set = call.db.read_as::<Set>(key)?;
    let members = call.args.from(2);
    call.reply.array(members.len());
    for member in members {
        let is_member = set.is_some_and(|set| set.contains(member));
        call.reply.integer(i64::from(is_member));
    }
    Ok(())
}

pub(super) fn scard(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let len = call.db.read_as::<Set>(key)?.map_or(0, |set| set.len());
    call.reply.count(len);
    Ok(())
}

pub(super) fn sscan(call: &mut Call) -> CommandResult {
    let position = element_scan::position(call.args)?;
    let key = call.key(0);
    call.note_miss(key);
    let Some(set) = call.db.read_as::<Set>(key)? else {
        element_scan::reply_head(call.reply, 0, 0);
        return Ok(());
    };
    let scan = ElementScan::parse(call.args, None)?;
    let mut found = Vec::new();
    let cursor = scan.walk(position, |at| {
        let mut seen = 0;
        let next = set.scan(at, |member| {
            seen += 1;
            if scan.wants(member.as_bytes(&mut itoa::Buffer::new())) {
                found.push(member);
            }
        });
        (next, seen)
    });
    element_scan::reply_head(call.reply, cursor, found.len());
    found
        .into_iter()
        .for_each(|item| reply_item(call.reply, item));
    Ok(())
}
