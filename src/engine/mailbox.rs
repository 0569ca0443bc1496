//! What one worker tells another: a queue per worker, one wake-up per hand-over.

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::pubsub::Publication;

/// How a client that waits in a blocking command is woken from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unblock {
    /// As if its time had run out.
    Timeout,
    /// With an error.
    Error,
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
    /// Look again at every client: a pause has ended, the journal has reached the disk, limits have changed.
    Recheck,
    /// Adopt this connection; `None` when the worker shall stop.
    Connection(Box<dyn std::any::Any + Send>),
    /// Close all clients and end.
    Stop,
}

/// A worker's mailbox.
#[derive(Debug, Default)]
pub struct Mailbox {
    queue: Mutex<Vec<Mail>>,
    bell: Notify,
}

impl Mailbox {
    /// Puts a message in.
    pub fn post(&self, mail: Mail) {
        let was_empty = {
            let mut queue = self.queue.lock();
            queue.push(mail);
            queue.len() == 1
        };
        if was_empty {
            self.bell.notify_one();
        }
    }

    /// Takes all messages, in order.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.queue.lock())
    }

    /// Waits until there may be a message.
    pub async fn wait(&self) {
        self.bell.notified().await;
    }
}
