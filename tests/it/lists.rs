//! Lists: every command and every refusal, encodings, and what a restart makes of them.

use crate::common::{Reply, Server, array, bulk, check, error, eventually, integer, ok};

const SYNTAX: &str = "ERR syntax error";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

fn rows(rows: &[(&str, Reply)]) {
    let server = Server::start(&[]);
    check(&mut server.raw(), rows);
}

fn bulks(words: &str) -> Reply {
    array(words.split_whitespace().map(bulk))
}

#[test]
fn pushes_and_pops() {
    rows(&[
        ("RPUSH list a b c", integer(3)),
        ("LPUSH list 1 2", integer(5)),
        ("LRANGE list 0 -1", bulks("2 1 a b c")),
        ("LPUSHX list x", integer(6)),
        ("RPUSHX list y z", integer(8)),
        ("LPUSHX nothing x", integer(0)),
        ("RPUSHX nothing x", integer(0)),
        ("EXISTS nothing", integer(0)),
        ("LLEN list", integer(8)),
        ("LPOP list", bulk("x")),
        ("RPOP list", bulk("z")),
        ("LPOP list 2", bulks("2 1")),
        ("RPOP list 0", array([])),
        ("RPOP list 100", bulks("y c b a")),
        ("EXISTS list", integer(0)),
        ("LPOP list", Reply::NullBulk),
        ("LPOP list 1", Reply::NullArray),
        (
            "LPOP list -1",
            error("ERR value is out of range, must be positive"),
        ),
        (
            "LPOP list x",
            error("ERR value is out of range, must be positive"),
        ),
        (
            "LPOP list 1 2",
            error("ERR wrong number of arguments for 'lpop' command"),
        ),
        ("SET text x", ok()),
        ("LPUSH text x", error(WRONG_TYPE)),
        ("LPOP text", error(WRONG_TYPE)),
        ("LLEN text", error(WRONG_TYPE)),
        ("GET list", Reply::NullBulk),
        ("TYPE list", crate::common::simple("none")),
    ]);
}

#[test]
fn places_and_parts() {
    rows(&[
        ("RPUSH list a b c d e", integer(5)),
        ("LINDEX list 0", bulk("a")),
        ("LINDEX list -1", bulk("e")),
        ("LINDEX list 5", Reply::NullBulk),
        ("LINDEX list -6", Reply::NullBulk),
        ("LINDEX list x", error(NOT_AN_INTEGER)),
        ("LINDEX nothing x", Reply::NullBulk),
        ("LRANGE list 1 -2", bulks("b c d")),
        ("LRANGE list -100 100", bulks("a b c d e")),
        ("LRANGE list 3 1", array([])),
        ("LRANGE nothing 0 -1", array([])),
        ("LSET list 1 B", ok()),
        ("LSET list -1 E", ok()),
        ("LSET list 5 x", error("ERR index out of range")),
        ("LSET nothing 0 x", error("ERR no such key")),
        ("LINSERT list BEFORE c x", integer(6)),
        ("LINSERT list after E y", integer(7)),
        ("LINSERT list AFTER none x", integer(-1)),
        ("LINSERT nothing AFTER a x", integer(0)),
        ("LINSERT list ON a x", error(SYNTAX)),
        ("LRANGE list 0 -1", bulks("a B x c d E y")),
        ("LTRIM list 1 -2", ok()),
        ("LRANGE list 0 -1", bulks("B x c d E")),
        ("LTRIM list 0 -1", ok()),
        ("LTRIM list 9 1", ok()),
        ("EXISTS list", integer(0)),
        ("LTRIM nothing 0 1", ok()),
    ]);
}

#[test]
fn values_found_and_removed() {
    rows(&[
        ("RPUSH list a b a 7 a b 7", integer(7)),
        ("LPOS list a", integer(0)),
        ("LPOS list 7", integer(3)),
        ("LPOS list none", Reply::NullBulk),
        ("LPOS list a RANK 2", integer(2)),
        ("LPOS list a RANK -1", integer(4)),
        ("LPOS list a COUNT 0", array([0, 2, 4].map(integer))),
        ("LPOS list a COUNT 2 RANK -1", array([4, 2].map(integer))),
        ("LPOS list a COUNT 0 MAXLEN 3", array([0, 2].map(integer))),
        ("LPOS list none COUNT 1", array([])),
        ("LPOS nothing a", Reply::NullBulk),
        ("LPOS list a COUNT -1", error("ERR COUNT can't be negative")),
        (
            "LPOS list a MAXLEN -1",
            error("ERR MAXLEN can't be negative"),
        ),
        ("LPOS list a FOO 1", error(SYNTAX)),
        ("LREM list 2 a", integer(2)),
        ("LRANGE list 0 -1", bulks("b 7 a b 7")),
        ("LREM list -1 b", integer(1)),
        ("LREM list 0 7", integer(2)),
        ("LREM list 0 none", integer(0)),
        ("LRANGE list 0 -1", bulks("b a")),
        ("LREM list 0 a", integer(1)),
        ("LREM list 1 b", integer(1)),
        ("EXISTS list", integer(0)),
    ]);
}

