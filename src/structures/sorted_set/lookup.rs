//! From a member to its number: open addressing in segments, each kept in the order of the hashes.
//!
//! The order makes growing a copy from left to right, splitting a cut in the middle, and a scan's cursor simply the next
//! hash: whatever is inserted, removed or split between two calls, nothing that stays is missed. No step ever touches
//! more than one segment of 8 KiB and a directory of four bytes a segment.

use super::slab::{Id, Members, NO_ID};
use crate::base::hash;
use crate::structures::table::prefetch;

/// No member: bigger than any slot in use, as no member has this number.
const EMPTY: u64 = u64::MAX;
/// A segment this big splits instead of growing.
const MAX_SLOTS: usize = 1024;
const MIN_SLOTS: usize = 64;
/// Halves this full or less become one.
const MERGED: u32 = 320;
/// Segments beyond two to this are not split; they grow.
const MAX_DEPTH: u32 = 22;

/// A hash in the upper half, a member in the lower.
fn slot_of(hash: u32, id: Id) -> u64 {
    (u64::from(hash) << 32) | u64::from(id)
}

fn hash_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

/// The hash that a member is kept under.
#[inline]
pub(super) fn hash_member(member: &[u8]) -> u32 {
    lookup_hash(hash::hash(member))
}

/// The part of a hash that counts here.
#[inline]
pub(super) fn lookup_hash(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Members whose hashes begin with the same bits, in the order of their hashes.
#[derive(Debug, Clone)]
struct Segment {
    /// A member stands where its hash says or behind, with no gap between.
    slots: Box<[u64]>,
    len: u32,
    /// How many leading bits of the hash all have in common.
    depth: u32,
}

/// Sizes that are sizes of the allocator, too: four to each doubling.
fn size_for(len: usize) -> usize {
    let wanted = (len + len / 4 + 16).max(MIN_SLOTS);
    let step = 1 << (wanted.ilog2() - 2);
    wanted.next_multiple_of(step)
}

impl Segment {
    fn new(size: usize, depth: u32) -> Self {
        Self {
            slots: vec![EMPTY; size].into_boxed_slice(),
            len: 0,
            depth,
        }
    }

    /// Where a hash would stand if there were no others. The last slots are left to those that are pushed back.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        let share = u64::from(hash.unbounded_shl(self.depth));
        let homes = (self.slots.len() - self.slots.len() / 16 - 4) as u64;
        ((share * homes) >> 32) as usize
    }

    /// The first slot whose hash is this or above, and the next that is empty counts as above.
    #[inline]
    fn first_from(&self, hash: u32) -> usize {
        let from = self.home(hash);
        let above = |&slot: &u64| slot >= slot_of(hash, 0);
        let ahead = self.slots[from..].iter().position(above);
        ahead.map_or(self.slots.len(), |ahead| from + ahead)
    }

    #[inline]
    fn find(&self, hash: u32, is: impl Fn(Id) -> bool) -> Option<usize> {
        let mut at = self.first_from(hash);
        while let Some(&slot) = self.slots.get(at) {
            if slot == EMPTY || hash_of(slot) != hash {
                return None;
            }
            if is(slot as Id) {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    /// Puts a slot where its order wants it; false when the last slots are taken.
    fn insert(&mut self, slot: u64) -> bool {
        let from = self.home(hash_of(slot));
        let Some(at) = self.slots[from..].iter().position(|&known| known >= slot) else {
            return false;
        };
        let at = from + at;
        let Some(gap) = self.slots[at..].iter().position(|&known| known == EMPTY) else {
            return false;
        };
        self.slots.copy_within(at..at + gap, at + 1);
        self.slots[at] = slot;
        self.len += 1;
        true
    }

    fn remove(&mut self, at: usize) {
        let stays = |at: usize, slot: u64| slot == EMPTY || self.home(hash_of(slot)) == at;
        let mut end = at + 1;
        while end < self.slots.len() && !stays(end, self.slots[end]) {
            end += 1;
        }
        self.slots.copy_within(at + 1..end, at);
        self.slots[end - 1] = EMPTY;
        self.len -= 1;
    }

    fn taken(&self) -> impl Iterator<Item = u64> {
        self.slots.iter().copied().filter(|&slot| slot != EMPTY)
    }

    /// Slots in their order in a segment that has room for more, of at least so many slots.
    fn laid_out(taken: &[u64], depth: u32, at_least: usize) -> Self {
        let mut size = size_for(taken.len().max(at_least * 7 / 8));
        loop {
            let mut segment = Self::new(size, depth);
            if taken.iter().all(|&slot| segment.insert_last(slot)) {
                return segment;
            }
            size = size_for(size);
        }
    }

    /// Puts a slot behind all others.
    fn insert_last(&mut self, slot: u64) -> bool {
        let mut at = self.home(hash_of(slot));
        while self.slots.get(at).is_some_and(|&known| known != EMPTY) {
            at += 1;
        }
        if let Some(free) = self.slots.get_mut(at) {
            *free = slot;
            self.len += 1;
            return true;
        }
        false
    }

    fn is_crowded(&self) -> bool {
        self.len as usize * 8 >= self.slots.len() * 7
    }
}

/// Where a member was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub id: Id,
    segment: u32,
    at: u32,
}

/// All members by their hashes.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    /// The segment for each value of the hash's first `depth` bits.
    directory: Vec<u32>,
    depth: u32,
    segments: Vec<Segment>,
    len: usize,
}

impl Default for Lookup {
    fn default() -> Self {
        Self {
            directory: vec![0],
            depth: 0,
            segments: vec![Segment::new(MIN_SLOTS, 0)],
            len: 0,
        }
    }
}

impl Lookup {
    pub fn len(&self) -> usize {
        self.len
    }

    /// Brings the slots where a hash belongs into the cache.
    #[inline]
    pub fn prefetch_slot(&self, hash: u32) {
        let segment = &self.segments[self.segment_of(hash)];
        if let Some(slot) = segment.slots.get(segment.home(hash)) {
            prefetch(std::ptr::from_ref(slot).cast());
        }
    }

    /// The member that a hash probably is.
    #[inline]
    pub fn guess(&self, hash: u32) -> Option<Id> {
        let segment = &self.segments[self.segment_of(hash)];
        let slot = *segment.slots.get(segment.first_from(hash))?;
        (slot != EMPTY && hash_of(slot) == hash).then_some(slot as Id)
    }

    /// Finds a member.
    #[inline]
    pub fn find(&self, hash: u32, member: &[u8], members: &Members) -> Option<Found> {
        let number = self.segment_of(hash);
        let segment = &self.segments[number];
        let at = segment.find(hash, |id| members.member(id) == member)?;
        Some(Found {
            id: segment.slots[at] as Id,
            segment: number as u32,
            at: at as u32,
        })
    }

    /// Adds a member that is not there.
    pub fn insert(&mut self, hash: u32, id: Id) {
        debug_assert_ne!(id, NO_ID);
        self.len += 1;
        loop {
            let number = self.segment_of(hash);
            let segment = &mut self.segments[number];
            if !segment.is_crowded() && segment.insert(slot_of(hash, id)) {
                return;
            }
            self.make_room(number);
        }
    }

    /// Takes out what was found, before anything else changes.
    pub fn remove(&mut self, found: Found) {
        self.len -= 1;
        let number = found.segment as usize;
        let segment = &mut self.segments[number];
        let hash = hash_of(segment.slots[found.at as usize]);
        segment.remove(found.at as usize);
        let (len, size) = (segment.len as usize, segment.slots.len());
        if len * 4 < size {
            if size > MIN_SLOTS {
                let taken: Vec<u64> = segment.taken().collect();
                *segment = Segment::laid_out(&taken, segment.depth, 0);
            }
            self.merge(number, hash);
        }
    }

    /// Takes a member out by its number.
    pub fn remove_id(&mut self, hash: u32, id: Id) {
        let segment = self.segment_of(hash);
        if let Some(at) = self.segments[segment].find(hash, |known| known == id) {
            self.remove(Found {
                id,
                segment: segment as u32,
                at: at as u32,
            });
        }
    }

    /// Shows members from a cursor on, at least `count` of them while there are any, and gives the next cursor: 0 at the
    /// end.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(Id)) -> u64 {
        let Ok(mut hash) = u32::try_from(cursor) else {
            return 0;
        };
        let (mut shown, mut last) = (0, None);
        loop {
            let segment = &self.segments[self.segment_of(hash)];
            for slot in segment.slots[segment.first_from(hash)..].iter().copied() {
                if slot == EMPTY || hash_of(slot) < hash {
                    continue;
                }
                // Equal hashes are not told apart by a cursor, so they stay together.
                if shown >= count && last != Some(hash_of(slot)) {
                    return u64::from(hash_of(slot));
                }
                show(slot as Id);
                shown += 1;
                last = Some(hash_of(slot));
            }
            let bits = 32 - segment.depth;
            let next = ((u64::from(hash) >> bits) + 1) << bits;
            match u32::try_from(next) {
                Ok(next) => hash = next,
                Err(_) => return 0,
            }
        }
    }

    /// Bytes of its allocations.
    pub fn allocated(&self) -> usize {
        let slots: usize = self
            .segments
            .iter()
            .map(|segment| segment.slots.len())
            .sum();
        slots * size_of::<u64>()
            + self.segments.capacity() * size_of::<Segment>()
            + self.directory.capacity() * size_of::<u32>()
    }

    /// How many allocations there are, about.
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    #[inline]
    fn segment_of(&self, hash: u32) -> usize {
        self.directory[(u64::from(hash) >> (32 - self.depth)) as usize] as usize
    }

    /// The part of the directory that points at a segment which holds `hash`.
    fn range_of(&self, hash: u32, depth: u32) -> std::ops::Range<usize> {
        let width = 1usize << (self.depth - depth);
        let prefix = (u64::from(hash) >> (32 - depth)) as usize;
        prefix * width..(prefix + 1) * width
    }

    /// Grows a segment, or makes two of it.
    fn make_room(&mut self, number: usize) {
        let segment = &self.segments[number];
        let taken: Vec<u64> = segment.taken().collect();
        let depth = segment.depth;
        let first = taken.first().map_or(0, |&slot| hash_of(slot));
        let size = segment.slots.len();
        if size < MAX_SLOTS || depth == MAX_DEPTH {
            // Members that crowd the end of a segment may need more than their number says.
            self.segments[number] = Segment::laid_out(&taken, depth, size + 1);
            return;
        }
        if depth == self.depth {
            self.directory = self
                .directory
                .iter()
                .flat_map(|&number| [number; 2])
                .collect();
            self.depth += 1;
        }
        let half = 1u32 << (31 - depth);
        let middle = taken.partition_point(|&slot| hash_of(slot) & half == 0);
        let (left, right) = taken.split_at(middle);
        self.segments[number] = Segment::laid_out(left, depth + 1, 0);
        self.segments.push(Segment::laid_out(right, depth + 1, 0));
        let range = self.range_of(first | half, depth + 1);
        let added = self.segments.len() as u32 - 1;
        self.directory[range].fill(added);
    }

    /// Makes one of two neighbours that have become small.
    fn merge(&mut self, number: usize, hash: u32) {
        let depth = self.segments[number].depth;
        if depth == 0 {
            return;
        }
        let half = 1u32 << (32 - depth);
        let (low, high) = (hash & !half, hash | half);
        let (left, right) = (self.segment_of(low), self.segment_of(high));
        let (a, b) = (&self.segments[left], &self.segments[right]);
        if a.depth != depth || b.depth != depth || a.len + b.len > MERGED {
            return;
        }
        let taken: Vec<u64> = a.taken().chain(b.taken()).collect();
        let range = self.range_of(hash, depth - 1);
        self.segments[left] = Segment::laid_out(&taken, depth - 1, 0);
        self.directory[range].fill(left as u32);
        self.drop_segment(right);
    }

    /// Takes a segment out that nobody points at; the last one gets its number.
    fn drop_segment(&mut self, number: usize) {
        self.segments.swap_remove(number);
        let Some(moved) = self.segments.get(number) else {
            return;
        };
        let hash = moved.taken().next().map(hash_of);
        let range = match hash {
            Some(hash) => self.range_of(hash, moved.depth),
            None => 0..self.directory.len(),
        };
        let former = self.segments.len() as u32;
        for place in &mut self.directory[range] {
            if *place == former {
                *place = number as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn text(n: usize) -> Vec<u8> {
        n.to_string().into_bytes()
    }

    #[test]
    fn grows_and_shrinks_and_loses_nothing() {
        let (mut members, mut lookup) = (Members::default(), Lookup::default());
        let count = 30_000;
        for n in 0..count {
            lookup.insert(hash_member(&text(n)), members.insert(&text(n), n as f64));
        }
        let bytes = lookup.allocated();
        assert!(bytes < count * 12, "{bytes} bytes for {count} members");
        for n in (0..count).filter(|n| n % 100 != 0) {
            let found = lookup.find(hash_member(&text(n)), &text(n), &members);
            lookup.remove(found.unwrap());
        }
        assert_eq!(lookup.len(), count / 100);
        assert!(lookup.allocated() < bytes / 10, "{}", lookup.allocated());
        for n in 0..count {
            let found = lookup.find(hash_member(&text(n)), &text(n), &members);
            assert_eq!(found.is_some(), n % 100 == 0, "{n}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_scan_shows_all_that_stays(
            stays in prop::collection::btree_set(0usize..5_000, 0..2_000),
            comes in prop::collection::vec(5_000usize..15_000, 0..3_000),
            count in 1usize..300,
        ) {
            let (mut members, mut lookup) = (Members::default(), Lookup::default());
            for &n in &stays {
                lookup.insert(hash_member(&text(n)), members.insert(&text(n), 0.0));
            }
            let (mut seen, mut cursor, mut round) = (BTreeSet::new(), 0, 0);
            loop {
                cursor = lookup.scan(cursor, count, |id| {
                    seen.insert(members.member(id).to_vec());
                });
                if cursor == 0 {
                    break;
                }
                for &n in comes.iter().skip(round * 300).take(300) {
                    let hash = hash_member(&text(n));
                    match lookup.find(hash, &text(n), &members) {
                        Some(found) => lookup.remove(found),
                        None => lookup.insert(hash, members.insert(&text(n), 0.0)),
                    }
                }
                round += 1;
            }
            for n in stays {
                prop_assert!(seen.contains(&text(n)));
            }
        }

        #[test]
        fn equal_and_crowded_hashes_do_no_harm(hashes in prop::collection::vec(prop_oneof![
            Just(0u32), Just(u32::MAX), 0u32..40, (u32::MAX - 40)..=u32::MAX, any::<u32>(),
        ], 0..700)) {
            let (mut members, mut lookup) = (Members::default(), Lookup::default());
            let ids: Vec<Id> = (0..hashes.len()).map(|n| members.insert(&text(n), 0.0)).collect();
            for (&hash, &id) in hashes.iter().zip(&ids) {
                lookup.insert(hash, id);
            }
            for (n, &hash) in hashes.iter().enumerate() {
                let found = lookup.find(hash, &text(n), &members);
                prop_assert_eq!(found.map(|found| found.id), Some(ids[n]));
                if n % 3 > 0 {
                    lookup.remove_id(hash, ids[n]);
                }
            }
            for (n, &hash) in hashes.iter().enumerate() {
                prop_assert_eq!(lookup.find(hash, &text(n), &members).is_some(), n % 3 == 0);
            }
        }
    }
}
