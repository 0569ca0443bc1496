//! CONFIG SET of every directive that both servers have, with values at the edges of every kind of directive: what is
//! accepted, what CONFIG GET then shows, and how it is refused.

use std::collections::BTreeSet;

use crate::common::{Raw, Reply, Server};

const VALUES: &[&str] = &[
    "",
    "yes",
    "no",
    "YES",
    "maybe",
    "0",
    "1",
    "-1",
    "2",
    "10",
    "+5",
    "0x10",
    "1.5",
    " 5",
    "1 2",
    "1 2 3",
    "3600 1",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1kb",
    "3mb",
    "1G",
    "b",
    "1tb",
    "10%",
    "-10%",
    "everysec",
    "ALLKEYS-LRU",
    "noeviction",
    "notice",
    "KEA",
    "a b",
    "a/b",
    "\"",
    "$",
    "{title} x",
    "normal 1mb 0 0",
    "0777",
    "888",
    "127.0.0.1",
];

/// What would move the server or lock its clients out, and why the rest is not alike.
const LEFT_OUT: &[(&str, &str)] = &[
    ("bind", "moves the server"),
    ("port", "moves the server"),
    ("tls-port", "moves the server"),
    ("dir", "moves the server"),
    ("maxclients", "depends on the limit of open files"),
    ("requirepass", "locks clients out"),
    (
        "activedefrag",
        "is refused where the allocator is the system's",
    ),
    ("io-threads", "is the number of processors by default"),
    ("loglevel", "has a further level"),
    ("maxmemory", "may be a share of the machine's memory"),
    ("repl-diskless-load", "has a further choice"),
    (
        "repl-backlog-size",
        "has no least size: there is no backlog",
    ),
    (
        "watchdog-period",
        "has no least period: there is no watchdog",
    ),
    ("tls-cluster", "has no effect, so it needs no certificate"),
    (
        "tls-replication",
        "has no effect, so it needs no certificate",
    ),
    ("logfile", "is the test's own"),
    ("pidfile", "is the test's own"),
    ("unixsocket", "is the test's own"),
    (
        "appendonly",
        "begins a rewrite, after which it is refused for a while",
    ),
];

/// Single values that are not alike, and why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        "latency-tracking-info-percentiles",
        "0x10",
        "strtold knows hexadecimal numbers",
    ),
    (
        "maxmemory-clients",
        "9223372036854775808",
        "is taken for a percentage below zero",
    ),
    (
        "maxmemory-clients",
        "18446744073709551615",
        "is taken for a percentage below zero",
    ),
    (
        "maxmemory-clients",
        "18446744073709551616",
        "is taken for a percentage below zero",
    ),
];

fn get(raw: &mut Raw, name: &str) -> Vec<Reply> {
    raw.ask(&format!("CONFIG GET {name}")).items()
}

fn set(raw: &mut Raw, name: &str, value: &[u8]) -> Reply {
    raw.command(&[b"CONFIG", b"SET", name.as_bytes(), value])
}

fn names(raw: &mut Raw) -> BTreeSet<String> {
    let shown = get(raw, "*");
    shown.iter().step_by(2).map(Reply::text).collect()
}

#[test]
fn every_directive_takes_and_refuses_what_redis_does() {
    let protected = ["--enable-protected-configs", "yes"];
    let Some(reference) = Server::redis(&protected) else {
        return;
    };
    let server = Server::start(&protected);
    let (mut raw, mut expected) = (server.raw(), reference.raw());
    let (own, common) = (names(&mut raw), names(&mut expected));
    let left_out = |name: &str| LEFT_OUT.iter().any(|(other, _)| *other == name);
    let mut differences = Vec::new();
    for name in common.intersection(&own).filter(|name| !left_out(name)) {
        let initial = [get(&mut raw, name), get(&mut expected, name)];
        for value in VALUES {
            let replies = [&mut raw, &mut expected].map(|raw| {
                let reply = set(raw, name, value.as_bytes());
                (reply, get(raw, name))
            });
            let is_known = |row: &(&str, &str, &str)| row.0 == name && row.1 == *value;
            if replies[0] != replies[1] && !DIFFERENT.iter().any(is_known) {
                differences.push(format!("{name} {value:?}: {replies:?}"));
            }
            for (raw, initial) in [&mut raw, &mut expected].into_iter().zip(&initial) {
                set(raw, name, initial[1].text().as_bytes());
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