#[test]
fn elements_move() {
    rows(&[
        ("RPUSH a 1 2 3", integer(3)),
        ("LMOVE a b LEFT RIGHT", bulk("1")),
        ("LMOVE a b right left", bulk("3")),
        ("LRANGE b 0 -1", bulks("3 1")),
        ("RPOPLPUSH b b", bulk("1")),
        ("LRANGE b 0 -1", bulks("1 3")),
        ("LMOVE a a LEFT RIGHT", bulk("2")),
        ("RPOPLPUSH a c", bulk("2")),
        ("EXISTS a", integer(0)),
        ("RPOPLPUSH a c", Reply::NullBulk),
        ("LMOVE a c LEFT DOWN", error(SYNTAX)),
        ("SET text x", ok()),
        ("RPOPLPUSH c text", error(WRONG_TYPE)),
        ("RPOPLPUSH a text", Reply::NullBulk),
        ("LRANGE c 0 -1", bulks("2")),
        ("LMPOP 2 a b LEFT", array([bulk("b"), bulks("1")])),
        ("LMPOP 2 a b RIGHT COUNT 9", array([bulk("b"), bulks("3")])),
        ("LMPOP 2 a b RIGHT", Reply::NullArray),
        (
            "LMPOP 0 a LEFT",
            error("ERR numkeys should be greater than 0"),
        ),
        ("LMPOP 5 a LEFT", error(SYNTAX)),
        (
            "LMPOP 1 a LEFT COUNT 0",
            error("ERR count should be greater than 0"),
        ),
        ("LMPOP 1 text LEFT", error(WRONG_TYPE)),
    ]);
}

#[test]
fn encodings_follow_the_limit() {
    let server = Server::start(&["--list-max-listpack-size", "4"]);
    check(
        &mut server.raw(),
        &[
            ("RPUSH list 1 2 3 4", integer(4)),
            ("OBJECT ENCODING list", bulk("listpack")),
            ("RPUSH list 5", integer(5)),
            ("OBJECT ENCODING list", bulk("quicklist")),
            ("LPOP list 2", bulks("1 2")),
            ("OBJECT ENCODING list", bulk("quicklist")),
            ("LTRIM list 0 1", ok()),
            ("OBJECT ENCODING list", bulk("listpack")),
            ("CONFIG SET list-max-listpack-size 1", ok()),
            ("OBJECT ENCODING list", bulk("listpack")),
            ("LSET list 0 x", ok()),
            ("OBJECT ENCODING list", bulk("quicklist")),
        ],
    );
}

#[test]
fn lists_survive_a_restart_and_a_new_log() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    for number in 0..300 {
        raw.ask(&format!("RPUSH long element:{number}"));
    }
    raw.ask("RPUSH short 1 two 3");
    raw.ask("LMPOP 1 long LEFT COUNT 10");
    raw.ask("BLPOP long 1");
    raw.ask("LINSERT long BEFORE element:50 between");
    raw.ask("LREM short 1 two");
    let digest = raw.ask("DEBUG DIGEST");
    server.restart();
    assert_eq!(server.raw().ask("DEBUG DIGEST"), digest);
    assert_eq!(server.raw().ask("LLEN long"), integer(290));
    // Switched off and on again, the log begins with the data as it is now.
    assert_eq!(server.raw().ask("CONFIG SET appendonly no"), ok());
    eventually("it is off", || server.log().contains("is switched off"));
    assert_eq!(server.raw().ask("CONFIG SET appendonly yes"), ok());
    let base = server.dir().join("appendonlydir/appendonly.aof.2.base.rdb");
    eventually("the base is there", || base.exists());
    server.restart();
    assert_eq!(server.raw().ask("DEBUG DIGEST"), digest);
}

#[test]
fn a_copy_is_a_list_of_its_own() {
    rows(&[
        ("RPUSH list a b", integer(2)),
        ("COPY list other", integer(1)),
        ("RPUSH other c", integer(3)),
        ("LRANGE list 0 -1", bulks("a b")),
        ("LRANGE other 0 -1", bulks("a b c")),
    ]);
}

#[test]
fn inner_nodes_are_compressed_as_far_as_the_configuration_says() {
    let server = Server::start(&[
        "--list-compress-depth",
        "1",
        "--enable-debug-command",
        "yes",
    ]);
    let mut raw = server.raw();
    for start in (0..20_000).step_by(100) {
        let elements: Vec<String> = (start..start + 100)
            .map(|n| format!("element:{n}"))
            .collect();
        raw.ask(&format!("RPUSH list {}", elements.join(" ")));
    }
    let told = |raw: &mut crate::common::Raw| raw.ask("DEBUG OBJECT list").text().to_string();
    assert!(told(&mut raw).contains("ql_compressed:1"));
    let Reply::Integer(small) = raw.ask("MEMORY USAGE list") else {
        panic!("a number of bytes")
    };
    assert!(small < 200_000, "{small} bytes of some 270,000");
    check(
        &mut raw,
        &[
            ("LINDEX list 10000", bulk("element:10000")),
            (
                "LRANGE list 7000 7002",
                bulks("element:7000 element:7001 element:7002"),
            ),
            ("LPOS list element:15000", integer(15_000)),
            ("LSET list 10000 changed", ok()),
            ("LINDEX list 10000", bulk("changed")),
            ("LINSERT list BEFORE element:5000 new", integer(20_001)),
            ("LINDEX list 5000", bulk("new")),
            ("LREM list 0 changed", integer(1)),
            ("LTRIM list 100 -101", ok()),
            ("LLEN list", integer(19_800)),
            ("LINDEX list 0", bulk("element:100")),
            ("LINDEX list -1", bulk("element:19899")),
        ],
    );
    let Reply::Integer(after) = raw.ask("MEMORY USAGE list") else {
        panic!("a number of bytes")
    };
    assert!(after < 200_000, "{after} bytes after reading and changing");
    for _ in 0..19_800 / 100 {
        raw.ask("LPOP list 100");
    }
    assert_eq!(raw.ask("EXISTS list"), integer(0));
}
