//! A command in progress: all that a handler sees.

use std::sync::atomic::Ordering::Relaxed;

use super::command::flags;
use super::effects::Effects;
use super::error::CommandError;
use super::event::{self, Event};
use super::parked::Parked;
use super::session::Session;
use super::table::Spec;
use super::{Engine, watch};
use crate::base::hash::hash;
use crate::base::numbers::parse_i64;
use crate::config::Config;
use crate::keyspace::{Db, EntryRef, Key, Touched};
use crate::resp::args::Args;
use crate::resp::reply::Reply;

/// A declared key: which argument, and its hash.
#[derive(Debug, Clone, Copy)]
pub struct KeyRef {
    /// The argument.
    pub arg: u32,
    /// Its hash.
    pub hash: u64,
}

impl KeyRef {
    /// The key that the argument `at` is.
    #[inline(always)]
    pub fn new(args: Args<'_>, at: usize) -> Self {
        Self {
            arg: at as u32,
            hash: hash(args.at(at)),
        }
    }
}

/// A command in progress. It lives as long as its request's bytes, `'r`, and its locks, `'k`.
pub struct Call<'r, 'k> {
    /// The server.
    pub engine: &'k Engine,
    /// The configuration as of this batch.
    pub config: &'r Config,
    /// The thread's number.
    pub lane: usize,
    /// The connection's state.
    pub session: &'r mut Session,
    /// The command.
    pub spec: &'k Spec,
    /// Its arguments, the name included.
    pub args: Args<'r>,
    /// Its keys.
    pub keys: &'r [KeyRef],
    /// The database.
    pub db: Db<'r, 'k>,
    /// The reply.
    pub reply: &'r mut Reply,
    /// What it changes.
    pub effects: &'r mut Effects,
    /// Whether it runs inside EXEC or a script, where nothing waits.
    pub is_nested: bool,
    /// Whether it waited for a key and is run again because that key has changed; see [`super::blocking`].
    pub is_retry: bool,
    /// What to wait for instead of a reply; see [`Call::park`].
    pub parked: Option<Box<dyn Parked>>,
    /// That a command that is run again has to wait on, and when to look at it again if no key changes.
    pub(super) waits_on: Option<Option<i64>>,
}

