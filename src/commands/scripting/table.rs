//! The family's declarations.

use super::{eval, function, function_list, script};
use crate::commands::help::help;
use crate::engine::{Begin, Command, Find, Group, KeySpec, flags::*};

const fn counted_keys(flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Index(2),
        find: Find::Count {
            at: 0,
            first: 1,
            step: 1,
        },
        flags,
    }
}

const ANY: &[KeySpec] = &[counted_keys(&["RW", "access", "update"])];
const READ: &[KeySpec] = &[counted_keys(&["RO", "access"])];

/// What calls a script.
const CALLS: u32 = NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | MOVABLE_KEYS | ALONE;
const CALLS_ANY: u32 = CALLS | MAY_REPLICATE;
const CALLS_READ: u32 = CALLS | READONLY;

const EVERYWHERE: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];
const EVERY_NODE: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const SOMEWHERE: &[&str] = &["request_policy:all_shards", "response_policy:one_succeeded"];

const DEPENDS: &str = "Depends on the script that is executed.";

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new(
        "EVAL",
        Group::Scripting,
        "script numkeys [key [key ...]] [arg [arg ...]]",
        eval::eval,
    )
    .keys(ANY)
    .flags(CALLS_ANY)
    .may_write(eval::text_may_write)
    .confined(eval::text_is_confined)
    .docs("2.6.0", DEPENDS, "Runs a Lua script."),
    Command::new(
        "EVALSHA",
        Group::Scripting,
        "sha1 numkeys [key [key ...]] [arg [arg ...]]",
        eval::evalsha,
    )
    .keys(ANY)
    .flags(CALLS_ANY)
    .may_write(eval::known_may_write)
    .confined(eval::known_is_confined)
    .docs(
        "2.6.0",
        DEPENDS,
        "Runs a Lua script that the server knows, by its SHA1.",
    ),
    Command::new(
        "EVAL_RO",
        Group::Scripting,
        "script numkeys [key [key ...]] [arg [arg ...]]",
        eval::eval_ro,
    )
    .keys(READ)
    .flags(CALLS_READ)
    .confined(eval::text_is_confined)
    .docs("7.0.0", DEPENDS, "Runs a Lua script that changes nothing."),
    Command::new(
        "EVALSHA_RO",
        Group::Scripting,
        "sha1 numkeys [key [key ...]] [arg [arg ...]]",
        eval::evalsha_ro,
    )
    .keys(READ)
    .flags(CALLS_READ)
    .confined(eval::known_is_confined)
    .docs(
        "7.0.0",
        DEPENDS,
        "Runs a Lua script that the server knows, by its SHA1, and that changes nothing.",
    ),
    Command::new(
        "FCALL",
        Group::Scripting,
        "function numkeys [key [key ...]] [arg [arg ...]]",
        function::fcall,
    )
    .keys(ANY)
    .flags(CALLS_ANY)
    .may_write(function::may_write)
    .docs(
        "7.0.0",
        "Depends on the function that is executed.",
        "Calls a function.",
    ),
    Command::new(
        "FCALL_RO",
        Group::Scripting,
        "function numkeys [key [key ...]] [arg [arg ...]]",
        function::fcall_ro,
    )
    .keys(READ)
    .flags(CALLS_READ)
    .docs(
        "7.0.0",
        "Depends on the function that is executed.",
        "Calls a function that changes nothing.",
    ),
    Command::container("SCRIPT", Group::Scripting, SCRIPT).docs(
        "2.6.0",
        "Depends on subcommand.",
        "Commands about the scripts that the server knows.",
    ),
    Command::container("FUNCTION", Group::Scripting, FUNCTION).docs(
        "7.0.0",
        "Depends on subcommand.",
        "Commands about libraries of functions.",
    ),
];

const fn script_command(
    name: &'static str,
    syntax: &'static str,
    handler: crate::engine::Handler,
) -> Command {
    Command::new(name, Group::Scripting, syntax, handler).flags(NOSCRIPT)
}

