//! SLOWLOG, COMMANDLOG and LATENCY: what takes long or is large, and the statistics of commands.

use std::thread;
use std::time::Duration;

use crate::common::{Raw, Reply, Server, bulk, check, error, eventually, integer, ok, queued};

const ALL: &[&str] = &["--slowlog-log-slower-than", "0"];

/// The commands of the newest entries, the newest first.
fn commands(raw: &mut Raw, question: &str) -> Vec<String> {
    let entries = raw.ask(question).items();
    let command = |entry: Reply| {
        let args = entry.items().remove(3).items();
        args.iter().map(Reply::text).collect::<Vec<_>>().join(" ")
    };
    entries.into_iter().map(command).collect()
}

#[test]
fn entries_tell_who_called_what() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    raw.ask("CLIENT SETNAME me");
    raw.ask("CONFIG SET slowlog-log-slower-than 300000");
    raw.ask("PING");
    assert_eq!(raw.ask("SLOWLOG LEN"), integer(0));
    raw.ask("DEBUG SLEEP 0.4");
    let entry = raw.ask("SLOWLOG GET").items().remove(0).items();
    assert_eq!(entry.len(), 6);
    assert_eq!(entry[0], integer(0));
    assert!(entry[1].number() > 1_600_000_000);
    assert!(entry[2].number() >= 400_000, "{:?}", entry[2]);
    let args = ["DEBUG", "SLEEP", "0.4"].map(bulk);
    assert_eq!(entry[3], Reply::Array(args.to_vec()));
    assert!(entry[4].text().starts_with("127.0.0.1:"));
    assert_eq!(entry[5], bulk("me"));
    let wrong = "ERR count should be greater than or equal to -1";
    check(
        &mut raw,
        &[
            ("SLOWLOG GET -2", error(wrong)),
            ("SLOWLOG GET x", error(wrong)),
            ("SLOWLOG GET 0", Reply::Array(vec![])),
            ("SLOWLOG RESET", ok()),
            ("SLOWLOG LEN", integer(0)),
        ],
    );
}

#[test]
fn what_a_script_calls_is_logged_by_itself() {
    let server = Server::start(ALL);
    let mut raw = server.raw();
    for script in [
        "return redis.call('GET', KEYS[1])",
        "return redis.call('GET', 'key')",
    ] {
        raw.ask("SLOWLOG RESET");
        raw.ask(&format!("EVAL \"{script}\" 1 key"));
        let expected = [
            format!("EVAL {script} 1 key"),
            "GET key".to_owned(),
            "SLOWLOG RESET".to_owned(),
        ];
        assert_eq!(commands(&mut raw, "SLOWLOG GET -1"), expected);
    }
}

#[test]
fn a_log_of_all_commands_has_each_of_a_pipeline() {
    let server = Server::start(ALL);
    let mut raw = server.raw();
    raw.ask("CONFIG SET slowlog-max-len 5");
    raw.send("GET a\r\n".repeat(3) + "SET b 1\r\nGET b\r\n");
    raw.read_many(5);
    let expected = ["GET b", "SET b 1", "GET a", "GET a", "GET a"];
    assert_eq!(commands(&mut raw, "SLOWLOG GET -1"), expected);
    raw.ask("CONFIG SET slowlog-max-len 2");
    assert_eq!(raw.ask("SLOWLOG LEN"), integer(2));
    // What a log without room misses has no numbers.
    let newest = |raw: &mut Raw| raw.ask("SLOWLOG GET 1").items().remove(0).items()[0].number();
    let before = newest(&mut raw);
    raw.ask("CONFIG SET slowlog-max-len 0");
    (0..9).for_each(|_| drop(raw.ask("PING")));
    raw.ask("CONFIG SET slowlog-max-len 2");
    assert!(newest(&mut raw) <= before + 3);
    raw.ask("CONFIG SET slowlog-log-slower-than -1");
    raw.ask("SLOWLOG RESET");
    raw.ask("PING");
    assert_eq!(raw.ask("SLOWLOG LEN"), integer(0));
}

