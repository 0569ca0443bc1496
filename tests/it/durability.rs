//! What the files promise while everything changes: a kill at any moment loses nothing that it must not, and a copy is one
//! moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::common::{Raw, Reply, Server, eventually, frame, integer, ok};

fn line(text: &str) -> Vec<u8> {
    frame(&text.split(' ').map(str::as_bytes).collect::<Vec<_>>())
}

fn info(raw: &mut Raw, name: &str) -> String {
    let Reply::Bulk(text) = raw.ask("INFO persistence") else {
        panic!("INFO gives a bulk string");
    };
    let text = String::from_utf8(text).expect("INFO is text");
    let field = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}:")));
    field.expect("a known field").to_owned()
}

const CLIENTS: usize = 6;

/// A client that counts up until the server is gone; notes the last number that it was told.
fn count_up(port: u16, name: &str, acknowledged: &AtomicI64) {
    let Ok(mut raw) = Raw::try_connect(port) else {
        return;
    };
    let group = [
        line("MULTI"),
        line(&format!("INCR {name}")),
        line(&format!("INCR {name}:twin")),
        line(&format!("SET {name}:brief x PX 20")),
        line(&format!("RPUSH {name}:list x")),
        line("EXEC"),
    ];
    let group = group.concat();
    while raw.try_send(&group).is_ok() {
        let replies: Vec<_> = (0..6).map_while(|_| raw.try_read().ok()).collect();
        match replies.get(5) {
            Some(Reply::Array(all)) => match all[0] {
                Reply::Integer(number) => acknowledged.store(number, SeqCst),
                ref other => panic!("{other:?}"),
            },
            _ => return,
        }
    }
}

/// Has the files copied again and again until the server is gone.
fn copy_files(port: u16) {
    let Ok(mut raw) = Raw::try_connect(port) else {
        return;
    };
    let commands = [line("BGREWRITEAOF"), line("BGSAVE")];
    for command in commands.iter().cycle() {
        if raw.try_send(command).is_err() || raw.try_read().is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(15));
    }
}

fn number(reply: &Reply) -> i64 {
    match reply {
        Reply::Bulk(text) => String::from_utf8_lossy(text).parse().expect("a number"),
        _ => 0,
    }
}

/// Looks at what a client's commands have left; gives how often they ran.
fn check_counter(raw: &mut Raw, name: &str) -> i64 {
    let Reply::Array(pair) = raw.ask(&format!("MGET {name} {name}:twin")) else {
        panic!("MGET gives an array");
    };
    assert_eq!(pair[0], pair[1], "a transaction is whole");
    let count = number(&pair[0]);
    assert_eq!(raw.ask(&format!("LLEN {name}:list")), integer(count));
    count
}

/// Rounds of work, kill and restart. What was acknowledged must be there: the kernel has it, whatever `appendfsync` says.
fn kill_again_and_again(args: &[&str]) {
    let rounds = std::env::var("OXIDIS_CRASH_ROUNDS").ok();
    let rounds = rounds
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(4u64);
    let mut server = Server::start(args);
    for round in 0..rounds {
        let port = server.port();
        let told: Arc<Vec<AtomicI64>> = Arc::new((0..CLIENTS).map(|_| AtomicI64::new(0)).collect());
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let told = told.clone();
                thread::spawn(move || count_up(port, &format!("counter:{client}"), &told[client]))
            })
            .collect();
        let copier = thread::spawn(move || copy_files(port));
        thread::sleep(Duration::from_millis(60 + round * 37 % 200));
        server.kill();
        clients
            .into_iter()
            .for_each(|client| client.join().expect("a client"));
        copier.join().expect("the copier");
        server.restart();
        let mut raw = server.raw();
        for (client, told) in told.iter().enumerate() {
            let promised = told.load(SeqCst);
            let count = check_counter(&mut raw, &format!("counter:{client}"));
            assert!(
                count >= promised,
                "round {round}: {promised} was acknowledged, {count} is there"
            );
        }
    }
}

const SAVING: [&str; 4] = ["--appendonly", "yes", "--save", "1 1"];

