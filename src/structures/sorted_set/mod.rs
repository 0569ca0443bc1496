//! Sorted sets: members in the order of their scores, then of their bytes.
//!
//! Few short members are `packed` in a listpack. Others are `indexed`: `slab` holds members and scores, `lookup` finds
//! them by hash, `tree` keeps them in order. Ranges of scores or members become ranges of ranks first, so all that
//! deals with ranges knows only ranks. What somebody is shown bit by bit while it changes says `owed`.

mod indexed;
mod lookup;
mod owed;
mod packed;
mod range;
mod slab;
#[cfg(test)]
mod tests;
mod tree;

use std::ops::Range;

pub use self::indexed::Gathering;
use self::indexed::Indexed;
use self::packed::{Packed, Pairs};
pub use self::range::{LexBound, LexRange, ScoreRange};
pub use self::tree::Direction;
use self::tree::Walk;
use super::Kept;
use super::listpack::{Item, Listpack};

/// Up to what size a sorted set stays packed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Members.
    pub entries: usize,
    /// Bytes of a member.
    pub value: usize,
}

/// What became of a member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// Nothing: it was not wanted.
    Refused,
    /// It had this score already.
    Kept(f64),
    /// It got another score.
    Updated(f64),
    /// It is new.
    Added(f64),
}

/// Members in the order of their scores.
#[derive(Debug, Clone)]
pub struct SortedSet {
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Packed(Packed),
    Indexed(Box<Indexed>),
}

impl Default for SortedSet {
    fn default() -> Self {
        Self {
            form: Form::Packed(Packed::default()),
        }
    }
}

impl SortedSet {
    /// No member yet, but so many soon, the first of so many bytes.
    pub fn for_members(count: usize, first: usize, limits: Limits) -> Self {
        let mut set = Self::default();
        if count > limits.entries || first > limits.value {
            set.unpack();
        }
        set
    }

    /// Members gathered in any order.
    pub fn of_gathered(gathered: Gathering, limits: Limits) -> Self {
        let mut set = Self {
            form: Form::Indexed(Box::new(gathered.sorted())),
        };
        let is_short = |(member, _): (Item<'_>, f64)| member.len() <= limits.value;
        if set.len() <= limits.entries && set.iter().all(is_short) {
            set.pack();
        }
        set
    }

    /// Takes a listpack from outside, of pairs of member and score; `None` unless they are in their order.
    pub fn from_listpack(pairs: Listpack) -> Option<Self> {
        Some(Self {
            form: Form::Packed(Packed::from_listpack(pairs)?),
        })
    }

    /// The pairs of member and score, while they are packed.
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match &self.form {
            Form::Packed(packed) => Some(packed.listpack()),
            Form::Indexed(_) => None,
        }
    }

    /// Makes ready for so many more members in one command: Redis gives up packing before it begins.
    pub fn expect(&mut self, count: usize, limits: Limits) {
        if count > limits.entries {
            self.unpack();
        }
    }

    /// Whether members of these lengths can be added: what must be asked before it is done.
    pub fn has_room_for(&self, lengths: impl Iterator<Item = usize>) -> bool {
        match &self.form {
            // So many do not fit a request.
            Form::Packed(_) => true,
            Form::Indexed(indexed) => indexed.has_room_for(lengths),
        }
    }

    /// Gives up packing.
    pub fn unpack(&mut self) {
        let Form::Packed(packed) = &self.form else {
            return;
        };
        let mut gathered = Gathering::default();
        let mut buffer = itoa::Buffer::new();
        for (member, score) in packed.iter() {
            gathered.add(member.as_bytes(&mut buffer), score, |_, score| score);
        }
        self.form = Form::Indexed(Box::new(gathered.sorted()));
    }

    fn pack(&mut self) {
        let mut packed = Packed::default();
        for (member, score) in self.entries(0..self.len(), Direction::Up) {
            packed.push(member.as_bytes(&mut itoa::Buffer::new()), score);
        }
        self.form = Form::Packed(packed);
    }

