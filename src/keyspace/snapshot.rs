//! A copy of all data as of one moment, taken while commands go on changing it.
//!
//! The cut, made alone behind the gate, marks every shard as owing its entries. A walk then shows them in hash order, a few
//! at a time. Whoever is about to change a key that the walk has not reached shows its old entry first and notes the key, so
//! that the walk passes over what has come since. What is flushed meanwhile is walked apart from the shards, and so are big
//! values that are deleted or overwritten; one that gets another name is walked where it has gone.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hashbrown::HashSet;
use parking_lot::Mutex;

use super::entry::{Entry, EntryRef, Value, ValueMut};
use super::gate::Alone;
use super::lock::{Key, Keyspace, SHARDS, hash_bits};
use super::reclaim::Reclaimer;
use super::table::{Place, Table};
use crate::structures::{Kept, Object};

/// Receives each entry of the cut once, under the lock of the entry's shard.
pub trait Keep: Send + Sync {
    /// Receives an entry, with its database. Says how many ordinary entries that was worth, as work goes.
    fn keep(&self, database: usize, entry: EntryRef<'_>) -> usize;

    /// Begins to receive an entry with a value so big that it is looked at in slices, between which its shard is unlocked;
    /// `None` for one that is received at once.
    fn begin(&self, _database: usize, _entry: EntryRef<'_>) -> Option<Box<dyn Slices>> {
        None
    }
}

impl<F: Fn(usize, EntryRef<'_>) + Send + Sync> Keep for F {
    fn keep(&self, database: usize, entry: EntryRef<'_>) -> usize {
        self(database, entry);
        1
    }
}

/// An entry whose value is received in slices, as it was when that began.
pub trait Slices: Send {
    /// Receives about so many elements more; true at the end.
    fn go_on(&mut self, object: &mut Object, count: usize) -> bool;
    /// The value is about to change where it is.
    fn preserve(&mut self, object: &mut Object);
    /// The entry has been received. This, and the end of one that is given up, may free much: nothing is locked.
    fn end(self: Box<Self>);
}

/// Elements of a big value that are looked at under one lock.
const SLICE: usize = 500;

/// The same of one that has left the keyspace, where nobody waits for a lock: until the copy may be given up.
const SLICE_OF_ORPHAN: usize = 20 * SLICE;

/// An entry that has been shown in part.
struct Part {
    key: Box<[u8]>,
    slices: Box<dyn Slices>,
}

impl Part {
    /// Does something with the value, if it is there.
    fn with_object<R>(
        &mut self,
        table: &mut Table,
        work: impl FnOnce(&mut dyn Slices, &mut Object) -> R,
    ) -> Option<R> {
        let place = table.find(hash_bits(&self.key), &self.key)?;
        match table.element_mut(place).value() {
            ValueMut::Object(object) => Some(work(&mut *self.slices, object)),
            _ => None,
        }
    }
}

/// Who receives a copy, and what waits to be shown to it elsewhere than where the cut has found it.
struct Recipient {
    keep: Arc<dyn Keep>,
    /// What has left the keyspace. Entered under the locks of the shards that the entries were taken from.
    orphans: Mutex<Vec<Orphan>>,
    /// Shards to which entries have come; entered under these shards' locks.
    strays: Mutex<Vec<usize>>,
    reclaimer: Arc<Reclaimer>,
}

/// Where an entry goes that leaves its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is freed.
    Gone,
    /// It gets another name, or comes into another database.
    Moved,
}

/// What is still wanted of a big entry that leaves its place.
pub(super) struct Owing {
    database: usize,
    /// Nothing where the entry is received at once.
    slices: Option<Box<dyn Slices>>,
    recipient: Arc<Recipient>,
}

/// An entry that has left the keyspace. Nobody else can reach it, so it is shown without locks.
struct Orphan {
    entry: Entry,
    /// See [`Reclaimer::promise`].
    promised: u64,
    owing: Owing,
}

impl Owing {
    /// Takes the entry, which is freed when it has been shown; `promised` bytes were said to be free then.
    #[cold]
    pub fn take(self, entry: Entry, promised: u64) {
        let recipient = self.recipient.clone();
        recipient.orphans.lock().push(Orphan {
            entry,
            promised,
            owing: self,
        });
    }

