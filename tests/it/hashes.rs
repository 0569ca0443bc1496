//! Hash commands: replies, encodings, fields that go at some time, and what a restart keeps.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::common::{Raw, Reply, Server, array, bulk, check, error, eventually, integer, ok};

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NO_FIELDS: &str = "ERR Mandatory argument FIELDS is missing or not at the right position";
const COUNT_DIFFERS: &str = "ERR The `numfields` parameter must match the number of arguments";

fn codes(numbers: impl IntoIterator<Item = i64>) -> Reply {
    array(numbers.into_iter().map(integer))
}

fn contents(raw: &mut Raw, key: &str) -> BTreeMap<String, String> {
    let items = raw.ask(&format!("HGETALL {key}")).items();
    let pairs = items.chunks(2);
    pairs.map(|pair| (pair[0].text(), pair[1].text())).collect()
}

#[test]
fn fields_come_and_go() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("HSET h a 1 b 2", integer(2)),
            ("HSET h a 3 c 4", integer(1)),
            (
                "HSET h a",
                error("ERR wrong number of arguments for 'hset' command"),
            ),
            (
                "HSET h a 1 b",
                error("ERR wrong number of arguments for 'hset' command"),
            ),
            ("HMSET h d 5", ok()),
            ("HGET h a", bulk("3")),
            ("HGET h x", Reply::NullBulk),
            (
                "HMGET h a x d",
                array([bulk("3"), Reply::NullBulk, bulk("5")]),
            ),
            ("HMGET nothing a", array([Reply::NullBulk])),
            ("HLEN h", integer(4)),
            ("HSTRLEN h a", integer(1)),
            ("HEXISTS h a", integer(1)),
            ("HEXISTS h x", integer(0)),
            ("HSETNX h a 9", integer(0)),
            ("HSETNX h e 9", integer(1)),
            ("HKEYS h", array(["a", "b", "c", "d", "e"].map(bulk))),
            ("HVALS h", array(["3", "2", "4", "5", "9"].map(bulk))),
            ("HINCRBY h a 4", integer(7)),
            ("HINCRBY h new -4", integer(-4)),
            ("HINCRBYFLOAT h a 0.5", bulk("7.5")),
            ("HINCRBY h a 1", error("ERR hash value is not an integer")),
            ("HSET h text x max 9223372036854775807", integer(2)),
            (
                "HINCRBYFLOAT h text 1",
                error("ERR hash value is not a float"),
            ),
            (
                "HINCRBY h max 1",
                error("ERR increment or decrement would overflow"),
            ),
            ("HDEL h a b x", integer(2)),
            ("HDEL h c d e new text max more", integer(6)),
            ("EXISTS h", integer(0)),
            ("SET text x", ok()),
            ("HSET text a 1", error(WRONG_TYPE)),
            ("HGETALL text", error(WRONG_TYPE)),
            ("HEXPIRE text 1 FIELDS 1 a", error(WRONG_TYPE)),
        ],
    );
}

#[test]
fn encodings_are_those_of_redis() {
    let server = Server::start(&[
        "--hash-max-listpack-entries",
        "3",
        "--hash-max-listpack-value",
        "5",
    ]);
    check(
        &mut server.raw(),
        &[
            ("HSET h a 1 b 2 c 3", integer(3)),
            ("OBJECT ENCODING h", bulk("listpack")),
            ("HEXPIRE h 100 FIELDS 1 b", codes([1])),
            ("OBJECT ENCODING h", bulk("listpackex")),
            ("HPERSIST h FIELDS 1 b", codes([1])),
            ("OBJECT ENCODING h", bulk("listpackex")),
            ("HSET h d 4", integer(1)),
            ("OBJECT ENCODING h", bulk("hashtable")),
            ("HSET long a 123456", integer(1)),
            ("OBJECT ENCODING long", bulk("hashtable")),
        ],
    );
}

