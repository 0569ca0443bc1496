//! Nodes: leaves of keys, and inner nodes that know the first key and the number of elements below each child.

use super::keys::{Key, Keys};

/// Keys of a leaf: it fills one of the allocator's sizes, 768 bytes.
pub(super) const LEAF: usize = 63;
/// Children of an inner node.
pub(super) const FANOUT: usize = 32;

pub(super) type Leaf = Keys<LEAF>;

#[derive(Debug, Clone)]
pub(super) enum Node {
    Leaf(Box<Leaf>),
    Inner(Box<Inner>),
}

#[derive(Debug, Clone)]
pub(super) struct Inner {
    /// The first key below each child.
    keys: Keys<FANOUT>,
    /// How many elements there are below each child.
    counts: Vec<u32>,
    children: Vec<Node>,
}

/// What leads to one element: from an inner node to a child, and to a place in a leaf.
pub(super) trait Aim {
    fn child(&mut self, inner: &Inner) -> usize;
    fn place(&mut self, leaf: &Leaf) -> usize;
}

/// Aims at the last element that is not behind.
pub(super) struct Last<F>(pub F);

impl<F: Fn(Key) -> bool> Aim for Last<F> {
    #[inline]
    fn child(&mut self, inner: &Inner) -> usize {
        inner.keys.count_before(&self.0).saturating_sub(1)
    }

    #[inline]
    fn place(&mut self, leaf: &Leaf) -> usize {
        leaf.count_before(&self.0).saturating_sub(1)
    }
}

/// Aims at the element with so many before it.
pub(super) struct Rank(pub usize);

impl Aim for Rank {
    fn child(&mut self, inner: &Inner) -> usize {
        let mut at = 0;
        while let Some(&count) = inner.counts.get(at)
            && self.0 >= count as usize
            && at + 1 < inner.counts.len()
        {
            self.0 -= count as usize;
            at += 1;
        }
        at
    }

    fn place(&mut self, _: &Leaf) -> usize {
        self.0
    }
}

impl Node {
    /// Keys or children.
    fn width(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(inner) => inner.children.len(),
        }
    }

    fn most(&self) -> usize {
        match self {
            Self::Leaf(_) => LEAF,
            Self::Inner(_) => FANOUT,
        }
    }

    pub fn is_full(&self) -> bool {
        self.width() == self.most()
    }

    /// The first key below.
    pub fn first(&self) -> Key {
        match self {
            Self::Leaf(leaf) => leaf.at(0),
            Self::Inner(inner) => inner.keys.at(0),
        }
    }

    /// Elements below.
    pub fn count(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(inner) => inner.counts.iter().map(|&count| count as usize).sum(),
        }
    }

    /// Bytes of its allocations and those below.
    pub fn allocated(&self) -> usize {
        match self {
            Self::Leaf(_) => size_of::<Leaf>(),
            Self::Inner(inner) => inner.allocated(),
        }
    }

    /// Nodes below, itself included.
    pub fn nodes(&self) -> usize {
        match self {
            Self::Leaf(_) => 1,
            Self::Inner(inner) => 1 + inner.children.iter().map(Self::nodes).sum::<usize>(),
        }
    }

    fn same_kind(&self) -> Self {
        match self {
            Self::Leaf(_) => Self::Leaf(Box::new(Leaf::new())),
            Self::Inner(_) => Self::Inner(Box::new(Inner::new())),
        }
    }

    /// Moves the last `count` keys or children to the right neighbour.
    fn give_right(&mut self, right: &mut Self, count: usize) {
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right)) => left.give_right(right, count),
            (Self::Inner(left), Self::Inner(right)) => left.give_right(right, count),
            _ => unreachable!("neighbours have the same height"),
        }
    }

    /// Moves the first `count` keys or children of the right neighbour over.
    fn take_from(&mut self, right: &mut Self, count: usize) {
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right)) => left.take_from(right, count),
            (Self::Inner(left), Self::Inner(right)) => left.take_from(right, count),
            _ => unreachable!("neighbours have the same height"),
        }
    }

    /// Adds a key behind all that are `before`. The node is not full.
    pub fn insert(&mut self, key: Key, before: &impl Fn(Key) -> bool) {
        match self {
            Self::Leaf(leaf) => leaf.insert(leaf.count_before(before), key),
            Self::Inner(inner) => inner.insert(key, before),
        }
    }

    /// Takes out what is aimed at.
    pub fn remove(&mut self, aim: &mut impl Aim) -> Key {
        match self {
            Self::Leaf(leaf) => leaf.remove(aim.place(leaf)),
            Self::Inner(inner) => inner.remove(aim),
        }
    }

    /// Gives what is aimed at another score, if `fits` finds that it stays between its neighbours; the one behind may be
    /// in the next node. False when it does not, or nobody here can tell.
    pub fn set_score(
        &mut self,
        aim: &mut impl Aim,
        score: f64,
        behind: Option<Key>,
        fits: &impl Fn(Option<Key>, Option<Key>) -> bool,
    ) -> bool {
        match self {
            Self::Leaf(leaf) => {
                let at = aim.place(leaf);
                let (Some(before), id) = (at.checked_sub(1), leaf.at(at).1) else {
                    return false;
                };
                let stays = fits(leaf.get(before), leaf.get(at + 1).or(behind));
                if stays {
                    leaf.set(at, (score, id));
                }
                stays
            }
            Self::Inner(inner) => {
                let at = aim.child(inner);
                let behind = inner.keys.get(at + 1).or(behind);
                // The first key below the child stays the same: only others are changed in place.
                inner.children[at].set_score(aim, score, behind, fits)
            }
        }
    }
}

