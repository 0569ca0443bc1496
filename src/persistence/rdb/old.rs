//! Encodings that versions before 7.0 wrote: ziplists and zipmaps. They are only walked over, never kept.

use std::borrow::Cow;

use super::cursor::{Malformed, Reader};

/// The last byte of both.
const END: u8 = 0xff;
/// Ziplist: total length, place of the last entry, count.
const ZIPLIST_HEADER: usize = 10;
/// A length of the entry before that does not fit a byte.
const FAR_BACK: u8 = 254;
/// Zipmap: a length that does not fit a byte.
const LONG: u8 = 254;

/// Shows the elements of a ziplist.
pub(super) fn ziplist<'a>(
    bytes: &'a [u8],
    mut show: impl FnMut(Cow<'a, [u8]>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let bad = |_| Malformed::Ziplist;
    let mut reader = Reader::new(bytes);
    let header: [u8; ZIPLIST_HEADER] = reader.array().map_err(bad)?;
    let [a, b, c, d, e, f, g, h, low, high] = header;
    let (total, tail, count) = (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
        u16::from_le_bytes([low, high]),
    );
    if total as usize != bytes.len() {
        return Err(Malformed::Ziplist);
    }
    let (mut shown, mut before, mut last) = (0u32, 0, ZIPLIST_HEADER);
    while reader.left() > 1 {
        let start = reader.left();
        last = bytes.len() - start;
        if back(&mut reader).map_err(bad)? != before {
            return Err(Malformed::Ziplist);
        }
        show(element(&mut reader).map_err(bad)?)?;
        before = start - reader.left();
        shown += 1;
    }
    let is_counted = count == u16::MAX || u32::from(count) == shown;
    match reader.byte() {
        Ok(END) if is_counted && tail as usize == last => Ok(()),
        _ => Err(Malformed::Ziplist),
    }
}

/// The length of the entry before.
fn back(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    match reader.byte()? {
        FAR_BACK => Ok(u32::from_le_bytes(reader.array()?) as usize),
        END => Err(Malformed::Ziplist),
        len => Ok(len.into()),
    }
}

fn element<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, [u8]>, Malformed> {
    let first = reader.byte()?;
    let low = usize::from(first & 0x3f);
    let number = match first {
        0x00..=0x3f => return reader.take(low).map(Cow::Borrowed),
        0x40..=0x7f => {
            let len = low << 8 | usize::from(reader.byte()?);
            return reader.take(len).map(Cow::Borrowed);
        }
        0x80 => {
            let len = u32::from_be_bytes(reader.array()?) as usize;
            return reader.take(len).map(Cow::Borrowed);
        }
        0xc0 => i16::from_le_bytes(reader.array()?).into(),
        0xd0 => i32::from_le_bytes(reader.array()?).into(),
        0xe0 => i64::from_le_bytes(reader.array()?),
        0xf0 => {
            let [a, b, c] = reader.array()?;
            i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)
        }
        0xfe => i8::from_le_bytes(reader.array()?).into(),
        0xf1..=0xfd => i64::from(first & 0x0f) - 1,
        _ => return Err(Malformed::Ziplist),
    };
    Ok(Cow::Owned(number.to_string().into_bytes()))
}

/// Shows the pairs of a zipmap.
pub(super) fn zipmap<'a>(
    bytes: &'a [u8],
    mut show: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let bad = |_| Malformed::Zipmap;
    let mut reader = Reader::new(bytes);
    reader.byte().map_err(bad)?;
    if reader.left() <= 1 {
        return Err(Malformed::Zipmap);
    }
    while reader.left() > 1 {
        let len = zipmap_length(&mut reader).map_err(bad)?;
        let name = reader.take(len).map_err(bad)?;
        let len = zipmap_length(&mut reader).map_err(bad)?;
        let free = reader.byte().map_err(bad)?;
        let value = reader.take(len).map_err(bad)?;
        reader.take(free.into()).map_err(bad)?;
        show(name, value)?;
    }
    match reader.byte() {
        Ok(END) => Ok(()),
        _ => Err(Malformed::Zipmap),
    }
}

fn zipmap_length(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    match reader.byte()? {
        LONG => Ok(u32::from_le_bytes(reader.array()?) as usize),
        END => Err(Malformed::Zipmap),
        len => Ok(len.into()),
    }
}
