//! Values of other types, where both servers have them: every command on strings must refuse them, every command on
//! keys must take them. The commands of those types themselves are families of their own.

use super::generate::{Args, Generator, Single};

const COMMANDS: &[(&str, Single)] = &[
    ("RPUSH", |g| vec![g.word("RPUSH"), g.key(), g.value()]),
    ("SADD", |g| vec![g.word("SADD"), g.key(), g.value()]),
    ("HSET", |g| {
        vec![g.word("HSET"), g.key(), g.text(1), g.value()]
    }),
    ("ZADD", |g| {
        vec![
            g.word("ZADD"),
            g.key(),
            g.below(9).to_string().into_bytes(),
            g.text(1),
        ]
    }),
];

pub fn any(g: &mut Generator) -> Args {
    let (name, command) = g.pick(COMMANDS);
    match g.both_have(name) {
        true => command(g),
        false => vec![g.word("TYPE"), g.key()],
    }
}

/// The command that reads a whole value of the type that TYPE named.
pub fn reader(type_name: &[u8], key: &[u8]) -> Option<Args> {
    let line = match type_name {
        b"string" => "GET KEY",
        b"list" => "LRANGE KEY 0 -1",
        b"set" => "SMEMBERS KEY",
        b"hash" => "HGETALL KEY",
        b"zset" => "ZRANGE KEY 0 -1 WITHSCORES",
        b"stream" => "XRANGE KEY - +",
        _ => return None,
    };
    let word = |word: &str| {
        if word == "KEY" {
            key.to_vec()
        } else {
            word.as_bytes().to_vec()
        }
    };
    Some(line.split(' ').map(word).collect())
}
