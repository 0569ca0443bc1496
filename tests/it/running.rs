//! How the server lives with the system: supervisors, titles, signals, crashes, and the end.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::common::{Raw, Reply, Server, bulk, eventually, frame, ok, simple};

/// A server with an environment of its own; it is killed in the end.
struct Supervised {
    child: Child,
    port: u16,
    _dir: TempDir,
}

impl Supervised {
    fn start(supervised: &str, name: &str, value: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let child = Command::new(env!("CARGO_BIN_EXE_oxidis"))
            .args([
                "--port",
                &port.to_string(),
                "--save",
                "",
                "--supervised",
                supervised,
            ])
            .args(["--daemonize", "yes"])
            .arg("--dir")
            .arg(dir.path())
            .env(name, value)
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        Self {
            child,
            port,
            _dir: dir,
        }
    }

    fn signal(&self, signal: libc::c_int) {
        // SAFETY: the child has not been waited for, so its id is still its own.
        unsafe { libc::kill(self.child.id() as libc::pid_t, signal) };
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what systemd is told until it holds this.
#[track_caller]
fn hear(socket: &UnixDatagram, expected: &str) {
    let mut all = String::new();
    while !all.contains(expected) {
        let mut bytes = [0; 1000];
        let count = socket
            .recv(&mut bytes)
            .unwrap_or_else(|error| panic!("{expected}: {error}: {all}"));
        all += &String::from_utf8_lossy(&bytes[..count]);
    }
}

fn follow(socket: UnixDatagram, supervised: &str, address: &str) {
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a valid time");
    let mut server = Supervised::start(supervised, "NOTIFY_SOCKET", address);
    hear(&socket, "READY=1\n");
    let mut raw = Raw::connect(server.port);
    let info = raw.ask("INFO server").text();
    assert!(info.contains("process_supervised:systemd\r\n"), "{info}");
    let id = format!("process_id:{}\r\n", server.child.id());
    assert!(
        info.contains(&id),
        "who is supervised stays in the foreground: {info}"
    );
    server.signal(libc::SIGTERM);
    hear(&socket, "STOPPING=1\n");
    assert!(server.child.wait().expect("an end").success());
}

#[test]
fn systemd_is_told() {
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    follow(socket, "systemd", &path.display().to_string());
}

#[test]
fn systemd_is_found_out_and_told_at_an_abstract_address() {
    let name = format!("oxidis-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let socket = UnixDatagram::bind_addr(&address).expect("a socket");
    follow(socket, "auto", &format!("@{name}"));
}

#[test]
fn upstart_is_told_by_a_stop() {
    let server = Supervised::start("auto", "UPSTART_JOB", "oxidis");
    let stat = format!("/proc/{}/stat", server.child.id());
    eventually("it stops itself", || {
        std::fs::read_to_string(&stat).is_ok_and(|text| text.contains(") T "))
    });
    server.signal(libc::SIGCONT);
    eventually("it serves", || Raw::try_connect(server.port).is_ok());
    let info = Raw::connect(server.port).ask("INFO server").text();
    assert!(info.contains("process_supervised:upstart\r\n"), "{info}");
}

#[test]
fn a_supervisor_that_is_not_there_is_no_reason_not_to_start() {
    let server = Server::start(&["--supervised", "systemd"]);
    assert!(server.log().contains("NOTIFY_SOCKET not found!"));
    let info = server.raw().ask("INFO server").text();
    assert!(info.contains("process_supervised:no\r\n"), "{info}");
}

fn title(server: &Server) -> String {
    let bytes = std::fs::read(format!("/proc/{}/cmdline", server.pid())).expect("a title");
    String::from_utf8_lossy(&bytes)
        .trim_end_matches('\0')
        .to_owned()
}

#[test]
fn the_title_follows_its_template() {
    let server = Server::start(&["--unixsocket", "socket"]);
    let mut raw = server.raw();
    let (program, port) = (env!("CARGO_BIN_EXE_oxidis"), server.port());
    assert_eq!(title(&server), format!("{program} *:{port}"));
    let template =
        "TEST {title} {listen-addr} {port} {tls-port} {unixsocket} {config-file} {server-mode}";
    assert_eq!(
        raw.command(&[
            b"CONFIG",
            b"SET",
            b"proc-title-template",
            template.as_bytes()
        ]),
        ok()
    );
    assert_eq!(
        title(&server),
        format!("TEST {program} *:{port} {port} 0 socket -")
    );
    let refusal = raw.ask("CONFIG SET proc-title-template {nonsense}");
    assert!(matches!(&refusal, Reply::Error(text) if text.contains("template format is invalid")));
    let long = "x".repeat(100_000);
    assert_eq!(
        raw.ask(&format!("CONFIG SET proc-title-template {long}")),
        ok()
    );
    assert!(title(&server).starts_with("xxxx"));
    assert_eq!(raw.ask("PING"), simple("PONG"));
    let server = Server::start(&["--set-proc-title", "no"]);
    assert!(title(&server).contains("\0--set-proc-title\0no"));
}

#[test]
fn a_fault_is_reported_and_ends_the_process() {
    for (command, signal, told) in [
        ("DEBUG SEGFAULT", libc::SIGSEGV, "crashed by signal: 11"),
        (
            "DEBUG PANIC",
            libc::SIGABRT,
            "Software failure: DEBUG PANIC called",
        ),
        ("DEBUG ASSERT", libc::SIGABRT, "ASSERTION FAILED"),
        ("DEBUG OOM", libc::SIGABRT, "Out of memory"),
    ] {
        let mut server = Server::start(&["--enable-debug-command", "yes", "--logfile", "the.log"]);
        server.raw().tell(command);
        assert_eq!(server.wait().signal(), Some(signal), "{command}");
        let log = std::fs::read_to_string(server.dir().join("the.log")).expect("a log");
        for part in [
            told,
            "BUG REPORT START",
            "STACK TRACE",
            "BUG REPORT END",
            "Thread: worker-",
        ] {
            assert!(log.contains(part), "{command}: {part}: {log}");
        }
    }
    let mut server = Server::start(&["--crash-log-enabled", "no"]);
    server.signal(libc::SIGABRT);
    assert_eq!(server.wait().signal(), Some(libc::SIGABRT));
    assert!(!server.log().contains("BUG REPORT"));
}

#[test]
fn a_command_that_fails_closes_its_client_only() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let (mut other, mut raw) = (server.raw(), server.raw());
    raw.send("SET key value\r\nDEBUG FAULT\r\nPING\r\n");
    assert!(matches!(raw.read(), Reply::Error(text) if text.starts_with("ERR internal error")));
    raw.expect_closed();
    assert_eq!(other.ask("GET key"), bulk("value"));
    let log = server.log();
    for part in [
        "DEBUG FAULT called",
        "STACK TRACE",
        "Command: debug, arguments: 2, their bytes: [5]",
        "user=default",
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert_eq!(other.ask("CONFIG SET crash-log-enabled no"), ok());
    let mut raw = server.raw();
    raw.tell("DEBUG FAULT");
    raw.read();
    assert_eq!(server.log().matches("STACK TRACE").count(), 1);
}

#[test]
fn signals_are_those_of_redis() {
    let mut server = Server::start(&[]);
    let mut raw = server.raw();
    for signal in [libc::SIGHUP, libc::SIGPIPE] {
        server.signal(signal);
        assert_eq!(raw.ask("PING"), simple("PONG"));
    }
    server.signal(libc::SIGUSR1);
    assert_eq!(server.wait().signal(), Some(libc::SIGUSR1));
}

#[test]
fn the_system_is_told_how_dear_the_process_is() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let path = format!("/proc/{}/oom_score_adj", server.pid());
    let score = || -> i32 {
        let text = std::fs::read_to_string(&path).expect("a score");
        text.trim().parse().expect("a number")
    };
    let own = score();
    // Everybody may ask to be the first to go, not everybody to be spared.
    assert_eq!(
        raw.ask("CONFIG SET oom-score-adj-values \"100 200 300\""),
        ok()
    );
    assert_eq!(score(), own);
    assert_eq!(raw.ask("CONFIG SET oom-score-adj relative"), ok());
    assert_eq!(score(), (own + 100).min(1000));
    assert_eq!(
        raw.ask("CONFIG SET oom-score-adj-values \"2000 2000 2000\""),
        ok()
    );
    assert_eq!(score(), 1000);
    assert_eq!(raw.ask("CONFIG SET oom-score-adj no"), ok());
    assert_eq!(score(), own);
    let server = Server::start(&[
        "--oom-score-adj",
        "absolute",
        "--oom-score-adj-values",
        "900",
        "950",
        "1000",
    ]);
    let path = format!("/proc/{}/oom_score_adj", server.pid());
    assert_eq!(
        std::fs::read_to_string(path).expect("a score").trim(),
        "900"
    );
}

#[test]
fn requests_of_browsers_are_refused() {
    let server = Server::start(&[]);
    for request in [
        "POST / HTTP/1.1\r\n",
        "GET key\r\nHost: localhost\r\n",
        "post x\r\n",
    ] {
        let mut raw = server.raw();
        raw.send(format!("{request}SET stolen yes\r\n"));
        let _ = raw.try_read();
        raw.expect_closed();
    }
    assert_eq!(server.raw().ask("EXISTS stolen").number(), 0);
    assert_eq!(
        server
            .log()
            .matches("Possible SECURITY ATTACK detected")
            .count(),
        1
    );
    assert!(server.log().contains("Connection from 127.0.0.1:"));
}

#[test]
fn replies_are_sent_before_the_end() {
    let mut server = Server::start(&[]);
    let value = vec![b'x'; 1 << 20];
    let mut raw = server.raw();
    assert_eq!(raw.command(&[b"SET", b"big", &value]), ok());
    // More than the system takes on its way.
    const COUNT: usize = 15;
    let pipeline: Vec<u8> = (0..COUNT).flat_map(|_| frame(&[b"GET", b"big"])).collect();
    raw.send(&pipeline);
    // All have been run when this one is seen to be.
    eventually("the replies are ready", || {
        let clients = server.raw().ask("CLIENT LIST").text();
        clients
            .lines()
            .any(|line| line.contains(&format!("tot-cmds={}", COUNT + 1)))
    });
    let mut idle = server.raw();
    assert_eq!(idle.ask("PING"), simple("PONG"));
    let mut waiting = server.raw();
    waiting.tell("BLPOP nothing 0");
    server.signal(libc::SIGTERM);
    idle.expect_closed();
    waiting.expect_closed();
    eventually("nobody listens", || {
        Raw::try_connect(server.port()).is_err()
    });
    for _ in 0..COUNT {
        assert_eq!(raw.read(), bulk(&value));
    }
    raw.expect_closed();
    assert!(server.wait().success());
}

#[test]
fn a_reader_that_never_reads_does_not_hold_up_the_end() {
    let mut server = Server::start(&[]);
    let mut raw = server.raw();
    assert_eq!(raw.command(&[b"SET", b"big", &vec![b'x'; 1 << 20]]), ok());
    raw.send(
        (0..30)
            .flat_map(|_| frame(&[b"GET", b"big"]))
            .collect::<Vec<u8>>(),
    );
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    server.stop();
    assert!(begun.elapsed() < Duration::from_secs(20));
}

/// Counts up in small pipelines until the server ends the connection; says how many replies have come.
fn count_up(port: u16, key: &str) -> i64 {
    const DEPTH: i64 = 16;
    let mut raw = Raw::connect(port);
    let round = format!("INCR {key}\r\n").repeat(DEPTH as usize);
    let mut last = 0;
    while raw.try_send(round.as_bytes()).is_ok() {
        for _ in 0..DEPTH {
            match raw.try_read() {
                Ok(reply) => {
                    assert_eq!(reply, Reply::Integer(last + 1));
                    last += 1;
                }
                Err(_) => return last,
            }
        }
    }
    last
}

#[test]
fn whatever_was_done_before_a_restart_was_answered() {
    const CLIENTS: usize = 8;
    for options in [
        &["--appendonly", "yes"][..],
        &["--appendonly", "yes", "--appendfsync", "always"],
        &["--save", "3600 1"],
    ] {
        let mut server = Server::start(options);
        for round in 0..3 {
            let port = server.port();
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let key = format!("{round}:{client}");
                    std::thread::spawn(move || count_up(port, &key))
                })
                .collect();
            let mut raw = server.raw();
            eventually("all count", || {
                (0..CLIENTS).all(|client| raw.ask(&format!("STRLEN {round}:{client}")).number() > 2)
            });
            server.stop();
            let replies: Vec<i64> = clients
                .into_iter()
                .map(|client| client.join().expect("a count"))
                .collect();
            server.restart();
            let mut raw = server.raw();
            for (client, count) in replies.iter().enumerate() {
                let value = raw.ask(&format!("GET {round}:{client}")).text();
                assert_eq!(value, count.to_string(), "{options:?}");
            }
        }
    }
}
