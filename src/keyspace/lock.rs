//! The keyspace and its locks. Only this file takes shard locks.
//!
//! Invariants:
//! - a scope locks the shards of its declared keys in ascending order, each once, before its command runs;
//! - a scope over everything exists only while its caller is [`Alone`](super::gate::Alone): it locks shards as they are
//!   asked for, in any order, since nobody else can hold one;
//! - nobody holds a shard's lock without a passage through the gate, and nobody awaits while holding one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use super::gate::Gate;
use super::hint::Hint;
use super::reclaim::Reclaimer;
use super::shard::Shard;
use super::snapshot::Detached;
use crate::base::hash::hash;
use crate::structures::table::prefetch;

const SHARD_BITS: u32 = 10;
/// Shards of the keyspace.
pub const SHARDS: usize = 1 << SHARD_BITS;

/// A key with its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'r> {
    /// The key as sent.
    pub bytes: &'r [u8],
    /// Its [`hash`].
    pub hash: u64,
}

impl<'r> Key<'r> {
    /// Hashes a key.
    #[inline]
    pub fn new(bytes: &'r [u8]) -> Self {
        Self {
            bytes,
            hash: hash(bytes),
        }
    }

    /// The shard that holds it.
    #[inline]
    pub fn shard(self) -> usize {
        shard_of(self.hash)
    }

    /// The hash bits that the choice of a shard leaves over.
    #[inline]
    pub(super) fn bits(self) -> u64 {
        bits_of(self.hash)
    }
}

/// The shard of a key's hash.
#[inline]
pub fn shard_of(hash: u64) -> usize {
    (hash >> (64 - SHARD_BITS)) as usize
}

#[inline]
pub(super) fn bits_of(hash: u64) -> u64 {
    hash << SHARD_BITS
}

/// What [`Table`](super::table::Table) asks of a key.
pub(super) fn hash_bits(key: &[u8]) -> u64 {
    bits_of(hash(key))
}

/// Every database, sharded.
pub struct Keyspace {
    shards: Box<[CachePadded<Mutex<Shard>>]>,
    /// Per database, made when it is first written to: one hint per shard.
    hints: Box<[OnceLock<Box<[Hint]>>]>,
    gate: Gate,
    /// Copies that clients keep.
    pub copies: Copies,
    pub(super) reclaimer: Arc<Reclaimer>,
    /// Whether a copy is in progress.
    pub(super) is_copying: AtomicBool,
    /// What was flushed while a copy was in progress and has not been copied yet.
    pub(super) detached: Mutex<Vec<Detached>>,
}

impl Keyspace {
    /// An empty keyspace of `databases` databases, for `lanes` threads.
    pub fn new(databases: usize, lanes: usize) -> Self {
        Self {
            shards: (0..SHARDS)
                .map(|_| CachePadded::new(Mutex::new(Shard::default())))
                .collect(),
            hints: (0..databases).map(|_| OnceLock::new()).collect(),
            gate: Gate::new(lanes),
            copies: Copies::default(),
            reclaimer: Arc::default(),
            is_copying: AtomicBool::new(false),
            detached: Mutex::default(),
        }
    }

    /// Where entries go that have been taken out or overwritten.
    #[inline]
    pub fn reclaimer(&self) -> &Arc<Reclaimer> {
        &self.reclaimer
    }

    /// The gate.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// How many databases there are.
    pub fn databases(&self) -> usize {
        self.hints.len()
    }

    /// A database's hints, or nothing where it never held a key.
    #[inline]
    pub fn hints(&self, database: usize) -> &[Hint] {
        self.hints[database].get().map_or(&[], |hints| hints)
    }

    pub(super) fn hint(&self, database: usize, shard: usize) -> &Hint {
        let hints =
            self.hints[database].get_or_init(|| (0..SHARDS).map(|_| Hint::default()).collect());
        &hints[shard]
    }

    /// Brings the shard of a hash into the cache.
    #[inline]
    pub(super) fn prefetch_shard(&self, hash: u64) {
        prefetch(std::ptr::from_ref(&self.shards[shard_of(hash)]).cast());
    }

    /// Keys in a database, as of about now.
    pub fn len(&self, database: usize) -> usize {
        self.hints(database).iter().map(Hint::len).sum()
    }

    /// Whether a database holds no key, as of about now.
    pub fn is_empty(&self, database: usize) -> bool {
        self.len(database) == 0
    }

