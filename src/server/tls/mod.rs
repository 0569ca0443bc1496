//! TLS: settings, handshakes, encrypted connections. Start with `settings`, then `stream`.
//!
//! A handshake is a task of the worker that will serve the client. Until it ends there is no client: it has no number, is in
//! no list, and may not take long. A worker takes one step of one handshake at a time and sees to its clients in between,
//! so a crowd that connects at once delays them by no more than a signature.

mod identity;
mod sessions;
mod settings;
mod stream;
mod suites;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::accept::{PROTECTED, is_denied};
use super::stream::Stream;
use super::{Server, worker};
use crate::config::Config;
use crate::observe::log::VERBOSE;
pub(super) use stream::TlsStream;

/// Time that a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Handshakes that a worker has in progress; others wait, and cost a socket only.
const MOST_HANDSHAKES: usize = 512;

thread_local! {
    /// A worker's handshakes in progress, and the one that takes a step.
    static HANDSHAKES: [Arc<Semaphore>; 2] = [
        Arc::new(Semaphore::new(MOST_HANDSHAKES)),
        Arc::new(Semaphore::new(1)),
    ];
}

/// What handshakes need, as configured last.
#[derive(Default)]
pub(super) struct Tls {
    settings: ArcSwapOption<ServerConfig>,
}

impl Tls {
    /// Reads certificates and keys anew, if there is a TLS port. On an error those that were read before stay.
    pub fn configure(&self, config: &Config) -> anyhow::Result<()> {
        if config.tls_port != 0 {
            self.settings.store(Some(settings::read(config)?));
        }
        Ok(())
    }
}

/// Serves a client on this worker once it has shaken hands.
pub(super) async fn welcome(server: Arc<Server>, index: usize, socket: std::net::TcpStream) {
    let peer = socket.peer_addr().ok();
    match tokio::time::timeout(PATIENCE, shake_hands(&server, socket)).await {
        Ok(Ok(mut stream)) => {
            if is_denied(&server.engine, peer.map(|peer| peer.ip())) {
                server
                    .engine
                    .stats
                    .rejected_connections
                    .fetch_add(1, Relaxed);
                let line = PROTECTED.as_bytes();
                // Whoever cannot take one line is gone.
                let _ = poll_fn(|context| stream.poll_write(context, line)).await;
                server.connections[index].fetch_sub(1, Relaxed);
            } else {
                let identity = server.engine.config.load().tls_auth_clients_user;
                let names = stream.certificate();
                let names = names.map(|it| identity::names(&it, identity));
                let users = names.unwrap_or_default();
                worker::serve(&server, index, Stream::Tls(Box::new(stream)), &users);
            }
        }
        Ok(Err(error)) => give_up(&server, index, peer, &error),
        Err(_) => give_up(&server, index, peer, &io::ErrorKind::TimedOut.into()),
    }
}

fn give_up(server: &Server, index: usize, peer: Option<SocketAddr>, error: &io::Error) {
    server.connections[index].fetch_sub(1, Relaxed);
    let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
    tracing::info!(target: VERBOSE, "Error accepting a client connection: {error} (addr={peer})");
}

async fn shake_hands(server: &Server, socket: std::net::TcpStream) -> io::Result<TlsStream> {
    let [all, turn] = HANDSHAKES.with(Clone::clone);
    let socket = TcpStream::from_std(socket)?;
    // Nothing is made ready for whoever says nothing.
    socket.readable().await?;
    let _place = all.acquire().await.map_err(io::Error::other)?;
    let settings = server.tls.settings.load_full();
    let mut stream = TlsStream::new(socket, settings.ok_or(io::ErrorKind::NotConnected)?)?;
    loop {
        if stream.wants_write() {
            poll_fn(|context| stream.poll_flush(context)).await?;
        } else if stream.is_shaking_hands() {
            stream.socket().readable().await?;
            let _turn = turn.acquire().await.map_err(io::Error::other)?;
            stream.step()?;
            // This lets the worker look at its sockets before anybody takes the next step.
            tokio::task::yield_now().await;
        } else {
            return Ok(stream);
        }
    }
}
