//! The keyed hash of the keyspace: fast, and seeded at random so that chosen keys cannot collide on purpose.

use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use foldhash::quality::RandomState;

static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The 64-bit hash of a key; the same for the life of the process, different in the next one.
#[inline]
pub fn hash(key: &[u8]) -> u64 {
    let mut hasher = STATE.build_hasher();
    hasher.write(key);
    hasher.finish()
}
