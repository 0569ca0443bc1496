//! The append-only file: what was acknowledged is there after any end of the process, and Redis reads what we write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Raw, Reply, Server, bulk, check, eventually, frame, integer, ok};

const FOLDER: &str = "appendonlydir";

fn folder(server: &Server) -> PathBuf {
    server.dir().join(FOLDER)
}

fn last_increment(server: &Server) -> PathBuf {
    let names = fs::read_dir(folder(server)).expect("the folder");
    let mut paths: Vec<PathBuf> = names
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".incr.aof"))
        .collect();
    paths.sort();
    paths.pop().expect("an increment")
}

fn append(path: &Path, bytes: &[u8]) {
    let mut content = fs::read(path).expect("the file");
    content.extend_from_slice(bytes);
    fs::write(path, content).expect("the file takes it");
}

fn line(text: &str) -> Vec<u8> {
    frame(&text.split(' ').map(str::as_bytes).collect::<Vec<_>>())
}

/// Some of every kind of change that there is.
fn fill(raw: &mut Raw) {
    for command in [
        "SET text hello",
        "SET number 41",
        "INCR number",
        "MSET a 1 b 2 c 3",
        "SET lasting x EX 100000",
        "APPEND text \" world\\x00\"",
        "SETRANGE text 3 LO",
        "SELECT 3",
        "SET other 1",
        "SET gone 1",
        "DEL gone",
        "SELECT 0",
        "MULTI",
        "SET both 1",
        "INCR both",
        "EXEC",
        "SELECT 5",
        "SET brief 1 PX 1",
        "SELECT 0",
    ] {
        let reply = raw.ask(command);
        assert!(!matches!(reply, Reply::Error(_)), "{command}: {reply:?}");
    }
    let long = vec![b'x'; 40_000];
    assert_eq!(raw.command(&[b"SET", b"long", &long]), ok());
}

fn contents(raw: &mut Raw) -> Vec<Reply> {
    let mut all = Vec::new();
    for database in [0, 3, 5] {
        raw.ask(&format!("SELECT {database}"));
        all.push(raw.ask("MGET text number a b c lasting both long other gone brief"));
        let ttl = raw.ask("PEXPIRETIME lasting");
        if !matches!(ttl, Reply::Error(_)) {
            all.push(ttl);
        }
        all.push(raw.ask("DBSIZE"));
    }
    raw.ask("SELECT 0");
    all
}

fn info(raw: &mut Raw, name: &str) -> String {
    let Reply::Bulk(text) = raw.ask("INFO persistence") else {
        panic!("INFO gives a bulk string");
    };
    let text = String::from_utf8(text).expect("INFO is text");
    let field = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}:")));
    field
        .unwrap_or_else(|| panic!("{name} is missing in {text}"))
        .to_owned()
}

#[test]
fn a_restart_keeps_the_data_under_every_policy() {
    for policy in ["always", "everysec", "no"] {
        let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", policy]);
        let mut raw = server.raw();
        fill(&mut raw);
        eventually("the brief key has expired", || {
            raw.ask("SELECT 5");
            raw.ask("DBSIZE") == integer(0)
        });
        let before = contents(&mut raw);
        server.restart();
        assert_eq!(contents(&mut server.raw()), before, "{policy}");
        // What is written in the second life is kept as well.
        assert_eq!(server.raw().ask("SET second 1"), ok());
        server.restart();
        assert_eq!(server.raw().ask("GET second"), bulk("1"), "{policy}");
    }
}

#[test]
fn the_first_start_leaves_what_redis_leaves() {
    let args = ["--appendonly", "yes", "--aof-use-rdb-preamble", "no"];
    let ours = Server::start(&args);
    let Some(redis) = Server::redis(&args) else {
        return;
    };
    let files = |server: &Server| {
        let names = fs::read_dir(folder(server)).expect("the folder");
        let mut files: Vec<(String, Vec<u8>)> = names
            .map(|entry| entry.expect("an entry"))
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                (name, fs::read(entry.path()).expect("a file"))
            })
            .collect();
        files.sort();
        files
    };
    assert_eq!(files(&ours), files(&redis));
}

fn move_folder(from: &Server, to: &Server) {
    let (source, target) = (folder(from), folder(to));
    if target.exists() {
        fs::remove_dir_all(&target).expect("the folder goes");
    }
    fs::create_dir(&target).expect("a folder");
    for entry in fs::read_dir(source).expect("the folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), target.join(entry.file_name())).expect("a copy");
    }
}

#[test]
fn redis_and_we_load_each_other_s_files() {
    for (preamble, format) in [("yes", "rdb"), ("no", "aof")] {
        exchange_files(preamble, format);
    }
}

