//! MONITOR: every command that the server runs, as it runs.

use crate::engine::{Call, Command, CommandError, CommandResult, Group, flags::*, state};

fn monitor(call: &mut Call) -> CommandResult {
    if call.is_nested {
        return Err(CommandError::text(
            "ERR MONITOR isn't allowed for DENY BLOCKING client",
        ));
    }
    // Who watches already gets no second answer.
    if call.engine.start_monitor(call.session) {
        call.session.set(state::MONITOR, true);
        call.reply.ok();
    }
    Ok(())
}

/// MONITOR. Alone, so that no batch goes on that does not know of it.
pub(super) const MONITOR: Command = Command::new("MONITOR", Group::Server, "", monitor)
    .flags(ADMIN | NOSCRIPT | LOADING | STALE | ALONE)
    .docs(
        "1.0.0",
        "O(1)",
        "Shows the connection every command that the server runs.",
    );
