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

/// The bytes behind the last whole word, with zeros behind them.
#[inline]
fn tail(bytes: &[u8], rest: &[u8]) -> u64 {
    match bytes.last_chunk() {
        // They end the last eight.
        Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
        None => (rest.iter().rev()).fold(0, |word, &byte| word << 8 | u64::from(byte)),
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
        hash = (hash ^ tail(bytes, rest)).wrapping_mul(FACTOR);
    }
    hash = (hash ^ (hash >> SHIFT)).wrapping_mul(FACTOR);
    hash ^ (hash >> SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_text_counts_as_a_word_with_zeros_behind_it() {
        let text: Vec<u8> = (1..=40).collect();
        for len in (0..text.len()).filter(|len| len % 8 > 0) {
            let (bytes, mut padded) = (&text[..len], text[len / 8 * 8..len].to_vec());
            padded.resize(8, 0);
            let (_, rest) = bytes.as_chunks::<8>();
            let expected = u64::from_le_bytes(padded.try_into().expect("eight bytes"));
            assert_eq!(tail(bytes, rest), expected, "{len}");
        }
    }
}
