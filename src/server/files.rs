//! The files of a running server: loading them at the start, switching the append-only file on and off, completing it at
//! the end.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::mpsc::{Sender, channel};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use super::replay::Replay;
use super::{Server, rdb, rewrite};
use crate::base::clock::unix_ms;
use crate::config::Config;
use crate::engine::condition;
use crate::keyspace::Snapshot;
use crate::persistence::{
    Audience, Base, Folder, Helm, Job, LogFile, Manifest, Order, Shown, Wiring, Writer, load,
    total_size,
};

/// Time before a base that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// How often it is looked meanwhile whether the append-only file is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// The append-only file of a server.
#[derive(Default)]
pub(super) struct Files {
    /// What is being written, while anything is.
    pub log: Mutex<Option<Log>>,
    /// The same, for workers that write to it.
    pub shared: ArcSwapOption<SharedLog>,
    /// Where the file shall be when it is wanted.
    folder: Mutex<Option<Folder>>,
    /// Held by whoever starts, stops, rewrites or reloads.
    pub turn: Mutex<()>,
    /// Whether somebody waits for the job in progress to end, perhaps with the turn.
    pub waits_for_job: AtomicBool,
}

impl Files {
    pub fn folder(&self, server: &Server) -> Folder {
        let folder = self.folder.lock().clone();
        folder.unwrap_or_else(|| Folder::of(&server.engine.config.load()))
    }
}

/// What workers need to put records on the disk.
pub(super) struct SharedLog {
    pub writer: Writer,
    switch_at: Arc<AtomicU64>,
}

impl SharedLog {
    pub fn wiring<'w>(&'w self, server: &'w Server) -> Wiring<'w> {
        Wiring {
            journal: &server.engine.journal,
            config: &server.engine.config,
            status: &server.engine.aof,
            audience: server,
            switch_at: &self.switch_at,
        }
    }
}

/// A log being written.
pub(super) struct Log {
    pub helm: Helm,
    thread: JoinHandle<()>,
    /// Whether the files can be loaded already: not before the first base is complete.
    pub is_complete: bool,
}

impl Log {
    /// Starts a writer that appends records from `first` on to a file.
    pub fn start(server: &Arc<Server>, file: LogFile, first: u64) -> io::Result<Self> {
        let (orders, inbox) = channel();
        let switch_at = Arc::new(AtomicU64::new(u64::MAX));
        let shared = Arc::new(SharedLog {
            writer: Writer::new(file, first, inbox),
            switch_at: switch_at.clone(),
        });
        let (own, log) = (server.clone(), shared.clone());
        let write = move || {
            let run = || log.writer.run(log.wiring(&own));
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                own.trouble(Some("the writer has failed".into()));
                own.wake_holders();
            }
        };
        let thread = std::thread::Builder::new().name("aof-writer".into());
        let thread = thread.spawn(write)?;
        server.files.shared.store(Some(shared));
        Ok(Self {
            helm: Helm { orders, switch_at },
            thread,
            is_complete: false,
        })
    }
}

/// Sends the writer an order that has an answer, and waits for it.
fn ask(
    server: &Server,
    orders: &Sender<Order>,
    order: fn(Sender<Result<(), String>>) -> Order,
) -> Result<()> {
    let (answer, answered) = channel();
    let gone = || anyhow!("the writer has ended");
    orders.send(order(answer)).map_err(|_| gone())?;
    server.engine.journal.ring();
    answered
        .recv()
        .map_err(|_| gone())?
        .map_err(|reason| anyhow!(reason))
}

/// Before clients are served: with files to load, nothing but their loading may change the data.
pub(super) fn prepare(server: &Server) {
    let config = server.engine.config.load();
    if config.appendonly {
        server.engine.aof.is_on.store(true, Relaxed);
    }
    if config.appendonly || rdb::has_file(&config) {
        server.engine.set_condition(condition::LOADING, true);
    }
}

