//! Accepting: what a new connection must pass, and which worker gets it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use socket2::TcpKeepalive;
use tokio::net::{TcpListener, UnixListener};

use super::stream::Accepted;
use super::{Server, worker};
use crate::engine::{Engine, Mail};

/// Accepts TCP connections until the task is aborted.
pub(super) async fn accept_tcp(server: Arc<Server>, listener: TcpListener, is_tls: bool) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                if let Ok(socket) = socket.into_std() {
                    welcome_tcp(&server, socket, peer, is_tls);
                }
            }
            Err(error) => pause_after(error).await,
        }
    }
}

/// Accepts connections of the Unix socket until the task is aborted.
pub(super) async fn accept_unix(server: Arc<Server>, listener: UnixListener) {
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

fn welcome_tcp(server: &Arc<Server>, socket: std::net::TcpStream, peer: SocketAddr, is_tls: bool) {
    let config = server.engine.config.load();
    // Whoever comes to the TLS port is told so after the handshake.
    if !is_tls && is_denied(&server.engine, Some(peer.ip())) {
        server
            .engine
            .stats
            .rejected_connections
            .fetch_add(1, Relaxed);
        return Accepted::Tcp(socket).turn_away(PROTECTED);
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
    welcome(
        server,
        match is_tls {
            true => Accepted::Tls(socket),
            false => Accepted::Tcp(socket),
        },
    );
}

/// Whether protected mode keeps a client away.
pub(super) fn is_denied(engine: &Engine, peer: Option<IpAddr>) -> bool {
    engine.config.load().protected_mode
        && engine.acl.default_user().has_no_password()
        && !peer.is_some_and(is_loopback)
}

pub(super) fn is_loopback(ip: IpAddr) -> bool {
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
        return socket.turn_away("-ERR max number of clients reached\r\n");
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

/// What is told to those whom protected mode keeps away.
pub(super) const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set \
for the default user. In this mode connections are only accepted from the loopback interface. To connect from other \
computers, choose one: 1) send 'CONFIG SET protected-mode no' from this machine, after making sure that the server cannot be \
reached from the internet; add CONFIG REWRITE to keep the change. 2) write 'protected-mode no' into the configuration file \
and restart. 3) for a test, start the server with '--protected-mode no'. 4) set a password with 'requirepass'. Any one of \
them is enough.\r\n";
