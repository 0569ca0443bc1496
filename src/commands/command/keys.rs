//! COMMAND GETKEYS and COMMAND GETKEYSANDFLAGS.

use super::info::key_flags;
use crate::engine::{Call, CommandError, CommandResult, KnownKeys, Spec, flags};
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
        .ok_or(CommandError::text("ERR Invalid command specified"))?;
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

/// Keys that the specifications leave unknown belong to the last of them that is about changing, since what is read besides is
/// named by patterns.
fn known(spec: &Spec, args: Args<'_>, known_keys: KnownKeys) -> Keys {
    let mut places = Vec::new();
    known_keys(args, &mut |at| places.push(at));
    let specs = spec.command.keys;
    let written = specs.iter().rfind(|key| key.flags.contains(&"OW"));
    let first = specs.first().into_iter();
    let flags = first.clone().chain(written).chain(first.cycle());
    let flags = flags.map(|key| key.flags);
    places.into_iter().zip(flags).collect()
}

fn found(spec: &Spec, args: Args<'_>) -> Keys {
    if let Some(known_keys) = spec.command.known_keys {
        return known(spec, args, known_keys);
    }
    let mut keys = Keys::new();
    let makes_sense = spec.for_each_key(args, |at, key| {
        if key.is_key() {
            let varying = spec.command.key_flags;
            let flags = varying.map_or(key.flags, |flags_of| flags_of(args));
            keys.push((at, flags));
        }
    });
    if !makes_sense {
        keys.clear();
    }
    keys
}
