//! Commands that wait for a key: BLPOP, BZPOPMIN, XREAD BLOCK and their like.
//!
//! # How a command waits
//! A handler looks for what it wants as its plain sibling does. When it finds nothing, its last act is
//! `call.block(Wait { .. })`. That is all: the same handler is *run again*, with the same arguments and `call.is_retry` set,
//! when one of the keys has changed and holds the wanted type. It then replies, or calls [`Call::block`] once more and waits
//! on in its old place. Inside EXEC, in scripts and while a file is loaded, [`Call::block`] writes the reply of a wait whose
//! time is up. What a served command did is journaled by `call.replay_as`, which it must call whenever it changes anything,
//! on the first run too: BLPOP as `LPOP key`, XREADGROUP as its XCLAIMs. An error from a second run is the reply.
//!
//! ```text
//! let deadline = call.seconds_from_now(call.args.len() - 1)?;       // XREAD: milliseconds_from_now
//! for key in call.all_keys() { if pop_and_reply(call, key)? { return Ok(()); } }
//! call.block(Wait::on(Wants::List, deadline));
//! ```
//!
//! A command whose arguments mean something else later (XREAD's `$`) gives itself other ones, with the keys at the same
//! places: `Wait { args: Some(..), ..Wait::on(..) }`. One that waits for only some of its keys says for how many:
//! `Wait { keys: 1, ..}`. One that must also hear when its key is deleted or changes its type waits for
//! [`Wants::StreamOrLoss`]; its handler then finds the loss and returns the error. One to which time alone may give something
//! (XREADGROUP's CLAIM) says when to look again, each time that it waits: `Wait { look_again_at: Some(..), ..}`.
//!
//! # Who wakes it
//! Whatever says [`Call::changed`]. The shard knows for which of its keys somebody waits; `changed` notes such a key in
//! [`Effects::ready`](super::Effects). When the command, or the whole EXEC, has been committed and its locks released, the
//! same worker serves the ready keys before its client's next command: it locks all keys of the oldest waiter's command,
//! runs it, and so on until nothing is ready; who is served may make other keys ready. A worker's timer does the same for keys
//! that have expired and for those who asked to be looked at again.
//!
//! Between a push and its waiter another worker may get the lock. So the shard remembers what it owes
//! ([`Scope::owes`](crate::keyspace::Scope::owes)) until the key's waiters have been looked at, and whoever locks it to change
//! something serves them first. A waiter of several keys, too, comes behind those who are owed another of its keys and are
//! older.
//!
//! # Why no element is lost or given twice
//! - A waiter enters the queues of its keys under the locks under which its command found nothing: no change slips between.
//! - A waiter is *in the list* ([`Blocked`]) exactly as long as it is in the queues of its keys. It leaves both under the
//!   locks of all its keys, by whoever comes first: a worker that serves it, or its own connection when its time is up, when
//!   it is unblocked, killed or has gone. Each looks, under these locks, whether it is still in the list.
//! - Whoever has been killed is served no more, and whoever is unblocked leaves the list before CLIENT UNBLOCK replies.
//! - Once out of the list it is served at most that once, and its connection does nothing but wait for the reply
//!   ([`Mail::Served`]), which is posted after the locks are released.
//! - Numbers of waiters grow under the lock of each queue that they enter, so queues are sorted by age.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

use dashmap::DashMap;
use parking_lot::Mutex;

use super::access::Login;
use super::call::{Call, KeyRef};
use super::client::Client;
use super::error::CommandError;
use super::mailbox::{Mail, Served, Unblock};
use super::parked::{Ended, Parked, Progress};
use super::session::Session;
use super::{Engine, flags};
use crate::base::clock::unix_ms;
use crate::base::numbers::{parse_f64, parse_i64};
use crate::keyspace::{Key, Scope};
use crate::resp::args::OwnedArgs;
use crate::resp::reply::Reply;

/// What a waiter hopes to find under its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Wants {
    List,
    SortedSet,
    Stream,
    /// A stream; that the key is no stream any longer matters, too.
    StreamOrLoss,
    /// No key, but that another server has answered; see [`super::transfer`].
    Delivery,
}

