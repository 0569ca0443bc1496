//! The library `struct`: values to and from the layout of C structures, with the results and the error texts of the
//! library that Redis carries. A count in a format reserves nothing: what is made is as long as arguments and format.

use std::cell::Cell;

use super::failure::{Failure, overflow};
use super::stack::{self, Body, Kind, LONGEST_OUTPUT, Scratch, Stack, truncate};

/// The widest integer that a format may ask for.
const WIDEST_INTEGER: usize = 32;
/// What `!` means without a number.
const USUAL_ALIGNMENT: usize = 8;
/// Two to the 63rd and 64th, where the conversion of doubles to integers changes.
const TWO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_64: f64 = 18_446_744_073_709_551_616.0;

const FUNCTIONS: &[(&str, Body<()>)] = &[("pack", pack), ("unpack", unpack), ("size", size)];

/// The library's table.
pub fn open(lua: &mlua::Lua) -> mlua::Result<mlua::Table> {
    stack::library(lua, |stack| stack.push_library((), FUNCTIONS))
}

// ---- Formats

/// A format being read: its options one by one, under the byte order and the alignment set so far.
struct Format<'a> {
    rest: &'a [u8],
    is_big: bool,
    alignment: usize,
}

impl<'a> Format<'a> {
    /// A zero ends a format, as it ends a string in C.
    fn new(text: &'a [u8]) -> Self {
        Self {
            rest: text.split(|byte| *byte == 0).next().unwrap_or_default(),
            is_big: cfg!(target_endian = "big"),
            alignment: 1,
        }
    }

    /// The next option with its size; of one that has none, 0.
    fn next(&mut self) -> Result<Option<(u8, usize)>, Failure> {
        let Some((option, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'f' => 4,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'c' => self.number(1)?,
            b'i' | b'I' => self.integer_width()?,
            _ => 0,
        };
        Ok(Some((*option, size)))
    }

    fn integer_width(&mut self) -> Result<usize, Failure> {
        let width = self.number(4)?;
        if width > WIDEST_INTEGER {
            return Err(Failure::error(format!(
                "integral size {width} is larger than limit of {WIDEST_INTEGER}"
            )));
        }
        Ok(width)
    }

    /// The number that stands next, at most what an `int` of C holds.
    fn number(&mut self, missing: usize) -> Result<usize, Failure> {
        let mut value = None;
        while let [digit @ b'0'..=b'9', rest @ ..] = self.rest {
            let digit = i32::from(digit - b'0');
            let longer = value.unwrap_or(0i32).checked_mul(10);
            let longer = longer.and_then(|longer| longer.checked_add(digit));
            value = Some(longer.ok_or_else(|| Failure::error("integral size overflow"))?);
            self.rest = rest;
        }
        Ok(value.map_or(missing, |value| value.unsigned_abs() as usize))
    }

    /// How many bytes lead from `at` to where an element of this size may stand.
    fn padding(&self, at: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.alignment);
        size.wrapping_sub(at & (size - 1)) & (size - 1)
    }

    /// Options that set byte order and alignment.
    fn control(&mut self, option: u8) -> Result<(), Failure> {
        match option {
            b' ' => {}
            b'>' => self.is_big = true,
            b'<' => self.is_big = false,
            b'!' => {
                let alignment = self.number(USUAL_ALIGNMENT)?;
                if !alignment.is_power_of_two() {
                    return Err(Failure::error(format!(
                        "alignment {alignment} is not a power of 2"
                    )));
                }
                self.alignment = alignment;
            }
            _ => {
                let mut text = b"invalid format option ' '".to_vec();
                let place = text.len() - 2;
                text[place] = option;
                return Err(Failure::argument(1, text));
            }
        }
        Ok(())
    }
}

// ---- struct.pack(format, value, ...)

