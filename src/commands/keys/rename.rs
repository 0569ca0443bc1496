//! RENAME, RENAMENX, MOVE, COPY: a value under another name or in another database.

use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::{Key, Taken};

pub(super) fn rename(call: &mut Call) -> CommandResult {
    rename_over(call, Existing::Replace)?;
    call.reply.ok();
    Ok(())
}

pub(super) fn rename_unless_exists(call: &mut Call) -> CommandResult {
    let is_renamed = rename_over(call, Existing::Keep)?;
    call.reply.count(usize::from(is_renamed));
    Ok(())
}

/// What happens to a key that has the wanted name already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Replace,
    Keep,
}

fn rename_over(call: &mut Call, existing: Existing) -> Result<bool, CommandError> {
    let (from, to) = (call.key(0), call.key(1));
    if call.db.meet(from).is_none() {
        return Err(CommandError::NoSuchKey);
    }
    if from == to || (existing == Existing::Keep && call.db.peek(to).is_some()) {
        return Ok(false);
    }
    if let Some(entry) = call.db.take(from) {
        let database = call.db.index();
        put(call, database, to, entry);
        call.elements_changed(from, event::generic("rename_from"), 0);
        call.changed(to, event::generic("rename_to"));
    }
    Ok(true)
}

/// Puts an entry under a key of a database, which is a new key even where one is replaced.
fn put(call: &mut Call, database: usize, key: Key<'_>, entry: Taken) {
    if let Some(old) = call.db.at(database).put(key, entry) {
        call.engine.reclaimer.free(old);
    }
    call.tell(database, key, event::NEW);
}

pub(super) fn move_key(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let (from, to) = (call.db.index(), database(call, 2)?);
    if from == to {
        return Err(CommandError::SameObject);
    }
    let may_move = call.db.meet(key).is_some() && call.db.at(to).peek(key).is_none();
    let entry = if may_move { call.db.take(key) } else { None };
    call.reply.count(usize::from(entry.is_some()));
    if let Some(entry) = entry {
        put(call, to, key, entry);
        call.elements_changed(key, event::generic("move_from"), 0);
        call.changed_in(to, key, event::generic("move_to"));
    }
    Ok(())
}

pub(super) fn copy(call: &mut Call) -> CommandResult {
    let (source, target) = (call.key(0), call.key(1));
    let (database, existing) = copy_options(call)?;
    if database == call.db.index() && source == target {
        return Err(CommandError::SameObject);
    }
    let is_there = call.read(source).is_some();
    let is_taken = call.db.at(database).peek(target).is_some();
    if !is_there || (is_taken && existing == Existing::Keep) {
        call.reply.integer(0);
        return Ok(());
    }
    let access = call.db.access_clock().fresh();
    let copy = call
        .db
        .peek(source)
        .map(|entry| entry.copied(target.bytes, access));
    if let Some(copy) = copy {
        put(call, database, target, copy.into());
        call.changed_in(database, target, event::generic("copy_to"));
    }
    call.reply.integer(1);
    Ok(())
}

fn copy_options(call: &Call) -> Result<(usize, Existing), CommandError> {
    let (mut to, mut existing) = (call.db.index(), Existing::Keep);
    let mut at = 3;
    while at < call.args.len() {
        if call.args.is(at, "REPLACE") {
            existing = Existing::Replace;
            at += 1;
        } else if call.args.is(at, "DB") && at + 1 < call.args.len() {
            to = database(call, at + 1)?;
            at += 2;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok((to, existing))
}

/// An argument that is the number of a database.
fn database(call: &Call, at: usize) -> Result<usize, CommandError> {
    let number = call.integer(at)?;
    if i32::try_from(number).is_err() {
        let text = format!(
            "ERR value is out of range, value must between {} and {}",
            i32::MIN,
            i32::MAX
        );
        return Err(CommandError::message(text));
    }
    usize::try_from(number)
        .ok()
        .filter(|&number| number < call.engine.keyspace.databases())
        .ok_or(CommandError::DatabaseOutOfRange)
}
