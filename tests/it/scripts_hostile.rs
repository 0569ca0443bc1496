//! Scripts that mean harm: each gets a reply, none reaches what it must not, and whoever comes after notices nothing.

use std::thread;
use std::time::Duration;

use crate::common::{Raw, Reply, Server, bulk, integer};

/// Generous: a debug build on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs each script on a connection of its own; the reply must hold the text. Then others are served as ever.
fn scripts(rows: &'static [(&str, &str)]) {
    // Replies nest as deep as scripts make them.
    let thread = thread::Builder::new().stack_size(256 << 20);
    let outcome = thread.spawn(|| run(rows)).expect("a thread starts").join();
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn run(rows: &[(&str, &str)]) {
    let server = Server::start(&[]);
    let pid = server.pid();
    for (script, expected) in rows {
        let reply = eval(&mut server.raw(), script);
        let text = format!("{reply:?}");
        assert!(text.contains(expected), "{script}\n  gave {text}");
        check_health(&server);
    }
    assert_eq!(server.pid(), pid);
}

fn eval(raw: &mut Raw, script: &str) -> Reply {
    raw.set_timeout(LIMIT);
    raw.command(&[b"EVAL", script.as_bytes(), b"0"])
}

/// What a script leaves behind must not be seen by another one, on any worker.
#[track_caller]
fn check_health(server: &Server) {
    const LOOK: &str = "assert(type(redis.call) == 'function' and ('x'):rep(2) == 'xx' and tostring(1) == '1')
        assert(getmetatable(_G) ~= nil and rawget(_G, 'hacked') == nil and rawget(string, 'hacked') == nil)
        assert(not pcall(function() return hacked end) and #cjson.encode({1}) == 3)
        return redis.call('INCRBY', 'health', 0)";
    for _ in 0..2 {
        let mut raw = server.raw();
        assert_eq!(eval(&mut raw, LOOK), integer(0));
        assert_eq!(raw.ask("ECHO well"), bulk("well"));
    }
}

#[test]
fn recursion_ends() {
    scripts(&[
        (
            "local function f() return 1 + f() end return f()",
            "stack overflow",
        ),
        (
            "local function f() return pcall(f) end return tostring(f())",
            "true",
        ),
        (
            "local function f(n) if n == 0 then return 1 end local ok, r = pcall(f, n - 1) return r end return tostring(f(100000))",
            "stack overflow",
        ),
        (
            "local function f(n) return coroutine.wrap(function() return f(n + 1) end)() end return f(1)",
            "overflow",
        ),
        (
            "local function f() xpcall(f, f) end f() return 'ended'",
            "ended",
        ),
        (
            "return tostring(xpcall(function() error('x') end, function(e) error(e) end))",
            "false",
        ),
        (
            "local t = {} for i = 1, 100000 do t = {t} end return t",
            "reached lua stack limit",
        ),
        ("local t = {} t[1] = t return t", "reached lua stack limit"),
        ("local t = {} t.map = t return t", ""),
    ]);
}

#[test]
fn sources_that_nest_too_deep_are_refused() {
    scripts(&[
        (
            "return loadstring('return ' .. string.rep('(', 100000) .. '1' .. string.rep(')', 100000)) == nil",
            "",
        ),
        (
            "return loadstring(string.rep('do ', 100000) .. string.rep('end ', 100000)) == nil",
            "",
        ),
        ("return {loadstring(string.rep('local a ', 300))}", ""),
        (
            "return {loadstring('return ' .. string.rep('1 .. ', 100000) .. '1')}",
            "",
        ),
        ("return #string.rep('x = 1 ', 1e6)", "6000000"),
    ]);
}

#[test]
fn enormous_counts_are_refused_before_the_work() {
    scripts(&[
        (
            "return #string.rep('x', 2^40)",
            "resulting string too large",
        ),
        (
            "return table.insert({}, -2^31, 1)",
            "position out of bounds",
        ),
        (
            "return table.concat({}, 'x', 1, 2^31 - 1)",
            "invalid value (nil) at index 1",
        ),
        (
            "return #{unpack({}, 1, 2^31 - 1)}",
            "too many results to unpack",
        ),
        (
            "return #{unpack({}, -2^31, 2^31 - 1)}",
            "too many results to unpack",
        ),
        (
            "return #{unpack({}, 0, 2^31 - 1)}",
            "too many results to unpack",
        ),
        ("return #{unpack({}, 1, 1e6)}", "too many results to unpack"),
        ("return string.format('%099999d', 1)", "invalid format"),
        ("return redis.call('MGET', unpack({}, 1, 7000))", "ERR"),
        ("local t = {} t[0/0] = 1", "index is NaN"),
    ]);
}

/// Doubling ends in an error, which takes nothing with it: the memory limit of scripts.
#[test]
fn a_string_that_doubles_meets_the_limit() {
    scripts(&[(
        "local s = 'x' while true do s = s .. s end",
        "not enough memory",
    )]);
}

#[test]
fn patterns_end() {
    scripts(&[
        (
            "return tostring(string.find(string.rep('a', 16), string.rep('a?', 16) .. string.rep('a', 16)))",
            "1",
        ),
        (
            "return tostring(string.find(string.rep('a', 3000), '.-b'))",
            "nil",
        ),
        (
            "return tostring(string.match(string.rep('x', 300000), string.rep('(x)', 40)))",
            "too many captures",
        ),
        (
            "return tostring(pcall(string.find, 'x', string.rep('(', 1e6)))",
            "false",
        ),
        (
            "return tostring(pcall(string.find, string.rep('a', 1e5), string.rep('a-', 1e5)))",
            "false",
        ),
        ("return tostring(pcall(string.find, 'x', '%f'))", "false"),
        (
            "return tostring(pcall(string.gsub, 'x', 'x', '%9'))",
            "false",
        ),
    ]);
}

/// Tables within tables, each there twice: a few lines that would fill any memory.
#[test]
fn what_doubles_with_each_level_meets_a_limit() {
    const TOWER: &str = "local t = {string.rep('x', 1e6)} for i = 1, 60 do t = {t, t} end ";
    let server = Server::start(&[]);
    for (rest, expected) in [
        ("return t", "script's reply is too long"),
        ("return {map = t}", ""),
        ("return cjson.encode(t)", "not enough memory"),
        ("return #cmsgpack.pack(t)", ""),
        (
            "return redis.sha1hex(table.concat({('x'):rep(1e6), ('x'):rep(1e6)}))",
            "",
        ),
        (
            "local l = {} for i = 1, 100000 do l[i] = t[1] end return #l",
            "100000",
        ),
        (
            "local s = ('x'):rep(1e8) local l = {} for i = 1, 1000 do l[i] = s end return l",
            "too long",
        ),
    ] {
        let script = format!("{TOWER}{rest}");
        let text = format!("{:?}", eval(&mut server.raw(), &script));
        assert!(text.contains(expected), "{rest}\n  gave {text}");
        check_health(&server);
    }
}

/// CVE-2025-49844: the parser held the name of what it reads by nothing but its address while it called for more text.
/// CVE-2025-46819: lengths of brackets wrapped around. CVE-2025-46818: what all values of a type share could be changed.
/// CVE-2024-46981: finalizers that run when the interpreter ends. CVE-2022-24735 and 24736: globals and missing metatables.
#[test]
fn known_ways_out_are_closed() {
    scripts(&[
        (
            "local n = 0 return tostring(load(function() n = n + 1 collectgarbage() local t = {} for i = 1, 100 do
                t[i] = ('x'):rep(i) .. n end if n > 1 and n < 50 then return ' return 1' end end))",
            "function",
        ),
        (
            "local n = 0 return load(function() n = n + 1 collectgarbage() if n == 3 then return 'return 17' end
                if n < 3 then return ' ' end end, ('name'):rep(100))()",
            "17",
        ),
        (
            "for i = 1, 200 do local f = loadstring('return ' .. i, ('c'):rep(i)) collectgarbage() assert(f() == i) end return 'sound'",
            "sound",
        ),
        ("return tostring(pcall(load, function() return {} end))", "false"),
        ("return {loadstring(string.rep(' ', 70000000))}", "script is too long"),
        (
            "local n = 0 load(function() n = n + 1 if n < 10 then return string.rep(' ', 1e7) end end)",
            "script is too long",
        ),
        (
            "local e = ('='):rep(1e6) return #loadstring('return [' .. e .. '[text]' .. e .. ']')()",
            "4",
        ),
        ("return tostring(loadstring('return [' .. ('='):rep(1e6) .. 'x'))", "nil"),
        ("setmetatable(1, {})", "table expected"),
        ("setmetatable('', {})", "table expected"),
        ("setmetatable(nil, {})", "table expected"),
        ("setmetatable(print == nil, {})", "ERR"),
        ("return tostring(getmetatable(1)) .. tostring(getmetatable(nil)) .. tostring(getmetatable(tostring))", "nilnilnil"),
        ("getmetatable('').__index = nil", "readonly"),
        ("getmetatable('').__gc = 1", "readonly"),
        ("getmetatable('').__index.rep = nil", "readonly"),
        ("return newproxy(true)", "nonexistent global variable"),
        ("setmetatable({}, {__gc = function() redis.call('SET', 'hacked', 1) end}) collectgarbage() return 'nothing'", "nothing"),
        ("return tostring(setfenv)", "nonexistent global variable"),
        ("return select(-2147483648, 1)", "bad argument"),
        ("return #{select(2147483647, 1)}", "0"),
        ("return string.byte('abc', -2147483648, 2147483647)", "97"),
        ("return ('x'):rep(-2147483648)", ""),
        ("return string.sub('abc', -9e18, 9e18)", "abc"),
        ("return table.concat({1, 2}, ',', -2147483648, 2147483647)", "invalid value"),
        ("return tostring(pcall(table.remove, {}, -2147483648))", ""),
        ("return string.format('%' .. ('0'):rep(200) .. 'd', 1)", "invalid format"),
        ("return string.format('%99.99f', -1e308):len()", "410"),
        ("return tostring(math.random(2147483647)):len()", ""),
        ("return tostring(pcall(math.random, 0))", "false"),
        ("return #{unpack({}, -2147483648, 0)}", "too many results"),
        ("return #{unpack({}, 2147483647, -2147483648)}", "0"),
        ("return #{unpack({1}, 2147483647, 2147483647)}", ":0"),
    ]);
}

