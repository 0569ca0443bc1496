//! Sorted sets: every command and every refusal, encodings, and what a restart makes of them.

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, integer, ok, simple,
};

const SYNTAX: &str = "ERR syntax error";
const NOT_A_FLOAT: &str = "ERR value is not a valid float";
const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

fn rows(rows: &[(&str, Reply)]) {
    let server = Server::start(&[]);
    check(&mut server.raw(), rows);
}

fn bulks(words: &str) -> Reply {
    array(words.split_whitespace().map(bulk))
}

fn none(raw: &mut Raw, line: &str) {
    assert!(raw.ask(line).is_null(), "{line}");
}

#[test]
fn members_get_scores_under_conditions() {
    rows(&[
        ("ZADD z 1 a 2 b", integer(2)),
        ("ZADD z 3 b 4 c", integer(1)),
        ("ZADD z CH 5 b 4 c", integer(1)),
        ("ZADD z NX 9 a 9 d", integer(1)),
        ("ZADD z XX CH 2 a 2 x", integer(1)),
        ("ZADD z GT CH 1 a 10 d", integer(1)),
        ("ZADD z LT CH 1 a 11 d", integer(1)),
        ("ZADD z INCR 1.5 a", bulk("2.5")),
        ("ZINCRBY z -0.5 a", bulk("2")),
        ("ZINCRBY new 3 m", bulk("3")),
        ("ZSCORE z a", bulk("2")),
        ("ZCARD z", integer(4)),
        (
            "ZADD z NX XX 1 a",
            error("ERR XX and NX options at the same time are not compatible"),
        ),
        (
            "ZADD z GT LT 1 a",
            error("ERR GT, LT, and/or NX options at the same time are not compatible"),
        ),
        (
            "ZADD z INCR 1 a 2 b",
            error("ERR INCR option supports a single increment-element pair"),
        ),
        ("ZADD z 1 a x b", error(NOT_A_FLOAT)),
        ("ZADD z nan a", error(NOT_A_FLOAT)),
        ("ZADD z 1 a 2", error(SYNTAX)),
        ("ZADD i inf a", integer(1)),
        (
            "ZINCRBY i -inf a",
            error("ERR resulting score is not a number (NaN)"),
        ),
        ("ZSCORE i a", bulk("inf")),
        ("SET text x", ok()),
        ("ZADD text 1 a", error(WRONG_TYPE)),
        ("ZSCORE text a", error(WRONG_TYPE)),
        ("TYPE z", simple("zset")),
    ]);
}

#[test]
fn conditions_that_fail_make_no_key() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    none(&mut raw, "ZADD z XX INCR 1 a");
    check(
        &mut raw,
        &[("ZADD z XX 1 a", integer(0)), ("EXISTS z", integer(0))],
    );
    none(&mut raw, "ZSCORE z a");
    none(&mut raw, "ZRANK z a");
    none(&mut raw, "ZRANK z a WITHSCORE");
    none(&mut raw, "ZMPOP 1 z MIN");
}

#[test]
fn scores_are_printed_as_redis_prints_them() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for (given, printed) in [
        ("0.1", "0.1"),
        ("1e-7", "1e-7"),
        ("0.000001", "0.000001"),
        ("1e19", "1e+19"),
        ("1e18", "1000000000000000000"),
        ("123456.789", "123456.789"),
        ("-inf", "-inf"),
        ("0x10", "16"),
        ("-0", "0"),
    ] {
        raw.ask("DEL z");
        raw.ask(&format!("ZADD z {given} m"));
        assert_eq!(raw.ask("ZSCORE z m"), bulk(printed), "{given}");
    }
}

#[test]
fn ranges_by_rank_score_and_member() {
    rows(&[
        ("ZADD z 1 a 2 b 3 c 4 d", integer(4)),
        ("ZRANGE z 0 -1", bulks("a b c d")),
        ("ZRANGE z 1 2 WITHSCORES", bulks("b 2 c 3")),
        ("ZRANGE z 0 1 REV", bulks("d c")),
        ("ZREVRANGE z -1 -1", bulks("a")),
        ("ZRANGE z (1 3 BYSCORE", bulks("b c")),
        ("ZRANGE z +inf (2 BYSCORE REV LIMIT 1 5", bulks("c")),
        ("ZRANGEBYSCORE z -inf +inf LIMIT 1 2", bulks("b c")),
        ("ZREVRANGEBYSCORE z 3 1 WITHSCORES LIMIT 0 1", bulks("c 3")),
        ("ZRANGEBYSCORE z 1 2 LIMIT -1 2", bulks("")),
        ("ZCOUNT z 2 (4", integer(2)),
        ("ZRANK z c", integer(2)),
        ("ZREVRANK z c", integer(1)),
        ("ZRANK z c WITHSCORE", array([integer(2), bulk("3")])),
        ("ZRANK z c FOO", error(SYNTAX)),
        ("ZADD l 0 a 0 b 0 c 0 d", integer(4)),
        ("ZRANGE l [b + BYLEX", bulks("b c d")),
        ("ZRANGEBYLEX l - (c", bulks("a b")),
        ("ZREVRANGEBYLEX l + [b LIMIT 1 1", bulks("c")),
        ("ZLEXCOUNT l (a [c", integer(2)),
        (
            "ZRANGE z 0 1 LIMIT 0 1",
            error(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ),
        ),
        (
            "ZRANGE l - + BYLEX WITHSCORES",
            error("ERR syntax error, WITHSCORES not supported in combination with BYLEX"),
        ),
        (
            "ZRANGE z x 1 BYSCORE",
            error("ERR min or max is not a float"),
        ),
        (
            "ZRANGE l x y BYLEX",
            error("ERR min or max not valid string range item"),
        ),
        (
            "ZRANGE z 0 x",
            error("ERR value is not an integer or out of range"),
        ),
        ("ZRANGESTORE t z 1 2", integer(2)),
        ("ZRANGE t 0 -1 WITHSCORES", bulks("b 2 c 3")),
        ("ZRANGESTORE t z 8 9", integer(0)),
        ("EXISTS t", integer(0)),
    ]);
}

