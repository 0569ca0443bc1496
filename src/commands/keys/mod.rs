//! Keys of any type: existence, names, expiry, walks, whole databases. The table stands at the foot.

mod delete;
mod dump;
mod expire;
mod flush;
mod look;
mod migrate;
mod object;
mod rename;
pub(super) mod scan;
mod wait;

use crate::engine::{Begin, Command, Find, Group, KeySpec, all_keys, flags::*, one_key};

const RENAMED: KeySpec = one_key(1, &["RW", "access", "delete"]);
const EXPIRING: &[KeySpec] = &[one_key(1, &["RW", "update"])];
const ASKED: &[KeySpec] = &[one_key(1, &["RO", "access"])];
const LOOKED_AT: &[KeySpec] = &[all_keys(1, &["RO"])];
const DELETED: &[KeySpec] = &[all_keys(1, &["RM", "delete"])];

const SENT: &[KeySpec] = &[
    one_key(3, &["RW", "access", "delete"]),
    KeySpec {
        begin: Begin::Keyword("KEYS", -2),
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 0,
        },
        flags: &["RW", "access", "delete", "incomplete"],
    },
];

const SUM_OF_SHARDS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];
const FLUSH_TIPS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];
const WAIT_TIPS: &[&str] = &["request_policy:all_shards", "response_policy:agg_min"];

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new(
        "COPY",
        Group::Generic,
        "source destination [DB destination-db] [REPLACE]",
        rename::copy,
    )
    .keys(&[one_key(1, &["RO", "access"]), one_key(2, &["OW", "update"])])
    .flags(WRITE | DENYOOM)
    .docs(
        "6.2.0",
        "O(N) in the number of nested items, O(1) for strings",
        "Copies a value to another key.",
    ),
    Command::new("DBSIZE", Group::Server, "", look::size)
        .flags(READONLY | FAST | KEYSPACE)
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
        .docs("1.0.0", "O(1)", "Counts the keys of the database."),
    Command::new("DEL", Group::Generic, "key [key ...]", delete::delete)
        .keys(DELETED)
        .flags(WRITE)
        .tips(SUM_OF_SHARDS)
        .docs("1.0.0", "O(N) in the number of keys", "Removes keys."),
    Command::new("DUMP", Group::Generic, "key", dump::dump)
        .keys(ASKED)
        .flags(READONLY)
        .tips(&["nondeterministic_output"])
        .docs(
            "2.6.0",
            "O(N*M) in the number of elements and their size",
            "Gives a value as bytes that RESTORE takes.",
        ),
    Command::new("EXISTS", Group::Generic, "key [key ...]", look::exists)
        .keys(LOOKED_AT)
        .flags(READONLY | FAST)
        .tips(SUM_OF_SHARDS)
        .docs(
            "1.0.0",
            "O(N) in the number of keys",
            "Counts how many of the keys are there.",
        ),
    Command::new(
        "EXPIRE",
        Group::Generic,
        "key seconds [NX | XX | GT | LT]",
        expire::expire,
    )
    .keys(EXPIRING)
    .flags(WRITE | FAST)
    .docs("1.0.0", "O(1)", "Has a key expire after some seconds."),
    Command::new(
        "EXPIREAT",
        Group::Generic,
        "key unix-time-seconds [NX | XX | GT | LT]",
        expire::expire_at_seconds,
    )
    .keys(EXPIRING)
    .flags(WRITE | FAST)
    .docs(
        "1.2.0",
        "O(1)",
        "Has a key expire at a time given in Unix seconds.",
    ),
    Command::new("EXPIRETIME", Group::Generic, "key", expire::expire_time)
        .keys(ASKED)
        .flags(READONLY | FAST)
        .docs(
            "7.0.0",
            "O(1)",
            "Tells when a key expires, in Unix seconds.",
        ),
    Command::new(
        "FLUSHALL",
        Group::Server,
        "[ASYNC | SYNC]",
        flush::flush_all,
    )
    .flags(WRITE | DANGEROUS | KEYSPACE | ALONE)
    .tips(FLUSH_TIPS)
    .docs(
        "1.0.0",
        "O(1); the memory is freed in the background",
        "Empties all databases.",
    ),
    Command::new(
        "FLUSHDB",
        Group::Server,
        "[ASYNC | SYNC]",
        flush::flush_database,
    )
    .flags(WRITE | DANGEROUS | KEYSPACE | ALONE)
    .tips(FLUSH_TIPS)
    .docs(
        "1.0.0",
        "O(1); the memory is freed in the background",
        "Empties the database.",
    ),
    Command::new("KEYS", Group::Generic, "pattern", scan::keys)
        .flags(READONLY | DANGEROUS | WALKS)
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .docs(
            "1.0.0",
            "O(N) in the number of keys of the database",
            "Lists the keys whose names fit a pattern.",
        ),
    Command::new(
        "MIGRATE",
        Group::Generic,
        "host port <key | \"\"> destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] \
         [KEYS key [key ...]]",
        migrate::migrate,
    )
    .keys(SENT)
    .known_keys(migrate::known_keys)
    .secrets(migrate::secrets)
    .arity(-6)
    .flags(WRITE | DANGEROUS | MOVABLE_KEYS)
    .tips(&["nondeterministic_output"])
    .docs(
        "2.6.0",
        "O(N*M) in the number of keys and the size of their values",
        "Moves keys to another server; they are kept until it has them.",
    ),
    Command::new("MOVE", Group::Generic, "key db", rename::move_key)
        .keys(&[one_key(1, &["RW", "access", "update"])])
        .flags(WRITE | FAST)
        .docs("1.0.0", "O(1)", "Moves a key to another database."),
    Command::container("OBJECT", Group::Generic, object::SUBCOMMANDS)
        .flags(NO_GROUP_CATEGORY)
        .docs(
            "2.2.3",
            "Depends on the subcommand.",
            "Commands that tell how values are kept.",
        ),
    Command::new("PERSIST", Group::Generic, "key", expire::persist)
        .keys(EXPIRING)
        .flags(WRITE | FAST)
        .docs("2.2.0", "O(1)", "Takes the expiry away from a key."),
    Command::new(
        "PEXPIRE",
        Group::Generic,
        "key milliseconds [NX | XX | GT | LT]",
        expire::expire_ms,
    )
    .keys(EXPIRING)
    .flags(WRITE | FAST)
    .docs("2.6.0", "O(1)", "Has a key expire after some milliseconds."),
    Command::new(
        "PEXPIREAT",
        Group::Generic,
        "key unix-time-milliseconds [NX | XX | GT | LT]",
        expire::expire_at_ms,
    )
    .keys(EXPIRING)
    .flags(WRITE | FAST)
    .docs(
        "2.6.0",
        "O(1)",
        "Has a key expire at a time given in Unix milliseconds.",
    ),
    Command::new("PEXPIRETIME", Group::Generic, "key", expire::expire_time_ms)
        .keys(ASKED)
        .flags(READONLY | FAST)
        .docs(
            "7.0.0",
            "O(1)",
            "Tells when a key expires, in Unix milliseconds.",
        ),
    Command::new("PTTL", Group::Generic, "key", expire::ttl_ms)
        .keys(ASKED)
        .flags(READONLY | FAST)
        .tips(&["nondeterministic_output"])
        .docs(
            "2.6.0",
            "O(1)",
            "Tells how many milliseconds a key has left.",
        ),
    Command::new("RANDOMKEY", Group::Generic, "", look::random_key)
        .flags(READONLY | WALKS)
        .tips(&[
            "request_policy:all_shards",
            "response_policy:special",
            "nondeterministic_output",
        ])
        .docs("1.0.0", "O(1)", "Names a key chosen at random."),
    Command::new("RENAME", Group::Generic, "key newkey", rename::rename)
        .keys(&[RENAMED, one_key(2, &["OW", "update"])])
        .flags(WRITE)
        .docs(
            "1.0.0",
            "O(1)",
            "Gives a key another name, in place of any key that has it.",
        ),
    Command::new(
        "RENAMENX",
        Group::Generic,
        "key newkey",
        rename::rename_unless_exists,
    )
    .keys(&[RENAMED, one_key(2, &["OW", "insert"])])
    .flags(WRITE | FAST)
    .docs(
        "1.0.0",
        "O(1)",
        "Gives a key another name unless a key has it.",
    ),
    Command::new(
        "RESTORE",
        Group::Generic,
        "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
        dump::restore,
    )
    .keys(&[one_key(1, &["OW", "update"])])
    .flags(WRITE | DENYOOM | DANGEROUS)
    .docs(
        "2.6.0",
        "O(N*M) in the number of elements and their size",
        "Makes a key of what DUMP gave.",
    ),
    Command::new(
        "RESTORE-ASKING",
        Group::Server,
        "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
        dump::restore,
    )
    .keys(&[one_key(1, &["OW", "update"])])
    .flags(WRITE | DENYOOM | DANGEROUS | ASKING)
    .internal()
    .docs(
        "3.0.0",
        "As RESTORE",
        "Makes a key of a payload, for a node of a cluster that is being given a slot.",
    ),
    Command::new(
        "SCAN",
        Group::Generic,
        "cursor [MATCH pattern] [COUNT count] [TYPE type]",
        scan::scan,
    )
    .flags(READONLY | WALKS)
    .tips(&[
        "nondeterministic_output",
        "request_policy:special",
        "response_policy:special",
    ])
    .docs(
        "2.8.0",
        "O(1) for a call, O(N) for all keys of the database",
        "Lists keys, some at a time.",
    ),
    Command::new(
        "SWAPDB",
        Group::Server,
        "index1 index2",
        flush::swap_databases,
    )
    .flags(WRITE | FAST | DANGEROUS | KEYSPACE | ALONE)
    .docs("4.0.0", "O(1)", "Exchanges two databases."),
    Command::new("TOUCH", Group::Generic, "key [key ...]", look::touch)
        .keys(LOOKED_AT)
        .flags(READONLY | FAST)
        .tips(SUM_OF_SHARDS)
        .docs(
            "3.2.1",
            "O(N) in the number of keys",
            "Marks keys as used, and counts those that are there.",
        ),
    Command::new("TTL", Group::Generic, "key", expire::ttl)
        .keys(ASKED)
        .flags(READONLY | FAST)
        .tips(&["nondeterministic_output"])
        .docs("1.0.0", "O(1)", "Tells how many seconds a key has left."),
    Command::new("TYPE", Group::Generic, "key", look::type_of)
        .keys(&[one_key(1, &["RO"])])
        .flags(READONLY | FAST)
        .docs("1.0.0", "O(1)", "Names the type of a value."),
    Command::new("UNLINK", Group::Generic, "key [key ...]", delete::delete)
        .keys(DELETED)
        .flags(WRITE | FAST)
        .tips(SUM_OF_SHARDS)
        .docs(
            "4.0.0",
            "O(1) for each key; big values are freed in the background",
            "Removes keys without waiting for their memory.",
        ),
    Command::new("WAIT", Group::Generic, "numreplicas timeout", wait::wait)
        .flags(BLOCKING | CONNECTION | NO_GROUP_CATEGORY)
        .tips(WAIT_TIPS)
        .docs(
            "3.0.0",
            "O(1)",
            "Waits until replicas have what the client wrote.",
        ),
    Command::new(
        "WAITAOF",
        Group::Generic,
        "numlocal numreplicas timeout",
        wait::wait_for_file,
    )
    .flags(BLOCKING | CONNECTION | NO_GROUP_CATEGORY)
    .tips(WAIT_TIPS)
    .docs(
        "7.2.0",
        "O(1)",
        "Waits until what the client wrote is in append-only files, here or on replicas.",
    ),
];
