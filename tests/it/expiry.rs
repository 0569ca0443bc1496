//! Time to live: the commands that set and show it, what keeps and what clears it, and that keys really go.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, integer, ok, simple,
};

const FAR: i64 = 4_000_000_000;

fn invalid(command: &str) -> Reply {
    error(&format!("ERR invalid expire time in '{command}' command"))
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time after 1970")
        .as_millis() as i64
}

#[track_caller]
fn assert_ttl(raw: &mut Raw, key: &str, seconds: i64) {
    let left = raw.ask(&format!("TTL {key}")).number();
    assert!(
        (seconds - 2..=seconds).contains(&left),
        "TTL {key} is {left}, not some {seconds}"
    );
}

#[test]
fn setting_and_showing() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("TTL key", integer(-2)),
            ("PTTL key", integer(-2)),
            ("EXPIRETIME key", integer(-2)),
            ("PEXPIRETIME key", integer(-2)),
            ("EXPIRE key 100", integer(0)),
            ("PERSIST key", integer(0)),
            ("SET key x", ok()),
            ("TTL key", integer(-1)),
            ("PTTL key", integer(-1)),
            ("EXPIRETIME key", integer(-1)),
            ("PEXPIRETIME key", integer(-1)),
            ("PERSIST key", integer(0)),
            ("EXPIREAT key 4000000000", integer(1)),
            ("EXPIRETIME key", integer(FAR)),
            ("PEXPIRETIME key", integer(FAR * 1000)),
            ("PEXPIREAT key 4000000000499", integer(1)),
            ("EXPIRETIME key", integer(FAR)),
            ("PEXPIREAT key 4000000000500", integer(1)),
            ("EXPIRETIME key", integer(FAR + 1)),
            ("PEXPIRETIME key", integer(FAR * 1000 + 500)),
            ("PERSIST key", integer(1)),
            ("TTL key", integer(-1)),
            ("EXPIRE key 100", integer(1)),
            ("TTL key", integer(100)),
            ("PEXPIRE key 1900", integer(1)),
            ("TTL key", integer(2)),
        ],
    );
}

#[test]
fn a_time_in_the_past_deletes() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for command in [
        "EXPIRE key -1",
        "EXPIRE key 0",
        "PEXPIRE key -1",
        "EXPIREAT key 1",
        "PEXPIREAT key 0",
    ] {
        check(
            &mut raw,
            &[
                ("SET key x", ok()),
                (command, integer(1)),
                ("EXISTS key", integer(0)),
            ],
        );
    }
    check(
        &mut raw,
        &[
            ("SET key x", ok()),
            ("SET key y EXAT 1", ok()),
            ("GET key", Reply::NullBulk),
        ],
    );
    check(
        &mut raw,
        &[
            ("SET key x", ok()),
            ("GETEX key PXAT 1", bulk("x")),
            ("GET key", Reply::NullBulk),
        ],
    );
}

#[test]
fn conditions() {
    let incompatible = error("ERR NX and XX, GT or LT options at the same time are not compatible");
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("SET key x", ok()),
            ("EXPIRE key 100 XX", integer(0)),
            // No time to live counts as endless.
            ("EXPIRE key 100 GT", integer(0)),
            ("EXPIRE key 100 LT", integer(1)),
            ("EXPIRE key 200 LT", integer(0)),
            ("EXPIRE key 200 NX", integer(0)),
            ("EXPIRE key 200 GT", integer(1)),
            ("EXPIRE key 300 xx gt", integer(1)),
            ("TTL key", integer(300)),
            ("EXPIRE key 100 XX LT", integer(1)),
            ("EXPIRE key 100 NX XX", incompatible.clone()),
            ("PEXPIRE key 100 NX GT", incompatible.clone()),
            ("EXPIREAT key 100 NX LT", incompatible),
            (
                "EXPIRE key 100 GT LT",
                error("ERR GT and LT options at the same time are not compatible"),
            ),
            ("EXPIRE key 100 AA", error("ERR Unsupported option AA")),
            ("EXPIRE key -1 GT", integer(0)),
            ("EXISTS key", integer(1)),
        ],
    );
}

