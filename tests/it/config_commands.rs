//! CONFIG over sockets: all or nothing, what takes effect at once, the file.

use std::fs;

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, integer, ok, simple,
};

fn value(raw: &mut Raw, name: &str) -> String {
    raw.ask(&format!("CONFIG GET {name}")).items()[1].text()
}

#[test]
fn values_are_read_by_name_and_pattern() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            (
                "CONFIG GET PORT",
                array([bulk("PORT"), bulk(server.port().to_string())]),
            ),
            ("CONFIG GET nonsense", array([])),
            (
                "CONFIG GET maxmemory-s* maxmemory-sample?",
                array([bulk("maxmemory-samples"), bulk("5")]),
            ),
            (
                "CONFIG GET",
                error("ERR wrong number of arguments for 'config|get' command"),
            ),
        ],
    );
    raw.ask("HELLO 3");
    let pairs = raw.ask("CONFIG GET *").pairs();
    assert!(pairs.len() > 200);
    let save = (bulk("save"), bulk(""));
    assert!(pairs.contains(&save));
}

#[test]
fn all_pairs_are_set_or_none() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let failed = |rest: &str| {
        error(&format!(
            "ERR CONFIG SET failed (possibly related to argument {rest}"
        ))
    };
    check(
        &mut raw,
        &[
            ("CONFIG SET maxmemory 100mb timeout 7", ok()),
            (
                "CONFIG SET maxmemory 200mb timeout -1",
                failed("'timeout') - argument must be between 0 and 2147483647 inclusive"),
            ),
            (
                "CONFIG SET maxmemory 200mb maxmemory 300mb",
                failed("'maxmemory') - duplicate parameter"),
            ),
            (
                "CONFIG SET maxmemory 200mb daemonize yes",
                failed("'daemonize') - can't set immutable config"),
            ),
            (
                "CONFIG SET maxmemory 200mb dir /",
                failed("'dir') - can't set protected config"),
            ),
            (
                "CONFIG SET maxmemory 200mb foo bar",
                error("ERR Unknown option or number of arguments for CONFIG SET - 'foo'"),
            ),
            (
                "CONFIG SET maxmemory",
                error("ERR wrong number of arguments for 'config|set' command"),
            ),
            (
                "CONFIG SET maxmemory 200mb timeout",
                error("ERR syntax error"),
            ),
        ],
    );
    assert_eq!(
        (value(&mut raw, "maxmemory"), value(&mut raw, "timeout")),
        ("104857600".into(), "7".into())
    );
}

#[test]
fn what_cannot_be_applied_is_taken_back() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port();
    let server = Server::start(&["--bind", "127.0.0.1"]);
    let mut raw = server.raw();
    let rows = [
        (
            format!("CONFIG SET timeout 5 port {port}"),
            "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.",
        ),
        (
            "CONFIG SET timeout 5 bind 192.0.2.1".to_owned(),
            "ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.",
        ),
    ];
    for (command, refusal) in &rows {
        assert_eq!(raw.ask(command), error(refusal), "{command}");
        assert_eq!(value(&mut raw, "timeout"), "0");
        assert_eq!(value(&mut raw, "port"), server.port().to_string());
        assert_eq!(value(&mut raw, "bind"), "127.0.0.1");
        assert_eq!(server.raw().ask("PING"), simple("PONG"), "it still listens");
    }
}

