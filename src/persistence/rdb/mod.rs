//! One value as snapshots and DUMP lay it out: a byte for its type, then its parts. `read` and `old` take what any version
//! of Redis has written; `write` writes what Redis 7.0 reads, and newer types only for what it does not have: fields that
//! expire.
//!
//! A dumped value ends with two bytes of version and eight of checksum, both little endian.

mod cursor;
mod kind;
mod old;
mod read;
mod stream;
#[cfg(test)]
mod tests;
mod write;

pub use cursor::{Malformed, Reader};
pub use read::{Limits, Restored, read};
pub use write::{Writer, write};

use crate::base::crc64::crc64;
use crate::keyspace::ValueRef;

/// The version that 7.0 writes, and every later one reads.
const VERSION: u16 = 10;
/// The version of what 7.0 does not know.
const LATER_VERSION: u16 = 12;
const VERSION_BYTES: usize = 2;
const FOOTER: usize = VERSION_BYTES + 8;

/// A value with version and checksum, as DUMP gives it.
pub fn dump(value: ValueRef<'_>, packs: bool) -> Vec<u8> {
    let mut writer = Writer::new(packs);
    let kind = write(&mut writer, value);
    let mut bytes = writer.into_bytes();
    let version = match kind::is_later(kind) {
        true => LATER_VERSION,
        false => VERSION,
    };
    bytes.extend_from_slice(&version.to_le_bytes());
    let checksum = crc64(0, &bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Bytes of a value in a snapshot, its type and key left out.
pub fn length(value: ValueRef<'_>, packs: bool) -> usize {
    let mut writer = Writer::new(packs);
    write(&mut writer, value);
    writer.into_bytes().len() - 1
}

/// A dumped value without version and checksum; `None` if these are wrong.
pub fn checked(payload: &[u8]) -> Option<&[u8]> {
    let (value, footer) = payload.split_at_checked(payload.len().checked_sub(FOOTER)?)?;
    let (version, checksum) = footer.split_first_chunk::<VERSION_BYTES>()?;
    let signed = &payload[..value.len() + VERSION_BYTES];
    let is_right = u16::from_le_bytes(*version) <= LATER_VERSION
        && crc64(0, signed).to_le_bytes() == *checksum;
    is_right.then_some(value)
}
