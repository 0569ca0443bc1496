//! Commands that wait, where something comes between: pauses, kills, transactions, deletions, other types, time.

use std::thread;
use std::time::{Duration, Instant};

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, frame, integer, ok, queued,
};

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NO_GROUP: &str =
    "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";

fn bulks(words: &str) -> Reply {
    array(words.split_whitespace().map(bulk))
}

fn wait_for_blocked(server: &Server, count: usize) {
    let mut raw = server.raw();
    eventually("clients are blocked", || {
        let info = raw.ask("INFO clients").text();
        info.contains(&format!("blocked_clients:{count}\r\n"))
    });
}

/// A client that waits, behind `before` others.
fn waiting(server: &Server, line: &str, before: usize) -> Raw {
    let mut raw = server.raw();
    raw.tell(line);
    wait_for_blocked(server, before + 1);
    raw
}

fn four_workers() -> Server {
    Server::start(&["--io-threads", "4", "--enable-debug-command", "yes"])
}

/// Commands that arrive together.
fn at_once(raw: &mut Raw, lines: &[&str]) -> Vec<Reply> {
    let frames = lines.iter().flat_map(|line| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        frame(&words)
    });
    raw.send(frames.collect::<Vec<u8>>());
    raw.read_many(lines.len())
}

#[test]
fn a_pause_holds_pushes_back_but_not_the_end_of_waits() {
    let server = four_workers();
    let mut raw = server.raw();
    for mode in ["WRITE", "ALL"] {
        let mut patient = waiting(&server, "BLPOP list 0", 0);
        let mut hasty = waiting(&server, "BLPOP list 0.4", 1);
        let mut pusher = server.raw();
        pusher.ask("PING");
        check(&mut raw, &[(&format!("CLIENT PAUSE 1500 {mode}"), ok())]);
        pusher.tell("RPUSH list x");
        assert_eq!(hasty.read(), Reply::NullArray, "{mode}");
        patient.expect_silence(Duration::from_millis(20));
        // A pause of everything holds back its own end as well.
        if mode == "WRITE" {
            check(&mut raw, &[("CLIENT UNPAUSE", ok())]);
        }
        assert_eq!(patient.read(), bulks("list x"), "{mode}");
        assert_eq!(pusher.read(), integer(1));
    }
}

#[test]
fn a_killed_client_gets_nothing_from_that_moment_on() {
    let server = four_workers();
    let mut raw = server.raw();
    for _ in 0..20 {
        let mut killed = server.raw();
        let id = killed.ask("CLIENT ID").number();
        killed.tell("BLPOP list 0");
        wait_for_blocked(&server, 1);
        let mut next = waiting(&server, "BLPOP list 0", 1);
        let kill = format!("CLIENT KILL ID {id}");
        let replies = at_once(&mut raw, &[&kill, "RPUSH list a b", "LLEN list"]);
        assert_eq!(replies, [integer(1), integer(2), integer(1)]);
        assert_eq!(next.read(), bulks("list a"));
        killed.expect_closed();
        check(&mut raw, &[("LPOP list", bulk("b"))]);
        wait_for_blocked(&server, 0);
    }
}

#[test]
fn an_unblocked_client_gets_nothing_from_that_moment_on() {
    let server = four_workers();
    let mut raw = server.raw();
    for _ in 0..20 {
        let mut waiter = server.raw();
        let id = waiter.ask("CLIENT ID").number();
        waiter.tell("BLMOVE list other LEFT LEFT 0");
        wait_for_blocked(&server, 1);
        let unblock = format!("CLIENT UNBLOCK {id} ERROR");
        let replies = at_once(&mut raw, &[&unblock, &unblock, "RPUSH list a", "LPOP list"]);
        assert_eq!(replies, [integer(1), integer(0), integer(1), bulk("a")]);
        let unblocked = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
        assert_eq!(waiter.read(), error(unblocked));
    }
    // Where locks are held already it comes a little later.
    let mut waiter = server.raw();
    let id = waiter.ask("CLIENT ID").number();
    waiter.tell("BZPOPMIN zset 0");
    wait_for_blocked(&server, 1);
    let unblock = format!("CLIENT UNBLOCK {id}");
    let replies = at_once(&mut raw, &["MULTI", "SET a b", &unblock, "EXEC"]);
    assert_eq!(replies[3], array([ok(), integer(1)]));
    assert_eq!(waiter.read(), Reply::NullArray);
}

