//! Snapshots and rewrites in the background: who may ask when, what is told, and that nothing is written unasked.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::common::{Raw, Reply, Server, bulk, check, error, eventually, integer, ok, simple};

fn info(raw: &mut Raw, name: &str) -> String {
    let Reply::Bulk(text) = raw.ask("INFO persistence") else {
        panic!("INFO gives a bulk string");
    };
    let text = String::from_utf8(text).expect("INFO is text");
    let field = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}:")));
    field
        .unwrap_or_else(|| panic!("{name} is missing"))
        .to_owned()
}

#[track_caller]
fn becomes(raw: &mut Raw, name: &str, value: &str) {
    eventually(&format!("{name} is {value}"), || info(raw, name) == value);
}

fn names(server: &Server) -> Vec<String> {
    let entries = fs::read_dir(server.dir()).expect("the folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name != "server.log")
        .collect();
    names.sort();
    names
}

#[test]
fn a_snapshot_can_be_cancelled() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    let nothing = error("ERR Background saving is currently not in progress or scheduled");
    check(
        &mut raw,
        &[
            ("BGSAVE CANCEL", nothing.clone()),
            ("DEBUG POPULATE 100", ok()),
            ("CONFIG SET rdb-key-save-delay 10000000", ok()),
            ("BGSAVE", simple("Background saving started")),
            ("BGSAVE CANCEL", simple("Background saving cancelled")),
        ],
    );
    becomes(&mut raw, "rdb_bgsave_in_progress", "0");
    assert_eq!(info(&mut raw, "rdb_last_bgsave_status"), "ok");
    assert_eq!(names(&server), Vec::<String>::new());
    check(
        &mut raw,
        &[
            (
                "BGREWRITEAOF",
                simple("Background append only file rewriting started"),
            ),
            ("BGSAVE SCHEDULE", simple("Background saving scheduled")),
            (
                "BGSAVE CANCEL",
                simple("Scheduled background saving cancelled"),
            ),
            ("BGSAVE CANCEL", nothing),
        ],
    );
}

#[test]
fn one_job_at_a_time_with_redis_s_words() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    assert_eq!(raw.ask("DEBUG POPULATE 100"), ok());
    assert_eq!(raw.ask("CONFIG SET rdb-key-save-delay 10000000"), ok());
    let busy = "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
                schedule a BGSAVE whenever possible.";
    check(
        &mut raw,
        &[
            ("BGSAVE wrong", error("ERR syntax error")),
            ("BGSAVE", simple("Background saving started")),
            ("BGSAVE", error("ERR Background save already in progress")),
            (
                "BGSAVE SCHEDULE",
                error("ERR Background save already in progress"),
            ),
            ("SAVE", error("ERR Background save already in progress")),
            (
                "BGREWRITEAOF",
                simple("Background append only file rewriting scheduled"),
            ),
        ],
    );
    assert_eq!(info(&mut raw, "aof_rewrite_scheduled"), "1");
    assert_eq!(info(&mut raw, "rdb_bgsave_in_progress"), "1");
    becomes(&mut raw, "current_save_keys_total", "100");
    assert_eq!(raw.ask("CONFIG SET rdb-key-save-delay 0"), ok());
    // A delay that has begun is not shortened; FLUSHALL with rules makes the snapshot useless.
    assert_eq!(raw.ask("CONFIG SET save \"3600 1\""), ok());
    assert_eq!(raw.ask("FLUSHALL"), ok());
    assert_eq!(info(&mut raw, "rdb_changes_since_last_save"), "0");
    becomes(&mut raw, "rdb_bgsave_in_progress", "0");
    assert_eq!(info(&mut raw, "rdb_last_bgsave_status"), "ok");
    becomes(&mut raw, "aof_rewrites", "1");
    becomes(&mut raw, "rdb_saves", "2");
    becomes(&mut raw, "aof_rewrite_in_progress", "0");
    becomes(&mut raw, "rdb_bgsave_in_progress", "0");

    assert_eq!(raw.ask("SET a 1"), ok());
    assert_eq!(raw.ask("CONFIG SET rdb-key-save-delay 300000"), ok());
    check(
        &mut raw,
        &[
            (
                "BGREWRITEAOF",
                simple("Background append only file rewriting started"),
            ),
            (
                "BGREWRITEAOF",
                error("ERR Background append only file rewriting already in progress"),
            ),
            ("BGSAVE", error(busy)),
            ("BGSAVE SCHEDULE", simple("Background saving scheduled")),
        ],
    );
    becomes(&mut raw, "rdb_saves", "3");
    becomes(&mut raw, "rdb_bgsave_in_progress", "0");
    assert_eq!(raw.ask("MULTI"), ok());
    raw.ask("BGSAVE");
    raw.ask("BGREWRITEAOF");
    assert_eq!(
        raw.ask("EXEC"),
        Reply::Array(vec![
            simple("Background saving scheduled"),
            simple("Background append only file rewriting scheduled")
        ])
    );
}

