//! INFO stats and debug.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Facts, Section};
use crate::engine::LaneStats;
use crate::observe::counter::Counter;
use crate::observe::rates::Metric;
use crate::pubsub::Kind;

/// Counters.
pub(super) const STATS: Section = Section::new(
    "stats",
    "Stats",
    &[
        ("total_connections_received", |facts| {
            total(&facts.engine.stats.connections)
        }),
        ("total_commands_processed", |facts| {
            sum(facts, |lane| &lane.processed)
        }),
        ("instantaneous_ops_per_sec", |facts| {
            whole(facts, Metric::Commands)
        }),
        ("total_net_input_bytes", |facts| {
            sum(facts, |lane| &lane.bytes_in)
        }),
        ("total_net_output_bytes", |facts| {
            sum(facts, |lane| &lane.bytes_out)
        }),
        ("total_net_repl_input_bytes", |_| "0".into()),
        ("total_net_repl_output_bytes", |_| "0".into()),
        ("instantaneous_input_kbps", |facts| {
            kilobytes(facts, Metric::Input)
        }),
        ("instantaneous_output_kbps", |facts| {
            kilobytes(facts, Metric::Output)
        }),
        ("instantaneous_input_repl_kbps", |_| "0.00".into()),
        ("instantaneous_output_repl_kbps", |_| "0.00".into()),
        ("rejected_connections", |facts| {
            total(&facts.engine.stats.rejected_connections)
        }),
        ("sync_full", |_| "0".into()),
        ("sync_partial_ok", |_| "0".into()),
        ("sync_partial_err", |_| "0".into()),
        ("expired_subkeys", |facts| {
            sum(facts, |lane| &lane.expired_fields)
        }),
        ("expired_keys", |facts| sum(facts, |lane| &lane.expired)),
        // What has expired is removed when it is due: nothing is sampled, and no time is capped.
        ("expired_stale_perc", |_| "0.00".into()),
        ("expired_time_cap_reached_count", |_| "0".into()),
        ("expire_cycle_cpu_milliseconds", |facts| {
            let micros = facts.engine.stats.sum(|lane| &lane.expiry_micros);
            (micros / 1000).to_string()
        }),
        ("evicted_keys", |facts| sum(facts, |lane| &lane.evicted)),
        ("evicted_clients", |facts| {
            total(&facts.engine.stats.evicted_clients)
        }),
        ("evicted_scripts", |facts| {
            facts.engine.scripts.evicted().to_string()
        }),
        ("total_eviction_exceeded_time", |facts| {
            facts.engine.memory.exceeded().1.to_string()
        }),
        ("current_eviction_exceeded_time", |facts| {
            facts.engine.memory.exceeded().0.to_string()
        }),
        ("keyspace_hits", |facts| sum(facts, |lane| &lane.hits)),
        ("keyspace_misses", |facts| sum(facts, |lane| &lane.misses)),
        ("pubsub_channels", |facts| {
            facts.engine.pubsub.channel_count(Kind::Channel).to_string()
        }),
        ("pubsub_patterns", |facts| {
            facts.engine.pubsub.pattern_count().to_string()
        }),
        ("pubsubshard_channels", |facts| {
            facts.engine.pubsub.channel_count(Kind::Shard).to_string()
        }),
        ("latest_fork_usec", |_| "0".into()),
        ("total_forks", |_| "0".into()),
        ("migrate_cached_sockets", |facts| {
            facts.engine.transfers.links.load(Relaxed).to_string()
        }),
        ("slave_expires_tracked_keys", |_| "0".into()),
        ("active_defrag_hits", |facts| {
            sum(facts, |lane| &lane.compacted_blocks)
        }),
        ("active_defrag_misses", left),
        ("active_defrag_key_hits", |facts| {
            sum(facts, |lane| &lane.compacted_keys)
        }),
        ("active_defrag_key_misses", left),
        ("total_active_defrag_time", |facts| {
            facts.engine.memory.wasteful().1.to_string()
        }),
        ("current_active_defrag_time", |facts| {
            facts.engine.memory.wasteful().0.to_string()
        }),
        ("tracking_total_keys", |facts| {
            total(&facts.engine.keyspace.copies.keys)
        }),
        ("tracking_total_items", |facts| {
            total(&facts.engine.keyspace.copies.readers)
        }),
        ("tracking_total_prefixes", |facts| {
            facts.engine.tracking.prefixes.len().to_string()
        }),
        ("unexpected_error_replies", |facts| {
            total(&facts.engine.stats.unexpected_errors)
        }),
        ("total_error_replies", |facts| {
            total(&facts.engine.stats.error_replies)
        }),
        ("dump_payload_sanitizations", |_| "0".into()),
        ("total_reads_processed", |facts| {
            sum(facts, |lane| &lane.reads)
        }),
        ("total_writes_processed", |facts| {
            sum(facts, |lane| &lane.writes)
        }),
        ("io_threaded_reads_processed", |facts| {
            threaded(facts, |lane| &lane.reads)
        }),
        ("io_threaded_writes_processed", |facts| {
            threaded(facts, |lane| &lane.writes)
        }),
        ("client_query_buffer_limit_disconnections", |facts| {
            total(&facts.engine.stats.query_limit_disconnections)
        }),
        ("client_output_buffer_limit_disconnections", |facts| {
            total(&facts.engine.stats.output_limit_disconnections)
        }),
        // Replies are written into one buffer per worker, which no client owns.
        ("reply_buffer_shrinks", |_| "0".into()),
        ("reply_buffer_expands", |_| "0".into()),
        ("eventloop_cycles", |facts| sum(facts, |lane| &lane.loops)),
        ("eventloop_duration_sum", |facts| {
            sum(facts, |lane| &lane.busy_micros)
        }),
        ("eventloop_duration_cmd_sum", |facts| {
            command_micros(facts).to_string()
        }),
        ("instantaneous_eventloop_cycles_per_sec", |facts| {
            whole(facts, Metric::Cycles)
        }),
        ("instantaneous_eventloop_duration_usec", |facts| {
            format!(
                "{:.0}",
                facts.engine.stats.rates.per(Metric::Busy, Metric::Cycles)
            )
        }),
        ("acl_access_denied_auth", |facts| {
            total(&facts.engine.stats.auth_failures)
        }),
        ("acl_access_denied_cmd", |facts| {
            total(&facts.engine.stats.denied_commands)
        }),
        ("acl_access_denied_key", |facts| {
            total(&facts.engine.stats.denied_keys)
        }),
        ("acl_access_denied_channel", |facts| {
            total(&facts.engine.stats.denied_channels)
        }),
    ],
);

