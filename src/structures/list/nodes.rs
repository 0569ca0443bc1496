//! A row of nodes: the shape of a big list. No node is empty, but while a method is at work.

use std::collections::{VecDeque, vec_deque};

use super::node::{End, Node};
use super::{LISTPACK_FRAME, Limit};
use crate::structures::listpack::Item;
use crate::structures::listpack::codec::Encoded;

/// A row of nodes.
#[derive(Debug, Clone)]
pub struct Nodes {
    nodes: VecDeque<Node>,
    len: usize,
}

impl Nodes {
    pub fn of(node: Node) -> Self {
        let mut nodes = VecDeque::new();
        let len = node.count();
        if len > 0 {
            nodes.push_back(node);
        }
        Self { nodes, len }
    }

    pub fn nodes(&self) -> &VecDeque<Node> {
        &self.nodes
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn allocated(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(Node::allocated).sum();
        nodes + self.nodes.capacity() * size_of::<Node>()
    }

    /// Adds a node behind the others.
    pub fn add(&mut self, node: Node) {
        self.len += node.count();
        self.nodes.push_back(node);
    }

    /// The only node, if it is within a limit.
    pub fn take_small(&mut self, limit: Limit) -> Option<Node> {
        let node = self.nodes.front()?;
        let bytes = node.used() + LISTPACK_FRAME;
        match limit.is_exceeded(bytes, node.count()) {
            true => None,
            false => self.nodes.pop_front(),
        }
    }

    // ---- The ends

    #[inline]
    pub fn push(&mut self, end: End, entry: &Encoded<'_>, bytes: usize, limit: Limit) {
        self.len += 1;
        let node = match end {
            End::Head => self.nodes.front_mut(),
            End::Tail => self.nodes.back_mut(),
        };
        match node {
            Some(node) if limit.allows(node, bytes) => node.push(end, entry),
            _ => self.push_node(end, entry, limit),
        }
    }

    #[cold]
    fn push_node(&mut self, end: End, entry: &Encoded<'_>, limit: Limit) {
        let is_big = entry.size() > limit.bytes;
        // A node that follows a full one will be full, too.
        let capacity = match limit.count {
            usize::MAX if !is_big => limit.bytes,
            _ => entry.size(),
        };
        let mut node = Node::with_capacity(capacity, end);
        node.push(end, entry);
        match end {
            End::Head => self.nodes.push_front(node),
            End::Tail => self.nodes.push_back(node),
        }
    }

    #[inline]
    pub fn end(&self, end: End) -> Option<Item<'_>> {
        match end {
            End::Head => self.nodes.front()?.end(end),
            End::Tail => self.nodes.back()?.end(end),
        }
    }

    #[inline]
    pub fn pop(&mut self, end: End) {
        let node = match end {
            End::Head => self.nodes.front_mut(),
            End::Tail => self.nodes.back_mut(),
        };
        let Some(node) = node else { return };
        node.pop(end);
        self.len -= 1;
        if node.count() == 0 {
            match end {
                End::Head => self.nodes.pop_front(),
                End::Tail => self.nodes.pop_back(),
            };
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if self.nodes.capacity() >= 64 && self.nodes.len() < self.nodes.capacity() / 4 {
            self.nodes.shrink_to(self.nodes.len() * 2);
        }
    }

    // ---- The middle

    /// The node of the `index`th element, and its index there. Counts from the nearer end. `index` is within.
    fn find(&self, index: usize) -> (usize, usize) {
        if index <= self.len / 2 {
            let mut left = index;
            for (at, node) in self.nodes.iter().enumerate() {
                if left < node.count() {
                    return (at, left);
                }
                left -= node.count();
            }
        } else {
            let mut end = self.len;
            for (at, node) in self.nodes.iter().enumerate().rev() {
                end -= node.count();
                if index >= end {
                    return (at, index - end);
                }
            }
        }
        (self.nodes.len(), 0)
    }

    pub fn get(&self, index: usize) -> Option<Item<'_>> {
        if index >= self.len {
            return None;
        }
        let (at, index) = self.find(index);
        self.nodes.get(at)?.get(index)
    }

