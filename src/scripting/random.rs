//! The generator behind `math.random`: that of `lrand48`, so that a script finds the same numbers as on Redis.

/// A generator of 48 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Random(u64);

const MULTIPLIER: u64 = 0x5_deec_e66d;
const INCREMENT: u64 = 0xb;
const MASK: u64 = (1 << 48) - 1;
/// The lowest bits of a seed.
const SEED_LOW: u64 = 0x330e;

impl Random {
    /// In the state in which a server starts.
    pub const fn new() -> Self {
        Self(0x1234_abcd_330e)
    }

    /// Seeded by `math.randomseed`.
    pub fn seeded(seed: i32) -> Self {
        Self(u64::from(seed as u32) << 16 | SEED_LOW)
    }

    /// The next number, below 2^31.
    pub fn next(&mut self) -> u32 {
        self.0 = (self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT)) & MASK;
        (self.0 >> 17) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_lrand48() {
        let mut random = Random::seeded(0);
        let numbers: Vec<u32> = (0..3).map(|_| random.next()).collect();
        assert_eq!(numbers, [366_850_414, 1_610_402_240, 206_956_554]);
        assert_eq!(Random::new().next(), 851_401_618);
    }
}
