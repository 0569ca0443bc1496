//! The thread's pause before a sync that takes long: clients that have just got their replies often write again at once, and
//! what goes to the disk together costs one sync. Without it they fall into two groups that wait for each other's syncs.

use std::time::{Duration, Instant};

use super::Audience;
use crate::journal::Journal;

/// The longest pause. Who writes again at once does so sooner.
const LONGEST: Duration = Duration::from_millis(if cfg!(test) { 10_000 } else { 5 });

/// When to pause, and for how long.
#[derive(Default)]
pub(super) struct Gathering {
    most: Duration,
    /// Not all came who were expected: the next sync waits for nobody, so that clients which write now and then are not kept
    /// waiting each time.
    was_in_vain: bool,
}

impl Gathering {
    /// Sets how long a sync takes by which those who come too late would have to wait; zero where no pause is to be made. Half
    /// of it is worth waiting.
    pub fn set_price(&mut self, sync: Duration) {
        self.most = (sync / 2).min(LONGEST);
    }

    /// Waits until as many clients wait for the log as did when it came further last. The journal is rung when one more does.
    pub fn pause(&mut self, journal: &Journal, audience: &dyn Audience) {
        if self.most.is_zero() || std::mem::take(&mut self.was_in_vain) {
            return;
        }
        let end = Instant::now() + self.most;
        while !audience.is_complete() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.was_in_vain = true;
                return;
            }
            journal.wait(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    /// Clients who are all there when one has looked so many times; each look is followed by a ring.
    struct Latecomers<'j>(&'j Journal, AtomicU32);

    impl Audience for Latecomers<'_> {
        fn reached(&self, _: u64, _: u64) {}

        fn trouble(&self, _: Option<String>) {}

        fn is_complete(&self) -> bool {
            let is_complete = self.1.load(Relaxed) == 0;
            if !is_complete {
                self.1.fetch_sub(1, Relaxed);
            }
            // As somebody rings who comes between this look and the wait that follows.
            self.0.ring();
            is_complete
        }
    }

    #[test]
    fn the_pause_ends_when_all_have_come() {
        let journal = Journal::new(1);
        let mut gathering = Gathering::default();
        gathering.set_price(Duration::from_secs(20));
        for late in [0, 1, 2] {
            let audience = Latecomers(&journal, late.into());
            gathering.pause(&journal, &audience);
            assert!(!gathering.was_in_vain);
            assert_eq!(audience.1.load(Relaxed), 0);
        }
    }

    #[test]
    fn a_pause_in_vain_has_an_end_and_the_next_is_left_out() {
        let journal = Journal::new(1);
        let audience = Latecomers(&journal, u32::MAX.into());
        let mut gathering = Gathering::default();
        gathering.pause(&journal, &audience);
        assert_eq!(audience.1.load(Relaxed), u32::MAX, "syncs are quick");
        gathering.set_price(Duration::from_millis(4));
        for in_vain in [true, false, true] {
            gathering.pause(&journal, &audience);
            assert_eq!(gathering.was_in_vain, in_vain);
        }
    }
}
