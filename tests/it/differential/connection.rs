//! What a connection knows of itself: its database, its name, its protocol; and PING and ECHO.

use super::generate::{Args, Generator, Single};

const NAMES: &[&[u8]] = &[
    b"",
    b"worker-1",
    b"with space",
    b"line\n",
    b"\x7f",
    b"~!",
    "имя".as_bytes(),
    b"a:b=c",
];

const COMMANDS: &[Single] = &[
    |g| vec![g.word("PING")],
    |g| vec![g.word("PING"), g.value()],
    |g| vec![g.word("ECHO"), g.value()],
    |g| vec![g.word("SELECT"), g.database()],
    |g| vec![g.word("CLIENT"), g.word("GETNAME")],
    |g| vec![g.word("CLIENT"), g.word("SETNAME"), g.pick(NAMES).to_vec()],
    |g| vec![g.word("CLIENT"), g.word("ID")],
    |g| vec![g.word("CLIENT"), g.word("FOO"), g.value()],
    |g| vec![g.word("TIME")],
    refused_hello,
    |g| [g.hello(), vec![g.word("SETNAME"), g.pick(NAMES).to_vec()]].concat(),
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

fn refused_hello(g: &mut Generator) -> Args {
    let version = g.pick(&["1", "4", "0", "-3", "abc", "", "3.0"]);
    let mut args = vec![g.word("HELLO"), version.into()];
    match g.below(4) {
        0 => args.extend([g.word("SETNAME"), b"x".to_vec()]),
        1 => args.push(g.word("FOO")),
        _ => {}
    }
    args
}
