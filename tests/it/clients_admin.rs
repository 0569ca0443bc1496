//! Connections as an administrator sees them: CLIENT, passwords, and the limits that protect the server.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, frame, integer, ok, queued, simple,
};

const NOAUTH: &str = "NOAUTH Authentication required.";
const SYNTAX: &str = "ERR syntax error";
const WRONGPASS: &str = "WRONGPASS invalid username-password pair or user is disabled.";

/// The fields of a line of CLIENT LIST.
fn fields(line: &str) -> HashMap<String, String> {
    let pair = |field: &str| {
        field
            .split_once('=')
            .map(|(name, value)| (name.to_string(), value.to_string()))
    };
    line.split_whitespace()
        .map(|field| pair(field).unwrap_or_else(|| panic!("{field} in {line}")))
        .collect()
}

fn list(raw: &mut Raw, options: &str) -> Vec<HashMap<String, String>> {
    raw.ask(format!("CLIENT LIST {options}").trim_end())
        .text()
        .lines()
        .map(fields)
        .collect()
}

fn id(raw: &mut Raw) -> i64 {
    raw.ask("CLIENT ID").number()
}

#[test]
fn ids_rise_and_stay() {
    let server = Server::start(&[]);
    let (mut first, mut second) = (server.raw(), server.raw());
    let (one, two) = (id(&mut first), id(&mut second));
    assert!(two > one);
    assert_eq!(id(&mut first), one);
    first.ask("RESET");
    assert_eq!(id(&mut first), one);
    assert!(id(&mut server.raw()) > two);
}

#[test]
fn names() {
    let bad = error("ERR Client names cannot contain spaces, newlines or special characters.");
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("CLIENT GETNAME", Reply::NullBulk),
            ("CLIENT SETNAME worker:1", ok()),
            ("CLIENT GETNAME", bulk("worker:1")),
            ("CLIENT SETNAME \"two words\"", bad.clone()),
            ("CLIENT SETNAME \"line\\n\"", bad),
            ("CLIENT GETNAME", bulk("worker:1")),
            ("CLIENT SETNAME \"\"", ok()),
            ("CLIENT GETNAME", Reply::NullBulk),
            ("CLIENT SETNAME again", ok()),
            ("RESET", simple("RESET")),
            ("CLIENT GETNAME", Reply::NullBulk),
        ],
    );
}

#[test]
fn the_list() {
    let server = Server::start(&[]);
    let (mut raw, _named, _listener) = three_clients(&server);
    let all = list(&mut raw, "");
    assert_eq!(all.len(), 3);
    let find =
        |name: &str, value: &str| all.iter().find(|line| line[name] == value).expect("a line");
    let named = find("name", "named");
    let shown = ["db", "multi", "cmd", "user"].map(|name| named[name].as_str());
    assert_eq!(shown, ["3", "1", "ping", "default"]);
    assert!(named["flags"].contains('x'), "{named:?}");
    assert!(named["addr"].starts_with("127.0.0.1:"), "{named:?}");
    assert_eq!(named["laddr"], format!("127.0.0.1:{}", server.port()));
    let listener = find("sub", "2");
    let shown = ["psub", "multi", "cmd"].map(|name| listener[name].as_str());
    assert_eq!(shown, ["1", "-1", "psubscribe"]);
    assert!(listener["flags"].contains('P'), "{listener:?}");
    let own = find("cmd", "client|list");
    assert_eq!(own["flags"], "N");
    for name in "id fd age idle qbuf qbuf-free argv-mem obl oll omem tot-mem redir".split(' ') {
        assert!(own[name].parse::<i64>().is_ok(), "{name} is a number");
    }
    assert_eq!(fields(&raw.ask("CLIENT INFO").text())["id"], own["id"]);
}

