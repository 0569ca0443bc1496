//! A whole snapshot, entry by entry: what comes before the values and between them.

use bytes::Bytes;

use super::opcode as code;
use super::write::{Writer, write};
use super::{LATER_VERSION, VERSION, kind};
use crate::keyspace::{AccessClock, EntryRef, ValueRef};
use crate::structures::ObjectRef;

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
    database: Option<usize>,
    is_later: bool,
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
            database: None,
            is_later: false,
        }
    }

    /// Adds a library of functions.
    pub fn library(&mut self, text: &[u8]) {
        self.writer.raw(&[code::FUNCTION]);
        self.writer.string(text);
    }

    /// Adds an entry. A long string is given back: it is to follow, written by [`Writer::string`].
    pub fn add(&mut self, database: usize, entry: EntryRef<'_>) -> Option<Bytes> {
        if self.database != Some(database) {
            self.select(database);
        }
        let writer = &mut self.writer;
        if let Some(at) = entry.expires_at() {
            writer.raw(&[code::EXPIRES_MS]);
            writer.raw(&at.to_le_bytes());
        }
        if let Some(clock) = self.access {
            let field = entry.access();
            if clock.is_lfu() {
                writer.raw(&[code::FREQUENCY, clock.frequency(field).min(255) as u8]);
            } else {
                writer.raw(&[code::IDLE]);
                writer.length(clock.idle_seconds(field).into());
            }
        }
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

    fn select(&mut self, database: usize) {
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
