//! Counts and offsets at the borders of their types: none may overflow, and none be believed when memory is taken
//! (CVE-2022-35951 XAUTOCLAIM, CVE-2023-25155 SRANDMEMBER, CVE-2023-22458 HRANDFIELD, CVE-2022-35977 SETRANGE and SORT,
//! CVE-2021-32761 BITFIELD and SETBIT, CVE-2021-32625 and 29477 STRALGO and LCS, CVE-2023-28425 MSETNX, CVE-2023-28856
//! HINCRBYFLOAT).

use super::check_health;
use crate::common::{Reply, Server, frame, queued};

/// What each command's reply must contain, as it is shown.
const ROWS: &[(&str, &str)] = &[
    (
        "SETRANGE s 9223372036854775807 x",
        "exceeds maximum allowed size",
    ),
    ("SETRANGE s 4294967295 x", "exceeds maximum allowed size"),
    ("SETRANGE s 536870912 x", "exceeds maximum allowed size"),
    ("SETRANGE s -1 x", "offset is out of range"),
    ("APPEND s x", ":1"),
    (
        "GETRANGE s -9223372036854775808 9223372036854775807",
        "\"x\"",
    ),
    (
        "SETBIT b 4294967296 1",
        "bit offset is not an integer or out of range",
    ),
    ("SETBIT b 18446744073709551615 1", "out of range"),
    ("SETBIT b -1 1", "out of range"),
    ("GETBIT b 4294967296", "out of range"),
    ("BITFIELD b SET u8 9223372036854775807 1", "out of range"),
    ("BITFIELD b SET u8 #9223372036854775807 1", "out of range"),
    ("BITFIELD b SET i64 #4611686018427387904 1", "out of range"),
    ("BITFIELD b GET u8 4294967296", "out of range"),
    (
        "BITFIELD b INCRBY i64 0 9223372036854775807 INCRBY i64 0 9223372036854775807",
        ":-2",
    ),
    (
        "BITFIELD b OVERFLOW SAT INCRBY i64 0 -9223372036854775808",
        ":-9223372036854775808",
    ),
    ("BITFIELD b GET u64 0", "Invalid bitfield type"),
    ("BITPOS b 1 -9223372036854775808 9223372036854775807", ":0"),
    (
        "BITCOUNT b -9223372036854775808 9223372036854775807 BIT",
        ":1",
    ),
    ("RPUSH l a b c", ":3"),
    ("LPOS l a RANK -9223372036854775808", "out of range"),
    ("LPOS l a COUNT -1", "can't be negative"),
    (
        "LPOS l a RANK 9223372036854775807 COUNT 9223372036854775807 MAXLEN 9223372036854775807",
        "[]",
    ),
    (
        "LRANGE l -9223372036854775808 9223372036854775807",
        "[\"a\", \"b\", \"c\"]",
    ),
    ("LINDEX l -9223372036854775808", "$-1"),
    ("LTRIM l -9223372036854775808 9223372036854775807", "OK"),
    ("LREM l -9223372036854775808 x", ":0"),
    ("LPOP l 9223372036854775808", "out of range"),
    ("LPOP missing 9223372036854775807", "*-1"),
    ("LMPOP 9223372036854775807 l LEFT", "syntax error"),
    ("LMPOP 2 l LEFT", "syntax error"),
    ("LMPOP -1 l LEFT", "numkeys should be greater than 0"),
    ("BLMPOP 0.001 9223372036854775807 l LEFT", "syntax error"),
    ("SADD set a b c", ":3"),
    ("SRANDMEMBER set -9223372036854775808", "out of range"),
    ("SRANDMEMBER set -9223372036854775807", "out of range"),
    ("SPOP set 9223372036854775808", "out of range"),
    ("SPOP set -1", "out of range"),
    (
        "SINTERCARD 9223372036854775807 set",
        "can't be greater than number of args",
    ),
    ("SINTERCARD 1 set LIMIT -1", "LIMIT can't be negative"),
    ("SINTERCARD 1 set LIMIT 9223372036854775807", ":3"),
    ("HSET h a 1 b 2", ":2"),
    ("HRANDFIELD h -9223372036854775808", "out of range"),
    (
        "HRANDFIELD h -4611686018427387904 WITHVALUES",
        "out of range",
    ),
    ("HRANDFIELD h -9223372036854775807", "out of range"),
    ("HINCRBY h a 9223372036854775807", "overflow"),
    ("HINCRBYFLOAT h b nan", "not a valid float"),
    ("HINCRBYFLOAT h b inf", "NaN or Infinity"),
    ("HGETALL h", "[\"a\", \"1\", \"b\", \"2\"]"),
    ("HSCAN h 0 COUNT 9223372036854775807", "\"0\""),
    ("HSCAN h 18446744073709551616", "invalid cursor"),
    ("HSCAN h 18446744073709551615", "\"0\""),
    ("SCAN 0 COUNT 9223372036854775807", "\"0\""),
    ("ZADD z 1 a 2 b", ":2"),
    ("ZRANDMEMBER z -9223372036854775808", "out of range"),
    (
        "ZRANDMEMBER z -4611686018427387904 WITHSCORES",
        "out of range",
    ),
    ("ZRANDMEMBER z -9223372036854775807", "out of range"),
    (
        "ZRANGE z -9223372036854775808 9223372036854775807",
        "[\"a\", \"b\"]",
    ),
    (
        "ZRANGEBYSCORE z -inf +inf LIMIT 9223372036854775807 9223372036854775807",
        "[]",
    ),
    (
        "ZRANGEBYSCORE z -inf +inf LIMIT -9223372036854775808 -9223372036854775808",
        "[]",
    ),
    ("ZMPOP 9223372036854775807 z MIN", "syntax error"),
    ("ZUNION 9223372036854775807 z", "syntax error"),
    ("ZINTERCARD 9223372036854775807 z", "syntax error"),
    ("ZUNIONSTORE d 4294967297 z", "syntax error"),
    ("ZPOPMIN z -1", "out of range"),
    (
        "XADD x 18446744073709551615-18446744073709551615 a b",
        "18446744073709551615-18446744073709551615",
    ),
    ("XADD x * a b", "exhausted the last possible ID"),
    (
        "XRANGE x - + COUNT 9223372036854775807",
        "18446744073709551615-18446744073709551615",
    ),
    ("XRANGE x - + COUNT -9223372036854775808", "*-1"),
    ("XREAD COUNT 9223372036854775807 STREAMS x 0", "\"x\""),
    ("XREAD COUNT -9223372036854775808 STREAMS x 0", "\"x\""),
    ("XGROUP CREATE x g 0", "OK"),
    ("XREADGROUP GROUP g c COUNT -1 STREAMS x >", "\"x\""),
    (
        "XAUTOCLAIM x g c 0 0 COUNT 9223372036854775807",
        "COUNT must be > 0",
    ),
    (
        "XAUTOCLAIM x g c 0 0 COUNT 4611686018427387904",
        "COUNT must be > 0",
    ),
    ("XAUTOCLAIM x g c 0 0 COUNT 1152921504606846976", ""),
    (
        "XPENDING x g - + 9223372036854775807",
        "18446744073709551615-18446744073709551615",
    ),
    ("XPENDING x g - + -9223372036854775808", "[]"),
    (
        "XCLAIM x g c 9223372036854775807 0-1 IDLE 9223372036854775807 RETRYCOUNT 9223372036854775807",
        "[]",
    ),
    ("XTRIM x MAXLEN ~ 0 LIMIT -1", "must be >= 0"),
    ("GEOADD g 1 1 a", ":1"),
    (
        "GEORADIUS g 1 1 100 km COUNT 9223372036854775807",
        "[\"a\"]",
    ),
    ("GEORADIUS g 1 1 nan km", "need numeric radius"),
    (
        "GEOSEARCH g FROMLONLAT 1 1 BYBOX 1e308 1e308 km ASC",
        "[\"a\"]",
    ),
    (
        "GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1e308 km COUNT 9223372036854775807 ANY",
        "[\"a\"]",
    ),
    (
        "SORT l LIMIT 9223372036854775807 9223372036854775807 ALPHA",
        "[]",
    ),
    (
        "SORT l LIMIT -9223372036854775808 -9223372036854775808 ALPHA",
        "[\"a\", \"b\", \"c\"]",
    ),
    ("SORT l LIMIT 1 9223372036854775807 ALPHA", "[\"b\", \"c\"]"),
    ("COMMAND GETKEYS EVAL x 9223372036854775807 a", "[]"),
    ("COMMAND GETKEYS EVAL x -1 a", "[]"),
    (
        "COMMAND GETKEYS ZUNION 9223372036854775807 a",
        "Invalid arguments",
    ),
    (
        "COMMAND GETKEYS ZUNIONSTORE d 18446744073709551615 a",
        "Invalid arguments",
    ),
    (
        "COMMAND GETKEYS LMPOP 4294967297 a LEFT",
        "Invalid arguments",
    ),
    ("COMMAND GETKEYS SINTERCARD 2 a", "Invalid arguments"),
    (
        "COMMAND GETKEYS XREAD STREAMS a",
        "Invalid number of arguments",
    ),
    (
        "EVAL \"return 1\" 9223372036854775807 a",
        "can't be greater than number of args",
    ),
    (
        "EVAL \"return 1\" 4294967296 a",
        "can't be greater than number of args",
    ),
    ("MSETEX 9223372036854775807 a b", "invalid numkeys"),
    ("MSETNX n 1 n 2 m 1", ":1"),
    ("EXPIRE l 9223372036854775807", "invalid expire time"),
    ("PEXPIRE l 9223372036854775807", "invalid expire time"),
    ("EXPIRE l -9223372036854775808", "invalid expire time"),
    ("SET k v EX 9223372036854775807", "invalid expire time"),
    ("SET k v PX 9223372036854775807", "invalid expire time"),
    ("GETEX b EX 9223372036854775807", "invalid expire time"),
    ("INCRBY i 9223372036854775807", ":9223372036854775807"),
    ("INCRBY i 9223372036854775807", "overflow"),
    ("DECRBY i -9223372036854775808", "overflow"),
    ("LCS s b MINMATCHLEN -9223372036854775808 IDX", "len"),
    ("COPY l l2 DB 9223372036854775807", "out of range"),
    ("SELECT 9223372036854775807", "out of range"),
    ("SWAPDB 0 4294967296", "invalid second DB index"),
    ("BLPOP q 1e400", "timeout"),
    ("BLPOP q 9223372036854775807", "timeout is out of range"),
    ("BLPOP q nan", "timeout"),
    ("CLIENT PAUSE 9223372036854775808", "out of range"),
    ("CLIENT UNBLOCK 9223372036854775808", "out of range"),
    (
        "SLOWLOG GET 9223372036854775808",
        "greater than or equal to -1",
    ),
    ("MEMORY USAGE l SAMPLES 9223372036854775807", ":"),
    ("OBJECT ENCODING l", "listpack"),
];