fn pack(stack: &mut Stack<'_>, scratch: &mut Scratch, _: &Cell<()>) -> Result<i32, Failure> {
    let mut format = Format::new(stack.text_argument(1)?);
    let out = &mut scratch.bytes;
    let mut argument = 2;
    while let Some((option, size)) = format.next()? {
        let padding = format.padding(out.len(), option, size);
        out.resize(out.len() + padding, 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = to_unsigned(number(stack, argument)?);
                argument += 1;
                put_integer(out, value, size, format.is_big);
            }
            b'x' => out.push(0),
            b'f' => {
                let value = number(stack, argument)? as f32;
                argument += 1;
                out.extend_from_slice(&ordered(value.to_le_bytes(), format.is_big));
            }
            b'd' => {
                let value = number(stack, argument)?;
                argument += 1;
                out.extend_from_slice(&ordered(value.to_le_bytes(), format.is_big));
            }
            b'c' | b's' => {
                expect_given(stack, argument, "string")?;
                let text = stack.text_argument(argument)?;
                argument += 1;
                put_text(out, text, size, argument)?;
                if option == b's' {
                    out.push(0);
                }
            }
            _ => format.control(option)?,
        }
    }
    stack.push_bytes(out)?;
    Ok(1)
}

/// An argument beyond the last one counts as nil.
fn expect_given(stack: &Stack<'_>, argument: i32, expected: &str) -> Result<(), Failure> {
    if argument > stack.arguments() {
        return Err(Failure::argument(
            argument,
            format!("{expected} expected, got nil"),
        ));
    }
    Ok(())
}

fn number(stack: &Stack<'_>, argument: i32) -> Result<f64, Failure> {
    expect_given(stack, argument, "number")?;
    stack.number_argument(argument)
}

/// `next` is the argument after the text: the one that the original names in its complaint.
fn put_text(out: &mut Vec<u8>, text: &[u8], size: usize, next: i32) -> Result<(), Failure> {
    let size = if size == 0 { text.len() } else { size };
    let Some(text) = text.get(..size) else {
        return Err(Failure::argument(next, "string too short"));
    };
    if out.len() + size > LONGEST_OUTPUT {
        return Err(Failure::Bare("not enough memory"));
    }
    out.extend_from_slice(text);
    Ok(())
}

/// A double as the processors that Redis runs on make an unsigned integer of it.
fn to_unsigned(number: f64) -> u64 {
    if number >= TWO_64 {
        0
    } else if number >= TWO_63 {
        number as u64
    } else {
        truncate(number).cast_unsigned()
    }
}

/// The low bytes of `value`; beyond its eight there are zeros.
fn put_integer(out: &mut Vec<u8>, value: u64, size: usize, is_big: bool) {
    let mut bytes = [0; WIDEST_INTEGER];
    bytes[..8].copy_from_slice(&value.to_le_bytes());
    let bytes = &mut bytes[..size];
    if is_big {
        bytes.reverse();
    }
    out.extend_from_slice(bytes);
}

fn ordered<const N: usize>(mut bytes: [u8; N], is_big: bool) -> [u8; N] {
    if is_big {
        bytes.reverse();
    }
    bytes
}

// ---- struct.unpack(format, data, position)

fn unpack(stack: &mut Stack<'_>, _: &mut Scratch, _: &Cell<()>) -> Result<i32, Failure> {
    let mut format = Format::new(stack.text_argument(1)?);
    let data = stack.text_argument(2)?;
    let position = stack.optional_integer_argument(3, 1)?;
    if position == 0 {
        return Err(Failure::argument(3, "offset must be 1 or greater"));
    }
    // A negative position is one far behind the end.
    let mut at = position.wrapping_sub(1) as usize;
    let mut results = 0;
    while let Some((option, mut size)) = format.next()? {
        at = at.wrapping_add(format.padding(at, option, size));
        let field = field(data, at, size)?;
        if !stack.reserve(2) {
            return Err(overflow("too many results"));
        }
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let is_signed = option.is_ascii_lowercase();
                stack.push_number(integer_of(field, format.is_big, is_signed))?;
                results += 1;
            }
            b'x' => {}
            b'f' | b'd' => {
                stack.push_number(float_of(field, format.is_big))?;
                results += 1;
            }
            b'c' => {
                if size == 0 {
                    size = previous_number(stack, results)?;
                    results -= 1;
                }
                stack.push_bytes(self::field(data, at, size)?)?;
                results += 1;
            }
            b's' => {
                let rest = &data[at..];
                let Some(length) = memchr::memchr(0, rest) else {
                    return Err(Failure::error("unfinished string in data"));
                };
                size = length + 1;
                stack.push_bytes(&rest[..length])?;
                results += 1;
            }
            _ => format.control(option)?,
        }
        at += size;
    }
    stack.push_number((at as i64).wrapping_add(1) as f64)?;
    Ok(results + 1)
}