#[test]
fn chance_gives_fields_of_the_hash() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for (key, count) in [("small", 9), ("big", 2000)] {
        for n in 0..count {
            raw.ask(&format!("HSET {key} f{n} v{n}"));
        }
        let all = contents(&mut raw, key);
        assert_eq!(all.len(), count);
        for wanted in [0, 1, 5, count - 1, count * 2] {
            let items = raw
                .ask(&format!("HRANDFIELD {key} {wanted} WITHVALUES"))
                .items();
            let pairs = items.chunks(2).map(|pair| (pair[0].text(), pair[1].text()));
            let chosen: BTreeMap<String, String> = pairs.collect();
            assert_eq!(chosen.len(), wanted.min(count));
            assert!(
                chosen
                    .iter()
                    .all(|(name, value)| all.get(name) == Some(value))
            );
        }
        assert_eq!(
            raw.ask(&format!("HRANDFIELD {key} -300")).items().len(),
            300
        );
        assert!(all.contains_key(&raw.ask(&format!("HRANDFIELD {key}")).text()));
        let (mut cursor, mut found) = ("0".to_owned(), BTreeMap::new());
        loop {
            let mut parts = raw.ask(&format!("HSCAN {key} {cursor} COUNT 70")).items();
            let items = parts.pop().expect("two parts").items();
            found.extend(items.chunks(2).map(|pair| (pair[0].text(), pair[1].text())));
            cursor = parts.pop().expect("two parts").text();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found, all);
    }
    let names = raw.ask("HSCAN small 0 NOVALUES").items()[1].clone().items();
    assert_eq!(names.len(), 9);
    raw.ask("HELLO 3");
    let pairs = raw.ask("HRANDFIELD small 2 WITHVALUES").items();
    assert!(pairs.into_iter().all(|pair| pair.items().len() == 2));
}

#[test]
fn fields_may_have_a_time_to_live() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("HSET h a 1 b 2 c 3", integer(3)),
            ("HEXPIRE h 100 FIELDS 2 a x", codes([1, -2])),
            ("HEXPIRE h 200 NX FIELDS 2 a b", codes([0, 1])),
            ("HEXPIRE h 300 GT FIELDS 3 a b c", codes([1, 1, 0])),
            ("HEXPIRE h 250 LT FIELDS 3 a b c", codes([1, 1, 1])),
            ("HEXPIRE h 250 XX FIELDS 1 c", codes([1])),
            ("HTTL h FIELDS 3 a c x", codes([250, 250, -2])),
            ("HPERSIST h FIELDS 3 a a x", codes([1, -1, -2])),
            ("HTTL h FIELDS 1 a", codes([-1])),
            ("HPEXPIREAT h 33177117420000 FIELDS 1 a", codes([1])),
            ("HPEXPIRETIME h FIELDS 1 a", codes([33_177_117_420_000])),
            ("HEXPIRETIME h FIELDS 1 a", codes([33_177_117_420])),
            ("HINCRBY h a 1", integer(2)),
            ("HPEXPIRETIME h FIELDS 1 a", codes([33_177_117_420_000])),
            ("HSET h a 5", integer(0)),
            ("HPEXPIRETIME h FIELDS 1 a", codes([-1])),
            ("HEXPIREAT h 1 FIELDS 1 a", codes([2])),
            ("HGETALL h", array(["b", "2", "c", "3"].map(bulk))),
            ("HPEXPIRE h 0 FIELDS 2 b c", codes([2, 2])),
            ("EXISTS h", integer(0)),
            ("HTTL h FIELDS 1 a", codes([-2])),
            ("HEXPIRE h 1 FIELDS 1 a", codes([-2])),
            ("HTTL h FELDS 1 a", error(NO_FIELDS)),
            ("HTTL h FIELDS 2 a", error(COUNT_DIFFERS)),
            (
                "HTTL h FIELDS 0 a",
                error("ERR Number of fields must be a positive integer"),
            ),
            (
                "HEXPIRE h -1 FIELDS 1 a",
                error("ERR invalid expire time, must be >= 0"),
            ),
            (
                "HEXPIRE h 70368744177664 FIELDS 1 a",
                error("ERR invalid expire time in 'hexpire' command"),
            ),
        ],
    );
}