#[test]
fn transactions_and_secrets() {
    let server = Server::start(ALL);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("SLOWLOG RESET", ok()),
            ("MULTI", ok()),
            ("SET a 1", queued()),
            ("INCR a", queued()),
            ("EXEC", Reply::Array(vec![ok(), integer(2)])),
            ("CONFIG SET requirepass \"\" maxclients 9999", ok()),
        ],
    );
    raw.ask("AUTH wrong");
    let expected = [
        "AUTH (redacted)",
        "CONFIG SET requirepass (redacted) maxclients 9999",
        "INCR a",
        "SET a 1",
        "MULTI",
        "SLOWLOG RESET",
    ];
    assert_eq!(commands(&mut raw, "SLOWLOG GET"), expected);
}

#[test]
fn a_command_that_waited_counts_when_it_is_served() {
    let server = Server::start(ALL);
    let (mut raw, mut other) = (server.raw(), server.raw());
    let stats = |other: &mut Raw| {
        let text = other.ask("INFO commandstats").text();
        let line = text.lines().find(|line| line.starts_with("cmdstat_blpop:"));
        line.map(str::to_owned)
    };
    raw.tell("BLPOP list 0");
    let blocked = |other: &mut Raw, count: usize| {
        let wanted = format!("blocked_clients:{count}");
        eventually("clients wait", || {
            other.ask("INFO clients").text().contains(&wanted)
        });
    };
    blocked(&mut other, 1);
    if std::env::var_os("OXIDIS_TEST_SERVER").is_none() {
        assert_eq!(stats(&mut other), None);
    }
    other.ask("SLOWLOG RESET");
    other.ask("RPUSH list a");
    raw.read();
    assert!(commands(&mut other, "SLOWLOG GET").contains(&"BLPOP list 0".to_owned()));
    assert!(stats(&mut other).expect("a call").contains("calls=1,"));
    let id = raw.ask("CLIENT ID").number();
    raw.tell("BLPOP list 0");
    blocked(&mut other, 1);
    other.ask(&format!("CLIENT UNBLOCK {id} ERROR"));
    raw.read();
    let line = stats(&mut other).expect("calls");
    assert!(
        line.contains("calls=2,") && line.contains("failed_calls=1"),
        "{line}"
    );
    let errors = other.ask("INFO errorstats").text();
    assert!(errors.contains("errorstat_UNBLOCKED:count=1"), "{errors}");
}

#[test]
fn commands_of_a_transaction_take_time() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    let processed = |raw: &mut Raw| {
        let stats = raw.ask("INFO stats").text();
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_commands_processed:"));
        line.and_then(|count| count.parse::<u64>().ok())
            .expect("a count")
    };
    let before = processed(&mut raw);
    raw.send("MULTI\r\nDEBUG SLEEP 0.03\r\nPING\r\nEXEC\r\n");
    raw.read_many(4);
    let text = raw.ask("INFO commandstats").text();
    let line = text.lines().find(|line| line.starts_with("cmdstat_debug:"));
    let micros = line.and_then(|line| line.split("usec=").nth(1)?.split(',').next());
    let micros: u64 = micros.expect("a figure").parse().expect("a number");
    assert!((30_000..10_000_000).contains(&micros), "{text}");
    // INFO twice, MULTI, its two commands and EXEC; what is queued is not run yet.
    assert_eq!(processed(&mut raw) - before, 6);
}

#[test]
fn large_commands_and_replies() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    if matches!(raw.ask("COMMANDLOG LEN slow"), Reply::Error(_)) {
        return;
    }
    let long = "x".repeat(2_000_000);
    raw.command(&[b"SET", b"k", long.as_bytes()]);
    raw.send("GET small\r\nGET k\r\nGET small\r\n");
    raw.read_many(3);
    check(
        &mut raw,
        &[
            ("COMMANDLOG LEN large-request", integer(1)),
            ("COMMANDLOG LEN LARGE-REPLY", integer(1)),
            ("COMMANDLOG LEN slow", raw_len(&server)),
            (
                "COMMANDLOG LEN huge",
                error("ERR type should be one of the following: slow, large-request, large-reply"),
            ),
        ],
    );
    let entry = raw
        .ask("COMMANDLOG GET 1 large-reply")
        .items()
        .remove(0)
        .items();
    assert!(entry[2].number() > 2_000_000);
    assert_eq!(entry[3], Reply::Array(vec![bulk("GET"), bulk("k")]));
    let entry = raw
        .ask("COMMANDLOG GET -1 large-request")
        .items()
        .remove(0)
        .items();
    assert!(entry[2].number() > 2_000_000);
    let cut = format!("{}... (1999872 more bytes)", "x".repeat(128));
    assert_eq!(entry[3].clone().items()[2], bulk(cut));
    check(
        &mut raw,
        &[
            ("COMMANDLOG RESET large-reply", ok()),
            ("COMMANDLOG LEN large-reply", integer(0)),
            ("CONFIG SET commandlog-reply-larger-than 10", ok()),
            ("MULTI", ok()),
            ("ECHO 12345678901", queued()),
            ("EXEC", Reply::Array(vec![bulk("12345678901")])),
        ],
    );
    assert_eq!(
        commands(&mut raw, "COMMANDLOG GET -1 large-reply"),
        ["ECHO 12345678901"]
    );
}

