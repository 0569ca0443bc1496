//! One shard: for each database a table, and who hears of its keys.

use super::audience::{Audience, Marks, Touched};
use super::lock::{Key, hash_bits};
use super::snapshot::{Debt, Intent};
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
    /// Which keys that may concern, told without looking there.
    marks: Marks,
}

impl ShardDatabase {
    /// Before a key changes: shows it to a copy in progress.
    #[inline]
    pub fn preserve(&mut self, key: Key<'_>, intent: Intent) {
        if let Some(debt) = &mut self.debt {
            debt.settle(&mut self.table, key, intent);
        }
    }

    /// Raises the flags of a key's watchers; says who else is to be told.
    #[inline]
    pub fn touch(&self, key: Key<'_>) -> Touched {
        match &self.audience {
            Some(audience) if self.marks.may_have(key) => audience.touch(key),
            _ => Touched::NOBODY,
        }
    }

    /// Whether it holds nothing and owes nothing, and nobody hears of it.
    fn is_needless(&self) -> bool {
        self.table.is_empty() && self.debt.is_none() && self.audience.is_none()
    }

    /// Who hears of its keys.
    pub fn audience(&self) -> Option<&Audience> {
        self.audience.as_deref()
    }

    /// Changes who hears of its keys.
    pub fn with_audience<R>(&mut self, change: impl FnOnce(&mut Audience) -> R) -> R {
        let audience = self.audience.get_or_insert_default();
        let result = change(audience);
        self.marks = audience.marks();
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
    /// The parts of other databases that were written to, with the databases' numbers.
    others: Vec<(usize, ShardDatabase)>,
}

impl Shard {
    /// The part of a database, where it was ever written to.
    #[inline(always)]
    pub(super) fn get(&self, database: usize) -> Option<&ShardDatabase> {
        if database == 0 {
            return Some(&self.first);
        }
        let mut others = self.others.iter();
        let found = others.find(|(number, _)| *number == database);
        found.map(|(_, part)| part)
    }

    /// The part of a database, made when needed.
    #[inline(always)]
    pub(super) fn database(&mut self, database: usize) -> &mut ShardDatabase {
        if database == 0 {
            return &mut self.first;
        }
        self.other(database)
    }

    /// The parts of all databases that were ever written to, with their numbers.
    pub(super) fn databases_mut(&mut self) -> impl Iterator<Item = (usize, &mut ShardDatabase)> {
        let others = self.others.iter_mut();
        std::iter::once((0, &mut self.first)).chain(others.map(|(number, part)| (*number, part)))
    }

    /// [`Shard::databases_mut`], to be looked at.
    #[inline]
    pub(super) fn parts(&self) -> impl Iterator<Item = (usize, &ShardDatabase)> {
        let others = self.others.iter().map(|(number, part)| (*number, part));
        std::iter::once((0, &self.first)).chain(others)
    }

    #[inline(never)]
    fn other(&mut self, database: usize) -> &mut ShardDatabase {
        let at = self.place(database);
        &mut self.others[at].1
    }

    fn place(&mut self, database: usize) -> usize {
        let mut others = self.others.iter();
        others
            .position(|(number, _)| *number == database)
            .unwrap_or_else(|| {
                // There are many shards and mostly one database: room for more would be wasted.
                self.others.reserve_exact(1);
                self.others.push((database, ShardDatabase::default()));
                self.others.len() - 1
            })
    }

    /// The parts of two different databases.
    pub(super) fn pair(&mut self, one: usize, other: usize) -> [&mut ShardDatabase; 2] {
        if one == 0 || other == 0 {
            let at = self.place(one.max(other));
            let pair = [&mut self.first, &mut self.others[at].1];
            let [first, second] = pair;
            return if one == 0 {
                [first, second]
            } else {
                [second, first]
            };
        }
        let places = [self.place(one), self.place(other)];
        let pair = self.others.get_disjoint_mut(places);
        pair.expect("two different databases").map(|(_, part)| part)
    }

    /// Lets go of the parts of databases of which nothing is there.
    pub(super) fn shrink(&mut self) {
        self.others.retain(|(_, part)| !part.is_needless());
        self.others.shrink_to_fit();
    }
}
