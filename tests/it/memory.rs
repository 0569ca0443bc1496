//! The limit on memory: which keys go under which policy and who hears of it, what is refused, and which clients are closed.

use std::time::Duration;

use crate::common::{
    Raw, Server, array, bulk, check, error, eventually, frame, integer, ok, queued, simple,
};

const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

fn info(raw: &mut Raw, field: &str) -> u64 {
    let text = raw.ask("INFO everything").text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{field}:")));
    let value = line.unwrap_or_else(|| panic!("INFO tells {field}"));
    value.parse().expect("a number")
}

/// A limit so far above what is in use.
fn limit(raw: &mut Raw, above: u64, policy: &str) -> u64 {
    let limit = info(raw, "used_memory") + above;
    let line = format!("CONFIG SET maxmemory {limit} maxmemory-policy {policy}");
    assert_eq!(raw.ask(&line), ok());
    limit
}

fn fill(raw: &mut Raw, prefix: &str, keys: usize, bytes: usize, seconds: usize) {
    let value = vec![b'x'; bytes];
    for batch in (0..keys).collect::<Vec<_>>().chunks(100) {
        let mut sent = Vec::new();
        for number in batch {
            let (key, ttl) = (format!("{prefix}{number}"), seconds.to_string());
            let plain: [&[u8]; 3] = [b"SET", key.as_bytes(), &value];
            let expiring: [&[u8]; 5] = [b"SET", key.as_bytes(), &value, b"EX", ttl.as_bytes()];
            sent.extend(match seconds {
                0 => frame(&plain),
                _ => frame(&expiring),
            });
        }
        raw.send(sent);
        raw.read_many(batch.len());
    }
}

#[test]
fn every_policy_keeps_the_limit() {
    for policy in [
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ] {
        let server = Server::start(&[]);
        let mut raw = server.raw();
        fill(&mut raw, "stays:", 200, 100, 0);
        let limit = limit(&mut raw, 1 << 20, policy);
        fill(&mut raw, "goes:", 8000, 400, 1000);
        let used = info(&mut raw, "used_memory");
        assert!(used <= limit + 4096, "{policy}: {used} of {limit}");
        assert!(used >= limit - limit / 8, "{policy}: {used} of {limit}");
        assert_eq!(raw.ask("CONFIG SET maxmemory 0"), ok());
        let (evicted, keys) = (
            info(&mut raw, "evicted_keys"),
            raw.ask("DBSIZE").number() as u64,
        );
        assert_eq!(evicted + keys, 8200, "{policy}");
        let stay = (0..200).filter(|n| raw.ask(&format!("EXISTS stays:{n}")) == integer(1));
        match policy.starts_with("volatile") {
            true => assert_eq!(stay.count(), 200, "{policy}"),
            false => assert!(stay.count() < 200, "{policy}"),
        }
    }
}

#[test]
fn what_needs_memory_is_refused_when_nothing_can_go() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("SET key value", ok()),
            ("RPUSH list a b", integer(2)),
            ("CONFIG SET maxmemory 1", ok()),
            ("SET key other", error(OUT_OF_MEMORY)),
            ("GET key", bulk("value")),
            ("LPOP list", bulk("a")),
            ("MULTI", ok()),
            ("GET key", error(OUT_OF_MEMORY)),
            (
                "EXEC",
                error("EXECABORT Transaction discarded because of previous errors."),
            ),
            ("MULTI", ok()),
            ("DISCARD", ok()),
            ("CONFIG SET maxmemory 0", ok()),
            ("MULTI", ok()),
            ("SET key new", queued()),
        ],
    );
    let mut other = server.raw();
    assert_eq!(other.ask("CONFIG SET maxmemory 1"), ok());
    let aborted = format!("EXECABORT Transaction discarded because of: {OUT_OF_MEMORY}");
    assert_eq!(raw.ask("EXEC"), error(&aborted));
    assert_eq!(other.ask("CONFIG SET maxmemory 0"), ok());
    check(&mut raw, &[("MULTI", ok()), ("GET key", queued())]);
    assert_eq!(other.ask("CONFIG SET maxmemory 1"), ok());
    assert_eq!(raw.ask("EXEC"), array([bulk("value")]));
    assert!(
        info(&mut raw, "current_eviction_exceeded_time")
            <= info(&mut raw, "total_eviction_exceeded_time")
    );
    // Room is noticed by the very next command of a pipeline.
    assert_eq!(other.ask("CONFIG SET maxmemory 0"), ok());
    fill(&mut raw, "big", 1, 3 << 20, 0);
    limit(&mut raw, 0, "noeviction");
    raw.send("SET a 1234567890\r\nDEL big0\r\nSET a 1234567890\r\n");
    let replies = raw.read_many(3);
    assert_eq!(replies[1..], [integer(1), ok()]);
}

