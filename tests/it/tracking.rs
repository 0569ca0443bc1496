//! Client-side caching: who is told of a change, when, and in which form.

use std::time::Duration;

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, integer, ok, queued, simple,
};

const SILENCE: Duration = Duration::from_millis(150);

/// A connection that speaks RESP3.
fn modern(server: &Server) -> Raw {
    let mut raw = server.raw();
    raw.ask("HELLO 3");
    raw
}

/// A modern connection that tracks, with options.
fn tracker(server: &Server, options: &str) -> Raw {
    let mut raw = modern(server);
    let line = format!("CLIENT TRACKING ON {options}");
    assert_eq!(raw.ask(line.trim_end()), ok());
    raw
}

fn invalid(keys: &[&str]) -> Reply {
    let keys = array(keys.iter().map(bulk));
    Reply::Push(vec![bulk("invalidate"), keys])
}

fn everything() -> Reply {
    Reply::Push(vec![bulk("invalidate"), Reply::Null])
}

fn id(raw: &mut Raw) -> i64 {
    raw.ask("CLIENT ID").number()
}

/// Asserts that nothing has been told: the answer to a ping is the next that comes.
#[track_caller]
fn expect_nothing(raw: &mut Raw) {
    assert_eq!(raw.ask("PING"), simple("PONG"));
}

#[test]
fn a_key_that_was_read_is_told_once() {
    let server = Server::start(&[]);
    let mut reader = tracker(&server, "");
    let mut writer = server.raw();
    writer.ask("MSET a 1 b 2");
    assert_eq!(reader.ask("GET a"), bulk("1"));
    writer.ask("SET b 3");
    expect_nothing(&mut reader);
    writer.ask("SET a 2");
    assert_eq!(reader.read(), invalid(&["a"]));
    writer.ask("SET a 3");
    expect_nothing(&mut reader);
    // Missing keys are remembered, too, and each key of a command.
    reader.ask("MGET x y");
    writer.ask("MSET x 1 y 1");
    assert_eq!(reader.read(), invalid(&["x"]));
    assert_eq!(reader.read(), invalid(&["y"]));
    // A write is no read.
    reader.ask("INCR n");
    writer.ask("INCR n");
    expect_nothing(&mut reader);
    assert_eq!(reader.ask("CLIENT TRACKING OFF"), ok());
    reader.ask("GET a");
    writer.ask("SET a 4");
    expect_nothing(&mut reader);
}

#[test]
fn every_kind_of_change_is_told() {
    let server = Server::start(&[]);
    let mut reader = tracker(&server, "");
    let mut writer = server.raw();
    for (before, read, change) in [
        ("SET k 1", "GET k", "DEL k"),
        ("SET k 1", "STRLEN k", "APPEND k x"),
        ("SET k 1", "TTL k", "EXPIRE k 100"),
        ("SET k 1 EX 100", "TTL k", "PERSIST k"),
        ("SET k 1", "GET k", "RENAME k other"),
        ("SET other 1", "GET k", "RENAME other k"),
        ("SET k 1", "EXISTS k", "GETDEL k"),
        ("RPUSH k a b", "LRANGE k 0 -1", "LPOP k"),
        ("HSET k f 1", "HGET k f", "HDEL k f"),
        ("SADD k a", "SMEMBERS k", "SADD k b"),
        ("ZADD k 1 a", "ZRANGE k 0 -1", "ZINCRBY k 1 a"),
        ("XADD k * f v", "XRANGE k - +", "XADD k * f w"),
        ("SET other 1", "GET k", "COPY other k"),
        ("RPUSH other 1", "LLEN k", "LMOVE other k LEFT LEFT"),
        ("SADD other 1", "SCARD k", "SUNIONSTORE k other"),
        ("SETBIT k 1 1", "BITCOUNT k", "BITOP NOT k k"),
        ("PFADD k a", "PFCOUNT k", "PFADD k b"),
        ("SET k 1", "GET k", "MOVE k 1"),
        ("SET k 1", "GET k", "SET k 1"),
    ] {
        writer.ask("DEL k other");
        writer.ask(before);
        reader.ask(read);
        assert!(!matches!(writer.ask(change), Reply::Error(_)), "{change}");
        assert_eq!(reader.read(), invalid(&["k"]), "{change}");
        expect_nothing(&mut reader);
        writer.ask("FLUSHALL");
        assert_eq!(reader.read(), everything());
    }
}

