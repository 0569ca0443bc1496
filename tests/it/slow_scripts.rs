//! Scripts that take long: whoever else is there is told BUSY and can end them.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::common::{Raw, Server, bulk, check, error, eventually, integer, ok, simple};

const BUSY: &str =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
const BUSY_FUNCTION: &str =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
const KILLED: &str = "Script killed by user with SCRIPT KILL";

fn server(workers: &str) -> Server {
    Server::start(&["--busy-reply-threshold", "20", "--io-threads", workers])
}

/// Starts a script that does not end by itself, and waits until others are told.
fn start(server: &Server, script: &str) -> Raw {
    let (mut slow, mut other) = (server.raw(), server.raw());
    slow.tell(&format!("EVAL \"{script}\" 0"));
    eventually("others are told", || {
        other.ask("PING").text().starts_with("BUSY")
    });
    slow
}

#[test]
fn others_are_told_and_can_end_it() {
    for workers in ["1", "3"] {
        let server = server(workers);
        let mut early: Vec<Raw> = (0..6).map(|_| server.raw()).collect();
        let mut slow = start(&server, "while true do end");
        for raw in &mut early {
            check(
                raw,
                &[
                    ("GET key", error(BUSY)),
                    ("EVAL \"return 1\" 0", error(BUSY)),
                    ("NOSUCH", raw_unknown()),
                ],
            );
        }
        let mut late = server.raw();
        check(
            &mut late,
            &[
                ("FUNCTION KILL", error(BUSY)),
                ("SHUTDOWN", error(BUSY)),
                ("MULTI", ok()),
                ("SET key value", error(BUSY)),
                ("DISCARD", ok()),
                ("SCRIPT KILL", ok()),
            ],
        );
        assert!(slow.read().text().contains(KILLED));
        check(
            &mut slow,
            &[("PING", simple("PONG")), ("SET key value", ok())],
        );
        check(&mut late, &[("GET key", bulk("value"))]);
    }
}

fn raw_unknown() -> crate::common::Reply {
    error("ERR unknown command 'NOSUCH', with args beginning with: ")
}

#[test]
fn no_pcall_saves_it() {
    let server = server("1");
    for script in [
        "local f = function() while true do end end while true do pcall(f) end",
        "while true do redis.pcall('GET', 'a') end",
        "local f = function() while true do end end while true do coroutine.resume(coroutine.create(f)) end",
    ] {
        let mut slow = start(&server, script);
        assert_eq!(server.raw().ask("SCRIPT KILL"), ok());
        assert!(slow.read().text().contains(KILLED), "{script}");
    }
}

#[test]
fn what_has_written_comes_to_its_end() {
    let server = server("2");
    let script = "redis.call('SET', 'a', 1) local n = 0 while redis.call('TIME')[1] do n = n + 1 if n > 3e5 then break end end return n";
    let mut slow = start(&server, script);
    let mut other = server.raw();
    assert!(other.ask("SCRIPT KILL").text().starts_with("UNKILLABLE "));
    slow.set_timeout(Duration::from_secs(60));
    assert_eq!(slow.read(), integer(300_001));
    assert_eq!(other.ask("GET a"), bulk("1"));
}

#[test]
fn functions_are_ended_by_their_own_command() {
    let server = server("2");
    let code = "#!lua name=l\nredis.register_function('forever', function() while true do end end)";
    let (mut slow, mut other) = (server.raw(), server.raw());
    slow.command(&[b"FUNCTION", b"LOAD", code.as_bytes()]);
    slow.tell("FCALL forever 0");
    eventually("others are told", || {
        other.ask("PING") == error(BUSY_FUNCTION)
    });
    assert_eq!(other.ask("SCRIPT KILL"), error(BUSY_FUNCTION));
    assert!(format!("{:?}", other.ask("FUNCTION STATS")).contains("running_script"));
    assert_eq!(other.ask("FUNCTION KILL"), ok());
    assert!(slow.read().text().contains(KILLED));
}

#[test]
fn the_rest_of_a_pipeline_follows() {
    let server = server("1");
    let (mut slow, mut other) = (server.raw(), server.raw());
    slow.send("SET a 1\r\nEVAL \"while true do end\" 0\r\nINCR a\r\nEVAL \"return 5\" 0\r\nMULTI\r\nEVAL \"while true do end\" 0\r\nEXEC\r\nINCR a\r\n");
    eventually("others are told", || other.ask("PING") == error(BUSY));
    assert_eq!(other.ask("SCRIPT KILL"), ok());
    eventually("others are told again", || other.ask("PING") == error(BUSY));
    assert_eq!(other.ask("SCRIPT KILL"), ok());
    let replies = slow.read_many(8);
    assert_eq!(replies[0], ok());
    assert!(replies[1].text().contains(KILLED));
    assert_eq!(replies[2..4], [integer(2), integer(5)]);
    assert_eq!(replies[7], integer(3));
}

