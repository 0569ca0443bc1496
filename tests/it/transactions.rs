//! MULTI, EXEC, DISCARD and WATCH: their rules one by one, then under load from many connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use redis::{Commands, Connection, RedisResult};

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, integer, ok, queued, simple,
};

const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const DISCARDED: &str = "EXECABORT Transaction discarded because of previous errors.";

#[test]
fn commands_wait_for_exec() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("MULTI", ok()),
            ("SET key 1", queued()),
            ("INCR key", queued()),
            ("GET nothing", queued()),
            ("MGET key nothing", queued()),
            ("PING", queued()),
            (
                "EXEC",
                array([
                    ok(),
                    integer(2),
                    Reply::NullBulk,
                    array([bulk("2"), Reply::NullBulk]),
                    simple("PONG"),
                ]),
            ),
            ("GET key", bulk("2")),
        ],
    );
}

#[test]
fn others_see_nothing_before_exec() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    check(&mut raw, &[("MULTI", ok()), ("SET key 1", queued())]);
    check(
        &mut other,
        &[("EXISTS key", integer(0)), ("SET key 5", ok())],
    );
    check(
        &mut raw,
        &[("INCR key", queued()), ("EXEC", array([ok(), integer(2)]))],
    );
    check(&mut other, &[("GET key", bulk("2"))]);
}

#[test]
fn discard_forgets() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("MULTI", ok()),
            ("SET key 1", queued()),
            ("DISCARD", ok()),
            ("EXISTS key", integer(0)),
            ("DISCARD", error("ERR DISCARD without MULTI")),
            ("EXEC", error("ERR EXEC without MULTI")),
            ("MULTI", ok()),
            ("EXEC", array([])),
        ],
    );
}

#[test]
fn multi_does_not_nest_and_watch_comes_before_it() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("MULTI", ok()),
            ("SET key 1", queued()),
            ("MULTI", error("ERR MULTI calls can not be nested")),
            ("WATCH key", error("ERR WATCH inside MULTI is not allowed")),
            // Neither aborts the transaction.
            ("EXEC", array([ok()])),
            (
                "WATCH",
                error("ERR wrong number of arguments for 'watch' command"),
            ),
            ("UNWATCH", ok()),
            ("MULTI", ok()),
            ("UNWATCH", queued()),
            ("EXEC", array([ok()])),
        ],
    );
}

#[test]
fn a_command_that_cannot_be_queued_aborts() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let refused = [
        (
            "SET key",
            error("ERR wrong number of arguments for 'set' command"),
        ),
        (
            "NOSUCH a",
            error("ERR unknown command 'NOSUCH', with args beginning with: 'a' "),
        ),
        (
            "CONFIG NOSUCH",
            error("ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP."),
        ),
    ];
    for (command, reply) in refused {
        check(
            &mut raw,
            &[
                ("MULTI", ok()),
                ("SET key 1", queued()),
                (command, reply),
                ("SET key 2", queued()),
                ("EXEC", error(DISCARDED)),
                ("EXISTS key", integer(0)),
                ("EXEC", error("ERR EXEC without MULTI")),
            ],
        );
    }
}

#[test]
fn a_command_that_fails_stops_nothing() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("SET text abc", ok()),
            ("MULTI", ok()),
            ("SET a 1", queued()),
            ("INCR text", queued()),
            ("SET b 2 EX 0", queued()),
            ("INCR a", queued()),
            (
                "EXEC",
                array([
                    ok(),
                    error(NOT_AN_INTEGER),
                    error("ERR invalid expire time in 'set' command"),
                    integer(2),
                ]),
            ),
            ("MGET a b", array([bulk("2"), Reply::NullBulk])),
        ],
    );
}

#[test]
fn select_and_reset_within() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("MULTI", ok()),
            ("SELECT 3", queued()),
            ("SET key three", queued()),
            ("EXEC", array([ok(), ok()])),
            ("GET key", bulk("three")),
            ("SELECT 0", ok()),
            ("EXISTS key", integer(0)),
            ("MULTI", ok()),
            ("SET key zero", queued()),
            ("RESET", simple("RESET")),
            ("EXEC", error("ERR EXEC without MULTI")),
            ("EXISTS key", integer(0)),
        ],
    );
}

