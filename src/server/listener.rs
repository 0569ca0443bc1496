//! Listening sockets: binding as configured, at the start and again when the configuration changes.
//!
//! A socket is replaced by another without a moment in which nobody listens, as far as the system allows: see
//! [`Listeners::rebind`].

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::Server;
use super::accept::{accept_tcp, accept_unix};
use crate::config::Config;

/// Where to listen, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    address: SocketAddr,
    is_tls: bool,
}

/// A TCP socket that listens.
struct Listening {
    place: Place,
    socket: std::net::TcpListener,
    /// The task that accepts from it.
    task: Option<AbortHandle>,
}

/// All sockets that the server listens on.
pub(super) struct Listeners {
    tcp: Mutex<Vec<Listening>>,
    unix: Option<(UnixListener, String)>,
    /// The task that accepts from it.
    unix_task: OnceLock<AbortHandle>,
    /// Where connections are accepted: the first worker's runtime.
    runtime: OnceLock<Handle>,
}

/// The addresses that a configuration asks for, for people.
pub(super) fn addresses(config: &Config) -> Vec<String> {
    let mut all = Vec::new();
    for (port, is_tls) in ports(config) {
        let kind = if is_tls { " (TLS)" } else { "" };
        all.extend(names(config).map(|name| {
            let host = match name.trim_start_matches('-') {
                "*" => "0.0.0.0".to_owned(),
                "::*" => "[::]".to_owned(),
                name if name.contains(':') => format!("[{name}]"),
                name => name.to_owned(),
            };
            format!("{host}:{port}{kind}")
        }));
    }
    if !config.unixsocket.is_empty() {
        all.push(config.unixsocket.clone());
    }
    all
}

/// Binds another port at the same addresses.
pub(super) fn bind_port(config: &Config, port: u16) -> Result<Vec<std::net::TcpListener>> {
    let mut config = config.clone();
    (config.port, config.tls_port) = (port, 0);
    let bound = bind_all(&config, &[])?;
    Ok(bound
        .into_iter()
        .map(|listening| listening.socket)
        .collect())
}

impl Listeners {
    /// Binds everything that the configuration asks for. An address marked with `-` may be missing on this machine.
    pub fn bind(config: &Config) -> Result<Self> {
        let tcp = bind_all(config, &[])?;
        let unix = match config.unixsocket.is_empty() {
            true => None,
            false => {
                let bound = bind_unix(config)?;
                give_to_group(&config.unixsocket, &config.unixsocketgroup)?;
                Some(bound)
            }
        };
        if tcp.is_empty() && unix.is_none() {
            bail!("Configured to not listen anywhere, exiting.");
        }
        Ok(Self {
            tcp: Mutex::new(tcp),
            unix,
            unix_task: OnceLock::new(),
            runtime: OnceLock::new(),
        })
    }

    /// Starts accepting, from now on with the current runtime.
    pub fn accept(&self, server: &Arc<Server>) {
        let runtime = self.runtime.get_or_init(Handle::current);
        for listening in self.tcp.lock().iter_mut() {
            listening.accept(server, runtime);
        }
        if let Some((listener, _)) = &self.unix {
            match listener
                .try_clone()
                .and_then(tokio::net::UnixListener::from_std)
            {
                Ok(listener) => {
                    let task = tokio::spawn(accept_unix(server.clone(), listener));
                    // Accepting starts once.
                    let _ = self.unix_task.set(task.abort_handle());
                }
                Err(error) => tracing::error!("Cannot accept connections: {error}"),
            }
        }
    }

