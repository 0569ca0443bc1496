//! Which scripts run under the locks of their keys alone.

use mlua::Lua;

use crate::commands::FAMILIES;
use crate::config::Config;
use crate::engine::Engine;
use crate::scripting::reach;

/// Scripts that are understood, and whether they keep to their keys.
const ROWS: &[(&str, bool)] = &[
    ("return redis.call('INCR', KEYS[1])", true),
    (
        "return redis.call('mset', KEYS[1], 1, KEYS[2], ARGV[1])",
        true,
    ),
    ("return redis.call('DEL', unpack(KEYS))", true),
    ("return redis.call('HSET', KEYS[1], unpack(ARGV))", true),
    ("return redis.call('OBJECT', 'ENCODING', KEYS[1])", true),
    ("return redis.call('TIME')", true),
    ("return redis.call('PUBLISH', ARGV[1], ARGV[2])", true),
    ("return redis.call('SELECT', 1)", true),
    ("return redis.call('LRANGE', KEYS[1], 0, -1)", true),
    (
        "return redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], KEYS[3], 'WEIGHTS', 1, 2)",
        true,
    ),
    (
        "for _, key in ipairs(KEYS) do redis.call('UNLINK', key) end",
        true,
    ),
    ("return redis.call('INCR', 'a')", false),
    ("return redis.call('INCR', ARGV[1])", false),
    ("return redis.call('INCR', KEYS[1] .. ':count')", false),
    ("return redis.call('mset', KEYS[1], 1, 'b', 2)", false),
    ("return redis.call('mset', unpack(ARGV))", false),
    ("return redis.call('mset', unpack(KEYS))", true),
    ("return redis.call('DEL', unpack(ARGV))", false),
    ("return redis.call('RENAME', KEYS[1], ARGV[1])", false),
    ("return redis.call('COPY', KEYS[1], 'b')", false),
    (
        "return redis.call('ZUNIONSTORE', KEYS[1], ARGV[1], KEYS[2], KEYS[3])",
        false,
    ),
    (
        "return redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], 'other')",
        false,
    ),
    (
        "return redis.call('XREAD', 'COUNT', ARGV[1], 'STREAMS', KEYS[1], 0)",
        false,
    ),
    (
        "return redis.call('SORT', KEYS[1], 'STORE', KEYS[2])",
        false,
    ),
    (
        "return redis.call('GEORADIUS', KEYS[1], 1, 1, 1, 'm', 'STORE', ARGV[1])",
        false,
    ),
    ("return redis.call('KEYS', '*')", false),
    ("return redis.call('SCAN', 0)", false),
    ("return redis.call('DBSIZE')", false),
    ("return redis.call('RANDOMKEY')", false),
    ("return redis.call('INFO')", false),
    ("return redis.call('FLUSHALL')", false),
    ("return redis.call('SWAPDB', 0, 1)", false),
    ("return redis.call('EVAL', 'return 1', 0)", false),
    ("return redis.call('CONFIG', 'GET', 'port')", false),
    ("return redis.call('nosuch', KEYS[1])", false),
    ("return redis.call(ARGV[1], KEYS[1])", false),
    ("return redis.call('object', ARGV[1], KEYS[1])", false),
    ("return redis.call(unpack(ARGV))", false),
    ("return redis.call()", false),
    (
        "for i = 1, 1000 do redis.call('LRANGE', KEYS[1], 0, -1) end",
        false,
    ),
];

#[test]
fn scripts_that_keep_to_their_keys_need_no_more_locks() {
    let engine = Engine::new(Config::default(), FAMILIES);
    let lua = Lua::new();
    for (script, expected) in ROWS {
        let function = lua.load(*script).into_function().unwrap();
        let calls = reach::calls(&function.dump(false));
        let calls = calls.unwrap_or_else(|| panic!("{script} is understood"));
        assert_eq!(engine.keep_to_their_keys(&calls), *expected, "{script}");
    }
    let slow = "redis.call('LRANGE', KEYS[1], 0, -1) ".repeat(20);
    let function = lua.load(&slow).into_function().unwrap();
    let calls = reach::calls(&function.dump(false)).unwrap();
    assert!(!engine.keep_to_their_keys(&calls));
}

/// A value of some megabytes, a thousand times, holds the locks for seconds.
#[test]
fn loops_of_many_rounds_move_no_long_texts() {
    let rows: &[(&str, bool)] = &[
        ("for i = 1, 10000 do redis.call('INCR', KEYS[1]) end", true),
        ("for i = 1, 100 do redis.call('GET', KEYS[1]) end", true),
        ("for i = 1, #KEYS do redis.call('GET', KEYS[i]) end", true),
        ("for i = 1, 10000 do redis.call('GET', KEYS[1]) end", false),
        (
            "for i = 1, 10000 do redis.call('GETEX', KEYS[1]) end",
            false,
        ),
        (
            "for i = 1, 10000 do redis.call('SET', KEYS[1], ARGV[1]) end",
            false,
        ),
        ("for i = 1, 10000 do redis.call('ECHO', ARGV[1]) end", false),
        (
            "for i = 1, 10000 do redis.call('PUBLISH', 'news', ARGV[1]) end",
            false,
        ),
    ];
    let engine = Engine::new(Config::default(), FAMILIES);
    let lua = Lua::new();
    for (script, expected) in rows {
        let function = lua.load(*script).into_function().unwrap();
        let calls = reach::calls(&function.dump(false)).expect("it is understood");
        assert_eq!(engine.keep_to_their_keys(&calls), *expected, "{script}");
    }
}