/// What another connection does to the watched key, and whether that is a change.
const TOUCHES: &[(&[&str], bool)] = &[
    (&[], false),
    (&["GET key", "EXISTS key", "TTL key", "TOUCH key"], false),
    (&["SET other 1"], false),
    (&["SET key 10"], true),
    (&["APPEND key x"], true),
    (&["INCR key"], true),
    (&["INCR key", "DECR key"], true),
    (&["DEL key"], true),
    (&["UNLINK key"], true),
    (&["GETDEL key"], true),
    (&["EXPIRE key 100"], true),
    (&["PERSIST key"], false),
    (&["GETEX key EX 100"], true),
    (&["GETEX key"], false),
    (&["SET key 1 NX"], false),
    (&["SETNX key 1"], false),
    (&["RENAME key other"], true),
    (&["SET other 1", "RENAME other key"], true),
    (&["SET other 1", "RENAMENX other key"], false),
    (&["SET other 1", "COPY other key REPLACE"], true),
    (&["COPY key other"], false),
    (&["MSET other 1 key 2"], true),
    (&["MSETNX other 1 key 2"], false),
    (&["MOVE key 1"], true),
    (&["FLUSHDB"], true),
    (&["FLUSHALL"], true),
    (&["SELECT 1", "FLUSHDB"], false),
    (&["SELECT 1", "SET key 1"], false),
    (&["SELECT 1", "SET key 1", "SWAPDB 0 1"], true),
    (&["MULTI", "SET key 1", "EXEC"], true),
    (&["MULTI", "SET key 1", "DISCARD"], false),
    (&["EXPIRE nothing 100", "DEL nothing"], false),
    (&["INCRBY key x", "SET key"], false),
];

#[test]
fn what_watch_sees() {
    let server = Server::start(&[]);
    for (commands, changes) in TOUCHES {
        let (mut raw, mut other) = (server.raw(), server.raw());
        check(
            &mut raw,
            &[
                ("FLUSHALL", ok()),
                ("SET key 1", ok()),
                ("WATCH unrelated key", ok()),
            ],
        );
        for command in *commands {
            other.ask(command);
        }
        let expected = if *changes {
            Reply::NullArray
        } else {
            array([simple("PONG")])
        };
        check(&mut raw, &[("MULTI", ok()), ("PING", queued())]);
        assert_eq!(raw.ask("EXEC"), expected, "after {commands:?}");
        // A WATCH holds for one EXEC only.
        check(
            &mut raw,
            &[
                ("MULTI", ok()),
                ("PING", queued()),
                ("EXEC", array([simple("PONG")])),
            ],
        );
    }
}

#[test]
fn watch_of_a_key_that_is_not_there() {
    let server = Server::start(&[]);
    for (commands, changes) in [
        (&["SET key 1"][..], true),
        (&["DEL key"], false),
        (&["SET key 1", "DEL key"], true),
    ] {
        let (mut raw, mut other) = (server.raw(), server.raw());
        check(&mut raw, &[("FLUSHALL", ok()), ("WATCH key", ok())]);
        for command in commands {
            other.ask(command);
        }
        check(&mut raw, &[("MULTI", ok()), ("PING", queued())]);
        assert_eq!(raw.ask("EXEC").is_null(), changes, "after {commands:?}");
    }
}

#[test]
fn watch_sees_its_own_connection_too() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("WATCH key", ok()),
            ("SET key 1", ok()),
            ("MULTI", ok()),
            ("SET key 2", queued()),
            ("EXEC", Reply::NullArray),
            ("GET key", bulk("1")),
        ],
    );
}