#[test]
fn clients_come_and_go_meanwhile() {
    let server = server("1");
    let mut watcher = server.raw();
    watcher.ask("WATCH a");
    let mut waiter = server.raw();
    waiter.tell("BLPOP list 0.05");
    let mut slow = start(&server, "while true do end");
    drop(watcher);
    for _ in 0..20 {
        assert_eq!(server.raw().ask("PING"), error(BUSY));
    }
    assert_eq!(server.raw().ask("SCRIPT KILL"), ok());
    assert!(slow.read().text().contains(KILLED));
    assert!(waiter.read().is_null());
    assert_eq!(slow.ask("PING"), simple("PONG"));
}

#[test]
fn the_server_can_be_ended() {
    let mut server = server("2");
    let _slow = start(&server, "redis.call('SET', 'a', 1) while true do end");
    let mut other = server.raw();
    assert_eq!(other.ask("SHUTDOWN"), error(BUSY));
    other.tell("SHUTDOWN NOSAVE");
    assert!(server.wait().success());
}

#[test]
fn a_copy_of_the_data_that_waits_for_the_script_is_no_obstacle_to_the_end() {
    let delay = [
        "--busy-reply-threshold",
        "20",
        "--rdb-key-save-delay",
        "10000",
    ];
    let mut server = Server::start(&delay);
    let mut other = server.raw();
    for n in 0..50 {
        other.ask(&format!("SET {n} value"));
    }
    assert_eq!(other.ask("BGSAVE"), simple("Background saving started"));
    let _slow = start(&server, "redis.call('SET', 'a', 1) while true do end");
    other.tell("SHUTDOWN NOSAVE");
    assert!(server.wait().success());
}

#[test]
fn a_reload_that_waits_for_the_script_keeps_nobody_from_ending_it() {
    let server = Server::start(&[
        "--busy-reply-threshold",
        "20",
        "--appendonly",
        "yes",
        "--enable-debug-command",
        "yes",
    ]);
    for reload in ["DEBUG RELOAD", "DEBUG LOADAOF"].repeat(20) {
        let (mut first, mut slow, mut other) = (server.raw(), server.raw(), server.raw());
        for raw in [&mut first, &mut slow, &mut other] {
            assert_eq!(raw.ask("PING"), simple("PONG"));
        }
        first.tell(reload);
        slow.tell("EVAL \"while true do end\" 0");
        let is_over = AtomicBool::new(false);
        let ended = thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    other.ask("SCRIPT KILL");
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let ended = slow.try_read();
            is_over.store(true, SeqCst);
            ended
        });
        // The reload may have been first, or told that a script is in the way.
        let text = ended.expect("the script is ended").text();
        assert!(
            text.contains(KILLED) || text.starts_with("LOADING"),
            "{text}"
        );
        let text = first.read().text();
        assert!(text == "OK" || text == BUSY, "{text}");
    }
}

#[test]
fn a_script_in_the_log_does_not_keep_clients_waiting() {
    let server = Server::start(&[
        "--busy-reply-threshold",
        "1",
        "--appendonly",
        "yes",
        "--enable-debug-command",
        "yes",
    ]);
    let log = server.dir().join("appendonlydir/appendonly.aof.1.incr.aof");
    let script = "redis.call('set', 'done', 1) local n = 0 for i = 1, 5e7 do n = n + i end";
    let words = ["EVAL", script, "0"].map(|word| format!("${}\r\n{word}\r\n", word.len()));
    std::fs::write(log, format!("*3\r\n{}", words.concat())).expect("written");
    let (mut loader, mut other) = (server.raw(), server.raw());
    loader.tell("DEBUG LOADAOF");
    eventually("others are told", || {
        other.ask("PING").text().starts_with("LOADING")
    });
    // More than once: each is told at once, not when it is over.
    for line in ["PING", "GET done", "SET done 2", "PING"] {
        let text = other.ask(line).text();
        assert!(text.starts_with("LOADING"), "{line}: {text}");
    }
    assert_eq!(loader.read(), ok());
    check(&mut other, &[("GET done", bulk("1"))]);
}