impl Inner {
    fn new() -> Self {
        Self {
            keys: Keys::new(),
            counts: Vec::new(),
            children: Vec::new(),
        }
    }

    /// A node over one.
    pub fn above(child: Node) -> Self {
        let mut inner = Self::new();
        inner.add(0, child);
        inner
    }

    pub fn child(&self, at: usize) -> Option<&Node> {
        self.children.get(at)
    }

    pub fn last(&self) -> usize {
        self.children.len() - 1
    }

    /// The child where `before` ends, and how many elements stand in front of it.
    pub fn end_of(&self, before: &impl Fn(Key) -> bool) -> (&Node, usize) {
        let at = self.keys.count_before(before).saturating_sub(1);
        let passed = self.counts[..at].iter().map(|&count| count as usize).sum();
        (&self.children[at], passed)
    }

    /// Whether one child could stand for the node, or nothing could.
    pub fn is_needless(&self) -> bool {
        self.children.len() < 2
    }

    /// The last child, taken out.
    pub fn take_last(&mut self) -> Option<Node> {
        self.children.pop()
    }

    fn allocated(&self) -> usize {
        let below: usize = self.children.iter().map(Node::allocated).sum();
        size_of::<Self>()
            + self.counts.capacity() * size_of::<u32>()
            + self.children.capacity() * size_of::<Node>()
            + below
    }

    fn add(&mut self, at: usize, child: Node) {
        self.keys.insert(at, child.first());
        self.counts.insert(at, child.count() as u32);
        self.children.insert(at, child);
    }

    fn drop_child(&mut self, at: usize) {
        self.keys.remove(at);
        self.counts.remove(at);
        self.children.remove(at);
    }

    /// Makes what is known of a child true again.
    fn refresh(&mut self, at: usize) {
        self.keys.set(at, self.children[at].first());
        self.counts[at] = self.children[at].count() as u32;
    }

    fn give_right(&mut self, right: &mut Self, count: usize) {
        let from = self.children.len() - count;
        self.keys.give_right(&mut right.keys, count);
        right.counts.splice(..0, self.counts.drain(from..));
        right.children.splice(..0, self.children.drain(from..));
    }

    fn take_from(&mut self, right: &mut Self, count: usize) {
        self.keys.take_from(&mut right.keys, count);
        self.counts.extend(right.counts.drain(..count));
        self.children.extend(right.children.drain(..count));
    }

    fn insert(&mut self, key: Key, before: &impl Fn(Key) -> bool) {
        let mut at = self.keys.count_before(before).saturating_sub(1);
        if self.children[at].is_full() {
            self.make_room(at, before);
            at = self.keys.count_before(before).saturating_sub(1);
        }
        self.children[at].insert(key, before);
        self.counts[at] += 1;
        // Only in front of everything does a new key come first.
        if !before(self.keys.at(at)) {
            self.keys.set(at, key);
        }
    }

