//! Copies against models, and what becomes of values that leave while one is made.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use parking_lot::Mutex;
use proptest::prelude::*;

use super::super::{AccessClock, Db, Expiry, Moment, Notes, Value, ValueRef};
use super::*;
use crate::structures::ObjectRef;
use crate::structures::hash::{Hash, Lifetime, Limits};
use crate::structures::list::{End, Limit, List};

type Contents = BTreeMap<(usize, Vec<u8>), (i64, Option<i64>)>;

#[derive(Debug, Clone)]
enum Step {
    Set(usize, usize, i64, Option<i64>),
    Add(usize, usize),
    Remove(usize, usize),
    Expire(usize, usize, Option<i64>),
    Sweep(usize, i64),
    Flush(usize),
    Swap,
    Walk(usize),
}

fn number(entry: EntryRef<'_>) -> i64 {
    match entry.value() {
        ValueRef::Int(number) => number,
        other => panic!("{other:?}"),
    }
}

fn with_db<R>(
    keyspace: &Keyspace,
    database: usize,
    key: Key<'_>,
    work: impl FnOnce(&mut Db<'_, '_>) -> R,
) -> R {
    let _passage = keyspace.gate().pass(0);
    let (mut scope, mut notes) = (keyspace.lock_one(key.shard()), Notes::default());
    let moment = Moment {
        now: 0,
        access: AccessClock::lru(0),
        no_touch: false,
        ignore_expiry: true,
        keeps_expired: false,
    };
    work(&mut Db::new(&mut scope, &mut notes, database, moment))
}

fn contents(keyspace: &Keyspace) -> Contents {
    let mut all = Contents::new();
    for database in 0..keyspace.databases() {
        let mut cursor = Some(super::super::Cursor::START);
        while let Some(at) = cursor {
            cursor = keyspace
                .nothing()
                .scan(database, at, 100, i64::MIN, |entry| {
                    all.insert(
                        (database, entry.key().to_vec()),
                        (number(entry), entry.expires_at()),
                    );
                });
        }
    }
    all
}

/// Names of keys that all lie in the first two shards, whose tables so grow and shrink by segments.
static NAMES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let names = (0u32..).map(|n| n.to_string().into_bytes());
    names
        .filter(|name| Key::new(name).shard() < 2)
        .take(KEYS)
        .collect()
});
const KEYS: usize = 6000;

fn apply(keyspace: &Keyspace, step: &Step) {
    let name = |key: &usize| NAMES[*key].clone();
    match step {
        Step::Set(database, key, value, expires_at) => {
            let key = name(key);
            let expiry = expires_at.map_or(Expiry::Clear, Expiry::At);
            with_db(keyspace, *database, Key::new(&key), |db| {
                db.set(Key::new(&key), Value::Int(*value), expiry)
            });
        }
        Step::Add(database, key) => {
            let key = name(key);
            with_db(keyspace, *database, Key::new(&key), |db| {
                if let Some(super::super::ValueMut::Int(number)) =
                    db.change(Key::new(&key)).map(|entry| entry.value())
                {
                    *number = number.wrapping_add(1);
                }
            });
        }
        Step::Remove(database, key) => {
            let key = name(key);
            with_db(keyspace, *database, Key::new(&key), |db| {
                drop(db.remove(Key::new(&key)))
            });
        }
        Step::Expire(database, key, expires_at) => {
            let key = name(key);
            with_db(keyspace, *database, Key::new(&key), |db| {
                db.set_expiry(Key::new(&key), *expires_at)
            });
        }
        Step::Sweep(database, now) => {
            let _passage = keyspace.gate().pass(0);
            for shard in 0..SHARDS {
                drop(
                    keyspace
                        .lock_one(shard)
                        .take_expired(*database, shard, *now, 100),
                );
            }
        }
        Step::Flush(database) => {
            let alone = keyspace.gate().alone();
            drop(
                keyspace
                    .everything(&alone)
                    .flush(*database..*database + 1, 0),
            );
        }
        Step::Swap => {
            let alone = keyspace.gate().alone();
            keyspace.everything(&alone).swap(0, 1, 0);
        }
        Step::Walk(_) => {}
    }
}

