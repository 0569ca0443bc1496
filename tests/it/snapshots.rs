//! Snapshot files: SAVE, DEBUG RELOAD, loading at the start, damaged files, and the exchange with Redis in both directions.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::{Raw, Reply, Server, bulk, error, eventually, installed, integer, ok, run};
use crate::dump::fill;

const DEBUG: [&str; 2] = ["--enable-debug-command", "yes"];

fn digest(raw: &mut Raw) -> String {
    raw.ask("DEBUG DIGEST").text()
}

/// Besides one of each type: keys that expire, in several databases, and what shows how strings are written.
///
/// Scores have few digits: how DEBUG DIGEST writes longer ones depends on the version of Redis.
fn fill_all(raw: &mut Raw) {
    fill(raw);
    for number in 0..300 {
        raw.ask(&format!("SET number:{number} {}", number * number * number));
        raw.ask(&format!(
            "SET late:{number} {number} PX {}",
            10_000_000 + number
        ));
    }
    raw.ask(&format!("SET packable {}", "abc".repeat(5_000)));
    for database in [3, 9] {
        raw.ask(&format!("SELECT {database}"));
        raw.ask("SET name value");
        raw.ask("HSET fields a 1 b 2");
    }
    raw.ask("SELECT 0");
    raw.ask("XGROUP CREATE empty group $ MKSTREAM");
    raw.ask("RPUSH list:ends a");
    raw.ask(&format!("RPUSH list:ends {} z", "y".repeat(20_000)));
}

/// A library with one function.
const LIBRARY: &str = "#!lua name=lib\nredis.register_function('seven', function() return 7 end)";

/// Stops one server and starts another on its snapshot file.
fn hand_over(from: &Server, to: &mut Server) {
    to.kill();
    fs::copy(from.dir().join("dump.rdb"), to.dir().join("dump.rdb")).expect("the file");
    to.restart();
}

#[test]
fn what_is_saved_is_there_after_a_restart() {
    let mut server = Server::start(&DEBUG);
    let mut raw = server.raw();
    assert!(
        !server.dir().join("dump.rdb").exists(),
        "nothing was asked for"
    );
    fill_all(&mut raw);
    raw.ask("HSET hash:expiring a 1 b 2");
    raw.ask("HPEXPIRE hash:expiring 10000000 FIELDS 1 a");
    let before = digest(&mut raw);
    assert_eq!(raw.ask("SAVE"), ok());
    assert_eq!(raw.ask("SET later 1"), ok());
    server.kill();
    server.restart();
    let mut raw = server.raw();
    assert_eq!(digest(&mut raw), before);
    assert_eq!(
        raw.ask("HPERSIST hash:expiring FIELDS 2 a b"),
        Reply::Array(vec![integer(1), integer(-1)])
    );
    let log = server.log();
    for line in [
        "Loading RDB produced by version",
        "RDB age ",
        "Done loading RDB, keys loaded: ",
        "DB loaded from disk: ",
    ] {
        assert!(log.contains(line), "{line}");
    }
    let files = fs::read_dir(server.dir()).expect("the folder");
    let temporary = files.filter(|file| {
        let name = file.as_ref().expect("an entry").file_name();
        name.to_string_lossy().starts_with("temp-")
    });
    assert_eq!(temporary.count(), 0);
}

#[test]
fn data_survives_debug_reload() {
    let server = Server::start(&DEBUG);
    let mut raw = server.raw();
    fill_all(&mut raw);
    let before = digest(&mut raw);
    assert_eq!(raw.ask("DEBUG RELOAD"), ok());
    assert_eq!(digest(&mut raw), before);
    // Without saving, what has come since goes; merged, it stays.
    raw.ask("SET later 1");
    raw.ask("SET number:1 other");
    assert_eq!(raw.ask("DEBUG RELOAD NOSAVE NOFLUSH MERGE"), ok());
    assert_eq!(raw.ask("MGET later number:1").items().len(), 2);
    assert_eq!(raw.ask("GET later").text(), "1");
    assert_eq!(raw.ask("GET number:1").text(), "1");
    assert_eq!(raw.ask("DEBUG RELOAD NOSAVE"), ok());
    assert_eq!(raw.ask("GET later"), Reply::NullBulk);
    assert_eq!(digest(&mut raw), before);
    let wrong = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.";
    assert_eq!(raw.ask("DEBUG RELOAD LATER"), error(wrong));
    let file = server.dir().join("dump.rdb");
    fs::write(&file, "nonsense!").expect("the file takes it");
    let failed = "ERR Error trying to load the RDB dump, check server logs.";
    assert_eq!(raw.ask("DEBUG RELOAD NOSAVE"), error(failed));
    let log = server.log();
    assert!(
        log.contains("DEBUG RELOAD: Error loading the DB from "),
        "{log}"
    );
    assert!(!log.contains("Terminating server"), "it goes on: {log}");
    fs::remove_file(&file).expect("the file");
    assert_eq!(raw.ask("DEBUG RELOAD NOSAVE"), error(failed));
}

