//! What of FUNCTION looks at the libraries, and at the function that runs.

use crate::base::glob;
use crate::engine::{Call, CommandError, CommandResult, Running};
use crate::scripting::{Function, Library};

/// The only engine there is.
const ENGINE: &[u8] = b"LUA";

pub(super) fn list(call: &mut Call) -> CommandResult {
    let (mut shows_code, mut pattern, mut at) = (false, None, 2);
    while at < call.args.len() {
        if !shows_code && call.args.is(at, "WITHCODE") {
            shows_code = true;
        } else if pattern.is_none() && call.args.is(at, "LIBRARYNAME") {
            at += 1;
            let given = call.args.get(at);
            pattern =
                Some(given.ok_or_else(|| {
                    CommandError::text("ERR library name argument was not given")
                })?);
        } else {
            return Err(CommandError::quoting(
                "ERR Unknown argument ",
                call.args.at(at),
                "",
            ));
        }
        at += 1;
    }
    let libraries = call.engine.functions.now();
    let shown: Vec<_> = libraries
        .iter()
        .filter(|library| {
            pattern.is_none_or(|pattern| glob::matches_ignore_case(pattern, &library.name))
        })
        .collect();
    call.reply.array(shown.len());
    for library in shown {
        show(call, library, shows_code);
    }
    Ok(())
}

fn show(call: &mut Call, library: &Library, shows_code: bool) {
    call.reply.map(if shows_code { 4 } else { 3 });
    call.reply.bulk(b"library_name");
    call.reply.bulk(&library.name);
    call.reply.bulk(b"engine");
    call.reply.bulk(ENGINE);
    call.reply.bulk(b"functions");
    call.reply.array(library.functions.len());
    for function in &library.functions {
        show_function(call, function);
    }
    if shows_code {
        call.reply.bulk(b"library_code");
        call.reply.bulk(&library.code);
    }
}

fn show_function(call: &mut Call, function: &Function) {
    call.reply.map(3);
    call.reply.bulk(b"name");
    call.reply.bulk(&function.name);
    call.reply.bulk(b"description");
    match &function.description {
        Some(description) => call.reply.bulk(description),
        None => call.reply.null(),
    }
    call.reply.bulk(b"flags");
    call.reply.set(function.flags.names().count());
    for flag in function.flags.names() {
        call.reply.simple(flag);
    }
}

fn show_running(call: &mut Call, running: &Running) {
    call.reply.map(3);
    call.reply.bulk(b"name");
    call.reply.bulk(running.name.as_bytes());
    call.reply.bulk(b"command");
    let command = running.command.view();
    call.reply.array(command.len());
    command.iter().for_each(|word| call.reply.bulk(word));
    call.reply.bulk(b"duration_ms");
    call.reply
        .count(running.started.elapsed().as_millis() as usize);
}

pub(super) fn stats(call: &mut Call) -> CommandResult {
    let running = call.engine.busy.running();
    if running.as_ref().is_some_and(|running| !running.is_function)
        && let Some(error) = call.engine.busy.error()
    {
        return Err(error);
    }
    call.reply.map(2);
    call.reply.bulk(b"running_script");
    match running {
        Some(running) => show_running(call, &running),
        None => call.reply.null(),
    }
    call.reply.bulk(b"engines");
    call.reply.map(1);
    call.reply.bulk(ENGINE);
    call.reply.map(2);
    let libraries = call.engine.functions.now();
    call.reply.bulk(b"libraries_count");
    call.reply.count(libraries.iter().len());
    call.reply.bulk(b"functions_count");
    call.reply.count(libraries.functions());
    Ok(())
}

pub(super) fn kill(call: &mut Call) -> CommandResult {
    call.engine.busy.kill(true)?;
    call.reply.ok();
    Ok(())
}