/// How long the slow log is.
fn raw_len(server: &Server) -> Reply {
    server.raw().ask("SLOWLOG LEN")
}

#[test]
fn the_latency_monitor_remembers() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    let doctor = raw.ask("LATENCY DOCTOR").text();
    assert!(doctor.contains("latency-monitor-threshold"), "{doctor}");
    raw.ask("CONFIG SET latency-monitor-threshold 400");
    raw.ask("DEBUG SLEEP 0.5");
    thread::sleep(Duration::from_millis(1100));
    raw.ask("DEBUG SLEEP 0.8");
    let history = raw.ask("LATENCY HISTORY command").items();
    assert_eq!(history.len(), 2, "{history:?}");
    let latency = |sample: &Reply| sample.clone().items()[1].number();
    assert!((500..10_000).contains(&latency(&history[0])));
    assert!((800..10_000).contains(&latency(&history[1])));
    let latest = raw.ask("LATENCY LATEST").items().remove(0).items();
    assert_eq!(latest[0], bulk("command"));
    assert_eq!(latest[2].number(), latency(&history[1]));
    assert!(raw.ask("LATENCY DOCTOR").text().contains("command"));
    let graph = raw.ask("LATENCY GRAPH command").text();
    assert!(graph.starts_with("command - high "), "{graph}");
    check(
        &mut raw,
        &[
            (
                "LATENCY GRAPH nothing",
                error("ERR No samples available for event 'nothing'"),
            ),
            ("LATENCY HISTORY nothing", Reply::Array(vec![])),
            ("LATENCY RESET nothing", integer(0)),
            ("LATENCY RESET COMMAND", integer(1)),
            ("LATENCY RESET", integer(0)),
            ("LATENCY LATEST", Reply::Array(vec![])),
        ],
    );
}

/// Waits until the latency monitor knows an event, and forgets it.
#[track_caller]
fn expect_event(raw: &mut Raw, event: &str) {
    eventually(event, || {
        let history = raw.ask(&format!("LATENCY HISTORY {event}")).items();
        let is_sample = |sample: &Reply| sample.clone().items()[1].number() >= 1;
        !history.is_empty() && history.iter().all(is_sample)
    });
    assert_eq!(raw.ask(&format!("LATENCY RESET {event}")), integer(1));
}

/// Sets very many keys with one pipeline.
fn fill(raw: &mut Raw, options: &str) {
    const COUNT: usize = 200_000;
    let sets = (0..COUNT).map(|number| format!("SET fill:{number} value{options}\r\n"));
    raw.send(sets.collect::<String>());
    raw.read_many(COUNT);
}

