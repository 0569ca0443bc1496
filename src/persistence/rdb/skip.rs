//! Where a value ends: its parts are walked over without being looked at, so that one thread can split a file for many.

use super::cursor::{Malformed, Reader};
use super::{kind, module};

/// Bytes of an id in a stream.
const ID: usize = 16;
const MOMENT: usize = 8;
const SCORE: usize = 8;

/// Walks over a value, its type and key being behind.
pub(super) fn skip(reader: &mut Reader<'_>, kind: u8) -> Result<(), Malformed> {
    match kind {
        kind::STRING
        | kind::HASH_ZIPMAP
        | kind::LIST_ZIPLIST
        | kind::SET_INTSET
        | kind::SORTED_SET_ZIPLIST
        | kind::HASH_ZIPLIST
        | kind::HASH_LISTPACK
        | kind::SORTED_SET_LISTPACK
        | kind::SET_LISTPACK
        | kind::HASH_LISTPACK_EXPIRING_EARLY => reader.skip_string(),
        kind::HASH_LISTPACK_EXPIRING => {
            reader.take(MOMENT)?;
            reader.skip_string()
        }
        kind::LIST | kind::SET | kind::QUICKLIST => each(reader, Reader::skip_string),
        kind::HASH => each(reader, skip_pair),
        kind::SORTED_SET => each(reader, |reader| {
            reader.skip_string()?;
            reader.old_score().map(drop)
        }),
        kind::SORTED_SET_2 => each(reader, |reader| {
            reader.skip_string()?;
            reader.take(SCORE).map(drop)
        }),
        kind::QUICKLIST_2 => each(reader, |reader| {
            reader.length()?;
            reader.skip_string()
        }),
        kind::HASH_EXPIRING_EARLY => each(reader, skip_expiring),
        kind::HASH_EXPIRING => {
            reader.take(MOMENT)?;
            each(reader, skip_expiring)
        }
        kind::HASH_OF_VALKEY => each(reader, |reader| {
            skip_pair(reader)?;
            reader.take(MOMENT).map(drop)
        }),
        kind if kind::is_stream(kind) => skip_stream(reader, kind),
        kind::MODULE_2 => {
            reader.length()?;
            module::skip(reader)
        }
        other => Err(Malformed::Type(other)),
    }
}

/// Walks over a count and as many parts.
fn each<'a>(
    reader: &mut Reader<'a>,
    skip_one: impl Fn(&mut Reader<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let count = reader.length()?;
    (0..count).try_for_each(|_| skip_one(reader))
}

fn skip_pair(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    reader.skip_string()?;
    reader.skip_string()
}

fn skip_expiring(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    reader.length()?;
    skip_pair(reader)
}

fn skip_lengths(reader: &mut Reader<'_>, count: usize) -> Result<(), Malformed> {
    (0..count).try_for_each(|_| reader.length().map(drop))
}

fn skip_stream(reader: &mut Reader<'_>, kind: u8) -> Result<(), Malformed> {
    each(reader, skip_pair)?;
    // Entries and the last id; since version 2 also the first id, the greatest one deleted, and how many were added.
    skip_lengths(reader, if kind == kind::STREAM { 3 } else { 8 })?;
    each(reader, |reader| skip_group(reader, kind))?;
    match kind::stream_version(kind) {
        4.. => skip_producers(reader),
        _ => Ok(()),
    }
}

fn skip_group(reader: &mut Reader<'_>, kind: u8) -> Result<(), Malformed> {
    reader.skip_string()?;
    skip_lengths(reader, if kind == kind::STREAM { 2 } else { 3 })?;
    each(reader, |reader| {
        reader.take(ID + MOMENT)?;
        reader.length().map(drop)
    })?;
    let moments = if kind::stream_version(kind) >= 3 {
        2
    } else {
        1
    };
    each(reader, |reader| {
        reader.skip_string()?;
        reader.take(moments * MOMENT)?;
        skip_ids(reader)
    })?;
    match kind::stream_version(kind) {
        5.. => skip_ids(reader),
        _ => Ok(()),
    }
}

fn skip_ids(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    each(reader, |reader| reader.take(ID).map(drop))
}

/// Walks over who has added what under which number of its own, so that nothing is added twice.
pub(super) fn skip_producers(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    skip_lengths(reader, 2)?;
    each(reader, |reader| {
        reader.skip_string()?;
        each(reader, |reader| {
            reader.skip_string()?;
            skip_lengths(reader, 2)
        })
    })?;
    skip_lengths(reader, 2)
}