fn exchange_files(preamble: &str, format: &str) {
    let args = ["--appendonly", "yes", "--aof-use-rdb-preamble", preamble];
    let Some(mut redis) = Server::redis(&args) else {
        return;
    };
    let mut ours = Server::start(&args);
    fill(&mut ours.raw());
    // With a base and an increment.
    assert_eq!(ours.raw().ask("CONFIG SET appendonly no"), ok());
    // Switched on again before that, the old files would simply go on.
    eventually("it is off", || ours.log().contains("is switched off"));
    assert_eq!(ours.raw().ask("CONFIG SET appendonly yes"), ok());
    let base = folder(&ours).join(format!("appendonly.aof.2.base.{format}"));
    eventually("the base is there", || base.exists());
    assert_eq!(ours.raw().ask("SET late 1"), ok());
    thread::sleep(Duration::from_millis(50));
    let before = contents(&mut ours.raw());
    ours.stop();
    redis.stop();
    move_folder(&ours, &redis);
    redis.restart();
    assert_eq!(contents(&mut redis.raw()), before);
    assert_eq!(redis.raw().ask("GET late"), bulk("1"));

    fill(&mut redis.raw());
    redis.raw().ask("BGREWRITEAOF");
    eventually("Redis has rewritten", || {
        info(&mut redis.raw(), "aof_rewrite_in_progress") == "0"
    });
    redis.raw().ask("SET late 2");
    thread::sleep(Duration::from_millis(50));
    let before = contents(&mut redis.raw());
    redis.stop();
    move_folder(&redis, &ours);
    ours.restart();
    assert_eq!(contents(&mut ours.raw()), before);
    assert_eq!(ours.raw().ask("GET late"), bulk("2"));
}

#[test]
fn a_torn_end_is_cut_off_and_told() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    server.raw().ask("SET a 1");
    server.stop();
    let path = last_increment(&server);
    let whole = fs::read(&path).expect("the file").len();
    append(&path, b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n");
    server.restart();
    check(
        &mut server.raw(),
        &[("MGET a b", Reply::Array(vec![bulk("1"), Reply::NullBulk]))],
    );
    let told = format!("truncating it at offset {whole}, its last 24 bytes are incomplete");
    assert!(server.log().contains(&told), "{told}");
    assert_eq!(server.raw().ask("SET c 3"), ok());
    server.restart();
    check(
        &mut server.raw(),
        &[("MGET a c", Reply::Array(vec![bulk("1"), bulk("3")]))],
    );
}

#[track_caller]
fn must_not_start(server: &mut Server, reason: &str) {
    server.start_again();
    let status = server.wait();
    assert_eq!(status.code(), Some(1));
    let log = server.log();
    assert!(log.contains(reason), "{reason} is not in the log");
}

#[test]
fn a_torn_end_stops_the_start_where_it_is_not_allowed() {
    let mut server = Server::start(&["--appendonly", "yes", "--aof-load-truncated", "no"]);
    server.raw().ask("SET a 1");
    server.stop();
    let path = last_increment(&server);
    let content = fs::read(&path).expect("the file");
    fs::write(&path, &content[..content.len() - 3]).expect("the file takes it");
    must_not_start(
        &mut server,
        "Unexpected end of file reading the append only file appendonly.aof.1.incr.aof: its last 24 bytes, from offset 23 on",
    );
    fs::write(
        &path,
        [&content[..], &line("MULTI"), &line("SET b 1")].concat(),
    )
    .expect("the file takes it");
    must_not_start(
        &mut server,
        "Unexpected end of file reading the append only file",
    );
}

#[test]
fn a_half_written_transaction_is_dropped() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    server.raw().ask("SET a 1");
    server.stop();
    let path = last_increment(&server);
    let whole = fs::read(&path).expect("the file");
    append(
        &path,
        &[line("MULTI"), line("SET a 2"), line("SET b 2")].concat(),
    );
    server.restart();
    check(
        &mut server.raw(),
        &[("MGET a b", Reply::Array(vec![bulk("1"), Reply::NullBulk]))],
    );
    assert_eq!(fs::read(&path).expect("the file"), whole);
}

