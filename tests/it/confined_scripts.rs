//! Scripts that keep to their keys run on all workers at once, and still nobody sees half of one.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Raw, Reply, Server, array, bulk, check, eventually, frame, integer, ok};

const ACCOUNTS: usize = 8;
const EACH: i64 = 1_000;

/// Moves money, if there is enough.
const TRANSFER: &str = "local there = tonumber(redis.call('GET', KEYS[1])) local amount = tonumber(ARGV[1]) \
                        if there < amount then return 0 end \
                        redis.call('SET', KEYS[1], there - amount) \
                        redis.call('SET', KEYS[2], tonumber(redis.call('GET', KEYS[2])) + amount) return 1";
/// The same, for one whose accounts have to be looked for.
const STRAYING: &str = "local from, to = 'account:' .. ARGV[2], 'account:' .. ARGV[3] \
                        local there = tonumber(redis.call('GET', from)) local amount = tonumber(ARGV[1]) \
                        if there < amount then return 0 end \
                        redis.call('DECRBY', from, amount) redis.call('INCRBY', to, amount) return 1";
const TOTAL: &str =
    "local sum = 0 for _, key in ipairs(KEYS) do sum = sum + redis.call('GET', key) end return sum";

fn eval(raw: &mut Raw, script: &str, keys: &[&str], args: &[&str]) -> Reply {
    let count = keys.len().to_string();
    let mut words = vec!["EVAL", script, &count];
    words.extend(keys.iter().chain(args));
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    raw.command(&words)
}

fn account(number: usize) -> String {
    format!("account:{number}")
}

fn open_accounts(raw: &mut Raw) {
    for number in 0..ACCOUNTS {
        assert_eq!(raw.ask(&format!("SET account:{number} {EACH}")), ok());
    }
}

/// One transfer, the one like the other.
fn transfer(raw: &mut Raw, number: usize) -> Reply {
    let (from, to) = (number % ACCOUNTS, number * 7 / 3 % ACCOUNTS);
    let amount = (number % 90 + 1).to_string();
    let to = if from == to { (to + 1) % ACCOUNTS } else { to };
    match number % 5 {
        0 => {
            let (from, to) = (from.to_string(), to.to_string());
            eval(raw, STRAYING, &[], &[&amount, &from, &to])
        }
        _ => eval(raw, TRANSFER, &[&account(from), &account(to)], &[&amount]),
    }
}

fn total(raw: &mut Raw) -> Reply {
    let names: Vec<String> = (0..ACCOUNTS).map(account).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    eval(raw, TOTAL, &names, &[])
}

const SUM: i64 = ACCOUNTS as i64 * EACH;

#[test]
fn nothing_is_lost_between_workers() {
    const ROUNDS: usize = 1_500;
    let server = Server::start(&["--io-threads", "4", "--appendonly", "yes"]);
    let mut raw = server.raw();
    open_accounts(&mut raw);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let is_over = &is_over;
        let movers: Vec<_> = (0..6)
            .map(|mover| {
                let mut raw = server.raw();
                scope.spawn(move || {
                    let moved = (0..ROUNDS).map(|round| transfer(&mut raw, round * 31 + mover));
                    moved.map(|reply| reply.number()).sum::<i64>()
                })
            })
            .collect();
        let mut reader = server.raw();
        scope.spawn(move || {
            let names: Vec<String> = (0..ACCOUNTS).map(account).collect();
            let all = format!("MGET {}", names.join(" "));
            while !is_over.load(SeqCst) {
                assert_eq!(total(&mut reader), integer(SUM));
                let values = reader.ask(&all).items();
                let sum = values
                    .iter()
                    .map(|value| value.text().parse::<i64>().expect("a number"));
                assert_eq!(sum.sum::<i64>(), SUM);
            }
        });
        let mut flusher = server.raw();
        scope.spawn(move || {
            while !is_over.load(SeqCst) {
                assert_eq!(flusher.ask("SCRIPT FLUSH"), ok());
                thread::sleep(Duration::from_millis(20));
            }
        });
        let moved: i64 = movers
            .into_iter()
            .map(|mover| mover.join().expect("it moved"))
            .sum();
        is_over.store(true, SeqCst);
        assert!(moved > 0);
    });
    assert_eq!(total(&mut raw), integer(SUM));
}

