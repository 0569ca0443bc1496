//! CLIENT TRACKING: what a read remembers and what a change tells.
//!
//! A key that is read is remembered with its reader under the lock under which it was read, and a change takes the readers
//! out under the lock under which it is made. So no change slips between, and each reader is told once. What it is told goes
//! by its worker's mail, which is looked at between batches: behind the reply with the value, and behind the reply of the
//! command that made the change where that was the reader's own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::call::Call;
use super::checks::condition;
use super::client::{Client, flag};
use super::effects::Effects;
use super::mailbox::Mail;
use super::session::{Session, state};
use super::{Engine, watch};
use crate::config::{Config, KeyEvents};
use crate::keyspace::{Db, Key, SHARDS, Touched};
use crate::resp::reply::Reply;
use crate::tracking::{Invalid, Message, Prefixes, Underway};

/// Bits of [`Client::tracking`].
pub mod mode {
    /// Tracking is on.
    pub const ON: u32 = 1;
    /// All keys with some prefixes are broadcast.
    pub const BROADCAST: u32 = 1 << 1;
    /// Only what is read after CLIENT CACHING YES is remembered.
    pub const OPT_IN: u32 = 1 << 2;
    /// What is read after CLIENT CACHING NO is not remembered.
    pub const OPT_OUT: u32 = 1 << 3;
    /// Own changes are not told.
    pub const NO_LOOP: u32 = 1 << 4;
    /// The client that gets the messages has gone.
    pub const BROKEN: u32 = 1 << 5;
}

/// Keys forgotten at once when too many are remembered.
const FORGOTTEN_AT_ONCE: u64 = 1000;

/// The server's knowledge of clients that track.
#[derive(Debug, Default)]
pub struct Tracking {
    /// Prefixes that are broadcast.
    pub prefixes: Prefixes,
    /// Clients that track.
    pub clients: AtomicU64,
    /// The shard whose keys are forgotten next.
    next: AtomicUsize,
}

/// What CLIENT TRACKING ON asks for.
pub struct TrackingWish<'r> {
    /// See [`mode`].
    pub mode: u32,
    /// The client that gets the messages; 0 for the client itself.
    pub redirect: u64,
    /// Prefixes to broadcast.
    pub prefixes: Vec<&'r [u8]>,
}

/// What a prefix costs besides its bytes: its places in the client's set and in everybody's.
const PER_PREFIX: u64 = 64;

impl Session {
    /// Notes whether keys that are read are remembered from now on.
    pub fn note_tracking(&mut self) {
        let mode = self.client.tracking.load(Relaxed);
        let has = |bit: u32| mode & bit != 0;
        let was_asked = self.is(state::CACHING);
        let refused = has(mode::OPT_IN) && !was_asked || has(mode::OPT_OUT) && was_asked;
        self.remembers = has(mode::ON) && !has(mode::BROADCAST) && !refused;
    }
}

impl Engine {
    /// Begins to track for a client, or does so in another way. The caller is alone behind the gate.
    pub fn start_tracking(&self, session: &mut Session, wish: &TrackingWish<'_>) {
        let client = session.client.clone();
        if session.tracking.is_none() {
            self.tracking.clients.fetch_add(1, Relaxed);
        }
        let prefixes: &mut BTreeSet<_> = session.tracking.get_or_insert_default();
        for prefix in &wish.prefixes {
            if prefixes.insert(Box::from(*prefix)) {
                self.tracking.prefixes.add(prefix, client.id);
                let bytes = prefix.len() as u64 + PER_PREFIX;
                client.prefix_bytes.fetch_add(bytes, Relaxed);
                self.watch(watch::BROADCAST, true);
            }
        }
        client.redirect.store(wish.redirect, Relaxed);
        client.tracking.store(wish.mode | mode::ON, Relaxed);
        session.note_tracking();
    }

    /// Tracks no longer for a client. What is remembered of it is forgotten as keys change.
    pub fn stop_tracking(&self, session: &mut Session) {
        let Some(prefixes) = session.tracking.take() else {
            return;
        };
        let client = session.client.clone();
        for prefix in prefixes.iter() {
            if self.tracking.prefixes.remove(prefix, client.id) {
                self.watch(watch::BROADCAST, false);
            }
        }
        self.tracking.clients.fetch_sub(1, Relaxed);
        client.tracking.store(0, Relaxed);
        client.prefix_bytes.store(0, Relaxed);
        client.redirect.store(0, Relaxed);
        session.set(state::CACHING, false);
        session.note_tracking();
    }

    /// Classes of events that somebody wants, changes of keys that are broadcast among them.
    pub fn listens(&self, config: &Config) -> KeyEvents {
        match self.watches() & watch::BROADCAST {
            0 => config.notify_keyspace_events,
            _ => config.notify_keyspace_events.with(KeyEvents::BROADCAST),
        }
    }

    /// Tells those who wait for a key and those who keep copies of it that `changer` has changed it.
    #[cold]
    pub fn tell_touched(
        &self,
        db: &mut Db<'_, '_>,
        effects: &mut Effects,
        key: Key<'_>,
        touched: Touched,
        changer: u64,
    ) {
        if touched.is_waited_for() {
            effects.note_ready(db.index(), key.bytes);
            db.owe(key);
        }
        if touched.has_readers() {
            let readers = db.take_readers(key);
            self.invalidate(effects, &readers, key.bytes, changer);
        }
    }

