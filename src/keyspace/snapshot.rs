//! A copy of all data as of one moment, taken while commands go on changing it.
//!
//! The cut, made alone behind the gate, marks every shard as owing its entries. A walk then shows them in hash order, a few
//! at a time. Whoever is about to change a key that the walk has not reached shows its old entry first and notes the key, so
//! that the walk passes over what has come since. What is flushed meanwhile is walked apart from the shards.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hashbrown::HashSet;

use super::entry::{EntryRef, ValueMut, ValueRef};
use super::gate::Alone;
use super::lock::{Key, Keyspace, SHARDS, hash_bits};
use super::table::{Place, Table};
use crate::structures::{Object, ObjectRef};

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
    /// Receives all the rest: the value will not be there any longer.
    fn go_to_end(&mut self, object: ObjectRef<'_>);
    /// The value is about to change where it is.
    fn preserve(&mut self, object: &mut Object);
    /// The entry has been received.
    fn end(self: Box<Self>);
}

/// Elements of a big value that are looked at under one lock.
const SLICE: usize = 500;

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
    keep: Arc<dyn Keep>,
}

/// How a key is about to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// Its value will go, or become another one.
    Replace,
    /// Its value changes where it is.
    Amend,
}

impl Debt {
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
        if intent == Intent::Replace {
            return self.settle_replaced(table, place);
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

    /// Shows an entry, once, whose value may live on somewhere else, where it need not keep anything any longer.
    fn settle_replaced(&mut self, table: &mut Table, place: Place) {
        let key = table.element(place).key();
        let part = self.parts.iter().position(|part| *part.key == *key);
        self.settle_entry(table.element(place));
        if part.is_some()
            && let ValueMut::Object(object) = table.element_mut(place).value()
        {
            object.forgive();
        }
    }

    /// Before an entry of the table is removed: shows it, once.
    #[cold]
    pub fn settle_entry(&mut self, entry: EntryRef<'_>) {
        if self.concerns(hash_bits(entry.key()), entry.key()) {
            self.keep.keep(self.database, entry);
            self.changed.insert(entry.key().into());
        } else if let Some(at) = self.parts.iter().position(|part| *part.key == *entry.key()) {
            let Part { mut slices, .. } = self.parts.swap_remove(at);
            if let ValueRef::Object(object) = entry.value() {
                slices.go_to_end(object);
            }
            slices.end();
        }
    }

    /// Shows an entry, or the beginning of it; gives the work that this was.
    fn show(&mut self, entry: EntryRef<'_>) -> usize {
        match self.keep.begin(self.database, entry) {
            None => self.keep.keep(self.database, entry),
            Some(slices) => {
                let key = entry.key().into();
                self.parts.push(Part { key, slices });
                1
            }
        }
    }

    /// Shows a slice of the entries that have been shown in part; true when none is left.
    fn walk_parts(&mut self, table: &mut Table) -> bool {
        let Some(part) = self.parts.last_mut() else {
            return true;
        };
        // One that were gone would have been settled before.
        let is_done = part.with_object(table, |slices, object| slices.go_on(object, SLICE));
        if is_done.unwrap_or(true)
            && let Some(part) = self.parts.pop()
        {
            part.slices.end();
        }
        self.parts.is_empty()
    }

    /// Before the end of a copy that is given up: values keep nothing for it any longer.
    fn give_up(&mut self, table: &mut Table) {
        for part in &mut self.parts {
            part.with_object(table, |_, object| object.forgive());
        }
    }

    fn concerns(&self, bits: u64, key: &[u8]) -> bool {
        bits >= self.position && !self.is_at_end && !self.changed.contains(key)
    }

    /// Shows about `count` entries, and lowers it by as many; true when nothing is owed any more.
    fn walk(&mut self, table: &mut Table, count: &mut usize) -> bool {
        if !self.parts.is_empty() {
            *count = 0;
            let is_all = self.walk_parts(table) && self.is_at_end;
            return is_all;
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

/// A flushed table and what it owes.
pub(super) type Detached = (Table, Box<Debt>);

/// A copy in progress. Dropping it before its end gives it up.
pub struct Snapshot<'k> {
    keyspace: &'k Keyspace,
    /// The caller's lane through the gate.
    lane: usize,
    shard: usize,
    detached: Option<Detached>,
}

impl Keyspace {
    /// Begins a copy of everything as it is now, to be walked through the gate's lane `lane`. `None` while another copy is
    /// in progress.
    pub fn cut(&self, alone: &Alone<'_>, lane: usize, keep: Arc<dyn Keep>) -> Option<Snapshot<'_>> {
        if self.is_copying.swap(true, Relaxed) {
            return None;
        }
        let mut scope = self.everything(alone);
        for shard in 0..SHARDS {
            let databases = scope.walk_to(shard).databases_mut();
            for (database, part) in databases.filter(|(_, part)| !part.table.is_empty()) {
                part.debt = Some(Box::new(Debt {
                    database,
                    position: 0,
                    is_at_end: false,
                    parts: Vec::new(),
                    changed: HashSet::default(),
                    keep: keep.clone(),
                }));
            }
        }
        Some(Snapshot {
            keyspace: self,
            lane,
            shard: 0,
            detached: None,
        })
    }
}

impl Snapshot<'_> {
    /// Shows about `count` more entries; true at the end.
    pub fn walk(&mut self, mut count: usize) -> bool {
        let _passage = self.keyspace.gate().pass(self.lane);
        while self.shard < SHARDS {
            let mut scope = self.keyspace.lock_one(self.shard);
            // They are freed when the shard is unlocked.
            let mut paid = Vec::new();
            for (_, part) in scope.shard(self.shard).databases_mut() {
                let Some(debt) = &mut part.debt else { continue };
                if !debt.walk(&mut part.table, &mut count) {
                    return false;
                }
                paid.extend(part.debt.take());
            }
            drop(scope);
            self.shard += 1;
        }
        loop {
            let next = self
                .detached
                .take()
                .or_else(|| self.keyspace.detached.lock().pop());
            let Some((mut table, mut debt)) = next else {
                return true;
            };
            if !debt.walk(&mut table, &mut count) {
                self.detached = Some((table, debt));
                return false;
            }
        }
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let _passage = self.keyspace.gate().pass(self.lane);
        for shard in self.shard..SHARDS {
            let mut scope = self.keyspace.lock_one(shard);
            for (_, part) in scope.shard(shard).databases_mut() {
                if let Some(mut debt) = part.debt.take() {
                    debt.give_up(&mut part.table);
                }
            }
        }
        self.keyspace.detached.lock().clear();
        self.keyspace.is_copying.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    use parking_lot::Mutex;
    use proptest::prelude::*;

    use super::super::{AccessClock, Db, Expiry, Moment, Notes, Value, ValueRef};
    use super::*;

    type Contents = BTreeMap<(usize, Vec<u8>), (i64, Option<i64>)>;

    #[derive(Debug, Clone)]
    enum Step {
        Set(usize, usize, i64, Option<i64>),
        Add(usize, usize),
        Remove(usize, usize),
        Expire(usize, usize, Option<i64>),
        Sweep(usize, i64),
        Flush(usize),
        Swap,
        Walk(usize),
    }

    fn number(entry: EntryRef<'_>) -> i64 {
        match entry.value() {
            ValueRef::Int(number) => number,
            other => panic!("{other:?}"),
        }
    }

    fn with_db<R>(
        keyspace: &Keyspace,
        database: usize,
        key: Key<'_>,
        work: impl FnOnce(&mut Db<'_, '_>) -> R,
    ) -> R {
        let _passage = keyspace.gate().pass(0);
        let (mut scope, mut notes) = (keyspace.lock_one(key.shard()), Notes::default());
        let moment = Moment {
            now: 0,
            access: AccessClock::lru(0),
            no_touch: false,
            ignore_expiry: true,
            keeps_expired: false,
        };
        work(&mut Db::new(&mut scope, &mut notes, database, moment))
    }

    fn contents(keyspace: &Keyspace) -> Contents {
        let mut all = Contents::new();
        for database in 0..keyspace.databases() {
            let mut cursor = Some(super::super::Cursor::START);
            while let Some(at) = cursor {
                cursor = keyspace
                    .nothing()
                    .scan(database, at, 100, i64::MIN, |entry| {
                        all.insert(
                            (database, entry.key().to_vec()),
                            (number(entry), entry.expires_at()),
                        );
                    });
            }
        }
        all
    }

    /// Names of keys that all lie in the first two shards, whose tables so grow and shrink by segments.
    static NAMES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let names = (0u32..).map(|n| n.to_string().into_bytes());
        names
            .filter(|name| Key::new(name).shard() < 2)
            .take(KEYS)
            .collect()
    });
    const KEYS: usize = 6000;

    fn apply(keyspace: &Keyspace, step: &Step) {
        let name = |key: &usize| NAMES[*key].clone();
        match step {
            Step::Set(database, key, value, expires_at) => {
                let key = name(key);
                let expiry = expires_at.map_or(Expiry::Clear, Expiry::At);
                with_db(keyspace, *database, Key::new(&key), |db| {
                    db.set(Key::new(&key), Value::Int(*value), expiry)
                });
            }
            Step::Add(database, key) => {
                let key = name(key);
                with_db(keyspace, *database, Key::new(&key), |db| {
                    if let Some(super::super::ValueMut::Int(number)) =
                        db.change(Key::new(&key)).map(|entry| entry.value())
                    {
                        *number = number.wrapping_add(1);
                    }
                });
            }
            Step::Remove(database, key) => {
                let key = name(key);
                with_db(keyspace, *database, Key::new(&key), |db| {
                    drop(db.remove(Key::new(&key)))
                });
            }
            Step::Expire(database, key, expires_at) => {
                let key = name(key);
                with_db(keyspace, *database, Key::new(&key), |db| {
                    db.set_expiry(Key::new(&key), *expires_at)
                });
            }
            Step::Sweep(database, now) => {
                let _passage = keyspace.gate().pass(0);
                for shard in 0..SHARDS {
                    drop(
                        keyspace
                            .lock_one(shard)
                            .take_expired(*database, shard, *now, 100),
                    );
                }
            }
            Step::Flush(database) => {
                let alone = keyspace.gate().alone();
                drop(
                    keyspace
                        .everything(&alone)
                        .flush(*database..*database + 1, 0),
                );
            }
            Step::Swap => {
                let alone = keyspace.gate().alone();
                keyspace.everything(&alone).swap(0, 1, 0);
            }
            Step::Walk(_) => {}
        }
    }

    fn step() -> impl Strategy<Value = Step> {
        // Few keys, so that they are changed again and again; times are in the far future, where one deadline serves all.
        let (database, key, at) = (0usize..2, 0..KEYS, prop::option::of(1i64 << 50..1 << 51));
        prop_oneof![
            40 => (database.clone(), key.clone(), any::<i64>(), at.clone()).prop_map(|(d, k, v, at)| Step::Set(d, k, v, at)),
            20 => (database.clone(), key.clone()).prop_map(|(d, k)| Step::Add(d, k)),
            20 => (database.clone(), key.clone()).prop_map(|(d, k)| Step::Remove(d, k)),
            10 => (database.clone(), key, at).prop_map(|(d, k, at)| Step::Expire(d, k, at)),
            1 => (database.clone(), 1i64 << 50..1 << 51).prop_map(|(d, now)| Step::Sweep(d, now)),
            1 => database.prop_map(Step::Flush),
            1 => Just(Step::Swap),
            10 => (1usize..200).prop_map(Step::Walk),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn shows_the_moment_of_the_cut_whatever_happens_after(
            before in prop::collection::vec(step(), 0..6000),
            after in prop::collection::vec(step(), 0..6000),
        ) {
            let keyspace = Keyspace::new(3, 2);
            before.iter().for_each(|step| apply(&keyspace, step));
            let expected = contents(&keyspace);
            let seen = Arc::new(Mutex::new(Contents::new()));
            let keep = {
                let seen = seen.clone();
                Arc::new(move |database: usize, entry: EntryRef<'_>| {
                    let known = seen.lock().insert((database, entry.key().to_vec()), (number(entry), entry.expires_at()));
                    assert!(known.is_none(), "an entry was shown twice");
                })
            };
            let mut snapshot = {
                let alone = keyspace.gate().alone();
                keyspace.cut(&alone, 1, keep).expect("the only copy")
            };
            let mut is_done = false;
            for step in &after {
                match step {
                    Step::Walk(count) => is_done = is_done || snapshot.walk(*count),
                    step => apply(&keyspace, step),
                }
            }
            while !is_done {
                is_done = snapshot.walk(50);
            }
            prop_assert_eq!(&*seen.lock(), &expected);
            drop(snapshot);
            let alone = keyspace.gate().alone();
            let next = keyspace.cut(&alone, 1, Arc::new(|_: usize, _: EntryRef<'_>| {}));
            drop(alone);
            prop_assert!(next.is_some());
        }
    }
}
