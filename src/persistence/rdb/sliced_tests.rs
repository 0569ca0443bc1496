//! Big values that change while a base is made: it has them as they were, be it a snapshot or commands.

use std::ops::Range;
use std::sync::Arc;

use proptest::prelude::*;

use super::samples::{
    NOW, contents, hash, keyspace, list, loaded, options, preamble, put_object, read_stream, set,
    sorted_set, written, written_meanwhile,
};
use crate::base::clock::unix_ms;
use crate::keyspace::{AccessClock, Db, Expiry, Key, Keyspace, Moment, Notes, Snapshot, Value};
use crate::persistence::base::{Base, Shown};
use crate::structures::hash::{Hash, Lifetime};
use crate::structures::list::{End, Limit, List};
use crate::structures::set::Set;
use crate::structures::sorted_set::SortedSet;
use crate::structures::stream::{Id, NodeLimits, Stream};
use crate::structures::{hash as hashes, set as sets, sorted_set as sorted_sets};

const NAMES: [&str; 5] = ["hash", "set", "sorted", "list", "stream"];
const MEMBERS: usize = 3000;
/// Milliseconds.
const DAY: i64 = 86_400_000;

#[derive(Debug, Clone)]
enum Step {
    /// Members from one on, so many, are given this value.
    Add(usize, usize, usize, u16),
    Remove(usize, usize, usize),
    Expire(usize, i64),
    /// Fields are given a time to go.
    ExpireFields(usize, i64),
    /// The time of a field is taken away, and those that have passed by then are taken out.
    LoseFields(usize, i64),
    Delete(usize),
    Evict(usize),
    /// Something else is stored under the key.
    Replace(usize, bool),
    /// To another name and back, so that more becomes of it.
    Rename(usize),
    /// One takes the place of another.
    Displace(usize, usize),
    /// Keys whose time has come are taken out.
    Sweep,
    Flush,
    Walk(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (value, member) = (0..NAMES.len(), 0..MEMBERS + 500);
    let count = prop_oneof![6 => 1usize..4, 2 => 1usize..400, 1 => 1usize..3500];
    prop_oneof![
        8 => (value.clone(), member.clone(), count.clone(), any::<u16>()).prop_map(|(v, m, c, n)| Step::Add(v, m, c, n)),
        8 => (value.clone(), member.clone(), count).prop_map(|(v, m, c)| Step::Remove(v, m, c)),
        1 => (value.clone(), NOW + 1..NOW + 1000).prop_map(|(v, at)| Step::Expire(v, at)),
        1 => (member.clone(), NOW + 1..NOW + 1000).prop_map(|(m, at)| Step::ExpireFields(m, at)),
        1 => (member.clone(), 0..100_000i64).prop_map(|(m, after)| Step::ExpireFields(m, unix_ms() + DAY + after)),
        1 => (member, NOW + 1..NOW + 5000).prop_map(|(m, at)| Step::LoseFields(m, at)),
        1 => value.clone().prop_map(Step::Delete),
        1 => value.clone().prop_map(Step::Evict),
        1 => (value.clone(), any::<bool>()).prop_map(|(v, is_text)| Step::Replace(v, is_text)),
        1 => value.clone().prop_map(Step::Rename),
        1 => (value.clone(), value).prop_map(|(from, to)| Step::Displace(from, to)),
        1 => Just(Step::Sweep),
        1 => prop::bool::weighted(0.2).prop_map(|flushes| if flushes { Step::Flush } else { Step::Walk(1) }),
        12 => (1usize..3).prop_map(Step::Walk),
    ]
}

fn with_db<R>(keyspace: &Keyspace, keys: &[Key<'_>], work: impl FnOnce(&mut Db<'_, '_>) -> R) -> R {
    let _passage = keyspace.gate().pass(0);
    let hashes = keys.iter().map(|key| key.hash);
    let (mut scope, mut notes) = (keyspace.lock_some(hashes), Notes::default());
    let moment = Moment {
        now: NOW,
        access: AccessClock::lru(NOW),
        no_touch: true,
        ignore_expiry: true,
        keeps_expired: true,
    };
    work(&mut Db::new(&mut scope, &mut notes, 0, moment))
}

const HASH: hashes::Limits = hashes::Limits {
    entries: 128,
    value: 64,
};
const SET: sets::Limits = sets::Limits {
    intset_entries: 512,
    listpack_entries: 128,
    listpack_value: 64,
};
const SORTED: sorted_sets::Limits = sorted_sets::Limits {
    entries: 128,
    value: 64,
};

fn name(member: usize) -> Vec<u8> {
    format!("text {member}").into_bytes()
}

/// Changes a value where it is; one that has become empty goes.
fn change(db: &mut Db<'_, '_>, value: usize, key: Key<'_>, members: Range<usize>, to: Option<u16>) {
    let is_empty = match value {
        0 => {
            let Ok(Some(mut hash)) = db.change_as::<Hash>(key) else {
                return;
            };
            for member in members {
                match to {
                    Some(to) => drop(hash.set(
                        &name(member),
                        to.to_string().as_bytes(),
                        Lifetime::Keep,
                        &HASH,
                    )),
                    None => drop(hash.remove(&name(member))),
                }
            }
            hash.is_empty()
        }
        1 => {
            let Ok(Some(mut set)) = db.change_as::<Set>(key) else {
                return;
            };
            for member in members {
                match to {
                    Some(_) => set.add(&name(member), &SET),
                    None => set.remove(&name(member)),
                };
            }
            set.settle(&SET);
            set.is_empty()
        }
        2 => {
            let Ok(Some(set)) = db.change_as::<SortedSet>(key) else {
                return;
            };
            change_sorted_set(set, members, to);
            set.is_empty()
        }
        3 => change_list(db, key, members, to),
        _ => change_stream(db, key, members, to),
    };
    if is_empty {
        drop(db.remove(key));
    }
}

/// Gives members a score; or takes them out, or some that stand together where they are many.
fn change_sorted_set(set: &mut SortedSet, members: Range<usize>, to: Option<u16>) {
    if to.is_none() && members.len() > 100 {
        let start = members.start.min(set.len());
        return set.remove_ranks(start..(start + members.len()).min(set.len()));
    }
    for member in members {
        match to {
            Some(to) => drop(set.set(&name(member), f64::from(to), SORTED)),
            None => drop(set.remove(&name(member))),
        }
    }
}

/// Changes a list, at both ends and in between; says whether it has become empty.
fn change_list(
    db: &mut Db<'_, '_>,
    key: Key<'_>,
    mut members: Range<usize>,
    to: Option<u16>,
) -> bool {
    let Ok(Some(list)) = db.change_as::<List>(key) else {
        return false;
    };
    let depth = u32::from(to.unwrap_or(0)) % 3;
    let limit = Limit::of(-1).compressing(depth);
    match to {
        Some(to) => members.all(|member| {
            let text = to.to_string();
            list.push(End::Head, &name(member), limit);
            list.insert(member % list.len(), text.as_bytes(), limit);
            list.set(member % list.len(), text.as_bytes(), limit)
        }),
        None => members.all(|member| {
            match member % 3 {
                0 => list.pop(End::Tail),
                1 => list.pop(End::Head),
                _ => list.remove_range(member % list.len(), 2),
            }
            !list.is_empty()
        }),
    };
    list.shrink(limit);
    list.is_empty()
}

/// Adds entries to a stream, or deletes some and acknowledges them. It stays when it has become empty.
fn change_stream(
    db: &mut Db<'_, '_>,
    key: Key<'_>,
    members: Range<usize>,
    to: Option<u16>,
) -> bool {
    let Ok(Some(stream)) = db.change_as::<Stream>(key) else {
        return false;
    };
    let limits = NodeLimits {
        bytes: 4096,
        entries: 100,
    };
    for member in members {
        let (last, text) = (stream.log().counters().last_id, name(member));
        if let Some(to) = to {
            let pairs = [(&b"field"[..], &text[..])].into_iter();
            let id = Id::new(last.ms + 1 + u64::from(to), 0);
            stream.log_mut().append(id, pairs, limits);
        } else {
            let id = Id::new(1000 + member as u64, member as u64);
            stream.log_mut().delete(id);
            stream.forget(id);
        }
    }
    false
}

fn apply(keyspace: &Keyspace, step: &Step) {
    match *step {
        Step::Add(value, first, count, to) => {
            let key = Key::new(NAMES[value].as_bytes());
            with_db(keyspace, &[key], |db| {
                change(db, value, key, first..first + count, Some(to))
            });
        }
        Step::Remove(value, first, count) => {
            let key = Key::new(NAMES[value].as_bytes());
            with_db(keyspace, &[key], |db| {
                change(db, value, key, first..first + count, None)
            });
        }
        Step::Expire(value, at) => {
            let key = Key::new(NAMES[value].as_bytes());
            with_db(keyspace, &[key], |db| db.set_expiry(key, Some(at)));
        }
        Step::ExpireFields(first, at) => with_hash(keyspace, |hash| {
            for member in first..first + 20 {
                hash.set(&name(member), b"brief", Lifetime::Until(at), &HASH);
            }
            hash.take_due(at.min(NOW + 1000) + 1, 10);
        }),
        Step::LoseFields(member, at) => with_hash(keyspace, |hash| {
            hash.set_expiry(&name(member), None);
            hash.take_due(at, 400);
        }),
        Step::Delete(value) => {
            let key = Key::new(NAMES[value].as_bytes());
            with_db(keyspace, &[key], |db| drop(db.remove(key)));
        }
        Step::Evict(value) => {
            let key = Key::new(NAMES[value].as_bytes());
            with_db(keyspace, &[key], |db| db.evict(key));
        }
        Step::Replace(value, is_text) => {
            let key = Key::new(NAMES[value].as_bytes());
            with_db(keyspace, &[key], |db| match is_text {
                true => db.set(key, Value::Str(b"text"), Expiry::Keep),
                false => {
                    let list = Box::new(list(&[name(value)]));
                    db.set(key, Value::Object(list), Expiry::Clear)
                }
            });
        }
        Step::Rename(value) => {
            let [from, to] = [NAMES[value], "elsewhere"].map(|name| Key::new(name.as_bytes()));
            rename(keyspace, from, to);
            rename(keyspace, to, from);
        }
        Step::Displace(from, to) => {
            let [from, to] = [from, to].map(|value| Key::new(NAMES[value].as_bytes()));
            rename(keyspace, from, to);
        }
        Step::Sweep => {
            let now = unix_ms() + 1000;
            let _passage = keyspace.gate().pass(0);
            for name in NAMES {
                let shard = Key::new(name.as_bytes()).shard();
                drop(keyspace.lock_one(shard).take_expired(0, shard, now, 10));
            }
        }
        Step::Flush => {
            let alone = keyspace.gate().alone();
            drop(keyspace.everything(&alone).flush(0..1, NOW));
        }
        Step::Walk(_) => {}
    }
}

/// Changes the hash, if it is there; one that has become empty goes.
fn with_hash(keyspace: &Keyspace, change: impl FnOnce(&mut Hash)) {
    let key = Key::new(NAMES[0].as_bytes());
    with_db(keyspace, &[key], |db| {
        let Ok(Some(mut hash)) = db.change_as::<Hash>(key) else {
            return;
        };
        change(&mut hash);
        let is_empty = hash.is_empty();
        drop(hash);
        if is_empty {
            drop(db.remove(key));
        }
    });
}

fn rename(keyspace: &Keyspace, from: Key<'_>, to: Key<'_>) {
    with_db(keyspace, &[from, to], |db| {
        if let Some(entry) = db.take(from) {
            drop(db.put(to, entry));
        }
    });
}

/// Whether some value keeps what it was.
fn is_anything_owing(keyspace: &Keyspace) -> bool {
    NAMES.iter().any(|name| {
        let key = Key::new(name.as_bytes());
        with_db(keyspace, &[key], |db| {
            matches!(db.change_as::<Hash>(key), Ok(Some(hash)) if hash.is_owing())
                || matches!(db.change_as::<Set>(key), Ok(Some(set)) if set.is_owing())
                || matches!(db.change_as::<SortedSet>(key), Ok(Some(set)) if set.is_owing())
        })
    })
}

fn filled(expires: bool) -> Keyspace {
    let (keyspace, texts) = (keyspace(), (0..MEMBERS).map(name).collect::<Vec<_>>());
    put_object(&keyspace, "hash", hash(&texts, expires));
    put_object(&keyspace, "set", set(&texts));
    put_object(&keyspace, "sorted", sorted_set(&texts));
    put_object(&keyspace, "list", list(&texts));
    put_object(&keyspace, "stream", read_stream(MEMBERS));
    keyspace
}

/// Walks and changes in turns.
fn walk_and_change(keyspace: &Keyspace, snapshot: &mut Snapshot<'_>, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Walk(count) if (0..*count).any(|_| snapshot.walk(1)) => return,
            step => apply(keyspace, step),
        }
    }
}

