//! Set commands: replies, encodings, events, and what a restart keeps.

use std::collections::BTreeSet;

use crate::common::{Raw, Reply, Server, array, bulk, check, error, integer, ok, simple};

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const OUT_OF_RANGE: &str = "ERR value is out of range, must be positive";

fn members(reply: Reply) -> BTreeSet<String> {
    let items = reply.items();
    let members: BTreeSet<String> = items.iter().map(Reply::text).collect();
    assert_eq!(members.len(), items.len(), "no member is shown twice");
    members
}

fn words(line: &str) -> BTreeSet<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn members_come_and_go() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("SADD s a b a", integer(2)),
            ("SADD s b c", integer(1)),
            ("SCARD s", integer(3)),
            ("SISMEMBER s a", integer(1)),
            ("SISMEMBER s x", integer(0)),
            ("SMISMEMBER s a x c", array([1, 0, 1].map(integer))),
            ("SMISMEMBER nothing a", array([integer(0)])),
            ("SREM s a x", integer(1)),
            ("SREM s b c d", integer(2)),
            ("EXISTS s", integer(0)),
            ("SCARD s", integer(0)),
            ("SADD one 1", integer(1)),
            ("SMOVE one other 2", integer(0)),
            ("SMOVE one one 1", integer(1)),
            ("SMOVE one other 1", integer(1)),
            ("EXISTS one", integer(0)),
            ("SMEMBERS other", array([bulk("1")])),
            ("SET text x", ok()),
            ("SADD text x", error(WRONG_TYPE)),
            ("SMOVE other text 1", error(WRONG_TYPE)),
            ("SMOVE nothing text 1", integer(0)),
            ("SINTER text", error(WRONG_TYPE)),
            ("SDIFFSTORE x other text", error(WRONG_TYPE)),
            ("TYPE other", simple("set")),
        ],
    );
}

#[test]
fn encodings_are_those_of_redis() {
    let server = Server::start(&[
        "--set-max-intset-entries",
        "4",
        "--set-max-listpack-entries",
        "3",
        "--set-max-listpack-value",
        "5",
    ]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("SADD ints 1 2 3 4", integer(4)),
            ("OBJECT ENCODING ints", bulk("intset")),
            ("SADD ints 5", integer(1)),
            ("OBJECT ENCODING ints", bulk("hashtable")),
            ("SADD pack 1 a", integer(2)),
            ("OBJECT ENCODING pack", bulk("listpack")),
            ("SADD pack b", integer(1)),
            ("OBJECT ENCODING pack", bulk("listpack")),
            ("SADD pack c", integer(1)),
            ("OBJECT ENCODING pack", bulk("hashtable")),
            ("SADD long a 123456", integer(2)),
            ("OBJECT ENCODING long", bulk("hashtable")),
            ("SREM ints 3 4 5", integer(3)),
            ("OBJECT ENCODING ints", bulk("hashtable")),
            ("SUNIONSTORE made ints", integer(2)),
            ("OBJECT ENCODING made", bulk("intset")),
            ("SINTERSTORE made ints ints", integer(2)),
            ("OBJECT ENCODING made", bulk("intset")),
            ("COPY pack copy", integer(1)),
            ("OBJECT ENCODING copy", bulk("hashtable")),
            ("SCARD copy", integer(4)),
        ],
    );
}

#[test]
fn sets_are_compared() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for line in ["SADD a 1 2 3 4 x y", "SADD b 3 4 5 x", "SADD c 4 x z"] {
        raw.ask(line);
    }
    for (line, expected) in [
        ("SINTER a b c", "4 x"),
        ("SINTER a nothing", ""),
        ("SUNION a b c", "1 2 3 4 5 x y z"),
        ("SUNION a b c a b c a", "1 2 3 4 5 x y z"),
        ("SDIFF a b c", "1 2 y"),
        ("SDIFF a b a", ""),
        ("SDIFF nothing a", ""),
        ("SDIFF a nothing", "1 2 3 4 x y"),
        ("SMEMBERS c", "4 x z"),
    ] {
        assert_eq!(members(raw.ask(line)), words(expected), "{line}");
    }
    check(
        &mut raw,
        &[
            ("SINTERCARD 2 a b", integer(3)),
            ("SINTERCARD 2 a b LIMIT 2", integer(2)),
            ("SINTERCARD 2 a b LIMIT 0", integer(3)),
            (
                "SINTERCARD 0 a",
                error("ERR numkeys should be greater than 0"),
            ),
            (
                "SINTERCARD 3 a b",
                error("ERR Number of keys can't be greater than number of args"),
            ),
            (
                "SINTERCARD 1 a LIMIT -1",
                error("ERR LIMIT can't be negative"),
            ),
            ("SINTERCARD 1 a FOO 1", error("ERR syntax error")),
            ("SINTERSTORE a a b", integer(3)),
            ("SDIFFSTORE c c c", integer(0)),
            ("EXISTS c", integer(0)),
        ],
    );
    assert_eq!(members(raw.ask("SMEMBERS a")), words("3 4 x"));
    raw.ask("HELLO 3");
    assert!(matches!(raw.ask("SUNION a b"), Reply::Set(_)));
    assert!(matches!(raw.ask("SMEMBERS nothing"), Reply::Set(_)));
    assert!(matches!(raw.ask("SRANDMEMBER a 2"), Reply::Array(_)));
    assert!(matches!(raw.ask("SPOP a 2"), Reply::Set(_)));
}

