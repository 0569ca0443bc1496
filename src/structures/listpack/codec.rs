//! One entry of a listpack as bytes: encoding byte, data, then its own length to be read backwards ("backlen").

use crate::base::numbers::parse_i64;

/// Longest encoding byte with its length or integer.
const HEAD: usize = 9;
/// Longest backlen.
const MOST_BACKLEN: usize = 5;

/// An element as it is stored: canonical integers as integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// An integer; its decimal form is the element.
    Int(i64),
    /// Any other bytes.
    Str(&'a [u8]),
}

impl<'a> Item<'a> {
    /// The item that holds these bytes.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Self {
        parse_i64(bytes).map_or(Self::Str(bytes), Self::Int)
    }

    /// The element's bytes; an integer is printed into `buffer`.
    #[inline]
    pub fn as_bytes<'b>(&self, buffer: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match *self {
            Self::Int(value) => buffer.format(value).as_bytes(),
            Self::Str(bytes) => bytes,
        }
    }

    /// Whether the element is these bytes.
    #[inline]
    pub fn is(&self, bytes: &[u8]) -> bool {
        match *self {
            Self::Int(value) => parse_i64(bytes) == Some(value),
            Self::Str(own) => own == bytes,
        }
    }

    /// The element's length in bytes, an integer's in decimal.
    pub fn len(&self) -> usize {
        self.as_bytes(&mut itoa::Buffer::new()).len()
    }

    /// Whether it is the empty string.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Str(b""))
    }
}

/// An entry about to be written.
pub struct Encoded<'a> {
    head: [u8; HEAD],
    head_len: usize,
    data: &'a [u8],
}

impl<'a> Encoded<'a> {
    /// The entry that stores an item.
    #[inline]
    pub fn new(item: Item<'a>) -> Self {
        match item {
            Item::Int(value) => Self::int(value),
            Item::Str(bytes) => Self::string(bytes),
        }
    }

    #[inline]
    fn string(data: &'a [u8]) -> Self {
        let (mut head, len) = ([0; HEAD], data.len());
        let head_len = match len {
            0..=63 => {
                head[0] = 0x80 | len as u8;
                1
            }
            64..=4095 => {
                head[0] = 0xE0 | (len >> 8) as u8;
                head[1] = len as u8;
                2
            }
            _ => {
                head[0] = 0xF0;
                head[1..5].copy_from_slice(&(len as u32).to_le_bytes());
                5
            }
        };
        Self {
            head,
            head_len,
            data,
        }
    }

    #[inline]
    fn int(value: i64) -> Self {
        let mut head = [0; HEAD];
        let wide = value.to_le_bytes();
        let head_len = match value {
            0..=127 => {
                head[0] = wide[0];
                1
            }
            -4096..=4095 => {
                head[0] = 0xC0 | (wide[1] & 0x1F);
                head[1] = wide[0];
                2
            }
            _ => {
                let (code, width) = match value {
                    -0x8000..=0x7FFF => (0xF1, 2),
                    -0x80_0000..=0x7F_FFFF => (0xF2, 3),
                    -0x8000_0000..=0x7FFF_FFFF => (0xF3, 4),
                    _ => (0xF4, 8),
                };
                head[0] = code;
                head[1..=width].copy_from_slice(&wide[..width]);
                1 + width
            }
        };
        Self {
            head,
            head_len,
            data: &[],
        }
    }

    /// The text that is stored; empty for integers.
    #[inline]
    pub fn text(&self) -> &'a [u8] {
        self.data
    }

    /// Bytes of the entry without its backlen.
    #[inline]
    pub fn body(&self) -> usize {
        self.head_len + self.data.len()
    }

    /// Bytes of the whole entry.
    #[inline]
    pub fn size(&self) -> usize {
        self.body() + backlen_size(self.body())
    }

    /// Writes the entry into exactly [`Encoded::size`] bytes.
    #[inline]
    pub fn write(&self, out: &mut [u8]) {
        let body = self.body();
        self.write_body(&mut out[..body]);
        write_backlen(body, &mut out[body..]);
    }

    /// Writes the entry without its backlen into exactly [`Encoded::body`] bytes.
    #[inline]
    pub fn write_body(&self, out: &mut [u8]) {
        let (head, data) = out.split_at_mut(self.head_len);
        match head {
            // Nearly always; and a copy of a length that is not known is a call.
            [head] => *head = self.head[0],
            _ => head.copy_from_slice(&self.head[..self.head_len]),
        }
        if !data.is_empty() {
            data.copy_from_slice(self.data);
        }
    }

    /// Writes the entry behind others.
    #[inline]
    pub fn append(&self, out: &mut Vec<u8>) {
        match self.head_len {
            1 => out.push(self.head[0]),
            len => out.extend_from_slice(&self.head[..len]),
        }
        if !self.data.is_empty() {
            out.extend_from_slice(self.data);
        }
        match self.body() {
            body @ 0..128 => out.push(body as u8),
            body => {
                let mut backlen = [0; MOST_BACKLEN];
                write_backlen(body, &mut backlen);
                out.extend_from_slice(&backlen[..backlen_size(body)]);
            }
        }
    }
}

