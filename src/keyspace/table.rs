//! The hash table of one shard and database: segments in hash order, grown one at a time.
//!
//! Segments are split by linear hashing (Litwin 1980): with `2^depth` segments, the first `split` of them have been split
//! already. Each segment sizes its own buckets in steps of a quarter, so memory follows the number of entries closely and
//! no step moves more than one segment. Everything is in hash order, so a position in the hash space is a cursor that
//! stays valid while the table grows and shrinks.

use std::num::NonZeroU64;

use smallvec::SmallVec;

use super::entry::{Entry, EntryMut, EntryRef};
use super::hint::{self, Hint};
use super::lock::hash_bits;
use super::segment::{Place as SegmentPlace, Segment};

/// Entries per segment, on average, above which the next segment is split.
const SPLIT_ABOVE: usize = 1024;
/// Entries per segment, on average, below which the last split is undone.
const MERGE_BELOW: usize = 400;

/// Where an entry is; valid until the table next changes. One word, so that finding a key returns it in a register.
#[derive(Debug, Clone, Copy)]
pub struct Place(NonZeroU64);

impl Place {
    #[inline]
    fn new(segment: usize, place: SegmentPlace) -> Self {
        // The lowest bit keeps it from being zero; a segment has at most 2^19 slots.
        Self(NonZeroU64::MIN | (segment as u64) << 32 | u64::from(place.0) << 1)
    }

    #[inline]
    fn segment(self) -> usize {
        (self.0.get() >> 32) as usize
    }

    #[inline]
    fn place(self) -> SegmentPlace {
        SegmentPlace(self.0.get() as u32 >> 1)
    }
}

/// A set of entries, found by the hash of their key. Callers pass `bits`: the hash bits that the shard's choice left over,
/// left-aligned.
#[derive(Default)]
// In this order a find in a small table reads one cache line, the one with the shard's lock.
#[repr(C)]
pub struct Table {
    depth: u32,
    split: u32,
    len: usize,
    /// In hash order. The only segment of a small table lies here, without another pointer to follow.
    segments: SmallVec<[Segment; 1]>,
}

impl Table {
    /// Whether the table has no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the buckets; the entries' own allocations come on top.
    pub fn allocated(&self) -> usize {
        self.segments.iter().map(Segment::allocated).sum()
    }

    /// The segment of some hash bits, and the position in it.
    #[inline]
    fn locate(&self, bits: u64) -> (usize, u16) {
        locate(self.depth, self.split as usize, bits)
    }

    /// Finds a key.
    #[inline]
    pub fn find(&self, bits: u64, key: &[u8]) -> Option<Place> {
        let (segment, position) = self.locate(bits);
        let place = self.segments.get(segment)?.find(position, key)?;
        Some(Place::new(segment, place))
    }

