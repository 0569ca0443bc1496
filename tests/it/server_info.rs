//! INFO, MEMORY, metrics and what else tells of the server; how it ends.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::common::{Raw, Reply, Server, bulk, check, error, eventually, integer, ok, simple};

/// Fields of `redis-server` 7.0 that are not told here, each with its reason.
const MISSING: &[(&str, &str)] = &[];

/// The fields of some sections; a line that is neither a field, a title nor empty fails the test.
pub fn info(raw: &mut Raw, sections: &str) -> BTreeMap<String, String> {
    let text = raw.ask(&format!("INFO {sections}")).text();
    let lines = text.split_terminator("\r\n");
    let fields = lines.filter(|line| !line.is_empty() && !line.starts_with("# "));
    fields
        .map(|line| {
            let (name, value) = line
                .split_once(':')
                .unwrap_or_else(|| panic!("no field: {line:?}"));
            assert!(!line.contains('\n'), "{line:?}");
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

fn number(fields: &BTreeMap<String, String>, name: &str) -> f64 {
    let value = &fields[name];
    value
        .trim_end_matches('%')
        .parse()
        .unwrap_or_else(|_| panic!("{name} is no number: {value}"))
}

fn titles(raw: &mut Raw, sections: &str) -> Vec<String> {
    let text = raw.ask(&format!("INFO {sections}")).text();
    let titles = text.lines().filter_map(|line| line.strip_prefix("# "));
    titles.map(str::to_owned).collect()
}

#[test]
fn every_field_of_redis_is_told() {
    let Some(redis) = Server::redis(&["--appendonly", "no"]) else {
        return;
    };
    let server = Server::start(&[]);
    let (theirs, ours) = (
        info(&mut redis.raw(), "everything"),
        info(&mut server.raw(), "everything"),
    );
    let missing: Vec<&String> = theirs
        .keys()
        .filter(|name| !ours.contains_key(*name))
        .filter(|name| !name.starts_with("cmdstat_") && !name.starts_with("latency_percentiles_"))
        .filter(|name| !MISSING.iter().any(|(known, _)| known == name))
        .collect();
    assert!(missing.is_empty(), "not told: {missing:?}");
    for (name, value) in &theirs {
        let Some(own) = ours.get(name) else { continue };
        // Hexadecimal digits may look like a number.
        if name.ends_with("_id") || name.contains("replid") || name.contains("sha1") {
            continue;
        }
        let is_number = |text: &str| text.trim_end_matches('%').parse::<f64>().is_ok();
        assert_eq!(
            is_number(value),
            is_number(own),
            "{name}: {value} and {own}"
        );
    }
}

#[test]
fn sections_are_told_as_asked_for() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let default = [
        "Server",
        "Clients",
        "Memory",
        "Persistence",
        "Stats",
        "Replication",
        "CPU",
        "Modules",
        "Errorstats",
        "Cluster",
        "Keyspace",
    ];
    assert_eq!(titles(&mut raw, ""), default);
    assert_eq!(titles(&mut raw, "default"), default);
    assert_eq!(titles(&mut raw, "CPU keyspace cpu"), ["CPU", "Keyspace"]);
    assert_eq!(titles(&mut raw, "nonsense"), Vec::<String>::new());
    for all in ["all", "everything", "cpu ALL"] {
        let titles = titles(&mut raw, all);
        assert_eq!(titles.len(), default.len() + 2, "{titles:?}");
        assert!(titles.contains(&"Commandstats".into()) && titles.contains(&"Latencystats".into()));
    }
    assert_eq!(
        raw.ask("INFO cluster"),
        bulk("# Cluster\r\ncluster_enabled:0\r\n")
    );
    assert!(
        raw.ask("INFO cpu cluster")
            .text()
            .contains("\r\n\r\n# Cluster\r\n")
    );
    raw.ask("HELLO 3");
    assert!(matches!(raw.ask("INFO cluster"), Reply::Verbatim(format, _) if format == "txt"));
}

#[test]
fn figures_are_true() {
    let server = Server::start(&["--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru"]);
    let mut raw = server.raw();
    eventually("it is known what the start took", || {
        info(&mut raw, "memory")["used_memory_startup"] != "0"
    });
    let before = info(&mut raw, "all");
    assert_eq!(before["tcp_port"], server.port().to_string());
    assert_eq!(before["maxmemory_human"], "1.00G");
    assert_eq!(before["maxmemory_policy"], "allkeys-lru");
    assert_eq!(before["run_id"].len(), 40);
    for n in 0..400 {
        assert_eq!(
            raw.ask(&format!("SET key:{n} {}", "x".repeat(10_000))),
            ok()
        );
    }
    raw.ask("SET volatile 1 EX 100");
    raw.ask("GET key:1");
    raw.ask("GET nothing");
    raw.ask("NONSENSE");
    let script = b"for _ = 1, 3 do redis.call('EXISTS', KEYS[1]) end";
    raw.command(&[b"EVAL", script, b"1", b"volatile"]);
    let after = info(&mut raw, "all");
    let grown = |name: &str| number(&after, name) - number(&before, name);
    assert!(grown("used_memory") > 3_500_000.0 && grown("used_memory_dataset") > 3_500_000.0);
    assert!(
        grown("total_net_input_bytes") > 4_000_000.0 && grown("total_net_output_bytes") > 10_000.0
    );
    // What is refused is not processed; what a script calls is.
    assert_eq!(grown("total_commands_processed"), 408.0);
    assert_eq!(
        (grown("keyspace_hits"), grown("keyspace_misses")),
        (4.0, 1.0)
    );
    assert_eq!(grown("total_error_replies"), 1.0);
    assert_eq!(after["errorstat_ERR"], "count=1");
    assert_eq!(grown("rdb_changes_since_last_save"), 401.0);
    assert!(number(&after, "used_memory_rss") > number(&after, "used_memory"));
    assert!(number(&after, "used_memory_peak") >= number(&after, "used_memory"));
    assert!(
        after["cmdstat_set"].starts_with("calls=401,usec="),
        "{}",
        after["cmdstat_set"]
    );
    assert!(after["latency_percentiles_usec_set"].starts_with("p50="));
    let keys = &after["db0"];
    assert!(
        keys.starts_with("keys=401,expires=1,avg_ttl=") && keys.ends_with(",subexpiry=0"),
        "{keys}"
    );
    let left = keys.split(['=', ',']).nth(5).map(str::parse::<u32>);
    assert!(matches!(left, Some(Ok(90_000..=100_000))), "{keys}");
    let mut second = server.raw();
    second.ask("SUBSCRIBE news");
    let clients = info(&mut raw, "clients");
    assert_eq!(
        (&*clients["connected_clients"], &*clients["pubsub_clients"]),
        ("2", "1")
    );
    assert_eq!(info(&mut raw, "stats")["pubsub_channels"], "1");
}

#[test]
fn every_element_that_changes_is_a_change() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let mut known = 0.0;
    for (command, changes) in [
        ("RPUSH list a b c d e f", 6),
        ("LPOP list 2", 2),
        ("LMOVE list list LEFT RIGHT", 1),
        ("BLMOVE list other LEFT RIGHT 0", 1),
        ("RPOP other", 1),
        ("LTRIM list 0 0", 2),
        ("LREM list 0 nothing", 0),
        ("SADD set a b c d e", 5),
        ("SADD set a", 0),
        ("SREM set a b nothing", 2),
        ("SPOP set 3", 3),
        ("HSET hash a 1 b 2", 2),
        ("HSET hash a 1", 1),
        ("HDEL hash a b nothing", 2),
        ("ZADD zset 1 a 2 b 3 c", 3),
        ("ZADD zset 1 a 5 b", 1),
        ("ZPOPMIN zset 2", 2),
        ("ZREMRANGEBYRANK zset 0 -1", 1),
        ("GEOADD places 1 2 a 3 4 b", 2),
        (
            "GEOSEARCHSTORE near places FROMLONLAT 1 2 BYRADIUS 1000 km",
            2,
        ),
        ("XADD stream 1-1 a 1", 1),
        ("XADD stream 1-2 a 1", 1),
        ("XTRIM stream MAXLEN 0", 2),
        ("BITFIELD bits SET u8 0 255 SET u8 8 1", 2),
        ("SORT places STORE sorted ALPHA", 2),
        ("RENAME sorted again", 1),
        ("MOVE again 1", 1),
    ] {
        raw.ask(command);
        let now = number(
            &info(&mut raw, "persistence"),
            "rdb_changes_since_last_save",
        );
        assert_eq!(now - known, f64::from(changes), "{command}");
        known = now;
    }
}

#[test]
fn calls_that_are_refused_or_queued_are_no_calls() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("GET");
    raw.ask("GET k");
    check(&mut raw, &[("MULTI", ok())]);
    raw.ask("SET k 1");
    raw.ask("EXEC");
    raw.ask("INCR x y");
    let stats = info(&mut raw, "commandstats");
    let counts = |name: &str| {
        let text = &stats[name];
        let field = |wanted: &str| {
            let found = text.split(',').find_map(|part| part.strip_prefix(wanted));
            found.map_or(0, |value| value.parse().expect("a number"))
        };
        (
            field("calls="),
            field("rejected_calls="),
            field("failed_calls="),
        )
    };
    assert_eq!(counts("cmdstat_get"), (1, 1, 0));
    assert_eq!(counts("cmdstat_set"), (1, 0, 0));
    assert_eq!(counts("cmdstat_incr"), (0, 1, 0));
}

