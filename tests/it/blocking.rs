//! Commands that wait for a key: who is served, in which order, and that nothing is lost or given twice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, integer, ok, queued,
};

fn bulks(words: &str) -> Reply {
    array(words.split_whitespace().map(bulk))
}

/// Clients that wait in a blocking command, as INFO has it.
fn wait_for_blocked(server: &Server, count: usize) {
    let mut raw = server.raw();
    eventually("clients are blocked", || {
        let info = raw.ask("INFO clients").text();
        info.contains(&format!("blocked_clients:{count}\r\n"))
    });
}

/// A client that waits.
fn waiting(server: &Server, line: &str, before: usize) -> Raw {
    let mut raw = server.raw();
    raw.tell(line);
    wait_for_blocked(server, before + 1);
    raw
}

fn four_workers() -> Server {
    Server::start(&["--io-threads", "4"])
}

#[test]
fn waiters_are_served_in_the_order_in_which_they_came() {
    let server = four_workers();
    let mut waiters: Vec<Raw> = (0..8)
        .map(|n| waiting(&server, "BLPOP list 0", n))
        .collect();
    let mut raw = server.raw();
    assert_eq!(raw.ask("RPUSH list 0 1 2 3 4 5 6 7 8"), integer(9));
    for (number, waiter) in waiters.iter_mut().enumerate() {
        assert_eq!(waiter.read(), bulks(&format!("list {number}")));
    }
    check(&mut raw, &[("LRANGE list 0 -1", bulks("8"))]);
    wait_for_blocked(&server, 0);
}

#[test]
fn info_tells_for_what_clients_wait() {
    let server = four_workers();
    let mut raw = server.raw();
    let figures = |raw: &mut Raw| {
        let info = raw.ask("INFO clients").text();
        let field = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line[1..].parse().ok())
        };
        [
            "clients_in_timeout_table",
            "total_blocking_keys",
            "total_blocking_keys_on_nokey",
        ]
        .map(|name| field(name).unwrap_or(99))
    };
    assert_eq!(figures(&mut raw), [0, 0, 0]);
    raw.ask("XGROUP CREATE s g $ MKSTREAM");
    let _waiters = [
        waiting(&server, "BLPOP a b 0", 0),
        waiting(&server, "BLPOP b c 100", 1),
        waiting(&server, "XREADGROUP GROUP g me BLOCK 0 STREAMS s >", 2),
    ];
    assert_eq!(figures(&mut raw), [1, 4, 1]);
    raw.ask("RPUSH b x y");
    wait_for_blocked(&server, 1);
    assert_eq!(figures(&mut raw), [0, 1, 1]);
}

#[test]
fn one_key_of_several_is_enough() {
    let server = four_workers();
    let mut waiter = waiting(&server, "BLPOP a b c 0", 0);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[("RPUSH b x", integer(1)), ("EXISTS b", integer(0))],
    );
    assert_eq!(waiter.read(), bulks("b x"));
    check(
        &mut raw,
        &[
            ("RPUSH a y", integer(1)),
            ("RPUSH c z", integer(1)),
            ("LLEN a", integer(1)),
        ],
    );
    assert_eq!(waiter.ask("BRPOP b c a 0"), bulks("c z"));
}

#[test]
fn each_way_of_making_a_list() {
    let server = four_workers();
    let mut raw = server.raw();
    let ways: &[&[&str]] = &[
        &["LPUSH list x"],
        &["RPUSH other x", "RENAME other list"],
        &["RPUSH other x", "RENAMENX other list"],
        &["RPUSH other x", "COPY other list"],
        &["RPUSH other x", "RPOPLPUSH other list"],
        &["RPUSH other x", "LMOVE other list LEFT LEFT"],
        &["RPUSH other x", "SORT other ALPHA STORE list"],
        &["SELECT 1", "RPUSH list x", "MOVE list 0"],
        &["SELECT 1", "RPUSH list x", "COPY list list DB 0"],
        &["SELECT 1", "RPUSH list x", "SWAPDB 0 1"],
        &["MULTI", "RPUSH list x", "EXEC"],
        &["MULTI", "RPUSH list x", "DEL list", "RPUSH list x", "EXEC"],
    ];
    for way in ways {
        check(&mut raw, &[("FLUSHALL", ok()), ("SELECT 0", ok())]);
        let mut waiter = waiting(&server, "BLPOP list 0", 0);
        for line in *way {
            raw.ask(line);
        }
        assert_eq!(waiter.read(), bulks("list x"), "{way:?}");
    }
}