    /// The entry at a place.
    #[inline]
    pub fn entry(&self, at: Place) -> EntryRef<'_> {
        self.segments[at.segment()].entry(at.place())
    }

    /// The entry at a place, to be changed.
    #[inline]
    pub fn entry_mut(&mut self, at: Place) -> EntryMut<'_> {
        self.segments[at.segment()].entry_mut(at.place())
    }

    /// Puts another entry of the same key into a place, made from the old one.
    pub fn replace(&mut self, at: Place, make: impl FnOnce(Entry) -> Entry) {
        self.segments[at.segment()].replace(at.place(), make);
    }

    /// Entries with an expiry.
    pub fn expiring(&self) -> usize {
        self.segments.iter().map(Segment::expiring).sum()
    }

    /// Adds an entry whose key is not in the table.
    pub fn insert(&mut self, bits: u64, entry: Entry, hint: &Hint) -> Place {
        if self.len + 1 > self.segments.len() * SPLIT_ABOVE {
            self.add_segment(hint);
        }
        let (segment, position) = self.locate(bits);
        if self.segments[segment].must_grow() {
            let entries = self.segments[segment].len() + 1;
            hint::retire(self.segments[segment].resize(entries * 9 / 8));
            self.publish(segment, hint);
        }
        self.len += 1;
        hint.set_len(self.len);
        let place = self.segments[segment].insert(position, entry);
        Place::new(segment, place)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, at: Place, hint: &Hint) -> Entry {
        let segment = &mut self.segments[at.segment()];
        let entry = segment.remove(at.place());
        if segment.may_shrink() {
            hint::retire(segment.resize(segment.len() * 9 / 8));
            self.publish(at.segment(), hint);
        }
        self.len -= 1;
        self.settle(hint);
        entry
    }

    /// After removals: tells the new length and undoes splits that are no longer needed.
    fn settle(&mut self, hint: &Hint) {
        hint.set_len(self.len);
        while self.segments.len() > 1 && self.len < (self.segments.len() - 1) * MERGE_BELOW {
            self.drop_segment(hint);
        }
    }

    fn add_segment(&mut self, hint: &Hint) {
        if self.segments.is_empty() {
            self.segments.push(Segment::with_capacity(1));
            return self.publish_all(hint);
        }
        // In hash order the first `split` segments of the round have become two each.
        let at = self.split as usize * 2;
        let bit = 63 - (self.depth + 16);
        let segment = std::mem::take(&mut self.segments[at]);
        let (lower, upper, old) = segment.split(|entry| (hash_bits(entry.key()) >> bit) as u16 & 1);
        self.segments[at] = lower;
        self.segments.insert(at + 1, upper);
        self.split += 1;
        if self.split == 1 << self.depth {
            (self.depth, self.split) = (self.depth + 1, 0);
        }
        self.publish_all(hint);
        hint::retire(old);
    }

    fn drop_segment(&mut self, hint: &Hint) {
        if self.split == 0 {
            self.depth -= 1;
            self.split = 1 << self.depth;
        }
        self.split -= 1;
        let at = self.split as usize * 2;
        let upper = self.segments.remove(at + 1);
        let lower = std::mem::take(&mut self.segments[at]);
        let (whole, old) = Segment::merge(lower, upper);
        self.segments[at] = whole;
        self.publish_all(hint);
        old.into_iter().for_each(hint::retire);
    }

    /// Tells the prefetcher where one segment's buckets are now.
    fn publish(&self, segment: usize, hint: &Hint) {
        hint.set_segment(segment, self.segments[segment].buckets());
    }

    /// Tells the prefetcher where everything is now.
    pub fn publish_all(&self, hint: &Hint) {
        hint.set_all(
            self.depth,
            self.split as usize,
            self.segments.iter().map(Segment::buckets),
        );
        hint.set_len(self.len);
        self.publish_deadline(hint);
    }

    /// Tells when an entry is next due, so that nobody takes the lock to find out.
    fn publish_deadline(&self, hint: &Hint) {
        hint.set_deadline(
            self.segments
                .iter()
                .map(Segment::next_deadline)
                .min()
                .unwrap_or(u32::MAX),
        );
    }

    /// Notes that the entry at a place is due at `deadline`.
    pub fn set_deadline(&mut self, at: Place, deadline: u32, hint: &Hint) {
        self.segments[at.segment()].set_deadline(at.place(), deadline);
        hint.lower_deadline(deadline);
    }

    /// Takes out entries that are due before `now`, looking at no more than about `limit` of them. `deadline_of` gives an
    /// entry's deadline, or `None` to have it taken out. True when nothing more is due.
    pub fn take_due(
        &mut self,
        now: u32,
        mut limit: usize,
        mut deadline_of: impl FnMut(EntryRef<'_>) -> Option<u32>,
        hint: &Hint,
    ) -> (Vec<Entry>, bool) {
        let mut taken = Vec::new();
        let done = (self.segments.iter_mut())
            .all(|segment| segment.take_due(now, &mut limit, &mut deadline_of, &mut taken));
        self.len -= taken.len();
        for segment in 0..self.segments.len() {
            if self.segments[segment].may_shrink() {
                let entries = self.segments[segment].len();
                hint::retire(self.segments[segment].resize(entries * 9 / 8));
                self.publish(segment, hint);
            }
        }
        self.settle(hint);
        self.publish_deadline(hint);
        (taken, done)
    }

    /// Shows the entries of one bucket's stretch of the hash space, from `cursor` on; returns where to go on, or `None` at
    /// the end. An entry that is in the table throughout a whole pass is shown, whatever else comes and goes.
    pub fn scan<'a>(&'a self, cursor: u64, show: impl FnMut(EntryRef<'a>)) -> Option<u64> {
        if self.segments.is_empty() {
            return None;
        }
        let (segment, position) = self.locate(cursor);
        let depth = if segment < self.split as usize * 2 {
            self.depth + 1
        } else {
            self.depth
        };
        let start = if depth == 0 {
            0
        } else {
            cursor >> (64 - depth) << (64 - depth)
        };
        match self.segments[segment].scan(position, show) {
            Some(next) => Some(start | u64::from(next) << (48 - depth)),
            None if depth == 0 => None,
            None => start.checked_add(1 << (64 - depth)),
        }
    }

    /// Shows every entry.
    pub fn for_each<'a>(&'a self, mut show: impl FnMut(EntryRef<'a>)) {
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            cursor = self.scan(at, &mut show);
        }
    }

    /// An entry chosen at random, each with the same chance.
    pub fn random(&self) -> Option<EntryRef<'_>> {
        if self.is_empty() {
            return None;
        }
        loop {
            let (segment, _) = self.locate(crate::base::random::next());
            if let Some(entry) = self.segments[segment].sample(crate::base::random::next()) {
                return Some(entry);
            }
        }
    }
}