/// CVE-2014-5461: fixed parameters of a function with `...` were moved beyond the stack.
#[test]
fn functions_of_many_parameters_have_room() {
    scripts(&[(
        "local names = {} for i = 1, 200 do names[i] = 'p' .. i end
            local f = loadstring('return function(' .. table.concat(names, ',', 1, 190) .. ', ...) return select(\"#\", ...) end')()
            local most = 0 for n = 0, 7500, 37 do local args = {} for i = 1, n do args[i] = i end
            most = math.max(most, f(unpack(args))) end return most",
        ":7",
    )]);
}

#[test]
fn libraries_survive_what_they_are_given() {
    scripts(&[
        (
            "local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t)",
            "excessive nesting (1001)",
        ),
        (
            "local t = {} for i = 1, 50 do t[i] = t end return #cjson.encode(t)",
            "excessive nesting (1001)",
        ),
        (
            "return cjson.decode(string.rep('[', 1e6))",
            "too many nested data structures (1001)",
        ),
        (
            "local c = cjson.new() c.decode_max_depth(2^31 - 1) return c.decode(string.rep('[', 1e6))",
            "too many nested data structures",
        ),
        (
            "local c = cjson.new() c.encode_max_depth(2^31 - 1) local t = {} t[1] = t return c.encode(t)",
            "excessive nesting",
        ),
        (
            "return cjson.encode({[2^31 - 1] = 1})",
            "excessively sparse array",
        ),
        (
            "return cjson.encode(setmetatable({}, {__index = error, __len = error}))",
            "{}",
        ),
        ("local t = {} t[1] = t return #cmsgpack.pack(t)", "17"),
        (
            "return cmsgpack.unpack(string.rep('\\145', 1e6))",
            "stack overflow",
        ),
        (
            "return cmsgpack.unpack(string.rep('\\129', 1e6))",
            "stack overflow",
        ),
        (
            "return cmsgpack.unpack('\\221\\255\\255\\255\\255\\1')",
            "Missing bytes in input",
        ),
        (
            "return cmsgpack.unpack('\\223\\255\\255\\255\\255\\1\\2')",
            "Missing bytes in input",
        ),
        (
            "return cmsgpack.unpack('\\219\\255\\255\\255\\255x')",
            "Missing bytes in input",
        ),
        (
            "return cmsgpack.unpack_limit('x', -1, 2^63)",
            "Invalid request",
        ),
        ("return struct.pack('c2147483647', 'x')", "string too short"),
        (
            "return struct.pack('i2147483648', 1)",
            "integral size overflow",
        ),
        ("return struct.pack('i33', 1)", "integral size 33 is larger"),
        ("return struct.unpack('c0', 'x')", "needs a previous size"),
        (
            "return struct.unpack('Ic0', '\\255\\255\\255\\255x')",
            "data string too short",
        ),
        (
            "return struct.unpack('i4', 'abcd', -2147483648)",
            "data string too short",
        ),
        (
            "return struct.unpack(string.rep('b', 10000), string.rep('x', 10000))",
            "too many results",
        ),
        ("return bit.tohex(65535, -2147483648)", "0000FFFF"),
    ]);
}

