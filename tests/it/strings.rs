//! String commands: every option and every refusal, as rows of command and reply.

use std::thread;

use crate::common::{Reply, Server, array, bulk, check, error, integer, ok};

const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const NOT_A_FLOAT: &str = "ERR value is not a valid float";
const OVERFLOW: &str = "ERR increment or decrement would overflow";
const SYNTAX: &str = "ERR syntax error";
const TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

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
fn set_and_get() {
    rows(&[
        ("GET key", Reply::NullBulk),
        ("SET key value", ok()),
        ("GET key", bulk("value")),
        ("SET key \"\"", ok()),
        ("GET key", bulk("")),
        ("STRLEN key", integer(0)),
        ("SET \"\" empty", ok()),
        ("GET \"\"", bulk("empty")),
        ("SET key", arity("set")),
        ("GET", arity("get")),
        ("STRLEN nothing", integer(0)),
        ("STRLEN \"\"", integer(5)),
    ]);
}

#[test]
fn options_of_set() {
    rows(&[
        ("SET key a XX", Reply::NullBulk),
        ("EXISTS key", integer(0)),
        ("SET key a NX", ok()),
        ("SET key b NX", Reply::NullBulk),
        ("GET key", bulk("a")),
        ("SET key b xx", ok()),
        ("SET key c GET", bulk("b")),
        ("SET other c GET", Reply::NullBulk),
        ("SET other d NX GET", bulk("c")),
        ("GET other", bulk("c")),
        ("SET third e NX GET", Reply::NullBulk),
        ("GET third", bulk("e")),
        ("SET fourth e XX GET", Reply::NullBulk),
        ("EXISTS fourth", integer(0)),
        ("SET key v NX XX", error(SYNTAX)),
        ("SET key v NOSUCH", error(SYNTAX)),
        ("SET key v EX", error(SYNTAX)),
        ("SET key v KEEPTTL PX 10", error(SYNTAX)),
        ("SET key v EX x", error(NOT_AN_INTEGER)),
        ("GET key", bulk("c")),
        ("SET key v ex 100 get nx", bulk("c")),
        ("SET key v get ex 100 xx", bulk("c")),
        ("GET key", bulk("v")),
    ]);
}

#[test]
fn older_forms_of_set() {
    rows(&[
        ("SETNX key a", integer(1)),
        ("SETNX key b", integer(0)),
        ("GETSET key b", bulk("a")),
        ("GETSET new b", Reply::NullBulk),
        ("SETEX key 100 c", ok()),
        ("PSETEX key 100000 d", ok()),
        ("GETDEL key", bulk("d")),
        ("GETDEL key", Reply::NullBulk),
        ("GETEX new", bulk("b")),
        ("GETEX key", Reply::NullBulk),
        ("SETEX key 100", arity("setex")),
        ("SETEX key x c", error(NOT_AN_INTEGER)),
        ("GETEX key NOSUCH", error(SYNTAX)),
    ]);
}

#[test]
fn several_at_once() {
    rows(&[
        ("MSET a 1 b 2 a 3", ok()),
        (
            "MGET a b nothing a",
            array([bulk("3"), bulk("2"), Reply::NullBulk, bulk("3")]),
        ),
        ("MSETNX b 5 c 5", integer(0)),
        ("EXISTS c", integer(0)),
        ("MSETNX c 5 d 6", integer(1)),
        ("MGET c d", array([bulk("5"), bulk("6")])),
        ("MSETNX e 1 e 2", integer(1)),
        ("GET e", bulk("2")),
        ("MSET a", arity("mset")),
        ("MSET a 1 b", arity("mset")),
        ("MSETNX a 1 b", arity("msetnx")),
        ("MGET", arity("mget")),
    ]);
}

