//! Ids in rising order with something for each, densely: what is pending. Most ids are added at the end.

use std::collections::VecDeque;

use super::id::Id;

/// The most entries of a chunk.
const FULL: usize = 64;

/// Ids in rising order with something for each: chunks, none of them empty, that follow each other.
#[derive(Debug, Clone)]
pub struct IdMap<V> {
    chunks: VecDeque<Vec<(Id, V)>>,
    len: usize,
}

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
            len: 0,
        }
    }
}

impl<V> IdMap<V> {
    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes allocated.
    pub(super) fn allocated(&self) -> usize {
        let entries: usize = self.chunks.iter().map(Vec::capacity).sum();
        self.chunks.capacity() * size_of::<Vec<(Id, V)>>() + entries * size_of::<(Id, V)>()
    }

    /// The first id.
    pub fn first_id(&self) -> Option<Id> {
        self.iter().next().map(|(id, _)| id)
    }

    /// The last id.
    pub fn last_id(&self) -> Option<Id> {
        let last = self.chunks.back()?.last();
        last.map(|(id, _)| *id)
    }

    /// The chunk in which an id is, or belongs unless it comes before all.
    #[inline]
    fn chunk_of(&self, id: Id) -> usize {
        // Ids mostly grow.
        if let Some(last) = self.chunks.back()
            && last[0].0 <= id
        {
            return self.chunks.len() - 1;
        }
        let behind = self.chunks.partition_point(|chunk| chunk[0].0 <= id);
        behind.saturating_sub(1)
    }

    #[inline]
    fn find(&self, id: Id) -> Option<(usize, usize)> {
        let chunk = self.chunk_of(id);
        let place = self
            .chunks
            .get(chunk)?
            .binary_search_by_key(&id, |entry| entry.0);
        Some((chunk, place.ok()?))
    }

    /// What belongs to an id.
    pub fn get(&self, id: Id) -> Option<&V> {
        let (chunk, place) = self.find(id)?;
        Some(&self.chunks[chunk][place].1)
    }

    /// What belongs to an id, to be changed.
    pub fn get_mut(&mut self, id: Id) -> Option<&mut V> {
        let (chunk, place) = self.find(id)?;
        Some(&mut self.chunks[chunk][place].1)
    }

    /// Whether an id is there.
    pub fn contains(&self, id: Id) -> bool {
        self.find(id).is_some()
    }

    /// Adds an id, or gives it something else; gives back what it had.
    #[inline]
    pub(super) fn insert(&mut self, id: Id, value: V) -> Option<V> {
        let at = self.chunk_of(id);
        let Some(chunk) = self.chunks.get_mut(at) else {
            self.chunks.push_back(vec![(id, value)]);
            self.len += 1;
            return None;
        };
        let place = match chunk.last() {
            Some(last) if last.0 < id => chunk.len(),
            _ => match chunk.binary_search_by_key(&id, |entry| entry.0) {
                Ok(place) => return Some(std::mem::replace(&mut chunk[place].1, value)),
                Err(place) => place,
            },
        };
        self.len += 1;
        if chunk.len() < FULL {
            chunk.insert(place, (id, value));
        } else if place == FULL {
            self.chunks.insert(at + 1, vec![(id, value)]);
        } else {
            let mut rest = chunk.split_off(FULL / 2);
            match place.checked_sub(FULL / 2) {
                Some(place) => rest.insert(place, (id, value)),
                None => chunk.insert(place, (id, value)),
            }
            self.chunks.insert(at + 1, rest);
        }
        None
    }

    /// Removes an id; gives what it had.
    pub(super) fn remove(&mut self, id: Id) -> Option<V> {
        let (at, place) = self.find(id)?;
        let chunk = &mut self.chunks[at];
        let (_, value) = chunk.remove(place);
        self.len -= 1;
        if chunk.is_empty() {
            self.chunks.remove(at);
        } else if chunk.len() <= chunk.capacity() / 4 {
            chunk.shrink_to_fit();
        }
        Some(value)
    }

    /// All ids with what belongs to them.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &V)> {
        self.range(Id::MIN, Id::MAX)
    }

    /// The ids from one to another, both included, with what belongs to them.
    pub fn range(&self, from: Id, to: Id) -> impl Iterator<Item = (Id, &V)> {
        let at = self.chunk_of(from);
        let chunks = self.chunks.range(at.min(self.chunks.len())..);
        chunks
            .flatten()
            .skip_while(move |(id, _)| *id < from)
            .take_while(move |(id, _)| *id <= to)
            .map(|(id, value)| (*id, value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_is_like_a_map(
            steps in prop::collection::vec((0u8..8, 0u64..400, any::<u16>()), 1..900),
        ) {
            let (mut map, mut model) = (IdMap::default(), BTreeMap::new());
            let mut next = 0;
            for (kind, number, value) in steps {
                let id = Id::new(number / 3, number % 3);
                match kind {
                    0..=2 => {
                        next += 1;
                        let id = Id::new(1000 + next, 0);
                        prop_assert_eq!(map.insert(id, value), model.insert(id, value));
                    }
                    3..=4 => prop_assert_eq!(map.insert(id, value), model.insert(id, value)),
                    5 => {
                        let known = model.keys().nth(usize::from(value) % model.len().max(1));
                        let id = known.copied().unwrap_or(id);
                        prop_assert_eq!(map.remove(id), model.remove(&id));
                    }
                    6 => prop_assert_eq!(map.remove(id), model.remove(&id)),
                    _ => {
                        let to = Id::new(number / 3 + u64::from(value) % 1200, 0);
                        let found = map.range(id, to);
                        let expected = model.iter().filter(|(one, _)| (id..=to).contains(one));
                        prop_assert!(found.eq(expected.map(|(id, value)| (*id, value))));
                    }
                }
                prop_assert_eq!(map.len(), model.len());
                prop_assert_eq!(map.get(id), model.get(&id));
                prop_assert_eq!(map.last_id(), model.keys().next_back().copied());
                prop_assert_eq!(map.first_id(), model.keys().next().copied());
            }
            prop_assert!(map.iter().eq(model.iter().map(|(id, value)| (*id, value))));
        }
    }
}
