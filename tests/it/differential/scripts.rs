//! Scripts: what they return, how they fail, what they call, what they find around them; and functions.
//!
//! A script that only passes a command's reply on begins with a comment that names the command: its reply may differ
//! where the command's own may.

use super::generate::{Args, Generator, Single};
use super::lua_values::{SHOW, library_call, number, quote, string, value};
use super::{
    bitmaps, compare, connection, errors, expiry, geo, hashes, hyperloglogs, introspection, keys,
    lists, sets, sorted_sets, streams, strings, types,
};

/// The commands that scripts call.
const CALLED: &[Single] = &[
    strings::any,
    strings::any,
    keys::any,
    lists::any,
    lists::any,
    hashes::any,
    sets::any,
    sorted_sets::any,
    sorted_sets::any,
    streams::any,
    bitmaps::any,
    hyperloglogs::any,
    geo::any,
    expiry::any,
    types::any,
    connection::any,
    introspection::any,
    errors::any,
    refused,
];

const KINDS: &[(usize, Single)] = &[
    (14, conversion),
    (16, passed_on),
    (12, several_calls),
    (8, wrapped_call),
    (8, caught),
    (6, thrown),
    (14, library),
    (6, surroundings),
    (5, standard_functions),
    (5, keys_and_arguments),
    (4, headers),
    (3, broken),
    (3, cached),
    (5, functions),
];

/// One command that runs a script or a function, or has to do with them.
pub fn any(g: &mut Generator) -> Args {
    if !g.both_have("EVAL") {
        return vec![g.word("PING")];
    }
    let total = KINDS.iter().map(|(weight, _)| weight).sum();
    let mut ticket = g.below(total);
    for (weight, kind) in KINDS {
        if ticket < *weight {
            return kind(g);
        }
        ticket -= weight;
    }
    conversion(g)
}

/// EVAL of a script without keys; now and then it speaks RESP3 inside.
fn eval(g: &mut Generator, script: &str) -> Args {
    let script = match g.chance(15) && !script.starts_with("#!") && !script.starts_with("--") {
        true => format!("redis.setresp(3) {script}"),
        false => script.to_owned(),
    };
    vec![g.word("EVAL"), script.into_bytes(), b"0".to_vec()]
}

// ---- What scripts return

fn conversion(g: &mut Generator) -> Args {
    let returned = reply(g, 0);
    eval(g, &format!("return {returned}"))
}

/// A value of a kind that replies know.
fn reply(g: &mut Generator, depth: usize) -> String {
    match g.below(18) {
        0..=1 => number(g),
        2..=3 => string(g),
        4 => g
            .pick(&["true", "false", "nil", "cjson.null", "print", "{}"])
            .to_owned(),
        5..=7 if depth < 4 => {
            let items: Vec<String> = (0..g.below(5)).map(|_| reply(g, depth + 1)).collect();
            format!("{{{}}}", items.join(","))
        }
        8 => format!("{{ok={}}}", string(g)),
        9 => format!("{{err={}}}", string(g)),
        10 => format!("redis.status_reply({})", simple(g)),
        11 => format!("redis.error_reply({})", simple(g)),
        // Few digits: 7.0 prints all 17 of them.
        12 => format!(
            "{{double={}}}",
            g.pick(&["1", "0.5", "-2.25", "1/0", "-1/0", "1e20", "\"3\"", "{}"])
        ),
        13 if depth < 4 => format!("{{map={{[{}]={}}}}}", simple(g), reply(g, depth + 1)),
        14 => format!("{{set={{[{}]=true}}}}", simple(g)),
        15 => format!(
            "{{big_number={}}}",
            g.pick(&["\"123456789012345678901\"", "\"x\\ny\"", "5", "{}"])
        ),
        16 => format!(
            "{{verbatim_string={{format={},string={}}}}}",
            g.pick(&["\"txt\"", "\"mkd\"", "\"toolong\"", "\"x\"", "5"]),
            simple(g)
        ),
        _ => value(g, 2),
    }
}

