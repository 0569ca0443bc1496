//! Bitmaps: what later versions of Redis than the differential test's have, and what needs more than one reply.

use crate::common::{Reply, Server, array, bulk, check, error, integer, ok};

fn rows(rows: &[(&str, Reply)]) {
    let server = Server::start(&[]);
    check(&mut server.raw(), rows);
}

#[test]
fn operations_of_later_versions() {
    let two = |name: &str| {
        error(&format!(
            "ERR BITOP {name} must be called with at least two source keys."
        ))
    };
    rows(&[
        ("SET x \"\\xf0\\xff\"", ok()),
        ("SET y \"\\xcc\"", ok()),
        ("SET z \"\\xaa\\x0f\\x01\"", ok()),
        ("BITOP DIFF d x y z", integer(3)),
        ("GET d", bulk(b"\x10\xf0\0")),
        ("BITOP diff1 d x y z", integer(3)),
        ("BITCOUNT d", integer(4)),
        ("BITOP ANDOR d x y z", integer(3)),
        ("BITCOUNT d", integer(7)),
        ("BITOP ONE d x y z", integer(3)),
        ("BITCOUNT d", integer(8)),
        ("BITOP ONE d x", integer(2)),
        ("BITOP DIFF d x", two("DIFF")),
        ("BITOP DIFF1 d x", two("DIFF1")),
        ("BITOP ANDOR d x", two("ANDOR")),
        (
            "BITOP NOT d x y",
            error("ERR BITOP NOT must be called with a single source key."),
        ),
        ("BITOP OR d nothing", integer(0)),
        ("EXISTS d", integer(0)),
    ]);
}

#[test]
fn arguments_are_checked_before_the_key() {
    const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
    rows(&[
        ("BITCOUNT nothing a b", error(NOT_AN_INTEGER)),
        ("BITCOUNT nothing 1", error("ERR syntax error")),
        ("BITCOUNT nothing 1 2 WORD", error("ERR syntax error")),
        ("BITPOS nothing 1 a", error(NOT_AN_INTEGER)),
        ("BITPOS nothing 1 0 -1 WORD", error("ERR syntax error")),
        (
            "BITPOS nothing 2",
            error("ERR The bit argument must be 1 or 0."),
        ),
        (
            "BITFIELD_RO k SET u8 0 1",
            error("ERR BITFIELD_RO only supports the GET subcommand"),
        ),
        ("BITFIELD k GET u8 0 GET", error("ERR syntax error")),
        (
            "BITFIELD k SET u8 #9223372036854775807 1",
            error("ERR bit offset is not an integer or out of range"),
        ),
        ("EXISTS k", integer(0)),
        (
            "BITFIELD k OVERFLOW SAT INCRBY u2 #1 5 GET u4 0",
            array([integer(3), integer(3)]),
        ),
    ]);
}

#[test]
fn offsets_end_at_the_longest_string_allowed() {
    const OFFSET: &str = "ERR bit offset is not an integer or out of range";
    rows(&[
        ("CONFIG SET proto-max-bulk-len 1mb", ok()),
        ("SETBIT k 8388608 1", error(OFFSET)),
        ("GETBIT k 8388608", error(OFFSET)),
        ("SETBIT k 8388607 1", integer(0)),
        ("STRLEN k", integer(1 << 20)),
        ("BITCOUNT k", integer(1)),
        ("BITPOS k 1", integer(8388607)),
        ("BITPOS k 0 -1 -1 BIT", integer(-1)),
        ("OBJECT ENCODING k", bulk("raw")),
    ]);
}
