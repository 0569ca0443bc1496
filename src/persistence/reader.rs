//! Commands of a file, one after the other, through a buffer that only a long command makes grow.

use std::io::{self, ErrorKind, Read};

use memchr::memchr;

use crate::resp::args::Args;
use crate::resp::parser::{Batch, Limits, Parser};

/// Bytes of the buffer, while commands are shorter.
const BUFFER: usize = 256 * 1024;
/// Places in a buffer are 32-bit numbers.
const MAX_COMMAND: usize = u32::MAX as usize;
/// Bytes of the longest annotation.
const MAX_ANNOTATION: usize = 64 * 1024;
const LIMITS: Limits = Limits {
    max_bulk: MAX_COMMAND as i64,
    authenticated: true,
};

/// What comes next in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A command; see [`Reader::args`].
    Command,
    /// The end of the file, behind a command's end.
    End,
    /// The end of the file, in the middle of a command.
    Torn,
}

/// Why a file cannot be read on.
#[derive(Debug)]
pub(super) enum Fault {
    /// What stands here is no command.
    Format(String),
    /// The operating system gives no more.
    Unreadable(io::Error),
}

/// Reads the commands of a file.
pub(super) struct Reader<R> {
    input: R,
    /// The file's length when it was opened.
    size: u64,
    /// Offset in the file of the buffer's first byte.
    base: u64,
    buffer: Vec<u8>,
    /// The present command.
    start: usize,
    end: usize,
    /// Bytes of the buffer that are in use.
    filled: usize,
    parser: Parser,
    batch: Batch,
}

impl<R: Read> Reader<R> {
    /// A reader of a file of `size` bytes, whose input begins at the offset `base`.
    pub fn new(input: R, base: u64, size: u64) -> Self {
        Self {
            input,
            size,
            base,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            filled: 0,
            parser: Parser::default(),
            batch: Batch::default(),
        }
    }

    /// Where the present command begins in the file, or the next one would.
    pub fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// The present command's arguments.
    pub fn args(&self) -> Args<'_> {
        self.batch.args(&self.buffer, &self.batch.commands[0])
    }

    /// Goes on to the next command.
    pub fn advance(&mut self) -> Result<Step, Fault> {
        self.start = self.end;
        self.batch.clear();
        loop {
            match self.buffer[self.start..self.filled].first().copied() {
                Some(b'*') if self.parse()? => return Ok(Step::Command),
                Some(b'#') if self.pass_annotation()? => continue,
                // What is there is not complete.
                None | Some(b'*' | b'#') => {}
                Some(byte) => {
                    let reason = format!("expected '*', got '{}'", byte.escape_ascii());
                    return Err(Fault::Format(reason));
                }
            }
            if !self.read_more().map_err(Fault::Unreadable)? {
                let is_torn = self.start < self.filled;
                return Ok(if is_torn { Step::Torn } else { Step::End });
            }
        }
    }

    /// Parses a command; false when it is not complete yet.
    fn parse(&mut self) -> Result<bool, Fault> {
        let (buffer, batch) = (&mut self.buffer[..self.filled], &mut self.batch);
        let end = self
            .parser
            .parse(buffer, self.start, 1, LIMITS, batch)
            .map_err(|(_, error)| Fault::Format(error.to_string()))?;
        let Some(command) = self.batch.commands.first() else {
            return if end == self.start {
                Ok(false)
            } else {
                Err(Fault::Format("a command without a name".into()))
            };
        };
        // Only a command with nothing before it begins here.
        if command.start as usize != self.start {
            return Err(Fault::Format("a command without a name".into()));
        }
        self.end = end;
        self.check_line_ends()?;
        Ok(true)
    }

    /// The parser trusts the lengths that clients announce; a file's may be wrong, and then what follows is not a line's end.
    fn check_line_ends(&self) -> Result<(), Fault> {
        let args = self.args();
        let digits = |number: usize| itoa::Buffer::new().format(number).len();
        let mut at = self.start + 1 + digits(args.len()) + 2;
        for arg in args.iter() {
            at += 1 + digits(arg.len()) + 2 + arg.len();
            if self.buffer.get(at..at + 2) != Some(b"\r\n") {
                return Err(Fault::Format(
                    "an argument does not end where its length says".into(),
                ));
            }
            at += 2;
        }
        Ok(())
    }

    /// Passes over a line that begins with `#`; false when it is not complete yet.
    fn pass_annotation(&mut self) -> Result<bool, Fault> {
        match memchr(b'\n', &self.buffer[self.start..self.filled]) {
            Some(length) => {
                self.start += length + 1;
                self.end = self.start;
                Ok(true)
            }
            None if self.filled - self.start > MAX_ANNOTATION => {
                Err(Fault::Format("an annotation that does not end".into()))
            }
            None => Ok(false),
        }
    }

    /// Reads more behind what is there; false at the end of the file, also when the unfinished command would go beyond it.
    fn read_more(&mut self) -> io::Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.base += self.start as u64;
            self.filled -= self.start;
            self.end -= self.start;
            self.start = 0;
        }
        let wanted = self.parser.wanted();
        if wanted as u64 > self.size.saturating_sub(self.base) {
            // Its length is wrong, or its end is missing; in neither case is memory to be spent on it.
            return Ok(false);
        }
        if self.filled == self.buffer.len() || wanted > self.buffer.len() {
            let target = wanted.max(self.buffer.len() * 2).min(MAX_COMMAND);
            self.buffer.resize(target.max(self.filled), 0);
        } else if self.filled < BUFFER && self.buffer.len() > 4 * BUFFER && wanted < BUFFER {
            self.buffer.truncate(BUFFER);
            self.buffer.shrink_to_fit();
        }
        loop {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(count) => {
                    self.filled += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