/// Sets in each encoding.
fn fill(raw: &mut Raw) -> Vec<(&'static str, BTreeSet<String>)> {
    let table: BTreeSet<String> = (0..2000).map(|n| format!("member:{n}")).collect();
    let sets = vec![
        ("ints", (0..100).map(|n| n.to_string()).collect()),
        ("pack", words("a b c d e f g 1 2 3")),
        ("table", table),
    ];
    for (key, set) in &sets {
        let mut args: Vec<&[u8]> = vec![b"SADD", key.as_bytes()];
        args.extend(set.iter().map(String::as_bytes));
        assert_eq!(raw.command(&args), integer(set.len() as i64));
    }
    sets
}

#[test]
fn chance_takes_members_of_the_set() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for (key, mut left) in fill(&mut raw) {
        for count in [1, 3, left.len() / 2, left.len() - 1, left.len() * 2] {
            let chosen = members(raw.ask(&format!("SRANDMEMBER {key} {count}")));
            assert_eq!(chosen.len(), count.min(left.len()));
            assert!(chosen.is_subset(&left));
        }
        let repeated = raw.ask(&format!("SRANDMEMBER {key} -500")).items();
        assert_eq!(repeated.len(), 500);
        assert!(repeated.iter().all(|member| left.contains(&member.text())));
        assert!(left.contains(&raw.ask(&format!("SRANDMEMBER {key}")).text()));
        for count in [2, left.len() - 5] {
            let taken = members(raw.ask(&format!("SPOP {key} {count}")));
            assert_eq!(taken.len(), count);
            assert!(taken.iter().all(|member| left.remove(member)));
            assert_eq!(members(raw.ask(&format!("SMEMBERS {key}"))), left);
        }
        assert!(left.remove(&raw.ask(&format!("SPOP {key}")).text()));
        assert_eq!(members(raw.ask(&format!("SPOP {key} 100"))), left);
        assert_eq!(raw.ask(&format!("EXISTS {key}")), integer(0));
    }
    check(
        &mut raw,
        &[
            ("SPOP nothing", Reply::NullBulk),
            ("SPOP nothing 3", array([])),
            ("SPOP nothing -1", error(OUT_OF_RANGE)),
            ("SPOP nothing 1 2", error("ERR syntax error")),
            ("SRANDMEMBER nothing", Reply::NullBulk),
            ("SRANDMEMBER nothing 3", array([])),
        ],
    );
}

#[test]
fn a_scan_shows_every_member() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for (key, expected) in fill(&mut raw) {
        let (mut cursor, mut found) = ("0".to_owned(), BTreeSet::new());
        loop {
            let mut parts = raw.ask(&format!("SSCAN {key} {cursor} COUNT 50")).items();
            found.extend(members(parts.pop().expect("two parts")));
            cursor = parts.pop().expect("two parts").text();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found, expected);
    }
    let some = raw
        .ask("SSCAN table 0 COUNT 100000 MATCH member:199?")
        .items();
    assert_eq!(some[1].clone().items().len(), 10);
}

#[test]
fn a_restart_keeps_sets_and_what_chance_left_of_them() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    let sets = fill(&mut raw);
    raw.ask("SPOP table");
    raw.ask("SPOP table 1500");
    raw.ask("SPOP pack 2");
    raw.ask("SPOP ints 200");
    raw.ask("SUNIONSTORE both table pack");
    let state = |raw: &mut Raw| -> Vec<BTreeSet<String>> {
        let keys = sets.iter().map(|(key, _)| *key).chain(["both"]);
        keys.map(|key| members(raw.ask(&format!("SMEMBERS {key}"))))
            .collect()
    };
    let before = state(&mut raw);
    assert_eq!(before[2].len(), 499);
    server.restart();
    let mut raw = server.raw();
    assert_eq!(state(&mut raw), before);
    // The base holds sets, too.
    raw.ask("BGREWRITEAOF");
    crate::common::eventually("the log has been rewritten", || {
        raw.ask("INFO persistence")
            .text()
            .contains("aof_rewrite_in_progress:0")
    });
    server.restart();
    assert_eq!(state(&mut server.raw()), before);
}

#[test]
fn digests_are_those_of_redis() {
    let debug = &["--enable-debug-command", "yes"];
    let Some(redis) = Server::redis(debug) else {
        return;
    };
    let ours = Server::start(debug);
    let [ours, theirs] = [ours, redis].map(|server| {
        let mut raw = server.raw();
        fill(&mut raw);
        raw.ask("DEBUG DIGEST")
    });
    assert_eq!(ours, theirs);
}
