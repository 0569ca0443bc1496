//! One value as snapshots and DUMP lay it out: a byte for its type, then its parts. `read` and `old` take what any version
//! of Redis has written; `write` writes what Redis 7.0 reads, and newer types only for what it does not have: fields that
//! expire.
//!
//! A dumped value ends with two bytes of version and eight of checksum, both little endian.

mod check;
mod commands;
mod cursor;
#[cfg(test)]
mod damage_tests;
mod encode;
#[cfg(test)]
mod file_tests;
mod frame;
mod functions;
mod kind;
mod load;
mod module;
mod old;
mod opcode;
mod read;
#[cfg(test)]
mod samples;
mod skip;
mod sliced;
#[cfg(test)]
mod sliced_tests;
mod split;
mod stream;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
mod write;

pub use check::{Check, Defect, Finding, Tally, check};
pub use commands::show_entries;
pub use cursor::{Malformed, Reader};
pub use encode::{EntryWriter, FileEncoder, Shared};
pub use frame::{Frame, Preamble, later_header};
pub use functions::{dump_functions, read_functions};
pub use load::{Listener, Loaded, Options, load};
pub use module::ModuleName;
pub use read::{Limits, Restored, read};
pub use write::{Rough, Writer, write};

use thiserror::Error;

use crate::base::crc64::crc64;
use crate::keyspace::ValueRef;

/// The version that 7.0 writes, and every later one reads.
const VERSION: u16 = 10;
/// The version of what 7.0 does not know.
const LATER_VERSION: u16 = 12;
/// The latest version of Redis's that may be read: what it may hold besides is refused by its type.
const LATEST_VERSION: u32 = 14;
/// The only version of Valkey's own.
const VALKEY_VERSION: u32 = 80;
const VERSION_BYTES: usize = 2;
const FOOTER: usize = VERSION_BYTES + 8;

/// A value with version and checksum, as DUMP gives it.
pub fn dump(value: ValueRef<'_>, packs: bool) -> Vec<u8> {
    let mut writer = Writer::new(packs);
    let kind = write(&mut writer, None, value);
    let bytes = writer.into_bytes();
    let version = match kind::is_later(kind) {
        true => LATER_VERSION,
        false => VERSION,
    };
    signed(bytes, version)
}

/// Bytes with version and checksum behind them.
fn signed(mut bytes: Vec<u8>, version: u16) -> Vec<u8> {
    bytes.extend_from_slice(&version.to_le_bytes());
    let checksum = crc64(0, &bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Bytes of a value in a snapshot, its type and key left out.
pub fn length(value: ValueRef<'_>, packs: bool) -> usize {
    let mut writer = Writer::new(packs);
    write(&mut writer, None, value);
    writer.into_bytes().len() - 1
}

/// A dumped value without version and checksum; `None` if these are wrong. The checksum is looked at only if `sums`.
pub fn checked(payload: &[u8], sums: bool) -> Option<(Dialect, &[u8])> {
    let (value, footer) = payload.split_at_checked(payload.len().checked_sub(FOOTER)?)?;
    let (version, checksum) = footer.split_first_chunk::<VERSION_BYTES>()?;
    let signed = &payload[..value.len() + VERSION_BYTES];
    let version = u16::from_le_bytes(*version).into();
    let dialects = [Dialect::Redis, Dialect::Valkey];
    let dialect = dialects
        .into_iter()
        .find(|dialect| dialect.reads(version))?;
    let is_right = !sums || crc64(0, signed).to_le_bytes() == *checksum;
    is_right.then_some((dialect, value))
}

/// Whose format it is: since version 80, Valkey's numbers mean other things than Redis's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Dialect {
    Redis,
    Valkey,
}

impl Dialect {
    /// Whether a version can be read.
    fn reads(self, version: u32) -> bool {
        match self {
            Self::Redis => (0..=LATEST_VERSION).contains(&version),
            Self::Valkey => version == VALKEY_VERSION,
        }
    }

    /// What a type's number means.
    fn kind(self, number: u8) -> u8 {
        match (self, number) {
            (Self::Valkey, kind::HASH_EXPIRING_EARLY) => kind::HASH_OF_VALKEY,
            // Not a number that is written.
            (_, kind::HASH_OF_VALKEY) => u8::MAX,
            (_, number) => number,
        }
    }
}

/// Why a file cannot be loaded, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem} (offset {offset})")]
pub struct Fault {
    /// Bytes before it.
    pub offset: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum Problem {
    #[error("{0}")]
    Value(Malformed),
    #[error("{0}")]
    Unreadable(String),
    #[error("Wrong signature trying to load DB from file")]
    Signature,
    #[error("Can't handle RDB format version {0}")]
    Version(u32),
    #[error("Pre-release function format not supported")]
    EarlyFunctions,
    #[error("Failed loading library, {0}")]
    Function(String),
    #[error("Data file was created with a server configured to handle more than {0} databases")]
    Databases(usize),
    #[error("RDB has duplicated key '{key}' in DB {database}")]
    Duplicate { key: String, database: usize },
    #[error("Wrong RDB checksum expected: ({counted:x}) but got ({stated:x}): RDB CRC error")]
    Checksum { stated: u64, counted: u64 },
    #[error("The loading was stopped")]
    Stopped,
}

impl From<Malformed> for Problem {
    fn from(error: Malformed) -> Self {
        Self::Value(error)
    }
}
