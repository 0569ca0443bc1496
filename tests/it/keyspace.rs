//! The keyspace as a whole while several clients use it: walks that give way, flushing and swapping among writers, events,
//! waiting.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, frame, integer, ok, queued,
};

/// Sets `count` keys `key:0`, `key:1` …
fn fill(raw: &mut Raw, count: usize) {
    const CHUNK: usize = 1000;
    for first in (0..count).step_by(CHUNK) {
        let names: Vec<String> = (first..count.min(first + CHUNK))
            .map(|n| format!("key:{n}"))
            .collect();
        let mut args: Vec<&[u8]> = vec![b"MSET"];
        args.extend(names.iter().flat_map(|name| [name.as_bytes(), b"value"]));
        assert_eq!(raw.command(&args), ok());
    }
}

/// Sends KEYS, and gives the times at which it was sent and at which the reply began, with the reply's first line.
fn timed_keys(port: u16) -> (Instant, Instant, String) {
    let mut stream =
        TcpStream::connect(("127.0.0.1", port)).expect("the server accepts connections");
    let limit = Some(Duration::from_secs(60));
    stream.set_read_timeout(limit).expect("a valid timeout");
    let sent = Instant::now();
    let commands = [frame(&[b"KEYS", b"key*"]), frame(&[b"PING"])].concat();
    stream
        .write_all(&commands)
        .expect("the server takes what is sent");
    let mut reply = vec![0; 1];
    stream.read_exact(&mut reply).expect("the reply begins");
    let began = Instant::now();
    let mut chunk = [0; 64 * 1024];
    while !reply.ends_with(b"+PONG\r\n") {
        let count = stream.read(&mut chunk).expect("the reply goes on");
        assert_ne!(count, 0, "the reply ends early");
        reply.extend_from_slice(&chunk[..count]);
    }
    let line = reply.split(|&byte| byte == b'\r').next();
    let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
    (sent, began, line)
}

#[test]
fn keys_lets_others_in_between() {
    const KEYS: usize = 300_000;
    // One worker, so that both clients are served by the same thread.
    let server = Server::start(&["--io-threads", "1"]);
    let mut raw = server.raw();
    fill(&mut raw, KEYS);
    let port = server.port();
    let walk = thread::spawn(move || timed_keys(port));
    let mut answered = Vec::new();
    while !walk.is_finished() {
        raw.ask("PING");
        answered.push(Instant::now());
    }
    let (sent, began, line) = walk.join().expect("KEYS gets its reply");
    assert_eq!(line, format!("*{KEYS}"));
    let between = answered.iter().filter(|&&at| sent < at && at < began);
    // Two could come by chance: one before the walk began, one when it had ended.
    let between = between.count();
    assert!(between > 2, "only {between} replies while KEYS walked");
}

#[test]
fn a_walk_inside_a_transaction_sees_one_moment() {
    let server = Server::start(&[]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = server.raw();
            while !done.load(Relaxed) {
                writer.ask("MSET a 1 b 1 c 1 d 1");
                writer.ask("DEL a b c d");
            }
        });
        let mut raw = server.raw();
        for _ in 0..200 {
            raw.ask("MULTI");
            for command in ["KEYS ?", "DBSIZE", "SCAN 0 COUNT 100", "KEYS a", "EXISTS b"] {
                assert_eq!(raw.ask(command), queued());
            }
            let replies = raw.ask("EXEC").items();
            let listed = replies[0].clone().items().len();
            let size = replies[1].number();
            let scanned = replies[2].clone().items()[1].clone().items().len();
            let one = replies[3].clone().items().len() as i64;
            assert!([0, 4].contains(&listed), "KEYS lists {listed} of 4 keys");
            assert_eq!((size, scanned), (listed as i64, listed));
            assert_eq!((one, replies[4].number()), (size / 4, size / 4));
        }
        done.store(true, Relaxed);
    });
}

