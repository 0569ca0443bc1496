//! A snapshot file in the order of its bytes: values are found and handed on in batches, for others to read them.
//!
//! The file is read in chunks. A step that does not fit what has been read is tried again when twice as much is there, so
//! a file that promises more than it holds never costs more memory than it holds.

use std::io::{self, Read};
use std::ops::Range;

use super::cursor::{Malformed, Reader};
use super::module::{self, ModuleName};
use super::opcode as code;
use super::skip::skip;
use super::{Dialect, Fault, Problem, kind};
use crate::base::crc64::crc64;

/// Bytes read at once.
const CHUNK: usize = 512 * 1024;

/// A value in a batch.
#[derive(Debug, Clone)]
pub(super) struct RawEntry {
    pub database: usize,
    pub kind: u8,
    /// Where its type stands in the batch's bytes, and where it ends.
    pub place: Range<usize>,
    /// In Unix milliseconds.
    pub expires_at: Option<i64>,
    pub idle_seconds: Option<u64>,
    pub frequency: Option<u8>,
}

/// Some values one after the other.
#[derive(Debug)]
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    /// Where the bytes stand in the file.
    pub offset: u64,
    pub entries: Vec<RawEntry>,
}

/// What a file consists of.
#[derive(Debug)]
pub(super) enum Part {
    Values(Batch),
    /// A name and a text about the file.
    Field(Vec<u8>, Vec<u8>),
    /// A library of functions.
    Function(Vec<u8>),
    /// What a module keeps beside the keys.
    ModuleData(ModuleName),
    Database(u64),
    End,
}

/// The checksum at a file's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checksum {
    pub stated: u64,
    pub counted: u64,
}

/// What the next value has before it.
#[derive(Debug, Default)]
struct Attributes {
    expires_at: Option<i64>,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

/// What one step has found.
enum Step {
    Done,
    Value { kind: u8, end: usize },
    Part(Part),
}

/// Goes through a file.
pub(super) struct Splitter<R> {
    input: R,
    /// Bytes of the file from `offset` on.
    chunk: Vec<u8>,
    offset: u64,
    /// How far the steps have come within the chunk.
    at: usize,
    /// How much of the chunk the checksum covers.
    summed: usize,
    sum: u64,
    sums: bool,
    is_read: bool,
    version: u32,
    dialect: Dialect,
    database: usize,
    attributes: Attributes,
    entries: Vec<RawEntry>,
    /// What was being done, for messages.
    doing: &'static str,
}

impl<R: Read> Splitter<R> {
    /// Begins with the header. `sums` for a checksum to be counted.
    pub fn new(input: R, sums: bool) -> Result<Self, Fault> {
        let mut splitter = Self {
            input,
            chunk: Vec::new(),
            offset: 0,
            at: 0,
            summed: 0,
            sum: 0,
            sums,
            is_read: false,
            version: 0,
            dialect: Dialect::Redis,
            database: 0,
            attributes: Attributes::default(),
            entries: Vec::new(),
            doing: "start",
        };
        splitter.read_header()?;
        Ok(splitter)
    }

    /// How many bytes of the file are behind.
    pub fn position(&self) -> u64 {
        self.offset + self.at as u64
    }

    /// What was being done when an error was met.
    pub fn doing(&self) -> &'static str {
        self.doing
    }

    /// An error where the steps stand.
    pub fn fault(&self, problem: Problem) -> Fault {
        let offset = self.position();
        Fault { offset, problem }
    }

    fn read_header(&mut self) -> Result<(), Fault> {
        let (dialect, version) = self.attempt(|reader| {
            let header: [u8; code::HEADER] = reader.array()?;
            Ok(match header.strip_prefix(code::VALKEY_MAGIC) {
                Some(digits) => (Some(Dialect::Valkey), number(digits)),
                None => {
                    let digits = header.strip_prefix(code::MAGIC);
                    (digits.map(|_| Dialect::Redis), digits.and_then(number))
                }
            })
        })?;
        self.at = 0;
        self.dialect = dialect.ok_or_else(|| self.fault(Problem::Signature))?;
        self.version = version.unwrap_or(0);
        if !self.dialect.reads(self.version) {
            return Err(self.fault(Problem::Version(self.version)));
        }
        self.at = code::HEADER;
        Ok(())
    }

