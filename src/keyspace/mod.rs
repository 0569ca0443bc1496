//! The keyspace: shards, locks, typed access, expiry. Start with `table`, then `lock`.

pub mod entry;
pub mod hint;
mod segment;
pub mod table;