#[test]
fn scripts_that_end_with_an_error_are_failed_calls() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("EVAL \"return redis.call('SELECT', 99)\" 0");
    raw.ask("EVAL \"return redis.pcall('SELECT', 99)\" 0");
    raw.ask("EVAL \"redis.pcall('SELECT', 99)\" 0");
    raw.ask("EVAL_RO \"return redis.call('SET', 'x', 'y')\" 1 x");
    raw.ask("EVAL_RO \"return {err='MY error'}\" 0");
    let stats = info(&mut raw, "commandstats");
    let ends = |name: &str, wanted: &str| {
        let text = &stats[name];
        assert!(text.ends_with(wanted), "{name}: {text}");
    };
    ends("cmdstat_select", "rejected_calls=0,failed_calls=3");
    ends("cmdstat_set", "rejected_calls=1,failed_calls=0");
    ends("cmdstat_eval", "rejected_calls=0,failed_calls=2");
    ends("cmdstat_eval_ro", "rejected_calls=0,failed_calls=2");
    let errors = info(&mut raw, "errorstats");
    assert_eq!(errors["errorstat_ERR"], "count=4");
    assert_eq!(info(&mut raw, "stats")["total_error_replies"], "5");
}

#[test]
fn rates_follow_the_load() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let deadline = Instant::now() + Duration::from_secs(1);
    while Instant::now() < deadline {
        raw.send(b"*1\r\n$4\r\nPING\r\n".repeat(50));
        raw.read_many(50);
    }
    let stats = info(&mut raw, "stats");
    assert!(number(&stats, "instantaneous_ops_per_sec") > 50.0);
    assert!(number(&stats, "instantaneous_input_kbps") > 0.5);
    assert!(number(&stats, "eventloop_cycles") > 1.0);
    eventually("the rate falls", || {
        number(&info(&mut raw, "stats"), "instantaneous_ops_per_sec") < 1000.0
    });
}

