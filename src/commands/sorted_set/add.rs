//! ZADD and ZINCRBY: members get scores, under conditions.

use smallvec::SmallVec;

use super::{TOO_BIG, limits, parse_score};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::resp::args::Args;
use crate::structures::sorted_set::{Change, Limits, SortedSet};

/// What ZADD is asked to do with each pair.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::commands) struct Rule {
    /// NX.
    pub only_new: bool,
    /// XX.
    pub only_known: bool,
    /// GT.
    pub only_greater: bool,
    /// LT.
    pub only_less: bool,
    /// INCR: scores are added to those known.
    pub adds: bool,
    /// CH: the reply counts updates, too.
    pub counts_updates: bool,
}

impl Rule {
    /// Reads options up to the first pair, and gives its place.
    fn parse(mut self, args: Args<'_>) -> Result<(Self, usize), CommandError> {
        let mut at = 2;
        loop {
            let option = match () {
                () if args.is(at, "NX") => &mut self.only_new,
                () if args.is(at, "XX") => &mut self.only_known,
                () if args.is(at, "GT") => &mut self.only_greater,
                () if args.is(at, "LT") => &mut self.only_less,
                () if args.is(at, "CH") => &mut self.counts_updates,
                () if args.is(at, "INCR") => &mut self.adds,
                () => break,
            };
            *option = true;
            at += 1;
        }
        let words = args.len().saturating_sub(at);
        if words == 0 || words % 2 == 1 {
            return Err(CommandError::Syntax);
        }
        self.check(words / 2)?;
        Ok((self, at))
    }

    fn check(self, pairs: usize) -> CommandResult {
        let text = if self.only_new && self.only_known {
            "ERR XX and NX options at the same time are not compatible"
        } else if (self.only_new && (self.only_greater || self.only_less))
            || (self.only_greater && self.only_less)
        {
            "ERR GT, LT, and/or NX options at the same time are not compatible"
        } else if self.adds && pairs > 1 {
            "ERR INCR option supports a single increment-element pair"
        } else {
            return Ok(());
        };
        Err(CommandError::text(text))
    }

    /// The score that a member gets; `None` leaves it alone.
    #[inline]
    fn decide(self, known: Option<f64>, score: f64) -> Result<Option<f64>, CommandError> {
        let Some(known) = known else {
            return Ok((!self.only_known).then_some(score));
        };
        if self.only_new {
            return Ok(None);
        }
        let score = if self.adds { known + score } else { score };
        if score.is_nan() {
            return Err(CommandError::text(
                "ERR resulting score is not a number (NaN)",
            ));
        }
        let is_refused =
            (self.only_less && score >= known) || (self.only_greater && score <= known);
        Ok((!is_refused).then_some(score))
    }
}

pub(super) fn zadd(call: &mut Call) -> CommandResult {
    add(call, Rule::default())
}

pub(super) fn zincrby(call: &mut Call) -> CommandResult {
    add(
        call,
        Rule {
            adds: true,
            ..Rule::default()
        },
    )
}

/// What became of all pairs.
#[derive(Default)]
struct Tally {
    added: usize,
    updated: usize,
    /// The score of the last pair that was not refused.
    score: Option<f64>,
}

fn add(call: &mut Call, rule: Rule) -> CommandResult {
    let (rule, first) = rule.parse(call.args)?;
    let mut pairs = SmallVec::<[(f64, &[u8]); 4]>::new();
    for at in (first..call.args.len()).step_by(2) {
        pairs.push((parse_score(call.args.at(at))?, call.args.at(at + 1)));
    }
    add_pairs(call, rule, &pairs)
}

/// Gives members scores, and replies as ZADD does.
pub(in crate::commands) fn add_pairs(
    call: &mut Call,
    rule: Rule,
    pairs: &[(f64, &[u8])],
) -> CommandResult {
    let tally = Tally::of(call, rule, pairs)?;
    let changes = tally.added + tally.updated;
    if changes > 0 {
        let name = if rule.adds { "zincr" } else { "zadd" };
        call.elements_changed(call.key(0), event::zset(name), changes);
    }
    match (rule.adds, tally.score) {
        (true, Some(score)) => call.reply.double(score),
        (true, None) => call.reply.null(),
        (false, _) if rule.counts_updates => call.reply.count(changes),
        (false, _) => call.reply.count(tally.added),
    }
    Ok(())
}

impl Tally {
    fn of(call: &mut Call, rule: Rule, pairs: &[(f64, &[u8])]) -> Result<Self, CommandError> {
        let (key, limits) = (call.key(0), limits(call.config));
        let mut tally = Self::default();
        if let Some(set) = call.db.change_as::<SortedSet>(key)? {
            let lengths = pairs.iter().map(|(_, member)| member.len());
            if !set.has_room_for(lengths) {
                return Err(CommandError::text(TOO_BIG));
            }
            tally.update(set, rule, pairs, limits)?;
        } else if !rule.only_known {
            let first = pairs.first().map_or(0, |(_, member)| member.len());
            let mut set = SortedSet::for_members(pairs.len(), first, limits);
            tally.update(&mut set, rule, pairs, limits)?;
            call.db.store(key, set);
            call.created(key);
        }
        Ok(tally)
    }

    fn update(
        &mut self,
        set: &mut SortedSet,
        rule: Rule,
        pairs: &[(f64, &[u8])],
        limits: Limits,
    ) -> CommandResult {
        set.expect(pairs.len(), limits);
        for &(score, member) in pairs {
            self.count(set.update(member, limits, |known| rule.decide(known, score))?);
        }
        Ok(())
    }

    fn count(&mut self, change: Change) {
        match change {
            Change::Refused => {}
            Change::Kept(score) => self.score = Some(score),
            Change::Updated(score) => {
                self.updated += 1;
                self.score = Some(score);
            }
            Change::Added(score) => {
                self.added += 1;
                self.score = Some(score);
            }
        }
    }
}