fn simple(g: &mut Generator) -> String {
    match g.below(10) {
        0 => number(g),
        1 => g
            .pick(&[
                "nil",
                "true",
                "{}",
                "\"\"",
                "\"-ERR x\"",
                "\"ERR\"",
                "\"+OK\"",
                "\"a\\r\\nb\"",
            ])
            .to_owned(),
        2 => string(g),
        _ => quote(g.value().as_slice()),
    }
}

// ---- What scripts call

fn called(g: &mut Generator) -> Args {
    loop {
        let args = g.pick(CALLED)(g);
        // Big values make big scripts.
        if args.iter().map(Vec::len).sum::<usize>() < 3_000 {
            return args;
        }
    }
}

/// A command whose reply is the same everywhere.
fn exact(g: &mut Generator) -> Args {
    loop {
        let args = called(g);
        if compare::is_exact(&args) {
            return args;
        }
    }
}

/// `redis.call` or `redis.pcall` with the command's words, some numbers bare.
fn call(g: &mut Generator, args: &Args) -> String {
    let function = g.pick(&["call", "call", "call", "pcall"]);
    let words = args.iter().map(|arg| {
        let number = std::str::from_utf8(arg)
            .ok()
            .and_then(|text| text.parse::<i32>().ok());
        match number {
            Some(number) if number.to_string().as_bytes() == &arg[..] && g.chance(50) => {
                number.to_string()
            }
            _ => quote(arg),
        }
    });
    let words: Vec<String> = words.collect();
    format!("redis.{function}({})", words.join(","))
}

fn passed_on(g: &mut Generator) -> Args {
    let args = called(g);
    let call = call(g, &args);
    let resp = g.pick(&["", "", "", "redis.setresp(3) ", "redis.setresp(2) "]);
    let script = format!("--{}\n{resp}return {call}", compare::full_name(&args));
    let command = g.pick(&["EVAL", "EVAL", "EVAL", "EVAL_RO"]);
    vec![g.word(command), script.into_bytes(), b"0".to_vec()]
}

fn several_calls(g: &mut Generator) -> Args {
    let mut script = String::new();
    let count = 1 + g.below(5);
    for n in 0..count {
        let args = exact(g);
        script.push_str(&format!(
            "local r{n} = {}\n",
            call(g, &args).replace("redis.call", "redis.pcall")
        ));
    }
    let names: Vec<String> = (0..count).map(|n| format!("r{n}")).collect();
    script.push_str(&format!("return {{{}}}", names.join(",")));
    eval(g, &script)
}

/// What a reply looks like from within.
fn wrapped_call(g: &mut Generator) -> Args {
    let args = exact(g);
    let call = call(g, &args);
    let inside = format!("{SHOW} return try(function() return {call} end)");
    eval(g, &inside)
}

/// Commands that no script may call, and calls that are no commands.
fn refused(g: &mut Generator) -> Args {
    let line = g.pick(&[
        "SUBSCRIBE a",
        "MULTI",
        "EXEC",
        "WATCH a",
        "EVAL x 0",
        "EVALSHA x 0",
        "SCRIPT FLUSH",
        "FCALL x 0",
        "FUNCTION LIST",
        "AUTH x",
        "CLIENT KILL x",
        "CLIENT REPLY OFF",
        "MONITOR",
        "SHUTDOWN NOSAVE",
        "SAVE",
        "HELLO 3",
        "RESET",
        "QUIT",
        "DEBUG SLEEP 0",
        "BGREWRITEAOF",
        "PSUBSCRIBE a",
        "UNWATCH",
        "DISCARD",
        "NOSUCHCOMMAND",
        "GET",
        "GET a b",
        "set",
        "CONFIG SET x y",
        "CONFIG GET maxmemory",
        "OBJECT HELP x",
        "PFDEBUG x",
        "BLPOP a 0",
        "BLMOVE a b LEFT LEFT 0",
        "BZPOPMIN a 0",
        "XREAD BLOCK 0 STREAMS a $",
        "WAIT 0 0",
        "PUBLISH a b",
        "SPUBLISH a b",
        "SELECT 1",
        "SWAPDB 0 1",
        "DBSIZE",
        "ECHO x",
        "LOLWUT VERSION 99",
        "ACL WHOAMI",
        "ROLE x",
        "CLIENT",
    ]);
    g.line(line)
}

// ---- How scripts fail

