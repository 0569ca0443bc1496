//! Wall-clock time in Unix milliseconds and microseconds, and a cheap monotonic clock.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds; the unit of every expiry in the keyspace.
pub fn unix_ms() -> i64 {
    since_epoch().as_millis() as i64
}

/// Unix time in microseconds.
pub fn unix_us() -> i64 {
    since_epoch().as_micros() as i64
}

/// Milliseconds by a clock that nobody sets; only differences mean something.
pub fn steady_ms() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64
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

/// What all stopwatches are copies of: to find out what a machine's clock is like takes microseconds.
static FIRST: LazyLock<Stopwatch> = LazyLock::new(|| Stopwatch {
    clock: quanta::Clock::new(),
});

impl Default for Stopwatch {
    fn default() -> Self {
        Self::shared().clone()
    }
}

impl Stopwatch {
    /// One for all who need none of their own.
    #[inline]
    pub fn shared() -> &'static Self {
        &FIRST
    }

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

/// Wall-clock time worked out from a stopwatch's ticks, which are read anyway; the system's clock itself is asked again
/// every 10 ms of use, so a step of that clock is noticed that late at most.
#[derive(Default)]
pub struct WallClock {
    set_at: u64,
    unix_ns: u64,
}

/// Nanoseconds for which the ticks are trusted. A TSC that is off by 100 ppm errs by a microsecond in this time.
const SETTING: u64 = 10_000_000;

impl WallClock {
    /// Unix time in milliseconds at a reading of [`Stopwatch::ticks`] that was taken just now.
    #[inline]
    pub fn unix_ms(&mut self, stopwatch: &Stopwatch, ticks: u64) -> i64 {
        let mut passed = stopwatch.nanos(self.set_at, ticks);
        if passed >= SETTING || self.unix_ns == 0 {
            self.set_at = ticks;
            self.unix_ns = since_epoch().as_nanos() as u64;
            passed = 0;
        }
        ((self.unix_ns + passed) / 1_000_000) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_keeps_time() {
        let stopwatch = Stopwatch::default();
        let mut clock = WallClock::default();
        for _ in 0..30 {
            let before = unix_ms();
            let time = clock.unix_ms(&stopwatch, stopwatch.ticks());
            assert!((before - 1..=unix_ms() + 1).contains(&time));
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
