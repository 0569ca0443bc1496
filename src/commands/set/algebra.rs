//! Several sets: SINTER, SUNION, SDIFF, their STORE forms, SINTERCARD; and SMEMBERS, which is an intersection of one.

use smallvec::SmallVec;

use super::{limits, reply_item};
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::{Db, Key};
use crate::resp::reply::Reply;
use crate::structures::listpack::Item;
use crate::structures::set::{Limits, Set, View};

/// A union of more sets than this is gathered in a set of its own instead of being looked up in those before.
const LOOKED_UP: usize = 4;

type Keys<'r> = SmallVec<[Key<'r>; 8]>;
type Sets<'a> = SmallVec<[Option<View<'a>>; 8]>;

/// What is done with the sets.
#[derive(Clone, Copy)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

impl Operation {
    /// The event of the STORE form.
    fn event(self) -> &'static str {
        match self {
            Self::Intersection => "sinterstore",
            Self::Union => "sunionstore",
            Self::Difference => "sdiffstore",
        }
    }
}

pub(super) fn smembers(call: &mut Call) -> CommandResult {
    answer(call, Operation::Intersection)
}

pub(super) fn sinter(call: &mut Call) -> CommandResult {
    answer(call, Operation::Intersection)
}

pub(super) fn sunion(call: &mut Call) -> CommandResult {
    answer(call, Operation::Union)
}

pub(super) fn sdiff(call: &mut Call) -> CommandResult {
    answer(call, Operation::Difference)
}

pub(super) fn sinterstore(call: &mut Call) -> CommandResult {
    store(call, Operation::Intersection)
}

pub(super) fn sunionstore(call: &mut Call) -> CommandResult {
    store(call, Operation::Union)
}

pub(super) fn sdiffstore(call: &mut Call) -> CommandResult {
    store(call, Operation::Difference)
}

/// Reads the sets as each for itself would be read. Afterwards they can be looked at together.
fn find<'r>(
    call: &mut Call<'r, '_>,
    keys: impl Iterator<Item = Key<'r>>,
) -> Result<Keys<'r>, CommandError> {
    let keys: Keys<'r> = keys.collect();
    for &key in &keys {
        call.note_miss(key);
        call.db.read_as::<Set>(key)?;
    }
    Ok(keys)
}

fn view<'a>(db: &'a Db<'_, '_>, keys: &[Key<'_>]) -> Result<Sets<'a>, CommandError> {
    keys.iter()
        .map(|&key| Ok(db.view_as::<Set>(key)?))
        .collect()
}

fn answer(call: &mut Call, operation: Operation) -> CommandResult {
    let keys = call.all_keys();
    let keys = find(call, keys)?;
    let limits = limits(call.config);
    let sets = view(&call.db, &keys)?;
    match operation {
        Operation::Intersection => {
            if let [Some(only)] = sets[..] {
                reply_all(call.reply, only.len(), only.iter());
                return Ok(());
            }
            let mut found = Vec::new();
            intersect(&sets, |item| {
                found.push(item);
                true
            });
            reply_all(call.reply, found.len(), found);
        }
        Operation::Union if sets.iter().flatten().count() <= LOOKED_UP => {
            let found = unite_by_lookup(sets);
            reply_all(call.reply, found.len(), found);
        }
        Operation::Difference if is_smaller_by_lookup(&sets) => {
            let mut found = Vec::new();
            subtract_by_lookup(sets, |item| {
                found.push(item);
                true
            });
            reply_all(call.reply, found.len(), found);
        }
        _ => {
            let set = make(&sets, operation, &limits);
            reply_all(call.reply, set.len(), set.iter());
        }
    }
    Ok(())
}

fn reply_all<'a>(reply: &mut Reply, len: usize, items: impl IntoIterator<Item = Item<'a>>) {
    reply.set(len);
    items.into_iter().for_each(|item| reply_item(reply, item));
}

fn store(call: &mut Call, operation: Operation) -> CommandResult {
    let destination = call.key(0);
    let keys = call.all_keys().skip(1);
    let keys = find(call, keys)?;
    let limits = limits(call.config);
    let set = make(&view(&call.db, &keys)?, operation, &limits);
    let len = set.len();
    let old = call.db.remove(destination);
    let is_new = old.is_none();
    if let Some(entry) = old {
        call.engine.reclaimer.free(entry);
    }
    if len > 0 {
        call.db.store(destination, set);
        if is_new {
            call.created(destination);
        }
        call.changed(destination, event::set(operation.event()));
    } else if !is_new {
        call.changed(destination, event::generic("del"));
    }
    call.reply.count(len);
    Ok(())
}