#[test]
fn own_changes_are_told_behind_their_replies() {
    let server = Server::start(&[]);
    let mut raw = tracker(&server, "");
    raw.send("SET a 1\r\nGET a\r\nSET a 2\r\nGET a\r\nDEL a\r\nPING\r\n");
    let expected = [
        ok(),
        bulk("1"),
        ok(),
        invalid(&["a"]),
        bulk("2"),
        integer(1),
        invalid(&["a"]),
        simple("PONG"),
    ];
    assert_eq!(raw.read_many(8), expected);
    raw.ask("MGET a b");
    raw.send("MULTI\r\nINCR a\r\nGET b\r\nEXEC\r\nFLUSHALL\r\nPING\r\n");
    let expected = [
        ok(),
        queued(),
        queued(),
        array([integer(1), Reply::Null]),
        invalid(&["a"]),
        ok(),
        everything(),
        simple("PONG"),
    ];
    assert_eq!(raw.read_many(8), expected);
    let mut raw = tracker(&server, "NOLOOP");
    raw.send("GET a\r\nSET a 1\r\nPING\r\n");
    assert_eq!(raw.read_many(3), [Reply::Null, ok(), simple("PONG")]);
    raw.ask("GET a");
    server.raw().ask("SET a 2");
    assert_eq!(raw.read(), invalid(&["a"]));
}

#[test]
fn keys_that_run_out_are_told() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut writer = server.raw();
    let (mut reader, mut all) = (tracker(&server, ""), tracker(&server, "BCAST NOLOOP"));
    set_and_get_brief(&mut reader, "a");
    assert_eq!(all.read(), invalid(&["a"]));
    assert_eq!(reader.read(), invalid(&["a"]));
    assert_eq!(all.read(), invalid(&["a"]));
    // One that a read meets past its time.
    assert_eq!(writer.ask("DEBUG SET-ACTIVE-EXPIRE 0"), ok());
    set_and_get_brief(&mut reader, "b");
    assert_eq!(all.read(), invalid(&["b"]));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(writer.ask("GET b"), Reply::NullBulk);
    assert_eq!(reader.read(), invalid(&["b"]));
    assert_eq!(all.read(), invalid(&["b"]));
}

/// Has a connection read a key that will soon have run out: in a transaction, where time stands still.
fn set_and_get_brief(raw: &mut Raw, key: &str) {
    raw.ask("MULTI");
    raw.ask(&format!("SET {key} 1 PX 30"));
    raw.ask(&format!("GET {key}"));
    assert_eq!(raw.ask("EXEC"), array([ok(), bulk("1")]));
}

#[test]
fn fields_that_run_out_are_told() {
    let server = Server::start(&[]);
    let mut writer = server.raw();
    if matches!(writer.ask("HPEXPIRE h 1 FIELDS 1 f"), Reply::Error(_)) {
        return;
    }
    let mut reader = tracker(&server, "");
    writer.ask("HSET h f 1 g 2");
    for line in ["MULTI", "HPEXPIRE h 30 FIELDS 1 f", "HLEN h", "EXEC"] {
        reader.ask(line);
    }
    assert_eq!(reader.read(), invalid(&["h"]));
}

