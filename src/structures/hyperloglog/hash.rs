//! What an element is to a HyperLogLog: a register, and how many zeros were seen.

/// Bits of the hash that choose the register.
pub(super) const INDEX_BITS: u32 = 14;
/// Bits that are left.
pub(super) const REST_BITS: u32 = 64 - INDEX_BITS;
const SEED: u64 = 0xadc8_3b19;

/// What adding an element does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The register.
    pub index: usize,
    /// Zeros at the end of the rest of its hash, and one more.
    pub count: u8,
}

impl Sighting {
    /// What this element does.
    #[inline]
    pub fn of(element: &[u8]) -> Self {
        let hash = murmur(element);
        // A bit behind the last one ends every run.
        let rest = hash >> INDEX_BITS | 1 << REST_BITS;
        Self {
            index: (hash & ((1 << INDEX_BITS) - 1)) as usize,
            count: rest.trailing_zeros() as u8 + 1,
        }
    }
}

/// MurmurHash64A with Redis's seed: counts of different servers can only be merged if they hash alike.
#[inline]
fn murmur(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0xc6a4_a793_5bd1_e995;
    const SHIFT: u32 = 47;
    let mix = |value: u64| {
        let value = value.wrapping_mul(FACTOR);
        (value ^ (value >> SHIFT)).wrapping_mul(FACTOR)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(FACTOR);
    for word in words {
        hash = (hash ^ mix(u64::from_le_bytes(*word))).wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(FACTOR);
    }
    hash = (hash ^ (hash >> SHIFT)).wrapping_mul(FACTOR);
    hash ^ (hash >> SHIFT)
}
