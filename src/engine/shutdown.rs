//! The way to the end: asked for by a signal, begun by a signal or SHUTDOWN, taken back where that is possible.

use std::sync::atomic::Ordering::Relaxed;

use super::Engine;

/// Nobody has asked for it.
pub(super) const NONE: u32 = 0;
/// A signal has asked for it; SHUTDOWN ABORT may take that back.
const ASKED_FOR: u32 = 1;
/// Files are being completed.
const UNDER_WAY: u32 = 2;

impl Engine {
    /// Notes that a signal asks for the end.
    pub fn ask_for_shutdown(&self) {
        let _ = self
            .shutdown
            .compare_exchange(NONE, ASKED_FOR, Relaxed, Relaxed);
    }

    /// Whether a signal asks for the end and nobody has acted on it yet.
    pub fn is_shutdown_asked_for(&self) -> bool {
        self.shutdown.load(Relaxed) == ASKED_FOR
    }

    /// Takes back what a signal has asked for. False when there is nothing that could be taken back.
    pub fn abort_shutdown(&self) -> bool {
        let aborted = self
            .shutdown
            .compare_exchange(ASKED_FOR, NONE, Relaxed, Relaxed);
        aborted.is_ok()
    }

    /// Whether the server is about to end.
    pub fn is_shutting_down(&self) -> bool {
        self.shutdown.load(Relaxed) == UNDER_WAY
    }

    /// Notes that the server is about to end. False when it was already.
    pub fn begin_shutdown(&self) -> bool {
        self.shutdown.swap(UNDER_WAY, Relaxed) != UNDER_WAY
    }

    /// Notes that the server goes on after all, and tells the clients that wait for its end.
    pub fn end_shutdown(&self) {
        self.shutdown.store(NONE, Relaxed);
        self.recheck_all();
    }
}
