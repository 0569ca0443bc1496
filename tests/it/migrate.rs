//! MIGRATE: between two servers, and to ones that answer late, wrongly or not at all.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, integer, ok, simple,
};

const DEBUG: [&str; 2] = ["--enable-debug-command", "yes"];
const READING: &str = "IOERR error or timeout reading to target instance";

fn connect(server: &Server) -> Raw {
    Raw::connect(server.port())
}

#[test]
fn keys_move_with_their_values_and_times() {
    let (here, there) = (Server::start(&DEBUG), Server::start(&DEBUG));
    let (mut source, mut target) = (connect(&here), connect(&there));
    crate::dump::fill(&mut source);
    source.ask("PEXPIRE string:text 100000");
    let keys = source.ask("DBSIZE").number();
    let digest = source.ask("DEBUG DIGEST");
    assert!(!matches!(digest, Reply::Error(_)));
    let names: Vec<String> = (source.ask("KEYS *").items())
        .iter()
        .map(Reply::text)
        .collect();
    let (one, rest) = names.split_first().expect("keys");
    let to = there.port();
    assert_eq!(
        source.ask(&format!("MIGRATE 127.0.0.1 {to} {one} 0 5000")),
        ok()
    );
    let stats = source.ask("INFO stats").text();
    assert!(stats.contains("migrate_cached_sockets:1\r\n"), "{stats}");
    let mut words: Vec<String> = format!("MIGRATE 127.0.0.1 {to} _ 0 5000 KEYS none")
        .split(' ')
        .map(String::from)
        .collect();
    words[3].clear();
    words.extend(rest.iter().cloned());
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    assert_eq!(source.command(&words), ok());
    assert_eq!(source.ask("DBSIZE"), integer(0));
    assert_eq!(target.ask("DBSIZE"), integer(keys));
    assert_eq!(target.ask("DEBUG DIGEST"), digest);
    assert!((1..=100_000).contains(&target.ask("PTTL string:text").number()));
}

