//! Counters of what the server did. Each worker writes its own, so counting costs no locked instruction; INFO adds them up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_utils::CachePadded;
use dashmap::DashMap;

/// A counter that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds. Only the owning thread may call it.
    #[inline]
    pub fn add(&self, amount: u64) {
        self.0
            .store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

/// What one command did on one worker.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct CommandCounts {
    pub calls: Counter,
    pub nanos: Counter,
    pub rejected: Counter,
    pub failed: Counter,
}

/// One worker's counters.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct LaneStats {
    pub commands: Box<[CommandCounts]>,
    pub processed: Counter,
    pub hits: Counter,
    pub misses: Counter,
    pub expired: Counter,
    pub bytes_in: Counter,
    pub bytes_out: Counter,
    pub reads: Counter,
    pub writes: Counter,
    pub loops: Counter,
    pub dirty: Counter,
}

/// All counters.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Stats {
    pub lanes: Box<[CachePadded<LaneStats>]>,
    pub errors: DashMap<String, u64>,
    pub error_replies: AtomicU64,
    pub connections: AtomicU64,
    pub rejected_connections: AtomicU64,
    pub output_limit_disconnections: AtomicU64,
    pub query_limit_disconnections: AtomicU64,
    pub unexpected_errors: AtomicU64,
    pub peak_memory: AtomicU64,
    pub auth_failures: AtomicU64,
}

impl Stats {
    /// Zeros, for `lanes` threads and `commands` commands.
    pub fn new(lanes: usize, commands: usize) -> Self {
        let lane = || LaneStats {
            commands: (0..commands).map(|_| CommandCounts::default()).collect(),
            processed: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            expired: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            loops: Counter::default(),
            dirty: Counter::default(),
        };
        Self {
            lanes: (0..lanes).map(|_| CachePadded::new(lane())).collect(),
            errors: DashMap::new(),
            error_replies: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            rejected_connections: AtomicU64::new(0),
            output_limit_disconnections: AtomicU64::new(0),
            query_limit_disconnections: AtomicU64::new(0),
            unexpected_errors: AtomicU64::new(0),
            peak_memory: AtomicU64::new(0),
            auth_failures: AtomicU64::new(0),
        }
    }

    /// The sum of one counter over all workers.
    pub fn sum(&self, of: impl Fn(&LaneStats) -> &Counter) -> u64 {
        self.lanes.iter().map(|lane| of(lane).get()).sum()
    }

    /// Counts an error reply under its code word.
    pub fn count_error(&self, line: &str) {
        /// Kinds of errors told apart; scripts can make up any number of them.
        const MAX_KINDS: usize = 128;
        self.error_replies.fetch_add(1, Relaxed);
        let code = line.split_ascii_whitespace().next().unwrap_or("ERR");
        match self.errors.get_mut(code) {
            Some(mut count) => *count += 1,
            None if self.errors.len() < MAX_KINDS => {
                *self.errors.entry(code.into()).or_default() += 1
            }
            None => {}
        }
    }

    /// CONFIG RESETSTAT. Workers that count meanwhile may keep a few counts.
    pub fn reset(&self) {
        for lane in &self.lanes {
            for command in &lane.commands {
                for counter in [
                    &command.calls,
                    &command.nanos,
                    &command.rejected,
                    &command.failed,
                ] {
                    counter.reset();
                }
            }
            let traffic = [
                &lane.bytes_in,
                &lane.bytes_out,
                &lane.reads,
                &lane.writes,
                &lane.loops,
            ];
            let keys = [&lane.processed, &lane.hits, &lane.misses, &lane.expired];
            traffic.into_iter().chain(keys).for_each(Counter::reset);
        }
        self.errors.clear();
        let totals = [
            &self.error_replies,
            &self.connections,
            &self.rejected_connections,
            &self.auth_failures,
        ];
        let limits = [
            &self.output_limit_disconnections,
            &self.query_limit_disconnections,
            &self.peak_memory,
        ];
        totals
            .into_iter()
            .chain(limits)
            .for_each(|count| count.store(0, Relaxed));
    }
}
