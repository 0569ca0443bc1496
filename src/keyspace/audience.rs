//! Who hears of a shard's keys: clients that watch them, that wait for them, or that keep copies of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::lock::Key;
use crate::base::hash::hash;

/// Raised when a watched key changes. One per WATCHing client and round.
pub type WatchFlag = Arc<AtomicBool>;

/// Numbers of clients that keep a copy of a key.
pub type Readers = SmallVec<[u64; 2]>;

type ByKey<T> = HashMap<Box<[u8]>, T, foldhash::fast::RandomState>;

/// Who must be told that a key has changed, besides its watchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched(u8);

impl Touched {
    /// Nobody.
    pub const NOBODY: Self = Self(0);
    const WAITERS: u8 = 1;
    const READERS: u8 = 2;

    /// Whether somebody waits for the key.
    pub fn is_waited_for(self) -> bool {
        self.0 & Self::WAITERS != 0
    }

    /// Whether clients keep copies of it: take them with [`Db::take_readers`](super::Db::take_readers).
    pub fn has_readers(self) -> bool {
        self.0 & Self::READERS != 0
    }
}

/// Who hears of the keys of a shard's part of one database.
#[derive(Default)]
pub(super) struct Audience {
    watchers: ByKey<SmallVec<[WatchFlag; 1]>>,
    /// Numbers of those who wait for a key, oldest first. Numbers only grow, and are given under the shard's lock.
    waiters: ByKey<VecDeque<u64>>,
    /// Keys that have changed and whose waiters have not been looked at since, with the number of the change.
    unserved: SmallVec<[(Box<[u8]>, u64); 1]>,
    /// Changes of keys that somebody waited for.
    changes: u64,
    readers: ByKey<Readers>,
    marks: Marks,
    /// Keys that have been marked since the marks were last made anew.
    marked: usize,
}

/// A bit for some bits of the hash of every key that somebody hears of, so that most other keys need not be looked up.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Marks(u64);

impl Marks {
    #[inline]
    pub fn may_have(self, key: Key<'_>) -> bool {
        self.0 >> (key.hash % 64) & 1 == 1
    }

    fn add(&mut self, hash: u64) {
        self.0 |= 1 << (hash % 64);
    }
}

/// What a change of [`Audience`]'s readers came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Keys with readers that had none before.
    pub keys: u64,
    /// Readers.
    pub readers: u64,
}

impl Audience {
    pub fn is_empty(&self) -> bool {
        self.watchers.is_empty() && self.waiters.is_empty() && self.readers.is_empty()
    }

    /// See [`Marks`].
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// For keys that are not marked the answer is nobody.
    pub fn touch(&self, key: Key<'_>) -> Touched {
        let key = key.bytes;
        if let Some(flags) = self.watchers.get(key) {
            flags.iter().for_each(|flag| flag.store(true, Relaxed));
        }
        let waiters = u8::from(self.waiters.contains_key(key)) * Touched::WAITERS;
        let readers = u8::from(self.readers.contains_key(key)) * Touched::READERS;
        Touched(waiters | readers)
    }

    pub fn touch_watched(&self, mut concerns: impl FnMut(&[u8]) -> bool) {
        for (key, flags) in &self.watchers {
            if concerns(key) {
                flags.iter().for_each(|flag| flag.store(true, Relaxed));
            }
        }
    }

    /// Marks a key that is about to be entered. Marks of keys that have left go now and then.
    fn mark(&mut self, key: Key<'_>) {
        let known = self.watchers.len() + self.waiters.len() + self.readers.len();
        self.marked += 1;
        if self.marked > 16 + 2 * known {
            let watched = self.watchers.keys().chain(self.waiters.keys());
            let all = watched.chain(self.readers.keys());
            self.marks = Marks::default();
            all.for_each(|key| self.marks.add(hash(key)));
            self.marked = 1 + known;
        }
        self.marks.add(key.hash);
    }

