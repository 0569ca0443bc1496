//! What a base is gathered in. The thread that walks shows entries to it, and so does whoever is about to change what has not
//! been walked. None of them waits for another one, which may just have been taken off its processor: there is an encoder for
//! each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};

use super::sink::Frame;
use super::{CHUNKS_AHEAD, Encoder, Piece, WRITE_SIZE};
use crate::base::machine::processors;
use crate::keyspace::{AccessClock, EntryRef, Keep, Slices};
use crate::persistence::rdb::{self, EntryWriter, FileEncoder, Preamble, Rough};
use crate::structures::Object;

/// More bytes count as more entries.
const BYTES_OF_AN_ENTRY: usize = 512;

/// Threads of this process that have shown entries.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Which of them this one is.
    static THREAD: usize = THREADS.fetch_add(1, Relaxed);
}

/// An encoder, and what it has gathered for all to see.
#[derive(Debug)]
struct Slot {
    encoder: Mutex<Encoder>,
    len: AtomicUsize,
    keys: AtomicU64,
}

/// How entries are gathered.
#[derive(Debug, Clone, Copy)]
struct Form {
    packs: bool,
    access: Option<AccessClock>,
}

/// A base in the making.
#[derive(Debug)]
pub struct Base {
    slots: Box<[CachePadded<Slot>]>,
    /// What stands around the entries.
    frame: Mutex<Frame>,
    /// Memory for what is gathered next.
    spares: Mutex<Vec<Rough>>,
    form: Form,
    /// Whether there is a checksum at the end.
    sums: bool,
}

impl Base {
    /// A base of commands.
    pub fn commands() -> Self {
        let form = Form {
            packs: false,
            access: None,
        };
        Self::of(Frame::default(), form, false)
    }

    /// A snapshot; `sums` for a checksum at its end.
    pub fn rdb(preamble: Preamble, sums: bool) -> Self {
        let form = Form {
            packs: preamble.packs,
            access: preamble.access,
        };
        let frame = Frame::Dump(rdb::Frame::new(preamble));
        Self::of(frame, form, sums)
    }

    fn of(frame: Frame, form: Form, sums: bool) -> Self {
        let slot = || {
            let entries = FileEncoder::new(form.packs, form.access);
            CachePadded::new(Slot {
                encoder: Mutex::new(Encoder::new(entries)),
                len: AtomicUsize::new(0),
                keys: AtomicU64::new(0),
            })
        };
        Self {
            slots: (0..=processors()).map(|_| slot()).collect(),
            frame: Mutex::new(frame),
            spares: Mutex::default(),
            form,
            sums,
        }
    }

    /// Adds a time, in Unix seconds, as the log has it.
    pub fn annotate(&self, second: i64) {
        self.frame.lock().annotate(second);
    }

    /// Adds a library of functions.
    pub fn library(&self, code: &[u8]) {
        self.frame.lock().library(code);
    }

    /// Whether there is a checksum at the end.
    pub(super) fn sums(&self) -> bool {
        self.sums
    }

    /// Gives away what stands around the entries.
    pub(super) fn take_frame(&self) -> Frame {
        std::mem::take(&mut *self.frame.lock())
    }

    /// Entries that were added.
    pub fn keys(&self) -> u64 {
        self.slots.iter().map(|slot| slot.keys.load(Relaxed)).sum()
    }

    /// Whether it is time to take what has been gathered.
    pub(super) fn is_full(&self) -> bool {
        self.slots.iter().any(|slot| slot.is_full())
    }

    /// Whether there is something among it that 7.0 does not know.
    pub(super) fn is_later(&self) -> bool {
        let mut encoders = self.slots.iter().map(|slot| slot.encoder.lock());
        encoders.any(|encoder| encoder.entries.is_later())
    }

    /// Takes what an encoder has gathered, if it is much or all is wanted.
    pub(super) fn take(&self, all: bool) -> Option<Vec<Piece>> {
        let mut slots = self.slots.iter();
        let slot = slots.find(|slot| slot.is_full() || all && slot.len.load(Relaxed) > 0)?;
        let spare = self.spares.lock().pop();
        let mut encoder = slot.encoder.lock();
        slot.len.store(0, Relaxed);
        Some(encoder.take(spare.unwrap_or_default()))
    }

    /// Keeps the memory of what has been written for what is gathered next.
    pub(super) fn give_back(&self, rough: Rough) {
        let mut spares = self.spares.lock();
        let is_fit = (WRITE_SIZE..=2 * WRITE_SIZE).contains(&rough.capacity());
        if is_fit && spares.len() < CHUNKS_AHEAD {
            spares.push(rough.cleared());
        }
    }

    /// Works with an encoder that nobody else uses.
    fn with_encoder<R>(&self, work: impl FnOnce(&mut Encoder) -> R) -> R {
        let (slot, mut encoder) = self.free_encoder();
        let result = work(&mut encoder);
        slot.len.store(encoder.len, Relaxed);
        slot.keys.store(encoder.keys, Relaxed);
        result
    }

    fn free_encoder(&self) -> (&Slot, MutexGuard<'_, Encoder>) {
        let (own, count) = (THREAD.with(|number| *number), self.slots.len());
        let mut slots = (own..own + count).map(|at| &*self.slots[at % count]);
        let free = slots.find_map(|slot| Some((slot, slot.encoder.try_lock()?)));
        free.unwrap_or_else(|| {
            let slot = &*self.slots[own % count];
            (slot, slot.encoder.lock())
        })
    }
}

impl Slot {
    fn is_full(&self) -> bool {
        self.len.load(Relaxed) >= WRITE_SIZE
    }
}

/// What a copy of the data shows its entries to: a base.
pub struct Shown(pub Arc<Base>);

/// An entry on its way to a base.
struct Slicing {
    base: Arc<Base>,
    database: usize,
    entry: EntryWriter,
}

impl Keep for Shown {
    fn keep(&self, database: usize, entry: EntryRef<'_>) -> usize {
        self.0.with_encoder(|encoder| {
            let before = encoder.len;
            encoder.add(database, entry);
            1 + (encoder.len - before) / BYTES_OF_AN_ENTRY
        })
    }

    fn begin(&self, database: usize, entry: EntryRef<'_>) -> Option<Box<dyn Slices>> {
        if !entry.is_object() {
            return None;
        }
        let form = self.0.form;
        Some(Box::new(Slicing {
            base: self.0.clone(),
            database,
            entry: EntryWriter::begin(form.packs, form.access, entry)?,
        }))
    }
}

impl Slices for Slicing {
    fn go_on(&mut self, object: &mut Object, count: usize) -> bool {
        self.entry.go_on(object, count)
    }

    fn preserve(&mut self, object: &mut Object) {
        self.entry.preserve(object);
    }

    fn end(mut self: Box<Self>) {
        let (base, database) = (self.base.clone(), self.database);
        base.with_encoder(|encoder| encoder.add_written(database, &mut self.entry));
    }
}
