//! Strings: SET with all that it takes, counters, ranges, LCS; and values of many kilobytes on keys of their own.

use super::generate::{Args, Generator, Single};

const COMMANDS: &[Single] = &[
    set,
    set,
    set,
    set,
    |g| vec![g.word("SET"), g.key(), g.value()],
    |g| vec![g.word("SET"), g.key(), g.value()],
    |g| vec![g.word("SET"), g.key(), g.value()],
    |g| vec![g.word("GET"), g.key()],
    |g| vec![g.word("GET"), g.key()],
    getex,
    getex,
    |g| vec![g.word("GETDEL"), g.key()],
    |g| vec![g.word("GETSET"), g.key(), g.value()],
    |g| vec![g.word("SETNX"), g.key(), g.value()],
    |g| vec![g.word("SETEX"), g.key(), span(g, Unit::Seconds), g.value()],
    |g| {
        vec![
            g.word("PSETEX"),
            g.key(),
            span(g, Unit::Milliseconds),
            g.value(),
        ]
    },
    |g| pairs(g, "MSET"),
    |g| pairs(g, "MSETNX"),
    |g| [vec![g.word("MGET")], g.keys(6)].concat(),
    |g| vec![g.word("INCR"), g.key()],
    |g| vec![g.word("DECR"), g.key()],
    |g| vec![g.word("INCRBY"), g.key(), g.integer()],
    |g| vec![g.word("DECRBY"), g.key(), g.integer()],
    |g| vec![g.word("INCRBYFLOAT"), g.key(), g.float()],
    |g| vec![g.word("INCRBYFLOAT"), g.key(), g.float()],
    |g| vec![g.word("INCRBYFLOAT"), g.key(), long_float(g)],
    |g| vec![g.word("APPEND"), g.key(), g.value()],
    |g| vec![g.word("STRLEN"), g.key()],
    |g| vec![g.word("GETRANGE"), g.key(), g.index(), g.index()],
    |g| vec![g.word("SUBSTR"), g.key(), g.index(), g.index()],
    |g| vec![g.word("SETRANGE"), g.key(), offset(g), g.value()],
    lcs,
];

const BIG_SIZES: &[usize] = &[1_024, 16_383, 16_384, 16_385, 20_000, 65_536];

