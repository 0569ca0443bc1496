//! A counter that one thread writes and any thread reads or resets.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts without a locked instruction: only the owning thread adds. Resetting notes how far the count was, so that an
/// addition under way at the same time cannot bring the old count back.
#[derive(Debug, Default)]
pub struct Counter {
    total: AtomicU64,
    /// The total at the last reset.
    base: AtomicU64,
}

impl Counter {
    /// Adds. Only the owning thread may call it.
    #[inline]
    pub fn add(&self, amount: u64) {
        let total = self.total.load(Relaxed).wrapping_add(amount);
        self.total.store(total, Relaxed);
    }

    /// Sets the total to a count that somebody else keeps. Only the owning thread may call it.
    pub fn follow(&self, total: u64) {
        self.total.store(total, Relaxed);
    }

    /// The count since the last reset.
    pub fn get(&self) -> u64 {
        self.total
            .load(Relaxed)
            .wrapping_sub(self.base.load(Relaxed))
    }

    /// Starts from zero. Any thread may call it.
    pub fn reset(&self) {
        self.base.store(self.total.load(Relaxed), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Counter;

    #[test]
    fn counts_from_the_last_reset() {
        let counter = Counter::default();
        counter.add(3);
        counter.reset();
        assert_eq!(counter.get(), 0);
        counter.add(2);
        assert_eq!(counter.get(), 2);
        counter.follow(100);
        assert_eq!(counter.get(), 97);
    }
}
