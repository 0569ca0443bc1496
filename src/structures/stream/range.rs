//! Walking over entries, through one node and through many.

use super::entry::{Entry, Reader};
use super::id::Id;
use super::node::{Master, NodeView};
use super::nodes::{self, Nodes};

/// Where an entry ends. It stays true when entries are added or deleted, but not when ids are given a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The node.
    base: Id,
    /// Bytes behind the master entry.
    offset: usize,
}

/// A walk through the entries of one node, deleted ones included.
#[derive(Debug, Clone)]
pub(super) struct Walk<'a> {
    base: Id,
    master: Master<'a>,
    reader: Reader<'a>,
}

impl<'a> Walk<'a> {
    /// Before a node's first entry.
    #[inline]
    pub fn at_first(base: Id, node: NodeView<'a>) -> Option<Self> {
        let (master, mut reader) = (node.master()?, node.reader());
        reader.seek(master.first);
        Some(Self {
            base,
            master,
            reader,
        })
    }

    /// Behind a node's last entry.
    #[inline]
    pub fn at_end(base: Id, node: NodeView<'a>) -> Option<Self> {
        let mut walk = Self::at_first(base, node)?;
        walk.reader.seek_end();
        Some(walk)
    }

    /// Behind an entry that was met before; `None` if it is not there any more.
    pub fn at_place(nodes: &'a Nodes, place: Place, behind: Id) -> Option<Self> {
        let mut walk = Self::at_first(place.base, nodes.get(place.base)?)?;
        walk.reader
            .seek(walk.master.first.checked_add(place.offset)?);
        let before = walk.clone().back()?.peek_id();
        (before == Some(behind)).then_some(walk)
    }

    fn place(&self) -> Place {
        Place {
            base: self.base,
            offset: self.reader.at().saturating_sub(self.master.first),
        }
    }

    /// Goes back by one entry.
    #[inline]
    pub fn back(&mut self) -> Option<&mut Self> {
        self.reader.entry_back()?;
        Some(self)
    }

    /// The id of the entry to come.
    #[inline]
    pub fn peek_id(&self) -> Option<Id> {
        self.reader.peek_id(self.base).map(|(id, _)| id)
    }

    /// The entry to come.
    #[inline]
    pub fn next(&mut self) -> Option<Entry<'a>> {
        if self.reader.is_at_end() {
            return None;
        }
        self.reader.entry(self.base, &self.master)
    }

    /// The entry with this id.
    pub fn find(&mut self, id: Id) -> Option<Entry<'a>> {
        std::iter::from_fn(|| self.next())
            .take_while(|entry| entry.id <= id)
            .find(|entry| entry.id == id)
    }
}

/// Entries between two ids, in rising or falling order.
#[derive(Debug, Clone)]
pub struct Range<'a> {
    nodes: nodes::Iter<'a>,
    walk: Option<Walk<'a>>,
    from: Id,
    to: Id,
    is_backward: bool,
}

impl<'a> Range<'a> {
    pub(super) fn forward(nodes: &'a Nodes, from: Id, to: Id) -> Self {
        Self {
            nodes: nodes.around(from, to),
            walk: None,
            from,
            to,
            is_backward: false,
        }
    }

    pub(super) fn backward(nodes: &'a Nodes, from: Id, to: Id) -> Self {
        Self {
            nodes: nodes.around(from, to),
            walk: None,
            from,
            to,
            is_backward: true,
        }
    }

    /// The entries behind a place where the entry `behind` ends; `None` if it is no longer that place.
    pub(super) fn resume(nodes: &'a Nodes, place: Place, behind: Id) -> Option<Self> {
        Some(Self {
            walk: Some(Walk::at_place(nodes, place, behind)?),
            nodes: nodes.iter_behind(place.base),
            from: Id::MIN,
            to: Id::MAX,
            is_backward: false,
        })
    }

    /// Where the last entry that was given ends.
    pub(super) fn place(&self) -> Option<Place> {
        self.walk.as_ref().map(Walk::place)
    }

    /// The id of the entry to come, which is passed over.
    #[inline]
    pub fn next_id(&mut self) -> Option<Id> {
        self.next().map(|entry| entry.id)
    }

    #[inline]
    fn next_forward(&mut self) -> Option<Entry<'a>> {
        loop {
            let Some(walk) = &mut self.walk else {
                let (base, node) = self.nodes.next()?;
                self.walk = Walk::at_first(base, node);
                continue;
            };
            while let Some(entry) = walk.next() {
                if entry.id > self.to {
                    self.end();
                    return None;
                }
                if entry.id >= self.from && !entry.is_deleted() {
                    return Some(entry);
                }
            }
            self.walk = None;
        }
    }

    fn next_backward(&mut self) -> Option<Entry<'a>> {
        loop {
            let Some(walk) = &mut self.walk else {
                let (base, node) = self.nodes.next_back()?;
                self.walk = Walk::at_end(base, node);
                continue;
            };
            while let Some(here) = walk.back() {
                let Some(entry) = here.clone().next() else {
                    break;
                };
                if entry.id < self.from {
                    self.end();
                    return None;
                }
                if entry.id <= self.to && !entry.is_deleted() {
                    return Some(entry);
                }
            }
            self.walk = None;
        }
    }

    /// Has no more entries.
    fn end(&mut self) {
        self.walk = None;
        self.nodes.end();
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        match self.is_backward {
            false => self.next_forward(),
            true => self.next_backward(),
        }
    }
}
