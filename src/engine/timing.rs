//! How long commands take: counted for INFO, and remembered when it was long.
//!
//! A look at the clock costs a part of what a short command takes, so short commands of one kind that follow each other are
//! timed together, some at a time. When such a run takes so long that the slow log wants it, the command that came with most
//! stands for it. A slow log that wants to know of short commands, too, has each of them timed.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::Engine;
use super::client::Client;
use super::command::flags;
use super::stats::LaneStats;
use super::table::Spec;
use crate::base::clock::{Stopwatch, unix_ms};
use crate::config::Config;
use crate::observe::command_log::{Caller, Reason};
use crate::observe::latency::event;
use crate::resp::args::Args;

/// Short commands that are timed together.
const TOGETHER: usize = 16;
/// A slow log that wants commands shorter than this, in microseconds, has every command timed by itself.
const SHORT: i64 = 1000;

/// Bytes of replies that are sent before a batch goes on.
pub(super) const FULL: usize = 1 << 20;

/// What the configuration wants to be known of commands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    /// Short commands that are timed together.
    together: usize,
    /// Nanoseconds from which a command is worth a second look.
    notable: u64,
    /// Bytes of a command that are worth one.
    pub request: usize,
    /// Bytes of a reply that are.
    pub reply: usize,
    /// Bytes of replies at which they are looked at.
    pub look: usize,
    keeps_latency: bool,
    /// Whether commands are counted at all: those read from a file are not.
    counts: bool,
}

impl Wishes {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        let slow = config.slowlog_log_slower_than;
        let nanos =
            |limit: i64, unit: u64| u64::try_from(limit).map(|limit| limit.saturating_mul(unit));
        let slow_nanos = nanos(slow, 1_000).unwrap_or(u64::MAX);
        let threshold = config.latency_monitor_threshold;
        let latency_nanos = match threshold {
            0 => u64::MAX,
            threshold => threshold.saturating_mul(1_000_000),
        };
        let bytes = |limit: i64| usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            together: if (0..SHORT).contains(&slow) {
                1
            } else {
                TOGETHER
            },
            notable: slow_nanos.min(latency_nanos),
            request: bytes(config.commandlog_request_larger_than),
            reply: bytes(config.commandlog_reply_larger_than),
            look: bytes(config.commandlog_reply_larger_than).min(FULL),
            keeps_latency: config.latency_tracking,
            counts: true,
        }
    }

    /// Whether a command that took so long is worth a second look.
    pub fn is_notable(&self, nanos: u64) -> bool {
        nanos >= self.notable
    }

    /// For commands that no client has sent.
    pub fn none() -> Self {
        Self {
            together: TOGETHER,
            notable: u64::MAX,
            request: usize::MAX,
            reply: usize::MAX,
            look: usize::MAX,
            keeps_latency: false,
            counts: false,
        }
    }
}

/// A run of commands that took long.
pub(super) struct Notable<'e> {
    /// Which command it was.
    pub spec: &'e Spec,
    /// How long all of them took.
    pub nanos: u64,
    /// The numbers of the first and behind the last.
    pub run: std::ops::Range<usize>,
}

/// Times the commands of a batch or a transaction.
pub(super) struct Timer<'e, 't> {
    stopwatch: &'t Stopwatch,
    stats: &'e LaneStats,
    wishes: Wishes,
    start: u64,
    running: Option<&'e Spec>,
    /// Its number among all commands.
    kind: usize,
    /// The number of the first command that is being timed, the number from which on another look at the clock is taken, and
    /// how many of them were run.
    first: usize,
    end: usize,
    calls: u64,
    total: u64,
}

impl<'e, 't> Timer<'e, 't> {
    /// Starts at a reading of the stopwatch that was taken just now.
    pub fn start(
        stats: &'e LaneStats,
        stopwatch: &'t Stopwatch,
        wishes: Wishes,
        start: u64,
    ) -> Self {
        Self {
            stopwatch,
            stats,
            wishes,
            start,
            running: None,
            kind: usize::MAX,
            first: 0,
            end: 0,
            calls: 0,
            total: 0,
        }
    }

    /// Whether a command, of this number among all and in its batch, is timed together with those before it.
    #[inline]
    pub fn goes_on(&self, kind: usize, index: usize) -> bool {
        kind == self.kind && index < self.end
    }