#[test]
fn a_corrupt_file_stops_the_start_with_file_and_offset() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    server.raw().ask("SET a 1");
    server.stop();
    let path = last_increment(&server);
    let good = fs::read(&path).expect("the file");
    for (bad, reason) in [
        (
            b"!!!".to_vec(),
            format!(
                "Bad file format reading the append only file appendonly.aof.1.incr.aof at offset {}",
                good.len()
            ),
        ),
        (
            line("NOSUCHCOMMAND x"),
            format!(
                "Unknown command 'NOSUCHCOMMAND' reading the append only file appendonly.aof.1.incr.aof at offset {}",
                good.len()
            ),
        ),
        (
            line("SELECT 99"),
            format!(
                "at offset {}: there is no database 99",
                good.len() + line("SELECT 99").len()
            ),
        ),
    ] {
        fs::write(&path, [&good[..], &bad, &line("SET b 2")].concat()).expect("the file takes it");
        must_not_start(&mut server, &reason);
    }
    // A file that is not the last one must be whole.
    let folder = folder(&server);
    fs::write(&path, &good[..good.len() - 1]).expect("the file takes it");
    append(
        &folder.join("appendonly.aof.manifest"),
        b"file appendonly.aof.2.incr.aof seq 2 type i\n",
    );
    fs::write(folder.join("appendonly.aof.2.incr.aof"), line("SET b 2")).expect("a file");
    must_not_start(
        &mut server,
        "Fatal error: the truncated file is not the last file",
    );
    fs::remove_file(folder.join("appendonly.aof.2.incr.aof")).expect("the file goes");
    must_not_start(
        &mut server,
        "can't open the append log file appendonly.aof.2.incr.aof for reading: No such file or directory",
    );
}

#[test]
fn a_bad_manifest_or_base_stops_the_start() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    server.stop();
    let manifest = folder(&server).join("appendonly.aof.manifest");
    for (text, reason) in [
        ("", "Found an empty AOF manifest"),
        (
            "file a seq 1 type x\n",
            "Unknown AOF file type (line 1: 'file a seq 1 type x')",
        ),
        (
            "file a seq 1 type i",
            "The AOF manifest file contains too long line",
        ),
    ] {
        fs::write(&manifest, text).expect("the file takes it");
        must_not_start(&mut server, reason);
    }
    fs::write(&manifest, "file a.rdb seq 1 type b\n").expect("the file takes it");
    fs::write(folder(&server).join("a.rdb"), b"REDIS0011\xfe\x00").expect("a file");
    must_not_start(
        &mut server,
        "Error reading the RDB preamble of the AOF file a.rdb at offset 11, AOF loading aborted",
    );
}

#[test]
fn a_single_file_of_an_older_version_is_adopted() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    server.stop();
    fs::remove_dir_all(folder(&server)).expect("the folder goes");
    let old = server.dir().join("appendonly.aof");
    fs::write(&old, [line("SELECT 0"), line("SET a 1")].concat()).expect("a file");
    server.restart();
    assert_eq!(server.raw().ask("GET a"), bulk("1"));
    assert!(!old.exists());
    let manifest = fs::read_to_string(folder(&server).join("appendonly.aof.manifest"));
    assert_eq!(
        manifest.expect("the manifest"),
        "file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    );
    server.raw().ask("SET b 2");
    server.restart();
    check(
        &mut server.raw(),
        &[("MGET a b", Reply::Array(vec![bulk("1"), bulk("2")]))],
    );
}

#[test]
fn clients_are_told_that_data_is_being_loaded() {
    const COMMANDS: usize = 300_000;
    let mut server = Server::start(&["--appendonly", "yes"]);
    server.stop();
    append(
        &last_increment(&server),
        &line("INCR counter").repeat(COMMANDS),
    );
    server.start_again();
    let (mut told, deadline) = (0, Instant::now() + Duration::from_secs(60));
    loop {
        assert!(Instant::now() < deadline, "loading takes too long");
        let reply = Raw::try_connect(server.port()).map(|mut raw| raw.ask("GET counter"));
        match reply {
            Ok(Reply::Error(text)) => {
                assert_eq!(text, "LOADING Redis is loading the dataset in memory");
                told += 1;
            }
            Ok(reply) => {
                assert_eq!(reply, bulk(COMMANDS.to_string()));
                break;
            }
            Err(_) => {}
        }
        thread::sleep(Duration::from_millis(2));
    }
    assert!(told > 0, "nobody was told");
    assert_eq!(info(&mut server.raw(), "loading"), "0");
}

