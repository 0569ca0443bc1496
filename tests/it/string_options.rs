//! What later versions of Redis and Valkey gave strings: conditions on the value, digests, MSETEX; and the events of
//! strings, long subsequences and strings that outgrow their place.

use crate::common::{Reply, Server, array, bulk, check, error, frame, integer, ok};

const SYNTAX: &str = "ERR syntax error";
const DIGEST_OF_HELLO: &str = "9555e8555c62dcfd";
const BAD_DIGEST: &str = "ERR must be exactly 16 hexadecimal characters";

fn rows(rows: &[(&str, Reply)]) {
    let server = Server::start(&[]);
    check(&mut server.raw(), rows);
}

fn arity(command: &str) -> Reply {
    error(&format!(
        "ERR wrong number of arguments for '{command}' command"
    ))
}

#[test]
fn set_compares_the_value() {
    rows(&[
        ("SET key new IFEQ old", Reply::NullBulk),
        ("GET key", Reply::NullBulk),
        ("SET key hello IFNE old", ok()),
        ("SET key new IFEQ hell", Reply::NullBulk),
        ("SET key new ifeq hello", ok()),
        ("SET key hello IFEQ new GET", bulk("new")),
        ("SET key new IFEQ other GET", bulk("hello")),
        ("GET key", bulk("hello")),
        ("SET key new IFNE hello", Reply::NullBulk),
        ("SET none new IFEQ x GET", Reply::NullBulk),
        ("GET none", Reply::NullBulk),
        ("SET number 12", ok()),
        ("SET number 13 IFEQ 12", ok()),
        ("SET number 14 IFNE 13 GET", bulk("13")),
        ("GET number", bulk("13")),
        ("SET key v IFEQ", error(SYNTAX)),
        ("SET key v NX IFEQ v", error(SYNTAX)),
        ("SET key v IFEQ v XX", error(SYNTAX)),
        ("SET key v IFEQ v IFNE v", error(SYNTAX)),
        (
            "SET key v IFEQ hello EX 0",
            error("ERR invalid expire time in 'set' command"),
        ),
        ("SET key v IFEQ hello EX 100", ok()),
        ("GET key", bulk("v")),
    ]);
}

#[test]
fn digests_stand_for_values() {
    rows(&[
        ("DIGEST key", Reply::NullBulk),
        ("SET key new IFDEQ short", Reply::NullBulk),
        ("SET key hello IFDNE short", ok()),
        ("DIGEST key", bulk(DIGEST_OF_HELLO)),
        ("SET key new IFDEQ short", error(BAD_DIGEST)),
        ("SET key new IFDNE short", error(BAD_DIGEST)),
        ("SET key new IFDEQ 0000000000000000", Reply::NullBulk),
        ("SET key new IFDNE 9555e8555c62dcfd", Reply::NullBulk),
        ("SET key hello IFDEQ 9555E8555C62DCFD", ok()),
        ("SET key hello IFDNE 0000000000000000", ok()),
        ("DELEX key IFDEQ 0000000000000000", integer(0)),
        ("DELEX key IFDNE 9555e8555c62dcfd", integer(0)),
        ("DELEX key IFDEQ short", error(BAD_DIGEST)),
        ("DELEX key IFDEQ 9555e8555c62dcfd", integer(1)),
        ("DELEX key IFDEQ short", integer(0)),
        ("DIGEST", arity("digest")),
    ]);
}

#[test]
fn deletion_compares_the_value() {
    rows(&[
        ("SET key hello", ok()),
        ("DELIFEQ key other", integer(0)),
        ("DELIFEQ none hello", integer(0)),
        ("DELIFEQ key hello", integer(1)),
        ("GET key", Reply::NullBulk),
        ("SET key 12", ok()),
        ("DELEX key IFEQ 13", integer(0)),
        ("DELEX key IFNE 12", integer(0)),
        ("DELEX key IFEQ 12", integer(1)),
        ("DELEX key IFEQ 12", integer(0)),
        ("DELEX key IFNE 12", integer(0)),
        ("SET key a", ok()),
        ("DELEX key ifne b", integer(1)),
        ("SET key a", ok()),
        ("DELEX key", integer(1)),
        ("DELEX key", integer(0)),
        ("DELEX key IFEQ", arity("delex")),
        ("DELEX key IFEQ a b", arity("delex")),
        (
            "DELEX key NX a",
            error("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"),
        ),
        ("DELIFEQ key", arity("delifeq")),
    ]);
}

