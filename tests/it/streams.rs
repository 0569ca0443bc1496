//! Stream commands: entries, trims, groups, claims and waiting, in the words and shapes of Redis.

use std::time::Duration;

use crate::common::{
    Raw, Reply, Server, array, bulk, check, error, eventually, integer, ok, simple,
};

const INVALID_ID: &str = "ERR Invalid stream ID specified as stream command argument";
const SYNTAX: &str = "ERR syntax error";
const NO_GROUP: &str =
    "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";

fn rows(rows: &[(&str, Reply)]) {
    let server = Server::start(&[]);
    check(&mut server.raw(), rows);
}

fn words(words: &[&str]) -> Reply {
    array(words.iter().map(bulk))
}

/// An entry: its id, then fields and values.
fn entry(id: &str, fields: &[&str]) -> Reply {
    array([bulk(id), words(fields)])
}

fn integers(numbers: &[i64]) -> Reply {
    array(numbers.iter().copied().map(integer))
}

/// One stream as XREAD shows it.
fn stream(key: &str, entries: impl IntoIterator<Item = Reply>) -> Reply {
    array([array([bulk(key), array(entries)])])
}

#[test]
fn entries_are_added_and_read() {
    rows(&[
        ("XADD s 1-1 a 1 b 2", bulk("1-1")),
        ("XADD s 1-* a x b \"\"", bulk("1-2")),
        ("XADD s 5 other field", bulk("5-0")),
        ("XLEN s", integer(3)),
        ("TYPE s", simple("stream")),
        ("OBJECT ENCODING s", bulk("stream")),
        (
            "XRANGE s - + COUNT 1",
            array([entry("1-1", &["a", "1", "b", "2"])]),
        ),
        (
            "XRANGE s (1-1 (5-0",
            array([entry("1-2", &["a", "x", "b", ""])]),
        ),
        (
            "XREVRANGE s + (1-2",
            array([entry("5-0", &["other", "field"])]),
        ),
        ("XRANGE s 6 +", array([])),
        ("XRANGE s 5 1", array([])),
        ("XRANGE s - + COUNT 0", Reply::NullArray),
        ("XRANGE nothing - + COUNT 0", array([])),
        ("XRANGE s - + COUNT", error(SYNTAX)),
        ("XRANGE s x +", error(INVALID_ID)),
        (
            "XRANGE s (18446744073709551615-18446744073709551615 +",
            error("ERR invalid start ID for the interval"),
        ),
        (
            "XRANGE s - (0-0",
            error("ERR invalid end ID for the interval"),
        ),
        ("XADD s NOMKSTREAM 6 a b", bulk("6-0")),
        ("XADD t NOMKSTREAM * a b", Reply::NullBulk),
        ("EXISTS t", integer(0)),
        ("XDEL s 1-1 9-9 5-0", integer(2)),
        ("XDEL s 1-1 x", error(INVALID_ID)),
        ("XLEN s", integer(2)),
        ("COPY s copy", integer(1)),
        ("XDEL s 1-2 6", integer(2)),
        ("XLEN s", integer(0)),
        ("EXISTS s", integer(1)),
        ("XLEN copy", integer(2)),
    ]);
}

