//! Work on files in the background: snapshots and rewrites, asked for by commands, by `save` rules or by growth.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Server;
use super::files::cut;
use super::rdb::preamble;
use super::rewrite::rewrite;
use crate::base::clock::unix_ms;
use crate::config::Config;
use crate::engine::{Engine, condition};
use crate::persistence::{Base, Job, RealDisk, save_base};

/// Seconds before saving is tried again after a failure.
const RETRY_SAVE: i64 = 5;
/// Failures after which rewriting by itself is put off, and the longest time for which it is.
const FAILURES_ALLOWED: u64 = 3;
const LONGEST_DELAY_MINUTES: i64 = 60;
/// How often it is looked during a delay whether the work is still wanted.
const LOOK: Duration = Duration::from_millis(5);

/// When rewriting by itself is put off after failures.
#[derive(Default)]
pub(super) struct Backoff {
    minutes: AtomicI64,
    until: AtomicI64,
}

impl Backoff {
    /// Whether to wait on, after so many failures in a row, at this second.
    fn holds(&self, failures: u64, now: i64) -> bool {
        if failures < FAILURES_ALLOWED {
            self.minutes.store(0, Relaxed);
            self.until.store(0, Relaxed);
            return false;
        }
        let until = self.until.load(Relaxed);
        if until != 0 {
            let holds = now < until;
            if !holds {
                self.until.store(0, Relaxed);
            }
            return holds;
        }
        let minutes = (self.minutes.load(Relaxed) * 2).clamp(1, LONGEST_DELAY_MINUTES);
        self.minutes.store(minutes, Relaxed);
        self.until.store(now + minutes * 60, Relaxed);
        tracing::warn!(
            "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {minutes} minutes"
        );
        true
    }
}

/// Begins what is due. Called every now and then by one worker.
pub(super) fn tick(server: &Arc<Server>) {
    let engine = &server.engine;
    if engine.jobs.present().is_some() || engine.is_loading() || engine.is_shutting_down() {
        return;
    }
    let (jobs, config, now) = (&engine.jobs, engine.config.load(), unix_ms() / 1000);
    let is_held = |server: &Server| {
        let failures = engine.aof.failed_rewrites.load(Relaxed);
        server.backoff.holds(failures, now)
    };
    let snapshots = &engine.snapshots;
    let may_save =
        !snapshots.has_failed.load(Relaxed) || now - snapshots.last_try.load(Relaxed) > RETRY_SAVE;
    if engine.aof.is_doubtful.swap(false, Relaxed) {
        jobs.wants_rewrite.store(true, Relaxed);
    }
    if jobs.wants_rewrite.load(Relaxed) && !is_held(server) {
        start(server, Job::Rewrite);
    } else if may_save && let Some(reason) = due_rule(engine, &config, now) {
        tracing::info!("{reason}. Saving...");
        start(server, Job::Save);
    } else if let Some(growth) = grown(engine, &config)
        && !is_held(server)
    {
        tracing::info!("Starting automatic rewriting of AOF on {growth}% growth");
        start(server, Job::Rewrite);
    } else if may_save && jobs.wants_save.load(Relaxed) {
        start(server, Job::Save);
    }
}

/// The `save` rule that is fulfilled.
fn due_rule(engine: &Engine, config: &Config, now: i64) -> Option<String> {
    let changes = engine.unsaved_changes();
    let seconds = now - engine.snapshots.last_save.load(Relaxed);
    let due = config
        .save
        .iter()
        .find(|rule| changes >= rule.changes && seconds > rule.seconds.cast_signed())?;
    Some(format!(
        "{} changes in {} seconds",
        due.changes, due.seconds
    ))
}

/// By how many percent the append-only file has grown, if that is enough to rewrite it.
fn grown(engine: &Engine, config: &Config) -> Option<u64> {
    let (size, percentage) = (
        engine.aof.current_size(),
        config.auto_aof_rewrite_percentage,
    );
    let is_logging = engine.journal.is_open() && !engine.aof.is_starting.load(Relaxed);
    if !is_logging || percentage == 0 || size <= config.auto_aof_rewrite_min_size {
        return None;
    }
    let base = engine.aof.base_size.load(Relaxed).max(1);
    let growth = (u128::from(size) * 100 / u128::from(base)).saturating_sub(100);
    (growth >= percentage.into()).then_some(u64::try_from(growth).unwrap_or(u64::MAX))
}

fn start(server: &Arc<Server>, job: Job) {
    if server.engine.jobs.begin(job) {
        run(server, job);
    }
}

/// Does a job that has begun, on a thread of its own.
pub(super) fn run(server: &Arc<Server>, job: Job) {
    let own = server.clone();
    let work = move || {
        match job {
            Job::Save => save_in_background(&own),
            // The reason has been logged.
            Job::Rewrite => drop(rewrite(&own)),
        }
        own.engine.jobs.end();
    };
    let jobs = &server.engine.jobs;
    match job {
        Job::Save => jobs.wants_save.store(false, Relaxed),
        Job::Rewrite => jobs.wants_rewrite.store(false, Relaxed),
    }
    let name = match job {
        Job::Save => "save",
        Job::Rewrite => "rewrite",
    };
    if let Err(error) = std::thread::Builder::new().name(name.into()).spawn(work) {
        tracing::error!("Background work cannot be started: {error}");
        jobs.end();
    }
}