#[test]
fn unwatch_discard_and_reset_forget_the_keys() {
    let server = Server::start(&[]);
    let rows = [
        ("UNWATCH", ok()),
        ("DISCARD", ok()),
        ("RESET", simple("RESET")),
    ];
    for (forget, reply) in rows {
        let (mut raw, mut other) = (server.raw(), server.raw());
        raw.ask("WATCH key");
        if forget == "DISCARD" {
            raw.ask("MULTI");
        }
        check(&mut raw, &[(forget, reply)]);
        other.ask("INCR key");
        check(
            &mut raw,
            &[
                ("MULTI", ok()),
                ("PING", queued()),
                ("EXEC", array([simple("PONG")])),
            ],
        );
    }
}

#[test]
fn a_watched_key_that_expires_is_a_change() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    check(&mut raw, &[("SET key 1 PX 300", ok()), ("WATCH key", ok())]);
    eventually("the key has expired", || {
        other.ask("EXISTS key") == integer(0)
    });
    check(
        &mut raw,
        &[
            ("MULTI", ok()),
            ("PING", queued()),
            ("EXEC", Reply::NullArray),
        ],
    );
}

#[test]
fn exec_returns_null_in_resp3() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    raw.ask("HELLO 3");
    raw.ask("WATCH key");
    other.ask("SET key 1");
    check(
        &mut raw,
        &[
            ("MULTI", ok()),
            ("GET key", queued()),
            ("EXEC", Reply::Null),
        ],
    );
}

#[test]
fn time_stands_still_within_a_transaction() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("MULTI");
    raw.tell("SET key x PX 1");
    for _ in 0..20_000 {
        raw.tell("EXISTS key");
    }
    raw.read_many(20_001);
    let replies = raw.ask("EXEC").items();
    assert!(
        replies[1..].iter().all(|reply| *reply == integer(1)),
        "the key lives until EXEC ends"
    );
}

#[test]
fn a_connection_lost_before_exec_changes_nothing() {
    let server = Server::start(&[]);
    {
        let mut raw = server.raw();
        check(
            &mut raw,
            &[("WATCH a", ok()), ("MULTI", ok()), ("SET key 1", queued())],
        );
    }
    let mut raw = server.raw();
    eventually("the connection is gone", || {
        raw.ask("CLIENT LIST").text().lines().count() == 1
    });
    check(&mut raw, &[("EXISTS key", integer(0)), ("SET a 1", ok())]);
}

const ACCOUNTS: i64 = 50;
const SUM: i64 = ACCOUNTS * 1_000;

fn account(number: i64) -> String {
    format!("account:{}", number.rem_euclid(ACCOUNTS))
}

/// Moves money about until `rounds` transfers are done; each is a transaction over two accounts.
fn transfer(mut connection: Connection, seed: i64, rounds: i64) {
    for round in 0..rounds {
        let from = account(seed * 31 + round * 7);
        let to = account(seed * 17 + round * 13 + 1);
        let amount = round % 10;
        let mut pipe = redis::pipe();
        pipe.atomic().decr(&from, amount).incr(&to, amount);
        let _: (i64, i64) = pipe.query(&mut connection).expect("a transfer");
    }
}

fn total(values: &[i64]) -> i64 {
    values.iter().sum()
}

#[test]
fn readers_always_see_the_same_sum() {
    const TRANSFERRERS: i64 = 12;
    let server = Server::start(&[]);
    let mut connection = server.client();
    let names: Vec<String> = (0..ACCOUNTS).map(account).collect();
    for name in &names {
        let _: () = connection.set(name, SUM / ACCOUNTS).expect("an account");
    }
    let done = AtomicBool::new(false);
    let (done, names, server) = (&done, &names, &server);
    thread::scope(|scope| {
        let by_mget =
            scope.spawn(move || sums(done, server.client(), |connection| connection.mget(names)));
        let by_exec = scope.spawn(move || {
            sums(done, server.client(), |connection| {
                let mut pipe = redis::pipe();
                pipe.atomic();
                names.iter().for_each(|name| {
                    pipe.get(name);
                });
                pipe.query(connection)
            })
        });
        let writers = (0..TRANSFERRERS)
            .map(|seed| scope.spawn(move || transfer(server.client(), seed, 1_000)));
        let outcomes: Vec<_> = writers
            .collect::<Vec<_>>()
            .into_iter()
            .map(|writer| writer.join())
            .collect();
        done.store(true, Ordering::Relaxed);
        assert!(
            outcomes.iter().all(Result::is_ok),
            "every transfer has succeeded"
        );
        for reader in [by_mget, by_exec] {
            assert!(
                reader.join().expect("the sum never changes") > 10,
                "the reader has looked often"
            );
        }
    });
    let values: Vec<i64> = connection.mget(names).expect("the accounts");
    assert_eq!(total(&values), SUM);
}

