//! The thread that syncs under `everysec`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;
use std::time::Instant;

use super::super::disk::DiskFile;
use super::super::status::{AofStatus, LATE};
use crate::journal::Journal;

/// A sync under way.
struct Job {
    began: Instant,
    /// How often it was found to take too long.
    delays: u32,
}

/// The sync thread, as the writer sees it.
pub(super) struct Syncer {
    jobs: Sender<(Arc<dyn DiskFile>, u64)>,
    results: Receiver<(u64, io::Result<()>)>,
    present: Option<Job>,
}

/// What a sync has come to.
pub(super) struct Outcome {
    /// Records below this number were to be forced.
    pub number: u64,
    /// When it began: what was written later is not meant.
    pub began: Instant,
    /// Whether they were.
    pub result: io::Result<()>,
}

impl Syncer {
    /// Starts the thread, which rings the journal when it has done something. It ends when this is dropped.
    pub fn start<'s>(scope: &'s Scope<'s, '_>, journal: &'s Journal) -> Self {
        let (jobs, todo) = channel::<(Arc<dyn DiskFile>, u64)>();
        let (done, results) = channel();
        scope.spawn(move || {
            for (file, number) in todo {
                // The writer may have ended; then nobody needs the answer.
                let _ = done.send((number, file.sync()));
                journal.ring();
            }
        });
        Self {
            jobs,
            results,
            present: None,
        }
    }

    /// Whether a sync is under way, as far as the writer has heard.
    pub fn is_busy(&self) -> bool {
        self.present.is_some()
    }

    /// Has a file synced, unless a sync is still under way: then notes for how long.
    pub fn sync(&mut self, file: Arc<dyn DiskFile>, number: u64, status: &AofStatus) -> bool {
        if let Some(job) = &mut self.present {
            if job.began.elapsed() >= LATE * (job.delays + 1) {
                job.delays += 1;
                status.delayed_syncs.fetch_add(1, Relaxed);
                tracing::info!(
                    "Asynchronous AOF fsync is taking too long (disk is busy?). Replies to writes wait until it has ended."
                );
            }
            return false;
        }
        let began = Instant::now();
        let is_sent = self.jobs.send((file, number)).is_ok();
        self.present = is_sent.then_some(Job { began, delays: 0 });
        status.pending_syncs.store(u64::from(is_sent), Relaxed);
        is_sent
    }

    /// What the last sync has come to, if it has ended.
    pub fn outcome(&mut self, status: &AofStatus) -> Option<Outcome> {
        let (number, result) = self.results.try_recv().ok()?;
        status.pending_syncs.store(0, Relaxed);
        Some(Outcome {
            number,
            began: self.present.take()?.began,
            result,
        })
    }
}