#[test]
fn a_rule_saves_and_a_restart_finds_it() {
    let mut server = Server::start(&["--save", "1 2"]);
    let mut raw = server.raw();
    let Reply::Integer(started) = raw.ask("LASTSAVE") else {
        panic!("LASTSAVE gives an integer");
    };
    assert_eq!(raw.ask("SET a 1"), ok());
    thread::sleep(Duration::from_millis(2300));
    assert_eq!(info(&mut raw, "rdb_saves"), "0", "one change is too few");
    assert_eq!(raw.ask("SET b 2"), ok());
    becomes(&mut raw, "rdb_saves", "1");
    becomes(&mut raw, "rdb_changes_since_last_save", "0");
    assert!(server.log().contains("2 changes in 1 seconds. Saving..."));
    let Reply::Integer(saved) = raw.ask("LASTSAVE") else {
        panic!("LASTSAVE gives an integer");
    };
    assert!(saved > started);
    server.kill();
    server.restart();
    assert_eq!(
        server.raw().ask("MGET a b"),
        Reply::Array(vec![bulk("1"), bulk("2")])
    );
    // SIGTERM saves what has changed since, as there are rules.
    assert_eq!(server.raw().ask("SET c 3"), ok());
    server.restart();
    assert_eq!(server.raw().ask("GET c"), bulk("3"));
}

#[test]
fn nothing_is_written_unasked() {
    let mut server = Server::start(&[]);
    assert_eq!(server.raw().ask("SET a 1"), ok());
    assert_eq!(server.raw().ask("FLUSHALL"), ok());
    assert_eq!(server.raw().ask("SET a 1"), ok());
    thread::sleep(Duration::from_millis(300));
    server.stop();
    assert_eq!(names(&server), [""; 0]);
    server.restart();
    server.raw().send("SHUTDOWN SAVE\r\n");
    assert!(server.wait().success());
    assert_eq!(names(&server), ["dump.rdb"]);
}

#[test]
fn a_snapshot_that_fails_stops_writes_and_the_end() {
    let mut server = Server::start(&["--save", "3600 1000000"]);
    let mut raw = server.raw();
    assert_eq!(raw.ask("SET a 1"), ok());
    let place = server.dir().join("dump.rdb");
    fs::create_dir(&place).expect("a folder where the file should be");
    assert_eq!(raw.ask("BGSAVE"), simple("Background saving started"));
    becomes(&mut raw, "rdb_last_bgsave_status", "err");
    let refusal = error(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that \
         may modify the data set are disabled, because this instance is configured to report errors during writes if RDB \
         snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB \
         error.",
    );
    check(
        &mut raw,
        &[
            ("SET b 1", refusal.clone()),
            ("PING", refusal),
            ("GET a", bulk("1")),
            ("CONFIG SET stop-writes-on-bgsave-error no", ok()),
            ("SET b 1", ok()),
            ("CONFIG SET stop-writes-on-bgsave-error yes", ok()),
            ("SAVE", error("ERR")),
        ],
    );
    assert_eq!(names(&server), ["dump.rdb"], "no temporary file stays");
    assert_eq!(
        raw.ask("SHUTDOWN"),
        error("ERR Errors trying to SHUTDOWN. Check logs.")
    );
    assert!(
        server
            .log()
            .contains("Error trying to save the DB, can't exit")
    );
    server.signal(libc::SIGTERM);
    eventually("the signal is not obeyed", || {
        server.log().matches("can't exit").count() == 2
    });
    fs::remove_dir(&place).expect("the folder goes");
    eventually("it is saved", || raw.ask("SAVE") == ok());
    assert_eq!(raw.ask("SET c 1"), ok());
    assert_eq!(raw.ask("DEL b c"), integer(2));
    server.stop();
}

/// Has the system refuse to let the server's files grow beyond this.
fn limit_files(server: &Server, limit: &str) -> bool {
    let mut prlimit = Command::new("prlimit");
    let pid = server.pid().to_string();
    prlimit.args(["--pid", &pid, &format!("--fsize={limit}:")]);
    prlimit.status().is_ok_and(|status| status.success())
}

