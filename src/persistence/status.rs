//! What INFO tells of the files that keep the data, and who is at work on them.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::base::clock::steady_ms;

/// What `everysec` promises: what is older than this is on disk.
pub(super) const LATE: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 2000 });

/// Facts about the append-only file, written by the threads that keep it and read by anybody.
#[derive(Debug, Default)]
pub struct AofStatus {
    /// Whether changes are to be logged (`aof_enabled`).
    pub is_on: AtomicBool,
    /// Bytes of all parts but what was appended to the present increment.
    settled: AtomicU64,
    /// Bytes appended to the present increment.
    appended: AtomicU64,
    /// Bytes of all parts after the last rewrite, or of the base loaded at start (`aof_base_size`).
    pub base_size: AtomicU64,
    /// Bytes that have been taken from the journal and not been written (`aof_buffer_length`); those still in the journal
    /// come on top.
    pub buffer_length: AtomicU64,
    /// Syncs under way in the background (`aof_pending_bio_fsync`).
    pub pending_syncs: AtomicU64,
    /// Syncs that were due and had to wait for the one before (`aof_delayed_fsync`).
    pub delayed_syncs: AtomicU64,
    /// Under `everysec` the time, by [`steady_ms`], since when something may wait to be synced; 0 for nothing.
    unsynced_since: AtomicU64,
    /// Whether the last write failed (`aof_last_write_status:err`).
    pub has_write_failed: AtomicBool,
    /// Whether the file was switched on and its first base is not complete yet.
    pub is_starting: AtomicBool,
    /// Whether something that could not be forced to the disk may be missing from the file, though later syncs succeeded: only
    /// a new base mends that.
    pub is_doubtful: AtomicBool,
    /// Whether a snapshot is being saved in the background: that, too, may keep the disk busy.
    pub is_saving: AtomicBool,
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
    /// Bytes of all parts (`aof_current_size`).
    pub fn current_size(&self) -> u64 {
        self.settled.load(Relaxed) + self.appended.load(Relaxed)
    }

    /// Notes that these bytes were appended.
    pub fn note_written(&self, bytes: u64) {
        self.appended.fetch_add(bytes, Relaxed);
    }

    /// Whether `everysec` has waited for the disk as long as it may: what is written now must be on disk before it is
    /// acknowledged, or else what is lost at a power cut could be older than promised.
    pub fn is_behind(&self) -> bool {
        let since = self.unsynced_since.load(Relaxed);
        since != 0 && steady_ms().saturating_sub(since) >= LATE.as_millis() as u64
    }

    /// Notes that something waits to be synced from now on, unless something does already.
    pub(super) fn note_unsynced(&self) {
        if self.unsynced_since.load(Relaxed) == 0 {
            self.note_unsynced_since(Instant::now());
        }
    }

    /// Notes that what waits to be synced has waited since this moment at most.
    pub(super) fn note_unsynced_since(&self, moment: Instant) {
        let age = moment.elapsed().as_millis() as u64;
        let since = steady_ms().saturating_sub(age).max(1);
        self.unsynced_since.store(since, Relaxed);
    }

    /// Notes that nothing waits to be synced.
    pub(super) fn forget_unsynced(&self) {
        self.unsynced_since.store(0, Relaxed);
    }

    /// Notes that what is appended from now on goes to a new increment.
    pub fn begin_increment(&self) {
        let appended = self.appended.swap(0, Relaxed);
        self.settled.fetch_add(appended, Relaxed);
    }

    /// Notes that so much was loaded, so much of it from the base.
    pub fn note_loaded(&self, bytes: u64, base: u64) {
        self.settled.store(bytes, Relaxed);
        self.appended.store(0, Relaxed);
        self.base_size.store(base, Relaxed);
    }

    /// Notes that there is a new base, and besides it only the present increment.
    pub fn note_base(&self, bytes: u64) {
        self.settled.store(bytes, Relaxed);
        self.base_size.store(self.current_size(), Relaxed);
    }

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

/// Work on files in the background. There is one at a time: both need a copy of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// A snapshot is saved.
    Save,
    /// The append-only file gets a new base.
    Rewrite,
}

