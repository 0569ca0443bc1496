//! The configuration in force, for every worker to read and for CONFIG SET to replace as a whole.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::Config;

/// Holds the configuration in force. Reading it takes no lock; a reader keeps the one that it has
/// read until it reads again.
pub struct ConfigStore {
    present: ArcSwap<Config>,
}

impl ConfigStore {
    /// Starts with this configuration.
    pub fn new(config: Config) -> ConfigStore {
        ConfigStore {
            present: ArcSwap::from_pointee(config),
        }
    }

    /// The configuration in force, for a short look.
    pub fn load(&self) -> Guard<Arc<Config>> {
        self.present.load()
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
}
