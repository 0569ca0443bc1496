//! Who has added entries under names of their own, so that what is sent twice is added once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::id::Id;

/// For how many seconds names are remembered unless a stream is told otherwise.
const SECONDS: u64 = 100;
/// How many names of a producer are remembered unless a stream is told otherwise.
const NAMES: usize = 100;

/// Producers and the names that they gave to entries.
#[derive(Debug, Clone)]
pub struct Producers {
    /// For how many seconds names are remembered.
    pub seconds: u64,
    /// How many names of a producer are remembered.
    pub most: usize,
    /// How many entries were added with a name.
    pub added: u64,
    /// How many more were not, because their names were known.
    pub duplicates: u64,
    by_name: BTreeMap<Box<[u8]>, Producer>,
}

#[derive(Debug, Clone, Default)]
struct Producer {
    entries: HashMap<Arc<[u8]>, Id, foldhash::fast::RandomState>,
    /// Names in the order in which they were given.
    order: VecDeque<Arc<[u8]>>,
}

impl Default for Producers {
    fn default() -> Self {
        Self {
            seconds: SECONDS,
            most: NAMES,
            added: 0,
            duplicates: 0,
            by_name: BTreeMap::new(),
        }
    }
}

impl Producer {
    fn forget_oldest(&mut self) {
        if let Some(name) = self.order.pop_front() {
            self.entries.remove(&name);
        }
    }

    /// Forgets names of entries that were added before a moment.
    fn forget_until(&mut self, milliseconds: u64) {
        let entries = &self.entries;
        let is_old = |name: &Arc<[u8]>| entries.get(name).is_some_and(|id| id.ms < milliseconds);
        let old = self.order.iter().take_while(|name| is_old(name)).count();
        (0..old).for_each(|_| self.forget_oldest());
    }
}

impl Producers {
    /// How many producers have names that are remembered.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// How many names are remembered.
    pub fn names(&self) -> usize {
        let producers = self.by_name.values();
        producers.map(|producer| producer.order.len()).sum()
    }

    /// Bytes allocated, about.
    pub(super) fn allocated(&self) -> usize {
        const EACH: usize = size_of::<(Arc<[u8]>, Id)>() + 2 * size_of::<Arc<[u8]>>();
        let names = self.all().map(|(_, name, _)| name.len() + EACH);
        let producers = self.by_name.keys();
        names.sum::<usize>()
            + producers
                .map(|name| name.len() + size_of::<Producer>())
                .sum::<usize>()
    }

    /// All producers, names and the entries that have them, each producer's in the order in which they were given.
    pub fn all(&self) -> impl Iterator<Item = (&[u8], &[u8], Id)> {
        self.by_name.iter().flat_map(|(producer, names)| {
            names.order.iter().filter_map(move |name| {
                let id = names.entries.get(name)?;
                Some((&**producer, &**name, *id))
            })
        })
    }

    /// Forgets what is too old as of a moment in Unix milliseconds.
    pub fn forget_old(&mut self, now: i64) {
        let span = self.seconds.saturating_mul(1000);
        let until = u64::try_from(now).unwrap_or(0).saturating_sub(span);
        self.by_name.retain(|_, producer| {
            producer.forget_until(until);
            !producer.order.is_empty()
        });
    }

    /// Forgets all names.
    pub fn clear(&mut self) {
        self.by_name.clear();
    }

    /// The entry that has a producer's name.
    pub fn find(&self, producer: &[u8], name: &[u8]) -> Option<Id> {
        self.by_name.get(producer)?.entries.get(name).copied()
    }

    /// Remembers the name of an entry.
    pub fn remember(&mut self, producer: &[u8], name: &[u8], id: Id) {
        let known = self.by_name.entry(producer.into()).or_default();
        let name: Arc<[u8]> = name.into();
        if known.entries.insert(name.clone(), id).is_none() {
            known.order.push_back(name);
        }
        while known.order.len() > self.most {
            known.forget_oldest();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_forgotten_by_age_and_number() {
        let mut producers = Producers {
            most: 3,
            ..Producers::default()
        };
        for n in 1..=5u64 {
            producers.remember(b"p", &[n as u8], Id::new(n * 1000, 0));
        }
        producers.remember(b"q", b"x", Id::new(1, 0));
        assert_eq!((producers.len(), producers.names()), (2, 4));
        assert_eq!(producers.find(b"p", &[2]), None);
        assert_eq!(producers.find(b"p", &[3]), Some(Id::new(3000, 0)));
        producers.forget_old(104_000);
        let left: Vec<_> = producers.all().map(|(_, name, _)| name[0]).collect();
        assert_eq!((left, producers.len()), (vec![4, 5], 1));
        producers.forget_old(i64::MAX);
        assert!(producers.is_empty() && producers.allocated() == 0);
    }
}