#[test]
fn members_are_removed_and_popped() {
    rows(&[
        ("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g", integer(7)),
        ("ZREM z a x", integer(1)),
        ("ZREMRANGEBYRANK z 0 0", integer(1)),
        ("ZREMRANGEBYSCORE z 7 inf", integer(1)),
        ("ZREMRANGEBYSCORE z 9 inf", integer(0)),
        ("ZPOPMIN z", bulks("c 3")),
        ("ZPOPMAX z 2", bulks("f 6 e 5")),
        ("ZPOPMIN z 0", bulks("")),
        (
            "ZPOPMIN z -1",
            error("ERR value is out of range, must be positive"),
        ),
        ("ZPOPMIN z 9", bulks("d 4")),
        ("EXISTS z", integer(0)),
        ("ZADD l 0 a 0 b", integer(2)),
        ("ZREMRANGEBYLEX l - +", integer(2)),
        ("EXISTS l", integer(0)),
        ("ZADD m 1 a 2 b", integer(2)),
        (
            "ZMPOP 2 nothing m MAX COUNT 1",
            array([bulk("m"), array([bulks("b 2")])]),
        ),
        (
            "ZMPOP 0 m MIN",
            error("ERR numkeys should be greater than 0"),
        ),
        (
            "ZMPOP 1 m MIN COUNT 0",
            error("ERR count should be greater than 0"),
        ),
        ("ZMPOP 1 m MID", error(SYNTAX)),
    ]);
}

#[test]
fn several_become_one() {
    rows(&[
        ("ZADD a 1 x 2 y", integer(2)),
        ("ZADD b 10 y 20 z", integer(2)),
        ("SADD s y w", integer(2)),
        ("ZUNION 2 a b WITHSCORES", bulks("x 1 y 12 z 20")),
        ("ZUNION 2 a s WITHSCORES", bulks("w 1 x 1 y 3")),
        ("ZINTER 2 a b WEIGHTS 2 0.5 WITHSCORES", bulks("y 9")),
        ("ZINTER 2 a b AGGREGATE MAX WITHSCORES", bulks("y 10")),
        (
            "ZUNION 2 a b AGGREGATE COUNT WITHSCORES",
            bulks("x 1 z 1 y 2"),
        ),
        (
            "ZINTER 2 a b WEIGHTS 2 0.5 AGGREGATE COUNT WITHSCORES",
            bulks("y 2.5"),
        ),
        ("ZDIFF 2 a s", bulks("x")),
        ("ZINTERCARD 2 a b LIMIT 5", integer(1)),
        ("ZUNIONSTORE t 2 a b AGGREGATE MIN", integer(3)),
        ("ZRANGE t 0 -1 WITHSCORES", bulks("x 1 y 2 z 20")),
        ("ZINTERSTORE t 2 a nothing", integer(0)),
        ("EXISTS t", integer(0)),
        ("ZDIFFSTORE a 2 a b", integer(1)),
        ("ZRANGE a 0 -1", bulks("x")),
        (
            "ZUNION 0 a",
            error("ERR at least 1 input key is needed for 'zunion' command"),
        ),
        ("ZUNION 2 a", error(SYNTAX)),
        (
            "ZUNION 1 a WEIGHTS x",
            error("ERR weight value is not a float"),
        ),
        (
            "ZINTERCARD 1 a LIMIT -1",
            error("ERR LIMIT can't be negative"),
        ),
        ("SET text x", ok()),
        ("ZUNION 2 a text", error(WRONG_TYPE)),
    ]);
}

