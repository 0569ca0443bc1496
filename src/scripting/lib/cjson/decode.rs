//! JSON to Lua values. Nesting is kept in a list, not in recursion, so that no depth can exhaust the thread's stack.

use std::cell::Cell;
use std::ops::Range;

use super::super::failure::Failure;
use super::super::stack::{Frame, Scratch, Shape, Stack};
use super::{Settings, expect_one, number};

/// What stands next in the text.
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    /// A string that stands in the text as it is.
    Plain(Range<usize>),
    /// A string whose escapes are resolved in the working memory.
    Escaped,
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token {
    /// How error texts call it.
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::Plain(_) | Self::Escaped => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Error(what) => what,
        }
    }
}

struct Decoder<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the last token began, or the error in it.
    token_at: usize,
    takes_invalid_numbers: bool,
    /// Strings with escapes are built here.
    string: &'a mut Vec<u8>,
}

/// `cjson.decode(text)`
pub fn decode(
    stack: &mut Stack<'_>,
    scratch: &mut Scratch,
    settings: &Cell<Settings>,
) -> Result<i32, Failure> {
    expect_one(stack)?;
    let text = stack.text_argument(1)?;
    if matches!(text, [0, _, ..] | [_, 0, ..]) {
        return Err(Failure::error(
            "JSON parser does not support UTF-16 or UTF-32",
        ));
    }
    // A zero ends the text, as it ends a string in C.
    let end = memchr::memchr(0, text).unwrap_or(text.len());
    let mut decoder = Decoder {
        text: &text[..end],
        at: 0,
        token_at: 0,
        takes_invalid_numbers: settings.get().decode_invalid_numbers,
        string: &mut scratch.bytes,
    };
    decoder.value(stack, &mut scratch.frames, settings.get().decode_depth)?;
    match decoder.next() {
        Token::End => Ok(1),
        token => Err(decoder.unexpected("the end", &token)),
    }
}

