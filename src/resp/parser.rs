//! Bytes to commands: RESP arrays of bulk strings and inline lines, parsed as they come, byte by byte if need be.

use thiserror::Error;

use super::args::{ArgRange, Args};
use super::inline::{Unbalanced, split_line};

/// Longest inline request, and longest line that announces a length.
const MAX_LINE: usize = 64 * 1024;
/// Arguments and bytes per argument of a client that has not said who it is.
const UNAUTHENTICATED_ARGUMENTS: i64 = 10;
const UNAUTHENTICATED_BULK: i64 = 16 * 1024;
/// Most arguments that one command may announce.
const MAX_ARGUMENTS: i64 = i32::MAX as i64;

/// Arguments for which a batch keeps memory.
const KEPT_RANGES: usize = 16 * 1024;

/// Input that is not the protocol. The texts are Redis's; the connection is closed after one.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ProtocolError {
    /// A multibulk count that is no number or too large.
    #[error("Protocol error: invalid multibulk length")]
    InvalidMultibulk,
    /// A bulk length that is no number, negative or too large.
    #[error("Protocol error: invalid bulk length")]
    InvalidBulk,
    /// Too many arguments before AUTH.
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedMultibulk,
    /// Too long an argument before AUTH.
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulk,
    /// An argument that does not begin with its length.
    #[error("Protocol error: expected '$', got '{}'", .0.escape_ascii())]
    ExpectedBulk(u8),
    /// A line that does not end.
    #[error("Protocol error: too big inline request")]
    BigInline,
    /// A multibulk count line that does not end.
    #[error("Protocol error: too big mbulk count string")]
    BigMultibulkLine,
    /// A bulk length line that does not end.
    #[error("Protocol error: too big bulk count string")]
    BigBulkLine,
    /// Quotes that do not close.
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
}

impl ProtocolError {
    /// The line for the client, without the leading `-`. It quotes the very byte that was sent, text or not.
    #[cold]
    pub fn line(&self) -> Vec<u8> {
        match self {
            Self::ExpectedBulk(byte) => [
                b"ERR Protocol error: expected '$', got '",
                &[*byte][..],
                b"'",
            ]
            .concat(),
            error => format!("ERR {error}").into_bytes(),
        }
    }
}

/// What a parser must not exceed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `proto-max-bulk-len`.
    pub max_bulk: i64,
    /// Whether the client has authenticated, or need not.
    pub authenticated: bool,
}

/// One complete command in a [`Batch`].
#[derive(Debug, Clone, Copy)]
pub struct Parsed {
    /// Its bytes in the buffer.
    pub start: u32,
    /// The end of its bytes.
    pub end: u32,
    /// Its first argument in the batch's list.
    pub first: u32,
    /// The number of its arguments.
    pub count: u32,
    /// Whether its bytes are RESP as a file would hold it; an inline command's are not.
    pub is_frame: bool,
}

/// Complete commands of one buffer.
#[derive(Debug, Default)]
pub struct Batch {
    ranges: Vec<ArgRange>,
    /// The commands, in order.
    pub commands: Vec<Parsed>,
}

impl Batch {
    /// Forgets all commands but keeps the memory, up to a bound.
    pub fn clear(&mut self) {
        self.ranges.clear();
        self.ranges.shrink_to(KEPT_RANGES);
        self.commands.clear();
    }

    /// A command's arguments in the buffer that it was parsed from.
    #[inline]
    pub fn args<'r>(&'r self, buffer: &'r [u8], command: &Parsed) -> Args<'r> {
        Args::new(
            buffer,
            &self.ranges[command.first as usize..][..command.count as usize],
        )
    }
}

/// Where a parser stands inside an unfinished command, so that nothing is parsed twice.
#[derive(Debug, Default)]
pub struct Parser {
    /// Bytes of the unfinished command that have been dealt with.
    done: usize,
    /// Arguments still to come; 0 when the command's first line is.
    missing: i64,
    /// Length of the argument being read, once known.
    bulk: Option<usize>,
    /// Arguments of the unfinished command, relative to its start.
    partial: Vec<ArgRange>,
}

/// A number line: `*3\r\n` without its first byte.
enum Line {
    Number(i64, usize),
    NotANumber,
    Incomplete,
    TooLong,
}

