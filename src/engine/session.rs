//! What a connection's own commands know of it: database, protocol, transaction, watched keys, subscriptions.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::access::Login;
use super::client::{Client, flag};
use super::fieldsets::Fieldsets;
use super::script::Desk;
use super::subscriptions::Subscriptions;
use super::transaction::Transaction;
use crate::config::{ClientLimit, Config};
use crate::keyspace::WatchFlag;
use crate::pubsub::Kind;

/// Reasons to look twice before a command runs; a session without any takes the short way.
pub mod state {
    /// AUTH has not happened and is needed.
    pub const UNAUTHENTICATED: u32 = 1;
    /// Inside MULTI.
    pub const MULTI: u32 = 1 << 1;
    /// A RESP2 subscriber, which may send little else.
    pub const SUBSCRIBER: u32 = 1 << 2;
    /// CLIENT REPLY OFF.
    pub const REPLY_OFF: u32 = 1 << 3;
    /// The command being run gets no reply.
    pub const REPLY_SKIP: u32 = 1 << 4;
    /// CLIENT REPLY SKIP: the next command gets no reply.
    pub const REPLY_SKIP_NEXT: u32 = 1 << 5;
    /// CLIENT CACHING: for the next command it is the other way round.
    pub const CACHING: u32 = 1 << 12;
    /// The user may not do everything.
    pub const RESTRICTED: u32 = 1 << 6;
    /// When its last command began, more memory was in use than allowed, and nothing could go.
    pub const SHORT_OF_MEMORY: u32 = 1 << 13;
    /// Shown every command (MONITOR).
    pub const MONITOR: u32 = 1 << 14;
    /// All that concerns replies.
    pub const REPLY: u32 = REPLY_OFF | REPLY_SKIP | REPLY_SKIP_NEXT;
}

/// A watched key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Watched {
    /// The database.
    pub database: usize,
    /// The key.
    pub key: Box<[u8]>,
}

/// WATCH's memory.
#[derive(Debug, Default)]
pub struct Watch {
    /// Raised when one of the keys changes.
    pub flag: WatchFlag,
    /// The keys, and whether they existed when the watch began.
    pub keys: HashMap<Watched, bool>,
}

impl Watch {
    /// Adds a key. False when it is watched already.
    pub fn add(&mut self, key: Watched, exists: bool) -> bool {
        let is_new = !self.keys.contains_key(&key);
        if is_new {
            self.keys.insert(key, exists);
        }
        is_new
    }
}

/// One connection's state, owned by its task.
pub struct Session {
    /// What others may see.
    pub client: Arc<Client>,
    /// Whom it acts for.
    pub(super) login: Login,
    /// SELECT.
    pub database: usize,
    /// HELLO 3.
    pub is_resp3: bool,
    /// See [`state`].
    pub state: u32,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// Whether it is that of a script in progress.
    pub is_script: bool,
    /// What TIME has replied in the transaction or script in progress, in Unix microseconds: time stands still there.
    pub time: Option<i64>,
    /// Commands queued by MULTI.
    pub transaction: Option<Box<Transaction>>,
    /// Keys watched.
    pub watch: Option<Box<Watch>>,
    /// Subscriptions.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// The prefixes of its keys that are broadcast, while CLIENT TRACKING is on.
    pub tracking: Option<Box<BTreeSet<Box<[u8]>>>>,
    /// Fields that it has named for HIMPORT.
    pub fieldsets: Fieldsets,
    /// Whether keys that it reads are remembered, so that it can be told when they change.
    pub remembers: bool,
    /// Whether the connection closes once its replies are sent.
    pub closes: bool,
    /// The number of the last journal record that this client caused.
    pub last_record: Option<u64>,
    /// Which command of its batch is being run, in case it fails.
    pub position: usize,
    /// What its last script ran with, for the next one.
    pub(super) desk: Option<Box<Desk>>,
}

impl Session {
    /// A fresh connection's session.
    pub fn new(client: Arc<Client>, login: Login) -> Self {
        let mut session = Self {
            client,
            login: Login::default(),
            database: 0,
            is_resp3: false,
            state: 0,
            no_touch: false,
            is_script: false,
            time: None,
            transaction: None,
            watch: None,
            subscriptions: None,
            tracking: None,
            fieldsets: Fieldsets::default(),
            remembers: false,
            closes: false,
            last_record: None,
            position: 0,
            desk: None,
        };
        session.set_login(login, true);
        session
    }

