//! Keys on their way to another server: what MIGRATE sends, and what has become of it.
//!
//! The handler packs what it finds under its keys, gives the parcel to the server, which sends it on a thread of its own, and
//! waits ([`Wants::Delivery`](super::Wants)). When the other server has answered, the handler is run again, under the locks
//! of its keys, and deletes those that were accepted and are still what was sent.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use parking_lot::Mutex;

/// What is sent, and where to.
#[derive(Debug)]
pub struct Parcel {
    /// The other server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How long it may take to accept the connection, some bytes, or to answer.
    pub timeout: Duration,
    /// AUTH, where it is asked for, in the form of the protocol.
    pub login: Option<Vec<u8>>,
    /// The other server's database.
    pub database: i64,
    /// The database that the keys are in.
    pub source: usize,
    /// One RESTORE per key, in the form of the protocol.
    pub commands: Vec<Vec<u8>>,
}

/// A key in a parcel.
#[derive(Debug)]
pub struct Packed {
    /// Which of the command's keys it is.
    pub key: usize,
    /// When it expires.
    pub expires_at: Option<i64>,
    /// Where its dumped value lies in its RESTORE.
    pub value: Range<usize>,
}

/// What has become of a parcel.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Of which keys the other server has said that it has them; the last ones may be missing.
    pub accepted: Vec<bool>,
    /// What went wrong, as the error that the client gets.
    pub error: Option<String>,
}

/// A parcel on its way.
#[derive(Debug)]
pub struct Transfer {
    /// What is sent.
    pub parcel: Arc<Parcel>,
    /// Its keys, in the order of their commands.
    pub keys: Vec<Packed>,
    /// How often keys have been sent already that have changed meanwhile.
    pub rounds: u32,
    delivery: Option<Delivery>,
}

impl Transfer {
    /// A parcel that is about to be sent.
    pub fn new(parcel: Arc<Parcel>, keys: Vec<Packed>, rounds: u32) -> Self {
        Self {
            parcel,
            keys,
            rounds,
            delivery: None,
        }
    }
}

/// All parcels on their way, one per client at most.
#[derive(Debug, Default)]
pub struct Transfers {
    by_client: Mutex<HashMap<u64, Transfer>>,
    /// Idle connections that are kept to other servers.
    pub links: AtomicUsize,
}

impl Transfers {
    /// A client's parcel is about to be sent.
    pub fn begin(&self, client: u64, transfer: Transfer) {
        self.by_client.lock().insert(client, transfer);
    }

    /// A client's parcel has arrived, or has not. False when the client has gone.
    pub fn end(&self, client: u64, delivery: Delivery) -> bool {
        let mut transfers = self.by_client.lock();
        let transfer = transfers.get_mut(&client);
        transfer.is_some_and(|transfer| transfer.delivery.replace(delivery).is_none())
    }

    /// A client's parcel of which it is known what has become of it.
    pub fn take(&self, client: u64) -> Option<(Transfer, Delivery)> {
        let mut transfers = self.by_client.lock();
        let delivery = transfers.get_mut(&client)?.delivery.take()?;
        transfers
            .remove(&client)
            .map(|transfer| (transfer, delivery))
    }

    /// A client has gone.
    pub fn forget(&self, client: u64) {
        self.by_client.lock().remove(&client);
    }
}
