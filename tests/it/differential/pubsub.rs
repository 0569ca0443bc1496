//! Publish and subscribe as one connection sees it: the replies, and in RESP2 the commands that are refused meanwhile.

use super::generate::{Args, Generator, Replies, Sender, Single};
use super::{errors, strings};

const CHANNELS: &[&[u8]] = &[
    b"news",
    b"a b",
    b"",
    b"x*",
    b"\xff\x00",
    b"one",
    b"two",
    b"news",
];

/// What is sent while subscribed.
const MEANWHILE: &[Single] = &[
    |g| channels(g, "SUBSCRIBE"),
    |g| channels(g, "PSUBSCRIBE"),
    |g| channels(g, "UNSUBSCRIBE"),
    |g| channels(g, "PUNSUBSCRIBE"),
    |g| vec![g.word("PING")],
    |g| vec![g.word("PING"), g.value()],
    |g| vec![g.word("PING"), g.value(), g.value()],
    |g| vec![g.word("SUBSCRIBE")],
    strings::any,
    errors::any,
    publish,
];

/// What another connection can ask meanwhile.
const ABOUT: &[Single] = &[
    |g| vec![g.word("PUBSUB"), g.word("CHANNELS")],
    |g| vec![g.word("PUBSUB"), g.word("CHANNELS"), g.pattern()],
    |g| vec![g.word("PUBSUB"), g.word("NUMPAT")],
    |g| vec![g.word("PUBSUB"), g.word("NUMSUB")],
    |g| channels(g, "PUBSUB NUMSUB"),
    |g| vec![g.word("PUBSUB"), g.word("FOO")],
    |g| vec![g.word("PUBLISH"), b"nobody listens".to_vec(), g.value()],
];

pub fn subscription(g: &mut Generator) {
    let begin = g.pick(&["SUBSCRIBE", "SUBSCRIBE", "PSUBSCRIBE"]);
    let args = channels(g, begin);
    marked(g, args);
    if g.both_have("SSUBSCRIBE") && g.chance(25) {
        // Of one slot, as a cluster would demand.
        let args = vec![g.word("SSUBSCRIBE"), b"{s}1".to_vec(), b"{s}2".to_vec()];
        marked(g, args);
    }
    for _ in 0..g.below(6) {
        let args = g.pick(MEANWHILE)(g);
        marked(g, args);
        if g.chance(40) {
            let args = g.pick(ABOUT)(g);
            g.push(Sender::Second, args, Replies::One);
        }
    }
    if g.chance(30) {
        let args = vec![g.word("RESET")];
        marked(g, args);
        let hello = g.hello();
        return marked(g, hello);
    }
    for name in ["UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"] {
        if name != "SUNSUBSCRIBE" || g.both_have("SSUBSCRIBE") {
            let args = vec![g.word(name)];
            marked(g, args);
        }
    }
}

fn marked(g: &mut Generator, args: Args) {
    g.push(Sender::First, args, Replies::UntilMark);
}

fn channels(g: &mut Generator, name: &str) -> Args {
    let mut args = g.line(name);
    for _ in 0..=g.below(3) {
        args.push(g.pick(CHANNELS).to_vec());
    }
    args
}

/// To oneself, which only RESP3 allows.
fn publish(g: &mut Generator) -> Args {
    match g.protocol() {
        3 => vec![g.word("PUBLISH"), g.pick(CHANNELS).to_vec(), g.value()],
        _ => vec![g.word("PUBLISH"), b"refused".to_vec(), g.value()],
    }
}
