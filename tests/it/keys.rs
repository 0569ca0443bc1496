//! Commands on keys of any type, and on databases.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::{Raw, Reply, Server, array, bulk, check, error, integer, ok, simple};

const NO_SUCH_KEY: &str = "ERR no such key";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const OUT_OF_RANGE: &str = "ERR DB index is out of range";
const SYNTAX: &str = "ERR syntax error";

fn arity(command: &str) -> Reply {
    error(&format!(
        "ERR wrong number of arguments for '{command}' command"
    ))
}

fn rows(rows: &[(&str, Reply)]) {
    let server = Server::start(&[]);
    check(&mut server.raw(), rows);
}

#[test]
fn deleting_and_counting() {
    rows(&[
        ("DBSIZE", integer(0)),
        ("MSET a 1 b 2 c 3 d 4", ok()),
        ("DBSIZE", integer(4)),
        ("EXISTS a", integer(1)),
        ("EXISTS a a nothing b", integer(3)),
        ("TOUCH a b nothing", integer(2)),
        ("DEL a a nothing", integer(1)),
        ("UNLINK b nothing c", integer(2)),
        ("DBSIZE", integer(1)),
        ("DEL", arity("del")),
        ("EXISTS", arity("exists")),
        ("UNLINK", arity("unlink")),
    ]);
}

#[test]
fn types() {
    rows(&[
        ("TYPE key", simple("none")),
        ("SET key x", ok()),
        ("TYPE key", simple("string")),
        ("TYPE", arity("type")),
    ]);
}

#[test]
fn renaming() {
    rows(&[
        ("RENAME a b", error(NO_SUCH_KEY)),
        ("RENAMENX a b", error(NO_SUCH_KEY)),
        ("MSET a 1 b 2", ok()),
        ("RENAMENX a b", integer(0)),
        ("RENAME a b", ok()),
        ("EXISTS a", integer(0)),
        ("GET b", bulk("1")),
        ("RENAME b b", ok()),
        ("RENAMENX b b", integer(0)),
        ("RENAMENX b c", integer(1)),
        ("GET c", bulk("1")),
        ("DBSIZE", integer(1)),
        ("RENAME a", arity("rename")),
    ]);
}

#[test]
fn copying() {
    let same = error("ERR source and destination objects are the same");
    rows(&[
        ("COPY a b", integer(0)),
        ("MSET a 1 b 2", ok()),
        ("COPY a b", integer(0)),
        ("GET b", bulk("2")),
        ("COPY a b REPLACE", integer(1)),
        ("GET b", bulk("1")),
        ("APPEND b x", integer(2)),
        ("GET a", bulk("1")),
        ("COPY a a", same.clone()),
        ("COPY a a DB 0", same),
        ("COPY a a DB 1", integer(1)),
        ("COPY a a DB 1 REPLACE", integer(1)),
        ("COPY a c DB 99", error(OUT_OF_RANGE)),
        ("COPY a c DB x", error(NOT_AN_INTEGER)),
        ("COPY a c NOSUCH", error(SYNTAX)),
        ("SELECT 1", ok()),
        ("GET a", bulk("1")),
        ("DBSIZE", integer(1)),
    ]);
}

#[test]
fn databases() {
    rows(&[
        ("SET key zero", ok()),
        ("SELECT 15", ok()),
        ("GET key", Reply::NullBulk),
        ("SET key fifteen", ok()),
        ("SELECT 16", error(OUT_OF_RANGE)),
        ("SELECT -1", error(OUT_OF_RANGE)),
        (
            "SELECT x",
            error("ERR value is not an integer or out of range"),
        ),
        ("GET key", bulk("fifteen")),
        ("FLUSHDB", ok()),
        ("DBSIZE", integer(0)),
        ("SELECT 0", ok()),
        ("GET key", bulk("zero")),
        ("FLUSHDB ASYNC", ok()),
        ("DBSIZE", integer(0)),
        ("FLUSHDB SYNC", ok()),
        ("FLUSHDB NOSUCH", error(SYNTAX)),
        ("FLUSHALL ASYNC", ok()),
        ("FLUSHALL SYNC", ok()),
        ("FLUSHALL NOSUCH", error(SYNTAX)),
    ]);
}

