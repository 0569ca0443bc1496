//! What concerns whole shards: expiry when it is due, SCAN's walk, random keys, flushing and swapping databases.

use std::sync::atomic::Ordering::Relaxed;

use super::audience::{Readers, WatchFlag};
use super::entry::{Entry, EntryRef};
use super::hint::Hint;
use super::lock::{Key, Keyspace, SHARDS, Scope};
use super::shard::{Shard, ShardDatabase};
use super::snapshot::{Fate, stub};
use super::table::Table;
use crate::base::deadline::Deadlines;
use crate::base::random;

/// Expiries after which no more are looked at for their average.
const ENOUGH_FOR_AN_AVERAGE: i128 = 1000;
/// Keys after which no more are asked whether something within them expires.
const ENOUGH_FOR_A_COUNT: usize = 20_000;

/// Where a walk over a database stands; as a number it is SCAN's cursor. Walks go in hash order, so a cursor stays valid
/// while tables grow and shrink. It fits 53 bits, since some clients keep it in a double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    shard: usize,
    /// The upper half of the hash bits within the shard.
    position: u32,
}

impl Cursor {
    /// Before the first key.
    pub const START: Self = Self {
        shard: 0,
        position: 0,
    };

    /// The cursor that a client sends back; nonsense walks from wherever it points.
    pub fn from_number(number: u64) -> Self {
        Self {
            shard: (number >> 32) as usize % SHARDS,
            position: number as u32,
        }
    }

    /// The cursor for a client; 0 is the start, and the end.
    pub fn number(self) -> u64 {
        (self.shard as u64) << 32 | u64::from(self.position)
    }

    fn next_shard(self) -> Option<Self> {
        (self.shard + 1 < SHARDS).then_some(Self {
            shard: self.shard + 1,
            position: 0,
        })
    }
}

/// What was found to be past its time.
pub struct Expired {
    /// Keys, which have been taken out.
    pub entries: Vec<Entry>,
    /// Keys whose values have parts that are past their time; they are still there.
    pub partly: Vec<Box<[u8]>>,
    /// Whether nothing more is due.
    pub done: bool,
}