fn caught(g: &mut Generator) -> Args {
    let args = exact(g);
    let call = call(g, &args);
    let script = match g.below(7) {
        0 => format!(
            "local r = {call} if type(r) == 'table' and r.err then return {{r.err, tostring(r.source), tostring(r.line)}} end return 'fine'"
        ),
        1 => format!(
            "local ok, e = pcall(function() return {call} end) if ok then return 'fine' end return type(e) == 'table' and {{e.err, tostring(e.source), tostring(e.line), tostring(e.ignore_error_stats_update)}} or {{'text', tostring(e)}}"
        ),
        2 => format!("return {{pcall(function() return {call} end)}}"),
        3 => format!(
            "local ok, e = xpcall(function() {call} error('mine') end, function(e) return type(e) == 'table' and 'handled ' .. tostring(e.err) or 'handled ' .. tostring(e) end) return {{tostring(ok), e}}"
        ),
        4 => format!(
            "local ok, e = pcall(function() return {call} end) if not ok then error(e) end return 'fine'"
        ),
        5 => format!(
            "local ok, e = pcall(redis.call, 'set', 'a') return {{tostring(ok), type(e) == 'table' and e.err or tostring(e), {call}}}"
        ),
        _ => format!(
            "local co = coroutine.create(function() local r = {call} coroutine.yield(1) error('inside') end) local a, b = coroutine.resume(co) local c, d = coroutine.resume(co) return {{tostring(a), type(b), tostring(c), type(d) == 'table' and tostring(d.err) or tostring(d)}}"
        ),
    };
    eval(g, &script)
}

fn thrown(g: &mut Generator) -> Args {
    let thrown = match g.below(12) {
        0 => format!("error({})", simple(g)),
        1 => format!("error({}, {})", simple(g), g.below(4)),
        2 => format!("error({{err={}}})", simple(g)),
        3 => format!("error({{err={}, source='s', line='7'}})", simple(g)),
        4 => format!("error({})", reply(g, 2)),
        5 => "error()".to_owned(),
        6 => format!("assert({}, {})", g.pick(&["false", "nil", "1"]), simple(g)),
        7 => format!(
            "local x = {} return x{}",
            value(g, 3),
            g.pick(&[
                ".y", ".y.z", "()", " .. 'a'", " + 1", "[1]", " < 1", "[nil]"
            ])
        ),
        8 => format!(
            "return {}",
            g.pick(&[
                "1 + {}",
                "#5",
                "nil .. 'a'",
                "{} < {}",
                "('x')()",
                "-{}",
                "nosuch",
                "nosuch.x",
                "redis.nosuch",
                "redis.nosuch()",
                "tostring()",
                "('x'):nosuch()",
                "string.rep()",
                "setmetatable(1, 2)",
                "table.concat({{}})",
                "ipairs()",
                "1 < 'x'"
            ])
        ),
        9 => format!(
            "redis.call({})",
            g.pick(&[
                "",
                "nil",
                "{}",
                "true",
                "'get', {}",
                "'get', nil",
                "'get', true",
                "1",
                "'nosuch'",
                "'set', 'a', {}",
                "'GET', 'x', 'y'",
                "''",
                "' '"
            ])
        ),
        10 => format!(
            "redis.{}",
            g.pick(&[
                "error_reply()",
                "status_reply(1, 2)",
                "sha1hex()",
                "sha1hex(1, 2)",
                "setresp(4)",
                "setresp()",
                "setresp('2')",
                "set_repl()",
                "set_repl(99)",
                "log()",
                "log(1)",
                "log('x', 'y')",
                "acl_check_cmd()",
                "acl_check_cmd('nosuch')",
                "breakpoint()",
                "debug('x')",
                "replicate_commands()",
                "register_function('x', print)",
                "sha1hex('')",
                "sha1hex(5)"
            ])
        ),
        _ => format!(
            "local function f(n) if n == 0 then error({}) end f(n - 1) end f({})",
            simple(g),
            g.below(5)
        ),
    };
    let lines = "\n".repeat(g.below(3));
    eval(g, &format!("{lines}{thrown}"))
}