#[test]
fn the_server_moves_to_another_port() {
    let server = Server::start(&["--bind", "127.0.0.1", "--io-threads", "2"]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("its address").port();
    drop(free);
    // One connection on each worker.
    let mut both = [server.raw(), server.raw()];
    check(&mut both[1], &[(&format!("CONFIG SET port {port}"), ok())]);
    assert_eq!(Raw::connect(port).ask("PING"), simple("PONG"));
    assert!(Raw::try_connect(server.port()).is_err());
    check(
        &mut both[0],
        &[
            ("PING", simple("PONG")),
            (&format!("CONFIG SET port {}", server.port()), ok()),
        ],
    );
    assert_eq!(server.raw().ask("PING"), simple("PONG"));
    assert!(Raw::try_connect(port).is_err());
}

#[test]
fn addresses_of_one_port_take_turns() {
    let server = Server::start(&["--protected-mode", "no"]);
    let mut raw = server.raw();
    // Each of these would be refused the port while the one before it listens.
    for bind in ["127.0.0.1", "*", "127.0.0.1 -::1", "* -::*"] {
        check(&mut raw, &[(&format!("CONFIG SET bind \"{bind}\""), ok())]);
        assert_eq!(server.raw().ask("PING"), simple("PONG"), "{bind}");
    }
    let command = "CONFIG SET bind \"127.0.0.1 192.0.2.1\"";
    assert!(matches!(raw.ask(command), Reply::Error(_)));
    assert_eq!(
        server.raw().ask("PING"),
        simple("PONG"),
        "the addresses before are back"
    );
    check(
        &mut raw,
        &[("CONFIG SET bind \"\"", ok()), ("PING", simple("PONG"))],
    );
    assert!(Raw::try_connect(server.port()).is_err());
}

#[test]
fn a_change_counts_for_the_next_command() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send("PING\r\nCONFIG SET proto-max-bulk-len 1mb\r\nCONFIG GET proto-max-bulk-len\r\nCONFIG RESETSTAT\r\nPING\r\n");
    let replies = raw.read_many(5);
    assert_eq!(replies[1], ok());
    assert_eq!(replies[2].clone().items()[1], bulk("1048576"));
    assert_eq!(replies[4], simple("PONG"));
    check(
        &mut raw,
        &[
            ("MULTI", ok()),
            ("CONFIG SET timeout 3", simple("QUEUED")),
            ("CONFIG GET timeout", simple("QUEUED")),
            ("EXEC", array([ok(), array([bulk("timeout"), bulk("3")])])),
        ],
    );
}

#[test]
fn the_log_level_and_the_number_of_clients_follow() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("CONFIG SET loglevel nothing", ok()),
            ("DEBUG LOG unheard", ok()),
            ("CONFIG SET loglevel debug", ok()),
            ("DEBUG LOG heard", ok()),
            ("CONFIG SET maxclients 2", ok()),
        ],
    );
    let log = server.log();
    assert!(log.contains("DEBUG LOG: heard") && !log.contains("unheard"));
    let _second = server.raw();
    eventually("the third client is refused", || {
        let mut third = server.raw();
        third
            .try_read()
            .is_ok_and(|reply| reply == error("ERR max number of clients reached"))
    });
    let refusal = raw.ask("CONFIG SET maxclients 4000000000").text();
    assert!(refusal.contains(
        "The operating system is not able to handle the specified number of clients, try with "
    ));
    assert_eq!(value(&mut raw, "maxclients"), "2");
}

#[test]
fn the_directory_follows() {
    let server = Server::start(&["--enable-protected-configs", "local"]);
    let mut raw = server.raw();
    fs::create_dir(server.dir().join("data")).expect("a folder");
    check(&mut raw, &[("CONFIG SET dir data", ok())]);
    let path = value(&mut raw, "dir");
    assert!(path.ends_with("/data"), "{path}");
    let pid = raw.ask("INFO server").text();
    let pid = pid
        .lines()
        .find_map(|line| line.strip_prefix("process_id:"))
        .expect("an id");
    let cwd = fs::read_link(format!("/proc/{pid}/cwd")).expect("the process's directory");
    assert_eq!(cwd.to_string_lossy(), path);
    check(
        &mut raw,
        &[(
            "CONFIG SET dir nowhere",
            error(
                "ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or directory",
            ),
        )],
    );
}

