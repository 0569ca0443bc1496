//! Values of one type: found, changed in place, made when missing.

use super::db::{Db, Expiry};
use super::entry::{EntryMut, EntryRef, Value, ValueMut, ValueRef};
use super::lock::Key;
use crate::structures::Structure;

/// The key holds a value of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongType;

impl Db<'_, '_> {
    /// A value to be read, counted as a hit or a miss and marked as used.
    #[inline]
    pub fn read_as<T: Structure>(&mut self, key: Key<'_>) -> Result<Option<&T>, WrongType> {
        self.read(key).map(view).transpose()
    }

    /// A value looked at without a trace.
    #[inline]
    pub fn peek_as<T: Structure>(&mut self, key: Key<'_>) -> Result<Option<&T>, WrongType> {
        self.peek(key).map(view).transpose()
    }

    /// A value looked at beside others, which have all been found before, with [`Db::read_as`] or the like.
    pub fn view_as<T: Structure>(&self, key: Key<'_>) -> Result<Option<&T>, WrongType> {
        self.view(key).map(view).transpose()
    }

    /// A value to be changed in place, marked as used. One that has become empty must be removed.
    #[inline]
    pub fn change_as<T: Structure>(&mut self, key: Key<'_>) -> Result<Option<&mut T>, WrongType> {
        self.change(key).map(exclusive).transpose()
    }

    /// A value to be changed in place, not marked as used.
    pub fn amend_as<T: Structure>(&mut self, key: Key<'_>) -> Result<Option<&mut T>, WrongType> {
        self.amend(key).map(exclusive).transpose()
    }

    /// Like [`Db::change_as`], but a missing value is made, empty. True when it was.
    #[inline]
    pub fn make_as<T: Structure>(&mut self, key: Key<'_>) -> Result<(&mut T, bool), WrongType> {
        let is_new = self.peek(key).is_none();
        if is_new {
            self.store(key, T::default());
        }
        let value = self.change(key).map(exclusive).transpose()?;
        value.map(|value| (value, is_new)).ok_or(WrongType)
    }

    /// Stores a value under a key, whatever was there; the key expires no more. True when the key is new.
    pub fn store<T: Structure>(&mut self, key: Key<'_>, value: T) -> bool {
        self.set(
            key,
            Value::Object(Box::new(value.into_object())),
            Expiry::Clear,
        )
    }
}

fn view<T: Structure>(entry: EntryRef<'_>) -> Result<&T, WrongType> {
    match entry.value() {
        ValueRef::Object(object) => T::of(object).ok_or(WrongType),
        ValueRef::Int(_) | ValueRef::Inline(_) => Err(WrongType),
    }
}

fn exclusive<T: Structure>(entry: EntryMut<'_>) -> Result<&mut T, WrongType> {
    match entry.value() {
        ValueMut::Object(object) => T::of_mut(object).ok_or(WrongType),
        ValueMut::Int(_) | ValueMut::Inline(_) => Err(WrongType),
    }
}
