//! SCAN: its arguments, and its promise that a key which is there from start to end is returned.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, frame, integer, ok, simple,
};

/// Sends commands together and reads their replies.
fn all(raw: &mut Raw, commands: impl Iterator<Item = String>) {
    let commands: Vec<String> = commands.collect();
    let bytes: Vec<u8> = commands
        .iter()
        .flat_map(|command| frame(&command.split(' ').map(str::as_bytes).collect::<Vec<_>>()))
        .collect();
    raw.send(bytes);
    raw.read_many(commands.len());
}

fn fill(raw: &mut Raw, prefix: &str, numbers: std::ops::Range<u32>) {
    all(
        raw,
        numbers.map(|number| format!("SET {prefix}:{number} x")),
    );
}

fn clear(raw: &mut Raw, prefix: &str, numbers: std::ops::Range<u32>) {
    all(raw, numbers.map(|number| format!("DEL {prefix}:{number}")));
}

/// One step: the next cursor and the keys.
fn step(raw: &mut Raw, cursor: &str, options: &str) -> (String, Vec<String>) {
    let mut parts = raw
        .ask(format!("SCAN {cursor} {options}").trim_end())
        .items();
    let keys = parts.pop().expect("two parts").items();
    (
        parts.pop().expect("two parts").text(),
        keys.iter().map(Reply::text).collect(),
    )
}

/// A whole iteration, with what happens between its steps.
fn scan_with(raw: &mut Raw, options: &str, mut between: impl FnMut(usize)) -> Vec<String> {
    const LIMIT_STEPS: usize = 1_000_000;
    let mut found = Vec::new();
    let mut cursor = "0".to_string();
    for number in 0..LIMIT_STEPS {
        let (next, keys) = step(raw, &cursor, options);
        found.extend(keys);
        if next == "0" {
            return found;
        }
        cursor = next;
        between(number);
    }
    panic!("the iteration does not end");
}

fn scan(raw: &mut Raw, options: &str) -> Vec<String> {
    scan_with(raw, options, |_| ())
}

#[track_caller]
fn assert_holds_all(found: Vec<String>, prefix: &str, count: u32) {
    let found: BTreeSet<String> = found.into_iter().collect();
    let missing: Vec<u32> = (0..count)
        .filter(|number| !found.contains(&format!("{prefix}:{number}")))
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {count} keys are missing, for instance {:?}",
        missing.len(),
        missing.first()
    );
}

#[test]
fn arguments() {
    let server = Server::start(&[]);
    let empty = || array([bulk("0"), array([])]);
    let found = || array([bulk("0"), array([bulk("key")])]);
    check(
        &mut server.raw(),
        &[
            ("SCAN 0", empty()),
            ("SET key x", ok()),
            ("SCAN 0", found()),
            ("SCAN 0 COUNT 1000000", found()),
            ("SCAN 0 MATCH k*", found()),
            ("SCAN 0 MATCH k* COUNT 10 TYPE string", found()),
            ("SCAN 0 type STRING", found()),
            ("SCAN 0 MATCH other", empty()),
            ("SCAN 0 TYPE list", empty()),
            ("SCAN 0 TYPE ReJSON-RL", empty()),
            (
                "SCAN 0 NOVALUES",
                error("ERR NOVALUES option can only be used in HSCAN"),
            ),
            (
                "SCAN 0 noscores",
                error("ERR NOSCORES option can only be used in ZSCAN"),
            ),
            ("SCAN x", error("ERR invalid cursor")),
            ("SCAN 1x", error("ERR invalid cursor")),
            ("SCAN 99999999999999999999999", error("ERR invalid cursor")),
            ("SCAN 0 COUNT 0", error("ERR syntax error")),
            ("SCAN 0 COUNT -1", error("ERR syntax error")),
            (
                "SCAN 0 COUNT x",
                error("ERR value is not an integer or out of range"),
            ),
            ("SCAN 0 COUNT", error("ERR syntax error")),
            ("SCAN 0 NOSUCH 1", error("ERR syntax error")),
            (
                "SCAN",
                error("ERR wrong number of arguments for 'scan' command"),
            ),
            ("SELECT 5", ok()),
            ("SCAN 0", empty()),
        ],
    );
}

#[test]
fn every_count_returns_every_key() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    fill(&mut raw, "key", 0..5_000);
    for options in [
        "",
        "COUNT 1",
        "COUNT 7",
        "COUNT 1000",
        "COUNT 1000000",
        "MATCH key:* COUNT 100",
    ] {
        let found = scan(&mut raw, options);
        // A table that is being resized may return some twice.
        assert!(
            found.len() < 10_000,
            "SCAN {options} returns {} keys",
            found.len()
        );
        assert_holds_all(found, "key", 5_000);
    }
    let found: BTreeSet<String> = scan(&mut raw, "MATCH key:1? COUNT 50")
        .into_iter()
        .collect();
    assert_eq!(found.len(), 10);
}

