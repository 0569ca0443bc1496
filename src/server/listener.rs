//! Listening sockets: binding as configured, accepting, and what a new connection must pass.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, UnixListener};

use super::stream::Accepted;
use super::{Server, worker};
use crate::config::Config;
use crate::engine::Mail;

/// Sockets that are bound and belong to no runtime yet.
pub(super) struct Listeners {
    tcp: Vec<std::net::TcpListener>,
    unix: Option<(std::os::unix::net::UnixListener, String)>,
}

/// The addresses that a configuration asks for, for people.
pub(super) fn addresses(config: &Config) -> Vec<String> {
    let tcp = config.bind.iter().filter(|_| config.port != 0);
    let mut all: Vec<String> = tcp
        .map(|name| match name.trim_start_matches('-') {
            "*" => format!("0.0.0.0:{}", config.port),
            "::*" => format!("[::]:{}", config.port),
            name if name.contains(':') => format!("[{name}]:{}", config.port),
            name => format!("{name}:{}", config.port),
        })
        .collect();
    if !config.unixsocket.is_empty() {
        all.push(config.unixsocket.clone());
    }
    all
}

impl Listeners {
    /// Binds everything that the configuration asks for. An address marked with `-` may be missing on this machine.
    pub fn bind(config: &Config) -> Result<Arc<Self>> {
        let mut tcp = Vec::new();
        if config.port != 0 {
            for name in &config.bind {
                let (name, is_optional) = match name.strip_prefix('-') {
                    Some(name) => (name, true),
                    None => (name.as_str(), false),
                };
                match bind_tcp(name, config.port, config.tcp_backlog as i32) {
                    Ok(listener) => tcp.push(listener),
                    Err(error) if is_optional && is_missing(&error) => {}
                    Err(error) => bail!(
                        "Failed listening on port {} ({name}), aborting: {error}",
                        config.port
                    ),
                }
            }
            if tcp.is_empty() {
                bail!(
                    "Failed listening on port {}, aborting: no address of `bind` is there",
                    config.port
                );
            }
        }
        let unix = if config.unixsocket.is_empty() {
            None
        } else {
            Some(bind_unix(config)?)
        };
        if tcp.is_empty() && unix.is_none() {
            bail!("Configured to not listen anywhere, exiting.");
        }
        Ok(Arc::new(Self { tcp, unix }))
    }

    /// Starts accepting on the current runtime.
    pub fn accept(&self, server: &Arc<Server>) {
        for listener in &self.tcp {
            let listener = listener.try_clone().and_then(TcpListener::from_std);
            match listener {
                Ok(listener) => drop(tokio::spawn(accept_tcp(server.clone(), listener))),
                Err(error) => tracing::error!("Cannot accept connections: {error}"),
            }
        }
        if let Some((listener, _)) = &self.unix {
            match listener.try_clone().and_then(UnixListener::from_std) {
                Ok(listener) => drop(tokio::spawn(accept_unix(server.clone(), listener))),
                Err(error) => tracing::error!("Cannot accept connections: {error}"),
            }
        }
    }

    /// Removes the Unix socket's file.
    pub fn clean_up(&self) {
        if let Some((_, path)) = &self.unix {
            tracing::info!("Removing the unix socket file.");
            let _ = std::fs::remove_file(path);
        }
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    let known = [
        libc::EADDRNOTAVAIL,
        libc::EAFNOSUPPORT,
        libc::EPROTONOSUPPORT,
        libc::EPFNOSUPPORT,
        libc::ENOPROTOOPT,
    ];
    error
        .raw_os_error()
        .is_some_and(|code| known.contains(&code))
}

fn bind_tcp(name: &str, port: u16, backlog: i32) -> std::io::Result<std::net::TcpListener> {
    let ip: IpAddr = match name {
        "*" => IpAddr::from([0, 0, 0, 0]),
        "::*" => IpAddr::from([0u16; 8]),
        name => match name.parse() {
            Ok(ip) => ip,
            Err(_) => resolve(name)?,
        },
    };
    let address = SocketAddr::new(ip, port);
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn resolve(name: &str) -> std::io::Result<IpAddr> {
    use std::net::ToSocketAddrs;
    let first = (name, 0).to_socket_addrs()?.next();
    first
        .map(|address| address.ip())
        .ok_or_else(|| std::io::ErrorKind::NotFound.into())
}

fn bind_unix(config: &Config) -> Result<(std::os::unix::net::UnixListener, String)> {
    let path = &config.unixsocket;
    let bind = || -> std::io::Result<Socket> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // What a former run left behind would keep the name busy.
        let _ = std::fs::remove_file(path);
        socket.bind(&SockAddr::unix(path)?)?;
        socket.listen(config.tcp_backlog as i32)?;
        socket.set_nonblocking(true)?;
        if config.unixsocketperm != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(config.unixsocketperm))?;
        }
        Ok(socket)
    };
    let socket = bind().with_context(|| format!("Failed opening Unix socket {path}"))?;
    Ok((socket.into(), path.clone()))
}

