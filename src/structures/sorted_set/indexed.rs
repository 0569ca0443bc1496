//! Many members: kept in slabs, found by their hash, and in order in a tree.

use std::ops::Range;

use super::lookup::{Found, Lookup, hash_member, lookup_hash};
use super::owed::Owed;
use super::range::{LexRange, ScoreRange};
use super::slab::{Id, Members};
use super::tree::{Direction, Key, Tree, Walk};
use crate::structures::Kept;

/// Members with their scores.
#[derive(Debug, Default)]
pub(super) struct Indexed {
    members: Members,
    lookup: Lookup,
    tree: Tree,
    /// What somebody still has to be shown who looks at the elements as they were at some moment.
    owed: Option<Box<Owed>>,
}

impl Clone for Indexed {
    fn clone(&self) -> Self {
        Self {
            members: self.members.clone(),
            lookup: self.lookup.clone(),
            tree: self.tree.clone(),
            owed: None,
        }
    }
}

impl Members {
    /// Whether an element stands in front of a member with a score, or is that member.
    #[inline]
    fn is_not_behind(&self, key: Key, score: f64, member: &[u8]) -> bool {
        key.0 < score || (key.0 == score && self.member(key.1) <= member)
    }
}

/// Where a member is, or would be.
pub(super) struct Place {
    hash: u32,
    found: Option<Found>,
}

impl Indexed {
    #[inline]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// See [`Members::has_room_for`].
    pub fn has_room_for(&self, lengths: impl Iterator<Item = usize>) -> bool {
        self.members.has_room_for(lengths)
    }

    /// Brings what finding members will look at into the cache: all slots, then all members.
    pub fn prefetch(&self, hashes: &[u64]) {
        let hashes = hashes.iter().map(|&hash| lookup_hash(hash));
        hashes
            .clone()
            .for_each(|hash| self.lookup.prefetch_slot(hash));
        for id in hashes.filter_map(|hash| self.lookup.guess(hash)) {
            self.members.prefetch(id);
        }
    }

    /// Looks for a member.
    #[inline]
    pub fn place(&self, member: &[u8]) -> Place {
        let hash = hash_member(member);
        let found = self.lookup.find(hash, member, &self.members);
        Place { hash, found }
    }