#[test]
fn copies_and_logs_hold_whole_scripts() {
    let mut server = Server::start(&["--io-threads", "3", "--appendonly", "yes"]);
    let mut raw = server.raw();
    open_accounts(&mut raw);
    for round in 0..3 {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let is_over = &is_over;
            for mover in 0..4 {
                let mut raw = server.raw();
                scope.spawn(move || {
                    let numbers = (0..).map(|number| number * 17 + mover);
                    for number in numbers.take_while(|_| !is_over.load(SeqCst)) {
                        transfer(&mut raw, number);
                    }
                });
            }
            let mut raw = server.raw();
            thread::sleep(Duration::from_millis(100));
            match round {
                0 => drop(raw.ask("BGREWRITEAOF")),
                1 => assert_eq!(raw.ask("SAVE"), ok()),
                _ => {}
            }
            eventually("the log is rewritten", || {
                raw.ask("INFO persistence")
                    .text()
                    .contains("aof_rewrite_in_progress:0")
            });
            is_over.store(true, SeqCst);
        });
        server.kill();
        server.restart();
        assert_eq!(total(&mut server.raw()), integer(SUM), "round {round}");
    }
}

#[test]
fn who_waits_is_served_first() {
    const PUSH: &str = "redis.call('RPUSH', KEYS[1], ARGV[1]) return redis.call('LLEN', KEYS[1])";
    const TAKE: &str = "return redis.call('LPOP', KEYS[1])";
    let server = Server::start(&["--io-threads", "4"]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let is_over = &is_over;
        for _ in 0..2 {
            let mut taker = server.raw();
            scope.spawn(move || {
                while !is_over.load(SeqCst) {
                    assert!(eval(&mut taker, TAKE, &["list"], &[]).is_null());
                }
            });
        }
        let (mut raw, mut waiter) = (server.raw(), server.raw());
        for round in 0..200 {
            let value = round.to_string();
            waiter.tell("BLPOP list 0");
            eventually("somebody waits", || {
                raw.ask("INFO clients")
                    .text()
                    .contains("blocked_clients:1\r\n")
            });
            assert_eq!(eval(&mut raw, PUSH, &["list"], &[&value]), integer(1));
            assert_eq!(waiter.read(), array([bulk("list"), bulk(&value)]));
        }
        is_over.store(true, SeqCst);
    });
}

#[test]
fn watchers_and_listeners_see_what_scripts_do() {
    let server = Server::start(&["--io-threads", "2", "--notify-keyspace-events", "KEA"]);
    let (mut raw, mut watcher, mut listener) = (server.raw(), server.raw(), server.raw());
    listener.ask("SUBSCRIBE __keyevent@0__:incrby news");
    listener.read();
    let script = "redis.call('PUBLISH', 'news', ARGV[1]) return redis.call('INCR', KEYS[1])";
    for round in 1..4 {
        check(&mut watcher, &[("WATCH n", ok()), ("MULTI", ok())]);
        watcher.ask("GET n");
        assert_eq!(eval(&mut raw, script, &["n"], &["hello"]), integer(round));
        assert!(watcher.ask("EXEC").is_null());
        assert_eq!(listener.read().items()[2], bulk("hello"));
        assert_eq!(listener.read().items()[2], bulk("n"));
    }
    let timed = "local before = redis.call('TIME') for i = 1, 1000 do redis.call('INCR', KEYS[1]) end \
                 local after = redis.call('TIME') return {before[1] - after[1], before[2] - after[2]}";
    for _ in 0..3 {
        let reply = eval(&mut raw, timed, &["n"], &[]);
        assert_eq!(reply, array([integer(0), integer(0)]));
    }
    let away = "redis.call('SELECT', 3) return redis.call('SET', KEYS[1], 'there')";
    for _ in 0..3 {
        assert_eq!(eval(&mut raw, away, &["n"], &[]), ok());
    }
    assert_ne!(raw.ask("GET n"), bulk("there"));
    raw.ask("SELECT 3");
    assert_eq!(raw.ask("GET n"), bulk("there"));
}

