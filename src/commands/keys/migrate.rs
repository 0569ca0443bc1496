//! MIGRATE: keys move to another server. See `engine/transfer.rs` for how a worker goes on meanwhile.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::transfer::{Delivery, Packed, Parcel, Transfer};
use crate::engine::{Call, CommandError, CommandResult, Wait, Wants, event};
use crate::journal::write_command;
use crate::persistence::rdb;
use crate::resp::args::Args;

/// The first option.
const OPTIONS: usize = 6;
/// How often keys are sent again that change while they are on their way.
const ROUNDS: u32 = 16;

/// MIGRATE's options.
#[derive(Default)]
struct Options<'r> {
    copies: bool,
    replaces: bool,
    login: Option<Vec<&'r [u8]>>,
}

impl<'r> Options<'r> {
    fn parse(args: Args<'r>) -> Result<Self, CommandError> {
        let (mut options, mut at) = (Self::default(), OPTIONS);
        let words = |at, count| match at + count < args.len() {
            true => Ok(args.from(at + 1).take(count)),
            false => Err(CommandError::Syntax),
        };
        while at < args.len() {
            if args.is(at, "COPY") {
                options.copies = true;
            } else if args.is(at, "REPLACE") {
                options.replaces = true;
            } else if args.is(at, "AUTH") {
                options.login = Some(words(at, 1)?.collect());
                at += 1;
            } else if args.is(at, "AUTH2") {
                options.login = Some(words(at, 2)?.collect());
                at += 2;
            } else if args.is(at, "KEYS") {
                if !args.at(3).is_empty() {
                    return Err(CommandError::text(
                        "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
                    ));
                }
                break;
            } else {
                return Err(CommandError::Syntax);
            }
            at += 1;
        }
        Ok(options)
    }

    /// AUTH, as it is sent.
    fn login(&self) -> Option<Vec<u8>> {
        let words = self.login.as_ref()?;
        let (mut out, mut args) = (Vec::new(), vec![&b"AUTH"[..]]);
        args.extend(words);
        write_command(&mut out, args.into_iter());
        Some(out)
    }
}

/// Shows where options begin that are not an option's value.
fn for_each_option(args: Args<'_>, mut show: impl FnMut(usize)) {
    let mut at = OPTIONS;
    while at < args.len() {
        show(at);
        at += match () {
            _ if args.is(at, "KEYS") => return,
            _ if args.is(at, "AUTH") => 2,
            _ if args.is(at, "AUTH2") => 3,
            _ => 1,
        };
    }
}

/// The keys: those behind KEYS, or the one.
pub(super) fn known_keys(args: Args<'_>, show: &mut dyn FnMut(usize)) -> bool {
    let mut list = None;
    for_each_option(args, |at| {
        if args.is(at, "KEYS") {
            list = Some(at + 1);
        }
    });
    match list.filter(|_| args.get(3).is_some_and(<[u8]>::is_empty)) {
        Some(first) => (first..args.len()).for_each(show),
        None if args.len() > 3 => show(3),
        None => {}
    }
    true
}

/// Passwords and users' names.
pub(super) fn secrets(args: Args<'_>, show: &mut dyn FnMut(usize)) {
    for_each_option(args, |at| {
        let count = match () {
            _ if args.is(at, "AUTH") => 1,
            _ if args.is(at, "AUTH2") => 2,
            _ => 0,
        };
        (at + 1..=at + count)
            .filter(|at| *at < args.len())
            .for_each(&mut *show);
    });
}

pub(super) fn migrate(call: &mut Call) -> CommandResult {
    let options = Options::parse(call.args)?;
    if call.is_retry {
        return go_on(call, &options);
    }
    call.integer(5)?;
    call.integer(4)?;
    let all = 0..call.keys.len();
    let present: Vec<usize> = all
        .filter(|&n| {
            let key = call.key(n);
            call.note_miss(key);
            call.db.read(key).is_some()
        })
        .collect();
    if present.is_empty() {
        call.reply.simple("NOKEY");
        return Ok(());
    }
    if call.is_nested {
        return Err(CommandError::text(
            "ERR MIGRATE waits for another server, which a transaction or script cannot",
        ));
    }
    send(call, &options, &present, 0)
}

/// Sends keys, and waits.
fn send(call: &mut Call, options: &Options<'_>, keys: &[usize], rounds: u32) -> CommandResult {
    let timeout = match call.integer(5)? {
        ..=0 => 1000,
        milliseconds => milliseconds.unsigned_abs(),
    };
    let mut parcel = Parcel {
        host: String::from_utf8_lossy(call.args.at(1)).into_owned(),
        port: (std::str::from_utf8(call.args.at(2)).ok())
            .and_then(|port| port.parse().ok())
            .unwrap_or(0),
        timeout: Duration::from_millis(timeout),
        login: options.login(),
        database: call.integer(4)?,
        source: call.db.index(),
        commands: Vec::with_capacity(keys.len()),
    };
    // What is sent again is there already.
    let replaces = options.replaces || rounds > 0;
    let mut packed = Vec::with_capacity(keys.len());
    for &key in keys {
        if let Some((item, command)) = pack(call, key, replaces) {
            packed.push(item);
            parcel.commands.push(command);
        }
    }
    let Some(hooks) = call.engine.hooks.get() else {
        return Err(CommandError::text(
            "IOERR error or timeout connecting to the client",
        ));
    };
    let (parcel, client) = (Arc::new(parcel), call.session.client.clone());
    let transfer = Transfer::new(parcel.clone(), packed, rounds);
    call.engine.transfers.begin(client.id, transfer);
    hooks.send(parcel, client);
    call.block(Wait {
        keys: 0,
        ..Wait::on(Wants::Delivery, None)
    });
    Ok(())
}