#[test]
fn a_disk_that_fails_in_the_middle_of_a_snapshot_leaves_the_one_before() {
    let mut server = Server::start(&["--save", "3600 1000000", "--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    assert_eq!(raw.ask("SET before 1"), ok());
    assert_eq!(raw.ask("SAVE"), ok());
    let place = server.dir().join("dump.rdb");
    let saved = fs::read(&place).expect("the first snapshot");
    // Far more than is gathered before it is written.
    assert_eq!(raw.ask("DEBUG POPULATE 30000 key 300"), ok());
    assert_eq!(raw.ask("CONFIG SET rdbcompression no"), ok());
    if !limit_files(&server, "3000000") {
        return;
    }
    let refusal = |raw: &mut Raw, line: &str| match raw.ask(line) {
        Reply::Error(text) => assert!(text.starts_with("MISCONF Redis is configured"), "{text}"),
        other => panic!("{line}: {other:?}"),
    };
    for failures in 1..=2 {
        assert_eq!(raw.ask("BGSAVE"), simple("Background saving started"));
        eventually("it has failed", || {
            let log = server.log();
            log.matches("Background saving error: Write error saving DB on disk")
                .count()
                == failures
        });
        becomes(&mut raw, "rdb_bgsave_in_progress", "0");
        becomes(&mut raw, "rdb_last_bgsave_status", "err");
        assert_eq!(names(&server), ["dump.rdb"], "no temporary file stays");
        assert_eq!(fs::read(&place).expect("it is still there"), saved);
        refusal(&mut raw, "SET b 1");
        refusal(&mut raw, "FLUSHALL");
        assert_eq!(raw.ask("GET before"), bulk("1"));
        assert_eq!(raw.ask("DBSIZE"), integer(30_001));
    }
    assert!(server.log().contains("File too large"), "with the reason");
    assert!(limit_files(&server, "unlimited"));
    assert_eq!(raw.ask("BGSAVE"), simple("Background saving started"));
    becomes(&mut raw, "rdb_last_bgsave_status", "ok");
    assert_eq!(raw.ask("SET b 1"), ok());
    assert_eq!(raw.ask("SAVE"), ok());
    let digest = raw.ask("DEBUG DIGEST");
    server.restart();
    assert_eq!(server.raw().ask("DEBUG DIGEST"), digest);
}

#[test]
fn the_log_is_rewritten_when_it_has_grown() {
    let mut server = Server::start(&[
        "--appendonly",
        "yes",
        "--auto-aof-rewrite-min-size",
        "20kb",
        "--auto-aof-rewrite-percentage",
        "100",
    ]);
    let mut raw = server.raw();
    for round in 0..2000 {
        raw.tell(&format!("SET key value:{round}"));
    }
    raw.read_many(2000);
    eventually("a rewrite", || info(&mut raw, "aof_rewrites") != "0");
    becomes(&mut raw, "aof_rewrite_in_progress", "0");
    assert!(
        server
            .log()
            .contains("Starting automatic rewriting of AOF on")
    );
    let size: u64 = info(&mut raw, "aof_current_size").parse().expect("a size");
    let files = fs::read_dir(server.dir().join("appendonlydir")).expect("the folder");
    let files = files.map(|entry| entry.expect("an entry"));
    let total: u64 = files
        .filter(|entry| !entry.file_name().to_string_lossy().ends_with("manifest"))
        .map(|entry| entry.metadata().expect("metadata").len())
        .sum();
    assert_eq!(size, total);
    server.restart();
    assert_eq!(server.raw().ask("GET key"), bulk("value:1999"));
}

#[test]
fn a_server_whose_snapshot_has_no_name_starts_empty() {
    let server = Server::start(&["--dbfilename", ""]);
    check(&mut server.raw(), &[("DBSIZE", integer(0))]);
}

#[test]
fn changes_are_counted_as_redis_counts_them() {
    let calls: &[(&str, u64)] = &[
        ("PFADD p a b c", 4),
        ("PFADD p a b c d e", 2),
        ("PFADD p a", 0),
        ("XADD s 1-1 f v", 1),
        ("XADD s 2-1 f v", 1),
        ("XADD s 3-1 f v", 1),
        ("XGROUP CREATE s g 0", 1),
        ("XREADGROUP GROUP g alice COUNT 2 STREAMS s >", 2),
        ("XREADGROUP GROUP g alice STREAMS s >", 1),
        ("XREADGROUP GROUP g alice STREAMS s >", 0),
        ("XREADGROUP GROUP g alice STREAMS s 0", 1),
        ("XREADGROUP GROUP g bob NOACK STREAMS s >", 1),
        ("XACK s g 1-1 9-9", 1),
        ("XCLAIM s g carol 0 2-1 3-1", 3),
        ("XCLAIM s g dave 0 9-9", 1),
        ("XCLAIM s g dave 0 9-9 LASTID 8-0", 1),
        ("XDEL s 3-1", 1),
        ("XAUTOCLAIM s g erin 0 0", 3),
    ];
    for appends in ["no", "yes"] {
        let server = Server::start(&["--appendonly", appends]);
        let mut raw = server.raw();
        let mut before = 0;
        for (call, expected) in calls {
            raw.ask(call);
            let after = info(&mut raw, "rdb_changes_since_last_save");
            let after: u64 = after.parse().expect("a number");
            assert_eq!(after - before, *expected, "{call}, appendonly {appends}");
            before = after;
        }
    }
}
