//! Whole files: written from one keyspace and loaded into another, in every form that others write, and damaged.

use std::sync::Arc;

use super::samples::{
    NOW, contents, filled, hash, keyspace, list, loaded, options, preamble, put, put_object, set,
    sorted_dump, sorted_set, stream, written,
};
use super::split::{Part, Splitter};
use super::*;
use crate::keyspace::{AccessClock, Cursor, Expiry, Keyspace, Value, ValueRef};
use crate::persistence::RealDisk;
use crate::persistence::base::{Base, Shown, write_base};
use crate::structures::Structure;
use crate::structures::hash::{Hash, Lifetime};

#[test]
fn what_is_saved_is_loaded() {
    let original = filled();
    for (packs, sums) in [(true, true), (false, false)] {
        let bytes = written(&original, preamble(packs), sums);
        assert_eq!(&bytes[..9], b"REDIS0010", "7.0 loads it");
        let keep_all = Options {
            drops_expired: false,
            ..options()
        };
        let (copy, result, notes) = loaded(&bytes, keep_all);
        let result = result.expect("a good file");
        assert_eq!(result.bytes, bytes.len() as u64);
        assert_eq!(notes.bytes, result.bytes);
        assert_eq!(result.is_unchecked, !sums);
        assert_eq!(notes.fields, [("redis-ver".to_owned(), "7.4.0".to_owned())]);
        assert_eq!(notes.functions, [b"#!lua name=lib"]);
        assert_eq!(contents(&copy), contents(&original));

        let (copy, result, _) = loaded(&bytes, options());
        let result = result.expect("a good file");
        assert_eq!((result.expired, result.empty), (1, 0));
        assert_eq!(contents(&copy).len() + 1, contents(&original).len());
    }
}

#[test]
fn what_several_threads_show_is_there_once_and_in_its_database() {
    const KEYS: usize = 3000;
    let original = keyspace();
    let key = |n: usize| format!("key {n}").into_bytes();
    let text = |n: usize| format!("some text that is worth packing {n} ").repeat(n % 40);
    for n in 0..KEYS {
        let (key, text) = (key(n), text(n));
        put(
            &original,
            n % 3,
            &key,
            Value::Str(text.as_bytes()),
            Expiry::Clear,
        );
    }
    let expected = contents(&original);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("dump.rdb");
    let base = Arc::new(Base::rdb(preamble(true), true));
    let shown = Arc::new(Shown(base.clone()));
    let alone = original.gate().alone();
    let snapshot = original.cut(&alone, 1, shown).expect("the only copy");
    drop(alone);
    std::thread::scope(|scope| {
        for part in 0..3 {
            let original = &original;
            scope.spawn(move || {
                for n in (part..KEYS).step_by(3).rev() {
                    put(original, n % 3, &key(n), Value::Int(1), Expiry::Clear);
                    put(
                        original,
                        n % 3,
                        &key(n + KEYS),
                        Value::Int(2),
                        Expiry::Clear,
                    );
                }
            });
        }
        let written = write_base(&RealDisk, &path, snapshot, &base, &|_| true);
        written.expect("written");
    });
    assert_eq!(base.keys(), KEYS as u64);
    let bytes = std::fs::read(&path).expect("a file");
    let (copy, result, _) = loaded(&bytes, options());
    assert_eq!(result.map(|loaded| loaded.keys), Ok(KEYS as u64));
    assert!(contents(&copy) == expected);
}

#[test]
fn fields_that_expire_need_a_later_version() {
    let keyspace = keyspace();
    let names: Vec<Vec<u8>> = (0..600)
        .map(|n| format!("field {n}").into_bytes())
        .collect();
    put_object(&keyspace, "small", hash(&names[..5], true));
    put_object(&keyspace, "great", hash(&names, true));
    let bytes = written(&keyspace, preamble(true), true);
    assert_eq!(&bytes[..9], b"REDIS0012");
    let (copy, result, _) = loaded(&bytes, options());
    assert_eq!(result.map(|loaded| loaded.keys), Ok(2));
    assert_eq!(contents(&copy), contents(&keyspace));
}

