//! Every type there and back, what old versions wrote, and bytes that somebody has tampered with.

use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::keyspace::{Entry, Value};
use crate::structures::Object;
use crate::structures::hash::{Hash, Lifetime, Seen};
use crate::structures::list::{End, Limit, List};
use crate::structures::listpack::{Item, Listpack};
use crate::structures::set::{self, Set};
use crate::structures::sorted_set::{self, SortedSet};

fn limits() -> Limits {
    Limits::of(&Config::default())
}

fn restored(value: &[u8]) -> Result<Restored<'_>, Malformed> {
    read(&mut Reader::new(value), Dialect::Redis, &limits())
}

fn written(object: &Object) -> Vec<u8> {
    let mut writer = Writer::new(true);
    write(&mut writer, None, ValueRef::Object(object.view()));
    writer.into_bytes()
}

proptest! {
    #[test]
    fn what_is_packed_later_is_the_same(texts in prop::collection::vec(("[ab]{0,60}", any::<bool>()), 0..20)) {
        let (mut at_once, mut roughly, mut later) = (Writer::new(true), Writer::rough(true), Writer::new(true));
        for (text, is_string) in &texts {
            for writer in [&mut at_once, &mut roughly] {
                match is_string {
                    true => writer.string(text.as_bytes()),
                    false => writer.raw(text.as_bytes()),
                }
            }
        }
        let rough = roughly.exchange(Rough::default());
        later.finish(&rough);
        let expected = at_once.take();
        prop_assert!(rough.finished().is_none_or(|bytes| bytes == expected));
        prop_assert_eq!(later.take(), expected);
        prop_assert!(roughly.is_empty());
    }
}

fn text(item: Item<'_>) -> Vec<u8> {
    item.as_bytes(&mut itoa::Buffer::new()).to_vec()
}

/// A value's elements, sorted where it has no order.
fn contents(object: &Object) -> Vec<Vec<u8>> {
    let mut elements: Vec<Vec<u8>> = match object {
        Object::Bytes(text) => vec![text.to_vec()],
        Object::List(list) => return list.iter().map(text).collect(),
        Object::Set(set) => set.iter().map(text).collect(),
        Object::SortedSet(set) => {
            let pairs = set.iter();
            return pairs
                .map(|(member, score)| [text(member), score.to_string().into_bytes()].concat())
                .collect();
        }
        Object::Hash(hash) => (hash.iter(Seen::ALL))
            .map(|field| format!("{field:?}").into_bytes())
            .collect(),
        Object::Stream(_) => vec![written(object)],
    };
    elements.sort();
    elements
}

fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let text = prop_oneof![
        4 => "[a-c]{0,8}".prop_map(String::into_bytes),
        2 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        2 => (-200i64..200).prop_map(|number| number.to_string().into_bytes()),
        1 => (any::<u8>(), 60usize..300).prop_map(|(byte, len)| vec![byte; len]),
    ];
    prop::collection::vec(text, 1..200)
}

fn objects() -> impl Strategy<Value = Object> {
    (texts(), 0..4, any::<bool>()).prop_map(|(texts, kind, expires)| {
        let config = Config::default();
        match kind {
            0 => Object::List(list_of(&texts)),
            1 => {
                let limits = set::Limits {
                    intset_entries: config.set_max_intset_entries,
                    listpack_entries: config.set_max_listpack_entries,
                    listpack_value: config.set_max_listpack_value,
                };
                let mut set = Set::default();
                texts.iter().for_each(|text| {
                    set.add(text, &limits);
                });
                Object::Set(set)
            }
            2 => {
                let limits = sorted_set::Limits {
                    entries: 128,
                    value: 64,
                };
                let mut set = SortedSet::default();
                for (n, text) in texts.iter().enumerate() {
                    set.set(text, n as f64 / 3.0, limits);
                }
                Object::SortedSet(set)
            }
            _ => Object::Hash(hash_of(&texts, expires)),
        }
    })
}

fn list_of(texts: &[Vec<u8>]) -> List {
    let (mut list, limit) = (List::default(), Limit::of(-1));
    for text in texts {
        list.grow(limit, text.len(), 1);
        list.push(End::Tail, text, limit);
    }
    list
}

fn hash_of(texts: &[Vec<u8>], expires: bool) -> Hash {
    let limits = crate::structures::hash::Limits {
        entries: 128,
        value: 64,
    };
    let mut hash = Hash::default();
    for (n, text) in texts.iter().enumerate() {
        let lifetime = match expires && n % 3 == 0 {
            true => Lifetime::Until(1_900_000_000_000 + n as i64),
            false => Lifetime::Endless,
        };
        hash.set(text, b"value", lifetime, &limits);
    }
    hash
}

#[test]
fn strings_take_the_shortest_form() {
    for (value, length) in [
        (Value::Int(1), 2),
        (Value::Int(-128), 2),
        (Value::Int(128), 3),
        (Value::Int(40_000), 5),
        (Value::Int(1 << 40), 14),
        (Value::Str(b""), 1),
        (Value::Str(&[b'x'; 63]), 8),
    ] {
        let entry = Entry::new(b"key", value, None, 0);
        assert_eq!(super::length(entry.view().value(), true), length);
    }
    for (bytes, length) in [(63, 64), (64, 66), (16_000, 16_002)] {
        let text = vec![b'x'; bytes];
        let entry = Entry::new(b"key", Value::Str(&text), None, 0);
        assert_eq!(super::length(entry.view().value(), false), length);
    }
}

