//! What chance decides: SPOP and SRANDMEMBER.

use hashbrown::HashSet;

use super::{delete_emptied, limits, reply_item};
use crate::base::numbers::parse_i64;
use crate::commands::chance::{self, MOST_REPEATS, PICK_BELOW};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::Key;
use crate::structures::listpack::Item;
use crate::structures::set::{Set, View};

/// Members removed by one command in the journal.
const BATCH: usize = 1024;
/// When so many times more members go than stay, the set that stays is made anew.
const REMAKE_BELOW: usize = 5;

pub(super) fn spop(call: &mut Call) -> CommandResult {
    match call.args.len() {
        2 => pop_one(call),
        3 => pop_several(call),
        _ => Err(CommandError::Syntax),
    }
}

fn pop_one(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let Some(mut set) = call.db.change_as::<Set>(key)? else {
        call.reply.null();
        return Ok(());
    };
    let (member, is_empty) = (pop(&mut set), set.is_empty());
    drop(set);
    call.changed(key, event::set("spop"));
    call.replay_as(&[b"SREM", key.bytes, &member]);
    if is_empty {
        delete_emptied(call, key);
    }
    call.reply.bulk(&member);
    Ok(())
}

/// Takes out a member chosen at random.
fn pop(set: &mut Set) -> Vec<u8> {
    let Some(item) = set.random() else {
        return Vec::new();
    };
    let member = item.as_bytes(&mut itoa::Buffer::new()).to_vec();
    set.remove(&member);
    member
}

fn pop_several(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let count = parse_i64(call.args.at(2)).and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(CommandError::NotPositive)?;
    let limits = limits(call.config);
    let Some(mut set) = call.db.change_as::<Set>(key)? else {
        call.reply.set(0);
        return Ok(());
    };
    if count == 0 {
        call.reply.set(0);
        return Ok(());
    }
    let len = set.len();
    if count >= len {
        drop(set);
        return pop_all(call, key);
    }
    let members: Vec<Vec<u8>> = (0..count).map(|_| pop(&mut set)).collect();
    if (len - count).saturating_mul(REMAKE_BELOW) <= count {
        set.settle(&limits);
    }
    drop(set);
    call.elements_changed(key, event::set("spop"), count);
    for batch in members.chunks(BATCH) {
        let mut args: Vec<&[u8]> = vec![b"SREM", key.bytes];
        args.extend(batch.iter().map(Vec::as_slice));
        call.replay_as(&args);
    }
    call.reply.set(members.len());
    members.iter().for_each(|member| call.reply.bulk(member));
    Ok(())
}

fn pop_all(call: &mut Call, key: Key<'_>) -> CommandResult {
    let Some(set) = call.db.peek_as::<Set>(key)? else {
        return Ok(());
    };
    let len = set.len();
    call.reply.set(len);
    set.iter().for_each(|item| reply_item(call.reply, item));
    call.elements_changed(key, event::set("spop"), len);
    call.replay_as(&[b"DEL", key.bytes]);
    delete_emptied(call, key);
    Ok(())
}

pub(super) fn srandmember(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let count = match call.args.len() {
        2 => None,
        3 => Some(chance::count(call.args.at(2))?),
        _ => return Err(CommandError::Syntax),
    };
    call.note_miss(key);
    let set = call.db.read_as::<Set>(key)?;
    match (set, count) {
        (None, None) => call.reply.null(),
        (None, Some(_)) => call.reply.array(0),
        (Some(set), None) => {
            if let Some(item) = set.random() {
                reply_item(call.reply, item);
            }
        }
        (Some(_), Some(count)) if count < 0 && count.unsigned_abs() > MOST_REPEATS => {
            return Err(CommandError::OutOfRange);
        }
        (Some(set), Some(count)) if count < 0 => {
            call.reply.array(count.unsigned_abs() as usize);
            for item in (0..count.unsigned_abs()).filter_map(|_| set.random()) {
                reply_item(call.reply, item);
            }
        }
        (Some(set), Some(count)) => {
            let chosen = choose(set, count.unsigned_abs() as usize);
            call.reply.array(chosen.len());
            for item in chosen {
                reply_item(call.reply, item);
            }
        }
    }
    Ok(())
}

/// So many different members, or all.
fn choose(set: View<'_>, count: usize) -> Vec<Item<'_>> {
    let len = set.len();
    if count >= len {
        return set.iter().collect();
    }
    if count.saturating_mul(PICK_BELOW) < len && matches!(set, View::Table(_)) {
        return pick(set, count);
    }
    chance::some_of(set.iter(), len, count).collect()
}

fn pick(set: View<'_>, count: usize) -> Vec<Item<'_>> {
    let mut known = HashSet::with_hasher(foldhash::fast::RandomState::default());
    let mut chosen = Vec::with_capacity(count);
    while chosen.len() < count {
        match set.random() {
            Some(Item::Str(text)) => {
                if known.insert(text) {
                    chosen.push(Item::Str(text));
                }
            }
            _ => break,
        }
    }
    chosen
}