impl Wants {
    /// Whether a key of this type, or one that is not there, is worth looking at.
    pub(super) fn is_met_by(self, type_name: Option<&str>) -> bool {
        match self {
            Self::List => type_name == Some("list"),
            Self::SortedSet => type_name == Some("zset"),
            Self::Stream => type_name == Some("stream"),
            Self::StreamOrLoss | Self::Delivery => true,
        }
    }
}

/// The reply when the time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// A null array.
    Array,
    /// A plain null.
    Plain,
}

impl Nothing {
    fn write(self, reply: &mut Reply) {
        match self {
            Self::Array => reply.null_array(),
            Self::Plain => reply.null(),
        }
    }
}

/// How a command waits.
#[derive(Debug)]
pub struct Wait {
    /// For what.
    pub wants: Wants,
    /// Until when, in Unix milliseconds; `None` for ever.
    pub deadline: Option<i64>,
    /// How many of the declared keys it waits for: the first ones.
    pub keys: usize,
    /// What it replies where nobody may wait.
    pub nested: Nothing,
    /// With which arguments it is run again; its own if `None`.
    pub args: Option<OwnedArgs>,
    /// When it may find something though no key has changed, in Unix milliseconds.
    pub look_again_at: Option<i64>,
}

impl Wait {
    /// The common case: for all keys, with the same arguments, and a null array if there is nothing.
    pub fn on(wants: Wants, deadline: Option<i64>) -> Self {
        Self {
            wants,
            deadline,
            keys: usize::MAX,
            nested: Nothing::Array,
            args: None,
            look_again_at: None,
        }
    }
}

/// The number of a client that waits for keys no longer, but may not know it yet.
const SERVED: u64 = u64::MAX;

/// A command that waits.
pub struct Waiter {
    pub(super) number: u64,
    pub(super) client: Arc<Client>,
    login: Login,
    no_touch: bool,
    remembers: bool,
    /// How many of the keys it waits for.
    waits_for: usize,
    pub(super) database: usize,
    pub(super) is_resp3: bool,
    pub(super) spec: usize,
    pub(super) args: OwnedArgs,
    pub(super) keys: Vec<KeyRef>,
    pub(super) wants: Wants,
    has_deadline: bool,
    /// When it is to be looked at again; 0 for never.
    alarm: AtomicI64,
}

impl Waiter {
    /// Tells everybody what its client keeps for it: nothing when it waits no longer.
    fn note_size(&self, waits: bool) {
        let bytes = self.args.view().bytes() as u64;
        let keys = self.keys.capacity() * size_of::<KeyRef>();
        let all = size_of::<Self>() + self.args.allocated() + keys;
        let share = u64::from(waits);
        self.client.argv_bytes.store(bytes * share, Relaxed);
        self.client.waiting_bytes.store(all as u64 * share, Relaxed);
    }

    fn minds_loss(&self) -> u64 {
        u64::from(self.wants == Wants::StreamOrLoss)
    }

    /// A session to run it in: its client's, as far as a blocking command can tell.
    pub(super) fn session(&self) -> Session {
        let mut session = Session::new(self.client.clone(), self.login.clone());
        session.database = self.database;
        session.is_resp3 = self.is_resp3;
        session.no_touch = self.no_touch;
        session.remembers = self.remembers;
        session
    }

    /// Whether its client only waits to be closed.
    pub(super) fn is_killed(&self) -> bool {
        self.client.is_killed.load(Relaxed)
    }

