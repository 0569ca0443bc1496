//! Lua values to JSON. Nesting is kept in a list, not in recursion, so that no depth can exhaust the thread's stack.

use std::cell::Cell;

use super::super::failure::Failure;
use super::super::stack::{Frame, Kind, LONGEST_OUTPUT, Scratch, Shape, Stack};
use super::{InvalidNumbers, Settings, expect_one, number};

/// Strings are appended in pieces of this size, between which the length of the whole is checked.
const PIECE: usize = 64 * 1024;

/// What each byte of a string becomes: 0 itself, `u` a code of four digits, any other a backslash with it.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut byte = 0;
    while byte < 32 {
        escapes[byte] = b'u';
        byte += 1;
    }
    escapes[8] = b'b';
    escapes[9] = b't';
    escapes[10] = b'n';
    escapes[12] = b'f';
    escapes[13] = b'r';
    escapes[b'"' as usize] = b'"';
    escapes[b'/' as usize] = b'/';
    escapes[b'\\' as usize] = b'\\';
    escapes[127] = b'u';
    escapes
};

struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    frames: &'a mut Vec<Frame>,
    settings: Settings,
}

/// `cjson.encode(value)`
pub fn encode(
    stack: &mut Stack<'_>,
    scratch: &mut Scratch,
    settings: &Cell<Settings>,
) -> Result<i32, Failure> {
    expect_one(stack)?;
    stack.push_argument(1)?;
    let mut encoder = Encoder {
        out: &mut scratch.bytes,
        frames: &mut scratch.frames,
        settings: settings.get(),
    };
    loop {
        encoder.value(stack)?;
        if !encoder.continue_after_value(stack)? {
            break;
        }
    }
    stack.push_bytes(&scratch.bytes)?;
    Ok(1)
}

