//! A node's keys: scores and members' numbers side by side, so that a search reads scores only.

use super::super::slab::{Id, NO_ID};

/// An element of the order: its score, and the member's number.
pub(in super::super) type Key = (f64, Id);

/// Up to `N` keys in their order.
#[derive(Debug, Clone)]
pub(super) struct Keys<const N: usize> {
    scores: [f64; N],
    ids: [Id; N],
    len: u32,
}

impl<const N: usize> Keys<N> {
    pub fn new() -> Self {
        Self {
            scores: [0.0; N],
            ids: [NO_ID; N],
            len: 0,
        }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub fn at(&self, at: usize) -> Key {
        (self.scores[at], self.ids[at])
    }

    pub fn get(&self, at: usize) -> Option<Key> {
        (at < self.len()).then(|| self.at(at))
    }

    #[inline]
    pub fn set(&mut self, at: usize, key: Key) {
        (self.scores[at], self.ids[at]) = key;
    }

    /// How many of the first keys are `before`; behind them none is.
    #[inline]
    pub fn count_before(&self, before: &impl Fn(Key) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            match before(self.at(middle)) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    pub fn insert(&mut self, at: usize, key: Key) {
        let len = self.len();
        self.scores.copy_within(at..len, at + 1);
        self.ids.copy_within(at..len, at + 1);
        self.len += 1;
        self.set(at, key);
    }

    pub fn remove(&mut self, at: usize) -> Key {
        let (key, len) = (self.at(at), self.len());
        self.scores.copy_within(at + 1..len, at);
        self.ids.copy_within(at + 1..len, at);
        self.len -= 1;
        key
    }

    /// Moves the last `count` keys to the front of the right neighbour.
    pub fn give_right(&mut self, right: &mut Self, count: usize) {
        let (len, theirs) = (self.len() - count, right.len());
        right.scores.copy_within(..theirs, count);
        right.ids.copy_within(..theirs, count);
        right.scores[..count].copy_from_slice(&self.scores[len..len + count]);
        right.ids[..count].copy_from_slice(&self.ids[len..len + count]);
        self.len -= count as u32;
        right.len += count as u32;
    }

    /// Moves the first `count` keys of the right neighbour to the end.
    pub fn take_from(&mut self, right: &mut Self, count: usize) {
        let (len, theirs) = (self.len(), right.len());
        self.scores[len..len + count].copy_from_slice(&right.scores[..count]);
        self.ids[len..len + count].copy_from_slice(&right.ids[..count]);
        right.scores.copy_within(count..theirs, 0);
        right.ids.copy_within(count..theirs, 0);
        self.len += count as u32;
        right.len -= count as u32;
    }
}