fn field(data: &[u8], at: usize, size: usize) -> Result<&[u8], Failure> {
    at.checked_add(size)
        .and_then(|end| data.get(at..end))
        .ok_or_else(|| Failure::argument(2, "data string too short"))
}

/// The number read before, which `c0` takes as the length of a string; it is no result then.
fn previous_number(stack: &mut Stack<'_>, results: i32) -> Result<usize, Failure> {
    let is_number = results > 0 && matches!(stack.kind(1), Kind::Number | Kind::String);
    let number = if is_number { stack.number(1) } else { None };
    let Some(number) = number else {
        return Err(Failure::error("format 'c0' needs a previous size"));
    };
    stack.pop(1);
    Ok(to_unsigned(number) as usize)
}

/// Of wide integers the last eight bytes in reading order count; a sign is looked for where a shift by the width, modulo
/// 64, puts it.
fn integer_of(field: &[u8], is_big: bool, is_signed: bool) -> f64 {
    let push = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = if is_big {
        field.iter().fold(0, push)
    } else {
        field.iter().rev().fold(0, push)
    };
    if !is_signed {
        return value as f64;
    }
    let sign_and_above = u64::MAX.wrapping_shl((field.len() as u32 * 8).wrapping_sub(1));
    let value = if value & sign_and_above == 0 {
        value
    } else {
        value | sign_and_above
    };
    value.cast_signed() as f64
}

fn float_of(field: &[u8], is_big: bool) -> f64 {
    if let Ok(bytes) = <[u8; 4]>::try_from(field) {
        f64::from(f32::from_le_bytes(ordered(bytes, is_big)))
    } else if let Ok(bytes) = <[u8; 8]>::try_from(field) {
        f64::from_le_bytes(ordered(bytes, is_big))
    } else {
        0.0
    }
}

// ---- struct.size(format)

fn size(stack: &mut Stack<'_>, _: &mut Scratch, _: &Cell<()>) -> Result<i32, Failure> {
    let mut format = Format::new(stack.text_argument(1)?);
    let mut at = 0usize;
    while let Some((option, size)) = format.next()? {
        at += format.padding(at, option, size);
        if option == b's' {
            return Err(Failure::argument(1, "option 's' has no fixed size"));
        }
        if option == b'c' && size == 0 {
            return Err(Failure::argument(1, "option 'c0' has no fixed size"));
        }
        // Letters that mean nothing pass here, and only here.
        if !option.is_ascii_alphanumeric() {
            format.control(option)?;
        }
        at += size;
    }
    stack.push_number(at as f64)?;
    Ok(1)
}

#[cfg(test)]
mod tests {
    use mlua::{Function, Lua};
    use proptest::prelude::*;

    use super::super::tests::{error_of, lua_with, text_of};

    fn lua() -> Lua {
        let lua = lua_with("struct", super::open);
        lua.load("function hex(s) return (s:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end")
            .exec()
            .expect("a helper is defined");
        lua
    }

    #[test]
    fn values_are_laid_out_as_asked() {
        let lua = lua();
        for (call, expected) in [
            ("hex(struct.pack('<i2>i2', 1, 1))", "01000001"),
            ("hex(struct.pack('>I3', -2))", "fffffe"),
            ("hex(struct.pack('<i10', -1))", "ffffffffffffffff0000"),
            ("hex(struct.pack('bxB', -1, 255))", "ff00ff"),
            ("hex(struct.pack('!4bi4', 1, 2))", "0100000002000000"),
            (
                "hex(struct.pack('>f>d', 1.5, -2))",
                "3fc00000c000000000000000",
            ),
            (
                "hex(struct.pack('sc0c2', 'ab', 'cd', 'efg'))",
                "61620063646566",
            ),
            ("hex(struct.pack('>T', 2^64))", "0000000000000000"),
            ("struct.size('!8bdh')", "18"),
            ("struct.size('z')", "0"),
            (
                "struct.unpack('<i2>I2b', '\\1\\0\\1\\0\\255')",
                "1 256 -1 6",
            ),
            ("struct.unpack('bc0', '\\3abcd')", "abc 5"),
            ("struct.unpack('ss', 'ab\\0c\\0', 2)", "b c 6"),
            (
                "struct.unpack('>f<d', struct.pack('>f<d', 0.5, 0.1))",
                "0.5 0.1 13",
            ),
        ] {
            assert_eq!(text_of(&lua, call), expected, "{call}");
        }
    }