    /// Goes on with the entry where it has got, under this key. What was there before has been seen to.
    #[cold]
    pub fn follow(self, debt: &mut Option<Box<Debt>>, key: Key<'_>) {
        let Some(slices) = self.slices else { return };
        let debt = debt.get_or_insert_with(|| {
            let mut debt = Debt::new(self.database, self.recipient.clone());
            debt.is_at_end = true;
            Box::new(debt)
        });
        let key_bytes = key.bytes.into();
        debt.parts.push(Part {
            key: key_bytes,
            slices,
        });
        self.recipient.strays.lock().push(key.shard());
    }
}

/// What is left in the place of an entry that has been given away: nothing but its name and what it says of itself.
pub(super) fn stub(entry: EntryRef<'_>) -> Entry {
    let (key, expires_at) = (entry.key(), entry.expires_at());
    Entry::new(key, Value::Int(0), expires_at, entry.access())
}

impl Orphan {
    /// Shows a slice of it; true at its end.
    fn walk(&mut self) -> bool {
        let Owing {
            database,
            slices,
            recipient,
        } = &mut self.owing;
        let Some(slices) = slices else {
            recipient.keep.keep(*database, self.entry.view());
            return true;
        };
        match self.entry.exclusive().value() {
            ValueMut::Object(object) => slices.go_on(object, SLICE_OF_ORPHAN),
            _ => true,
        }
    }

    /// Tells that all of it has been shown.
    fn end(&mut self) {
        if let Some(slices) = self.owing.slices.take() {
            slices.end();
        }
    }

    fn free(self) {
        let reclaimer = self.owing.recipient.reclaimer.clone();
        reclaimer.free_promised(self.entry, self.promised);
    }
}

/// What a shard's part of a database owes to the copy in progress: its entries at or behind a position in hash order.
pub(super) struct Debt {
    /// The database's number at the cut.
    database: usize,
    position: u64,
    /// Whether there is nothing behind the position but what has been shown in part.
    is_at_end: bool,
    /// Keys behind the position that have changed since the cut; what they held has been shown.
    changed: HashSet<Box<[u8]>, foldhash::fast::RandomState>,
    /// Entries before the position that have been shown in part. They are hardly ever more than one.
    parts: Vec<Part>,
    recipient: Arc<Recipient>,
}

/// How a key is about to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// Its entry will go, or another one will take its place; nobody will look at its value any more. So many bytes have been
    /// promised to be free then, see [`Reclaimer::promise`].
    Discard(u64),
    /// It changes where it is.
    Amend,
}

impl Debt {
    /// Owes all that there is.
    fn new(database: usize, recipient: Arc<Recipient>) -> Self {
        Self {
            database,
            position: 0,
            is_at_end: false,
            changed: HashSet::default(),
            parts: Vec::new(),
            recipient,
        }
    }

    /// Before a key changes: shows what it holds, once, or has it kept until that is shown.
    #[cold]
    pub fn settle(&mut self, table: &mut Table, key: Key<'_>, intent: Intent) {
        let is_due = self.concerns(key.bits(), key.bytes);
        if !is_due && self.parts.is_empty() {
            return;
        }
        let Some(place) = table.find(key.bits(), key.bytes) else {
            if is_due {
                self.changed.insert(key.bytes.into());
            }
            return;
        };
        if let Intent::Discard(promised) = intent {
            return self.settle_discarded(table, place, promised);
        }
        if is_due {
            self.show(table.element(place));
            self.changed.insert(key.bytes.into());
        }
        if let Some(part) = self.parts.iter_mut().find(|part| *part.key == *key.bytes)
            && let ValueMut::Object(object) = table.element_mut(place).value()
        {
            part.slices.preserve(object);
        }
    }

    /// Shows an entry, once, that nobody will look at any more; a big one leaves its place for that.
    fn settle_discarded(&mut self, table: &mut Table, place: Place, promised: u64) {
        let entry = table.element(place);
        if let Some(owing) = self.release(entry, Fate::Gone) {
            let stub = stub(entry);
            owing.take(table.exchange(place, stub), promised);
        }
    }

