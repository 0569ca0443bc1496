//! The fields of a small hash where some go at some time: a pack of names, values and moments, as Redis has it: in the
//! order of their moments, those without one last, with 0 in its place.

use crate::structures::listpack::{Cursor, Item, Pack, PackBuf};

/// What stands behind a field's name: its value and its moment.
const WIDTH: usize = 3;

/// Fields in the order in which they go.
#[derive(Debug, Clone, Default)]
pub struct PackedFields(PackBuf);

/// A field's name, value, and when it goes.
pub type Triple<'a> = (Item<'a>, Item<'a>, Option<i64>);

fn moment(item: Option<Item<'_>>) -> Option<i64> {
    match item {
        Some(Item::Int(at)) if at != 0 => Some(at),
        _ => None,
    }
}

impl PackedFields {
    /// Takes over pairs of which none goes.
    pub fn of_pairs(pairs: Pack<'_>) -> Self {
        let mut pack = PackBuf::default();
        pack.reserve(pairs.bytes().len() + pairs.len() / 2);
        let mut items = pairs.iter();
        while let (Some(name), Some(value)) = (items.next(), items.next()) {
            for item in [name, value, Item::Int(0)] {
                pack.push_item(item);
            }
        }
        Self(pack)
    }

    /// The pack.
    pub fn pack(&self) -> Pack<'_> {
        self.0.view()
    }

    /// Bytes allocated.
    pub fn allocated(&self) -> usize {
        self.0.allocated()
    }

    /// How many fields there are, whether they have passed or not.
    pub fn len(&self) -> usize {
        self.pack().len() / WIDTH
    }

    fn find(&self, name: &[u8]) -> Option<Cursor> {
        self.pack().find_skipping(name, WIDTH - 1)
    }

    fn at(&self, name: Cursor) -> Option<Triple<'_>> {
        let value = self.pack().next(name)?;
        let expiry = self.pack().next(value)?;
        Some((
            self.pack().at(name)?,
            self.pack().at(value)?,
            moment(self.pack().at(expiry)),
        ))
    }

    /// Finds a field.
    pub fn get(&self, name: &[u8]) -> Option<Triple<'_>> {
        self.find(name).and_then(|at| self.at(at))
    }

    /// Adds a field, or changes its value and moment; true when it is new.
    pub fn set(&mut self, name: &[u8], value: &[u8], expires_at: Option<i64>) -> bool {
        let known = self.find(name);
        if let Some(at) = known {
            let is_same = self.at(at).is_some_and(|(_, _, known)| known == expires_at);
            if let Some(place) = self.pack().next(at).filter(|_| is_same) {
                self.0.replace(place, value);
                return false;
            }
            self.0.remove_from(at, WIDTH);
        }
        self.put(name, value, expires_at);
        known.is_none()
    }

    /// Adds a field where it belongs.
    fn put(&mut self, name: &[u8], value: &[u8], expires_at: Option<i64>) {
        let later = expires_at.and_then(|at| self.first_after(at));
        let moment = expires_at.unwrap_or(0).to_string();
        let Some(place) = later else {
            for part in [name, value, moment.as_bytes()] {
                self.0.push_back(part);
            }
            return;
        };
        let place = self.0.insert(place, name);
        let place = self.0.insert_after(place, value);
        self.0.insert_after(place, moment.as_bytes());
    }

    /// The first field that goes after `at`, or does not go.
    fn first_after(&self, at: i64) -> Option<Cursor> {
        let mut name = self.pack().first();
        while let Some(here) = name {
            let expiry = self.pack().next(self.pack().next(here)?)?;
            if moment(self.pack().at(expiry)).is_none_or(|known| known > at) {
                return Some(here);
            }
            name = self.pack().next(expiry);
        }
        None
    }

    /// Changes when a field goes.
    pub fn set_expiry(&mut self, name: &[u8], expires_at: Option<i64>) {
        let Some((_, value, _)) = self.get(name) else {
            return;
        };
        let value = value.as_bytes(&mut itoa::Buffer::new()).to_vec();
        self.set(name, &value, expires_at);
    }

    /// Removes a field; false when it is not there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let found = self.find(name);
        found.is_some_and(|at| {
            self.0.remove_from(at, WIDTH);
            true
        })
    }

    /// When the first field goes.
    pub fn earliest(&self) -> Option<i64> {
        self.pack().first().and_then(|at| self.at(at)?.2)
    }

    /// Takes out up to `limit` fields that have passed; gives their names.
    pub fn take_due(&mut self, now: i64, limit: usize) -> Vec<Box<[u8]>> {
        let mut names = Vec::new();
        while names.len() < limit
            && let Some(at) = self.pack().first()
            && let Some((name, _, Some(moment))) = self.at(at)
            && moment < now
        {
            names.push(name.as_bytes(&mut itoa::Buffer::new()).into());
            self.0.remove_from(at, WIDTH);
        }
        names
    }
}
