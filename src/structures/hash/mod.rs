//! Hashes: fields with values, each with a moment at which it goes where it has one. Small ones are a pack, big ones a
//! table. What is read is read from a [`View`]: a small hash may lie where its owner has put its bytes.
//!
//! A field that has passed is there until it is taken out; whoever reads says what time it is, and does not see it. Whoever
//! changes a hash takes out what has passed first.

mod fields;
mod packed;
#[cfg(test)]
mod tests;

use self::fields::{FieldIter, Fields};
use self::packed::PackedFields;
use super::listpack::{Elements, Item, Pack, PackBuf};
use crate::base::deadline::Deadlines;
use crate::base::random;

/// Tries to meet a field that has not passed before all are looked at.
const TRIES: usize = 32;

/// Up to which size the small encodings are used.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `hash-max-listpack-entries`.
    pub entries: usize,
    /// `hash-max-listpack-value`.
    pub value: usize,
}

/// Which fields a reader sees: those that do not go before this moment (Unix milliseconds).
#[derive(Debug, Clone, Copy)]
pub struct Seen(i64);

impl Seen {
    /// All: nothing has passed that has not been taken out.
    pub const ALL: Self = Self(i64::MIN);

    /// Those that are there at a moment.
    pub fn at(now: i64) -> Self {
        Self(now)
    }

    #[inline]
    fn sees(self, expires_at: Option<i64>) -> bool {
        expires_at.is_none_or(|at| at >= self.0)
    }
}

/// What a write does to the moment at which a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Leaves it.
    Keep,
    /// The field goes no more.
    Endless,
    /// The field goes then, in Unix milliseconds.
    Until(i64),
}

/// A field: its name, its value, and when it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Field<'a> {
    pub name: Item<'a>,
    pub value: Item<'a>,
    pub expires_at: Option<i64>,
}

/// Fields with values.
#[derive(Debug, Clone)]
pub enum Hash {
    /// A few short fields of which none goes.
    Packed(PackBuf),
    /// A few short fields of which some may go.
    PackedExpiring(PackedFields),
    /// Any fields.
    Table(Box<Fields>),
}

