//! DEBUG: for tests of servers. Runs alone, so that it may look at every key and so that SLEEP stops everybody.
//!
//! ASSERT, OOM, PANIC and SEGFAULT end the process, as they are meant to.

mod crash;
mod data;
mod digest;
mod object;
mod probe;

use super::permission;
use crate::engine::{Call, Command, CommandError, CommandResult, Group, flags::*};

/// A subcommand. DEBUG is no container: its subcommands have neither statistics nor rights of their own.
struct Subcommand {
    /// In upper case.
    name: &'static str,
    /// The least and the greatest number of words, DEBUG included.
    words: (usize, usize),
    run: fn(&mut Call) -> CommandResult,
    /// Arguments behind the name.
    syntax: &'static str,
    summary: &'static str,
}

const MANY: usize = usize::MAX;

const fn row(
    name: &'static str,
    words: (usize, usize),
    run: fn(&mut Call) -> CommandResult,
    syntax: &'static str,
    summary: &'static str,
) -> Subcommand {
    Subcommand {
        name,
        words,
        run,
        syntax,
        summary,
    }
}

const SUBCOMMANDS: &[Subcommand] = &[
    row(
        "AOF-FLUSH-SLEEP",
        (3, 3),
        accept,
        "<microsec>",
        "Accepted; the file is not written by the thread that runs commands.",
    ),
    row(
        "ASSERT",
        (2, MANY),
        crash::assert,
        "",
        "Crashes by a failed assertion.",
    ),
    row(
        "CHANGE-REPL-ID",
        (2, 2),
        probe::change_replication_id,
        "",
        "Takes another replication id.",
    ),
    row(
        "CONFIG-REWRITE-FORCE-ALL",
        (2, 2),
        probe::rewrite_config,
        "",
        "Writes every directive into the configuration file.",
    ),
    row(
        "CRASH-AND-RECOVER",
        (2, MANY),
        refuse,
        "[<milliseconds>]",
        "Refused: it would end the server.",
    ),
    row(
        "DIGEST",
        (2, 2),
        digest::of_everything,
        "",
        "Shows a signature of all data.",
    ),
    row(
        "DIGEST-VALUE",
        (2, MANY),
        digest::of_values,
        "<key> [<key> ...]",
        "Shows a signature of each key's value.",
    ),
    row(
        "DROP-CLUSTER-PACKET-FILTER",
        (3, 3),
        accept,
        "<packet-type>",
        "Accepted; there is no cluster bus.",
    ),
    row(
        "ERROR",
        (3, 3),
        probe::error,
        "<string>",
        "Replies with <string> as an error.",
    ),
    row(
        "FAULT",
        (2, 2),
        crash::fail,
        "",
        "Fails as a fault in the code of a command would: only its client is closed.",
    ),
    row("HELP", (2, 2), help, "", "Shows this text."),
    row(
        "HTSTATS",
        (3, MANY),
        object::database_table,
        "<dbid> [full]",
        "Shows figures of a database's table.",
    ),
    row(
        "HTSTATS-KEY",
        (3, MANY),
        object::value_table,
        "<key> [full]",
        "Shows figures of the table that is <key>'s value.",
    ),
    row(
        "JMAP",
        (2, MANY),
        accept,
        "",
        "Accepted; it concerns an allocator that is not used.",
    ),
    row(
        "LEAK",
        (3, 3),
        accept,
        "<string>",
        "Accepted; nothing is leaked.",
    ),
    row(
        "LISTPACK",
        (3, 3),
        object::print_listpack,
        "<key>",
        "Prints <key>'s value, if it is a listpack, as DUMP gives it.",
    ),
    row(
        "LOADAOF",
        (2, 2),
        data::load_aof,
        "",
        "Reads the data anew from the append-only file.",
    ),
    row(
        "LOG",
        (3, 3),
        probe::log,
        "<message>",
        "Writes <message> to the log.",
    ),
    row(
        "OBJECT",
        (3, 3),
        object::describe,
        "<key>",
        "Shows what is known of <key> and its value.",
    ),
    row(
        "OOM",
        (2, MANY),
        crash::run_out_of_memory,
        "",
        "Crashes as if memory had run out.",
    ),
    row(
        "PANIC",
        (2, MANY),
        crash::panic,
        "",
        "Crashes as if it had found itself in an impossible state.",
    ),
    row(
        "PAUSE-CRON",
        (3, 3),
        probe::pause_timers,
        "<0|1>",
        "Puts off (1) what a signal asks for.",
    ),
    row(
        "POPULATE",
        (3, 5),
        data::populate,
        "<count> [<prefix>] [<size>]",
        "Makes <count> keys named <prefix>:<number>, by default key:<number>. They are not propagated.",
    ),
    row(
        "PROTOCOL",
        (3, 3),
        probe::protocol,
        "<type>",
        "Replies with a value of a type: string, integer, double, bignum, null, array, set, map, attrib, push, verbatim, true, false.",
    ),
    row(
        "QUICKLIST-PACKED-THRESHOLD",
        (3, 3),
        probe::packed_threshold,
        "<size>",
        "Accepted, if it is a size below 4gb.",
    ),
    row(
        "RELOAD",
        (2, MANY),
        super::snapshot::reload,
        "[MERGE] [NOFLUSH] [NOSAVE]",
        "Saves all data and reads it anew. Options: keys of the file replace others, nothing is given up before, nothing is saved before.",
    ),
    row(
        "REPLICATE",
        (3, MANY),
        accept,
        "<string>",
        "Accepted; there are no replicas.",
    ),
    row(
        "REPLYBUFFER",
        (4, 4),
        probe::reply_buffer,
        "PEAK-RESET-TIME <NEVER|RESET|time> or RESIZING <0|1>",
        "Accepted; clients own no reply buffers.",
    ),
    row(
        "RESTART",
        (2, MANY),
        refuse,
        "[<milliseconds>]",
        "Refused: it would end the server.",
    ),
    row(
        "SDSLEN",
        (3, 3),
        object::string_lengths,
        "<key>",
        "Shows lengths and memory of <key> and of its value, a string.",
    ),
    row(
        "SEGFAULT",
        (2, MANY),
        crash::segfault,
        "",
        "Crashes with SIGSEGV.",
    ),
    row(
        "SET-ACTIVE-EXPIRE",
        (3, 3),
        probe::set_active_expire,
        "<0|1>",
        "Leaves keys past their time until they are accessed (0), or removes them when they are due (1).",
    ),
    row(
        "SET-DISABLE-DENY-SCRIPTS",
        (3, 3),
        probe::set_script_denials,
        "<0|1>",
        "Lets scripts call every command (1), or not those that are not for them (0).",
    ),
    row(
        "SET-SKIP-CHECKSUM-VALIDATION",
        (3, 3),
        probe::skip_checksums,
        "<0|1>",
        "Has checksums of snapshots and dumped values ignored (1), or not (0).",
    ),
    row(
        "SLEEP",
        (3, 3),
        probe::sleep,
        "<seconds>",
        "Stops the server for so long. Decimals allowed.",
    ),
    row(
        "STRINGMATCH-LEN",
        (4, 4),
        probe::string_match,
        "<pattern> <string>",
        "Tells whether the glob-like <pattern> matches.",
    ),
];

