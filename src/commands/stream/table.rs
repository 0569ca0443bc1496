//! The family's commands.

use super::{add, claim, delete, group, idempotent, info, length, pending, range, read, release};
use crate::engine::{Begin, Command, Find, Group, KeySpec, flags::*, one_key};

/// Changed.
const CHANGED: &[KeySpec] = &[one_key(1, &["RW", "update"])];
/// Deleted from.
const DELETED: &[KeySpec] = &[one_key(1, &["RW", "delete"])];
/// Read.
const READ: &[KeySpec] = &[one_key(1, &["RO", "access"])];
/// Half of what stands behind STREAMS.
const fn streams(from: i32) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword("STREAMS", from),
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 2,
        },
        flags: &["RO", "access", "incomplete"],
    }
}

const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new("XACK", Group::Stream, "key group id [id ...]", pending::xack)
        .keys(CHANGED)
        .flags(WRITE | FAST)
        .docs("5.0.0", "O(1) for each id", "Acknowledges entries that a consumer of a group has been given."),
    Command::new("XACKDEL", Group::Stream, "key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]", delete::xackdel)
        .keys(&[one_key(1, &["RW", "update", "delete"])])
        .flags(WRITE | FAST)
        .docs("8.2.0", "O(1) for each id", "Acknowledges entries that a consumer of a group has been given and deletes them."),
    Command::new("XADD", Group::Stream, "key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO pid | IDMP pid iid] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]", add::xadd)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .tips(NONDETERMINISTIC)
        .docs("5.0.0", "O(1), and O(N) in the number of entries that it trims", "Adds an entry to a stream, which is made if need be."),
    Command::new("XAUTOCLAIM", Group::Stream, "key group consumer min-idle-time start [COUNT count] [JUSTID]", claim::xautoclaim)
        .keys(DELETED)
        .flags(WRITE | FAST)
        .tips(NONDETERMINISTIC)
        .docs("6.2.0", "O(1) if COUNT is small", "Gives a consumer entries that others have left unacknowledged for long."),
    Command::new("XCFGSET", Group::Stream, "key [IDMP-DURATION idmp-duration] [IDMP-MAXSIZE idmp-maxsize]", idempotent::xcfgset)
        .keys(CHANGED)
        .flags(WRITE | FAST)
        .docs("8.6.0", "O(1), or O(N) in the number of names that it forgets", "Sets how long and how many names of entries are remembered for each producer."),
    Command::new("XCLAIM", Group::Stream, "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]", claim::xclaim)
        .keys(CHANGED)
        .flags(WRITE | FAST)
        .tips(NONDETERMINISTIC)
        .docs("5.0.0", "O(log N) in the number of pending entries", "Gives a consumer pending entries of others."),
    Command::new("XDEL", Group::Stream, "key id [id ...]", delete::xdel)
        .keys(DELETED)
        .flags(WRITE | FAST)
        .docs("5.0.0", "O(1) for each id", "Deletes entries of a stream."),
    Command::new("XDELEX", Group::Stream, "key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]", delete::xdelex)
        .keys(DELETED)
        .flags(WRITE | FAST)
        .docs("8.2.0", "O(1) for each id", "Deletes entries of a stream, with regard to groups in which they are pending."),
    Command::container("XGROUP", Group::Stream, group::SUBCOMMANDS)
        .docs("5.0.0", "Depends on subcommand.", "A container of commands about consumer groups."),
    Command::new("XIDMPRECORD", Group::Stream, "key pid iid stream-id", idempotent::xidmprecord)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("8.6.2", "O(1)", "Remembers the name that a producer gave to an entry, when a file is loaded."),
    Command::container("XINFO", Group::Stream, info::SUBCOMMANDS)
        .docs("5.0.0", "Depends on subcommand.", "A container of commands that tell about streams."),
    Command::new("XLEN", Group::Stream, "key", length)
        .keys(&[one_key(1, &["RO"])])
        .flags(READONLY | FAST)
        .docs("5.0.0", "O(1)", "Counts the entries of a stream."),
    Command::new("XNACK", Group::Stream, "key group <SILENT | FAIL | FATAL> IDS numids id [id ...] [RETRYCOUNT count] [FORCE]", release::xnack)
        .keys(CHANGED)
        .flags(WRITE | FAST)
        .docs("8.8.0", "O(1) for each id", "Releases pending entries, so that any consumer of the group can claim them at once."),
    Command::new("XPENDING", Group::Stream, "key group [[IDLE min-idle-time] start end count [consumer]]", pending::xpending)
        .keys(READ)
        .flags(READONLY)
        .tips(NONDETERMINISTIC)
        .docs("5.0.0", "O(N) in the number of entries given", "Lists the entries that consumers of a group have not acknowledged."),
    Command::new("XRANGE", Group::Stream, "key start end [COUNT count]", range::xrange)
        .keys(READ)
        .flags(READONLY)
        .docs("5.0.0", "O(N) in the number of entries given", "Gives the entries of a stream between two ids."),
    Command::new("XREAD", Group::Stream, "[COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]", read::xread)
        .keys(&[streams(1)])
        .flags(READONLY | BLOCKING | MOVABLE_KEYS)
        .docs("5.0.0", "O(N) in the number of entries given", "Gives the entries of streams behind some ids, or waits for them."),
    Command::new("XREADGROUP", Group::Stream, "GROUP group consumer [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]", read::xreadgroup)
        .keys(&[streams(4)])
        .flags(WRITE | BLOCKING | MOVABLE_KEYS)
        .docs("5.0.0", "O(N) in the number of entries given", "Gives a consumer the entries that its group has not read yet, or waits for them."),
    Command::new("XREVRANGE", Group::Stream, "key end start [COUNT count]", range::xrevrange)
        .keys(READ)
        .flags(READONLY)
        .docs("5.0.0", "O(N) in the number of entries given", "Gives the entries of a stream between two ids, the last first."),
    Command::new("XSETID", Group::Stream, "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]", add::xsetid)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | FAST)
        .docs("5.0.0", "O(1)", "Sets the last id that a stream has given."),
    Command::new("XTRIM", Group::Stream, "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]", add::xtrim)
        .keys(DELETED)
        .flags(WRITE)
        .tips(NONDETERMINISTIC)
        .docs("5.0.0", "O(N) in the number of entries that it removes", "Removes the oldest entries of a stream."),
];