#[test]
fn options_of_hexpire_stand_in_any_order() {
    let server = Server::start(&["--appendonly", "yes"]);
    let unknown = |word: &str| error(&format!("ERR unknown argument: {word}"));
    const NOT_A_COUNT: &str = "ERR Parameter `numFields` should be greater than 0";
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("HSET h a 1 b 2 fields 3", integer(3)),
            ("HEXPIRE h 100 FIELDS 2 a b nx", codes([1, 1])),
            ("HEXPIRE h 200 fields 2 a fields LT", codes([0, 1])),
            ("HEXPIREAT h 9999 GT FIELDS 1 a gt", codes([0])),
            ("HEXPIREAT h 9999999999 GT FIELDS 1 a gt", codes([1])),
            ("HTTL h FIELDS 2 b fields", codes([100, 200])),
            ("HEXPIRE h 1 FELDS 1 a", unknown("FELDS")),
            ("HEXPIRE h 1 FIELDS 1 a b", unknown("b")),
            (
                "HEXPIRE h 1 FIELDS 2 a",
                error("ERR wrong number of arguments"),
            ),
            ("HEXPIRE h 1 FIELDS 0 a", error(NOT_A_COUNT)),
            ("HEXPIRE h 1 FIELDS 2147483648 a", error(NOT_A_COUNT)),
            ("HEXPIRE h 1 NX NX NX", error("ERR missing FIELDS argument")),
            (
                "HEXPIRE h 1 NX NX FIELDS",
                error("ERR FIELDS requires at least numfields and one field argument"),
            ),
            (
                "HEXPIRE h 1 FIELDS 1 a FIELDS 1 b",
                error("ERR FIELDS keyword specified multiple times"),
            ),
            (
                "HEXPIRE h 1 NX FIELDS 1 a LT",
                error("ERR Multiple condition flags specified"),
            ),
            (
                "HEXPIRE h x FIELDS 1 a FIELDS",
                error("ERR value is not an integer or out of range"),
            ),
        ],
    );
}

#[test]
fn options_of_hgetex_and_hsetex_stand_in_any_order() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let unknown = |word: &str| error(&format!("ERR unknown argument: {word}"));
    const TWICE: &str = "ERR FIELDS keyword specified multiple times";
    const TWO_TIMES: &str =
        "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified";
    const NO_TIME: &str = "ERR missing expire time";
    check(
        &mut server.raw(),
        &[
            ("HSETEX h FIELDS 2 EX 60 FIELDS v KEEPTTL fnx", integer(1)),
            ("HSETEX h FIELDS 1 x y FXX", integer(0)),
            ("HSETEX h FIELDS 2 a 1 b 2 ex 100", integer(1)),
            ("HTTL h FIELDS 3 a b EX", codes([100, 100, -1])),
            ("HSETEX h FIELDS 1 a 5 FXX KEEPTTL", integer(1)),
            ("HSETEX h FIELDS 1 a 6 XX KeepTTL", integer(1)),
            ("HTTL h FIELDS 1 a", codes([100])),
            (
                "HGETEX h FIELDS 2 EX FIELDS PERSIST",
                array([bulk("60"), bulk("v")]),
            ),
            ("HGETEX h fields 1 a persist", array([bulk("6")])),
            ("HGETEX h FIELDS 1 b EX 50", array([bulk("2")])),
            ("HTTL h FIELDS 2 a b", codes([-1, 50])),
            ("HGETEX h FIELDS 1 a FIELDS 1 b", error(TWICE)),
            ("HSETEX h FIELDS 1 a 1 FIELDS 1 b 1", error(TWICE)),
            ("HGETEX h FIELDS 1 a b", unknown("b")),
            ("HSETEX h FIELDS 1 a 1 b", unknown("b")),
            ("HGETEX h KEEPTTL FIELDS 1 a", unknown("KEEPTTL")),
            ("HGETEX h FXX FIELDS 1 a", unknown("FXX")),
            ("HSETEX h PERSIST FIELDS 1 a 1", unknown("PERSIST")),
            ("HGETEX h FIELDS 1 a EX", error(NO_TIME)),
            ("HSETEX h FIELDS 1 a 1 PXAT", error(NO_TIME)),
            ("HGETEX h EX 1 FIELDS 1 a PERSIST", error(TWO_TIMES)),
            ("HGETEX h PERSIST FIELDS 1 a PX", error(TWO_TIMES)),
            (
                "HGETEX h PX 1 FIELDS 1",
                error("ERR wrong number of arguments for 'hgetex' command"),
            ),
            (
                "HGETEX h PX 1 FIELDS",
                error("ERR wrong number of arguments for 'hgetex' command"),
            ),
            (
                "HGETEX h PERSIST FIELDS 1",
                error("ERR wrong number of arguments for 'hgetex' command"),
            ),
            (
                "HGETEX h FIELDS 2 a",
                error("ERR wrong number of arguments for 'hgetex' command"),
            ),
            ("HGETEX h FIELDS 0 a", error("ERR invalid number of fields")),
            ("HSETEX h KEEPTTL FNX XX XX", error("ERR syntax error")),
            (
                "HSETEX h KEEPTTL FNX XX EX 1",
                error("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
            ),
            ("HSETEX h FNX XX EX 1", error("ERR missing FIELDS argument")),
        ],
    );
    let before = contents(&mut server.raw(), "h");
    server.restart();
    assert_eq!(contents(&mut server.raw(), "h"), before);
}