/// What is proven to be over soon is not told of, however little others want to wait.
#[test]
fn short_scripts_are_not_slow() {
    let server = Server::start(&["--io-threads", "2", "--busy-reply-threshold", "1"]);
    let script = "for i = 1, 10000 do redis.call('INCR', KEYS[1]) end return 1";
    let end = Instant::now() + Duration::from_secs(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut raw = server.raw();
            // The first call on each worker is as any script's, and it may not be alone in being slow then.
            scope.spawn(move || {
                while Instant::now() < end {
                    let reply = eval(&mut raw, script, &["n"], &[]);
                    assert!(
                        reply == integer(1) || reply.text().starts_with("BUSY"),
                        "{reply:?}"
                    );
                }
                assert_eq!(eval(&mut raw, script, &["n"], &[]), integer(1));
            });
        }
    });
    let mut raw = server.raw();
    assert_eq!(
        raw.ask("SCRIPT KILL").text(),
        "NOTBUSY No scripts in execution right now."
    );
}

#[test]
fn what_a_library_keeps_is_kept_for_all_workers() {
    let server = Server::start(&["--io-threads", "4"]);
    let mut raw = server.raw();
    let code = "#!lua name=counter\nlocal count = 0 \
                redis.register_function('next', function() count = count + 1 return count end)";
    raw.command(&[b"FUNCTION", b"LOAD", code.as_bytes()]);
    let mut seen: Vec<i64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let mut raw = server.raw();
                scope.spawn(move || {
                    let calls = (0..100).map(|_| raw.ask("FCALL next 0").number());
                    calls.collect::<Vec<i64>>()
                })
            })
            .collect();
        let seen = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("it counts"));
        seen.collect()
    });
    seen.sort_unstable();
    assert!(seen.into_iter().eq(1..=800));
    raw.command(&[b"FUNCTION", b"LOAD", b"REPLACE", code.as_bytes()]);
    assert_eq!(raw.ask("FCALL next 0"), integer(1));
}

/// What may take long can be ended, also when it is called again and its reach is known.
#[test]
fn what_may_take_long_can_be_ended() {
    let server = Server::start(&["--io-threads", "2", "--busy-reply-threshold", "50"]);
    let mut raw = server.raw();
    assert_eq!(raw.ask("SETRANGE big 20000000 x"), integer(20_000_001));
    let doubled = "t = {t, t} ".repeat(40);
    for script in [
        "redis.call('EXISTS', KEYS[1]) for i = 1e16, 1e16 + 2 do end",
        &format!("redis.call('EXISTS', KEYS[1]) local t = {{}} {doubled} return t"),
        "local n = 0 for i = 1, 10000 do n = n + #redis.call('GET', KEYS[1]) end return n",
    ] {
        for _ in 0..4 {
            let (mut caller, mut killer) = (server.raw(), server.raw());
            caller.tell(&format!("EVAL \"{script}\" 1 big"));
            eventually("it is killed", || killer.ask("SCRIPT KILL") == ok());
            assert!(caller.read().text().contains("Script killed"), "{script}");
        }
    }
}

/// Nobody waits for the reply, but the script runs to its end, its locks are free afterwards, and all of it is in the file.
#[test]
fn clients_that_vanish_leave_whole_scripts() {
    const ROUNDS: i64 = 20;
    const TIMES: i64 = 10_000;
    let script =
        "for i = 1, 10000 do redis.call('INCR', KEYS[1]) end return redis.call('GET', KEYS[1])";
    let mut server = Server::start(&["--io-threads", "2", "--appendonly", "yes"]);
    let mut raw = server.raw();
    for _ in 0..ROUNDS {
        let mut leaving = server.raw();
        let sent = frame(&[b"EVAL", script.as_bytes(), b"1", b"n"]);
        leaving.send([&sent[..], &frame(&[b"INCR", b"m"])].concat());
        drop(leaving);
        let seen = raw.ask("GET n");
        assert!(
            seen.is_null()
                || seen
                    .text()
                    .parse::<i64>()
                    .is_ok_and(|seen| seen % TIMES == 0)
        );
    }
    eventually("all have run", || {
        raw.ask("GET m") == bulk(ROUNDS.to_string())
    });
    let all = bulk((ROUNDS * TIMES).to_string());
    assert_eq!(raw.ask("GET n"), all);
    eventually("they are forgotten", || {
        raw.ask("INFO clients")
            .text()
            .contains("connected_clients:1\r\n")
    });
    server.kill();
    server.restart();
    assert_eq!(server.raw().ask("GET n"), all);
}