#[test]
fn what_a_transaction_leaves_is_served() {
    let server = four_workers();
    let mut waiter = waiting(&server, "BLPOP list 0", 0);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("MULTI", ok()),
            ("RPUSH list a", queued()),
            ("DEL list", queued()),
            ("EXEC", array([integer(1), integer(1)])),
            ("SET list text", ok()),
        ],
    );
    waiter.expect_silence(Duration::from_millis(50));
    check(
        &mut raw,
        &[
            ("DEL list", integer(1)),
            ("MULTI", ok()),
            ("RPUSH list b", queued()),
            ("LPUSH list c", queued()),
            ("EXEC", array([integer(1), integer(2)])),
        ],
    );
    assert_eq!(waiter.read(), bulks("list c"));
}

#[test]
fn inside_a_transaction_nobody_waits() {
    let server = four_workers();
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("MULTI", ok()),
            ("BLPOP a 0", queued()),
            ("BLMOVE a b LEFT LEFT 0", queued()),
            ("BRPOPLPUSH a b 0", queued()),
            ("BLMPOP 0 1 a LEFT", queued()),
            (
                "EXEC",
                array([
                    Reply::NullArray,
                    Reply::NullBulk,
                    Reply::NullBulk,
                    Reply::NullArray,
                ]),
            ),
        ],
    );
}

#[test]
fn elements_wander_from_waiter_to_waiter() {
    let server = four_workers();
    let mut first = waiting(&server, "BLMOVE a b LEFT RIGHT 0", 0);
    let mut second = waiting(&server, "BRPOPLPUSH b c 0", 1);
    let mut third = waiting(&server, "BLMPOP 0 2 d c LEFT COUNT 5", 2);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[("RPUSH a x", integer(1)), ("DBSIZE", integer(0))],
    );
    assert_eq!(first.read(), bulk("x"));
    assert_eq!(second.read(), bulk("x"));
    assert_eq!(third.read(), array([bulk("c"), bulks("x")]));
}

#[test]
fn a_target_of_the_wrong_type_ends_the_wait() {
    let server = four_workers();
    let mut waiter = waiting(&server, "BLMOVE a text LEFT RIGHT 0", 0);
    let mut raw = server.raw();
    check(&mut raw, &[("SET text x", ok()), ("RPUSH a x", integer(1))]);
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    assert_eq!(waiter.read(), error(wrong));
    check(&mut raw, &[("LLEN a", integer(1))]);
}

#[test]
fn waits_end() {
    let server = four_workers();
    let mut raw = server.raw();
    let start = Instant::now();
    assert_eq!(raw.ask("BLPOP list 0.1"), Reply::NullArray);
    assert!(start.elapsed() >= Duration::from_millis(99));
    for (line, text) in [
        ("BLPOP list x", "ERR timeout is not a float or out of range"),
        ("BLPOP list -1", "ERR timeout is negative"),
        ("BLPOP list 1e300", "ERR timeout is out of range"),
        (
            "BLMPOP 0 0 list LEFT",
            "ERR numkeys should be greater than 0",
        ),
        ("BLMPOP 0 2 list LEFT", "ERR syntax error"),
    ] {
        assert_eq!(raw.ask(line), error(text), "{line}");
    }
    for (how, expected) in [
        ("", Reply::NullArray),
        (" TIMEOUT", Reply::NullArray),
        (
            " ERROR",
            error("UNBLOCKED client unblocked via CLIENT UNBLOCK"),
        ),
    ] {
        let mut waiter = server.raw();
        let id = waiter.ask("CLIENT ID").number();
        waiter.tell("BLPOP list 0");
        wait_for_blocked(&server, 1);
        assert_eq!(raw.ask(&format!("CLIENT UNBLOCK {id}{how}")), integer(1));
        assert_eq!(waiter.read(), expected);
        assert_eq!(waiter.ask("PING"), crate::common::simple("PONG"));
    }
    check(
        &mut raw,
        &[("RPUSH list x", integer(1)), ("LPOP list", bulk("x"))],
    );
}

#[test]
fn those_who_have_gone_get_nothing() {
    let server = four_workers();
    let mut raw = server.raw();
    let gone = waiting(&server, "BLPOP list 0", 0);
    drop(gone);
    wait_for_blocked(&server, 0);
    let mut killed = server.raw();
    let id = killed.ask("CLIENT ID").number();
    killed.tell("BLPOP list 0");
    wait_for_blocked(&server, 1);
    raw.ask(&format!("CLIENT KILL ID {id}"));
    wait_for_blocked(&server, 0);
    check(
        &mut raw,
        &[("RPUSH list x", integer(1)), ("LPOP list", bulk("x"))],
    );
}

