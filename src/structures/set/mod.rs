//! Sets: members without order. Small ones are integers in order or a pack, big ones a table. What is read is read from a
//! [`View`]: a small set may lie where its owner has put its bytes.

pub mod intset;
#[cfg(test)]
mod tests;

use self::intset::{IntSet, Ints};
use super::listpack::{self, Item, Pack, PackBuf};
use super::table::{self, Elements, Head, Record};
use crate::base::hash::hash;
use crate::base::numbers::parse_i64;
use crate::base::random;

/// A pack may not be asked to hold more integers than this while it is made from an intset.
const MOST_BYTES_OF_AN_INTEGER: usize = 11;
/// The most members of an intset, whatever the configuration says.
const MOST_INTEGERS: usize = 1 << 30;

/// The head of a member in a table: it has none.
#[derive(Debug, Clone, Copy)]
pub struct Whole;

impl Head for Whole {}

/// A member in a table: its bytes.
pub type Member = Record<Whole>;

/// Up to which size the small encodings are used.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `set-max-intset-entries`.
    pub intset_entries: usize,
    /// `set-max-listpack-entries`.
    pub listpack_entries: usize,
    /// `set-max-listpack-value`.
    pub listpack_value: usize,
}

/// Members without order.
#[derive(Debug, Clone)]
pub enum Set {
    /// Integers only.
    Ints(IntSet),
    /// A few short members.
    Packed(PackBuf),
    /// Any members.
    Table(Box<Elements<Member>>),
}

/// A set to be read.
#[derive(Debug, Clone, Copy)]
pub enum View<'a> {
    /// Integers only.
    Ints(Ints<'a>),
    /// A few short members.
    Packed(Pack<'a>),
    /// Any members.
    Table(&'a Elements<Member>),
}

impl Default for Set {
    fn default() -> Self {
        Self::Ints(IntSet::default())
    }
}

impl<'a> View<'a> {
    /// Whether both are the same set, not only equal.
    pub fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Ints(one), Self::Ints(other)) => std::ptr::eq(one.bytes(), other.bytes()),
            (Self::Packed(one), Self::Packed(other)) => std::ptr::eq(one.bytes(), other.bytes()),
            (Self::Table(one), Self::Table(other)) => std::ptr::eq(one, other),
            _ => false,
        }
    }

    /// The encoding, as Redis names it.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Ints(_) => "intset",
            Self::Packed(_) => "listpack",
            Self::Table(_) => "hashtable",
        }
    }

    /// About how many small allocations freeing takes.
    pub fn free_effort(self) -> usize {
        match self {
            Self::Ints(_) | Self::Packed(_) => 1,
            Self::Table(table) => table.len(),
        }
    }

    /// Members.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::Packed(pack) => pack.len(),
            Self::Table(table) => table.len(),
        }
    }

    /// Whether there is no member. A key whose value is empty does not exist.
    pub fn is_empty(self) -> bool {
        match self {
            Self::Ints(ints) => ints.is_empty(),
            Self::Packed(pack) => pack.is_empty(),
            Self::Table(table) => table.is_empty(),
        }
    }

    /// Whether these bytes are a member.
    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            Self::Ints(ints) => parse_i64(member).is_some_and(|value| ints.contains(value)),
            Self::Packed(pack) => pack.find(member).is_some(),
            Self::Table(table) => table.find(member).is_some(),
        }
    }

    /// [`Set::contains`] for a member of another set.
    #[inline]
    pub fn contains_item(self, member: Item<'_>) -> bool {
        match (self, member) {
            (Self::Ints(ints), Item::Int(value)) => ints.contains(value),
            _ => self.contains(member.as_bytes(&mut itoa::Buffer::new())),
        }
    }

    /// All members.
    pub fn iter(self) -> Iter<'a> {
        match self {
            Self::Ints(ints) => Iter::Ints(ints, 0),
            Self::Packed(pack) => Iter::Packed(pack.iter()),
            Self::Table(table) => Iter::Table(table.iter()),
        }
    }

    /// A member chosen at random; `None` when there is none.
    pub fn random(self) -> Option<Item<'a>> {
        match self {
            Self::Ints(ints) if ints.is_empty() => None,
            Self::Ints(ints) => Some(Item::Int(
                ints.get(random::below(ints.len() as u64) as usize),
            )),
            Self::Packed(pack) => pack.get(random::below(pack.len() as u64) as usize),
            Self::Table(table) => table.random().map(|member| Item::Str(member.key())),
        }
    }

    /// Shows the members of a part of a table from `cursor` on, or all members of a small set; returns where to go on, or
    /// `None` at the end. A member that is there throughout a whole pass is shown, whatever else comes and goes.
    pub fn scan(self, cursor: u64, mut show: impl FnMut(Item<'a>)) -> Option<u64> {
        if let Self::Table(table) = self {
            return table.scan(cursor, |member| show(Item::Str(member.key())));
        }
        self.iter().for_each(show);
        None
    }
}

