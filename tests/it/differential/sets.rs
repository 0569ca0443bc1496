//! Sets: members of all lengths, what several sets have in common, and the encodings on the way.

use super::generate::{Args, Generator, Single};

const KEYS: &[&[u8]] = &[b"s:0", b"s:1", b"s:2", b"s:3"];

const COMMANDS: &[Single] = &[
    sadd,
    sadd,
    sadd,
    sadd,
    many,
    |g| [vec![g.word("SREM"), key(g)], members(g, 6)].concat(),
    |g| [vec![g.word("SREM"), key(g)], members(g, 6)].concat(),
    |g| vec![g.word("SISMEMBER"), key(g), member(g)],
    |g| [vec![g.word("SMISMEMBER"), key(g)], members(g, 4)].concat(),
    |g| vec![g.word("SCARD"), key(g)],
    |g| vec![g.word("SMEMBERS"), key(g)],
    |g| vec![g.word("SMOVE"), key(g), key(g), member(g)],
    |g| vec![g.word("SMOVE"), key(g), key(g), member(g)],
    |g| several(g, "SINTER"),
    |g| several(g, "SUNION"),
    |g| several(g, "SDIFF"),
    |g| several(g, "SDIFF"),
    |g| several(g, "SINTERSTORE"),
    |g| several(g, "SUNIONSTORE"),
    |g| several(g, "SDIFFSTORE"),
    intercard,
    pop_all,
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

fn member(g: &mut Generator) -> Vec<u8> {
    match g.below(20) {
        0..=11 => g.below(30).to_string().into_bytes(),
        12..=15 => g.text(2),
        16 => {
            let length = g.pick(&[0, 63, 64, 65]);
            g.text(length)
        }
        17 => g.value(),
        _ => g.integer(),
    }
}

fn members(g: &mut Generator, most: usize) -> Args {
    let count = 1 + g.below(most);
    (0..count).map(|_| member(g)).collect()
}

fn sadd(g: &mut Generator) -> Args {
    [vec![g.word("SADD"), key(g)], members(g, 6)].concat()
}

/// Enough members to leave a small encoding.
fn many(g: &mut Generator) -> Args {
    let (from, count) = (g.below(1000), g.pick(&[100, 127, 128, 129, 500, 511, 600]));
    let numbers = (from..from + count).map(|number| number.to_string().into_bytes());
    let mut args: Args = vec![g.word("SADD"), key(g)];
    args.extend(numbers);
    if g.chance(50) {
        args.push(member(g));
    }
    args
}

fn several(g: &mut Generator, name: &str) -> Args {
    let count = 1 + g.below(4);
    let mut args = vec![g.word(name)];
    args.extend((0..count).map(|_| key(g)));
    args
}

fn intercard(g: &mut Generator) -> Args {
    let count = 1 + g.below(3);
    let mut args = vec![g.word("SINTERCARD")];
    args.push(match g.chance(85) {
        true => count.to_string().into_bytes(),
        false => g.integer(),
    });
    args.extend((0..count).map(|_| key(g)));
    if g.chance(40) {
        let limit = match g.chance(70) {
            true => g.below(5).to_string().into_bytes(),
            false => g.integer(),
        };
        args.extend([g.word("LIMIT"), limit]);
    }
    if g.chance(5) {
        args.push(g.word("FOO"));
    }
    args
}

/// Only what leaves no choice: the other server would choose another member.
fn pop_all(g: &mut Generator) -> Args {
    let count = g.pick(&[
        "0",
        "100000",
        "-1",
        "abc",
        "9223372036854775808",
        "100000 x",
    ]);
    let mut args = vec![g.word("SPOP"), key(g)];
    args.extend(count.split(' ').map(|word| word.as_bytes().to_vec()));
    args
}

fn random(g: &mut Generator) -> Args {
    const COUNTS: &[&str] = &[
        "0",
        "1",
        "-1",
        "5",
        "-5",
        "100000",
        "-9223372036854775808",
        "abc",
    ];
    let mut args = vec![g.word("SRANDMEMBER"), key(g)];
    if g.chance(70) {
        args.push(g.pick(COUNTS).into());
    }
    if g.chance(5) {
        args.push(g.word("FOO"));
    }
    args
}

fn scan(g: &mut Generator) -> Args {
    let mut args = vec![g.word("SSCAN"), key(g), b"0".to_vec()];
    args.extend([g.word("COUNT"), b"100000".to_vec()]);
    match g.below(6) {
        0 => args.extend([g.word("MATCH"), g.pattern()]),
        1 => args.extend([g.word("MATCH"), b"1*".to_vec()]),
        2 => args.extend([g.word("COUNT"), g.pick(&["0", "-1", "abc", ""]).into()]),
        4 if g.chance(50) => args[2] = g.pick(&["abc", "-", "1 ", "0x1"]).into(),
        _ => {}
    }
    args
}
