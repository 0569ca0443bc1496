//! Libraries of functions: loading, calling, listing, dumping, and that they are there after a restart.

use crate::common::{Raw, Reply, Server, array, bulk, check, error, integer, ok, simple};

const LIBRARY: &str = "#!lua name=mine\n\
    redis.register_function('my_set', function(keys, args) return redis.call('SET', keys[1], args[1]) end)\n\
    redis.register_function{function_name='my_get', callback=function(keys) return redis.call('GET', keys[1]) end, \
    flags={'no-writes'}, description='gets'}";

fn load(raw: &mut Raw, code: &str) -> Reply {
    raw.command(&[b"FUNCTION", b"LOAD", code.as_bytes()])
}

#[test]
fn functions_are_loaded_and_called() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    assert_eq!(load(&mut raw, LIBRARY), bulk("mine"));
    assert_eq!(
        load(&mut raw, LIBRARY),
        error("ERR Library 'mine' already exists")
    );
    let replaced = raw.command(&[b"FUNCTION", b"LOAD", b"REPLACE", LIBRARY.as_bytes()]);
    assert_eq!(replaced, bulk("mine"));
    let read_only = raw.ask("FCALL_RO my_set 1 key value");
    let refused = "ERR Can not execute a script with write flag using *_ro command.";
    check(
        &mut raw,
        &[
            ("FCALL my_set 1 key value", ok()),
            ("FCALL MY_GET 1 key", bulk("value")),
            ("FCALL_RO my_get 1 key", bulk("value")),
            ("FCALL nothing 0", error("ERR Function not found")),
            ("FCALL my_get x", error("ERR Bad number of keys provided")),
            (
                "FCALL my_get 2 a",
                error("ERR Number of keys can't be greater than number of args"),
            ),
            (
                "FUNCTION KILL",
                error("NOTBUSY No scripts in execution right now."),
            ),
            ("FUNCTION DELETE other", error("ERR Library not found")),
            ("FUNCTION DELETE mine", ok()),
            ("FCALL my_get 1 key", error("ERR Function not found")),
            ("FUNCTION LIST", array([])),
        ],
    );
    assert_eq!(read_only, error(refused));
}

#[test]
fn libraries_that_do_not_load_say_why() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let begin = "#!lua name=a\n";
    for (code, reason) in [
        ("return 1", "Missing library metadata"),
        ("#!lua name=a\n", "No functions registered"),
        (
            "#!lua name=a\nreturn +",
            "Error compiling function: user_function:3: unexpected symbol near '<eof>'",
        ),
        (
            "#!lua name=a\nredis.call('GET')",
            "Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'call'",
        ),
        (
            "#!lua name=a\nx = 1",
            "Error registering functions: ERR user_function:2: Attempt to modify a readonly table",
        ),
        (
            "#!lua name=a\nredis.register_function('f')",
            "Error registering functions: ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
        ),
        (
            "#!lua name=a\nredis.register_function('a-b', function() end)",
            "Error registering functions: ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
        ),
        (
            "#!lua name=a\nwhile true do end",
            "Error registering functions: ERR FUNCTION LOAD timeout",
        ),
    ] {
        let reply = load(&mut raw, code);
        let line = reply.text();
        let matches = line == format!("ERR {reason}")
            || line.replace("user_function:2: unexp", "user_function:3: unexp")
                == format!("ERR {reason}");
        assert!(matches, "{code}: {line}");
    }
    let code = format!("{begin}redis.register_function('f', function() return 1 end)");
    assert_eq!(load(&mut raw, &code), bulk("a"));
    let taken = code.replace("name=a", "name=b");
    assert_eq!(
        load(&mut raw, &taken),
        error("ERR Function f already exists")
    );
    assert_eq!(raw.ask("FCALL f 0"), integer(1));
}

#[test]
fn libraries_are_listed() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    load(&mut raw, LIBRARY);
    let functions = |with: &[Reply]| array(with.to_vec());
    let set = array([
        bulk("name"),
        bulk("my_set"),
        bulk("description"),
        Reply::NullBulk,
        bulk("flags"),
        array([]),
    ]);
    let get = array([
        bulk("name"),
        bulk("my_get"),
        bulk("description"),
        bulk("gets"),
        bulk("flags"),
        array([simple("no-writes")]),
    ]);
    let library = array([
        bulk("library_name"),
        bulk("mine"),
        bulk("engine"),
        bulk("LUA"),
        bulk("functions"),
        functions(&[set, get]),
    ]);
    check(
        &mut raw,
        &[
            ("FUNCTION LIST", array([library])),
            ("FUNCTION LIST LIBRARYNAME x*", array([])),
            (
                "FUNCTION LIST LIBRARYNAME",
                error("ERR library name argument was not given"),
            ),
            ("FUNCTION LIST x", error("ERR Unknown argument x")),
        ],
    );
}

#[test]
fn libraries_are_dumped_and_restored() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    load(&mut raw, LIBRARY);
    let Reply::Bulk(dump) = raw.ask("FUNCTION DUMP") else {
        panic!("a dump is a string");
    };
    let mut restore = |policy: &[u8]| raw.command(&[b"FUNCTION", b"RESTORE", &dump, policy]);
    assert_eq!(restore(b"APPEND"), error("ERR Library mine already exists"));
    assert_eq!(restore(b"REPLACE"), ok());
    assert_eq!(restore(b"FLUSH"), ok());
    let wrong = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.";
    assert_eq!(restore(b"x"), error(wrong));
    let bad = raw.command(&[b"FUNCTION", b"RESTORE", b"nonsense"]);
    assert_eq!(bad, error("ERR DUMP payload version or checksum are wrong"));
    assert_eq!(raw.ask("FUNCTION FLUSH"), ok());
    assert_eq!(raw.command(&[b"FUNCTION", b"RESTORE", &dump]), ok());
    assert_eq!(raw.ask("FCALL my_set 1 key value"), ok());
    if let Some(redis) = Server::redis(&[]) {
        let mut raw = redis.raw();
        assert_eq!(raw.command(&[b"FUNCTION", b"RESTORE", &dump]), ok());
        assert_eq!(raw.ask("FCALL my_set 1 key value"), ok());
    }
}

#[test]
fn libraries_outlive_a_restart() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    load(&mut raw, LIBRARY);
    server.restart();
    let mut raw = server.raw();
    assert_eq!(raw.ask("FCALL my_set 1 key value"), ok());
    // As a part of a base.
    assert_eq!(raw.ask("CONFIG SET appendonly no"), ok());
    assert_eq!(raw.ask("CONFIG SET appendonly yes"), ok());
    server.restart();
    assert_eq!(server.raw().ask("FCALL my_get 1 key"), bulk("value"));
}
