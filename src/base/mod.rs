//! Things the standard library could have had: clock, random numbers, globs, numbers, hashes, allocation counts.

pub mod alloc;
pub mod clock;
pub mod glob;
pub mod hash;
pub mod numbers;
pub mod random;
