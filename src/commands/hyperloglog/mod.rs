//! HyperLogLog: about how many different elements there were. The values are strings. The commands stand in `table`.

mod count;
mod debug;
mod table;
mod update;

pub use table::COMMANDS;

use crate::engine::{Call, CommandError};
use crate::keyspace::{Key, ValueRef};
use crate::structures::hyperloglog::{self, Encoding, Invalid};

/// The bytes of a HyperLogLog.
fn bytes_of(value: ValueRef<'_>) -> Result<&[u8], CommandError> {
    encoded(value).map(|(bytes, _)| bytes)
}

/// The bytes of a HyperLogLog, and how they are to be read.
#[inline]
fn encoded(value: ValueRef<'_>) -> Result<(&[u8], Encoding), CommandError> {
    let bytes = match value {
        ValueRef::Inline(bytes) => bytes,
        ValueRef::Int(_) => b"",
        ValueRef::Object(object) => object.as_string().ok_or(CommandError::WrongType)?,
    };
    let encoding = hyperloglog::encoding(bytes).map_err(refuse)?;
    Ok((bytes, encoding))
}

#[cold]
fn refuse(invalid: Invalid) -> CommandError {
    CommandError::text(match invalid {
        Invalid::Foreign => "WRONGTYPE Key is not a valid HyperLogLog string value.",
        Invalid::Corrupt => "INVALIDOBJ Corrupted HLL object detected",
    })
}

/// The bytes under a key that is about to be changed; `None` when it is missing. From then on they count as changed in place,
/// whether they are or not.
fn to_change<'c>(call: &'c mut Call, key: Key<'_>) -> Result<Option<&'c [u8]>, CommandError> {
    let Some(mut entry) = call.db.change(key) else {
        return Ok(None);
    };
    bytes_of(entry.view().value())?;
    if matches!(entry.view().value(), ValueRef::Inline(_)) {
        entry.set_raw();
    }
    bytes_of(entry.into_view().value()).map(Some)
}
