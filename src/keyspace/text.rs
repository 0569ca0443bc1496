//! Strings changed in place: whatever holds them, a handler sees bytes.

use bytes::Bytes;

use super::db::{Db, Expiry};
use super::entry::{Entry, EntryMut, MAX_INLINE, Value, ValueMut, ValueRef};
use super::lock::Key;
use super::table::Place;
use crate::structures::{Object, text};

/// What a string was before it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// There was no such key.
    Missing,
    /// It was a string of so many bytes.
    String(usize),
    /// It is of another type, and was left alone.
    OtherType,
}

impl Db<'_, '_> {
    /// Changes the bytes of the string under a key, which is first made as long as `len` with zero bytes if it is shorter,
    /// or missing. Leaves the expiry; from then on the string counts as changed in place.
    pub fn edit_string(
        &mut self,
        key: Key<'_>,
        len: usize,
        change: impl FnOnce(&mut [u8]),
    ) -> Before {
        let Some(place) = self.find(key) else {
            let mut text = vec![0; len];
            change(&mut text);
            let access = self.access_clock().fresh();
            self.insert(key, changed_in_place(key, text, None, access));
            return Before::Missing;
        };
        let entry = self.table_to_change(key).element_mut(place);
        match edit_in_place(entry, len, change) {
            Ok(before) => before,
            Err(change) => self.edit_elsewhere(key, place, len, change),
        }
    }

    /// [`Db::edit_string`] that marks the string as used.
    pub fn use_and_edit_string(
        &mut self,
        key: Key<'_>,
        len: usize,
        change: impl FnOnce(&mut [u8]),
    ) -> Before {
        let Some(place) = self.find_here(key) else {
            return self.edit_string(key, len, change);
        };
        let access = self.access_clock();
        let mut entry = self.table_to_change(key).element_mut(place);
        let field = entry.view().access();
        entry.set_access(access.touched(field));
        match edit_in_place(entry, len, change) {
            Ok(before) => before,
            Err(change) => self.edit_elsewhere(key, place, len, change),
        }
    }

    /// Changes a string that does not fit its entry, or is kept as a number.
    fn edit_elsewhere(
        &mut self,
        key: Key<'_>,
        place: Place,
        len: usize,
        change: impl FnOnce(&mut [u8]),
    ) -> Before {
        let mut buffer = itoa::Buffer::new();
        let known = match self.table_to_change(key).element(place).value() {
            ValueRef::Int(number) => buffer.format(number).as_bytes(),
            ValueRef::Inline(text) => text,
            ValueRef::Object(_) => return Before::OtherType,
        };
        let before = known.len();
        let text = longer(known, len);
        self.put_changed(key, place, text, change);
        Before::String(before)
    }

    /// Stores a string as one that was made in place: no number, however it looks. The key expires no more. True when it is
    /// new.
    pub fn set_raw(&mut self, key: Key<'_>, text: Vec<u8>) -> bool {
        self.put_raw(key, text, Expiry::Clear)
    }

    /// Stores a string under a key that keeps its expiry, as one changed in place.
    pub fn replace_raw(&mut self, key: Key<'_>, text: Vec<u8>) {
        self.put_raw(key, text, Expiry::Keep);
    }

    fn put_raw(&mut self, key: Key<'_>, text: Vec<u8>, expiry: Expiry) -> bool {
        if text.len() >= MAX_INLINE {
            let object = Object::Bytes(Bytes::from(text));
            return self.set(key, Value::Object(Box::new(object)), expiry);
        }
        let is_new = self.set(key, Value::Str(&text), expiry);
        if let Some(place) = self.find(key) {
            self.table_to_change(key).element_mut(place).set_raw();
        }
        is_new
    }

    /// Puts a string that no longer fits its entry into a new one.
    fn put_changed(
        &mut self,
        key: Key<'_>,
        place: Place,
        mut text: Vec<u8>,
        change: impl FnOnce(&mut [u8]),
    ) {
        change(&mut text);
        self.table_to_change(key).replace(place, |old| {
            let old = old.view();
            changed_in_place(key, text, old.expires_at(), old.access())
        });
    }
}