#[test]
fn what_was_acknowledged_survives_a_kill() {
    for policy in ["always", "everysec", "no"] {
        kill_again_and_again(&[&SAVING[..], &["--appendfsync", policy]].concat());
    }
}

#[test]
fn a_kill_leaves_whole_bases_of_commands() {
    let args = [
        &SAVING[..],
        &["--appendfsync", "always", "--aof-use-rdb-preamble", "no"],
        &["--aof-timestamp-enabled", "yes"],
    ];
    kill_again_and_again(&args.concat());
}

#[test]
fn the_policy_and_the_log_may_be_switched_while_clients_write() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let port = server.port();
    let told: Arc<Vec<AtomicI64>> = Arc::new((0..CLIENTS).map(|_| AtomicI64::new(0)).collect());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let told = told.clone();
            thread::spawn(move || count_up(port, &format!("counter:{client}"), &told[client]))
        })
        .collect();
    let mut raw = server.raw();
    let policies = ["everysec", "always", "no", "always", "everysec", "no"];
    for (turn, policy) in policies.iter().cycle().take(30).enumerate() {
        assert_eq!(raw.ask(&format!("CONFIG SET appendfsync {policy}")), ok());
        if turn % 10 == 4 {
            assert_eq!(raw.ask("CONFIG SET appendonly no"), ok());
            assert_eq!(raw.ask("CONFIG SET appendonly yes"), ok());
        }
        // Whatever comes to be promised, what was written before can be waited for.
        assert!(!matches!(raw.ask("INCR own"), Reply::Error(_)));
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(raw.ask("CONFIG SET appendfsync always"), ok());
    eventually("the first base is complete", || {
        info(&mut raw, "aof_rewrite_in_progress") == "0"
            && info(&mut raw, "aof_rewrite_scheduled") == "0"
    });
    assert_eq!(raw.ask("SET last 1"), ok());
    assert_eq!(
        raw.ask("WAITAOF 1 0 10000"),
        Reply::Array(vec![integer(1), integer(0)])
    );
    let before: Vec<i64> = told.iter().map(|number| number.load(SeqCst)).collect();
    eventually("every client goes on", || {
        (told.iter().zip(&before)).all(|(now, before)| now.load(SeqCst) > *before)
    });
    server.kill();
    clients
        .into_iter()
        .for_each(|client| client.join().expect("a client"));
    server.restart();
    let mut raw = server.raw();
    assert_eq!(number(&raw.ask("GET own")), 30);
    for (client, told) in told.iter().enumerate() {
        let count = check_counter(&mut raw, &format!("counter:{client}"));
        assert!(count >= told.load(SeqCst), "client {client}");
    }
}

#[test]
fn what_is_written_when_the_log_is_back_stays() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    for round in 0..40 {
        let mut raw = server.raw();
        // In one go, so that the thread that stops the log meets the order to go on with it at any moment.
        let off_and_on = ["no", "yes"].map(|to| line(&format!("CONFIG SET appendonly {to}")));
        raw.send(off_and_on.concat());
        assert_eq!(raw.read_many(2), [ok(), ok()]);
        eventually("the base is complete", || {
            info(&mut raw, "aof_rewrite_in_progress") == "0"
                && info(&mut raw, "aof_rewrite_scheduled") == "0"
        });
        assert_eq!(raw.ask(&format!("SET round {round}")), ok());
        server.kill();
        server.restart();
        assert_eq!(number(&server.raw().ask("GET round")), round);
    }
}

const ACCOUNTS: i64 = 2000;
const BALANCE: i64 = 100;

/// Moves money between accounts until told to stop.
fn transfer(port: u16, seed: i64, stop: &AtomicBool, done: &AtomicI64) {
    let mut raw = Raw::connect(port);
    let mut number = seed;
    let mut next = || {
        number = number
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (number >> 33).rem_euclid(ACCOUNTS)
    };
    while !stop.load(SeqCst) {
        let mut batch = Vec::new();
        for _ in 0..20 {
            let (from, to) = (next(), next());
            batch.extend(line("MULTI"));
            batch.extend(line(&format!("DECR account:{from}")));
            batch.extend(line(&format!("INCR account:{to}")));
            // The same once more in values that are encoded as a whole.
            batch.extend(line(&format!("HINCRBY accounts:{} {from} -1", from % 7)));
            batch.extend(line(&format!("HINCRBY accounts:{} {to} 1", to % 7)));
            batch.extend(line("EXEC"));
        }
        raw.send(batch);
        raw.read_many(120);
        done.fetch_add(20, SeqCst);
    }
}

