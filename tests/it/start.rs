//! How the program starts: Unix sockets, and refusals in one line.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::Command;

use tempfile::TempDir;

use crate::common::Server;

#[test]
fn a_unix_socket_has_its_owner_and_mode() {
    // The group of whatever the test makes, so that it may be given away by anybody.
    let folder = TempDir::new().expect("a temporary directory");
    let group = fs::metadata(folder.path()).expect("the folder").gid();
    let path = folder.path().join("server.sock");
    // What a crash left behind is in nobody's way.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let mut server = Server::start(&[
        "--unixsocket",
        &path.display().to_string(),
        "--unixsocketperm",
        "770",
        "--unixsocketgroup",
        &group.to_string(),
    ]);
    let file = fs::metadata(&path).expect("the socket");
    assert_eq!(
        (file.permissions().mode() & 0o777, file.gid()),
        (0o770, group)
    );
    let mut socket = UnixStream::connect(&path).expect("it listens");
    socket.write_all(b"CLIENT INFO\r\nQUIT\r\n").expect("sent");
    let mut told = String::new();
    socket.read_to_string(&mut told).expect("an answer");
    assert!(told.contains(" flags=U "), "{told}");
    assert!(
        told.contains(&format!(" addr={}:0 ", path.display())),
        "{told}"
    );
    server.stop();
    assert!(!path.exists(), "it takes its socket away");
}

#[test]
fn what_is_wrong_is_one_line_and_status_one() {
    let folder = TempDir::new().expect("a temporary directory");
    let main = folder.path().join("redis.conf");
    fs::write(&main, "port 0\n\ninclude missing.conf\n").expect("a file");
    let main = main.display().to_string();
    let socket = folder.path().join("s.sock").display().to_string();
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = held.local_addr().expect("an address").port().to_string();
    let missing = folder.path().join("none").display().to_string();
    let cases: &[(&[&str], &str)] = &[
        (&[&missing], "No such file or directory"),
        (&[&folder.path().display().to_string()], "Is a directory"),
        (
            &[&main],
            "redis.conf:3: 'include missing.conf': can't read the configuration file 'missing.conf'",
        ),
        (&["--nosuch", "1"], "unknown directive 'nosuch'"),
        (&["--port", "x"], "couldn't be parsed into an integer"),
        (
            &["--bind", "127.0.0.1", "--port", &taken],
            "Failed listening on port",
        ),
        (
            &[
                "--port",
                "0",
                "--unixsocket",
                &socket,
                "--unixsocketgroup",
                "no such group",
            ],
            "there is no group 'no such group'",
        ),
        (&["--dir", &missing], ": No such file or directory"),
        (&["--dir", ""], ": No such file or directory"),
    ];
    for (args, reason) in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_oxidis"))
            .args(*args)
            .current_dir(folder.path())
            .output()
            .expect("it starts");
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {told}");
        assert!(told.contains(reason), "{args:?}: {told}");
        assert_eq!(told.lines().count(), 1, "{args:?}: {told}");
    }
}

#[test]
fn a_log_file_says_why_the_server_did_not_start() {
    let folder = TempDir::new().expect("a temporary directory");
    let log = folder.path().join("server.log");
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = held.local_addr().expect("an address").port();
    let output = Command::new(env!("CARGO_BIN_EXE_oxidis"))
        .args(["--bind", "127.0.0.1", "--port", &taken.to_string()])
        .args(["--logfile", &log.to_string_lossy()])
        .current_dir(folder.path())
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let logged = fs::read_to_string(&log).expect("a log");
    for told in [logged, String::from_utf8_lossy(&output.stderr).into_owned()] {
        assert!(told.contains("Failed listening on port"), "{told}");
    }
}

#[test]
fn huge_pages_are_used_where_they_are_asked_for() {
    for (directive, wanted) in [("yes", "0"), ("no", "1")] {
        let server = Server::start(&["--disable-thp", directive]);
        let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("Linux");
        let mut lines = status.lines();
        // Kernels before 5.0 do not tell.
        if let Some(told) = lines.find_map(|line| line.strip_prefix("THP_enabled:")) {
            assert_eq!(told.trim(), wanted, "disable-thp {directive}");
        }
    }
}
