//! Streams: ids given by the test, so that both servers hold the same entries; groups, what is pending, and who claims it.

use super::generate::{Args, Generator, Single};

const COMMANDS: &[Single] = &[
    add,
    add,
    add,
    add,
    add,
    add,
    |g| vec![g.word("XLEN"), key(g)],
    |g| range(g, "XRANGE"),
    |g| range(g, "XRANGE"),
    |g| range(g, "XREVRANGE"),
    delete,
    delete,
    trim,
    set_id,
    read,
    read,
    make_group,
    make_group,
    make_group,
    change_group,
    change_group,
    |g| {
        let mut args = vec![g.word("XACK"), key(g), group(g)];
        args.extend(ids(g));
        args
    },
    pending,
    pending,
    |g| vec![g.word("XINFO"), g.word("GROUPS"), key(g)],
    |g| vec![g.word("XINFO"), g.word("STREAM"), key(g)],
    |g| vec![g.word("XINFO"), g.word("STREAM"), key(g)],
    |g| vec![g.word("DEL"), key(g)],
    |g| vec![g.word("COPY"), key(g), key(g), g.word("REPLACE")],
    |g| vec![g.word("OBJECT"), g.word("ENCODING"), key(g)],
    |g| vec![g.word("TYPE"), key(g)],
    |g| vec![g.word("DEBUG"), g.word("DIGEST-VALUE"), key(g)],
];

/// Keys of their own.
pub const KEYS: &[&[u8]] = &[b"stream:0", b"stream:1", b"stream:2"];
const GROUPS: &[&[u8]] = &[b"g", b"g", b"g", b"h", b"", b"0", b"group\r\nof lines"];
const CONSUMERS: &[&[u8]] = &[b"alice", b"alice", b"bob", b"bob", b"carol", b"7", b""];

const ODD_IDS: &[&[u8]] = &[
    b"0",
    b"0-0",
    b"0-1",
    b"-",
    b"+",
    b"$",
    b">",
    b"*",
    b"1-",
    b"-1",
    b"1-1-1",
    b"1--1",
    b"abc",
    b"",
    b"01-01",
    b"+1-+1",
    b" 1-1",
    b"1-1 ",
    b"18446744073709551615",
    b"18446744073709551615-18446744073709551615",
    b"18446744073709551615-18446744073709551614",
    b"18446744073709551616-0",
    b"1-18446744073709551615",
    b"1-1\0",
    b"(1",
    b"(",
];

pub fn key(g: &mut Generator) -> Vec<u8> {
    match g.chance(95) {
        true => g.pick(KEYS).to_vec(),
        false => g.key(),
    }
}

fn group(g: &mut Generator) -> Vec<u8> {
    g.pick(GROUPS).to_vec()
}

fn consumer(g: &mut Generator) -> Vec<u8> {
    g.pick(CONSUMERS).to_vec()
}

/// An id near those that are in use.
fn id(g: &mut Generator) -> Vec<u8> {
    match g.below(20) {
        0 => g.pick(ODD_IDS).to_vec(),
        1..=4 => (1 + g.below(60)).to_string().into_bytes(),
        _ => format!("{}-{}", g.below(60), g.below(4)).into_bytes(),
    }
}

/// Not `+`, which came later.
fn id_to_read(g: &mut Generator) -> Vec<u8> {
    match id(g) {
        id if id == b"+" => b"0".to_vec(),
        id => id,
    }
}

fn ids(g: &mut Generator) -> Args {
    let count = 1 + g.below(4);
    (0..count).map(|_| id(g)).collect()
}

/// An end of an interval.
fn end(g: &mut Generator, all: &str) -> Vec<u8> {
    match g.below(10) {
        0..=3 => all.into(),
        4..=5 => [b"(".to_vec(), id(g)].concat(),
        _ => id(g),
    }
}

fn count(g: &mut Generator) -> Vec<u8> {
    match g.chance(90) {
        true => g.below(8).to_string().into_bytes(),
        false => g.integer(),
    }
}

fn bound(g: &mut Generator) -> Args {
    let mut args = Vec::new();
    let is_length = g.chance(60);
    args.push(g.word(if is_length { "MAXLEN" } else { "MINID" }));
    let is_approximate = g.chance(40);
    if is_approximate {
        args.push(b"~".to_vec());
    } else if g.chance(40) {
        args.push(b"=".to_vec());
    }
    args.push(match is_length {
        true if g.chance(95) => g.below(30).to_string().into_bytes(),
        true => g.integer(),
        false => id(g),
    });
    if g.chance(if is_approximate { 40 } else { 4 }) {
        args.extend([g.word("LIMIT"), count(g)]);
    }
    args
}

fn add(g: &mut Generator) -> Args {
    let mut args = vec![g.word("XADD"), key(g)];
    if g.chance(8) {
        args.push(g.word("NOMKSTREAM"));
    }
    if g.chance(15) {
        args.extend(bound(g));
    }
    args.push(match g.below(12) {
        // Not `*`, which depends on the clock.
        0 => match id(g) {
            id if id == b"*" => b"1-1".to_vec(),
            id => id,
        },
        1 => format!("{}-*", g.below(60)).into_bytes(),
        2 => format!("{}-*", 60 + g.below(3)).into_bytes(),
        // Ids only grow, so most are above those given before and the random ones fail.
        _ => format!("{}-{}", 40 + g.below(20), g.below(100)).into_bytes(),
    });
    let pairs = 1 + g.below(3);
    for n in 0..pairs {
        let same = format!("field{n}").into_bytes();
        args.push(if g.chance(80) { same } else { g.value() });
        args.push(g.value());
    }
    if g.chance(2) {
        args.pop();
    }
    args
}

