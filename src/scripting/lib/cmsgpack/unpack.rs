//! MessagePack to Lua values. Nesting is kept in a list, not in recursion, so that no depth can exhaust the thread's
//! stack; a count in the data reserves nothing.

use std::cell::Cell;

use super::super::failure::{Failure, overflow};
use super::super::stack::{Frame, Scratch, Shape, Stack};
use super::tag;

/// What is left to read.
struct Cursor<'a> {
    rest: &'a [u8],
}

/// What a first byte begins: a value, which is then on the stack, or so many elements or pairs.
enum Begun {
    Value,
    Array(u32),
    Map(u32),
}

/// `cmsgpack.unpack(text)`: all values.
pub fn unpack(stack: &mut Stack<'_>, scratch: &mut Scratch, _: &Cell<()>) -> Result<i32, Failure> {
    unpack_some(stack, scratch, 0, 0)
}

/// `cmsgpack.unpack_one(text, offset)`: where the next value begins, and one value.
pub fn unpack_one(
    stack: &mut Stack<'_>,
    scratch: &mut Scratch,
    _: &Cell<()>,
) -> Result<i32, Failure> {
    let offset = stack.optional_integer_argument(2, 0)?;
    unpack_some(stack, scratch, 1, offset)
}

/// `cmsgpack.unpack_limit(text, limit, offset)`: where the next value begins, and up to `limit` values.
pub fn unpack_limit(
    stack: &mut Stack<'_>,
    scratch: &mut Scratch,
    _: &Cell<()>,
) -> Result<i32, Failure> {
    let limit = stack.integer_argument(2)?;
    let offset = stack.optional_integer_argument(3, 0)?;
    unpack_some(stack, scratch, limit, offset)
}

/// No limit and no offset mean all values, and no word of where the next begins.
fn unpack_some(
    stack: &mut Stack<'_>,
    scratch: &mut Scratch,
    limit: i64,
    offset: i64,
) -> Result<i32, Failure> {
    let text = stack.text_argument(1)?;
    let is_all = limit == 0 && offset == 0;
    let limit = if is_all { i64::from(i32::MAX) } else { limit };
    let mut cursor = Cursor {
        rest: start(text, limit, offset)?,
    };
    let mut count = 0;
    while !cursor.rest.is_empty() && i64::from(count) < limit {
        one_value(stack, &mut cursor, &mut scratch.frames)?;
        count += 1;
    }
    if is_all {
        return Ok(count);
    }
    let next = match cursor.rest.len() {
        0 => -1.0,
        left => (text.len() - left) as f64,
    };
    if !stack.reserve(1) {
        return Err(overflow("in function mp_unpack_full"));
    }
    stack.push_number(next)?;
    stack.sink(count);
    Ok(count + 1)
}

fn start(text: &[u8], limit: i64, offset: i64) -> Result<&[u8], Failure> {
    // The texts show integers of 32 bits, and the first one shows the length in the limit's place.
    let length = text.len() as i32;
    if offset < 0 || limit < 0 {
        return Err(Failure::error(format!(
            "Invalid request to unpack with offset of {} and limit of {length}.",
            offset as i32
        )));
    }
    usize::try_from(offset)
        .ok()
        .and_then(|offset| text.get(offset..))
        .ok_or_else(|| {
            Failure::error(format!(
                "Start offset {} greater than input length {length}.",
                offset as i32
            ))
        })
}

/// Reads one value with all that is in it and pushes it.
fn one_value(
    stack: &mut Stack<'_>,
    cursor: &mut Cursor<'_>,
    frames: &mut Vec<Frame>,
) -> Result<(), Failure> {
    loop {
        let (shape, count) = match cursor.begin(stack)? {
            Begun::Value => {
                put(stack, frames)?;
                if advance(stack, frames)? {
                    continue;
                }
                return Ok(());
            }
            Begun::Array(count) => (Shape::Array, count),
            Begun::Map(count) => (Shape::Map, count),
        };
        stack.push_table()?;
        if shape == Shape::Array && !stack.reserve(1) {
            return Err(overflow("in function mp_decode_to_lua_array"));
        }
        frames.push(Frame {
            shape,
            next: 1,
            last: count,
        });
        if !advance(stack, frames)? {
            return Ok(());
        }
    }
}