/// Scripts that do not compile, and calls of EVAL that are refused.
fn broken(g: &mut Generator) -> Args {
    let script = g.pick(&[
        "return",
        "return return",
        "x",
        "x =",
        "local",
        "if",
        "if true then",
        "for i = 1 do end",
        "return 'abc",
        "return [[abc",
        "return 1 2",
        "return \"\\300\"",
        "a.b:c = 1",
        "goto x",
        "return 0x",
        "return 1..2",
        "return ...",
        "return ~1",
        "break",
        "function f( end",
        "return {1,",
        "return (1",
        "\u{1b}Lua",
        "return @",
        "--[[",
        "return 1 -- x",
        "",
        " ",
        "local a <const> = 1",
        "return 1//2",
        "end",
        "return function() end end",
        "\n\nx y",
        "#!lua",
        "#!lua\nreturn 1",
        "#",
        "local t = {} t.x.y = 1",
    ]);
    let count = g.pick(&[
        "0",
        "0",
        "0",
        "1",
        "-1",
        "abc",
        "1.5",
        "99999999999999999999",
        "",
    ]);
    vec![g.word("EVAL"), script.as_bytes().to_vec(), count.into()]
}

// ---- What scripts find

fn library(g: &mut Generator) -> Args {
    let calls: Vec<String> = (0..1 + g.below(3))
        .map(|_| format!("try(function() return {} end)", library_call(g)))
        .collect();
    let script = format!("{SHOW} return {{{}}}", calls.join(",\n"));
    vec![g.word("EVAL"), script.into_bytes(), b"0".to_vec()]
}

/// Names and what is done to them, within `try`.
const SURROUNDINGS: &[&str] = &[
    "local n = {} for k in pairs(_G) do n[#n+1] = tostring(k) end table.sort(n) return table.concat(n, ' ')",
    "local n = {} for k in pairs(redis) do n[#n+1] = tostring(k) end table.sort(n) return table.concat(n, ' ')",
    "local n = {} for _, l in ipairs({'string','table','math','os','coroutine','cjson','cmsgpack','struct','bit'}) do for k in pairs(_G[l] or {}) do n[#n+1] = l .. '.' .. tostring(k) end end table.sort(n) return table.concat(n, ' ')",
    "local n = {} for k, v in pairs(redis) do if type(v) == 'number' then n[#n+1] = k .. '=' .. v end end table.sort(n) return table.concat(n, ' ')",
    "nosuch = 1",
    "return nosuch",
    "redis = 1",
    "redis.x = 1",
    "cjson.x = 1",
    "string.x = 1",
    "_G.x = 1",
    "rawset(_G, 'x', 1)",
    "rawset(redis, 'x', 1)",
    "return rawget(_G, 'nosuch')",
    "setmetatable(_G, {})",
    "setmetatable(redis, {})",
    "return type(getmetatable(_G))",
    "getmetatable(_G).__index = nil",
    "return type(getmetatable(''))",
    "getmetatable('').__index = nil",
    "getmetatable('').x = 1",
    "setmetatable(getmetatable(''), {})",
    "return getmetatable('').__index == string",
    "return type(_G._G), _G._G == _G",
    "return loadstring('return 1 + 1')()",
    "return loadstring('return nosuch')()",
    "return loadstring('x x')",
    "return loadstring(string.dump(function() return 1 end))",
    "return load(function() return nil end)",
    "return type(string.dump(function() end))",
    "return dofile, loadfile, require, module, package, io, debug, print",
    "return dofile('x')",
    "return print('x')",
    "return os.time()",
    "return type(os.clock())",
    "return os.exit",
    "return newproxy",
    "local p = newproxy(true) getmetatable(p).x = 1 return getmetatable(p).x",
    "local t = setmetatable({}, {__index = function(t, k) return k .. '!' end}) return t.a, t.b",
    "local t = setmetatable({}, {__call = function(t, a) return a * 2 end}) return t(4)",
    "return setfenv(function() return x end, {x = 5})()",
    "return type(getfenv(1)), getfenv(0) == _G, getfenv(1) == _G",
    "setfenv(1, {}) return x",
    "setfenv(0, {})",
    "local f = function() y = 1 return y end setfenv(f, {}) return f()",
    "return math.random(), math.random(10), math.random(5, 6)",
    "math.randomseed(5) return math.random(1000), math.random(1000)",
    "return pcall(math.random, 0), pcall(math.random, 2, 1)",
    "return _VERSION, redis.REDIS_VERSION_NUM and true",
    "return KEYS == nil, ARGV == nil, type(KEYS), type(ARGV)",
    "KEYS = 1",
    "ARGV[5] = 'x' return #ARGV, ARGV[5]",
    "return collectgarbage('count') > 0, collectgarbage('step'), collectgarbage('x')",
    "return gcinfo and type(gcinfo())",
    "return unpack({1, 2, nil, 4}, 1, 4)",
    "return #{unpack({}, 1, 7000)}",
    "return unpack({}, 1, 1e7)",
    "return string.rep('x', -1), #string.rep('ab', 1000)",
    "return tostring(nil), tostring(1e15), tostring(-0), tostring(2^63), tostring(1/0), tonumber('0x10'), tonumber('10', 2), tonumber('z', 36), tonumber(' 5 '), tonumber('5x')",
    "return redis.sha1hex('abc'), redis.LOG_WARNING, redis.REPL_ALL, redis.setresp(2)",
    "return redis.acl_check_cmd('set', 'a', 'b'), redis.acl_check_cmd('get', 'x')",
    "return select('#'), select(-1, 1, 2), select(2, 'a', 'b', 'c')",
    "return pcall(select, 0)",
    "return pcall(string.format, '%d', 'x'), string.format('%5.2f|%-5s|%05d|%x|%q|%c|%i', 3.14159, 'ab', 42, 255, 'a\\nb', 65, 3.7)",
    "return pcall(string.gsub, 'x', '(', ''), pcall(string.find, 'x', '%'), pcall(string.find, 'x', '[a')",
    "local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) return t, pcall(table.sort, {1, 'x'}), table.concat(t, ',', 2)",
    "return pcall(table.sort, {1, 2, 3, 4, 5}, function() return true end)",
    "local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 end) return co(1), co(10), pcall(co)",
    "return coroutine.running(), pcall(coroutine.yield, 1)",
    "return xpcall(function() error({code = 5}) end, function(e) return e.code end)",
    "local function f(n) return n == 0 and 0 or 1 + f(n - 1) end return f(150)",
    "return next({}), next({a = 1}), pcall(next, {}, 'x'), rawequal('a', 'a'), rawlen",
];

