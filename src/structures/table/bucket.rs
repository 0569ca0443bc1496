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
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn occupied(&self) -> usize {
        (0..SLOTS)
            .map(|slot| usize::from(self.word(slot) != 0))
            .sum()
    }

    /// Occupied slots, which are the first ones. Without a branch, since their number cannot be predicted.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(super) fn occupied(&self) -> usize {
        use std::arch::x86_64::{
            _mm_cmpeq_epi32, _mm_movemask_epi8, _mm_packs_epi16, _mm_packs_epi32, _mm_set_epi64x,
            _mm_setzero_si128,
        };
        let word = |slot| self.word(slot) as i64;
        // SAFETY: every x86-64 processor has these instructions.
        let zeros = unsafe {
            let compare = |slot: usize| {
                let words = _mm_set_epi64x(word(slot + 1), word(slot));
                _mm_cmpeq_epi32(words, _mm_setzero_si128())
            };
            let low = _mm_packs_epi32(compare(0), compare(2));
            let high = _mm_packs_epi32(compare(4), compare(6));
            // A bit for each half of a word.
            _mm_movemask_epi8(_mm_packs_epi16(low, high)) as u32
        };
        let empty = zeros & zeros >> 1 & 0x5555;
        (empty | 1 << (2 * SLOTS)).trailing_zeros() as usize / 2
    }

    /// The slots whose position matches, a bit for each. Without a branch: which slot it is cannot be predicted.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    pub(super) fn matches(&self, position: u16) -> u32 {
        (0..SLOTS).fold(0, |found, slot| {
            found | u32::from(position_of(self.word(slot)) == position) << slot
        })
    }

    /// The slots whose position matches, a bit for each: four slots are compared at once.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(super) fn matches(&self, position: u16) -> u32 {
        use std::arch::x86_64::{
            _mm_castsi128_ps, _mm_cmpeq_epi16, _mm_movemask_ps, _mm_set_epi64x, _mm_set1_epi16,
            _mm_shuffle_ps,
        };
        let word = |slot| self.word(slot) as i64;
        // SAFETY: every x86-64 processor has these instructions.
        unsafe {
            // A word's position is its last quarter: equal there is all ones, and the sign of the whole word.
            let wanted = _mm_set1_epi16(position as i16);
            let compare = |slot: usize| {
                let words = _mm_set_epi64x(word(slot + 1), word(slot));
                _mm_castsi128_ps(_mm_cmpeq_epi16(words, wanted))
            };
            // The upper halves of four words, and their signs.
            let signs = |one, other| _mm_movemask_ps(_mm_shuffle_ps::<0b11_01_11_01>(one, other));
            let low = signs(compare(0), compare(2));
            let high = signs(compare(4), compare(6));
            (low | high << 4) as u32
        }
    }

    /// The address of the first element whose position matches: a guess to be prefetched, never followed.
    #[inline]
    pub fn guess(&self, position: u16) -> Option<*const u8> {
        let found = self.matches(position);
        let word = self.word(found.trailing_zeros() as usize % SLOTS);
        (found != 0).then(|| std::ptr::without_provenance((word & ADDRESS) as usize))
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