    /// The first of its keys.
    pub(super) fn first_key(&self) -> Option<Key<'_>> {
        let key = self.keys.first()?;
        Some(Key {
            bytes: self.args.view().at(key.arg as usize),
            hash: key.hash,
        })
    }

    /// The keys that it waits for.
    fn awaited(&self) -> impl Iterator<Item = Key<'_>> {
        let args = self.args.view();
        (self.keys.iter().take(self.waits_for)).map(move |key| Key {
            bytes: args.at(key.arg as usize),
            hash: key.hash,
        })
    }

    /// Takes it out of the queues of its keys, which are all locked.
    pub(super) fn leave(&self, scope: &mut Scope<'_>) {
        for key in self.awaited() {
            scope.stop_waiting(self.database, key, self.number);
        }
    }

    /// Those of its keys, but for the one it is to be served for, that have changed and for which somebody older waits.
    pub(super) fn keys_of_others<'w>(
        &'w self,
        scope: &mut Scope<'_>,
        key: Key<'_>,
    ) -> Vec<Key<'w>> {
        let others = self.awaited().filter(|other| *other != key);
        let has_older = |other: &Key<'_>| {
            let is_owed = scope.unserved_change(self.database, *other).is_some();
            let oldest = scope.next_waiter(self.database, *other, 0);
            is_owed && oldest.is_some_and(|oldest| oldest < self.number)
        };
        others.filter(has_older).collect()
    }

    /// Sends its reply to its connection.
    pub(super) fn send(&self, engine: &Engine, lane: usize, reply: &mut Reply) {
        let mut pieces = Vec::new();
        reply.take_pieces(0, |piece| pieces.push(piece));
        let served = Served {
            reply: pieces,
            record: engine.last_record(lane),
        };
        let mail = Mail::Served(self.client.id, Box::new(served));
        engine.mailboxes[self.client.worker].post(mail);
    }
}

/// The list of those who wait.
#[derive(Default)]
pub struct Blocked {
    by_number: DashMap<u64, Arc<Waiter>>,
    last: AtomicU64,
    /// How many of them wait for [`Wants::StreamOrLoss`].
    minding_loss: AtomicU64,
    /// When somebody is to be looked at again, and who: moments and numbers.
    alarms: Mutex<BTreeSet<(i64, u64)>>,
    /// How many these are, as of about now.
    alarm_count: AtomicUsize,
}

/// Figures of [`Blocked`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Commands that wait for some time only.
    pub with_deadline: usize,
    /// Keys that somebody waits for.
    pub keys: usize,
    /// Those of them of which somebody must hear that they are there no more.
    pub keys_minded: usize,
}

impl Blocked {
    /// Whether nobody waits, as of about now.
    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Looks at all who wait.
    pub fn census(&self) -> Census {
        let waiters = self.by_number.iter().map(|waiter| waiter.value().clone());
        let waiters: Vec<_> = waiters.collect();
        let (mut keys, mut keys_minded) = (HashSet::new(), HashSet::new());
        for waiter in &waiters {
            for key in waiter.keys.iter().take(waiter.waits_for) {
                let key = (waiter.database, waiter.args.view().at(key.arg as usize));
                keys.insert(key);
                if waiter.minds_loss() > 0 {
                    keys_minded.insert(key);
                }
            }
        }
        Census {
            with_deadline: waiters.iter().filter(|waiter| waiter.has_deadline).count(),
            keys: keys.len(),
            keys_minded: keys_minded.len(),
        }
    }

    /// A waiter by its number.
    pub fn get(&self, number: u64) -> Option<Arc<Waiter>> {
        self.by_number
            .get(&number)
            .map(|waiter| waiter.value().clone())
    }

    /// Whether a waiter still waits. Certain only under the locks of its keys.
    pub(super) fn holds(&self, waiter: &Waiter) -> bool {
        self.by_number.contains_key(&waiter.number)
    }

    /// Whether anybody must hear of keys that are there no more, as of about now.
    pub fn mind_loss(&self) -> bool {
        self.minding_loss.load(Relaxed) > 0
    }

    fn add(&self, waiter: Arc<Waiter>) {
        self.minding_loss.fetch_add(waiter.minds_loss(), Relaxed);
        waiter.client.waits_as.store(waiter.number, Relaxed);
        waiter.note_size(true);
        self.by_number.insert(waiter.number, waiter);
    }

