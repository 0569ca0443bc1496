//! Channels, patterns and sharded channels: the replies in both protocols, what a subscriber may ask, who gets what.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, frame, integer, ok, queued, simple,
};

/// `kind channel count`, as (un)subscribing answers.
fn change(kind: &str, channel: &str, count: i64) -> Reply {
    array([bulk(kind), bulk(channel), integer(count)])
}

fn message(channel: &str, text: &str) -> Reply {
    array([bulk("message"), bulk(channel), bulk(text)])
}

fn pmessage(pattern: &str, channel: &str, text: &str) -> Reply {
    array([bulk("pmessage"), bulk(pattern), bulk(channel), bulk(text)])
}

fn push(reply: Reply) -> Reply {
    Reply::Push(reply.items())
}

fn subscriber(server: &Server, channel: &str) -> Raw {
    let mut raw = server.raw();
    raw.command(&[b"SUBSCRIBE", channel.as_bytes()]);
    raw
}

#[test]
fn subscribing_answers_once_per_channel() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.tell("SUBSCRIBE a b a");
    assert_eq!(
        raw.read_many(3),
        [
            change("subscribe", "a", 1),
            change("subscribe", "b", 2),
            change("subscribe", "a", 2)
        ]
    );
    raw.tell("PSUBSCRIBE a* ?");
    assert_eq!(
        raw.read_many(2),
        [change("psubscribe", "a*", 3), change("psubscribe", "?", 4)]
    );
    raw.tell("SSUBSCRIBE s");
    // Sharded channels are counted by themselves.
    assert_eq!(raw.read(), change("ssubscribe", "s", 1));
    raw.tell("UNSUBSCRIBE a nothing");
    assert_eq!(
        raw.read_many(2),
        [
            change("unsubscribe", "a", 3),
            change("unsubscribe", "nothing", 3)
        ]
    );
    raw.tell("PUNSUBSCRIBE a*");
    assert_eq!(raw.read(), change("punsubscribe", "a*", 2));
    raw.tell("SUNSUBSCRIBE");
    assert_eq!(raw.read(), change("sunsubscribe", "s", 0));
}

#[test]
fn unsubscribing_from_all() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.tell("SUBSCRIBE a b c");
    raw.read_many(3);
    raw.tell("UNSUBSCRIBE");
    let replies = raw.read_many(3);
    let channels: BTreeSet<String> = replies
        .iter()
        .map(|reply| reply.clone().items()[1].text())
        .collect();
    assert_eq!(channels, BTreeSet::from(["a", "b", "c"].map(String::from)));
    assert_eq!(replies[2].clone().items()[2], integer(0));
    for kind in ["unsubscribe", "punsubscribe", "sunsubscribe"] {
        assert_eq!(
            raw.ask(kind),
            array([bulk(kind), Reply::NullBulk, integer(0)])
        );
    }
    check(&mut raw, &[("SET key 1", ok()), ("GET key", bulk("1"))]);
}

#[test]
fn who_gets_a_message() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let mut exact = subscriber(&server, "news");
    let mut both = subscriber(&server, "news");
    both.ask("PSUBSCRIBE n*");
    let mut shard = server.raw();
    shard.ask("SSUBSCRIBE news");
    check(
        &mut raw,
        &[
            ("PUBLISH news hello", integer(3)),
            ("PUBLISH none hello", integer(1)),
            ("PUBLISH other hello", integer(0)),
            ("SPUBLISH news \"for shards\"", integer(1)),
            ("SPUBLISH other hello", integer(0)),
            ("PUBLISH news \"\"", integer(3)),
        ],
    );
    assert_eq!(
        exact.read_many(2),
        [message("news", "hello"), message("news", "")]
    );
    let expected = [
        message("news", "hello"),
        pmessage("n*", "news", "hello"),
        pmessage("n*", "none", "hello"),
        message("news", ""),
        pmessage("n*", "news", ""),
    ];
    assert_eq!(both.read_many(5), expected);
    assert_eq!(
        shard.read(),
        array([bulk("smessage"), bulk("news"), bulk("for shards")])
    );
    exact.expect_silence(Duration::from_millis(50));
}

#[test]
fn patterns() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let rows = [
        ("h?llo", "hello", true),
        ("h?llo", "hllo", false),
        ("h*llo", "hllo", true),
        ("h[ae]llo", "hallo", true),
        ("h[^e]llo", "hello", false),
        ("h[a-f]llo", "hello", true),
        ("h\\\\*llo", "h*llo", true),
        ("h\\\\*llo", "hello", false),
        ("*", "anything", true),
        ("a*b*c", "a--b--c", true),
        ("a*b*c", "a--c", false),
        ("NEWS", "news", false),
    ];
    for (pattern, channel, matches) in rows {
        let mut listener = server.raw();
        listener.ask(&format!("PSUBSCRIBE \"{pattern}\""));
        let received = raw.command(&[b"PUBLISH", channel.as_bytes(), b"x"]);
        assert_eq!(received, integer(matches as i64), "{pattern} and {channel}");
        if matches {
            assert_eq!(listener.read().items()[2], bulk(channel));
        }
        listener.ask("PUNSUBSCRIBE");
    }
}

