//! INFO persistence.

use std::sync::atomic::Ordering::Relaxed;

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
        ("rdb_last_load_keys_expired", |_| "0".into()),
        ("rdb_last_load_keys_loaded", |_| "0".into()),
        ("aof_enabled", |facts| {
            u8::from(facts.config.appendonly).to_string()
        }),
        ("aof_rewrite_in_progress", |_| "0".into()),
        ("aof_rewrite_scheduled", |_| "0".into()),
        ("aof_last_rewrite_time_sec", |_| "-1".into()),
        ("aof_current_rewrite_time_sec", |_| "-1".into()),
        ("aof_last_bgrewrite_status", |_| "ok".into()),
        ("aof_rewrites", |_| "0".into()),
        ("aof_rewrites_consecutive_failures", |_| "0".into()),
        ("aof_last_write_status", |facts| write_status(facts).into()),
        ("aof_last_cow_size", |_| "0".into()),
        ("module_fork_in_progress", |_| "0".into()),
        ("module_fork_last_cow_size", |_| "0".into()),
    ],
)
.with(more);

fn write_status(facts: &Facts<'_>) -> &'static str {
    if facts.engine.conditions() & condition::DISK_ERROR == 0 {
        "ok"
    } else {
        "err"
    }
}

fn more(facts: &Facts<'_>, out: &mut String) {
    if facts.engine.is_loading() {
        loading(facts, out);
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
    line(out, format_args!("loading_rdb_used_mem:0"));
    line(out, format_args!("loading_loaded_bytes:{loaded}"));
    let percent = loaded as f64 * 100.0 / total.max(1) as f64;
    line(out, format_args!("loading_loaded_perc:{percent:.2}"));
    line(out, format_args!("loading_eta_seconds:{left}"));
}