#[test]
fn prefixes_are_broadcast() {
    let server = Server::start(&[]);
    let mut writer = server.raw();
    let mut reader = tracker(&server, "BCAST PREFIX a: PREFIX b:");
    writer.ask("MSET a:1 1 a:2 2 b:1 3 c:1 4");
    assert_eq!(reader.read(), invalid(&["a:1", "a:2"]));
    assert_eq!(reader.read(), invalid(&["b:1"]));
    reader.ask("GET c:1");
    writer.ask("SET c:1 5");
    writer.send("MULTI\r\nSET a:1 1\r\nINCR c:1\r\nDEL a:1\r\nEXEC\r\n");
    assert_eq!(reader.read(), invalid(&["a:1"]));
    expect_nothing(&mut reader);
    assert_eq!(reader.ask("CLIENT TRACKING ON BCAST PREFIX c:"), ok());
    // Its own changes as well, unless it wants none; a read that misses changes nothing.
    writer.read_many(5);
    writer.ask("GET a:nothing");
    reader.send("INCR c:1\r\n");
    assert_eq!(reader.read_many(2), [integer(7), invalid(&["c:1"])]);
    let mut quiet = tracker(&server, "BCAST NOLOOP");
    quiet.ask("SET a:9 1");
    assert_eq!(reader.read(), invalid(&["a:9"]));
    expect_nothing(&mut quiet);
    reader.ask("SET z 1");
    assert_eq!(quiet.read(), invalid(&["z"]));
    quiet.ask("RESET");
    reader.ask("CLIENT TRACKING OFF");
    writer.ask("SET a:1 1");
    expect_nothing(&mut reader);
    let stats = writer.ask("INFO stats").text();
    assert!(stats.contains("tracking_total_prefixes:0"), "{stats}");
}

#[test]
fn a_broadcast_of_all_keys_reaches_pipelines() {
    let server = Server::start(&[]);
    let mut reader = tracker(&server, "BCAST");
    let mut writer = server.raw();
    writer.send("SET k 1\r\n".repeat(1000));
    writer.read_many(1000);
    reader.set_timeout(Duration::from_secs(10));
    assert_eq!(reader.read(), invalid(&["k"]));
}

#[test]
fn optin_and_optout() {
    let server = Server::start(&[]);
    let mut writer = server.raw();
    let mut raw = tracker(&server, "OPTIN");
    let change = |writer: &mut Raw| assert_eq!(writer.ask("MSET a 1 b 1"), ok());
    raw.ask("GET a");
    change(&mut writer);
    expect_nothing(&mut raw);
    check(
        &mut raw,
        &[
            ("CLIENT CACHING YES", ok()),
            ("GET a", bulk("1")),
            ("GET b", bulk("1")),
        ],
    );
    change(&mut writer);
    assert_eq!(raw.read(), invalid(&["a"]));
    expect_nothing(&mut raw);
    // It holds for a whole transaction.
    raw.send("CLIENT CACHING YES\r\nMULTI\r\nGET a\r\nGET b\r\nEXEC\r\nGET c\r\n");
    raw.read_many(6);
    writer.ask("MSET a 1 b 1 c 1");
    assert_eq!(raw.read(), invalid(&["a"]));
    assert_eq!(raw.read(), invalid(&["b"]));
    expect_nothing(&mut raw);
    let mut raw = tracker(&server, "OPTOUT");
    check(
        &mut raw,
        &[
            ("CLIENT CACHING NO", ok()),
            ("GET a", bulk("1")),
            ("GET b", bulk("1")),
        ],
    );
    change(&mut writer);
    assert_eq!(raw.read(), invalid(&["b"]));
    expect_nothing(&mut raw);
}

