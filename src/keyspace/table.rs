//! The hash table of one shard and database: entries, with a [`Hint`](super::Hint) that follows where they are.

use super::entry::Entry;
use crate::structures::table;
pub use crate::structures::table::Place;

/// A set of entries, found by the hash bits that the choice of their shard left over, left-aligned.
pub type Table = table::Table<Entry>;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::entry::{EntryRef, Value, ValueRef};
    use super::super::hint::{Hint, pin};
    use super::super::lock::hash_bits as hash;
    use super::*;

    fn number(entry: EntryRef<'_>) -> i64 {
        match entry.value() {
            ValueRef::Int(number) => number,
            other => panic!("{other:?}"),
        }
    }

    fn put(table: &mut Table, hint: &Hint, key: &[u8], value: i64, deadline: Option<u32>) {
        let entry = Entry::new(key, Value::Int(value), deadline.map(i64::from), 0);
        let at = match table.find(hash(key), key) {
            Some(at) => {
                table.replace(at, |_| entry);
                at
            }
            None => table.insert(hash(key), entry, hint),
        };
        if let Some(deadline) = deadline {
            table.set_deadline(at, deadline, hint);
        }
    }

    /// Every entry can be found, prefetching mostly guesses the right places, and a scan shows each entry once.
    fn check(table: &Table, hint: &Hint, model: &HashMap<Vec<u8>, (i64, Option<u32>)>) {
        assert_eq!(hint.len(), model.len());
        for (key, (value, _)) in model {
            let at = table
                .find(hash(key), key)
                .expect("a key of the model is in the table");
            assert_eq!(number(table.element(at)), *value);
        }
        let pin = pin();
        let bucket = |key: &Vec<u8>| hint.bucket(hash(key), &pin);
        let guessed = (model.keys())
            .filter(|key| bucket(key).is_some_and(|bucket| bucket.guess().is_some()))
            .count();
        assert!(
            guessed * 4 >= model.len() * 3,
            "only {guessed} of {} are in their home bucket",
            model.len()
        );
        let mut seen = HashMap::new();
        table.for_each(|entry| assert!(seen.insert(entry.key().to_vec(), number(entry)).is_none()));
        assert_eq!(seen.len(), model.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((0u32..4000, 0u8..10, any::<i64>(), 0u32..1000), 1..6000)) {
            let (mut table, hint) = (Table::default(), Hint::default());
            let mut model = HashMap::new();
            let mut now = 0;
            for (index, (key, action, value, deadline)) in steps.into_iter().enumerate() {
                let key = key.to_string().into_bytes();
                match action {
                    0..5 => {
                        put(&mut table, &hint, &key, value, None);
                        model.insert(key, (value, None));
                    }
                    5..7 => {
                        put(&mut table, &hint, &key, value, Some(now + deadline));
                        model.insert(key, (value, Some(now + deadline)));
                    }
                    7..9 => {
                        let removed = table.find(hash(&key), &key).map(|at| number(table.remove(at, &hint).view()));
                        prop_assert_eq!(removed, model.remove(&key).map(|(value, _)| value));
                    }
                    _ => {
                        now += deadline / 8;
                        let due = |entry: EntryRef<'_>| entry.expires_at().map(|at| at as u32).filter(|&at| at >= now);
                        let (taken, done) = table.take_due(now, usize::MAX, due, &hint);
                        prop_assert!(done);
                        for entry in taken {
                            let (_, deadline) = model.remove(entry.view().key()).expect("only known keys expire");
                            prop_assert!(deadline.is_some_and(|at| at < now));
                        }
                        prop_assert!(model.values().all(|(_, deadline)| deadline.is_none_or(|at| at >= now)));
                    }
                }
                if index % 500 == 0 {
                    check(&table, &hint, &model);
                }
            }
            check(&table, &hint, &model);
        }
    }

    #[test]
    fn a_scan_shows_what_stays_while_the_table_grows_and_shrinks() {
        let (mut table, hint) = (Table::default(), Hint::default());
        let stays: Vec<Vec<u8>> = (0..500)
            .map(|n| format!("stays:{n}").into_bytes())
            .collect();
        stays
            .iter()
            .for_each(|key| put(&mut table, &hint, key, 0, None));
        for (from, to) in [(0, 20_000), (20_000, 0)] {
            let (mut cursor, mut seen, mut moved) = (Some(0), HashMap::<Vec<u8>, u32>::new(), from);
            while let Some(at) = cursor {
                cursor = table.scan(at, |entry| {
                    *seen.entry(entry.key().to_vec()).or_default() += 1
                });
                for _ in 0..60 {
                    let key = format!("moves:{moved}").into_bytes();
                    if from < to && moved < to {
                        put(&mut table, &hint, &key, 0, None);
                        moved += 1;
                    } else if moved > to {
                        moved -= 1;
                        let key = format!("moves:{moved}").into_bytes();
                        if let Some(at) = table.find(hash(&key), &key) {
                            table.remove(at, &hint);
                        }
                    }
                }
            }
            assert!(stays.iter().all(|key| seen.get(key) == Some(&1)));
        }
    }

    #[test]
    fn is_well_filled_at_every_size() {
        let (mut table, hint) = (Table::default(), Hint::default());
        for n in 0..100_000 {
            put(&mut table, &hint, format!("key:{n}").as_bytes(), n, None);
            if n > 100 {
                let per_entry = table.allocated() as f64 / (n + 1) as f64;
                assert!(per_entry < 13.5, "{per_entry} bytes per entry at {n}");
            }
        }
    }
}
