//! A run of cache-line buckets that holds the elements of one stretch of the hash space, in hash order.
//!
//! Each slot is one word: 16 bits of the element's hash (its position in this segment) above its 48-bit address, with flags
//! in the address's free low bits. An element lives in its home bucket, or, while that is full, in the next bucket that was not:
//! so every bucket between an element and its home is full. Removal restores that rule, there are no tombstones.
//! Growing moves slots without looking at the elements: the position is in the slot.

mod reshape;

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

use super::bucket::{ADDRESS, Bucket, SLOTS, new_buckets, position_of, prefetch};
use super::element::Element;

/// Deadlines count in steps of this many milliseconds from [`Segment`]'s user's time base.
pub(super) const NO_DEADLINE: u32 = u32::MAX;

/// Bytes of a cache line.
const LINE: usize = 64;
/// How many buckets ahead elements are asked for.
const AHEAD: usize = 3;
/// The element has a deadline of its own.
const VOLATILE: u64 = 1;
/// Something in the element has a deadline.
const PARTLY: u64 = 2;
/// Whether the element is looked at when its bucket is due.
const DUE: u64 = VOLATILE | PARTLY;

/// Where an element is: the number of its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(pub u32);

impl Place {
    #[inline]
    fn new(bucket: usize, slot: usize) -> Self {
        Self((bucket * SLOTS + slot) as u32)
    }

    #[inline]
    fn bucket(self) -> usize {
        self.0 as usize / SLOTS
    }

    #[inline]
    fn slot(self) -> usize {
        self.0 as usize % SLOTS
    }
}

#[inline]
fn pointer_of(word: u64) -> NonNull<u8> {
    let pointer = std::ptr::with_exposed_provenance_mut((word & ADDRESS) as usize);
    // SAFETY: only called on occupied slots, which hold the address of an element.
    unsafe { NonNull::new_unchecked(pointer) }
}

fn word_of<E: Element>(position: u16, element: E) -> u64 {
    let pointer = element.into_raw();
    // SAFETY: the element has just been given up, and is alive and untouched.
    let view = unsafe { E::view(pointer) };
    let flags = match E::is_volatile(view) {
        true => VOLATILE,
        false if E::has_volatile_parts(view) => PARTLY,
        false => 0,
    };
    let address = pointer.as_ptr().expose_provenance() as u64;
    assert!(
        address & !ADDRESS == 0,
        "element addresses fit 48 bits and are aligned"
    );
    u64::from(position) << 48 | address | flags
}

/// Bucket counts worth having: the steps in which allocators round sizes up, four to a doubling, less the bucket that they
/// add to find a cache line's start.
fn capacity_for(elements: usize) -> usize {
    let buckets = (elements * 5).div_ceil(SLOTS * 4).max(1);
    if buckets < 8 {
        return buckets;
    }
    let step = 1usize << (usize::BITS - 1 - buckets.leading_zeros() - 2);
    ((buckets + step) & !(step - 1)) - 1
}

/// A run of buckets; positions are 16 bits, so at most 65,536 buckets make sense and a few hundred are used.
#[repr(C)]
pub(super) struct Segment<E: Element> {
    buckets: Box<[Bucket]>,
    len: usize,
    /// Entries with an expiry.
    expiring: usize,
    /// Per bucket the earliest deadline among its elements, or an earlier one; empty until the first element has one.
    deadlines: Box<[u32]>,
    /// Not later than any of `deadlines`.
    next_deadline: u32,
    owned: PhantomData<E>,
}

impl<E: Element> Default for Segment<E> {
    fn default() -> Self {
        Self::of(Box::default())
    }
}

impl<E: Element> Segment<E> {
    pub(super) fn with_capacity(elements: usize) -> Self {
        Self::of(new_buckets(capacity_for(elements)))
    }