#[test]
fn messages_go_to_another_connection() {
    let server = Server::start(&[]);
    let mut writer = server.raw();
    let mut listener = server.raw();
    let target = id(&mut listener);
    listener.ask("SUBSCRIBE __redis__:invalidate");
    let mut raw = server.raw();
    let line = format!("CLIENT TRACKING ON REDIRECT {target}");
    assert_eq!(raw.ask(&line), ok());
    assert_eq!(raw.ask("CLIENT GETREDIR"), integer(target));
    let own = id(&mut raw);
    let shown = raw.ask("CLIENT INFO").text();
    assert!(shown.contains(&format!("redir={target} ")), "{shown}");
    assert!(shown.contains("flags=t "), "{shown}");
    raw.ask("GET a");
    writer.ask("SET a 1");
    let expected = |value: Reply| array([bulk("message"), bulk("__redis__:invalidate"), value]);
    assert_eq!(listener.read(), expected(array([bulk("a")])));
    writer.ask("FLUSHALL");
    assert_eq!(listener.read(), expected(Reply::NullBulk));
    // In the new protocol it need not listen to anything.
    let mut modern_listener = modern(&server);
    let target = id(&mut modern_listener);
    raw.ask(&format!("CLIENT TRACKING ON REDIRECT {target}"));
    raw.ask("GET a");
    writer.ask("SET a 1");
    assert_eq!(modern_listener.read(), invalid(&["a"]));
    assert_ne!(own, target);
    expect_nothing(&mut raw);
}

#[test]
fn a_listener_that_has_gone_is_reported() {
    let server = Server::start(&[]);
    let mut writer = server.raw();
    let mut listener = modern(&server);
    let target = id(&mut listener);
    let mut raw = tracker(&server, &format!("REDIRECT {target}"));
    raw.ask("GET a");
    drop(listener);
    let is_gone = |writer: &mut Raw| {
        let line = format!("CLIENT LIST ID {target}");
        writer.ask(&line).text().is_empty()
    };
    eventually("the listener has gone", || is_gone(&mut writer));
    writer.ask("SET a 1");
    let broken = vec![bulk("tracking-redir-broken"), integer(target)];
    assert_eq!(raw.read(), Reply::Push(broken));
    let info = raw.ask("CLIENT TRACKINGINFO").pairs();
    assert_eq!(
        info[0].1,
        Reply::Set(vec![bulk("on"), bulk("broken_redirect")])
    );
    assert_eq!(info[1].1, integer(target));
    let shown = raw.ask("CLIENT INFO").text();
    assert!(shown.contains("flags=tR "), "{shown}");
}

#[test]
fn options_must_agree() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let caching = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled";
    let switched = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with \
        a different mode.";
    let opt = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a \
        different mode.";
    let clash = |one: &str, what: &str, other: &str| {
        error(&format!(
            "ERR Prefix '{one}' overlaps with {what} prefix '{other}'. Prefixes for a single client must not overlap."
        ))
    };
    check(
        &mut raw,
        &[
            ("CLIENT CACHING YES", error(caching)),
            ("CLIENT GETREDIR", integer(-1)),
            ("CLIENT TRACKING maybe", error("ERR syntax error")),
            ("CLIENT TRACKING ON what", error("ERR syntax error")),
            ("CLIENT TRACKING ON REDIRECT", error("ERR syntax error")),
            (
                "CLIENT TRACKING ON REDIRECT x",
                error("ERR value is not an integer or out of range"),
            ),
            (
                "CLIENT TRACKING ON REDIRECT 12345",
                error("ERR The client ID you want redirect to does not exist"),
            ),
            (
                "CLIENT TRACKING ON PREFIX a",
                error("ERR PREFIX option requires BCAST mode to be enabled"),
            ),
            (
                "CLIENT TRACKING ON BCAST OPTIN",
                error("ERR OPTIN and OPTOUT are not compatible with BCAST"),
            ),
            (
                "CLIENT TRACKING ON OPTIN OPTOUT",
                error("ERR You can't specify both OPTIN mode and OPTOUT mode"),
            ),
            ("CLIENT TRACKING ON OPTIN", ok()),
            ("CLIENT TRACKING ON OPTOUT", error(opt)),
            ("CLIENT TRACKING ON BCAST", error(switched)),
            (
                "CLIENT CACHING NO",
                error(
                    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
                ),
            ),
            ("CLIENT CACHING maybe", error("ERR syntax error")),
            ("CLIENT TRACKING OFF", ok()),
            (
                "CLIENT TRACKING ON BCAST PREFIX foobar PREFIX foo",
                clash("foobar", "another provided", "foo"),
            ),
            ("CLIENT TRACKING ON BCAST PREFIX foo PREFIX bar", ok()),
            (
                "CLIENT TRACKING ON BCAST PREFIX barb",
                clash("barb", "an existing", "bar"),
            ),
            ("CLIENT TRACKING OFF", ok()),
            ("CLIENT TRACKING OFF", ok()),
        ],
    );
}