#[test]
fn msetex_sets_all_or_none() {
    let pairs = "ERR wrong number of key-value pairs";
    let count = "ERR invalid numkeys value";
    rows(&[
        ("MSETEX 2 a 1 b 2", integer(1)),
        ("MGET a b", array([bulk("1"), bulk("2")])),
        ("MSETEX 2 b 3 c 3 NX", integer(0)),
        ("MSETEX 2 b 3 c 3 XX EX 100", integer(0)),
        ("MSETEX 2 a 3 b 3 XX PX 100000", integer(1)),
        ("MSETEX 1 c 3 KEEPTTL NX", integer(1)),
        ("MGET a b c", array([bulk("3"), bulk("3"), bulk("3")])),
        ("MSETEX 2 a 1 c 1 EXAT 1", integer(1)),
        (
            "MGET a b c",
            array([Reply::NullBulk, bulk("3"), Reply::NullBulk]),
        ),
        ("MSETEX 0 a 1", error(count)),
        ("MSETEX x a 1", error(count)),
        ("MSETEX 2147483648 a 1 EX 10", error(count)),
        ("MSETEX 2147483647 a 1 EX 10", error(pairs)),
        ("MSETEX 2 a 1 b", error(pairs)),
        ("MSETEX 1 a 1 NX XX", error(SYNTAX)),
        ("MSETEX 1 a 1 EX 10 PX 10", error(SYNTAX)),
        ("MSETEX 1 a 1 KEEPTTL EX 10", error(SYNTAX)),
        ("MSETEX 1 a 1 IFEQ 1", error(SYNTAX)),
        ("MSETEX 1 a 1 b 2", error(SYNTAX)),
        (
            "MSETEX 1 a 1 EX 0",
            error("ERR invalid expire time in 'msetex' command"),
        ),
        (
            "MSETEX 1 a 1 EX x",
            error("ERR value is not an integer or out of range"),
        ),
        ("GET a", Reply::NullBulk),
    ]);
}

#[test]
fn a_time_that_has_passed_deletes() {
    rows(&[
        ("SET key v", ok()),
        ("SET key w EXAT 1 GET", bulk("v")),
        ("GET key", Reply::NullBulk),
        ("SET key v PXAT 1", ok()),
        ("SETNX key v", integer(1)),
        ("GETEX key EXAT 1", bulk("v")),
        ("GET key", Reply::NullBulk),
    ]);
}

fn counted(value: i64, applied: i64) -> Reply {
    array([integer(value), integer(applied)])
}

