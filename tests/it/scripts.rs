//! Scripts: what EVAL takes and gives, its sandbox, its errors, and that nobody sees half of one.

use std::thread;

use crate::common::{Raw, Reply, Server, array, bulk, check, error, integer, ok, queued, simple};

fn rows(rows: &[(&str, Reply)]) {
    let server = Server::start(&[]);
    check(&mut server.raw(), rows);
}

/// The reply to a script without keys and arguments.
fn eval(raw: &mut Raw, script: &str) -> Reply {
    raw.command(&[b"EVAL", script.as_bytes(), b"0"])
}

/// The error line of a script, without the part that names it.
fn failure(raw: &mut Raw, script: &str) -> String {
    let line = eval(raw, script).text();
    line.split(" script: ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn values_come_and_go() {
    rows(&[
        ("EVAL \"return KEYS[1]..ARGV[1]\" 1 key arg", bulk("keyarg")),
        (
            "EVAL \"return {1,2,{3,'a'}}\" 0",
            array([integer(1), integer(2), array([integer(3), bulk("a")])]),
        ),
        ("EVAL \"return {1,nil,3}\" 0", array([integer(1)])),
        (
            "EVAL \"return {3.99,-3.99}\" 0",
            array([integer(3), integer(-3)]),
        ),
        ("EVAL \"return true\" 0", integer(1)),
        ("EVAL \"return false\" 0", Reply::NullBulk),
        ("EVAL \"return nil\" 0", Reply::NullBulk),
        ("EVAL \"return {ok='fine'}\" 0", simple("fine")),
        ("EVAL \"return {err='MY error'}\" 0", error("MY error")),
        ("EVAL \"return {double=3.5}\" 0", bulk("3.5")),
        ("EVAL \"return redis.status_reply('X')\" 0", simple("X")),
        ("EVAL \"return redis.error_reply('X y')\" 0", error("X y")),
        ("EVAL \"return redis.error_reply('X')\" 0", error("ERR X")),
        (
            "EVAL \"return redis.sha1hex('')\" 0",
            bulk("da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ),
        ("EVAL \"return redis.call('SET', 'n', 10)\" 0", ok()),
        ("EVAL \"return redis.call('GET', 'n')\" 0", bulk("10")),
        ("EVAL \"return redis.call('SET', 'n', 1e15)\" 0", ok()),
        ("GET n", bulk("1000000000000000")),
        (
            "EVAL \"return redis.call('GET', 'missing')\" 0",
            Reply::NullBulk,
        ),
        (
            "EVAL \"return type(redis.call('GET', 'missing'))\" 0",
            bulk("boolean"),
        ),
        (
            "EVAL \"return 1\" 1",
            error("ERR Number of keys can't be greater than number of args"),
        ),
        (
            "EVAL \"return 1\" -1",
            error("ERR Number of keys can't be negative"),
        ),
        (
            "EVAL \"return 1\" x",
            error("ERR value is not an integer or out of range"),
        ),
    ]);
}

#[test]
fn resp3_has_more_types() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("HELLO 3");
    raw.ask("HSET h f v");
    check(
        &mut raw,
        &[
            (
                "EVAL \"redis.setresp(3) return redis.call('HGETALL', 'h').map.f\" 0",
                bulk("v"),
            ),
            (
                "EVAL \"redis.setresp(3) return redis.call('HGETALL', 'h')\" 0",
                Reply::Map(vec![(bulk("f"), bulk("v"))]),
            ),
            (
                "EVAL \"return redis.call('HGETALL', 'h')\" 0",
                array([bulk("f"), bulk("v")]),
            ),
            (
                "EVAL \"return {double=3.5}\" 0",
                Reply::Double("3.5".parse().expect("a number")),
            ),
            (
                "EVAL \"return {set={x=true}}\" 0",
                Reply::Set(vec![bulk("x")]),
            ),
            ("EVAL \"redis.setresp(3) return true\" 0", Reply::Bool(true)),
            ("EVAL \"return true\" 0", integer(1)),
            (
                "EVAL \"redis.setresp(3) return redis.call('GET', 'missing') == nil\" 0",
                Reply::Bool(true),
            ),
        ],
    );
}

#[test]
fn the_sandbox_is_locked() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    const LOCKED: &str = "ERR user_script:1: Attempt to modify a readonly table";
    for script in [
        "redis = 1",
        "x = 1",
        "_G = {}",
        "redis.call = 1",
        "string.rep = 1",
        "getmetatable(_G).__index = 1",
        "getmetatable('').__index.rep = 1",
        "getmetatable('').__index = 1",
        "local _, g = pairs(_G); g.redis = 1",
        "for _, t in pairs(_G) do if type(t) == 'table' then t.x = 1 end end",
    ] {
        assert_eq!(failure(&mut raw, script), LOCKED, "{script}");
    }
    let big = eval(&mut raw, "return {big_number='1\\200\\n'}");
    assert_eq!(big, bulk(b"1\xc8 "));
    let shown = "return {type(getmetatable(_G).__index), rawequal(getmetatable(_G), _G)}";
    assert_eq!(
        eval(&mut raw, shown),
        array([bulk("function"), Reply::NullBulk])
    );
    for script in [
        "setmetatable(_G, {})",
        "rawset(_G, 'x', 1)",
        "table.insert(redis, 1)",
        "table.sort(math)",
        "table.remove(redis)",
    ] {
        assert_eq!(
            failure(&mut raw, script),
            LOCKED.replace("user_script:1: ", ""),
            "{script}"
        );
    }
    for name in [
        "dofile", "loadfile", "print", "io", "debug", "require", "package", "newproxy", "setfenv",
        "getfenv",
    ] {
        let expected = format!(
            "ERR user_script:1: Script attempted to access nonexistent global variable '{name}'"
        );
        assert_eq!(failure(&mut raw, &format!("return {name}")), expected);
    }
    let alone = eval(
        &mut raw,
        "local n = 0 for k in pairs(os) do n = n + 1 end return n",
    );
    assert_eq!(alone, integer(1));
    assert_eq!(
        eval(&mut raw, "return loadstring(string.dump(function() end))"),
        Reply::NullBulk
    );
    assert_eq!(
        eval(&mut raw, "return load(function() return nil end)()"),
        Reply::NullBulk
    );
    assert_eq!(eval(&mut raw, "return ('x'):rep(3)"), bulk("xxx"));
}

#[test]
fn errors_name_their_place() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let sha = "6c6a69ca11192f3d524585b5d65b8e08d2d8dcc6";
    let line =
        format!("ERR Unknown Redis command called from script script: {sha}, on @user_script:1.");
    assert_eq!(eval(&mut raw, "return redis.call(\"foo\")"), error(&line));
    for (script, line) in [
        (
            "redis.call('GET')",
            "ERR Wrong number of args calling Redis command from script",
        ),
        (
            "redis.call('SUBSCRIBE', 'a')",
            "ERR This Redis command is not allowed from script",
        ),
        (
            "redis.call()",
            "ERR Please specify at least one argument for this redis lib call",
        ),
        (
            "redis.call({})",
            "ERR Lua redis lib command arguments must be strings or integers",
        ),
        (
            "redis.call('INCR', KEYS[1])",
            "ERR Lua redis lib command arguments must be strings or integers",
        ),
        (
            "redis.call('SET', 'a', 'x') redis.call('INCR', 'a')",
            "ERR value is not an integer or out of range",
        ),
        ("error('oops')", "ERR user_script:1: oops"),
        ("error({err='MY oops'})", "MY oops"),
        ("error({err=5.5})", "5.5"),
        ("redis.log('nan', 'x')", "ERR Invalid debug level."),
        (
            "redis.set_repl()",
            "ERR redis.set_repl() requires two arguments.",
        ),
        (
            "local a = nil + 1",
            "ERR user_script:1: attempt to perform arithmetic on a nil value",
        ),
    ] {
        assert_eq!(failure(&mut raw, script), line, "{script}");
    }
    let caught = eval(&mut raw, "return {tostring(pcall()), select(2, pcall())}");
    let refused = "attempt to call a boolean value";
    assert_eq!(caught, array([bulk("false"), bulk(refused)]));
    let caught = eval(&mut raw, "return select(2, pcall(redis.call, 'GET'))");
    assert_eq!(
        caught,
        bulk("ERR Wrong number of args calling Redis command from script")
    );
    let compiled =
        "ERR Error compiling script (new function): user_script:1: '=' expected near '<eof>'";
    assert_eq!(eval(&mut raw, "x"), error(compiled));
}

