//! Looking ahead into a value: what commands that are about to run on one key will need is brought into the cache at once.

use smallvec::SmallVec;

use super::entry::ValueRef;
use super::lock::{Key, Keyspace};
use crate::base::hash::hash;

/// No more elements are brought at once: the first would be gone again before they are needed.
pub const AHEAD: usize = 64;

impl Keyspace {
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
