//! CLIENT LIST and CLIENT INFO: one line per client, its fields in Redis's order.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use super::filter::Filter;
use crate::engine::tracking::mode;
use crate::engine::{Call, Client, CommandResult, Engine, flag};

/// Letters of the `flags` field, in its order.
const LETTERS: &[(u32, char)] = &[
    (flag::MONITOR, 'O'),
    (flag::PUBSUB, 'P'),
    (flag::MULTI, 'x'),
    (flag::BLOCKED | flag::POSTPONED, 'b'),
];
/// Those behind `d`, which is no flag of its own.
const MORE_LETTERS: &[(u32, char)] = &[
    (flag::CLOSE_AFTER_REPLY, 'c'),
    (flag::UNIX_SOCKET, 'U'),
    (flag::NO_EVICT, 'e'),
    (flag::NO_TOUCH, 'T'),
    (flag::IMPORT_SOURCE, 'I'),
];

pub(super) fn info(call: &mut Call) -> CommandResult {
    let client = call.session.client.clone();
    let line = describe_own(call, &client);
    call.reply.verbatim("txt", line.as_bytes());
    Ok(())
}

pub(super) fn list(call: &mut Call) -> CommandResult {
    let filter = Filter::of_list(call)?;
    let mut lines = String::new();
    for client in filter.choose(call) {
        lines += &match client.id == call.session.client.id {
            true => describe_own(call, &client),
            false => describe(call.engine, &client, call.db.now(), 0),
        };
    }
    call.reply.verbatim("txt", lines.as_bytes());
    Ok(())
}

/// The letters of a client's flags, or `N`.
pub(super) fn letters(client: &Client) -> String {
    let flags = client.flags.load(Relaxed);
    let known = |table: &'static [(u32, char)]| {
        table
            .iter()
            .filter(move |(bits, _)| flags & bits != 0)
            .map(|(_, letter)| *letter)
    };
    let letters: String = known(LETTERS)
        .chain(tracking_letters(client))
        .chain(client.is_watch_broken().then_some('d'))
        .chain(known(MORE_LETTERS))
        .collect();
    match letters.is_empty() {
        true => "N".into(),
        false => letters,
    }
}

/// The letters of what a client understands.
pub(super) fn capabilities(client: &Client) -> &'static str {
    match client.has_flag(flag::CAPA_REDIRECT) {
        true => "r",
        false => "",
    }
}

fn tracking_letters(client: &Client) -> impl Iterator<Item = char> {
    let tracking = client.tracking.load(Relaxed);
    let letters = [(mode::ON, 't'), (mode::BROKEN, 'R'), (mode::BROADCAST, 'B')];
    let shown = letters
        .into_iter()
        .filter(move |(bit, _)| tracking & bit != 0);
    shown.map(|(_, letter)| letter)
}

fn describe_own(call: &Call, client: &Client) -> String {
    describe(call.engine, client, call.db.now(), call.args.bytes() as u64)
}

/// A client's line; the arguments of the command that it runs right now take `running` bytes.
pub(super) fn describe(engine: &Engine, client: &Client, now: i64, running: u64) -> String {
    let seconds_since = |at: i64| (now - at).max(0) / 1000;
    let number = |count: &std::sync::atomic::AtomicU64| count.load(Relaxed);
    let names = client.names.lock();
    let commands = engine.commands.all();
    let command = commands.get(client.last_command.load(Relaxed) as usize);
    let output = number(&client.output_bytes);
    let argv = running + number(&client.argv_bytes);
    let mut line = String::with_capacity(400);
    let written = writeln!(
        line,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} \
         qbuf={} qbuf-free={} argv-mem={argv} multi-mem={} rbs=0 rbp=0 obl=0 oll={} omem={output} tot-mem={} events={} cmd={} \
         user={} redir={} resp={} lib-name={} lib-ver={} watch={} io-thread={} \
         tot-net-in={} tot-net-out={} tot-cmds={}",
        client.id,
        client.address,
        client.local_address,
        client.fd,
        String::from_utf8_lossy(&names.name),
        seconds_since(client.created_ms),
        seconds_since(client.last_active_ms.load(Relaxed)),
        letters(client),
        client.database.load(Relaxed),
        client.channels.load(Relaxed),
        client.patterns.load(Relaxed),
        client.shard_channels.load(Relaxed),
        client.queued.load(Relaxed),
        number(&client.query_buffer),
        number(&client.query_buffer_free),
        number(&client.queued_bytes),
        number(&client.output_pieces),
        client.allocated() + running,
        if output > 0 { "rw" } else { "r" },
        command.map_or("NULL", |spec| &spec.name),
        String::from_utf8_lossy(&names.user),
        match client.tracking.load(Relaxed) & mode::ON {
            0 => -1,
            _ => client.redirect.load(Relaxed) as i64,
        },
        if client.is_resp3.load(Relaxed) { 3 } else { 2 },
        String::from_utf8_lossy(&names.lib_name),
        String::from_utf8_lossy(&names.lib_version),
        // Where it does not stand between those that Redis 7.0 has, too.
        client.watched.load(Relaxed),
        client.worker,
        number(&client.bytes_in),
        number(&client.bytes_out),
        number(&client.commands),
    );
    debug_assert!(written.is_ok());
    line
}
