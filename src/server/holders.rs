//! Clients that wait for the log: with replies to what has not been written yet, in WAITAOF, or because the journal is
//! full. Each worker has a list of its own, so that only these are woken when the writer has come further.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Server, signals};
use crate::engine::Mail;
use crate::persistence::Audience;

/// How often a worker looks for more requests before it syncs: what goes to the disk together costs one sync.
const TURNS: usize = 8;

thread_local! {
    /// This worker's waiting clients, each with the record that must be durable before it is worth looking at.
    static HOLDERS: RefCell<HashMap<u64, u64>> = RefCell::default();
    /// The worker whose thread this is.
    static WORKER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What others know of a worker's waiting clients.
#[derive(Default)]
pub(super) struct Holders {
    count: AtomicUsize,
    /// Rung when replies wait for a commit.
    bell: Notify,
}

/// Has a client of this worker woken when records below `until` are durable; 0 for at every progress. True when it was not in
/// the list before: progress made meanwhile may have been missed, so the caller looks once more.
pub(super) fn hold(server: &Server, worker: usize, client: u64, until: u64) -> bool {
    HOLDERS.with_borrow_mut(|holders| {
        let is_new = holders.insert(client, until).is_none();
        server.holders[worker].count.store(holders.len(), SeqCst);
        is_new
    })
}

/// Wakes those clients of this worker that need not wait any longer.
pub(super) fn release(server: &Server, worker: usize) {
    let durable = server.engine.durable.load(SeqCst);
    HOLDERS.with_borrow_mut(|holders| {
        let before = holders.len();
        let mut ready = 0;
        holders.retain(|&client, &mut until| {
            let waits = until > durable;
            ready += usize::from(!waits && until > 0);
            if !waits && let Some(signals) = signals::get(client) {
                signals.post(|_| {});
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
        if let Some(log) = &*server.files.shared.load() {
            log.writer.commit(log.wiring(&server));
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

impl Server {
    /// Has what this worker's clients have written put on the disk, so that their replies can be sent.
    pub(super) fn request_commit(&self, worker: usize) {
        self.holders[worker].bell.notify_one();
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
            } else {
                self.engine.mailboxes[worker].post(Mail::Durable);
            }
        }
    }
}

impl Audience for Server {
    fn reached(&self, durable: u64, synced: u64) {
        self.engine.durable.store(durable, SeqCst);
        self.engine.synced.store(synced, SeqCst);
    }

    fn trouble(&self, reason: Option<String>) {
        self.engine.set_disk_error(reason);
    }

    fn wake(&self) {
        self.wake_holders();
    }

    fn took(&self, event: &'static str, time: Duration) {
        self.engine.note_event(event, time);
    }
}
