//! COMMAND GETKEYS and COMMAND GETKEYSANDFLAGS.

use super::info::key_flags;
use crate::engine::{Call, CommandError, CommandResult, Spec, flags};
use crate::resp::args::{Args, OwnedArgs};

pub(super) fn getkeys(call: &mut Call) -> CommandResult {
    let inner = OwnedArgs::copy(call.args.from(2));
    let keys = keys_of(call, inner.view())?;
    call.reply.array(keys.len());
    for (at, _) in keys {
        call.reply.bulk(inner.view().at(at));
    }
    Ok(())
}

pub(super) fn getkeysandflags(call: &mut Call) -> CommandResult {
    let inner = OwnedArgs::copy(call.args.from(2));
    let keys = keys_of(call, inner.view())?;
    call.reply.array(keys.len());
    for (at, flags) in keys {
        call.reply.array(2);
        call.reply.bulk(inner.view().at(at));
        key_flags(call.reply, flags);
    }
    Ok(())
}

type Keys = Vec<(usize, &'static [&'static str])>;

fn keys_of(call: &Call, args: Args<'_>) -> Result<Keys, CommandError> {
    let spec = call
        .engine
        .commands
        .resolve(args)
        .ok_or_else(|| CommandError::text("ERR Invalid command specified"))?;
    if spec.command.keys.iter().all(|key| !key.is_key()) {
        return Err(CommandError::text("ERR The command has no key arguments"));
    }
    if !spec.accepts(args.len()) {
        return Err(CommandError::text(
            "ERR Invalid number of arguments specified for command",
        ));
    }
    let keys = found(spec, args);
    if keys.is_empty() && !spec.has(flags::NO_MANDATORY_KEYS) {
        return Err(CommandError::text(
            "ERR Invalid arguments specified for command",
        ));
    }
    Ok(keys)
}

fn found(spec: &Spec, args: Args<'_>) -> Keys {
    let mut keys = Keys::new();
    if !spec.for_each_key_used(args, |at, flags| keys.push((at, flags))) {
        keys.clear();
    }
    keys
}