#[test]
fn a_full_disk_refuses_writes_and_heals() {
    let prlimit = |pid: u32, limit: &str| {
        let done = Command::new("prlimit")
            .args(["--pid", &pid.to_string(), &format!("--fsize={limit}:")])
            .status();
        done.is_ok_and(|status| status.success())
    };
    for policy in ["always", "everysec"] {
        let mut server = Server::start(&[
            "--appendonly",
            "yes",
            "--appendfsync",
            policy,
            "--logfile",
            "/dev/null",
        ]);
        if !prlimit(server.pid(), "20000") {
            return;
        }
        let mut raw = server.raw();
        let text = vec![b'x'; 5000];
        for key in [b"0", b"1", b"2"] {
            assert_eq!(raw.command(&[b"SET", key, &text]), ok());
        }
        // Under `always` the reply to the one that does not fit has to wait until it does.
        raw.send(frame(&[b"SET", b"3", &text]));
        let refusal = Reply::Error("MISCONF Errors writing to the AOF file: File too large".into());
        let mut other = server.raw();
        eventually("trouble is noticed", || {
            info(&mut other, "aof_last_write_status") == "err"
        });
        assert_eq!(other.ask("SET later 1"), refusal);
        assert_eq!(other.ask("STRLEN 0"), integer(5000));
        assert!(fs::read(last_increment(&server)).expect("the file").len() < 20_000);
        assert!(prlimit(server.pid(), "unlimited"));
        eventually("writes are accepted again", || {
            other.ask("SET later 1") == ok()
        });
        assert_eq!(raw.read(), ok(), "a held reply comes");
        assert_eq!(info(&mut other, "aof_last_write_status"), "ok");
        server.restart();
        check(
            &mut server.raw(),
            &[("STRLEN 3", integer(5000)), ("GET later", bulk("1"))],
        );
    }
}

#[test]
fn data_is_read_anew_from_the_file() {
    let server = Server::start(&["--appendonly", "yes", "--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    fill(&mut raw);
    eventually("the brief key has expired", || {
        raw.ask("SELECT 5");
        raw.ask("DBSIZE") == integer(0)
    });
    let before = contents(&mut raw);
    assert_eq!(raw.ask("DEBUG LOADAOF"), ok());
    assert_eq!(contents(&mut raw), before);
    assert_eq!(raw.ask("SET after 1"), ok());
    assert_eq!(raw.ask("DEBUG LOADAOF"), ok());
    assert_eq!(raw.ask("GET after"), bulk("1"));
}

#[test]
fn waiting_for_the_disk() {
    let server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    assert_eq!(raw.ask("SET a 1"), ok());
    let started = Instant::now();
    assert_eq!(
        raw.ask("WAITAOF 1 0 5000"),
        Reply::Array(vec![integer(1), integer(0)])
    );
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[test]
fn old_parts_stay_for_as_long_as_they_are_wanted() {
    let server = Server::start(&["--appendonly", "yes", "--aof-disable-auto-gc", "yes"]);
    let mut raw = server.raw();
    let names = || {
        let mut names: Vec<_> = (fs::read_dir(folder(&server)).expect("the folder"))
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    };
    let manifest = || {
        let text = fs::read_to_string(folder(&server).join("appendonly.aof.manifest"));
        text.expect("the manifest")
    };
    for number in 1..=2 {
        assert!(matches!(raw.ask("BGREWRITEAOF"), Reply::Simple(_)));
        eventually("it is rewritten", || {
            let is_begun = info(&mut raw, "aof_rewrites") == number.to_string();
            is_begun && info(&mut raw, "aof_rewrite_in_progress") == "0"
        });
    }
    let line = |kind: char, number: u32, name: &str| {
        format!("file appendonly.aof.{number}.{name} seq {number} type {kind}\n")
    };
    let kept = [
        line('b', 3, "base.rdb"),
        line('h', 2, "incr.aof"),
        line('h', 2, "base.rdb"),
        line('h', 1, "incr.aof"),
        line('h', 1, "base.rdb"),
        line('i', 3, "incr.aof"),
    ];
    assert_eq!(manifest(), kept.concat());
    assert_eq!(names().len(), 7);
    assert_eq!(raw.ask("CONFIG SET aof-disable-auto-gc no"), ok());
    assert_eq!(manifest(), [&kept[0][..], &kept[5]].concat());
    eventually("old parts are gone", || names().len() == 3);
}

#[test]
fn increments_are_numbered_on_after_a_rewrite_while_the_log_was_off() {
    let server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    let rewrites = |raw: &mut Raw, count: u32| {
        eventually("it is rewritten", || {
            let is_begun = info(raw, "aof_rewrites") == count.to_string();
            is_begun && info(raw, "aof_rewrite_in_progress") == "0"
        });
    };
    assert!(matches!(raw.ask("BGREWRITEAOF"), Reply::Simple(_)));
    rewrites(&mut raw, 1);
    assert_eq!(raw.ask("CONFIG SET appendonly no"), ok());
    eventually("it is off", || server.log().contains("is switched off"));
    assert!(matches!(raw.ask("BGREWRITEAOF"), Reply::Simple(_)));
    rewrites(&mut raw, 2);
    let last = || last_increment(&server).file_name().map(ToOwned::to_owned);
    assert_eq!(raw.ask("CONFIG SET appendonly yes"), ok());
    rewrites(&mut raw, 3);
    assert_eq!(last(), Some("appendonly.aof.3.incr.aof".into()));
}
