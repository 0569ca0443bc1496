//! A whole snapshot, entry by entry: what comes before the values and between them.

use bytes::Bytes;

use super::functions::write_library;
use super::opcode as code;
use super::sliced::Sliced;
use super::write::{Writer, write};
use super::{LATER_VERSION, VERSION, kind};
use crate::keyspace::{AccessClock, EntryRef, ValueRef};
use crate::structures::{Object, ObjectRef};

/// Strings at least this long are neither copied nor packed while their shard is locked.
const SHARED: usize = 16 * 1024;

/// What a snapshot says besides its entries.
#[derive(Debug, Default)]
pub struct Preamble {
    /// Whether long strings are packed (`rdbcompression`).
    pub packs: bool,
    /// Names and texts about the file.
    pub fields: Vec<(&'static str, String)>,
    /// Per database how many keys it has, and how many of them expire.
    pub sizes: Vec<(usize, usize)>,
    /// How keys' use is recorded, if that is to be told.
    pub access: Option<AccessClock>,
}

/// Turns entries into the bytes of a snapshot.
#[derive(Debug)]
pub struct FileEncoder {
    writer: Writer,
    sizes: Vec<(usize, usize)>,
    access: Option<AccessClock>,
    packs: bool,
    database: Option<usize>,
    is_later: bool,
}

/// An entry that is written slice by slice.
#[derive(Debug)]
pub struct EntryWriter {
    writer: Writer,
    value: Sliced,
    kind: u8,
}

impl EntryWriter {
    /// See [`Sliced::go_on`].
    pub fn go_on(&mut self, object: &mut Object, count: usize) -> bool {
        self.value.go_on(&mut self.writer, object, count)
    }

    /// See [`Sliced::go_to_end`].
    pub fn go_to_end(&mut self, object: ObjectRef<'_>) {
        self.value.go_to_end(&mut self.writer, object);
    }

    /// See [`Sliced::preserve`].
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
    /// A snapshot that begins.
    pub fn new(preamble: Preamble) -> Self {
        let mut writer = Writer::new(preamble.packs);
        writer.raw(&header(VERSION));
        for (name, text) in &preamble.fields {
            writer.raw(&[code::FIELD]);
            writer.string(name.as_bytes());
            writer.string(text.as_bytes());
        }
        Self {
            writer,
            sizes: preamble.sizes,
            access: preamble.access,
            packs: preamble.packs,
            database: None,
            is_later: false,
        }
    }

    /// Adds a library of functions: before the first entry.
    pub fn library(&mut self, code: &[u8]) {
        write_library(&mut self.writer, code);
    }

    /// Adds an entry. A long string is given back: it is to follow, written by [`Writer::string`].
    pub fn add(&mut self, database: usize, entry: EntryRef<'_>) -> Option<Bytes> {
        self.select(database);
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

    /// Begins an entry whose value is so big that it is written slice by slice, beside the others, to be added when it is
    /// complete.
    pub fn begin(&self, entry: EntryRef<'_>) -> Option<EntryWriter> {
        let ValueRef::Object(object) = entry.value() else {
            return None;
        };
        let mut writer = Writer::new(self.packs);
        write_head(&mut writer, self.access, entry);
        let (value, kind) = Sliced::begin(&mut writer, entry.key(), object)?;
        Some(EntryWriter {
            writer,
            value,
            kind,
        })
    }

    /// Adds an entry that has been written elsewhere: its bytes are to follow.
    pub fn add_written(&mut self, database: usize, entry: &mut EntryWriter) -> Vec<u8> {
        self.select(database);
        self.is_later |= kind::is_later(entry.kind);
        entry.writer.take()
    }

    fn select(&mut self, database: usize) {
        if self.database == Some(database) {
            return;
        }
        self.database = Some(database);
        self.writer.raw(&[code::DATABASE]);
        self.writer.length(database as u64);
        // Told once, where the database's first entry is.
        if let Some((keys, expiring)) = self.sizes.get_mut(database).map(std::mem::take)
            && keys > 0
        {
            self.writer.raw(&[code::SIZES]);
            self.writer.length(keys as u64);
            self.writer.length(expiring as u64);
        }
    }

    /// Adds the end. The checksum is to follow.
    pub fn end(&mut self) {
        self.writer.raw(&[code::END]);
    }

    /// Bytes that have been gathered.
    pub fn gathered(&self) -> usize {
        self.writer.len()
    }

    /// Takes what has been gathered.
    pub fn take(&mut self) -> Vec<u8> {
        self.writer.take()
    }

    /// What the file is to begin with instead, if it has turned out to hold what 7.0 does not know.
    pub fn later_header(&self) -> Option<[u8; code::HEADER]> {
        self.is_later.then(|| header(LATER_VERSION))
    }
}

/// The header that every file is begun with.
pub fn first_header() -> [u8; code::HEADER] {
    header(VERSION)
}

fn header(version: u16) -> [u8; code::HEADER] {
    let mut header = *b"REDIS0000";
    let (hundreds, rest) = (version / 100, version % 100);
    for (at, digit) in [(6, hundreds % 10), (7, rest / 10), (8, rest % 10)] {
        header[at] = b'0' + digit as u8;
    }
    header
}