#[test]
fn xadd_refuses() {
    let arity = error("ERR wrong number of arguments for 'xadd' command");
    let top = "ERR The ID specified in XADD is equal or smaller than the target stream top item";
    rows(&[
        ("SET text x", ok()),
        (
            "XADD text * a b",
            error("WRONGTYPE Operation against a key holding the wrong kind of value"),
        ),
        ("XADD s * a", arity.clone()),
        ("XADD s * a b c", arity),
        (
            "XADD s 0-0 a b",
            error("ERR The ID specified in XADD must be greater than 0-0"),
        ),
        ("XADD s nonsense a b", error(INVALID_ID)),
        ("XADD s + a b", error(INVALID_ID)),
        ("EXISTS s", integer(0)),
        ("XADD s 0-* a b", bulk("0-1")),
        ("XADD s 7-5 a b", bulk("7-5")),
        ("XADD s 7-5 a b", error(top)),
        ("XADD s 6-* a b", error(top)),
        (
            "XADD s MAXLEN 1 MINID 1 * a b",
            error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible"),
        ),
        (
            "XADD s MAXLEN -1 * a b",
            error("ERR The MAXLEN argument must be >= 0."),
        ),
        (
            "XADD s LIMIT 1 * a b",
            error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"),
        ),
        (
            "XADD s MAXLEN 1 LIMIT 1 * a b",
            error("ERR syntax error, LIMIT cannot be used without the special ~ option"),
        ),
        ("XADD s KEEPREF DELREF * a b", error(SYNTAX)),
        (
            "XADD s 18446744073709551615-18446744073709551615 a b",
            bulk("18446744073709551615-18446744073709551615"),
        ),
        (
            "XADD s * a b",
            error("ERR The stream has exhausted the last possible ID, unable to add more items"),
        ),
    ]);
}

#[test]
fn trims() {
    let server = Server::start(&["--stream-node-max-entries", "10"]);
    let mut raw = server.raw();
    for n in 1..=100 {
        raw.ask(&format!("XADD s {n} n {n}"));
    }
    check(
        &mut raw,
        &[
            ("XTRIM s MAXLEN ~ 85", integer(10)),
            ("XTRIM s MAXLEN ~ 0 LIMIT 30", integer(30)),
            ("XTRIM s MAXLEN = 55", integer(5)),
            ("XTRIM s MINID 50", integer(4)),
            ("XTRIM s MINID ~ 75", integer(21)),
            ("XRANGE s - + COUNT 1", array([entry("71-0", &["n", "71"])])),
            ("XADD s MAXLEN 3 101 n 101", bulk("101-0")),
            ("XLEN s", integer(3)),
            ("XTRIM s MAXLEN 10 nonsense", error(SYNTAX)),
            (
                "XTRIM s LIMIT 0",
                error("ERR syntax error, XTRIM must be called with a trimming strategy"),
            ),
            ("XTRIM nothing MAXLEN 0", integer(0)),
        ],
    );
}

#[test]
fn references_are_kept_deleted_or_waited_for() {
    rows(&[
        ("XDELEX s IDS 2 1 2", integers(&[-1, -1])),
        ("XACKDEL s g IDS 2 1 2", integers(&[-1, -1])),
        ("XADD s 1 a b", bulk("1-0")),
        ("XADD s 2 a b", bulk("2-0")),
        ("XADD s 3 a b", bulk("3-0")),
        ("XGROUP CREATE s g 0", ok()),
        ("XGROUP CREATE s h 0", ok()),
        (
            "XREADGROUP GROUP g c COUNT 2 STREAMS s >",
            stream("s", [entry("1-0", &["a", "b"]), entry("2-0", &["a", "b"])]),
        ),
        (
            "XREADGROUP GROUP h c COUNT 1 STREAMS s >",
            stream("s", [entry("1-0", &["a", "b"])]),
        ),
        ("XDELEX s ACKED IDS 2 1 3", integers(&[2, 2])),
        ("XACKDEL s g ACKED IDS 2 1 2", integers(&[2, 2])),
        ("XACKDEL s h ACKED IDS 1 1", integers(&[1])),
        ("XTRIM s MAXLEN 0 ACKED", integer(0)),
        ("XGROUP DESTROY s h", integer(1)),
        ("XTRIM s MAXLEN 0 ACKED", integer(1)),
        (
            "XREADGROUP GROUP g c STREAMS s >",
            stream("s", [entry("3-0", &["a", "b"])]),
        ),
        ("XDELEX s DELREF IDS 2 3 9", integers(&[1, -1])),
        (
            "XPENDING s g",
            array([
                integer(0),
                Reply::NullBulk,
                Reply::NullBulk,
                Reply::NullArray,
            ]),
        ),
        (
            "XDELEX s IDS 0 1",
            error("ERR Number of IDs must be a positive integer"),
        ),
        (
            "XDELEX s IDS 2 1",
            error("ERR The `numids` parameter must match the number of arguments"),
        ),
        ("XDELEX s IDS 1 1 2", error(SYNTAX)),
        ("XACKDEL s g KEEPREF ACKED IDS 1 1", error(SYNTAX)),
    ]);
}

