//! Counters of what the server did. Each worker writes its own, so counting costs no locked instruction; INFO adds them up.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crossbeam_utils::CachePadded;
use dashmap::DashMap;

use super::Client;
use crate::base::alloc::used;
use crate::base::clock::unix_ms;
use crate::observe::counter::Counter;
use crate::observe::histogram::{Distribution, Histogram};
use crate::observe::rates::{Rates, Recent};

/// What one command did on one worker.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct CommandCounts {
    pub calls: Counter,
    pub nanos: Counter,
    pub rejected: Counter,
    pub failed: Counter,
    /// How long calls took; made at the first one.
    pub latency: OnceLock<Histogram>,
}

impl CommandCounts {
    /// Counts calls that took so long together. Only the owning thread may call it.
    #[inline]
    pub fn count(&self, calls: u64, nanos: u64, keeps_latency: bool) {
        self.calls.add(calls);
        self.spend(calls, nanos, keeps_latency);
    }

    /// Counts the time alone of calls that took so long together. Only the owning thread may call it.
    #[inline]
    pub fn spend(&self, calls: u64, nanos: u64, keeps_latency: bool) {
        self.nanos.add(nanos);
        if keeps_latency {
            let latency = self.latency.get_or_init(Default::default);
            latency.record(nanos / calls, calls);
        }
    }

    fn reset(&self) {
        [&self.calls, &self.nanos, &self.rejected, &self.failed]
            .into_iter()
            .for_each(Counter::reset);
        if let Some(latency) = self.latency.get() {
            latency.reset();
        }
    }
}

/// One worker's counters.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct LaneStats {
    pub commands: Box<[CommandCounts]>,
    pub processed: Counter,
    pub hits: Counter,
    pub misses: Counter,
    pub expired: Counter,
    pub expired_fields: Counter,
    pub evicted: Counter,
    /// Entries that were looked at, of which something was moved, and blocks that were, so that pages become empty.
    pub compaction_keys: Counter,
    pub compacted_keys: Counter,
    pub compacted_blocks: Counter,
    /// Microseconds spent on removing what was due.
    pub expiry_micros: Counter,
    pub bytes_in: Counter,
    pub bytes_out: Counter,
    pub reads: Counter,
    pub writes: Counter,
    /// Turns of the event loop, and microseconds for which it was not idle.
    pub loops: Counter,
    pub busy_micros: Counter,
    /// Microseconds of the worker's timer, and of a turn while turns took longest.
    pub timer_micros: Counter,
    pub longest_turn: AtomicU64,
    /// Most commands of one batch.
    pub longest_batch: AtomicU64,
    /// Changes to data, never reset.
    pub dirty: Counter,
}

/// All counters.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Stats {
    pub lanes: Box<[CachePadded<LaneStats>]>,
    pub errors: DashMap<String, u64>,
    has_too_many_errors: AtomicBool,
    pub error_replies: AtomicU64,
    pub connections: AtomicU64,
    pub rejected_connections: AtomicU64,
    pub output_limit_disconnections: AtomicU64,
    pub query_limit_disconnections: AtomicU64,
    pub evicted_clients: AtomicU64,
    pub unexpected_errors: AtomicU64,
    pub peak_memory: AtomicU64,
    /// Bytes in use when the server was about to load its data.
    pub startup_memory: AtomicU64,
    pub auth_failures: AtomicU64,
    pub denied_commands: AtomicU64,
    pub denied_keys: AtomicU64,
    pub denied_channels: AtomicU64,
    /// Microseconds that went into writing and forcing the append-only file.
    pub file_micros: AtomicU64,
    /// What single clients had unread and unsent at most in the last seconds.
    pub recent_input: Recent,
    pub recent_output: Recent,
    /// Changes in the last moments, for the instantaneous fields of INFO.
    pub rates: Rates,
}

impl Stats {
    /// Counts what a worker has sent to a client with one call.
    #[inline]
    pub fn note_sent(&self, lane: usize, client: &Client, bytes: usize) {
        let stats = &self.lanes[lane];
        stats.bytes_out.add(bytes as u64);
        stats.writes.add(1);
        let sent = client.bytes_out.load(Relaxed) + bytes as u64;
        client.bytes_out.store(sent, Relaxed);
    }

