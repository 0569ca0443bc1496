//! CLIENT: what connections tell of themselves, and what administrators do with them. `list` describes clients, `filter`
//! chooses among them, `kill` ends them.

mod filter;
mod kill;
mod list;
mod tracking;

use super::help::help;
use crate::base::clock::unix_ms;
use crate::engine::{
    Call, Client, Command, CommandError, CommandResult, Engine, Group, Mail, Names, Unblock, flag,
    flags::*, state,
};

/// A client's line in CLIENT LIST, for logs: without its end.
pub fn describe_client(engine: &Engine, client: &Client) -> String {
    let line = list::describe(engine, client, unix_ms(), 0);
    line.trim_end().to_owned()
}

fn id(call: &mut Call) -> CommandResult {
    call.reply.integer(call.session.client.id as i64);
    Ok(())
}

fn getname(call: &mut Call) -> CommandResult {
    let names = call.session.client.names.lock();
    match &names.name[..] {
        [] => call.reply.null(),
        name => call.reply.bulk(name),
    }
    Ok(())
}

fn setname(call: &mut Call) -> CommandResult {
    let name = call.args.at(2);
    Names::check(name)?;
    call.session.client.names.lock().name = name.to_vec();
    call.reply.ok();
    Ok(())
}

fn setinfo(call: &mut Call) -> CommandResult {
    let (option, value) = (call.args.at(2), call.args.at(3));
    let is_name = call.args.is(2, "LIB-NAME");
    if !is_name && !call.args.is(2, "LIB-VER") {
        return Err(CommandError::quoting(
            "ERR Unrecognized option '",
            option,
            "'",
        ));
    }
    if !Names::is_printable(value) {
        return Err(CommandError::quoting(
            "ERR ",
            option,
            " cannot contain spaces, newlines or special characters.",
        ));
    }
    let mut names = call.session.client.names.lock();
    match is_name {
        true => names.lib_name = value.to_vec(),
        false => names.lib_version = value.to_vec(),
    }
    call.reply.ok();
    Ok(())
}

/// An argument that is ON or OFF.
fn switch(call: &Call, at: usize) -> Result<bool, CommandError> {
    match call.args.is(at, "ON") {
        true => Ok(true),
        false if call.args.is(at, "OFF") => Ok(false),
        false => Err(CommandError::Syntax),
    }
}

fn no_evict(call: &mut Call) -> CommandResult {
    let on = switch(call, 2)?;
    call.session.client.set_flag(flag::NO_EVICT, on);
    call.reply.ok();
    Ok(())
}

fn no_touch(call: &mut Call) -> CommandResult {
    let on = switch(call, 2)?;
    call.session.no_touch = on;
    call.session.client.set_flag(flag::NO_TOUCH, on);
    call.reply.ok();
    Ok(())
}

/// What the client understands, as Valkey's clients tell; what is not known is passed over.
fn capa(call: &mut Call) -> CommandResult {
    if (2..call.args.len()).any(|at| call.args.is(at, "REDIRECT")) {
        call.session.client.set_flag(flag::CAPA_REDIRECT, true);
    }
    call.reply.ok();
    Ok(())
}

/// Whether the client brings data from elsewhere: it then sees keys past their time, too.
fn import_source(call: &mut Call) -> CommandResult {
    let on = switch(call, 2)?;
    if on && !call.config.import_mode {
        return Err(CommandError::text("ERR Server is not in import mode"));
    }
    call.session.client.set_flag(flag::IMPORT_SOURCE, on);
    call.reply.ok();
    Ok(())
}

fn reply(call: &mut Call) -> CommandResult {
    let session = &mut *call.session;
    if call.args.is(2, "SKIP") {
        let is_off = session.is(state::REPLY_OFF);
        session.set(state::REPLY_SKIP_NEXT, !is_off);
    } else if switch_reply(call)? {
        call.reply.ok();
    }
    Ok(())
}

fn switch_reply(call: &mut Call) -> Result<bool, CommandError> {
    let on = switch(call, 2)?;
    call.session.set(state::REPLY_OFF, !on);
    if on {
        call.session.set(state::REPLY_SKIP, false);
    }
    Ok(on)
}

fn at_most(call: &Call, words: usize) -> CommandResult {
    match call.args.len() > words {
        true => Err(call.subcommand_syntax()),
        false => Ok(()),
    }
}

