//! The nodes of a stream in the order of their ids: those that are full side by side in chunks, the last one by itself.
//!
//! An allocator rounds a node's two or three thousand bytes up by a tenth; a chunk holds two dozen of them without gaps.
//! Chunks are shared by the copies of a stream, so that copying one takes little, and are copied when one of them changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::id::Id;
use super::node::{Node, NodeView};

/// The bytes that a chunk may have, unless its only node has more. Tests go from chunk to chunk.
const CHUNK_BYTES: usize = if cfg!(test) { 256 } else { 64 << 10 };

/// Nodes side by side. Never empty.
#[derive(Debug, Clone, Default)]
struct Chunk {
    ids: Vec<Id>,
    /// Where each node ends.
    ends: Vec<usize>,
    bytes: Vec<u8>,
    /// How many of the first nodes have gone. A stream that is trimmed loses one after the other.
    gone: usize,
}

impl Chunk {
    fn len(&self) -> usize {
        self.ids.len() - self.gone
    }

    #[inline]
    fn ids(&self) -> &[Id] {
        &self.ids[self.gone..]
    }

    fn place(&self, at: usize) -> std::ops::Range<usize> {
        let at = self.gone + at;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[at]
    }

    #[inline]
    fn node(&self, at: usize) -> NodeView<'_> {
        NodeView::of_bytes(&self.bytes[self.place(at)])
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        self.bytes.len().saturating_add(bytes) <= CHUNK_BYTES
    }

    fn push(&mut self, id: Id, node: &[u8]) {
        self.bytes.reserve_exact(node.len());
        self.bytes.extend_from_slice(node);
        self.ids.push(id);
        self.ends.push(self.bytes.len());
    }

    fn remove(&mut self, at: usize) {
        if at == 0 {
            self.gone += 1;
            // Moving what is left costs no more than what has gone since the last time.
            if self.place(0).start > self.bytes.len() / 2 {
                self.close_gap();
            }
        } else {
            self.resize(at, &[]);
            self.ids.remove(self.gone + at);
            self.ends.remove(self.gone + at);
        }
    }

    /// Gives back what the first nodes have left.
    fn close_gap(&mut self) {
        let start = self.place(0).start;
        self.bytes.drain(..start);
        self.bytes.shrink_to_fit();
        self.ids.drain(..self.gone);
        self.ends.drain(..self.gone);
        self.ends.iter_mut().for_each(|end| *end -= start);
        self.gone = 0;
    }

    fn replace(&mut self, at: usize, node: &[u8]) {
        let place = self.place(at);
        if place.len() == node.len() {
            self.bytes[place].copy_from_slice(node);
        } else {
            self.resize(at, node);
        }
    }

    /// Puts bytes in a node's place, and tells those behind it where they end now.
    fn resize(&mut self, at: usize, node: &[u8]) {
        let place = self.place(at);
        for end in &mut self.ends[self.gone + at..] {
            *end = *end - place.len() + node.len();
        }
        self.bytes.splice(place, node.iter().copied());
    }

    fn allocated(&self) -> usize {
        let index =
            self.ids.capacity() * size_of::<Id>() + self.ends.capacity() * size_of::<usize>();
        // Two counts stand before what is shared.
        2 * size_of::<usize>() + size_of::<Self>() + index + self.bytes.capacity()
    }
}

/// Where a node stands: its chunk, and its place there. The last node is behind all chunks.
type Position = (usize, usize);

/// The nodes of a stream in the order of their ids.
#[derive(Debug, Clone, Default)]
pub struct Nodes {
    chunks: VecDeque<Arc<Chunk>>,
    /// There is one unless there is no node at all.
    last: Option<(Id, Node)>,
    len: usize,
}