#[test]
fn scripts_are_refused_at_their_beginning() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("CONFIG SET maxmemory 1");
    let mut eval = |script: &str| raw.command(&[b"EVAL", script.as_bytes(), b"1", b"key"]);
    let refused = eval("return redis.call('SET', KEYS[1], 1)").text();
    assert!(refused.starts_with(OUT_OF_MEMORY), "{refused}");
    assert!(eval("return redis.call('GET', KEYS[1])").is_null());
    let declared = "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
    assert_eq!(eval("#!lua\nreturn 1"), error(declared));
    assert_eq!(eval("#!lua flags=no-writes\nreturn 1"), integer(1));
    let allowed = eval("#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], 1)");
    assert_eq!(allowed, simple("OK"));
}

#[test]
fn evictions_are_told_to_everybody() {
    let server = Server::start(&["--appendonly", "yes", "--notify-keyspace-events", "Ee"]);
    let (mut raw, mut watcher, mut tracker, mut listener) =
        (server.raw(), server.raw(), server.raw(), server.raw());
    raw.ask("SET key value");
    check(
        &mut watcher,
        &[("WATCH key", ok()), ("MULTI", ok()), ("PING", queued())],
    );
    tracker.ask("HELLO 3");
    check(
        &mut tracker,
        &[("CLIENT TRACKING ON", ok()), ("GET key", bulk("value"))],
    );
    listener.ask("SUBSCRIBE __keyevent@0__:evicted");
    check(
        &mut raw,
        &[
            ("CONFIG SET maxmemory 1 maxmemory-policy allkeys-lru", ok()),
            ("DBSIZE", integer(0)),
            ("CONFIG SET maxmemory 0", ok()),
        ],
    );
    let message = [bulk("message"), bulk("__keyevent@0__:evicted"), bulk("key")];
    assert_eq!(listener.read(), array(message));
    assert!(watcher.ask("EXEC").is_null());
    let push = format!("{:?}", tracker.read());
    assert!(push.contains("invalidate"), "{push}");
    assert_eq!(info(&mut raw, "evicted_keys"), 1);
    let mut server = server;
    server.restart();
    assert_eq!(server.raw().ask("DBSIZE"), integer(0));
}

#[test]
fn uses_are_counted_and_decay() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lfu"]);
    let mut raw = server.raw();
    raw.ask("SET rare x");
    raw.ask("SET often x");
    (0..500).for_each(|_| drop(raw.ask("GET often")));
    let (rare, often) = (
        raw.ask("OBJECT FREQ rare").number(),
        raw.ask("OBJECT FREQ often").number(),
    );
    assert!(rare <= 6 && often > 10, "{rare} {often}");
    limit(&mut raw, 100_000, "allkeys-lfu");
    for round in 0..20 {
        fill(&mut raw, &format!("{round}:"), 100, 1000, 0);
        raw.ask("GET often");
    }
    assert_eq!(raw.ask("EXISTS rare often"), integer(1));
}

#[test]
fn a_pipeline_of_growth_does_not_run_away() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let limit = limit(&mut raw, 8 << 20, "noeviction");
    let grow: String = (0..100)
        .map(|n| format!("SETRANGE key:{n} 3000000 x\r\n"))
        .collect();
    raw.send(grow);
    let replies = raw.read_many(100);
    let refused = replies
        .iter()
        .filter(|reply| **reply == error(OUT_OF_MEMORY))
        .count();
    assert!(refused >= 95, "{refused}");
    assert!(info(&mut raw, "used_memory") < limit + 4_000_000);
}

