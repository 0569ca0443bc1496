//! How a base reaches its file: what has been gathered is finished or becomes commands, what stands around it and a checksum
//! are added.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::{io, mem};

use super::{Base, Piece, WRITE_SIZE};
use crate::base::crc64::{after_zeros, crc64};
use crate::journal::write_command;
use crate::persistence::disk::{DiskFile, append_all};
use crate::persistence::rdb::{self, Rough, Shared, later_header, show_entries};

/// Bytes written before they are forced to the disk, so that the last sync has little left to do.
const SYNC_SIZE: u64 = if cfg!(test) { 1 << 10 } else { 4 << 20 };

/// What stands around the entries of a base.
#[derive(Debug)]
pub(super) enum Frame {
    Dump(rdb::Frame),
    Commands(Vec<u8>),
}

impl Default for Frame {
    fn default() -> Self {
        Self::Commands(Vec::new())
    }
}

impl Frame {
    pub(super) fn annotate(&mut self, second: i64) {
        if let Self::Commands(bytes) = self {
            bytes.extend_from_slice(format!("#TS:{second}\r\n").as_bytes());
        }
    }

    pub(super) fn library(&mut self, code: &[u8]) {
        match self {
            Self::Dump(frame) => frame.library(code),
            Self::Commands(_) => drop(self.command(&[b"FUNCTION", b"LOAD", code])),
        }
    }

    fn select(&mut self, database: usize) {
        match self {
            Self::Dump(frame) => frame.select(database),
            Self::Commands(_) => drop(self.command(&[b"SELECT", database.to_string().as_bytes()])),
        }
    }

    /// Adds a command, which a snapshot has none of; says how many bytes there are by now.
    fn command(&mut self, command: &[&[u8]]) -> usize {
        match self {
            Self::Dump(_) => 0,
            Self::Commands(bytes) => {
                write_command(bytes, command.iter().copied());
                bytes.len()
            }
        }
    }

    fn take(&mut self, spare: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Dump(frame) => frame.take(spare),
            Self::Commands(bytes) => mem::replace(bytes, spare),
        }
    }
}

/// A thread that forces a file to the disk while writing goes on.
struct Syncer {
    orders: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Syncer {
    fn start(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let (orders, ordered) = sync_channel(0);
        let sync = move || ordered.iter().try_for_each(|()| file.sync());
        let thread = std::thread::Builder::new().name("base-sync".into());
        let thread = thread.spawn(sync)?;
        Ok(Self { orders, thread })
    }

    /// What all it was asked for has come to.
    fn end(self) -> io::Result<()> {
        drop(self.orders);
        let result = self.thread.join();
        result.unwrap_or_else(|_| Err(io::Error::other("the sync thread has panicked")))
    }
}

/// The file of a base.
pub(super) struct Sink {
    file: Arc<dyn DiskFile>,
    syncer: Option<Syncer>,
    frame: Frame,
    /// The beginning of an entry that is to become commands.
    begun: Vec<u8>,
    /// The database that entries are of by now.
    database: Option<usize>,
    size: u64,
    synced: u64,
    /// The checksum so far, where there is one.
    sum: Option<u64>,
    /// Memory for what stands around it, and for what has been finished.
    finished: Vec<u8>,
}

impl Sink {
    pub(super) fn new(file: Arc<dyn DiskFile>, base: &Base) -> Self {
        Self {
            file,
            syncer: None,
            frame: base.take_frame(),
            begun: Vec::new(),
            database: None,
            size: 0,
            synced: 0,
            sum: base.sums().then_some(0),
            finished: Vec::new(),
        }
    }

    /// Writes what an encoder has gathered.
    pub(super) fn write_all(&mut self, pieces: Vec<Piece>, base: &Base) -> io::Result<()> {
        let mut pieces = pieces.into_iter();
        pieces.try_for_each(|piece| self.write(piece, base))
    }