/// A hash to be read.
#[derive(Debug, Clone, Copy)]
pub enum View<'a> {
    /// A few short fields of which none goes.
    Packed(Pack<'a>),
    /// A few short fields of which some may go.
    PackedExpiring(&'a PackedFields),
    /// Any fields.
    Table(&'a Fields),
}

impl Default for Hash {
    fn default() -> Self {
        Self::Packed(PackBuf::default())
    }
}

impl<'a> View<'a> {
    /// The encoding, as Redis names it.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Packed(_) => "listpack",
            Self::PackedExpiring(_) => "listpackex",
            Self::Table(_) => "hashtable",
        }
    }

    /// About how many small allocations freeing takes.
    pub fn free_effort(self) -> usize {
        match self {
            Self::Packed(_) | Self::PackedExpiring(_) => 1,
            Self::Table(fields) => fields.len(),
        }
    }

    /// Whether there is no field, passed or not. A key whose value is empty does not exist.
    pub fn is_empty(self) -> bool {
        match self {
            Self::Packed(pack) => pack.is_empty(),
            Self::PackedExpiring(fields) => fields.pack().is_empty(),
            Self::Table(fields) => fields.len() == 0,
        }
    }

    /// Fields, passed or not.
    #[inline]
    fn count(self) -> usize {
        match self {
            Self::Packed(pack) => pack.len() / 2,
            Self::PackedExpiring(fields) => fields.len(),
            Self::Table(fields) => fields.len(),
        }
    }

    /// Fields.
    #[inline]
    pub fn len(self, seen: Seen) -> usize {
        match self.has_due(seen.0) {
            true => self.iter(seen).count(),
            false => self.count(),
        }
    }

    /// The deadline before which no field goes; `None` when none goes at all.
    pub fn next_deadline(self) -> Option<u32> {
        match self {
            Self::Packed(_) => None,
            Self::PackedExpiring(fields) => fields.earliest().map(Deadlines::of),
            Self::Table(fields) => Some(fields.next_deadline()).filter(|&at| at != u32::MAX),
        }
    }

    /// Whether fields may have passed at `now`.
    pub fn has_due(self, now: i64) -> bool {
        match self {
            Self::Packed(_) => false,
            _ => (self.next_deadline()).is_some_and(|deadline| deadline <= Deadlines::of(now)),
        }
    }

    /// Whether some field goes at some time.
    pub fn has_expiring(self) -> bool {
        match self {
            Self::Packed(_) => false,
            Self::PackedExpiring(fields) => fields.earliest().is_some(),
            Self::Table(fields) => fields.expiring() > 0,
        }
    }

    /// A field's value.
    #[inline]
    pub fn get(self, name: &[u8], seen: Seen) -> Option<Item<'a>> {
        match self {
            Self::Packed(pack) => {
                let at = pack.find_skipping(name, 1)?;
                pack.at(pack.next(at)?)
            }
            Self::PackedExpiring(fields) => {
                let (_, value, expires_at) = fields.get(name)?;
                seen.sees(expires_at).then_some(value)
            }
            Self::Table(fields) => {
                let field = fields.get(name)?;
                field.is_alive(seen.0).then(|| Item::Str(field.value()))
            }
        }
    }

    /// When a field goes, if it does; nothing when there is no such field.
    pub fn expiry(self, name: &[u8], seen: Seen) -> Option<Option<i64>> {
        let expires_at = match self {
            Self::Packed(pack) => pack.find_skipping(name, 1).map(|_| None),
            Self::PackedExpiring(fields) => fields.get(name).map(|(_, _, at)| at),
            Self::Table(fields) => fields.get(name).map(|field| field.expires_at()),
        };
        expires_at.filter(|&at| seen.sees(at))
    }

    /// All fields.
    pub fn iter(self, seen: Seen) -> Fielded<'a> {
        let source = match self {
            Self::Packed(pack) => Source::Pairs(pack.iter()),
            Self::PackedExpiring(fields) => Source::Triples(fields.pack().iter()),
            Self::Table(fields) => Source::Table(fields.iter()),
        };
        Fielded { source, seen }
    }

    /// A field chosen at random; `None` when none is seen.
    pub fn random(self, seen: Seen) -> Option<Field<'a>> {
        for _ in 0..TRIES {
            let field = match self {
                Self::Table(fields) => Field::from(fields.random()?),
                Self::Packed(pack) => pair_at(pack, 2, random::below(self.count() as u64))?,
                Self::PackedExpiring(fields) => {
                    pair_at(fields.pack(), 3, random::below(self.count() as u64))?
                }
            };
            if seen.sees(field.expires_at) {
                return Some(field);
            }
        }
        let nth = random::below(self.iter(seen).count() as u64);
        self.iter(seen).nth(nth as usize)
    }

    /// Shows the fields of a part of a table from `cursor` on, or all fields of a small hash; returns where to go on, or
    /// `None` at the end. A field that is there throughout a whole pass is shown, whatever else comes and goes.
    pub fn scan(self, cursor: u64, seen: Seen, mut show: impl FnMut(Field<'a>)) -> Option<u64> {
        if let Self::Table(fields) = self {
            return fields.scan(cursor, |field| {
                if field.is_alive(seen.0) {
                    show(field.into());
                }
            });
        }
        self.iter(seen).for_each(show);
        None
    }
}