#[test]
fn redis_and_oxidis_read_each_others_files() {
    let compressed = ["--rdbcompression", "yes"];
    let plain = ["--rdbcompression", "no", "--rdbchecksum", "no"];
    for options in [&compressed[..], &plain] {
        let args: Vec<&str> = DEBUG.iter().chain(options).copied().collect();
        let Some(mut redis) = Server::redis(&args) else {
            println!("skipped: there is no redis-server on the PATH to exchange files with");
            return;
        };
        let mut raw = redis.raw();
        fill_all(&mut raw);
        let loaded = raw.command(&[b"FUNCTION", b"LOAD", LIBRARY.as_bytes()]);
        assert_eq!(loaded, bulk("lib"));
        let before = digest(&mut raw);
        assert_eq!(raw.ask("SAVE"), ok());
        let mut server = Server::start(&args);
        hand_over(&redis, &mut server);
        let mut raw = server.raw();
        assert_eq!(digest(&mut raw), before);
        assert_eq!(raw.ask("FCALL seven 0"), integer(7));
        assert_eq!(raw.ask("DEBUG RELOAD"), ok());
        assert_eq!(raw.ask("FCALL seven 0"), integer(7));
        assert_eq!(raw.ask("SAVE"), ok());
        hand_over(&server, &mut redis);
        let mut raw = redis.raw();
        assert_eq!(digest(&mut raw), before);
        assert_eq!(raw.ask("FCALL seven 0"), integer(7));
    }
}

#[test]
fn encodings_of_small_thresholds_are_exchanged() {
    let thresholds = [
        "--hash-max-listpack-entries",
        "2",
        "--set-max-intset-entries",
        "2",
        "--zset-max-listpack-entries",
        "2",
        "--list-max-listpack-size",
        "3",
        "--stream-node-max-entries",
        "4",
    ];
    let args: Vec<&str> = DEBUG.iter().chain(&thresholds).copied().collect();
    let Some(mut redis) = Server::redis(&args) else {
        println!("skipped: there is no redis-server on the PATH to exchange files with");
        return;
    };
    let mut raw = redis.raw();
    fill_all(&mut raw);
    let before = digest(&mut raw);
    assert_eq!(raw.ask("SAVE"), ok());
    let mut server = Server::start(&DEBUG);
    hand_over(&redis, &mut server);
    let mut raw = server.raw();
    assert_eq!(digest(&mut raw), before, "read with other thresholds");
    assert_eq!(raw.ask("SAVE"), ok());
    hand_over(&server, &mut redis);
    assert_eq!(digest(&mut redis.raw()), before);
}