#[test]
fn commands_behind_a_waiting_one_wait_too() {
    let server = four_workers();
    let mut waiter = waiting(&server, "BLPOP list 0", 0);
    waiter.tell("SET after yes");
    waiter.tell("HELLO 3");
    let mut raw = server.raw();
    raw.ask("PING");
    check(
        &mut raw,
        &[("EXISTS after", integer(0)), ("RPUSH list x", integer(1))],
    );
    assert_eq!(waiter.read(), bulks("list x"));
    assert_eq!(waiter.read(), ok());
}

#[test]
fn what_is_served_is_in_the_log() {
    let mut server = Server::start(&["--appendonly", "yes", "--io-threads", "4"]);
    let mut waiters = [
        waiting(&server, "BLPOP a 0", 0),
        waiting(&server, "BLMOVE a b LEFT RIGHT 0", 1),
        waiting(&server, "BLMPOP 0 1 a LEFT COUNT 2", 2),
    ];
    let mut raw = server.raw();
    raw.ask("RPUSH a 1 2 3 4 5");
    waiters.iter_mut().for_each(|waiter| drop(waiter.read()));
    let digest = raw.ask("DEBUG DIGEST");
    check(
        &mut raw,
        &[("LRANGE a 0 -1", bulks("5")), ("LRANGE b 0 -1", bulks("2"))],
    );
    server.restart();
    assert_eq!(server.raw().ask("DEBUG DIGEST"), digest);
}

/// Every element pushed is taken exactly once, while takers run out of time, leave and are killed, and producers use every
/// way to push.
#[test]
fn nothing_is_lost_or_given_twice() {
    const PRODUCERS: usize = 4;
    const CONSUMERS: usize = 8;
    const EACH: usize = 1500;
    let server = four_workers();
    let taken = std::sync::Mutex::new(HashMap::<String, usize>::new());
    let (is_over, producing) = (AtomicBool::new(false), AtomicUsize::new(PRODUCERS));
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let (server, producing) = (&server, &producing);
            scope.spawn(move || {
                let mut raw = server.raw();
                for number in 0..EACH {
                    let element = format!("{producer}:{number}");
                    match number % 4 {
                        0 => drop(raw.ask(&format!("RPUSH list:{} {element}", number % 3))),
                        1 => drop(raw.ask(&format!("LPUSH list:{} {element}", number % 3))),
                        2 => {
                            raw.ask("MULTI");
                            raw.ask(&format!("RPUSH list:0 {element}"));
                            raw.ask("RPOPLPUSH list:0 list:1");
                            raw.ask("EXEC");
                        }
                        _ => {
                            raw.ask(&format!("RPUSH side:{producer} {element}"));
                            raw.ask(&format!("LMOVE side:{producer} list:2 LEFT RIGHT"));
                        }
                    }
                }
                producing.fetch_sub(1, SeqCst);
            });
        }
        for consumer in 0..CONSUMERS {
            let (server, taken, is_over) = (&server, &taken, &is_over);
            scope.spawn(move || {
                let mut raw = server.raw();
                while !is_over.load(SeqCst) {
                    let line = match consumer % 4 {
                        0 => "BLPOP list:0 list:1 list:2 0.002",
                        1 => "BRPOP list:2 list:0 list:1 0.05",
                        2 => "BLMPOP 0.01 3 list:1 list:2 list:0 LEFT COUNT 3",
                        _ => "BLMOVE list:0 list:1 LEFT RIGHT 0.003",
                    };
                    let reply = raw.ask(line);
                    if consumer % 4 == 3 || reply.is_null() {
                        continue;
                    }
                    let mut items = reply.items();
                    let elements = match items.pop().expect("a pair") {
                        Reply::Array(elements) => elements,
                        element => vec![element],
                    };
                    let mut taken = taken.lock().expect("no panic");
                    for element in elements {
                        *taken.entry(element.text()).or_default() += 1;
                    }
                }
            });
        }
        // Somebody who is always about to leave, on a list of his own so that nothing is lost with him.
        let (server, is_over) = (&server, &is_over);
        scope.spawn(move || {
            let mut other = server.raw();
            while !is_over.load(SeqCst) {
                let mut raw = server.raw();
                let id = raw.ask("CLIENT ID").number();
                raw.tell("BLPOP nothing 0");
                other.ask(&format!("CLIENT KILL ID {id}"));
            }
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut raw = server.raw();
        while Instant::now() < deadline {
            let is_empty = raw.ask("DBSIZE") == integer(0);
            let count = taken.lock().expect("no panic").len();
            if is_empty && producing.load(SeqCst) == 0 && count >= PRODUCERS * EACH {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        is_over.store(true, SeqCst);
    });
    let taken = taken.into_inner().expect("no panic");
    assert_eq!(taken.len(), PRODUCERS * EACH);
    let twice: Vec<_> = taken.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    wait_for_blocked(&server, 0);
}
