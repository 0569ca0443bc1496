//! What follows from a command's declaration for ACLs and for clients older than key specifications.

use super::command::{Begin, Find, KeySpec, flags};
use super::table::Spec;

/// All ACL categories, in the order in which COMMAND INFO names them.
pub const CATEGORIES: &[&str] = &[
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// The one range of keys that older clients look at; all zero where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyRange {
    /// The first key's argument.
    pub first: usize,
    /// The last key's argument; negative counts from the end.
    pub last: i32,
    /// Distance between keys.
    pub step: usize,
}

impl Spec {
    /// The ACL categories of the command.
    pub fn categories(&self) -> Vec<&'static str> {
        let group = self.command.group.category();
        let group = group.filter(|_| !self.has(flags::NO_GROUP_CATEGORY));
        let is_admin = self.has(flags::ADMIN);
        let has = |category: &str| match category {
            _ if group == Some(category) => true,
            _ if self.command.categories.contains(&category) => true,
            "write" => self.has(flags::WRITE),
            "read" => self.has(flags::READONLY) && group != Some("scripting"),
            "admin" => is_admin || self.has(flags::ADMIN_CATEGORY),
            "dangerous" => is_admin || self.has(flags::DANGEROUS),
            "pubsub" => self.has(flags::PUBSUB),
            "fast" => self.has(flags::FAST),
            "slow" => !self.has(flags::FAST),
            "blocking" => self.has(flags::BLOCKING),
            "keyspace" => self.has(flags::KEYSPACE),
            "connection" => self.has(flags::CONNECTION),
            _ => false,
        };
        CATEGORIES
            .iter()
            .copied()
            .filter(|category| has(category))
            .collect()
    }

    /// The range of keys that COMMAND INFO gives beside the specifications.
    pub fn key_range(&self) -> KeyRange {
        key_range(self.command.keys).0
    }
}

/// The plain ranges among some specifications as one, and whether that leaves keys out.
pub(super) fn key_range(keys: &[KeySpec]) -> (KeyRange, bool) {
    if let [only] = keys
        && let Some(range) = range_of(only)
    {
        return (range, only.flags.contains(&"incomplete"));
    }
    let (mut all, mut leaves_out) = (KeyRange::default(), false);
    for spec in keys {
        let range = range_of(spec).filter(|range| {
            let follows = all.first == 0 || all.last + 1 == range.first as i32;
            range.step == 1 && follows
        });
        let Some(range) = range else {
            leaves_out = true;
            continue;
        };
        leaves_out |= spec.flags.contains(&"incomplete");
        if all.first == 0 {
            (all.first, all.step) = (range.first, 1);
        }
        all.last = range.last;
    }
    (all, leaves_out)
}

fn range_of(spec: &KeySpec) -> Option<KeyRange> {
    let (Begin::Index(first), Find::Range { last, step, .. }) = (spec.begin, spec.find) else {
        return None;
    };
    let last = if last < 0 { last } else { last + first as i32 };
    Some(KeyRange { first, last, step })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{all_keys, key_pairs, one_key};

    #[test]
    fn ranges_that_follow_each_other_are_one() {
        let range = |first, last, step| KeyRange { first, last, step };
        let count = KeySpec {
            begin: Begin::Index(2),
            find: Find::Count {
                at: 0,
                first: 1,
                step: 1,
            },
            ..one_key(2, &["RO"])
        };
        for (keys, expected) in [
            (vec![], (range(0, 0, 0), false)),
            (vec![one_key(1, &["RO"])], (range(1, 1, 1), false)),
            (vec![all_keys(1, &["RO"])], (range(1, -1, 1), false)),
            (vec![key_pairs(1, &["OW"])], (range(1, -1, 2), false)),
            (
                vec![one_key(1, &["RW"]), one_key(2, &["OW"])],
                (range(1, 2, 1), false),
            ),
            (
                vec![one_key(1, &["RW"]), one_key(3, &["OW"])],
                (range(1, 1, 1), true),
            ),
            (vec![one_key(1, &["OW"]), count], (range(1, 1, 1), true)),
            (vec![count], (range(0, 0, 0), true)),
            (
                vec![one_key(1, &["RO", "incomplete"])],
                (range(1, 1, 1), true),
            ),
        ] {
            assert_eq!(key_range(&keys), expected);
        }
    }
}
