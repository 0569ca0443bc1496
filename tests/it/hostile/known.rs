//! Flaws of Redis and Valkey by their numbers, as far as a few commands show them: what brought those servers down, let somebody
//! out or made a false promise there does what it says here, or is refused.

use super::check_health;
use crate::common::{Raw, Reply, Server, frame, ok};

/// A flaw's number, what is sent, and what the last reply must contain, as it is shown.
type Row = (&'static str, &'static [&'static str], &'static str);

const ROWS: &[Row] = &[
    (
        "CVE-2021-29477",
        &[
            "MSET a ohmytext b mynewtext",
            "LCS a b IDX MINMATCHLEN -9223372036854775808 WITHMATCHLEN",
        ],
        "matches",
    ),
    (
        "CVE-2021-29478",
        &[
            "CONFIG SET set-max-intset-entries 9223372036854775807",
            "SADD ints 1 2 3",
            "SINTERCARD 1 ints LIMIT 9223372036854775807",
        ],
        ":3",
    ),
    (
        "CVE-2021-32627",
        &[
            "CONFIG SET proto-max-bulk-len 9223372036854775807",
            "XADD stream * field value",
            "XLEN stream",
        ],
        ":1",
    ),
    (
        "CVE-2021-32628",
        &[
            "CONFIG SET hash-max-listpack-value 9223372036854775807 hash-max-listpack-entries 9223372036854775807 \
             zset-max-listpack-value 9223372036854775807 zset-max-listpack-entries 9223372036854775807",
            "HSET small f v",
            "ZADD sorted 1 m",
            "OBJECT ENCODING sorted",
        ],
        "listpack",
    ),
    (
        "CVE-2021-41099",
        &["SET text x", "SETRANGE text 9223372036854775807 y"],
        "maximum allowed size",
    ),
    ("CVE-2021-32672", &["SCRIPT DEBUG YES"], "ERR"),
    (
        "CVE-2021-32687",
        &[
            "SADD ints 9223372036854775807 -9223372036854775808",
            "SRANDMEMBER ints -5",
        ],
        "[",
    ),
    (
        "CVE-2022-0543",
        &["EVAL \"return package.loadlib\" 0"],
        "ERR",
    ),
    (
        "CVE-2022-24735",
        &[
            "EVAL \"setmetatable(_G, {__index = function() return 1 end}); return nosuch\" 0",
            "EVAL \"return nosuch\" 0",
        ],
        "ERR",
    ),
    (
        "CVE-2022-24736",
        &["EVAL \"local _ENV; return (function() end)()()\" 0"],
        "ERR",
    ),
    (
        "CVE-2022-24834",
        &["EVAL \"return #cjson.encode(string.rep(string.char(1), 1000000))\" 0"],
        ":6000002",
    ),
    (
        "CVE-2022-31144",
        &[
            "XADD claimed 1-1 f v",
            "XADD claimed 1-2 f v",
            "XADD claimed 1-3 f v",
            "XGROUP CREATE claimed group 0",
            "XREADGROUP GROUP group one COUNT 3 STREAMS claimed >",
            "XDEL claimed 1-1 1-2",
            "XAUTOCLAIM claimed group two 0 0-0 COUNT 1",
        ],
        "1-1",
    ),
    (
        "CVE-2022-35951",
        &["XAUTOCLAIM claimed group two 0 0-0 COUNT 4611686018427387904"],
        "ERR COUNT",
    ),
    (
        "CVE-2022-35977",
        &["SETRANGE text 9223372036854775806 xy"],
        "maximum allowed size",
    ),
    (
        "CVE-2022-35977",
        &["SORT_RO list ALPHA LIMIT 9223372036854775807 9223372036854775807"],
        "[]",
    ),
    (
        "CVE-2022-36021",
        &[
            "SET aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1",
            "KEYS a*a*a*a*a*a*a*a*a*a*a*a*a*b",
        ],
        "[]",
    ),
    (
        "CVE-2023-22458",
        &["HSET fields f v", "HRANDFIELD fields -9223372036854775808"],
        "out of range",
    ),
    (
        "CVE-2023-22458",
        &[
            "ZADD sorted 1 m",
            "ZRANDMEMBER sorted -9223372036854775808 WITHSCORES",
        ],
        "out of range",
    ),
    (
        "CVE-2023-25155",
        &["SADD members m", "SRANDMEMBER members -9223372036854775808"],
        "out of range",
    ),
    (
        "CVE-2023-28425",
        &["MSETNX twice 1 twice 2", "GET twice"],
        "2",
    ),
    (
        "CVE-2023-28856",
        &[
            "HSET floats f 1",
            "HINCRBYFLOAT floats f +inf",
            "HGETALL floats",
        ],
        "[\"f\", \"1\"]",
    ),
    (
        "CVE-2023-28856",
        &["HINCRBYFLOAT floats f nan"],
        "ERR value is not a valid float",
    ),
    (
        "CVE-2023-36824",
        &["COMMAND GETKEYS EVAL script 9223372036854775807 k"],
        "[]",
    ),
    (
        "CVE-2023-36824",
        &["COMMAND GETKEYS ZUNIONSTORE to 4294967297 a b"],
        "ERR",
    ),
    (
        "CVE-2023-41053",
        &[
            "ACL SETUSER sorter on nopass ~list +sort_ro",
            "ACL DRYRUN sorter sort_ro secret",
        ],
        "permissions",
    ),
    ("CVE-2024-31227", &["ACL SETUSER broken (%~"], "ERR"),
    (
        "CVE-2024-31227",
        &["ACL SETUSER broken \"(~x +get))\""],
        "ERR",
    ),
    (
        "CVE-2024-31449",
        &["EVAL \"return bit.tohex(65535, -2147483648)\" 0"],
        "0000FFFF",
    ),
    (
        "CVE-2024-46981",
        &["EVAL \"return pcall(newproxy, true)\" 0"],
        "ERR",
    ),
    (
        "CVE-2024-51741",
        &[
            "ACL SETUSER broken %RW~",
            "ACL SETUSER broken %",
            "ACL SETUSER broken ()(",
        ],
        "ERR",
    ),
    (
        "CVE-2025-46817",
        &["EVAL \"return {unpack({1, 2, 3}, -2, 2147483647)}\" 0"],
        "ERR",
    ),
    (
        "CVE-2025-46818",
        &["EVAL \"getmetatable('').__index = function() return 'x' end\" 0"],
        "ERR",
    ),
    (
        "CVE-2025-46819",
        &["EVAL \"return loadstring('return [' .. string.rep('=', 100000))\" 0"],
        "$-1",
    ),
    (
        "CVE-2025-62507",
        &["XACKDEL claimed group IDS 12 1-1 1-2 1-3 1-4 1-5 1-6 1-7 1-8 1-9 1-10 1-11 1-12"],
        "[",
    ),
];

#[test]
fn flaws_known_by_number_are_not_there() {
    let server = Server::start(&["--enable-protected-configs", "yes"]);
    let mut raw = server.raw();
    assert_eq!(raw.ask("RPUSH list b a"), Reply::Integer(2));
    for (number, commands, expected) in ROWS {
        let replies: Vec<Reply> = commands.iter().map(|command| raw.ask(command)).collect();
        let shown = replies.last().map(|reply| format!("{reply:?}"));
        let shown = shown.unwrap_or_default();
        assert!(shown.contains(expected), "{number} {commands:?}: {shown}");
    }
    check_health(&server, &mut raw);
}

/// CVE-2023-41056 and CVE-2025-49112: buffers that were given back while they were to be used, and replies whose length is
/// known late where a buffer is nearly full.
#[test]
fn buffers_that_are_nearly_full_lose_nothing() {
    let server = Server::start(&[]);
    let (mut raw, mut slow) = (server.raw(), server.raw());
    let long = frame(&[b"ECHO", &[b'x'; 40_000]]);
    slow.send(&long[..35_000]);
    // Longer than timers take to look at buffers that nobody uses.
    std::thread::sleep(std::time::Duration::from_millis(1200));
    slow.send(&long[35_000..]);
    assert_eq!(slow.read().text().len(), 40_000);
    assert_eq!(raw.ask("SET key value"), ok());
    for filled in (16_000..16_400).chain(65_400..65_560) {
        let text = vec![b'y'; filled];
        let mut both = frame(&[b"ECHO", &text]);
        both.extend(frame(&[b"KEYS", b"*"]));
        both.extend(frame(&[b"CONFIG", b"GET", b"port"]));
        raw.send(&both);
        assert_eq!(raw.read().text().len(), filled);
        assert_eq!(raw.read().items().len(), 1);
        assert_eq!(raw.read().items().len(), 2);
    }
    check_health(&server, &mut raw);
}

/// CVE-2021-32675: lengths that somebody without a password declares are not believed.
#[test]
fn strangers_may_not_declare_much() {
    let server = Server::start(&["--requirepass", "secret"]);
    for head in ["*1000000\r\n", "*2\r\n$4\r\nAUTH\r\n$100000000\r\n"] {
        let mut stranger: Raw = server.raw();
        stranger.send(head);
        assert!(stranger.read().text().contains("unauthenticated"), "{head}");
        stranger.expect_closed();
    }
}

/// What the document says is tested is.
#[test]
fn each_flaw_of_the_document_is_named_by_a_test() {
    let document = include_str!("../../../SECURITY.md");
    let tests = [
        include_str!("known.rs"),
        include_str!("counts.rs"),
        include_str!("payloads.rs"),
        include_str!("patterns.rs"),
        include_str!("races.rs"),
        include_str!("replies.rs"),
        include_str!("strangers.rs"),
        include_str!("../scripts_hostile.rs"),
    ];
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let is_number = |word: &&str| {
        let (year, rest) = word.split_once('-').unwrap_or_default();
        year.len() == 4 && year.starts_with("20") && rest.len() >= 4 && rest.bytes().all(is_digit)
    };
    let words = document.split(|c: char| !c.is_ascii_digit() && c != '-');
    let words = words.map(|word| word.trim_matches('-'));
    for number in words.filter(is_number) {
        assert!(tests.iter().any(|text| text.contains(number)), "{number}");
    }
}
