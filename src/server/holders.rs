//! Clients that wait for the log: with replies to what has not been written yet, in WAITAOF, or because the journal is
//! full. Each worker has a list of its own, so that only these are woken when the writer has come further.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU8, AtomicUsize};
use std::time::Duration;

use tokio::sync::Notify;

use super::Server;
use super::signals::Signals;
use crate::engine::Mail;
use crate::observe::latency;
use crate::persistence::Audience;

/// How often a worker looks for more requests before it syncs: what goes to the disk together costs one sync.
const TURNS: usize = 8;

thread_local! {
    /// This worker's waiting clients.
    static HOLDERS: RefCell<Vec<Arc<Signals>>> = const { RefCell::new(Vec::new()) };
    /// The worker whose thread this is.
    static WORKER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What others know of a worker's waiting clients.
#[derive(Default)]
pub(super) struct Holders {
    count: AtomicUsize,
    /// Rung when replies wait for a commit.
    bell: Notify,
    /// Whether it has been rung and the worker has not come to it yet: [`NONE`], [`RUNG`] or [`NEWS`].
    request: AtomicU8,
}

/// No commit is asked for.
const NONE: u8 = 0;
/// One is.
const RUNG: u8 = 1;
/// One is, and the worker is to look at its waiting clients then: it needs no mail for that.
const NEWS: u8 = 2;

/// Has a client of this worker woken when records below `until` are durable; 0 for at every progress. True when it was not in
/// the list before: progress made meanwhile may have been missed, so the caller looks once more.
pub(super) fn hold(server: &Server, worker: usize, signals: &Arc<Signals>, until: u64) -> bool {
    let is_new = signals.hold(until);
    if is_new {
        HOLDERS.with_borrow_mut(|holders| {
            holders.push(signals.clone());
            server.holders[worker].count.store(holders.len(), SeqCst);
        });
    }
    is_new
}

/// Wakes those clients of this worker that need not wait any longer.
pub(super) fn release(server: &Server, worker: usize) {
    let durable = server.engine.durable.load(SeqCst);
    HOLDERS.with_borrow_mut(|holders| {
        if holders.is_empty() {
            return;
        }
        let before = holders.len();
        let mut ready = 0;
        holders.retain(|signals| {
            let until = signals.held_until();
            let waits = until > durable;
            ready += usize::from(!waits && until > 0);
            if !waits {
                signals.let_go();
            }
            waits
        });
        server.holders[worker].count.store(holders.len(), SeqCst);
        if ready < before {
            server.request_commit(worker);
        }
    });
}

/// Writes what replies of this worker wait for, whenever that is asked for. Whoever asks does so while its task runs, and this
/// task comes behind all that are ready to run by then: what they write goes to the log together.
pub(super) async fn commit_for(server: Arc<Server>, worker: usize) {
    WORKER.set(Some(worker));
    loop {
        server.holders[worker].bell.notified().await;
        gather(&server, worker).await;
        let request = server.holders[worker].request.swap(NONE, SeqCst);
        if let Some(log) = &*server.files.shared.load() {
            log.writer.commit(log.wiring(&server));
        }
        if request == NEWS {
            release(&server, worker);
        }
    }
}

/// Lets clients whose requests have just arrived come along, as long as there are any.
async fn gather(server: &Server, worker: usize) {
    let mut holders = 0;
    for _ in 0..TURNS {
        let now = server.holders[worker].count.load(SeqCst);
        if now == holders {
            return;
        }
        holders = now;
        tokio::task::yield_now().await;
    }
}

impl Holders {
    /// Leaves word for a worker that is about to commit. False when it is not.
    fn takes_news(&self) -> bool {
        let left = (self.request).compare_exchange(RUNG, NEWS, SeqCst, SeqCst);
        left.is_ok() || left == Err(NEWS)
    }
}

impl Server {
    /// Has what this worker's clients have written put on the disk, so that their replies can be sent.
    pub(super) fn request_commit(&self, worker: usize) {
        let Holders { request, bell, .. } = &self.holders[worker];
        if request.load(SeqCst) == NONE {
            // Only the worker itself asks.
            request.store(RUNG, SeqCst);
            bell.notify_one();
        }
    }

    /// How many clients wait.
    fn held(&self) -> usize {
        let counts = self.holders.iter().map(|holders| &holders.count);
        counts.map(|count| count.load(SeqCst)).sum()
    }

    /// Tells the workers that have waiting clients.
    pub(super) fn wake_holders(&self) {
        let own = WORKER.get();
        for (worker, holders) in self.holders.iter().enumerate() {
            if holders.count.load(SeqCst) == 0 {
                continue;
            }
            if own == Some(worker) {
                release(self, worker);
            } else if !holders.takes_news() {
                self.engine.mailboxes[worker].post(Mail::Durable);
            }
        }
    }
}

impl Audience for Server {
    fn reached(&self, durable: u64, synced: u64) {
        self.engine.durable.store(durable, SeqCst);
        self.engine.synced.store(synced, SeqCst);
        self.held_before.store(self.held(), Relaxed);
    }

    fn trouble(&self, reason: Option<String>) {
        self.engine.set_disk_error(reason);
    }

    fn is_complete(&self) -> bool {
        self.held() >= self.held_before.load(Relaxed)
    }

    fn wake(&self) {
        self.wake_holders();
    }

    fn took(&self, event: &'static str, time: Duration) {
        // Of kinds of writes it hears besides.
        if [latency::event::AOF_WRITE, latency::event::AOF_FSYNC_ALWAYS].contains(&event) {
            let micros = time.as_micros() as u64;
            self.engine.stats.file_micros.fetch_add(micros, Relaxed);
        }
        self.engine.note_event(event, time);
    }
}
