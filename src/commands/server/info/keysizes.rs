//! INFO keysizes: how large the values of each type are, in powers of two.
//!
//! Redis keeps these counts up to date with every write. Here nothing is paid for them until somebody asks: then all keys
//! are walked over, some at a time with others' commands in between, so the section is told only to those who name it.

use super::{Facts, Section, line, tell};
use crate::base::clock::unix_ms;
use crate::engine::{Engine, Parked, Progress, Session, Unblock};
use crate::keyspace::{Cursor, EntryRef, Keyspace, Scope, ValueRef};
use crate::resp::reply::Reply;
use crate::structures::ObjectRef;
use crate::structures::hash::Seen;

/// Sizes by type.
pub(super) const KEYSIZES: Section = Section::new("keysizes", "Keysizes", &[])
    .on_demand()
    .walking_keys()
    .with(sizes);

/// Types with the names of their lines.
const NAMES: [&str; 5] = [
    "distrib_strings_sizes",
    "distrib_lists_items",
    "distrib_sets_items",
    "distrib_zsets_items",
    "distrib_hashes_items",
];

/// Size 0, and then one step for each power of two.
const STEPS: usize = u64::BITS as usize + 1;
/// Keys looked at under one lock.
const AT_ONCE: usize = 256;
/// Keys looked at before others' commands come in between.
pub(super) const SLICE: usize = 4096;

/// The sizes in one database.
pub(super) struct Sizes {
    database: usize,
    counts: [[u64; STEPS]; NAMES.len()],
}

impl Sizes {
    fn none(database: usize) -> Self {
        let counts = [[0; STEPS]; NAMES.len()];
        Self { database, counts }
    }
}

/// A walk over the keys of all databases under way, and which sections are told at its end.
pub(super) struct Walk {
    wanted: Vec<&'static Section>,
    /// The databases, as far as it has come; the last one is not complete.
    sizes: Vec<Sizes>,
    /// Databases still to come, the next one last.
    left: Vec<usize>,
    cursor: Cursor,
}

impl Walk {
    /// A walk over what there is now.
    pub fn new(keyspace: &Keyspace, wanted: Vec<&'static Section>) -> Self {
        let databases = (0..keyspace.databases()).rev();
        Self {
            wanted,
            sizes: Vec::new(),
            left: databases
                .filter(|&index| !keyspace.is_empty(index))
                .collect(),
            cursor: Cursor::START,
        }
    }

    /// Goes on for about `limit` keys; true at the end.
    pub fn advance(&mut self, scope: &mut Scope<'_>, now: i64, limit: usize) -> bool {
        let mut looked_at = 0;
        while let Some(&database) = self.left.last() {
            if looked_at >= limit {
                return false;
            }
            if self.cursor == Cursor::START {
                self.sizes.push(Sizes::none(database));
            }
            let Some(Sizes { counts, .. }) = self.sizes.last_mut() else {
                return true;
            };
            let next = scope.scan(database, self.cursor, AT_ONCE, now, |entry| {
                if let Some((kind, size)) = measure(entry) {
                    counts[kind][step(size)] += 1;
                }
            });
            looked_at += AT_ONCE;
            self.cursor = next.unwrap_or(Cursor::START);
            if next.is_none() {
                self.left.pop();
            }
        }
        true
    }

    /// What it has found.
    pub fn tell(&mut self, engine: &Engine, scope: &mut Scope<'_>, now: i64) -> String {
        tell(
            engine,
            scope,
            now,
            &self.wanted,
            std::mem::take(&mut self.sizes),
        )
    }
}

impl Parked for Walk {
    fn resume(&mut self, engine: &Engine, _: &mut Session, reply: &mut Reply) -> Progress {
        let (mut scope, now) = (engine.keyspace.nothing(), unix_ms());
        if !self.advance(&mut scope, now, SLICE) {
            return Progress::Busy;
        }
        reply.verbatim("txt", self.tell(engine, &mut scope, now).as_bytes());
        Progress::Done
    }

    fn unblock(&mut self, engine: &Engine, _: &mut Session, _: Unblock, reply: &mut Reply) {
        let mut scope = engine.keyspace.nothing();
        reply.verbatim("txt", self.tell(engine, &mut scope, unix_ms()).as_bytes());
    }

    fn is_blocked(&self) -> bool {
        false
    }
}

/// The number of an entry's type in [`NAMES`], and its size.
fn measure(entry: EntryRef<'_>) -> Option<(usize, usize)> {
    Some(match entry.value() {
        ValueRef::Int(number) => (0, itoa::Buffer::new().format(number).len()),
        ValueRef::Inline(text) => (0, text.len()),
        ValueRef::Object(ObjectRef::Bytes(text)) => (0, text.len()),
        ValueRef::Object(ObjectRef::List(list)) => (1, list.len()),
        ValueRef::Object(ObjectRef::Set(set)) => (2, set.len()),
        ValueRef::Object(ObjectRef::SortedSet(set)) => (3, set.len()),
        ValueRef::Object(ObjectRef::Hash(hash)) => (4, hash.len(Seen::ALL)),
        ValueRef::Object(ObjectRef::Stream(_)) => return None,
    })
}

fn step(size: usize) -> usize {
    size.checked_ilog2().map_or(0, |log| log as usize + 1)
}

/// The least size of a step.
fn label(step: usize) -> String {
    let Some(log) = step.checked_sub(1) else {
        return "0".into();
    };
    let unit = ["", "K", "M", "G", "T", "P", "E"][log / 10];
    format!("{}{unit}", 1u64 << (log % 10))
}

fn sizes(facts: &Facts<'_>, out: &mut String) {
    for sizes in &facts.sizes {
        for (name, counts) in NAMES.iter().zip(&sizes.counts) {
            let counted = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let told: Vec<String> = counted
                .map(|(step, count)| format!("{}={count}", label(step)))
                .collect();
            if !told.is_empty() {
                let (database, told) = (sizes.database, told.join(","));
                line(out, format_args!("db{database}_{name}:{told}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{label, step};

    #[test]
    fn a_step_is_named_by_its_least_size() {
        for (size, name) in [
            (0, "0"),
            (1, "1"),
            (3, "2"),
            (4, "4"),
            (1023, "512"),
            (1024, "1K"),
            (3_000_000, "2M"),
            (usize::MAX, "8E"),
        ] {
            assert_eq!(label(step(size)), name, "{size}");
        }
    }
}
