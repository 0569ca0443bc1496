//! The protocol on the wire: inline commands, frames in pieces, malformed frames, long pipelines, RESP3.

use std::time::Duration;

use crate::common::{Raw, Reply, Server, array, bulk, check, error, frame, integer, ok, simple};

/// Sends bytes and compares every reply to them.
#[track_caller]
fn exchange(raw: &mut Raw, sent: &[u8], replies: &[Reply]) {
    raw.send(sent);
    for expected in replies {
        assert_eq!(&raw.read(), expected, "after \"{}\"", sent.escape_ascii());
    }
}

#[test]
fn inline_commands() {
    let server = Server::start(&[]);
    let rows: &[(&[u8], &[Reply])] = &[
        (b"PING\r\n", &[simple("PONG")]),
        (b"ping\n", &[simple("PONG")]),
        (b"  PING   hello  \r\n", &[bulk("hello")]),
        (b"SET key value\r\nGET key\r\n", &[ok(), bulk("value")]),
        (
            b"SET key \"two words\"\r\nGET key\r\n",
            &[ok(), bulk("two words")],
        ),
        (
            b"ECHO \"\\x00\\xff\\r\\n\\t\\\\\\\"\"\r\n",
            &[bulk(b"\0\xff\r\n\t\\\"")],
        ),
        (
            b"ECHO 'single \"quotes\" \\' here'\r\n",
            &[bulk("single \"quotes\" ' here")],
        ),
        (b"ECHO ''\r\n", &[bulk("")]),
        (b"ECHO \"\"\r\n", &[bulk("")]),
        (
            b"ECHO a\tb\r\n",
            &[error("ERR wrong number of arguments for 'echo' command")],
        ),
        (b"\r\n\r\n\nPING\r\n", &[simple("PONG")]),
        (b"   \r\nPING\r\n", &[simple("PONG")]),
        (
            b"PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n",
            &[simple("PONG"), simple("PONG"), simple("PONG")],
        ),
    ];
    let mut raw = server.raw();
    for (sent, replies) in rows {
        exchange(&mut raw, sent, replies);
    }
}

#[test]
fn empty_and_negative_multibulks_are_passed_over() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    exchange(
        &mut raw,
        b"*0\r\n*-1\r\n*-10\r\n\r\n*1\r\n$4\r\nPING\r\n",
        &[simple("PONG")],
    );
    raw.expect_silence(Duration::from_millis(50));
}

#[test]
fn an_empty_argument_as_the_command() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send(b"*1\r\n$0\r\n\r\n");
    assert_eq!(
        raw.read(),
        error("ERR unknown command '', with args beginning with: ")
    );
    assert_eq!(raw.ask("PING"), simple("PONG"));
}

#[test]
fn frames_that_arrive_one_byte_at_a_time() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let mut bytes = frame(&[b"SET", b"key", b"a\r\nb\0"]);
    bytes.extend_from_slice(b"GET key\r\n");
    bytes.extend_from_slice(&frame(&[b"STRLEN", b"key"]));
    for byte in bytes {
        raw.send([byte]);
    }
    assert_eq!(raw.read_many(3), [ok(), bulk("a\r\nb\0"), integer(5)]);
}

#[test]
fn frames_cut_at_every_place() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let bytes = [
        frame(&[b"SET", b"key", b"0123456789"]),
        frame(&[b"GETDEL", b"key"]),
    ]
    .concat();
    for cut in 1..bytes.len() {
        raw.send(&bytes[..cut]);
        // A moment, so that the server really reads the first part alone.
        std::thread::sleep(Duration::from_millis(1));
        raw.send(&bytes[cut..]);
        assert_eq!(raw.read_many(2), [ok(), bulk("0123456789")], "cut at {cut}");
    }
}