/// Loads the data at the start and goes on writing where it ends.
pub(super) fn load_at_start(server: &Arc<Server>) -> Result<()> {
    let config = server.engine.config.snapshot();
    if !config.appendonly {
        return rdb::load_at_start(server, &config);
    }
    let folder = Folder::of(&config);
    let Some(mut manifest) = load_data(server, &folder, &config)? else {
        // The server was told to end meanwhile.
        return Ok(());
    };
    if manifest.is_empty() && rdb::has_file(&config) {
        // As in Redis 7: with the log switched on, only the log counts.
        let name = &config.dbfilename;
        tracing::warn!(
            "There is a snapshot file {name}, but it is not loaded, since appendonly is on and there is no append-only file. To \
             take it over: start with 'appendonly no', then CONFIG SET appendonly yes."
        );
    }
    let file = open_log(server, &folder, &mut manifest)?;
    let engine = &server.engine;
    let mut log = Log::start(server, file, engine.journal.next_number())
        .context("starting the writer of the append-only file")?;
    log.is_complete = true;
    *server.files.log.lock() = Some(log);
    *server.files.folder.lock() = Some(folder);
    let alone = engine.keyspace.gate().alone();
    engine.journal.set_open(true);
    engine.set_condition(condition::LOADING, false);
    drop(alone);
    Ok(())
}

/// Loads what the folder has; `None` when the server was told to end meanwhile.
fn load_data(server: &Arc<Server>, folder: &Folder, config: &Config) -> Result<Option<Manifest>> {
    let engine = &server.engine;
    let manifest_name = folder.manifest_name();
    let mut manifest = folder
        .read_manifest()
        .with_context(|| format!("Fatal error in the AOF manifest file {manifest_name}"))?;
    if folder.has_single_file(&manifest) {
        folder.adopt_single_file(&mut manifest).with_context(|| {
            format!(
                "Error moving the old AOF file {} into its directory",
                folder.file_name
            )
        })?;
    }
    let total = total_size(folder, &manifest)?;
    engine.loading.started_ms.store(unix_ms(), Relaxed);
    engine.loading.total_bytes.store(total, Relaxed);
    engine.loading.loaded_bytes.store(0, Relaxed);
    let mut replay = Replay::new(server);
    match load(folder, &manifest, config.aof_load_truncated, &mut replay) {
        Err(_) if server.exit.is_ending() => return Ok(None),
        loaded => {
            let loaded = loaded?;
            engine.aof.note_loaded(loaded.bytes, loaded.base_bytes);
        }
    }
    replay.report();
    Ok(Some(manifest))
}

/// Opens the increment to go on with.
fn open_log(server: &Server, folder: &Folder, manifest: &mut Manifest) -> Result<LogFile> {
    folder.create().with_context(|| {
        format!(
            "Can't open or create append-only dir for {}",
            folder.file_name
        )
    })?;
    let (file, base) = folder.open(manifest, &rewrite::Data::of(server, folder))?;
    if let Some(size) = base {
        server.engine.aof.note_loaded(size, size);
    }
    Ok(file)
}

/// Begins a copy of the data as of now; `meanwhile` is done at the same moment.
pub(super) fn cut<'s>(
    server: &'s Server,
    base: &Arc<Base>,
    meanwhile: &dyn Fn(),
) -> Result<Snapshot<'s>> {
    let engine = &server.engine;
    let keep = Arc::new(Shown(base.clone()));
    let alone = engine.keyspace.gate().alone();
    for code in engine.functions.libraries() {
        base.library(&code);
    }
    let started = Instant::now();
    let snapshot = engine
        .keyspace
        .cut(&alone, engine.background_lane(), keep)
        .context("another copy of the data is being written")?;
    let databases = 0..engine.keyspace.databases();
    let keys: usize = databases
        .map(|database| engine.keyspace.len(database))
        .sum();
    engine.snapshots.keys_total.store(keys as u64, Relaxed);
    engine.snapshots.keys_done.store(0, Relaxed);
    meanwhile();
    let held = started.elapsed();
    drop(alone);
    tracing::debug!("The cut held up everybody for {held:?}");
    Ok(snapshot)
}

/// CONFIG SET appendonly: takes effect in the background. The caller is alone behind the gate.
pub(super) fn switch(server: &Arc<Server>, config: &Config) -> Result<(), String> {
    if config.appendonly {
        let mut known = server.files.folder.lock();
        let folder = Folder::of(config).following(known.as_ref());
        folder.create().map_err(|error| {
            tracing::warn!("Can't open or create append-only dir: {error}");
            "Unable to turn on AOF. Check server logs.".to_owned()
        })?;
        *known = Some(folder);
    }
    let aof = &server.engine.aof;
    aof.is_on.store(config.appendonly, SeqCst);
    if !config.appendonly && server.engine.jobs.present() == Some(Job::Rewrite) {
        tracing::info!("Killing running AOF rewrite child: what it makes is no longer wanted");
        server.engine.jobs.is_rewrite_void.store(true, Relaxed);
    }
    if config.appendonly {
        // Whoever asks from now on is told that a base is being written, though the thread may not have begun, or may yet stop a
        // log that was switched off before.
        aof.is_starting.store(true, SeqCst);
        let is_off = server.files.log.try_lock().is_some_and(|log| log.is_none());
        if is_off && server.engine.jobs.present().is_some() {
            tracing::warn!(
                "AOF was enabled but there is already another background operation. An AOF background was scheduled to start \
                 when possible."
            );
        }
    }
    let server = server.clone();
    std::thread::spawn(move || settle(&server));
    Ok(())
}