/// The number of keys as DBSIZE, KEYS and a whole SCAN count them, which must agree when nobody writes.
#[track_caller]
fn count_keys(raw: &mut Raw) -> i64 {
    let size = raw.ask("DBSIZE").number();
    assert_eq!(raw.ask("KEYS *").items().len() as i64, size);
    let (mut cursor, mut scanned) = ("0".to_owned(), 0);
    loop {
        let mut reply = raw.ask(&format!("SCAN {cursor} COUNT 1000")).items();
        scanned += reply.pop().map_or(0, |keys| keys.items().len() as i64);
        cursor = reply[0].text();
        if cursor == "0" {
            assert_eq!(scanned, size);
            return size;
        }
    }
}

#[test]
fn flushing_while_others_write() {
    const WRITERS: usize = 4;
    let server = Server::start(&[]);
    let (done, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (server, done, written) = (&server, &done, &written);
            scope.spawn(move || {
                let mut raw = server.raw();
                for round in 0.. {
                    if done.load(Relaxed) {
                        break;
                    }
                    let names: Vec<_> = (0..100).map(|n| format!("{writer}:{round}:{n}")).collect();
                    let commands = names
                        .iter()
                        .flat_map(|name| frame(&[b"SET", name.as_bytes(), &[b'x'; 100]]));
                    raw.send(commands.collect::<Vec<u8>>());
                    assert!(
                        raw.read_many(names.len())
                            .iter()
                            .all(|reply| *reply == ok())
                    );
                    written.fetch_add(names.len(), Relaxed);
                }
            });
        }
        let mut raw = server.raw();
        for round in 0..40 {
            let before = written.load(Relaxed);
            let flush = ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC", "FLUSHDB SYNC"][round % 4];
            assert_eq!(raw.ask(flush), ok());
            while written.load(Relaxed) < before + 500 {
                thread::yield_now();
            }
        }
        done.store(true, Relaxed);
    });
    let mut raw = server.raw();
    assert!(count_keys(&mut raw) > 0);
    check(
        &mut raw,
        &[
            ("FLUSHALL", ok()),
            ("DBSIZE", integer(0)),
            ("RANDOMKEY", Reply::NullBulk),
        ],
    );
    assert_eq!(count_keys(&mut raw), 0);
}

#[test]
fn swapping_while_others_write() {
    const KEYS: i64 = 2000;
    let server = Server::start(&[]);
    thread::scope(|scope| {
        for database in 0..2 {
            let server = &server;
            scope.spawn(move || {
                let mut raw = server.raw();
                raw.ask(&format!("SELECT {database}"));
                for n in 0..KEYS {
                    assert_eq!(raw.ask(&format!("SET {database}:{n} x")), ok());
                }
            });
        }
        let mut raw = server.raw();
        for _ in 0..100 {
            assert_eq!(raw.ask("SWAPDB 0 1"), ok());
        }
    });
    let mut raw = server.raw();
    let first = count_keys(&mut raw);
    raw.ask("SELECT 1");
    assert_eq!(
        first + count_keys(&mut raw),
        2 * KEYS,
        "keys got lost between the databases"
    );
}

#[test]
fn swapping_breaks_the_watch_of_keys_that_come_or_go() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    raw.ask("MSET here 1 both 1");
    check(
        &mut other,
        &[("SELECT 1", ok()), ("MSET there 1 both 1", ok())],
    );
    for (watched, is_broken) in [
        ("here", true),
        ("there", true),
        ("both", true),
        ("nowhere", false),
    ] {
        assert_eq!(raw.ask(&format!("WATCH {watched}")), ok());
        assert_eq!(other.ask("SWAPDB 0 1"), ok());
        check(&mut raw, &[("MULTI", ok()), ("PING", queued())]);
        let reply = raw.ask("EXEC");
        assert_eq!(reply.is_null(), is_broken, "WATCH {watched}: {reply:?}");
    }
    // Databases that are not concerned, and one that changes places with itself.
    for swap in ["SWAPDB 2 3", "SWAPDB 0 0"] {
        raw.ask("WATCH here there both");
        other.ask(swap);
        check(&mut raw, &[("MULTI", ok()), ("EXEC", array([]))]);
    }
}

