//! The family's commands.

use super::{algebra, members, random};
use crate::engine::{Begin, Command, Find, Group, KeySpec, all_keys, flags::*, one_key};

/// Read.
const READ: &[KeySpec] = &[one_key(1, &["RO", "access"])];
/// Only told about.
const ASKED: &[KeySpec] = &[one_key(1, &["RO"])];
/// All read.
const ALL_READ: &[KeySpec] = &[all_keys(1, &["RO", "access"])];
/// The result's key, and those read.
const STORED: &[KeySpec] = &[
    one_key(1, &["OW", "update"]),
    all_keys(2, &["RO", "access"]),
];
/// As many as the first argument says.
const COUNTED: &[KeySpec] = &[KeySpec {
    begin: Begin::Index(1),
    find: Find::Count {
        at: 0,
        first: 1,
        step: 1,
    },
    flags: &["RO", "access"],
}];
const UNORDERED: &[&str] = &["nondeterministic_output_order"];
const RANDOM: &[&str] = &["nondeterministic_output"];

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new("SADD", Group::Set, "key member [member ...]", members::sadd)
        .elements(2, 1)
        .keys(&[one_key(1, &["RW", "insert"])])
        .flags(WRITE | DENYOOM | FAST)
        .docs(
            "1.0.0",
            "O(N) in the number of members given",
            "Adds members to a set, which is made when missing.",
        ),
    Command::new("SREM", Group::Set, "key member [member ...]", members::srem)
        .elements(2, 1)
        .keys(&[one_key(1, &["RW", "delete"])])
        .flags(WRITE | FAST)
        .docs(
            "1.0.0",
            "O(N) in the number of members given",
            "Removes members from a set; an empty set is deleted.",
        ),
    Command::new(
        "SMOVE",
        Group::Set,
        "source destination member",
        members::smove,
    )
    .keys(&[
        one_key(1, &["RW", "access", "delete"]),
        one_key(2, &["RW", "insert"]),
    ])
    .flags(WRITE | FAST)
    .docs("1.0.0", "O(1)", "Moves a member from one set to another."),
    Command::new("SISMEMBER", Group::Set, "key member", members::sismember)
        .elements(2, 1)
        .keys(ASKED)
        .flags(READONLY | FAST)
        .docs(
            "1.0.0",
            "O(1)",
            "Tells whether something is a member of a set.",
        ),
    Command::new(
        "SMISMEMBER",
        Group::Set,
        "key member [member ...]",
        members::smismember,
    )
    .elements(2, 1)
    .keys(READ)
    .flags(READONLY | FAST)
    .docs(
        "6.2.0",
        "O(N) in the number of members given",
        "Tells for each of several whether it is a member of a set.",
    ),
    Command::new("SCARD", Group::Set, "key", members::scard)
        .keys(ASKED)
        .flags(READONLY | FAST)
        .docs("1.0.0", "O(1)", "Tells how many members a set has."),
    Command::new("SMEMBERS", Group::Set, "key", algebra::smembers)
        .keys(READ)
        .flags(READONLY)
        .tips(UNORDERED)
        .docs(
            "1.0.0",
            "O(N) in the size of the set",
            "Gives all members of a set.",
        ),
    Command::new("SPOP", Group::Set, "key [count]", random::spop)
        .keys(&[one_key(1, &["RW", "access", "delete"])])
        .flags(WRITE | FAST)
        .tips(RANDOM)
        .docs(
            "1.0.0",
            "O(N) in the number of members taken",
            "Takes members chosen at random out of a set.",
        ),
    Command::new(
        "SRANDMEMBER",
        Group::Set,
        "key [count]",
        random::srandmember,
    )
    .keys(READ)
    .flags(READONLY)
    .tips(RANDOM)
    .docs(
        "1.0.0",
        "O(N) in the number of members given",
        "Gives members chosen at random; a negative count lets them repeat.",
    ),
    Command::new(
        "SSCAN",
        Group::Set,
        "key cursor [MATCH pattern] [COUNT count]",
        members::sscan,
    )
    .keys(READ)
    .flags(READONLY)
    .tips(RANDOM)
    .docs(
        "2.8.0",
        "O(1) a call, O(N) for a whole walk",
        "Walks through the members of a set, a few at a call.",
    ),
    Command::new("SINTER", Group::Set, "key [key ...]", algebra::sinter)
        .keys(ALL_READ)
        .flags(READONLY)
        .tips(UNORDERED)
        .docs(
            "1.0.0",
            "O(N*M) in the size of the smallest set and the number of sets",
            "Gives the members that all of several sets have.",
        ),
    Command::new(
        "SINTERCARD",
        Group::Set,
        "numkeys key [key ...] [LIMIT limit]",
        algebra::sintercard,
    )
    .keys(COUNTED)
    .flags(READONLY | MOVABLE_KEYS)
    .docs(
        "7.0.0",
        "O(N*M) in the size of the smallest set and the number of sets",
        "Tells how many members all of several sets have, counting up to a limit.",
    ),
    Command::new(
        "SUNIONCARD",
        Group::Set,
        "numkeys key [key ...] [APPROX] [LIMIT limit]",
        algebra::sunioncard,
    )
    .keys(COUNTED)
    .flags(READONLY | MOVABLE_KEYS)
    .docs(
        "8.10.0",
        "O(N) in the number of all members",
        "Counts the members that any of several sets has.",
    ),
    Command::new(
        "SDIFFCARD",
        Group::Set,
        "numkeys key [key ...] [LIMIT limit]",
        algebra::sdiffcard,
    )
    .keys(COUNTED)
    .flags(READONLY | MOVABLE_KEYS)
    .docs(
        "8.10.0",
        "O(N) in the number of all members",
        "Counts the members of a set that no other of several sets has.",
    ),
    Command::new(
        "SINTERSTORE",
        Group::Set,
        "destination key [key ...]",
        algebra::sinterstore,
    )
    .keys(STORED)
    .flags(WRITE | DENYOOM)
    .docs(
        "1.0.0",
        "O(N*M) in the size of the smallest set and the number of sets",
        "Stores the members that all of several sets have at a key.",
    ),
    Command::new("SUNION", Group::Set, "key [key ...]", algebra::sunion)
        .keys(ALL_READ)
        .flags(READONLY)
        .tips(UNORDERED)
        .docs(
            "1.0.0",
            "O(N) in the size of all sets",
            "Gives the members that any of several sets has.",
        ),
    Command::new(
        "SUNIONSTORE",
        Group::Set,
        "destination key [key ...]",
        algebra::sunionstore,
    )
    .keys(STORED)
    .flags(WRITE | DENYOOM)
    .docs(
        "1.0.0",
        "O(N) in the size of all sets",
        "Stores the members that any of several sets has at a key.",
    ),
    Command::new("SDIFF", Group::Set, "key [key ...]", algebra::sdiff)
        .keys(ALL_READ)
        .flags(READONLY)
        .tips(UNORDERED)
        .docs(
            "1.0.0",
            "O(N) in the size of all sets",
            "Gives the members of a set that none of several others has.",
        ),
    Command::new(
        "SDIFFSTORE",
        Group::Set,
        "destination key [key ...]",
        algebra::sdiffstore,
    )
    .keys(STORED)
    .flags(WRITE | DENYOOM)
    .docs(
        "1.0.0",
        "O(N) in the size of all sets",
        "Stores the members of a set that none of several others has at a key.",
    ),
];