async fn accept_tcp(server: Arc<Server>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                if let Ok(socket) = socket.into_std() {
                    welcome_tcp(&server, socket, peer);
                }
            }
            Err(error) => pause_after(error).await,
        }
    }
}

async fn accept_unix(server: Arc<Server>, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                if let Ok(socket) = socket.into_std() {
                    welcome(&server, Accepted::Unix(socket));
                }
            }
            Err(error) => pause_after(error).await,
        }
    }
}

/// Out of descriptors, most likely: waits a little instead of spinning.
async fn pause_after(error: std::io::Error) {
    tracing::warn!("Accepting client connection: {error}");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn welcome_tcp(server: &Arc<Server>, socket: std::net::TcpStream, peer: SocketAddr) {
    let config = server.engine.config.load();
    if config.protected_mode && config.requirepass.is_empty() && !is_loopback(peer.ip()) {
        server
            .engine
            .stats
            .rejected_connections
            .fetch_add(1, Relaxed);
        return turn_away(Accepted::Tcp(socket), PROTECTED);
    }
    // Options that cannot be set cost latency, not correctness.
    let _ = socket.set_nodelay(true);
    if config.tcp_keepalive > 0 {
        let every = Duration::from_secs(config.tcp_keepalive as u64);
        let keepalive = TcpKeepalive::new()
            .with_time(every)
            .with_interval(every / 3 + Duration::from_secs(1))
            .with_retries(3);
        let _ = socket2::SockRef::from(&socket).set_tcp_keepalive(&keepalive);
    }
    welcome(server, Accepted::Tcp(socket));
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// Hands a socket to the quietest worker, unless there are too many.
fn welcome(server: &Arc<Server>, socket: Accepted) {
    let engine = &server.engine;
    let connected: usize = server
        .connections
        .iter()
        .map(|count| count.load(Relaxed))
        .sum();
    if connected >= engine.config.load().maxclients as usize {
        engine.stats.rejected_connections.fetch_add(1, Relaxed);
        return turn_away(socket, "-ERR max number of clients reached\r\n");
    }
    engine.stats.connections.fetch_add(1, Relaxed);
    let index = server.quietest_worker();
    server.connections[index].fetch_add(1, Relaxed);
    // Accepting happens on worker 0, whose own connections need no mail.
    match index {
        0 => worker::adopt(server, 0, socket),
        _ => engine.mailboxes[index].post(Mail::Connection(Box::new(socket))),
    }
}

fn turn_away(socket: Accepted, line: &str) {
    // The socket does not block; whoever cannot take one line is gone.
    let _ = match socket {
        Accepted::Tcp(mut socket) => socket.write_all(line.as_bytes()),
        Accepted::Unix(mut socket) => socket.write_all(line.as_bytes()),
    };
}

const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set \
for the default user. In this mode connections are only accepted from the loopback interface. To connect from other \
computers, choose one: 1) send 'CONFIG SET protected-mode no' from this machine, after making sure that the server cannot be \
reached from the internet; add CONFIG REWRITE to keep the change. 2) write 'protected-mode no' into the configuration file \
and restart. 3) for a test, start the server with '--protected-mode no'. 4) set a password with 'requirepass'. Any one of \
them is enough.\r\n";