#[test]
fn hostile_scripts_end_with_an_error() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for (script, beginning) in [
        (
            "local function f() return f() + 1 end return f()",
            "ERR user_script:1: stack overflow",
        ),
        (
            "local function f() return pcall(f) end f() error('deep')",
            "ERR ",
        ),
        (
            "local s = ('x'):rep(1048576) while true do s = s .. s end",
            "ERR Error running script",
        ),
        (
            "return ('x'):rep(1e10)",
            "ERR user_script:1: resulting string too large",
        ),
        (
            "return ('a'):rep(10):find(('a*'):rep(100000))",
            "ERR user_script:1: pattern too complex",
        ),
        (
            "return unpack({}, 1, 1e7)",
            "ERR user_script:1: too many results to unpack",
        ),
        (
            "return ('%99999d'):format(1)",
            "ERR user_script:1: invalid format",
        ),
        ("error({})", "ERR unknown error"),
        ("error(redis)", "ERR unknown error"),
    ] {
        let reply = eval(&mut raw, script);
        assert!(reply.text().starts_with(beginning), "{script}: {reply:?}");
    }
    // A table within itself: its reply is as deep as the server allows.
    raw.tell("EVAL \"local t = {} t[1] = t return t\" 0");
    let mut other = server.raw();
    assert_eq!(other.ask("PING"), simple("PONG"));
}