#[test]
fn malformed_frames_are_answered_and_the_connection_closed() {
    let server = Server::start(&[]);
    let long = |start: &str| [start.as_bytes(), &vec![b'1'; 70_000]].concat();
    let rows: &[(&[u8], &str)] = &[
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*3000000000\r\n", "invalid multibulk length"),
        (b"*1x\r\n", "invalid multibulk length"),
        (b"* 1\r\n", "invalid multibulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$abc\r\n", "invalid bulk length"),
        (b"*1\r\n$\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
        (b"*-9999999999999999999\r\n", "invalid multibulk length"),
        (b"*1\r\n:3\r\n", "expected '$', got ':'"),
        (b"*1\r\n'3\r\n", "expected '$', got '''"),
        (b"*1\r\n\r\n", "expected '$', got ' '"),
        (b"*1\r\n\x01\r\n", "expected '$', got '\x01'"),
        (b"*2\r\n$4\r\nECHO\r\nPING\r\n", "expected '$', got 'P'"),
        (&long("*"), "too big mbulk count string"),
        (&long("*1\r\n$"), "too big bulk count string"),
        (&long("PING "), "too big inline request"),
        (b"ECHO \"open\r\n", "unbalanced quotes in request"),
        (b"ECHO 'open\r\n", "unbalanced quotes in request"),
        (b"ECHO \"a\"b\r\n", "unbalanced quotes in request"),
    ];
    for (sent, problem) in rows {
        let mut raw = server.raw();
        // What was asked before the malformed frame is still answered.
        raw.send([b"PING\r\n", *sent].concat());
        assert_eq!(raw.read(), simple("PONG"), "{problem}");
        assert_eq!(raw.read(), error(&format!("ERR Protocol error: {problem}")));
        raw.expect_closed();
    }
    assert_eq!(server.raw().ask("PING"), simple("PONG"));
}

/// Elements of collections keep their lengths in 31 bits: what is longer is refused before it is received.
#[test]
fn no_argument_is_longer_than_an_element_may_be() {
    let server = Server::start(&["--proto-max-bulk-len", "8gb"]);
    for len in ["2147483648", "2147483600", "4294967297"] {
        let mut raw = server.raw();
        raw.send(format!("*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n${len}\r\n"));
        assert_eq!(
            raw.read(),
            error("ERR Protocol error: invalid bulk length"),
            "{len}"
        );
        raw.expect_closed();
    }
    assert_eq!(server.raw().ask("EXISTS h"), integer(0));
}

#[test]
fn a_connection_that_ends_within_a_frame_hurts_nobody() {
    let server = Server::start(&[]);
    for part in [
        &b"*2\r\n$3\r\nGET\r\n$5\r\nab"[..],
        b"*2147483647\r\n",
        b"*1\r\n$536870912\r\nabc",
        b"PIN",
        b"*",
    ] {
        let mut raw = server.raw();
        raw.send(part);
        raw.finish_sending();
        raw.expect_closed();
    }
    assert_eq!(server.raw().ask("PING"), simple("PONG"));
}

#[test]
fn a_pipeline_written_before_anything_is_read() {
    const COMMANDS: i64 = 100_000;
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send(frame(&[b"INCR", b"n"]).repeat(COMMANDS as usize));
    for expected in 1..=COMMANDS {
        assert_eq!(raw.read(), integer(expected));
    }
}

#[test]
fn replies_larger_than_any_socket_buffer_wait_until_they_are_read() {
    const COMMANDS: usize = 20_000;
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let value = vec![b'x'; 4 * 1024];
    assert_eq!(raw.command(&[b"SET", b"key", &value]), ok());
    raw.send(frame(&[b"GET", b"key"]).repeat(COMMANDS));
    for _ in 0..COMMANDS {
        assert!(raw.read() == bulk(&value));
    }
}

#[test]
fn a_client_that_stops_sending_still_gets_its_replies() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send(frame(&[b"PING"]).repeat(1_000));
    raw.finish_sending();
    assert!(
        raw.read_many(1_000)
            .iter()
            .all(|reply| *reply == simple("PONG"))
    );
    raw.expect_closed();
}

