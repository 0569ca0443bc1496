//! INFO persistence.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::{Facts, Section, line};
use crate::engine::condition;

/// Loading, snapshots and the append-only file.
pub(super) const PERSISTENCE: Section = Section::new(
    "persistence",
    "Persistence",
    &[
        ("loading", |facts| {
            u8::from(facts.engine.is_loading()).to_string()
        }),
        ("async_loading", |_| "0".into()),
        // Nothing is ever forked, so nothing is copied on write.
        ("current_cow_peak", |_| "0".into()),
        ("current_cow_size", |_| "0".into()),
        ("current_cow_size_age", |_| "0".into()),
        ("current_fork_perc", |_| "0.00".into()),
        ("current_save_keys_processed", |_| "0".into()),
        ("current_save_keys_total", |_| "0".into()),
        ("rdb_changes_since_last_save", |facts| {
            facts.engine.stats.sum(|lane| &lane.dirty).to_string()
        }),
        ("rdb_bgsave_in_progress", |_| "0".into()),
        ("rdb_last_save_time", |facts| {
            facts.engine.last_save().to_string()
        }),
        ("rdb_last_bgsave_status", |_| "ok".into()),
        ("rdb_last_bgsave_time_sec", |_| "-1".into()),
        ("rdb_current_bgsave_time_sec", |_| "-1".into()),
        ("rdb_saves", |_| "0".into()),
        ("rdb_last_cow_size", |_| "0".into()),
        ("rdb_last_load_keys_expired", |facts| {
            number(&facts.engine.loading.keys_expired)
        }),
        ("rdb_last_load_keys_loaded", |facts| {
            number(&facts.engine.loading.keys_loaded)
        }),
        ("aof_enabled", |facts| {
            u8::from(facts.config.appendonly).to_string()
        }),
        ("aof_rewrite_in_progress", |facts| {
            flag(&facts.engine.aof.is_rewriting)
        }),
        ("aof_rewrite_scheduled", |_| "0".into()),
        ("aof_last_rewrite_time_sec", |facts| {
            facts.engine.aof.last_rewrite_seconds().to_string()
        }),
        ("aof_current_rewrite_time_sec", |facts| {
            let seconds = facts.engine.aof.current_rewrite_seconds(facts.now_ms);
            seconds.to_string()
        }),
        ("aof_last_bgrewrite_status", |facts| {
            status(facts.engine.aof.has_rewrite_failed.load(Relaxed))
        }),
        ("aof_rewrites", |facts| number(&facts.engine.aof.rewrites)),
        ("aof_rewrites_consecutive_failures", |facts| {
            number(&facts.engine.aof.failed_rewrites)
        }),
        ("aof_last_write_status", |facts| {
            status(facts.engine.conditions() & condition::DISK_ERROR != 0)
        }),
        ("aof_last_cow_size", |_| "0".into()),
        ("module_fork_in_progress", |_| "0".into()),
        ("module_fork_last_cow_size", |_| "0".into()),
    ],
)
.with(more);

fn status(has_failed: bool) -> String {
    if has_failed { "err" } else { "ok" }.into()
}

fn flag(flag: &AtomicBool) -> String {
    u8::from(flag.load(Relaxed)).to_string()
}

fn number(number: &AtomicU64) -> String {
    number.load(Relaxed).to_string()
}

fn more(facts: &Facts<'_>, out: &mut String) {
    if facts.config.appendonly {
        append_only_file(facts, out);
    }
    if facts.engine.is_loading() {
        loading(facts, out);
    }
}

fn append_only_file(facts: &Facts<'_>, out: &mut String) {
    let aof = &facts.engine.aof;
    let waiting = aof.buffer_length.load(Relaxed) + facts.engine.journal.pending();
    for (name, value) in [
        ("aof_current_size", aof.current_size.load(Relaxed)),
        ("aof_base_size", aof.base_size.load(Relaxed)),
        ("aof_pending_rewrite", 0),
        ("aof_buffer_length", waiting),
        ("aof_pending_bio_fsync", aof.pending_syncs.load(Relaxed)),
        ("aof_delayed_fsync", aof.delayed_syncs.load(Relaxed)),
    ] {
        line(out, format_args!("{name}:{value}"));
    }
}

fn loading(facts: &Facts<'_>, out: &mut String) {
    let loading = &facts.engine.loading;
    let total = loading.total_bytes.load(Relaxed);
    let loaded = loading.loaded_bytes.load(Relaxed);
    let started = loading.started_ms.load(Relaxed);
    let elapsed = u64::try_from((facts.now_ms - started) / 1000).unwrap_or(0);
    let left = match elapsed {
        // Too early to tell.
        0 => 1,
        elapsed => elapsed * total.saturating_sub(loaded) / (loaded + 1),
    };
    line(out, format_args!("loading_start_time:{}", started / 1000));
    line(out, format_args!("loading_total_bytes:{total}"));
    let memory = loading.used_memory.load(Relaxed);
    line(out, format_args!("loading_rdb_used_mem:{memory}"));
    line(out, format_args!("loading_loaded_bytes:{loaded}"));
    let percent = loaded as f64 * 100.0 / total.max(1) as f64;
    line(out, format_args!("loading_loaded_perc:{percent:.2}"));
    line(out, format_args!("loading_eta_seconds:{left}"));
}
