//! The files of a running server: loading them at the start, switching the append-only file on and off, completing it at
//! the end.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use parking_lot::Mutex;

use super::Server;
use super::replay::Replay;
use crate::base::clock::unix_ms;
use crate::config::Config;
use crate::engine::condition;
use crate::keyspace::Snapshot;
use crate::persistence::{
    Audience, Encoder, Folder, LogFile, Manifest, Order, Wiring, Writer, load, total_size,
    write_base,
};

/// Time before a base that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// How often it is looked meanwhile whether the append-only file is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// The append-only file of a server.
#[derive(Default)]
pub(super) struct Files {
    /// What is being written, while anything is.
    log: Mutex<Option<Log>>,
    /// Where the file shall be when it is wanted.
    folder: Mutex<Option<Folder>>,
    /// Held by whoever starts, stops or reloads.
    turn: Mutex<()>,
}

impl Files {
    fn folder(&self, server: &Server) -> Folder {
        let folder = self.folder.lock().clone();
        folder.unwrap_or_else(|| Folder::of(&server.engine.config.load()))
    }
}

/// A log being written.
struct Log {
    orders: Sender<Order>,
    thread: JoinHandle<()>,
    /// Whether the files can be loaded already: not before the first base is complete.
    is_complete: bool,
}

impl Log {
    /// Starts a writer that appends records from `first` on to a file.
    fn start(server: &Arc<Server>, file: LogFile, first: u64) -> io::Result<Self> {
        let (orders, inbox) = channel();
        let server = server.clone();
        let write = move || {
            let switch_at = AtomicU64::new(u64::MAX);
            let wiring = Wiring {
                journal: &server.engine.journal,
                config: &server.engine.config,
                status: &server.engine.aof,
                audience: &*server,
                switch_at: &switch_at,
            };
            let writer = Writer::new(wiring, file, first, inbox);
            if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
                server.trouble(Some("the writer has failed".into()));
            }
        };
        let thread = std::thread::Builder::new().name("aof-writer".into());
        Ok(Self {
            orders,
            thread: thread.spawn(write)?,
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
        server.engine.set_condition(condition::LOADING, true);
    }
}

/// Loads the data at the start and goes on writing where it ends.
pub(super) fn load_at_start(server: &Arc<Server>) -> Result<()> {
    let config = server.engine.config.snapshot();
    if !config.appendonly {
        return Ok(());
    }
    let folder = Folder::of(&config);
    let Some(mut manifest) = load_data(server, &folder, &config)? else {
        // The server was told to end meanwhile.
        return Ok(());
    };
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
            engine.aof.current_size.store(loaded.bytes, Relaxed);
            engine.aof.base_size.store(loaded.base_bytes, Relaxed);
        }
    }
    replay.report();
    Ok(Some(manifest))
}

/// Opens the increment to go on with. Where there is nothing yet, what there is in memory becomes the base.
fn open_log(server: &Server, folder: &Folder, manifest: &mut Manifest) -> Result<LogFile> {
    folder.create().with_context(|| {
        format!(
            "Can't open or create append-only dir for {}",
            folder.file_name
        )
    })?;
    if manifest.is_empty() {
        let name = manifest.add_base(&folder.file_name);
        let encoder = Arc::new(Mutex::new(Encoder::default()));
        let snapshot = cut(server, &encoder, false)?;
        let size = write_base(&folder.file(&name), snapshot, &encoder, &|| true)
            .with_context(|| format!("Can't write the AOF base file {name}"))?;
        server.engine.aof.current_size.store(size, Relaxed);
        server.engine.aof.base_size.store(size, Relaxed);
        tracing::info!("Creating AOF base file {name} on server start");
    }
    let (name, verb) = match manifest.increments.last() {
        Some(last) => (last.name.clone(), "Opening"),
        None => (manifest.add_increment(&folder.file_name), "Creating"),
    };
    let file = LogFile::open(&folder.file(&name))
        .with_context(|| format!("Can't open the append-only file {name}"))?;
    tracing::info!("{verb} AOF incr file {name} on server start");
    (folder.write_manifest(manifest))
        .and_then(|()| folder.remove_history(manifest))
        .context("Can't write the AOF manifest file")?;
    Ok(file)
}

/// Begins a copy of the data as of now; with `opens`, the journal opens at the same moment.
fn cut<'s>(server: &'s Server, encoder: &Arc<Mutex<Encoder>>, opens: bool) -> Result<Snapshot<'s>> {
    let engine = &server.engine;
    if engine.config.load().aof_timestamp_enabled {
        encoder.lock().annotate(unix_ms() / 1000);
    }
    let libraries = encoder.clone();
    let encoder = encoder.clone();
    let keep = Arc::new(
        move |database: usize, entry: crate::keyspace::EntryRef<'_>| {
            encoder.lock().add(database, entry);
        },
    );
    let alone = engine.keyspace.gate().alone();
    for code in engine.functions.libraries() {
        libraries.lock().library(&code);
    }
    let started = Instant::now();
    let snapshot = engine
        .keyspace
        .cut(&alone, engine.background_lane(), keep)
        .context("another copy of the data is being written")?;
    if opens {
        engine.journal.set_open(true);
    }
    let held = started.elapsed();
    drop(alone);
    tracing::debug!("The cut held up everybody for {held:?}");
    Ok(snapshot)
}