/// Key, command, the place among the key's elements where these have an order, the element.
type Made = (Vec<u8>, Vec<u8>, usize, Vec<Vec<u8>>);

/// What commands make, element by element.
fn made(mut commands: &[u8]) -> Vec<Made> {
    let (mut all, mut place) = (Vec::new(), 0);
    while !commands.is_empty() {
        let words = next_command(&mut commands);
        let (name, key) = (words[0].clone(), words.get(1).cloned().unwrap_or_default());
        let (width, has_order) = match &*name {
            b"HSET" => (2, false),
            b"SADD" => (1, false),
            b"HPEXPIREAT" => (4, false),
            b"ZADD" => (2, true),
            b"RPUSH" => (1, true),
            _ => (words.len(), true),
        };
        for element in words.get(2..).unwrap_or_default().chunks(width) {
            place += 1;
            let place = if has_order { place } else { 0 };
            all.push((key.clone(), name.clone(), place, element.to_vec()));
        }
    }
    all.sort();
    // Keys come in any order, so places count within theirs.
    for of_key in all.chunk_by_mut(|one, next| (&one.0, &one.1) == (&next.0, &next.1)) {
        let first = of_key[0].2;
        of_key.iter_mut().for_each(|row| row.2 -= first);
    }
    all
}

/// Takes a command off the beginning.
fn next_command(commands: &mut &[u8]) -> Vec<Vec<u8>> {
    let count = number(commands);
    let mut word = || {
        let len = number(commands);
        let word = commands[..len].to_vec();
        *commands = &commands[len + 2..];
        word
    };
    (0..count).map(|_| word()).collect()
}

