//! Wall-clock time in Unix milliseconds and microseconds, and a cheap monotonic clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds; the unit of every expiry in the keyspace.
pub fn unix_ms() -> i64 {
    since_epoch().as_millis() as i64
}

/// Unix time in microseconds.
pub fn unix_us() -> i64 {
    since_epoch().as_micros() as i64
}

fn since_epoch() -> Duration {
    // A clock set before 1970 reads as zero rather than stopping the server.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A monotonic stopwatch for command times: a TSC read where the machine has a steady one.
#[derive(Clone)]
pub struct Stopwatch {
    clock: quanta::Clock,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self {
            clock: quanta::Clock::new(),
        }
    }
}

impl Stopwatch {
    /// Raw ticks of the clock; only differences mean something.
    #[inline]
    pub fn ticks(&self) -> u64 {
        self.clock.raw()
    }

    /// Nanoseconds between two readings of [`Stopwatch::ticks`].
    #[inline]
    pub fn nanos(&self, start: u64, end: u64) -> u64 {
        self.clock.delta_as_nanos(start, end)
    }
}