#[test]
fn memory_of_a_key_follows_its_value() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for size in [10, 1000, 100_000] {
        raw.ask(&format!("SET k {}", "x".repeat(size)));
        let bytes = raw.ask("MEMORY USAGE k SAMPLES 0").number() as usize;
        assert!(
            bytes >= size && bytes < size + size / 4 + 200,
            "{size}: {bytes}"
        );
    }
    check(
        &mut raw,
        &[
            ("MEMORY USAGE nothing", Reply::NullBulk),
            ("MEMORY USAGE k SAMPLES -1", error("ERR syntax error")),
            ("MEMORY USAGE k SAMPLES", error("ERR syntax error")),
            (
                "MEMORY USAGE k SAMPLES x",
                error("ERR value is not an integer or out of range"),
            ),
            ("MEMORY PURGE", ok()),
        ],
    );
    assert!(raw.ask("MEMORY DOCTOR").text().contains("Sam"));
    assert!(!raw.ask("MEMORY MALLOC-STATS").text().is_empty());
    raw.ask("HELLO 3");
    let stats = raw.ask("MEMORY STATS").pairs();
    let figure = |name: &str| {
        let found = stats.iter().find(|(known, _)| *known == bulk(name));
        found.unwrap_or_else(|| panic!("no {name}")).1.clone()
    };
    assert_eq!(figure("keys.count"), integer(1));
    assert!(figure("total.allocated").number() > 100_000);
    assert!(matches!(figure("fragmentation"), Reply::Double(ratio) if ratio > 0.0));
    assert_eq!(figure("db.0").pairs().len(), 3);
    assert!(figure("overhead.db.hashtable.lut").number() > 0);
    assert_eq!(figure("db.dict.rehashing.count"), integer(0));
}