const BIG_COMMANDS: &[Single] = &[
    |g| vec![g.word("SET"), g.big_key(), big_value(g)],
    |g| vec![g.word("SET"), g.big_key(), big_value(g), g.word("GET")],
    |g| vec![g.word("SET"), g.big_key(), g.value(), g.word("KEEPTTL")],
    |g| vec![g.word("GETSET"), g.big_key(), big_value(g)],
    |g| vec![g.word("GET"), g.big_key()],
    |g| vec![g.word("GETDEL"), g.big_key()],
    |g| vec![g.word("MGET"), g.big_key(), g.big_key()],
    |g| vec![g.word("APPEND"), g.big_key(), g.value()],
    |g| vec![g.word("STRLEN"), g.big_key()],
    |g| vec![g.word("GETRANGE"), g.big_key(), big_index(g), big_index(g)],
    |g| vec![g.word("SETRANGE"), g.big_key(), big_index(g), g.value()],
    |g| vec![g.word("COPY"), g.big_key(), g.big_key(), g.word("REPLACE")],
    |g| vec![g.word("RENAME"), g.big_key(), g.big_key()],
    |g| vec![g.word("EXPIRE"), g.big_key(), g.seconds()],
    |g| vec![g.word("PERSIST"), g.big_key()],
    |g| vec![g.word("INCR"), g.big_key()],
    |g| vec![g.word("DEL"), g.big_key(), g.big_key()],
    |g| vec![g.word("OBJECT"), g.word("ENCODING"), g.big_key()],
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

pub fn big(g: &mut Generator) -> Args {
    g.pick(BIG_COMMANDS)(g)
}

fn big_value(g: &mut Generator) -> Vec<u8> {
    let size = g.pick(BIG_SIZES);
    let letter = g.pick(b"xyz");
    vec![letter; size]
}

fn big_index(g: &mut Generator) -> Vec<u8> {
    let near = g.pick(BIG_SIZES) as i64;
    let sign = g.pick(&[1, 1, 1, -1]);
    (sign * near + g.below(3) as i64 - 1)
        .to_string()
        .into_bytes()
}

enum Unit {
    Seconds,
    Milliseconds,
}

fn span(g: &mut Generator, unit: Unit) -> Vec<u8> {
    match unit {
        _ if g.chance(20) => g.odd_time(),
        Unit::Seconds => g.seconds(),
        Unit::Milliseconds => g.milliseconds(),
    }
}

fn set(g: &mut Generator) -> Args {
    let mut args = vec![g.word("SET"), g.key(), g.value()];
    // Weighted towards sets of options that are legal.
    let most = g.pick(&[1, 2, 2, 3, 4]);
    for option in g.some(
        &[
            "NX", "XX", "GET", "KEEPTTL", "EX", "PX", "EXAT", "PXAT", "GET", "FOO",
        ],
        most,
    ) {
        push_option(g, &mut args, option);
    }
    args
}

fn getex(g: &mut Generator) -> Args {
    let mut args = vec![g.word("GETEX"), g.key()];
    let most = g.pick(&[1, 1, 1, 2]);
    for option in g.some(
        &[
            "PERSIST", "EX", "PX", "EXAT", "PXAT", "PERSIST", "NX", "KEEPTTL",
        ],
        most,
    ) {
        push_option(g, &mut args, option);
    }
    args
}

/// Appends the option and, mostly, the value that belongs to it.
fn push_option(g: &mut Generator, args: &mut Args, option: &str) {
    args.push(g.word(option));
    let value = match option {
        "EX" => g.seconds(),
        "PX" => g.milliseconds(),
        "EXAT" => g.time_s(),
        "PXAT" => g.time_ms(),
        _ => return,
    };
    match g.below(12) {
        0 => {}
        1 => args.push(g.odd_time()),
        _ => args.push(value),
    }
}

fn pairs(g: &mut Generator, name: &str) -> Args {
    let mut args = vec![g.word(name)];
    for _ in 0..=g.below(4) {
        args.push(g.key());
        args.push(g.value());
    }
    if g.chance(10) {
        args.push(g.key());
    }
    args
}

/// Small, or refused: 512 MB would be allowed too, but not here.
fn offset(g: &mut Generator) -> Vec<u8> {
    match g.chance(80) {
        true => g.below(60).to_string().into_bytes(),
        false => g
            .pick(&[
                "-1",
                "536870912",
                "536870913",
                "9223372036854775807",
                "9223372036854775808",
                "abc",
                "",
                "-0",
                "1.0",
            ])
            .into(),
    }
}

/// A float of more digits than a double has, or near the limits of what a long double holds.
fn long_float(g: &mut Generator) -> Vec<u8> {
    let digits = |g: &mut Generator, most: usize| {
        let count = 1 + g.below(most);
        (0..count)
            .map(|_| char::from(b'0' + g.below(10) as u8))
            .collect::<String>()
    };
    let sign = g.pick(&["", "", "-", "+"]);
    let (whole, part) = (digits(g, 22), digits(g, 30));
    let text = match g.below(5) {
        0 => format!("{sign}{whole}"),
        1 => format!("{sign}{whole}.{part}e{}", g.below(80) as i64 - 60),
        2 => format!("{sign}{whole}e{}", g.below(10_000) as i64 - 5_000),
        3 => format!("{sign}0x{whole}.{part}p{}", g.below(200) as i64 - 100),
        _ => format!("{sign}{whole}.{part}"),
    };
    text.into_bytes()
}

fn lcs(g: &mut Generator) -> Args {
    let mut args = vec![g.word("LCS"), g.key(), g.key()];
    for option in g.some(
        &["LEN", "IDX", "IDX", "MINMATCHLEN", "WITHMATCHLEN", "FOO"],
        3,
    ) {
        args.push(g.word(option));
        if option == "MINMATCHLEN" && g.chance(90) {
            let length = match g.chance(80) {
                true => g.below(5).to_string().into_bytes(),
                false => g.integer(),
            };
            args.push(length);
        }
    }
    args
}
