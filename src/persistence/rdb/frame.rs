//! What a snapshot has around its entries: what comes before them, and between those of different databases.

use super::functions::write_library;
use super::opcode as code;
use super::write::{Rough, Writer};
use super::{LATER_VERSION, VERSION, stream};
use crate::keyspace::AccessClock;
use crate::structures::stream::Stream;

/// Entries of a stream that are added at once.
const ENTRIES_AT_ONCE: usize = if cfg!(test) { 100 } else { 1000 };

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

/// Writes what stands around a snapshot's entries.
#[derive(Debug)]
pub struct Frame {
    writer: Writer,
    sizes: Vec<(usize, usize)>,
}

impl Frame {
    /// A snapshot that begins.
    pub fn new(preamble: Preamble) -> Self {
        let mut writer = Writer::new(preamble.packs);
        writer.raw(&first_header());
        for (name, text) in &preamble.fields {
            writer.raw(&[code::FIELD]);
            writer.string(name.as_bytes());
            writer.string(text.as_bytes());
        }
        let sizes = preamble.sizes;
        Self { writer, sizes }
    }

    /// Adds a library of functions: before the first entry.
    pub fn library(&mut self, code: &[u8]) {
        write_library(&mut self.writer, code);
    }

    /// What follows is entries of this database.
    pub fn select(&mut self, database: usize) {
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

    /// Adds a string.
    pub fn string(&mut self, text: &[u8]) {
        self.writer.string(text);
    }

    /// Adds what follows in a stream behind so many nodes; true at its end.
    pub fn stream(&mut self, stream: &Stream, nodes: &mut usize) -> bool {
        if *nodes == 0 {
            stream::begin(&mut self.writer, stream);
        }
        stream::write_next(&mut self.writer, stream, nodes, ENTRIES_AT_ONCE)
    }

    /// Adds what was written roughly.
    pub fn finish(&mut self, rough: &Rough) {
        self.writer.finish(rough);
    }

    /// Adds the end. The checksum is to follow.
    pub fn end(&mut self) {
        self.writer.raw(&[code::END]);
    }

    /// Takes what has been written; what follows goes into `spare`, which is empty.
    pub fn take(&mut self, spare: Vec<u8>) -> Vec<u8> {
        self.writer.exchange(spare.into()).into_bytes()
    }
}

/// The header that every file is begun with.
fn first_header() -> [u8; code::HEADER] {
    header(VERSION)
}

/// The header of a file that holds what 7.0 does not know, and how it differs from the one that the file was begun with.
pub fn later_header() -> ([u8; code::HEADER], [u8; code::HEADER]) {
    let (later, mut difference) = (header(LATER_VERSION), first_header());
    (difference.iter_mut().zip(later)).for_each(|(byte, other)| *byte ^= other);
    (later, difference)
}

fn header(version: u16) -> [u8; code::HEADER] {
    let mut header = *b"REDIS0000";
    let (hundreds, rest) = (version / 100, version % 100);
    for (at, digit) in [(6, hundreds % 10), (7, rest / 10), (8, rest % 10)] {
        header[at] = b'0' + digit as u8;
    }
    header
}