impl Parser {
    /// Parses complete commands from `buffer[start..]` into the batch until it holds `max`; returns where the first
    /// unparsed command begins. Arguments of inline commands are unquoted in place.
    pub fn parse(
        &mut self,
        buffer: &mut [u8],
        start: usize,
        max: usize,
        limits: Limits,
        batch: &mut Batch,
    ) -> Result<usize, (usize, ProtocolError)> {
        let mut start = start;
        while batch.commands.len() < max && start < buffer.len() {
            let first = batch.ranges.len();
            let is_fresh = self.done == 0 && limits.authenticated;
            let whole = is_fresh.then(|| parse_whole(buffer, start, &mut batch.ranges));
            let end = match whole.flatten() {
                Some(end) => end,
                None => match self.parse_carefully(buffer, start, limits, batch) {
                    Ok(Some(end)) => end,
                    Ok(None) => return Ok(start),
                    Err(error) => return Err((start, error)),
                },
            };
            let count = batch.ranges.len() - first;
            // An empty command is no command: it gets no reply.
            if count > 0 {
                batch.commands.push(Parsed {
                    start: start as u32,
                    end: end as u32,
                    first: first as u32,
                    count: count as u32,
                    is_frame: buffer[start] == b'*',
                });
            }
            start = end;
        }
        Ok(start)
    }

    /// Forgets the unfinished command: parsing begins again further ahead.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// How many bytes of the unfinished command have been understood.
    pub fn done(&self) -> usize {
        self.done
    }

    /// How many bytes the unfinished command needs at least, beyond its start; a hint for the read buffer.
    pub fn wanted(&self) -> usize {
        self.bulk.map_or(0, |bulk| self.done + bulk + 2)
    }

    /// One command, in whatever form and however much of it is there; gives its end where all of it is.
    #[inline(never)]
    fn parse_carefully(
        &mut self,
        buffer: &mut [u8],
        start: usize,
        limits: Limits,
        batch: &mut Batch,
    ) -> Result<Option<usize>, ProtocolError> {
        match buffer[start] {
            b'*' => self.parse_frame(buffer, start, limits, batch),
            _ => self.parse_inline(buffer, start, limits, batch),
        }
    }

    fn parse_frame(
        &mut self,
        buffer: &[u8],
        start: usize,
        limits: Limits,
        batch: &mut Batch,
    ) -> Result<Option<usize>, ProtocolError> {
        let mut at = start + self.done;
        if self.done == 0 {
            match read_line(&buffer[start + 1..]) {
                Line::Number(count, _) if count > MAX_ARGUMENTS => {
                    return Err(ProtocolError::InvalidMultibulk);
                }
                Line::Number(count, _)
                    if count > UNAUTHENTICATED_ARGUMENTS && !limits.authenticated =>
                {
                    return Err(ProtocolError::UnauthenticatedMultibulk);
                }
                Line::Number(count, used) => {
                    at = start + 1 + used;
                    self.missing = count;
                }
                Line::NotANumber => return Err(ProtocolError::InvalidMultibulk),
                Line::TooLong => return Err(ProtocolError::BigMultibulkLine),
                Line::Incomplete => return Ok(None),
            }
        }
        let first = batch.ranges.len();
        if !self.partial.is_empty() {
            let moved = self.partial.drain(..);
            batch.ranges.extend(moved.map(|range| ArgRange {
                start: range.start + start as u32,
                ..range
            }));
        }
        while self.missing > 0 {
            let Some(next) = self.parse_argument(buffer, &mut at, limits)? else {
                self.done = at - start;
                let moved = batch.ranges.drain(first..);
                self.partial.extend(moved.map(|range| ArgRange {
                    start: range.start - start as u32,
                    ..range
                }));
                return Ok(None);
            };
            batch.ranges.push(next);
            self.missing -= 1;
        }
        // An idle connection keeps nothing of what was once a long command.
        *self = Self::default();
        Ok(Some(at))
    }

    /// One `$3\r\nabc\r\n`; moves `at` behind what has been dealt with.
    #[inline]
    fn parse_argument(
        &mut self,
        buffer: &[u8],
        at: &mut usize,
        limits: Limits,
    ) -> Result<Option<ArgRange>, ProtocolError> {
        let len = match self.bulk {
            Some(len) => len,
            None => {
                let Some(&kind) = buffer.get(*at) else {
                    return Ok(None);
                };
                if kind != b'$' {
                    return Err(ProtocolError::ExpectedBulk(kind));
                }
                match read_line(&buffer[*at + 1..]) {
                    Line::Number(len, _) if len < 0 || len > limits.max_bulk => {
                        return Err(ProtocolError::InvalidBulk);
                    }
                    Line::Number(len, _) if len > UNAUTHENTICATED_BULK && !limits.authenticated => {
                        return Err(ProtocolError::UnauthenticatedBulk);
                    }
                    Line::Number(len, used) => {
                        *at += 1 + used;
                        len as usize
                    }
                    Line::NotANumber => return Err(ProtocolError::InvalidBulk),
                    Line::TooLong => return Err(ProtocolError::BigBulkLine),
                    Line::Incomplete => return Ok(None),
                }
            }
        };
        if buffer.len() < *at + len + 2 {
            self.bulk = Some(len);
            return Ok(None);
        }
        self.bulk = None;
        let range = ArgRange {
            start: *at as u32,
            len: len as u32,
        };
        *at += len + 2;
        Ok(Some(range))
    }