    fn of(buckets: Box<[Bucket]>) -> Self {
        Self {
            buckets,
            len: 0,
            expiring: 0,
            deadlines: Box::default(),
            next_deadline: NO_DEADLINE,
            owned: PhantomData,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn expiring(&self) -> usize {
        self.expiring
    }

    pub(super) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    pub(super) fn next_deadline(&self) -> u32 {
        self.next_deadline
    }

    /// Bytes of the buckets and deadlines.
    pub(super) fn allocated(&self) -> usize {
        self.buckets.len() * size_of::<Bucket>() + self.deadlines.len() * size_of::<u32>()
    }

    /// Whether one more element needs more buckets.
    #[inline]
    pub(super) fn must_grow(&self) -> bool {
        // At most four slots in five are used: beyond that many elements are not in their home bucket, and not prefetched.
        (self.len + 1) * 5 > self.buckets.len() * SLOTS * 4
    }

    /// Whether a smaller run of buckets would do, with room to spare so that it does not grow again at once.
    pub(super) fn may_shrink(&self) -> bool {
        self.buckets.len() > 1 && self.len * 5 < self.buckets.len() * SLOTS * 2
    }

    #[inline]
    fn home(&self, position: u16) -> usize {
        (usize::from(position) * self.buckets.len()) >> 16
    }

    #[inline]
    fn next(&self, bucket: usize) -> usize {
        if bucket + 1 == self.buckets.len() {
            0
        } else {
            bucket + 1
        }
    }

    /// Finds a key. Most finds read one bucket and one element.
    #[inline(always)]
    pub(super) fn find(&self, position: u16, key: &[u8]) -> Option<Place> {
        let mut bucket = self.home(position);
        for _ in 0..self.buckets.len() {
            let line = &self.buckets[bucket];
            // SAFETY: whoever writes to a bucket has its segment for himself.
            let mut found = unsafe { line.matches_still(position) };
            while found != 0 {
                let slot = found.trailing_zeros() as usize;
                let word = line.word(slot);
                // An empty slot looks like position 0.
                if word != 0 && E::has_key(self.view(word), key) {
                    return Some(Place::new(bucket, slot));
                }
                found &= found - 1;
            }
            if !line.is_full() {
                return None;
            }
            bucket = self.next(bucket);
        }
        None
    }

    /// Brings the bucket where a position belongs into the cache.
    #[inline]
    pub(super) fn prefetch_bucket(&self, position: u16) {
        if let Some(bucket) = self.buckets.get(self.home(position)) {
            prefetch(std::ptr::from_ref(bucket).cast());
        }
    }

    /// Brings the element that a position probably means into the cache, once its bucket is there.
    #[inline]
    pub(super) fn prefetch_element(&self, position: u16) {
        let bucket = self.buckets.get(self.home(position));
        if let Some(element) = bucket.and_then(|bucket| bucket.guess(position)) {
            prefetch(element);
            prefetch(element.wrapping_add(40));
        }
    }

    #[inline]
    fn view(&self, word: u64) -> E::Ref<'_> {
        // SAFETY: an occupied slot owns a live element, borrowed with the segment.
        unsafe { E::view(pointer_of(word)) }
    }

    #[inline]
    fn word_at(&self, place: Place) -> u64 {
        self.buckets[place.bucket()].word(place.slot())
    }

    #[inline]
    pub(super) fn element(&self, place: Place) -> E::Ref<'_> {
        self.view(self.word_at(place))
    }

