//! DUMP and RESTORE: payloads that are taken or refused, and values carried from each server to the other.

use super::generate::{Args, Carried, Generator, Replies, Sender, Single};

/// What 7.0 gave for a value of each type.
const PAYLOADS: &[&[u8]] = &[
    b"\x00\x03abc\n\x00\xd9\xac0=Ar\xa2\xe2",
    b"\x00\xc190\n\x00\x9d\x94\xea'\x93\xfc\x08\xb9",
    b"\x12\x01\x02\x0c\x0c\x00\x00\x00\x02\x00\x81a\x02\x07\x01\xff\n\x00\xd0X\xfdz\x95J\xb0;",
    b"\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x02\x00\n\x00oy8\xb14\xeb .",
    b"\x02\x01\x01x\n\x00\xff\xe8\x80\xbav\x0c/\t",
    b"\x10\r\r\x00\x00\x00\x02\x00\x81f\x02\x81v\x02\xff\n\x00 \xf1=D#T\x08\x9d",
    b"\x11\x0f\x0f\x00\x00\x00\x02\x00\x81m\x02\x831.5\x04\xff\n\x00I\xd9\x87`x%N\x8a",
];

/// Keys of every family.
const KEYS: &[Single2] = &[
    |g| g.key(),
    |g| g.key(),
    super::sets::key,
    super::hashes::key,
    super::sorted_sets::key,
    super::geo::key,
    super::hyperloglogs::key,
    super::streams::key,
];

type Single2 = fn(&mut Generator) -> Vec<u8>;

const COMMANDS: &[Single] = &[
    restore,
    restore,
    restore,
    |g| vec![g.word("DUMP"), b"no such key".to_vec()],
    |g| vec![g.word("OBJECT"), g.word("ENCODING"), g.key()],
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

fn restore(g: &mut Generator) -> Args {
    let ttl = match g.below(10) {
        // Not the greatest ones: Redis adds the time of day to them without a look.
        0 => (g.pick(&[
            "-1",
            "-9223372036854775808",
            "9223372036854775808",
            "abc",
            "",
            "1.5",
        ]))
        .into(),
        1 => g.milliseconds(),
        _ => b"0".to_vec(),
    };
    let mut args = vec![g.word("RESTORE"), g.key(), ttl, payload(g)];
    for option in g.some(
        &["REPLACE", "REPLACE", "ABSTTL", "IDLETIME", "FREQ", "FOO"],
        3,
    ) {
        args.push(g.word(option));
        if matches!(option, "IDLETIME" | "FREQ") && g.chance(90) {
            let value = g.pick(&["0", "1", "255", "256", "1000", "-1", "x", ""]);
            args.push(value.into());
        }
    }
    // An absolute time that is no time of these days deletes the key, or keeps it for ever.
    if args[4..]
        .iter()
        .any(|arg| arg.eq_ignore_ascii_case(b"ABSTTL"))
        && args[2] != b"0"
    {
        args[2] = g.time_ms();
    }
    args
}

/// Mostly a sound one.
fn payload(g: &mut Generator) -> Vec<u8> {
    let mut payload = g.pick(PAYLOADS).to_vec();
    match g.below(20) {
        0 => {
            let at = g.below(payload.len());
            payload[at] ^= 1 << g.below(8);
        }
        1 => payload.truncate(g.below(payload.len())),
        2 => payload = g.value(),
        _ => {}
    }
    payload
}

/// Carries a value of each server to the other.
pub fn carrying(g: &mut Generator) {
    let key = g.pick(KEYS)(g);
    let carried = g.pick(&[Carried::Beside, Carried::InPlace]);
    g.push(
        Sender::First,
        vec![b"DUMP".to_vec(), key],
        Replies::Carried(carried),
    );
}
