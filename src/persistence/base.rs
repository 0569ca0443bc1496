//! A base: all data at one moment, as the commands that make it or as a snapshot (`rdb`).

mod collections;
mod sorted_sets;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use parking_lot::Mutex;

use super::disk::{Disk, DiskFile, append_all, sync_folder_of};
use super::list;
use super::rdb::{self, EntryWriter, FileEncoder, Preamble};
use crate::base::crc64::{after_zeros, crc64};
use crate::journal::write_command;
use crate::keyspace::{EntryRef, Keep, Slices, Snapshot, ValueRef};
use crate::structures::{Object, ObjectRef};

/// Entries walked under one passage through the gate.
const ENTRIES_AT_ONCE: usize = 64;
/// More bytes count as more entries.
const BYTES_OF_AN_ENTRY: usize = 512;
/// How long is walked between two rests.
const STRETCH: Duration = Duration::from_micros(100);
/// How long a rest is, at least.
const REST: Duration = Duration::from_micros(1);
/// Bytes gathered before they are written.
const WRITE_SIZE: usize = 256 * 1024;
/// Bytes written before they are forced to the disk, so that the last sync has little left to do.
const SYNC_SIZE: u64 = 4 << 20;

/// Strings at least this long are not copied while their shard is locked.
const SHARED: usize = 16 * 1024;

/// A part of a base on its way to the file.
#[derive(Debug)]
enum Piece {
    /// Bytes as they are.
    Ready(Bytes),
    /// A string that is still to be written as snapshots have them.
    Text(Bytes),
}

/// A snapshot in the making.
#[derive(Debug)]
struct Dump {
    encoder: FileEncoder,
    packs: bool,
    sums: bool,
}

/// Turns entries into what a base consists of.
#[derive(Debug, Default)]
pub struct Encoder {
    /// What comes before `bytes`.
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
    /// Bytes of everything, long strings as they are.
    len: usize,
    database: Option<usize>,
    /// Snapshots instead of commands.
    dump: Option<Box<Dump>>,
    /// Entries added.
    keys: u64,
}

impl Encoder {
    /// Turns entries into a snapshot; `sums` for a checksum at its end.
    pub fn rdb(preamble: Preamble, sums: bool) -> Self {
        let packs = preamble.packs;
        let dump = Dump {
            encoder: FileEncoder::new(preamble),
            packs,
            sums,
        };
        Self {
            dump: Some(Box::new(dump)),
            ..Self::default()
        }
    }

    /// Entries that were added.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Adds a time, in Unix seconds, as the log has it.
    pub fn annotate(&mut self, second: i64) {
        let line = format!("#TS:{second}\r\n");
        self.len += line.len();
        self.bytes.extend_from_slice(line.as_bytes());
    }

    /// Adds a library of functions: before the first entry.
    pub fn library(&mut self, code: &[u8]) {
        let Some(dump) = &mut self.dump else {
            return self.command(&[b"FUNCTION", b"LOAD", code]);
        };
        let before = dump.encoder.gathered();
        dump.encoder.library(code);
        self.len += dump.encoder.gathered() - before;
    }

    /// Adds an entry.
    pub fn add(&mut self, database: usize, entry: EntryRef<'_>) {
        self.keys += 1;
        let Some(dump) = &mut self.dump else {
            return self.add_commands(database, entry);
        };
        let before = dump.encoder.gathered();
        let long = dump.encoder.add(database, entry);
        self.len += dump.encoder.gathered() - before;
        if let Some(text) = long {
            self.len += text.len();
            let head = dump.encoder.take();
            self.pieces
                .extend([Piece::Ready(head.into()), Piece::Text(text)]);
        }
    }

    /// Adds an entry that has been written elsewhere.
    fn add_written(&mut self, database: usize, entry: &mut EntryWriter) {
        let Some(dump) = &mut self.dump else { return };
        self.keys += 1;
        let before = dump.encoder.gathered();
        let bytes = dump.encoder.add_written(database, entry);
        self.len += dump.encoder.gathered() - before + bytes.len();
        let head = dump.encoder.take();
        let pieces = [head, bytes].map(|bytes| Piece::Ready(bytes.into()));
        self.pieces.extend(pieces);
    }

    fn add_commands(&mut self, database: usize, entry: EntryRef<'_>) {
        if self.database != Some(database) {
            self.database = Some(database);
            let number = database.to_string();
            self.command(&[b"SELECT", number.as_bytes()]);
        }
        let key = entry.key();
        match entry.value() {
            ValueRef::Int(number) => {
                self.command(&[b"SET", key, itoa::Buffer::new().format(number).as_bytes()]);
            }
            ValueRef::Inline(text) => self.command(&[b"SET", key, text]),
            ValueRef::Object(object) => self.object(key, object),
        }
        if let Some(at) = entry.expires_at() {
            self.command(&[b"PEXPIREAT", key, itoa::Buffer::new().format(at).as_bytes()]);
        }
    }