    /// The next part. Values come when a chunk is full, or at the end.
    pub fn advance(&mut self) -> Result<Part, Fault> {
        loop {
            match self.step() {
                Ok(Step::Done) => {}
                Ok(Step::Value { kind, end }) => self.note(kind, end),
                Ok(Step::Part(Part::End)) if !self.entries.is_empty() => {
                    // Once more, when the values are gone.
                    self.at -= 1;
                    return Ok(Part::Values(self.take_batch()));
                }
                Ok(Step::Part(part)) => return Ok(part),
                // What was found before comes first.
                Err(_) if !self.entries.is_empty() => {
                    return Ok(Part::Values(self.take_batch()));
                }
                Err(Problem::Value(Malformed::Ended)) if !self.is_read => self.read_more()?,
                Err(problem) => return Err(self.fault(problem)),
            }
        }
    }

    /// The checksum, which follows the end; none in old files.
    pub fn checksum(&mut self) -> Result<Option<Checksum>, Fault> {
        self.doing = "check-sum";
        if self.version <= code::LAST_WITHOUT_CHECKSUM {
            return Ok(None);
        }
        self.sum_up();
        let stated = self.attempt(|reader| reader.array())?;
        Ok(Some(Checksum {
            stated: u64::from_le_bytes(stated),
            counted: self.sum,
        }))
    }

    /// What has been read and comes next.
    pub fn rest(&self) -> &[u8] {
        self.chunk.get(self.at..).unwrap_or_default()
    }

    /// Reads something that must be there, and goes on behind it.
    fn attempt<T>(
        &mut self,
        read: impl Fn(&mut Reader<'_>) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        loop {
            let mut reader = Reader::new(self.chunk.get(self.at..).unwrap_or_default());
            match read(&mut reader) {
                Ok(value) => {
                    self.at = self.chunk.len() - reader.left();
                    return Ok(value);
                }
                Err(Malformed::Ended) if !self.is_read => self.read_more()?,
                Err(error) => return Err(self.fault(Problem::Value(error))),
            }
        }
    }

    fn sum_up(&mut self) {
        if self.sums {
            self.sum = crc64(self.sum, &self.chunk[self.summed..self.at]);
        }
        self.summed = self.at;
    }

    /// Reads on; what is behind may go. As much as is there is read again, so that a long value is tried seldom.
    fn read_more(&mut self) -> Result<(), Fault> {
        self.sum_up();
        self.chunk.drain(..self.at);
        self.offset += self.at as u64;
        (self.at, self.summed) = (0, 0);
        let wanted = self.chunk.len().max(CHUNK);
        let input = (&mut self.input).take(wanted as u64);
        match read_into(input, &mut self.chunk, wanted) {
            Ok(count) => {
                self.is_read = count < wanted;
                Ok(())
            }
            Err(error) => Err(self.fault(Problem::Unreadable(error.to_string()))),
        }
    }

    /// Takes the values found; what is behind them becomes the beginning of the next chunk.
    fn take_batch(&mut self) -> Batch {
        self.sum_up();
        let mut rest = Vec::with_capacity(CHUNK + CHUNK / 4);
        rest.extend_from_slice(&self.chunk[self.at..]);
        let bytes = std::mem::replace(&mut self.chunk, rest);
        let batch = Batch {
            bytes,
            offset: self.offset,
            entries: std::mem::take(&mut self.entries),
        };
        self.offset += self.at as u64;
        (self.at, self.summed) = (0, 0);
        batch
    }

    fn note(&mut self, kind: u8, end: usize) {
        let attributes = std::mem::take(&mut self.attributes);
        self.entries.push(RawEntry {
            database: self.database,
            kind,
            place: self.at..end,
            expires_at: attributes.expires_at,
            idle_seconds: attributes.idle_seconds,
            frequency: attributes.frequency,
        });
        self.at = end;
    }