#[test]
fn big_values_are_looked_at_in_slices_and_are_of_one_moment_whatever_happens() {
    let texts: Vec<Vec<u8>> = (0..5000)
        .map(|n| format!("text {n}").into_bytes())
        .collect();
    let names = ["list", "set", "sorted", "hash", "other hash"];
    let fill = |keyspace: &Keyspace| {
        let objects = [list(&texts), set(&texts), sorted_set(&texts)];
        let hashes = [hash(&texts, false), hash(&texts[..4500], false)];
        let all = objects.into_iter().chain(hashes);
        names
            .iter()
            .zip(all)
            .for_each(|(name, object)| put_object(keyspace, name, object));
        put(keyspace, 1, b"small", Value::Int(1), Expiry::Clear);
    };
    let model = keyspace();
    fill(&model);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("dump.rdb");
    let mut was_interrupted = 0;
    for walks in (0..40).step_by(2) {
        let original = keyspace();
        fill(&original);
        let base = Arc::new(Base::rdb(preamble(true), true));
        let shown = Arc::new(Shown(base.clone()));
        let alone = original.gate().alone();
        let mut snapshot = original.cut(&alone, 1, shown).expect("the only copy");
        drop(alone);
        let is_over = (0..walks).any(|_| snapshot.walk(1));
        was_interrupted += usize::from(!is_over);
        for (n, name) in names.iter().enumerate() {
            match (n + walks) % 3 {
                0 => put(
                    &original,
                    0,
                    name.as_bytes(),
                    Value::Int(7),
                    Expiry::At(NOW),
                ),
                1 => put_object(&original, name, hash(&texts[..1], false)),
                _ => {}
            }
        }
        put_object(&original, "new", set(&texts));
        if is_over {
            continue;
        }
        write_base(&RealDisk, &path, snapshot, &base, &|_| true).expect("written");
        let bytes = std::fs::read(&path).expect("a file");
        let (copy, result, _) = loaded(&bytes, options());
        assert_eq!(result.map(|loaded| loaded.keys), Ok(6));
        assert!(
            contents(&copy) == contents(&model),
            "changed after {walks} walks"
        );
    }
    assert!(was_interrupted > 5, "{was_interrupted}");
}

#[test]
fn keys_use_is_told_and_taken_over() {
    let original = keyspace();
    put(&original, 0, b"key", Value::Int(1), Expiry::Clear);
    for clock in [AccessClock::lru(NOW + 5_000), AccessClock::lfu(NOW, 10, 1)] {
        let told = Preamble {
            access: Some(clock),
            ..preamble(false)
        };
        let bytes = written(&original, told, true);
        let with_clock = Options {
            access: clock,
            ..options()
        };
        let (copy, result, _) = loaded(&bytes, with_clock);
        assert_eq!(result.map(|loaded| loaded.keys), Ok(1));
        let mut fields = Vec::new();
        copy.nothing()
            .scan(0, Cursor::START, 10, i64::MIN, |entry| {
                fields.push((
                    clock.idle_seconds(entry.access()),
                    clock.frequency(entry.access()),
                ));
            });
        let original_field = AccessClock::lru(NOW).fresh();
        match clock.is_lfu() {
            true => assert_eq!(fields[0].1, clock.frequency(original_field)),
            false => assert_eq!(fields[0].0, 5),
        }
    }
}

/// A file without a checksum.
fn file(header: &[u8], body: &[u8]) -> Vec<u8> {
    [header, body, &[0xff, 0, 0, 0, 0, 0, 0, 0, 0]].concat()
}

fn error(bytes: &[u8]) -> String {
    let (_, result, _) = loaded(bytes, options());
    result.expect_err("a bad file").to_string()
}