    fn object(&mut self, key: &[u8], object: ObjectRef<'_>) {
        match object {
            ObjectRef::Bytes(text) if text.len() < SHARED => self.command(&[b"SET", key, text]),
            ObjectRef::Bytes(text) => self.set_shared(key, text),
            ObjectRef::List(list) => self.append(|out| list::write(out, key, list)),
            ObjectRef::Hash(hash) => self.hash(key, hash),
            ObjectRef::Set(set) => self.set(key, set),
            ObjectRef::SortedSet(set) => self.sorted_set(key, set),
            ObjectRef::Stream(stream) => super::streams::encode(self, key, stream),
        }
    }

    /// Adds whole commands.
    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        self.len += self.bytes.len() - before;
    }

    fn set_shared(&mut self, key: &[u8], text: &Bytes) {
        self.command(&[b"SET", key, b""]);
        // The text takes the empty string's place.
        let head = self.bytes.len() - b"$0\r\n\r\n".len();
        self.len -= self.bytes.len() - head;
        self.bytes.truncate(head);
        self.bytes
            .extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
        self.len += self.bytes.len() - head + text.len() + b"\r\n".len();
        let head = std::mem::take(&mut self.bytes);
        let pieces = [head.into(), text.clone()];
        self.pieces.extend(pieces.map(Piece::Ready));
        self.bytes.extend_from_slice(b"\r\n");
    }

    pub(super) fn command(&mut self, args: &[&[u8]]) {
        let before = self.bytes.len();
        write_command(&mut self.bytes, args.iter().copied());
        self.len += self.bytes.len() - before;
    }

    /// All that has been gathered.
    #[cfg(test)]
    pub(super) fn text(&mut self) -> Vec<u8> {
        let pieces = self.take(false).into_iter().map(|piece| match piece {
            Piece::Ready(bytes) | Piece::Text(bytes) => bytes,
        });
        pieces.collect::<Vec<Bytes>>().concat()
    }

    /// Takes what has been gathered; with `ends`, the end comes after it.
    fn take(&mut self, ends: bool) -> Vec<Piece> {
        let mut pieces = std::mem::take(&mut self.pieces);
        self.len = 0;
        let last = match &mut self.dump {
            None => std::mem::take(&mut self.bytes),
            Some(dump) => {
                if ends {
                    dump.encoder.end();
                }
                dump.encoder.take()
            }
        };
        pieces.push(Piece::Ready(last.into()));
        pieces
    }
}

/// What a snapshot shows its entries to: an encoder. Snapshots have big values in slices.
pub struct Shown(pub Arc<Mutex<Encoder>>);

/// An entry on its way to an encoder.
struct Slicing {
    encoder: Arc<Mutex<Encoder>>,
    database: usize,
    entry: EntryWriter,
}

impl Keep for Shown {
    fn keep(&self, database: usize, entry: EntryRef<'_>) -> usize {
        let mut encoder = self.0.lock();
        let before = encoder.len;
        encoder.add(database, entry);
        1 + (encoder.len - before) / BYTES_OF_AN_ENTRY
    }

    fn begin(&self, database: usize, entry: EntryRef<'_>) -> Option<Box<dyn Slices>> {
        if !entry.is_object() {
            return None;
        }
        let begun = self.0.lock().dump.as_ref()?.encoder.begin(entry)?;
        Some(Box::new(Slicing {
            encoder: self.0.clone(),
            database,
            entry: begun,
        }))
    }
}

impl Slices for Slicing {
    fn go_on(&mut self, object: &mut Object, count: usize) -> bool {
        self.entry.go_on(object, count)
    }

    fn go_to_end(&mut self, object: ObjectRef<'_>) {
        self.entry.go_to_end(object);
    }

    fn preserve(&mut self, object: &mut Object) {
        self.entry.preserve(object);
    }

    fn end(mut self: Box<Self>) {
        let database = self.database;
        let encoder = self.encoder.clone();
        encoder.lock().add_written(database, &mut self.entry);
    }
}

/// The file of a base.
struct Sink {
    file: Arc<dyn DiskFile>,
    size: u64,
    synced: u64,
    /// Packs long strings.
    writer: rdb::Writer,
    /// The checksum so far, where there is one.
    sum: Option<u64>,
}

impl Sink {
    fn write(&mut self, piece: &Piece) -> io::Result<()> {
        match piece {
            Piece::Ready(bytes) => self.write_bytes(bytes),
            Piece::Text(text) => {
                self.writer.string(text);
                let bytes = self.writer.take();
                self.write_bytes(&bytes)
            }
        }
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        append_all(&*self.file, bytes)?;
        self.size += bytes.len() as u64;
        self.sum = self.sum.map(|sum| crc64(sum, bytes));
        if self.size - self.synced >= SYNC_SIZE {
            self.file.sync()?;
            self.synced = self.size;
        }
        Ok(())
    }

