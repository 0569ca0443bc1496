//! A base: all data at one moment, as the commands that make it or as a snapshot (`rdb`). Here entries become bytes; who
//! gathers these says `gather`, how they reach the file `sink`.

mod collections;
mod gather;
mod sink;
mod sorted_sets;

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};
use std::{io, mem};

use anyhow::Context;
use bytes::Bytes;

pub use self::gather::{Base, Shown};
use self::sink::Sink;
use super::disk::{Disk, sync_folder_of};
use super::list;
use super::rdb::{EntryWriter, FileEncoder, Rough};
use crate::journal::write_command;
use crate::keyspace::{EntryRef, Snapshot, ValueRef};
use crate::structures::ObjectRef;

/// Entries walked under one passage through the gate.
const ENTRIES_AT_ONCE: usize = 64;
/// How long is walked between two rests.
const STRETCH: Duration = Duration::from_micros(100);
/// How long a rest is, at least.
const REST: Duration = Duration::from_micros(1);
/// Bytes gathered before they are written.
const WRITE_SIZE: usize = 256 * 1024;
/// How many times that may wait to be written.
const CHUNKS_AHEAD: usize = 8;

/// Strings at least this long are not copied while their shard is locked.
const SHARED: usize = 16 * 1024;

/// A part of a base on its way to the file.
#[derive(Debug)]
enum Piece {
    /// What follows is entries of this database.
    Database(usize),
    /// Bytes as they are.
    Ready(Rough),
    /// The same, of a value.
    Shared(Bytes),
    /// A string that is still to be written as snapshots have them.
    Text(Bytes),
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
    dump: Option<FileEncoder>,
    /// Entries added.
    keys: u64,
}

impl Encoder {
    /// Turns entries into those of a snapshot.
    fn rdb(dump: FileEncoder) -> Self {
        Self {
            dump: Some(dump),
            ..Self::default()
        }
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, database: usize, entry: EntryRef<'_>) {
        self.keys += 1;
        self.select(database);
        let Some(dump) = &mut self.dump else {
            return self.add_commands(entry);
        };
        let before = dump.gathered();
        let long = dump.add(entry);
        self.len += dump.gathered() - before;
        if let Some(text) = long {
            self.len += text.len();
            self.pieces.push(Piece::Ready(dump.take(Rough::default())));
            self.pieces.push(Piece::Text(text));
        }
    }

    /// Adds an entry that has been written elsewhere.
    fn add_written(&mut self, database: usize, entry: &mut EntryWriter) {
        self.keys += 1;
        self.select(database);
        let Some(dump) = &mut self.dump else { return };
        let bytes = dump.add_written(entry);
        self.len += bytes.iter().map(Rough::size).sum::<usize>();
        let head = dump.take(Rough::default());
        let pieces = [head].into_iter().chain(bytes);
        self.pieces.extend(pieces.map(Piece::Ready));
    }

    /// What follows is entries of this database.
    fn select(&mut self, database: usize) {
        if self.database != Some(database) {
            self.database = Some(database);
            let before = self.take_bytes(Rough::default());
            self.pieces
                .extend([Piece::Ready(before), Piece::Database(database)]);
        }
    }

    fn take_bytes(&mut self, spare: Rough) -> Rough {
        match &mut self.dump {
            None => mem::replace(&mut self.bytes, spare.into_bytes()).into(),
            Some(dump) => dump.take(spare),
        }
    }

    fn add_commands(&mut self, entry: EntryRef<'_>) {
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
        let head = mem::take(&mut self.bytes);
        self.pieces
            .extend([Piece::Ready(head.into()), Piece::Shared(text.clone())]);
        self.bytes.extend_from_slice(b"\r\n");
    }

    pub(super) fn command(&mut self, args: &[&[u8]]) {
        let before = self.bytes.len();
        write_command(&mut self.bytes, args.iter().copied());
        self.len += self.bytes.len() - before;
    }