#[test]
fn counters_keep_within_their_bounds() {
    let wrong_bounds = error("ERR LBOUND can't be greater than UBOUND");
    rows(&[
        ("INCREX n", counted(1, 1)),
        ("INCREX n BYINT -3", counted(-2, -3)),
        ("INCREX n BYINT 10 UBOUND 7", counted(-2, 0)),
        ("INCREX n BYINT 10 UBOUND 7 SATURATE", counted(7, 9)),
        ("INCREX n BYINT -10 LBOUND 0", counted(7, 0)),
        ("INCREX n BYINT -10 LBOUND 0 SATURATE", counted(0, -7)),
        ("INCREX new BYINT 5 UBOUND 4", counted(0, 0)),
        ("EXISTS new", integer(0)),
        ("SET n 9223372036854775807", ok()),
        ("INCREX n", counted(i64::MAX, 0)),
        ("INCREX n SATURATE", counted(i64::MAX, 0)),
        (
            "INCREX n BYINT 0 UBOUND -2 SATURATE",
            error("ERR increment or decrement would overflow"),
        ),
        ("INCREX n LBOUND 2 UBOUND 1", wrong_bounds.clone()),
        ("INCREX n BYFLOAT 1 LBOUND 2 UBOUND 1.5", wrong_bounds),
        ("INCREX f BYFLOAT 1.5", array([bulk("1.5"), bulk("1.5")])),
        (
            "INCREX f BYFLOAT 2 UBOUND 3.25",
            array([bulk("1.5"), bulk("0")]),
        ),
        (
            "INCREX f BYFLOAT 2 UBOUND 3.25 SATURATE",
            array([bulk("3.25"), bulk("1.75")]),
        ),
        (
            "INCREX f BYFLOAT -9 LBOUND -1 SATURATE",
            array([bulk("-1"), bulk("-4.25")]),
        ),
        (
            "INCREX f BYFLOAT inf",
            error("ERR increment would produce NaN or Infinity"),
        ),
        (
            "INCREX f BYINT 1.5",
            error("ERR value is not an integer or out of range"),
        ),
        ("INCREX n BYINT 1 BYFLOAT 1", error(SYNTAX)),
        ("INCREX n ENX", error(SYNTAX)),
        ("INCREX n ENX PERSIST", error(SYNTAX)),
        ("INCREX n BYINT", error(SYNTAX)),
        (
            "INCREX n EX 0",
            error("ERR invalid expire time in 'increx' command"),
        ),
        ("LPUSH list x", integer(1)),
        (
            "INCREX list",
            error("WRONGTYPE Operation against a key holding the wrong kind of value"),
        ),
    ]);
}

#[test]
fn counters_live_for_as_long_as_they_are_told() {
    rows(&[
        ("INCREX n EX 100 ENX", counted(1, 1)),
        ("TTL n", integer(100)),
        ("INCREX n EX 500 ENX", counted(2, 1)),
        ("TTL n", integer(100)),
        ("INCREX n", counted(3, 1)),
        ("TTL n", integer(100)),
        ("INCREX n UBOUND 3 EX 500", counted(3, 0)),
        ("TTL n", integer(100)),
        ("INCREX n EX 500", counted(4, 1)),
        ("TTL n", integer(500)),
        ("INCREX n PERSIST", counted(5, 1)),
        ("TTL n", integer(-1)),
        ("INCREX n PXAT 1", counted(6, 1)),
        ("EXISTS n", integer(0)),
    ]);
}

#[test]
fn long_floats_have_the_digits_of_redis() {
    rows(&[
        ("INCRBYFLOAT a 0.1", bulk("0.1")),
        ("INCRBYFLOAT a 0.2", bulk("0.3")),
        ("INCRBYFLOAT a -0.3", bulk("0")),
        (
            "INCRBYFLOAT b 3.14159265358979323846",
            bulk("3.14159265358979324"),
        ),
        ("INCRBYFLOAT c 1e20", bulk("100000000000000000000")),
        ("INCRBYFLOAT c 7", bulk("100000000000000000008")),
        ("INCRBYFLOAT d 0x1p-18", bulk("0.00000381469726562")),
        ("INCRBYFLOAT e -1e-30", bulk("0")),
        (
            "INCRBYFLOAT f 1e5000",
            error("ERR value is not a valid float"),
        ),
        (
            "INCRBYFLOAT f inf",
            error("ERR increment would produce NaN or Infinity"),
        ),
        ("INCRBYFLOAT g 5", bulk("5")),
        ("INCR g", integer(6)),
        ("INCRBYFLOAT g 0.5", bulk("6.5")),
    ]);
}

