//! The family's commands.

use super::{expiry, import, increment, random, read, timed, write};
use crate::engine::{Command, Group, KeySpec, flags::*, one_key};

/// Read.
const READ: &[KeySpec] = &[one_key(1, &["RO", "access"])];
/// Only told about.
const ASKED: &[KeySpec] = &[one_key(1, &["RO"])];
/// Changed.
const CHANGED: &[KeySpec] = &[one_key(1, &["RW", "update"])];
/// Read and changed.
const COUNTED: &[KeySpec] = &[one_key(1, &["RW", "access", "update"])];
const UNORDERED: &[&str] = &["nondeterministic_output_order"];
const RANDOM: &[&str] = &["nondeterministic_output"];

pub(super) const EACH: &str = "O(N) in the number of fields given";
const ALL: &str = "O(N) in the size of the hash";

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new("HSET", Group::Hash, "key field value [field value ...]", write::hset)
        .elements(2, 2)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("2.0.0", EACH, "Sets fields of a hash, which is made when missing."),
    Command::container("HIMPORT", Group::Hash, import::SUBCOMMANDS)
        .docs("8.10.0", "Depends on subcommand.", "A container of commands that make many hashes with the same fields."),
    Command::new("HMSET", Group::Hash, "key field value [field value ...]", write::hmset)
        .elements(2, 2)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .deprecated("4.0.0", "`HSET` with multiple field-value pairs")
        .docs("2.0.0", EACH, "Sets fields of a hash as HSET does, and says no more than OK."),
    Command::new("HSETNX", Group::Hash, "key field value", write::hsetnx)
        .elements(2, 2)
        .keys(&[one_key(1, &["RW", "insert"])])
        .flags(WRITE | DENYOOM | FAST)
        .docs("2.0.0", "O(1)", "Sets a field of a hash that does not exist yet."),
    Command::new("HDEL", Group::Hash, "key field [field ...]", write::hdel)
        .elements(2, 1)
        .keys(&[one_key(1, &["RW", "delete"])])
        .flags(WRITE | FAST)
        .docs("2.0.0", EACH, "Removes fields from a hash; an empty hash is deleted."),
    Command::new("HGET", Group::Hash, "key field", read::hget)
        .elements(2, 1)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("2.0.0", "O(1)", "Gives the value of a field of a hash."),
    Command::new("HMGET", Group::Hash, "key field [field ...]", read::hmget)
        .elements(2, 1)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("2.0.0", EACH, "Gives the values of several fields of a hash."),
    Command::new("HGETALL", Group::Hash, "key", read::hgetall)
        .keys(READ)
        .flags(READONLY)
        .tips(UNORDERED)
        .docs("2.0.0", ALL, "Gives all fields of a hash with their values."),
    Command::new("HKEYS", Group::Hash, "key", read::hkeys)
        .keys(READ)
        .flags(READONLY)
        .tips(UNORDERED)
        .docs("2.0.0", ALL, "Gives the names of all fields of a hash."),
    Command::new("HVALS", Group::Hash, "key", read::hvals)
        .keys(READ)
        .flags(READONLY)
        .tips(UNORDERED)
        .docs("2.0.0", ALL, "Gives the values of all fields of a hash."),
    Command::new("HLEN", Group::Hash, "key", read::hlen)
        .keys(ASKED)
        .flags(READONLY | FAST)
        .docs("2.0.0", "O(1)", "Tells how many fields a hash has."),
    Command::new("HSTRLEN", Group::Hash, "key field", read::hstrlen)
        .elements(2, 1)
        .keys(ASKED)
        .flags(READONLY | FAST)
        .docs("3.2.0", "O(1)", "Tells how long the value of a field is."),
    Command::new("HEXISTS", Group::Hash, "key field", read::hexists)
        .elements(2, 1)
        .keys(ASKED)
        .flags(READONLY | FAST)
        .docs("2.0.0", "O(1)", "Tells whether a hash has a field."),
    Command::new("HSCAN", Group::Hash, "key cursor [MATCH pattern] [COUNT count] [NOVALUES]", read::hscan)
        .keys(READ)
        .flags(READONLY)
        .tips(RANDOM)
        .docs("2.8.0", "O(1) a call, O(N) for a whole walk", "Walks through the fields of a hash, a few at a call."),
    Command::new("HINCRBY", Group::Hash, "key field increment", increment::hincrby)
        .elements(2, 2)
        .keys(COUNTED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("2.0.0", "O(1)", "Adds an integer to the one in a field; a missing field counts as 0."),
    Command::new("HINCRBYFLOAT", Group::Hash, "key field increment", increment::hincrbyfloat)
        .elements(2, 2)
        .keys(COUNTED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("2.6.0", "O(1)", "Adds a floating-point number to the one in a field; a missing field counts as 0."),
    Command::new("HRANDFIELD", Group::Hash, "key [count [WITHVALUES]]", random::hrandfield)
        .keys(READ)
        .flags(READONLY)
        .tips(RANDOM)
        .docs("6.2.0", "O(N) in the number of fields given", "Gives fields chosen at random; a negative count lets them repeat."),
    Command::new("HEXPIRE", Group::Hash, "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]", expiry::hexpire)
        .keys(CHANGED)
        .flags(WRITE | FAST)
        .docs("7.4.0", EACH, "Has fields of a hash go after some seconds."),
    Command::new("HPEXPIRE", Group::Hash, "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]", expiry::hpexpire)
        .keys(CHANGED)
        .flags(WRITE | FAST)
        .docs("7.4.0", EACH, "Has fields of a hash go after some milliseconds."),
    Command::new("HEXPIREAT", Group::Hash, "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]", expiry::hexpireat)
        .keys(CHANGED)
        .flags(WRITE | FAST)
        .docs("7.4.0", EACH, "Has fields of a hash go at a time in Unix seconds."),
    Command::new("HPEXPIREAT", Group::Hash, "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]", expiry::hpexpireat)
        .keys(CHANGED)
        .flags(WRITE | FAST)
        .docs("7.4.0", EACH, "Has fields of a hash go at a time in Unix milliseconds."),
    Command::new("HTTL", Group::Hash, "key FIELDS numfields field [field ...]", expiry::httl)
        .keys(READ)
        .flags(READONLY | FAST)
        .tips(RANDOM)
        .docs("7.4.0", EACH, "Tells in how many seconds fields of a hash go."),
    Command::new("HPTTL", Group::Hash, "key FIELDS numfields field [field ...]", expiry::hpttl)
        .keys(READ)
        .flags(READONLY | FAST)
        .tips(RANDOM)
        .docs("7.4.0", EACH, "Tells in how many milliseconds fields of a hash go."),
    Command::new("HEXPIRETIME", Group::Hash, "key FIELDS numfields field [field ...]", expiry::hexpiretime)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("7.4.0", EACH, "Tells at which time fields of a hash go, in Unix seconds."),
    Command::new("HPEXPIRETIME", Group::Hash, "key FIELDS numfields field [field ...]", expiry::hpexpiretime)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("7.4.0", EACH, "Tells at which time fields of a hash go, in Unix milliseconds."),
    Command::new("HPERSIST", Group::Hash, "key FIELDS numfields field [field ...]", expiry::hpersist)
        .keys(CHANGED)
        .flags(WRITE | FAST)
        .docs("7.4.0", EACH, "Has fields of a hash stay for good."),
    Command::new("HGETEX", Group::Hash, "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]", timed::hgetex)
        .keys(COUNTED)
        .flags(WRITE | FAST)
        .docs("8.0.0", EACH, "Gives the values of fields of a hash and changes when they go."),
    Command::new("HSETEX", Group::Hash, "key [NX | XX] [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]", timed::hsetex)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("8.0.0", EACH, "Sets fields of a hash, under conditions and for a time if asked."),
    Command::new("HGETDEL", Group::Hash, "key FIELDS numfields field [field ...]", timed::hgetdel)
        .keys(&[one_key(1, &["RW", "access", "delete"])])
        .flags(WRITE | FAST)
        .docs("8.0.0", EACH, "Gives the values of fields of a hash and removes them."),
];
