//! MULTI, EXEC and what belongs to them. Queueing and running the queue is the engine's work.

use crate::engine::{
    Call, Command, CommandError, CommandResult, Group, Watched, all_keys, flags::*, state,
};

fn multi(call: &mut Call) -> CommandResult {
    if call.session.is(state::MULTI) {
        return Err(CommandError::text("ERR MULTI calls can not be nested"));
    }
    call.session.begin();
    call.reply.ok();
    Ok(())
}

/// Only reached without a transaction: otherwise the engine runs the queue instead.
fn exec(_call: &mut Call) -> CommandResult {
    Err(CommandError::text("ERR EXEC without MULTI"))
}

fn discard(call: &mut Call) -> CommandResult {
    if call.session.end_transaction().is_none() {
        return Err(CommandError::text("ERR DISCARD without MULTI"));
    }
    call.engine.unwatch_all(call.session);
    call.reply.ok();
    Ok(())
}

fn watch(call: &mut Call) -> CommandResult {
    if call.session.is(state::MULTI) {
        return Err(CommandError::text("ERR WATCH inside MULTI is not allowed"));
    }
    // Whoever has lost already need not watch more.
    if !call.session.is_watch_broken() {
        for key in call.all_keys() {
            let watched = Watched {
                database: call.db.index(),
                key: key.bytes.into(),
            };
            // A key that has expired is as good as none, and its removal is no change.
            let exists = call.db.peek(key).is_some();
            let list = call.session.watch_list();
            if list.add(watched, exists) {
                call.db.watch(key, &list.flag);
            }
        }
        call.session.note_watched();
    }
    call.reply.ok();
    Ok(())
}

fn unwatch(call: &mut Call) -> CommandResult {
    // EXEC ends the watch anyway, and holds locks until then.
    if !call.is_nested {
        call.engine.unwatch_all(call.session);
    }
    call.reply.ok();
    Ok(())
}

const ALWAYS: u32 = NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY;

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new("MULTI", Group::Transactions, "", multi)
        .flags(ALWAYS | CONTROL)
        .docs("1.2.0", "O(1)", "Begins a transaction."),
    Command::new("EXEC", Group::Transactions, "", exec)
        .flags(NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG | CONTROL | RUNS_QUEUE)
        .docs(
            "1.2.0",
            "Depends on commands in the transaction",
            "Runs the commands of a transaction, all or none.",
        ),
    Command::new("DISCARD", Group::Transactions, "", discard)
        .flags(ALWAYS | CONTROL)
        .docs(
            "2.0.0",
            "O(N) in the number of queued commands",
            "Forgets the commands of a transaction.",
        ),
    Command::new("WATCH", Group::Transactions, "key [key ...]", watch)
        .keys(&[all_keys(1, &["RO"])])
        .flags(ALWAYS | CONTROL)
        .docs(
            "2.2.0",
            "O(1) per key",
            "Has the next transaction refused if a key changes before it runs.",
        ),
    Command::new("UNWATCH", Group::Transactions, "", unwatch)
        .flags(ALWAYS)
        .docs("2.2.0", "O(1)", "Watches no key any longer."),
];
