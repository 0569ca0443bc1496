//! MONITOR: what is shown, in which form and order, and what is not.

use crate::common::{Raw, Reply, Server, bulk, check, error, ok, queued, simple};

fn monitor(server: &Server) -> Raw {
    let mut raw = server.raw();
    assert_eq!(raw.ask("MONITOR"), ok());
    raw
}

/// The next line without its time and address.
#[track_caller]
fn shown(raw: &mut Raw) -> String {
    let Reply::Simple(line) = raw.read() else {
        panic!("no line");
    };
    let (time, rest) = line.split_once(" [").expect("a time");
    let (seconds, micros) = time.split_once('.').expect("a fraction");
    assert!(
        seconds.parse::<u64>().is_ok() && micros.len() == 6,
        "{line}"
    );
    let (from, command) = rest.split_once("] ").expect("an address");
    let (database, address) = from.split_once(' ').expect("a database");
    assert!(address.starts_with("127.0.0.1:"), "{line}");
    format!("{database} {command}")
}

#[test]
fn commands_are_shown_as_they_run() {
    let server = Server::start(&[]);
    let mut watcher = monitor(&server);
    let mut raw = server.raw();
    raw.ask("set key \"a b\\x00\\\"\\r\\n\"");
    raw.ask("SELECT 3");
    raw.ask("GET key extra");
    raw.ask("NOSUCH");
    raw.ask("LPOP key nonsense");
    raw.ask("GET key");
    for expected in [
        r#"0 "set" "key" "a b\x00\"\r\n""#,
        r#"3 "SELECT" "3""#,
        r#"3 "LPOP" "key" "nonsense""#,
        r#"3 "GET" "key""#,
    ] {
        assert_eq!(shown(&mut watcher), expected);
    }
}

#[test]
fn a_transaction_is_shown_when_it_runs() {
    let server = Server::start(&[]);
    let mut watcher = monitor(&server);
    check(
        &mut server.raw(),
        &[
            ("MULTI", ok()),
            ("SET a 1", queued()),
            ("GET a", queued()),
            ("EXEC", Reply::Array(vec![ok(), bulk("1")])),
            ("EXEC", error("ERR EXEC without MULTI")),
        ],
    );
    let expected = ["MULTI", "SET", "GET", "EXEC", "EXEC"];
    for name in expected {
        let line = shown(&mut watcher);
        assert!(line.starts_with(&format!("0 \"{name}\"")), "{line}");
    }
}

#[test]
fn secrets_and_administration_are_not_shown() {
    let server = Server::start(&[]);
    let mut watcher = monitor(&server);
    let mut raw = server.raw();
    raw.ask("AUTH secret");
    raw.ask("AUTH user secret");
    raw.ask("HELLO 3 AUTH user secret SETNAME me");
    raw.ask("HELLO 2 SETNAME me AUTH default secret");
    raw.ask("CONFIG SET requirepass \"\"");
    raw.ask("CLIENT LIST");
    raw.ask("PING");
    for expected in [
        r#"0 "AUTH" "(redacted)""#,
        r#"0 "AUTH" "(redacted)" "(redacted)""#,
        r#"0 "HELLO" "3" "AUTH" "(redacted)" "(redacted)" "SETNAME" "me""#,
        r#"0 "HELLO" "2" "SETNAME" "me" "AUTH" "(redacted)" "(redacted)""#,
        r#"0 "PING""#,
    ] {
        assert_eq!(shown(&mut watcher), expected);
    }
}

#[test]
fn a_monitor_sees_itself_and_can_stop() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send("MONITOR\r\nPING\r\n");
    assert_eq!(raw.read(), ok());
    let mut both = [raw.read(), raw.read()];
    both.sort_by_key(|reply| *reply != simple("PONG"));
    assert_eq!(both[0], simple("PONG"));
    assert!(both[1].text().ends_with("\"PING\""), "{:?}", both[1]);
    let mut other = server.raw();
    let list = other.ask("CLIENT LIST").text();
    assert!(list.contains(" flags=O "), "{list}");
    raw.tell("RESET");
    loop {
        if raw.read() == simple("RESET") {
            break;
        }
    }
    // What was shown of RESET itself may follow.
    other.ask("PING");
    raw.tell("PING");
    while raw.read() != simple("PONG") {}
    let list = other.ask("CLIENT LIST").text();
    assert!(!list.contains(" flags=O "), "{list}");
    check(
        &mut raw,
        &[
            ("MULTI", ok()),
            ("MONITOR", queued()),
            (
                "EXEC",
                Reply::Array(vec![error(
                    "ERR MONITOR isn't allowed for DENY BLOCKING client",
                )]),
            ),
        ],
    );
}

#[test]
fn a_monitor_asks_for_no_data() {
    let server = Server::start(&[]);
    let mut raw = monitor(&server);
    let refusal = error("ERR Replica can't interact with the keyspace");
    check(
        &mut raw,
        &[
            ("GET key", refusal.clone()),
            ("SET key 1", refusal.clone()),
            ("PUBLISH channel message", refusal),
        ],
    );
    raw.tell("RESET");
    while raw.read() != simple("RESET") {}
    check(&mut raw, &[("GET key", Reply::NullBulk)]);
}

#[test]
fn changes_of_a_key_are_shown_in_their_order() {
    let server = Server::start(&[]);
    let mut watcher = monitor(&server);
    let port = server.port();
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            std::thread::spawn(move || {
                let mut raw = Raw::connect(port);
                for number in 0..100 {
                    raw.send(format!("RPUSH list {writer}:{number}\r\n"));
                }
                raw.read_many(100);
            })
        })
        .collect();
    writers
        .into_iter()
        .for_each(|writer| writer.join().expect("a writer"));
    let list = server.raw().ask("LRANGE list 0 -1").items();
    for element in list {
        let expected = format!("0 \"RPUSH\" \"list\" \"{}\"", element.text());
        assert_eq!(shown(&mut watcher), expected);
    }
}