impl Decoder<'_> {
    /// Reads one value with all that is in it and pushes it.
    fn value(
        &mut self,
        stack: &mut Stack<'_>,
        frames: &mut Vec<Frame>,
        most: i32,
    ) -> Result<(), Failure> {
        let mut token = self.next();
        loop {
            let mut is_whole = true;
            match token {
                Token::ObjectBegin => {
                    self.descend(stack, frames, Shape::Map, most)?;
                    token = self.next();
                    is_whole = matches!(token, Token::ObjectEnd);
                    if !is_whole {
                        token = self.key(stack, &token)?;
                    }
                }
                Token::ArrayBegin => {
                    self.descend(stack, frames, Shape::Array, most)?;
                    token = self.next();
                    is_whole = matches!(token, Token::ArrayEnd);
                }
                _ => self.scalar(stack, &token)?,
            }
            if !is_whole {
                continue;
            }
            if matches!(token, Token::ObjectEnd | Token::ArrayEnd) {
                frames.pop();
            }
            match self.continue_after_value(stack, frames)? {
                Some(next) => token = next,
                None => return Ok(()),
            }
        }
    }

    /// Puts the value on top where it belongs, closes what ends after it; the token that begins the next value, or `None`
    /// after the outermost.
    fn continue_after_value(
        &mut self,
        stack: &mut Stack<'_>,
        frames: &mut Vec<Frame>,
    ) -> Result<Option<Token>, Failure> {
        while let Some(frame) = frames.last_mut() {
            if frame.shape == Shape::Array {
                stack.set_element(2, frame.next.cast_signed());
                frame.next += 1;
                match self.next() {
                    Token::ArrayEnd => {}
                    Token::Comma => return Ok(Some(self.next())),
                    token => return Err(self.unexpected("comma or array end", &token)),
                }
            } else {
                stack.set(3)?;
                match self.next() {
                    Token::ObjectEnd => {}
                    Token::Comma => {
                        let token = self.next();
                        return self.key(stack, &token).map(Some);
                    }
                    token => return Err(self.unexpected("comma or object end", &token)),
                }
            }
            frames.pop();
        }
        Ok(None)
    }

    /// Pushes a key and takes its colon; the token of the value.
    fn key(&mut self, stack: &mut Stack<'_>, token: &Token) -> Result<Token, Failure> {
        match token {
            Token::Plain(_) | Token::Escaped => self.scalar(stack, token)?,
            _ => return Err(self.unexpected("object key string", token)),
        }
        match self.next() {
            Token::Colon => Ok(self.next()),
            token => Err(self.unexpected("colon", &token)),
        }
    }

    fn scalar(&self, stack: &mut Stack<'_>, token: &Token) -> Result<(), Failure> {
        match token {
            Token::Plain(range) => stack.push_bytes(&self.text[range.clone()]),
            Token::Escaped => stack.push_bytes(self.string),
            Token::Number(value) => stack.push_number(*value),
            Token::Boolean(value) => stack.push_boolean(*value),
            Token::Null => stack.push_null(),
            _ => Err(self.unexpected("value", token)),
        }
    }

    /// Begins an array or an object: one more level, with a new table.
    fn descend(
        &self,
        stack: &mut Stack<'_>,
        frames: &mut Vec<Frame>,
        shape: Shape,
        most: i32,
    ) -> Result<(), Failure> {
        let depth = frames.len() + 1;
        let slots = if shape == Shape::Map { 3 } else { 2 };
        if depth > most as usize || !stack.reserve(slots) {
            return Err(Failure::error(format!(
                "Found too many nested data structures ({depth}) at character {}",
                self.at
            )));
        }
        frames.push(Frame {
            shape,
            next: 1,
            last: 0,
        });
        stack.push_table()
    }

    fn unexpected(&self, expected: &str, found: &Token) -> Failure {
        Failure::error(format!(
            "Expected {expected} but found {} at character {}",
            found.name(),
            self.token_at + 1
        ))
    }

    // ---- Tokens

    fn next(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let is_blank = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += rest.iter().take_while(is_blank).count();
        self.token_at = self.at;
        let token = match self.text.get(self.at) {
            None => return Token::End,
            Some(b'{') => Token::ObjectBegin,
            Some(b'}') => Token::ObjectEnd,
            Some(b'[') => Token::ArrayBegin,
            Some(b']') => Token::ArrayEnd,
            Some(b',') => Token::Comma,
            Some(b':') => Token::Colon,
            Some(b'"') => return self.string(),
            Some(b'-' | b'0'..=b'9') => return self.number(),
            Some(_) => return self.word(),
        };
        self.at += 1;
        token
    }

    fn error(&mut self, what: &'static str) -> Token {
        self.token_at = self.at;
        Token::Error(what)
    }

    fn word(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let (token, length) = if rest.starts_with(b"true") {
            (Token::Boolean(true), 4)
        } else if rest.starts_with(b"false") {
            (Token::Boolean(false), 5)
        } else if rest.starts_with(b"null") {
            (Token::Null, 4)
        } else if self.takes_invalid_numbers
            && matches!(rest[0], b'i' | b'I' | b'n' | b'N' | b'+')
            && is_invalid_number(rest)
        {
            return self.read_number();
        } else {
            return self.error("invalid token");
        };
        self.at += length;
        token
    }

    fn number(&mut self) -> Token {
        if !self.takes_invalid_numbers && is_invalid_number(&self.text[self.at..]) {
            return self.error("invalid number");
        }
        self.read_number()
    }

    fn read_number(&mut self) -> Token {
        match number::read(&self.text[self.at..]) {
            (_, 0) => self.error("invalid number"),
            (value, length) => {
                self.at += length;
                Token::Number(value)
            }
        }
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let start = self.at;
        let mut copied = start;
        self.string.clear();
        loop {
            let rest = &self.text[self.at..];
            let Some(length) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.text.len();
                return self.error("unexpected end of string");
            };
            self.at += length;
            if rest[length] == b'"' {
                break;
            }
            self.string.extend_from_slice(&self.text[copied..self.at]);
            if let Err(what) = self.escape() {
                return self.error(what);
            }
            copied = self.at;
        }
        let end = self.at;
        self.at += 1;
        if copied == start {
            return Token::Plain(start..end);
        }
        self.string.extend_from_slice(&self.text[copied..end]);
        Token::Escaped
    }

    /// Resolves the escape that begins here.
    fn escape(&mut self) -> Result<(), &'static str> {
        let byte = match self.text.get(self.at + 1) {
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'b') => 8,
            Some(b't') => b'\t',
            Some(b'n') => b'\n',
            Some(b'f') => 12,
            Some(b'r') => b'\r',
            Some(b'u') => {
                let (character, length) = read_unicode_escape(&self.text[self.at..])
                    .ok_or("invalid unicode escape code")?;
                let mut bytes = [0; 4];
                let encoded = character.encode_utf8(&mut bytes);
                self.string.extend_from_slice(encoded.as_bytes());
                self.at += length;
                return Ok(());
            }
            _ => return Err("invalid escape code"),
        };
        self.string.push(byte);
        self.at += 2;
        Ok(())
    }
}

/// `\uXXXX`, or two of them where the first is one half of a character; the character and the length.
fn read_unicode_escape(text: &[u8]) -> Option<(char, usize)> {
    let first = read_code(text)?;
    if first & 0xf800 != 0xd800 {
        return Some((char::from_u32(first)?, 6));
    }
    let second = read_code(&text[6..])?;
    if first & 0x400 != 0 || second & 0xfc00 != 0xdc00 {
        return None;
    }
    let code = 0x10000 + ((first & 0x3ff) << 10 | second & 0x3ff);
    Some((char::from_u32(code)?, 12))
}

fn read_code(text: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = text else {
        return None;
    };
    digits.get(..4)?.iter().try_fold(0, |code, digit| {
        Some(code << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// Whether this is no number by JSON's rules though C would read it: a plus, a leading zero, hexadecimal, `inf`, `nan`.
fn is_invalid_number(text: &[u8]) -> bool {
    if text.first() == Some(&b'+') {
        return true;
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    match text {
        [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
        [..=b'9', ..] => false,
        _ => number::starts_with(text, b"inf") || number::starts_with(text, b"nan"),
    }
}
