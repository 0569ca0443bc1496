//! OBJECT: how a value is kept.

use super::super::help;
use crate::config::{Amount, Config, MaxmemoryPolicy};
use crate::engine::{
    Call, Command, CommandError, CommandResult, Group, KeySpec, flags::*, one_key,
};
use crate::keyspace::{EntryRef, ValueRef};

/// Integers below this are shared in Redis, and count as referred to by everybody.
const SHARED_INTEGERS: i64 = 10_000;

fn encoding(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    match call.db.look(key).map(|entry| entry.encoding()) {
        Some(name) => call.reply.bulk(name.as_bytes()),
        None => call.reply.null(),
    }
    Ok(())
}

fn frequency(call: &mut Call) -> CommandResult {
    let clock = call.db.access_clock();
    let Some(access) = access(call) else {
        return Ok(());
    };
    if !clock.is_lfu() {
        return Err(CommandError::text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    call.reply.integer(i64::from(clock.frequency(access)));
    Ok(())
}

fn idle_time(call: &mut Call) -> CommandResult {
    let clock = call.db.access_clock();
    let Some(access) = access(call) else {
        return Ok(());
    };
    if clock.is_lfu() {
        return Err(CommandError::text(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
             policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    call.reply.integer(i64::from(clock.idle_seconds(access)));
    Ok(())
}

/// The access field of the key; without a key the reply is null.
fn access(call: &mut Call) -> Option<u32> {
    let key = call.key(0);
    let access = call.db.look(key).map(|entry| entry.access());
    if access.is_none() {
        call.reply.null();
    }
    access
}

fn references(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let shares = shares_integers(call.config);
    match call.db.look(key).map(|entry| shares && is_small(entry)) {
        Some(true) => call.reply.integer(i64::from(i32::MAX)),
        Some(false) => call.reply.integer(1),
        None => call.reply.null(),
    }
    Ok(())
}

/// Redis shares integers unless it must know when each was last used.
fn shares_integers(config: &Config) -> bool {
    use MaxmemoryPolicy::*;
    let tracks_use = matches!(
        config.maxmemory_policy,
        VolatileLru | AllkeysLru | VolatileLfu | AllkeysLfu
    );
    config.maxmemory == Amount::Bytes(0) || !tracks_use
}

fn is_small(entry: EntryRef<'_>) -> bool {
    matches!(entry.value(), ValueRef::Int(0..SHARED_INTEGERS))
}

const KEY: &[KeySpec] = &[one_key(2, &["RO"])];
const TIPS: &[&str] = &["nondeterministic_output"];

/// OBJECT's subcommands.
pub(super) const SUBCOMMANDS: &[Command] = &[
    Command::new("ENCODING", Group::Generic, "key", encoding)
        .keys(KEY)
        .flags(READONLY)
        .tips(TIPS)
        .docs(
            "2.2.3",
            "O(1)",
            "Tells how a value is represented in memory.",
        ),
    Command::new("FREQ", Group::Generic, "key", frequency)
        .keys(KEY)
        .flags(READONLY)
        .tips(TIPS)
        .docs(
            "4.0.0",
            "O(1)",
            "Tells how often a key is used, as a logarithm.",
        ),
    Command::new("HELP", Group::Generic, "", help::help)
        .flags(LOADING | STALE)
        .docs("6.2.0", "O(1)", "Prints this help."),
    Command::new("IDLETIME", Group::Generic, "key", idle_time)
        .keys(KEY)
        .flags(READONLY)
        .tips(TIPS)
        .docs(
            "2.2.3",
            "O(1)",
            "Tells for how many seconds a key has not been used.",
        ),
    Command::new("REFCOUNT", Group::Generic, "key", references)
        .keys(KEY)
        .flags(READONLY)
        .tips(TIPS)
        .docs(
            "2.2.3",
            "O(1)",
            "Tells how many references there are to a value.",
        ),
];
