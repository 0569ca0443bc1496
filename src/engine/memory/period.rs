//! For how long something has been so, now and altogether.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::base::clock::unix_ms;

/// When something began that has not ended, and how long it took before that.
#[derive(Debug, Default)]
pub(super) struct Period {
    /// In Unix milliseconds; 0 when it is not so.
    since: AtomicI64,
    /// Milliseconds for which it was so before.
    before: AtomicU64,
}

impl Period {
    /// Whether it is so.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.since.load(Relaxed) != 0
    }

    /// Notes whether it is so now.
    pub fn note(&self, on: bool) {
        let since = self.since.load(Relaxed);
        if on == (since != 0) {
            return;
        }
        let now = unix_ms();
        let new = if on { now } else { 0 };
        let is_mine = self
            .since
            .compare_exchange(since, new, Relaxed, Relaxed)
            .is_ok();
        if is_mine && since != 0 {
            self.before.fetch_add((now - since).max(0) as u64, Relaxed);
        }
    }

    /// Milliseconds for which it has been so by now, and altogether.
    pub fn times(&self) -> (u64, u64) {
        let now = match self.since.load(Relaxed) {
            0 => 0,
            since => (unix_ms() - since).max(0) as u64,
        };
        (now, self.before.load(Relaxed) + now)
    }

    /// Counts from zero again.
    pub fn reset(&self) {
        self.before.store(0, Relaxed);
        if self.is_on() {
            self.since.store(unix_ms(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_counted_once() {
        let period = Period::default();
        period.note(false);
        assert_eq!(period.times(), (0, 0));
        period.since.store(unix_ms() - 50, Relaxed);
        assert!(period.times().0 >= 50);
        period.note(true);
        period.note(false);
        let (now, total) = period.times();
        assert!(now == 0 && (50..5000).contains(&total));
    }
}