fn pause(call: &mut Call) -> CommandResult {
    at_most(call, 4)?;
    let only_writes = match call.args.get(3) {
        Some(_) if call.args.is(3, "WRITE") => true,
        Some(_) if !call.args.is(3, "ALL") => {
            return Err(CommandError::text(
                "ERR CLIENT PAUSE mode must be WRITE or ALL",
            ));
        }
        _ => false,
    };
    let timeout = call
        .integer(2)
        .map_err(|_| CommandError::text("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(CommandError::text("ERR timeout is negative"));
    }
    let until = call
        .db
        .now()
        .checked_add(timeout)
        .ok_or_else(|| CommandError::text("ERR timeout is out of range"))?;
    call.engine.pause(until, only_writes);
    call.reply.ok();
    Ok(())
}

fn unpause(call: &mut Call) -> CommandResult {
    call.engine.unpause();
    call.reply.ok();
    Ok(())
}

fn unblock(call: &mut Call) -> CommandResult {
    at_most(call, 4)?;
    let how = match call.args.get(3) {
        Some(_) if call.args.is(3, "ERROR") => Unblock::Error,
        Some(_) if !call.args.is(3, "TIMEOUT") => {
            return Err(CommandError::text(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
        _ => Unblock::Timeout,
    };
    let id = call.integer(2)?;
    let client = u64::try_from(id)
        .ok()
        .and_then(|id| call.engine.clients.get(id))
        .filter(|client| client.has_flag(flag::BLOCKED));
    let is_unblocked = client.is_some_and(|client| {
        // Inside a transaction the locks that it would take may be held already.
        let ended = match call.is_nested {
            true => None,
            false => call.engine.unblock(call.lane, &client, how),
        };
        ended.unwrap_or_else(|| {
            call.engine.mailboxes[client.worker].post(Mail::Unblock(client.id, how));
            true
        })
    });
    call.reply.integer(i64::from(is_unblocked));
    Ok(())
}

const OWN: u32 = NOSCRIPT | LOADING | STALE;
const OTHERS: u32 = ADMIN | DANGEROUS | OWN;
const TO_ALL: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const PER_CLIENT: &str = "O(N) in the number of clients";

const fn own(name: &'static str, syntax: &'static str, handler: crate::engine::Handler) -> Command {
    Command::new(name, Group::Connection, syntax, handler).flags(OWN)
}

const fn others(
    name: &'static str,
    syntax: &'static str,
    handler: crate::engine::Handler,
) -> Command {
    Command::new(name, Group::Connection, syntax, handler).flags(OTHERS)
}

const SUBCOMMANDS: &[Command] = &[
    own("ID", "", id).docs("5.0.0", "O(1)", "Gives the connection's number."),
    own("INFO", "", list::info)
        .tips(&["nondeterministic_output"])
        .docs("6.2.0", "O(1)", "Describes the connection."),
    others("LIST", filter::LIST_SYNTAX, list::list)
        .arity(-2)
        .tips(&["nondeterministic_output"])
        .docs("2.4.0", PER_CLIENT, "Describes all connections, or some."),
    others("KILL", filter::KILL_SYNTAX, kill::kill)
        .arity(-3)
        .docs("2.4.0", PER_CLIENT, "Closes connections."),
    own("GETNAME", "", getname).docs("2.6.9", "O(1)", "Gives the connection's name."),
    own("SETNAME", "connection-name", setname)
        .tips(TO_ALL)
        .docs("2.6.9", "O(1)", "Names the connection."),
    own("SETINFO", "<LIB-NAME libname | LIB-VER libver>", setinfo)
        .tips(TO_ALL)
        .docs(
            "7.2.0",
            "O(1)",
            "Says which library speaks through the connection.",
        ),
    own("REPLY", "<ON | OFF | SKIP>", reply).arity(3).docs(
        "3.2.0",
        "O(1)",
        "Says whether the connection wants replies.",
    ),
    own("NO-TOUCH", "<ON | OFF>", no_touch).arity(3).docs(
        "7.2.0",
        "O(1)",
        "Says whether reading leaves the keys' access times alone.",
    ),
    own("CAPA", "capability [capability ...]", capa).docs(
        "8.0.0",
        "O(1)",
        "Says what the client understands.",
    ),
    own("IMPORT-SOURCE", "<ON | OFF>", import_source)
        .arity(3)
        .docs(
            "8.1.0",
            "O(1)",
            "Says whether the connection's data comes from another server.",
        ),
    others("NO-EVICT", "<ON | OFF>", no_evict).arity(3).docs(
        "7.0.0",
        "O(1)",
        "Says whether the connection stays when memory for clients is short.",
    ),
    others("PAUSE", "timeout [WRITE | ALL]", pause).docs(
        "3.0.0",
        "O(1)",
        "Has all commands, or those that write, wait for a while.",
    ),
    others("UNPAUSE", "", unpause).docs("6.2.0", PER_CLIENT, "Ends a pause."),
    others("UNBLOCK", "client-id [TIMEOUT | ERROR]", unblock).docs(
        "5.0.0",
        "O(1)",
        "Ends another connection's wait in a blocking command.",
    ),
    own("CACHING", "<YES | NO>", tracking::caching).docs(
        "6.0.0",
        "O(1)",
        "Says whether the keys of the next command are tracked.",
    ),
    own("GETREDIR", "", tracking::getredir).docs(
        "6.0.0",
        "O(1)",
        "Gives the connection that gets this one's invalidation messages.",
    ),
    // Alone, so that no batch goes on that does not know which keys are broadcast.
    Command::new(
        "TRACKING",
        Group::Connection,
        tracking::SYNTAX,
        tracking::tracking,
    )
    .flags(OWN | ALONE)
    .docs(
        "6.0.0",
        "O(1), or O(N) in the number of prefixes",
        "Says whether the connection is told when keys change that it has read.",
    ),
    own("TRACKINGINFO", "", tracking::trackinginfo).docs(
        "6.2.0",
        "O(1)",
        "Tells how the connection's keys are tracked.",
    ),
    Command::new("HELP", Group::Connection, "", help)
        .flags(LOADING | STALE)
        .docs("5.0.0", "O(1)", "Lists the subcommands."),
];

/// The family.
pub const COMMANDS: &[Command] = &[Command::container("CLIENT", Group::Connection, SUBCOMMANDS)
    .docs(
        "2.4.0",
        "Depends on subcommand",
        "Tells about connections and changes them.",
    )];
