//! What one worker tells another: a queue per worker, one wake-up per hand-over.

use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::pubsub::Publication;
use crate::tracking::{Message, Underway};

/// How a client that waits in a blocking command is woken from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unblock {
    /// As if its time had run out.
    Timeout,
    /// With an error.
    Error,
}

/// What a blocking command has got.
#[derive(Debug)]
pub struct Served {
    /// The reply, in pieces.
    pub reply: Vec<Bytes>,
    /// The number behind the record in the journal.
    pub record: u64,
}

/// One message to a worker.
#[derive(Debug)]
pub enum Mail {
    /// Give it to those of your clients that listen.
    Publish(Publication),
    /// Close this client.
    Kill(u64),
    /// Wake this client from its blocking command.
    Unblock(u64, Unblock),
    /// This client's blocking command has been served: its reply, and the number behind the journal's record of it.
    Served(u64, Box<Served>),
    /// Run this client's waiting command again.
    LookAgain(u64),
    /// Tell this client about its copies of keys.
    Tracking(u64, Message, Underway),
    /// Send these bytes to this client.
    Push(u64, Bytes),
    /// Look again at the clients that wait for the disk.
    Durable,
    /// Look again at every client: a pause has ended, limits have changed.
    Recheck,
    /// Adopt this connection; `None` when the worker shall stop.
    Connection(Box<dyn std::any::Any + Send>),
    /// Give memory that nobody uses back to the system.
    Purge,
    /// Clients that were to be closed for want of memory have been: the others may go on.
    Room,
    /// Close all clients and end.
    Stop,
}

/// A worker's mailbox.
#[derive(Debug, Default)]
pub struct Mailbox {
    queue: Mutex<Vec<Mail>>,
    /// Whether the queue holds anything: all that is looked at when it does not.
    has_mail: AtomicBool,
    bell: Notify,
}

impl Mailbox {
    /// Puts a message in.
    pub fn post(&self, mail: Mail) {
        let was_empty = {
            let mut queue = self.queue.lock();
            queue.push(mail);
            self.has_mail.store(true, Release);
            queue.len() == 1
        };
        if was_empty {
            self.bell.notify_one();
        }
    }

    /// Takes all messages, in order.
    pub fn take(&self) -> Vec<Mail> {
        let mut queue = self.queue.lock();
        self.has_mail.store(false, Release);
        std::mem::take(&mut *queue)
    }

    /// Whether there is any message.
    pub fn has_mail(&self) -> bool {
        self.has_mail.load(Acquire)
    }

    /// Waits until there may be a message.
    pub async fn wait(&self) {
        self.bell.notified().await;
    }
}
