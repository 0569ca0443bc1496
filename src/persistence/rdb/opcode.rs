//! What stands in a snapshot file between its values: numbers in the place of a type.

/// How a file of Redis begins, before four digits of version.
pub(super) const MAGIC: &[u8] = b"REDIS";
/// How a file of Valkey begins from version 80 on, before three digits of version.
pub(super) const VALKEY_MAGIC: &[u8] = b"VALKEY";
/// Both with their digits.
pub(super) const HEADER: usize = 9;

/// Valkey: slots that are being imported.
pub(super) const SLOT_IMPORT: u8 = 243;
/// Redis 8: what modules keep beside a key.
pub(super) const KEY_META: u8 = 243;
/// How many keys a slot has.
pub(super) const SLOT_INFO: u8 = 244;
/// A library of functions.
pub(super) const FUNCTION: u8 = 245;
/// A library as release candidates of 7.0 wrote it.
pub(super) const FUNCTION_EARLY: u8 = 246;
/// What a module keeps beside the keys.
pub(super) const MODULE_AUX: u8 = 247;
/// Seconds since the key's last use.
pub(super) const IDLE: u8 = 248;
/// How often the key is used, as a logarithm.
pub(super) const FREQUENCY: u8 = 249;
/// A name and a text about the file.
pub(super) const FIELD: u8 = 250;
/// How many keys the database has.
pub(super) const SIZES: u8 = 251;
/// When the key expires, in milliseconds.
pub(super) const EXPIRES_MS: u8 = 252;
/// When the key expires, in seconds.
pub(super) const EXPIRES_SECONDS: u8 = 253;
/// Which database the next keys belong to.
pub(super) const DATABASE: u8 = 254;
/// The end, before the checksum.
pub(super) const END: u8 = 255;

/// The last version without a checksum.
pub(super) const LAST_WITHOUT_CHECKSUM: u32 = 4;