/// CONFIG SET appendonly: takes effect in the background. The caller is alone behind the gate.
pub(super) fn switch(server: &Arc<Server>, config: &Config) -> Result<(), String> {
    if config.appendonly {
        let folder = Folder::of(config);
        folder.create().map_err(|error| {
            tracing::warn!("Can't open or create append-only dir: {error}");
            "Unable to turn on AOF. Check server logs.".to_owned()
        })?;
        *server.files.folder.lock() = Some(folder);
    }
    let aof = &server.engine.aof;
    aof.is_on.store(config.appendonly, Relaxed);
    // Whoever asks from now on is told that a base is being written, though the thread may not have begun.
    aof.is_rewriting.store(config.appendonly, Relaxed);
    let server = server.clone();
    std::thread::spawn(move || settle(&server));
    Ok(())
}

/// Starts or stops the log until that is how it is wanted.
fn settle(server: &Arc<Server>) {
    let _turn = server.files.turn.lock();
    let is_wanted = || server.engine.aof.is_on.load(Relaxed);
    loop {
        let is_running = server.files.log.lock().is_some();
        match (is_wanted(), is_running) {
            (true, false) => {
                let Err(error) = start(server, &server.files.folder(server)) else {
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
            _ => return server.engine.aof.is_rewriting.store(false, Relaxed),
        }
    }
}

/// Starts the log of a server that has data already: a base of this moment, and all that is written from now on.
fn start(server: &Arc<Server>, folder: &Folder) -> Result<()> {
    let aof = &server.engine.aof;
    aof.begin_rewrite(unix_ms());
    let started = start_with_base(server, folder);
    aof.end_rewrite(unix_ms(), started.is_ok());
    if started.is_err() {
        stop(server);
        for name in ["base", "incr"] {
            // It may not have been made at all.
            let _ = fs::remove_file(folder.temporary(name));
        }
    }
    started
}

fn start_with_base(server: &Arc<Server>, folder: &Folder) -> Result<()> {
    let engine = &server.engine;
    folder.create()?;
    let mut manifest = folder.read_manifest()?;
    let (base, increment) = (folder.temporary("base"), folder.temporary("incr"));
    let file = LogFile::create(&increment)?;
    engine.aof.current_size.store(0, Relaxed);
    let log = Log::start(server, file, engine.journal.next_number())?;
    *server.files.log.lock() = Some(log);
    let encoder = Arc::new(Mutex::new(Encoder::default()));
    let snapshot = cut(server, &encoder, true)?;
    tracing::info!("Writing the data to a new AOF base file in the background");
    let size = write_base(&base, snapshot, &encoder, &|| {
        engine.aof.is_on.load(Relaxed)
    })?;

    let name = manifest.add_base(&folder.file_name);
    fs::rename(&base, folder.file(&name))?;
    tracing::info!("Successfully created the AOF base file {name}");
    let name = manifest.add_increment(&folder.file_name);
    fs::rename(&increment, folder.file(&name))?;
    tracing::info!("Successfully created the AOF incr file {name}");
    manifest.retire_increments();
    folder.write_manifest(&manifest)?;
    if let Some(log) = &mut *server.files.log.lock() {
        log.is_complete = true;
    }
    let total = engine.aof.current_size.fetch_add(size, Relaxed) + size;
    engine.aof.base_size.store(total, Relaxed);
    folder.remove_history(&mut manifest)?;
    Ok(())
}

/// Stops the log: what was appended before is written, and nobody waits for the disk any longer.
fn stop(server: &Server) {
    let engine = &server.engine;
    let alone = engine.keyspace.gate().alone();
    engine.journal.set_open(false);
    drop(alone);
    let Some(log) = server.files.log.lock().take() else {
        return;
    };
    if let Err(error) = ask(server, &log.orders, Order::Close) {
        tracing::error!("The append-only file is incomplete: {error}");
    }
    // A writer that panicked has been logged.
    let _ = log.thread.join();
    engine.journal.clear();
    engine.aof.has_write_failed.store(false, Relaxed);
    server.trouble(None);
    server.written(engine.journal.next_number());
    tracing::info!("The append-only file is switched off");
}

/// DEBUG LOADAOF: what is in memory gives way to what the files hold. The caller has not passed the gate.
pub(super) fn reload(server: &Arc<Server>) -> Result<()> {
    let _turn = server.files.turn.lock();
    let engine = &server.engine;
    engine.set_condition(condition::LOADING, true);
    let alone = engine.keyspace.gate().alone();
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
        .map(|log| log.orders.clone());
    if let Some(orders) = orders {
        ask(server, &orders, Order::Flush)?;
    }
    let alone = engine.keyspace.gate().alone();
    let databases = engine.keyspace.databases();
    let mut everything = engine.keyspace.everything(&alone);
    let dropped = everything.flush(0..databases, unix_ms());
    engine.functions.flush();
    drop(everything);
    drop(alone);
    drop(dropped);
    let config = engine.config.snapshot();
    load_data(server, &server.files.folder(server), &config)?;
    Ok(())
}

/// Completes the log at the end. Writes wait from now on, for ever, unless this fails and the server goes on.
pub(super) fn close(server: &Server, force: bool) -> Result<()> {
    let engine = &server.engine;
    let log = server.files.log.lock();
    let Some(log) = &*log else { return Ok(()) };
    if !log.is_complete {
        if !force {
            bail!("the first base is still being written");
        }
        tracing::warn!("Writing initial AOF. Exit anyway.");
    }
    engine.pause(i64::MAX, true);
    // Whoever passed the gate before the pause has left it when this returns; a script that takes long is not waited for.
    drop(engine.keyspace.gate().alone_unless_stuck());
    tracing::info!("Calling fsync() on the AOF file.");
    ask(server, &log.orders, Order::Flush).inspect_err(|_| {
        if !force {
            engine.unpause();
        }
    })
}
