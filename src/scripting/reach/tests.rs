//! Scripts with and without a proof.

use mlua::Lua;

use super::{Called, Word, calls};

fn read(script: &str) -> Option<Vec<Called>> {
    let lua = Lua::new();
    let function = lua.load(script).into_function();
    calls(&function.unwrap().dump(false))
}

/// The calls of a script, a word each: `K` a key, `?` something, `..` what any number of words may follow, `*` in a loop.
fn shown(script: &str) -> Option<Vec<String>> {
    let word = |word: &Word| match word {
        Word::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Word::Key => "K".into(),
        Word::Other => "?".into(),
    };
    let show = |called: &Called| {
        let mut words: Vec<String> = called.words.iter().map(word).collect();
        words.extend(called.rest.iter().map(|rest| word(rest) + ".."));
        words.extend(called.is_repeated.then(|| "*".into()));
        words.join(" ")
    };
    Some(read(script)?.iter().map(show).collect())
}

/// Scripts that are understood, with what they call.
const ROWS: &[(&str, &[&str])] = &[
    ("return 1", &[]),
    ("return redis.call('INCR', KEYS[1])", &["INCR K"]),
    (
        "local n = redis.call('incr', KEYS[1]) if n == 1 then redis.call('expire', KEYS[1], ARGV[1]) end return n",
        &["incr K", "expire K ?"],
    ),
    (
        "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end",
        &["get K", "del K"],
    ),
    (
        "local call, key = redis.call, KEYS[1] local n = tonumber(call('GET', key) or '0') + 1 call('SET', key, n, 'EX', 10) return {n, tostring(n)}",
        &["GET K", "SET K ? EX 10"],
    ),
    (
        "for i = 1, 1000 do redis.call('INCR', KEYS[1]) end return 1",
        &["INCR K *"],
    ),
    (
        "for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i]) end",
        &["SET K ? *"],
    ),
    (
        "local t = {} for i = 1, #KEYS do t[i] = redis.call('GET', KEYS[i]) end return t",
        &["GET K *"],
    ),
    (
        "for _, value in pairs(ARGV) do redis.pcall('SADD', KEYS[1], value) end",
        &["SADD K ? *"],
    ),
    ("return redis.call('DEL', unpack(KEYS))", &["DEL K.."]),
    (
        "return redis.call('SADD', KEYS[1], unpack(ARGV))",
        &["SADD K ?.."],
    ),
    (
        "return redis.call('SET', KEYS[1], cjson.encode({b = ARGV[1]:sub(1, 2)}))",
        &["SET K ?.."],
    ),
    (
        "return redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], KEYS[3])",
        &["ZUNIONSTORE K 2 K K"],
    ),
    (
        "local k = KEYS[1] if ARGV[1] == 'x' then k = KEYS[2] end return redis.call('GET', k)",
        &["GET K"],
    ),
    ("return redis.call('GET', 'a')", &["GET a"]),
    ("return redis.call('GET', KEYS[1] .. 'a')", &["GET ?"]),
    ("return redis.call('GET', KEYS[1] or 'a')", &["GET ?"]),
    (
        "local t = {KEYS[1]} return redis.call('GET', t[1])",
        &["GET ?"],
    ),
    ("return redis.call(ARGV[1], KEYS[1])", &["? K"]),
    ("return redis.call(unpack(ARGV))", &["?.."]),
    (
        "local f = redis.call if ARGV[1] then f = redis.pcall end return f('GET', KEYS[1])",
        &["GET K"],
    ),
];

#[test]
fn what_keeps_to_its_keys_is_proven() {
    for (script, calls) in ROWS {
        let calls: Vec<String> = calls.iter().map(|call| call.to_string()).collect();
        assert_eq!(shown(script), Some(calls), "{script}");
    }
}