#[test]
fn copies_and_moves_keep_the_time_to_live() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("SET a x", ok()),
            ("PEXPIREAT a 4000000000000", integer(1)),
            ("COPY a b", integer(1)),
            ("COPY a b DB 1", integer(1)),
            ("COPY a b", integer(0)),
            ("COPY a b DB 1 REPLACE", integer(1)),
            ("RENAME a c", ok()),
            ("MOVE c 2", integer(1)),
            ("MOVE c 2", integer(0)),
            ("PEXPIRETIME b", integer(4_000_000_000_000)),
            ("SET b y", ok()),
            ("COPY b d REPLACE", integer(1)),
            ("TTL d", integer(-1)),
            ("SELECT 1", ok()),
            ("GET b", bulk("x")),
            ("PEXPIRETIME b", integer(4_000_000_000_000)),
            ("SELECT 2", ok()),
            ("PEXPIRETIME c", integer(4_000_000_000_000)),
        ],
    );
}

#[test]
fn every_change_has_its_event() {
    let server = Server::start(&["--notify-keyspace-events", "AKEmn"]);
    let (mut raw, mut listener) = (server.raw(), server.raw());
    listener.ask("PSUBSCRIBE __keyevent@*__:*");
    for (command, expected) in [
        ("SET a 1", &["0 new a", "0 set a"][..]),
        ("SET a 2", &["0 set a"]),
        (
            "RENAME a b",
            &["0 new b", "0 rename_from a", "0 rename_to b"],
        ),
        ("RENAME b b", &[]),
        ("RENAMENX b b", &[]),
        ("COPY b c", &["0 new c", "0 copy_to c"]),
        ("COPY b c", &[]),
        ("COPY b c REPLACE", &["0 new c", "0 copy_to c"]),
        (
            "RENAME b c",
            &["0 new c", "0 rename_from b", "0 rename_to c"],
        ),
        ("MOVE c 1", &["1 new c", "0 move_from c", "1 move_to c"]),
        ("SET a 1", &["0 new a", "0 set a"]),
        ("EXPIRE a 100", &["0 expire a"]),
        ("EXPIRE a 50 GT", &[]),
        ("PERSIST a", &["0 persist a"]),
        ("PERSIST a", &[]),
        ("PEXPIRE a -1", &["0 del a"]),
        ("EXISTS a", &["0 keymiss a"]),
        ("TYPE a", &["0 keymiss a"]),
        ("TTL a", &["0 keymiss a"]),
        ("TOUCH a", &["0 keymiss a"]),
        ("COPY a b", &["0 keymiss a"]),
        ("OBJECT ENCODING a", &[]),
        ("EXPIRE a 100", &[]),
        (
            "MSET a 1 b 1",
            &["0 new a", "0 set a", "0 new b", "0 set b"],
        ),
        ("DEL a nothing b", &["0 del a", "0 del b"]),
        (
            "SET a 1 PX 1",
            &["0 new a", "0 set a", "0 expire a", "0 expired a"],
        ),
        ("FLUSHALL", &[]),
        ("SWAPDB 0 1", &[]),
    ] {
        raw.ask(command);
        let heard: Vec<String> = expected.iter().map(|_| event(listener.read())).collect();
        assert_eq!(heard, expected, "{command}");
    }
    listener.expect_silence(Duration::from_millis(100));
}

/// Database, event and key of a message.
fn event(message: Reply) -> String {
    let parts: Vec<String> = message.items().iter().map(Reply::text).collect();
    let channel = parts[2].trim_start_matches("__keyevent@");
    let (database, event) = channel.split_once("__:").expect("the channel of an event");
    format!("{database} {event} {}", parts[3])
}

#[test]
fn big_values_are_freed_in_the_background() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("SETRANGE big 30000000 x");
    raw.ask("SETRANGE other 30000000 x");
    let used = |raw: &mut Raw| info(raw, "memory", "used_memory");
    let before = used(&mut raw);
    raw.ask("MSET small 1 a 1 b 1");
    assert_eq!(raw.ask("UNLINK big small"), integer(2));
    assert_eq!(raw.ask("FLUSHALL"), ok());
    eventually("the memory is free", || {
        used(&mut raw) + 50_000_000 < before
    });
    // UNLINK counts the value, FLUSHALL the three keys that were left.
    eventually("all is counted", || {
        info(&mut raw, "memory", "lazyfreed_objects") == 4
    });
    assert_eq!(info(&mut raw, "memory", "lazyfree_pending_objects"), 0);
}

