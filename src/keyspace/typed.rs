//! Values of one type: found, changed in place, made when missing.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use super::db::{Db, Expiry};
use super::entry::{Entry, EntryRef, Value, ValueMut, ValueRef};
use super::lock::Key;
use super::table::{Place, Table};
use crate::structures::hash::Hash;
use crate::structures::list::List;
use crate::structures::set::Set;
use crate::structures::sorted_set::SortedSet;
use crate::structures::stream::Stream;
use crate::structures::{MAX_SMALL, Structure};

/// The key holds a value of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongType;

impl Db<'_, '_> {
    /// A value to be read, counted as a hit or a miss and marked as used.
    #[inline]
    pub fn read_as<T: Structure>(
        &mut self,
        key: Key<'_>,
    ) -> Result<Option<T::View<'_>>, WrongType> {
        self.read(key).map(view::<T>).transpose()
    }

    /// A value looked at without a trace.
    #[inline]
    pub fn peek_as<T: Structure>(
        &mut self,
        key: Key<'_>,
    ) -> Result<Option<T::View<'_>>, WrongType> {
        self.peek(key).map(view::<T>).transpose()
    }

    /// A value looked at beside others, which have all been found before, with [`Db::read_as`] or the like.
    pub fn view_as<T: Structure>(&self, key: Key<'_>) -> Result<Option<T::View<'_>>, WrongType> {
        self.view(key).map(view::<T>).transpose()
    }

    /// A value to be changed in place, marked as used. One that has become empty must be removed.
    #[inline]
    pub fn change_as<T: Kept>(&mut self, key: Key<'_>) -> Result<Option<T::Change<'_>>, WrongType> {
        let access = self.access_clock();
        let Some((table, place)) = self.slot(key) else {
            return Ok(None);
        };
        let mut entry = table.element_mut(place);
        let field = entry.view().access();
        entry.set_access(access.touched(field));
        T::change(table, place).map(Some)
    }

    /// A value to be changed in place, not marked as used.
    pub fn amend_as<T: Kept>(&mut self, key: Key<'_>) -> Result<Option<T::Change<'_>>, WrongType> {
        let slot = self.slot(key);
        slot.map(|(table, place)| T::change(table, place))
            .transpose()
    }

    /// Like [`Db::change_as`], but a missing value is made, empty. True when it was.
    #[inline]
    pub fn make_as<T: Kept>(&mut self, key: Key<'_>) -> Result<(T::Change<'_>, bool), WrongType> {
        let is_new = self.peek(key).is_none();
        if is_new {
            self.store(key, T::default());
        }
        let value = self.change_as::<T>(key)?;
        value.map(|value| (value, is_new)).ok_or(WrongType)
    }

    /// Stores a value under a key, whatever was there; the key expires no more. True when the key is new.
    pub fn store<T: Structure>(&mut self, key: Key<'_>, value: T) -> bool {
        if let Some(small) = value.small() {
            return self.set(key, Value::Small(small), Expiry::Clear);
        }
        self.set(
            key,
            Value::Object(Box::new(value.into_object())),
            Expiry::Clear,
        )
    }
}

#[inline]
fn view<T: Structure>(entry: EntryRef<'_>) -> Result<T::View<'_>, WrongType> {
    match entry.value() {
        ValueRef::Object(object) => T::of(object).ok_or(WrongType),
        ValueRef::Int(_) | ValueRef::Inline(_) => Err(WrongType),
    }
}

#[inline]
fn exclusive<T: Structure>(table: &mut Table, place: Place) -> Result<&mut T, WrongType> {
    match table.element_mut(place).value() {
        ValueMut::Object(object) => T::of_mut(object).ok_or(WrongType),
        ValueMut::Int(_) | ValueMut::Inline(_) | ValueMut::Small => Err(WrongType),
    }
}

/// A type of value as the keyspace keeps it: how it is changed in place.
pub trait Kept: Structure {
    /// The value while it is changed.
    type Change<'a>: DerefMut<Target = Self>;

    /// Begins to change the value of an entry.
    fn change(table: &mut Table, place: Place) -> Result<Self::Change<'_>, WrongType>;
}

macro_rules! kept {
    ($($kind:ident, $change:ty, $begin:expr;)*) => {$(
        impl Kept for $kind {
            type Change<'a> = $change;

            #[inline]
            fn change(table: &mut Table, place: Place) -> Result<Self::Change<'_>, WrongType> {
                $begin(table, place)
            }
        }
    )*};
}

kept! {
    Hash, Changing<'a, Self>, Changing::begin;
    Set, Changing<'a, Self>, Changing::begin;
    List, &'a mut Self, exclusive;
    SortedSet, &'a mut Self, exclusive;
    Stream, &'a mut Self, exclusive;
}

/// A value while it is changed. A small one is changed in a copy, and put back into its entry when this is dropped.
pub struct Changing<'a, T: Structure>(Where<'a, T>);

enum Where<'a, T: Structure> {
    InPlace(&'a mut T),
    Copied {
        value: T,
        table: &'a mut Table,
        place: Place,
    },
}

thread_local! {
    /// The buffer of the last small value that was changed, for the next.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl<'a, T: Structure> Changing<'a, T> {
    #[inline]
    fn begin(table: &'a mut Table, place: Place) -> Result<Self, WrongType> {
        let Some(small) = table.element(place).small() else {
            return exclusive(table, place).map(|value| Self(Where::InPlace(value)));
        };
        let value = T::of_small(small, ROOM.take()).ok_or(WrongType)?;
        Ok(Self(Where::Copied {
            value,
            table,
            place,
        }))
    }
}

impl<T: Structure> Deref for Changing<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.0 {
            Where::InPlace(value) => value,
            Where::Copied { value, .. } => value,
        }
    }
}

