//! What tests of whole files have in common: keyspaces with values of all types, their files, and what is loaded from these.

use std::sync::Arc;

use super::*;
use crate::config::Config;
use crate::keyspace::{
    AccessClock, Cursor, Db, Expiry, Key, Keyspace, Moment, Notes, Snapshot, Value, ValueRef,
};
use crate::persistence::RealDisk;
use crate::persistence::base::{Base, Shown, write_base};
use crate::structures::hash::{Hash, Lifetime};
use crate::structures::list::{End, Limit, List};
use crate::structures::set::Set;
use crate::structures::sorted_set::SortedSet;
use crate::structures::stream::{Group, Id, Pending, Stream};
use crate::structures::{Object, ObjectRef, Structure};

pub(super) const NOW: i64 = 1_700_000_000_000;

pub(super) fn keyspace() -> Keyspace {
    Keyspace::new(4, 3)
}

pub(super) fn options() -> Options {
    Options {
        limits: Limits::of(&Config::default()),
        access: AccessClock::lru(NOW),
        now: NOW,
        sums: true,
        drops_expired: true,
        replaces: false,
        delay: 0,
        workers: 2,
    }
}

/// Notes what it hears.
#[derive(Default)]
pub(super) struct Notebook {
    pub(super) fields: Vec<(String, String)>,
    pub(super) functions: Vec<Vec<u8>>,
    pub(super) modules: Vec<String>,
    pub(super) bytes: u64,
}

impl Listener for Notebook {
    fn field(&mut self, name: &[u8], text: &[u8]) {
        let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
        self.fields.push((shown(name), shown(text)));
    }

    fn function(&mut self, code: &[u8]) -> Result<(), String> {
        self.functions.push(code.to_vec());
        Ok(())
    }

    fn module_data(&mut self, module: ModuleName) {
        self.modules.push(module.to_string());
    }

    fn progress(&mut self, bytes: u64) -> bool {
        self.bytes += bytes;
        true
    }
}

pub(super) fn put(
    keyspace: &Keyspace,
    database: usize,
    key: &[u8],
    value: Value<'_>,
    expiry: Expiry,
) {
    let key = Key::new(key);
    let _passage = keyspace.gate().pass(0);
    let (mut scope, mut notes) = (keyspace.lock_one(key.shard()), Notes::default());
    let moment = Moment {
        now: NOW,
        access: AccessClock::lru(NOW),
        no_touch: true,
        ignore_expiry: true,
        keeps_expired: true,
    };
    Db::new(&mut scope, &mut notes, database, moment).set(key, value, expiry);
}

pub(super) fn put_object(keyspace: &Keyspace, key: &str, object: Object) {
    let value = Value::Object(Box::new(object));
    put(keyspace, 0, key.as_bytes(), value, Expiry::Clear);
}

/// Database, key, value as it would be dumped, expiry.
pub(super) type Row = (usize, Vec<u8>, Vec<u8>, Option<i64>);

/// Everything in a keyspace.
pub(super) fn contents(keyspace: &Keyspace) -> Vec<Row> {
    let mut all = Vec::new();
    for database in 0..keyspace.databases() {
        let mut cursor = Some(Cursor::START);
        while let Some(at) = cursor {
            let mut scope = keyspace.nothing();
            cursor = scope.scan(database, at, 100, i64::MIN, |entry| {
                let value = sorted_dump(entry.value());
                all.push((database, entry.key().to_vec(), value, entry.expires_at()));
            });
        }
    }
    all.sort();
    all
}

/// A value's bytes; those of types without order are sorted, since tables have orders of their own.
pub(super) fn sorted_dump(value: ValueRef<'_>) -> Vec<u8> {
    let mut bytes = dump(value, false);
    if let ValueRef::Object(ObjectRef::Hash(_) | ObjectRef::Set(_)) = value {
        bytes.truncate(bytes.len() - FOOTER);
        bytes.sort_unstable();
    }
    bytes
}

/// One of each type and encoding.
pub(super) fn filled() -> Keyspace {
    let keyspace = keyspace();
    put(
        &keyspace,
        0,
        b"text",
        Value::Str(b"some text"),
        Expiry::Clear,
    );
    put(&keyspace, 0, b"17", Value::Int(-5), Expiry::At(NOW + 1000));
    put(&keyspace, 0, b"late", Value::Int(1), Expiry::At(NOW - 1));
    put(
        &keyspace,
        3,
        b"text",
        Value::Str(&[b'x'; 3_000]),
        Expiry::Clear,
    );
    let random: Vec<u8> = (0..50_000u32)
        .map(|n| (n.wrapping_mul(n) >> 7) as u8)
        .collect();
    put(&keyspace, 0, b"long", Value::Str(&random), Expiry::Clear);
    put(
        &keyspace,
        0,
        b"dull",
        Value::Str(&[b'y'; 70_000]),
        Expiry::Clear,
    );
    for len in [1usize, 3, 100, 600] {
        let words: Vec<Vec<u8>> = (0..len).map(|n| format!("word {n}").into_bytes()).collect();
        let numbers: Vec<Vec<u8>> = (0..len).map(|n| (n * n).to_string().into_bytes()).collect();
        for (name, texts) in [("words", words), ("numbers", numbers)] {
            put_object(&keyspace, &format!("list {len} {name}"), list(&texts));
            put_object(&keyspace, &format!("set {len} {name}"), set(&texts));
            put_object(
                &keyspace,
                &format!("sorted {len} {name}"),
                sorted_set(&texts),
            );
            put_object(
                &keyspace,
                &format!("hash {len} {name}"),
                hash(&texts, false),
            );
        }
        put_object(&keyspace, &format!("stream {len}"), stream(len));
        put_object(&keyspace, &format!("read stream {len}"), read_stream(len));
    }
    keyspace
}

