//! How the rest of a worker speaks to one connection's task: messages to send, a wake-up, an end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::Waker;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::engine::{Client, Served, Unblock};
use crate::tracking::Underway;

/// One connection's letterbox. Only its own worker's thread uses it, so its lock is never waited for.
pub(super) struct Signals {
    pub client: Arc<Client>,
    /// Whether there is anything in the letterbox: all that the task looks at when there is not.
    attention: AtomicBool,
    /// The record that must be durable before the task is worth waking for it; see [`super::holders`].
    held_until: AtomicU64,
    inbox: Mutex<Inbox>,
}

/// [`Signals::held_until`] of a task that does not wait for any record.
const NOT_HELD: u64 = u64::MAX;

#[derive(Default)]
pub(super) struct Inbox {
    /// Out-of-band messages, encoded for the client's protocol.
    pub pushes: Vec<Bytes>,
    /// What those of them take that are about copies of keys.
    pub underway: Underway,
    /// The end of a blocking command.
    pub unblock: Option<Unblock>,
    /// What a blocking command has got.
    pub served: Option<Box<Served>>,
    /// How many of the pushes came before that.
    pub before_served: usize,
    /// The server ends: what is owed is sent, and nothing more is read.
    pub is_over: bool,
    waker: Option<Waker>,
}

impl Signals {
    pub fn new(client: Arc<Client>) -> Arc<Self> {
        Arc::new(Self {
            client,
            attention: AtomicBool::new(false),
            held_until: AtomicU64::new(NOT_HELD),
            inbox: Mutex::default(),
        })
    }

    /// Whether the task should look at its letterbox.
    pub fn wants_attention(&self) -> bool {
        self.attention.load(Relaxed)
    }

    /// Empties the letterbox.
    pub fn take(&self) -> Inbox {
        self.attention.store(false, Relaxed);
        let mut inbox = self.inbox.lock();
        Inbox {
            pushes: std::mem::take(&mut inbox.pushes),
            underway: std::mem::take(&mut inbox.underway),
            unblock: inbox.unblock.take(),
            served: inbox.served.take(),
            before_served: std::mem::take(&mut inbox.before_served),
            is_over: inbox.is_over,
            waker: None,
        }
    }

    /// Remembers how to wake the task.
    pub fn set_waker(&self, waker: Waker) {
        self.inbox.lock().waker = Some(waker);
    }

    /// Notes what the task waits for. True when it did not wait for anything before.
    pub fn hold(&self, until: u64) -> bool {
        let before = self.held_until.load(Relaxed);
        self.held_until.store(until, Relaxed);
        before == NOT_HELD
    }

    /// What the task waits for.
    pub fn held_until(&self) -> u64 {
        self.held_until.load(Relaxed)
    }

    /// Wakes the task: it need not wait any longer.
    pub fn let_go(&self) {
        self.held_until.store(NOT_HELD, Relaxed);
        if let Some(waker) = &self.inbox.lock().waker {
            waker.wake_by_ref();
        }
    }

    /// Tells that the server ends, once.
    pub fn tell_end(&self) {
        let is_told = self.inbox.lock().is_over;
        if !is_told {
            self.post(|inbox| inbox.is_over = true);
        }
    }

    /// Puts something in and wakes the task.
    pub fn post(&self, put: impl FnOnce(&mut Inbox)) {
        self.attention.store(true, Relaxed);
        let mut inbox = self.inbox.lock();
        put(&mut inbox);
        if let Some(waker) = &inbox.waker {
            waker.wake_by_ref();
        }
    }
}

thread_local! {
    /// The connections of this worker.
    static LOCAL: RefCell<HashMap<u64, Arc<Signals>>> = RefCell::default();
}

/// Adds a connection to this worker's.
pub(super) fn register(signals: &Arc<Signals>) {
    LOCAL.with_borrow_mut(|local| local.insert(signals.client.id, signals.clone()));
}

/// Takes a connection out.
pub(super) fn unregister(id: u64) {
    LOCAL.with_borrow_mut(|local| local.remove(&id));
}

/// One of this worker's connections.
pub(super) fn get(id: u64) -> Option<Arc<Signals>> {
    LOCAL.with_borrow(|local| local.get(&id).cloned())
}

/// All of this worker's connections.
pub(super) fn all() -> Vec<Arc<Signals>> {
    LOCAL.with_borrow(|local| local.values().cloned().collect())
}