#[test]
fn counts_at_the_borders_do_what_they_say_or_are_refused() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for (command, expected) in ROWS {
        let shown = format!("{:?}", raw.ask(command));
        assert!(shown.contains(expected), "{command}\n  gave {shown}");
    }
    check_health(&server, &mut raw);
}

/// LCS needs a table of the product of both lengths.
#[test]
fn long_texts_are_not_compared_at_any_price() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let long = vec![b'x'; 100_000];
    raw.command(&[b"SET", b"a", &long]);
    raw.command(&[b"SET", b"b", &long]);
    for options in ["", " LEN", " IDX"] {
        let reply = raw.ask(&format!("LCS a b{options}"));
        if let Reply::Error(text) = &reply {
            assert!(text.contains("memory"), "{text}");
        }
    }
    check_health(&server, &mut raw);
}

#[test]
fn a_transaction_of_very_many_commands() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("MULTI");
    let command = frame(&[b"INCR", b"n"]);
    const BATCH: usize = 10_000;
    const BATCHES: usize = 20;
    for _ in 0..BATCHES {
        raw.send(command.repeat(BATCH));
        assert!(
            raw.read_many(BATCH)
                .into_iter()
                .all(|reply| reply == queued())
        );
    }
    let replies = raw.ask("EXEC").items();
    assert_eq!(replies.len(), BATCH * BATCHES);
    assert_eq!(
        replies.last(),
        Some(&Reply::Integer((BATCH * BATCHES) as i64))
    );
    check_health(&server, &mut raw);
}
