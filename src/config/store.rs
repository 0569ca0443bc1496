//! The configuration in force, for every worker to read and for CONFIG SET to replace as a whole.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache, Guard};

use super::Config;

/// Holds the configuration in force. Reading it takes no lock; a reader keeps the one that it has
/// read until it reads again.
pub struct ConfigStore {
    present: Arc<ArcSwap<Config>>,
}

/// One thread's copy of the configuration in force: looking at it again costs next to nothing while it stays the same.
pub struct ConfigCache {
    cache: Cache<Arc<ArcSwap<Config>>, Arc<Config>>,
}

impl ConfigCache {
    /// The configuration in force.
    #[inline]
    pub fn load(&mut self) -> &Config {
        self.cache.load()
    }
}

impl ConfigStore {
    /// Starts with this configuration.
    pub fn new(config: Config) -> ConfigStore {
        ConfigStore {
            present: Arc::new(ArcSwap::from_pointee(config)),
        }
    }

    /// The configuration in force, for a short look.
    pub fn load(&self) -> Guard<Arc<Config>> {
        self.present.load()
    }

    /// A copy for a thread that looks often.
    pub fn cache(&self) -> ConfigCache {
        ConfigCache {
            cache: Cache::new(self.present.clone()),
        }
    }

    /// The configuration in force, to be kept.
    pub fn snapshot(&self) -> Arc<Config> {
        self.present.load_full()
    }

    /// Puts another configuration in force.
    pub fn replace(&self, config: Config) {
        self.present.store(Arc::new(config));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_what_it_has_read() {
        let store = ConfigStore::new(Config::default());
        let before = store.snapshot();
        let changed = Config {
            maxclients: 5,
            ..Config::default()
        };
        store.replace(changed);
        assert_eq!((before.maxclients, store.load().maxclients), (10_000, 5));
    }

    #[test]
    fn a_cache_follows() {
        let store = ConfigStore::new(Config::default());
        let mut cache = store.cache();
        assert_eq!(cache.load().maxclients, 10_000);
        store.replace(Config {
            maxclients: 5,
            ..Config::default()
        });
        assert_eq!(cache.load().maxclients, 5);
    }
}
