//! What comes before what: replies and messages of one connection, commands behind one that waits, connections that are
//! being closed.

use std::time::Duration;

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, frame, integer, ok, queued, simple, within,
};

fn message(channel: &str, text: &str) -> Reply {
    array([bulk("message"), bulk(channel), bulk(text)])
}

fn change(kind: &str, channel: &str, count: i64) -> Reply {
    array([bulk(kind), bulk(channel), integer(count)])
}

#[test]
fn what_was_published_before_leaving_a_channel_still_arrives() {
    let server = Server::start(&["--io-threads", "2"]);
    let mut publisher = server.raw();
    for round in 0..100 {
        let mut listener = server.raw();
        assert_eq!(
            listener.ask("SUBSCRIBE news"),
            change("subscribe", "news", 1)
        );
        let text = round.to_string();
        assert_eq!(publisher.ask(&format!("PUBLISH news {text}")), integer(1));
        listener.tell("UNSUBSCRIBE news");
        assert_eq!(listener.read(), message("news", &text));
        assert_eq!(listener.read(), change("unsubscribe", "news", 0));
    }
}

#[test]
fn what_was_published_before_joining_a_channel_does_not_arrive() {
    let server = Server::start(&["--io-threads", "1"]);
    let (mut listener, mut late) = (server.raw(), server.raw());
    listener.ask("SUBSCRIBE news");
    let pipeline = [
        frame(&[b"PUBLISH", b"news", b"early"]),
        frame(&[b"SUBSCRIBE", b"news"]),
    ];
    late.send(pipeline.concat());
    assert_eq!(late.read(), integer(1));
    assert_eq!(late.read(), change("subscribe", "news", 1));
    late.expect_silence(Duration::from_millis(50));
    assert_eq!(listener.read(), message("news", "early"));
}

#[test]
fn a_listener_hears_itself_between_its_own_replies() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("HELLO 3");
    raw.ask("SUBSCRIBE news");
    let pipeline = [
        frame(&[b"PUBLISH", b"news", b"1"]),
        frame(&[b"PING"]),
        b"PUBLISH news \"2 3\"\r\nPING \"4 5\"\r\n".to_vec(),
    ];
    raw.send(pipeline.concat());
    let push = |text: &str| Reply::Push(message("news", text).items());
    let expected = [
        integer(1),
        push("1"),
        simple("PONG"),
        integer(1),
        push("2 3"),
        bulk("4 5"),
    ];
    assert_eq!(raw.read_many(6), expected);
}

#[test]
fn commands_behind_one_that_waits() {
    let server = Server::start(&[]);
    let (mut raw, mut admin) = (server.raw(), server.raw());
    for round in 0..2 {
        check(&mut admin, &[("CLIENT PAUSE 100000 WRITE", ok())]);
        // Frames and lines, the last of them not complete.
        let value = format!("a b {round}");
        raw.send(frame(&[b"GET", b"none"]));
        raw.send(frame(&[b"SET", b"one", value.as_bytes()]));
        raw.send(format!("SET two \"{value}\"\r\nGET two\r\n"));
        let last = frame(&[b"SET", b"three", b"0123456789"]);
        raw.send(&last[..30]);
        assert_eq!(raw.read(), Reply::NullBulk);
        raw.expect_silence(Duration::from_millis(50));
        check(&mut admin, &[("CLIENT UNPAUSE", ok())]);
        assert_eq!(raw.read_many(3), [ok(), ok(), bulk(&value)]);
        raw.send(&last[30..]);
        assert_eq!(raw.read(), ok());
        check(
            &mut raw,
            &[("GET one", bulk(&value)), ("GET three", bulk("0123456789"))],
        );
    }
}

