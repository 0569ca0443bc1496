//! Commands about the connection itself.

use crate::engine::{Call, Command, CommandResult, Group, flags::*};

fn ping(call: &mut Call) -> CommandResult {
    match call.args.get(1) {
        Some(text) => call.reply.bulk(text),
        None => call.reply.simple("PONG"),
    }
    Ok(())
}

/// The family.
pub const COMMANDS: &[Command] = &[Command::new("PING", Group::Connection, "[message]", ping)
    .flags(FAST | SUBSCRIBER)
    .docs("1.0.0", "O(1)", "Returns the server's liveliness response.")];
