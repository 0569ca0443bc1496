//! The engine: what happens to a command between its bytes and its reply. Start with `dispatch`, then `call`.
//!
//! Knows no command by name, no socket and no file.

mod access;
pub mod blocking;
mod busy;
mod call;
mod categories;
mod checks;
mod client;
mod command;
mod dispatch;
mod effects;
mod error;
pub mod event;
mod field_expiry;
mod fieldsets;
mod mailbox;
pub mod memory;
mod monitor;
mod names;
mod parked;
mod pause;
mod reach;
mod script;
mod session;
mod shutdown;
mod stats;
mod subscriptions;
pub mod syntax;
mod table;
mod timing;
pub mod tracking;
mod transaction;
pub mod transfer;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use parking_lot::Mutex;

pub use access::{Login, defaults};
pub use blocking::{Nothing, Wait, Wants};
pub use busy::{Busy, Running};
pub use call::{Call, KeyRef};
pub use categories::{CATEGORIES, KeyRange};
pub use checks::condition;
pub use client::{Client, Clients, Names, flag};
pub use command::*;
pub use dispatch::{BatchEnd, Flow, Lane, access_clock};
pub use effects::Effects;
pub use error::CommandError;
pub use event::Event;
pub use mailbox::{Mail, Mailbox, Served, Unblock};
pub use parked::{Ended, Parked, Progress};
pub use script::{Caller, Desk, Name};
pub use session::{Session, Watched, state};
pub use stats::{CommandCounts, LaneStats, Stats};
pub use subscriptions::Subscriptions;
pub use table::{CommandTable, Locks, Spec};

use crate::acl::Acl;
use crate::base::{clock::unix_ms, random};
use crate::config::{Config, ConfigStore, KeyEvents};
use crate::journal::Journal;
use crate::keyspace::{Keyspace, Reclaimer};
use crate::observe::command_log::CommandLogs;
use crate::observe::latency::LatencyMonitor;
use crate::observe::throttle::Throttle;
use crate::persistence::{AofStatus, Job, Jobs, SnapshotStatus};
use crate::pubsub::{Kind, PubSub, Publication};
use crate::scripting::{Functions, Scripts};

/// Everything that connections share.
pub struct Engine {
    /// The data.
    pub keyspace: Keyspace,
    /// The commands.
    pub commands: CommandTable,
    /// The configuration.
    pub config: ConfigStore,
    /// The way out for effects.
    pub journal: Journal,
    /// Channels.
    pub pubsub: PubSub,
    /// Users.
    pub acl: Acl,
    /// Connections.
    pub clients: Clients,
    /// Counters.
    pub stats: Stats,
    /// Commands that took long, or that came or were answered with much.
    pub command_logs: CommandLogs,
    /// Events that took long.
    pub latency: LatencyMonitor,
    /// One mailbox per worker.
    pub mailboxes: std::sync::Arc<[Mailbox]>,
    /// Clients that are shown every command.
    monitors: monitor::Monitors,
    /// Clients that keep copies of keys.
    pub tracking: tracking::Tracking,
    /// See [`watch`].
    watches: AtomicU32,
    /// Limits on memory.
    pub memory: memory::Memory,
    /// Clients that wait for keys.
    pub blocked: blocking::Blocked,
    /// Keys on their way to other servers.
    pub transfers: transfer::Transfers,
    /// Scripts that EVALSHA finds.
    pub scripts: Scripts,
    /// Libraries of functions.
    pub functions: Functions,
    /// The script that takes long, if one does.
    pub busy: Busy,
    /// Where memory is freed that takes long to free.
    pub reclaimer: std::sync::Arc<Reclaimer>,
    /// How often failed logins are told to the log.
    failed_logins: Throttle,
    /// Facts about this process.
    pub identity: Identity,
    /// CLIENT PAUSE.
    pause: pause::Pause,
    conditions: AtomicU32,
    disk_error: Mutex<String>,
    /// Records with a lower number are as safe as `appendfsync` asks: replies to them may be sent.
    pub durable: AtomicU64,
    /// Records with a lower number have been forced to the disk.
    pub synced: AtomicU64,
    /// The append-only file, for INFO.
    pub aof: AofStatus,
    /// Snapshots, for INFO and LASTSAVE.
    pub snapshots: SnapshotStatus,
    /// Who works on files in the background.
    pub jobs: Jobs,
    /// Progress of loading, for INFO.
    pub loading: Loading,
    /// How far the server is on the way to its end.
    shutdown: AtomicU32,
    /// Whether signals wait (DEBUG PAUSE-CRON).
    pub puts_off_signals: AtomicBool,
    /// Whether keys are removed as soon as they are due (DEBUG SET-ACTIVE-EXPIRE).
    pub expires_actively: AtomicBool,
    /// Whether checksums of dumped values and snapshots do not matter (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    pub skips_checksums: AtomicBool,
    /// Whether scripts may call commands that are not for them (DEBUG SET-DISABLE-DENY-SCRIPTS).
    pub allows_all_in_scripts: AtomicBool,
    /// The server's hooks: what only the layers above can do.
    pub hooks: std::sync::OnceLock<Box<dyn Hooks>>,
}