    /// Under the locks of its keys. False when it was not in the list.
    pub(super) fn remove(&self, waiter: &Waiter) -> bool {
        let was_there = self.by_number.remove(&waiter.number).is_some();
        if was_there {
            self.minding_loss.fetch_sub(waiter.minds_loss(), Relaxed);
            self.set_alarm(waiter, None);
            waiter.note_size(false);
            waiter.client.waits_as.store(SERVED, Relaxed);
        }
        was_there
    }

    /// Has a waiter looked at again then, and not when it was to be before.
    pub(super) fn set_alarm(&self, waiter: &Waiter, at: Option<i64>) {
        let old = waiter.alarm.swap(at.unwrap_or(0), Relaxed);
        if old == 0 && at.is_none() {
            return;
        }
        let mut alarms = self.alarms.lock();
        alarms.remove(&(old, waiter.number));
        alarms.extend(at.map(|at| (at, waiter.number)));
        self.alarm_count.store(alarms.len(), Relaxed);
    }

    /// Those who are to be looked at again by now.
    pub fn take_due(&self, now: i64) -> Vec<Arc<Waiter>> {
        if self.alarm_count.load(Relaxed) == 0 {
            return Vec::new();
        }
        let mut alarms = self.alarms.lock();
        let later = alarms.split_off(&(now + 1, 0));
        let due = std::mem::replace(&mut *alarms, later);
        self.alarm_count.store(alarms.len(), Relaxed);
        drop(alarms);
        (due.into_iter())
            .filter_map(|(_, number)| self.get(number))
            .collect()
    }
}

/// A connection's view of its waiting command.
struct WaitForKeys {
    waiter: Arc<Waiter>,
    deadline: Option<i64>,
}

impl Parked for WaitForKeys {
    fn resume(&mut self, _: &Engine, _: &mut Session, _: &mut Reply) -> Progress {
        Progress::Waiting
    }

    fn deadline(&self) -> Option<i64> {
        self.deadline
    }

    fn end_wait(&mut self, engine: &Engine) -> Ended {
        let gate = engine.keyspace.gate();
        let Some(_passage) = gate.pass_unless_stuck(self.waiter.client.worker) else {
            return Ended::NotNow;
        };
        match engine.end_wait(&self.waiter) {
            true => Ended::Yes,
            false => Ended::Served,
        }
    }

    fn unblock(&mut self, engine: &Engine, session: &mut Session, how: Unblock, reply: &mut Reply) {
        engine.note_end(session.client.worker, &self.waiter, how, reply);
    }

    fn is_counted_at_its_end(&self) -> bool {
        true
    }
}

impl Engine {
    /// Counts a command whose wait is over: from a thread that owns the lane.
    pub(super) fn note_served(&self, lane: usize, waiter: &Waiter, nanos: u64) {
        let spec = &self.commands.all()[waiter.spec];
        self.note_call(lane, &waiter.client, spec, nanos, waiter.args.view());
    }

    /// The end of a wait by other means than a key: counts the command and writes its reply. From a thread that owns the lane.
    fn note_end(&self, lane: usize, waiter: &Waiter, how: Unblock, reply: &mut Reply) {
        self.note_served(lane, waiter, 0);
        match how {
            Unblock::Timeout => reply.null_array(),
            Unblock::Error => {
                let line = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
                self.stats.count_error(line);
                self.stats.lanes[lane].commands[waiter.spec].failed.add(1);
                reply.error(line.as_bytes());
            }
        }
    }

    /// Takes a waiter out of the list and out of the queues of its keys. False when it has just been served. The caller has
    /// a passage through the gate and no lock.
    fn end_wait(&self, waiter: &Waiter) -> bool {
        let hashes = waiter.keys.iter().map(|key| key.hash);
        let mut scope = self.keyspace.lock_some(hashes);
        waiter.leave(&mut scope);
        self.blocked.remove(waiter)
    }