    fn parse_inline(
        &mut self,
        buffer: &mut [u8],
        start: usize,
        limits: Limits,
        batch: &mut Batch,
    ) -> Result<Option<usize>, ProtocolError> {
        let longest = if limits.authenticated {
            MAX_LINE
        } else {
            UNAUTHENTICATED_BULK as usize
        };
        let searched = start + self.done;
        let Some(length) = memchr::memchr(b'\n', &buffer[searched..]) else {
            if buffer.len() - start > longest {
                return Err(ProtocolError::BigInline);
            }
            self.done = buffer.len() - start;
            return Ok(None);
        };
        self.done = 0;
        let end = searched + length;
        if end - start > longest {
            return Err(ProtocolError::BigInline);
        }
        let line_end = if end > start && buffer[end - 1] == b'\r' {
            end - 1
        } else {
            end
        };
        split_line(buffer, start, line_end, &mut batch.ranges)
            .map_err(|Unbalanced| ProtocolError::UnbalancedQuotes)?;
        Ok(Some(end + 1))
    }
}

/// The short way, which nearly every command takes: a frame that is there in full and whose numbers have at most three
/// digits. Anything else is left, untouched, to the careful way.
#[inline]
fn parse_whole(buffer: &[u8], start: usize, ranges: &mut Vec<ArgRange>) -> Option<usize> {
    let (count, mut at) = short_line(buffer, start, b'*')?;
    let first = ranges.len();
    for _ in 0..count {
        let argument = short_line(buffer, at, b'$');
        let Some((len, body)) = argument.filter(|(len, body)| body + len + 2 <= buffer.len())
        else {
            ranges.truncate(first);
            return None;
        };
        ranges.push(ArgRange {
            start: body as u32,
            len: len as u32,
        });
        at = body + len + 2;
    }
    Some(at)
}

/// A line that begins with a mark: its number of one to three digits, and where it ends.
#[inline]
fn short_line(buffer: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    // No line of a whole frame is among its last bytes.
    let text = buffer.get(at..)?.first_chunk::<5>()?;
    let digit = |index: usize| {
        let digit = usize::from(text[index].wrapping_sub(b'0'));
        (digit <= 9).then_some(digit)
    };
    if text[0] != mark {
        return None;
    }
    let one = digit(1)?;
    if text[2] == b'\r' {
        return Some((one, at + 4));
    }
    let two = one * 10 + digit(2)?;
    if two < 10 {
        return None;
    }
    if text[3] == b'\r' {
        return Some((two, at + 5));
    }
    let three = two * 10 + digit(3)?;
    (text[4] == b'\r').then_some((three, at + 6))
}

