//! Those without a password: what they cost (CVE-2025-21605, CVE-2025-48367, CVE-2026-27623), and what keeps them out.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::check_health;
use crate::common::{Raw, Reply, Server, bulk, error, ok};

fn used(raw: &mut Raw) -> usize {
    let text = raw.ask("INFO memory").text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.and_then(|number| number.parse().ok())
        .expect("a number")
}

/// Replies that nobody fetches are kept, but not without end: the server stops reading, or closes.
#[test]
fn replies_that_a_stranger_does_not_fetch_cost_little() {
    const MOST: usize = 8 << 20;
    let server = Server::start(&["--requirepass", "secret"]);
    let mut member = server.raw();
    assert_eq!(member.ask("AUTH secret"), ok());
    let before = used(&mut member);
    let mut strangers: Vec<Raw> = (0..3).map(|_| server.raw()).collect();
    let batch = b"*1\r\n$4\r\nPING\r\n".repeat(2_000);
    let deadline = Instant::now() + Duration::from_secs(3);
    let threads: Vec<_> = strangers
        .drain(..)
        .map(|mut raw| {
            let batch = batch.clone();
            std::thread::spawn(move || {
                raw.set_write_timeout(Duration::from_millis(500));
                while Instant::now() < deadline && raw.try_send(&batch).is_ok() {}
                raw
            })
        })
        .collect();
    let mut peak = 0;
    while Instant::now() < deadline {
        peak = peak.max(used(&mut member));
        std::thread::sleep(Duration::from_millis(50));
    }
    let kept: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
    peak = peak.max(used(&mut member));
    assert!(peak < before + MOST, "{peak} bytes, {before} before");
    drop(kept);
    check_health_of(&server);
}

fn check_health_of(server: &Server) {
    let mut member = server.raw();
    assert_eq!(member.ask("AUTH secret"), ok());
    assert_eq!(member.ask("ECHO well"), bulk("well"));
    assert!(!server.log().contains("panicked"));
}

/// Nothing but what serves to log in is run, whatever is sent around it.
#[test]
fn strangers_get_nothing_done() {
    let server = Server::start(&["--requirepass", "secret"]);
    let mut raw = server.raw();
    let refusal = error("NOAUTH Authentication required.");
    for command in [
        "SET key value",
        "MULTI",
        "WATCH key",
        "SUBSCRIBE channel",
        "MONITOR",
        "EVAL \"return 1\" 0",
        "DEBUG SLEEP 1",
        "CLIENT LIST",
        "CLIENT SETNAME name",
        "CLIENT KILL TYPE normal",
        "COMMAND",
        "CONFIG GET *",
        "SHUTDOWN NOSAVE",
        "SCRIPT KILL",
        "BLPOP list 0",
        "PING",
        "ECHO hello",
        "INFO",
        "FLUSHALL",
    ] {
        assert_eq!(raw.ask(command), refusal, "{command}");
    }
    raw.send(b"*0\r\n\r\n*-1\r\n*1\r\n$4\r\nPING\r\n");
    assert_eq!(raw.read(), refusal);
    for password in ["", "secre", "secrett", "SECRET", "secret\\x00"] {
        let reply = raw.ask(&format!("AUTH \"{password}\""));
        assert!(reply.text().starts_with("WRONGPASS"), "{reply:?}");
    }
    assert!(
        raw.ask("HELLO 3 AUTH default wrong")
            .text()
            .starts_with("WRONGPASS")
    );
    assert!(raw.ask("HELLO 3").text().starts_with("NOAUTH"));
    assert_eq!(raw.ask("GET key"), refusal);
    check_health_of(&server);
}

/// Browsers can be made to send requests to any port.
#[test]
fn requests_of_browsers_are_cut_off() {
    let server = Server::start(&[]);
    for request in [
        "POST / HTTP/1.1\r\nHost: here\r\n\r\nSET key evil\r\n",
        "GET / HTTP/1.1\r\nHost: here\r\n\r\nSET key evil\r\n",
        "post / HTTP/1.1\r\n\r\nSET key evil\r\n",
        "PUT / HTTP/1.1\r\nhost: here\r\n\r\nSET key evil\r\n",
    ] {
        let mut raw = server.raw();
        raw.send(request);
        while raw.try_read().is_ok() {}
        raw.expect_closed();
        assert_eq!(server.raw().ask("GET key"), Reply::NullBulk, "{request}");
    }
    let mut raw = server.raw();
    check_health(&server, &mut raw);
}

/// Whoever gets in finds the permissions that were asked for (CVE-2023-45145).
#[test]
fn a_unix_socket_has_its_permissions_before_anybody_is_let_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let watched = path.clone();
    let watcher = std::thread::spawn(move || {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if UnixStream::connect(&watched).is_ok() {
                let metadata = std::fs::metadata(&watched).expect("it is there");
                return Some(metadata.permissions().mode() & 0o777);
            }
        }
        None
    });
    let path = path.to_str().expect("a plain name");
    let _server = Server::start(&["--unixsocket", path, "--unixsocketperm", "600"]);
    assert_eq!(watcher.join().expect("it does not panic"), Some(0o600));
}

/// Keys that collide in one process do not in the next: hashes are keyed anew, as the order of a walk shows.
#[test]
fn hashes_differ_from_process_to_process() {
    let mut server = Server::start(&[]);
    let mut walk = || {
        let mut raw = server.raw();
        for n in 0..200 {
            raw.ask(&format!("SET key:{n} {n}"));
            raw.ask(&format!("SADD set member:{n}"));
        }
        let order = (raw.ask("KEYS *"), raw.ask("SMEMBERS set"));
        server.restart();
        order
    };
    let (first, second) = (walk(), walk());
    assert_ne!(first.0, second.0);
    assert_ne!(first.1, second.1);
}

/// An address of this machine by which it is not known to itself alone.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: it only chooses the way.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[test]
fn without_a_password_others_are_turned_away() {
    let Some(address) = own_address() else {
        println!("skipped: this machine has no address but its own");
        return;
    };
    for (options, expected) in [
        (&[][..], "-DENIED Redis is running in protected mode"),
        (&["--requirepass", "secret"], "-NOAUTH"),
        (&["--protected-mode", "no"], "+PONG"),
    ] {
        let server = Server::start(options);
        let mut stream = TcpStream::connect((address, server.port())).expect("it listens");
        let timeout = Some(Duration::from_secs(30));
        stream.set_read_timeout(timeout).expect("a valid timeout");
        let _ = stream.write_all(b"PING\r\n");
        let mut reply = vec![0; expected.len()];
        stream.read_exact(&mut reply).expect("an answer");
        assert_eq!(String::from_utf8_lossy(&reply), expected);
    }
}