    /// Makes room in a full child: neighbours take some of it, else it is split. There is room for one child more.
    fn make_room(&mut self, at: usize, before: &impl Fn(Key) -> bool) {
        let most = self.children[at].most();
        let has_room =
            |node: Option<&Node>| node.is_some_and(|node| node.width() + most / 8 < most);
        // What comes at either end goes on coming there: nodes that are left behind stay full.
        let is_start = at == 0 && !before(self.keys.at(0));
        let is_end = at == self.last() && self.children[at].ends_before(before);
        if is_start || is_end {
            return self.split(at, if is_end { 1 } else { most - 1 });
        }
        if has_room(self.children.get(at + 1)) {
            return self.even_out(at);
        }
        if at > 0 && has_room(self.children.get(at - 1)) {
            return self.even_out(at - 1);
        }
        match at.min(self.last().saturating_sub(1)) {
            left if left < self.last() => self.split_two(left),
            _ => self.split(at, most / 2),
        }
    }

    /// Moves the last keys of a child to a new one.
    fn split(&mut self, at: usize, given: usize) {
        let mut right = self.children[at].same_kind();
        self.children[at].give_right(&mut right, given);
        self.refresh(at);
        self.add(at + 1, right);
    }

    /// Makes three of two full neighbours: each is two thirds full then, and not only a half.
    fn split_two(&mut self, at: usize) {
        let widths = [at, at + 1].map(|at| self.children[at].width());
        let third = (widths[0] + widths[1]) / 3;
        self.split(at, widths[0] - third);
        let (left, right) = self.children.split_at_mut(at + 2);
        left[at + 1].take_from(&mut right[0], widths[1] - third);
        self.refresh(at + 1);
        self.refresh(at + 2);
    }

    /// Gives two neighbours the same share.
    fn even_out(&mut self, at: usize) {
        let (left, right) = self.children.split_at_mut(at + 1);
        let (left, right) = (&mut left[at], &mut right[0]);
        let half = (left.width() + right.width()).div_ceil(2);
        match left.width() > half {
            true => left.give_right(right, left.width() - half),
            false => left.take_from(right, half - left.width()),
        }
        self.refresh(at);
        self.refresh(at + 1);
    }

    fn remove(&mut self, aim: &mut impl Aim) -> Key {
        let at = aim.child(self);
        let key = self.children[at].remove(aim);
        self.counts[at] -= 1;
        if self.counts[at] == 0 {
            self.drop_child(at);
            return key;
        }
        self.keys.set(at, self.children[at].first());
        let (width, most) = (self.children[at].width(), self.children[at].most());
        if width < most / 2 && self.children.len() > 1 {
            self.mend(at.min(self.last() - 1));
        }
        key
    }

    /// Makes one of two neighbours, or gives both the same share, when one has become small.
    fn mend(&mut self, at: usize) {
        let (left, right) = self.children.split_at_mut(at + 1);
        let (left, right) = (&mut left[at], &mut right[0]);
        let both = left.width() + right.width();
        // One that is full after merging would be split again by the next insertion.
        if both + left.most() / 8 <= left.most() {
            left.take_from(right, right.width());
            self.drop_child(at + 1);
            self.refresh(at);
        } else if left.width().abs_diff(right.width()) > left.most() / 4 {
            self.even_out(at);
        }
    }
}

impl Node {
    /// Whether even the last key here is `before`.
    fn ends_before(&self, before: &impl Fn(Key) -> bool) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.count_before(before) == leaf.len(),
            Self::Inner(inner) => inner.children[inner.last()].ends_before(before),
        }
    }

    #[cfg(test)]
    pub fn check(&self, is_root: bool) -> usize {
        let Self::Inner(inner) = self else {
            return 1;
        };
        assert!(inner.children.len() <= FANOUT && (is_root || !inner.children.is_empty()));
        assert_eq!(inner.children.len(), inner.keys.len());
        let mut heights = Vec::new();
        for (at, child) in inner.children.iter().enumerate() {
            assert_eq!(inner.counts[at] as usize, child.count());
            assert!(child.count() > 0);
            let (known, first) = (inner.keys.at(at), child.first());
            assert_eq!((known.0.to_bits(), known.1), (first.0.to_bits(), first.1));
            heights.push(child.check(false));
        }
        assert!(heights.iter().all(|height| *height == heights[0]));
        heights[0] + 1
    }
}