#[test]
fn integers() {
    rows(&[
        ("INCR n", integer(1)),
        ("INCRBY n 41", integer(42)),
        ("DECR n", integer(41)),
        ("DECRBY n 50", integer(-9)),
        ("INCRBY n -1", integer(-10)),
        ("DECRBY n -10", integer(0)),
        ("GET n", bulk("0")),
        ("SET n 9223372036854775806", ok()),
        ("INCR n", integer(i64::MAX)),
        ("INCR n", error(OVERFLOW)),
        ("INCRBY n 9223372036854775807", error(OVERFLOW)),
        ("GET n", bulk("9223372036854775807")),
        ("SET n -9223372036854775808", ok()),
        ("DECR n", error(OVERFLOW)),
        ("INCRBY n -1", error(OVERFLOW)),
        ("DECRBY n 9223372036854775807", error(OVERFLOW)),
        (
            "DECRBY n -9223372036854775808",
            error("ERR decrement would overflow"),
        ),
        ("INCRBY n 9223372036854775808", error(NOT_AN_INTEGER)),
        ("INCRBY n x", error(NOT_AN_INTEGER)),
        ("INCRBY n 1.0", error(NOT_AN_INTEGER)),
        ("INCRBY n \" 1\"", error(NOT_AN_INTEGER)),
        ("GET n", bulk("-9223372036854775808")),
        ("INCR n 1", arity("incr")),
    ]);
}

#[test]
fn texts_that_are_not_integers() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let texts = [
        "abc",
        "",
        "1.0",
        " 1",
        "1 ",
        "+1",
        "01",
        "-0",
        "-",
        "1e3",
        "0x10",
        "9223372036854775808",
        "--1",
        "1\n",
        "1\0",
    ];
    for text in texts {
        assert_eq!(raw.command(&[b"SET", b"n", text.as_bytes()]), ok());
        assert_eq!(raw.ask("INCR n"), error(NOT_AN_INTEGER), "{text:?}");
        assert_eq!(raw.ask("GET n"), bulk(text));
    }
}

#[test]
fn floats() {
    rows(&[
        ("INCRBYFLOAT n 10.5", bulk("10.5")),
        ("INCRBYFLOAT n 0.1", bulk("10.6")),
        ("INCRBYFLOAT n -5", bulk("5.6")),
        ("SET n 5.5", ok()),
        ("INCRBYFLOAT n 5.0e3", bulk("5005.5")),
        ("INCRBYFLOAT n 0.5", bulk("5006")),
        ("INCR n", integer(5007)),
        ("SET n 3.0", ok()),
        ("INCRBYFLOAT n 0", bulk("3")),
        ("SET n 0.1", ok()),
        ("INCRBYFLOAT n 0.2", bulk("0.3")),
        ("SET n 1e15", ok()),
        ("INCRBYFLOAT n 1", bulk("1000000000000001")),
        ("SET n -1.5", ok()),
        ("INCRBYFLOAT n 1.5", bulk("0")),
        ("INCRBYFLOAT n 0.00001", bulk("0.00001")),
        ("SET n 0.5", ok()),
        ("INCRBYFLOAT n 1e14", bulk("100000000000000.5")),
        ("SET n 0", ok()),
        ("INCRBYFLOAT n x", error(NOT_A_FLOAT)),
        ("INCRBYFLOAT n \"1 \"", error(NOT_A_FLOAT)),
        ("INCRBYFLOAT n \" 1\"", error(NOT_A_FLOAT)),
        ("INCRBYFLOAT n \"\"", error(NOT_A_FLOAT)),
        ("INCRBYFLOAT n nan", error(NOT_A_FLOAT)),
        (
            "INCRBYFLOAT n inf",
            error("ERR increment would produce NaN or Infinity"),
        ),
        (
            "INCRBYFLOAT n -inf",
            error("ERR increment would produce NaN or Infinity"),
        ),
        ("SET n abc", ok()),
        ("INCRBYFLOAT n 1", error(NOT_A_FLOAT)),
        ("GET n", bulk("abc")),
        ("INCRBYFLOAT n", arity("incrbyfloat")),
    ]);
}