fn total(counter: &AtomicU64) -> String {
    counter.load(Relaxed).to_string()
}

fn most(facts: &Facts<'_>, of: fn(&LaneStats) -> &AtomicU64) -> String {
    let lanes = facts.engine.stats.lanes.iter();
    let most = lanes.map(|lane| of(lane).load(Relaxed)).max();
    most.unwrap_or(0).to_string()
}

fn sum(facts: &Facts<'_>, of: fn(&LaneStats) -> &Counter) -> String {
    facts.engine.stats.sum(of).to_string()
}

/// Entries that were looked at and left where they are.
fn left(facts: &Facts<'_>) -> String {
    let stats = &facts.engine.stats;
    let keys = stats.sum(|lane| &lane.compaction_keys);
    let moved = stats.sum(|lane| &lane.compacted_keys);
    keys.saturating_sub(moved).to_string()
}

/// What threads besides the first did. With one worker nothing is threaded.
fn threaded(facts: &Facts<'_>, of: fn(&LaneStats) -> &Counter) -> String {
    let others = facts.engine.stats.lanes.iter().skip(1);
    others.map(|lane| of(lane).get()).sum::<u64>().to_string()
}

fn whole(facts: &Facts<'_>, metric: Metric) -> String {
    format!("{:.0}", facts.engine.stats.rates.per_second(metric))
}

fn kilobytes(facts: &Facts<'_>, metric: Metric) -> String {
    format!(
        "{:.2}",
        facts.engine.stats.rates.per_second(metric) / 1024.0
    )
}

fn command_micros(facts: &Facts<'_>) -> u64 {
    let lanes = facts.engine.stats.lanes.iter();
    let nanos = lanes.flat_map(|lane| lane.commands.iter().map(|counts| counts.nanos.get()));
    nanos.sum::<u64>() / 1000
}

/// For developers: told only to those who ask for it by name.
pub(super) const DEBUG: Section = Section::new(
    "debug",
    "Debug",
    &[
        ("eventloop_duration_aof_sum", |facts| {
            total(&facts.engine.stats.file_micros)
        }),
        ("eventloop_duration_cron_sum", |facts| {
            let timers = facts.engine.stats.sum(|lane| &lane.timer_micros);
            let expiry = facts.engine.stats.sum(|lane| &lane.expiry_micros);
            (timers + expiry).to_string()
        }),
        ("eventloop_duration_max", |facts| {
            most(facts, |lane| &lane.longest_turn)
        }),
        ("eventloop_cmd_per_cycle_max", |facts| {
            most(facts, |lane| &lane.longest_batch)
        }),
    ],
)
.on_demand();
