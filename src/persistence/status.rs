//! What INFO tells of the append-only file.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

/// Facts about the append-only file, written by the threads that keep it and read by anybody.
#[derive(Debug, Default)]
pub struct AofStatus {
    /// Whether changes are to be logged (`aof_enabled`).
    pub is_on: AtomicBool,
    /// Bytes of all parts (`aof_current_size`).
    pub current_size: AtomicU64,
    /// Bytes of all parts after the last rewrite, or of the base loaded at start (`aof_base_size`).
    pub base_size: AtomicU64,
    /// Bytes that have been taken from the journal and not been written (`aof_buffer_length`); those still in the journal
    /// come on top.
    pub buffer_length: AtomicU64,
    /// Syncs under way in the background (`aof_pending_bio_fsync`).
    pub pending_syncs: AtomicU64,
    /// Syncs that were due and had to wait for the one before (`aof_delayed_fsync`).
    pub delayed_syncs: AtomicU64,
    /// Whether the last write failed (`aof_last_write_status:err`).
    pub has_write_failed: AtomicBool,
    /// Whether a new base is being written (`aof_rewrite_in_progress`).
    pub is_rewriting: AtomicBool,
    /// Whether the last new base failed (`aof_last_bgrewrite_status:err`).
    pub has_rewrite_failed: AtomicBool,
    /// New bases begun (`aof_rewrites`).
    pub rewrites: AtomicU64,
    /// Failures since the last success (`aof_rewrites_consecutive_failures`).
    pub failed_rewrites: AtomicU64,
    /// When the present rewrite began, in Unix milliseconds.
    pub rewrite_started_ms: AtomicI64,
    /// Milliseconds that the last rewrite took, plus one; 0 before the first.
    last_rewrite: AtomicI64,
}

impl AofStatus {
    /// Seconds that the last rewrite took, or -1 before the first (`aof_last_rewrite_time_sec`).
    pub fn last_rewrite_seconds(&self) -> i64 {
        match self.last_rewrite.load(Relaxed) {
            0 => -1,
            ms => (ms - 1) / 1000,
        }
    }

    /// Seconds that the present rewrite has taken, or -1 (`aof_current_rewrite_time_sec`).
    pub fn current_rewrite_seconds(&self, now_ms: i64) -> i64 {
        if self.is_rewriting.load(Relaxed) {
            (now_ms - self.rewrite_started_ms.load(Relaxed)).max(0) / 1000
        } else {
            -1
        }
    }

    /// Notes that a rewrite begins.
    pub fn begin_rewrite(&self, now_ms: i64) {
        self.rewrites.fetch_add(1, Relaxed);
        self.rewrite_started_ms.store(now_ms, Relaxed);
        self.is_rewriting.store(true, Relaxed);
    }

    /// Notes that it has ended.
    pub fn end_rewrite(&self, now_ms: i64, succeeded: bool) {
        let started = self.rewrite_started_ms.load(Relaxed);
        self.last_rewrite
            .store((now_ms - started).max(0) + 1, Relaxed);
        self.has_rewrite_failed.store(!succeeded, Relaxed);
        if succeeded {
            self.failed_rewrites.store(0, Relaxed);
        } else {
            self.failed_rewrites.fetch_add(1, Relaxed);
        }
        self.is_rewriting.store(false, Relaxed);
    }
}
