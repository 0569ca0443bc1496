//! `KEYS` and `ARGV`: each call has its own, whatever the one before has done with its, and whether or not the server can
//! tell beforehand that a script leaves them as they are.

use crate::common::{Raw, Reply, Server, array, bulk, error, integer, ok};

/// Scripts that give back all that they find, told beforehand to change nothing.
const READING: &[&str] = &[
    "local all = {} for i, key in ipairs(KEYS) do all[i] = key end \
     for i = 1, #ARGV do table.insert(all, ARGV[i]) end return all",
    "local all = {unpack(KEYS)} for _, value in pairs(ARGV) do table.insert(all, value) end return all",
    "local keys, values = cjson.decode(cjson.encode(KEYS)), cmsgpack.unpack(cmsgpack.pack(ARGV)) \
     local all = {} for i = 1, #KEYS do table.insert(all, keys[i]) end \
     for i = 1, #ARGV do table.insert(all, values[i]) end return all",
];

/// Scripts that do the same, but not without changing, keeping or passing on what they have.
const CHANGING: &[&str] = &[
    "local all = {} for i = 1, 300 do all[#all + 1] = table.remove(KEYS, 1) end \
     for i = 1, 300 do all[#all + 1] = table.remove(ARGV, 1) end return all",
    "local function all() for _, value in ipairs(ARGV) do table.insert(KEYS, value) end return KEYS end return all()",
    "local keys, all = KEYS, {} table.insert(keys, 'last') keys[#keys] = nil \
     setmetatable(KEYS, {__index = function() return nil end}) \
     for _, list in ipairs({keys, ARGV}) do for _, text in ipairs(list) do all[#all + 1] = text end end return all",
    "local each = coroutine.wrap(function() for _, list in ipairs({KEYS, ARGV}) do \
     while #list > 0 do coroutine.yield(table.remove(list, 1)) end end end) \
     local all = {} for text in each do all[#all + 1] = text end return all",
];

/// Scripts that end half-way.
const FAILING: &[&str] = &[
    "return redis.call('INCR', KEYS[1])",
    "redis.call('GET', KEYS[1]) error('failed')",
    "return KEYS[1] + 1",
    "KEYS[1], KEYS[7] = ARGV[1], 'left' ARGV[1] = nil return redis.call('INCR', 'text')",
    "KEYS = {}",
    "for i = 1, #KEYS do KEYS[i] = nil end ARGV.left = 1 error({err = 'MY own'})",
];

fn eval(raw: &mut Raw, script: &str, keys: &[String], others: &[String]) -> Reply {
    let count = keys.len().to_string();
    let mut words = vec![&b"EVAL"[..], script.as_bytes(), count.as_bytes()];
    words.extend(keys.iter().chain(others).map(|word| word.as_bytes()));
    raw.command(&words)
}

fn names(start: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{start}{at}")).collect()
}

#[test]
fn each_call_has_its_own() {
    let server = Server::start(&["--io-threads", "1"]);
    let mut raw = server.raw();
    assert_eq!(raw.ask("SET text x"), ok());
    let counts = [0, 1, 2, 5, 40, 3, 64, 1, 200, 2, 0, 9];
    for round in 0..120 {
        let keys = names(&format!("key:{round}:"), counts[round % 12]);
        let others = names(&format!("value:{round}:"), counts[round * 7 % 11]);
        let all = array(keys.iter().chain(&others).map(bulk));
        let script = match round % 3 {
            0 => CHANGING[round / 3 % CHANGING.len()],
            _ => READING[round / 3 % READING.len()],
        };
        assert_eq!(eval(&mut raw, script, &keys, &others), all, "{script}");
        if round % 4 == 0 {
            let failing = FAILING[round / 4 % FAILING.len()];
            let keys = [vec!["text".to_owned()], names("k", round % 5)].concat();
            let failed = eval(&mut raw, failing, &keys, &others);
            assert!(matches!(failed, Reply::Error(_)), "{failing}: {failed:?}");
        }
        if round % 50 == 49 {
            assert_eq!(raw.ask("SCRIPT FLUSH"), ok());
        }
    }
}

#[test]
fn what_is_not_there_is_nil() {
    let server = Server::start(&["--io-threads", "1"]);
    let mut raw = server.raw();
    let seen = "return {#KEYS, #ARGV, tostring(KEYS[1]), tostring(KEYS[2]), tostring(ARGV[1]), tostring(KEYS[0]), tostring(KEYS.n)}";
    for (keys, others) in [(2, 1), (0, 0), (60, 4), (1, 0), (70, 70), (0, 1), (0, 0)] {
        let text = |is_there: bool, text: &str| bulk(if is_there { text } else { "nil" });
        let expected = array([
            integer(keys as i64),
            integer(others as i64),
            text(keys > 0, "k0"),
            text(keys > 1, "k1"),
            text(others > 0, "a0"),
            bulk("nil"),
            bulk("nil"),
        ]);
        let got = eval(&mut raw, seen, &names("k", keys), &names("a", others));
        assert_eq!(got, expected);
    }
    let lost = eval(&mut raw, "return redis.call('GET', KEYS[1])", &[], &[]);
    assert_eq!(
        lost.text().split(" script: ").next(),
        Some("ERR Lua redis lib command arguments must be strings or integers")
    );
}

/// What is told of a script beforehand holds in a transaction, for functions, and on the other workers.
#[test]
fn they_are_the_same_everywhere() {
    let server = Server::start(&["--io-threads", "2"]);
    let library = "#!lua name=lib\nredis.register_function('both', function(keys, args) \
                   table.insert(keys, args[1]) args[1] = nil KEYS_SEEN = nil return keys end)";
    let library = library.replace("KEYS_SEEN = nil ", "");
    let mut first = server.raw();
    let loaded = first.command(&[b"FUNCTION", b"LOAD", library.as_bytes()]);
    assert_eq!(loaded, bulk("lib"));
    let mut clients: Vec<Raw> = (0..4).map(|_| server.raw()).collect();
    for (number, raw) in clients.iter_mut().enumerate() {
        let key = format!("key:{number}");
        let both = array([bulk(&key), bulk("a")]);
        for script in READING.iter().chain(CHANGING) {
            assert_eq!(
                eval(raw, script, std::slice::from_ref(&key), &["a".into()]),
                both
            );
            assert_eq!(raw.ask(&format!("FCALL both 1 {key} a")), both);
        }
        assert_eq!(raw.ask("MULTI"), ok());
        for script in [READING[0], CHANGING[0], READING[0]] {
            eval(raw, script, std::slice::from_ref(&key), &["a".into()]);
        }
        raw.ask(&format!("FCALL both 1 {key} a"));
        assert_eq!(raw.ask("EXEC"), array([(); 4].map(|()| both.clone())));
    }
}

#[test]
fn long_ones_are_taken_and_forgotten() {
    let server = Server::start(&["--io-threads", "1"]);
    let mut raw = server.raw();
    let many = names("value:", 20_000);
    let count = "return #ARGV";
    assert_eq!(eval(&mut raw, count, &[], &many), integer(20_000));
    let long = vec!["x".repeat(4 << 20)];
    let length = "return #ARGV[1]";
    assert_eq!(eval(&mut raw, length, &[], &long), integer(4 << 20));
    assert_eq!(eval(&mut raw, count, &[], &[]), integer(0));
    let unknown = eval(&mut raw, "return nosuch", &[], &[]).text();
    assert!(
        unknown.contains("nonexistent global variable 'nosuch'"),
        "{unknown}"
    );
    assert_ne!(eval(&mut raw, "return type(KEYS)", &[], &[]), error(""));
}