    /// Before an entry leaves its place: gives what is still wanted of a big one; shows another one, once.
    #[cold]
    pub fn release(&mut self, entry: EntryRef<'_>, fate: Fate) -> Option<Owing> {
        let key = entry.key();
        let slices = if let Some(at) = self.parts.iter().position(|part| *part.key == *key) {
            Some(self.parts.swap_remove(at).slices)
        } else if self.concerns(hash_bits(key), key) {
            self.changed.insert(key.into());
            let is_small = Reclaimer::is_small(entry);
            let begin = || self.recipient.keep.begin(self.database, entry);
            let slices = (!is_small).then(begin).flatten();
            // What is not looked at in slices can wait only where nobody else will look at it.
            if slices.is_none() && (is_small || fate == Fate::Moved) {
                self.recipient.keep.keep(self.database, entry);
                return None;
            }
            slices
        } else {
            return None;
        };
        Some(Owing {
            database: self.database,
            slices,
            recipient: self.recipient.clone(),
        })
    }

    /// Shows an entry, or the beginning of it; gives the work that this was.
    fn show(&mut self, entry: EntryRef<'_>) -> usize {
        match self.recipient.keep.begin(self.database, entry) {
            None => self.recipient.keep.keep(self.database, entry),
            Some(slices) => {
                let key = entry.key().into();
                self.parts.push(Part { key, slices });
                1
            }
        }
    }

    /// Shows a slice of the entries that have been shown in part, and takes out one that is complete; true when none is left.
    fn walk_parts(&mut self, table: &mut Table, complete: &mut Complete) -> bool {
        let Some(part) = self.parts.last_mut() else {
            return true;
        };
        // One that were gone would have been settled before.
        let rest = part.with_object(table, |slices, object| {
            let is_done = slices.go_on(object, SLICE);
            is_done.then(|| object.forgive())
        });
        if let Some(kept) = rest.unwrap_or(Some(None))
            && let Some(part) = self.parts.pop()
        {
            complete.push((part.slices, kept));
        }
        self.parts.is_empty()
    }

    /// Before the end of a copy that is given up: values keep nothing for it any longer. Gives what they kept.
    fn give_up(&mut self, table: &mut Table) -> Vec<Kept> {
        let parts = self.parts.iter_mut();
        let kept = parts.map(|part| part.with_object(table, |_, object| object.forgive()));
        kept.flatten().flatten().collect()
    }

    fn concerns(&self, bits: u64, key: &[u8]) -> bool {
        bits >= self.position && !self.is_at_end && !self.changed.contains(key)
    }

    /// Shows about `count` entries, and lowers it by as many; true when nothing is owed any more.
    fn walk(&mut self, table: &mut Table, count: &mut usize, complete: &mut Complete) -> bool {
        if !self.parts.is_empty() {
            *count = 0;
            let is_all = self.walk_parts(table, complete) && self.is_at_end;
            return is_all;
        }
        if self.is_at_end {
            return true;
        }
        while *count > 0 {
            let next = table.scan(self.position, |entry| {
                // A table that has shrunk may begin a little before the position.
                let is_due = self.concerns(hash_bits(entry.key()), entry.key());
                let work = if is_due { self.show(entry) } else { 1 };
                *count = count.saturating_sub(work);
            });
            match next {
                Some(position) => self.position = position,
                None => self.is_at_end = true,
            }
            if !self.parts.is_empty() {
                *count = 0;
            } else if self.is_at_end {
                return true;
            }
        }
        false
    }
}

/// Entries that have been shown slice by slice, to the last one, with what their values kept for that.
type Complete = Vec<(Box<dyn Slices>, Option<Kept>)>;

/// A flushed table and what it owes.
pub(super) type Detached = (Table, Box<Debt>);

/// A copy in progress. Dropping it before its end gives it up.
pub struct Snapshot<'k> {
    keyspace: &'k Keyspace,
    /// The caller's lane through the gate.
    lane: usize,
    shard: usize,
    detached: Option<Detached>,
    orphan: Option<Orphan>,
    /// To be told so when nothing is locked.
    complete: Complete,
    recipient: Arc<Recipient>,
}

