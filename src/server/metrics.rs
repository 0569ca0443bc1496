//! The metrics endpoint (`metrics-port`): answers HTTP requests with the server's figures. They are asked for as a client
//! would ask: with INFO, on the first worker's thread.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Result;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::accept::is_loopback;
use super::connection::with_lane;
use super::{Server, listener};
use crate::config::Config;
use crate::console::metrics::{Answers, render};
use crate::engine::{Client, Login, Session};
use crate::observe::command_log::Reason;
use crate::resp::parser::{Batch, Limits, Parser};
use crate::resp::reply::Reply;

/// A request's head is no longer than this.
const MAX_HEAD: usize = 8 * 1024;
/// Time that a request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Binds where a configuration asks for metrics; nowhere unless it does.
fn bind(config: &Config) -> Result<Vec<std::net::TcpListener>> {
    match config.metrics_port {
        0 => Ok(Vec::new()),
        port => listener::bind_port(config, port),
    }
}

/// Where metrics are asked for.
pub(super) struct Endpoint {
    sockets: Mutex<Vec<std::net::TcpListener>>,
    /// The tasks that accept from them.
    tasks: Mutex<Vec<AbortHandle>>,
    /// Where requests are answered: the first worker's runtime.
    runtime: OnceLock<Handle>,
}

impl Endpoint {
    /// Listens as a configuration asks for.
    pub fn bind(config: &Config) -> Result<Self> {
        Ok(Self {
            sockets: Mutex::new(bind(config)?),
            tasks: Mutex::default(),
            runtime: OnceLock::new(),
        })
    }

    /// Starts answering, from now on with the current runtime.
    pub fn accept(&self, server: &Arc<Server>) {
        let runtime = self.runtime.get_or_init(Handle::current);
        let _context = runtime.enter();
        for socket in self.sockets.lock().iter() {
            match socket.try_clone().and_then(TcpListener::from_std) {
                Ok(listener) => {
                    let task = runtime.spawn(answer_all(server.clone(), listener));
                    self.tasks.lock().push(task.abort_handle());
                }
                Err(error) => tracing::error!("Cannot answer requests for metrics: {error}"),
            }
        }
    }

    /// Listens as another configuration asks for. On an error everything stays as it was.
    pub fn rebind(&self, server: &Arc<Server>, config: &Config) -> Result<()> {
        *self.sockets.lock() = bind(config)?;
        self.tasks.lock().drain(..).for_each(|task| task.abort());
        self.accept(server);
        Ok(())
    }
}

async fn answer_all(server: Arc<Server>, listener: TcpListener) {
    loop {
        let Ok((socket, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let config = server.engine.config.load();
        let is_protected =
            config.protected_mode && server.engine.acl.default_user().has_no_password();
        if !is_protected || is_loopback(peer.ip()) {
            let server = server.clone();
            tokio::spawn(async move {
                // Whoever is too slow or has gone needs no answer.
                let _ = tokio::time::timeout(PATIENCE, answer(&server, socket)).await;
            });
        }
    }
}

async fn answer(server: &Server, mut socket: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > MAX_HEAD || socket.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (status, body) = match (words.next(), words.next()) {
        (Some(b"GET"), Some(b"/metrics")) => ("200 OK", render(&collect(server))),
        (Some(b"GET"), Some(b"/" | b"/health")) => {
            ("200 OK", "The figures are at /metrics.\n".into())
        }
        (Some(b"GET"), _) => ("404 Not Found", "The figures are at /metrics.\n".into()),
        _ => ("405 Method Not Allowed", String::new()),
    };
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(reply.as_bytes()).await?;
    socket.shutdown().await
}

fn collect(server: &Server) -> Answers {
    let engine = &server.engine;
    let config = engine.config.load();
    let newest = engine.command_logs.newest(Reason::Slow, 1);
    let limits = &config.client_output_buffer_limit;
    let classes = [
        ("normal", &limits.normal),
        ("slave", &limits.replica),
        ("pubsub", &limits.pubsub),
    ];
    let limits = classes.map(|(class, limit)| {
        let limit = [limit.hard_bytes, limit.soft_bytes, limit.soft_seconds];
        (class, limit)
    });
    let events = engine.latency.all().into_iter();
    let spikes = events.filter_map(|(event, series)| {
        let last = series.samples.last()?;
        Some((event, last.time, last.latency))
    });
    let commands = engine.commands.all().iter();
    let durations = commands.filter_map(|spec| {
        let durations = engine.stats.durations(spec.id)?;
        Some((spec.name.clone(), durations.total(), durations.steps()))
    });
    Answers {
        info: ask(server, b"INFO all\r\n"),
        last_slow: newest.first().map(|entry| (entry.id, entry.amount)),
        databases: config.databases,
        figures: figures(server, &config),
        output_limits: limits.into(),
        spikes: spikes.collect(),
        durations: durations.collect(),
    }
}

/// Figures that INFO does not tell.
fn figures(server: &Server, config: &Config) -> Vec<(&'static str, f64)> {
    let logs = &server.engine.command_logs;
    let len = |reason| logs.len(reason) as f64;
    let backlog = config.get(&["repl-backlog-size"]).pop();
    let backlog = backlog.and_then(|(_, bytes)| bytes.parse().ok());
    vec![
        ("slowlog_length", len(Reason::Slow)),
        ("config_maxclients", config.maxclients.into()),
        (
            "config_maxmemory",
            config.maxmemory.bytes_of_machine() as f64,
        ),
        ("config_io_threads", config.io_threads as f64),
        ("config_repl_backlog_size", backlog.unwrap_or(0.0)),
        ("commandlog_slow_length", len(Reason::Slow)),
        ("commandlog_large_request_length", len(Reason::LargeRequest)),
        ("commandlog_large_reply_length", len(Reason::LargeReply)),
        (
            "commandlog_execution_slower_than",
            config.slowlog_log_slower_than as f64,
        ),
        (
            "commandlog_slow_execution_max_len",
            config.slowlog_max_len as f64,
        ),
        (
            "commandlog_request_larger_than",
            config.commandlog_request_larger_than as f64,
        ),
        (
            "commandlog_large_request_max_len",
            config.commandlog_large_request_max_len as f64,
        ),
        (
            "commandlog_reply_larger_than",
            config.commandlog_reply_larger_than as f64,
        ),
        (
            "commandlog_large_reply_max_len",
            config.commandlog_large_reply_max_len as f64,
        ),
    ]
}

/// The answer to a command that answers with a text.
fn ask(server: &Server, command: &[u8]) -> String {
    let engine = &server.engine;
    let address = String::from("metrics");
    let client = Client::new(0, 0, address.clone(), address, -1);
    let mut session = Session::new(Arc::new(client), Login::of_server());
    let (mut input, mut batch, mut reply) = (command.to_vec(), Batch::default(), Reply::new());
    let limits = Limits {
        max_bulk: i64::MAX,
        authenticated: true,
    };
    let parsed = Parser::default().parse(&mut input, 0, 1, limits, &mut batch);
    if parsed.is_ok() {
        let config = engine.config.load();
        with_lane(|lane| {
            engine.prepare(lane, &session, &input, &batch);
            engine.run_batch(lane, &config, &mut session, &input, &batch, &mut reply)
        });
    }
    let bytes = reply.pieces().collect::<Vec<_>>().concat();
    let text = String::from_utf8_lossy(&bytes);
    // The length of the text comes first.
    text.split_once("\r\n")
        .map(|(_, text)| text.trim_end().to_owned())
        .unwrap_or_default()
}
