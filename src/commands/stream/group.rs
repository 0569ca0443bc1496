//! XGROUP.

use super::super::help;
use super::{ids, no_group, note_change};
use crate::engine::{
    Call, Command, CommandError, CommandResult, Group as Family, KeySpec, event, flags::*, one_key,
};
use crate::structures::stream::{Group, Stream};

/// MKSTREAM and ENTRIESREAD.
#[derive(Default)]
struct Options {
    makes_stream: bool,
    entries_read: Option<u64>,
}

fn options(call: &Call, allows_stream: bool) -> Result<Options, CommandError> {
    let (mut options, mut at) = (Options::default(), 5);
    while at < call.args.len() {
        if allows_stream && call.args.is(at, "MKSTREAM") {
            options.makes_stream = true;
            at += 1;
        } else if call.args.is(at, "ENTRIESREAD") && at + 1 < call.args.len() {
            let read = call.integer(at + 1)?;
            if read < -1 {
                return Err(CommandError::text(
                    "ERR value for ENTRIESREAD must be positive or -1",
                ));
            }
            options.entries_read = u64::try_from(read).ok();
            at += 2;
        } else {
            return Err(call.subcommand_syntax());
        }
    }
    Ok(options)
}

fn no_stream() -> CommandError {
    CommandError::text(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM \
         option to create an empty stream automatically.",
    )
}

/// The stream of a subcommand that needs one with this group.
fn stream_with_group<'c>(call: &'c mut Call) -> Result<&'c mut Stream, CommandError> {
    let (key, name) = (call.key(0), call.args.at(3));
    let stream = call.db.change_as::<Stream>(key)?.ok_or_else(no_stream)?;
    match stream.group(name) {
        Some(_) => Ok(stream),
        None => Err(no_group(key.bytes, name)),
    }
}

fn create(call: &mut Call) -> CommandResult {
    let options = options(call, true)?;
    let (key, name, word) = (call.key(0), call.args.at(3), call.args.at(4));
    let last = call.db.change_as::<Stream>(key)?;
    let last = last.map(|stream| stream.log().counters().last_id);
    if last.is_none() && !options.makes_stream {
        return Err(no_stream());
    }
    if call.args.len() > 8 {
        return Err(call.subcommand_syntax());
    }
    let id = match word {
        b"$" => last.unwrap_or_default(),
        _ => ids::strict(word, 0)?,
    };
    let (stream, is_new) = call.db.make_as::<Stream>(key)?;
    if stream.group(name).is_some() {
        return Err(CommandError::text(
            "BUSYGROUP Consumer Group name already exists",
        ));
    }
    let group = Group::new(id, options.entries_read);
    stream.groups_mut().insert(name.into(), group);
    call.reply.ok();
    if is_new {
        call.created(key);
        call.touched(key);
    }
    note_change(call, key, Some(event::stream("xgroup-create")));
    Ok(())
}

fn set_id(call: &mut Call) -> CommandResult {
    let options = options(call, false)?;
    let (key, name, word) = (call.key(0), call.args.at(3), call.args.at(4));
    let has_right_length = matches!(call.args.len(), 5 | 7);
    let syntax = call.subcommand_syntax();
    let stream = stream_with_group(call)?;
    if !has_right_length {
        return Err(syntax);
    }
    let Some((log, group)) = stream.group_mut(name) else {
        return Ok(());
    };
    group.last_id = match word {
        b"$" => log.counters().last_id,
        _ => ids::any(word, 0)?,
    };
    group.entries_read = options.entries_read;
    call.reply.ok();
    note_change(call, key, Some(event::stream("xgroup-setid")));
    Ok(())
}

fn destroy(call: &mut Call) -> CommandResult {
    let (key, name) = (call.key(0), call.args.at(3));
    let stream = call.db.change_as::<Stream>(key)?.ok_or_else(no_stream)?;
    let is_gone = stream.groups_mut().remove(name).is_some();
    call.reply.integer(i64::from(is_gone));
    if is_gone {
        note_change(call, key, Some(event::stream("xgroup-destroy")));
        // Those who wait for the group hear of its end.
        if !call.engine.blocked.is_empty() {
            call.effects.note_ready(call.db.index(), key.bytes);
        }
    }
    Ok(())
}

fn create_consumer(call: &mut Call) -> CommandResult {
    let (key, name, consumer) = (call.key(0), call.args.at(3), call.args.at(4));
    let now = call.db.now();
    let stream = stream_with_group(call)?;
    let group = stream.group_mut(name);
    let is_new = group.is_some_and(|(_, group)| group.find_or_make(consumer, now).1);
    call.reply.integer(i64::from(is_new));
    if is_new {
        note_change(call, key, Some(event::stream("xgroup-createconsumer")));
    }
    Ok(())
}

fn delete_consumer(call: &mut Call) -> CommandResult {
    let (key, name, consumer) = (call.key(0), call.args.at(3), call.args.at(4));
    let stream = stream_with_group(call)?;
    let pending = stream
        .group_mut(name)
        .and_then(|(_, group)| group.remove_consumer(consumer));
    call.reply.count(pending.unwrap_or(0));
    if pending.is_some() {
        note_change(call, key, Some(event::stream("xgroup-delconsumer")));
    }
    Ok(())
}

const INSERTED: &[KeySpec] = &[one_key(2, &["RW", "insert"])];
const DELETED: &[KeySpec] = &[one_key(2, &["RW", "delete"])];
const UPDATED: &[KeySpec] = &[one_key(2, &["RW", "update"])];

/// XGROUP's subcommands.
pub(super) const SUBCOMMANDS: &[Command] = &[
    Command::new(
        "CREATE",
        Family::Stream,
        "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
        create,
    )
    .keys(INSERTED)
    .flags(WRITE | DENYOOM)
    .docs("5.0.0", "O(1)", "Makes a consumer group."),
    Command::new(
        "CREATECONSUMER",
        Family::Stream,
        "key group consumer",
        create_consumer,
    )
    .keys(INSERTED)
    .flags(WRITE | DENYOOM)
    .docs("6.2.0", "O(1)", "Makes a consumer of a group."),
    Command::new(
        "DELCONSUMER",
        Family::Stream,
        "key group consumer",
        delete_consumer,
    )
    .keys(DELETED)
    .flags(WRITE)
    .docs(
        "5.0.0",
        "O(1)",
        "Removes a consumer from a group, with what it has not acknowledged.",
    ),
    Command::new("DESTROY", Family::Stream, "key group", destroy)
        .keys(DELETED)
        .flags(WRITE)
        .docs(
            "5.0.0",
            "O(N) in the number of entries that the group has not acknowledged",
            "Removes a consumer group.",
        ),
    Command::new("HELP", Family::Stream, "", help::help)
        .flags(LOADING | STALE)
        .docs("5.0.0", "O(1)", "Prints this help."),
    Command::new(
        "SETID",
        Family::Stream,
        "key group <id | $> [ENTRIESREAD entries-read]",
        set_id,
    )
    .keys(UPDATED)
    .flags(WRITE)
    .docs("5.0.0", "O(1)", "Sets how far a consumer group has read."),
];