#[test]
fn what_a_waiting_client_keeps_is_told() {
    let server = Server::start(&[]);
    let (mut raw, mut waiting) = (server.raw(), server.raw());
    let id = id(&mut waiting);
    let mut figures = move || {
        let line = list(&mut raw, &format!("ID {id}")).remove(0);
        ["argv-mem", "tot-mem"].map(|name| line[name].parse::<usize>().expect("a number"))
    };
    let [argv, idle] = figures();
    assert_eq!(argv, 0);
    let key = vec![b'k'; 1_000_000];
    waiting.send(frame(&[b"BLPOP", &key, b"0"]));
    let [mut argv, mut total] = [0; 2];
    eventually("it waits", || {
        [argv, total] = figures();
        argv > 0
    });
    assert_eq!(argv, "BLPOP".len() + key.len() + "0".len());
    // What it came in may be kept for the next command.
    let [least, most] = [1, 2].map(|times| idle + times * argv);
    assert!((least..most + 200_000).contains(&total), "{total}");
    let mut raw = server.raw();
    assert_eq!(raw.command(&[b"RPUSH", &key, b"x"]), integer(1));
    waiting.read();
    let [argv, after] = figures();
    assert!(argv == 0 && after <= total - key.len(), "{argv} {after}");
}

#[test]
fn the_largest_buffers_of_the_last_seconds_are_told() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let mut told = |name: &str| {
        let info = raw.ask("INFO clients").text();
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.expect(name).parse::<u64>().expect("a number")
    };
    let name = "client_recent_max_input_buffer";
    assert!(told(name) < 1_000_000);
    let mut sender = server.raw();
    let set = frame(&[b"SET", b"key", &[b'x'; 2_000_000]]);
    sender.send(&set[..1_500_000]);
    eventually("a large command is underway", || told(name) >= 1_500_000);
    sender.send(&set[1_500_000..]);
    assert_eq!(sender.read(), ok());
    drop(sender);
    assert!(told(name) >= 1_500_000);
    let mut reader = server.raw();
    reader.send(frame(&[b"GET", b"key"]).repeat(20));
    let name = "client_recent_max_output_buffer";
    eventually("much is unsent", || told(name) >= 4_000_000);
    drop(reader);
    assert!(told(name) >= 4_000_000);
}

#[test]
fn what_idle_clients_take_is_counted() {
    const COUNT: u64 = 2000;
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let mut figures = || {
        let info = raw.ask("INFO memory").text();
        ["used_memory", "mem_clients_normal"].map(|name| {
            let line = info
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name}:")));
            line.expect(name).parse::<u64>().expect("a number")
        })
    };
    let before = figures();
    let mut idle: Vec<Raw> = (0..COUNT).map(|_| server.raw()).collect();
    idle.iter_mut()
        .for_each(|client| assert_eq!(client.ask("PING"), simple("PONG")));
    let after = figures();
    let [used, told] = [0, 1].map(|at| (after[at] - before[at]) / COUNT);
    assert!(
        (used * 3 / 4..used * 5 / 4).contains(&told),
        "{told} of {used}"
    );
}

#[test]
fn filters_of_the_list() {
    let server = Server::start(&[]);
    let (mut raw, mut named, _listener) = three_clients(&server);
    named.ask("DISCARD");
    let (own, other) = (id(&mut raw), id(&mut named));
    let listeners = list(&mut raw, "TYPE pubsub");
    assert_eq!(listeners.len(), 1);
    assert_eq!(listeners[0]["sub"], "2");
    assert_eq!(list(&mut raw, "TYPE normal").len(), 2);
    assert_eq!(list(&mut raw, "TYPE replica").len(), 0);
    assert_eq!(list(&mut raw, &format!("ID {own} {other} 999999")).len(), 2);
    check(
        &mut raw,
        &[
            (
                "CLIENT LIST TYPE nosuch",
                error("ERR Unknown client type 'nosuch'"),
            ),
            ("CLIENT LIST ID x", error("ERR Invalid client ID")),
            ("CLIENT LIST NOSUCH", error(SYNTAX)),
        ],
    );
}

