//! Crowds and noise: ten thousand connections at once, and megabytes of bytes that are no protocol.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::common::{Raw, Server, eventually, frame, ok, simple};

const CROWD: usize = 10_000;
/// What the server may keep in all once a crowd has gone: its allocator holds some of the memory for later.
const KEPT: i64 = 8 * 1024 * 1024;

/// A field of INFO as a number.
fn info(raw: &mut Raw, section: &str, field: &str) -> i64 {
    let text = raw.ask(&format!("INFO {section}")).text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|value| value.trim().parse().ok())
        .unwrap_or_else(|| panic!("INFO {section} has no {field}"))
}

/// Lets this process and its children open as many files as a crowd needs; false where that is not allowed.
fn allow_files(count: u64) -> bool {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return false;
    };
    soft >= count || (hard >= count && setrlimit(Resource::RLIMIT_NOFILE, count, hard).is_ok())
}

#[test]
fn ten_thousand_connections_idle_and_then_active() {
    if !allow_files(2 * CROWD as u64) {
        println!("skipped: this user may not open {} files", 2 * CROWD);
        return;
    }
    let server = Server::start(&["--maxclients", "20000", "--tcp-backlog", "4096"]);
    let mut observer = server.raw();
    let before = info(&mut observer, "memory", "used_memory");
    let mut crowd: Vec<Raw> = (0..CROWD).map(|_| server.raw()).collect();
    eventually("all are connected", || {
        info(&mut observer, "clients", "connected_clients") == CROWD as i64 + 1
    });
    let each = (info(&mut observer, "memory", "used_memory") - before) / CROWD as i64;
    assert!(each < 4096, "an idle connection takes {each} bytes");
    for (number, raw) in crowd.iter_mut().enumerate() {
        raw.send(frame(&[b"SET", b"key", number.to_string().as_bytes()]));
        raw.send(b"PING\r\n");
    }
    for raw in &mut crowd {
        assert_eq!(raw.read_many(2), [ok(), simple("PONG")]);
    }
    drop(crowd);
    eventually("all have left", || {
        info(&mut observer, "clients", "connected_clients") == 1
    });
    let kept = info(&mut observer, "memory", "used_memory") - before;
    assert!(kept < KEPT, "{kept} bytes are left of them");
}

/// Xorshift (Marsaglia 2003): the same noise in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// Frames of which some bytes were changed, left out or doubled.
    fn nearly_frames(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count)
            .flat_map(|number| frame(&[b"SET", number.to_string().as_bytes(), b"a value"]))
            .collect();
        for _ in 0..=self.next() % 4 {
            let at = self.next() as usize % bytes.len();
            match self.next() % 3 {
                0 => bytes[at] = self.next() as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"*$-19\r\n"[self.next() as usize % 7]),
            }
        }
        bytes
    }
}

#[test]
fn random_bytes_hurt_nobody() {
    let server = Server::start(&[]);
    let mut observer = server.raw();
    assert_eq!(observer.ask("PING"), simple("PONG"));
    let before = info(&mut observer, "memory", "used_memory");
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for round in 0..1_200 {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("it accepts");
        let timeout = Some(Duration::from_secs(30));
        stream.set_read_timeout(timeout).expect("a valid timeout");
        let bytes = match round % 3 {
            0 => noise.bytes(8 * 1024),
            1 => [b"*".to_vec(), noise.bytes(4 * 1024)].concat(),
            _ => noise.nearly_frames(100),
        };
        // The server may close before it has read everything.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut replies = Vec::new();
        if let Err(error) = stream.read_to_end(&mut replies) {
            assert_ne!(
                error.kind(),
                std::io::ErrorKind::WouldBlock,
                "round {round} hangs"
            );
        }
    }
    assert_eq!(observer.ask("PING"), simple("PONG"));
    eventually("all have left", || {
        info(&mut observer, "clients", "connected_clients") == 1
    });
    assert_eq!(observer.ask("FLUSHALL"), ok());
    let kept = info(&mut observer, "memory", "used_memory") - before;
    assert!(kept < KEPT, "{kept} bytes are left of it");
}