/// What clients want to hear of everybody's commands. Read once per batch: whoever begins to want something is alone behind
/// the gate meanwhile, so that no batch that began before goes on.
pub mod watch {
    /// Every command, for MONITOR.
    pub const MONITOR: u32 = 1;
    /// Changed keys by their prefixes, for CLIENT TRACKING.
    pub const BROADCAST: u32 = 1 << 1;
}

/// What commands ask of the layers above the engine.
pub trait Hooks: Send + Sync {
    /// A directive's new value takes effect, or an error says why it cannot. The caller is alone behind the gate: this must
    /// neither pass it nor wait for somebody who does.
    fn apply(
        &self,
        engine: &Engine,
        old: &Config,
        new: &Config,
        changed: &[crate::config::Apply],
    ) -> Result<(), String>;
    /// Describes a client as CLIENT INFO does.
    fn describe(&self, engine: &Engine, client: &std::sync::Arc<Client>) -> String;
    /// Begins to end the server; when it turns out that it must not end, calls [`Engine::end_shutdown`].
    fn shut_down(&self, engine: &Engine, how: Shutdown);
    /// Does something on a thread of its own, which has not passed the gate.
    fn in_background(&self, work: Box<dyn FnOnce(&Engine) + Send>);
    /// Does a job that has begun, on a thread of its own, and ends it.
    fn run_job(&self, engine: &Engine, job: Job);
    /// Rebuilds the data from the append-only file (DEBUG LOADAOF). The caller has not passed the gate.
    fn reload_aof(&self, engine: &Engine) -> Result<(), String>;
    /// Saves the data as of now to the snapshot file. The caller has not passed the gate.
    fn save(&self, engine: &Engine) -> Result<(), String>;
    /// Rebuilds the data from the snapshot file (DEBUG RELOAD). The caller has not passed the gate.
    fn reload_snapshot(&self, engine: &Engine, how: Reload) -> Result<(), String>;
    /// Sends keys to another server without making the caller wait, and has the client's command looked at again when it is
    /// known what has become of them.
    fn send(&self, parcel: std::sync::Arc<transfer::Parcel>, client: std::sync::Arc<Client>);
}

/// What DEBUG RELOAD does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reload {
    /// Whether the data is saved before.
    pub saves: bool,
    /// Whether the data in memory is given up before.
    pub flushes: bool,
    /// Whether keys of the file replace those that are there.
    pub merges: bool,
}

/// How SHUTDOWN was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// Whether a failure to write files is ignored.
    pub force: bool,
    /// Whether a snapshot is saved even if no `save` rule is set.
    pub saves: bool,
    /// Whether no snapshot is saved even if `save` rules are set.
    pub saves_not: bool,
}

