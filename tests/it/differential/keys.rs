//! Keys of any type: existence, names, databases, OBJECT, SCAN.

use super::generate::{Args, Generator, Replies, Sender, Single};

const COMMANDS: &[Single] = &[
    |g| [vec![g.word("DEL")], g.keys(3)].concat(),
    |g| [vec![g.word("UNLINK")], g.keys(3)].concat(),
    |g| [vec![g.word("EXISTS")], g.keys(4)].concat(),
    |g| [vec![g.word("TOUCH")], g.keys(4)].concat(),
    |g| vec![g.word("TYPE"), g.key()],
    |g| vec![g.word("KEYS"), g.pattern()],
    |g| vec![g.word("RANDOMKEY")],
    |g| vec![g.word("RENAME"), g.key(), g.key()],
    |g| vec![g.word("RENAME"), g.key(), g.key()],
    |g| vec![g.word("RENAMENX"), g.key(), g.key()],
    copy,
    copy,
    |g| vec![g.word("MOVE"), g.key(), g.database()],
    |g| vec![g.word("DBSIZE")],
    |g| vec![g.word("SELECT"), g.database()],
    object,
    object,
    scan_once,
    seldom,
];

/// What empties or turns over whole databases: rare, or no state would ever build up.
const SELDOM: &[Single] = &[
    |g| flush(g, "FLUSHDB"),
    |g| flush(g, "FLUSHALL"),
    |g| vec![g.word("SWAPDB"), g.database(), g.database()],
    |g| vec![g.word("SWAPDB"), g.database(), g.database()],
    |g| vec![g.word("SWAPDB"), g.database(), g.integer()],
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

fn seldom(g: &mut Generator) -> Args {
    match g.chance(20) {
        true => g.pick(SELDOM)(g),
        false => vec![g.word("EXISTS"), g.key()],
    }
}

fn flush(g: &mut Generator, name: &str) -> Args {
    let mut args = vec![g.word(name)];
    match g.below(6) {
        0 => args.push(g.word("ASYNC")),
        1 => args.push(g.word("SYNC")),
        2 => args.push(g.word("FOO")),
        3 => args.extend([g.word("ASYNC"), g.word("SYNC")]),
        _ => {}
    }
    args
}

fn copy(g: &mut Generator) -> Args {
    let mut args = vec![g.word("COPY"), g.key(), g.key()];
    for option in g.some(&["DB", "REPLACE", "REPLACE", "DB", "FOO"], 2) {
        args.push(g.word(option));
        if option == "DB" && g.chance(95) {
            args.push(g.database());
        }
    }
    args
}

fn object(g: &mut Generator) -> Args {
    let subcommand = g.pick(&[
        "ENCODING", "ENCODING", "ENCODING", "FREQ", "IDLETIME", "REFCOUNT", "FOO",
    ]);
    let mut args = vec![g.word("OBJECT"), g.word(subcommand), g.key()];
    match g.below(20) {
        0 => drop(args.pop()),
        1 => args.push(g.key()),
        _ => {}
    }
    args
}

/// A single SCAN, of which only the errors can be compared.
fn scan_once(g: &mut Generator) -> Args {
    const CURSORS: &[&str] = &[
        "0",
        "0",
        "abc",
        "",
        "-1",
        "1.0",
        " 0",
        "18446744073709551615",
        "18446744073709551616",
    ];
    let mut args = vec![g.word("SCAN"), g.pick(CURSORS).into()];
    push_scan_options(g, &mut args);
    if g.chance(15) {
        args.push(g.word("COUNT"));
    }
    args
}

fn push_scan_options(g: &mut Generator, args: &mut Args) {
    for option in g.some(&["MATCH", "COUNT", "TYPE", "MATCH", "FOO"], 2) {
        args.push(g.word(option));
        let value = match option {
            "MATCH" => g.pattern(),
            "COUNT" if g.chance(80) => (1 + g.below(50)).to_string().into_bytes(),
            "COUNT" => g
                .pick(&["0", "-1", "abc", "", "9223372036854775808"])
                .into(),
            _ => g
                .pick(&["string", "STRING", "list", "hash", "nothing", ""])
                .into(),
        };
        args.push(value);
    }
}

/// A key that exists, or none.
pub fn random_key(g: &mut Generator) {
    let args = vec![g.word("RANDOMKEY")];
    g.push(Sender::First, args, Replies::Member);
}

/// A whole SCAN, whose keys are compared as a set.
pub fn iteration(g: &mut Generator) {
    let mut args = vec![g.word("SCAN"), b"0".to_vec()];
    push_scan_options(g, &mut args);
    g.push(Sender::First, args, Replies::Iteration);
}
