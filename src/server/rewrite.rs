//! Rewriting the append-only file of a running server, and starting one where there is data already.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Result;

use super::Server;
use super::files::{Log, cut, stop};
use super::rdb::preamble;
use crate::base::clock::unix_ms;
use crate::engine::Engine;
use crate::persistence::{Base, Folder, Job, Rewritten, Source, write_base};

/// How often it is looked, during a wait, whether the work is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// BGREWRITEAOF, with the job begun. The log may be off: then there is just a new base.
pub(super) fn rewrite(server: &Arc<Server>) -> Result<()> {
    let _turn = loop {
        if let Some(turn) = server.files.turn.try_lock_for(LOOK) {
            break turn;
        }
        let jobs = &server.engine.jobs;
        if server.files.waits_for_job.load(Relaxed) || jobs.gives_up.load(Relaxed) {
            // Whoever has the turn may need this job to end.
            jobs.wants_rewrite.store(true, Relaxed);
            return Ok(());
        }
    };
    let folder = server.files.folder(server);
    let helm = server.files.log.lock().as_ref().map(|log| log.helm.clone());
    noted(server, || match helm {
        Some(helm) => {
            let data = Data::of(server, &folder);
            let rewritten = folder.rewrite(&helm, &server.engine.journal, &data)?;
            server.engine.aof.note_base(rewritten.size);
            clean_up(server, &folder, rewritten);
            Ok(())
        }
        None => {
            let rewritten = folder.rewrite_alone(&Data::of(server, &folder))?;
            clean_up(server, &folder, rewritten);
            Ok(())
        }
    })
}

/// Starts the log of a server that has data already: a base of this moment, and all that is written from now on.
pub(super) fn start(server: &Arc<Server>, folder: &Folder) -> Result<()> {
    let jobs = &server.engine.jobs;
    server.await_job(Job::Rewrite, &|| server.engine.aof.is_on.load(Relaxed))?;
    let started = noted(server, || start_with_base(server, folder));
    jobs.end();
    if started.is_err() {
        stop(server);
        for name in ["base", "incr"] {
            // It may not have been made at all.
            let _ = folder.disk().remove(&folder.temporary(name));
        }
    }
    started
}

fn start_with_base(server: &Arc<Server>, folder: &Folder) -> Result<()> {
    let engine = &server.engine;
    engine.aof.note_loaded(0, 0);
    let opens = || engine.journal.set_open(true);
    let rewritten = folder.begin(&Data::of(server, folder), &opens, |file| {
        let log = Log::start(server, file, engine.journal.next_number())?;
        *server.files.log.lock() = Some(log);
        Ok(())
    })?;
    if let Some(log) = &mut *server.files.log.lock() {
        log.is_complete = true;
    }
    engine.aof.note_base(rewritten.size);
    clean_up(server, folder, rewritten);
    Ok(())
}

/// Does it, and notes for INFO how that went.
fn noted(server: &Server, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let aof = &server.engine.aof;
    aof.begin_rewrite(unix_ms());
    tracing::info!(
        "Background append only file rewriting started by pid {}",
        server.engine.identity.pid
    );
    let result = work();
    aof.end_rewrite(unix_ms(), result.is_ok());
    match &result {
        Ok(()) => tracing::info!("Background AOF rewrite finished successfully"),
        Err(error) => tracing::warn!("Background AOF rewrite terminated with error: {error:#}"),
    }
    result
}

/// The data of a server, for a base.
pub(super) struct Data<'s> {
    server: &'s Server,
    folder: &'s Folder,
    /// Whether the log was wanted when the work began.
    was_on: bool,
    is_rdb: bool,
}

impl<'s> Data<'s> {
    pub fn of(server: &'s Server, folder: &'s Folder) -> Self {
        let was_on = server.engine.aof.is_on.load(Relaxed);
        Self {
            server,
            folder,
            was_on,
            is_rdb: server.engine.config.load().aof_use_rdb_preamble,
        }
    }
}

impl Source for Data<'_> {
    fn write(&self, path: &Path, meanwhile: &dyn Fn()) -> Result<u64> {
        let engine = &self.server.engine;
        let base = Arc::new(base(engine, self.is_rdb));
        let snapshot = cut(self.server, &base, meanwhile)?;
        let goes_on = |keys| self.server.pace(keys, &|| self.is_wanted());
        let disk = self.folder.disk();
        Ok(write_base(disk, path, snapshot, &base, &goes_on)?)
    }

    fn is_rdb(&self) -> bool {
        self.is_rdb
    }

    fn is_wanted(&self) -> bool {
        let engine = &self.server.engine;
        engine.aof.is_on.load(Relaxed) == self.was_on && !engine.jobs.gives_up.load(Relaxed)
    }
}

/// What a base is gathered in.
fn base(engine: &Engine, is_rdb: bool) -> Base {
    let config = engine.config.load();
    if is_rdb {
        return Base::rdb(preamble(engine, &config, true), config.rdbchecksum);
    }
    let base = Base::commands();
    if config.aof_timestamp_enabled {
        base.annotate(unix_ms() / 1000);
    }
    base
}

/// CONFIG SET aof-disable-auto-gc no: what has been kept until now goes. A rewrite in progress sees to it at its end.
pub(super) fn collect_garbage(server: &Arc<Server>) {
    let Some(turn) = server.files.turn.try_lock() else {
        return;
    };
    let folder = server.files.folder(server);
    if !folder.exists() {
        return;
    }
    match folder.forget_history() {
        Ok(parts) if !parts.is_empty() => {
            // To remove large files takes time, and the caller is alone behind the gate.
            drop(std::thread::spawn(move || folder.remove_files(&parts)));
        }
        Ok(_) => {}
        Err(error) => tracing::warn!("Old parts of the append-only file stay: {error}"),
    }
    drop(turn);
}

/// Old parts are no longer needed. That they stay where they cannot be removed does no harm.
fn clean_up(server: &Server, folder: &Folder, rewritten: Rewritten) {
    if server.engine.config.load().aof_disable_auto_gc {
        return;
    }
    let mut manifest = rewritten.manifest;
    if let Err(error) = folder.remove_history(&mut manifest) {
        tracing::warn!("Old parts of the append-only file stay: {error}");
    }
}