impl<'r, 'k> Call<'r, 'k> {
    /// The `n`th declared key.
    #[inline]
    pub fn key(&self, n: usize) -> Key<'r> {
        let KeyRef { arg, hash } = self.keys[n];
        Key {
            bytes: self.args.at(arg as usize),
            hash,
        }
    }

    /// All declared keys.
    pub fn all_keys(&self) -> impl ExactSizeIterator<Item = Key<'r>> + use<'r> {
        let args = self.args;
        self.keys.iter().map(move |key| Key {
            bytes: args.at(key.arg as usize),
            hash: key.hash,
        })
    }

    /// An argument as an integer.
    #[inline]
    pub fn integer(&self, at: usize) -> Result<i64, CommandError> {
        self.args
            .get(at)
            .and_then(parse_i64)
            .ok_or(CommandError::NotInteger)
    }

    /// The entry of a key, counted as found or missed, with the event of a miss.
    #[inline]
    pub fn read(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        self.note_miss(key);
        self.db.read(key)
    }

    /// Like [`Call::read`], but the key does not count as used.
    pub fn look(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        self.note_miss(key);
        self.db.look(key)
    }

    /// The event of a key that is about to be read and is missing; [`Call::read`] is this and `db.read`.
    #[inline]
    pub fn note_miss(&mut self, key: Key<'_>) {
        if self.effects.listens.contains(event::MISS.class) && self.db.peek(key).is_none() {
            self.tell(self.db.index(), key, event::MISS);
        }
    }

    /// The event of a key that was not there before. The change itself is told after it.
    #[inline]
    pub fn created(&mut self, key: Key<'_>) {
        self.tell_listeners(key, event::NEW);
    }

    /// A second event of a change that has been told: SET's `expire`.
    #[inline]
    pub fn tell_listeners(&mut self, key: Key<'_>, event: Event) {
        if self.effects.listens.has_events() {
            self.tell(self.db.index(), key, event);
        }
    }

    /// Says that a key has changed: the one place from which watchers, events, tracking and blocked clients learn of it.
    #[inline]
    pub fn changed(&mut self, key: Key<'_>, event: Event) {
        self.elements_changed(key, event, 1);
    }

    /// [`Call::changed`] that counts as so many changes: one for each element, or none where others stand for it.
    #[inline]
    pub fn elements_changed(&mut self, key: Key<'_>, event: Event, count: usize) {
        self.effects.dirty += count as u64;
        let touched = self.db.touch(key);
        if touched != Touched::NOBODY {
            self.tell_touched(self.db.index(), key, touched);
        }
        if !self.effects.listens.is_empty() {
            let changer = self.session.client.id;
            let prefixes = &self.engine.tracking.prefixes;
            self.effects.note_broadcast(prefixes, key.bytes, changer);
            if self.effects.listens.has_events() {
                self.tell(self.db.index(), key, event);
            }
        }
    }

    /// The part of [`Call::changed`] that is neither counted as a change nor an event.
    #[inline]
    pub fn touched(&mut self, key: Key<'_>) {
        let touched = self.db.touch(key);
        if touched != Touched::NOBODY {
            self.tell_touched(self.db.index(), key, touched);
        }
        if !self.effects.listens.is_empty() {
            let changer = self.session.client.id;
            let prefixes = &self.engine.tracking.prefixes;
            self.effects.note_broadcast(prefixes, key.bytes, changer);
        }
    }

    #[cold]
    fn tell_touched(&mut self, database: usize, key: Key<'_>, touched: Touched) {
        let changer = self.session.client.id;
        let mut db = self.db.at(database);
        self.engine
            .tell_touched(&mut db, self.effects, key, touched, changer);
    }

    /// [`Call::changed`] without an event: what is kept beside the value's meaning.
    pub fn changed_silently(&mut self, key: Key<'_>) {
        self.effects.dirty += 1;
        self.touched(key);
    }

    /// [`Call::changed`] for a key of another database.
    pub fn changed_in(&mut self, database: usize, key: Key<'_>, event: Event) {
        self.effects.dirty += 1;
        let touched = self.db.at(database).touch(key);
        if touched != Touched::NOBODY {
            self.tell_touched(database, key, touched);
        }
        if !self.effects.listens.is_empty() {
            let changer = self.session.client.id;
            let prefixes = &self.engine.tracking.prefixes;
            self.effects.note_broadcast(prefixes, key.bytes, changer);
            if self.effects.listens.has_events() {
                self.tell(database, key, event);
            }
        }
    }

    /// An event that is no change of its own: `new`, `keymiss`.
    pub fn tell(&mut self, database: usize, key: Key<'_>, event: Event) {
        self.engine
            .tell_expired(self.lane, self.db.notes(), self.effects);
        if self.effects.listens.contains(event.class) {
            self.engine.notify(database, key.bytes, event);
        }
    }

    /// [`Effects::replay_as`], at no cost when nobody keeps a journal.
    #[inline]
    pub fn replay_as(&mut self, args: &[&[u8]]) {
        if self.engine.journal.is_open() {
            self.effects.replay_as(args);
        }
    }

    /// When it has run: its keys are remembered for a client that tracks, and it is shown to those who watch. Scripts call this
    /// for each command that they call.
    #[inline]
    pub(super) fn note_run(&mut self, watches: u32) {
        // Of a script only the commands that it calls read anything.
        let reads = flags::READONLY | flags::SKIP_MONITOR;
        if self.session.remembers && self.spec.flags & reads == flags::READONLY {
            self.remember_keys();
        }
        if watches & watch::MONITOR != 0 && !self.is_retry && !self.spec.has(flags::SKIP_MONITOR) {
            self.engine.show(self.session, self.spec, self.args);
        }
    }

    /// The length from which on a reply has its client closed, so that it need not be finished.
    pub fn most_reply(&self) -> usize {
        /// Replies that are not counted come on top.
        const SPARE: usize = 64 * 1024;
        let hard = self.session.output_limit(self.config).hard_bytes as usize;
        match hard > 0 && !self.session.is_script {
            true => hard.saturating_add(SPARE),
            false => usize::MAX,
        }
    }

    /// Waits instead of replying. Not inside a transaction or script.
    pub fn park(&mut self, parked: impl Parked + 'static) {
        debug_assert!(!self.is_nested);
        self.session.client.waits_as.store(0, Relaxed);
        self.parked = Some(Box::new(parked));
    }

    /// The error for a subcommand whose arguments make no sense.
    pub fn subcommand_syntax(&self) -> CommandError {
        let word = self.args.get(1).unwrap_or_default();
        let container = self.spec.name.split('|').next().unwrap_or_default();
        CommandError::quoting(
            "ERR unknown subcommand or wrong number of arguments for '",
            word,
            &format!("'. Try {} HELP.", container.to_ascii_uppercase()),
        )
    }

    /// The error for an invalid expiry, which names the command.
    pub fn invalid_expire(&self) -> CommandError {
        CommandError::InvalidExpire(Box::new(self.spec.name.clone()))
    }
}
