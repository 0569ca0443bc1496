//! Globs that would take exponential time, or a level of the stack for each of their bytes (CVE-2022-36021,
//! CVE-2024-31228).

use std::time::{Duration, Instant};

use super::check_health;
use crate::common::{Reply, Server, ok};

/// Generous for a debug build on a busy machine; the naive algorithm takes years.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn hostile_patterns_are_matched_in_reasonable_time() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let text = "a".repeat(500);
    assert_eq!(raw.ask(&format!("SET {text} value")), ok());
    raw.ask(&format!("HSET h {text} value"));
    raw.ask(&format!("SADD s {text} x"));
    raw.ask(&format!("ZADD z 1 {text}"));
    raw.ask("FUNCTION LOAD \"#!lua name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\nredis.register_function('f', function() end)\"");
    let mut listener = server.raw();
    let patterns = [
        format!("{}b", "*a".repeat(40)),
        format!("{}b", "a*".repeat(1_000)),
        format!("{}b", "*?".repeat(1_000)),
        format!("{}b", "*[a-z]".repeat(500)),
        "*".repeat(5_000) + "b",
        "[".repeat(5_000),
        "[^".repeat(5_000),
        "\\".repeat(4_999),
        "*[a".repeat(300),
    ];
    for pattern in &patterns {
        let pattern = pattern.as_bytes();
        let commands: [&[&[u8]]; 9] = [
            &[b"KEYS", pattern],
            &[b"SCAN", b"0", b"COUNT", b"1000", b"MATCH", pattern],
            &[b"HSCAN", b"h", b"0", b"MATCH", pattern],
            &[b"SSCAN", b"s", b"0", b"MATCH", pattern],
            &[b"ZSCAN", b"z", b"0", b"MATCH", pattern],
            &[b"CONFIG", b"GET", pattern],
            &[b"PUBSUB", b"CHANNELS", pattern],
            &[b"COMMAND", b"LIST", b"FILTERBY", b"PATTERN", pattern],
            &[b"FUNCTION", b"LIST", b"LIBRARYNAME", pattern],
        ];
        listener.command(&[b"PSUBSCRIBE", pattern]);
        let since = Instant::now();
        for command in commands {
            let reply = raw.command(command);
            assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
        }
        raw.command(&[b"PUBLISH", text.as_bytes(), b"hello"]);
        assert!(
            since.elapsed() < LIMIT,
            "{:?} for {:?}",
            since.elapsed(),
            &pattern[..10]
        );
    }
    check_health(&server, &mut raw);
}