fn debug(call: &mut Call) -> CommandResult {
    let permission = call.config.enable_debug_command;
    permission::require(permission, call, "DEBUG", "enable-debug-command")?;
    let words = call.args.len();
    let found = SUBCOMMANDS
        .iter()
        .find(|subcommand| call.args.is(1, subcommand.name));
    match found {
        Some(Subcommand {
            words: (least, most),
            run,
            ..
        }) if (*least..=*most).contains(&words) => run(call),
        _ => Err(unknown(call)),
    }
}

fn unknown(call: &Call) -> CommandError {
    call.subcommand_syntax()
}

fn help(call: &mut Call) -> CommandResult {
    call.reply.array(1 + 2 * SUBCOMMANDS.len());
    call.reply
        .simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for subcommand in SUBCOMMANDS {
        let line = format!("{} {}", subcommand.name, subcommand.syntax);
        call.reply.simple(line.trim_end());
        call.reply.simple(&format!("    {}", subcommand.summary));
    }
    Ok(())
}

fn accept(call: &mut Call) -> CommandResult {
    call.reply.ok();
    Ok(())
}

fn refuse(_call: &mut Call) -> CommandResult {
    Err(CommandError::text(
        "ERR this DEBUG subcommand would end the server, which only SHUTDOWN does",
    ))
}

/// DEBUG.
pub(super) const DEBUG: Command =
    Command::new("DEBUG", Group::Server, "subcommand [arg ...]", debug)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE | ALONE)
        .internal()
        .docs(
            "1.0.0",
            "Depends on subcommand.",
            "Groups what tests of servers need.",
        );

#[cfg(test)]
mod tests {
    use super::SUBCOMMANDS;

    #[test]
    fn subcommands_are_in_order() {
        assert!(SUBCOMMANDS.is_sorted_by(|one, other| one.name < other.name));
    }
}
