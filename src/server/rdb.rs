//! Snapshots of this server: what they say of themselves, and how they are loaded.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::{Server, jobs};
use crate::base::alloc::used;
use crate::base::clock::unix_ms;
use crate::base::machine::error_text;
use crate::base::version::REDIS_VERSION;
use crate::config::Config;
use crate::engine::{Engine, Reload, access_clock, condition};
use crate::persistence::Job;
use crate::persistence::rdb::{
    self, Fault, Limits, Listener, Malformed, ModuleName, Options, Preamble, Problem,
};

/// Time between two lines in the log.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// What a snapshot of this moment begins with. Sizes are those of about now.
pub(super) fn preamble(engine: &Engine, config: &Config, is_aof_base: bool) -> Preamble {
    let now = unix_ms();
    let keyspace = &engine.keyspace;
    let sizes = (0..keyspace.databases()).map(|database| {
        let expiring = keyspace.nothing().expiring(database, now).0;
        (keyspace.len(database), expiring)
    });
    let policy = config.maxmemory_policy;
    let tells_use = policy.is_lru() || policy.is_lfu();
    Preamble {
        packs: config.rdbcompression,
        fields: vec![
            ("redis-ver", REDIS_VERSION.to_owned()),
            ("redis-bits", usize::BITS.to_string()),
            ("ctime", (now / 1000).to_string()),
            ("used-mem", used().to_string()),
            ("aof-base", u8::from(is_aof_base).to_string()),
        ],
        sizes: sizes.collect(),
        access: tells_use.then(|| access_clock(config, now)),
    }
}

/// How a file is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is all the data.
    Start,
    /// What the log says next goes on from it: keys past their time are kept.
    AofBase,
    /// Its keys replace those that are there.
    Merge,
}

/// How files are loaded now.
pub(super) fn options(engine: &Engine, config: &Config, purpose: Purpose) -> Options {
    let now = unix_ms();
    Options {
        limits: Limits::of(config),
        access: access_clock(config, now),
        now,
        sums: config.rdbchecksum && !engine.skips_checksums.load(Relaxed),
        drops_expired: purpose != Purpose::AofBase,
        replaces: purpose == Purpose::Merge,
        workers: engine.identity.workers.max(1),
        delay: config.key_load_delay,
    }
}

/// Tells the log and INFO about what is loaded.
pub(super) struct Progress<'s> {
    server: &'s Server,
    /// Whether libraries of functions replace those that are there.
    replaces: bool,
    reported: Instant,
}

impl<'s> Progress<'s> {
    pub fn new(server: &'s Server, purpose: Purpose) -> Self {
        Self {
            server,
            replaces: purpose == Purpose::Merge,
            reported: Instant::now(),
        }
    }
}

impl Listener for Progress<'_> {
    fn field(&mut self, name: &[u8], text: &[u8]) {
        let (name, text) = (
            name.escape_ascii().to_string(),
            text.escape_ascii().to_string(),
        );
        let number: i64 = text.parse().unwrap_or(0);
        match name.to_ascii_lowercase().as_str() {
            _ if name.starts_with('%') => tracing::info!("RDB '{name}': {text}"),
            "redis-ver" | "valkey-ver" => tracing::info!("Loading RDB produced by version {text}"),
            "ctime" => {
                let age = (unix_ms() / 1000).saturating_sub(number).max(0);
                tracing::info!("RDB age {age} seconds");
            }
            "used-mem" => {
                let megabytes = number as f64 / (1024.0 * 1024.0);
                tracing::info!("RDB memory usage when created {megabytes:.2} Mb");
                let loading = &self.server.engine.loading;
                loading
                    .used_memory
                    .store(number.max(0).cast_unsigned(), Relaxed);
            }
            "aof-preamble" if number != 0 => tracing::info!("RDB has an AOF tail"),
            "aof-base" if number != 0 => tracing::info!("RDB is base AOF"),
            _ => tracing::debug!("RDB field '{name}': {text}"),
        }
    }

    fn function(&mut self, code: &[u8]) -> Result<(), String> {
        let functions = &self.server.engine.functions;
        functions.load(code, self.replaces, None).map(drop)
    }

    fn module_data(&mut self, module: ModuleName) {
        tracing::warn!("What the module '{module}' keeps beside the keys is left out");
    }

    fn progress(&mut self, bytes: u64) -> bool {
        let loading = &self.server.engine.loading;
        let loaded = loading.loaded_bytes.fetch_add(bytes, Relaxed) + bytes;
        if self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            let total = loading.total_bytes.load(Relaxed);
            let percent = loaded as f64 * 100.0 / total.max(1) as f64;
            tracing::info!("Loading: {loaded} of {total} bytes ({percent:.0} %)");
        }
        !self.server.exit.is_ending()
    }
}

/// Whether there is a snapshot file to begin with.
pub(super) fn has_file(config: &Config) -> bool {
    !config.dbfilename.is_empty()
        && std::fs::symlink_metadata(config.dir.file(&config.dbfilename)).is_ok()
}