    /// The encoding, as Redis names it.
    pub fn encoding(&self) -> &'static str {
        match &self.form {
            Form::Packed(_) => "listpack",
            Form::Indexed(_) => "skiplist",
        }
    }

    /// Whether it has many members, found by their hashes.
    pub fn is_indexed(&self) -> bool {
        matches!(self.form, Form::Indexed(_))
    }

    /// Brings what finding the members of these [hashes](crate::base::hash::hash) will look at into the cache.
    pub fn prefetch(&self, hashes: &[u64]) {
        if let Form::Indexed(indexed) = &self.form {
            indexed.prefetch(hashes);
        }
    }

    /// Bytes of its allocations, without the structure itself.
    pub fn allocated(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.allocated(),
            Form::Indexed(indexed) => indexed.allocated(),
        }
    }

    /// About how many small allocations freeing takes.
    pub fn free_effort(&self) -> usize {
        match &self.form {
            Form::Packed(_) => 1,
            Form::Indexed(indexed) => indexed.allocations(),
        }
    }

    /// Members.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.len(),
            Form::Indexed(indexed) => indexed.len(),
        }
    }

    /// Whether there is no member. A key whose value is empty does not exist.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A member's score.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.form {
            Form::Packed(packed) => packed.find(member).map(|(_, score)| score),
            Form::Indexed(indexed) => indexed.score(member),
        }
    }

    /// How many stand before a member, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.form {
            Form::Packed(packed) => {
                let (_, score) = packed.find(member)?;
                Some((packed.rank(member), score))
            }
            Form::Indexed(indexed) => indexed.rank(member),
        }
    }

    /// Gives a member the score that `decide` makes of the one that it has; `None` leaves everything as it is.
    pub fn update<E>(
        &mut self,
        member: &[u8],
        limits: Limits,
        decide: impl FnOnce(Option<f64>) -> Result<Option<f64>, E>,
    ) -> Result<Change, E> {
        match &mut self.form {
            Form::Packed(packed) => {
                let found = packed.find(member);
                let known = found.map(|(_, score)| score);
                let Some(score) = decide(known)? else {
                    return Ok(Change::Refused);
                };
                let change = Change::from(known, score);
                match (change, found) {
                    (Change::Updated(_), Some((at, _))) => {
                        packed.remove(at);
                        packed.insert(member, score);
                    }
                    (Change::Added(_), _) => self.add(member, score, limits),
                    _ => {}
                }
                Ok(change)
            }
            Form::Indexed(indexed) => {
                let place = indexed.place(member);
                let known = indexed.score_at(&place);
                let Some(score) = decide(known)? else {
                    return Ok(Change::Refused);
                };
                let change = Change::from(known, score);
                if !matches!(change, Change::Kept(_)) {
                    indexed.set(&place, member, score);
                }
                Ok(change)
            }
        }
    }

    /// Gives a member a score.
    pub fn set(&mut self, member: &[u8], score: f64, limits: Limits) -> Change {
        let decided = self.update(member, limits, |_| {
            Ok::<_, std::convert::Infallible>(Some(score))
        });
        decided.unwrap_or(Change::Refused)
    }

    /// Adds a member that is not there to a packed set, which may become too big for that.
    fn add(&mut self, member: &[u8], score: f64, limits: Limits) {
        if let Form::Packed(packed) = &mut self.form
            && packed.len() < limits.entries
            && member.len() <= limits.value
            && packed.has_room_for(member)
        {
            return packed.insert(member, score);
        }
        self.unpack();
        if let Form::Indexed(indexed) = &mut self.form {
            let place = indexed.place(member);
            indexed.set(&place, member, score);
        }
    }

    /// Takes a member out; gives its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.form {
            Form::Packed(packed) => {
                let (at, score) = packed.find(member)?;
                packed.remove(at);
                Some(score)
            }
            Form::Indexed(indexed) => indexed.remove(member),
        }
    }

    /// Takes out all members with these ranks, which are there.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        match &mut self.form {
            Form::Packed(packed) => packed.remove_ranks(ranks),
            Form::Indexed(indexed) => indexed.remove_ranks(ranks),
        }
    }

    /// The ranks of the members with scores in a range.
    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        match &self.form {
            Form::Packed(packed) => packed.ranks_by_score(range),
            Form::Indexed(indexed) => indexed.ranks_by_score(range),
        }
    }

    /// The ranks of the members in a range, all scores being equal. Where they are not, the range has no meaning, and the
    /// direction in which it will be read may make a difference.
    pub fn ranks_by_lex(&self, range: &LexRange<'_>, direction: Direction) -> Range<usize> {
        match &self.form {
            Form::Packed(packed) => packed.ranks_by_lex(range, direction),
            Form::Indexed(indexed) => indexed.ranks_by_lex(range),
        }
    }

    /// Members with these ranks, the first given being the lowest or the highest of them. All of them are there.
    pub fn entries(&self, ranks: Range<usize>, direction: Direction) -> Entries<'_> {
        Entries(match &self.form {
            Form::Packed(packed) => Source::Packed(packed.pairs_in(ranks, direction)),
            Form::Indexed(indexed) => Source::Indexed(indexed, indexed.walk(ranks, direction)),
        })
    }

    /// All members, from the lowest to the highest.
    pub fn iter(&self) -> Entries<'_> {
        self.entries(0..self.len(), Direction::Up)
    }

    /// Shows members from a cursor on, about `count` of them; gives the next cursor, 0 at the end. Members that are there
    /// all the time are shown, whatever happens between calls. A packed set is shown as a whole.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(Item<'_>, f64)) -> u64 {
        match &self.form {
            Form::Packed(packed) => {
                packed
                    .iter()
                    .for_each(|(member, score)| show(member, score));
                0
            }
            Form::Indexed(indexed) => indexed.scan(cursor, count, |member, score| {
                show(Item::Str(member), score);
            }),
        }
    }

    // ---- While somebody looks at it as it was; only for one that is indexed.

    /// Has all members but the `shown` highest kept with their scores, until [`SortedSet::pay`] has shown them.
    pub fn owe(&mut self, shown: usize) {
        if let Form::Indexed(indexed) = &mut self.form {
            indexed.owe(shown);
        }
    }

    /// Whether members are kept that have not been shown.
    #[cfg(test)]
    pub fn is_owing(&self) -> bool {
        matches!(&self.form, Form::Indexed(indexed) if indexed.is_owing())
    }

    /// Shows about so many of the kept members with their scores, each once; true at the end, with which [`SortedSet::forgive`]
    /// has to follow.
    pub fn pay(&mut self, count: usize, show: impl FnMut(&[u8], f64)) -> bool {
        match &mut self.form {
            Form::Indexed(indexed) => indexed.pay(count, show),
            Form::Packed(_) => true,
        }
    }

    /// Keeps nothing any longer; gives what it kept.
    pub fn forgive(&mut self) -> Option<Kept> {
        match &mut self.form {
            Form::Indexed(indexed) => indexed.forgive(),
            Form::Packed(_) => None,
        }
    }
}