#[test]
fn tracking_tells_about_itself() {
    let server = Server::start(&[]);
    let mut raw = modern(&server);
    let words = |words: &[&str]| Reply::Set(words.iter().map(bulk).collect());
    let mut expect = |command: &str, flags: &[&str], redirect: i64, prefixes: &[&str]| {
        raw.ask(command);
        let info = raw.ask("CLIENT TRACKINGINFO").pairs();
        let told: Vec<Reply> = info.into_iter().map(|(_, value)| value).collect();
        let prefixes = array(prefixes.iter().map(bulk));
        assert_eq!(
            told,
            [words(flags), integer(redirect), prefixes],
            "{command}"
        );
    };
    expect("PING", &["off"], -1, &[]);
    expect("CLIENT TRACKING ON NOLOOP", &["on", "noloop"], 0, &[]);
    expect("CLIENT TRACKING ON OPTIN", &["on", "optin"], 0, &[]);
    let asked = ["on", "optin", "caching-yes"];
    expect("CLIENT CACHING YES", &asked, 0, &[]);
    expect("PING", &["on", "optin"], 0, &[]);
    expect("CLIENT TRACKING OFF", &["off"], -1, &[]);
    expect("CLIENT TRACKING ON BCAST", &["on", "bcast"], 0, &[""]);
    // Back in the old protocol, where a set is an array.
    raw.ask("RESET");
    let info = raw.ask("CLIENT TRACKINGINFO").items();
    assert_eq!(info[1], array([bulk("off")]));
}

#[test]
fn too_many_keys_are_forgotten() {
    let server = Server::start(&["--tracking-table-max-keys", "100"]);
    let mut raw = tracker(&server, "");
    for number in 0..150 {
        raw.send(format!("GET key:{number}\r\n"));
    }
    let mut told = 0;
    for _ in 0..200 {
        if matches!(raw.read(), Reply::Push(_)) {
            told += 1;
        }
    }
    assert_eq!(told, 50);
    let mut other = server.raw();
    let figure = |other: &mut Raw, name: &str| {
        let stats = other.ask("INFO stats").text();
        let line = stats.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.parse::<i64>().ok())
    };
    assert_eq!(figure(&mut other, "tracking_total_keys:"), Some(100));
    assert_eq!(other.ask("CONFIG SET tracking-table-max-keys 1"), ok());
    raw.read_many(99);
    assert_eq!(figure(&mut other, "tracking_total_items:"), Some(1));
    raw.expect_silence(SILENCE);
}

#[test]
fn a_served_command_is_answered_first() {
    let server = Server::start(&[]);
    let mut raw = tracker(&server, "");
    let mut other = server.raw();
    other.ask("RPUSH to a");
    raw.ask("LRANGE to 0 -1");
    raw.tell("BLMOVE from to LEFT LEFT 0");
    eventually("it waits", || {
        other
            .ask("INFO clients")
            .text()
            .contains("blocked_clients:1")
    });
    other.ask("RPUSH from x");
    assert_eq!(raw.read(), bulk("x"));
    assert_eq!(raw.read(), invalid(&["to"]));
}

#[test]
fn swapped_databases_invalidate_everything() {
    let server = Server::start(&[]);
    let mut reader = tracker(&server, "");
    reader.ask("GET a");
    server.raw().ask("SWAPDB 0 1");
    if std::env::var_os("OXIDIS_TEST_SERVER").is_none() {
        assert_eq!(reader.read(), everything());
    }
}

