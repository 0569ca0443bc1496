//! Expiry: setting it with every condition, asking for it, taking it away.

use super::generate::{Args, Generator, Single};

const COMMANDS: &[Single] = &[
    |g| {
        let span = g.seconds();
        expire(g, "EXPIRE", span)
    },
    |g| {
        let span = g.milliseconds();
        expire(g, "PEXPIRE", span)
    },
    |g| {
        let time = g.time_s();
        expire(g, "EXPIREAT", time)
    },
    |g| {
        let time = g.time_ms();
        expire(g, "PEXPIREAT", time)
    },
    odd_expire,
    |g| vec![g.word("PERSIST"), g.key()],
    |g| vec![g.word("TTL"), g.key()],
    |g| vec![g.word("PTTL"), g.key()],
    |g| vec![g.word("EXPIRETIME"), g.key()],
    |g| vec![g.word("PEXPIRETIME"), g.key()],
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

fn expire(g: &mut Generator, name: &str, time: Vec<u8>) -> Args {
    let mut args = vec![g.word(name), g.key(), time];
    push_conditions(g, &mut args);
    args
}

fn odd_expire(g: &mut Generator) -> Args {
    // A time in the past deletes the key at once; one near the end of the representable is kept.
    let time = match g.chance(80) {
        true => g.odd_time(),
        false => b"9000000000000".to_vec(),
    };
    let name = g.pick(&["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"]);
    expire(g, name, time)
}

fn push_conditions(g: &mut Generator, args: &mut Args) {
    let most = g.pick(&[0, 1, 1, 2, 3]);
    for condition in g.some(&["NX", "XX", "GT", "LT", "XX", "FOO"], most) {
        args.push(g.word(condition));
    }
}
