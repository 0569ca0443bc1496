//! A base: all data at one moment, as the commands that make it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use parking_lot::Mutex;

use crate::journal::write_command;
use crate::keyspace::{EntryRef, Snapshot, ValueRef};
use crate::structures::Object;

/// Entries walked under one passage through the gate.
const ENTRIES_AT_ONCE: usize = 64;
/// Bytes gathered before they are written.
const WRITE_SIZE: usize = 256 * 1024;
/// Bytes written before they are forced to the disk, so that the last sync has little left to do.
const SYNC_SIZE: u64 = 4 << 20;

/// Turns entries into commands.
#[derive(Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
    database: Option<usize>,
}

impl Encoder {
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
            Object::Bytes(bytes) => self.command(&[b"SET", key, bytes]),
        }
    }

    fn command(&mut self, args: &[&[u8]]) {
        write_command(&mut self.bytes, args.iter().copied());
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
        if !is_done && encoder.lock().bytes.len() < WRITE_SIZE {
            continue;
        }
        // Writers that show old entries wait for this lock, so nothing is written while it is held.
        let bytes = std::mem::take(&mut encoder.lock().bytes);
        file.write_all(&bytes)?;
        size += bytes.len() as u64;
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