#[test]
fn options_say_what_happens_to_keys_that_are_there() {
    let here = Server::start(&[]);
    let there = Server::start(&["--requirepass", "secret"]);
    let (mut source, mut target) = (connect(&here), connect(&there));
    let to = there.port();
    let busy =
        error("ERR Target instance replied with error: BUSYKEY Target key name already exists.");
    check(&mut target, &[("AUTH secret", ok()), ("SET b old", ok())]);
    let ask = |raw: &mut Raw, rest: &str| raw.ask(&format!("MIGRATE 127.0.0.1 {to} {rest}"));
    check(&mut source, &[("SET a 1", ok()), ("SET b new", ok())]);
    let refused = error("ERR Target instance replied with error: NOAUTH Authentication required.");
    assert_eq!(ask(&mut source, "a 0 1000"), refused);
    let wrong = ask(&mut source, "a 0 1000 AUTH wrong").text();
    assert!(wrong.starts_with("ERR Target instance replied with error: WRONGPASS"));
    assert_eq!(ask(&mut source, "a 3 1000 COPY AUTH secret"), ok());
    assert_eq!(ask(&mut source, "b 0 1000 AUTH secret"), busy);
    assert_eq!(source.ask("MGET a b"), array([bulk("1"), bulk("new")]));
    let replace = "b 0 1000 REPLACE AUTH2 default secret";
    assert_eq!(ask(&mut source, replace), ok());
    assert_eq!(ask(&mut source, replace), simple("NOKEY"));
    check(
        &mut target,
        &[
            ("GET b", bulk("new")),
            ("SELECT 3", ok()),
            ("GET a", bulk("1")),
        ],
    );
    // Of several keys those move that may.
    check(&mut source, &[("SET b again", ok())]);
    let list = format!("MIGRATE 127.0.0.1 {to} _ 0 1000 AUTH secret KEYS a b");
    let mut words: Vec<&[u8]> = list.split(' ').map(str::as_bytes).collect();
    words[3] = b"";
    assert_eq!(source.command(&words), busy);
    assert_eq!(source.ask("EXISTS a b"), integer(1));
    assert_eq!(source.ask("GET b"), bulk("again"));
    assert!(!here.log().contains("secret"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let server = Server::start(&[]);
    let mut raw = connect(&server);
    let to = server.port();
    check(
        &mut raw,
        &[
            ("SET a 1", ok()),
            (
                "MIGRATE h 1 a 0 1 KEYS a",
                error(
                    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
                ),
            ),
            ("MIGRATE h 1 a 0 1 NOTHING", error("ERR syntax error")),
            ("MIGRATE h 1 a 0 1 AUTH", error("ERR syntax error")),
            (
                "MIGRATE h 1 a x 1",
                error("ERR value is not an integer or out of range"),
            ),
            ("MIGRATE h 1 b 0 1", simple("NOKEY")),
            (
                "MIGRATE 127.0.0.1 1 a 0 1000",
                error("IOERR error or timeout connecting to the client"),
            ),
            (
                "MIGRATE 127.0.0.1 port a 0 1000",
                error("IOERR error or timeout connecting to the client"),
            ),
            (
                &format!("MIGRATE 127.0.0.1 {to} a 0 1000 REPLACE"),
                error("ERR Source and target instances are the same"),
            ),
            (&format!("MIGRATE 127.0.0.1 {to} a 1 1000"), ok()),
            ("EXISTS a", integer(0)),
            ("SET a 1", ok()),
            ("MULTI", ok()),
            ("MIGRATE h 1 a 0 1", simple("QUEUED")),
            (
                "EXEC",
                array([error(
                    "ERR MIGRATE waits for another server, which a transaction or script cannot",
                )]),
            ),
            ("GET a", bulk("1")),
            ("COMMAND GETKEYS MIGRATE h 1 a 0 1", array([bulk("a")])),
        ],
    );
}

/// Another server that says OK to SELECT, and then what a test wants.
fn impostor() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

fn greet(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().expect("a connection");
    hear(&mut stream, "SELECT");
    stream.write_all(b"+OK\r\n").expect("written");
    stream
}

fn hear(stream: &mut TcpStream, word: &str) -> String {
    let (mut heard, mut buffer) = (String::new(), [0; 4096]);
    while !heard.contains(word) {
        let count = stream.read(&mut buffer).expect("bytes");
        assert!(count > 0, "the end after {heard}");
        heard += &String::from_utf8_lossy(&buffer[..count]);
    }
    heard
}

#[test]
fn nobody_waits_for_a_server_that_is_slow() {
    let server = Server::start(&["--io-threads", "1"]);
    let (listener, port) = impostor();
    let (mut raw, mut other) = (connect(&server), connect(&server));
    raw.ask("SET a 1");
    raw.tell(&format!("MIGRATE 127.0.0.1 {port} a 0 3000"));
    let _silent = listener.accept();
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(other.ask("GET a"), bulk("1"));
    }
    let id = other.ask("CLIENT LIST").text();
    let id = id.lines().find(|line| line.contains("cmd=migrate"));
    let id = id.and_then(|line| line.split(['=', ' ']).nth(1));
    let unblock = format!("CLIENT UNBLOCK {}", id.expect("a client that waits"));
    assert_eq!(other.ask(&unblock), integer(0));
    assert!(begun.elapsed() < Duration::from_millis(2900));
    assert_eq!(raw.read(), error(READING));
    assert_eq!(raw.ask("GET a"), bulk("1"));
    // A client that leaves leaves nothing behind.
    raw.tell(&format!("MIGRATE 127.0.0.1 {port} a 0 60000"));
    let mut stream = greet(&listener);
    hear(&mut stream, "RESTORE");
    drop(raw);
    eventually("it has gone", || {
        other.ask("CLIENT LIST").text().lines().count() == 1
    });
    stream.write_all(b"+OK\r\n").expect("written");
    assert_eq!(other.ask("GET a"), bulk("1"));
}

#[test]
fn connections_are_kept_for_those_who_logged_in_as_the_same() {
    let here = Server::start(&[]);
    let there = Server::start(&[]);
    let (mut source, mut target) = (connect(&here), connect(&there));
    let to = there.port();
    let clients = |target: &mut Raw| target.ask("CLIENT LIST").text().lines().count();
    target.ask("ACL SETUSER mover on >pass ~* +restore +select");
    for n in 0..5 {
        source.ask(&format!("SET k{n} 1"));
        let database = n % 2;
        let line = format!("MIGRATE 127.0.0.1 {to} k{n} {database} 1000");
        assert_eq!(source.ask(&line), ok());
        assert_eq!(clients(&mut target), 2);
    }
    check(
        &mut target,
        &[
            ("EXISTS k0 k2 k4", integer(3)),
            ("SELECT 1", ok()),
            ("EXISTS k1 k3", integer(2)),
        ],
    );
    source.ask("SET a 1");
    let other = format!("MIGRATE 127.0.0.1 {to} a 0 1000 AUTH2 mover pass");
    assert_eq!(source.ask(&other), ok());
    assert_eq!(clients(&mut target), 3);
    // One that has been closed meanwhile is noticed before anything is sent.
    target.ask("CLIENT KILL TYPE normal");
    source.ask("SET b 1");
    let again = format!("MIGRATE 127.0.0.1 {to} b 0 1000");
    assert_eq!(source.ask(&again), ok());
    // A closed user's connection is of no use.
    target.ask("ACL DELUSER mover");
    source.ask("SET a 1");
    let refused = source.ask(&other).text();
    assert!(refused.contains("WRONGPASS"), "{refused}");
}

#[test]
fn a_password_is_looked_at_each_time() {
    let (here, there) = (Server::start(&[]), Server::start(&[]));
    let (mut source, mut target) = (connect(&here), connect(&there));
    let to = there.port();
    source.ask("MSET a 1 b 1");
    let with = |key: &str, word: &str| format!("MIGRATE 127.0.0.1 {to} {key} 0 5000 AUTH {word}");
    target.ask("CONFIG SET requirepass old");
    assert_eq!(source.ask(&with("a", "old")), ok());
    check(
        &mut target,
        &[("AUTH old", ok()), ("CONFIG SET requirepass new", ok())],
    );
    let refused = source.ask(&with("b", "old")).text();
    assert!(refused.contains("WRONGPASS"), "{refused}");
    check(&mut source, &[("EXISTS b", integer(1))]);
    assert_eq!(source.ask(&with("b", "new")), ok());
    assert_eq!(target.ask("EXISTS a b"), integer(2));
}

#[test]
fn users_move_what_they_may_read_and_delete() {
    let (here, there) = (Server::start(&[]), Server::start(&[]));
    let (mut admin, mut source) = (connect(&here), connect(&here));
    let to = there.port();
    admin.ask("ACL SETUSER mover on >pass +migrate ~mine:* %R~read:*");
    admin.ask("MSET mine:a 1 read:a 1 other:a 1");
    source.ask("AUTH mover pass");
    let one = |key: &str, rest: &str| format!("MIGRATE 127.0.0.1 {to} {key} 0 1000{rest}");
    let mut many = |keys: &[&str]| {
        let line = one("_", " KEYS");
        let mut words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        words[3] = b"";
        words.extend(keys.iter().map(|key| key.as_bytes()));
        source.command(&words)
    };
    let refused = error("NOPERM No permissions to access a key");
    assert_eq!(many(&["mine:a", "other:a"]), refused);
    assert_eq!(many(&["mine:a", "read:a"]), refused);
    assert_eq!(many(&["mine:a"]), ok());
    assert_eq!(source.ask(&one("read:a", "")), refused);
    assert_eq!(source.ask(&one("other:a", " COPY")), refused);
    assert_eq!(admin.ask("EXISTS mine:a read:a other:a"), integer(2));
}

#[test]
fn a_key_that_changes_on_its_way_is_sent_again() {
    let server = Server::start(&[DEBUG[0], DEBUG[1], "--appendonly", "yes"]);
    let (listener, port) = impostor();
    let (mut raw, mut other) = (connect(&server), connect(&server));
    raw.ask("SET a first");
    raw.tell(&format!("MIGRATE 127.0.0.1 {port} a 0 5000"));
    let mut stream = greet(&listener);
    let sent = hear(&mut stream, "first");
    assert!(sent.contains("RESTORE") && !sent.contains("REPLACE"));
    other.ask("SET a second");
    stream.write_all(b"+OK\r\n").expect("written");
    hear(&mut stream, "SELECT");
    stream.write_all(b"+OK\r\n").expect("written");
    hear(&mut stream, "REPLACE");
    assert_eq!(other.ask("GET a"), bulk("second"));
    stream.write_all(b"+OK\r\n").expect("written");
    assert_eq!(raw.read(), ok());
    assert_eq!(other.ask("EXISTS a"), integer(0));
    raw.ask("SET b 1");
    let other_server = Server::start(&[]);
    let to = other_server.port();
    let reply = raw.ask(&format!("MIGRATE 127.0.0.1 {to} b 0 5000"));
    assert_eq!(reply, ok());
    assert_eq!(raw.ask("DEBUG LOADAOF"), ok());
    assert_eq!(raw.ask("DBSIZE"), integer(0));
}
