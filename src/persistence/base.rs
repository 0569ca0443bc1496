//! A base: all data at one moment, as the commands that make it or as a snapshot (`rdb`). Here entries become bytes; who
//! gathers these says `gather`, how they reach the file `sink`.

mod gather;
mod sink;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};
use std::{io, mem};

use anyhow::Context;

pub use self::gather::{Base, Shown};
use self::sink::Sink;
use super::disk::{Disk, sync_folder_of};
use super::rdb::{EntryWriter, FileEncoder, Rough, Shared};
use crate::keyspace::{EntryRef, Snapshot};

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

/// A part of a base on its way to the file: entries as snapshots have them, whatever the base consists of.
#[derive(Debug)]
enum Piece {
    /// What follows is entries of this database.
    Database(usize),
    /// Entries. The first one may have begun before.
    Entries(Rough),
    /// The same, of which the last one goes on in what follows.
    Begun(Rough),
    /// The value of the entry that was begun.
    Value(Shared),
}

/// Gathers entries.
#[derive(Debug)]
struct Encoder {
    /// What comes before what the encoder below has gathered.
    pieces: Vec<Piece>,
    /// Bytes of everything, shared values as they are.
    len: usize,
    database: Option<usize>,
    entries: FileEncoder,
    /// Entries added.
    keys: u64,
}

impl Encoder {
    fn new(entries: FileEncoder) -> Self {
        Self {
            pieces: Vec::new(),
            len: 0,
            database: None,
            entries,
            keys: 0,
        }
    }

    /// Adds an entry.
    fn add(&mut self, database: usize, entry: EntryRef<'_>) {
        self.keys += 1;
        self.select(database);
        let before = self.entries.gathered();
        let shared = self.entries.add(entry);
        self.len += self.entries.gathered() - before;
        if let Some(value) = shared {
            self.len += value.size();
            let begun = self.entries.take(Rough::default());
            let pieces = [Piece::Begun(begun), Piece::Value(value)];
            self.pieces.extend(pieces);
        }
    }

    /// Adds an entry that has been written elsewhere.
    fn add_written(&mut self, database: usize, entry: &mut EntryWriter) {
        self.keys += 1;
        self.select(database);
        let before = self.entries.take(Rough::default());
        let (begun, end) = self.entries.add_written(entry);
        let bytes: usize = begun.iter().map(Rough::size).sum();
        self.len += bytes + end.size();
        self.pieces.push(Piece::Entries(before));
        self.pieces.extend(begun.into_iter().map(Piece::Begun));
        self.pieces.push(Piece::Entries(end));
    }

    /// What follows is entries of this database.
    fn select(&mut self, database: usize) {
        if self.database != Some(database) {
            self.database = Some(database);
            let before = self.entries.take(Rough::default());
            self.pieces
                .extend([Piece::Entries(before), Piece::Database(database)]);
        }
    }

    /// Takes what has been gathered; what follows goes into `spare`, which is empty.
    fn take(&mut self, spare: Rough) -> Vec<Piece> {
        let mut pieces = mem::take(&mut self.pieces);
        (self.len, self.database) = (0, None);
        pieces.push(Piece::Entries(self.entries.take(spare)));
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
