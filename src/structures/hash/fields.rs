//! The fields of a big hash: a table of them, each with its value, and a moment at which it goes where it has one.

use crate::base::deadline::Deadlines;
use crate::base::hash::hash;
use crate::structures::Kept;
use crate::structures::table::{Elements, Head, Iter, Place, Record, RecordRef};

/// In [`FieldHead`]: the field's moment stands behind its value.
const EXPIRES: u32 = 1 << 31;
/// Bytes of a moment.
const MOMENT: usize = size_of::<i64>();

/// The head of a field: how long its name is, and whether it goes at some time.
#[derive(Debug, Clone, Copy)]
pub struct FieldHead(u32);

impl Head for FieldHead {
    #[inline]
    fn key_len(self, len: usize) -> usize {
        ((self.0 & !EXPIRES) as usize).min(len)
    }

    #[inline]
    fn is_volatile(self) -> bool {
        self.0 & EXPIRES != 0
    }
}

type Field = Record<FieldHead>;

/// A field of a table.
#[derive(Clone, Copy)]
pub struct FieldRef<'a>(RecordRef<'a, FieldHead>);

impl<'a> FieldRef<'a> {
    /// Its name.
    #[inline]
    pub fn name(self) -> &'a [u8] {
        self.0.key()
    }

    /// Its value.
    #[inline]
    pub fn value(self) -> &'a [u8] {
        let rest = self.0.rest();
        match self.0.head().is_volatile() {
            true => &rest[..rest.len().saturating_sub(MOMENT)],
            false => rest,
        }
    }

    /// When it goes, in Unix milliseconds.
    #[inline]
    pub fn expires_at(self) -> Option<i64> {
        if !self.0.head().is_volatile() {
            return None;
        }
        self.0.rest().last_chunk().copied().map(i64::from_le_bytes)
    }

    /// Whether it is there at `now`.
    #[inline]
    pub fn is_alive(self, now: i64) -> bool {
        self.expires_at().is_none_or(|at| at >= now)
    }
}

/// Makes a field.
///
/// # Panics
/// When its name is longer than 2 GiB.
fn field(name: &[u8], value: &[u8], expires_at: Option<i64>) -> Field {
    let len = u32::try_from(name.len())
        .ok()
        .filter(|len| len & EXPIRES == 0);
    let len = len.expect("names of fields are shorter than 2 GiB");
    match expires_at {
        None => Record::new(FieldHead(len), &[name, value]),
        Some(at) => Record::new(FieldHead(len | EXPIRES), &[name, value, &at.to_le_bytes()]),
    }
}

/// Fields found by their name.
#[derive(Debug, Clone, Default)]
pub struct Fields(Elements<Field>);

impl Fields {
    /// How many there are, whether they have passed or not.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How many go at some time.
    pub fn expiring(&self) -> usize {
        self.0.expiring()
    }

    /// No field goes before this deadline.
    pub fn next_deadline(&self) -> u32 {
        self.0.next_deadline()
    }

    /// Bytes of the table's buckets.
    pub fn buckets(&self) -> usize {
        self.0.buckets()
    }

    /// Bytes of all allocations.
    pub fn allocated(&self) -> usize {
        let fields: usize = self.0.iter().map(|field| field.allocated()).sum();
        self.0.allocated() + fields
    }

    /// See [`Elements::prefetch`].
    pub fn prefetch(&self, hashes: &[u64]) {
        self.0.prefetch(hashes);
    }

    /// Finds a field.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<FieldRef<'_>> {
        self.0.get(name).map(FieldRef)
    }

    /// Adds a field, or changes its value and moment; true when it is new.
    pub fn set(&mut self, name: &[u8], value: &[u8], expires_at: Option<i64>) -> bool {
        let hash = hash(name);
        let Some(at) = self.0.find_hashed(hash, name) else {
            let at = self.0.insert_hashed(hash, field(name, value, expires_at));
            self.arm(at, expires_at);
            return true;
        };
        let mut known = self.0.element_mut(at);
        let fits = known.view().head().is_volatile() == expires_at.is_some()
            && match expires_at {
                None => known.set_rest(&[value]),
                Some(moment) => known.set_rest(&[value, &moment.to_le_bytes()]),
            };
        if !fits {
            self.0.replace(at, |_| field(name, value, expires_at));
        }
        self.arm(at, expires_at);
        false
    }

    /// Changes when a field goes.
    pub fn set_expiry(&mut self, name: &[u8], expires_at: Option<i64>) {
        let Some(at) = self.0.find(name) else { return };
        self.0.replace(at, |known| {
            let known = FieldRef(crate::structures::table::Element::borrowed(&known));
            field(name, known.value(), expires_at)
        });
        self.arm(at, expires_at);
    }

    fn arm(&mut self, at: Place, expires_at: Option<i64>) {
        if let Some(moment) = expires_at {
            self.0.set_deadline(at, Deadlines::of(moment));
        }
    }

    /// Removes a field; false when it is not there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        self.0.take(name).is_some()
    }

    /// Takes out fields that have passed, looking at no more than about `limit`; gives their names.
    pub fn take_due(&mut self, now: i64, limit: usize) -> Vec<Box<[u8]>> {
        // What goes later in this very step is looked at once, and armed again afterwards.
        let next = Deadlines::of(now).saturating_add(1);
        let mut soon: Vec<(Box<[u8]>, u32)> = Vec::new();
        let (taken, _) = self.0.take_due(next, limit, |known| {
            let deadline = match FieldRef(known).expires_at() {
                Some(at) if at < now => return None,
                Some(at) => Deadlines::of(at),
                None => u32::MAX,
            };
            if deadline < next {
                soon.push((known.key().into(), deadline));
            }
            Some(deadline.max(next))
        });
        for (name, deadline) in soon {
            if let Some(at) = self.0.find(&name) {
                self.0.set_deadline(at, deadline);
            }
        }
        let names = taken.iter().map(|field| {
            let field = crate::structures::table::Element::borrowed(field);
            field.key().into()
        });
        names.collect()
    }

    /// See [`Elements::owe`].
    pub fn owe(&mut self, cursor: u64) {
        self.0.owe(cursor);
    }

    /// See [`Elements::is_owing`].
    #[cfg(test)]
    pub fn is_owing(&self) -> bool {
        self.0.is_owing()
    }

    /// See [`Elements::pay`].
    pub fn pay(&mut self, count: usize, mut show: impl FnMut(FieldRef<'_>)) -> bool {
        self.0.pay(count, |known| show(FieldRef(known)))
    }

    /// See [`Elements::forgive`].
    pub fn forgive(&mut self) -> Option<Kept> {
        self.0.forgive()
    }

    /// All fields.
    pub fn iter(&self) -> FieldIter<'_> {
        FieldIter(self.0.iter())
    }

    /// A field chosen at random.
    pub fn random(&self) -> Option<FieldRef<'_>> {
        self.0.random().map(FieldRef)
    }

    /// See [`Elements::scan`].
    pub fn scan<'a>(&'a self, cursor: u64, mut show: impl FnMut(FieldRef<'a>)) -> Option<u64> {
        self.0.scan(cursor, |known| show(FieldRef(known)))
    }
}

/// Goes through fields.
pub struct FieldIter<'a>(Iter<'a, Field>);

impl<'a> Iterator for FieldIter<'a> {
    type Item = FieldRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<FieldRef<'a>> {
        self.0.next().map(FieldRef)
    }
}