#[test]
fn moving_between_databases() {
    rows(&[
        ("MOVE key 1", integer(0)),
        ("SET key zero", ok()),
        (
            "MOVE key 0",
            error("ERR source and destination objects are the same"),
        ),
        ("MOVE key 16", error(OUT_OF_RANGE)),
        ("MOVE key x", error(NOT_AN_INTEGER)),
        ("MOVE key 1", integer(1)),
        ("EXISTS key", integer(0)),
        ("SET key again", ok()),
        ("MOVE key 1", integer(0)),
        ("GET key", bulk("again")),
        ("SELECT 1", ok()),
        ("GET key", bulk("zero")),
    ]);
}

#[test]
fn swapping_databases() {
    let server = Server::start(&[]);
    let (mut zero, mut one) = (server.raw(), server.raw());
    check(&mut zero, &[("SET key zero", ok())]);
    check(
        &mut one,
        &[("SELECT 1", ok()), ("MSET key one other x", ok())],
    );
    check(
        &mut zero,
        &[
            ("SWAPDB 0 1", ok()),
            ("GET key", bulk("one")),
            ("DBSIZE", integer(2)),
        ],
    );
    check(
        &mut one,
        &[("GET key", bulk("zero")), ("DBSIZE", integer(1))],
    );
    check(
        &mut zero,
        &[
            ("SWAPDB 0 0", ok()),
            ("SWAPDB 0 16", error(OUT_OF_RANGE)),
            ("SWAPDB x 1", error("ERR invalid first DB index")),
            ("SWAPDB 1 x", error("ERR invalid second DB index")),
        ],
    );
}

fn keys(raw: &mut Raw, pattern: &str) -> BTreeSet<String> {
    raw.command(&[b"KEYS", pattern.as_bytes()])
        .items()
        .iter()
        .map(Reply::text)
        .collect()
}

#[test]
fn keys_by_pattern() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[(
            "MSET hello 1 hallo 2 hxllo 3 hllo 4 heello 5 h*llo 6 H 7 a\\b 8 [x] 9",
            ok(),
        )],
    );
    let rows: &[(&str, &[&str])] = &[
        ("hello", &["hello"]),
        ("h?llo", &["hello", "hallo", "hxllo", "h*llo"]),
        (
            "h*llo",
            &["hello", "hallo", "hxllo", "hllo", "heello", "h*llo"],
        ),
        ("h[ae]llo", &["hello", "hallo"]),
        ("h[^ae]llo", &["hxllo", "h*llo"]),
        ("h[a-e]llo", &["hello", "hallo"]),
        ("h[e-a]llo", &["hello", "hallo"]),
        ("h\\*llo", &["h*llo"]),
        ("h[*]llo", &["h*llo"]),
        ("\\[x\\]", &["[x]"]),
        ("a\\\\b", &["a\\b"]),
        ("?", &["H"]),
        ("h", &[]),
        ("", &[]),
        (
            "**l**o",
            &["hello", "hallo", "hxllo", "hllo", "heello", "h*llo"],
        ),
    ];
    for (pattern, expected) in rows {
        let expected: BTreeSet<String> = expected.iter().map(|key| key.to_string()).collect();
        assert_eq!(keys(&mut raw, pattern), expected, "KEYS {pattern}");
    }
    assert_eq!(keys(&mut raw, "*").len(), 9);
}