    /// The score of what was found.
    #[inline]
    pub fn score_at(&self, place: &Place) -> Option<f64> {
        place.found.map(|found| self.members.score(found.id))
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.score_at(&self.place(member))
    }

    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let id = self.place(member).found?.id;
        let score = self.members.score(id);
        let before = |key: Key| {
            key.0 < score || (key.0 == score && key.1 != id && self.members.member(key.1) < member)
        };
        Some((self.tree.count_before(before), score))
    }

    /// Gives a member a score.
    pub fn set(&mut self, place: &Place, member: &[u8], score: f64) {
        if let Some(found) = place.found {
            return self.move_to(found.id, member, score);
        }
        let id = self.members.insert(member, score);
        self.lookup.insert(place.hash, id);
        self.add_to_tree(id, member, score);
        if let Some(owed) = &mut self.owed {
            owed.add(id);
        }
    }

    fn add_to_tree(&mut self, id: Id, member: &[u8], score: f64) {
        let members = &self.members;
        self.tree
            .insert((score, id), |key| members.is_not_behind(key, score, member));
    }

    /// Before a member gets another score or is taken out: keeps a copy if it is owed.
    #[inline]
    fn preserve(&mut self, id: Id) {
        if let Some(owed) = &mut self.owed {
            owed.change(id, &self.members);
        }
    }

    fn move_to(&mut self, id: Id, member: &[u8], score: f64) {
        self.preserve(id);
        let members = &self.members;
        let old = members.score(id);
        let up_to_old = |key: Key| {
            key.0 < old || (key.0 == old && (key.1 == id || members.member(key.1) < member))
        };
        let stays = self.tree.set_score(up_to_old, score, |before, behind| {
            before.is_none_or(|key| members.is_not_behind(key, score, member))
                && behind.is_none_or(|key| !members.is_not_behind(key, score, member))
        });
        if !stays {
            self.tree.remove_last(up_to_old);
            self.add_to_tree(id, member, score);
        }
        self.members.set_score(id, score);
    }

    /// Takes a member out; gives its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let found = self.place(member).found?;
        self.preserve(found.id);
        let (id, members) = (found.id, &self.members);
        let score = members.score(id);
        self.lookup.remove(found);
        self.tree.remove_last(|key| {
            key.0 < score || (key.0 == score && (key.1 == id || members.member(key.1) < member))
        });
        self.members.remove(id);
        Some(score)
    }

    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        if ranks.len() == self.len() && self.owed.is_none() {
            *self = Self::default();
            return;
        }
        for _ in ranks.clone() {
            let (_, id) = self.tree.remove_at(ranks.start);
            self.preserve(id);
            self.lookup
                .remove_id(hash_member(self.members.member(id)), id);
            self.members.remove(id);
        }
    }

    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        let start = self.tree.count_before(|key| range.is_above(key.0));
        let end = self.tree.count_before(|key| range.reaches(key.0));
        start..end.max(start)
    }

    pub fn ranks_by_lex(&self, range: &LexRange<'_>) -> Range<usize> {
        if range.is_void() {
            return 0..0;
        }
        let member = |key: Key| self.members.member(key.1);
        let start = self.tree.count_before(|key| range.is_above(member(key)));
        let end = self.tree.count_before(|key| range.reaches(member(key)));
        start..end.max(start)
    }

    /// Elements with these ranks.
    pub fn walk(&self, ranks: Range<usize>, direction: Direction) -> Walk<'_> {
        self.tree.walk(ranks.start, ranks.len(), direction)
    }

    #[inline]
    pub fn member(&self, id: Id) -> &[u8] {
        self.members.member(id)
    }

    /// Shows members from a cursor on; gives the next cursor, 0 at the end.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(&[u8], f64)) -> u64 {
        self.lookup.scan(cursor, count, |id| {
            show(self.members.member(id), self.members.score(id));
        })
    }

    /// Has all elements but the `shown` highest kept as they are now, until [`Indexed::pay`] has shown them.
    pub fn owe(&mut self, shown: usize) {
        self.owed = Some(Box::new(Owed::new(shown, &self.tree, &self.members)));
    }

    /// Whether elements are kept that have not been shown.
    #[cfg(test)]
    pub fn is_owing(&self) -> bool {
        self.owed.is_some()
    }

    /// Shows about so many of the kept elements, each once; true at the end, with which [`Indexed::forgive`] has to follow.
    pub fn pay(&mut self, count: usize, show: impl FnMut(&[u8], f64)) -> bool {
        let Some(owed) = &mut self.owed else {
            return true;
        };
        owed.pay(&self.tree, &self.members, count, show)
    }

    /// Keeps nothing any longer; gives what it kept.
    pub fn forgive(&mut self) -> Option<Kept> {
        Some(self.owed.take()?)
    }

    pub fn allocated(&self) -> usize {
        size_of::<Self>()
            + self.members.allocated()
            + self.lookup.allocated()
            + self.tree.allocated()
    }

    /// About how many allocations there are.
    pub fn allocations(&self) -> usize {
        self.members.slabs() + self.lookup.segments() + self.tree.nodes()
    }
}

/// Members that get their scores in any order and are sorted once, at the end.
#[derive(Debug, Default)]
pub struct Gathering {
    members: Members,
    lookup: Lookup,
    is_overfull: bool,
}

impl Gathering {
    /// Members so far.
    pub fn len(&self) -> usize {
        self.lookup.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives a member a score, or joins it with the one that it has.
    pub fn add(&mut self, member: &[u8], score: f64, join: impl FnOnce(f64, f64) -> f64) {
        let hash = hash_member(member);
        match self.lookup.find(hash, member, &self.members) {
            Some(found) => {
                let joined = join(self.members.score(found.id), score);
                self.members.set_score(found.id, joined);
            }
            None if self.members.has_room() => {
                let id = self.members.insert(member, score);
                self.lookup.insert(hash, id);
            }
            None => self.is_overfull = true,
        }
    }

    /// Whether there were more members than a sorted set can hold: those were left out.
    pub fn is_overfull(&self) -> bool {
        self.is_overfull
    }

    /// Takes a member out, if it is there.
    pub fn remove(&mut self, member: &[u8]) {
        let hash = hash_member(member);
        if let Some(found) = self.lookup.find(hash, member, &self.members) {
            self.lookup.remove(found);
            self.members.remove(found.id);
        }
    }

    /// The members, sorted.
    pub(super) fn sorted(self) -> Indexed {
        let Self {
            members, lookup, ..
        } = self;
        let mut keys: Vec<Key> = Vec::with_capacity(lookup.len());
        lookup.scan(0, usize::MAX, |id| keys.push((members.score(id), id)));
        keys.sort_unstable_by(|a, b| {
            let by_score = a.0.partial_cmp(&b.0);
            by_score
                .filter(|order| order.is_ne())
                .unwrap_or_else(|| members.member(a.1).cmp(members.member(b.1)))
        });
        let mut tree = Tree::default();
        keys.into_iter().for_each(|key| tree.insert(key, |_| true));
        Indexed {
            members,
            lookup,
            tree,
            owed: None,
        }
    }
}