impl Encoder<'_> {
    /// Appends the value on top and pops it; of a table only the beginning, and the table stays.
    fn value(&mut self, stack: &mut Stack<'_>) -> Result<(), Failure> {
        match stack.kind(1) {
            Kind::String => self.string(stack, 1)?,
            Kind::Number => self.number(stack, 1)?,
            Kind::Boolean if stack.boolean(1) => self.out.extend_from_slice(b"true"),
            Kind::Boolean => self.out.extend_from_slice(b"false"),
            Kind::Nil => self.out.extend_from_slice(b"null"),
            Kind::LightUserdata if stack.is_null(1) => self.out.extend_from_slice(b"null"),
            Kind::Table => return self.table(stack),
            _ => return Err(refusal(stack, 1, "type not supported")),
        }
        stack.pop(1);
        self.check_length()
    }

    fn table(&mut self, stack: &mut Stack<'_>) -> Result<(), Failure> {
        let depth = self.frames.len() + 1;
        if depth > self.settings.encode_depth as usize || !stack.reserve(3) {
            return Err(Failure::error(format!(
                "Cannot serialise, excessive nesting ({depth})"
            )));
        }
        let length = self.array_length(stack)?.filter(|length| *length > 0);
        let shape = if length.is_some() {
            self.out.push(b'[');
            Shape::Array
        } else {
            self.out.push(b'{');
            stack.push_nil()?;
            Shape::Map
        };
        self.frames.push(Frame {
            shape,
            next: 0,
            last: length.unwrap_or(0).cast_unsigned(),
        });
        Ok(())
    }

    /// Pushes the next value of the innermost table, after its key if it has one; closes tables that are through. False
    /// when all are.
    fn continue_after_value(&mut self, stack: &mut Stack<'_>) -> Result<bool, Failure> {
        while let Some(frame) = self.frames.last_mut() {
            let is_first = frame.next == 0;
            let is_array = frame.shape == Shape::Array;
            let is_more = if is_array {
                frame.next < frame.last
            } else {
                stack.next(2)?
            };
            if !is_more {
                self.out.push(if is_array { b']' } else { b'}' });
                stack.pop(1);
                self.frames.pop();
                continue;
            }
            frame.next = if is_array { frame.next + 1 } else { 1 };
            let index = frame.next.cast_signed();
            if !is_first {
                self.out.push(b',');
            }
            if is_array {
                stack.push_element(1, index)?;
            } else {
                self.key(stack)?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Appends the key below the top.
    fn key(&mut self, stack: &Stack<'_>) -> Result<(), Failure> {
        match stack.kind(2) {
            Kind::String => self.string(stack, 2)?,
            Kind::Number => {
                self.out.push(b'"');
                self.number(stack, 2)?;
                self.out.push(b'"');
            }
            _ => {
                return Err(refusal(stack, 2, "table key must be a number or string"));
            }
        }
        self.out.push(b':');
        Ok(())
    }

    fn number(&mut self, stack: &Stack<'_>, down: i32) -> Result<(), Failure> {
        let value = stack.number(down).unwrap_or(0.0);
        if value.is_finite() {
            number::print(self.out, value, self.settings.precision);
            return Ok(());
        }
        match self.settings.encode_invalid_numbers {
            InvalidNumbers::Refused => return Err(refusal(stack, down, "must not be NaN or Inf")),
            InvalidNumbers::AsNull => self.out.extend_from_slice(b"null"),
            InvalidNumbers::AsTheyAre if value.is_nan() => self.out.extend_from_slice(b"nan"),
            InvalidNumbers::AsTheyAre => number::print(self.out, value, self.settings.precision),
        }
        Ok(())
    }

    fn string(&mut self, stack: &Stack<'_>, down: i32) -> Result<(), Failure> {
        let text = stack.bytes(down).unwrap_or_default();
        self.out.push(b'"');
        for piece in text.chunks(PIECE) {
            self.check_length()?;
            self.escaped(piece);
        }
        self.out.push(b'"');
        Ok(())
    }

    fn escaped(&mut self, mut text: &[u8]) {
        let is_special = |byte: &u8| ESCAPES[usize::from(*byte)] != 0;
        while let Some(plain) = text.iter().position(is_special) {
            self.out.extend_from_slice(&text[..plain]);
            let byte = text[plain];
            match ESCAPES[usize::from(byte)] {
                b'u' => {
                    let digit = b"0123456789abcdef"[usize::from(byte & 15)];
                    self.out.extend_from_slice(b"\\u00");
                    self.out.extend_from_slice(&[b'0' + (byte >> 4), digit]);
                }
                letter => self.out.extend_from_slice(&[b'\\', letter]),
            }
            text = &text[plain + 1..];
        }
        self.out.extend_from_slice(text);
    }

    /// The length of the array on top; `None` for a table that is an object.
    fn array_length(&self, stack: &mut Stack<'_>) -> Result<Option<i32>, Failure> {
        // Both wrap as a C integer does.
        let (mut longest, mut items) = (0i32, 0i32);
        stack.push_nil()?;
        while stack.next(2)? {
            stack.pop(1);
            let key = match stack.kind(1) {
                Kind::Number => stack.number(1).unwrap_or(0.0),
                _ => 0.0,
            };
            if !(key >= 1.0 && key.floor() == key) {
                stack.pop(1);
                return Ok(None);
            }
            if key > f64::from(longest) {
                longest = if key < 2_147_483_648.0 {
                    key as i32
                } else {
                    i32::MIN
                };
            }
            items = items.wrapping_add(1);
        }
        let Settings {
            sparse_ratio,
            sparse_safe,
            ..
        } = self.settings;
        let is_sparse =
            sparse_ratio > 0 && longest > items.wrapping_mul(sparse_ratio) && longest > sparse_safe;
        match is_sparse {
            false => Ok(Some(longest)),
            true if self.settings.sparse_as_object => Ok(None),
            true => Err(refusal(stack, 1, "excessively sparse array")),
        }
    }

    fn check_length(&self) -> Result<(), Failure> {
        if self.out.len() > LONGEST_OUTPUT {
            return Err(Failure::Bare("not enough memory"));
        }
        Ok(())
    }
}

fn refusal(stack: &Stack<'_>, down: i32, reason: &str) -> Failure {
    Failure::error(format!(
        "Cannot serialise {}: {reason}",
        stack.kind(down).name()
    ))
}