#[test]
fn groups_read_and_acknowledge() {
    let one = || entry("1-0", &["a", "1"]);
    rows(&[
        (
            "XGROUP CREATE s g $",
            error(
                "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
            ),
        ),
        ("XGROUP CREATE s g $ MKSTREAM", ok()),
        (
            "XGROUP CREATE s g $",
            error("BUSYGROUP Consumer Group name already exists"),
        ),
        (
            "XREADGROUP GROUP nosuch c STREAMS s >",
            error(&NO_GROUP.replace("'g'", "'nosuch'")),
        ),
        ("XREADGROUP GROUP g alice STREAMS s >", Reply::NullArray),
        ("XADD s 1 a 1", bulk("1-0")),
        ("XADD s 2 a 2", bulk("2-0")),
        (
            "XREADGROUP GROUP g alice COUNT 1 STREAMS s >",
            stream("s", [one()]),
        ),
        (
            "XREADGROUP GROUP g bob NOACK STREAMS s >",
            stream("s", [entry("2-0", &["a", "2"])]),
        ),
        ("XREADGROUP GROUP g alice STREAMS s 0", stream("s", [one()])),
        ("XREADGROUP GROUP g bob STREAMS s 0", stream("s", [])),
        (
            "XPENDING s g",
            array([
                integer(1),
                bulk("1-0"),
                bulk("1-0"),
                array([words(&["alice", "1"])]),
            ]),
        ),
        ("XDEL s 1", integer(1)),
        (
            "XREADGROUP GROUP g alice STREAMS s 0",
            stream("s", [array([bulk("1-0"), Reply::NullArray])]),
        ),
        ("XACK s g 1 2", integer(1)),
        ("XACK s g x", error(INVALID_ID)),
        ("XACK s nosuch x", integer(0)),
        ("XGROUP SETID s g 0 ENTRIESREAD 0", ok()),
        (
            "XGROUP SETID s g 0 ENTRIESREAD -2",
            error("ERR value for ENTRIESREAD must be positive or -1"),
        ),
        ("XGROUP CREATECONSUMER s g alice", integer(0)),
        ("XGROUP CREATECONSUMER s g carol", integer(1)),
        (
            "XREADGROUP GROUP g carol STREAMS s >",
            stream("s", [entry("2-0", &["a", "2"])]),
        ),
        ("XGROUP DELCONSUMER s g carol", integer(1)),
        ("XGROUP DELCONSUMER s g carol", integer(0)),
        (
            "XGROUP DELCONSUMER s nosuch carol",
            error("NOGROUP No such consumer group 'nosuch' for key name 's'"),
        ),
        ("XGROUP DESTROY s g", integer(1)),
        ("XGROUP DESTROY s g", integer(0)),
        ("XREADGROUP GROUP g c STREAMS s >", error(NO_GROUP)),
        (
            "XREADGROUP GROUP g c STREAMS s t >",
            error(
                "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
            ),
        ),
        (
            "XREAD STREAMS s >",
            error(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
            ),
        ),
        (
            "XREAD NOACK STREAMS s 0",
            error(
                "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
            ),
        ),
        (
            "XREADGROUP NOACK GROUP g STREAMS STREAMS s >",
            error(SYNTAX),
        ),
    ]);
}