    /// The node of the `index`th element, its index there, and the nodes that follow on the way from an end.
    pub fn run_of(&self, index: usize, from: End) -> (&Node, usize, vec_deque::Iter<'_, Node>) {
        let (at, index) = self.find(index);
        let rest = match from {
            End::Head => self.nodes.range(at + 1..),
            End::Tail => self.nodes.range(..at),
        };
        (&self.nodes[at], index, rest)
    }

    /// `index` is within.
    pub fn set(&mut self, index: usize, entry: &Encoded<'_>, bytes: usize, limit: Limit) {
        let (at, index) = self.find(index);
        let node = &mut self.nodes[at];
        if node.count() == 1 || limit.allows(node, bytes) {
            return node.replace(index, entry);
        }
        node.remove(index, 1);
        self.len -= 1;
        self.insert_at(at, index, entry, bytes, limit);
    }

    /// `index` is within and not at the very beginning.
    pub fn insert(&mut self, index: usize, entry: &Encoded<'_>, bytes: usize, limit: Limit) {
        let (at, index) = self.find(index);
        self.insert_at(at, index, entry, bytes, limit);
    }

    /// Adds an element before one of a node, or behind its last.
    fn insert_at(
        &mut self,
        at: usize,
        index: usize,
        entry: &Encoded<'_>,
        bytes: usize,
        limit: Limit,
    ) {
        self.len += 1;
        let node = &mut self.nodes[at];
        if limit.allows(node, bytes) {
            return node.insert(index, entry);
        }
        let before = at.checked_sub(1).and_then(|at| self.nodes.get_mut(at));
        if index == 0
            && let Some(before) = before.filter(|before| limit.allows(before, bytes))
        {
            return before.push(End::Tail, entry);
        }
        let mut own = Node::default();
        own.push(End::Tail, entry);
        let node = &mut self.nodes[at];
        if index == 0 {
            self.nodes.insert(at, own);
        } else if index == node.count() {
            self.nodes.insert(at + 1, own);
        } else {
            let tail = node.split_off(index);
            self.nodes.insert(at + 1, tail);
            self.nodes.insert(at + 1, own);
        }
        // What has been torn apart is put together where it fits.
        self.merge(at + 1, limit);
        self.merge(at, limit);
    }

    /// Puts a node and the next one together if they fit.
    fn merge(&mut self, at: usize, limit: Limit) {
        let (Some(one), Some(next)) = (self.nodes.get(at), self.nodes.get(at + 1)) else {
            return;
        };
        let bytes = one.used() + next.used() + LISTPACK_FRAME;
        if limit.is_exceeded(bytes, one.count() + next.count()) {
            return;
        }
        if let Some(next) = self.nodes.remove(at + 1) {
            self.nodes[at].append(&next);
        }
    }

    /// So many are there.
    pub fn remove_range(&mut self, first: usize, count: usize) {
        let (mut at, mut index) = self.find(first);
        let mut left = count;
        let mut whole = 0;
        let mut whole_from = at;
        while left > 0 {
            let node = &mut self.nodes[at];
            let here = left.min(node.count() - index);
            if here == node.count() {
                if whole == 0 {
                    whole_from = at;
                }
                whole += 1;
            } else {
                node.remove(index, here);
            }
            left -= here;
            (at, index) = (at + 1, 0);
        }
        self.nodes.drain(whole_from..whole_from + whole);
        self.len -= count;
        self.give_back();
    }

    pub fn remove_matching(&mut self, wanted: Item<'_>, most: usize, from: End) -> usize {
        let mut removed = 0;
        for step in 0..self.nodes.len() {
            if removed == most {
                break;
            }
            let at = match from {
                End::Head => step,
                End::Tail => self.nodes.len() - 1 - step,
            };
            removed += self.nodes[at].remove_matching(wanted, most - removed, from);
        }
        self.nodes.retain(|node| node.count() > 0);
        self.len -= removed;
        self.give_back();
        removed
    }
}