#[test]
fn the_largest_client_is_closed_first() {
    let server = Server::start(&["--io-threads", "2"]);
    let mut control = server.raw();
    check(
        &mut control,
        &[
            ("CLIENT NO-EVICT ON", ok()),
            ("CONFIG SET maxmemory-clients 0", ok()),
        ],
    );
    let mut clients: Vec<Raw> = (1..=8).map(|_| server.raw()).collect();
    for (size, client) in (1..).zip(&mut clients) {
        client.ask(&format!("CLIENT SETNAME c{size}"));
        // An argument that never comes to its end.
        client.send(format!(
            "*2\r\n$4\r\nECHO\r\n$9000000\r\n{}",
            "x".repeat(size * 200_000)
        ));
    }
    let mut list = || control.ask("CLIENT LIST").text();
    eventually("all have been read", || {
        let list = list();
        (1..=8).all(|size| {
            let line = list
                .lines()
                .find(|line| line.contains(&format!("name=c{size} ")));
            let query =
                line.and_then(|line| line.split("qbuf=").nth(1)?.split(' ').next()?.parse().ok());
            query.is_some_and(|bytes: usize| bytes >= size * 200_000)
        })
    });
    // 36 parts of 200,000 bytes in all; those of 8, 7 and 6 parts must go. Buffers have some room to grow.
    assert_eq!(control.ask("CONFIG SET maxmemory-clients 5000000"), ok());
    let list = control.ask("CLIENT LIST").text();
    let stay = |size: usize| list.contains(&format!("name=c{size} "));
    assert!(!stay(8) && stay(1) && stay(2), "{list}");
    let gone = (1..=8).filter(|&size| !stay(size)).collect::<Vec<_>>();
    assert!(
        gone.windows(2).all(|pair| pair[0] + 1 == pair[1]) || gone.len() == 1,
        "{gone:?}"
    );
    assert_eq!(info(&mut control, "evicted_clients") as usize, gone.len());
    clients.pop().expect("eight").expect_closed();
    let total: u64 = list
        .lines()
        .filter_map(|line| {
            line.split("tot-mem=")
                .nth(1)?
                .split(' ')
                .next()?
                .parse::<u64>()
                .ok()
        })
        .sum();
    assert!(total <= 5_100_000, "{total}");
}

#[test]
fn slow_readers_are_closed_before_memory_runs_out() {
    let server = Server::start(&["--maxmemory-clients", "4mb", "--io-threads", "2"]);
    let mut control = server.raw();
    control.ask("CLIENT NO-EVICT ON");
    fill(&mut control, "value", 1, 15_000, 0);
    let mut readers: Vec<Raw> = (0..20).map(|_| server.raw()).collect();
    for round in 0..40 {
        for reader in &mut readers {
            // Whoever has been closed cannot be written to.
            let _ = reader.try_send("GET value0\r\n".repeat(50).as_bytes());
        }
        let clients = info(&mut control, "mem_clients_normal");
        assert!(clients < 8 << 20, "{clients} in round {round}");
    }
    assert!(info(&mut control, "evicted_clients") > 0);
}

#[test]
fn a_stranger_is_not_sent_much() {
    let server = Server::start(&["--requirepass", "secret"]);
    let mut raw = server.raw();
    // It never reads: what the system's buffers do not take is too much.
    let mut closed = false;
    for _ in 0..2000 {
        closed |= raw.try_send("GET key\r\n".repeat(1000).as_bytes()).is_err();
        if closed {
            break;
        }
    }
    assert!(closed);
    let mut other = server.raw();
    other.ask("AUTH secret");
    eventually("the stranger is counted", || {
        info(&mut other, "client_output_buffer_limit_disconnections") == 1
    });
}

