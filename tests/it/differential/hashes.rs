//! Hashes: fields and values of all lengths, counters, and the encodings on the way.

use super::generate::{Args, Generator, Single};

const KEYS: &[&[u8]] = &[b"h:0", b"h:1", b"h:2"];

const COMMANDS: &[Single] = &[
    |g| pairs(g, "HSET", 5),
    |g| pairs(g, "HSET", 5),
    |g| pairs(g, "HSET", 5),
    |g| pairs(g, "HMSET", 3),
    many,
    |g| vec![g.word("HSETNX"), key(g), field(g), value(g)],
    |g| vec![g.word("HSETNX"), key(g), field(g), value(g)],
    |g| [vec![g.word("HDEL"), key(g)], fields(g, 5)].concat(),
    |g| [vec![g.word("HDEL"), key(g)], fields(g, 5)].concat(),
    |g| vec![g.word("HGET"), key(g), field(g)],
    |g| [vec![g.word("HMGET"), key(g)], fields(g, 5)].concat(),
    |g| vec![g.word("HGETALL"), key(g)],
    |g| vec![g.word("HKEYS"), key(g)],
    |g| vec![g.word("HVALS"), key(g)],
    |g| vec![g.word("HLEN"), key(g)],
    |g| vec![g.word("HSTRLEN"), key(g), field(g)],
    |g| vec![g.word("HEXISTS"), key(g), field(g)],
    |g| vec![g.word("HINCRBY"), key(g), field(g), g.integer()],
    |g| vec![g.word("HINCRBY"), key(g), field(g), g.integer()],
    |g| vec![g.word("HINCRBYFLOAT"), key(g), field(g), g.float()],
    |g| vec![g.word("HINCRBYFLOAT"), key(g), field(g), g.float()],
    random,
    scan,
    |g| vec![g.word("DEL"), key(g)],
    |g| vec![g.word("OBJECT"), g.word("ENCODING"), key(g)],
    |g| vec![g.word("TYPE"), key(g)],
    |g| vec![g.word("COPY"), key(g), key(g), g.word("REPLACE")],
    |g| vec![g.word("RENAME"), key(g), key(g)],
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

pub fn is_key(key: &[u8]) -> bool {
    KEYS.contains(&key)
}

pub fn key(g: &mut Generator) -> Vec<u8> {
    match g.chance(94) {
        true => g.pick(KEYS).to_vec(),
        false => g.key(),
    }
}

fn field(g: &mut Generator) -> Vec<u8> {
    match g.below(30) {
        0..=21 => g.below(12).to_string().into_bytes(),
        22..=27 => g.text(1),
        28 if g.chance(10) => g.text(65),
        28 => g.text(64),
        _ => Vec::new(),
    }
}

fn value(g: &mut Generator) -> Vec<u8> {
    match g.below(40) {
        0..=15 => g.below(100).to_string().into_bytes(),
        16..=30 => g.text(3),
        31..=33 => g.text(64),
        34 if g.chance(20) => g.text(65),
        35..=36 => g.integer(),
        37 => g.float(),
        38 if g.chance(20) => g.value(),
        _ => Vec::new(),
    }
}

fn fields(g: &mut Generator, most: usize) -> Args {
    let count = 1 + g.below(most);
    (0..count).map(|_| field(g)).collect()
}

fn pairs(g: &mut Generator, name: &str, most: usize) -> Args {
    let count = 1 + g.below(most);
    let mut args = vec![g.word(name), key(g)];
    for _ in 0..count {
        args.extend([field(g), value(g)]);
    }
    if g.chance(4) {
        args.pop();
    }
    args
}

/// Enough fields to leave the small encoding.
fn many(g: &mut Generator) -> Args {
    if g.chance(70) {
        return vec![g.word("DEL"), key(g)];
    }
    let count = g.pick(&[100, 511, 512, 513]);
    let mut args = vec![g.word("HSET"), key(g)];
    for number in 0..count {
        args.extend([format!("f{number}").into_bytes(), b"v".to_vec()]);
    }
    args
}

fn random(g: &mut Generator) -> Args {
    const COUNTS: &[&str] = &[
        "0",
        "1",
        "-1",
        "-5",
        "100000",
        "-9223372036854775808",
        "9223372036854775807",
        "abc",
    ];
    let mut args = vec![g.word("HRANDFIELD"), key(g)];
    if g.chance(70) {
        args.push(g.pick(COUNTS).into());
        if g.chance(50) {
            args.push(g.word("WITHVALUES"));
        }
        if g.chance(5) {
            args.push(g.word("FOO"));
        }
    }
    args
}

fn scan(g: &mut Generator) -> Args {
    let mut args = vec![g.word("HSCAN"), key(g), b"0".to_vec()];
    args.extend([g.word("COUNT"), b"100000".to_vec()]);
    match g.below(5) {
        0 => args.extend([g.word("MATCH"), g.pattern()]),
        1 => args.extend([g.word("MATCH"), b"1*".to_vec()]),
        2 => args.extend([g.word("COUNT"), g.pick(&["0", "-1", "abc", ""]).into()]),
        3 if g.chance(50) => args.push(g.word("FOO")),
        _ => {}
    }
    args
}