#[test]
fn a_damaged_file_stops_the_start() {
    let mut server = Server::start(&DEBUG);
    let mut raw = server.raw();
    fill_all(&mut raw);
    assert_eq!(raw.ask("SAVE"), ok());
    server.kill();
    let path = server.dir().join("dump.rdb");
    let good = fs::read(&path).expect("the file");
    let mut sum = good.clone();
    sum[good.len() - 1] ^= 1;
    let mut version = good.clone();
    version[5..9].copy_from_slice(b"0099");
    for (bytes, text) in [
        (&sum[..], "RDB CRC error"),
        (
            &good[..good.len() / 2],
            "Short read or OOM loading DB. Unrecoverable error, aborting now.",
        ),
        (&version, "Can't handle RDB format version 99"),
        (b"nonsense!", "Wrong signature trying to load DB from file"),
    ] {
        fs::write(&path, bytes).expect("the file takes it");
        server.start_again();
        assert_eq!(server.wait().code(), Some(1), "{text}");
        let log = server.log();
        assert!(log.contains(text), "{text}");
        let last = log.lines().last().unwrap_or_default();
        assert!(
            last.contains("Fatal error loading the DB") && last.contains("dump.rdb, at offset "),
            "{last}"
        );
    }
    // A file without a checksum is taken at its word.
    let mut unchecked = good.clone();
    let end = good.len() - 8;
    unchecked[end..].fill(0);
    fs::write(&path, unchecked).expect("the file takes it");
    server.restart();
    assert!(
        server
            .log()
            .contains("checksum disabled: no check performed")
    );
}

#[test]
fn clients_are_told_while_the_file_is_loaded() {
    let mut server = Server::start(&["--enable-debug-command", "yes", "--key-load-delay", "500"]);
    let mut raw = server.raw();
    assert_eq!(raw.ask("DEBUG POPULATE 4000"), ok());
    assert_eq!(raw.ask("DEBUG SET-ACTIVE-EXPIRE 0"), ok());
    for number in 0..50 {
        raw.ask(&format!("SET brief:{number} 1 PX 1"));
    }
    assert_eq!(raw.ask("SAVE"), ok());
    server.kill();
    server.start_again();
    eventually("the port is open", || {
        Raw::try_connect(server.port()).is_ok()
    });
    let mut raw = server.raw();
    assert_eq!(
        raw.ask("GET key:1"),
        error("LOADING Redis is loading the dataset in memory")
    );
    assert!(raw.ask("INFO persistence").text().contains("loading:1"));
    eventually("loading ends", || {
        raw.ask("PING") == Reply::Simple("PONG".into())
    });
    assert_eq!(raw.ask("DBSIZE"), integer(4000));
    let info = raw.ask("INFO persistence").text();
    assert!(info.contains("rdb_last_load_keys_loaded:4000"), "{info}");
    assert!(info.contains("rdb_last_load_keys_expired:50"), "{info}");
}

// ---- The tool

fn check_rdb(file: &Path) -> (Option<i32>, String) {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_oxidis"));
    let output = run(
        tool.arg("check-rdb").arg(file),
        b"",
        Duration::from_secs(30),
    );
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn files_are_checked_without_a_server() {
    let server = Server::start(&DEBUG);
    let mut raw = server.raw();
    fill_all(&mut raw);
    assert_eq!(raw.ask("SAVE"), ok());
    let path = server.dir().join("dump.rdb");
    let (status, text) = check_rdb(&path);
    assert_eq!(status, Some(0), "{text}");
    for part in [
        "[offset 0] Checking RDB file ",
        "AUX FIELD redis-ver = '",
        "Selecting DB ID 9",
        "] Checksum OK",
        "\\o/ RDB looks OK! \\o/",
        " keys read",
        "[info] 300 expires",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    if installed("redis-check-rdb") {
        let output = run(
            Command::new("redis-check-rdb").arg(&path),
            b"",
            Duration::from_secs(30),
        );
        assert!(output.status.success(), "{}", output.stdout.escape_ascii());
    }
    let good = fs::read(&path).expect("the file");
    fs::write(&path, &good[..good.len() - 3_000]).expect("the file takes it");
    let (status, text) = check_rdb(&path);
    assert_eq!(status, Some(1), "{text}");
    for part in [
        "--- RDB ERROR DETECTED ---",
        "] Unexpected EOF reading RDB file",
        "[additional info] While doing: read-",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (status, _) = check_rdb(&server.dir().join("missing.rdb"));
    assert_eq!(status, Some(1));
    // Under the name that Redis has for it.
    let link = server.dir().join("redis-check-rdb");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_oxidis"), &link).expect("a link");
    fs::write(&path, &good).expect("the file takes it");
    let output = run(Command::new(&link).arg(&path), b"", Duration::from_secs(30));
    assert!(output.status.success(), "{}", output.stdout.escape_ascii());
}
