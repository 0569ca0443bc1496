//! The order of a sorted set: a B+ tree whose inner nodes count what is below them, so that a rank is found, and an
//! element by its rank, in one descent.
//!
//! The tree knows scores and members' numbers. What the order of members with equal scores is, the caller tells with each
//! search: as a claim that holds for the first elements and for none behind them.

mod keys;
mod node;
mod walk;

use std::mem::replace;

pub(super) use keys::Key;
use node::{Inner, Last, Leaf, Node, Rank};
pub use walk::Direction;
pub(super) use walk::Walk;

/// Elements in the order of (score, member).
#[derive(Debug, Clone)]
pub(super) struct Tree {
    root: Node,
    len: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            root: Node::Leaf(Box::new(Leaf::new())),
            len: 0,
        }
    }
}

impl Tree {
    /// Elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many elements are `before`.
    pub fn count_before(&self, before: impl Fn(Key) -> bool) -> usize {
        let (mut node, mut count) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return count + leaf.count_before(&before),
                Node::Inner(inner) => {
                    let (child, passed) = inner.end_of(&before);
                    count += passed;
                    node = child;
                }
            }
        }
    }

    /// Adds an element behind all that are `before`.
    pub fn insert(&mut self, key: Key, before: impl Fn(Key) -> bool) {
        if self.root.is_full() {
            let root = replace(&mut self.root, Node::Leaf(Box::new(Leaf::new())));
            self.root = Node::Inner(Box::new(Inner::above(root)));
        }
        self.root.insert(key, &before);
        self.len += 1;
    }

    /// Takes out the last element that is `not_behind`.
    pub fn remove_last(&mut self, not_behind: impl Fn(Key) -> bool) -> Key {
        let key = self.root.remove(&mut Last(not_behind));
        self.removed(key)
    }

    /// Takes out the element with so many before it; there is one.
    pub fn remove_at(&mut self, rank: usize) -> Key {
        let key = self.root.remove(&mut Rank(rank));
        self.removed(key)
    }

    fn removed(&mut self, key: Key) -> Key {
        self.len -= 1;
        while let Node::Inner(inner) = &mut self.root
            && inner.is_needless()
        {
            let only = inner.take_last();
            self.root = only.unwrap_or_else(|| Node::Leaf(Box::new(Leaf::new())));
        }
        key
    }

    /// Gives the last element that is `not_behind` another score if it `fits` between its neighbours there. False when it
    /// must be taken out and added again.
    pub fn set_score(
        &mut self,
        not_behind: impl Fn(Key) -> bool,
        score: f64,
        fits: impl Fn(Option<Key>, Option<Key>) -> bool,
    ) -> bool {
        self.root
            .set_score(&mut Last(not_behind), score, None, &fits)
    }

    /// The `count` elements from `rank` on, all of which are there.
    pub fn walk(&self, rank: usize, count: usize, direction: Direction) -> Walk<'_> {
        debug_assert!(rank + count <= self.len);
        Walk::new(&self.root, rank, count, direction)
    }

    /// Bytes of its allocations.
    pub fn allocated(&self) -> usize {
        self.root.allocated()
    }

    /// How many allocations there are, about.
    pub fn nodes(&self) -> usize {
        self.root.nodes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers stand for members here.
    fn below(key: Key) -> impl Fn(Key) -> bool {
        move |other| other < key
    }

    fn up_to(key: Key) -> impl Fn(Key) -> bool {
        move |other| other <= key
    }

    fn fill(tree: &Tree) -> f64 {
        (tree.len() * 12) as f64 / tree.allocated() as f64
    }

    fn mixed(n: u32) -> u32 {
        n.wrapping_mul(0x9e37_79b1) ^ (n >> 7)
    }

    #[test]
    fn nodes_are_well_filled() {
        type Order = fn(u32) -> u32;
        let orders: [(&str, Order, f64); 4] = [
            ("ascending", |n| n, 0.93),
            ("descending", |n| u32::MAX - n, 0.8),
            // Two full neighbours become three: whatever the order, two thirds are in use.
            ("random", mixed, 0.66),
            (
                "two ends",
                |n| if n % 2 == 0 { n } else { u32::MAX - n },
                0.66,
            ),
        ];
        for (name, order, least) in orders {
            let mut tree = Tree::default();
            for n in 0..60_000 {
                let key = (f64::from(order(n)), n);
                tree.insert(key, below(key));
            }
            tree.root.check(true);
            assert!(fill(&tree) > least, "{name}: {}", fill(&tree));
        }
    }

    #[test]
    fn shrinks_with_what_is_taken_out() {
        let mut tree = Tree::default();
        for n in 0..20_000 {
            tree.insert((f64::from(mixed(n)), n), below((f64::from(mixed(n)), n)));
        }
        for n in (0..20_000).filter(|n| n % 8 != 0) {
            tree.remove_last(up_to((f64::from(mixed(n)), n)));
        }
        tree.root.check(true);
        assert!(fill(&tree) > 0.45, "{}", fill(&tree));
        while tree.len() > 0 {
            tree.remove_at(tree.len() / 2);
        }
        assert_eq!(tree.nodes(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn agrees_with_a_sorted_list(steps in prop::collection::vec((0u8..10, 0u32..3_000, 0u32..60), 0..4_000)) {
            let mut tree = Tree::default();
            let mut model: Vec<Key> = Vec::new();
            for (action, id, score) in steps {
                let key = (f64::from(score), id);
                match (action, model.binary_search_by(|known| known.partial_cmp(&key).unwrap())) {
                    (0..=5, Err(at)) => {
                        tree.insert(key, below(key));
                        model.insert(at, key);
                    }
                    (0..=5, Ok(at)) if model[at] == key => {
                        tree.remove_last(up_to(key));
                        model.remove(at);
                    }
                    (6, _) if !model.is_empty() => {
                        let rank = id as usize % model.len();
                        prop_assert_eq!(tree.remove_at(rank), model.remove(rank));
                    }
                    (7, _) if !model.is_empty() => {
                        let rank = id as usize % model.len();
                        let old = model[rank];
                        let new = (old.0 + f64::from(score) / 40.0 - 0.7, old.1);
                        let fits = |before: Option<Key>, behind: Option<Key>| {
                            before.is_none_or(|before| before < new) && behind.is_none_or(|behind| new < behind)
                        };
                        if tree.set_score(up_to(old), new.0, fits) {
                            model[rank] = new;
                        }
                        prop_assert!(model.is_sorted_by(|a, b| a < b));
                    }
                    (8, place) => {
                        let (Ok(at) | Err(at)) = place;
                        prop_assert_eq!(tree.count_before(below(key)), at);
                    }
                    _ => {
                        let from = id as usize % (model.len() + 1);
                        let count = (score as usize * 9).min(model.len() - from);
                        let (up, down): (Vec<_>, Vec<_>) =
                            (tree.walk(from, count, Direction::Up).collect(), tree.walk(from, count, Direction::Down).collect());
                        prop_assert_eq!(&up[..], &model[from..from + count]);
                        prop_assert!(down.iter().rev().eq(up.iter()));
                    }
                }
            }
            prop_assert_eq!(tree.len(), model.len());
            tree.root.check(true);
        }
    }
}
