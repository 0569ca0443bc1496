//! Things the standard library could have had: clock, random numbers, globs, numbers.

pub mod glob;
pub mod machine;
pub mod severity;
pub mod version;