/// Facts about this process that INFO tells.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Identity {
    pub run_id: String,
    pub replication_id: Mutex<String>,
    pub started_ms: i64,
    pub pid: u32,
    pub executable: String,
    pub config_file: String,
    pub workers: usize,
    pub tcp_port: AtomicU32,
}

/// How far loading has come.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Loading {
    pub started_ms: AtomicI64,
    pub total_bytes: AtomicU64,
    pub loaded_bytes: AtomicU64,
    /// What the server that wrote the snapshot used.
    pub used_memory: AtomicU64,
    /// Of the last snapshot: keys stored, and keys left out because their time had passed.
    pub keys_loaded: AtomicU64,
    pub keys_expired: AtomicU64,
}

impl Engine {
    /// An engine for a configuration and the families' commands.
    pub fn new(config: Config, families: &[&'static [Command]]) -> Self {
        let workers = config.io_threads.max(1);
        // One lane per worker and one for loading and other background work.
        let lanes = workers + 1;
        let commands = CommandTable::new(families);
        let executable = std::env::current_exe()
            .unwrap_or_default()
            .display()
            .to_string();
        let keyspace = Keyspace::new(config.databases, lanes);
        Self {
            reclaimer: keyspace.reclaimer().clone(),
            keyspace,
            acl: Acl::new(access::catalog(&commands), defaults(&config)),
            stats: Stats::new(lanes, commands.all().len()),
            commands,
            command_logs: CommandLogs::default(),
            latency: LatencyMonitor::default(),
            journal: Journal::new(lanes),
            pubsub: PubSub::new(workers),
            clients: Clients::default(),
            failed_logins: access::failed_logins(),
            mailboxes: (0..workers).map(|_| Mailbox::default()).collect(),
            monitors: monitor::Monitors::default(),
            tracking: tracking::Tracking::default(),
            watches: AtomicU32::new(0),
            memory: memory::Memory::new(workers),
            blocked: blocking::Blocked::default(),
            transfers: transfer::Transfers::default(),
            scripts: Scripts::default(),
            functions: Functions::default(),
            busy: Busy::default(),
            identity: Identity {
                run_id: random::hex(40),
                replication_id: Mutex::new(random::hex(40)),
                started_ms: unix_ms(),
                pid: std::process::id(),
                executable,
                config_file: config
                    .file
                    .as_ref()
                    .map(|path| path.display().to_string())
                    .unwrap_or_default(),
                workers,
                tcp_port: AtomicU32::new(match config.port {
                    0 => config.tls_port.into(),
                    port => port.into(),
                }),
            },
            pause: pause::Pause::default(),
            conditions: AtomicU32::new(0),
            disk_error: Mutex::default(),
            durable: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            aof: AofStatus::default(),
            snapshots: SnapshotStatus::new(unix_ms()),
            jobs: Jobs::default(),
            loading: Loading::default(),
            shutdown: AtomicU32::new(shutdown::NONE),
            puts_off_signals: AtomicBool::new(false),
            expires_actively: AtomicBool::new(true),
            skips_checksums: AtomicBool::new(false),
            allows_all_in_scripts: AtomicBool::new(false),
            hooks: std::sync::OnceLock::new(),
            config: ConfigStore::new(config),
        }
    }

    /// The lane of background work.
    pub fn background_lane(&self) -> usize {
        self.mailboxes.len()
    }

    /// See [`condition`].
    #[inline]
    pub fn conditions(&self) -> u32 {
        self.conditions.load(Relaxed)
    }

    /// Sets or clears a condition.
    pub fn set_condition(&self, condition: u32, on: bool) {
        match on {
            true => self.conditions.fetch_or(condition, Relaxed),
            false => self.conditions.fetch_and(!condition, Relaxed),
        };
    }

    /// See [`watch`].
    #[inline]
    pub fn watches(&self) -> u32 {
        self.watches.load(Relaxed)
    }

    /// Sets or clears a bit of [`watch`].
    fn watch(&self, what: u32, on: bool) {
        match on {
            true => self.watches.fetch_or(what, Relaxed),
            false => self.watches.fetch_and(!what, Relaxed),
        };
    }

    /// Whether data is being loaded.
    pub fn is_loading(&self) -> bool {
        self.conditions() & condition::LOADING != 0
    }

    /// Why the disk refuses writes.
    pub fn disk_error(&self) -> String {
        self.disk_error.lock().clone()
    }

    /// Notes that the disk refuses writes, or accepts them again.
    pub fn set_disk_error(&self, error: Option<String>) {
        self.set_condition(condition::DISK_ERROR, error.is_some());
        *self.disk_error.lock() = error.unwrap_or_default();
    }

    /// When the data was last saved to a snapshot, or else the server started, in Unix seconds.
    pub fn last_save(&self) -> i64 {
        self.snapshots.last_save.load(Relaxed)
    }

    /// Changes since the data was last saved to a snapshot.
    pub fn unsaved_changes(&self) -> u64 {
        let changes = self.stats.sum(|lane| &lane.dirty);
        changes.saturating_sub(self.snapshots.saved_changes.load(Relaxed))
    }

    /// The snapshot in the making, if there is one, is no longer wanted.
    pub fn give_up_save(&self) {
        if self.jobs.present() == Some(Job::Save) {
            self.jobs.gives_up.store(true, Relaxed);
        }
    }

    /// After FLUSHALL, before a snapshot of the empty server: no change is unsaved. `fresh` are changes that have not been
    /// counted yet.
    pub fn note_emptied(&self, fresh: u64) {
        let changes = self.stats.sum(|lane| &lane.dirty) + fresh;
        self.snapshots.saved_changes.store(changes, Relaxed);
    }

    /// Whether those who may append to the journal wait until it has been written. While the disk refuses they need not:
    /// then writes are refused.
    pub fn is_journal_full(&self) -> bool {
        self.journal.is_full() && self.conditions() & condition::DISK_ERROR == 0
    }

    /// The number behind the last record that a lane appended.
    pub fn last_record(&self, lane: usize) -> u64 {
        self.journal.last_record(lane)
    }

    /// Sends a message to all listeners; gives how many there are.
    pub fn publish(&self, kind: Kind, channel: &[u8], message: &[u8]) -> usize {
        let (clients, workers) = self.pubsub.audience(kind, channel);
        if clients == 0 {
            return 0;
        }
        let publication = Publication {
            kind,
            channel: Bytes::copy_from_slice(channel),
            message: Bytes::copy_from_slice(message),
        };
        for worker in workers {
            self.mailboxes[worker].post(Mail::Publish(publication.clone()));
        }
        clients
    }

    /// Publishes a keyspace event on the channels that the configuration asks for.
    #[cold]
    pub fn notify(&self, database: usize, key: &[u8], event: Event) {
        let wanted = self.config.load().notify_keyspace_events;
        if !wanted.contains(event.class) || !self.pubsub.has_listeners() {
            return;
        }
        if wanted.contains(KeyEvents::KEYSPACE) {
            let channel = [format!("__keyspace@{database}__:").as_bytes(), key].concat();
            self.publish(Kind::Channel, &channel, event.name.as_bytes());
        }
        if wanted.contains(KeyEvents::KEYEVENT) {
            let channel = format!("__keyevent@{database}__:{}", event.name);
            self.publish(Kind::Channel, channel.as_bytes(), key);
        }
    }

    /// Tells every worker to look at its clients again.
    pub fn recheck_all(&self) {
        self.mailboxes
            .iter()
            .for_each(|mailbox| mailbox.post(Mail::Recheck));
    }
}
