//! DUMP and RESTORE: there and back, from one server to another of the kind, and what is refused.

use crate::common::{Raw, Reply, Server, check, error, integer, ok};

const BUSY: &str = "BUSYKEY Target key name already exists.";
const CHECKSUM: &str = "ERR DUMP payload version or checksum are wrong";
const SYNTAX: &str = "ERR syntax error";

/// Keys of every type and encoding that 7.0 knows, and the commands that make them.
pub(crate) fn fill(raw: &mut Raw) {
    let long = "x".repeat(100);
    let mut ask = |line: &str| {
        let reply = raw.ask(line);
        assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
    };
    ask("SET string:int 12345");
    ask("SET string:text hello");
    ask(&format!("SET string:long {}", "abc".repeat(10_000)));
    ask("SETBIT string:bits 1000 1");
    ask("PFADD string:hll a b c");
    ask("RPUSH list:small a 1 -5 300 70000 -9223372036854775808");
    ask("SADD set:int 1 2 70000");
    ask("SADD set:small a 1 b");
    ask("HSET hash:small a 1 b 2");
    ask("ZADD zset:small 1 a 2.5 b -inf c inf d");
    for n in 0..600 {
        ask(&format!("RPUSH list:big {n} {long}"));
        ask(&format!("SADD set:big {n}{long}"));
        ask(&format!("HSET hash:big {n} {long}{n}"));
        ask(&format!("ZADD zset:big {n}.25 member:{n}{long}"));
        ask(&format!("XADD stream 1-{} field {n} other {long}", n + 1));
    }
    ask("XDEL stream 1-3 1-4");
    ask("XGROUP CREATE stream group 1-5");
    ask("XGROUP CREATE stream idle 0");
    ask("XREADGROUP GROUP group alice COUNT 5 STREAMS stream >");
    ask("XREADGROUP GROUP group bob COUNT 2 STREAMS stream >");
    ask("XACK stream group 1-7");
}

const KEYS: &[&str] = &[
    "string:int",
    "string:text",
    "string:long",
    "string:bits",
    "string:hll",
    "list:small",
    "list:big",
    "set:int",
    "set:small",
    "set:big",
    "hash:small",
    "hash:big",
    "zset:small",
    "zset:big",
    "stream",
];

/// All that a value says of itself.
fn contents(raw: &mut Raw, key: &str) -> Vec<String> {
    let sorted = |reply: Reply| {
        let mut items: Vec<String> = reply
            .items()
            .into_iter()
            .map(|item| format!("{item:?}"))
            .collect();
        items.sort();
        items
    };
    let whole = |reply: Reply| vec![format!("{reply:?}")];
    match key.split(':').next().unwrap_or_default() {
        "string" => whole(raw.ask(&format!("GET {key}"))),
        "list" => whole(raw.ask(&format!("LRANGE {key} 0 -1"))),
        "set" => sorted(raw.ask(&format!("SMEMBERS {key}"))),
        "hash" => sorted(raw.ask(&format!("HGETALL {key}"))),
        "zset" => whole(raw.ask(&format!("ZRANGE {key} 0 -1 WITHSCORES"))),
        _ => [
            "XRANGE stream - +",
            "XINFO GROUPS stream",
            "XPENDING stream group - + 100 alice",
            "XPENDING stream group - + 100 bob",
        ]
        .iter()
        .map(|line| without_idle_time(raw.ask(line)))
        .collect(),
    }
}

/// The idle time of a pending entry is the clock's.
fn without_idle_time(reply: Reply) -> String {
    match reply {
        Reply::Array(rows) => {
            let rows = rows.into_iter().map(|row| match row {
                Reply::Array(mut cells)
                    if cells.len() == 4 && matches!(cells[2], Reply::Integer(_)) =>
                {
                    cells.remove(2);
                    Reply::Array(cells)
                }
                other => other,
            });
            format!("{:?}", rows.collect::<Vec<_>>())
        }
        other => format!("{other:?}"),
    }
}

fn carry(from: &mut Raw, to: &mut Raw) {
    for key in KEYS {
        let Reply::Bulk(payload) = from.ask(&format!("DUMP {key}")) else {
            panic!("{key} is there");
        };
        let restored = to.command(&[b"RESTORE", key.as_bytes(), b"0", &payload, b"REPLACE"]);
        assert_eq!(restored, ok(), "{key}");
        assert_eq!(contents(to, key), contents(from, key), "{key}");
    }
}