/// Bytes that the backlen of an entry of `body` bytes takes. The bounds are Redis's own, which waste the last value of each.
#[inline]
fn backlen_size(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// Bytes of the entry of a text of so many bytes that is no integer.
#[inline]
pub fn text_size(len: usize) -> usize {
    let head = match len {
        0..=63 => 1,
        64..=4095 => 2,
        _ => 5,
    };
    head + len + backlen_size(head + len)
}

/// Seven bits a byte, the most significant first; all but the first have the top bit set, which says that more stand before.
#[inline]
fn write_backlen(body: usize, out: &mut [u8]) {
    if let (0..128, [only]) = (body, &mut *out) {
        *only = body as u8;
        return;
    }
    let size = backlen_size(body);
    let mut rest = body;
    for at in (0..size).rev() {
        out[at] = (rest & 127) as u8 | if at > 0 { 128 } else { 0 };
        rest >>= 7;
    }
}

/// The item that starts here, and the bytes of its whole entry. `None` when no whole entry does.
#[inline]
pub fn decode(bytes: &[u8]) -> Option<(Item<'_>, usize)> {
    let (item, body) = decode_body(bytes)?;
    let size = body + backlen_size(body);
    (size <= bytes.len()).then_some((item, size))
}

/// The item that starts here, and the bytes of its entry without the backlen. `None` when no entry does.
#[inline]
pub fn decode_body(bytes: &[u8]) -> Option<(Item<'_>, usize)> {
    let (&code, rest) = bytes.split_first()?;
    Some(match code {
        0..=0x7F => (Item::Int(i64::from(code)), 1),
        0x80..=0xBF => {
            let len = usize::from(code & 0x3F);
            (Item::Str(rest.get(..len)?), 1 + len)
        }
        0xC0..=0xDF => {
            let raw = i64::from(code & 0x1F) << 8 | i64::from(*rest.first()?);
            // The sign is bit 12.
            (Item::Int((raw << 51) >> 51), 2)
        }
        0xE0..=0xEF => {
            let len = usize::from(code & 0x0F) << 8 | usize::from(*rest.first()?);
            (Item::Str(rest.get(1..1 + len)?), 2 + len)
        }
        0xF0 => {
            let len = u32::from_le_bytes(*rest.first_chunk()?) as usize;
            (Item::Str(rest.get(4..)?.get(..len)?), 5 + len)
        }
        0xF1 => (Item::Int(wide::<2>(rest)?), 3),
        0xF2 => (Item::Int(wide::<3>(rest)?), 4),
        0xF3 => (Item::Int(wide::<4>(rest)?), 5),
        0xF4 => (Item::Int(wide::<8>(rest)?), 9),
        _ => return None,
    })
}

/// A little-endian integer of `N` bytes with its sign.
#[inline]
fn wide<const N: usize>(bytes: &[u8]) -> Option<i64> {
    let mut all = [0; 8];
    all[8 - N..].copy_from_slice(bytes.get(..N)?);
    Some(i64::from_le_bytes(all) >> (64 - 8 * N))
}

/// Bytes of the entry that starts here, without a look at its data.
#[inline]
pub fn entry_size(bytes: &[u8]) -> Option<usize> {
    let code = *bytes.first()?;
    let body = match code {
        0..=0x7F => return Some(2),
        0x80..=0xBF => return Some(2 + usize::from(code & 0x3F)),
        0xC0..=0xDF => return Some(3),
        0xE0..=0xEF => 2 + (usize::from(code & 0x0F) << 8 | usize::from(*bytes.get(1)?)),
        0xF0 => 5 + u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?) as usize,
        0xF1 => 3,
        0xF2 => 4,
        0xF3 => 5,
        0xF4 => 9,
        _ => return None,
    };
    Some(body + backlen_size(body))
}

/// Bytes of the entry that ends where these bytes end.
#[inline]
pub fn entry_size_before(bytes: &[u8]) -> Option<usize> {
    let (mut body, mut shift) = (0usize, 0);
    for (count, &byte) in bytes.iter().rev().enumerate().take(5) {
        body |= usize::from(byte & 127) << shift;
        if byte & 128 == 0 {
            return Some(body + count + 1);
        }
        shift += 7;
    }
    None
}

/// How many entries these bytes are, each whole and with a backlen that agrees. `None` when they are not.
pub fn validate(mut bytes: &[u8]) -> Option<usize> {
    let mut count = 0;
    while !bytes.is_empty() {
        let (_, size) = decode(bytes)?;
        if entry_size_before(&bytes[..size]) != Some(size) {
            return None;
        }
        bytes = &bytes[size..];
        count += 1;
    }
    Some(count)
}