    /// Listens as another configuration asks for. Sockets that it shares with the present one are kept; new ones are bound
    /// before the others are closed, unless the system lets only one of them have the port. On an error everything stays as
    /// it was. Connections are not touched.
    pub fn rebind(&self, server: &Arc<Server>, config: &Config) -> Result<()> {
        let Some(runtime) = self.runtime.get() else {
            bail!("the server has not started yet");
        };
        let mut tcp = self.tcp.lock();
        let added = match bind_all(config, &tcp) {
            Err(error) if is_in_use(&error) => self.bind_in_place_of(&mut tcp, server, config)?,
            added => added?,
        };
        let wanted = places(config)?;
        tcp.retain(|listening| {
            let stays = wanted.contains(&listening.place);
            if !stays {
                listening.stop();
            }
            stays
        });
        tcp.extend(added);
        for listening in tcp.iter_mut().filter(|listening| listening.task.is_none()) {
            listening.accept(server, runtime);
        }
        Ok(())
    }

    /// Stops listening before binding: a socket for all addresses and one for a single address cannot share a port.
    fn bind_in_place_of(
        &self,
        tcp: &mut Vec<Listening>,
        server: &Arc<Server>,
        config: &Config,
    ) -> Result<Vec<Listening>> {
        let wanted = places(config)?;
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(tcp)
            .into_iter()
            .partition(|listening| wanted.contains(&listening.place));
        gone.iter().for_each(Listening::stop);
        *tcp = kept;
        let added = bind_all(config, tcp);
        if added.is_err() {
            for Listening { place, .. } in gone {
                match bind_tcp(place.address, config) {
                    Ok(socket) => tcp.push(Listening::new(place, socket)),
                    Err(error) => {
                        tracing::error!("Cannot listen on {} again: {error}", place.address);
                    }
                }
            }
            if let Some(runtime) = self.runtime.get() {
                let idle = tcp.iter_mut().filter(|listening| listening.task.is_none());
                idle.for_each(|listening| listening.accept(server, runtime));
            }
        }
        added
    }

