//! A base: all data at one moment, as the commands that make it.

mod collections;
mod sorted_sets;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;
use parking_lot::Mutex;

use super::list;
use crate::journal::write_command;
use crate::keyspace::{EntryRef, Snapshot, ValueRef};
use crate::structures::Object;

/// Entries walked under one passage through the gate.
const ENTRIES_AT_ONCE: usize = 64;
/// Bytes gathered before they are written.
const WRITE_SIZE: usize = 256 * 1024;
/// Bytes written before they are forced to the disk, so that the last sync has little left to do.
const SYNC_SIZE: u64 = 4 << 20;

/// Strings at least this long are not copied while their shard is locked.
const SHARED: usize = 16 * 1024;

/// Turns entries into commands.
#[derive(Debug, Default)]
pub struct Encoder {
    /// What comes before `bytes`.
    pieces: Vec<Bytes>,
    bytes: Vec<u8>,
    /// Bytes of everything.
    len: usize,
    database: Option<usize>,
}

impl Encoder {
    /// Adds a time, in Unix seconds, as the log has it.
    pub fn annotate(&mut self, second: i64) {
        let line = format!("#TS:{second}\r\n");
        self.len += line.len();
        self.bytes.extend_from_slice(line.as_bytes());
    }

    /// Adds the command that loads a library of functions.
    pub fn library(&mut self, code: &[u8]) {
        self.command(&[b"FUNCTION", b"LOAD", code]);
    }

    /// Adds the commands that make an entry.
    pub fn add(&mut self, database: usize, entry: EntryRef<'_>) {
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

    fn object(&mut self, key: &[u8], object: &Object) {
        match object {
            Object::Bytes(text) if text.len() < SHARED => self.command(&[b"SET", key, text]),
            Object::Bytes(text) => self.set_shared(key, text),
            Object::List(list) => self.append(|out| list::write(out, key, list)),
            Object::Hash(hash) => self.hash(key, hash),
            Object::Set(set) => self.set(key, set),
            Object::SortedSet(set) => self.sorted_set(key, set),
            Object::Stream(stream) => super::streams::encode(self, key, stream),
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
        self.pieces.extend([head.into(), text.clone()]);
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
        self.take().0.concat()
    }

    /// Takes what has been gathered.
    fn take(&mut self) -> (Vec<Bytes>, usize) {
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.push(std::mem::take(&mut self.bytes).into());
        (pieces, std::mem::take(&mut self.len))
    }
}

/// Writes a base that is complete and on disk when this returns; gives its size. `encoder` is the one that the snapshot
/// shows its entries to; `goes_on` may say that it is no longer wanted.
pub fn write_base(
    path: &Path,
    mut snapshot: Snapshot<'_>,
    encoder: &Mutex<Encoder>,
    goes_on: &dyn Fn() -> bool,
) -> io::Result<u64> {
    let mut file = File::create(path)?;
    let (mut size, mut synced) = (0, 0);
    loop {
        let is_done = snapshot.walk(ENTRIES_AT_ONCE);
        if !is_done && encoder.lock().len < WRITE_SIZE {
            continue;
        }
        // Writers that show old entries wait for this lock, so nothing is written while it is held.
        let (pieces, len) = encoder.lock().take();
        pieces.iter().try_for_each(|piece| file.write_all(piece))?;
        size += len as u64;
        if is_done {
            file.sync_all()?;
            return Ok(size);
        }
        if size - synced >= SYNC_SIZE {
            file.sync_data()?;
            synced = size;
        }
        if !goes_on() {
            return Err(io::Error::new(
                io::ErrorKind::Interrupted,
                "no longer wanted",
            ));
        }
    }
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
        let (pieces, len) = encoder.take();
        assert_eq!((pieces.concat(), len), (expected.clone(), expected.len()));
    }
}
