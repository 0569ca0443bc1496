//! XREAD and XREADGROUP with MAXCOUNT and MAXSIZE, which limit what all streams give together.

use crate::common::{Raw, Reply, Server, array, bulk, check, error, integer, ok};

/// A server with three entries in each of two streams, and a group that has read nothing of them.
fn two_streams() -> (Server, Raw) {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for stream in ["one", "two"] {
        for n in 1..=3 {
            raw.ask(&format!("XADD {stream} {n}-0 field value"));
        }
        raw.ask(&format!("XGROUP CREATE {stream} g 0"));
    }
    (server, raw)
}

/// The reply that gives these entries.
fn entries(streams: &[(&str, &[u8])]) -> Reply {
    array(streams.iter().map(|(stream, numbers)| {
        let entries = numbers.iter().map(|n| {
            let pair = array([bulk("field"), bulk("value")]);
            array([bulk(format!("{n}-0")), pair])
        });
        array([bulk(stream), array(entries)])
    }))
}

/// Bytes of such an entry in a reply: `*2`, the id, `*2`, field and value.
const ENTRY: usize = 4 + 9 + 4 + 11 + 11;

#[test]
fn entries_of_all_streams_are_counted_together() {
    let (_server, mut raw) = two_streams();
    let all = "STREAMS one two 0 0";
    check(
        &mut raw,
        &[
            (
                &format!("XREAD COUNT 2 MAXCOUNT 3 {all}"),
                entries(&[("one", &[1, 2]), ("two", &[1])]),
            ),
            (
                &format!("XREAD MAXCOUNT 2 COUNT 2 {all}"),
                entries(&[("one", &[1, 2])]),
            ),
            (
                &format!("XREAD MAXCOUNT 5 {all}"),
                entries(&[("one", &[1, 2, 3]), ("two", &[1, 2])]),
            ),
            (
                &format!("XREAD MAXCOUNT 1 MAXSIZE 1000 {all}"),
                entries(&[("one", &[1])]),
            ),
        ],
    );
}

#[test]
fn bytes_of_all_streams_are_counted_together() {
    let (_server, mut raw) = two_streams();
    let all = "STREAMS one two 0 0";
    for (bytes, expected) in [
        (1, entries(&[("one", &[1])])),
        (2 * ENTRY - 1, entries(&[("one", &[1])])),
        (2 * ENTRY, entries(&[("one", &[1, 2])])),
        (4 * ENTRY - 1, entries(&[("one", &[1, 2, 3])])),
        (4 * ENTRY, entries(&[("one", &[1, 2, 3]), ("two", &[1])])),
    ] {
        check(
            &mut raw,
            &[(&format!("XREAD MAXSIZE {bytes} {all}"), expected)],
        );
    }
}

#[test]
fn groups_are_given_no_more_and_keep_what_is_left() {
    let (_server, mut raw) = two_streams();
    let bytes = 4 * ENTRY;
    let read = "XREADGROUP GROUP g alice";
    check(
        &mut raw,
        &[
            (
                &format!("{read} MAXCOUNT 2 STREAMS one two > >"),
                entries(&[("one", &[1, 2])]),
            ),
            (
                &format!("{read} COUNT 2 MAXSIZE {bytes} STREAMS one two > >"),
                entries(&[("one", &[3]), ("two", &[1, 2])]),
            ),
            (
                &format!("{read} MAXSIZE 1 STREAMS one two 0 >"),
                entries(&[("one", &[1])]),
            ),
            (
                &format!("{read} MAXCOUNT 1 STREAMS one two > >"),
                entries(&[("two", &[3])]),
            ),
            (
                &format!("{read} MAXCOUNT 4 STREAMS one two 0 0"),
                entries(&[("one", &[1, 2, 3]), ("two", &[1])]),
            ),
        ],
    );
    let claimed = raw.ask("XREADGROUP GROUP g bob MAXCOUNT 4 CLAIM 0 STREAMS one two > >");
    let counts = claimed.items().into_iter().map(|stream| {
        let entries = stream.items().pop().expect("its entries");
        entries.items().len()
    });
    assert_eq!(counts.collect::<Vec<_>>(), [3, 1]);
    let summary = raw.ask("XPENDING two g").items();
    assert_eq!(summary[0], integer(3));
}

#[test]
fn a_wait_ends_with_no_more_than_was_asked_for() {
    let (server, mut raw) = two_streams();
    let mut waiter = server.raw();
    waiter.tell("XREAD MAXCOUNT 1 BLOCK 0 STREAMS one two $ $");
    let has_begun = |raw: &mut Raw| raw.ask("INFO clients").text().contains("blocked_clients:1");
    crate::common::eventually("it waits", || has_begun(&mut raw));
    raw.send(b"MULTI\r\nXADD one 4-0 field value\r\nXADD one 5-0 field value\r\nEXEC\r\n");
    raw.read_many(4);
    assert_eq!(waiter.read(), entries(&[("one", &[4])]));
}

#[test]
fn limits_are_positive_and_fit_each_other() {
    let (_server, mut raw) = two_streams();
    let not_positive = |option: &str| error(&format!("ERR {option} must be a positive integer"));
    let too_few = || error("ERR MAXCOUNT must be greater than or equal to COUNT");
    check(
        &mut raw,
        &[
            ("XREAD MAXCOUNT 0 STREAMS one 0", not_positive("MAXCOUNT")),
            ("XREAD MAXSIZE -1 STREAMS one 0", not_positive("MAXSIZE")),
            ("XREAD COUNT 3 MAXCOUNT 2 STREAMS one 0", too_few()),
            ("XREAD MAXCOUNT 2 COUNT 3 STREAMS one 0", too_few()),
            (
                "XREAD MAXCOUNT x STREAMS one 0",
                error("ERR value is not an integer or out of range"),
            ),
            (
                "XREAD MAXCOUNT",
                error("ERR wrong number of arguments for 'xread' command"),
            ),
            ("DEL one two", integer(2)),
            ("SET one x", ok()),
        ],
    );
}
