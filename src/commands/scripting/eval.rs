//! EVAL and EVALSHA.

use std::sync::Arc;

use super::call::{fail, inputs};
use crate::engine::{Call, Caller, CommandError, CommandResult, Desk, Engine, Name};
use crate::resp::args::Args;
use crate::scripting::{
    Digest, Inputs, Keep, LONGEST_EXPLORED, NotCompiled, Reach, Script, ScriptFlags, declared,
    digest_of_script, is_confined, parse_digest, run_script,
};

const NO_SCRIPT: &str = "NOSCRIPT No matching script. Please use EVAL.";

/// Whether a script may change data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Any,
    ReadOnly,
}

pub(super) fn eval(call: &mut Call) -> CommandResult {
    eval_text(call, Access::Any)
}

pub(super) fn eval_ro(call: &mut Call) -> CommandResult {
    eval_text(call, Access::ReadOnly)
}

pub(super) fn evalsha(call: &mut Call) -> CommandResult {
    eval_known(call, Access::Any)
}

pub(super) fn evalsha_ro(call: &mut Call) -> CommandResult {
    eval_known(call, Access::ReadOnly)
}

/// Bytes, and keys and other arguments, with which a script that is over soon is.
const MOST_GIVEN: usize = 1 << 20;

/// Whether a script is given so little that it can be over soon: it may go through all of it, and take each more than once.
fn are_few(args: Args<'_>) -> bool {
    args.bytes() + args.len() <= MOST_GIVEN
}

/// Whether the script that EVAL brings keeps to its keys.
pub(super) fn text_is_confined(engine: &Engine, args: Args<'_>) -> bool {
    let body = args.get(1).filter(|_| are_few(args));
    // Of longer ones nothing is known, and to hash them takes long.
    let body = body.filter(|body| body.len() <= LONGEST_EXPLORED);
    body.is_some_and(|body| is_confined(&engine.scripts, &digest_of_script(body)))
}

/// Whether the script that EVALSHA names keeps to its keys.
pub(super) fn known_is_confined(engine: &Engine, args: Args<'_>) -> bool {
    let digest = args.get(1).filter(|_| are_few(args));
    let digest = digest.and_then(parse_digest);
    digest.is_some_and(|digest| is_confined(&engine.scripts, &digest))
}

/// Whether the script that EVAL brings may write.
pub(super) fn text_may_write(_engine: &Engine, args: Args<'_>) -> bool {
    let flags = args.get(1).and_then(declared);
    !flags.is_some_and(|flags| flags.has(ScriptFlags::NO_WRITES))
}

/// Whether the script that EVALSHA names may write.
pub(super) fn known_may_write(engine: &Engine, args: Args<'_>) -> bool {
    let digest = args.get(1).and_then(parse_digest);
    let script = digest.and_then(|digest| engine.scripts.get(&digest));
    !script.is_some_and(|script| script.flags.has(ScriptFlags::NO_WRITES))
}

fn eval_text(call: &mut Call, access: Access) -> CommandResult {
    let inputs = inputs(call, CommandError::NotInteger)?;
    let (engine, body) = (call.engine, call.args.at(1));
    let digest = digest_of_script(body);
    run(call, digest, inputs, access, || {
        match engine.scripts.get(&digest) {
            Some(script) => Ok(script),
            None => new_script(body, digest),
        }
    })
}

fn eval_known(call: &mut Call, access: Access) -> CommandResult {
    let missing = || CommandError::text(NO_SCRIPT);
    let digest = parse_digest(call.args.at(1));
    if digest.is_none() && call.args.at(1).len() != 40 {
        return Err(missing());
    }
    let inputs = inputs(call, CommandError::NotInteger)?;
    let (engine, digest) = (call.engine, digest.ok_or_else(missing)?);
    run(call, digest, inputs, access, || {
        engine.scripts.get(&digest).ok_or_else(missing)
    })
}

/// A script of this text, which has not been compiled yet.
pub(super) fn new_script(body: &[u8], digest: Digest) -> Result<Arc<Script>, CommandError> {
    match Script::new(body, digest) {
        Ok(script) => Ok(Arc::new(script)),
        Err(error) => Err(CommandError::message(format!("ERR {error}"))),
    }
}

impl From<NotCompiled> for CommandError {
    fn from(NotCompiled(error): NotCompiled) -> Self {
        CommandError::quoting("ERR Error compiling script (new function): ", &error, "")
    }
}

fn run(
    call: &mut Call,
    digest: Digest,
    inputs: Inputs<'_>,
    access: Access,
    find: impl FnOnce() -> Result<Arc<Script>, CommandError>,
) -> CommandResult {
    let engine = call.engine;
    let mut desk = Desk::of(call.session);
    // The script writes its own replies meanwhile.
    let mut reply = std::mem::take(call.reply);
    let result = run_script(
        &engine.scripts,
        &digest,
        inputs,
        &mut reply,
        find,
        |script, calls| {
            if let Some(calls) = calls {
                script.set_reach(match calls {
                    Ok(calls) if engine.keep_to_their_keys(&calls) => Reach::ItsKeys,
                    Ok(_) => Reach::Known,
                    Err(_) => Reach::Anything,
                });
            }
            match engine.scripts.contains(&digest) {
                true => script,
                false => engine.scripts.add(script, Keep::WhileUsed),
            }
        },
        |script| {
            engine.scripts.note_use(script);
            Caller::begin(
                call,
                &mut desk,
                Name::Script(&digest),
                script.flags,
                access == Access::ReadOnly,
            )
        },
    );
    *call.reply = reply;
    desk.leave(call.session);
    match result? {
        Ok(()) => Ok(()),
        Err(failure) => fail(call, Name::Script(&digest), failure),
    }
}