/// Starts or stops the log until that is how it is wanted.
fn settle(server: &Arc<Server>) {
    let _turn = server.files.turn.lock();
    let aof = &server.engine.aof;
    let is_wanted = || aof.is_on.load(SeqCst);
    loop {
        let is_running = server.files.log.lock().is_some();
        match (is_wanted(), is_running) {
            (true, false) => {
                let Err(error) = rewrite::start(server, &server.files.folder(server)) else {
                    continue;
                };
                if is_wanted() {
                    tracing::error!("The append-only file could not be started: {error:#}");
                    let mut waited = Duration::ZERO;
                    while is_wanted() && waited < RETRY {
                        sleep(LOOK);
                        waited += LOOK;
                    }
                }
            }
            (false, true) => stop(server),
            _ => {
                aof.is_starting.store(false, SeqCst);
                if is_wanted() == is_running {
                    return server.wake_holders();
                }
                // Switched meanwhile: what was said of it before has just been taken back.
                aof.is_starting.store(is_wanted(), SeqCst);
            }
        }
    }
}

/// Stops the log: what was appended before is written, and nobody waits for the disk any longer.
pub(super) fn stop(server: &Server) {
    let engine = &server.engine;
    let alone = engine.keyspace.gate().alone();
    engine.journal.set_open(false);
    drop(alone);
    let Some(log) = server.files.log.lock().take() else {
        return;
    };
    if let Err(error) = ask(server, &log.helm.orders, Order::Close) {
        tracing::error!("The append-only file is incomplete: {error}");
    }
    // A writer that panicked has been logged.
    let _ = log.thread.join();
    server.files.shared.store(None);
    engine.journal.clear();
    engine.aof.has_write_failed.store(false, Relaxed);
    server.trouble(None);
    let end = engine.journal.next_number();
    server.reached(end, engine.synced.load(SeqCst));
    server.wake_holders();
    tracing::info!("The append-only file is switched off");
}

/// DEBUG LOADAOF: what is in memory gives way to what the files hold. The caller has not passed the gate.
pub(super) fn reload(server: &Arc<Server>) -> Result<()> {
    let _turn = server.files.turn.lock();
    let engine = &server.engine;
    let alone = engine.keyspace.gate().alone();
    // Not before everybody has left: see DEBUG RELOAD.
    engine.set_condition(condition::LOADING, true);
    let was_open = engine.journal.is_open();
    engine.journal.set_open(false);
    drop(alone);
    let reloaded = reload_alone(server);
    let alone = engine.keyspace.gate().alone();
    engine.journal.set_open(was_open);
    engine.set_condition(condition::LOADING, false);
    drop(alone);
    reloaded
}

fn reload_alone(server: &Arc<Server>) -> Result<()> {
    let engine = &server.engine;
    let orders = server
        .files
        .log
        .lock()
        .as_ref()
        .map(|log| log.helm.orders.clone());
    if let Some(orders) = orders {
        ask(server, &orders, Order::Flush)?;
    }
    let alone = engine.keyspace.gate().alone();
    let databases = engine.keyspace.databases();
    let mut everything = engine.keyspace.everything(&alone);
    let dropped = everything.flush(0..databases, unix_ms());
    everything.forget_readers();
    engine.functions.flush();
    drop(everything);
    drop(alone);
    engine.invalidate_everything();
    drop(dropped);
    let config = engine.config.snapshot();
    load_data(server, &server.files.folder(server), &config)?;
    Ok(())
}

/// Whether the server may end, as far as the log is concerned.
pub(super) fn may_close(server: &Server) -> Result<(), &'static str> {
    match &*server.files.log.lock() {
        Some(log) if !log.is_complete => Err("Writing initial AOF"),
        _ => Ok(()),
    }
}

/// Completes the log at the end.
pub(super) fn complete(server: &Server) -> Result<()> {
    let log = server.files.log.lock();
    let Some(log) = &*log else { return Ok(()) };
    tracing::info!("Calling fsync() on the AOF file.");
    ask(server, &log.helm.orders, Order::Flush)
}
