//! MEMORY: what keys and the server take.

use super::super::help::help;
use super::footprint::{Database, Footprint, Gap};
use crate::base::alloc;
use crate::engine::{Call, Command, CommandError, CommandResult, Group, Mail, flags::*, one_key};

fn usage(call: &mut Call) -> CommandResult {
    let mut at = 3;
    while at < call.args.len() {
        // Nested values are counted in full, whatever the number of samples.
        let is_samples = call.args.is(at, "SAMPLES") && at + 1 < call.args.len();
        if !is_samples || call.integer(at + 1)? < 0 {
            return Err(CommandError::Syntax);
        }
        at += 2;
    }
    match call.db.footprint(call.key(0)) {
        Some(bytes) => call.reply.count(bytes),
        None => call.reply.null(),
    }
    Ok(())
}

/// A figure of MEMORY STATS.
enum Figure {
    Bytes(u64),
    Difference(i64),
    Ratio(f64),
}

use Figure::{Bytes, Difference, Ratio};

/// A figure's name, and how it is told.
type Row = (&'static str, fn(&Footprint) -> Figure);

/// The figures before those of the databases.
const CONSUMERS: &[Row] = &[
    ("peak.allocated", |footprint| Bytes(footprint.peak)),
    ("total.allocated", |footprint| Bytes(footprint.used)),
    ("startup.allocated", |footprint| Bytes(footprint.startup)),
    ("replication.backlog", |_| Bytes(0)),
    ("clients.slaves", |_| Bytes(0)),
    ("clients.normal", |footprint| Bytes(footprint.clients)),
    ("cluster.links", |_| Bytes(0)),
    ("aof.buffer", |footprint| Bytes(footprint.journal)),
    ("lua.caches", |footprint| Bytes(footprint.scripts)),
    ("functions.caches", |footprint| Bytes(footprint.functions)),
];

/// The figures behind those of the databases.
const TOTALS: &[Row] = &[
    ("overhead.db.hashtable.lut", |footprint| {
        Bytes(footprint.tables)
    }),
    // Tables grow and shrink segment by segment, with nothing held twice.
    ("overhead.db.hashtable.rehashing", |_| Bytes(0)),
    ("overhead.total", |footprint| Bytes(footprint.overhead())),
    ("db.dict.rehashing.count", |_| Bytes(0)),
    ("keys.count", |footprint| Bytes(footprint.keys)),
    ("keys.bytes-per-key", |footprint| Bytes(footprint.per_key())),
    ("dataset.bytes", |footprint| Bytes(footprint.dataset())),
    ("dataset.percentage", |footprint| {
        Ratio(footprint.dataset_percent())
    }),
    ("peak.percentage", |footprint| {
        Ratio(footprint.peak_percent())
    }),
    ("allocator.allocated", |footprint| Bytes(footprint.used)),
    ("allocator.active", |footprint| Bytes(footprint.committed)),
    ("allocator.resident", |footprint| Bytes(footprint.resident)),
    // What is given back is given back at once.
    ("allocator.muzzy", |_| Bytes(0)),
    ("allocator-fragmentation.ratio", |footprint| {
        Ratio(footprint.held().ratio)
    }),
    ("allocator-fragmentation.bytes", |footprint| {
        Difference(footprint.held().bytes)
    }),
    ("allocator-rss.ratio", |footprint| {
        Ratio(footprint.untouched().ratio)
    }),
    ("allocator-rss.bytes", |footprint| {
        Difference(footprint.untouched().bytes)
    }),
    ("rss-overhead.ratio", |_| Ratio(1.0)),
    ("rss-overhead.bytes", |_| Difference(0)),
    ("fragmentation", |footprint| {
        Ratio(footprint.fragmentation().ratio)
    }),
    ("fragmentation.bytes", |footprint| {
        Difference(footprint.fragmentation().bytes)
    }),
];

fn tell(call: &mut Call, footprint: &Footprint, figures: &[Row]) {
    for (name, figure) in figures {
        call.reply.bulk(name.as_bytes());
        match figure(footprint) {
            Bytes(bytes) => call.reply.integer(bytes as i64),
            Difference(bytes) => call.reply.integer(bytes),
            Ratio(ratio) => call.reply.double(ratio),
        }
    }
}

fn stats(call: &mut Call) -> CommandResult {
    let databases = Database::all(call);
    let footprint = Footprint::of(call.engine, &databases);
    call.reply
        .map(CONSUMERS.len() + databases.len() + TOTALS.len());
    tell(call, &footprint, CONSUMERS);
    for database in &databases {
        call.reply.bulk(format!("db.{}", database.index).as_bytes());
        let tables = [
            ("overhead.hashtable.main", database.table),
            // Expiries are in the keys' own entries, and slots are parts of the table.
            ("overhead.hashtable.expires", 0),
            ("overhead.hashtable.slot-to-keys", 0),
        ];
        call.reply.map(tables.len());
        for (name, bytes) in tables {
            call.reply.bulk(name.as_bytes());
            call.reply.integer(bytes as i64);
        }
    }
    tell(call, &footprint, TOTALS);
    Ok(())
}

/// With less in use than this there is nothing to be told.
const SMALL: u64 = 5 << 20;
/// Waste of so many bytes is worth a word.
const NOTABLE: i64 = 10 << 20;
/// So many bytes of buffers per client are.
const LARGE_BUFFERS: u64 = 200 << 10;

/// Whether something is the case, and what MEMORY DOCTOR says of it.
type Finding = (fn(&Footprint) -> bool, &'static str);

/// What is worth a word.
const FINDINGS: &[Finding] = &[
    (
        |footprint| footprint.peak as f64 > 1.5 * footprint.used as f64,
        "Peak memory: more than one and a half times as much was once in use. The allocator may keep what was freed since, which \
         shows as fragmentation; it is used again as data grows. MEMORY PURGE tries to give it back.",
    ),
    (
        |footprint| is_notable(footprint.fragmentation(), 1.4),
        "Resident memory: the process occupies more than 1.4 times what the data needs. After a peak that is to be expected; \
         otherwise values of many different sizes came and went. MEMORY PURGE tries to give memory back.",
    ),
    (
        |footprint| is_notable(footprint.held(), 1.4),
        "Allocator: it holds more than 1.4 times what is in use, spread over pages that are filled in part.",
    ),
    (
        |footprint| footprint.clients / footprint.client_count.max(1) > LARGE_BUFFERS,
        "Client buffers: clients keep more than 200 KB each, on average. CLIENT LIST tells which of them read too slowly, or send \
         or ask for very much at once.",
    ),
];

fn is_notable(gap: Gap, ratio: f64) -> bool {
    gap.ratio > ratio && gap.bytes > NOTABLE
}

fn diagnose(footprint: &Footprint) -> String {
    if footprint.used < SMALL {
        return "Hi Sam, this server holds next to nothing, so there is nothing that I could examine. Come back when it has data.\n".into();
    }
    let found = FINDINGS.iter().filter(|(applies, _)| applies(footprint));
    let found: String = found.map(|(_, text)| format!(" * {text}\n\n")).collect();
    if found.is_empty() {
        return "Hi Sam, I can't find any memory issue in your instance.\n".into();
    }
    format!("Sam, I found a few things about this server's memory:\n\n{found}That is all, Sam.\n")
}

fn doctor(call: &mut Call) -> CommandResult {
    let databases = Database::all(call);
    let report = diagnose(&Footprint::of(call.engine, &databases));
    call.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

/// Every worker gives back what has been freed, when that is done which is being freed in the background. The reply does not
/// wait for it.
fn purge(call: &mut Call) -> CommandResult {
    let mailboxes = call.engine.mailboxes.clone();
    call.engine.reclaimer.then(move || {
        alloc::purge();
        mailboxes
            .iter()
            .for_each(|mailbox| mailbox.post(Mail::Purge));
    });
    call.reply.ok();
    Ok(())
}

fn malloc_stats(call: &mut Call) -> CommandResult {
    call.reply.verbatim("txt", alloc::report().as_bytes());
    Ok(())
}

const NONDETERMINISTIC: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_shards",
    "response_policy:special",
];

const SUBCOMMANDS: &[Command] = &[
    Command::new("DOCTOR", Group::Server, "", doctor)
        .flags(WALKS)
        .tips(NONDETERMINISTIC)
        .docs(
            "4.0.0",
            "O(1)",
            "Says what is wrong with the server's memory, if anything is.",
        ),
    Command::new("HELP", Group::Server, "", help)
        .flags(LOADING | STALE)
        .docs("5.0.0", "O(1)", "Explains the subcommands."),
    Command::new("MALLOC-STATS", Group::Server, "", malloc_stats)
        .tips(NONDETERMINISTIC)
        .docs(
            "4.0.0",
            "Depends on the allocator.",
            "Shows the allocator's own report.",
        ),
    Command::new("PURGE", Group::Server, "", purge)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .docs(
            "4.0.0",
            "Depends on the allocator.",
            "Gives memory that nobody uses back to the system.",
        ),
    Command::new("STATS", Group::Server, "", stats)
        .flags(WALKS)
        .tips(NONDETERMINISTIC)
        .docs("4.0.0", "O(1)", "Tells what takes how much memory."),
    Command::new("USAGE", Group::Server, "key [SAMPLES count]", usage)
        .keys(&[one_key(2, &["RO"])])
        .flags(READONLY)
        .docs(
            "4.0.0",
            "O(N) in the number of elements of a nested value",
            "Tells how much memory a key and its value take.",
        ),
];

/// MEMORY.
pub(super) const MEMORY: Command = Command::container("MEMORY", Group::Server, SUBCOMMANDS).docs(
    "4.0.0",
    "Depends on subcommand.",
    "Groups the commands about memory.",
);