    pub fn watch(&mut self, key: Key<'_>, flag: &WatchFlag) {
        self.mark(key);
        let key = key.bytes;
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

    /// Puts a waiter behind those who wait for a key already.
    pub fn wait(&mut self, key: Key<'_>, number: u64) {
        self.mark(key);
        let key = key.bytes;
        let queue = self.waiters.entry_ref(key).or_default();
        if queue.back() != Some(&number) {
            queue.push_back(number);
        }
    }

    /// Undoes [`Audience::wait`].
    pub fn stop_waiting(&mut self, key: &[u8], number: u64) {
        if let Some(queue) = self.waiters.get_mut(key) {
            if let Ok(at) = queue.binary_search(&number) {
                queue.remove(at);
            }
            if queue.is_empty() {
                self.waiters.remove(key);
                self.unserved.retain(|(known, _)| **known != *key);
            }
        }
        if self.waiters.is_empty() {
            self.waiters.shrink_to_fit();
        }
    }

    /// Notes that a key has changed for which somebody waits, until [`Audience::end_serving`].
    pub fn owe(&mut self, key: &[u8]) {
        self.changes += 1;
        let known = self.unserved.iter_mut().find(|(known, _)| **known == *key);
        match known {
            Some((_, change)) => *change = self.changes,
            None => self.unserved.push((key.into(), self.changes)),
        }
    }

    /// Whether waiters have yet to be served that a change has given something.
    #[inline]
    pub fn owes(&self) -> bool {
        !self.unserved.is_empty()
    }

    /// The keys whose waiters have yet to be served.
    pub fn unserved(&self) -> impl Iterator<Item = &[u8]> {
        self.unserved.iter().map(|(key, _)| &**key)
    }

    /// The last change of a key whose waiters have yet to be served.
    pub fn unserved_change(&self, key: &[u8]) -> Option<u64> {
        let mut unserved = self.unserved.iter();
        unserved
            .find(|(known, _)| **known == *key)
            .map(|(_, change)| *change)
    }

    /// The waiters of a key have been looked at since this change, and there is nothing more for them.
    pub fn end_serving(&mut self, key: &[u8], change: u64) {
        (self.unserved).retain(|(known, last)| *last > change || **known != *key);
    }

    /// The oldest waiter for a key that came after another.
    pub fn next_waiter(&self, key: &[u8], after: u64) -> Option<u64> {
        let queue = self.waiters.get(key)?;
        let at = queue.partition_point(|&number| number <= after);
        queue.get(at).copied()
    }

    /// Keys that somebody waits for.
    pub fn waited_for(&self) -> impl Iterator<Item = &[u8]> {
        self.waiters.keys().map(|key| &**key)
    }

    /// Notes that a client keeps a copy of a key.
    pub fn remember(&mut self, key: Key<'_>, reader: u64) -> Growth {
        self.mark(key);
        let key = key.bytes;
        let readers = self.readers.entry_ref(key).or_default();
        if readers.contains(&reader) {
            return Growth::default();
        }
        readers.push(reader);
        Growth {
            keys: u64::from(readers.len() == 1),
            readers: 1,
        }
    }

    /// Takes out the clients that keep a copy of a key.
    pub fn take_readers(&mut self, key: &[u8]) -> Readers {
        let readers = self.readers.remove(key).unwrap_or_default();
        self.shrink_readers();
        readers
    }

    /// Takes out any keys with their readers, as many as `count` says, and lowers it by as many.
    pub fn take_some_readers(&mut self, count: &mut u64) -> Vec<(Box<[u8]>, Readers)> {
        let wanted = usize::try_from(*count).unwrap_or(usize::MAX);
        let taken: Vec<_> = self.readers.extract_if(|_, _| true).take(wanted).collect();
        *count -= taken.len() as u64;
        self.shrink_readers();
        taken
    }

    /// Gives room back after most copies have become invalid.
    fn shrink_readers(&mut self) {
        let len = self.readers.len();
        if self.readers.capacity() > 64 && len < self.readers.capacity() / 8 {
            self.readers.shrink_to(len * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_remembered_once_and_taken_once() {
        let mut audience = Audience::default();
        let growth = |keys, readers| Growth { keys, readers };
        assert_eq!(audience.remember(Key::new(b"k"), 1), growth(1, 1));
        assert_eq!(audience.remember(Key::new(b"k"), 1), growth(0, 0));
        assert_eq!(audience.remember(Key::new(b"k"), 2), growth(0, 1));
        assert!(audience.touch(Key::new(b"k")).has_readers());
        assert_eq!(audience.touch(Key::new(b"other")), Touched::NOBODY);
        assert_eq!(audience.take_readers(b"k").as_slice(), [1, 2]);
        assert!(audience.is_empty());
        for number in 0..10u8 {
            audience.remember(Key::new(&[number]), 1);
        }
        let mut count = 4;
        assert_eq!(audience.take_some_readers(&mut count).len(), 4);
        assert_eq!((count, audience.readers.len()), (0, 6));
        let mut count = 100;
        assert_eq!(audience.take_some_readers(&mut count).len(), 6);
        assert_eq!(count, 94);
    }

    #[test]
    fn a_change_tells_who_waits_and_raises_flags() {
        let mut audience = Audience::default();
        let flag = WatchFlag::default();
        audience.watch(Key::new(b"k"), &flag);
        audience.wait(Key::new(b"k"), 7);
        audience.wait(Key::new(b"k"), 9);
        let touched = audience.touch(Key::new(b"k"));
        assert!(touched.is_waited_for() && !touched.has_readers() && flag.load(Relaxed));
        assert_eq!(audience.next_waiter(b"k", 7), Some(9));
        for number in [7, 9] {
            audience.stop_waiting(b"k", number);
        }
        audience.unwatch(b"k", &flag);
        assert!(audience.is_empty());
    }

    #[test]
    fn a_change_is_owed_until_its_waiters_were_looked_at_or_have_left() {
        let mut audience = Audience::default();
        for number in [1, 2] {
            audience.wait(Key::new(b"k"), number);
        }
        audience.wait(Key::new(b"other"), 3);
        audience.owe(b"k");
        let first = audience.unserved_change(b"k").expect("it is owed");
        audience.owe(b"k");
        audience.end_serving(b"k", first);
        assert!(audience.owes() && audience.unserved_change(b"other").is_none());
        let second = audience.unserved_change(b"k").expect("it is owed");
        audience.end_serving(b"k", second);
        assert!(!audience.owes());
        audience.owe(b"k");
        audience.owe(b"other");
        audience.stop_waiting(b"k", 1);
        assert_eq!(audience.unserved().count(), 2);
        audience.stop_waiting(b"k", 2);
        assert_eq!(audience.unserved().next(), Some(&b"other"[..]));
        audience.stop_waiting(b"other", 3);
        assert!(audience.is_empty() && !audience.owes());
    }

    #[test]
    fn marks_of_keys_that_have_left_go() {
        let mut audience = Audience::default();
        let keys: Vec<[u8; 2]> = (0..1000u16).map(u16::to_be_bytes).collect();
        for (number, key) in keys.iter().enumerate() {
            audience.remember(Key::new(key), 1);
            if let Some(old) = number.checked_sub(4).map(|old| &keys[old]) {
                assert!(audience.marks.may_have(Key::new(old)));
                assert!(audience.touch(Key::new(old)).has_readers());
                audience.take_readers(old);
                assert_eq!(audience.touch(Key::new(old)), Touched::NOBODY);
            }
            let known = keys[..=number].iter().rev().take(4);
            assert!(
                known
                    .into_iter()
                    .all(|key| audience.marks.may_have(Key::new(key)))
            );
        }
        assert!(audience.marks.0.count_ones() < 40);
    }
}