#[test]
fn huge_arguments() {
    const MIB: usize = 1024 * 1024;
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for size in [16 * 1024, 32 * 1024 + 1, MIB, 64 * MIB] {
        let value: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        assert_eq!(raw.command(&[b"SET", b"key", &value]), ok());
        assert!(
            raw.command(&[b"GET", b"key"]) == bulk(&value),
            "{size} bytes come back as they were"
        );
        assert!(
            raw.command(&[b"ECHO", &value]) == bulk(&value),
            "{size} bytes are echoed"
        );
    }
    let key = vec![b'k'; MIB];
    assert_eq!(raw.command(&[b"SET", &key, b"x"]), ok());
    assert_eq!(raw.command(&[b"EXISTS", &key]), integer(1));
}

#[test]
fn commands_of_many_arguments() {
    const KEYS: usize = 100_000;
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let words: Vec<Vec<u8>> = (0..KEYS * 2)
        .map(|number| format!("word:{number}").into_bytes())
        .collect();
    let mut args: Vec<&[u8]> = vec![b"MSET"];
    args.extend(words.iter().map(Vec::as_slice));
    assert_eq!(raw.command(&args), ok());
    assert_eq!(raw.ask("DBSIZE"), integer(KEYS as i64));
    args[0] = b"DEL";
    assert_eq!(raw.command(&args), integer(KEYS as i64));
}

#[test]
fn arguments_are_bytes() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(raw.command(&[b"SET", &bytes, &bytes]), ok());
    assert_eq!(raw.command(&[b"GET", &bytes]), bulk(&bytes));
    assert_eq!(raw.command(&[b"KEYS", b"*"]), array([bulk(&bytes)]));
    check(
        &mut raw,
        &[
            ("SET \"a\\x00b\" 1", ok()),
            ("EXISTS \"a\\x00b\"", integer(1)),
            ("EXISTS a", integer(0)),
        ],
    );
}

#[test]
fn errors_never_break_the_frame() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let long = "x".repeat(500);
    let unknown = |name: &str, args: &str| {
        error(&format!(
            "ERR unknown command '{name}', with args beginning with: {args}"
        ))
    };
    assert_eq!(
        raw.command(&[b"NO\r\nSUCH", b"a\r\nb"]),
        unknown("NO  SUCH", "'a  b' ")
    );
    assert_eq!(
        raw.command(&[long.as_bytes()]),
        unknown(&"x".repeat(128), "")
    );
    let shown = unknown("FOO", &format!("'{}' ", "x".repeat(128)));
    assert_eq!(raw.command(&[b"FOO", long.as_bytes(), b"more"]), shown);
    assert_eq!(raw.ask("PING"), simple("PONG"));
}

#[test]
fn case_and_arity() {
    let arity = |name: &str| {
        error(&format!(
            "ERR wrong number of arguments for '{name}' command"
        ))
    };
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("pInG", simple("PONG")),
            ("PING hello", bulk("hello")),
            ("PING a b", arity("ping")),
            ("ECHO", arity("echo")),
            ("get", arity("get")),
            ("GET a b", arity("get")),
            ("set a", arity("set")),
            ("MSET a", arity("mset")),
            ("MSET a 1 b", arity("mset")),
            ("config get", arity("config|get")),
            ("client getname x", arity("client|getname")),
            ("CONFIG", arity("config")),
            (
                "CLIENT nosuch",
                error("ERR unknown subcommand 'nosuch'. Try CLIENT HELP."),
            ),
            (
                "OBJECT nosuch key",
                error("ERR unknown subcommand 'nosuch'. Try OBJECT HELP."),
            ),
        ],
    );
}

#[test]
fn quit_answers_and_closes() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    exchange(
        &mut raw,
        b"SET key 1\r\nQUIT\r\nSET key 2\r\n",
        &[ok(), ok()],
    );
    raw.expect_closed();
    assert_eq!(server.raw().ask("GET key"), bulk("1"));
}

