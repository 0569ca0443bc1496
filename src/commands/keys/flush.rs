//! FLUSHDB, FLUSHALL, SWAPDB: whole databases, with everybody else kept out for a moment.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::numbers::parse_i64;
use crate::commands::server::wait_for;
use crate::engine::{Call, CommandError, CommandResult};

pub(super) fn flush_database(call: &mut Call) -> CommandResult {
    let database = call.db.index();
    flush(call, database..database + 1)?;
    call.reply.ok();
    Ok(())
}

pub(super) fn flush_all(call: &mut Call) -> CommandResult {
    let databases = 0..call.engine.keyspace.databases();
    flush(call, databases)?;
    call.engine.give_up_save();
    if call.config.save.is_empty() {
        call.reply.ok();
        return Ok(());
    }
    // What was given up must not come back with the last snapshot.
    call.engine.note_emptied(call.effects.dirty);
    if call.is_nested || call.engine.hooks.get().is_none() {
        call.engine.jobs.wants_save.store(true, Relaxed);
        call.reply.ok();
        return Ok(());
    }
    wait_for(call, "FLUSHALL", "ERR", |hooks, engine| {
        if let Err(error) = hooks.save(engine) {
            tracing::warn!("The snapshot after FLUSHALL failed: {error}");
        }
        Ok(())
    })
}

/// SYNC and ASYNC are the same: keys are gone when the reply is sent, and their memory soon after.
fn flush(call: &mut Call, databases: Range<usize>) -> CommandResult {
    let is_known = call.args.is(1, "SYNC") || call.args.is(1, "ASYNC");
    if call.args.len() > 2 || (call.args.len() == 2 && !is_known) {
        return Err(CommandError::Syntax);
    }
    let keyspace = &call.engine.keyspace;
    let keys: usize = databases
        .clone()
        .map(|database| keyspace.len(database))
        .sum();
    let now = call.db.now();
    let dropped = call.db.scope().flush(databases.clone(), now);
    databases.for_each(|database| call.wake_all(database));
    forget_copies(call);
    call.engine.reclaimer.free_flushed(dropped, keys as u64);
    // Written to the journal even when there was nothing to flush, as Redis does.
    call.effects.dirty += keys.max(1) as u64;
    Ok(())
}

/// Tells clients that track that nothing they know is still good.
fn forget_copies(call: &mut Call) {
    call.db.scope().forget_readers();
    call.engine.invalidate_everything();
}

pub(super) fn swap_databases(call: &mut Call) -> CommandResult {
    let first = index(call, 1, "ERR invalid first DB index")?;
    let second = index(call, 2, "ERR invalid second DB index")?;
    let known = |index: i32| {
        usize::try_from(index)
            .ok()
            .filter(|&index| index < call.engine.keyspace.databases())
            .ok_or(CommandError::DatabaseOutOfRange)
    };
    let (first, second) = (known(first)?, known(second)?);
    if first != second {
        let now = call.db.now();
        call.db.scope().swap(first, second, now);
        call.wake_all(first);
        call.wake_all(second);
        forget_copies(call);
    }
    call.effects.dirty += 1;
    call.reply.ok();
    Ok(())
}

fn index(call: &Call, at: usize, error: &'static str) -> Result<i32, CommandError> {
    parse_i64(call.args.at(at))
        .and_then(|index| i32::try_from(index).ok())
        .ok_or_else(|| CommandError::text(error))
}