#[test]
fn strings_outgrow_their_place() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let mut model = Vec::new();
    for length in [0usize, 1, 30, 100, 3_000, 13_253, 16_384, 1, 70_000, 7] {
        let part = vec![b'a' + (model.len() % 26) as u8; length];
        let _held = raw.command(&[b"GET", b"key"]);
        model.extend_from_slice(&part);
        let reply = raw.command(&[b"APPEND", b"key", &part]);
        assert_eq!(reply, integer(model.len() as i64));
        assert_eq!(raw.command(&[b"GET", b"key"]), bulk(&model));
    }
    let tail = raw.ask("GETRANGE key -20000 -1");
    assert_eq!(tail, bulk(&model[model.len() - 20_000..]));
    assert_eq!(raw.ask("SETRANGE key 150000 end"), integer(150_003));
    model.resize(150_000, 0);
    model.extend_from_slice(b"end");
    assert_eq!(raw.ask("GET key"), bulk(&model));
}

#[test]
fn others_go_on_while_a_long_subsequence_is_found() {
    let server = Server::start(&[]);
    let (mut busy, mut other) = (server.raw(), server.raw());
    let (one, two) = (b"abc".repeat(2_000), b"acb".repeat(2_000));
    busy.command(&[b"MSET", b"a", &one, b"b", &two]);
    let commands: [&[&[u8]]; 3] = [
        &[b"LCS", b"a", b"b", b"LEN"],
        &[b"SET", b"a", b"x"],
        &[b"LCS", b"a", b"b"],
    ];
    busy.send(commands.map(frame).concat());
    assert_eq!(other.ask("SET c 1"), ok());
    assert_eq!(busy.read_many(3), [integer(4_000), ok(), bulk("")]);
}

#[test]
fn searches_inside_transactions_end_there() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let (one, two) = (b"abc".repeat(1_000), b"acb".repeat(1_000));
    raw.command(&[b"MSET", b"a", &one, b"b", &two]);
    raw.send("MULTI\r\nLCS a b LEN\r\nGETDEL c\r\nEXEC\r\n");
    let replies = raw.read_many(4);
    assert_eq!(replies[3], array([integer(2_000), Reply::NullBulk]));
}

/// Commands, each with the events that it leads to.
const EVENTS: &[(&str, &[&str])] = &[
    ("GET k", &["keymiss"]),
    ("SET k 1", &["new", "set"]),
    ("SET k 1 EX 100", &["set", "expire"]),
    ("SET k 1 NX", &[]),
    ("SET k 1 EXAT 1", &["del"]),
    ("SET k 1 GET", &["keymiss", "new", "set"]),
    ("INCR k", &["incrby"]),
    ("INCRBYFLOAT k 1", &["incrbyfloat"]),
    ("APPEND k \"\"", &["append"]),
    ("SETRANGE k 0 \"\"", &[]),
    ("SETRANGE k 9 x", &["setrange"]),
    ("GETEX k EX 100", &["expire"]),
    ("GETEX k PERSIST", &["persist"]),
    ("GETEX k PERSIST", &[]),
    ("GETDEL k", &["del"]),
    ("GETDEL k", &["keymiss"]),
    ("SETRANGE k 2 x", &["new", "setrange"]),
    ("DELEX k IFEQ y", &[]),
    ("DELEX k", &["del"]),
    ("MSETEX 1 k 1 EX 100", &["new", "set", "expire"]),
    ("DELIFEQ k 1", &["del"]),
    ("STRLEN k", &["keymiss"]),
    ("DIGEST k", &["keymiss"]),
    ("APPEND k 1", &["new", "append"]),
    ("GETSET k 2", &["set"]),
];

#[test]
fn every_change_has_its_events() {
    let server = Server::start(&["--notify-keyspace-events", "KAnm"]);
    let (mut raw, mut listener) = (server.raw(), server.raw());
    listener.ask("SUBSCRIBE __keyspace@0__:k");
    for (command, events) in EVENTS {
        raw.ask(command);
        for event in *events {
            let expected = array([bulk("message"), bulk("__keyspace@0__:k"), bulk(event)]);
            assert_eq!(listener.read(), expected, "{command}");
        }
    }
}
