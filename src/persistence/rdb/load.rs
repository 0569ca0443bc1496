//! Loading a snapshot file into the keyspace: one thread reads and splits it, the others read the values and store them.

use std::borrow::Cow;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use parking_lot::Mutex;

use super::cursor::{Malformed, Reader};
use super::module::ModuleName;
use super::read::{Limits, Restored, read_kind};
use super::split::{Batch, Checksum, Part, RawEntry, Splitter};
use super::{Fault, Problem};
use crate::keyspace::{AccessClock, Db, Expiry, Key, Keyspace, Moment, Notes, Value};

/// Values stored under one passage through the gate.
const ENTRIES_AT_ONCE: usize = 32;
/// Batches that wait per thread that stores.
const BATCHES_AHEAD: usize = 2;
/// Keys without elements that are logged one by one.
const EMPTY_SHOWN: u64 = 10;

/// How a file is loaded.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Up to which size the small encodings are used.
    pub limits: Limits,
    /// How keys' use is recorded.
    pub access: AccessClock,
    /// Unix milliseconds.
    pub now: i64,
    /// Whether the checksum matters (`rdbchecksum`).
    pub sums: bool,
    /// Whether keys past their time are left out.
    pub drops_expired: bool,
    /// Whether keys that are there already are replaced.
    pub replaces: bool,
    /// Microseconds to wait after each key, for tests; below zero, a microsecond after so many keys.
    pub delay: i32,
    /// Threads that store; each passes the gate on the lane of its number.
    pub workers: usize,
}

/// Hears what a file says besides its values.
pub trait Listener {
    /// A name and a text about the file.
    fn field(&mut self, name: &[u8], text: &[u8]);
    /// A library of functions.
    fn function(&mut self, code: &[u8]) -> Result<(), String>;
    /// What a module has kept beside the keys; it is passed over.
    fn module_data(&mut self, module: ModuleName);
    /// So many more bytes have been read; false ends the loading.
    fn progress(&mut self, bytes: u64) -> bool;
}

/// What was loaded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Bytes of the file, up to and including its checksum.
    pub bytes: u64,
    /// Keys stored.
    pub keys: u64,
    /// Keys left out because their time had passed.
    pub expired: u64,
    /// Keys left out because they had no element.
    pub empty: u64,
    /// Whether the file says that it has no checksum.
    pub is_unchecked: bool,
}

/// What the storing threads share.
struct Store<'k> {
    keyspace: &'k Keyspace,
    options: Options,
    keys: AtomicU64,
    expired: AtomicU64,
    empty: AtomicU64,
    has_failed: AtomicBool,
    /// The first error in the file.
    fault: Mutex<Option<Fault>>,
}

/// Loads a file.
pub fn load(
    input: impl Read,
    keyspace: &Keyspace,
    options: Options,
    listener: &mut dyn Listener,
) -> Result<Loaded, Fault> {
    let store = Store {
        keyspace,
        options,
        keys: AtomicU64::new(0),
        expired: AtomicU64::new(0),
        empty: AtomicU64::new(0),
        has_failed: AtomicBool::new(false),
        fault: Mutex::default(),
    };
    let mut splitter = Splitter::new(input, options.sums)?;
    let (sender, receiver) = sync_channel(options.workers * BATCHES_AHEAD);
    let receiver = Mutex::new(receiver);
    let split = std::thread::scope(|scope| {
        for lane in 0..options.workers {
            let (store, receiver) = (&store, &receiver);
            scope.spawn(move || store.take_all(receiver, lane));
        }
        split(&mut splitter, &store, sender, listener)
    });
    match (split, store.fault.into_inner()) {
        // Values come before what was read after them.
        (_, Some(fault)) | (Err(fault), None) => Err(fault),
        (Ok(is_unchecked), None) => Ok(Loaded {
            bytes: splitter.position(),
            keys: store.keys.into_inner(),
            expired: store.expired.into_inner(),
            empty: store.empty.into_inner(),
            is_unchecked,
        }),
    }
}

/// Splits the file to its end; says whether it has no checksum.
fn split<R: Read>(
    splitter: &mut Splitter<R>,
    store: &Store<'_>,
    sender: SyncSender<Batch>,
    listener: &mut dyn Listener,
) -> Result<bool, Fault> {
    let databases = store.keyspace.databases();
    let mut reported = 0;
    loop {
        match splitter.advance()? {
            Part::Values(batch) => {
                // With nobody left to take it, somebody has failed.
                let is_sent = sender.send(batch).is_ok();
                let progress = splitter.position() - reported;
                reported = splitter.position();
                if !is_sent || store.has_failed.load(Relaxed) || !listener.progress(progress) {
                    return Err(splitter.fault(Problem::Stopped));
                }
            }
            Part::Field(name, text) => listener.field(&name, &text),
            Part::Function(library) => {
                let done = listener.function(&library);
                done.map_err(|reason| splitter.fault(Problem::Function(reason)))?;
            }
            Part::ModuleData(module) => listener.module_data(module),
            Part::Database(number) if number >= databases as u64 => {
                return Err(splitter.fault(Problem::Databases(databases)));
            }
            Part::Database(_) => {}
            Part::End => break,
        }
    }
    let checksum = splitter.checksum()?;
    listener.progress(splitter.position() - reported);
    match checksum {
        Some(sum) if !store.options.sums || sum.stated == sum.counted => Ok(false),
        None | Some(Checksum { stated: 0, .. }) => Ok(true),
        Some(sum) => Err(splitter.fault(Problem::Checksum {
            stated: sum.stated,
            counted: sum.counted,
        })),
    }
}