    fn step(&mut self) -> Result<Step, Problem> {
        self.doing = "read-type";
        let len = self.chunk.len();
        let mut reader = Reader::new(self.chunk.get(self.at..).unwrap_or_default());
        let opcode = reader.byte()?;
        let step = match opcode {
            code::EXPIRES_MS => {
                self.doing = "read-expire";
                self.attributes.expires_at = Some(reader.moment()?);
                Step::Done
            }
            code::EXPIRES_SECONDS => {
                self.doing = "read-expire";
                let seconds = i32::from_le_bytes(reader.array()?);
                self.attributes.expires_at = Some(i64::from(seconds) * 1000);
                Step::Done
            }
            code::FREQUENCY => {
                self.attributes.frequency = Some(reader.byte()?);
                Step::Done
            }
            code::IDLE => {
                self.attributes.idle_seconds = Some(reader.length()?);
                Step::Done
            }
            code::DATABASE => {
                self.doing = "read-len";
                let number = reader.length()?;
                self.database = usize::try_from(number).unwrap_or(usize::MAX);
                Step::Part(Part::Database(number))
            }
            code::END => Step::Part(Part::End),
            ..code::KEY_META => {
                self.doing = "read-key";
                let kind = self.dialect.kind(opcode);
                if !kind::is_known(kind) {
                    return Err(Problem::Value(Malformed::Type(opcode)));
                }
                let end = skip_value(&mut reader, kind, &mut self.doing, len)?;
                return Ok(Step::Value { kind, end });
            }
            opcode => rare(opcode, self.dialect, &mut reader, &mut self.doing)?,
        };
        self.at = len - reader.left();
        Ok(step)
    }
}

/// Walks over key and value; gives where the value ends.
fn skip_value(
    reader: &mut Reader<'_>,
    kind: u8,
    doing: &mut &'static str,
    len: usize,
) -> Result<usize, Problem> {
    reader.skip_string()?;
    *doing = "read-object-value";
    skip(reader, kind)?;
    Ok(len - reader.left())
}

/// What stands in a file once, if at all.
fn rare(
    opcode: u8,
    dialect: Dialect,
    reader: &mut Reader<'_>,
    doing: &mut &'static str,
) -> Result<Step, Problem> {
    *doing = "read-len";
    Ok(match opcode {
        code::SIZES => {
            lengths(reader, 2)?;
            Step::Done
        }
        code::SLOT_INFO => {
            lengths(reader, 3)?;
            Step::Done
        }
        code::FIELD => {
            *doing = "read-aux";
            let (name, text) = (reader.string()?, reader.string()?);
            Step::Part(Part::Field(name.into_owned(), text.into_owned()))
        }
        code::FUNCTION => {
            *doing = "read-functions";
            Step::Part(Part::Function(reader.string()?.into_owned()))
        }
        code::FUNCTION_EARLY => return Err(Problem::EarlyFunctions),
        code::MODULE_AUX => {
            *doing = "read-module-aux";
            let id = reader.length()?;
            if reader.length()? != module::UNSIGNED {
                return Err(Problem::Value(Malformed::Module(0)));
            }
            reader.length()?;
            module::skip(reader)?;
            Step::Part(Part::ModuleData(ModuleName::of(id)))
        }
        code::SLOT_IMPORT if dialect == Dialect::Valkey => {
            reader.skip_string()?;
            let ranges = reader.length()?;
            (0..ranges).try_for_each(|_| lengths(reader, 2))?;
            Step::Done
        }
        code::KEY_META => {
            let classes = reader.length()?;
            (0..classes).try_for_each(|_| {
                reader.take(4)?;
                module::skip(reader)
            })?;
            Step::Done
        }
        other => return Err(Problem::Value(Malformed::Type(other))),
    })
}

fn lengths(reader: &mut Reader<'_>, count: usize) -> Result<(), Malformed> {
    (0..count).try_for_each(|_| reader.length().map(drop))
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Reads up to `wanted` bytes; fewer only at the end.
fn read_into(mut input: impl Read, out: &mut Vec<u8>, wanted: usize) -> io::Result<usize> {
    out.reserve(wanted);
    input.read_to_end(out)
}