    #[inline]
    pub(super) fn element_mut(&mut self, place: Place) -> E::Mut<'_> {
        // SAFETY: an occupied slot owns a live element, and the segment is borrowed exclusively.
        unsafe { E::exclusive(pointer_of(self.word_at(place))) }
    }

    /// Puts another element of the same key into a place, made from the old one.
    pub(super) fn replace(&mut self, place: Place, make: impl FnOnce(E) -> E) {
        let old = self.word_at(place);
        // SAFETY: the slot's element is owned by `make` from here on, and the slot is overwritten below; `make` does not
        // unwind, it only moves and allocates.
        let element = make(unsafe { E::from_raw(pointer_of(old)) });
        let word = word_of(position_of(old), element);
        self.buckets[place.bucket()].0[place.slot()].store(word, Relaxed);
        self.expiring = self.expiring - (old & VOLATILE) as usize + (word & VOLATILE) as usize;
    }

    /// Puts another element of the same key into a place; gives the old one.
    pub(super) fn exchange(&mut self, place: Place, element: E) -> E {
        let old = self.word_at(place);
        let word = word_of(position_of(old), element);
        self.buckets[place.bucket()].0[place.slot()].store(word, Relaxed);
        self.expiring = self.expiring - (old & VOLATILE) as usize + (word & VOLATILE) as usize;
        // SAFETY: the slot gave up the element.
        unsafe { E::from_raw(pointer_of(old)) }
    }

    /// Adds an element that is not there yet. The caller has made room (see [`Segment::must_grow`]).
    #[inline]
    pub(super) fn insert(&mut self, position: u16, element: E) -> Place {
        let word = word_of(position, element);
        self.len += 1;
        self.expiring += (word & VOLATILE) as usize;
        self.put(word)
    }

    fn put(&mut self, word: u64) -> Place {
        let mut bucket = self.home(position_of(word));
        loop {
            let line = &self.buckets[bucket];
            let slot = line.occupied();
            if slot < SLOTS {
                line.0[slot].store(word, Relaxed);
                return Place::new(bucket, slot);
            }
            bucket = self.next(bucket);
        }
    }

    /// Takes an element out.
    pub(super) fn remove(&mut self, place: Place) -> E {
        let word = self.word_at(place);
        self.len -= 1;
        self.expiring -= (word & VOLATILE) as usize;
        self.vacate(place.bucket(), place.slot());
        // SAFETY: the slot gave up the element.
        unsafe { E::from_raw(pointer_of(word)) }
    }

    /// Empties a slot and restores the rule that every bucket between an element and its home is full.
    fn vacate(&mut self, mut hole: usize, slot: usize) {
        if !self.close_gap(hole, slot) {
            return;
        }
        let mut bucket = hole;
        for _ in 1..self.buckets.len() {
            bucket = self.next(bucket);
            if let Some(slot) = self.slot_that_may_move(hole, bucket) {
                let word = self.buckets[bucket].word(slot);
                self.buckets[hole].0[SLOTS - 1].store(word, Relaxed);
                if word & DUE != 0 && !self.deadlines.is_empty() {
                    self.deadlines[hole] = self.deadlines[hole].min(self.deadlines[bucket]);
                }
                if !self.close_gap(bucket, slot) {
                    return;
                }
                hole = bucket;
            } else if !self.buckets[bucket].is_full() {
                return;
            }
        }
    }

    /// Moves the bucket's last element into an emptied slot; true when the bucket was full before.
    fn close_gap(&mut self, bucket: usize, slot: usize) -> bool {
        let line = &self.buckets[bucket];
        let last = line.occupied() - 1;
        line.0[slot].store(line.word(last), Relaxed);
        line.0[last].store(0, Relaxed);
        last == SLOTS - 1
    }

    /// A slot of `bucket` whose element's home lies at or before `hole`.
    fn slot_that_may_move(&self, hole: usize, bucket: usize) -> Option<usize> {
        let count = self.buckets.len();
        let line = &self.buckets[bucket];
        let distance = |from: usize| (bucket + count - from) % count;
        (0..line.occupied())
            .find(|&slot| distance(self.home(position_of(line.word(slot)))) >= distance(hole))
    }

    /// Notes that the element at a place is due at `deadline`; [`Segment::take_due`] will look at it then.
    pub(super) fn set_deadline(&mut self, place: Place, deadline: u32) {
        let word = self.word_at(place);
        if word & DUE == 0 {
            self.buckets[place.bucket()].0[place.slot()].store(word | PARTLY, Relaxed);
        }
        if self.deadlines.is_empty() {
            self.deadlines = vec![NO_DEADLINE; self.buckets.len()].into_boxed_slice();
        }
        let known = &mut self.deadlines[place.bucket()];
        *known = deadline.min(*known);
        self.next_deadline = deadline.min(self.next_deadline);
    }

    /// Takes elements out of buckets whose deadline is before `now`, until `limit` elements were looked at.
    /// `deadline_of` says when an element is due, or gives `None` to have it taken out. True when nothing more is due.
    pub(super) fn take_due(
        &mut self,
        now: u32,
        limit: &mut usize,
        mut deadline_of: impl FnMut(E::Ref<'_>) -> Option<u32>,
        taken: &mut Vec<E>,
    ) -> bool {
        while let Some(bucket) = (self.next_deadline < now)
            .then(|| self.deadlines.iter().position(|&at| at < now))
            .flatten()
        {
            if *limit == 0 {
                return false;
            }
            let mut earliest = NO_DEADLINE;
            let mut slot = 0;
            while slot < SLOTS && self.buckets[bucket].word(slot) != 0 {
                let word = self.buckets[bucket].word(slot);
                if word & DUE != 0 {
                    *limit = limit.saturating_sub(1);
                    match deadline_of(self.view(word)) {
                        Some(deadline) => earliest = earliest.min(deadline),
                        None => {
                            taken.push(self.remove(Place::new(bucket, slot)));
                            // Another element may have moved into this bucket, with the deadline of where it was.
                            slot = 0;
                            earliest = NO_DEADLINE;
                            continue;
                        }
                    }
                }
                slot += 1;
            }
            self.deadlines[bucket] = earliest;
        }
        if self.next_deadline < now {
            self.next_deadline = self.deadlines.iter().copied().min().unwrap_or(NO_DEADLINE);
        }
        true
    }

    /// Shows every element whose home is the bucket of `position` and whose own position is not below it; returns the first
    /// position of the next bucket, or `None` at the end.
    pub(super) fn scan<'a>(
        &'a self,
        position: u16,
        mut show: impl FnMut(E::Ref<'a>),
    ) -> Option<u16> {
        let home = self.home(position);
        let mut bucket = home;
        // Whoever has come here goes on to the buckets behind, mostly.
        self.prefetch_elements(home + AHEAD);
        for _ in 0..self.buckets.len() {
            let line = &self.buckets[bucket];
            for slot in 0..line.occupied() {
                let word = line.word(slot);
                if position_of(word) >= position && self.home(position_of(word)) == home {
                    show(self.view(word));
                }
            }
            if !line.is_full() {
                break;
            }
            bucket = self.next(bucket);
        }
        self.behind(home)
    }

    /// Puts other elements of the same keys into the places of the bucket of `position`, made from the old ones; returns the
    /// first position of the next bucket, or `None` at the end.
    pub(super) fn renew(&mut self, position: u16, mut make: impl FnMut(E) -> E) -> Option<u16> {
        let bucket = self.home(position);
        self.prefetch_elements(bucket + AHEAD);
        for slot in 0..self.buckets.get(bucket).map_or(0, Bucket::occupied) {
            self.replace(Place::new(bucket, slot), &mut make);
        }
        self.behind(bucket)
    }

    /// The first position of the bucket behind another one, or `None` at the end.
    fn behind(&self, bucket: usize) -> Option<u16> {
        u16::try_from(((bucket + 1) << 16).div_ceil(self.buckets.len().max(1))).ok()
    }

    /// The first element at or behind a slot, which moves behind it.
    #[inline]
    pub(super) fn next_from(&self, slot: &mut usize) -> Option<E::Ref<'_>> {
        while let Some(bucket) = self.buckets.get(*slot / SLOTS) {
            let word = bucket.word(*slot % SLOTS);
            if (*slot).is_multiple_of(SLOTS) {
                self.prefetch_elements(*slot / SLOTS + 1);
            }
            if word != 0 {
                *slot += 1;
                return Some(self.view(word));
            }
            // Slots are filled from the first.
            *slot = (*slot / SLOTS + 1) * SLOTS;
        }
        None
    }

    /// Asks for the elements of a bucket that is about to be gone through.
    #[inline]
    fn prefetch_elements(&self, bucket: usize) {
        for word in self.buckets.get(bucket).iter().flat_map(|bucket| &bucket.0) {
            let address = (word.load(Relaxed) & ADDRESS) as usize;
            prefetch(std::ptr::without_provenance(address));
            prefetch(std::ptr::without_provenance(address + LINE));
        }
    }

    /// A segment of the same shape with copies of all elements.
    pub(super) fn copied(&self, mut copy: impl FnMut(E::Ref<'_>) -> E) -> Self {
        let mut twin = Self::of(new_buckets(self.buckets.len()));
        twin.deadlines.clone_from(&self.deadlines);
        twin.next_deadline = self.next_deadline;
        for (bucket, new) in self.buckets.iter().zip(&twin.buckets) {
            for slot in 0..bucket.occupied() {
                let word = bucket.word(slot);
                let word = word_of(position_of(word), copy(self.view(word)));
                new.0[slot].store(word, Relaxed);
                twin.len += 1;
                twin.expiring += (word & VOLATILE) as usize;
            }
        }
        twin
    }

    /// The element in a slot chosen by two random numbers, where there is one.
    pub(super) fn sample(&self, random: u64) -> Option<E::Ref<'_>> {
        let bucket = ((random >> 32) as usize * self.buckets.len()) >> 32;
        let word = self.buckets[bucket].word(random as usize % SLOTS);
        (word != 0).then(|| self.view(word))
    }

    /// Shows elements from a bucket on, around the end if need be, until `count` of them have been shown and lowers it by as
    /// many; only those with a deadline of their own if wanted. What is shown has been asked for before it is looked at, so
    /// that the waits for memory overlap.
    pub(super) fn sample_some<'a>(
        &'a self,
        random: u64,
        only_volatile: bool,
        count: &mut usize,
        mut show: impl FnMut(E::Ref<'a>),
    ) {
        if only_volatile && self.expiring == 0 {
            return;
        }
        let mut bucket = ((random >> 32) as usize * self.buckets.len()) >> 32;
        for _ in 0..self.buckets.len() {
            if *count == 0 {
                return;
            }
            let line = &self.buckets[bucket];
            let is_wanted = |word: u64| word != 0 && (!only_volatile || word & VOLATILE != 0);
            for slot in 0..SLOTS {
                if is_wanted(line.word(slot)) {
                    prefetch(pointer_of(line.word(slot)).as_ptr());
                }
            }
            // From any slot on: nobody is to be shown more often than others.
            let occupied = line.occupied();
            for turn in 0..occupied {
                let word = line.word((random as usize % SLOTS + turn) % occupied);
                if is_wanted(word) && *count > 0 {
                    show(self.view(word));
                    *count -= 1;
                }
            }
            bucket = self.next(bucket);
        }
    }
}

impl<E: Element> Drop for Segment<E> {
    fn drop(&mut self) {
        if self.len == 0 {
            return;
        }
        for bucket in &self.buckets {
            for slot in 0..bucket.occupied() {
                // SAFETY: the segment owns its elements and is going away.
                drop(unsafe { E::from_raw(pointer_of(bucket.word(slot))) });
            }
        }
    }
}
