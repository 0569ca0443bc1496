//! The keyed hash of the keyspace: fast, and seeded at random so that chosen keys cannot collide on purpose.

use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

static SHARED: LazyLock<SharedSeed> = LazyLock::new(|| SharedSeed::from_u64(system_random()));
static STATE: LazyLock<SeedableRandomState> =
    LazyLock::new(|| SeedableRandomState::with_seed(system_random(), &SHARED));

/// The 64-bit hash of a key; the same for the life of the process, different in the next one.
#[inline]
pub fn hash(key: &[u8]) -> u64 {
    let mut hasher = STATE.build_hasher();
    hasher.write(key);
    hasher.finish()
}

/// The standard library's hasher is keyed with the system's randomness, which foldhash's own seed is not.
fn system_random() -> u64 {
    std::hash::RandomState::new().hash_one(0)
}
