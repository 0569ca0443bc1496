//! INFO keysizes: how large the values of each type are, in powers of two.
//!
//! Redis keeps these counts up to date with every write. Here nothing is paid for them until somebody asks: then all keys
//! are walked over, so the section is told only to those who name it.

use super::{Facts, Section, line};
use crate::engine::Call;
use crate::keyspace::{Cursor, EntryRef, ValueRef};
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

/// The sizes in one database.
pub(super) struct Sizes {
    database: usize,
    counts: [[u64; STEPS]; NAMES.len()],
}

impl Sizes {
    /// Those of all databases that hold keys.
    pub fn all(call: &mut Call) -> Vec<Self> {
        let databases = 0..call.engine.keyspace.databases();
        let filled = databases.filter(|&index| !call.engine.keyspace.is_empty(index));
        let filled: Vec<_> = filled.collect();
        filled
            .into_iter()
            .map(|index| Self::of(call, index))
            .collect()
    }

    fn of(call: &mut Call, database: usize) -> Self {
        let mut counts = [[0; STEPS]; NAMES.len()];
        let now = call.db.now();
        let mut next = Some(Cursor::START);
        while let Some(cursor) = next {
            next = call
                .db
                .scope()
                .scan(database, cursor, AT_ONCE, now, |entry| {
                    if let Some((kind, size)) = measure(entry) {
                        counts[kind][step(size)] += 1;
                    }
                });
        }
        Self { database, counts }
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
