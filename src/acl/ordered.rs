//! A list without duplicates, in the order in which its items came. Looking one up does not depend on how many there are.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Keys with values, in the order in which the keys came.
#[derive(Debug, Clone)]
pub(super) struct Ordered<K, V> {
    items: Vec<(K, V)>,
    places: HashMap<K, usize>,
}

impl<K, V> Default for Ordered<K, V> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, V> Ordered<K, V> {
    /// The items in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(K, V)> {
        self.items.iter()
    }

    pub fn holds<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.places.contains_key(key)
    }

    /// The value of a key, which is added at the end with this one if it is not there.
    pub fn entry(&mut self, key: K, value: V) -> &mut V {
        let at = *self.places.entry(key).or_insert_with_key(|key| {
            self.items.push((key.clone(), value));
            self.items.len() - 1
        });
        &mut self.items[at].1
    }

    /// Takes a key out. False when it is not there.
    pub fn remove<Q: ?Sized + Eq + Hash>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        let Some(at) = self.places.remove(key) else {
            return false;
        };
        self.items.remove(at);
        for place in self.places.values_mut().filter(|place| **place > at) {
            *place -= 1;
        }
        true
    }

    pub fn clear(&mut self) {
        self.items.clear();
        self.places.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_order() {
        let mut list: Ordered<&str, u32> = Ordered::default();
        for (key, value) in [("b", 1), ("a", 2), ("c", 3), ("a", 9)] {
            list.entry(key, value);
        }
        *list.entry("c", 0) += 1;
        let items = |list: &Ordered<&'static str, u32>| list.iter().copied().collect::<Vec<_>>();
        assert_eq!(items(&list), [("b", 1), ("a", 2), ("c", 4)]);
        assert!(list.remove("b") && !list.remove("b") && list.holds("c"));
        *list.entry("a", 0) += 1;
        assert_eq!(items(&list), [("a", 3), ("c", 4)]);
        list.clear();
        assert!(list.iter().len() == 0 && !list.holds("a"));
    }
}
