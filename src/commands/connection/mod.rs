//! Commands about the connection itself. `auth` and `hello` have files of their own.

mod auth;
mod hello;

use crate::engine::{Call, Command, CommandError, CommandResult, Group, flag, flags::*, state};

fn ping(call: &mut Call) -> CommandResult {
    let text = call.args.get(1);
    if call.args.len() > 2 {
        return Err(CommandError::arity(&call.spec.name));
    }
    // Who watches over servers learns in this way that one of them refuses writes.
    call.engine.check_disk(call.config)?;
    if call.session.is(state::SUBSCRIBER) {
        // To an old client that only expects messages, the answer looks like one.
        call.reply.array(2);
        call.reply.bulk(b"pong");
        call.reply.bulk(text.unwrap_or_default());
        return Ok(());
    }
    match text {
        Some(text) => call.reply.bulk(text),
        None => call.reply.simple("PONG"),
    }
    Ok(())
}

fn echo(call: &mut Call) -> CommandResult {
    call.reply.bulk(call.args.at(1));
    Ok(())
}

fn select(call: &mut Call) -> CommandResult {
    let number = call.integer(1)?;
    if i32::try_from(number).is_err() {
        return Err(CommandError::message(format!(
            "ERR value is out of range, value must between {} and {}",
            i32::MIN,
            i32::MAX
        )));
    }
    let database = usize::try_from(number)
        .ok()
        .filter(|&database| database < call.engine.keyspace.databases())
        .ok_or(CommandError::DatabaseOutOfRange)?;
    call.session.select(database);
    call.reply.ok();
    Ok(())
}

fn quit(call: &mut Call) -> CommandResult {
    call.session.close_after_reply();
    call.reply.ok();
    Ok(())
}

/// Makes the connection what it was when it was new.
fn reset(call: &mut Call) -> CommandResult {
    let (engine, session) = (call.engine, &mut *call.session);
    session.end_transaction();
    engine.unwatch_all(session);
    engine.unsubscribe_all(session);
    engine.stop_tracking(session);
    engine.stop_monitor(session);
    session.select(0);
    session.set_resp3(false);
    session.no_touch = false;
    session.fieldsets.discard_all();
    session.note_fieldsets();
    // Who speaks through the connection is forgotten; which library does is not.
    session.client.names.lock().name = Vec::new();
    session.client.set_flag(
        flag::NO_EVICT | flag::NO_TOUCH | flag::IMPORT_SOURCE | flag::CAPA_REDIRECT,
        false,
    );
    session.state = 0;
    engine.log_out(session);
    call.reply.set_resp3(false);
    call.reply.simple("RESET");
    Ok(())
}

const ALWAYS: u32 = NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY;

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new("PING", Group::Connection, "[message]", ping)
        .flags(FAST | SUBSCRIBER)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .docs(
            "1.0.0",
            "O(1)",
            "Answers, to show that the server is there.",
        ),
    Command::new("ECHO", Group::Connection, "message", echo)
        .flags(LOADING | STALE | FAST)
        .docs("1.0.0", "O(1)", "Gives back what it was given."),
    Command::new("SELECT", Group::Connection, "index", select)
        .flags(LOADING | STALE | FAST)
        .docs("1.0.0", "O(1)", "Chooses the connection's database."),
    Command::new("AUTH", Group::Connection, "[username] password", auth::auth)
        .flags(ALWAYS)
        .secrets(|args, show| (1..args.len()).for_each(show))
        .docs(
            "1.0.0",
            "O(N) in the number of the user's passwords",
            "Logs the connection in.",
        ),
    Command::new(
        "HELLO",
        Group::Connection,
        "[protover [AUTH username password] [SETNAME clientname]]",
        hello::hello,
    )
    .flags(ALWAYS)
    .secrets(hello::secrets)
    .docs(
        "6.0.0",
        "O(1)",
        "Agrees on the protocol, and tells about the server.",
    ),
    Command::new("QUIT", Group::Connection, "", quit)
        .arity(-1)
        .flags(ALWAYS | CONTROL | SUBSCRIBER)
        .deprecated("7.2.0", "just closing the connection")
        .docs("1.0.0", "O(1)", "Closes the connection."),
    Command::new("RESET", Group::Connection, "", reset)
        .flags(ALWAYS | CONTROL | SUBSCRIBER)
        .docs(
            "6.2.0",
            "O(1)",
            "Puts the connection back into its first state.",
        ),
];