#[test]
fn a_hostile_pattern_takes_no_time() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let key = "a".repeat(100);
    assert_eq!(raw.command(&[b"SET", key.as_bytes(), b"x"]), ok());
    raw.set_timeout(Duration::from_secs(5));
    let pattern = "a*".repeat(40) + "b";
    assert_eq!(raw.command(&[b"KEYS", pattern.as_bytes()]), array([]));
}

#[test]
fn a_random_key() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    assert_eq!(raw.ask("RANDOMKEY"), Reply::NullBulk);
    for number in 0..100 {
        raw.ask(&format!("SET key:{number} x"));
    }
    let seen: BTreeSet<String> = (0..2_000).map(|_| raw.ask("RANDOMKEY").text()).collect();
    assert!(seen.len() > 80, "{} of 100 keys were drawn", seen.len());
    assert!(seen.iter().all(|key| key.starts_with("key:")));
}

#[test]
fn object() {
    rows(&[
        ("OBJECT ENCODING nothing", Reply::NullBulk),
        ("OBJECT REFCOUNT nothing", Reply::NullBulk),
        ("OBJECT IDLETIME nothing", Reply::NullBulk),
        ("SET key value", ok()),
        ("OBJECT ENCODING key", bulk("embstr")),
        ("OBJECT REFCOUNT key", integer(1)),
        // At one moment, however slow the machine is.
        ("MULTI", ok()),
        ("GET key", simple("QUEUED")),
        ("OBJECT IDLETIME key", simple("QUEUED")),
        ("EXEC", array([bulk("value"), integer(0)])),
        (
            "OBJECT FREQ key",
            error(
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
                 switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ),
        ),
        ("OBJECT ENCODING", arity("object|encoding")),
    ]);
}

#[test]
fn object_freq_needs_lfu() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lfu"]);
    let mut raw = server.raw();
    check(&mut raw, &[("SET key value", ok())]);
    let first = raw.ask("OBJECT FREQ key").number();
    for _ in 0..1_000 {
        raw.ask("GET key");
    }
    let later = raw.ask("OBJECT FREQ key").number();
    assert!(later > first, "{first}, then {later}");
    let idle = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
                switching between policies at runtime LRU and LFU data will take some time to adjust.";
    check(&mut raw, &[("OBJECT IDLETIME key", error(idle))]);
}

#[test]
fn flushing_many_keys_is_complete() {
    const KEYS: usize = 100_000;
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for flush in ["FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB ASYNC"] {
        for number in 0..KEYS {
            raw.tell(&format!("SET key:{number} x"));
        }
        raw.read_many(KEYS);
        check(
            &mut raw,
            &[
                ("DBSIZE", integer(KEYS as i64)),
                (flush, ok()),
                ("DBSIZE", integer(0)),
            ],
        );
        assert_eq!(raw.ask("SCAN 0"), array([bulk("0"), array([])]));
    }
}

#[test]
fn info_counts_keys() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("MSET a 1 b 2", ok()),
            ("SET c 3 EX 100", ok()),
            ("SELECT 4", ok()),
            ("SET d 4", ok()),
        ],
    );
    let info = raw.ask("INFO keyspace").text();
    assert!(info.starts_with("# Keyspace\r\n"), "{info}");
    assert!(info.contains("\r\ndb0:keys=3,expires=1,avg_ttl="), "{info}");
    assert!(
        info.contains("\r\ndb4:keys=1,expires=0,avg_ttl=0"),
        "{info}"
    );
    raw.ask("FLUSHALL");
    assert_eq!(raw.ask("INFO keyspace").text(), "# Keyspace\r\n");
    check(
        &mut raw,
        &[
            ("SET d 4", ok()),
            ("CONFIG RESETSTAT", ok()),
            (
                "MGET d nothing d",
                array([bulk("4"), Reply::NullBulk, bulk("4")]),
            ),
        ],
    );
    let stats = raw.ask("INFO stats").text();
    assert!(
        stats.contains("\r\nkeyspace_hits:2\r\nkeyspace_misses:1\r\n"),
        "{stats}"
    );
}
