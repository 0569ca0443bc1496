//! A row of nodes: the shape of a big list. No node is empty, but while a method is at work.

use std::collections::{VecDeque, vec_deque};
use std::ops::Range;

use super::node::{End, Node};
use super::{LISTPACK_FRAME, Limit};
use crate::structures::listpack::Item;
use crate::structures::listpack::codec::Encoded;

/// A row of nodes.
#[derive(Debug, Clone)]
pub struct Nodes {
    nodes: VecDeque<Node>,
    len: usize,
    /// So many nodes at either end stay open, those between are compressed; 0: none is.
    depth: usize,
}

/// The length of elements that a node which begins with this one is made for; 0: any. What is to be compressed is kept as it
/// will be then.
fn width_for(entry: &Encoded<'_>, limit: Limit) -> usize {
    match limit.depth {
        0 => entry.text().len(),
        _ => 0,
    }
}

impl Nodes {
    pub fn of(node: Node) -> Self {
        let mut nodes = VecDeque::new();
        let len = node.count();
        if len > 0 {
            nodes.push_back(node);
        }
        Self {
            nodes,
            len,
            depth: 0,
        }
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

    /// Copies of the nodes from one on, which share what they hold with these until they change.
    pub fn share_from(&mut self, first: usize) -> VecDeque<Node> {
        let first = first.min(self.nodes.len());
        self.nodes.range_mut(first..).map(Node::share).collect()
    }

    /// Adds a node behind the others.
    pub fn add(&mut self, node: Node) {
        self.len += node.count();
        self.make_room();
        self.nodes.push_back(node);
    }

    /// Makes room for another node or two, by an eighth: a row twice as long as it must be would be felt.
    fn make_room(&mut self) {
        if self.nodes.capacity() < self.nodes.len() + 2 {
            self.nodes.reserve_exact(self.nodes.len() / 8 + 4);
        }
    }

    /// The only node, if it is within a limit.
    pub fn take_small(&mut self, limit: Limit) -> Option<Node> {
        let node = self.nodes.front_mut()?;
        node.open();
        let bytes = node.size_as_entries() + LISTPACK_FRAME;
        if limit.is_exceeded(bytes, node.count()) {
            return None;
        }
        node.encode();
        self.nodes.pop_front()
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
            Some(node) if limit.allows(node, entry, bytes) => node.push(end, entry),
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
        let mut node = Node::with_capacity(capacity, end, width_for(entry, limit));
        node.push(end, entry);
        self.make_room();
        match end {
            End::Head => self.nodes.push_front(node),
            End::Tail => self.nodes.push_back(node),
        }
        self.depth = limit.depth;
        self.compress_behind(end);
    }

    // ---- Compression

    /// A node has come to an end: another is no longer near enough to it to stay open.
    fn compress_behind(&mut self, end: End) {
        let (depth, count) = (self.depth, self.nodes.len());
        if depth == 0 || count <= 2 * depth {
            return;
        }
        let at = match end {
            End::Head => depth,
            End::Tail => count - 1 - depth,
        };
        self.nodes[at].compress();
    }

    /// A node has gone from an end: another has come near enough to it to be open.
    fn open_behind(&mut self, end: End) {
        let at = match end {
            End::Head => self.depth.checked_sub(1),
            End::Tail => self.nodes.len().checked_sub(self.depth.max(1)),
        };
        if let Some(node) = at.and_then(|at| self.nodes.get_mut(at)) {
            node.open();
        }
    }

    /// After a change in some nodes: compresses those that are to be compressed, and opens those near the ends.
    fn settle(&mut self, changed: Range<usize>) {
        if self.depth == 0 {
            return;
        }
        let count = self.nodes.len();
        let inner =
            self.depth.min(count)..count.saturating_sub(self.depth).max(self.depth.min(count));
        for at in changed.start.max(inner.start)..changed.end.min(inner.end) {
            self.nodes[at].compress();
        }
        let ends = (0..inner.start).chain(inner.end..count);
        ends.for_each(|at| self.nodes[at].open());
    }

    /// Gives back what reading compressed nodes has unpacked.
    pub fn forget_read(&mut self) {
        if self.depth > 0 {
            self.nodes.iter_mut().for_each(Node::forget_read);
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
            if self.depth > 0 {
                self.open_behind(end);
            }
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
        self.depth = limit.depth;
        let node = &mut self.nodes[at];
        if node.count() == 1 || limit.allows(node, entry, bytes) {
            node.replace(index, entry);
            return self.settle(at..at + 1);
        }
        node.remove(index, 1);
        self.len -= 1;
        self.depth = limit.depth;
        self.insert_at(at, index, entry, bytes, limit);
        // What is torn apart and put together again is no more than this.
        self.settle(at.saturating_sub(1)..at + 4);
    }

    /// `index` is within and not at the very beginning.
    pub fn insert(&mut self, index: usize, entry: &Encoded<'_>, bytes: usize, limit: Limit) {
        let (at, index) = self.find(index);
        self.depth = limit.depth;
        self.insert_at(at, index, entry, bytes, limit);
        // What is torn apart and put together again is no more than this.
        self.settle(at.saturating_sub(1)..at + 4);
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
        if limit.allows(node, entry, bytes) {
            return node.insert(index, entry);
        }
        let before = at.checked_sub(1).and_then(|at| self.nodes.get_mut(at));
        if index == 0
            && let Some(before) = before.filter(|before| limit.allows(before, entry, bytes))
        {
            return before.push(End::Tail, entry);
        }
        let mut own = Node::with_capacity(0, End::Tail, width_for(entry, limit));
        own.push(End::Tail, entry);
        self.make_room();
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
        let bytes = match one.width() {
            Some(width) if next.width() == Some(width) => one.used() + next.used(),
            _ => one.size_as_entries() + next.size_as_entries() + LISTPACK_FRAME,
        };
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
        self.settle(whole_from.saturating_sub(1)..whole_from + 2);
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
            let node = &mut self.nodes[at];
            let here = node.remove_matching(wanted, most - removed, from);
            removed += here;
            node.forget_read();
            if here > 0 && self.depth > 0 {
                node.compress();
            }
        }
        self.nodes.retain(|node| node.count() > 0);
        self.len -= removed;
        self.settle(0..0);
        self.give_back();
        removed
    }
}
