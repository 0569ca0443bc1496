//! The family's commands.

use super::{bounded, compare, get, increment, lcs, multi, range, set};
use crate::engine::{Begin, Command, Find, Group, KeySpec, all_keys, flags::*, key_pairs, one_key};

/// Read and changed.
const CHANGED: &[KeySpec] = &[one_key(1, &["RW", "access", "update"])];
/// Read.
const READ: &[KeySpec] = &[one_key(1, &["RO", "access"])];
/// Overwritten, whatever it held.
const OVERWRITTEN: &[KeySpec] = &[one_key(1, &["OW", "update"])];

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new("GET", Group::String, "key", get::get)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("1.0.0", "O(1)", "Gives the string stored at a key."),
    Command::new("SET", Group::String, "key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]", set::set)
        .keys(&[one_key(1, &["RW", "access", "update", "variable_flags"])])
        .key_flags(set::key_flags)
        .flags(WRITE | DENYOOM | BRIEF)
        .docs("1.0.0", "O(1)", "Stores a string at a key, over whatever is there, under conditions and for a time if asked."),
    Command::new("MGET", Group::String, "key [key ...]", multi::mget)
        .keys(&[all_keys(1, &["RO", "access"])])
        .flags(READONLY | FAST)
        .tips(&["request_policy:multi_shard"])
        .docs("1.0.0", "O(N) in the number of keys", "Gives the strings stored at several keys at once."),
    Command::new("MSET", Group::String, "key value [key value ...]", multi::mset)
        .keys(&[key_pairs(1, &["OW", "update"])])
        .flags(WRITE | DENYOOM)
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .docs("1.0.1", "O(N) in the number of keys", "Stores several strings at once."),
    Command::new("INCR", Group::String, "key", increment::incr)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("1.0.0", "O(1)", "Adds one to the integer stored at a key; a missing key counts as 0."),
    Command::new("DECR", Group::String, "key", increment::decr)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("1.0.0", "O(1)", "Takes one from the integer stored at a key; a missing key counts as 0."),
    Command::new("INCRBY", Group::String, "key increment", increment::incrby)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("1.0.0", "O(1)", "Adds an integer to the one stored at a key; a missing key counts as 0."),
    Command::new("DECRBY", Group::String, "key decrement", increment::decrby)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("1.0.0", "O(1)", "Takes an integer from the one stored at a key; a missing key counts as 0."),
    Command::new("INCRBYFLOAT", Group::String, "key increment", increment::incrbyfloat)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("2.6.0", "O(1)", "Adds a floating-point number to the one stored at a key; a missing key counts as 0."),
    Command::new("INCREX", Group::String, "key [BYFLOAT float | BYINT integer] [SATURATE] [LBOUND lowerbound] [UBOUND upperbound] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] [ENX]", bounded::increx)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("8.8.0", "O(1)", "Adds to the number stored at a key within bounds, and changes how long the key lives if asked."),
    Command::new("SETNX", Group::String, "key value", set::setnx)
        .keys(&[one_key(1, &["OW", "insert"])])
        .flags(WRITE | DENYOOM | FAST)
        .deprecated("2.6.12", "`SET` with the `NX` argument")
        .docs("1.0.0", "O(1)", "Stores a string at a key that does not exist yet."),
    Command::new("SETEX", Group::String, "key seconds value", set::setex)
        .keys(OVERWRITTEN)
        .flags(WRITE | DENYOOM | BRIEF)
        .deprecated("2.6.12", "`SET` with the `EX` argument")
        .docs("2.0.0", "O(1)", "Stores a string at a key for some seconds."),
    Command::new("PSETEX", Group::String, "key milliseconds value", set::psetex)
        .keys(OVERWRITTEN)
        .flags(WRITE | DENYOOM | BRIEF)
        .deprecated("2.6.12", "`SET` with the `PX` argument")
        .docs("2.6.0", "O(1)", "Stores a string at a key for some milliseconds."),
    Command::new("GETSET", Group::String, "key value", set::getset)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .deprecated("6.2.0", "`SET` with the `GET` argument")
        .docs("1.0.0", "O(1)", "Stores a string at a key and gives the one before."),
    Command::new("GETDEL", Group::String, "key", get::getdel)
        .keys(&[one_key(1, &["RW", "access", "delete"])])
        .flags(WRITE | FAST)
        .docs("6.2.0", "O(1)", "Gives the string stored at a key and deletes the key."),
    Command::new("GETEX", Group::String, "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]", get::getex)
        .keys(CHANGED)
        .flags(WRITE | FAST)
        .docs("6.2.0", "O(1)", "Gives the string stored at a key and changes how long the key lives."),
    Command::new("MSETNX", Group::String, "key value [key value ...]", multi::msetnx)
        .keys(&[key_pairs(1, &["OW", "insert"])])
        .flags(WRITE | DENYOOM)
        .docs("1.0.1", "O(N) in the number of keys", "Stores several strings at once if none of the keys exists."),
    Command::new("MSETEX", Group::String, "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]", multi::msetex)
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Count { at: 0, first: 1, step: 2 }, flags: &["OW", "update"] }])
        .flags(WRITE | DENYOOM)
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .docs("8.4.0", "O(N) in the number of keys", "Stores several strings at once, under conditions and for a common time if asked."),
    Command::new("APPEND", Group::String, "key value", range::append)
        .keys(&[one_key(1, &["RW", "insert"])])
        .flags(WRITE | DENYOOM | FAST)
        .docs("2.0.0", "O(1) on average, as long strings have room to grow", "Adds to the end of the string stored at a key, or creates it."),
    Command::new("STRLEN", Group::String, "key", range::strlen)
        .keys(&[one_key(1, &["RO"])])
        .flags(READONLY | FAST)
        .docs("2.2.0", "O(1)", "Tells how long the string stored at a key is."),
    Command::new("GETRANGE", Group::String, "key start end", range::getrange)
        .keys(READ)
        .flags(READONLY)
        .docs("2.4.0", "O(N) in the length of what is given", "Gives a part of the string stored at a key."),
    Command::new("SUBSTR", Group::String, "key start end", range::getrange)
        .keys(READ)
        .flags(READONLY)
        .deprecated("2.0.0", "`GETRANGE`")
        .docs("1.0.0", "O(N) in the length of what is given", "Gives a part of the string stored at a key, as GETRANGE does."),
    Command::new("SETRANGE", Group::String, "key offset value", range::setrange)
        .keys(&[one_key(1, &["RW", "update"])])
        .flags(WRITE | DENYOOM)
        .docs("2.2.0", "O(1) besides the bytes written", "Writes over a part of the string stored at a key, from an offset on."),
    Command::new("LCS", Group::String, "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]", lcs::lcs)
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range { last: 1, step: 1, limit: 0 }, flags: &["RO", "access"] }])
        .flags(READONLY)
        .docs("7.0.0", "O(N*M) in the lengths of the two strings", "Finds the longest common subsequence of two strings."),
    Command::new("DIGEST", Group::String, "key", compare::digest)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("8.4.0", "O(N) in the length of the string", "Gives a hash of the string stored at a key, in hexadecimal."),
    Command::new("DELEX", Group::String, "key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]", compare::delex)
        .keys(&[one_key(1, &["RW", "delete", "variable_flags"])])
        .flags(WRITE | FAST)
        .docs("8.4.0", "O(1), or O(N) in the length of the string to compare digests", "Deletes a key, if its string or its digest is the one given, or is not."),
    Command::new("DELIFEQ", Group::String, "key value", compare::delifeq)
        .keys(&[one_key(1, &["RM", "access", "delete"])])
        .flags(WRITE)
        .docs("9.0.0", "O(1)", "Deletes a key if the string stored there is the one given."),
];
