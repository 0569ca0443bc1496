//! A table with an owner of its own: what big sets, hashes and sorted sets are made of.

use super::owed::Owed;
use super::{Element, Head, Iter, Owner, Place, Record, Table};
use crate::base::hash::hash;
use crate::base::random;
use crate::structures::Kept;

/// An element of which there can be another one with the same contents.
pub trait Copied: Element {
    /// An element with the same contents.
    fn copied(element: Self::Ref<'_>) -> Self;
}

impl<H: Head> Copied for Record<H> {
    fn copied(element: Self::Ref<'_>) -> Self {
        element.copied()
    }
}

/// Elements found by their key.
pub struct Elements<E: Copied> {
    seed: Seed,
    table: Table<E>,
    /// What somebody still has to be shown who looks at the elements as they were at some moment.
    owed: Option<Box<Owed<E>>>,
}

/// An odd number that turns the hash of a key into that of this table. Tables differ in their order, since filling one in the
/// order of another would fill it from one end, where its buckets would overflow.
#[derive(Clone, Copy)]
struct Seed(u64);

impl Seed {
    #[inline]
    fn bits(self, hash: u64) -> u64 {
        hash.wrapping_mul(self.0)
    }
}

impl<E: Element> Owner<E> for Seed {
    #[inline]
    fn bits(&self, element: E::Ref<'_>) -> u64 {
        Seed::bits(*self, hash(E::key(element)))
    }
}

impl<E: Copied> Default for Elements<E> {
    fn default() -> Self {
        Self {
            seed: Seed(random::next() | 1),
            table: Table::default(),
            owed: None,
        }
    }
}

impl<E: Copied> Elements<E> {
    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes of this and of the buckets; the elements' own allocations come on top.
    pub fn allocated(&self) -> usize {
        size_of::<Self>() + self.table.allocated()
    }

    /// Bytes of the buckets.
    pub fn buckets(&self) -> usize {
        self.table.allocated()
    }

    /// Brings what finding the keys of these [`hash`]es will look at into the cache.
    pub fn prefetch(&self, hashes: &[u64]) {
        let seed = self.seed;
        self.table
            .prefetch(hashes.iter().map(|&hash| seed.bits(hash)));
    }

    /// Finds a key.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<Place> {
        self.find_hashed(hash(key), key)
    }

    /// Finds a key whose [`hash`] is known.
    #[inline]
    pub fn find_hashed(&self, hash: u64, key: &[u8]) -> Option<Place> {
        self.table.find(self.seed.bits(hash), key)
    }

    /// The element of a key.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<E::Ref<'_>> {
        self.find(key).map(|at| self.table.element(at))
    }

    /// The element at a place.
    #[inline]
    pub fn element(&self, at: Place) -> E::Ref<'_> {
        self.table.element(at)
    }

    /// The element at a place, to be changed.
    #[inline]
    pub fn element_mut(&mut self, at: Place) -> E::Mut<'_> {
        self.preserve(at);
        self.table.element_mut(at)
    }

    /// Adds an element whose key is not there.
    #[inline]
    pub fn insert(&mut self, element: E) -> Place {
        self.insert_hashed(hash(E::key(element.borrowed())), element)
    }

    /// Adds an element whose key is not there, and whose key's [`hash`] is known.
    #[inline]
    pub fn insert_hashed(&mut self, hash: u64, element: E) -> Place {
        let bits = self.seed.bits(hash);
        if let Some(owed) = &mut self.owed {
            owed.add(bits, E::key(element.borrowed()));
        }
        self.table.insert(bits, element, &self.seed)
    }

    /// Puts another element of the same key into a place, made from the old one.
    pub fn replace(&mut self, at: Place, make: impl FnOnce(E) -> E) {
        self.preserve(at);
        self.table.replace(at, make);
    }

    /// Takes an element out.
    pub fn remove(&mut self, at: Place) -> E {
        self.preserve(at);
        self.table.remove(at, &self.seed)
    }

    /// Takes the element of a key out.
    pub fn take(&mut self, key: &[u8]) -> Option<E> {
        self.find(key).map(|at| self.remove(at))
    }

    /// Every element, in no particular order.
    pub fn iter(&self) -> Iter<'_, E> {
        self.table.iter()
    }

    /// Shows the elements of a stretch of the table, from `cursor` on; returns where to go on, or `None` at the end. An
    /// element that is there throughout a whole pass is shown, whatever else comes and goes.
    pub fn scan<'a>(&'a self, cursor: u64, show: impl FnMut(E::Ref<'a>)) -> Option<u64> {
        self.table.scan(cursor, show)
    }

    /// Has all elements from a cursor of [`Elements::scan`] on kept as they are now, until [`Elements::pay`] has shown them.
    pub fn owe(&mut self, cursor: u64) {
        self.owed = Some(Box::new(Owed::new(cursor)));
    }

    /// Whether elements are kept that have not been shown.
    pub fn is_owing(&self) -> bool {
        self.owed.is_some()
    }

    /// Shows about so many of the kept elements, in no particular order and each once; true at the end, with
    /// which [`Elements::forgive`] has to follow.
    pub fn pay(&mut self, count: usize, show: impl FnMut(E::Ref<'_>)) -> bool {
        let Some(owed) = &mut self.owed else {
            return true;
        };
        owed.pay(&self.table, &self.seed, count, show)
    }

    /// Keeps nothing any longer; gives what it kept.
    pub fn forgive(&mut self) -> Option<Kept>
    where
        E: Send + 'static,
    {
        Some(self.owed.take()?)
    }

    /// Before an element changes: keeps a copy if it is owed.
    #[inline]
    fn preserve(&mut self, at: Place) {
        if let Some(owed) = &mut self.owed {
            let element = self.table.element(at);
            owed.change(self.seed.bits(hash(E::key(element))), element);
        }
    }

    /// An element chosen at random, each with the same chance.
    pub fn random(&self) -> Option<E::Ref<'_>> {
        self.table.random()
    }

    /// How many may become due.
    pub fn expiring(&self) -> usize {
        self.table.expiring()
    }

    /// Nothing is due before this deadline.
    pub fn next_deadline(&self) -> u32 {
        self.table.next_deadline()
    }

    /// Notes that the element at a place is due at `deadline`.
    pub fn set_deadline(&mut self, at: Place, deadline: u32) {
        self.table.set_deadline(at, deadline, &self.seed);
    }

    /// Takes out elements that are due before `now`, looking at no more than about `limit` of them. `deadline_of` gives an
    /// element's deadline, or `None` to have it taken out. True when nothing more is due.
    pub fn take_due(
        &mut self,
        now: u32,
        limit: usize,
        mut deadline_of: impl FnMut(E::Ref<'_>) -> Option<u32>,
    ) -> (Vec<E>, bool) {
        let Self { seed, table, owed } = self;
        let deadline_of = |element: E::Ref<'_>| {
            let deadline = deadline_of(element);
            if let (None, Some(owed)) = (deadline, &mut *owed) {
                owed.change(seed.bits(hash(E::key(element))), element);
            }
            deadline
        };
        table.take_due(now, limit, deadline_of, seed)
    }
}

