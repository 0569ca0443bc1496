//! Sockets and threads: listeners, workers, connections, timers, shutdown. Start with `worker`, then `connection`.
//!
//! The only place that knows `tokio`'s runtimes; commands never see it.

mod accept;
mod apply;
mod connection;
mod failure;
mod files;
mod holders;
mod hooks;
mod jobs;
mod limits;
mod listener;
mod metrics;
mod migrate;
mod outbox;
mod rdb;
mod replay;
mod rewrite;
mod shutdown;
mod signals;
mod stream;
mod tick;
mod title;
mod tls;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::{Context, Result};

use crate::base::supervisor;
use crate::config::Config;
use crate::engine::Engine;
use files::Files;
use holders::Holders;
use jobs::Backoff;
use listener::Listeners;
use shutdown::Exit;

/// What workers share besides the engine.
pub struct Server {
    /// Commands and data.
    pub engine: Engine,
    /// Connections per worker.
    connections: Box<[AtomicUsize]>,
    listeners: Listeners,
    tls: tls::Tls,
    /// Where metrics are asked for.
    metrics: metrics::Endpoint,
    /// Per worker how many clients wait for the disk.
    holders: Box<[Holders]>,
    /// How many did when the log came further last.
    held_before: AtomicUsize,
    files: Files,
    /// To the servers that keys were moved to.
    links: migrate::Links,
    backoff: Backoff,
    exit: Exit,
}

impl Server {
    /// The worker with the fewest connections.
    fn quietest_worker(&self) -> usize {
        let counts = self.connections.iter().enumerate();
        counts
            .min_by_key(|(_, count)| count.load(Relaxed))
            .map_or(0, |(worker, _)| worker)
    }
}

/// Runs the server until it is told to stop; returns the process's exit status.
pub fn run(mut config: Config) -> Result<i32> {
    limits::fit_clients(&mut config);
    if let Err(error) = limits::set_oom_score(&config) {
        tracing::warn!("Unable to write oom_score_adj: {error}");
    }
    let tls = tls::Tls::default();
    tls.configure(&config).context("Failed to configure TLS")?;
    let listeners = Listeners::bind(&config)?;
    let metrics = metrics::Endpoint::bind(&config)?;
    let renamed = std::mem::take(&mut config.renamed_commands);
    let mut engine = Engine::new(config, crate::commands::FAMILIES);
    for (old, new) in &renamed {
        let done = engine.commands.rename(old, new);
        done.map_err(|reason| anyhow::anyhow!("{reason}: 'rename-command {old} \"{new}\"'"))?;
    }
    engine.make_users().map_err(|reason| {
        anyhow::anyhow!("Critical error while loading ACLs. Exiting. {reason}")
    })?;
    let workers = engine.mailboxes.len();
    let server = Arc::new(Server {
        engine,
        connections: (0..workers).map(|_| AtomicUsize::new(0)).collect(),
        listeners,
        tls,
        metrics,
        holders: (0..workers).map(|_| Holders::default()).collect(),
        held_before: AtomicUsize::new(0),
        files: Files::default(),
        links: migrate::Links::default(),
        backoff: Backoff::default(),
        exit: Exit::default(),
    });
    hooks::install(&server);
    server
        .engine
        .set_memory_limits(&server.engine.config.load());
    files::prepare(&server);
    announce(&server);
    title::show(&server.engine.config.load());
    let (ready, started) = std::sync::mpsc::channel();
    let threads: Vec<_> = (0..workers)
        .map(|index| {
            let (server, ready) = (server.clone(), ready.clone());
            let name = format!("worker-{index}");
            std::thread::Builder::new()
                .name(name)
                .spawn(move || worker::run(server, index, ready))
        })
        .collect::<std::io::Result<_>>()
        .context("starting the workers")?;
    drop(ready);
    // What a server without data takes is known when all workers have what they need, or have failed.
    started.iter().for_each(drop);
    server.engine.stats.note_startup();
    server.engine.note_memory_base();
    if let Err(error) = files::load_at_start(&server) {
        tracing::error!("{error:#}");
        return Ok(1);
    }
    tracing::info!("Ready to accept connections");
    supervisor::notify("STATUS=Ready to accept connections\nREADY=1\n");
    let status = server.exit.wait();
    for thread in threads {
        // A worker that panicked has been logged by then; the others still end cleanly.
        let _ = thread.join();
    }
    server.listeners.clean_up();
    tracing::warn!("Oxidis is now ready to exit, bye bye...");
    Ok(status)
}

fn announce(server: &Server) {
    let config = server.engine.config.load();
    let identity = &server.engine.identity;
    tracing::warn!(
        "Oxidis {} is starting, speaking as Redis {}, {} bit, workers: {}, PID: {}",
        crate::base::version::OXIDIS_VERSION,
        crate::base::version::REDIS_VERSION,
        usize::BITS,
        identity.workers,
        identity.pid
    );
    limits::check_backlog(config.tcp_backlog);
    for address in listener::addresses(&config) {
        tracing::info!("Listening on {address}");
    }
}
