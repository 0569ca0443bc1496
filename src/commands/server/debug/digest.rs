//! DEBUG DIGEST and DIGEST-VALUE: signatures of data that agree with Redis's for the same data.

use sha1::{Digest as _, Sha1};

use crate::base::numbers::format_shortest;
use crate::engine::{Call, CommandResult};
use crate::keyspace::{Cursor, EntryRef, Key, ValueRef};
use crate::structures::ObjectRef;
use crate::structures::hash::{self, Seen};
use crate::structures::list::List;
use crate::structures::set;
use crate::structures::sorted_set::SortedSet;
use crate::structures::stream::{Id, Stream};

/// Entries looked at in one step of a walk.
const STEP: usize = 1000;

/// Numbers of types in Redis's snapshots and digests.
const STRING: u32 = 0;
const LIST: u32 = 1;
const SET: u32 = 2;
const SORTED_SET: u32 = 3;
const STREAM: u32 = 6;
const HASH: u32 = 4;

/// A signature in the making.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Signature([u8; 20]);

impl Signature {
    /// Adds something whose place among the others does not matter.
    fn add(&mut self, bytes: &[u8]) {
        for (byte, hash) in self.0.iter_mut().zip(Sha1::digest(bytes)) {
            *byte ^= hash;
        }
    }

    /// Adds something that comes behind everything added so far.
    fn append(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    /// Adds a value with its type, and whether its key expires.
    fn append_value(&mut self, entry: EntryRef<'_>) {
        match entry.value() {
            ValueRef::Int(number) => self.append_string(number.to_string().as_bytes()),
            ValueRef::Inline(text) => self.append_string(text),
            ValueRef::Object(ObjectRef::Bytes(text)) => self.append_string(text),
            ValueRef::Object(ObjectRef::List(list)) => self.append_list(list),
            ValueRef::Object(ObjectRef::Hash(hash)) => self.append_hash(hash),
            ValueRef::Object(ObjectRef::Set(set)) => self.append_set(set),
            ValueRef::Object(ObjectRef::SortedSet(set)) => self.append_sorted_set(set),
            ValueRef::Object(ObjectRef::Stream(stream)) => self.append_stream(stream),
        }
        if entry.expires_at().is_some() {
            self.add(b"!!expire!!");
        }
    }

    fn append_sorted_set(&mut self, set: &SortedSet) {
        self.append(&SORTED_SET.to_be_bytes());
        for (member, score) in set.iter() {
            let mut pair = Self::default();
            pair.append(member.as_bytes(&mut itoa::Buffer::new()));
            pair.append(&format_shortest(score));
            self.add(&pair.0);
        }
    }

    fn append_set(&mut self, set: set::View<'_>) {
        self.append(&SET.to_be_bytes());
        for member in set.iter() {
            self.add(member.as_bytes(&mut itoa::Buffer::new()));
        }
    }

    fn append_hash(&mut self, hash: hash::View<'_>) {
        self.append(&HASH.to_be_bytes());
        for field in hash.iter(Seen::ALL) {
            let mut pair = Self::default();
            pair.append(field.name.as_bytes(&mut itoa::Buffer::new()));
            pair.append(field.value.as_bytes(&mut itoa::Buffer::new()));
            self.add(&pair.0);
            if field.expires_at.is_some() {
                self.add(b"!!hexpire!!");
            }
        }
    }

    fn append_string(&mut self, text: &[u8]) {
        self.append(&STRING.to_be_bytes());
        self.append(text);
    }

    fn append_stream(&mut self, stream: &Stream) {
        self.append(&STREAM.to_be_bytes());
        let mut buffer = itoa::Buffer::new();
        for entry in stream.log().range(Id::MIN, Id::MAX) {
            self.append(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
            for (field, value) in entry.pairs() {
                self.append(field.as_bytes(&mut buffer));
                self.append(value.as_bytes(&mut buffer));
            }
        }
    }

    fn append_list(&mut self, list: &List) {
        self.append(&LIST.to_be_bytes());
        let mut buffer = itoa::Buffer::new();
        for item in list.iter() {
            self.append(item.as_bytes(&mut buffer));
        }
    }

    fn hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// DIGEST.
pub(super) fn of_everything(call: &mut Call) -> CommandResult {
    let mut all = Signature::default();
    let scope = call.db.scope();
    for database in 0..scope.keyspace().databases() {
        if scope.keyspace().is_empty(database) {
            continue;
        }
        all.append(&(database as u32).to_be_bytes());
        let mut add = |entry: EntryRef<'_>| {
            let mut pair = Signature::default();
            pair.append(entry.key());
            pair.append_value(entry);
            all.add(&pair.0);
        };
        let mut cursor = Some(Cursor::START);
        while let Some(at) = cursor {
            // Keys past their time count for as long as they are there.
            cursor = scope.scan(database, at, STEP, i64::MIN, &mut add);
        }
    }
    call.reply.simple(&all.hex());
    Ok(())
}

/// DIGEST-VALUE.
pub(super) fn of_values(call: &mut Call) -> CommandResult {
    let keys = call.args.from(2);
    call.reply.array(keys.len());
    for key in keys {
        let mut value = Signature::default();
        if let Some(entry) = call.db.peek(Key::new(key)) {
            value.append_value(entry);
        }
        call.reply.simple(&value.hex());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Entry, Value};

    #[test]
    fn signatures_are_those_of_redis() {
        let mut nothing = Signature::default();
        assert_eq!(nothing.hex(), "0".repeat(40));
        nothing.append_value(Entry::new(b"k", Value::Int(1), None, 0).view());
        let text = Entry::new(b"other", Value::Str(b"1"), None, 0);
        let mut same = Signature::default();
        same.append_value(text.view());
        assert_eq!(nothing, same, "the encoding does not matter");
        assert_eq!(same.hex(), VALUE_OF_1);
    }

    /// What redis-server replies to DEBUG DIGEST-VALUE for a string of one digit, 1.
    const VALUE_OF_1: &str = "b4fc66738120fba0b5aa500ab5c2bf89cea1c5da";
}
