//! Things the standard library could have had: clock, random numbers, globs, numbers, hashes, facts about the machine.

pub mod alloc;
pub mod aside;
mod big;
pub mod clock;
pub mod crc64;
pub mod deadline;
pub mod extended;
pub mod glob;
pub mod hash;
pub mod lzf;
pub mod machine;
pub mod numbers;
pub mod random;
pub mod severity;
pub mod supervisor;
pub mod title;
pub mod version;
