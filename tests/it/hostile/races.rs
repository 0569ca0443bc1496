//! Clients that are killed, unblocked and closed at any step: nobody may be served who is gone, nothing be lost that was
//! not given, and nothing of them stay (CVE-2026-23479, CVE-2021-21309 and the like).

use std::time::Duration;

use super::chance::{Dice, asked};
use super::check_health;
use crate::common::{Raw, Reply, Server, eventually, integer, ok, queued};

const PATIENCE: Duration = Duration::from_millis(200);

#[test]
fn clients_may_kill_themselves_anywhere() {
    let server = Server::start(&[]);
    let mut observer = server.raw();
    let kill = |raw: &mut Raw| {
        let id = raw.ask("CLIENT ID").number();
        format!("CLIENT KILL ID {id} SKIPME no")
    };
    // Alone, in front of a pipeline, behind one.
    let mut raw = server.raw();
    let line = kill(&mut raw);
    raw.tell("SET a 1");
    raw.tell(&line);
    raw.tell("SET b 1");
    raw.set_timeout(PATIENCE);
    while raw.try_read().is_ok() {}
    // In a transaction: it runs to its end.
    let mut raw = server.raw();
    let line = kill(&mut raw);
    assert_eq!(raw.ask("MULTI"), ok());
    for line in ["INCR in:transaction", &line, "INCR in:transaction"] {
        assert_eq!(raw.ask(line), queued());
    }
    raw.tell("EXEC");
    raw.set_timeout(PATIENCE);
    while raw.try_read().is_ok() {}
    assert_eq!(observer.ask("INCR in:transaction"), integer(3));
    // While it listens, watches, tracks or monitors.
    for line in [
        "SUBSCRIBE c",
        "PSUBSCRIBE c*",
        "SSUBSCRIBE c",
        "MONITOR",
        "WATCH a b",
        "CLIENT TRACKING on BCAST",
    ] {
        let mut raw = server.raw();
        raw.ask("HELLO 3");
        let kill = kill(&mut raw);
        raw.ask(line);
        raw.tell(&kill);
        raw.tell("PUBLISH c hello");
        raw.set_timeout(PATIENCE);
        while raw.try_read().is_ok() {}
        observer.ask("PUBLISH c hello");
        observer.ask("SET a 2");
    }
    // All at once, by one of them, inside a transaction and a script.
    let mut all: Vec<Raw> = (0..20).map(|_| server.raw()).collect();
    all.iter_mut().for_each(|raw| raw.tell("BLPOP list 0"));
    let mut raw = server.raw();
    raw.ask("MULTI");
    raw.ask("RPUSH list 1 2 3");
    raw.ask("CLIENT KILL TYPE normal SKIPME no");
    raw.ask("EVAL \"return redis.call('RPUSH', 'list', 4)\" 0");
    raw.tell("EXEC");
    raw.set_timeout(Duration::from_secs(10));
    while raw.try_read().is_ok() {}
    let mut observer = server.raw();
    eventually("all are gone", || {
        observer.ask("CLIENT LIST").text().lines().count() == 1
    });
    check_health(&server, &mut observer);
}

fn number(raw: &mut Raw, field: &str) -> i64 {
    let text = raw.ask("INFO clients").text();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|number| number.trim_start_matches(':').parse().ok())
        .expect("a number")
}

/// A client that waits is served, unblocked, killed and closed at the same moment, by three others, on all workers.
#[test]
fn waiting_clients_are_ended_once() {
    let server = Server::start(&["--io-threads", "4"]);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut others: Vec<Raw> = (0..4).map(|_| server.raw()).collect();
    let mut given = 0;
    let mut rounds = 0;
    for _ in 0..asked("OXIDIS_RACES", 300) {
        rounds += 1;
        let mut victim = server.raw();
        let id = victim.ask("CLIENT ID").number();
        let wait = *dice.pick(&[
            "BLPOP list 0",
            "BRPOPLPUSH list sink 0",
            "BLMPOP 0 1 list LEFT COUNT 1",
            "BLMOVE list sink LEFT RIGHT 0",
            "MULTI",
        ]);
        victim.tell(wait);
        if wait == "MULTI" {
            victim.tell("LPOP list");
            victim.tell("EXEC");
        }
        let mut lines = [
            "RPUSH list x".to_owned(),
            format!("CLIENT UNBLOCK {id}"),
            format!("CLIENT UNBLOCK {id} ERROR"),
            format!("CLIENT KILL ID {id}"),
        ];
        lines.swap(dice.below(4), dice.below(4));
        lines.swap(dice.below(4), dice.below(4));
        for (other, line) in others.iter_mut().zip(&lines) {
            other.tell(line);
        }
        if dice.once_in(4) {
            drop(victim);
        } else {
            victim.set_timeout(Duration::from_secs(10));
            while let Ok(reply) = victim.try_read() {
                given += i64::from(
                    has_element(&reply) && !wait.ends_with("sink 0") && !wait.starts_with("BLMOVE"),
                );
            }
        }
        others.iter_mut().for_each(|other| drop(other.read()));
    }
    let mut observer = server.raw();
    eventually("nobody waits any more", || {
        number(&mut observer, "blocked_clients") == 0
    });
    eventually("all victims are gone", || {
        number(&mut observer, "connected_clients") == 5
    });
    // An element may be lost with a reply that could not be sent, but none is there twice.
    let left = observer.ask("LLEN list").number() + observer.ask("LLEN sink").number();
    assert!(left + given <= rounds, "{left} + {given} of {rounds}");
    check_health(&server, &mut observer);
}

fn has_element(reply: &Reply) -> bool {
    match reply {
        Reply::Bulk(bytes) => bytes == b"x",
        Reply::Array(items) => items.iter().any(has_element),
        _ => false,
    }
}

/// What a waiting client is served with turns out to be of the wrong type, or is gone again, while it is being ended.
#[test]
fn a_wait_that_ends_in_an_error_ends_once() {
    let server = Server::start(&["--io-threads", "4"]);
    let (mut one, mut other) = (server.raw(), server.raw());
    for round in 0..100 {
        one.ask("DEL list sink stream");
        one.ask("SET sink text");
        one.ask("XGROUP CREATE stream g $ MKSTREAM");
        let mut mover = server.raw();
        let mut reader = server.raw();
        let id = mover.ask("CLIENT ID").number();
        mover.tell("BLMOVE list sink LEFT LEFT 0");
        reader.tell("XREADGROUP GROUP g c BLOCK 0 STREAMS stream >");
        mover.tell("PING");
        one.tell("RPUSH list x");
        other.tell(&format!("CLIENT KILL ID {id}"));
        if round % 2 == 0 {
            one.tell("XGROUP DESTROY stream g");
        } else {
            one.tell("DEL stream");
        }
        other.tell("XADD stream * a b");
        one.read_many(2);
        other.read_many(2);
        mover.set_timeout(Duration::from_secs(10));
        while mover.try_read().is_ok() {}
        reader.set_timeout(Duration::from_secs(10));
        assert!(matches!(
            reader.try_read(),
            Ok(Reply::Error(_) | Reply::Array(_))
        ));
    }
    drop(other);
    let mut observer = server.raw();
    check_health(&server, &mut observer);
}