#[test]
fn append() {
    rows(&[
        ("APPEND key Hello", integer(5)),
        ("APPEND key \" World\"", integer(11)),
        ("APPEND key \"\"", integer(11)),
        ("GET key", bulk("Hello World")),
        ("SET n 12", ok()),
        ("APPEND n 3", integer(3)),
        ("INCR n", integer(124)),
        ("APPEND new \"\"", integer(0)),
        ("APPEND key", arity("append")),
    ]);
}

#[test]
fn ranges() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[("SET key \"Hello World\"", ok()), ("SET n 12345", ok())],
    );
    let ranges = [
        ("0 4", "Hello"),
        ("6 -1", "World"),
        ("-5 -1", "World"),
        ("0 -1", "Hello World"),
        ("0 100", "Hello World"),
        ("-100 4", "Hello"),
        ("-100 -100", "H"),
        ("5 3", ""),
        ("11 20", ""),
        ("100 200", ""),
        ("-1 -5", ""),
        ("0 0", "H"),
        ("-9223372036854775808 9223372036854775807", "Hello World"),
    ];
    for (range, expected) in ranges {
        assert_eq!(
            raw.ask(&format!("GETRANGE key {range}")),
            bulk(expected),
            "{range}"
        );
        assert_eq!(
            raw.ask(&format!("SUBSTR key {range}")),
            bulk(expected),
            "{range}"
        );
    }
    check(
        &mut raw,
        &[
            ("GETRANGE n 1 2", bulk("23")),
            ("GETRANGE nothing 0 -1", bulk("")),
            ("GETRANGE key a 1", error(NOT_AN_INTEGER)),
            ("GETRANGE key 0 1.5", error(NOT_AN_INTEGER)),
            ("GETRANGE key 0", arity("getrange")),
        ],
    );
}

#[test]
fn overwriting_parts() {
    rows(&[
        ("SETRANGE key 0 Hello", integer(5)),
        ("SETRANGE key 6 World", integer(11)),
        ("GET key", bulk(b"Hello\0World")),
        ("SETRANGE key 5 \" \"", integer(11)),
        ("GET key", bulk("Hello World")),
        ("SETRANGE key 0 J", integer(11)),
        ("GET key", bulk("Jello World")),
        ("SETRANGE key 100 \"\"", integer(11)),
        ("SETRANGE new 10 \"\"", integer(0)),
        ("EXISTS new", integer(0)),
        ("SET n 123", ok()),
        ("SETRANGE n 1 9", integer(3)),
        ("INCR n", integer(194)),
        ("SETRANGE key -1 x", error("ERR offset is out of range")),
        ("SETRANGE key x x", error(NOT_AN_INTEGER)),
        ("SETRANGE key 536870912 x", error(TOO_LONG)),
        ("SETRANGE key 9223372036854775807 x", error(TOO_LONG)),
        ("SETRANGE key 0", arity("setrange")),
    ]);
}

#[test]
fn the_longest_common_subsequence() {
    let range = |from: i64, to: i64| array([integer(from), integer(to)]);
    let spans = |with_length: bool| {
        let first = [range(4, 7), range(5, 8)]
            .into_iter()
            .chain(with_length.then(|| integer(4)));
        let second = [range(2, 3), range(0, 1)]
            .into_iter()
            .chain(with_length.then(|| integer(2)));
        vec![array(first), array(second)]
    };
    let index =
        |matches: Vec<Reply>| array([bulk("matches"), array(matches), bulk("len"), integer(6)]);
    let both = "ERR If you want both the length and indexes, please just use IDX.";
    rows(&[
        ("MSET a ohmytext b mynewtext", ok()),
        ("LCS a b", bulk("mytext")),
        ("LCS a b LEN", integer(6)),
        ("LCS a b IDX", index(spans(false))),
        ("LCS a b IDX WITHMATCHLEN", index(spans(true))),
        (
            "LCS a b IDX MINMATCHLEN 4",
            index(spans(false)[..1].to_vec()),
        ),
        ("LCS a nothing", bulk("")),
        ("LCS a nothing LEN", integer(0)),
        ("LCS a b LEN IDX", error(both)),
        ("LCS a b NOSUCH", error(SYNTAX)),
        ("LCS a b MINMATCHLEN x", error(NOT_AN_INTEGER)),
        ("LCS a", arity("lcs")),
    ]);
}