    /// Locks nothing.
    #[inline]
    pub fn nothing(&self) -> Scope<'_> {
        self.lock_at_most_one(None)
    }

    /// Locks one shard.
    #[inline]
    pub fn lock_one(&self, shard: usize) -> Scope<'_> {
        self.lock_at_most_one(Some(shard))
    }

    /// Locks one shard or none.
    #[inline]
    pub fn lock_at_most_one(&self, shard: Option<usize>) -> Scope<'_> {
        Scope {
            keyspace: self,
            first: shard.map(|index| Held {
                index,
                shard: self.shards[index].lock(),
            }),
            others: None,
            is_everything: false,
        }
    }

    /// Locks one shard unless another thread holds it.
    #[inline]
    pub(super) fn try_lock_one(&self, shard: usize) -> Option<Scope<'_>> {
        let held = Held {
            index: shard,
            shard: self.shards[shard].try_lock()?,
        };
        Some(Scope {
            keyspace: self,
            first: Some(held),
            others: None,
            is_everything: false,
        })
    }

    /// Locks the shards of several keys.
    pub fn lock_some(&self, hashes: impl Iterator<Item = u64>) -> Scope<'_> {
        let mut shards: SmallVec<[usize; 16]> = hashes.map(shard_of).collect();
        shards.sort_unstable();
        shards.dedup();
        let mut held = shards.into_iter().map(|index| Held {
            index,
            shard: self.shards[index].lock(),
        });
        // The first is taken first: the order is ascending.
        let first = held.next();
        Scope {
            keyspace: self,
            first,
            others: Some(Others {
                held: held.collect(),
                recent: 0,
            }),
            is_everything: false,
        }
    }

    /// Locks whatever will be asked for. The caller is alone behind the gate.
    pub fn everything(&self, _alone: &super::gate::Alone<'_>) -> Scope<'_> {
        Scope {
            is_everything: true,
            ..self.nothing()
        }
    }
}

/// How many copies of keys clients keep, as far as the server remembers.
#[derive(Debug, Default)]
pub struct Copies {
    /// Keys of which there are copies.
    pub keys: AtomicU64,
    /// Copies.
    pub readers: AtomicU64,
}

impl Copies {
    /// Counts copies that are forgotten.
    pub(super) fn forget(&self, keys: u64, readers: u64) {
        self.keys.fetch_sub(keys, Relaxed);
        self.readers.fetch_sub(readers, Relaxed);
    }
}

struct Held<'k> {
    index: usize,
    shard: MutexGuard<'k, Shard>,
}

/// What is locked: the only way to an entry.
pub struct Scope<'k> {
    keyspace: &'k Keyspace,
    /// Most commands have one key, and need no list.
    first: Option<Held<'k>>,
    others: Option<Others<'k>>,
    is_everything: bool,
}

/// The shards of a scope but for its first.
#[derive(Default)]
struct Others<'k> {
    /// In ascending order, and above the first, but in a scope over everything.
    held: Vec<Held<'k>>,
    /// The place of the one that was asked for last: a key's is asked for several times.
    recent: usize,
}

impl<'k> Scope<'k> {
    /// The keyspace that this is a part of.
    pub fn keyspace(&self) -> &'k Keyspace {
        self.keyspace
    }

    /// Whether any shard may be asked for.
    pub fn is_everything(&self) -> bool {
        self.is_everything
    }

    /// A shard of this scope.
    ///
    /// # Panics
    /// When the shard was not declared: a command's key specification is wrong.
    #[inline(always)]
    pub(super) fn shard(&mut self, index: usize) -> &mut Shard {
        if self.first.is_none() {
            self.take_first(index);
        }
        match &mut self.first {
            Some(held) if held.index == index => &mut held.shard,
            _ => {
                let Others { held, recent } = self.others.get_or_insert_default();
                if held.get(*recent).is_none_or(|held| held.index != index) {
                    *recent = find_other(self.keyspace, held, self.is_everything, index);
                }
                &mut held[*recent].shard
            }
        }
    }

    /// A scope over everything begins with nothing. Most scripts touch one shard, and then need no list either.
    #[cold]
    fn take_first(&mut self, index: usize) {
        if self.is_everything && self.others.is_none() {
            self.first = Some(Held {
                index,
                shard: self.keyspace.shards[index].lock(),
            });
        }
    }

    /// A shard of this scope to be read, where it has been locked: in a scope over everything, by asking for it before.
    #[inline]
    pub(super) fn held(&self, index: usize) -> Option<&Shard> {
        let mut held = self.all();
        let found = held.find(|held| held.index == index);
        found.map(|held| &*held.shard)
    }

    /// The shards that are locked.
    #[inline]
    pub(super) fn locked(&self) -> impl Iterator<Item = &Shard> {
        self.all().map(|held| &*held.shard)
    }

    #[inline]
    fn all(&self) -> impl Iterator<Item = &Held<'k>> {
        let others = self.others.iter().flat_map(|others| &others.held);
        self.first.iter().chain(others)
    }

    /// A shard whether or not it can be looked at by key: for walks over the whole keyspace. A scope over everything keeps
    /// only this one locked afterwards, so that a long walk costs no list of locks.
    pub(super) fn walk_to(&mut self, index: usize) -> &mut Shard {
        debug_assert!(self.is_everything);
        (self.first, self.others) = (None, None);
        self.shard(index)
    }
}

/// The place of a shard that is not a scope's first. A scope over everything locks it if need be.
#[inline(never)]
fn find_other<'k>(
    keyspace: &'k Keyspace,
    held: &mut Vec<Held<'k>>,
    is_everything: bool,
    index: usize,
) -> usize {
    let known = held.binary_search_by_key(&index, |held| held.index);
    known.unwrap_or_else(|at| {
        assert!(is_everything, "only declared keys are touched");
        let shard = keyspace.shards[index].lock();
        held.insert(at, Held { index, shard });
        at
    })
}
