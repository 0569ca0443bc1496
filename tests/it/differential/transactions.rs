//! MULTI to EXEC or DISCARD, with faulty commands between them, and WATCH with and without interference.

use super::generate::{Args, Generator, Replies, Sender, Single};
use super::{connection, errors, expiry, introspection, keys, scripts, strings, types};

const QUEUED: &[Single] = &[
    strings::any,
    strings::any,
    strings::any,
    keys::any,
    keys::any,
    expiry::any,
    types::any,
    connection::any,
    introspection::any,
    errors::any,
    |g| vec![g.word("INCR"), g.key()],
    nested,
];

pub fn transaction(g: &mut Generator) {
    if g.chance(40) {
        watch(g);
    }
    if g.chance(8) {
        let end = g.pick(&["EXEC", "DISCARD", "UNWATCH"]);
        let args = vec![g.word(end)];
        return g.send(args);
    }
    let args = vec![g.word("MULTI")];
    g.send(args);
    for _ in 0..g.below(7) {
        // Most transactions have no command that is refused when queued.
        let single = if g.chance(85) {
            g.pick(&QUEUED[..7])
        } else {
            g.pick(QUEUED)
        };
        let args = single(g);
        g.send(args);
    }
    let end = g.pick(&["EXEC", "EXEC", "EXEC", "EXEC", "EXEC", "DISCARD", "RESET"]);
    let args = vec![g.word(end)];
    g.send(args);
    if end == "RESET" {
        let hello = g.hello();
        g.send(hello);
    }
}

/// Scripts within MULTI and EXEC.
pub fn of_scripts(g: &mut Generator) {
    let args = vec![g.word("MULTI")];
    g.send(args);
    for _ in 0..1 + g.below(4) {
        let args = g.pick(&[scripts::any, scripts::any, strings::any] as &[Single])(g);
        g.send(args);
    }
    let args = vec![g.word("EXEC")];
    g.send(args);
}

fn nested(g: &mut Generator) -> Args {
    match g.below(3) {
        0 => vec![g.word("MULTI")],
        1 => vec![g.word("WATCH"), g.key()],
        _ => vec![g.word("UNWATCH")],
    }
}

/// Watches some keys and often changes some keys of few, from either connection; some changes change nothing.
fn watch(g: &mut Generator) {
    let args = [vec![g.word("WATCH")], g.keys(3)].concat();
    g.send(args);
    for _ in 0..g.below(3) {
        let single = g.pick(&[strings::any, keys::any, expiry::any] as &[Single]);
        let (args, sender) = (single(g), g.pick(&[Sender::First, Sender::Second]));
        g.push(sender, args, Replies::One);
    }
    if g.chance(10) {
        let args = vec![g.word("UNWATCH")];
        g.send(args);
    }
}