#[test]
fn a_transaction_serves_its_waiters_when_it_is_done() {
    let server = four_workers();
    let mut waiters: Vec<Raw> = [
        "BLPOP a 0",
        "BRPOP a b 0",
        "BLMPOP 0 2 b a LEFT COUNT 2",
        "BLMOVE b c LEFT RIGHT 0",
        "BLPOP c 0",
    ]
    .iter()
    .enumerate()
    .map(|(before, line)| waiting(&server, line, before))
    .collect();
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("MULTI", ok()),
            ("RPUSH b 1 2 3 4 5", queued()),
            ("RPUSH a x", queued()),
            ("LPUSH a y z", queued()),
            ("EXEC", array([integer(5), integer(1), integer(3)])),
        ],
    );
    // The first key that changed is the first whose waiters are served, each as if its command came only now.
    for (waiter, expected) in waiters.iter_mut().zip([
        bulks("a z"),
        bulks("a x"),
        array([bulk("b"), bulks("1 2")]),
        bulk("3"),
        bulks("c 3"),
    ]) {
        assert_eq!(waiter.read(), expected);
    }
    check(
        &mut raw,
        &[
            ("LRANGE a 0 -1", bulks("y")),
            ("LRANGE b 0 -1", bulks("4 5")),
        ],
    );
}

/// On each key the first element pushed goes to whoever came first, with all workers serving and being served.
#[test]
fn each_key_serves_its_waiters_in_their_order() {
    const KEYS: usize = 6;
    const WAITERS: usize = 10;
    let server = four_workers();
    for round in 0..3 {
        let mut waiters: Vec<Vec<Raw>> = (0..KEYS).map(|_| Vec::new()).collect();
        for number in 0..WAITERS {
            for (key, waiters) in waiters.iter_mut().enumerate() {
                let line = match round {
                    0 => format!("BLPOP list:{key} 0"),
                    1 => format!("BZPOPMIN zset:{key} 0"),
                    _ => format!("BLMPOP 0 2 nothing list:{key} LEFT"),
                };
                waiters.push(waiting(&server, &line, number * KEYS + key));
            }
        }
        thread::scope(|scope| {
            for key in 0..KEYS {
                let server = &server;
                scope.spawn(move || {
                    let mut raw = server.raw();
                    for number in 0..WAITERS + 3 {
                        raw.tell(&match round {
                            1 => format!("ZADD zset:{key} {number} {number}"),
                            _ => format!("RPUSH list:{key} {number}"),
                        });
                    }
                    raw.read_many(WAITERS + 3);
                });
            }
        });
        for (key, waiters) in waiters.iter_mut().enumerate() {
            for (number, waiter) in waiters.iter_mut().enumerate() {
                let expected = match round {
                    0 => bulks(&format!("list:{key} {number}")),
                    1 => bulks(&format!("zset:{key} {number} {number}")),
                    _ => array([bulk(format!("list:{key}")), bulks(&number.to_string())]),
                };
                assert_eq!(waiter.read(), expected);
            }
        }
        wait_for_blocked(&server, 0);
        server.raw().ask("FLUSHALL");
    }
}

#[test]
fn an_element_runs_through_a_chain_of_moves() {
    const LENGTH: usize = 24;
    let server = four_workers();
    let mut chain: Vec<Raw> = (0..LENGTH)
        .map(|n| {
            let line = format!("BLMOVE list:{n} list:{} RIGHT LEFT 0", n + 1);
            waiting(&server, &line, n)
        })
        .collect();
    let mut raw = server.raw();
    let replies = at_once(&mut raw, &["RPUSH list:0 x", "DBSIZE"]);
    assert_eq!(replies, [integer(1), integer(1)]);
    for waiter in &mut chain {
        assert_eq!(waiter.read(), bulk("x"));
    }
    let last = format!("LRANGE list:{LENGTH} 0 -1");
    check(&mut raw, &[(&last, bulks("x"))]);
    // A ring does not turn for ever: each member of it was served once.
    raw.ask("FLUSHALL");
    let mut ring = [
        waiting(&server, "BLMOVE a b LEFT LEFT 0", 0),
        waiting(&server, "BLMOVE b c LEFT LEFT 0", 1),
        waiting(&server, "BLMOVE c a LEFT LEFT 0", 2),
    ];
    raw.ask("RPUSH a x");
    for waiter in &mut ring {
        assert_eq!(waiter.read(), bulk("x"));
    }
    check(&mut raw, &[("LRANGE a 0 -1", bulks("x"))]);
}