#[test]
fn a_step_is_bounded_by_its_count() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    fill(&mut raw, "key", 0..20_000);
    let mut cursor = "0".to_string();
    let mut steps = 0;
    loop {
        let (next, keys) = step(&mut raw, &cursor, "COUNT 100");
        assert!(keys.len() <= 400, "{} keys in a step of 100", keys.len());
        steps += 1;
        if next == "0" {
            break;
        }
        cursor = next;
    }
    assert!(steps > 50, "{steps} steps for 20,000 keys");
}

#[test]
fn keys_that_stay_are_found_while_the_table_grows() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    fill(&mut raw, "stays", 0..1_000);
    let found = scan_with(&mut raw, "COUNT 10", |number| {
        if number < 100 {
            let start = number as u32 * 1_000;
            fill(&mut other, "comes", start..start + 1_000);
        }
    });
    assert_holds_all(found, "stays", 1_000);
}

#[test]
fn keys_that_stay_are_found_while_the_table_shrinks() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    fill(&mut raw, "stays", 0..1_000);
    fill(&mut raw, "goes", 0..50_000);
    let found = scan_with(&mut raw, "COUNT 100", |number| {
        if number < 50 {
            let start = number as u32 * 1_000;
            clear(&mut other, "goes", start..start + 1_000);
        }
    });
    assert_holds_all(found, "stays", 1_000);
}

#[test]
fn keys_that_stay_are_found_while_many_connections_write() {
    const KEYS: u32 = 2_000;
    let server = Server::start(&[]);
    let mut raw = server.raw();
    fill(&mut raw, "stays", 0..KEYS);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                scope.spawn({
                    let (done, mut own) = (&done, server.raw());
                    move || churn(&mut own, writer, done)
                })
            })
            .collect();
        let founds: Vec<Vec<String>> = [10, 50, 100, 500, 10, 50]
            .map(|count| scan(&mut raw, &format!("COUNT {count}")))
            .into();
        done.store(true, Ordering::Relaxed);
        let outcomes: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        assert!(
            outcomes.iter().all(Result::is_ok),
            "the writers have written"
        );
        for found in founds {
            assert_holds_all(found, "stays", KEYS);
        }
    });
}

/// Lets the table grow by 20,000 keys and shrink again, over and over.
fn churn(raw: &mut Raw, writer: u32, done: &AtomicBool) {
    let prefix = format!("churn{writer}");
    while !done.load(Ordering::Relaxed) {
        for start in (0..20_000).step_by(500) {
            fill(raw, &prefix, start..start + 500);
        }
        for start in (0..20_000).step_by(500) {
            clear(raw, &prefix, start..start + 500);
        }
    }
}

#[test]
fn an_iteration_ends_after_a_flush() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    fill(&mut raw, "key", 0..10_000);
    let found = scan_with(&mut raw, "COUNT 10", |number| {
        if number == 100 {
            other.ask("FLUSHALL");
        }
    });
    assert!(found.len() < 5_000, "{} keys found", found.len());
    assert_eq!(scan(&mut raw, ""), Vec::<String>::new());
}

#[test]
fn an_old_cursor_does_no_harm() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    fill(&mut raw, "key", 0..10_000);
    let (cursor, _) = step(&mut raw, "0", "COUNT 3000");
    clear(&mut raw, "key", 10..10_000);
    for cursor in [
        cursor.as_str(),
        "1",
        "12345",
        "9223372036854775807",
        "18446744073709551615",
    ] {
        step(&mut raw, cursor, "COUNT 100");
    }
    assert_holds_all(scan(&mut raw, ""), "key", 10);
}

#[test]
fn expired_keys_are_not_returned() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    fill(&mut raw, "stays", 0..100);
    all(
        &mut raw,
        (0..100).map(|number| format!("SET brief:{number} x PX 1")),
    );
    thread::sleep(Duration::from_millis(20));
    let found = scan(&mut raw, "COUNT 10");
    assert!(
        found.iter().all(|key| key.starts_with("stays:")),
        "no expired key is returned"
    );
    assert_holds_all(found, "stays", 100);
    assert_eq!(raw.ask("KEYS *").items().len(), 100);
    eventually("they are gone", || raw.ask("DBSIZE") == integer(100));
}

#[test]
fn within_a_transaction() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    fill(&mut raw, "key", 0..3);
    raw.ask("MULTI");
    assert_eq!(raw.ask("SCAN 0 COUNT 100"), simple("QUEUED"));
    let replies = raw.ask("EXEC").items();
    assert_eq!(replies[0].clone().items()[1].clone().items().len(), 3);
}

#[test]
fn keys_of_many_pieces() {
    const COUNT: usize = 30_000;
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for number in 0..COUNT {
        raw.send(frame(&[b"SET", format!("key:{number:05}").as_bytes(), b""]));
    }
    raw.read_many(COUNT);
    let mut keys: Vec<String> = raw.ask("KEYS *").items().iter().map(Reply::text).collect();
    keys.sort_unstable();
    let expected: Vec<String> = (0..COUNT)
        .map(|number| format!("key:{number:05}"))
        .collect();
    assert!(keys == expected, "{} keys of {COUNT}", keys.len());
}
