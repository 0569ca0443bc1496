//! Bitmaps: strings seen as rows of bits. The commands stand in `table`.

mod combine;
mod field;
mod search;
mod single;
mod table;

pub use table::COMMANDS;

use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError};

/// Strings up to this length are accepted from files, whatever `proto-max-bulk-len` says now: they were allowed once.
const ONCE_ALLOWED: usize = u32::MAX as usize;

/// An offset in bits. One that begins with `#` counts fields of `width` bits, where there is a width.
#[inline]
fn offset(call: &Call, text: &[u8], width: Option<u32>) -> Result<u64, CommandError> {
    let (text, unit) = match (text, width) {
        ([b'#', rest @ ..], Some(width)) => (rest, i64::from(width)),
        _ => (text, 1),
    };
    let longest = call.config.proto_max_bulk_len;
    let offset = parse_i64(text).and_then(|number| number.checked_mul(unit));
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    let allowed = offset.filter(|offset| {
        let byte = offset / 8;
        byte < longest as u64 || byte < ONCE_ALLOWED as u64 && call.engine.is_loading()
    });
    allowed.ok_or_else(|| CommandError::text("ERR bit offset is not an integer or out of range"))
}
