//! The keyspace: shards, locks, typed access, expiry. Start with `db`, then `lock`, then `table`.
//!
//! Knows nothing of commands, replies, clients and files.

mod access;
mod ahead;
mod audience;
mod compact;
mod db;
mod entry;
mod evict;
mod gate;
mod hint;
mod kind;
mod lock;
mod reclaim;
mod shard;
mod snapshot;
mod sweep;
mod table;
mod text;
mod typed;
mod waiting;

pub use access::AccessClock;
pub use ahead::AHEAD;
pub use audience::{Readers, Touched, WatchFlag};
pub use compact::{Compaction, Moves};
pub use db::{Db, Expiry, Lost, Moment, Notes, Taken};
pub use entry::{Entry, EntryMut, EntryRef, MAX_INLINE, Value, ValueMut, ValueRef};
pub use evict::{Candidate, Choice, Order, Pool};
pub use gate::{Alone, Gate, Passage};
pub use hint::Hint;
pub use lock::{Key, Keyspace, SHARDS, Scope, shard_of};
pub use reclaim::Reclaimer;
pub use snapshot::{Keep, Slices, Snapshot};
pub use sweep::{Cursor, Dropped, Expired};
pub use text::Before;
pub use typed::{Changing, Kept, WrongType};