/// A value on its way into the keyspace.
struct Arrival<'b> {
    raw: &'b RawEntry,
    key: Cow<'b, [u8]>,
    hash: u64,
    value: Restored<'b>,
}

impl Store<'_> {
    /// Stores batches until there are no more.
    fn take_all(&self, batches: &Mutex<Receiver<Batch>>, lane: usize) {
        loop {
            let batch = batches.lock().recv();
            let Ok(batch) = batch else { return };
            if self.has_failed.load(Relaxed) {
                continue;
            }
            if let Err(fault) = self.take(&batch, lane) {
                self.has_failed.store(true, Relaxed);
                let mut first = self.fault.lock();
                if first
                    .as_ref()
                    .is_none_or(|first| fault.offset < first.offset)
                {
                    *first = Some(fault);
                }
            }
        }
    }

    fn take(&self, batch: &Batch, lane: usize) -> Result<(), Fault> {
        for raws in batch.entries.chunks(ENTRIES_AT_ONCE) {
            let mut arrivals = Vec::with_capacity(raws.len());
            for raw in raws {
                arrivals.extend(self.read(batch, raw)?);
            }
            self.prefetch(&arrivals);
            let passage = self.keyspace.gate().pass(lane);
            for arrival in arrivals {
                let offset = batch.offset + arrival.raw.place.start as u64;
                let stored = self.store(arrival);
                stored.map_err(|problem| Fault { offset, problem })?;
            }
            drop(passage);
            self.wait(raws.len());
        }
        Ok(())
    }

    fn wait(&self, keys: usize) {
        if self.options.delay == 0 || self.has_failed.load(Relaxed) {
            return;
        }
        // Others store meanwhile, who wait for as long.
        let keys = keys as u64 * self.options.workers as u64;
        let delay = u64::from(self.options.delay.unsigned_abs());
        let micros = match self.options.delay {
            0.. => keys * delay,
            _ => keys / delay,
        };
        std::thread::sleep(std::time::Duration::from_micros(micros));
    }

    /// Reads a value. None is left of one that is empty or past its time.
    fn read<'b>(&self, batch: &'b Batch, raw: &'b RawEntry) -> Result<Option<Arrival<'b>>, Fault> {
        let bytes = batch.bytes.get(raw.place.clone()).unwrap_or_default();
        // Behind the type.
        let mut reader = Reader::new(bytes.get(1..).unwrap_or_default());
        let mut parse = || {
            let key = reader.string()?;
            Ok((
                key.clone(),
                read_kind(&mut reader, raw.kind, &self.options.limits),
            ))
        };
        let (key, value) = match parse() {
            Ok((key, Ok(value))) => (key, value),
            Ok((key, Err(Malformed::Empty))) => {
                if self.empty.fetch_add(1, Relaxed) < EMPTY_SHOWN {
                    let key = key.escape_ascii();
                    tracing::info!("Loading the snapshot, skipping empty key: {key}");
                }
                return Ok(None);
            }
            Ok((_, Err(error))) | Err(error) => {
                let end = raw.place.end - reader.left();
                let offset = batch.offset + end as u64;
                let problem = Problem::Value(error);
                return Err(Fault { offset, problem });
            }
        };
        let is_late = raw.expires_at.is_some_and(|at| at < self.options.now);
        if is_late && self.options.drops_expired {
            self.expired.fetch_add(1, Relaxed);
            return Ok(None);
        }
        let hash = Key::new(&key).hash;
        Ok(Some(Arrival {
            raw,
            key,
            hash,
            value,
        }))
    }

    /// Brings where the values will be into the cache, all at once.
    fn prefetch(&self, arrivals: &[Arrival<'_>]) {
        for group in arrivals.chunk_by(|one, next| one.raw.database == next.raw.database) {
            let hashes = group.iter().map(|arrival| arrival.hash);
            self.keyspace.prefetch(group[0].raw.database, hashes);
        }
    }

    fn store(&self, arrival: Arrival<'_>) -> Result<(), Problem> {
        let Arrival {
            raw,
            key,
            hash,
            value,
        } = arrival;
        let key = Key { bytes: &key, hash };
        let moment = Moment {
            now: self.options.now,
            access: self.options.access,
            no_touch: true,
            ignore_expiry: true,
            keeps_expired: true,
        };
        let (mut scope, mut notes) = (self.keyspace.lock_one(key.shard()), Notes::default());
        let mut db = Db::new(&mut scope, &mut notes, raw.database, moment);
        let value = match value {
            Restored::Text(ref text) => Value::of_string(text),
            Restored::Object(object) => Value::Object(Box::new(object)),
        };
        let expiry = raw.expires_at.map_or(Expiry::Clear, Expiry::At);
        let is_new = db.set(key, value, expiry);
        if !is_new && !self.options.replaces {
            return Err(Problem::Duplicate {
                key: key.bytes.escape_ascii().to_string(),
                database: raw.database,
            });
        }
        self.keys.fetch_add(1, Relaxed);
        if let Some(access) = self.access(raw)
            && let Some(mut entry) = db.change(key)
        {
            entry.set_access(access);
        }
        Ok(())
    }

    /// The access field that a file asks for.
    fn access(&self, raw: &RawEntry) -> Option<u32> {
        let clock = self.options.access;
        match clock.is_lfu() {
            true => raw.frequency.map(|frequency| clock.used_often(frequency)),
            false => {
                let seconds = raw.idle_seconds?;
                Some(clock.idle_for(u32::try_from(seconds).unwrap_or(u32::MAX)))
            }
        }
    }
}