#[test]
fn refused_times() {
    let not_integer = || error("ERR value is not an integer or out of range");
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("SET key x", ok()),
            ("EXPIRE key x", not_integer()),
            ("EXPIRE key 1.5", not_integer()),
            ("EXPIRE key 9223372036854775808", not_integer()),
            ("EXPIRE key 9223372036854775807", invalid("expire")),
            ("EXPIRE key -9223372036854775808", invalid("expire")),
            ("PEXPIRE key 9223372036854775807", invalid("pexpire")),
            ("EXPIREAT key 9223372036854775807", invalid("expireat")),
            ("SET key x EX 0", invalid("set")),
            ("SET key x PX -1", invalid("set")),
            ("SET key x EX 9223372036854775807", invalid("set")),
            ("SET key x EX 1.5", not_integer()),
            ("SETEX key 0 x", invalid("setex")),
            ("SETEX key -1 x", invalid("setex")),
            ("PSETEX key 0 x", invalid("psetex")),
            ("GETEX key EX 0", invalid("getex")),
            ("GETEX key EX x", not_integer()),
            ("TTL key", integer(-1)),
            ("GET key", bulk("x")),
        ],
    );
}

/// Commands upon a key that holds "1" for 100 seconds more, and whether it keeps that time.
const KEEPERS: &[(&str, bool)] = &[
    ("GET key", true),
    ("INCR key", true),
    ("INCRBYFLOAT key 1", true),
    ("APPEND key x", true),
    ("SETRANGE key 0 x", true),
    ("SETBIT key 0 1", true),
    ("SET key x KEEPTTL", true),
    ("SET key x NX", true),
    ("SETNX key x", true),
    ("GETEX key", true),
    ("GETRANGE key 0 1", true),
    ("TOUCH key", true),
    ("SET key x", false),
    ("SET key x XX", false),
    ("SET key x GET", false),
    ("GETSET key x", false),
    ("MSET key x", false),
    ("GETEX key PERSIST", false),
    ("PERSIST key", false),
];

#[test]
fn what_keeps_the_time_to_live() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for (command, keeps) in KEEPERS {
        check(&mut raw, &[("SET key 1 EX 100", ok())]);
        raw.ask(command);
        let left = raw.ask("TTL key").number();
        assert_eq!(left > 0, *keeps, "after {command} TTL is {left}");
    }
}

#[test]
fn the_time_to_live_moves_with_the_key() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("SET a 1 EX 100", ok()),
            ("SET b 2 EX 500", ok()),
            ("RENAME a b", ok()),
        ],
    );
    assert_ttl(&mut raw, "b", 100);
    check(
        &mut raw,
        &[("COPY b c", integer(1)), ("EXPIRE b 50", integer(1))],
    );
    assert_ttl(&mut raw, "c", 100);
    check(
        &mut raw,
        &[
            ("SET d 4", ok()),
            ("RENAME d c", ok()),
            ("TTL c", integer(-1)),
        ],
    );
    check(&mut raw, &[("MOVE b 1", integer(1)), ("SELECT 1", ok())]);
    assert_ttl(&mut raw, "b", 50);
}

#[test]
fn options_of_getex_and_set() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(&mut raw, &[("SETEX key 100 x", ok())]);
    assert_ttl(&mut raw, "key", 100);
    check(&mut raw, &[("PSETEX key 200000 x", ok())]);
    assert_ttl(&mut raw, "key", 200);
    for (options, seconds) in [("EX 300", 300), ("PX 400000", 400), ("ex 500", 500)] {
        check(&mut raw, &[(&format!("GETEX key {options}"), bulk("x"))]);
        assert_ttl(&mut raw, "key", seconds);
        check(&mut raw, &[(&format!("SET other x {options}"), ok())]);
        assert_ttl(&mut raw, "other", seconds);
    }
    check(
        &mut raw,
        &[
            ("GETEX key EXAT 4000000000", bulk("x")),
            ("EXPIRETIME key", integer(FAR)),
            ("SET key y PXAT 4000000000000 XX", ok()),
            ("PEXPIRETIME key", integer(FAR * 1000)),
            ("GETEX key EX 1 PX 1", error("ERR syntax error")),
            ("GETEX key PERSIST EX 1", error("ERR syntax error")),
            ("GETEX key NX", error("ERR syntax error")),
            ("SET key x EX 1 PX 1", error("ERR syntax error")),
            ("SET key x EX 1 KEEPTTL", error("ERR syntax error")),
            ("GETEX nothing EX 100", Reply::NullBulk),
        ],
    );
}