impl Set {
    /// The set, to be read.
    #[inline]
    pub fn view(&self) -> View<'_> {
        match self {
            Self::Ints(ints) => View::Ints(ints.view()),
            Self::Packed(pack) => View::Packed(pack.view()),
            Self::Table(table) => View::Table(table),
        }
    }

    /// [`View::len`]
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether it keeps what it was.
    #[cfg(test)]
    pub fn is_owing(&self) -> bool {
        matches!(self, Self::Table(table) if table.is_owing())
    }

    /// [`View::is_empty`]
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// [`View::contains`]
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.view().contains(member)
    }

    /// [`View::contains_item`]
    #[inline]
    pub fn contains_item(&self, member: Item<'_>) -> bool {
        self.view().contains_item(member)
    }

    /// [`View::iter`]
    pub fn iter(&self) -> Iter<'_> {
        self.view().iter()
    }

    /// [`View::random`]
    pub fn random(&self) -> Option<Item<'_>> {
        self.view().random()
    }

    /// An empty set in the encoding that suits its first member and about so many others.
    pub fn for_members(first: &[u8], count: usize, limits: &Limits) -> Self {
        if count <= limits.intset_entries && parse_i64(first).is_some() {
            Self::default()
        } else if count <= limits.listpack_entries {
            Self::Packed(PackBuf::default())
        } else {
            Self::Table(Box::default())
        }
    }

    /// Bytes of its allocations, without the structure itself.
    pub fn allocated(&self) -> usize {
        match self {
            Self::Ints(ints) => ints.allocated(),
            Self::Packed(pack) => pack.allocated(),
            Self::Table(table) => {
                let members: usize = table.iter().map(|member| member.allocated()).sum();
                table.allocated() + members
            }
        }
    }

    /// Prepares for about so many new members: those that will not fit a small encoding need not go through it.
    pub fn expect(&mut self, count: usize, limits: &Limits) {
        let most = match self {
            Self::Ints(_) => limits.intset_entries,
            Self::Packed(_) => limits.listpack_entries,
            Self::Table(_) => return,
        };
        if count > most {
            self.make_table();
        }
    }

    /// Adds a member; false when it is there already.
    #[inline]
    pub fn add(&mut self, member: &[u8], limits: &Limits) -> bool {
        if let Self::Table(table) = self {
            let hash = hash(member);
            if table.find_hashed(hash, member).is_some() {
                return false;
            }
            table.insert_hashed(hash, Record::new(Whole, &[member]));
            return true;
        }
        self.add_to_small(Item::of(member), member, limits)
    }

    /// [`Set::add`] for a member of another set.
    pub fn add_item(&mut self, member: Item<'_>, limits: &Limits) -> bool {
        match (&mut *self, member) {
            (Self::Ints(_), Item::Int(_)) => self.add_to_small(member, b"", limits),
            _ => self.add(member.as_bytes(&mut itoa::Buffer::new()), limits),
        }
    }

    fn add_to_small(&mut self, item: Item<'_>, member: &[u8], limits: &Limits) -> bool {
        match self {
            Self::Ints(ints) => {
                let Item::Int(value) = item else {
                    self.leave_integers(member.len(), limits);
                    return self.add(member, limits);
                };
                if !ints.insert(value) {
                    return false;
                }
                if ints.len() > limits.intset_entries.min(MOST_INTEGERS) {
                    self.make_table();
                }
                true
            }
            Self::Packed(pack) => {
                if pack.view().find(member).is_some() {
                    return false;
                }
                let fits = pack.view().len() < limits.listpack_entries
                    && member.len() <= limits.listpack_value
                    && pack.view().has_room_for(member.len());
                if fits {
                    pack.push_back(member);
                    return true;
                }
                self.make_table();
                self.add(member, limits)
            }
            Self::Table(_) => self.add(member, limits),
        }
    }

    /// An intset is about to take a member of `len` bytes that is no integer.
    fn leave_integers(&mut self, len: usize, limits: &Limits) {
        let Self::Ints(ints) = self else { return };
        let longest = [ints.first(), ints.last()]
            .iter()
            .flatten()
            .map(|&value| Item::Int(value).len())
            .max();
        let mut pack = PackBuf::default();
        let fits = ints.len() < limits.listpack_entries
            && len.max(longest.unwrap_or(0)) <= limits.listpack_value
            && pack
                .view()
                .has_room_for((ints.len() + 1).saturating_mul(MOST_BYTES_OF_AN_INTEGER) + len);
        if !fits {
            return self.make_table();
        }
        ints.iter()
            .for_each(|value| pack.push_item(Item::Int(value)));
        *self = Self::Packed(pack);
    }

    fn make_table(&mut self) {
        let mut table: Box<Elements<Member>> = Box::default();
        for member in self.iter() {
            let mut buffer = itoa::Buffer::new();
            table.insert(Record::new(Whole, &[member.as_bytes(&mut buffer)]));
        }
        *self = Self::Table(table);
    }

    /// Turns a set of nothing but integers into an intset, if it may be one.
    pub fn make_integers(&mut self, limits: &Limits) {
        if matches!(self, Self::Ints(_)) || self.len() > limits.intset_entries.min(MOST_INTEGERS) {
            return;
        }
        let mut ints = IntSet::default();
        for member in self.iter() {
            let value = match member {
                Item::Int(value) => Some(value),
                Item::Str(text) => parse_i64(text),
            };
            let Some(value) = value else { return };
            ints.insert(value);
        }
        *self = Self::Ints(ints);
    }

    /// Chooses the encoding anew, as for a set that is being made; not while somebody looks at it as it was.
    pub fn settle(&mut self, limits: &Limits) {
        if let Self::Table(table) = self
            && table.len() <= limits.listpack_entries
            && !table.is_owing()
        {
            let mut settled = Self::Packed(PackBuf::default());
            for member in table.iter() {
                settled.add(member.key(), limits);
            }
            *self = settled;
        }
    }

    /// Removes a member; false when it is not there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Self::Ints(ints) => parse_i64(member).is_some_and(|value| ints.remove(value)),
            Self::Packed(pack) => {
                let found = pack.view().find(member);
                found.is_some_and(|at| {
                    pack.remove_from(at, 1);
                    true
                })
            }
            Self::Table(table) => table.take(member).is_some(),
        }
    }

    /// [`Set::remove`] for a member of another set.
    pub fn remove_item(&mut self, member: Item<'_>) -> bool {
        match (&mut *self, member) {
            (Self::Ints(ints), Item::Int(value)) => ints.remove(value),
            _ => self.remove(member.as_bytes(&mut itoa::Buffer::new())),
        }
    }
}

/// Goes through a set's members.
pub enum Iter<'a> {
    /// Integers, and the next.
    Ints(Ints<'a>, usize),
    /// A pack.
    Packed(listpack::Elements<'a>),
    /// A table.
    Table(table::Iter<'a, Member>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Self::Ints(ints, at) => {
                let value = (*at < ints.len()).then(|| ints.get(*at))?;
                *at += 1;
                Some(Item::Int(value))
            }
            Self::Packed(pack) => pack.next(),
            Self::Table(table) => table.next().map(|member| Item::Str(member.key())),
        }
    }

    /// In one go: what kind of set it is is asked once.
    #[inline]
    fn fold<B, F: FnMut(B, Item<'a>) -> B>(self, init: B, join: F) -> B {
        match self {
            Self::Ints(ints, at) => (at..ints.len())
                .map(|at| Item::Int(ints.get(at)))
                .fold(init, join),
            Self::Packed(pack) => pack.fold(init, join),
            Self::Table(table) => table.map(|member| Item::Str(member.key())).fold(init, join),
        }
    }
}
