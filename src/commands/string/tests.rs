//! What string commands leave in the journal: a file that is read back, or a replica, must come to the same values and the
//! same times whenever it does.

use std::sync::Arc;

use super::COMMANDS;
use crate::base::clock::unix_ms;
use crate::config::Config;
use crate::engine::{Client, Engine, Lane, Login, Session};
use crate::journal::{Merger, write_command};
use crate::resp::parser::{Batch, Limits, Parser};
use crate::resp::reply::Reply;

/// Far ahead, in Unix seconds.
const LATER: &str = "9999999999";

/// A server without sockets whose journal is read after each command.
struct Bench {
    engine: Engine,
    lane: Lane,
    session: Session,
    merger: Merger,
}

impl Bench {
    fn new() -> Self {
        let engine = Engine::new(Config::default(), &[COMMANDS]);
        engine.journal.set_open(true);
        let client = Client::new(1, 0, String::new(), String::new(), 0);
        Self {
            engine,
            lane: Lane::new(0),
            session: Session::new(Arc::new(client), Login::of_server()),
            merger: Merger::new(0),
        }
    }

    /// Runs one command, its words separated by spaces; gives the reply.
    fn ask(&mut self, line: &str) -> String {
        let mut buffer = Vec::new();
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        write_command(&mut buffer, words.into_iter());
        let limits = Limits {
            max_bulk: 1 << 20,
            authenticated: true,
        };
        let mut batch = Batch::default();
        Parser::default()
            .parse(&mut buffer, 0, 1, limits, &mut batch)
            .expect("a well-formed command");
        let mut reply = Reply::new();
        let Self {
            engine,
            lane,
            session,
            ..
        } = self;
        let config = engine.config.load();
        engine.prepare(lane, session, &buffer, &batch);
        engine.run_batch(lane, &config, session, &buffer, &batch, &mut reply);
        String::from_utf8_lossy(&reply.pieces().collect::<Vec<_>>().concat()).replace("\r\n", " ")
    }

    /// What the journal got since the last look: the words of its commands, and nothing else.
    fn journaled(&mut self) -> String {
        let mut text = String::new();
        self.merger.drain(&self.engine.journal, |_, bytes| {
            text.push_str(&String::from_utf8_lossy(bytes));
        });
        let words = text
            .split("\r\n")
            .filter(|word| !word.is_empty() && !word.starts_with(['*', '$']));
        words.collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn what_is_journaled_does_not_depend_on_when_it_is_read() {
    let mut bench = Bench::new();
    for (line, journaled) in [
        ("SET k v", "SET k v"),
        ("SET k v XX", "SET k v XX"),
        ("SET k v NX", ""),
        ("SET k w GET", "SET k w"),
        ("SET k w KEEPTTL GET", "SET k w KEEPTTL"),
        (
            &format!("SET k v EXAT {LATER} GET"),
            &format!("SET k v PXAT {LATER}000"),
        ),
        ("SET k v IFEQ w", ""),
        ("SET k w IFEQ v", "SET k w IFEQ v"),
        ("SET k v IFEQ w GET", "SET k v"),
        ("SET k v EXAT 1 NX", ""),
        ("SET k v EXAT 1", "DEL k"),
        ("SET k v EXAT 1", ""),
        ("SETNX k v", "SETNX k v"),
        ("GETSET k w", "SET k w"),
        (
            &format!("GETEX k EXAT {LATER}"),
            &format!("PEXPIREAT k {LATER}000"),
        ),
        ("GETEX k", ""),
        ("GETEX k PERSIST", "PERSIST k"),
        ("GETEX k PERSIST", ""),
        ("GETEX k PXAT 1", "DEL k"),
        ("INCRBYFLOAT n 1.50", "SET n 1.5 KEEPTTL"),
        ("INCRBYFLOAT n x", ""),
        ("GETDEL n", "DEL n"),
        ("GETDEL n", ""),
        ("INCR n", "INCR n"),
        ("APPEND n 1", "APPEND n 1"),
        ("SETRANGE n 0 ", ""),
        ("SETRANGE n 0 2", "SETRANGE n 0 2"),
        ("MSETNX n 1 m 2", ""),
        ("MSET n 1 m 2", "MSET n 1 m 2"),
        ("MSETEX 2 n 1 m 2 XX", "MSETEX 2 n 1 m 2 XX"),
        (
            &format!("MSETEX 1 n 1 XX EXAT {LATER}"),
            &format!("MSETEX 1 n 1 PXAT {LATER}000"),
        ),
        ("DELEX n IFEQ 2", ""),
        ("DELEX n IFEQ 1", "DEL n"),
        ("DELIFEQ m 2", "DEL m"),
    ] {
        bench.ask(line);
        assert_eq!(bench.journaled(), journaled, "{line}");
    }
    bench.ask("MSET a 1 b 2");
    assert_eq!(bench.journaled(), "MSET a 1 b 2");
    bench.ask("MSETEX 3 a 1 b 2 c 3 EXAT 1");
    // Two commands for one: whoever replays them must not come between.
    assert_eq!(bench.journaled(), "MULTI DEL a DEL b EXEC");
}

#[test]
fn a_span_of_time_is_journaled_as_its_end() {
    let mut bench = Bench::new();
    for line in [
        "SET k v EX 100",
        "SET k v PX 100000",
        "SETEX k 100 v",
        "PSETEX k 100000 v",
    ] {
        let before = unix_ms() + 100_000;
        assert_eq!(bench.ask(line), "+OK ");
        let journaled = bench.journaled();
        let end: i64 = (journaled.strip_prefix("SET k v PXAT "))
            .and_then(|end| end.parse().ok())
            .unwrap_or_else(|| panic!("{line}: {journaled}"));
        assert!(
            (before..=unix_ms() + 100_000).contains(&end),
            "{line}: {end}"
        );
    }
}

#[test]
fn changes_in_place_keep_the_expiry() {
    let mut bench = Bench::new();
    for line in [
        "INCR k",
        "INCRBYFLOAT k 1.5",
        "APPEND k 5",
        "SETRANGE k 30 x",
        "SET k 1 KEEPTTL",
    ] {
        bench.ask(&format!("SET k 1 EXAT {LATER}"));
        bench.ask(line);
        bench.journaled();
        bench.ask("GETEX k PERSIST");
        assert_eq!(bench.journaled(), "PERSIST k", "{line}");
    }
}

#[test]
fn a_long_search_leaves_the_worker_to_others() {
    let mut bench = Bench::new();
    let (one, other) = ("ab".repeat(1_000), "ba".repeat(1_000));
    bench.ask(&format!("MSET a {one} b {other}"));
    assert_eq!(bench.ask("LCS a b LEN"), "", "not done at once");
    bench.ask("MSET a ab b ba");
    assert_eq!(bench.ask("LCS a b LEN"), ":1 ");
}
