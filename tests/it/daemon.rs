//! Running in the background: the program returns at once, its server goes on and leaves its process id in a file.

use std::net::TcpListener;
use std::process::Command;

use tempfile::TempDir;

use crate::common::{Raw, eventually, simple};

#[test]
fn a_daemon_leaves_its_process_id() {
    let dir = TempDir::new().expect("a temporary directory");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let status = Command::new(env!("CARGO_BIN_EXE_oxidis"))
        .args([
            "--daemonize",
            "yes",
            "--pidfile",
            "server.pid",
            "--save",
            "",
        ])
        .args(["--logfile", "server.log", "--port", &port.to_string()])
        .arg("--dir")
        .arg(dir.path())
        .status()
        .expect("it starts");
    assert!(status.success());
    eventually("it listens", || Raw::try_connect(port).is_ok());
    let file = dir.path().join("server.pid");
    let id = std::fs::read_to_string(&file).expect("the file is there");
    let mut raw = Raw::connect(port);
    assert_eq!(raw.ask("PING"), simple("PONG"));
    let info = raw.ask("INFO server").text();
    assert!(
        info.contains(&format!("process_id:{}\r\n", id.trim())),
        "{id}"
    );
    raw.send("SHUTDOWN NOSAVE\r\n");
    raw.expect_closed();
    eventually("the file is gone", || !file.exists());
}