    /// A command from which on time is counted anew is about to run; gives what took long before it.
    pub fn begins(
        &mut self,
        spec: Option<&'e Spec>,
        kind: usize,
        index: usize,
    ) -> Option<Notable<'e>> {
        let notable = self.record(index);
        let is_short = spec.is_some_and(|spec| spec.flags & (flags::FAST | flags::BRIEF) != 0);
        let together = if is_short { self.wishes.together } else { 1 };
        (self.running, self.kind) = (spec, kind);
        (self.first, self.end) = (index, index + together);
        notable
    }

    /// It has ended, and was run or not: queued, refused, put off.
    #[inline]
    pub fn ends(&mut self, has_run: bool) {
        self.calls += u64::from(has_run);
    }

    /// Goes by what a new configuration wants.
    pub fn renew(&mut self, wishes: Wishes) {
        self.wishes = wishes;
    }

    /// Counts what was timed, up to the command of a number.
    fn record(&mut self, end: usize) -> Option<Notable<'e>> {
        let spec = self.running.take()?;
        let now = self.stopwatch.ticks();
        let start = std::mem::replace(&mut self.start, now);
        let calls = std::mem::take(&mut self.calls);
        if calls == 0 || !self.wishes.counts {
            return None;
        }
        self.total += calls;
        let nanos = self.stopwatch.nanos(start, now);
        self.stats.commands[spec.id].count(calls, nanos, self.wishes.keeps_latency);
        let run = self.first..end;
        let notable = Notable { spec, nanos, run };
        Some(notable).filter(|_| self.wishes.is_notable(nanos))
    }

    /// All commands up to this number have run.
    pub fn finish(mut self, end: usize) -> Option<Notable<'e>> {
        let notable = self.record(end);
        self.stats.processed.add(self.total);
        if self.total > self.stats.longest_batch.load(Relaxed) {
            self.stats.longest_batch.store(self.total, Relaxed);
        }
        notable
    }
}

impl Spec {
    /// The arguments of a call, secrets replaced.
    pub fn shown<'r>(&self, args: Args<'r>) -> Vec<&'r [u8]> {
        let mut shown: Vec<&[u8]> = args.iter().collect();
        if let Some(secrets) = self.command.secrets {
            secrets(args, &mut |at| shown[at] = b"(redacted)");
        }
        shown
    }
}

impl Engine {
    /// Counts a call that no [`Timer`] has timed: of a command that has waited, or that a script calls. From a thread that
    /// owns the lane.
    pub(super) fn note_call(
        &self,
        lane: usize,
        client: &Client,
        spec: &Spec,
        nanos: u64,
        args: Args<'_>,
    ) {
        let wishes = Wishes::of(&self.config.load());
        let stats = &self.stats.lanes[lane];
        stats.processed.add(1);
        stats.commands[spec.id].count(1, nanos, wishes.keeps_latency);
        if wishes.is_notable(nanos) {
            self.note_slow(client, spec, nanos, args);
        }
    }

    /// Remembers a command that took long, if that is wanted.
    #[cold]
    pub(super) fn note_slow(&self, client: &Client, spec: &Spec, nanos: u64, args: Args<'_>) {
        // Not the batch's configuration: what is logged may have changed it.
        let config = self.config.load();
        let millis = nanos / 1_000_000;
        let threshold = config.latency_monitor_threshold;
        if threshold > 0 && millis >= threshold {
            let event = match spec.has(flags::FAST) {
                true => event::FAST_COMMAND,
                false => event::COMMAND,
            };
            self.latency.add(event, millis, unix_ms() / 1000);
        }
        let micros = nanos / 1000;
        if u64::try_from(config.slowlog_log_slower_than).is_ok_and(|limit| micros >= limit) {
            self.log_command(Reason::Slow, client, spec, micros, args);
        }
    }

    /// Remembers an event that took long, if that is wanted.
    pub fn note_event(&self, event: &'static str, time: Duration) {
        let threshold = self.config.load().latency_monitor_threshold;
        let millis = time.as_millis() as u64;
        if threshold > 0 && millis >= threshold {
            self.latency.add(event, millis, unix_ms() / 1000);
        }
    }

    /// Remembers a command that came with much or was answered with much, if that is wanted.
    #[cold]
    pub(super) fn note_large(
        &self,
        wishes: Wishes,
        client: &Client,
        (spec, args): (&Spec, Args<'_>),
        (request, reply): (usize, usize),
    ) {
        if request >= wishes.request {
            let reason = Reason::LargeRequest;
            self.log_command(reason, client, spec, request as u64, args);
        }
        if reply >= wishes.reply {
            let reason = Reason::LargeReply;
            self.log_command(reason, client, spec, reply as u64, args);
        }
    }

    fn log_command(
        &self,
        reason: Reason,
        client: &Client,
        spec: &Spec,
        amount: u64,
        args: Args<'_>,
    ) {
        if spec.has(flags::SKIP_SLOWLOG) {
            return;
        }
        let caller = Caller {
            time: unix_ms() / 1000,
            address: client.address.clone(),
            name: client.names.lock().name.clone(),
        };
        let max = log_length(&self.config.load(), reason);
        let args = spec.shown(args);
        self.command_logs
            .add(reason, amount, args.into_iter(), caller, max);
    }

    /// Forgets what is too much for a new configuration.
    pub fn shorten_logs(&self, config: &Config) {
        for reason in [Reason::Slow, Reason::LargeRequest, Reason::LargeReply] {
            self.command_logs
                .shorten(reason, log_length(config, reason));
        }
    }
}

fn log_length(config: &Config, reason: Reason) -> usize {
    match reason {
        Reason::Slow => config.slowlog_max_len,
        Reason::LargeRequest => config.commandlog_large_request_max_len,
        Reason::LargeReply => config.commandlog_large_reply_max_len,
    }
}