#[test]
fn entries_change_hands() {
    rows(&[
        ("XGROUP CREATE s g 0 MKSTREAM", ok()),
        ("XADD s 1 a 1", bulk("1-0")),
        ("XADD s 2 a 2", bulk("2-0")),
        ("XADD s 3 a 3", bulk("3-0")),
        (
            "XCLAIM s nosuch bob 0 1",
            error("NOGROUP No such key 's' or consumer group 'nosuch'"),
        ),
        ("XCLAIM s g bob 0 1", array([])),
        ("XCLAIM s g bob 0 1 FORCE JUSTID", words(&["1-0"])),
        ("XCLAIM s g bob 1000000 1 JUSTID", array([])),
        (
            "XCLAIM s g bob 0 1 IDLE 1000 NOSUCH",
            error("ERR Unrecognized XCLAIM option 'NOSUCH'"),
        ),
        (
            "XCLAIM s g bob x 1",
            error("ERR Invalid min-idle-time argument for XCLAIM"),
        ),
        (
            "XCLAIM s g alice 0 1 3 TIME 0 RETRYCOUNT 7 LASTID 2",
            array([entry("1-0", &["a", "1"])]),
        ),
        (
            "XREADGROUP GROUP g alice COUNT 1 STREAMS s >",
            stream("s", [entry("3-0", &["a", "3"])]),
        ),
        ("XPENDING s g - + 10 bob", array([])),
        ("XPENDING s g IDLE 1000000 - + 10 nosuch", array([])),
        ("XPENDING s g - +", error(SYNTAX)),
        (
            "XAUTOCLAIM s g bob 1000000 - COUNT 1 JUSTID",
            array([bulk("3-0"), words(&["1-0"]), array([])]),
        ),
        ("XDEL s 3", integer(1)),
        (
            "XAUTOCLAIM s g carol 0 0 COUNT 10",
            array([
                bulk("0-0"),
                array([entry("1-0", &["a", "1"])]),
                words(&["3-0"]),
            ]),
        ),
        (
            "XAUTOCLAIM s g carol 0 0 COUNT 0",
            error("ERR COUNT must be > 0"),
        ),
        (
            "XPENDING s g",
            array([
                integer(1),
                bulk("1-0"),
                bulk("1-0"),
                array([words(&["carol", "1"])]),
            ]),
        ),
    ]);
}

#[test]
fn idle_entries_are_claimed_along_with_new_ones() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for line in [
        "XADD s 1 a 1",
        "XADD s 2 a 2",
        "XADD s 3 a 3",
        "XGROUP CREATE s g 0",
    ] {
        raw.ask(line);
    }
    raw.ask("XREADGROUP GROUP g alice COUNT 2 STREAMS s >");
    raw.ask("XCLAIM s g alice 0 1 TIME 1000 JUSTID");
    raw.ask("XCLAIM s g alice 0 2 TIME 500 JUSTID");
    let items = raw
        .ask("XREADGROUP GROUP g bob CLAIM 1000 STREAMS s >")
        .items();
    let entries = items[0].clone().items()[1].clone().items();
    let shown: Vec<(String, bool, i64)> = entries
        .into_iter()
        .map(|entry| {
            let parts = entry.items();
            (parts[0].text(), parts[2].number() > 1000, parts[3].number())
        })
        .collect();
    // The longest idle first, then what is new.
    let expected = [("2-0", true, 1), ("1-0", true, 1), ("3-0", false, 0)];
    assert_eq!(
        shown,
        expected.map(|(id, is_idle, count)| (id.to_owned(), is_idle, count))
    );
    check(
        &mut raw,
        &[
            (
                "XREADGROUP GROUP g bob CLAIM 100000 STREAMS s >",
                Reply::NullArray,
            ),
            (
                "XREADGROUP GROUP g bob CLAIM x STREAMS s >",
                error("ERR min-idle-time is not an integer"),
            ),
            (
                "XREADGROUP GROUP g bob CLAIM -1 STREAMS s >",
                error("ERR min-idle-time must be a positive integer"),
            ),
        ],
    );
}