impl<H: Head> Clone for Elements<Record<H>> {
    fn clone(&self) -> Self {
        Self {
            seed: self.seed,
            table: self.table.copied(|record| record.copied()),
            owed: None,
        }
    }
}

impl<H: Head> std::fmt::Debug for Elements<Record<H>> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self
            .iter()
            .map(|element| element.key().escape_ascii().to_string());
        formatter.debug_set().entries(keys).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Bytes behind a key of the length that the head says.
    #[derive(Clone, Copy)]
    struct KeyLen(u8);

    impl Head for KeyLen {
        fn key_len(self, len: usize) -> usize {
            len.min(self.0.into())
        }
    }

    type Pairs = Elements<Record<KeyLen>>;

    fn pair(key: &[u8], value: &[u8]) -> Record<KeyLen> {
        Record::new(KeyLen(key.len() as u8), &[key, value])
    }

    fn contents(pairs: &Pairs) -> HashMap<Vec<u8>, Vec<u8>> {
        let shown = pairs
            .iter()
            .map(|pair| (pair.key().to_vec(), pair.rest().to_vec()));
        let contents: HashMap<_, _> = shown.collect();
        assert_eq!(
            (pairs.len(), pairs.iter().count()),
            (contents.len(), contents.len())
        );
        contents
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((0u32..4000, 0u8..4, any::<u64>()), 1..6000)) {
            let (mut pairs, mut model) = (Pairs::default(), HashMap::new());
            for (key, action, value) in steps {
                let (key, value) = (key.to_string().into_bytes(), value.to_string().into_bytes());
                match (action, pairs.find(&key)) {
                    (0, Some(at)) => {
                        let taken = pairs.remove(at);
                        prop_assert_eq!(Some(taken.borrowed().rest().to_vec()), model.remove(&key));
                    }
                    (0, None) => prop_assert!(!model.contains_key(&key)),
                    (1, Some(at)) => {
                        if !pairs.element_mut(at).set_rest(&[&value]) {
                            pairs.replace(at, |_| pair(&key, &value));
                        }
                        model.insert(key, value);
                    }
                    (_, Some(at)) => {
                        pairs.replace(at, |old| pair(old.borrowed().key(), &value));
                        model.insert(key, value);
                    }
                    (_, None) => {
                        let at = pairs.insert(pair(&key, &value));
                        prop_assert_eq!(pairs.element(at).rest(), &value[..]);
                        prop_assert_eq!(model.insert(key, value), None);
                    }
                }
            }
            prop_assert_eq!(&contents(&pairs), &model);
            prop_assert_eq!(pairs.random().is_some(), !model.is_empty());
            let copy = pairs.clone();
            for key in model.keys() {
                prop_assert!(pairs.take(key).is_some());
            }
            prop_assert!(pairs.is_empty() && pairs.random().is_none());
            for (key, value) in &model {
                prop_assert_eq!(copy.get(key).map(|pair| pair.rest()), Some(&value[..]));
            }
            prop_assert_eq!(contents(&copy), model);
        }
    }

    #[test]
    fn is_filled_in_the_order_of_another_without_overflowing() {
        let (mut one, mut other) = (Pairs::default(), Pairs::default());
        for n in 0..100_000u32 {
            one.insert(pair(&n.to_le_bytes(), b""));
        }
        // Were both in the same order, this would take minutes.
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            cursor = one.scan(at, |pair| {
                other.insert(pair.copied());
            });
        }
        assert_eq!(other.len(), one.len());
        assert!(other.allocated() < one.len() * 14);
    }

    #[test]
    fn elements_stay_where_they_are_while_the_table_grows_and_shrinks() {
        let mut pairs = Pairs::default();
        let at = pairs.insert(pair(b"stays", b""));
        let address = pairs.element(at).address();
        for n in 0..20_000u32 {
            pairs.insert(pair(&n.to_le_bytes(), b""));
        }
        for n in 0..20_000u32 {
            assert!(pairs.take(&n.to_le_bytes()).is_some());
        }
        assert_eq!(
            pairs.get(b"stays").map(|pair| pair.address()),
            Some(address)
        );
    }
}