fn surroundings(g: &mut Generator) -> Args {
    let body = g.pick(SURROUNDINGS);
    let script = match g.chance(70) {
        true => format!("{SHOW} return try(function() {body} end)"),
        false => body.to_owned(),
    };
    vec![g.word("EVAL"), script.into_bytes(), b"0".to_vec()]
}

/// Lua's own functions with odd arguments.
fn standard_functions(g: &mut Generator) -> Args {
    let function = g.pick(&[
        "string.sub",
        "string.byte",
        "string.find",
        "string.format",
        "string.len",
        "string.rep",
        "string.upper",
        "string.match",
        "string.gsub",
        "string.reverse",
        "string.char",
        "table.concat",
        "table.insert",
        "table.remove",
        "table.getn",
        "table.maxn",
        "math.floor",
        "math.fmod",
        "math.max",
        "math.pow",
        "math.sqrt",
        "math.frexp",
        "math.modf",
        "math.ldexp",
        "tonumber",
        "tostring",
        "type",
        "select",
        "unpack",
        "rawget",
        "rawequal",
        "next",
        "redis.sha1hex",
        "redis.error_reply",
        "redis.status_reply",
        "redis.log",
        "redis.setresp",
        "redis.set_repl",
        "setmetatable",
        "getmetatable",
        "assert",
        "error",
        "ipairs",
        "pairs",
        "loadstring",
    ]);
    let arguments: Vec<String> = (0..g.below(4))
        .map(|_| match g.below(4) {
            0 => value(g, 3),
            1 => string(g),
            _ => format!("{}", g.below(9) as i64 - 3),
        })
        .collect();
    // Addresses differ: what shows one is shown as its type only.
    let script = format!(
        "{SHOW} local function s(...) local r = all(...) return (string.gsub(r, '0x%x+', 'address')) end return s(pcall(function() return {function}({}) end))",
        arguments.join(",")
    );
    vec![g.word("EVAL"), script.into_bytes(), b"0".to_vec()]
}

