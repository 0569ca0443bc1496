//! Choosing keys that can go: some keys are looked at, the best of them are remembered, and the best of those goes.
//!
//! Nothing is kept in order for this: an access writes the entry's own 24 bits and no list. What is remembered between two
//! choices (a [`Pool`] per worker) makes up for looking at few keys, as in Redis. A remembered key that has been used since
//! is passed over.

use super::access::AccessClock;
use super::entry::EntryRef;
use super::hint::Hint;
use super::lock::{Keyspace, SHARDS, Scope};
use crate::base::random;

/// Candidates remembered between two choices.
const POOL: usize = 16;
/// Shards drawn before one is taken that is merely next.
const DRAWS: usize = 32;
/// Choices for which the sizes of several databases are believed.
const CHOICES_PER_COUNT: u32 = 64;

/// Which keys go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The longest unused.
    Idlest,
    /// The least often used; among equals the longest unused.
    Rarest,
    /// The soonest to expire.
    Soonest,
    /// Any.
    Random,
}

/// Which keys may go, and which of them first.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// Which go first.
    pub order: Order,
    /// Whether only keys with an expiry may go.
    pub only_volatile: bool,
    /// Keys looked at for each choice.
    pub samples: usize,
    /// How uses are told from an entry.
    pub clock: AccessClock,
}

impl Choice {
    /// How much an entry deserves to go; `None` when it must not.
    fn rank(&self, entry: EntryRef<'_>) -> Option<u64> {
        if self.only_volatile && entry.expires_at().is_none() {
            return None;
        }
        let access = entry.access();
        Some(match self.order {
            Order::Idlest => self.clock.idle_seconds(access).into(),
            Order::Rarest => {
                let rarity = 255 - u64::from(self.clock.frequency(access) & 0xff);
                rarity << 32 | u64::from(self.clock.idle_minutes(access))
            }
            Order::Soonest => u64::MAX - entry.expires_at().unwrap_or(i64::MAX) as u64,
            Order::Random => 0,
        })
    }

    /// Whether an entry deserves to go as much as it did when it was looked at.
    pub fn still_holds(&self, entry: EntryRef<'_>, candidate: &Candidate) -> bool {
        self.rank(entry).is_some_and(|rank| rank >= candidate.rank)
    }
}

/// A key that may go.
#[derive(Debug, Default)]
pub struct Candidate {
    /// Its database.
    pub database: usize,
    /// The key.
    pub key: Vec<u8>,
    rank: u64,
}

/// Candidates that have been found and not been chosen yet.
#[derive(Debug, Default)]
pub struct Pool {
    /// The best is the last.
    candidates: Vec<Candidate>,
    /// What the candidates were chosen by.
    chosen_by: Option<(Order, bool)>,
    /// An empty one, for its memory.
    spare: Candidate,
    /// Keys per database, where there are several databases.
    weights: Vec<u64>,
    choices: u32,
}

impl Pool {
    /// Takes out the candidate that deserves most to go, after having looked for better ones; `None` when no key may go.
    pub fn choose(&mut self, keyspace: &Keyspace, choice: &Choice) -> Option<&Candidate> {
        if self.chosen_by != Some((choice.order, choice.only_volatile)) {
            self.candidates.clear();
            self.chosen_by = Some((choice.order, choice.only_volatile));
        }
        self.look(keyspace, choice);
        self.spare = self.candidates.pop()?;
        Some(&self.spare)
    }

    /// Looks at some keys.
    fn look(&mut self, keyspace: &Keyspace, choice: &Choice) {
        let first = self.database(keyspace);
        let databases = keyspace.databases();
        let samples = match choice.order {
            Order::Random => 1,
            _ => choice.samples,
        };
        for database in (0..databases).map(|turn| (first + turn) % databases) {
            let found = keyspace.sample(database, samples, choice.only_volatile, |entry| {
                if let Some(rank) = choice.rank(entry) {
                    self.add(database, entry.key(), rank);
                }
            });
            if found {
                return;
            }
        }
    }

    /// A database chosen at random, by how many keys each holds.
    fn database(&mut self, keyspace: &Keyspace) -> usize {
        let written = |&database: &usize| !keyspace.hints(database).is_empty();
        let mut all = (0..keyspace.databases()).filter(written);
        let (first, second) = (all.next().unwrap_or(0), all.next());
        if second.is_none() {
            return first;
        }
        if self.choices.is_multiple_of(CHOICES_PER_COUNT) {
            self.weights.clear();
            let counts = (0..keyspace.databases()).map(|database| keyspace.len(database) as u64);
            self.weights.extend(counts);
        }
        self.choices = self.choices.wrapping_add(1);
        let mut nth = random::below(self.weights.iter().sum());
        let chosen = self.weights.iter().position(|&keys| {
            let is_here = nth < keys;
            nth = nth.saturating_sub(keys);
            is_here
        });
        chosen.unwrap_or(first)
    }