    /// Tells clients that their copies of a key are no longer good. `changer` is who changed it, or 0.
    #[cold]
    pub fn invalidate(&self, effects: &mut Effects, readers: &[u64], key: &[u8], changer: u64) {
        let what = Arc::new(Invalid::Keys(vec![key.into()]));
        for &reader in readers {
            let Some(client) = self.clients.get(reader) else {
                continue;
            };
            let mode = client.tracking.load(Relaxed);
            let is_own = mode & mode::NO_LOOP != 0 && reader == changer;
            if mode & mode::ON == 0 || mode & mode::BROADCAST != 0 || is_own {
                continue;
            }
            if reader == effects.withheld_from {
                effects.withheld.push(what.clone());
            } else {
                self.send_invalid(&client, &what);
            }
        }
    }

    /// Tells all clients that track that none of their copies is good.
    pub fn invalidate_everything(&self) {
        if self.tracking.clients.load(Relaxed) == 0 {
            return;
        }
        let what = Arc::new(Invalid::Everything);
        for client in self.clients.all() {
            if client.tracking.load(Relaxed) & mode::ON != 0 {
                self.send_invalid(&client, &what);
            }
        }
    }

    /// Sends what was withheld from a client.
    pub(super) fn send_withheld(&self, effects: &mut Effects, client: &Client) {
        for what in effects.withheld.drain(..) {
            self.send_invalid(client, &what);
        }
    }

    /// Writes what was withheld from a client before the reply of its next command, which sees what has caused it. What goes
    /// to another client is sent.
    pub(super) fn tell_before_reply(
        &self,
        effects: &mut Effects,
        session: &Session,
        reply: &mut Reply,
    ) {
        effects.withheld_from = 0;
        let client = &session.client;
        if client.redirect.load(Relaxed) != 0 {
            return self.send_withheld(effects, client);
        }
        for what in effects.withheld.drain(..) {
            let message = Message::Invalid {
                what,
                is_redirected: false,
            };
            if let Some(push) = message.encode(session.is_resp3, false) {
                reply.raw(&push);
            }
        }
    }

    fn send_invalid(&self, client: &Client, what: &Arc<Invalid>) {
        let redirect = client.redirect.load(Relaxed);
        let target = self.clients.get(redirect);
        let target = target.filter(|target| {
            !target.has_flag(flag::CLOSE_AFTER_REPLY) && !target.is_killed.load(Relaxed)
        });
        let is_redirected = redirect != 0;
        let (receiver, message) = match &target {
            None if is_redirected => {
                client.tracking.fetch_or(mode::BROKEN, Relaxed);
                (client, Message::Broken(redirect))
            }
            target => {
                let what = what.clone();
                let message = Message::Invalid {
                    what,
                    is_redirected,
                };
                (target.as_deref().unwrap_or(client), message)
            }
        };
        let underway = Underway::of(&message);
        self.mailboxes[receiver.worker].post(Mail::Tracking(receiver.id, message, underway));
    }

    /// Broadcasts the keys that have changed to those who track by prefix: to each those that it may read.
    #[cold]
    pub fn send_broadcasts(&self, effects: &mut Effects) {
        let changed = &effects.broadcast;
        self.tracking.prefixes.concerned(changed, |clients, keys| {
            let all = keys.iter().map(|(key, _)| Box::from(*key)).collect();
            let all = Arc::new(Invalid::Keys(all));
            for client in clients.iter().filter_map(|&id| self.clients.get(id)) {
                let Some(user) = self.acl.get(&client.names.lock().user) else {
                    continue;
                };
                let minds_loops = client.tracking.load(Relaxed) & mode::NO_LOOP != 0;
                if !minds_loops && !user.minds_keys() {
                    self.send_invalid(&client, &all);
                    continue;
                }
                let is_told = |(key, changer): &&(&[u8], u64)| {
                    (!minds_loops || *changer != client.id) && user.may_read(key)
                };
                let told = keys.iter().filter(is_told);
                let told: Vec<_> = told.map(|(key, _)| Box::from(*key)).collect();
                if !told.is_empty() {
                    self.send_invalid(&client, &Arc::new(Invalid::Keys(told)));
                }
            }
        });
        effects.broadcast.clear();
    }

    /// Has some keys forgotten soon if more are remembered than the configuration allows.
    pub fn check_remembered(&self, config: &Config) {
        let max = config.tracking_table_max_keys as u64;
        let is_too_much = max > 0 && self.keyspace.copies.keys.load(Relaxed) > max;
        if is_too_much != (self.conditions() & condition::REMEMBERS_TOO_MUCH != 0) {
            self.set_condition(condition::REMEMBERS_TOO_MUCH, is_too_much);
        }
    }

    /// Forgets some of the keys that are remembered beyond the allowed number, and tells their readers. The caller has a
    /// passage through the gate and holds no shard's lock.
    #[cold]
    pub fn forget_some(&self) {
        let config = self.config.load();
        let max = config.tracking_table_max_keys as u64;
        let keys = self.keyspace.copies.keys.load(Relaxed);
        // A little more at a time than must be, so that not every read forgets a key.
        let mut excess = keys.saturating_sub(max - max / 1024);
        excess = excess.min(FORGOTTEN_AT_ONCE);
        if max == 0 || keys <= max {
            excess = 0;
        }
        let mut effects = Effects::default();
        for _ in 0..SHARDS {
            if excess == 0 {
                break;
            }
            let shard = self.tracking.next.fetch_add(1, Relaxed) % SHARDS;
            let mut scope = self.keyspace.lock_one(shard);
            for (key, readers) in scope.take_some_readers(shard, &mut excess) {
                self.invalidate(&mut effects, &readers, &key, 0);
            }
        }
        self.check_remembered(&config);
    }
}

impl Call<'_, '_> {
    /// Remembers that the client has read the command's keys.
    #[cold]
    pub(super) fn remember_keys(&mut self) {
        let reader = self.session.client.id;
        for key in self.all_keys() {
            self.db.remember(key, reader);
        }
        self.engine.check_remembered(self.config);
    }
}
