//! The family's commands.

use super::{count, debug, update};
use crate::engine::{Command, Group, all_keys, flags::*, one_key};

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new(
        "PFADD",
        Group::HyperLogLog,
        "key [element [element ...]]",
        update::pfadd,
    )
    .keys(&[one_key(1, &["RW", "insert"])])
    .flags(WRITE | DENYOOM | FAST)
    .docs(
        "2.8.9",
        "O(1) for each element",
        "Adds elements to a HyperLogLog, which is made when missing.",
    ),
    Command::new(
        "PFCOUNT",
        Group::HyperLogLog,
        "key [key ...]",
        count::pfcount,
    )
    .keys(&[all_keys(1, &["RW", "access"])])
    .flags(READONLY | MAY_REPLICATE)
    .docs(
        "2.8.9",
        "O(1) with one key, else O(N) in the number of keys",
        "Estimates how many different elements were added to HyperLogLogs.",
    ),
    Command::new(
        "PFMERGE",
        Group::HyperLogLog,
        "destkey [sourcekey [sourcekey ...]]",
        update::pfmerge,
    )
    .keys(&[
        one_key(1, &["RW", "access", "insert"]),
        all_keys(2, &["RO", "access"]),
    ])
    .flags(WRITE | DENYOOM)
    .docs(
        "2.8.9",
        "O(N) in the number of keys",
        "Merges HyperLogLogs into one.",
    ),
    Command::new(
        "PFDEBUG",
        Group::HyperLogLog,
        "subcommand key",
        debug::pfdebug,
    )
    .keys(&[one_key(2, &["RW", "access"])])
    .flags(WRITE | DENYOOM | ADMIN)
    .internal()
    .docs("2.8.9", "O(1)", "Shows what is inside a HyperLogLog."),
    Command::new("PFSELFTEST", Group::HyperLogLog, "", debug::pfselftest)
        .flags(ADMIN)
        .internal()
        .docs("2.8.9", "O(1)", "Tests the server's HyperLogLog."),
];