#[test]
fn what_event_loops_do_is_told_to_developers() {
    let server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    raw.send("SET key value\r\n".repeat(50));
    raw.read_many(50);
    eventually("all has happened", || {
        let info = raw.ask("INFO debug").text();
        let figures = info.lines().filter_map(|line| line.split_once(':'));
        let figures: BTreeMap<_, _> = figures.collect();
        let figure = |name: &str| figures[name].parse::<u64>().expect("a number");
        let times = ["aof_sum", "cron_sum", "max"];
        let is_told = |name: &&str| figure(&format!("eventloop_duration_{name}")) > 0;
        times.iter().all(is_told) && figure("eventloop_cmd_per_cycle_max") > 1
    });
}

#[test]
fn keys_with_fields_that_expire_are_counted() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let mut told = |commands: &[&str]| {
        commands.iter().for_each(|command| drop(raw.ask(command)));
        let info = raw.ask("INFO keyspace").text();
        let line = info.lines().find_map(|line| line.strip_prefix("db0:keys="));
        let counts = line.unwrap_or("").split(['=', ',']).map(str::to_owned);
        counts.step_by(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        told(&["HSET a f 1 g 2", "HSET b f 1", "SET c 1"]),
        "3 0 0 0"
    );
    assert_eq!(told(&["HEXPIRE a 1000 FIELDS 1 f"]), "3 0 0 1");
    let both = ["HEXPIRE b 1000 FIELDS 1 f", "PERSIST b", "HSET d f 1"];
    assert_eq!(told(&both), "4 0 0 2");
    // An expiry of the key itself changes nothing about its fields.
    assert!(told(&["EXPIRE b 1000"]).starts_with("4 1 "));
    assert!(told(&[]).ends_with(" 2"));
    assert!(told(&["RENAME b e"]).ends_with(" 2"));
    assert!(told(&["COPY e f"]).ends_with(" 3"));
    assert!(told(&["DEL e", "HPERSIST a FIELDS 1 f"]).ends_with(" 1"));
    assert_eq!(told(&["DEL f"]), "3 0 0 0");
    let many: Vec<String> = (0..50)
        .map(|field| format!("HSETEX f:{field} EX 1000 FIELDS 1 {} v", "n".repeat(100)))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(told(&many), "53 0 0 50");
    assert_eq!(told(&["FLUSHALL", "SET c 1"]), "1 0 0 0");
}

#[test]
fn time_and_picture() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let now = raw.ask("TIME").items();
    let seconds: i64 = now[0].text().parse().expect("seconds");
    let started = raw.ask("LASTSAVE").number();
    assert!((0..60).contains(&(seconds - started)));
    assert!(
        now[1]
            .text()
            .parse::<u32>()
            .is_ok_and(|micros| micros < 1_000_000)
    );
    for command in ["LOLWUT", "LOLWUT VERSION 5 1 2 3"] {
        assert!(raw.ask(command).text().contains("Redis ver. "), "{command}");
    }
    check(
        &mut raw,
        &[(
            "LOLWUT VERSION x",
            error("ERR value is not an integer or out of range"),
        )],
    );
}

#[test]
fn shutdown_ends_the_server_without_a_reply() {
    for command in ["SHUTDOWN", "SHUTDOWN NOSAVE NOW FORCE"] {
        let mut server = Server::start(&["--io-threads", "2"]);
        let mut others: Vec<Raw> = (0..4).map(|_| server.raw()).collect();
        let mut raw = server.raw();
        raw.tell(command);
        raw.expect_closed();
        assert!(server.wait().success());
        others.iter_mut().for_each(Raw::expect_closed);
        assert!(server.log().contains("ready to exit, bye bye"));
    }
}

