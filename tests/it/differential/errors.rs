//! Wrong numbers of arguments for everything, commands and subcommands that do not exist.

use super::generate::{Args, Generator, PLAIN_WORDS, Single};

const COMMANDS: &[Single] = &[
    wrong_arity,
    wrong_arity,
    wrong_arity,
    unknown_command,
    unknown_subcommand,
];

/// Numbers of arguments to try, the right ones among them: what comes is never a number, a time or an option.
const ANY: &[usize] = &[0, 1, 2, 3, 4, 5];

const ARITIES: &[(&str, &[usize])] = &[
    ("DEL", ANY),
    ("UNLINK", ANY),
    ("EXISTS", ANY),
    ("TYPE", ANY),
    ("TOUCH", ANY),
    ("KEYS", ANY),
    ("SCAN", ANY),
    ("RANDOMKEY", ANY),
    ("RENAME", ANY),
    ("RENAMENX", ANY),
    ("COPY", ANY),
    ("MOVE", ANY),
    ("DBSIZE", ANY),
    ("FLUSHDB", &[1, 2, 3]),
    ("FLUSHALL", &[1, 2, 3]),
    ("SWAPDB", ANY),
    ("EXPIRE", ANY),
    ("PEXPIRE", ANY),
    ("EXPIREAT", ANY),
    ("PEXPIREAT", ANY),
    ("TTL", ANY),
    ("PTTL", ANY),
    ("EXPIRETIME", ANY),
    ("PEXPIRETIME", ANY),
    ("PERSIST", ANY),
    ("OBJECT", ANY),
    ("OBJECT ENCODING", ANY),
    ("OBJECT FREQ", ANY),
    ("OBJECT IDLETIME", ANY),
    ("OBJECT REFCOUNT", ANY),
    ("OBJECT HELP", &[1, 2]),
    ("SET", ANY),
    ("GET", ANY),
    ("GETEX", ANY),
    ("GETDEL", ANY),
    ("GETSET", ANY),
    ("SETNX", ANY),
    ("SETEX", ANY),
    ("PSETEX", ANY),
    ("MSET", ANY),
    ("MSETNX", ANY),
    ("MGET", ANY),
    ("INCR", ANY),
    ("DECR", ANY),
    ("INCRBY", ANY),
    ("DECRBY", ANY),
    ("INCRBYFLOAT", ANY),
    ("APPEND", ANY),
    ("STRLEN", ANY),
    ("GETRANGE", ANY),
    ("SUBSTR", ANY),
    ("SETRANGE", ANY),
    ("LCS", ANY),
    ("MULTI", &[1, 2]),
    ("EXEC", ANY),
    ("DISCARD", ANY),
    ("WATCH", &[0]),
    ("UNWATCH", ANY),
    ("SELECT", ANY),
    ("PING", ANY),
    ("ECHO", ANY),
    ("TIME", ANY),
    ("RESET", &[1, 2]),
    ("HELLO", &[1, 2, 3]),
    ("SUBSCRIBE", &[0]),
    ("PSUBSCRIBE", &[0]),
    ("PUBLISH", &[0, 1, 3, 4]),
    ("PUBSUB", &[0, 1, 2]),
    ("PUBSUB CHANNELS", &[2, 3]),
    ("PUBSUB NUMPAT", ANY),
    ("CLIENT", &[0, 1, 2]),
    ("CLIENT ID", ANY),
    ("CLIENT GETNAME", ANY),
    ("CLIENT SETNAME", &[0, 2, 3]),
    ("CONFIG", &[0, 1, 2]),
    ("CONFIG GET", ANY),
    ("CONFIG SET", ANY),
    ("COMMAND GETKEYS", &[0]),
    ("COMMAND GETKEYSANDFLAGS", &[0]),
    ("COMMAND COUNT", &[1, 2]),
];

const UNKNOWN: &[&[u8]] = &[
    b"foo",
    b"GETT",
    b"",
    b" GET",
    b"get ",
    b"two words",
    b"line\r\nend",
    b"\xff\xfe",
    b"f\0oo",
    b"'quoted'",
    b"config|get",
    b"%s%n",
    &[b'x'; 127],
    &[b'x'; 128],
    &[b'x'; 129],
    &[b'x'; 200],
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

fn wrong_arity(g: &mut Generator) -> Args {
    let (name, counts) = g.pick(ARITIES);
    let mut args = g.line(name);
    for _ in 0..g.pick(counts) {
        args.push(plain(g));
    }
    args
}

/// An argument that nobody takes for a number, a time or an option.
fn plain(g: &mut Generator) -> Vec<u8> {
    match g.chance(50) {
        true => g.key(),
        false => g.pick(PLAIN_WORDS).to_vec(),
    }
}

fn unknown_command(g: &mut Generator) -> Args {
    let mut args = vec![g.pick(UNKNOWN).to_vec()];
    for _ in 0..g.below(5) {
        args.push(g.value());
    }
    args
}

fn unknown_subcommand(g: &mut Generator) -> Args {
    let container = g.pick(&["OBJECT", "CLIENT", "CONFIG", "COMMAND", "PUBSUB"]);
    let mut args = vec![g.word(container), g.pick(UNKNOWN).to_vec()];
    for _ in 0..g.below(3) {
        args.push(g.value());
    }
    args
}