const SCRIPT: &[Command] = &[
    script_command("DEBUG", "<YES | SYNC | NO>", script::debug).docs(
        "3.2.0",
        "O(1)",
        "Asks for the debugger, which is not there.",
    ),
    script_command("EXISTS", "sha1 [sha1 ...]", script::exists)
        .tips(&[
            "request_policy:all_shards",
            "response_policy:agg_logical_and",
        ])
        .docs(
            "2.6.0",
            "O(N) in the number of scripts asked for",
            "Tells which scripts the server knows.",
        ),
    script_command("FLUSH", "[ASYNC | SYNC]", script::flush)
        .tips(EVERY_NODE)
        .docs(
            "2.6.0",
            "O(N) in the number of scripts",
            "Forgets all scripts.",
        ),
    script_command("HELP", "", help)
        .flags(LOADING | STALE)
        .docs("5.0.0", "O(1)", "Lists the subcommands."),
    script_command("KILL", "", script::kill)
        .flags(NOSCRIPT | ALLOW_BUSY)
        .tips(SOMEWHERE)
        .docs(
            "2.6.0",
            "O(1)",
            "Ends the script that keeps everybody waiting.",
        ),
    script_command("LOAD", "script", script::load)
        .flags(NOSCRIPT | STALE)
        .tips(EVERY_NODE)
        .docs(
            "2.6.0",
            "O(N) in the length of the script",
            "Has the server know a script.",
        ),
    script_command("SHOW", "sha1", script::show).docs("8.0.0", "O(1)", "Shows a script's text."),
];

const FUNCTION: &[Command] = &[
    script_command("DELETE", "library-name", function::delete)
        .flags(NOSCRIPT | WRITE | ALONE)
        .tips(EVERYWHERE)
        .docs("7.0.0", "O(1)", "Forgets a library."),
    script_command("DUMP", "", function::dump).docs(
        "7.0.0",
        "O(N) in the number of functions",
        "Gives all libraries in one string.",
    ),
    script_command("FLUSH", "[ASYNC | SYNC]", function::flush)
        .flags(NOSCRIPT | WRITE | ALONE)
        .tips(EVERYWHERE)
        .docs(
            "7.0.0",
            "O(N) in the number of functions",
            "Forgets all libraries.",
        ),
    script_command("HELP", "", help)
        .flags(LOADING | STALE)
        .docs("7.0.0", "O(1)", "Lists the subcommands."),
    script_command("KILL", "", function_list::kill)
        .flags(NOSCRIPT | ALLOW_BUSY)
        .tips(SOMEWHERE)
        .docs(
            "7.0.0",
            "O(1)",
            "Ends the function that keeps everybody waiting.",
        ),
    script_command(
        "LIST",
        "[LIBRARYNAME library-name-pattern] [WITHCODE]",
        function_list::list,
    )
    .tips(&["nondeterministic_output_order"])
    .docs(
        "7.0.0",
        "O(N) in the number of functions",
        "Lists the libraries.",
    ),
    script_command("LOAD", "[REPLACE] function-code", function::load)
        .flags(NOSCRIPT | WRITE | DENYOOM | ALONE)
        .tips(EVERYWHERE)
        .docs("7.0.0", "O(1)", "Loads a library."),
    script_command(
        "RESTORE",
        "serialized-value [FLUSH | APPEND | REPLACE]",
        function::restore,
    )
    .flags(NOSCRIPT | WRITE | DENYOOM | ALONE)
    .tips(EVERYWHERE)
    .docs(
        "7.0.0",
        "O(N) in the number of functions",
        "Loads the libraries that FUNCTION DUMP gave.",
    ),
    script_command("STATS", "", function_list::stats)
        .flags(NOSCRIPT | ALLOW_BUSY)
        .tips(&[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ])
        .docs(
            "7.0.0",
            "O(1)",
            "Tells how many libraries there are, and which function runs.",
        ),
];