pub(super) fn list(texts: &[Vec<u8>]) -> Object {
    let (mut list, limit) = (List::default(), Limit::of(-2));
    for text in texts {
        list.grow(limit, text.len(), 1);
        list.push(End::Tail, text, limit);
    }
    list.into_object()
}

pub(super) fn set(texts: &[Vec<u8>]) -> Object {
    let limits = crate::structures::set::Limits {
        intset_entries: 512,
        listpack_entries: 128,
        listpack_value: 64,
    };
    let mut set = Set::default();
    texts.iter().for_each(|text| {
        set.add(text, &limits);
    });
    set.into_object()
}

pub(super) fn sorted_set(texts: &[Vec<u8>]) -> Object {
    let limits = crate::structures::sorted_set::Limits {
        entries: 128,
        value: 64,
    };
    let mut set = SortedSet::default();
    for (n, text) in texts.iter().enumerate() {
        set.set(text, n as f64 / 3.0, limits);
    }
    set.into_object()
}

pub(super) fn hash(texts: &[Vec<u8>], expires: bool) -> Object {
    let limits = crate::structures::hash::Limits {
        entries: 128,
        value: 64,
    };
    let mut hash = Hash::default();
    for (n, text) in texts.iter().enumerate() {
        let lifetime = match expires && n % 2 == 0 {
            true => Lifetime::Until(NOW + 1000 + n as i64),
            false => Lifetime::Endless,
        };
        hash.set(text, b"value", lifetime, &limits);
    }
    hash.into_object()
}

pub(super) fn stream(len: usize) -> Object {
    let mut stream = Stream::default();
    for n in 0..len as u64 {
        let number = n.to_string();
        let pairs = [(&b"field"[..], number.as_bytes()), (b"other", b"text")];
        let limits = crate::structures::stream::NodeLimits {
            bytes: 4096,
            entries: 100,
        };
        stream
            .log_mut()
            .append(Id::new(1000 + n, n), pairs.into_iter(), limits);
    }
    stream.into_object()
}

/// A stream that two consumers read, each with entries that it has not acknowledged.
pub(super) fn read_stream(len: usize) -> Object {
    let Object::Stream(mut stream) = stream(len) else {
        unreachable!("it was made as one");
    };
    let mut group = Group::new(Id::new(1000 + len as u64, 0), Some(len as u64));
    for (n, name) in [(0, b"one"), (1, b"two"), (2, b"one")] {
        let (consumer, _) = group.find_or_make(name, NOW);
        let pending = Pending {
            delivered_at: NOW,
            deliveries: 1,
            consumer,
        };
        group.assign(Id::new(1000 + n, n), pending);
    }
    stream.groups_mut().insert((*b"group").into(), group);
    Object::Stream(stream)
}

pub(super) fn preamble(packs: bool) -> Preamble {
    Preamble {
        packs,
        fields: vec![("redis-ver", "7.4.0".to_owned())],
        sizes: vec![(5, 1), (0, 0), (0, 0), (1, 0)],
        access: None,
    }
}

/// The file of a keyspace.
pub(super) fn written(keyspace: &Keyspace, preamble: Preamble, sums: bool) -> Vec<u8> {
    let base = Base::rdb(preamble, sums);
    base.library(b"#!lua name=lib");
    written_meanwhile(keyspace, base, |_| {})
}

/// The base of a keyspace, with something done while it is walked.
pub(super) fn written_meanwhile(
    keyspace: &Keyspace,
    base: Base,
    meanwhile: impl FnOnce(&mut Snapshot<'_>),
) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("base");
    let base = Arc::new(base);
    let keep = Arc::new(Shown(base.clone()));
    let alone = keyspace.gate().alone();
    let mut snapshot = keyspace.cut(&alone, 1, keep).expect("the only copy");
    drop(alone);
    meanwhile(&mut snapshot);
    let size = write_base(&RealDisk, &path, snapshot, &base, &|_| true).expect("written");
    let bytes = std::fs::read(&path).expect("a file");
    assert_eq!(size, bytes.len() as u64);
    bytes
}

pub(super) fn loaded(
    bytes: &[u8],
    options: Options,
) -> (Keyspace, Result<Loaded, Fault>, Notebook) {
    let (keyspace, mut notes) = (keyspace(), Notebook::default());
    let result = load(bytes, &keyspace, options, &mut notes);
    (keyspace, result, notes)
}
