//! Looking ahead: what commands that are about to run will need is brought into the cache at once, keys and what is in their
//! values.

use smallvec::SmallVec;

use super::entry::ValueRef;
use super::hint::{Expected, pin};
use super::lock::{Key, Keyspace, bits_of, shard_of};
use crate::base::hash::hash;

/// No more elements are brought at once: the first would be gone again before they are needed.
pub const AHEAD: usize = 64;

impl Keyspace {
    /// Brings what finding keys of these hashes will look at into the cache: first all buckets, then all entries, so that the
    /// second look finds the first's lines there.
    pub fn prefetch(&self, database: usize, hashes: impl Iterator<Item = u64>) {
        let (hints, pin) = (self.hints(database), pin());
        let mut expected = SmallVec::<[Expected<'_>; AHEAD]>::new();
        let mut last = None;
        for hash in hashes {
            // Pipelines often stay with one key.
            if last.replace(hash) == Some(hash) {
                continue;
            }
            self.prefetch_shard(hash);
            let hint = hints.get(shard_of(hash));
            if let Some(found) = hint.and_then(|hint| hint.bucket(bits_of(hash), &pin)) {
                found.prefetch_bucket();
                expected.push(found);
            }
            if expected.len() == AHEAD {
                expected.drain(..).for_each(Expected::prefetch_entry);
            }
        }
        expected.into_iter().for_each(Expected::prefetch_entry);
    }

    /// Brings elements of the value under a key into the cache, where it has many. Does nothing when another thread holds the
    /// key's lock: this saves time or is not worth any.
    pub fn prefetch_elements<'n>(
        &self,
        database: usize,
        key: Key<'_>,
        names: impl Iterator<Item = &'n [u8]>,
    ) {
        let Some(scope) = self.try_lock_one(key.shard()) else {
            return;
        };
        let part = scope.held(key.shard()).and_then(|held| held.get(database));
        let Some(table) = part.map(|part| &part.table) else {
            return;
        };
        let Some(at) = table.find(key.bits(), key.bytes) else {
            return;
        };
        if let ValueRef::Object(object) = table.element(at).value()
            && object.is_spread_out()
        {
            let hashes: SmallVec<[u64; AHEAD]> = names.take(AHEAD).map(hash).collect();
            object.prefetch(&hashes);
        }
    }
}