fn step() -> impl Strategy<Value = Step> {
    // Few keys, so that they are changed again and again; times are in the far future, where one deadline serves all.
    let (database, key, at) = (0usize..2, 0..KEYS, prop::option::of(1i64 << 50..1 << 51));
    prop_oneof![
        40 => (database.clone(), key.clone(), any::<i64>(), at.clone()).prop_map(|(d, k, v, at)| Step::Set(d, k, v, at)),
        20 => (database.clone(), key.clone()).prop_map(|(d, k)| Step::Add(d, k)),
        20 => (database.clone(), key.clone()).prop_map(|(d, k)| Step::Remove(d, k)),
        10 => (database.clone(), key, at).prop_map(|(d, k, at)| Step::Expire(d, k, at)),
        1 => (database.clone(), 1i64 << 50..1 << 51).prop_map(|(d, now)| Step::Sweep(d, now)),
        1 => database.prop_map(Step::Flush),
        1 => Just(Step::Swap),
        10 => (1usize..200).prop_map(Step::Walk),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn shows_the_moment_of_the_cut_whatever_happens_after(
        before in prop::collection::vec(step(), 0..6000),
        after in prop::collection::vec(step(), 0..6000),
    ) {
        let keyspace = Keyspace::new(3, 2);
        before.iter().for_each(|step| apply(&keyspace, step));
        let expected = contents(&keyspace);
        let seen = Arc::new(Mutex::new(Contents::new()));
        let keep = {
            let seen = seen.clone();
            Arc::new(move |database: usize, entry: EntryRef<'_>| {
                let known = seen.lock().insert((database, entry.key().to_vec()), (number(entry), entry.expires_at()));
                assert!(known.is_none(), "an entry was shown twice");
            })
        };
        let mut snapshot = {
            let alone = keyspace.gate().alone();
            keyspace.cut(&alone, 1, keep).expect("the only copy")
        };
        let mut is_done = false;
        for step in &after {
            match step {
                Step::Walk(count) => is_done = is_done || snapshot.walk(*count),
                step => apply(&keyspace, step),
            }
        }
        while !is_done {
            is_done = snapshot.walk(50);
        }
        prop_assert_eq!(&*seen.lock(), &expected);
        drop(snapshot);
        let alone = keyspace.gate().alone();
        let next = keyspace.cut(&alone, 1, Arc::new(|_: usize, _: EntryRef<'_>| {}));
        drop(alone);
        prop_assert!(next.is_some());
    }
}

const BIG: usize = 1000;

fn big_hash() -> Hash {
    let (mut hash, packed) = (
        Hash::default(),
        Limits {
            entries: 1,
            value: 1,
        },
    );
    for n in 0..BIG {
        hash.set(n.to_string().as_bytes(), b"v", Lifetime::Endless, &packed);
    }
    hash
}

/// A value that is freed in the background, and is no hash.
fn big_list() -> List {
    let mut list = List::default();
    let text = [b'x'; 4000];
    (0..BIG).for_each(|_| list.push(End::Tail, &text, Limit::of(-2)));
    list
}

/// The length of each hash that is shown.
fn lengths() -> (Arc<Mutex<Vec<usize>>>, Arc<dyn Keep>) {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let seen = shown.clone();
    let keep = move |_: usize, entry: EntryRef<'_>| match entry.value() {
        ValueRef::Object(ObjectRef::Hash(hash)) => {
            seen.lock()
                .push(hash.len(crate::structures::hash::Seen::ALL));
        }
        other => panic!("{other:?}"),
    };
    (shown, Arc::new(keep))
}

fn all_freed(keyspace: &Keyspace, objects: u64) {
    let reclaimer = keyspace.reclaimer();
    while reclaimer.freed() < objects || reclaimer.pending() > 0 {
        std::thread::yield_now();
    }
    assert_eq!((reclaimer.freed(), reclaimer.pending_bytes()), (objects, 0));
}

#[test]
fn what_leaves_the_keyspace_is_shown_without_locks_and_then_freed() {
    let ways: [fn(&mut Db<'_, '_>, Key<'_>); 6] = [
        |db, key| drop(db.remove(key)),
        |db, key| assert!(!db.set(key, Value::Int(1), Expiry::Clear)),
        |db, key| assert!(!db.set(key, Value::Str(b"text"), Expiry::Keep)),
        |db, key| assert!(!db.store(key, big_list())),
        |db, key| {
            let other = Entry::new(key.bytes, Value::Int(2), Some(i64::MAX), 0);
            drop(db.put(key, other.into()));
        },
        |db, key| {
            let promised = db.evict(key).expect("it is there");
            assert!(promised > BIG as u64);
            assert_eq!(db.scope().keyspace().reclaimer().pending_bytes(), promised);
        },
    ];
    for leaves in ways {
        let (keyspace, key) = (Keyspace::new(1, 2), Key::new(b"key"));
        with_db(&keyspace, 0, key, |db| db.store(key, big_hash()));
        let (shown, keep) = lengths();
        let alone = keyspace.gate().alone();
        let mut snapshot = keyspace.cut(&alone, 1, keep).expect("the only copy");
        drop(alone);
        with_db(&keyspace, 0, key, |db| leaves(db, key));
        assert!(shown.lock().is_empty(), "whoever removes it need not wait");
        let locked = keyspace.lock_one(key.shard());
        assert!(!snapshot.walk(1));
        assert_eq!(*shown.lock(), [BIG]);
        drop(locked);
        all_freed(&keyspace, 1);
        while !snapshot.walk(1000) {}
        assert_eq!(*shown.lock(), [BIG], "shown once");
    }
}

#[test]
fn what_expires_or_is_flushed_is_shown_and_then_freed() {
    let soon = crate::base::clock::unix_ms() + 1000;
    for is_flushed in [false, true] {
        let (keyspace, key) = (Keyspace::new(1, 2), Key::new(b"key"));
        with_db(&keyspace, 0, key, |db| {
            db.store(key, big_hash());
            db.set_expiry(key, Some(1));
        });
        let (shown, keep) = lengths();
        let alone = keyspace.gate().alone();
        let mut snapshot = keyspace.cut(&alone, 1, keep).expect("the only copy");
        let dropped = is_flushed.then(|| keyspace.everything(&alone).flush(0..1, 0));
        drop((dropped, alone));
        let expired = (keyspace.lock_one(key.shard())).take_expired(0, key.shard(), soon, 9);
        assert_eq!(expired.entries.len(), usize::from(!is_flushed));
        assert!(
            expired
                .entries
                .iter()
                .all(|entry| entry.view().key() == key.bytes)
        );
        assert!(shown.lock().is_empty());
        while !snapshot.walk(1000) {}
        assert_eq!(*shown.lock(), [BIG]);
        all_freed(&keyspace, u64::from(!is_flushed));
    }
}

#[test]
fn a_copy_that_is_given_up_frees_what_it_was_given() {
    let (keyspace, key) = (Keyspace::new(1, 2), Key::new(b"key"));
    with_db(&keyspace, 0, key, |db| db.store(key, big_hash()));
    let (shown, keep) = lengths();
    let alone = keyspace.gate().alone();
    let snapshot = keyspace.cut(&alone, 1, keep).expect("the only copy");
    drop(alone);
    with_db(&keyspace, 0, key, |db| assert!(db.evict(key).is_some()));
    drop(snapshot);
    all_freed(&keyspace, 1);
    assert!(shown.lock().is_empty());
}

/// Begins with whatever it is shown.
struct Slicing(Arc<Keyspace>);

impl Keep for Slicing {
    fn keep(&self, _: usize, _: EntryRef<'_>) -> usize {
        1
    }

    fn begin(&self, _: usize, _: EntryRef<'_>) -> Option<Box<dyn Slices>> {
        Some(Box::new(Slicing(self.0.clone())))
    }
}

impl Slices for Slicing {
    fn go_on(&mut self, _: &mut Object, _: usize) -> bool {
        true
    }

    fn preserve(&mut self, _: &mut Object) {}

    fn end(self: Box<Self>) {}
}

impl Drop for Slicing {
    fn drop(&mut self) {
        // For ever, if this thread held anything.
        drop(self.0.gate().alone());
    }
}

#[test]
fn what_was_kept_of_a_value_is_freed_when_nothing_is_locked() {
    for is_given_up in [false, true] {
        let (keyspace, key) = (Arc::new(Keyspace::new(1, 2)), Key::new(b"key"));
        with_db(&keyspace, 0, key, |db| db.store(key, big_hash()));
        let keep = Arc::new(Slicing(keyspace.clone()));
        let alone = keyspace.gate().alone();
        let mut snapshot = keyspace.cut(&alone, 1, keep).expect("the only copy");
        drop(alone);
        while !snapshot.walk(SHARDS) && !is_given_up {}
        drop(snapshot);
    }
}
