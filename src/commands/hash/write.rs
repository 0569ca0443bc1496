//! HSET, HMSET, HSETNX, HDEL.

use super::{delete_emptied, limits, prepare};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::structures::hash::{Hash, Lifetime, Seen};

pub(super) fn hset(call: &mut Call) -> CommandResult {
    let added = set_pairs(call)?;
    call.reply.count(added);
    Ok(())
}

pub(super) fn hmset(call: &mut Call) -> CommandResult {
    set_pairs(call)?;
    call.reply.ok();
    Ok(())
}

/// Sets all fields; gives how many are new.
fn set_pairs(call: &mut Call) -> Result<usize, CommandError> {
    let (key, args, limits) = (call.key(0), call.args, limits(call.config));
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::arity(&call.spec.name));
    }
    prepare(call, key);
    let set_all = |hash: &mut Hash| {
        hash.expect(args.from(2), &limits);
        let mut added = 0;
        for at in (2..args.len()).step_by(2) {
            let (name, value) = (args.at(at), args.at(at + 1));
            added += usize::from(hash.set(name, value, Lifetime::Endless, &limits));
        }
        added
    };
    let added = if let Some(mut hash) = call.db.change_as::<Hash>(key)? {
        set_all(&mut hash)
    } else {
        let mut hash = Hash::default();
        let added = set_all(&mut hash);
        call.db.store(key, hash);
        call.created(key);
        added
    };
    call.elements_changed(key, event::hash("hset"), args.len() / 2 - 1);
    Ok(added)
}

pub(super) fn hsetnx(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    prepare(call, key);
    let hash = call.db.peek_as::<Hash>(key)?;
    if hash.is_some_and(|hash| hash.get(call.args.at(2), Seen::ALL).is_some()) {
        call.reply.integer(0);
        return Ok(());
    }
    let added = set_pairs(call)?;
    call.reply.count(added);
    Ok(())
}

pub(super) fn hdel(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    prepare(call, key);
    let (mut removed, mut is_empty) = (0, false);
    if let Some(mut hash) = call.db.change_as::<Hash>(key)? {
        for name in call.args.from(2) {
            removed += usize::from(hash.remove(name));
            if hash.is_empty() {
                is_empty = true;
                break;
            }
        }
    }
    if removed > 0 {
        call.elements_changed(key, event::hash("hdel"), removed);
    }
    if is_empty {
        delete_emptied(call, key);
    }
    call.reply.count(removed);
    Ok(())
}