#[test]
fn hashes_with_fields_that_go_are_counted() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let counted = |raw: &mut Raw, keys: usize, count: usize| {
        let info = raw.ask("INFO keyspace").text();
        let expected = format!("db0:keys={keys},expires=1,avg_ttl=");
        let rest = info.split_once(&expected).map(|(_, rest)| rest);
        let told = rest.and_then(|rest| rest.split_once(",subexpiry="));
        let told = told.map(|(_, count)| count.trim_end().to_owned());
        assert_eq!(told, Some(count.to_string()), "{info}");
    };
    for small in [512, 0] {
        raw.ask(&format!("CONFIG SET hash-max-listpack-entries {small}"));
        for line in [
            "SET text value EX 1000",
            "HSET one a 1 b 2",
            "HSET two a 1 b 2",
            "HEXPIRE one 1000 FIELDS 2 a b",
        ] {
            raw.ask(line);
        }
        counted(&mut raw, 3, 1);
        raw.ask("HEXPIRE two 1000 FIELDS 1 a");
        counted(&mut raw, 3, 2);
        raw.ask("HPERSIST one FIELDS 1 a");
        counted(&mut raw, 3, 2);
        raw.ask("HSET one b 3");
        counted(&mut raw, 3, 1);
        raw.ask("HDEL two a");
        counted(&mut raw, 3, 0);
        raw.ask("FLUSHALL");
    }
}

#[test]
fn fields_are_given_and_set_with_their_time() {
    let server = Server::start(&[]);
    check(
        &mut server.raw(),
        &[
            ("HSETEX h EX 100 FIELDS 2 a 1 b 2", integer(1)),
            ("HTTL h FIELDS 2 a b", codes([100, 100])),
            ("HSETEX h FNX FIELDS 1 a 9", integer(0)),
            ("HSETEX h FXX KEEPTTL FIELDS 1 a 9", integer(1)),
            ("HTTL h FIELDS 1 a", codes([100])),
            ("HSETEX h FIELDS 1 a 8", integer(1)),
            ("HTTL h FIELDS 1 a", codes([-1])),
            (
                "HGETEX h EX 50 FIELDS 2 a x",
                array([bulk("8"), Reply::NullBulk]),
            ),
            ("HTTL h FIELDS 1 a", codes([50])),
            ("HGETEX h PERSIST FIELDS 1 a", array([bulk("8")])),
            ("HTTL h FIELDS 1 a", codes([-1])),
            ("HGETEX h FIELDS 1 a", array([bulk("8")])),
            ("HGETEX h PXAT 1 FIELDS 1 a", array([bulk("8")])),
            ("HEXISTS h a", integer(0)),
            (
                "HGETDEL h FIELDS 2 b x",
                array([bulk("2"), Reply::NullBulk]),
            ),
            ("EXISTS h", integer(0)),
            ("HGETDEL h FIELDS 1 b", array([Reply::NullBulk])),
            ("HGETEX h FIELDS 1 b", array([Reply::NullBulk])),
            ("HSETEX h XX FIELDS 1 a 1", integer(0)),
            ("EXISTS h", integer(0)),
            ("HSETEX h NX FNX FIELDS 1 a 1", integer(1)),
            ("HSETEX h NX FIELDS 1 b 1", integer(0)),
            ("HSETEX h XX EX 100 FIELDS 1 b 1", integer(1)),
            ("HTTL h FIELDS 2 a b", codes([-1, 100])),
            ("HSETEX h XX KEEPTTL FIELDS 1 b 2", integer(1)),
            ("HTTL h FIELDS 2 a b", codes([-1, 100])),
            ("HSETEX h NX XX FIELDS 1 a 1", error("ERR syntax error")),
            (
                "HSETEX h FNX FXX FIELDS 1 a 1",
                error("ERR Only one of FXX or FNX arguments can be specified"),
            ),
            (
                "HSETEX h EX 1 FIELDS 2 a 1",
                error("ERR wrong number of arguments for 'hsetex' command"),
            ),
        ],
    );
}