// ---- How scripts are given

fn keys_and_arguments(g: &mut Generator) -> Args {
    let script = g.pick(&[
        "return {KEYS, ARGV}",
        "return {#KEYS, #ARGV, KEYS[1], ARGV[1]}",
        "return redis.pcall('MGET', unpack(KEYS))",
        "for i, k in ipairs(KEYS) do redis.pcall('SET', k, ARGV[i] or i) end return #KEYS",
        "return redis.pcall(unpack(ARGV))",
        "local t = {} for i = #ARGV, 1, -1 do t[#t+1] = ARGV[i] end return t",
        "return tonumber(ARGV[1])",
        "return ARGV[1] + 1",
        "return redis.call('INCRBY', KEYS[1], ARGV[1])",
        "return KEYS[1] .. ARGV[1]",
    ]);
    let keys = g.below(4);
    let mut args = vec![g.word("EVAL"), script.as_bytes().to_vec()];
    args.push(keys.to_string().into_bytes());
    let more = g.below(4);
    args.extend((0..keys).map(|_| g.key()));
    args.extend((0..more).map(|_| g.value()));
    args
}

fn headers(g: &mut Generator) -> Args {
    let header = g.pick(&[
        "#!lua",
        "#!lua flags=no-writes",
        "#!lua flags=allow-stale",
        "#!lua flags=no-writes,allow-oom",
        "#!lua flags=nosuch",
        "#!lua flags=",
        "#!lua name=x",
        "#!lua nosuch=1",
        "#!python",
        "#!",
        "#!lua  flags=no-cluster",
        "#!lua flags=no-writes flags=allow-oom",
        "#!lua flags=allow-cross-slot-keys",
        "#!Lua",
        "#!lua x",
    ]);
    let body = g.pick(&[
        "return 1",
        "return redis.pcall('SET', 'k0', 'v')",
        "return redis.call('SET', 'k0', 'v')",
        "return redis.call('GET', 'k0')",
        "return redis.pcall('PUBLISH', 'c', 'm')",
        "error('x')",
        "x x",
        "return nosuch",
    ]);
    let command = g.pick(&["EVAL", "EVAL", "EVAL_RO"]);
    vec![
        g.word(command),
        format!("{header}\n{body}").into_bytes(),
        b"0".to_vec(),
    ]
}

fn cached(g: &mut Generator) -> Args {
    match g.below(8) {
        0 => vec![
            g.word("SCRIPT"),
            g.word("LOAD"),
            g.pick(&["return 1", "return KEYS", "x x", "return ARGV[1]"])
                .into(),
        ],
        1 => vec![
            g.word("SCRIPT"),
            g.word("EXISTS"),
            SHA_OF_RETURN_1.into(),
            b"x".to_vec(),
            g.value(),
        ],
        2 => vec![g.word("EVALSHA"), SHA_OF_RETURN_1.into(), b"0".to_vec()],
        3 => vec![
            g.word("EVALSHA"),
            SHA_OF_RETURN_1.to_uppercase().into(),
            b"0".to_vec(),
            b"x".to_vec(),
        ],
        4 => vec![g.word("EVALSHA"), g.value(), b"0".to_vec()],
        5 => vec![
            g.word("EVALSHA_RO"),
            SHA_OF_RETURN_1.into(),
            g.pick(&["0", "1", "-1", "x"]).into(),
        ],
        6 => {
            let line = g.pick(&[
                "SCRIPT FLUSH",
                "SCRIPT FLUSH ASYNC",
                "SCRIPT FLUSH x",
                "SCRIPT KILL",
                "SCRIPT nosuch",
                "SCRIPT EXISTS",
                "SCRIPT LOAD",
            ]);
            g.line(line)
        }
        _ => vec![g.word("EVAL"), b"return 1".to_vec(), b"0".to_vec()],
    }
}

const SHA_OF_RETURN_1: &str = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";

// ---- Functions

