//! MODULE: there are none, and none can be loaded.

use super::super::help::help;
use super::permission::require;
use crate::engine::{Call, Command, CommandError, CommandResult, Group, flags::*};

fn list(call: &mut Call) -> CommandResult {
    call.reply.array(0);
    Ok(())
}

fn load(call: &mut Call) -> CommandResult {
    allowed(call)?;
    tracing::warn!("MODULE LOAD: modules are not supported");
    Err(CommandError::text(
        "ERR Error loading the extension. Please check the server logs.",
    ))
}

fn unload(call: &mut Call) -> CommandResult {
    allowed(call)?;
    Err(CommandError::text(
        "ERR Error unloading module: no such module with that name",
    ))
}

/// What would change something needs permission; tools ask for the list at any server.
fn allowed(call: &Call) -> CommandResult {
    let permission = call.config.enable_module_command;
    require(permission, call, "MODULE", "enable-module-command")
}

const SUBCOMMANDS: &[Command] = &[
    Command::new("HELP", Group::Server, "", help)
        .flags(LOADING | STALE)
        .docs("5.0.0", "O(1)", "Explains the subcommands."),
    Command::new("LIST", Group::Server, "", list)
        .flags(ADMIN | NOSCRIPT)
        .tips(&["nondeterministic_output_order"])
        .docs(
            "4.0.0",
            "O(N) in the number of modules",
            "Lists the modules.",
        ),
    Command::new("LOAD", Group::Server, "path [arg [arg ...]]", load)
        .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
        .docs(
            "4.0.0",
            "O(1)",
            "Loads a module. There is no support for modules.",
        ),
    Command::new(
        "LOADEX",
        Group::Server,
        "path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]",
        load,
    )
    .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
    .docs(
        "7.0.0",
        "O(1)",
        "Loads a module with parameters. There is no support for modules.",
    ),
    Command::new("UNLOAD", Group::Server, "name", unload)
        .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
        .docs("4.0.0", "O(1)", "Unloads a module."),
];

/// MODULE.
pub(super) const MODULE: Command = Command::container("MODULE", Group::Server, SUBCOMMANDS).docs(
    "4.0.0",
    "Depends on subcommand.",
    "Groups the commands about modules.",
);
