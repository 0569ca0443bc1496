//! Line ends in what errors and statuses quote: none may begin another reply (CVE-2025-67733 and the like).

use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use socket2::SockRef;

use super::check_health;
use crate::common::{Server, bulk};

/// What would be taken for three more replies.
const EVIL: &[u8] = b"x\r\n+OK\r\n:1\r\n$4\r\nevil\r\n";

#[test]
fn line_ends_in_names_and_arguments_stay_inside() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    raw.ask("SET key value");
    let commands: &[&[&[u8]]] = &[
        &[EVIL],
        &[EVIL, EVIL, EVIL],
        &[b"GET\r\n", b"key"],
        &[b"CLIENT", EVIL],
        &[b"CONFIG", b"SET", EVIL, b"1"],
        &[b"CONFIG", b"SET", b"maxclients", EVIL],
        &[b"CONFIG", b"SET", b"loglevel", EVIL],
        &[b"CONFIG", b"GET", EVIL],
        &[b"OBJECT", EVIL, b"key"],
        &[b"DEBUG", EVIL],
        &[b"COMMAND", b"INFO", EVIL],
        &[b"COMMAND", b"GETKEYS", EVIL],
        &[b"XGROUP", EVIL],
        &[b"XGROUP", b"CREATE", b"missing", EVIL, b"0"],
        &[
            b"XREADGROUP",
            b"GROUP",
            EVIL,
            b"c",
            b"STREAMS",
            b"missing",
            b">",
        ],
        &[b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", EVIL, b">"],
        &[b"XINFO", EVIL],
        &[b"XACK", EVIL, EVIL, b"0-x"],
        &[b"HELLO", b"3", b"SETNAME", EVIL],
        &[b"HELLO", EVIL],
        &[b"CLIENT", b"SETNAME", EVIL],
        &[b"CLIENT", b"SETINFO", b"LIB-NAME", EVIL],
        &[b"CLIENT", b"KILL", EVIL],
        &[b"AUTH", EVIL, EVIL],
        &[b"FCALL", EVIL, b"0"],
        &[b"FUNCTION", b"LOAD", EVIL],
        &[b"FUNCTION", b"LOAD", b"#!lua name=a\r\n+OK\r\nx"],
        &[b"FUNCTION", b"LOAD", b"#!lua\r name=a\nerror('a\\r\\n+OK')"],
        &[b"FUNCTION", b"DELETE", EVIL],
        &[b"SCRIPT", EVIL],
        &[b"EVALSHA", EVIL, b"0"],
        &[b"EVAL", EVIL, b"0"],
        &[b"EVAL", b"#!lua flags=a\r\n+OK\r\nreturn 1", b"0"],
        &[b"SET", b"key", b"value", EVIL],
        &[b"LATENCY", EVIL],
        &[b"MEMORY", EVIL],
        &[b"SLOWLOG", EVIL],
        &[b"SLOWLOG", b"GET", EVIL],
        &[b"RESTORE", b"new", b"0", EVIL],
        &[b"MIGRATE", EVIL, b"1", b"key", b"0", b"1"],
        &[b"SORT", b"key", EVIL],
        &[b"GEOADD", b"geo", EVIL, EVIL, b"m"],
        &[b"BITFIELD", b"key", EVIL],
        &[b"SENTINEL", EVIL],
        &[b"ACL", EVIL],
        &[b"SHUTDOWN", EVIL],
    ];
    for command in commands {
        let reply = format!("{:?}", raw.command(command));
        assert!(!reply.contains('\n') && !reply.contains('\r'), "{reply}");
        assert_eq!(
            raw.ask("ECHO here"),
            bulk("here"),
            "after {command:?}: {reply}"
        );
    }
    check_health(&server, &mut raw);
}

#[test]
fn line_ends_in_what_scripts_answer_stay_inside() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for protocol in ["HELLO 2", "HELLO 3"] {
        raw.ask(protocol);
        for script in [
            "return redis.error_reply(ARGV[1])",
            "return redis.error_reply('CODE ' .. ARGV[1])",
            "return redis.status_reply(ARGV[1])",
            "return {err = ARGV[1]}",
            "return {ok = ARGV[1]}",
            "return {err = 'E\\r' .. ARGV[1], ignore_error_stats_update = true}",
            "return {{ok = ARGV[1]}, {err = ARGV[1]}}",
            "redis.setresp(3) return {big_number = ARGV[1]}",
            "redis.setresp(3) return {verbatim_string = {format = ARGV[1], string = ARGV[1]}}",
            "redis.setresp(3) return {map = {[ARGV[1]] = {ok = ARGV[1]}}}",
            "redis.setresp(3) return {set = {[ARGV[1]] = true}}",
            "error(ARGV[1])",
            "error({err = ARGV[1]})",
            "error({err = 'X' .. ARGV[1], source = ARGV[1], line = 1})",
            "return redis.call(ARGV[1])",
            "return redis.pcall('XGROUP', ARGV[1])",
            "return redis.call('CONFIG', 'GET', ARGV[1])",
            "return cjson.decode(ARGV[1])",
            "local t = {} t[ARGV[1]]() return 1",
            "return redis.sha1hex(ARGV[1], ARGV[1])",
            "redis.log(redis.LOG_WARNING, ARGV[1]) return 1",
            "return loadstring(ARGV[1])()",
            "local x = setmetatable({}, {__tostring = function() return ARGV[1] end}) error(x)",
        ] {
            let reply = raw.command(&[b"EVAL", script.as_bytes(), b"0", EVIL]);
            assert_eq!(
                raw.ask("ECHO here"),
                bulk("here"),
                "after {script}: {reply:?}"
            );
        }
    }
    check_health(&server, &mut raw);
}

/// A client resets its connection while its commands run, so their replies cannot be sent: they must not wait for whoever
/// comes next on that worker.
#[test]
fn replies_to_one_who_has_gone_go_to_nobody() {
    let server = Server::start(&["--io-threads", "1", "--enable-debug-command", "yes"]);
    let mut other = server.raw();
    for _ in 0..10 {
        let mut leaver = TcpStream::connect(("127.0.0.1", server.port())).expect("it listens");
        leaver
            .write_all(b"DEBUG SLEEP 0.1\r\nECHO secret\r\n")
            .expect("it reads");
        sleep(Duration::from_millis(40));
        let reset = SockRef::from(&leaver).set_linger(Some(Duration::ZERO));
        reset.expect("an open connection");
        drop(leaver);
        assert_eq!(other.ask("ECHO mine"), bulk("mine"));
        assert_eq!(other.ask("ECHO still"), bulk("still"));
    }
    check_health(&server, &mut other);
}