    /// Whether nothing has been begun or asked for in it.
    pub(super) fn is_idle(&self) -> bool {
        let holds_nothing = self.transaction.is_none()
            && self.watch.is_none()
            && self.subscriptions.is_none()
            && self.tracking.is_none()
            && self.fieldsets.is_empty();
        holds_nothing && !self.closes && self.last_record.is_none() && self.desk.is_none()
    }

    /// Whether all these state bits are set.
    pub fn is(&self, bits: u32) -> bool {
        self.state & bits == bits
    }

    /// Sets or clears state bits.
    pub fn set(&mut self, bits: u32, on: bool) {
        self.state = if on {
            self.state | bits
        } else {
            self.state & !bits
        };
    }

    /// Chooses a database.
    pub fn select(&mut self, database: usize) {
        self.database = database;
        self.client.database.store(database as u32, Relaxed);
    }

    /// Chooses the protocol.
    pub fn set_resp3(&mut self, is_resp3: bool) {
        self.is_resp3 = is_resp3;
        self.client.is_resp3.store(is_resp3, Relaxed);
        self.note_subscriptions();
    }

    /// Has the connection closed once its replies are sent.
    pub fn close_after_reply(&mut self) {
        self.closes = true;
        self.client.set_flag(flag::CLOSE_AFTER_REPLY, true);
    }

    /// Whether its own commands may cause messages to it, which go out behind their replies.
    #[inline]
    pub fn hears_itself(&self) -> bool {
        self.subscriptions.is_some() || self.tracking.is_some()
    }

    /// How much may wait to be sent to this client.
    pub fn output_limit<'c>(&self, config: &'c Config) -> &'c ClientLimit {
        let limits = &config.client_output_buffer_limit;
        match self.subscriptions.is_some() {
            true => &limits.pubsub,
            false => &limits.normal,
        }
    }

    /// Whether a watched key has changed.
    pub fn is_watch_broken(&self) -> bool {
        self.watch
            .as_ref()
            .is_some_and(|watch| watch.flag.load(Relaxed))
    }

    /// The watch list, made when needed.
    pub fn watch_list(&mut self) -> &mut Watch {
        self.watch.get_or_insert_with(|| {
            let watch = Box::<Watch>::default();
            *self.client.watch.lock() = Some(watch.flag.clone());
            watch
        })
    }

    /// After a change of the watch list: keeps what others see in step.
    pub fn note_watched(&mut self) {
        let watched = self.watch.as_ref().map_or(0, |watch| watch.keys.len());
        self.client.watched.store(watched as u32, Relaxed);
        if watched == 0 {
            *self.client.watch.lock() = None;
        }
    }

    /// After a command: whether its reply is to be taken back.
    pub fn is_reply_unwanted(&mut self) -> bool {
        let is_unwanted = self.state & (state::REPLY_OFF | state::REPLY_SKIP) != 0;
        let skips_next = self.is(state::REPLY_SKIP_NEXT);
        self.set(state::REPLY_SKIP_NEXT, false);
        self.set(state::REPLY_SKIP, skips_next);
        is_unwanted
    }

    /// After a change of subscriptions or protocol: keeps state and what others see in step.
    pub fn note_subscriptions(&mut self) {
        if self
            .subscriptions
            .as_ref()
            .is_some_and(|subscriptions| subscriptions.is_empty())
        {
            self.subscriptions = None;
        }
        let (channels, patterns, shards) =
            self.subscriptions
                .as_ref()
                .map_or((0, 0, 0), |subscriptions| {
                    (
                        subscriptions.of(Kind::Channel).len(),
                        subscriptions.of(Kind::Pattern).len(),
                        subscriptions.of(Kind::Shard).len(),
                    )
                });
        self.client.channels.store(channels as u32, Relaxed);
        self.client.patterns.store(patterns as u32, Relaxed);
        self.client.shard_channels.store(shards as u32, Relaxed);
        let subscribed = channels + patterns + shards > 0;
        self.client.set_flag(flag::PUBSUB, subscribed);
        self.set(state::SUBSCRIBER, subscribed && !self.is_resp3);
    }
}