    /// Ends the wait of a blocked client for keys, as its own connection would. `None` when it does not wait for keys; false
    /// when it has just been served. The caller has a passage through the gate and no lock.
    pub fn unblock(&self, lane: usize, client: &Client, how: Unblock) -> Option<bool> {
        let number = client.waits_as.load(Relaxed);
        let waiter = self.blocked.get(number);
        // What is on its way to another server cannot be called back.
        let waiter = waiter.filter(|waiter| waiter.wants != Wants::Delivery);
        let Some(waiter) = waiter.filter(|waiter| self.end_wait(waiter)) else {
            return (number != 0).then_some(false);
        };
        let mut reply = Reply::new();
        reply.set_resp3(waiter.is_resp3);
        self.note_end(lane, &waiter, how, &mut reply);
        waiter.send(self, lane, &mut reply);
        Some(true)
    }
}

impl Call<'_, '_> {
    /// Waits for the command's keys, as the module describes. A handler's last act.
    pub fn block(&mut self, wait: Wait) {
        let waits_for_keys = wait.wants != Wants::Delivery;
        debug_assert!(self.spec.has(flags::BLOCKING) || !waits_for_keys);
        if self.is_nested || self.engine.is_loading() {
            return wait.nested.write(self.reply);
        }
        if self.is_retry {
            self.waits_on = Some(wait.look_again_at);
            return;
        }
        let blocked = &self.engine.blocked;
        let number = blocked.last.fetch_add(1, Relaxed) + 1;
        for key in self.all_keys().take(wait.keys) {
            self.db.wait(key, number);
        }
        let waiter = Arc::new(Waiter {
            number,
            client: self.session.client.clone(),
            login: self.session.login.clone(),
            no_touch: self.session.no_touch,
            remembers: self.session.remembers,
            waits_for: wait.keys,
            database: self.db.index(),
            is_resp3: self.session.is_resp3,
            spec: self.spec.id,
            args: wait
                .args
                .unwrap_or_else(|| OwnedArgs::copy(self.args.iter())),
            keys: self.keys.to_vec(),
            wants: wait.wants,
            has_deadline: wait.deadline.is_some(),
            alarm: AtomicI64::new(0),
        });
        blocked.add(waiter.clone());
        blocked.set_alarm(&waiter, wait.look_again_at);
        self.parked = Some(Box::new(WaitForKeys {
            waiter,
            deadline: wait.deadline,
        }));
    }

    /// Looks again at everybody who waits for a key of a database: all of them may have changed.
    pub fn wake_all(&mut self, database: usize) {
        if !self.engine.blocked.is_empty() {
            for key in self.db.scope().waited_for(database) {
                self.effects.note_ready(database, &key);
            }
        }
    }

    /// When a wait ends that an argument limits, in seconds with fractions; 0 is for ever.
    pub fn seconds_from_now(&self, at: usize) -> Result<Option<i64>, CommandError> {
        let seconds = self.args.get(at).and_then(parse_f64);
        let seconds = seconds
            .ok_or_else(|| CommandError::text("ERR timeout is not a float or out of range"))?;
        let milliseconds = (seconds * 1000.0).ceil();
        // The bound is 2^63, which a double holds exactly.
        if milliseconds >= i64::MAX as f64 {
            return Err(CommandError::text("ERR timeout is out of range"));
        }
        deadline(milliseconds as i64)
    }

    /// When a wait ends that an argument limits, in milliseconds; 0 is for ever.
    pub fn milliseconds_from_now(&self, at: usize) -> Result<Option<i64>, CommandError> {
        let milliseconds = self.args.get(at).and_then(parse_i64);
        deadline(
            milliseconds.ok_or_else(|| {
                CommandError::text("ERR timeout is not an integer or out of range")
            })?,
        )
    }
}

fn deadline(milliseconds: i64) -> Result<Option<i64>, CommandError> {
    if milliseconds < 0 {
        return Err(CommandError::text("ERR timeout is negative"));
    }
    // Not the command's own time: that stands still while a batch runs.
    let until = unix_ms().checked_add(milliseconds);
    let until = until.ok_or_else(|| CommandError::text("ERR timeout is out of range"))?;
    Ok((milliseconds > 0).then_some(until))
}