impl Hash {
    /// The hash, to be read.
    #[inline]
    pub fn view(&self) -> View<'_> {
        match self {
            Self::Packed(pack) => View::Packed(pack.view()),
            Self::PackedExpiring(fields) => View::PackedExpiring(fields),
            Self::Table(fields) => View::Table(fields),
        }
    }

    /// Bytes of its allocations, without the structure itself.
    pub fn allocated(&self) -> usize {
        match self {
            Self::Packed(pack) => pack.allocated(),
            Self::PackedExpiring(fields) => fields.allocated(),
            Self::Table(fields) => fields.allocated(),
        }
    }

    /// Whether it keeps what it was.
    #[cfg(test)]
    pub fn is_owing(&self) -> bool {
        matches!(self, Self::Table(fields) if fields.is_owing())
    }

    /// [`View::is_empty`]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// [`View::len`]
    #[inline]
    pub fn len(&self, seen: Seen) -> usize {
        self.view().len(seen)
    }

    /// [`View::get`]
    #[inline]
    pub fn get(&self, name: &[u8], seen: Seen) -> Option<Item<'_>> {
        self.view().get(name, seen)
    }

    /// [`View::expiry`]
    #[inline]
    pub fn expiry(&self, name: &[u8], seen: Seen) -> Option<Option<i64>> {
        self.view().expiry(name, seen)
    }

    /// [`View::iter`]
    pub fn iter(&self, seen: Seen) -> Fielded<'_> {
        self.view().iter(seen)
    }

    /// Takes out fields that have passed, looking at no more than about `limit`; gives their names.
    pub fn take_due(&mut self, now: i64, limit: usize) -> Vec<Box<[u8]>> {
        match self {
            Self::Packed(_) => Vec::new(),
            Self::PackedExpiring(fields) => fields.take_due(now, limit),
            Self::Table(fields) => fields.take_due(now, limit),
        }
    }

    /// Prepares for these names and values, given in turn: those that will not fit a small encoding need not go through it.
    #[inline]
    pub fn expect<'a>(
        &mut self,
        mut texts: impl ExactSizeIterator<Item = &'a [u8]>,
        limits: &Limits,
    ) {
        if matches!(self, Self::Table(_)) {
            return;
        }
        let mut bytes = 0usize;
        let count = texts.len();
        let is_many = count / 2 > limits.entries;
        let is_long = texts.any(|text| {
            bytes = bytes.saturating_add(text.len());
            text.len() > limits.value
        });
        if is_many || is_long || !self.has_room_for(bytes) {
            self.make_table();
        } else if let Self::Packed(pack) = self
            && pack.view().is_empty()
        {
            // Each takes a byte of its own, too.
            pack.reserve(bytes + count);
        }
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        match self.view() {
            View::Packed(pack) => pack.has_room_for(bytes),
            View::PackedExpiring(fields) => fields.pack().has_room_for(bytes),
            View::Table(_) => true,
        }
    }

    /// Adds a field, or changes its value; true when it is new. What has passed was taken out before.
    #[inline]
    pub fn set(&mut self, name: &[u8], value: &[u8], lifetime: Lifetime, limits: &Limits) -> bool {
        if !matches!(self, Self::Table(_))
            && (name.len() > limits.value
                || value.len() > limits.value
                || !self.has_room_for(name.len() + value.len()))
        {
            self.make_table();
        }
        if let (Self::Packed(_), Lifetime::Until(_)) = (&*self, lifetime) {
            self.make_expiring();
        }
        let is_new = self.put(name, value, lifetime);
        if is_new && !matches!(self, Self::Table(_)) && self.view().count() > limits.entries {
            self.make_table();
        }
        is_new
    }

    fn put(&mut self, name: &[u8], value: &[u8], lifetime: Lifetime) -> bool {
        let known = match (&*self, lifetime) {
            (Self::Packed(_), _) => None,
            (_, Lifetime::Keep) => self.expiry(name, Seen::ALL).flatten(),
            (_, Lifetime::Endless) => None,
            (_, Lifetime::Until(at)) => Some(at),
        };
        match self {
            Self::Packed(pack) => {
                if let Some(at) = pack.view().find_skipping(name, 1)
                    && let Some(place) = pack.view().next(at)
                {
                    pack.replace(place, value);
                    return false;
                }
                pack.push_back(name);
                pack.push_back(value);
                true
            }
            Self::PackedExpiring(fields) => fields.set(name, value, known),
            Self::Table(fields) => fields.set(name, value, known),
        }
    }

    /// Changes when a field goes; nothing happens when there is no such field.
    pub fn set_expiry(&mut self, name: &[u8], expires_at: Option<i64>) {
        if let (Self::Packed(_), Some(_)) = (&*self, expires_at) {
            self.make_expiring();
        }
        match self {
            Self::Packed(_) => {}
            Self::PackedExpiring(fields) => fields.set_expiry(name, expires_at),
            Self::Table(fields) => fields.set_expiry(name, expires_at),
        }
    }

    /// Removes a field; false when it is not there.
    #[inline]
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match self {
            Self::Packed(pack) => {
                let found = pack.view().find_skipping(name, 1);
                found.is_some_and(|at| {
                    pack.remove_from(at, 2);
                    true
                })
            }
            Self::PackedExpiring(fields) => fields.remove(name),
            Self::Table(fields) => fields.remove(name),
        }
    }

    fn make_expiring(&mut self) {
        if let Self::Packed(pack) = self {
            *self = Self::PackedExpiring(PackedFields::of_pairs(pack.view()));
        }
    }

    fn make_table(&mut self) {
        let mut fields: Box<Fields> = Box::default();
        for field in self.iter(Seen::ALL) {
            let (mut name, mut value) = (itoa::Buffer::new(), itoa::Buffer::new());
            let (name, value) = (
                field.name.as_bytes(&mut name),
                field.value.as_bytes(&mut value),
            );
            fields.set(name, value, field.expires_at);
        }
        *self = Self::Table(fields);
    }
}

