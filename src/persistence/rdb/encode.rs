//! A snapshot's entries: what comes before their values.

use std::mem;

use bytes::Bytes;

use super::kind;
use super::opcode as code;
use super::sliced::Sliced;
use super::write::{Rough, Writer, write};
use crate::keyspace::{AccessClock, EntryRef, ValueRef};
use crate::structures::{Object, ObjectRef};

/// Strings at least this long are neither copied nor packed while their shard is locked.
const SHARED: usize = 16 * 1024;
/// So many bytes of an entry that is written slice by slice are put aside.
const FULL: usize = if cfg!(test) { 4096 } else { 256 * 1024 };

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

    /// Adds an entry. A long string is given back: it is to follow, written by [`Writer::string`].
    pub fn add(&mut self, entry: EntryRef<'_>) -> Option<Bytes> {
        let writer = &mut self.writer;
        write_head(writer, self.access, entry);
        if let ValueRef::Object(ObjectRef::Bytes(text)) = entry.value()
            && text.len() >= SHARED
        {
            writer.raw(&[kind::STRING]);
            writer.string(entry.key());
            return Some(text.clone());
        }
        let kind = write(writer, Some(entry.key()), entry.value());
        self.is_later |= kind::is_later(kind);
        None
    }

    /// Adds an entry that has been written elsewhere: its bytes are to follow.
    pub fn add_written(&mut self, entry: &mut EntryWriter) -> Vec<Rough> {
        self.is_later |= kind::is_later(entry.kind);
        let mut bytes = mem::take(&mut entry.full);
        bytes.push(entry.writer.exchange(Rough::default()));
        bytes
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