#[test]
fn what_is_locked_stays_locked() {
    const READONLY: &str = "Attempt to modify a readonly table";
    scripts(&[
        ("hacked = 1", READONLY),
        ("_G.hacked = 1", READONLY),
        ("rawset(_G, 'tostring', 1)", READONLY),
        ("getfenv().hacked = 1", "ERR"),
        ("getfenv(0).hacked = 1", "ERR"),
        (
            "setmetatable(_G, {__index = function() return 1 end})",
            READONLY,
        ),
        (
            "getmetatable(_G).__index = function() return 1 end",
            READONLY,
        ),
        ("redis.call = nil", READONLY),
        ("string.rep = nil", READONLY),
        ("cjson.encode = nil", READONLY),
        ("rawset(string, 'hacked', 1)", READONLY),
        ("table.insert(string, 'x')", READONLY),
        ("table.sort(string)", READONLY),
        ("table.remove(redis)", READONLY),
        (
            "for _, v in pairs(_G) do if type(v) == 'table' then pcall(rawset, v, 'hacked', 1) end end return 'tried'",
            "tried",
        ),
        (
            "pcall(function() getmetatable('').__index = function() return 'hacked' end end) return ('x'):rep(3)",
            "xxx",
        ),
        (
            "pcall(rawset, getmetatable(''), '__index', nil) return ('x'):rep(3)",
            "xxx",
        ),
        (
            "pcall(setmetatable, getmetatable(''), {}) return ('x'):rep(3)",
            "xxx",
        ),
    ]);
}

