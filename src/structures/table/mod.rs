//! A hash table that owns its elements, one allocation each: segments in hash order, grown one at a time.
//!
//! The keyspace keeps its entries in such tables, big sets and hashes their members and fields, and sorted sets find their
//! members with one. What an element is says [`Element`]; how keys are hashed, and who is told when buckets move, says an
//! [`Owner`]. A collection is best served by [`Elements`], which is a table with an owner of its own.
//!
//! Segments are split by linear hashing (Litwin 1980): with `2^depth` segments, the first `split` of them have been split
//! already. Each segment sizes its own buckets in steps of a quarter, so memory follows the number of elements closely and
//! no step moves more than one segment. Everything is in hash order, so a position in the hash space is a cursor that
//! stays valid while the table grows and shrinks.

mod bucket;
mod element;
mod elements;
mod owed;
mod owner;
mod record;
mod segment;

use std::num::NonZeroU64;

use smallvec::SmallVec;

pub use self::bucket::{Bucket, prefetch};
pub use self::element::{Element, same_key};
pub use self::elements::{Copied, Elements};
pub use self::owner::Owner;
pub use self::record::{Head, Record, RecordMut, RecordRef};
use self::segment::{NO_DEADLINE, Place as SegmentPlace, Segment};

/// Elements per segment, on average, above which the next segment is split.
const SPLIT_ABOVE: usize = 1024;
/// Elements per segment, on average, below which the last split is undone.
const MERGE_BELOW: usize = 400;

/// Where an element is; valid until the table next changes. One word, so that finding a key returns it in a register.
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

/// A set of elements, found by the hash of their key. Callers pass `bits`, the key's hash as the table's owner makes it; all
/// changes of one table must name the same owner.
// In this order a find in a small table reads one cache line, the one with the shard's lock.
#[repr(C)]
pub struct Table<E: Element> {
    depth: u32,
    split: u32,
    len: usize,
    /// In hash order. The only segment of a small table lies here, without another pointer to follow.
    segments: SmallVec<[Segment<E>; 1]>,
}

impl<E: Element> Default for Table<E> {
    fn default() -> Self {
        Self {
            depth: 0,
            split: 0,
            len: 0,
            segments: SmallVec::new(),
        }
    }
}

impl<E: Element> Table<E> {
    /// Whether the table has no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the buckets; the elements' own allocations come on top.
    pub fn allocated(&self) -> usize {
        self.segments.iter().map(Segment::allocated).sum()
    }

    /// The segment of some hash bits, and the position in it.
    #[inline]
    fn locate(&self, bits: u64) -> (usize, u16) {
        locate(self.depth, self.split as usize, bits)
    }

    /// Finds a key.
    #[inline(always)]
    pub fn find(&self, bits: u64, key: &[u8]) -> Option<Place> {
        let (segment, position) = self.locate(bits);
        let place = self.segments.get(segment)?.find(position, key)?;
        Some(Place::new(segment, place))
    }

    /// Brings what finding these keys will look at into the cache: first all buckets, then all elements, so that the misses
    /// overlap.
    pub fn prefetch(&self, all_bits: impl Iterator<Item = u64> + Clone) {
        for bits in all_bits.clone() {
            let (segment, position) = self.locate(bits);
            if let Some(segment) = self.segments.get(segment) {
                segment.prefetch_bucket(position);
            }
        }
        for bits in all_bits {
            let (segment, position) = self.locate(bits);
            if let Some(segment) = self.segments.get(segment) {
                segment.prefetch_element(position);
            }
        }
    }