#[test]
fn ids_and_counters_are_set_and_told() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("XSETID s 5", error("ERR no such key")),
            ("XADD s 1-1 a b", bulk("1-1")),
            ("XADD s 1-2 a b", bulk("1-2")),
            (
                "XSETID s 1-1",
                error("ERR The ID specified in XSETID is smaller than the target stream top item"),
            ),
            (
                "XSETID s 5-0 ENTRIESADDED 1",
                error(
                    "ERR The entries_added specified in XSETID is smaller than the target stream length",
                ),
            ),
            (
                "XSETID s 5-0 MAXDELETEDID 6",
                error(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ),
            ),
            ("XSETID s 5-0 ENTRIESADDED", error(SYNTAX)),
            ("XSETID s 5-0 ENTRIESADDED 10 MAXDELETEDID 3", ok()),
            ("XINFO STREAM nothing", error("ERR no such key")),
            ("XGROUP CREATE s g 1-1 ENTRIESREAD 1", ok()),
        ],
    );
    raw.ask("HELLO 3");
    let described = raw.ask("XINFO STREAM s");
    let expected = [
        ("length", integer(2)),
        ("radix-tree-keys", integer(1)),
        ("radix-tree-nodes", integer(2)),
        ("last-generated-id", bulk("5-0")),
        ("max-deleted-entry-id", bulk("3-0")),
        ("entries-added", integer(10)),
        ("recorded-first-entry-id", bulk("1-1")),
        ("groups", integer(1)),
        ("first-entry", entry("1-1", &["a", "b"])),
        ("last-entry", entry("1-2", &["a", "b"])),
    ];
    assert_eq!(
        described,
        Reply::Map(expected.map(|(name, value)| (bulk(name), value)).to_vec())
    );
    let group = [
        ("name", bulk("g")),
        ("consumers", integer(0)),
        ("pending", integer(0)),
        ("last-delivered-id", bulk("1-1")),
        ("entries-read", integer(1)),
        ("lag", Reply::Null),
    ];
    let group = Reply::Map(group.map(|(name, value)| (bulk(name), value)).to_vec());
    assert_eq!(raw.ask("XINFO GROUPS s"), array([group]));
    let read = raw.ask("XREAD STREAMS s nothing 1-1 0");
    let entries = array([entry("1-2", &["a", "b"])]);
    assert_eq!(read, Reply::Map(vec![(bulk("s"), entries)]));
    assert_eq!(raw.ask("XREAD COUNT 9 STREAMS s +").pairs().len(), 1);
    assert_eq!(raw.ask("XREAD STREAMS s $"), Reply::Null);
    raw.ask("XREADGROUP GROUP g alice STREAMS s >");
    let full = raw.ask("XINFO STREAM s FULL COUNT 1").pairs();
    assert_eq!(full.len(), 9);
    let consumers = raw.ask("XINFO CONSUMERS s g").items();
    let names: Vec<String> = consumers[0]
        .clone()
        .pairs()
        .iter()
        .map(|(name, _)| name.text())
        .collect();
    assert_eq!(names, ["name", "pending", "idle", "inactive"]);
}

fn blocked(server: &Server, raw: &mut Raw, line: &str) {
    let mut other = server.raw();
    raw.tell(line);
    eventually("the client waits", || {
        other
            .ask("INFO clients")
            .text()
            .contains("blocked_clients:1")
    });
}

#[test]
fn readers_wait() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    check(
        &mut raw,
        &[
            ("XREAD BLOCK 20 STREAMS s $", Reply::NullArray),
            ("XADD s 1 a 1", bulk("1-0")),
        ],
    );
    blocked(&server, &mut raw, "XREAD BLOCK 0 STREAMS t s 0 $");
    check(&mut other, &[("XADD s 2 a 2", bulk("2-0"))]);
    assert_eq!(raw.read(), stream("s", [entry("2-0", &["a", "2"])]));
    // The key is deleted, is a list for a while, and comes back.
    blocked(&server, &mut raw, "XREAD BLOCK 0 STREAMS s $");
    check(
        &mut other,
        &[
            ("DEL s", integer(1)),
            ("SET s x", ok()),
            ("DEL s", integer(1)),
        ],
    );
    raw.expect_silence(Duration::from_millis(50));
    check(&mut other, &[("XADD s 3 a 3", bulk("3-0"))]);
    assert_eq!(raw.read(), stream("s", [entry("3-0", &["a", "3"])]));
    check(
        &mut raw,
        &[
            (
                "XREAD BLOCK -1 STREAMS s $",
                error("ERR timeout is negative"),
            ),
            (
                "XREAD BLOCK x STREAMS s $",
                error("ERR timeout is not an integer or out of range"),
            ),
            ("MULTI", ok()),
            ("XREAD BLOCK 0 STREAMS s $", simple("QUEUED")),
            ("EXEC", array([Reply::NullArray])),
        ],
    );
}

