//! A walk over neighbouring elements, in either direction.

use smallvec::SmallVec;

use super::keys::Key;
use super::node::{Aim, Inner, Leaf, Node, Rank};

/// Which way a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the lowest to the highest.
    Up,
    /// From the highest to the lowest.
    Down,
}

/// Elements one after the other.
pub(in super::super) struct Walk<'a> {
    /// Inner nodes from the root on, with the child that was taken.
    path: SmallVec<[(&'a Inner, usize); 6]>,
    leaf: Option<&'a Leaf>,
    /// Elements of the leaf in front of the place between two where the walk stands.
    at: usize,
    left: usize,
    direction: Direction,
}

impl<'a> Walk<'a> {
    /// Over the `count` elements from `rank` on, the first given being the lowest or the highest of them. All of them are
    /// there.
    pub(super) fn new(root: &'a Node, rank: usize, count: usize, direction: Direction) -> Self {
        let mut walk = Self {
            path: SmallVec::new(),
            leaf: None,
            at: 0,
            left: count,
            direction,
        };
        if count > 0 {
            let (first, behind) = match direction {
                Direction::Up => (rank, 0),
                Direction::Down => (rank + count - 1, 1),
            };
            walk.go_to(root, Rank(first));
            walk.at += behind;
        }
        walk
    }

    fn go_to(&mut self, mut node: &'a Node, mut aim: Rank) {
        loop {
            match node {
                Node::Leaf(leaf) => {
                    self.at = aim.place(leaf);
                    self.leaf = Some(leaf);
                    return;
                }
                Node::Inner(inner) => {
                    let at = aim.child(inner);
                    self.path.push((inner, at));
                    let Some(child) = inner.child(at) else { return };
                    node = child;
                }
            }
        }
    }

    /// On to the next leaf.
    fn turn(&mut self) -> Option<&'a Leaf> {
        let (child, aim) = loop {
            let (inner, at) = self.path.pop()?;
            let next = match self.direction {
                Direction::Up => Some(at + 1),
                Direction::Down => at.checked_sub(1),
            };
            let Some((next, child)) = next.and_then(|next| Some((next, inner.child(next)?))) else {
                continue;
            };
            self.path.push((inner, next));
            break match self.direction {
                Direction::Up => (child, Rank(0)),
                Direction::Down => (child, Rank(child.count() - 1)),
            };
        };
        self.go_to(child, aim);
        if self.direction == Direction::Down {
            self.at += 1;
        }
        self.leaf
    }
}

impl Iterator for Walk<'_> {
    type Item = Key;

    #[inline]
    fn next(&mut self) -> Option<Key> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let mut leaf = self.leaf?;
        if self.direction == Direction::Up {
            if self.at == leaf.len() {
                leaf = self.turn()?;
            }
            self.at += 1;
            return Some(leaf.at(self.at - 1));
        }
        if self.at == 0 {
            leaf = self.turn()?;
        }
        self.at -= 1;
        Some(leaf.at(self.at))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Walk<'_> {}