    /// The element at a place.
    #[inline]
    pub fn element(&self, at: Place) -> E::Ref<'_> {
        self.segments[at.segment()].element(at.place())
    }

    /// The element at a place, to be changed.
    #[inline]
    pub fn element_mut(&mut self, at: Place) -> E::Mut<'_> {
        self.segments[at.segment()].element_mut(at.place())
    }

    /// Puts another element of the same key into a place, made from the old one.
    pub fn replace(&mut self, at: Place, make: impl FnOnce(E) -> E) {
        self.segments[at.segment()].replace(at.place(), make);
    }

    /// Puts another element of the same key into a place; gives the old one.
    pub fn exchange(&mut self, at: Place, element: E) -> E {
        self.segments[at.segment()].exchange(at.place(), element)
    }

    /// Elements with an expiry.
    pub fn expiring(&self) -> usize {
        self.segments.iter().map(Segment::expiring).sum()
    }

    /// Adds an element whose key is not in the table.
    pub fn insert(&mut self, bits: u64, element: E, owner: &impl Owner<E>) -> Place {
        if self.len + 1 > self.segments.len() * SPLIT_ABOVE {
            self.add_segment(owner);
        }
        let (segment, position) = self.locate(bits);
        if self.segments[segment].must_grow() {
            let elements = self.segments[segment].len() + 1;
            owner.retire(self.segments[segment].resize(elements * 9 / 8));
            self.publish(segment, owner);
        }
        self.len += 1;
        owner.set_len(self.len);
        let place = self.segments[segment].insert(position, element);
        Place::new(segment, place)
    }

    /// Takes an element out.
    pub fn remove(&mut self, at: Place, owner: &impl Owner<E>) -> E {
        let segment = &mut self.segments[at.segment()];
        let element = segment.remove(at.place());
        if segment.may_shrink() {
            owner.retire(segment.resize(segment.len() * 9 / 8));
            self.publish(at.segment(), owner);
        }
        self.len -= 1;
        self.settle(owner);
        element
    }

    /// After removals: tells the new length and undoes splits that are no longer needed.
    fn settle(&mut self, owner: &impl Owner<E>) {
        owner.set_len(self.len);
        while self.segments.len() > 1 && self.len < (self.segments.len() - 1) * MERGE_BELOW {
            self.drop_segment(owner);
        }
    }

    fn add_segment(&mut self, owner: &impl Owner<E>) {
        if self.segments.is_empty() {
            self.segments.push(Segment::with_capacity(1));
            return self.publish_all(owner);
        }
        // In hash order the first `split` segments of the round have become two each.
        let at = self.split as usize * 2;
        let bit = 63 - (self.depth + 16);
        let segment = std::mem::take(&mut self.segments[at]);
        let (lower, upper, old) = segment.split(|element| (owner.bits(element) >> bit) as u16 & 1);
        self.segments[at] = lower;
        self.segments.insert(at + 1, upper);
        self.split += 1;
        if self.split == 1 << self.depth {
            (self.depth, self.split) = (self.depth + 1, 0);
        }
        self.publish_all(owner);
        owner.retire(old);
    }

    fn drop_segment(&mut self, owner: &impl Owner<E>) {
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
        self.publish_all(owner);
        for buckets in old {
            owner.retire(buckets);
        }
    }

    /// Tells the prefetcher where one segment's buckets are now.
    fn publish(&self, segment: usize, owner: &impl Owner<E>) {
        owner.set_segment(segment, self.segments[segment].buckets());
    }

    /// Tells the prefetcher where everything is now.
    pub fn publish_all(&self, owner: &impl Owner<E>) {
        owner.set_all(
            self.depth,
            self.split as usize,
            self.segments.iter().map(Segment::buckets),
        );
        owner.set_len(self.len);
        self.publish_deadline(owner);
    }

    /// Tells when an element is next due, so that nobody takes the lock to find out.
    fn publish_deadline(&self, owner: &impl Owner<E>) {
        owner.set_deadline(self.next_deadline());
    }

    /// Notes that the element at a place is due at `deadline`.
    pub fn set_deadline(&mut self, at: Place, deadline: u32, owner: &impl Owner<E>) {
        self.segments[at.segment()].set_deadline(at.place(), deadline);
        owner.lower_deadline(deadline);
    }

    /// Takes out elements that are due before `now`, looking at no more than about `limit` of them. `deadline_of` gives an
    /// element's deadline, or `None` to have it taken out. True when nothing more is due.
    pub fn take_due(
        &mut self,
        now: u32,
        mut limit: usize,
        mut deadline_of: impl FnMut(E::Ref<'_>) -> Option<u32>,
        owner: &impl Owner<E>,
    ) -> (Vec<E>, bool) {
        let mut taken = Vec::new();
        let done = (self.segments.iter_mut())
            .all(|segment| segment.take_due(now, &mut limit, &mut deadline_of, &mut taken));
        self.len -= taken.len();
        for segment in 0..self.segments.len() {
            if self.segments[segment].may_shrink() {
                let elements = self.segments[segment].len();
                owner.retire(self.segments[segment].resize(elements * 9 / 8));
                self.publish(segment, owner);
            }
        }
        self.settle(owner);
        self.publish_deadline(owner);
        (taken, done)
    }

    /// Shows the elements of one bucket's stretch of the hash space, from `cursor` on; returns where to go on, or `None` at
    /// the end. An element that is in the table throughout a whole pass is shown, whatever else comes and goes.
    pub fn scan<'a>(&'a self, cursor: u64, show: impl FnMut(E::Ref<'a>)) -> Option<u64> {
        if self.segments.is_empty() {
            return None;
        }
        let (segment, position) = self.locate(cursor);
        let next = self.segments[segment].scan(position, show);
        self.behind(cursor, next)
    }

    /// Puts other elements of the same keys into the places of one bucket, made from the old ones; returns where to go on, as
    /// [`Table::scan`] does, which would show the same ones, roughly.
    pub fn renew(&mut self, cursor: u64, make: impl FnMut(E) -> E) -> Option<u64> {
        if self.segments.is_empty() {
            return None;
        }
        let (segment, position) = self.locate(cursor);
        let next = self.segments[segment].renew(position, make);
        self.behind(cursor, next)
    }

    /// The cursor behind one in whose segment this is the next position, if there is one.
    fn behind(&self, cursor: u64, next: Option<u16>) -> Option<u64> {
        let (segment, _) = self.locate(cursor);
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
        match next {
            Some(next) => Some(start | u64::from(next) << (48 - depth)),
            None if depth == 0 => None,
            None => start.checked_add(1 << (64 - depth)),
        }
    }

    /// Shows every element.
    pub fn for_each<'a>(&'a self, mut show: impl FnMut(E::Ref<'a>)) {
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            cursor = self.scan(at, &mut show);
        }
    }

    /// Every element, in no particular order, at less cost than [`Table::for_each`].
    pub fn iter(&self) -> Iter<'_, E> {
        Iter {
            segments: self.segments.iter(),
            current: None,
        }
    }

    /// A table of the same shape with copies of all elements.
    pub fn copied(&self, mut copy: impl FnMut(E::Ref<'_>) -> E) -> Self {
        let segments = self.segments.iter();
        Self {
            depth: self.depth,
            split: self.split,
            len: self.len,
            segments: segments.map(|segment| segment.copied(&mut copy)).collect(),
        }
    }

    /// No element is due before this.
    pub fn next_deadline(&self) -> u32 {
        let deadlines = self.segments.iter().map(Segment::next_deadline);
        deadlines.min().unwrap_or(NO_DEADLINE)
    }

    /// An element chosen at random, each with the same chance.
    pub fn random(&self) -> Option<E::Ref<'_>> {
        if self.is_empty() {
            return None;
        }
        loop {
            let (segment, _) = self.locate(crate::base::random::next());
            if let Some(element) = self.segments[segment].sample(crate::base::random::next()) {
                return Some(element);
            }
        }
    }
}