    fn write(&mut self, piece: Piece, base: &Base) -> io::Result<()> {
        let is_dump = matches!(self.frame, Frame::Dump(_));
        match piece {
            Piece::Database(database) if self.database == Some(database) => {}
            Piece::Database(database) => {
                self.database = Some(database);
                self.frame.select(database);
            }
            Piece::Entries(rough) | Piece::Begun(rough) if is_dump => {
                self.write_rough(&rough)?;
                base.give_back(rough);
            }
            Piece::Value(value) if is_dump => self.write_value(&value)?,
            Piece::Begun(rough) => {
                self.begun.extend_from_slice(rough.bytes());
                base.give_back(rough);
            }
            Piece::Entries(rough) => {
                self.write_commands(rough.bytes(), None)?;
                base.give_back(rough);
            }
            Piece::Value(value) => self.write_commands(&[], Some(&value))?,
        }
        Ok(())
    }

    // ---- A snapshot

    /// Writes what was written roughly.
    fn write_rough(&mut self, rough: &Rough) -> io::Result<()> {
        if let Some(bytes) = rough.finished() {
            return self.write_bytes(bytes);
        }
        if let Frame::Dump(frame) = &mut self.frame {
            frame.finish(rough);
        }
        self.write_bytes(&[])
    }

    /// Writes a value that was shared.
    fn write_value(&mut self, value: &Shared) -> io::Result<()> {
        let mut nodes = 0;
        while let Frame::Dump(frame) = &mut self.frame {
            let is_done = match value {
                Shared::Text(text) => {
                    frame.string(text);
                    true
                }
                Shared::Stream(stream) => frame.stream(stream, &mut nodes),
            };
            if is_done {
                break;
            }
            self.write_bytes(&[])?;
        }
        Ok(())
    }

    // ---- Commands

    /// Writes the commands that make what was begun and what follows it.
    fn write_commands(&mut self, rest: &[u8], value: Option<&Shared>) -> io::Result<()> {
        let mut begun = mem::take(&mut self.begun);
        let mut entries = rest;
        if !begun.is_empty() {
            begun.extend_from_slice(rest);
            entries = &begun;
        }
        let mut written = Ok(());
        let mut show = |command: &[&[u8]]| {
            if self.frame.command(command) >= WRITE_SIZE {
                let result = self.write_bytes(&[]);
                written = mem::replace(&mut written, Ok(())).and(result);
            }
        };
        let shown = show_entries(&mut show, entries, value);
        shown.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        begun.clear();
        begun.shrink_to(2 * WRITE_SIZE);
        self.begun = begun;
        written
    }

    // ---- Bytes

    /// Writes bytes behind what stands before them.
    fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut before = self.frame.take(mem::take(&mut self.finished));
        self.append(&before)?;
        before.clear();
        before.shrink_to(2 * WRITE_SIZE);
        self.finished = before;
        self.append(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        append_all(&*self.file, bytes)?;
        self.size += bytes.len() as u64;
        self.sum = self.sum.map(|sum| crc64(sum, bytes));
        if self.size - self.synced >= SYNC_SIZE {
            self.synced = self.size;
            self.begin_sync()?;
        }
        Ok(())
    }

    /// Has what was written forced to the disk. Waits for the time before: no more is to be left to the end.
    fn begin_sync(&mut self) -> io::Result<()> {
        let syncer = match self.syncer.take() {
            Some(syncer) => syncer,
            None => Syncer::start(self.file.clone())?,
        };
        if syncer.orders.send(()).is_err() {
            return syncer.end();
        }
        self.syncer = Some(syncer);
        Ok(())
    }

    /// Writes what the base ends with; gives its size. What a snapshot holds decides its version, so its beginning may have to
    /// be written again.
    pub(super) fn finish(mut self, base: &Base) -> io::Result<u64> {
        if let Frame::Dump(frame) = &mut self.frame {
            frame.end();
        }
        self.write_bytes(&[])?;
        if let Frame::Dump(_) = self.frame {
            let sum = self.sum.take();
            let mut sum = sum.unwrap_or(0);
            if base.is_later() {
                let (header, difference) = later_header();
                let zeros = self.size - header.len() as u64;
                if base.sums() {
                    sum ^= after_zeros(crc64(0, &difference), zeros);
                }
                self.file.replace_start(&header)?;
            }
            self.append(&sum.to_le_bytes())?;
        }
        self.syncer.take().map_or(Ok(()), Syncer::end)?;
        self.file.sync()?;
        Ok(self.size)
    }
}