#[test]
fn values_go_from_server_to_server() {
    let server = Server::start(&[]);
    let (mut one, mut other) = (server.raw(), server.raw());
    fill(&mut one);
    assert_eq!(other.ask("SELECT 1"), ok());
    carry(&mut one, &mut other);
    let Some(reference) = Server::redis(&[]) else {
        println!("skipped: there is no redis-server on the PATH to exchange values with");
        return;
    };
    let mut redis = reference.raw();
    carry(&mut one, &mut redis);
    assert_eq!(redis.ask("FLUSHALL"), ok());
    fill(&mut redis);
    assert_eq!(one.ask("FLUSHALL"), ok());
    carry(&mut redis, &mut one);
}

#[test]
fn fields_keep_their_time() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for (key, fields) in [("small", 3), ("big", 300)] {
        for n in 0..fields {
            raw.ask(&format!("HSET {key} field:{n} value"));
        }
        raw.ask(&format!("HPEXPIREAT {key} 9999999999000 FIELDS 1 field:1"));
        raw.ask(&format!("HPEXPIREAT {key} 9999999999999 FIELDS 1 field:2"));
        let Reply::Bulk(payload) = raw.ask(&format!("DUMP {key}")) else {
            panic!("{key} is there");
        };
        assert_eq!(
            raw.command(&[b"RESTORE", b"copy", b"0", &payload, b"REPLACE"]),
            ok()
        );
        let ask = "HPEXPIRETIME copy FIELDS 3 field:0 field:1 field:2";
        let times = [-1, 9_999_999_999_000, 9_999_999_999_999].map(integer);
        assert_eq!(raw.ask(ask), Reply::Array(times.into()), "{key}");
        assert_eq!(raw.ask("HLEN copy"), integer(fields));
    }
}

#[test]
fn what_is_wrong_is_refused() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("DUMP nothing", Reply::NullBulk),
            ("SET a 1", ok()),
            ("RESTORE a 0 x", error(BUSY)),
            (
                "RESTORE b x x",
                error("ERR value is not an integer or out of range"),
            ),
            (
                "RESTORE b -1 x",
                error("ERR Invalid TTL value, must be >= 0"),
            ),
            ("RESTORE b 0 x", error(CHECKSUM)),
            ("RESTORE b 0 x NOTHING", error(SYNTAX)),
            ("RESTORE b 0 x IDLETIME", error(SYNTAX)),
            ("RESTORE b 0 x IDLETIME 1 FREQ 1", error(SYNTAX)),
            (
                "RESTORE b 0 x IDLETIME -1",
                error("ERR Invalid IDLETIME value, must be >= 0"),
            ),
            (
                "RESTORE b 0 x FREQ 256",
                error("ERR Invalid FREQ value, must be >= 0 and <= 255"),
            ),
        ],
    );
    let Reply::Bulk(payload) = raw.ask("DUMP a") else {
        panic!("a is there");
    };
    assert_eq!(
        raw.command(&[b"RESTORE", b"b", b"0", &payload, b"IDLETIME", b"1000"]),
        ok()
    );
    assert!(raw.ask("OBJECT IDLETIME b").number() >= 1_000);
    assert_eq!(
        raw.command(&[b"RESTORE", b"b", b"1000000", &payload, b"REPLACE"]),
        ok()
    );
    assert!((900_000..=1_000_000).contains(&raw.ask("PTTL b").number()));
    assert_eq!(
        raw.command(&[b"RESTORE", b"b", b"1", &payload, b"REPLACE", b"ABSTTL"]),
        ok()
    );
    assert_eq!(raw.ask("EXISTS b"), integer(0));
    let mut changed = payload;
    changed[1] ^= 1;
    assert_eq!(
        raw.command(&[b"RESTORE", b"b", b"0", &changed]),
        error(CHECKSUM)
    );
}

#[test]
fn restored_keys_survive_a_restart() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    raw.ask("RPUSH a 1 2 3");
    let Reply::Bulk(payload) = raw.ask("DUMP a") else {
        panic!("a is there");
    };
    assert_eq!(raw.command(&[b"RESTORE", b"b", b"1000000", &payload]), ok());
    assert_eq!(
        raw.command(&[b"RESTORE", b"a", b"0", &payload, b"REPLACE"]),
        ok()
    );
    server.restart();
    let mut raw = server.raw();
    assert_eq!(
        (raw.ask("LLEN a"), raw.ask("LLEN b")),
        (integer(3), integer(3))
    );
    assert!((1..=1_000_000).contains(&raw.ask("PTTL b").number()));
}