impl Nodes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes allocated.
    pub(super) fn allocated(&self) -> usize {
        let chunks = self.chunks.iter().map(|chunk| chunk.allocated());
        let last = self.last.as_ref().map_or(0, |(_, node)| node.allocated());
        self.chunks.capacity() * size_of::<Arc<Chunk>>() + chunks.sum::<usize>() + last
    }

    // ---- Looking

    fn end(&self) -> Position {
        (self.chunks.len() + usize::from(self.last.is_some()), 0)
    }

    /// Behind the last node whose id is not greater than this one.
    #[inline]
    fn behind(&self, id: Id) -> Position {
        if self.last.as_ref().is_some_and(|(base, _)| *base <= id) {
            return self.end();
        }
        let chunk = self.chunks.partition_point(|chunk| chunk.ids()[0] <= id);
        let Some(chunk) = chunk.checked_sub(1) else {
            return (0, 0);
        };
        let ids = self.chunks[chunk].ids();
        self.normal((chunk, ids.partition_point(|base| *base <= id)))
    }

    /// A place behind a chunk's last node is the next chunk's first.
    #[inline]
    fn normal(&self, (chunk, at): Position) -> Position {
        match self.chunks.get(chunk) {
            Some(here) if at < here.len() => (chunk, at),
            _ => (chunk + 1, 0),
        }
    }

    #[inline]
    fn before(&self, (chunk, at): Position) -> Option<Position> {
        if at > 0 {
            return Some((chunk, at - 1));
        }
        let chunk = chunk.checked_sub(1)?;
        let len = self.chunks.get(chunk).map_or(1, |chunk| chunk.len());
        Some((chunk, len - 1))
    }

    #[inline]
    fn at(&self, (chunk, at): Position) -> Option<(Id, NodeView<'_>)> {
        match self.chunks.get(chunk) {
            Some(chunk) => Some((chunk.ids()[at], chunk.node(at))),
            None => self.last.as_ref().map(|(id, node)| (*id, node.view())),
        }
    }

    fn find(&self, id: Id) -> Option<Position> {
        let position = self.before(self.behind(id))?;
        let (base, _) = self.at(position)?;
        (base == id).then_some(position)
    }

    /// The node with this id.
    pub fn get(&self, id: Id) -> Option<NodeView<'_>> {
        Some(self.at(self.find(id)?)?.1)
    }

    /// The last node whose id is not greater than this one.
    pub(super) fn last_up_to(&self, id: Id) -> Option<(Id, NodeView<'_>)> {
        self.at(self.before(self.behind(id))?)
    }

    /// All nodes with their ids, which are those of their first entries.
    pub fn iter(&self) -> Iter<'_> {
        self.between((0, 0), self.end())
    }

    /// All nodes but the first ones.
    pub fn iter_from(&self, first: usize) -> Iter<'_> {
        let (mut chunk, mut at) = (0, first.min(self.len));
        while let Some(here) = self.chunks.get(chunk)
            && at >= here.len()
        {
            at -= here.len();
            chunk += 1;
        }
        // The last node is a chunk of its own.
        let from = if chunk == self.chunks.len() {
            (chunk + at, 0)
        } else {
            (chunk, at)
        };
        self.between(from, self.end())
    }

    /// The nodes that may have entries between two ids, both included.
    pub(super) fn around(&self, from: Id, to: Id) -> Iter<'_> {
        // The node before may hold `from`.
        let behind = self.behind(from);
        self.between(self.before(behind).unwrap_or(behind), self.behind(to))
    }

    /// The nodes whose ids are greater than this one.
    pub(super) fn iter_behind(&self, id: Id) -> Iter<'_> {
        self.between(self.behind(id), self.end())
    }

    fn between(&self, from: Position, to: Position) -> Iter<'_> {
        Iter {
            nodes: self,
            from,
            to,
        }
    }

    // ---- Changing

    /// The last node.
    #[inline]
    pub(super) fn last_mut(&mut self) -> Option<(Id, &mut Node)> {
        self.last.as_mut().map(|(id, node)| (*id, node))
    }

    /// Adds a node behind the last one, which is not added to any more.
    pub(super) fn push(&mut self, id: Id, node: Node) {
        self.len += 1;
        let Some((id, full)) = self.last.replace((id, node)) else {
            return;
        };
        match self.chunks.back_mut() {
            Some(chunk) if chunk.has_room_for(full.bytes().len()) => {
                Arc::make_mut(chunk).push(id, full.bytes());
            }
            _ => {
                let mut chunk = Chunk::default();
                // Only the first grows: a stream that has filled one fills another.
                if !self.chunks.is_empty() {
                    chunk.bytes.reserve_exact(CHUNK_BYTES);
                }
                chunk.push(id, full.bytes());
                self.chunks.push_back(Arc::new(chunk));
            }
        }
    }

    /// Changes a node.
    pub(super) fn change(&mut self, id: Id, change: impl FnOnce(&mut Node)) {
        let Some((chunk, at)) = self.find(id) else {
            return;
        };
        match (self.chunks.get_mut(chunk), &mut self.last) {
            (Some(chunk), _) => {
                let mut node = chunk.node(at).to_node();
                change(&mut node);
                Arc::make_mut(chunk).replace(at, node.bytes());
            }
            (None, Some((_, node))) => change(node),
            (None, None) => {}
        }
    }

    /// Removes a node.
    pub(super) fn remove(&mut self, id: Id) {
        let Some(position) = self.find(id) else {
            return;
        };
        self.len -= 1;
        if position.0 < self.chunks.len() {
            return self.remove_full(position);
        }
        // The one before may have room for more.
        self.last = None;
        if let Some(position) = self.before((self.chunks.len(), 0)) {
            self.last = self.at(position).map(|(id, node)| (id, node.to_node()));
            self.remove_full(position);
        }
    }

    fn remove_full(&mut self, (chunk, at): Position) {
        if self.chunks[chunk].len() == 1 {
            self.chunks.remove(chunk);
            if self.chunks.len() < self.chunks.capacity() / 4 {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        } else {
            Arc::make_mut(&mut self.chunks[chunk]).remove(at);
        }
    }
}