#[test]
fn the_latency_monitor_remembers_more_than_commands() {
    let server = Server::start(&["--latency-monitor-threshold", "1"]);
    let mut raw = server.raw();
    // Many that run out together, and many that make room together.
    fill(&mut raw, " PX 300");
    expect_event(&mut raw, "expire-cycle");
    fill(&mut raw, "");
    for (name, value) in [
        ("maxmemory-eviction-tenacity", "100"),
        ("maxmemory-policy", "allkeys-random"),
        ("maxmemory", "1"),
    ] {
        assert_eq!(raw.ask(&format!("CONFIG SET {name} {value}")), ok());
    }
    expect_event(&mut raw, "eviction-cycle");
    assert_eq!(raw.ask("CONFIG SET maxmemory 0"), ok());
    // Somebody who has waited for a list gets all of a long one, which takes longer than a millisecond on any machine.
    const ELEMENTS: usize = 500_000;
    let mut waiting = server.raw();
    waiting.tell(&format!("BLMPOP 0 1 list LEFT COUNT {ELEMENTS}"));
    eventually("it waits", || {
        raw.ask("INFO clients").text().contains("blocked_clients:1")
    });
    let mut push = vec![&b"RPUSH"[..], b"list"];
    push.resize(2 + ELEMENTS, b"element");
    raw.command(&push);
    assert_eq!(waiting.read().items().remove(1).items().len(), ELEMENTS);
    expect_event(&mut raw, "command-unblocking");
    assert!(raw.ask("LATENCY DOCTOR").text().len() > 100);
}

#[test]
fn the_latency_monitor_remembers_the_log() {
    let server = Server::start(&["--appendonly", "yes", "--latency-monitor-threshold", "1"]);
    let mut raw = server.raw();
    let large = vec![b'x'; 50 << 20];
    assert_eq!(raw.command(&[b"SET", b"large", &large]), ok());
    expect_event(&mut raw, "aof-write");
    assert_eq!(raw.ask("CONFIG SET appendfsync always"), ok());
    assert_eq!(raw.command(&[b"SET", b"large", &large]), ok());
    expect_event(&mut raw, "aof-fsync-always");
    // The kind of a write is told besides.
    let kinds = raw.ask("LATENCY LATEST").items();
    let names: Vec<String> = kinds
        .iter()
        .map(|kind| kind.clone().items()[0].text())
        .collect();
    let is_kind = |name: &String| name.starts_with("aof-write-");
    assert!(names.iter().any(is_kind), "{names:?}");
}

#[test]
fn the_latency_monitor_remembers_single_removals() {
    let server = Server::start(&["--appendonly", "yes", "--latency-monitor-threshold", "1"]);
    let mut raw = server.raw();
    // Values of any size are freed elsewhere, but to tell the log such a key takes longer than a millisecond.
    let large = vec![b'k'; 64 << 20];
    assert_eq!(raw.command(&[b"SET", &large, b"value", b"PX", b"1"]), ok());
    expect_event(&mut raw, "expire-del");
    assert_eq!(raw.command(&[b"SET", &large, b"value"]), ok());
    assert_eq!(raw.ask("CONFIG SET maxmemory-policy allkeys-lru"), ok());
    assert_eq!(raw.ask("CONFIG SET maxmemory 1"), ok());
    expect_event(&mut raw, "eviction-del");
    assert_eq!(raw.ask("DBSIZE"), integer(0));
}

#[test]
fn histograms_count_every_call() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("CONFIG RESETSTAT");
    raw.send("SET a 1\r\n".repeat(40) + "GET a\r\nCLIENT ID\r\n");
    raw.read_many(42);
    let answer = raw.ask("LATENCY HISTOGRAM set client nosuch").items();
    let names: Vec<String> = answer.iter().step_by(2).map(Reply::text).collect();
    assert_eq!(names, ["set", "client|id"]);
    let set = answer[1].clone().items();
    assert_eq!((&set[0], &set[1]), (&bulk("calls"), &integer(40)));
    let counts = set[3].clone().items();
    assert_eq!(counts.last(), Some(&integer(40)));
    raw.ask("CONFIG SET latency-tracking no");
    raw.ask("CONFIG RESETSTAT");
    raw.ask("SET a 1");
    assert_eq!(raw.ask("LATENCY HISTOGRAM"), Reply::Array(vec![]));
}

#[test]
fn kinds_of_errors_are_limited() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    raw.ask("NOSUCH");
    for number in 0..200 {
        raw.ask(&format!("DEBUG ERROR KIND{number}"));
    }
    let errors = raw.ask("INFO errorstats").text();
    let lines = errors.lines().filter(|line| line.starts_with("errorstat_"));
    assert!(lines.count() <= 128, "{errors}");
    raw.ask("CONFIG RESETSTAT");
    raw.ask("NOSUCH");
    let errors = raw.ask("INFO errorstats").text();
    assert!(errors.contains("errorstat_ERR:count=1"), "{errors}");
}
