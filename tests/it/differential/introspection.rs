//! What the server says of its commands and of its configuration.

use super::generate::{Args, Generator, Single};

/// Commands with arguments whose keys are asked for; some are wrong.
const CALLS: &[&str] = &[
    "GET k",
    "SET k v",
    "SET k v GET",
    "SET k v NX EX 10",
    "SET k",
    "MSET a 1 b 2 c 3",
    "MSET a",
    "MSETNX a 1 b 2",
    "MGET a b c",
    "DEL a b",
    "UNLINK a",
    "EXISTS a b a",
    "TOUCH a",
    "COPY a b",
    "COPY a b DB 1 REPLACE",
    "RENAME a b",
    "RENAMENX a b",
    "MOVE a 1",
    "LCS a b IDX",
    "OBJECT ENCODING a",
    "OBJECT FREQ a",
    "OBJECT FOO a",
    "EXPIRE a 10 NX",
    "PEXPIREAT a 10",
    "TTL a",
    "PERSIST a",
    "INCRBYFLOAT a 1",
    "APPEND a b",
    "GETEX a PERSIST",
    "GETDEL a",
    "SETRANGE a 1 b",
    "SUBSTR a 0 1",
    "WATCH a b",
    "PING x",
    "DBSIZE x",
    "SELECT 1",
    "PUBLISH a b",
    "SUBSCRIBE a",
    "CONFIG GET a",
    "NOSUCHCOMMAND a",
    "KEYS *",
];

/// The same for commands that both servers must have; the first word decides.
const OPTIONAL_CALLS: &[&str] = &[
    "EVAL script 2 a b c",
    "EVAL script 0",
    "EVAL script x",
    "EVAL script 5 a",
    "SORT a BY b GET c STORE d",
    "ZUNIONSTORE d 2 a b WEIGHTS 1 2",
    "RPUSH l a b",
    "HSET h f v",
];

const SETTINGS: &[&str] = &[
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-samples",
    "maxmemory-p*",
    "appendonly",
    "appendfsync",
    "save",
    "databases",
    "timeout",
    "tcp-keepalive",
    "hash-max-listpack-entries",
    "hash-max-ziplist-entries",
    "hash-max-listpack-value",
    "set-max-intset-entries",
    "zset-max-listpack-*",
    "list-max-listpack-size",
    "list-compress-depth",
    "proto-max-bulk-len",
    "client-query-buffer-limit",
    "client-output-buffer-limit",
    "lfu-log-factor",
    "lfu-decay-time",
    "notify-keyspace-events",
    "slowlog-*",
    "busy-reply-threshold",
    "lazyfree-lazy-expire",
    "stop-writes-on-bgsave-error",
    "rdbcompression",
    "dbfilename",
    "requirepass",
    "hz",
    "nosuchsetting",
    "MaxMemory",
    "",
];

const COMMANDS: &[Single] = &[
    |g| keys_of(g, "GETKEYS"),
    |g| keys_of(g, "GETKEYSANDFLAGS"),
    information,
    settings,
    settings,
    |g| vec![g.word("COMMAND"), g.word("FOO"), g.value()],
    |g| vec![g.word("CONFIG"), g.word("FOO"), g.value()],
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

fn keys_of(g: &mut Generator, subcommand: &str) -> Args {
    let mut call = g.pick(CALLS);
    if g.chance(20) {
        let optional = g.pick(OPTIONAL_CALLS);
        let name = optional
            .split(' ')
            .next()
            .expect("split gives one part at least");
        call = if g.both_have(name) { optional } else { call };
    }
    let mut args = vec![g.word("COMMAND"), g.word(subcommand)];
    // The name may be in any case; keys are shown as they are.
    args.extend(call.split(' ').map(|word| word.as_bytes().to_vec()));
    args[2] = g.word(&String::from_utf8_lossy(&args[2].clone()));
    args
}

fn information(g: &mut Generator) -> Args {
    let mut args = vec![g.word("COMMAND"), g.word("INFO")];
    for _ in 0..=g.below(2) {
        let call = g.pick(CALLS);
        let name = call
            .split(' ')
            .next()
            .expect("split gives one part at least");
        // Containers list their subcommands, which grow with each version.
        if !matches!(name, "OBJECT" | "CONFIG") {
            args.push(g.word(name));
        }
    }
    if args.len() == 2 {
        args.push(g.word("GET"));
    }
    args
}

fn settings(g: &mut Generator) -> Args {
    let mut args = vec![g.word("CONFIG"), g.word("GET")];
    for _ in 0..=g.below(3) {
        args.push(g.pick(SETTINGS).into());
    }
    args
}