/// The result as a set of its own, in the encoding that Redis gives it.
fn make(sets: &[Option<View<'_>>], operation: Operation, limits: &Limits) -> Set {
    let mut made = Set::default();
    match operation {
        Operation::Intersection => {
            intersect(sets, |item| {
                made.add_item(item, limits);
                true
            });
            made.make_integers(limits);
        }
        Operation::Union => {
            for item in sets.iter().flatten().flat_map(|set| set.iter()) {
                made.add_item(item, limits);
            }
        }
        Operation::Difference if is_smaller_by_lookup(sets) => {
            subtract_by_lookup(sets.into(), |item| {
                made.add_item(item, limits);
                true
            });
        }
        Operation::Difference => subtract_by_removal(sets, &mut made, limits),
    }
    made
}

/// Shows the members that all sets have, until `take` has enough: looks for those of the smallest in the others.
fn intersect<'a>(sets: &[Option<View<'a>>], mut take: impl FnMut(Item<'a>) -> bool) {
    let mut present: SmallVec<[View<'_>; 8]> = sets.iter().copied().flatten().collect();
    if present.len() < sets.len() {
        return;
    }
    present.sort_by_key(|set| set.len());
    let Some((&smallest, others)) = present.split_first() else {
        return;
    };
    for item in smallest.iter() {
        let mut others = others.iter().filter(|set| !set.is(smallest));
        if others.all(|set| set.contains_item(item)) && !take(item) {
            return;
        }
    }
}

/// The members that any set has: those of each that none of the sets before, which are bigger, has.
fn unite_by_lookup(sets: Sets<'_>) -> Vec<Item<'_>> {
    let mut sets: SmallVec<[View<'_>; 8]> = sets.into_iter().flatten().collect();
    sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    let mut found = Vec::with_capacity(sets.first().map_or(0, |set| set.len()));
    for (at, set) in sets.iter().enumerate() {
        let before = &sets[..at];
        if before.iter().any(|known| known.is(*set)) {
            continue;
        }
        let is_new = |item: &Item<'_>| !before.iter().any(|known| known.contains_item(*item));
        found.extend(set.iter().filter(is_new));
    }
    found
}

/// Whether looking for the first set's members in the others is less work than taking the others' members out of it.
fn is_smaller_by_lookup(sets: &[Option<View<'_>>]) -> bool {
    let Some(Some(first)) = sets.first() else {
        return true;
    };
    let present = || sets.iter().flatten();
    if present().skip(1).any(|set| set.is(*first)) {
        return true;
    }
    let lookups = present().count().saturating_mul(first.len());
    // Lookups are cheaper than removals, and end at the first set that has the member.
    lookups / 2 <= present().map(|set| set.len()).sum()
}

/// Shows the members of the first set that no other has, until `take` has enough.
fn subtract_by_lookup<'a>(sets: Sets<'a>, mut take: impl FnMut(Item<'a>) -> bool) {
    let Some((Some(first), others)) = sets.split_first() else {
        return;
    };
    let mut others: SmallVec<[View<'_>; 8]> = others.iter().copied().flatten().collect();
    if others.iter().any(|set| set.is(*first)) {
        return;
    }
    // In the bigger sets a member is found the sooner.
    others.sort_by_key(|set| std::cmp::Reverse(set.len()));
    for item in first.iter() {
        if !others.iter().any(|set| set.contains_item(item)) && !take(item) {
            return;
        }
    }
}

fn subtract_by_removal(sets: &[Option<View<'_>>], left: &mut Set, limits: &Limits) {
    let Some((Some(first), others)) = sets.split_first() else {
        return;
    };
    for item in first.iter() {
        left.add_item(item, limits);
    }
    for item in others.iter().flatten().flat_map(|set| set.iter()) {
        if left.is_empty() {
            return;
        }
        left.remove_item(item);
    }
}

pub(super) fn sintercard(call: &mut Call) -> CommandResult {
    let limit = parse_limit(call, None)?;
    let keys = call.all_keys();
    let keys = find(call, keys)?;
    let sets = view(&call.db, &keys)?;
    let mut count = 0;
    intersect(&sets, |_| {
        count += 1;
        limit == 0 || count < limit
    });
    call.reply.count(count);
    Ok(())
}

pub(super) fn sunioncard(call: &mut Call) -> CommandResult {
    // An estimate would save no memory: nothing is gathered for the exact number.
    let limit = parse_limit(call, Some("APPROX"))?;
    let keys = call.all_keys();
    let keys = find(call, keys)?;
    let mut sets: SmallVec<[View<'_>; 8]> = view(&call.db, &keys)?.into_iter().flatten().collect();
    sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    let members = sets.iter().enumerate().flat_map(|(at, set)| {
        let before = &sets[..at];
        (set.iter()).filter(|item| !before.iter().any(|known| known.contains_item(*item)))
    });
    let count = match limit {
        0 => members.count(),
        limit => members.take(limit).count(),
    };
    call.reply.count(count);
    Ok(())
}

pub(super) fn sdiffcard(call: &mut Call) -> CommandResult {
    let limit = parse_limit(call, None)?;
    let keys = call.all_keys();
    let keys = find(call, keys)?;
    let sets = view(&call.db, &keys)?;
    let mut count = 0;
    subtract_by_lookup(sets, |_| {
        count += 1;
        limit == 0 || count < limit
    });
    call.reply.count(count);
    Ok(())
}

/// The LIMIT behind the keys, 0 for none, where a word without a value may stand beside it.
fn parse_limit(call: &Call, word: Option<&str>) -> Result<usize, CommandError> {
    let keys = parse_i64(call.args.at(1)).filter(|&keys| keys > 0);
    let keys = keys.ok_or_else(|| CommandError::text("ERR numkeys should be greater than 0"))?;
    if keys as u64 > (call.args.len() - 2) as u64 {
        return Err(CommandError::text(
            "ERR Number of keys can't be greater than number of args",
        ));
    }
    let (mut limit, mut at) = (0, 2 + keys as usize);
    while at < call.args.len() {
        if word.is_some_and(|word| call.args.is(at, word)) {
            at += 1;
            continue;
        }
        let value = call.args.get(at + 1).filter(|_| call.args.is(at, "LIMIT"));
        let value = parse_i64(value.ok_or(CommandError::Syntax)?);
        let value = value.and_then(|value| usize::try_from(value).ok());
        limit = value.ok_or_else(|| CommandError::text("ERR LIMIT can't be negative"))?;
        at += 2;
    }
    Ok(limit)
}
