//! What everybody may see of a client: CLIENT LIST's fields, kept by its own worker, and the registry of all clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

use dashmap::DashMap;
use parking_lot::Mutex;

use super::error::CommandError;
use super::session::Session;
use crate::acl::DEFAULT_USER;
use crate::base::clock::unix_ms;
use crate::keyspace::WatchFlag;

/// Texts of a client that change rarely.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO lib-name.
    pub lib_name: Vec<u8>,
    /// CLIENT SETINFO lib-ver.
    pub lib_version: Vec<u8>,
    /// The ACL user.
    pub user: Vec<u8>,
}

impl Names {
    /// Whether a text may stand in CLIENT LIST: it must not look like the end of a field or line.
    pub fn is_printable(text: &[u8]) -> bool {
        text.iter().all(u8::is_ascii_graphic)
    }

    /// Checks a client's name.
    pub fn check(name: &[u8]) -> Result<(), CommandError> {
        match Self::is_printable(name) {
            true => Ok(()),
            false => Err(CommandError::text(
                "ERR Client names cannot contain spaces, newlines or special characters.",
            )),
        }
    }
}

/// Bits of [`Client::flags`], as CLIENT LIST shows them.
pub mod flag {
    /// Inside MULTI (`x`).
    pub const MULTI: u32 = 1;
    /// Subscribed (`P`).
    pub const PUBSUB: u32 = 1 << 1;
    /// Waiting in a blocking command (`b`).
    pub const BLOCKED: u32 = 1 << 2;
    /// To be closed after its reply (`c`).
    pub const CLOSE_AFTER_REPLY: u32 = 1 << 4;
    /// Connected by a Unix socket (`U`).
    pub const UNIX_SOCKET: u32 = 1 << 5;
    /// Shows every command (`O`).
    pub const MONITOR: u32 = 1 << 6;
    /// Exempt from client eviction (`e`).
    pub const NO_EVICT: u32 = 1 << 7;
    /// Leaves access times alone (`T`).
    pub const NO_TOUCH: u32 = 1 << 8;
    /// Waiting for the end of CLIENT PAUSE (`b`).
    pub const POSTPONED: u32 = 1 << 9;
    /// Brings data from elsewhere, and sees keys past their time (`I`).
    pub const IMPORT_SOURCE: u32 = 1 << 10;
    /// Understands being sent elsewhere (CLIENT CAPA).
    pub const CAPA_REDIRECT: u32 = 1 << 16;
}

/// A connected client. Numbers are written by its worker and read by anybody; none of them synchronises anything.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Client {
    pub id: u64,
    pub worker: usize,
    pub address: String,
    pub local_address: String,
    pub fd: i32,
    pub created_ms: i64,
    pub names: Mutex<Names>,
    pub flags: AtomicU32,
    pub database: AtomicU32,
    pub is_resp3: AtomicBool,
    pub channels: AtomicU32,
    pub patterns: AtomicU32,
    pub shard_channels: AtomicU32,
    /// Commands queued by MULTI; -1 outside.
    pub queued: AtomicI64,
    pub queued_bytes: AtomicU64,
    /// Bytes of the arguments of the command that waits for keys, and what is kept of that command in all.
    pub argv_bytes: AtomicU64,
    pub waiting_bytes: AtomicU64,
    pub watched: AtomicU32,
    /// Raised when a watched key changes.
    pub watch: Mutex<Option<WatchFlag>>,
    /// Number of the last command in the command table; `u32::MAX` for none.
    pub last_command: AtomicU32,
    pub last_active_ms: AtomicI64,
    pub query_buffer: AtomicU64,
    pub query_buffer_free: AtomicU64,
    /// What its unfinished commands take. The buffer that all read into is nobody's.
    pub pending_bytes: AtomicU64,
    pub output_bytes: AtomicU64,
    pub output_pieces: AtomicU64,
    /// What its connection takes while it does nothing.
    pub connection_bytes: AtomicU64,
    /// What is counted of it where memory for clients is limited.
    pub accounted: AtomicU64,
    /// What it holds until it is closed, where it has been chosen for that.
    pub condemned: AtomicU64,
    /// Bytes of the prefixes that it tracks.
    pub prefix_bytes: AtomicU64,
    /// Bytes of the fields that it has named for HIMPORT.
    pub fieldset_bytes: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
    pub commands: AtomicU64,
    /// How keys are tracked for it; see [`mode`](super::tracking::mode).
    pub tracking: AtomicU32,
    /// The client that gets its messages about keys; 0 for itself.
    pub redirect: AtomicU64,
    /// Raised to have the client's own worker close it.
    pub is_killed: AtomicBool,
    /// As which waiter it waits for keys, or has waited last; 0 if it waits for something else.
    pub waits_as: AtomicU64,
}

