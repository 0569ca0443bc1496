//! What Redis promises: one file or folder per family, each with its table at the foot.
//!
//! Handlers see arguments, keys and a reply; no sockets, no locks, no files.

mod acl;
mod bitmap;
mod chance;
mod client;
mod cluster;
mod command;
mod connection;
mod element_scan;
mod geo;
mod hash;
mod help;
mod hyperloglog;
mod keys;
mod list;
mod pubsub;
mod scripting;
mod server;
mod set;
mod sort;
mod sorted_set;
mod stream;
mod string;
mod transactions;

pub use client::describe_client;

use crate::engine::Command;

/// Every family's commands.
pub const FAMILIES: &[&[Command]] = &[
    acl::COMMANDS,
    bitmap::COMMANDS,
    client::COMMANDS,
    cluster::COMMANDS,
    command::COMMANDS,
    connection::COMMANDS,
    geo::COMMANDS,
    hash::COMMANDS,
    hyperloglog::COMMANDS,
    keys::COMMANDS,
    list::COMMANDS,
    pubsub::COMMANDS,
    scripting::COMMANDS,
    server::COMMANDS,
    set::COMMANDS,
    sort::COMMANDS,
    sorted_set::COMMANDS,
    stream::COMMANDS,
    string::COMMANDS,
    transactions::COMMANDS,
];

#[cfg(test)]
mod tests {
    use super::FAMILIES;
    use crate::engine::{Command, CommandTable, KEY_FLAGS, flags, syntax};

    fn all() -> impl Iterator<Item = &'static Command> {
        let commands = FAMILIES.iter().flat_map(|family| family.iter());
        commands.flat_map(|command| std::iter::once(command).chain(command.subcommands))
    }

    #[test]
    fn declarations_are_complete() {
        for command in all() {
            let Command {
                name,
                summary,
                complexity,
                since,
                ..
            } = command;
            assert!(
                name.chars()
                    .all(|c| c.is_ascii_uppercase() || "-_".contains(c) || c.is_ascii_digit()),
                "{name}"
            );
            assert!(
                summary.ends_with('.') && summary.len() < 120,
                "{name}: {summary}"
            );
            assert!(
                !complexity.is_empty() && since.split('.').count() == 3,
                "{name}"
            );
            let has = |flag| command.flags & flag != 0;
            assert!(
                !(has(flags::WRITE) && has(flags::READONLY)),
                "{name} both reads and writes"
            );
            for key in command.keys {
                assert!(
                    key.flags.iter().all(|flag| KEY_FLAGS.contains(flag)),
                    "{name}: {:?}",
                    key.flags
                );
            }
            let reads_only = command
                .keys
                .iter()
                .all(|key| key.flags.contains(&"RO") || !key.is_key());
            assert!(
                has(flags::WRITE) || has(flags::MAY_REPLICATE) || reads_only,
                "{name} changes keys but is no write"
            );
        }
    }

    #[test]
    fn containers_have_help_and_nothing_twice() {
        let table = CommandTable::new(FAMILIES);
        for spec in table.all() {
            assert_eq!(
                table.find(spec.name.as_bytes()).map(|found| found.id),
                Some(spec.id)
            );
            let mut names = spec
                .subcommands
                .iter()
                .map(|&id| table.all()[id].command.name);
            // Redis has no HIMPORT HELP.
            let needs_help = !spec.subcommands.is_empty() && spec.name != "himport";
            assert!(
                !needs_help || names.any(|name| name == "HELP"),
                "{}",
                spec.name
            );
        }
    }

    #[test]
    fn syntax_lines_have_no_open_brackets() {
        for command in all() {
            let line = command.syntax;
            for (open, close) in [('[', ']'), ('<', '>')] {
                assert_eq!(
                    line.matches(open).count(),
                    line.matches(close).count(),
                    "{line}"
                );
            }
            assert_eq!(line.is_empty(), syntax::parse(line).is_empty(), "{line}");
        }
    }
}