#[test]
fn waits_have_fractions() {
    let server = four_workers();
    let mut raw = server.raw();
    for (line, least) in [
        ("BLPOP k 0.001", 0),
        ("BRPOP k 0.0001", 0),
        ("BLMPOP 0.15 1 k LEFT", 149),
        ("BZPOPMIN k 1e-1", 99),
        ("BZMPOP .05 1 k MAX", 49),
        ("BLMOVE k l LEFT LEFT 0.12", 119),
        ("BRPOPLPUSH k l 0.03", 29),
        ("XREAD BLOCK 35 STREAMS k $", 34),
    ] {
        let start = Instant::now();
        assert!(raw.ask(line).is_null(), "{line}");
        let took = start.elapsed().as_millis();
        assert!((least..9_000).contains(&took), "{line} took {took} ms");
    }
}

#[test]
fn other_types_do_not_wake() {
    let server = four_workers();
    let mut raw = server.raw();
    let mut list = waiting(&server, "BLPOP k 0", 0);
    let mut zset = waiting(&server, "BZPOPMAX k 0", 1);
    let mut stream = waiting(&server, "XREAD BLOCK 0 STREAMS k 0", 2);
    for line in [
        "SET k v",
        "DEL k",
        "SADD k v",
        "DEL k",
        "HSET k f v",
        "DEL k",
    ] {
        raw.ask(line);
    }
    check(
        &mut raw,
        &[
            ("ZADD k 1 z 2 y", integer(2)),
            ("ZRANGE k 0 -1", bulks("z")),
        ],
    );
    assert_eq!(zset.read(), bulks("k y 2"));
    raw.ask("DEL k");
    raw.ask("XADD k 1-1 f v");
    let entry = array([bulk("1-1"), bulks("f v")]);
    let streams = array([array([bulk("k"), array([entry])])]);
    assert_eq!(stream.read(), streams);
    list.expect_silence(Duration::from_millis(20));
    check(
        &mut raw,
        &[("LPOP k", error(WRONG_TYPE)), ("DEL k", integer(1))],
    );
    raw.ask("RPUSH k x");
    assert_eq!(list.read(), bulks("k x"));
}

#[test]
fn each_way_of_making_a_sorted_set_or_stream() {
    let server = four_workers();
    let mut raw = server.raw();
    raw.ask("ZADD o 1 x");
    let Reply::Bulk(zset) = raw.ask("DUMP o") else {
        panic!("a payload");
    };
    raw.ask("DEL o");
    raw.ask("XADD o 1-1 x x");
    let Reply::Bulk(stream) = raw.ask("DUMP o") else {
        panic!("a payload");
    };
    let ways: &[&[&str]] = &[
        &["ZADD k 1 x"],
        &["ZINCRBY k 1 x"],
        &["ZADD o 1 x", "ZUNIONSTORE k 1 o"],
        &["ZADD o 1 x", "ZINTERSTORE k 2 o o WEIGHTS 1 0"],
        &["ZADD o 1 x", "ZDIFFSTORE k 1 o"],
        &["ZADD o 1 x", "ZRANGESTORE k o 0 -1"],
        &["ZADD o 1 x", "RENAME o k"],
        &["ZADD o 1 x", "COPY o k"],
        &["SELECT 1", "ZADD k 1 x", "MOVE k 0"],
        &["SELECT 1", "ZADD k 1 x", "SWAPDB 1 0"],
        &["RESTORE"],
        &["GEOADD k 13 38 x"],
        &[
            "GEOADD o 13 38 x",
            "GEOSEARCHSTORE k o FROMMEMBER x BYRADIUS 1 m",
        ],
        &["GEOADD o 13 38 x", "GEORADIUSBYMEMBER o x 1 m STORE k"],
    ];
    for way in ways {
        check(&mut raw, &[("FLUSHALL", ok()), ("SELECT 0", ok())]);
        let mut waiter = waiting(&server, "BZPOPMIN k 0", 0);
        for line in *way {
            match *line {
                "RESTORE" => raw.command(&[b"RESTORE", b"k", b"0", &zset]),
                line => raw.ask(line),
            };
        }
        let served = waiter.read().items();
        assert_eq!(served[..2], [bulk("k"), bulk("x")], "{way:?}");
    }
    let ways: &[&[&str]] = &[
        &["XADD k 1-1 x x"],
        &["XADD o 1-1 x x", "RENAME o k"],
        &["XADD o 1-1 x x", "COPY o k"],
        &["SELECT 1", "XADD k 1-1 x x", "MOVE k 0"],
        &["RESTORE"],
    ];
    for way in ways {
        check(&mut raw, &[("FLUSHALL", ok()), ("SELECT 0", ok())]);
        let mut waiter = waiting(&server, "XREAD BLOCK 0 STREAMS k $", 0);
        for line in *way {
            match *line {
                "RESTORE" => raw.command(&[b"RESTORE", b"k", b"0", &stream]),
                line => raw.ask(line),
            };
        }
        assert!(!waiter.read().is_null(), "{way:?}");
    }
}

