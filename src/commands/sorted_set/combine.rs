//! Unions, intersections and differences of sorted sets and sets, with their STORE forms and ZINTERCARD.

use super::{Scores, TOO_BIG, limits, parse_score, reply_members, store_result};
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::{Db, Key};
use crate::structures::listpack::Item;
use crate::structures::set::{self, Set};
use crate::structures::sorted_set::{Gathering, SortedSet};

/// How several become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// How the scores of one member become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
    /// How many have the member: scores do not count, weights do.
    Count,
}

impl Aggregate {
    /// What an input's score counts as.
    fn counts(self, score: f64) -> f64 {
        if self == Self::Count { 1.0 } else { score }
    }

    fn join(self, known: f64, score: f64) -> f64 {
        match self {
            // Infinities of both signs cancel each other.
            Self::Sum | Self::Count => or_zero(known + score),
            Self::Min if score < known => score,
            Self::Max if score > known => score,
            Self::Min | Self::Max => known,
        }
    }
}

fn or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// What becomes of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Reply,
    Store,
    Count,
}

/// What a command asks for.
struct Request {
    weights: Vec<f64>,
    aggregate: Aggregate,
    scores: Scores,
    /// Members counted at most; 0 for all.
    limit: usize,
}

impl Request {
    /// Reads the options behind `keys` keys, from an argument on.
    fn parse(
        call: &Call,
        mut at: usize,
        keys: usize,
        operation: Operation,
        purpose: Purpose,
    ) -> Result<Self, CommandError> {
        let args = call.args;
        let mut request = Self {
            weights: Vec::new(),
            aggregate: Aggregate::Sum,
            scores: Scores::Without,
            limit: 0,
        };
        let has_scores = operation != Operation::Difference && purpose != Purpose::Count;
        while at < args.len() {
            let left = args.len() - at;
            if has_scores && left > keys && args.is(at, "WEIGHTS") {
                request.weights = parse_weights(call, at + 1, keys)?;
                at += 1 + keys;
            } else if has_scores && left >= 2 && args.is(at, "AGGREGATE") {
                request.aggregate = match () {
                    () if args.is(at + 1, "SUM") => Aggregate::Sum,
                    () if args.is(at + 1, "MIN") => Aggregate::Min,
                    () if args.is(at + 1, "MAX") => Aggregate::Max,
                    () if args.is(at + 1, "COUNT") => Aggregate::Count,
                    () => return Err(CommandError::Syntax),
                };
                at += 2;
            } else if purpose == Purpose::Reply && args.is(at, "WITHSCORES") {
                request.scores = Scores::With;
                at += 1;
            } else if purpose == Purpose::Count && left >= 2 && args.is(at, "LIMIT") {
                let limit = parse_i64(args.at(at + 1)).and_then(|n| usize::try_from(n).ok());
                request.limit =
                    limit.ok_or_else(|| CommandError::text("ERR LIMIT can't be negative"))?;
                at += 2;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(request)
    }
}

fn parse_weights(call: &Call, at: usize, count: usize) -> Result<Vec<f64>, CommandError> {
    let weights = call.args.from(at).take(count).map(parse_score);
    weights
        .collect::<Result<_, _>>()
        .map_err(|_| CommandError::text("ERR weight value is not a float"))
}

/// An input: members with scores. Those of a plain set count as 1.
#[derive(Clone, Copy)]
enum Members<'a> {
    None,
    Scored(&'a SortedSet),
    Plain(set::View<'a>),
}

#[derive(Clone, Copy)]
struct Input<'a> {
    key: Key<'a>,
    members: Members<'a>,
    weight: f64,
}

impl Input<'_> {
    fn len(&self) -> usize {
        match self.members {
            Members::None => 0,
            Members::Scored(set) => set.len(),
            Members::Plain(set) => set.len(),
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self.members {
            Members::None => None,
            Members::Scored(set) => set.score(member),
            Members::Plain(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Shows members for as long as that is wanted.
    fn for_each(&self, mut show: impl FnMut(&[u8], f64) -> bool) {
        let mut buffer = itoa::Buffer::new();
        let mut goes_on =
            |(member, score): (Item<'_>, f64)| show(member.as_bytes(&mut buffer), score);
        match self.members {
            Members::None => {}
            Members::Scored(set) => {
                set.iter().all(&mut goes_on);
            }
            Members::Plain(set) => {
                set.iter().all(|member| goes_on((member, 1.0)));
            }
        }
    }
}

/// Looks at every input once, so that what has expired is gone and what has another type is refused.
fn touch(call: &mut Call, keys: &[Key<'_>]) -> CommandResult {
    for &key in keys {
        call.note_miss(key);
        match call.db.read(key).map(|entry| entry.type_name()) {
            None | Some("zset" | "set") => {}
            Some(_) => return Err(CommandError::WrongType),
        }
    }
    Ok(())
}

fn inputs<'a>(db: &'a Db<'_, '_>, keys: &[Key<'a>], weights: &[f64]) -> Vec<Input<'a>> {
    let members = |key| match (db.view_as::<SortedSet>(key), db.view_as::<Set>(key)) {
        (Ok(Some(set)), _) => Members::Scored(set),
        (_, Ok(Some(set))) => Members::Plain(set),
        _ => Members::None,
    };
    let weights = weights.iter().copied().chain(std::iter::repeat(1.0));
    keys.iter()
        .zip(weights)
        .map(|(&key, weight)| Input {
            key,
            members: members(key),
            weight,
        })
        .collect()
}

fn combined(mut inputs: Vec<Input<'_>>, operation: Operation, aggregate: Aggregate) -> Gathering {
    let mut result = Gathering::default();
    if operation != Operation::Difference {
        // In this order, on which the rounding of sums depends.
        inputs.sort_by_key(Input::len);
    }
    match operation {
        Operation::Union => {
            for input in &inputs {
                input.for_each(|member, score| {
                    let score = or_zero(aggregate.counts(score) * input.weight);
                    result.add(member, score, |known, score| aggregate.join(known, score));
                    true
                });
            }
        }
        Operation::Intersection => intersect(&inputs, aggregate, |member, score| {
            result.add(member, score, |_, score| score);
            true
        }),
        Operation::Difference => subtract(&inputs, &mut result),
    }
    result
}

/// Shows each member that all inputs have, for as long as that is wanted. The smallest comes first.
fn intersect(inputs: &[Input<'_>], aggregate: Aggregate, mut show: impl FnMut(&[u8], f64) -> bool) {
    let Some((first, others)) = inputs.split_first() else {
        return;
    };
    first.for_each(|member, score| {
        let mut joined = or_zero(aggregate.counts(score) * first.weight);
        for other in others {
            let Some(score) = other.score(member) else {
                return true;
            };
            joined = aggregate.join(joined, aggregate.counts(score) * other.weight);
        }
        show(member, joined)
    });
}

fn subtract(inputs: &[Input<'_>], result: &mut Gathering) {
    let Some((first, others)) = inputs.split_first() else {
        return;
    };
    if others
        .iter()
        .any(|other| other.key.bytes == first.key.bytes)
    {
        return;
    }
    // Looking up each member of the first, or each member of all others: whatever is less.
    let other_members: usize = others.iter().map(Input::len).sum();
    let looks_up = first.len().saturating_mul(inputs.len()) / 2 <= first.len() + other_members;
    first.for_each(|member, score| {
        if !looks_up || others.iter().all(|other| other.score(member).is_none()) {
            result.add(member, score, |_, score| score);
        }
        true
    });
    if looks_up {
        return;
    }
    for other in others {
        other.for_each(|member, _| {
            result.remove(member);
            !result.is_empty()
        });
    }
}

/// How many inputs a command has; they begin behind the number.
fn input_count(call: &Call, at: usize) -> Result<usize, CommandError> {
    let count = call.integer(at)?;
    if count < 1 {
        return Err(CommandError::message(format!(
            "ERR at least 1 input key is needed for '{}' command",
            call.spec.name
        )));
    }
    usize::try_from(count)
        .ok()
        .filter(|&count| count < call.args.len() - at)
        .ok_or(CommandError::Syntax)
}

fn combine(call: &mut Call, operation: Operation, purpose: Purpose) -> CommandResult {
    let at = if purpose == Purpose::Store { 2 } else { 1 };
    let count = input_count(call, at)?;
    let keys: Vec<Key<'_>> = call.all_keys().skip(at - 1).take(count).collect();
    touch(call, &keys)?;
    let request = Request::parse(call, at + 1 + count, count, operation, purpose)?;
    let mut inputs = inputs(&call.db, &keys, &request.weights);
    if purpose == Purpose::Count {
        inputs.sort_by_key(Input::len);
        let mut counted = 0;
        intersect(&inputs, Aggregate::Sum, |_, _| {
            counted += 1;
            counted != request.limit
        });
        call.reply.count(counted);
        return Ok(());
    }
    let result = combined(inputs, operation, request.aggregate);
    if result.is_overfull() {
        return Err(CommandError::text(TOO_BIG));
    }
    let set = SortedSet::of_gathered(result, limits(call.config));
    if purpose == Purpose::Reply {
        reply_members(call.reply, set.iter(), request.scores);
        return Ok(());
    }
    let name = match operation {
        Operation::Union => "zunionstore",
        Operation::Intersection => "zinterstore",
        Operation::Difference => "zdiffstore",
    };
    store_result(call, call.key(0), set, event::zset(name));
    Ok(())
}

pub(super) fn zunion(call: &mut Call) -> CommandResult {
    combine(call, Operation::Union, Purpose::Reply)
}

pub(super) fn zunionstore(call: &mut Call) -> CommandResult {
    combine(call, Operation::Union, Purpose::Store)
}

pub(super) fn zinter(call: &mut Call) -> CommandResult {
    combine(call, Operation::Intersection, Purpose::Reply)
}

pub(super) fn zinterstore(call: &mut Call) -> CommandResult {
    combine(call, Operation::Intersection, Purpose::Store)
}

pub(super) fn zintercard(call: &mut Call) -> CommandResult {
    combine(call, Operation::Intersection, Purpose::Count)
}

pub(super) fn zdiff(call: &mut Call) -> CommandResult {
    combine(call, Operation::Difference, Purpose::Reply)
}

pub(super) fn zdiffstore(call: &mut Call) -> CommandResult {
    combine(call, Operation::Difference, Purpose::Store)
}