impl<E: Element> Table<E> {
    /// Gives up the buckets of a table that holds nothing.
    pub fn release(&mut self, owner: &impl Owner<E>) {
        if !self.is_empty() {
            return;
        }
        let mut released = std::mem::take(self);
        for segment in &mut released.segments {
            owner.retire(segment.take_buckets());
        }
        self.publish_all(owner);
    }

    /// Shows `count` elements from a place chosen at random on, or all there are; only those with an expiry if wanted. Says
    /// how many are missing.
    pub fn sample<'a>(
        &'a self,
        mut count: usize,
        only_volatile: bool,
        mut show: impl FnMut(E::Ref<'a>),
    ) -> usize {
        let (segments, random) = (self.segments.len(), crate::base::random::next());
        let (first, _) = self.locate(crate::base::random::next());
        for segment in (0..segments).map(|turn| (first + turn) % segments) {
            if count == 0 {
                break;
            }
            self.segments[segment].sample_some(random, only_volatile, &mut count, &mut show);
        }
        count
    }
}

/// Goes through a table's elements.
pub struct Iter<'a, E: Element> {
    segments: std::slice::Iter<'a, Segment<E>>,
    /// A segment, and its next slot.
    current: Option<(&'a Segment<E>, usize)>,
}

impl<'a, E: Element> Iterator for Iter<'a, E> {
    type Item = E::Ref<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((segment, slot)) = &mut self.current
                && let Some(element) = segment.next_from(slot)
            {
                return Some(element);
            }
            self.current = Some((self.segments.next()?, 0));
        }
    }
}

/// The segment and the position in it of some hash bits.
#[inline]
pub fn locate(depth: u32, split: usize, bits: u64) -> (usize, u16) {
    // As most tables are that have many beside them: a shard's, until the keyspace has a million keys.
    if depth == 0 && split == 0 {
        return (0, (bits >> 48) as u16);
    }
    // Two shifts, since a shift by 64 is not defined.
    let coarse = (bits >> 1 >> (63 - depth)) as usize;
    if coarse < split {
        let fine = (bits >> (63 - depth)) as usize;
        (fine, (bits << (depth + 1) >> 48) as u16)
    } else {
        (coarse + split, (bits << depth >> 48) as u16)
    }
}
