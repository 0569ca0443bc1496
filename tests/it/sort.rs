//! SORT: orders, parts, and what keys named after elements hold.

use crate::common::{Reply, Server, array, bulk, check, error, integer, ok};

fn bulks(words: &str) -> Reply {
    array(words.split_whitespace().map(bulk))
}

#[test]
fn elements_in_order() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("RPUSH list 10 9 -1.5 100 2", integer(5)),
            ("SORT list", bulks("-1.5 2 9 10 100")),
            ("SORT list DESC", bulks("100 10 9 2 -1.5")),
            ("SORT list ALPHA", bulks("-1.5 10 100 2 9")),
            ("SORT list LIMIT 1 2", bulks("2 9")),
            ("SORT list LIMIT -5 2", bulks("-1.5 2")),
            ("SORT list LIMIT 3 -1", bulks("10 100")),
            ("SORT list LIMIT 9 2", array([])),
            ("SORT list BY nosort", bulks("10 9 -1.5 100 2")),
            ("SORT list BY nosort DESC LIMIT 0 2", bulks("2 100")),
            ("SORT_RO list DESC LIMIT 0 1", bulks("100")),
            ("SORT nothing", array([])),
            ("SORT list LIMIT 1", error("ERR syntax error")),
            ("SORT list FOO", error("ERR syntax error")),
            ("SORT_RO list STORE x", error("ERR syntax error")),
            (
                "SORT list LIMIT a 1",
                error("ERR value is not an integer or out of range"),
            ),
            ("RPUSH list word", integer(6)),
            (
                "SORT list",
                error("ERR One or more scores can't be converted into double"),
            ),
            ("SET text x", ok()),
            (
                "SORT text",
                error("WRONGTYPE Operation against a key holding the wrong kind of value"),
            ),
        ],
    );
}

#[test]
fn sets_and_sorted_sets() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("SADD set 3 1 2", integer(3)),
            ("SORT set", bulks("1 2 3")),
            ("SORT set BY nosort STORE list", integer(3)),
            ("LRANGE list 0 -1", bulks("1 2 3")),
            ("ZADD sorted 5 a 3 b 4 c", integer(3)),
            ("SORT sorted ALPHA", bulks("a b c")),
            ("SORT sorted BY nosort", bulks("b c a")),
            ("SORT sorted BY nosort DESC LIMIT 0 2", bulks("a c")),
            ("SORT sorted BY nosort DESC STORE list", integer(3)),
            ("LRANGE list 0 -1", bulks("a c b")),
        ],
    );
}

#[test]
fn weights_and_values_of_other_keys() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("RPUSH list a b c d", integer(4)),
            ("MSET w_a 3 w_b 1 w_c 2 o_a alpha o_c gamma", ok()),
            ("SORT list BY w_*", bulks("d b c a")),
            ("SORT list BY w_* DESC LIMIT 0 2", bulks("a c")),
            (
                "SORT list BY w_* GET # GET o_*",
                array([
                    bulk("d"),
                    Reply::NullBulk,
                    bulk("b"),
                    Reply::NullBulk,
                    bulk("c"),
                    bulk("gamma"),
                    bulk("a"),
                    bulk("alpha"),
                ]),
            ),
            ("SORT list BY o_* ALPHA LIMIT 2 2", bulks("a c")),
            ("HSET h_a weight 1 name first", integer(2)),
            ("HSET h_b weight 0", integer(1)),
            (
                "SORT list BY h_*->weight DESC LIMIT 0 1 GET h_*->name",
                bulks("first"),
            ),
            (
                "SORT list LIMIT 1 1 ALPHA GET h_*->name",
                array([Reply::NullBulk]),
            ),
            (
                "SORT list BY h_*->name LIMIT 0 0",
                error("ERR One or more scores can't be converted into double"),
            ),
            (
                "SORT list BY o_*",
                error("ERR One or more scores can't be converted into double"),
            ),
            ("SORT list BY w_* GET o_* STORE sorted", integer(4)),
            (
                "LRANGE sorted 0 -1",
                array([bulk(""), bulk(""), bulk("gamma"), bulk("alpha")]),
            ),
            ("SORT list ALPHA DESC STORE list", integer(4)),
            ("LRANGE list 0 -1", bulks("d c b a")),
            ("SORT nothing STORE sorted", integer(0)),
            ("EXISTS sorted", integer(0)),
            ("MULTI", ok()),
            ("SORT list ALPHA LIMIT 0 1", crate::common::queued()),
            ("SORT list BY w_* LIMIT 0 1", crate::common::queued()),
            ("EXEC", array([bulks("a"), bulks("d")])),
        ],
    );
}