#[test]
fn a_list_is_restored_under_a_waiter() {
    let server = four_workers();
    let mut raw = server.raw();
    raw.ask("RPUSH o x y");
    let Reply::Bulk(payload) = raw.ask("DUMP o") else {
        panic!("a payload");
    };
    let mut waiter = waiting(&server, "BRPOP k 0", 0);
    raw.command(&[b"RESTORE", b"k", b"0", &payload]);
    assert_eq!(waiter.read(), bulks("k y"));
    let mut waiter = waiting(&server, "BLPOP n 0", 0);
    raw.ask("SET n text");
    raw.command(&[b"RESTORE", b"n", b"0", &payload, b"REPLACE"]);
    assert_eq!(waiter.read(), bulks("n x"));
    check(&mut raw, &[("LRANGE n 0 -1", bulks("y"))]);
}

#[test]
fn readers_of_groups_hear_that_a_stream_has_expired() {
    let server = four_workers();
    let mut raw = server.raw();
    let read = "XREADGROUP GROUP g alice BLOCK 0 STREAMS s >";
    // By itself, met by another client, met inside a transaction.
    for (active, lines) in [
        ("1", &[][..]),
        ("0", &["EXISTS s"]),
        ("0", &["MULTI", "EXISTS s", "EXEC"]),
        ("0", &["GET s"]),
    ] {
        raw.ask("FLUSHALL");
        raw.ask(&format!("DEBUG SET-ACTIVE-EXPIRE {active}"));
        raw.ask("XGROUP CREATE s g $ MKSTREAM");
        let mut reader = waiting(&server, read, 0);
        raw.ask("PEXPIRE s 40");
        if active == "0" {
            thread::sleep(Duration::from_millis(60));
            reader.expect_silence(Duration::from_millis(20));
        }
        for line in lines {
            raw.ask(line);
        }
        assert_eq!(reader.read(), error(NO_GROUP), "{lines:?}");
    }
    raw.ask("DEBUG SET-ACTIVE-EXPIRE 1");
}

fn claimed(entry: &str, deliveries: i64, reply: Reply) {
    let Reply::Array(mut streams) = reply else {
        panic!("{reply:?}");
    };
    let entries = streams.remove(0).items().remove(1).items();
    assert_eq!(entries.len(), 1, "{entries:?}");
    let cells = entries.into_iter().next().expect("an entry").items();
    assert_eq!(cells[0], bulk(entry));
    assert_eq!(cells[3], integer(deliveries));
}

#[test]
fn claims_wait_for_entries_to_be_left_alone() {
    let mut server = Server::start(&["--io-threads", "4", "--appendonly", "yes"]);
    let (mut raw, mut reader) = (server.raw(), server.raw());
    let read = "XREADGROUP GROUP g bob COUNT 1 BLOCK 0 CLAIM 1000 STREAMS s >";
    raw.ask("XGROUP CREATE s g $ MKSTREAM");
    raw.ask("XADD s 1-1 f v");
    let start = Instant::now();
    raw.ask("XREADGROUP GROUP g alice STREAMS s >");
    claimed("1-1", 1, reader.ask(read));
    let took = start.elapsed().as_millis();
    assert!((999..9_000).contains(&took), "{took} ms");
    // What becomes pending during the wait counts as well.
    raw.ask("XACK s g 1-1");
    reader.tell(read);
    wait_for_blocked(&server, 1);
    let replies = at_once(
        &mut raw,
        &[
            "MULTI",
            "XADD s 2-1 f v",
            "XREADGROUP GROUP g carol STREAMS s >",
            "EXEC",
        ],
    );
    assert!(matches!(&replies[3], Reply::Array(replies) if replies.len() == 2));
    reader.expect_silence(Duration::from_millis(50));
    claimed("2-1", 1, reader.read());
    // An acknowledged entry is waited for in vain.
    reader.tell(&read.replace("BLOCK 0", "BLOCK 600"));
    wait_for_blocked(&server, 1);
    raw.ask("XACK s g 2-1");
    assert_eq!(reader.read(), Reply::NullArray);
    raw.ask("XADD s 3-1 f v");
    raw.ask("XREADGROUP GROUP g alice STREAMS s >");
    claimed("3-1", 1, reader.ask(&read.replace("300", "30")));
    let pending = |raw: &mut Raw| raw.ask("XPENDING s g").items();
    let before = pending(&mut raw);
    assert_eq!(before[3], array([bulks("bob 1")]));
    server.restart();
    assert_eq!(pending(&mut server.raw()), before);
}

