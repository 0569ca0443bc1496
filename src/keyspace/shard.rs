//! One shard: for each database a table, and who hears of its keys.

use super::audience::{Audience, Touched};
use super::lock::{Key, hash_bits};
use super::snapshot::Debt;
use super::table::Table;

/// A shard's part of one database.
#[derive(Default)]
// In this order, so that what nearly every command reads lies in the lock's cache line.
#[repr(C)]
pub(super) struct ShardDatabase {
    pub table: Table,
    /// What a copy in progress still has to be shown.
    pub debt: Option<Box<Debt>>,
    /// Who hears of its keys; nobody for nearly every shard, which is what makes telling them cheap.
    audience: Option<Box<Audience>>,
}

impl ShardDatabase {
    /// Before a key changes: shows it to a copy in progress.
    #[inline]
    pub fn preserve(&mut self, key: Key<'_>) {
        if let Some(debt) = &mut self.debt {
            debt.settle(&self.table, key);
        }
    }

    /// Raises the flags of a key's watchers; says who else is to be told.
    #[inline]
    pub fn touch(&self, key: &[u8]) -> Touched {
        match &self.audience {
            None => Touched::NOBODY,
            Some(audience) => audience.touch(key),
        }
    }

    /// Who hears of its keys.
    pub fn audience(&self) -> Option<&Audience> {
        self.audience.as_deref()
    }

    /// Changes who hears of its keys.
    pub fn with_audience<R>(&mut self, change: impl FnOnce(&mut Audience) -> R) -> R {
        let audience = self.audience.get_or_insert_default();
        let result = change(audience);
        if audience.is_empty() {
            self.audience = None;
        }
        result
    }

    /// [`ShardDatabase::with_audience`] where there is any.
    pub fn with_known_audience<R>(&mut self, change: impl FnOnce(&mut Audience) -> R) -> Option<R> {
        self.audience.is_some().then(|| self.with_audience(change))
    }

    /// Raises the flags of all watched keys for which `concerns` holds.
    pub fn touch_watched(&self, concerns: impl FnMut(&[u8]) -> bool) {
        if let Some(audience) = &self.audience {
            audience.touch_watched(concerns);
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
