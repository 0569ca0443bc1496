//! One database as a command sees it: keys found, changed and removed under the locks of its scope; expired keys never seen.

use std::sync::atomic::Ordering::Relaxed;

use super::access::AccessClock;
use super::audience::{Readers, Touched, WatchFlag};
use super::entry::{Entry, EntryMut, EntryRef, Value};
use super::lock::{Key, Scope};
use super::shard::ShardDatabase;
use super::snapshot::{Fate, Intent, Owing};
use super::table::{Place, Table};
use crate::base::deadline::Deadlines;

/// What a write does to the expiry that a key may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Leaves it.
    Keep,
    /// Takes it away.
    Clear,
    /// Sets it, in Unix milliseconds.
    At(i64),
}

/// What happened on the way that the command did not ask for.
#[derive(Debug, Default)]
pub struct Notes {
    /// Keys found.
    pub hits: u64,
    /// Keys not found.
    pub misses: u64,
    /// Keys that were met past their time and removed, to be told before the command's own effects.
    pub expired: Vec<Lost>,
}

/// A key that was removed because its time had passed.
#[derive(Debug)]
pub struct Lost {
    /// The database.
    pub database: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// Clients that keep copies of it.
    pub readers: Readers,
}

/// Time and policy under which a command looks at the keyspace.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Unix milliseconds; stands still during a transaction.
    pub now: i64,
    /// How accesses are recorded.
    pub access: AccessClock,
    /// Whether reads leave the access field alone (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// Whether expired keys are seen as if they were not expired: while a file is being loaded, and by who brings data.
    pub ignore_expiry: bool,
    /// Whether reads leave expired keys where they are, though they do not see them: during a pause, or while data is
    /// imported.
    pub keeps_expired: bool,
}

/// An entry on its way to another key or database.
pub struct Taken {
    entry: Entry,
    /// What a copy in progress still wants of it.
    owing: Option<Owing>,
}

impl From<Entry> for Taken {
    fn from(entry: Entry) -> Self {
        Self { entry, owing: None }
    }
}

/// A database within a scope.
pub struct Db<'s, 'k> {
    scope: &'s mut Scope<'k>,
    notes: &'s mut Notes,
    index: usize,
    moment: Moment,
}

impl<'s, 'k> Db<'s, 'k> {
    /// Database `index` within `scope`.
    #[inline]
    pub fn new(
        scope: &'s mut Scope<'k>,
        notes: &'s mut Notes,
        index: usize,
        moment: Moment,
    ) -> Self {
        Self {
            scope,
            notes,
            index,
            moment,
        }
    }

    /// The same scope, seen from another database.
    pub fn at(&mut self, index: usize) -> Db<'_, 'k> {
        Db {
            scope: self.scope,
            notes: self.notes,
            index,
            moment: self.moment,
        }
    }

    /// The same, but keys past their time are seen as if they were not.
    pub fn with_expired(&mut self) -> Db<'_, 'k> {
        Db {
            moment: Moment {
                ignore_expiry: true,
                ..self.moment
            },
            ..self.at(self.index)
        }
    }

    /// Whether any key may be asked for.
    pub fn is_everything(&self) -> bool {
        self.scope.is_everything()
    }

    /// The database's number.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The time at which the command runs, in Unix milliseconds.
    #[inline]
    pub fn now(&self) -> i64 {
        self.moment.now
    }

    /// Whether an expiry (Unix milliseconds) leaves a key no time at all. Never while a file is loaded: what it says next may
    /// give the key more.
    pub fn has_passed(&self, expires_at: i64) -> bool {
        expires_at <= self.moment.now && !self.moment.ignore_expiry
    }

    /// What has been noted so far.
    pub fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    /// How accesses are recorded.
    pub fn access_clock(&self) -> AccessClock {
        self.moment.access
    }