impl From<BTreeMap<Id, Node>> for Nodes {
    fn from(nodes: BTreeMap<Id, Node>) -> Self {
        let mut all = Self::default();
        for (id, node) in nodes {
            all.push(id, node);
        }
        all
    }
}

/// Some nodes with their ids, from either end.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    nodes: &'a Nodes,
    from: Position,
    to: Position,
}

impl Iter<'_> {
    /// Has no more nodes.
    pub(super) fn end(&mut self) {
        self.from = self.to;
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Id, NodeView<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.from >= self.to {
            return None;
        }
        let here = self.from;
        self.from = self.nodes.normal((here.0, here.1 + 1));
        self.nodes.at(here)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.from >= self.to {
            return None;
        }
        self.to = self.nodes.before(self.to)?;
        self.nodes.at(self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_a_chunk_may_change_its_size() {
        let mut chunk = Chunk::default();
        for (n, node) in [&b"one"[..], b"two", b"three"].into_iter().enumerate() {
            chunk.push(Id::new(n as u64, 0), node);
        }
        let nodes = |chunk: &Chunk| -> Vec<Vec<u8>> {
            let all = 0..chunk.len();
            all.map(|at| chunk.node(at).bytes().to_vec()).collect()
        };
        chunk.replace(1, b"longer");
        assert_eq!(nodes(&chunk), [&b"one"[..], b"longer", b"three"]);
        chunk.replace(0, b"1");
        chunk.replace(2, b"THREE");
        assert_eq!(nodes(&chunk), [&b"1"[..], b"longer", b"THREE"]);
        chunk.remove(1);
        assert_eq!(nodes(&chunk), [&b"1"[..], b"THREE"]);
        assert_eq!(chunk.ids(), [Id::new(0, 0), Id::new(2, 0)]);
    }

    #[test]
    fn the_first_nodes_of_a_chunk_go() {
        let mut chunk = Chunk::default();
        for n in 0..100u64 {
            chunk.push(Id::new(n, 0), &[n as u8; 10]);
        }
        for n in 1..100u64 {
            chunk.remove(0);
            assert_eq!(chunk.ids()[0], Id::new(n, 0));
            assert_eq!(chunk.node(0).bytes(), [n as u8; 10]);
            assert_eq!(chunk.node(chunk.len() - 1).bytes(), [99; 10]);
            assert!(chunk.bytes.capacity() <= 2 * 10 * chunk.len() + 10);
        }
    }
}
