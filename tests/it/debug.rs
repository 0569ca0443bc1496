//! DEBUG: who may use it, and what it tells and does.

use std::time::{Duration, Instant};

use crate::common::{Server, array, check, error, eventually, integer, ok, simple};
use crate::server_info::info;

#[test]
fn debug_is_for_those_who_may() {
    let refusal = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("DEBUG SLEEP 0", error(refusal)),
            (
                "DEBUG",
                error("ERR wrong number of arguments for 'debug' command"),
            ),
        ],
    );
    let refusal = refusal
        .replace("DEBUG", "MODULE")
        .replace("debug", "module");
    check(
        &mut server.raw(),
        &[
            ("MODULE LOAD x.so", error(&refusal)),
            ("MODULE UNLOAD x", error(&refusal)),
            ("MODULE LIST", array([])),
        ],
    );
    for permission in ["local", "yes"] {
        let server = Server::start(&[
            "--enable-debug-command",
            permission,
            "--enable-module-command",
            permission,
        ]);
        check(
            &mut server.raw(),
            &[
                ("DEBUG SLEEP 0", ok()),
                (
                    "MODULE UNLOAD x",
                    error("ERR Error unloading module: no such module with that name"),
                ),
            ],
        );
    }
}

#[test]
fn digests_are_those_of_redis() {
    const DEBUG: &[&str] = &["--enable-debug-command", "yes"];
    let Some(redis) = Server::redis(DEBUG) else {
        return;
    };
    let server = Server::start(DEBUG);
    let (mut theirs, mut ours) = (redis.raw(), server.raw());
    let long = format!("SET long {}", "y".repeat(50_000));
    for command in [
        "DEBUG DIGEST",
        "SET number 12345678901",
        "SET small -1",
        "SET text \"some text\"",
        "SET empty \"\"",
        &long,
        "SET volatile x EX 1000",
        "SELECT 9",
        "DEBUG POPULATE 100",
        "DEBUG POPULATE 10 prefix 7",
        "DEBUG POPULATE 10 other 100",
        "DEBUG DIGEST",
        "SELECT 0",
        "DEBUG DIGEST-VALUE number small text empty long volatile nothing",
        "DEBUG DIGEST",
        "DEBUG RELOAD",
        "DEBUG DIGEST",
        "DEBUG POPULATE -1",
        "DEBUG POPULATE x",
        "DEBUG RELOAD NOW",
        "DEBUG NONSENSE",
        "DEBUG SLEEP",
        "DEBUG ERROR \"SOME error\\r\\nof two lines\"",
        "DEBUG QUICKLIST-PACKED-THRESHOLD 100b",
        "DEBUG QUICKLIST-PACKED-THRESHOLD 5gb",
        "DEBUG REPLYBUFFER RESIZING 1",
        "DEBUG REPLYBUFFER PEAK-RESET-TIME x",
        "DEBUG REPLYBUFFER NONSENSE 1",
        "DEBUG HTSTATS 99",
        "DEBUG HTSTATS-KEY text",
        "DEBUG HTSTATS-KEY nothing",
        "DEBUG OBJECT nothing",
        "HSET hash field value",
        "DEBUG LISTPACK hash",
        "DEBUG LISTPACK text",
        "DEBUG LISTPACK nothing",
        "DEBUG LISTPACK",
        "DEBUG SDSLEN number",
        "DEBUG SDSLEN hash",
        "DEBUG SDSLEN nothing",
        "SHUTDOWN ABORT",
        "SHUTDOWN SAVE NOSAVE",
        "SHUTDOWN LATER",
        "ROLE",
    ] {
        assert_eq!(ours.ask(command), theirs.ask(command), "{command}");
    }
    for version in ["2", "3"] {
        for raw in [&mut ours, &mut theirs] {
            raw.ask(&format!("HELLO {version}"));
        }
        for kind in [
            "string", "integer", "double", "bignum", "null", "array", "set", "map", "verbatim",
            "true", "false", "attrib", "push", "nonsense",
        ] {
            let command = format!("DEBUG PROTOCOL {kind}");
            assert_eq!(ours.ask(&command), theirs.ask(&command), "{command}");
            if version == "3" && (kind == "attrib" || kind == "push") {
                assert_eq!(ours.read(), theirs.read(), "{command}");
            }
        }
    }
}

#[test]
fn debug_looks_at_values_and_changes_switches() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    raw.ask("SET k 1");
    let text = raw.ask("DEBUG OBJECT k").text();
    assert!(
        text.starts_with("Value at:0x")
            && text.contains(" refcount:1 encoding:int serializedlength:2 lru:"),
        "{text}"
    );
    raw.ask("SET word letters");
    let text = raw.ask("DEBUG SDSLEN word").text();
    assert!(
        text.starts_with("key_sds_len:4, key_sds_avail:0, key_zmalloc: ")
            && text.contains(", val_sds_len:7, val_sds_avail:0, val_zmalloc: "),
        "{text}"
    );
    raw.ask("DEL word");
    check(
        &mut raw,
        &[
            ("DEBUG SET-ACTIVE-EXPIRE 0", ok()),
            ("SET kept 1 PX 1", ok()),
            ("DEBUG SLEEP 0.3", ok()),
            ("DEBUG STRINGMATCH-LEN a*c abbc", integer(1)),
            ("DEBUG LOG \"a line for the log\"", ok()),
        ],
    );
    assert!(
        raw.ask("INFO keyspace").text().contains("keys=2,"),
        "an expired key stays while nobody looks"
    );
    check(&mut raw, &[("DEBUG SET-ACTIVE-EXPIRE 1", ok())]);
    eventually("the expired key is removed", || {
        raw.ask("INFO keyspace").text().contains("keys=1,")
    });
    assert!(server.log().contains("DEBUG LOG: a line for the log"));
    let id = info(&mut raw, "replication")["master_replid"].clone();
    check(&mut raw, &[("DEBUG CHANGE-REPL-ID", ok())]);
    assert_ne!(info(&mut raw, "replication")["master_replid"], id);
    for fatal in ["RESTART", "CRASH-AND-RECOVER"] {
        assert!(
            raw.ask(&format!("DEBUG {fatal}"))
                .text()
                .starts_with("ERR ")
        );
    }
    assert_eq!(raw.ask("PING"), simple("PONG"));
}

#[test]
fn sleep_stops_everybody() {
    let server = Server::start(&["--enable-debug-command", "yes", "--io-threads", "2"]);
    let (mut one, mut other) = (server.raw(), server.raw());
    // The ping may come before the sleep begins, or long after.
    eventually("a ping waits", || {
        one.tell("DEBUG SLEEP 0.5");
        let start = Instant::now();
        assert_eq!(other.ask("PING"), simple("PONG"));
        let took = start.elapsed();
        assert_eq!(one.read(), ok());
        took >= Duration::from_millis(300)
    });
}