impl Client {
    /// A client that has just connected.
    pub fn new(id: u64, worker: usize, address: String, local_address: String, fd: i32) -> Self {
        let now = unix_ms();
        Self {
            id,
            worker,
            address,
            local_address,
            fd,
            created_ms: now,
            names: Mutex::new(Names {
                user: DEFAULT_USER.into(),
                ..Names::default()
            }),
            flags: AtomicU32::new(0),
            database: AtomicU32::new(0),
            is_resp3: AtomicBool::new(false),
            channels: AtomicU32::new(0),
            patterns: AtomicU32::new(0),
            shard_channels: AtomicU32::new(0),
            queued: AtomicI64::new(-1),
            queued_bytes: AtomicU64::new(0),
            argv_bytes: AtomicU64::new(0),
            waiting_bytes: AtomicU64::new(0),
            watched: AtomicU32::new(0),
            watch: Mutex::default(),
            last_command: AtomicU32::new(u32::MAX),
            last_active_ms: AtomicI64::new(now),
            query_buffer: AtomicU64::new(0),
            query_buffer_free: AtomicU64::new(0),
            pending_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            output_pieces: AtomicU64::new(0),
            connection_bytes: AtomicU64::new(size_of::<Session>() as u64),
            accounted: AtomicU64::new(0),
            condemned: AtomicU64::new(0),
            prefix_bytes: AtomicU64::new(0),
            fieldset_bytes: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            tracking: AtomicU32::new(0),
            redirect: AtomicU64::new(0),
            is_killed: AtomicBool::new(false),
            waits_as: AtomicU64::new(0),
        }
    }

    /// Sets or clears a flag. Only the client's own worker writes flags.
    pub fn set_flag(&self, flag: u32, on: bool) {
        let flags = self.flags.load(Relaxed);
        self.flags
            .store(if on { flags | flag } else { flags & !flag }, Relaxed);
    }

    /// Whether a watched key has changed.
    pub fn is_watch_broken(&self) -> bool {
        let watch = self.watch.lock();
        watch.as_ref().is_some_and(|flag| flag.load(Relaxed))
    }

    /// Bytes that this client costs, about.
    pub fn allocated(&self) -> u64 {
        /// What a watched key or a subscription costs besides its name.
        const PER_NAME: u64 = 64;
        let names = self.watched.load(Relaxed)
            + self.channels.load(Relaxed)
            + self.patterns.load(Relaxed)
            + self.shard_channels.load(Relaxed);
        let buffers = [
            &self.connection_bytes,
            &self.pending_bytes,
            &self.output_bytes,
            &self.queued_bytes,
            &self.waiting_bytes,
            &self.prefix_bytes,
            &self.fieldset_bytes,
        ];
        let buffered: u64 = buffers.iter().map(|bytes| bytes.load(Relaxed)).sum();
        size_of::<Self>() as u64 + u64::from(names) * PER_NAME + buffered
    }

    /// Whether a flag is set.
    pub fn has_flag(&self, flag: u32) -> bool {
        self.flags.load(Relaxed) & flag != 0
    }
}

/// What clients count for where memory for them is limited.
#[derive(Debug, Default)]
pub struct Sizes {
    /// Those that may be closed: bytes and numbers.
    pub candidates: Vec<(u64, u64)>,
    /// Bytes of all that may not.
    pub of_protected: u64,
}

/// All connected clients.
#[derive(Debug, Default)]
pub struct Clients {
    by_id: DashMap<u64, Arc<Client>>,
    next_id: AtomicU64,
    /// Clients that wait in a blocking command.
    pub blocked: AtomicU64,
}

impl Clients {
    /// The next client's number; numbers only grow.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Relaxed) + 1
    }

    /// Adds a client.
    pub fn add(&self, client: Arc<Client>) {
        self.by_id.insert(client.id, client);
    }

    /// Forgets a client.
    pub fn remove(&self, id: u64) {
        self.by_id.remove(&id);
    }

    /// A client by number.
    pub fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.by_id.get(&id).map(|client| client.clone())
    }

    /// Connected clients.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// What clients count for where memory for them is limited, but for those that are leaving.
    pub fn sizes(&self) -> Sizes {
        let mut sizes = Sizes::default();
        for one in &self.by_id {
            let bytes = one.accounted.load(Relaxed);
            if one.is_killed.load(Relaxed) {
                continue;
            }
            match one.has_flag(flag::NO_EVICT) {
                true => sizes.of_protected += bytes,
                false => sizes.candidates.push((bytes, one.id)),
            }
        }
        sizes
    }

    /// All clients, by age.
    pub fn all(&self) -> Vec<Arc<Client>> {
        let mut all: Vec<_> = self.by_id.iter().map(|item| item.value().clone()).collect();
        all.sort_unstable_by_key(|client| client.id);
        all
    }
}