/// A plain connection, one that is named and within a transaction, one that listens.
fn three_clients(server: &Server) -> (Raw, Raw, Raw) {
    let (raw, mut named, mut listener) = (server.raw(), server.raw(), server.raw());
    check(
        &mut named,
        &[
            ("CLIENT SETNAME named", ok()),
            ("SELECT 3", ok()),
            ("MULTI", ok()),
            ("PING", queued()),
        ],
    );
    listener.tell("SUBSCRIBE a b");
    listener.read_many(2);
    listener.ask("PSUBSCRIBE p*");
    (raw, named, listener)
}

#[test]
fn killing_by_id_and_address() {
    let server = Server::start(&[]);
    let (mut raw, mut first, mut second) = (server.raw(), server.raw(), server.raw());
    let victim = id(&mut first);
    assert_eq!(raw.ask(&format!("CLIENT KILL ID {victim}")), integer(1));
    first.expect_closed();
    assert_eq!(raw.ask(&format!("CLIENT KILL ID {victim}")), integer(0));
    let address = fields(&second.ask("CLIENT INFO").text())["addr"].clone();
    assert_eq!(raw.ask(&format!("CLIENT KILL {address}")), ok());
    second.expect_closed();
    check(
        &mut raw,
        &[
            ("CLIENT KILL 127.0.0.1:1", error("ERR No such client")),
            ("CLIENT KILL ADDR 127.0.0.1:1", integer(0)),
            (
                "CLIENT KILL ID x",
                error("ERR client-id should be greater than 0"),
            ),
            (
                "CLIENT KILL TYPE nosuch",
                error("ERR Unknown client type 'nosuch'"),
            ),
            (
                "CLIENT KILL USER nobody",
                error("ERR No such user 'nobody'"),
            ),
            ("CLIENT KILL SKIPME maybe ID 1", error(SYNTAX)),
            ("CLIENT KILL NOSUCH 1", error(SYNTAX)),
        ],
    );
    let mut third = server.raw();
    let address = fields(&third.ask("CLIENT INFO").text())["addr"].clone();
    assert_eq!(
        raw.ask(&format!(
            "CLIENT KILL ADDR {address} TYPE normal USER default"
        )),
        integer(1)
    );
    third.expect_closed();
}

#[test]
fn killing_many_and_oneself() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let mut listeners: Vec<Raw> = (0..5).map(|_| server.raw()).collect();
    listeners.iter_mut().for_each(|listener| {
        listener.ask("SUBSCRIBE news");
    });
    // Nobody counts those who have been killed, though their connections may not have been closed yet.
    check(
        &mut raw,
        &[
            ("PUBSUB NUMSUB news", array([bulk("news"), integer(5)])),
            ("CLIENT KILL TYPE pubsub", integer(5)),
            ("PUBLISH news late", integer(0)),
            ("PUBSUB NUMPAT", integer(0)),
        ],
    );
    assert_eq!(raw.ask("CLIENT LIST").text().lines().count(), 1);
    assert_eq!(raw.ask("PUBSUB CHANNELS"), array([]));
    listeners.iter_mut().for_each(Raw::expect_closed);
    let mut others: Vec<Raw> = (0..5).map(|_| server.raw()).collect();
    others
        .iter_mut()
        .for_each(|other| assert_eq!(other.ask("PING"), simple("PONG")));
    assert_eq!(raw.ask("CLIENT KILL TYPE normal SKIPME yes"), integer(5));
    others.iter_mut().for_each(Raw::expect_closed);
    // Whoever kills itself is answered first.
    assert_eq!(raw.ask("CLIENT KILL TYPE normal SKIPME no"), integer(1));
    raw.expect_closed();
}

#[test]
fn replies_can_be_turned_off() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.tell("CLIENT REPLY OFF");
    raw.tell("SET key 1");
    raw.tell("NOSUCH");
    raw.expect_silence(Duration::from_millis(50));
    assert_eq!(raw.ask("CLIENT REPLY ON"), ok());
    assert_eq!(raw.ask("GET key"), bulk("1"));
    raw.tell("CLIENT REPLY SKIP");
    raw.tell("INCR key");
    assert_eq!(raw.ask("GET key"), bulk("2"));
    check(
        &mut raw,
        &[
            ("CLIENT REPLY NOSUCH", error(SYNTAX)),
            ("CLIENT REPLY ON", ok()),
        ],
    );
}

