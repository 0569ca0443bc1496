//! How long something took: counts per duration, fine enough for percentiles and for LATENCY HISTOGRAM's powers of two.

use super::counter::Counter;

/// Steps into which each doubling is divided: a duration is known to 1/16.
const STEP_BITS: u32 = 4;
const STEPS: usize = 1 << STEP_BITS;
/// Durations from here on, in nanoseconds, count as this one: about 17 minutes.
const LONGEST_BITS: u32 = 40;
const BUCKETS: usize = STEPS * (LONGEST_BITS - STEP_BITS + 1) as usize;

/// Durations that one thread records and any thread reads.
#[derive(Debug)]
pub struct Histogram(Box<[Counter]>);

impl Default for Histogram {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| Counter::default()).collect())
    }
}

fn bucket_of(nanos: u64) -> usize {
    let nanos = nanos.min((1 << LONGEST_BITS) - 1);
    // Short durations have a bucket each; from then on each doubling has `STEPS`.
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(STEP_BITS + 1);
    shift as usize * STEPS + (nanos >> shift) as usize
}

/// The longest duration that a bucket counts.
fn longest_of(bucket: usize) -> u64 {
    let shift = (bucket / STEPS).saturating_sub(1);
    ((bucket - shift * STEPS + 1) as u64) << shift
}

impl Histogram {
    /// Records so many occurrences. Only the owning thread may call it.
    #[inline]
    pub fn record(&self, nanos: u64, times: u64) {
        self.0[bucket_of(nanos)].add(times);
    }

    /// Starts from zero.
    pub fn reset(&self) {
        self.0.iter().for_each(Counter::reset);
    }
}

/// The durations of several histograms together.
#[derive(Debug, Clone)]
pub struct Distribution {
    counts: Vec<u64>,
    total: u64,
}

impl Distribution {
    /// Adds up histograms.
    pub fn of<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Self {
        let mut counts = vec![0; BUCKETS];
        for histogram in histograms {
            for (count, counter) in counts.iter_mut().zip(&histogram.0) {
                *count += counter.get();
            }
        }
        let total = counts.iter().sum();
        Self { counts, total }
    }

    /// Occurrences.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Upper bounds in nanoseconds, each the double of the one before and the first 1,024, with how many occurrences were
    /// shorter; only where there were more than up to the bound before.
    pub fn doublings(&self) -> Vec<(u64, u64)> {
        let (mut found, mut seen) = (Vec::new(), 0);
        let mut next = 0;
        for bits in 10..=LONGEST_BITS {
            let end = match bits {
                LONGEST_BITS => BUCKETS,
                _ => bucket_of(1 << bits),
            };
            let more: u64 = self.counts[next..end].iter().sum();
            next = end;
            if more > 0 {
                seen += more;
                found.push((1 << bits, seen));
            }
        }
        found
    }

    /// [`Self::doublings`] with bounds in microseconds, as Redis tells them: where those of its finer counts end that hold the
    /// bound.
    pub fn steps(&self) -> Vec<(u64, u64)> {
        let steps = self.doublings().into_iter();
        steps
            .map(|(bound, count)| ((bound + bound / 128 - 1) / 1000, count))
            .collect()
    }

    /// The duration in nanoseconds that so many percent of the occurrences do not exceed.
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = (self.total as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map_or(0, |bucket| longest_of(bucket) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_duration_is_known_to_a_sixteenth(nanos in 0u64..1 << LONGEST_BITS) {
            let longest = longest_of(bucket_of(nanos));
            prop_assert!(nanos < longest);
            prop_assert!(longest - nanos <= nanos / 16 + 1);
        }
    }

    #[test]
    fn percentiles_are_those_of_all_histograms() {
        let [one, other] = [Histogram::default(), Histogram::default()];
        one.record(10, 98);
        other.record(5_000, 1);
        other.record(u64::MAX, 1);
        let all = Distribution::of([&one, &other].into_iter());
        assert_eq!(all.total(), 100);
        assert_eq!(all.percentile(50.0), 10);
        assert_eq!(all.percentile(98.0), 10);
        assert_eq!(all.percentile(99.0), 5_119);
        assert_eq!(all.percentile(100.0), (1 << LONGEST_BITS) - 1);
        let doublings = [(1024, 98), (8192, 99), (1 << LONGEST_BITS, 100)];
        assert_eq!(all.doublings(), doublings);
        one.reset();
        assert_eq!(Distribution::of([&one].into_iter()).percentile(50.0), 0);
    }
}