#[test]
fn an_expired_key_is_gone_for_every_command() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let rows = [
        ("GET brief", Reply::NullBulk),
        ("EXISTS brief", integer(0)),
        ("TYPE brief", simple("none")),
        ("TTL brief", integer(-2)),
        ("STRLEN brief", integer(0)),
        ("KEYS *", array([])),
        ("SCAN 0", array([bulk("0"), array([])])),
        ("RANDOMKEY", Reply::NullBulk),
        ("DEL brief", integer(0)),
        ("INCR brief", integer(1)),
        ("APPEND brief x", integer(1)),
        ("SET brief x XX", Reply::NullBulk),
        ("SET brief x NX", ok()),
        ("GETDEL brief", Reply::NullBulk),
        ("PERSIST brief", integer(0)),
        ("EXPIRE brief 10", integer(0)),
        ("RENAME brief other", error("ERR no such key")),
        ("COPY brief other", integer(0)),
        ("OBJECT ENCODING brief", Reply::NullBulk),
    ];
    for (command, expected) in rows {
        check(&mut raw, &[("FLUSHALL", ok()), ("SET brief 5 PX 1", ok())]);
        thread::sleep(Duration::from_millis(3));
        assert_eq!(raw.ask(command), expected, "{command}");
    }
}

#[test]
fn a_key_lives_until_its_time() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for _ in 0..20 {
        let end = now_ms() + 20;
        assert_eq!(raw.ask(&format!("SET key x PXAT {end}")), ok());
        let gone = loop {
            let before = now_ms();
            if raw.ask("EXISTS key") == integer(0) {
                break now_ms();
            }
            assert!(
                before <= end + 1,
                "it still lives {} ms after its end",
                before - end
            );
        };
        assert!(gone >= end, "it was gone {} ms before its end", end - gone);
    }
}

#[test]
fn keys_go_without_being_asked_for() {
    const KEYS: usize = 20_000;
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[("SET stays x", ok()), ("SET later x EX 1000", ok())],
    );
    for number in 0..KEYS {
        raw.tell(&format!("SET brief:{number} x PX {}", 1 + number % 200));
    }
    raw.read_many(KEYS);
    eventually("only two are left", || raw.ask("DBSIZE") == integer(2));
    let info = raw.ask("INFO").text();
    assert!(
        info.contains(&format!("expired_keys:{KEYS}\r\n")),
        "each is counted"
    );
    assert!(info.contains("db0:keys=2,expires=1,"), "{info}");
}

#[test]
fn a_refreshed_key_lives_on() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(&mut raw, &[("SET session x PX 2000", ok())]);
    for _ in 0..24 {
        thread::sleep(Duration::from_millis(100));
        check(&mut raw, &[("PEXPIRE session 2000", integer(1))]);
    }
    check(&mut raw, &[("PERSIST session", integer(1))]);
    thread::sleep(Duration::from_millis(2100));
    check(&mut raw, &[("GET session", bulk("x"))]);
}

#[test]
fn a_shortened_key_goes_early() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[("SET key x EX 1000", ok()), ("PEXPIRE key 30", integer(1))],
    );
    eventually("it is gone", || raw.ask("DBSIZE") == integer(0));
}

#[test]
fn expired_events_name_each_key_once() {
    let server = Server::start(&["--notify-keyspace-events", "Ex"]);
    let mut raw = server.raw();
    let mut listener = server.raw();
    listener.ask("SUBSCRIBE __keyevent@0__:expired");
    for number in 0..100 {
        raw.ask(&format!("SET brief:{number} x PX 20"));
    }
    let mut keys: Vec<String> = listener
        .read_many(100)
        .into_iter()
        .map(|event| event.items()[2].text())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 100);
    listener.expect_silence(Duration::from_millis(100));
}

#[test]
fn imported_keys_stay_past_their_time() {
    let server = Server::start(&["--import-mode", "yes"]);
    let (mut source, mut other) = (server.raw(), server.raw());
    check(
        &mut source,
        &[
            ("CLIENT IMPORT-SOURCE ON", ok()),
            ("SET short 1 PX 20", ok()),
            ("SET past 1 EXAT 1", ok()),
            ("SET long 1", ok()),
        ],
    );
    thread::sleep(Duration::from_millis(300));
    check(
        &mut source,
        &[
            (
                "MGET short past long",
                array([bulk("1"), bulk("1"), bulk("1")]),
            ),
            ("DBSIZE", integer(3)),
        ],
    );
    check(
        &mut other,
        &[
            ("EXISTS short past long", integer(1)),
            ("DBSIZE", integer(3)),
            ("CONFIG SET import-mode no", ok()),
            ("EXISTS short past long", integer(1)),
        ],
    );
    eventually("what has expired is removed", || {
        other.ask("DBSIZE") == integer(1)
    });
    let refused = error("ERR Server is not in import mode");
    assert_eq!(source.ask("CLIENT IMPORT-SOURCE ON"), refused);
    assert_eq!(source.ask("GET short"), Reply::NullBulk);
}
