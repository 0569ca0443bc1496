//! The latency monitor: for each kind of event the last times at which it took long, as LATENCY tells them.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Samples kept per event.
const SAMPLES: usize = 160;

/// Kinds of events, as Redis names them.
pub mod event {
    /// A command.
    pub const COMMAND: &str = "command";
    /// A command that should take no time at all.
    pub const FAST_COMMAND: &str = "fast-command";
    /// Removing keys whose time has passed.
    pub const EXPIRE_CYCLE: &str = "expire-cycle";
    /// Removing the due keys of one table, the log and listeners included.
    pub const EXPIRE_DEL: &str = "expire-del";
    /// Running the command of a client that has waited.
    pub const COMMAND_UNBLOCKING: &str = "command-unblocking";
    /// Removing keys to make room.
    pub const EVICTION_CYCLE: &str = "eviction-cycle";
    /// Removing one key to make room, the log and listeners included.
    pub const EVICTION_DEL: &str = "eviction-del";
    /// Writing to the append-only file.
    pub const AOF_WRITE: &str = "aof-write";
    /// The same while an earlier part is being forced to the disk.
    pub const AOF_WRITE_PENDING_FSYNC: &str = "aof-write-pending-fsync";
    /// The same while a snapshot or a new base is being written.
    pub const AOF_WRITE_ACTIVE_CHILD: &str = "aof-write-active-child";
    /// The same while nothing else is done with files.
    pub const AOF_WRITE_ALONE: &str = "aof-write-alone";
    /// Forcing the append-only file to the disk before replies are sent.
    pub const AOF_FSYNC_ALWAYS: &str = "aof-fsync-always";
}

/// The worst that happened within a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Unix seconds.
    pub time: i64,
    /// Milliseconds.
    pub latency: u64,
}

/// What is remembered of one event.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// The oldest is the first.
    pub samples: Vec<Sample>,
    /// The worst latency since the series began.
    pub worst: u64,
}

/// Figures of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Average milliseconds.
    pub average: u64,
    /// How far samples are from the average, on average.
    pub deviation: u64,
    /// Seconds between two samples, on average.
    pub period: f64,
}

impl Series {
    fn add(&mut self, sample: Sample) {
        self.worst = self.worst.max(sample.latency);
        match self.samples.last_mut() {
            Some(last) if last.time == sample.time => {
                last.latency = last.latency.max(sample.latency);
            }
            _ => {
                if self.samples.len() == SAMPLES {
                    self.samples.remove(0);
                }
                self.samples.push(sample);
            }
        }
    }

    /// The figures of the series, as of a time in Unix seconds. A series has at least one sample.
    pub fn summary(&self, now: i64) -> Summary {
        let count = self.samples.len().max(1) as u64;
        let sum: u64 = self.samples.iter().map(|sample| sample.latency).sum();
        let average = sum / count;
        let distances = self.samples.iter();
        let distances: u64 = distances
            .map(|sample| sample.latency.abs_diff(average))
            .sum();
        let since = self.samples.first().map_or(now, |sample| sample.time);
        Summary {
            average,
            deviation: distances / count,
            period: (now - since).max(1) as f64 / count as f64,
        }
    }
}

/// All events that took long.
#[derive(Debug, Default)]
pub struct LatencyMonitor(Mutex<BTreeMap<&'static str, Series>>);

impl LatencyMonitor {
    /// Remembers that an event took `latency` milliseconds, at a time in Unix seconds.
    pub fn add(&self, event: &'static str, latency: u64, time: i64) {
        let mut events = self.0.lock();
        events
            .entry(event)
            .or_default()
            .add(Sample { time, latency });
    }

    /// What is remembered, event by event.
    pub fn all(&self) -> Vec<(&'static str, Series)> {
        let events = self.0.lock();
        let all = events.iter();
        all.map(|(name, series)| (*name, series.clone())).collect()
    }

    /// What is remembered of one event.
    pub fn of(&self, event: &[u8]) -> Option<(&'static str, Series)> {
        let events = self.0.lock();
        let mut all = events.iter();
        let found = all.find(|(name, _)| name.as_bytes() == event)?;
        Some((*found.0, found.1.clone()))
    }

    /// Forgets some events, in whatever case they are named, or all if none is; says how many.
    pub fn reset<'a>(&self, names: impl ExactSizeIterator<Item = &'a [u8]>) -> usize {
        let mut events = self.0.lock();
        let before = events.len();
        if names.len() == 0 {
            events.clear();
        }
        for name in names {
            events.retain(|event, _| !event.as_bytes().eq_ignore_ascii_case(name));
        }
        before - events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_keeps_its_worst_sample() {
        let monitor = LatencyMonitor::default();
        for (time, latency) in [(10, 5), (10, 9), (10, 7), (12, 3)] {
            monitor.add(event::COMMAND, latency, time);
        }
        let (name, series) = monitor.of(b"command").expect("samples");
        let samples: Vec<_> = series
            .samples
            .iter()
            .map(|sample| (sample.time, sample.latency))
            .collect();
        assert_eq!((name, samples), ("command", vec![(10, 9), (12, 3)]));
        assert_eq!(series.worst, 9);
        let expected = Summary {
            average: 6,
            deviation: 3,
            period: 5.0,
        };
        assert_eq!(series.summary(20), expected);
    }

    #[test]
    fn old_samples_go() {
        let monitor = LatencyMonitor::default();
        for time in 0..500 {
            monitor.add(event::AOF_WRITE, 1, time);
        }
        let (_, series) = monitor.of(b"aof-write").expect("samples");
        assert_eq!(series.samples.len(), SAMPLES);
        assert_eq!(series.samples[0].time, 340);
    }

    #[test]
    fn events_are_forgotten_by_name_or_all() {
        let monitor = LatencyMonitor::default();
        let none = || std::iter::empty::<&[u8]>().collect::<Vec<_>>().into_iter();
        monitor.add(event::COMMAND, 1, 1);
        monitor.add(event::FAST_COMMAND, 1, 1);
        assert_eq!(monitor.reset([&b"COMMAND"[..], b"nosuch"].into_iter()), 1);
        assert_eq!(monitor.all().len(), 1);
        assert_eq!(monitor.reset(none()), 1);
        assert_eq!(monitor.reset(none()), 0);
    }
}
