//! The parts that values are made of: lengths, strings, numbers, read from bytes that may end anywhere.

use std::borrow::Cow;

use thiserror::Error;

use super::module::ModuleName;
use crate::base::lzf;
use crate::resp::args::MAX_ARGUMENT;

/// In the first byte of a length: what the two highest bits say.
const SIX_BITS: u8 = 0;
const FOURTEEN_BITS: u8 = 1;
const WHOLE_BYTES: u8 = 2;
/// Lengths in whole bytes.
pub(super) const LENGTH_32: u8 = 0x80;
pub(super) const LENGTH_64: u8 = 0x81;
/// A string that is not written as its bytes.
pub(super) const SPECIAL: u8 = 0xc0;
pub(super) const INT_8: u8 = 0;
pub(super) const INT_16: u8 = 1;
pub(super) const INT_32: u8 = 2;
pub(super) const PACKED: u8 = 3;

/// Why bytes are no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum Malformed {
    #[error("the bytes end within a value")]
    Ended,
    #[error("a length begins with {0:#x}")]
    Length(u8),
    #[error("a special string where a length belongs")]
    NoLength,
    #[error("a special string of kind {0}")]
    Special(u8),
    #[error("an element of {0} bytes")]
    TooLong(usize),
    #[error("a compressed string does not come to its length")]
    Compressed,
    #[error("no value has type {0}")]
    Type(u8),
    #[error("a value without elements")]
    Empty,
    #[error("integrity check failed: an element is there twice")]
    Twice,
    #[error("a score that is no number")]
    Score,
    #[error("Listpack integrity check failed")]
    Listpack,
    #[error("Stream listpack integrity check failed")]
    StreamListpack,
    #[error("Intset integrity check failed")]
    Intset,
    #[error("Ziplist integrity check failed")]
    Ziplist,
    #[error("Zset ziplist integrity check failed")]
    SortedSetZiplist,
    #[error("Zipmap integrity check failed")]
    Zipmap,
    #[error("integrity check failed: an element without its other half")]
    Odd,
    #[error("Quicklist integrity check failed: a node of kind {0}")]
    Node(u64),
    #[error("a field that expires at an impossible time")]
    Expiry,
    #[error("a part of kind {0} in what a module has written")]
    Module(u64),
    #[error("a value of module '{0}', which is not there")]
    UnknownModule(ModuleName),
    #[error("Duplicate stream consumer detected")]
    Consumer,
    #[error("a stream's {0} make no sense")]
    Stream(&'static str),
}

/// Reads from bytes.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

/// A length, or what stands in its place.
enum Head {
    Length(u64),
    Special(u8),
}

impl<'a> Reader<'a> {
    /// Reads from the first byte on.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(Malformed::Ended)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// The next bytes, as many as the array has.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(Malformed::Ended)?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    fn head(&mut self) -> Result<Head, Malformed> {
        let first = self.byte()?;
        let low = first & 0x3f;
        Ok(match (first >> 6, first) {
            (SIX_BITS, _) => Head::Length(low.into()),
            (FOURTEEN_BITS, _) => Head::Length(u64::from(low) << 8 | u64::from(self.byte()?)),
            (WHOLE_BYTES, LENGTH_32) => Head::Length(u32::from_be_bytes(self.array()?).into()),
            (WHOLE_BYTES, LENGTH_64) => Head::Length(u64::from_be_bytes(self.array()?)),
            (WHOLE_BYTES, _) => return Err(Malformed::Length(first)),
            _ => Head::Special(low),
        })
    }

    /// Walks over a string.
    pub fn skip_string(&mut self) -> Result<(), Malformed> {
        let len = match self.head()? {
            Head::Length(length) => length,
            Head::Special(INT_8) => 1,
            Head::Special(INT_16) => 2,
            Head::Special(INT_32) => 4,
            Head::Special(PACKED) => {
                let packed = self.length()?;
                self.length()?;
                packed
            }
            Head::Special(kind) => return Err(Malformed::Special(kind)),
        };
        let len = usize::try_from(len).map_err(|_| Malformed::Ended)?;
        self.take(len).map(drop)
    }

    /// A length, a count, or another number that is not negative.
    pub fn length(&mut self) -> Result<u64, Malformed> {
        match self.head()? {
            Head::Length(length) => Ok(length),
            Head::Special(_) => Err(Malformed::NoLength),
        }
    }

    /// How many elements follow, at least one. Nothing may be allocated on the word of this number.
    pub fn count(&mut self) -> Result<u64, Malformed> {
        match self.length()? {
            0 => Err(Malformed::Empty),
            count => Ok(count),
        }
    }

    /// A string that is to be an element of a collection, or holds such elements: its length is bounded.
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        let string = self.any_string()?;
        match string.len() <= MAX_ARGUMENT {
            true => Ok(string),
            false => Err(Malformed::TooLong(string.len())),
        }
    }

    /// A string of any length.
    pub fn any_string(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        let number = match self.head()? {
            Head::Length(length) => {
                let length = usize::try_from(length).map_err(|_| Malformed::Ended)?;
                return self.take(length).map(Cow::Borrowed);
            }
            Head::Special(INT_8) => i64::from(i8::from_le_bytes(self.array()?)),
            Head::Special(INT_16) => i64::from(i16::from_le_bytes(self.array()?)),
            Head::Special(INT_32) => i64::from(i32::from_le_bytes(self.array()?)),
            Head::Special(PACKED) => return self.packed().map(Cow::Owned),
            Head::Special(kind) => return Err(Malformed::Special(kind)),
        };
        Ok(Cow::Owned(number.to_string().into_bytes()))
    }

    fn packed(&mut self) -> Result<Vec<u8>, Malformed> {
        let (packed, len) = (self.length()?, self.length()?);
        let packed = usize::try_from(packed).map_err(|_| Malformed::Ended)?;
        let packed = self.take(packed)?;
        let len = usize::try_from(len).map_err(|_| Malformed::Compressed)?;
        lzf::unpack(packed, len).ok_or(Malformed::Compressed)
    }

    /// A moment, in Unix milliseconds.
    pub fn moment(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_le_bytes)
    }

    /// A score in binary.
    pub fn score(&mut self) -> Result<f64, Malformed> {
        not_nan(f64::from_le_bytes(self.array()?))
    }

    /// A score as text, as old versions wrote it.
    pub fn old_score(&mut self) -> Result<f64, Malformed> {
        match self.byte()? {
            253 => Err(Malformed::Score),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            len => parse_score(self.take(len.into())?),
        }
    }
}

fn not_nan(score: f64) -> Result<f64, Malformed> {
    match score.is_nan() {
        true => Err(Malformed::Score),
        false => Ok(score),
    }
}

/// A score that is written as text.
pub(super) fn parse_score(text: &[u8]) -> Result<f64, Malformed> {
    let text = std::str::from_utf8(text).map_err(|_| Malformed::Score)?;
    not_nan(text.parse().map_err(|_| Malformed::Score)?)
}
