//! One bit: SETBIT, GETBIT.

use super::offset;
use crate::commands::string::{length_to_change, text_of};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::structures::bits;

pub(super) fn setbit(call: &mut Call) -> CommandResult {
    let offset = offset(call, call.args.at(2), None)?;
    let bit = match call.args.at(3) {
        b"0" => false,
        b"1" => true,
        _ => {
            return Err(CommandError::text(
                "ERR bit is not an integer or out of range",
            ));
        }
    };
    let key = call.key(0);
    let before = length_to_change(call, key)?;
    let end = (offset / 8) as usize + 1;
    let mut old = false;
    call.db
        .edit_string(key, end, |bytes| old = bits::set(bytes, offset, bit));
    if before.is_none() {
        call.created(key);
    }
    if old != bit || before.is_none_or(|len| len < end) {
        call.changed(key, event::string("setbit"));
    }
    call.reply.integer(i64::from(old));
    Ok(())
}

pub(super) fn getbit(call: &mut Call) -> CommandResult {
    let offset = offset(call, call.args.at(2), None)?;
    let key = call.key(0);
    call.note_miss(key);
    let bit = match call.db.read(key) {
        Some(entry) => bits::get(text_of(entry.value(), &mut itoa::Buffer::new())?, offset),
        None => false,
    };
    call.reply.integer(i64::from(bit));
    Ok(())
}
