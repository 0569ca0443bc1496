//! The family's commands.

use super::{change, ends, moving, moving_many, position, range, wait};
use crate::engine::{Begin, Command, Find, Group, KeySpec, flags::*, one_key};

/// Read.
const READ: &[KeySpec] = &[one_key(1, &["RO", "access"])];
/// Elements are added.
const FILLED: &[KeySpec] = &[one_key(1, &["RW", "insert"])];
/// Elements are taken.
const EMPTIED: &[KeySpec] = &[one_key(1, &["RW", "access", "delete"])];
/// Elements are removed unseen.
const CUT: &[KeySpec] = &[one_key(1, &["RW", "delete"])];
/// From the first to the second.
const MOVED: &[KeySpec] = &[
    one_key(1, &["RW", "access", "delete"]),
    one_key(2, &["RW", "insert"]),
];
/// All but the last word.
const WAITED_FOR: &[KeySpec] = &[KeySpec {
    begin: Begin::Index(1),
    find: Find::Range {
        last: -2,
        step: 1,
        limit: 0,
    },
    flags: &["RW", "access", "delete"],
}];

/// As many keys as the word at `at` says.
const fn counted(at: usize) -> KeySpec {
    KeySpec {
        begin: Begin::Index(at),
        find: Find::Count {
            at: 0,
            first: 1,
            step: 1,
        },
        flags: &["RW", "access", "delete"],
    }
}

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new("LPUSH", Group::List, "key element [element ...]", ends::lpush)
        .keys(FILLED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("1.0.0", "O(1) for each element", "Adds elements to the head of a list, which is made if it is missing."),
    Command::new("RPUSH", Group::List, "key element [element ...]", ends::rpush)
        .keys(FILLED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("1.0.0", "O(1) for each element", "Adds elements to the tail of a list, which is made if it is missing."),
    Command::new("LPUSHX", Group::List, "key element [element ...]", ends::lpushx)
        .keys(FILLED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("2.2.0", "O(1) for each element", "Adds elements to the head of a list that exists."),
    Command::new("RPUSHX", Group::List, "key element [element ...]", ends::rpushx)
        .keys(FILLED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("2.2.0", "O(1) for each element", "Adds elements to the tail of a list that exists."),
    Command::new("LPOP", Group::List, "key [count]", ends::lpop)
        .keys(EMPTIED)
        .flags(WRITE | FAST)
        .docs("1.0.0", "O(N) in the number of elements taken", "Takes elements from the head of a list."),
    Command::new("RPOP", Group::List, "key [count]", ends::rpop)
        .keys(EMPTIED)
        .flags(WRITE | FAST)
        .docs("1.0.0", "O(N) in the number of elements taken", "Takes elements from the tail of a list."),
    Command::new("LMPOP", Group::List, "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]", ends::lmpop)
        .keys(&[counted(1)])
        .flags(WRITE | MOVABLE_KEYS)
        .docs("7.0.0", "O(N+M) in the numbers of keys and of elements taken", "Takes elements from the first of several lists that exists."),
    Command::new("LLEN", Group::List, "key", range::llen)
        .keys(&[one_key(1, &["RO"])])
        .flags(READONLY | FAST)
        .docs("1.0.0", "O(1)", "Tells how many elements a list has."),
    Command::new("LRANGE", Group::List, "key start stop", range::lrange)
        .keys(READ)
        .flags(READONLY)
        .docs("1.0.0", "O(S+N) in the distance of the start from the nearer end and the number of elements given", "Gives a part of a list."),
    Command::new("LINDEX", Group::List, "key index", range::lindex)
        .keys(READ)
        .flags(READONLY)
        .docs("1.0.0", "O(N) in the number of nodes to the nearer end", "Gives the element at a place of a list."),
    Command::new("LTRIM", Group::List, "key start stop", range::ltrim)
        .keys(CUT)
        .flags(WRITE)
        .docs("1.0.0", "O(N) in the number of elements removed", "Removes everything but a part of a list."),
    Command::new("LSET", Group::List, "key index element", change::lset)
        .keys(&[one_key(1, &["RW", "update"])])
        .flags(WRITE | DENYOOM)
        .docs("1.0.0", "O(N) in the number of nodes to the nearer end", "Replaces the element at a place of a list."),
    Command::new("LINSERT", Group::List, "key <BEFORE | AFTER> pivot element", change::linsert)
        .keys(FILLED)
        .flags(WRITE | DENYOOM)
        .docs("2.2.0", "O(N) in the number of elements before the pivot", "Adds an element before or behind another one of a list."),
    Command::new("LREM", Group::List, "key count element", change::lrem)
        .keys(CUT)
        .flags(WRITE)
        .docs("1.0.0", "O(N) in the length of the list", "Removes elements that have a value from a list."),
    Command::new("LPOS", Group::List, "key element [RANK rank] [COUNT num-matches] [MAXLEN len]", position::lpos)
        .keys(READ)
        .flags(READONLY)
        .docs("6.0.6", "O(N) in the number of elements looked at", "Tells where in a list elements with a value are."),
    Command::new("LMOVE", Group::List, "source destination <LEFT | RIGHT> <LEFT | RIGHT>", moving::lmove)
        .keys(MOVED)
        .flags(WRITE | DENYOOM)
        .docs("6.2.0", "O(1)", "Takes an element from an end of a list and adds it to an end of another, or of the same."),
    Command::new("LMOVEM", Group::List, "source destination <LEFT | RIGHT> <LEFT | RIGHT> [<COUNT count | EXACTLY exactly> <OBO | BULK>]", moving_many::lmovem)
        .keys(MOVED)
        .flags(WRITE | DENYOOM)
        .docs("8.10.0", "O(N) in the number of elements moved", "Moves several elements from an end of a list to an end of another, or of the same."),
    Command::new("RPOPLPUSH", Group::List, "source destination", moving::rpoplpush)
        .keys(MOVED)
        .flags(WRITE | DENYOOM)
        .deprecated("6.2.0", "`LMOVE` with `RIGHT` and `LEFT`")
        .docs("1.2.0", "O(1)", "Takes the last element of a list and adds it to the head of another, or of the same."),
    Command::new("BLPOP", Group::List, "key [key ...] timeout", wait::blpop)
        .keys(WAITED_FOR)
        .flags(WRITE | BLOCKING)
        .docs("2.0.0", "O(N) in the number of keys", "Takes the first element of the first of several lists that has one; waits for it if none has."),
    Command::new("BRPOP", Group::List, "key [key ...] timeout", wait::brpop)
        .keys(WAITED_FOR)
        .flags(WRITE | BLOCKING)
        .docs("2.0.0", "O(N) in the number of keys", "Takes the last element of the first of several lists that has one; waits for it if none has."),
    Command::new("BLMOVE", Group::List, "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout", wait::blmove)
        .keys(MOVED)
        .flags(WRITE | DENYOOM | BLOCKING)
        .docs("6.2.0", "O(1)", "Moves an element from an end of a list to an end of another; waits for one if there is none."),
    Command::new("BLMOVEM", Group::List, "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout [<COUNT count | EXACTLY exactly> <OBO | BULK>]", moving_many::blmovem)
        .keys(MOVED)
        .flags(WRITE | DENYOOM | BLOCKING)
        .docs("8.10.0", "O(N) in the number of elements moved", "Moves several elements from a list to another; waits for them if there are not enough."),
    Command::new("BRPOPLPUSH", Group::List, "source destination timeout", wait::brpoplpush)
        .keys(MOVED)
        .flags(WRITE | DENYOOM | BLOCKING)
        .deprecated("6.2.0", "`BLMOVE` with `RIGHT` and `LEFT`")
        .docs("2.2.0", "O(1)", "Moves the last element of a list to the head of another; waits for one if there is none."),
    Command::new("BLMPOP", Group::List, "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]", wait::blmpop)
        .keys(&[counted(2)])
        .flags(WRITE | BLOCKING | MOVABLE_KEYS)
        .docs("7.0.0", "O(N+M) in the numbers of keys and of elements taken", "Takes elements from the first of several lists that exists; waits for one if none does."),
];