    const ERRORS: &[(&str, &str)] = &[
        ("struct.pack('i99999999999', 1)", "integral size overflow"),
        (
            "struct.pack('i33', 1)",
            "integral size 33 is larger than limit of 32",
        ),
        ("struct.pack('!3')", "alignment 3 is not a power of 2"),
        ("struct.pack('!0')", "alignment 0 is not a power of 2"),
        (
            "struct.unpack('c0', 'abc')",
            "format 'c0' needs a previous size",
        ),
        ("struct.unpack('s', 'abc')", "unfinished string in data"),
        (
            "struct.pack('z')",
            "bad argument #1 to 'pack' (invalid format option 'z')",
        ),
        (
            "struct.pack('i')",
            "bad argument #2 to 'pack' (number expected, got nil)",
        ),
        (
            "struct.pack('c9', 'abc')",
            "bad argument #3 to 'pack' (string too short)",
        ),
        (
            "struct.unpack('c2147483647', 'abc')",
            "bad argument #2 to 'unpack' (data string too short)",
        ),
        (
            "struct.unpack('dc0', struct.pack('d', -1))",
            "bad argument #2 to 'unpack' (data string too short)",
        ),
        (
            "struct.unpack('b', 'abc', -1)",
            "bad argument #2 to 'unpack' (data string too short)",
        ),
        (
            "struct.unpack('b', 'abc', 2^63)",
            "bad argument #2 to 'unpack' (data string too short)",
        ),
        (
            "struct.unpack('b', 'abc', 0)",
            "bad argument #3 to 'unpack' (offset must be 1 or greater)",
        ),
        (
            "struct.size('s')",
            "bad argument #1 to 'size' (option 's' has no fixed size)",
        ),
        (
            "struct.size('c0')",
            "bad argument #1 to 'size' (option 'c0' has no fixed size)",
        ),
    ];

    #[test]
    fn hostile_formats_are_refused() {
        let lua = lua();
        for (call, expected) in ERRORS {
            assert_eq!(
                error_of(&lua, call),
                format!("script:1: {expected}"),
                "{call}"
            );
        }
        let error = error_of(
            &lua,
            "struct.unpack(string.rep('b', 100000), string.rep('a', 100000))",
        );
        assert!(
            error.contains("stack overflow (too many results)"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn random_formats_give_values_or_an_error(
            format in "[<>!bBhHlLTfdsxciI0-9 ]{0,16}",
            data in prop::collection::vec(any::<u8>(), 0..80),
            position in any::<i64>(),
        ) {
            let lua = lua();
            let unpack: Function = lua.load("return struct.unpack").eval().expect("a function");
            let data = lua.create_string(&data).expect("a string");
            for position in [position, position % 64] {
                let _ = unpack.call::<mlua::MultiValue>((format.as_str(), data.clone(), position));
            }
            let pack: Function = lua.load("return struct.pack").eval().expect("a function");
            let _ = pack.call::<mlua::Value>((format.as_str(), data, position, 1.5, 2));
            let size: Function = lua.load("return struct.size").eval().expect("a function");
            let _ = size.call::<mlua::Value>(format);
        }

        #[test]
        fn integers_round_trip(value in any::<i32>(), width in 4..=8, order in "[<>]") {
            let lua = lua();
            let check: Function = lua.load(
                "return function(format, value) return (struct.unpack(format, struct.pack(format, value))) end",
            ).eval().expect("a function");
            let back: f64 = check.call((format!("{order}i{width}"), value)).expect("no error");
            prop_assert_eq!(back, f64::from(value));
        }
    }
}