#[test]
fn encodings() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let long = "x".repeat(45);
    let values = [
        ("0", "int"),
        ("-7", "int"),
        ("9223372036854775807", "int"),
        ("-9223372036854775808", "int"),
        ("9223372036854775808", "embstr"),
        ("007", "embstr"),
        ("-0", "embstr"),
        ("1.5", "embstr"),
        ("", "embstr"),
        (&long[..44], "embstr"),
        (&long[..], "raw"),
    ];
    for (value, expected) in values {
        assert_eq!(raw.command(&[b"SET", b"key", value.as_bytes()]), ok());
        assert_eq!(raw.ask("OBJECT ENCODING key"), bulk(expected), "{value}");
        assert_eq!(raw.ask("GET key"), bulk(value));
    }
    check(
        &mut raw,
        &[
            ("SET key 1", ok()),
            ("APPEND key 2", integer(2)),
            ("OBJECT ENCODING key", bulk("raw")),
            ("INCR key", integer(13)),
            ("OBJECT ENCODING key", bulk("int")),
            ("INCRBYFLOAT key 0.5", bulk("13.5")),
            ("OBJECT ENCODING key", bulk("embstr")),
            ("SETRANGE key 0 x", integer(4)),
            ("OBJECT ENCODING key", bulk("raw")),
        ],
    );
}

#[test]
fn a_limit_on_the_length() {
    let server = Server::start(&["--proto-max-bulk-len", "1mb"]);
    let mut raw = server.raw();
    let value = vec![b'x'; 1024 * 1024 - 1];
    assert_eq!(raw.command(&[b"SET", b"key", &value]), ok());
    check(
        &mut raw,
        &[
            ("APPEND key x", integer(1024 * 1024)),
            ("APPEND key x", error(TOO_LONG)),
            ("SETRANGE key 1048576 x", error(TOO_LONG)),
            ("STRLEN key", integer(1024 * 1024)),
        ],
    );
    raw.send(b"*2\r\n$4\r\nECHO\r\n$1048577\r\n");
    assert_eq!(raw.read(), error("ERR Protocol error: invalid bulk length"));
    raw.expect_closed();
}

#[test]
fn appends_of_many_connections_lose_nothing() {
    const CONNECTIONS: usize = 8;
    const APPENDS: usize = 2_000;
    let server = Server::start(&[]);
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let mut raw = server.raw();
            scope.spawn(move || {
                for _ in 0..APPENDS {
                    raw.tell(&format!("APPEND key {connection}"));
                }
                raw.read_many(APPENDS);
            });
        }
    });
    let value = server.raw().ask("GET key").text();
    for connection in 0..CONNECTIONS {
        let count = value.matches(&connection.to_string()).count();
        assert_eq!(count, APPENDS, "connection {connection}");
    }
}

#[test]
fn writers_of_several_keys_never_mix() {
    let server = Server::start(&[]);
    thread::scope(|scope| {
        for writer in 0..6 {
            let mut raw = server.raw();
            scope.spawn(move || {
                for round in 0..1_000 {
                    let value = format!("{writer}:{round}");
                    let keys = if writer % 2 == 0 {
                        ["a", "b", "c"]
                    } else {
                        ["c", "b", "a"]
                    };
                    let [first, second, third] = keys;
                    raw.ask(&format!(
                        "MSET {first} {value} {second} {value} {third} {value}"
                    ));
                }
            });
        }
        let mut raw = server.raw();
        for _ in 0..2_000 {
            let values = raw.ask("MGET a b c").items();
            assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
        }
    });
}