    /// Zeros, for `lanes` threads and `commands` commands.
    pub fn new(lanes: usize, commands: usize) -> Self {
        let lane = || LaneStats {
            commands: (0..commands).map(|_| CommandCounts::default()).collect(),
            ..LaneStats::default()
        };
        Self {
            lanes: (0..lanes).map(|_| CachePadded::new(lane())).collect(),
            errors: DashMap::new(),
            has_too_many_errors: AtomicBool::new(false),
            error_replies: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            rejected_connections: AtomicU64::new(0),
            output_limit_disconnections: AtomicU64::new(0),
            query_limit_disconnections: AtomicU64::new(0),
            evicted_clients: AtomicU64::new(0),
            unexpected_errors: AtomicU64::new(0),
            peak_memory: AtomicU64::new(0),
            startup_memory: AtomicU64::new(0),
            auth_failures: AtomicU64::new(0),
            denied_commands: AtomicU64::new(0),
            denied_keys: AtomicU64::new(0),
            denied_channels: AtomicU64::new(0),
            file_micros: AtomicU64::new(0),
            recent_input: Recent::default(),
            recent_output: Recent::default(),
            rates: Rates::default(),
        }
    }

    /// The sum of one counter over all workers.
    pub fn sum(&self, of: impl Fn(&LaneStats) -> &Counter) -> u64 {
        self.lanes.iter().map(|lane| of(lane).get()).sum()
    }

    /// The durations of a command's calls, if there were any.
    pub fn durations(&self, command: usize) -> Option<Distribution> {
        let lanes = self.lanes.iter();
        let known = lanes.filter_map(|lane| lane.commands[command].latency.get());
        Some(Distribution::of(known)).filter(|durations| durations.total() > 0)
    }

    /// Notes how much memory the server takes without data.
    pub fn note_startup(&self) {
        self.startup_memory.store(used() as u64, Relaxed);
        self.note_peak();
    }

    /// Notes how much memory is in use if it is more than ever. Returns the most that ever was.
    pub fn note_peak(&self) -> u64 {
        let used = used() as u64;
        self.peak_memory.fetch_max(used, Relaxed).max(used)
    }

    /// Takes a sample for the rates.
    pub fn sample(&self) {
        let totals = [
            self.sum(|lane| &lane.processed),
            self.sum(|lane| &lane.bytes_in),
            self.sum(|lane| &lane.bytes_out),
            self.sum(|lane| &lane.loops),
            self.sum(|lane| &lane.busy_micros),
        ];
        self.rates.sample(unix_ms(), totals);
    }

    /// Counts an error reply under its code word.
    pub fn count_error(&self, line: &str) {
        /// Kinds of errors told apart. Scripts can make up any number of them: then none is told any longer.
        const MAX_KINDS: usize = 128;
        self.error_replies.fetch_add(1, Relaxed);
        let code = line.split_ascii_whitespace().next().unwrap_or("ERR");
        if self.has_too_many_errors.load(Relaxed) {
            return;
        }
        match self.errors.get_mut(code) {
            Some(mut count) => return *count += 1,
            None if self.errors.len() < MAX_KINDS => {
                return *self.errors.entry(code.into()).or_default() += 1;
            }
            None => {}
        }
        self.has_too_many_errors.store(true, Relaxed);
        self.errors.clear();
        self.errors.insert("ERRORSTATS_DISABLED".into(), 1);
        tracing::warn!(
            "There are more than {MAX_KINDS} kinds of error replies, perhaps made up by scripts: INFO errorstats tells none until CONFIG RESETSTAT."
        );
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        for lane in &self.lanes {
            lane.commands.iter().for_each(CommandCounts::reset);
            let keys = [
                &lane.processed,
                &lane.hits,
                &lane.misses,
                &lane.expired,
                &lane.expired_fields,
                &lane.evicted,
                &lane.expiry_micros,
            ];
            let traffic = [&lane.bytes_in, &lane.bytes_out, &lane.reads, &lane.writes];
            let compaction = [
                &lane.compaction_keys,
                &lane.compacted_keys,
                &lane.compacted_blocks,
            ];
            let turns = [&lane.loops, &lane.busy_micros, &lane.timer_micros];
            let counters = keys
                .into_iter()
                .chain(traffic)
                .chain(turns)
                .chain(compaction);
            counters.for_each(Counter::reset);
            lane.longest_turn.store(0, Relaxed);
            lane.longest_batch.store(0, Relaxed);
        }
        self.file_micros.store(0, Relaxed);
        self.errors.clear();
        self.has_too_many_errors.store(false, Relaxed);
        self.rates.reset();
        let errors = [&self.error_replies, &self.unexpected_errors];
        let connections = [&self.connections, &self.rejected_connections];
        let limits = [
            &self.output_limit_disconnections,
            &self.query_limit_disconnections,
            &self.evicted_clients,
            &self.auth_failures,
        ];
        let denials = [
            &self.denied_commands,
            &self.denied_keys,
            &self.denied_channels,
        ];
        let totals = errors
            .into_iter()
            .chain(connections)
            .chain(limits)
            .chain(denials);
        totals.for_each(|count| count.store(0, Relaxed));
    }
}