#[test]
fn what_a_subscriber_may_ask() {
    let refused = |name: &str| {
        let names = "(P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET";
        error(&format!(
            "ERR Can't execute '{name}': only {names} are allowed in this context"
        ))
    };
    let server = Server::start(&[]);
    let mut raw = subscriber(&server, "news");
    check(
        &mut raw,
        &[
            ("GET key", refused("get")),
            ("PUBLISH news x", refused("publish")),
            ("MULTI", refused("multi")),
            ("CONFIG GET save", refused("config|get")),
            ("PING", array([bulk("pong"), bulk("")])),
            ("PING hello", array([bulk("pong"), bulk("hello")])),
            (
                "NOSUCH",
                error("ERR unknown command 'NOSUCH', with args beginning with: "),
            ),
            (
                "SUBSCRIBE",
                error("ERR wrong number of arguments for 'subscribe' command"),
            ),
            ("RESET", simple("RESET")),
            ("GET key", Reply::NullBulk),
            ("PUBSUB CHANNELS", array([])),
            ("SUBSCRIBE news", change("subscribe", "news", 1)),
            ("QUIT", ok()),
        ],
    );
    raw.expect_closed();
}

#[test]
fn subscribers_of_resp3_may_ask_anything() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    raw.ask("HELLO 3");
    check(
        &mut raw,
        &[
            ("SUBSCRIBE news", push(change("subscribe", "news", 1))),
            ("PSUBSCRIBE n*", push(change("psubscribe", "n*", 2))),
            ("SSUBSCRIBE shard", push(change("ssubscribe", "shard", 1))),
            ("SET key 1", ok()),
            ("PING", simple("PONG")),
        ],
    );
    check(
        &mut other,
        &[
            ("PUBLISH news x", integer(2)),
            ("SPUBLISH shard y", integer(1)),
        ],
    );
    assert_eq!(raw.read(), push(message("news", "x")));
    assert_eq!(raw.read(), push(pmessage("n*", "news", "x")));
    assert_eq!(
        raw.read(),
        Reply::Push(vec![bulk("smessage"), bulk("shard"), bulk("y")])
    );
    check(&mut raw, &[("GET key", bulk("1"))]);
}

#[test]
fn a_subscriber_of_resp3_hears_itself() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("HELLO 3");
    raw.ask("SUBSCRIBE news");
    raw.tell("PUBLISH news x");
    let replies = raw.read_many(2);
    // Whether the message comes before or after the reply differs between versions of Redis.
    assert!(
        replies.contains(&push(message("news", "x"))) && replies.contains(&integer(1)),
        "{replies:?}"
    );
}

#[test]
fn in_transactions() {
    let server = Server::start(&[]);
    let mut listener = subscriber(&server, "news");
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("MULTI", ok()),
            ("PUBLISH news one", queued()),
            ("SET key 1", queued()),
            ("PUBLISH news two", queued()),
            ("DISCARD", ok()),
            ("MULTI", ok()),
            ("PUBLISH news three", queued()),
            ("PUBLISH news four", queued()),
            ("EXEC", array([integer(1), integer(1)])),
        ],
    );
    assert_eq!(
        listener.read_many(2),
        [message("news", "three"), message("news", "four")]
    );
}

#[test]
fn pubsub_tells_who_listens() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let mut listener = subscriber(&server, "b");
    let _second = subscriber(&server, "b");
    listener.ask("PSUBSCRIBE p*");
    listener.ask("SSUBSCRIBE s");
    check(
        &mut raw,
        &[
            ("PUBSUB CHANNELS", array([bulk("b")])),
            ("PUBSUB CHANNELS b*", array([bulk("b")])),
            ("PUBSUB CHANNELS x*", array([])),
            ("PUBSUB NUMSUB", array([])),
            (
                "PUBSUB NUMSUB b nobody",
                array([bulk("b"), integer(2), bulk("nobody"), integer(0)]),
            ),
            ("PUBSUB NUMPAT", integer(1)),
            ("PUBSUB SHARDCHANNELS", array([bulk("s")])),
            (
                "PUBSUB SHARDNUMSUB s b",
                array([bulk("s"), integer(1), bulk("b"), integer(0)]),
            ),
            (
                "PUBSUB NOSUCH",
                error("ERR unknown subcommand 'NOSUCH'. Try PUBSUB HELP."),
            ),
        ],
    );
    drop(listener);
    eventually("its subscriptions are gone", || {
        raw.ask("PUBSUB NUMPAT") == integer(0)
    });
    check(
        &mut raw,
        &[
            ("PUBSUB SHARDCHANNELS", array([])),
            ("PUBLISH b x", integer(1)),
        ],
    );
}

