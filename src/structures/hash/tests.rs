//! Hashes against a model, and the encodings that they go through.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    entries: 10,
    value: 8,
};

fn text(item: Item<'_>) -> Vec<u8> {
    item.as_bytes(&mut itoa::Buffer::new()).to_vec()
}

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn contents(hash: &Hash, seen: Seen) -> Model {
    let fields = hash.iter(seen);
    let pairs = fields.map(|field| (text(field.name), (text(field.value), field.expires_at)));
    let contents: Model = pairs.collect();
    assert_eq!(contents.len(), hash.len(seen));
    contents
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0i64..16).prop_map(|n| n.to_string().into_bytes()),
        1 => "[a-d]{0,10}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn behaves_as_a_map(steps in prop::collection::vec((name(), "[0-9a-c]{0,9}", 0u8..12, 0i64..4000), 0..300)) {
        let (mut hash, mut model) = (Hash::default(), Model::new());
        let mut now = crate::base::clock::unix_ms();
        for (name, value, action, span) in steps {
            let value = value.into_bytes();
            let known = model.get(&name).cloned();
            prop_assert_eq!(hash.get(&name, Seen::ALL).map(text), known.clone().map(|(value, _)| value));
            prop_assert_eq!(hash.expiry(&name, Seen::ALL), known.clone().map(|(_, at)| at));
            match action {
                0..2 => prop_assert_eq!(hash.remove(&name), model.remove(&name).is_some()),
                2..8 => {
                    let lifetime = [Lifetime::Endless, Lifetime::Keep, Lifetime::Until(now + span)][usize::from(action % 3)];
                    prop_assert_eq!(hash.set(&name, &value, lifetime, &LIMITS), known.is_none());
                    let expires_at = match lifetime {
                        Lifetime::Keep => known.and_then(|(_, at)| at),
                        Lifetime::Endless => None,
                        Lifetime::Until(at) => Some(at),
                    };
                    model.insert(name, (value, expires_at));
                }
                8..10 => {
                    let expires_at = (action == 8).then_some(now + span);
                    hash.set_expiry(&name, expires_at);
                    if let Some((_, at)) = model.get_mut(&name) {
                        *at = expires_at;
                    }
                }
                _ => {
                    now += span / 4;
                    let visible: Model = model.clone().into_iter().filter(|(_, (_, at))| at.is_none_or(|at| at >= now)).collect();
                    prop_assert_eq!(contents(&hash, Seen::at(now)), visible.clone());
                    prop_assert_eq!(hash.view().random(Seen::at(now)).is_some(), !visible.is_empty());
                    let expected: BTreeSet<Vec<u8>> = model.keys().filter(|name| !visible.contains_key(*name)).cloned().collect();
                    let taken: BTreeSet<Vec<u8>> = hash.take_due(now, usize::MAX).into_iter().map(Vec::from).collect();
                    prop_assert_eq!(taken, expected);
                    model = visible;
                }
            }
            let earliest = model.values().filter_map(|(_, at)| *at).min();
            prop_assert!(hash.view().next_deadline().unwrap_or(u32::MAX) <= earliest.map_or(u32::MAX, Deadlines::of));
            prop_assert_eq!(hash.view().has_expiring(), earliest.is_some());
        }
        prop_assert_eq!(contents(&hash, Seen::ALL), model.clone());
        prop_assert_eq!(contents(&hash.clone(), Seen::ALL), model.clone());
        let (mut cursor, mut scanned) = (Some(0), BTreeSet::new());
        while let Some(at) = cursor {
            cursor = hash.view().scan(at, Seen::ALL, |field| assert!(scanned.insert(text(field.name))));
        }
        prop_assert_eq!(scanned, model.keys().cloned().collect::<BTreeSet<_>>());
    }
}

#[test]
fn encodings_change_as_in_redis() {
    let mut hash = Hash::default();
    for n in 0..10 {
        hash.set(n.to_string().as_bytes(), b"x", Lifetime::Endless, &LIMITS);
    }
    assert_eq!(hash.view().encoding(), "listpack");
    hash.set_expiry(b"3", Some(5000));
    assert_eq!(hash.view().encoding(), "listpackex");
    let names = |hash: &Hash| hash.iter(Seen::ALL).map(|field| text(field.name)).next();
    assert_eq!(
        names(&hash),
        Some(b"3".to_vec()),
        "what goes first stands first"
    );
    hash.set(b"10", b"x", Lifetime::Endless, &LIMITS);
    assert_eq!(hash.view().encoding(), "hashtable");
    assert_eq!(hash.expiry(b"3", Seen::ALL), Some(Some(5000)));
    let mut hash = Hash::default();
    hash.set(b"a", b"123456789", Lifetime::Endless, &LIMITS);
    assert_eq!(hash.view().encoding(), "hashtable");
}

#[test]
fn memory_is_tight() {
    let mut hash = Hash::default();
    for n in 0..100_000 {
        let (name, value) = (format!("field:{n:010}"), format!("value:{n:010}"));
        hash.set(
            name.as_bytes(),
            value.as_bytes(),
            Lifetime::Endless,
            &LIMITS,
        );
    }
    assert!(hash.allocated() <= 56 * hash.len(Seen::ALL));
}