impl<'a> From<fields::FieldRef<'a>> for Field<'a> {
    #[inline]
    fn from(field: fields::FieldRef<'a>) -> Self {
        Self {
            name: Item::Str(field.name()),
            value: Item::Str(field.value()),
            expires_at: field.expires_at(),
        }
    }
}

/// The `nth` field of a pack in which each takes `width` elements.
fn pair_at(pack: Pack<'_>, width: usize, nth: u64) -> Option<Field<'_>> {
    let at = pack.seek(nth as usize * width)?;
    let next = pack.next(at)?;
    let expires_at = match (width, pack.next(next)) {
        (3, Some(expiry)) => match pack.at(expiry) {
            Some(Item::Int(moment)) if moment != 0 => Some(moment),
            _ => None,
        },
        _ => None,
    };
    Some(Field {
        name: pack.at(at)?,
        value: pack.at(next)?,
        expires_at,
    })
}

enum Source<'a> {
    Pairs(Elements<'a>),
    Triples(Elements<'a>),
    Table(FieldIter<'a>),
}

impl<'a> Source<'a> {
    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        match self {
            Self::Pairs(items) => Some(Field {
                name: items.next()?,
                value: items.next()?,
                expires_at: None,
            }),
            Self::Triples(items) => {
                let (name, value) = (items.next()?, items.next()?);
                let expires_at = match items.next()? {
                    Item::Int(at) if at != 0 => Some(at),
                    _ => None,
                };
                Some(Field {
                    name,
                    value,
                    expires_at,
                })
            }
            Self::Table(fields) => fields.next().map(Field::from),
        }
    }
}

/// Goes through a hash's fields.
pub struct Fielded<'a> {
    source: Source<'a>,
    seen: Seen,
}

impl<'a> Iterator for Fielded<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let field = self.source.next()?;
            if self.seen.sees(field.expires_at) {
                return Some(field);
            }
        }
    }

    /// In one go: what kind of hash it is is asked once.
    #[inline]
    fn fold<B, F: FnMut(B, Field<'a>) -> B>(mut self, init: B, mut join: F) -> B {
        let mut joined = init;
        if let Source::Pairs(items) = &mut self.source {
            while let (Some(name), Some(value)) = (items.next(), items.next()) {
                let field = Field {
                    name,
                    value,
                    expires_at: None,
                };
                joined = join(joined, field);
            }
            return joined;
        }
        for field in self {
            joined = join(joined, field);
        }
        joined
    }
}