#[test]
fn fields_go_when_they_are_due_and_the_key_with_its_last() {
    let mut server = Server::start(&["--appendonly", "yes", "--notify-keyspace-events", "AKE"]);
    let (mut raw, mut events) = (server.raw(), server.raw());
    events.ask("SUBSCRIBE __keyspace@0__:small __keyspace@0__:big");
    events.read();
    let mut args: Vec<Vec<u8>> = vec![b"HSET".to_vec(), b"big".to_vec()];
    for n in 0..2000 {
        args.extend([format!("f{n}").into_bytes(), b"v".to_vec()]);
    }
    let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
    raw.command(&args);
    raw.ask("HSET small a 1 b 2");
    raw.ask("HSET kept a 1 b 2");
    raw.ask("HPEXPIRE small 60 FIELDS 2 a b");
    raw.ask("HPEXPIRE big 60 FIELDS 3 f1 f1000 f1999");
    raw.ask("HPEXPIRE kept 60000 FIELDS 1 a");
    thread::sleep(Duration::from_millis(61));
    // Whether or not they have been taken out, nobody sees them.
    check(
        &mut raw,
        &[
            ("HLEN big", integer(1997)),
            ("HMGET big f1 f2", array([Reply::NullBulk, bulk("v")])),
            ("HLEN small", integer(0)),
            ("HTTL big FIELDS 1 f1000", codes([-2])),
        ],
    );
    eventually("the small hash is gone", || {
        raw.ask("EXISTS small") == integer(0)
    });
    eventually("all have been taken out", || {
        raw.ask("INFO stats").text().contains("expired_subkeys:5")
    });
    let mut seen = Vec::new();
    while seen.iter().filter(|name| *name == "hexpired").count() < 2
        || !seen.contains(&"del".to_owned())
    {
        let message = events.read().items();
        seen.push(message[2].text());
    }
    let big = contents(&mut raw, "big");
    server.restart();
    let mut raw = server.raw();
    assert_eq!(contents(&mut raw, "big"), big);
    assert_eq!(contents(&mut raw, "kept").len(), 2);
    let left = raw.ask("HPTTL kept FIELDS 2 a b").items();
    assert!((1..60_000).contains(&left[0].number()) && left[1] == integer(-1));
    raw.ask("BGREWRITEAOF");
    eventually("the log has been rewritten", || {
        raw.ask("INFO persistence")
            .text()
            .contains("aof_rewrite_in_progress:0")
    });
    raw.ask("RENAME kept moved");
    raw.ask("HPEXPIRE moved 30 FIELDS 2 a b");
    raw.ask("RENAME moved again");
    raw.ask("COPY again copy");
    server.restart();
    let mut raw = server.raw();
    assert_eq!(contents(&mut raw, "big"), big);
    eventually("what was moved and copied goes, too", || {
        raw.ask("EXISTS again copy") == integer(0)
    });
}

#[test]
fn digests_are_those_of_redis() {
    let debug = &["--enable-debug-command", "yes"];
    let Some(redis) = Server::redis(debug) else {
        return;
    };
    let ours = Server::start(debug);
    let [ours, theirs] = [ours, redis].map(|server| {
        let mut raw = server.raw();
        raw.ask("HSET h a 1 b text c 3");
        raw.ask("HSET i x y");
        raw.ask("DEBUG DIGEST")
    });
    assert_eq!(ours, theirs);
}