/// Reads a number up to `\r\n`; gives the bytes used, the line's end included.
#[inline]
fn read_line(text: &[u8]) -> Line {
    let (negative, mut at) = if text.first() == Some(&b'-') {
        (true, 1)
    } else {
        (false, 0)
    };
    let digits = at;
    let mut value = 0i64;
    loop {
        let Some(&byte) = text.get(at) else {
            return if text.len() > MAX_LINE {
                Line::TooLong
            } else {
                Line::Incomplete
            };
        };
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.saturating_mul(10).saturating_add(i64::from(digit));
        at += 1;
    }
    let strict = at > digits
        && at - digits <= 19
        && (!negative || at - digits < 19 || text[digits..at] <= b"9223372036854775808"[..])
        && (text[digits] != b'0' || (at - digits == 1 && !negative));
    if text[at] != b'\r' || !strict {
        // The line must have ended before it can be called wrong.
        return match memchr::memchr(b'\r', &text[at..]) {
            Some(_) => Line::NotANumber,
            None if text.len() > MAX_LINE => Line::TooLong,
            None => Line::Incomplete,
        };
    }
    if at + 2 > text.len() {
        return Line::Incomplete;
    }
    Line::Number(if negative { -value } else { value }, at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        max_bulk: 512 << 20,
        authenticated: true,
    };

    fn encode(command: &[Vec<u8>]) -> Vec<u8> {
        let mut out = format!("*{}\r\n", command.len()).into_bytes();
        for arg in command {
            out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            out.extend_from_slice(arg);
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    /// Feeds the input in pieces, as a socket would, and collects what comes out.
    fn feed(input: &[u8], piece: usize) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
        let (mut parser, mut buffer, mut all) = (Parser::default(), Vec::new(), Vec::new());
        for bytes in input.chunks(piece.max(1)) {
            buffer.extend_from_slice(bytes);
            let mut batch = Batch::default();
            let used = parser
                .parse(&mut buffer, 0, usize::MAX, LIMITS, &mut batch)
                .map_err(|(_, error)| error)?;
            for command in &batch.commands {
                all.push(
                    batch
                        .args(&buffer, command)
                        .iter()
                        .map(<[u8]>::to_vec)
                        .collect(),
                );
            }
            buffer.drain(..used);
        }
        Ok(all)
    }

    #[test]
    fn malformed_frames_are_named() {
        for (input, error) in [
            (&b"*abc\r\n"[..], ProtocolError::InvalidMultibulk),
            (
                b"*99999999999999999999\r\n",
                ProtocolError::InvalidMultibulk,
            ),
            (b"*3000000000\r\n", ProtocolError::InvalidMultibulk),
            (
                b"*-9223372036854775809\r\n",
                ProtocolError::InvalidMultibulk,
            ),
            (b"*1\r\n$x\r\n", ProtocolError::InvalidBulk),
            (b"*1\r\n$-5\r\n", ProtocolError::InvalidBulk),
            (b"*1\r\n$2000000000\r\n", ProtocolError::InvalidBulk),
            (b"*1\r\nhello\r\n", ProtocolError::ExpectedBulk(b'h')),
        ] {
            assert_eq!(feed(input, 1), Err(error.clone()));
            assert_eq!(feed(input, 1000), Err(error));
        }
        assert_eq!(
            feed(b"*0\r\n*-9223372036854775808\r\n\r\nPING\r\n", 1),
            Ok(vec![vec![b"PING".to_vec()]])
        );
        assert_eq!(feed(&[b'1'; 70_000], 1000), Err(ProtocolError::BigInline));
        let whole = [&[b'1'; 70_000][..], b"\r\n"].concat();
        assert_eq!(feed(&whole, 100_000), Err(ProtocolError::BigInline));
        let endless = [&b"*"[..], &[b'1'; 70_000]].concat();
        assert_eq!(feed(&endless, 1000), Err(ProtocolError::BigMultibulkLine));
    }

    #[test]
    fn what_stands_for_a_length_is_quoted_as_it_is() {
        for byte in [b'\'', b'\\', 7, 0xff] {
            let expected = [
                b"ERR Protocol error: expected '$', got '",
                &[byte][..],
                b"'",
            ]
            .concat();
            assert_eq!(ProtocolError::ExpectedBulk(byte).line(), expected);
        }
        let line = ProtocolError::InvalidBulk.line();
        assert_eq!(line, b"ERR Protocol error: invalid bulk length");
    }

    #[test]
    fn a_client_without_a_name_gets_little() {
        let limits = Limits {
            authenticated: false,
            ..LIMITS
        };
        let parse = |input: &[u8]| {
            let mut batch = Batch::default();
            Parser::default()
                .parse(&mut input.to_vec(), 0, 10, limits, &mut batch)
                .map_err(|(_, error)| error)
        };
        assert_eq!(
            parse(b"*11\r\n"),
            Err(ProtocolError::UnauthenticatedMultibulk)
        );
        assert_eq!(
            parse(b"*1\r\n$16385\r\n"),
            Err(ProtocolError::UnauthenticatedBulk)
        );
        assert_eq!(parse(b"*10\r\n$16384\r\n"), Ok(0));
    }

    proptest! {
        #[test]
        fn commands_survive_any_cut(
            commands in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6), 0..8),
            piece in 1usize..100,
        ) {
            let input: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
            prop_assert_eq!(feed(&input, piece).unwrap(), commands);
        }

        #[test]
        fn noise_never_panics(input in prop::collection::vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'"'), Just(b'\\'), b'0'..=b'9', any::<u8>()], 0..300), piece in 1usize..50) {
            prop_assert_eq!(feed(&input, piece).is_ok(), feed(&input, 1000).is_ok());
        }
    }
}