/// A number that INFO tells.
#[track_caller]
fn info(raw: &mut Raw, section: &str, field: &str) -> i64 {
    let text = raw.ask(&format!("INFO {section}")).text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{field} in {text}"))
}

#[test]
fn waiting_for_replicas() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let start = Instant::now();
    assert_eq!(raw.ask("WAIT 1 50"), integer(0));
    assert!(start.elapsed() >= Duration::from_millis(50));
    check(
        &mut raw,
        &[
            ("WAIT 0 0", integer(0)),
            ("WAIT -1 0", integer(0)),
            ("MULTI", ok()),
            ("WAIT 1 0", queued()),
            ("EXEC", array([integer(0)])),
            (
                "WAIT x 0",
                error("ERR value is not an integer or out of range"),
            ),
            (
                "WAIT 1 x",
                error("ERR timeout is not an integer or out of range"),
            ),
            ("WAIT 1 -1", error("ERR timeout is negative")),
        ],
    );
    let id = raw.ask("CLIENT ID").number();
    let mut other = server.raw();
    let unblocked = error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
    for (how, expected) in [("TIMEOUT", integer(0)), ("ERROR", unblocked)] {
        raw.tell("WAIT 1 0");
        let unblock = format!("CLIENT UNBLOCK {id} {how}");
        eventually("it can be unblocked", || other.ask(&unblock) == integer(1));
        assert_eq!(raw.read(), expected, "{how}");
    }
    // Nobody is kept waiting by one who waits for ever, and one who leaves is forgotten.
    raw.tell("WAIT 1 0");
    raw.expect_silence(Duration::from_millis(50));
    assert_eq!(server.raw().ask("SET a b"), ok());
}

#[test]
fn waiting_for_a_file_that_is_not_kept() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let no_file = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    check(
        &mut raw,
        &[
            ("WAITAOF 1 0 0", error(no_file)),
            ("WAITAOF 0 0 0", array([integer(0), integer(0)])),
            ("WAITAOF 0 1 20", array([integer(0), integer(0)])),
            (
                "WAITAOF 2 0 0",
                error("ERR value is out of range, value must between 0 and 1"),
            ),
            (
                "WAITAOF 0 -1 0",
                error("ERR value is out of range, must be positive"),
            ),
            ("WAITAOF 0 0 -1", error("ERR timeout is negative")),
            ("MULTI", ok()),
            ("WAITAOF 0 1 0", queued()),
            ("EXEC", array([array([integer(0), integer(0)])])),
        ],
    );
}

#[test]
fn waiting_for_the_file() {
    let safe = || array([integer(1), integer(0)]);
    for policy in ["everysec", "always"] {
        let args = ["--appendonly", "yes", "--appendfsync", policy];
        let mut server = Server::start(&args);
        let mut raw = server.raw();
        // Who wrote nothing has nothing to wait for.
        assert_eq!(raw.ask("WAITAOF 1 0 0"), safe());
        for n in 0..3 {
            // In one piece: the wait is for a write that came with it.
            let commands = [
                frame(&[b"SET", b"key", n.to_string().as_bytes()]),
                frame(&[b"WAITAOF", b"1", b"0", b"0"]),
            ];
            raw.send(commands.concat());
            assert_eq!(raw.read_many(2), [ok(), safe()], "{policy}");
        }
        assert_eq!(raw.ask("WAITAOF 1 1 20"), safe(), "no replica ever answers");
        server.kill();
        server.restart();
        assert_eq!(server.raw().ask("GET key"), bulk("2"), "{policy}");
    }
}

#[test]
fn a_file_that_is_no_longer_kept_is_not_waited_for() {
    let server = Server::start(&["--appendonly", "yes", "--appendfsync", "no"]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    check(
        &mut raw,
        &[
            ("SET key value", ok()),
            ("WAITAOF 1 0 20", array([integer(0), integer(0)])),
            ("MULTI", ok()),
            ("WAITAOF 1 0 0", queued()),
            ("EXEC", array([array([integer(0), integer(0)])])),
        ],
    );
    raw.tell("WAITAOF 1 0 0");
    raw.expect_silence(Duration::from_millis(50));
    assert_eq!(other.ask("CONFIG SET appendonly no"), ok());
    let no_file = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    assert_eq!(raw.read(), error(no_file));
}
