//! Things the standard library could have had: clock, random numbers, globs, numbers.

pub mod glob;
