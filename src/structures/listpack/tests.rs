//! Against a vector of byte strings, and against hostile bytes.

use proptest::prelude::*;

use super::{Cursor, Item, Listpack};

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        (any::<i64>(), 0u32..64)
            .prop_map(|(value, shift)| (value >> shift).to_string().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..80),
        "[0-9-]{1,5}".prop_map(String::into_bytes),
        (4000usize..4200).prop_map(|len| vec![b'x'; len]),
        (16_350usize..16_400).prop_map(|len| vec![b'y'; len]),
    ]
}

fn contents(listpack: &Listpack) -> Vec<Vec<u8>> {
    let mut buffer = itoa::Buffer::new();
    let items = listpack.iter();
    items
        .map(|item| item.as_bytes(&mut buffer).to_vec())
        .collect()
}

fn agree(listpack: &Listpack, model: &[Vec<u8>]) {
    assert_eq!(contents(listpack), model);
    assert_eq!(listpack.len(), model.len());
    assert_eq!(listpack.is_empty(), model.is_empty());
    let mut buffer = itoa::Buffer::new();
    let mut backwards: Vec<Vec<u8>> = (listpack.iter().rev())
        .map(|item| item.as_bytes(&mut buffer).to_vec())
        .collect();
    backwards.reverse();
    assert_eq!(backwards, model);
    let again = Listpack::from_bytes(listpack.bytes().to_vec()).expect("own bytes are valid");
    assert_eq!(&again, listpack);
}

fn place(listpack: &Listpack, at: usize) -> Cursor {
    listpack.seek(at as i64).expect("within")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn behaves_like_a_vector(steps in proptest::collection::vec((0u8..8, any::<prop::sample::Index>(), 0usize..4, element()), 1..40)) {
        let (mut listpack, mut model) = (Listpack::new(), Vec::<Vec<u8>>::new());
        for (kind, index, count, bytes) in steps {
            let at = if model.is_empty() { 0 } else { index.index(model.len()) };
            match kind {
                0 => { listpack.push_back(&bytes); model.push(bytes); }
                1 => {
                    listpack.append(|tail| {
                        tail.push(&bytes);
                        (0..count).for_each(|_| tail.push_int(-1));
                    });
                    model.push(bytes);
                    model.extend((0..count).map(|_| b"-1".to_vec()));
                }
                2 => { listpack.push_front(&bytes); model.insert(0, bytes); }
                _ if model.is_empty() => {}
                3 => { listpack.insert(place(&listpack, at), &bytes); model.insert(at, bytes); }
                4 => { listpack.insert_after(place(&listpack, at), &bytes); model.insert(at + 1, bytes); }
                5 => { listpack.replace(place(&listpack, at), &bytes); model[at] = bytes; }
                6 => {
                    let next = listpack.remove(place(&listpack, at));
                    model.remove(at);
                    prop_assert_eq!(next.is_some(), at < model.len());
                }
                _ => {
                    listpack.remove_range(at, count);
                    model.drain(at..(at + count).min(model.len()));
                }
            }
            agree(&listpack, &model);
        }
        for (at, bytes) in model.iter().enumerate() {
            prop_assert!(listpack.get(at as i64).expect("within").is(bytes));
            prop_assert!(listpack.get(at as i64 - model.len() as i64).expect("within").is(bytes));
            let first = model.iter().position(|other| other == bytes).expect("itself");
            prop_assert_eq!(listpack.find(bytes), Some(place(&listpack, first)));
        }
        prop_assert!(listpack.get(model.len() as i64).is_none());
        prop_assert!(listpack.get(-1 - model.len() as i64).is_none());
    }

    #[test]
    fn hostile_bytes_are_refused_or_harmless(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), fixes in any::<bool>()) {
        if fixes && bytes.len() > 7 {
            let len = bytes.len() as u32;
            bytes[..4].copy_from_slice(&len.to_le_bytes());
            bytes[4..6].copy_from_slice(&[255, 255]);
            *bytes.last_mut().expect("not empty") = 255;
        }
        if let Some(listpack) = Listpack::from_bytes(bytes) {
            prop_assert_eq!(listpack.iter().count(), listpack.len());
            prop_assert_eq!(listpack.iter().rev().count(), listpack.len());
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_harmless(elements in proptest::collection::vec(element(), 0..10), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let listpack: Listpack = elements.iter().map(Vec::as_slice).collect();
        let mut bytes = listpack.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Some(listpack) = Listpack::from_bytes(bytes) {
            prop_assert_eq!(listpack.iter().count(), listpack.len());
            prop_assert_eq!(listpack.iter().rev().count(), listpack.len());
        }
    }
}

#[test]
fn bytes_are_those_of_redis() {
    let mut listpack = Listpack::new();
    for item in ["hi", "127", "-1", "4096", "-40000", "9000000000"] {
        listpack.push_back(item.as_bytes());
    }
    let expected: &[u8] = &[
        38, 0, 0, 0, 6, 0, // total, count
        0x82, b'h', b'i', 3, // string of 6 bits
        127, 1, // 7 bits
        0xDF, 0xFF, 2, // 13 bits
        0xF1, 0x00, 0x10, 3, // 16 bits
        0xF2, 0xC0, 0x63, 0xFF, 4, // 24 bits
        0xF4, 0x00, 0x1A, 0x71, 0x18, 0x02, 0x00, 0x00, 0x00, 9, // 64 bits
        0xFF,
    ];
    let expected = [&[expected.len() as u8], &expected[1..]].concat();
    assert_eq!(listpack.bytes(), expected);
}

#[test]
fn more_elements_than_the_header_can_count() {
    let mut listpack = Listpack::with_capacity(200_000);
    for _ in 0..70_000 {
        listpack.push_back(b"1");
    }
    assert_eq!(listpack.bytes()[4..6], [255, 255]);
    assert_eq!(listpack.len(), 70_000);
    assert!(listpack.get(69_999).is_some() && listpack.get(70_000).is_none());
    listpack.remove_range(0, 70_000);
    assert_eq!(listpack, Listpack::new());
}

#[test]
fn keys_are_found_among_pairs_only() {
    let listpack: Listpack = [&b"a"[..], b"b", b"b", b"7"].into_iter().collect();
    assert_eq!(listpack.find_skipping(b"b", 1), listpack.seek(2));
    assert_eq!(listpack.find_skipping(b"7", 1), None);
    assert_eq!(listpack.find(b"7"), listpack.last());
    assert!(Item::of(b"7").is(b"7") && !Item::of(b"7").is(b"07"));
}