#[test]
fn a_checksum_belongs_to_its_bytes() {
    // What redis-server 7.0 gives for a string of one digit, 1.
    let known = b"\x00\xc0\x01\x0a\x00";
    let payload = dump(ValueRef::Int(1), true);
    assert!(payload.starts_with(known) && payload.len() == known.len() + 8);
    assert_eq!(checked(&payload, true), Some((Dialect::Redis, &known[..3])));
    for at in 0..payload.len() {
        let mut changed = payload.clone();
        changed[at] ^= 1;
        assert_eq!(checked(&changed, true), None, "byte {at}");
    }
    assert_eq!(
        (checked(b"", true), checked(&payload[2..], true)),
        (None, None)
    );
}

#[test]
fn old_encodings_are_read() {
    let ziplist = |entries: &[u8], count: u8| {
        let total = 10 + entries.len() as u8 + 1;
        // The last entries here have two bytes or three.
        let tail = total - 1 - if entries.len() > 6 { 3 } else { 2 };
        let bytes = [&[total, 0, 0, 0, tail, 0, 0, 0, count, 0], entries, &[0xff]].concat();
        [&[bytes.len() as u8][..], &bytes].concat()
    };
    let pair = ziplist(b"\x00\x01a\x03\xf6", 2);
    let negative = ziplist(b"\x00\xf0\xfe\xff\xff\x05\xc0\x00\x80\x04\xfe\xfb", 3);
    for (kind, body, expected) in [
        (kind::LIST, b"\x02\x01a\xc0\x05".to_vec(), &["a", "5"][..]),
        (kind::LIST_ZIPLIST, pair.clone(), &["a", "5"]),
        (kind::LIST_ZIPLIST, negative, &["-2", "-32768", "-5"]),
        (
            kind::QUICKLIST,
            [&[2][..], &pair, &pair].concat(),
            &["a", "5", "a", "5"],
        ),
        (kind::SORTED_SET_ZIPLIST, pair.clone(), &["a5"]),
        (
            kind::SORTED_SET,
            b"\x02\x01a\x035.5\x01b\xff".to_vec(),
            &["b-inf", "a5.5"],
        ),
    ] {
        let value = [&[kind][..], &body].concat();
        match restored(&value) {
            Ok(Restored::Object(object)) => {
                let expected: Vec<_> = expected
                    .iter()
                    .map(|text| text.as_bytes().to_vec())
                    .collect();
                assert_eq!(contents(&object), expected, "type {kind}");
            }
            other => panic!("type {kind}: {other:?}"),
        }
    }
    let zipmap = b"\x09\x01\x01a\x02\x01bc_\xff".to_vec();
    for (kind, body) in [(kind::HASH_ZIPMAP, zipmap), (kind::HASH_ZIPLIST, pair)] {
        let value = [&[kind][..], &body].concat();
        let Ok(Restored::Object(Object::Hash(hash))) = restored(&value) else {
            panic!("type {kind}: {:?}", restored(&value));
        };
        assert_eq!(hash.len(Seen::ALL), 1);
    }
}

#[test]
fn what_is_wrong_has_a_name() {
    for (bytes, error) in [
        (&b""[..], Malformed::Ended),
        (b"\x00\x05abc", Malformed::Ended),
        (
            b"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff",
            Malformed::Ended,
        ),
        (b"\x00\x82", Malformed::Length(0x82)),
        (b"\x00\xc4", Malformed::Special(4)),
        (
            b"\x00\xc3\x01\x81\x00\xff\xff\xff\xff\xff\xff\xffx",
            Malformed::Compressed,
        ),
        (b"\x08", Malformed::Type(8)),
        (b"\xf0", Malformed::Type(0xf0)),
        (b"\x02\x00", Malformed::Empty),
        (b"\x02\x02\x01a\x01a", Malformed::Twice),
        (b"\x02\x80\xff\xff\xff\xff\x01a", Malformed::Ended),
        (b"\x02\xc0\x01", Malformed::NoLength),
        (
            b"\x05\x01\x01a\x00\x00\x00\x00\x00\x00\xf8\x7f",
            Malformed::Score,
        ),
        (b"\x0b\x01a", Malformed::Intset),
        (b"\x10\x01a", Malformed::Listpack),
        (b"\x0a\x01a", Malformed::Ziplist),
        (b"\x12\x01\x03", Malformed::Node(3)),
    ] {
        assert_eq!(restored(bytes).err(), Some(error), "{bytes:?}");
    }
    let empty = Listpack::new();
    let value = [&[kind::HASH_LISTPACK, 7][..], empty.bytes()].concat();
    assert_eq!(restored(&value).err(), Some(Malformed::Empty));
}

proptest! {
    #[test]
    fn values_come_back(object in objects()) {
        let bytes = written(&object);
        match restored(&bytes) {
            Ok(Restored::Object(copy)) => prop_assert_eq!(contents(&copy), contents(&object)),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn texts_come_back(text in prop_oneof![".{0,30}", "[0-9]{1,20}", "(abc){5,50}"]) {
        let text = text.into_bytes();
        let mut writer = Writer::new(true);
        writer.string(&text);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.string().map(|text| text.into_owned()), Ok(text));
        prop_assert_eq!(reader.left(), 0);
    }

    #[test]
    fn bytes_tampered_with_do_no_harm(
        object in objects(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut writer = Writer::new(false);
        write(&mut writer, None, ValueRef::Object(object.view()));
        let mut bytes = writer.into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(Restored::Object(object)) = restored(&bytes) {
            let again = written(&object);
            prop_assert!(restored(&again).is_ok(), "what was taken can be given");
        }
    }

    #[test]
    fn bytes_of_chance_do_no_harm(kind in 0u8..30, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = restored(&[&[kind][..], &bytes].concat());
    }
}
