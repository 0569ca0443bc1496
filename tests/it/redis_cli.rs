//! redis-cli, where it is installed.

use std::process::Command;
use std::time::Duration;

use crate::common::{Server, frame, installed, run};

/// What redis-cli prints with these arguments, given this input; None where it is not installed.
#[track_caller]
fn cli(server: &Server, args: &[&str], input: &[u8]) -> Option<String> {
    if !installed("redis-cli") {
        return None;
    }
    let mut command = Command::new("redis-cli");
    command.args(["-p", &server.port().to_string()]).args(args);
    let output = run(&mut command, input, Duration::from_secs(60));
    assert!(
        output.status.success(),
        "redis-cli {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).expect("redis-cli prints text"))
}

#[track_caller]
fn check(server: &Server, rows: &[(&[&str], &str)]) {
    for (args, expected) in rows {
        if let Some(printed) = cli(server, args, b"") {
            assert_eq!(&printed, expected, "redis-cli {args:?}");
        }
    }
}

#[test]
fn replies_as_they_are_shown() {
    let server = Server::start(&[]);
    check(
        &server,
        &[
            (&["SET", "key", "a b"], "OK\n"),
            (&["GET", "key"], "a b\n"),
            (&["--no-raw", "GET", "key"], "\"a b\"\n"),
            (&["--no-raw", "GET", "nothing"], "(nil)\n"),
            (&["--no-raw", "INCR", "n"], "(integer) 1\n"),
            (
                &["--no-raw", "MGET", "key", "nothing", "n"],
                "1) \"a b\"\n2) (nil)\n3) \"1\"\n",
            ),
            (
                &["INCR", "key"],
                "ERR value is not an integer or out of range\n\n",
            ),
            (&["-n", "3", "DBSIZE"], "0\n"),
            (&["-r", "3", "INCR", "n"], "2\n3\n4\n"),
        ],
    );
}

#[test]
fn replies_of_resp3() {
    let server = Server::start(&[]);
    check(
        &server,
        &[
            (&["-3", "--no-raw", "GET", "nothing"], "(nil)\n"),
            (
                &["-3", "--no-raw", "CONFIG", "GET", "save"],
                "1# \"save\" => \"\"\n",
            ),
            (&["-3", "PING"], "PONG\n"),
        ],
    );
}

#[test]
fn commands_from_standard_input() {
    let server = Server::start(&[]);
    let script = b"SET key \"one\\ntwo\"\nSTRLEN key\nMULTI\nINCR n\nINCR n\nEXEC\n";
    if let Some(printed) = cli(&server, &[], script) {
        assert_eq!(printed, "OK\n7\nOK\nQUEUED\nQUEUED\n1\n2\n");
    }
}

#[test]
fn scan_finds_all_keys() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for number in 0..1_000 {
        raw.tell(&format!("SET key:{number} x"));
    }
    raw.read_many(1_000);
    if let Some(printed) = cli(&server, &["--scan", "--pattern", "key:*"], b"") {
        let mut keys: Vec<&str> = printed.lines().collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 1_000);
    }
}

#[test]
fn pipe_mode_loads_many_commands() {
    let server = Server::start(&[]);
    let input: Vec<u8> = (0..50_000)
        .flat_map(|number: u32| {
            let (key, value) = (format!("key:{number}"), format!("value {number}"));
            frame(&[b"SET", key.as_bytes(), value.as_bytes()])
        })
        .collect();
    if let Some(printed) = cli(&server, &["--pipe"], &input) {
        assert!(
            printed.ends_with("errors: 0, replies: 50000\n"),
            "{printed}"
        );
        assert_eq!(server.raw().ask("DBSIZE").number(), 50_000);
    }
}

#[test]
fn info_is_readable() {
    let server = Server::start(&[]);
    if let Some(printed) = cli(&server, &["INFO"], b"") {
        let port = format!("tcp_port:{}", server.port());
        for line in [
            "# Server",
            "redis_mode:standalone",
            "loading:0",
            "role:master",
            "# Keyspace",
            &port,
        ] {
            assert!(
                printed.lines().any(|printed| printed == line),
                "{line} is in:\n{printed}"
            );
        }
    }
}

#[test]
fn big_and_hot_keys_are_found() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lfu"]);
    let mut raw = server.raw();
    for number in 0..200 {
        raw.ask(&format!("SET key:{number} {}", "x".repeat(number + 1)));
    }
    raw.ask("RPUSH list 1 2 3");
    raw.ask("HSET hash a 1 b 2");
    raw.send("GET key:7\r\n".repeat(200));
    raw.read_many(200);
    let modes: &[(&str, &[&str])] = &[
        (
            "--bigkeys",
            &[
                "Sampled 202 keys",
                "key:199\"' has 200 bytes",
                "list\"' has 3 items",
                "hash\"' has 2 fields",
            ],
        ),
        ("--memkeys", &["Sampled 202 keys", "Biggest string found"]),
        ("--hotkeys", &["Sampled 202 keys", "key:7\""]),
    ];
    for (mode, expected) in modes {
        if let Some(printed) = cli(&server, &[mode], b"") {
            for text in *expected {
                assert!(printed.contains(text), "{text} in {printed}");
            }
        }
    }
}
