//! One bit: SETBIT, GETBIT.

use super::offset;
use crate::commands::string::text_of;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::Before;
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
    let end = (offset / 8) as usize + 1;
    let mut old = false;
    let change = |bytes: &mut [u8]| old = bits::set(bytes, offset, bit);
    let has_grown = match call.db.use_and_edit_string(key, end, change) {
        Before::Missing => {
            call.created(key);
            true
        }
        Before::String(len) => len < end,
        Before::OtherType => return Err(CommandError::WrongType),
    };
    if old != bit || has_grown {
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