#[test]
fn bad_files_are_refused_with_the_place() {
    let text = b"\x00\x01a\x01b";
    for (bytes, expected) in [
        (b"".to_vec(), "the bytes end within a value (offset 0)"),
        (
            b"HELLO0010".to_vec(),
            "Wrong signature trying to load DB from file (offset 0)",
        ),
        (
            b"REDIS0099".to_vec(),
            "Can't handle RDB format version 99 (offset 0)",
        ),
        (
            b"VALKEY011".to_vec(),
            "Can't handle RDB format version 11 (offset 0)",
        ),
        (
            b"REDIS0010".to_vec(),
            "the bytes end within a value (offset 9)",
        ),
        (
            file(b"REDIS0010", b"\xf6"),
            "Pre-release function format not supported (offset 9)",
        ),
        (
            file(b"REDIS0010", b"\xf2"),
            "no value has type 242 (offset 9)",
        ),
        (
            file(b"REDIS0010", b"\xfe\x04"),
            "Data file was created with a server configured to handle more than 4 databases (offset 11)",
        ),
        (
            file(b"REDIS0010", &[&text[..], text].concat()),
            "RDB has duplicated key 'a' in DB 0 (offset 14)",
        ),
        (
            file(b"REDIS0010", b"\x02\x01a\x02\x01x\x01x"),
            "integrity check failed: an element is there twice (offset 17)",
        ),
        (
            file(b"REDIS0010", b"\x0d\x01a\x01x"),
            "Ziplist integrity check failed (offset 14)",
        ),
        (
            file(
                b"REDIS0010",
                b"\x07\x01a\x81\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            ),
            "a value of module 'AAAAAAAAA', which is not there (offset 21)",
        ),
    ] {
        assert_eq!(error(&bytes), expected, "{}", bytes.escape_ascii());
    }
    let mut wrong = file(b"REDIS0010", text);
    *wrong.last_mut().expect("not empty") = 7;
    assert!(
        error(&wrong).starts_with("Wrong RDB checksum expected: ("),
        "{}",
        error(&wrong)
    );
}

#[test]
fn every_cut_is_noticed() {
    let keyspace = keyspace();
    put(
        &keyspace,
        0,
        b"text",
        Value::Str(b"some text"),
        Expiry::At(NOW + 1000),
    );
    put_object(&keyspace, "stream", stream(3));
    let bytes = written(&keyspace, preamble(true), true);
    for len in 0..bytes.len() {
        let (_, result, _) = loaded(&bytes[..len], options());
        let fault = result.expect_err("a file that is cut off");
        assert!(fault.offset <= len as u64, "{fault}");
    }
}

#[test]
fn what_stands_beside_values_is_understood() {
    // Old seconds of expiry, in the future and in the past; no checksum in version 4.
    let body = b"\xfe\x02\xfd\x00\x00\x00\x70\x00\x01a\x01b\xfd\x01\x00\x00\x00\x00\x01c\x01d\xff";
    let (keyspace, result, _) = loaded(&[b"REDIS0004", &body[..]].concat(), options());
    assert_eq!(
        result.map(|loaded| (loaded.keys, loaded.expired)),
        Ok((1, 1))
    );
    assert_eq!(contents(&keyspace)[0].3, Some(0x7000_0000 * 1000));

    // Sizes, slots, use, what modules keep beside keys and beside a key, a field nobody knows.
    let module =
        b"\x02\x05\x05\x01x\x01\x07\x03\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let body = [
        b"\xfa\x03new\xc0\x07",
        &b"\xf7\x81\x00\x00\x00\x00\x00\x00\x00\x00"[..],
        module,
        b"\xfe\x00\xfb\x01\x00\xf4\x05\x01\x00\xf8\x10\xf9\x20\xf3\x01\x01\x02\x03\x04",
        b"\x01\x05\x00",
        b"\x00\x01a\x01b",
    ];
    let (keyspace, result, notes) = loaded(&file(b"REDIS0013", &body.concat()), options());
    assert_eq!(result.map(|loaded| loaded.keys), Ok(1));
    assert_eq!(notes.fields, [("new".to_owned(), "7".to_owned())]);
    assert_eq!(notes.modules, ["AAAAAAAAA"]);
    assert_eq!(contents(&keyspace).len(), 1);

    // Valkey: slots being imported, a hash of which one field expires.
    let moment = (NOW + 5).to_le_bytes();
    let body = [
        &b"\xf3\x03job\x02\x00\x05\x07\x09\x16\x01h\x02\x01a\x01b"[..],
        &[0xff; 8],
        b"\x01c\x01d",
        &moment,
    ];
    let (keyspace, result, _) = loaded(&file(b"VALKEY080", &body.concat()), options());
    assert_eq!(result.map(|loaded| loaded.keys), Ok(1));
    let names: [Vec<u8>; 2] = [b"a".to_vec(), b"c".to_vec()];
    let mut expected = Hash::default();
    let limits = crate::structures::hash::Limits {
        entries: 128,
        value: 64,
    };
    expected.set(&names[0], b"b", Lifetime::Endless, &limits);
    expected.set(&names[1], b"d", Lifetime::Until(NOW + 5), &limits);
    let expected = expected.into_object();
    assert_eq!(
        contents(&keyspace)[0].2,
        sorted_dump(ValueRef::Object(expected.view()))
    );

    // Keys without elements are left out.
    let body = b"\x01\x04list\x00\x00\x01a\x01b";
    let (_, result, _) = loaded(&file(b"REDIS0010", body), options());
    assert_eq!(result.map(|loaded| (loaded.keys, loaded.empty)), Ok((1, 1)));
}

#[test]
fn keys_may_be_replaced() {
    let twice = file(b"REDIS0010", b"\x00\x01a\x01b\x00\x01a\x01b");
    let replaces = Options {
        replaces: true,
        ..options()
    };
    let (keyspace, result, _) = loaded(&twice, replaces);
    assert_eq!(result.map(|loaded| loaded.keys), Ok(2));
    assert_eq!(contents(&keyspace).len(), 1);
}

#[test]
fn values_longer_than_a_chunk_are_split() {
    let keyspace = keyspace();
    let words: Vec<Vec<u8>> = (0..60_000)
        .map(|n| format!("a long word {n}").into_bytes())
        .collect();
    put_object(&keyspace, "long list", list(&words));
    put_object(&keyspace, "great set", set(&words));
    put(
        &keyspace,
        0,
        b"text",
        Value::Str(&vec![b'x'; 3 << 20]),
        Expiry::Clear,
    );
    let bytes = written(&keyspace, preamble(false), true);
    let (copy, result, _) = loaded(&bytes, options());
    assert_eq!(result.map(|loaded| loaded.keys), Ok(3));
    assert_eq!(contents(&copy), contents(&keyspace));
    // The splitter comes to the same places however little it is given at once.
    let mut splitter = Splitter::new(Trickle(&bytes), true).expect("a good header");
    let mut values = 0;
    loop {
        match splitter.advance().expect("a good file") {
            Part::Values(batch) => values += batch.entries.len(),
            Part::End => break,
            _ => {}
        }
    }
    let sum = splitter
        .checksum()
        .expect("a checksum")
        .expect("a new version");
    assert_eq!((values, sum.stated), (3, sum.counted));
}

/// Gives a few bytes at a time.
struct Trickle<'b>(&'b [u8]);

impl std::io::Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.len().min(out.len()).min(1000);
        let (head, rest) = self.0.split_at(count);
        out[..count].copy_from_slice(head);
        self.0 = rest;
        Ok(count)
    }
}
