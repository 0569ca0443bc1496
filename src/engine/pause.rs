//! CLIENT PAUSE: until when, and for which commands.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use super::{Engine, condition};
use crate::base::clock::unix_ms;

/// The pause in force.
#[derive(Debug, Default)]
pub(super) struct Pause {
    until_ms: AtomicI64,
    only_writes: AtomicBool,
}

impl Engine {
    /// Pauses clients until a time (Unix milliseconds); `only_writes` lets reads through. A pause in force is only ever
    /// made longer or stricter.
    pub fn pause(&self, until_ms: i64, only_writes: bool) {
        let in_force = self.is_paused(true);
        let until = if in_force {
            until_ms.max(self.pause.until_ms.load(Relaxed))
        } else {
            until_ms
        };
        let only_writes = if in_force {
            only_writes && self.pause.only_writes.load(Relaxed)
        } else {
            only_writes
        };
        self.pause.until_ms.store(until, Relaxed);
        self.pause.only_writes.store(only_writes, Relaxed);
        self.set_condition(condition::PAUSED, true);
    }

    /// Ends a pause.
    pub fn unpause(&self) {
        self.pause.until_ms.store(0, Relaxed);
        self.set_condition(condition::PAUSED, false);
        self.recheck_all();
    }

    /// Whether commands wait: those that may write, or those that may not.
    pub fn is_paused(&self, may_write: bool) -> bool {
        let in_force = self.conditions() & condition::PAUSED != 0
            && self.pause.until_ms.load(Relaxed) > unix_ms();
        in_force && (may_write || !self.pause.only_writes.load(Relaxed))
    }

    /// The end of the pause in force, in Unix milliseconds.
    pub fn paused_until(&self) -> Option<i64> {
        self.is_paused(true)
            .then(|| self.pause.until_ms.load(Relaxed))
    }

    /// The kind of pause in force, as INFO names it.
    pub fn pause_kind(&self) -> &'static str {
        match (self.is_paused(true), self.pause.only_writes.load(Relaxed)) {
            (false, _) => "none",
            (true, true) => "write",
            (true, false) => "all",
        }
    }

    /// Ends a pause whose time is over; called by a timer.
    pub fn end_pause_when_due(&self) {
        if self.conditions() & condition::PAUSED != 0 && !self.is_paused(true) {
            self.unpause();
        }
    }
}
