//! Moving entries out of pages that are in use only in part, so that these become empty and go back to the system.

use super::entry::Entry;
use super::hint::Hint;
use super::lock::{Keyspace, SHARDS};

/// Buckets gone through under one lock.
const BUCKETS_AT_ONCE: usize = 16;
/// Blocks moved under one lock, about.
const MOVES_AT_ONCE: u64 = 16;

/// What it takes to look at an entry, in bytes moved.
const LOOK: u64 = 128;

/// What has been looked at and moved.
#[derive(Debug, Default, Clone, Copy)]
pub struct Moves {
    /// Entries looked at.
    pub keys: u64,
    /// Those of which something was moved.
    pub moved_keys: u64,
    /// Blocks moved.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How far a thread has come on its way through all databases, and what it has moved. Each thread moves what lies in its own
/// pages.
#[derive(Debug, Default)]
pub struct Compaction {
    database: usize,
    shard: usize,
    position: u64,
    /// What has been moved on the way.
    pub moves: Moves,
}

impl Compaction {
    /// Goes on for a few buckets; false at the end. The caller has a passage through the gate and holds no shard.
    pub fn go_on(&mut self, keyspace: &Keyspace) -> bool {
        while self.database < keyspace.databases() {
            let hints = keyspace.hints(self.database);
            let holds = |shard: &usize| !hints.get(*shard).is_none_or(Hint::is_empty);
            let Some(shard) = (self.shard..SHARDS).find(holds) else {
                (self.database, self.shard, self.position) = (self.database + 1, 0, 0);
                continue;
            };
            if shard != self.shard {
                (self.shard, self.position) = (shard, 0);
            }
            self.walk(keyspace);
            return true;
        }
        false
    }

    fn walk(&mut self, keyspace: &Keyspace) {
        let mut scope = keyspace.lock_one(self.shard);
        let table = &mut scope.shard(self.shard).database(self.database).table;
        let enough = self.moves.blocks + MOVES_AT_ONCE;
        for _ in 0..BUCKETS_AT_ONCE {
            let moves = &mut self.moves;
            let next = table.renew(self.position, |entry| moves.note(entry));
            let Some(next) = next else {
                (self.shard, self.position) = (self.shard + 1, 0);
                return;
            };
            self.position = next;
            if self.moves.blocks >= enough {
                return;
            }
        }
    }
}

impl Moves {
    /// What it took, in bytes moved.
    pub fn work(self) -> u64 {
        self.bytes + self.keys * LOOK
    }

    /// Moves an entry, or parts of it, if that is worthwhile.
    fn note(&mut self, entry: Entry) -> Entry {
        let before = self.blocks;
        let entry = entry.compacted(|bytes| {
            self.blocks += 1;
            self.bytes += bytes as u64;
        });
        self.keys += 1;
        self.moved_keys += u64::from(self.blocks > before);
        entry
    }
}

impl std::ops::Sub for Moves {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            keys: self.keys - before.keys,
            moved_keys: self.moved_keys - before.moved_keys,
            blocks: self.blocks - before.blocks,
            bytes: self.bytes - before.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{AccessClock, Db, Expiry, Key, Moment, Notes, Value, ValueRef};

    const KEYS: usize = 4000;

    fn with_db<R>(
        keyspace: &Keyspace,
        key: &str,
        work: impl FnOnce(&mut Db<'_, '_>, Key<'_>) -> R,
    ) -> R {
        let key = Key::new(key.as_bytes());
        let (mut scope, mut notes) = (keyspace.lock_one(key.shard()), Notes::default());
        let moment = Moment {
            now: 0,
            access: AccessClock::lru(0),
            no_touch: false,
            ignore_expiry: false,
            keeps_expired: false,
        };
        work(&mut Db::new(&mut scope, &mut notes, 1, moment), key)
    }

    /// Short strings, long ones and numbers.
    fn value(n: usize) -> String {
        match n % 3 {
            0 => n.to_string(),
            1 => n.to_string().repeat(50),
            _ => n.to_string().repeat(6000),
        }
    }

    #[test]
    fn what_is_left_of_many_entries_is_moved_and_stays_the_same() {
        let keyspace = Keyspace::new(2, 1);
        for n in 0..KEYS {
            let text = value(n);
            with_db(&keyspace, &n.to_string(), |db, key| {
                db.set(key, Value::of_string(text.as_bytes()), Expiry::Keep)
            });
        }
        let stays = |n: &usize| n % 8 == 1;
        for n in (0..KEYS).filter(|n| !stays(n)) {
            with_db(&keyspace, &n.to_string(), |db, key| db.evict(key));
        }
        let mut compaction = Compaction::default();
        while compaction.go_on(&keyspace) {}
        let Moves {
            keys,
            moved_keys,
            blocks,
            bytes,
        } = compaction.moves;
        assert_eq!(keys as usize, KEYS / 8);
        assert!(moved_keys > keys / 2 && blocks >= moved_keys && bytes > blocks * 16);
        for n in 0..KEYS {
            let is_same = with_db(&keyspace, &n.to_string(), |db, key| {
                db.view(key).map(|entry| match entry.value() {
                    ValueRef::Int(number) => number.to_string() == value(n),
                    ValueRef::Inline(text) => text == value(n).as_bytes(),
                    ValueRef::Object(object) => object
                        .as_string()
                        .is_some_and(|text| text[..] == *value(n).as_bytes()),
                })
            });
            assert_eq!(is_same, stays(&n).then_some(true), "{n}");
        }
    }
}
