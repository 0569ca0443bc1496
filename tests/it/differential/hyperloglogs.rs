//! HyperLogLog: elements added until the sparse encoding ends, unions, the bytes themselves, and bytes that are none.

use super::generate::{Args, Generator, Single};

const COMMANDS: &[Single] = &[
    add,
    add,
    add,
    add,
    |g| vec![g.word("PFCOUNT"), key(g)],
    |g| vec![g.word("PFCOUNT"), key(g)],
    |g| [vec![g.word("PFCOUNT")], keys(g)].concat(),
    |g| [vec![g.word("PFMERGE"), key(g)], keys(g)].concat(),
    |g| vec![g.word("PFMERGE"), key(g)],
    |g| {
        let word = g.pick(&[
            "GETREG", "DECODE", "DECODE", "ENCODING", "ENCODING", "TODENSE", "NOTHING",
        ]);
        vec![g.word("PFDEBUG"), g.word(word), key(g)]
    },
    |g| vec![g.word("GET"), key(g)],
    |g| vec![g.word("GET"), key(g)],
    |g| vec![g.word("OBJECT"), g.word("ENCODING"), key(g)],
    |g| vec![g.word("COPY"), key(g), key(g), g.word("REPLACE")],
    |g| vec![g.word("DEL"), key(g)],
    |g| vec![g.word("SET"), key(g), bytes(g)],
    |g| vec![g.word("SETRANGE"), key(g), b"0".to_vec(), b"HYLL".to_vec()],
];

const KEYS: &[&[u8]] = &[b"hll:0", b"hll:1", b"hll:2", b"hll:3"];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

pub fn is_key(key: &[u8]) -> bool {
    KEYS.contains(&key)
}

pub fn key(g: &mut Generator) -> Vec<u8> {
    match g.chance(95) {
        true => g.pick(KEYS).to_vec(),
        false => g.key(),
    }
}

fn keys(g: &mut Generator) -> Args {
    (0..=g.below(3)).map(|_| key(g)).collect()
}

fn add(g: &mut Generator) -> Args {
    let mut args = vec![g.word("PFADD"), key(g)];
    let (most, range) = g.pick(&[(2, 50), (5, 1_000), (40, 20_000), (200, 1_000_000)]);
    for _ in 0..g.below(most) {
        let (length, number) = (g.below(20), g.below(range));
        args.push(format!("{}{number}", &"abcdefghijklmnopqrst"[..length]).into_bytes());
    }
    args
}

/// Bytes that look like a HyperLogLog from afar: sound ones, and some that Redis refuses before it reads a register.
fn bytes(g: &mut Generator) -> Vec<u8> {
    let body: &[u8] = g.pick(&[
        b"\x7f\xff",
        b"\x7f\xff",
        b"\x00\x7f\xfe",
        b"\x80\x7f\xfe",
        b"\x83\x7f\xfb",
    ]);
    let head: &[u8] = g.pick(&[
        b"HYLL\x01",
        b"HYLL\x01",
        b"HYLL\x01",
        b"HYLL\x00",
        b"HYLL\x02",
        b"HYLX\x01",
    ]);
    let cache: u8 = g.pick(&[0, 0x80]);
    [head, &[0; 10], &[cache], body].concat()
}
