//! Many bits of one string: BITCOUNT, BITPOS.

use std::ops::Range;

use crate::commands::string::text_of;
use crate::engine::{Call, CommandError, CommandResult};
use crate::structures::bits;

/// What positions count.
#[derive(Clone, Copy)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    /// The unit that an argument names; bytes where there is none.
    fn parse(call: &Call, at: usize) -> Result<Self, CommandError> {
        match call.args.get(at) {
            None => Ok(Self::Byte),
            Some(_) if call.args.is(at, "BYTE") => Ok(Self::Byte),
            Some(_) if call.args.is(at, "BIT") => Ok(Self::Bit),
            Some(_) => Err(CommandError::Syntax),
        }
    }

    /// In bits.
    fn width(self) -> u64 {
        match self {
            Self::Byte => 8,
            Self::Bit => 1,
        }
    }
}

/// A part of a string: from `start` to `end`, both included, negative ones counted from the end.
#[derive(Clone, Copy)]
struct Part {
    start: i64,
    end: i64,
    unit: Unit,
}

impl Part {
    const ALL: Self = Self {
        start: 0,
        end: -1,
        unit: Unit::Byte,
    };

    /// The bits of a string of `len` bytes that belong to it. May be a range that ends before it starts.
    fn bits(self, len: usize) -> Range<u64> {
        let total = len as u64 * 8 / self.unit.width();
        let from_end = |at: i64| match u64::try_from(at) {
            Ok(at) => at,
            Err(_) => total.saturating_sub(at.unsigned_abs()),
        };
        let start = from_end(self.start).min(total);
        let end = from_end(self.end).saturating_add(1).min(total);
        start * self.unit.width()..end * self.unit.width()
    }

    /// Whether it ends before it starts, both counted from the end: both may lie before the first byte.
    fn is_backward(self) -> bool {
        self.start < 0 && self.end < 0 && self.start > self.end
    }
}

pub(super) fn bitcount(call: &mut Call) -> CommandResult {
    let part = match call.args.len() {
        2 => Part::ALL,
        4 | 5 => Part {
            start: call.integer(2)?,
            end: call.integer(3)?,
            unit: Unit::parse(call, 4)?,
        },
        _ => return Err(CommandError::Syntax),
    };
    let key = call.key(0);
    call.note_miss(key);
    let count = match call.db.read(key) {
        Some(entry) => {
            let mut buffer = itoa::Buffer::new();
            let text = text_of(entry.value(), &mut buffer)?;
            match part.is_backward() {
                true => 0,
                false => bits::count_within(text, part.bits(text.len())),
            }
        }
        None => 0,
    };
    call.reply.integer(count as i64);
    Ok(())
}

pub(super) fn bitpos(call: &mut Call) -> CommandResult {
    let bit = match call.integer(2)? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::text("ERR The bit argument must be 1 or 0.")),
    };
    let part = part_of_bitpos(call)?;
    let key = call.key(0);
    call.note_miss(key);
    let Some(entry) = call.db.read(key) else {
        // A missing string is as many zeros as anyone wants.
        call.reply.integer(if bit { -1 } else { 0 });
        return Ok(());
    };
    let mut buffer = itoa::Buffer::new();
    let text = text_of(entry.value(), &mut buffer)?;
    let range = part.bits(text.len());
    let is_open = call.args.len() < 5;
    let position = match bits::find_within(text, range.clone(), bit) {
        Some(position) => position as i64,
        // Without an end given, zeros go on behind the string.
        None if !bit && is_open && !range.is_empty() => range.end as i64,
        None => -1,
    };
    call.reply.integer(position);
    Ok(())
}

fn part_of_bitpos(call: &Call) -> Result<Part, CommandError> {
    if call.args.len() > 6 {
        return Err(CommandError::Syntax);
    }
    let mut part = Part::ALL;
    if call.args.len() > 3 {
        part.start = call.integer(3)?;
    }
    part.unit = Unit::parse(call, 5)?;
    if call.args.len() > 4 {
        part.end = call.integer(4)?;
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_clamped() {
        for (start, end, unit, expected) in [
            (0, -1, Unit::Byte, 0..24),
            (1, 1, Unit::Byte, 8..16),
            (-2, 100, Unit::Byte, 8..24),
            (-100, -100, Unit::Byte, 0..8),
            (5, 7, Unit::Bit, 5..8),
            (-3, -1, Unit::Bit, 21..24),
            (3, 100, Unit::Byte, 24..24),
            (i64::MAX, i64::MAX, Unit::Bit, 24..24),
            (i64::MIN, i64::MAX, Unit::Bit, 0..24),
        ] {
            assert_eq!(Part { start, end, unit }.bits(3), expected, "{start} {end}");
        }
        assert!(
            Part {
                start: 2,
                end: 1,
                unit: Unit::Byte
            }
            .bits(3)
            .is_empty()
        );
        assert!(Part::ALL.bits(0).is_empty());
    }
}
