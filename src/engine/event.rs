//! Keyspace events: which class an event belongs to, and how the classes are configured.

/// A change to a key, as `notify-keyspace-events` knows it.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// The class's bit, as in the configuration.
    pub class: u32,
    /// The event's name.
    pub name: &'static str,
}

/// Bits of `notify-keyspace-events`.
pub mod class {
    pub use crate::config::notify::*;
}

/// An event of the generic class: `del`, `expire`, `rename_from` …
pub const fn generic(name: &'static str) -> Event {
    Event { class: class::GENERIC, name }
}

/// An event of the string class: `set`, `incrby` …
pub const fn string(name: &'static str) -> Event {
    Event { class: class::STRING, name }
}

/// A key that was removed because its time had passed.
pub const EXPIRED: Event = Event { class: class::EXPIRED, name: "expired" };
/// A key that did not exist before.
pub const NEW: Event = Event { class: class::NEW, name: "new" };
/// A read of a key that does not exist.
pub const MISS: Event = Event { class: class::KEY_MISS, name: "keymiss" };