#[test]
fn scripts_are_known_by_their_digest() {
    const SHA: &str = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    let missing = || error("NOSCRIPT No matching script. Please use EVAL.");
    rows(&[
        (&format!("EVALSHA {SHA} 0"), missing()),
        ("EVALSHA short 0", missing()),
        ("SCRIPT LOAD \"return 1\"", bulk(SHA)),
        (&format!("EVALSHA {} 0", SHA.to_uppercase()), integer(1)),
        (
            &format!("SCRIPT EXISTS {SHA} nothing"),
            array([integer(1), integer(0)]),
        ),
        (&format!("SCRIPT SHOW {SHA}"), bulk("return 1")),
        ("SCRIPT FLUSH", ok()),
        (&format!("EVALSHA {SHA} 0"), missing()),
        ("EVAL \"return 1\" 0", integer(1)),
        (&format!("EVALSHA_RO {SHA} 0"), integer(1)),
        (
            "SCRIPT FLUSH NOW",
            error("ERR SCRIPT FLUSH only support SYNC|ASYNC option"),
        ),
        (
            "SCRIPT KILL",
            error("NOTBUSY No scripts in execution right now."),
        ),
        ("SCRIPT DEBUG NO", ok()),
    ]);
}

#[test]
fn flags_are_kept() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let refused = "ERR Write commands are not allowed from read-only scripts.";
    assert_eq!(
        failure(&mut raw, "#!lua flags=no-writes\nredis.call('SET', 'a', 1)"),
        refused
    );
    let read_only = raw.command(&[b"EVAL_RO", b"return redis.call('SET', 'a', 1)", b"0"]);
    assert!(read_only.text().starts_with(refused));
    let flagged = raw.command(&[b"EVAL_RO", b"#!lua\nreturn 1", b"0"]);
    assert_eq!(
        flagged,
        error("ERR Can not execute a script with write flag using *_ro command.")
    );
    let unknown = error("ERR Unexpected flag in script shebang: x");
    assert_eq!(eval(&mut raw, "#!lua flags=x\nreturn 1"), unknown);
    assert_eq!(
        eval(&mut raw, "#!lua flags=no-writes,allow-stale\nreturn 1"),
        integer(1)
    );
}

#[test]
fn scripts_are_atomic_and_wake_who_waits() {
    let server = Server::start(&["--io-threads", "2"]);
    let (mut raw, mut waiter) = (server.raw(), server.raw());
    waiter.tell("BLPOP list 0");
    while !raw.ask("INFO clients").text().contains("blocked_clients:1") {}
    check(
        &mut raw,
        &[
            (
                "EVAL \"redis.call('RPUSH', 'list', 'a') return redis.call('LLEN', 'list')\" 0",
                integer(1),
            ),
            ("LLEN list", integer(0)),
            (
                "EVAL \"return redis.call('BLPOP', 'list', 0)\" 0",
                Reply::NullBulk,
            ),
            ("MULTI", ok()),
            ("EVAL \"return redis.call('INCR', 'n')\" 0", queued()),
            ("INCR n", queued()),
            ("EXEC", array([integer(1), integer(2)])),
            (
                "EVAL \"redis.call('SELECT', 3) return redis.call('SET', 'three', 1)\" 0",
                ok(),
            ),
            ("EXISTS three", integer(0)),
        ],
    );
    assert_eq!(waiter.read(), array([bulk("list"), bulk("a")]));
    let both = "local a = redis.call('INCR', 'a') local b = redis.call('INCR', 'b') return a - b";
    let port = server.port();
    let workers = (0..4).map(|_| {
        thread::spawn(move || {
            let mut raw = Raw::connect(port);
            (0..200).for_each(|_| assert_eq!(eval(&mut raw, both), integer(0)));
        })
    });
    let workers: Vec<_> = workers.collect();
    workers
        .into_iter()
        .for_each(|worker| worker.join().expect("the counts agree"));
    assert_eq!(raw.ask("GET a"), bulk("800"));
}

#[test]
fn effects_are_journaled_as_one() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut raw = server.raw();
    let script = "redis.call('SET', 'a', 1) redis.call('EXPIRE', 'a', 100) redis.set_repl(redis.REPL_NONE) \
                  redis.call('SET', 'b', 1) redis.set_repl(redis.REPL_ALL) return redis.call('SPOP', 'none')";
    assert_eq!(eval(&mut raw, script), Reply::NullBulk);
    server.kill();
    server.restart();
    check(
        &mut server.raw(),
        &[
            ("GET a", bulk("1")),
            ("EXISTS b", integer(0)),
            ("PERSIST a", integer(1)),
        ],
    );
}

#[test]
fn commands_that_scripts_call_are_timed() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("EVAL \"for i = 1, 1000 do redis.call('INCR', KEYS[1]) end\" 1 key");
    let stats = raw.ask("INFO commandstats").text();
    let line = stats.lines().find(|line| line.starts_with("cmdstat_incr:"));
    let line = line.expect("it was called");
    assert!(line.starts_with("cmdstat_incr:calls=1000,usec="), "{line}");
    assert!(!line.contains("usec=0,"), "{line}");
    let latency = raw.ask("INFO latencystats").text();
    assert!(
        latency.contains("latency_percentiles_usec_incr:"),
        "{latency}"
    );
}