    /// Remembers a key if it is better than another that is remembered, or if there is room.
    fn add(&mut self, database: usize, key: &[u8], rank: u64) {
        let all = &mut self.candidates;
        if all.len() == POOL && all[0].rank >= rank {
            return;
        }
        if all
            .iter()
            .any(|known| known.database == database && known.key == key)
        {
            return;
        }
        let mut candidate = match all.len() {
            POOL => all.remove(0),
            _ => std::mem::take(&mut self.spare),
        };
        candidate.key.clear();
        candidate.key.extend_from_slice(key);
        (candidate.database, candidate.rank) = (database, rank);
        // Behind its equals, or those that came first would never go.
        let at = all.partition_point(|known| known.rank < rank);
        all.insert(at, candidate);
    }
}

impl Scope<'_> {
    /// After an eviction: a locked shard's part of a database that holds nothing any more takes no memory, either.
    pub fn release(&mut self, database: usize, shard: usize) {
        let hint = self.keyspace().hint(database, shard);
        let shard = self.shard(shard);
        let part = shard.database(database);
        if part.table.is_empty() {
            part.table.release(hint);
            shard.shrink();
        }
    }
}

impl Keyspace {
    /// Shows some keys of a database, from a shard chosen at random on. False when there are none. The caller has a passage
    /// through the gate and holds no shard.
    fn sample(
        &self,
        database: usize,
        mut count: usize,
        only_volatile: bool,
        mut show: impl FnMut(EntryRef<'_>),
    ) -> bool {
        let hints = self.hints(database);
        if hints.is_empty() {
            return false;
        }
        let wanted = count;
        // Where nothing is ever due, nothing has an expiry.
        let may_have =
            |hint: &Hint| !hint.is_empty() && (!only_volatile || hint.deadline() != u32::MAX);
        // Not simply the next that holds any: keys behind long gaps would be shown more often.
        let mut any = (0..DRAWS).map(|_| random::below(SHARDS as u64) as usize);
        let first = any
            .find(|&shard| may_have(&hints[shard]))
            .unwrap_or_else(|| random::below(SHARDS as u64) as usize);
        for shard in (0..SHARDS).map(|turn| (first + turn) % SHARDS) {
            if count == 0 {
                break;
            }
            if !may_have(&hints[shard]) {
                continue;
            }
            let mut scope = self.lock_one(shard);
            if let Some(part) = scope.shard(shard).get(database) {
                count = part.table.sample(count, only_volatile, &mut show);
            }
        }
        count < wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Db, Expiry, Key, Moment, Notes, Value};

    const NOW: i64 = 1_700_000_000_000;

    fn choice(order: Order, only_volatile: bool) -> Choice {
        let clock = match order {
            Order::Rarest => AccessClock::lfu(NOW, 10, 1),
            _ => AccessClock::lru(NOW),
        };
        Choice {
            order,
            only_volatile,
            samples: 5,
            clock,
        }
    }

    fn set(keyspace: &Keyspace, database: usize, key: &str, access: AccessClock, expiry: Expiry) {
        let key = Key::new(key.as_bytes());
        let (mut scope, mut notes) = (keyspace.lock_one(key.shard()), Notes::default());
        let moment = Moment {
            now: NOW,
            access,
            no_touch: false,
            ignore_expiry: false,
            keeps_expired: false,
        };
        Db::new(&mut scope, &mut notes, database, moment).set(key, Value::Int(1), expiry);
    }

    fn filled(volatile: impl Fn(usize) -> bool) -> Keyspace {
        let keyspace = Keyspace::new(4, 1);
        for n in 0..2000usize {
            let used = AccessClock::lru(NOW - n as i64 * 1000);
            let expiry = match volatile(n) {
                true => Expiry::At(NOW + 1_000_000 + n as i64 * 1000),
                false => Expiry::Keep,
            };
            set(&keyspace, n % 3, &n.to_string(), used, expiry);
        }
        keyspace
    }

    fn number(candidate: &Candidate) -> usize {
        String::from_utf8_lossy(&candidate.key)
            .parse()
            .expect("a number")
    }

    #[test]
    fn the_idlest_are_found() {
        let (keyspace, mut pool) = (filled(|_| false), Pool::default());
        // The pool fills in the first rounds.
        let chosen: Vec<usize> = (0..200)
            .filter_map(|_| {
                pool.choose(&keyspace, &choice(Order::Idlest, false))
                    .map(number)
            })
            .collect();
        let average = chosen[50..].iter().sum::<usize>() / 150;
        assert!(average > 1600, "keys of the idlest third go: {average}");
    }

    #[test]
    fn the_only_volatile_key_is_found() {
        let (keyspace, mut pool) = (filled(|n| n == 777), Pool::default());
        for order in [Order::Idlest, Order::Rarest, Order::Soonest, Order::Random] {
            let found = pool.choose(&keyspace, &choice(order, true)).map(number);
            assert_eq!(found, Some(777));
        }
        let empty = filled(|_| false);
        assert!(pool.choose(&empty, &choice(Order::Soonest, true)).is_none());
        assert!(
            Pool::default()
                .choose(&Keyspace::new(1, 1), &choice(Order::Idlest, false))
                .is_none()
        );
    }

    #[test]
    fn the_soonest_to_expire_go_first() {
        let (keyspace, mut pool) = (filled(|n| n % 2 == 0), Pool::default());
        let chosen: Vec<usize> = (0..100)
            .filter_map(|_| {
                pool.choose(&keyspace, &choice(Order::Soonest, true))
                    .map(number)
            })
            .collect();
        assert!(chosen.iter().all(|n| n % 2 == 0));
        assert!(chosen[50..].iter().sum::<usize>() / 50 < 400);
    }

    #[test]
    fn any_key_may_be_chosen_at_random() {
        let (keyspace, mut pool) = (filled(|_| false), Pool::default());
        let mut seen = std::collections::HashSet::new();
        for _ in 0..4000 {
            let found = pool
                .choose(&keyspace, &choice(Order::Random, false))
                .map(number);
            seen.extend(found);
        }
        // Of 2,000 keys 4,000 fair draws miss about 270.
        assert!(seen.len() > 1400, "{}", seen.len());
        assert!((0..3).all(|database| seen.iter().any(|n| n % 3 == database)));
    }

    #[test]
    fn who_was_used_since_is_spared() {
        let keyspace = Keyspace::new(1, 1);
        set(
            &keyspace,
            0,
            "1",
            AccessClock::lru(NOW - 60_000),
            Expiry::Keep,
        );
        let mut pool = Pool::default();
        let choice = choice(Order::Idlest, false);
        let candidate = pool.choose(&keyspace, &choice).expect("the only key");
        let key = Key::new(b"1");
        let holds = || {
            let scope = &mut keyspace.lock_one(key.shard());
            let table = &scope.shard(key.shard()).database(0).table;
            let entry = table.element(table.find(key.bits(), key.bytes).expect("is there"));
            choice.still_holds(entry, candidate)
        };
        assert!(holds());
        set(&keyspace, 0, "1", AccessClock::lru(NOW), Expiry::Keep);
        assert!(!holds());
    }

    /// Hits among requests whose keys become rarer with their rank, in a cache of a tenth of all keys; the clock goes on by
    /// a second every 40 requests.
    fn hits(order: Order, requests: usize) -> (usize, usize) {
        const KEYS: u64 = 10_000;
        const CAPACITY: usize = 1_000;
        let (keyspace, mut pool) = (Keyspace::new(1, 1), Pool::default());
        let (mut hits, mut best) = (0, 0);
        let (mut by_worth, mut worths) = (
            std::collections::BTreeSet::new(),
            std::collections::HashMap::new(),
        );
        let mut uses = std::collections::HashMap::<u64, usize>::new();
        for time in 0..requests {
            // Ranks whose logarithms are equally likely: Zipf's distribution.
            let unit = random::below(1 << 40) as f64 / (1u64 << 40) as f64;
            let rank = (KEYS as f64).powf(unit) as u64;
            let now = NOW + time as i64 * 25;
            let clock = match order {
                Order::Rarest => AccessClock::lfu(now, 10, 1),
                _ => AccessClock::lru(now),
            };
            let count = uses.entry(rank).or_default();
            *count += 1;
            let worth = (if order == Order::Rarest { *count } else { 0 }, time, rank);
            if let Some(old) = worths.insert(rank, worth) {
                by_worth.remove(&old);
                best += 1;
            } else if by_worth.len() == CAPACITY
                && let Some((_, _, least)) = by_worth.pop_first()
            {
                worths.remove(&least);
            }
            by_worth.insert(worth);
            let before = keyspace.len(0);
            set(&keyspace, 0, &rank.to_string(), clock, Expiry::Keep);
            hits += usize::from(keyspace.len(0) == before);
            while keyspace.len(0) > CAPACITY {
                let choice = Choice {
                    clock,
                    ..choice(order, false)
                };
                evict(&keyspace, &mut pool, &choice);
            }
        }
        (hits, best)
    }

    fn evict(keyspace: &Keyspace, pool: &mut Pool, choice: &Choice) {
        let candidate = pool.choose(keyspace, choice).expect("a full cache");
        let key = Key::new(&candidate.key);
        let (mut scope, mut notes) = (keyspace.lock_one(key.shard()), Notes::default());
        let moment = Moment {
            now: NOW,
            access: choice.clock,
            no_touch: false,
            ignore_expiry: false,
            keeps_expired: false,
        };
        let mut db = Db::new(&mut scope, &mut notes, candidate.database, moment);
        if db
            .view(key)
            .is_some_and(|entry| choice.still_holds(entry, candidate))
        {
            drop(db.remove(key));
        }
    }

    #[test]
    fn choices_are_nearly_as_good_as_exact_ones() {
        // Counters of uses are logarithmic, and decay meanwhile.
        for (order, percent) in [(Order::Idlest, 94), (Order::Rarest, 88)] {
            let (hits, best) = hits(order, 30_000);
            assert!(hits * 100 >= best * percent, "{order:?}: {hits} of {best}");
        }
    }
}