    /// Writes what a snapshot ends with. What it holds decides its version, so its beginning may have to be written again.
    fn finish(&mut self, dump: &Dump) -> io::Result<()> {
        let mut sum = self.sum.take().unwrap_or(0);
        if let Some(header) = dump.encoder.later_header() {
            let mut difference = rdb::first_header();
            (difference.iter_mut().zip(header)).for_each(|(byte, other)| *byte ^= other);
            let zeros = self.size - header.len() as u64;
            if dump.sums {
                sum ^= after_zeros(crc64(0, &difference), zeros);
            }
            self.file.replace_start(&header)?;
        }
        self.write_bytes(&sum.to_le_bytes())
    }
}

/// Walks for a while; says whether that was the end, and how many bytes have been gathered. `None` when they are no longer
/// wanted.
///
/// It begins with a rest. On a machine that has more to do than processors this thread is taken off its own sooner or later,
/// and with a shard locked that would hold up every worker which wants that shard, until this thread's turn comes again. A
/// thread that has just slept is left alone for longer than a stretch takes: so it waits for its turns where it locks nothing.
fn walk_stretch(
    snapshot: &mut Snapshot<'_>,
    encoder: &Mutex<Encoder>,
    goes_on: &dyn Fn(u64) -> bool,
) -> Option<(bool, usize)> {
    sleep(REST);
    let begun = Instant::now();
    loop {
        let is_done = snapshot.walk(ENTRIES_AT_ONCE);
        let (keys, gathered) = {
            let encoder = encoder.lock();
            (encoder.keys, encoder.len)
        };
        if !goes_on(keys) {
            return None;
        }
        if is_done || gathered >= WRITE_SIZE || begun.elapsed() >= STRETCH {
            return Some((is_done, gathered));
        }
    }
}

/// Writes a base that is complete and on disk when this returns; gives its size. `encoder` is the one that the snapshot
/// shows its entries to; `goes_on` hears how many have been added, and may say that the base is no longer wanted.
pub fn write_base(
    disk: &dyn Disk,
    path: &Path,
    mut snapshot: Snapshot<'_>,
    encoder: &Mutex<Encoder>,
    goes_on: &dyn Fn(u64) -> bool,
) -> io::Result<u64> {
    let mut sink = {
        let encoder = encoder.lock();
        let dump = encoder.dump.as_deref();
        Sink {
            file: disk.create(path)?,
            size: 0,
            synced: 0,
            writer: rdb::Writer::new(dump.is_some_and(|dump| dump.packs)),
            sum: dump.and_then(|dump| dump.sums.then_some(0)),
        }
    };
    loop {
        let Some((is_done, gathered)) = walk_stretch(&mut snapshot, encoder, goes_on) else {
            let reason = "no longer wanted";
            return Err(io::Error::new(io::ErrorKind::Interrupted, reason));
        };
        if !is_done && gathered < WRITE_SIZE {
            continue;
        }
        // Writers that show old entries wait for this lock, so nothing is written while it is held.
        let pieces = encoder.lock().take(is_done);
        pieces.iter().try_for_each(|piece| sink.write(piece))?;
        if is_done {
            if let Some(dump) = &encoder.lock().dump {
                sink.finish(dump)?;
            }
            sink.file.sync()?;
            return Ok(sink.size);
        }
    }
}

/// Replaces a snapshot file in one step that survives a crash, by way of a file of another name; gives its size.
pub fn save_base(
    disk: &dyn Disk,
    [path, temporary]: [&Path; 2],
    snapshot: Snapshot<'_>,
    encoder: &Mutex<Encoder>,
    goes_on: &dyn Fn(u64) -> bool,
) -> anyhow::Result<u64> {
    let written = write_base(disk, temporary, snapshot, encoder, goes_on)
        .with_context(|| {
            format!(
                "Write error saving DB on disk, file {}",
                temporary.display()
            )
        })
        .and_then(|size| {
            let moved = disk.rename(temporary, path);
            moved.context("Error moving temp DB file on the final destination")?;
            Ok(size)
        });
    if written.is_err() {
        // It may not have been made at all.
        let _ = disk.remove(temporary);
    }
    let size = written?;
    sync_folder_of(disk, path).context("Error forcing the folder of the DB file to disk")?;
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Entry, Value};

    #[test]
    fn entries_become_commands() {
        let mut encoder = Encoder::default();
        let long = vec![b'x'; SHARED];
        let entries = [
            (0, Entry::new(b"number", Value::Int(-7), None, 0)),
            (2, Entry::new(b"text", Value::Str(b"a\r\n"), Some(123), 0)),
            (2, Entry::new(b"long", Value::Str(&long), None, 0)),
        ];
        for (database, entry) in &entries {
            encoder.add(*database, entry.view());
        }
        let mut expected = Vec::new();
        let commands: [&[&[u8]]; 6] = [
            &[b"SELECT", b"0"],
            &[b"SET", b"number", b"-7"],
            &[b"SELECT", b"2"],
            &[b"SET", b"text", b"a\r\n"],
            &[b"PEXPIREAT", b"text", b"123"],
            &[b"SET", b"long", &long],
        ];
        for command in commands {
            write_command(&mut expected, command.iter().copied());
        }
        assert_eq!(encoder.len, expected.len());
        assert_eq!(encoder.text(), expected);
    }
}
