//! A snapshot's entries: what comes before their values, and which of these are not written at once.

use std::mem;

use bytes::Bytes;

use super::opcode as code;
use super::sliced::{BIG, Sliced};
use super::write::{Rough, Writer, write};
use super::{kind, stream};
use crate::keyspace::{AccessClock, EntryRef, ValueRef};
use crate::structures::stream::Stream;
use crate::structures::{Object, ObjectRef};

/// Strings at least this long are neither copied nor packed while their shard is locked.
const SHARED: usize = 16 * 1024;
/// What an element of a stream takes, about.
const BYTES_OF_AN_ELEMENT: usize = 32;
/// So many bytes of an entry that is written slice by slice are put aside.
const FULL: usize = if cfg!(test) { 4096 } else { 256 * 1024 };

/// A value that is shared with whoever writes it when no lock is held.
#[derive(Debug)]
pub enum Shared {
    /// A long string.
    Text(Bytes),
    /// A stream that is big, or of which snapshots do not tell all.
    Stream(Stream),
}

impl Shared {
    fn of(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Object(ObjectRef::Bytes(text)) if text.len() >= SHARED => {
                Some(Self::Text(text.clone()))
            }
            ValueRef::Object(ObjectRef::Stream(own))
                if stream::elements(own) >= BIG || !stream::is_told(own) =>
            {
                Some(Self::Stream(own.clone()))
            }
            _ => None,
        }
    }

    /// Bytes of it, about.
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Stream(stream) => stream::elements(stream) * BYTES_OF_AN_ELEMENT,
        }
    }
}

/// Turns entries into the bytes of a snapshot.
#[derive(Debug)]
pub struct FileEncoder {
    writer: Writer,
    access: Option<AccessClock>,
    is_later: bool,
}

/// An entry that is written slice by slice.
#[derive(Debug)]
pub struct EntryWriter {
    /// What has been written before what the writer holds: bytes that had to move to where there is room for more would hold
    /// up whoever waits for the value.
    full: Vec<Rough>,
    writer: Writer,
    value: Sliced,
    kind: u8,
}

impl EntryWriter {
    /// Begins an entry whose value is so big that it is written slice by slice, beside the others, to be added when it is
    /// complete.
    pub fn begin(packs: bool, access: Option<AccessClock>, entry: EntryRef<'_>) -> Option<Self> {
        let ValueRef::Object(object) = entry.value() else {
            return None;
        };
        let mut writer = Writer::rough(packs);
        write_head(&mut writer, access, entry);
        let (value, kind) = Sliced::begin(&mut writer, entry.key(), object)?;
        Some(Self {
            full: Vec::new(),
            writer,
            value,
            kind,
        })
    }

    /// Writes about so many elements more; true at the end.
    pub fn go_on(&mut self, object: &mut Object, count: usize) -> bool {
        if self.writer.len() >= FULL {
            self.full.push(self.writer.exchange(Rough::default()));
        }
        self.value.go_on(&mut self.writer, object, count)
    }

    /// The value is about to change: sees to it that what has not been written can still be.
    pub fn preserve(&mut self, object: &mut Object) {
        self.value.preserve(object);
    }
}

/// Writes what stands before an entry's type.
fn write_head(writer: &mut Writer, access: Option<AccessClock>, entry: EntryRef<'_>) {
    if let Some(at) = entry.expires_at() {
        writer.raw(&[code::EXPIRES_MS]);
        writer.raw(&at.to_le_bytes());
    }
    if let Some(clock) = access {
        let field = entry.access();
        if clock.is_lfu() {
            writer.raw(&[code::FREQUENCY, clock.frequency(field).min(255) as u8]);
        } else {
            writer.raw(&[code::IDLE]);
            writer.length(clock.idle_seconds(field).into());
        }
    }
}

impl FileEncoder {
    /// Nothing written yet; `access` if entries' use is to be told.
    pub fn new(packs: bool, access: Option<AccessClock>) -> Self {
        Self {
            writer: Writer::rough(packs),
            access,
            is_later: false,
        }
    }

    /// Adds an entry. A value that is shared is given back: it is to follow.
    pub fn add(&mut self, entry: EntryRef<'_>) -> Option<Shared> {
        let writer = &mut self.writer;
        write_head(writer, self.access, entry);
        if let Some(shared) = Shared::of(entry.value()) {
            writer.raw(&[match &shared {
                Shared::Text(_) => kind::STRING,
                Shared::Stream(_) => kind::STREAM_2,
            }]);
            writer.string(entry.key());
            return Some(shared);
        }
        let kind = write(writer, Some(entry.key()), entry.value());
        self.is_later |= kind::is_later(kind);
        None
    }

    /// Adds an entry that has been written elsewhere: its bytes are to follow, the last ones apart.
    pub fn add_written(&mut self, entry: &mut EntryWriter) -> (Vec<Rough>, Rough) {
        self.is_later |= kind::is_later(entry.kind);
        let end = entry.writer.exchange(Rough::default());
        (mem::take(&mut entry.full), end)
    }

    /// Bytes that have been gathered.
    pub fn gathered(&self) -> usize {
        self.writer.len()
    }

    /// Takes what has been gathered; what follows goes into `spare`.
    pub fn take(&mut self, spare: Rough) -> Rough {
        self.writer.exchange(spare)
    }

    /// Whether there is something among it that 7.0 does not know.
    pub fn is_later(&self) -> bool {
        self.is_later
    }
}