/// Puts the value on top into the innermost table, or keeps it as the key there.
fn put(stack: &mut Stack<'_>, frames: &mut [Frame]) -> Result<(), Failure> {
    let Some(frame) = frames.last_mut() else {
        return Ok(());
    };
    if frame.shape == Shape::Map {
        frame.shape = Shape::MapValue;
        return Ok(());
    }
    if frame.shape == Shape::MapValue {
        frame.shape = Shape::Map;
    }
    frame.last -= 1;
    stack.set(3)
}

/// Closes tables that are complete. Whether there is more to read for the one that is not.
fn advance(stack: &mut Stack<'_>, frames: &mut Vec<Frame>) -> Result<bool, Failure> {
    while let Some(frame) = frames.last_mut() {
        match frame.shape {
            Shape::MapValue => return Ok(true),
            _ if frame.last == 0 => {
                frames.pop();
                put(stack, frames)?;
            }
            Shape::Map => return Ok(true),
            Shape::Array => {
                let index = f64::from(frame.next);
                frame.next = frame.next.wrapping_add(1);
                stack.push_number(index)?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

impl<'a> Cursor<'a> {
    fn begin(&mut self, stack: &mut Stack<'_>) -> Result<Begun, Failure> {
        let [first] = self.take::<1>()?;
        if !stack.reserve(1) {
            return Err(overflow(
                "too many return values at once; use unpack_one or unpack_limit instead.",
            ));
        }
        match first {
            tag::STRING_8 => {
                let [length] = self.take()?;
                stack.push_bytes(self.take_slice(usize::from(length))?)?;
            }
            tag::STRING_16 => {
                let length = u16::from_be_bytes(self.take()?);
                stack.push_bytes(self.take_slice(usize::from(length))?)?;
            }
            tag::STRING_32 => {
                let length = u32::from_be_bytes(self.take()?);
                stack.push_bytes(self.take_slice(length as usize)?)?;
            }
            tag::ARRAY_16 => return Ok(Begun::Array(u16::from_be_bytes(self.take()?).into())),
            tag::ARRAY_32 => return Ok(Begun::Array(u32::from_be_bytes(self.take()?))),
            tag::MAP_16 => return Ok(Begun::Map(u16::from_be_bytes(self.take()?).into())),
            tag::MAP_32 => return Ok(Begun::Map(u32::from_be_bytes(self.take()?))),
            tag::NIL => stack.push_nil()?,
            tag::FALSE => stack.push_boolean(false)?,
            tag::TRUE => stack.push_boolean(true)?,
            _ if first & 0xe0 == tag::SHORT_STRING => {
                stack.push_bytes(self.take_slice(usize::from(first & 0x1f))?)?;
            }
            _ if first & 0xf0 == tag::SHORT_ARRAY => {
                return Ok(Begun::Array(u32::from(first & 0xf)));
            }
            _ if first & 0xf0 == tag::SHORT_MAP => return Ok(Begun::Map(u32::from(first & 0xf))),
            _ => stack.push_number(self.number(first)?)?,
        }
        Ok(Begun::Value)
    }

    fn number(&mut self, first: u8) -> Result<f64, Failure> {
        Ok(match first {
            0..=0x7f => f64::from(first),
            0xe0..=0xff => f64::from(first.cast_signed()),
            tag::UINT_8 => f64::from(u8::from_be_bytes(self.take()?)),
            tag::UINT_16 => f64::from(u16::from_be_bytes(self.take()?)),
            tag::UINT_32 => f64::from(u32::from_be_bytes(self.take()?)),
            // Unsigned ones pass through a signed integer on their way, as in the original.
            tag::UINT_64 | tag::INT_64 => i64::from_be_bytes(self.take()?) as f64,
            tag::INT_8 => f64::from(i8::from_be_bytes(self.take()?)),
            tag::INT_16 => f64::from(i16::from_be_bytes(self.take()?)),
            tag::INT_32 => f64::from(i32::from_be_bytes(self.take()?)),
            tag::FLOAT_32 => f64::from(f32::from_be_bytes(self.take()?)),
            tag::FLOAT_64 => f64::from_be_bytes(self.take()?),
            _ => return Err(Failure::error("Bad data format in input.")),
        })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(missing)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn take_slice(&mut self, length: usize) -> Result<&'a [u8], Failure> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(missing)?;
        self.rest = rest;
        Ok(bytes)
    }
}

fn missing() -> Failure {
    Failure::error("Missing bytes in input.")
}
