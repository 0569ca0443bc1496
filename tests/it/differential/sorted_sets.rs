//! Sorted sets: scores of all kinds, ranges and their options, what several have in common, and the encodings on the way.

use super::generate::{Args, Generator, Single};

const KEYS: &[&[u8]] = &[b"z:0", b"z:1", b"z:2", b"z:3", b"z:4"];
/// All scores equal, so that ranges of members have a meaning.
const LEX_KEYS: &[&[u8]] = &[b"zl:0", b"zl:1"];

const COMMANDS: &[Single] = &[
    zadd,
    zadd,
    zadd,
    zadd,
    zadd,
    many,
    lex_add,
    lex_add,
    |g| vec![g.word("ZINCRBY"), key(g), score(g), member(g)],
    |g| vec![g.word("ZINCRBY"), key(g), score(g), member(g)],
    |g| [vec![g.word("ZREM"), key(g)], members(g, 5)].concat(),
    |g| vec![g.word("ZSCORE"), key(g), member(g)],
    |g| [vec![g.word("ZMSCORE"), key(g)], members(g, 5)].concat(),
    |g| vec![g.word("ZCARD"), key(g)],
    |g| vec![g.word("ZRANK"), key(g), member(g)],
    |g| vec![g.word("ZREVRANK"), key(g), member(g)],
    |g| vec![g.word("ZCOUNT"), key(g), bound(g), bound(g)],
    |g| vec![g.word("ZLEXCOUNT"), lex_key(g), lex_bound(g), lex_bound(g)],
    zrange,
    zrange,
    zrange,
    zrange,
    |g| range(g, "ZRANGEBYSCORE", key, bound),
    |g| range(g, "ZREVRANGEBYSCORE", key, bound),
    |g| range(g, "ZRANGEBYLEX", lex_key, lex_bound),
    |g| range(g, "ZREVRANGEBYLEX", lex_key, lex_bound),
    |g| range(g, "ZREVRANGE", key, rank),
    zrangestore,
    zrangestore,
    |g| vec![g.word("ZREMRANGEBYRANK"), key(g), rank(g), rank(g)],
    |g| vec![g.word("ZREMRANGEBYSCORE"), key(g), bound(g), bound(g)],
    |g| {
        vec![
            g.word("ZREMRANGEBYLEX"),
            lex_key(g),
            lex_bound(g),
            lex_bound(g),
        ]
    },
    |g| pop(g, "ZPOPMIN"),
    |g| pop(g, "ZPOPMAX"),
    |g| mpop(g, "ZMPOP"),
    |g| [vec![g.word("BZPOPMIN")], keys(g, 3), vec![b"0.01".to_vec()]].concat(),
    |g| [vec![g.word("BZPOPMAX")], keys(g, 3), vec![b"0.01".to_vec()]].concat(),
    |g| mpop(g, "BZMPOP"),
    random,
    |g| several(g, "ZUNION"),
    |g| several(g, "ZINTER"),
    |g| several(g, "ZDIFF"),
    |g| several(g, "ZINTERCARD"),
    |g| several(g, "ZUNIONSTORE"),
    |g| several(g, "ZINTERSTORE"),
    |g| several(g, "ZDIFFSTORE"),
    scan,
    |g| vec![g.word("DEL"), key(g)],
    |g| vec![g.word("OBJECT"), g.word("ENCODING"), key(g)],
    |g| vec![g.word("OBJECT"), g.word("ENCODING"), key(g)],
    |g| vec![g.word("COPY"), key(g), key(g), g.word("REPLACE")],
    |g| vec![g.word("RENAME"), key(g), key(g)],
    |g| [vec![g.word("SADD"), key(g)], members(g, 8)].concat(),
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

pub fn is_key(key: &[u8]) -> bool {
    KEYS.contains(&key) || LEX_KEYS.contains(&key)
}

pub fn key(g: &mut Generator) -> Vec<u8> {
    match g.below(100) {
        0..=96 => g.pick(KEYS).to_vec(),
        _ => g.key(),
    }
}

fn lex_key(g: &mut Generator) -> Vec<u8> {
    match g.chance(96) {
        true => g.pick(LEX_KEYS).to_vec(),
        false => g.key(),
    }
}

fn keys(g: &mut Generator, most: usize) -> Args {
    let count = 1 + g.below(most);
    (0..count).map(|_| key(g)).collect()
}

fn member(g: &mut Generator) -> Vec<u8> {
    match g.below(24) {
        0..=11 => g.below(30).to_string().into_bytes(),
        12..=18 => g.text(2),
        19 => {
            let length = g.pick(&[0, 63, 64, 65]);
            g.text(length)
        }
        20 => g.value(),
        21 => g.integer(),
        _ => g.text(1),
    }
}

fn members(g: &mut Generator, most: usize) -> Args {
    let count = 1 + g.below(most);
    (0..count).map(|_| member(g)).collect()
}

fn score(g: &mut Generator) -> Vec<u8> {
    match g.below(20) {
        0..=9 => (g.below(20) as i64 - 5).to_string().into_bytes(),
        10..=14 => format!("{}", (g.below(80) as f64 - 30.0) / 8.0).into_bytes(),
        15..=16 => g.float(),
        17 => g.integer(),
        _ => g
            .pick(&["inf", "-inf", "1e20", "-0", "123456789012"])
            .into(),
    }
}

fn bound(g: &mut Generator) -> Vec<u8> {
    match g.below(20) {
        0..=1 => g.pick(&["-inf", "+inf", "(-inf", "(inf"]).into(),
        2..=6 => [b"(".to_vec(), score(g)].concat(),
        7 => g
            .pick(&[
                "", "(", " 1", "1 ", "((1", "1e400", "-1e400", "(nan", "5\0x",
            ])
            .into(),
        _ => score(g),
    }
}

fn lex_bound(g: &mut Generator) -> Vec<u8> {
    match g.below(20) {
        0..=3 => b"-".to_vec(),
        4..=7 => b"+".to_vec(),
        8 => g.pick(&["", "+x", "-x", "a", "[", "(", "1"]).into(),
        9..=14 => [b"[".to_vec(), member(g)].concat(),
        _ => [b"(".to_vec(), member(g)].concat(),
    }
}

fn rank(g: &mut Generator) -> Vec<u8> {
    match g.chance(94) {
        true => (g.below(40) as i64 - 20).to_string().into_bytes(),
        false => g.integer(),
    }
}

fn zadd(g: &mut Generator) -> Args {
    let mut args = vec![g.word("ZADD"), key(g)];
    if g.chance(45) {
        for option in g.some(&["NX", "XX", "GT", "LT", "CH", "INCR"], 2) {
            args.push(g.word(option));
        }
    }
    let pairs = g.pick(&[1, 1, 1, 2, 3, 6]);
    for _ in 0..pairs {
        args.extend([score(g), member(g)]);
    }
    if g.chance(4) {
        args.pop();
    }
    args
}

/// So many at once that the encoding changes, or nearly.
fn many(g: &mut Generator) -> Args {
    let mut args = vec![g.word("ZADD"), key(g)];
    let count = g.pick(&[20, 100, 127, 128, 129, 300]);
    let step = 1 + g.below(3);
    for n in 0..count {
        args.push((g.below(50) as i64 - 10).to_string().into_bytes());
        args.push(format!("m{}", n * step).into_bytes());
    }
    args
}

fn lex_add(g: &mut Generator) -> Args {
    let mut args = vec![g.word("ZADD"), g.pick(LEX_KEYS).to_vec()];
    if g.chance(20) {
        // None twice: 7.0 counts members, later versions arguments.
        args.extend((0..140).flat_map(|n| [b"7".to_vec(), format!("a{n}").into_bytes()]));
    }
    for _ in 0..g.pick(&[1, 3, 10]) {
        args.extend([b"7".to_vec(), member(g)]);
    }
    args
}

/// The bounds and the options of a range.
fn range(g: &mut Generator, name: &str, key: Single2, bound: Single2) -> Args {
    let mut args = vec![g.word(name), key(g), bound(g), bound(g)];
    if g.chance(30) {
        args.push(g.word("WITHSCORES"));
    }
    if g.chance(30) {
        args.extend([g.word("LIMIT"), limit(g), limit(g)]);
    }
    if g.chance(3) {
        args.push(g.word("REV"));
    }
    args
}

type Single2 = fn(&mut Generator) -> Vec<u8>;

fn limit(g: &mut Generator) -> Vec<u8> {
    match g.chance(92) {
        true => (g.below(8) as i64 - 1).to_string().into_bytes(),
        false => g.integer(),
    }
}

fn zrange(g: &mut Generator) -> Args {
    let (name, by, key, bound): (_, _, Single2, Single2) = match g.below(3) {
        0 => ("ZRANGE", None, key, rank),
        1 => ("ZRANGE", Some("BYSCORE"), key, bound),
        _ => ("ZRANGE", Some("BYLEX"), lex_key, lex_bound),
    };
    let mut args = range(g, name, key, bound);
    if let Some(by) = by {
        args.push(g.word(by));
    }
    if g.chance(40) {
        args.push(g.word("REV"));
    }
    if g.chance(3) {
        let option = g.pick(&["BYLEX", "BYSCORE", "FOO", "LIMIT"]);
        args.push(g.word(option));
    }
    args
}

fn zrangestore(g: &mut Generator) -> Args {
    let mut args = zrange(g);
    args[0] = g.word("ZRANGESTORE");
    args.retain(|arg| g.chance(2) || !arg.eq_ignore_ascii_case(b"WITHSCORES"));
    args.insert(1, key(g));
    args
}

fn pop(g: &mut Generator, name: &str) -> Args {
    let mut args = vec![g.word(name), key(g)];
    if g.chance(60) {
        args.push(limit(g));
    }
    args
}

fn mpop(g: &mut Generator, name: &str) -> Args {
    let keys = keys(g, 3);
    let mut args = vec![g.word(name)];
    if name == "BZMPOP" {
        args.push(b"0.01".to_vec());
    }
    args.push(number(g, keys.len()));
    args.extend(keys);
    let end = g.pick(&["MIN", "MIN", "MAX", "MAX", "MID"]);
    args.push(g.word(end));
    if g.chance(50) {
        args.extend([g.word("COUNT"), limit(g)]);
    }
    args
}

/// Mostly this number.
fn number(g: &mut Generator, number: usize) -> Vec<u8> {
    match g.chance(96) {
        true => number.to_string().into_bytes(),
        false => g
            .pick(&["0", "-1", "1", "2", "9", "x", "9223372036854775807"])
            .into(),
    }
}

/// What is asked for by chance is compared by its size only.
fn random(g: &mut Generator) -> Args {
    let mut args = vec![g.word("ZRANDMEMBER"), key(g)];
    if g.chance(80) {
        let count = g.pick(&[
            "0",
            "1",
            "3",
            "500",
            "-1",
            "-5",
            "-500",
            "x",
            "9223372036854775807",
        ]);
        args.push(count.into());
        if g.chance(50) {
            let option = g.pick(&["WITHSCORES", "WITHSCORES", "WITHSCORES", "FOO"]);
            args.push(g.word(option));
        }
    }
    args
}

fn several(g: &mut Generator, name: &str) -> Args {
    let keys = keys(g, 4);
    let mut args = vec![g.word(name)];
    if name.ends_with("STORE") {
        args.push(key(g));
    }
    let count = keys.len();
    args.push(number(g, count));
    args.extend(keys);
    if g.chance(30) && !name.contains("DIFF") {
        args.push(g.word("WEIGHTS"));
        args.extend((0..count).map(|_| score(g)));
    }
    if g.chance(30) && !name.contains("DIFF") {
        let how = g.pick(&["SUM", "MIN", "MAX", "MAX", "AVG"]);
        args.extend([g.word("AGGREGATE"), g.word(how)]);
    }
    if g.chance(30) {
        args.push(g.word("WITHSCORES"));
    }
    if g.chance(if name == "ZINTERCARD" { 50 } else { 2 }) {
        args.extend([g.word("LIMIT"), limit(g)]);
    }
    args
}

/// All at once, whatever the encoding.
fn scan(g: &mut Generator) -> Args {
    let mut args = vec![
        g.word("ZSCAN"),
        key(g),
        b"0".to_vec(),
        g.word("COUNT"),
        b"5000".to_vec(),
    ];
    if g.chance(40) {
        args.extend([
            g.word("MATCH"),
            g.pick(&[&b"*1*"[..], b"a*", b"*", b"m?"]).to_vec(),
        ]);
    }
    args
}