/// The balances of a server, and their sums in both forms.
fn balances(raw: &mut Raw) -> (Vec<i64>, i64, i64) {
    for account in 0..ACCOUNTS {
        raw.tell(&format!("GET account:{account}"));
    }
    let all: Vec<i64> = raw
        .read_many(ACCOUNTS as usize)
        .iter()
        .map(number)
        .collect();
    let mut hashed = 0;
    for group in 0..7 {
        let Reply::Array(values) = raw.ask(&format!("HVALS accounts:{group}")) else {
            panic!("HVALS gives an array");
        };
        hashed += values.iter().map(number).sum::<i64>();
    }
    let sum = all.iter().sum();
    (all, sum, hashed)
}

/// Loads a snapshot file in a server of its own and looks at the money.
#[track_caller]
fn check_copy(reader: &mut Server, snapshot: &Path) {
    reader.stop();
    fs::copy(snapshot, reader.dir().join("dump.rdb")).expect("a copy");
    reader.restart();
    let (_, sum, hashed) = balances(&mut reader.raw());
    assert_eq!(
        (sum, hashed),
        (ACCOUNTS * BALANCE, 0),
        "{}",
        snapshot.display()
    );
}

fn base_of(server: &Server) -> PathBuf {
    let folder = server.dir().join("appendonlydir");
    let manifest = fs::read_to_string(folder.join("appendonly.aof.manifest"));
    let manifest = manifest.expect("the manifest");
    let base = manifest.lines().find(|line| line.ends_with("type b"));
    let name = base.and_then(|line| line.split(' ').nth(1));
    folder.join(name.expect("a base"))
}

#[test]
fn a_copy_is_one_moment_while_everything_changes() {
    let mut server = Server::start(&["--io-threads", "4", "--appendonly", "yes"]);
    let mut reader = Server::start(&[]);
    let mut redis = Server::redis(&[]);
    let mut raw = server.raw();
    for account in 0..ACCOUNTS {
        raw.tell(&format!("SET account:{account} {BALANCE}"));
    }
    raw.read_many(ACCOUNTS as usize);
    let (stop, done, port) = (AtomicBool::new(false), AtomicI64::new(0), server.port());
    let ready = |raw: &mut Raw, name: &str| eventually(name, || info(raw, name) == "0");
    thread::scope(|scope| {
        for seed in 0..6 {
            let (stop, done) = (&stop, &done);
            scope.spawn(move || transfer(port, seed, stop, done));
        }
        let copies: Vec<PathBuf> = (0..6)
            .map(|round| {
                let before = done.load(SeqCst);
                eventually("money moves", || done.load(SeqCst) > before + 100);
                let copy = server.dir().join(format!("copy-{round}"));
                if round % 2 == 0 {
                    raw.ask("BGSAVE");
                    ready(&mut raw, "rdb_bgsave_in_progress");
                    fs::copy(server.dir().join("dump.rdb"), &copy).expect("a copy");
                } else {
                    raw.ask("BGREWRITEAOF");
                    ready(&mut raw, "aof_rewrite_in_progress");
                    fs::copy(base_of(&server), &copy).expect("a copy");
                }
                copy
            })
            .collect();
        stop.store(true, SeqCst);
        for copy in &copies {
            check_copy(&mut reader, copy);
            if let Some(redis) = &mut redis {
                check_copy(redis, copy);
            }
        }
    });
    // Base and increments together are everything.
    let before = balances(&mut raw);
    server.restart();
    assert_eq!(balances(&mut server.raw()), before);
    assert_eq!((before.1, before.2), (ACCOUNTS * BALANCE, 0));
    assert_eq!(server.raw().ask("SET after 1"), ok());
}
