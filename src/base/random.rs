//! Pseudo-random numbers for sampling and identifiers; secrets have a function of their own.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(std::thread::current().id()) | 1);
}

/// The next number of this thread's generator (SplitMix64, Steele et al. 2014).
pub fn next() -> u64 {
    STATE.with(|state| {
        let seed = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(seed);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// A number below `bound`; 0 when `bound` is 0.
pub fn below(bound: u64) -> u64 {
    ((u128::from(next()) * u128::from(bound)) >> 64) as u64
}

/// Lower-case hexadecimal digits that nobody can guess; `None` when the system has no chance to give.
pub fn secret_hex(digits: usize) -> Option<String> {
    let mut bytes = vec![0; digits.div_ceil(2)];
    let mut rest = &mut bytes[..];
    while !rest.is_empty() {
        let count = rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty());
        let count = count.ok().filter(|&count| count > 0)?;
        rest = rest.split_at_mut(count).1;
    }
    let mut text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(digits);
    Some(text)
}

/// Lower-case hexadecimal digits, as run and replication ids have them.
pub fn hex(digits: usize) -> String {
    (0..digits)
        .map(|_| char::from(b"0123456789abcdef"[below(16) as usize]))
        .collect()
}