#[test]
fn there_is_no_way_out() {
    const MISSING: &str = "nonexistent global variable";
    scripts(&[
        ("return debug.getregistry()", MISSING),
        ("return io.open('/etc/passwd')", MISSING),
        ("return require('os')", MISSING),
        ("return package.loadlib('x', 'y')", MISSING),
        ("return dofile('/etc/passwd')", MISSING),
        ("return loadfile('/etc/passwd')", MISSING),
        ("return print('x')", MISSING),
        ("return newproxy(true)", MISSING),
        ("return os.exit(1)", ""),
        ("return os.execute('true')", ""),
        (
            "return {loadstring(string.dump(function() return 1 end))}",
            "",
        ),
        ("return tostring(loadstring('\\27Lua'))", "nil"),
        (
            "local n = 0 return tostring(load(function() n = n + 1 return ({'\\27Lua', 'Q\\0'})[n] end))",
            "nil",
        ),
    ]);
}

#[test]
fn odd_errors_are_replies() {
    scripts(&[
        (
            "error(setmetatable({}, {__tostring = function() error('again') end}))",
            "ERR",
        ),
        (
            "error(setmetatable({}, {__index = function() error('again') end}))",
            "ERR",
        ),
        ("local t = {} t.err = t error(t)", "ERR"),
        (
            "local t = setmetatable({}, {}) getmetatable(t).__index = t error(t)",
            "",
        ),
        ("error()", "ERR"),
        ("error(nil)", "ERR"),
        ("error({})", "ERR"),
        ("error(redis)", ""),
        ("error(function() end)", "ERR"),
        ("error({err = 'two\\r\\nlines'})", "two  lines"),
        ("return {err = 'two\\r\\nlines'}", "two  lines"),
        ("return {ok = 'two\\r\\nlines'}", "two  lines"),
        (
            "return tostring(setmetatable({}, {__tostring = function() return 1 end}))",
            "",
        ),
        ("table.sort({3, 2, 1}, function() error('x') end)", "x"),
        (
            "table.sort({3, 2, 1, 5, 4}, function() return true end)",
            "",
        ),
        (
            "return redis.call(setmetatable({}, {__tostring = function() return 'GET' end}))",
            "ERR",
        ),
        (
            "return setmetatable({}, {__index = function(t, k) if k == 1 then return 'x' end end})",
            "",
        ),
    ]);
}

