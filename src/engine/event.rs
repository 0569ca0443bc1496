//! Keyspace events: which class an event belongs to.

use crate::config::KeyEvents;

/// A change to a key, as `notify-keyspace-events` knows it.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// The class, as in the configuration.
    pub class: KeyEvents,
    /// The event's name.
    pub name: &'static str,
}

/// An event of the generic class: `del`, `expire`, `rename_from` …
pub const fn generic(name: &'static str) -> Event {
    Event {
        class: KeyEvents::GENERIC,
        name,
    }
}

/// An event of the string class: `set`, `incrby` …
pub const fn string(name: &'static str) -> Event {
    Event {
        class: KeyEvents::STRING,
        name,
    }
}

/// An event of the hash class.
pub const fn hash(name: &'static str) -> Event {
    Event {
        class: KeyEvents::HASH,
        name,
    }
}

/// An event of the list class.
pub const fn list(name: &'static str) -> Event {
    Event {
        class: KeyEvents::LIST,
        name,
    }
}

/// An event of the set class.
pub const fn set(name: &'static str) -> Event {
    Event {
        class: KeyEvents::SET,
        name,
    }
}

/// An event of the zset class.
pub const fn zset(name: &'static str) -> Event {
    Event {
        class: KeyEvents::SORTED_SET,
        name,
    }
}

/// An event of the stream class.
pub const fn stream(name: &'static str) -> Event {
    Event {
        class: KeyEvents::STREAM,
        name,
    }
}

/// A key that was removed because its time had passed.
pub const EXPIRED: Event = Event {
    class: KeyEvents::EXPIRED,
    name: "expired",
};
/// A key that was removed to make room.
pub const EVICTED: Event = Event {
    class: KeyEvents::EVICTED,
    name: "evicted",
};
/// Fields of a hash that were removed because their time had passed.
pub const FIELDS_EXPIRED: Event = hash("hexpired");
/// A key that did not exist before.
pub const NEW: Event = Event {
    class: KeyEvents::NEW,
    name: "new",
};
/// A read of a key that does not exist.
pub const MISS: Event = Event {
    class: KeyEvents::MISS,
    name: "keymiss",
};
