//! Lists and SORT over them.

use super::generate::{Args, Generator, Single};

const COMMANDS: &[Single] = &[
    |g| push(g, "RPUSH"),
    |g| push(g, "LPUSH"),
    |g| push(g, "RPUSH"),
    |g| push(g, "RPUSHX"),
    |g| push(g, "LPUSHX"),
    |g| vec![g.word("LPOP"), g.key()],
    |g| vec![g.word("RPOP"), g.key()],
    |g| vec![g.word("LPOP"), g.key(), g.index()],
    |g| vec![g.word("RPOP"), g.key(), g.integer()],
    |g| vec![g.word("LLEN"), g.key()],
    |g| vec![g.word("LRANGE"), g.key(), g.index(), g.index()],
    |g| vec![g.word("LRANGE"), g.key(), b"0".to_vec(), b"-1".to_vec()],
    |g| vec![g.word("LINDEX"), g.key(), g.index()],
    |g| vec![g.word("LSET"), g.key(), g.index(), g.value()],
    |g| vec![g.word("LTRIM"), g.key(), g.index(), g.index()],
    |g| vec![g.word("LREM"), g.key(), g.index(), element(g)],
    |g| {
        let place = g.pick(&["BEFORE", "AFTER", "AFTER", "ON"]);
        vec![
            g.word("LINSERT"),
            g.key(),
            g.word(place),
            element(g),
            g.value(),
        ]
    },
    lpos,
    |g| vec![g.word("RPOPLPUSH"), g.key(), g.key()],
    |g| vec![g.word("LMOVE"), g.key(), g.key(), end(g), end(g)],
    lmpop,
    |g| sort(g, "SORT"),
    |g| sort(g, "SORT"),
    |g| sort(g, "SORT_RO"),
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

/// Few different ones, so that they are found again.
fn element(g: &mut Generator) -> Vec<u8> {
    match g.chance(60) {
        true => g
            .pick(&[&b"1"[..], b"2", b"-7", b"a", b"b", b"1.5"])
            .to_vec(),
        false => g.value(),
    }
}

fn push(g: &mut Generator, name: &str) -> Args {
    let mut args = vec![g.word(name), g.key()];
    for _ in 0..1 + g.below(6) {
        args.push(element(g));
    }
    args
}

fn end(g: &mut Generator) -> Vec<u8> {
    let word = g.pick(&["LEFT", "RIGHT", "LEFT", "RIGHT", "UP"]);
    g.word(word)
}

fn lpos(g: &mut Generator) -> Args {
    let mut args = vec![g.word("LPOS"), g.key(), element(g)];
    for option in g.some(&["RANK", "COUNT", "MAXLEN"], 3) {
        args.push(g.word(option));
        // Redis 7.0 takes the lowest rank for none.
        let number = match option {
            "RANK" => g
                .pick(&["1", "-1", "2", "-2", "0", "x", "100"])
                .as_bytes()
                .to_vec(),
            _ => g.index(),
        };
        args.push(number);
    }
    args
}

fn lmpop(g: &mut Generator) -> Args {
    let keys = g.keys(3);
    let count = match g.chance(90) {
        true => keys.len().to_string().into_bytes(),
        false => g.integer(),
    };
    let mut args = vec![g.word("LMPOP"), count];
    args.extend(keys);
    args.push(end(g));
    if g.chance(50) {
        args.extend([g.word("COUNT"), g.index()]);
    }
    args
}

/// With BY and ALPHA together, and with BY that keeps the order of a set, any order would be right.
fn sort(g: &mut Generator, name: &str) -> Args {
    let mut args = vec![g.word(name), g.key()];
    let order = g.pick(&["ALPHA", "ALPHA", "ASC", "BY", "BY STORE"]);
    match order {
        "BY" => args.extend([g.word("BY"), g.pick(&["k*", "none*"]).into()]),
        "BY STORE" => args.extend([g.word("BY"), b"nosort".to_vec(), g.word("STORE"), g.key()]),
        order => args.push(g.word(order)),
    }
    for option in g.some(&["DESC", "LIMIT", "GET", "GET", "STORE"], 4) {
        args.push(g.word(option));
        match option {
            "LIMIT" => args.extend([g.index(), g.index()]),
            "GET" => args.push(g.pick(&["#", "k*", "*", "none", "k*->a"]).into()),
            "STORE" => args.push(g.key()),
            _ => {}
        }
    }
    args
}
