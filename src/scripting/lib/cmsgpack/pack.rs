//! Lua values to MessagePack.

use std::cell::Cell;

use super::super::failure::Failure;
use super::super::stack::{Kind, LONGEST_OUTPUT, Scratch, Stack, fits_integer};
use super::tag;

/// Tables nested deeper than this become nil, so that a table within itself comes to an end.
const MOST_NESTED: u32 = 16;

/// `cmsgpack.pack(value, ...)`: the packed values, one after the other.
pub fn pack(stack: &mut Stack<'_>, scratch: &mut Scratch, _: &Cell<()>) -> Result<i32, Failure> {
    let count = stack.arguments();
    if count == 0 {
        return Err(Failure::argument(0, "MessagePack pack needs input."));
    }
    if !stack.reserve(count) {
        return Err(Failure::argument(
            0,
            "Too many arguments for MessagePack pack.",
        ));
    }
    for argument in 1..=count {
        stack.push_argument(argument)?;
        value(stack, &mut scratch.bytes, 0)?;
    }
    stack.push_bytes(&scratch.bytes)?;
    Ok(1)
}

/// Packs the value on top and pops it.
fn value(stack: &mut Stack<'_>, out: &mut Vec<u8>, level: u32) -> Result<(), Failure> {
    match stack.kind(1) {
        Kind::String => string(out, stack.bytes(1).unwrap_or_default())?,
        Kind::Boolean if stack.boolean(1) => out.push(tag::TRUE),
        Kind::Boolean => out.push(tag::FALSE),
        Kind::Number => number(out, stack.number(1).unwrap_or(0.0)),
        Kind::Table if level < MOST_NESTED => table(stack, out, level)?,
        _ => out.push(tag::NIL),
    }
    stack.pop(1);
    check_length(out, 0)
}

fn table(stack: &mut Stack<'_>, out: &mut Vec<u8>, level: u32) -> Result<(), Failure> {
    if !is_array(stack)? {
        return map(stack, out, level);
    }
    let length = stack.length(1);
    header(
        out,
        length,
        tag::SHORT_ARRAY,
        [tag::ARRAY_16, tag::ARRAY_32],
    );
    for index in 1..=i32::try_from(length).unwrap_or(i32::MAX) {
        stack.push_element(1, index)?;
        value(stack, out, level + 1)?;
    }
    Ok(())
}

fn map(stack: &mut Stack<'_>, out: &mut Vec<u8>, level: u32) -> Result<(), Failure> {
    let mut pairs = 0;
    stack.push_nil()?;
    while stack.next(2)? {
        stack.pop(1);
        pairs += 1;
    }
    header(out, pairs, tag::SHORT_MAP, [tag::MAP_16, tag::MAP_32]);
    stack.push_nil()?;
    while stack.next(2)? {
        stack.push_copy(2)?;
        value(stack, out, level + 1)?;
        value(stack, out, level + 1)?;
    }
    Ok(())
}

/// Whether the keys of the table on top are 1 to the number of its elements; so is an empty table's.
fn is_array(stack: &mut Stack<'_>) -> Result<bool, Failure> {
    let (mut count, mut largest) = (0.0, 0.0f64);
    stack.push_nil()?;
    while stack.next(2)? {
        stack.pop(1);
        let key = match stack.kind(1) {
            Kind::Number => stack.number(1).unwrap_or(0.0),
            _ => 0.0,
        };
        if !(key > 0.0 && key <= f64::from(i32::MAX) && key.trunc() == key) {
            stack.pop(1);
            return Ok(false);
        }
        largest = largest.max(key);
        count += 1.0;
    }
    Ok(largest == count)
}

fn number(out: &mut Vec<u8>, value: f64) {
    if fits_integer(value) && value.trunc() == value {
        integer(out, value as i64);
    } else if f64::from(value as f32) == value {
        out.push(tag::FLOAT_32);
        out.extend_from_slice(&(value as f32).to_be_bytes());
    } else {
        out.push(tag::FLOAT_64);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// The shortest form that holds the integer.
fn integer(out: &mut Vec<u8>, value: i64) {
    let (tag, width) = match value {
        -32..=127 => return out.push(value as u8),
        128..=0xff => (tag::UINT_8, 1),
        0x100..=0xffff => (tag::UINT_16, 2),
        0x1_0000..=0xffff_ffff => (tag::UINT_32, 4),
        0x1_0000_0000.. => (tag::UINT_64, 8),
        -0x80..=-33 => (tag::INT_8, 1),
        -0x8000..=-0x81 => (tag::INT_16, 2),
        -0x8000_0000..=-0x8001 => (tag::INT_32, 4),
        _ => (tag::INT_64, 8),
    };
    out.push(tag);
    out.extend_from_slice(&value.to_be_bytes()[8 - width..]);
}

fn string(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Failure> {
    check_length(out, text.len())?;
    match text.len() {
        length @ ..=31 => out.push(tag::SHORT_STRING | length as u8),
        length @ ..=0xff => out.extend_from_slice(&[tag::STRING_8, length as u8]),
        length => sized_header(out, length, [tag::STRING_16, tag::STRING_32]),
    }
    out.extend_from_slice(text);
    Ok(())
}

/// The header of an array or a map.
fn header(out: &mut Vec<u8>, count: usize, short: u8, long: [u8; 2]) {
    match count {
        ..=15 => out.push(short | count as u8),
        _ => sized_header(out, count, long),
    }
}

fn sized_header(out: &mut Vec<u8>, count: usize, [tag_16, tag_32]: [u8; 2]) {
    if let Ok(count) = u16::try_from(count) {
        out.push(tag_16);
        out.extend_from_slice(&count.to_be_bytes());
    } else {
        out.push(tag_32);
        out.extend_from_slice(&(count as u32).to_be_bytes());
    }
}

fn check_length(out: &[u8], more: usize) -> Result<(), Failure> {
    if out.len() + more > LONGEST_OUTPUT {
        return Err(Failure::Bare("not enough memory"));
    }
    Ok(())
}
