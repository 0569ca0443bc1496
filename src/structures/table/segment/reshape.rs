//! How a segment grows and shrinks, becomes two, and two become one: words move, and no element is looked at but for the
//! hash bit that a split needs.

use std::sync::atomic::Ordering::Relaxed;

use smallvec::SmallVec;

use super::{DUE, NO_DEADLINE, Place, Segment, VOLATILE, capacity_for};
use crate::structures::table::bucket::{Bucket, SLOTS, new_buckets, position_of};
use crate::structures::table::element::Element;

impl<E: Element> Segment<E> {
    /// Gives up the buckets of a segment that holds nothing.
    pub(in super::super) fn take_buckets(&mut self) -> Box<[Bucket]> {
        debug_assert!(self.len == 0);
        std::mem::take(&mut self.buckets)
    }

    /// Makes a run of buckets for `elements` elements and returns the old one. No element is looked at.
    pub(in super::super) fn resize(&mut self, elements: usize) -> Box<[Bucket]> {
        let old = std::mem::replace(
            &mut self.buckets,
            new_buckets(capacity_for(elements.max(self.len))),
        );
        let old_deadlines = std::mem::take(&mut self.deadlines);
        if !old_deadlines.is_empty() {
            self.deadlines = vec![NO_DEADLINE; self.buckets.len()].into_boxed_slice();
        }
        // How many slots of each bucket are taken, so that none is looked at.
        let mut taken: SmallVec<[u8; 256]> = SmallVec::from_elem(0, self.buckets.len());
        for (index, bucket) in old.iter().enumerate() {
            for slot in 0..bucket.occupied() {
                let word = bucket.word(slot);
                let place = self.put_by(word, &mut taken);
                self.keep_deadline(place, word, old_deadlines.get(index).copied());
            }
        }
        old
    }

    /// [`Segment::put`], where it is known how many slots of each bucket are taken.
    #[inline]
    fn put_by(&mut self, word: u64, taken: &mut [u8]) -> Place {
        let mut bucket = self.home(position_of(word));
        loop {
            let slot = usize::from(taken[bucket]);
            if slot < SLOTS {
                taken[bucket] += 1;
                self.buckets[bucket].0[slot].store(word, Relaxed);
                return Place::new(bucket, slot);
            }
            bucket = self.next(bucket);
        }
    }

    /// Puts a slot's word in, with the deadline of the bucket that it comes from.
    fn adopt(&mut self, word: u64, deadline: Option<u32>) {
        let place = self.put(word);
        self.keep_deadline(place, word, deadline);
    }

    /// After a word has been put into a place: it keeps the deadline of the bucket that it comes from.
    #[inline]
    fn keep_deadline(&mut self, place: Place, word: u64, deadline: Option<u32>) {
        if let Some(deadline) = deadline.filter(|_| word & DUE != 0) {
            self.set_deadline(place, deadline);
        }
    }

    /// Splits into the lower and the upper half of the hash space. `next_bit` gives an element's hash bit behind its position.
    pub(in super::super) fn split(
        mut self,
        next_bit: impl Fn(E::Ref<'_>) -> u16,
    ) -> (Self, Self, Box<[Bucket]>) {
        let mut halves = [
            Self::with_capacity(self.len * 9 / 16),
            Self::with_capacity(self.len * 9 / 16),
        ];
        for (index, bucket) in self.buckets.iter().enumerate() {
            for slot in 0..bucket.occupied() {
                let word = bucket.word(slot);
                let position = position_of(word);
                let half = &mut halves[usize::from(position >> 15)];
                let position = position << 1 | next_bit(self.view(word));
                if half.must_grow() {
                    // Nobody prefetches from a half that has not been published yet, so its old buckets can go at once.
                    half.resize(half.len * 5 / 4);
                }
                half.len += 1;
                half.expiring += (word & VOLATILE) as usize;
                half.adopt(
                    u64::from(position) << 48 | word & !(0xffff << 48),
                    self.deadlines.get(index).copied(),
                );
            }
        }
        let [lower, upper] = halves;
        self.len = 0;
        (lower, upper, std::mem::take(&mut self.buckets))
    }

    /// The opposite of [`Segment::split`].
    pub(in super::super) fn merge(mut lower: Self, mut upper: Self) -> (Self, [Box<[Bucket]>; 2]) {
        let mut whole = Self::with_capacity(lower.len + upper.len);
        for (half, top) in [(&lower, 0u16), (&upper, 0x8000)] {
            for (index, bucket) in half.buckets.iter().enumerate() {
                for slot in 0..bucket.occupied() {
                    let word = bucket.word(slot);
                    let position = top | position_of(word) >> 1;
                    whole.len += 1;
                    whole.expiring += (word & VOLATILE) as usize;
                    whole.adopt(
                        u64::from(position) << 48 | word & !(0xffff << 48),
                        half.deadlines.get(index).copied(),
                    );
                }
            }
        }
        (lower.len, upper.len) = (0, 0);
        (
            whole,
            [
                std::mem::take(&mut lower.buckets),
                std::mem::take(&mut upper.buckets),
            ],
        )
    }
}