impl Keyspace {
    /// Begins a copy of everything as it is now, to be walked through the gate's lane `lane`. `None` while another copy is
    /// in progress.
    pub fn cut(&self, alone: &Alone<'_>, lane: usize, keep: Arc<dyn Keep>) -> Option<Snapshot<'_>> {
        if self.is_copying.swap(true, Relaxed) {
            return None;
        }
        let recipient = Arc::new(Recipient {
            keep,
            orphans: Mutex::default(),
            strays: Mutex::default(),
            reclaimer: self.reclaimer.clone(),
        });
        let mut scope = self.everything(alone);
        for shard in 0..SHARDS {
            let databases = scope.walk_to(shard).databases_mut();
            for (database, part) in databases.filter(|(_, part)| !part.table.is_empty()) {
                part.debt = Some(Box::new(Debt::new(database, recipient.clone())));
            }
        }
        Some(Snapshot {
            keyspace: self,
            lane,
            shard: 0,
            detached: None,
            orphan: None,
            complete: Vec::new(),
            recipient,
        })
    }
}

impl Snapshot<'_> {
    /// Shows about `count` more entries; true at the end.
    pub fn walk(&mut self, mut count: usize) -> bool {
        if self.walk_orphan() {
            return false;
        }
        let passage = self.keyspace.gate().pass(self.lane);
        let is_all = self.walk_shards(&mut count)
            && self.walk_detached(&mut count)
            && self.recipient.orphans.lock().is_empty();
        drop(passage);
        self.complete.drain(..).for_each(|(slices, _)| slices.end());
        is_all
    }

    /// Shows a slice of an entry that has left the keyspace; false when there is none.
    fn walk_orphan(&mut self) -> bool {
        let next = || self.recipient.orphans.lock().pop();
        let Some(mut orphan) = self.orphan.take().or_else(next) else {
            return false;
        };
        if orphan.walk() {
            orphan.end();
            orphan.free();
        } else {
            self.orphan = Some(orphan);
        }
        true
    }

    /// Shows entries of the shards, and lowers the count by as many; true when they owe nothing any more.
    fn walk_shards(&mut self, count: &mut usize) -> bool {
        while self.shard < SHARDS {
            if !self.walk_shard(self.shard, count) {
                return false;
            }
            self.shard += 1;
        }
        while let Some(shard) = self.next_stray() {
            if !self.walk_shard(shard, count) {
                self.recipient.strays.lock().push(shard);
                return false;
            }
        }
        true
    }

    fn next_stray(&self) -> Option<usize> {
        self.recipient.strays.lock().pop()
    }

    /// The same for one shard.
    fn walk_shard(&mut self, shard: usize, count: &mut usize) -> bool {
        let mut scope = self.keyspace.lock_one(shard);
        // They are freed when the shard is unlocked.
        let mut paid = Vec::new();
        for (_, part) in scope.shard(shard).databases_mut() {
            let Some(debt) = &mut part.debt else { continue };
            if !debt.walk(&mut part.table, count, &mut self.complete) {
                return false;
            }
            paid.extend(part.debt.take());
        }
        drop(scope);
        true
    }

    /// The same for what was flushed.
    fn walk_detached(&mut self, count: &mut usize) -> bool {
        loop {
            let next = || self.keyspace.detached.lock().pop();
            let Some((mut table, mut debt)) = self.detached.take().or_else(next) else {
                return true;
            };
            if !debt.walk(&mut table, count, &mut self.complete) {
                self.detached = Some((table, debt));
                return false;
            }
            self.recipient.reclaimer.free_table(table);
        }
    }
}

impl Snapshot<'_> {
    /// Has a shard owe nothing any more; gives what it owed to `given_up`.
    fn give_up(&self, shard: usize, given_up: &mut Vec<(Debt, Vec<Kept>)>) {
        let mut scope = self.keyspace.lock_one(shard);
        for (_, part) in scope.shard(shard).databases_mut() {
            if let Some(mut debt) = part.debt.take() {
                let kept = debt.give_up(&mut part.table);
                given_up.push((*debt, kept));
            }
        }
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // They are freed when nothing is locked.
        let mut given_up = Vec::new();
        let passage = self.keyspace.gate().pass(self.lane);
        (self.shard..SHARDS).for_each(|shard| self.give_up(shard, &mut given_up));
        while let Some(shard) = self.next_stray() {
            self.give_up(shard, &mut given_up);
        }
        let detached = std::mem::take(&mut *self.keyspace.detached.lock());
        for (table, debt) in detached.into_iter().chain(self.detached.take()) {
            self.recipient.reclaimer.free_table(table);
            given_up.push((*debt, Vec::new()));
        }
        let orphans = std::mem::take(&mut *self.recipient.orphans.lock());
        let orphans = orphans.into_iter().chain(self.orphan.take());
        orphans.for_each(Orphan::free);
        self.keyspace.is_copying.store(false, Relaxed);
        drop(passage);
    }
}
