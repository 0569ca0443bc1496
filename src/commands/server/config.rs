//! CONFIG: reading, changing and writing back the configuration.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::super::help::help;
use super::permission;
use crate::base::machine::error_text;
use crate::config::{Apply, Config, Directive, Extent, SetError};
use crate::engine::{Call, Command, CommandError, CommandResult, Group, flags::*};
use crate::resp::args::Args;

fn get(call: &mut Call) -> CommandResult {
    let patterns: Vec<&[u8]> = call.args.from(2).collect();
    // The one in force, not the call's: CONFIG SET may stand before this in the same transaction.
    let found = call.engine.config.load().get(&patterns);
    call.reply.map(found.len());
    for (name, value) in found {
        call.reply.bulk(name.as_bytes());
        call.reply.bulk(value.as_bytes());
    }
    Ok(())
}

fn set(call: &mut Call) -> CommandResult {
    if !call.args.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let names = call.args.from(2).step_by(2);
    let pairs: Vec<_> = names.zip(call.args.from(3).step_by(2)).collect();
    if call.engine.is_loading() && pairs.iter().any(|(name, _)| is_refused_while_loading(name)) {
        return Err(CommandError::Loading);
    }
    let old = call.engine.config.snapshot();
    let (new, changed) = old
        .with_from(&pairs, permission::caller(&call.session.client))
        .map_err(|error| match error {
            SetError::Unknown(name) => CommandError::quoting(
                "ERR Unknown option or number of arguments for CONFIG SET - '",
                &name,
                "'",
            ),
            other => CommandError::message(format!("ERR {other}")),
        })?;
    let new = Arc::new(new);
    call.engine.config.replace(Config::clone(&new));
    apply(call, &old, &new, &changed)?;
    call.reply.ok();
    Ok(())
}

/// Values of directives that hold a secret.
fn secrets(args: Args<'_>, show: &mut dyn FnMut(usize)) {
    let values = (3..args.len()).step_by(2);
    let of_secrets = values.filter(|&at| {
        let name = std::str::from_utf8(args.at(at - 1)).ok();
        let directive = name.and_then(Directive::by_name);
        directive.is_some_and(Directive::is_sensitive)
    });
    of_secrets.for_each(show);
}

fn is_refused_while_loading(name: &[u8]) -> bool {
    std::str::from_utf8(name)
        .ok()
        .and_then(Directive::by_name)
        .is_some_and(Directive::is_refused_while_loading)
}

/// Has the server act on what has changed, or takes everything back.
fn apply(call: &Call, old: &Config, new: &Config, changed: &[&Directive]) -> CommandResult {
    let Some(hooks) = call.engine.hooks.get() else {
        return Ok(());
    };
    let mut applied: Vec<Apply> = Vec::new();
    for directive in changed {
        let action = directive.apply();
        if action == Apply::Nothing || applied.contains(&action) {
            continue;
        }
        applied.push(action);
        let Err(reason) = hooks.apply(call.engine, old, new, &[action]) else {
            continue;
        };
        let name = directive.name();
        tracing::warn!(
            "Failed applying new configuration. Possibly related to new {name} setting. Restoring previous settings."
        );
        call.engine.config.replace(old.clone());
        if let Err(error) = hooks.apply(call.engine, new, old, &applied) {
            tracing::error!("The previous settings cannot be restored: {error}");
        }
        return Err(CommandError::message(format!(
            "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
        )));
    }
    Ok(())
}

fn rewrite(call: &mut Call) -> CommandResult {
    write_file(call, Extent::Changed)
}

/// Brings the file up to date.
pub(super) fn write_file(call: &mut Call, extent: Extent) -> CommandResult {
    let config = call.engine.config.load();
    let Some(file) = &config.file else {
        return Err(CommandError::text(
            "ERR The server is running without a config file",
        ));
    };
    let users = call.engine.acl.users();
    let mut with_users = Config::clone(&config);
    with_users.users = users.values().map(|user| user.words()).collect();
    if let Err(error) = with_users.rewrite_file(file, extent) {
        let reason = error_text(&error);
        tracing::warn!("CONFIG REWRITE failed: {reason}");
        return Err(CommandError::message(format!(
            "ERR Rewriting config file: {reason}"
        )));
    }
    tracing::info!("CONFIG REWRITE executed with success.");
    call.reply.ok();
    Ok(())
}

fn reset_stat(call: &mut Call) -> CommandResult {
    call.engine.stats.reset();
    call.engine.memory.reset();
    let aof = &call.engine.aof;
    for count in [&aof.rewrites, &aof.failed_rewrites, &aof.delayed_syncs] {
        count.store(0, Relaxed);
    }
    call.engine.reclaimer.reset();
    call.reply.ok();
    Ok(())
}

const SUBCOMMANDS: &[Command] = &[
    Command::new("GET", Group::Server, "parameter [parameter ...]", get)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .docs(
            "2.0.0",
            "O(N) in the number of parameters",
            "Shows configuration parameters and their values.",
        ),
    Command::new("HELP", Group::Server, "", help)
        .flags(LOADING | STALE)
        .docs("5.0.0", "O(1)", "Explains the subcommands."),
    Command::new("RESETSTAT", Group::Server, "", reset_stat)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .docs("2.0.0", "O(1)", "Sets the server's counters back to zero."),
    Command::new("REWRITE", Group::Server, "", rewrite)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .docs(
            "2.8.0",
            "O(1)",
            "Writes the configuration in force into the configuration file.",
        ),
    // Alone, so that changes follow each other and no command sees half of one.
    Command::new(
        "SET",
        Group::Server,
        "parameter value [parameter value ...]",
        set,
    )
    .flags(ADMIN | NOSCRIPT | LOADING | STALE | ALONE)
    .secrets(secrets)
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
    .docs(
        "2.0.0",
        "O(N) in the number of parameters",
        "Changes configuration parameters, all or none.",
    ),
];

/// CONFIG.
pub(super) const CONFIG: Command = Command::container("CONFIG", Group::Server, SUBCOMMANDS).docs(
    "2.0.0",
    "Depends on subcommand.",
    "Groups the commands about the configuration.",
);