/// Changes a string where it is; gives the change back where that cannot be.
#[inline]
fn edit_in_place<F: FnOnce(&mut [u8])>(
    mut entry: EntryMut<'_>,
    len: usize,
    change: F,
) -> Result<Before, F> {
    if entry.view().is_object() {
        return Ok(edit_long(entry, len, change));
    }
    let ValueRef::Inline(text) = entry.view().value() else {
        return Err(change);
    };
    let before = text.len();
    if !entry.lengthen(len) {
        return Err(change);
    }
    entry.set_raw();
    if let ValueMut::Inline(text) = entry.value() {
        change(text);
    }
    Ok(Before::String(before))
}

#[inline]
fn edit_long(entry: EntryMut<'_>, len: usize, change: impl FnOnce(&mut [u8])) -> Before {
    if let ValueMut::Object(object) = entry.value()
        && let Some(bytes) = object.as_string_mut()
    {
        let before = bytes.len();
        text::edit(bytes, len, change);
        return Before::String(before);
    }
    Before::OtherType
}

fn longer(text: &[u8], len: usize) -> Vec<u8> {
    let mut longer = Vec::with_capacity(len.max(text.len()));
    longer.extend_from_slice(text);
    longer.resize(len.max(text.len()), 0);
    longer
}

fn changed_in_place(key: Key<'_>, text: Vec<u8>, expires_at: Option<i64>, access: u32) -> Entry {
    let mut entry = if text.len() >= MAX_INLINE {
        let object = Object::Bytes(Bytes::from(text));
        Entry::new(
            key.bytes,
            Value::Object(Box::new(object)),
            expires_at,
            access,
        )
    } else {
        Entry::new(key.bytes, Value::Str(&text), expires_at, access)
    };
    entry.exclusive().set_raw();
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{AccessClock, Keyspace, Moment, Notes};
    use proptest::prelude::*;

    const MOMENT: i64 = 1_000_000;

    fn bytes_under(db: &mut Db<'_, '_>, key: Key<'_>) -> Vec<u8> {
        match db.peek(key).map(|entry| entry.value()) {
            Some(ValueRef::Inline(text)) => text.to_vec(),
            Some(ValueRef::Int(number)) => number.to_string().into_bytes(),
            Some(ValueRef::Object(object)) => object.as_string().expect("a string").to_vec(),
            None => Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn a_string_changes_like_a_vector(
            first in prop_oneof!["[0-9]{1,5}", "[a-z]{0,200}"],
            edits in prop::collection::vec((0usize..20_000, "[a-z]{1,300}"), 1..20),
            expires_at in prop_oneof![Just(None), Just(Some(2 * MOMENT))],
        ) {
            let keyspace = Keyspace::new(1, 1);
            let key = Key::new(b"key");
            let mut scope = keyspace.lock_one(key.shard());
            let mut notes = Notes::default();
            let moment = Moment {
                now: MOMENT,
                access: AccessClock::lru(MOMENT),
                no_touch: false,
                ignore_expiry: false,
                keeps_expired: false,
            };
            let mut db = Db::new(&mut scope, &mut notes, 0, moment);
            let mut model = first.into_bytes();
            let expiry = expires_at.map_or(Expiry::Clear, Expiry::At);
            db.set(key, Value::of_string(&model), expiry);
            for (start, text) in edits {
                // Mostly near the end, where strings grow.
                let start = if start < 15_000 { model.len() - model.len().min(start % 3) } else { start };
                let (len, end) = (model.len(), start + text.len());
                model.resize(model.len().max(end), 0);
                model[start..end].copy_from_slice(text.as_bytes());
                let before = db.edit_string(key, end, |bytes| bytes[start..end].copy_from_slice(text.as_bytes()));
                prop_assert_eq!(before, Before::String(len));
                prop_assert_eq!(&bytes_under(&mut db, key), &model);
                let entry = db.peek(key).expect("the key is there");
                prop_assert_eq!(entry.expires_at(), expires_at);
                prop_assert!(entry.is_raw() || model.len() >= MAX_INLINE);
            }
        }
    }
}
