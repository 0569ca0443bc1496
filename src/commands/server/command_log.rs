//! SLOWLOG and COMMANDLOG: commands that took long, and those that came or were answered with much.

use super::super::help::help;
use crate::base::numbers::parse_i64;
use crate::engine::{Call, Command, CommandError, CommandResult, Group, flags::*};
use crate::observe::command_log::{Entry, Reason};

/// Entries that are shown when no number is given.
const SHOWN: usize = 10;

fn tell(call: &mut Call, entries: &[Entry]) {
    call.reply.array(entries.len());
    for entry in entries {
        call.reply.array(6);
        call.reply.integer(entry.id as i64);
        call.reply.integer(entry.caller.time);
        call.reply.integer(entry.amount as i64);
        call.reply.array(entry.args.len());
        entry.args.iter().for_each(|arg| call.reply.bulk(arg));
        call.reply.bulk(entry.caller.address.as_bytes());
        call.reply.bulk(&entry.caller.name);
    }
}

/// How many entries the client wants; -1 stands for all.
fn count(word: &[u8]) -> Result<usize, CommandError> {
    let wrong = "ERR count should be greater than or equal to -1";
    match parse_i64(word) {
        Some(-1) => Ok(usize::MAX),
        Some(count) => usize::try_from(count).map_err(|_| CommandError::text(wrong)),
        None => Err(CommandError::text(wrong)),
    }
}

fn slow_get(call: &mut Call) -> CommandResult {
    if call.args.len() > 3 {
        return Err(call.subcommand_syntax());
    }
    let count = call.args.get(2).map_or(Ok(SHOWN), count)?;
    let entries = call.engine.command_logs.newest(Reason::Slow, count);
    tell(call, &entries);
    Ok(())
}

fn slow_len(call: &mut Call) -> CommandResult {
    call.reply.count(call.engine.command_logs.len(Reason::Slow));
    Ok(())
}

fn slow_reset(call: &mut Call) -> CommandResult {
    call.engine.command_logs.reset(Reason::Slow);
    call.reply.ok();
    Ok(())
}

/// The log that an argument names.
fn reason(call: &Call, at: usize) -> Result<Reason, CommandError> {
    let reasons = [
        ("SLOW", Reason::Slow),
        ("LARGE-REQUEST", Reason::LargeRequest),
        ("LARGE-REPLY", Reason::LargeReply),
    ];
    let named = reasons.iter().find(|(name, _)| call.args.is(at, name));
    named.map(|(_, reason)| *reason).ok_or_else(|| {
        CommandError::text(
            "ERR type should be one of the following: slow, large-request, large-reply",
        )
    })
}

fn get(call: &mut Call) -> CommandResult {
    if call.args.len() > 5 {
        return Err(call.subcommand_syntax());
    }
    let reason = reason(call, 3)?;
    let count = count(call.args.at(2))?;
    let logs = &call.engine.command_logs;
    let entries = match call.args.len() {
        4 => logs.newest(reason, count),
        _ if call.args.is(4, "RECENCY") => logs.newest(reason, count),
        _ if call.args.is(4, "MAGNITUDE") => logs.largest(reason, count),
        _ => {
            return Err(CommandError::text(
                "ERR store should be one of the following: recency, magnitude",
            ));
        }
    };
    tell(call, &entries);
    Ok(())
}

fn len(call: &mut Call) -> CommandResult {
    let reason = reason(call, 2)?;
    call.reply.count(call.engine.command_logs.len(reason));
    Ok(())
}

fn reset(call: &mut Call) -> CommandResult {
    call.engine.command_logs.reset(reason(call, 2)?);
    call.reply.ok();
    Ok(())
}

const SHOWS: u32 = ADMIN | LOADING | STALE;
const GET_TIPS: &[&str] = &["request_policy:all_nodes", "nondeterministic_output"];
const LEN_TIPS: &[&str] = &[
    "request_policy:all_nodes",
    "response_policy:agg_sum",
    "nondeterministic_output",
];
const RESET_TIPS: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const PER_ENTRY: &str = "O(N) in the number of entries";

const fn explain(since: &'static str) -> Command {
    Command::new("HELP", Group::Server, "", help)
        .flags(LOADING | STALE)
        .docs(since, "O(1)", "Explains the subcommands.")
}

const SLOWLOG_SUBCOMMANDS: &[Command] = &[
    Command::new("GET", Group::Server, "[count]", slow_get)
        .flags(SHOWS)
        .tips(GET_TIPS)
        .docs(
            "2.2.12",
            PER_ENTRY,
            "Shows the last commands that took long.",
        ),
    explain("6.2.0"),
    Command::new("LEN", Group::Server, "", slow_len)
        .flags(SHOWS)
        .tips(LEN_TIPS)
        .docs(
            "2.2.12",
            "O(1)",
            "Counts the slow commands that are remembered.",
        ),
    Command::new("RESET", Group::Server, "", slow_reset)
        .flags(SHOWS)
        .tips(RESET_TIPS)
        .docs("2.2.12", PER_ENTRY, "Forgets all slow commands."),
];

/// SLOWLOG.
pub(super) const SLOWLOG: Command =
    Command::container("SLOWLOG", Group::Server, SLOWLOG_SUBCOMMANDS).docs(
        "2.2.12",
        "Depends on subcommand.",
        "Groups the commands about slow commands.",
    );

const COMMANDLOG_SUBCOMMANDS: &[Command] = &[
    Command::new(
        "GET",
        Group::Server,
        "count <SLOW | LARGE-REQUEST | LARGE-REPLY> [RECENCY | MAGNITUDE]",
        get,
    )
    .arity(-4)
    .flags(SHOWS)
    .tips(GET_TIPS)
    .docs(
        "8.1.0",
        PER_ENTRY,
        "Shows the last commands of a log, or the largest.",
    ),
    explain("8.1.0"),
    Command::new(
        "LEN",
        Group::Server,
        "<SLOW | LARGE-REQUEST | LARGE-REPLY>",
        len,
    )
    .flags(SHOWS)
    .tips(LEN_TIPS)
    .docs("8.1.0", "O(1)", "Counts the commands that a log remembers."),
    Command::new(
        "RESET",
        Group::Server,
        "<SLOW | LARGE-REQUEST | LARGE-REPLY>",
        reset,
    )
    .flags(SHOWS)
    .tips(RESET_TIPS)
    .docs("8.1.0", PER_ENTRY, "Forgets all commands of a log."),
];

/// COMMANDLOG.
pub(super) const COMMANDLOG: Command =
    Command::container("COMMANDLOG", Group::Server, COMMANDLOG_SUBCOMMANDS).docs(
        "8.1.0",
        "Depends on subcommand.",
        "Groups the commands about slow and large commands.",
    );