#[test]
fn hello_without_a_version_keeps_the_protocol() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let names = [
        "server", "version", "proto", "id", "mode", "role", "modules",
    ];
    let flat = raw.ask("HELLO").items();
    assert_eq!(
        flat.iter().step_by(2).map(Reply::text).collect::<Vec<_>>(),
        names
    );
    assert_eq!(flat[5], integer(2));
    assert_eq!(raw.ask("HELLO 2").items().len(), 14);
    let pairs = raw.ask("HELLO 3").pairs();
    assert_eq!(
        pairs
            .iter()
            .map(|(name, _)| name.text())
            .collect::<Vec<_>>(),
        names
    );
    let value = |name: &str| {
        &pairs
            .iter()
            .find(|pair| pair.0 == bulk(name))
            .expect("a field")
            .1
    };
    assert_eq!(value("proto"), &integer(3));
    assert_eq!(value("mode"), &bulk("standalone"));
    assert_eq!(value("role"), &bulk("master"));
    assert_eq!(value("modules"), &array([]));
    assert_eq!(raw.ask("HELLO").pairs().len(), 7);
    assert_eq!(raw.ask("HELLO 2").items().len(), 14);
}

#[test]
fn hello_checks_its_options() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("HELLO 1", error("NOPROTO unsupported protocol version")),
            ("HELLO 4", error("NOPROTO unsupported protocol version")),
            (
                "HELLO x",
                error("ERR Protocol version is not an integer or out of range"),
            ),
            (
                "HELLO 3 NOSUCH",
                error("ERR Syntax error in HELLO option 'NOSUCH'"),
            ),
            (
                "HELLO 3 AUTH default",
                error("ERR Syntax error in HELLO option 'AUTH'"),
            ),
            (
                "HELLO 3 AUTH a b",
                error("WRONGPASS invalid username-password pair or user is disabled."),
            ),
            // Nothing of a refused HELLO has taken effect.
            ("GET nothing", Reply::NullBulk),
            ("CLIENT GETNAME", Reply::NullBulk),
        ],
    );
    assert_eq!(
        raw.ask("HELLO 3 AUTH default any SETNAME me").pairs().len(),
        7
    );
    check(
        &mut raw,
        &[("GET nothing", Reply::Null), ("CLIENT GETNAME", bulk("me"))],
    );
}

#[test]
fn shapes_of_resp3() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("HELLO 3");
    check(
        &mut raw,
        &[
            ("GET nothing", Reply::Null),
            ("SET key value", ok()),
            ("MGET key nothing", array([bulk("value"), Reply::Null])),
            ("STRLEN key", integer(5)),
            ("SET key other NX", Reply::Null),
            ("RANDOMKEY", bulk("key")),
            (
                "CONFIG GET save",
                Reply::Map(vec![(bulk("save"), bulk(""))]),
            ),
            ("PUBSUB NUMSUB a", array([bulk("a"), integer(0)])),
            ("SCAN 0", array([bulk("0"), array([bulk("key")])])),
            ("TYPE key", simple("string")),
            (
                "SUBSCRIBE a",
                Reply::Push(vec![bulk("subscribe"), bulk("a"), integer(1)]),
            ),
            (
                "UNSUBSCRIBE a",
                Reply::Push(vec![bulk("unsubscribe"), bulk("a"), integer(0)]),
            ),
            (
                "UNSUBSCRIBE",
                Reply::Push(vec![bulk("unsubscribe"), Reply::Null, integer(0)]),
            ),
        ],
    );
    for command in ["INFO server", "CLIENT INFO", "CLIENT LIST"] {
        assert!(
            matches!(raw.ask(command), Reply::Verbatim(format, _) if format == "txt"),
            "{command}"
        );
    }
    assert_eq!(raw.ask("RESET"), simple("RESET"));
    check(
        &mut raw,
        &[
            ("GET nothing", Reply::NullBulk),
            ("CONFIG GET save", array([bulk("save"), bulk("")])),
        ],
    );
}