/// Reads the accounts until the writers are done; returns how often.
fn sums(
    done: &AtomicBool,
    mut connection: Connection,
    mut read: impl FnMut(&mut Connection) -> RedisResult<Vec<i64>>,
) -> usize {
    let mut reads = 0;
    while !done.load(Ordering::Relaxed) {
        let values = read(&mut connection).expect("the accounts");
        assert_eq!(total(&values), SUM, "read {reads}");
        reads += 1;
    }
    reads
}

#[test]
fn counters_under_watch_lose_no_increment() {
    const THREADS: usize = 8;
    const INCREMENTS: usize = 150;
    let server = Server::start(&[]);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut connection = server.client();
                for _ in 0..INCREMENTS {
                    increment(&mut connection);
                }
            });
        }
    });
    let count: usize = server.client().get("count").expect("the counter");
    assert_eq!(count, THREADS * INCREMENTS);
}

fn increment(connection: &mut Connection) {
    let done: RedisResult<(usize,)> =
        redis::transaction(connection, &["count"], |connection, pipe| {
            let count: Option<usize> = connection.get("count")?;
            pipe.set("count", count.unwrap_or(0) + 1)
                .ignore()
                .get("count")
                .query(connection)
        });
    done.expect("an increment in the end");
}

#[test]
fn plain_increments_of_many_connections() {
    const THREADS: usize = 8;
    const INCREMENTS: usize = 5_000;
    let server = Server::start(&[]);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut raw = server.raw();
                for _ in 0..INCREMENTS {
                    raw.tell("INCR count");
                }
                raw.read_many(INCREMENTS);
            });
        }
    });
    assert_eq!(
        server.raw().ask("GET count"),
        bulk((THREADS * INCREMENTS).to_string())
    );
}

#[test]
fn crossed_transactions_do_not_block_each_other() {
    let server = Server::start(&[]);
    let (names, reversed) = (["a", "b", "c", "d"], ["d", "c", "b", "a"]);
    thread::scope(|scope| {
        for order in [names, reversed, names, reversed] {
            let mut raw: Raw = server.raw();
            raw.set_timeout(Duration::from_secs(60));
            scope.spawn(move || {
                for _ in 0..500 {
                    raw.tell("MULTI");
                    order
                        .iter()
                        .for_each(|name| raw.tell(&format!("INCR {name}")));
                    raw.tell("EXEC");
                    let replies = raw.read_many(6);
                    assert_eq!(replies[5].clone().items().len(), 4);
                }
            });
        }
    });
    let all = array(names.map(|_| bulk("2000")));
    assert_eq!(server.raw().ask("MGET a b c d"), all);
}

#[test]
fn time_stands_still_in_transactions_and_scripts() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    for line in ["MULTI", "TIME", "DEBUG SLEEP 0.01", "TIME"] {
        raw.ask(line);
    }
    let replies = raw.ask("EXEC").items();
    assert_eq!(replies[0], replies[2]);
    raw.ask("DEBUG SET-DISABLE-DENY-SCRIPTS 1");
    let script = "EVAL \"local one = redis.call('TIME'); redis.call('DEBUG', 'SLEEP', 0.01); return {one, redis.call('TIME')}\" 0";
    let times = raw.ask(script).items();
    assert_eq!(times[0], times[1]);
    assert_ne!(raw.ask("TIME"), times[1]);
}
