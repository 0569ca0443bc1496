//! ZRANGE and its older forms, and ZRANGESTORE: every range becomes a range of ranks, which is then read in a direction.

use std::ops::Range;

use super::{
    Scores, limits, parse_lex_range, parse_score_range, reply_members, reply_members_head,
    store_result,
};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::structures::sorted_set::{Direction, LexRange, ScoreRange, SortedSet};

/// What a range is a range of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// A range as it was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'r> {
    /// First and last rank, counted in the direction of reading, from the end when negative.
    Ranks(i64, i64),
    /// Scores.
    Scores(ScoreRange),
    /// Members.
    Members(LexRange<'r>),
}

impl Wanted<'_> {
    /// The ranks that are meant.
    pub fn ranks(&self, set: &SortedSet, direction: Direction) -> Range<usize> {
        match self {
            Self::Ranks(first, last) => ranks_between(*first, *last, set.len(), direction),
            Self::Scores(range) => set.ranks_by_score(range),
            Self::Members(range) => set.ranks_by_lex(range, direction),
        }
    }
}

/// Ranks from `first` to `last`, both included, of `len` members.
fn ranks_between(first: i64, last: i64, len: usize, direction: Direction) -> Range<usize> {
    let len = len as i64;
    let from_start = |rank: i64| if rank < 0 { len + rank } else { rank };
    let (first, last) = (from_start(first).max(0), from_start(last).min(len - 1));
    if first > last {
        return 0..0;
    }
    let (start, end) = match direction {
        Direction::Up => (first, last + 1),
        Direction::Down => (len - 1 - last, len - first),
    };
    start as usize..end as usize
}

/// The older commands say in their names what ZRANGE is told by options.
#[derive(Debug, Clone, Copy)]
struct Options {
    by: Option<By>,
    direction: Option<Direction>,
    scores: Scores,
    offset: i64,
    /// Negative for no limit.
    limit: i64,
}

/// A request for a part of a sorted set.
struct Request<'r> {
    wanted: Wanted<'r>,
    direction: Direction,
    options: Options,
}

impl Options {
    fn new(by: Option<By>, direction: Option<Direction>) -> Self {
        Self {
            by,
            direction,
            scores: Scores::Without,
            offset: 0,
            limit: -1,
        }
    }

    /// Reads options from an argument on.
    fn parse(mut self, call: &Call, mut at: usize, stores: bool) -> Result<Self, CommandError> {
        let args = call.args;
        while at < args.len() {
            if !stores && args.is(at, "WITHSCORES") {
                self.scores = Scores::With;
            } else if args.is(at, "LIMIT") && at + 2 < args.len() {
                (self.offset, self.limit) = (call.integer(at + 1)?, call.integer(at + 2)?);
                at += 2;
            } else if self.direction.is_none() && args.is(at, "REV") {
                self.direction = Some(Direction::Down);
            } else if self.by.is_none() && args.is(at, "BYLEX") {
                self.by = Some(By::Member);
            } else if self.by.is_none() && args.is(at, "BYSCORE") {
                self.by = Some(By::Score);
            } else {
                return Err(CommandError::Syntax);
            }
            at += 1;
        }
        Ok(self)
    }

    /// Skips and limits what has been found.
    fn cut(&self, ranks: Range<usize>, direction: Direction) -> Range<usize> {
        let Ok(offset) = usize::try_from(self.offset) else {
            return 0..0;
        };
        let offset = offset.min(ranks.len());
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let count = (ranks.len() - offset).min(most);
        match direction {
            Direction::Up => ranks.start + offset..ranks.start + offset + count,
            Direction::Down => ranks.end - offset - count..ranks.end - offset,
        }
    }
}