#[test]
fn encodings_follow_the_limits() {
    let server = Server::start(&[
        "--zset-max-listpack-entries",
        "3",
        "--zset-max-listpack-value",
        "4",
    ]);
    check(
        &mut server.raw(),
        &[
            ("ZADD z 1 a 2 b 3 c", integer(3)),
            ("OBJECT ENCODING z", bulk("listpack")),
            ("ZADD z 4 d", integer(1)),
            ("OBJECT ENCODING z", bulk("skiplist")),
            ("ZREM z c d", integer(2)),
            ("OBJECT ENCODING z", bulk("skiplist")),
            ("ZADD y 1 abcde", integer(1)),
            ("OBJECT ENCODING y", bulk("skiplist")),
            ("ZUNIONSTORE t 1 z", integer(2)),
            ("OBJECT ENCODING t", bulk("listpack")),
            ("CONFIG SET zset-max-listpack-entries 2", ok()),
            ("OBJECT ENCODING t", bulk("listpack")),
            ("ZADD t 9 x", integer(1)),
            ("OBJECT ENCODING t", bulk("skiplist")),
        ],
    );
}

#[test]
fn a_walk_shows_every_member() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for n in 0..1_000 {
        raw.ask(&format!("ZADD z {n} m:{n}"));
    }
    let (mut cursor, mut seen) = ("0".to_owned(), std::collections::BTreeSet::new());
    loop {
        let reply = raw.ask(&format!("ZSCAN z {cursor} COUNT 50")).items();
        let items = reply[1].clone().items();
        assert!(items.len() < 200);
        seen.extend(items.chunks(2).map(|pair| pair[0].text()));
        cursor = reply[0].text();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), 1_000);
    check(
        &mut raw,
        &[
            ("ZADD small 1 a 2 b", integer(2)),
            (
                "ZSCAN small 0 noscores match * COUNT 5",
                array([bulk("0"), array([bulk("a"), bulk("b")])]),
            ),
            (
                "ZSCAN small 0 MATCH a",
                array([bulk("0"), array([bulk("a"), bulk("1")])]),
            ),
            (
                "ZSCAN small 0 NOVALUES",
                error("ERR NOVALUES option can only be used in HSCAN"),
            ),
            ("HSET h f v", integer(1)),
            (
                "HSCAN h 0 NOSCORES",
                error("ERR NOSCORES option can only be used in ZSCAN"),
            ),
        ],
    );
    let some = raw.ask("ZRANDMEMBER z 100").items();
    let different: std::collections::BTreeSet<_> = some.iter().map(Reply::text).collect();
    assert_eq!((some.len(), different.len()), (100, 100));
    assert_eq!(
        raw.ask("ZRANDMEMBER z -1500 WITHSCORES").items().len(),
        3_000
    );
}

#[test]
fn waiters_get_what_comes() {
    let server = Server::start(&[]);
    let mut waiter = server.raw();
    waiter.tell("BZPOPMIN a b 0");
    let mut raw = server.raw();
    eventually("a client is blocked", || {
        raw.ask("INFO clients")
            .text()
            .contains("blocked_clients:1\r\n")
    });
    check(
        &mut raw,
        &[("ZADD b 2 x 1 y", integer(2)), ("ZCARD b", integer(1))],
    );
    assert_eq!(waiter.read(), bulks("b y 1"));
    check(
        &mut raw,
        &[
            ("BZPOPMAX a b 0", bulks("b x 2")),
            (
                "BZPOPMIN a x",
                error("ERR timeout is not a float or out of range"),
            ),
        ],
    );
    none(&mut raw, "BZMPOP 0.01 1 a MIN");
}

#[test]
fn sorted_sets_survive_a_restart_and_a_rewrite() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    for n in 0..300 {
        raw.ask(&format!("ZADD long {}.5 element:{n}", n % 7));
    }
    raw.ask("ZADD short inf a -inf b 0.1 c 1e300 d");
    raw.ask("ZMPOP 1 long MAX COUNT 10");
    raw.ask("BZPOPMIN long 1");
    raw.ask("ZINCRBY long 2.25 element:50");
    raw.ask("GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    let digest = raw.ask("DEBUG DIGEST");
    server.restart();
    assert_eq!(server.raw().ask("DEBUG DIGEST"), digest);
    assert_eq!(server.raw().ask("ZCARD long"), integer(289));
    server.raw().ask("BGREWRITEAOF");
    eventually("the file is rewritten", || {
        let info = server.raw().ask("INFO persistence").text();
        info.contains("aof_rewrite_in_progress:0")
    });
    server.restart();
    assert_eq!(server.raw().ask("DEBUG DIGEST"), digest);
}

#[test]
fn digests_are_those_of_redis() {
    let debug = &["--enable-debug-command", "yes"];
    let Some(redis) = Server::redis(debug) else {
        return;
    };
    let [ours, theirs] = [Server::start(debug), redis].map(|server| {
        let mut raw = server.raw();
        raw.ask("ZADD z 1 a 2.5 b -3 1234");
        raw.ask("DEBUG DIGEST")
    });
    assert_eq!(ours, theirs);
}