/// The segment and the position in it of some hash bits.
#[inline]
pub(super) fn locate(depth: u32, split: usize, bits: u64) -> (usize, u16) {
    // Two shifts, since a shift by 64 is not defined.
    let coarse = (bits >> 1 >> (63 - depth)) as usize;
    if coarse < split {
        let fine = (bits >> (63 - depth)) as usize;
        (fine, (bits << (depth + 1) >> 48) as u16)
    } else {
        (coarse + split, (bits << depth >> 48) as u16)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::entry::{Value, ValueRef};
    use super::hash_bits as hash;
    use super::*;

    fn number(entry: EntryRef<'_>) -> i64 {
        match entry.value() {
            ValueRef::Int(number) => number,
            other => panic!("{other:?}"),
        }
    }

    fn put(table: &mut Table, hint: &Hint, key: &[u8], value: i64, deadline: Option<u32>) {
        let entry = Entry::new(key, Value::Int(value), deadline.map(i64::from), 0);
        let at = match table.find(hash(key), key) {
            Some(at) => {
                table.replace(at, |_| entry);
                at
            }
            None => table.insert(hash(key), entry, hint),
        };
        if let Some(deadline) = deadline {
            table.set_deadline(at, deadline, hint);
        }
    }

    /// Every entry can be found, prefetching mostly guesses the right places, and a scan shows each entry once.
    fn check(table: &Table, hint: &Hint, model: &HashMap<Vec<u8>, (i64, Option<u32>)>) {
        assert_eq!(hint.len(), model.len());
        for (key, (value, _)) in model {
            let at = table
                .find(hash(key), key)
                .expect("a key of the model is in the table");
            assert_eq!(number(table.entry(at)), *value);
        }
        let guessed = model
            .keys()
            .filter(|key| hint.guess(hash(key)).is_some())
            .count();
        assert!(
            guessed * 4 >= model.len() * 3,
            "only {guessed} of {} are in their home bucket",
            model.len()
        );
        let mut seen = HashMap::new();
        table.for_each(|entry| assert!(seen.insert(entry.key().to_vec(), number(entry)).is_none()));
        assert_eq!(seen.len(), model.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((0u32..4000, 0u8..10, any::<i64>(), 0u32..1000), 1..6000)) {
            let (mut table, hint) = (Table::default(), Hint::default());
            let mut model = HashMap::new();
            let mut now = 0;
            for (index, (key, action, value, deadline)) in steps.into_iter().enumerate() {
                let key = key.to_string().into_bytes();
                match action {
                    0..5 => {
                        put(&mut table, &hint, &key, value, None);
                        model.insert(key, (value, None));
                    }
                    5..7 => {
                        put(&mut table, &hint, &key, value, Some(now + deadline));
                        model.insert(key, (value, Some(now + deadline)));
                    }
                    7..9 => {
                        let removed = table.find(hash(&key), &key).map(|at| number(table.remove(at, &hint).view()));
                        prop_assert_eq!(removed, model.remove(&key).map(|(value, _)| value));
                    }
                    _ => {
                        now += deadline / 8;
                        let due = |entry: EntryRef<'_>| entry.expires_at().map(|at| at as u32).filter(|&at| at >= now);
                        let (taken, done) = table.take_due(now, usize::MAX, due, &hint);
                        prop_assert!(done);
                        for entry in taken {
                            let (_, deadline) = model.remove(entry.view().key()).expect("only known keys expire");
                            prop_assert!(deadline.is_some_and(|at| at < now));
                        }
                        prop_assert!(model.values().all(|(_, deadline)| deadline.is_none_or(|at| at >= now)));
                    }
                }
                if index % 500 == 0 {
                    check(&table, &hint, &model);
                }
            }
            check(&table, &hint, &model);
        }
    }

    #[test]
    fn a_scan_shows_what_stays_while_the_table_grows_and_shrinks() {
        let (mut table, hint) = (Table::default(), Hint::default());
        let stays: Vec<Vec<u8>> = (0..500)
            .map(|n| format!("stays:{n}").into_bytes())
            .collect();
        stays
            .iter()
            .for_each(|key| put(&mut table, &hint, key, 0, None));
        for (from, to) in [(0, 20_000), (20_000, 0)] {
            let (mut cursor, mut seen, mut moved) = (Some(0), HashMap::<Vec<u8>, u32>::new(), from);
            while let Some(at) = cursor {
                cursor = table.scan(at, |entry| {
                    *seen.entry(entry.key().to_vec()).or_default() += 1
                });
                for _ in 0..60 {
                    let key = format!("moves:{moved}").into_bytes();
                    if from < to && moved < to {
                        put(&mut table, &hint, &key, 0, None);
                        moved += 1;
                    } else if moved > to {
                        moved -= 1;
                        let key = format!("moves:{moved}").into_bytes();
                        if let Some(at) = table.find(hash(&key), &key) {
                            table.remove(at, &hint);
                        }
                    }
                }
            }
            assert!(stays.iter().all(|key| seen.get(key) == Some(&1)));
        }
    }

    #[test]
    fn is_well_filled_at_every_size() {
        let (mut table, hint) = (Table::default(), Hint::default());
        for n in 0..100_000 {
            put(&mut table, &hint, format!("key:{n}").as_bytes(), n, None);
            if n > 100 {
                let per_entry = table.allocated() as f64 / (n + 1) as f64;
                assert!(per_entry < 13.5, "{per_entry} bytes per entry at {n}");
            }
        }
    }
}