#[test]
fn a_killed_connection_runs_nothing_more() {
    let server = Server::start(&["--io-threads", "2"]);
    let mut admin = server.raw();
    for _ in 0..50 {
        let mut victim = server.raw();
        let id = victim.ask("CLIENT ID").number();
        assert_eq!(admin.ask(&format!("CLIENT KILL ID {id}")), integer(1));
        // The connection may be gone already.
        let _ = victim.try_send(&frame(&[b"SET", b"key", b"late"]));
        assert_eq!(admin.ask(&format!("CLIENT LIST ID {id}")).text(), "");
        assert_eq!(admin.ask(&format!("CLIENT KILL ID {id}")), integer(0));
        victim.expect_closed();
    }
    assert_eq!(admin.ask("EXISTS key"), integer(0));
}

#[test]
fn replies_that_nobody_wants() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.tell("CLIENT REPLY OFF");
    raw.tell("MULTI");
    raw.tell("INCR key");
    raw.tell("EXEC");
    raw.tell("CLIENT REPLY SKIP");
    // Messages are no replies.
    raw.tell("SUBSCRIBE news");
    assert_eq!(raw.read(), change("subscribe", "news", 1));
    assert_eq!(server.raw().ask("PUBLISH news x"), integer(1));
    assert_eq!(raw.read(), message("news", "x"));
    assert_eq!(raw.ask("RESET"), simple("RESET"));
    // One command each.
    raw.tell("CLIENT REPLY SKIP");
    raw.tell("CLIENT REPLY SKIP");
    raw.tell("INCR key");
    assert_eq!(raw.ask("GET key"), bulk("2"));
}

#[test]
fn exec_that_is_refused_ends_the_transaction() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("WATCH key", ok()),
            ("MULTI", ok()),
            ("SET key 1", queued()),
            (
                "EXEC now",
                error(
                    "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
                ),
            ),
            ("EXEC", error("ERR EXEC without MULTI")),
            ("SET key 2", ok()),
            ("MULTI", ok()),
            ("GET key", queued()),
            ("EXEC", array([bulk("2")])),
        ],
    );
}

#[test]
fn stale_keys_are_no_keys_to_watch() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    check(&mut raw, &[("DEBUG SET-ACTIVE-EXPIRE 0", ok())]);
    let changes: [(&str, bool); 4] = [
        ("EXISTS key", true),
        ("FLUSHALL", true),
        ("DEL key", true),
        ("SET key 2", false),
    ];
    for (change, runs) in changes {
        stale(&mut raw, "key");
        check(&mut raw, &[("WATCH key", ok())]);
        other.ask(change);
        assert_eq!(runs_empty_transaction(&mut raw), runs, "{change}");
    }
    // One that was there and is gone by its time is a change, whether or not it has been removed.
    for look in ["PING", "EXISTS key"] {
        within(Duration::from_millis(250), || {
            check(&mut raw, &[("SET key 1 PX 300", ok()), ("WATCH key", ok())]);
        });
        std::thread::sleep(Duration::from_millis(350));
        other.ask(look);
        assert!(!runs_empty_transaction(&mut raw), "{look}");
    }
}

#[test]
fn swapping_in_a_stale_key_is_no_change() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[("DEBUG SET-ACTIVE-EXPIRE 0", ok()), ("SELECT 1", ok())],
    );
    stale(&mut raw, "key");
    check(
        &mut raw,
        &[
            ("SELECT 0", ok()),
            ("WATCH key", ok()),
            ("SWAPDB 0 1", ok()),
        ],
    );
    assert!(runs_empty_transaction(&mut raw));
    check(
        &mut raw,
        &[
            ("SELECT 1", ok()),
            ("SET key 1", ok()),
            ("SELECT 0", ok()),
            ("WATCH key", ok()),
            ("SWAPDB 0 1", ok()),
        ],
    );
    assert!(!runs_empty_transaction(&mut raw));
}

/// A key that is past its time and still there.
fn stale(raw: &mut Raw, key: &str) {
    assert_eq!(raw.ask(&format!("SET {key} 1 PX 1")), ok());
    std::thread::sleep(Duration::from_millis(10));
}

fn runs_empty_transaction(raw: &mut Raw) -> bool {
    assert_eq!(raw.ask("MULTI"), ok());
    raw.ask("EXEC") == array([])
}
