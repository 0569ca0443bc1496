//! Few members: pairs of member and score in a listpack, in their order, byte for byte as Redis lays them out.

use std::cmp::Ordering;
use std::ops::Range;

use super::range::{LexRange, ScoreRange};
use super::tree::Direction;
use crate::base::numbers::{FloatText, format_f64};
use crate::structures::listpack::{Cursor, Item, Iter, Listpack};

/// Members with their scores.
#[derive(Debug, Clone, Default)]
pub(super) struct Packed {
    pairs: Listpack,
}

/// The integer that a score is kept as; the sign of a zero is lost there, as it is in Redis.
fn as_integer(score: f64) -> Option<i64> {
    // Half of what an i64 holds.
    const MOST: f64 = 4_611_686_018_427_387_904.0;
    let is_whole = (-MOST..=MOST).contains(&score) && score.trunc() == score;
    is_whole.then_some(score as i64)
}

fn text_of(score: f64) -> FloatText {
    match as_integer(score) {
        Some(0) => FloatText::from_slice(b"0"),
        _ => format_f64(score),
    }
}

fn score_of(item: Item<'_>) -> f64 {
    match item {
        Item::Int(score) => score as f64,
        // Nobody but this file, and what it has validated, writes scores.
        Item::Str(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_default(),
    }
}

fn compare(item: Item<'_>, member: &[u8]) -> Ordering {
    item.as_bytes(&mut itoa::Buffer::new()).cmp(member)
}

impl Packed {
    /// Takes pairs from outside; `None` unless they are members with numbers, in their order, none twice.
    pub fn from_listpack(pairs: Listpack) -> Option<Self> {
        let packed = Self { pairs };
        if !packed.pairs.len().is_multiple_of(2) {
            return None;
        }
        let mut items = packed.pairs.iter();
        let mut last: Option<(f64, Vec<u8>)> = None;
        let mut seen = std::collections::HashSet::new();
        while let (Some(member), Some(score)) = (items.next(), items.next()) {
            let score = match score {
                Item::Int(score) => score as f64,
                Item::Str(text) => std::str::from_utf8(text).ok()?.parse().ok()?,
            };
            let member = member.as_bytes(&mut itoa::Buffer::new()).to_vec();
            let is_behind = last.is_none_or(|last| last < (score, member.clone()));
            if score.is_nan() || !is_behind || !seen.insert(member.clone()) {
                return None;
            }
            last = Some((score, member));
        }
        Some(packed)
    }

    pub fn listpack(&self) -> &Listpack {
        &self.pairs
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.pairs.len() / 2
    }

    pub fn has_room_for(&self, member: &[u8]) -> bool {
        self.pairs.has_room_for(member.len())
    }

    /// Where a member stands, and its score.
    #[inline]
    pub fn find(&self, member: &[u8]) -> Option<(Cursor, f64)> {
        let at = self.pairs.find_skipping(member, 1)?;
        let score = self.pairs.at(self.pairs.next(at)?)?;
        Some((at, score_of(score)))
    }

    /// Members with their scores.
    pub fn iter(&self) -> Pairs<'_> {
        self.pairs_in(0..self.len(), Direction::Up)
    }

    /// Those with these ranks, the first given being the lowest or the highest of them.
    pub fn pairs_in(&self, ranks: Range<usize>, direction: Direction) -> Pairs<'_> {
        let (mut items, left) = (self.pairs.iter(), ranks.len());
        match direction {
            Direction::Up => (0..2 * ranks.start).for_each(|_| {
                items.next();
            }),
            Direction::Down => (0..2 * (self.len() - ranks.end)).for_each(|_| {
                items.next_back();
            }),
        }
        Pairs {
            items,
            left,
            direction,
        }
    }

    /// How many stand before a member, which is there.
    pub fn rank(&self, member: &[u8]) -> usize {
        self.iter()
            .position(|(item, _)| item.is(member))
            .unwrap_or_default()
    }

    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        let mut scores = self.iter().map(|(_, score)| score).enumerate();
        let first = scores.find(|(_, score)| !range.is_above(*score));
        let Some((start, _)) = first.filter(|(_, score)| range.reaches(*score)) else {
            return 0..0;
        };
        let end = scores.find(|(_, score)| !range.reaches(*score));
        start..end.map_or(self.len(), |(end, _)| end)
    }

    /// Where scores differ the range has no meaning; then it is what Redis finds, searching from either end.
    pub fn ranks_by_lex(&self, range: &LexRange<'_>, direction: Direction) -> Range<usize> {
        let in_range = |item: Item<'_>| {
            let mut buffer = itoa::Buffer::new();
            let member = item.as_bytes(&mut buffer);
            (!range.is_above(member), range.reaches(member))
        };
        let len = self.len();
        let ends = [Direction::Up, Direction::Down]
            .map(|direction| self.pairs_in(0..len, direction).next());
        let [Some((first, _)), Some((last, _))] = ends else {
            return 0..0;
        };
        if range.is_void() || !in_range(last).0 || !in_range(first).1 {
            return 0..0;
        }
        let mut pairs = self.pairs_in(0..len, direction).enumerate();
        let inside = |(from, to): (bool, bool)| match direction {
            Direction::Up => (from, to),
            Direction::Down => (to, from),
        };
        let Some((start, (first, _))) = pairs.find(|(_, (item, _))| inside(in_range(*item)).0)
        else {
            return 0..0;
        };
        if !inside(in_range(first)).1 {
            return 0..0;
        }
        let end = pairs.find(|(_, (item, _))| !inside(in_range(*item)).1);
        let end = end.map_or(len, |(end, _)| end);
        match direction {
            Direction::Up => start..end,
            Direction::Down => len - end..len - start,
        }
    }

    /// Adds a member that is not there.
    pub fn insert(&mut self, member: &[u8], score: f64) {
        let Some(at) = self.place_for(member, score) else {
            return self.push(member, score);
        };
        let at = self.pairs.insert(at, member);
        self.pairs.insert_after(at, &text_of(score));
    }

    /// Adds a member behind all others.
    pub fn push(&mut self, member: &[u8], score: f64) {
        self.pairs.push_back(member);
        self.pairs.push_back(&text_of(score));
    }

    /// The first pair behind.
    fn place_for(&self, member: &[u8], score: f64) -> Option<Cursor> {
        let mut next = self.pairs.first();
        while let Some(at) = next {
            let second = self.pairs.next(at)?;
            let known = score_of(self.pairs.at(second)?);
            if known > score
                || (known == score && compare(self.pairs.at(at)?, member) == Ordering::Greater)
            {
                return Some(at);
            }
            next = self.pairs.next(second);
        }
        None
    }

    /// Takes out what was found.
    pub fn remove(&mut self, at: Cursor) {
        self.pairs.remove_from(at, 2);
    }

    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        self.pairs.remove_range(2 * ranks.start, 2 * ranks.len());
    }

    pub fn allocated(&self) -> usize {
        self.pairs.allocated()
    }
}

/// Members with their scores, in either direction.
#[derive(Debug, Clone)]
pub(super) struct Pairs<'a> {
    items: Iter<'a>,
    left: usize,
    direction: Direction,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, f64)> {
        self.left = self.left.checked_sub(1)?;
        match self.direction {
            Direction::Up => {
                let member = self.items.next()?;
                Some((member, score_of(self.items.next()?)))
            }
            Direction::Down => {
                let score = score_of(self.items.next_back()?);
                Some((self.items.next_back()?, score))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Pairs<'_> {}
