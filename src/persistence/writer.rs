//! The writer: takes records from the journal, appends them to the present increment and forces them to the disk as
//! `appendfsync` asks.
//!
//! No reply is sent before what it speaks of has been handed to the kernel, under `always` to the disk. A worker that has
//! replies to release writes itself ([`Writer::commit`]), for all that wait, and under `always` syncs, as long as the disk is
//! quick: handing over to a thread and back takes longer. Otherwise the thread does it, so that a slow disk delays no worker,
//! and waits a little for company before a sync that takes long ([`gathering`]).
//! Under `everysec` a second thread syncs. What cannot be written is kept and tried again, by the thread.

mod gathering;
mod state;
mod syncer;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use self::gathering::Gathering;
use self::state::State;
use self::syncer::Syncer;
use super::file::LogFile;
use super::status::AofStatus;
use crate::config::{AppendFsync, ConfigStore};
use crate::journal::Journal;

/// Longest wait for a record while nothing else may become due.
const LONG: Duration = Duration::from_secs(1);
/// The same while something may.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 100 });

/// Who is told how far the writer has come. Records count as [`Journal::next_number`] does.
pub trait Audience: Sync {
    /// Records below `durable` are as safe as `appendfsync` asks, those below `synced` have been forced to the disk.
    fn reached(&self, durable: u64, synced: u64);
    /// The disk refuses, or accepts again.
    fn trouble(&self, reason: Option<String>);
    /// There is news, and the writer is free: whoever waited may look again.
    fn wake(&self) {}
    /// Something with the file has taken so long; see [`crate::observe::latency::event`].
    fn took(&self, _event: &'static str, _time: Duration) {}
    /// Whether as many wait for the log as did when it came further last.
    fn is_complete(&self) -> bool {
        true
    }
}

/// Going over to another file.
pub struct Switch {
    /// The file.
    pub file: LogFile,
    /// Makes it part of the log, when the one before is complete and on disk. If that fails, the one before goes on.
    pub publish: Box<dyn FnOnce() -> io::Result<()> + Send>,
    /// Where to say how it went.
    pub done: Sender<io::Result<()>>,
}

/// What the writer is asked for. Whoever sends an order rings the journal.
pub enum Order {
    /// Go over to another file, once [`Wiring::switch_at`] names its first record.
    Switch(Switch),
    /// Forget about that: no record was named.
    CallOff,
    /// Write and sync all there is; says how that went.
    Flush(Sender<Result<(), String>>),
    /// The same, and end.
    Close(Sender<Result<(), String>>),
}

/// What a writer works with.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Wiring<'w> {
    pub journal: &'w Journal,
    pub config: &'w ConfigStore,
    pub status: &'w AofStatus,
    pub audience: &'w dyn Audience,
    /// The first record of the next file, or `u64::MAX`. Set after [`Order::Switch`] was sent and before that record can be
    /// appended, thus alone behind the gate.
    pub switch_at: &'w AtomicU64,
}

/// The writer of a log: shared by its thread, which is in [`Writer::run`], and workers.
pub struct Writer {
    state: Mutex<State>,
    /// Somebody has found it at work and wants to be woken when it is free.
    is_awaited: AtomicBool,
}

impl Writer {
    /// A writer that appends records from `first` on to a file.
    pub fn new(file: LogFile, first: u64, orders: Receiver<Order>) -> Self {
        Self {
            state: Mutex::new(State::new(file, first, orders)),
            is_awaited: AtomicBool::new(false),
        }
    }

    /// Runs until [`Order::Close`].
    pub fn run(&self, wiring: Wiring<'_>) {
        std::thread::scope(|scope| {
            let syncer = Syncer::start(scope, wiring.journal);
            self.state.lock().syncer = Some(syncer);
            let mut patience = PATIENCE;
            let mut gathering = Gathering::default();
            loop {
                wiring.journal.wait(patience);
                gathering.pause(wiring.journal, wiring.audience);
                let mut state = self.state.lock();
                let ends = state.round(wiring);
                gathering.set_price(state.slow_sync(wiring));
                patience = if state.is_idle() { LONG } else { PATIENCE };
                if ends {
                    // The sync thread ends when its jobs' sender does.
                    state.syncer = None;
                }
                self.release(state, wiring);
                if ends {
                    return;
                }
            }
        });
    }

    /// A worker's part: writes, and under `always` syncs, for all that wait, what the journal has. Where somebody else is at
    /// it, [`Audience::wake`] follows; where the disk is slow or refuses, the thread goes on.
    pub fn commit(&self, wiring: Wiring<'_>) {
        let free = self.state.try_lock().or_else(|| {
            self.is_awaited.store(true, SeqCst);
            // It may have become free just before it could see that.
            self.state.try_lock()
        });
        let Some(mut state) = free else { return };
        let is_done = state.commit(wiring);
        self.release(state, wiring);
        if !is_done {
            wiring.journal.ring();
        }
    }

    /// The end of work: whoever waited for what was reached, or for the writer, is told.
    fn release(&self, mut state: MutexGuard<'_, State>, wiring: Wiring<'_>) {
        let has_news = state.take_news();
        drop(state);
        if self.is_awaited.swap(false, SeqCst) || has_news {
            wiring.audience.wake();
        }
    }
}

/// What to promise at the moment: while others keep the disk busy syncing may be off.
fn policy(wiring: Wiring<'_>) -> AppendFsync {
    let (config, status) = (wiring.config.load(), wiring.status);
    let is_busy = status.is_rewriting.load(Relaxed) || status.is_saving.load(Relaxed);
    if config.no_appendfsync_on_rewrite && is_busy {
        AppendFsync::No
    } else {
        config.appendfsync
    }
}