fn save_in_background(server: &Server) {
    let (engine, snapshots) = (&server.engine, &server.engine.snapshots);
    if engine.is_loading() {
        // What is loaded only in part must not replace what there was. Whoever loads may wait for this job to end.
        return engine.jobs.wants_save.store(true, Relaxed);
    }
    snapshots.begin(unix_ms());
    tracing::info!("Background saving started by pid {}", engine.identity.pid);
    engine.aof.is_saving.store(true, Relaxed);
    let saved = save(server, &|| true);
    engine.aof.is_saving.store(false, Relaxed);
    let given_up = saved.is_err() && engine.jobs.gives_up.load(Relaxed);
    snapshots.end(unix_ms(), (!given_up).then_some(saved.is_ok()));
    match saved {
        Ok(()) => tracing::info!("Background saving terminated with success"),
        Err(_) if given_up => tracing::warn!("Background saving given up: it is no longer wanted"),
        Err(error) => tracing::warn!("Background saving error: {error:#}"),
    }
    engine.set_condition(
        condition::SNAPSHOT_ERROR,
        snapshots.has_failed.load(Relaxed),
    );
}

/// Saves the data as of now to the snapshot file, unless that is no longer wanted.
pub(super) fn save(server: &Server, is_wanted: &dyn Fn() -> bool) -> Result<()> {
    let engine = &server.engine;
    let config = engine.config.snapshot();
    let path = config.dir.file(&config.dbfilename);
    let temporary = temporary_file(engine, &config);
    let base = Base::rdb(preamble(engine, &config, false), config.rdbchecksum);
    let base = Arc::new(base);
    let changes = AtomicU64::new(0);
    let goes_on = |keys| server.pace(keys, is_wanted);
    let snapshot = cut(server, &base, &|| {
        changes.store(engine.stats.sum(|lane| &lane.dirty), Relaxed);
    })?;
    let paths = [path.as_path(), temporary.as_path()];
    save_base(&RealDisk, paths, snapshot, &base, &goes_on)?;
    tracing::info!("DB saved on disk");
    engine
        .snapshots
        .note_saved(unix_ms(), changes.load(Relaxed));
    engine.set_condition(condition::SNAPSHOT_ERROR, false);
    Ok(())
}

/// Where a snapshot is until it is complete.
pub(super) fn temporary_file(engine: &Engine, config: &Config) -> PathBuf {
    let name = format!("temp-{}.rdb", engine.identity.pid);
    config.dir.file(&name)
}

impl Server {
    /// Notes that so many keys have been copied, and slows the copy down as tests ask for; false when it is no longer wanted.
    pub(super) fn pace(&self, keys: u64, is_wanted: &dyn Fn() -> bool) -> bool {
        let snapshots = &self.engine.snapshots;
        let done = snapshots.keys_done.swap(keys, Relaxed);
        let fresh = keys.saturating_sub(done);
        let goes_on = || is_wanted() && !self.engine.jobs.gives_up.load(Relaxed);
        let begun = Instant::now();
        // Asked for anew each time: whoever takes the delay back need not sit it out.
        loop {
            let left = self.delay_of(fresh).saturating_sub(begun.elapsed());
            if left.is_zero() || !goes_on() {
                return goes_on();
            }
            sleep(left.min(LOOK));
        }
    }

    /// How long the copying of so many keys is to take at least.
    fn delay_of(&self, keys: u64) -> Duration {
        let delay = i64::from(self.engine.config.load().rdb_key_save_delay);
        Duration::from_micros(match delay {
            0.. => keys.saturating_mul(delay.unsigned_abs()),
            _ => keys / delay.unsigned_abs(),
        })
    }

    /// Begins a job as soon as nobody else is at work, unless it is no longer wanted before.
    pub(super) fn await_job(&self, job: Job, is_wanted: &dyn Fn() -> bool) -> Result<()> {
        let (jobs, waits) = (&self.engine.jobs, &self.files.waits_for_job);
        while !jobs.begin(job) {
            // Said again each time: another one that waited may have taken it back.
            waits.store(true, Relaxed);
            if !is_wanted() {
                waits.store(false, Relaxed);
                bail!("no longer wanted");
            }
            sleep(LOOK);
        }
        waits.store(false, Relaxed);
        Ok(())
    }

    /// Keeps all others from working on files in the background; whoever does now gives up. False when a script that takes
    /// long is in the way of that: it may never end.
    pub(super) fn stop_jobs(&self) -> bool {
        let jobs = &self.engine.jobs;
        while !jobs.begin(Job::Save) {
            jobs.gives_up.store(true, Relaxed);
            if self.engine.keyspace.gate().is_stuck() {
                let engine = &self.engine;
                // There is none unless a snapshot is being saved.
                let _ = std::fs::remove_file(temporary_file(engine, &engine.config.load()));
                return false;
            }
            sleep(LOOK);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_put_rewriting_off_for_ever_longer() {
        let backoff = Backoff::default();
        assert!(!backoff.holds(2, 1000));
        assert!(backoff.holds(3, 1000), "a minute from the third on");
        assert!(backoff.holds(3, 1059));
        assert!(!backoff.holds(3, 1060));
        assert!(backoff.holds(4, 1060), "then two");
        assert!(backoff.holds(4, 1179));
        assert!(!backoff.holds(4, 1180));
        for _ in 0..10 {
            backoff.holds(5, i64::MAX / 2);
            backoff.until.store(0, Relaxed);
        }
        assert_eq!(backoff.minutes.load(Relaxed), LONGEST_DELAY_MINUTES);
        assert!(!backoff.holds(0, 1180));
        assert_eq!(backoff.minutes.load(Relaxed), 0);
    }
}