#[test]
fn pausing_writes() {
    let server = Server::start(&[]);
    let (mut raw, mut writer) = (server.raw(), server.raw());
    check(
        &mut raw,
        &[("SET key 1", ok()), ("CLIENT PAUSE 100000 WRITE", ok())],
    );
    assert_eq!(writer.ask("GET key"), bulk("1"));
    writer.tell("INCR key");
    writer.expect_silence(Duration::from_millis(100));
    check(
        &mut raw,
        &[("GET key", bulk("1")), ("CLIENT UNPAUSE", ok())],
    );
    assert_eq!(writer.read(), integer(2));
    // A transaction waits when there is a write in it.
    check(&mut writer, &[("MULTI", ok()), ("INCR key", queued())]);
    let mut reader = server.raw();
    check(&mut raw, &[("CLIENT PAUSE 100000 WRITE", ok())]);
    check(
        &mut reader,
        &[
            ("MULTI", ok()),
            ("GET key", queued()),
            ("EXEC", array([bulk("2")])),
        ],
    );
    writer.tell("EXEC");
    writer.expect_silence(Duration::from_millis(100));
    check(&mut raw, &[("CLIENT UNPAUSE", ok())]);
    assert_eq!(writer.read(), array([integer(3)]));
}

#[test]
fn pausing_everything_ends_by_itself() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    let started = Instant::now();
    check(&mut raw, &[("CLIENT PAUSE 300", ok())]);
    assert_eq!(other.ask("PING"), simple("PONG"));
    assert!(
        started.elapsed() >= Duration::from_millis(290),
        "answered after {:?}",
        started.elapsed()
    );
    check(
        &mut raw,
        &[
            (
                "CLIENT PAUSE x",
                error("ERR timeout is not an integer or out of range"),
            ),
            ("CLIENT PAUSE -1", error("ERR timeout is negative")),
            (
                "CLIENT PAUSE 1 ALL more",
                error(
                    "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.",
                ),
            ),
            (
                "CLIENT UNBLOCK 1 ERROR more",
                error(
                    "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.",
                ),
            ),
            (
                "CLIENT PAUSE 1 NOSUCH",
                error("ERR CLIENT PAUSE mode must be WRITE or ALL"),
            ),
            ("CLIENT UNPAUSE", ok()),
        ],
    );
}

#[test]
fn smaller_commands() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("CLIENT NO-EVICT ON", ok()),
            ("CLIENT NO-EVICT OFF", ok()),
            ("CLIENT NO-EVICT maybe", error(SYNTAX)),
            ("CLIENT GETREDIR", integer(-1)),
            ("CLIENT LIST CAPA r", bulk("")),
            ("CLIENT CAPA later redirect", ok()),
            ("CLIENT LIST NOT-CAPA r", bulk("")),
            ("CLIENT KILL CAPA r", integer(0)),
            ("CLIENT IMPORT-SOURCE OFF", ok()),
            (
                "CLIENT IMPORT-SOURCE ON",
                error("ERR Server is not in import mode"),
            ),
            ("CLIENT UNBLOCK 999999", integer(0)),
            (
                "CLIENT UNBLOCK x",
                error("ERR value is not an integer or out of range"),
            ),
            (
                "CLIENT NOSUCH",
                error("ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."),
            ),
            (
                "CLIENT",
                error("ERR wrong number of arguments for 'client' command"),
            ),
        ],
    );
    assert!(raw.ask("CLIENT HELP").items().len() > 10);
}

