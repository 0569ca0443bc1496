//! One shard: for each database a table, and who watches its keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::lock::{Key, hash_bits};
use super::snapshot::Debt;
use super::table::Table;

/// Raised when a watched key changes. One per WATCHing client and round.
pub type WatchFlag = Arc<AtomicBool>;

/// A shard's part of one database.
pub(super) struct ShardDatabase {
    pub table: Table,
    /// What a copy in progress still has to be shown.
    pub debt: Option<Box<Debt>>,
    /// Watched keys; empty for nearly everybody, which is what makes telling them cheap.
    watchers: HashMap<Box<[u8]>, SmallVec<[WatchFlag; 1]>, foldhash::fast::RandomState>,
}

impl Default for ShardDatabase {
    fn default() -> Self {
        Self {
            table: Table::new(hash_bits),
            debt: None,
            watchers: HashMap::default(),
        }
    }
}

impl ShardDatabase {
    /// Before a key changes: shows it to a copy in progress.
    #[inline]
    pub fn preserve(&mut self, key: Key<'_>) {
        if let Some(debt) = &mut self.debt {
            debt.settle(&self.table, key);
        }
    }

    /// Raises the flags of a key's watchers.
    #[inline]
    pub fn touch(&self, key: &[u8]) {
        if !self.watchers.is_empty() {
            self.raise(key);
        }
    }

    #[cold]
    fn raise(&self, key: &[u8]) {
        for flag in self.watchers.get(key).into_iter().flatten() {
            flag.store(true, Relaxed);
        }
    }

    /// Raises the flags of all watched keys for which `concerns` holds.
    pub fn touch_watched(&self, mut concerns: impl FnMut(&[u8]) -> bool) {
        for (key, flags) in &self.watchers {
            if concerns(key) {
                flags.iter().for_each(|flag| flag.store(true, Relaxed));
            }
        }
    }

    pub fn watch(&mut self, key: &[u8], flag: &WatchFlag) {
        self.watchers.entry_ref(key).or_default().push(flag.clone());
    }

    pub fn unwatch(&mut self, key: &[u8], flag: &WatchFlag) {
        if let Some(flags) = self.watchers.get_mut(key) {
            flags.retain(|known| !Arc::ptr_eq(known, flag));
            if flags.is_empty() {
                self.watchers.remove(key);
            }
        }
        if self.watchers.is_empty() {
            self.watchers.shrink_to_fit();
        }
    }

    /// Whether a key is there, expired or not.
    pub fn holds(&self, key: &[u8]) -> bool {
        self.table.find(hash_bits(key), key).is_some()
    }
}

/// One shard of every database.
#[derive(Default)]
pub struct Shard {
    databases: Vec<ShardDatabase>,
}

impl Shard {
    /// The part of a database, where it was ever written to.
    #[inline]
    pub(super) fn get(&self, database: usize) -> Option<&ShardDatabase> {
        self.databases.get(database)
    }

    /// The part of a database, made when needed.
    #[inline]
    pub(super) fn database(&mut self, database: usize) -> &mut ShardDatabase {
        if self.databases.len() <= database {
            self.databases
                .resize_with(database + 1, ShardDatabase::default);
        }
        &mut self.databases[database]
    }

    /// The parts of all databases that were ever written to.
    pub(super) fn databases_mut(&mut self) -> impl Iterator<Item = &mut ShardDatabase> {
        self.databases.iter_mut()
    }

    /// The parts of two different databases, both made before.
    pub(super) fn pair(&mut self, one: usize, other: usize) -> [&mut ShardDatabase; 2] {
        self.databases
            .get_disjoint_mut([one, other])
            .expect("two different databases, both there")
    }
}