/// A cache that drops what it is told never shows an old value for long, whoever changes it on whichever thread.
#[test]
fn a_cache_is_never_left_with_an_old_value() {
    let server = Server::start(&[]);
    let port = server.port();
    let writers: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn(move || {
                let mut raw = Raw::connect(port);
                for _ in 0..300 {
                    raw.send("INCR a\r\nINCR b\r\n".repeat(5));
                    raw.read_many(10);
                }
            })
        })
        .collect();
    let mut raw = tracker(&server, "");
    let mut cached: [Option<Reply>; 2] = [None, None];
    let names = ["a", "b"];
    let drop_told = |reply: &Reply, cached: &mut [Option<Reply>; 2]| {
        for (name, cached) in names.iter().zip(cached) {
            if *reply == invalid(&[name]) {
                *cached = None;
            }
        }
    };
    while !writers.iter().all(|writer| writer.is_finished()) {
        for at in 0..2 {
            if cached[at].is_some() {
                continue;
            }
            raw.tell(&format!("GET {}", names[at]));
            loop {
                let reply = raw.read();
                if !matches!(reply, Reply::Push(_)) {
                    cached[at] = Some(reply);
                    break;
                }
                drop_told(&reply, &mut cached);
            }
        }
        raw.tell("PING");
        loop {
            let reply = raw.read();
            if reply == simple("PONG") {
                break;
            }
            drop_told(&reply, &mut cached);
        }
    }
    writers
        .into_iter()
        .for_each(|writer| writer.join().expect("a writer"));
    raw.tell("PING");
    loop {
        let reply = raw.read();
        if reply == simple("PONG") {
            break;
        }
        drop_told(&reply, &mut cached);
    }
    for (name, cached) in names.iter().zip(cached) {
        if let Some(cached) = cached {
            let now = server.raw().ask(&format!("GET {name}"));
            assert_eq!(cached.text(), now.text(), "{name}");
        }
    }
}

/// Bytes in use.
fn used(raw: &mut Raw) -> u64 {
    let text = raw.ask("INFO memory").text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.expect("a field").parse().expect("a number")
}

#[test]
fn a_key_that_makes_room_is_told_before_the_reply() {
    // One worker: what its timers evict is told before the next reply, too.
    let server = Server::start(&["--maxmemory-policy", "volatile-random", "--io-threads", "1"]);
    let mut reader = tracker(&server, "");
    reader.ask("SET brief x EX 10000");
    reader.ask("GET brief");
    reader.ask("SET lasting x");
    let limit = format!("CONFIG SET maxmemory {}", used(&mut reader) + 100 * 1024);
    assert_eq!(reader.ask(&limit), ok());
    // The next command finds the limit exceeded.
    reader.ask("SETBIT lasting 4000000 0");
    reader.tell("GETBIT lasting 0");
    assert_eq!(reader.read(), invalid(&["brief"]));
    assert_eq!(reader.read(), integer(0));
}

#[test]
fn messages_about_evictions_cause_no_more_of_them() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru", "--io-threads", "1"]);
    let mut raw = server.raw();
    let mut readers: Vec<Raw> = (0..20).map(|_| tracker(&server, "")).collect();
    for number in 0..1000 {
        let key = format!("{number}{}", "x".repeat(1000));
        raw.ask(&format!("SET {key} x"));
    }
    for reader in &mut readers {
        let keys = raw.ask("KEYS *").items();
        for key in keys {
            reader.ask(&format!("GET {}", key.text()));
        }
    }
    let limit = format!("CONFIG SET maxmemory {}", used(&mut raw) - 100_000);
    assert_eq!(raw.ask(&limit), ok());
    (0..20).for_each(|_| drop(raw.ask("PING")));
    let left = raw.ask("DBSIZE").number();
    assert!((500..1000).contains(&left), "{left}");
}
