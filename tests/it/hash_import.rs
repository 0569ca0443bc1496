//! HIMPORT: hashes whose fields a connection has named once.

use crate::common::{Reply, Server, array, bulk, check, error, integer, ok, queued, simple};

fn no_such() -> Reply {
    error("ERR no such fieldset")
}

#[test]
fn fields_are_named_once_for_many_hashes() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("HIMPORT PREPARE u name age", ok()),
            ("HIMPORT SET user:1 u alice 30", ok()),
            ("HIMPORT SET user:2 u bob 25", ok()),
            (
                "HGETALL user:1",
                array(["name", "alice", "age", "30"].map(bulk)),
            ),
            ("HGET user:2 age", bulk("25")),
            // A hash that is there is replaced, with its expiry.
            ("EXPIRE user:2 100", integer(1)),
            ("HSET user:2 other x", integer(1)),
            ("HIMPORT PREPARE u city", ok()),
            ("HIMPORT SET user:2 u Paris", ok()),
            ("HGETALL user:2", array(["city", "Paris"].map(bulk))),
            ("TTL user:2", integer(-1)),
            ("HIMPORT DISCARD u", integer(1)),
            ("HIMPORT DISCARD u", integer(0)),
            ("HIMPORT SET user:3 u x", no_such()),
            ("HGET user:2 city", bulk("Paris")),
            ("HIMPORT PREPARE a x", ok()),
            ("HIMPORT PREPARE b y z", ok()),
            ("HIMPORT DISCARDALL", integer(2)),
            ("HIMPORT DISCARDALL", integer(0)),
            ("HIMPORT SET user:3 a x", no_such()),
        ],
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let twice = || error("ERR duplicate field name in fieldset");
    let count = || error("ERR value count does not match the number of fields in the fieldset");
    check(
        &mut raw,
        &[
            ("HIMPORT PREPARE f a b a", twice()),
            ("HIMPORT SET key f 1 2 3", no_such()),
            ("HIMPORT PREPARE f a b", ok()),
            ("HIMPORT SET key f 1", count()),
            ("HIMPORT SET key f 1 2 3", count()),
            ("EXISTS key", integer(0)),
            ("SET text x", ok()),
            (
                "HIMPORT SET text f 1 2",
                error("WRONGTYPE Operation against a key holding the wrong kind of value"),
            ),
            ("GET text", bulk("x")),
        ],
    );
    assert_eq!(
        raw.ask("HIMPORT PREPARE f"),
        error("ERR wrong number of arguments for 'himport|prepare' command")
    );
}

#[test]
fn fields_are_one_connections_own_until_it_is_reset() {
    let server = Server::start(&[]);
    let (mut one, mut other) = (server.raw(), server.raw());
    let memory = |raw: &mut crate::common::Raw| {
        let info = raw.ask("CLIENT INFO").text();
        let word = info
            .split(' ')
            .find_map(|word| word.strip_prefix("tot-mem="));
        word.and_then(|word| word.parse::<u64>().ok())
            .expect("a number")
    };
    let before = memory(&mut one);
    let fields: Vec<String> = (0..1000).map(|n| format!("field:{n}")).collect();
    assert_eq!(
        one.ask(&format!("HIMPORT PREPARE many {}", fields.join(" "))),
        ok()
    );
    assert!(memory(&mut one) > before + 10_000);
    check(
        &mut one,
        &[
            ("HIMPORT PREPARE f a", ok()),
            ("MULTI", ok()),
            ("HIMPORT SET key f 1", queued()),
            ("HIMPORT SET key missing 1", queued()),
            ("EXEC", array([ok(), no_such()])),
        ],
    );
    check(&mut other, &[("HIMPORT SET key f 1", no_such())]);
    check(
        &mut one,
        &[
            ("RESET", simple("RESET")),
            ("HIMPORT SET key f 1", no_such()),
        ],
    );
    assert!(memory(&mut one) < before + 1000);
}

#[test]
fn the_log_knows_hashes_only() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("HSET key old x", integer(1)),
            ("HIMPORT PREPARE f a b", ok()),
            ("HIMPORT SET key f 1 2", ok()),
            ("HIMPORT SET new f 3 4", ok()),
        ],
    );
    server.restart();
    check(
        &mut server.raw(),
        &[
            ("HGETALL key", array(["a", "1", "b", "2"].map(bulk))),
            ("HGETALL new", array(["a", "3", "b", "4"].map(bulk))),
        ],
    );
}