#[test]
fn each_publisher_is_heard_in_order() {
    const PUBLISHERS: usize = 6;
    const MESSAGES: usize = 2_000;
    let server = Server::start(&[]);
    let mut listeners: Vec<Raw> = (0..4).map(|_| subscriber(&server, "news")).collect();
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let mut raw = server.raw();
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    raw.tell(&format!("PUBLISH news {publisher}:{number}"));
                }
                assert!(
                    raw.read_many(MESSAGES)
                        .iter()
                        .all(|reply| *reply == integer(4))
                );
            });
        }
        for listener in &mut listeners {
            scope.spawn(|| {
                let mut next = [0; PUBLISHERS];
                for _ in 0..PUBLISHERS * MESSAGES {
                    let text = listener.read().items()[2].text();
                    let (publisher, number) = text.split_once(':').expect("publisher:number");
                    let expected = &mut next[publisher.parse::<usize>().expect("a publisher")];
                    assert_eq!(number, expected.to_string(), "publisher {publisher}");
                    *expected += 1;
                }
            });
        }
    });
}

#[test]
fn a_message_is_out_before_its_publisher_is_answered() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let mut listener = subscriber(&server, "news");
    for number in 0..200 {
        let text = number.to_string();
        assert_eq!(
            raw.command(&[b"PUBLISH", b"news", text.as_bytes()]),
            integer(1)
        );
        assert_eq!(listener.read(), message("news", &text));
    }
}

#[test]
fn binary_and_big_messages() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let channel: Vec<u8> = (0..=255).collect();
    let mut listener = server.raw();
    listener.command(&[b"SUBSCRIBE", &channel]);
    for size in [0, 1, 20_000, 4 * 1024 * 1024] {
        let text: Vec<u8> = (0..size).map(|at| (at % 256) as u8).collect();
        assert_eq!(raw.command(&[b"PUBLISH", &channel, &text]), integer(1));
        assert!(
            listener.read() == array([bulk("message"), bulk(&channel), bulk(&text)]),
            "{size} bytes"
        );
    }
}

#[test]
fn many_channels_and_subscribers_that_come_and_go() {
    const CHANNELS: usize = 10_000;
    let server = Server::start(&[]);
    let mut listener = server.raw();
    let names: Vec<String> = (0..CHANNELS)
        .map(|number| format!("channel:{number}"))
        .collect();
    let args: Vec<&[u8]> = std::iter::once(&b"SUBSCRIBE"[..])
        .chain(names.iter().map(String::as_bytes))
        .collect();
    listener.send(frame(&args));
    assert_eq!(
        listener.read_many(CHANNELS)[CHANNELS - 1],
        change("subscribe", "channel:9999", CHANNELS as i64)
    );
    let mut raw = server.raw();
    check(&mut raw, &[("PUBLISH channel:77 x", integer(1))]);
    assert_eq!(listener.read(), message("channel:77", "x"));
    drop(listener);
    eventually("no channel is left", || {
        raw.ask("PUBSUB CHANNELS") == array([])
    });
    for _ in 0..300 {
        drop(subscriber(&server, "brief"));
        raw.ask("PUBLISH brief x");
    }
    eventually("nobody listens", || {
        raw.ask("PUBLISH brief x") == integer(0)
    });
}

#[test]
fn keyspace_events() {
    let server = Server::start(&["--notify-keyspace-events", "KEA"]);
    let mut raw = server.raw();
    let mut listener = server.raw();
    listener.ask("PSUBSCRIBE __key*__:*");
    let rows: &[(&str, &[(&str, &str)])] = &[
        ("SET key 1", &[("set", "key")]),
        ("SET key 1 EX 100", &[("set", "key"), ("expire", "key")]),
        ("INCR key", &[("incrby", "key")]),
        ("INCRBYFLOAT key 0.5", &[("incrbyfloat", "key")]),
        ("APPEND key x", &[("append", "key")]),
        ("SETRANGE key 0 y", &[("setrange", "key")]),
        ("GETEX key PERSIST", &[("persist", "key")]),
        ("EXPIRE key 100", &[("expire", "key")]),
        ("PERSIST key", &[("persist", "key")]),
        (
            "RENAME key other",
            &[("rename_from", "key"), ("rename_to", "other")],
        ),
        ("COPY other key", &[("copy_to", "key")]),
        ("MSET a 1 b 2", &[("set", "a"), ("set", "b")]),
        ("GETDEL a", &[("del", "a")]),
        ("DEL b other nothing", &[("del", "b"), ("del", "other")]),
        ("EXPIRE key -1", &[("del", "key")]),
        ("GET nothing", &[]),
        ("SET end 1", &[("set", "end")]),
    ];
    for (command, events) in rows {
        raw.ask(command);
        for (event, key) in *events {
            let (space, name) = (
                format!("__keyspace@0__:{key}"),
                format!("__keyevent@0__:{event}"),
            );
            let both = [(space.as_str(), *event), (name.as_str(), *key)];
            let expected = both.map(|(channel, text)| pmessage("__key*__:*", channel, text));
            assert_eq!(listener.read_many(2), expected, "after {command}");
        }
    }
}
