//! FCALL, and what of FUNCTION changes the libraries.

use std::time::Duration;

use super::call::{fail, inputs};
use crate::engine::{Call, Caller, CommandError, CommandResult, Desk, Engine, Name};
use crate::persistence::rdb;
use crate::resp::args::Args;
use crate::scripting::{LOAD_LIMIT, Policy, ScriptFlags};

/// An error of what has no code word of its own.
fn error(text: &str) -> CommandError {
    CommandError::message(format!("ERR {text}"))
}

// ---- Calls

pub(super) fn fcall(call: &mut Call) -> CommandResult {
    call_named(call, false)
}

pub(super) fn fcall_ro(call: &mut Call) -> CommandResult {
    call_named(call, true)
}

/// Whether the function that FCALL names may write.
pub(super) fn may_write(engine: &Engine, args: Args<'_>) -> bool {
    let libraries = engine.functions.now();
    let found = args.get(1).and_then(|name| libraries.function(name));
    !found.is_some_and(|found| found.function().flags.has(ScriptFlags::NO_WRITES))
}

fn call_named(call: &mut Call, is_read_only: bool) -> CommandResult {
    let libraries = call.engine.functions.now();
    let found = libraries.function(call.args.at(1)).cloned();
    let found = found.ok_or_else(|| error("Function not found"))?;
    let inputs = inputs(call, error("Bad number of keys provided"))?;
    let function = found.function();
    let mut reply = std::mem::take(call.reply);
    let name = Name::Function(&function.name);
    let functions = &call.engine.functions;
    let mut desk = Desk::of(call.session);
    let result = Caller::begin(call, &mut desk, name, function.flags, is_read_only)
        .map(|mut caller| functions.call(&found, inputs, &mut caller, &mut reply));
    *call.reply = reply;
    desk.leave(call.session);
    match result?.map_err(|text| error(&text))? {
        Ok(()) => Ok(()),
        Err(failure) => fail(call, name, failure),
    }
}

// ---- Changes

pub(super) fn load(call: &mut Call) -> CommandResult {
    let last = call.args.len() - 1;
    let mut replaces = false;
    for at in 2..last {
        if !call.args.is(at, "REPLACE") {
            return Err(CommandError::quoting(
                "ERR Unknown option given: ",
                call.args.at(at),
                "",
            ));
        }
        replaces = true;
    }
    let engine = call.engine;
    let loaded = engine
        .functions
        .load(call.args.at(last), replaces, limit(call));
    let name = loaded.map_err(|text| error(&text))?;
    changed(call);
    call.reply.bulk(&name);
    Ok(())
}

/// What was journaled is loaded however long it takes.
fn limit(call: &Call) -> Option<Duration> {
    (!call.engine.is_loading()).then_some(LOAD_LIMIT)
}

/// The libraries have changed: this is journaled.
fn changed(call: &mut Call) {
    call.effects.dirty += 1;
}

pub(super) fn delete(call: &mut Call) -> CommandResult {
    if !call.engine.functions.delete(call.args.at(2)) {
        return Err(error("Library not found"));
    }
    changed(call);
    call.reply.ok();
    Ok(())
}

pub(super) fn flush(call: &mut Call) -> CommandResult {
    match call.args.len() {
        2 => {}
        3 if call.args.is(2, "SYNC") || call.args.is(2, "ASYNC") => {}
        3 => {
            return Err(error("FUNCTION FLUSH only supports SYNC|ASYNC option"));
        }
        _ => return Err(call.subcommand_syntax()),
    }
    call.engine.functions.flush();
    changed(call);
    call.reply.ok();
    Ok(())
}

pub(super) fn restore(call: &mut Call) -> CommandResult {
    if call.args.len() > 4 {
        return Err(call.subcommand_syntax());
    }
    let policy = match call.args.get(3) {
        None => Policy::Append,
        Some(word) if word.eq_ignore_ascii_case(b"append") => Policy::Append,
        Some(word) if word.eq_ignore_ascii_case(b"replace") => Policy::Replace,
        Some(word) if word.eq_ignore_ascii_case(b"flush") => Policy::Flush,
        Some(_) => {
            return Err(error(
                "Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            ));
        }
    };
    let codes = rdb::read_functions(call.args.at(2)).map_err(error)?;
    let restored = call.engine.functions.restore(&codes, policy);
    restored.map_err(|text| error(&text))?;
    changed(call);
    call.reply.ok();
    Ok(())
}

pub(super) fn dump(call: &mut Call) -> CommandResult {
    let codes = call.engine.functions.libraries();
    let dumped = rdb::dump_functions(&codes, call.config.rdbcompression);
    call.reply.bulk(&dumped);
    Ok(())
}