#[test]
fn coroutines_call_commands_and_change_nothing_else() {
    scripts(&[
        (
            "local co = coroutine.wrap(function() return redis.call('SET', 'in', 'coroutine') end) return co()",
            "OK",
        ),
        ("return redis.call('GET', coroutine.yield())", "ERR"),
        (
            "table.sort({3, 2, 1}, function() return coroutine.yield() end)",
            "ERR",
        ),
        (
            "local co = coroutine.create(function() error({err = 'inside'}) end) local ok, e = coroutine.resume(co) return e",
            "inside",
        ),
        (
            "local co co = coroutine.wrap(function() return pcall(co) end) return tostring(co())",
            "false",
        ),
        (
            "for i = 1, 10000 do coroutine.wrap(function() coroutine.yield() end)() end return 'many'",
            "many",
        ),
    ]);
}

/// A script that never ends is ended, also when it catches errors and hides in coroutines; what comes after is served.
#[test]
fn endless_loops_are_killed() {
    let server = Server::start(&["--busy-reply-threshold", "50"]);
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() while true do pcall(f) end end f()",
        "coroutine.wrap(function() while true do pcall(function() while true do end end) end end)()",
        "repeat local ok = xpcall(function() while true do end end, function() while true do end end) until false",
        "while true do redis.pcall('GET', 'x') end",
        "return string.find(string.rep('a', 5000), string.rep('a-', 20) .. 'b')",
        "return string.gsub(string.rep('a', 5000), string.rep('a*', 20) .. 'b', '')",
        "return string.match(string.rep('a', 5000), string.rep('.?', 100) .. string.rep('.-', 20) .. 'b')",
        "for found in string.gmatch(string.rep('a', 5000), string.rep('a+', 20) .. 'b') do end",
        "local s = string.rep('x', 2e7) while true do local longer = s .. 'y' end",
        "local s = string.rep('x', 2e7) while true do s:upper() end",
        "local s = string.rep('x', 1e7) local t = {} for i = 1, 10000 do t[i] = s end while true do table.sort(t) end",
        "local t = {} for i = 1, 1e6 do t[i] = {} end while true do collectgarbage() end",
        "local t = {} for i = 1, 1e6 do t[i] = i end while true do table.insert(t, 1, 1) table.remove(t, 1) end",
        "local t = {1} for i = 1, 60 do t = {t, t} end return t",
    ] {
        let mut victim = server.raw();
        victim.set_timeout(LIMIT);
        victim.send(crate::common::frame(&[b"EVAL", script.as_bytes(), b"0"]));
        let mut killer = server.raw();
        killer.set_timeout(LIMIT);
        crate::common::eventually("the script is killed", || {
            format!("{:?}", killer.ask("SCRIPT KILL")).contains("OK")
        });
        let text = format!("{:?}", victim.read());
        assert!(
            text.contains("Script killed by user"),
            "{script}\n  gave {text}"
        );
        check_health(&server);
    }
}
