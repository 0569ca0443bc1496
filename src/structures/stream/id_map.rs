//! Ids in rising order with something for each, densely: what is pending. Most ids are added at the end.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use super::id::Id;

/// The most entries of a chunk.
const FULL: usize = 64;

type Entries<V> = Vec<(Id, V)>;

/// Ids in rising order with something for each: chunks that follow each other. Copies share all of them but the last.
#[derive(Debug, Clone)]
pub struct IdMap<V> {
    /// Chunks, none of them empty, each with an id that none of its own is less than, while all before it are.
    chunks: VecDeque<(Id, Arc<Entries<V>>)>,
    /// What comes behind the chunks.
    last: Entries<V>,
    len: usize,
}

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
            last: Vec::new(),
            len: 0,
        }
    }
}

impl<V: Clone> IdMap<V> {
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
        let chunk = 2 * size_of::<usize>() + size_of::<Entries<V>>();
        let entries: usize = self.chunks.iter().map(|(_, chunk)| chunk.capacity()).sum();
        self.chunks.capacity() * size_of::<(Id, Arc<Entries<V>>)>()
            + self.chunks.len() * chunk
            + (entries + self.last.capacity()) * size_of::<(Id, V)>()
    }

    /// The first id.
    pub fn first_id(&self) -> Option<Id> {
        self.iter().next().map(|(id, _)| id)
    }

    /// The last id.
    #[inline]
    pub fn last_id(&self) -> Option<Id> {
        let chunk = || Some(&**self.chunks.back()?.1);
        let last = self.last.last().or_else(|| chunk()?.last());
        last.map(|(id, _)| *id)
    }

    /// The chunk in which an id is, or belongs unless it comes before all. Behind the others is the last one.
    #[inline]
    fn chunk_of(&self, id: Id) -> usize {
        // Ids mostly grow.
        if let Some(first) = self.last.first()
            && first.0 <= id
        {
            return self.chunks.len();
        }
        let behind = self.chunks.partition_point(|(least, _)| *least <= id);
        behind.saturating_sub(1)
    }

    #[inline]
    fn chunk(&self, at: usize) -> &Entries<V> {
        self.chunks.get(at).map_or(&self.last, |(_, chunk)| chunk)
    }

    #[inline]
    fn chunk_mut(&mut self, at: usize) -> &mut Entries<V> {
        match self.chunks.get_mut(at) {
            Some((_, chunk)) => Arc::make_mut(chunk),
            None => &mut self.last,
        }
    }

    #[inline]
    fn find(&self, id: Id) -> Option<(usize, usize)> {
        let at = self.chunk_of(id);
        let chunk = self.chunk(at);
        let place = chunk.binary_search_by_key(&id, |entry| entry.0);
        Some((at, place.ok()?))
    }

    /// What belongs to an id.
    pub fn get(&self, id: Id) -> Option<&V> {
        let (at, place) = self.find(id)?;
        Some(&self.chunk(at)[place].1)
    }

    /// What belongs to an id, to be changed.
    pub fn get_mut(&mut self, id: Id) -> Option<&mut V> {
        let (at, place) = self.find(id)?;
        Some(&mut self.chunk_mut(at)[place].1)
    }

    /// Whether an id is there.
    pub fn contains(&self, id: Id) -> bool {
        self.find(id).is_some()
    }

    /// Adds an id, or gives it something else; gives back what it had.
    #[inline]
    pub(super) fn insert(&mut self, id: Id, value: V) -> Option<V> {
        if self.last_id().is_none_or(|last| last < id) {
            self.push(id, value);
            return None;
        }
        let at = self.chunk_of(id);
        let place = match self.chunk(at).binary_search_by_key(&id, |entry| entry.0) {
            Ok(place) => return Some(mem::replace(&mut self.chunk_mut(at)[place].1, value)),
            Err(place) => place,
        };
        self.insert_at(at, place, (id, value));
        None
    }

    /// Adds an id behind all others.
    #[inline]
    fn push(&mut self, id: Id, value: V) {
        if self.last.len() == FULL {
            // What has filled one will need some room in another.
            let full = mem::replace(&mut self.last, Vec::with_capacity(FULL / 4));
            self.chunks.push_back((full[0].0, Arc::new(full)));
        }
        self.last.push((id, value));
        self.len += 1;
    }

    /// Adds an id that is less than the last one.
    fn insert_at(&mut self, at: usize, place: usize, entry: (Id, V)) {
        self.len += 1;
        let id = entry.0;
        if let Some((least, _)) = self.chunks.get_mut(at) {
            *least = id.min(*least);
        }
        let chunk = self.chunk_mut(at);
        if chunk.len() < FULL {
            chunk.insert(place, entry);
        } else if place == FULL {
            self.chunks.insert(at + 1, (id, Arc::new(vec![entry])));
        } else {
            let mut rest = chunk.split_off(FULL / 2);
            match place.checked_sub(FULL / 2) {
                Some(place) => rest.insert(place, entry),
                None => chunk.insert(place, entry),
            }
            if at == self.chunks.len() {
                let before = mem::replace(&mut self.last, rest);
                self.chunks.push_back((before[0].0, Arc::new(before)));
            } else {
                self.chunks.insert(at + 1, (rest[0].0, Arc::new(rest)));
            }
        }
    }

    /// Removes an id; gives what it had.
    pub(super) fn remove(&mut self, id: Id) -> Option<V> {
        let (at, place) = self.find(id)?;
        self.len -= 1;
        let chunk = self.chunk_mut(at);
        let (_, value) = chunk.remove(place);
        if chunk.len() <= chunk.capacity() / 4 {
            if chunk.is_empty() && at < self.chunks.len() {
                self.chunks.remove(at);
            } else {
                self.chunk_mut(at).shrink_to_fit();
            }
        }
        Some(value)
    }

    /// All ids with what belongs to them.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &V)> {
        self.range(Id::MIN, Id::MAX)
    }

    /// The ids from one to another, both included, with what belongs to them.
    pub fn range(&self, from: Id, to: Id) -> impl Iterator<Item = (Id, &V)> {
        let at = self.chunk_of(from).min(self.chunks.len());
        let chunks = self.chunks.range(at..).flat_map(|(_, chunk)| chunk.iter());
        chunks
            .chain(&self.last)
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
            steps in prop::collection::vec((0u8..9, 0u64..400, any::<u16>()), 1..900),
        ) {
            let (mut map, mut model) = (IdMap::default(), BTreeMap::new());
            let mut next = 0;
            let mut copies = Vec::new();
            for (kind, number, value) in steps {
                if value % 64 == 0 {
                    copies.push((map.clone(), model.clone()));
                }
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
                    7 => {
                        let known = model.keys().nth(usize::from(value) % model.len().max(1));
                        let id = known.copied().unwrap_or(id);
                        if let Some((own, expected)) = map.get_mut(id).zip(model.get_mut(&id)) {
                            (*own, *expected) = (value, value);
                        }
                    }
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
            copies.push((map, model));
            for (map, model) in copies {
                prop_assert_eq!(map.len(), model.len());
                prop_assert!(map.iter().eq(model.iter().map(|(id, value)| (*id, value))));
            }
        }
    }
}
