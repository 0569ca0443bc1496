//! One shard: for each database a table, who watches its keys, and who waits for them.

use std::collections::VecDeque;
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
#[derive(Default)]
// In this order, so that what nearly every command reads lies in the lock's cache line.
#[repr(C)]
pub(super) struct ShardDatabase {
    pub table: Table,
    /// What a copy in progress still has to be shown.
    pub debt: Option<Box<Debt>>,
    /// Watched keys; empty for nearly everybody, which is what makes telling them cheap.
    watchers: HashMap<Box<[u8]>, SmallVec<[WatchFlag; 1]>, foldhash::fast::RandomState>,
    /// Numbers of the clients that wait for a key, oldest first. Numbers only grow, and are given under the shard's lock.
    waiters: Option<Box<Waiters>>,
}

type Waiters = HashMap<Box<[u8]>, VecDeque<u64>, foldhash::fast::RandomState>;

impl ShardDatabase {
    /// Before a key changes: shows it to a copy in progress.
    #[inline]
    pub fn preserve(&mut self, key: Key<'_>) {
        if let Some(debt) = &mut self.debt {
            debt.settle(&self.table, key);
        }
    }

    /// Raises the flags of a key's watchers; says whether somebody waits for the key.
    #[inline]
    pub fn touch(&self, key: &[u8]) -> bool {
        if !self.watchers.is_empty() {
            self.raise(key);
        }
        match &self.waiters {
            None => false,
            Some(waiters) => waiters.contains_key(key),
        }
    }

    /// Puts a waiter behind those who wait for a key already.
    pub fn wait(&mut self, key: &[u8], number: u64) {
        let queue = self.waiters.get_or_insert_default();
        let queue = queue.entry_ref(key).or_default();
        if queue.back() != Some(&number) {
            queue.push_back(number);
        }
    }

    /// Undoes [`ShardDatabase::wait`].
    pub fn stop_waiting(&mut self, key: &[u8], number: u64) {
        let Some(waiters) = &mut self.waiters else {
            return;
        };
        if let Some(queue) = waiters.get_mut(key) {
            if let Ok(at) = queue.binary_search(&number) {
                queue.remove(at);
            }
            if queue.is_empty() {
                waiters.remove(key);
            }
        }
        if waiters.is_empty() {
            self.waiters = None;
        }
    }

    /// The oldest waiter for a key that came after another.
    pub fn next_waiter(&self, key: &[u8], after: u64) -> Option<u64> {
        let queue = self.waiters.as_ref()?.get(key)?;
        let at = queue.partition_point(|&number| number <= after);
        queue.get(at).copied()
    }

    /// Keys that somebody waits for.
    pub fn waited_for(&self) -> impl Iterator<Item = &[u8]> {
        let waiters = self.waiters.iter().flat_map(|waiters| waiters.keys());
        waiters.map(|key| &**key)
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

    /// Whether a key is there and not past its time.
    pub fn is_alive(&self, key: &[u8], now: i64) -> bool {
        let place = self.table.find(hash_bits(key), key);
        let expires_at = place.map(|place| self.table.element(place).expires_at());
        expires_at.is_some_and(|at| at.is_none_or(|at| at >= now))
    }
}

/// One shard of every database. Database 0, which nearly everybody uses, lies beside the lock.
#[derive(Default)]
#[repr(C)]
pub struct Shard {
    first: ShardDatabase,
    others: Vec<ShardDatabase>,
}

impl Shard {
    /// The part of a database, where it was ever written to.
    #[inline(always)]
    pub(super) fn get(&self, database: usize) -> Option<&ShardDatabase> {
        match database.checked_sub(1) {
            None => Some(&self.first),
            Some(other) => self.others.get(other),
        }
    }

    /// The part of a database, made when needed.
    #[inline(always)]
    pub(super) fn database(&mut self, database: usize) -> &mut ShardDatabase {
        let Some(other) = database.checked_sub(1) else {
            return &mut self.first;
        };
        self.other(other)
    }

    /// The parts of all databases that were ever written to, from database 0 on.
    pub(super) fn databases_mut(&mut self) -> impl Iterator<Item = &mut ShardDatabase> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    #[inline(never)]
    fn other(&mut self, other: usize) -> &mut ShardDatabase {
        if self.others.len() <= other {
            self.others.resize_with(other + 1, ShardDatabase::default);
        }
        &mut self.others[other]
    }

    /// The parts of two different databases.
    pub(super) fn pair(&mut self, one: usize, other: usize) -> [&mut ShardDatabase; 2] {
        self.database(one.max(other));
        let (lower, upper) = (one.min(other), one.max(other));
        let pair = match lower.checked_sub(1) {
            None => [&mut self.first, &mut self.others[upper - 1]],
            Some(lower) => self
                .others
                .get_disjoint_mut([lower, upper - 1])
                .expect("two different databases"),
        };
        let [low, high] = pair;
        if one < other {
            [low, high]
        } else {
            [high, low]
        }
    }
}