fn functions(g: &mut Generator) -> Args {
    match g.below(12) {
        0..=3 => load(g),
        4..=6 => {
            let command = g.pick(&["FCALL", "FCALL", "FCALL_RO"]);
            let name = g.pick(&["one", "two", "reads", "nosuch", "ONE", ""]);
            let keys = g.below(3);
            let mut args = vec![g.word(command), name.into(), keys.to_string().into()];
            args.extend((0..keys).map(|_| g.key()));
            args.extend((0..g.below(3)).map(|_| g.value()).collect::<Vec<_>>());
            args
        }
        7 => vec![
            g.word("FUNCTION"),
            g.word("DELETE"),
            g.pick(&["lib", "nosuch", ""]).into(),
        ],
        // Libraries one at a time: with several no order is promised.
        8 => vec![
            g.word("FUNCTION"),
            g.word("LIST"),
            g.word("LIBRARYNAME"),
            g.pick(&["lib", "other", "no*such"]).into(),
            g.word("WITHCODE"),
        ],
        9 => {
            let line = g.pick(&[
                "FUNCTION FLUSH",
                "FUNCTION FLUSH SYNC",
                "FUNCTION FLUSH x",
                "FUNCTION KILL",
                "FUNCTION nosuch",
                "FUNCTION LIST x",
                "FUNCTION LIST LIBRARYNAME",
                "FUNCTION RESTORE x",
                "FUNCTION DELETE",
                "FUNCTION LOAD",
            ]);
            g.line(line)
        }
        10 => vec![g.word("FUNCTION"), g.word("STATS")],
        _ => vec![
            g.word("FCALL"),
            b"one".to_vec(),
            g.pick(&["x", "-1", "5", "0"]).into(),
        ],
    }
}

fn load(g: &mut Generator) -> Args {
    let name = g.pick(&[
        "lib",
        "lib",
        "lib",
        "other",
        "bad name",
        "",
        "lib engine=x",
        "x nosuch=1",
    ]);
    let engine = g.pick(&[
        "lua", "lua", "lua", "lua", "lua", "lua", "nosuch", "LUA", "",
    ]);
    let body = g.pick(&[
        "redis.register_function('one', function(keys, args) return {keys, args} end)",
        "redis.register_function('one', function(keys, args) return redis.call('SET', keys[1] or 'k0', args[1] or 'x') end)",
        "redis.register_function{function_name='reads', callback=function(keys) return redis.pcall('GET', keys[1] or 'k0') end, flags={'no-writes'}}",
        "redis.register_function{function_name='one', callback=function() return redis.call('nosuch') end, description='d'} redis.register_function('two', function() return error('x') end)",
        "redis.register_function('two', function() return nosuch end)",
        "redis.register_function('one', 1)",
        "redis.register_function('bad-name', function() end)",
        "redis.register_function('one', function() end) redis.register_function('one', function() end)",
        "redis.register_function{function_name='one'}",
        "redis.register_function{function_name='one', callback=function() end, flags={'nosuch'}}",
        "redis.register_function{function_name='one', callback=function() end, nosuch=1}",
        "redis.register_function{callback=function() end}",
        "redis.register_function()",
        "redis.register_function('one', function() end, 1)",
        "redis.register_function{function_name=1, callback=function() end}",
        "redis.register_function{function_name='one', callback=function() end, flags=1}",
        "redis.register_function{function_name='one', callback=function() end, description=1}",
        "return 1",
        "x x",
        "error('x')",
        "redis.call('SET', 'a', 'b')",
        "nosuch = 1",
        "return nosuch",
        "",
        "local n = 0 redis.register_function('one', function() n = n + 1 return n end)",
        "redis.register_function('two', function(...) return {select('#', ...), type(KEYS), type(ARGV)} end)",
        "redis.register_function('two', function() redis.register_function('x', function() end) end)",
        "redis.register_function('two', function() x = 1 end)",
        "redis.log(redis.LOG_DEBUG, 'x') redis.register_function('two', function() return redis.sha1hex('x') end)",
        "redis.setresp(3) redis.register_function('two', function() redis.setresp(3) return {double=0.5} end)",
    ]);
    let code = format!("#!{engine} name={name}\n{body}");
    let mut args = vec![g.word("FUNCTION"), g.word("LOAD")];
    if g.chance(70) {
        args.push(g.word("REPLACE"));
    }
    args.push(code.into_bytes());
    args
}
