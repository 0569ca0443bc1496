//! Clients that wait for the disk: with replies that `appendfsync always` holds back, in WAITAOF, or because the journal is
//! full. Each worker has a list of its own, so that only these are woken when the writer has come further.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::{Server, signals};
use crate::engine::Mail;
use crate::persistence::Audience;

thread_local! {
    /// This worker's waiting clients, each with the record that must be durable before it is worth looking at.
    static HOLDERS: RefCell<HashMap<u64, u64>> = RefCell::default();
}

/// Has a client of this worker woken when records below `until` are durable; 0 for at every progress. True when it was not in
/// the list before: progress made meanwhile may have been missed, so the caller looks once more.
pub(super) fn hold(server: &Server, worker: usize, client: u64, until: u64) -> bool {
    HOLDERS.with_borrow_mut(|holders| {
        let is_new = holders.insert(client, until).is_none();
        server.holders[worker].store(holders.len(), SeqCst);
        is_new
    })
}

/// Wakes those clients of this worker that need not wait any longer.
pub(super) fn release(server: &Server, worker: usize) {
    let durable = server.engine.durable.load(SeqCst);
    HOLDERS.with_borrow_mut(|holders| {
        holders.retain(|&client, &mut until| {
            let waits = until > durable;
            if !waits && let Some(signals) = signals::get(client) {
                signals.post(|_| {});
            }
            waits
        });
        server.holders[worker].store(holders.len(), SeqCst);
    });
}

impl Server {
    /// Tells the workers that have waiting clients.
    fn wake_holders(&self) {
        for (mailbox, holders) in self.engine.mailboxes.iter().zip(&self.holders) {
            if holders.load(SeqCst) > 0 {
                mailbox.post(Mail::Durable);
            }
        }
    }
}

impl Audience for Server {
    fn written(&self, number: u64) {
        self.engine.durable.store(number, SeqCst);
        self.wake_holders();
    }

    fn synced(&self, number: u64) {
        self.engine.synced.store(number, SeqCst);
        self.wake_holders();
    }

    fn trouble(&self, reason: Option<String>) {
        self.engine.set_disk_error(reason);
        self.wake_holders();
    }

    fn took(&self, event: &'static str, time: Duration) {
        self.engine.note_event(event, time);
    }
}