#[test]
fn readers_of_groups_wait_and_hear_of_losses() {
    let server = Server::start(&[]);
    let (mut raw, mut other) = (server.raw(), server.raw());
    let read = "XREADGROUP GROUP g alice BLOCK 0 STREAMS s >";
    let wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";
    for (change, reply) in [
        ("XADD s 2 a 2", stream("s", [entry("2-0", &["a", "2"])])),
        ("XGROUP DESTROY s g", error(NO_GROUP)),
        ("DEL s", error(NO_GROUP)),
        ("FLUSHALL", error(NO_GROUP)),
        ("SET s x", error(wrong_type)),
        ("RENAME s other", error(NO_GROUP)),
    ] {
        other.ask("FLUSHALL");
        other.ask("XGROUP CREATE s g $ MKSTREAM");
        blocked(&server, &mut raw, read);
        other.ask(change);
        assert_eq!(raw.read(), reply, "{change}");
    }
    other.ask("FLUSHALL");
    other.ask("XGROUP CREATE s g $ MKSTREAM");
    blocked(&server, &mut raw, read);
    // Two readers: the second entry is for the second.
    let mut second = server.raw();
    second.tell(&read.replace("alice", "bob"));
    eventually("both wait", || {
        other
            .ask("INFO clients")
            .text()
            .contains("blocked_clients:2")
    });
    other.ask("XADD s 1 a 1");
    assert_eq!(raw.read(), stream("s", [entry("1-0", &["a", "1"])]));
    second.expect_silence(Duration::from_millis(30));
    other.ask("XADD s 2 a 2");
    assert_eq!(second.read(), stream("s", [entry("2-0", &["a", "2"])]));
}

#[test]
fn events_have_the_names_of_redis() {
    let server = Server::start(&["--notify-keyspace-events", "KEtn"]);
    let (mut raw, mut listener) = (server.raw(), server.raw());
    listener.ask("PSUBSCRIBE __keyevent@0__:*");
    for (line, events) in [
        ("XADD s 1 a b", &["new", "xadd"][..]),
        ("XADD s MAXLEN 1 2 a b", &["xadd", "xtrim"]),
        ("XTRIM s MAXLEN 1", &[]),
        ("XSETID s 9", &["xsetid"]),
        ("XGROUP CREATE s g 0", &["xgroup-create"]),
        (
            "XREADGROUP GROUP g c STREAMS s >",
            &["xgroup-createconsumer"],
        ),
        ("XACK s g 2", &[]),
        ("XGROUP SETID s g 0", &["xgroup-setid"]),
        ("XGROUP DELCONSUMER s g c", &["xgroup-delconsumer"]),
        ("XCLAIM s g d 0 2 FORCE", &["xgroup-createconsumer"]),
        ("XGROUP DESTROY s g", &["xgroup-destroy"]),
        ("XDEL s 2", &["xdel"]),
    ] {
        raw.ask(line);
        for event in events {
            let message = listener.read().items();
            assert_eq!(
                message[2].text(),
                format!("__keyevent@0__:{event}"),
                "{line}"
            );
        }
    }
    listener.expect_silence(Duration::from_millis(30));
}

