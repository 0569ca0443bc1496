//! INFO persistence.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Facts, Section, line};
use crate::engine::{Engine, condition};
use crate::persistence::Job;

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
        ("current_fork_perc", |facts| {
            let snapshots = &facts.engine.snapshots;
            let (done, total) = (&snapshots.keys_done, &snapshots.keys_total);
            let total = total.load(Relaxed).max(1) as f64;
            let share = match facts.engine.jobs.present() {
                Some(_) => done.load(Relaxed) as f64 / total,
                None => 0.0,
            };
            format!("{:.2}", share * 100.0)
        }),
        ("current_save_keys_processed", |facts| {
            of_copy(facts, &facts.engine.snapshots.keys_done)
        }),
        ("current_save_keys_total", |facts| {
            of_copy(facts, &facts.engine.snapshots.keys_total)
        }),
        ("rdb_changes_since_last_save", |facts| {
            facts.engine.unsaved_changes().to_string()
        }),
        ("rdb_bgsave_in_progress", |facts| {
            let saves = facts.engine.jobs.present() == Some(Job::Save);
            u8::from(saves).to_string()
        }),
        ("rdb_last_save_time", |facts| {
            facts.engine.last_save().to_string()
        }),
        ("rdb_last_bgsave_status", |facts| {
            status(facts.engine.snapshots.has_failed.load(Relaxed))
        }),
        ("rdb_last_bgsave_time_sec", |facts| {
            facts.engine.snapshots.last_seconds().to_string()
        }),
        ("rdb_current_bgsave_time_sec", |facts| {
            let seconds = facts.engine.snapshots.current_seconds(facts.now_ms);
            seconds.to_string()
        }),
        ("rdb_saves", |facts| number(&facts.engine.snapshots.saves)),
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
            let engine = facts.engine;
            let is_starting = engine.aof.is_starting.load(Relaxed);
            let rewrites = engine.jobs.present() == Some(Job::Rewrite);
            u8::from(rewrites || (is_starting && !waits_for_save(engine))).to_string()
        }),
        ("aof_rewrite_scheduled", |facts| {
            let waits = facts.engine.aof.is_starting.load(Relaxed) && waits_for_save(facts.engine);
            let is_wanted = facts.engine.jobs.wants_rewrite.load(Relaxed);
            u8::from(is_wanted || waits).to_string()
        }),
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

/// Whether a snapshot that is being saved keeps a rewrite waiting.
fn waits_for_save(engine: &Engine) -> bool {
    engine.jobs.present() == Some(Job::Save)
}

/// A figure of the copy in progress; 0 when there is none.
fn of_copy(facts: &Facts<'_>, figure: &AtomicU64) -> String {
    match facts.engine.jobs.present() {
        Some(_) => number(figure),
        None => "0".into(),
    }
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
        ("aof_current_size", aof.current_size()),
        ("aof_base_size", aof.base_size.load(Relaxed)),
        (
            "aof_pending_rewrite",
            facts.engine.jobs.wants_rewrite.load(Relaxed).into(),
        ),
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
