//! Users: set, shown, removed. Whoever changes them is alone behind the gate.

use crate::acl::{DEFAULT_USER, Refused, Selector, is_name};
use crate::engine::{Call, CommandError, CommandResult, defaults};

pub(super) fn setuser(call: &mut Call) -> CommandResult {
    let name = call.args.at(2);
    if !is_name(name) {
        return Err(CommandError::text(
            "ERR Usernames can't contain spaces or null characters",
        ));
    }
    let defaults = defaults(&call.engine.config.load());
    let changed = call.engine.acl.set(name, defaults, call.args.from(3));
    let (old, new) = changed.map_err(|refused| match refused {
        Refused::Unmatched(word) => CommandError::quoting(
            "ERR Unmatched parenthesis in acl selector starting at '",
            &word,
            "'.",
        ),
        Refused::Rule(rule, error) => CommandError::quoting(
            "ERR Error in ACL SETUSER modifier '",
            &rule,
            &format!("': {error}"),
        ),
    })?;
    if old.is_some_and(|old| !old.keeps_channels_as(&new)) {
        call.engine.close_listeners(&new, call.session);
    }
    call.reply.ok();
    Ok(())
}

pub(super) fn deluser(call: &mut Call) -> CommandResult {
    let mut names = call.args.from(2);
    if names.any(|name| name == DEFAULT_USER.as_bytes()) {
        return Err(CommandError::text(
            "ERR The 'default' user cannot be removed",
        ));
    }
    let mut removed = 0;
    for name in call.args.from(2) {
        if call.engine.acl.remove(name).is_some() {
            call.engine.close_clients_of(name, call.session);
            removed += 1;
        }
    }
    call.reply.integer(removed);
    Ok(())
}

pub(super) fn getuser(call: &mut Call) -> CommandResult {
    let Some(user) = call.engine.acl.get(call.args.at(2)) else {
        call.reply.null();
        return Ok(());
    };
    call.reply.map(6);
    call.reply.bulk(b"flags");
    let flags = user.flags();
    call.reply.set(flags.len());
    flags
        .iter()
        .for_each(|flag| call.reply.bulk(flag.as_bytes()));
    call.reply.bulk(b"passwords");
    let passwords = user.passwords();
    call.reply.array(passwords.len());
    passwords.for_each(|hash| call.reply.bulk(hash.as_bytes()));
    show(call, user.root());
    call.reply.bulk(b"selectors");
    call.reply.array(user.selectors().len());
    for selector in user.selectors() {
        call.reply.map(3);
        show(call, selector);
    }
    Ok(())
}

fn show(call: &mut Call, selector: &Selector) {
    let fields = [
        ("commands", selector.command_rules().into_bytes()),
        ("keys", selector.key_rules()),
        ("channels", selector.channel_rules()),
    ];
    for (name, rules) in fields {
        call.reply.bulk(name.as_bytes());
        call.reply.bulk(&rules);
    }
}

pub(super) fn list(call: &mut Call) -> CommandResult {
    let users = call.engine.acl.users();
    call.reply.array(users.len());
    for user in users.values() {
        let line = [b"user ", user.name(), b" ", &user.describe()].concat();
        call.reply.bulk(&line);
    }
    Ok(())
}

pub(super) fn users(call: &mut Call) -> CommandResult {
    let users = call.engine.acl.users();
    call.reply.array(users.len());
    users.keys().for_each(|name| call.reply.bulk(name));
    Ok(())
}
