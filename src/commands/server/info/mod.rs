//! INFO: sections of fields, each a row of a table with the function that tells its value.
//!
//! To add a field: a row in its section's file. Sections are told in the order of `SECTIONS`.

mod clients;
mod commands;
mod keysizes;
mod memory;
mod persistence;
mod process;
mod replication;
mod stats;

use std::fmt::Write;
use std::sync::Arc;

use super::footprint::{Database, Footprint};
use crate::base::clock::unix_ms;
use crate::config::Config;
use crate::engine::{Call, Client, Command, CommandResult, Engine, Group, flags::*};
use crate::keyspace::Scope;

/// What fields are told from.
struct Facts<'e> {
    engine: &'e Engine,
    config: Arc<Config>,
    now_ms: i64,
    clients: Vec<Arc<Client>>,
    /// Empty unless a section asks for them, since they are walked over.
    databases: Vec<Database>,
    /// Empty unless a section asks for them.
    sizes: Vec<keysizes::Sizes>,
    footprint: Footprint,
}

/// A field's name, and how its value is told.
type Field = (&'static str, fn(&Facts<'_>) -> String);

/// A section.
struct Section {
    /// As the client asks for it.
    name: &'static str,
    /// As the reply shows it.
    title: &'static str,
    /// Whether it is told to a client that asks for nothing in particular.
    is_default: bool,
    /// Whether its fields need the databases' figures.
    counts_keys: bool,
    /// Whether it is told from a look at all keys, and thus only to a client that names it.
    walks_keys: bool,
    fields: &'static [Field],
    /// Fields whose names or presence depend on the state of the server.
    more: fn(&Facts<'_>, &mut String),
}

impl Section {
    const fn new(name: &'static str, title: &'static str, fields: &'static [Field]) -> Self {
        Self {
            name,
            title,
            is_default: true,
            counts_keys: false,
            walks_keys: false,
            fields,
            more: |_, _| {},
        }
    }

    /// Only told to a client that asks for it, or for everything.
    const fn on_demand(mut self) -> Self {
        self.is_default = false;
        self
    }

    const fn counting_keys(mut self) -> Self {
        self.counts_keys = true;
        self
    }

    const fn walking_keys(mut self) -> Self {
        self.walks_keys = true;
        self
    }

    const fn with(mut self, more: fn(&Facts<'_>, &mut String)) -> Self {
        self.more = more;
        self
    }

    fn tell(&self, facts: &Facts<'_>, out: &mut String) {
        if !out.is_empty() {
            out.push_str("\r\n");
        }
        line(out, format_args!("# {}", self.title));
        for (name, value) in self.fields {
            line(out, format_args!("{name}:{}", value(facts)));
        }
        (self.more)(facts, out);
    }
}

/// Adds a line.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes every text.
    let _ = write!(out, "{text}\r\n");
}

/// A name made up by clients, with what would break a line replaced.
fn safe(name: &str) -> String {
    name.replace(['#', ':', '\n', '\r'], "_")
}

/// Every section, in order.
const SECTIONS: &[Section] = &[
    process::SERVER,
    clients::CLIENTS,
    memory::MEMORY,
    persistence::PERSISTENCE,
    stats::STATS,
    replication::REPLICATION,
    process::CPU,
    process::MODULES,
    commands::COMMANDSTATS,
    commands::ERRORSTATS,
    commands::LATENCYSTATS,
    replication::CLUSTER,
    memory::KEYSPACE,
    keysizes::KEYSIZES,
    stats::DEBUG,
];

/// The section that even `everything` leaves out.
const HIDDEN: &str = "debug";

fn is_wanted(section: &Section, call: &Call) -> bool {
    if call.args.len() == 1 {
        return section.is_default;
    }
    (1..call.args.len()).any(|at| {
        let is_all = call.args.is(at, "ALL") || call.args.is(at, "EVERYTHING");
        is_all && section.name != HIDDEN && !section.walks_keys
            || call.args.is(at, "DEFAULT") && section.is_default
            || call.args.is(at, section.name)
            || section.name == "modules" && call.args.is(at, "MODULE_LIST")
    })
}

fn info(call: &mut Call) -> CommandResult {
    let wanted: Vec<&Section> = SECTIONS
        .iter()
        .filter(|section| is_wanted(section, call))
        .collect();
    let (engine, now) = (call.engine, call.db.now());
    let text = if wanted.iter().any(|section| section.walks_keys) {
        let mut walk = keysizes::Walk::new(&engine.keyspace, wanted);
        let limit = match call.is_nested {
            true => usize::MAX,
            false => keysizes::SLICE,
        };
        if !walk.advance(call.db.scope(), now, limit) {
            call.park(walk);
            return Ok(());
        }
        walk.tell(engine, call.db.scope(), now)
    } else {
        tell(engine, call.db.scope(), now, &wanted, Vec::new())
    };
    call.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Some sections.
fn tell(
    engine: &Engine,
    scope: &mut Scope<'_>,
    now: i64,
    wanted: &[&Section],
    sizes: Vec<keysizes::Sizes>,
) -> String {
    let databases = if wanted.iter().any(|section| section.counts_keys) {
        Database::all_in(scope, now)
    } else {
        Vec::new()
    };
    let facts = Facts {
        engine,
        config: engine.config.snapshot(),
        now_ms: unix_ms(),
        clients: engine.clients.all(),
        footprint: Footprint::of(engine, &databases),
        databases,
        sizes,
    };
    let mut text = String::new();
    wanted
        .iter()
        .for_each(|section| section.tell(&facts, &mut text));
    text
}

/// INFO.
pub(super) const INFO: Command =
    Command::new("INFO", Group::Server, "[section [section ...]]", info)
        .flags(LOADING | STALE | DANGEROUS | WALKS)
        .tips(&[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ])
        .docs(
            "1.0.0",
            "O(1)",
            "Tells the state of the server and its figures.",
        );

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_field_has_one_place() {
        let mut names = HashSet::new();
        for section in SECTIONS {
            assert!(names.insert(section.name), "section {}", section.name);
            assert_eq!(section.name, section.title.to_lowercase());
            for (field, _) in section.fields {
                assert!(names.insert(field), "field {field}");
            }
        }
    }

    #[test]
    fn names_stay_on_their_line() {
        assert_eq!(safe("a:b\r\n#c"), "a_b___c");
    }
}