    /// The scope itself, for what concerns all shards.
    pub fn scope(&mut self) -> &mut Scope<'k> {
        self.scope
    }

    #[inline(always)]
    pub(super) fn part(&mut self, key: Key<'_>) -> &mut ShardDatabase {
        let index = self.index;
        self.scope.shard(key.shard()).database(index)
    }

    /// The table that holds a key which is about to change: what it holds now is shown to a copy in progress. Every change
    /// goes through here.
    #[inline(always)]
    pub(super) fn table_to_change(&mut self, key: Key<'_>) -> &mut Table {
        let part = self.part(key);
        part.preserve(key, Intent::Amend);
        &mut part.table
    }

    /// The same where nobody will look any more at the value that the key has now: a big one may leave its place at once, with
    /// nothing but a number left there.
    #[inline(always)]
    fn table_to_discard(&mut self, key: Key<'_>) -> &mut Table {
        let part = self.part(key);
        part.preserve(key, Intent::Discard(0));
        &mut part.table
    }

    /// Finds a key that has not expired; one that has is removed and noted.
    #[inline(never)]
    pub(super) fn find(&mut self, key: Key<'_>) -> Option<Place> {
        self.find_here(key)
    }

    /// [`Db::find`] without a call of it, for what is done most.
    #[inline(always)]
    pub(super) fn find_here(&mut self, key: Key<'_>) -> Option<Place> {
        let (now, ignore_expiry) = (self.moment.now, self.moment.ignore_expiry);
        let table = &self.part(key).table;
        let place = table.find(key.bits(), key.bytes)?;
        match table.element(place).expires_at() {
            Some(at) if at < now && !ignore_expiry => {
                self.expire(key, place);
                None
            }
            _ => Some(place),
        }
    }

    /// [`Db::find`] for readers.
    #[inline]
    fn find_to_read(&mut self, key: Key<'_>) -> Option<Place> {
        match self.moment.keeps_expired {
            true => self.find_kept(key),
            false => self.find(key),
        }
    }

    #[cold]
    fn find_kept(&mut self, key: Key<'_>) -> Option<Place> {
        let (now, ignore_expiry) = (self.moment.now, self.moment.ignore_expiry);
        let table = &self.part(key).table;
        let place = table.find(key.bits(), key.bytes)?;
        let expires_at = table.element(place).expires_at();
        (ignore_expiry || expires_at.is_none_or(|at| at >= now)).then_some(place)
    }

    #[cold]
    fn expire(&mut self, key: Key<'_>, place: Place) {
        let hint = self.scope.keyspace().hint(self.index, key.shard());
        let entry = self.table_to_discard(key).remove(place, hint);
        self.discard(entry);
        let readers = self.take_readers(key);
        self.notes.expired.push(Lost {
            database: self.index,
            key: key.bytes.into(),
            readers,
        });
    }

    /// Frees what was taken out or overwritten: in the background where that takes long.
    #[inline]
    pub(super) fn discard(&self, entry: Entry) {
        if entry.view().is_object() {
            self.scope.keyspace().reclaimer().free(entry);
        }
    }

    /// The entry of a key, counted as a hit or a miss, and marked as used.
    #[inline]
    pub fn read(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        let place = match self.moment.keeps_expired {
            true => self.find_kept(key),
            false => self.find_here(key),
        };
        match place {
            Some(place) => {
                self.notes.hits += 1;
                let moment = self.moment;
                let table = &mut self.part(key).table;
                if !moment.no_touch {
                    let mut entry = table.element_mut(place);
                    let field = entry.view().access();
                    entry.set_access(moment.access.touched(field));
                }
                Some(table.element(place))
            }
            None => {
                self.notes.misses += 1;
                None
            }
        }
    }

    /// The entry of a key, counted as a hit or a miss, but not marked as used.
    pub fn look(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        let Some(place) = self.find_to_read(key) else {
            self.notes.misses += 1;
            return None;
        };
        self.notes.hits += 1;
        Some(self.part(key).table.element(place))
    }

    /// The entry of a key, without a trace.
    #[inline]
    pub fn peek(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        let place = self.find_to_read(key)?;
        Some(self.part(key).table.element(place))
    }

    /// The entry of a key that has been found before, without a trace; several may be looked at beside each other.
    pub fn view(&self, key: Key<'_>) -> Option<EntryRef<'_>> {
        let part = self.scope.held(key.shard())?.get(self.index)?;
        let entry = part.table.element(part.table.find(key.bits(), key.bytes)?);
        let is_alive = entry.expires_at().is_none_or(|at| at >= self.moment.now);
        (is_alive || self.moment.ignore_expiry).then_some(entry)
    }

    /// Bytes that a key and its value take: their allocations, and their share of the table.
    pub fn footprint(&mut self, key: Key<'_>) -> Option<usize> {
        let place = self.find_to_read(key)?;
        let table = &self.part(key).table;
        let entry = table.element(place);
        let own = entry.allocated() + entry.value_allocated();
        Some(own + table.allocated().div_ceil(table.len().max(1)))
    }

    /// The entry of a key, to be changed in place, marked as used.
    #[inline]
    pub fn change(&mut self, key: Key<'_>) -> Option<EntryMut<'_>> {
        let place = self.find_here(key)?;
        let access = self.moment.access;
        let mut entry = self.table_to_change(key).element_mut(place);
        let field = entry.view().access();
        entry.set_access(access.touched(field));
        Some(entry)
    }

    /// Where the entry of a key is, to be changed in place.
    #[inline]
    pub(super) fn slot(&mut self, key: Key<'_>) -> Option<(&mut Table, Place)> {
        let place = self.find(key)?;
        Some((self.table_to_change(key), place))
    }

    /// Stores a value under a key, whatever was there. True when the key is new.
    #[inline]
    pub fn set(&mut self, key: Key<'_>, value: Value<'_>, expiry: Expiry) -> bool {
        let Some(place) = self.find_here(key) else {
            self.add(key, value, expiry);
            return true;
        };
        let access = self.moment.access;
        let mut entry = self.table_to_discard(key).element_mut(place);
        let known = entry.view().expires_at();
        let expires_at = match expiry {
            Expiry::Keep => known,
            Expiry::Clear => None,
            Expiry::At(at) => Some(at),
        };
        let field = entry.view().access();
        if known.is_some() == expires_at.is_some() && entry.overwrite(&value) {
            entry.set_access(access.touched(field));
            if let Some(at) = expires_at {
                entry.move_expiry(at);
            }
        } else {
            let entry = Entry::new(key.bytes, value, expires_at, access.touched(field));
            let has_due_parts = entry.view().parts_deadline().is_some();
            let old = self.part(key).table.exchange(place, entry);
            self.discard(old);
            if has_due_parts {
                self.arm_parts(key);
            }
        }
        if let Expiry::At(at) = expiry {
            self.arm(key, place, at);
        }
        false
    }

    /// Stores a value under a key that has been looked for and is not there.
    #[inline]
    pub fn add(&mut self, key: Key<'_>, value: Value<'_>, expiry: Expiry) {
        let expires_at = match expiry {
            Expiry::At(at) => Some(at),
            Expiry::Keep | Expiry::Clear => None,
        };
        let access = self.moment.access.fresh();
        self.insert(key, Entry::new(key.bytes, value, expires_at, access));
    }

    /// Adds an entry whose key is not there.
    pub(super) fn insert(&mut self, key: Key<'_>, entry: Entry) {
        let (expires_at, parts) = (entry.view().expires_at(), entry.view().parts_deadline());
        let hint = self.scope.keyspace().hint(self.index, key.shard());
        let place = self.table_to_change(key).insert(key.bits(), entry, hint);
        if let Some(deadline) = parts {
            self.part(key).table.set_deadline(place, deadline, hint);
        }
        if let Some(at) = expires_at {
            self.arm(key, place, at);
        }
    }

    fn arm(&mut self, key: Key<'_>, place: Place, at: i64) {
        let hint = self.scope.keyspace().hint(self.index, key.shard());
        self.part(key)
            .table
            .set_deadline(place, Deadlines::of(at), hint);
    }

    /// Notes that something within a key's value has got a deadline.
    pub fn arm_parts(&mut self, key: Key<'_>) {
        let hint = self.scope.keyspace().hint(self.index, key.shard());
        let table = &mut self.part(key).table;
        if let Some(place) = table.find(key.bits(), key.bytes)
            && let Some(deadline) = table.element(place).parts_deadline()
        {
            table.set_deadline(place, deadline, hint);
        }
    }

    /// Whether values in a key's shard may have parts whose time has passed. Never while a file is loaded: what it says next
    /// may give them more.
    #[inline]
    pub fn may_have_due_parts(&self, key: Key<'_>) -> bool {
        let keyspace = self.scope.keyspace();
        let hint = keyspace.hints(self.index).get(key.shard());
        hint.is_some_and(|hint| {
            hint.deadline() != u32::MAX && hint.deadline() <= Deadlines::of(self.moment.now)
        }) && !self.moment.ignore_expiry
    }

    /// Gives a key an expiry, or takes it away. The key must be there.
    pub fn set_expiry(&mut self, key: Key<'_>, expires_at: Option<i64>) {
        let Some(place) = self.find(key) else { return };
        let table = self.table_to_change(key);
        if let Some(at) = expires_at {
            if table.element_mut(place).move_expiry(at) {
                return self.arm(key, place, at);
            }
        } else if table.element(place).expires_at().is_none() {
            return;
        }
        table.replace(place, |entry| entry.rebuilt(key.bytes, expires_at));
        if let Some(at) = expires_at {
            self.arm(key, place, at);
        }
    }

    /// Marks a key as used that is about to be changed or moved.
    pub fn meet(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        let place = self.find(key)?;
        let access = self.moment.access;
        let table = &mut self.part(key).table;
        let mut entry = table.element_mut(place);
        let field = entry.view().access();
        entry.set_access(access.touched(field));
        Some(table.element(place))
    }

    /// Removes a key and gives what is left to be freed: a big value may have gone to a copy in progress.
    pub fn remove(&mut self, key: Key<'_>) -> Option<Entry> {
        let place = self.find(key)?;
        let hint = self.scope.keyspace().hint(self.index, key.shard());
        Some(self.table_to_discard(key).remove(place, hint))
    }

    /// Removes a key to make room. Says how many bytes will be free only later.
    pub fn evict(&mut self, key: Key<'_>) -> Option<u64> {
        let place = self.find(key)?;
        let keyspace = self.scope.keyspace();
        let hint = keyspace.hint(self.index, key.shard());
        let part = self.part(key);
        let promised = keyspace.reclaimer().promise(part.table.element(place));
        part.preserve(key, Intent::Discard(promised));
        let entry = part.table.remove(place, hint);
        keyspace.reclaimer().free_promised(entry, promised);
        Some(promised)
    }

    /// Takes a key's entry out, to be [put](Db::put) elsewhere.
    pub fn take(&mut self, key: Key<'_>) -> Option<Taken> {
        let place = self.find(key)?;
        let hint = self.scope.keyspace().hint(self.index, key.shard());
        let ShardDatabase { table, debt, .. } = self.part(key);
        let entry = table.element(place);
        let owing = (debt.as_mut()).and_then(|debt| debt.release(entry, Fate::Moved));
        let entry = table.remove(place, hint);
        Some(Taken { entry, owing })
    }

    /// Puts an entry taken elsewhere under a key; gives what is left to be freed of what was there.
    pub fn put(&mut self, key: Key<'_>, taken: Taken) -> Option<Entry> {
        let old = self.put_entry(key, taken.entry);
        if let Some(owing) = taken.owing {
            owing.follow(&mut self.part(key).debt, key);
        }
        old
    }

    fn put_entry(&mut self, key: Key<'_>, mut entry: Entry) -> Option<Entry> {
        let expires_at = entry.view().expires_at();
        let has_due_parts = entry.view().parts_deadline().is_some();
        if entry.view().key() != key.bytes {
            entry = entry.rebuilt(key.bytes, expires_at);
        }
        let Some(place) = self.find(key) else {
            self.insert(key, entry);
            return None;
        };
        let old = self.table_to_discard(key).exchange(place, entry);
        if let Some(at) = expires_at {
            self.arm(key, place, at);
        }
        if has_due_parts {
            self.arm_parts(key);
        }
        Some(old)
    }

    /// Raises the flags of those who WATCH a key; says who else is to be told.
    #[inline]
    pub fn touch(&mut self, key: Key<'_>) -> Touched {
        self.part(key).touch(key)
    }

    /// Has a waiter told when the key changes.
    pub fn wait(&mut self, key: Key<'_>, number: u64) {
        self.part(key)
            .with_audience(|audience| audience.wait(key, number));
    }

    /// Has `flag` raised when the key changes.
    pub fn watch(&mut self, key: Key<'_>, flag: &WatchFlag) {
        self.part(key)
            .with_audience(|audience| audience.watch(key, flag));
    }

    /// Undoes [`Db::watch`].
    pub fn unwatch(&mut self, key: Key<'_>, flag: &WatchFlag) {
        self.part(key)
            .with_known_audience(|audience| audience.unwatch(key.bytes, flag));
    }

    /// Notes that a client keeps a copy of a key.
    pub fn remember(&mut self, key: Key<'_>, reader: u64) {
        let part = self.part(key);
        let growth = part.with_audience(|audience| audience.remember(key, reader));
        if growth.readers > 0 {
            let copies = &self.scope.keyspace().copies;
            copies.keys.fetch_add(growth.keys, Relaxed);
            copies.readers.fetch_add(growth.readers, Relaxed);
        }
    }

    /// Takes out the clients that keep copies of a key.
    pub fn take_readers(&mut self, key: Key<'_>) -> Readers {
        let index = self.index;
        self.scope.take_readers(index, key)
    }
}