impl<'r> Request<'r> {
    /// Reads the bounds from an argument on, and the options behind them.
    fn parse(
        call: &Call<'r, '_>,
        at: usize,
        options: Options,
        stores: bool,
    ) -> Result<Self, CommandError> {
        let options = options.parse(call, at + 2, stores)?;
        let by = options.by.unwrap_or(By::Rank);
        let direction = options.direction.unwrap_or(Direction::Up);
        if options.limit != -1 && by == By::Rank {
            return Err(CommandError::text(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if options.scores == Scores::With && by == By::Member {
            return Err(CommandError::text(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (first, second) = (call.args.at(at), call.args.at(at + 1));
        let (min, max) = match direction {
            Direction::Up => (first, second),
            Direction::Down => (second, first),
        };
        let wanted = match by {
            By::Rank => Wanted::Ranks(call.integer(at)?, call.integer(at + 1)?),
            By::Score => Wanted::Scores(parse_score_range(min, max)?),
            By::Member => Wanted::Members(parse_lex_range(min, max)?),
        };
        Ok(Self {
            wanted,
            direction,
            options,
        })
    }

    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let ranks = self.wanted.ranks(set, self.direction);
        match self.wanted {
            Wanted::Ranks(..) => ranks,
            _ => self.options.cut(ranks, self.direction),
        }
    }
}

fn reply_range(call: &mut Call, options: Options) -> CommandResult {
    let request = Request::parse(call, 2, options, false)?;
    let key = call.key(0);
    call.note_miss(key);
    let scores = request.options.scores;
    match call.db.read_as::<SortedSet>(key)? {
        Some(set) => {
            let entries = set.entries(request.ranks(set), request.direction);
            reply_members(call.reply, entries, scores);
        }
        None => reply_members_head(call.reply, 0, scores),
    }
    Ok(())
}

pub(super) fn zrange(call: &mut Call) -> CommandResult {
    reply_range(call, Options::new(None, None))
}

pub(super) fn zrangebyscore(call: &mut Call) -> CommandResult {
    reply_range(call, Options::new(Some(By::Score), Some(Direction::Up)))
}

pub(super) fn zrangebylex(call: &mut Call) -> CommandResult {
    reply_range(call, Options::new(Some(By::Member), Some(Direction::Up)))
}

pub(super) fn zrevrange(call: &mut Call) -> CommandResult {
    reply_range(call, Options::new(Some(By::Rank), Some(Direction::Down)))
}

pub(super) fn zrevrangebyscore(call: &mut Call) -> CommandResult {
    reply_range(call, Options::new(Some(By::Score), Some(Direction::Down)))
}

pub(super) fn zrevrangebylex(call: &mut Call) -> CommandResult {
    reply_range(call, Options::new(Some(By::Member), Some(Direction::Down)))
}

pub(super) fn zrangestore(call: &mut Call) -> CommandResult {
    let request = Request::parse(call, 3, Options::new(None, None), true)?;
    let (destination, source) = (call.key(0), call.key(1));
    let limits = limits(call.config);
    call.note_miss(source);
    let mut stored = SortedSet::default();
    if let Some(set) = call.db.read_as::<SortedSet>(source)? {
        let ranks = request.ranks(set);
        stored.expect(ranks.len(), limits);
        let mut buffer = itoa::Buffer::new();
        for (member, score) in set.entries(ranks, Direction::Up) {
            stored.set(member.as_bytes(&mut buffer), score, limits);
        }
    }
    store_result(call, destination, stored, event::zset("zrangestore"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_from_either_end() {
        use Direction::{Down, Up};
        for (first, last, direction, expected) in [
            (0, -1, Up, 0..10),
            (0, -1, Down, 0..10),
            (0, 2, Down, 7..10),
            (-3, -2, Up, 7..9),
            (-3, -2, Down, 1..3),
            (-99, 99, Up, 0..10),
            (5, 4, Up, 0..0),
            (10, 20, Up, 0..0),
            (i64::MIN, i64::MIN, Up, 0..0),
            (i64::MIN, i64::MAX, Down, 0..10),
        ] {
            assert_eq!(ranks_between(first, last, 10, direction), expected);
        }
        assert_eq!(ranks_between(0, -1, 0, Up), 0..0);
    }

    #[test]
    fn limits_cut_from_where_reading_begins() {
        let options = Options {
            offset: 2,
            limit: 3,
            ..Options::new(None, None)
        };
        assert_eq!(options.cut(10..20, Direction::Up), 12..15);
        assert_eq!(options.cut(10..20, Direction::Down), 15..18);
        assert_eq!(options.cut(10..11, Direction::Down).len(), 0);
        let backwards = Options {
            offset: -1,
            ..options
        };
        assert_eq!(backwards.cut(10..20, Direction::Up).len(), 0);
    }
}
