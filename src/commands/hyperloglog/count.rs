//! PFCOUNT.

use super::{bytes_of, refuse};
use crate::engine::{Call, CommandError, CommandResult};
use crate::structures::hyperloglog::{self as hll, REGISTERS};

pub(super) fn pfcount(call: &mut Call) -> CommandResult {
    let count = match call.keys.len() {
        1 => of_one(call)?,
        _ => of_union(call)?,
    };
    call.reply.integer(count);
    Ok(())
}

fn of_union(call: &mut Call) -> Result<i64, CommandError> {
    let mut registers = [0; REGISTERS];
    for key in call.all_keys() {
        call.note_miss(key);
        if let Some(entry) = call.db.read(key) {
            hll::merge(&mut registers, bytes_of(entry.value())?).map_err(refuse)?;
        }
    }
    Ok(hll::estimate(&registers))
}

/// The count is written into the value, so that the next reader has it: a reader's change, which is journaled as the
/// command itself.
fn of_one(call: &mut Call) -> Result<i64, CommandError> {
    let key = call.key(0);
    call.note_miss(key);
    let Some(entry) = call.db.read(key) else {
        return Ok(0);
    };
    let bytes = bytes_of(entry.value())?;
    let len = bytes.len();
    if let Some(count) = hll::cached(bytes) {
        if !entry.is_raw() {
            call.db.edit_string(key, len, |_| ());
        }
        return Ok(count);
    }
    let count = hll::count(bytes).map_err(refuse)?;
    call.db
        .edit_string(key, len, |bytes| hll::set_cached(bytes, count));
    call.changed_silently(key);
    Ok(count)
}
