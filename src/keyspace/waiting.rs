//! Clients that wait for keys: which keys have changed and whose waiters have not been looked at since. Whoever locks such a
//! key to change it serves them first.

use super::audience::Audience;
use super::db::Db;
use super::lock::{Key, Scope};
use super::shard::{Shard, ShardDatabase};

impl ShardDatabase {
    #[inline]
    fn owes(&self) -> bool {
        self.audience().is_some_and(Audience::owes)
    }
}

impl Shard {
    #[inline]
    fn owes(&self) -> bool {
        self.parts().any(|(_, part)| part.owes())
    }
}

impl Scope<'_> {
    /// Whether a change has given waiters of some key of the locked shards something, and they have not been served yet.
    #[inline]
    pub fn owes(&self) -> bool {
        self.locked().any(Shard::owes)
    }

    /// The databases and keys of which [`Scope::owes`] speaks.
    #[cold]
    pub fn unserved(&self) -> Vec<(usize, Box<[u8]>)> {
        let parts = self.locked().flat_map(Shard::parts);
        let audiences = parts.filter_map(|(database, part)| Some((database, part.audience()?)));
        audiences
            .flat_map(|(database, audience)| {
                (audience.unserved()).map(move |key| (database, Box::from(key)))
            })
            .collect()
    }

    /// The last change of a key whose waiters have yet to be served.
    pub fn unserved_change(&mut self, database: usize, key: Key<'_>) -> Option<u64> {
        let part = self.shard(key.shard()).get(database)?;
        part.audience()?.unserved_change(key.bytes)
    }

    /// The waiters of a key have been looked at since this change, and there is nothing more for them.
    pub fn end_serving(&mut self, database: usize, key: Key<'_>, change: Option<u64>) {
        if let Some(change) = change {
            let part = self.shard(key.shard()).database(database);
            part.with_known_audience(|audience| audience.end_serving(key.bytes, change));
        }
    }
}

impl Db<'_, '_> {
    /// Notes that a key has changed that somebody waits for.
    #[cold]
    pub fn owe(&mut self, key: Key<'_>) {
        self.part(key)
            .with_known_audience(|audience| audience.owe(key.bytes));
    }
}