impl Change {
    #[inline]
    fn from(known: Option<f64>, score: f64) -> Self {
        match known {
            None => Self::Added(score),
            Some(known) if known == score => Self::Kept(score),
            Some(_) => Self::Updated(score),
        }
    }
}

enum Source<'a> {
    Packed(Pairs<'a>),
    Indexed(&'a Indexed, Walk<'a>),
}

/// Members with their scores, in either direction.
pub struct Entries<'a>(Source<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, f64)> {
        match &mut self.0 {
            Source::Packed(pairs) => pairs.next(),
            Source::Indexed(indexed, walk) => {
                let (score, id) = walk.next()?;
                Some((Item::Str(indexed.member(id)), score))
            }
        }
    }

    /// In one go: what kind of set it is is asked once.
    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, mut join: F) -> B {
        match self.0 {
            Source::Packed(pairs) => pairs.fold(init, join),
            Source::Indexed(indexed, walk) => walk.fold(init, |joined, (score, id)| {
                join(joined, (Item::Str(indexed.member(id)), score))
            }),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Source::Packed(pairs) => pairs.size_hint(),
            Source::Indexed(_, walk) => walk.size_hint(),
        }
    }
}

impl ExactSizeIterator for Entries<'_> {}

impl<'a> Entries<'a> {
    /// The next member whose score is `wanted`, with what was made of the score. Members that are not are not looked at.
    #[inline]
    pub fn next_wanted<T>(
        &mut self,
        mut wanted: impl FnMut(f64) -> Option<T>,
    ) -> Option<(Item<'a>, T)> {
        match &mut self.0 {
            Source::Packed(pairs) => {
                pairs.find_map(|(member, score)| wanted(score).map(|made| (member, made)))
            }
            Source::Indexed(indexed, walk) => {
                let (id, made) = walk.find_map(|(score, id)| Some((id, wanted(score)?)))?;
                Some((Item::Str(indexed.member(id)), made))
            }
        }
    }
}