fn range(g: &mut Generator, name: &str) -> Args {
    let (first, last) = if name == "XRANGE" {
        ("-", "+")
    } else {
        ("+", "-")
    };
    let mut args = vec![g.word(name), key(g), end(g, first), end(g, last)];
    if g.chance(50) {
        args.extend([g.word("COUNT"), count(g)]);
    }
    args
}

fn delete(g: &mut Generator) -> Args {
    [vec![g.word("XDEL"), key(g)], ids(g)].concat()
}

fn trim(g: &mut Generator) -> Args {
    [vec![g.word("XTRIM"), key(g)], bound(g)].concat()
}

/// Only ids that are greater than all others, or none: later versions also look at what was deleted.
fn set_id(g: &mut Generator) -> Args {
    let mut args = vec![g.word("XSETID"), key(g)];
    args.push(match g.chance(80) {
        true => format!("{}-{}", 70 + g.below(10), g.below(100)).into_bytes(),
        false => g.pick(&[&b"abc"[..], b"-", b"+", b"$"]).to_vec(),
    });
    if g.chance(40) {
        args.extend([g.word("ENTRIESADDED"), count(g)]);
    }
    if g.chance(10) {
        args.extend([g.word("MAXDELETEDID"), b"80-0".to_vec()]);
    }
    args
}

fn read(g: &mut Generator) -> Args {
    let mut args = vec![g.word("XREAD")];
    if g.chance(60) {
        args.extend([g.word("COUNT"), count(g)]);
    }
    args.push(g.word("STREAMS"));
    let streams = 1 + g.below(3);
    args.extend((0..streams).map(|_| key(g)));
    args.extend((0..streams).map(|_| {
        if g.chance(90) {
            id_to_read(g)
        } else {
            b"$".to_vec()
        }
    }));
    args
}

fn make_group(g: &mut Generator) -> Args {
    let mut args = vec![g.word("XGROUP"), g.word("CREATE"), key(g), group(g)];
    args.push(if g.chance(30) { b"$".to_vec() } else { id(g) });
    if g.chance(60) {
        args.push(g.word("MKSTREAM"));
    }
    if g.chance(30) {
        args.extend([g.word("ENTRIESREAD"), count(g)]);
    }
    args
}

fn change_group(g: &mut Generator) -> Args {
    let name = g.pick(&["SETID", "SETID", "DESTROY", "CREATECONSUMER", "DELCONSUMER"]);
    let mut args = vec![g.word("XGROUP"), g.word(name), key(g), group(g)];
    match name {
        "SETID" => {
            args.push(if g.chance(30) { b"$".to_vec() } else { id(g) });
            if g.chance(30) {
                args.extend([g.word("ENTRIESREAD"), count(g)]);
            }
        }
        "DESTROY" => {}
        _ => args.push(consumer(g)),
    }
    args
}

/// A consumer that reads or claims. It is made before: later versions also make one that gets nothing.
pub fn consuming(g: &mut Generator) {
    let who = (key(g), group(g), consumer(g));
    let (key, group, consumer) = who.clone();
    let (name, sub) = (g.word("XGROUP"), g.word("CREATECONSUMER"));
    g.send(vec![name, sub, key, group, consumer]);
    let args = match g.below(9) {
        0..=4 => read_group(g, who),
        5..=6 => claim(g, who),
        _ => autoclaim(g, who),
    };
    g.send(args);
}

/// Key, group and consumer.
type Who = (Vec<u8>, Vec<u8>, Vec<u8>);

fn read_group(g: &mut Generator, (key, group, consumer): Who) -> Args {
    let mut args = vec![g.word("XREADGROUP"), g.word("GROUP"), group, consumer];
    if g.chance(70) {
        args.extend([g.word("COUNT"), count(g)]);
    }
    if g.chance(15) {
        args.push(g.word("NOACK"));
    }
    args.push(g.word("STREAMS"));
    args.push(key);
    args.push(if g.chance(75) {
        b">".to_vec()
    } else {
        id_to_read(g)
    });
    args
}

/// Idle times are those of the clock; only the summary is the same on both servers.
fn pending(g: &mut Generator) -> Args {
    let mut args = vec![g.word("XPENDING"), key(g), group(g)];
    if g.chance(60) {
        if g.chance(20) {
            let idle = g.pick(&["0", "1000000000", "-1", "x"]);
            args.extend([g.word("IDLE"), idle.into()]);
        }
        args.extend([end(g, "-"), end(g, "+"), count(g)]);
        if g.chance(40) {
            args.push(consumer(g));
        }
    }
    args
}

fn claim(g: &mut Generator, (key, group, consumer): Who) -> Args {
    let mut args = vec![g.word("XCLAIM"), key, group, consumer];
    args.push(if g.chance(90) {
        b"0".to_vec()
    } else {
        b"1000000000".to_vec()
    });
    args.extend(ids(g));
    for _ in 0..g.below(3) {
        match g.below(6) {
            0 => args.extend([g.word("IDLE"), g.integer()]),
            1 => args.extend([g.word("TIME"), g.integer()]),
            2 => args.extend([g.word("RETRYCOUNT"), count(g)]),
            3 => args.push(g.word("FORCE")),
            4 => args.push(g.word("JUSTID")),
            _ => args.extend([g.word("LASTID"), id(g)]),
        }
    }
    args
}

fn autoclaim(g: &mut Generator, (key, group, consumer): Who) -> Args {
    let mut args = vec![g.word("XAUTOCLAIM"), key, group, consumer];
    args.push(if g.chance(90) {
        b"0".to_vec()
    } else {
        b"1000000000".to_vec()
    });
    args.push(end(g, "-"));
    if g.chance(50) {
        args.extend([g.word("COUNT"), count(g)]);
    }
    if g.chance(40) {
        args.push(g.word("JUSTID"));
    }
    args
}

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}