    /// Stops listening, for good: who connects from now on is refused.
    pub fn close(&self) {
        self.tcp.lock().iter().for_each(Listening::stop);
        if let (Some((_, path)), Some(task)) = (&self.unix, self.unix_task.get()) {
            // The socket itself is left alone: once it is shut down it is always ready and never has anybody to accept, over
            // which the runtime loses patience with everything else.
            task.abort();
            let _ = std::fs::remove_file(path);
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

impl Listening {
    fn new(place: Place, socket: std::net::TcpListener) -> Self {
        Self {
            place,
            socket,
            task: None,
        }
    }

    fn accept(&mut self, server: &Arc<Server>, runtime: &Handle) {
        let _context = runtime.enter();
        match self
            .socket
            .try_clone()
            .and_then(tokio::net::TcpListener::from_std)
        {
            Ok(listener) => {
                let task = runtime.spawn(accept_tcp(server.clone(), listener, self.place.is_tls));
                self.task = Some(task.abort_handle());
            }
            Err(error) => tracing::error!("Cannot accept connections: {error}"),
        }
    }

    /// Stops at once; the task, which shares the socket, ends when its worker gets to it.
    fn stop(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        // A socket that does not listen any more has nothing to be shut down.
        let _ = SockRef::from(&self.socket).shutdown(Shutdown::Both);
    }
}

/// An address to listen on.
struct Target {
    place: Place,
    /// Whether it may be missing on this machine.
    is_optional: bool,
}

/// The ports to listen on, and whether TLS is spoken there.
fn ports(config: &Config) -> impl Iterator<Item = (u16, bool)> {
    let ports = [(config.port, false), (config.tls_port, true)];
    ports.into_iter().filter(|(port, _)| *port != 0)
}

/// The names to listen at; none with an empty `bind`.
fn names(config: &Config) -> impl Iterator<Item = &String> {
    config.bind.iter().filter(|name| !name.is_empty())
}

fn places(config: &Config) -> Result<Vec<Place>> {
    let targets = targets(config)?;
    Ok(targets.into_iter().map(|target| target.place).collect())
}

fn targets(config: &Config) -> Result<Vec<Target>> {
    let mut all = Vec::new();
    for (port, is_tls) in ports(config) {
        for name in names(config) {
            let (plain, is_optional) = match name.strip_prefix('-') {
                Some(plain) => (plain, true),
                None => (name.as_str(), false),
            };
            let ip = resolve(plain).with_context(|| failure(port, plain))?;
            let address = SocketAddr::new(ip, port);
            let place = Place { address, is_tls };
            all.push(Target { place, is_optional });
        }
    }
    Ok(all)
}

fn failure(port: u16, address: impl std::fmt::Display) -> String {
    format!("Failed listening on port {port} ({address}), aborting")
}

/// Binds what the configuration asks for and what does not listen yet.
fn bind_all(config: &Config, present: &[Listening]) -> Result<Vec<Listening>> {
    let mut added = Vec::new();
    let mut heard = Vec::new();
    for Target { place, is_optional } in targets(config)? {
        let port = place.address.port();
        if present.iter().any(|known| known.place == place) {
            heard.push(port);
            continue;
        }
        match bind_tcp(place.address, config) {
            Ok(socket) => {
                heard.push(port);
                added.push(Listening::new(place, socket));
            }
            Err(error) if is_optional && is_missing(&error) => {}
            Err(error) => return Err(error).with_context(|| failure(port, place.address.ip())),
        }
    }
    let unheard = ports(config).find(|(port, _)| !heard.contains(port));
    if let Some((port, _)) = unheard
        && names(config).next().is_some()
    {
        bail!(failure(port, "no address of `bind` is there"));
    }
    Ok(added)
}

fn is_in_use(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

fn is_missing(error: &io::Error) -> bool {
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

fn bind_tcp(address: SocketAddr, config: &Config) -> io::Result<std::net::TcpListener> {
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
    if config.socket_mark_id != 0
        && let Err(error) = socket.set_mark(config.socket_mark_id)
    {
        tracing::warn!("The socket on {address} cannot be marked (socket-mark-id): {error}");
    }
    socket.listen(config.tcp_backlog as i32)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn resolve(name: &str) -> io::Result<IpAddr> {
    match name {
        "*" => Ok(IpAddr::from([0, 0, 0, 0])),
        "::*" => Ok(IpAddr::from([0u16; 8])),
        name => match name.parse() {
            Ok(ip) => Ok(ip),
            Err(_) => {
                let first = (name, 0).to_socket_addrs()?.next();
                first
                    .map(|address| address.ip())
                    .ok_or_else(|| io::ErrorKind::NotFound.into())
            }
        },
    }
}

fn bind_unix(config: &Config) -> Result<(UnixListener, String)> {
    let path = &config.unixsocket;
    let bind = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // What a former run left behind would keep the name busy.
        let _ = std::fs::remove_file(path);
        socket.bind(&SockAddr::unix(path)?)?;
        // Before anybody can connect: nobody gets in while the file still has the permissions of the umask.
        if config.unixsocketperm != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(config.unixsocketperm))?;
        }
        socket.listen(config.tcp_backlog as i32)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let socket = bind().with_context(|| format!("Failed opening Unix socket {path}"))?;
    Ok((socket.into(), path.clone()))
}

/// Gives the socket to the group that is configured, if one is.
fn give_to_group(path: &str, group: &str) -> Result<()> {
    if group.is_empty() {
        return Ok(());
    }
    let given = group_id(group).and_then(|id| std::os::unix::fs::chown(path, None, Some(id)));
    given.with_context(|| format!("Failed giving the Unix socket {path} to the group"))
}

/// The number of a group that is given as such or by its name in `/etc/group`.
fn group_id(group: &str) -> io::Result<u32> {
    if let Ok(id) = group.parse() {
        return Ok(id);
    }
    let groups = std::fs::read_to_string("/etc/group")?;
    let id = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_meant = fields.next() == Some(group);
        let id = fields.nth(1)?;
        is_meant.then(|| id.parse().ok()).flatten()
    });
    id.ok_or_else(|| io::Error::other(format!("there is no group '{group}'")))
}