#[test]
fn streams_survive_a_restart() {
    let mut server = Server::start(&[
        "--appendonly",
        "yes",
        "--enable-debug-command",
        "yes",
        "--stream-node-max-entries",
        "3",
    ]);
    let mut raw = server.raw();
    for line in [
        "XADD s * a b",
        "XADD s 99999999999999-* a b",
        "XADD s 99999999999999-* a b",
        "XADD s MAXLEN ~ 1 * a b",
        "XGROUP CREATE s g 0",
        "XREADGROUP GROUP g alice COUNT 1 STREAMS s >",
        "XREADGROUP GROUP g bob NOACK STREAMS s >",
        "XGROUP CREATE s h $",
        "XREADGROUP GROUP h nobody STREAMS s >",
        "XADD t 1 a b",
        "XADD t 2 a b",
        "XGROUP CREATE t g 0",
        "XREADGROUP GROUP g alice STREAMS t >",
        "XDEL t 1",
        "XAUTOCLAIM t g bob 0 0",
        "XCLAIM t g carol 0 9 LASTID 7",
        "XGROUP CREATE empty g $ MKSTREAM",
        "XDELEX t ACKED IDS 1 2",
    ] {
        assert!(!matches!(raw.ask(line), Reply::Error(_)), "{line}");
    }
    let describe = |raw: &mut Raw| {
        let lines = [
            "DEBUG DIGEST",
            "XINFO STREAM s",
            "XINFO GROUPS s",
            "XPENDING s g",
            "XINFO GROUPS t",
            "XPENDING t g",
            "XINFO STREAM t",
            "XINFO GROUPS empty",
        ];
        lines.map(|line| raw.ask(line))
    };
    let before = describe(&mut raw);
    server.restart();
    assert_eq!(describe(&mut server.raw()), before);
}

#[test]
fn released_entries_belong_to_nobody_until_they_are_claimed() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    for n in 1..=4 {
        raw.ask(&format!("XADD s {n} f {n}"));
    }
    raw.ask("XGROUP CREATE s g 0");
    raw.ask("XREADGROUP GROUP g alice COUNT 3 STREAMS s >");
    let released =
        |id: &str, deliveries: i64| array([bulk(id), bulk(""), integer(-1), integer(deliveries)]);
    check(
        &mut raw,
        &[
            ("XNACK s g FAIL IDS 2 1 9", integer(1)),
            ("XNACK s g SILENT IDS 1 2", integer(1)),
            ("XNACK s g FATAL IDS 1 3", integer(1)),
            ("XNACK s g FAIL IDS 1 4", integer(0)),
            ("XNACK s g FAIL IDS 1 4 FORCE RETRYCOUNT 7", integer(1)),
            (
                "XPENDING s g - + 9",
                array([
                    released("1-0", 1),
                    released("2-0", 0),
                    released("3-0", i64::MAX),
                    released("4-0", 7),
                ]),
            ),
            (
                "XPENDING s g",
                array([integer(4), bulk("1-0"), bulk("4-0"), array([])]),
            ),
            (
                "XNACK s g FAIL IDS 0 1",
                error("ERR Number of IDs must be a positive integer"),
            ),
            (
                "XNACK s g FAIL IDS 2 1",
                error("ERR The `numids` parameter must match the number of arguments"),
            ),
            ("XNACK s g NO IDS 1 1", error("ERR syntax error")),
            (
                "XNACK s none FAIL IDS 1 1",
                error("NOGROUP No such key 's' or consumer group 'none'"),
            ),
        ],
    );
    let before = raw.ask("XPENDING s g - + 9");
    server.restart();
    let mut raw = server.raw();
    assert_eq!(raw.ask("XPENDING s g - + 9"), before);
    check(
        &mut raw,
        &[
            ("XCLAIM s g bob 100000 1 JUSTID", array([bulk("1-0")])),
            ("XACK s g 3", integer(1)),
            ("XGROUP DELCONSUMER s g alice", integer(0)),
            (
                "XAUTOCLAIM s g bob 100000 0 JUSTID",
                array([bulk("0-0"), array([bulk("2-0"), bulk("4-0")]), array([])]),
            ),
            ("XNACK s g FAIL IDS 1 2", integer(1)),
        ],
    );
    // Payloads know no entries without a consumer.
    let Reply::Bulk(payload) = raw.ask("DUMP s") else {
        panic!("a payload");
    };
    assert_eq!(raw.command(&[b"RESTORE", b"t", b"0", &payload]), ok());
    assert_eq!(
        raw.ask("XPENDING t g").items().pop(),
        Some(array([
            array([bulk(""), bulk("1")]),
            array([bulk("bob"), bulk("2")])
        ]))
    );
    // Whoever waits to claim gets it at once.
    raw.ask("XACK s g 2");
    raw.ask("XGROUP SETID s g $");
    let mut reader = server.raw();
    blocked(
        &server,
        &mut reader,
        "XREADGROUP GROUP g carol BLOCK 0 CLAIM 100000 STREAMS s >",
    );
    reader.expect_silence(Duration::from_millis(30));
    raw.ask("XNACK s g FAIL IDS 1 4");
    assert!(!reader.read().is_null());
}

