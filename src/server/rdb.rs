//! Snapshots of this server: what they say of themselves.

use crate::base::alloc::used;
use crate::base::clock::unix_ms;
use crate::base::version::REDIS_VERSION;
use crate::config::Config;
use crate::engine::{Engine, access_clock};
use crate::persistence::rdb::Preamble;

/// What a snapshot of this moment begins with. Sizes are those of about now.
pub(super) fn preamble(engine: &Engine, config: &Config, is_aof_base: bool) -> Preamble {
    let now = unix_ms();
    let keyspace = &engine.keyspace;
    let sizes = (0..keyspace.databases()).map(|database| {
        let expiring = keyspace.nothing().expiring(database, now).0;
        (keyspace.len(database), expiring)
    });
    let policy = config.maxmemory_policy;
    let tells_use = policy.is_lru() || policy.is_lfu();
    Preamble {
        packs: config.rdbcompression,
        fields: vec![
            ("redis-ver", REDIS_VERSION.to_owned()),
            ("redis-bits", usize::BITS.to_string()),
            ("ctime", (now / 1000).to_string()),
            ("used-mem", used().to_string()),
            ("aof-base", u8::from(is_aof_base).to_string()),
        ],
        functions: Vec::new(),
        sizes: sizes.collect(),
        access: tells_use.then(|| access_clock(config, now)),
    }
}