impl<T: Structure> DerefMut for Changing<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.0 {
            Where::InPlace(value) => value,
            Where::Copied { value, .. } => value,
        }
    }
}

impl<T: Structure> Drop for Changing<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Where::Copied {
            value,
            table,
            place,
        } = &mut self.0
        {
            put_back(table, *place, value);
        }
    }
}

/// Puts a value that was changed in a copy into its entry, or into a new one where it does not fit.
fn put_back<T: Structure>(table: &mut Table, place: Place, value: &mut T) {
    let Some(small) = value.small() else {
        let value = Value::Object(Box::new(std::mem::take(value).into_object()));
        return table.replace(place, |old| with_value(&old, value));
    };
    let value_of_entry = Value::Small(small);
    if !table.element_mut(place).overwrite(&value_of_entry) {
        table.replace(place, |old| with_value(&old, value_of_entry));
    }
    let room = value.take_room();
    if room.capacity() <= 2 * MAX_SMALL {
        ROOM.set(room);
    }
}

/// An entry with the same key and expiry.
fn with_value(old: &Entry, value: Value<'_>) -> Entry {
    let old = old.view();
    Entry::new(old.key(), value, old.expires_at(), old.access())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::keyspace::{AccessClock, Keyspace, Moment, Notes};
    use crate::structures::hash::{self, Lifetime, Seen};
    use crate::structures::listpack::Item;
    use crate::structures::set;

    const MOMENT: i64 = 1_000_000;

    fn with_db<R>(keyspace: &Keyspace, key: Key<'_>, work: impl FnOnce(&mut Db<'_, '_>) -> R) -> R {
        let (mut scope, mut notes) = (keyspace.lock_one(key.shard()), Notes::default());
        let moment = Moment {
            now: MOMENT,
            access: AccessClock::lru(MOMENT),
            no_touch: false,
            ignore_expiry: false,
            keeps_expired: false,
        };
        work(&mut Db::new(&mut scope, &mut notes, 0, moment))
    }

    fn text(item: Item<'_>) -> Vec<u8> {
        item.as_bytes(&mut itoa::Buffer::new()).to_vec()
    }

    fn name() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            6 => (0i64..60).prop_map(|n| n.to_string().into_bytes()),
            3 => "[a-d]{0,3}".prop_map(String::into_bytes),
        ]
    }

    const HASH: hash::Limits = hash::Limits {
        entries: 40,
        value: 64,
    };
    const SET: set::Limits = set::Limits {
        intset_entries: 30,
        listpack_entries: 40,
        listpack_value: 64,
    };

    proptest! {
        #[test]
        fn a_hash_changes_like_a_map(
            expires_at in prop::option::of(Just(2 * MOMENT)),
            steps in prop::collection::vec((name(), "[a-z]{0,70}", 0u8..12), 0..120),
        ) {
            let (keyspace, key) = (Keyspace::new(1, 1), Key::new(b"key"));
            let mut model = BTreeMap::new();
            with_db(&keyspace, key, |db| {
                db.store(key, Hash::default());
                db.set_expiry(key, expires_at);
                for (name, value, action) in steps {
                    let mut hash = db.change_as::<Hash>(key).expect("a hash").expect("it is there");
                    match action {
                        0..3 => prop_assert_eq!(hash.remove(&name), model.remove(&name).is_some()),
                        3 => {
                            hash.set(&name, value.as_bytes(), Lifetime::Until(MOMENT), &HASH);
                            model.insert(name, value.into_bytes());
                        }
                        _ => {
                            hash.set(&name, value.as_bytes(), Lifetime::Endless, &HASH);
                            model.insert(name, value.into_bytes());
                        }
                    }
                    drop(hash);
                    let hash = db.peek_as::<Hash>(key).expect("a hash").expect("it is there");
                    let fields = hash.iter(Seen::ALL).map(|field| (text(field.name), text(field.value)));
                    prop_assert_eq!(fields.collect::<BTreeMap<_, _>>(), model.clone());
                    prop_assert_eq!(hash.len(Seen::ALL), model.len());
                    let entry = db.peek(key).expect("it is there");
                    prop_assert_eq!((entry.expires_at(), entry.type_name()), (expires_at, "hash"));
                    let copy = entry.copied(b"another key", 0).rebuilt(b"key", None);
                    let ValueRef::Object(copy) = copy.view().value() else { panic!("a hash") };
                    let copy = Hash::of(copy).expect("a hash");
                    prop_assert_eq!(copy.iter(Seen::ALL).count(), model.len());
                    prop_assert!(db.change_as::<Set>(key).is_err() && db.peek_as::<List>(key).is_err());
                }
                Ok(())
            })?;
        }

        #[test]
        fn a_set_changes_like_a_set(steps in prop::collection::vec((name(), 0u8..10), 0..200), first in 0u8..3) {
            let (keyspace, key) = (Keyspace::new(1, 1), Key::new(b"key"));
            let mut model = BTreeSet::new();
            with_db(&keyspace, key, |db| {
                db.store(key, Set::default());
                for (member, action) in steps {
                    if first > 0 && !member.first().is_some_and(u8::is_ascii_digit) {
                        continue;
                    }
                    let mut set = db.change_as::<Set>(key).expect("a set").expect("it is there");
                    match action {
                        0..3 => prop_assert_eq!(set.remove(&member), model.remove(&member)),
                        _ => prop_assert_eq!(set.add(&member, &SET), model.insert(member)),
                    }
                    drop(set);
                    let set = db.peek_as::<Set>(key).expect("a set").expect("it is there");
                    prop_assert_eq!(set.iter().map(text).collect::<BTreeSet<_>>(), model.clone());
                    prop_assert_eq!(set.len(), model.len());
                }
                Ok(())
            })?;
        }
    }

    #[test]
    fn a_small_hash_takes_one_allocation() {
        let (keyspace, key) = (Keyspace::new(1, 1), Key::new(b"user:000000000001"));
        with_db(&keyspace, key, |db| {
            let mut hash = Hash::default();
            for n in 0..5 {
                let (name, value) = (format!("field{n}"), format!("value-{n:06}"));
                hash.set(name.as_bytes(), value.as_bytes(), Lifetime::Endless, &HASH);
            }
            db.store(key, hash);
            let entry = db.peek(key).expect("it is there");
            assert_eq!((entry.allocated(), entry.value_allocated()), (128, 0));
        });
    }
}