#[test]
fn a_signal_can_be_taken_back_while_signals_wait() {
    let mut server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    check(&mut raw, &[("DEBUG PAUSE-CRON 1", ok())]);
    server.signal(libc::SIGTERM);
    eventually("the signal has arrived", || {
        server
            .log()
            .contains("Received SIGTERM scheduling shutdown...")
    });
    check(
        &mut raw,
        &[
            ("SHUTDOWN ABORT", ok()),
            ("DEBUG PAUSE-CRON 0", ok()),
            ("SHUTDOWN ABORT", error("ERR No shutdown in progress.")),
            ("PING", simple("PONG")),
        ],
    );
    assert!(server.log().contains("Shutdown manually aborted."));
    server.stop();
}

/// What a request over HTTP is answered with.
fn http(port: u16, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("a listener");
    let limit = Some(Duration::from_secs(10));
    stream.set_read_timeout(limit).expect("a timeout");
    let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::io::Write::write_all(&mut stream, head.as_bytes()).expect("a request");
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).expect("an answer");
    answer
}

#[test]
fn metrics_are_told_over_http() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    if raw.ask(&format!("CONFIG SET metrics-port {port}")) != ok() {
        return;
    }
    raw.ask("SET key value");
    raw.ask("NOSUCH");
    raw.ask("CONFIG SET latency-monitor-threshold 1");
    raw.ask("DEBUG SLEEP 0.02");
    // The connection that found the server ready may not have left yet.
    eventually("there is one client", || {
        http(port, "GET /metrics").contains("redis_connected_clients 1\n")
    });
    let answer = http(port, "GET /metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for line in [
        "redis_up 1",
        "redis_connected_clients 1",
        "redis_commands_total{cmd=\"set\"} 1",
        "redis_db_keys{db=\"db0\"} 1",
        "redis_errors_total{err=\"ERR\"} 1",
        "redis_config_maxclients ",
        "redis_start_time_seconds ",
        "redis_latency_percentiles_usec_count{cmd=\"set\"} 1",
        "redis_commands_latencies_usec_bucket{cmd=\"set\",le=\"+Inf\"} 1",
        "redis_commands_latencies_usec_count{cmd=\"set\"} 1",
        "redis_db_keys{db=\"db15\"} 0",
        "redis_io_threads_active ",
        "redis_memory_used_vm_eval_bytes ",
        "redis_config_client_output_buffer_limit_bytes{class=\"pubsub\",limit=\"hard\"} 33554432",
        "redis_latency_spike_duration_seconds{event_name=\"command\"} 0.",
        "redis_commandlog_slow_length ",
        "redis_exporter_last_scrape_error{err=\"\"} 0",
    ] {
        assert!(answer.contains(line), "{line} in {answer}");
    }
    assert!(http(port, "GET /nothing").starts_with("HTTP/1.1 404 "));
    assert!(http(port, "POST /metrics").starts_with("HTTP/1.1 405 "));
    assert_eq!(raw.ask("CONFIG SET metrics-port 0"), ok());
    eventually("nobody listens any more", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
    });
}

#[test]
fn sizes_of_keys_are_told_to_those_who_ask() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for command in [
        "SET a 12345",
        "SET b 123456789",
        "SET empty \"\"",
        "RPUSH l 1 2 3",
        "SADD s 1",
        "ZADD z 1 a 2 b",
        "HSET h f v",
    ] {
        raw.ask(command);
    }
    let sizes = raw.ask("INFO keysizes").text();
    if sizes.is_empty() {
        return;
    }
    let expected = "# Keysizes\r\ndb0_distrib_strings_sizes:0=1,4=1,8=1\r\ndb0_distrib_lists_items:2=1\r\n\
        db0_distrib_sets_items:1=1\r\ndb0_distrib_zsets_items:2=1\r\ndb0_distrib_hashes_items:1=1\r\n";
    assert_eq!(sizes, expected);
    assert!(!raw.ask("INFO everything").text().contains("distrib_"));
}

#[test]
fn a_server_with_a_unix_socket_ends_when_it_is_told_to() {
    for _ in 0..5 {
        let path = tempfile::tempdir().expect("a folder");
        let socket = path.path().join("socket");
        let socket = socket.to_string_lossy();
        let mut server = Server::start(&["--unixsocket", &socket, "--io-threads", "1"]);
        server.signal(libc::SIGTERM);
        assert!(server.wait().success());
        let refused = std::net::TcpStream::connect(("127.0.0.1", server.port()));
        assert!(refused.is_err());
    }
}