/// A key's RESTORE.
fn pack(call: &mut Call, n: usize, replaces: bool) -> Option<(Packed, Vec<u8>)> {
    let (key, now, packs) = (call.key(n), call.db.now(), call.config.rdbcompression);
    let entry = call.db.peek(key)?;
    let expires_at = entry.expires_at();
    let value = rdb::dump(entry.value(), packs);
    let mut number = itoa::Buffer::new();
    let ttl = number.format(expires_at.map_or(0, |at| at.saturating_sub(now).max(1)));
    let mut args = vec![&b"RESTORE"[..], key.bytes, ttl.as_bytes(), &value];
    let mut behind = b"\r\n".len();
    if replaces {
        args.push(b"REPLACE");
        behind += b"$7\r\nREPLACE\r\n".len();
    }
    let mut command = Vec::with_capacity(key.bytes.len() + value.len() + 100);
    write_command(&mut command, args.into_iter());
    let end = command.len() - behind;
    let item = Packed {
        key: n,
        expires_at,
        value: end - value.len()..end,
    };
    Some((item, command))
}

/// Run again: deletes what has arrived, sends again what has changed meanwhile, or waits on.
fn go_on(call: &mut Call, options: &Options<'_>) -> CommandResult {
    let client = call.session.client.id;
    let Some((transfer, delivery)) = call.engine.transfers.take(client) else {
        call.block(Wait {
            keys: 0,
            ..Wait::on(Wants::Delivery, None)
        });
        return Ok(());
    };
    let mut changed = Vec::new();
    if !options.copies {
        changed = delete(call, &transfer, &delivery);
    }
    if let Some(error) = delivery.error {
        return fail(call, error);
    }
    if changed.is_empty() {
        call.reply.ok();
        return Ok(());
    }
    if transfer.rounds >= ROUNDS {
        let text = "ERR Keys changed each time while they were being sent; they are kept here";
        return fail(call, text.into());
    }
    send(call, options, &changed, transfer.rounds + 1)
}

/// What has been deleted stays so; that is why this is a reply.
fn fail(call: &mut Call, error: String) -> CommandResult {
    match call.effects.dirty {
        0 => Err(CommandError::message(error)),
        _ => {
            call.reply.error(error.as_bytes());
            Ok(())
        }
    }
}

/// Deletes what has been accepted; gives the keys that are no longer what was sent.
fn delete(call: &mut Call, transfer: &Transfer, delivery: &Delivery) -> Vec<usize> {
    let packs = call.config.rdbcompression;
    let (mut changed, mut deleted) = (Vec::new(), vec![&b"DEL"[..]]);
    let accepted = delivery.accepted.iter().copied();
    let sent = transfer.keys.iter().zip(&transfer.parcel.commands);
    for ((item, command), _) in sent.zip(accepted).filter(|(_, accepted)| *accepted) {
        let key = call.key(item.key);
        let Some(entry) = call.db.peek(key) else {
            continue;
        };
        let is_same = entry.expires_at() == item.expires_at
            && command.get(item.value.clone()) == Some(&rdb::dump(entry.value(), packs));
        if !is_same {
            changed.push(item.key);
        } else if let Some(entry) = call.db.remove(key) {
            call.engine.reclaimer.free(entry);
            call.changed(key, event::generic("del"));
            deleted.push(key.bytes);
        }
    }
    if deleted.len() > 1 {
        call.replay_as(&deleted);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::OwnedArgs;

    #[test]
    fn keys_and_secrets_are_told_from_words_that_look_like_options() {
        let rows: &[(&str, &[usize], &[usize])] = &[
            ("MIGRATE h 1 key 0 10", &[3], &[]),
            ("MIGRATE h 1 key 0 10 COPY AUTH keys", &[3], &[8]),
            (
                "MIGRATE h 1 key 0 10 AUTH2 keys auth REPLACE",
                &[3],
                &[7, 8],
            ),
            ("MIGRATE h 1 key 0 10 KEYS a", &[3], &[]),
            ("MIGRATE h 1  0 10 KEYS a AUTH b", &[7, 8, 9], &[]),
            ("MIGRATE h 1  0 10 AUTH keys KEYS a", &[9], &[7]),
            ("MIGRATE h 1  0 10 AUTH", &[3], &[]),
        ];
        for (line, keys, hidden) in rows {
            let args = OwnedArgs::copy(line.split(' ').map(str::as_bytes));
            let (mut shown, mut secret) = (Vec::new(), Vec::new());
            known_keys(args.view(), &mut |at| shown.push(at));
            secrets(args.view(), &mut |at| secret.push(at));
            assert_eq!((&shown[..], &secret[..]), (*keys, *hidden), "{line}");
        }
    }
}