#[test]
fn the_file_is_rewritten_with_its_comments() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("server.conf");
    fs::write(&file, "# about memory\nmaxmemory 1mb\n\nhz 20\n").expect("a file");
    let server = Server::start_with_file(&file, &[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("CONFIG SET maxmemory 2mb timeout 9", ok()),
            ("CONFIG REWRITE", ok()),
        ],
    );
    let text = fs::read_to_string(&file).expect("the file");
    assert!(
        text.starts_with("# about memory\nmaxmemory 2mb\n\nhz 20\n"),
        "{text}"
    );
    assert!(
        text.contains("# Generated by CONFIG REWRITE\n") && text.contains("\ntimeout 9\n"),
        "{text}"
    );
    fs::remove_file(&file).expect("removed");
    check(&mut raw, &[("CONFIG REWRITE", ok())]);
    assert!(
        fs::read_to_string(&file)
            .expect("the file is back")
            .contains("maxmemory 2mb")
    );
    drop(folder);
    check(
        &mut raw,
        &[(
            "CONFIG REWRITE",
            error("ERR Rewriting config file: No such file or directory"),
        )],
    );
    let without = Server::start(&[]);
    check(
        &mut without.raw(),
        &[(
            "CONFIG REWRITE",
            error("ERR The server is running without a config file"),
        )],
    );
}

#[test]
fn counters_are_reset() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("GET nothing");
    raw.ask("NONSENSE");
    check(&mut raw, &[("CONFIG RESETSTAT", ok())]);
    let text = raw.ask("INFO all").text();
    for field in [
        "keyspace_misses:0",
        "total_error_replies:0",
        "total_connections_received:0",
        "total_commands_processed:1",
        "cmdstat_config|resetstat:calls=1,",
    ] {
        assert!(text.contains(&format!("\r\n{field}")), "{field} in {text}");
    }
    assert!(
        !text.contains("cmdstat_get") && !text.contains("errorstat_") && !text.contains("usec_get")
    );
}

#[test]
fn help_explains() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    for container in ["CONFIG", "MEMORY", "DEBUG"] {
        let lines = raw.ask(&format!("{container} HELP")).items();
        let first = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        assert_eq!(lines[0], simple(&first));
        assert!(lines.len() % 2 == 1 && lines[2].text().starts_with("    "));
    }
}

#[test]
fn commands_are_renamed_by_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("server.conf");
    let lines = "rename-command CONFIG configure\nrename-command TIME \"\"\n";
    fs::write(&file, lines).expect("a file");
    let server = Server::start_with_file(&file, &[]);
    let mut raw = server.raw();
    for name in ["config", "TIME", "config|get"] {
        let text = raw.ask(&format!("{name} GET port")).text();
        assert!(text.starts_with("ERR unknown command"), "{text}");
    }
    check(&mut raw, &[("CONFIGURE REWRITE", ok())]);
    let text = fs::read_to_string(&file).expect("the file");
    assert!(text.starts_with(lines), "{text}");
}

#[test]
fn renamed_commands_are_loaded_from_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("server.conf");
    let lines = "rename-command SET put\nrename-command DEL \"\"\nrename-command PEXPIREAT \"\"\n\
                 rename-command XGROUP \"\"\nrename-command XCLAIM \"\"\n";
    fs::write(&file, lines).expect("a file");
    let mut server = Server::start_with_file(
        &file,
        &["--appendonly", "yes", "--aof-use-rdb-preamble", "no"],
    );
    let mut raw = server.raw();
    for rewrites in [true, false] {
        check(
            &mut raw,
            &[
                ("PUT key value EX 1000", ok()),
                ("EXPIRE key 500", integer(1)),
                ("PUT gone value", ok()),
                ("GETDEL gone", bulk("value")),
            ],
        );
        if rewrites {
            raw.ask("BGREWRITEAOF");
            eventually("the rewrite is over", || {
                let text = raw.ask("INFO persistence").text();
                text.contains("aof_rewrites:1\r\n") && text.contains("aof_rewrite_in_progress:0")
            });
        }
        server.restart();
        raw = server.raw();
        check(
            &mut raw,
            &[("GET key", bulk("value")), ("DBSIZE", integer(1))],
        );
        assert!((400..=500).contains(&raw.ask("TTL key").number()));
    }
}