#[test]
fn no_more_clients_than_allowed() {
    let server = Server::start(&["--maxclients", "10"]);
    // The connection with which the harness asked whether the server is up may still be there.
    let mut first = server.raw();
    eventually("only one is connected", || list(&mut first, "").len() == 1);
    let mut clients: Vec<Raw> = (0..9).map(|_| server.raw()).collect();
    clients
        .iter_mut()
        .for_each(|client| assert_eq!(client.ask("PING"), simple("PONG")));
    for _ in 0..3 {
        let mut refused = server.raw();
        assert_eq!(refused.read(), error("ERR max number of clients reached"));
        refused.expect_closed();
    }
    assert!(
        first
            .ask("INFO stats")
            .text()
            .contains("rejected_connections:3\r\n")
    );
    drop(clients.pop());
    eventually("there is room again", || {
        let mut raw = server.raw();
        raw.try_send(b"PING\r\n")
            .and_then(|()| raw.try_read())
            .is_ok_and(|reply| reply == simple("PONG"))
    });
    assert!(
        first
            .ask("INFO clients")
            .text()
            .contains("maxclients:10\r\n")
    );
}

#[test]
fn idle_clients_are_closed() {
    let server = Server::start(&["--timeout", "3"]);
    let mut idle = server.raw();
    let mut listener = server.raw();
    listener.ask("SUBSCRIBE news");
    assert_eq!(idle.ask("PING"), simple("PONG"));
    let mut active = server.raw();
    for _ in 0..50 {
        assert_eq!(active.ask("PING"), simple("PONG"));
        thread::sleep(Duration::from_millis(100));
    }
    idle.expect_closed();
    // Subscribers wait for others, so they are never idle.
    assert_eq!(active.ask("PUBLISH news x"), integer(1));
    assert_eq!(
        listener.read(),
        array([bulk("message"), bulk("news"), bulk("x")])
    );
}

#[test]
fn a_subscriber_that_does_not_read_is_cut_off() {
    let server = Server::start(&["--client-output-buffer-limit", "pubsub 4mb 2mb 1"]);
    let (mut raw, mut slow) = (server.raw(), server.raw());
    slow.ask("SUBSCRIBE news");
    let text = vec![b'x'; 256 * 1024];
    eventually("it is cut off", || {
        raw.command(&[b"PUBLISH", b"news", &text]) == integer(0)
    });
    assert_eq!(raw.ask("PUBSUB CHANNELS"), array([]));
    assert_eq!(raw.ask("PING"), simple("PONG"));
}

#[test]
fn a_reader_that_does_not_read_is_cut_off() {
    let server = Server::start(&["--client-output-buffer-limit", "normal 8mb 0 0"]);
    let (mut raw, mut slow) = (server.raw(), server.raw());
    let value = vec![b'x'; 1024 * 1024];
    assert_eq!(raw.command(&[b"SET", b"key", &value]), ok());
    // What the kernel holds for the connection comes on top of the limit.
    slow.send(frame(&[b"GET", b"key"]).repeat(200));
    eventually("it is cut off", || list(&mut raw, "").len() == 1);
    assert_eq!(raw.ask("PING"), simple("PONG"));
}

#[test]
fn a_query_that_is_too_long_is_cut_off() {
    let server = Server::start(&["--client-query-buffer-limit", "1mb"]);
    let (mut raw, mut greedy) = (server.raw(), server.raw());
    assert_eq!(greedy.ask("PING"), simple("PONG"));
    greedy.send(b"*2\r\n$4\r\nECHO\r\n$8388608\r\n");
    // The server may close before all is sent.
    let _ = greedy.try_send(&vec![b'x'; 4 * 1024 * 1024]);
    eventually("it is cut off", || list(&mut raw, "").len() == 1);
    assert_eq!(raw.ask("PING"), simple("PONG"));
}