/// Who is at work, and what is to be done next.
#[derive(Debug, Default)]
pub struct Jobs {
    /// 0 for nobody, else the job's number plus one.
    present: AtomicU8,
    /// A snapshot is to be saved as soon as nobody is at work.
    pub wants_save: AtomicBool,
    /// The append-only file is to be rewritten as soon as nobody is at work.
    pub wants_rewrite: AtomicBool,
    /// Whoever is at work should give up.
    pub gives_up: AtomicBool,
    /// The rewrite in progress is of a log that has been switched off: it gives up.
    pub is_rewrite_void: AtomicBool,
}

impl Jobs {
    /// The job in progress.
    pub fn present(&self) -> Option<Job> {
        match self.present.load(Relaxed) {
            0 => None,
            1 => Some(Job::Save),
            _ => Some(Job::Rewrite),
        }
    }

    /// Begins a job; false while another one is in progress.
    pub fn begin(&self, job: Job) -> bool {
        let number = job as u8 + 1;
        let begun = self.present.compare_exchange(0, number, Relaxed, Relaxed);
        if begun.is_ok() {
            self.gives_up.store(false, Relaxed);
            self.is_rewrite_void.store(false, Relaxed);
        }
        begun.is_ok()
    }

    /// Notes that the job has ended.
    pub fn end(&self) {
        self.present.store(0, Relaxed);
    }
}

/// Facts about snapshots.
#[derive(Debug)]
pub struct SnapshotStatus {
    /// When data was last saved, or else the server started, in Unix seconds.
    pub last_save: AtomicI64,
    /// When saving in the background was last tried, in Unix seconds.
    pub last_try: AtomicI64,
    /// Whether the last save in the background failed (`rdb_last_bgsave_status:err`).
    pub has_failed: AtomicBool,
    /// Snapshots begun (`rdb_saves`).
    pub saves: AtomicU64,
    /// Changes counted when the last save was cut.
    pub saved_changes: AtomicU64,
    /// When the present save in the background began, in Unix milliseconds; 0 for none.
    started_ms: AtomicI64,
    /// Milliseconds that the last one in the background took, plus one; 0 before the first.
    last_took: AtomicI64,
    /// Keys that the present copy has to write, and has written.
    pub keys_total: AtomicU64,
    /// See `keys_total`.
    pub keys_done: AtomicU64,
}

impl SnapshotStatus {
    /// Nothing has been saved yet.
    pub fn new(now_ms: i64) -> Self {
        Self {
            last_save: AtomicI64::new(now_ms / 1000),
            last_try: AtomicI64::new(0),
            has_failed: AtomicBool::new(false),
            saves: AtomicU64::new(0),
            saved_changes: AtomicU64::new(0),
            started_ms: AtomicI64::new(0),
            last_took: AtomicI64::new(0),
            keys_total: AtomicU64::new(0),
            keys_done: AtomicU64::new(0),
        }
    }

    /// Notes that a save in the background begins.
    pub fn begin(&self, now_ms: i64) {
        self.saves.fetch_add(1, Relaxed);
        self.last_try.store(now_ms / 1000, Relaxed);
        self.started_ms.store(now_ms, Relaxed);
    }

    /// Notes that a save in the background has ended; one that was given up is neither a success nor a failure.
    pub fn end(&self, now_ms: i64, succeeded: Option<bool>) {
        let started = self.started_ms.swap(0, Relaxed);
        self.last_took.store((now_ms - started).max(0) + 1, Relaxed);
        if let Some(succeeded) = succeeded {
            self.has_failed.store(!succeeded, Relaxed);
        }
    }

    /// Notes that the data is saved, as it was when so many changes had been counted.
    pub fn note_saved(&self, now_ms: i64, changes: u64) {
        self.last_save.store(now_ms / 1000, Relaxed);
        self.saved_changes.store(changes, Relaxed);
        self.has_failed.store(false, Relaxed);
    }

    /// Whether a save in the background is in progress (`rdb_bgsave_in_progress`).
    pub fn is_saving(&self) -> bool {
        self.started_ms.load(Relaxed) != 0
    }

    /// Seconds that the last one took, or -1 before the first (`rdb_last_bgsave_time_sec`).
    pub fn last_seconds(&self) -> i64 {
        match self.last_took.load(Relaxed) {
            0 => -1,
            ms => (ms - 1) / 1000,
        }
    }

    /// Seconds that the present one has taken, or -1 (`rdb_current_bgsave_time_sec`).
    pub fn current_seconds(&self, now_ms: i64) -> i64 {
        match self.started_ms.load(Relaxed) {
            0 => -1,
            started => (now_ms - started).max(0) / 1000,
        }
    }
}
