//! Rates per second over the last moments, from totals that are sampled at a steady pace.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

/// How many intervals a rate averages over.
const SAMPLES: usize = 16;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Metric {
    /// Commands run.
    Commands,
    /// Bytes received.
    Input,
    /// Bytes sent.
    Output,
    /// Turns of the workers' event loops.
    Cycles,
    /// Microseconds for which the workers were not idle.
    Busy,
}

const METRICS: usize = Metric::Busy as usize + 1;

/// Totals of all metrics, in the order of [`Metric`].
pub type Totals = [u64; METRICS];

/// The largest value of the last seconds.
#[derive(Debug, Default)]
pub struct Recent {
    /// One for each second.
    most: [AtomicU64; SECONDS],
    second: AtomicUsize,
}

/// For so many seconds a value is recent.
const SECONDS: usize = 8;

impl Recent {
    /// A value was seen.
    #[inline]
    pub fn note(&self, value: u64) {
        let most = &self.most[self.second.load(Relaxed) % SECONDS];
        if value > most.load(Relaxed) {
            most.fetch_max(value, Relaxed);
        }
    }

    /// Another second begins.
    pub fn turn(&self) {
        let next = self.second.load(Relaxed) + 1;
        self.most[next % SECONDS].store(0, Relaxed);
        self.second.store(next, Relaxed);
    }

    /// The largest value.
    pub fn most(&self) -> u64 {
        let all = self.most.iter().map(|most| most.load(Relaxed));
        all.max().unwrap_or(0)
    }
}

#[derive(Debug, Default)]
struct Window {
    /// When the last sample was taken, in milliseconds of any clock, and the totals at that time.
    last: Option<(i64, Totals)>,
    /// Milliseconds and increase of each of the last intervals.
    intervals: [(u64, Totals); SAMPLES],
    next: usize,
}

/// The last samples.
#[derive(Debug, Default)]
pub struct Rates(Mutex<Window>);

impl Rates {
    /// Takes a sample.
    pub fn sample(&self, now_ms: i64, totals: Totals) {
        let window = &mut *self.0.lock();
        if let Some((then, before)) = window.last.replace((now_ms, totals)) {
            let elapsed = u64::try_from(now_ms.saturating_sub(then)).unwrap_or(0);
            // A total that went back was reset.
            let increase = std::array::from_fn(|n| totals[n].saturating_sub(before[n]));
            window.intervals[window.next] = (elapsed, increase);
            window.next = (window.next + 1) % SAMPLES;
        }
    }

    /// The increase of a metric per second.
    pub fn per_second(&self, metric: Metric) -> f64 {
        1000.0 * self.ratio(metric, |(elapsed, _)| *elapsed)
    }

    /// The increase of one metric for each step of another.
    pub fn per(&self, metric: Metric, other: Metric) -> f64 {
        self.ratio(metric, |(_, increase)| increase[other as usize])
    }

    fn ratio(&self, metric: Metric, of: impl Fn(&(u64, Totals)) -> u64) -> f64 {
        let window = self.0.lock();
        let intervals = || window.intervals.iter();
        let whole: u64 = intervals().map(of).sum();
        let part: u64 = intervals()
            .map(|(_, increase)| increase[metric as usize])
            .sum();
        if whole > 0 {
            part as f64 / whole as f64
        } else {
            0.0
        }
    }

    /// Forgets all samples.
    pub fn reset(&self) {
        *self.0.lock() = Window::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_remembered_for_some_seconds() {
        let recent = Recent::default();
        recent.note(5);
        recent.note(3);
        for _ in 1..SECONDS {
            recent.turn();
            recent.note(2);
            assert_eq!(recent.most(), 5);
        }
        recent.turn();
        assert_eq!(recent.most(), 2);
    }

    #[test]
    fn a_rate_follows_the_last_intervals() {
        let rates = Rates::default();
        assert_eq!(rates.per_second(Metric::Commands), 0.0);
        for step in 0..=20 {
            rates.sample(step * 100, [step as u64 * 50, 0, 0, 10, 0]);
        }
        assert_eq!(rates.per_second(Metric::Commands), 500.0);
        assert_eq!(rates.per_second(Metric::Cycles), 0.0);
        for step in 21..=40 {
            rates.sample(step * 100, [1000, 0, 0, step as u64, 3 * step as u64]);
        }
        assert_eq!(rates.per_second(Metric::Commands), 0.0);
        assert_eq!(rates.per(Metric::Busy, Metric::Cycles), 3.0);
        rates.sample(4100, [7, 0, 0, 0, 0]);
        assert_eq!(
            rates.per_second(Metric::Commands),
            0.0,
            "a reset is no increase"
        );
    }
}
