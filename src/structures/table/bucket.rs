//! A cache line of slots, each the address of an element with some bits of its hash.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Slots in a bucket: a cache line of words.
pub(super) const SLOTS: usize = 8;

/// The bits of a word that are the element's address.
pub(super) const ADDRESS: u64 = (1 << 48) - 8;

/// One cache line of slots, filled from the first; zero is empty. Words are atomic because prefetching looks at them
/// without the shard's lock.
#[repr(align(64))]
#[derive(Default)]
pub struct Bucket(pub(super) [AtomicU64; SLOTS]);

impl Bucket {
    #[inline]
    pub(super) fn word(&self, slot: usize) -> u64 {
        self.0[slot].load(Relaxed)
    }

    pub(super) fn is_full(&self) -> bool {
        self.word(SLOTS - 1) != 0
    }

    /// Occupied slots, which are the first ones. Without a branch, since their number cannot be predicted.
    #[inline]
    pub(super) fn occupied(&self) -> usize {
        (0..SLOTS)
            .map(|slot| usize::from(self.word(slot) != 0))
            .sum()
    }

    /// The slots whose position matches, a bit for each. Without a branch: which slot it is cannot be predicted.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn matches(&self, position: u16) -> u32 {
        // Read one by one, since others may be writing them.
        let pair = |slot| {
            let (low, high) = (self.word(slot) as i64, self.word(slot + 1) as i64);
            // SAFETY: every x86-64 processor has this instruction.
            unsafe { std::arch::x86_64::_mm_set_epi64x(high, low) }
        };
        matching([pair(0), pair(2), pair(4), pair(6)], position)
    }

    /// The slots whose position matches, a bit for each.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    fn matches(&self, position: u16) -> u32 {
        (0..SLOTS).fold(0, |found, slot| {
            found | u32::from(position_of(self.word(slot)) == position) << slot
        })
    }

    /// The address of the first element whose position matches: a guess to be prefetched, never followed.
    #[inline]
    pub fn guess(&self, position: u16) -> Option<*const u8> {
        let found = self.matches(position);
        let word = self.word(found.trailing_zeros() as usize % SLOTS);
        (found != 0).then(|| std::ptr::without_provenance((word & ADDRESS) as usize))
    }

    /// [`Bucket::matches`] in fewer steps.
    ///
    /// # Safety
    /// Nobody writes to the bucket meanwhile.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(super) unsafe fn matches_still(&self, position: u16) -> u32 {
        use std::arch::x86_64::{__m128i, _mm_load_si128};
        let words = std::ptr::from_ref(self).cast::<__m128i>();
        // SAFETY: the bucket has four such pairs, and is aligned.
        let pair = |pair| unsafe { _mm_load_si128(words.add(pair)) };
        matching([pair(0), pair(1), pair(2), pair(3)], position)
    }

    /// [`Bucket::matches`], in fewer steps where the processor is known to have them.
    ///
    /// # Safety
    /// Nobody writes to the bucket meanwhile.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    pub(super) unsafe fn matches_still(&self, position: u16) -> u32 {
        self.matches(position)
    }
}

/// Which of eight words, two and two together, have this position: a bit for each.
#[cfg(target_arch = "x86_64")]
#[inline]
fn matching(pairs: [std::arch::x86_64::__m128i; SLOTS / 2], position: u16) -> u32 {
    use std::arch::x86_64::{
        _mm_castsi128_ps, _mm_cmpeq_epi16, _mm_movemask_ps, _mm_set1_epi16, _mm_shuffle_ps,
    };
    // SAFETY: every x86-64 processor has these instructions.
    unsafe {
        // A word's position is its last quarter: equal there is all ones, and the sign of the whole word.
        let wanted = _mm_set1_epi16(position as i16);
        let [a, b, c, d] = pairs.map(|words| _mm_castsi128_ps(_mm_cmpeq_epi16(words, wanted)));
        // The upper halves of four words, and their signs.
        let low = _mm_movemask_ps(_mm_shuffle_ps::<0b11_01_11_01>(a, b));
        let high = _mm_movemask_ps(_mm_shuffle_ps::<0b11_01_11_01>(c, d));
        (low | high << 4) as u32
    }
}

/// The hash bits of a word.
#[inline]
pub(super) fn position_of(word: u64) -> u16 {
    (word >> 48) as u16
}

/// Asks for a cache line; whatever the address, nothing is read.
#[inline]
pub fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching touches no memory that the program can see, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Empty buckets.
pub(super) fn new_buckets(count: usize) -> Box<[Bucket]> {
    (0..count).map(|_| Bucket::default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occupied_slots_are_counted_whatever_their_words() {
        // Halves of a word that are zero do not make it empty.
        for word in [8, 1 << 32, 0xffff << 48, u64::MAX, 1 << 63] {
            let bucket = Bucket::default();
            for slot in 0..SLOTS {
                assert_eq!(bucket.occupied(), slot);
                bucket.0[slot].store(word, Relaxed);
            }
            assert_eq!(bucket.occupied(), SLOTS);
        }
    }
}
