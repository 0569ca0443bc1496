//! The program that has started the server and wants to hear how it is doing: systemd, which is told through a socket, or
//! upstart, which is told by a stop.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};

/// A supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervisor {
    /// systemd, with a unit of `Type=notify`.
    Systemd,
    /// upstart, with `expect stop`.
    Upstart,
}

/// Where systemd listens.
const SOCKET: &str = "NOTIFY_SOCKET";
/// What upstart calls the job.
const JOB: &str = "UPSTART_JOB";

/// The supervisor that has been found.
static PRESENT: OnceLock<Supervisor> = OnceLock::new();

/// The supervisor that is told.
pub fn present() -> Option<Supervisor> {
    PRESENT.get().copied()
}

/// The supervisor that the environment speaks of.
pub fn detect() -> Option<Supervisor> {
    if env::var_os(JOB).is_some() {
        Some(Supervisor::Upstart)
    } else {
        env::var_os(SOCKET).map(|_| Supervisor::Systemd)
    }
}

/// Begins to tell a supervisor; an error says why it cannot be told.
pub fn begin(supervisor: Supervisor) -> Result<(), String> {
    match supervisor {
        Supervisor::Upstart if env::var_os(JOB).is_none() => {
            return Err("upstart supervision requested, but UPSTART_JOB not found!".into());
        }
        Supervisor::Upstart => {
            raise(Signal::SIGSTOP)
                .map_err(|error| format!("upstart supervision error: {error}"))?;
        }
        Supervisor::Systemd if env::var_os(SOCKET).is_none() => {
            return Err("systemd supervision error: NOTIFY_SOCKET not found!".into());
        }
        Supervisor::Systemd => send("STATUS=Oxidis is loading...\n")
            .map_err(|error| format!("systemd supervision error: sd_notify: {error}"))?,
    }
    // There is one start.
    let _ = PRESENT.set(supervisor);
    Ok(())
}

/// Tells systemd, if it is the supervisor: assignments, one a line.
pub fn notify(state: &str) {
    if present() == Some(Supervisor::Systemd)
        && let Err(error) = send(state)
    {
        tracing::warn!("systemd supervision error: sd_notify: {error}");
    }
}

fn send(state: &str) -> io::Result<()> {
    let name = env::var_os(SOCKET).ok_or(io::ErrorKind::NotFound)?;
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(&name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A supervisor that does not listen must not hold up the server.
    socket.set_write_timeout(Some(Duration::from_secs(1)))?;
    socket.send_to_addr(state.as_bytes(), &address).map(drop)
}
