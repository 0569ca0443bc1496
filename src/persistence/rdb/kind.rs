//! The numbers of types.

pub(super) const STRING: u8 = 0;
pub(super) const LIST: u8 = 1;
pub(super) const SET: u8 = 2;
pub(super) const SORTED_SET: u8 = 3;
pub(super) const HASH: u8 = 4;
/// With binary scores.
pub(super) const SORTED_SET_2: u8 = 5;
/// A value of a module.
pub(super) const MODULE_2: u8 = 7;
pub(super) const HASH_ZIPMAP: u8 = 9;
pub(super) const LIST_ZIPLIST: u8 = 10;
pub(super) const SET_INTSET: u8 = 11;
pub(super) const SORTED_SET_ZIPLIST: u8 = 12;
pub(super) const HASH_ZIPLIST: u8 = 13;
/// Nodes are ziplists.
pub(super) const QUICKLIST: u8 = 14;
pub(super) const STREAM: u8 = 15;
pub(super) const HASH_LISTPACK: u8 = 16;
pub(super) const SORTED_SET_LISTPACK: u8 = 17;
/// Nodes are listpacks or single elements.
pub(super) const QUICKLIST_2: u8 = 18;
/// With what was counted: entries ever added, the greatest one deleted.
pub(super) const STREAM_2: u8 = 19;
pub(super) const SET_LISTPACK: u8 = 20;
/// With when consumers were last given something.
pub(super) const STREAM_3: u8 = 21;
/// Fields that may expire, each with its moment; of a version that was never released.
pub(super) const HASH_EXPIRING_EARLY: u8 = 22;
/// The same in a listpack.
pub(super) const HASH_LISTPACK_EXPIRING_EARLY: u8 = 23;
/// The earliest moment, then fields with moments relative to it.
pub(super) const HASH_EXPIRING: u8 = 24;
/// The earliest moment, then a listpack of fields, values and moments.
pub(super) const HASH_LISTPACK_EXPIRING: u8 = 25;
/// With producers that number what they add.
pub(super) const STREAM_4: u8 = 26;
/// With pending entries that have been given back.
pub(super) const STREAM_5: u8 = 27;
/// In files of Valkey: fields that may expire, each followed by its moment. The number there is that of a hash of Redis.
pub(super) const HASH_OF_VALKEY: u8 = 0x80 | HASH_EXPIRING_EARLY;

/// What types are called by the tool that checks files.
const NAMES: [&str; 28] = [
    "string",
    "list-linked",
    "set-hashtable",
    "zset-v1",
    "hash-hashtable",
    "zset-v2",
    "module-pre-release",
    "module-value",
    "",
    "hash-zipmap",
    "list-ziplist",
    "set-intset",
    "zset-ziplist",
    "hash-ziplist",
    "quicklist",
    "stream",
    "hash-listpack",
    "zset-listpack",
    "quicklist-v2",
    "stream-v2",
    "set-listpack",
    "stream-v3",
    "hash-hashtable-md-pre-release",
    "hash-listpack-md-pre-release",
    "hash-hashtable-md",
    "hash-listpack-md",
    "stream-v4",
    "stream-v5",
];

/// What a type is called.
pub(super) fn name(kind: u8) -> &'static str {
    match kind {
        HASH_OF_VALKEY => "hash-hashtable-with-volatile-fields",
        kind => NAMES.get(usize::from(kind)).unwrap_or(&"unknown"),
    }
}

/// Whether a type is one that can be walked over.
pub(super) fn is_known(kind: u8) -> bool {
    matches!(kind, STRING..=SORTED_SET_2 | MODULE_2 | HASH_ZIPMAP..=STREAM_5 | HASH_OF_VALKEY)
}

/// Whether a type is a stream.
pub(super) fn is_stream(kind: u8) -> bool {
    stream_version(kind) > 0
}

/// The version of a stream's form, 0 for other types.
pub(super) fn stream_version(kind: u8) -> u8 {
    match kind {
        STREAM => 1,
        STREAM_2 => 2,
        STREAM_3 => 3,
        STREAM_4 => 4,
        STREAM_5 => 5,
        _ => 0,
    }
}

/// Whether Redis 7.0 does not know a type.
pub(super) fn is_later(kind: u8) -> bool {
    kind >= SET_LISTPACK
}