/// Loads the snapshot file, where there is one, and opens the server to everybody.
pub(super) fn load_at_start(server: &Arc<Server>, config: &Config) -> Result<()> {
    let engine = &server.engine;
    if !engine.is_loading() {
        // Clients are being served already, and one of their scripts may have begun that never ends.
        return Ok(());
    }
    // Without a name there is no file, which some use to switch snapshots off.
    if !config.dbfilename.is_empty() {
        let path = config.dir.file(&config.dbfilename);
        let loaded = load_file(server, config, &path, Purpose::Start);
        if loaded.is_err() && server.exit.is_ending() {
            return Ok(());
        }
        loaded.map_err(|error| {
            anyhow!("Fatal error loading the DB from {error}. Terminating server after rdb file reading failure.")
        })?;
    }
    let alone = engine.keyspace.gate().alone();
    engine.set_condition(condition::LOADING, false);
    drop(alone);
    Ok(())
}

/// Loads a snapshot file.
fn load_file(server: &Server, config: &Config, path: &Path, purpose: Purpose) -> Result<()> {
    let (engine, started) = (&server.engine, Instant::now());
    let open = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (size, file) = match open {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let (path, reason) = (path.display(), error_text(&error));
            return Err(anyhow!("{path}: {reason}"));
        }
    };
    let loading = &engine.loading;
    loading.started_ms.store(unix_ms(), Relaxed);
    loading.total_bytes.store(size, Relaxed);
    loading.loaded_bytes.store(0, Relaxed);
    loading.used_memory.store(0, Relaxed);
    let options = options(engine, config, purpose);
    let mut progress = Progress::new(server, purpose);
    let loaded = rdb::load(file, &engine.keyspace, options, &mut progress);
    let loaded = loaded.map_err(|fault| explain(&fault, path))?;
    note_loaded(engine, &loaded);
    tracing::info!(
        "DB loaded from disk: {:.3} seconds",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Tells what was loaded.
pub(super) fn note_loaded(engine: &Engine, loaded: &rdb::Loaded) {
    engine.loading.keys_loaded.store(loaded.keys, Relaxed);
    engine.loading.keys_expired.store(loaded.expired, Relaxed);
    if loaded.is_unchecked {
        tracing::info!("RDB file was saved with checksum disabled: no check performed.");
    }
    let (keys, expired, empty) = (loaded.keys, loaded.expired, loaded.empty);
    let empty = match empty {
        0 => String::new(),
        empty => format!(", empty keys skipped: {empty}"),
    };
    tracing::info!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}{empty}.");
}

/// Logs what is wrong with a file as Redis does, and gives it with its place.
fn explain(fault: &Fault, path: &Path) -> anyhow::Error {
    let (offset, problem, path) = (fault.offset, &fault.problem, path.display());
    if let Problem::Value(error) = problem {
        if *error == Malformed::Ended {
            tracing::warn!("Short read or OOM loading DB. Unrecoverable error, aborting now.");
        }
        tracing::warn!("Internal error in RDB reading offset {offset} -> {problem}");
    } else {
        tracing::warn!("{problem}");
    }
    anyhow!("{path}, at offset {offset}: {problem}")
}

/// DEBUG RELOAD: the data is saved, given up and loaded, as far as that is asked for. The caller has not passed the gate.
pub(super) fn reload(server: &Arc<Server>, how: Reload) -> Result<()> {
    let _turn = server.files.turn.lock();
    let engine = &server.engine;
    if engine.is_loading() {
        return Err(anyhow!("the data is being loaded already"));
    }
    let alone = engine.keyspace.gate().alone();
    // Not before everybody has left: nobody could end a script that is in the way if he were told that data is loading.
    engine.set_condition(condition::LOADING, true);
    let was_open = engine.journal.is_open();
    engine.journal.set_open(false);
    drop(alone);
    let reloaded = reload_alone(server, how);
    let alone = engine.keyspace.gate().alone();
    engine.journal.set_open(was_open);
    engine.set_condition(condition::LOADING, false);
    drop(alone);
    if reloaded.is_ok() {
        tracing::warn!("DB reloaded by DEBUG RELOAD");
    }
    reloaded
}

fn reload_alone(server: &Arc<Server>, how: Reload) -> Result<()> {
    let engine = &server.engine;
    if how.saves {
        save(server)?;
    }
    let config = engine.config.snapshot();
    let path = config.dir.file(&config.dbfilename);
    if !has_file(&config) {
        return Err(anyhow!("there is no file {}", path.display()));
    }
    if how.flushes {
        let alone = engine.keyspace.gate().alone();
        let databases = engine.keyspace.databases();
        let dropped = engine
            .keyspace
            .everything(&alone)
            .flush(0..databases, unix_ms());
        engine.functions.flush();
        drop(alone);
        drop(dropped);
    }
    let purpose = match how.merges {
        true => Purpose::Merge,
        false => Purpose::Start,
    };
    load_file(server, &config, &path, purpose)
        .map_err(|error| anyhow!("Error loading the DB from {error}"))
}

/// Saves the data as of now, for somebody who waits for it.
pub(super) fn save(server: &Server) -> Result<()> {
    let (engine, jobs) = (&server.engine, &server.engine.jobs);
    server.await_job(Job::Save, &|| !server.exit.is_ending())?;
    engine.snapshots.saves.fetch_add(1, Relaxed);
    let saved = jobs::save(server, &|| true);
    jobs.end();
    saved
}
