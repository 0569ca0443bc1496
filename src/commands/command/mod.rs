//! COMMAND: what the server tells of its commands, all of it from the command table. `info` is for clients and proxies,
//! `docs` for people, `keys` finds the keys of a call.

mod docs;
mod history;
mod info;
mod keys;
mod list;

use super::help::help;
use crate::engine::{Call, Command, CommandResult, Group, flags::*};

fn count(call: &mut Call) -> CommandResult {
    let commands = call.engine.commands.all();
    call.reply
        .count(commands.iter().filter(|spec| spec.parent.is_none()).count());
    Ok(())
}

const ABOUT: u32 = LOADING | STALE | CONNECTION;
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];
const PER_COMMAND: &str = "O(N) in the number of commands";
const PER_ARGUMENT: &str = "O(N) in the number of arguments";

const SUBCOMMANDS: &[Command] = &[
    Command::new("COUNT", Group::Server, "", count)
        .flags(ABOUT)
        .docs("2.8.13", "O(1)", "Counts the commands."),
    Command::new("LIST", Group::Server, list::SYNTAX, list::list)
        .flags(ABOUT)
        .tips(ANY_ORDER)
        .docs(
            "7.0.0",
            PER_COMMAND,
            "Lists the names of the commands, or of some.",
        ),
    Command::new(
        "INFO",
        Group::Server,
        "[command-name [command-name ...]]",
        info::some,
    )
    .flags(ABOUT)
    .tips(ANY_ORDER)
    .docs(
        "2.8.13",
        PER_COMMAND,
        "Describes commands, or all of them, for clients.",
    ),
    Command::new(
        "DOCS",
        Group::Server,
        "[command-name [command-name ...]]",
        docs::docs,
    )
    .flags(ABOUT)
    .tips(ANY_ORDER)
    .docs(
        "7.0.0",
        PER_COMMAND,
        "Describes commands, or all of them, for people.",
    ),
    Command::new(
        "GETKEYS",
        Group::Server,
        "command [arg [arg ...]]",
        keys::getkeys,
    )
    .flags(ABOUT)
    .docs("2.8.13", PER_ARGUMENT, "Finds the keys of a whole command."),
    Command::new(
        "GETKEYSANDFLAGS",
        Group::Server,
        "command [arg [arg ...]]",
        keys::getkeysandflags,
    )
    .flags(ABOUT)
    .docs(
        "7.0.0",
        PER_ARGUMENT,
        "Finds the keys of a whole command, and what it does with them.",
    ),
    Command::new("HELP", Group::Server, "", help)
        .flags(ABOUT)
        .docs("5.0.0", "O(1)", "Lists the subcommands."),
];

/// The family.
pub const COMMANDS: &[Command] = &[Command::new("COMMAND", Group::Server, "", info::all)
    .arity(-1)
    .subcommands(SUBCOMMANDS)
    .flags(ABOUT)
    .tips(ANY_ORDER)
    .docs("2.8.13", PER_COMMAND, "Describes all commands.")];