/// What flushing took out; dropping it frees the memory, which takes its time: do it where nobody waits.
pub struct Dropped(#[allow(dead_code)] Vec<Table>);

impl Keyspace {
    /// Whether something in a shard of a database is due, without locking it.
    pub fn is_due(&self, database: usize, shard: usize, now: i64) -> bool {
        self.hints(database)
            .get(shard)
            .is_some_and(|hint| hint.deadline() < Deadlines::of(now))
    }
}

impl<'k> Scope<'k> {
    /// Undoes [`Db::watch`](super::Db::watch).
    pub fn unwatch(&mut self, database: usize, key: Key<'_>, flag: &WatchFlag) {
        let part = self.shard(key.shard()).database(database);
        part.with_known_audience(|audience| audience.unwatch(key.bytes, flag));
    }

    /// Undoes [`Db::wait`](super::Db::wait).
    pub fn stop_waiting(&mut self, database: usize, key: Key<'_>, number: u64) {
        let part = self.shard(key.shard()).database(database);
        part.with_known_audience(|audience| audience.stop_waiting(key.bytes, number));
    }

    /// The oldest waiter for a key whose number is above another.
    pub fn next_waiter(&mut self, database: usize, key: Key<'_>, after: u64) -> Option<u64> {
        let part = self.shard(key.shard()).get(database)?;
        part.audience()?.next_waiter(key.bytes, after)
    }

    /// Keys of a database that somebody waits for. The scope must be over everything.
    pub fn waited_for(&mut self, database: usize) -> Vec<Box<[u8]>> {
        let mut keys = Vec::new();
        for shard in 0..SHARDS {
            let part = self.walk_to(shard).get(database);
            if let Some(audience) = part.and_then(ShardDatabase::audience) {
                keys.extend(audience.waited_for().map(Box::from));
            }
        }
        keys
    }

    /// Takes out the clients that keep copies of a key.
    pub fn take_readers(&mut self, database: usize, key: Key<'_>) -> Readers {
        let part = self.shard(key.shard()).database(database);
        let taken = part.with_known_audience(|audience| audience.take_readers(key.bytes));
        let readers = taken.unwrap_or_default();
        if !readers.is_empty() {
            self.keyspace().copies.forget(1, readers.len() as u64);
        }
        readers
    }

    /// Takes out some keys of one locked shard that clients keep copies of, as many as `count` says, and lowers it by as many.
    pub fn take_some_readers(
        &mut self,
        shard: usize,
        count: &mut u64,
    ) -> Vec<(Box<[u8]>, Readers)> {
        let mut taken = Vec::new();
        for (_, part) in self.shard(shard).databases_mut() {
            let some = part.with_known_audience(|audience| audience.take_some_readers(count));
            taken.append(&mut some.unwrap_or_default());
        }
        let readers: usize = taken.iter().map(|(_, readers)| readers.len()).sum();
        let copies = &self.keyspace().copies;
        copies.forget(taken.len() as u64, readers as u64);
        taken
    }

    /// Forgets which clients keep copies. The scope must be over everything.
    pub fn forget_readers(&mut self) {
        if self.keyspace().copies.keys.load(Relaxed) == 0 {
            return;
        }
        for shard in 0..SHARDS {
            self.walk_to(shard);
            let mut all = u64::MAX;
            drop(self.take_some_readers(shard, &mut all));
        }
    }

    /// Whether a key is there and not past its time.
    pub fn is_alive(&mut self, database: usize, key: Key<'_>, now: i64) -> bool {
        let part = self.shard(key.shard()).get(database);
        part.is_some_and(|part| part.is_alive(key.bytes, now))
    }

    /// Takes out keys of one locked shard whose time has passed, looking at about `limit` of those due.
    pub fn take_expired(
        &mut self,
        database: usize,
        shard: usize,
        now: i64,
        limit: usize,
    ) -> Expired {
        let mut partly = Vec::new();
        // What a copy in progress still wants of those taken out, in their order.
        let mut owed = Vec::new();
        let hint = self.keyspace().hint(database, shard);
        let ShardDatabase { table, debt, .. } = self.shard(shard).database(database);
        let deadline_of = |entry: EntryRef<'_>| match entry.expires_at() {
            Some(at) if at < now => {
                if let Some(debt) = debt {
                    owed.push(debt.release(entry, Fate::Gone));
                }
                None
            }
            at => {
                let parts = entry.parts_deadline();
                if parts.is_some_and(|deadline| deadline < Deadlines::of(now)) {
                    partly.push(entry.key().into());
                }
                let own = at.map_or(u32::MAX, Deadlines::of);
                // What is due now is armed anew once it has been seen to.
                Some(own.min(parts.unwrap_or(u32::MAX)).max(Deadlines::of(now)))
            }
        };
        let (mut entries, done) = table.take_due(Deadlines::of(now), limit, deadline_of, hint);
        for (entry, owing) in entries.iter_mut().zip(owed) {
            if let Some(owing) = owing {
                let stub = stub(entry.view());
                owing.take(std::mem::replace(entry, stub), 0);
            }
        }
        Expired {
            entries,
            partly,
            done,
        }
    }

    /// Looks at one shard: within everything through this scope, else under the shard's own lock for a moment. In the
    /// latter case the scope must hold nothing.
    fn walk<R>(&mut self, shard: usize, look: impl FnOnce(&Shard) -> R) -> R {
        if self.is_everything() {
            return look(self.walk_to(shard));
        }
        look(self.keyspace().lock_one(shard).shard(shard))
    }

    /// Walks on from `cursor` until about `count` entries of a database have been looked at; shows those that have not
    /// expired. Returns where to go on, or `None` at the end. At most one shard's lock is held at a time.
    pub fn scan(
        &mut self,
        database: usize,
        mut cursor: Cursor,
        count: usize,
        now: i64,
        mut show: impl FnMut(EntryRef<'_>),
    ) -> Option<Cursor> {
        let mut seen = 0;
        loop {
            let hints = self.keyspace().hints(database);
            if hints.get(cursor.shard).is_none_or(Hint::is_empty) {
                cursor = cursor.next_shard()?;
                continue;
            }
            let next = self.walk(cursor.shard, |shard| {
                let table = &shard.get(database)?.table;
                let mut at = Some(u64::from(cursor.position) << 32);
                while let Some(from) = at.filter(|_| seen < count) {
                    at = table.scan(from, |entry| {
                        seen += 1;
                        if entry.expires_at().is_none_or(|at| at >= now) {
                            show(entry);
                        }
                    });
                }
                at
            });
            cursor = match next {
                // Cursors have 32 bits of position; what they cut off would only show a few keys again.
                Some(at) => Cursor {
                    position: (at >> 32) as u32,
                    ..cursor
                },
                None => cursor.next_shard()?,
            };
            if seen >= count {
                return Some(cursor);
            }
        }
    }

    /// Whether a key is there and not past its time; of a scope that holds nothing, under the shard's lock for a moment.
    pub fn holds(&mut self, database: usize, key: Key<'_>, now: i64) -> bool {
        self.walk(key.shard(), |shard| {
            let part = shard.get(database);
            part.is_some_and(|part| part.is_alive(key.bytes, now))
        })
    }

    /// A key chosen at random, each with the same chance, that has not expired.
    pub fn random_key(&mut self, database: usize, now: i64) -> Option<Vec<u8>> {
        // A database of nothing but expired keys gives up instead of searching for ever.
        for _ in 0..100 {
            let hints = self.keyspace().hints(database);
            let keys = hints.iter().map(|hint| hint.len() as u64).sum();
            if keys == 0 {
                return None;
            }
            let mut nth = random::below(keys) as usize;
            let shard = hints
                .iter()
                .position(|hint| match nth.checked_sub(hint.len()) {
                    Some(rest) => {
                        nth = rest;
                        false
                    }
                    None => true,
                });
            // Others may have removed keys since they were counted.
            let Some(shard) = shard else { continue };
            let found = self.walk(shard, |shard| {
                let entry = shard.get(database)?.table.random()?;
                Some((
                    entry.key().to_vec(),
                    entry.expires_at().is_none_or(|at| at >= now),
                ))
            });
            if let Some((key, true)) = found {
                return Some(key);
            }
        }
        None
    }

    /// Empties databases. The scope must be over everything.
    pub fn flush(&mut self, databases: std::ops::Range<usize>, now: i64) -> Dropped {
        let mut dropped = Vec::new();
        for shard in 0..SHARDS {
            for database in databases.clone() {
                if self.keyspace().hints(database).is_empty() {
                    continue;
                }
                let hint = self.keyspace().hint(database, shard);
                let keyspace = self.keyspace();
                let shard = self.walk_to(shard);
                // A part that was never written to is not made to be emptied.
                if shard.get(database).is_none() {
                    continue;
                }
                let part = shard.database(database);
                part.touch_watched(|key| part.is_alive(key, now));
                if !part.table.is_empty() {
                    let empty = ShardDatabase::default().table;
                    let table = std::mem::replace(&mut part.table, empty);
                    part.table.publish_all(hint);
                    match part.debt.take() {
                        Some(debt) => keyspace.detached.lock().push((table, debt)),
                        None => dropped.push(table),
                    }
                }
            }
            if databases.end > 1 {
                self.walk_to(shard).shrink();
            }
        }
        Dropped(dropped)
    }

    /// Exchanges two databases. The scope must be over everything.
    pub fn swap(&mut self, one: usize, other: usize, now: i64) {
        for shard in 0..SHARDS {
            let hints = [
                self.keyspace().hint(one, shard),
                self.keyspace().hint(other, shard),
            ];
            let shard = self.walk_to(shard);
            let [one, other] = shard.pair(one, other);
            for (part, counterpart) in [(&*one, &*other), (&*other, &*one)] {
                part.touch_watched(|key| part.is_alive(key, now) || counterpart.is_alive(key, now));
            }
            std::mem::swap(&mut one.table, &mut other.table);
            std::mem::swap(&mut one.debt, &mut other.debt);
            one.table.publish_all(hints[0]);
            other.table.publish_all(hints[1]);
        }
    }

    /// Looks at every part of a database's table, one shard after the other. Empty parts may be left out.
    fn walk_tables(&mut self, database: usize, mut look: impl FnMut(&Table)) {
        for shard in 0..SHARDS {
            let hint = self.keyspace().hints(database).get(shard);
            if hint.is_some_and(|hint| !hint.is_empty()) {
                self.walk(shard, |shard| {
                    if let Some(part) = shard.get(database) {
                        look(&part.table);
                    }
                });
            }
        }
    }

    /// Bytes of all buckets of a database.
    pub fn table_bytes(&mut self, database: usize) -> usize {
        let mut bytes = 0;
        self.walk_tables(database, |table| bytes += table.allocated());
        bytes
    }

    /// Keys with an expiry in a database, and the milliseconds that some of them have left on average.
    pub fn expiring(&mut self, database: usize, now: i64) -> (usize, i64) {
        let (mut keys, mut sum, mut looked_at) = (0, 0i128, 0i128);
        self.walk_tables(database, |table| {
            keys += table.expiring();
            if table.expiring() > 0 && looked_at < ENOUGH_FOR_AN_AVERAGE {
                table.for_each(|entry| {
                    if let Some(at) = entry.expires_at() {
                        sum += i128::from(at.saturating_sub(now).max(0));
                        looked_at += 1;
                    }
                });
            }
        });
        (keys, (sum / looked_at.max(1)) as i64)
    }

    /// Keys of a database within whose values something expires; in large databases an estimate from a part of them.
    pub fn expiring_within(&mut self, database: usize) -> usize {
        let (mut keys, mut looked_at, mut found) = (0, 0, 0);
        self.walk_tables(database, |table| {
            if table.next_deadline() == u32::MAX {
                return;
            }
            keys += table.len();
            if looked_at < ENOUGH_FOR_A_COUNT {
                looked_at += table.len();
                table.for_each(|entry| found += usize::from(entry.has_expiring_parts()));
            }
        });
        (found as u128 * keys as u128 / looked_at.max(1) as u128) as usize
    }
}
