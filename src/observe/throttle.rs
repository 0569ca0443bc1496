//! A bound on how often something is told that anybody can make happen as often as he likes.

use parking_lot::Mutex;

/// Lets so many events through in each stretch of time, and counts the others.
#[derive(Debug)]
pub struct Throttle {
    most: u64,
    stretch_ms: i64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    since: i64,
    told: u64,
    untold: u64,
}

impl Throttle {
    /// Lets `most` events through in a stretch of so many milliseconds.
    pub fn new(most: u64, stretch_ms: i64) -> Self {
        Self {
            most,
            stretch_ms,
            state: Mutex::default(),
        }
    }

    /// An event at a time in Unix milliseconds: how many before it were not told, or `None` if it is not to be told either.
    pub fn admit(&self, now: i64) -> Option<u64> {
        let mut state = self.state.lock();
        // The clock may have been set back.
        if !(0..self.stretch_ms).contains(&(now - state.since)) {
            (state.since, state.told) = (now, 0);
        }
        if state.told == self.most {
            state.untold += 1;
            return None;
        }
        state.told += 1;
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_in_part_and_counted() {
        let throttle = Throttle::new(2, 1000);
        let start = 1_000_000;
        let told: Vec<_> = (0..5).map(|after| throttle.admit(start + after)).collect();
        assert_eq!(told, [Some(0), Some(0), None, None, None]);
        assert_eq!(throttle.admit(start + 1000), Some(3));
        assert_eq!(throttle.admit(start + 1001), Some(0));
        assert_eq!(throttle.admit(start + 1999), None);
        // A clock that is set back does not silence anything for long.
        assert_eq!(throttle.admit(start - 50_000), Some(1));
    }
}
