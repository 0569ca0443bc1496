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
fn offset(call: &Call, text: &[u8], width: Option<u32>) -> Result<u64, CommandError> {
    let (text, unit) = match (text, width) {
        ([b'#', rest @ ..], Some(width)) => (rest, i64::from(width)),
        _ => (text, 1),
    };
    let longest = match call.engine.is_loading() {
        true => call.config.proto_max_bulk_len.max(ONCE_ALLOWED),
        false => call.config.proto_max_bulk_len,
    };
    let offset = parse_i64(text).and_then(|number| number.checked_mul(unit));
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    let allowed = offset.filter(|offset| offset / 8 < longest as u64);
    allowed.ok_or_else(|| CommandError::text("ERR bit offset is not an integer or out of range"))
}