#[test]
fn what_is_not_understood_has_no_proof() {
    for script in [
        "while true do end",
        "repeat local x = redis.call('GET', KEYS[1]) until x",
        "for i = 1, 1e9 do end",
        "for i = 1, ARGV[1] do end",
        "for i = 1, 10, 0 do end",
        "for i = 1, #KEYS, 0.001 do end",
        "for i = -1e9, #KEYS do end",
        "for i = 1, 100 do for j = 1, 100 do end end",
        "for _, k in ipairs(KEYS) do for _, v in ipairs(ARGV) do redis.call('SADD', k, v) end end",
        "for k, v in pairs(redis.call('HGETALL', KEYS[1])) do end",
        "local t = {1} for i, v in ipairs(t) do t[i + 1] = v end",
        "for k in string.gmatch(ARGV[1], 'x') do end",
        "local function f() return f() end return f()",
        "local f = function() return KEYS[1] end return f()",
        "KEYS[1] = 'other' return redis.call('GET', KEYS[1])",
        "KEYS[2] = KEYS[1]",
        "return redis.call('SET', KEYS[1], cjson.encode({a = ARGV}))",
        "ARGV[1] = 1",
        "table.insert(KEYS, 'other') return redis.call('GET', KEYS[2])",
        "for i, v in ipairs(ARGV) do table.insert(ARGV, v) end",
        "local t = {KEYS} t[1][1] = 'other' return redis.call('GET', KEYS[1])",
        "local t = {} t.k = KEYS t.k[1] = 'other' return redis.call('GET', KEYS[1])",
        "local k = assert(KEYS) k[1] = 'other' return redis.call('GET', KEYS[1])",
        "local t = KEYS if ARGV[1] then t = {} end t[1] = 'other' return redis.call('GET', KEYS[1])",
        "rawset(KEYS, 1, 'other')",
        "table.sort(KEYS)",
        "return pcall(redis.call, 'GET', KEYS[1])",
        "return _G.redis.call('GET', KEYS[1])",
        "x = 1",
        "return ...",
        "setmetatable({}, {})",
        "coroutine.wrap(redis.call)('GET', KEYS[1])",
        "return redis[ARGV[1]]('GET', KEYS[1])",
        "return redis.nosuch('GET', KEYS[1])",
        "return ('x'):rep(1e9)",
        "return ARGV[1]:gsub('a*a*a*b', '')",
        "return string.find(ARGV[1], 'a*a*a*b')",
        "local s = '' for i, v in ipairs(ARGV) do s = s .. v end return s",
        "local s = '' for i = 1, 10 do s = string.format('%s%s', s, s) end return s",
        "local t = {} for i, v in ipairs(ARGV) do table.insert(t, 1, v) end return t",
        "for i, v in ipairs(ARGV) do redis.call('DEL', unpack(KEYS)) end",
        "return loadstring(ARGV[1])()",
        "redis.call('SET', KEYS, 1)",
        "redis.call('SET', KEYS[1], redis)",
        "local t = ARGV[1].rep return t('x', 1e9)",
        "local t = {} return t.f(KEYS)",
        "local n, k, v = ipairs(KEYS) return n(KEYS, 1)",
        "for i, k in ipairs(KEYS, 1) do end",
    ] {
        assert_eq!(read(script), None, "{script}");
    }
    let long = "redis.call('GET', KEYS[1]) ".repeat(500);
    assert_eq!(read(&long), None);
    let joins = "local s = ARGV[1] ".to_owned() + &"s = s .. s ".repeat(20);
    assert_eq!(read(&joins), None);
}

#[test]
fn what_is_no_dump_is_refused() {
    let lua = Lua::new();
    let function = lua.load("return redis.call('GET', KEYS[1])");
    let dump = function.into_function().unwrap().dump(false);
    assert!(calls(&dump).is_some());
    for len in 0..dump.len() - 60 {
        let _ = calls(&dump[..len]);
    }
    for at in 0..dump.len() {
        for bit in 0..8 {
            let mut changed = dump.clone();
            changed[at] ^= 1 << bit;
            let _ = calls(&changed);
        }
    }
}

#[test]
fn loops_that_count_come_to_an_end() {
    for script in [
        "for i = 1e16, 1e16 + 2 do end",
        "for i = -1e16, -1e16 + 2 do end",
        "for i = 1e300, 1e300 do end",
        "for i = 1, 2, 1e-300 do end",
        "for i = 1, 1 + 1e-15, 1e-17 do end",
    ] {
        assert_eq!(read(script), None, "{script}");
    }
    assert!(read("for i = 0, 1, 0.125 do end for i = 5, 1, -1 do end").is_some());
}

/// A table that stands twice in each of thirty others makes a reply of thousands of millions of values.
#[test]
fn tables_do_not_grow_by_being_shared() {
    let doubled = "local t = {} ".to_owned() + &"t = {t, t} ".repeat(30) + "return t";
    assert_eq!(read(&doubled), None);
    for script in [
        "local t = {} for i = 1, 100 do t = {t, t} end return t",
        "local t = {} t[1] = t t[2] = t return t",
        "local t = {} table.insert(t, t) table.insert(t, t) return t",
        "local t = redis.call('GET', KEYS[1]) t[1] = t return t",
        "local t = {{}} t[1][1] = t return t",
        "local t = {{}} for i = 1, 100 do t = {t[1], t} end return t",
        "local t = {} t = {t, unpack(t)} return t",
        "local t, u = {} u = assert(t) t[1] = u return t",
        "local t, u = {}, ARGV[1] if u then u = t end t[1] = u return t",
        "local t = {} t.a = {t} return cjson.encode(t)",
    ] {
        assert_eq!(read(script), None, "{script}");
    }
    for script in [
        "return {redis.call('GET', KEYS[1]), {1, 2}, {KEYS[1], {ARGV[1]}}}",
        "local t = {1} t[2] = 3 table.insert(t, redis.call('GET', KEYS[1])) return t",
        "local t = {KEYS[1]} return redis.call('GET', t[1])",
    ] {
        assert!(read(script).is_some(), "{script}");
    }
}
