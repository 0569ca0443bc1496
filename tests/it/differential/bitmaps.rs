//! Bitmaps: single bits, counts and searches within parts, combinations, fields of any width.

use super::generate::{Args, Generator, Single};

const COMMANDS: &[Single] = &[
    setbit,
    setbit,
    setbit,
    |g| vec![g.word("GETBIT"), g.key(), offset(g)],
    count,
    count,
    position,
    position,
    combine,
    combine,
    |g| fields(g, "BITFIELD", &["GET", "SET", "INCRBY", "OVERFLOW"]),
    |g| fields(g, "BITFIELD", &["GET", "SET", "INCRBY", "OVERFLOW"]),
    |g| fields(g, "BITFIELD", &["GET", "SET", "INCRBY", "OVERFLOW"]),
    |g| fields(g, "BITFIELD_RO", &["GET", "GET", "GET", "OVERFLOW", "SET"]),
    |g| vec![g.word("OBJECT"), g.word("ENCODING"), g.key()],
    |g| vec![g.word("GET"), g.key()],
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

/// Small, or refused.
fn offset(g: &mut Generator) -> Vec<u8> {
    match g.chance(85) {
        true => g.below(500).to_string().into_bytes(),
        false => g
            .pick(&[
                "-1",
                "4294967296",
                "9223372036854775807",
                "9223372036854775808",
                "abc",
                "",
                "#1",
                "1.0",
            ])
            .into(),
    }
}

fn setbit(g: &mut Generator) -> Args {
    let bit = match g.chance(90) {
        true => g.pick(&["0", "1"]).into(),
        false => g.integer(),
    };
    vec![g.word("SETBIT"), g.key(), offset(g), bit]
}

/// A number that is valid: 7.0 looks at the key before it looks at positions, later versions the other way round.
fn place(g: &mut Generator) -> Vec<u8> {
    match g.chance(90) {
        true => (g.below(240) as i64 - 80).to_string().into_bytes(),
        false => g
            .pick(&[
                "9223372036854775807",
                "-9223372036854775808",
                "-9223372036854775807",
                "0",
                "-1",
            ])
            .into(),
    }
}

fn count(g: &mut Generator) -> Args {
    let mut args = vec![g.word("BITCOUNT"), g.key()];
    if g.chance(80) {
        args.extend([place(g), place(g)]);
        if g.chance(60) {
            let unit = g.pick(&["BIT", "BYTE"]);
            args.push(g.word(unit));
        }
    }
    args
}

fn position(g: &mut Generator) -> Args {
    let mut args = vec![
        g.word("BITPOS"),
        g.key(),
        g.pick(&["0", "1", "0", "1", "2", "x"]).into(),
    ];
    if g.chance(80) {
        args.push(place(g));
        if g.chance(70) {
            args.push(place(g));
            if g.chance(60) {
                let unit = g.pick(&["BIT", "BYTE"]);
                args.push(g.word(unit));
            }
        }
    }
    args
}

fn combine(g: &mut Generator) -> Args {
    let operation = g.pick(&["AND", "OR", "XOR", "NOT", "NOT", "NAND"]);
    let mut args = vec![g.word("BITOP"), g.word(operation), g.key()];
    let sources = if operation == "NOT" && g.chance(85) {
        1
    } else {
        4
    };
    args.extend(g.keys(sources));
    args
}

fn fields(g: &mut Generator, name: &str, words: &[&str]) -> Args {
    let mut args = vec![g.word(name), g.key()];
    for _ in 0..g.below(5) {
        let word = g.pick(words);
        args.push(g.word(word));
        if word == "OVERFLOW" {
            let overflow = g.pick(&["WRAP", "SAT", "FAIL", "SAT", "FAIL", "ABORT"]);
            args.push(g.word(overflow));
            continue;
        }
        args.extend([form(g), field_offset(g)]);
        if word != "GET" {
            args.push(g.integer());
        }
    }
    if g.chance(3) {
        args.pop();
    }
    args
}

fn form(g: &mut Generator) -> Vec<u8> {
    match g.chance(92) {
        true => format!("{}{}", g.pick(&["i", "u"]), 1 + g.below(63)).into_bytes(),
        false => g
            .pick(&["i64", "u64", "i65", "u0", "i", "", "x8", "u-1", "I8", "u08"])
            .into(),
    }
}

fn field_offset(g: &mut Generator) -> Vec<u8> {
    match g.chance(40) {
        true => format!("#{}", g.below(12)).into_bytes(),
        false => offset(g),
    }
}