#[test]
fn what_a_producer_sends_twice_is_added_once() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let mut raw = server.raw();
    let first = raw.ask("XADD s IDMP p a * f 1");
    let second = raw.ask("XADD s IDMPAUTO p MAXLEN 100 * f 1");
    assert_ne!(first, second);
    let third = raw.ask("XADD s IDMP q a * f 1");
    check(
        &mut raw,
        &[
            ("XADD s IDMP p a * other 2", first.clone()),
            ("XADD s IDMPAUTO p * f 1", second.clone()),
            ("XADD s NOMKSTREAM IDMP q a MAXLEN ~ 5 * f 1", third.clone()),
            ("XLEN s", integer(3)),
            (
                "XADD s IDMP p b 5-5 f 1",
                error("ERR IDMP/IDMPAUTO can be used only with auto-generated IDs"),
            ),
            ("XADD s IDMP p b IDMP p c * f 1", error("ERR syntax error")),
            ("XCFGSET s", error("ERR syntax error")),
            ("XCFGSET s IDMP-DURATION 0", error("ERR invalid duration")),
            ("XCFGSET s IDMP-MAXSIZE 10001", error("ERR invalid maxsize")),
            ("XCFGSET none IDMP-MAXSIZE 1", error("ERR no such key")),
            ("XADD none NOMKSTREAM IDMP p a * f 1", Reply::NullBulk),
            (
                "XIDMPRECORD s p a 9-9",
                error("ERR no such entry in the stream"),
            ),
        ],
    );
    let numbers = |raw: &mut Raw| {
        let items = raw.ask("XINFO STREAM s").items();
        ["pids-tracked", "iids-tracked"].map(|name| {
            let place = items.iter().position(|item| *item == bulk(name));
            items[place.expect("a line") + 1].number()
        })
    };
    assert_eq!(numbers(&mut raw), [2, 3]);
    server.restart();
    let mut raw = server.raw();
    assert_eq!(numbers(&mut raw), [2, 3]);
    check(
        &mut raw,
        &[
            ("XADD s IDMP p a * other 2", first),
            ("XADD s IDMPAUTO p * f 1", second),
            ("XADD s IDMP q a * f 1", third),
            ("XLEN s", integer(3)),
            ("XCFGSET s IDMP-MAXSIZE 100", ok()),
        ],
    );
    assert_eq!(numbers(&mut raw), [2, 3]);
    raw.ask("XCFGSET s IDMP-MAXSIZE 1 IDMP-DURATION 1");
    assert_eq!(numbers(&mut raw), [0, 0]);
    let old = raw.ask("XADD s IDMP p a * f 1");
    raw.ask("XADD s IDMP p b * f 1");
    assert_ne!(raw.ask("XADD s IDMP p a * f 1"), old);
    let last = raw.ask("XADD s IDMP p a * f 1");
    std::thread::sleep(Duration::from_millis(1_100));
    assert_ne!(raw.ask("XADD s IDMP p a * f 1"), last);
    check(&mut raw, &[("XLEN s", integer(7))]);
}
