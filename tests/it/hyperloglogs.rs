//! HyperLogLog: what is refused, what is cached, and what the cache does to those who watch.

use crate::common::{Reply, Server, bulk, check, error, integer, ok};

const FOREIGN: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";
const CORRUPT: &str = "INVALIDOBJ Corrupted HLL object detected";

fn rows(rows: &[(&str, Reply)]) {
    let server = Server::start(&[]);
    check(&mut server.raw(), rows);
}

#[test]
fn elements_are_counted_once() {
    rows(&[
        ("PFADD h a b c", integer(1)),
        ("PFADD h a b c", integer(0)),
        ("PFADD h", integer(0)),
        ("PFADD empty", integer(1)),
        ("PFADD empty", integer(0)),
        ("PFCOUNT h", integer(3)),
        ("PFCOUNT h empty nothing", integer(3)),
        ("PFCOUNT nothing", integer(0)),
        ("PFADD i c d", integer(1)),
        ("PFCOUNT h i", integer(4)),
        ("PFMERGE j h i", ok()),
        ("PFCOUNT j", integer(4)),
        ("TYPE j", Reply::Simple("string".into())),
        ("OBJECT ENCODING j", bulk("raw")),
        ("PFDEBUG ENCODING j", Reply::Simple("sparse".into())),
        ("PFDEBUG TODENSE j", integer(1)),
        ("PFDEBUG TODENSE j", integer(0)),
        ("PFDEBUG DECODE j", error("ERR HLL encoding is not sparse")),
        ("STRLEN j", integer(12_304)),
        ("PFCOUNT j", integer(4)),
        ("PFSELFTEST", ok()),
    ]);
}

#[test]
fn bytes_that_are_none_are_refused() {
    rows(&[
        ("SET s text", ok()),
        ("PFADD s a", error(FOREIGN)),
        ("PFCOUNT s", error(FOREIGN)),
        ("PFMERGE d s", error(FOREIGN)),
        ("PFDEBUG GETREG s", error(FOREIGN)),
        ("RPUSH l a", integer(1)),
        (
            "PFADD l a",
            error("WRONGTYPE Operation against a key holding the wrong kind of value"),
        ),
        (
            "PFDEBUG GETREG nothing",
            error("ERR The specified key does not exist"),
        ),
        ("PFADD h a", integer(1)),
        ("APPEND h x", integer(22)),
        ("PFCOUNT h", error(CORRUPT)),
        ("PFMERGE d h", error(CORRUPT)),
        ("PFCOUNT h d", error(CORRUPT)),
        ("PFDEBUG TODENSE h", error(CORRUPT)),
        ("SETRANGE h 16 \"\\xff\\xff\\xff\\xff\"", integer(22)),
        ("PFADD h b c d e f g", error(CORRUPT)),
        ("EXISTS d", integer(0)),
    ]);
}

#[test]
fn a_sparse_one_ends_where_the_configuration_says() {
    rows(&[
        ("CONFIG SET hll-sparse-max-bytes 30", ok()),
        ("PFADD h a b c", integer(1)),
        ("PFDEBUG ENCODING h", Reply::Simple("sparse".into())),
        ("PFADD h d e f g", integer(1)),
        ("PFDEBUG ENCODING h", Reply::Simple("dense".into())),
        ("PFCOUNT h", integer(7)),
    ]);
}
