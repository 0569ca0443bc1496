//! What bases of commands consist of.

use std::sync::Arc;

use super::gather::{Base, Shown};
use super::sink::Sink;
use crate::journal::write_command;
use crate::keyspace::{Entry, Keep, Value, ValueMut};
use crate::persistence::{Disk, RealDisk};
use crate::structures::hash::{Hash, Lifetime};
use crate::structures::list::{End, Limit, List};
use crate::structures::sorted_set::SortedSet;
use crate::structures::stream::{Group, Id, NOBODY, NodeLimits, Pending, Stream};
use crate::structures::{Structure, hash, sorted_set};

/// The base of some entries, each with its database.
fn commands(entries: Vec<(usize, Entry)>) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("base");
    let base = Arc::new(Base::commands());
    let shown = Shown(base.clone());
    for (database, mut entry) in entries {
        let Some(mut slices) = shown.begin(database, entry.view()) else {
            shown.keep(database, entry.view());
            continue;
        };
        let ValueMut::Object(object) = entry.exclusive().value() else {
            unreachable!("only these are shown in slices");
        };
        while !slices.go_on(object, 500) {}
        slices.end();
    }
    let mut sink = Sink::new(RealDisk.create(&path).expect("a file"), &base);
    while let Some(pieces) = base.take(true) {
        sink.write_all(pieces, &base).expect("written");
    }
    sink.finish(&base).expect("written");
    std::fs::read(&path).expect("a file")
}

/// Commands as a file has them.
fn text(commands: &[&[&[u8]]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for command in commands {
        write_command(&mut bytes, command.iter().copied());
    }
    bytes
}

fn object(key: &[u8], value: impl Structure) -> Entry {
    let value = Value::Object(Box::new(value.into_object()));
    Entry::new(key, value, None, 0)
}

#[test]
fn strings_become_commands() {
    let long = vec![b'x'; 100_000];
    let entries = vec![
        (0, Entry::new(b"number", Value::Int(-7), None, 0)),
        (2, Entry::new(b"12", Value::Str(b"a\r\n"), Some(123), 0)),
        (2, Entry::new(b"long", Value::Str(&long), Some(-5), 0)),
        (2, Entry::new(b"", Value::Str(b""), None, 0)),
    ];
    let expected = text(&[
        &[b"SELECT", b"0"],
        &[b"SET", b"number", b"-7"],
        &[b"SELECT", b"2"],
        &[b"SET", b"12", b"a\r\n"],
        &[b"PEXPIREAT", b"12", b"123"],
        &[b"SET", b"long", &long],
        &[b"PEXPIREAT", b"long", b"-5"],
        &[b"SET", b"", b""],
    ]);
    assert!(commands(entries) == expected);
}

#[test]
fn elements_come_in_groups() {
    let (mut list, limit) = (List::default(), Limit::of(-2));
    for number in 0..70 {
        list.push(End::Tail, number.to_string().as_bytes(), limit);
    }
    let numbers: Vec<String> = (0..70).map(|number| number.to_string()).collect();
    let (first, rest) = numbers.split_at(64);
    let command = |numbers: &[String]| {
        let words = numbers.iter().map(String::as_bytes);
        let all: Vec<&[u8]> = [&b"RPUSH"[..], b"list"].into_iter().chain(words).collect();
        text(&[&all])
    };
    let expected = [text(&[&[b"SELECT", b"0"]]), command(first), command(rest)];
    assert_eq!(
        commands(vec![(0, object(b"list", list))]),
        expected.concat()
    );
}

#[test]
fn sorted_sets_come_in_order() {
    let limits = sorted_set::Limits {
        entries: 8,
        value: 64,
    };
    for len in [3, 600] {
        let (mut set, mut rows) = (SortedSet::default(), Vec::new());
        for number in 0..len {
            let (score, member) = (f64::from(number) / 2.0, format!("member {number}"));
            set.set(member.as_bytes(), score, limits);
            rows.push([score.to_string(), member]);
        }
        let mut expected = text(&[&[b"SELECT", b"0"]]);
        for batch in rows.chunks(64) {
            let words = batch.iter().flatten().map(String::as_bytes);
            let all: Vec<&[u8]> = [&b"ZADD"[..], b"z"].into_iter().chain(words).collect();
            expected.extend(text(&[&all]));
        }
        assert!(commands(vec![(0, object(b"z", set))]) == expected);
    }
}

#[test]
fn fields_keep_their_moments() {
    let limits = hash::Limits {
        entries: 8,
        value: 64,
    };
    let mut hash = Hash::default();
    hash.set(b"a", b"1", Lifetime::Until(5), &limits);
    hash.set(b"b", b"2", Lifetime::Until(9), &limits);
    hash.set(b"c", b"3", Lifetime::Endless, &limits);
    let expected = text(&[
        &[b"SELECT", b"0"],
        &[b"HSET", b"h", b"a", b"1", b"b", b"2", b"c", b"3"],
        &[b"HPEXPIREAT", b"h", b"5", b"FIELDS", b"1", b"a"],
        &[b"HPEXPIREAT", b"h", b"9", b"FIELDS", b"1", b"b"],
    ]);
    assert_eq!(commands(vec![(0, object(b"h", hash))]), expected);
}

/// A stream with as many entries, the first of which was given back.
fn stream(len: u64) -> Stream {
    let mut stream = Stream::default();
    let limits = NodeLimits {
        bytes: 4096,
        entries: 100,
    };
    for n in 1..=len {
        let pairs: [(&[u8], &[u8]); 1] = [(b"n", b"7")];
        let log = stream.log_mut();
        log.append(Id::new(n, 0), pairs.into_iter(), limits);
    }
    let mut group = Group::new(Id::new(1, 0), Some(1));
    group.find_or_make(b"", 5);
    let pending = Pending {
        delivered_at: 9,
        deliveries: 4,
        consumer: NOBODY,
    };
    group.assign(Id::new(1, 0), pending);
    stream.groups_mut().insert((*b"g").into(), group);
    let producers = stream.make_producers();
    producers.remember(b"p", b"name", Id::new(1, 0));
    stream
}

#[test]
fn nothing_of_a_stream_is_lost() {
    for len in [1, 600] {
        let last = format!("{len}-0");
        let mut expected = text(&[&[b"SELECT", b"0"]]);
        for n in 1..=len {
            let id = format!("{n}-0");
            expected.extend(text(&[&[b"XADD", b"s", id.as_bytes(), b"n", b"7"]]));
        }
        let (id, added) = (last.as_bytes(), len.to_string());
        let (added, deleted) = (added.as_bytes(), &b"MAXDELETEDID"[..]);
        let read = &b"ENTRIESREAD"[..];
        expected.extend(text(&[
            &[b"XSETID", b"s", id, b"ENTRIESADDED", added, deleted, b"0-0"],
            &[b"XGROUP", b"CREATE", b"s", b"g", b"1-0", read, b"1"],
            &[b"XGROUP", b"CREATECONSUMER", b"s", b"g", b""],
        ]));
        let nack = "XNACK s g FAIL IDS 1 1-0 RETRYCOUNT 4 FORCE";
        let settings = "XCFGSET s IDMP-DURATION 100 IDMP-MAXSIZE 100";
        for line in [nack, settings, "XIDMPRECORD s p name 1-0", "SET after it"] {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            expected.extend(text(&[&words]));
        }
        let after = Entry::new(b"after", Value::Str(b"it"), None, 0);
        let made = commands(vec![(0, object(b"s", stream(len))), (0, after)]);
        assert_eq!(
            made.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }
}