/// Takes the line of a number off the beginning.
fn number(commands: &mut &[u8]) -> usize {
    let end = commands.iter().position(|byte| *byte == b'\r');
    let (line, rest) = commands.split_at(end.expect("a line"));
    *commands = &rest[2..];
    let digits = std::str::from_utf8(&line[1..]).expect("text");
    digits.parse().expect("a number")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_snapshot_has_big_values_as_they_were(
        expires in any::<bool>(),
        before in prop::collection::vec(step(), 0..12),
        after in prop::collection::vec(step(), 1..60),
    ) {
        let keyspace = filled(expires);
        before.iter().for_each(|step| apply(&keyspace, step));
        // Lists may lie differently in nodes after they have been loaded: what is compared has been loaded twice.
        let (model, _, _) = loaded(&written(&keyspace, preamble(false), true), options());
        let expected = contents(&model);
        let bytes = written_meanwhile(&keyspace, Base::rdb(preamble(false), true), |snapshot| {
            walk_and_change(&keyspace, snapshot, &after);
        });
        let (copy, result, _) = loaded(&bytes, options());
        prop_assert!(result.is_ok());
        prop_assert!(contents(&copy) == expected);
        // Nothing is kept any longer: values that lie where they were do not grow by being changed.
        prop_assert!(!is_anything_owing(&keyspace));
    }

    #[test]
    fn commands_make_big_values_as_they_were(
        expires in any::<bool>(),
        before in prop::collection::vec(step(), 0..12),
        after in prop::collection::vec(step(), 1..60),
    ) {
        let keyspace = filled(expires);
        before.iter().for_each(|step| apply(&keyspace, step));
        let expected = made(&written_meanwhile(&keyspace, Base::commands(), |_| {}));
        let bytes = written_meanwhile(&keyspace, Base::commands(), |snapshot| {
            walk_and_change(&keyspace, snapshot, &after);
        });
        prop_assert!(made(&bytes) == expected);
        prop_assert!(!is_anything_owing(&keyspace));
    }

    #[test]
    fn a_snapshot_that_is_given_up_leaves_nothing_behind(steps in prop::collection::vec(step(), 1..30)) {
        let keyspace = filled(true);
        let base = Arc::new(Base::rdb(preamble(false), true));
        let alone = keyspace.gate().alone();
        let shown = Arc::new(Shown(base));
        let mut snapshot = keyspace.cut(&alone, 1, shown).expect("the only copy");
        drop(alone);
        for step in &steps {
            match step {
                Step::Walk(count) => drop((0..*count).any(|_| snapshot.walk(1))),
                step => apply(&keyspace, step),
            }
        }
        drop(snapshot);
        prop_assert!(!is_anything_owing(&keyspace));
    }
}