#[test]
fn a_password() {
    let server = Server::start(&["--requirepass", "secret"]);
    let arity = error("ERR wrong number of arguments for 'get' command");
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("GET key", error(NOAUTH)),
            ("PING", error(NOAUTH)),
            ("MULTI", error(NOAUTH)),
            ("SUBSCRIBE news", error(NOAUTH)),
            ("GET", arity),
            (
                "NOSUCH",
                error("ERR unknown command 'NOSUCH', with args beginning with: "),
            ),
            ("AUTH wrong", error(WRONGPASS)),
            ("AUTH default wrong", error(WRONGPASS)),
            ("AUTH nobody secret", error(WRONGPASS)),
            ("AUTH a b c", error(SYNTAX)),
            ("GET key", error(NOAUTH)),
            ("AUTH secret", ok()),
            ("GET key", Reply::NullBulk),
            // A wrong password does not take away what was granted.
            ("AUTH wrong", error(WRONGPASS)),
            ("GET key", Reply::NullBulk),
            ("RESET", simple("RESET")),
            ("GET key", error(NOAUTH)),
            ("AUTH default secret", ok()),
            ("PING", simple("PONG")),
        ],
    );
    let mut raw = server.raw();
    // How the text goes on differs between versions of Redis.
    let refused = raw.ask("HELLO 3").text();
    assert!(
        refused.starts_with("NOAUTH HELLO must be called with the client already authenticated"),
        "{refused}"
    );
    assert_eq!(raw.ask("HELLO 3 AUTH default secret").pairs().len(), 7);
    assert_eq!(raw.ask("GET key"), Reply::Null);
    let mut leaving = server.raw();
    assert_eq!(leaving.ask("QUIT"), ok());
    leaving.expect_closed();
}

#[test]
fn a_password_set_while_running() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    assert_eq!(other.ask("PING"), simple("PONG"));
    check(
        &mut raw,
        &[
            ("CONFIG SET requirepass secret", ok()),
            ("PING", simple("PONG")),
        ],
    );
    // Who came before stays in.
    assert_eq!(other.ask("PING"), simple("PONG"));
    check(
        &mut server.raw(),
        &[
            ("PING", error(NOAUTH)),
            ("AUTH secret", ok()),
            ("PING", simple("PONG")),
        ],
    );
    check(&mut raw, &[("CONFIG SET requirepass \"\"", ok())]);
    check(&mut server.raw(), &[("PING", simple("PONG"))]);
    let none = "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
                configuration is correct?";
    check(
        &mut server.raw(),
        &[
            ("AUTH secret", error(none)),
            ("AUTH default anything", ok()),
        ],
    );
}

#[test]
fn strangers_cannot_make_the_server_hold_much() {
    let server = Server::start(&["--requirepass", "secret"]);
    let line = [b"GET ".as_slice(), &[b'x'; 70_000]].concat();
    let rows: &[(&[u8], &str)] = &[
        (b"*11\r\n", "unauthenticated multibulk length"),
        (b"*1000000\r\n", "unauthenticated multibulk length"),
        (
            b"*2\r\n$4\r\nAUTH\r\n$16385\r\n",
            "unauthenticated bulk length",
        ),
        (
            b"*2\r\n$4\r\nAUTH\r\n$500000000\r\n",
            "unauthenticated bulk length",
        ),
        (&line, "too big inline request"),
    ];
    for (sent, problem) in rows {
        let mut raw = server.raw();
        raw.send(sent);
        assert_eq!(raw.read(), error(&format!("ERR Protocol error: {problem}")));
        raw.expect_closed();
    }
    let mut member = server.raw();
    let arguments = frame(&[&b"DEL"[..]; 100]);
    assert_eq!(member.ask("AUTH secret"), ok());
    member.send(&arguments);
    assert_eq!(member.read(), integer(0));
    assert_eq!(member.command(&[b"SET", b"key", &[b'x'; 20_000]]), ok());
}

#[test]
fn connections_come_and_go() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for _ in 0..20 {
        let mut clients: Vec<Raw> = (0..100).map(|_| server.raw()).collect();
        clients.iter_mut().for_each(|client| client.tell("INCR n"));
        clients
            .iter_mut()
            .for_each(|client| assert!(client.read().number() > 0));
    }
    assert_eq!(raw.ask("GET n"), bulk("2000"));
    eventually("all but one are gone", || list(&mut raw, "").len() == 1);
    assert!(
        raw.ask("INFO clients")
            .text()
            .contains("connected_clients:1\r\n")
    );
}