    /// All that has been gathered, but for which database it is of.
    #[cfg(test)]
    pub(super) fn text(&mut self) -> Vec<u8> {
        let pieces = self
            .take(Rough::default())
            .into_iter()
            .map(|piece| match piece {
                Piece::Database(_) => Bytes::new(),
                Piece::Ready(bytes) => bytes.into_bytes().into(),
                Piece::Shared(bytes) | Piece::Text(bytes) => bytes,
            });
        pieces.collect::<Vec<Bytes>>().concat()
    }

    /// Takes what has been gathered; what follows goes into `spare`, which is empty.
    fn take(&mut self, spare: Rough) -> Vec<Piece> {
        let mut pieces = mem::take(&mut self.pieces);
        (self.len, self.database) = (0, None);
        pieces.push(Piece::Ready(self.take_bytes(spare)));
        pieces
    }
}

/// Walks for a while; says whether that was the end. `None` when the base is no longer wanted.
///
/// It begins with a rest. On a machine that has more to do than processors this thread is taken off its own sooner or later,
/// and with a shard locked that would hold up every worker which wants that shard, until this thread's turn comes again. A
/// thread that has just slept is left alone for longer than a stretch takes: so it waits for its turns where it locks nothing.
/// That may take several times as long as the stretch, so all that needs no lock is left to another thread.
fn walk_stretch(
    snapshot: &mut Snapshot<'_>,
    base: &Base,
    goes_on: &dyn Fn(u64) -> bool,
) -> Option<bool> {
    sleep(REST);
    let begun = Instant::now();
    loop {
        let is_done = snapshot.walk(ENTRIES_AT_ONCE);
        if !goes_on(base.keys()) {
            return None;
        }
        if is_done || base.is_full() || begun.elapsed() >= STRETCH {
            return Some(is_done);
        }
    }
}

/// Walks to the end, and hands on what is gathered.
fn walk(
    mut snapshot: Snapshot<'_>,
    base: &Base,
    chunks: &SyncSender<Vec<Piece>>,
    goes_on: &dyn Fn(u64) -> bool,
) -> io::Result<()> {
    loop {
        let Some(is_done) = walk_stretch(&mut snapshot, base, goes_on) else {
            let reason = "no longer wanted";
            return Err(io::Error::new(io::ErrorKind::Interrupted, reason));
        };
        while let Some(pieces) = base.take(is_done) {
            if chunks.send(pieces).is_err() {
                // Whoever writes has a reason to have ended.
                return Ok(());
            }
        }
        if is_done {
            return Ok(());
        }
    }
}

/// Writes a base that is complete and on disk when this returns; gives its size. `base` is the one that the snapshot shows
/// its entries to; `goes_on` hears how many have been added, and may say that the base is no longer wanted.
pub fn write_base(
    disk: &dyn Disk,
    path: &Path,
    snapshot: Snapshot<'_>,
    base: &Base,
    goes_on: &dyn Fn(u64) -> bool,
) -> io::Result<u64> {
    let mut sink = Sink::new(disk.create(path)?, base);
    let (chunks, gathered) = sync_channel(CHUNKS_AHEAD);
    let sink = std::thread::scope(|scope| {
        let write = move || {
            let mut chunks = gathered.iter();
            chunks.try_for_each(|pieces| sink.write_all(pieces, base))?;
            Ok(sink)
        };
        let writer = Builder::new().name("base-file".into());
        let writer = writer.spawn_scoped(scope, write)?;
        let walked = walk(snapshot, base, &chunks, goes_on);
        drop(chunks);
        let written = writer.join();
        let written = written.unwrap_or_else(|_| Err(io::Error::other("writing has panicked")));
        walked.and(written)
    });
    sink?.finish(base)
}

/// Replaces a snapshot file in one step that survives a crash, by way of a file of another name; gives its size.
pub fn save_base(
    disk: &dyn Disk,
    [path, temporary]: [&Path; 2],
    snapshot: Snapshot<'_>,
    base: &Base,
    goes_on: &dyn Fn(u64) -> bool,
) -> anyhow::Result<u64> {
    let written = write_base(disk, temporary, snapshot, base, goes_on)
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
        let commands: [&[&[u8]]; 4] = [
            &[b"SET", b"number", b"-7"],
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
