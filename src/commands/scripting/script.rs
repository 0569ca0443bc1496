//! SCRIPT: the cache of scripts, and the one that runs.

use super::eval::new_script;
use crate::engine::{Call, CommandError, CommandResult};
use crate::scripting::{Keep, compile, digest_of, forget_scripts, parse_digest};

pub(super) fn load(call: &mut Call) -> CommandResult {
    let body = call.args.at(2);
    let digest = digest_of(body);
    let script = match call.engine.scripts.get(&digest) {
        Some(script) => script,
        None => {
            let script = new_script(body, digest)?;
            compile(&script, &call.engine.scripts)?;
            script
        }
    };
    let script = call.engine.scripts.add(script, Keep::Always);
    call.reply.bulk(script.name().as_bytes());
    Ok(())
}

pub(super) fn exists(call: &mut Call) -> CommandResult {
    let digests = call.args.from(2);
    call.reply.array(digests.len());
    for digest in digests {
        let is_there =
            parse_digest(digest).is_some_and(|digest| call.engine.scripts.contains(&digest));
        call.reply.integer(i64::from(is_there));
    }
    Ok(())
}

pub(super) fn flush(call: &mut Call) -> CommandResult {
    let is_known = call.args.len() == 2
        || call.args.len() == 3 && (call.args.is(2, "SYNC") || call.args.is(2, "ASYNC"));
    if !is_known {
        return Err(CommandError::text(
            "ERR SCRIPT FLUSH only support SYNC|ASYNC option",
        ));
    }
    call.engine.scripts.flush();
    forget_scripts();
    call.reply.ok();
    Ok(())
}

pub(super) fn show(call: &mut Call) -> CommandResult {
    let digest = parse_digest(call.args.at(2));
    let script = digest.and_then(|digest| call.engine.scripts.get(&digest));
    let script = script
        .ok_or_else(|| CommandError::text("NOSCRIPT No matching script. Please use EVAL."))?;
    call.reply.bulk(&script.body);
    Ok(())
}

pub(super) fn kill(call: &mut Call) -> CommandResult {
    call.engine.busy.kill(false)?;
    call.reply.ok();
    Ok(())
}

/// There is no debugger; switching it off is fine.
pub(super) fn debug(call: &mut Call) -> CommandResult {
    if call.args.is(2, "NO") {
        call.reply.ok();
        return Ok(());
    }
    Err(CommandError::text(
        match call.args.is(2, "YES") || call.args.is(2, "SYNC") {
            true => "ERR The Lua debugger is not available",
            false => "ERR Use SCRIPT DEBUG YES/SYNC/NO",
        },
    ))
}
