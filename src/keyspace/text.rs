//! Strings changed in place: whatever holds them, a handler sees bytes.

use bytes::Bytes;

use super::db::Db;
use super::entry::{Entry, EntryMut, MAX_INLINE, Value, ValueMut, ValueRef};
use super::lock::Key;
use super::table::Place;
use crate::structures::{Object, text};

/// What a string was before it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// There was no such key.
    Missing,
    /// It was a string.
    String,
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
        let mut entry = self.part(key).table.entry_mut(place);
        if entry.lengthen(len) {
            entry.set_raw();
            if let ValueMut::Inline(text) = entry.value() {
                change(text);
            }
            return Before::String;
        }
        let text = match entry.view().value() {
            ValueRef::Int(number) => longer(itoa::Buffer::new().format(number).as_bytes(), len),
            ValueRef::Inline(text) => longer(text, len),
            ValueRef::Object(_) => return edit_long(entry, len, change),
        };
        self.put_changed(key, place, text, change);
        Before::String
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
        self.part(key).table.replace(place, |old| {
            let old = old.view();
            changed_in_place(key, text, old.expires_at(), old.access())
        });
    }
}

fn edit_long(entry: EntryMut<'_>, len: usize, change: impl FnOnce(&mut [u8])) -> Before {
    if let ValueMut::Object(object) = entry.value()
        && let Some(bytes) = object.as_string_mut()
    {
        text::edit(bytes, len, change);
        return Before::String;
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