#[test]
fn a_reply_beyond_the_hard_limit_is_not_sent() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    fill(&mut raw, "key", 30, 10_000, 0);
    let limit: [&[u8]; 4] = [
        b"CONFIG",
        b"SET",
        b"client-output-buffer-limit",
        b"normal 100000 0 0",
    ];
    assert_eq!(raw.command(&limit), ok());
    let mut reader = server.raw();
    reader.send(
        (0..30)
            .map(|n| format!("GET key{n}\r\n"))
            .collect::<String>(),
    );
    reader.expect_closed();
    // What was made for it is not sent to anybody else.
    assert_eq!(raw.ask("PING"), simple("PONG"));
    raw.ask("HSET hash a b");
    let mut reader = server.raw();
    reader.send("HRANDFIELD hash -999999999\r\n");
    reader.expect_closed();
    let mut again = server.raw();
    again.set_timeout(Duration::from_secs(10));
    assert!(again.ask("GET nothing").is_null());
}

#[test]
fn a_declared_length_takes_no_memory() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let before = info(&mut raw, "used_memory");
    let mut claimants: Vec<Raw> = (0..10).map(|_| server.raw()).collect();
    claimants
        .iter_mut()
        .for_each(|raw| raw.send("*2\r\n$4\r\nECHO\r\n$500000000\r\nx"));
    eventually("they have been read", || {
        raw.ask("CLIENT LIST").text().matches("qbuf=1 ").count() == 10
    });
    let used = info(&mut raw, "used_memory") - before;
    assert!(used < 3_000_000, "{used}");
}

#[test]
fn what_is_purged_behind_flushall_goes_back_to_the_system() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let before = info(&mut raw, "used_memory_rss");
    // Small ones, which take long to free.
    fill(&mut raw, "key", 100_000, 500, 0);
    assert!(info(&mut raw, "used_memory_rss") > before + 50_000_000);
    check(&mut raw, &[("FLUSHALL", ok()), ("MEMORY PURGE", ok())]);
    eventually("the memory goes back", || {
        info(&mut raw, "used_memory_rss") < before + 15_000_000
    });
}

/// Waits until the process occupies at most a tenth more than this limit.
fn settles_within(raw: &mut Raw, limit: u64) {
    eventually("the process occupies no more than it may", || {
        info(raw, "used_memory_rss") <= limit + limit / 10
    });
}

#[test]
fn values_that_grow_leave_no_half_empty_pages_behind() {
    const KEYS: usize = 80_000;
    let limit = 64 << 20;
    let server = Server::start(&[
        "--maxmemory",
        "64mb",
        "--maxmemory-policy",
        "allkeys-random",
    ]);
    let mut raw = server.raw();
    // Each size has pages of its own, of which every other size leaves some of each.
    for (round, bytes) in [500, 650, 850, 1100, 1450].into_iter().enumerate() {
        let value = vec![b'0' + round as u8; bytes];
        for batch in (0..KEYS / 2).collect::<Vec<_>>().chunks(500) {
            let keys = batch.iter().map(|n| n * 7919 * (round + 1) % KEYS);
            let sets = keys.map(|key| frame(&[b"SET", format!("key{key}").as_bytes(), &value]));
            raw.send(sets.flatten().collect::<Vec<u8>>());
            raw.read_many(batch.len());
        }
    }
    settles_within(&mut raw, limit);
    assert!(info(&mut raw, "active_defrag_key_hits") > 0);
    assert!(info(&mut raw, "used_memory") > limit / 2);
    for key in (0..KEYS).step_by(97) {
        let value = raw.ask(&format!("GET key{key}"));
        let is_whole = |text: &str| text.bytes().all(|byte| byte == text.as_bytes()[0]);
        assert!(value.is_null() || is_whole(&value.text()), "key{key}");
    }
}