/// The first of several who want the same entry gets it, and nobody gets it twice.
#[test]
fn one_claim_is_one_delivery() {
    let server = four_workers();
    let mut raw = server.raw();
    raw.ask("XGROUP CREATE s g $ MKSTREAM");
    raw.ask("XADD s 1-1 f v");
    raw.ask("XREADGROUP GROUP g alice STREAMS s >");
    let read =
        |name: usize| format!("XREADGROUP GROUP g reader:{name} BLOCK 9000 CLAIM 900 STREAMS s >");
    let mut readers: Vec<Raw> = (0..3).map(|n| waiting(&server, &read(n), n)).collect();
    claimed("1-1", 1, readers[0].read());
    claimed("1-1", 2, readers[1].read());
    claimed("1-1", 3, readers[2].read());
}

#[test]
fn several_elements_move_at_once() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    let count = "ERR count should be greater than 0";
    check(
        &mut raw,
        &[
            ("RPUSH l 1 2 3 4", integer(4)),
            ("LMOVEM l o LEFT LEFT COUNT 2 OBO", bulks("2 1")),
            ("LRANGE o 0 -1", bulks("2 1")),
            ("LMOVEM l o LEFT LEFT EXACTLY 5 BULK", Reply::NullArray),
            ("LMOVEM l o RIGHT LEFT COUNT 9 BULK", bulks("3 4")),
            ("LRANGE o 0 -1", bulks("3 4 2 1")),
            ("EXISTS l", integer(0)),
            ("LMOVEM l o LEFT LEFT", bulks("")),
            ("LMOVEM o o LEFT LEFT EXACTLY 2 OBO", bulks("4 3")),
            ("LRANGE o 0 -1", bulks("4 3 2 1")),
            ("LMOVEM o o RIGHT RIGHT EXACTLY 4 BULK", bulks("4 3 2 1")),
            ("LMOVEM o o LEFT RIGHT COUNT 3 BULK", bulks("4 3 2")),
            ("LRANGE o 0 -1", bulks("1 4 3 2")),
            ("LMOVEM o l RIGHT RIGHT", bulks("2")),
            ("LMOVEM o l LEFT RIGHT COUNT 0 OBO", error(count)),
            ("LMOVEM o l LEFT RIGHT COUNT 1", error("ERR syntax error")),
            ("LMOVEM o l LEFT UP", error("ERR syntax error")),
            ("SET text x", ok()),
            ("LMOVEM o text LEFT RIGHT", error(WRONG_TYPE)),
            ("LMOVEM text o LEFT RIGHT", error(WRONG_TYPE)),
            ("BLMOVEM none o LEFT RIGHT 0.01", Reply::NullArray),
            ("BLMOVEM o l LEFT LEFT 0 COUNT 2 BULK", bulks("1 4")),
        ],
    );
    let mut waiter = waiting(&server, "BLMOVEM q l LEFT RIGHT 0 EXACTLY 3 OBO", 0);
    raw.ask("RPUSH q a b");
    waiter.expect_silence(Duration::from_millis(30));
    let mut second = waiting(&server, "BLMOVEM q m RIGHT LEFT 0 EXACTLY 4 BULK", 1);
    raw.ask("RPUSH q c d e");
    assert_eq!(waiter.read(), bulks("a b c"));
    second.expect_silence(Duration::from_millis(30));
    raw.ask("RPUSH q f g");
    assert_eq!(second.read(), bulks("d e f g"));
    let digest = raw.ask("DEBUG DIGEST");
    server.restart();
    assert_eq!(server.raw().ask("DEBUG DIGEST"), digest);
}
