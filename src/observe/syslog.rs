//! The system's log: messages as datagrams to its socket, in the form that C libraries send them.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use jiff::Zoned;
use parking_lot::Mutex;

use crate::base::severity::Severity;

/// Where the system's log listens.
pub const SOCKET: &str = "/dev/log";

/// A way to the system's log.
#[derive(Debug)]
pub struct Syslog {
    ident: String,
    /// The facility's number.
    facility: u8,
    path: PathBuf,
    /// Connected when there is something to send, and again when the system's log was restarted.
    socket: Mutex<Option<UnixDatagram>>,
}

impl Syslog {
    /// Messages bear this name and belong to this facility.
    pub fn new(ident: &str, facility: &str, path: impl AsRef<Path>) -> Self {
        const LOCAL_0: u8 = 16;
        let local = facility
            .strip_prefix("local")
            .and_then(|number| number.parse().ok());
        Self {
            ident: ident.to_owned(),
            facility: local.map_or(1, |number: u8| LOCAL_0 + number),
            path: path.as_ref().to_owned(),
            socket: Mutex::new(None),
        }
    }

    /// Sends a message. There is nowhere to tell that it could not be sent.
    pub fn send(&self, process: u32, time: &Zoned, severity: Severity, text: &str) {
        let line = self.line(process, time, severity, text);
        let mut socket = self.socket.lock();
        if let Some(present) = &*socket
            && was_sent(&present.send(line.as_bytes()))
        {
            return;
        }
        *socket = self.connect().ok();
        if let Some(present) = &*socket {
            let _ = present.send(line.as_bytes());
        }
    }

    fn connect(&self) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(&self.path)?;
        // A log that is full must not hold up the server.
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn line(&self, process: u32, time: &Zoned, severity: Severity, text: &str) -> String {
        let level = match severity {
            Severity::Debug => 7,
            Severity::Verbose => 6,
            Severity::Notice => 5,
            Severity::Warning | Severity::Nothing => 4,
        };
        let priority = self.facility * 8 + level;
        let time = time.strftime("%b %e %H:%M:%S");
        format!("<{priority}>{time} {}[{process}]: {text}", self.ident)
    }
}

/// A message that finds no room is lost: another connection would find none either.
fn was_sent(result: &io::Result<usize>) -> bool {
    !matches!(result, Err(error) if error.kind() != io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    #[test]
    fn messages_arrive_also_after_a_restart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log");
        let time = date(2026, 11, 2)
            .at(1, 2, 3, 0)
            .to_zoned(TimeZone::UTC)
            .expect("a time");
        let syslog = Syslog::new("redis", "local2", &path);
        syslog.send(7, &time, Severity::Notice, "nobody listens");
        for _ in 0..2 {
            let _ = std::fs::remove_file(&path);
            let log = UnixDatagram::bind(&path).expect("a socket");
            syslog.send(7, &time, Severity::Warning, "a message");
            let mut bytes = [0; 100];
            let count = log.recv(&mut bytes).expect("a message");
            let expected = "<148>Nov  2 01:02:03 redis[7]: a message";
            assert_eq!(String::from_utf8_lossy(&bytes[..count]), expected);
        }
        let user = Syslog::new("a", "user", &path);
        assert!(
            user.line(1, &time, Severity::Debug, "x")
                .starts_with("<15>")
        );
    }
}