#[test]
fn long_strings_that_grow_leave_no_half_empty_pages_behind() {
    const KEYS: usize = 5000;
    let limit = 64 << 20;
    let server = Server::start(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]);
    let mut raw = server.raw();
    for (round, bytes) in [6000, 9000, 13_000, 20_000].into_iter().enumerate() {
        let value = vec![b'0' + round as u8; bytes];
        for batch in (0..KEYS).collect::<Vec<_>>().chunks(50) {
            let keys = batch.iter().map(|n| n * 7919 * (round + 1) % KEYS);
            let sets = keys.map(|key| frame(&[b"SET", format!("key{key}").as_bytes(), &value]));
            raw.send(sets.flatten().collect::<Vec<u8>>());
            raw.read_many(batch.len());
        }
    }
    settles_within(&mut raw, limit);
    assert!(info(&mut raw, "used_memory") > limit / 2);
}

#[test]
fn pipelines_of_large_replies_stay_within_the_limit() {
    let limit = 64 << 20;
    let server = Server::start(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]);
    let mut raw = server.raw();
    fill(&mut raw, "key", 12_000, 4000, 0);
    let mut readers: Vec<Raw> = (0..4).map(|_| server.raw()).collect();
    for (round, reader) in readers.iter_mut().enumerate() {
        let keys = |from: usize| (0..100).map(move |n| format!(" key{}", (from + n * 97) % 12_000));
        let mget = |n| {
            format!(
                "MGET{}\r\n",
                keys(round * 1000 + n * 10usize).collect::<String>()
            )
        };
        reader.send((0..24).map(mget).collect::<String>());
    }
    settles_within(&mut raw, limit);
    for reader in &mut readers {
        assert_eq!(reader.read_many(24).len(), 24);
    }
    settles_within(&mut raw, limit);
}

#[test]
fn memory_is_defragmented_without_a_limit_where_that_is_wished() {
    let server = Server::start(&["--active-defrag-ignore-bytes", "1mb"]);
    let mut raw = server.raw();
    fill(&mut raw, "key", 60_000, 600, 0);
    for batch in (0..60_000).collect::<Vec<_>>().chunks(500) {
        let others = batch.iter().filter(|n| *n % 8 != 0);
        let names: String = others.map(|n| format!(" key{n}")).collect();
        raw.ask(&format!("DEL{names}"));
    }
    assert_eq!(info(&mut raw, "active_defrag_running"), 0);
    let before = info(&mut raw, "used_memory_rss");
    assert_eq!(raw.ask("CONFIG SET activedefrag yes"), ok());
    eventually("pages become empty and go back", || {
        info(&mut raw, "used_memory_rss") + 12_000_000 < before
    });
    assert!(info(&mut raw, "active_defrag_hits") > 1000);
    assert!(info(&mut raw, "total_active_defrag_time") > 0);
    for key in (0..60_000).step_by(8) {
        assert_eq!(raw.ask(&format!("STRLEN key{key}")), integer(600));
    }
    check(&mut raw, &[("CONFIG SET activedefrag no", ok())]);
    eventually("it ends", || info(&mut raw, "active_defrag_running") == 0);
}

#[test]
fn a_client_that_is_killed_costs_nobody_else_his_place() {
    let server = Server::start(&["--maxmemory-clients", "5mb", "--io-threads", "2"]);
    let mut control = server.raw();
    // Arguments that never come to their end.
    let start = |bytes: usize| {
        let (length, text) = (bytes + 10, "x".repeat(bytes));
        format!("*2\r\n$4\r\nECHO\r\n${length}\r\n{text}")
    };
    for round in 0..10 {
        let (mut large, mut small) = (server.raw(), server.raw());
        let id = large.ask("CLIENT ID").number();
        large.send(start(2_500_000));
        small.send(start(1_000_000));
        eventually("they have been read", || {
            info(&mut control, "mem_clients_normal") > 3_500_000
        });
        control.ask(&format!("CLIENT KILL ID {id}"));
        // Together with what has just been killed it would be too much.
        let mut other = server.raw();
        other.send(start(2_000_000));
        eventually("it has been read", || {
            let list = control.ask("CLIENT LIST").text();
            list.matches("cmd=NULL").count() == 2 || info(&mut control, "evicted_clients") > 0
        });
        assert_eq!(info(&mut control, "evicted_clients"), 0, "{round}");
        drop((small, other));
        eventually("they have gone", || {
            info(&mut control, "connected_clients") == 1
        });
    }
}
