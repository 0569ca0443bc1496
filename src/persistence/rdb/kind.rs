//! The numbers of types.

pub(super) const STRING: u8 = 0;
pub(super) const LIST: u8 = 1;
pub(super) const SET: u8 = 2;
pub(super) const SORTED_SET: u8 = 3;
pub(super) const HASH: u8 = 4;
/// With binary scores.
pub(super) const SORTED_SET_2: u8 = 5;
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

/// Whether Redis 7.0 does not know a type.
pub(super) fn is_later(kind: u8) -> bool {
    kind >= SET_LISTPACK
}
