//! Things the standard library could have had: clock, hash, numbers, allocation counts.

pub mod alloc;
pub mod clock;
pub mod hash;
pub mod numbers;
pub mod random;
